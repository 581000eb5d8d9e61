"""What is copied from a page is text with its formulas as TeX; what is shown there can be linked to and cited."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe import violations
from opened import CLIPBOARD, Opened
from playwright.sync_api import Page

# A part of the page, selected as a reader does and copied with the keyboard; [text, HTML] of the clipboard.
SELECT = """selector => {
    const range = document.createRange();
    range.selectNode(document.querySelector(selector));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""
READ = """async () => {
    const [item] = await navigator.clipboard.read();
    const read = async type => item.types.includes(type) ? (await item.getType(type)).text() : "";
    return Promise.all(["text/plain", "text/html"].map(read));
}"""


@pytest.fixture
def open_chapter(open_page: Callable[..., Opened], address: str) -> Callable[[str], Opened]:
    """A function that opens a page from which one can copy."""
    return lambda name: open_page(address, name, permissions=CLIPBOARD)


def copied(page: Page) -> list[str]:
    """What the keyboard copies of the present selection."""
    page.keyboard.press("Control+c")
    return page.evaluate(READ)


def copied_from(page: Page, selector: str) -> str:
    """What is copied of an element."""
    page.evaluate(SELECT, selector)
    return copied(page)[0]


def test_a_statement_keeps_its_formulas(open_chapter: Callable[[str], Opened]) -> None:
    opened = open_chapter("02_pseudo_contrastive_loss.html")
    opened.page.evaluate(SELECT, "#lem-head-step")
    text, html = copied(opened.page)
    assert text.replace("\r", "") == (
        "Lemma 2.1 (The heads after one step)\n\n"
        r"Let $\ell$ be differentiable at 0 with $\ell'(0) = -\kappa$. One gradient step of size $\eta_a$ from "
        r"$a_t = 0$ on $\frac1{n_1} \sum_l \ell(y_{tl}\, a_t \cdot \phi_l)$ gives"
        "\n\n"
        r"$$a_t = \kappa\, \eta_a\, \frac1{n_1} \sum_{l=1}^{n_1} y_{tl}\, \phi_l . \tag{2.2}$$"
    )
    assert r"with $\ell'(0) = -\kappa$. One" in html
    assert "mjx" not in html and "class=" not in html
    assert opened.page.locator(".mtfl-copied").count() == 0
    assert opened.errors == []


def test_a_table_keeps_rows_and_columns(open_chapter: Callable[[str], Opened]) -> None:
    text = copied_from(open_chapter("notation.html").page, "#tasks table")
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[0] == ["symbol", "meaning", "in the code", "chapter"]
    assert {len(row) for row in rows} == {4}
    assert all(row[0].startswith("$") for row in rows[1:])


def test_a_caption_keeps_its_formulas(open_chapter: Callable[[str], Opened]) -> None:
    text = copied_from(open_chapter("02_pseudo_contrastive_loss.html").page, "#fig-loss-range figcaption")
    assert re.match(r"Figure 2\.\d The formula is exact", text)
    assert r"linear in $\eta_a$ (the" in text
    assert r"range $\eta_a \le 1/(R_0 R)$ is guaranteed by Corollary 2.3." in text
    assert "#" not in text and "link" not in text.split() and "cite" not in text.split()


def test_code_is_copied_as_it_is(open_chapter: Callable[[str], Opened]) -> None:
    page = open_chapter("02_pseudo_contrastive_loss.html").page
    cell = page.locator(".cell_input pre:visible").first
    cell.evaluate("node => node.id = 'planted'")
    source = cell.evaluate("node => node.textContent")
    assert "\n" in source.strip()
    assert copied_from(page, "#planted").strip() == source.strip()


def test_an_example_is_copied_without_its_prompts(open_chapter: Callable[[str], Opened]) -> None:
    page = open_chapter("api.html").page
    example = page.locator("pre:has(.gp)").first
    prompts, source = example.locator(".gp").all_inner_texts(), example.inner_text()
    for selector in ("pre:has(.gp)", "div:has(> pre .gp)"):
        text = copied_from(page, selector)
        assert ">>>" not in text
        assert text.splitlines() == source.replace(prompts[0], "").strip().splitlines()


def test_a_whole_page_has_every_formula_once(shown: Opened) -> None:
    page = shown.page
    seen = "all => all.filter(node => node.checkVisibility()).map(node => node.dataset.tex)"
    formulas = page.locator("article mjx-container").evaluate_all(seen)
    text = copied_from(page, "main")
    page.evaluate("getSelection().empty()")  # what is selected is laid out, however far away it is
    assert all(formulas)
    for tex in set(formulas):
        assert " ".join(tex.split()) in text
    assert text.count("$") >= 2 * len(formulas)
    for junk in ("mjx", "Copy the link", "Link to this", "#\n"):
        assert junk not in text


def test_part_of_a_formula_is_the_whole_formula(open_chapter: Callable[[str], Opened]) -> None:
    page = open_chapter("02_pseudo_contrastive_loss.html").page
    page.evaluate("""() => {
        const [first, , last] = document.querySelectorAll("#lem-head-step section p mjx-container");
        const range = document.createRange();
        range.setStart(first.querySelector("mjx-c"), 0);
        range.setEnd(last.querySelector("mjx-msub, mjx-mi"), 1);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
    }""")
    assert (
        copied(page)[0]
        == r"$\ell$ be differentiable at 0 with $\ell'(0) = -\kappa$. One gradient step of size $\eta_a$"
    )


def test_two_clicks_on_a_formula_select_it(open_chapter: Callable[[str], Opened]) -> None:
    page = open_chapter("02_pseudo_contrastive_loss.html").page
    page.locator("#lem-head-step section p mjx-container").nth(1).dblclick()
    assert copied(page)[0] == r"$\ell'(0) = -\kappa$"


def test_a_field_is_left_to_itself(open_chapter: Callable[[str], Opened]) -> None:
    page = open_chapter("02_pseudo_contrastive_loss.html").page
    page.keyboard.press("Control+k")
    field = page.locator("#pst-search-dialog input")
    field.fill("kernel")
    field.select_text()
    assert copied(page)[0] == "kernel"


TARGETS = "div.proof.admonition[id]:has(> .admonition-title), .bd-article figure[id]:has(> figcaption)"


def test_every_statement_and_figure_has_tools(shown: Opened) -> None:
    page = shown.page
    named = page.locator(TARGETS).evaluate_all("""all => all.map(node => {
        const title = node.querySelector(":scope > .admonition-title, :scope > figcaption");
        const [link, cite] = title.querySelectorAll(".mtfl-tools > *");
        const number = title.querySelector(".caption-number").textContent.trim();
        return [number, node.id, link?.hash, link?.ariaLabel, cite?.ariaLabel];
    })""")
    for number, anchor, fragment, link, cite in named:
        assert (fragment, link, cite) == (f"#{anchor}", f"Copy the link to {number}", f"Cite {number}")
    assert page.locator(".mtfl-report").count() == 0  # no repository is named
    small = "all => all.map(node => node.getBoundingClientRect()).filter(box => Math.min(box.width, box.height) < 24)"
    assert page.locator(".mtfl-tools > *").evaluate_all(small) == []


@pytest.mark.parametrize(
    ("page_name", "anchor"),
    [("02_pseudo_contrastive_loss.html", "lem-head-step"), ("02_pseudo_contrastive_loss.html", "fig-loss-range")],
)
def test_a_link_is_copied(open_chapter: Callable[[str], Opened], address: str, page_name: str, anchor: str) -> None:
    page = open_chapter(page_name).page
    before = page.evaluate("scrollY")
    link = page.locator(f"#{anchor} .mtfl-link")
    link.focus()
    page.keyboard.press("Enter")
    page.locator(".mtfl-copied-note:not(:empty)").wait_for()
    assert page.evaluate(READ)[0] == f"{address}{page_name}#{anchor}"
    assert page.evaluate("location.hash") == ""
    assert before == 0


def test_the_link_of_a_figure_that_moves_keeps_its_state(open_chapter: Callable[[str], Opened], address: str) -> None:
    page = open_chapter("intro.html").page
    page.locator("#fig-neurons .mtfl-figure").evaluate("node => node.dataset.address = 'fig-neurons?tasks=5'")
    page.locator("#fig-neurons .mtfl-link").click()
    page.locator(".mtfl-copied-note:not(:empty)").wait_for()
    assert page.evaluate(READ)[0] == f"{address}intro.html#fig-neurons?tasks=5"


def test_a_statement_can_be_cited(open_chapter: Callable[[str], Opened], address: str) -> None:
    opened = open_chapter("02_pseudo_contrastive_loss.html")
    page = opened.page
    cite = page.locator("#lem-head-step .mtfl-cite")
    cite.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.mtfl-citing")
    sentence, bibtex = dialog.locator("pre").all_inner_texts()
    known = f" {address}02_pseudo_contrastive_loss.html#lem-head-step" if address.startswith("http") else ""
    assert sentence == (
        "The authors of mtfl. Many Tasks, One Representation, 2026. Lemma 2.1 (The heads after one step), "
        f"in “The pseudo-contrastive loss”.{known}"
    )
    assert bibtex.startswith("@misc{mtfl-lem-head-step,\n    author = {{The authors of mtfl}},")
    assert "note = {Lemma 2.1 (The heads after one step), in" in bibtex
    assert ("url" in bibtex) == bool(known)
    assert violations(opened) == []
    dialog.get_by_role("button", name="Copy the BibTeX").click()
    page.locator(".mtfl-copied-note:not(:empty)").wait_for()
    assert page.evaluate(READ)[0].replace("\r", "") == bibtex
    dialog.wait_for(state="detached")
    cite.press("Enter")
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert page.evaluate("document.activeElement.ariaLabel") == "Cite Lemma 2.1"


def test_the_address_is_the_public_one_where_there_is_one(
    open_page: Callable[..., Opened], site: Path, tmp_path: Path
) -> None:
    (tmp_path / "_static").symlink_to((site / "_static").resolve())
    text = (site / "notation.html").read_text("utf8")
    tools = (
        '<span class="mtfl-tools"><a class="mtfl-link" href="#thm-x">x</a><button class="mtfl-cite">x</button></span>'
    )
    statement = f'<div class="proof admonition" id="thm-x"><p class="admonition-title">Theorem 1 {tools}</p></div>'
    text = text.replace("</article>", statement + "</article>")
    home = '<link rel="canonical" href="https://example.org/book/notation.html">'
    (tmp_path / "notation.html").write_text(text.replace("</head>", home + "</head>"), "utf8")
    page = open_page(tmp_path.as_uri() + "/", "notation.html", permissions=CLIPBOARD).page
    page.locator("#thm-x .mtfl-link").click()
    page.locator(".mtfl-copied-note:not(:empty)").wait_for()
    assert page.evaluate(READ)[0] == "https://example.org/book/notation.html#thm-x"
    page.locator("#thm-x .mtfl-cite").click()
    assert "https://example.org/book/notation.html#thm-x" in page.locator("dialog.mtfl-citing pre").first.inner_text()


def test_without_a_clipboard_the_link_is_shown(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "02_pseudo_contrastive_loss.html").page
    page.evaluate("() => void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
    page.locator("#lem-head-step .mtfl-link").click()
    assert page.locator("dialog.mtfl-citing pre").inner_text().endswith("#lem-head-step")


@pytest.mark.parametrize(("touch", "seen"), [(False, "0"), (True, "1")])
def test_tools_are_seen_when_they_are_needed(
    open_page: Callable[..., Opened], served: str, touch: bool, seen: str
) -> None:
    opened = open_page(served, "02_pseudo_contrastive_loss.html", has_touch=touch, is_mobile=touch)
    page = opened.page
    opacity = "node => getComputedStyle(node).opacity"
    cite = page.locator("#lem-head-step .mtfl-cite")
    assert cite.evaluate(opacity) == seen
    place = "node => JSON.stringify(node.getBoundingClientRect())"
    box = page.locator("#lem-head-step")
    box.scroll_into_view_if_needed()
    opened.settle()  # what waited for the reader has its place
    before = box.evaluate(place)
    if not touch:
        box.hover()
        assert cite.evaluate(opacity) == "1"
        page.mouse.move(0, 0)
    cite.focus()
    assert cite.evaluate(opacity) == "1"
    assert box.evaluate(place) == before  # nothing moves


# Width and height of the tools of a statement, and of the room in which a finger hits them.
ROOM = """tools => tools.map(tool => {
    const { width, height } = tool.getBoundingClientRect(), room = parseFloat(getComputedStyle(tool, "::after").height);
    return [width, Math.max(height, room || 0)];
})"""


@pytest.mark.parametrize(("touch", "least"), [(False, 24), (True, 40)])
def test_tools_are_large_enough(open_page: Callable[..., Opened], served: str, touch: bool, least: int) -> None:
    page = open_page(served, "02_pseudo_contrastive_loss.html", has_touch=touch, is_mobile=touch).page
    rooms = page.locator("#lem-head-step .mtfl-tools > *").evaluate_all(ROOM)
    assert len(rooms) == 3
    assert min(map(min, rooms)) >= least
