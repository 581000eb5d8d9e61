"""Alternating multi-task pretraining: heads first, then the representation, each on a fresh batch.

:func:`pretrain` runs the algorithm for any number of rounds; :func:`contrastive_step` is its first representation
step alone, written with the task kernel, so that infinitely many tasks cost no more than one. :func:`sampled_steps` draws
from the law of such steps at a cost that does not depend on d either.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.contrastive import LOSSES, Anchors, closed_form_gradient, head_gradient, margin_loss, pull_gradient
from mtfl.inputs import GaussianInputs, HypercubeInputs
from mtfl.metrics import conditioning, energy_ratio
from mtfl.network import TwoLayerReLU, relu_features

_BAR_AFTER_SECONDS = 10
_BLOCK = 2048  # inputs held at a time by contrastive_step


@dataclass(frozen=True)
class PretrainSettings:
    """Settings of :func:`pretrain`.

    Args:
        rounds: alternating rounds, >= 1.
        batch_size: inputs in each batch (for each task, if the batches are per task). Every round draws two.
        head_step: eta_a. A head moves by eta_a times the gradient of its own task's mean loss (no 1/T).
        representation_step: eta_w. W moves by eta_w times the gradient of the mean over tasks, so that a step
            that is to move W by as much as T single tasks would needs eta_w proportional to T.
        head_steps: head steps on the head batch in each round, >= 1.
        weight_decay: lambda >= 0; W <- W - eta_w (gradient + lambda W).
        loss: "hinge" or "logistic".
        batches: "shared" (one batch of inputs, labelled by every task) or "per-task".
        train_biases: whether b moves, with the step of W and no decay.

    Raises:
        TypeError: for values of the wrong type.
        ValueError: for counts below 1, steps that are not positive, negative decay, unknown words.
    """

    rounds: int
    batch_size: int
    head_step: float
    representation_step: float
    head_steps: int = 1
    weight_decay: float = 0.0
    loss: str = "hinge"
    batches: str = "shared"
    train_biases: bool = False

    def __post_init__(self) -> None:
        where = "PretrainSettings"
        for name in ("rounds", "batch_size", "head_steps"):
            _checks.integer(where, name, getattr(self, name), least=1)
        for name in ("head_step", "representation_step"):
            _checks.number(where, name, getattr(self, name))
        _checks.number(where, "weight_decay", self.weight_decay, positive=False)
        _checks.choice(where, "loss", self.loss, LOSSES)
        _checks.choice(where, "batches", self.batches, ("shared", "per-task"))
        got = f"{type(self.train_biases).__name__} {self.train_biases!r}"
        is_bool = isinstance(self.train_biases, bool)
        _checks.require(is_bool, where, "train_biases", "True or False", got, "Pass one of the two.", TypeError)


@dataclass(frozen=True, eq=False)
class History:
    """What was measured along the way.

    Args:
        loss: (rounds,) mean over tasks and inputs of the fresh representation batch, after the heads' step.
        accuracy: (rounds,) share of correct signs there; the inputs are new, so this is test accuracy.
        energy: (rounds + 1,) :func:`mtfl.metrics.energy_ratio`, before training and after each round.
        conditioning: (rounds + 1,) :func:`mtfl.metrics.conditioning`, likewise.
    """

    loss: Float[Tensor, " rounds"]
    accuracy: Float[Tensor, " rounds"]
    energy: Float[Tensor, " rounds_and_one"]
    conditioning: Float[Tensor, " rounds_and_one"]


@dataclass(frozen=True, eq=False)
class Pretrained:
    """The trained network and its history."""

    network: TwoLayerReLU
    history: History


def pretrain(
    network: TwoLayerReLU,
    inputs: GaussianInputs | HypercubeInputs,
    F: Float[Tensor, "T K"],
    settings: PretrainSettings,
    *,
    generator: torch.Generator,
) -> Pretrained:
    """Train the shared first layer on all tasks of the table F (one task is T = 1).

    Each round (1) moves the heads on a batch of inputs, with W fixed, and (2) moves W on a fresh batch with
    the new heads. Heads carry over from round to round. A progress bar appears on runs over ten seconds.

    Args:
        network: where training starts; it is not changed.
        inputs: the law of x, with the subspace M.
        F: the tasks.
        settings: see :class:`PretrainSettings`.
        generator: of the batches; with the same state, the same result.

    Returns:
        The trained network and the history of loss, accuracy, energy and conditioning.

    Raises:
        TypeError: if dtypes or devices of network, inputs and F differ.
        ValueError: if shapes do not fit, F is no table of signs, or training diverges (the message names the
            round; weights that are not finite are never returned).

    The algorithm is the alternating one described in the paper; loss, step rule and initialisation are this book's.
    """
    where = "pretrain"
    r = _checks.table(where, F)
    _checks.tensors(where, W=network.W, M=inputs.M, F=F)
    _checks.shape(where, "W", network.W, "m d", d=inputs.d)
    _checks.shape(where, "heads A", network.A, "T m", T=F.shape[0])
    remedy = "The width of F must be 2^r for the inputs' r."
    _checks.require(r == inputs.r, where, "F", f"a table on r = {inputs.r} features", f"r = {r}", remedy)
    _checks.generator(where, generator)

    W, b, A = network.W, network.b, network.A
    draw = _batches(inputs, F, settings, generator)
    losses, accuracies = [], []
    energies, conditionings = [energy_ratio(W, inputs.M)], [conditioning(W, inputs.M)]
    for index in _progress(settings.rounds):
        X, Y = draw()
        H = relu_features(W, b, X)
        for _ in range(settings.head_steps):
            A = A - settings.head_step * head_gradient(A, H, Y, loss=settings.loss)
        X, Y = draw()
        gradient = closed_form_gradient(W, b, A, X, Y, settings.loss)
        W = W - settings.representation_step * (gradient.W + settings.weight_decay * W)
        if settings.train_biases:
            b = b - settings.representation_step * gradient.b
        losses.append(float(margin_loss(gradient.margins, loss=settings.loss).mean()))
        accuracies.append(float((gradient.margins > 0).to(W).mean()))
        finite = bool(torch.isfinite(W).all() and torch.isfinite(A).all() and torch.isfinite(b).all())
        remedy = "Training diverged: reduce representation_step, head_step or weight_decay."
        _checks.require(finite, where, "every weight", "finite", f"NaN or infinity in round {index + 1}", remedy)
        energies.append(energy_ratio(W, inputs.M))
        conditionings.append(conditioning(W, inputs.M))
    history = History(*(torch.tensor(h, dtype=torch.float64) for h in (losses, accuracies, energies, conditionings)))
    return Pretrained(TwoLayerReLU(W, b, A), history)


def _batches(
    inputs: GaussianInputs | HypercubeInputs,
    F: Tensor,
    settings: PretrainSettings,
    generator: torch.Generator,
) -> Callable[[], tuple[Tensor, Tensor]]:
    """A function that draws the next batch: inputs and labels."""
    T, n = F.shape[0], settings.batch_size

    def shared() -> tuple[Tensor, Tensor]:
        X = inputs.sample(n, generator=generator)
        return X, F[:, inputs.patterns(X)]

    def per_task() -> tuple[Tensor, Tensor]:
        X = inputs.sample(T * n, generator=generator).reshape(T, n, inputs.d)
        return X, F.gather(1, inputs.patterns(X))

    return shared if settings.batches == "shared" else per_task


def _progress(rounds: int) -> Iterable[int]:
    """The rounds, with a bar where they take long, unless tqdm's switch TQDM_DISABLE is set."""
    from tqdm.auto import tqdm  # finds out whether it runs in a notebook, which takes time at import

    silent = bool(os.environ.get("TQDM_DISABLE"))  # tqdm's bar for notebooks does not read it itself
    return tqdm(range(rounds), desc="pretrain", unit="round", delay=_BAR_AFTER_SECONDS, leave=False, disable=silent)


def contrastive_step(
    W: Float[Tensor, "m d"],
    inputs: GaussianInputs | HypercubeInputs,
    kernel: Float[Tensor, "K K"],
    *,
    batch_size: int,
    generator: torch.Generator,
) -> Float[Tensor, "m d"]:
    """The weights that one representation step learns: minus the gradient of the pseudo-contrastive loss at W.

    This is what :func:`pretrain` adds to W in its first round, divided by eta_w kappa^2 eta_a, as long as no
    margin reaches 1; the scale is 1 here. Batches are shared by the tasks: ``batch_size`` inputs for the heads, as
    many fresh ones for the representation. Memory is bounded; time is about 6 batch_size m d flops, whatever T.

    Args:
        W: initial weights; biases are zero.
        inputs: the law of x.
        kernel: ``task_kernel(F)`` for a table of tasks, ``limit_kernel(r, law)`` for infinitely many.
        batch_size: inputs in each of the two batches.
        generator: of the batches.

    Returns:
        An array like W. Energy and conditioning are measured on it as it is; add decay by adding a multiple of W.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if shapes do not fit, an entry is not finite, or batch_size < 1.

    Checked against the first round of pretrain and, for many inputs, against the population step.
    """
    where = "contrastive_step"
    _checks.tensors(where, W=W, M=inputs.M, kernel=kernel)
    _checks.shape(where, "W", W, "m d", d=inputs.d)
    _checks.shape(where, "kernel", kernel, "K L", K=2**inputs.r, L=2**inputs.r)
    _checks.integer(where, "batch_size", batch_size, least=1)
    _checks.generator(where, generator)
    sizes = [min(_BLOCK, batch_size - start) for start in range(0, batch_size, _BLOCK)]
    b, totals, learned = torch.zeros_like(W[:, 0]), 0.0, torch.zeros_like(W)
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        totals = totals + Anchors.of(relu_features(W, b, X), inputs.patterns(X), inputs.r).totals * (n / batch_size)
    targets = kernel @ totals
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        learned -= pull_gradient(W, b, X, targets[inputs.patterns(X)] / batch_size)
    return learned


class SampledSteps(NamedTuple):
    """Steps of one layer under several kernels; see :func:`sampled_steps`.

    Args:
        start: initial weights in rotated coordinates, of which the first r span the subspace.
        learned: the step under each kernel, in the same coordinates.
    """

    start: Float[Tensor, "m D"]
    learned: Float[Tensor, "Q m D"]


def sampled_steps(
    m: int,
    d: int,
    kernels: Float[Tensor, "Q K K"],
    *,
    batch_size: int,
    generator: torch.Generator,
) -> SampledSteps:
    """Steps as :func:`contrastive_step` takes them from m rows N(0, I_d / d) on Gaussian inputs, in law, at any d.

    Rotations of R^d change neither the law of the inputs nor that of the rows. In coordinates whose first r axes span
    the subspace and whose next m axes span the rows' parts outside, only r + m coordinates of an input enter the
    features. The other d - r - m are independent noise: given the pulls P (n, m) of the inputs on the neurons, the
    step has P^T Z there with Z standard normal, which depends on P^T P alone. Both Gaussian matrices with many columns
    are drawn up to a rotation of the columns (Bartlett's decomposition). Time is about 8 batch_size m (r + m) flops
    for a kernel, and the batches are shared by the kernels.

    Args:
        m: neurons.
        d: input dimension.
        kernels: one or more of one size, as for :func:`contrastive_step`; their dtype is that of the result.
        batch_size: inputs in each of the two batches.
        generator: of everything.

    Returns:
        Initial weights and steps in D = r + 2 m coordinates, fewer where d is smaller. All that does not change under
        rotations that keep the subspace has the law of a run in R^d: energy, conditioning, the step plus a multiple
        of the start.

    Raises:
        TypeError: if a size is no integer, or the kernels are no floating-point tensor.
        ValueError: if the kernels are no (Q, 2^r, 2^r) array, d is at most r, or a count is below 1.

    Checked against contrastive_step by the laws of energy and conditioning.
    """
    where = "sampled_steps"
    _checks.tensors(where, kernels=kernels)
    K = _checks.shape(where, "kernels", kernels, "Q K L")["K"]
    r = K.bit_length() - 1
    _checks.shape(where, "kernels", kernels, "Q K L", K=2 ** max(r, 1), L=K)
    for name, value in (("m", m), ("batch_size", batch_size)):
        _checks.integer(where, name, value, least=1)
    _checks.dimensions(where, d, r)
    _checks.generator(where, generator)
    dtype = kernels.dtype
    V = torch.randn(m, r, generator=generator, dtype=dtype)
    W = torch.cat([V, _up_to_rotation(m, d - r, dtype, generator)], 1) / math.sqrt(d)
    inputs = GaussianInputs(torch.eye(W.shape[1], r, dtype=dtype))
    sizes = [min(_BLOCK, batch_size - start) for start in range(0, batch_size, _BLOCK)]
    totals = torch.zeros(K, m, dtype=dtype)
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        totals.index_add_(0, inputs.patterns(X), (X @ W.T).clamp_(min=0) / batch_size)
    targets = kernels @ totals / batch_size
    learned, squares = torch.zeros(len(kernels), *W.shape, dtype=dtype), torch.zeros(len(kernels), m, m, dtype=dtype)
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        pulls = targets[:, inputs.patterns(X)] * (X @ W.T > 0)
        learned += pulls.mT @ X
        squares += pulls.mT @ pulls
    left = d - W.shape[1]
    if left:
        values, vectors = torch.linalg.eigh(squares.double())
        roots = (vectors * values.clamp(min=0).sqrt().unsqueeze(1)).to(dtype)
        noise = roots @ torch.stack([_up_to_rotation(m, left, dtype, generator) for _ in kernels])
        learned, W = torch.cat([learned, noise], 2), torch.nn.functional.pad(W, (0, noise.shape[2]))
    return SampledSteps(W, learned)


def _up_to_rotation(m: int, columns: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """An (m, columns) standard normal matrix times a rotation that leaves at most m columns."""
    Z = torch.randn(m, min(m, columns), generator=generator, dtype=dtype)
    if columns > m:
        seed = int(torch.randint(2**62, (1,), generator=generator))
        lengths = np.sqrt(np.random.default_rng(seed).chisquare(columns - np.arange(m)))
        Z = Z.tril(-1) + torch.diag(torch.from_numpy(lengths).to(dtype))
    return Z
