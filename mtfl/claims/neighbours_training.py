"""Claims of chapter 10: width as capacity, finetuning of a diagonal network, least path norms.

Oracles: a layer trained by L-BFGS, heads fitted to sampled features, quadrature of labels, the population flow of the
network, differential equations of both layers, linear programs, alternating projections and shrinkage (ADMM), dual
certificates, and the enumeration of all labels of few points.
"""

from __future__ import annotations

import itertools
import math
from functools import cache, lru_cache, partial

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import linprog, minimize_scalar
from torch import Tensor

from mtfl.claims.draws import normal, off, relative
from mtfl.claims.registry import Evidence, stated
from mtfl.neighbours.finetuning import finetuned_coefficients, finetuning_penalty
from mtfl.neighbours.interpolants import ambiguous_gaps, hats, kernel_heads, path_norm_weights, slope_changes
from mtfl.population import Neurons, population_flow
from mtfl.randomness import stream
from mtfl.tasks import characters, degree_one, pattern_signs, sample_tasks, walsh_coefficients


def _generator(seed: int) -> torch.Generator:
    return stream(seed, "claims neighbours training")


# Width


@lru_cache(maxsize=1)
def _best_layer(seed: int) -> tuple[Tensor, Tensor, Tensor, float]:
    """Degree-one vectors of random thresholds, the subspace, the rows of a trained layer of width 2 and its loss."""
    g, r, R, d = _generator(seed), 4, 2, 6
    F = sample_tasks(30, r, law="threshold", generator=g)
    M = torch.linalg.qr(normal(d, r, generator=g)).Q
    nodes, weights = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(40))
    h = 5 * (nodes + 1)  # E|h| by quadrature
    mean = float(5 * weights @ (h * (-h * h / 2).exp()) * math.sqrt(2 / math.pi))
    correlations = mean * (F @ pattern_signs(r) / 2**r) @ M.T  # E[y x], (T, d)
    W = normal(R, d, generator=g).requires_grad_()

    def loss() -> Tensor:
        Q = torch.linalg.qr(W.T).Q
        return 1 - (correlations @ Q).square().sum(1).mean()

    optimiser = torch.optim.LBFGS([W], max_iter=400, tolerance_grad=1e-12, tolerance_change=1e-15,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def closure() -> Tensor:
        optimiser.zero_grad()
        found = loss()
        found.backward()
        return found

    optimiser.step(closure)
    return degree_one(walsh_coefficients(F)), M, torch.linalg.qr(W.detach().T).Q, loss().item()


@lru_cache(maxsize=1)
def _prices(seed: int) -> tuple[float, float]:
    """Mean excess over the rest's variance, of heads on 2 and on 3 Gaussian features and 8 examples."""
    X = normal(100_000, 8, 3, generator=_generator(seed))
    gram = X.transpose(1, 2) @ X
    found = [torch.linalg.inv(gram[:, :R, :R]).diagonal(dim1=1, dim2=2).sum(1).mean() for R in (2, 3)]
    return float(found[0]), float(found[1])


@cache
def _excess(turned: bool) -> tuple[float, float]:
    """E[e^2 |features|^2] and E[e^2] of the majority of three on two features, along axes or not, by quadrature."""
    nodes, weights = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(24))
    h = 4.5 * (nodes + 1)
    weight = 4.5 * weights * (-h * h / 2).exp() / math.sqrt(2 * math.pi)
    sizes, chance = torch.cartesian_prod(h, h, h), torch.cartesian_prod(weight, weight, weight).prod(1)
    U = torch.eye(3, dtype=torch.float64)[:, :2]
    if turned:
        U = torch.linalg.qr(torch.tensor([[1.0, 1], [1, -1], [1, 0]], dtype=torch.float64)).Q
    square = rest = 0.0
    for z in pattern_signs(3):
        features = (z * sizes) @ U
        theta = math.sqrt(2 / math.pi) * U.sum(0) / 2  # each degree-one coefficient is 1/2
        e = z.sum().sign() - features @ theta
        rest += float(chance @ e.square())
        square += float(chance @ (e.square() * features.square().sum(1)))
    return square, rest


def _width(
    seed: int,
    *,
    explained: float = 2 / math.pi,
    price: float = 1.0,
    lost: float = 1.0,
    first: float = 1.0,
    threshold: float = 1.0,
    leading: bool = True,
    turned: bool = False,
) -> tuple[Evidence, ...]:
    f1, M, basis, least = _best_layer(seed)
    values, vectors = torch.linalg.eigh(f1.T @ f1 / len(f1))
    values, vectors = (values.flip(0), vectors.flip(1)) if leading else (values, vectors)
    two, three = _prices(seed)
    square, rest = _excess(turned)
    return (
        off("loss of a trained layer", least, 1 - explained * float(values[:2].sum()), 1e-6),
        Evidence("features outside the stated span", float((basis - M @ vectors[:, :2] @ vectors[:, :2].T @ M.T @ basis)
                 .norm()), "at most", 1e-3),
        off("excess of two features, eight examples", two, price * 2 / (8 - 2 - lost), 0.008),
        off("first order of the excess for labels of signs", square, first * 2 * rest, 1e-6),
        off("gain at which a third feature pays", 1 - (1 + two) / (1 + three), threshold / (8 - 2 - lost), 0.04),
    )  # fmt: skip


@lru_cache(maxsize=1)
def _flow(seed: int) -> tuple[Tensor, Tensor]:
    """Frequencies of three features' tasks, and how each has grown after 12 rounds of the network on infinite data."""
    g = _generator(seed)
    p = 0.05 + torch.rand(3, generator=g, dtype=torch.float64)
    p = p / p.sum()
    Z, start = pattern_signs(3), Neurons.random(8, 3, 50, generator=g)
    flow = population_flow(start, (Z * p) @ Z.T, rounds=12, head_step=0.05, representation_step=8.0)
    return p, flow.neurons.V.norm(dim=0) / start.V.norm(dim=0)


@cache
def _slowest(p: float, factor: float) -> int:
    """Rounds until a feature has grown by a factor, by the recursion, at a small growth constant."""
    v = total = 1.0
    rounds = 0
    while v < factor:
        v += 1e-6 * p * total
        total += v
        rounds += 1
    return rounds


def _competition(
    seed: int, *, period: float = 2 * math.pi, half: float = 0.5, power: float = 0.5, law: str = "p"
) -> tuple[Evidence, ...]:
    p, growth = _flow(seed)
    rate = 0.05 * 8 / period * {"p": p, "p^2": p**2, "equal": torch.full_like(p, 1 / 3)}[law]
    beta = (1 + rate / 2).acosh()
    stated_growth = (12.5 * beta).cosh() / (beta / 2).cosh()
    rounds = (growth * (beta / 2).cosh()).acosh() / beta - half
    ratio = _slowest(0.1, 5.0) / _slowest(0.6, 5.0)
    return (
        off("growth after twelve rounds", growth, stated_growth, 1e-6),
        off("rounds that the growth takes", rounds, torch.full_like(p, 12), 1e-6),
        off("rounds of a rare feature over those of a common one", ratio, 6**power, 0.01),
    )


# Finetuning


def _trained(X: Tensor, Y: Tensor, w: Tensor, until: float, heads: float = 0.0) -> tuple[Tensor, Tensor]:
    """Weights (S,) and heads (T, S) after gradient flow of the mean squared loss on labels Y (T, n), by a solver."""
    T, S, n = len(Y), len(w), len(X)
    A, B = X.numpy(), Y.numpy()

    def slope(_: float, state: np.ndarray) -> np.ndarray:
        w, v = state[:S], state[S:].reshape(T, S)
        pull = (B - (w * v) @ A.T) @ A / n
        return np.concatenate([(pull * v).sum(0), (pull * w).ravel()])

    start = np.concatenate([w.numpy(), np.full(T * S, heads)])
    found = solve_ivp(slope, (0, until), start, method="LSODA", rtol=1e-9, atol=1e-11).y[:, -1]
    return torch.from_numpy(found[:S]), torch.from_numpy(found[S:]).reshape(T, S)


@lru_cache(maxsize=2)
def _networks(seed: int, heads: float) -> tuple:
    """A network pretrained on three tasks, its energies and start, and what finetuning on six patterns makes of it."""
    g, alpha, scale = _generator(seed), 0.5, 0.7
    F, chi = sample_tasks(3, 4, generator=g), characters(4)
    energy = walsh_coefficients(F).square().sum(0)
    w, _ = _trained(chi.T, F, torch.full((16,), alpha, dtype=torch.float64), 200.0)
    rows = torch.randperm(16, generator=g)[:6]
    X, y = chi[:, rows].T, normal(1, 6, generator=g)
    after, v = _trained(X, y, scale * w, 400.0, heads)
    return energy, alpha, w, scale, X, y[0], after * v[0]


@lru_cache(maxsize=1)
def _cheapest(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Energies, coefficients, and the least half sum of squares of weights that makes them, by a search on a line."""
    g = _generator(seed)
    E, beta = torch.rand(5, generator=g).double(), normal(5, generator=g)
    least = [
        minimize_scalar(lambda s, k=k: (math.exp(s) + k * math.exp(-s)) / 2).fun  # in log w^2
        for k in (E + beta**2).tolist()
    ]
    return E, beta, torch.tensor(least, dtype=torch.float64)


def _finetune(
    seed: int,
    *,
    half: float = 0.5,
    quarter: float = 0.25,
    square: float = 0.5,
    one: float = 1.0,
    root: float = 0.5,
    penalty: str = "Q",
    heads: float = 0.0,
) -> tuple[Evidence, ...]:
    energy, alpha, w, scale, X, y, found = _networks(seed, heads)
    law = half * alpha**2 + (quarter * alpha**4 + energy).sqrt()
    least = X.T @ torch.linalg.solve(X @ X.T, y)
    beta = finetuned_coefficients(X, y, square * (scale * w) ** 2) if penalty == "Q" else least
    g = _generator(seed)
    b, c = (normal(50, generator=g).exp().requires_grad_() for _ in range(2))
    Q = finetuning_penalty(b, c)
    in_b, in_c = torch.autograd.grad(Q.sum(), (b, c))
    order, dependence = (b * in_b / Q).detach(), (-c * in_c / Q).detach()
    E, joint, cheapest = _cheapest(seed)
    return (
        off("squared weights after pretraining", w.square(), law, 1e-4),
        Evidence("distance of finetuned coefficients to the minimiser", relative(beta, found), "at most", 1e-3),
        off("order less dependence", order - dependence, torch.full_like(order, one), 1e-9),
        off("least cost of joint training", cheapest, (E + joint**2) ** root, 1e-6),
    )


# Connecting the dots


def _points(seed: int, n: int) -> Tensor:
    """Increasing points with random spacings from 1 to 3."""
    return (1 + 2 * torch.rand(n, generator=_generator(seed), dtype=torch.float64)).cumsum(0)


def _line_programs(points: Tensor, y: Tensor) -> tuple[float, float]:
    """The least norm of one task, and the largest height between two minimisers at gap middles, by linear programs."""
    x, middles = points.numpy(), ((points[1:] + points[:-1]) / 2).numpy()
    grid = np.unique(np.concatenate([x, middles, (3 * x[1:] + x[:-1]) / 4, (x[1:] + 3 * x[:-1]) / 4]))

    def rows(at: np.ndarray) -> np.ndarray:
        R = np.maximum(at[:, None] - grid, 0)
        return np.concatenate([R, -R, np.ones((len(at), 1)), -np.ones((len(at), 1)), at[:, None], -at[:, None]], 1)

    A, cost = rows(x), np.concatenate([np.ones(2 * len(grid)), np.zeros(4)])
    least = linprog(cost, A_eq=A, b_eq=y.numpy(), method="highs").fun
    width = 0.0
    for row in rows(middles[1:-1]):
        ends = [
            linprog(sign * row, A_eq=A, b_eq=y.numpy(), A_ub=cost[None], b_ub=[least + 1e-9], method="highs").fun
            for sign in (1, -1)
        ]
        width = max(width, -ends[1] - ends[0])
    return least, width


@lru_cache(maxsize=1)
def _one_task(seed: int) -> tuple[Tensor, Tensor, list[tuple[float, float]]]:
    """Six points; labels with an ambiguous gap, alternating, with a zero change, and real ones; and their programs."""
    points, g = _points(seed, 6), _generator(seed + 1000)
    signs = torch.tensor([[1.0, -1, -1, 1, 1, 1], [1, -1, 1, -1, 1, -1], [1, 1, 1, -1, -1, -1]], dtype=torch.float64)
    labels = torch.cat([signs, normal(2, 6, generator=g)])
    return points, labels, [_line_programs(points, y) for y in labels]


def _shrinkage(H: Tensor, D: Tensor, seed: int, steps: int) -> Tensor:
    """Least sum_k |v_k| with H V = D, by projections and shrinkage from a random start, V (kinks, T)."""
    size = float(D.abs().max())
    P, Z = H.T @ torch.linalg.inv(H @ H.T), normal(H.shape[1], D.shape[1], generator=_generator(seed)) * size
    V, U = Z, torch.zeros_like(Z)
    for _ in range(steps):
        V = Z - U
        V = V - P @ (H @ V - D)
        Z = V + U
        Z = Z * (1 - size / Z.norm(dim=1, keepdim=True).clamp(min=1e-300)).clamp(min=0)
        U = U + V - Z
    return V


@lru_cache(maxsize=4)
def _several_tasks(seed: int, kind: str) -> tuple[float, float, float]:
    """Least norm, the dots' norm, and the share of the norm that lies between the points, of three tasks on six."""
    points, g = _points(seed, 6), _generator(seed + 2000)
    Y = torch.tensor([[1.0, -1, -1, 1, 1, -1]], dtype=torch.float64)
    if kind == "diverse":
        Y = torch.cat([Y, sample_tasks(2, 3, generator=g)[:, :6]])
        while ambiguous_gaps(points, Y).any():
            Y[1:] = sample_tasks(2, 3, generator=g)[:, :6]
    elif kind == "copies":
        Y = Y.repeat(3, 1)
    kinks = torch.cat([points[1:-1], *((k * points[1:] + (4 - k) * points[:-1]) / 4 for k in (1, 2, 3))])
    changes = slope_changes(points, Y).T
    lengths = _shrinkage(hats(points, kinks), changes, seed, 2500).norm(dim=1)
    return float(lengths.sum()), float(changes.norm(dim=1).sum()), float(lengths[4:].sum() / lengths.sum())


def _unique(points: Tensor, y: Tensor, rule: str) -> bool:
    """Whether a rule says that the dots of one task are connected in one way only."""
    a, b = slope_changes(points, y[None])[0, :-1], slope_changes(points, y[None])[0, 1:]
    product = torch.where(a * b == 0, 0 * a, (a * b).sign())
    return not bool({"positive": product > 0, "either sign": product != 0, "opposite": product < 0}[rule].any())


def _dots(seed: int, *, norm: float = 1.0, rule: str = "positive", tasks: str = "diverse") -> tuple[Evidence, ...]:
    points, labels, found = _one_task(seed)
    total = slope_changes(points, labels).abs().sum(1)
    wrong = sum((width < 1e-6) != _unique(points, y, rule) for y, (_, width) in zip(labels, found, strict=True))
    least, dots, between = _several_tasks(seed, tasks)
    return (
        off("least norm of one task", torch.tensor([least for least, _ in found]), norm * total, 1e-6),
        off("least norm of three tasks", least, norm * dots, 1e-6),
        Evidence("labels whose uniqueness the rule misses", wrong, "at most", 0),
        Evidence("share of the norm between the points, three tasks", between, "at most", 1e-6),
    )


@cache
def _counted(T: int) -> float:
    """The share of all tables of four coin labels whose middle gap is ambiguous, by the angle between changes."""
    h = (1.0, 0.7, 2.3)
    labels = list(itertools.product((-1, 1), repeat=4))
    changes = [((c - b) / h[1] - (b - a) / h[0], (d - c) / h[2] - (c - b) / h[1]) for a, b, c, d in labels]
    hits = 0
    for table in itertools.product(changes, repeat=T):
        (aa, bb, ab) = (sum(x[i] * x[j] for x in table) for i, j in ((0, 0), (1, 1), (0, 1)))
        hits += aa > 1e-9 and bb > 1e-9 and ab > (1 - 1e-9) * math.sqrt(aa * bb)
    return hits / 16**T


@lru_cache(maxsize=1)
def _valley(seed: int) -> tuple[list[float], float, float, float]:
    """Spacings of four points with labels + - - +, and how far below and above the chord minimisers get; their norm."""
    points = _points(seed, 4)
    x, y = points.numpy(), np.array([1.0, -1, -1, 1])
    h = np.diff(x)
    star = x[1] + h[1] * h[0] / (h[0] + h[2])
    grid = np.unique(np.r_[x, star, np.linspace(x[0] - 1, x[3] + 1, 40)])

    def row(at: np.ndarray) -> np.ndarray:
        R = np.maximum(at[:, None] - grid, 0)
        return np.c_[R, -R, np.ones(len(at)), -np.ones(len(at)), at, -at]

    cost = np.r_[np.ones(2 * len(grid)), np.zeros(4)]
    least = linprog(cost, A_eq=row(x), b_eq=y, method="highs").fun
    value = row(np.array([star]))[0]
    low, high = (
        sign * linprog(sign * value, A_eq=row(x), b_eq=y, A_ub=cost[None], b_ub=[least + 1e-9], method="highs").fun
        for sign in (1, -1)
    )
    return h.tolist(), -1 - low, high + 1, least


@cache
def _mean_number() -> float:
    """The mean number of ambiguous gaps of six points, over all labels of one task."""
    points = torch.tensor([0.0, 1, 3, 3.5, 5, 8], dtype=torch.float64)
    return float(np.mean([int(ambiguous_gaps(points, y[None]).sum()) for y in pattern_signs(6)]))


def _ambiguity(
    seed: int, *, four: float = 4.0, eight: float = 8.0, ends: float = 3.0, twice: float = 2.0, below: bool = True
) -> tuple[Evidence, ...]:
    (first, middle, last), depth, height, _ = _valley(seed)
    counted = torch.tensor([_counted(T) for T in (1, 2, 3)])
    law = torch.tensor([four**-T - eight**-T for T in (1, 2, 3)])
    return (
        off("chance of an ambiguous gap", counted, law, 1e-5),
        off("mean number of ambiguous gaps", _mean_number(), (6 - ends) / 8, 1e-9),
        off("depth of the valley", depth, twice * middle / (first + last), 1e-5),
        Evidence("height above the chord", height if below else depth, "at most", 1e-6),
    )


# The path norm


@lru_cache(maxsize=1)
def _dictionary(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features of 40 neurons at six points of the plane and at a hundred new ones, and labels of four tasks."""
    g = _generator(seed)
    w = torch.nn.functional.normalize(normal(2, 40, generator=g), dim=0)
    b = 5 * torch.rand(40, generator=g, dtype=torch.float64) - 2.5
    phi = [torch.relu(normal(n, 2, generator=g) @ w + b) for n in (6, 100)]
    return phi[0], phi[1], sample_tasks(4, 3, generator=g)[:, :6]


@lru_cache(maxsize=1)
def _group_lasso(seed: int) -> Tensor:
    Phi, _, Y = _dictionary(seed)
    return _shrinkage(Phi, Y.T, seed, 6000).T


@lru_cache(maxsize=8)
def _weights(seed: int, kernel: str) -> Tensor:
    """Those of least path norm, for the kernel of some labels."""
    Phi, _, Y = _dictionary(seed)
    turn = torch.linalg.qr(normal(len(Y), len(Y), generator=_generator(seed))).Q
    labels = {
        "all tasks": Y,
        "one task": Y[:1],
        "identity": torch.eye(len(Phi)).double(),
        "turned tasks": turn @ Y,
        "labels twice as large": 2 * Y,
    }[kernel]
    return path_norm_weights(Phi, labels.T @ labels)


@lru_cache(maxsize=6)
def _left_out(seed: int, other: str) -> float:
    """How far the head of task 1 is from the interpolant of a kernel without it, at 256 tasks over at 16, a median."""
    ratios = []
    for k in range(3):
        Phi, new, _ = _dictionary(1000 * seed + k)
        Y = 2.0 * torch.randint(2, (256, 6), generator=_generator(1000 * seed + k)).double() - 1
        distances = []
        for T in (16, 256):
            full, rest = Y[:T].T @ Y[:T], Y[1:T].T @ Y[1:T]
            rest = {"the others": rest, "its own": Y[:1].T @ Y[:1], "one other": Y[1:2].T @ Y[1:2]}[other]
            rest = rest if other == "the others" else rest + 1e-3 * torch.eye(6).double()
            heads = [kernel_heads(Phi, path_norm_weights(Phi, S), Y[:1])[0] for S in (full, rest)]
            distances.append(relative(new @ heads[0], new @ heads[1]))
        ratios.append(distances[1] / distances[0])
    return float(np.median(ratios))


def _path_norm(
    seed: int,
    *,
    half: float = 0.5,
    length: float = 1.0,
    power: float = 0.5,
    kernel: str = "all tasks",
    other: str = "the others",
) -> tuple[Evidence, ...]:
    Phi, new, Y = _dictionary(seed)
    gamma, turned, more = (_weights(seed, tasks) for tasks in (kernel, "turned tasks", "labels twice as large"))
    G = (Phi * gamma) @ Phi.T
    A = kernel_heads(Phi, gamma, Y)
    lengths, L = A.norm(dim=0), torch.linalg.solve(G, Y.T)
    certificate = float((L * Y.T).sum() / (Phi.T @ L).norm(dim=1).max())  # no heads have a smaller norm
    value = half * float((Y @ L).trace() + gamma.sum())
    free = _group_lasso(seed)
    return (
        off("least norm of the heads", float(lengths.sum()), certificate, 1e-4),
        off("minimum over the weights", value, certificate, 1e-4),
        Evidence("lengths of the heads' columns and weights apart",
                 float((lengths - length * gamma).norm() / gamma.norm()), "at most", 1e-3),
        Evidence("weights of turned tasks apart", relative(turned, gamma), "at most", 1e-4),
        off("weights of four times the kernel", float(more.sum() / gamma.sum()), 4**power, 1e-4),
        Evidence("functions of a free solver apart", relative(new @ A.T, new @ free.T), "at most", 0.05),
        Evidence("distance at 256 tasks over that at 16", _left_out(seed, other), "at most", 0.2),
    )  # fmt: skip


_claim = partial(stated, "10_neighbours_training")
CLAIMS = (
    _claim(
        "prop-neighbour-width",
        _width,
        {"the last eigenvectors": {"leading": False}, "features turned against the axes": {"turned": True}},
    ),
    _claim("prop-neighbour-competition", _competition, {"rates p^2": {"law": "p^2"}, "equal rates": {"law": "equal"}}),
    _claim("thm-neighbour-finetune", _finetune, {"least norm": {"penalty": "l2"}, "heads from 0.3": {"heads": 0.3}}),
    _claim(
        "thm-neighbour-dots",
        _dots,
        {
            "parallel, of either sign": {"rule": "either sign"},
            "opposite": {"rule": "opposite"},
            "one task": {"tasks": "one"},
            "copies of one task": {"tasks": "copies"},
        },
        sharpness=0.01,
    ),
    _claim("prop-neighbour-ambiguity", _ambiguity, {"heights above the chord": {"below": False}}, sharpness=0.01),
    _claim(
        "thm-neighbour-path-norm",
        _path_norm,
        {
            "the kernel of one task": {"kernel": "one task"},
            "the identity for a kernel": {"kernel": "identity"},
            "the task's own kernel": {"other": "its own"},
            "the kernel of one other task": {"other": "one other"},
        },
        sharpness=0.01,
    ),
)
