"""The filter of the ledger: what it shows, says, keeps in the address, and leaves alone."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe import VIEWS, violations
from bs4 import BeautifulSoup
from opened import Opened, new_window
from playwright.sync_api import Browser, Locator, Page
from pypdf import PdfReader

from mtfl.claims import CLAIMS

LEDGER = "claims.html"
ALL = [claim.id.lower() for claim in CLAIMS]
PAPER = [claim.id.lower() for claim in CLAIMS if claim.statement]
SHOWN = """() => [...document.querySelectorAll(".mtfl-ledger article")].filter(node => node.checkVisibility())
    .map(node => node.id.replace("ledger-", ""))"""
HEADS = """() => [...document.querySelectorAll(".mtfl-ledger h2")].filter(node => node.checkVisibility())
    .map(node => node.textContent)"""


def shown(page: Page) -> list[str]:
    return page.evaluate(SHOWN)


def filter_of(page: Page) -> Locator:
    return page.get_by_role("search", name="Claims to show")


def status(page: Page) -> str:
    return page.locator(".mtfl-filter [role=status]").inner_text()


def main_results(site: Path) -> list[str]:
    pages = [BeautifulSoup(path.read_text("utf8"), "html.parser") for path in sorted(site.glob("0?_*.html"))]
    return [str(node["id"]) for page in pages for node in page.select("div.proof.main[id]")]


def test_at_first_all_claims_are_shown_under_their_heads(open_page: Callable[..., Opened], address: str) -> None:
    opened = open_page(address, LEDGER)
    page = opened.page
    assert shown(page) == ALL
    assert status(page) == f"All {len(ALL)} claims."
    heads = page.evaluate(HEADS)
    assert heads[:2] == ["Claims of the paper", "Chapter 1: What can be learned at all"]
    assert len(heads) == 1 + len({claim.chapter for claim in CLAIMS if not claim.statement})
    assert opened.errors == [] == opened.away


def test_each_control_shows_what_it_says(open_page: Callable[..., Opened], site: Path, served: str) -> None:
    page = open_page(served, LEDGER).page
    options = filter_of(page).get_by_label("Chapter").locator("option").all_inner_texts()
    assert options == ["all", *sorted({claim.chapter[1] for claim in CLAIMS if claim.chapter[0] == "0"})]
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
    assert shown(page) == main_results(site)
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
        return "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf())).pages)

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


def test_a_statement_and_its_check_lead_to_each_other(site: Path) -> None:
    names = {"claims", *(claim.chapter for claim in CLAIMS)}
    pages = {name: BeautifulSoup((site / f"{name}.html").read_text("utf8"), "html.parser") for name in names}
    for claim in CLAIMS:
        anchor = claim.id.lower()
        entry = pages["claims"].select_one(f"#ledger-{anchor}")
        assert entry is not None
        assert entry.select(f'a[href="{claim.chapter}.html#{anchor}"]')
        if not claim.statement:
            assert pages[claim.chapter].select(f'#{anchor} a.mtfl-check[href="claims.html#ledger-{anchor}"]')


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
