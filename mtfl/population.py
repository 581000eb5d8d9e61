"""What training does with infinitely many inputs, and finitely or infinitely many tasks.

A neuron w is known by v = M^T w, tau = |w - M v| and its bias b; the input dimension d enters in no other way. With the
moments of :mod:`mtfl.moments` and a task kernel K the negative gradient of the linearised loss in w is, P = 2^-r,

    parallel_i    = kappa^2 eta_a sum_{z,z'} P^2 K(z, z') mu_z q_{z',i} z'_i         (along M_i)
    perpendicular = kappa^2 eta_a sum_{z,z'} P^2 K(z, z') mu_z rho_{z'}              (times w - M v)

for Gaussian inputs. The hinge loss has this gradient but for inputs with a margin beyond 1, the logistic loss to first
order in eta_a.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.contrastive import LOSSES, slope_at_zero
from mtfl.metrics import lengths, recovery
from mtfl.moments import PatternMoments, pattern_moments
from mtfl.tasks import degree_one, degree_two, pattern_signs, walsh_coefficients


class Neurons(NamedTuple):
    """A layer as the population sees it: coordinates in the subspace, norms of the parts outside, biases."""

    V: Float[Tensor, "m r"]
    tau: Float[Tensor, " m"]
    b: Float[Tensor, " m"]

    @classmethod
    def random(cls, m: int, r: int, d: int, *, generator: torch.Generator) -> Neurons:
        """M rows drawn from N(0, I_d / d), with zero biases, at a cost that does not depend on d.

        v is N(0, I_r / d), and d tau^2 is chi-square with d - r degrees of freedom.

        Raises:
            TypeError: if a size is no integer or the generator is none.
            ValueError: if m < 1 or not 1 <= r < d.
        """
        where = "Neurons.random"
        _checks.integer(where, "m", m, least=1)
        _checks.dimensions(where, d, r)
        _checks.generator(where, generator)
        _checks.room(where, m, r)
        V = torch.randn(m, r, generator=generator, dtype=torch.float64) / math.sqrt(d)
        seed = int(torch.randint(2**62, (1,), generator=generator))
        tau = torch.from_numpy(np.sqrt(np.random.default_rng(seed).chisquare(d - r, m) / d))
        return cls(V, tau, torch.zeros_like(tau))

    @classmethod
    def of(cls, W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> Neurons:
        """The rows of W, with zero biases.

        Raises:
            TypeError: if W and M differ in dtype or device.
            ValueError: if the shapes do not fit, M is not orthonormal, or an entry is not finite.
        """
        where = "Neurons.of"
        _checks.tensors(where, W=W, M=M)
        _checks.shape(where, "W", W, "m d", d=_checks.subspace(where, M)[0])
        V = W @ M
        tau = lengths(W - V @ M.T)
        _checks.computed(where, V, tau)
        return cls(V, tau, torch.zeros_like(tau))

    def moved(self, step: PopulationStep, *, step_size: float, weight_decay: float = 0.0) -> Neurons:
        """W + step_size (step - weight_decay W), seen by the population.

        Raises:
            TypeError: if the step is no :class:`PopulationStep`, or a number is none.
            ValueError: if the step is of other neurons, or a number is negative or not finite.
        """
        where = "Neurons.moved"
        _checks.instance(where, "step", step, PopulationStep)
        _check_neurons(where, self)
        _check_step(where, step, m=self.V.shape[0], r=self.V.shape[1])
        _checks.number(where, "step_size", step_size, positive=False)
        _checks.number(where, "weight_decay", weight_decay, positive=False)
        V = self.V + step_size * (step.parallel - weight_decay * self.V)
        tau = self.tau * (1 + step_size * (step.perpendicular - weight_decay)).abs()
        _checks.computed(where, V, tau)
        return Neurons(V, tau, self.b.to(V))


class PopulationStep(NamedTuple):
    """Negative gradient of each neuron: its r coordinates in the subspace, its factor on w - M v."""

    parallel: Float[Tensor, "m r"]
    perpendicular: Float[Tensor, " m"]

    def learned(self, neurons: Neurons, *, weight_decay: float = 0.0) -> tuple[Tensor, Tensor]:
        """What the step adds to the neurons, inside the subspace (m, r) and along w - M v (m,), less the decay.

        Raises:
            TypeError, ValueError: if the neurons are none, or the decay is negative or not finite.
        """
        where = "PopulationStep.learned"
        _checks.instance(where, "neurons", neurons, Neurons)
        _check_neurons(where, neurons)
        _checks.shape(where, "V", neurons.V, "m r", **_check_step(where, self))
        _checks.number(where, "weight_decay", weight_decay, positive=False)
        inside = self.parallel - weight_decay * neurons.V
        outside = (self.perpendicular - weight_decay) * neurons.tau
        _checks.computed(where, inside, outside)
        return inside, outside

    def weights(self, W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> Float[Tensor, "m d"]:
        """The step as rows of weights, for the layer W that it was computed for; W may be of another dtype.

        Raises:
            TypeError: if W and M differ in dtype or device.
            ValueError: if the shapes do not fit, M is not orthonormal, or an entry is not finite.
        """
        where = "PopulationStep.weights"
        _checks.tensors(where, W=W, M=M)
        d, r = _checks.subspace(where, M)
        sizes = _check_step(where, self, r=r)
        _checks.shape(where, "W", W, "m d", m=sizes["m"], d=d)
        outside = W - W @ M @ M.T
        step = self.parallel.to(W) @ M.T + self.perpendicular.to(W).unsqueeze(1) * outside
        _checks.computed(where, step)
        return step


def population_step(
    V: Float[Tensor, "m r"],
    tau: Float[Tensor, " m"],
    b: Float[Tensor, " m"],
    kernel: Float[Tensor, "K K"],
    *,
    head_step: float = 1.0,
    loss: str = "hinge",
    leak: float = 0.0,
) -> PopulationStep:
    """Negative gradient of the representation with infinitely many inputs, exact for each neuron.

    Args:
        V: coordinates in the subspace.
        tau: norms of the parts outside.
        b: biases.
        kernel: of a table of tasks (``task_kernel(F)``) or of infinitely many (``limit_kernel(r, law)``).
        head_step: eta_a.
        loss: "hinge" (kappa = 1) or "logistic" (kappa = 1/2).
        leak: of leaky ReLUs, their slope on the negative side: -1 for the absolute value, 1 for the identity.

    Returns:
        The step in float64.

    Raises:
        TypeError, ValueError: as :func:`mtfl.moments.pattern_moments`; also if the kernel is no K x K array.

    Checked against Monte Carlo and against the gradient of a network trained on many inputs.
    """
    where = "population_step"
    kernel = _population_kernel(where, Neurons(V, tau, b), kernel)
    _checks.number(where, "head_step", head_step)
    _checks.choice(where, "loss", loss, LOSSES)
    moments = pattern_moments(V, tau, b, leak=leak)
    step = _pulled(slope_at_zero(loss) ** 2 * head_step * moments.mean @ kernel, moments)
    _checks.computed(where, *step)
    return step


def leading_order_step(
    V: Float[Tensor, "m r"],
    tau: Float[Tensor, " m"],
    F: Float[Tensor, "T K"],
    *,
    head_step: float = 1.0,
    loss: str = "hinge",
) -> PopulationStep:
    """The same step to first order in |v| / tau, for zero biases, from the tasks' degree-0, 1 and 2 coefficients.

    With <.> the mean over tasks and c = kappa^2 eta_a / (2 pi):

        parallel      = c [tau <f0 f1> + (<f1 f1^T> + <f0^2> I + (2/pi) <f0 F2>) v]
        perpendicular = c [<f0^2> + <f0 f1> . v / tau]

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, F is no table of tasks, or a tau is not positive.

    Checked against :func:`population_step` as |v| / tau shrinks.
    """
    where = "leading_order_step"
    _checks.tensors(where, V=V, tau=tau, F=F)
    r = _checks.table(where, F)
    sizes = _checks.shape(where, "V", V, "m r", r=r)
    _checks.shape(where, "tau", tau, "m", **sizes)
    _checks.require(
        bool((tau > 0).all()), where, "tau", "positive", tau.min().item(), "Drop neurons inside the subspace."
    )
    _checks.number(where, "head_step", head_step)
    _checks.choice(where, "loss", loss, LOSSES)
    coefficients = walsh_coefficients(F)
    f0, f1, F2 = coefficients[:, 0], degree_one(coefficients), degree_two(coefficients)
    T = F.shape[0]
    drift = f0 @ f1 / T
    square = (f0 @ f0) / T
    operator = f1.T @ f1 / T + square * torch.eye(r).to(F) + 2 / math.pi * torch.einsum("t,tij->ij", f0, F2) / T
    scale = slope_at_zero(loss) ** 2 * head_step / (2 * math.pi)
    parallel = scale * (tau.unsqueeze(1) * drift + V @ operator)
    step = PopulationStep(parallel, scale * (square + V @ drift / tau))
    _checks.computed(where, *step)
    return step


class PopulationFlow(NamedTuple):
    """Many rounds with infinitely many inputs, in float64; see :func:`population_flow`.

    Args:
        neurons: at the end.
        energy: share of the weights inside the subspace, before the first round and after each.
        conditioning: sigma_r / sigma_1 of W M, likewise.
        margin: mean of y g over tasks and inputs, after the heads' step of each round.
    """

    neurons: Neurons
    energy: Float[Tensor, " rounds+1"]
    conditioning: Float[Tensor, " rounds+1"]
    margin: Float[Tensor, " rounds"]


def population_flow(
    neurons: Neurons,
    kernel: Float[Tensor, "K K"],
    *,
    rounds: int,
    head_step: float,
    representation_step: float,
    weight_decay: float = 0.0,
    loss: str = "hinge",
) -> PopulationFlow:
    """Alternating training with infinitely many inputs, while heads are small.

    That is while margins stay below 1 (hinge), or to first order in the heads (logistic). Each round moves the heads,
    then the representation, as :func:`mtfl.pretraining.pretrain` does; heads start at zero and carry over. While the
    loss has slope -kappa, the head of task t after k rounds is kappa eta_a times the sum over the rounds of
    E[f_t relu(s)], so that the step of W is that of :func:`population_step` with mu_z summed over the rounds so far.
    No tasks are looped over.

    Args:
        neurons: where training starts.
        kernel: of a table of tasks, or of infinitely many.
        rounds: >= 1.
        head_step: eta_a.
        representation_step: eta_w.
        weight_decay: lambda >= 0, on W.
        loss: "hinge" or "logistic".

    Raises:
        TypeError, ValueError: as :func:`population_step`, and for counts, steps and decays that are not allowed.

    Checked against :func:`mtfl.pretraining.pretrain` with large batches and small heads, and against the closed form
    for odd tasks.
    """
    where = "population_flow"
    _checks.instance(where, "neurons", neurons, Neurons)
    for name, value in (("head_step", head_step), ("representation_step", representation_step)):
        _checks.number(where, name, value)
    _checks.number(where, "weight_decay", weight_decay, positive=False)
    _checks.integer(where, "rounds", rounds, least=1)
    _checks.choice(where, "loss", loss, LOSSES)
    kernel = _population_kernel(where, neurons, kernel)
    neurons = Neurons(*(x.detach().cpu().double() for x in neurons))
    kappa, margins, found = slope_at_zero(loss), [], [recovery(neurons.V, neurons.tau)]
    heads = torch.zeros(len(neurons.V), len(kernel), dtype=torch.float64)
    for _ in range(rounds):
        moments = pattern_moments(*neurons)
        heads = heads + kappa * head_step * moments.mean @ kernel
        margins.append(float((heads * moments.mean).sum()) / kernel.numel())
        step = _pulled(kappa * heads, moments)
        neurons = neurons.moved(step, step_size=representation_step, weight_decay=weight_decay)
        found.append(recovery(neurons.V, neurons.tau))
    energy, conditioning = (torch.stack(x) for x in zip(*found, strict=True))
    return PopulationFlow(neurons, energy, conditioning, torch.tensor(margins, dtype=torch.float64))


def _check_neurons(where: str, neurons: Neurons) -> int:
    """Refuse neurons whose parts do not fit together; returns r."""
    V, tau, b = neurons
    _checks.tensors(where, V=V, tau=tau, b=b)
    sizes = _checks.shape(where, "V", V, "m r")
    for name, x in (("tau", tau), ("b", b)):
        _checks.shape(where, name, x, "m", m=sizes["m"])
    return sizes["r"]


def _check_step(where: str, step: PopulationStep, **sizes: int) -> dict[str, int]:
    """Refuse a step whose parts do not fit together, or are of other sizes; returns m and r."""
    _checks.tensors(where, parallel=step.parallel, perpendicular=step.perpendicular)
    sizes = _checks.shape(where, "parallel", step.parallel, "m r", **sizes)
    return _checks.shape(where, "perpendicular", step.perpendicular, "m", **sizes)


def _population_kernel(where: str, neurons: Neurons, kernel: Tensor) -> Tensor:
    r = _check_neurons(where, neurons)
    _checks.features(where, r, arrays=2)
    K = 2**r
    _checks.tensors(where, kernel=kernel)
    _checks.shape(where, "kernel", kernel, "K L", K=K, L=K)
    return kernel.detach().cpu().double()


def _pulled(pull: Tensor, moments: PatternMoments) -> PopulationStep:
    """The step of neurons that pattern z pulls with this strength (m, K), averaged over patterns and heads."""
    K, r = pull.shape[1], moments.first.shape[2]
    parallel = torch.einsum("mk,mkr,kr->mr", pull, moments.first, pattern_signs(r)) / K**2
    return PopulationStep(parallel, (pull * moments.density).sum(1) / K**2)
