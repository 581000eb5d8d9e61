"""The first time that a chapter uses a word of the glossary, or a symbol of the notation, it is a link to its meaning.

The pages ``glossary`` and ``notation`` explain themselves and each other; the links are made in the numbered chapters,
on the first page and in the laboratory, in running text only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NOTATION = "notation"
"""The page whose tables explain the symbols, one a row."""

LABORATORY = "laboratory"
"""A page that has no number and yet uses the words and symbols of the chapters."""

ORDINARY = {"claim", "feature", "input", "round", "task", "update"}
"""Words of the glossary that are also used in another sense: who means the term writes ``{term}``."""

NO_TEXT = (nodes.reference, nodes.literal, nodes.title, nodes.caption, nodes.table, nodes.raw)
# A letter, with an accent and an index, and what may follow it where a table says what it is.
SYMBOL = re.compile(
    r"((?:\\(?:hat|bar) )?\\?[A-Za-z]+(?:_(?:\\?\w+|\{[^{}]*\}))?)\s*(?:(?:\\in|\\ge|\\le|=)(?![a-z]).*)?"
)


def words_of(terms: list[str]) -> re.Pattern[str]:
    """Any of these words, the longest first, in one or several, across the ends of lines."""
    longest_first = sorted(terms, key=len, reverse=True)
    words = ("(" + r"\s+".join(map(re.escape, term.split())) + ")s?" for term in longest_first)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-]|\s+on\b)", re.IGNORECASE)  # not "conditioning on z"


def is_name(text: str, start: int) -> bool:
    """Whether a word is written large within a sentence, as in the title of a paper."""
    before = text[:start].rstrip()
    return text[start].isupper() and bool(before) and before[-1] not in ".:?!"


def is_running(node: nodes.Node) -> bool:
    """Whether a piece of text stands in a paragraph of a chapter, outside its statements and figures."""
    around: nodes.Element | None = node.parent
    in_paragraph = False
    while around is not None:
        if isinstance(around, NO_TEXT) or {"proof", "cell"} & set(around.get("classes", ())):
            return False
        in_paragraph = in_paragraph or isinstance(around, nodes.paragraph)
        around = around.parent
    return in_paragraph


def link(address: str, *content: nodes.Node, **attributes: str) -> nodes.reference:
    """A link to what a word or a symbol means."""
    return nodes.reference("", "", *content, refuri=address, internal=True, classes=["mtfl-term"], **attributes)


def merge_texts(document: nodes.document) -> None:
    """Make one text of neighbours: MyST parts a paragraph at the ends of lines."""
    for line in document.findall(nodes.TextElement):
        merged: list[nodes.Node] = []
        for child in line.children:
            if isinstance(child, nodes.Text) and merged and isinstance(merged[-1], nodes.Text):
                merged[-1] = nodes.Text(merged[-1] + child)
            else:
                merged.append(child)
        if len(merged) < len(line.children):
            line[:] = merged


def link_words(document: nodes.document, addresses: dict[str, str]) -> list[str]:
    """Make the first use of each term in a page a link; return what was linked, as it stands there.

    Args:
        document: the page.
        addresses: what a term's link leads to, by the term in small letters.
    """
    merge_texts(document)
    left, linked, words = dict(addresses), [], words_of([*addresses])
    for text in [text for text in document.findall(nodes.Text) if is_running(text)]:
        parts: list[nodes.Node] = []
        end = 0
        for found in words.finditer(text):
            term = " ".join(next(filter(None, found.groups())).lower().split())
            if term in left and not is_name(text, found.start()):
                parts += [nodes.Text(text[end : found.start()]), link(left.pop(term), nodes.Text(found[0]))]
                end = found.end()
                linked.append(found[0])
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])
    return linked


def link_symbols(document: nodes.document, meanings: dict[str, tuple[str, str]]) -> list[str]:
    """Make the first formula that is nothing but a symbol a link, for each symbol; return these symbols.

    Args:
        document: the page.
        meanings: what a symbol's link leads to, and what it means in words, by its TeX.
    """
    left, linked = dict(meanings), []
    for formula in [formula for formula in document.findall(nodes.math) if is_running(formula)]:
        symbol = formula.astext().strip()
        if symbol in left:
            address, meaning = left.pop(symbol)
            formula.parent.replace(formula, reference := link(address, reftitle=meaning))
            reference += formula
            linked.append(symbol)
    return linked


def symbol_of(row: nodes.row) -> str:
    """The symbol that a row of a table explains, as TeX; empty where its first cell holds something else."""
    formulas = list(row.children[0].findall(nodes.math)) if row.children else []
    only = len(formulas) == 1 and row.children[0].astext().strip() == formulas[0].astext().strip()
    found = SYMBOL.fullmatch(formulas[0].astext().strip()) if only else None
    return found[1] if found else ""


def meaning_of(row: nodes.row) -> str:
    """What a row says of its symbol, in words, up to the first formula: so is the link called."""
    words = []
    for node in row.children[1].findall(lambda node: isinstance(node, nodes.Text | nodes.math)):
        if isinstance(node, nodes.math):
            break
        if not isinstance(node.parent, nodes.math):
            words.append(node.astext())
    return "".join(words).strip(" ,:;(") or "symbol"


def chapter_of(row: nodes.row) -> str:
    """The chapter whose letters a table holds, by the link in its heading; empty for those of the whole book."""
    section = row.parent
    while not isinstance(section, nodes.section):
        section = section.parent
    link = next(section.children[0].findall(addnodes.pending_xref), None)
    return link["reftarget"] if link else ""


class NameRows(SphinxTransform):
    """Each row of the notation gets an anchor, after its symbol, and its chapter: ``symbol-tau``, ``symbol-xi-03``."""

    default_priority = 880

    def apply(self, **options: Any) -> None:
        """Name the first row of each symbol in the tables of the book, or of a chapter."""
        if self.env.docname != NOTATION:
            return
        for row in self.document.findall(nodes.row):
            name = re.sub(r"[^A-Za-z0-9]+", "-", symbol_of(row)).strip("-")
            row["chapter"] = chapter_of(row)
            anchor = "-".join(filter(None, ["symbol", name, row["chapter"][:2]]))
            if name and anchor not in self.document.ids:
                row["ids"].append(anchor)
                self.document.note_explicit_target(row, row)


class Terms(SphinxPostTransform):
    """Link the numbered chapters, the first page and the laboratory to the glossary and the notation."""

    default_priority = 910  # references are resolved, and formulas stand together with what touches them
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Link the first use of each term and symbol that the page does not link itself."""
        page = self.env.docname
        if page not in (self.config.root_doc, LABORATORY) and not self.env.toc_secnumbers.get(page):
            return
        to = self.app.builder.get_relative_uri
        terms = {
            name.lower(): f"{to(page, document)}#{anchor}"
            for name, _, kind, document, anchor, _ in self.env.get_domain("std").get_objects()
            if kind == "term"
        }
        own = {reference.get("refuri") for reference in self.document.findall(nodes.reference)}
        link_words(self.document, {term: at for term, at in terms.items() if term not in ORDINARY and at not in own})
        if NOTATION in self.env.found_docs:
            meanings = {}
            for row in self.env.get_doctree(NOTATION).findall(nodes.row):
                symbol = symbol_of(row) if row["ids"] and row["chapter"] in ("", page) else ""
                if symbol:
                    meanings[symbol] = f"{to(page, NOTATION)}#{row['ids'][0]}", meaning_of(row)
            link_symbols(self.document, {symbol: what for symbol, what in meanings.items() if what[0] not in own})


def setup(app: Sphinx) -> None:
    """Connect the steps."""
    app.add_transform(NameRows)
    app.add_post_transform(Terms)
