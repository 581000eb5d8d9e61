"""Pairs of inputs that pull and push a neuron."""

from __future__ import annotations

import itertools

import traitlets

from mtfl.explorables.explorable import Choice, Count, Explorable, Number, Output, Seed

MAGNITUDES = (
    (0.81, 0.55, 1.73),
    (1.73, 0.10, 0.32),
    (0.55, 1.15, 1.15),
    (1.15, 0.81, 0.81),
    (0.10, 0.32, 0.55),
    (0.32, 1.73, 0.10),
)
"""|x| of six inputs: in each coordinate the middles of six equally likely parts of |N(0, 1)|."""


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
    heights = ("24.25rem", "39.5rem")

    name = traitlets.Unicode("fig-pairs").tag(sync=True)
    title = traitlets.Unicode("Pairs of inputs pull and push a neuron").tag(sync=True)
    alt = traitlets.Unicode(
        "A neuron as an arrow above the plane of two features, among four dozen inputs. Strings show which inputs pull "
        "it and which push it, and a thick arrow is their sum, the neuron's step. On one task it points anywhere; as "
        "tasks are added it turns into the plane, onto the neuron's shadow."
    ).tag(sync=True)
    inputs = traitlets.List(read_only=True, help="the batch, (48, 3), row by row").tag(sync=True)

    tasks = Count(40)
    law = Choice("balanced", among=("balanced", "uniform"))
    turn = Number(30, least=0, most=345)
    lean = Number(55, least=10, most=80)
    seed = Seed(8)
    aside = Output()
    above = Output()

    @traitlets.default("inputs")
    def _default_inputs(self) -> list[float]:
        mirrors = itertools.product((-1, 1), repeat=3)
        return [sign * size for signs in mirrors for x in MAGNITUDES for sign, size in zip(signs, x, strict=True)]
