"""How long a page takes to read, counted when the book is built: the role ``{minutes}`` with the name of a page.

Counted are the words, at a rate for technical prose, and half a minute for each displayed formula and each figure.
Not counted are code, proofs, exercises, guesses and what is folded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxRole

if TYPE_CHECKING:
    from sphinx.application import Sphinx

WORDS = 180  # a minute
STOP = 0.5  # minutes, at a formula and at a figure
STEP = 5  # minutes are told in fives
PASSED_OVER = ("literal_block", "proof_node", "raw", "comment", "target", "math_block", "guess_node")
LEFT_OUT = ("exercises", "where this is checked", "known results")


class minutes_node(nodes.Inline, nodes.Element):  # as docutils names its nodes
    """Stands for the minutes of a page until all pages have been read."""


def is_passed_over(part: nodes.Element) -> bool:
    """Whether a part of a page is code, a proof, a guess or a formula, or folded."""
    return type(part).__name__ in PASSED_OVER or part.get("design_component") == "dropdown"


def minutes_of(page: nodes.Element) -> float:
    """Minutes for a page, or for a part of it."""
    total = 0.0
    for child in page.children:
        if isinstance(child, nodes.section) and child.children and child.children[0].astext().lower() in LEFT_OUT:
            continue
        if isinstance(child, nodes.math_block | nodes.figure):
            total += STOP
        if isinstance(child, nodes.Text):
            total += len(child.astext().split()) / WORDS
        elif isinstance(child, nodes.Element) and not is_passed_over(child):
            total += minutes_of(child)
    return total


class Minutes(SphinxRole):
    """The role."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a place for the number."""
        return [minutes_node(page=self.text)], []


class Count(SphinxPostTransform):
    """Put the numbers in their places."""

    default_priority = 8

    def run(self, **options: object) -> None:
        """Count each page that is asked for."""
        for node in list(self.document.findall(minutes_node)):
            minutes = minutes_of(self.env.get_doctree(node["page"]))
            node.replace_self(nodes.Text(f"{max(STEP, STEP * round(minutes / STEP))} min"))


def setup(app: Sphinx) -> None:
    """Add the role."""
    app.add_node(minutes_node)
    app.add_role("minutes", Minutes())
    app.add_post_transform(Count)
