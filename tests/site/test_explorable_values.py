"""What the figures show is what the package computes: kernels, painted tasks, how many tasks, transfer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from explorable_examples import AXES, GRID
from numpy.testing import assert_allclose
from opened import Opened, new_window
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import norm

from mtfl import all_tasks, limit_kernel, task_kernel, walsh_coefficients
from mtfl.contrastive import Anchors, kernel_deviation_bound, pull_gradient
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
from mtfl.moments import pattern_moments
from mtfl.network import relu_features
from mtfl.population import Neurons, leading_order_step, population_step
from mtfl.real_data import balanced_kernel, class_means, load, told_apart
from mtfl.single_task import single_task_steps
from mtfl.tasks import pattern_signs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Show = Callable[[Explorable], Page]
    Look = Callable[[Explorable], tuple[dict[str, Any], str]]


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Opened]:
    """One window for all figures that need no clock."""
    context = new_window(browser, reduced_motion="reduce")
    opened = Opened(context.new_page())
    opened.watch("file:")
    yield opened
    context.close()


@pytest.fixture
def show(window: Opened, tmp_path: Path) -> Show:
    """A function that opens a page with a figure."""

    def show(figure: Explorable) -> Page:
        (tmp_path / "figure.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{figure.page()}", "utf8")
        window.errors.clear()
        window.page.goto((tmp_path / "figure.html").as_uri(), wait_until="load")
        return window.page

    return show


@pytest.fixture
def look(show: Show, window: Opened) -> Look:
    """What a figure was drawn from, and its words."""

    def look(figure: Explorable) -> tuple[dict[str, Any], str]:
        page = show(figure)
        window.settle()
        assert window.errors == []
        state = page.evaluate("document.querySelector('.mtfl-x').inspect()")
        return state, page.locator(".mtfl-words").text_content() or ""

    return look


@pytest.mark.parametrize(("r", "law", "tasks"), [(3, "uniform", 40), (2, "balanced", 7), (4, "balanced", math.inf)])
def test_the_task_kernel(look: Look, r: int, law: str, tasks: float) -> None:
    shown, words = look(TaskKernel(r=r, law=law, tasks=tasks, first=1, second=2))
    K, limit = 2**r, limit_kernel(r, law)
    kernel = limit
    if tasks < math.inf:
        F = torch.tensor(shown["F"], dtype=torch.float64).reshape(-1, K)
        assert len(F) == tasks
        assert law == "uniform" or bool((F.sum(1) == 0).all())
        kernel = task_kernel(F)
        deviation = float((kernel - limit).abs().max())
        assert_allclose(shown["deviations"][int(tasks) - 1], deviation, rtol=1e-12)
        bound = kernel_deviation_bound(r, int(tasks))
        assert f"at most {deviation:.2f} from its limit; with 95 % certainty at most {bound:.2f}" in words
        agree = int((F[:, 1] == F[:, 2]).sum())
        assert f"agree on {agree} of {tasks} tasks: kernel {float(kernel[1, 2]):.2f}".replace("-", "−") in words
    assert_allclose(shown["kernel"], kernel.reshape(-1).numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("r", "task", "d", "decay"),
    [(3, 168, 1000, "none"), (2, 8, 30, "none"), (3, 126, 1000, "matched"), (4, 27030, 100, "none")],
)
def test_a_painted_task(look: Look, r: int, task: int, d: int, decay: str) -> None:
    shown, words = look(PaintedTask(r=r, task=task, d=d, decay=decay))
    f = all_tasks(r)[task : task + 1]
    step = single_task_steps(f, d, matched_decay=decay == "matched")
    assert_allclose(shown["f"], f[0].numpy())
    assert_allclose(shown["spectrum"], walsh_coefficients(f)[0].numpy(), atol=1e-15)
    assert_allclose(shown["energy"], float(step.energy[0]), rtol=1e-9)
    assert_allclose(shown["values"], step.values[0].numpy(), rtol=1e-6, atol=1e-9)
    assert_allclose(shown["size"], float(step.size[0]), rtol=1e-9)
    assert f"learns {int(step.directions[0])} of {r} directions: energy {float(step.energy[0]):.2f}" in words


@pytest.mark.parametrize(
    ("r", "law", "tasks", "d"), [(3, "balanced", 5, 1000), (4, "uniform", 100, 300), (2, "uniform", math.inf, 30)]
)
def test_how_many_tasks(look: Look, r: int, law: str, tasks: float, d: int) -> None:
    shown, words = look(HowManyTasks(r=r, law=law, tasks=tasks, d=d))
    assert len(shown["F"]) == (0 if tasks == math.inf else tasks * 2**r)
    if tasks == math.inf:
        assert_allclose(shown["values"], np.ones(r))
        return
    F = torch.tensor(shown["F"], dtype=torch.float64).reshape(-1, 2**r)
    # neurons with the second moments of N(0, I / d): +- sqrt(r / d) e_i, and tau = 1
    V = torch.cat([torch.eye(r), -torch.eye(r)]).double() * math.sqrt(r / d)
    step = leading_order_step(V, torch.ones(2 * r).double(), F, head_step=2 * math.pi)
    unit, own = (2**r - 1, 0.0) if law == "balanced" else (2**r, 2.0**-r)
    inside = unit * (step.parallel - own * V) * math.sqrt(d / (2 * r))
    assert_allclose(shown["values"], torch.linalg.svdvals(inside).numpy(), rtol=1e-9, atol=1e-7)
    conditioning = float(recovery(inside, torch.zeros(2 * r).double()).conditioning)
    assert f"conditioning {conditioning:.2f}" in words


@pytest.mark.parametrize(
    ("d", "tasks", "examples", "task"), [(32, 8, 128, "parity"), (20, 30, 300, "random"), (8, 64, 512, "parity")]
)
def test_transfer(look: Look, d: int, tasks: int, examples: int, task: str) -> None:
    shown, words = look(TransferGrid(grid=GRID, d=d, tasks=tasks, examples=examples, task=task))
    for name, found in shown["found"].items():
        values = np.array(GRID[task][name]).reshape(3, 3, 3, 3)
        expected = RegularGridInterpolator([np.log(axis) for axis in AXES], values)(np.log([d, tasks, examples]))[0]
        assert_allclose(found, expected, rtol=1e-9)
    measured = d in AXES[0] and tasks in AXES[1] and examples in AXES[2]
    assert ("(measured)" if measured else "(interpolated") in words
    assert re.search(rf"At d = {d}, T = {tasks}, n = {examples}", words)


@pytest.mark.parametrize(
    ("law", "tasks", "turn", "lean"),
    [("balanced", 1, 30, 55), ("balanced", 40, 200, 30), ("uniform", 7, 0, 80), ("uniform", math.inf, 345, 10)],
)
def test_pairs_that_pull(look: Look, law: str, tasks: float, turn: int, lean: int) -> None:
    figure = PullingPairs(law=law, tasks=tasks, turn=turn, lean=lean)
    shown, words = look(figure)
    X = torch.tensor(figure.inputs, dtype=torch.float64).reshape(-1, 3)
    a, b = math.radians(turn), math.radians(lean)
    w = torch.tensor([[math.cos(a) * math.cos(b), math.sin(a) * math.cos(b), math.sin(b)]], dtype=torch.float64)
    assert_allclose(shown["w"], w[0].numpy(), atol=1e-12)
    kernel = limit_kernel(2, law)
    if tasks < math.inf:
        F = torch.tensor(shown["F"], dtype=torch.float64).reshape(-1, 4)
        assert len(F) == tasks
        kernel = task_kernel(F)
    patterns, zero = (X[:, 0] > 0) + 2 * (X[:, 1] > 0), torch.zeros(1).double()
    pulls = (kernel @ Anchors.of(relu_features(w, zero, X), patterns, 2).totals)[patterns]
    step = -pull_gradient(w, zero, X, pulls / len(X))[0]
    assert_allclose(shown["pulls"], (pulls * (X @ w.T > 0))[:, 0].numpy(), atol=1e-12)
    assert_allclose(shown["gradient"], step.numpy(), atol=1e-12)
    assert_allclose(shown["displayed"], (step / step.norm()).numpy(), atol=1e-9)
    across = step[0] * w[0, 1] - step[1] * w[0, 0]
    aside = math.degrees(math.atan2(across.abs(), step[:2] @ w[0, :2]))
    above = math.degrees(math.atan2(step[2], step[:2].norm()))
    assert_allclose([shown["aside"], shown["above"]], [aside, above], atol=1e-5)
    assert f"the step points {aside:.0f}° from the neuron’s shadow" in words
    assert f"{abs(above):.0f}° {'below' if above < 0 else 'above'} the plane" in words or abs(above) < 0.5


@pytest.mark.parametrize("law", ["balanced", "uniform"])
def test_the_still_picture_of_the_pairs_shows_the_limit(look: Look, law: str) -> None:
    figure = PullingPairs(law=law, tasks=math.inf)
    shown, _ = look(figure)
    w, pulls, step = figure.pulls()
    assert_allclose(shown["w"], w.numpy(), atol=1e-12)
    assert_allclose(shown["pulls"], pulls.numpy(), atol=1e-12)
    assert_allclose(shown["gradient"], step.numpy(), atol=1e-12)
    assert figure.still() in figure.page()
    assert figure.still().count("<path") == 3 + int((pulls != 0).sum())


def test_the_inputs_of_the_pairs_are_normal_and_mirrored() -> None:
    X = np.array(PullingPairs().inputs).reshape(-1, 3)
    assert X.shape == (48, 3)
    for axis in range(3):
        mirrored = X * np.where(np.arange(3) == axis, -1, 1)
        assert {tuple(x) for x in mirrored} == {tuple(x) for x in X}
        middles = norm.ppf(0.5 + (np.arange(6) + 0.5) / 12)
        assert_allclose(np.unique(np.abs(X[:, axis])), middles, atol=0.006)


@pytest.mark.parametrize(
    ("law", "tasks"), [("balanced", 12), ("uniform", 1), ("uniform", 333), ("parity", 50), ("parity", math.inf)]
)
def test_tasks_that_agree(look: Look, law: str, tasks: float) -> None:
    shown, words = look(TasksAgree(law=law, tasks=tasks))
    kernel = limit_kernel(2, law)
    if tasks < math.inf:
        F = torch.tensor(shown["F"], dtype=torch.float64).reshape(-1, 4)
        assert len(F) == tasks
        assert law == "uniform" or bool((F.sum(1) == 0).all())
        kernel = task_kernel(F)
    apart = kernel[*torch.triu_indices(4, 4, 1)]
    assert_allclose(shown["kernel"], kernel.reshape(-1).numpy(), atol=1e-12)
    assert_allclose([shown["low"], shown["high"]], [apart.min(), apart.max()], atol=1e-12)
    shares = [f"{50 * (1 + float(x)):.0f}\N{NO-BREAK SPACE}%" for x in (apart.min(), apart.max())]
    assert f"the same label on {shares[0]}" + (f" to {shares[1]}" if shares[0] != shares[1] else "") in words
    if tasks < math.inf:
        limit = 50 * (1 + float(limit_kernel(2, law)[0, 1]))
        assert f"in the limit on {limit:.0f}\N{NO-BREAK SPACE}%" in words


@pytest.mark.parametrize(
    ("leak", "tasks", "d"), [(0.0, "all", 30), (-1.0, "parity", 5), (0.35, "balanced", 100), (1.0, "feature", 3)]
)
def test_a_unit_of_any_slope(look: Look, leak: float, tasks: str, d: int) -> None:
    shown, words = look(AnySlope(leak=leak, tasks=tasks, d=d))
    z, uniform = pattern_signs(2), limit_kernel(2, "uniform")
    products = {"feature": z[:, 0], "parity": z[:, 0] * z[:, 1]}
    kernel = products[tasks].outer(products[tasks]) if tasks in products else limit_kernel(2, "balanced")
    kernel = uniform if tasks == "all" else kernel

    def layer(key: str) -> Neurons:
        V = torch.tensor(shown[key], dtype=torch.float64).reshape(-1, 2)
        return Neurons(V, (1 - V.square().sum(1)).clamp(min=0).sqrt(), torch.zeros(len(V)).double())

    cells, arrows, random = layer("cells"), layer("arrows"), layer("V")
    mean = pattern_moments(*cells, leak=leak).mean / 4
    assert_allclose(shown["squares"], torch.einsum("mk,kl,ml->m", mean, kernel, mean).numpy(), atol=1e-9)
    step = population_step(*arrows, kernel, leak=leak)
    along = (step.parallel * arrows.V).sum(1) + step.perpendicular * arrows.tau**2
    turns = step.parallel - along[:, None] * arrows.V
    assert_allclose(shown["turns"], turns.flatten().numpy(), atol=1e-9)
    step = population_step(*random, uniform, head_step=8 * math.pi, leak=leak)
    inside = float((step.parallel * random.V).sum() / random.V.square().sum())
    outside = float((step.perpendicular * random.tau**2).sum() / random.tau.square().sum())
    assert_allclose([shown["inside"], shown["outside"]], [inside, outside], atol=1e-9)
    assert f"grow {inside:.2f} inside the plane and {outside:.2f} outside" in words
    assert f"one feature at {100 * (1 + leak):.0f}\N{NO-BREAK SPACE}%" in words


@pytest.mark.parametrize(
    ("task", "tasks", "pixels"), [(341, 1, "plain"), (31, 9, "whitened"), (7, 40, "plain"), (0, 1, "plain")]
)
def test_relabelled_digits(look: Look, task: int, tasks: int, pixels: str) -> None:
    """The linear half of the step, from the images themselves; class means with three digits are what is rounded."""
    shown, words = look(RelabelledDigits(task=task, tasks=tasks, pixels=pixels))
    F = torch.tensor(shown["F"], dtype=torch.float64).reshape(-1, 10)
    F[0] = torch.tensor([1.0 if task >> c & 1 else -1.0 for c in range(10)])
    assert len(F) == tasks
    assert bool((F[1:].sum(1) == 0).all())
    assert_allclose(shown["kernel"], (F.T @ F / tasks).flatten().numpy(), atol=1e-12)
    images = load("digits")
    X = images.X.double() - images.X.double().mean(0)
    X = X / X.square().mean().sqrt()
    if pixels == "whitened":
        S = 0.9 * X.T @ X / len(X) + 0.1 * torch.eye(64) * X.square().mean()
        X = torch.from_numpy(np.linalg.solve(np.linalg.cholesky(S.numpy()), X.T.numpy()).T)
    means = class_means(X, images.classes)
    g = F @ (means - means.mean(0)) / 10
    values = torch.linalg.svdvals(g)[:9].square()
    if task:
        assert_allclose(np.array(shown["values"])[: len(values)], (values / values[0]).numpy(), atol=2e-3)
    U, sizes, _ = np.linalg.svd(((means - means.mean(0)) @ g.T @ g / (4 * tasks)).numpy(), full_matrices=False)
    places = np.abs(U[:, :2] * np.where(sizes[:2] > 1e-9, sizes[:2], 0))
    assert_allclose(np.abs(np.array(shown["places"]).reshape(10, 2)), places, atol=2e-3 * max(1e-9, places.max()))
    kinds = told_apart(F)
    assert f"{kinds} kinds of digits apart" in words if kinds > 1 else "no two digits apart" in words


def test_relabelled_digits_in_the_limit(look: Look) -> None:
    shown, words = look(RelabelledDigits(tasks=math.inf))
    assert_allclose(shown["kernel"], balanced_kernel(10).flatten().numpy())
    assert words.startswith("Infinitely many tasks tell 10 kinds of digits apart.")


@pytest.mark.parametrize(
    ("task", "tasks", "pixels"), [(341, 1, "plain"), (31, 2, "plain"), (7, math.inf, "whitened"), (0, 1, "plain")]
)
def test_letters_on_the_map_of_digits_cover_no_other(show: Show, task: int, tasks: float, pixels: str) -> None:
    """And the places are true: one scale for both axes."""
    figure = RelabelledDigits(task=task, tasks=tasks, pixels=pixels)
    page = show(figure)
    drawn = page.locator(".mtfl-place").evaluate_all(
        "spots => spots.map(spot => [...spot.getAttribute('transform').match(/[-.\\d]+/g).map(Number),"
        " Number(spot.querySelector('text').getAttribute('y'))])"
    )
    x, y, shift = np.array(drawn).T
    letters = np.stack([x / 11, (y + shift) / 15], 1)  # in widths and heights of a letter
    apart = np.abs(letters[:, None] - letters).max(2)
    assert apart[~np.eye(10, dtype=bool)].min() >= 1
    places = np.array(page.evaluate("document.querySelector('.mtfl-x').inspect().places")).reshape(10, 2)
    seen = np.stack([x - 165, 105 - y], 1)
    assert_allclose(seen, places * (np.abs(seen).max() / max(np.abs(places).max(), 1e-12)), atol=0.2)


@pytest.mark.parametrize("law", ["balanced", "uniform"])
def test_the_curves_of_how_many_tasks(look: Look, law: str) -> None:
    """At each count the figure's own conditioning, and the theory of its edges and drift."""
    r, d = 4, 300
    shown, _ = look(HowManyTasks(r=r, law=law, tasks=1000, d=d))
    F = torch.tensor(shown["F"], dtype=torch.float64).reshape(-1, 2**r)
    V = torch.cat([torch.eye(r), -torch.eye(r)]).double() * math.sqrt(r / d)
    own = 0.0 if law == "balanced" else 2.0**-r
    assert [count for count, _ in shown["curve"]][:6] == [1, 2, 3, 4, 5, 6]
    for (count, measured), (same, theory) in zip(shown["curve"], shown["theory"], strict=True):
        assert count == same
        step = leading_order_step(V, torch.ones(2 * r).double(), F[: int(count)], head_step=2 * math.pi)
        inside = step.parallel - own * V
        assert measured == pytest.approx(float(recovery(inside, torch.zeros(2 * r).double()).conditioning), abs=1e-7)
        low, high = ((1 + sign * math.sqrt(r / count)) ** 2 for sign in (-1, 1))
        drift = r * (1 - 2 / 2**r) * d / count if law == "uniform" else 0  # prop-drift, in units of the limit
        assert theory == pytest.approx(low / math.hypot(high, math.sqrt(drift)) if count > r else 0, rel=1e-12)


@pytest.mark.parametrize(
    ("r", "d", "decay"), [(2, 30, "none"), (3, 30, "matched"), (3, 1000, "none"), (3, 100, "none")]
)
def test_every_painted_task_counts_its_directions(show: Show, r: int, d: int, decay: str) -> None:
    figure = PaintedTask(r=r, d=d, decay=decay)
    page = show(figure)
    found = page.evaluate(
        """async tasks => {
        const figure = document.querySelector(".mtfl-x"), link = document.createElement("a"), found = [];
        document.body.append(link);
        for (let task = 0; task < tasks; task++) {
            link.setAttribute("href", `#fig-paint?task=${task}`);
            link.click();
            await null;
            await null;
            const green = figure.querySelectorAll(".mtfl-bar.mtfl-green").length;
            found.push([figure.querySelector(".mtfl-words").textContent, green]);
        }
        return found;
    }""",
        2**2**r,
    )
    directions = single_task_steps(all_tasks(r), d, matched_decay=decay == "matched").directions.tolist()
    for (words, green), count in zip(found, directions, strict=True):
        assert green == count, words
        assert f"learns {count} of {r} directions" in words or (count == 0 and "moves nothing" in words)


@pytest.mark.parametrize("r", [2, 3, 4])
def test_the_named_tasks_are_what_they_are_called(show: Show, r: int) -> None:
    page = show(PaintedTask(r=r))
    z = pattern_signs(r)
    wanted = {"Parity": z.prod(1), "Majority": (z.sum(1) > 0).double() * 2 - 1, "Constant": torch.ones(2**r)}
    for name, labels in wanted.items():
        page.get_by_role("button", name=name).click()
        assert page.evaluate("document.querySelector('.mtfl-x').inspect().f") == labels.tolist()
        pressed = page.locator(".mtfl-toggles button").evaluate_all("all => all.map(node => node.ariaPressed)")
        assert pressed == [str(label > 0).lower() for label in labels.tolist()]
    drawn = set()
    for _ in range(6):
        page.get_by_role("button", name="Random").click()
        drawn.add(tuple(page.evaluate("document.querySelector('.mtfl-x').inspect().f")))
    assert len(drawn) > 1


@pytest.mark.parametrize(
    ("state", "gaps"),
    [
        ({"tasks": 1, "first": 153}, [1, 3, 5]),
        ({"tasks": 1, "first": 85}, []),
        ({"tasks": 2, "first": 153, "second": 75}, []),
        ({"tasks": 2, "first": 153, "second": 102, "share": 1.0}, [1, 3, 5]),
        ({"tasks": 3, "first": 153, "second": 175, "third": 86, "share": 0.3, "seed": 9}, [1]),
        ({"tasks": 3, "first": 0, "second": 255, "third": 0}, []),
    ],
)
def test_dots_that_are_connected(look: Look, state: dict[str, Any], gaps: list[int]) -> None:
    """What is shaded and what is drawn has the least norm, as straight lines have, by its slopes on a fine grid."""
    shown, words = look(ConnectTheDots(**state))
    T, x = state["tasks"], np.array(shown["x"])
    Y = np.array(shown["Y"]).reshape(T, 8)
    assert_allclose(
        Y, [[1 if state[key] >> i & 1 else -1 for i in range(8)] for key in ("first", "second", "third")[:T]]
    )
    assert shown["gaps"] == gaps
    at, dips = np.array(shown["at"]), np.array(shown["dips"]).reshape(len(gaps), T)
    for share in (0.0, 0.4, 1.0):
        places = np.concatenate([x, at])
        straight = np.array([np.interp(places, x, y) for y in Y])
        straight[:, 8:] += share * dips.T
        order = places.argsort()
        changes = np.diff(np.diff(straight[:, order]) / np.diff(places[order]))
        assert_allclose(np.linalg.norm(changes, axis=0).sum(), shown["norm"], rtol=1e-9, atol=1e-12)
    assert f"norm {shown['norm']:.2f}." in words
    assert ("no gap is ambiguous" in words) == (not gaps)
    if gaps:
        assert (
            f"by up to {np.abs(dips).max():.2f}, here by {100 * state.get('share', 0.5):.0f}\N{NO-BREAK SPACE}%"
            in words
        )
        assert all(f"{gap + 1} to {gap + 2}" in words for gap in gaps)
    assert ("Copies" in words) == (state == {"tasks": 2, "first": 153, "second": 102, "share": 1.0})


def test_a_pressed_point_has_the_other_label_and_its_task_is_asked(show: Show) -> None:
    page = show(ConnectTheDots())
    box = page.locator(".mtfl-figure")
    page.locator(".mtfl-press").nth(8 + 2).click()  # the third point of the second task
    assert box.get_attribute("data-address") == f"#fig-dots?second={75 ^ 4}&tasks=2"
    page.get_by_role("button", name="3", exact=True).nth(1).click()
    assert box.get_attribute("data-address") == "#fig-dots?tasks=2"
    drawn = set()
    for _ in range(6):
        page.get_by_role("button", name="Coin labels").click()
        drawn.add(box.get_attribute("data-address"))
    assert len(drawn) == 6


def test_play_leaves_the_line_once_and_stops(open_page: Callable[..., Opened], tmp_path: Path) -> None:
    (tmp_path / "figure.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{ConnectTheDots().page()}", "utf8")
    page = open_page(tmp_path.as_uri() + "/", "figure.html", stopped=True, reduced_motion="reduce").page
    share, play = page.locator("[data-key=share]"), page.locator(".mtfl-play")
    play.click()
    page.clock.run_for(5000)
    assert (share.input_value(), play.text_content()) == ("20", "Play")
    play.click()  # and again from the line
    assert (share.input_value(), play.text_content()) == ("0", "Pause")
    page.locator("[data-key=tasks]").press("ArrowRight")  # no gap is ambiguous any more
    page.clock.run_for(1000)
    assert play.text_content() == "Play"


@pytest.mark.parametrize(
    ("ratio", "angle", "step", "inputs"),
    [
        (2.5, 60, "plain", math.inf),
        (4.0, 135, "plain", 64),
        (1.0, 0, "plain", 4096),
        (5.0, 80, "repaired", math.inf),
        (2.0, 30, "repaired", 256),
    ],
)
def test_a_step_on_coloured_inputs(look: Look, ratio: float, angle: int, step: str, inputs: float) -> None:
    figure = ColouredStep(ratio=ratio, angle=angle, step=step, inputs=inputs)
    shown, words = look(figure)
    turn, sizes = math.radians(angle), torch.tensor([ratio**2, 1.0], dtype=torch.float64)
    axes = torch.tensor([[math.sin(turn), math.cos(turn)], [-math.cos(turn), math.sin(turn)]], dtype=torch.float64)
    Sigma = (axes.T * (2 * sizes / sizes.sum())) @ axes
    M = torch.tensor([0.0, 1], dtype=torch.float64)
    assert_allclose(np.array(shown["Sigma"]).reshape(2, 2), Sigma.numpy(), atol=1e-12)
    W = torch.tensor(shown["W"], dtype=torch.float64).view(-1, 2)
    if inputs == math.inf:
        G = torch.outer(W @ Sigma @ M, Sigma @ M) / (2 * math.pi * float(M @ Sigma @ M))
    else:
        heads, fresh = (torch.tensor(X, dtype=torch.float64).view(-1, 2) for X in shown["X"])
        assert len(heads) == len(fresh) == inputs
        A = (torch.relu(heads @ W.T) * torch.sign(heads @ M)[:, None]).mean(0)
        G = A[:, None] * ((fresh @ W.T > 0).double() * torch.sign(fresh @ M)[:, None]).T @ fresh / inputs
    if step == "repaired":
        G = G @ torch.linalg.inv(Sigma)
    assert_allclose(shown["G"], G.flatten().numpy(), atol=1e-12)
    energy = float((G @ M).square().sum() / G.square().sum())
    main = torch.linalg.svd(G)[2][0]
    away = math.degrees(math.atan2(*main.abs().tolist()))
    assert_allclose([shown["energy"], abs(shown["turn"])], [energy, away], atol=1e-5)
    assert f"points {abs(shown['turn']):.0f}° from M, energy {energy:.2f}" in words
    carried = Sigma @ M
    limit = 1.0 if step == "repaired" else float((carried @ M) ** 2 / carried.square().sum())
    assert inputs < math.inf or math.isclose(energy, limit, abs_tol=1e-12)
    assert (f"more inputs lead to {limit:.2f}." in words) == (inputs < math.inf)
    variance = float((2 * sizes / sizes.sum()).var(correction=0))
    assert (f"the law for many dimensions says {1 / (1 + variance):.2f}." in words) == (step == "plain")


def test_many_dimensions_follow_the_law_of_coloured_inputs(look: Look) -> None:
    wide, _ = look(ColouredStep(d=4, ratio=3))
    narrow, _ = look(ColouredStep(d=1000, ratio=3))
    assert np.abs(np.array(narrow["random"]) - narrow["law"]).max() < 0.06 < np.ptp(wide["random"])
    assert len(narrow["random"]) == 20


@pytest.mark.parametrize(
    ("rule", "examples", "d"), [("first", 16, 2), ("second", 100, 8), ("parity", 37, 16), ("parity", 1, 5)]
)
def test_readers_of_examples(look: Look, rule: str, examples: int, d: int) -> None:
    """Kernel ridge regression from its definition."""
    shown, words = look(InContext(rule=rule, examples=examples, d=d))
    H = np.array(shown["H"]).reshape(-1, 2)
    X = np.concatenate([H, np.array(shown["Z"]).reshape(len(H), d - 2)], 1)
    labels = {"first": np.sign(H[:, 0]), "second": np.sign(H[:, 1]), "parity": np.sign(H[:, 0] * H[:, 1])}[rule]
    assert_allclose(shown["labels"], labels)

    def arc(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        sizes = np.outer(np.linalg.norm(A, axis=1), np.linalg.norm(B, axis=1))
        angles = np.arccos(np.clip(A @ B.T / sizes, -1, 1))
        return sizes * (np.sin(angles) + (np.pi - angles) * np.cos(angles)) / (2 * np.pi)

    def gauss(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        return np.exp(-np.square(A[:, None] - B).sum(2) / (2 * d))

    errors = []
    for k, (kernel, seen, ridge) in enumerate([(gauss, X, 0.1), (arc, X, 0.05 * d), (arc, H, 0.1)]):
        near = kernel(seen[:examples], seen[:examples]) + ridge * np.eye(examples)
        answers = kernel(seen[256:], seen[:examples]) @ np.linalg.solve(near, labels[:examples])
        clear = np.abs(answers) > 1e-9
        assert_allclose(np.array(shown["guesses"][k])[clear], np.sign(answers[clear]))
        errors.append(np.mean(np.array(shown["guesses"][k]) != labels[256:]))
        assert shown["errors"][k][examples - 1] == pytest.approx(errors[-1], abs=float(np.mean(~clear)) + 1e-12)
        below = [n for n, error in enumerate(shown["errors"][k], 1) if error < 0.25]
        assert shown["first"][k] == (below[0] if below else 0)
    told = [
        re.findall(rf"{name} (?:err )?on (\d+)", words)[0]
        for name in ("raw inputs", "random features", "learned features")
    ]
    assert told == [f"{100 * of[examples - 1]:.0f}" for of in shown["errors"]]


def test_learned_features_do_not_see_the_dimension_and_raw_inputs_do(look: Look) -> None:
    few, _ = look(InContext(d=8, seed=3))
    many, _ = look(InContext(d=256, seed=3))
    assert few["errors"][2] == many["errors"][2]
    assert few["guesses"][2] == many["guesses"][2]
    assert 0 < few["first"][0] < 40 and many["first"][0] in (0, *range(100, 257))


ACTIONS: list[tuple[type[Explorable], dict[str, Any], str, str]] = [
    (NeuronsInPlane, {"rounds": 3}, "Step", "rounds=4"),
    (NeuronsInPlane, {"rounds": 3}, "Restart", "rounds=0"),
    (NeuronsInPlane, {"rounds": 3}, "Resample", "seed=16"),
    (TaskKernel, {"tasks": 7}, "One more task", "tasks=8"),
    (TaskKernel, {"tasks": 100}, "One more task", "tasks=101"),
    (TaskKernel, {"tasks": 999}, "One more task", "tasks=1000"),
    (TaskKernel, {"tasks": 7}, "Start over", "tasks=1"),
    (TaskKernel, {"seed": 2**32 - 1}, "Resample", "seed=0"),
    (HowManyTasks, {"tasks": 7}, "One more task", "tasks=8"),
    (HowManyTasks, {"r": 5}, "T = r", "tasks=5"),
    (HowManyTasks, {}, "Resample", "seed=2"),
    (PullingPairs, {}, "One task", "tasks=1"),
    (PullingPairs, {}, "Resample", "seed=9"),
    (RelabelledDigits, {"tasks": 7}, "One more task", "tasks=8"),
    (RelabelledDigits, {}, "Below 5", "task=31"),
    (RelabelledDigits, {}, "Resample", "seed=2"),
    (TasksAgree, {"tasks": 7}, "One more task", "tasks=8"),
    (TasksAgree, {"tasks": 999}, "One more task", "tasks=1000"),
    (TasksAgree, {}, "Resample", "seed=4"),
    (ConnectTheDots, {}, "Three copies", "second=153&tasks=3&third=153"),
    (ConnectTheDots, {}, "Resample", "seed=2"),
    (ColouredStep, {}, "Resample", "seed=2"),
    (InContext, {"examples": 8}, "One more", "examples=9"),
    (InContext, {}, "Resample", "seed=7"),
]


@pytest.mark.parametrize(
    ("kind", "state", "button", "change"), ACTIONS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_button_does_what_it_says(
    show: Show, kind: type[Explorable], state: dict[str, Any], button: str, change: str
) -> None:
    figure = kind(**state)
    page = show(figure)
    page.get_by_role("button", name=button, exact=True).click()
    assert page.locator(".mtfl-figure").get_attribute("data-address") == f"#{figure.name}?{change}"
