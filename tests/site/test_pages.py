"""Every page stays at home, makes no error, and sets its mathematics; links, anchors and alt texts are sound."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import check_links
import pytest
from opened import Opened

RAW_TEX = re.compile(r"\\begin\{|\\\(|\\\[|\$\$")
PAGE = '<html lang="en"><head><title>t</title></head><body>{}</body></html>'


def shown_wrong(opened: Opened) -> list[str]:
    """TeX that a reader sees as source, or as an error."""
    page = opened.page
    return RAW_TEX.findall(page.inner_text("body")) + page.locator("mjx-merror, merror").all_inner_texts()


def test_links_anchors_and_alt_texts(site: Path) -> None:
    assert check_links.faults(site) == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "asks another site"),
        ('<link rel="stylesheet" href="//cdn.example/x.css">', "asks another site"),
        ('<a href="gone.html">x</a>', "does not exist"),
        ('<a href="#gone">x</a>', "no such anchor"),
        ('<img src="page.html">', "no alt text"),
        ('<img src="page.html" alt="_images/x.png">', "no alt text"),
        ('<svg role="img"></svg>', "no alt text"),
    ],
)
def test_the_link_check_sees(tmp_path: Path, body: str, word: str) -> None:
    (tmp_path / "page.html").write_text(PAGE.format(body))
    assert len(check_links.faults(tmp_path)) == 1
    assert word in check_links.faults(tmp_path)[0]


def test_the_link_check_accepts(tmp_path: Path) -> None:
    body = '<a id="a" href="page.html#a">x</a><a href="https://example.org">x</a><img src="page.html" alt="x">'
    (tmp_path / "page.html").write_text(PAGE.format(body))
    assert check_links.faults(tmp_path) == []


def quiet(opened: Opened) -> None:
    """Check that a page asked nobody else for anything, made no error and set its formulas."""
    opened.page.wait_for_timeout(500)  # for what a page might ask for late
    assert opened.away == []
    assert opened.errors == []
    assert shown_wrong(opened) == []


def test_page_is_quiet_as_a_file(open_page: Callable[..., Opened], site: Path, name: str) -> None:
    quiet(open_page(site.resolve().as_uri() + "/", name))


def test_page_is_quiet_light_and_alive(open_page: Callable[..., Opened], served: str, name: str) -> None:
    opened = open_page(served, name)
    page = opened.page
    quiet(opened)
    assert opened.weight() <= 600_000  # bytes, compressed, with nothing in the browser's cache
    assert page.locator("script[type^='application/vnd.jupyter.widget'], .jupyter-widgets").count() == 0
    for link in page.locator("a.mtfl-set:visible").all():  # it names a figure of the page, and what that figure knows
        link.click()
    assert opened.errors == []


def test_the_index_leads_to_the_first_page(open_page: Callable[..., Opened], address: str) -> None:
    page = open_page(address, "intro.html").page
    page.goto(address + "index.html", wait_until="commit")
    page.wait_for_url("**/intro.html")


def test_a_request_to_another_site_is_seen(open_page: Callable[..., Opened], site: Path, tmp_path: Path) -> None:
    shutil.copytree(site / "_static", tmp_path / "_static")
    text = (site / "intro.html").read_text("utf8")
    planted = '<script src="https://cdn.example/x.js"></script>'
    (tmp_path / "intro.html").write_text(text.replace("</head>", planted + "</head>"), "utf8")
    opened = open_page(tmp_path.as_uri() + "/", "intro.html")
    assert opened.away == ["https://cdn.example/x.js"]
    assert opened.errors


@pytest.mark.parametrize("body", [r"\(x", "$$ x", r"\begin{aligned}", "<mjx-merror>no</mjx-merror>"])
def test_broken_mathematics_is_seen(open_page: Callable[..., Opened], tmp_path: Path, body: str) -> None:
    (tmp_path / "page.html").write_text(PAGE.format(f"<p>{body}</p>"))
    assert shown_wrong(open_page(tmp_path.as_uri() + "/", "page.html"))


def test_search_finds_a_page(open_page: Callable[..., Opened], address: str) -> None:
    opened = open_page(address, "search.html?q=representation")
    opened.page.wait_for_selector("#search-results li a", timeout=10_000)
    assert opened.page.locator("#search-results li a").count() > 0
    assert opened.errors == []
