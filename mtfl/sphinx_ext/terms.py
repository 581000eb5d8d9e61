"""The first time that a chapter uses a word of the glossary in its text, the word is a link to what it means there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ORDINARY = {"claim", "input", "round", "task", "update"}
"""Words of the glossary that are also used as anybody would use them: who means the term writes ``{term}``."""

NO_TEXT = (nodes.reference, nodes.literal, nodes.title, nodes.caption, nodes.table, nodes.math, nodes.raw)


def pattern(terms: list[str]) -> re.Pattern[str]:
    """Any of these words, the longest first, in one or several, across the ends of lines."""
    longest_first = sorted(terms, key=len, reverse=True)
    words = ("(" + r"\s+".join(map(re.escape, term.split())) + ")s?" for term in longest_first)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE)


def is_running(text: nodes.Text) -> bool:
    """Whether a piece of text stands in a paragraph of a chapter, outside its statements and figures."""
    node = text.parent
    while not isinstance(node, nodes.paragraph):
        if node is None or isinstance(node, NO_TEXT):
            return False
        node = node.parent
    while node is not None:
        if isinstance(node, NO_TEXT) or {"proof", "cell"} & set(node.get("classes", ())):
            return False
        node = node.parent
    return True


def link_first(document: nodes.document, addresses: dict[str, str]) -> list[str]:
    """Make the first use of each term in a page a link; return what was linked, as it stands there.

    Args:
        document: the page.
        addresses: what a term's link leads to, by the term in small letters.
    """
    left, linked = dict(addresses), []
    for text in list(document.findall(nodes.Text)):
        if not left or not is_running(text):
            continue
        parts: list[nodes.Node] = []
        end = 0
        for found in pattern(list(left)).finditer(text):
            term = " ".join(next(filter(None, found.groups())).lower().split())
            if term in left:
                link = nodes.reference("", found[0], refuri=left.pop(term), internal=True, classes=["mtfl-term"])
                parts += [nodes.Text(text[end : found.start()]), link]
                end = found.end()
                linked.append(found[0])
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])
    return linked


class Terms(SphinxPostTransform):
    """Link the glossary from the numbered chapters, and from the first page."""

    default_priority = 15  # references are resolved
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Link the first use of each term that the page does not link itself."""
        page = self.env.docname
        if page != self.config.root_doc and not self.env.toc_secnumbers.get(page):
            return
        terms = {
            name.lower(): self.app.builder.get_relative_uri(page, document) + f"#{anchor}"
            for name, _, kind, document, anchor, _ in self.env.get_domain("std").get_objects()
            if kind == "term"
        }
        own = {link.get("refuri") for link in self.document.findall(nodes.reference)}
        link_first(self.document, {t: to for t, to in terms.items() if t not in ORDINARY and to not in own})


def setup(app: Sphinx) -> None:
    """Connect the step."""
    app.add_post_transform(Terms)
