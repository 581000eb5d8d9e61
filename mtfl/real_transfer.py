"""What representations of real images are worth for new relabellings of their classes.

Each representation is learned, or made, from the pretraining images; it has one thing to tune (how many rounds, which
width), and all tune it alike: by new relabellings of a part of the downstream images. A new task then gets a linear
head with an intercept on the frozen features, whose ridge penalty leave-one-out chooses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.network import relu_features
from mtfl.pairs import contrastive_loss
from mtfl.randomness import streams
from mtfl.real_data import DATA, Images, balanced_kernel, load, relabelling_step, relabellings, split
from mtfl.transfer import is_right

REPRESENTATIONS = (
    "tasks", "one label", "shuffled", "all classes", "step", "classes", "contrastive", "random", "pixels", "pca", "rbf",
)  # fmt: skip
"""How features are made.

* tasks: a layer trained on T relabellings, each image with T labels; one label: each image with the label of one task;
  shuffled: as tasks, with the labels of other images; all classes: as tasks, which name the unseen classes too;
* step: one exact step on infinitely many relabellings;
* classes: a layer trained by softmax on the ten classes;
* contrastive: a layer trained by the supervised contrastive loss on the classes;
* random: the layer before training; pixels: the images; pca: their first principal components;
* rbf: a Gaussian kernel of the images.
"""

SIZES = (10, 30, 100, 500)
"""Labelled images downstream."""

UNSEEN_SIZES = (6, 15, 30, 60)
"""The same where new tasks are about classes that no task named."""

_PARTS = {"digits": (700, 500), "mnist": (1000, 1000)}  # images for pretraining and downstream
_NEW_TASKS = 10
_FITTED = 100  # images on which heads are fitted where representations are tuned
_ROUNDS = (25, 50, 100)
_COUNTED = 600  # test images in which classes are located
_WIDTHS = (0.0, 0.5, 1.0, 2.0)  # of biases, where neurons have scores of variance about 1
_TEMPERATURES = (0.1, 0.5)
_MOST, _FARTHEST = 10_000, 1e6
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the mean eigenvalue

Kernel = Callable[[Tensor, Tensor], Tensor]
"""From two batches of images to the inner products of their features."""


@dataclass(frozen=True, kw_only=True)
class RelabelSettings:
    """Settings of :func:`relabel_run`.

    Args:
        data: one of :data:`mtfl.real_data.DATA`.
        representation: one of :data:`REPRESENTATIONS`.
        tasks: pretraining tasks T, for those that have them.
        neurons: their number m.
        representation_step: of Adam, with which all layers are trained.
        unseen: number of classes that no pretraining task names. Then new tasks are about these: each against the
            others of them.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    data: str
    representation: str
    tasks: int = 16
    neurons: int = 128
    representation_step: float = 0.01
    unseen: int = 0

    def __post_init__(self) -> None:
        where = "RelabelSettings"
        _checks.choice(where, "data", self.data, DATA)
        _checks.choice(where, "representation", self.representation, REPRESENTATIONS)
        for name in ("tasks", "neurons"):
            _checks.integer(where, name, getattr(self, name), least=1, most=_MOST)
        step, remedy = self.representation_step, "Adam moves each weight by about so much in a round."
        _checks.number(where, "representation_step", step)
        _checks.require(step <= _FARTHEST, where, "representation_step", f"at most {_FARTHEST:g}", step, remedy)
        _checks.integer(where, "unseen", self.unseen, least=0, most=8)
        ok = self.unseen != 1
        _checks.require(ok, where, "unseen", "0, or at least 2", self.unseen, "One class has no other to tell from.")


def relabel_run(settings: RelabelSettings, seed: int) -> tuple[float, ...]:
    """Test accuracy on ten new tasks with 10, 30, 100 and 500 labelled images; then how the classes lie in features.

    With unseen classes the sizes are 6, 15, 30 and 60, and new tasks are each unseen class against the others. After
    the accuracies come the share of the features' variance that lies between classes, the evenness of the class means
    (their smallest singular value over the largest, once centred), and the standard deviation of the cosines between
    them; all on test images. The seed draws the parts of the data, all tasks, the initial layer and its order of work.
    """
    _checks.instance("relabel_run", "settings", settings, RelabelSettings)
    random = streams(seed, "parts", "order", "tasks", "layer", "tuning", "new tasks")
    images = load(settings.data)
    parts = split(images, *_PARTS[settings.data], generator=random["parts"])
    C, u = 10, settings.unseen
    order = torch.randperm(C, generator=random["order"])
    some = u > 0 and settings.representation != "all classes"
    pretraining = parts.pretraining.of_classes(order[: C - u]) if some else parts.pretraining
    named = order[C - u :] if u else torch.arange(C)
    downstream, test = (part.of_classes(named) for part in parts[1:])
    kernels = candidates(settings, pretraining, generators=(random["layer"], random["tasks"]))
    if u:
        tuning = new = 2 * torch.eye(u, dtype=torch.float32) - 1
    else:
        tuning, new = (
            relabellings(_NEW_TASKS, C, generator=random[name], dtype=torch.float32) for name in ("tuning", "new tasks")
        )
    sizes, fitted = (UNSEEN_SIZES, UNSEEN_SIZES[-1]) if u else (SIZES, _FITTED)
    first, rest = downstream.first(fitted), Images(downstream.X[fitted:], downstream.classes[fitted:])
    scores = [head_accuracy(kernel, first, rest, tuning) for kernel in kernels]
    kernel = kernels[scores.index(max(scores))]
    accuracies = [head_accuracy(kernel, downstream.first(n), test, new) for n in sizes]
    return (*accuracies, *class_geometry(kernel, test.first(min(_COUNTED, len(test.X)))))


def candidates(
    settings: RelabelSettings, images: Images, *, generators: tuple[torch.Generator, torch.Generator]
) -> list[Kernel]:
    """The kernels among which a representation's one choice is made; without checks.

    Args:
        settings: of the run.
        images: for pretraining; their classes are those that tasks name.
        generators: of the initial layer, and of the pretraining tasks.

    Returns:
        A kernel for each number of rounds, or each width.
    """
    X, classes, name = images.X.float(), images.classes, settings.representation
    (n, d), m = X.shape, settings.neurons
    if name == "pixels":
        return [_standard(lambda Z: Z, X), lambda Z, V: Z @ V.T]
    if name == "rbf":
        middle = float(torch.cdist(X, X).square().median())
        return [_gaussian(width * middle) for width in (0.125, 0.25, 0.5, 1.0, 2.0)]
    if name == "pca":
        axes = torch.linalg.svd(X - X.mean(0), full_matrices=False)[2]
        return [_inner(lambda Z, k=k: Z @ axes[:k].T) for k in (5, 9, 15, 20, 30, 40)]
    draw, tasks = generators
    W = torch.randn(m, d, generator=draw, dtype=X.dtype) / math.sqrt(d)
    biases = 2 * torch.rand(m, generator=draw, dtype=X.dtype) - 1
    if name == "random":
        return [_standard(_layer(W, width * biases), X) for width in _WIDTHS]
    if name == "step":
        G = relabelling_step(W, images, balanced_kernel(int(classes.max()) + 1).float())
        G = G / (X @ G.T).std(0)[:, None]
        return [_standard(_layer(G, width * biases), X) for width in _WIDTHS]
    if name in ("classes", "contrastive"):
        losses = [_softmax(classes)] if name == "classes" else [_contrastive(classes, t) for t in _TEMPERATURES]
        heads = int(classes.max()) + 1 if name == "classes" else 0
        rounds = _ROUNDS[:2] if name == "contrastive" else _ROUNDS  # there are two temperatures to try
    else:
        F = relabellings(settings.tasks, int(classes.max()) + 1, generator=tasks, dtype=torch.float32)
        shuffled = classes[torch.randperm(n, generator=tasks)] if name == "shuffled" else classes
        Y = F[:, shuffled].T  # (n, T)
        if name == "one label":
            asked = torch.randperm(n, generator=tasks) % settings.tasks
            Y = Y * torch.nn.functional.one_hot(asked, settings.tasks)
        losses, heads, rounds = [_logistic(Y)], settings.tasks, _ROUNDS
    return [
        _standard(_layer(*found), X)
        for loss in losses
        for found in trained(W, X, heads, loss, step=settings.representation_step, rounds=rounds)
    ]


def trained(
    W: Float[Tensor, "m d"],
    X: Float[Tensor, "n d"],
    heads: int,
    loss: Callable[[Tensor], Tensor],
    *,
    step: float,
    rounds: Sequence[int] = _ROUNDS,
) -> list[tuple[Float[Tensor, "m d"], Float[Tensor, " m"]]]:
    """Weights and biases of a layer after some numbers of rounds of Adam on all inputs at once; without checks.

    Args:
        W: initial weights; biases and heads begin at zero.
        X: inputs.
        heads: how many linear heads, with intercepts, are trained along; 0 if the loss reads the features.
        loss: of the heads' scores (n, heads), or of the features (n, m).
        step: of Adam, its other numbers as torch has them.
        rounds: after which to look, rising.
    """
    m = len(W)
    W = W.clone().requires_grad_()
    b, A, c = (torch.zeros(size, dtype=W.dtype, requires_grad=True) for size in ((m,), (heads, m), (heads,)))
    optimizer = torch.optim.Adam([W, b, A, c] if heads else [W, b], lr=step)
    found = []
    for count in range(1, max(rounds) + 1):
        H = torch.relu(X @ W.T + b)
        scores = H @ A.T * (4 / math.sqrt(m)) + c if heads else H
        optimizer.zero_grad()
        loss(scores).backward()
        optimizer.step()
        if count in rounds:
            got, remedy = f"NaN or infinity after round {count}", "Reduce representation_step."
            finite = _checks.is_finite(W.detach()) and _checks.is_finite(b.detach())
            _checks.require(finite, "relabel_run", "every weight", "finite", got, remedy)
            found.append((W.detach().clone(), b.detach().clone()))
    return found


def head_accuracy(kernel: Kernel, examples: Images, test: Images, F: Float[Tensor, "T C"]) -> float:
    """Mean test accuracy, over tasks, of ridge heads with an intercept and a chosen penalty; without checks.

    The head of a task minimises the sum of squares of its errors on the labels plus a penalty times its squared norm.
    Leave-one-out chooses the penalty, 10^-4 ... 10 times the mean eigenvalue of the examples' centred kernel.

    Args:
        kernel: inner products of the features.
        examples: labelled images.
        test: images on which errors are counted.
        F: tasks on their classes.

    Checked against scikit-learn's ridge regression, fitted without each example in turn.
    """
    K, across = kernel(examples.X, examples.X).double(), kernel(test.X, examples.X).double()
    across = across - across.mean(1, keepdim=True) - K.mean(0) + K.mean()
    K = K - K.mean(0) - K.mean(1, keepdim=True) + K.mean()
    Y = F[:, examples.classes].T.double()  # (n, T)
    n, means = len(Y), Y.mean(0)
    values, vectors = torch.linalg.eigh(K)
    values, pulled = values.clamp(min=0), vectors.T @ (Y - means)
    errors, heads = [], []
    for share in _PENALTIES:
        penalty = share * values.mean() + 1e-12
        kept = values / (values + penalty)
        left = Y - means - vectors @ (kept[:, None] * pulled)
        own = 1 - 1 / n - (vectors.square() * kept).sum(1)  # how much of a label is not its own doing
        errors.append((left / own.clamp(min=1e-6)[:, None]).square().mean(0))
        heads.append(vectors @ (pulled / (values + penalty)[:, None]))
    best = torch.stack(errors).argmin(0)  # (T,)
    chosen = torch.stack(heads)[best, :, torch.arange(len(F))].T
    scores = across @ chosen + means
    return float(is_right(scores, F[:, test.classes].T).double().mean())


def class_geometry(kernel: Kernel, images: Images) -> tuple[float, float, float]:
    """Share of variance between classes, evenness of class means, spread of their cosines; without checks.

    The evenness is their (C-1)-th singular value over the first, 1 where classes are equally far apart; the spread is
    the standard deviation of the cosines between the centred means of two classes, then 0.
    """
    K = kernel(images.X, images.X).double()
    shares = torch.nn.functional.one_hot(images.classes).double()
    shares = shares / shares.sum(0)
    means = shares.T @ K @ shares
    means = means - means.mean(0) - means.mean(1, keepdim=True) + means.mean()
    C, lengths = len(means), means.diagonal().clamp(min=1e-12).sqrt()
    between = float(means.diagonal().mean())
    within = float((K.diagonal() - (K @ shares).gather(1, images.classes[:, None])[:, 0]).mean())
    values = torch.linalg.eigvalsh(means).clamp(min=0).sqrt()
    cosines = (means / lengths / lengths[:, None])[~torch.eye(C, dtype=torch.bool)]
    return between / (between + within), float(values[1] / values[-1]), float(cosines.std())


def _inner(features: Callable[[Tensor], Tensor]) -> Kernel:
    """The kernel of some features."""
    return lambda Z, V: features(Z) @ features(V).T


def _standard(features: Callable[[Tensor], Tensor], X: Tensor) -> Kernel:
    """The kernel of features that have mean 0 and variance 1 on X; those that hardly vary stay small."""
    H = features(X)
    mean, scale = H.mean(0), H.std(0) + 1e-3 * H.std()
    return _inner(lambda Z: (features(Z) - mean) / scale)


def _layer(W: Tensor, b: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda Z: relu_features(W, b, Z)


def _gaussian(width: float) -> Kernel:
    return lambda Z, V: torch.exp(-torch.cdist(Z, V).square() / width)


def _logistic(Y: Tensor) -> Callable[[Tensor], Tensor]:
    """Mean over tasks of the mean logistic loss on the images that a task has labelled; 0 where it has not."""
    asked = (Y != 0).float()
    weights = asked / (asked.sum(0).clamp(min=1) * Y.shape[1])
    return lambda scores: (torch.nn.functional.softplus(-Y * scores) * weights).sum()


def _softmax(classes: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda scores: torch.nn.functional.cross_entropy(scores, classes)


def _contrastive(classes: Tensor, temperature: float) -> Callable[[Tensor], Tensor]:
    """The supervised contrastive loss of Khosla et al. (2020): positives of one class, cosines over a temperature."""
    alike = (classes[:, None] == classes).float().fill_diagonal_(0)
    alike = alike / alike.sum(1, keepdim=True).clamp(min=1)
    return lambda H: contrastive_loss(H, None, alike, temperature=temperature)
