"""How many tasks."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Choice, Count, Explorable, Number, Output, Seed


class HowManyTasks(Explorable):
    """Singular values of one step on T tasks, with infinitely many neurons and inputs, to leading order.

    Args:
        tasks: T up to 1000, or ``math.inf``.
        r: features, 2 to 10.
        law: "balanced", or "uniform" with the decay that cancels for infinitely many tasks.
        d: input dimension; balanced tasks do not depend on it.
        seed: of the tasks; the draws are JavaScript's own.
        conditioning: of the step; written by the figure.
    """

    module = "howmany"
    heights = ("29rem", "46rem")

    tasks = Count(8)
    r = Number(8, least=2, most=10)
    law = Choice("balanced", among=("balanced", "uniform"))
    d = Number(1000, least=30, most=10_000)
    seed = Seed(1)
    conditioning = Output()

    @traitlets.default("name")
    def _default_name(self) -> str:
        return "fig-howmany"

    @traitlets.default("title")
    def _default_title(self) -> str:
        return "How many tasks"

    @traitlets.default("alt")
    def _default_alt(self) -> str:
        return (
            "The singular values of one step on T tasks as sticks on a line, over the band where the Marchenko-Pastur "
            "law puts them; below, conditioning against T. With fewer tasks than features some sticks stand at zero."
        )
