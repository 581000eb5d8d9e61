"""The notebooks for JupyterLab, beside the pages of the site and the notebooks of the book that they are made from."""

from __future__ import annotations

import copy
import itertools
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from opened import SITE

from mtfl.sphinx_ext.folding import folded

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted(path.stem for path in (SITE / "_sources").glob("*.ipynb"))
MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
# What only the site says, or only JupyterLab: addresses of headings, code cells, and marks of statements.
OURS = ".headerlink, .sd-summary-state-marker, .mtfl-needs-kernel, div.cell, div.toctree-wrapper"
# Which each sets in its own way
SIGNATURES = "dt.sig, dl .colon, dl .highlight:not(.highlight-text > *), pre:has(> .language-python)"
MARKS = re.compile(r"· (?:paper|main result)$", flags=re.MULTILINE)
ARTICLE = re.compile(r'<article class="bd-article".*</article>', flags=re.DOTALL)
# Most of an article, and no words.
DRAWN = re.compile(r"<(svg|mjx-container|script)\b[^>]*?(?:/>|>.*?</\1>)", flags=re.DOTALL)
ROW = re.compile(r'<tr id="(.*?)"')  # in a table that code has put out
SUMMARY, FORMULA = re.compile("<summary>.*?</summary>"), re.compile(r"\$([^$]+)\$")
WORDS = re.compile(r"\w+|[^\w\s]")
NUMBERED = re.compile(
    r"(?:Theorem|Lemma|Proposition|Corollary|Conjecture|Definition|Remark|Example|Figure|Table) [\d.]+"
)
EQUATION = re.compile(r"\([\d.]+\)")
YEAR = re.compile(r"\d{4}")
RAW = re.compile(
    r"\{[a-z:]+\}`|:::|`{3,}\{|\*\*|\$|</?(?:div|span|em|strong|details)\b|\]\("
)  # Markdown or HTML that is left as it was written


@cache
def notebook_of(page: str) -> NotebookNode:
    """The notebook of a page; not to be changed."""
    return nbformat.read(SITE / "_sources" / f"{page}.ipynb", as_version=4)


@cache
def shown(page: str) -> BeautifulSoup:
    """The Markdown cells of its notebook, as a reader sees them; not to be changed.

    JupyterLab sets formulas within HTML too.
    """
    cells = (cell.source for cell in notebook_of(page).cells if cell.cell_type == "markdown")
    made = "\n".join(map(MARKDOWN.render, cells))
    made = SUMMARY.sub(lambda found: FORMULA.sub(r'<span class="math">\1</span>', found[0]), made)
    return BeautifulSoup(made, "html.parser")


def words(page: Tag, without: str = OURS) -> list[str]:
    """What a page says: its words and numbers, and a sign for each formula."""
    for cell in page.select("div.cell"):
        for caption in cell.select("figcaption"):
            cell.insert_before(caption.extract())
    for other in page.select(without):
        other.decompose()
    for term in page.select("dt"):
        term.append(" ")
    for formula in page.select(".math"):
        numbers = [number.get_text() for number in formula.find_all(class_="eqno")]
        numbers += [f"({tag})" for tag in re.findall(r"\\tag\{(.*?)\}", formula.get_text())]
        formula.replace_with(f" ¤ {' '.join(numbers)} ")
    return WORDS.findall(MARKS.sub("", page.get_text()))


@pytest.fixture(scope="module", params=PAGES)
def chapter(request: pytest.FixtureRequest) -> str:
    """The name of a page."""
    return request.param


def test_it_says_what_the_page_says(site: Path, chapter: str) -> None:
    (article,) = ARTICLE.findall((site / f"{chapter}.html").read_text("utf8"))
    page = BeautifulSoup(DRAWN.sub("", article), "html.parser")
    cells = copy.copy(shown(chapter))
    if (BOOK / f"{chapter}.ipynb").exists():
        needs = cells.select_one("h1 + div")
        assert needs is not None and needs.get_text().strip().startswith("To run this notebook")
        needs.decompose()
    without = f"{OURS}, {SIGNATURES}" if chapter == "api" else OURS
    assert words(cells, without) == words(page, without)
    for code in cells.select("pre, code"):
        code.decompose()
    assert RAW.findall(cells.get_text()) == []


@cache
def places(page: str) -> set[str]:
    """All that a link may lead to in a notebook: its cells, anchors in its text, and those that its code puts out."""
    rows = ROW.findall((SITE / f"{page}.html").read_text("utf8"))
    anchors = {str(place["id"]) for place in shown(page).select("[id]")}
    return {"", *anchors, *(f"cell-id={cell.id}" for cell in notebook_of(page).cells), *rows}


def test_its_links_lead_somewhere(chapter: str) -> None:
    lost = []
    for link in shown(chapter).select("a[href]"):
        path, _, anchor = unquote(str(link["href"])).partition("#")
        if re.match("[a-z]+:", path) or "?" in anchor:  # to another site, or sets a figure of this page
            continue
        page = path.removesuffix(".ipynb") or chapter
        if page not in PAGES or anchor not in places(page):
            lost.append(link["href"])
    assert lost == []


@cache
def landing(page: str, anchor: str) -> tuple[str, list[str]]:
    """What the cell says that a link leads to, its heading left out, and its anchors; for a figure's cell, its caption.

    A statement may stand right below the heading.
    """
    cells = notebook_of(page).cells
    place = next(place for place, cell in enumerate(cells) if anchor == f"cell-id={cell.id}")
    place += cells[place].cell_type == "code"
    cell = BeautifulSoup(MARKDOWN.render(cells[place].source), "html.parser")
    for heading in cell.select("h1, h2, h3, h4"):
        heading.decompose()
    return cell.get_text().strip(), [str(place["id"]) for place in cell.select("[id]")]


def test_its_links_lead_to_what_they_name(chapter: str) -> None:
    astray = []
    for link in shown(chapter).select("a[href*='#cell-id=']"):
        path, _, anchor = str(link["href"]).partition("#")
        page, name = path.removesuffix(".ipynb"), link.get_text()
        beginning, anchors = landing(page, anchor)
        if NUMBERED.fullmatch(name):
            right = beginning.startswith(name)
        elif EQUATION.fullmatch(name):  # at the beginning, or in the statement or proof that stands there
            right = rf"\tag{{{name[1:-1]}}}" in beginning
        elif page == "references":
            right = beginning.startswith("[") and YEAR.findall(name)[-1] in beginning
        elif page == "api":
            right = any(place.endswith(name.removesuffix("()")) for place in anchors)
        else:
            right = True
        if not right:
            astray.append((name, link["href"], beginning[:80]))
    assert astray == []


def test_its_code_is_the_books(chapter: str) -> None:
    source = BOOK / f"{chapter}.ipynb"
    ours = nbformat.read(source, as_version=4).cells if source.exists() else []
    code = copy.deepcopy([cell for cell in notebook_of(chapter).cells if cell.cell_type == "code"])
    assert [cell.metadata.pop("jupyter", {}).get("source_hidden", False) for cell in code] == [
        folds for folds, cell in zip(folded(ours), ours, strict=True) if cell.cell_type == "code"
    ]
    assert code == [cell for cell in ours if cell.cell_type == "code"]


def test_a_caption_stands_below_its_figure(chapter: str) -> None:
    cells = notebook_of(chapter).cells
    for above, cell in itertools.pairwise(cells):
        if cell.cell_type == "markdown" and cell.id.endswith("-caption"):
            assert "figure" in above.metadata.mystnb
    named = [cell for cell in cells if "figure" in cell.metadata.get("mystnb", {})]
    assert len(named) == sum(cell.id.endswith("-caption") for cell in cells)
