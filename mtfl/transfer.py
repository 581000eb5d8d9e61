"""Downstream tasks: a new head on a frozen first layer, and what it is compared with.

Five representations of one input law are compared, all with m neurons whose weights are scaled to root-mean-square
norm 1 and, for the ReLU ones, with fresh biases uniform on [-1, 1]:

* pretrained: one representation step on many tasks;
* single task: the same step on one task;
* random features: the initial weights;
* oracle subspace: Gaussian weights inside span(M);
* linear layer: one step on many tasks of a network *without* the ReLU, whose features stay linear.

Only the head is fitted downstream, by scikit-learn's logistic regression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import GaussianInputs, InputLaw
from mtfl.metrics import conditioning, energy_ratio
from mtfl.network import TwoLayerReLU, relu_features
from mtfl.one_step import contrastive_step
from mtfl.randomness import stream, streams
from mtfl.tasks import LAWS, characters, sample_tasks, task_kernel

REPRESENTATIONS = ("pretrained", "single task", "random features", "oracle subspace", "linear layer")
"""The representations that :func:`representations` makes, in the order of every table and figure."""

_TEST_BLOCK = 8192
_LARGEST = 1e6  # of features that the logistic regression can fit; with much larger ones it never ends


@dataclass(frozen=True, eq=False)
class FrozenFeatures:
    """A frozen first layer, x -> relu(W x + b), or x -> W x where ``linear``.

    Args:
        W: (m, d) weights.
        b: (m,) biases.
        linear: whether the ReLU is left out.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if shapes do not fit together, or an entry is NaN or infinite.
    """

    W: Float[Tensor, "m d"]
    b: Float[Tensor, " m"]
    linear: bool = False

    def __post_init__(self) -> None:
        _checks.tensors("FrozenFeatures", W=self.W, b=self.b)
        sizes = _checks.shape("FrozenFeatures", "W", self.W, "m d")
        _checks.shape("FrozenFeatures", "b", self.b, "m", **sizes)
        _checks.flag("FrozenFeatures", "linear", self.linear)

    @classmethod
    def of(cls, W: Float[Tensor, "m d"], *, generator: torch.Generator, linear: bool = False) -> FrozenFeatures:
        """W scaled to root-mean-square row norm 1, with biases drawn from U(-1, 1) (zero if linear).

        Raises:
            TypeError: if W is no floating-point tensor or the generator is none.
            ValueError: if W is all zeros, not finite, or no matrix.
        """
        where = "FrozenFeatures.of"
        _checks.tensors(where, W=W)
        m = _checks.shape(where, "W", W, "m d")["m"]
        _checks.generator(where, generator)
        _checks.flag(where, "linear", linear)
        largest, remedy = _checks.largest(W), "Zero weights have no direction to keep."
        _checks.require(largest > 0, where, "W", "nonzero", "all zeros", remedy)
        W = W / largest  # squares neither overflow nor vanish
        biases = (2 * torch.rand(m, generator=generator, dtype=W.dtype) - 1).to(W.device)
        return cls(W * (math.sqrt(m) / W.norm()), biases * (not linear), linear)

    def first(self, m: int) -> FrozenFeatures:
        """The first ``m`` neurons. In one step neurons do not interact, so this is a smaller network.

        Raises:
            TypeError: if m is no integer.
            ValueError: if m is below 1 or there are fewer neurons.
        """
        _checks.integer("FrozenFeatures.first", "m", m, least=1)
        width = self.W.shape[0]
        _checks.require(m <= width, "FrozenFeatures.first", "m", f"at most {width}", m, "Train more neurons.")
        return replace(self, W=self.W[:m], b=self.b[:m])

    def __call__(self, X: Float[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        """Features of the inputs.

        Raises:
            TypeError: if X has another dtype or device than W.
            ValueError: if X has another width than W, or is not finite.
        """
        _checks.tensors("FrozenFeatures", W=self.W, X=X)
        _checks.shape("FrozenFeatures", "X", X, "n d", d=self.W.shape[1])
        H = X @ self.W.T if self.linear else relu_features(self.W, self.b, X)
        _checks.computed("FrozenFeatures", H)
        return H


def transfer_accuracy(
    features: FrozenFeatures,
    inputs: InputLaw,
    f: Float[Tensor, " K"],
    *,
    examples: int,
    test_examples: int = 10_000,
    generator: torch.Generator,
) -> float:
    """Test accuracy of a head fitted on ``examples`` labelled inputs of the task f, features frozen.

    The head is scikit-learn's ``LogisticRegression`` with its default penalty (C = 1). Where all examples carry
    one label, the head predicts that label.

    Args:
        features: the frozen first layer.
        inputs: the law of x.
        f: one row of a task table, (2^r,) of -1 and +1.
        examples: training inputs, >= 1.
        test_examples: fresh test inputs, >= 1.
        generator: of both.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if f is no task on the inputs' features, the features read another d, or a count is below 1.
    """
    where = "transfer_accuracy"
    _checks.instance(where, "features", features, FrozenFeatures)
    _checks.instance(where, "inputs", inputs, *get_args(InputLaw))
    _checks.tensors(where, W=features.W, M=inputs.M, f=f)
    _checks.shape(where, "the features' W", features.W, "m d", d=inputs.d)
    _checks.shape(where, "f", f, "K", K=2**inputs.r)
    _checks.signs(where, "f", f)
    _checks.integer(where, "examples", examples, least=1)
    _checks.integer(where, "test_examples", test_examples, least=1)
    _checks.generator(where, generator)
    _checks.room(where, examples, max(features.W.shape))
    X = inputs.sample(examples, generator=generator)
    a, c = _fitted_head(features(X), f[inputs.patterns(X)])
    correct, left = 0, test_examples
    while left:
        X = inputs.sample(min(left, _TEST_BLOCK), generator=generator)
        left -= len(X)
        correct += int(is_right(features(X) @ a + c, f[inputs.patterns(X)]).sum())
    return correct / test_examples


def is_right(scores: Float[Tensor, "*inputs"], labels: Float[Tensor, "*inputs"]) -> Bool[Tensor, "*inputs"]:
    """Whether a score decides for its label, -1 or +1, without checks; as in scikit-learn, 0 decides for -1."""
    return (scores > 0) == (labels > 0)


def _fitted_head(H: Float[Tensor, "n m"], y: Float[Tensor, " n"]) -> tuple[Tensor, Tensor]:
    """Weights (m,) and intercept () of a logistic regression on these features."""
    from sklearn.linear_model import LogisticRegression  # its import takes longer than the rest of mtfl

    largest, remedy = _checks.largest(H), "Scale W and b towards 1."
    _checks.require(largest <= _LARGEST, "transfer_accuracy", "features", f"at most {_LARGEST:g}", largest, remedy)
    if bool((y == y[0]).all()):
        return torch.zeros_like(H[0]), y[0]
    model = LogisticRegression(solver="newton-cg", max_iter=1000)  # converges several times faster than the default
    model.fit(H.detach().cpu().numpy(), y.detach().cpu().numpy())
    a, c = (torch.from_numpy(np.asarray(v)).to(H)[0] for v in (model.coef_, model.intercept_))
    return a, c


@dataclass(frozen=True)
class TransferSettings:
    """One comparison: how the representations are pretrained and what they are tried on.

    Args:
        d: input dimension.
        r: number of features.
        neurons: their number m.
        tasks: pretraining tasks T of the pretrained and the linear representation.
        law: of the pretraining tasks (see :data:`mtfl.tasks.LAWS`).
        batch_size: inputs in each of the two pretraining batches.
        examples: labelled examples downstream.
        downstream: "parity" (the product of all r signs) or "random" (a fresh balanced task).

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int = 128
    r: int = 3
    neurons: int = 512
    tasks: int = 1024
    law: str = "balanced"
    batch_size: int = 20_000
    examples: int = 1024
    downstream: str = "parity"

    def __post_init__(self) -> None:
        where = "TransferSettings"
        _checks.dimensions(where, self.d, self.r)
        for name in ("neurons", "tasks", "batch_size", "examples"):
            _checks.integer(where, name, getattr(self, name), least=1)
        _checks.choice(where, "law", self.law, LAWS)
        _checks.choice(where, "downstream", self.downstream, ("parity", "random"))


def representations(
    settings: TransferSettings, inputs: GaussianInputs, *, seed: int, names: Sequence[str] = REPRESENTATIONS
) -> dict[str, FrozenFeatures]:
    """Representations pretrained on ``inputs``, in float32 or float64 as M is.

    Each draws from streams of its own: which others are made changes nothing.

    Args:
        settings: sizes and tasks.
        inputs: the law of x, of the settings' d and r.
        seed: of weights, tasks, batches and biases.
        names: which to make, out of :data:`REPRESENTATIONS`.

    Raises:
        ValueError: if the inputs' d or r differ from the settings', or a name is unknown.
    """
    where = "representations"
    _checks.instance(where, "settings", settings, TransferSettings)
    _checks.instance(where, "inputs", inputs, GaussianInputs)
    _checks.sequence(where, "names", names)
    sizes = (inputs.d, inputs.r)
    remedy = "Draw them with GaussianInputs.random(settings.d, settings.r, ...)."
    _checks.require(sizes == (settings.d, settings.r), where, "inputs", "of the settings' d and r", sizes, remedy)
    for name in names:
        _checks.choice(where, "names", name, REPRESENTATIONS)
    r, n, M = settings.r, settings.batch_size, inputs.M
    random = streams(seed, "weights", "tasks", "one task", "oracle", *names)
    W = TwoLayerReLU.random(settings.neurons, settings.d, tasks=1, generator=random["weights"], dtype=M.dtype).W
    F = sample_tasks(settings.tasks, r, law=settings.law, generator=random["tasks"], dtype=M.dtype)
    one = sample_tasks(1, r, law=settings.law, generator=random["one task"], dtype=M.dtype)
    result = {}
    for name in names:
        if name == "random features":
            weights = W
        elif name == "oracle subspace":
            weights = torch.randn(settings.neurons, r, generator=random["oracle"], dtype=M.dtype).to(M.device) @ M.T
        elif name == "linear layer":
            weights = _linear_step(W, inputs, F, n, generator=random[name])
        else:
            kernel = task_kernel(F if name == "pretrained" else one)
            weights = contrastive_step(W, inputs, kernel, batch_size=n, generator=random[name])
        result[name] = FrozenFeatures.of(weights, generator=random[name], linear=name == "linear layer")
    return result


def _linear_step(
    W: Tensor, inputs: GaussianInputs, F: Tensor, batch_size: int, *, generator: torch.Generator
) -> Tensor:
    """Minus the gradient of the shared layer of g_t(x) = a_t . W x after one head step, up to scale."""
    correlations = []
    for _ in range(2):
        X = inputs.sample(batch_size, generator=generator)
        sums = torch.zeros(F.shape[1], inputs.d, dtype=W.dtype).index_add(0, inputs.patterns(X), X)
        correlations.append(F @ sums / batch_size)  # mean of y_t x, (T, d)
    return W @ correlations[0].T @ correlations[1] / F.shape[0]


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Test accuracies of every representation along one axis.

    Args:
        axis: what varies: "examples", "neurons" or "d".
        values: of the axis.
        accuracy: name of the representation -> (seeds, values).
        energy: the same, of the energy inside the subspace.
        conditioning: the same, of sigma_r / sigma_1.
    """

    axis: str
    values: tuple[int, ...]
    accuracy: dict[str, np.ndarray]
    energy: dict[str, np.ndarray] = field(repr=False)
    conditioning: dict[str, np.ndarray] = field(repr=False)


def learning_curves(
    settings: TransferSettings,
    axis: str,
    values: Sequence[int],
    *,
    seeds: Sequence[int],
    names: Sequence[str] = REPRESENTATIONS,
    test_examples: int = 10_000,
    dtype: torch.dtype = torch.float32,
) -> LearningCurves:
    """Accuracy against the number of examples, of neurons or of input dimensions, for each seed.

    Along examples and neurons one pretraining serves all values of a seed (neurons are learned independently in
    one step); along d each value has its own.

    Args:
        settings: what does not vary.
        axis: "examples", "neurons" or "d".
        values: of the axis.
        seeds: each draws subspace, tasks, weights, batches and downstream data anew.
        names: of the representations to evaluate, out of :data:`REPRESENTATIONS`.
        test_examples: fresh inputs for each accuracy.
        dtype: of all computations.

    Raises:
        ValueError: for an unknown axis or name, no values or seeds, or values that the settings refuse.
    """
    where = "learning_curves"
    _checks.instance(where, "settings", settings, TransferSettings)
    _checks.choice(where, "axis", axis, ("examples", "neurons", "d"))
    for name, given in (("values", values), ("seeds", seeds), ("names", names)):
        _checks.sequence(where, name, given)
    for value in values:
        _checks.integer(where, "values", value)
    _checks.integer(where, "test_examples", test_examples, least=1)
    _checks.floating(where, dtype)
    for name in names:
        _checks.choice(where, "names", name, REPRESENTATIONS)
    shape = (len(seeds), len(values))
    results = {kind: {name: np.empty(shape) for name in names} for kind in ("accuracy", "energy", "conditioning")}
    widest = replace(settings, neurons=max(values)) if axis == "neurons" else settings
    for i, seed in enumerate(seeds):
        trained: dict[int, tuple[GaussianInputs, dict[str, FrozenFeatures]]] = {}
        for j, value in enumerate(values):
            here = replace(settings, **{axis: value})
            if here.d not in trained:
                subspace = stream(seed, "subspace")
                inputs = GaussianInputs.random(here.d, here.r, generator=subspace, dtype=dtype)
                trained[here.d] = inputs, representations(replace(widest, d=here.d), inputs, seed=seed, names=names)
            inputs, features = trained[here.d]
            random = streams(seed, "downstream task", *(f"downstream {name}" for name in names))
            f = _downstream_task(here, random["downstream task"], dtype)
            for name in names:
                kept = features[name].first(here.neurons)
                g, examples = random[f"downstream {name}"], here.examples
                results["accuracy"][name][i, j] = transfer_accuracy(
                    kept, inputs, f, examples=examples, test_examples=test_examples, generator=g
                )
                results["energy"][name][i, j], results["conditioning"][name][i, j] = _recovery(kept.W, inputs.M)
    return LearningCurves(axis, tuple(values), **results)


def _recovery(W: Tensor, M: Tensor) -> tuple[float, float]:
    """Energy and conditioning; conditioning is 0 where there are fewer neurons than features."""
    if W.shape[0] < M.shape[1]:
        return ((W @ M).square().sum() / W.square().sum()).item(), 0.0
    return energy_ratio(W, M), conditioning(W, M)


def _downstream_task(settings: TransferSettings, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    if settings.downstream == "parity":
        return characters(settings.r, dtype=dtype)[-1]
    return sample_tasks(1, settings.r, law="balanced", generator=generator, dtype=dtype)[0]
