"""Tasks drawn one by one."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Choice, Count, Explorable, Output, Seed


class TasksAgree(Explorable):
    """Tasks of two features, drawn one by one; how often two quadrants have the same label settles to its limit.

    Until a reader touches it, tasks are drawn of themselves.

    Args:
        tasks: T up to 1000, or ``math.inf``.
        law: of the tasks, "uniform", "balanced" or "parity".
        seed: of the tasks; the draws are JavaScript's own.
        low: least kernel of two different quadrants; written by the figure.
        high: largest; likewise.
    """

    module = "agreement"
    heights = ("27rem", "47rem")

    name = traitlets.Unicode("fig-agreement").tag(sync=True)
    title = traitlets.Unicode("Tasks are drawn one by one").tag(sync=True)
    alt = traitlets.Unicode(
        "Tasks as squares of four coloured quadrants, drawn one by one. Beside them a table of four by four cells says "
        "how often two quadrants have had the same label. As tasks are added the six numbers for different quadrants "
        "settle to one limit, zero for uniform tasks and minus one third for balanced ones."
    ).tag(sync=True)

    tasks = Count(12)
    law = Choice("balanced", among=("uniform", "balanced", "parity"))
    seed = Seed(3)
    low = Output()
    high = Output()
