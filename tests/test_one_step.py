"""The first step alone: against the first round of training, the population step, and runs in R^d by their laws."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from numpy.testing import assert_allclose
from oracles import agrees
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl import (
    GaussianInputs,
    HypercubeInputs,
    PretrainSettings,
    TwoLayerReLU,
    limit_kernel,
    pretrain,
    sample_tasks,
    streams,
    task_kernel,
)
from mtfl.one_step import SampledSteps, contrastive_step, sampled_steps
from mtfl.population import Neurons, population_step

D, R, M, T = 6, 2, 8, 5
SETTINGS = PretrainSettings(rounds=1, batch_size=16, head_step=1e-3, representation_step=0.7)


def batches(seed: int = 0) -> torch.Generator:
    return streams(seed, "batches")["batches"]


def problem(m: int = M, d: int = D) -> tuple[TwoLayerReLU, GaussianInputs, Tensor]:
    random = streams(0, "subspace", "tasks", "weights")
    inputs = GaussianInputs.random(d, R, generator=random["subspace"])
    F = sample_tasks(T, R, generator=random["tasks"])
    return TwoLayerReLU.random(m, d, tasks=T, generator=random["weights"]), inputs, F


# On inputs in R^d


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
@pytest.mark.parametrize("n", [16, 5000])
@pytest.mark.parametrize("cube", [False, True])
def test_contrastive_step_is_the_first_round(n: int, loss: str, cube: bool) -> None:
    network, inputs, F = problem()
    law = HypercubeInputs.axes(D, R) if cube else inputs
    eta_a = 1e-3 if loss == "hinge" else 1e-7  # logistic: to first order in eta_a
    settings = dataclasses.replace(SETTINGS, batch_size=n, head_step=eta_a, loss=loss)
    trained = pretrain(network, law, F, settings, generator=batches())
    kappa = 1.0 if loss == "hinge" else 0.5
    learned = (trained.network.W - network.W) / (0.7 * kappa**2 * eta_a)
    step = contrastive_step(network.W, law, task_kernel(F), batch_size=n, generator=batches())
    scale = float(step.abs().max())
    assert_close(learned, step, rtol=0, atol=(1e-10 if loss == "hinge" else 1e-6) * scale)


def test_contrastive_step_is_linear_in_the_kernel() -> None:
    network, inputs, F = problem()
    one, two, both = (
        contrastive_step(network.W, inputs, kernel, batch_size=50, generator=batches())
        for kernel in (task_kernel(F), limit_kernel(R), 2 * task_kernel(F) + limit_kernel(R))
    )
    assert_close(both, 2 * one + two, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("unchecked")  # for speed
def test_contrastive_step_tends_to_the_population_step() -> None:
    network, inputs, F = problem(m=3, d=5)
    for kernel in (task_kernel(F), limit_kernel(R, "balanced")):
        step = population_step(*Neurons.of(network.W, inputs.M), kernel).weights(network.W, inputs.M)
        generator = batches(1)
        samples = torch.stack(
            [contrastive_step(network.W, inputs, kernel, batch_size=16000, generator=generator) for _ in range(60)]
        )
        assert agrees(samples, step)
        assert not agrees(samples, 1.02 * step)


# From the law of such steps


def measured(starts: Tensor, learned: Tensor, r: int, decay: float) -> Tensor:
    """Numbers of each step that do not change under rotations that keep the subspace, and their squared deviations."""
    steps = learned - decay * starts
    values, squares = torch.linalg.svdvals(steps[..., :r]), steps.square().sum((1, 2))
    gram, inner = steps @ steps.mT, (learned * starts).sum((1, 2))
    energy, conditioning = values.square().sum(1) / squares, values[:, -1] / values[:, 0]
    between = (starts[:, 0] * starts[:, 1]).sum(1)
    numbers = torch.stack([energy, conditioning, squares.sqrt(), inner, gram[:, 0, 1], between], 1)
    return torch.cat([numbers, (numbers - numbers.mean(0)) ** 2], 1)


@pytest.mark.no_cover  # for speed, as annotations are not looked at: the tests below call the same with both on
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("m", "d", "law"),
    [(3, 40, "balanced"), (3, 12, "uniform"), (3, 7, "uniform"), (3, 5, "uniform"), (4, 4, "threshold")],
)
def test_sampled_steps_have_the_law_of_runs_in_space(m: int, d: int, law: str) -> None:
    n, r, count, decay, generator = 64, 2, 400, 0.04, batches(d)
    kernel, inputs = limit_kernel(r, law), GaussianInputs(torch.eye(d, r, dtype=torch.float64))
    steps = [sampled_steps(m, d, kernel[None], batch_size=n, generator=generator) for _ in range(count)]
    starts, learned = torch.stack([s.start for s in steps]), torch.stack([s.learned[0] for s in steps])
    rows = torch.randn(count, m, d, generator=generator, dtype=torch.float64) / math.sqrt(d)
    runs = torch.stack([contrastive_step(W, inputs, kernel, batch_size=n, generator=generator) for W in rows])
    expected = measured(rows, runs, r, decay)
    assert agrees(measured(starts, learned, r, decay) - expected, 0.0)
    inner = r + min(m, d - r)
    noise = starts.shape[2] - inner
    assert noise == min(m, d - inner)
    if noise > 1:  # without the noise of the other coordinates the laws differ
        quiet = learned * (torch.arange(inner + noise) < inner)
        assert not agrees(measured(starts, quiet, r, decay) - expected, 0.0)


def test_sampled_steps_of_large_batches_tend_to_the_population_step() -> None:
    kernel, d, samples = limit_kernel(2), 30, []
    generator = batches()
    for _ in range(60):
        start, learned = sampled_steps(3, d, kernel[None], batch_size=4000, generator=generator)
        axes = torch.eye(start.shape[1], 2, dtype=torch.float64)
        step = population_step(*Neurons.of(start, axes), kernel).weights(start, axes)
        samples.append(torch.stack([(learned[0] * step).sum(), (step * step).sum()]))
    samples = torch.stack(samples)
    assert agrees(samples[:, 0] - samples[:, 1], 0.0)
    assert not agrees(samples[:, 0] - 1.02 * samples[:, 1], 0.0)


def test_kernels_that_share_batches_give_what_each_gives_alone() -> None:
    kernels = torch.stack([limit_kernel(2), limit_kernel(2, "balanced"), task_kernel(problem()[2])])
    together = sampled_steps(4, 30, kernels, batch_size=3000, generator=batches())
    inside = 2 + 4  # what needs no noise
    for q in range(3):
        alone = sampled_steps(4, 30, kernels[q : q + 1], batch_size=3000, generator=batches())
        assert torch.equal(alone.start, together.start)
        assert_close(alone.learned[0, :, :inside], together.learned[q, :, :inside], rtol=1e-10, atol=1e-14)
    assert together.learned.shape == (3, 4, 2 + 2 * 4)
    both = sampled_steps(4, 6, kernels[:2], batch_size=3000, generator=batches())
    mixed = sampled_steps(4, 6, (2 * kernels[0] - kernels[1])[None], batch_size=3000, generator=batches())
    assert_close(mixed.learned[0], 2 * both.learned[0] - both.learned[1], rtol=1e-10, atol=1e-14)


@pytest.mark.usefixtures("unchecked")  # for speed
@pytest.mark.parametrize("d", [12, 24, 1000])
def test_start_rows_have_the_law_of_gaussian_rows(d: int) -> None:
    m, r, kernel, generator = 16, 2, limit_kernel(2)[None], batches(d)
    starts = torch.stack([sampled_steps(m, d, kernel, batch_size=1, generator=generator).start for _ in range(300)])
    V, rest = starts[..., :r], starts[..., r:]
    assert agrees(V, 0.0)
    assert agrees(d * V**2, 1.0)
    gram, identity = rest @ rest.mT, torch.eye(m, dtype=torch.float64)
    mean, spread = (d - r) / d * identity, (d - r) / d**2 * (1 + identity)
    assert agrees(gram, mean)
    assert agrees((gram - mean) ** 2, spread)
    assert agrees(gram[:, 0, 1] * gram[:, 1, 2] * gram[:, 0, 2], (d - r) / d**3)
    sizes = starts.square().sum(2)
    assert agrees(sizes, 1.0)
    assert not agrees(1.02**2 * sizes.mean(1), 1.0)


def test_sampled_steps_in_a_million_dimensions() -> None:
    kernels = limit_kernel(3, "balanced")[None]
    start, learned = sampled_steps(64, 1_000_000, kernels, batch_size=4096, generator=batches())
    assert start.shape == (64, 3 + 2 * 64)
    assert learned.shape == (1, 64, 3 + 2 * 64)
    assert_allclose(start.norm(dim=1), 1, rtol=0.01)
    assert bool(torch.isfinite(learned).all())


def test_sampled_steps_follow_their_generator_and_dtype() -> None:
    def draw(seed: int, dtype: torch.dtype) -> SampledSteps:
        return sampled_steps(3, 20, limit_kernel(2)[None].to(dtype), batch_size=10, generator=batches(seed))

    one, two, other = draw(0, torch.float64), draw(0, torch.float64), draw(1, torch.float64)
    assert torch.equal(one.start, two.start)
    assert torch.equal(one.learned, two.learned)
    assert not torch.equal(one.learned, other.learned)
    for narrow in draw(0, torch.float32):
        assert narrow.dtype == torch.float32
        assert bool(torch.isfinite(narrow).all())


@pytest.mark.parametrize("batch_size", [1, 2, 2048, 2049, 5000])
def test_both_batches_have_as_many_inputs_as_asked(batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, sample = [], GaussianInputs.sample

    def counted(self: GaussianInputs, n: int, *, generator: torch.Generator) -> Tensor:
        sizes.append(n)
        return sample(self, n, generator=generator)

    monkeypatch.setattr(GaussianInputs, "sample", counted)
    network, inputs, F = problem()
    contrastive_step(network.W, inputs, task_kernel(F), batch_size=batch_size, generator=batches())
    sampled_steps(3, 9, limit_kernel(R)[None], batch_size=batch_size, generator=batches())
    blocks = [*(batch_size // 2048 * [2048]), *([batch_size % 2048] if batch_size % 2048 else [])]
    assert sizes == 4 * blocks


# Bad input


@pytest.mark.usefixtures("unchecked")
def test_bad_steps_are_refused() -> None:
    network, inputs, _ = problem()
    where, kernel = "contrastive_step: ", limit_kernel(R)
    bad = [
        ((network.W[:, :5], inputs, kernel), ValueError, "W must be of shape (m, 6); got (8, 5). "),
        ((network.W, inputs, limit_kernel(3)), ValueError, "kernel must be of shape (4, 4); got (8, 8). "),
        ((network.W, inputs, kernel / 0), ValueError, "kernel must be finite; got NaN or infinity. "),
        ((network.W * math.nan, inputs, kernel), ValueError, "W must be finite; got NaN or infinity. "),
        ((network.W, inputs, kernel.float()), TypeError, "kernel must be of the dtype and device of W (torch.float64"),
    ]
    for arguments, error, sentence in bad:
        with refuses(error, where + sentence):
            contrastive_step(*arguments, batch_size=4, generator=batches())
    with refuses(ValueError, where + "batch_size must be at least 1; got 0. "):
        contrastive_step(network.W, inputs, kernel, batch_size=0, generator=batches())
    with refuses(TypeError, where + "generator must be a torch.Generator; got NoneType. "):
        contrastive_step(network.W, inputs, kernel, batch_size=4, generator=None)  # type: ignore[arg-type]


KERNELS = torch.eye(4, dtype=torch.float64)[None]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"m": 0}, ValueError, "m must be at least 1; got 0. "),
        ({"m": 2.0}, TypeError, "m must be an integer; got float 2.0. "),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0. "),
        ({"batch_size": True}, TypeError, "batch_size must be an integer; got bool True. "),
        ({"d": 2}, ValueError, "r must be smaller than d = 2; got 2. "),
        ({"d": 9.0}, TypeError, "d must be an integer; got float 9.0. "),
        ({"generator": 0}, TypeError, "generator must be a torch.Generator; got int. "),
        ({"kernels": KERNELS[0]}, ValueError, "kernels must be of shape (Q, K, L); got (4, 4). "),
        ({"kernels": KERNELS[:0]}, ValueError, "kernels must be non-empty; got shape (0, 4, 4). "),
        ({"kernels": KERNELS[:, :3, :3]}, ValueError, "kernels must be of shape (Q, 2, 3); got (1, 3, 3). "),
        ({"kernels": KERNELS[:, :1, :1]}, ValueError, "kernels must be of shape (Q, 2, 1); got (1, 1, 1). "),
        ({"kernels": KERNELS[:, :, :2]}, ValueError, "kernels must be of shape (Q, 4, 4); got (1, 4, 2). "),
        ({"kernels": KERNELS / 0}, ValueError, "kernels must be finite; got NaN or infinity. "),
        ({"kernels": KERNELS.long()}, TypeError, "kernels must be floating point; got torch.int64. "),
        ({"kernels": [KERNELS]}, TypeError, "kernels must be a torch.Tensor; got list. "),
    ],
)
def test_bad_sampled_steps_are_refused(change: dict, error: type[Exception], sentence: str) -> None:
    good = {"m": 3, "d": 9, "kernels": KERNELS, "batch_size": 4, "generator": batches()}
    with refuses(error, "sampled_steps: " + sentence):
        sampled_steps(**{**good, **change})
