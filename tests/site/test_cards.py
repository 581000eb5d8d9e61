"""Cards show what a link refers to: by mouse, keyboard and finger, on the whole screen, and nothing else happens."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from axe import violations
from bs4 import BeautifulSoup
from opened import AT_ONCE, PAGES, SITE, Opened
from PIL import Image
from playwright.sync_api import Locator, Page, Route

from mtfl.figures import SYMBOL_COLOURS
from mtfl.sphinx_ext import cards
from mtfl.sphinx_ext.colours import SELECTORS

OPEN = "#mtfl-card:popover-open"
OPENS, CLOSES = 250, 300  # milliseconds, as in cards.js
LOSS = "02_pseudo_contrastive_loss.html"
FROZEN = "11_neighbours_frozen.html"  # a chapter of few formulas
NEAR = "#thm-neighbour-context"  # within it
STORY = "story.html"  # the lightest page with links to statements
THEOREM = f"{LOSS}#thm-pseudo-contrastive"


def link_to(page: Page, href: str) -> Locator:
    """The first link of the text that leads there and is not folded."""
    return page.locator(f".bd-article a.reference.internal[href='{href}']:not(details:not([open]) *)").first


# The middle of a link's first line, in the box around all its lines, whose own middle may lie beside them.
PLACE = """link => {
    const box = link.getBoundingClientRect(), line = link.getClientRects()[0];
    return { x: line.left - box.left + line.width / 2, y: line.top - box.top + line.height / 2 };
}"""


def point_at(link: Locator) -> None:
    """Bring the pointer to a link."""
    link.hover(position=link.evaluate(PLACE))
    link.hover(position=link.evaluate(PLACE))  # blocks that had not been laid out may have moved it


def rest_on(link: Locator) -> None:
    """Let the pointer rest on a link, on a page whose clock is stopped."""
    point_at(link)
    link.page.clock.run_for(OPENS)
    link.page.wait_for_selector(OPEN)


def come_to(link: Locator) -> None:
    """Bring the keyboard to a link, on a page whose clock is stopped."""
    link.page.keyboard.press("Tab")  # so that the keyboard is what the reader uses
    link.focus()
    link.page.clock.run_for(OPENS)
    link.page.wait_for_selector(OPEN)


# The links of some pages whose card does not say what stands at their target, in words and the TeX of formulas; a part
# of it, where that is long.
WRONG_CARDS = """async names => {
    const parser = new DOMParser(), pages = {}, known = {}, each = [], wrong = [];
    const text = async path => fetch(path).then(answer => answer.ok ? answer.text() : "mtflCards({});\\n");
    const load = async name => (pages[name] ??= {
        cards: JSON.parse((await text(`_static/cards/${name}.js`)).replace(/^mtflCards\\(|\\);\\n$/g, "")),
        there: parser.parseFromString(await text(`${name}.html`), "text/html"),
    });
    const told = (...nodes) => {
        const holder = document.createElement("div");
        holder.append(...nodes.map(node => node.cloneNode(true)));
        const tools = ".headerlink, .mtfl-tools, .mtfl-card-place, .citation > .label";
        for (const node of holder.querySelectorAll(tools)) node.remove();
        const tex = [...holder.querySelectorAll("[data-tex]")].map(node => node.dataset.tex);
        return [holder.textContent.replace(/\\s+/g, ""), ...tex];
    };
    const all = "a.reference.internal, .mtfl-ledger a";
    for (const from of names) {
        const { there } = await load(from), links = new Set();
        for (const link of there.querySelectorAll(`.bd-article :is(${all}):not(.mtfl-set, .mtfl-rows *)`))
            links.add(link.getAttribute("href"));
        each.push(...[...links].map(href => [from, href]));
    }
    const is_wrong = async (name, anchor) => {
        const { cards, there } = await load(name);
        let target = anchor ? there.getElementById(anchor) : there.querySelector("article section");
        if (target.matches("span, p:empty")) target = target.closest("tr, section");
        const card = parser.parseFromString(cards[anchor] ?? "", "text/html").body;
        const whole = target.matches(".proof, .math, .citation, figure, .glossary > dt");
        const parts = [target.querySelector(":scope > figcaption") ?? target];
        let next = target;
        while (target.matches("dt") && !next.matches("dd")) next = next.nextElementSibling;
        if (next !== target) parts.push(next);
        const says = told(...card.childNodes), stands = told(...parts);
        const blocks = target.matches("tr") ? [] : [...card.querySelectorAll(":is(p, dt):not(.mtfl-card-place)")];
        return !says[0] || !blocks.every(node => stands[0].includes(told(node)[0])) || !(whole
            ? JSON.stringify(says) === JSON.stringify(stands)
            : says.slice(1).every(tex => stands.indexOf(tex, 1) > 0));
    };
    for (const [from, href] of each) {
        const [page, hash = ""] = href.split("#"), name = page.replace(".html", "") || from;
        if (known[`${name}#${hash}`] ??= await is_wrong(name, decodeURIComponent(hash))) wrong.push([from, href]);
    }
    return wrong;
}"""


def wrong_cards(page: Page, names: list[str]) -> list[tuple[str, str]]:
    """The links of some pages whose card does not say what stands there."""
    return [tuple(link) for link in page.evaluate(WRONG_CARDS, names)]


def test_each_card_says_what_stands_there(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "references.html").page
    assert wrong_cards(page, [name.removesuffix(".html") for name in PAGES]) == []


def test_a_card_that_says_something_else_is_seen(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "references.html").page

    def plant(route: Route) -> None:
        text = route.fetch().text()
        route.fulfill(body=text.replace("whatever the labels are", "whatever").replace('"lem-head-step"', '"gone"'))

    page.route("**/_static/cards/02*.js", plant)
    loss = LOSS.removesuffix(".html")
    assert wrong_cards(page, [loss]) == [(loss, "#lem-head-step"), (loss, "#thm-pseudo-contrastive")]


def test_by_mouse(open_page: Callable[..., Opened], address: str) -> None:
    opened = open_page(address, FROZEN, stopped=True)
    page = opened.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.resource_type} {request.url.removeprefix(address)}"))
    page.add_style_tag(content=AT_ONCE)  # nothing else may move
    link = link_to(page, NEAR)
    point_at(link)
    places = "[...document.querySelectorAll('.bd-article *')].map(n => n.getBoundingClientRect().top)"
    before = page.evaluate(places)
    page.clock.run_for(OPENS - 1)
    assert page.locator(OPEN).count() == 0
    page.clock.run_for(1)
    page.wait_for_selector(OPEN)
    card = page.locator(OPEN)
    assert "Theorem 11.2" in (card.text_content() or "")
    assert "proof" in (card.locator("> div").get_attribute("class") or "")
    assert card.locator("[id]").count() == 0
    assert page.evaluate(places) == before  # nothing moves
    assert link.get_attribute("aria-details") == "mtfl-card"
    card.hover()
    page.clock.run_for(10 * CLOSES)
    assert card.count() == 1  # it stays as long as the pointer is there
    page.mouse.move(2, 2)
    page.clock.run_for(CLOSES)
    assert card.count() == 0
    assert link.get_attribute("aria-details") is None
    rest_on(link)
    page.keyboard.press("Escape")
    assert card.count() == 0
    point_at(link)
    page.clock.run_for(10 * OPENS)
    assert card.count() == 0  # and stays closed until the pointer has left
    assert [what for what in asked if not what.startswith("font ")] == [
        f"script _static/cards/{FROZEN.removesuffix('.html')}.js"
    ]
    assert opened.away == opened.errors == []


def test_a_pointer_that_passes_by_opens_nothing(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, STORY, stopped=True).page
    point_at(link_to(page, THEOREM))
    page.mouse.move(2, 2)
    page.clock.run_for(10 * OPENS)
    assert page.locator(OPEN).count() == 0


def test_a_click_follows_the_link(open_page: Callable[..., Opened], address: str) -> None:
    page = open_page(address, FROZEN, stopped=True).page
    link = link_to(page, NEAR)
    rest_on(link)
    link.click()
    assert page.url == f"{address}{FROZEN}{NEAR}"
    assert page.locator(OPEN).count() == 0


def test_by_keyboard(open_page: Callable[..., Opened], address: str) -> None:
    page = open_page(address, FROZEN, stopped=True).page
    link = link_to(page, NEAR)
    focused = "document.activeElement.closest('#mtfl-card, a').id || document.activeElement.getAttribute('href')"
    come_to(link)
    assert page.evaluate(focused) == NEAR
    page.mouse.move(300, 300)
    page.clock.run_for(10 * CLOSES)
    assert page.locator(OPEN).count() == 1
    page.keyboard.press("Tab")
    inside = "document.activeElement.closest('#mtfl-card') !== null"
    assert page.evaluate(inside)  # its links come next
    page.clock.run_for(10 * CLOSES)
    assert page.locator(OPEN).count() == 1
    page.keyboard.press("Escape")
    assert page.locator(OPEN).count() == 0
    assert page.evaluate(focused) == NEAR
    page.keyboard.press("Enter")
    assert page.url.endswith(NEAR)


def test_a_pointer_under_which_the_page_moves_takes_no_card_away(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, STORY, stopped=True).page
    link = link_to(page, THEOREM)
    page.keyboard.press("Tab")
    link.focus()
    page.mouse.move(300, 300)
    page.mouse.move(310, 400)
    page.clock.run_for(OPENS)
    page.wait_for_selector(OPEN)


def darkness(card: Locator, top: float) -> float:
    """How much darker a card is above its lower edge than in its middle, scrolled so far; between corner and words."""
    card.evaluate("(node, top) => node.scrollTo({ top, behavior: 'instant' })", top)
    picture = np.asarray(Image.open(io.BytesIO(card.screenshot())).convert("L")).astype(float)
    height = len(picture)
    return float(picture[height // 2, 6:12].mean() - picture[height - 9 : height - 6, 6:12].mean())


def test_a_card_that_is_too_tall_shows_that_it_goes_on(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, STORY, stopped=True, viewport={"width": 500, "height": 300}).page
    rest_on(link_to(page, THEOREM))
    card = page.locator(OPEN)
    more = card.evaluate("node => node.scrollHeight - node.clientHeight")
    assert more > 50
    assert darkness(card, 0) > 20
    assert abs(darkness(card, more)) < 3


def test_by_finger(open_page: Callable[..., Opened], address: str) -> None:
    page = open_page(address, STORY, has_touch=True, viewport={"width": 360, "height": 740}).page
    link = link_to(page, "claims.html")
    card = page.locator(OPEN)
    link.scroll_into_view_if_needed()
    link.tap()
    page.wait_for_selector(OPEN)
    assert page.url == address + STORY
    page.touchscreen.tap(2, 2)
    assert card.count() == 0
    link.tap()
    page.wait_for_selector(OPEN)
    link.tap()
    page.wait_for_url(address + "claims.html")


def test_a_tap_without_a_card_follows_the_link(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, STORY, has_touch=True).page
    page.route("**/_static/cards/*", lambda route: route.abort())
    link_to(page, "claims.html").tap()
    page.wait_for_url(served + "claims.html")


# What sticks out of the window, or covers the link: sides of the card's box.
OUTSIDE = """link => {
    const { left, right, top, bottom } = document.querySelector("#mtfl-card").getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const lines = [...link.getClientRects()];
    const covers = lines.some(line => line.top < bottom && line.bottom > top && line.left < right && line.right > left);
    const sides = { left: left < 0, right: right > clientWidth, top: top < 0, bottom: bottom > clientHeight, covers };
    return Object.keys(sides).filter(side => sides[side]);
}"""


# Bring a link to the start, the centre or the end of the window, and a pointer to the first line of the link.
LEAD_TO = """(link, block) => {
    link.scrollIntoView({ block, behavior: "instant" });
    const { left, top, width, height } = link.getClientRects()[0];
    const [clientX, clientY] = [left + width / 2, top + height / 2];
    link.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, pointerType: "mouse", clientX, clientY }));
}"""


@pytest.mark.parametrize("view", [(360, 740), (1280, 800), (1280, 420)])
def test_no_card_leaves_the_window(open_page: Callable[..., Opened], served: str, view: tuple[int, int]) -> None:
    page = open_page(served, FROZEN, stopped=True, viewport=dict(zip(("width", "height"), view, strict=True))).page
    page.add_style_tag(content=AT_ONCE)  # nothing else may move
    links = page.locator(".bd-article a.reference.internal:not(.mtfl-set):visible").element_handles()
    assert len(links) > 60
    for place, link in zip(("start", "center", "end") * 3, links[:: len(links) // 9], strict=False):
        link.evaluate(LEAD_TO, place)
        page.clock.run_for(OPENS)
        page.wait_for_selector(OPEN)
        assert link.evaluate(OUTSIDE) == [], link.get_attribute("href")
        wide = page.locator(OPEN).evaluate("card => card.scrollWidth - card.clientWidth")
        assert wide <= 0, link.get_attribute("href")
        page.keyboard.press("Escape")


def test_a_card_outside_the_window_is_seen(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, FROZEN, stopped=True, viewport={"width": 360, "height": 740}).page
    page.add_style_tag(content=".mtfl-card { margin: 0 0 0 300px !important }")
    link = link_to(page, NEAR)
    rest_on(link)
    assert "right" in link.evaluate(OUTSIDE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_is_accessible_and_not_printed(open_page: Callable[..., Opened], served: str, scheme: str) -> None:
    opened = open_page(served, STORY, stopped=True, color_scheme=scheme)
    page = opened.page
    come_to(link_to(page, THEOREM))
    page.clock.resume()
    assert violations(opened) == []
    assert page.locator(OPEN).is_visible()
    page.emulate_media(media="print")
    assert not page.locator("#mtfl-card").is_visible()


def test_forced_colours_leave_the_card_a_border(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, STORY, stopped=True, forced_colors="active").page
    rest_on(link_to(page, THEOREM))
    box = page.locator(OPEN).bounding_box()
    assert box is not None

    def edges() -> list[int]:
        """How far the last pixels of the card at its left and at its lower edge differ from each other, of 255."""
        middle, low = round(box["y"] + box["height"] / 2), round(box["y"] + box["height"])
        clips = [(round(box["x"]), middle, 4, 1), (round(box["x"] + box["width"] / 2), low - 4, 1, 4)]
        pixels = [page.screenshot(clip=dict(zip(("x", "y", "width", "height"), clip, strict=True))) for clip in clips]  # type: ignore[arg-type]
        return [int(np.ptp(np.asarray(Image.open(io.BytesIO(shot)).convert("L")).astype(int))) for shot in pixels]

    assert min(edges()) > 100
    page.add_style_tag(content="#mtfl-card { border-color: Canvas !important; forced-color-adjust: none !important }")
    assert max(edges()) < 100


def test_a_figure_shows_its_picture(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "01_setup.html", stopped=True).page
    rest_on(link_to(page, "#fig-setup-patterns"))
    picture = page.locator(f"{OPEN} > .mtfl-plot")
    assert "Patterns are uniform for Gaussian" in (page.locator(OPEN).text_content() or "")
    assert picture.bounding_box()["height"] < 400  # type: ignore[index]  # it is shown
    ids = "(all => all.length - new Set(all).size)([...document.querySelectorAll('[id]')].map(node => node.id))"
    assert page.evaluate(ids) == 0


def test_each_word_and_symbol_is_linked_once_and_in_the_text(site: Path) -> None:
    chapters = [*sorted(site.glob("[01]*.html")), site / "intro.html"]
    assert len(chapters) > 5
    for path in chapters:
        page = cards.Page(path.stem, path.read_text("utf8")).soup
        links = [str(link["href"]) for link in page("a", class_="mtfl-term")]
        assert len(links) == len(set(links)) > 10, path
        assert page.select(":is(h1, h2, h3, h4, figcaption, table, .proof, .cell) a.mtfl-term") == [], path
        assert {link.partition("#")[0] for link in links} == {"glossary.html", "notation.html"}, path


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_symbols_have_their_colours(open_page: Callable[..., Opened], served: str, mode: str) -> None:
    page = open_page(served, "notation.html", color_scheme=mode).page
    shown = {
        symbol: page.locator(f".bd-article {place}").first.evaluate("node => getComputedStyle(node).color")
        for symbol, place in SELECTORS.items()
    }
    for symbol, pair in SYMBOL_COLOURS.items():
        red, green, blue = bytes.fromhex(pair[mode == "dark"][1:])
        assert shown[symbol] == f"rgb({red}, {green}, {blue})"


BODY = """<section id="title"><h1>Title</h1><p>First.</p>
<section id="part"><span id="sec-part"></span><h2><span>1.1. </span>Part<a class="headerlink" href="#part">#</a></h2>
<p>So <a href="#thm-a">it</a> is:</p><div class="math" id="equation-a">{formula}</div><p>Then.</p>
<div class="proof theorem admonition" id="thm-a">
<p class="admonition-title">Theorem 1 (A)<span class="mtfl-tools"></span></p>
<section id="content"><p>See <a href="#equation-a">(1)</a>.</p></section></div>
<table><thead><tr><th>symbol</th><th>meaning</th><th>in the code</th></tr></thead>
<tbody><tr id="row"><td>x</td><td>an input</td><td>X</td></tr></tbody></table>
<div class="mtfl-ledger"><article id="ledger-a"><p>A <small>sharp</small></p><blockquote>Says.</blockquote><ul></ul>
</article></div>
<dl class="glossary"><dt id="term-a">a<a class="headerlink" href="#term-a">#</a></dt><dd><p>One.</p></dd></dl>
<div class="mtfl-rows"><a href="other.html">x</a></div></section></section>"""
TYPESET = '<mjx-container data-tex="a"><b id="kept"></b></mjx-container>'


def card_of(anchor: str) -> tuple[str, BeautifulSoup]:
    """The card of an anchor of the page above: its words without the last line and without spaces, and its markup."""
    soup = BeautifulSoup(cards.Page("page", BODY.format(formula=TYPESET)).card(anchor), "html.parser")
    words = "".join(part.get_text() for part in soup.find_all(recursive=False)[:-1])  # type: ignore[union-attr]
    return "".join(words.split()), soup


@pytest.mark.parametrize(
    ("anchor", "words"),
    [
        ("", "First."),
        ("sec-part", "1.1. Part So it is:"),
        ("thm-a", "Theorem 1 (A) See (1)."),
        ("row", "x: an input in the code: X"),
        ("ledger-a", "A sharp Says."),
        ("term-a", "a One."),
    ],
)
def test_what_a_card_says(anchor: str, words: str) -> None:
    assert card_of(anchor)[0] == words.replace(" ", "")


def test_formulas_are_kept_and_links_lead_home() -> None:
    _, soup = card_of("sec-part")
    assert TYPESET in str(soup)
    assert [link["href"] for link in soup("a")] == ["page.html#thm-a", "page.html#sec-part"]
    assert soup("a")[-1].parent.get_text() == "in Title"  # type: ignore[union-attr]
    assert cards.Page("page", BODY).card("gone") == ""


def test_only_links_of_the_text_ask_for_cards() -> None:
    assert cards.Page("page", BODY).links() == {("page", "thm-a"), ("page", "equation-a")}


def test_a_symbol_means_what_it_means_in_its_chapter() -> None:
    """Rows of a chapter's own letters are linked from that chapter only."""
    own = set()
    for page in SITE.glob("[0-9]*.html"):
        anchors = set(re.findall(r'href="notation\.html#symbol-[^"]*?(?:-(0\d))?"', page.read_text()))
        assert "" in anchors and anchors <= {"", page.name[:2]}, page.name
        own |= anchors - {""}
    assert len(own) > 2
