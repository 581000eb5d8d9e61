"""The ledger shows each statement in the chapter's own words: where it names one, a copy of the statement is put."""

from __future__ import annotations

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


def statement_of(doctree: nodes.document, label: str, page: str) -> list[nodes.Node]:
    """A copy of what a statement says, without its title: nothing in it is numbered or linked to a second time.

    Args:
        doctree: of the chapter, its references not yet resolved.
        label: of the ``prf:`` environment.
        page: the document that shows the copy.

    Raises:
        ExtensionError: if the chapter has no such statement.
    """
    found = [
        node for node in doctree.findall(nodes.Element) if node.get("label") == label and "proof" in node["classes"]
    ]
    if not found:
        raise ExtensionError(f"statement_of: label must be that of a statement of the chapter; got {label!r}.")
    copy = found[0].deepcopy()
    for target in list(copy.findall(nodes.target)):
        target.parent.remove(target)
    for node in copy.findall(nodes.Element):
        node["ids"] = []
        if isinstance(node, nodes.math_block):
            node["label"] = node["number"] = None
        if isinstance(node, addnodes.pending_xref):
            node["refdoc"] = page
    (content,) = (child for child in copy.children if isinstance(child, nodes.section))
    return list(content.children)


class Statements(SphinxPostTransform):
    """Put the statements in their places; their formulas and references are resolved with those of the page."""

    default_priority = 6  # an output has its form by now, references are still pending
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Split the markup at each place, and put the copy between the parts."""
        page, chapter_of = self.env.docname, cache(self.env.get_doctree)
        for raw in list(self.document.findall(nodes.raw)):
            before, *others = PLACE.split(raw.astext())
            if others:
                parts: list[nodes.Node] = [nodes.raw("", before, format="html")]
                for chapter, label, after in zip(*(others[i::3] for i in range(3)), strict=True):
                    parts += statement_of(chapter_of(chapter), label, page)
                    parts.append(nodes.raw("", after, format="html"))
                raw.parent.replace(raw, parts)


def setup(app: Sphinx) -> None:
    """Connect the step."""
    app.add_post_transform(Statements)
