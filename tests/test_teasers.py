"""The link to the next page repeats the question of its opening box."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.utils import new_document

from mtfl.sphinx_ext.teasers import question


def opening(*parts: nodes.Node) -> nodes.document:
    """A page whose section has a title and these parts."""
    document = new_document("page")
    document += nodes.section("", nodes.title("", "Title"), *parts)
    return document


def box(*words: nodes.Node) -> nodes.admonition:
    return nodes.admonition("", nodes.title("", "The question"), nodes.paragraph("", "", *words))


def test_the_first_words_in_bold_are_the_question() -> None:
    asked = box(nodes.strong("", "Why many tasks?"), nodes.Text(" Because "), nodes.strong("", "one"))
    assert question(opening(asked, nodes.paragraph("", "Text."))) == "Why many tasks?"


@pytest.mark.parametrize(
    "parts",
    [[], [box(nodes.Text("No question."))], [nodes.paragraph("", "Text."), box(nodes.strong("", "Later?"))]],
    ids=["none", "no bold words", "a box further down"],
)
def test_no_box_no_question(parts: list[nodes.Node]) -> None:
    assert question(opening(*parts)) == ""
