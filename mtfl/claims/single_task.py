"""Claims of chapter 4: what a single task can teach, and what it cannot.

Oracles: Gauss-Legendre quadrature over h with autograd, Burnside's lemma, enumeration of all tasks, exact binomials.
Laws for many random neurons are checked on a design of 24 neurons that has the Gaussian's moments up to degree five,
the atlas on random orthogonal frames of neurons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from itertools import permutations, product

import numpy as np
import torch
from scipy.special import gammaln, roots_genlaguerre
from torch import Tensor

from mtfl.claims.registry import Claim, Evidence
from mtfl.moments import PatternMoments, pattern_moments
from mtfl.population import population_step
from mtfl.randomness import streams
from mtfl.single_task import count_exceptions, count_without_linear_part, single_task_steps
from mtfl.tasks import all_tasks, characters, degree_one, degree_two, equivalence_classes, pattern_signs
from mtfl.tasks import walsh_coefficients as walsh

_ROUNDING = 1e-12
_FAR = 10**6  # a dimension where epsilon is about 1/1000


def _random(seed: int) -> torch.Generator:
    return streams(seed, "claims of a single task")["claims of a single task"]


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _neurons(m: int, r: int, generator: torch.Generator, *, size: float = 0.5) -> tuple[Tensor, Tensor, Tensor]:
    """Some v and tau with |v| / tau of order ``size``, and zero biases."""
    tau = 0.5 + torch.rand(m, generator=generator, dtype=torch.float64)
    return size * _normal(m, r, generator=generator), tau, torch.zeros(m, dtype=torch.float64)


def _design(seed: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """The 12 corners of a random icosahedron at two radii: moments of N(0, I_3 / d) up to degree 5; tau = 1."""
    golden = (1 + math.sqrt(5)) / 2
    corners = [np.roll((0, a, b * golden), k) for a, b in product((-1, 1), repeat=2) for k in range(3)]
    unit = torch.tensor(np.array(corners) / math.hypot(1, golden))
    rotation = torch.linalg.qr(_normal(3, 3, generator=_random(seed))).Q
    radii = [math.sqrt((3 + sign * math.sqrt(6)) / d) for sign in (-1, 1)]
    V = torch.cat([radius * unit @ rotation for radius in radii])
    return V, torch.ones(24, dtype=torch.float64), torch.zeros(24, dtype=torch.float64)


def _steps(F: Tensor, V: Tensor, tau: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Step of every task alone: inside (N, m, r) and outside (N, m) the subspace, kappa^2 eta_a = 1."""
    return _products(F, pattern_moments(V, tau, b), tau, pattern_signs(V.shape[1]))


def _products(F: Tensor, moments: PatternMoments, tau: Tensor, Z: Tensor) -> tuple[Tensor, Tensor]:
    alpha, gamma = (F @ moment.T / len(Z) for moment in (moments.mean, moments.density))
    beta = torch.einsum("nk,mkr->nmr", F, moments.first * Z) / len(Z)
    return alpha.unsqueeze(-1) * beta, alpha * gamma * tau


def _quadrature(f: Tensor, V: Tensor, tau: Tensor, *, part: str = "relu") -> Tensor:
    """E[f(z) relu(s)] or E[f(z) |s|] by Gauss-Legendre over each |h_i|, given which s is normal; differentiable."""
    r = V.shape[1]
    points, weights = np.polynomial.legendre.leggauss(30)
    size, weight = 4.5 * (points + 1), 4.5 * weights * np.exp(-((4.5 * (points + 1)) ** 2) / 2) * math.sqrt(2 / math.pi)
    grid = torch.tensor(np.array(list(product(size, repeat=r))))
    mass = torch.tensor(np.prod(list(product(weight, repeat=r)), axis=1)) / 2**r
    u = torch.einsum("mr,qr,kr->mqk", V, grid, pattern_signs(r)) / tau[:, None, None]
    normal = torch.distributions.Normal(0.0, 1.0)
    relu = u * normal.cdf(u) + normal.log_prob(u).exp()
    return tau * torch.einsum("mqk,q,k->m", relu if part == "relu" else 2 * relu - u, mass, f)


def _correlation(seed: int, *, half: float = 0.5, power: int = 2) -> Evidence:
    """One task moves a neuron along the gradient of half its squared correlation with the task."""
    g = _random(seed)
    V, tau, b = _neurons(6, 2, g)
    f = _normal(4, generator=g)
    V, tau = V.requires_grad_(), tau.requires_grad_()
    (half * _quadrature(f, V, tau) ** power).sum().backward()
    step = population_step(V, tau, b, f.outer(f))
    slopes = torch.cat([V.grad, tau.grad[:, None]], 1)  # type: ignore[index]
    found = torch.cat([step.parallel, (step.perpendicular * tau)[:, None]], 1).detach()
    return Evidence("relative error against autograd", float((found - slopes).norm() / slopes.norm()), "at most", 1e-7)


def _visible(seed: int, *, added: int = 0b111) -> Evidence:
    """Of a task, only its degree-one coefficients and its even part enter the step of a layer without biases."""
    g = _random(seed)
    neurons = _neurons(6, 3, g)
    f = _normal(8, generator=g)
    other = f + characters(3)[added]
    first, second = (population_step(*neurons, x.outer(x)) for x in (f, other))
    V, tau, _ = _neurons(4, 2, g)
    h = _normal(4, generator=g)
    f1 = torch.stack([(h * z).mean() for z in pattern_signs(2).T])
    formula = V @ f1 / math.sqrt(2 * math.pi) + _quadrature((h + h.flip(0)) / 2, V, tau, part="size") / 2
    errors = (first.parallel - second.parallel, first.perpendicular - second.perpendicular, formula - _alpha(h, V, tau))
    return Evidence("largest difference", max(float(e.abs().max()) for e in errors), "at most", 1e-10)


def _alpha(f: Tensor, V: Tensor, tau: Tensor) -> Tensor:
    return pattern_moments(V, tau, torch.zeros_like(tau)).mean @ f / len(f)


def _odd(seed: int, *, even: float = 0.0, constant: float = 1 / (2 * math.pi)) -> Evidence:
    """The step of an odd task is exactly f1 f1^T v / (2 pi); the parity of three correlates with no neuron."""
    g = _random(seed)
    V, tau, b = _neurons(6, 3, g)
    f = _normal(8, generator=g)
    f = (f - f.flip(0)) / 2 + even * (f + f.flip(0)) / 2
    f1 = pattern_signs(3).T @ f / 8
    inside, outside = _steps(f[None], V, tau, b)
    parity = _alpha(pattern_signs(3).prod(1) + even, V, tau)
    errors = (inside[0] - constant * (V @ f1).outer(f1), outside[0], parity)
    return Evidence("largest error", max(float(e.abs().max()) for e in errors), "at most", _ROUNDING)


def _rank_one(seed: int, *, rate: int = 1, tasks: int = 1, sized: bool = True) -> Evidence:
    """Every neuron's step on one task is within arcsin(epsilon / |f1|) of one line; so sigma_2 / sigma_1 is small."""
    g = _random(seed)
    F = all_tasks(3)
    f1 = degree_one(walsh(F))
    keep = (f1 != 0).any(1)
    V, tau, b = _neurons(40, 3, g, size=0.1)
    G, _ = _steps(F, V, tau, b)
    G = sum(G.roll(17 * t, 0) for t in range(tasks))[keep]  # type: ignore[index]
    e, epsilon = f1[keep], V.norm(dim=1) / tau
    length = e.norm(dim=1)
    across = G - torch.einsum("nmr,nr,ns->nms", G, e, e) / length[:, None, None] ** 2
    sine = across.norm(dim=2) / G.norm(dim=2).clamp(min=1e-30)
    bound = epsilon**rate / (length[:, None] if sized else 1)
    worst = [float((sine / bound).max())]
    top = float(epsilon.max()) ** rate
    values = torch.linalg.svdvals(G)[length > top]
    layer = top / (length[length > top] ** 2 - top**2).sqrt()
    worst += (values[:, 1] / values[:, 0] / layer).tolist()
    return Evidence("sine or ratio of singular values over its bound", max(worst), "at most", 1 + 1e-9)


def _second(seed: int, *, slope: float = 2 / math.pi, fourth: int = 2) -> Evidence:
    """The further singular values fall as 1 / sqrt(d), with constants given by the coefficients of degree 0 to 2."""
    F = equivalence_classes(3).representatives
    c = walsh(F)
    linear = (degree_one(c) != 0).any(1)
    values = torch.linalg.svdvals(_steps(F[linear], *_design(seed, _FAR))[0])
    found = math.sqrt(_FAR) * values[:, 1:] / values[:, :1]
    one, errors = torch.eye(3, dtype=torch.float64), []
    rows = zip(c[linear, 0], degree_one(c)[linear], degree_two(c)[linear], found, strict=True)
    for f0, f1, F2, ratios in rows:
        e = f1 / f1.norm()
        Q = (one - e.outer(e)) @ (f0 * one + slope * F2)
        S = Q @ Q.T if f0 != 0 else Q @ (one + fourth * e.outer(e)) @ Q.T
        constants = torch.linalg.eigvalsh(S).clamp(min=0).sqrt().flip(0)[:2] / f1.norm()
        errors.append(float((ratios - constants).abs().max()))
    return Evidence("largest error of a constant", max(errors), "at most", 1e-3)


def _energy(seed: int, *, power: int = 2, mean: bool = True) -> Evidence:
    """The energy of one step tends to |f1|^2 / (f0^2 + |f1|^2)."""
    F = all_tasks(3)
    c = walsh(F)
    f0, f1 = c[:, 0].abs(), degree_one(c).norm(dim=1)
    seen = (f0 > 0) | (f1 > 0)
    inside, outside = (x[seen].square() for x in _steps(F, *_design(seed, _FAR)))
    energy = inside.sum((1, 2)) / (inside.sum((1, 2)) + outside.sum(1))
    limit = (f1**power / ((f0**power if mean else f0 * 0) + f1**power + 1e-300))[seen]
    return Evidence("largest error of the energy", float((energy - limit).abs().max()), "at most", 1e-3)


def _constant(seed: int, *, gain: float = 1 / (2 * math.pi), changed: int = 0) -> Evidence:
    """On a constant task every neuron grows in its own direction, by w / (2 pi)."""
    V, tau, b = _neurons(8, 3, _random(seed))
    f = torch.ones(1, 8, dtype=torch.float64)
    f[0, :changed] = -1
    inside, outside = _steps(f, V, tau, b)
    error = max(float((inside[0] - gain * V).abs().max()), float((outside[0] - gain * tau).abs().max()))
    return Evidence("largest error", error, "at most", _ROUNDING)


def _pair(seed: int, *, factor: float = 4 / math.pi**2, order: int = 2) -> Evidence:
    """The parity of two coordinates moves neurons at third order only."""
    V, tau, b = _neurons(8, 3, _random(seed), size=0.001)
    inside, outside = _steps(pattern_signs(3)[:, :2].prod(1)[None], V, tau, b)
    vi, vj, _ = V.T
    law = torch.stack([vi * vj**2, vi**2 * vj, 0 * vi], 1) * (factor / (2 * math.pi)) / tau[:, None] ** order
    return Evidence(
        "relative error", float(torch.cat([inside[0] - law, outside.T], 1).norm() / inside.norm()), "at most", 0.01
    )


def _exception(seed: int, *, decay: float = 1.0, count: int = 8) -> Evidence:
    """Eight unbalanced tasks of three features without degree one teach all in one step with the right decay."""
    F = all_tasks(3)
    c = walsh(F)
    F2 = degree_two(c)
    chosen = (degree_one(c) == 0).all(1) & (c[:, 0] != 0) & (torch.linalg.matrix_rank(F2) == 3)
    V, tau, b = _design(seed, _FAR)
    inside, outside = _steps(F[chosen], V, tau, b)
    shrink = decay * (c[chosen, 0] ** 2 / (2 * math.pi))[:, None]
    kept, leak = inside - shrink[..., None] * V, outside - shrink * tau
    law = torch.einsum("n,nij,mj->nmi", c[chosen, 0], F2[chosen], V) / math.pi**2
    values = torch.linalg.svdvals(kept)
    lost = 1 - kept.square().sum((1, 2)) / (kept.square().sum((1, 2)) + leak.square().sum(1))
    errors = [float((kept - law).norm() / law.norm()), float(lost.max()), abs(int(chosen.sum()) - count)]
    errors += [float((values[:, -1] / values[:, 0] - 0.5).abs().max())]
    return Evidence("largest error of step, energy, count, conditioning", max(errors), "at most", 1e-3)


@lru_cache
def _classes(r: int) -> int:
    return len(equivalence_classes(r).sizes)


@lru_cache
def _orbits(r: int, input_flips: bool, output_flips: bool) -> float:
    """Burnside: the mean over symmetries of the number of functions that each leaves alone."""
    total, symmetries = 0, 0
    for order, flip in product(permutations(range(r)), range(2**r if input_flips else 1)):
        seen, cycles = set(), []
        for start in range(2**r):
            length, at = 0, start
            while at not in seen:
                seen.add(at)
                at, length = sum((at >> i & 1) << j for i, j in enumerate(order)) ^ flip, length + 1
            cycles += [length] * (length > 0)
        total += 2 ** len(cycles) * (1 + (output_flips and all(length % 2 == 0 for length in cycles)))
        symmetries += 1 + output_flips
    return total / symmetries


def _count(seed: int, *, input_flips: bool = True, output_flips: bool = True, other: int = 0) -> Evidence:
    """Tasks alike by symmetry teach alike; there are 4, 14 and 222 classes for two, three and four features."""
    errors = [abs(_classes(r) - _orbits(r, input_flips, output_flips)) for r in (2, 3, 4)]
    errors += [abs(_classes(r) - known) for r, known in ((2, 4), (3, 14), (4, 222))]
    g, Z = _random(seed), pattern_signs(3)
    V, tau, b = _neurons(6, 3, g)
    R = torch.eye(3, dtype=torch.float64)[torch.randperm(3, generator=g)] * Z[torch.randint(8, (1,), generator=g)]
    moved = ((Z @ R.T > 0) * torch.tensor([1, 2, 4])).sum(1)
    F = equivalence_classes(3).representatives
    first, second = _steps(F[:, moved], V, tau, b), _steps(-F.roll(other, 0), V @ R.T, tau, b)
    errors += [float((x - y).abs().max()) for x, y in ((first[0] @ R.T, second[0]), (first[1], second[1]))]
    return Evidence("largest difference of counts and of rotated steps", max(errors), "at most", _ROUNDING)


def _share(seed: int, *, power: float = 0.5, constant: float = 2 / math.pi) -> Evidence:
    """A uniform task has no degree-one part with probability at most sqrt(2 / (pi K)), else |f1| >= 2 / K."""
    g = _random(seed)
    worst = []
    for r in range(1, 9):
        K = 2**r
        none = math.comb(K, K // 2) / 2**K
        worst.append(none / (constant / K) ** power)
        F = all_tasks(r) if r <= 3 else 2.0 * torch.randint(2, (200, K), generator=g).double() - 1
        f1 = degree_one(walsh(F)).norm(dim=1)
        worst += [float((f1 == 0).double().mean()) / none] if r <= 3 else []
        worst.append(2 / K / float(f1[f1 > 0].min()))
    return Evidence("share, or least |f1|, over its bound", max(worst), "at most", 1 + 1e-12)


_AT_A_THOUSAND = {  # tasks by the number of directions learned at d = 1000, without decay and with the matched one
    2: ((2, 12, 2), (2, 12, 2)),
    3: ((28, 222, 6, 0), (4, 238, 6, 8)),
    4: ((6098, 59224, 188, 0, 26), (10, 64888, 236, 128, 274)),
}
_FAINT = {2: (2, 2), 3: (0, 0), 4: (26, 26)}  # of them all r directions, but by a step of third or higher order


@lru_cache
def _frames(seed: int, r: int, d: int) -> tuple[Tensor, Tensor, Tensor, PatternMoments]:
    """Neurons along random orthogonal frames, at lengths and with weights of the chi-square law; tau is random."""
    g = _random(seed)
    frames = torch.linalg.qr(_normal(40, r, r, generator=g)).Q.reshape(-1, r)
    lengths, masses = roots_genlaguerre(3, r / 2 - 1)
    V = torch.cat([math.sqrt(2 * x / d) * sign * frames for x in lengths for sign in (-1, 1)])
    weights = torch.from_numpy(masses / masses.sum()).repeat_interleave(2 * len(frames)) / (2 * len(frames))
    tau = (1 - r / d + math.sqrt(2 / d) * _normal(len(V), generator=g)).sqrt()
    return V, tau, weights, pattern_moments(V, tau, torch.zeros_like(tau))


@lru_cache
def _sorted_tasks(r: int) -> tuple[Tensor, Tensor, Tensor]:
    classes = equivalence_classes(r)
    return classes.representatives, classes.sizes, walsh(classes.representatives)[:, :1] ** 2 / (2 * math.pi)


def _atlas(
    seed: int, *, relu: bool = True, signs: bool = True, sized: bool = True, least: float = 0.5, decay: float = 1.0
) -> Evidence:
    """No task of 2, 3, 4 features teaches all at d = 1000; with the matched decay 0, 8, 248 do, faint steps aside."""
    wrong = 0
    for r, stated in _AT_A_THOUSAND.items():
        V, tau, weights, moments = _frames(seed, r, 1000)
        F, sizes, rate = _sorted_tasks(r)
        Z, half_normal = pattern_signs(r), math.sqrt(2 / math.pi)
        if not relu:  # s in place of relu(s)
            first = torch.full_like(moments.first, half_normal)
            moments = moments._replace(mean=half_normal * V @ Z.T, first=first, density=0 * moments.density)
        inside, outside = _products(F, moments, tau, Z if signs else torch.ones_like(Z))
        for with_decay, counts, faint in zip((0, decay), stated, _FAINT[r], strict=True):
            G = (inside - with_decay * rate.unsqueeze(2) * V) * weights.sqrt().unsqueeze(1)
            leak = (outside - with_decay * rate * tau).square() @ weights
            squares = torch.linalg.svdvals(G.mT @ G)
            total = squares.sum(1) + leak
            learned = (squares >= 0.3**2 * squares[:, :1]).sum(1)
            learned *= (squares.sum(1) >= least * total) & (squares[:, 0] > 1e-24)
            weighted = sizes if sized else torch.ones_like(sizes)
            found = torch.bincount(learned, weighted.double(), minlength=r + 1)
            wrong += int((found - torch.tensor(counts)).abs().sum())
            small = total.sqrt() < 0.01 * math.sqrt(1 / 1000) / (2 * math.pi)
            wrong += abs(int(weighted[(learned == r) & small].sum()) - faint)
    return Evidence("tasks counted otherwise", wrong, "at most", 0)


def _limit(seed: int, *, matched: bool = True, mean: float = 0.0, power: int = 2) -> Evidence:
    """As d grows, a task with f1 != 0 teaches one direction; of others, decay leaves f0 F2 v or a faint step."""
    d = int(10 ** (6.5 + float(torch.rand(1, generator=_random(seed)))))
    errors = []
    for r in (2, 3, 4):
        F, sizes, _ = _sorted_tasks(r)
        c = walsh(F)
        f0, f1, F2 = c[:, 0].abs(), degree_one(c).norm(dim=1), degree_two(c)
        plain, decayed = single_task_steps(F, d), single_task_steps(F, d, matched_decay=matched)
        straight = f1 > 0
        errors += [plain.values[straight, 1], decayed.values[straight, 1], 1 - decayed.energy[straight]]
        errors += [(plain.energy - f1**power / (f0**power + f1**power).clamp(min=1e-9))[straight]]
        errors += [plain.energy[~straight & (f0 > 0)]]
        order = torch.linalg.eigvalsh(F2 + mean * f0[:, None, None] * torch.eye(r)).abs().sort(descending=True).values
        rest = ~straight & (f0 > 0) & (order[:, 0] > 0)
        errors += [(decayed.values - order / order[:, :1])[rest], 1 - decayed.energy[rest]]
        errors += [100 * decayed.relative_size[~straight & ~rest], 100 * plain.relative_size[~straight & (f0 == 0)]]
        passing = (decayed.directions == r) & (decayed.relative_size > 1e-3)
        errors += [(sizes[passing].sum() - count_exceptions(r)[-1]).double()]
    worst = max(float(error.abs().max()) for error in errors if error.numel())
    return Evidence("largest error of a limit", worst, "at most", 3e-3)


@lru_cache
def _without_linear_part() -> dict[int, float]:
    """Shares of the tasks with f1 = 0: listed, and for five features as pairs of tasks of four; six by the package."""
    shares = {r: float((all_tasks(r) @ pattern_signs(r) == 0).all(1).double().mean()) for r in (2, 3, 4)}
    sums = all_tasks(4) @ torch.cat([torch.ones(16, 1).double(), pattern_signs(4)], 1)
    pairs = (sums @ 33.0 ** torch.arange(5).double()).unique(return_counts=True)[1] ** 2
    return shares | {5: float(pairs.sum()) / 2**32, 6: count_without_linear_part(6) / 2**64}


def _no_linear_part(
    seed: int, *, lattice: tuple[int, int] = (2, -1), spread: float = 1.0, angle: float = 0.5, even: int = 2
) -> Evidence:
    """The share of tasks with f1 = 0 is at most a lazy walk's chance to return, and about 2^(2r-1) / (2 pi K)^(r/2)."""
    shares = _without_linear_part()
    over = []
    for r in (2, 3, 4):  # the mean of cosines, over any grid that is fine enough
        N = 2 ** (r - 1) + 2 + 2 * int(torch.randint(2, (1,), generator=_random(seed)))
        theta = torch.tensor(list(product(range(N), repeat=r))).double() * (2 * math.pi / N)
        mean = float((angle * theta @ pattern_signs(r).T).cos().prod(1).mean())
        over.append(abs(mean / shares[r] - 1) / 1e-10)

    def walk(r: int) -> float:
        n = 2 ** (r - 1)
        j = np.arange(0, n + 1, even)
        stays = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1) - n * math.log(2)
        returns = gammaln(j + 1) - 2 * gammaln(j / 2 + 1) - j * math.log(2)
        return float(np.exp(stays + r * returns).sum())

    def local(r: int) -> float:
        return 2.0 ** (lattice[0] * r + lattice[1]) / (2 * math.pi * spread * 2**r) ** (r / 2)

    for r, share in shares.items():
        K = 2**r
        over.append(share / walk(r))
        least = 1 - 3 * r * (r + 2) / (8 * K) - r**3 * (r + 2) / K**2
        over.append(least * local(r) / share)
    over.append(abs(walk(14) / local(14) - 1) / 5e-3)
    return Evidence("share over its bound, or error over its tolerance", max(over), "at most", 1)


def _claim(label: str, check: Callable[..., Evidence], **mutants: Mapping[str, object]) -> Claim:
    """The claim that the check's docstring states; a mutant is the check with the arguments in a dictionary."""
    wrong = {name.replace("_", " "): partial(check, **arguments) for name, arguments in mutants.items()}
    return Claim(label, "04_single_task_failure", check, wrong)


CLAIMS: tuple[Claim, ...] = (
    _claim("lem-single-correlation", _correlation, half_forgotten={"half": 1.0}, correlation_not_squared={"power": 1}),
    _claim("prop-single-visible", _visible, no_degree_two={"added": 0b011}, no_degree_one={"added": 0b001}),
    _claim("cor-single-odd", _odd, all_tasks={"even": 1.0}, factor_1_over_pi={"constant": 1 / math.pi}),
    _claim(
        "thm-single-rank-one",
        _rank_one,
        epsilon_squared={"rate": 2},
        two_tasks={"tasks": 2},
        f1_forgotten={"sized": False},
    ),
    _claim("prop-single-second", _second, factor_1={"slope": 1.0}, fourth_moments_as_if_independent={"fourth": 0}),
    _claim("prop-single-energy", _energy, sizes_not_squared={"power": 1}, mean_forgotten={"mean": False}),
    _claim("cor-single-constant", _constant, factor_1_over_pi={"gain": 1 / math.pi}, one_label_differs={"changed": 1}),
    _claim("prop-single-pair", _pair, factor_2_over_pi_squared={"factor": 2 / math.pi**2}, no_tau_squared={"order": 0}),
    _claim("prop-single-exception", _exception, no_decay={"decay": 0.0}, twice={"decay": 2.0}, ten_tasks={"count": 10}),
    _claim(
        "prop-single-classes",
        _count,
        outputs_not_flipped={"output_flips": False},
        inputs_not_flipped={"input_flips": False},
        other_tasks_teach_the_same={"other": 1},
    ),
    _claim(
        "prop-single-atlas",
        _atlas,
        linear_features={"relu": False},
        signs_of_patterns_dropped={"signs": False},
        classes_not_weighted={"sized": False},
        energy_ignored={"least": 0.0},
        twice_the_matched_decay={"decay": 2.0},
    ),
    _claim(
        "prop-single-limit",
        _limit,
        no_decay={"matched": False},
        mean_beside_Fhat_2={"mean": math.pi / 2},
        energy_of_sizes_not_squared={"power": 1},
    ),
    _claim(
        "prop-single-no-linear-part",
        _no_linear_part,
        lattice_forgotten={"lattice": (0, 0)},
        independent_coordinates={"lattice": (1, 0)},
        covariance_twice_as_large={"spread": 2.0},
        whole_angles={"angle": 1.0},
        walks_of_odd_length_return={"even": 1},
    ),
    _claim("cor-single-share", _share, rate_1_over_K={"power": 1.0}, half_the_share={"constant": 1 / (2 * math.pi)}),
)
