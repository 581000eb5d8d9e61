"""Claims of chapter 1: patterns, tasks and their spectra, the network at its start, and what "learned" means.

Oracles: enumeration of all tasks and of all sets, products of signs, chi-square, Monte Carlo with five standard
errors, SciPy's principal angles.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from scipy.linalg import subspace_angles
from scipy.stats import chi2
from torch import Tensor

from mtfl.claims.registry import Check, Claim, Evidence
from mtfl.contrastive import representation_gradient
from mtfl.inputs import GaussianInputs, HypercubeInputs
from mtfl.metrics import conditioning, energy_ratio
from mtfl.network import TwoLayerReLU
from mtfl.randomness import streams
from mtfl.tasks import all_tasks, characters, pattern_signs, sample_tasks, task_kernel, walsh_coefficients

_ROUNDING = 1e-12
_HALF_NORMAL_MEDIAN = 0.6744897501960817


def _generator(seed: int) -> torch.Generator:
    return streams(seed, "claims of the setting")["claims of the setting"]


def _orthogonal(d: int, generator: torch.Generator) -> Tensor:
    return torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q


def _chi_square(cells: Tensor, count: int) -> float:
    """Pearson's statistic over its quantile of level one in a million; at most 1 for a uniform law."""
    expected = len(cells) / count
    found = torch.bincount(cells, minlength=count).double()
    return float(((found - expected) ** 2 / expected).sum() / chi2.isf(1e-6, count - 1))


def _patterns(seed: int, *, mean: float = 0.0, diagonal: bool = False) -> Evidence:
    """Joint cells of pattern, of which |h_i| exceed their median, of a sign outside; on the hypercube without |h|."""
    g = _generator(seed)
    d, r, n = 8, 3, 20_000
    inputs = GaussianInputs.random(d, r, generator=g)
    X = inputs.sample(n, generator=g) + mean * inputs.M[:, 0]
    bits = ((X @ inputs.M).abs() > _HALF_NORMAL_MEDIAN) * 2 ** torch.arange(r)
    outside = X[:, 0] - X @ inputs.M @ inputs.M[0] > 0
    gaussian = _chi_square(inputs.patterns(X) + 2**r * bits.sum(1) + 4**r * outside, 2 * 4**r)
    cube = HypercubeInputs.axes(d, r)
    Y = cube.sample(n, generator=g)
    p = ((Y[:, :r] + Y[:, r : 2 * r] >= 0) * 2 ** torch.arange(r)).sum(1) if diagonal else cube.patterns(Y)
    hypercube = _chi_square(p + 2**r * (Y[:, -1] > 0), 2 ** (r + 1))
    return Evidence(
        "chi-square over its 1e-6 quantile, the larger of both laws", max(gaussian, hypercube), "at most", 1
    )


def _nothing_else(seed: int, *, fixes_subspace: bool = True, transposed: bool = True) -> Evidence:
    """Labels of Qx, and the gradient at (W Q^T, Qx) against the gradient at (W, x) times Q^T."""
    g = _generator(seed)
    d, r, n, tasks = 9, 2, 200, 3
    inputs = GaussianInputs.random(d, r, generator=g)
    basis = torch.linalg.qr(torch.cat([inputs.M, torch.randn(d, d - r, generator=g, dtype=torch.float64)], 1)).Q
    inside, outside = torch.eye(r, dtype=torch.float64), _orthogonal(d - r, g)
    Q = basis @ torch.block_diag(inside, outside) @ basis.T if fixes_subspace else _orthogonal(d, g)
    F = torch.cat([torch.tensor([[-1.0, 1, -1, 1], [-1.0, -1, 1, 1]]).double(), sample_tasks(1, r, generator=g)])
    X = inputs.sample(n, generator=g)
    X = X[((X @ inputs.M).abs() > 1e-6).all(1)]
    Y = F[:, inputs.patterns(X)]
    network = TwoLayerReLU.random(6, d, tasks=tasks, generator=g)
    heads = torch.randn(tasks, 6, generator=g, dtype=torch.float64)
    turned = TwoLayerReLU(network.W @ (Q.T if transposed else Q), network.b, heads)
    before = representation_gradient(TwoLayerReLU(network.W, network.b, heads), X, Y).W
    after = representation_gradient(turned, X @ Q.T, F[:, inputs.patterns(X @ Q.T)]).W
    error = float((F[:, inputs.patterns(X @ Q.T)] != Y).any()) + float((after - before @ Q.T).abs().max())
    return Evidence("changed labels plus error of the turned gradient", error, "at most", 1e-10)


def _walsh(seed: int, *, binary: bool = False, missing: int = 0) -> Evidence:
    """Characters as products of signs: orthonormality, the expansion of a real function, Parseval."""
    g = _generator(seed)
    r = 2 + seed % 3
    K, Z = 2**r, pattern_signs(r)
    Z = (Z + 1) / 2 if binary else Z
    chi = torch.stack([Z[:, [i for i in range(r) if S >> i & 1]].prod(1) for S in range(K - missing)])
    f = torch.randn(K, generator=g, dtype=torch.float64)
    fhat = chi @ f / K
    task = sample_tasks(1, r, generator=g)
    errors = (
        (chi @ chi.T / K - torch.eye(len(chi))).abs().max(),
        (fhat @ chi - f).abs().max(),
        (fhat.square().sum() - f.square().mean()).abs(),
        (walsh_coefficients(task)[:, : len(chi)] - task @ chi.T / K).abs().max(),
    )
    return Evidence("largest error of the identities", float(max(errors)), "at most", _ROUNDING)


def _kernel_spectrum(seed: int, *, power: int = 2, transposed: bool = True) -> Evidence:
    """Coefficients' second moments from the table and from the task kernel; the diagonal law under random flips."""
    g = _generator(seed)
    r = 2 + seed % 2
    K = 2**r
    F = sample_tasks(5, r, generator=g)
    fhat = walsh_coefficients(F)
    chi = characters(r)
    other = chi @ task_kernel(F) @ (chi.T if transposed else chi[:, torch.randperm(K, generator=g)]) / K**power
    flipped = torch.cat([F[:, torch.arange(K) ^ s] for s in range(K)])  # the law made invariant under flips
    moments = walsh_coefficients(flipped)
    moments = moments.T @ moments / len(flipped)
    errors = (fhat.T @ fhat / len(F) - other).abs().max(), (moments - moments.diag().diag()).abs().max()
    return Evidence("largest error, by kernel and off the diagonal", float(max(errors)), "at most", _ROUNDING)


def _law_moments(seed: int, *, law: str, less: int, constant: bool = False) -> Evidence:
    """All tasks of the law enumerated (error over rounding); the sampler (deviation over five standard errors)."""
    g = _generator(seed)
    r = 2 + seed % 2
    K = 2**r
    F = all_tasks(r)
    if law == "balanced":
        F = F[F.sum(1) == 0]
    elif law == "parity":
        F = torch.cat([characters(r)[1:], -characters(r)[1:]])
    expected = torch.eye(K, dtype=torch.float64) / (K - less)
    expected[0, 0] *= law == "uniform" or constant
    fhat = walsh_coefficients(F)
    exact = float(torch.cat([fhat.T @ fhat / len(fhat) - expected, fhat.mean(0, keepdim=True)]).abs().max())
    sample = walsh_coefficients(sample_tasks(20_000, r, law=law, generator=g))
    products = sample.unsqueeze(2) * sample.unsqueeze(1)
    errors = 5 * products.std(0) / math.sqrt(len(sample)) + _ROUNDING
    deviation = float(((products.mean(0) - expected).abs() / errors).max())
    measured = max(exact / _ROUNDING, deviation)
    return Evidence("error over its tolerance, enumerated and sampled", measured, "at most", 1)


def _initial_split(seed: int, *, inside: int = 3, outside: int = 29) -> Evidence:
    """Means of |v|^2 and tau^2 and their covariance, in standard errors."""
    g = _generator(seed)
    d, r, m = 32, 3, 20_000
    M = GaussianInputs.random(d, r, generator=g).M
    W = TwoLayerReLU.random(m, d, tasks=1, generator=g).W
    V = W @ M
    square, tau = V.square().sum(1), (W - V @ M.T).square().sum(1)
    var_in, var_out = 2 * r / d**2, 2 * (d - r) / d**2
    scores = (
        (square.mean() - inside / d) / math.sqrt(var_in / m),
        (tau.mean() - outside / d) / math.sqrt(var_out / m),
        ((square - r / d) * (tau - 1 + r / d)).mean() / math.sqrt(var_in * var_out / m),
    )
    return Evidence("largest deviation, in standard errors", float(max(abs(s) for s in scores)), "at most", 5)


def _both_needed(seed: int, *, use_energy: bool = True, use_conditioning: bool = True) -> Evidence:
    """Least share of the weights' energy along a direction of the subspace, against its lower and its upper bound."""
    g = _generator(seed)
    d, r, m = 10, 3, 12
    M = GaussianInputs.random(d, r, generator=g).M
    values = torch.tensor([1.0, 1.0, 0.3 + 0.3 * (seed % 2)]).double()
    inside = _orthogonal(m, g)[:, :r] @ torch.diag(values) @ _orthogonal(r, g) @ M.T
    outside = torch.randn(m, d, generator=g, dtype=torch.float64)
    outside = outside - outside @ M @ M.T
    W = inside + outside * (1.5 / outside.norm())
    bound = (energy_ratio(W, M) if use_energy else 1) * (conditioning(W, M) ** 2 if use_conditioning else 1) / r
    U = torch.cat([torch.randn(200, r, generator=g, dtype=torch.float64), torch.linalg.svd(W @ M).Vh])
    shares = (W @ M @ (U / U.norm(dim=1, keepdim=True)).T).square().sum(0) / W.square().sum()
    least = float(shares.min())
    inside = min(least / bound, energy_ratio(W, M) / r / least)
    return Evidence("least share over e k^2 / r, or e / r over it, the smaller", inside, "at least", 1)


def _random_energy(seed: int, *, mean: float = 3 / 12, neurons: int = 4) -> Evidence:
    """Mean and variance of the energy ratio of random weights, in standard errors."""
    g = _generator(seed)
    d, r, m, n = 12, 3, 4, 20_000
    M = GaussianInputs.random(d, r, generator=g).M
    W = torch.randn(n, m, d, generator=g, dtype=torch.float64)
    e = (W @ M).square().sum((1, 2)) / W.square().sum((1, 2))
    variance = 2 * r * (d - r) / (d**2 * (neurons * d + 2))
    off = (e - r / d).square()
    scores = (e.mean() - mean) / (e.std() / n**0.5), (off.mean() - variance) / (off.std() / n**0.5)
    return Evidence("largest deviation, in standard errors", float(max(abs(s) for s in scores)), "at most", 5)


def _angles(seed: int, *, power: int = 2, sines: bool = False) -> Evidence:
    """Energy of orthonormal rows against the mean squared cosine of SciPy's principal angles."""
    g = _generator(seed)
    d, r = 9, 3
    M = GaussianInputs.random(d, r, generator=g).M
    Q = torch.linalg.qr(M + 0.3 * torch.randn(d, r, generator=g, dtype=torch.float64)).Q
    angles = torch.from_numpy(subspace_angles(M.numpy(), Q.numpy()))
    value = (angles.sin() if sines else angles.cos()).pow(power).mean()
    return Evidence("error of the energy", abs(energy_ratio(Q.T, M) - float(value)), "at most", _ROUNDING)


def _claim(label: str, statement: str, check: Check, **mutants: Check) -> Claim:
    named = {name.replace("_", " "): wrong for name, wrong in mutants.items()}
    return Claim(label, "01_setup", check, named)


_uniform, _balanced, _parity = (partial(_law_moments, law=law) for law in ("uniform", "balanced", "parity"))

# fmt: off
CLAIMS: tuple[Claim, ...] = (
    _claim("prop-patterns",
           "The sign pattern is uniform over its 2^r values and independent of the magnitudes |h| and of all else.",
           _patterns, inputs_with_a_mean=partial(_patterns, mean=0.3),
           hypercube_with_features_off_the_axes=partial(_patterns, diagonal=True)),
    _claim("prop-nothing-else",
           "A rotation that fixes span(M) pointwise changes no label, and turns every gradient of the network with it.",
           _nothing_else, rotation_that_moves_the_subspace=partial(_nothing_else, fixes_subspace=False),
           weights_turned_the_other_way=partial(_nothing_else, transposed=False)),
    _claim("prop-walsh",
           "The 2^r characters are orthonormal, every function of the pattern is their sum, and squares add up.",
           _walsh, bits_0_1_in_place_of_signs=partial(_walsh, binary=True), parity_left_out=partial(_walsh, missing=1)),
    _claim("lem-kernel-spectrum",
           "<fhat_S fhat_S'> = K^-2 sum K_T(z, z') chi_S(z) chi_S'(z'); flips of the features make it diagonal.",
           _kernel_spectrum, one_factor_1_K_missing=partial(_kernel_spectrum, power=1),
           patterns_shuffled_on_one_side=partial(_kernel_spectrum, transposed=False)),
    _claim("prop-uniform-moments",
           "Uniform tasks: E[fhat_S fhat_S'] = 2^-r if S = S', else 0.",
           partial(_uniform, less=0), size_1_over_K_minus_1=partial(_uniform, less=1)),
    _claim("prop-balanced-moments",
           "Balanced tasks: fhat_0 = 0 and E[fhat_S fhat_S'] = 1/(K-1) if S = S' is not empty, else 0.",
           partial(_balanced, less=1), size_of_uniform_tasks=partial(_balanced, less=0),
           constant_not_zero=partial(_balanced, less=1, constant=True)),
    _claim("cor-parity-moments",
           "Random parities have the second moments of balanced tasks, though each has one coefficient only.",
           partial(_parity, less=1), size_of_uniform_tasks=partial(_parity, less=0),
           constant_not_zero=partial(_parity, less=1, constant=True)),
    _claim("prop-initial-split",
           "At the start E|v|^2 = r/d and E tau^2 = 1 - r/d, and the two are independent.",
           _initial_split, r_forgotten=partial(_initial_split, inside=1),
           tau_squared_of_mean_1=partial(_initial_split, outside=32)),
    _claim("prop-both-needed",
           "The least share of the weights along a direction of the subspace is between e k^2 / r and e / r.",
           _both_needed, conditioning_alone=partial(_both_needed, use_energy=False),
           energy_alone=partial(_both_needed, use_conditioning=False)),
    _claim("prop-random-energy",
           "Random weights have energy r/d in expectation, with variance 2r(d-r) / (d^2 (md+2)).",
           _random_energy, mean_1_over_d=partial(_random_energy, mean=1 / 12),
           variance_of_a_single_neuron=partial(_random_energy, neurons=1)),
    _claim("prop-angles",
           "The energy of r orthonormal rows is the mean squared cosine of their principal angles with span(M).",
           _angles, cosines_not_squared=partial(_angles, power=1),
           sines_in_place_of_cosines=partial(_angles, sines=True)),
)
# fmt: on
