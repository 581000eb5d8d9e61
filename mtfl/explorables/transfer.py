"""Transfer."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Explorable


class TransferGrid(Explorable):
    """Accuracy of a new head on three representations, interpolated in a measured grid.

    Args:
        grid: ``{"d": [...], "tasks": [...], "examples": [...], "parity": table, "random": table}`` with increasing axes
            and ``table[name]``, for "pretrained", "single task" and "random features", a flat list over (d, tasks,
            examples, 3): lowest, median and highest over seeds.
        d: input dimension, within the grid.
        tasks: pretraining tasks T, likewise.
        examples: downstream examples n, likewise.
        task: "parity" or "random".
        accuracy: median of the pretrained features; written by the figure.
    """

    module = "transfer"
    heights = ("29rem", "41rem")

    grid = traitlets.Dict().tag(sync=True)
    d = traitlets.Int(64, min=1).tag(sync=True)
    tasks = traitlets.Int(64, min=1).tag(sync=True)
    examples = traitlets.Int(512, min=1).tag(sync=True)
    task = traitlets.Enum(["parity", "random"], "parity").tag(sync=True)
    accuracy = traitlets.Float(None, allow_none=True).tag(sync=True)

    @traitlets.default("name")
    def _default_name(self) -> str:
        return "fig-transfer"

    @traitlets.default("title")
    def _default_title(self) -> str:
        return "Transfer"

    @traitlets.default("alt")
    def _default_alt(self) -> str:
        return (
            "Accuracy of a new head on pretrained, single-task and random features, as dots with bands and as curves "
            "over the number of downstream examples. Sliders set the dimension, the pretraining tasks and the examples."
        )
