"""Controls, their values and curves have their own names, and not each other's."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from test_prose import alt_of

from mtfl.explorables.explorable import FOLDER

BOOK = Path(__file__).parents[1] / "book"
MODULES = {path.stem: path.read_text("utf8") for path in sorted(FOLDER.glob("*.js"))}
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
CONTROL = re.compile(r"\b(?:slider|choice|menu)\(view, \"(\w+)\", \{\s*label: \"([^\"]+)\"")
VALUES = re.compile(r"\b(?:values: |LAWS = |LAW_NAMES = )\{([^{}]*)\}")
VALUE = re.compile(r"\"?([\w-]+)\"?: \"([^\"]+)\"")


def says(word: str, label: str) -> bool:
    """Whether a label has a key's word, or one that begins like it."""
    parts = re.findall(r"[a-z0-9.]+", label.lower())
    return any(word.lower() == part or (len(word) > 3 and part.startswith(word.lower()[:5])) for part in parts)


def swapped(named: list[tuple[str, str]]) -> list[str]:
    """Of pairs of a key and its label, those whose labels name each other, or that have one label for both."""
    pairs = itertools.permutations(named, 2)
    wrong = ((key, label) for (key, label), (other, its) in pairs
             if says(other, label) and not says(key, label) and (says(key, its) or label == its))  # fmt: skip
    return sorted(f"{key}: {label}" for key, label in set(wrong))


@pytest.mark.parametrize("name", MODULES)
def test_a_control_and_its_values_have_their_own_names(name: str) -> None:
    assert swapped(CONTROL.findall(MODULES[name])) == []
    for values in VALUES.findall(MODULES[name]):
        assert swapped(VALUE.findall(values)) == []


AXIS = re.compile(r"\bx: \{[^{}]*\blabel: [\"`]([^\"`]+)")


def strange_axes(source: str) -> list[str]:
    """The horizontal axes of a module's charts that speak of nothing that one of its controls sets."""
    set_here = set().union(*(stems(label) for _, label in CONTROL.findall(source)))
    return [label for label in AXIS.findall(source) if not stems(label) & set_here]


@pytest.mark.parametrize("name", MODULES)
def test_a_chart_is_over_what_a_control_sets(name: str) -> None:
    assert strange_axes(MODULES[name]) == []


def test_a_strange_axis_is_found() -> None:
    assert strange_axes(MODULES["kernel"].replace('label: "tasks T", log', 'label: "dimension d", log')) == [
        "dimension d"
    ]


def curves(code: str) -> Iterator[tuple[str, str]]:
    """What a call draws, by the words that pick it from a table, and the name that the call gives it."""
    for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
        labels = [k.value.value for k in call.keywords if k.arg == "label" and isinstance(k.value, ast.Constant)]
        picks = [node.slice for part in call.args for node in ast.walk(part) if isinstance(node, ast.Subscript)]
        words = [pick.value for pick in picks if isinstance(pick, ast.Constant) and isinstance(pick.value, str)]
        if labels and words:
            yield words[0], str(labels[0])


OPPOSITES = ({"uniform", "balanced"}, {"energy", "conditioning", "accuracy"}, {"inside", "outside"})


def opposite(key: str, label: str) -> bool:
    """Whether a curve is named by what its table calls something else."""
    return any(
        key in words and not says(key, label) and any(says(word, label) for word in words) for words in OPPOSITES
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_curve_has_its_own_name(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            named = [*curves(cell.source)]
            assert swapped(named) == []
            assert [pair for pair in named if opposite(*pair)] == []


AGAINST = re.compile(r"[Aa]gainst (?:the )?([^.;:,]{3,60})")
NO_AXIS = {
    "fig-loss-order", "fig-single-verdict", "fig-many-collapse", "fig-near-budget", "fig-fit-width", "fig-fit-scale",
    "fig-training-error-rate",
}  # fmt: skip
"""Figures whose caption says against what, in other words than an axis, or uses the word for something else."""


def stems(text: str) -> set[str]:
    return {word[:4].lower() for word in re.findall(r"[A-Za-z]+", text)}


def without_axis(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    """The figures that are drawn against what none of their horizontal axes says."""
    for cell in cells:
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure and cell.cell_type == "code" and "xlabel" in cell.source:
            axes = set().union(*map(stems, re.findall(r"xlabel\(?=?\s*r?f?r?\"([^\"]*)\"", cell.source)))
            told = AGAINST.findall(f"{figure['caption']} {alt_of(cell.source)}")
            if any(not axes & stems(what) for what in told):
                yield figure["name"]


def test_the_horizontal_axis_is_what_the_caption_says() -> None:
    pages = [nbformat.read(path, as_version=4).cells for path in NOTEBOOKS]
    assert {name for cells in pages for name in without_axis(cells)} == NO_AXIS
    for cells in pages:
        for cell in cells:
            cell.source = cell.source.replace('xlabel="tasks T"', 'xlabel="dimension d"')
    assert len({name for cells in pages for name in without_axis(cells)}) > len(NO_AXIS) + 4


IN_UNITS = re.compile(r"\"([^\"]*\b(?:milliseconds|seconds|minutes|per cent|degrees|thousands?|MB|GB)\b[^\"]*)\"")


def test_axes_keep_their_units() -> None:
    """Who changes one looks at what is drawn."""
    cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells]
    drawn = [
        line
        for cell in cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
        if re.search(r"label[=(]", line)
    ]
    assert {unit for line in drawn for unit in IN_UNITS.findall(line)} == {
        "milliseconds a round",
        "test accuracy, per cent",
    }


def test_swapped_names_are_found() -> None:
    assert swapped([("tasks", "Features r"), ("r", "Tasks T")]) == ["r: Tasks T", "tasks: Features r"]
    assert swapped([("tasks", "Dimension d"), ("d", "Dimension d")]) == ["tasks: Dimension d"]
    assert swapped(VALUE.findall('uniform: "balanced", balanced: "uniform"'))
    code = 'band(ax, n, a["uniform"], label="balanced tasks")\nband(ax, n, a["balanced"], label="uniform tasks")'
    assert swapped([*curves(code)]) == ["balanced: uniform tasks", "uniform: balanced tasks"]
    assert opposite("uniform", "balanced tasks") and not opposite("uniform", "uniform, not balanced")
