"""Alternating multi-task pretraining: heads first, then the representation, each on a fresh batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.contrastive import LOSSES, closed_form_gradient, head_gradient, margin_loss
from mtfl.inputs import GaussianInputs, HypercubeInputs
from mtfl.metrics import conditioning, energy_ratio
from mtfl.network import TwoLayerReLU, relu_features

_BAR_AFTER_SECONDS = 10


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
