"""Colours that mean something: one source, read on light and dark, and told apart by readers who see fewer of them."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from oracles import contrast

from mtfl import explorables, figures
from mtfl.figures import BLUE, COLOURS, GREEN, MINUS, PLUS, SYMBOL_COLOURS, VERMILION
from mtfl.sphinx_ext import colours

# How the colour-blind see: on linear sRGB, severity 1.0; Machado, Oliveira, Fernandes, "A physiologically-based model
# for simulation of color vision deficiency", IEEE Transactions on Visualization and Computer Graphics 15(6), 2009.
SIGHT = {
    "all colours": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# Linear sRGB to XYZ, and the white of it (IEC 61966-2-1).
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
GROUNDS = {"light": ("#ffffff", "#f3f4f5"), "dark": ("#121212", "#14181e")}  # of pages, cards and statements
TEXT = {"light": "#1f2328", "dark": "#d6dbe1"}
APART = 25  # in CIE 1976 units, of which two or three can just be seen side by side


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    """A colour #rrggbb as somebody sees it, in CIELAB."""
    coded = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    share = XYZ @ np.clip(sight @ linear, 0, 1) / XYZ.sum(1)
    x, y, z = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one: str, other: str, sight: str) -> float:
    """How far apart somebody sees two colours, CIE 1976."""
    return float(np.linalg.norm(lab(one, SIGHT[sight]) - lab(other, SIGHT[sight])))


@pytest.mark.parametrize(("one", "other", "units"), [("#ffffff", "#000000", 100), ("#ff0000", "#00ff00", 170.6)])
def test_distances_by_hand(one: str, other: str, units: float) -> None:
    assert distance(one, other, "all colours") == pytest.approx(units, abs=0.1)


@pytest.mark.parametrize("sight", ["protanopia", "deuteranopia"])
def test_red_and_green_come_close(sight: str) -> None:
    assert distance("#b06040", "#608040", "all colours") > APART > 1.3 * distance("#b06040", "#608040", sight)


@pytest.mark.parametrize("sight", SIGHT)
def test_labels_are_told_apart(sight: str) -> None:
    assert distance(PLUS, MINUS, sight) > 2 * APART


@pytest.mark.parametrize("mode", GROUNDS)
@pytest.mark.parametrize("sight", SIGHT)
def test_symbols_are_told_apart_from_each_other_and_from_text(mode: str, sight: str) -> None:
    shown = [pair[mode == "dark"] for pair in SYMBOL_COLOURS.values()]
    close = {pair: distance(*pair, sight) for pair in combinations([*shown, TEXT[mode]], 2)}
    assert {pair: units for pair, units in close.items() if units < APART} == {}


@pytest.mark.parametrize("mode", GROUNDS)
def test_symbols_are_read(mode: str) -> None:
    low = [
        (symbol, ground)
        for symbol, pair in SYMBOL_COLOURS.items()
        for ground in GROUNDS[mode]
        if contrast(pair[mode == "dark"], ground) < 4.5
    ]
    assert low == []


def hue(colour: str) -> float:
    """The angle of a colour in CIELAB, in degrees."""
    _, a, b = lab(colour, SIGHT["all colours"])
    return float(np.degrees(np.arctan2(b, a)))


def test_symbols_have_the_hues_of_the_curves() -> None:
    for pair, curve in zip(SYMBOL_COLOURS.values(), (BLUE, VERMILION, GREEN), strict=True):
        assert all(abs(hue(colour) - hue(curve)) < 20 for colour in pair)


def test_every_symbol_has_its_rules() -> None:
    assert list(colours.SELECTORS) == list(SYMBOL_COLOURS)
    for light, dark in SYMBOL_COLOURS.values():
        assert f" {{ color: {light}; }}" in colours.style()
        assert re.search(rf"^html\[data-theme=dark\] .* {{ color: {dark}; }}$", colours.style(), flags=re.MULTILINE)


def test_figures_to_move_have_the_same_colours() -> None:
    css = Path(explorables.__file__).with_name("explorables.css").read_text("utf8")
    inks = dict(re.findall(r"^\.mtfl-(\w+) { --x-ink: (#\w+); }", css, flags=re.MULTILINE))
    named = {name: getattr(figures, name.upper()) for name in inks}
    assert inks == named
    assert {"plus", "minus"} < {*inks}
    assert set(re.findall(r"#[0-9a-f]{6}", css.partition("/* Two columns")[2])) <= {*named.values(), "#ffffff"}


def test_a_representation_has_one_colour_where_it_is_drawn_and_where_it_moves() -> None:
    source = Path(explorables.__file__).with_name("transfer.js").read_text("utf8")
    (named,) = re.findall(r"^const NAMES = (\{.*\});", source, flags=re.MULTILINE)
    pairs = re.findall(r'"?([\w ]+)"?: "(\w+)"', named)
    moving = {name.strip(): getattr(figures, colour.upper()) for name, colour in pairs}
    assert len(moving) == 4
    assert moving.items() <= COLOURS.items()
