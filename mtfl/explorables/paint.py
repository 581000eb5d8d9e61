"""Paint a task."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Choice, Explorable, Number, Output, Seed


class PaintedTask(Explorable):
    """A task to paint, its spectrum, and what one exact step on it alone learns: ``single_task_steps`` of one task.

    Args:
        r: features, 2, 3 or 4.
        task: number of the task in :func:`mtfl.tasks.all_tasks`: bit k is set where pattern k has label +1.
        d: input dimension.
        decay: "none", or "matched": the weight decay that cancels every neuron's growth in its own direction.
        seed: of the button that draws a task.
        energy: of the step; written by the figure.
        conditioning: likewise.
        directions: learned ones, out of r; likewise.
    """

    module = "paint"
    heights = ("35rem", "63rem")

    r = Number(3, least=2, most=4)
    task = Number(168, least=0, most=("r", {r: 2**2**r - 1 for r in (2, 3, 4)}))
    d = Number(1000, least=30, most=1_000_000)
    decay = Choice("none", among=("none", "matched"))
    seed = Seed(1)
    energy = Output()
    conditioning = Output()
    directions = Output()

    @traitlets.default("name")
    def _default_name(self) -> str:
        return "fig-paint"

    @traitlets.default("title")
    def _default_title(self) -> str:
        return "Paint a task"

    @traitlets.default("alt")
    def _default_alt(self) -> str:
        return (
            "A task as coloured patterns that can be switched, beside its Walsh coefficients and the singular values "
            "of what one step on it learns. For most tasks only the first bar is high."
        )
