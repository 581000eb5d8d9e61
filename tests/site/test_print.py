"""On paper a page is light, whole and open, and the book is one PDF that knows its titles, numbers and links."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag
from opened import SETTLED, Opened
from playwright.sync_api import Browser
from pypdf import PageObject, PdfReader

ROOT = Path(__file__).parents[2]
PRINTED = ["reproduce", "01_setup"]  # a short page and a chapter
MILLIMETRE = 72 / 25.4
TOP, BOTTOM = 20 * MILLIMETRE, 18 * MILLIMETRE  # margins of a sheet
COLUMN = round(174 / 25.4 * 96)  # pixels between the margins at the sides
BLANK = 0.4  # of the height between the margins: what may be left of a sheet


@pytest.fixture(scope="module")
def pdf(site: Path, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> PdfReader:
    """Two pages of the book as one PDF. (The browser is asked for so that its absence skips these tests.)"""
    path = tmp_path_factory.mktemp("pdf") / "book.pdf"
    subprocess.run([sys.executable, ROOT / "book" / "pdf.py", *PRINTED, "--out", path], check=True)
    return PdfReader(path)


@pytest.fixture(scope="module")
def texts(pdf: PdfReader) -> list[str]:
    """The text of each sheet."""
    return [page.extract_text() for page in pdf.pages]


def soups(site: Path) -> dict[str, Tag]:
    """The text of those pages in the site."""
    found = {}
    for name in PRINTED:
        article = BeautifulSoup((site / f"{name}.html").read_text("utf8"), "html.parser").article
        assert article is not None
        for silent in article.select(".headerlink, mjx-math, .mtfl-tools, script, style, svg"):
            silent.extract()
        found[name] = article
    return found


def letters(text: str) -> str:
    """A text without spaces and ligatures, which a PDF sets as it likes."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


def bookmarks(items: list[Any], depth: int = 0) -> Iterator[tuple[int, Any]]:
    for item in items:
        if isinstance(item, list):
            yield from bookmarks(item, depth + 1)
        else:
            yield depth, item


def front(pdf: PdfReader) -> int:
    """How many sheets come before the first page."""
    return pdf.page_labels.index("1")


def test_sheets_are_numbered_through(pdf: PdfReader, texts: list[str]) -> None:
    before = front(pdf)
    assert pdf.page_labels[:before] == ["i", "ii"]
    assert pdf.page_labels[before:] == [str(number) for number in range(1, len(pdf.pages) - before + 1)]
    assert 20 <= len(pdf.pages) <= 36
    for number, text in enumerate(texts[before:], 1):
        assert re.search(rf"(^|\n){number}(\n|$)", text), f"sheet {number} does not bear its number"
    running = [text for text in texts if "1. What can be learned at all" in text and "Many Tasks, One Rep" in text]
    assert len(running) >= 15


def test_titles_are_bookmarks_and_contents(pdf: PdfReader, texts: list[str], site: Path) -> None:
    titles = [heading.get_text().strip() for soup in soups(site).values() for heading in soup.select("h1, h2, h3, h4")]
    found = list(bookmarks(pdf.outline))
    assert [item.title for _, item in found] == titles
    for depth, item in found:
        index = pdf.get_destination_page_number(item)
        assert index is not None
        assert letters(item.title) in letters(texts[index])
        if depth < 2:
            line = f"{item.title}{index - front(pdf) + 1}"
            assert letters(line) in letters("".join(texts[: front(pdf)]))


def test_links_stay_in_the_book(pdf: PdfReader) -> None:
    names = pdf.named_destinations
    inner, outer = 0, []
    for page in pdf.pages:
        for reference in page.get("/Annots", ()):
            link = reference.get_object()
            if "/Dest" in link:
                target = link["/Dest"]
                inner += 1
                assert not isinstance(target, str) or target in names
            elif address := link.get("/A", {}).get("/URI"):
                outer.append(address)
    assert inner > 40
    assert not [address for address in outer if any(f"{name}.html" in address for name in PRINTED)]
    assert not [address for address in outer if "contents.invalid" in address]


def test_statements_proofs_and_solutions_are_there(texts: list[str], site: Path) -> None:
    whole = letters("".join(texts))
    chapter = soups(site)["01_setup"]
    statements = [title.get_text() for title in chapter.select(".proof > .admonition-title")]
    assert len(statements) == 11
    for title in statements:
        assert letters(title) in whole
    folded = chapter.select("details:not(.hide) p")
    assert len(folded) >= 3
    first_words = [" ".join(str(next(iter(part.strings))).split()[:4]) for part in folded]
    openings = [words for words in first_words if re.search("[a-z]{3}", words)]  # not those that begin with a formula
    assert len(openings) > len(folded) / 2
    for opening in openings:
        assert letters(opening) in whole
    for control in ("Show code cell source", "Copy the link", "Search", "Previous"):
        assert letters(control) not in whole


def test_code_is_whole(texts: list[str], site: Path) -> None:
    whole = letters("".join(texts))
    shown = soups(site)["01_setup"].select(".cell_input pre, .cell_output pre")
    answers = [pre.find_parent("details", class_="hide") for pre in shown]  # to exercises
    lines = [line for pre, fold in zip(shown, answers, strict=True) if not fold for line in pre.get_text().splitlines()]
    assert len(lines) > 250
    assert max(map(len, lines)) > 100
    missing = [line for line in lines if letters(line) not in whole]
    assert missing == []


def test_fonts_are_embedded(pdf: PdfReader) -> None:
    resources: list[Any] = [page["/Resources"] for page in pdf.pages]
    fonts = [font.get_object() for of_sheet in resources for font in of_sheet.get("/Font", {}).values()]
    assert fonts
    for font in fonts:
        if font["/Subtype"] == "/Type3":
            continue  # its glyphs are part of the file
        described = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(described["/FontDescriptor"])


def grounds_and_marks(page: PageObject) -> tuple[list[float], list[float]]:
    """The light of each ground as large as a sheet, from 0 to 1, and the heights at which a sheet has marks."""
    height = float(page.mediabox.height)
    grounds: list[float] = []
    marks: list[float] = []
    points: list[float] = []
    light = [0.0]

    def see(operator: bytes, operands: list[Any], matrix: list[float], text_matrix: list[float]) -> None:
        if operator in (b"g", b"rg"):
            light[0] = float(min(operands))
        elif operator in (b"m", b"l"):
            points.append(float(operands[1]) * matrix[3] + matrix[5])
        elif operator == b"c":
            points.append(float(operands[5]) * matrix[3] + matrix[5])
        elif operator == b"re":
            corners = (float(operands[1]), float(operands[1]) + float(operands[3]))
            points.extend(corner * matrix[3] + matrix[5] for corner in corners)
        elif operator in (b"f", b"F", b"f*", b"S", b"s", b"B", b"B*", b"b", b"b*"):
            if max(points) - min(points) < 0.9 * height:
                marks.extend(points)
            else:
                grounds.append(light[0])
            points.clear()
        elif operator == b"n":
            points.clear()
        elif operator in (b"Tj", b"TJ"):
            marks.append(text_matrix[5] * matrix[3] + matrix[5])

    page.extract_text(visitor_operand_before=see)
    return grounds, marks


def blank(page: PageObject) -> float:
    """The share of a sheet, without its margins, that nothing stands on below its last mark."""
    height = float(page.mediabox.height) - TOP - BOTTOM
    marks = [mark for mark in grounds_and_marks(page)[1] if BOTTOM < mark <= BOTTOM + height]
    return (min(marks, default=BOTTOM + height) - BOTTOM) / height


def test_no_sheet_is_half_empty(pdf: PdfReader) -> None:
    starts = {pdf.get_destination_page_number(item) for depth, item in bookmarks(pdf.outline) if depth == 0}
    left = {}
    for index in range(front(pdf), len(pdf.pages)):
        if index + 1 not in starts and index + 1 < len(pdf.pages):  # the end of a chapter may be short
            left[index] = blank(pdf.pages[index])
    assert len(left) > 15
    assert {index: share for index, share in left.items() if share > BLANK} == {}


@pytest.mark.parametrize("used", [0.3, 0.5, 0.8])
def test_what_is_blank_is_measured(browser: Browser, tmp_path: Path, used: float) -> None:
    """What does not fit leaves the rest of a sheet blank, and this is seen."""
    page = browser.new_page()
    words = f"<p style='height: {used * 259}mm; margin: 0; border-bottom: 1px solid'>Some words</p>"
    whole = "<p style='height: 240mm; margin: 0; break-inside: avoid'>A tall figure</p>"
    page.set_content(f"<style>@page {{ margin: 20mm 18mm 18mm }} body {{ margin: 0 }}</style>{words}{whole}")
    page.pdf(path=tmp_path / "sheets.pdf", format="A4", prefer_css_page_size=True)
    page.close()
    first, _ = PdfReader(tmp_path / "sheets.pdf").pages
    assert blank(first) == pytest.approx(1 - used, abs=0.02)


def test_sheets_are_light(pdf: PdfReader) -> None:
    """No sheet has a dark ground."""
    dark = [index for index, page in enumerate(pdf.pages) if min(grounds_and_marks(page)[0], default=1) < 0.9]
    assert dark == []


# What would go wrong on paper, as wide as a sheet between its margins: controls that show, what is cut, letters too
# small to read, boxes that cover a figure, and links whose address is not said.
ON_PAPER = """() => {
    const article = document.querySelector("article");
    const found = { controls: [], cut: [], small: [], covered: [], addresses: [] };
    if (!article) return found; // a search
    const link = '<a class="reference external" href="https://example.org/a-page">a page</a>';
    article.firstElementChild.insertAdjacentHTML("beforeend", `<p>Read ${link}.</p>`);
    for (const node of article.querySelectorAll("a[href^=http]")) {
        const address = node.href.replace(/^https:..(arxiv.org.abs|doi.org)./, "");
        const words = node.textContent + getComputedStyle(node, "::after").content;
        if (!words.includes(address)) found.addresses.push(address);
    }
    const shows = (node) => [...node.getClientRects()].some(({ width, height }) => width * height > 0);
    const name = (node) => `${node.tagName} ${node.id || node.getAttribute("class")} ${node.textContent.slice(0, 40)}`;
    const right = (node) => node.getBoundingClientRect().right;
    for (const node of document.querySelectorAll(
        "button, input, select, textarea, nav, dialog, [role=slider]:not(.mtfl-scrub), .headerlink, .mtfl-tools, "
            + ".mtfl-needs-kernel")) {
        if (shows(node)) found.controls.push(name(node));
    }
    for (const node of article.querySelectorAll("*:not(svg *, mjx-math *, mjx-assistive-mml, mjx-assistive-mml *)")) {
        const { overflowX, overflowY } = getComputedStyle(node);
        const wide = node.scrollWidth > node.clientWidth + 1, high = node.scrollHeight > node.clientHeight + 1;
        if (shows(node) && (wide && overflowX !== "visible" || high && overflowY !== "visible")
            && !node.matches(".mtfl-panels, .mtfl-status, .visually-hidden")) found.cut.push(name(node));
    }
    const past = right(article) + 1;
    for (const node of article.querySelectorAll("p, pre, pre span, td, th, li, mjx-math, svg")) {
        if (shows(node) && !node.closest(".mtfl-plot") && right(node) > past) found.cut.push(`margin: ${name(node)}`);
    }
    for (const svg of article.querySelectorAll(".mtfl-panels > svg")) {
        const least = parseFloat(svg.style.getPropertyValue("--mtfl-least")); // at this width, letters of 7.5 pt
        const size = 7.5 * svg.getBoundingClientRect().width / least;
        if (size < 6.49) found.small.push(`${name(svg.closest("[id]"))}: ${size} pt`);
    }
    for (const text of article.querySelectorAll(".mtfl-x svg text")) {
        const { a, b } = text.getScreenCTM(), size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
        if (shows(text) && 0.75 * size < 6.49) found.small.push(`${name(text)}: ${0.75 * size} pt`);
    }
    const boxes = [...article.querySelectorAll("pre, .output, .admonition, details, table")].filter(shows);
    for (const figure of article.querySelectorAll("figure:has(.mtfl-plot, .mtfl-x)")) {
        const place = figure.getBoundingClientRect();
        for (const box of boxes.filter((box) => !figure.contains(box) && !box.contains(figure))) {
            const { top, bottom } = box.getBoundingClientRect();
            if (top < place.bottom - 1 && bottom > place.top + 1) found.covered.push(`${name(figure)}: ${name(box)}`);
        }
    }
    return found;
}"""


def test_nothing_is_cut_small_or_covered_on_paper(open_page: Callable[..., Opened], served: str, name: str) -> None:
    page = open_page(served, name, viewport={"width": COLUMN, "height": 979}).page
    page.emulate_media(media="print")
    page.evaluate(SETTLED)
    assert {kind: nodes for kind, nodes in page.evaluate(ON_PAPER).items() if nodes} == {}


STATE = """() => [
    getComputedStyle(document.body).backgroundColor,
    document.querySelector("article h1").dataset.address ?? "",
    document.querySelectorAll("details.sd-dropdown:not([open])").length,
]"""


def test_a_page_is_printed_light_and_open_and_then_as_it_was(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "01_setup.html", color_scheme="dark").page
    dark, _, folded = page.evaluate(STATE)
    page.evaluate(f"addEventListener('beforeprint', () => window.onPaper = ({STATE})())")
    page.pdf()
    light, address, still_folded = page.evaluate("window.onPaper")
    assert folded >= 3
    assert still_folded == 0
    assert (light, dark) == ("rgb(255, 255, 255)", page.evaluate(STATE)[0])
    assert light != dark
    assert address == f"{served}01_setup.html"
    assert page.evaluate(STATE)[2] == folded
