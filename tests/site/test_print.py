"""On paper a page is light, whole and open, and the book is one PDF that knows its titles, numbers and links."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag
from opened import SETTLED, Opened, texts_of
from playwright.sync_api import Browser
from pypdf import PdfReader

ROOT = Path(__file__).parents[2]
PRINTED = ["reproduce", "01_setup"]  # a short page and a chapter
MILLIMETRE = 72 / 25.4  # points
TOP, BOTTOM = round(20 * MILLIMETRE), round(18 * MILLIMETRE)  # margins of a sheet
COLUMN = round(188 / 25.4 * 96)  # pixels between the margins at the sides
BLANK = 0.4  # of the height between the margins: what may be left of a sheet


@pytest.fixture(scope="module")
def printed(site: Path, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages of the book as one PDF. (The browser is asked for so that its absence skips these tests.)"""
    path = tmp_path_factory.mktemp("pdf") / "book.pdf"
    subprocess.run([sys.executable, ROOT / "book" / "pdf.py", *PRINTED, "--out", path], check=True)
    return path


@pytest.fixture(scope="module")
def pdf(printed: Path) -> PdfReader:
    """The parts of that PDF."""
    return PdfReader(printed)


@pytest.fixture(scope="module")
def texts(printed: Path) -> list[str]:
    """The text of each sheet."""
    return texts_of(printed)


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


def pictures(pdf: Path) -> list[np.ndarray]:
    """Each sheet as a grey picture, a dot for each point, from 0 (black) to 255."""
    with pypdfium2.PdfDocument(pdf) as sheets:
        return [sheet.render(grayscale=True).to_numpy().copy() for sheet in sheets]


def blank(sheet: np.ndarray) -> float:
    """The share of a sheet, without its margins, that nothing stands on below its last mark."""
    marked = np.flatnonzero(np.ptp(sheet[TOP:-BOTTOM], axis=1) > 20)
    height = len(sheet) - TOP - BOTTOM
    return 1 - (marked.max(initial=-1) + 1) / height


def test_no_sheet_is_half_empty(printed: Path, pdf: PdfReader) -> None:
    starts = {pdf.get_destination_page_number(item) for depth, item in bookmarks(pdf.outline) if depth == 0}
    sheets = pictures(printed)
    left = {}
    for index in range(front(pdf), len(sheets)):
        if index + 1 not in starts and index + 1 < len(sheets):  # the end of a chapter may be short
            left[index] = blank(sheets[index])
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
    first, _ = pictures(tmp_path / "sheets.pdf")
    assert blank(first) == pytest.approx(1 - used, abs=0.02)


def test_the_text_is_printed_in_its_own_size(printed: Path) -> None:
    """Ten points: a browser prints all in a smaller size if anything is wider than a sheet."""
    sizes = Counter()
    with pypdfium2.PdfDocument(printed) as sheets:
        for sheet in sheets:
            text, matrix = sheet.get_textpage(), pypdfium2.raw.FS_MATRIX()
            for letter in range(0, text.count_chars(), 10):
                pypdfium2.raw.FPDFText_GetMatrix(text, letter, matrix)
                sizes[round(pypdfium2.raw.FPDFText_GetFontSize(text, letter) * matrix.a, 1)] += 1
    assert sizes.most_common(1)[0][0] == 10


def test_sheets_are_light(printed: Path) -> None:
    """No sheet has a dark ground: its most frequent shade is light, whatever figures it has."""
    shades = [np.bincount(sheet.ravel()).argmax() for sheet in pictures(printed)]
    assert [index for index, shade in enumerate(shades) if shade < 230] == []


# What would go wrong on paper, as wide as a sheet between its margins: controls that show, what is cut, letters too
# small to read, boxes that cover a figure, stand beside one, off the sheet, or are tied to what stands before them
# by a summary that is not seen, and links whose address is not said.
ON_PAPER = """() => {
    const article = document.querySelector("article");
    const found = { controls: [], cut: [], small: [], covered: [], beside: [], tied: [], addresses: [] };
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
            + ".mtfl-needs-kernel, .mtfl-x summary")) {
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
        const least = parseFloat(svg.style.getPropertyValue("--mtfl-least")); // at this width, letters of 9 px
        const size = 6.75 * svg.getBoundingClientRect().width / least;
        if (size < 6.49) found.small.push(`${name(svg.closest("[id]"))}: ${size} pt`);
    }
    for (const text of article.querySelectorAll(".mtfl-x svg text")) {
        const { a, b } = text.getScreenCTM(), size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
        if (shows(text) && 0.75 * size < 6.49) found.small.push(`${name(text)}: ${0.75 * size} pt`);
    }
    const visit = (node) => { // boxes that keep clear of figures at their side, unless they are too wide for it
        const { display, float, minWidth, overflowX, position } = getComputedStyle(node);
        if (float !== "none" || position === "absolute" || !shows(node)) return;
        const apart = /^(flow-root|flex|grid|table)$/.test(display) || node.matches("fieldset");
        if (apart || /auto|hidden|scroll/.test(overflowX)) {
            if (minWidth !== "100%") found.beside.push(name(node));
        } else if (display === "block" || display === "list-item") [...node.children].forEach(visit);
    };
    for (const summary of article.querySelectorAll("details > summary")) {
        const next = summary.nextElementSibling;
        if (!next || !shows(next) || shows(summary)) continue;
        if (getComputedStyle(next).breakBefore !== "auto") found.tied.push(name(next));
    }
    const floats = [...article.querySelectorAll("figure")].some((one) => getComputedStyle(one).float !== "none");
    if (floats) for (const node of article.querySelectorAll("section > *:not(section)")) visit(node);
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


PARTS = ".bd-article :is(pre, pre span, table, img, svg, mjx-math, p, h1, h2, h3)"
TOO_WIDE = """(all, width) => all.filter(node => node.checkVisibility())
    .map(node => [node.getBoundingClientRect().right, node.tagName, node.textContent.slice(0, 60)])
    .filter(([right]) => right > width)"""


def test_nothing_is_cut_small_wide_or_covered_on_paper(shown: Opened) -> None:
    page = shown.page
    page.set_viewport_size({"width": COLUMN, "height": 979})
    page.emulate_media(media="print")
    page.evaluate(SETTLED)
    found = page.evaluate(ON_PAPER)
    wide = page.locator(PARTS).evaluate_all(TOO_WIDE, COLUMN)
    whole = page.evaluate("document.documentElement.scrollWidth")
    page.emulate_media(media="screen")
    assert {kind: nodes for kind, nodes in found.items() if nodes} == {}
    assert wide == []
    assert whole <= COLUMN  # else a browser prints all in a smaller size


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
