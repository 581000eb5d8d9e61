"""Claims of chapter 8: relabelled classes.

Oracles: autograd of the multi-task loss on samples, enumeration of all balanced relabellings and of all pairs of them,
and scipy's generalised eigenvectors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor

from mtfl.claims.draws import largest, normal, off, relative, two_stages
from mtfl.claims.registry import Evidence, stated
from mtfl.randomness import stream

_SIZES = (4, 6)


@cache
def _all_relabellings(C: int, balanced: bool = True) -> Tensor:
    """All balanced tables of labels of C classes, one task a row; or all tables."""
    F = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=C)), dtype=torch.float64)
    return F[F.sum(1) == 0] if balanced else F


@cache
def _pairs(C: int, balanced: bool) -> Tensor:
    """The kernels of all pairs of relabellings, (pairs, C, C)."""
    F = _all_relabellings(C, balanced)
    both = torch.stack([F[:, None].expand(-1, len(F), -1), F[None].expand(len(F), -1, -1)], 2).flatten(0, 1)
    return both.transpose(1, 2) @ both / 2


def _kernel(seed: int, *, apart: float = 1.0, spread: float = 1.0, balanced: bool = True) -> tuple[Evidence, ...]:
    """Means of the kernel, of its square deviation for one task and two, and its rank."""
    C = _SIZES[seed % 2]
    F = _all_relabellings(C, balanced)
    limit = torch.eye(C).double() - (1 - torch.eye(C).double()) * apart / (C - 1)
    mean = F.T @ F / len(F)
    off_diagonal = ~torch.eye(C, dtype=torch.bool)
    kernels = {1: F[:, :, None] * F[:, None], 2: _pairs(C, balanced)}
    squares = [float((kernels[T] - mean).square().mean(0)[off_diagonal].mean()) * T for T in (1, 2)]
    ranks = [int(torch.linalg.matrix_rank(K)) for K in (kernels[1][0], mean)]
    return (
        Evidence("deviation of the mean kernel", largest(mean - limit), "at most", 1e-12),
        off("T times the mean square deviation", torch.tensor(squares), spread - 1 / (C - 1) ** 2, 1e-9),
        Evidence("rank of one task and of all, above min(T, C - 1)", max(ranks[0] - 1, ranks[1] - C + 1), "at most", 0),
    )


def _spread(seed: int, *, two: float = 2.0, balanced: bool = True) -> tuple[Evidence, ...]:
    """Relative variance of the C - 1 largest eigenvalues over all single tasks, and all pairs."""
    C = _SIZES[seed % 2]
    F = _all_relabellings(C, balanced)
    found = []
    for T, kernels in ((1, F[:, :, None] * F[:, None]), (2, _pairs(C, balanced))):
        values = torch.linalg.eigvalsh(kernels)[:, 1:] * (C - 1) / C
        found.append(off(f"relative variance, T = {T}", (values - 1).square().mean(), (C - two) / T, 1e-9))
    return tuple(found)


@lru_cache(maxsize=1)
def _sample(seed: int, equal: bool) -> tuple[Tensor, Tensor, Tensor, int]:
    """Neurons and a sample of C classes, each class with its own mean and spread."""
    g = stream(seed, "claims relabelled images")
    C, d = _SIZES[seed % 2], 9
    sizes = [5 if equal else 2 + 2 * c for c in range(C)]
    classes = torch.repeat_interleave(torch.arange(C), torch.tensor(sizes))
    X = normal(C, d, generator=g)[classes] + normal(len(classes), d, generator=g).exp() - 1
    return normal(4, d, generator=g), X, classes, C


def _step(W: Tensor, X: Tensor, Y: Tensor, unit: Callable[[Tensor], Tensor] = torch.relu) -> Tensor:
    """The step of which both stages see the same images."""
    return two_stages(W, (X, Y), (X, Y), unit)


def _means(H: Tensor, classes: Tensor, C: int) -> Tensor:
    return torch.stack([H[classes == c].mean(0) for c in range(C)])


def _between(
    seed: int, *, half: float = 0.5, one: float = 1.0, within: bool = False, equal: bool = True, all_tasks: bool = True
) -> Evidence:
    """The step on all balanced relabellings against the gradient of the variance of a neuron's class means."""
    W, X, classes, C = _sample(seed, equal)
    F = _all_relabellings(C)
    F = F if all_tasks else F[:2]
    G = _step(W, X, F[:, classes])
    W = W.clone().requires_grad_()
    responses = torch.relu(X @ W.T)
    found = responses if within else _means(responses, classes, C)
    climbed = torch.autograd.grad(half / (C - one) * found.var(0, correction=0).sum(), W)[0]
    return Evidence("relative distance", relative(climbed, G), "at most", 1e-9)


def _class_means(
    seed: int,
    *,
    quarter: float = 0.25,
    one: float = 1.0,
    total: bool = False,
    shuffled: bool = False,
    fewer: int = 0,
    white: bool = True,
) -> tuple[Evidence, ...]:
    """The linear half: scatter between classes; rank and place for a few tasks; discriminants after whitening."""
    W, X, classes, C = _sample(seed, True)
    W = torch.cat([W, W.roll(1, 1), W.roll(3, 1)])  # more neurons than classes
    F, m = _all_relabellings(C), _means(X, classes, C)
    S = _scatter(X if total else m)
    G = _step(W, X, F[:, classes], lambda s: s / 2)
    law = quarter / (C - one) * W @ S
    T = 1 + seed % 3
    labels = F[: 2 * T : 2, classes]
    few = _step(W, X, labels[:, torch.arange(len(X)).roll(7)] if shuffled else labels, lambda s: s / 2)
    values = torch.linalg.svdvals(few)
    Q = torch.linalg.svd(m - m.mean(0), full_matrices=False)[2][: C - 1].T
    inner = _scatter(X - m[classes])
    mixed = torch.linalg.solve(inner, G.T).T if white else G
    directions = eigh(_scatter(m).numpy(), inner.numpy())[1][:, -(C - 1) :]
    R = torch.from_numpy(np.linalg.qr(directions)[0])
    rows = torch.linalg.svd(mixed, full_matrices=False)[2][: C - 1]
    angle = math.sqrt(max(0.0, 1 - float(torch.linalg.svdvals(rows @ R)[-1]) ** 2))
    return (
        Evidence("distance of the linear half", relative(law, G), "at most", 1e-9),
        Evidence("singular value after the T-th", float(values[T - fewer] / values[0]), "at most", 1e-9),
        Evidence("share outside the span", float(1 - (few @ Q).square().sum() / few.square().sum()), "at most", 1e-9),
        Evidence("sine of the angle to the discriminants", angle, "at most", 1e-6),
    )


def _scatter(rows: Tensor) -> Tensor:
    """Their covariance matrix."""
    centred = rows - rows.mean(0)
    return centred.T @ centred / len(rows)


_CHAPTER = "08_real_data"
CLAIMS = (
    stated(_CHAPTER, "prop-relabelling-kernel", _kernel, {"labels of fair coins": {"balanced": False}}),
    stated(_CHAPTER, "prop-relabelling-spread", _spread, {"labels of fair coins": {"balanced": False}}),
    stated(
        _CHAPTER,
        "thm-between-class",
        _between,
        {
            "the variance over all images": {"within": True},
            "classes of different sizes": {"equal": False},
            "a few relabellings": {"all_tasks": False},
        },
    ),
    stated(
        _CHAPTER,
        "cor-class-means",
        _class_means,
        {
            "the scatter of all images": {"total": True},
            "labels of other images": {"shuffled": True},
            "a rank below the number of tasks": {"fewer": 1},
            "discriminants without whitening": {"white": False},
        },
    ),
)
"""The claims of chapter 8."""
