"""Alternating training: against a loop written out by hand, its history, its refusals, its recovery."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import oracles
import pytest
import torch
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import mtfl._rounds
import mtfl.pretraining
from mtfl import (
    GaussianInputs,
    HypercubeInputs,
    PretrainSettings,
    TwoLayerReLU,
    conditioning,
    energy_ratio,
    pretrain,
    sample_tasks,
    streams,
)
from mtfl._rounds import block_lengths
from mtfl.pretraining import Adam, Pretrained, Ridge
from mtfl.tasks import centred

D, R, M, T, N = 6, 2, 8, 5, 16
BASE = PretrainSettings(rounds=4, batch_size=N, head_step=0.5, representation_step=0.8)


def problem(
    seed: int = 0, *, m: int = M, d: int = D, r: int = R, tasks: int = T, law: str = "uniform"
) -> tuple[TwoLayerReLU, GaussianInputs, Tensor]:
    random = streams(seed, "subspace", "tasks", "weights")
    inputs = GaussianInputs.random(d, r, generator=random["subspace"])
    F = sample_tasks(tasks, r, law=law, generator=random["tasks"])
    return TwoLayerReLU.random(m, d, tasks=tasks, generator=random["weights"]), inputs, F


def batches(seed: int = 0) -> torch.Generator:
    return streams(seed, "batches")["batches"]


def by_hand(
    network: TwoLayerReLU,
    inputs: GaussianInputs | HypercubeInputs,
    F: Tensor,
    settings: PretrainSettings,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor, list[float], list[float]]:
    """Train with autograd, task by task, each batch drawn by one call."""

    def draw() -> tuple[Tensor, Tensor]:
        if settings.batches == "shared":
            X = inputs.sample(settings.batch_size, generator=generator)
            return X, F[:, inputs.patterns(X)]
        X = inputs.sample(len(F) * settings.batch_size, generator=generator).reshape(len(F), -1, inputs.d)
        return X, torch.stack([F[t, inputs.patterns(X[t])] for t in range(len(F))])

    assert isinstance(settings.head_step, float) and isinstance(settings.representation_step, float)
    return oracles.alternate(
        network.W,
        network.b,
        network.A,
        [draw() for _ in range(2 * settings.rounds)],
        settings.loss,
        head_step=settings.head_step,
        step=settings.representation_step,
        head_steps=settings.head_steps,
        decay=settings.weight_decay,
        biases=settings.train_biases,
    )


def agrees_with_autograd(
    network: TwoLayerReLU, inputs: GaussianInputs | HypercubeInputs, F: Tensor, settings: PretrainSettings
) -> None:
    trained = pretrain(network, inputs, F, settings, generator=batches())
    W, b, A, losses, accuracies = by_hand(network, inputs, F, settings, batches())
    for ours, expected in zip((trained.network.W, trained.network.b, trained.network.A), (W, b, A), strict=True):
        assert_close(ours, expected, rtol=1e-10, atol=1e-11)
    assert trained.history.loss.tolist() == pytest.approx(losses, rel=1e-10)
    assert trained.history.accuracy.tolist() == pytest.approx(accuracies, rel=1e-14)
    assert bool(b.any()) == settings.train_biases


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": "logistic"},
        {"batches": "per-task"},
        {"batches": "per-task", "loss": "logistic", "train_biases": True},
        {"head_steps": 3},
        {"weight_decay": 0.2},
        {"train_biases": True},
        {"train_biases": True, "weight_decay": 0.2, "head_steps": 2, "loss": "logistic"},
    ],
    ids=str,
)
def test_training_equals_a_loop_with_autograd(change: dict) -> None:
    agrees_with_autograd(*problem(), dataclasses.replace(BASE, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"head_step": Ridge(3.0)},
        {"representation_step": Adam(0.05)},
        {"representation_step": Adam(0.05), "batches": "per-task", "head_steps": 2},
        {"head_step": Ridge(0.2), "representation_step": Adam(0.02), "weight_decay": 0.3, "train_biases": True},
        {"head_step": Ridge(0.2), "train_biases": True, "weight_decay": 0.1, "loss": "logistic"},
    ],
    ids=str,
)
@pytest.mark.parametrize("wanted", [2**19, 1], ids=["whole batch", "blocks"])
def test_ridge_heads_and_adam_equal_a_loop_with_torch(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], wanted: int
) -> None:
    """Heads by least squares on stacked features, autograd, and torch's own optimisers."""
    monkeypatch.setattr(mtfl._rounds, "_BLOCK_NUMBERS", wanted)
    monkeypatch.setattr(mtfl._rounds, "_FEWEST_ROWS", 16 if wanted == 1 else 512)
    settings = dataclasses.replace(BASE, batch_size=40, **change)
    network, inputs, F = problem()
    trained = pretrain(network, inputs, F, settings, generator=batches())
    W, b, A = (x.clone().requires_grad_() for x in (network.W, network.b, network.A))
    groups = [{"params": [W], "weight_decay": settings.weight_decay}, {"params": [b], "weight_decay": 0.0}]
    step, generator = settings.representation_step, batches()
    decoupled = torch.optim.AdamW(groups, lr=step.rate) if isinstance(step, Adam) else torch.optim.SGD(groups, lr=step)
    for k in range(2 * settings.rounds):
        X = inputs.sample((len(F) if settings.batches == "per-task" else 1) * 40, generator=generator)
        Y = F[:, inputs.patterns(X)]
        if settings.batches == "per-task":
            X, Y = X.view(len(F), 40, -1), torch.stack([Y[t].view(len(F), 40)[t] for t in range(len(F))])
        if k % 2 == 1:
            decoupled.zero_grad()
            oracles.task_losses(W, b, A.detach(), X, Y, settings.loss).mean().backward()
            b.grad = b.grad if settings.train_biases else None
            decoupled.step()
        elif isinstance(settings.head_step, Ridge):
            H = torch.relu(X @ W.T + b).detach()
            A = oracles.ridge_by_least_squares(H, Y, settings.head_step.penalty)[0]
        else:
            for _ in range(settings.head_steps):
                A = A.detach() - settings.head_step * oracles.head_gradient(W, b, A, X, Y, settings.loss)
    for ours, expected in zip((trained.network.W, trained.network.b, trained.network.A), (W, b, A), strict=True):
        assert_close(ours, expected.detach(), rtol=1e-8, atol=1e-10)


@pytest.mark.usefixtures("unchecked")
def test_a_penalty_that_is_too_small_is_refused() -> None:
    network, inputs, F = problem()
    settings = dataclasses.replace(BASE, batch_size=2, head_step=Ridge(1e-300))
    with refuses(ValueError, "pretrain: penalty must be large enough for torch.float64; got 1e-300 in round 1. "):
        pretrain(network, inputs, F, settings, generator=batches())


@pytest.mark.parametrize("change", [{}, {"loss": "logistic", "batches": "per-task"}], ids=str)
def test_labels_may_be_real_numbers(change: dict) -> None:
    network, inputs, F = problem()
    agrees_with_autograd(network, inputs, centred(F), dataclasses.replace(BASE, **change))


def test_biases_that_stay_count_too() -> None:
    network, inputs, F = problem()
    network = TwoLayerReLU(network.W, torch.linspace(-0.3, 0.3, M, dtype=torch.float64), network.A)
    trained = pretrain(network, inputs, F, BASE, generator=batches())
    W, b, _, losses, _ = by_hand(network, inputs, F, BASE, batches())
    assert torch.equal(trained.network.b, b)
    assert_close(trained.network.W, W, rtol=1e-10, atol=1e-11)
    assert trained.history.loss.tolist() == pytest.approx(losses, rel=1e-10)


@pytest.mark.parametrize("law", ["gaussian", "hypercube"])
@pytest.mark.parametrize(
    ("n", "change"),
    [
        (70, {}),
        (70, {"weight_decay": 0.2, "loss": "logistic", "train_biases": True}),
        (70, {"head_steps": 3}),
        (7, {"batches": "per-task"}),
        (8, {"batches": "per-task", "loss": "logistic", "train_biases": True}),
        (24, {"batches": "per-task"}),
        (7, {"batches": "per-task", "head_steps": 2}),
    ],
    ids=str,
)
def test_walking_a_batch_in_blocks_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, law: str, n: int, change: dict
) -> None:
    monkeypatch.setattr(mtfl._rounds, "_BLOCK_NUMBERS", 1)
    monkeypatch.setattr(mtfl._rounds, "_FEWEST_ROWS", 16)
    network, inputs, F = problem(tasks=19)
    settings = dataclasses.replace(BASE, rounds=2, batch_size=n, **change)
    agrees_with_autograd(network, inputs if law == "gaussian" else HypercubeInputs.axes(D, R), F, settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("numbers", [1, 3, 4, 16, 20, 257])
@pytest.mark.parametrize("items", [1, 15, 16, 33, 100, 1000])
def test_numbers_drawn_in_blocks_are_those_drawn_at_once(items: int, numbers: int, dtype: torch.dtype) -> None:
    for wanted in (1, 16, 50, 2000):
        whole, parts = batches(), batches()
        lengths = block_lengths(items, numbers, wanted)
        expected = torch.randn(items, numbers, generator=whole, dtype=dtype)
        assert torch.equal(
            torch.cat([torch.randn(k, numbers, generator=parts, dtype=dtype) for k in lengths]), expected
        )
        assert torch.equal(whole.get_state(), parts.get_state())
        assert len(lengths) == 1 or min(lengths) >= wanted


def test_blocks_that_split_a_group_of_numbers_would_change_them() -> None:
    whole, parts = batches(), batches()
    expected = torch.randn(8, 5, generator=whole)
    assert not torch.equal(torch.cat([torch.randn(4, 5, generator=parts) for _ in range(2)]), expected)


@pytest.mark.parametrize("kind", ["shared", "per-task"])
def test_no_array_of_a_batch_is_made(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(mtfl._rounds, "_BLOCK_NUMBERS", 1)
    monkeypatch.setattr(mtfl._rounds, "_FEWEST_ROWS", 16)
    sizes = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            sizes.append(max((x.numel() for x in tree_leaves(result) if isinstance(x, Tensor)), default=0))
            return result

    n = 320 if kind == "shared" else 16
    network, inputs, F = problem(tasks=20)
    with Watch():
        pretrain(network, inputs, F, dataclasses.replace(BASE, batch_size=n, batches=kind), generator=batches())
    assert max(sizes) < (n if kind == "shared" else 20 * n) * D


def test_one_task_is_an_ordinary_network() -> None:
    network, inputs, F = problem(tasks=1)
    agrees_with_autograd(network, inputs, F, BASE)


def test_training_on_the_hypercube() -> None:
    network, _, F = problem()
    inputs = HypercubeInputs.axes(D, R)
    trained = pretrain(network, inputs, F, BASE, generator=batches())
    assert trained.history.energy[-1].item() == pytest.approx(energy_ratio(trained.network.W, inputs.M))


def test_history_is_what_it_says() -> None:
    network, inputs, F = problem()
    longer = pretrain(network, inputs, F, BASE, generator=batches())
    history = longer.history
    assert [len(x) for x in (history.loss, history.accuracy, history.energy, history.conditioning)] == [4, 4, 5, 5]
    assert history.energy[0].item() == energy_ratio(network.W, inputs.M)
    assert history.conditioning[0].item() == conditioning(network.W, inputs.M)
    for rounds in range(1, 5):
        shorter = pretrain(network, inputs, F, dataclasses.replace(BASE, rounds=rounds), generator=batches())
        assert history.energy[rounds].item() == energy_ratio(shorter.network.W, inputs.M)
        assert history.conditioning[rounds].item() == conditioning(shorter.network.W, inputs.M)
        assert torch.equal(shorter.history.loss, history.loss[:rounds])


def test_a_run_can_be_continued() -> None:
    network, inputs, F = problem()
    generator = batches()
    two = dataclasses.replace(BASE, rounds=2)
    first = pretrain(network, inputs, F, two, generator=generator)
    second = pretrain(first.network, inputs, F, two, generator=generator)
    whole = pretrain(network, inputs, F, BASE, generator=batches())
    assert torch.equal(second.network.W, whole.network.W)
    assert torch.equal(second.network.A, whole.network.A)


def test_same_generator_state_same_result_and_arguments_stay() -> None:
    network, inputs, F = problem()
    kept = [x.clone() for x in (network.W, network.b, network.A, inputs.M, F)]
    settings = dataclasses.replace(BASE, train_biases=True)
    one, two, other = (pretrain(network, inputs, F, settings, generator=batches(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.network.W, two.network.W)
    assert torch.equal(one.history.loss, two.history.loss)
    assert not torch.equal(one.network.W, other.network.W)
    for before, after in zip(kept, (network.W, network.b, network.A, inputs.M, F), strict=True):
        assert torch.equal(before, after)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.rounds = 3  # type: ignore[misc]


def test_float32_training_stays_close_to_float64() -> None:
    network, inputs, F = problem()
    # the samplers draw other numbers in float32, so the law of the batches is replaced by stored ones
    stored = [inputs.sample(N, generator=batches(i)) for i in range(8)]

    class Stored(GaussianInputs):
        def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
            return stored[counter.pop(0)].to(self.M.dtype)

    results = []
    for dtype in (torch.float64, torch.float32):
        counter = list(range(8))
        start = TwoLayerReLU(network.W.to(dtype), network.b.to(dtype), network.A.to(dtype))
        results.append(pretrain(start, Stored(inputs.M.to(dtype)), F.to(dtype), BASE, generator=batches()))
    wide, narrow = results
    assert narrow.network.W.dtype == torch.float32
    assert_close(narrow.network.W.double(), wide.network.W, rtol=1e-4, atol=1e-5)
    assert_close(narrow.history.loss, wide.history.loss, rtol=1e-4, atol=0)
    assert narrow.history.loss.dtype == torch.float64


@pytest.mark.parametrize("kind", ["shared", "per-task"])
@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_float32_products_are_accurate_and_settings_stay(precision: str, kind: str) -> None:
    network, inputs, F = problem(m=96, d=64, r=3, tasks=24)
    settings = dataclasses.replace(BASE, rounds=1, batch_size=700 if kind == "shared" else 60, batches=kind)
    stored = inputs.sample(2 * 24 * 700, generator=batches())

    class Stored(GaussianInputs):
        def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
            start = next(counter) * 24 * 700
            return stored[start : start + n].to(self.M.dtype)

    counter = itertools.count()
    wide = pretrain(network, Stored(inputs.M), F, settings, generator=batches())
    counter = itertools.count()
    start = TwoLayerReLU(network.W.float(), network.b.float(), network.A.float())
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        narrow = pretrain(start, Stored(inputs.M.float()), F.float(), settings, generator=batches())
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)
    for ours, expected in ((narrow.network.W, wide.network.W), (narrow.network.A, wide.network.A)):
        relative = ((ours.double() - expected).norm() / expected.norm()).item()
        assert relative <= (1e-6 if precision == "highest" else 0.1)  # "medium" allows bfloat16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["shared", "per-task"])
def test_a_gpu_gives_the_same_results(kind: str) -> None:
    network, inputs, F = problem()
    settings = dataclasses.replace(BASE, batches=kind)
    here = pretrain(network, inputs, F, settings, generator=batches())
    start = TwoLayerReLU(network.W.cuda(), network.b.cuda(), network.A.cuda())
    there = pretrain(start, GaussianInputs(inputs.M.cuda()), F.cuda(), settings, generator=batches())
    assert_close(there.network.W.cpu(), here.network.W, rtol=1e-8, atol=1e-10)
    assert_close(there.history.loss, here.history.loss, rtol=1e-8, atol=0)


# Progress and divergence


@pytest.fixture
def seconds_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second between any two looks of the bar at its clock."""
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)  # no thread with another clock
    monkeypatch.setattr("tqdm.std.time", map(float, itertools.count()).__next__)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


@pytest.mark.usefixtures("unchecked", "seconds_pass")
def test_short_runs_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    pretrain(*problem(), dataclasses.replace(BASE, rounds=5), generator=batches())
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.usefixtures("unchecked", "seconds_pass")  # the check of an iterable's items would use up the bar
def test_long_runs_show_a_bar_unless_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    long = dataclasses.replace(BASE, rounds=30)
    pretrain(*problem(), long, generator=batches())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "pretrain" in captured.err
    assert "/30 " in captured.err
    assert not captured.err.endswith("\n")  # it leaves no line behind
    monkeypatch.setenv("TQDM_DISABLE", "1")
    pretrain(*problem(), long, generator=batches())
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "at"),
    [({"weight_decay": 1e200}, 2), ({"representation_step": 1e308, "weight_decay": 1e300}, 1)],
    ids=["decay", "step"],
)
def test_divergence_names_the_round(change: dict, at: int) -> None:
    settings = dataclasses.replace(BASE, rounds=30, loss="logistic", **change)
    with refuses(ValueError, f"pretrain: every weight must be finite; got NaN or infinity in round {at}. "):
        pretrain(*problem(), settings, generator=batches())


@pytest.mark.usefixtures("unchecked")
def test_divergence_suggests_a_remedy_and_never_returns_bad_weights() -> None:
    for step in (1e1, 1e3, 1e10, 1e50, 1e150):
        settings = dataclasses.replace(BASE, rounds=20, head_step=step, representation_step=step)
        try:
            result = pretrain(*problem(), settings, generator=batches())
        except ValueError as error:
            assert "Training diverged: reduce representation_step, head_step or weight_decay." in str(error)
        else:
            for x in (result.network.W, result.network.A, result.history.energy, result.history.conditioning):
                assert bool(torch.isfinite(x).all())


# Recovery


def recovered(tasks: int, seed: int) -> Pretrained:
    network, inputs, F = problem(seed, m=256, d=64, r=3, tasks=tasks, law="balanced")
    network = TwoLayerReLU(network.W.float(), network.b.float(), network.A.float())
    settings = PretrainSettings(rounds=400, batch_size=1024, head_step=0.05, representation_step=0.05 * tasks)
    return pretrain(network, GaussianInputs(inputs.M.float()), F.float(), settings, generator=batches(seed))


def test_many_tasks_recover_the_subspace_and_one_does_not() -> None:
    many, one = recovered(64, 0).history, recovered(1, 0).history
    assert many.energy[-1] >= 0.55
    assert many.conditioning[-1] >= 0.85
    assert many.accuracy[-1] >= 0.88
    assert one.energy[-1] <= 0.12
    assert many.energy[0] < 0.08


# Bad settings and bad problems


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"rounds": 0}, ValueError, "rounds must be at least 1; got 0. "),
        ({"rounds": 2.0}, TypeError, "rounds must be an integer; got float 2.0. "),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0. "),
        ({"batch_size": "8"}, TypeError, "batch_size must be an integer; got str '8'. "),
        ({"head_steps": 0}, ValueError, "head_steps must be at least 1; got 0. "),
        ({"head_step": 0.0}, ValueError, "head_step must be finite and positive; got 0.0. "),
        ({"head_step": math.nan}, ValueError, "head_step must be finite and positive; got nan. "),
        ({"representation_step": -0.1}, ValueError, "representation_step must be finite and positive; got -0.1. "),
        ({"representation_step": math.inf}, ValueError, "representation_step must be finite and positive; got inf. "),
        ({"representation_step": None}, TypeError, "representation_step must be a number; got NoneType None. "),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be finite and non-negative; got -1.0. "),
        ({"loss": "square"}, ValueError, "loss must be one of hinge, logistic; got 'square'. "),
        ({"batches": "own"}, ValueError, "batches must be one of shared, per-task; got 'own'. "),
        ({"train_biases": "no"}, TypeError, "train_biases must be True or False; got str 'no'. "),
        ({"head_step": Adam(0.1)}, TypeError, "head_step must be a number; got Adam "),
        ({"representation_step": Ridge(1.0)}, TypeError, "representation_step must be a number; got Ridge "),
        ({"head_step": Ridge(1.0), "head_steps": 2}, ValueError, "head_steps must be 1 for ridge heads; got 2. "),
        (
            {"head_step": Ridge(1.0), "batches": "per-task"},
            ValueError,
            "batches must be shared for ridge heads; got 'per-task'. ",
        ),
    ],
)
def test_bad_settings_are_refused(change: dict, error: type[Exception], sentence: str) -> None:
    with refuses(error, "PretrainSettings: " + sentence):
        dataclasses.replace(BASE, **change)


@pytest.mark.usefixtures("unchecked")
def test_problems_that_do_not_fit_are_refused() -> None:
    network, inputs, F = problem()
    wide, wider = problem(tasks=3)[0], problem(d=7)[1]
    bad = [
        ((network, inputs, F[:, :3]), ValueError, "the width of F must be a power of two, 2^r with r >= 1; got 3. "),
        ((network, inputs, F[:0]), ValueError, "F must be a table of shape (T, 2^r) with T >= 1; got (0, 4). "),
        ((network, inputs, (F + 1) / 2), ValueError, "F must be made of -1 and +1, or of other real labels; got "),
        ((network, inputs, F * math.nan), ValueError, "F must be finite; got NaN or infinity. "),
        ((network, inputs, F[:, :2]), ValueError, "F must be a table on r = 2 features; got r = 1. "),
        ((network, inputs, F.float()), TypeError, "F must be of the dtype and device of W (torch.float64, cpu); got "),
        ((wide, inputs, F), ValueError, "heads A must be of shape (5, m); got (3, 8). "),
        ((problem(m=1)[0], inputs, F), ValueError, "the number of neurons must be at least r = 2; got 1. "),
        ((network, wider, F), ValueError, "W must be of shape (m, 7); got (8, 6). "),
    ]
    for (start, law, table), error, sentence in bad:
        with refuses(error, "pretrain: " + sentence):
            pretrain(start, law, table, BASE, generator=batches())
    with refuses(TypeError, "pretrain: generator must be a torch.Generator; got int. "):
        pretrain(network, inputs, F, BASE, generator=0)  # type: ignore[arg-type]
