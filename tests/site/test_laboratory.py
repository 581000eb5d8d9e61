"""The laboratory in a browser: it trains in a worker, or where workers are forbidden in the page; its controls work."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe import VIEWS, violations
from explorable_examples import NO_MOTION, ROOT, write_page
from opened import CLIPBOARD, Opened, new_window, serve

from mtfl.explorables import Laboratory

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SMALL = "d=10&r=2&neurons=16&tasks=8&batch=64"
NAME = "#fig-laboratory"
AT_REST = "rounds => { const { busy, rounds: now, failed } = document.querySelector('.mtfl-x').inspect();" \
          " return !busy && (failed || now === rounds); }"  # fmt: skip
PAUSED = """async () => {
    const look = () => document.querySelector(".mtfl-x").inspect(), before = look();
    for (let frame = 0; frame < 20; frame++) await new Promise(requestAnimationFrame);
    const after = look();
    return !before.busy && !after.busy && before.rounds === after.rounds;
}"""
# A worker that hears nothing until it is let: however slow a machine is, its page is as this one.
HELD = """
window.held = [];
window.Worker = class extends Worker {
    postMessage(message) { held ? held.push([this, message]) : super.postMessage(message); }
};
window.let_go = () => {
    const all = held;
    held = null;
    for (const [worker, message] of all) worker.postMessage(message);
};
"""
HEARD = """() => {
    window.heard = [];
    const status = document.querySelector('.mtfl-status');
    new MutationObserver(() => heard.push(status.textContent)).observe(status, { childList: true });
}"""
SVG = "{http://www.w3.org/2000/svg}"
STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laboratory")
    write_page(folder, "page.html", Laboratory().page())
    write_page(folder, "page-dark.html", Laboratory().page(), theme="dark")
    link = f'<p><a href="{NAME}?start&amp;{SMALL}&amp;rounds=6">six</a></p>'
    write_page(folder, "links.html", link + Laboratory().page())
    write_page(folder, "below.html", Laboratory().page() + link)
    early = (ROOT / "mtfl" / "sphinx_ext" / "static" / "early.js").read_text("utf8")
    write_page(folder, "first.html", f'<script data-mode="light">{early}</script>' + Laboratory().page())
    return folder


@pytest.fixture(scope="module")
def home(folder: Path) -> Iterator[str]:
    with serve(folder) as address:
        yield address


def at_rest(page: Page, rounds: int) -> dict[str, Any]:
    """What the laboratory shows once it has trained so far."""
    page.wait_for_function(AT_REST, arg=rounds)
    return page.evaluate("document.querySelector('.mtfl-x').inspect()")


def words(page: Page) -> str:
    page.evaluate("() => new Promise(requestAnimationFrame)")
    return page.locator(".mtfl-words").text_content() or ""


def address_of(page: Page) -> str:
    return page.locator(".mtfl-figure").get_attribute("data-address") or ""


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def choose(page: Page, key: str, value: str) -> None:
    page.locator("details.mtfl-group").evaluate_all("groups => groups.forEach(group => { group.open = true; })")
    page.locator(f"select[data-key={key}]").select_option(value)


@pytest.mark.parametrize("way", ["http", "file"])
def test_it_trains_in_a_worker_and_asks_for_nothing(
    open_page: Callable[..., Opened], folder: Path, home: str, way: str
) -> None:
    opened = open_page(home if way == "http" else folder.as_uri() + "/", f"page.html{NAME}?rounds=60&against=one task")
    found = at_rest(opened.page, 60)
    assert found["worker"] and found["quick"]
    assert found["energy"][0] > 0.9
    assert found["conditioning"][0] > found["conditioning"][1] + 0.2
    told = words(opened.page)
    assert told.startswith("After 60 rounds on 64 balanced tasks, 98 % of the weights lie in the 3 hidden directions")
    assert re.search(r"With one task instead, energy is \d+ %, conditioning 0\.\d\d, and accuracy \d+ %\.$", told)
    assert opened.away == [] and opened.errors == []
    names = (
        "performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !name.startsWith('blob:'))"
    )
    assert opened.page.evaluate(names) == []


def test_play_goes_on_until_paused_and_buttons_do_what_they_say(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?{SMALL}")
    page = opened.page
    page.get_by_role("combobox", name="Speed").select_option("100")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().rounds > 20")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function(PAUSED)
    rounds = page.evaluate("document.querySelector('.mtfl-x').inspect().rounds")
    assert f"rounds={rounds}" in (page.locator(".mtfl-figure").get_attribute("data-address") or "")
    page.get_by_role("button", name="One round").click()
    at_rest(page, rounds + 1)
    assert f"After {rounds + 1} rounds on 8 balanced tasks" in words(page)
    before = page.evaluate("document.querySelector('.mtfl-x').inspect().V")
    page.get_by_role("button", name="Reset").click()
    assert at_rest(page, 0)["V"] != before
    assert words(page).startswith("Before training on 8 balanced tasks")
    page.get_by_role("button", name="Other draws").click()
    assert "seed=2" in (page.locator(".mtfl-figure").get_attribute("data-address") or "")
    assert opened.errors == []


def test_at_full_speed_it_plays_to_the_last_round(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?{SMALL}")
    page = opened.page
    page.get_by_role("combobox", name="Speed").select_option("fast")
    press(page, "Play")
    page.get_by_role("button", name="Pause", exact=True).wait_for(state="detached")
    at_rest(page, 2000)
    assert "After 2000 rounds on 8 balanced tasks" in words(page)
    assert "rounds=2000" in address_of(page)
    assert opened.errors == []


@pytest.mark.parametrize("what", ["no worker", "forbidden", "allowed", "WebAssembly too"])
def test_where_workers_are_forbidden_the_page_trains(
    browser: Browser, open_page: Callable[..., Opened], folder: Path, tmp_path: Path, home: str, what: str
) -> None:
    address = f"{NAME}?{SMALL}&rounds=12"
    expected = at_rest(open_page(home, f"page.html{address}").page, 12)
    text = (folder / "page.html").read_text("utf8")
    script = re.findall(r'<script type="module">\n(.*?)</script>', text, flags=re.DOTALL)[0]
    (tmp_path / "figure.js").write_text(("delete window.Worker;\n" if what == "no worker" else "") + script, "utf8")
    (tmp_path / "style.css").write_text("\n".join(re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)), "utf8")
    plain = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    plain = re.sub(
        r'<script type="module">.*?</script>', '<script type="module" src="figure.js"></script>', plain, flags=re.DOTALL
    )
    (tmp_path / "page.html").write_text(
        plain.replace("<title>", '<link rel="stylesheet" href="style.css"><title>'), "utf8"
    )
    policy = STRICT
    if what != "forbidden":
        policy += "; worker-src blob:"
    if what == "WebAssembly too":
        policy = policy.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
    context = new_window(browser)
    with serve(tmp_path, {"Content-Security-Policy": policy}) as guarded:
        page = context.new_page()
        page.goto(f"{guarded}page.html{address}")
        found = at_rest(page, 12)
        told = words(page)
    context.close()
    assert found["worker"] == (what in ("allowed", "WebAssembly too"))
    assert found["quick"] == (what == "WebAssembly too")
    assert found["energy"] == pytest.approx(expected["energy"], rel=1e-4)
    assert found["accuracy"] == pytest.approx(expected["accuracy"], abs=0.01)
    assert told.startswith("After 12 rounds on 8 balanced tasks")


def test_a_changed_setting_is_trained_anew_for_as_many_rounds(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?{SMALL}&rounds=9")
    page = opened.page
    first = at_rest(page, 9)
    page.locator("[data-key=tasks]").press("Home")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().settings.tasks === 1")
    second = at_rest(page, 9)
    assert second["energy"] != first["energy"]
    page.locator("[data-key=rounds]").press("ArrowLeft")
    assert at_rest(page, 5)["settings"]["tasks"] == 1
    assert opened.errors == []


def test_what_cannot_be_had_is_not_offered_and_says_why(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?{SMALL}", **NO_MOTION)
    page = opened.page
    choose(page, "heads", "ridge")
    offered = page.locator("select[data-key=batches] option[value=per-task]")
    assert offered.is_disabled() and "ridge heads need shared ones" in (offered.text_content() or "")
    assert page.locator("[data-key=head_step]").is_disabled()
    assert "There is no line of the theory for ridge heads." in words(page)
    choose(page, "heads", "carried")
    choose(page, "batches", "per-task")
    assert page.locator("select[data-key=heads] option[value=ridge]").is_disabled()
    page.goto("about:blank")
    page.goto(f"{home}page.html{NAME}?tasks=512&batch=2048&batches=per-task")
    assert "tasks share their inputs, since a round draws at most 65,536" in words(page)
    page.goto("about:blank")
    page.goto(f"{home}page.html{NAME}?law=painted&heads=ridge&batches=per-task&against=ridge heads")
    told = words(page)
    for reason in ("at most 8 tasks are painted", "ridge heads need inputs that tasks share", "there is no second run"):
        assert reason in told
    decay = page.locator("select[data-key=against] option[value='uniform labels with decay']")
    for setting, reason in (
        ("activation=GELU", "none cancels with another activation"),
        ("inputs=hypercube", "none cancels with other inputs"),
        ("labels=centred", "none cancels with centred labels"),
        ("law=uniform", "they are uniform"),
    ):
        page.goto("about:blank")
        page.goto(f"{home}page.html{NAME}?{SMALL}&{setting}&against=uniform labels with decay")
        assert f"there is no second run (uniform labels with decay: {reason})" in words(page)
        page.goto("about:blank")
        page.goto(f"{home}page.html{NAME}?{SMALL}&{setting}")
        assert decay.is_disabled() and reason in (decay.text_content() or "")
    page.goto("about:blank")
    page.goto(f"{home}page.html{NAME}?neurons=512&tasks=512&batch=2048&head_steps=2")
    large = "two batches too large to be kept"
    refused = page.locator("select[data-key=against] option", has_text=large)
    assert page.locator("option", has_text="with one task (").get_attribute("value") in refused.evaluate_all(
        "options => options.map(option => option.value)"
    )
    assert page.locator("option[value='ridge heads']").is_enabled()  # they keep nothing
    page.goto("about:blank")
    page.goto(f"{home}page.html{NAME}?r=2&first=4")
    assert "feature 4 is not there, and feature 2 is shown" in words(page)
    assert opened.errors == []


ODD = ("1e9", "-1", "abc", "", "NaN", "inf", "2.5", "%E0%A4%A", "<b>", "null")


def test_nothing_odd_breaks_it(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "page.html", **NO_MOTION)
    page = opened.page
    for key in Laboratory().settings:
        if key == "rounds":
            continue
        for value in ODD if key in ("d", "law") else ODD[:3]:
            page.evaluate(f"location.hash = '{NAME}?{key}={value}'")
            page.wait_for_function("wanted => location.hash.includes(wanted)", arg=f"?{key}=")
            at_rest(page, 0)
            told = words(page)
            assert told.startswith("Before training on") and not re.search(r"NaN|undefined|null|Infinity", told), (
                key,
                value,
            )
    assert opened.errors == []


def test_training_that_diverges_stops_with_a_sentence(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?{SMALL}&step=100&head_step=100&decay=1&rounds=300")
    page = opened.page
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().failed")
    diverged = r"training: every weight must be finite; got NaN or infinity in round \d+\. Training diverged"
    assert re.match(diverged, words(page))
    press(page, "New task")
    assert re.match(diverged, words(page))  # and no head is waited for
    about_heads = page.locator(".mtfl-two")
    assert about_heads.text_content() == "Training has stopped: no head is fitted."
    assert about_heads.get_attribute("aria-busy") == "false"
    page.evaluate(f"location.hash = '{NAME}?{SMALL}&rounds=5'")
    page.wait_for_function("!document.querySelector('.mtfl-x').inspect().failed")
    assert not at_rest(page, 5)["failed"]
    assert opened.errors == []


def test_a_new_task_tells_features_apart(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?rounds=60&against=one task")
    page, button = opened.page, opened.page.get_by_role("button", name="New task")
    assert at_rest(page, 60)["transfer"] is None and button.get_attribute("aria-pressed") == "false"
    button.click()
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer")
    first, second = at_rest(page, 60)["transfer"]["accuracies"]
    assert first["oracle"] > first["trained"] > max(second["trained"], first["random"]) + 0.1
    words(page)
    assert "Accuracy on the parity of all features from 256 examples, after 60 rounds." in page.inner_text(".mtfl-two")
    assert button.get_attribute("aria-pressed") == "true"
    page.locator("[data-key=examples]").press("Home")
    page.locator("[data-key=examples]").press("ArrowRight")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer.examples === 16")
    page.wait_for_function("location.hash.includes('examples=16')")
    page.reload()  # the address holds that a head was asked for
    found = at_rest(page, 60)["transfer"]
    assert found["examples"] == 16 and found["rounds"] == 60
    page.get_by_role("button", name="One round").click()
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer.rounds === 61")
    button.click()
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer === null")
    words(page)
    assert page.inner_text(".mtfl-two") == "" and "fitted" not in address_of(page)
    assert opened.errors == []


def test_the_data_can_be_saved(open_page: Callable[..., Opened], home: str, tmp_path: Path) -> None:
    opened = open_page(home, f"page.html{NAME}?{SMALL}&rounds=7&against=one task", accept_downloads=True)
    page = opened.page
    found = at_rest(page, 7)
    page.locator("details.mtfl-group").evaluate_all("groups => groups.forEach(group => { group.open = true; })")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save data").click()
    waiting.value.save_as(tmp_path / "data.csv")
    rows = list(csv.DictReader((tmp_path / "data.csv").read_text("utf8").splitlines()))
    assert [row["run"] for row in rows] == 8 * ["this run"] + 8 * ["other run"]
    assert [float(rows[k]["energy"]) for k in (7, 15)] == found["energy"]
    assert [float(rows[k]["accuracy"]) for k in (7, 15)] == found["accuracy"]
    assert rows[0]["loss"] == "" and float(rows[0]["theory_energy"]) == float(rows[0]["energy"])
    of = [{key: row[f"setting_{key}"] for key in ("d", "tasks", "step", "law", "loss", "seed")} for row in rows]
    this = {"d": "10", "tasks": "8", "step": "2", "law": "balanced", "loss": "hinge", "seed": "1"}
    assert of == 8 * [this] + 8 * [this | {"tasks": "1", "step": "16"}]


def test_both_runs_are_taken_home_as_python(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}&against=one task", permissions=CLIPBOARD).page
    page.get_by_text("As Python", exact=True).click()
    press(page, "Copy")
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()").replace("\r", "")
    assert copied == page.locator(".mtfl-x code").text_content()
    assert "# This run\n" in copied and "# The other run: one task\n" in copied
    choose(page, "against", "nothing")
    page.get_by_role("button", name="Copy", exact=True).wait_for()  # other lines, not copied yet
    page.evaluate("() => void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
    press(page, "Copy")
    page.get_by_role("button", name="Selected: copy by keyboard").wait_for()
    assert page.evaluate("String(getSelection())").strip() == page.locator(".mtfl-x code").text_content()


def test_tasks_can_be_painted(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?law=painted&r=2&tasks=2&rounds=3&d=10&neurons=16&batch=64")
    page = opened.page
    first = at_rest(page, 3)
    cell = page.get_by_role("button", name="task 1, pattern −−: −1")
    assert cell.get_attribute("aria-pressed") == "false"
    cell.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().settings.paint_1 === 7")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "task 1, pattern −−: +1"
    page.locator("[data-key=r]").press("ArrowRight")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().settings.r === 3")
    tops = (
        page.locator(".mtfl-patterns")
        .first.locator("button")
        .evaluate_all("all => all.map(cell => cell.getBoundingClientRect().top)")
    )
    assert [tops.count(top) for top in sorted(set(tops))] == [4, 4]
    page.locator("[data-key=r]").press("ArrowLeft")
    assert at_rest(page, 3)["energy"] != first["energy"]
    assert "paint_1=7" in (page.locator(".mtfl-figure").get_attribute("data-address") or "")
    assert opened.errors == []


def test_five_features_are_trained_but_four_are_painted(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?r=5&tasks=5&rounds=2&d=10&neurons=16&batch=64&first=5&new_task=painted")
    page = opened.page
    at_rest(page, 2)
    assert "of the weights lie in the 5 hidden directions" in words(page)
    assert page.get_by_role("group", name="Labels of the new task").get_by_role("button").count() == 16
    page.evaluate(f"location.hash = '{NAME}?r=5&law=painted&rounds=2&tasks=64&d=10&neurons=16&batch=64'")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().settings.law === 'painted'")
    assert at_rest(page, 2)["settings"]["r"] == 4
    assert "tasks of at most 4 features are painted" in words(page)
    for key, value in (("tasks", "8"), ("r", "4")):  # a slider shows what is trained
        assert page.locator(f"[data-key={key}] ~ output").inner_text() == value
    assert page.get_by_role("group", name="Labels of the painted tasks").get_by_role("button").count() == 128
    assert opened.errors == []


def test_a_link_that_says_start_sets_all_that_it_does_not_name_back(
    open_page: Callable[..., Opened], home: str
) -> None:
    page = open_page(home, f"links.html{NAME}?law=uniform&flips=0.2").page
    page.get_by_role("link", name="six").click()
    settings = at_rest(page, 6)["settings"]
    assert (settings["law"], settings["flips"], settings["tasks"]) == ("balanced", 0, 8)
    assert "law" not in page.evaluate("location.hash")


def test_a_link_below_leads_to_where_the_figure_begins(open_page: Callable[..., Opened], home: str) -> None:
    """It is taller than any window: its pictures and its first controls are what the reader is led to."""
    page = open_page(home, "below.html", reduced_motion="reduce").page
    page.get_by_role("link", name="six").click()
    at_rest(page, 6)
    top = page.evaluate("document.querySelector('.mtfl-x').getBoundingClientRect().top / innerHeight")
    assert -0.05 < top < 0.3


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_the_laboratory(open_page: Callable[..., Opened], home: str, view: str) -> None:
    opened = open_page(home, "page-dark.html" if view == "dark" else "page.html", **VIEWS[view])
    page = opened.page
    page.locator("details").evaluate_all("groups => groups.forEach(group => { group.open = true; })")
    choose(page, "law", "painted")
    assert violations(opened) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize("width", [1280, 720, 360])
def test_nothing_jumps_when_it_is_drawn_or_trains(open_page: Callable[..., Opened], home: str, width: int) -> None:
    def height(opened: Opened) -> float:
        return opened.page.locator(".mtfl-x").evaluate("figure => figure.getBoundingClientRect().height")

    view = {"viewport": {"width": width, "height": 900}, **NO_MOTION}
    reserved = height(open_page(home, "page.html", java_script_enabled=False, **view))
    opened = open_page(home, f"page.html{NAME}?rounds=20&against=one task with all the inputs&batch=64", **view)
    at_rest(opened.page, 20)
    words(opened.page)
    assert height(opened) == reserved
    opened.page.get_by_role("button", name="New task").click()
    opened.page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer")
    words(opened.page)
    assert height(opened) == reserved


def test_on_a_phone_the_picture_and_play_are_seen_at_once(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "page.html", viewport={"width": 360, "height": 740}, has_touch=True).page
    play, picture = page.get_by_role("button", name="Play").bounding_box(), page.locator("svg").first.bounding_box()
    assert play is not None and picture is not None
    assert picture["y"] + picture["height"] - play["y"] < 600
    assert 0 <= play["y"] and picture["y"] + picture["height"] <= 740


@pytest.mark.parametrize("width", [360, 320])
def test_a_narrow_page_is_no_wider_than_its_window(open_page: Callable[..., Opened], home: str, width: int) -> None:
    page = open_page(home, "page.html", viewport={"width": width, "height": 740}).page
    page.locator("details").evaluate_all("groups => groups.forEach(group => { group.open = true; })")
    choose(page, "law", "painted")
    choose(page, "new_task", "painted")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_on_a_phone_play_stays_in_sight(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, f"laboratory.html{NAME}?{SMALL}", viewport={"width": 360, "height": 740}).page
    at_rest(page, 0)
    page.locator("[data-key=examples]").evaluate("slider => slider.scrollIntoView({ block: 'center' })")
    play, bar = (
        page.get_by_role("button", name="Play").bounding_box(),
        page.locator(".bd-header-article").bounding_box(),
    )
    assert play is not None and bar is not None
    assert bar["y"] + bar["height"] <= play["y"] < 120


def test_a_legend_names_what_is_there(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}&rounds=2").page
    at_rest(page, 2)
    words(page)
    legend = page.locator("svg[aria-label^='energy by round'] text")
    assert {"other run", "this run", "theory"} & set(legend.filter(visible=True).all_text_contents()) == {
        "this run",
        "theory",
    }
    named = page.locator("svg text").filter(has_text="other run", visible=True)
    assert named.count() == 0
    choose(page, "against", "one task")
    choose(page, "inputs", "hypercube")
    at_rest(page, 2)
    words(page)
    assert {"other run", "this run", "theory"} & set(legend.filter(visible=True).all_text_contents()) == {
        "this run",
        "other run",
    }
    assert named.count() == 6  # in each picture that shows it


def test_planes_say_how_far_they_reach(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}&rounds=40").page
    reaches, plane = [], page.locator("svg", has=page.get_by_text("feature 1 →"))
    for rounds in (40, 0):
        (V,) = at_rest(page, rounds)["V"]
        words(page)
        told = " ".join(plane.locator("text").all_text_contents())
        (reach,) = re.findall(r"both axes: −([\d.]+) to \1 ", told)
        reaches.append(float(reach))
        assert 0.9 * reaches[-1] < max(map(abs, V)) <= reaches[-1]
        press(page, "Reset")
    assert reaches[0] > reaches[1]


def test_the_colours_of_the_task_kernel_are_named(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}").page
    at_rest(page, 0)
    kernel = page.locator("svg[aria-label^='The task kernel'] > text").all_text_contents()
    assert kernel == ["1: agree on all tasks", "0: on half of them", "−1: on none"]


def test_on_paper_a_trained_network_says_its_sizes(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}&rounds=3").page
    at_rest(page, 3)
    words(page)
    sizes = page.get_by_text("Dimension d = 10, features r = 2, tasks T = 8, inputs in a batch n = 64, neurons m = 16.")
    assert not sizes.is_visible()
    page.emulate_media(media="print")
    assert sizes.is_visible()


def test_while_the_worker_lags_the_page_says_so_and_its_controls_live(browser: Browser, home: str) -> None:
    context = new_window(browser)
    page = context.new_page()
    page.add_init_script(HELD)
    page.goto(f"{home}page.html{NAME}?{SMALL}&rounds=60")
    progress, planes = page.locator(".mtfl-progress"), page.locator(".mtfl-columns").first
    assert words(page).startswith("Training begins on 8 balanced tasks")
    assert progress.text_content() == "Round 0 of 60"
    assert planes.get_attribute("aria-busy") == "true"
    page.locator("[data-key=tasks]").press("Home")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().settings.tasks === 1")
    assert words(page).startswith("A network is made for one balanced task")
    assert progress.text_content() == "Making the network"
    press(page, "Play")
    words(page)
    press(page, "Pause")
    words(page)
    assert planes.get_attribute("aria-busy") == "true"  # the worker has yet to say where it stopped
    assert page.evaluate("document.querySelector('.mtfl-x').inspect().rounds") == -1  # the page itself trains nothing
    page.evaluate("let_go()")
    page.wait_for_function("!document.querySelector('.mtfl-x').inspect().busy")
    words(page)
    rounds = page.evaluate("document.querySelector('.mtfl-x').inspect().rounds")
    assert progress.text_content() == f"Round {rounds}"
    assert f"rounds={rounds}" in address_of(page) or rounds == 0  # not the 60 that were asked for
    assert planes.get_attribute("aria-busy") == "false"
    context.close()


def test_a_screen_reader_hears_that_it_begins_pauses_and_is_done(browser: Browser, home: str) -> None:
    context = new_window(browser)
    page = context.new_page()
    page.add_init_script(HELD)
    page.goto(f"{home}page.html{NAME}?{SMALL}&rounds=5")
    page.evaluate(HEARD)
    page.wait_for_function("heard.includes('Training for 5 rounds.')")
    page.evaluate("let_go()")
    page.wait_for_function("heard.at(-1).startsWith('Done. After 5 rounds on 8 balanced tasks')")
    press(page, "Play")
    page.wait_for_function("heard.at(-1) === 'Training goes on until you press Pause.'")
    press(page, "Pause")
    page.wait_for_function("heard.at(-1).startsWith('Paused. After')")
    assert len(page.evaluate("heard")) <= 5
    context.close()


def test_what_the_reader_changed_is_undone_and_done_again(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"links.html{NAME}?{SMALL}&rounds=3")
    page = opened.page
    first, undo = at_rest(page, 3), page.get_by_role("button", name="Undo")
    assert undo.get_attribute("aria-disabled") == "true"
    undo.dispatch_event("click")  # it does nothing
    before = address_of(page)
    page.locator("[data-key=tasks]").press("ArrowLeft")
    page.locator("[data-key=tasks]").press("ArrowLeft")
    choose(page, "loss", "logistic")
    after = address_of(page)
    page.keyboard.press("Control+z")
    assert "loss" not in address_of(page) and "tasks=6" in address_of(page)
    undo.click()
    assert "tasks=7" in address_of(page)
    undo.click()
    assert address_of(page) == before
    assert at_rest(page, 3)["energy"] == first["energy"]
    assert undo.get_attribute("aria-disabled") == "true"
    for _ in range(3):
        page.keyboard.press("Control+Shift+Z")
    assert address_of(page) == after
    page.get_by_role("link", name="six").click()
    at_rest(page, 6)
    press(page, "Undo")
    assert address_of(page) == after
    assert page.get_by_role("button", name="Redo").get_attribute("aria-disabled") == "false"
    assert opened.errors == []


def test_a_drag_and_a_time_of_play_are_one_step_each(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}", viewport={"width": 1280, "height": 900}).page
    start, slider = address_of(page), page.locator("[data-key=d]").bounding_box()
    assert slider is not None
    y = slider["y"] + slider["height"] / 2
    page.mouse.move(slider["x"] + 30, y)
    page.mouse.down()
    page.mouse.move(slider["x"] + slider["width"] - 40, y, steps=6)
    page.mouse.up()
    dragged = address_of(page)
    press(page, "Play")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().rounds > 5")
    press(page, "Undo")
    page.get_by_role("button", name="Play").wait_for()
    at_rest(page, 0)
    assert address_of(page) == dragged
    press(page, "Undo")
    assert address_of(page) == start
    page.mouse.move(slider["x"] + 30, y)
    page.mouse.down()
    page.mouse.move(slider["x"] + slider["width"] - 40, y, steps=6)
    page.mouse.move(slider["x"] + 30, y, steps=6)
    page.mouse.up()
    press(page, "Other draws")
    one = address_of(page)
    press(page, "Other draws")
    press(page, "Undo")  # the slider is held no more, wherever it came to
    assert address_of(page) == one
    press(page, "Undo")  # and where it came back to is no step
    assert address_of(page) == start
    assert page.get_by_role("button", name="Undo").get_attribute("aria-disabled") == "true"


def test_a_change_after_play_is_a_step_of_its_own(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}").page
    press(page, "Play")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().rounds > 5")
    press(page, "Pause")
    page.wait_for_function(PAUSED)
    played = address_of(page)
    page.locator("[data-key=tasks]").press("ArrowLeft")
    assert address_of(page) != played
    press(page, "Undo")
    assert address_of(page) == played


def test_the_picture_is_saved_as_on_a_light_page(
    open_page: Callable[..., Opened], folder: Path, tmp_path: Path
) -> None:
    home, made = folder.as_uri() + "/", {}
    for name in ("page", "page-dark"):
        opened = open_page(home, f"{name}.html{NAME}?{SMALL}&rounds=4", accept_downloads=True, **NO_MOTION)
        page = opened.page
        at_rest(page, 4)
        press(page, "New task")
        page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer")
        told = words(page)
        page.locator("details.mtfl-group").evaluate_all("groups => groups.forEach(group => { group.open = true; })")
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Save picture").click()
        waiting.value.save_as(tmp_path / f"{name}.svg")
        made[name] = ET.parse(tmp_path / f"{name}.svg").getroot()
        assert opened.errors == [] and opened.away == []
    texts = {name: [node.text or "" for node in root.iter(f"{SVG}text")] for name, root in made.items()}
    assert told in " ".join(texts["page"])
    assert len(made["page"].findall(f"{SVG}svg")) == 8
    assert "tasks=8" in (made["page"].findtext(f"{SVG}desc") or "")
    for root in made.values():
        assert all("class" not in node.attrib and "style" not in node.attrib for node in root.iter())
    looks = {
        name: [(node.tag, node.get("fill"), node.get("stroke")) for node in root.iter()] for name, root in made.items()
    }
    assert looks["page"] == looks["page-dark"]
    assert any(fill == "rgb(31, 35, 40)" for _, fill, _ in looks["page"])


def test_a_task_painted_by_the_reader_is_a_new_task(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, f"page.html{NAME}?r=2&d=10&neurons=64&rounds=40&paint_new=15")
    page = opened.page
    at_rest(page, 40)
    choose(page, "new_task", "painted")
    at_rest(page, 40)
    press(page, "New task")
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer")
    (found,) = at_rest(page, 40)["transfer"]["accuracies"]
    assert found["oracle"] == found["trained"] == found["random"] == 1  # every label is +1
    page.get_by_role("button", name="new task, pattern −−: +1").click()
    page.get_by_role("button", name="new task, pattern ++: +1").click()
    assert "paint_new=6" in address_of(page)  # the parity's opposite
    at_rest(page, 40)
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().transfer?.accuracies[0].random < 1")
    (found,) = at_rest(page, 40)["transfer"]["accuracies"]
    assert found["oracle"] > 0.9 and found["trained"] > 0.8
    words(page)
    assert "Accuracy on the task you painted from 256 examples" in page.inner_text(".mtfl-two")
    assert opened.errors == []


def test_a_finger_plays_and_paints(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(
        home, f"page.html{NAME}?{SMALL}&law=painted", viewport={"width": 360, "height": 740}, has_touch=True
    )
    page = opened.page
    page.get_by_role("button", name="Play").tap()
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().rounds > 2")
    page.get_by_role("button", name="Pause").tap()
    page.wait_for_function(PAUSED)
    page.get_by_role("button", name="task 1, pattern −−: −1").tap()
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().settings.paint_1 === 7")
    page.get_by_role("button", name="Undo").tap()
    page.wait_for_function("document.querySelector('.mtfl-x').inspect().settings.paint_1 === 6")
    assert opened.errors == []


def test_where_the_reader_chose_the_colours_states_are_told_apart(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, f"page.html{NAME}?{SMALL}&law=painted&rounds=2", forced_colors="active").page
    at_rest(page, 2)
    look = "node => { const { color, backgroundColor } = getComputedStyle(node); return [color, backgroundColor]; }"
    pressed = page.get_by_role("button", name="task 1, pattern +−: +1").evaluate(look)
    assert page.get_by_role("button", name="task 1, pattern −−: −1").evaluate(look) != pressed
    assert pressed == page.get_by_role("button", name="Play").evaluate(look)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for node in page.locator(".mtfl-x svg .mtfl-line, .mtfl-x svg .mtfl-dots, .mtfl-x svg .mtfl-grid").all():
        assert node.evaluate("node => getComputedStyle(node).stroke") != ground
    press(page, "Tour")
    assert page.locator(".mtfl-tour").evaluate("card => getComputedStyle(card).borderTopStyle") == "solid"


def apart(one: Any, other: Any) -> bool:
    """Whether two boxes have no point in common."""
    return any(
        first[start] + first[size] <= second[start]
        for start, size in (("x", "width"), ("y", "height"))
        for first, second in ((one, other), (other, one))
    )


@pytest.mark.parametrize("width", [1280, 360])
def test_a_tour_begins_once_and_covers_no_button_of_training(
    open_page: Callable[..., Opened], home: str, width: int
) -> None:
    opened = open_page(home, "first.html", viewport={"width": width, "height": 740}, **NO_MOTION)
    page, height = opened.page, "document.documentElement.scrollHeight"
    tour = page.get_by_role("group", name="Tour, 1 of 5")
    assert tour.is_visible()
    assert page.evaluate("document.activeElement === document.body && scrollY === 0")
    high = page.evaluate(height)
    page.get_by_role("button", name="Next").focus()
    for place in range(1, 6):
        assert page.get_by_role("group", name=f"Tour, {place} of 5").is_visible()
        assert page.evaluate(height) == high
        play = page.get_by_role("button", name="Play").bounding_box()
        card, marked = page.locator(".mtfl-tour").bounding_box(), page.locator(".mtfl-marked").bounding_box()
        assert play is not None and card is not None and marked is not None
        assert apart(card, play)
        assert card["x"] >= 0 and card["x"] + card["width"] <= width
        assert card["y"] + card["height"] <= 740
        if place == 1:  # it covers none of the pictures
            assert all(apart(card, box) for svg in page.locator("svg").all() if (box := svg.bounding_box()))
        else:
            assert 0 <= marked["y"] <= card["y"] - marked["height"]  # what it tells of is seen
        if place == 3:
            page.get_by_role("button", name="Back").press("Enter")
            assert page.get_by_role("group", name="Tour, 2 of 5").is_visible()
            assert page.evaluate("document.activeElement.textContent") == "Back"
            page.get_by_role("button", name="Next").press("Enter")
            page.get_by_role("button", name="Next").focus()
        page.keyboard.press("Enter")
    assert page.locator(".mtfl-tour, .mtfl-marked").count() == 0
    assert page.evaluate("document.activeElement.textContent") == "Tour"
    page.reload()
    at_rest(page, 0)
    assert page.locator(".mtfl-tour").count() == 0  # it was seen
    press(page, "Tour")
    assert tour.is_visible()
    page.emulate_media(media="print")
    assert not tour.is_visible()
    page.emulate_media(media="screen")
    page.get_by_role("button", name="One round").press("Escape")
    assert page.locator(".mtfl-tour").count() == 0
    assert opened.errors == []


def test_a_first_visit_on_a_phone_sees_the_tour_at_once(open_page: Callable[..., Opened], served: str) -> None:
    page = open_page(served, "laboratory.html", viewport={"width": 360, "height": 740}).page
    card = page.locator(".mtfl-tour").bounding_box()
    assert card is not None and card["y"] + card["height"] <= 740
    assert page.evaluate("scrollY") == 0


def test_a_first_visit_leaves_the_tour_by_a_key(open_page: Callable[..., Opened], home: str) -> None:
    page = open_page(home, "first.html").page
    page.locator(".mtfl-tour").wait_for()
    page.keyboard.press("Escape")
    assert page.locator(".mtfl-tour").count() == 0
    assert page.evaluate("document.activeElement === document.body && scrollY === 0")


@pytest.mark.parametrize("where", ["page.html", f"first.html{NAME}?{SMALL}"])
def test_no_tour_where_nothing_is_kept_or_a_state_was_asked_for(
    open_page: Callable[..., Opened], home: str, where: str
) -> None:
    page = open_page(home, where).page
    at_rest(page, 0)
    assert page.locator(".mtfl-tour").count() == 0
