"""A step on coloured inputs."""

from __future__ import annotations

import math

import traitlets

from mtfl.explorables.explorable import Choice, Explorable, Number, Output, Seed


class ColouredStep(Explorable):
    """One step on inputs that are longer in some directions than in others learns Sigma M instead of M; exact.

    There is one hidden direction M, in the plane of the inputs, and tasks are the sign of x along M, or its opposite.
    The chart shows the energy at the reader's angle, that of twenty random directions M in d dimensions, half of whose
    axes are long, and what it tends to as d grows: 1 / (1 + CV^2), with the coefficient of variation of Sigma's
    eigenvalues.

    Args:
        ratio: how many times as long inputs are along the long axis of their covariance as across it, 1 to 5.
        angle: from M to the long axis, in degrees, 0 to 180.
        step: "plain", or "repaired": multiplied by the inverse of Sigma.
        inputs: in the batch of the heads and in that of the neurons, 8 to 4096, or ``math.inf``.
        d: dimension of the inputs for random directions M.
        seed: of neurons, inputs and random directions; the draws are JavaScript's own.
        energy: share of the step's square along M; written by the figure.
        turn: angle from M to the step's main direction, in degrees, -90 to 90; likewise.
    """

    module = "coloured"
    heights = ("27.5rem", "53.25rem")

    name = traitlets.Unicode("fig-coloured-step").tag(sync=True)
    title = traitlets.Unicode("A step on coloured inputs").tag(sync=True)
    alt = traitlets.Unicode(
        "Inputs in the plane form an ellipse, and the labels change across a hidden direction. After the step the "
        "neurons lie along another direction, between the hidden one and the long axis of the ellipse; multiplied by "
        "the inverse covariance they lie along the hidden one. A chart shows the energy against the ellipse’s ratio."
    ).tag(sync=True)

    ratio = Number(2.5, least=1, most=5, whole=False)
    angle = Number(60, least=0, most=180)
    step = Choice("plain", among=("plain", "repaired"))
    inputs = Number(math.inf, least=8, most=4096, infinite=True)
    d = Number(64, least=2, most=1000)
    seed = Seed(1)
    energy = Output()
    turn = Output()
