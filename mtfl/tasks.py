"""Tasks: Boolean functions of the sign pattern, their random laws, spectrum and kernel.

A task is f: {-1, 1}^r -> {-1, 1}. A set of T tasks is a table F of shape (T, K), K = 2^r: row t is task t,
column k is the pattern whose bit i is set when z_i = +1. With p = inputs.patterns(X), ``F[:, p]`` are the
labels of the inputs X on all tasks, shape (T, n).
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtfl import _checks

LAWS = ("uniform", "balanced", "parity", "junta", "threshold")
"""Laws of a random task.

* uniform: the label of every pattern is an independent fair coin.
* balanced: uniform over the functions with as many +1 as -1.
* parity: plus or minus the product of the z_i over a uniformly random non-empty set of coordinates.
* junta: a uniform function of two uniformly chosen coordinates (of the only one when r = 1).
* threshold: sign(w . z + c) with w ~ N(0, I_r) and c ~ N(0, 1).
"""


def pattern_signs(r: int, *, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Float[Tensor, "K r"]:
    """All patterns z in {-1, 1}^r, one a row; row k has z_i = +1 where bit i of k is set."""
    _checks.features("pattern_signs", r)
    _checks.floating("pattern_signs", dtype)
    _checks.device("pattern_signs", device)
    _checks.room("pattern_signs", r, 2**r)
    bits = torch.arange(2**r).unsqueeze(1) >> torch.arange(r) & 1
    return (2 * bits - 1).to(device=device, dtype=dtype)


def sample_tasks(
    count: int,
    r: int,
    *,
    law: str = "uniform",
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
) -> Float[Tensor, "T K"]:
    """A table of independent random tasks.

    Args:
        count: number of tasks T >= 1.
        r: number of features, r >= 1.
        law: one of :data:`LAWS`.
        generator: source of the draws.
        dtype: of the table.
        device: of the table.

    Returns:
        The table F of -1 and +1.

    Raises:
        ValueError: if count < 1, r < 1 (balanced tasks of r = 0 do not exist: one pattern cannot be halved),
            or the law is unknown.
        TypeError: if count or r is no integer, or the generator is none.
    """
    where = "sample_tasks"
    _checks.integer(where, "count", count, least=1)
    _checks.choice(where, "law", law, LAWS)
    _checks.features(where, r, arrays=2 if law == "parity" else 1)
    _checks.generator(where, generator)
    _checks.floating(where, dtype)
    _checks.device(where, device)
    _checks.room(where, count, 2**r, *[2] * (law == "junta"))  # which is made from the signs of both coordinates
    K = 2**r
    if law == "uniform":
        positive = torch.randint(2, (count, K), generator=generator) == 1
    elif law == "balanced":
        order = torch.rand(count, K, generator=generator, dtype=torch.float64).argsort(1)
        positive = order.argsort(1) < K // 2
    elif law == "parity":
        sets = torch.randint(1, K, (count,), generator=generator)
        flips = 2 * torch.randint(2, (count, 1), generator=generator) - 1
        positive = flips * characters(r)[sets] > 0
    elif law == "junta":
        size = min(r, 2)
        chosen = torch.rand(count, r, generator=generator, dtype=torch.float64).argsort(1)[:, :size]
        small = torch.randint(2, (count, 2**size), generator=generator) == 1
        bits = torch.arange(K) >> chosen.unsqueeze(-1) & 1
        positive = small.gather(1, (bits << torch.arange(size).unsqueeze(-1)).sum(1))
    else:
        weights = torch.randn(count, r, generator=generator, dtype=torch.float64)
        offsets = torch.randn(count, 1, generator=generator, dtype=torch.float64)
        positive = weights @ pattern_signs(r).T + offsets > 0
    return (2 * positive.long() - 1).to(device=device, dtype=dtype)


def all_tasks(r: int, *, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Float[Tensor, "N K"]:
    """All 2^(2^r) tasks; row number k labels pattern j with +1 where bit j of k is set. For r <= 4.

    Raises:
        ValueError: if r < 1, or r > 4 (r = 5 has more than four billion tasks).
        TypeError: if r is no integer.
    """
    _check_few("all_tasks", r, dtype)
    _checks.device("all_tasks", device)
    return pattern_signs(2**r, dtype=dtype, device=device)


def _check_few(where: str, r: int, dtype: torch.dtype) -> None:
    _checks.integer(where, "r", r, least=1)
    _checks.require(r <= 4, where, "r", "at most 4", r, "Sample tasks with sample_tasks instead.")
    _checks.floating(where, dtype)


class TaskClasses(NamedTuple):
    """All tasks on r features, sorted into classes; see :func:`equivalence_classes`."""

    representatives: Float[Tensor, "C K"]
    sizes: Int64[Tensor, " C"]
    labels: Int64[Tensor, " N"]


def equivalence_classes(r: int, *, dtype: torch.dtype = torch.float64) -> TaskClasses:
    """All tasks up to permuting the inputs z_i, flipping their signs, and flipping the output. For r <= 4.

    Two tasks are equivalent when f'(z) = +-f(z') with z'_i = +-z_{p(i)} for a permutation p. The representative of a
    class is its member with the smallest number in :func:`all_tasks`; classes are sorted by that number.

    Args:
        r: number of features.
        dtype: of the representatives.

    Returns:
        The representatives, the sizes of their classes, and the class of each of the 2^(2^r) tasks.

    Raises:
        TypeError: if r is no integer.
        ValueError: if r < 1 or r > 4.

    Checked against Burnside's count of the orbits, and by applying symmetries to tasks.
    """
    _check_few("equivalence_classes", r, dtype)
    F = all_tasks(r, dtype=dtype)
    N, K = F.shape
    half = K // 2  # a task's number in two halves of its bits, so that a symmetry is two small look-ups
    low, high = torch.arange(2**half), torch.arange(2 ** (K - half))
    numbers = torch.arange(N)
    smallest = numbers.minimum(N - 1 - numbers)
    for order in itertools.permutations(range(r)):
        moved = sum((torch.arange(K) >> i & 1) << j for i, j in enumerate(order))
        for flips in range(K):
            bits = 1 << (torch.as_tensor(moved) ^ flips)  # where the bit of each pattern goes
            images = [((part.unsqueeze(1) >> torch.arange(len(to)) & 1) * to).sum(1)
                      for part, to in ((low, bits[:half]), (high, bits[half:]))]  # fmt: skip
            image = images[0][numbers & (2**half - 1)] + images[1][numbers >> half]
            smallest = smallest.minimum(image).minimum(N - 1 - image)
    chosen, labels, sizes = smallest.unique(return_inverse=True, return_counts=True)
    return TaskClasses(F[chosen], sizes, labels)


def characters(r: int, *, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Float[Tensor, "S K"]:
    """The Walsh functions chi_S(z) = product of z_i over i in S; row S, a set as a bit mask, column z."""
    _checks.features("characters", r, arrays=2)
    _checks.floating("characters", dtype)
    _checks.device("characters", device)
    rows = torch.ones(1, 1, dtype=dtype, device=device)
    for _ in range(r):
        rows = torch.cat([torch.cat([rows, rows], 1), torch.cat([-rows, rows], 1)])
    return rows


def walsh_coefficients(F: Float[Tensor, "T K"]) -> Float[Tensor, "T S"]:
    """Walsh-Fourier coefficients fhat_S = E_z[f(z) prod_{i in S} z_i] of every task.

    Column S is a set of coordinates as a bit mask: column 0 is the mean, column 2^i the degree-1 coefficient of
    z_i. Parseval: the squares of a row sum to 1. The mean over z is uniform over the K patterns.

    Labels may be real numbers; then a row's squares sum to the mean of its labels' squares.

    Raises:
        ValueError: if F holds 0 and 1 only, or its width is no power of two.
    """
    r = _checks.table("walsh_coefficients", F)
    _checks.features("walsh_coefficients", r, arrays=2)
    return F @ characters(r, dtype=F.dtype, device=str(F.device)).T / F.shape[1]


def degree_one(coefficients: Float[Tensor, "T S"]) -> Float[Tensor, "T r"]:
    """The degree-1 vectors fhat_1 in R^r out of the array of :func:`walsh_coefficients`."""
    r = _checks.spectrum("degree_one", coefficients)
    return coefficients[:, [1 << i for i in range(r)]]


def degree_two(coefficients: Float[Tensor, "T S"]) -> Float[Tensor, "T r r"]:
    """The symmetric degree-2 matrices Fhat_2 (zero diagonal) out of :func:`walsh_coefficients`."""
    r = _checks.spectrum("degree_two", coefficients)
    _checks.room("degree_two", len(coefficients), r, r)
    i, j = torch.arange(r).unsqueeze(1), torch.arange(r)
    matrices = coefficients[:, (1 << i) | (1 << j)]
    return matrices * (i != j).to(matrices)


def degree_weights(F: Float[Tensor, "T K"]) -> Float[Tensor, "T degrees"]:
    """Each task's sums of squares of the Walsh coefficients of degree 0 ... r: of labels -1 and +1 they sum to 1.

    Raises:
        ValueError: as :func:`walsh_coefficients`.
    """
    r = _checks.table("degree_weights", F)
    squares = walsh_coefficients(F).square()
    degrees = torch.tensor([S.bit_count() for S in range(2**r)], device=F.device)
    return F.new_zeros(len(F), r + 1).index_add(1, degrees, squares)


def centred(F: Float[Tensor, "T K"]) -> Float[Tensor, "T K"]:
    """The tasks with each one's mean label taken off, f - fhat_0: real labels, and zeros for a constant task.

    Raises:
        ValueError: if F holds 0 and 1 only, or its width is no power of two.
    """
    _checks.table("centred", F)
    return F - F.mean(1, keepdim=True)


def kernel_parts(F: Float[Tensor, "T K"]) -> Float[Tensor, "3 K K"]:
    """The task kernel as a sum of three, which a step sees one by one.

    With g = f - fhat_0 the centred labels and <.> the mean over tasks, they are

        <g(z) g(z')>,    <fhat_0 (g(z) + g(z'))>,    <fhat_0^2>:

    that of :func:`centred` labels, the drift, and a constant, which rescales neurons without bias.

    Raises:
        ValueError: if F holds 0 and 1 only, or its width is no power of two.
    """
    _checks.features("kernel_parts", _checks.table("kernel_parts", F), arrays=2)
    f0 = F.mean(1, keepdim=True)
    g = F - f0
    mixed = (f0 * g).mean(0)
    constant = f0.square().mean().expand(F.shape[1], F.shape[1])
    return torch.stack([g.T @ g / F.shape[0], mixed.unsqueeze(1) + mixed, constant])


def task_kernel(F: Float[Tensor, "T K"]) -> Float[Tensor, "K K"]:
    """Task kernel K_T(z, z') = (1/T) sum_t f_t(z) f_t(z').

    It is the share of tasks on which two patterns agree minus the share on which they disagree. Labels may also be real
    numbers, as :func:`centred` makes them.

    Raises:
        ValueError: if F holds 0 and 1 only, or its width is no power of two.
    """
    _checks.features("task_kernel", _checks.table("task_kernel", F), arrays=2)
    return F.T @ F / F.shape[0]


def limit_kernel(r: int, law: str = "uniform", *, dtype: torch.dtype = torch.float64) -> Float[Tensor, "K K"]:
    """The task kernel of infinitely many tasks, E_f[f(z) f(z')].

    uniform: 1{z = z'}. balanced and parity: (K 1{z = z'} - 1) / (K - 1). junta: the chance that the two chosen
    coordinates of z and z' agree. threshold: (2/pi) arcsin((z . z' + 1) / (r + 1)).

    Raises:
        ValueError: if r < 1 or the law is unknown.
    """
    _checks.features("limit_kernel", r, arrays=2)
    _checks.choice("limit_kernel", "law", law, LAWS)
    _checks.floating("limit_kernel", dtype)
    Z = pattern_signs(r)
    inner = Z @ Z.T
    K = 2**r
    if law == "uniform":
        kernel = torch.eye(K, dtype=torch.float64)
    elif law in ("balanced", "parity"):
        kernel = (K * torch.eye(K, dtype=torch.float64) - 1) / (K - 1)
    elif law == "junta":
        size = min(r, 2)
        agree = (inner + r) / 2
        kernel = agree if size == 1 else agree * (agree - 1) / 2
        kernel = kernel / math.comb(r, size)
    else:
        kernel = 2 / math.pi * torch.asin((inner + 1) / (r + 1))
    return kernel.to(dtype)
