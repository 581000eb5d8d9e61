"""Moments given a pattern, the population step and its leading order, against integrals, sampling and real networks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
import torch
from numpy.testing import assert_allclose
from oracles import agrees, all_patterns
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl import GaussianInputs, limit_kernel, sample_tasks, streams, task_kernel
from mtfl.moments import PatternMoments, pattern_moments
from mtfl.one_step import contrastive_step
from mtfl.population import leading_order_step, population_step

TAUS = (1.0, 0.5, 0.1, 0.05, 0.01)  # as shares of |w|
BIASES = (0.0, 0.5, -1.0)
GRID = list(itertools.product(TAUS, BIASES))


def tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def directions(r: int, share: float) -> np.ndarray:
    """Features of a neuron of norm 1 whose part outside the subspace has norm ``share``, or nearly all of it."""
    v = np.array([0.6, -0.8, 0.3, 0.5, -0.2, 0.4, -0.7, 0.1][:r])
    inside = math.sqrt(1 - share**2) if share < 1 else 1e-3
    return v / np.linalg.norm(v) * inside


def ours(v: np.ndarray, tau: float, b: float) -> np.ndarray:
    """(K, 3 + r): mean, active, first_1 ... first_r, density of one neuron."""
    moments = pattern_moments(tensor(v).unsqueeze(0), tensor([tau]), tensor([b]))
    mean, active, first, density = (x[0] for x in moments)
    return torch.cat([mean[:, None], active[:, None], first, density[:, None]], 1).numpy()


# Moments


@pytest.mark.parametrize(("share", "b"), GRID)
def test_moments_of_one_feature_against_quadrature(share: float, b: float) -> None:
    v = directions(1, share)
    expected = [oracles.moments_of_one_feature(v[0], share, b, z) for (z,) in all_patterns(1)]
    assert_allclose(ours(v, share, b), expected, rtol=0, atol=1e-10 if share >= 0.05 else 1e-8)


@pytest.mark.parametrize(("share", "b"), GRID)
def test_moments_of_two_features_against_quadrature(share: float, b: float) -> None:
    v = directions(2, share)
    expected = [
        oracles.moments_of_two_features((v[0], v[1]), share, b, z) for z in [(-1, -1), (1, -1), (-1, 1), (1, 1)]
    ]
    assert_allclose(ours(v, share, b), expected, rtol=0, atol=1e-10 if share >= 0.05 else 1e-8)


def test_the_quadrature_agrees_with_a_double_integral() -> None:
    arguments = ((0.5, -0.6), 0.6, 0.3, (1, -1))
    single, double = oracles.moments_of_two_features(*arguments), oracles.moments_by_double_integral(*arguments)
    assert_allclose(single, double, rtol=0, atol=1e-7)


@pytest.mark.parametrize("r", [3, 8])
@pytest.mark.parametrize(("share", "b"), [(1.0, 0.5), (0.5, 0.0), (0.1, -1.0), (0.05, 0.5), (0.01, 0.0)])
def test_moments_of_many_features_against_sampling(r: int, share: float, b: float) -> None:
    v, random = directions(r, share), np.random.default_rng(r)
    moments = ours(v, share, b)
    for k in moments[:, -1].argsort()[-2:]:  # patterns that are often near the threshold: sampling sees them well
        samples = oracles.moments_by_sampling(v, share, b, all_patterns(r)[k], 500_000, random)
        assert agrees(samples, moments[k])
        assert not agrees(samples, 1.02 * moments[k])


def test_moments_of_many_neurons_are_those_of_each_alone() -> None:
    generator = streams(0, "neurons")["neurons"]
    V = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    tau = 3 * torch.rand(40, generator=generator, dtype=torch.float64) + 0.01
    b = torch.randn(40, generator=generator, dtype=torch.float64)
    together = pattern_moments(V, tau, b)
    for i in (0, 7, 39):
        alone = pattern_moments(V[i : i + 1], tau[i : i + 1], b[i : i + 1])
        for many, one in zip(together, alone, strict=True):
            assert_close(many[i], one[0], rtol=0, atol=1e-12)


def test_moments_scale_with_the_neuron() -> None:
    V, tau, b = tensor([[0.3, -0.4]]), tensor([0.5]), tensor([0.2])
    for scale in (1e-6, 1e6):
        small, large = pattern_moments(V, tau, b), pattern_moments(scale * V, scale * tau, scale * b)
        expected = PatternMoments(small.mean * scale, small.active, small.first, small.density / scale)
        for a, e in zip(large, expected, strict=True):
            assert_close(a, e, rtol=1e-10, atol=0)


def test_moments_add_up_to_those_of_a_gaussian() -> None:
    V, tau, b = tensor([[0.3, -0.4, 0.2], [1, 2, -3]]), tensor([0.5, 0.1]), tensor([0.2, -1])
    norm = (tau**2 + V.square().sum(1)).sqrt().numpy()
    moments = pattern_moments(V, tau, b)
    for i, values in enumerate(zip(norm, b.tolist(), strict=True)):
        mean, active, density = oracles._given_centre(values[1], values[0])
        assert moments.mean[i].mean().item() == pytest.approx(float(mean), abs=1e-12)
        assert moments.active[i].mean().item() == pytest.approx(float(active), abs=1e-12)
        assert moments.density[i].mean().item() == pytest.approx(float(density), abs=1e-12)


def test_moments_of_a_neuron_outside_the_subspace_ignore_the_pattern() -> None:
    mean, active, first, density = pattern_moments(tensor([[0.0, 0]]), tensor([2.0]), tensor([0.0]))
    assert_allclose(mean, 2 / math.sqrt(2 * math.pi), rtol=1e-12)
    assert_allclose(active, 0.5, rtol=1e-12)
    assert_allclose(first, 0.5 * math.sqrt(2 / math.pi), rtol=1e-12)
    assert_allclose(density, 1 / (2 * math.sqrt(2 * math.pi)), rtol=1e-12)


def test_float32_neurons_give_float64_moments() -> None:
    V, tau, b = tensor([[0.3, -0.4]]), tensor([0.5]), tensor([0.2])
    for narrow, wide in zip(
        pattern_moments(V.float(), tau.float(), b.float()), pattern_moments(V, tau, b), strict=True
    ):
        assert narrow.dtype == torch.float64
        assert_close(narrow, wide, rtol=1e-4, atol=1e-6)


# The population step


def test_population_step_by_summation() -> None:
    V, tau, b = tensor([[0.3, -0.4], [0.1, 0.9]]), tensor([0.5, 0.2]), tensor([0.2, -0.3])
    F = sample_tasks(3, 2, generator=streams(0, "tasks")["tasks"])
    step = population_step(V, tau, b, task_kernel(F), head_step=0.7)
    Z = all_patterns(2)
    for i in range(2):
        rows = ours(V[i].numpy(), float(tau[i]), float(b[i]))
        parallel, perpendicular = np.zeros(2), 0.0
        for f in F.tolist():
            pull = 0.7 / len(F) * sum(f[k] * rows[k, 0] for k in range(4)) / 4
            parallel += pull * sum(f[k] * rows[k, 2:4] * np.array(Z[k]) for k in range(4)) / 4
            perpendicular += pull * sum(f[k] * rows[k, 4] for k in range(4)) / 4
        assert_allclose(step.parallel[i], parallel, rtol=1e-12)
        assert_allclose(step.perpendicular[i], perpendicular, rtol=1e-12)
    logistic = population_step(V, tau, b, task_kernel(F), head_step=0.7, loss="logistic")
    assert_close(logistic.parallel, step.parallel / 4)
    assert_close(logistic.perpendicular, step.perpendicular / 4)


def one_network(biased: bool) -> tuple[GaussianInputs, Tensor, Tensor, Tensor]:
    random = streams(11, "subspace", "weights", "tasks")
    inputs = GaussianInputs.random(5, 2, generator=random["subspace"])
    W = torch.randn(3, 5, generator=random["weights"], dtype=torch.float64)
    b = tensor([0.5, -0.4, 0.2]) if biased else torch.zeros(3, dtype=torch.float64)
    return inputs, W, b, sample_tasks(4, 2, generator=random["tasks"])


def rows_of(step: tuple[Tensor, Tensor], W: Tensor, M: Tensor) -> Tensor:
    """The step as weights: coordinates along M, and a multiple of the part outside."""
    return step[0] @ M.T + step[1].unsqueeze(1) * (W - W @ M @ M.T)


@pytest.mark.parametrize("biased", [False, True])
def test_population_step_is_the_mean_gradient_of_a_network(biased: bool) -> None:
    inputs, W, b, F = one_network(biased)
    V = W @ inputs.M
    tau = (W - V @ inputs.M.T).norm(dim=1)
    eta = 1e-3  # no margin reaches 1
    step = rows_of(population_step(V, tau, b, task_kernel(F), head_step=eta), W, inputs.M)
    generator, descents = streams(0, "batches")["batches"], []
    for _ in range(250):
        X0, X = (inputs.sample(8000, generator=generator) for _ in range(2))
        Y0, Y = (F[:, inputs.patterns(x)] for x in (X0, X))
        A = torch.zeros(len(F), 3, dtype=torch.float64, requires_grad=True)
        summed = len(F) * oracles.vectorised_loss(W, b, A, X0, Y0)
        heads = -eta * torch.autograd.grad(summed, A)[0]
        variable = W.clone().requires_grad_()
        descents.append(-torch.autograd.grad(oracles.vectorised_loss(variable, b, heads, X, Y), variable)[0] / eta)
    samples = torch.stack(descents)
    assert agrees(samples, step / eta)
    assert not agrees(samples, 1.02 * step / eta)


def test_contrastive_step_tends_to_the_population_step() -> None:
    inputs, W, b, F = one_network(False)
    V = W @ inputs.M
    tau = (W - V @ inputs.M.T).norm(dim=1)
    for kernel in (task_kernel(F), limit_kernel(2, "balanced")):
        step = rows_of(population_step(V, tau, b, kernel), W, inputs.M)
        generator = streams(1, "batches")["batches"]
        samples = torch.stack(
            [contrastive_step(W, inputs, kernel, batch_size=8000, generator=generator) for _ in range(250)]
        )
        assert agrees(samples, step)
        assert not agrees(samples, 1.02 * step)


def test_two_to_one_law_of_uniform_tasks_and_gain_of_balanced_ones() -> None:
    d, r = 1000, 3
    V = torch.randn(200, r, generator=streams(0, "V")["V"], dtype=torch.float64) / math.sqrt(d)
    tau = (1 - V.square().sum(1)).sqrt()
    zero = torch.zeros_like(tau)
    uniform = population_step(V, tau, zero, limit_kernel(r, "uniform"))
    gain = (uniform.parallel * V).sum() / V.square().sum()
    assert gain.item() == pytest.approx(2.0**-r / math.pi, rel=0.01)
    assert uniform.perpendicular.mean().item() == pytest.approx(2.0**-r / (2 * math.pi), rel=0.01)
    balanced = population_step(V, tau, zero, limit_kernel(r, "balanced"))
    gain = (balanced.parallel * V).sum() / V.square().sum()
    assert gain.item() == pytest.approx(1 / (2 * math.pi * (2**r - 1)), rel=0.01)
    assert balanced.perpendicular.abs().max() < 1e-4 * gain


# The leading order


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
@pytest.mark.parametrize("law", ["uniform", "threshold", "balanced"])
def test_leading_order_is_approached_at_second_order(law: str, loss: str) -> None:
    random = streams(5, "V", "tasks")
    direction = torch.randn(6, 3, generator=random["V"], dtype=torch.float64)
    F = sample_tasks(5, 3, law=law, generator=random["tasks"])
    tau = tensor([0.5, 1, 2, 1, 1, 3])
    errors = []
    for size in (0.02, 0.01, 0.005):
        V = size * direction
        exact = population_step(V, tau, torch.zeros_like(tau), task_kernel(F), head_step=0.3, loss=loss)
        first = leading_order_step(V, tau, F, head_step=0.3, loss=loss)
        errors.append([float((e - a).norm()) for e, a in zip(exact, first, strict=True)])
        assert errors[-1][0] < 0.1 * float(exact.parallel.norm())
    for larger, smaller in itertools.pairwise(errors):
        for a, b in zip(larger, smaller, strict=True):
            assert math.log2(a / b) > 1.9


def test_leading_order_by_hand() -> None:
    F = tensor([[-1.0, 1, 1, 1]])  # or: f0 = f1 = f2 = 1/2, f12 = -1/2
    step = leading_order_step(tensor([[0.1, 0.2]]), tensor([2.0]), F, head_step=2 * math.pi)
    expected = [
        2 / 4 + (0.25 + 0.25) * 0.1 + 0.25 * 0.2 - 2 / math.pi * 0.25 * 0.2,
        2 / 4 + 0.25 * 0.1 + (0.25 + 0.25) * 0.2 - 2 / math.pi * 0.25 * 0.1,
    ]
    assert_allclose(step.parallel[0], expected, rtol=1e-12)
    assert_allclose(step.perpendicular, [0.25 + 0.25 * 0.3 / 2], rtol=1e-12)


# Bad input


V0, TAU0, B0 = torch.full((3, 2), 0.1).double(), torch.ones(3).double(), torch.zeros(3).double()
BAD_NEURONS = [
    (V0[0], TAU0, B0, ValueError, "V must be of shape (m, r); got (2,). "),
    (V0[:0], TAU0[:0], B0[:0], ValueError, "V must be non-empty; got shape (0, 2). "),
    (V0, TAU0[:2], B0, ValueError, "tau must be of shape (3); got (2,). "),
    (V0, TAU0, B0[:2], ValueError, "b must be of shape (3); got (2,). "),
    (V0, -TAU0, B0, ValueError, "tau must be non-negative; got -1.0. "),
    (0 * V0, 0 * TAU0, B0, ValueError, "every neuron must be nonzero; got v = 0 and tau = 0. "),
    (V0 * math.nan, TAU0, B0, ValueError, "V must be finite; got NaN or infinity. "),
    (V0, TAU0 / 0, B0, ValueError, "tau must be finite; got NaN or infinity. "),
    (
        V0,
        TAU0.float(),
        B0,
        TypeError,
        "tau must be of the dtype and device of V (torch.float64, cpu); got torch.float32",
    ),
    (
        V0,
        TAU0,
        B0.to("meta"),
        TypeError,
        "b must be of the dtype and device of V (torch.float64, cpu); got torch.float64",
    ),
    (V0.long(), TAU0, B0, TypeError, "V must be floating point; got torch.int64. "),
    (0.5, TAU0, B0, TypeError, "V must be a torch.Tensor; got float. "),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("V", "tau", "b", "error", "sentence"), BAD_NEURONS)
def test_bad_neurons_are_refused(V: Tensor, tau: Tensor, b: Tensor, error: type[Exception], sentence: str) -> None:
    with refuses(error, f"pattern_moments: {sentence}"):
        pattern_moments(V, tau, b)


@pytest.mark.usefixtures("unchecked")
def test_bad_steps_are_refused() -> None:
    kernel, F = limit_kernel(2), torch.ones(1, 4, dtype=torch.float64)
    where = "population_step: "
    with refuses(ValueError, where + "kernel must be of shape (4, 4); got (8, 8). "):
        population_step(V0, TAU0, B0, limit_kernel(3))
    with refuses(ValueError, where + "kernel must be finite; got NaN or infinity. "):
        population_step(V0, TAU0, B0, kernel * math.nan)
    with refuses(ValueError, where + "V must be of shape (m, r); got (2,). "):
        population_step(V0[0], TAU0, B0, kernel)
    where = "leading_order_step: "
    with refuses(ValueError, where + "V must be of shape (m, 2); got (3, 1). "):
        leading_order_step(V0[:, :1], TAU0, F)
    with refuses(ValueError, where + "tau must be of shape (3); got (2,). "):
        leading_order_step(V0, TAU0[:2], F)
    with refuses(ValueError, where + "tau must be positive; got 0.0. "):
        leading_order_step(V0, 0 * TAU0, F)
    with refuses(ValueError, where + "F must be made of -1 and +1; got 4 other entries, the first 2. "):
        leading_order_step(V0, TAU0, 2 * F)
    with refuses(TypeError, where + "F must be of the dtype and device of V (torch.float64, cpu); got torch.float32"):
        leading_order_step(V0, TAU0, F.float())
    for function, last in ((population_step, (B0, kernel)), (leading_order_step, (F,))):
        where = f"{function.__name__}: "
        with refuses(ValueError, where + "head_step must be finite and positive; got 0.0. "):
            function(V0, TAU0, *last, head_step=0.0)  # type: ignore[call-arg, arg-type]
        with refuses(ValueError, where + "loss must be one of hinge, logistic; got 'square'. "):
            function(V0, TAU0, *last, loss="square")  # type: ignore[call-arg, arg-type]
