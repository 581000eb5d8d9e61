"""What a figure is asked to show, by its address or a link: it stands in the address, and nothing odd breaks it."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from explorable_examples import KINDS, NO_MOTION, example, write_page
from opened import Opened, serve, swipe

from mtfl.explorables import Explorable, HowManyTasks, NeuronsInPlane, PaintedTask, TaskKernel

if TYPE_CHECKING:
    from playwright.sync_api import Page

AFTER = 400  # milliseconds after which the address is written
WORDS = "[...document.querySelectorAll('.mtfl-words')].map(node => node.textContent)"
HASH = "location.hash"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page for each figure, and one of two figures with links among them and a long way to scroll."""
    folder = tmp_path_factory.mktemp("states")
    for kind in KINDS:
        write_page(folder, f"{kind.__name__}.html", example(kind).page())
        room = '<div style="height: 1000px"></div>'
        write_page(folder, f"{kind.__name__}-long.html", room + example(kind).page() + room)
    links = "".join(
        f'<p><a href="{address}">{name}</a></p>'
        for name, address in {
            "five": "#fig-neurons?tasks=5",
            "uniform": "#fig-neurons?law=uniform",
            "next page": "other.html#fig-neurons?tasks=5",
            "other site": "https://example.org/both.html#fig-neurons?tasks=5",
        }.items()
    )
    write_page(folder, "other.html", "<p>Another page.</p>")
    write_page(folder, "both.html", links + NeuronsInPlane().page() + TaskKernel().page())
    bare = NeuronsInPlane().page().replace('class="mtfl-figure"', 'class="bare"').replace("'.mtfl-figure[", "'.bare[")
    write_page(folder, "no_page.html", '<p><a href="#fig-neurons?tasks=5" target="_self">five</a></p>' + bare)
    return folder


@pytest.fixture(scope="module")
def home(folder: Path) -> Iterator[str]:
    with serve(folder) as address:
        yield address


def move(page: Page, key: str, press: str = "End") -> None:
    page.locator(f"[data-key={key}]").first.press(press)


def words(page: Page) -> list[str]:
    """The figures' sentences, once all that was asked for has been drawn."""
    page.evaluate("async () => { await null; await null; }")
    return page.evaluate(WORDS)


# The state stands in the address


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_reader_sets_stands_in_the_address(
    open_page: Callable[..., Opened], home: str, kind: type[Explorable]
) -> None:
    opened = open_page(home, f"{kind.__name__}.html", stopped=True, **NO_MOTION)
    page, box = opened.page, opened.page.locator(".mtfl-figure")
    name = example(kind).name
    assert box.get_attribute("data-address") == f"#{name}"
    assert page.evaluate(HASH) == ""
    key = page.locator("input[type=range]:enabled").last.get_attribute("data-key") or ""
    start = words(page)
    move(page, key, "Home")
    move(page, key, "ArrowRight")
    address = box.get_attribute("data-address") or ""
    assert re.fullmatch(rf"#{name}\?{key}=[a-z0-9.]+", address)  # only what differs
    page.clock.run_for(AFTER)
    assert page.evaluate(HASH) == address
    before = words(page)
    assert before != start
    page.reload()
    assert words(page) == before
    assert box.get_attribute("data-address") == address
    shared = open_page(home, f"{kind.__name__}.html{address}", **NO_MOTION)
    assert words(shared.page) == before
    assert page.evaluate("history.length") == shared.page.evaluate("history.length")  # moving leaves no trail
    assert opened.errors + shared.errors == []


def test_an_address_typed_later_is_the_whole_state(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "TaskKernel.html#fig-kernel?tasks=7&r=2", **NO_MOTION)
    page = opened.page
    page.evaluate("location.hash = '#fig-kernel?tasks=9'")
    page.wait_for_function(f"{WORDS}.join().includes('9 uniform tasks on 8 patterns')")
    page.go_back()
    page.wait_for_function(f"{WORDS}.join().includes('7 uniform tasks on 4 patterns')")
    page.go_forward()
    page.wait_for_function(f"{WORDS}.join().includes('9 uniform tasks on 8 patterns')")
    page.evaluate("location.hash = '#elsewhere'")  # leaves the figure alone
    page.evaluate("location.hash = '#fig-kernel?law=balanced'")
    page.wait_for_function(f"{WORDS}.join().includes('10 balanced tasks on 8 patterns')")
    assert opened.errors == []


def test_two_figures_share_one_address(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "both.html", stopped=True, **NO_MOTION)
    page = opened.page
    neurons, kernel = page.locator(".mtfl-figure").all()
    neurons.locator("[data-key=tasks]").press("End")
    page.clock.run_for(AFTER)
    assert page.evaluate(HASH) == "#fig-neurons?tasks=inf"
    kernel.locator("[data-key=r]").press("Home")
    neurons.locator("[data-key=d]").press("Home")
    page.clock.run_for(AFTER)
    assert page.evaluate(HASH) in ("#fig-kernel?r=1&second=1", "#fig-neurons?d=3&tasks=inf")
    assert neurons.get_attribute("data-address") == "#fig-neurons?d=3&tasks=inf"
    assert kernel.get_attribute("data-address") == "#fig-kernel?r=1&second=1"
    before = words(page)
    page.reload()
    assert words(page) == before  # of both
    assert opened.errors == []


def test_back_undoes_a_link(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "both.html", **NO_MOTION)
    page, start = opened.page, words(opened.page)
    move(page, "d")
    moved = words(page)
    page.get_by_role("link", name="five").click()
    assert page.evaluate(HASH) == "#fig-neurons?d=1000&tasks=5"  # what the link does not name stays
    five = words(page)
    page.get_by_role("link", name="uniform").click()
    assert "5 uniform tasks" in words(page)[0]
    for expected in (five, moved):
        page.go_back()
        page.wait_for_function(f"expected => {WORDS}.join() === expected", arg=",".join(expected))
    assert moved != start
    page.go_forward()
    page.wait_for_function(f"expected => {WORDS}.join() === expected", arg=",".join(five))
    assert opened.errors == []


# Whether the page has taken a click from the browser, which does nothing more itself.
TAKEN = """() => { window.taken = []; for (const kind of ["click", "auxclick"]) addEventListener(kind, event => {
    window.taken.push(event.defaultPrevented);
    event.preventDefault();
}); }"""


@pytest.mark.parametrize("how", ["Control", "Shift", "middle"])
def test_a_click_that_asks_for_a_tab_of_its_own_is_left_to_the_browser(
    open_page: Callable[..., Opened], home: str, how: str
) -> None:
    page = open_page(home, "both.html", **NO_MOTION).page
    start, link = words(page), page.get_by_role("link", name="five")
    page.evaluate(TAKEN)
    if how == "middle":
        link.click(button="middle")
    else:
        link.click(modifiers=["Control" if how == "Control" else "Shift"])
    assert page.evaluate("taken") == [False]
    assert words(page) == start
    link.click()
    assert page.evaluate("taken") == [False, True]
    assert words(page) != start


def test_links_to_other_places_are_left_alone(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "both.html", **NO_MOTION)
    page, start = opened.page, words(opened.page)
    page.get_by_role("link", name="other site").click()
    page.wait_for_function("() => true")
    assert opened.away == ["https://example.org/both.html"]
    opened = open_page(home, "both.html", **NO_MOTION)
    opened.page.get_by_role("link", name="next page").click()
    opened.page.wait_for_url("**/other.html#fig-neurons?tasks=5")
    assert start


def test_where_there_is_no_page_the_address_is_left_alone(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "no_page.html#fig-neurons?tasks=3", stopped=True, **NO_MOTION)
    page = opened.page
    assert "one balanced task" in words(page)[0]
    move(page, "tasks")
    page.get_by_role("link", name="five").click()
    page.clock.run_for(10 * AFTER)
    assert "5 balanced tasks" in words(page)[0]
    assert page.evaluate("[location.hash, history.state, history.length]") == ["#fig-neurons?tasks=3", None, 2]
    assert opened.errors == []


# What is odd

ODD = (
    "", "abc", "null", "undefined", "NaN", "inf", "-inf", "Infinity", "%E2%88%9E", "1e9", "1e308", "1e999", "-1",
    "-1e99", "-0", "0", "1", "1.5", "2.5e0", "3.0", ".5", "5e-324", "1001", "0x10", "0b11", "1_000", "1,000", "9" *
    400, "-" + "9" * 400, "4294967295", "4294967296", "99999999999", "true", "[]", "{}", "__proto__", "constructor",
    "%00", "%E0%A4%A", "%", "%3Cb%3E", "%22", "+", "+5", "%205", "uniform", "balanced", "balanced%20", "Uniform",
    "parity", "matched", "1&{key}=2", "1;2", "1=2", "½",
)  # fmt: skip
NO_SETTINGS = (
    "title",
    "alt",
    "name",
    "energy",
    "conditioning",
    "settings",
    "grid",
    "__proto__",
    "constructor",
    "nosuch",
)
WHOLE = ("=", "&&&", "%", "%3Dx", "tasks", "a=b=c", "?", "?tasks=2", "#", "tasks=2#x", "__proto__[x]=1", "x" * 5000)
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", flags=re.ASCII | re.IGNORECASE)


def queries(kind: type[Explorable]) -> list[str]:
    """What an address may ask of a figure."""
    found = [
        f"{key}={value.format(key=key) if '{key}' in value else value}"
        for key in example(kind).settings
        for value in ODD
    ]
    found += [f"{key}={value}" for key in NO_SETTINGS for value in ("1", "x")]
    ends = ("1e9", "-1e9", "inf")
    found += ["&".join(f"{key}={value}" for key in example(kind).settings) for value in ends]
    return found + list(WHOLE)


# Each is asked for, by the address or by a link, one after another; what the figure shows is read when it is drawn.
ASK = """async ([name, asked, way]) => {
    const figure = document.querySelector(".mtfl-x"), link = document.createElement("a"), seen = [];
    document.body.append(link);
    for (const query of asked) {
        if (way === "address") {
            const come = new Promise(done => addEventListener("popstate", done, { once: true }));
            const old = location.hash;
            location.hash = `#${name}?${query}`;
            if (location.hash !== old) await come;
        } else {
            link.setAttribute("href", `#${name}?${query}`);
            link.click();
        }
        await null;
        await null;
        seen.push([figure.querySelector(".mtfl-words").textContent, figure.parentElement.dataset.address,
            figure.querySelectorAll("svg[role=img] *").length, /NaN|undefined|Infinity/.test(figure.innerHTML),
            JSON.stringify(figure.inspect()).includes("{}")]);
    }
    return seen;
}"""


def asked_in_python(key: str, text: str) -> Any:
    if text == "inf":
        return math.inf
    return float(text) if PLAIN.fullmatch(text) and math.isfinite(float(text)) else text


@functools.cache
def accepted(kind: type[Explorable], **state: Any) -> bool:
    try:
        example(kind, **state)
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("way", ["address", "link"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_odd_breaks_a_figure(
    open_page: Callable[..., Opened], home: str, kind: type[Explorable], way: str
) -> None:
    figure = example(kind)
    opened = open_page(home, f"{kind.__name__}.html", **NO_MOTION)
    asked = queries(kind)
    assert len(asked) >= 100
    seen = opened.page.evaluate(ASK, [figure.name, asked, way])
    for query, (told, address, parts, is_broken, is_hollow) in zip(asked, seen, strict=True):
        assert told.endswith((".", ".)")), query
        assert not re.search(r"NaN|undefined|null|Infinity|\bb>", told), (query, told)
        assert parts > 10, query
        assert not is_broken, (query, told)
        assert not is_hollow, query
        state = {key: asked_in_python(key, text) for key, text in parse_qsl(address.partition("?")[2])}
        assert accepted(kind, **state), (query, address)  # Python's own rules
        pairs = parse_qsl(query, keep_blank_values=True)
        if way == "address" and len(pairs) == 1 and (key := pairs[0][0]) in figure.settings:
            value = asked_in_python(*pairs[0])
            is_fine = accepted(kind, **{key: value})
            assert (
                "(" in told.replace("(dashed", "").replace("(measured", "").replace("(interpolated", "")
            ) != is_fine, (query, told)
            if is_fine:
                assert state.get(key, getattr(figure, key)) == value, query
    # and it goes on
    before = opened.page.evaluate(WORDS)
    opened.page.locator(".mtfl-x input[type=range]:enabled").first.press("Home")
    opened.page.locator(".mtfl-x input[type=range]:enabled").first.press("End")
    assert words(opened.page) != before
    assert opened.errors == []
    assert opened.away == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_odd_breaks_a_figure_as_it_opens(
    open_page: Callable[..., Opened], home: str, kind: type[Explorable]
) -> None:
    figure = example(kind)
    key = next(key for key, rule in figure.settings.items() if "least" in rule and key != "seed")
    opened = open_page(home, "other.html", **NO_MOTION)
    odd = ("nosuch=1", f"{key}=abc", f"{key}=1e9", f"{key}=-1", "__proto__=1&constructor=2", "%E0%A4%A")
    for number, query in enumerate(odd):  # each in a page of its own
        opened.page.goto(f"{home}{kind.__name__}.html?{number}#{figure.name}?{query}")
        (told,) = words(opened.page)
        assert re.search(r" \(.+\.\)$", told), told  # it says so
        counts = ["svg[role=img] *", "input, button"]
        parts, controls = opened.page.evaluate("all => all.map(one => document.querySelectorAll(one).length)", counts)
        assert parts > 10
        assert controls >= 3
    assert opened.errors == []


@pytest.mark.parametrize(
    ("kind", "query", "told"),
    [
        (TaskKernel, "tasks=1001", "(tasks was set to 1,000, the most that the figure shows.)"),
        (TaskKernel, "tasks=0", "(tasks was set to 1, the least that the figure shows.)"),
        (TaskKernel, "r=2&first=9", "(first was set to 3, the most that the figure shows.)"),
        (NeuronsInPlane, "rounds=2.6", "(rounds was set to 3, the nearest whole number.)"),
        (NeuronsInPlane, "step_size=abc", "(step size stays 60: it can only be a number.)"),
        (HowManyTasks, "law=foo", "(law stays uniform: it can only be balanced or uniform.)"),
        (PaintedTask, "title=x", "(not all that was asked for is a setting of this figure.)"),
    ],
)
def test_the_sentence_says_what_was_not_shown(
    open_page: Callable[..., Opened], home: str, kind: type[Explorable], query: str, told: str
) -> None:
    page = open_page(home, f"{kind.__name__}.html#{example(kind).name}?{query}", **NO_MOTION).page
    assert words(page)[0].endswith(" " + told)
    page.locator("input[type=range]:enabled").first.press("End")
    page.locator("input[type=range]:enabled").first.press("ArrowLeft")
    assert told not in words(page)[0]  # the reader has gone on


@pytest.mark.parametrize("kind", KINDS)
def test_the_ends_of_every_rule_can_be_shown(
    open_page: Callable[..., Opened], home: str, kind: type[Explorable]
) -> None:
    """All combinations of the least and the most of each setting, or of its words."""
    figure = example(kind)
    combinations = [""]
    for key, rule in figure.settings.items():
        ends = rule.get("among") or ["-1e99", "1e99"]
        combinations = [
            f"{query}&{key}={end}".lstrip("&")
            for query in combinations
            for end in ends
            if key != "seed" or end == ends[0]
        ]
    opened = open_page(home, f"{kind.__name__}.html", **NO_MOTION)
    for told, address, parts, is_broken, _ in opened.page.evaluate(ASK, [figure.name, combinations, "address"]):
        assert not re.search(r"NaN|undefined|Infinity", told), address
        assert parts > 10
        assert not is_broken, address
    assert opened.errors == []


# Touch

TOUCH = {"viewport": {"width": 360, "height": 500}, "has_touch": True, **NO_MOTION}


@pytest.mark.parametrize("kind", KINDS)
def test_a_swipe_that_begins_on_a_slider_scrolls_and_moves_no_slider(
    open_page: Callable[..., Opened], home: str, kind: type[Explorable]
) -> None:
    page = open_page(home, f"{kind.__name__}-long.html", **TOUCH).page
    start, share = words(page), 0.0
    for slider in page.locator("input[type=range]:enabled").all():
        slider.evaluate("node => node.scrollIntoView({ block: 'center' })")
        box, value = slider.bounding_box(), slider.input_value()
        assert box is not None
        before = page.evaluate("scrollY")
        share = 0.8 if float(value) < float(slider.get_attribute("max") or 1) / 2 else 0.2
        swipe(page, box["x"] + share * box["width"], box["y"] + box["height"] / 2, 5, 120)
        page.wait_for_function("before => Math.abs(scrollY - before) > 50", arg=before)
        page.evaluate("async () => { for (let n = 0; n < 3; n++) await new Promise(requestAnimationFrame); }")
        assert slider.input_value() == value
        assert words(page) == start
    slider = page.locator("input[type=range]:enabled").first
    slider.evaluate("node => node.scrollIntoView({ block: 'center' })")
    box = slider.bounding_box()
    assert box is not None
    begin, across = (0.15, 0.6) if share == 0.8 else (0.85, -0.6)
    swipe(page, box["x"] + begin * box["width"], box["y"] + box["height"] / 2, across * box["width"], 4)
    page.wait_for_function(f"start => {WORDS}.join() !== start", arg=",".join(start))
