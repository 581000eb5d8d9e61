"""Figures: inline SVG with a text alternative, page colours, repeatable output; and what importing mtfl loads."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from numpy.testing import assert_allclose
from oracles import contrast
from sentences import refuses

from mtfl import figures
from mtfl.figures import (
    BLUE,
    COLOURS,
    FATE_COLOURS,
    GLYPH,
    INK,
    Html,
    Picture,
    atlas_map,
    atlas_table,
    band,
    canvas,
    heat_map,
    neurons_in_plane,
    plain_log_ticks,
    show,
    table,
    truth_table,
)
from mtfl.single_task import FATES, atlas
from mtfl.tasks import all_tasks, pattern_signs
from mtfl.transfer import REPRESENTATIONS

SERIES = {name: getattr(figures, name) for name in ("BLUE", "VERMILION", "GREEN", "PURPLE", "GREY")}


@pytest.fixture(autouse=True)
def own_style() -> Any:
    with mpl.rc_context():
        yield


def a_picture(alt: str = "A line that rises.", slope: float = 1.0) -> Picture:
    figure, ax = canvas()
    samples = slope * np.linspace(0, 1, 12).reshape(3, 4)
    band(ax, [1, 10, 100, 1000], samples, label="many tasks", colour=BLUE)
    plain_log_ticks(ax, [1, 10, 100, 1000])
    ax.set(xlabel="tasks", ylabel="energy")
    ax.legend()
    return show(figure, alt=alt)


def parsed(picture: Picture) -> tuple[str, ET.Element]:
    text = picture._repr_html_()
    return text, ET.fromstring(text)


def test_output_is_an_inline_svg_with_a_label() -> None:
    text, figure = parsed(a_picture())
    assert figure.tag == "figure"
    assert figure.attrib["class"] == "mtfl-plot"
    assert figure.attrib["role"] == "img"
    assert figure.attrib["aria-label"] == "A line that rises."
    (svg,) = figure
    assert svg.tag.endswith("svg")
    assert "viewBox" in svg.attrib
    assert "width" not in svg.attrib
    assert "max-width: " in svg.attrib["style"]
    assert "<?xml" not in text
    assert "<metadata" not in text
    assert "<image" not in text
    assert "<script" not in text
    assert len(text) < 60_000


def test_labels_are_escaped() -> None:
    alt = 'Energy > 0.5 & "rising" <b>fast</b>'
    text, figure = parsed(a_picture(alt))
    assert "<b>" not in text
    assert figure.attrib["aria-label"] == alt


def test_text_and_grid_follow_the_page() -> None:
    text = a_picture()._repr_html_()
    assert "var(--mtfl-fg, #1f2328)" in text
    assert "var(--mtfl-grid, #d0d5da)" in text
    assert BLUE in text
    left = re.sub(r"var\([^)]*\)", "", text)
    assert "#1f2328" not in left
    assert "#d0d5da" not in left
    assert "#000000" not in left  # nothing stays black on a dark page
    assert "#ffffff" not in left.replace("fill: #ffffff; opacity: 0", "")


def test_same_figure_same_text() -> None:
    assert a_picture().svg == a_picture().svg
    assert a_picture()._repr_html_() == a_picture()._repr_html_()


def ids(text: str) -> list[str]:
    return re.findall(r'\bid="([^"]*)"', text)


def test_every_reference_has_its_own_id() -> None:
    text = a_picture()._repr_html_()
    found = ids(text)
    assert len(found) == len(set(found))
    used = set(re.findall(r'href="#([^"]*)"', text)) | set(re.findall(r"url\(#([^)]*)\)", text))
    assert used <= set(found)
    assert re.search(r"<clipPath id=", text)


def test_two_figures_on_a_page_have_no_clashing_ids() -> None:
    one, two = a_picture("A line that falls.")._repr_html_(), a_picture("A line that rises.", slope=-2.0)._repr_html_()
    clips = [set(re.findall(r'<clipPath id="([^"]*)"', text)) for text in (one, two)]
    assert clips[0]
    assert not clips[0] & clips[1]
    shared = set(ids(one)) & set(ids(two))
    assert shared == {name for name, _ in GLYPH.findall(one)} & {name for name, _ in GLYPH.findall(two)}
    shapes = dict(GLYPH.findall(one))
    assert all(shapes.get(name, shape) == shape for name, shape in GLYPH.findall(two))  # the same outlines


@pytest.mark.parametrize("name", SERIES)
def test_series_colours_are_seen_on_light_and_dark(name: str) -> None:
    assert contrast(SERIES[name], "#ffffff") >= 3
    assert contrast(SERIES[name], "#121212") >= 3


def test_contrast_by_hand() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_every_representation_has_a_colour_of_its_own() -> None:
    assert tuple(COLOURS) == REPRESENTATIONS
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_canvas_makes_axes() -> None:
    figure, ax = canvas()
    assert isinstance(ax, Axes)
    assert_allclose(figure.get_size_inches(), [7.2, 3.2])
    _, grid = canvas(2, 3, width=4.0, height=2.0, sharex=True)
    assert grid.shape == (2, 3)
    assert plt.get_fignums() == []  # nothing is left open, and nothing is shown twice


def test_band_draws_median_and_deciles() -> None:
    _, ax = canvas()
    samples = np.arange(11.0)[:, None] ** 2 * np.array([1.0, 2.0])  # skewed: median, mean and mid-range all differ
    band(ax, [1, 2], samples, label="x", colour=BLUE)
    assert_allclose(ax.lines[0].get_ydata(), [25, 50])
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 1
    assert corners[:, 1].max() == 162


def test_log_ticks_are_plain_numbers() -> None:
    figure, ax = canvas()
    ax.plot([4, 64, 1024], [0, 1, 2])
    plain_log_ticks(ax, [4, 64, 1024])
    figure.draw_without_rendering()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["4", "64", "1024"]


def test_heat_map_shows_the_matrix_first_row_on_top() -> None:
    figure, ax = canvas()
    matrix = np.array([[1.0, -1], [0, 0.5]])
    mesh = heat_map(ax, matrix, limit=2.0)
    values = np.asarray(mesh.get_array())
    assert_allclose(values.reshape(2, 2), matrix)
    assert mesh.get_clim() == (-2, 2)
    assert ax.yaxis_inverted()
    figure.colorbar(mesh)
    assert "<svg" in show(figure, alt="A matrix as coloured cells.").svg


def test_neurons_are_joined_to_the_origin() -> None:
    _, ax = canvas()
    V = np.array([[1.0, 2], [-3, 0.5]])
    neurons_in_plane(ax, V)
    spokes, points = ax.lines[:2]
    assert_allclose(points.get_xydata(), V)
    assert_allclose(np.asarray(spokes.get_xydata())[[0, 1, 3, 4]], [[0, 0], V[0], [0, 0], V[1]])
    assert ax.get_xlim() == pytest.approx((-3.24, 3.24))
    _, ax = canvas()
    neurons_in_plane(ax, V, limit=5.0)
    assert ax.get_ylim() == (-5, 5)


def test_a_figure_needs_a_description() -> None:
    figure, _ = canvas()
    for alt in ("", "  "):
        with refuses(ValueError, "show: alt must be a sentence; got "):
            show(figure, alt=alt)
    with pytest.raises(TypeError):
        show(figure)  # type: ignore[call-arg]


# Panels


def four_panels(**options: Any) -> tuple[Any, Any]:
    figure, axes = canvas(2, 2, **options)
    for k, ax in enumerate(axes.flat):
        ax.plot([1, 2, 3], [0.2 * k, 0.5, 0.9], label="energy")
    return figure, axes


def panels(figure: Any) -> list[ET.Element]:
    """The pieces of a figure of several."""
    root = ET.fromstring(show(figure, alt="Three lines that rise.")._repr_html_())
    assert root.attrib["aria-label"] == "Three lines that rise."
    assert sum("aria-label" in element.attrib for element in root.iter()) == 1
    ((box,), pieces) = root, list(root[0])
    assert box.attrib["class"] == "mtfl-panels"
    return pieces


def place(piece: ET.Element) -> tuple[np.ndarray, np.ndarray]:
    """What a piece shows of the drawing, and where it stands, both as left, top, width."""
    style = dict(part.split(": ") for part in piece.attrib["style"].split("; "))
    stands = [float(style[name].removesuffix("%")) / 100 for name in ("left", "top", "width")]
    return np.array([float(number) for number in piece.attrib["viewBox"].split()[:3]]), np.array(stands)


def bottom(pieces: list[ET.Element]) -> float:
    """How high what the pieces show is, in points."""
    boxes = [[float(number) for number in piece.attrib["viewBox"].split()] for piece in pieces]
    return max(top + height for _, top, _, height in boxes) - min(top for _, top, _, _ in boxes)


def own_labels(piece: ET.Element) -> list[ET.Element]:
    return [child for child in piece.iter() if child.attrib.get("class") == "mtfl-own"]


def test_panels_stand_side_by_side_as_they_were_drawn() -> None:
    figure, _ = four_panels(width=8.0, height=4.0)
    pieces = panels(figure)
    assert len(pieces) == 4
    first, height = min(place(piece)[0][1] for piece in pieces), bottom(pieces)
    for piece in pieces:
        shown, stands = place(piece)
        assert_allclose((shown - [0, first, 0]) / [576, height, 576], stands, atol=1e-4)  # points; 8 inches wide
    assert [tuple(place(piece)[1][:2] > 0.3) for piece in pieces] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]


def test_nothing_is_blank_above_and_below_a_figure() -> None:
    def shape(figure: Any) -> tuple[float, float]:
        root = ET.fromstring(show(figure, alt="Three lines that rise.")._repr_html_())
        (box,) = root
        pieces = [box] if box.tag.endswith("svg") else list(box)
        drawn = ET.tostring(root, encoding="unicode")
        kept = re.search(r"aspect-ratio: ([\d.]+) / ([\d.]+)", drawn)
        return (float(kept[2]) if kept else float(box.attrib["viewBox"].split()[3])), bottom(pieces)

    flat, axes = four_panels(width=4.0, height=8.0)
    for ax in axes.flat:
        ax.set_box_aspect(0.5)  # leaves more than half of the height empty
    alone, ax = canvas(width=3.0, height=8.0)
    ax.set_box_aspect(0.5)
    for figure in (flat, alone):
        kept, drawn = shape(figure)
        assert kept == pytest.approx(drawn, abs=0.1)
        assert kept < 400  # points, of 576


def test_a_panel_that_is_off_leaves_no_hole() -> None:
    figure, axes = four_panels()
    axes[0, 1].clear()
    axes[0, 1].axis("off")
    assert [tuple(place(piece)[1][:2] > 0.3) for piece in panels(figure)] == [
        (False, False),
        (False, True),
        (True, True),
    ]


def test_every_line_is_drawn_once() -> None:
    figure, _ = four_panels()
    whole = ET.tostring(ET.fromstring(show(figure, alt="Three lines that rise.")._repr_html_()), encoding="unicode")
    assert whole.count(f"stroke: {BLUE}") == 4
    assert all(
        ET.tostring(piece, encoding="unicode").count(f"stroke: {BLUE}") == 1 for piece in panels(four_panels()[0])
    )


def test_a_panel_has_the_labels_that_its_neighbour_has_for_it() -> None:
    figure, axes = four_panels(sharex=True, sharey=True)
    axes[0, 0].set(ylabel="left")
    axes[1, 0].set(ylabel="left too")
    axes[1, 1].set(xlabel="below")
    top_left, top_right, bottom_left, bottom_right = panels(figure)
    assert all(label.attrib["display"] == "none" for label in own_labels(top_right))
    assert [axes[0, 1].get_ylabel(), axes[1, 1].get_ylabel()] == ["left", "left too"]  # of its own row
    assert {ax.get_xlabel() for ax in axes.flat} == {"below"}  # the only name of an axis that all share
    assert len(own_labels(bottom_left)) == 1  # its name below
    assert len(own_labels(top_left)) > 3  # name and numbers below
    assert len(own_labels(top_right)) > len(own_labels(top_left))
    assert len(own_labels(bottom_right)) > 3


def test_axes_that_differ_keep_their_own_labels() -> None:
    figure, axes = four_panels()
    axes[0, 0].set(ylabel="energy", ylim=(0, 1))
    axes[0, 1].set(ylim=(0, 2))
    panels(figure)
    assert axes[0, 1].get_ylabel() == ""


def test_legends_and_colour_bars_are_pieces_and_are_read_in_order() -> None:
    figure, axes = four_panels()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center")
    figure.suptitle("Lines")
    figure.colorbar(heat_map(axes[1, 1], np.eye(2)), ax=axes)
    tops = [place(piece)[1][1] for piece in panels(figure)]
    assert len(tops) == 7
    assert tops[0] == min(tops)  # the title above
    assert tops[-1] == max(tops)  # the legend below


def test_on_a_narrow_page_panels_share_rows_and_all_else_has_its_own() -> None:
    figure, axes = canvas(2, 3)
    for ax in axes.flat:
        ax.plot([0, 1], label="energy")
    axes[0, 0].set_title("small", fontsize=7)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center")
    root = ET.fromstring(show(figure, alt="Six lines that rise.")._repr_html_())
    ((box,), pieces) = root, list(root[0])
    assert ["grid-column: 1 / -1" in piece.attrib["style"] for piece in pieces] == [True] + [False] * 6
    styles = [dict(part.split(": ") for part in piece.attrib["style"].split("; ")) for piece in (box, *pieces[1:])]
    assert styles[0]["--mtfl-across"] == "3"
    assert styles[0]["--mtfl-column"] == max(
        (style["--mtfl-least"] for style in styles[1:]), key=lambda px: int(px[:-2])
    )


def test_a_column_of_panels_stays_whole() -> None:
    figure, axes = canvas(3, 1, sharex=True)
    for ax in axes:
        ax.plot([0, 1])
    root = ET.fromstring(show(figure, alt="Strips of many colours.")._repr_html_())
    assert [child.tag.rpartition("}")[2] for child in root] == ["svg"]


def test_a_panel_says_how_narrow_it_may_be() -> None:
    figure, axes = four_panels()
    axes[0, 0].set_title("small", fontsize=7)
    widths = [dict(part.split(": ") for part in piece.attrib["style"].split("; ")) for piece in panels(figure)]
    natural, least = (
        [float(style[f"--mtfl-{name}"].removesuffix("px")) for style in widths] for name in ("width", "least")
    )
    assert least[0] / natural[0] == pytest.approx(9 / (7 * 96 / 72), rel=0.01)  # letters of 9 px
    assert least[1] / natural[1] == pytest.approx(9 / (10.5 * 96 / 72), rel=0.01)


# The atlas


def elements(shown: Html, tag: str) -> list[ET.Element]:
    return list(ET.fromstring(shown._repr_html_()).iter(tag))


def filled(picture: str) -> list[tuple[int, int]]:
    """Columns and rows of the filled cells, from the bottom left."""
    root = ET.fromstring(picture)
    rows = int(root.attrib["viewBox"].split()[3])
    starts = re.findall(r"M(\d+) (\d+)h1v1h-1z", root[1].attrib["d"])
    return sorted((int(x), rows - 1 - int(y)) for x, y in starts)


def test_truth_table_is_a_karnaugh_map() -> None:
    assert filled(truth_table([1.0, -1.0, -1.0, 1.0])) == [(0, 0), (1, 1)]  # -- and ++ of two features
    for r in (2, 3, 4):
        Z = pattern_signs(r)
        cells = {}
        for k in range(2**r):
            labels = -np.ones(2**r)
            labels[k] = 1
            ((x, y),) = filled(truth_table(labels.tolist()))
            cells[x, y] = Z[k]
        columns, rows = 2 ** ((r + 1) // 2), 2 ** (r // 2)
        assert set(cells) == {(x, y) for x in range(columns) for y in range(rows)}
        for (x, y), z in cells.items():
            for neighbour in (((x + 1) % columns, y), (x, (y + 1) % rows)):
                assert int((cells[neighbour] != z).sum()) == 1
        assert [bool(cells[x, 0][0] > 0) for x in range(columns)] == [False, True, True, False][:columns]


def test_a_truth_table_is_decoration_of_its_size() -> None:
    wide = ET.fromstring(truth_table([1.0] * 8, size=32.0))
    assert (wide.attrib["width"], wide.attrib["height"], wide.attrib["viewBox"]) == ("32", "16", "0 0 4 2")
    assert wide.attrib["aria-hidden"] == "true"


def test_table_has_headers_and_can_be_scrolled() -> None:
    shown = table(["a", "b"], [["x", "1"], ["y", "2"]], label='The "rows" & more', anchors=["first", "second"])
    box = ET.fromstring(shown._repr_html_())
    assert (box.attrib["role"], box.attrib["tabindex"]) == ("region", "0")
    assert box.attrib["aria-label"] == 'The "rows" & more'
    assert [(cell.attrib["scope"], cell.text) for cell in box.iter("th")] == [
        ("col", "a"),
        ("col", "b"),
        ("row", "x"),
        ("row", "y"),
    ]
    assert [row.attrib.get("id") for row in box.iter("tr")] == [None, "first", "second"]
    assert not any("id" in row.attrib for row in elements(table(["a"], [["x"]], label="x"), "tr"))


def test_a_table_prints_powers_of_ten_and_leaves_addresses_alone() -> None:
    shown = table(["a", "b"], [["1", '<a href="#r-1e-05">-2e-05</a>']], label="two numbers")
    assert '<td><a href="#r-1e-05">−2·10⁻⁵</a></td>' in shown._repr_html_()


def test_atlas_tiles_lead_to_the_rows_of_the_tables() -> None:
    atlases = [atlas(r, 1000) for r in (2, 3)]
    tiles = elements(atlas_map(atlases), "a")
    names = [f"class {k}" for k in range(13)] + ["<b> & c"]
    tables = [atlas_table(atlases[0]), atlas_table(atlases[1], names=names)]
    rows = {row.attrib["id"]: row for shown in tables for row in elements(shown, "tr") if "id" in row.attrib}
    assert len(tiles) == len(rows) == 18
    assert all(len(elements(shown, "details")) == 1 and "open" not in shown.html for shown in tables)  # folded
    assert {tile.attrib["href"] for tile in tiles} == {f"#{name}" for name in rows}
    for tile in tiles:
        row = rows[tile.attrib["href"][1:]]
        name, *cells = ["".join(cell.itertext()).strip() for cell in row]
        told = tile.attrib["aria-label"]
        assert told.startswith(f"class {name.split()[0]}, tasks {cells[0]}, share {cells[1]}, ")
        assert told.endswith(f", learned {cells[-2]}, lost {cells[-1]}")
    assert "".join(rows["atlas-3-13"][0].itertext()).strip() == "3-13 <b> & c"
    exception = ["".join(cell.itertext()) for cell in rows["atlas-3-8"]]
    assert exception[1:6] == ["8", "3.12\N{NO-BREAK SPACE}%", "0.5", "0", "7.9 → 0.39"]
    assert exception[6:] == ["0.005 → 1.000", "0.17 → 0.5", "0 → 3", "all: energy is low; with decay no direction"]


def test_atlas_groups_say_in_words_what_their_colour_says() -> None:
    found = atlas(3, 1000)
    groups = [div for div in elements(atlas_map([found]), "div") if div.attrib.get("role") == "group"]
    present = [fate for fate in FATES if fate in found.fates]
    assert len(groups) == len(present)
    for group, fate in zip(groups, present, strict=True):
        assert FATE_COLOURS[fate] in group.attrib["style"]
        count = sum(int(n) for n, own in zip(found.classes.sizes, found.fates, strict=True) if own == fate)
        assert f": {count} tasks (" in group.attrib["aria-label"]
        energies = [float(found.plain.energy[int(a.attrib["href"].split("-")[2])]) for a in group]
        assert energies == sorted(energies, reverse=True)
    assert tuple(FATE_COLOURS) == FATES


def test_a_tile_grows_with_its_class() -> None:
    found = atlas(3, 1000)
    widths = {int(a.attrib["href"].split("-")[2]): int(a[0].attrib["width"]) for a in elements(atlas_map([found]), "a")}
    sizes = found.classes.sizes.tolist()
    assert max(widths.values()) == widths[sizes.index(max(sizes))] == 32
    order = sorted(widths, key=lambda k: sizes[k])
    assert [widths[k] for k in order] == sorted(widths.values())


def test_ink_follows_the_page_in_the_atlas() -> None:
    text = atlas_map([atlas(4, 1000)])._repr_html_()
    assert f"var(--mtfl-fg, {INK})" in text
    assert INK not in text.replace(f"var(--mtfl-fg, {INK})", "")


def test_importing_the_package_loads_no_heavy_ones() -> None:
    code = (
        "import sys, mtfl, mtfl.transfer, mtfl.claims, mtfl.population, mtfl.sweeps\n"
        "heavy = {'matplotlib', 'anywidget', 'ipywidgets', 'traitlets', 'IPython', 'sphinx', 'sklearn'}\n"
        "heavy |= {'dask', 'distributed', 'xarray', 'zarr', 'pandas'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("", "")


def test_a_picture_in_the_atlas_opens_its_task_for_painting() -> None:
    entries = atlas(3, 1000)
    links = re.findall(r'href="#fig-paint\?r=(\d)&amp;task=(\d+)"', atlas_table(entries).html)
    assert [r for r, _ in links] == ["3"] * 14
    numbers = [int(task) for _, task in links]
    assert torch.equal(all_tasks(3)[numbers], entries.classes.representatives)
