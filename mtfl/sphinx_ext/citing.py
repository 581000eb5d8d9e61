"""What a reader takes along: the link to a statement or a figure, its citation, and text whose formulas are TeX.

Each statement and figure gets its tools here, when the page is built; ``static/reader.js`` makes them work.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import yaml

from mtfl.claims import CLAIMS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LEDGER = "claims.html"
"""The page with the check of each statement."""

CHECKED = {claim.id.lower() for claim in CLAIMS}
"""The statements with a check, by their anchors."""

STATEMENT = re.compile(
    r'(<div class="proof [^"]*" id="(?P<id>[^"]+)">\n<p class="admonition-title">'
    r'<span class="caption-number">(?P<name>[^<]+?) ?</span>.*?)(?P<end></p>)',
    flags=re.DOTALL,
)
FIGURE = re.compile(
    r'(<span class="caption-number">(?P<name>[^<]+?) ?</span><span class="caption-text">(?:(?!<figure|<section).)*?)'
    r'<a class="headerlink" href="#(?P<id>[^"]+)"[^>]*>#</a>(?P<end></p>)',
    flags=re.DOTALL,
)
EQUATION = re.compile(r'(\((?P<number>[\d.]+)\)<a class="headerlink" href="#[^"]+")(?= title)')


def tools(anchor: str, name: str, report: str) -> str:
    """The tools of a statement or figure; a link to its check or to report a mistake only where there is one."""
    name = html.escape(name)
    parts = [
        f'<a class="mtfl-link" href="#{anchor}" aria-label="Copy the link to {name}"></a>',
        f'<button class="mtfl-cite pst-js-only" type="button" aria-label="Cite {name}"></button>',
    ]
    if anchor in CHECKED:
        parts.append(f'<a class="mtfl-check" href="{LEDGER}#ledger-{anchor}" aria-label="The check of {name}"></a>')
    if report:
        parts.append(
            f'<a class="mtfl-report" href="{html.escape(report)}" aria-label="Report a mistake in {name}"></a>'
        )
    return f'<span class="mtfl-tools">{"".join(parts)}</span>'


def with_tools(body: str, page: str = "", repository: str = "") -> str:
    """Put the tools at the end of each statement's title and of each figure's caption; name the links of equations.

    Args:
        body: the HTML of a page's text.
        page: the page's address, as a report names it.
        repository: where reports go; without it there are no links for them.
    """

    def add(found: re.Match[str]) -> str:
        place = {"title": found["name"], "body": f"{page}#{found['id']}\n\n"}
        report = f"{repository.rstrip('/')}/issues/new?{urlencode(place)}" if repository else ""
        return found[1] + tools(found["id"], found["name"], report) + found["end"]

    body = FIGURE.sub(add, STATEMENT.sub(add, body))
    body = EQUATION.sub(r'\1 aria-label="Copy the link to equation (\2)"', body)
    return body.replace(' title="Link to this ', ' title="Copy the link to this ')


def citation(root: Path) -> dict[str, Any]:
    """How to cite the book, from ``CITATION.cff``."""
    book = yaml.safe_load((root / "CITATION.cff").read_text("utf8"))["preferred-citation"]
    authors = ", ".join(author["name"] for author in book["authors"])
    return {"title": book["title"], "author": authors, "year": book["year"]}


def add_tools(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the tools on a page."""
    if "body" in context:
        page = context.get("pageurl") or pagename + app.builder.out_suffix  # type: ignore[attr-defined]  # of HTML
        repository = app.config.html_theme_options.get("repository_url", "")
        context["body"] = with_tools(context["body"], page, repository)


def add_script(app: Sphinx) -> None:
    """Load the script, with what it needs to cite the book."""
    if app.builder.format == "html":
        book = json.dumps(citation(Path(app.srcdir).parent), ensure_ascii=False)
        attributes: dict[str, Any] = {"data-book": book}
        app.add_js_file("reader.js", loading_method="defer", **attributes)


def setup(app: Sphinx) -> None:
    """Connect the steps, and add the style of the tools after that of the book."""
    app.add_css_file("reader.css", priority=900)
    app.connect("builder-inited", add_script)
    app.connect("html-page-context", add_tools, priority=600)  # after the text is mended, before it is indexed
