"""Figures to move, in a browser and without Python: controls work, numbers are the package's, pages stay at home."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from axe import VIEWS, violations
from explorable_examples import KINDS, NO_MOTION, ROOT, example, write_page
from numpy.testing import assert_allclose
from opened import Opened, new_window, serve
from PIL import Image

from mtfl import limit_kernel, task_kernel
from mtfl.explorables import (
    AnySlope,
    ColouredStep,
    ConnectTheDots,
    Explorable,
    HowManyTasks,
    InContext,
    NeuronsInPlane,
    PaintedTask,
    PullingPairs,
    RelabelledDigits,
    TaskKernel,
    TasksAgree,
    TransferGrid,
)
from mtfl.metrics import recovery
from mtfl.population import Neurons, population_step

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page for each figure, a page with all of them twice, and one with links."""
    folder = tmp_path_factory.mktemp("small")
    for kind in KINDS:
        write_page(folder, f"{kind.__name__}.html", example(kind).page())
    write_page(folder, "twice.html", 2 * "".join(example(kind).page() for kind in KINDS))
    links = "".join(
        f'<p><a href="#fig-neurons?{query}">{query}</a></p>'
        for query in ("tasks=inf&law=uniform", "tasks=2", "colour=3")
    )
    write_page(folder, "empty.html", "")
    write_page(folder, "links.html", links + NeuronsInPlane().page())
    return folder


@pytest.fixture(scope="session")
def small_served(small: Path) -> Iterator[str]:
    with serve(small) as address:
        yield address


@pytest.fixture(params=["http", "file"])
def home(request: pytest.FixtureRequest, small: Path) -> str:
    return request.getfixturevalue("small_served") if request.param == "http" else small.as_uri() + "/"


# Tests that share a page run on one figure after another.
EACH_KIND = pytest.mark.parametrize("kind", KINDS, scope="module")


@pytest.fixture(scope="module")
def drawn(browser: Browser, small_served: str, kind: type[Explorable]) -> Iterator[Opened]:
    """A figure's page, opened once for those tests that move no control of it."""
    context = new_window(browser)
    opened = Opened(context.new_page())
    opened.page.goto(f"{small_served}{kind.__name__}.html", wait_until="load")
    yield opened
    context.close()


def test_figures_stand_without_asking_for_anything(open_page: Callable[..., Opened], home: str) -> None:
    opened = open_page(home, "twice.html")
    opened.settle()
    assert opened.away == []
    assert opened.errors == []
    assert opened.page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)") == []
    figures = opened.page.locator(".mtfl-x")
    assert figures.count() == 2 * len(KINDS)
    for n in range(figures.count()):
        assert figures.nth(n).locator("svg[role=img][aria-label]").count() > 0


# Controls

CONTROLS = "input[type=range], fieldset:has(input[type=radio]), button, select"
# Bring control number n of the first figure into sight, and remember what a reader sees of the figure and of it: the
# picture, the words for it, and the control's own readout. What it is, and how to move it: between which places, or by
# which key. A native control says when it has been moved, whether or not the figure listens.
READY = f"""([n, total, way]) => {{
    const figure = document.querySelector(".mtfl-x"), controls = figure.querySelectorAll("{CONTROLS}");
    if (controls.length !== total) return null;
    const control = controls[n];
    const button = control.tagName === "BUTTON", slider = control.matches("input[type=range]");
    window.look = () => [
        [...figure.querySelectorAll("svg *")].map(node =>
            ["d", "transform", "cx", "cy", "x", "y", "rx", "ry", "width", "class", "fill-opacity"].map(
                name => node.getAttribute(name)).join() + (node.children.length ? "" : node.textContent)).join("|"),
        figure.querySelector("svg[role=img]").getAttribute("aria-label"),
        ...(button ? [] : slider
            ? [[control.value, control.ariaValueText, control.parentElement.querySelector("output").textContent].join()]
            : [[...control.querySelectorAll("input")].map(input => input.checked).join()]),
    ];
    window.before = look();
    window.moved = control.matches(":disabled") || new Promise(done =>
        addEventListener(button ? "click" : "change", () => done(), {{ capture: true, once: true }}));
    control.scrollIntoView({{ block: "center", behavior: "instant" }});
    if (way === "keyboard") (control.querySelector("input:checked") ?? control).focus();
    const box = (control.querySelector("label:has(input:not(:checked))") ?? control).getBoundingClientRect();
    const place = share => [box.x + 9 + share * (box.width - 18), box.y + box.height / 2];
    const share = slider ? control.value / (control.max || 1) : 0.5, at_end = slider && control.value === control.max;
    return [control.dataset.key ?? control.textContent, !control.matches(":disabled"),
        place(share), place(!slider ? 0.5 : share < 0.5 ? 0.8 : 0.2),
        button ? "Enter" : at_end ? "ArrowLeft" : "ArrowRight"];
}}"""
STAYED = """async () => {
    await moved;
    await scheduler.postTask(() => {}); // the figure has heard it as well
    return look().map((part, k) => part === before[k]);
}"""
Place = tuple[float, float]


def move_by_mouse(page: Page, start: Place, end: Place, key: str) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    if end != start:
        page.mouse.move(*end, steps=3)
    page.mouse.up()


def move_by_keyboard(page: Page, start: Place, end: Place, key: str) -> None:
    page.keyboard.press(key)


def move_by_touch(page: Page, start: Place, end: Place, key: str) -> None:
    page.touchscreen.tap(*end)


WAYS = {"mouse": move_by_mouse, "keyboard": move_by_keyboard, "touch": move_by_touch}


def stays(page: Page, n: int, total: int, way: str) -> list[str]:
    """What control number n leaves as it was when it is moved: the picture, the words for it, or its own readout."""
    ready = page.evaluate(READY, [n, total, way])
    if ready is None:
        return [f"{total} controls are not there"]
    what, is_enabled, start, end, key = ready
    if is_enabled:
        WAYS[way](page, start, end, key)
    parts = ("picture", "words", "readout")
    return [f"{what}: {part}" for part, is_same in zip(parts, page.evaluate(STAYED), strict=False) if is_same]


def dead_controls(opened: Opened, way: str) -> list[str]:
    """What each control leaves as it was, in the state that the one before left, and in the first state as well.

    Time is stopped, so that what Play has begun does not go on, and only the control can have moved anything.
    """
    page, found = opened.page, []
    total = page.locator(".mtfl-x").first.locator(CONTROLS).count()
    for n in range(total):
        if stays(page, n, total, way):
            page.reload()
            found += stays(page, n, total, way)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_control_moves_picture_words_and_readout(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable], way: str
) -> None:
    opened = open_page(small_served, f"{kind.__name__}.html", has_touch=way == "touch", stopped=True, **NO_MOTION)
    assert dead_controls(opened, way) == []
    assert opened.errors == []


HIDDEN = """() => [
    ...document.querySelectorAll(".mtfl-x :is(.mtfl-words, svg[role=img], input, button)"),
].filter(node => {
    const box = node.getBoundingClientRect(), seen = { opacityProperty: true, visibilityProperty: true };
    return node.type !== "radio" && !(node.checkVisibility(seen) && box.width > 8 && box.height > 8);
}).map(node => node.className.baseVal ?? (node.className || node.textContent || node.type))"""


@EACH_KIND
def test_words_pictures_and_controls_can_be_seen(drawn: Opened) -> None:
    for width in (360, 1280):
        drawn.page.set_viewport_size({"width": width, "height": 720})
        drawn.settle()
        assert drawn.page.evaluate(HIDDEN) == [], width


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (".mtfl-words { display: none }", "mtfl-words"),
        (".mtfl-words { opacity: 0 }", "mtfl-words"),
        (".mtfl-columns > div + div { visibility: hidden }", "Start over"),
    ],
)
def test_what_a_style_hides_is_seen(open_page: Callable[..., Opened], small_served: str, rule: str, found: str) -> None:
    opened = open_page(small_served, "TaskKernel.html", **NO_MOTION)
    opened.page.add_style_tag(content=rule)
    assert found in opened.page.evaluate(HIDDEN)


def test_a_dead_control_is_seen(open_page: Callable[..., Opened], tmp_path: Path) -> None:
    page = NeuronsInPlane().page()
    listening = "input: take,"
    assert page.count(listening) == 1
    write_page(tmp_path, "dead.html", page.replace(listening, "unheard: take,"))
    opened = open_page(tmp_path.as_uri() + "/", "dead.html", stopped=True, **NO_MOTION)
    found = dead_controls(opened, "keyboard")
    for key in ("tasks", "rounds", "d", "step_size", "decay"):
        assert {f"{key}: picture", f"{key}: words"} <= set(found)
    assert not any(fault.startswith("Step") for fault in found)


def test_the_example_of_the_contributors_guide_works(open_page: Callable[..., Opened], tmp_path: Path) -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf8")
    script, code = (re.findall(rf"```{language}\n(.*?)```", guide, flags=re.DOTALL)[0] for language in ("js", "python"))
    (tmp_path / "task_kernel.js").write_text(script)
    names: dict[str, Any] = {"__name__": __name__}
    exec(code, names)
    names["TaskKernel"].module = str(tmp_path / "task_kernel")
    write_page(tmp_path, "page.html", names["TaskKernel"]().page())
    opened = open_page(tmp_path.as_uri() + "/", "page.html#fig-task-kernel?tasks=10", stopped=True, **NO_MOTION)
    assert opened.page.locator(".mtfl-words").text_content() == "The task kernel of 10 tasks on eight patterns."
    assert opened.page.locator(".mtfl-minus").count() > 10
    opened.page.locator("[data-key=tasks]").press("End")
    assert opened.page.locator("rect[fill-opacity='1.000']").count() == 8
    assert dead_controls(opened, "keyboard") == []
    assert opened.errors == []


# Neurons in the plane: the numbers


def state_of(opened: Opened) -> dict[str, Any]:
    opened.settle()
    return opened.page.evaluate("document.querySelector('.mtfl-x').inspect()")


def tensor(values: list[float], *shape: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(shape or -1)


@pytest.mark.parametrize(
    ("settings", "decay", "step_size", "rounds"),
    [
        ({"tasks": 1, "law": "balanced", "d": 30}, 0.0, 60.0, 1),
        ({"tasks": "inf", "law": "uniform", "d": 1000}, 1.0, 40.0, 6),
        ({"tasks": 100, "law": "uniform", "d": 10}, 0.5, 20.0, 9),
    ],
)
def test_what_is_drawn_is_what_the_package_computes(
    open_page: Callable[..., Opened],
    small_served: str,
    settings: dict[str, Any],
    decay: float,
    step_size: float,
    rounds: int,
) -> None:
    state = settings | {"decay": decay, "step_size": step_size, "rounds": rounds}
    query = "&".join(f"{key}={value}" for key, value in state.items())
    opened = open_page(small_served, f"NeuronsInPlane.html#fig-neurons?{query}", **NO_MOTION)
    shown = state_of(opened)

    if settings["tasks"] == "inf":
        assert shown["F"] is None
        kernel = limit_kernel(2, settings["law"])
    else:
        F = tensor(shown["F"], settings["tasks"], 4)
        kernel = task_kernel(F)
        if settings["law"] == "balanced":
            assert (F.sum(1) == 0).all()
    assert_allclose(shown["kernel"], kernel.reshape(-1).numpy(), rtol=1e-12)
    start = tensor(shown["startTau"])
    neurons = Neurons(tensor(shown["startV"], len(start), 2), start, torch.zeros_like(start))
    for _ in range(rounds):
        step = population_step(*neurons, kernel)
        neurons = neurons.moved(step, step_size=step_size, weight_decay=decay / (8 * np.pi))
    assert_allclose(shown["V"], neurons.V.reshape(-1).numpy(), rtol=1e-9, atol=1e-9 * float(neurons.V.abs().max()))
    assert_allclose(shown["tau"], neurons.tau.numpy(), rtol=1e-8, atol=1e-9 * float(neurons.V.abs().max()))
    energy, conditioning = (float(x) for x in recovery(neurons.V, neurons.tau))
    assert_allclose([shown["energy"], shown["conditioning"]], [energy, conditioning], rtol=1e-8)

    words = opened.page.locator(".mtfl-x svg[role=img]").first.get_attribute("aria-label") or ""
    assert f"conditioning {conditioning:.2f}, energy {energy:.2f}" in words
    size = torch.cat([neurons.V, neurons.tau[:, None]], 1).square().sum(1).mean().sqrt()
    assert_allclose(shown["displayed"], (neurons.V / size).reshape(-1).numpy(), rtol=1e-7, atol=1e-9)
    dots = "".join(node.get_attribute("d") or "" for node in opened.page.locator(".mtfl-dots").all())
    at = np.array([[float(x) for x in pair] for pair in re.findall(r"M(\S+) (\S+)h", dots)]) - [170, 185]
    radii = np.sort(np.hypot(*at.T)) / np.hypot(*at.T).max()
    expected = np.sort(neurons.V.norm(dim=1).numpy()) / float(neurons.V.norm(dim=1).max())
    assert_allclose(radii, expected, atol=0.01)


@pytest.mark.parametrize("query", ["tasks=5", "tasks=20&law=uniform&d=1000&decay=0.7&step_size=30"])
def test_the_dashed_ellipse_is_the_median_of_fifty_draws(
    open_page: Callable[..., Opened], small_served: str, query: str
) -> None:
    opened = open_page(small_served, f"NeuronsInPlane.html#fig-neurons?{query}", **NO_MOTION)
    shown = state_of(opened)
    start = tensor(shown["startTau"])
    neurons = Neurons(tensor(shown["startV"], len(start), 2), start, torch.zeros_like(start))
    decay, step_size = (0.7 / (8 * np.pi), 30.0) if "decay" in query else (0.0, 60.0)
    found = []
    for kernel in shown["others"]:
        after = neurons.moved(population_step(*neurons, tensor(kernel, 4, 4)), step_size=step_size, weight_decay=decay)
        found.append(float(recovery(after.V, after.tau).conditioning))
    assert len(found) == 50
    assert len({round(x, 9) for x in found}) > 5
    assert shown["typical"] == pytest.approx(np.median(found), rel=1e-8)
    assert f"the median conditioning of 50 is {np.median(found):.2f}." in (
        opened.page.locator(".mtfl-words").text_content() or ""
    )
    axes = [float(opened.page.locator(".mtfl-dashed.mtfl-ellipse").get_attribute(name) or 0) for name in ("rx", "ry")]
    assert axes[1] / axes[0] == pytest.approx(np.median(found), abs=1e-3)
    assert "dashed" in opened.page.locator(".mtfl-x svg").first.inner_html()
    opened.page.locator("[data-key=rounds]").press("End")
    assert opened.page.locator("g[visibility=hidden] .mtfl-dashed").count() == 1  # only the first round has it


def test_the_picture_moves_from_the_start_to_the_result(open_page: Callable[..., Opened], small_served: str) -> None:
    page = open_page(small_served, "NeuronsInPlane.html", stopped=True).page
    page.evaluate("""() => {
        const figure = document.querySelector(".mtfl-x"), input = figure.querySelector("[data-key=tasks]");
        window.seen = [];
        input.value = input.max;
        input.dispatchEvent(new Event("input"));
        const look = () => { seen.push(figure.inspect()); requestAnimationFrame(look); };
        requestAnimationFrame(look);
    }""")
    page.clock.run_for(1000)  # the picture moves for 900 ms, with 60 frames a second
    seen = page.evaluate("window.seen")[1:]  # the first look is before the first frame
    start, end = (np.array(seen[0][key]) for key in ("startV", "V"))
    spread = [float(np.linalg.norm(frame["displayed"])) for frame in seen]
    assert spread[0] < 1.3 * np.linalg.norm(start)  # it starts where the neurons started
    assert sorted(spread) == pytest.approx(spread)  # and grows
    assert len({round(x, 6) for x in spread}) > 40
    size = np.sqrt((end**2).sum() / 150 + np.square(seen[0]["tau"]).mean())
    assert_allclose(seen[-1]["displayed"], end / size, rtol=1e-9)


# What updates cost. How long they take, tests/site/measure.py prints.


class Cost(NamedTuple):
    """What sixty updates cost."""

    operations: int  # of the figure's own code: how often its blocks (functions, branches, bodies of loops) ran
    changes: int  # of the figure's elements
    frames: int  # that it asked the browser for
    layouts: int  # that it made the browser compute at once, and one for the frame after them
    frames_later: int  # that it asked for in a second with nothing left to move


UPDATES = 60
COUNTED = {  # operations and changes, in Chromium 156
    NeuronsInPlane: (17_822_000, 2_100),
    TaskKernel: (667_293, 8_520),
    PaintedTask: (11_251_710, 1_560),
    TransferGrid: (45_772, 1_620),
    HowManyTasks: (360_297, 1_080),
    PullingPairs: (708_082, 6_330),
    RelabelledDigits: (4_967_701, 5_100),
    TasksAgree: (477_529, 3_840),
    AnySlope: (2_153_397, 2_040),
    ConnectTheDots: (59_650, 10_440),
    ColouredStep: (216_298, 1_740),
    InContext: (428_291, 2_400),
}
ROOM = 1.6
MOST_LAYOUTS = 10
UPDATE = """async n => {
    const input = document.querySelector(".mtfl-x input[type=range]");
    input.value = (7 * n) % (Number(input.max) + 1);
    input.dispatchEvent(new Event("input"));
    await null;
    await null;
}"""
COUNT = """() => {
    const ask = requestAnimationFrame;
    window.frames = window.changes = 0;
    window.requestAnimationFrame = run => { window.frames++; return ask(run); };
    new MutationObserver(list => window.changes += list.length).observe(document.querySelector(".mtfl-x"),
        { subtree: true, childList: true, attributes: true, characterData: true });
}"""


def cost_of_updates(open_page: Callable[..., Opened], home: str, name: str) -> Cost:
    """Move a figure's first slider sixty times, one frame after another, and count."""
    page = open_page(home, "empty.html", stopped=True).page
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable")
    browser.send("Profiler.enable")
    browser.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": True})  # before V8 sees the code
    page.goto(home + name)

    def operations() -> int:
        """Since the last time."""
        scripts = browser.send("Profiler.takePreciseCoverage")["result"]
        functions = [part for script in scripts if script["url"] == home + name for part in script["functions"]]
        return sum(block["count"] for part in functions for block in part["ranges"])

    def layouts() -> int:
        return next(x["value"] for x in browser.send("Performance.getMetrics")["metrics"] if x["name"] == "LayoutCount")

    before = layouts()
    page.evaluate(f"async () => {{ for (let n = 0; n < {UPDATES}; n++) await ({UPDATE})(n); }}")  # between two frames
    at_once = layouts() - before
    page.clock.run_for(2000)
    page.evaluate(COUNT)
    operations()
    for n in range(UPDATES):
        page.evaluate(UPDATE, n)
        page.clock.run_for(16)
    done, changes, frames = operations(), *page.evaluate("[window.changes, window.frames]")
    page.clock.run_for(2000)
    before = page.evaluate("window.frames")
    page.clock.run_for(1000)
    return Cost(done, changes, frames, at_once, page.evaluate("window.frames") - before)


def too_much(cost: Cost, kind: type[Explorable]) -> list[str]:
    """What costs more than it may."""
    operations, changes = (int(ROOM * count) for count in COUNTED[kind])
    return [
        name
        for name, found, most in zip(
            Cost._fields, cost, Cost(operations, changes, UPDATES, MOST_LAYOUTS, 0), strict=True
        )
        if found > most
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_updates_cost_a_bounded_number_of_operations(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable]
) -> None:
    cost = cost_of_updates(open_page, small_served, f"{kind.__name__}.html")
    print(kind.__name__, cost)
    assert too_much(cost, kind) == []
    assert cost.operations > COUNTED[kind][0] / 10  # they were counted
    assert cost.changes > COUNTED[kind][1] / 10


WASTEFUL: list[tuple[type[Explorable], str, str, set[str]]] = [
    (TransferGrid, "if (!ended) run();", "if (!ended) run(), run();", {"operations", "changes"}),
    (NeuronsInPlane, "if (args.join() !== key)", "if (true)", {"operations"}),
    (TaskKernel, "if (drawn?.label !== `${r},${law},${seed}`)", "if (true)", {"operations"}),
    (HowManyTasks, "if (curve?.key !== `${sums.key},${d}`)", "if (true)", {"operations"}),
    (PaintedTask, "...layerOf(r, d) };", "...layerOf(r, d), ...layerOf(r, d) };", {"operations"}),
    (NeuronsInPlane, "if (share < 1 && !ended)", "if (!ended)", {"frames_later"}),
    (TransferGrid, "words.textContent = text;", "words.textContent = text; el.getBoundingClientRect();", {"layouts"}),
]


@pytest.mark.parametrize(("kind", "good", "bad", "seen"), WASTEFUL)
def test_a_wasteful_update_is_seen(
    open_page: Callable[..., Opened], tmp_path: Path, kind: type[Explorable], good: str, bad: str, seen: set[str]
) -> None:
    page = example(kind).page()
    assert page.count(good) == 1
    write_page(tmp_path, "empty.html", "")
    write_page(tmp_path, "wasteful.html", page.replace(good, bad))
    cost = cost_of_updates(open_page, tmp_path.as_uri() + "/", "wasteful.html")
    print(kind.__name__, cost)
    assert set(too_much(cost, kind)) >= seen


def test_play_goes_on_until_paused(open_page: Callable[..., Opened], small_served: str) -> None:
    page = open_page(small_served, "NeuronsInPlane.html#fig-neurons?rounds=14", stopped=True, **NO_MOTION).page
    play = page.locator(".mtfl-play")
    rounds = page.locator("[data-key=rounds]")
    play.click()
    assert play.text_content() == "Pause"
    page.clock.run_for(1000)
    assert rounds.input_value() == "17"  # one at once, and one each 450 ms
    play.click()
    page.clock.run_for(10_000)
    assert rounds.input_value() == "17"
    assert play.text_content() == "Play"
    play.click()
    page.clock.run_for(1000)
    assert rounds.input_value() == "20"
    assert play.text_content() == "Pause"
    page.clock.run_for(1000)
    assert play.text_content() == "Play"
    assert page.locator(".mtfl-status").text_content() == page.locator(".mtfl-words").text_content()


# Figures that move by themselves


def seen_alone(opened: Opened, beats: int = 4) -> list[str]:
    """What a figure says, beat by beat, its clock stopped in between."""
    opened.page.wait_for_function("document.querySelector('.mtfl-play').textContent === 'Pause'")
    told = []
    for _ in range(beats):
        told.append(opened.page.locator(".mtfl-words").text_content() or "")
        opened.page.clock.run_for(800)
    return told


MOVING = [PullingPairs, TasksAgree]


@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize("touch", ["tap", "key", "focus", "link"])
def test_a_figure_moves_by_itself_until_it_is_touched(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable], touch: str
) -> None:
    opened = open_page(small_served, f"{kind.__name__}.html", stopped=True)
    page, play = opened.page, opened.page.locator(".mtfl-play")
    told = seen_alone(opened)
    assert len(set(told)) == len(told)
    assert page.locator(".mtfl-status").text_content() == ""  # which a screen reader would read out
    assert page.evaluate("location.hash") == ""
    if touch == "tap":
        page.locator(".mtfl-x svg").first.click()
    elif touch == "key":
        page.locator(".mtfl-x input[type=range]").first.press("ArrowRight")
    elif touch == "focus":
        page.locator(".mtfl-x input[type=range]").first.focus()
    else:
        page.evaluate("""name => {
            const link = document.createElement("a");
            link.href = `#${name}?tasks=2`;
            document.body.append(link);
            link.click();
        }""", kind().name)  # fmt: skip
    assert play.text_content() == "Play"
    still = page.locator(".mtfl-words").text_content()
    page.clock.run_for(5000)
    assert page.locator(".mtfl-words").text_content() == still
    assert page.locator(".mtfl-status").text_content() == still
    play.click()
    page.clock.run_for(2000)
    assert page.locator(".mtfl-words").text_content() != still
    assert opened.errors == []


@pytest.mark.parametrize("kind", MOVING)
def test_its_button_stops_a_figure_that_moves_by_itself(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable]
) -> None:
    opened = open_page(small_served, f"{kind.__name__}.html", stopped=True)
    seen_alone(opened)
    opened.page.locator(".mtfl-play").click()
    assert opened.page.locator(".mtfl-play").text_content() == "Play"
    still = opened.page.locator(".mtfl-words").text_content()
    opened.page.clock.run_for(5000)
    assert opened.page.locator(".mtfl-words").text_content() == still


@pytest.mark.parametrize("kind", MOVING)
def test_a_figure_begins_again_by_itself(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable]
) -> None:
    opened = open_page(small_served, f"{kind.__name__}.html", stopped=True)
    told = seen_alone(opened, beats=45)
    assert sum("one balanced task" in words for words in told) >= 1
    assert len(set(told)) > 20


@pytest.mark.parametrize("kind", MOVING)
def test_a_figure_out_of_sight_or_asked_for_by_address_stands_still(
    open_page: Callable[..., Opened], tmp_path: Path, kind: type[Explorable]
) -> None:
    write_page(tmp_path, "far.html", '<div style="height: 3000px"></div>' + kind().page())
    home = tmp_path.as_uri() + "/"
    for address in ("far.html", f"far.html#{kind().name}?tasks=5"):
        opened = open_page(home, address, stopped=True)
        before = opened.page.locator(".mtfl-words").text_content()
        opened.page.clock.run_for(3000)
        assert opened.page.locator(".mtfl-play").text_content() == "Play"
        assert opened.page.locator(".mtfl-words").text_content() == before
    opened = open_page(home, "far.html", stopped=True)
    opened.page.locator(".mtfl-x").scroll_into_view_if_needed()
    seen_alone(opened)
    opened.page.evaluate("scrollTo(0, 0)")
    opened.page.wait_for_function("document.querySelector('.mtfl-play').textContent === 'Play'")


# Links


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_links_set_the_figure(open_page: Callable[..., Opened], home: str, way: str) -> None:
    opened = open_page(home, "links.html", viewport={"width": 500, "height": 400}, **NO_MOTION)
    page = opened.page
    link = page.get_by_role("link", name="tasks=inf&law=uniform")
    if way == "mouse":
        link.click()
    else:
        link.focus()
        page.keyboard.press("Enter")
    words = page.locator(".mtfl-words")
    assert "infinitely many uniform tasks" in (words.text_content() or "")
    assert page.locator("[data-key=tasks]").get_attribute("aria-valuetext") == "infinitely many tasks"
    assert page.locator("input[value=uniform]").is_checked()
    page.wait_for_function("scrollY > 0")  # the figure comes into view
    page.get_by_role("link", name="tasks=2").click()
    assert "2 uniform tasks" in (words.text_content() or "")
    page.get_by_role("link", name="colour=3").click()
    assert "2 uniform tasks" in (words.text_content() or "")
    assert (words.text_content() or "").endswith("(not all that was asked for is a setting of this figure.)")
    assert opened.errors == []


# For those who use no mouse, want no motion, or choose the colours

REACHED = """controls => {
    const node = document.activeElement, figure = node.closest(".mtfl-x");
    if (!figure) return null;
    const shown = node.type === "radio" ? node.nextElementSibling : node, style = getComputedStyle(shown);
    return [[...figure.querySelectorAll(controls)].indexOf(node.closest("fieldset") ?? node),
        style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}"""
ALIVE = (
    "(figure, all) => [...figure.querySelectorAll(all)].map((node, n) => (node.disabled ? -1 : n)).filter(n => n >= 0)"
)


def walk(page: Page) -> list[tuple[int, bool]]:
    """Which controls of the first figure Tab comes to, and whether each shows that it has come."""
    found: list[tuple[int, bool]] = []
    page.locator("h1").evaluate("node => { node.tabIndex = -1; node.focus(); }")
    page.keyboard.press("Tab")
    while (reached := page.evaluate(REACHED, CONTROLS)) is not None:
        found.append(tuple(reached))
        page.keyboard.press("Tab")
    return found


@EACH_KIND
def test_tab_comes_to_every_control_in_order_and_leaves(drawn: Opened) -> None:
    page = drawn.page
    alive = page.locator(".mtfl-x").evaluate(ALIVE, CONTROLS)
    assert len(alive) >= 4
    assert walk(page) == [(n, True) for n in alive]


def test_a_control_that_tab_misses_is_seen(open_page: Callable[..., Opened], small_served: str) -> None:
    page = open_page(small_served, "NeuronsInPlane.html").page
    page.locator("[data-key=d]").evaluate("node => node.tabIndex = -1")
    alive = page.locator(".mtfl-x").evaluate(ALIVE, CONTROLS)
    assert len(walk(page)) == len(alive) - 1


FRAMES_OF_MOVES = """async () => {
    let frames = 0, smooth = 0;
    const ask = window.requestAnimationFrame, scroll = Element.prototype.scrollIntoView;
    window.requestAnimationFrame = run => { frames++; return ask(run); };
    Element.prototype.scrollIntoView = function (how) { smooth += how?.behavior === "smooth"; scroll.call(this, how); };
    const figure = document.querySelector(".mtfl-x"), link = document.createElement("a");
    const rest = async () => { await null; await null; };
    for (const input of figure.querySelectorAll("input[type=range]")) {
        input.value = input.value === input.max ? 0 : input.max;
        input.dispatchEvent(new Event("input"));
        await rest();
    }
    link.href = `${figure.parentElement.dataset.address.split("?")[0]}?seed=3`;
    document.body.append(link);
    link.click();
    await rest();
    window.requestAnimationFrame = ask;
    const moves = document.getAnimations().length;
    return { frames, smooth, moves };
}"""


# The inks of all that shows a label, by the label.
INKS_OF_LABELS = """figure => ["plus", "minus"].map(kind =>
    [...new Set([...figure.querySelectorAll(`.mtfl-${kind}`)].map(node => getComputedStyle(node).fill))])"""


@EACH_KIND
def test_labels_have_one_colour_each(drawn: Opened) -> None:
    plus, minus = drawn.page.locator(".mtfl-x").evaluate(INKS_OF_LABELS)
    assert len(plus) < 2 and "rgb(0, 0, 0)" not in plus + minus
    assert not set(plus) & set(minus)


@pytest.mark.parametrize("kind", KINDS)
def test_without_motion_nothing_moves_on_its_own(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable]
) -> None:
    page = open_page(small_served, f"{kind.__name__}.html", **NO_MOTION).page
    assert page.evaluate(FRAMES_OF_MOVES) == {"frames": 0, "smooth": 0, "moves": 0}


@pytest.mark.parametrize("ignored", ["if (still()) return tick(1);", 'still() ? "auto" : behavior'])
def test_motion_that_was_not_wanted_is_seen(open_page: Callable[..., Opened], tmp_path: Path, ignored: str) -> None:
    page = NeuronsInPlane().page()
    assert page.count(ignored) == 1
    write_page(tmp_path, "moves.html", page.replace(ignored, ignored.replace("still()", "false")))
    opened = open_page(tmp_path.as_uri() + "/", "moves.html", **NO_MOTION)
    assert opened.page.evaluate(FRAMES_OF_MOVES) != {"frames": 0, "smooth": 0, "moves": 0}


CHOSEN = """figure => [...figure.querySelectorAll("fieldset, .mtfl-toggles")].map(group => {
    const ground = node => getComputedStyle(node).backgroundColor;
    const chosen = group.querySelector("input:checked + span, [aria-pressed=true]");
    return [ground(chosen), ground(group.querySelector("input:not(:checked) + span, [aria-pressed=false]"))];
})"""


def ink_of_track(slider: Locator) -> list[int]:
    """How far, of 255, a slider's track stands out from the ground above it, before and behind the thumb."""
    picture = np.asarray(Image.open(io.BytesIO(slider.screenshot())).convert("RGB")).astype(int)
    height, width, _ = picture.shape
    share = float(slider.input_value()) / float(slider.get_attribute("max") or 1)
    thumb = 9 + share * (width - 18)
    columns = [x for x in (thumb / 2, (thumb + width) / 2) if abs(x - thumb) > 14]
    return [int(abs(picture[height // 2, int(x)] - picture[1, int(x)]).max()) for x in columns]


@EACH_KIND
def test_in_forced_colours_what_is_chosen_is_seen(drawn: Opened) -> None:
    page, figure = drawn.page, drawn.page.locator(".mtfl-x")
    for scheme in ("light", "dark"):
        page.emulate_media(forced_colors="active", color_scheme=scheme)
        for chosen, other in figure.evaluate(CHOSEN):
            assert chosen != other
        for slider in figure.locator("input[type=range]:enabled").all():
            assert min(ink_of_track(slider)) > 60
        lines = figure.locator(".mtfl-grid").first.evaluate("node => getComputedStyle(node).stroke")
        assert lines != page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(forced_colors="null", color_scheme="null")


def test_a_track_that_vanishes_is_seen(open_page: Callable[..., Opened], small_served: str) -> None:
    page = open_page(small_served, "NeuronsInPlane.html", forced_colors="active").page
    slider = page.locator("[data-key=rounds]")
    slider.evaluate("node => node.style.forcedColorAdjust = 'auto'")
    assert min(ink_of_track(slider)) < 60


# Looks


def test_the_knob_of_a_slider_is_whole_at_both_ends(open_page: Callable[..., Opened], small_served: str) -> None:
    page = open_page(small_served, "NeuronsInPlane.html", device_scale_factor=3, **NO_MOTION).page
    slider = page.locator("[data-key=rounds]")

    def ring() -> list[int]:
        """How far the outermost pixels at both ends stand out from the ground above them, of 255."""
        picture = np.asarray(Image.open(io.BytesIO(slider.screenshot())).convert("RGB")).astype(int)
        row, ground = picture[len(picture) // 2], picture[1, len(picture[0]) // 2]
        return [int(abs(row[x] - ground).max()) for x in (1, -2)]

    slider.press("Home")
    assert ring()[0] > 90
    slider.press("End")
    assert ring()[1] > 90
    page.add_style_tag(content="input::-webkit-slider-thumb { border-color: var(--x-bg) !important }")
    assert ring()[1] < 90


@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_in_figures(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable]
) -> None:
    """A dark page differs from a light one in its colours, and a narrow page in all else."""
    opened = open_page(small_served, f"{kind.__name__}.html", **VIEWS["light"])
    page, too_wide = opened.page, "document.documentElement.scrollWidth > innerWidth"
    assert violations(opened) == []
    assert not page.evaluate(too_wide)
    page.set_viewport_size(VIEWS["phone"]["viewport"])
    assert violations(opened, colours=False) == []
    assert not page.evaluate(too_wide)
    page.emulate_media(**VIEWS["dark"])
    page.locator("html").evaluate("({ dataset }) => { dataset.theme = dataset.mode = 'dark'; }")
    opened.settle()
    assert violations(opened, other=False) == []


# The height of a figure as it is drawn and with each of its sliders at both ends, and how much of it stays empty.
HEIGHTS = """async () => {
    const figure = document.querySelector(".mtfl-x"), height = () => figure.getBoundingClientRect().height;
    const found = [height()];
    for (const slider of figure.querySelectorAll("input[type=range]")) {
        for (const end of [-1e9, 1e9]) {
            if (slider.disabled) continue;
            slider.value = end;
            slider.dispatchEvent(new Event("input"));
            await null;
            await null;
            found.push(height());
        }
    }
    return [found, figure.getBoundingClientRect().bottom - figure.lastElementChild.getBoundingClientRect().bottom];
}"""


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_jumps_when_a_figure_is_drawn_or_moved(
    open_page: Callable[..., Opened], small_served: str, kind: type[Explorable]
) -> None:
    still = open_page(small_served, f"{kind.__name__}.html", java_script_enabled=False, **NO_MOTION).page
    page = open_page(small_served, f"{kind.__name__}.html", **NO_MOTION).page
    for width in (1280, 720, 360):
        for one in (still, page):
            one.set_viewport_size({"width": width, "height": 900})
        page.reload()
        reserved = still.locator(".mtfl-x").evaluate("figure => figure.getBoundingClientRect().height")
        heights, empty = page.evaluate(HEIGHTS)
        assert len(heights) > 2
        assert set(heights) == {reserved}, width
        assert empty < 64  # and little of it stays empty
