"""Claims of chapter 6: how many tasks, and how many inputs, one representation step needs.

Oracles: the exact population step on Gauss-Hermite points, enumeration of all balanced tasks and of all their pairs,
random tables of tasks, quadrature of densities, and steps on sampled inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch
from scipy.stats import chi2, kstest
from torch import Tensor

from mtfl.claims.registry import Claim, Evidence
from mtfl.many_tasks import KernelNorms, learned_steps, spanning_law
from mtfl.one_step import sampled_steps
from mtfl.population import Neurons
from mtfl.randomness import streams
from mtfl.tasks import (
    all_tasks,
    degree_one,
    degree_two,
    limit_kernel,
    pattern_signs,
    sample_tasks,
    task_kernel,
    walsh_coefficients,
)

_law = cache(spanning_law)


def _generator(seed: int) -> torch.Generator:
    return streams(seed, "claims of many tasks")["claims of many tasks"]


def _vectors(F: Tensor) -> Tensor:
    return degree_one(walsh_coefficients(F))


def _conditioning(count: int, tasks: int, r: int, generator: torch.Generator) -> Tensor:
    """lambda_r / lambda_1 of <f1 f1^T> for a number of random tables of balanced tasks."""
    f1 = _vectors(sample_tasks(count * tasks, r, law="balanced", generator=generator)).reshape(count, tasks, r)
    values = torch.linalg.eigvalsh(f1.mT @ f1)
    return values[:, 0] / values[:, -1]


def _quadrature(r: int, d: int) -> tuple[Neurons, Tensor]:
    """Gauss-Hermite points v for N(0, I_r / d) as neurons with tau^2 at its mean, and root weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    V = torch.cartesian_prod(*[torch.from_numpy(nodes / math.sqrt(d))] * r)
    W = torch.cartesian_prod(*[torch.from_numpy(weights / weights.sum())] * r).prod(1)
    return Neurons(V, torch.full_like(W, math.sqrt(1 - r / d)), torch.zeros_like(W)), W.sqrt()


def _few_neurons(r: int, generator: torch.Generator) -> Neurons:
    """Forty neurons with |v| = 0.003 tau."""
    U = torch.nn.functional.normalize(torch.randn(40, r, generator=generator, dtype=torch.float64))
    tau = 0.5 + torch.rand(40, generator=generator, dtype=torch.float64)
    return Neurons(0.003 * tau[:, None] * U, tau, torch.zeros_like(tau))


def _table(seed: int, generator: torch.Generator) -> Tensor:
    """One or two balanced tasks of r = 3 with independent degree-1 vectors, the first the sign of a feature."""
    first, second = pattern_signs(3)[:, :1].T, sample_tasks(1, 3, law="balanced", generator=generator)
    while not _vectors(second)[0, 1:].any():
        second = sample_tasks(1, 3, law="balanced", generator=generator)
    return torch.cat([first, second])[: 1 + seed % 2]


def _carried(seed: int, *, gain: float = 1.0, isotropic: bool = False) -> Evidence:
    """Singular values of the step against those of V A, and those against the eigenvalues of A."""
    g = _generator(seed)
    F, neurons = _table(seed, g), _few_neurons(3, g)
    P = 2 * math.pi * learned_steps(neurons, task_kernel(F)[None])[0][0]
    A = gain * _vectors(F).T @ _vectors(F) / len(F)
    A = torch.eye(3).double() * A.trace() / 3 if isotropic else A
    values, product = torch.linalg.svdvals(P), torch.linalg.svdvals(neurons.V @ A)
    allowed = 4 * (neurons.V.norm(dim=1).square() / neurons.tau).norm()
    scale, eigenvalues = torch.linalg.svdvals(neurons.V), torch.linalg.eigvalsh(A).flip(0)
    sandwiched = (product <= scale[0] * eigenvalues + 1e-12) & (product >= scale[-1] * eigenvalues - 1e-12)
    measured = float((values - product).abs().max() / allowed) + 2 * int(not sandwiched.all())
    return Evidence("distance of singular values from those of V A, over the bound", measured, "at most", 1)


def _fewer(seed: int, *, many: bool = False, earlier: int = 0) -> Evidence:
    """sigma_{T+1} / sigma_1 over its bound; mutants take three tasks, or sigma_T."""
    g = _generator(seed)
    F, neurons = _table(seed, g), _few_neurons(3, g)
    rank = len(F) - earlier
    F = pattern_signs(3).T.clone() if many else F
    values = torch.linalg.svdvals(learned_steps(neurons, task_kernel(F)[None])[0][0])
    largest = torch.linalg.eigvalsh(_vectors(F).T @ _vectors(F) / len(F))[-1]
    error = 4 * (neurons.V.norm(dim=1) / neurons.tau).max() * neurons.V.norm()
    bound = error / (torch.linalg.svdvals(neurons.V)[-1] * largest - error)
    measured = float(values[rank] / values[0] / bound)
    return Evidence("sigma_{T+1} over sigma_1 after T < r tasks, over the bound", measured, "at most", 1)


def _rate(seed: int, *, pairs: float = 2 / math.pi, mixed: bool = True) -> Evidence:
    """Two tasks of r = 4: the third and fourth singular value times sqrt(d), against the constants."""
    g, d = _generator(seed), 10_000
    F = sample_tasks(2, 4, law="balanced", generator=g)
    while torch.linalg.matrix_rank(_vectors(F)) < 2 or not (_vectors(F)[0] * _vectors(F)[1]).sum():
        F = sample_tasks(2, 4, law="balanced", generator=g)  # until independent, and not orthogonal
    f1, F2 = _vectors(F), degree_two(walsh_coefficients(F))
    C = torch.zeros(4, 4).double()
    for t in range(2):
        for u in range(2):
            if mixed or t == u:
                C += (f1[t] @ f1[u]) * F2[t] @ F2[u] + torch.outer(F2[t] @ f1[t], F2[u] @ f1[u])
                C += torch.outer(F2[t] @ f1[u], F2[u] @ f1[t])
    N = torch.linalg.svd(f1)[2][2:].T
    constants = pairs * torch.linalg.eigvalsh(N.T @ C @ N).clamp(min=0).flip(0).sqrt() / 2
    constants /= torch.linalg.eigvalsh(f1.T @ f1 / 2)[-1]
    neurons, root = _quadrature(4, d)
    values = torch.linalg.svdvals(root[:, None] * learned_steps(neurons, task_kernel(F)[None])[0][0])
    error = (math.sqrt(d) * values[2:] / values[0] - constants).abs().max() / constants[0]
    return Evidence("error of the constant of d^(-1/2), relative", float(error), "at most", 0.01)


def _spanning(seed: int, *, law: str = "exact") -> Evidence:
    """Chances of spanning R^2 and R^3 against 5000 random tables each, in standard errors."""
    g, worst = _generator(seed), 0.0
    for r in (2, 3):
        T, count = r + seed % 3, 5000
        f1 = 2**r * _vectors(sample_tasks(count * T, r, law="balanced", generator=g)).reshape(count, T, r)
        share = float((torch.linalg.det(f1.mT @ f1) > 0.5).double().mean())
        total, missed = (6, 4) if r == 2 else (70, 36)
        chance = {"exact": _law(r).probability(T), "features": 1 - r * (missed / total) ** T, "always": 1.0}[law]
        worst = max(worst, abs(share - chance) / math.sqrt(share * (1 - share) / count))
    return Evidence("deviation of the share of tables that span, in standard errors", worst, "at most", 4.5)


def _moments(seed: int, *, gaussian: bool = False, variance: float = 4.0) -> Evidence:
    """Fourth moments (to 1e-12) and exponential moments over all balanced tasks of r = 2 and 3."""
    g, worst = _generator(seed), 0.0
    for r in (2, 3):
        K, F = 2**r, all_tasks(r)
        u = torch.nn.functional.normalize(torch.randn(20, r, generator=g, dtype=torch.float64))
        X = _vectors(F[F.sum(1) == 0]) @ u.T
        fourth = (3 * K - 12 + 4 * u.pow(4).sum(1)) / (K * (K - 1) * (K - 3))
        fourth = 3 / (K - 1) ** 2 + 0 * fourth if gaussian else fourth
        worst = max(worst, float((X.pow(4).mean(0) - fourth).abs().max()) / 1e-12)
        for rate in (0.02, 0.1, 0.2):
            bound = (1 - variance * rate) ** -0.5
            worst = max(worst, float(torch.exp(rate * (K - 1) * X**2).mean(0).max()) / bound)
    return Evidence("error of the fourth moment over 1e-12; exponential moment over its bound", worst, "at most", 1)


def _enough(seed: int, *, r: int, tasks: int | float, least: float) -> Evidence:
    """Share of 50 tables whose conditioning stays below what the theorem grants nine out of ten."""
    share = (_conditioning(50, math.ceil(tasks), r, _generator(seed)) < least).double().mean()
    return Evidence(f"share of tables with lambda_r/lambda_1 below 1/{1 / least:.0f}", float(share), "at most", 0.1)


_chernoff = partial(_enough, r=3, tasks=9.3 * 7 * math.log(60), least=1 / 3)
_linear = partial(_enough, r=4, tasks=75 * 4 + 25 * math.log(20), least=1 / 24)


def _marchenko_pastur(seed: int, *, factor: float = 1.0) -> Evidence:
    """Kolmogorov distance of 40 spectra of (K - 1) A, r = 8 and T = 24, from the law with ratio r / T."""
    r, T = 8, 24
    f1 = math.sqrt(2**r - 1) * _vectors(sample_tasks(40 * T, r, law="balanced", generator=_generator(seed)))
    values = torch.linalg.eigvalsh(f1.reshape(40, T, r).mT @ f1.reshape(40, T, r) / T).flatten().sort().values.numpy()
    ratio = factor * r / T
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
    angle = (np.arange(2000) + 0.5) * np.pi / 2000  # x = middle - half cos(angle) takes the square roots away
    x = (low + high) / 2 - (high - low) / 2 * np.cos(angle)
    mass = ((high - low) / 2 * np.sin(angle)) ** 2 / (2 * np.pi * ratio * x) * np.pi / 2000
    distance = np.abs(np.interp(values, x, np.cumsum(mass)) - (np.arange(len(values)) + 0.5) / len(values)).max()
    return Evidence("Kolmogorov distance of 320 eigenvalues from the law", float(distance), "at most", 0.07)


def _edges(seed: int, *, factor: float = 1.0, root: float = 0.5) -> Evidence:
    """Median extreme singular values of f1 sqrt((K - 1)/T) over 15 tables of r = 8, T = 128, against the edges."""
    f1 = _vectors(sample_tasks(15 * 128, 8, law="balanced", generator=_generator(seed))).reshape(15, 128, 8)
    extremes = torch.linalg.svdvals(math.sqrt(255 / 128) * f1)[:, [0, -1]].median(0).values
    edges = 1 + torch.tensor([1.0, -1.0], dtype=torch.float64) * (factor * 8 / 128) ** root
    error = float((extremes - edges).abs().max()) / 0.25
    return Evidence("distance of the extreme singular values from the edges, over sqrt(r/T)", error, "at most", 0.37)


def _uniform_tables(seed: int, tasks: int, count: int) -> Tensor:
    return sample_tasks(count * tasks, 3, generator=_generator(seed)).reshape(count, tasks, 8)


def _uniform_step(seed: int, *, gain: float = 1.0, power: float = 1.0) -> Evidence:
    """The law of conditioning over 100 tables with T = 1000 and d = 6000, and the energy, with the cancelling decay."""
    T, d = 1000, 6000
    F, (neurons, root) = _uniform_tables(seed, T, 100), _quadrature(3, d)
    inside, outside = learned_steps(neurons, F.mT @ F / T, weight_decay=1 / (16 * math.pi))
    values = torch.linalg.svdvals(root[:, None] * inside)
    drawn = gain**2 * ((values[:, 0] / values[:, -1]) ** 2 - 1) * (T / d) ** power / 0.75
    distance = kstest(drawn.numpy(), chi2(3).cdf).statistic * math.sqrt(len(drawn))
    f0, f1 = F.mean(2), F @ pattern_signs(3) / 8
    drift = (f0[:, :, None] * f1).mean(1).square().sum(1)
    lost = d * (8 * f0.square().mean(1) - 1) ** 2 / (3 + d * 64 * drift)
    ratio = (root * outside).square().sum(1) / values.square().sum(1)
    error = float(((ratio - lost).abs() / (lost + 0.05)).median())
    measured = max(distance / 1.95, error / 0.1)
    what = "Kolmogorov distance from chi-square over 1.95 / sqrt(100), or error of the energy over 10 %"
    return Evidence(what, measured, "at most", 1)


def _threshold(seed: int, *, power: float = 1.0, factor: float = 1.0) -> Evidence:
    """How far from one half is the share of tables whose conditioning exceeds 1/2 at the stated number of tasks."""
    d = 4000
    neurons, root = _quadrature(3, d)
    T = round(factor * 0.75 * float(chi2(3).median()) / 3 * d**power)
    F = _uniform_tables(seed, T, 150)
    inside, _ = learned_steps(neurons, F.mT @ F / T, weight_decay=1 / (16 * math.pi))
    values = torch.linalg.svdvals(root[:, None] * inside)
    share = float((values[:, -1] / values[:, 0] > 0.5).double().mean())
    return Evidence("share of tables that pass, distance from one half", abs(share - 0.5), "at most", 0.17)


def _sampled_ratio(kernel: Tensor, d: int, n: int, generator: torch.Generator, decay: float = 0.0) -> float:
    """Squared length outside over inside of steps on sampled inputs, 8 layers of 24 neurons."""
    total = torch.zeros(2, dtype=torch.float64)
    r = len(kernel).bit_length() - 1
    for _ in range(8):
        start, learned = sampled_steps(24, d, kernel[None], batch_size=n, generator=generator)
        G = learned[0] - decay * start
        total += torch.stack([G[:, :r].square().sum(), G[:, r:].square().sum()])
    return float(total[1] / total[0])


def _inputs(seed: int, *, noise: float = 1.0, heads: bool = True) -> Evidence:
    """A table of 20 balanced tasks, d = 300 and n = 450: outside over inside against the three norms."""
    g = _generator(seed)
    kernel = task_kernel(sample_tasks(20, 3, law="balanced", generator=g))
    (both, one, every), nu = KernelNorms.of(kernel), noise * math.pi * 300 / 450
    stated = nu * (one + heads * nu * every) / (both + heads * nu * one)
    what = "measured over stated ratio of outside to inside, distance from 1"
    return Evidence(what, abs(_sampled_ratio(kernel, 300, 450, g) / stated - 1), "at most", 0.25)


def _balanced_inputs(seed: int, *, patterns: int = 1, gaussian: bool = False) -> Evidence:
    """Mean norms over all pairs of balanced tasks, and those of infinitely many, for r = 2 and 3."""
    worst, T = 0.0, 2
    for r in (2, 3):
        K, F = 2**r, all_tasks(r)
        F = F[F.sum(1) == 0]
        first, second = (x.flatten() for x in torch.meshgrid(*[torch.arange(len(F))] * 2, indexing="ij"))
        pairs = torch.stack([F[first], F[second]], 1)
        kernels, Z = pairs.mT @ pairs / 2, pattern_signs(r) / math.sqrt(K)
        found = [x.square().sum((1, 2)).mean() for x in (Z.T @ kernels @ Z, kernels @ Z, kernels)]
        limit, L = KernelNorms.of(limit_kernel(r, "balanced")), K - patterns
        one = 1 / T + (1 - 1 / T) / L
        fourth = r * (r + 2) / L**2 if gaussian else (r * (r + 2) * (K - 4) + 4 * r) / (K * L * (K - 3))
        stated = [K**2 * (fourth / T + (1 - 1 / T) * r / L**2), K**2 * one * r / L, K**2 * one]
        endless = [K**2 * r / L**2, K**2 * r / L**2, K**2 / L]
        values = zip([*stated, *endless], [*found, *limit], strict=True)
        worst = max(worst, *(abs(float(a) / float(b) - 1) for a, b in values))
    return Evidence("largest relative error of the mean norms over all pairs of tasks", worst, "at most", 1e-10)


def _uniform_inputs(seed: int, *, law: str = "uniform", power: int = 2, decayed: bool = True) -> Evidence:
    """Outside over inside with infinitely many uniform tasks and the decay, d = 100 and n = 4000."""
    d, n = 100, 4000
    kernel = limit_kernel(3, law, dtype=torch.float32)
    ratio = _sampled_ratio(kernel, d, n, _generator(seed), decayed / (16 * math.pi))
    stated = math.pi * d**power / (3 * n) if power == 2 else math.pi * d / n
    what = "measured over stated ratio of outside to inside, distance from 1"
    return Evidence(what, abs(ratio / stated - 1), "at most", 0.35)


def _claim(label: str, statement: str, check: Callable[..., Evidence], mutants: dict[str, dict[str, object]]) -> Claim:
    wrong = {name: partial(check, **options) for name, options in mutants.items()}
    return Claim(label, "06_how_many_tasks", check, wrong)


CLAIMS: tuple[Claim, ...] = (
    _claim(
        "lem-many-carried",
        "For balanced tasks the singular values of the step are those of V <f1 f1^T>, up to a stated error.",
        _carried,
        {"factor two in the gain": {"gain": 2.0}, "isotropic map": {"isotropic": True}},
    ),
    _claim(
        "thm-many-fewer",
        "Fewer balanced tasks than features: sigma_{T+1}/sigma_1 of the step is at most of order d^(-1/2).",
        _fewer,
        {"as many tasks as features": {"many": True}, "sigma_T for sigma_{T+1}": {"earlier": 1}},
    ),
    _claim(
        "prop-many-rate",
        "The singular values beyond the rank fall exactly as d^(-1/2), with constants from the degree-2 coefficients.",
        _rate,
        {"no factor two over pi": {"pairs": 1.0}, "tasks do not mix": {"mixed": False}},
    ),
    _claim(
        "prop-many-spanning",
        "The chance that T random balanced tasks span R^r is an explicit sum of powers for r = 2 and 3.",
        _spanning,
        {"only missed features counted": {"law": "features"}, "r tasks always span": {"law": "always"}},
    ),
    _claim(
        "lem-many-moments",
        "Degree-1 vectors of balanced tasks have explicit fourth moments, and their projections are sub-Gaussian.",
        _moments,
        {"fourth moment of a Gaussian": {"gaussian": True}, "a quarter of the variance": {"variance": 1.0}},
    ),
    _claim(
        "thm-many-chernoff",
        "9.3 (K-1) log(2r/delta) balanced tasks give <f1 f1^T> conditioning 1/3 with probability 1 - delta.",
        _chernoff,
        {"log(2r/delta) tasks": {"tasks": math.log(60)}, "2r tasks": {"tasks": 6}},
    ),
    _claim(
        "thm-many-linear",
        "75 r + 25 log(2/delta) balanced tasks give <f1 f1^T> conditioning 1/24 with probability 1 - delta.",
        _linear,
        {"r tasks": {"tasks": 4}, "one task fewer than features": {"tasks": 3}},
    ),
    _claim(
        "thm-many-mp",
        "The spectrum of (K-1) <f1 f1^T> for many balanced tasks of many features follows the Marchenko-Pastur law.",
        _marchenko_pastur,
        {"twice the ratio": {"factor": 2.0}, "half the ratio": {"factor": 0.5}},
    ),
    _claim(
        "conj-many-edges",
        "Its extreme eigenvalues sit at the edges: conditioning ((1 - sqrt(r/T))/(1 + sqrt(r/T)))^2.",
        _edges,
        {"twice the ratio": {"factor": 2.0}, "r/T for its root": {"root": 1.0}},
    ),
    _claim(
        "thm-many-uniform",
        "Uniform tasks: conditioning^2 is 1/(1 + (1-2/K) (d/T) chi-square_r) with the cancelling decay.",
        _uniform_step,
        {"factor two in the gain": {"gain": 2.0}, "root of d/T": {"power": 0.5}},
    ),
    _claim(
        "cor-many-threshold",
        "With uniform tasks half of all tables reach conditioning 1/2 at T = (1-2/K) d median(chi-square_r)/3.",
        _threshold,
        {"root of d for d": {"power": 0.5}, "a quarter, as without decay": {"factor": 0.25}},
    ),
    _claim(
        "thm-many-inputs",
        "With n inputs a batch, outside over inside is nu (|K Pi|^2 + nu |K|^2) / (|Pi K Pi|^2 + nu |K Pi|^2).",
        _inputs,
        {"factor two in the noise": {"noise": 2.0}, "heads without noise": {"heads": False}},
    ),
    _claim(
        "cor-many-balanced-inputs",
        "The mean norms of T random balanced tasks, and of infinitely many, are explicit.",
        _balanced_inputs,
        {"K for K - 1": {"patterns": 0}, "fourth moment of a Gaussian": {"gaussian": True}},
    ),
    _claim(
        "thm-many-uniform-inputs",
        "Infinitely many uniform tasks with the cancelling decay: outside over inside is pi d^2/(r n).",
        _uniform_inputs,
        {"d for d squared": {"power": 1}, "balanced kernel": {"law": "balanced"}, "no decay": {"decayed": False}},
    ),
)
