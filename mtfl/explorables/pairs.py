"""Pairs of inputs that pull and push a neuron."""

from __future__ import annotations

import itertools
import math

import torch
import traitlets
from torch import Tensor

from mtfl.contrastive import Anchors, pull_gradient
from mtfl.explorables.explorable import Choice, Count, Explorable, Number, Output, Seed
from mtfl.figures import GREEN, MINUS, PLUS
from mtfl.network import relu_features
from mtfl.tasks import limit_kernel

MAGNITUDES = (
    (0.81, 0.55, 1.73),
    (1.73, 0.10, 0.32),
    (0.55, 1.15, 1.15),
    (1.15, 0.81, 0.81),
    (0.10, 0.32, 0.55),
    (0.32, 1.73, 0.10),
)
"""|x| of six inputs: in each coordinate the middles of six equally likely parts of |N(0, 1)|."""

AZIMUTH, EYE = math.radians(-24), math.radians(27)  # as in pairs.js


def _seen(x: Tensor) -> str:
    """Where a point of three dimensions stands in the still picture."""
    a, b, c = (64 * float(value) for value in x)
    across, away = a * math.cos(AZIMUTH) - b * math.sin(AZIMUTH), a * math.sin(AZIMUTH) + b * math.cos(AZIMUTH)
    return f"{192 + across:.1f} {160 - c * math.cos(EYE) - away * math.sin(EYE):.1f}"


class PullingPairs(Explorable):
    """The negative gradient of one neuron as a sum over pairs of inputs, while tasks are added.

    The inputs have three dimensions, of which the first two are features; they are six of a normal law with all their
    mirror images, and serve as the heads' and as the representation's batch. The pull of an input is the mean over the
    batch of task kernel times response; the step is the mean of pull times input, as in
    :func:`mtfl.contrastive.pull_gradient`. Until a reader touches it, tasks are added of themselves.

    Args:
        tasks: T, or ``math.inf``.
        law: of the tasks, "balanced" or "uniform".
        turn: direction of the neuron's shadow in the feature plane, in degrees.
        lean: angle between the neuron and the plane, in degrees.
        seed: of the tasks; the draws are JavaScript's own.
        aside: angle between the step's part in the plane and the neuron's, in degrees; written by the figure.
        above: angle between the step and the plane, in degrees; likewise.
    """

    module = "pairs"
    heights = ("25rem", "40.25rem")

    name = traitlets.Unicode("fig-pairs").tag(sync=True)
    title = traitlets.Unicode("Pairs of inputs pull and push a neuron").tag(sync=True)
    alt = traitlets.Unicode(
        "A neuron as an arrow above the plane of two features, among four dozen inputs. Strings show which inputs pull "
        "it and which push it, and a thick arrow is their sum, the neuron’s step. On one task it points anywhere; as "
        "tasks are added it turns into the plane, onto the neuron’s shadow."
    ).tag(sync=True)
    inputs = traitlets.List(read_only=True, help="the batch, (48, 3), row by row").tag(sync=True)

    tasks = Count(40)
    law = Choice("balanced", among=("balanced", "uniform"))
    turn = Number(30, least=0, most=345)
    lean = Number(55, least=10, most=80)
    seed = Seed(8)
    aside = Output()
    above = Output()

    def pulls(self) -> tuple[Tensor, Tensor, Tensor]:
        """The neuron (3,), the pulls of the inputs (48,) and the step (3,), on infinitely many tasks."""
        X = torch.tensor(self.inputs).double().reshape(-1, 3)
        turn, lean = math.radians(self.turn), math.radians(self.lean)
        w = torch.tensor([[math.cos(turn) * math.cos(lean), math.sin(turn) * math.cos(lean), math.sin(lean)]]).double()
        patterns, zero = (X[:, 0] > 0) + 2 * (X[:, 1] > 0), torch.zeros(1).double()
        anchors = Anchors.of(relu_features(w, zero, X), patterns, 2)
        pulls = (limit_kernel(2, self.law) @ anchors.totals)[patterns]
        return w[0], (pulls * (X @ w.T > 0))[:, 0], -pull_gradient(w, zero, X, pulls / len(X))[0]

    def still(self) -> str:
        """The neuron among its strings and its step, on infinitely many tasks."""
        w, pulls, step = self.pulls()
        X, origin = torch.tensor(self.inputs).double().reshape(-1, 3), _seen(torch.zeros(3))
        corners = (_seen(2.2 * torch.tensor([x, y, 0])) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)))
        parts = [f'<path d="M{"L".join(corners)}Z" fill="#808080" fill-opacity=".15"/>']
        for x, pull in zip(X, pulls.tolist(), strict=True):
            if pull:
                width, colour = 2.6 * abs(pull) / float(pulls.abs().max()), PLUS if pull > 0 else MINUS
                parts.append(f'<path d="M{origin}L{_seen(x)}" stroke="{colour}" stroke-width="{width:.2f}"/>')
        for end, colour, width in ((1.55 * w, "currentColor", 3), (2.1 * step / step.norm(), GREEN, 7)):
            parts.append(f'<path d="M{origin}L{_seen(end)}" stroke="{colour}" stroke-width="{width}"/>')
        return f'<svg viewBox="0 0 400 300" style="max-width: 20rem" aria-hidden="true">{"".join(parts)}</svg>'

    @traitlets.default("inputs")
    def _default_inputs(self) -> list[float]:
        mirrors = itertools.product((-1, 1), repeat=3)
        return [sign * size for signs in mirrors for x in MAGNITUDES for sign, size in zip(signs, x, strict=True)]
