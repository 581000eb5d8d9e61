"""Moments given a pattern: against integrals by other routes, closed forms, sampling, and their own identities."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
import torch
from numpy.testing import assert_allclose
from oracles import agrees, all_patterns
from scipy.special import ndtr, wofz
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

import mtfl.moments
from mtfl import streams
from mtfl.moments import PatternMoments, pattern_moments
from mtfl.population import Neurons

SHARES = (1.0, 0.5, 0.1, 0.05, 0.01)  # tau / |w|
BIASES = (0.0, 0.5, -1.0)
GRID = list(itertools.product((*SHARES, 1e-4), BIASES))
NORMAL_AT_ZERO = 1 / math.sqrt(2 * math.pi)


def tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def directions(r: int, share: float) -> np.ndarray:
    """Features of a neuron of norm 1 whose part outside the subspace has norm ``share``, or nearly all of it."""
    v = np.array([0.6, -0.8, 0.3, 0.5, -0.2, 0.4, -0.7, 0.1, 0.9, -0.3][:r])
    inside = math.sqrt(1 - share**2) if share < 1 else 1e-3
    return v / np.linalg.norm(v) * inside


def stacked(moments: PatternMoments) -> np.ndarray:
    """(m, K, 3 + r): mean, active, first_1 ... first_r, density."""
    mean, active, first, density = moments
    return torch.cat([mean[..., None], active[..., None], first, density[..., None]], -1).numpy()


def ours(v: np.ndarray, tau: float, *biases: float) -> np.ndarray:
    """The same of neurons that differ in their biases alone."""
    m = len(biases)
    return stacked(pattern_moments(tensor(v).expand(m, -1), torch.full((m,), tau, dtype=torch.float64), tensor(biases)))


# Against integrals


@pytest.mark.parametrize(("share", "b"), GRID)
def test_moments_of_one_feature_against_quadrature(share: float, b: float) -> None:
    v = directions(1, share)
    expected = [oracles.moments_of_one_feature(v[0], share, b, z) for (z,) in all_patterns(1)]
    assert_allclose(ours(v, share, b)[0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("share", "b"), GRID)
def test_moments_of_two_features_against_quadrature(share: float, b: float) -> None:
    v = directions(2, share)
    expected = [oracles.moments_of_two_features((v[0], v[1]), share, b, (x, y)) for x, y in all_patterns(2)]
    assert_allclose(ours(v, share, b)[0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("r", [1, 2, 3, 4, 6, 8, 10])
def test_moments_of_many_features_against_convolution(r: int, share: float) -> None:
    v = directions(r, share)
    expected = oracles.moments_by_convolution(v, share, np.array(BIASES))
    assert_allclose(ours(v, share, *BIASES), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("tau", [0.0, 1e-4])
@pytest.mark.parametrize("r", [2, 3, 6])
def test_moments_of_neurons_inside_the_subspace(r: int, tau: float) -> None:
    v = directions(r, 0)
    assert_allclose(ours(v, tau, *BIASES), oracles.moments_by_convolution(v, tau, np.array(BIASES)), rtol=0, atol=1e-10)


def test_moments_of_one_feature_alone_are_those_of_a_half_normal() -> None:
    v = 0.8
    for b in (0.0, 0.5, -1.0):
        t = -b / v  # with z = +1, s > 0 for |h| > t; with z = -1, for |h| < -t
        edge = 2 * NORMAL_AT_ZERO * math.exp(-t * t / 2)
        beyond, up_to = 2 * float(ndtr(-max(t, 0))), 2 * float(ndtr(max(-t, 0))) - 1
        first = [2 * NORMAL_AT_ZERO - edge if t < 0 else 0, edge if t > 0 else 2 * NORMAL_AT_ZERO]
        density = [edge / v * (1 if t < 0 else 0.5 if t == 0 else 0), edge / v * (1 if t > 0 else 0.5 if t == 0 else 0)]
        mean = [b * up_to - v * first[0], b * beyond + v * first[1]]
        expected = np.transpose([mean, [up_to, beyond], first, density])
        assert_allclose(ours(np.array([v]), 0.0, b)[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tau", [0.3, 0.01, 1e-4, 1e-8])
def test_moments_of_one_feature_are_those_of_a_skew_normal(tau: float) -> None:
    for b, z in itertools.product(BIASES, (-1, 1)):
        mean, active, density = oracles._given_one_feature(b, 0.8 * z, tau)
        row = ours(np.array([0.8]), tau, b)[0, (z + 1) // 2]
        assert_allclose(row[[0, 1, 3]], [mean, active, density], rtol=0, atol=1e-12)


@pytest.mark.parametrize("r", [1, 2, 5])
@pytest.mark.parametrize("b", BIASES)
def test_both_rules_of_integration_meet(r: int, b: float) -> None:
    v = directions(r, 0)
    above, below = (ours(v, tau, b) for tau in (0.02 * (1 + 1e-3), 0.02 * (1 - 1e-3)))
    exact = [oracles.moments_by_convolution(v, 0.02 * (1 + sign * 1e-3), np.array([b])) for sign in (1, -1)]
    assert_allclose(np.array([above, below]), exact, rtol=0, atol=1e-10)
    at, beside = (ours(v / math.sqrt(1 - tau**2), tau, b) for tau in (0.02, 0.02 * (1 - 1e-13)))
    assert_allclose(at, beside, rtol=0, atol=1e-10)


def test_integrals_hold_for_biases_far_from_zero_and_unequal_features() -> None:
    for tau in (0.3, 1e-3, 0.0):
        v = np.array([1.0, -0.03])
        biases = np.array([-6.0, 2.5, 20.0])
        expected = oracles.moments_by_convolution(v, tau, biases)
        assert_allclose(ours(v, tau, *biases), expected, rtol=1e-11, atol=1e-10)


# The integrals against each other


@pytest.mark.parametrize("tau", [0.5, 0.1, 0.01, 1e-3, 1e-4])
def test_convolution_agrees_with_quadrature(tau: float) -> None:
    one, two = 0.7, (0.6, -0.8)
    expected = [[oracles.moments_of_one_feature(one, tau, b, z) for (z,) in all_patterns(1)] for b in BIASES]
    assert_allclose(oracles.moments_by_convolution(np.array([one]), tau, np.array(BIASES)), expected, atol=1e-12)
    expected = [[oracles.moments_of_two_features(two, tau, b, (x, y)) for x, y in all_patterns(2)] for b in BIASES]
    assert_allclose(oracles.moments_by_convolution(np.array(two), tau, np.array(BIASES)), expected, atol=1e-12)


def test_convolution_agrees_with_a_triple_integral() -> None:
    v, tau, b = np.array([0.5, -0.3, 0.4]), 0.6, 0.3
    found = oracles.moments_by_convolution(v, tau, np.array([b]))[0]
    assert_allclose(found, oracles.moments_by_product_rule(v, tau, b), rtol=0, atol=1e-9)


def test_convolution_has_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = [oracles.moments_by_convolution(directions(6, tau), tau, np.array(BIASES)) for tau in (0.1, 0.001)]
    monkeypatch.setattr(oracles._Panels, "order", 22)
    fine = [oracles.moments_by_convolution(directions(6, tau), tau, np.array(BIASES)) for tau in (0.1, 0.001)]
    assert_allclose(coarse, fine, rtol=0, atol=1e-12)


def test_the_quadrature_agrees_with_a_double_integral() -> None:
    arguments = ((0.5, -0.6), 0.6, 0.3, (1, -1))
    single, double = oracles.moments_of_two_features(*arguments), oracles.moments_by_double_integral(*arguments)
    assert_allclose(single, double, rtol=0, atol=1e-7)


# Against sampling


@pytest.mark.parametrize("r", [3, 8])
@pytest.mark.parametrize(("share", "b"), [(1.0, 0.5), (0.5, 0.0), (0.1, -1.0), (0.05, 0.5), (0.01, 0.0)])
def test_moments_of_many_features_against_sampling(r: int, share: float, b: float) -> None:
    v, random = directions(r, share), np.random.default_rng(r)
    moments = ours(v, share, b)[0]
    for k in moments[:, -1].argsort()[-2:]:  # patterns that are often near the threshold: sampling sees them well
        samples = oracles.moments_by_sampling(v, share, b, all_patterns(r)[k], 500_000, random)
        assert agrees(samples, moments[k])
        assert not agrees(samples, 1.02 * moments[k])


# Identities


def test_moments_of_many_neurons_are_those_of_each_alone() -> None:
    generator = streams(0, "neurons")["neurons"]
    V = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    tau = 3 * torch.rand(40, generator=generator, dtype=torch.float64) ** 4  # both rules of integration
    b = torch.randn(40, generator=generator, dtype=torch.float64)
    together = stacked(pattern_moments(V, tau, b))
    wide = tau / V.norm(dim=1) > 0.02
    assert 5 < int(wide.sum()) < 35
    for i in range(40):
        assert_allclose(together[i], ours(V[i].numpy(), float(tau[i]), float(b[i]))[0], rtol=0, atol=1e-12)


def test_more_neurons_than_a_work_array_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    neurons = Neurons.random(60, 2, 40, generator=streams(1, "neurons")["neurons"])
    arguments = (neurons.V, torch.cat([neurons.tau[:30], 0 * neurons.tau[30:]]), neurons.b)
    whole = stacked(pattern_moments(*arguments))
    monkeypatch.setattr("mtfl.moments._CHUNK", 4000)
    assert_allclose(stacked(pattern_moments(*arguments)), whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize("tau", [0.5, 1e-3, 0.0])
def test_moments_scale_with_the_neuron(tau: float) -> None:
    V, t, b = tensor([[0.3, -0.4]]), tensor([tau]), tensor([0.2])
    for scale in (1e-6, 1e6):
        small, large = pattern_moments(V, t, b), pattern_moments(scale * V, scale * t, scale * b)
        expected = PatternMoments(small.mean * scale, small.active, small.first, small.density / scale)
        for a, e in zip(large, expected, strict=True):
            assert_close(a, e, rtol=0, atol=1e-12 * float(e.max()))


def test_moments_add_up_to_those_of_a_gaussian() -> None:
    V, tau, b = tensor([[0.3, -0.4, 0.2], [1, 2, -3], [1, -1, 2]]), tensor([0.5, 0.1, 0.0]), tensor([0.2, -1, 0.3])
    norm = (tau**2 + V.square().sum(1)).sqrt().numpy()
    moments = pattern_moments(V, tau, b)
    for i, values in enumerate(zip(norm, b.tolist(), strict=True)):
        mean, active, density = oracles._given_centre(values[1], values[0])
        assert moments.mean[i].mean().item() == pytest.approx(float(mean), abs=1e-12)
        assert moments.active[i].mean().item() == pytest.approx(float(active), abs=1e-12)
        assert moments.density[i].mean().item() == pytest.approx(float(density), abs=1e-12)


def test_moments_of_a_neuron_outside_the_subspace_ignore_the_pattern() -> None:
    mean, active, first, density = pattern_moments(tensor([[0.0, 0]]), tensor([2.0]), tensor([0.0]))
    assert_allclose(mean, 2 * NORMAL_AT_ZERO, rtol=1e-12)
    assert_allclose(active, 0.5, rtol=1e-12)
    assert_allclose(first, 0.5 * math.sqrt(2 / math.pi), rtol=1e-12)
    assert_allclose(density, NORMAL_AT_ZERO / 2, rtol=1e-12)


def test_float32_neurons_give_float64_moments() -> None:
    V, tau, b = tensor([[0.3, -0.4]]), tensor([0.5]), tensor([0.2])
    for narrow, wide in zip(
        pattern_moments(V.float(), tau.float(), b.float()), pattern_moments(V, tau, b), strict=True
    ):
        assert narrow.dtype == torch.float64
        assert_close(narrow, wide, rtol=1e-4, atol=1e-6)


# Work

MOST_CALLS, MOST_EVALUATIONS = 4, 43_000  # of the Faddeeva function; counted: 2 calls with 26,624 numbers in them


@pytest.mark.parametrize("d", [100, 1_000_000])
def test_moments_of_a_layer_take_few_evaluations_whatever_the_dimension(
    d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    neurons = Neurons.random(256, 4, d, generator=streams(0, "neurons")["neurons"])
    evaluated = []

    def counted(x: np.ndarray) -> np.ndarray:
        evaluated.append(x.size)
        return wofz(x)

    monkeypatch.setattr(mtfl.moments, "wofz", counted)
    pattern_moments(*neurons)
    assert len(evaluated) <= MOST_CALLS
    assert 1000 < sum(evaluated) <= MOST_EVALUATIONS


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


@pytest.mark.parametrize("tau", [0.0, 0.01, 0.7])
def test_a_bias_beyond_all_weights_decides_alone(tau: float) -> None:
    """And its cost does not grow with it."""
    V, tau_ = torch.tensor([[0.3, -0.4]], dtype=torch.float64).expand(4, 2), torch.full((4,), tau).double()
    found = pattern_moments(V, tau_, torch.tensor([-1e60, -30.0, 30.0, 1e60], dtype=torch.float64))
    assert found.active.tolist() == [[0.0] * 4] * 2 + [[1.0] * 4] * 2
    assert found.density.abs().max() == 0
    assert found.first[:2].abs().max() == 0
    assert found.first[2:].numpy() == pytest.approx(math.sqrt(2 / math.pi))
    shift = math.sqrt(2 / math.pi) * torch.tensor([[0.1, 0.7, -0.7, -0.1]], dtype=torch.float64)
    assert found.mean[:2].abs().max() == 0
    assert torch.allclose(found.mean[2:3], 30 + shift, atol=1e-12)


def test_a_large_bias_joins_smoothly() -> None:
    """At twelve norms, from where the bias decides alone, both rules agree with it."""
    for tau in (0.0, 0.01, 0.7):
        norm = math.hypot(0.5, tau)
        b = torch.tensor([-12.01, -11.99, 11.99, 12.01], dtype=torch.float64) * norm
        found = pattern_moments(
            torch.tensor([[0.3, -0.4]], dtype=torch.float64).expand(4, 2), torch.full((4,), tau).double(), b
        )
        assert (found.mean[0] - found.mean[1]).abs().max() < 1e-10
        assert (found.mean[3] - found.mean[2] - 0.02 * norm).abs().max() < 1e-10


@pytest.mark.parametrize("leak", [-1.0, -0.4, 0.25, 1.0])
@pytest.mark.parametrize("b", [0.0, 0.5])
def test_moments_of_a_leaky_unit_are_expectations(leak: float, b: float) -> None:
    """The mean against quadrature of the unit itself; slopes against differences of the mean."""
    tau = 0.6
    V = tensor([[0.5, -0.3]])
    found = pattern_moments(V, tensor([tau]), tensor([b]), leak=leak)
    nodes, widths = np.polynomial.legendre.leggauss(80)
    ours = 4.5 * (nodes + 1)
    weight = 4.5 * widths * math.sqrt(2 / math.pi) * np.exp(-(ours**2) / 2)
    for k, z in enumerate(all_patterns(2)):
        middle = b + z[0] * 0.5 * ours[:, None] - z[1] * 0.3 * ours[None]

        def mean(shift: float, middle: np.ndarray = middle) -> float:
            s = middle + shift  # E of a leaky normal: (1 - leak) E relu + leak E
            relu = s * ndtr(s / tau) + tau * np.exp(-((s / tau) ** 2) / 2) * NORMAL_AT_ZERO
            return float(weight @ (relu - leak * (relu - s)) @ weight)

        assert found.mean[0, k].item() == pytest.approx(mean(0.0), abs=1e-9)
        curved = (mean(1e-3) - 2 * mean(0.0) + mean(-1e-3)) / 1e-6
        assert found.density[0, k].item() == pytest.approx(curved, abs=1e-4)
        along = sum(z[i] * V[0, i].item() * found.first[0, k, i].item() for i in range(2))
        slope = (mean(1e-3) - mean(-1e-3)) / 2e-3  # E psi'(s); psi(s) = s psi'(s)
        assert along + b * slope + tau**2 * curved == pytest.approx(mean(0.0), abs=1e-4)


@pytest.mark.usefixtures("unchecked")
def test_a_leak_is_a_slope_from_minus_one_to_one() -> None:
    for leak in (-1.1, math.nan, math.inf):
        with refuses(ValueError, "pattern_moments: leak must be from -1 to 1; got "):
            pattern_moments(tensor([[0.5]]), tensor([1.0]), tensor([0.0]), leak=leak)
    with refuses(TypeError, "pattern_moments: leak must be a number; got str 'a'. "):
        pattern_moments(tensor([[0.5]]), tensor([1.0]), tensor([0.0]), leak="a")  # type: ignore[arg-type]
