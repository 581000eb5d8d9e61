"""Claims of chapter 9: what changes when the data of the paper's model do.

Oracles: exact steps on white inputs, carried over by a root of the covariance; enumeration of small laws of inputs, in
batches and along Markov chains; quadrature over coloured inputs with Newton's method; sampled heads and gradients,
one task each; and sampled paths.
"""

from __future__ import annotations

import itertools
import math
from functools import cache, lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from mtfl.claims.draws import balanced_tasks, largest, normal, off, relative
from mtfl.claims.registry import Evidence, stated
from mtfl.population import Neurons, population_step
from mtfl.randomness import stream
from mtfl.tasks import all_tasks, characters, limit_kernel, sample_tasks


def _generator(seed: int) -> torch.Generator:
    return stream(seed, "claims neighbours data")


def _frame(d: int, sizes: Tensor, g: torch.Generator) -> Tensor:
    """Two random directions, uncorrelated under variances along the axes."""
    M = torch.linalg.qr(normal(d, 2, generator=g)).Q
    return M @ torch.linalg.eigh(M.T @ (sizes[:, None] * M)).eigenvectors


def _exact(W: Tensor, M: Tensor, sizes: Tensor) -> Tensor:
    """The exact step on infinitely many balanced tasks, variances along the axes, uncorrelated features."""
    root = sizes.sqrt()
    white, frame = W * root, torch.nn.functional.normalize(M * root[:, None], dim=0)
    return population_step(*Neurons.of(white, frame), limit_kernel(2, "balanced")).weights(white, frame) * root


@lru_cache(maxsize=1)
def _tilted(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """A subspace, variances, as many orthogonal neurons as dimensions, their step; and what stands before CV^2.

    The latter is the mean of 1/e - 1 over 40 subspaces in 2500 dimensions, over the square of the coefficient of
    variation.
    """
    g, d = _generator(seed), 300
    wide = torch.cat([torch.linspace(0.2, 1.8, 2000), torch.full((500,), 4.0)]).double()
    energies = [_tilt(_frame(len(wide), wide, g), wide) for _ in range(40)]
    factor = (1 / float(np.mean(energies)) - 1) * float(wide.mean() ** 2 / wide.var(correction=0))
    sizes = (0.6 * normal(d, generator=g)).exp()
    M, W = _frame(d, sizes, g), torch.linalg.qr(normal(d, d, generator=g)).Q
    return M, sizes, W, _exact(W, M, sizes), factor


def _tilt(M: Tensor, sizes: Tensor) -> float:
    """The stated energy."""
    S, G = M.T @ (sizes[:, None] ** 2 * M), M.T @ (sizes[:, None] * M)
    A = torch.linalg.solve(G, S)
    return float(S.trace() / (A @ A).trace())


def _bias(
    seed: int,
    *,
    size: float = 2 * math.pi,
    fewer: float = 1.0,
    spread: float = 1.0,
    inverse: float = 1.0,
    carried: str = "Sigma M",
) -> tuple[Evidence, ...]:
    """An exact step in 300 dimensions against its law; energies; the repair; and random subspaces in 2500."""
    M, sizes, W, G, found = _tilted(seed)
    root = sizes if carried == "Sigma M" else sizes.sqrt()
    N = root[:, None] * M
    law = W @ N @ torch.linalg.solve(M.T @ N, N.T) / (size * (4 - fewer))
    energy = (G @ M).square().sum() / G.square().sum()
    back = G / sizes**inverse
    outside = float((back - back @ M @ M.T).norm() / back.norm())
    return (
        Evidence("distance of the step to its law", relative(law, G), "at most", 0.02),
        off("energy", energy, _tilt(M, root), 0.01),
        off("1/e - 1 over the squared coefficient of variation", found, spread, 0.03),
        Evidence("share outside after the repair", outside, "at most", 0.01),
    )


@lru_cache(maxsize=3)
def _small_law(seed: int, symmetric: bool, signs: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Six inputs in three dimensions with their chances, labels of two tasks on them, and neurons."""
    g = _generator(seed)
    half = normal(3, 3, generator=g)
    X = torch.cat([half, -half if symmetric else normal(3, 3, generator=g)])
    chance = torch.rand(3, generator=g, dtype=torch.float64) + 0.2
    Y = normal(2, 6, generator=g)
    return X, (chance / chance.sum() / 2).repeat(2), Y.sign() if signs else Y, normal(4, 3, generator=g)


def _batch_step(first: Tensor, second: Tensor, law: tuple[Tensor, ...]) -> Tensor:
    """One step on two batches, numbers of inputs each."""
    X, _, Y, W = law
    S = X @ W.T
    heads = Y[:, first] @ S[first].relu() / len(first)
    pulls = Y[:, second].T @ heads / len(Y) * (S[second] > 0)
    return pulls.T @ X[second] / len(second)


@lru_cache(maxsize=3)
def _twice(seed: int, symmetric: bool, signs: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Mean steps over all batches of three: reused, fresh; and Sigma w."""
    law = _small_law(seed, symmetric, signs)
    X, chance, _, W = law
    reused = torch.zeros_like(W)
    for batch in itertools.product(range(6), repeat=3):
        number = torch.tensor(batch)
        reused += chance[number].prod() * _batch_step(number, number, law)
    every = torch.arange(6)
    fresh = sum(chance[i] * chance[k] * _batch_step(i[None], k[None], law) for i, k in itertools.product(every, every))
    return reused, torch.as_tensor(fresh), W @ ((chance[:, None] * X).T @ X)


@cache
def _even_neurons() -> Neurons:
    """Neurons of length one in ten thousand dimensions, in all directions of two features."""
    turns = 2 * math.pi / 60 * torch.arange(60, dtype=torch.float64)
    V = torch.stack([turns.cos(), turns.sin()], 1) * math.sqrt(2e-4)
    return Neurons(V, torch.full((60,), math.sqrt(1 - 2e-4)).double(), torch.zeros(60).double())


def _reuse(
    seed: int,
    *,
    half: float = 2.0,
    itself: float = 1.0,
    size: float = 2 * math.pi,
    fewer: float = 1.0,
    symmetric: bool = True,
    signs: bool = True,
) -> tuple[Evidence, ...]:
    reused, fresh, carried = _twice(seed, symmetric, signs)
    law = (1 - itself / 3) * fresh + carried / (half * 3)
    neurons, n = _even_neurons(), 20 + 4 * seed
    inside, outside = population_step(*neurons, limit_kernel(2, "balanced")).learned(neurons)
    inside = (1 - 1 / n) * inside + neurons.V / (2 * n)
    outside = (1 - 1 / n) * outside + neurons.tau / (2 * n)
    ratio = outside.square().sum() / inside.square().sum()
    own, gain = 1 / (half * n), 1 / (size * (4 - fewer))
    limit = (1e4 - 2) / 2 * (own / (gain * (1 - itself / n) + own)) ** 2
    return (
        Evidence("distance of the mean step to its law", relative(law, reused), "at most", 1e-9),
        off("outside over inside on infinitely many tasks", ratio, limit, 1e-3),
    )


@lru_cache(maxsize=2)
def _coloured_points(seed: int, outside: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """M, Sigma and points of N(0, Sigma) in four dimensions with weights; labels of a task and of a parity on them."""
    g = _generator(seed)
    M, root = torch.linalg.qr(normal(4, 2, generator=g)).Q, normal(4, 4, generator=g)
    Sigma = root @ root.T + 0.2 * torch.eye(4).double()
    M = M @ torch.linalg.eigh(M.T @ Sigma @ M).eigenvectors
    C = torch.linalg.cholesky(Sigma)
    white = torch.linalg.qr(torch.cat([C.T @ M, normal(4, 2, generator=g)], 1))
    frame = white.Q * white.R.diagonal().sign()  # its first two columns are the features
    nodes, widths = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(12))
    line = torch.cat([-3.5 * (nodes + 1), 3.5 * (nodes + 1)])  # the sign jumps at 0
    mass = (3.5 * widths).repeat(2) * (-line.square() / 2).exp() / math.sqrt(2 * math.pi)
    smooth, weight = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(8))
    across = (line, mass) if outside else (smooth, weight / weight.sum())
    U = torch.cartesian_prod(line, line, across[0], smooth)
    weights = torch.cartesian_prod(mass, mass, across[1], weight / weight.sum()).prod(1)
    X, z = U @ frame.T @ C.T, U[:, :2].sign()
    label = torch.where((z == torch.tensor([1.0, 1.0])).all(1), 1.0, -1.0).double()  # both features
    return M, Sigma, X, weights, torch.where(U[:, 2] > 0, label, -label) if outside else label, z.prod(1)


def _risk(theta: Tensor, X: Tensor, y: Tensor, weights: Tensor) -> float:
    return float(weights @ torch.nn.functional.softplus(-y * (X @ theta)))


def _best(X: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """The best linear classifier by Newton's method, logistic loss."""
    theta = torch.zeros(X.shape[1]).double()
    for _ in range(12):
        p = torch.sigmoid(-y * (X @ theta))
        curved = (X * (weights * p * (1 - p))[:, None]).T @ X
        theta = theta + torch.linalg.solve(curved, X.T @ (weights * p * y))
    return theta


def _optima(
    seed: int,
    *,
    first: float = math.sqrt(2 / math.pi),
    reads: str = "features",
    trained: str = "best",
    degree: str = "parity",
) -> tuple[Evidence, ...]:
    """The best classifier of "both features", and that of their parity; the task has the degree-1 vector (1/2, 1/2)."""
    M, Sigma, X, weights, y, _ = _coloured_points(seed, reads != "features")
    best = _best(X, y, weights)
    theta = best if trained == "best" else X.T @ (weights * y)
    G, risks = M.T @ Sigma @ M, []
    for other in (best, *normal(3, 4, generator=_generator(seed))):
        inside = M @ torch.linalg.solve(G, M.T @ Sigma @ other)
        risks.append(_risk(inside, X, y, weights) - _risk(other, X, y, weights))
    _, _, X, weights, y, parity = _coloured_points(seed, False)
    law = first * Sigma @ M @ (0.5 / G.diagonal().sqrt())
    blind = _best(X, parity if degree == "parity" else y, weights)
    return (
        Evidence("share of the best classifier outside", relative(M @ (M.T @ theta), theta), "at most", 1e-6),
        Evidence("risk inside the span less that outside", max(risks), "at most", 1e-9),
        Evidence("distance of the gradient at zero to its law", relative(law, X.T @ (weights * y)), "at most", 1e-4),
        Evidence("length of the best classifier without degree 1", float(blind.norm()), "at most", 1e-6),
    )


@lru_cache(maxsize=1)
def _single_inputs(seed: int) -> float:
    """Mean squared length outside over that inside times T, one input a batch, in 400 dimensions."""
    g, d, n = _generator(seed), 400, 15_000
    one, two = normal(16 * n, 1, generator=g), normal(n, d - 2, generator=g)  # a neuron's inputs, and some outside
    active = normal(n, 1, generator=g) > 0
    two[:, :1] = torch.where(active, two[:, :1].abs(), -two[:, :1].abs())  # along the neuron
    noise = float(one.relu().square().mean() * (active * two.square()).sum(1).mean())
    neurons = _even_neurons()
    inside, _ = population_step(*neurons, limit_kernel(2, "balanced")).learned(neurons)
    return noise / (float(inside.square().sum(1).mean()) * 1e4 / d)


def _one_label(
    seed: int, *, square: float = math.pi**2, fewer: float = 1.0, tasks: str = "symmetric"
) -> tuple[Evidence, ...]:
    """All tasks of a law, pattern by pattern; products of two labels; and what one and one input teach."""
    laws = [all_tasks(3), balanced_tasks(3), torch.cat([characters(3)[1:], -characters(3)[1:]])]
    if tasks != "symmetric":
        order = [(a, b) for a in range(8) for b in range(8) if a & b == a]
        laws = [F[torch.stack([F[:, a] <= F[:, b] for a, b in order]).all(0)] for F in laws[:2]]
    coin = max(largest(F.mean(0)) for F in laws)
    kernel = balanced_tasks(2).T @ balanced_tasks(2) / 6
    law = (4 * torch.eye(4).double() - fewer) / (4 - fewer)
    price = square * (4 - fewer) ** 2 * 400**2 / 2
    return (
        Evidence("largest mean label of a pattern", coin, "at most", 1e-12),
        Evidence("distance of the mean product of labels to its law", largest(kernel - law), "at most", 1e-9),
        off("tasks for energy one half", _single_inputs(seed), price, 0.04),
    )


_PER_TASK = {8: 40_000, 128: 12_000, 900: 9_000}
"""Inputs in a batch, and from how many tasks' heads the noise is taken."""


@lru_cache(maxsize=1)
def _noise_by_budget(seed: int) -> Tensor:
    """N (1/e - 1) / d for random tasks with batches of three sizes, two features in 200 dimensions.

    Of an input the features and the coordinate along the neuron are drawn: what is left is independent noise.
    """
    g, d, found = _generator(seed), 200, []
    neurons = _even_neurons()
    inside, _ = population_step(*neurons, limit_kernel(2, "balanced")).learned(neurons)
    signal = float(inside.square().sum(1).mean()) * 1e4 / d

    def batch(count: int, h: int) -> tuple[Tensor, Tensor, Tensor]:
        """Labels, inputs of a neuron, and their part along it, (count, h)."""
        F = sample_tasks(count, 2, law="balanced", generator=g)
        V = math.sqrt(2 / d) * torch.nn.functional.normalize(normal(count, 1, 2, generator=g), dim=2)
        U, xi = normal(count, h, 2, generator=g), normal(count, h, generator=g)
        y = F.gather(1, (U > 0).long() @ torch.tensor([1, 2]))
        return y, (U * V).sum(2) + math.sqrt(1 - 2 / d) * xi, xi

    for h, count in _PER_TASK.items():
        y, s, _ = batch(count, h)
        heads = float((y * s.relu()).mean(1).square().mean())
        y, s, xi = batch(40_000 // h, h)
        outside = (y * (s > 0) * xi).mean(1).square() + (d - 3) * (s > 0).double().mean(1) / h
        found.append(2 * h * heads * float(outside.mean()) / (signal * d))
    return torch.tensor(found)


def _budget(
    seed: int, *, floor: float = 2 * math.pi, critical: float = math.pi, heads: str = "noisy"
) -> tuple[Evidence, ...]:
    h, d = torch.tensor(list(_PER_TASK)).double(), 200
    halfway = critical * 3 * d / 2 if heads == "noisy" else 0.0
    law = floor * 3 * (1 + halfway / h)
    return (off("labels times noise over signal, three sizes of batches", _noise_by_budget(seed), law, 0.06),)


@lru_cache(maxsize=2)
def _chained(seed: int, stationary: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Mean steps on Markov chains of three inputs: two independent ones, one twice; and on independent inputs."""
    law = _small_law(seed, False, True)
    chance, W = law[1], law[3]
    g = _generator(seed)
    stay = 0.3 + 0.4 * float(torch.rand(1, generator=g))
    move = stay * torch.eye(6).double() + (1 - stay) * chance  # keeps the chances
    start = chance if stationary else torch.eye(6).double()[0]
    chains = list(itertools.product(range(6), repeat=3))
    X, _, Y, _ = law
    S, numbers = X @ W.T, torch.tensor(chains)
    weight = start[numbers[:, 0]] * move[numbers[:, 0], numbers[:, 1]] * move[numbers[:, 1], numbers[:, 2]]
    heads = (Y[:, numbers][..., None] * S.relu()[numbers]).mean(2)  # (tasks, chains, m)
    pulls = (Y[:, numbers][..., None] * (S > 0)[numbers]).mT @ X[numbers] / 3  # (tasks, chains, m, d)
    apart = ((heads * weight[:, None]).sum(1)[..., None] * (pulls * weight[:, None, None]).sum(1)).mean(0)
    twice = (heads[..., None] * pulls * weight[:, None, None]).sum(1).mean(0)
    free_heads = (Y[..., None] * S.relu() * chance[:, None]).sum(1)
    free_pulls = torch.einsum("tx,x,xm,xd->tmd", Y, chance, (S > 0).double(), X)
    return apart, twice, (free_heads[..., None] * free_pulls).mean(0)


_LENGTH, _RHO = 24, 0.9


@lru_cache(maxsize=1)
def _path_variances(seed: int) -> Tensor:
    """Variances over 40,000 paths times 2 n: of heads and of the layer's part, for a dictator and a parity of three."""
    g, count = _generator(seed), 40_000
    X = normal(count, _LENGTH, 5, generator=g)
    for i in range(1, _LENGTH):
        X[:, i] = _RHO * X[:, i - 1] + math.sqrt(1 - _RHO**2) * X[:, i]
    s, u, found = X[..., 3], X[..., 4], []
    for y in (X[..., 0].sign(), X[..., :3].sign().prod(2)):
        heads, layer = (y * s.relu()).mean(1), (y * (s > 0) * u).mean(1)
        found.append([2 * _LENGTH * float(x.var()) for x in (heads, layer)])
    return torch.tensor(found)


@lru_cache(maxsize=1)
def _lagged(seed: int) -> Tensor:
    """Mean of 1{s > 0} 1{s' > 0} u u' of pairs of correlation 0.9 and 0.6."""
    g, found = _generator(seed), []
    for c in (0.9, 0.6):
        X = normal(2, 2, 600_000, generator=g)
        s, u = X[0], c * X[0] + math.sqrt(1 - c * c) * X[1]
        found.append(float(((s[0] > 0) & (u[0] > 0)).double() @ (s[1] * u[1]) / 600_000))
    return torch.tensor(found)


def _dependence(
    seed: int,
    *,
    sheppard: float = 2 / math.pi,
    even: float = 0.25,
    turned: float = 2 * math.pi,
    twice: float = 2.0,
    four: float = 4.0,
    stationary: bool = True,
    apart: bool = True,
    forgets: str = "by degree",
) -> tuple[Evidence, ...]:
    found = _path_variances(seed)
    both, same, free = _chained(seed, stationary)
    law = torch.ones(2, 2).double()
    for k in range(1, _LENGTH):
        c, arc = _RHO**k, math.asin(_RHO**k)
        for row, degree in enumerate((1, 3)):
            stable = (sheppard * arc) ** (degree if forgets == "by degree" else 1)
            weight = (1 - k / _LENGTH) * stable
            law[row, 0] += twice * weight * (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi
            law[row, 1] += four * weight * c * (even + arc / turned)
    pairs = [c * (even + math.asin(c) / turned) for c in (0.9, 0.6)]
    return (
        Evidence("distance of mean steps", relative(both if apart else same, free), "at most", 1e-9),
        off("covariance of the layer's parts of two inputs", _lagged(seed), torch.tensor(pairs), 0.02),
        off("inflation of heads", found[:, 0], law[:, 0], 0.045),
        off("inflation of the layer's part", found[:, 1], law[:, 1], 0.04),
    )


@lru_cache(maxsize=2)
def _each_its_own(seed: int, common: bool) -> tuple[float, float, int]:
    """Gains of a step along a feature and across it, each task with gamma variances, sixteen directions a feature.

    Neurons lie almost wholly along a direction that no feature uses.
    """
    g, k, count = _generator(seed), 16, 40_000
    draws = torch.from_numpy(np.random.default_rng(seed).standard_gamma(1.0, (count, 2 * k)))
    M = torch.block_diag(*[torch.full((k, 1), k**-0.5).double()] * 2)
    u = torch.cat(
        [torch.nn.functional.normalize(normal(k, generator=g) @ (torch.eye(k).double() - 1 / k), dim=0), M[k:, 0]]
    )
    if common:  # one draw's variances, for all tasks
        draws = draws[:1].expand(count, -1)
    root, small = draws.sqrt(), 1e-3
    frame = M[:, :, None] * root.T[:, None]  # (2k, 2, count)
    frame = frame / frame.norm(dim=0)
    gains = []
    for q in (M[:, 0], u):
        V = small * torch.einsum("j,cj,jrc->cr", q, root, frame)
        tau = (1 + small**2 * (draws @ q.square()) - V.square().sum(1)).sqrt()
        step = population_step(V, tau, 0 * tau, limit_kernel(2, "balanced")).parallel
        gains.append(float(torch.einsum("cr,jrc,cj,j->c", step, frame, root, q).mean()) / small)
    return gains[0], gains[1], k


def _heterogeneous(
    seed: int, *, size: float = 2 * math.pi, fourth: float = 1.0, common: bool = False
) -> tuple[Evidence, ...]:
    """Gamma variances of shape 1, for which the mean of s^2 over the mean is k / (k + 1)."""
    along, across, k = _each_its_own(seed, common)
    chi = fourth * k / (k + 1)
    return (
        off("gain along a feature", along, 1 / (size * 3), 0.03),
        off("gain across over gain along", across / along, chi / k, 0.06),
    )


_claim = partial(stated, "09_neighbours")
CLAIMS = (
    _claim("cor-neighbour-bias", _bias, {"the root of Sigma": {"carried": "root"}}),
    _claim(
        "prop-neighbour-reuse",
        _reuse,
        {"inputs of a lopsided law": {"symmetric": False}, "labels of several sizes": {"signs": False}},
        sharpness=0.01,
    ),
    _claim(
        "prop-neighbour-optima",
        _optima,
        {
            "labels that read outside": {"reads": "outside"},
            "one gradient step": {"trained": "one step"},
            "a task with degree 1": {"degree": "one"},
        },
        sharpness=0.01,
    ),
    _claim("prop-neighbour-one-label", _one_label, {"monotone tasks": {"tasks": "monotone"}}),
    _claim("prop-neighbour-budget", _budget, {"heads without noise": {"heads": "exact"}}),
    _claim(
        "thm-neighbour-dependence",
        _dependence,
        {
            "paths that begin at one input": {"stationary": False},
            "one path for both": {"apart": False},
            "all tasks forget alike": {"forgets": "alike"},
        },
    ),
    _claim("prop-neighbour-heterogeneous", _heterogeneous, {"one covariance for all": {"common": True}}),
)
