"""Statements of the book, which sphinx-proof makes, and the ledger, which shows each in the chapter's own words.

Where the ledger names a statement, its number, its title and a copy of it are put, and beside the number of a chapter
its title.
``static/ledger.js`` filters it.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PLACE = re.compile(r"<!-- statement (\S+) (\S+) -->")
TITLE = re.compile(r"<!-- title (\S+) -->")


def is_statement(node: nodes.Node) -> bool:
    """Whether a node is a statement: a theorem, a definition or another environment that can be referred to."""
    return isinstance(node, nodes.Element) and "proof" in node["classes"] and bool(node.get("label"))


def statement_of(doctree: nodes.document, label: str, page: str, numbers: dict[str, Any]) -> nodes.compound:
    """A copy of a statement, with its number: nothing in it is numbered anew or linked to a second time.

    Args:
        doctree: of the chapter, its references not yet resolved.
        label: of the ``prf:`` environment.
        page: the document that shows the copy.
        numbers: of the chapter's statements, as ``toc_fignumbers`` has them.

    Returns:
        The copy, of class ``main`` if the statement is a main result. Its first paragraph, of class ``mtfl-named``, has
        kind, number and title.

    Raises:
        ExtensionError: if the chapter has no such statement.
    """
    found = [node for node in doctree.findall(is_statement) if node["label"] == label]  # type: ignore[index]
    if not found:
        raise ExtensionError(f"statement_of: label must be that of a statement of the chapter; got {label!r}.")
    copy = found[0].deepcopy()
    assert isinstance(copy, nodes.Element)
    number = ".".join(map(str, numbers[copy["countertype"]][copy["ids"][0]]))
    for target in list(copy.findall(nodes.target)):
        target.parent.remove(target)
    for node in copy.findall(nodes.Element):
        node["ids"] = []
        if isinstance(node, nodes.math_block):
            node["label"] = node["number"] = None
        if isinstance(node, addnodes.pending_xref):
            node["refdoc"] = page
    title, content = copy.children
    assert isinstance(title, nodes.title) and isinstance(content, nodes.section)
    name = nodes.strong("", f"{copy['realtype'].title()} {number}")
    named = nodes.paragraph("", "", name, nodes.Text(" "), *title.children, classes=["mtfl-named"])
    return nodes.compound("", named, *content.children, classes=[name for name in copy["classes"] if name == "main"])


class Statements(SphinxPostTransform):
    """Put the statements in their places; their formulas and references are resolved with those of the page."""

    default_priority = 6  # an output has its form by now, references are still pending
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Split the markup at each place, and put the copy between the parts."""
        page, chapter_of = self.env.docname, cache(self.env.get_doctree)

        def raw_html(text: str) -> nodes.raw:
            titled = TITLE.sub(lambda found: f": {html.escape(self.env.titles[found[1]].astext())}", text)
            return nodes.raw("", titled, format="html")

        for raw in list(self.document.findall(nodes.raw)):
            before, *others = PLACE.split(raw.astext())
            if others:
                parts: list[nodes.Node] = [raw_html(before)]
                for chapter, label, after in zip(*(others[i::3] for i in range(3)), strict=True):
                    numbers = self.env.toc_fignumbers[chapter]
                    parts += [statement_of(chapter_of(chapter), label, page, numbers), raw_html(after)]
                raw.parent.replace(raw, parts)


def add_filter(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Load the script of the filter on the page with the ledger."""
    if '<div class="mtfl-ledger">' in context.get("body", ""):
        app.add_js_file("ledger.js", loading_method="defer")


def setup(app: Sphinx) -> None:
    """Connect the steps."""
    app.add_post_transform(Statements)
    app.connect("html-page-context", add_filter)
