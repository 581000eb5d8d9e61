"""The filter of the ledger: what it shows, says, keeps in the address, and leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
from axe import VIEWS, violations
from opened import PAGES, Opened, new_window, texts_of
from playwright.sync_api import Browser, Locator, Page

from mtfl.claims import CLAIMS

LEDGER = "claims.html"
ALL = [claim.id.lower() for claim in CLAIMS]
PAPER = [claim.id.lower() for claim in CLAIMS if claim.statement]
SHOWN = """() => [...document.querySelectorAll(".mtfl-ledger article")].filter(node => node.checkVisibility())
    .map(node => node.id.replace("ledger-", ""))"""
# The same for each of some words in the field.
EACH = f"""(field, all) => all.map(words => {{
    field.value = words;
    field.dispatchEvent(new Event("input", {{ bubbles: true }}));
    return ({SHOWN})();
}})"""
HEADS = """() => [...document.querySelectorAll(".mtfl-ledger h2")].filter(node => node.checkVisibility())
    .map(node => node.textContent)"""


def shown(page: Page) -> list[str]:
    return page.evaluate(SHOWN)


def filter_of(page: Page) -> Locator:
    return page.get_by_role("search", name="Claims to show")


def status(page: Page) -> str:
    return page.locator(".mtfl-filter [role=status]").inner_text()


class Statement(NamedTuple):
    """A statement of a chapter, and what stands in it."""

    label: str
    is_main: bool
    titles: list[str]  # without tools
    number: str
    said: str
    checks: list[str]  # where its links to a check lead


class Entry(NamedTuple):
    """An entry of the ledger, and what stands in it."""

    label: str
    named: list[str]
    quoted: list[str]
    links: list[str]


# The statements of some pages and the entries of the ledger. What they say is without titles, numbers and tools.
BOOK = """async ([names, ledger]) => {
    const parser = new DOMParser();
    const load = async name => parser.parseFromString(await (await fetch(name)).text(), "text/html");
    const without = (parts, node) => {
        const copy = node.cloneNode(true);
        for (const part of copy.querySelectorAll(parts)) part.remove();
        return copy.textContent.replace(/\\s+/g, "");
    };
    const each = (node, selector, tell) => [...node.querySelectorAll(selector)].map(tell);
    const told = node => without(".admonition-title, .mtfl-named, .eqno, .headerlink", node);
    const pages = await Promise.all(names.map(load)), link = node => node.getAttribute("href");
    return [pages.flatMap(page => each(page, "div.proof[id]", node => [node.id, node.matches(".main"),
        each(node, ".admonition-title", title => without(".mtfl-tools, .headerlink", title)),
        node.querySelector(".admonition-title .caption-number")?.textContent.trim(),
        told(node), each(node, "a.mtfl-check", link)])),
        each(await load(ledger), "article[id]", node =>
            [node.id, each(node, ".mtfl-named", node => node.textContent.replace(/\\s+/g, "")),
                each(node, "blockquote", told), each(node, "a", link)])];
}"""
Book = tuple[dict[str, Statement], dict[str, Entry]]


@pytest.fixture(scope="module")
def book(browser: Browser, served: str) -> Book:
    """The statements of the chapters and the entries of the ledger, by their labels."""
    window = new_window(browser)
    page = window.new_page()
    page.goto(served + "search.html")
    chapters = [name for name in PAGES if re.match(r"[01]\d_", name)]
    statements, entries = page.evaluate(BOOK, [chapters, LEDGER])
    window.close()
    return {row[0]: Statement(*row) for row in statements}, {row[0]: Entry(*row) for row in entries}


def test_at_first_all_claims_are_shown_under_their_heads(open_page: Callable[..., Opened], address: str) -> None:
    opened = open_page(address, LEDGER)
    page = opened.page
    assert shown(page) == ALL
    assert status(page) == f"All {len(ALL)} claims."
    heads = page.evaluate(HEADS)
    assert heads[:2] == ["Claims of the paper", "Chapter 1: What can be learned at all"]
    assert len(heads) == 1 + len({claim.chapter for claim in CLAIMS if not claim.statement})
    assert opened.errors == [] == opened.away


def test_each_control_shows_what_it_says(open_page: Callable[..., Opened], book: Book, served: str) -> None:
    page = open_page(served, LEDGER).page
    options = filter_of(page).get_by_label("Chapter").locator("option").all_inner_texts()
    assert options == [
        "all",
        *sorted({str(int(claim.chapter[:2])) for claim in CLAIMS if claim.chapter[:2].isdigit()}, key=int),
    ]
    filter_of(page).get_by_label("Chapter").select_option("3")
    assert shown(page) == [claim.id.lower() for claim in CLAIMS if claim.chapter.startswith("03")]
    assert page.evaluate(HEADS) == ["Chapter 3: Multi-task training recovers the subspace"]
    assert status(page) == f"{len(shown(page))} of {len(ALL)} claims."
    filter_of(page).get_by_label("Chapter").select_option("all")
    filter_of(page).get_by_label("Source").select_option("paper")
    assert shown(page) == PAPER
    assert page.evaluate(HEADS) == ["Claims of the paper"]
    filter_of(page).get_by_label("Source").select_option("all")
    filter_of(page).get_by_label("main results only").check()
    assert shown(page) == [statement.label for statement in book[0].values() if statement.is_main]
    filter_of(page).get_by_label("main results only").uncheck()
    for words in ("drift", "DRIFT", "  drift "):
        filter_of(page).get_by_label("Words").fill(words)
        found = shown(page)
        assert 0 < len(found) < len(ALL)
    filter_of(page).get_by_label("Words").fill("drift uniform")
    assert set(shown(page)) <= set(found)
    filter_of(page).get_by_label("Words").fill("\\kappa")  # in formulas
    assert 0 < len(shown(page)) < len(ALL)
    filter_of(page).get_by_label("Words").fill("no such words")
    assert (shown(page), status(page)) == ([], f"0 of {len(ALL)} claims. Ask for less.")
    filter_of(page).get_by_label("Words").fill("")
    assert shown(page) == ALL


def test_a_statement_is_found_by_its_number_and_by_its_title(
    open_page: Callable[..., Opened], book: Book, served: str
) -> None:
    page = open_page(served, LEDGER).page
    words = filter_of(page).get_by_label("Words")
    names = {anchor: statement.number for anchor, statement in book[0].items() if anchor in ALL}
    found = words.evaluate(EACH, [name.lower() for name in names.values()])
    assert dict(zip(names, found, strict=True)) == {anchor: [anchor] for anchor in names}
    words.fill("theorem  7")  # all of a chapter
    assert set(shown(page)) == {anchor for anchor, name in names.items() if name.startswith("Theorem 7.")} != set()
    words.fill("Centring takes the dimension out")
    assert "thm-centred-step" in shown(page)
    words.fill("theorem 3.14159")
    assert shown(page) == []


def test_the_ledger_gives_number_and_title(book: Book) -> None:
    statements, entries = book
    for claim in CLAIMS:
        if not claim.statement:
            (title,) = statements[claim.id.lower()].titles
            assert entries[f"ledger-{claim.id.lower()}"].named == [title] != [""]


def test_the_filter_is_reached_and_set_by_keyboard(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, LEDGER).page
    filter_of(page).get_by_label("Chapter").focus()
    page.keyboard.press("ArrowDown")
    names = [page.evaluate("document.activeElement.name")]
    for _ in range(3):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name"))
    assert names == ["chapter", "source", "main", "words"]
    page.keyboard.type("pattern")
    page.keyboard.press("Enter")
    assert page.url.endswith("#?chapter=01_setup&words=pattern")
    found = shown(page)
    assert found
    assert all(claim.chapter == "01_setup" for claim in CLAIMS if claim.id.lower() in found)


def test_what_is_set_stands_in_the_address(open_page: Callable[..., Opened], address: str) -> None:
    opened = open_page(address, f"{LEDGER}#?chapter=03_multitask_training&main=yes&words=step")
    page = opened.page
    found = shown(page)
    assert 0 < len(found) < len(ALL)
    assert filter_of(page).get_by_label("Words").input_value() == "step"
    assert filter_of(page).get_by_label("main results only").is_checked()
    page.reload()
    assert shown(page) == found
    filter_of(page).get_by_label("Words").fill("")
    filter_of(page).get_by_label("main results only").uncheck()
    filter_of(page).get_by_label("Chapter").select_option("all")
    assert "#" not in page.url
    page.evaluate("location.hash = '?source=paper'")
    page.wait_for_function("document.querySelector('.mtfl-filter').elements.source.value === 'paper'")
    assert shown(page) == PAPER
    page.evaluate("location.hash = '?chapter=99&source=nobody&what=1'")
    page.wait_for_function("document.querySelector('.mtfl-filter').elements.source.value === ''")
    assert shown(page) == ALL
    assert opened.errors == []


def test_a_link_to_a_claim_shows_it(open_page: Callable[..., Opened], served: str) -> None:
    opened = open_page(served, f"{LEDGER}#?source=paper")
    page = opened.page
    last = f"ledger-{ALL[-1]}"
    page.evaluate("anchor => { location.hash = anchor; }", last)
    page.locator(f"#{last}").wait_for()
    opened.settle()
    assert shown(page) == ALL
    assert 0 <= page.locator(f"#{last}").evaluate("node => node.getBoundingClientRect().top") < 720
    page.go_back()
    page.wait_for_url("**#?source=paper")
    page.wait_for_function("document.querySelector('.mtfl-filter').elements.source.value === 'paper'")
    assert shown(page) == PAPER


def test_paper_has_what_the_filter_leaves(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, LEDGER).page

    def printed() -> str:
        return "".join(texts_of(page.pdf()))

    whole = printed()
    assert all(claim.id in whole for claim in CLAIMS)
    assert "main results only" not in whole and f"All {len(ALL)} claims" not in whole
    filter_of(page).get_by_label("Source").select_option("paper")
    part = printed()
    assert [claim.id for claim in CLAIMS if re.search(rf"\b{claim.id}\b", part)] == [
        c.id for c in CLAIMS if c.statement
    ]
    assert f"{len(PAPER)} of {len(ALL)} claims" in part


def test_without_scripts_all_claims_are_there_and_no_filter(browser: Browser, served: str) -> None:
    window = new_window(browser, java_script_enabled=False)
    page = window.new_page()
    page.goto(served + LEDGER)
    assert page.locator(".mtfl-ledger article").count() == len(ALL)
    assert page.locator(".mtfl-filter").count() == 0
    window.close()


def test_a_statement_and_its_check_lead_to_each_other(book: Book) -> None:
    statements, entries = book
    for claim in CLAIMS:
        anchor = claim.id.lower()
        assert f"{claim.chapter}.html#{anchor}" in entries[f"ledger-{anchor}"].links
        if not claim.statement:
            assert f"claims.html#ledger-{anchor}" in statements[anchor].checks


def test_the_ledger_shows_what_the_chapters_say(book: Book) -> None:
    statements, entries = book
    for claim in CLAIMS:
        anchor = claim.id.lower()
        said = "".join(claim.statement.split()) if claim.statement else statements[anchor].said
        assert entries[f"ledger-{anchor}"].quoted[0] == said != "", claim.id


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_the_filter(open_page: Callable[..., Opened], served: str, view: str) -> None:
    opened = open_page(served, f"{LEDGER}#?source=paper", **VIEWS[view])
    assert violations(opened) == []
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = page.locator(".mtfl-filter :is(select, label, input[type=search])").evaluate_all(
        "all => all.map(node => node.getBoundingClientRect()).map(({ width, height }) => [width, height])"
    )
    assert min(min(box) for box in boxes) >= 24
