"""The filter of the ledger: what it shows, says, keeps in the address, and leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from pathlib import Path

import pytest
from axe import VIEWS, violations
from bs4 import Tag
from opened import Opened, new_window, parsed, texts_of
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


def main_results(site: Path) -> list[str]:
    chapters = sorted(site.glob("[01]?_*.html"))
    return [str(node["id"]) for path in chapters for node in parsed(path).select("div.proof.main[id]")]


def with_ids(site: Path, name: str, kind: str) -> dict[str, Tag]:
    """The elements of a kind on a page of the site, by their ids."""
    return {str(node["id"]): node for node in parsed(site / f"{name}.html")(kind, id=True)}


def statements_of(site: Path) -> dict[str, Tag]:
    """The statements of the chapters, by their labels."""
    chapters = {claim.chapter for claim in CLAIMS if not claim.statement}
    return {label: box for name in chapters for label, box in with_ids(site, name, "div").items()}


def told(node: Tag) -> str:
    """What a statement says, without its title, its numbers and its tools."""
    node = copy(node)
    for part in node.select(".admonition-title, .mtfl-named, .eqno, .headerlink"):
        part.extract()
    return node.get_text()


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


def test_a_statement_is_found_by_its_number_and_by_its_title(
    open_page: Callable[..., Opened], site: Path, served: str
) -> None:
    page = open_page(served, LEDGER).page
    words = filter_of(page).get_by_label("Words")
    names = {
        anchor: box.select_one(".admonition-title .caption-number").get_text(strip=True)  # type: ignore[union-attr]
        for anchor, box in statements_of(site).items()
        if anchor in ALL
    }
    found = words.evaluate(EACH, [name.lower() for name in names.values()])
    assert dict(zip(names, found, strict=True)) == {anchor: [anchor] for anchor in names}
    words.fill("theorem  7")  # all of a chapter
    assert set(shown(page)) == {anchor for anchor, name in names.items() if name.startswith("Theorem 7.")} != set()
    words.fill("Centring takes the dimension out")
    assert "thm-centred-step" in shown(page)
    words.fill("theorem 3.14159")
    assert shown(page) == []


def test_the_ledger_gives_number_and_title(site: Path) -> None:
    entries, statements = with_ids(site, "claims", "article"), statements_of(site)
    for claim in CLAIMS:
        if not claim.statement:
            (named,) = entries[f"ledger-{claim.id.lower()}"].select(".mtfl-named")
            (title,) = (copy(node) for node in statements[claim.id.lower()].select(".admonition-title"))
            for tool in title.select(".mtfl-tools, .headerlink"):
                tool.extract()
            assert "".join(named.get_text().split()) == "".join(title.get_text().split()), claim.id


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


def test_a_statement_and_its_check_lead_to_each_other(site: Path) -> None:
    entries, statements = with_ids(site, "claims", "article"), statements_of(site)
    for claim in CLAIMS:
        anchor = claim.id.lower()
        assert entries[f"ledger-{anchor}"]("a", href=f"{claim.chapter}.html#{anchor}")
        if not claim.statement:
            assert statements[anchor]("a", class_="mtfl-check", href=f"claims.html#ledger-{anchor}")


def test_the_ledger_shows_what_the_chapters_say(site: Path) -> None:
    entries, statements = with_ids(site, "claims", "article"), statements_of(site)
    for claim in CLAIMS:
        anchor = claim.id.lower()
        said = claim.statement.split() if claim.statement else told(statements[anchor]).split()
        quoted = entries[f"ledger-{anchor}"].blockquote
        assert quoted is not None, claim.id
        assert "".join(told(quoted).split()) == "".join(said), claim.id


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
