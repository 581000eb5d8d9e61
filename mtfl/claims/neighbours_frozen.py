"""Claims of chapter 11: readers, adversaries and probes on a frozen layer, and which coordinates labels depend on.

Oracles: autograd of the network's loss, sums over all batches of a law on three points, simulated prompts, sums over
grids, numerical integrals with other coordinates held fixed, drawn scores, sums over all tasks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache, lru_cache, partial

import numpy as np
import torch
from scipy.integrate import quad
from scipy.special import erf, erfc, erfinv, ndtr
from scipy.stats import chi2
from torch import Tensor

from mtfl.claims.draws import balanced_tasks, largest, normal, off, relative
from mtfl.claims.registry import Evidence, Upper, stated
from mtfl.contrastive import margin_loss
from mtfl.inputs import GaussianInputs
from mtfl.neighbours.evidence import area_under_curve, scaling_ceiling
from mtfl.neighbours.robustness import Head, attacked_margins, total_influence
from mtfl.neighbours.support import inputs_for_support
from mtfl.population import leading_order_step, population_step
from mtfl.randomness import stream
from mtfl.tasks import (
    all_tasks,
    characters,
    degree_one,
    pattern_signs,
    sample_tasks,
    task_kernel,
    walsh_coefficients,
)
from mtfl.transfer import FrozenFeatures

_MAJORITY = pattern_signs(3).sum(1).sign()


def _generator(seed: int, name: str = "claims frozen") -> torch.Generator:
    return stream(seed, name)


# In context


def _attention(
    seed: int,
    *,
    hinge: float = 1.0,
    logistic: float = 0.5,
    twice: float = 2.0,
    symmetric: bool = True,
    law: str = "same",
) -> tuple[Evidence, ...]:
    """A head step by autograd; the tied loss over all batches of two keys and one query from a law on three points."""
    g, rate, errors = _generator(seed), 0.1, []
    W, X, Q = (normal(n, 4, generator=g) for n in (5, 9, 6))
    y = normal(9, generator=g).sign()
    H, A = X @ W.T, Q @ W.T
    for loss, kappa in (("hinge", hinge), ("logistic", logistic)):
        head = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        risk = margin_loss(y * (H.relu() @ head), loss=loss).mean()
        answers = A.relu() @ (-rate * torch.autograd.grad(risk, head)[0])
        errors.append(relative(kappa * rate / 9 * (A.relu() @ H.relu().T) @ y, answers))
    K = task_kernel(sample_tasks(3, 2, generator=g))[:3, :3]
    K = K if symmetric else K + torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]).double()
    chances = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2] if law == "same" else [0.1, 0.2, 0.7]]).double()
    means = [torch.zeros_like(W), torch.zeros_like(W)]
    for first, second, query in itertools.product(range(3), repeat=3):
        weight = chances[0, first] * chances[0, second] * chances[1, query]
        for mean, tied in zip(means, (True, False), strict=True):
            V = W.clone().requires_grad_()
            keys = (X[[first, second]] @ (V if tied else W).T).relu()
            loss = -(K[[first, second], query] * (keys @ (V @ X[query]).relu())).mean()
            mean += weight * torch.autograd.grad(loss, V)[0]
    return (
        Evidence("distance of the answers to linear attention", max(errors), "at most", 1e-9),
        Evidence(
            "distance of the tied gradient to twice the other", relative(twice * means[1], means[0]), "at most", 1e-9
        ),
    )


def _common(seed: int, law: str, learned: bool, exact: bool = False) -> list[tuple[FrozenFeatures, Tensor, Tensor]]:
    """From common draws in dimensions 8 and 200: the layer, 60 inputs and the subspace."""
    g, found = _generator(seed), []
    G, h = normal(24, 3, generator=g), normal(60, 3, generator=g)
    if law == "odd":
        half = sample_tasks(5, 3, generator=g)[:, :4]
        F = torch.cat([half, -half.flip(1)], 1)
    else:
        F = sample_tasks(5, 3, law=law, generator=g)
    for d in (8, 200):
        M = GaussianInputs.random(d, 3, generator=_generator(seed, f"M{d}")).M
        outside = torch.eye(d, dtype=M.dtype) - M @ M.T
        W, X = (normal(n, d, generator=_generator(seed, f"{name}{d}")) @ outside for n, name in ((24, "W"), (60, "X")))
        W, X = (G @ M.T + W) / math.sqrt(d), h @ M.T + X
        V, tau = W @ M, (W @ outside).norm(dim=1)
        step = population_step(V, tau, 0 * tau, task_kernel(F)) if exact else leading_order_step(V, tau, F)
        weights = step.weights(W, M) if learned else W
        found.append((FrozenFeatures.of(weights, generator=_generator(seed, "biases")), X, M))
    return found


def _read(H: Tensor, y: Tensor) -> Tensor:
    """What attention, ridge regression and the nearest example say of the last 20 rows from the first 40."""
    keys, queries = H[:40], H[40:]
    ridge = torch.linalg.solve(keys @ keys.T + torch.eye(40, dtype=H.dtype), y)
    far = torch.cdist(queries, keys).square()
    nearest = [far.masked_fill(y != sign, math.inf).min(1).values for sign in (-1, 1)]
    return torch.stack([queries @ keys.T @ y / 40, queries @ keys.T @ ridge, nearest[0] - nearest[1]])


def _context(seed: int, *, law: str = "balanced", learned: bool = True, exactly: str = "odd") -> tuple[Evidence, ...]:
    """Answers in dimensions 8 and 200 to the same prompts: after the leading order, and after the exact step."""
    task = balanced_tasks(3)[seed % 70]
    gaps = []
    for table, exact in ((law, False), (exactly, True)):
        answers = []
        for features, X, M in _common(seed, table, learned or exact, exact):
            y = task[(X @ M > 0).long() @ torch.tensor([1, 2, 4])]
            answers.append(_read(features(X), y[:40]))
        gaps.append(largest(answers[0] - answers[1]))
    return (
        Evidence("balanced tasks, leading order: largest gap of answers", gaps[0], "at most", 1e-9),
        Evidence("odd tasks, exact step: largest gap of answers", gaps[1], "at most", 1e-8),
    )


@lru_cache(maxsize=1)
def _prompts(seed: int) -> tuple[float, Tensor, Tensor]:
    """Mean error of attention in 8000 prompts of 32 in dimension 6; a task, and its mean of y h over many inputs."""
    g = _generator(seed)
    X = normal(8000, 32, 6, generator=g)
    a = (X[:, :, :1].sign() * X).mean(1)
    error = torch.atan2(a[:, 1:].norm(dim=1), a[:, 0]).mean() / math.pi
    F = balanced_tasks(3)
    F = F[degree_one(walsh_coefficients(F)).norm(dim=1) > 0.4]
    f, h = F[seed % len(F)], normal(400_000, 3, generator=g)
    return float(error), f, f[(h > 0).long() @ torch.tensor([1, 2, 4])] @ h / len(h)


@lru_cache(maxsize=1)
def _half_normals(seed: int, count: int, examples: int) -> Tensor:
    return torch.stack([normal(examples, generator=_generator(seed + k, "halves")).abs().mean() for k in range(count)])


def _raw_context(
    seed: int, *, spread: float = 1.0, half: float = 0.5, root: float = 2 / math.pi, lost: int = 1, roots: bool = True
) -> tuple[Evidence, ...]:
    found, f, mean = _prompts(seed)
    g, (d, N) = _generator(seed, "law"), (6, 32)
    chi = normal(20_000, d - lost, generator=g).norm(dim=1)
    bar = normal(20_000, N, generator=g).abs().mean(1)
    law = torch.atan(spread * chi / ((math.sqrt(N) if roots else N) * bar)).mean() / math.pi
    error, d = 0.1 + 0.01 * seed, 2001
    needed = half * (d - 1) * math.pi / math.tan(math.pi * error) ** 2
    bar = _half_normals(seed, 200, round(0.5 * (d - 1) * math.pi / math.tan(math.pi * error) ** 2))
    chi = torch.from_numpy(np.sqrt(chi2(d - 1).rvs(200, random_state=seed)))
    there = torch.atan(chi / (math.sqrt(needed) * bar)).mean() / math.pi
    slope = math.sqrt(root) * degree_one(walsh_coefficients(f[None]))[0]
    return (
        off("error in dimension 6 after 32 examples", found, law, 0.03),
        off("error in dimension 2001 after the stated number", there, error, 0.01),
        Evidence("distance of the mean of y h to its law", relative(slope, mean), "at most", 0.03),
    )


# Adversaries


def _adversary(seed: int, *, leak: int = 0, law: str = "balanced", learned: bool = True) -> tuple[Evidence, ...]:
    """Features under moves and under their projections; margins after gradient attacks in dimensions 8 and 200.

    A leak is in per cent of random weights everywhere.
    """
    (features, X, M), _ = _common(seed, "balanced", True)
    W = features.W + leak / 100 * normal(*features.W.shape, generator=_generator(seed, "leak"))
    moved = normal(*X.shape, generator=_generator(seed, "moves"))
    leaking = FrozenFeatures(W, features.b)
    gap = largest(leaking(X + moved) - leaking(X + moved @ M @ M.T))
    margins, a = [], normal(24, generator=_generator(seed, "head"))
    for features, X, M in _common(seed, law, learned):
        y = _MAJORITY[(X @ M > 0).long() @ torch.tensor([1, 2, 4])]
        head = Head(features, a, torch.tensor(0.1, dtype=torch.float64))
        margins.append(attacked_margins(head, X, y, 0.3))
    return (
        Evidence("largest change of a feature by a move outside", gap, "at most", 1e-10),
        Evidence("largest gap of attacked margins, d = 8 and 200", largest(margins[0] - margins[1]), "at most", 1e-6),
    )


_LINE = torch.arange(-30, 31).double() / 10  # h and c stand on this grid; moves of up to 0.4 on the same
_MOVES = [(i, j) for i in range(-4, 5) for j in range(-4, 5) if i * i + j * j <= 16]


def _rules(seed: int) -> list[Tensor]:
    """Scores on the grid, widened by the largest move: the sum of the coordinates, and drawn networks."""
    g, line = _generator(seed), torch.arange(-34, 35).double() / 10
    points = torch.cartesian_prod(line, line)
    found = [points.sum(1)]
    for _ in range(6):
        W, b, a = normal(8, 2, generator=g), normal(8, generator=g), normal(8, generator=g)
        score = torch.relu(points @ W.T + b) @ a
        found.append(score - score.median())
    return [score.view(69, 69) for score in found]


def _worst(score: Tensor, loss: Callable[[Tensor], Tensor], moves: list[tuple[int, int]]) -> Tensor:
    """The largest loss at each point of the grid."""
    values = loss(score)
    return torch.stack([values[4 + i : 65 + i, 4 + j : 65 + j] for i, j in moves]).amax(0)


_LOSSES: tuple[tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]], ...] = (
    (lambda g: (g <= 0).double(), lambda g: (g >= 0).double()),
    (lambda g: (g - 1).square(), lambda g: (g + 1).square()),
    (lambda g: torch.nn.functional.softplus(-g), torch.nn.functional.softplus),
)
"""Of a score, where the label is +1 and where it is -1: errors, squares, the logistic loss."""


def _robust_optimal(seed: int, *, independent: bool = True, hidden: bool = True) -> Evidence:
    """How far the best of the functions g(., c) of h is worse than g itself, at most, over rules and losses."""
    weight = torch.exp(-_LINE.square() / 2)
    weight = weight / weight.sum()
    joint = torch.outer(weight, weight) if independent else torch.diag(weight)
    plus = (torch.outer(_LINE, torch.ones(61).double()) if hidden else _LINE[:, None] + _LINE) > 0
    chance = 0.1 * (seed % 3) + (1 - 0.2 * (seed % 3)) * plus.double()  # of the label +1; labels may be noisy
    excess = []
    for score, losses in itertools.product(_rules(seed), _LOSSES):
        whole = [_worst(score, loss, _MOVES) for loss in losses]
        slices = [_worst(score, loss, [(i, 0) for i in range(-4, 5)]) for loss in losses]
        risk = (joint * (chance * whole[0] + (1 - chance) * whole[1])).sum()
        inside = (joint * chance).sum(1) @ slices[0] + (joint * (1 - chance)).sum(1) @ slices[1]  # over c
        excess.append(float(inside.min() - risk))
    return Evidence("largest excess of the best function of h", max(excess), "at most", 1e-9)


def _rule_accuracy(f: Tensor, radius: float, count: int = 40) -> float:
    """Robust accuracy of f by cases: which coordinates lie within the radius, and where, on a grid of quantiles."""
    r, p = 3, float(erf(radius / math.sqrt(2)))
    nodes = torch.from_numpy(math.sqrt(2) * erfinv(p * (np.arange(count) + 0.5) / count))
    total = 0.0
    for z, near in itertools.product(range(8), range(8)):
        members = [i for i in range(r) if near >> i & 1]
        chance = p ** len(members) * (1 - p) ** (r - len(members))
        points = torch.zeros(1, r).double()
        if members:
            points = torch.zeros(count ** len(members), r).double()
            points[:, members] = torch.cartesian_prod(*[nodes] * len(members)).view(-1, len(members))
        safe = torch.ones(len(points), dtype=torch.bool)
        for S in range(1, 8):
            if S & near == S and f[z ^ S] != f[z]:
                flipped = [i for i in range(r) if S >> i & 1]
                safe &= points[:, flipped].square().sum(1) > radius**2
        total += chance * float(safe.double().mean()) / 8
    return total


@lru_cache(maxsize=1)
def _accuracies(seed: int) -> tuple[Tensor, float, Tensor, Tensor]:
    """A task, its accuracy at a small radius; further tasks and theirs at one half."""
    F = all_tasks(3)
    coefficients = walsh_coefficients(F)
    variance = 1 - coefficients[:, 0].square()
    F = F[(total_influence(F) - variance).abs() > 0.2]
    g = _generator(seed)
    some = F[torch.randint(len(F), (4,), generator=g)]
    tables = torch.cat([some[1:], characters(3)[[1, 7]], _MAJORITY[None]])
    return some[0], _rule_accuracy(some[0], 0.01), tables, torch.tensor([_rule_accuracy(f, 0.5) for f in tables])


def _influence(
    seed: int, *, slope: float = math.sqrt(2 / math.pi), spread: float = 2.0, weigh: bool = True, exact: int = 2
) -> tuple[Evidence, ...]:
    """Exact tasks among the tables are a sign and a parity, then the majority."""
    f, small, tables, found = _accuracies(seed)
    squares = walsh_coefficients(f[None])[0].square()
    degrees = torch.tensor([S.bit_count() if weigh else S > 0 for S in range(8)]).double()
    z, bounds = torch.arange(8), []
    for table in tables:
        flips = sum((table[z ^ (1 << i)] != table[z]).double() for i in range(3))
        bounds.append(float((float(erfc(0.5 / math.sqrt(spread))) ** torch.as_tensor(flips)).mean()))
    over = found.double() - torch.tensor(bounds).double()
    return (
        off("what a small radius costs", 1 - small, slope * 0.01 * squares @ degrees, 0.02),
        Evidence("largest excess of an accuracy over its bound", float(over.max()), "at most", 1e-6),
        Evidence("distance of the two where they agree", largest(over[3 : 3 + exact]), "at most", 1e-6),
    )


@cache
def _grid(count: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Midpoints x, y > 0 and weights of two half normals."""
    nodes = math.sqrt(2) * erfinv((np.arange(count) + 0.5) / count)
    x, y = np.meshgrid(nodes, nodes)
    return x, y, np.full_like(x, 1 / count**2)


@lru_cache(maxsize=64)
def _majority_by_two(radius: float, halfspace: bool) -> float:
    """Robust accuracy for the majority, h_3 integrated out given |h_1| and |h_2| and their signs."""
    x, y, weight = _grid()
    if not halfspace:
        return _rule_accuracy(_MAJORITY, radius)
    far = math.sqrt(3) * radius
    both = ndtr(x + y - far)  # two positive signs: the label is +1
    unlike = ndtr(-np.maximum(0, far - x + y)) + ndtr(-np.maximum(0, far + x - y))  # the third sign decides
    return float((weight * (both + unlike) / 2).sum())


def _tail(radius: float) -> float:
    """P(g_3 > sqrt(3) radius + |g_1| + |g_2|), by the density of |g_1| + |g_2|."""
    density = lambda s: 2 * math.exp(-(s**2) / 4) / math.sqrt(math.pi) * erf(s / 2)  # noqa: E731
    return quad(lambda s: density(s) * ndtr(-math.sqrt(3) * radius - s), 0, 12)[0]


def _halfspace(
    seed: int,
    *,
    angles: float = 3.0,
    quarter: float = 0.25,
    errors: float = 1.5,
    mixed: Upper = 0.75,
    unanimous: Upper = 0.25,
    over: int = 2,
) -> tuple[Evidence, ...]:
    """Clean and robust accuracies of the half-space; the rule's bound at a small radius; both at one half."""
    radius, small = 0.05 + 0.01 * seed, 0.02 + 0.001 * seed
    clean = angles / math.pi * math.asin(3**-0.5) + quarter
    robust = float(erfc(radius / math.sqrt(2))) - errors * _tail(radius)
    bound = unanimous + mixed * float(erfc(small / math.sqrt(2))) ** 2
    lead = _majority_by_two(1 / over, True) - _majority_by_two(1 / over, False)
    return (
        off("clean accuracy", _majority_by_two(0.0, True), clean, 1e-3),
        off("robust accuracy", _majority_by_two(radius, True), robust, 3e-4),
        Evidence("the rule's accuracy over its bound", _majority_by_two(small, False) / bound, "at most", 1 + 1e-6),
        Evidence("lead of the half-space at one half", lead, "at least", 0.05),
    )


# Probes


def _blindness(seed: int, *, half: float = 0.5, leak: int = 0, part: str = "outside") -> tuple[Evidence, ...]:
    """Features, and a score of them, of inputs whose part outside is tripled, moved or made constant."""
    (features, X, M), _ = _common(seed, "balanced", True)
    W = features.W + leak / 100 * normal(*features.W.shape, generator=_generator(seed, "leak"))
    phi, inside = FrozenFeatures(W, features.b), X @ M @ M.T
    rest, a = X - inside, normal(len(W), generator=_generator(seed, "score"))
    changed = [inside + rest * 3, inside + rest + rest[:1] * 6, inside + rest[:1]]
    if part == "inside":
        changed = [3 * inside + rest]
    gap = max(largest(phi(Z) - phi(X)) for Z in changed)
    scores = [torch.tanh(features(Z) @ a).round(decimals=9) for Z in (X, inside + 3 * rest)]
    return (
        Evidence("largest change of a feature", gap, "at most", 1e-10),
        Evidence("distance of the AUROC from one half", abs(area_under_curve(*scores) - half), "at most", 1e-6),
    )


@lru_cache(maxsize=1)
def _largest_auroc(seed: int, r: int, scale: float) -> float:
    """The largest distance from one half of the AUROC of drawn scores, and of the length."""
    g = _generator(seed)
    usual, odd, found = normal(20_000, r, generator=g), scale * normal(20_000, r, generator=g), []
    for _ in range(8):
        W, b, a = normal(12, r, generator=g), normal(12, generator=g), normal(12, generator=g)
        found.append(area_under_curve(*(torch.relu(h @ W.T + b) @ a for h in (usual, odd))))
    found.append(area_under_curve(usual.norm(dim=1), odd.norm(dim=1)))
    return float(np.abs(np.array(found) - 0.5).max())


def _ceiling(seed: int, *, power: float = 2.0, one: float = 1.0, degrees: int = 0) -> tuple[Evidence, ...]:
    r, s = 2 + seed % 4, 1.5 + 0.1 * (seed % 8)
    factor = s ** (power / 2)
    stated = scaling_ceiling(r - degrees, factor)
    found = quad(lambda x: chi2.pdf(x, r) * chi2.sf(x / s**2, r), 0, np.inf)[0]
    two = quad(lambda x: chi2.pdf(x, 2) * chi2.sf(x / s**2, 2), 0, np.inf)[0]
    return (
        off("AUROC of the length", found, stated, 1e-4),
        Evidence("largest |AUROC - 1/2| of nine scores", _largest_auroc(seed, r, s), "at most", stated - 0.5 + 0.012),
        off("two features", two, s**power / (one + s**power), 1e-4),
    )


def _ray(seed: int, *, rate: float = 1.0, squashed: bool = False) -> tuple[Evidence, ...]:
    """Evidence along rays against its limit, at several lengths; then the vacuity far out."""
    g = _generator(seed)
    (features, X, _), _ = _common(seed, "balanced", True)
    A, c = normal(4, 24, generator=g), normal(4, generator=g)
    limit = (torch.relu(X @ features.W.T) @ A.T).clamp(min=0).sum(1)
    bound = 4 * (1 + math.log(2)) + float(A.norm(dim=1).sum() * features.b.norm() + c.abs().sum())

    def evidence(t: float) -> Tensor:
        H = features(t * X)
        return (1 + torch.nn.functional.softplus((torch.tanh(H) if squashed else H) @ A.T + c)).sum(1)

    worst = max(largest(evidence(t) - t * limit) for t in (1.0, 10.0, 1e3, 1e5))
    far = limit > 0.1 * limit.max()
    vacuity = 4 / evidence(1e6)[far]
    return (
        Evidence("largest distance of the evidence to its limit, over the bound", worst / bound, "at most", 1),
        off("vacuity far out", vacuity * 1e6**rate * limit[far] / 4, 1.0, 1e-3),
    )


# Supports


@lru_cache(maxsize=1)
def _coordinate_means(seed: int) -> tuple[Tensor, Tensor]:
    """Mean scores of relevant and other coordinates, of all six balanced tasks of two features on 30 inputs."""
    X = normal(500, 30, 32, generator=_generator(seed))
    Y = balanced_tasks(2)[:, (X[:, :, :2] > 0).long() @ torch.tensor([1, 2])]  # (tasks, draws, inputs)
    scores = (torch.einsum("tkn,knd->tkd", Y, X) / 30).square().mean((0, 1))
    return scores[:2], scores[2:]


@lru_cache(maxsize=2)
def _found(seed: int, tasks: str) -> float:
    """Share of 20 draws in which the two largest scores are those of the support, after the stated number of inputs."""
    g, d, right = _generator(seed), 40, 0
    n, F = inputs_for_support(d, 2, 0.05), balanced_tasks(2)
    for _ in range(20):
        X = normal(n, d, generator=g)
        table = F if tasks == "all" else F[torch.randint(6, (1,), generator=g)]
        scores = (table[:, (X[:, :2] > 0).long() @ torch.tensor([1, 2])] @ X / n).square().mean(0)
        right += set(scores.topk(2).indices.tolist()) == {0, 1}
    return right / 20


def _support(
    seed: int, *, signal: float = 2 / math.pi, noise: float = 1.0, tasks: str = "all", balanced: bool = True
) -> tuple[Evidence, ...]:
    relevant, others = _coordinate_means(seed)
    F = balanced_tasks(2) if balanced else all_tasks(2)
    complete = int((degree_one(walsh_coefficients(F)) != 0).all(1).sum())
    return (
        off("mean score of a relevant coordinate", relevant.mean(), noise / 30 + (29 / 30) * signal / 3, 0.05),
        off("mean score of another", others.mean(), noise / 30, 0.05),
        Evidence("share of draws that show the support", _found(seed, tasks), "at least", 0.95),
        Evidence("balanced tasks of two features that see both", complete, "at most", 0),
    )


_claim = partial(stated, "11_neighbours_frozen")
CLAIMS = (
    _claim(
        "prop-neighbour-attention",
        _attention,
        {"weights that are not symmetric": {"symmetric": False}, "queries of another law": {"law": "other"}},
        sharpness=1e-6,
    ),
    _claim(
        "thm-neighbour-context",
        _context,
        {
            "uniform tasks": {"law": "uniform"},
            "random features": {"learned": False},
            "balanced tasks that are not odd, exact": {"exactly": "balanced"},
        },
    ),
    _claim(
        "prop-neighbour-raw-context",
        _raw_context,
        {"d for d - 1": {"lost": 0}, "N for its root": {"roots": False}},
    ),
    _claim(
        "prop-neighbour-adversary",
        _adversary,
        {
            "one per cent of leftover": {"leak": 1},
            "uniform tasks": {"law": "uniform"},
            "random features": {"learned": False},
        },
    ),
    _claim(
        "thm-neighbour-robust-optimal",
        _robust_optimal,
        {"coordinates that depend": {"independent": False}, "labels that see the rest": {"hidden": False}},
    ),
    _claim(
        "thm-neighbour-influence",
        _influence,
        {"variance for influence": {"weigh": False}, "majority as an equality": {"exact": 3}},
        sharpness=0.05,
    ),
    _claim("prop-neighbour-halfspace", _halfspace, {"one fifth for one half": {"over": 5}}, sharpness=0.01),
    _claim(
        "prop-neighbour-blindness",
        _blindness,
        {"one per cent of leftover": {"leak": 1}, "a change inside": {"part": "inside"}},
        sharpness=0.01,
    ),
    _claim("prop-neighbour-ceiling", _ceiling, {"r - 1 for r": {"degrees": 1}}, sharpness=0.01),
    _claim("prop-neighbour-ray", _ray, {"bounded features": {"squashed": True}}, sharpness=0.01),
    _claim(
        "prop-neighbour-support",
        _support,
        {"one task": {"tasks": "one"}, "tasks with a mean": {"balanced": False}},
    ),
)
