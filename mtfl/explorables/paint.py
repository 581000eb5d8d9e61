"""Paint a task."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Explorable


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

    r = traitlets.Int(3, min=2, max=4).tag(sync=True)
    task = traitlets.Int(168, min=0, max=2**16 - 1).tag(sync=True)
    d = traitlets.Int(1000, min=30).tag(sync=True)
    decay = traitlets.Enum(["none", "matched"], "none").tag(sync=True)
    seed = traitlets.Int(1, min=0).tag(sync=True)
    energy = traitlets.Float(None, allow_none=True).tag(sync=True)
    conditioning = traitlets.Float(None, allow_none=True).tag(sync=True)
    directions = traitlets.Int(None, allow_none=True).tag(sync=True)

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
