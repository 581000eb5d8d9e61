"""A drawn figure as SVG, cut into its panels: side by side on a wide page, one below the other on a narrow one.

Each panel, legend and colour bar is an ``<svg>`` of its own. Its style places it where Matplotlib drew it; on a narrow
page the book's style sheet puts the panels into columns of one width, as many as stay legible but no more than were
drawn, and all else into rows of its own. There a panel also shows the labels that a neighbour has for it, which are
drawn here and not displayed.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from itertools import chain

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_OWN = "mtfl-own"  # what a panel shows only where it stands alone
_MARGIN = 1.5  # points around a panel
_LEGIBLE = 9  # CSS pixels: the size of letters below which panels do not share a row


def markup(figure: Figure) -> str:
    """The figure as HTML: one ``<svg>``, or several in a box of the figure's shape; none for a panel that is off.

    It fixes the figure's layout and adds labels to it.
    """
    FigureCanvasSVG(figure)  # text is measured as it will be written
    figure.set_dpi(72)
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    figure.set_layout_engine("none")
    pieces = _pieces(figure)
    for number, piece in enumerate(pieces):
        for artist in piece:
            artist.set_gid(f"piece-{number}")
    # Texts are measured once: each artist would make a renderer of its own.
    renderer = RendererSVG(72 * figure.get_figwidth(), 72 * figure.get_figheight(), io.StringIO(), image_dpi=72)
    drawn = Bbox.union([_box(piece, renderer) for piece in pieces])
    whole = Bbox.from_extents(0, drawn.y0, 72 * figure.get_figwidth(), drawn.y1)  # nothing blank above and below
    height = 72 * figure.get_figheight()
    if len(pieces) == 1:
        style = {"display": "block", "width": "100%", "max-width": _pixels(whole.width), "margin": "0 auto"}
        return _svg(_drawn(figure, 1)[0], whole, height, style)
    alone = [artist for artist, *others in pieces if isinstance(artist, Axes) and not others]
    _label_each([ax for ax in alone if ax.get_subplotspec()])
    boxes = [_box(piece, renderer) for piece in pieces]
    least = [box.width * _LEGIBLE * 72 / 96 / _smallest(piece) for box, piece in zip(boxes, pieces, strict=True)]
    grids = [ax.get_subplotspec() if isinstance(ax, Axes) else None for ax, *_ in pieces]
    places = [_place(*each, whole) for each in zip(boxes, least, grids, strict=True)]
    parts = zip(_drawn(figure, len(pieces)), boxes, places, strict=True)
    panels = "".join(_svg(part, box, height, place) for part, box, place in parts if any(map(len, part)))
    style = {
        "position": "relative",
        "max-width": _pixels(whole.width),
        "margin": "0 auto",
        "aspect-ratio": f"{whole.width:g} / {whole.height:g}",
        "--mtfl-across": str(max(grid.get_gridspec().ncols if grid else 1 for grid in grids)),
        "--mtfl-column": _pixels(max((x for x, grid in zip(least, grids, strict=True) if grid), default=whole.width)),
    }
    return f'<div class="mtfl-panels" style="{_css(style)}">{panels}</div>'


def _pixels(points: float) -> str:
    return f"{points * 96 / 72:.0f}px"


def _css(style: dict[str, str]) -> str:
    return "; ".join(map(": ".join, style.items()))


def _pieces(figure: Figure) -> list[list[Artist]]:
    """What must stay together, in the order of reading: what lies above the panels, the panels, what lies below.

    Panels that stand one below the other already are one piece, so that their axes stay aligned.
    """
    columns = {spec.colspan for ax in figure.axes if (spec := ax.get_subplotspec())}
    panels: dict[object, list[Artist]] = {}
    for ax in figure.axes:
        spec = ax.get_subplotspec()
        panels.setdefault(ax if spec is None else spec if len(columns) > 1 else "column", []).append(ax)
    highest = max(ax.get_window_extent().y1 for ax in figure.axes)
    beside: list[Artist] = [*figure.legends, *figure.texts]
    above = [[artist] for artist in beside if artist.get_window_extent().y0 >= highest]
    below = [[artist] for artist in beside if artist.get_window_extent().y0 < highest]
    return [*above, *panels.values(), *below]


def _label_each(axes: Sequence[Axes]) -> None:
    """Give each panel the tick labels and the names of its axes that it leaves to its neighbours, marked as its own."""
    for name, side, span in (("x", "bottom", "colspan"), ("y", "left", "rowspan")):
        axis = {ax: getattr(ax, f"{name}axis") for ax in axes if ax.axison}
        range_of = {ax: (*one.get_view_interval(), one.get_scale()) for ax, one in axis.items()}
        names = {ax: one.label.get_text() for ax, one in axis.items()}
        for ax, one in axis.items():
            if not one.get_tick_params()[f"label{side}"]:
                one.set_tick_params(which="both", **{f"label{side}": True})
                for label in one.get_ticklabels(which="both"):
                    label.set_gid(_OWN)
            alike = [other for other in axis if range_of[other] == range_of[ax]]
            place = getattr(ax.get_subplotspec(), span)
            near = [other for other in alike if getattr(other.get_subplotspec(), span) == place]
            found = {names[other] for other in near} - {""} or {names[other] for other in alike} - {""}
            if not names[ax] and len(found) == 1:
                one.set_label_text(found.pop(), gid=_OWN)


def _box(piece: Iterable[Artist], renderer: RendererSVG) -> Bbox:
    """What a piece covers, in points from the lower left corner of the figure."""
    boxes = [box for artist in piece if (box := artist.get_tightbbox(renderer)) is not None]
    return Bbox.union(boxes).padded(_MARGIN)


def _drawn(figure: Figure, count: int) -> list[list[ET.Element]]:
    """Draw the figure, and sort what was drawn by piece."""
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "mtfl"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(text.getvalue())
    drawn: list[list[ET.Element]] = [[] for _ in range(count)]
    drawn[0] += [defs for defs in root.findall(f"{{{_SVG}}}defs") if defs.find(f"{{{_SVG}}}style") is None]
    for part in root.findall(f"{{{_SVG}}}g/*"):
        if found := re.fullmatch(r"piece-(\d+)", part.get("id", "")):
            drawn[int(found[1])].append(part)
    for group in chain.from_iterable(part.iter(f"{{{_SVG}}}g") for part in chain.from_iterable(drawn)):
        if group.attrib.pop("id", "") == _OWN:
            group.attrib |= {"class": _OWN, "display": "none"}
    return drawn


def _smallest(piece: Iterable[Artist]) -> float:
    """The size of the smallest letters of a piece, in points."""
    texts = [text for artist in piece for text in artist.findobj(Text) if text.get_visible() and text.get_text()]
    return min((float(text.get_fontsize()) for text in texts), default=_LEGIBLE * 72 / 96)


def _place(box: Bbox, least: float, grid: SubplotSpec | None, whole: Bbox) -> dict[str, str]:
    """Where a piece stands in the figure, its natural width, and the least one at which it can be read."""
    row = {} if grid else {"grid-column": "1 / -1"}
    return row | {
        "position": "absolute",
        "left": f"{100 * box.x0 / whole.width:.3f}%",
        "top": f"{100 * (whole.y1 - box.y1) / whole.height:.3f}%",
        "width": f"{100 * box.width / whole.width:.3f}%",
        "--mtfl-width": _pixels(box.width),
        "--mtfl-least": _pixels(least),
    }


def _svg(parts: Iterable[ET.Element], box: Bbox, height: float, style: dict[str, str]) -> str:
    """The part of the drawing, of this height, that a box covers."""
    view = f"{box.x0:.2f} {height - box.y1:.2f} {box.width:.2f} {box.height:.2f}"
    svg = ET.Element(f"{{{_SVG}}}svg", viewBox=view, style=_css(style))
    svg.extend(parts)
    for element in svg.iter():
        element.text = element.tail = None  # white space
        element[:] = _without_bare_groups(element)
        if "d" in element.attrib:
            element.set("d", " ".join(element.attrib["d"].split()))
    return ET.tostring(svg, encoding="unicode").replace(" />", "/>")


def _without_bare_groups(element: ET.Element) -> list[ET.Element]:
    """The children of an element; in place of a group that says nothing, what is in it."""
    bare = f"{{{_SVG}}}g"
    return list(
        chain.from_iterable(
            _without_bare_groups(child) if child.tag == bare and not child.attrib else [child] for child in element
        )
    )
