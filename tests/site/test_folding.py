"""Proofs and code that pages fold: nothing is lost, links and searches open them, switches open all and are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from opened import AT_ONCE, CLIPBOARD, Opened, first_frames, texts_of
from playwright.sync_api import Browser, Page

BOOK = Path(__file__).parents[2] / "book"
CHAPTER = "03_multitask_training.html"
CITED = "01_setup.html"  # its text refers to an equation in a proof
PLAIN = "references.html"  # has neither proofs nor code
KINDS = ["proof", "code"]
# How many of a kind are open, and how many there are.
OPEN = """kind => {
    const all = [...document.querySelectorAll(`details.mtfl-${kind}`)];
    return [all.filter(one => one.open).length, all.length];
}"""
# An equation in a proof to which some link of the page leads.
IN_A_PROOF = """() => [...document.querySelectorAll("details.mtfl-proof .math[id]")].map(node => node.id)
    .find(id => document.querySelector(`article a[href="#${id}"]:not(.headerlink, .mtfl-proof *)`))"""
# The longest proof, and words of it in plain text.
LONG_PROOF = """() => {
    const proof = [...document.querySelectorAll("details.mtfl-proof")]
        .sort((a, b) => b.textContent.length - a.textContent.length)[0];
    const words = [...proof.querySelectorAll("p")].flatMap(line => [...line.childNodes])
        .filter(node => node.nodeType === 3).map(node => node.data.trim().split("\\n")[0]);
    return [proof.id, words.sort((a, b) => b.length - a.length)[0]];
}"""


def is_open(page: Page, anchor: str) -> bool:
    """Whether all that an element is folded into is open, and the element is in the window."""
    page.wait_for_function("() => new Promise(done => requestAnimationFrame(() => done(true)))")
    return page.evaluate(
        """id => {
        const node = document.getElementById(id), box = node.getBoundingClientRect();
        return !node.closest("details:not([open])") && box.top >= 0 && box.top < innerHeight;
    }""",
        anchor,
    )


def switch(page: Page, kind: str) -> None:
    """Click a switch, as a mouse does; Playwright's own click would scroll the page."""
    box = page.locator(f".mtfl-switch[data-kind={kind}]").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def pressed(page: Page, kind: str) -> str | None:
    """What a switch tells a screen reader."""
    return page.locator(f".mtfl-switch[data-kind={kind}]").get_attribute("aria-pressed")


# Nothing is lost, and nothing is empty


def letters(text: str) -> str:
    return re.sub(r"\s", "", text)


# How many proofs a page has, what its cells say, which kinds it folds, which switches it has, and what more than text
# stands in the ideas of its proofs.
IN_A_PAGE = """kinds => {
    const all = selector => [...document.querySelectorAll(selector)];
    return [all("details.mtfl-proof[id]").length, all("div.cell .cell_input pre").map(cell => cell.textContent),
        kinds.filter(kind => all(`details.mtfl-${kind}`).length), all(".mtfl-switch").map(node => node.dataset.kind),
        all(".mtfl-idea :is(a, p)").map(node => node.outerHTML)];
}"""


def test_every_proof_and_cell_is_in_its_page(shown: Opened, name: str) -> None:
    source = (BOOK / name).with_suffix(".ipynb")
    cells = nbformat.read(source, as_version=4).cells if source.exists() else []
    proofs, shows, folds, switches, marked = shown.page.evaluate(IN_A_PAGE, KINDS)
    assert proofs == sum(len(re.findall(r"^[`:]{3,}\{prf:proof\}", cell.source, flags=re.MULTILINE)) for cell in cells)
    brief = name in ("intro.html", "story.html")  # they leave out what only their numbers need
    told = [cell for cell in cells if not brief or "remove-cell" not in cell.metadata.get("tags", ())]
    written = [letters(cell.source) for cell in told if cell.cell_type == "code"]
    assert [letters(text) for text in shows] == written
    assert switches == folds
    assert marked == []


# How much is open; what is seen of each cell: the height of its bar, of itself, and whether something that it has put
# out is seen; and the same with all code open. In one go: nothing of it is painted.
CELLS = """style => {
    const height = node => node?.checkVisibility() ? node.getBoundingClientRect().height : 0;
    const cells = () => [...document.querySelectorAll("div.cell:has(> .mtfl-code)")].map(cell => [
        height(cell.querySelector(":scope > .mtfl-code > summary")), height(cell),
        [...cell.querySelectorAll(".cell_output *")].some(height)]);
    const at_once = document.createElement("style"), code = document.querySelector(".mtfl-switch[data-kind=code]");
    at_once.textContent = style;
    document.head.append(at_once);
    const open = document.querySelectorAll("details:is(.mtfl-proof, .mtfl-code)[open]").length, folded = cells();
    code?.click();
    const unfolded = cells();
    code?.click();
    at_once.remove();
    return [open, folded, unfolded];
}"""


def test_a_bar_stands_for_something(shown: Opened) -> None:
    open_at_first, folded, unfolded = shown.page.evaluate(CELLS, AT_ONCE)
    assert open_at_first == 0
    for bar, height, has_output in folded:
        assert (bar >= 20 and has_output) or height == 0
    assert all(bar >= 20 and height > bar for bar, height, _ in unfolded)


# Links, searches and the browser's find lead into what is folded


def test_an_address_opens_what_it_leads_into(open_page: Callable[..., Opened], address: str) -> None:
    page = open_page(address, CITED).page
    equation = page.evaluate(IN_A_PROOF)
    for anchor in (equation, page.evaluate(LONG_PROOF)[0]):
        page.goto("about:blank")
        page.goto(f"{address}{CITED}#{anchor}", wait_until="load")
        assert is_open(page, anchor)
        assert page.evaluate(OPEN, "proof")[0] == 1


def test_a_link_opens_what_it_leads_into_and_so_does_back(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, CITED, reduced_motion="reduce").page
    page.add_style_tag(content="html { scroll-behavior: auto !important }")
    equation = page.evaluate(IN_A_PROOF)
    link = page.locator(f"article a[href='#{equation}']:not(.headerlink, .mtfl-proof *)").first
    fold = "all => all.forEach(one => one.open = false)"
    for _ in range(2):  # the second time the address does not change
        page.locator("details.mtfl-proof").evaluate_all(fold)
        link.click()
        assert is_open(page, equation)
    page.evaluate("location.hash = document.querySelector('article section section').id")
    page.locator("details.mtfl-proof").evaluate_all(fold)
    page.go_back()
    page.wait_for_url(f"**#{equation}")
    assert is_open(page, equation)


def test_back_from_another_page_does_not_lead_to_a_figure_that_was_moved(
    open_page: Callable[..., Opened], served: str
) -> None:
    opened = open_page(served, "02_pseudo_contrastive_loss.html", reduced_motion="reduce")
    page = opened.page
    page.locator(".mtfl-figure [type=range]").first.press("End")
    page.wait_for_function("location.hash.includes('tasks=inf')")
    page.evaluate("scrollTo({ top: 9000, behavior: 'instant' })")
    opened.settle()
    page.goto(served + "references.html", wait_until="load")
    page.go_back(wait_until="load")
    opened.settle()
    assert page.evaluate("Object.keys(history.state.mtfl)") == ["fig-loss-pairs"]
    assert page.locator(".mtfl-figure").first.evaluate("node => node.getBoundingClientRect().bottom") < 0


BLOCKS = "[...document.querySelectorAll('.bd-article section > :not(section)')]"
READ = f"""() => {BLOCKS}.findLastIndex((node) =>
    node.getBoundingClientRect().top < 300 && node.checkVisibility({{ contentVisibilityAuto: true }}))"""


@pytest.mark.parametrize("width", [360, 1280])
def test_who_comes_back_from_another_page_finds_what_he_read(
    open_page: Callable[..., Opened], served: str, width: int
) -> None:
    """Most blocks above were not drawn when the page was left, or are not drawn any more."""
    opened = open_page(served, CITED, viewport={"width": width, "height": 800})
    page = opened.page
    for share in (0.3, 0.8, 0):
        page.evaluate("part => scrollTo({ top: document.body.scrollHeight * part, behavior: 'instant' })", share)
        opened.settle()
        top = f"{BLOCKS}[{page.evaluate(READ)}].getBoundingClientRect().top"
        before = page.evaluate(top)
        page.goto(served + PLAIN, wait_until="load")
        page.go_back(wait_until="load")
        opened.settle()
        assert abs(page.evaluate(top) - before) <= 2


@pytest.mark.parametrize("opened_above", [True, False])
def test_back_leads_to_the_link_that_led_into_a_proof(
    open_page: Callable[..., Opened], served: str, opened_above: bool
) -> None:
    opened = open_page(served, CITED, reduced_motion="reduce")
    page = opened.page
    page.add_style_tag(content=AT_ONCE + "html { scroll-behavior: auto !important }")
    equation = page.evaluate(IN_A_PROOF)
    link = page.locator(f"article a[href='#{equation}']:not(.headerlink, .mtfl-proof *)").first
    link.evaluate("node => scrollBy(0, node.getBoundingClientRect().top - 300)")
    if opened_above:  # else the proof is below its link, as here it is above
        page.evaluate("id => document.getElementById(id).closest('details').remove()", equation)
        page.evaluate(
            """([id, high]) => {
                const link = document.querySelector(`article a[href="#${id}"]:not(.headerlink, .mtfl-proof *)`);
                document.querySelector("article section section").insertAdjacentHTML("afterend",
                    `<details><summary>More</summary><p style="height: ${high}px" id="${id}"></p></details>`);
                scrollBy(0, link.getBoundingClientRect().top - 300);
            }""",
            [equation, 1500],
        )
    opened.settle()
    before = link.evaluate("node => node.getBoundingClientRect().top")
    link.click()
    assert is_open(page, equation)
    opened.settle()
    page.go_back()
    page.wait_for_url(lambda address: "#" not in address)
    opened.settle()
    assert abs(link.evaluate("node => node.getBoundingClientRect().top") - before) <= 2
    page.go_forward()
    page.wait_for_url(f"**#{equation}")
    assert is_open(page, equation)


def test_who_reloads_a_page_stays_where_he_was(open_page: Callable[..., Opened], served: str) -> None:
    opened = open_page(served, CITED)
    page = opened.page
    equation = page.evaluate(IN_A_PROOF)
    page.goto(f"{served}{CITED}#{equation}", wait_until="load")
    assert is_open(page, equation)
    page.add_style_tag(content="html { scroll-behavior: auto !important }")
    opened.settle()
    page.evaluate("scrollTo(0, 200)")
    opened.settle()
    page.reload(wait_until="load")
    opened.settle()
    assert page.evaluate("scrollY") == pytest.approx(200, abs=2)
    assert page.evaluate(OPEN, "proof")[0] == 1


def test_a_browser_that_opens_nothing_itself_is_helped(open_page: Callable[..., Opened], served: str) -> None:
    opened = open_page(served, CITED)
    page = opened.page
    equation = page.evaluate(IN_A_PROOF)
    page.evaluate("id => history.replaceState(null, '', `#${id}`)", equation)  # Chromium leaves it folded
    assert not is_open(page, equation)
    page.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
    assert is_open(page, equation)
    page.evaluate("location.hash = '%'")
    page.evaluate("location.hash = 'fig-none?tasks=1'")
    assert opened.errors == []


def test_what_the_browser_finds_opens(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, CHAPTER).page
    proof, words = page.evaluate(LONG_PROOF)
    assert len(words) > 20
    page.goto("about:blank")
    page.goto(f"{served}{CHAPTER}#:~:text={words.replace(' ', '%20').replace(',', '%2C').replace('-', '%2D')}")
    page.wait_for_function("id => document.getElementById(id).open", arg=proof)
    page.goto("about:blank")
    silent = "document.querySelector('.mtfl-silent .mtfl-code')"
    page.goto(f"{served}{CHAPTER}")
    line = page.evaluate(f"{silent}.querySelector('.mtfl-code-line:nth-last-of-type(1)').textContent").split(
        " import "
    )[0]
    page.goto("about:blank")
    page.goto(f"{served}{CHAPTER}#:~:text={line.replace(' ', '%20')}")
    page.wait_for_function(f"{silent}.open && {silent}.firstElementChild.checkVisibility()")


def test_a_search_leads_into_a_proof(open_page: Callable[..., Opened], address: str) -> None:
    page = open_page(address, CHAPTER).page
    _, words = page.evaluate(LONG_PROOF)
    page.goto(f"{address}search.html?q={words.replace(' ', '+')}", wait_until="load")
    link = page.locator("#search-results li > a").first
    assert link.inner_text().startswith("Proof of ")
    anchor = (link.get_attribute("href") or "").partition("#")[2]
    link.click()
    page.wait_for_url(f"**/{CHAPTER}#{anchor}")
    page.wait_for_load_state("load")
    assert is_open(page, anchor)


# Switches


@pytest.mark.parametrize("kind", KINDS)
def test_a_switch_opens_and_folds_all_and_is_kept(open_page: Callable[..., Opened], address: str, kind: str) -> None:
    opened = open_page(address, CHAPTER)
    page = opened.page
    (other,) = {*KINDS} - {kind}
    assert (pressed(page, kind), page.evaluate(OPEN, kind)[0]) == ("false", 0)
    page.locator(f".mtfl-switch[data-kind={kind}]").focus()
    page.keyboard.press("Space")
    count, total = page.evaluate(OPEN, kind)
    assert count == total > 5
    assert (pressed(page, kind), pressed(page, other), page.evaluate(OPEN, other)[0]) == ("true", "false", 0)
    page.goto(address + "02_pseudo_contrastive_loss.html", wait_until="load")
    count, total = page.evaluate(OPEN, kind)
    assert count == total > 5
    assert (pressed(page, kind), page.evaluate(OPEN, other)[0]) == ("true", 0)
    switch(page, kind)
    assert (pressed(page, kind), page.evaluate(OPEN, kind)[0]) == ("false", 0)
    page.goto(address + CHAPTER, wait_until="load")
    assert (pressed(page, kind), page.evaluate(OPEN, kind)[0]) == ("false", 0)
    assert opened.errors == []


def test_a_proof_is_opened_by_keyboard(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, CHAPTER).page
    proof = page.locator("details.mtfl-proof").first
    proof.locator("summary").press("Enter")
    assert proof.evaluate("node => node.open")
    assert "disclosure" in proof.aria_snapshot() or "group" in proof.aria_snapshot()


NO_STORAGE = """Object.defineProperty(window, "localStorage",
    { get() { throw new DOMException("The operation is insecure.", "SecurityError"); } })"""


def test_switches_work_where_nothing_can_be_kept(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, PLAIN, color_scheme="dark").page
    page.add_init_script(NO_STORAGE)
    page.goto(served + CHAPTER, wait_until="load")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    switch(page, "proof")
    count, total = page.evaluate(OPEN, "proof")
    assert count == total > 5
    switch(page, "proof")
    assert page.evaluate(OPEN, "proof")[0] == 0


def test_a_choice_on_another_page_holds_when_one_goes_back(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, CHAPTER).page
    page.evaluate("localStorage.setItem('mtfl-proof', 'open')")  # as another page does
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    count, total = page.evaluate(OPEN, "proof")
    assert count == total
    assert pressed(page, "proof") == "true"


# How many proofs and cells are there and how many of them are folded, at each frame.
FOLDS = """const all = document.querySelectorAll("details:is(.mtfl-proof, .mtfl-code)");
    frames_seen.push([all.length, [...all].filter(one => !one.open).length]);"""


def test_the_first_frame_is_as_the_reader_has_chosen(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, PLAIN).page
    page.evaluate("['proof', 'code'].forEach(kind => localStorage.setItem(`mtfl-${kind}`, 'open'))")
    frames = first_frames(page, served + CHAPTER, FOLDS)
    assert frames[-1][0] > 50
    assert {folded for _, folded in frames} == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_the_line_that_is_read_stays_where_it_is(open_page: Callable[..., Opened], served: str, kind: str) -> None:
    opened = open_page(served, CHAPTER)
    page = opened.page
    page.add_style_tag(content="html { scroll-behavior: auto !important }")
    line = page.locator(".bd-article section > p").nth(40)
    line.evaluate("node => scrollBy(0, node.getBoundingClientRect().top - 100)")
    opened.settle()
    line.evaluate("node => scrollBy(0, node.getBoundingClientRect().top - 100)")
    opened.settle()
    before = line.evaluate("node => node.getBoundingClientRect().top")
    for _ in range(2):
        switch(page, kind)
        opened.settle()
        assert abs(line.evaluate("node => node.getBoundingClientRect().top") - before) <= 2


@pytest.mark.parametrize("below", [200, 800])
def test_who_closes_a_proof_in_which_he_reads_sees_where_it_was(
    open_page: Callable[..., Opened], served: str, below: int
) -> None:
    opened = open_page(served, CHAPTER)
    page = opened.page
    page.add_style_tag(content="html { scroll-behavior: auto !important }")
    switch(page, "proof")
    proof = page.locator(f"#{page.evaluate(LONG_PROOF)[0]}")
    for _ in range(2):
        proof.evaluate("(node, below) => scrollBy(0, node.getBoundingClientRect().bottom - below)", below)
        opened.settle()
    assert proof.evaluate("node => node.getBoundingClientRect().top") < 0
    switch(page, "proof")
    opened.settle()
    assert 0 <= proof.evaluate("node => node.getBoundingClientRect().top") < 200


VIEWS = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark"), (320, "light")]
HEAD = """() => {
    const box = node => node.getBoundingClientRect();
    const head = box(document.querySelector(".bd-header-article"));
    const all = [...document.querySelectorAll(".bd-header-article button")].filter(node => node.checkVisibility());
    const boxes = all.map(box);
    const inside = ({ left, right, top, bottom }) =>
        left >= 0 && right <= innerWidth && top >= head.top && bottom <= head.bottom + 1;
    const apart = boxes.every((a, i) => boxes.every((b, j) => i <= j || a.left >= b.right || a.right <= b.left));
    const large = [...document.querySelectorAll(".mtfl-switch")].map(box)
        .every(({ width, height }) => Math.min(width, height) >= 24);
    return [boxes.every(inside), apart, large];
}"""


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_switches_fit_into_the_head_line(
    open_page: Callable[..., Opened], served: str, width: int, scheme: str
) -> None:
    opened = open_page(served, CHAPTER, viewport={"width": width, "height": 740}, color_scheme=scheme)
    opened.settle()
    assert opened.page.evaluate(HEAD) == [True, True, True]
    opened.page.mouse.wheel(0, 3000)
    opened.settle()
    assert opened.page.evaluate(HEAD) == [True, True, True]


def test_a_finger_hits_a_switch(open_page: Callable[..., Opened], served: str) -> None:
    view: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = open_page(served, CHAPTER, **view).page
    for kind in KINDS:
        box = page.locator(f".mtfl-switch[data-kind={kind}]").bounding_box()
        assert box is not None
        assert box["width"] >= 40
        for place in (-19, 19):  # from its middle, above and below what is seen of it
            before = pressed(page, kind)
            page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + place)
            assert pressed(page, kind) != before


LOOK = "node => ((style) => [style.backgroundColor, style.color])(getComputedStyle(node))"


@pytest.mark.parametrize("colours", ["none", "active"])
def test_a_switch_that_is_on_looks_so(open_page: Callable[..., Opened], served: str, colours: str) -> None:
    page = open_page(served, CHAPTER, forced_colors=colours).page
    switch(page, "code")
    on, off = (page.locator(f".mtfl-switch[data-kind={kind}]").evaluate(LOOK) for kind in ("code", "proof"))
    assert on[0] != off[0] and on[1] != off[1]
    assert on[0] != on[1]


def test_without_scripts_all_can_be_opened(browser: Browser, served: str) -> None:
    window = browser.new_context(java_script_enabled=False)
    page = window.new_page()
    page.goto(served + CHAPTER, wait_until="load")
    assert not page.locator(".mtfl-switch").first.is_visible()
    for box in (".mtfl-proof", ".mtfl-silent .mtfl-code"):
        fold = page.locator(box).first
        fold.locator("summary").click()
        assert fold.get_attribute("open") is not None
    window.close()


# Paper and copies show what the page shows


def on_paper(page: Page) -> str:
    """The letters of a page as it is printed."""
    return letters("".join(texts_of(page.pdf())))


def test_paper_shows_what_the_page_shows(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "01_setup.html").page
    proof, words = page.evaluate(LONG_PROOF)
    code = "fromscipy.statsimportchi2"
    sheets = on_paper(page)
    assert letters(words) not in sheets and code not in sheets
    page.locator(f"#{proof} > summary").click()
    assert letters(words) in on_paper(page)
    switch(page, "code")
    sheets = on_paper(page)
    assert letters(words) in sheets and code in sheets
    assert page.evaluate(OPEN, "proof")[0] == 1  # and nothing else was opened


def test_copies_show_what_the_page_shows(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, CHAPTER, permissions=CLIPBOARD).page
    _, words = page.evaluate(LONG_PROOF)

    def copied() -> list[str]:
        page.evaluate("getSelection().selectAllChildren(document.querySelector('article'))")
        page.keyboard.press("Control+c")
        return page.evaluate("""async () => {
            const [item] = await navigator.clipboard.read();
            return Promise.all(["text/plain", "text/html"].map(async type => (await item.getType(type)).text()));
        }""")

    assert not any(words in text or "from mtfl.quoting" in text for text in copied())
    switch(page, "proof")
    assert all(words in text and "from mtfl.quoting" not in text for text in copied())
    switch(page, "code")
    text, html = copied()
    assert words in text and "from mtfl.quoting" in text and "Code\n" not in text
    assert "quoting" in html
