"""One figure of each kind, for the tests of what they have in common, and pages to put them on."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from mtfl.explorables import (
    AnySlope,
    ColouredStep,
    ConnectTheDots,
    Explorable,
    HowManyTasks,
    InContext,
    NeuronsInPlane,
    PaintedTask,
    PullingPairs,
    RelabelledDigits,
    TaskKernel,
    TasksAgree,
    TransferGrid,
)

KINDS: list[type[Explorable]] = [
    NeuronsInPlane,
    TaskKernel,
    PaintedTask,
    TransferGrid,
    HowManyTasks,
    PullingPairs,
    TasksAgree,
    AnySlope,
    RelabelledDigits,
    ConnectTheDots,
    ColouredStep,
    InContext,
]
AXES = ([8, 32, 128], [1, 8, 64], [32, 128, 512])


def table(change: float) -> list[float]:
    """A smooth function over the axes with a band around it, in the form of TransferGrid."""
    points = itertools.product(*(np.log(axis) for axis in AXES))
    middles = (0.7 + change * math.cos(0.3 * x + y * z / 9) for x, y, z in points)
    return [round(middle + band, 3) for middle in middles for band in (-0.05, 0.0, 0.05)]


NAMES = ("oracle subspace", "pretrained", "single task", "random features")
GRID: dict[str, Any] = dict(zip(("d", "tasks", "examples"), AXES, strict=True))
GRID["parity"] = {name: table(0.1 + 0.05 * k) for k, name in enumerate(NAMES)}
GRID["random"] = {name: table(0.2 - 0.05 * k) for k, name in enumerate(NAMES)}

STATES: dict[type[Explorable], dict[str, Any]] = {
    ConnectTheDots: {"tasks": 3, "second": 175, "third": 86},  # all ambiguous in one gap
    HowManyTasks: {"law": "uniform"},  # the dimension plays no part for balanced tasks, and its slider is off
    RelabelledDigits: {"task": 31, "tasks": 9},  # one task and its opposite are alike, and nothing is drawn
    TransferGrid: {"grid": GRID},
}


def example(kind: type[Explorable], **state: Any) -> Explorable:
    """A figure of this kind, each of whose controls is alive."""
    return kind(**(STATES.get(kind, {}) | state))


ROOT = Path(__file__).parents[1]
NO_MOTION: dict[str, Any] = {"reduced_motion": "reduce"}
PAGE = """<!DOCTYPE html>
<html lang="en" data-mode="{theme}" data-theme="{theme}"><head><meta charset="utf-8"><title>A figure</title>
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><style>{style}
body {{ margin: 1rem; background: var(--mtfl-bg); color: var(--mtfl-fg); font-family: sans-serif }}</style></head>
<body><main><h1>A figure</h1>{body}</main></body></html>"""


def write_page(folder: Path, name: str, body: str, theme: str = "light") -> None:
    """A page of the site's looks."""
    style = (ROOT / "book" / "_static" / "mtfl.css").read_text("utf8")
    (folder / name).write_text(PAGE.format(theme=theme, style=style, body=body), "utf8")
