"""Connect the dots."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Explorable, Number, Output, Seed

POINTS = 8


class ConnectTheDots(Explorable):
    """All interpolants of least norm of one, two or three tasks on eight points of a line; exact.

    An interpolant is a sum of kinks and a straight line, and its norm the sum over kinks of their length over tasks.
    One task leaves gaps in which many interpolants have the least norm: they are shaded. Tasks that disagree leave one
    interpolant, the straight lines from point to point.

    Args:
        tasks: how many of the tasks are fitted, 1 to 3.
        first: the first task's number: bit i is set where point i has the label +1.
        second: the second task's number.
        third: the third task's number.
        share: which of the interpolants is drawn: how far it leaves the straight lines, 0 to 1 of what it may.
        seed: of the points' places; the draws are JavaScript's own.
        gaps: how many gaps are ambiguous; written by the figure.
        norm: the least norm; likewise.
    """

    module = "dots"
    heights = ("27.5rem", "51.5rem")

    name = traitlets.Unicode("fig-dots").tag(sync=True)
    title = traitlets.Unicode("Connect the dots").tag(sync=True)
    alt = traitlets.Unicode(
        "Eight points on a line with labels plus or minus for each of three tasks, joined by straight lines. For one "
        "task valleys and hills are shaded, all of whose curves have the same norm; with tasks that disagree they are "
        "gone."
    ).tag(sync=True)

    tasks = Number(1, least=1, most=3)
    first = Number(153, least=0, most=2**POINTS - 1)
    second = Number(75, least=0, most=2**POINTS - 1)
    third = Number(218, least=0, most=2**POINTS - 1)
    share = Number(0.5, least=0, most=1, whole=False)
    seed = Seed(1)
    gaps = Output()
    norm = Output()
