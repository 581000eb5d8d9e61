"""Figures: they take data and axes, draw, and compute nothing.

A chapter makes axes with :func:`canvas`, draws on them, and ends its cell with :func:`show`, which yields an inline
SVG whose text, ticks and grid follow the page's light or dark colours. The series colours are mid-tones that
differ for colour-blind readers and keep a contrast of 3:1 on white and on near-black. All colours that mean something
are named here: formulas and the figures to move take theirs from here too.
"""

from __future__ import annotations

import hashlib
import html
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, is_color_like
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import NullFormatter, ScalarFormatter

from mtfl import _checks, _panels
from mtfl._typeset import typeset
from mtfl.single_task import FATES, Atlas

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

PLUS, MINUS = VERMILION, BLUE
"""The colours of the labels +1 and -1, and of what lies above and below 0, in every figure."""

SYMBOL_COLOURS = {"v": ("#0072b2", "#5cb2ec"), r"\tau": ("#b34e00", "#f09044"), "K_T": ("#00795a", "#1fae7c")}
"""The colours of symbols in formulas, on a light page and on a dark one: the hues in which figures draw what they name,
blue inside the subspace, vermilion outside, green for the tasks' kernel."""

INK, _GRID = "#1f2328", "#d0d5da"
"""The colour of the text, dark on a light page and light on a dark one."""

FATE_COLOURS: dict[str, str] = dict(zip(FATES, (GREEN, INK, BLUE, GREEN, INK, VERMILION, PURPLE, GREY), strict=True))
"""One colour for each fate of a task's features, with decay as without it."""

_MOST_AXES = 100
_LARGEST = 1e100  # Matplotlib squares what it draws

# The outline of a character in Matplotlib's SVG: its name and its shape.
GLYPH = re.compile(r'\s*<path id="([^"]*)" d="([^"]*)" transform="scale\(0\.015625\)"/>')
# Where something stands in an SVG, in points: kept to 0.1 of one, as fine as a screen, and below ten to 0.01.
_PLACE = re.compile(r'\b(?:d|x|y)="[^"]*"|translate\([^)]*\)')

_TAG = re.compile(r"(<[^>]*>)")

_FATE_TITLES: dict[str, str] = {
    "all learned": "All directions learned",
    "several learned": "Several directions learned, but not all",
    "one learned": "One direction learned, the others lost",
    "buried, all with decay": "Energy too low; the matched decay uncovers all directions",
    "buried, several with decay": "Energy too low; the matched decay uncovers several directions, but not all",
    "buried, one with decay": "Energy too low; the matched decay uncovers one direction",
    "faint": "Some directions, but by a faint step",
    "nothing": "Nothing learned, with or without decay",
}
# What Matplotlib's style sheet gives every element, those of the page around the picture too; in its place, inherited.
_STROKES = "stroke-linejoin: round; stroke-linecap: butt"
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
} | dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK)


@dataclass(frozen=True)
class Picture:
    """A drawn figure, shown by Jupyter and by the book as inline SVG with a text alternative."""

    svg: str
    alt: str

    def __post_init__(self) -> None:
        _checks.text("Picture", "svg", self.svg)
        _checks.text("Picture", "alt", self.alt)

    def _repr_html_(self) -> str:
        label = html.escape(self.alt, quote=True)
        return f'<figure class="mtfl-plot" role="img" aria-label="{label}" style="{_STROKES}">{self.svg}</figure>'


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 3.2, **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes, sizes in inches; options go to ``Figure.subplots``.

    It sets Matplotlib's rcParams to the book's style, for what is drawn on the axes later too.

    Returns:
        The figure, and one Axes, or an array of them when there is more than one.
    """
    for name, count in (("rows", rows), ("columns", columns)):
        _checks.integer("canvas", name, count, least=1, most=_MOST_AXES)
    few, remedy = rows * columns <= _MOST_AXES, "Choose fewer of them."
    _checks.require(few, "canvas", "rows x columns", f"at most {_MOST_AXES}", f"{rows} x {columns}", remedy)
    for name, inches in (("width", width), ("height", height)):
        _checks.between("canvas", name, inches, 0.5, 100.0)
    plt.style.use(_STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    with _drawn("canvas", "options", "those of Figure.subplots"):
        return figure, figure.subplots(rows, columns, **options)


def show(figure: Figure, *, alt: str) -> Picture:
    """The finished figure; the last line of a cell. On a narrow page its panels stand one below the other.

    It fixes the figure's layout, and names the axes of each panel as a neighbour's are named that shares them.

    Args:
        figure: from :func:`canvas`.
        alt: what the figure shows, for readers who do not see it; required.

    Raises:
        TypeError: if the figure is none, or alt no string.
        ValueError: if alt is no sentence: fewer than four words.
    """
    _checks.instance("show", "figure", figure, Figure)
    _checks.text("show", "alt", alt)
    remedy = "Say what the figure shows."
    _checks.require(len(alt.split()) >= 4, "show", "alt", "a sentence", _checks.shown(alt), remedy)
    _checks.require(bool(figure.axes), "show", "figure", "one with axes", "none", "Make it with canvas.")
    with _drawn("show", "figure", "one that Matplotlib can draw"):
        svg = _panels.markup(figure)
    svg = _PLACE.sub(lambda found: re.sub(r"((?<=\d\d)\.\d|\.\d\d)\d+", r"\1", found[0]), svg)  # three digits
    own = "f" + hashlib.sha256((alt + svg).encode()).hexdigest()[:8]  # a page's figures must not share ids ...
    glyphs = "|".join(re.escape(name) for name, _ in GLYPH.findall(svg))  # ... but of glyphs, which are all alike
    svg = re.sub(rf'(\bid="|href="#|url\(#)(?!(?:{glyphs})")', rf"\g<1>{own}-", svg)
    for colour, variable in ((INK, "--mtfl-fg"), (_GRID, "--mtfl-grid")):
        svg = svg.replace(colour, f"var({variable}, {colour})")
    return Picture(svg, alt)


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
    samples = _numbers("band", "samples", samples, (None, None))
    quantile_band(ax, x, np.quantile(samples, [0.1, 0.5, 0.9], axis=0), label=label, colour=colour, marker=marker)


def quantile_band(
    ax: Axes, x: Sequence[int | float], quantiles: np.ndarray, *, label: str, colour: str, marker: str = "o"
) -> None:
    """A median with the band between two other quantiles.

    Args:
        ax: where to draw.
        x: (points,) values of the axis.
        quantiles: (3, points), the lower one, the median and the upper one.
        label: for the legend.
        colour: of line and band.
        marker: of the medians.
    """
    where = "quantile_band"
    _checks.instance(where, "ax", ax, Axes)
    x = _numbers(where, "x", x, (None,)).tolist()
    low, middle, high = _numbers(where, "quantiles", quantiles, (3, len(x)))
    _checks.text(where, "label", label)
    _look(where, colour, marker)
    ax.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)
    ax.plot(x, middle, marker=marker, color=colour, label=label)


def plain_log_ticks(ax: Axes, x: Sequence[int | float]) -> None:
    """A logarithmic x axis with plain numbers at exactly these values."""
    _checks.instance("plain_log_ticks", "ax", ax, Axes)
    places = _numbers("plain_log_ticks", "x", x, (None,))
    least, remedy = float(places.min()), "Only positive numbers have a logarithm."
    _checks.require(least > 0, "plain_log_ticks", "x", "positive", least, remedy)
    ax.set_xscale("log")
    ax.set_xticks(places.tolist())
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())


def heat_map(ax: Axes, matrix: np.ndarray, *, limit: float = 1.0) -> QuadMesh:
    """A matrix as coloured cells, first row on top, :data:`MINUS` for -limit, white for 0, :data:`PLUS` for +limit.

    Returns:
        The mesh, for ``figure.colorbar``.
    """
    _checks.instance("heat_map", "ax", ax, Axes)
    matrix = _numbers("heat_map", "matrix", matrix, (None, None))
    _checks.number("heat_map", "limit", limit)
    shades = LinearSegmentedColormap.from_list("labels", [MINUS, "white", PLUS])
    mesh = ax.pcolormesh(matrix, cmap=shades, vmin=-limit, vmax=limit, edgecolors="face", linewidth=0.2)
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
    _checks.instance("neurons_in_plane", "ax", ax, Axes)
    V = _numbers("neurons_in_plane", "V", V, (None, 2))
    _look("neurons_in_plane", colour)
    if limit is not None:
        _checks.number("neurons_in_plane", "limit", limit)
    reach = limit or 1.08 * float(np.abs(V).max()) or 1.0
    ends = np.zeros((3 * len(V), 2))
    ends[1::3] = V
    ends[2::3] = np.nan
    ax.plot(ends[:, 0], ends[:, 1], color=colour, linewidth=0.5, alpha=0.35)
    ax.plot(V[:, 0], V[:, 1], "o", color=colour, markersize=3, alpha=0.85, markeredgewidth=0)
    ax.axhline(0, color=_GRID, linewidth=0.8, zorder=0)
    ax.axvline(0, color=_GRID, linewidth=0.8, zorder=0)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="feature 1", ylabel="feature 2")
    ax.set_aspect("equal")


@dataclass(frozen=True)
class Html:
    """Markup of the book, shown as it is."""

    html: str

    def __post_init__(self) -> None:
        _checks.text("Html", "html", self.html)

    def _repr_html_(self) -> str:
        return self.html


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, label: str, anchors: Sequence[str] = ()) -> Html:
    """A table in a box that scrolls where it is large; the first cell of a row names it.

    Args:
        head: names of the columns, as HTML.
        rows: cells, as HTML, or integers.
        label: what the table holds, for readers who do not see it.
        anchors: an id for each row, or none.

    Raises:
        TypeError, ValueError: if a cell is neither, or a row or the anchors have another length than they must.
    """
    where = "table"
    _checks.text(where, "label", label)
    _texts(where, "head", head)
    _checks.sequence(where, "rows", rows)
    for row in rows:
        _texts(where, "a row", row, len(head))
    _texts(where, "anchors", anchors, 0, len(rows))
    ids = [f' id="{anchor}"' for anchor in anchors] or [""] * len(rows)
    body = "".join(
        f'<tr{own}><th scope="row">{cells[0]}</th>{"".join(f"<td>{cell}</td>" for cell in cells[1:])}</tr>'
        for own, cells in zip(ids, rows, strict=True)
    )
    body = "".join(part if part.startswith("<") else typeset(part) for part in _TAG.split(body))
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    opening = f'<div class="mtfl-table mtfl-rows" tabindex="0" role="region" aria-label="{html.escape(label)}">'
    return Html(f"{opening}<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>")


def truth_table(labels: Sequence[float], *, size: float = 28.0) -> str:
    """A task of up to four features as an inline picture: a cell for each pattern, filled where the label is +1.

    It is a Karnaugh map: neighbours, also across the edges, differ in one feature. From left to right, z_1 is -, + for
    two features and (z_1, z_2) is --, +-, ++, -+ for more; the remaining features go up in the same way.

    Raises:
        TypeError: if the labels are no numbers.
        ValueError: if they are not 2, 4, 8 or 16 labels of -1 and +1.
    """
    labels = _checks.finite_array("truth_table", "labels", labels, (None,)).tolist()
    remedy = "Pass one row of a task table, of up to four features."
    ok = len(labels) in (2, 4, 8, 16) and all(abs(label) == 1 for label in labels)
    _checks.require(ok, "truth_table", "labels", "2, 4, 8 or 16 of -1 and +1", _checks.shown(labels), remedy)
    _checks.number("truth_table", "size", size)
    across = len(labels).bit_length() // 2
    columns, rows = 2**across, len(labels) >> across
    places = ((k % columns, k // columns) for k, label in enumerate(labels) if label > 0)
    cells = "".join(f"M{x ^ x >> 1} {rows - 1 - (y ^ y >> 1)}h1v1h-1z" for x, y in places)
    sizes = f'width="{size:.0f}" height="{size * rows / columns:.0f}" viewBox="0 0 {columns} {rows}"'
    return (
        f'<svg class="mtfl-glyph" {sizes} aria-hidden="true" fill="currentColor">'
        f'<path d="M0 0h{columns}v{rows}h-{columns}z" opacity=".18"/>'
        f'<path d="{cells}" stroke="var(--mtfl-bg, white)" stroke-width=".12"/></svg>'
    )


def atlas_map(atlases: Sequence[Atlas]) -> Html:
    """Every class of tasks as a tile, grouped and coloured by what becomes of its features.

    A tile is a link to the class's row in :func:`atlas_table`; the larger its picture, the more tasks are in the class.
    """
    _checks.sequence("atlas_map", "atlases", atlases)
    parts = []
    for atlas in atlases:
        _checks.instance("atlas_map", "an atlas", atlas, Atlas)
        sizes, fates, rows = atlas.classes.sizes.tolist(), atlas.fates, _atlas_rows(atlas)
        pictures = atlas.classes.representatives.tolist()
        total = sum(sizes)
        parts.append(f'<p class="mtfl-atlas-head">{atlas.r} features: {total:,} tasks in {len(sizes)} classes</p>')
        for fate in (fate for fate in FATES if fate in fates):
            members = [k for k in atlas.plain.energy.argsort(descending=True).tolist() if fates[k] == fate]
            count = sum(sizes[k] for k in members)
            title = f"{_FATE_TITLES[fate]}: {count:,} tasks ({_percent(count / total)}), classes: {len(members)}"
            colour = FATE_COLOURS[fate].replace(INK, f"var(--mtfl-fg, {INK})")
            parts.append(f'<p class="mtfl-atlas-title" style="border-color: {colour}">{title}</p>')
            parts.append(f'<div class="mtfl-atlas-tiles" role="group" aria-label="{title}" style="color: {colour}">')
            for k in members:
                told = html.escape(typeset(", ".join(map(" ".join, zip(_ATLAS_HEAD, rows[k], strict=True)))))
                picture = truth_table(pictures[k], size=18 + 14 * math.log(sizes[k], max(sizes)))
                parts.append(f'<a href="#atlas-{atlas.r}-{k}" aria-label="{told}">{picture}</a>')
            parts.append("</div>")
    return Html(f'<div class="mtfl-figure mtfl-atlas">{"".join(parts)}</div>')


def atlas_table(atlas: Atlas, *, names: Sequence[str] = ()) -> Html:
    """Every class of tasks as a row; row k has the id ``atlas-r-k``, so that any page can link to it.

    The rows are folded away: one looks them up, from a tile of :func:`atlas_map` or by a link, and does not read them.
    The picture of a class opens it in the page's ``PaintedTask``, which must be called fig-paint.

    Args:
        atlas: of :func:`mtfl.single_task.atlas`.
        names: of the classes, shown in their rows.
    """
    _checks.instance("atlas_table", "atlas", atlas, Atlas)
    rows = _atlas_rows(atlas)
    _texts("atlas_table", "names", names, 0, len(rows))
    anchors = [f"atlas-{row[0]}" for row in rows]
    for k, row in enumerate(rows):
        labels = atlas.classes.representatives[k].tolist()
        number = sum(2**z for z, label in enumerate(labels) if label > 0)
        paint = f'<a href="#fig-paint?r={atlas.r}&amp;task={number}" aria-label="paint it">{truth_table(labels)}</a>'
        row[1:] = [cell.replace(" → ", " →<wbr/> ") for cell in row[1:]]
        name = f" <br/>{html.escape(str(names[k]))}" if names else ""
        row[0] = f'{paint} <a href="#{anchors[k]}">{row[0]}</a>{name}'
    label = f"The {len(rows)} classes of tasks of {atlas.r} features"
    shown = table(_ATLAS_HEAD, rows, label=label, anchors=anchors)
    return Html(f'<details class="mtfl-lookup"><summary>{label}, a row for each</summary>{shown.html}</details>')


_ATLAS_HEAD = ("class", "tasks", "share", "|f̂₀|", "|f̂₁|", "size", "energy", "σᵣ/σ₁", "learned", "lost")


def _atlas_rows(atlas: Atlas) -> list[list[str]]:
    """What the atlas says of each class; where the matched decay changes a number, the new one follows an arrow."""
    sizes = atlas.classes.sizes.tolist()
    columns = [
        [f"{atlas.r}-{k}" for k in range(len(sizes))],
        [f"{size:,}" for size in sizes],
        [_percent(size / sum(sizes)) for size in sizes],
        [f"{mean:.3g}" for mean in atlas.mean.tolist()],
        [f"{linear:.3g}" for linear in atlas.linear.tolist()],
    ]
    for name, form in (("relative_size", ".2g"), ("energy", ".3f"), ("conditioning", ".2g"), ("directions", "d")):
        both = ([format(x, form) for x in getattr(steps, name).tolist()] for steps in (atlas.plain, atlas.decayed))
        columns.append([a if a == b else f"{a} → {b}" for a, b in zip(*both, strict=True)])
    return [list(row) for row in zip(*columns, atlas.losses, strict=True)]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _numbers(where: str, name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """An array of numbers in this shape that Matplotlib can draw."""
    found = _checks.finite_array(where, name, value, shape)
    rule, remedy = f"of numbers up to {_LARGEST:g}", "Scale them down."
    _checks.require(float(np.abs(found).max()) <= _LARGEST, where, name, rule, _checks.shown(value), remedy)
    return found


def _look(where: str, colour: Any, marker: Any = "o") -> None:
    """Matplotlib knows the colour and the marker."""
    ok, remedy = isinstance(colour, (str, tuple)) and is_color_like(colour), "Choose one of mtfl.figures."
    _checks.require(ok, where, "colour", "a colour of Matplotlib", _checks.shown(colour), remedy)
    _checks.text(where, "marker", marker)
    with _drawn(where, "marker", "one of Matplotlib"):
        MarkerStyle(marker)


def _texts(where: str, name: str, value: Any, *sizes: int) -> None:
    """A list of texts or integers, of one of these sizes if some are given."""
    _checks.instance(where, name, value, list, tuple)
    rule, remedy = f"of {' or '.join(map(str, sizes))} texts", "Give each column and each row its own."
    _checks.require(not sizes or len(value) in sizes, where, name, rule, len(value), remedy)
    for text in value:
        _checks.text(where, f"each of {name}", str(text) if isinstance(text, int) else text)


@contextmanager
def _drawn(where: str, name: str, rule: str) -> Iterator[None]:
    """What Matplotlib refuses in the block, it refuses in one sentence."""
    try:
        yield
    except Exception as error:
        got = f"an error: {' '.join(str(error).split())[:200].rstrip('.')}"
        raise ValueError(f"{where}: {name} must be {rule}; got {got}. Look it up in Matplotlib's manual.") from error
