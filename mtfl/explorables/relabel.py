"""Relabel the digits."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import traitlets

from mtfl.explorables.explorable import Choice, Count, Explorable, Number, Output, Seed

CLASSES = 10
_SHRUNK = 0.1  # towards a multiple of the identity, before a covariance is inverted


class RelabelledDigits(Explorable):
    """The ten classes of scikit-learn's digits as one step on T relabellings of them sees them.

    Shown is the linear half of the step, on all images of the set, for infinitely many neurons: it needs the classes'
    means only. The first task is painted, the others are drawn.

    Args:
        task: the first task's number: bit c is set where class c has the label +1.
        tasks: T up to 1000, or ``math.inf``.
        pixels: "plain", or "whitened" by the images' covariance.
        seed: of the other tasks; the draws are JavaScript's own.
        kinds: how many kinds of classes the tasks tell apart; written by the figure.
        conditioning: smallest over largest of the step's nine singular values; likewise.
    """

    module = "relabel"
    heights = ("29rem", "54.25rem")

    task = Number(341, least=0, most=2**CLASSES - 1)
    tasks = Count(1)
    pixels = Choice("plain", among=("plain", "whitened"))
    seed = Seed(1)
    kinds = Output()
    conditioning = Output()
    digits = traitlets.Dict(read_only=True, help="mean images, and class means in a basis of their span").tag(sync=True)

    @traitlets.default("digits")
    def _default_digits(self) -> dict[str, Any]:
        return class_summary()

    @traitlets.default("name")
    def _default_name(self) -> str:
        return "fig-relabel"

    @traitlets.default("title")
    def _default_title(self) -> str:
        return "Relabel the digits"

    @traitlets.default("alt")
    def _default_alt(self) -> str:
        return (
            "The mean images of the ten digits, each in the colour of its label, and where the classes lie in what one "
            "step learns from the tasks: on a line for one task, spread over the plane for many."
        )


@cache
def class_summary() -> dict[str, Any]:
    """Of scikit-learn's digits: mean images in per cent of full brightness; class means in a basis of their span.

    Inputs are centred and scaled as by :func:`mtfl.real_data.split`, or whitened; class means are centred by their own
    mean. 640 whole numbers, and twice (10, 9) with four digits.
    """
    from mtfl.real_data import class_means, load

    images = load("digits")
    brightness = class_means(images.X, images.classes)
    X = images.X.double() - images.X.double().mean(0)
    X = X / X.square().mean().sqrt()
    covariance = X.T @ X / len(X)
    covariance = (1 - _SHRUNK) * covariance + _SHRUNK * torch.eye(X.shape[1]) * covariance.diagonal().mean()
    means = class_means(X, images.classes)
    means = means - means.mean(0)
    found: dict[str, Any] = {"images": (100 * brightness).round().int().flatten().tolist()}
    for name, seen in (("plain", means), ("whitened", torch.linalg.solve(covariance, means.T).T)):
        values, vectors = torch.linalg.eigh(means @ seen.T)
        places = vectors[:, 1:] * values[1:].sqrt()
        found[name] = [float(f"{x:.4g}") for x in places.flatten().tolist()]
    return found
