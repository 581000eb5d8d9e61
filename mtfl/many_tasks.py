"""How many tasks, and how many inputs, one representation step needs.

:func:`learned_steps` takes one exact step under many kernels for little more than the price of one.
:func:`spanning_law` is the chance that the degree-1 vectors of random balanced tasks span R^r. :class:`KernelNorms` are
the three numbers of a kernel that decide how much noise finitely many inputs put beside what balanced tasks teach.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.moments import pattern_moments
from mtfl.population import Neurons
from mtfl.tasks import all_tasks, pattern_signs


def learned_steps(
    neurons: Neurons, kernels: Float[Tensor, "Q K K"], *, weight_decay: float = 0.0
) -> tuple[Float[Tensor, "Q m r"], Float[Tensor, "Q m"]]:
    """What one exact step adds to the same neurons under each of several kernels, for kappa^2 eta_a = 1.

    Args:
        neurons: where the step is taken; their moments are computed once.
        kernels: one or more, as for :func:`mtfl.population.population_step`.
        weight_decay: lambda >= 0; lambda w is taken off each step.

    Returns:
        The parts inside the subspace and the signed lengths along w - M v, as :func:`mtfl.metrics.recovery` takes them.

    Raises:
        TypeError, ValueError: as :func:`mtfl.moments.pattern_moments`; also if the kernels are no (Q, 2^r, 2^r) array,
            or the decay is negative.

    Checked against :func:`mtfl.population.population_step`, kernel by kernel.
    """
    where = "learned_steps"
    _checks.tensors(where, V=neurons.V, kernels=kernels)
    r = _checks.shape(where, "V", neurons.V, "m r")["r"]
    _checks.shape(where, "kernels", kernels, "Q K L", K=2**r, L=2**r)
    _checks.number(where, "weight_decay", weight_decay, positive=False)
    V, tau, _ = (x.detach().cpu().double() for x in neurons)
    moments = pattern_moments(*neurons)
    pulls = (moments.mean @ kernels.detach().cpu().double() / 4**r).transpose(0, 1)  # (m, Q, K)
    inside = (pulls @ (moments.first * pattern_signs(r))).transpose(0, 1) - weight_decay * V
    outside = (pulls @ moments.density.unsqueeze(2)).squeeze(2).T - weight_decay
    return inside, outside * tau


class SpanningLaw(NamedTuple):
    """The chance that T random balanced tasks span R^r: sum_k coefficient_k (tasks_k / total)^T.

    Args:
        total: number of balanced tasks.
        terms: from a number of tasks to its coefficient, a whole number.
    """

    total: int
    terms: dict[int, int]

    def probability(self, tasks: int) -> float:
        """Chance for this many tasks; the sum is exact."""
        chance = sum(c * Fraction(k, self.total) ** tasks for k, c in self.terms.items())
        return float(chance)


def spanning_law(r: int) -> SpanningLaw:
    """The exact chance that the degree-1 vectors of T independent balanced tasks span R^r, for r <= 3.

    Call a subspace a flat when it is spanned by degree-1 vectors. With N(U) the number of balanced tasks whose vector
    lies in the flat U, N(U)^T counts the tables that span a part of U; Moebius inversion over the flats leaves those
    that span R^r.

    Raises:
        TypeError: if r is no integer.
        ValueError: if r < 1, or r > 3 (r = 4 has some 425,000 flats).

    Checked against the enumeration of all tables of two and three tasks, and against sampling.
    """
    where = "spanning_law"
    _checks.integer(where, "r", r, least=1)
    _checks.require(r <= 3, where, "r", "at most 3", r, "Sample tasks with sample_tasks instead.")
    F = all_tasks(r)
    f1 = F[F.sum(1) == 0] @ pattern_signs(r) / 2**r
    lines = [v for v in f1.unique(dim=0) if tuple(v) > tuple(-v)]  # one of each pair v, -v; none is zero
    flats = {}  # from the set of tasks that lie in a flat to its dimension
    for basis in itertools.chain.from_iterable(itertools.combinations(lines, k) for k in range(r + 1)):
        span = torch.stack(basis).T if basis else torch.zeros(r, 1, dtype=f1.dtype)
        residue = f1 - f1 @ (span @ torch.linalg.pinv(span)).T
        members = frozenset(torch.nonzero(residue.norm(dim=1) < 1e-9).flatten().tolist())
        flats.setdefault(members, int(torch.linalg.matrix_rank(span)))
    moebius, terms = {}, Counter()
    for flat in sorted(flats, key=flats.__getitem__, reverse=True):
        above = sum(value for other, value in moebius.items() if flat < other)
        moebius[flat] = 1 - above if flats[flat] == r else -above
        terms[len(flat)] += moebius[flat]
    return SpanningLaw(len(f1), {count: c for count, c in sorted(terms.items()) if c})


class KernelNorms(NamedTuple):
    """Squared Frobenius norms of a kernel of balanced tasks that is projected on degree one.

    With Pi = Z Z^T / K the projection on the functions u . z of the pattern (Z the K x r patterns): |Pi K_T Pi|^2,
    |K_T Pi|^2 and |K_T|^2. Of the squared length of one step with two batches of n inputs each in d dimensions the
    parts inside and outside the subspace are, to leading order and up to the same factor,

        both + nu one  and  nu (one + nu every),    nu = pi d / n.

    Args:
        both: projected on both sides.
        one: projected on one side.
        every: not projected.
    """

    both: float
    one: float
    every: float

    @classmethod
    def of(cls, kernel: Float[Tensor, "K K"]) -> KernelNorms:
        """The norms of one kernel.

        Raises:
            TypeError: if the kernel is no floating-point tensor.
            ValueError: if it is no (2^r, 2^r) array, or its tasks are not balanced (its rows do not sum to zero).
        """
        where = "KernelNorms.of"
        _checks.tensors(where, kernel=kernel)
        K = _checks.shape(where, "kernel", kernel, "K L")["K"]
        r = max(K.bit_length() - 1, 1)
        _checks.shape(where, "kernel", kernel, "K L", K=2**r, L=2**r)
        rows = float(kernel.sum(1).abs().max())
        _checks.require(rows < 1e-4, where, "the rows of the kernel", "of sum zero", rows, "Use balanced tasks.")
        Z = pattern_signs(r).to(kernel) / math.sqrt(K)
        one = kernel @ Z
        return cls(*(float(x.square().sum()) for x in (Z.T @ one, one, kernel)))

    @classmethod
    def expected(cls, tasks: int | float, r: int, *, shared: bool = True, flips: float = 0.0) -> KernelNorms:
        """The mean norms over tables of independent balanced tasks; tasks may be math.inf.

        If each task has two batches of n inputs of its own (``shared=False``), noise is no longer common to different
        tasks: in the means of |K_T Pi|^2 and |K_T|^2 the terms of a task with itself alone are left, and with them the
        squared lengths above hold.

        If every label is flipped with probability p (``flips``) by a coin of its own, labels y have E[y_t y_u] =
        (1 - 2p)^2 E[f_t f_u] for two tasks, and 1 for one: a ridge of 4p (1 - p) / T on the tasks' Gram matrix over T,
        on each side that is not projected. The norms are then no longer those of a kernel, but enter in their place.

        From E|f1|^2 = r / (K - 1) and E|f1|^4 = (r (r + 2) (K - 4) + 4 r) / (K (K - 1) (K - 3)).

        Raises:
            TypeError: if r is no integer.
            ValueError: if tasks < 1, r < 2 or flips is not between 0 and 1/2.

        Checked against the enumeration of all tables of two tasks, and of their flips.
        """
        _checks.integer("KernelNorms.expected", "r", r, least=2)
        _checks.require(tasks >= 1, "KernelNorms.expected", "tasks", "at least 1", tasks, "Choose tasks >= 1.")
        remedy = "Choose a probability, at most that of a coin."
        _checks.require(0 <= flips <= 0.5, "KernelNorms.expected", "flips", "between 0 and 1/2", flips, remedy)
        K, share = 2**r, 1 / tasks
        fourth = (r * (r + 2) * (K - 4) + 4 * r) / (K * (K - 1) * (K - 3))
        agreement = share + shared * (1 - share) / (K - 1)  # E tr K_T^2 / K^2
        both = share * fourth + (1 - share) * r / (K - 1) ** 2
        one, kept = agreement * r / (K - 1), (1 - 2 * flips) ** 2
        ridge = 1 - kept  # over T
        one = kept**2 * one + kept * ridge * share * r / (K - 1)
        every = kept**2 * agreement + (2 * kept + ridge) * ridge * share
        return cls(K**2 * kept**2 * both, K**2 * one, K**2 * every)

    def outside_over_inside(self, d: int, n: int | float) -> float:
        """Squared length outside the subspace over that inside, to leading order: 1/e - 1 for the energy ratio e."""
        nu = math.pi * d / n
        return nu * (self.one + nu * self.every) / (self.both + nu * self.one)

    def inputs_for_half(self, d: int) -> float:
        """The batch size at which inside and outside are equal, pi d (every / both)^(1/2)."""
        return math.pi * d * math.sqrt(self.every / self.both)
