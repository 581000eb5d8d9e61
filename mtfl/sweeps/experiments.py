"""What a sweep can run: pure functions of settings and seed that return named numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import GaussianInputs
from mtfl.metrics import conditioning, energy_ratio
from mtfl.network import TwoLayerReLU
from mtfl.one_step import sampled_steps
from mtfl.pretraining import PretrainSettings, pretrain
from mtfl.randomness import streams
from mtfl.tasks import LAWS, characters, limit_kernel, sample_tasks, task_kernel
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
    M = torch.eye(W.shape[1], r)
    return energy_ratio(W, M), conditioning(W, M), _weakest_share(W, M)


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

    def accuracy(features: FrozenFeatures, f: Tensor, stream: str) -> float:
        (generator,) = streams(seed, stream).values()
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


def _check_sizes(settings: RecoverySettings | StepSettings | TransferRunSettings) -> None:
    where = type(settings).__name__
    _checks.dimensions(where, settings.d, settings.r)
    _checks.integer(where, "neurons", settings.neurons, least=settings.r)
    _checks.integer(where, "tasks", settings.tasks, least=1)
    _checks.choice(where, "law", settings.law, LAWS)


EXPERIMENTS: dict[str, Experiment] = {
    "recovery": Experiment(RecoverySettings, ("energy", "conditioning", "accuracy", "weakest_share"), recovery_run),
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
}
"""The experiments by the name that a sweep's file gives."""
