"""Prompts: labelled examples of a new task, read in context by rules whose weights do not move.

A head step from zero is linear attention: keys and queries are features, values are labels. Readers are compared on
learned, random and ideal features, on the bare inputs, and on a Gaussian kernel of them; each has its own penalty, or
width and penalty, chosen by other prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import GaussianInputs
from mtfl.randomness import stream
from mtfl.tasks import sample_tasks
from mtfl.transfer import TransferSettings, is_right, representations

LENGTHS = (8, 16, 32, 64, 128, 256)
"""Labelled examples in a prompt."""

SOURCES = ("pretrained", "random features", "oracle subspace", "inputs", "Gaussian kernel")
"""What a reader compares a query with examples by: features, the inputs themselves, or a kernel of them."""

READERS = ("attention", "preconditioned", "ridge")
"""Sums of labels weighted by inner products; the same after a fixed linear map; ridge regression in the prompt."""

_MOST = 10_000
_PENALTIES = (1e-3, 1e-2, 0.1, 0.3, 1.0)  # of the mean squared key
_RIDGES = (1e-3, 1e-2, 0.1, 1.0)  # of the mean variance of a feature
_WIDTHS = (0.25, 0.5, 1.0, 2.0)  # squared, in units of d
_PROMPTS, _TUNING, _QUERIES, _UNLABELLED = 16, 6, 256, 4096

Kernel = Callable[[Tensor, Tensor], Tensor]
"""From two batches of inputs to the inner products of their keys."""


def attention_answers(
    across: Float[Tensor, "q n"], within: Float[Tensor, "n n"], y: Float[Tensor, " n"], penalty: float
) -> Float[Tensor, " q"]:
    """What linear attention answers to queries, the mean of y_l <phi(x_l), phi(x)>; without checks.

    Args:
        across: inner products of queries and keys.
        within: of keys, which attention does not look at; it stands here as in :func:`ridge_answers`.
        y: labels.
        penalty: not looked at.
    """
    return across @ y / len(y)


def ridge_answers(
    across: Float[Tensor, "q n"], within: Float[Tensor, "n n"], y: Float[Tensor, " n"], penalty: float
) -> Float[Tensor, " q"]:
    """What ridge regression in the prompt answers; without checks.

    Args:
        across: inner products of queries and keys.
        within: of keys.
        y: labels.
        penalty: on the squared norm of the head, in units of the mean squared key.

    Checked against scikit-learn's ridge regression.
    """
    lifted = within + (penalty * within.diagonal().mean() + 1e-12) * torch.eye(len(y), dtype=y.dtype)
    return across @ torch.cholesky_solve(y[:, None], torch.linalg.cholesky(lifted))[:, 0]


def raw_attention_error(d: int, examples: int) -> float:
    """Error of linear attention on bare inputs, for the sign of one direction, to leading order.

    Args:
        d: dimension of the inputs; the features count as inputs of dimension r.
        examples: labelled examples N in the prompt.

    Raises:
        TypeError, ValueError: if one is no integer, or below 1.
    """
    _checks.integer("raw_attention_error", "d", d, least=1)
    _checks.integer("raw_attention_error", "examples", examples, least=1)
    return math.atan(math.sqrt((d - 1) * math.pi / (2 * examples))) / math.pi


def raw_context(d: int, error: float) -> float:
    """How many examples linear attention on bare inputs needs for an error, to leading order.

    Args:
        d: dimension of the inputs.
        error: share of wrong answers, from 10^-6 to 1/2.

    Raises:
        TypeError, ValueError: if d is no integer from 1 on, or the error is no such share.
    """
    _checks.integer("raw_context", "d", d, least=1)
    _checks.between("raw_context", "error", error, 1e-6, 0.5)
    return (d - 1) * math.pi / (2 * math.tan(math.pi * error) ** 2)


@dataclass(frozen=True, kw_only=True)
class PromptSettings:
    """Settings of :func:`prompt_run`.

    Args:
        d: input dimension.
        source: one of :data:`SOURCES`.
        reader: one of :data:`READERS`; a Gaussian kernel has no preconditioned one.
        r: number of features.
        neurons: their number m.
        tasks: balanced tasks T on which the pretrained layer took its step.
        batch_size: inputs in each of the two batches of that step.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int = 64
    source: str = "pretrained"
    reader: str = "ridge"
    r: int = 3
    neurons: int = 128
    tasks: int = 1024
    batch_size: int = 20_000

    def __post_init__(self) -> None:
        where = "PromptSettings"
        _checks.dimensions(where, self.d, self.r)
        _checks.integer(where, "d", self.d, least=1, most=_MOST)
        _checks.choice(where, "source", self.source, SOURCES)
        _checks.choice(where, "reader", self.reader, READERS)
        _checks.integer(where, "neurons", self.neurons, least=self.r, most=_MOST)
        _checks.integer(where, "tasks", self.tasks, least=1, most=_MOST)
        _checks.integer(where, "batch_size", self.batch_size, least=1)
        ok = self.source != "Gaussian kernel" or self.reader != "preconditioned"
        remedy = "Choose 'ridge', or features."
        _checks.require(ok, where, "reader", "'attention' or 'ridge' with a Gaussian kernel", self.reader, remedy)


def prompt_run(settings: PromptSettings, seed: int) -> tuple[float, ...]:
    """Share of wrong answers with 8, 16, ..., 256 labelled examples in the prompt, over 16 new balanced tasks.

    For each length the penalty, and for a Gaussian kernel the width, is the one with the fewest errors on six other
    prompts. The seed draws the subspace, the layer and all prompts; the prompts are the same for all sources and
    readers. Pretraining is in single precision, reading in double.
    """
    _checks.instance("prompt_run", "settings", settings, PromptSettings)
    random = stream(seed, "subspace")
    inputs = GaussianInputs.random(settings.d, settings.r, generator=random, dtype=torch.float32)
    kernels = _kernels(settings, inputs, seed)
    answer = ridge_answers if settings.reader == "ridge" else attention_answers
    penalties = _PENALTIES if settings.reader == "ridge" else (0.0,)
    found = []
    for examples in LENGTHS:
        name = f"prompts of {examples}"
        random = stream(seed, name)
        prompts = [_prompt(inputs, examples, random) for _ in range(_TUNING + _PROMPTS)]
        tried = [_errors(kernel, prompts[:_TUNING], answer, penalties) for kernel in kernels]  # over kernels, penalties
        best = int(torch.stack(tried).argmin())
        kernel, penalty = kernels[best // len(penalties)], penalties[best % len(penalties)]
        found.append(float(_errors(kernel, prompts[_TUNING:], answer, (penalty,))))
    return tuple(found)


def _prompt(inputs: GaussianInputs, examples: int, random: torch.Generator) -> tuple[Tensor, ...]:
    """Examples, their labels, queries, theirs, of one new task."""
    f = sample_tasks(1, inputs.r, law="balanced", generator=random)[0]
    X, Q = (inputs.sample(n, generator=random) for n in (examples, _QUERIES))
    return X, f[inputs.patterns(X)], Q, f[inputs.patterns(Q)]


def _errors(
    kernel: Kernel, prompts: list[tuple[Tensor, ...]], answer: Callable[..., Tensor], penalties: tuple[float, ...]
) -> Tensor:
    """Mean share of wrong answers for each penalty."""
    wrong = torch.zeros(len(penalties), dtype=torch.float64)
    for X, y, Q, right in prompts:
        across, within = kernel(Q, X), kernel(X, X)
        for k, penalty in enumerate(penalties):
            wrong[k] += (~is_right(answer(across, within, y, penalty), right)).double().mean() / len(prompts)
    return wrong


def _kernels(settings: PromptSettings, inputs: GaussianInputs, seed: int) -> list[Kernel]:
    """The kernels to choose from."""
    if settings.source == "Gaussian kernel":
        return [_gaussian(width * settings.d) for width in _WIDTHS]
    unlabelled = inputs.sample(_UNLABELLED, generator=stream(seed, "unlabelled"))
    features: Callable[[Tensor], Tensor] = Tensor.double
    if settings.source != "inputs":
        how = TransferSettings(settings.d, settings.r, settings.neurons, settings.tasks, batch_size=settings.batch_size)
        layer = representations(how, inputs, seed=seed, names=[settings.source])[settings.source]
        features = lambda X: layer(X).double()  # noqa: E731
    H = features(unlabelled)
    mean = H.mean(0)
    if settings.reader != "preconditioned":
        return [_inner(features, mean)]
    values, vectors = torch.linalg.eigh((H - mean).T @ (H - mean) / len(H))
    return [_inner(features, mean, vectors / (values + ridge * values.mean()).sqrt()) for ridge in _RIDGES]


def _inner(features: Callable[[Tensor], Tensor], mean: Tensor, turn: Tensor | None = None) -> Kernel:
    """Inner products of centred features, after a linear map if there is one."""

    def keys(X: Tensor) -> Tensor:
        H = features(X) - mean
        return H if turn is None else H @ turn

    return lambda Z, X: keys(Z) @ keys(X).T


def _gaussian(width: float) -> Kernel:
    return lambda Z, X: torch.exp(-torch.cdist(Z.double(), X.double()).square() / (2 * width))
