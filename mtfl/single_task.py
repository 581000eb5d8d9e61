"""What one exact step on a single task teaches: the atlas of all tasks, and counts of the rare ones.

A layer of infinitely many neurons takes one representation step on one task, with infinitely many inputs, from zero
heads and biases and rows N(0, I_d / d), with |w - M v|^2 at its mean 1 - r/d. Then the energy is E|inside|^2 over
E|inside|^2 + E|outside|^2, and the singular values of the step inside the subspace are the square roots of the
eigenvalues of E[inside inside^T], up to a common factor. The mean over v ~ N(0, I_r / d) is a rule with few points.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from mtfl import _checks
from mtfl.moments import pattern_moments
from mtfl.tasks import TaskClasses, all_tasks, degree_one, equivalence_classes, pattern_signs, walsh_coefficients

ENERGY, EVENNESS = 0.5, 0.3
"""A direction counts as learned when energy is at least the first and its singular value at least the second times the
largest. All r features are learned when all r directions are: energy >= 0.5 and sigma_r / sigma_1 >= 0.3."""

FAINT = 0.01
"""A step is faint when its size is below this share of that of the step on a single feature, f(z) = z_i, which is of
first order in |v|. Steps of third order, about d times smaller, are below the bound by ten times at d = 1000."""

_POINTS_UP_TO_FOUR, _POINTS_BEYOND = 5, 3  # nodes an axis; exact for polynomials of degree 9 and 5 in each v_i
_CHUNK = 2**21  # numbers in a work array
_NOTHING = 1e-24  # mean square of a step that is rounding error


class SingleTaskSteps(NamedTuple):
    """One step on each task alone, in float64.

    Args:
        energy: share of the step inside the subspace; 0 where the task moves nothing.
        values: singular values of the step inside, largest first, over the largest; 0 where nothing moves inside.
        size: root mean square over neurons of the step, |inside| and |outside| together, for kappa^2 eta_a = 1.
        relative_size: the same over that of the step on a single feature, f(z) = z_i, which is 1 / (2 pi sqrt(d)).
    """

    energy: Float[Tensor, " N"]
    values: Float[Tensor, "N r"]
    size: Float[Tensor, " N"]
    relative_size: Float[Tensor, " N"]

    @property
    def conditioning(self) -> Float[Tensor, " N"]:
        """sigma_r / sigma_1."""
        return self.values[:, -1]

    @property
    def faint(self) -> Bool[Tensor, " N"]:
        """Whether the step is :data:`FAINT`: at a step size that suits other tasks, the layer stays what it was."""
        return self.relative_size < FAINT

    @property
    def directions(self) -> Int64[Tensor, " N"]:
        """How many of the r directions are learned: none below energy 0.5, else those within 0.3 of the largest."""
        return (self.values >= EVENNESS).sum(1) * (self.energy >= ENERGY)


def single_task_steps(F: Float[Tensor, "N K"], d: int, *, matched_decay: bool = False) -> SingleTaskSteps:
    """What one exact step teaches on each task of the table F, each trained alone.

    Args:
        F: tasks, one a row.
        d: input dimension.
        matched_decay: take off the weight decay kappa^2 eta_a f0^2 / 2 pi, made for each task, that cancels the growth
            of every neuron in its own direction.

    Raises:
        TypeError: if F is no floating-point tensor, or d no integer.
        ValueError: if F is no table of tasks, r > 11, or d is at most r.

    Checked against :func:`mtfl.population.population_step` on many random neurons.
    """
    where = "single_task_steps"
    r = _checks.table(where, F)
    _checks.dimensions(where, d, r)
    _checks.flag(where, "matched_decay", matched_decay)
    remedy = "Time and memory grow as 4^r."
    _checks.require(r <= 11, where, "r", "at most 11", r, remedy)
    K, F = 2**r, F.detach().cpu().double()
    largest = F.abs().amax(1)
    F = F / torch.where(largest > 0, largest, 1.0)[:, None]  # a step is of second order in the labels
    V, weights = _gauss_hermite(r, d) if r <= 6 else _corners_and_axes(r, d)
    tau = torch.full_like(weights, math.sqrt(1 - r / d))
    moments = pattern_moments(V, tau, torch.zeros_like(tau))
    signed = (moments.first * pattern_signs(r)).permute(1, 0, 2).reshape(K, -1) / K
    decay = F.mean(1, keepdim=True) ** 2 / (2 * math.pi) * matched_decay
    inside, outside = [], []
    for f, rate in zip(*(x.split(_CHUNK // V.numel()) for x in (F, decay)), strict=True):
        alpha = f @ moments.mean.T / K
        step = alpha[:, :, None] * (f @ signed).reshape(len(f), -1, r) - rate[:, :, None] * V
        step *= weights.sqrt()[:, None]
        inside.append(step.mT @ step)
        outside.append((alpha * (f @ moments.density.T / K) - rate) ** 2 @ (weights * tau**2))
    squares = torch.linalg.eigvalsh(torch.cat(inside)).clamp(min=0).flip(1)
    inner = squares.sum(1)
    total = inner + torch.cat(outside)
    energy = torch.where(total > _NOTHING, inner / total, 0.0)
    values = torch.where(inner[:, None] > _NOTHING, (squares / squares[:, :1]).sqrt(), 0.0)
    size = torch.where(total > _NOTHING, total, 0.0).sqrt() * largest**2
    return SingleTaskSteps(energy, values, size, size * (2 * math.pi * math.sqrt(d)))


def _gauss_hermite(r: int, d: int) -> tuple[Tensor, Tensor]:
    """Points v and weights of a product rule for N(0, I_r / d)."""
    points, weights = np.polynomial.hermite_e.hermegauss(_POINTS_UP_TO_FOUR if r <= 4 else _POINTS_BEYOND)
    axes = np.meshgrid(*[points / math.sqrt(d)] * r, indexing="ij")
    masses = np.meshgrid(*[weights / weights.sum()] * r, indexing="ij")
    V = np.stack([axis.ravel() for axis in axes], 1)
    return torch.from_numpy(V), torch.from_numpy(np.prod([mass.ravel() for mass in masses], axis=0))


def _corners_and_axes(r: int, d: int) -> tuple[Tensor, Tensor]:
    """The same with 2^r + 2r + 1 points, exact for polynomials of degree 5 in v (Stroud, 1971, E_n^(r^2) 5).

    The squares of first-order steps are, to the order after their leading one; those of third-order steps are not.
    """
    one = torch.eye(r, dtype=torch.float64)
    V = torch.cat([pattern_signs(r) / math.sqrt(r), one, -one, 0 * one[:1]]) * math.sqrt((r + 2) / d)
    weights = [r**2 / 2**r] * 2**r + [1] * (2 * r) + [2 * r + 4]
    return V, torch.tensor(weights, dtype=torch.float64) / (r + 2) ** 2


FATES = (
    "all learned",
    "several learned",
    "one learned",
    "buried, all with decay",
    "buried, several with decay",
    "buried, one with decay",
    "faint",
    "nothing",
)
"""What becomes of a task's r directions in one step, best first: how many are learned; if none is, because energy is
low, how many are with the matched decay; the step is faint; nothing is learned, with decay or without."""


class Atlas(NamedTuple):
    """Every task on r features, one row for each class; see :func:`atlas`.

    Args:
        classes: the classes; row k of everything is class k.
        mean: |fhat_0|.
        linear: |fhat_1|.
        plain: one step without decay.
        decayed: one step with the matched decay.
        ignored: how many features the task does not depend on.
        unseen: how many it depends on, but only through products of 3, 5, ... features, which no step can see.
    """

    classes: TaskClasses
    mean: Float[Tensor, " C"]
    linear: Float[Tensor, " C"]
    plain: SingleTaskSteps
    decayed: SingleTaskSteps
    ignored: Int64[Tensor, " C"]
    unseen: Int64[Tensor, " C"]

    @property
    def r(self) -> int:
        """The number of features."""
        return self.plain.values.shape[1]

    @property
    def fates(self) -> list[str]:
        """The fate of each class, one of :data:`FATES`."""
        found = ["nothing"] * len(self.classes.sizes)
        for steps, pattern in ((self.decayed, "buried, {} with decay"), (self.plain, "{} learned")):
            for k, count in enumerate(steps.directions.tolist()):
                if count:
                    number = "all" if count == self.r else "one" if count == 1 else "several"
                    found[k] = "faint" if steps.faint[k] else pattern.format(number)
        return found

    @property
    def losses(self) -> list[str]:
        """What each class loses, in words."""
        r, found = self.r, []
        for k, fate in enumerate(self.fates):
            missing = [r - int(steps.directions[k]) for steps in (self.plain, self.decayed)]
            plain, decayed = (f"{n} of {r} directions" if n else "no direction" for n in missing)
            if fate == "nothing":
                lost = "all: neurons only grow" if float(self.plain.energy[k]) > 0 else "all: nothing moves"
            elif fate.startswith("buried"):
                lost = f"all: energy is low; with decay {decayed}"
            else:
                lost = plain + ", but the step is faint" * (fate == "faint")
            for count, what in ((int(self.ignored[k]), "ignored"), (int(self.unseen[k]), "unseen")):
                lost += f"; {count} feature{'s' * (count > 1)} {what}" * (count > 0)
            found.append(lost)
        return found


def atlas(r: int, d: int) -> Atlas:
    """What one exact step teaches on each class of tasks on r features, in d dimensions. For r <= 4.

    Raises:
        TypeError: if r or d is no integer.
        ValueError: if r < 1, r > 4, or d is at most r.

    Checked against the steps of all tasks.
    """
    _checks.integer("atlas", "r", r, least=1)
    _checks.dimensions("atlas", d, r)
    classes = equivalence_classes(r)
    F = classes.representatives
    bits = torch.arange(2**r).unsqueeze(1) >> torch.arange(r) & 1  # of the sets of features
    degree = bits.sum(1)
    coefficients = walsh_coefficients(F)
    nonzero = (coefficients != 0).long()
    used = nonzero @ bits > 0
    seen = nonzero * ((degree == 1) | (degree % 2 == 0)) @ bits > 0
    plain, decayed = (single_task_steps(F, d, matched_decay=decay) for decay in (False, True))
    sizes = (coefficients[:, 0].abs(), degree_one(coefficients).norm(dim=1))
    return Atlas(classes, *sizes, plain, decayed, (~used).sum(1), (used & ~seen).sum(1))


def count_without_linear_part(r: int) -> int:
    """How many of the 2^K tasks on r features, K = 2^r, have fhat_1 = 0. For r <= 6.

    The coordinates of sum_z f(z) z / 2 are integers of size at most K/2, so that they vanish if they do modulo an odd
    N > K/2. The number of tasks with that is the mean over theta in {0 ... N-1}^r of the product over the pairs z, -z
    of 2 + omega^(theta . z) + omega^(-theta . z), for omega a primitive N-th root of one. The mean is computed without
    rounding, in finite fields that have such a root, and up to permutations and flips of theta.

    Raises:
        TypeError: if r is no integer.
        ValueError: if r < 1 or r > 6.

    Checked by going through all tasks for r <= 4, and by counting pairs of tasks of four features for r = 5.
    """
    where = "count_without_linear_part"
    _checks.integer(where, "r", r, least=1)
    _checks.require(r <= 6, where, "r", "at most 6", r, "Chapter 4 bounds the share of such tasks for all r.")
    K = 2**r
    N = (K // 2 + 1) | 1
    thetas = list(combinations_with_replacement(range(N // 2 + 1), r))
    orders = [math.factorial(r) // math.prod(map(math.factorial, Counter(theta).values())) for theta in thetas]
    copies = np.array(orders) * 2 ** np.count_nonzero(thetas, axis=1)
    exponents = np.array(thetas) @ pattern_signs(r).long().numpy()[: K // 2].T % N
    count, modulus, prime = 0, 1, 2**31 // N * N + 1
    while modulus < 2**K:  # Chinese remainders
        prime -= N
        if prime % 2 == 0 or any(prime % q == 0 for q in range(3, math.isqrt(prime) + 1, 2)):
            continue
        roots = ([pow(g, (prime - 1) // N * j, prime) for j in range(N)] for g in range(2, prime))
        powers = np.array(next(root for root in roots if len(set(root)) == N))
        factors, terms = (2 + powers + np.roll(powers[::-1], 1)) % prime, copies % prime
        for exponent in exponents.T:
            terms = terms * factors[exponent] % prime
        residue = int(terms.sum()) * pow(N, -r, prime) % prime
        count += modulus * ((residue - count) * pow(modulus, -1, prime) % prime)
        modulus *= prime
    return count


def count_exceptions(r: int) -> Int64[Tensor, " directions"]:
    """How many tasks with fhat_1 = 0 and fhat_0 != 0 have k directions with the matched decay, as d grows. For r <= 5.

    The step is then fhat_0 Fhat_2 v up to a factor (chapter 4), so that k is the number of eigenvalues of Fhat_2 within
    :data:`EVENNESS` of the largest. A task on r features is two tasks g, h on r - 1 features, for z_r = -1 and +1: it
    has fhat_1 = 0 if fhat_0(g) = fhat_0(h) and fhat_1(g) = -fhat_1(h), and then Fhat_2 is the mean of both, bordered by
    fhat_1(h). The pairs are listed.

    Returns:
        Counts for k = 0 ... r.

    Raises:
        TypeError: if r is no integer.
        ValueError: if r < 2 or r > 5.

    Checked by going through all tasks for r <= 4.
    """
    where = "count_exceptions"
    _checks.integer(where, "r", r, least=2)
    _checks.require(r <= 5, where, "r", "at most 5", r, "Half of the tasks must be few enough to list.")
    K, pairs = 2**r, [(i, j) for j in range(r) for i in range(j)]  # the last r - 1 pairs are with feature r
    sets = [0, *(1 << i for i in range(r - 1)), *(1 << i | 1 << j for i, j in pairs[: 1 - r])]
    halves = (K // 2 * walsh_coefficients(all_tasks(r - 1))[:, sets]).long().numpy()
    halves, copies = _distinct(halves, np.ones(len(halves)))
    place = (K + 1) ** np.arange(r)
    wanted, offered = halves[:, :r] @ place, halves[:, :r] @ (place * ([1] + [-1] * (r - 1)))
    order = offered.argsort()
    first, last = (np.searchsorted(offered[order], wanted, side) for side in ("left", "right"))
    g = np.repeat(np.arange(len(halves)), last - first)
    h = order[np.arange(len(g)) + np.repeat(last - (last - first).cumsum(), last - first)]
    positive = halves[g, 0] > 0  # flipping the output flips the mean
    g, h = g[positive], h[positive]
    second = np.concatenate([halves[g, r:] + halves[h, r:], 2 * halves[h, 1:r]], axis=1)
    second, copies = _distinct(second, 2 * copies[g] * copies[h])
    F2 = np.zeros((len(second), r, r))
    for (i, j), column in zip(pairs, second.T, strict=True):
        F2[:, i, j] = F2[:, j, i] = column
    values = np.abs(np.linalg.eigvalsh(F2))
    largest = values.max(1, keepdims=True)
    directions = ((values >= EVENNESS * largest) & (largest > 0)).sum(1)
    return torch.from_numpy(np.bincount(directions, copies, minlength=r + 1).astype(np.int64))


def _distinct(rows: np.ndarray, copies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows of small integers, and how many copies of each there are in all."""
    place = (2 * int(np.abs(rows).max()) + 1) ** np.arange(rows.shape[1])
    _, chosen, which = np.unique(rows @ place, return_index=True, return_inverse=True)
    return rows[chosen], np.bincount(which, copies)
