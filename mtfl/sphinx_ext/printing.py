"""The running head of a printed page: the chapter on the left, the book on the right.

A style sheet for all pages cannot know them; the rest of the print sheet is ``static/print.css``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtfl.sphinx_ext.code import text_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def running_head(chapter: str, book: str) -> str:
    """The rules for the head of a chapter's sheets."""
    titles = ("" if chapter == book else chapter, book)
    left, right = (json.dumps(text_of(text), ensure_ascii=False) for text in titles)
    heads = f"@top-left {{ content: {left} }} @top-right {{ content: {right} }}"
    return f"@page {{ {heads} }} @page :first {{ @top-left {{ content: none }} @top-right {{ content: none }} }}"


def add_head(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Write the running head of a page that comes from a source, as a style sheet of its own."""
    if doctree is not None:
        sheet = Path(app.outdir, "_static", "heads", f"{pagename}.css")
        sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet.write_text(running_head(context["title"], app.config.html_title or app.config.project) + "\n", "utf8")
        app.add_css_file(f"heads/{pagename}.css", media="print")


def setup(app: Sphinx) -> None:
    """Connect the step, and add the print sheet after all others."""
    app.add_css_file("print.css", priority=900, media="print")
    app.connect("html-page-context", add_head)
