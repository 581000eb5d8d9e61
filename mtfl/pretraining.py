"""Alternating multi-task pretraining: heads first, then the representation, each on a fresh batch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl._rounds import Rounds
from mtfl.contrastive import LOSSES
from mtfl.inputs import InputLaw
from mtfl.metrics import carries, measured
from mtfl.network import TwoLayerReLU

_BAR_AFTER_SECONDS = 10


@dataclass(frozen=True)
class Ridge:
    """Heads that in each round solve ridge regression on their batch, as :func:`mtfl.contrastive.ridge_heads` does.

    Args:
        penalty: of argmin_a |y_t - H a|^2 + penalty |a|^2, the sum over the inputs of the batch.

    Raises:
        TypeError, ValueError: if the penalty is no positive number.
    """

    penalty: float

    def __post_init__(self) -> None:
        _checks.number("Ridge", "penalty", self.penalty)


@dataclass(frozen=True)
class Adam:
    """Adam's rule (Kingma and Ba, 2015) in place of a gradient step, with decays 0.9 and 0.999 and epsilon = 1e-8.

    Args:
        rate: by how much about an entry moves in a round.

    Raises:
        TypeError, ValueError: if the rate is no positive number.
    """

    rate: float

    def __post_init__(self) -> None:
        _checks.number("Adam", "rate", self.rate)


@dataclass(frozen=True)
class PretrainSettings:
    """Settings of :func:`pretrain`.

    Args:
        rounds: alternating rounds, >= 1.
        batch_size: inputs in each batch (for each task, if the batches are per task). Every round draws two.
        head_step: eta_a. A head moves by eta_a times the gradient of its own task's mean loss (no 1/T). Or
            :class:`Ridge`: heads solve ridge regression on a batch that tasks share, and do not carry over.
        representation_step: eta_w. W moves by eta_w times the gradient of the mean over tasks, so that a step
            that is to move W by as much as T single tasks would needs eta_w proportional to T. Or :class:`Adam`,
            which knows no scale of the gradient; its running means begin anew with each call.
        head_steps: head steps on the head batch in each round, >= 1; 1 for ridge heads.
        weight_decay: lambda >= 0; W <- W - eta_w (gradient + lambda W). With Adam, eta_w is its rate, and the
            decay is no part of the gradient that it normalises.
        loss: "hinge" or "logistic".
        batches: "shared" (one batch of inputs, labelled by every task) or "per-task".
        train_biases: whether b moves, with the step of W and no decay.

    Raises:
        TypeError: for values of the wrong type.
        ValueError: for counts below 1, steps that are not positive, negative decay, unknown words, and ridge heads
            with several steps or with inputs of each task's own.
    """

    rounds: int
    batch_size: int
    head_step: float | Ridge
    representation_step: float | Adam
    head_steps: int = 1
    weight_decay: float = 0.0
    loss: str = "hinge"
    batches: str = "shared"
    train_biases: bool = False

    def __post_init__(self) -> None:
        where = "PretrainSettings"
        for name in ("rounds", "batch_size", "head_steps"):
            _checks.integer(where, name, getattr(self, name), least=1)
        for name, rule in (("head_step", Ridge), ("representation_step", Adam)):
            if not isinstance(value := getattr(self, name), rule):
                _checks.number(where, name, value)
        _checks.number(where, "weight_decay", self.weight_decay, positive=False)
        _checks.choice(where, "loss", self.loss, LOSSES)
        _checks.choice(where, "batches", self.batches, ("shared", "per-task"))
        _checks.flag(where, "train_biases", self.train_biases)
        if isinstance(self.head_step, Ridge):
            remedy = "Ridge heads are solved for, once in a round."
            _checks.require(self.head_steps == 1, where, "head_steps", "1 for ridge heads", self.head_steps, remedy)
            remedy = "Share the inputs, or give head_step a number."
            _checks.require(
                self.batches == "shared", where, "batches", "shared for ridge heads", repr(self.batches), remedy
            )


@dataclass(frozen=True, eq=False)
class History:
    """What was measured along the way, in float64.

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


@torch.no_grad()
def pretrain(
    network: TwoLayerReLU,
    inputs: InputLaw,
    F: Float[Tensor, "T K"],
    settings: PretrainSettings,
    *,
    generator: torch.Generator,
) -> Pretrained:
    """Train the shared first layer on all tasks of the table F (one task is T = 1).

    Each round (1) moves the heads on a batch of inputs, with W fixed, and (2) moves W on a fresh batch with
    the new heads. Heads carry over from round to round, but for ridge heads. A progress bar appears on runs over ten
    seconds.

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
            round; weights that are not finite are never returned), or ridge heads have too small a penalty to be
            computed.

    A round with one head step on shared inputs costs 6 n m d + 8 n m T floating-point operations. A product of an
    (a, b) by a (b, c) matrix costs 2 a b c, and seven cannot be avoided: for the heads X W^T (2 n m d), the scores
    H A^T (2 n m T) and what pulls the heads, P^T H (2 n m T); for W again X W^T (2 n m d) and H A^T (2 n m T), what
    pulls the neurons, P A (2 n m T), and its product with the inputs (2 n m d). Each further head step adds 4 n m T.
    With inputs of each task's own, n is T times as many rows, each with one task: 6 T n m d + 8 T n m.
    Ridge heads cost 2 n m^2 + m^3 / 3 + 2 T m^2 in place of two of the products with heads.

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
    _checks.instance(where, "inputs", inputs, *get_args(InputLaw))
    _checks.instance(where, "settings", settings, PretrainSettings)
    r = _checks.table(where, F)
    _checks.tensors(where, W=network.W, M=inputs.M, F=F)
    carries(where, network.W, inputs.M)
    _checks.shape(where, "heads A", network.A, "T m", T=F.shape[0])
    remedy = "The width of F must be 2^r for the inputs' r."
    _checks.require(r == inputs.r, where, "F", f"a table on r = {inputs.r} features", f"r = {r}", remedy)
    _checks.generator(where, generator)
    head, step = settings.head_step, settings.representation_step
    if isinstance(head, Ridge):
        _checks.room(where, len(network.W), len(network.W))
    else:
        _checks.fits(where, "head_step", head, F.dtype)
    _checks.fits(where, "representation_step", step.rate if isinstance(step, Adam) else step, F.dtype)

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
            if isinstance(head, Ridge):
                solved = training.solve_heads(head.penalty)
                rule, got = f"large enough for {F.dtype}", f"{head.penalty!r} in round {index + 1}"
                _checks.require(solved, where, "penalty", rule, got, "Increase it, or train in float64.")
            else:
                training.step_heads(head)
            adam, size = (True, step.rate) if isinstance(step, Adam) else (False, step)
            loss, accuracy = training.step_representation(size, settings.weight_decay, adam=adam)
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
