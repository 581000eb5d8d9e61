"""What a sweep can run: pure functions of settings and seed that return named numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import GaussianInputs
from mtfl.metrics import conditioning, energy_ratio
from mtfl.neighbours.colour import coloured_inputs
from mtfl.neighbours.evidence import SCORES, SHIFTS, ProbeSettings, probe_run
from mtfl.neighbours.labels import OwnInputsSettings, own_inputs_run
from mtfl.neighbours.overfitting import FlipSettings, flip_run
from mtfl.neighbours.prompts import LENGTHS, PromptSettings, prompt_run
from mtfl.neighbours.robustness import RADII, AttackSettings, attack_run
from mtfl.network import TwoLayerReLU, relu_features
from mtfl.one_step import sampled_steps
from mtfl.pairs import PairSettings, joint_cells, task_cells, train_on_pairs
from mtfl.pretraining import Adam, PretrainSettings, Ridge, pretrain
from mtfl.randomness import stream, streams
from mtfl.real_transfer import SIZES, UNSEEN_SIZES, RelabelSettings, relabel_run
from mtfl.tasks import LAWS, centred, characters, limit_kernel, sample_tasks, task_kernel
from mtfl.transfer import REPRESENTATIONS, FrozenFeatures, TransferSettings, representations, transfer_accuracy


@dataclass(frozen=True)
class Experiment:
    """One kind of run.

    Args:
        settings: a frozen dataclass whose construction refuses bad values.
        results: names of the numbers that a run returns.
        run: from settings and seed to these numbers, in their order. It draws from streams of the seed only.
    """

    settings: type
    results: tuple[str, ...]
    run: Callable[[Any, int], tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class RecoverySettings(PretrainSettings):
    """Settings of :func:`recovery_run`: those of :class:`mtfl.pretraining.PretrainSettings`, and the problem's sizes.

    Args:
        d: input dimension.
        r: number of features.
        neurons: their number m.
        tasks: their number T.
        law: of the tasks (see :data:`mtfl.tasks.LAWS`).

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    head_step: float
    representation_step: float
    d: int
    r: int
    neurons: int
    tasks: int
    law: str = "balanced"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_sizes(self)


def recovery_run(settings: RecoverySettings, seed: int) -> tuple[float, float, float, float]:
    """Energy, conditioning, accuracy and weakest share after :func:`mtfl.pretraining.pretrain`, in single precision.

    The seed draws the subspace, the tasks, the initial weights and the batches. Accuracy is that of the last round's
    fresh batch, the mean over all tasks. The weakest share is r sigma_r(W M)^2 / |W|_F^2.
    """
    random = streams(seed, "subspace", "tasks", "weights", "batches")
    inputs = GaussianInputs.random(settings.d, settings.r, generator=random["subspace"], dtype=torch.float32)
    F = sample_tasks(settings.tasks, settings.r, law=settings.law, generator=random["tasks"], dtype=torch.float32)
    start = TwoLayerReLU.random(
        settings.neurons, settings.d, tasks=settings.tasks, generator=random["weights"], dtype=torch.float32
    )
    trained = pretrain(start, inputs, F, settings, generator=random["batches"])
    history, weakest = trained.history, _weakest_share(trained.network.W, inputs.M)
    return float(history.energy[-1]), float(history.conditioning[-1]), float(history.accuracy[-1]), weakest


LOOKS = (24, 12, 6, 4, 2, 1)
"""A coloured run is looked at after these parts of its rounds: one in 24, one in twelve, ..., all."""


@dataclass(frozen=True, kw_only=True)
class ColouredSettings(RecoverySettings):
    """Settings of :func:`coloured_run`: those of :class:`RecoverySettings`, and the colour. Rounds: a multiple of 24.

    Args:
        spread: of the inputs' variances, see :func:`mtfl.neighbours.colour.coloured_inputs`.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    spread: float

    def __post_init__(self) -> None:
        super().__post_init__()
        where, remedy = "ColouredSettings", "Choose a multiple."
        _checks.number(where, "spread", self.spread, positive=False)
        whole = self.rounds % LOOKS[0] == 0
        _checks.require(whole, where, "rounds", f"a multiple of {LOOKS[0]}", self.rounds, remedy)


def coloured_run(settings: ColouredSettings, seed: int) -> tuple[float, ...]:
    """Training as in :func:`recovery_run` on coloured inputs, looked at after parts of its rounds (:data:`LOOKS`).

    In this order, for all looks each: energy, energy in the span of Sigma M, and the share of margins beyond 1 on a
    batch of fresh inputs; in the end the accuracy in the last round.
    """
    random = streams(seed, "subspace", "tasks", "weights", "batches", "margins")
    single: dict[str, Any] = {"dtype": torch.float32}
    d, r, T = settings.d, settings.r, settings.tasks
    inputs = coloured_inputs(d, r, settings.spread, generator=random["subspace"], **single)
    F = sample_tasks(T, r, law=settings.law, generator=random["tasks"], **single)
    network = TwoLayerReLU.random(settings.neurons, d, tasks=T, generator=random["weights"], **single)
    X = inputs.sample(settings.batch_size, generator=random["margins"])
    Y, done, accuracy, found = F[:, inputs.patterns(X)], 0, 0.0, []
    how = PretrainSettings(**{field.name: getattr(settings, field.name) for field in fields(PretrainSettings)})
    for part in LOOKS:
        stage = replace(how, rounds=settings.rounds // part - done)
        trained = pretrain(network, inputs, F, stage, generator=random["batches"])
        network, accuracy, done = trained.network, float(trained.history.accuracy[-1]), done + stage.rounds
        margins = Y * (network.A @ relu_features(network.W, network.b, X).T)
        energies = energy_ratio(network.W, inputs.M), energy_ratio(network.W, inputs.carried)
        found.append((*energies, float((margins > 1).double().mean())))
    return (*(x for kind in zip(*found, strict=True) for x in kind), accuracy)


@dataclass(frozen=True, kw_only=True)
class StepSettings:
    """Settings of :func:`step_run`.

    Args:
        d: input dimension.
        r: number of features.
        neurons: m, at least r.
        tasks: their number T.
        law: of the tasks (see :data:`mtfl.tasks.LAWS`).
        batch_size: inputs in each of the two batches.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int
    r: int
    neurons: int
    tasks: int
    law: str = "balanced"
    batch_size: int

    def __post_init__(self) -> None:
        _check_sizes(self)
        _checks.integer("StepSettings", "batch_size", self.batch_size, least=1)


def step_run(settings: StepSettings, seed: int) -> tuple[float, float, float]:
    """Energy, conditioning and weakest share of what one step on sampled inputs learns, in single precision.

    The step is drawn by :func:`mtfl.one_step.sampled_steps`, at a cost that does not depend on d. Weight decay takes
    off what infinitely many tasks of the law do outside the subspace to leading order: lambda = E[fhat_0^2] / 2 pi,
    which is 0 for balanced tasks and 2^-r / 2 pi for uniform ones. The weakest share is
    that of :func:`recovery_run`.
    """
    r = settings.r
    random = streams(seed, "tasks", "step")
    F = sample_tasks(settings.tasks, r, law=settings.law, generator=random["tasks"], dtype=torch.float32)
    decay = float(limit_kernel(r, settings.law).mean()) / (2 * torch.pi)
    start, learned = sampled_steps(
        settings.neurons,
        settings.d,
        task_kernel(F).unsqueeze(0),
        batch_size=settings.batch_size,
        generator=random["step"],
    )
    W = learned[0] - decay * start
    M = torch.eye(W.shape[1], r, dtype=W.dtype)
    return energy_ratio(W, M), conditioning(W, M), _weakest_share(W, M)


METHODS = (
    "heads",
    "heads, centred",
    "heads, balanced",
    "ridge heads",
    "ridge heads, centred",
    "pairs, task by task",
    "pairs, all labels",
    "pairs, patterns",
)
"""Ways to train a first layer: with heads, and on pairs whose labels agree. Tasks are uniform but for the third."""

_USUAL = {"heads": 0.5, "ridge heads": 2.0, "pairs": 0.5}


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """Settings of :func:`method_run`.

    Args:
        d: input dimension.
        r: number of features.
        neurons: their number m.
        tasks: their number T.
        method: one of :data:`METHODS`.
        dial: factor on the method's usual head step, 0.5, penalty for each input, 2, or temperature, 0.5.
        representation_step: rate of Adam's rule, which moves W.
        rounds: of two batches each.
        batch_size: inputs in each, all with T labels.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int
    r: int
    neurons: int
    tasks: int
    method: str
    dial: float
    representation_step: float
    rounds: int
    batch_size: int

    def __post_init__(self) -> None:
        _check_sizes(self)
        _checks.choice("MethodSettings", "method", self.method, METHODS)
        for name in ("dial", "representation_step"):
            _checks.number("MethodSettings", name, getattr(self, name))
        for name in ("rounds", "batch_size"):
            _checks.integer("MethodSettings", name, getattr(self, name), least=1)


def method_run(settings: MethodSettings, seed: int) -> tuple[float, float, float]:
    """Energy, conditioning and weakest share of a first layer after one method's training, in single precision.

    All methods see the same number of inputs with the same number of labels, and start from the same weights; heads
    start at zero and have the hinge loss, pairs have the cosine similarity.
    """
    random = streams(seed, "subspace", "tasks", "weights", "batches")
    single: dict[str, Any] = {"dtype": torch.float32}
    (kind, _, variant), T = settings.method.partition(", "), settings.tasks
    law = "balanced" if variant == "balanced" else "uniform"
    inputs = GaussianInputs.random(settings.d, settings.r, generator=random["subspace"], **single)
    F = sample_tasks(T, settings.r, law=law, generator=random["tasks"], **single)
    start = TwoLayerReLU.random(settings.neurons, settings.d, tasks=T, generator=random["weights"], **single)
    rounds, n, rule = settings.rounds, settings.batch_size, Adam(settings.representation_step)
    strength = settings.dial * _USUAL[kind]
    if kind == "pairs":
        patterns = torch.arange(2**settings.r).unsqueeze(0)
        cells = {"task by task": task_cells(F), "all labels": joint_cells(F), "patterns": patterns}[variant]
        W = train_on_pairs(
            start.W, inputs, cells, PairSettings(rounds, n, strength, rule), generator=random["batches"]
        ).W
    else:
        how = PretrainSettings(rounds, n, Ridge(strength * n) if kind == "ridge heads" else strength, rule)
        F = centred(F) if variant == "centred" else F
        W = pretrain(start, inputs, F, how, generator=random["batches"]).network.W
    return energy_ratio(W, inputs.M), conditioning(W, inputs.M), _weakest_share(W, inputs.M)


@dataclass(frozen=True, kw_only=True)
class TransferRunSettings:
    """Settings of :func:`transfer_run`; defaults are those of :class:`mtfl.transfer.TransferSettings`.

    Args:
        d: input dimension.
        r: number of features.
        neurons: their number m.
        tasks: pretraining tasks T of the pretrained and the linear representation.
        law: of the pretraining tasks (see :data:`mtfl.tasks.LAWS`).
        batch_size: inputs in each of the two pretraining batches.
        examples: labelled examples downstream.
        test_examples: fresh inputs on which accuracy is counted.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int = TransferSettings.d
    r: int = TransferSettings.r
    neurons: int = TransferSettings.neurons
    tasks: int = TransferSettings.tasks
    law: str = TransferSettings.law
    batch_size: int = TransferSettings.batch_size
    examples: int = TransferSettings.examples
    test_examples: int = 10_000

    def __post_init__(self) -> None:
        _check_sizes(self)
        for name in ("batch_size", "examples", "test_examples"):
            _checks.integer("TransferRunSettings", name, getattr(self, name), least=1)


def transfer_run(settings: TransferRunSettings, seed: int) -> tuple[float, ...]:
    """What each of :data:`mtfl.transfer.REPRESENTATIONS` is worth downstream, in single precision.

    In this order, for all representations each: test accuracy on the parity, test accuracy on a random balanced task,
    energy, conditioning. The seed draws everything as in :func:`mtfl.transfer.learning_curves`, but the examples of the
    two downstream tasks independently.
    """
    pretraining = TransferSettings(
        settings.d, settings.r, settings.neurons, settings.tasks, settings.law, settings.batch_size, settings.examples
    )
    random = streams(seed, "subspace", "downstream task")
    inputs = GaussianInputs.random(settings.d, settings.r, generator=random["subspace"], dtype=torch.float32)
    found = representations(pretraining, inputs, seed=seed)
    task = sample_tasks(1, settings.r, law="balanced", generator=random["downstream task"], dtype=torch.float32)[0]

    def accuracy(features: FrozenFeatures, f: Tensor, name: str) -> float:
        generator = stream(seed, name)
        sizes = {"examples": settings.examples, "test_examples": settings.test_examples}
        return transfer_accuracy(features, inputs, f, **sizes, generator=generator)

    parity = characters(settings.r, dtype=torch.float32)[-1]
    return (
        *(accuracy(features, parity, f"downstream {name}") for name, features in found.items()),
        *(accuracy(features, task, f"downstream random {name}") for name, features in found.items()),
        *(energy_ratio(features.W, inputs.M) for features in found.values()),
        *(conditioning(features.W, inputs.M) for features in found.values()),
    )


def _weakest_share(W: Tensor, M: Tensor) -> float:
    return float(M.shape[1] * torch.linalg.svdvals(W @ M)[-1].square() / W.square().sum())


def _check_sizes(settings: RecoverySettings | StepSettings | MethodSettings | TransferRunSettings) -> None:
    where = type(settings).__name__
    _checks.dimensions(where, settings.d, settings.r)
    _checks.integer(where, "neurons", settings.neurons, least=settings.r)
    _checks.integer(where, "tasks", settings.tasks, least=1)
    if not isinstance(settings, MethodSettings):
        _checks.choice(where, "law", settings.law, LAWS)


_GEOMETRY = ("between", "evenness", "spread")

EXPERIMENTS: dict[str, Experiment] = {
    "recovery": Experiment(RecoverySettings, ("energy", "conditioning", "accuracy", "weakest_share"), recovery_run),
    "coloured": Experiment(
        ColouredSettings,
        (*(f"{kind}_{look}" for kind in ("energy", "carried", "beyond") for look in range(len(LOOKS))), "accuracy"),
        coloured_run,
    ),
    "own_inputs": Experiment(OwnInputsSettings, ("energy", "conditioning"), own_inputs_run),
    "methods": Experiment(MethodSettings, ("energy", "conditioning", "weakest_share"), method_run),
    "step": Experiment(StepSettings, ("energy", "conditioning", "weakest_share"), step_run),
    "transfer": Experiment(
        TransferRunSettings,
        tuple(
            f"{kind}_{name.replace(' ', '_')}"
            for kind in ("parity", "random", "energy", "conditioning")
            for name in REPRESENTATIONS
        ),
        transfer_run,
    ),
    "relabel": Experiment(RelabelSettings, (*(f"accuracy_{n}" for n in SIZES), *_GEOMETRY), relabel_run),
    "prompts": Experiment(PromptSettings, tuple(f"error_{n}" for n in LENGTHS), prompt_run),
    "attacks": Experiment(AttackSettings, tuple(f"accuracy_{100 * x:.0f}" for x in RADII), attack_run),
    "probes": Experiment(
        ProbeSettings, ("accuracy", *(f"{score}_{shift}" for score in SCORES for shift in SHIFTS)), probe_run
    ),
    "flips": Experiment(FlipSettings, ("training", "interpolating", "ridge"), flip_run),
    "unseen": Experiment(RelabelSettings, (*(f"accuracy_{n}" for n in UNSEEN_SIZES), *_GEOMETRY), relabel_run),
}
"""The experiments by the name that a sweep's file gives."""
