"""Alternating multi-task pretraining: heads first, then the representation, each on a fresh batch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl._rounds import Rounds
from mtfl.contrastive import LOSSES
from mtfl.inputs import GaussianInputs, HypercubeInputs
from mtfl.metrics import carries, measured
from mtfl.network import TwoLayerReLU

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
        _checks.flag(where, "train_biases", self.train_biases)


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
        F: the tasks. Labels may be real numbers y, as ``centred(F)`` has them: the loss is l(y g) all the same, and an
            input counts as correct when y g > 0.
        settings: see :class:`PretrainSettings`.
        generator: of the batches; with the same state, the same result.

    Returns:
        The trained network and the history of loss, accuracy, energy and conditioning.

    Raises:
        TypeError: if dtypes or devices of network, inputs and F differ.
        ValueError: if shapes do not fit, F is no table of tasks, or training diverges (the message names the
            round; weights that are not finite are never returned).

    A round with one head step on shared inputs costs 6 n m d + 8 n m T floating-point operations. A product of an
    (a, b) by a (b, c) matrix costs 2 a b c, and seven cannot be avoided: for the heads X W^T (2 n m d), the scores
    H A^T (2 n m T) and what pulls the heads, P^T H (2 n m T); for W again X W^T (2 n m d) and H A^T (2 n m T), what
    pulls the neurons, P A (2 n m T), and its product with the inputs (2 n m d). Each further head step adds 4 n m T.
    With inputs of each task's own, n is T times as many rows, each with one task: 6 T n m d + 8 T n m.

    Large products in float32 on the processor are made by the quickest library that torch has and that is accurate to
    float32, found by a trial of some hundredths of a second, once in a process, and only while torch's
    ``set_float32_matmul_precision`` stands at its default. While training runs, that setting of the whole process may
    be another; afterwards it is what it was. On another processor, or where two libraries are about equally quick, the
    last digits of float32 may so differ. ``MTFL_KEEP_PRODUCT=1`` in the environment switches the choice off. Float64
    is never touched.

    The algorithm is the alternating one described in the paper; loss, step rule and initialisation are this book's.
    Checked against a loop with autograd.
    """
    where = "pretrain"
    _checks.instance(where, "network", network, TwoLayerReLU)
    _checks.instance(where, "inputs", inputs, GaussianInputs, HypercubeInputs)
    _checks.instance(where, "settings", settings, PretrainSettings)
    r = _checks.table(where, F)
    _checks.tensors(where, W=network.W, M=inputs.M, F=F)
    carries(where, network.W, inputs.M)
    _checks.shape(where, "heads A", network.A, "T m", T=F.shape[0])
    remedy = "The width of F must be 2^r for the inputs' r."
    _checks.require(r == inputs.r, where, "F", f"a table on r = {inputs.r} features", f"r = {r}", remedy)
    _checks.generator(where, generator)

    energy, evenness = measured(where, network.W, inputs.M)
    losses, accuracies, energies, conditionings = [], [], [energy], [evenness]
    training = Rounds(
        network,
        inputs,
        F,
        batch_size=settings.batch_size,
        per_task=settings.batches == "per-task",
        head_steps=settings.head_steps,
        loss=settings.loss,
        train_biases=settings.train_biases,
        generator=generator,
    )
    with training.quickest_products():
        for index in _progress(settings.rounds):
            training.step_heads(settings.head_step)
            loss, accuracy = training.step_representation(settings.representation_step, settings.weight_decay)
            remedy = "Training diverged: reduce representation_step, head_step or weight_decay."
            got = f"NaN or infinity in round {index + 1}"
            _checks.require(training.is_finite(), where, "every weight", "finite", got, remedy)
            energy, evenness = measured(where, training.W, inputs.M)
            for record, value in zip(
                (losses, accuracies, energies, conditionings), (loss, accuracy, energy, evenness), strict=True
            ):
                record.append(value)
    history = History(*(torch.tensor(h, dtype=torch.float64) for h in (losses, accuracies, energies, conditionings)))
    return Pretrained(training.network(), history)


def _progress(rounds: int) -> Iterable[int]:
    """The rounds, with a bar where they take long, unless tqdm's switch TQDM_DISABLE is set."""
    from tqdm.auto import tqdm  # finds out whether it runs in a notebook, which takes time at import

    silent = bool(os.environ.get("TQDM_DISABLE"))  # tqdm's bar for notebooks does not read it itself
    return tqdm(range(rounds), desc="pretrain", unit="round", delay=_BAR_AFTER_SECONDS, leave=False, disable=silent)
