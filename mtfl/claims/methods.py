"""Claims of chapter 7 on other ways to train: heads and optimisers, and contrastive losses.

Oracles: heads solved for on a product rule over the sphere, torch's own Adam, exact steps of sampled neurons, autograd
of the losses and of the multi-task loss on samples, enumeration of all tables, and sampled pairs.
"""

from __future__ import annotations

import itertools
import math
from functools import cache, lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from mtfl.claims.draws import balanced_tasks, normal, off, relative, two_stages
from mtfl.claims.registry import Evidence, Lower, Upper, stated
from mtfl.inputs import GaussianInputs
from mtfl.moments import pattern_moments
from mtfl.network import TwoLayerReLU
from mtfl.pairs import contrastive_loss, joint_cells, positives, task_cells
from mtfl.population import Neurons, population_step
from mtfl.pretraining import Adam, PretrainSettings, pretrain
from mtfl.randomness import stream
from mtfl.tasks import all_tasks, centred, degree_one, limit_kernel, pattern_signs, sample_tasks, walsh_coefficients


def _generator(seed: int) -> torch.Generator:
    return stream(seed, "claims methods")


@cache
def _sphere() -> tuple[Tensor, Tensor, Tensor]:
    """Directions in three dimensions, weights of means over them, and E[relu(w . x) relu(w' . x)] of all pairs."""
    heights, widths = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(24))
    turns = math.pi / 24 * torch.arange(48, dtype=torch.float64)
    height, turn = (x.flatten() for x in torch.meshgrid(heights, turns, indexing="ij"))
    ring = (1 - height.square()).sqrt()
    W = torch.stack([ring * turn.cos(), ring * turn.sin(), height], 1)
    cosine = (W @ W.T).clamp(-1, 1)
    angle = cosine.arccos()
    return W, widths.repeat_interleave(48) / 96, (angle.sin() + (math.pi - angle) * cosine) / (2 * math.pi)


@lru_cache(maxsize=1)
def _solved(seed: int) -> tuple[Tensor, float, Tensor, Tensor]:
    """A table of two features in three dimensions; a penalty; degrees 0 and 1 of its ridge heads, by the rule.

    Neurons are the rule's directions, each as many as its weight says; a head weighs them as a function on the sphere.
    """
    W, weight, second = _sphere()
    g = _generator(seed)
    penalty = 10 ** float(-3 + 3 * torch.rand(1, generator=g))
    F = torch.cat([torch.tensor([[1.0, 1, 1, -1]]).double(), sample_tasks(2, 2, generator=g)])
    moments = pattern_moments(W[:, :2], W[:, 2].abs(), torch.zeros(len(W)).double())
    correlations = moments.mean @ F.T / 4  # (directions, tasks)
    A = torch.linalg.solve(second * weight + penalty * torch.eye(len(W)).double(), correlations)
    return F, penalty, weight @ A, 3 * (W[:, :2] * weight[:, None]).T @ A


def _ridge_degrees(
    seed: int, *, constant: float = 1.0, linear: float = 4.0, size: float = 2 * math.pi, turned: bool = False
) -> tuple[Evidence, ...]:
    F, penalty, zeroth, first = _solved(seed)
    coefficients = walsh_coefficients(F)
    f0, f1 = coefficients[:, 0], degree_one(coefficients)
    mean, slope = constant * 3 / 16, 1 / (linear * 3)  # d alpha_d^2 at d = 3 is 3/16
    mean, slope = (slope, mean) if turned else (mean, slope)
    law = f0 / math.sqrt(size) / (mean + penalty), f1.T / math.sqrt(size) / (slope + penalty)
    return (
        Evidence("degree 0 of ridge heads, relative distance", relative(law[0], zeroth), "at most", 1e-4),
        Evidence("degree 1 of ridge heads, relative distance", relative(law[1], first), "at most", 1e-4),
    )


@lru_cache(maxsize=1)
def _turned_steps(seed: int) -> tuple[float, int]:
    """The mean energy of Adam's first step on a gradient in the span of three of eight directions, torch's own Adam."""
    g, d, r, runs = _generator(seed), 8, 3, 60_000
    M = torch.linalg.qr(normal(runs, d, r, generator=g)).Q
    gradient = (M @ normal(runs, r, 1, generator=g))[..., 0]
    W = torch.zeros_like(gradient, requires_grad=True)
    W.grad = gradient
    torch.optim.Adam([W], lr=1.0, eps=1e-30).step()
    inside = (M.mT @ W.detach()[..., None]).square().sum()
    return float(inside / W.detach().square().sum()), d


@lru_cache(maxsize=1)
def _axes_step(seed: int) -> float:
    """Energy of the first move of ``pretrain`` with Adam's rule, features along axes of six, balanced tasks."""
    g, d, r = _generator(seed), 6, 2
    network = TwoLayerReLU.random(5, d, tasks=6, generator=g)
    settings = PretrainSettings(1, 64, head_step=1.0, representation_step=Adam(0.01))
    trained = pretrain(network, GaussianInputs(torch.eye(d, r).double()), balanced_tasks(2), settings, generator=g)
    move = trained.network.W - network.W
    return float(move[:, :r].square().sum() / move.square().sum())


def _signs(seed: int, *, share: float = 2 / math.pi, features: float = 1.0, axes: float = 1.0) -> tuple[Evidence, ...]:
    turned, d = _turned_steps(seed)
    return (
        off("mean energy, any subspace", turned, share + features * (1 - share) * 3 / d, 0.005),
        off("energy, features along axes", _axes_step(seed), axes * 2 / 6, 1e-3),
    )


_EVENNESS = (0.2, 0.4, 0.6)


@lru_cache(maxsize=1)
def _few(seed: int) -> Tensor:
    """How often steps of m neurons on infinitely many balanced tasks of two features are less even than thresholds."""
    g, runs, found = _generator(seed), 20_000, []
    for m in (2, 6):
        neurons = Neurons.random(m * runs, 2, 10**6, generator=g)
        step = population_step(*neurons, limit_kernel(2, "balanced")).parallel.view(runs, m, 2)
        values = torch.linalg.svdvals(step)
        ratio = values[:, 1] / values[:, 0]
        found.append(torch.stack([(ratio <= x).double().mean() for x in _EVENNESS]))
    return torch.stack(found)


def _few_neurons(seed: int, *, twice: float = 2.0, fewer: float = 1.0, own: float = 1.0) -> Evidence:
    x = torch.tensor(_EVENNESS).double()
    law = torch.stack([(twice * x / (1 + own * x.square())) ** (m - fewer) for m in (2, 6)])
    found = _few(seed)
    return Evidence("largest distance of shares of layers", float((found - law).abs().max()), "at most", 0.018)


def _bias_step(
    seed: int,
    *,
    size: float = math.sqrt(2) * math.pi**1.5,
    mean: float = 2 * math.sqrt(2 * math.pi),
    centre: bool = True,
) -> tuple[Evidence, ...]:
    """The exact pull on a bias of tables with and without their means, neurons almost outside the subspace."""
    g = _generator(seed)
    F = torch.cat([2 * (pattern_signs(3).sum(1) == 3).double()[None] - 1, sample_tasks(5, 3, generator=g)])
    V, tau = 1e-3 * normal(6, 3, generator=g), 0.5 + torch.rand(6, generator=g, dtype=torch.float64)
    moments, length = pattern_moments(V, tau, 0 * tau), (V.square().sum(1) + tau.square()).sqrt()

    def pull(F: Tensor) -> Tensor:
        return ((moments.mean @ F.T / 8) * (moments.active @ F.T / 8)).mean(1)

    f1 = degree_one(walsh_coefficients(F))
    law = (V @ f1.T).square().mean(1) / (size * length)
    square = F.mean(1).square().mean() * length / mean
    return (
        off("pull on the bias, centred labels", pull(centred(F) if centre else F), law, 0.01),
        off("pull on the bias, labels as they are", pull(F), square, 0.02),
    )


@lru_cache(maxsize=1)
def _equal_sample(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Neurons and inputs of which each of four patterns has ten."""
    g, d = _generator(seed), 6
    W, patterns = normal(5, d, generator=g) / math.sqrt(d), torch.arange(4).repeat_interleave(10)
    X = normal(40, d, generator=g)
    X[:, :2] = X[:, :2].abs() * pattern_signs(2)[patterns]
    return W, X, patterns


def _cooled(W: Tensor, X: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Minus the gradient of temperature times the contrastive loss, both sides moving, by autograd."""
    W = W.clone().requires_grad_()
    H = torch.relu(X @ W.T)
    loss = contrastive_loss(H, H, weights, temperature=temperature, similarity="dot")
    return -torch.autograd.grad(temperature * loss, W)[0]


@lru_cache(maxsize=1)
def _three_losses(seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """For patterns and for classes of tasks: minus the loss's gradient, and the steps of the multi-task loss."""
    W, X, z = _equal_sample(seed)
    patterns = torch.arange(4).unsqueeze(0)
    F = torch.cat([torch.tensor([[1.0, -1, -1, -1]]).double(), all_tasks(2)[[1, 6, 3, 8]][seed % 4 : seed % 4 + 2]])
    weighted = centred(F) / (1 - F.mean(1, keepdim=True).square()).sqrt()

    def step(table: Tensor) -> Tensor:
        return two_stages(W, (X, table[:, z]), (X, table[:, z]), torch.relu)

    return {
        "patterns": (_cooled(W, X, positives(patterns, z, z), 1e7), step(balanced_tasks(2))),
        "tasks": (_cooled(W, X, positives(task_cells(F), z, z), 1e7), step(weighted)),
        "labels as they are": (torch.zeros(1), step(F)),
    }


@cache
def _largest_gap() -> float:
    """Temperature times the loss, plus the variance between cells, in units of spread^2 / temperature."""
    H = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    loss = 100 * contrastive_loss(H, H, torch.eye(2).double(), temperature=100.0, similarity="dot")
    return 100 * float(loss + 0.5)


def _hot(
    seed: int,
    *,
    share: Upper = 1.0,
    bound: Upper = 1 / 8,
    patterns: float = 2.0,
    fewer: float = 1.0,
    tasks: float = 2.0,
    centre: bool = True,
) -> tuple[Evidence, ...]:
    W, X, z = _equal_sample(seed)
    H, losses = torch.relu(X @ W.T), _three_losses(seed)
    scores, gaps = H @ H.T, [_largest_gap()]
    between = sum(0.25 * (H[z == k].mean(0) - H.mean(0)).square().sum() for k in range(4))
    spread = float((scores.max(1).values - scores.min(1).values).max())
    lowest = math.inf
    for temperature in (0.3, 3.0, 30.0, 1e5):
        weights = positives(torch.arange(4).unsqueeze(0), z, z)
        loss = temperature * contrastive_loss(H, H, weights, temperature=temperature, similarity="dot")
        lowest = min(lowest, float(loss + share * between))
        gaps.append(float(loss + between) * temperature / spread**2)
    (climbs, balanced), (climbed, weighted) = losses["patterns"], losses["tasks"]
    weighted = weighted if centre else losses["labels as they are"][1]
    pulls, classes = relative(patterns * (4 - fewer) * balanced, climbs), relative(tasks * weighted, climbed)
    return (
        Evidence("loss plus variance, the least", lowest, "at least", -1e-12),
        Evidence("loss plus variance, the largest over its bound", max(gaps) / bound, "at most", 1.001),
        Evidence("pairs of patterns, relative distance", pulls, "at most", 1e-4),
        Evidence("classes of tasks, relative distance", classes, "at most", 1e-4),
    )


@lru_cache(maxsize=1)
def _spectral_step(seed: int) -> tuple[Tensor, Tensor]:
    """Minus the gradient of the spectral loss of features times epsilon over epsilon^2, and the step on all tasks."""
    W, X, z = _equal_sample(seed)
    free, epsilon = W.clone().requires_grad_(), 1e-4
    H = epsilon * torch.relu(X @ free.T)
    scores, weights = H @ H.T, positives(torch.arange(4).unsqueeze(0), z, z)
    loss = scores.square().mean() - 2 * (weights * scores).sum(1).mean()
    F = all_tasks(2)
    return -torch.autograd.grad(loss, free)[0] / epsilon**2, two_stages(W, (X, F[:, z]), (X, F[:, z]), torch.relu)


def _spectral(seed: int, *, four: float = 4.0, tables: str = "all") -> Evidence:
    climbed, uniform = _spectral_step(seed)
    if tables == "balanced":
        W, X, z = _equal_sample(seed)
        B = balanced_tasks(2)
        uniform = two_stages(W, (X, B[:, z]), (X, B[:, z]), torch.relu)
    distance = relative(four * 4 * uniform, climbed)
    return Evidence("relative distance to 4 K steps on uniform tasks", distance, "at most", 1e-4)


_WIDE = 300  # dimension at which pairs are sampled, of d^2 inputs


@lru_cache(maxsize=1)
def _price(seed: int) -> tuple[float, float]:
    """Outside over inside, two features: each input with one partner of its pattern, and with all; both sides moving.

    Twelve neurons with V^T V = (12 / d) I and tau = 1. Of an input the coordinates in the subspace and along the
    neurons are drawn: what the others add to a step is independent noise of known size.
    """
    g, d, m, n, found = _generator(seed), _WIDE, 12, _WIDE**2, torch.zeros(2, 2).double()
    for _ in range(18):
        V = math.sqrt(m / d) * torch.linalg.qr(normal(m, 2, generator=g)).Q
        W = torch.cat([V, torch.eye(m).double()], 1).float()
        X = torch.randn(n, 2 + m, generator=g)
        z = (X[:, :2] > 0).long() @ torch.tensor([1, 2])
        X = X[z.argsort()]
        H = (X @ W.T).clamp(min=0)
        patterns = H.split(z.bincount(minlength=4).tolist())  # each in random order, as the inputs are
        one = torch.cat([own.roll(-1, 0) + own.roll(1, 0) for own in patterns])
        every = torch.cat([2 * own.mean(0).expand_as(own) for own in patterns])
        for anchors, total in zip((one, every), found, strict=True):
            pulls = (anchors - 2 * H.mean(0)) * (H > 0) / n
            squares, noise = (pulls.T @ X).square(), pulls.square().sum()
            total += torch.stack([squares[:, :2].sum() - 2 * noise, squares[:, 2:].sum() + (d - 2 - m) * noise])
    one, every = (found[:, 1] / found[:, 0]).tolist()
    return one, every


def _pair_price(
    seed: int, *, one: float = math.pi * (math.pi - 1) / 2, every: float = math.pi, sampled: bool = True
) -> tuple[Evidence, ...]:
    of_one, of_all = _price(seed)
    return (
        off("outside over inside, one partner each", of_one if sampled else of_all, one / 2, 0.06),
        off("outside over inside, all partners", of_all, every / _WIDE, 0.06),
    )


@cache
def _apart() -> tuple[tuple[int, int, float], ...]:
    """Of all tables of T tasks on r features, the share in which no two patterns have the same labels."""
    found = []
    for r, T in ((1, 1), (1, 3), (2, 2), (2, 3), (2, 4)):
        K = 2**r
        codes = torch.cartesian_prod(*[torch.arange(2**T)] * K)  # a table is K codes of T labels, one a pattern
        different = (codes.sort(1).values.diff(dim=1) != 0).all(1)
        found.append((K, T, float(different.double().mean())))
    return tuple(found)


@cache
def _agreement(p: float, T: int) -> float:
    """The chance that two inputs of one pattern agree on T labels, by all outcomes of their coins."""
    outcomes = [(p, True), (1 - p, False)]
    pairs = [(a * b, x == y) for (a, x), (b, y) in itertools.product(outcomes, outcomes)]
    return sum(math.prod(c for c, _ in each) for each in itertools.product(pairs, repeat=T) if all(s for _, s in each))


def _agree_all(
    seed: int, *, base: float = 2.0, share: Lower = 1.0, both: float = 2.0, even: float = 1.0, law: str = "pairs"
) -> tuple[Evidence, ...]:
    shares = [(found, math.prod(1 - k / base**T for k in range(K))) for K, T, found in _apart()]
    p, T = 0.05 + 0.02 * seed, 1 + seed % 4
    kept = (1 - p) ** both + p**both if law == "pairs" else 1 - 2 * p
    g = _generator(seed)
    F = sample_tasks(16, 3, generator=g)
    cells = joint_cells(F)
    code = torch.unique(F.T, dim=0).shape[0]
    z = torch.arange(8)
    pulls = positives(cells, z, z) - 1 / 8
    operator = pattern_signs(3).T @ pulls @ pattern_signs(3) / 8
    values = torch.linalg.eigvalsh(operator)
    union = [1 - K * (K - 1) / 2 / 2**T for K, T, _ in _apart()]
    least = min(found - share * u for (found, _), u in zip(shares, union, strict=True) if u > 0)
    return (
        Evidence("share of tables that tell all patterns apart, distance",
                 max(abs(a - b) for a, b in shares), "at most", 1e-9),
        Evidence("share over the union bound, least difference", least, "at least", -1e-9),
        off("chance of agreement under flips", _agreement(p, T), kept**T, 1e-9),
        off("conditioning of sixteen tasks that tell all apart",
            float(values[0] / values[-1]) if code == 8 else 1.0, even, 1e-9),
    )  # fmt: skip


_claim = partial(stated, "07_beyond_the_assumptions")
CLAIMS = (
    _claim("thm-ridge-degrees", _ridge_degrees, {"eigenvalues exchanged": {"turned": True}}, sharpness=0.01),
    _claim("prop-adam-sign", _signs, sharpness=0.05),
    _claim("prop-few-neurons", _few_neurons),
    _claim("prop-bias-step", _bias_step, {"labels as they are": {"centre": False}}, sharpness=0.05),
    _claim("thm-contrastive-variance", _hot, {"labels as they are": {"centre": False}}, sharpness=0.01),
    _claim("prop-spectral-uniform", _spectral, {"balanced tasks": {"tables": "balanced"}}, sharpness=0.01),
    _claim("prop-pair-price", _pair_price, {"all partners at once": {"sampled": False}}),
    _claim("prop-agree-all", _agree_all, {"(1 - 2p)^T": {"law": "labels"}}, sharpness=0.05),
)
