"""Every page stays at home, makes no error, sets its mathematics and passes axe; links and alt texts are sound."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import check_links
import glyphs
import markup
import pytest
from axe import violations, violations_in_all_views
from check_links import anchor
from opened import AT_ONCE, BLOCKS, UNFOLD, Opened, first_frames, new_window, parsed, serve, styled
from playwright.sync_api import Browser, Page

from mtfl.sphinx_ext.fonts import subset_font

CITED = re.compile(r'<span class="bibtex-citation" id="([^"]+)">(.*?)</span>', flags=re.DOTALL)
RAW_TEX = re.compile(r"\\begin\{|\\\(|\\\[|\$\$")
PAGE = '<html lang="en"><head><title>t</title></head><body>{}</body></html>'


# All words of a page, those too that are folded or wait below.
WORDS = """() => {
    const skips = node => node.parentElement.closest("script, style, template");
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, node =>
        skips(node) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    let text = "";
    while (words.nextNode()) text += words.currentNode.data;
    return text;
}"""


def shown_wrong(opened: Opened) -> list[str]:
    """TeX that stands on a page as source, or as an error, wherever it is."""
    page = opened.page
    return RAW_TEX.findall(page.evaluate(WORDS)) + page.locator("mjx-merror, merror").all_text_contents()


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
    """Check that a page asked nobody else for anything, and made no error."""
    assert opened.away == []
    assert opened.errors == []


def test_page_is_quiet_as_a_file(open_page: Callable[..., Opened], site: Path, name: str) -> None:
    opened = open_page(site.resolve().as_uri() + "/", name, stopped=True)
    opened.page.clock.run_for(10_000)  # for what a page might ask for late
    quiet(opened)  # its words are those of the page that a server sends


def test_page_is_quiet_light_alive_and_accessible(open_page: Callable[..., Opened], served: str, name: str) -> None:
    opened = open_page(served, name, color_scheme="light")
    page = opened.page
    opened.settle()
    quiet(opened)
    assert shown_wrong(opened) == []
    assert opened.weight(served + name) <= 350_000  # bytes, compressed
    assert opened.weight() <= 540_000  # with all that pages share, when nothing is in the browser's cache
    assert page.locator("script[type^='application/vnd.jupyter.widget'], .jupyter-widgets").count() == 0
    # Each link to a figure names one of the page, and what that figure knows.
    page.evaluate(UNFOLD)
    page.evaluate("document.querySelectorAll('a.mtfl-set').forEach(link => link.checkVisibility() && link.click())")
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
    assert "needs Python" in (note.text_content() or "")
    assert page.locator(".cell_output", has=note).locator(".mtfl-plot[role=img]").count() == 1


# The background of each frame.
GROUNDS = "if (document.body) frames_seen.push(getComputedStyle(document.body).backgroundColor);"


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("chosen", [None, "light", "dark"])
def test_the_first_frame_has_the_readers_colours(
    open_page: Callable[..., Opened], served: str, system: str, chosen: str | None
) -> None:
    page = open_page(served, "references.html", color_scheme=system).page
    if chosen:
        page.evaluate("mode => localStorage.setItem('mode', mode)", chosen)
    expected = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}[chosen or system]
    assert set(first_frames(page, served + "intro.html", GROUNDS)) == {expected}


@pytest.fixture(scope="session")
def visited(browser: Browser, served: str) -> Iterator[Page]:
    """A window in which a page has been open, so that nothing that pages share comes late."""
    window = new_window(browser)
    page = window.new_page()
    page.goto(f"{served}references.html", wait_until="load")
    yield page
    window.close()


def test_no_element_is_styled_twice_as_a_page_opens(visited: Page, browser: Browser, served: str, name: str) -> None:
    page = visited

    def opens_quietly() -> bool:
        page.goto("about:blank")  # what is left of the page before would be counted too
        count = styled(browser, page, lambda: page.goto(served + name, wait_until="load"))
        # Pseudo-elements count as well, and what scripts add; a page that is styled anew counts everything twice.
        elements = page.evaluate("document.querySelectorAll('*').length")
        return count <= min(1.5 * elements, elements + 1000)

    # A slow machine reads a page in pieces: now and then a figure comes in two of them and is styled twice. A page that
    # a script styles anew is so each time.
    assert any(opens_quietly() for _ in range(3))


def test_a_page_that_is_styled_anew_is_seen(open_page: Callable[..., Opened], browser: Browser, served: str) -> None:
    page = open_page(served, "claims.html").page
    page.add_style_tag(content=AT_ONCE + "article * { outline: 0 solid }")
    change = "document.documentElement.dataset.theme = 'dark'"
    count = styled(browser, page, lambda: page.evaluate(change))
    assert count > page.evaluate("document.querySelectorAll('article *').length")


# Where each anchor lands: its distance from the top of the window when a link has led to it; -1 at the page's end.
# The last of the page comes first, so that nothing above an anchor has been laid out when its turn comes.
# A page that is laid out needs no frames to come to rest.
LANDINGS = """async ([names, frames]) => {
    const frame = () => new Promise(requestAnimationFrame), found = {};
    const node = name => document.getElementById(decodeURIComponent(name));
    const follows = (one, other) => node(one).compareDocumentPosition(node(other)) & Node.DOCUMENT_POSITION_PRECEDING;
    document.documentElement.style.scrollBehavior = "auto";
    for (const name of names.sort((one, other) => follows(one, other) ? -1 : 1)) {
        location.hash = name;
        for (let still = 0, last = null; still < frames; ) {
            await frame();
            still = scrollY === last ? still + 1 : 0;
            last = scrollY;
        }
        const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
        found[name] = end ? -1 : node(name).getBoundingClientRect().top;
    }
    return found;
}"""
NOTHING_WAITS = ("references.html", "search.html")


# The first and the last of the anchors within each block: a row of a long table moves with its table.
ENDS_OF_BLOCKS = f"""names => {{
    const first = new Map(), last = new Map();
    for (const name of names) {{
        const block = document.getElementById(decodeURIComponent(name)).closest("{BLOCKS}") ?? name;
        if (!first.has(block)) first.set(block, name);
        last.set(block, name);
    }}
    return [...new Set([...first.values(), ...last.values()])];
}}"""


def waiting(opened: Opened) -> int:
    """How many blocks of a page have not been laid out."""
    children = f"[...document.querySelectorAll('{BLOCKS} > *')]"
    return opened.page.evaluate(
        f"{children}.filter(node => !node.checkVisibility({{contentVisibilityAuto: true}})).length"
    )


def test_links_land_where_they_would_if_all_was_laid_out(shown: Opened, site: Path, name: str) -> None:
    targets = {
        address.partition("#")[::2] for _, address in check_links.Page((site / name).read_text("utf8")).references
    }
    anchors = sorted({anchor(fragment) for path, fragment in targets if not path and fragment})
    page = shown.page
    anchors = page.evaluate(ENDS_OF_BLOCKS, anchors)
    page.set_viewport_size({"width": 1280, "height": 360})  # less to paint, and fewer blocks laid out around a target
    shown.settle()
    assert waiting(shown) > 5 or name in NOTHING_WAITS  # else nothing is tested
    landed = page.evaluate(LANDINGS, [anchors, 3])
    style = page.add_style_tag(content=AT_ONCE)
    whole = page.evaluate(LANDINGS, [anchors, 0])
    style.evaluate("node => node.remove()")
    page.evaluate(UNFOLD.replace("true", "false"))  # what a link has opened
    assert {key: (landed[key], whole[key]) for key in whole if abs(landed[key] - whole[key]) > 2} == {}


# The longest piece of plain text in the last paragraph of the page.
LAST_WORDS = """[...[...document.querySelectorAll(".bd-article section > p")].at(-1).childNodes].map(
    node => node.nodeType === 3 ? node.data.trim().split("\\n")[0] : "").sort((a, b) => b.length - a.length)[0]"""


def test_what_waits_is_found_selected_read_and_printed(open_page: Callable[..., Opened], served: str) -> None:
    opened = open_page(served, "03_multitask_training.html")
    page = opened.page
    opened.settle()
    assert waiting(opened) > 100
    words = page.evaluate(LAST_WORDS)
    assert len(words) > 10
    assert words in page.evaluate("(getSelection().selectAllChildren(document.body), getSelection().toString())")
    assert words in page.locator(".bd-article").aria_snapshot()
    page.evaluate("(getSelection().empty(), scrollTo(0, 0))")
    assert page.evaluate("words => find(words)", words)  # as a reader's search does
    page.wait_for_function(
        "(at => at.top > 0 && at.bottom < innerHeight)(getSelection().getRangeAt(0).getBoundingClientRect())"
    )
    page.emulate_media(media="print")
    styles = page.evaluate(
        f"[...document.querySelectorAll('{BLOCKS}')].map(n => getComputedStyle(n).contentVisibility)"
    )
    assert set(styles) == {"visible"}


def test_mathematics_that_breaks_far_below_is_seen(open_page: Callable[..., Opened], served: str) -> None:
    opened = open_page(served, "03_multitask_training.html")
    place = "[...document.querySelectorAll('.bd-article section > p')].at(-1)"
    opened.page.evaluate(f"{place}.insertAdjacentHTML('afterend', '<p>$$ x</p><p><mjx-merror>no</mjx-merror></p>')")
    assert shown_wrong(opened) == ["$$", "no"]


def test_fonts_have_what_a_page_shows(shown: Opened, served: str, site: Path) -> None:
    shown.settle()
    assert glyphs.missing(shown, served, site) == []


ICON = 'font: 900 1em "Font Awesome 6 Free"'


@pytest.mark.parametrize(
    ("style", "body"),
    [
        ('p.x::after { --i: "\\f7e4"; content: var(--i); ICON }', '<p class="x">x</p>'),
        ("p.x::before { content: attr(title); ICON }", '<p class="x" title="\uf7e4">x</p>'),
        ("p.x { ICON }", '<p class="x">\uf7e4</p>'),
        ("p {}", '<p class="x">\u0378</p>'),
    ],
)
def test_a_character_without_a_glyph_is_seen(
    open_page: Callable[..., Opened], served: str, site: Path, style: str, body: str
) -> None:
    opened = open_page(served, "references.html")
    opened.page.add_style_tag(content=style.replace("ICON", ICON))
    opened.page.evaluate("html => document.querySelector('article').insertAdjacentHTML('beforeend', html)", body)
    found = glyphs.missing(opened, served, site)
    assert len(found) == 1
    assert "of p.x" in found[0]


def test_an_icon_that_was_cut_is_seen(open_page: Callable[..., Opened], site: Path, tmp_path: Path) -> None:
    shutil.copytree(site / "_static", tmp_path / "_static")
    shutil.copy(site / "intro.html", tmp_path)
    font = tmp_path / "_static" / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.woff2"
    subset_font(font, font, map(chr, glyphs.characters_of(font, {}) - {0xF0EB, 0xF06A}))
    with serve(tmp_path) as home:
        found = glyphs.missing(open_page(home, "intro.html"), home, tmp_path)
    assert found
    assert all(fault.startswith(("U+F0EB of ", "U+F06A of ")) for fault in found)


# What a reader tells apart by where lines are: the widths of an element's border and outline.
LINES = """node => {
    const style = getComputedStyle(node);
    const widths = ["Top", "Right", "Bottom", "Left"].map(side => style[`border${side}Width`]);
    return [...widths, style.outlineStyle === "none" ? "0px" : style.outlineWidth].map(parseFloat);
}"""


def test_forced_colours_leave_boxes_marks_and_plots(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "02_pseudo_contrastive_loss.html", forced_colors="active", color_scheme="dark").page
    page.add_style_tag(content=AT_ONCE)
    boxes = page.locator(".bd-content :is(.proof, .admonition, .sd-dropdown):not(.hide)").all()
    assert len(boxes) >= 20
    assert all(min(box.evaluate(LINES)[:4]) >= 1 for box in boxes)
    proofs = page.locator(".mtfl-proof").all()
    assert len(proofs) > 10
    assert all(proof.evaluate(LINES)[3] >= 1 for proof in proofs)
    links = page.locator("nav.bd-links a.reference.internal").all()
    outlined = [link.evaluate(LINES)[4] > 0 for link in links]
    assert outlined.count(True) == 1
    assert outlined[[(link.get_attribute("href") or "") == "#" for link in links].index(True)]
    inks = "node => [getComputedStyle(document.body).backgroundColor, getComputedStyle(node).fill]"
    ground, ink = page.locator(".mtfl-plot svg use").first.evaluate(inks)
    assert (ground, ink) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")


def test_markup_is_sound(site: Path, name: str) -> None:
    assert markup.faults((site / name).read_text("utf8")) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<p>a</p></p>", "unexpected-end-tag"),
        ('<a id="x">a</a><a id="x">b</a>', "2 times id x"),
        ("<details><summary><p>a</p></summary></details>", "<p> in <summary>"),
        ("<p><span><a><div>a</div></a></span></p>", "unexpected-end-tag"),
        ("<span><a><div>a</div></a></span>", "<div> in <span>"),
    ],
)
def test_unsound_markup_is_seen(body: str, fault: str) -> None:
    page = "<!DOCTYPE html>" + PAGE.format(body)
    assert any(fault in found for found in markup.faults(page))
    assert (
        markup.faults("<!DOCTYPE html>" + PAGE.format("<details><summary><h2>a</h2></summary><p>b</p></details>")) == []
    )
    assert markup.faults("<!DOCTYPE html><title></title>") == ["no language", "no title"]


def test_the_index_leads_to_the_first_page(open_page: Callable[..., Opened], site: Path, address: str) -> None:
    assert markup.faults((site / "index.html").read_text("utf8")) == []
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


def test_each_work_leads_to_the_pages_that_cite_it(site: Path) -> None:
    citing: dict[str, set[str]] = {}
    for path in site.glob("*.html"):
        for place, text in CITED.findall(path.read_text("utf8")):
            for work in re.findall(r'href="references\.html#([^"]+)"', text):
                citing.setdefault(work, set()).add(f"{path.name}#{place}")
    page = parsed(site / "references.html")
    named = {
        str(work["id"]): [str(link["href"]) for link in work.select(".mtfl-cited a")]
        for work in page.select("div.citation")
    }
    assert named.keys() == citing.keys()
    for work, links in named.items():
        assert set(links) <= citing[work]
        pages = [link.partition("#")[0] for link in links]
        assert sorted(pages) == sorted({link.partition("#")[0] for link in citing[work]} - {"references.html"})
