"""Where labels go: steps whose tasks have inputs of their own, in fresh or reused batches, dependent or coloured.

Each task draws its inputs for itself; all tasks are balanced. :func:`own_inputs_step` takes the step,
:func:`own_inputs_energy` and :func:`reused_energy` are its laws to leading order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import GaussianInputs, sign_patterns
from mtfl.metrics import conditioning, energy_ratio
from mtfl.neighbours.colour import variances
from mtfl.network import TwoLayerReLU
from mtfl.randomness import streams
from mtfl.tasks import degree_one, degree_weights, sample_tasks, walsh_coefficients

BATCHES = ("fresh", "reused")
"""Half of a task's examples for its head and half for the layer, or all of them twice."""

COLOURS = ("none", "common", "own", "own, whitened", "common, whitened")
"""Variances along the axes: all 1, one permutation for all tasks, or one for each; with the gradient over them."""

SUBSPACES = ("random", "even")
"""Any subspace, equally likely, or that of :func:`even_subspace`."""

_BLOCK = 2**15  # inputs held at a time
_FORGOTTEN, _MOST_LAGS = 1e-9, 10**7
_MOST_INPUTS = 10**6  # in a path, which is made one by one


class Inflation(NamedTuple):
    """How many times dependent inputs multiply the variances of a task's two means; see :func:`path_inflation`.

    Args:
        heads: of the mean of f(z) relu(w . x).
        representation: of the mean of f(z) 1{w . x > 0} u . x, u outside the subspace and across w.
    """

    heads: Float[Tensor, " T"]
    representation: Float[Tensor, " T"]


def noise_stability(F: Float[Tensor, "T K"], correlation: float) -> Float[Tensor, " T"]:
    """Each task's E[f(z) f(z')] for patterns whose signs have E[z_i z'_i] = correlation: sum_S fhat_S^2 q^|S|.

    Raises:
        TypeError, ValueError: if F is no table of tasks, or the correlation is not between 0 and 1.

    Checked against sums over all pairs of patterns.
    """
    where = "noise_stability"
    _checks.table(where, F)
    _correlation(where, correlation)
    weights = degree_weights(F)
    found = weights @ (correlation ** torch.arange(weights.shape[1], dtype=torch.float64)).to(F)
    _checks.computed(where, found)
    return found


def path_inflation(F: Float[Tensor, "T K"], correlation: float, n: int) -> Inflation:
    """What dependence costs: variances of the means over an autoregressive path, over those of independent inputs.

    A path of n inputs is that of :func:`autoregressive_paths`. To leading order in |v| / tau.

    Args:
        F: balanced tasks.
        correlation: of neighbouring inputs, from 0 to below 1.
        n: length of the path.

    Raises:
        TypeError, ValueError: if F is no table of balanced tasks, the correlation is out of range, n < 1, or more than
            10^7 neighbours of an input depend on it.

    Checked against the variances over sampled paths.
    """
    where = "path_inflation"
    _balanced(where, F)
    _correlation(where, correlation, below=True)
    _checks.integer(where, "n", n, least=1)
    lags = 0
    if correlation > _FORGOTTEN:
        lags = min(n - 1, math.ceil(math.log(_FORGOTTEN) / math.log(correlation)))
    got, remedy = lags, "Choose a smaller correlation, or a shorter path."
    rule = f"at most {_MOST_LAGS}"
    _checks.require(lags <= _MOST_LAGS, where, "the neighbours that depend on an input", rule, got, remedy)
    weights = degree_weights(F)
    degrees = torch.arange(weights.shape[1], dtype=torch.float64)
    sums = torch.zeros(len(degrees), 2, dtype=torch.float64)  # over lags, for characters of each degree
    for lag in torch.arange(1, lags + 1, dtype=torch.float64).split(_BLOCK):
        c = correlation**lag
        stable = (1 - lag / n) * (2 / math.pi * c.asin()) ** degrees[:, None]
        heads = 2 * ((1 - c * c).sqrt() + c * (math.pi - c.acos())) / math.pi
        layer = 4 * c * (1 / 4 + c.asin() / (2 * math.pi))
        sums += stable @ torch.stack([heads, layer], 1)
    heads, layer = 1 + (weights @ sums.to(F)).T
    _checks.computed(where, heads, layer)
    return Inflation(heads, layer)


def _balanced(where: str, F: Tensor) -> int:
    """The features r of a table of balanced tasks."""
    r = _checks.table(where, F)
    _checks.signs(where, "F", F)
    mean = _checks.largest(F.mean(1))
    _checks.require(
        mean < 1e-6, where, "the tasks of F", "balanced", f"a mean label of {mean:g}", "Leave out those that are not."
    )
    return r


def autoregressive_paths(
    count: int, n: int, d: int, correlation: float, *, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "count n d"]:
    """Stationary paths x' = c x + (1 - c^2)^(1/2) xi with N(0, I_d) inputs, c the correlation.

    Raises:
        TypeError: if a size is no integer, or the generator is none.
        ValueError: if a size is below 1, n above 10^6, or the correlation is not from 0 to below 1.

    Checked by covariances at several lags.
    """
    where = "autoregressive_paths"
    for name, value, most in (("count", count, _checks.MOST), ("n", n, _MOST_INPUTS), ("d", d, _checks.MOST)):
        _checks.integer(where, name, value, least=1, most=most)
    _correlation(where, correlation, below=True)
    _checks.generator(where, generator)
    _checks.floating(where, dtype)
    _checks.room(where, count, n, d)
    X = torch.randn(count, n, d, generator=generator, dtype=dtype)
    for i in range(1, n):
        X[:, i].mul_(math.sqrt(1 - correlation**2)).add_(X[:, i - 1], alpha=correlation)
    return X


def own_inputs_energy(F: Float[Tensor, "T K"], *, tasks: int, n: int, d: int, correlation: float = 0.0) -> float:
    """Energy of one step on random tasks with two batches of n inputs of their own, to leading order.

    The mean squared length inside the subspace over the mean of all, for neurons N(0, I_d / d).

    Args:
        F: balanced tasks, each equally likely.
        tasks: how many are drawn, T.
        n: inputs in each batch of a task.
        d: input dimension.
        correlation: of neighbouring inputs of a batch, see :func:`autoregressive_paths`.

    Raises:
        TypeError, ValueError: if F is no table of tasks, one is not balanced, or a number is out of range.

    Checked against :class:`mtfl.many_tasks.KernelNorms` for independent inputs, and against sampled steps.
    """
    where = "own_inputs_energy"
    r = _balanced(where, F)
    for name, value in (("tasks", tasks), ("n", n)):
        _checks.integer(where, name, value, least=1)
    _checks.dimensions(where, d, r)
    f1 = degree_one(walsh_coefficients(F.double()))
    heads, layer = path_inflation(F.double(), correlation, n)
    square, operator = f1.square().sum(1), f1.T @ f1 / len(F)
    signal = square.square().mean() / tasks + (1 - 1 / tasks) * operator.square().sum()
    noise = ((square / (2 * math.pi * d) + heads / (2 * n)) * layer).mean() / (2 * n * tasks)
    inside = signal / (4 * math.pi**2 * d) + (heads * square).mean() / (4 * math.pi * n * tasks) + r * noise
    energy = inside / (inside + (d - r) * noise)
    _checks.computed(where, energy)
    return energy.item()


def reused_energy(r: int, n: int, d: int) -> float:
    """Energy of one step on infinitely many balanced tasks whose n inputs serve head and layer, to leading order.

    1/e - 1 = (d - r)/r (b / (c (1 - 1/n) + b))^2 with b = 1 / 2n and c = 1 / (2 pi (2^r - 1)).

    Raises:
        TypeError: if one is no integer.
        ValueError: if n < 1, or not 1 <= r < d.
    """
    where = "reused_energy"
    _checks.dimensions(where, d, r)
    _checks.features(where, r)
    _checks.integer(where, "n", n, least=1)
    own, signal = 1 / (2 * n), (1 - 1 / n) / (2 * math.pi * (2**r - 1))
    return 1 / (1 + (d - r) / r * (own / (signal + own)) ** 2)


def own_inputs_step(
    W: Float[Tensor, "m d"],
    M: Float[Tensor, "d r"],
    *,
    tasks: int,
    examples: int,
    batches: str = "fresh",
    correlation: float = 0.0,
    spread: float = 0.0,
    colours: str = "none",
    generator: torch.Generator,
) -> Float[Tensor, "m d"]:
    """One step on random balanced tasks with inputs of their own, for kappa^2 eta_a = 1.

    Args:
        W: initial weights; biases are zero.
        M: the subspace.
        tasks: how many, T.
        examples: of each task, an even number if batches are fresh.
        batches: one of :data:`BATCHES`.
        correlation: of neighbouring inputs of a batch, see :func:`autoregressive_paths`.
        spread: of the :func:`mtfl.neighbours.colour.variances` along the axes, in random order.
        colours: one of :data:`COLOURS`.
        generator: of tasks and inputs.

    Raises:
        TypeError: if dtypes or devices differ, or a count is no integer.
        ValueError: if shapes do not fit, an entry is not finite, or a setting is out of range.

    Checked against a loop over tasks.
    """
    where = "own_inputs_step"
    _checks.tensors(where, W=W, M=M)
    d, r = _checks.subspace(where, M)
    _checks.shape(where, "W", W, "m d", d=d)
    _own_settings(where, d, r, tasks, examples, batches, correlation, spread, colours)
    _checks.generator(where, generator)
    _checks.room(where, examples, d)
    first = slice(examples // 2) if batches == "fresh" else slice(examples)
    second = slice(examples // 2, examples) if batches == "fresh" else first
    n, single = second.stop - (second.start or 0), {"generator": generator, "dtype": W.dtype}
    kind, _, whitened = colours.partition(", ")
    sizes = variances(d, spread).to(W) if kind != "none" else W.new_ones(d)
    common = sizes[torch.randperm(d, generator=generator)]
    learned, block = torch.zeros_like(W), max(1, _BLOCK // examples)
    for start in range(0, tasks, block):
        count = min(block, tasks - start)
        F = sample_tasks(count, r, law="balanced", **single)
        parts = [autoregressive_paths(count, n, d, correlation, **single) for _ in range(examples // n)]
        X = torch.cat(parts, 1)
        size = sizes[torch.rand(count, d, **single).argsort(1)] if kind == "own" else common.expand(count, d)
        X *= size.sqrt()[:, None]
        y = F.gather(1, sign_patterns(X, M))[..., None]
        S = X @ W.T
        heads = (y[:, first] * S[:, first].relu()).mean(1, keepdim=True)
        pulls = y[:, second] * (S[:, second] > 0) * heads / (n * tasks)
        if whitened:
            learned += ((pulls.mT @ X[:, second]) / size[:, None]).sum(0)
        else:
            learned += pulls.flatten(0, 1).T @ X[:, second].flatten(0, 1)
    _checks.computed(where, learned)
    return learned


@dataclass(frozen=True, kw_only=True)
class OwnInputsSettings:
    """Settings of :func:`own_inputs_run`; see :func:`own_inputs_step`.

    Args:
        d: input dimension.
        r: number of features.
        neurons: their number m, at least r.
        labels: in all, a multiple of examples: there are labels / examples tasks.
        examples: of each task, an even number if batches are fresh.
        batches: one of :data:`BATCHES`.
        correlation: of neighbouring inputs of a batch.
        spread: of the variances along the axes.
        colours: one of :data:`COLOURS`.
        subspace: one of :data:`SUBSPACES`.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int
    r: int
    neurons: int
    labels: int
    examples: int
    batches: str = "fresh"
    correlation: float = 0.0
    spread: float = 0.0
    colours: str = "none"
    subspace: str = "random"

    def __post_init__(self) -> None:
        where = "OwnInputsSettings"
        _checks.dimensions(where, self.d, self.r)
        _checks.integer(where, "neurons", self.neurons, least=self.r)
        _checks.integer(where, "labels", self.labels, least=1)
        _checks.integer(where, "examples", self.examples, least=1)
        whole, remedy = self.labels % self.examples == 0, "Give all tasks equally many."
        _checks.require(whole, where, "labels", f"a multiple of examples = {self.examples}", self.labels, remedy)
        rest = (self.batches, self.correlation, self.spread, self.colours)
        _own_settings(where, self.d, self.r, self.labels // self.examples, self.examples, *rest)
        _checks.choice(where, "subspace", self.subspace, SUBSPACES)


def own_inputs_run(settings: OwnInputsSettings, seed: int) -> tuple[float, float]:
    """Energy and conditioning of :func:`own_inputs_step` for random weights, in float32.

    Raises:
        TypeError: if the settings are none.
    """
    _checks.instance("own_inputs_run", "settings", settings, OwnInputsSettings)
    random, d, r = streams(seed, "subspace", "weights", "batches"), settings.d, settings.r
    if settings.subspace == "even":
        M = even_subspace(d, r, dtype=torch.float32)
    else:
        M = GaussianInputs.random(d, r, generator=random["subspace"], dtype=torch.float32).M
    start = {"generator": random["weights"], "dtype": torch.float32}
    W = TwoLayerReLU.random(settings.neurons, d, tasks=1, **start).W
    names = ("examples", "batches", "correlation", "spread", "colours")
    given = {name: getattr(settings, name) for name in names}
    tasks = settings.labels // settings.examples
    learned = own_inputs_step(W, M, tasks=tasks, **given, generator=random["batches"])
    return energy_ratio(learned, M), conditioning(learned, M)


def even_subspace(d: int, r: int, *, dtype: torch.dtype = torch.float64) -> Float[Tensor, "d r"]:
    """Features on disjoint sets of d // r axes each, all with equal weights.

    Raises:
        TypeError: if a size is no integer.
        ValueError: if not 1 <= r < d.
    """
    where = "even_subspace"
    _checks.dimensions(where, d, r)
    _checks.floating(where, dtype)
    _checks.room(where, d, r)
    size = d // r
    M = torch.eye(r, dtype=dtype).repeat_interleave(size, 0) / math.sqrt(size)
    return torch.nn.functional.pad(M, (0, 0, 0, d - r * size))


def _own_settings(
    where: str,
    d: int,
    r: int,
    tasks: int,
    examples: int,
    batches: str,
    correlation: float,
    spread: float,
    colours: str,
) -> None:
    _checks.features(where, r)
    _checks.integer(where, "tasks", tasks, least=1)
    _checks.choice(where, "batches", batches, BATCHES)
    _checks.integer(where, "examples", examples, least=1)
    even, remedy = batches != "fresh" or examples % 2 == 0, "Fresh batches halve them: choose an even number."
    _checks.require(even, where, "examples", "even", examples, remedy)
    _correlation(where, correlation, below=True)
    _checks.spread(where, spread, d)
    _checks.choice(where, "colours", colours, COLOURS)


def _correlation(where: str, correlation: float, *, below: bool = False) -> None:
    """A correlation from 0 to 1, or to below 1."""
    _checks.number(where, "correlation", correlation, positive=False)
    ok, rule = (correlation < 1, "below 1") if below else (correlation <= 1, "at most 1")
    _checks.require(ok, where, "correlation", rule, correlation, "Choose a smaller one.")
