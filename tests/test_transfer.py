"""Downstream heads, the representations they are fitted on, and learning curves."""

from __future__ import annotations

import dataclasses
import inspect
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from oracles import agrees
from sentences import refuses
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.testing import assert_close

from mtfl import GaussianInputs, HypercubeInputs, TwoLayerReLU, energy_ratio, sample_tasks, streams, task_kernel
from mtfl.one_step import contrastive_step
from mtfl.tasks import characters
from mtfl.transfer import (
    REPRESENTATIONS,
    FrozenFeatures,
    LearningCurves,
    TransferSettings,
    learning_curves,
    representations,
    transfer_accuracy,
)

SMALL = TransferSettings(d=12, r=2, neurons=24, tasks=20, batch_size=500, examples=200)


def stream(name: str = "draws", seed: int = 0) -> torch.Generator:
    return streams(seed, name)[name]


def gaussian(d: int, r: int, seed: int = 0) -> GaussianInputs:
    return GaussianInputs.random(d, r, generator=stream("subspace", seed))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=stream("normal", seed), dtype=torch.float64)


# Frozen features


def test_features_are_scaled_to_norm_one() -> None:
    for scale in (1e-200, 1e-8, 1.0, 1e8, 1e200):  # of the outer ones squares vanish, or overflow
        features = FrozenFeatures.of(scale * normal(7, 5), generator=stream())
        assert features.W.square().sum(1).mean().item() == pytest.approx(1, rel=1e-12)
        assert_close(features.W / features.W.norm(), normal(7, 5) / normal(7, 5).norm())
        assert not features.linear


def test_biases_are_uniform() -> None:
    b = FrozenFeatures.of(torch.ones(60_000, 1, dtype=torch.float64), generator=stream()).b
    assert b.min() >= -1
    assert b.max() <= 1
    assert agrees(b, 0.0)
    assert agrees(b**2, 1 / 3)
    assert not agrees(b**2, 1.02 / 3)
    assert agrees(b**4, 1 / 5)


def test_features_with_and_without_the_relu() -> None:
    features = FrozenFeatures.of(normal(7, 5), generator=stream())
    X = normal(9, 5, seed=1)
    assert_close(features(X), torch.relu(X @ features.W.T + features.b))
    linear = FrozenFeatures.of(normal(7, 5), generator=stream(), linear=True)
    assert not linear.b.any()
    assert_close(linear(X), X @ features.W.T)


def test_what_is_compared_when_nothing_else_is_said() -> None:
    assert TransferSettings() == TransferSettings(128, 3, 512, 1024, "balanced", 20_000, 1024, "parity")
    for function in (transfer_accuracy, learning_curves):
        assert inspect.signature(function).parameters["test_examples"].default == 10_000


def test_features_up_to_a_million_are_fitted() -> None:
    inputs, f = gaussian(6, 2), characters(2)[1]
    for scale, fits in ((9.9e5, True), (1.05e6, False)):
        features = FrozenFeatures(torch.zeros(3, 6).double(), torch.full((3,), scale).double())
        options = {"examples": 20, "test_examples": 50, "generator": stream()}
        if fits:
            transfer_accuracy(features, inputs, f, **options)
        else:
            with refuses(ValueError, "transfer_accuracy: features must be at most 1e+06; got 1050000.0. "):
                transfer_accuracy(features, inputs, f, **options)


def test_as_many_neurons_as_features_have_a_conditioning() -> None:
    curves = learning_curves(SMALL, "neurons", [2, 3], seeds=[0], names=("pretrained",), test_examples=50)
    assert (curves.conditioning["pretrained"] > 0).all()


def test_the_first_neurons() -> None:
    features = FrozenFeatures.of(normal(7, 5), generator=stream())
    X = normal(9, 5, seed=1)
    assert_close(features.first(3)(X), features(X)[:, :3])
    assert torch.equal(features.first(7).W, features.W)
    assert features.W.shape == (7, 5)


# Heads


@pytest.mark.parametrize("law", ["gaussian", "hypercube"])
@pytest.mark.parametrize("linear", [False, True])
def test_heads_predict_as_scikit_learns(law: str, linear: bool) -> None:
    inputs = gaussian(6, 2) if law == "gaussian" else HypercubeInputs.axes(6, 2)
    features = FrozenFeatures.of(normal(40, 6), generator=stream(), linear=linear)
    f = torch.tensor([1.0, -1, -1, -1], dtype=torch.float64)
    ours = transfer_accuracy(features, inputs, f, examples=300, test_examples=4000, generator=stream("down"))
    generator = stream("down")
    X, X_test = inputs.sample(300, generator=generator), inputs.sample(4000, generator=generator)
    y, y_test = f[inputs.patterns(X)].numpy(), f[inputs.patterns(X_test)].numpy()
    model = LogisticRegression(tol=1e-9, max_iter=100_000).fit(features(X).numpy(), y)
    assert ours == pytest.approx((model.predict(features(X_test).numpy()) == y_test).mean(), abs=0.0015)
    assert ours > 0.6


def test_many_test_examples_are_walked_in_blocks() -> None:
    inputs, features = gaussian(6, 2), FrozenFeatures.of(normal(40, 6), generator=stream())
    f = characters(2)[1]
    few, many = (
        transfer_accuracy(features, inputs, f, examples=300, test_examples=n, generator=stream("down"))
        for n in (8192, 20_000)
    )
    assert few != many
    assert few == pytest.approx(many, abs=5 * math.sqrt(0.25 / 8192))


def test_samples_with_one_label_predict_it() -> None:
    inputs, features = gaussian(6, 2), FrozenFeatures.of(normal(10, 6), generator=stream())
    for sign in (-1.0, 1.0):
        constant = torch.full((4,), sign, dtype=torch.float64)
        assert transfer_accuracy(features, inputs, constant, examples=5, test_examples=50, generator=stream()) == 1
    for seed in range(4):
        f = torch.tensor([1.0, -1, -1, -1], dtype=torch.float64)
        accuracy = transfer_accuracy(features, inputs, f, examples=1, generator=stream("one", seed))
        label = f[inputs.patterns(inputs.sample(1, generator=stream("one", seed)))].item()
        assert accuracy == pytest.approx(0.25 if label > 0 else 0.75, abs=0.025)


def test_heads_on_the_oracle_subspace_solve_what_linear_features_cannot() -> None:
    settings = dataclasses.replace(SMALL, neurons=200)
    inputs = gaussian(12, 2)
    features = representations(settings, inputs, seed=0, names=("oracle subspace", "linear layer"))
    oracle, linear = (
        transfer_accuracy(features[name], inputs, characters(2)[-1], examples=1000, generator=stream("down"))
        for name in ("oracle subspace", "linear layer")
    )
    assert oracle > 0.9
    assert linear == pytest.approx(0.5, abs=0.05)


# Representations


def test_each_representation_is_what_it_says() -> None:
    inputs = gaussian(12, 2)
    made = representations(SMALL, inputs, seed=3)
    assert tuple(made) == REPRESENTATIONS
    random = streams(3, "weights", "tasks", "one task", *REPRESENTATIONS)
    W = TwoLayerReLU.random(24, 12, tasks=1, generator=random["weights"]).W
    F = sample_tasks(20, 2, law="balanced", generator=random["tasks"])
    one = sample_tasks(1, 2, law="balanced", generator=random["one task"])
    n = SMALL.batch_size
    expected = {
        "random features": W,
        "pretrained": contrastive_step(W, inputs, task_kernel(F), batch_size=n, generator=random["pretrained"]),
        "single task": contrastive_step(W, inputs, task_kernel(one), batch_size=n, generator=random["single task"]),
    }
    for name, weights in expected.items():
        assert_close(made[name].W / made[name].W.norm(), weights / weights.norm(), rtol=1e-10, atol=1e-14)
    assert energy_ratio(made["oracle subspace"].W, inputs.M) == pytest.approx(1, rel=1e-12)
    assert [name for name in made if made[name].linear] == ["linear layer"]


def test_the_linear_layer_takes_a_gradient_step_of_a_linear_network() -> None:
    inputs = gaussian(12, 2)
    made = representations(SMALL, inputs, seed=3, names=("linear layer",))["linear layer"]
    random = streams(3, "weights", "tasks", "linear layer")
    W = TwoLayerReLU.random(24, 12, tasks=1, generator=random["weights"]).W.requires_grad_()
    F = sample_tasks(20, 2, law="balanced", generator=random["tasks"])
    X0, X = (inputs.sample(SMALL.batch_size, generator=random["linear layer"]) for _ in range(2))
    Y0, Y = (F[:, inputs.patterns(x)] for x in (X0, X))
    heads = 1e-4 * Y0 @ (X0 @ W.detach().T) / len(X0)
    loss = (1 - Y * (heads @ (X @ W.T).T)).clamp(min=0).mean()
    step = -torch.autograd.grad(loss, W)[0]
    assert_close(made.W / made.W.norm(), step / step.norm(), rtol=1e-10, atol=1e-12)


def test_representations_do_not_depend_on_which_others_are_made() -> None:
    inputs = gaussian(12, 2)
    together = representations(SMALL, inputs, seed=1)
    for name in REPRESENTATIONS:
        alone = representations(SMALL, inputs, seed=1, names=(name,))
        assert list(alone) == [name]
        assert torch.equal(alone[name].W, together[name].W)
        assert torch.equal(alone[name].b, together[name].b)


# Learning curves


@pytest.mark.parametrize(
    ("axis", "values"), [("examples", [20, 200]), ("neurons", [1, 8, 24]), ("d", [6, 12])], ids=lambda x: str(x)
)
def test_curves_have_their_shapes_and_repeat(axis: str, values: list[int]) -> None:
    one, two = (learning_curves(SMALL, axis, values, seeds=[0, 4], test_examples=500) for _ in range(2))
    assert (one.axis, one.values) == (axis, tuple(values))
    for first, second in ((one.accuracy, two.accuracy), (one.energy, two.energy), (one.conditioning, two.conditioning)):
        assert tuple(first) == REPRESENTATIONS
        for name in REPRESENTATIONS:
            assert first[name].shape == (2, len(values))
            assert np.array_equal(first[name], second[name])
            assert ((first[name] >= 0) & (first[name] <= 1 + 1e-6)).all()
    other = learning_curves(SMALL, axis, values, seeds=[4], test_examples=500)
    for name in REPRESENTATIONS:
        assert np.array_equal(other.accuracy[name][0], one.accuracy[name][1])
    if axis == "neurons":
        assert (one.conditioning["pretrained"][:, 0] == 0).all()  # one neuron cannot carry two features
        assert_allclose(one.energy["oracle subspace"], 1, rtol=1e-5)


def recompute(curves: LearningCurves, name: str, row: int, seed: int, settings: TransferSettings) -> float:
    """One accuracy of the last value, from scratch."""
    inputs = GaussianInputs.random(
        settings.d, settings.r, generator=streams(seed, "subspace")["subspace"], dtype=torch.float32
    )
    features = representations(settings, inputs, seed=seed, names=(name,))[name]
    if settings.downstream == "parity":
        f = characters(settings.r, dtype=torch.float32)[-1]
    else:
        drawn = streams(seed, "downstream task")["downstream task"]
        f = sample_tasks(1, settings.r, law="balanced", generator=drawn, dtype=torch.float32)[0]
    generator = streams(seed, f"downstream {name}")[f"downstream {name}"]
    options = {"examples": settings.examples, "test_examples": 500}
    return transfer_accuracy(features, inputs, f, generator=generator, **options)


@pytest.mark.parametrize("downstream", ["parity", "random"])
@pytest.mark.parametrize(("axis", "values"), [("examples", [20, 150]), ("neurons", [5, 30]), ("d", [6, 9])])
def test_curves_equal_the_calls_they_stand_for(axis: str, values: list[int], downstream: str) -> None:
    settings = dataclasses.replace(SMALL, downstream=downstream)
    names = ("single task", "pretrained")
    curves = learning_curves(settings, axis, values, seeds=[2, 5], names=names, test_examples=500)
    for row, seed in enumerate((2, 5)):
        for name in names:
            alone = recompute(curves, name, row, seed, dataclasses.replace(settings, **{axis: values[-1]}))
            assert curves.accuracy[name][row, -1] == alone


def test_downstream_examples_are_not_the_pretraining_batch() -> None:
    inputs = GaussianInputs.random(12, 2, generator=stream("subspace"))
    for name in REPRESENTATIONS:
        batch = inputs.sample(20, generator=streams(0, name)[name])
        examples = inputs.sample(20, generator=streams(0, f"downstream {name}")[f"downstream {name}"])
        assert not torch.isclose(batch, examples).any()


def test_many_tasks_transfer_where_one_task_and_random_features_fail() -> None:
    names = ("pretrained", "single task", "random features")
    curves = learning_curves(TransferSettings(), "examples", [1024], seeds=range(3), names=names)
    many, one, random = (float(np.median(curves.accuracy[name])) for name in names)
    print(f"parity of r = 3, d = 128: many tasks {many:.3f}, one task {one:.3f}, random features {random:.3f}")
    assert many >= 0.84
    assert one <= 0.70
    assert random <= 0.55


# Bad input


@pytest.mark.usefixtures("unchecked")
def test_bad_features_are_refused() -> None:
    W = normal(4, 3)
    with refuses(ValueError, "FrozenFeatures.of: W must be nonzero; got all zeros. "):
        FrozenFeatures.of(0 * W, generator=stream())
    with refuses(ValueError, "FrozenFeatures.of: W must be finite; got NaN or infinity. "):
        FrozenFeatures.of(W * math.nan, generator=stream())
    with refuses(ValueError, "FrozenFeatures.of: W must be of shape (m, d); got (4,). "):
        FrozenFeatures.of(W[:, 0], generator=stream())
    with refuses(TypeError, "FrozenFeatures.of: W must be floating point; got torch.int64. "):
        FrozenFeatures.of(W.long(), generator=stream())
    with refuses(TypeError, "FrozenFeatures.of: generator must be a torch.Generator; got int. "):
        FrozenFeatures.of(W, generator=1)  # type: ignore[arg-type]
    with refuses(ValueError, "FrozenFeatures: b must be of shape (4); got (3,). "):
        FrozenFeatures(W, W[0])
    with refuses(
        TypeError, "FrozenFeatures: b must be of the dtype and device of W (torch.float64, cpu); got torch.flo"
    ):
        FrozenFeatures(W, W[:, 0].float())
    features = FrozenFeatures.of(W, generator=stream())
    with refuses(ValueError, "FrozenFeatures.first: m must be at most 4; got 5. "):
        features.first(5)
    with refuses(ValueError, "FrozenFeatures.first: m must be at least 1; got 0. "):
        features.first(0)
    with refuses(ValueError, "FrozenFeatures: X must be of shape (n, 3); got (4, 2). "):
        features(W[:, :2])
    with refuses(
        TypeError, "FrozenFeatures: X must be of the dtype and device of W (torch.float64, cpu); got torch.flo"
    ):
        features(W.float())


@pytest.mark.usefixtures("unchecked")
def test_bad_transfers_are_refused() -> None:
    inputs, f = gaussian(6, 2), characters(2)[-1]
    features = FrozenFeatures.of(normal(4, 6), generator=stream())
    narrow = FrozenFeatures.of(normal(4, 5), generator=stream())
    cases = [
        (features, f[:2], {}, ValueError, "f must be of shape (4); got (2,). "),
        (features, f.unsqueeze(0), {}, ValueError, "f must be of shape (4); got (1, 4). "),
        (features, (f + 1) / 2, {}, ValueError, "f must be made of -1 and +1; got 2 other entries, the first 0. "),
        (
            features,
            f.float(),
            {},
            TypeError,
            "f must be of the dtype and device of W (torch.float64, cpu); got torch.fl",
        ),
        (features, f * math.nan, {}, ValueError, "f must be finite; got NaN or infinity. "),
        (features, f, {"examples": 0}, ValueError, "examples must be at least 1; got 0. "),
        (features, f, {"examples": 1.5}, TypeError, "examples must be an integer; got float 1.5. "),
        (features, f, {"test_examples": 0}, ValueError, "test_examples must be at least 1; got 0. "),
        (features, f, {"generator": None}, TypeError, "generator must be a torch.Generator; got NoneType. "),
        (narrow, f, {}, ValueError, "the features' W must be of shape (m, 6); got (4, 5). "),
    ]
    for first, task, change, error, sentence in cases:
        options = {"examples": 5, "generator": stream()} | change
        with refuses(error, "transfer_accuracy: " + sentence):
            transfer_accuracy(first, inputs, task, **options)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"r": 12}, ValueError, "r must be smaller than d = 12; got 12. "),
        ({"r": 0}, ValueError, "r must be at least 1; got 0. "),
        ({"d": 2.0}, TypeError, "d must be an integer; got float 2.0. "),
        ({"neurons": 0}, ValueError, "neurons must be at least 1; got 0. "),
        ({"tasks": 0}, ValueError, "tasks must be at least 1; got 0. "),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0. "),
        ({"examples": -1}, ValueError, "examples must be at least 1; got -1. "),
        ({"law": "fair"}, ValueError, "law must be one of uniform, balanced, parity, junta, threshold; got 'fair'. "),
        ({"downstream": "all"}, ValueError, "downstream must be one of parity, random; got 'all'. "),
    ],
)
def test_bad_settings_are_refused(change: dict, error: type[Exception], sentence: str) -> None:
    with refuses(error, "TransferSettings: " + sentence):
        dataclasses.replace(SMALL, **change)


@pytest.mark.usefixtures("unchecked")
def test_bad_comparisons_are_refused() -> None:
    with refuses(ValueError, "representations: inputs must be of the settings' d and r; got (9, 2). "):
        representations(SMALL, gaussian(9, 2), seed=0)
    with refuses(ValueError, "representations: names must be one of pretrained, single task, "):
        representations(SMALL, gaussian(12, 2), seed=0, names=("tasks",))
    with refuses(TypeError, "streams: seed must be an integer; got str '0'. "):
        representations(SMALL, gaussian(12, 2), seed="0")  # type: ignore[arg-type]
    with refuses(ValueError, "learning_curves: axis must be one of examples, neurons, d; got 'm'. "):
        learning_curves(SMALL, "m", [1], seeds=[0])
    with refuses(ValueError, "learning_curves: names must be one of pretrained, single task, "):
        learning_curves(SMALL, "d", [6], seeds=[0], names=["contrastive"])
    with refuses(ValueError, "learning_curves: values must be non-empty; got none. "):
        learning_curves(SMALL, "neurons", [], seeds=[0])
    with refuses(ValueError, "learning_curves: seeds must be non-empty; got none. "):
        learning_curves(SMALL, "neurons", [4], seeds=[])
    with refuses(ValueError, "TransferSettings: examples must be at least 1; got 0. "):
        learning_curves(SMALL, "examples", [0], seeds=[0])
    with refuses(ValueError, "TransferSettings: r must be smaller than d = 2; got 2. "):
        learning_curves(SMALL, "d", [2], seeds=[0])
