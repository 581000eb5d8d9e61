"""Cards: what a link refers to is shown where it is referred to, under the pointer, the keyboard's focus or a finger.

The cards of a page are cut from its HTML when the book is built, so that a statement and its formulas look as they do
there, and are written into a script of its own, ``_static/cards/PAGE.js``. ``static/cards.js`` loads it when a reader
first comes near a link to the page: a script, not a request, so that it works in files as well.

Why not one of the extensions for this: sphinx-hoverxref asks a server; sphinx-tippy (last release in 2024) loads two
scripts from another site and expects MathJax in the browser, while here formulas are typeset when the book is built.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag

from bs4 import BeautifulSoup
from bs4.element import Tag

from mtfl.sphinx_ext.search import heading_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# What a card holds as it is, and is not parsed: formulas, which are most of a page. And what no card holds.
FORMULA = re.compile(r"<mjx-container\b.*?</mjx-container>", re.DOTALL)
KEPT = re.compile(r'<x-kept id="(\d+)"></x-kept>')
SILENT = re.compile(r"<(svg|script|style|pre|button)\b.*?</\1>", re.DOTALL)
# Links that say where they stand, not what: those of a heading, the tools, and the parts of figures and of the atlas.
NO_CARD = ".headerlink, .mtfl-tools *, .mtfl-set, .mtfl-figure *, .mtfl-rows *"
TOOLS = ".headerlink, .mtfl-tools"


def opened(node: Tag | None) -> str:
    """The markup within an element."""
    return node.decode_contents().strip() if node else ""


def beginning(section: Tag) -> str:
    """What a section begins with: its first paragraph, be it in a box, and what that leads up to by a colon."""
    paragraph = section.select_one(":scope > p, :scope > .admonition:not(.proof) > p:not(.admonition-title)")
    if paragraph is None:
        return ""
    what = paragraph.find_next_sibling() if paragraph.get_text(strip=True).endswith(":") else ""
    return f"{paragraph}{what}"


def place_of(target: Tag) -> str:
    """The title of the section around an element; empty for the section that is the whole page."""
    for section in target.find_parents("section"):
        if title := heading_of(section):
            return opened(title)
    return ""


def row(target: Tag) -> str:
    """What a row of a table says: the second cell, named by the first; then the others, each named by its column."""
    cells = [part for part in target(["th", "td"], recursive=False) if isinstance(part, Tag)]
    table = target.find_parent("table")
    heads = [words.get_text(strip=True) for words in table.select("thead tr > *")] if table else []
    first, second, *others = (re.sub(r"</?p>", "", opened(cell)) for cell in cells)
    named = zip(heads[2:], others, strict=True)
    return f"<p>{first}: {second}</p>" + "".join(f"<p>{head}: {cell}</p>" for head, cell in named if cell)


def marked(target: Tag) -> Tag:
    """What an element stands for that only marks a place: the row or the section that it is in."""
    is_mark = target.name == "span" or (target.name == "p" and not target.get_text(strip=True))
    around = target.find_parent("tr") or target.find_parent(["p", "li", "section"])
    return around if is_mark and around else target


def told(target: Tag) -> str:
    """What a card says of an element: a statement or formula whole, of others what names them, or nothing."""
    match target.name:
        case "div" if {"proof", "math"} & set(target.get_attribute_list("class")):
            return str(target)
        case "div" if "citation" in target.get_attribute_list("class"):
            return "".join(str(part) for part in target("p", recursive=False))
        case "figure":
            return opened(target.find("figcaption"))  # type: ignore[arg-type]  # an element
        case "table":
            return f"<p>{opened(target.caption)}</p>"
        case "section":
            title = f'<p class="mtfl-card-title">{opened(heading_of(target))}</p>' if place_of(target) else ""
            return title + beginning(target)
        case "dt":
            words = target.find_next_sibling("dd")
            paragraph = beginning(words) if isinstance(words, Tag) else ""
            kind = " ".join(target.parent.get_attribute_list("class")) if target.parent else ""
            return f'<dl class="{kind}">{target}<dd>{paragraph}</dd></dl>'
        case "article":  # of the ledger
            return "".join(str(part) for part in target(["p", "blockquote"], recursive=False))
        case "tr":
            return row(target)
        case "p" | "li":
            return str(target)
    return ""


class Page:
    """The HTML of a page's text, with its links and what they may lead to."""

    def __init__(self, name: str, body: str) -> None:
        """Parse a page; formulas are kept aside."""
        self.name = name
        self.formulas: list[str] = []
        self.soup = BeautifulSoup(FORMULA.sub(self._keep, SILENT.sub("", body)), "html.parser")
        self.places = {str(place["id"]): place for place in self.soup(id=True)}

    def _keep(self, formula: re.Match[str]) -> str:
        self.formulas.append(formula[0])
        return f'<x-kept id="{len(self.formulas) - 1}"></x-kept>'

    def links(self) -> set[tuple[str, str]]:
        """The pages of the site, and the anchors on them, that this page's links with a card lead to."""
        found = set()
        for link in self.soup("a", href=True):
            if link.css.match(NO_CARD):
                continue
            address, anchor = urldefrag(str(link["href"]))
            if not address or re.fullmatch(r"[\w/-]+\.html", address):
                found.add((address.removesuffix(".html") or self.name, unquote(anchor)))
        return found

    def card(self, anchor: str) -> str:
        """The card for an anchor of this page or, for "", the whole page; empty where there is nothing to show."""
        place = self.places.get(anchor) if anchor else self.soup.section
        target = marked(place) if place else None
        says = told(target) if target else ""
        if target is None or not says:
            return ""
        around = place_of(target)
        address = f"{self.name}.html" + (f"#{anchor}" if anchor else "")
        link = f'<a href="{address}">{around or opened(heading_of(target))}</a>'
        return self._finish(f'{says}<p class="mtfl-card-place">{"in " if around else ""}{link}</p>')

    def _finish(self, markup: str) -> str:
        part = BeautifulSoup(markup, "html.parser")
        for tool in part.select(TOOLS):
            tool.extract()
        for element in part(id=True):
            if element.name != "x-kept":
                del element["id"]
        for link in part("a", href=True):
            if str(link["href"]).startswith("#"):
                link["href"] = f"{self.name}.html{link['href']}"
        return KEPT.sub(lambda kept: self.formulas[int(kept[1])], str(part))


class Cards:
    """The pages of a build and the cards that their links ask for."""

    def __init__(self) -> None:
        """Start empty."""
        self.pages: dict[str, Page] = {}
        self.links: dict[str, set[tuple[str, str]]] = {}

    def read(self, app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
        """Take in a page that comes from a source."""
        if doctree is not None:
            page = self.pages[pagename] = Page(pagename, context["body"])
            self.links[pagename] = page.links()

    def of(self, name: str) -> dict[str, str]:
        """The cards of a page, by their anchors, that any page has a link to."""
        asked = sorted({anchor for links in self.links.values() for to, anchor in links if to == name})
        cards = {anchor: self.pages[name].card(anchor) for anchor in asked}
        return {anchor: card for anchor, card in cards.items() if card}

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write the script of each page's cards."""
        if exception or app.builder.format != "html":
            return
        folder = Path(app.outdir, "_static", "cards")
        for name in self.pages:
            script = folder / f"{name}.js"
            script.parent.mkdir(parents=True, exist_ok=True)
            data = json.dumps(self.of(name), ensure_ascii=False, separators=(",", ":"))
            script.write_text(f"mtflCards({data});\n", "utf8")


def setup(app: Sphinx) -> None:
    """Gather the cards and write them. The script that shows them is one of the extension's static files."""
    cards = Cards()
    app.add_js_file("cards.js", loading_method="defer")
    app.connect("html-page-context", cards.read, priority=950)  # the text as it is written
    app.connect("build-finished", cards.write)
