"""Claims of chapter 1: patterns, tasks and their spectra, the network at its start, and what "learned" means.

Oracles: enumeration of all tasks and points, products of signs, chi-square, Kolmogorov's distance, moments with five
standard errors, SciPy's principal angles, layers on which a bound is attained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

import torch
from scipy import stats
from scipy.linalg import subspace_angles
from torch import Tensor

from mtfl.claims.draws import balanced_tasks, largest, normal
from mtfl.claims.registry import Claim, Evidence, Lower, Upper, stated
from mtfl.contrastive import representation_gradient
from mtfl.inputs import GaussianInputs, HypercubeInputs, sign_patterns
from mtfl.metrics import conditioning, energy_ratio
from mtfl.network import TwoLayerReLU
from mtfl.randomness import stream
from mtfl.tasks import all_tasks, characters, limit_kernel, pattern_signs, sample_tasks, task_kernel
from mtfl.tasks import walsh_coefficients as walsh

_ROUNDING = 1e-12


def _generator(seed: int) -> torch.Generator:
    return stream(seed, "claims of the setting")


def _orthogonal(d: int, generator: torch.Generator) -> Tensor:
    return torch.linalg.qr(normal(d, d, generator=generator)).Q


def _diagonal(*values: float | int) -> Tensor:
    return torch.diag(torch.tensor(values, dtype=torch.float64))


def _error(what: str, *errors: Tensor, rounding: float = _ROUNDING) -> Evidence:
    return Evidence(what, largest(*errors), "at most", rounding)


def _mean(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Means over the first axis, and five standard errors."""
    return samples.mean(0), 5 * samples.std(0) / math.sqrt(len(samples)) + _ROUNDING


def _agrees(what: str, mean: tuple[Tensor, Tensor], expected: Tensor | float) -> Evidence:
    deviation = float(((mean[0] - expected) / mean[1]).abs().max())
    return Evidence(f"deviation of {what} over five standard errors", deviation, "at most", 1)


def _equal(what: str, cells: Tensor, count: int, share: float) -> Evidence:
    expected = len(cells) * share
    found = torch.bincount(cells, minlength=count).double()
    statistic = float(((found - expected) ** 2 / expected).sum() / stats.chi2.isf(1e-6, count - 1))
    return Evidence(f"chi-square of {what} over its 1e-6 quantile", statistic, "at most", 1)


def _ordered(sample: Tensor) -> tuple[Tensor, int]:
    """400 evenly spaced order statistics of a sample, and its size."""
    n = sample.numel()
    return sample.flatten().sort().values[n // 800 :: n // 400], n


def _follows(what: str, ordered: tuple[Tensor, int], law: Callable) -> Evidence:
    gaps = torch.from_numpy(law(ordered[0].numpy())) - (torch.arange(400) + 0.5) / 400
    distance = float(gaps.abs().max()) / math.sqrt(math.log(2e6) / (2 * ordered[1]))
    return Evidence(f"Kolmogorov's distance from the law of {what} over its 1e-6 quantile", distance, "at most", 1)


@lru_cache(maxsize=1)
def _inputs(seed: int, broken: str) -> tuple:
    """Products of h with 1, h, x_perp; |h|; cells of pattern, large |h_i|, a sign outside; the hypercube's cells."""
    g = _generator(seed)
    d, r, n = 8, 3, 50_000
    inputs, cube = GaussianInputs.random(d, r, generator=g), HypercubeInputs.axes(d, r)
    M = inputs.M + 0.1 * inputs.M.roll(1, 1) * (broken == "columns")
    X, Y = inputs.sample(n, generator=g) + 0.05 * M[:, 0] * (broken == "mean"), cube.sample(n, generator=g)
    h = X @ M
    outside = X - h @ M.T
    products = h.unsqueeze(2) * torch.cat([torch.ones(n, 1), h, outside], 1).unsqueeze(1)
    large = (h.abs() > stats.norm.isf(0.25)) * 2 ** torch.arange(r)
    cells = sign_patterns(X, M) + 2**r * large.sum(1) + 4**r * (outside[:, 0] > 0)
    axes = (cube.M + cube.M.roll(r, 0)) / math.sqrt(2) if broken == "axes" else cube.M
    return _mean(products), _ordered(h.abs()), cells, sign_patterns(Y, axes) + 2**r * (Y[:, -1] > 0)


def _patterns(seed: int, *, variance: float = 1.0, share: float = 1 / 8, broken: str = "") -> tuple[Evidence, ...]:
    """Moments and law of h, independence of pattern, magnitudes and outside; the hypercube."""
    products, sizes, cells, cube = _inputs(seed, broken)
    expected = torch.nn.functional.pad(_diagonal(variance, variance, variance), (1, 8))
    return (
        _agrees("the means of h, h h^T and h x_perp^T", products, expected),
        _follows("|h_i|", sizes, lambda x: 2 * stats.norm.cdf(x / math.sqrt(variance)) - 1),
        _equal("pattern, magnitudes and outside", cells, 128, share / 16),
        _equal("pattern and outside on the hypercube", cube, 16, share / 2),
    )


def _nothing_else(seed: int, *, broken: str = "") -> tuple[Evidence, ...]:
    """Labels and laws under Q; the network and one step at (W Q^T, Qx) against those at (W, x)."""
    g = _generator(seed)
    d, r, tasks = 9, 2, 3
    inputs, cube = GaussianInputs.random(d, r, generator=g), HypercubeInputs.axes(6, r)
    basis = torch.linalg.qr(torch.cat([inputs.M, normal(d, d - r, generator=g)], 1)).Q
    outside = _orthogonal(d - r, g) * (1.01 if broken == "isometry" else 1)
    Q = basis @ torch.block_diag(_diagonal(1, 1), outside) @ basis.T
    Q = _orthogonal(d, g) if broken == "subspace" else Q
    X = inputs.sample(200, generator=g)
    X = X[((X @ inputs.M).abs() > 1e-6).all(1)]
    density = (X.square().sum(1) - (X @ Q.T).square().sum(1)) / 2 + torch.linalg.slogdet(Q).logabsdet

    moved = _orthogonal(4, g) if broken == "cube" else _diagonal(1, -1, -1, 1)[torch.randperm(4, generator=g)]
    points = pattern_signs(6)
    images = points @ torch.block_diag(_diagonal(1, 1), moved).T
    missed = (torch.cdist(points, images).amin(1) > 1e-6).sum()

    F = torch.cat([torch.tensor([[-1.0, 1, -1, 1], [-1.0, -1, 1, 1]]).double(), sample_tasks(1, r, generator=g)])
    Y, Y_turned = (F[:, inputs.patterns(x)] for x in (X, X @ Q.T))
    relabelled = (Y != Y_turned).sum() + (cube.patterns(points) != cube.patterns(images)).sum()
    W, b, A = (normal(*shape, generator=g) for shape in ((6, d), (6,), (tasks, 6)))
    network, turned = TwoLayerReLU(W, b, A), TwoLayerReLU(W @ (Q if broken == "weights" else Q.T), b, A)
    pairs = (network, X, Y), (turned, X @ Q.T, Y_turned)
    step, other = (0.9 * net.W - 0.5 * representation_gradient(net, x, y).W for net, x, y in pairs)
    return (
        Evidence("labels that change", int(relabelled), "at most", 0),
        _error("change of the log density", density, rounding=1e-10),
        Evidence("points of the hypercube that are no image of one", int(missed), "at most", 0),
        _error("change of the scores", turned(X @ Q.T) - network(X), rounding=1e-10),
        _error("error of the turned step", other - step @ Q.T, rounding=1e-10),
    )


def _walsh(
    seed: int, *, norm: float = 1.0, mean: float = 1.0, energy: float = 1.0, binary: bool = False, missing: int = 0
) -> tuple[Evidence, ...]:
    """Characters as products of signs: orthonormality, the expansion of a real function, Parseval."""
    g = _generator(seed)
    r = 2 + seed % 3
    K, Z = 2**r, pattern_signs(r)
    Z = (Z + 1) / 2 if binary else Z
    chi = torch.stack([Z[:, [i for i in range(r) if S >> i & 1]].prod(1) for S in range(K - missing)])
    f, task = normal(K, generator=g), sample_tasks(1, r, generator=g)
    fhat = mean * chi @ f / K
    return (
        _error("error of E[chi_S chi_S']", chi @ chi.T / K - norm * _diagonal(*[1] * len(chi))),
        _error("error of the expansion", fhat @ chi - f, walsh(task)[:, : len(chi)] - mean * task @ chi.T / K),
        _error("error of Parseval's identity", fhat.square().sum() - energy * f.square().mean()),
        _error("the same for a task", walsh(task).square().sum() - energy),
    )


def _kernel_spectrum(
    seed: int, *, power: float = 2.0, transposed: bool = True, flipped: bool = True
) -> tuple[Evidence, ...]:
    """Second moments of coefficients from a table and its kernel, from laws and their limits; a law even by flips."""
    g = _generator(seed)
    r = 2 + seed % 2
    K, chi = 2**r, characters(r)
    F = sample_tasks(5, r, generator=g)
    turned = chi.T if transposed else chi[:, torch.randperm(K, generator=g)]
    even = torch.cat([F[:, torch.arange(K) ^ s] for s in range(K if flipped else 1)])
    laws = F, all_tasks(r), balanced_tasks(r), even
    table, uniform, repelling, flips = (walsh(x).T @ walsh(x) / len(x) for x in laws)
    kernels = task_kernel(F), limit_kernel(r), limit_kernel(r, "balanced")
    formula = [chi @ kernel @ turned / K**power for kernel in kernels]
    return (
        _error("error for a table", table - formula[0]),
        _error("error for uniform and balanced tasks", uniform - formula[1], repelling - formula[2]),
        _error("second moment off the diagonal", flips - flips.diag().diag()),
    )


@lru_cache(maxsize=1)
def _sampled(seed: int, r: int, law: str, both_signs: bool) -> tuple[Tensor, Tensor]:
    """Products of the coefficients of sampled tasks with 1 and with each other; of f and -f both, or one of the two."""
    F = sample_tasks(20_000, r, law=law, generator=_generator(seed))
    fhat = walsh(F if both_signs else F * F[:, :1])
    return _mean(fhat.unsqueeze(2) * torch.cat([torch.ones(len(fhat), 1), fhat], 1).unsqueeze(1))


def _law_moments(
    seed: int, *, law: str, repelling: bool = True, size: float = 1.0, both_signs: bool = True
) -> tuple[Evidence, ...]:
    """All tasks of the law: second moments, means, kernel; and its sampler."""
    r = 2 + seed % 2
    K = 2**r
    F = all_tasks(r)
    if law == "balanced":
        F = balanced_tasks(r)
    elif law == "parity":
        F = torch.cat([characters(r)[1:], -characters(r)[1:]])
    F = F if both_signs else F[F[:, 0] > 0]
    square = size / (K - repelling)
    empty = square * (not repelling)
    expected, fhat = _diagonal(empty, *[square] * (K - 1)), walsh(F)
    return (
        _error("error of the second moments, all tasks", fhat.T @ fhat / len(fhat) - expected),
        _error("mean coefficient, all tasks", fhat.mean(0)),
        _error("error of the kernel, all tasks", task_kernel(F) - _diagonal(*[square * K] * K) - empty + square),
        _agrees("sampled tasks", _sampled(seed, r, law, both_signs), torch.nn.functional.pad(expected, (1, 0))),
    )


def _neurons(seed: int, count: int, d: int, r: int, normal: bool) -> tuple[Tensor, Tensor]:
    """What neurons have at the start, v and w_perp; of length one if they are not to be normal."""
    g = _generator(seed)
    M = GaussianInputs.random(d, r, generator=g).M
    W = TwoLayerReLU.random(count, d, tasks=1, generator=g).W
    W = W if normal else W / W.norm(dim=1, keepdim=True)
    return W @ M, W - W @ M @ M.T


@lru_cache(maxsize=1)
def _start(seed: int, normal: bool) -> tuple:
    """Mean squares, variances and products of v and w_perp, and the laws of v, |v|^2, tau^2; d = 16, r = 3."""
    V, outside = _neurons(seed, 60_000, 16, 3, normal)
    squares = torch.stack([V.square().sum(1), outside.square().sum(1)], 1)
    off = squares - torch.tensor([3, 13]) / 16
    mixed = torch.cat([off.prod(1, keepdim=True), V[:, :1] * V[:, 1:], V[:, :1] * outside], 1)
    laws = _ordered(4 * V), _ordered(16 * squares[:, 0]), _ordered(16 * squares[:, 1])
    return _mean(squares), _mean(off.square()), _mean(mixed), laws


def _initial_split(
    seed: int, *, inside: float = 3.0, outside: float = 13.0, two: float = 2.0, size: float = 1.0, normal: bool = True
) -> tuple[Evidence, ...]:
    """Means, variances, laws and independence of v and w_perp; r = 3 coordinates inside, d - r = 13 outside."""
    squares, variances, mixed, (v, v2, tau2) = _start(seed, normal)
    degrees = torch.tensor([inside, outside])
    return (
        _agrees("E |v|^2 and E tau^2", squares, degrees / 16),
        _agrees("Var |v|^2 and Var tau^2", variances, two * degrees / 16**2),
        _agrees("products of independent parts", mixed, 0.0),
        _follows("v", v, stats.norm(scale=math.sqrt(size)).cdf),
        _follows("|v|^2", v2, stats.chi2(inside).cdf),
        _follows("tau^2", tau2, stats.chi2(outside).cdf),
    )


def _both_needed(
    seed: int, *, low: Lower = 1.0, up: Upper = 1.0, power: float = 2.0, rest: float = 1.0, eps: float = 1.0, r: int = 3
) -> tuple[Evidence, ...]:
    """Least shares of layers on each of the four bounds and between them, for r = 1 too; the two examples."""
    g = _generator(seed)
    k, middle = (0.2 + 0.7 * torch.rand(2, generator=g, dtype=torch.float64)).sort().values.tolist()
    M, outside = GaussianInputs.random(10, 3, generator=g).M, normal(12, 10, generator=g)
    outside = outside - outside @ M @ M.T

    def measured(W: Tensor, M: Tensor) -> tuple[float, float, float]:
        least = torch.linalg.eigvalsh(M.T @ W.T @ W @ M)[0] / W.square().sum()
        return energy_ratio(W, M), conditioning(W, M), float(least)

    below, above = [], []
    for values in ((1, 1, k), (1, k, k), (1, middle, k), (1, 1, 1), (1,)):
        q = len(values)
        V = _orthogonal(12, g)[:, :q] @ _diagonal(*values) @ _orthogonal(q, g)
        e, found, least = measured(V @ M[:, :q].T + 0.2 * outside, M[:, :q])
        square, others = found**power, rest * (q - 1)
        below += [least * (square + others) / (low * e * square), least * q / (low * e * square)]
        above += [least * (1 + others * square) / (up * e * square), least * q / (up * e)]

    M = M[:, :r]
    line, even = (measured(W, M) for W in (outside[:, :1] @ M[:, :1].T, torch.cat([0.1 * M.T, outside[:1]])))
    share = eps * 0.01 / (r * 0.01 + float(outside[0].square().sum()))
    return (
        Evidence("least share over its lower bound, the smallest", min(below), "at least", 1 - 1e-10),
        Evidence("least share over its upper bound, the largest", max(above), "at most", 1 + 1e-10),
        Evidence("least share at e = 1, rows along one direction", line[2] + 1 - line[0], "at most", _ROUNDING),
        Evidence("error of a small share at k = 1", abs(even[2] / share - 1) + 1 - even[1], "at most", _ROUNDING),
    )


@lru_cache(maxsize=1)
def _energies(seed: int, normal: bool) -> tuple:
    """Mean, variance and law of the energy of 200,000 layers of two neurons, d = 3, r = 1."""
    inside, outside = (part.square().view(200_000, -1).sum(1) for part in _neurons(seed, 400_000, 3, 1, normal))
    e = inside / (inside + outside)
    return _mean(e), _mean((e - 1 / 3).square()), _ordered(e)


def _random_energy(
    seed: int, *, mean: float = 1 / 3, two: float = 2.0, plus: float = 2.0, half: float = 0.5, normal: bool = True
) -> tuple[Evidence, ...]:
    """Mean, variance and Beta law of the energy ratio of random weights; m = 2, d = 3, r = 1."""
    energy, variance, law = _energies(seed, normal)
    return (
        _agrees("the mean energy", energy, mean),
        _agrees("its variance", variance, two * 1 * (3 - 1) / (3**2 * (2 * 3 + plus))),
        _follows("the energy", law, stats.beta(half * 2, half * 4).cdf),
    )


def _angles(seed: int, *, power: float = 2.0, factor: float = 1.0, broken: str = "") -> Evidence:
    """Energy of orthonormal rows against the mean squared cosine of SciPy's principal angles."""
    g = _generator(seed)
    M = GaussianInputs.random(9, 3, generator=g).M
    Q = M + 0.3 * normal(9, 3, generator=g)
    Q = Q if broken == "orthonormal" else torch.linalg.qr(Q).Q
    angles = torch.from_numpy(subspace_angles(M.numpy(), Q.numpy()))
    cosines = angles.sin() if broken == "cosines" else angles.cos()
    return _error("error of the energy", energy_ratio(Q.T, M) - factor * cosines.pow(power).mean())


_claim = partial(stated, "01_setup")
_uniform = partial(_law_moments, law="uniform", repelling=False)
_one_sign = {"one of f and -f only": {"both_signs": False}}
_repelling = {"uniform tasks": {"law": "uniform"}, "as for uniform tasks": {"repelling": False}, **_one_sign}
_unequal = {"rows of length one": {"normal": False}}

# fmt: off
CLAIMS: tuple[Claim, ...] = (
    _claim("prop-patterns", _patterns,
           {"inputs of mean 0.05": {"broken": "mean"}, "columns of M not orthonormal": {"broken": "columns"},
            "hypercube with features off the axes": {"broken": "axes"}}),
    _claim("prop-nothing-else", _nothing_else,
           {"rotation that moves the subspace": {"broken": "subspace"}, "stretched by 1 %": {"broken": "isometry"},
            "hypercube rotated": {"broken": "cube"}, "weights turned the other way": {"broken": "weights"}}),
    _claim("prop-walsh", _walsh, {"bits 0, 1 in place of signs": {"binary": True}, "parity left out": {"missing": 1}},
           sharpness=1e-6),
    _claim("lem-kernel-spectrum", _kernel_spectrum,
           {"patterns shuffled on one side": {"transposed": False}, "law not even under flips": {"flipped": False}},
           sharpness=1e-6),
    _claim("prop-uniform-moments", _uniform,
           {"balanced tasks": {"law": "balanced"}, "as for balanced tasks": {"repelling": True}, **_one_sign},
           sharpness=1e-6),
    _claim("prop-balanced-moments", partial(_law_moments, law="balanced"), _repelling, sharpness=1e-6),
    _claim("cor-parity-moments", partial(_law_moments, law="parity"), _repelling, sharpness=1e-6),
    _claim("prop-initial-split", _initial_split, _unequal),
    _claim("prop-both-needed", _both_needed, {"r = 1": {"r": 1}}, sharpness=1e-6),
    _claim("prop-random-energy", _random_energy, _unequal),
    _claim("prop-angles", _angles,
           {"sines in place of cosines": {"broken": "cosines"}, "rows not orthonormal": {"broken": "orthonormal"}},
           sharpness=1e-6),
)
# fmt: on
