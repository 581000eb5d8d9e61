"""The task kernel."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Choice, Count, Explorable, Number, Output, Seed

PATTERNS = ("r", {r: 2**r - 1 for r in range(1, 5)})


class TaskKernel(Explorable):
    """Tasks are added one by one; the 2^r x 2^r kernel settles, and its deviation is held against the bound.

    Args:
        tasks: T up to 1000, or ``math.inf``.
        law: of the tasks, "uniform" or "balanced".
        r: features, 1 to 4.
        first: number of the pattern whose row is marked.
        second: number of the pattern whose column is marked.
        seed: of the tasks; the draws are JavaScript's own.
        deviation: largest |K_T - K_inf| over all pairs; written by the figure.
        value: kernel of the marked pair; written by the figure.
    """

    module = "kernel"
    heights = ("36rem", "61rem")

    tasks = Count(10)
    law = Choice("uniform", among=("uniform", "balanced"))
    r = Number(3, least=1, most=4)
    first = Number(0, least=0, most=PATTERNS)
    second = Number(7, least=0, most=PATTERNS)
    seed = Seed(1)
    deviation = Output()
    value = Output()

    @traitlets.default("name")
    def _default_name(self) -> str:
        return "fig-kernel"

    @traitlets.default("title")
    def _default_title(self) -> str:
        return "The task kernel"

    @traitlets.default("alt")
    def _default_alt(self) -> str:
        return (
            "A square of cells, one for each pair of patterns, coloured by how much more often tasks give the two the "
            "same label than not. With few tasks it is a random chequered pattern; with many only the diagonal stands "
            "out. Beside it the largest deviation from the limit falls with the number of tasks, below its bound."
        )
