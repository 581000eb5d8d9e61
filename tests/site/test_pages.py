"""Every page stays at home, makes no error, sets its mathematics and passes axe; links and alt texts are sound."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import check_links
import pytest
from axe import violations, violations_in_all_views
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
        ('<figure role="img"></figure>', "no alt text"),
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
    assert opened.away == []
    assert opened.errors == []
    assert shown_wrong(opened) == []


def test_page_is_quiet_as_a_file(open_page: Callable[..., Opened], site: Path, name: str) -> None:
    opened = open_page(site.resolve().as_uri() + "/", name, stopped=True)
    opened.page.clock.run_for(10_000)  # for what a page might ask for late
    quiet(opened)


def test_page_is_quiet_light_alive_and_accessible(open_page: Callable[..., Opened], served: str, name: str) -> None:
    opened = open_page(served, name, color_scheme="light")
    page = opened.page
    opened.settle()
    quiet(opened)
    assert opened.weight() <= 600_000  # bytes, compressed, with nothing in the browser's cache
    assert page.locator("script[type^='application/vnd.jupyter.widget'], .jupyter-widgets").count() == 0
    for link in page.locator("a.mtfl-set:visible").all():  # it names a figure of the page, and what that figure knows
        link.click()
    assert opened.errors == []
    assert violations_in_all_views(opened) == []


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ('<img src="">', "image-alt"),
        ('<p style="color: #ccc; background: white">pale</p>', "color-contrast"),
        ('<p style="color: #777; background: #777">pale</p>', "invisible text"),
        ('<p>See <a href="#x" style="color: #666; text-decoration: none">this</a> now.</p>', "link-in-text-block"),
    ],
)
def test_axe_sees_a_fault(open_page: Callable[..., Opened], served: str, planted: str, rule: str) -> None:
    opened = open_page(served, "intro.html")
    opened.page.evaluate("html => document.querySelector('article').insertAdjacentHTML('beforeend', html)", planted)
    assert any(fault.startswith(rule) for fault in violations(opened))


def test_links_in_the_text_set_a_figure(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "intro.html", reduced_motion="reduce").page
    words = page.locator("#fig-neurons .mtfl-words")
    for query, told in (("tasks=1&", "on one "), ("tasks=5&", "on 5 ")):
        page.locator(f"a.mtfl-set[href^='#fig-neurons?{query}']").first.click()
        assert told in (words.text_content() or "")
    ground = page.locator("#fig-neurons .text_html").evaluate("node => getComputedStyle(node).backgroundColor")
    assert ground == "rgba(0, 0, 0, 0)"  # the page's own, light or dark


def test_a_control_that_needs_python_says_so(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "01_setup.html").page
    note = page.locator(".mtfl-needs-kernel")
    assert note.count() == 1
    assert "needs Python" in note.inner_text()
    assert page.locator(".cell_output", has=note).locator(".mtfl-plot[role=img]").count() == 1


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
    opened.page.wait_for_selector("#search-results li a")
    assert opened.page.locator("#search-results li a").count() > 0
    assert opened.errors == []
