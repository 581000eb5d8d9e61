"""Transfer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import traitlets

from mtfl._checks import MOST, instance, require, shown
from mtfl.explorables.explorable import Choice, Explorable, Number, Output

NAMES = ("oracle subspace", "pretrained", "single task", "random features")
TASKS = ("parity", "random")


class TransferGrid(Explorable):
    """Accuracy of a new head on four representations, interpolated in a measured grid.

    Args:
        grid: ``{"d": [...], "tasks": [...], "examples": [...], "parity": table, "random": table}`` with increasing axes
            and ``table[name]``, for "oracle subspace", "pretrained", "single task" and "random features", a flat list
            over (d, tasks, examples, 3): lowest, median and highest over seeds. It stays as it is given.
        d: input dimension, within the grid.
        tasks: pretraining tasks T, likewise.
        examples: downstream examples n, likewise.
        task: "parity" or "random".
        accuracy: median of the pretrained features; written by the figure.
    """

    module = "transfer"
    heights = ("29rem", "41rem")

    grid = traitlets.Dict(read_only=True).tag(sync=True)
    d = Number(32, least=1, most=1)
    tasks = Number(64, least=1, most=1)
    examples = Number(512, least=1, most=1)
    task = Choice("parity", among=TASKS)
    accuracy = Output()

    def __init__(self, *, grid: dict[str, Any], **state: Any) -> None:
        """Take the grid first, once and for all: it bounds the settings."""
        require_grid(grid)
        self.set_trait("grid", grid)
        super().__init__(**state)

    def rules(self) -> dict[str, dict[str, Any]]:
        """The rules, with the grid's bounds."""
        bounds = {key: {"least": self.grid[key][0], "most": self.grid[key][-1]} for key in ("d", "tasks", "examples")}
        return {key: rule | bounds.get(key, {}) for key, rule in super().rules().items()}

    @traitlets.default("name")
    def _default_name(self) -> str:
        return "fig-transfer"

    @traitlets.default("title")
    def _default_title(self) -> str:
        return "Transfer"

    @traitlets.default("alt")
    def _default_alt(self) -> str:
        return (
            "Accuracy of a new head on oracle, pretrained, single-task and random features, as dots with bands and as "
            "curves over the dimension: the oracle’s is flat, that of pretrained features falls. Sliders set the "
            "dimension, the pretraining tasks and the examples."
        )


def require_grid(grid: Any) -> None:
    """The grid has the form of :class:`TransferGrid`, and numbers everywhere."""
    where, remedy = "TransferGrid", "Make it as chapter 5 does."
    keys = {"d", "tasks", "examples", *TASKS}
    ok = isinstance(grid, dict) and set(grid) == keys
    got = ", ".join(map(str, grid)) or "an empty one" if isinstance(grid, dict) else type(grid).__name__
    require(ok, where, "grid", f"a dict of {', '.join(sorted(keys))}", got, remedy, TypeError)
    size = 3
    for key in ("d", "tasks", "examples"):
        axis = grid[key]
        rises = _are_numbers(axis, 1, MOST) and len(axis) > 1 and all(low < high for low, high in pairwise(axis))
        words = f"two or more rising whole numbers from 1 to {MOST}"
        require(rises and all(x % 1 == 0 for x in axis), where, f"grid[{key!r}]", words, shown(axis), remedy)
        size *= len(axis)
    for task in TASKS:
        instance(where, f"grid[{task!r}]", grid[task], dict)
        require(
            set(grid[task]) == set(NAMES), where, f"grid[{task!r}]", f"of {', '.join(NAMES)}", list(grid[task]), remedy
        )
        for name, values in grid[task].items():
            shares = _are_numbers(values, 0, 1) and len(values) == size
            words = f"{size} numbers from 0 to 1"
            require(shares, where, f"grid[{task!r}][{name!r}]", words, shown(values), remedy)


def _are_numbers(values: Any, least: int, most: int) -> bool:
    """Whether this is a list of numbers from ``least`` to ``most``."""
    is_list = isinstance(values, (list, tuple))
    return is_list and all(
        isinstance(x, (int, float)) and not isinstance(x, bool) and least <= x <= most for x in values
    )
