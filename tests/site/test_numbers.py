"""Numbers in sentences that are dragged: they set their figure and follow it, by mouse, keyboard and finger."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe import VIEWS, violations
from explorable_examples import NO_MOTION, example, write_page
from opened import Opened, new_window, parsed, serve, swipe, texts_of
from playwright.sync_api import Browser, Locator, Page

from mtfl.explorables import HowManyTasks, NeuronsInPlane, PullingPairs

BOOK = Path(__file__).parents[2] / "book"
STORIES = ["intro", "story", *(path.stem for path in sorted(BOOK.glob("[01]*_*.ipynb")))]  # with figures to move
STEP = 8  # pixels for each stop
SENTENCE = (
    '<p>With <a class="mtfl-set mtfl-scrub" href="#{name}?{key}={value}">{text}</a> it goes on, and here the sentence '
    "has words enough for a line and a half of this page.</p>"
)
LONG = '<p style="height: 200rem"></p>'


def sentence(figure: str, key: str, value: int, text: str) -> str:
    return SENTENCE.format(name=figure, key=key, value=value, text=text)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("numbers")
    write_page(folder, "neurons.html", sentence("fig-neurons", "tasks", 1, "1 task") + NeuronsInPlane().page() + LONG)
    alone = sentence("fig-pairs", "tasks", 40, "40 tasks")
    write_page(folder, "alone.html", alone + example(PullingPairs).page() + LONG)
    off = sentence("fig-howmany", "d", 1000, "1,000") + sentence("fig-howmany", "r", 8, "8 features")
    write_page(folder, "off.html", off + HowManyTasks().page())
    with serve(folder) as address:
        yield address


def told(number: Locator) -> tuple[str, ...]:
    """What eyes and what a screen reader are told: the text, then value, least, most and text of the slider."""
    names = ("valuenow", "valuemin", "valuemax", "valuetext")
    return (number.inner_text(), *(number.get_attribute(f"aria-{name}") or "" for name in names))


def of_figure(page: Page, key: str) -> tuple[str, str]:
    """Where the figure's own slider stands, and what it says."""
    slider = page.locator(f"input[data-key={key}]")
    return slider.input_value(), slider.get_attribute("aria-valuetext") or ""


def drag(page: Page, number: Locator, across: float, down: float = 0, *, release: bool = True) -> None:
    box = number.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across, y + down, steps=5)
    if release:
        page.mouse.up()


def test_a_number_is_a_slider_with_a_name(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "neurons.html", **NO_MOTION)
    number = opened.page.get_by_role("slider", name="Tasks T, Neurons in the plane")
    assert told(number) == ("1 task", "0", "0", "25", "1 task")
    assert number.evaluate("node => node.tabIndex") == 0
    assert opened.page.locator("a.mtfl-scrub").count() == 0
    assert opened.errors == [] == opened.away


def test_a_number_is_dragged_within_its_bounds(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "neurons.html", **NO_MOTION)
    page, number = opened.page, opened.page.locator(".mtfl-scrub")
    for pixels, text in ((4 * STEP, "5 tasks"), (-2 * STEP, "3 tasks"), (STEP - 1, "3 tasks"), (-50 * STEP, "1 task")):
        drag(page, number, pixels, down=30)
        assert number.inner_text() == text
    drag(page, number, 80 * STEP)
    assert number.inner_text() == "infinitely many tasks"
    assert of_figure(page, "tasks") == ("25", "infinitely many tasks")
    drag(page, number, 0)
    page.mouse.move(300, 400)  # the button is up
    assert number.inner_text() == "infinitely many tasks"
    assert page.evaluate("[getSelection().toString(), scrollY, location.hash]")[:2] == ["", 0]
    assert number.evaluate("node => node === document.activeElement")


KEYS = [
    ("ArrowRight", "2 tasks"),
    ("ArrowUp", "3 tasks"),
    ("ArrowLeft", "2 tasks"),
    ("ArrowDown", "1 task"),
    ("ArrowDown", "1 task"),
    ("End", "infinitely many tasks"),
    ("ArrowRight", "infinitely many tasks"),
    ("Home", "1 task"),
    ("Control+ArrowRight", "1 task"),
    ("x", "1 task"),
]


def test_a_number_is_moved_by_keys(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "neurons.html", **NO_MOTION).page
    page.evaluate("window.taken = []; addEventListener('keydown', event => taken.push(event.defaultPrevented))")
    number = page.locator(".mtfl-scrub")
    number.focus()
    for key, text in KEYS:
        page.keyboard.press(key)
        assert told(number)[::4] == (text, text)
        assert of_figure(page, "tasks")[1] == text
    # Those keys do not scroll the page; the others are the browser's, that of Control among them.
    assert page.evaluate("taken") == [True] * 8 + [False] * 3


@pytest.mark.parametrize("how", ["slider", "link", "back"])
def test_a_number_follows_its_figure(open_page: Callable[..., Opened], home: str, how: str) -> None:
    page = open_page(home, "neurons.html", **NO_MOTION).page
    number = page.locator(".mtfl-scrub")
    if how == "slider":
        page.locator("input[data-key=tasks]").press("ArrowRight")
        page.locator("input[data-key=tasks]").press("ArrowRight")
    else:
        page.evaluate("document.body.insertAdjacentHTML('afterbegin', '<a id=go href=\"#fig-neurons?tasks=3\">go</a>')")
        page.locator("#go").click()
        if how == "back":
            page.go_back()
            page.go_forward()
            page.wait_for_url("**#fig-neurons?tasks=3")
    assert told(number) == ("3 tasks", "2", "0", "25", "3 tasks")
    page.evaluate("location.hash = 'fig-neurons?tasks=7'")  # no stop of the slider
    page.wait_for_function("document.querySelector('.mtfl-scrub').textContent === '7 tasks'")
    assert told(number) == ("7 tasks", "6", "0", "25", "7 tasks")


def test_what_is_dragged_stands_in_the_address(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "neurons.html", **NO_MOTION).page
    page.locator(".mtfl-scrub").press("ArrowRight")
    page.wait_for_url("**#fig-neurons?tasks=2")
    page.reload()
    assert page.locator(".mtfl-scrub").inner_text() == "2 tasks"


def test_the_text_around_a_number_stays(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "neurons.html", **NO_MOTION).page
    number, widths = page.locator(".mtfl-scrub"), set()
    number.focus()
    for _ in range(24):
        page.keyboard.press("ArrowRight")
        widths.add(number.evaluate("node => node.getBoundingClientRect().width"))
    assert number.inner_text() == "1000 tasks"
    assert len(widths) == 1


def finger(page: Page, number: Locator, across: float, up: float) -> None:
    box = number.bounding_box()
    assert box is not None
    swipe(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, across, up)


PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 500}, "has_touch": True, "is_mobile": True, **NO_MOTION}


def test_a_finger_sideways_moves_a_number_and_not_the_page(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "neurons.html", **PHONE).page
    number = page.locator(".mtfl-scrub")
    finger(page, number, 10 * STEP + 4, 0)
    page.wait_for_function("document.querySelector('.mtfl-scrub').ariaValueNow === '10'")
    assert (number.inner_text(), page.evaluate("scrollY")) == ("20 tasks", 0)
    assert number.evaluate("node => parseFloat(getComputedStyle(node, '::after').height)") >= 40
    assert number.evaluate("node => node.offsetWidth") >= 40


def test_a_finger_upwards_scrolls_the_page_and_leaves_the_number(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "neurons.html", **PHONE).page
    page.locator(".mtfl-scrub").evaluate("node => node.parentElement.style.marginTop = '18rem'")
    finger(page, page.locator(".mtfl-scrub"), 0, 150)
    page.wait_for_function("scrollY > 50")
    assert page.locator(".mtfl-scrub").inner_text() == "1 task"


def test_a_figure_that_moves_by_itself_waits_for_who_is_at_its_number(
    open_page: Callable[..., Opened], home: str
) -> None:
    page = open_page(home, "alone.html", stopped=True).page
    page.clock.run_for(4000)
    number = page.locator(".mtfl-scrub")
    assert number.inner_text() == of_figure(page, "tasks")[1] != "40 tasks"
    number.focus()
    before = told(number)
    page.clock.run_for(9000)
    assert told(number) == before
    assert page.locator(".mtfl-play").inner_text() == "Play"


def test_a_number_that_plays_no_part_says_so_and_stays(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "off.html", **NO_MOTION).page
    number, features = page.locator(".mtfl-scrub").all()
    assert number.get_attribute("aria-disabled") == "true"
    assert "balanced" in (number.get_attribute("aria-valuetext") or "")
    number.press("ArrowRight")
    assert number.inner_text() == "1,000"
    page.locator("label:has(input[value=uniform])").click()
    number.press("ArrowRight")
    assert told(number)[::4] == ("3,000", "3,000")
    features.press("End")
    assert features.inner_text() == "10 features"


@pytest.mark.parametrize("colours", ["none", "active"])
def test_a_number_to_drag_is_seen_as_one(open_page: Callable[..., Opened], home: str, colours: str) -> None:
    page = open_page(home, "neurons.html", forced_colors=colours, **NO_MOTION).page
    look = page.locator(".mtfl-scrub").evaluate("node => ({ ...getComputedStyle(node) })")
    assert look["cursor"] == "ew-resize"
    assert look["borderBottomStyle"] == "solid" if colours == "active" else look["boxShadow"] != "none"
    page.keyboard.press("Tab")
    assert page.locator(".mtfl-scrub").evaluate("node => getComputedStyle(node).outlineStyle") == "solid"


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_a_number(open_page: Callable[..., Opened], home: str, view: str) -> None:
    assert violations(open_page(home, "neurons.html", **NO_MOTION, **VIEWS[view])) == []


FAULTS = {
    "it is no slider": ('role: "slider"', 'role: "note"'),
    "it does not follow": ("node.textContent = say(value)", "node.textContent ||= say(value)"),
    "it has no bounds": ('Math.max(0, Math.min(now("valuemax"), place))', "place"),
    "it tells no value": ("for (const [name, what] of Object.entries(told))", "for (const [name, what] of [])"),
    "it cannot be dragged": ("drag && go(drag.place + Math", "drag && (drag.place + Math"),
    "it scrolls the page": ("event.preventDefault();\n      go(", "go("),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_number_is_seen(open_page: Callable[..., Opened], tmp_path: Path, fault: str) -> None:
    right, wrong = FAULTS[fault]
    page = NeuronsInPlane().page()
    assert page.count(right) == 1
    broken = sentence("fig-neurons", "tasks", 1, "1 task") + page.replace(right, wrong) + LONG
    write_page(tmp_path, "neurons.html", broken)
    home = tmp_path.as_uri() + "/"
    tests = (
        test_a_number_is_a_slider_with_a_name,
        test_a_number_is_dragged_within_its_bounds,
        test_a_number_is_moved_by_keys,
    )
    failures = 0
    for test in tests:
        try:
            test(lambda home, name, **view: open_quickly(open_page, home, name, **view), home)
        except Exception:  # an assertion, or Playwright's
            failures += 1
    assert failures > 0


def open_quickly(open_page: Callable[..., Opened], home: str, name: str, **view: Any) -> Opened:
    """A page in which nobody waits for what is not there."""
    opened = open_page(home, name, **view)
    opened.page.set_default_timeout(2000)
    return opened


# In the book


def numbers_of(site: Path, name: str) -> list[tuple[str, str]]:
    page = parsed(site / f"{name}.html")
    return [(str(link["href"]), link.get_text()) for link in page.select("a.mtfl-scrub")]


# Each stop of each number, from the first to the last: its text, what its figure's slider says, and the words.
ALL_STOPS = """async () => {
    const found = [];
    for (const number of document.querySelectorAll(".mtfl-scrub")) {
        const press = key => number.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
        const rows = [], most = Number(number.ariaValueMax);
        press("Home");
        for (let n = 0; n <= most; n++) {
            await null;
            await null;
            const [own] = [...document.querySelectorAll(".mtfl-figure input[type=range]")].filter(input =>
                `${input.labels[0].textContent}, ${input.closest(".mtfl-x").ariaLabel}` === number.ariaLabel);
            const words = own.closest(".mtfl-x").querySelector(".mtfl-words").textContent;
            const told = own.getAttribute("aria-valuetext");
            rows.push([number.textContent, told, Number(own.value), words.includes("asked for")]);
            press("ArrowRight");
        }
        found.push(rows);
    }
    return found;
}"""


@pytest.mark.parametrize("chapter", STORIES)
def test_numbers_of_the_book_begin_as_they_are_printed_and_move(
    open_page: Callable[..., Opened], site: Path, served: str, chapter: str
) -> None:
    written = numbers_of(site, chapter)
    assert written
    opened = open_page(served, f"{chapter}.html", reduced_motion="reduce")
    numbers = opened.page.locator(".mtfl-scrub")
    assert [node.text_content() for node in numbers.all()] == [text for _, text in written]
    assert opened.page.locator("a.mtfl-scrub").count() == 0
    for rows in opened.page.evaluate(ALL_STOPS):
        assert len(rows) > 5
        assert [place for _, _, place, _ in rows] == [*range(len(rows))]
        assert all(text == own and not noted for text, own, _, noted in rows)
        assert len({text for text, *_ in rows}) == len(rows)
    assert opened.errors == [] == opened.away


# Of the numbers with a punctuation mark behind them, how many there are, and how many begin a line without it.
PARTED = """() => {
    const bottom = part => part.getBoundingClientRect().bottom;
    const found = [...document.querySelectorAll(".mtfl-scrub")].flatMap(number => {
        const text = number.nextSibling, mark = document.createRange();
        if (!/^[.,:;)]/.test(text?.data)) return [];
        mark.setStart(text, 0);
        mark.setEnd(text, 1);
        return [Math.abs(bottom(mark) - bottom(number)) > 12];
    });
    return [found.length, found.filter(Boolean).length];
}"""


def test_a_number_keeps_its_full_stop(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "05_transfer.html").page
    for width in range(320, 480, 6):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(PARTED) == [2, 0]
    page.add_style_tag(content=".mtfl-together { white-space: normal !important }")
    seen = []
    for width in range(320, 480, 6):
        page.set_viewport_size({"width": width, "height": 740})
        seen.append(page.evaluate(PARTED)[1])
    assert any(seen)  # else the test above would show nothing


def test_numbers_work_in_files(open_page: Callable[..., Opened], site: Path) -> None:
    opened = open_page(site.resolve().as_uri() + "/", "story.html", reduced_motion="reduce")
    number = opened.page.locator(".mtfl-scrub").first
    before = number.inner_text()
    number.press("ArrowRight")
    assert number.inner_text() != before
    assert opened.errors == [] == opened.away


def test_without_scripts_numbers_are_links_that_set_them(browser: Browser, served: str) -> None:
    window = new_window(browser, java_script_enabled=False)
    page = window.new_page()
    page.goto(served + "intro.html")
    link = page.locator("a.mtfl-scrub")
    assert (link.inner_text(), link.get_attribute("href")) == ("1 task", "#fig-neurons?tasks=1")
    window.close()


def test_on_paper_a_number_is_plain(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "intro.html", reduced_motion="reduce").page
    page.locator(".mtfl-scrub").press("ArrowRight")
    sheets = "".join(texts_of(page.pdf()))
    assert re.search(r"for\s+2\s+tasks\s*:\s+drag", sheets)
    page.emulate_media(media="print")
    look = page.locator(".mtfl-scrub").evaluate("""node => {
        const { backgroundColor, boxShadow, color, paddingLeft } = getComputedStyle(node);
        return [backgroundColor, boxShadow, paddingLeft, color === getComputedStyle(node.parentElement).color];
    }""")
    assert look == ["rgba(0, 0, 0, 0)", "none", "0px", True]


def test_in_notebooks_a_number_is_a_link_that_sets_it(site: Path) -> None:
    for name in STORIES:
        text = json.dumps(json.loads((site / "_sources" / f"{name}.ipynb").read_text("utf8")), ensure_ascii=False)
        for address, words in numbers_of(site, name):
            assert f"[{words}]({address})" in text
