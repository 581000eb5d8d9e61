"""The built site, served and opened in Chromium. Without one these tests are skipped, and say so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opened import CLIPBOARD, PAGES, QUIET, SITE, Opened, find_browser, new_window, serve
from waiting import HANG_IN_BROWSER

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a page's name on every page of the site: all such tests on one page, then on the next."""
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", PAGES, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count no lines of the package while the site is looked at: counting doubles the time of reading HTML."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not PAGES:
        pytest.fail(f"there is no site in {SITE}: run 'make book' first")
    return SITE


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Its absence skips the test, or fails it where MTFL_NEED_BROWSER is set."""
    from playwright.sync_api import sync_playwright

    path = find_browser()
    if path is None:
        missing = pytest.fail if os.environ.get("MTFL_NEED_BROWSER") else pytest.skip
        missing("no Chromium found: install one, or name it in MTFL_BROWSER")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET), timeout=HANG_IN_BROWSER)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """The site's address over http."""
    with serve(site) as address:
        yield address


@pytest.fixture(params=["http", "file"])
def address(request: pytest.FixtureRequest, site: Path) -> str:
    """The site's address: served, and opened as files."""
    return request.getfixturevalue("served") if request.param == "http" else site.resolve().as_uri() + "/"


@pytest.fixture(scope="session")
def shown(browser: Browser, served: str, name: str) -> Iterator[Opened]:
    """A page of the site, opened once for those tests that leave it as it is for the others."""
    context = new_window(browser, permissions=CLIPBOARD)
    opened = Opened(context.new_page())
    opened.watch(served)
    opened.page.goto(served + name, wait_until="load")
    yield opened
    context.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """A function that opens a page of a site in a new window; a stopped clock moves only by `clock.run_for`."""
    contexts = []

    def open_page(home: str, name: str, *, stopped: bool = False, **view: Any) -> Opened:
        context = new_window(browser, **view)
        contexts.append(context)
        opened = Opened(context.new_page())
        if stopped:
            opened.page.clock.install(time=0)
            opened.page.clock.pause_at(1)
        opened.watch(home)
        opened.page.goto(home + name, wait_until="load")
        return opened

    yield open_page
    for context in contexts:
        context.close()
