"""What the package's numbers are compared with: the same quantities computed another way.

Nothing here imports mtfl. In order of preference: autograd of the loss written task by task, adaptive
quadrature, sums over all patterns, Monte Carlo with error bars.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import dblquad, quad_vec
from scipy.optimize import linprog
from scipy.special import erfc, ndtr, owens_t
from torch import Tensor

SIGMAS = 5.0
"""How many standard errors a Monte-Carlo mean may be away."""


# Losses, written out task by task and differentiated by autograd


def margin_loss(margin: Tensor, loss: str) -> Tensor:
    """max(0, 1 - margin) or log(1 + exp(-margin))."""
    if loss == "hinge":
        return torch.maximum(torch.zeros_like(margin), 1 - margin)
    return torch.logaddexp(torch.zeros_like(margin), -margin)


def task_losses(W: Tensor, b: Tensor, A: Tensor, X: Tensor, Y: Tensor, loss: str) -> Tensor:
    """Each task's mean loss, by a loop over tasks; X is (n, d) for all of them or (T, n, d)."""
    losses = []
    for t in range(len(Y)):
        inputs = X if X.ndim == 2 else X[t]
        scores = torch.stack([(A[t] * torch.relu(W @ x + b)).sum() for x in inputs])
        losses.append(margin_loss(Y[t] * scores, loss).mean())
    return torch.stack(losses)


def head_gradient(W: Tensor, b: Tensor, A: Tensor, X: Tensor, Y: Tensor, loss: str) -> Tensor:
    """Gradient of each task's own loss in its own head."""
    A = A.clone().requires_grad_()
    return torch.autograd.grad(task_losses(W, b, A, X, Y, loss).sum(), A)[0]


def layer_gradient(W: Tensor, b: Tensor, A: Tensor, X: Tensor, Y: Tensor, loss: str) -> tuple[Tensor, Tensor]:
    """Gradient of the mean over tasks in W and b."""
    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
    return torch.autograd.grad(task_losses(W, b, A, X, Y, loss).mean(), (W, b))  # type: ignore[return-value]


def alternate(
    W: Tensor,
    b: Tensor,
    A: Tensor,
    batches: list[tuple[Tensor, Tensor]],
    loss: str,
    *,
    head_step: float,
    step: float,
    head_steps: int,
    decay: float,
    biases: bool,
) -> tuple[Tensor, Tensor, Tensor, list[float], list[float]]:
    """Alternating training, differentiated by autograd: a batch for the heads, one for W, and so on.

    Returns W, b, A and, of each round, mean loss and accuracy on W's batch before W moves.
    """
    losses, accuracies = [], []
    for (X_heads, Y_heads), (X, Y) in zip(batches[::2], batches[1::2], strict=True):
        for _ in range(head_steps):
            A = A - head_step * head_gradient(W, b, A, X_heads, Y_heads, loss)
        losses.append(task_losses(W, b, A, X, Y, loss).mean().item())
        scores = [A[t] @ torch.relu((X if X.ndim == 2 else X[t]) @ W.T + b).T for t in range(len(Y))]
        accuracies.append(float((torch.stack(scores) * Y > 0).double().mean()))
        dW, db = layer_gradient(W, b, A, X, Y, loss)
        W = W - step * (dW + decay * W)
        b = b - step * db if biases else b
    return W, b, A, losses, accuracies


def vectorised_loss(W: Tensor, b: Tensor, A: Tensor, X: Tensor, Y: Tensor) -> Tensor:
    """The multi-task hinge loss for inputs shared by the tasks, in one expression."""
    return (1 - Y * (A @ torch.relu(X @ W.T + b).T)).clamp(min=0).mean()


def pairwise_contrastive_loss(
    W0: Tensor, W: Tensor, X0: Tensor, Y0: Tensor, X: Tensor, Y: Tensor, *, step_size: float, kappa: float, zero: float
) -> Tensor:
    """l(0) - kappa^2 eta_a mean over all pairs of label agreement times inner product, pair by pair."""
    agreement = Y0.T @ Y / len(Y)
    inner = torch.relu(X0 @ W0.T) @ torch.relu(X @ W.T).T
    return zero - kappa**2 * step_size * (agreement * inner).mean()


def ridge_by_least_squares(H: Tensor, Y: Tensor, penalty: float) -> tuple[Tensor, float]:
    """Ridge heads by least squares on the features stacked on sqrt(penalty) I; the mean objective per label."""
    n, m = H.shape
    stacked = np.vstack([H.numpy(), math.sqrt(penalty) * np.eye(m)])
    targets = np.vstack([Y.numpy().T, np.zeros((m, len(Y)))])
    heads = np.linalg.lstsq(stacked, targets, rcond=None)[0]
    objective = ((targets - stacked @ heads) ** 2).sum()
    return torch.from_numpy(heads.T.copy()), float(objective) / (n * len(Y))


# Sums over all patterns


def all_patterns(r: int) -> list[tuple[int, ...]]:
    """Sign patterns in the order of their numbers: bit i set means z_i = +1."""
    return [tuple(1 if k >> i & 1 else -1 for i in range(r)) for k in range(2**r)]


def walsh_coefficient(f: list[float], subset: tuple[int, ...]) -> float:
    """E_z[f(z) prod_{i in S} z_i], term by term."""
    r = len(f).bit_length() - 1
    return sum(f[k] * math.prod(z[i] for i in subset) for k, z in enumerate(all_patterns(r))) / 2**r


def subsets(r: int) -> list[tuple[int, ...]]:
    """Subsets of the coordinates in the order of their bit masks."""
    return [tuple(i for i in range(r) if mask >> i & 1) for mask in range(2**r)]


def balanced_kernel(r: int) -> np.ndarray:
    """E_f[f(z) f(z')] over all balanced functions, one by one."""
    K = 2**r
    functions = []
    for positive in itertools.combinations(range(K), K // 2):
        functions.append([1 if k in positive else -1 for k in range(K)])
    table = np.array(functions, dtype=float)
    return table.T @ table / len(table)


def parity_kernel(r: int) -> np.ndarray:
    """The same over all parities of non-empty sets."""
    rows = [[math.prod(z[i] for i in S) for z in all_patterns(r)] for S in subsets(r) if S]
    table = np.array(rows, dtype=float)
    return table.T @ table / len(table)


def junta_kernel(r: int) -> np.ndarray:
    """The same over all functions of all pairs of coordinates (of one when r = 1)."""
    size = min(r, 2)
    rows = []
    for chosen in itertools.combinations(range(r), size):
        for values in itertools.product((-1, 1), repeat=2**size):
            lookup: dict[tuple[int, ...], int] = dict(zip(itertools.product((-1, 1), repeat=size), values, strict=True))
            rows.append([lookup[tuple(z[i] for i in chosen)] for z in all_patterns(r)])
    table = np.array(rows, dtype=float)
    return table.T @ table / len(table)


def threshold_agreement(z: tuple[int, ...], other: tuple[int, ...]) -> float:
    """E[sign(w.z + c) sign(w.z' + c)] for standard normal (w, c), by integration over the first one's value."""
    p, q = np.array([*z, 1.0]), np.array([*other, 1.0])
    scale, inner = math.sqrt(p @ p), p @ q
    left = math.sqrt(max(q @ q - (inner / scale) ** 2, 0.0))

    def integrand(u: float) -> float:  # given w.p = u scale, the other is normal around u inner / scale
        mean = u * inner / scale
        sign = math.copysign(1.0, mean) if left == 0 else 2 * ndtr(mean / left) - 1
        return 2 * _normal(u) * sign

    return float(quad_vec(integrand, 0, 12, epsabs=1e-12, epsrel=1e-12)[0])


def orbit(f: tuple[int, ...]) -> set[tuple[int, ...]]:
    """All functions made from f by permuting its inputs, flipping their signs, and flipping the output."""
    r = len(f).bit_length() - 1
    Z = all_patterns(r)
    value = dict(zip(Z, f, strict=True))
    members = set()
    for order in itertools.permutations(range(r)):
        for flips in itertools.product((-1, 1), repeat=r):
            image = tuple(value[tuple(flips[i] * z[order[i]] for i in range(r))] for z in Z)
            members |= {image, tuple(-y for y in image)}
    return members


def count_orbits(r: int) -> int:
    """How many orbits there are, by Burnside's lemma: the mean number of functions that a symmetry leaves alone."""
    fixed, symmetries = 0, 0
    for order in itertools.permutations(range(r)):
        for flips in range(2**r):
            image = [sum((k >> i & 1) << j for i, j in enumerate(order)) ^ flips for k in range(2**r)]
            lengths, seen = [], set()
            for k in range(2**r):
                length = 0
                while k not in seen:
                    seen.add(k)
                    k, length = image[k], length + 1
                lengths += [length] if length else []
            fixed += 2 ** len(lengths)  # with the output kept: constant on each cycle
            fixed += 2 ** len(lengths) * all(n % 2 == 0 for n in lengths)  # flipped: it must alternate
            symmetries += 2
    assert fixed % symmetries == 0
    return fixed // symmetries


# Moments of relu(s) given a pattern, by adaptive quadrature over the absolute features


def _normal(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _given_centre(centre: np.ndarray | float, tau: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E relu(s), P(s > 0) and the density at 0 of s ~ N(centre, tau^2)."""
    x = np.asarray(centre) / tau
    pdf = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return centre * ndtr(x) + tau * pdf, ndtr(x), pdf / tau


def _given_one_feature(centre: float, v: float, tau: float) -> tuple[float, float, float]:
    """The same of s = centre + v |h| + tau g: a skew-normal variable (its distribution function is Owen's T)."""
    width, skew = math.hypot(v, tau), v / tau
    k = -centre / width
    active = 1 - (ndtr(k) - 2 * owens_t(k, skew))
    density = 2 / width * _normal(k) * ndtr(skew * k)
    tail = ndtr(-k * math.sqrt(1 + skew**2))
    first = width * (2 * _normal(k) * ndtr(skew * k) + 2 * skew / math.sqrt(2 * math.pi * (1 + skew**2)) * tail)
    return float(centre * active + first), float(active), float(density)


def _half_normal_mean(inside: Callable[[float], np.ndarray], kink: float, rough: float) -> np.ndarray:
    """E inside(|h|) of a function that turns within a few times ``rough`` of the kink."""
    near = [kink + sign * 8 * rough for sign in (-1, 0, 1)]
    points = sorted(p for p in (*near, 1.0, 3.0) if 0 < p < 11)
    value, _ = quad_vec(
        lambda a: 2 * _normal(a) * inside(a), 0, 11, points=points, epsabs=1e-13, epsrel=1e-13, limit=2000
    )
    return value


def moments_of_one_feature(v: float, tau: float, b: float, z: int) -> np.ndarray:
    """(mean, active, first, density) for r = 1, by integrating over |h|."""

    def inside(a: float) -> np.ndarray:
        mean, active, density = _given_centre(b + v * z * a, tau)
        return np.array([mean, active, a * active, density])

    return _half_normal_mean(inside, -b / (v * z), tau / abs(v))


def moments_of_two_features(v: tuple[float, float], tau: float, b: float, z: tuple[int, int]) -> np.ndarray:
    """(mean, active, first_1, first_2, density) for r = 2: one feature in closed form, one by integration."""
    x, y = v[0] * z[0], v[1] * z[1]

    def over_first(a: float) -> np.ndarray:
        mean, active, density = _given_one_feature(b + x * a, y, tau)
        return np.array([mean, active, a * active, density])

    def over_second(a: float) -> np.ndarray:
        return np.array([a * _given_one_feature(b + y * a, x, tau)[1]])

    mean, active, first, density = _half_normal_mean(over_first, -b / x, tau / abs(x))
    second = _half_normal_mean(over_second, -b / y, tau / abs(y))[0]
    return np.array([mean, active, first, second, density])


def moments_by_double_integral(v: tuple[float, float], tau: float, b: float, z: tuple[int, int]) -> np.ndarray:
    """What moments_of_two_features returns, by a double integral over both absolute features."""

    def integral(pick: Callable[[float, float], float]) -> float:
        weighted = lambda y, x: 4 * _normal(x) * _normal(y) * pick(x, y)  # noqa: E731
        return dblquad(weighted, 0, 9, 0, 9, epsabs=1e-9, epsrel=1e-9)[0]

    def centre(x: float, y: float) -> float:
        return b + v[0] * z[0] * x + v[1] * z[1] * y

    return np.array([
        integral(lambda x, y: float(_given_centre(centre(x, y), tau)[0])),
        integral(lambda x, y: float(_given_centre(centre(x, y), tau)[1])),
        integral(lambda x, y: x * float(_given_centre(centre(x, y), tau)[1])),
        integral(lambda x, y: y * float(_given_centre(centre(x, y), tau)[1])),
        integral(lambda x, y: float(_given_centre(centre(x, y), tau)[2])),
    ])  # fmt: skip


def moments_by_product_rule(v: np.ndarray, tau: float, b: float) -> np.ndarray:
    """(K, 3 + r): mean, active, first_1 ... first_r, density by a product of Gauss rules over |h_i|, for tau ~ |v|."""
    points, weights = np.polynomial.legendre.leggauss(48)
    a = 4.5 * (points + 1)
    mass = 9 * weights * np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    h = np.array(list(itertools.product(a, repeat=len(v))))
    masses = np.prod(list(itertools.product(mass, repeat=len(v))), axis=1)
    rows = []
    for z in all_patterns(len(v)):
        mean, active, density = _given_centre(b + h @ (v * np.array(z)), tau)
        rows.append([masses @ mean, masses @ active, *((masses * active) @ h), masses @ density])
    return np.array(rows)


def moments_by_sampling(
    v: np.ndarray, tau: float, b: float, z: tuple[int, ...], draws: int, random: np.random.Generator
) -> np.ndarray:
    """(mean, active, first_1 ... first_r, density) of each draw of the absolute features; average over rows."""
    h = np.abs(random.standard_normal((draws, len(v))))
    mean, active, density = _given_centre(b + h @ (v * np.array(z)), tau)
    return np.column_stack([mean, active, h * active[:, None], density])


# The same moments for any number of features, by convolution with one |h_i| after another


class _Panels:
    """Short intervals around some centres, with Gauss-Legendre nodes; functions of s are smooth on each of them.

    Their ends include every centre, and 0 with powers of two times ``rough`` on both sides, where the functions turn.
    """

    order = 14

    def __init__(self, centres: np.ndarray, reach: float, width: float, rough: float) -> None:
        steps = rough * 2.0 ** np.arange(math.ceil(math.log2(4 * width / rough)) if 0 < rough < 4 * width else 0)
        low, high = centres.min() - reach, centres.max() + reach
        ends = np.unique([low, *centres, high, 0.0, *steps, *-steps])
        ends = ends[(ends >= low) & (ends <= high)]
        pieces = [np.linspace(a, e, math.ceil((e - a) / width), endpoint=False) for a, e in itertools.pairwise(ends)]
        ends = np.append(np.concatenate(pieces), high)
        self.middle, self.half = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
        self.t, self.w = np.polynomial.legendre.leggauss(self.order)
        self.s = (self.middle[:, None] + self.half[:, None] * self.t).ravel()
        self.weights = (self.half[:, None] * self.w).ravel()

    def step_from(self, centres: np.ndarray, x: float) -> tuple[np.ndarray, np.ndarray]:
        """Matrices that take the values F(s) at the nodes to E F(c + x |h|) and E |h| F(c + x |h|) at ends c."""
        a = (self.s - centres[:, None]) / x
        mass = np.where(a > 0, 2 / abs(x) * np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi), 0) * self.weights
        return mass, mass * a

    def step(self, x: float) -> tuple[np.ndarray, np.ndarray]:
        """The same at all nodes: whole panels beyond the node's own, and the rest of its own by interpolation."""
        mass, tilted = self.step_from(self.s, x)
        n, t = self.order, self.t
        length = (1 - t) / 2 if x > 0 else (1 + t) / 2  # of the rest, as a share of the panel
        u = t[:, None] + np.sign(x) * length[:, None] * (t + 1)  # its nodes, on [-1, 1]
        lagrange = np.stack([np.prod([(u - o) / (t[j] - o) for o in np.delete(t, j)], 0) for j in range(n)], -1)
        a = self.half[:, None, None] * (u - t[:, None]) / x
        rest = 2 / abs(x) * np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
        rest = rest * self.half[:, None, None] * length[:, None] * self.w
        for panel in range(len(self.half)):
            own = slice(panel * n, panel * n + n)
            mass[own, own] = np.einsum("iq,iqj->ij", rest[panel], lagrange)
            tilted[own, own] = np.einsum("iq,iqj->ij", rest[panel] * a[panel], lagrange)
        return mass, tilted


def _one_feature_alone(c: np.ndarray, x: float) -> np.ndarray:
    """Mean, active, density and first of s = c + x |h|, with no noise; the density jumps where c = 0."""
    t = np.maximum(-c / x, 0)  # s changes its sign at |h| = t, if t > 0
    upper, edge = erfc(t / math.sqrt(2)), np.exp(-0.5 * t * t) * math.sqrt(2 / math.pi)
    active, first = (upper, edge) if x > 0 else (1 - upper, math.sqrt(2 / math.pi) - edge)
    return np.stack([c * active + x * first, active, (1 + np.sign(-c / x)) / 2 * edge / abs(x), first])


def moments_by_convolution(v: np.ndarray, tau: float, biases: np.ndarray) -> np.ndarray:
    """(mean, active, first_1 ... first_r, density) for each bias and each of the 2^r patterns, to 1e-12 or better.

    Without characteristic functions: given the centre c of s = c + tau g all is known in closed form, and one feature
    after another is integrated out on Gauss-Legendre panels, F_k(c) = int_0^inf 2 phi(a) F_{k-1}(c + v_k z_k a) da.
    What lies more than 8.4 |v| from the bias has no weight. No v_i may be zero.
    """
    size, smallest = float(np.linalg.norm(v)), float(np.abs(v).min())
    if np.ptp(biases) > 2 * size:
        return np.concatenate([moments_by_convolution(v, tau, biases[i : i + 1]) for i in range(len(biases))])
    panels = _Panels(biases, 8.4 * size, min(0.75 * size, 6 * smallest), tau)
    if tau > 0:
        F = np.stack(_given_centre(panels.s, tau))[None]  # (patterns so far, moment, node)
        left = v
    else:
        centres = panels.s if len(v) > 1 else biases
        F = np.stack([_one_feature_alone(centres, x) for x in (-v[0], v[0])])
        left = v[1:]
    for k, x in enumerate(left, 1):
        branches = []
        for y in (-x, x):
            mass, tilted = panels.step(y) if k < len(left) else panels.step_from(biases, y)
            branches.append(np.concatenate([F @ mass.T, F[:, 1:2] @ tilted.T], 1))
        F = np.concatenate(branches)
    return np.concatenate([F[:, :2], F[:, 3:], F[:, 2:3]], 1).transpose(2, 0, 1)


# Monte Carlo


def agrees(samples: np.ndarray | Tensor, value: np.ndarray | Tensor | float, *, floor: float = 1e-12) -> bool:
    """Whether the mean over the first axis is within 5 standard errors of the value, everywhere."""
    samples, value = np.asarray(samples), np.asarray(value)
    error = samples.std(0, ddof=1) / math.sqrt(len(samples))
    return bool((np.abs(samples.mean(0) - value) <= SIGMAS * error + floor).all())


# Colours


def contrast(colour: str, background: str) -> float:
    """Contrast ratio of two #rrggbb colours by the Web Content Accessibility Guidelines 2.1."""

    def luminance(code: str) -> float:
        channels = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# Interpolants of least norm


def least_norm_range(x: np.ndarray, y: np.ndarray, at: float, kinks: np.ndarray) -> tuple[float, float]:
    """Where f(at) may lie for f(x) = a x + c + sum_k v_k relu(x - b_k) through all points with the least sum of |v_k|.

    Linear programs over kinks b_k at the points and at ``kinks``; v is a difference of two nonnegative vectors.
    """
    b = np.union1d(x, kinks)

    def rows(places: np.ndarray) -> np.ndarray:
        bent = np.maximum(places[:, None] - b, 0)
        return np.concatenate([places[:, None], np.ones((len(places), 1)), bent, -bent], 1)

    cost = np.concatenate([np.zeros(2), np.ones(2 * len(b))])
    bounds = [(None, None)] * 2 + [(0, None)] * (2 * len(b))
    least = linprog(cost, A_eq=rows(x), b_eq=y, bounds=bounds).fun
    target = rows(np.array([at]))[0]
    ends = [
        linprog(sign * target, A_eq=rows(x), b_eq=y, A_ub=cost[None], b_ub=[least + 1e-9], bounds=bounds).fun
        for sign in (1, -1)
    ]
    return ends[0], -ends[1]
