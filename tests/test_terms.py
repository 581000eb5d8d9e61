"""Which words and symbols of a chapter become links to the glossary and the notation, and which rows have a symbol."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.utils import new_document

from mtfl.sphinx_ext.terms import link_symbols, link_words, meaning_of, symbol_of

WORDS = {"head": "g#head", "ridge head": "g#ridge", "task kernel": "g#kernel", "oracle": "g#oracle"}


def page(*parts: nodes.Node) -> nodes.document:
    """A page with these parts."""
    document = new_document("page")
    document += parts
    return document


def paragraph(*texts: str) -> nodes.paragraph:
    """A paragraph whose text comes in pieces, as MyST leaves it."""
    return nodes.paragraph("", "", *map(nodes.Text, texts))


def links_of(document: nodes.document) -> list[tuple[str, str]]:
    """The words of each link of a page, and where it leads."""
    return [(link.astext(), link["refuri"]) for link in document.findall(nodes.reference)]


def test_the_first_use_is_a_link_and_the_longest_term_wins() -> None:
    document = page(paragraph("Ridge heads and heads, a head."), paragraph("No ridge head, no head."))
    assert link_words(document, WORDS) == ["Ridge heads", "heads"]
    assert links_of(document) == [("Ridge heads", "g#ridge"), ("heads", "g#head")]
    assert document.astext() == "Ridge heads and heads, a head.\n\nNo ridge head, no head."
    assert all(link["classes"] == ["mtfl-term"] for link in document.findall(nodes.reference))


def test_a_sentence_may_begin_with_a_term() -> None:
    assert link_words(page(paragraph("One oracle. Heads: Oracles")), WORDS) == ["oracle", "Heads"]


def test_a_term_goes_on_in_the_next_line() -> None:
    document = page(paragraph("the task", "\n", "kernel"))
    assert link_words(document, WORDS) == ["task\nkernel"]


@pytest.mark.parametrize("text", ["header", "ahead", "two-head", "head-step", "headss", "head on", "The Oracle"])
def test_other_words_are_left_alone(text: str) -> None:
    assert link_words(page(paragraph(text)), WORDS) == []


@pytest.mark.parametrize("holder", [nodes.title, nodes.reference, nodes.literal, nodes.caption])
def test_only_running_text_is_searched(holder: type[nodes.TextElement]) -> None:
    inner = nodes.paragraph("", "", holder("", "", nodes.Text("oracle")))
    assert link_words(page(inner), WORDS) == []
    statement = nodes.container("", paragraph("oracle"), classes=["proof"])
    assert link_words(page(statement, nodes.comment("", "oracle")), WORDS) == []
    assert link_words(page(nodes.paragraph("", "", nodes.emphasis("", "", nodes.Text("oracle")))), WORDS) == ["oracle"]


def test_a_formula_that_is_only_a_symbol_is_a_link() -> None:
    formulas = [nodes.math("", tex) for tex in (r"\tau^2", r"\tau", r"\tau", "K")]
    document = page(nodes.paragraph("", "", *formulas))
    assert link_symbols(document, {r"\tau": ("n#tau", "size"), "K_T": ("n#kernel", "kernel")}) == [r"\tau"]
    (link,) = document.findall(nodes.reference)
    assert (link["refuri"], link["reftitle"]) == ("n#tau", "size")
    assert link.children == [formulas[1]]
    assert document.astext() == r"\tau^2\tau\tauK"


@pytest.mark.parametrize(
    ("cell", "symbol"),
    [
        (["K_T"], "K_T"),
        ([r"\tau = \lvert w_\perp \rvert"], r"\tau"),
        ([r"x \in \mathbb R^d"], "x"),
        ([r"\hat f_0"], r"\hat f_0"),
        ([r"\sigma_1 \ge \dots \ge \sigma_r"], r"\sigma_1"),
        ([r"y_{ti}"], "y_{ti}"),
        ([r"\ell(y g)"], ""),
        ([r"\operatorname{relu}(W x + b)"], ""),
        (["n_1, n_2"], ""),
        (["X", "Y"], ""),
        ([], ""),
    ],
)
def test_the_symbol_of_a_row(cell: list[str], symbol: str) -> None:
    row = nodes.row("", nodes.entry("", nodes.paragraph("", "", *(nodes.math("", tex) for tex in cell))))
    assert symbol_of(row) == symbol


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([nodes.Text("task kernel, "), nodes.math("", "K_T(z, z')"), nodes.Text(" of two")], "task kernel"),
        ([nodes.Text("a "), nodes.strong("", "", nodes.Text("head"))], "a head"),
        ([nodes.math("", "x")], "symbol"),
    ],
)
def test_what_a_row_says_in_words(content: list[nodes.Node], words: str) -> None:
    cells = [nodes.entry("", nodes.paragraph("", "", nodes.math("", "K_T")))]
    row = nodes.row("", *cells, nodes.entry("", nodes.paragraph("", "", *content)))
    assert meaning_of(row) == words
