"""What the figures show is what the package computes: kernels, painted tasks, how many tasks, transfer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explorable_examples import AXES, GRID
from numpy.testing import assert_allclose
from opened import Opened
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import norm

from mtfl import all_tasks, limit_kernel, task_kernel, walsh_coefficients
from mtfl.contrastive import Anchors, kernel_deviation_bound, pull_gradient
from mtfl.explorables import (
    Explorable,
    HowManyTasks,
    NeuronsInPlane,
    PaintedTask,
    PullingPairs,
    TaskKernel,
    TasksAgree,
    TransferGrid,
)
from mtfl.metrics import recovery
from mtfl.network import relu_features
from mtfl.population import leading_order_step
from mtfl.single_task import single_task_steps
from mtfl.tasks import pattern_signs


@pytest.fixture
def look(open_page: Callable[..., Opened], tmp_path: Path) -> Callable[[Explorable], tuple[dict[str, Any], str]]:
    """What a figure was drawn from, and its words."""

    def look(figure: Explorable) -> tuple[dict[str, Any], str]:
        (tmp_path / "figure.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{figure.page()}", "utf8")
        opened = open_page(tmp_path.as_uri() + "/", "figure.html", reduced_motion="reduce")
        opened.settle()
        assert opened.errors == []
        state = opened.page.evaluate("document.querySelector('.mtfl-x').inspect()")
        return state, opened.page.locator(".mtfl-words").text_content() or ""

    return look


Look = Callable[[Explorable], tuple[dict[str, Any], str]]


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
    aside = math.degrees(math.acos(step[:2] @ w[0, :2] / step[:2].norm() / w[0, :2].norm()))
    above = math.degrees(math.atan2(step[2], step[:2].norm()))
    assert_allclose([shown["aside"], shown["above"]], [aside, above], atol=1e-5)
    assert f"the step points {aside:.0f}° from the neuron's shadow" in words
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
def test_every_painted_task_counts_its_directions(
    open_page: Callable[..., Opened], tmp_path: Path, r: int, d: int, decay: str
) -> None:
    figure = PaintedTask(r=r, d=d, decay=decay)
    (tmp_path / "figure.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{figure.page()}", "utf8")
    page = open_page(tmp_path.as_uri() + "/", "figure.html").page
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
def test_the_named_tasks_are_what_they_are_called(open_page: Callable[..., Opened], tmp_path: Path, r: int) -> None:
    (tmp_path / "figure.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{PaintedTask(r=r).page()}", "utf8")
    page = open_page(tmp_path.as_uri() + "/", "figure.html", reduced_motion="reduce").page
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


ACTIONS: list[tuple[Explorable, str, str]] = [
    (NeuronsInPlane(rounds=3), "Step", "rounds=4"),
    (NeuronsInPlane(rounds=3), "Restart", "rounds=0"),
    (NeuronsInPlane(rounds=3), "Resample", "seed=16"),
    (TaskKernel(tasks=7), "One more task", "tasks=8"),
    (TaskKernel(tasks=100), "One more task", "tasks=101"),
    (TaskKernel(tasks=999), "One more task", "tasks=1000"),
    (TaskKernel(tasks=7), "Start over", "tasks=1"),
    (TaskKernel(seed=2**32 - 1), "Resample", "seed=0"),
    (HowManyTasks(tasks=7), "One more task", "tasks=8"),
    (HowManyTasks(r=5), "T = r", "tasks=5"),
    (HowManyTasks(), "Resample", "seed=2"),
    (PullingPairs(), "One task", "tasks=1"),
    (PullingPairs(), "Resample", "seed=9"),
    (TasksAgree(tasks=7), "One more task", "tasks=8"),
    (TasksAgree(tasks=999), "One more task", "tasks=1000"),
    (TasksAgree(), "Resample", "seed=4"),
]


@pytest.mark.parametrize(
    ("figure", "button", "change"), ACTIONS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_button_does_what_it_says(
    open_page: Callable[..., Opened], tmp_path: Path, figure: Explorable, button: str, change: str
) -> None:
    (tmp_path / "figure.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{figure.page()}", "utf8")
    page = open_page(tmp_path.as_uri() + "/", "figure.html", reduced_motion="reduce").page
    page.get_by_role("button", name=button, exact=True).click()
    assert page.locator(".mtfl-figure").get_attribute("data-address") == f"#{figure.name}?{change}"
