"""The link to the next page says what that page asks: the first words in bold of the box that it opens with."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.builders.html import StandaloneHTMLBuilder


def question(document: nodes.document) -> str:
    """What a page asks in the box that its first section begins with; empty if it has none."""
    section = next(document.findall(nodes.section), None)
    opening = section.children[1:2] if section else []
    box = next((part for part in opening if isinstance(part, nodes.admonition)), None)
    asked = next(box.findall(nodes.strong), None) if box else None
    return asked.astext() if asked else ""


def note_question(app: Sphinx, document: nodes.document) -> None:
    """Note the question of a page that was read."""
    app.env.metadata[app.env.docname]["question"] = question(document)


def add_teaser(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Add the question of the next page to the link to it."""
    if not context.get("next"):
        return
    following = cast("StandaloneHTMLBuilder", app.builder).relations[pagename][2]
    if following and (asked := app.env.metadata[following].get("question")):
        title = context["next"]["title"]
        context["next_title"] = f'{title}<span class="mtfl-teaser">{html.escape(asked, quote=False)}</span>'


def setup(app: Sphinx) -> None:
    """Connect the steps."""
    app.connect("doctree-read", note_question)
    app.connect("html-page-context", add_teaser)
