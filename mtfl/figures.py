"""Figures: they take data and axes, draw, and compute nothing.

A chapter makes axes with :func:`canvas`, draws on them, and ends its cell with :func:`show`, which yields an inline
SVG whose text, ticks and grid follow the page's light or dark colours. The series colours are mid-tones that
differ for colour-blind readers and keep a contrast of 3:1 on white and on near-black.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

BLUE, VERMILION, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#b8639b", "#808080"
"""Series colours, after Okabe and Ito."""

COLOURS = {
    "pretrained": BLUE,
    "single task": VERMILION,
    "random features": GREY,
    "oracle subspace": GREEN,
    "linear layer": PURPLE,
}
"""One colour for each representation, the same in every figure."""

_TEXT, _GRID = "#1f2328", "#d0d5da"
_STYLE = {
    "svg.fonttype": "path",
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, PURPLE, GREY]),
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "mathtext.fontset": "dejavusans",
} | dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _TEXT)


@dataclass(frozen=True)
class Picture:
    """A drawn figure, shown by Jupyter and by the book as inline SVG with a text alternative."""

    svg: str
    alt: str

    def _repr_html_(self) -> str:
        label = html.escape(self.alt, quote=True)
        opening = f'<figure class="mtfl-plot" tabindex="0"><svg role="img" aria-label="{label}" '
        return self.svg.replace("<svg ", opening, 1) + "</figure>"


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 3.2, **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes, sizes in inches; options go to ``Figure.subplots``.

    It sets Matplotlib's rcParams to the book's style, for what is drawn on the axes later too.

    Returns:
        The figure, and one Axes, or an array of them when there is more than one.
    """
    plt.style.use(_STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def show(figure: Figure, *, alt: str) -> Picture:
    """The finished figure; the last line of a cell.

    Args:
        figure: from :func:`canvas`.
        alt: what the figure shows, for readers who do not see it; required.

    Raises:
        ValueError: if alt is empty.
    """
    if not alt.strip():
        raise ValueError("show: alt must be a sentence; got an empty one. Say what the figure shows.")
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "mtfl"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"(\.\d{3})\d+", r"\1", svg)
    own = "f" + hashlib.sha256((alt + svg).encode()).hexdigest()[:8]  # a page's figures must not share ids
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", svg)
    width = re.search(r'width="([\d.]+)pt"', svg)
    limit = f"{float(width.group(1)) * 4 / 3:.0f}px" if width else "100%"
    svg = re.sub(
        r' width="[\d.]+pt"',
        f' style="--mtfl-width: {limit}; width: 100%; max-width: {limit}; height: auto"',
        svg,
        count=1,
    )
    svg = re.sub(r' height="[\d.]+pt"', "", svg, count=1)
    for colour, variable in ((_TEXT, "--mtfl-fg"), (_GRID, "--mtfl-grid")):
        svg = svg.replace(colour, f"var({variable}, {colour})")
    return Picture(svg.strip(), alt)


def band(
    ax: Axes, x: Sequence[int | float], samples: np.ndarray, *, label: str, colour: str, marker: str = "o"
) -> None:
    """The median over seeds with the band from the lowest to the highest decile.

    Args:
        ax: where to draw.
        x: (points,) values of the axis.
        samples: (seeds, points).
        label: for the legend.
        colour: of line and band.
        marker: of the medians.
    """
    low, middle, high = np.quantile(samples, [0.1, 0.5, 0.9], axis=0)
    ax.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)
    ax.plot(x, middle, marker=marker, color=colour, label=label)


def plain_log_ticks(ax: Axes, x: Sequence[int | float]) -> None:
    """A logarithmic x axis with plain numbers at exactly these values."""
    ax.set_xscale("log")
    ax.set_xticks(list(x))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())


def heat_map(ax: Axes, matrix: np.ndarray, *, limit: float = 1.0) -> QuadMesh:
    """A matrix as coloured cells, first row on top, blue for -limit, white for 0, red for +limit.

    Returns:
        The mesh, for ``figure.colorbar``.
    """
    mesh = ax.pcolormesh(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, edgecolors="face", linewidth=0.2)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    return mesh


def neurons_in_plane(ax: Axes, V: np.ndarray, *, colour: str = BLUE, limit: float | None = None) -> None:
    """Neurons of r = 2 as points in the feature plane, each joined to the origin.

    Args:
        ax: where to draw.
        V: (m, 2) coordinates v = M^T w.
        colour: of the neurons.
        limit: half width of the view; by default just enough.
    """
    reach = limit or 1.08 * float(np.abs(V).max())
    ends = np.zeros((3 * len(V), 2))
    ends[1::3] = V
    ends[2::3] = np.nan
    ax.plot(ends[:, 0], ends[:, 1], color=colour, linewidth=0.5, alpha=0.35)
    ax.plot(V[:, 0], V[:, 1], "o", color=colour, markersize=3, alpha=0.85, markeredgewidth=0)
    ax.axhline(0, color=_GRID, linewidth=0.8, zorder=0)
    ax.axvline(0, color=_GRID, linewidth=0.8, zorder=0)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="feature 1", ylabel="feature 2")
    ax.set_aspect("equal")
