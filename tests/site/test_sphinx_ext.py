"""The pure parts of the site's build steps; the rest is what the tests of the pages look at."""

from __future__ import annotations

import pytest

from mtfl import sphinx_ext


def widget(*children: str, **state: object) -> dict[str, object]:
    return {"state": {"children": [f"IPY_MODEL_{child}" for child in children], **state}}


def output(**data: str) -> dict[str, object]:
    return {"data": {key.replace("_", "/"): value for key, value in data.items()}}


def test_first_picture_walks_the_widget_in_page_order() -> None:
    state = {
        "box": widget("slider", "inner", "late"),
        "slider": widget(),
        "inner": widget("out"),
        "out": widget(outputs=[{"text": "printed"}, output(text_plain="no"), output(image_png="first")]),
        "late": widget(outputs=[output(text_html="second")]),
    }
    assert sphinx_ext.first_picture(state, "box") == ("image/png", "first")


def test_first_picture_prefers_html_to_pixels() -> None:
    state = {"out": widget(outputs=[output(image_png="pixels", text_html="drawing")])}
    assert sphinx_ext.first_picture(state, "out") == ("text/html", "drawing")


def test_first_picture_may_be_missing() -> None:
    assert sphinx_ext.first_picture({"box": widget("gone")}, "box") is None


def test_mend_makes_lines_of_a_long_signature() -> None:
    dd = '<dd><em class="sig-param">n</em>,</dd>\n'
    line = '<span class="mtfl-parameter"><em class="sig-param">n</em>,</span>\n'
    assert sphinx_ext.mend(f"f(\n<dl>\n{dd}{dd}</dl>\n)") == f"f(\n{line}{line})"


def test_mend_changes_only_what_is_wrong() -> None:
    assert sphinx_ext.mend('<summary aria-label="Toggle hidden content">x</summary>') == "<summary>x</summary>"
    assert sphinx_ext.mend("<p>x</p>") == "<p>x</p>"


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("so that |w| is 1", r"so that \|w\| is 1"),
        ("the mean ``|w|`` of |w|", r"the mean ``|w|`` of \|w\|"),
        ("a `role |x|` stays", "a `role |x|` stays"),
        (">>> 1 | 2", ">>> 1 | 2"),
    ],
)
def test_bars_are_escaped_outside_literals(line: str, escaped: str) -> None:
    assert sphinx_ext.escape_bars(line) == escaped
