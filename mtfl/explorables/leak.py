"""One unit, any slope."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Choice, Explorable, Number, Output


class AnySlope(Explorable):
    """What a neuron without bias knows of the tasks, by where it looks, as its unit goes from |s| to s; exact.

    The disk holds the neurons of length one by their two features: in its middle those that look outside, at its rim
    those inside the plane. Its colour is the tasks' mean squared correlation with the neuron, and arrows show how the
    step turns the neuron.

    Args:
        leak: the slope of the unit on the negative side, -1 to 1.
        tasks: "all" that there are, equally often; "balanced" ones; the first "feature"; or the "parity" of both.
        d: input dimension, which decides where random neurons stand.
        inside: gain inside the plane of random neurons on all tasks, in units of 1 / 8 pi; written by the figure.
        outside: likewise.
    """

    module = "leak"
    heights = ("31.75rem", "55.25rem")

    name = traitlets.Unicode("fig-leak").tag(sync=True)
    title = traitlets.Unicode("One unit, any slope").tag(sync=True)
    alt = traitlets.Unicode(
        "A disk of neurons, coloured by how well they know the tasks, with arrows for the way the step turns them; "
        "beside it the gains inside and outside the plane against the slope of the unit on the negative side. They are "
        "equal for the absolute value, two to one for the ReLU, and nothing grows outside for the identity."
    ).tag(sync=True)

    leak = Number(0.0, least=-1, most=1, whole=False)
    tasks = Choice("all", among=("all", "balanced", "feature", "parity"))
    d = Number(30, least=3, most=1000)
    inside = Output()
    outside = Output()
