"""How many tasks, and how many inputs, one representation step needs.

:func:`learned_steps` takes one exact step under many kernels for little more than the price of one.
:func:`spanning_law` is the chance that the degree-1 vectors of random balanced tasks span R^r. :class:`KernelNorms` are
the three numbers of a kernel that decide how much noise finitely many inputs put beside what balanced tasks teach.
:func:`layer_limit` draws a layer's step on finitely many inputs in the limit of high dimension.
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
        The parts inside the subspace and the signed lengths along w - M v, as :func:`mtfl.metrics.recovery` takes them,
        in float64.

    Raises:
        TypeError, ValueError: as :func:`mtfl.moments.pattern_moments`; also if the kernels are no (Q, 2^r, 2^r) array,
            or the decay is negative.

    Checked against :func:`mtfl.population.population_step`, kernel by kernel.
    """
    where = "learned_steps"
    _checks.instance(where, "neurons", neurons, Neurons)
    _checks.tensors(where, V=neurons.V, kernels=kernels)
    r = _checks.shape(where, "V", neurons.V, "m r")["r"]
    _checks.features(where, r, arrays=2)
    _checks.shape(where, "kernels", kernels, "Q K L", K=2**r, L=2**r)
    _checks.number(where, "weight_decay", weight_decay, positive=False)
    moments = pattern_moments(*neurons)
    V, tau, _ = (x.detach().cpu().double() for x in neurons)
    pulls = (moments.mean @ kernels.detach().cpu().double() / 4**r).transpose(0, 1)  # (m, Q, K)
    inside = (pulls @ (moments.first * pattern_signs(r))).transpose(0, 1) - weight_decay * V
    outside = (pulls @ moments.density.unsqueeze(2)).squeeze(2).T - weight_decay
    outside = outside * tau
    _checks.computed(where, inside, outside)
    return inside, outside


class SpanningLaw(NamedTuple):
    """The chance that T random balanced tasks span R^r: sum_k coefficient_k (tasks_k / total)^T.

    Args:
        total: number of balanced tasks.
        terms: from a number of tasks to its coefficient, a whole number.
    """

    total: int
    terms: dict[int, int]

    def probability(self, tasks: int) -> float:
        """Chance for this many tasks, 0 to 10,000; the sum is exact.

        Raises:
            TypeError: if tasks is no integer.
            ValueError: if it is negative, or more than 10,000: the chance is 1 long before.
        """
        _checks.integer("SpanningLaw.probability", "tasks", tasks, least=0, most=10_000)
        _checks.integer("SpanningLaw.probability", "total", self.total, least=1)
        _checks.instance("SpanningLaw.probability", "terms", self.terms, dict)
        for count, coefficient in self.terms.items():
            _checks.integer("SpanningLaw.probability", "a number of tasks", count, least=0, most=self.total)
            _checks.integer("SpanningLaw.probability", "a coefficient", coefficient, least=-_checks.MOST)
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
    f1 = F[F.sum(1) == 0] @ pattern_signs(r)  # times 2^r: whole numbers
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


def _balanced(where: str, name: str, kernels: Tensor, axes: str) -> int:
    """The features r of kernels of balanced tasks, 2^r x 2^r in the last two axes."""
    _checks.tensors(where, **{name: kernels})
    K = _checks.shape(where, name, kernels, axes)["K"]
    r = max(K.bit_length() - 1, 1)
    _checks.shape(where, name, kernels, axes, K=2**r, L=2**r)
    _checks.features(where, r, arrays=2)
    rows = _checks.largest(kernels.sum(-1))
    zero = rows <= 1e-4 * _checks.largest(kernels)
    _checks.require(zero, where, f"the rows of {name}", "of sum zero", rows, "Use balanced tasks.")
    return r


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
        r = _balanced(where, "kernel", kernel, "K L")
        Z = pattern_signs(r).to(kernel) / math.sqrt(2**r)
        one = kernel @ Z
        _checks.computed(where, kernel.square().sum())
        return cls(*(x.square().sum().item() for x in (Z.T @ one, one, kernel)))

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
            ValueError: if tasks < 1, r < 2, or flips is negative or above 1/2.

        Checked against the enumeration of all tables of two tasks, and of their flips.
        """
        where = "KernelNorms.expected"
        _checks.integer(where, "r", r, least=2, most=500)
        _checks.number(where, "tasks", tasks, positive=False, infinite=True)
        _checks.require(tasks >= 1, where, "tasks", "at least 1", tasks, "Choose tasks >= 1.")
        _checks.flag(where, "shared", shared)
        _checks.number(where, "flips", flips, positive=False)
        remedy = "Choose a probability, at most that of a coin."
        _checks.require(flips <= 0.5, where, "flips", "at most 1/2", flips, remedy)
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
        """Squared length outside the subspace over that inside, to leading order: 1/e - 1 for the energy ratio e.

        Args:
            d: input dimension.
            n: inputs in each batch; may be math.inf.

        Raises:
            TypeError: if one is no number.
            ValueError: if one is not positive.
        """
        where = "KernelNorms.outside_over_inside"
        _checks.number(where, "d", d)
        _checks.number(where, "n", n, infinite=True)
        self._check(where)
        nu = math.pi * d / n
        got, remedy = "zero", "No step finds the subspace: choose tasks that depend on single features."
        _checks.require(self.both + nu * self.one > 0, where, "what is inside", "positive", got, remedy)
        ratio = nu * (self.one + nu * self.every) / (self.both + nu * self.one)
        _checks.computed(where, ratio)
        return ratio

    def inputs_for_half(self, d: int) -> float:
        """The batch size at which inside and outside are equal, pi d (every / both)^(1/2).

        Raises:
            TypeError: if d is no number.
            ValueError: if d is not positive.
        """
        where = "KernelNorms.inputs_for_half"
        _checks.number(where, "d", d)
        self._check(where)
        remedy = "No batch is large enough: choose tasks that depend on single features."
        _checks.require(self.both > 0, where, "both", "positive", self.both, remedy)
        inputs = math.pi * d * math.sqrt(self.every / self.both)
        _checks.computed(where, inputs)
        return inputs

    def _check(self, where: str) -> None:
        for name, norm in zip(self._fields, self, strict=True):
            _checks.number(where, name, norm, positive=False)


def layer_limit(
    kernels: Float[Tensor, "Q K K"], nu: float, m: int, *, generator: torch.Generator
) -> tuple[Float[Tensor, "Q m r"], Float[Tensor, "Q m"]]:
    """Draws of one step of a layer on balanced tasks, on two shared batches of n inputs, as d and n tend to infinity.

    With X, m x r, and Gamma, m x K, Gaussian, Z the K x r patterns, and nu = pi d / n, a draw is made of
    Y = (X Z^T / sqrt(K) + sqrt(nu) Gamma) K_T / K. Its part inside is Y Z / sqrt(K), and a row outside has the length
    sqrt(nu) |Y_j|, both times 2 pi sqrt(d). The entries of Gamma in one column have covariance 1 / pi: neurons share
    the noise of how often a batch shows each pattern.

    Args:
        kernels: one for each draw (repeat one for more), of balanced tasks.
        nu: pi d / n >= 0.
        m: number of neurons.
        generator: source of randomness.

    Returns:
        The parts inside the subspace and the lengths outside, as :func:`mtfl.metrics.recovery` takes them, in float64.

    Raises:
        TypeError: if the kernels are no floating-point tensor, or m or nu is no number.
        ValueError: if the kernels are no (Q, 2^r, 2^r) array, their tasks are not balanced (rows do not sum to zero),
            m < 1 or nu < 0.

    Checked against steps on sampled inputs.
    """
    where = "layer_limit"
    r = _balanced(where, "kernels", kernels, "Q K L")
    _checks.number(where, "nu", nu, positive=False)
    _checks.integer(where, "m", m, least=1)
    _checks.generator(where, generator)
    Q, K, common = len(kernels), 2**r, 1 / math.pi
    _checks.room(where, Q, m, K)
    X, own, shared = (
        torch.randn(*size, generator=generator, dtype=torch.float64) for size in ((Q, m, r), (Q, m, K), (Q, 1, K))
    )
    Z, Gamma = pattern_signs(r) / math.sqrt(K), math.sqrt(1 - common) * own + math.sqrt(common) * shared
    Y = (X @ Z.T + math.sqrt(nu) * Gamma) @ kernels.detach().cpu().double() / K
    inside, outside = Y @ Z, math.sqrt(nu) * Y.norm(dim=2)
    _checks.computed(where, inside, outside)
    return inside, outside
