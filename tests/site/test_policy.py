"""The site under the headers that README.md tells to send, and where no script runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opened import PAGES, SITE, Opened, new_window, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

README = (Path(__file__).parents[2] / "README.md").read_text("utf8")
HEADERS = dict(re.findall(r"^(Content-Security-Policy|X-Content-Type-Options): (.+)$", README, flags=re.MULTILINE))
POLICY = "Content-Security-Policy"
MOVING = [name for name in PAGES if 'class="mtfl-figure"' in (SITE / name).read_text("utf8")]
CHAPTER = "03_multitask_training.html"
NOTE = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
# Scripts and style sheets within the HTML of a page: none but the states of figures, which are no scripts.
INSIDE = re.compile(
    r'<script(?![^>]* src=)(?! type="application/json")[^>]*>|<style\b|<[a-z][^>]*\son[a-z]+="|javascript:'
)


@pytest.fixture(scope="session")
def guarded() -> Iterator[str]:
    """The site's address under the policy."""
    with serve(SITE, HEADERS) as address:
        yield address


@pytest.fixture(scope="session")
def window(browser: Browser, guarded: str) -> Iterator[Opened]:
    """One window for all pages."""
    context = new_window(browser, reduced_motion="reduce")
    context.add_init_script(NOTE)
    opened = Opened(context.new_page())
    opened.watch(guarded)
    yield opened
    context.close()


def test_the_policy_admits_no_script_of_a_page() -> None:
    rules = dict(rule.split(" ", 1) for rule in HEADERS[POLICY].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"


def test_no_script_and_no_style_sheet_stands_in_a_page(name: str) -> None:
    assert INSIDE.findall((SITE / name).read_text("utf8")) == []


@pytest.mark.parametrize(
    "markup", ["<script>", '<script type="module">', "<style>", '<a class="b" onclick="f()">', 'href="javascript:f()"']
)
def test_one_that_did_would_be_found(markup: str) -> None:
    assert INSIDE.search(f"<p>{markup}</p>")


def test_a_page_works(window: Opened, guarded: str, name: str) -> None:
    page = window.page
    page.goto(guarded + name, wait_until="load")
    figures = page.locator(".mtfl-figure[data-key]").count()
    assert page.locator(".mtfl-figure[data-mounted] .mtfl-x:not(:has(.mtfl-still)) .mtfl-words").count() == figures
    for figure in page.locator(".mtfl-x").all():
        words = figure.locator(".mtfl-words")
        before, slider = words.text_content(), figure.locator("input[type=range]:enabled").first
        slider.focus()
        slider.press("Home" if slider.input_value() != "0" else "End")
        page.wait_for_function("([node, before]) => node.textContent !== before", arg=[words.element_handle(), before])
    assert page.evaluate("violations") == []
    assert (window.errors, window.away) == ([], [])


def test_cards_switches_buttons_and_the_search_work(window: Opened, guarded: str) -> None:
    page = window.page
    page.goto(guarded + CHAPTER, wait_until="load")
    page.keyboard.press("Tab")
    page.locator(".bd-article a.reference.internal[href='#thm-exact-step']").first.focus()
    page.wait_for_selector("#mtfl-card:popover-open mjx-container")
    page.keyboard.press("Escape")
    page.locator(".mtfl-switch[data-kind=proof]").click()
    assert page.locator("details.mtfl-proof:not([open])").count() == 0
    page.evaluate("() => { window.print = () => { window.printed = true; }; }")
    assert page.locator("[data-does]").count() == 2
    page.locator("[data-does=print]").dispatch_event("click")
    assert page.evaluate("window.printed")
    assert page.evaluate("violations") == []
    page.goto(guarded + "search.html?q=kernel", wait_until="load")
    page.wait_for_selector("#search-results li mark")
    assert page.evaluate("violations") == []
    assert (window.errors, window.away) == ([], [])


def assert_still(page: Page) -> None:
    """Each figure shows the pictures that it begins with, its words, and no control."""
    figures = page.locator(".mtfl-x").all()
    assert figures
    for figure in figures:
        picture = figure.locator(".mtfl-still > svg").first
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        assert box is not None and min(box["width"], box["height"]) > 100
        words = figure.locator(".mtfl-still > .mtfl-words")
        assert words.is_visible() and (words.text_content() or "").endswith(".")
        assert figure.locator("input, button").count() == 0
    assert page.locator(".pst-js-only:visible").count() == 0


def test_where_scripts_are_forbidden_figures_stand_still(browser: Browser) -> None:
    headers = HEADERS | {POLICY: HEADERS[POLICY].replace("script-src 'self'", "script-src 'none'")}
    assert headers != HEADERS
    context = new_window(browser)
    with serve(SITE, headers) as address:
        page = context.new_page()
        for name in MOVING:
            page.goto(address + name, wait_until="load")
            assert_still(page)
    context.close()


def test_where_scripts_are_switched_off_too(browser: Browser, served: str) -> None:
    context = new_window(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(served + MOVING[0], wait_until="load")
    assert_still(page)
    page.goto(served + "search.html", wait_until="load")
    assert page.get_by_text("activate JavaScript").is_visible()
    context.close()
