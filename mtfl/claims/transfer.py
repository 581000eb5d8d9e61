"""Claims of chapter 5: downstream tasks."""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np
import torch
from scipy.special import wofz

from mtfl.claims.registry import Claim, Evidence
from mtfl.contrastive import margin_loss
from mtfl.inputs import GaussianInputs
from mtfl.moments import pattern_moments
from mtfl.population import Neurons, leading_order_step, population_flow, population_step
from mtfl.randomness import streams
from mtfl.tasks import (
    all_tasks,
    characters,
    degree_one,
    limit_kernel,
    pattern_signs,
    sample_tasks,
    task_kernel,
    walsh_coefficients,
)
from mtfl.transfer import FrozenFeatures

_LINEAR_CEILING = 3 / math.pi * math.asin(3**-0.5)
_DIAGONAL = np.full(3, 3**-0.5)
_LEVELS = np.linspace(-6, 6, 601)
_POINTS = 200_000


def _gaussian(seed: int, name: str, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=streams(seed, name)[name], dtype=torch.float64)


def _risk_bound(seed: int, *, factor: float = 1.0) -> Evidence:
    phi, draws = _gaussian(seed, "features", 400, 6), _gaussian(seed, "labels", 400)
    y = torch.sign(draws + phi[:, 0])
    correlation, gaps = (y.unsqueeze(1) * phi).mean(0), []
    for size in torch.logspace(-2, 1, 12, dtype=torch.float64):
        for direction in (correlation, _gaussian(seed, "head", 6)):
            a, c = size * direction / direction.norm(), 0.1 * size
            bound = factor * (a @ correlation + c * y.mean())
            for loss in ("logistic", "hinge"):
                gaps.append(float(margin_loss(y * (phi @ a + c), loss=loss).mean() - margin_loss(bound, loss=loss)))
    return Evidence("least excess of the risk over l(a . rho + c E[y])", min(gaps), "at least", -1e-12)


def _bias_free(seed: int, *, bias: float = 0.0, last: int = 7) -> Evidence:
    V, tau = _gaussian(seed, "v", 64, 3), 0.2 + _gaussian(seed, "tau", 64).abs()
    mean = pattern_moments(V, tau, torch.full_like(tau, bias)).mean
    largest = float((mean @ characters(3)[last]).abs().max() / 8)
    return Evidence("largest |E[f relu(w . x)]| of 64 neurons", largest, "at most", 1e-12)


def _parity_transform(u: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """Times -i this is E[z1 z2 z3 exp(i omega u . h)], as E[sgn(h) exp(i t h)] = i Im wofz(t / sqrt(2))."""
    return np.imag(wofz(np.multiply.outer(u, omega) / math.sqrt(2))).prod(0)


def _signed_halfspace(u: np.ndarray) -> float:
    """E[z1 z2 z3 sgn(u . h)] as a Fourier integral: the transform of sgn is 2i / omega."""
    omega = (np.arange(4000) + 0.5) * 0.02
    return -0.04 / math.pi * float((_parity_transform(u, omega) / omega).sum())


def _random_directions(seed: int, count: int) -> np.ndarray:
    u = _gaussian(seed, "direction", count, 3).numpy()
    u = np.sign(u) * (np.abs(u) + 0.2)
    return u / np.linalg.norm(u, axis=1, keepdims=True)


def _halfspace(seed: int, *, factor: float = 2.0, flip: bool = True) -> Evidence:
    errors = []
    for u in _random_directions(seed, 4):
        formula = 1 - factor / math.pi * np.arcsin(np.abs(u)).sum()
        formula *= np.sign(u).prod() if flip else -np.sign(u).prod()
        errors.append(abs(formula - _signed_halfspace(u)))
    return Evidence("largest error of the closed form against a Fourier integral", max(errors), "at most", 1e-4)


def _bias_free_ceiling(seed: int, *, biases: bool = False, ceiling: float = 0.5 + _LINEAR_CEILING / 2) -> Evidence:
    U = _gaussian(seed, "neurons", 60, 3)
    b = 2 * _gaussian(seed, "b", 120) if biases else torch.zeros(120, dtype=torch.float64)
    h, fresh = _gaussian(seed, "points", 4000, 3), _gaussian(seed, "fresh points", 10_000, 3)
    H, H_fresh = (torch.relu(x @ torch.cat([U, -U]).T + b) for x in (h, fresh))
    f, line = torch.sign(h).prod(1), -h.sum(1)
    target = f if biases else line + 2 * line.abs() * (f * line < 0)  # right once in each pair that the line misses
    gram = H.T @ H + 1e-6 * len(H) * torch.eye(120, dtype=H.dtype)
    scores = H_fresh @ torch.linalg.solve(gram, H.T @ target)
    accuracy, bound = float((torch.sign(fresh).prod(1) * scores > 0).double().mean()), ceiling + 2.5 / len(fresh) ** 0.5
    return Evidence("accuracy on parity of three of the best bias-free head found", accuracy, "at most", bound)


@cache
def _signed_density() -> np.ndarray:
    """E[z1 z2 z3 | L = l] times the density of L = (h1 + h2 + h3) / sqrt(3) at _LEVELS, as a Fourier integral."""
    omega = (np.arange(4000) + 0.5) * 0.02
    return -0.02 / math.pi * np.sin(np.outer(_LEVELS, omega)) @ _parity_transform(_DIAGONAL, omega)


def _one_direction(seed: int, *, lose: bool = False, halfspace: bool = False) -> Evidence:
    density = _signed_density()
    ceiling = _LINEAR_CEILING if halfspace else 0.5 + 0.5 * float(np.abs(density).sum() * 0.02)
    h = _gaussian(seed, "points", _POINTS, 3).numpy()
    u = np.array([1.0, 1.0, 0.0]) / math.sqrt(2) if lose else _DIAGONAL
    rule = np.sign(np.interp(h @ u, _LEVELS, density))
    gap = abs(float((rule * np.sign(h).prod(1) > 0).mean()) - ceiling)
    return Evidence("|accuracy of the best rule on one direction - ceiling|", gap, "at most", 2.5 / _POINTS**0.5)


def _dimension_free(seed: int, *, law: str = "balanced", learned: bool = True) -> Evidence:
    """Features in two dimensions from common draws: five tasks, then all of a law, whose features are the oracle's."""
    m, r, n, gap = 32, 3, 50, 0.0
    some = sample_tasks(5, r, law=law, generator=streams(seed, "tasks")["tasks"])
    every = all_tasks(r) if law == "uniform" else all_tasks(r)[all_tasks(r).sum(1) == 0]
    G, h = _gaussian(seed, "G", m, r), _gaussian(seed, "h", n, r)
    for F, oracle in ((some, False), (every, True)):
        features = []
        for d in (8, 200):
            M = GaussianInputs.random(d, r, generator=streams(seed, f"M{d}")[f"M{d}"]).M
            outside = torch.eye(d, dtype=M.dtype) - M @ M.T
            W = (G @ M.T + _gaussian(seed, f"W{d}", m, d) @ outside) / math.sqrt(d)
            X = h @ M.T + _gaussian(seed, f"X{d}", n, d) @ outside
            taught = leading_order_step(W @ M, (W @ outside).norm(dim=1), F).weights(W, M) if learned else W
            for weights in (taught, G @ M.T) if oracle else (taught,):
                phi = FrozenFeatures.of(weights, generator=streams(seed, "biases")["biases"])
                features.append(phi(X))
        gap = max(gap, *(float((other - features[0]).abs().max()) for other in features))
    return Evidence("largest difference of features: d = 8, d = 200, oracle", gap, "at most", 1e-10)


def _exact_dimension_free(
    seed: int, *, odd: bool = True, bias: float = 0.0, rescale: bool = True, law: str = "balanced", rate: int = 1
) -> Evidence:
    """Common g in two dimensions: exact steps and flows of odd tasks agree; other tables keep the bounds of (iii)."""
    half = sample_tasks(4, 3, generator=streams(seed, "tasks")["tasks"])[:, :4]
    table = torch.cat([half, -half.flip(1) if odd else half], 1)
    g, shapes = _gaussian(seed, "g", 32, 3), []
    for d in (8, 4096):
        tau = (_gaussian(seed, f"tau{d}", 32, d - 3).square().sum(1) / d).sqrt()
        start = Neurons(g / math.sqrt(d), tau, torch.full_like(tau, bias))
        step = population_step(*start, task_kernel(table))
        end = population_flow(start, task_kernel(table), rounds=4, head_step=0.1, representation_step=20.0).neurons
        for inside, outside in ((step.parallel, step.perpendicular * tau), (end.V - start.V, end.tau - tau)):
            row = torch.cat([inside, outside.unsqueeze(1)], 1)
            shapes.append(row / row.norm() if rescale else row)
    worst = max(float((one - two).abs().max()) for one, two in (shapes[::2], shapes[1::2])) / 1e-10
    some = sample_tasks(11, 3, law=law, generator=streams(seed, "some")["some"])
    direction, size = _gaussian(seed, "v", 40, 3), torch.logspace(-3, 2, 40, dtype=torch.float64)
    V = direction / direction.norm(dim=1, keepdim=True) * size.unsqueeze(1)
    for F, constant, power in ((some, 4.2, rate), (torch.cat([some, some.flip(1)]), 2.5, 2)):
        f1 = degree_one(walsh_coefficients(F))
        step = population_step(V, torch.ones_like(size), torch.zeros_like(size), task_kernel(F))
        inside = 2 * math.pi * step.parallel - V @ f1.T @ f1 / len(F)
        error = (inside.square().sum(1) + (2 * math.pi * step.perpendicular) ** 2).sqrt()
        worst = max(worst, float((error / (constant * size ** (1 + power))).max()))
    return Evidence("odd tasks: gap between d = 8 and 4096, to 1e-10; others: error over bound", worst, "at most", 1)


def _remainder(seed: int, *, law: str = "balanced", factor: float = 1.0) -> Evidence:
    epsilon, direction = 0.05, _gaussian(seed, "direction", 32, 3)
    direction = direction / direction.norm(dim=1, keepdim=True)
    V, tau = epsilon * direction, torch.ones(32, dtype=torch.float64)
    step = population_step(V, tau, torch.zeros_like(tau), limit_kernel(3, law))
    square = V**2
    pairs = (square.sum(1) ** 2 - (square**2).sum(1)) / 2
    outside = -factor * 2 / (math.pi**3 * 7) * pairs
    parallel = V / (2 * math.pi * 7)
    errors = (step.perpendicular - outside).abs().max() / outside.abs().max()
    errors = max(float(errors), float((step.parallel - parallel).norm() / parallel.norm()))
    return Evidence("relative error of the first terms at |v|/tau = 0.05", errors, "at most", 10 * epsilon**2)


def _random_features(seed: int, *, constant: float = 1.0, power: int = 1) -> Evidence:
    d, r = 64, 3
    W = _gaussian(seed, "W", 128, d) / math.sqrt(d)
    V, tau = W[:, :r], W[:, r:].norm(dim=1)
    bias = tau * torch.sign(_gaussian(seed, "b", 128))  # where the third derivative is largest
    exact = (pattern_moments(V, tau, bias).mean @ characters(r)[-1] / 2**r).abs()
    steepest = math.exp(-0.5) / math.sqrt(2 * math.pi)
    bound = constant * (2 / math.pi) ** 1.5 * steepest * V.abs().prod(1) ** power / tau**2
    ratio = float((exact / bound).max())
    return Evidence("largest ratio of |E[f relu(w . x + b)]| to its bound", ratio, "at most", 1.0)


def _linear_blind(seed: int, *, task: str = "parity", relu: bool = False) -> Evidence:
    Z = pattern_signs(3)
    h = (_gaussian(seed, "points", 200, 3).abs().unsqueeze(1) * Z).reshape(-1, 3)  # every point with all its signs
    f = torch.sign(h).prod(1) if task == "parity" else torch.sign(torch.sign(h).sum(1))
    phi = torch.relu(h @ _gaussian(seed, "u", 3, 3) + 0.5) if relu else h @ _gaussian(seed, "u", 3, 3)
    phi = torch.cat([phi, torch.ones_like(f).unsqueeze(1)], 1)
    a = torch.zeros(4, dtype=torch.float64)
    for _ in range(4):  # Newton's method on the logistic risk
        p = torch.sigmoid(-f * (phi @ a))
        hessian = (phi * (p * (1 - p)).unsqueeze(1)).T @ phi / len(f) + 1e-9 * torch.eye(4, dtype=torch.float64)
        a = a + torch.linalg.solve(hessian, (p * f) @ phi / len(f))
    return Evidence("norm of the head that minimises the logistic risk", float(a.norm()), "at most", 1e-8)


def _best_linear(seed: int, *, ceiling: float = _LINEAR_CEILING, majority: bool = False) -> Evidence:
    directions = [_DIAGONAL, *_random_directions(seed, 3)]
    h = _gaussian(seed, "points", _POINTS, 3).numpy()
    f = np.sign(np.sign(h).sum(1)) if majority else np.sign(h).prod(1)
    best = max(0.5 + 0.5 * abs(float((f * np.sign(h @ u)).mean())) for u in directions)
    bound = ceiling + 2.5 / _POINTS**0.5
    return Evidence("best accuracy of four linear heads, the diagonal among them", best, "at most", bound)


_claim = partial(Claim, chapter="05_transfer")

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="thm-risk-correlation",
        check=_risk_bound,
        mutants={"half the correlation": partial(_risk_bound, factor=0.5)},
    ),
    _claim(
        id="cor-bias-free-parity",
        check=_bias_free,
        mutants={"biases of one half": partial(_bias_free, bias=0.5), "parity of two": partial(_bias_free, last=6)},
    ),
    _claim(
        id="lem-halfspace-parity",
        check=_halfspace,
        mutants={"1/pi for 2/pi": partial(_halfspace, factor=1.0), "opposite sign": partial(_halfspace, flip=False)},
    ),
    _claim(
        id="prop-bias-free-ceiling",
        check=_bias_free_ceiling,
        mutants={
            "with biases": partial(_bias_free_ceiling, biases=True),
            "the linear head's ceiling": partial(_bias_free_ceiling, ceiling=_LINEAR_CEILING),
        },
    ),
    _claim(
        id="prop-one-direction",
        check=_one_direction,
        mutants={
            "a direction with a zero coordinate": partial(_one_direction, lose=True),
            "the best half-space": partial(_one_direction, halfspace=True),
        },
    ),
    _claim(
        id="thm-dimension-free",
        check=_dimension_free,
        mutants={
            "unbalanced tasks": partial(_dimension_free, law="uniform"),
            "random features": partial(_dimension_free, learned=False),
        },
    ),
    _claim(
        id="thm-exact-dimension-free",
        check=_exact_dimension_free,
        mutants={
            "even tasks": partial(_exact_dimension_free, odd=False),
            "biases in pretraining": partial(_exact_dimension_free, bias=0.2),
            "not rescaled": partial(_exact_dimension_free, rescale=False),
            "uniform tasks for balanced": partial(_exact_dimension_free, law="uniform"),
            "second order for every table": partial(_exact_dimension_free, rate=2),
        },
    ),
    _claim(
        id="prop-population-remainder",
        check=_remainder,
        mutants={
            "twice the outer term": partial(_remainder, factor=2.0),
            "uniform tasks": partial(_remainder, law="uniform"),
        },
    ),
    _claim(
        id="prop-random-feature-correlation",
        check=_random_features,
        mutants={
            "half the constant": partial(_random_features, constant=0.5),
            "the square of the product": partial(_random_features, power=2),
        },
    ),
    _claim(
        id="cor-linear-layer-blind",
        check=_linear_blind,
        mutants={"majority": partial(_linear_blind, task="majority"), "ReLU": partial(_linear_blind, relu=True)},
    ),
    _claim(
        id="prop-best-linear-head",
        check=_best_linear,
        mutants={"ceiling 1/2": partial(_best_linear, ceiling=0.5), "majority": partial(_best_linear, majority=True)},
    ),
)
