"""What a figure does of itself is the right thing: its thresholds, named tasks and theory curves, held to `mtfl`.

The figures' own source runs under Node, without a page; wrong versions of it are refused.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import beta, norm
from test_engine import node

from mtfl import single_task
from mtfl.explorables.explorable import FOLDER, bundle
from mtfl.tasks import characters, pattern_signs

Compute = Callable[..., Any]
CASES = [
    (T, r, law, d) for T in (4, 30, 200, 1000) for r in (2, 8) for law in ("balanced", "uniform") for d in (30, 1000)
]


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    """The value of a JavaScript expression in the scope of a figure's module, some of its text replaced."""

    def run(figure: str, expression: str, old: str = "", new: str = "") -> Any:
        source = bundle(FOLDER / f"{figure}.js")
        if old:
            assert source.count(old) == 1
            source = source.replace(old, new)
        script = tmp_path / "figure.mjs"
        script.write_text(f"{source}\nconsole.log(JSON.stringify({expression}));", "utf8")
        done = subprocess.run([node(), str(script)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def thresholds(compute: Compute, old: str = "", new: str = "") -> bool:
    """Whether the painted task counts directions as the package does."""
    ours = [single_task.ENERGY, single_task.EVENNESS, single_task._NOTHING]
    return compute("paint", "[ENERGY, EVENNESS, NOTHING]", old, new) == ours


def test_a_painted_task_counts_directions_as_the_atlas_does(compute: Compute) -> None:
    assert thresholds(compute)
    assert not thresholds(compute, "EVENNESS = 0.3", "EVENNESS = 0.25")
    assert not thresholds(compute, "ENERGY = 0.5", "ENERGY = 0.45")


def named_tasks(compute: Compute, source: str) -> bool:
    """Whether the buttons that paint a task by its name paint that one, for two, three and four features."""
    buttons = dict(re.findall(r'button\("(\w+)", named\((\(z?\) => .*?)\)\)(?=,)', source, flags=re.MULTILINE))
    assert set(buttons) == {"Parity", "Majority", "Constant"}
    for r in (2, 3, 4):
        Z = pattern_signs(r)
        expected = {
            "Parity": characters(r)[-1],
            "Majority": torch.where(Z.sum(1) > 0, 1.0, -1.0),  # a tie is -1
            "Constant": torch.ones(2**r),
        }
        patterns = [[int(z) for z in row] for row in Z.tolist()]
        for name, make in buttons.items():
            if compute("paint", f"{patterns}.map({make})") != expected[name].tolist():
                return False
    return True


def test_the_buttons_paint_the_tasks_that_they_name(compute: Compute) -> None:
    source = (FOLDER / "paint.js").read_text("utf8")
    assert named_tasks(compute, source)
    assert not named_tasks(compute, source.replace("product * sign", "product + sign"))
    assert not named_tasks(compute, source.replace("sum + sign) > 0", "sum + sign) >= 0"))
    assert not named_tasks(compute, source.replace("named(() => 1)", "named(() => -1)"))


def named_digits(compute: Compute, old: str = "", new: str = "") -> bool:
    """Whether the buttons that label digits label those that they name."""
    even, small, round_ones = ({0, 2, 4, 6, 8}, set(range(5)), {0, 3, 6, 8, 9})  # those with a loop or a bow
    found = compute("relabel", "[EVEN, SMALL, ROUND]", old, new)
    return found == [sum(1 << c for c in digits) for digits in (even, small, round_ones)]


def test_the_buttons_label_the_digits_that_they_name(compute: Compute) -> None:
    assert named_digits(compute)
    assert not named_digits(compute, "EVEN = 341", "EVEN = 682")
    assert not named_digits(compute, "ROUND = 841", "ROUND = 840")


def theory_is_right(compute: Compute, old: str = "", new: str = "") -> bool:
    """Whether the theory's curve has the Marchenko-Pastur edges of r / T, and beside them uniform tasks' drift."""
    found = compute("howmany", f"{json.dumps(CASES)}.map((of) => predicted(...of))", old, new)
    for (T, r, law, d), value in zip(CASES, found, strict=True):
        low, high = ((1 + sign * math.sqrt(r / T)) ** 2 for sign in (-1, 1))
        drift = r * (1 - 2 / 2**r) * d / T if law == "uniform" else 0.0
        if not math.isclose(value, low / math.hypot(high, math.sqrt(drift)) if T > r else 0.0, rel_tol=1e-9):
            return False
    return True


def test_the_theory_curve_is_that_of_the_text(compute: Compute) -> None:
    assert theory_is_right(compute)
    assert not theory_is_right(compute, "marchenkoPasturEdges(r / T), drift", "marchenkoPasturEdges(T / r), drift")
    assert not theory_is_right(compute, "return T > r ? low", "return T >= 0 ? low")
    assert not theory_is_right(compute, "(1 - 2 / 2 ** r) * d) / T", "(1 - 1 / 2 ** r) * d) / T")


def dots_are_right(compute: Compute, old: str = "", new: str = "") -> bool:
    """Whether the chance of an ambiguous gap is that of all labels of four points, gaps side by side are never both
    ambiguous, and the curve that is drawn has the least norm."""
    tables = list(itertools.product([-1, 1], repeat=8))
    ones = compute(
        "dots", f"{json.dumps(tables)}.map((Y) => ambiguousGaps([0, 1, 2.5, 3.1, 4, 5.2, 6, 7], Y).gaps)", old, new
    )
    twos = compute("dots", f"{json.dumps(tables)}.map((Y) => ambiguousGaps([0, 1, 2.5, 3.1], Y).gaps.length)", old, new)
    chances = compute("dots", "[1, 2].map(chance)", old, new)
    counted = [sum(1 in gaps for gaps in ones) / len(ones), sum(twos) / len(twos)]
    apart = all(after - before > 1 for gaps in ones for before, after in itertools.pairwise(gaps))
    found = compute("dots", "solved(2, [153, 102, 0], 7)", old, new)
    x, Y = found["x"], torch.tensor(found["Y"], dtype=torch.float64).view(2, 8)
    places = torch.tensor(x, dtype=torch.float64)
    change = (Y.diff(dim=1) / places.diff()).diff(dim=1)
    norm = float(change.norm(dim=0).sum())
    return (
        apart and chances == counted and found["gaps"] == [1, 3, 5] and math.isclose(found["norm"], norm, rel_tol=1e-12)
    )


def test_the_dots_have_the_chance_and_the_norm_that_they_name(compute: Compute) -> None:
    assert dots_are_right(compute)
    assert not dots_are_right(compute, "4 ** -T - 8 ** -T", "4 ** -T")
    assert not dots_are_right(compute, "Math.hypot(...Array.from({ length: T }", "Math.max(...Array.from({ length: T }")


def energy_is_right(compute: Compute, old: str = "", new: str = "") -> bool:
    """Whether energies are cos^2 of the angle between M and Sigma M, those of random M among them, and the law is
    1 / (1 + CV^2)."""
    for ratio in (1.0, 1.75, 5.0):
        long, short = (2 * x / (1 + ratio**2) for x in (ratio**2, 1))
        turns = [math.radians(angle) for angle in (0, 20, 60, 90)]
        energies = []
        for turn in turns:
            across, along = long * math.cos(turn), short * math.sin(turn)  # of Sigma M, in the axes of the ellipse
            cosine = (across * math.cos(turn) + along * math.sin(turn)) / math.hypot(across, along)
            energies.append(cosine**2)
        shares = [math.cos(turn) ** 2 for turn in turns]
        found = compute("coloured", f"[{shares}.map((of) => energyAt({ratio}, of)), lawAt({ratio})]", old, new)
        variance = (long - 1) ** 2 / 2 + (short - 1) ** 2 / 2
        if not np.allclose(found[0], energies, rtol=1e-12) or not math.isclose(
            found[1], 1 / (1 + variance), rel_tol=1e-12
        ):
            return False
    for d in (2, 5, 100):  # of squares of normal numbers; a Beta law's mean and variance, to five standard errors
        shares = compute(
            "coloured", f"Array.from({{ length: 4000 }}, (_, n) => randomShare({d}, generator(n, 3)))", old, new
        )
        a, b = d // 2 / 2, (d - d // 2) / 2
        law = beta(a, b)
        if abs(np.mean(shares) - law.mean()) > 5 * law.std() / 4000**0.5 or abs(np.var(shares) / law.var() - 1) > 0.2:
            return False
    return True


def test_the_energy_of_a_coloured_step_is_that_of_the_text(compute: Compute) -> None:
    assert energy_is_right(compute)
    assert not energy_is_right(compute, "share * ratio ** 4 + 1", "share * ratio ** 2 + 1")
    assert not energy_is_right(compute, "1 / (1 + (long - 1) ** 2)", "1 / (1 + Math.abs(long - 1))")
    assert not energy_is_right(compute, "gamma(Math.floor(d / 2) / 2, rng)", "gamma(Math.floor(d / 2), rng)")


def readers_are_right(compute: Compute, old: str = "", new: str = "") -> bool:
    """Whether cells are equally likely, rules are what they are called, and inputs share their features in each d."""
    middles, rules, places = compute("context", "[MIDDLES, RULES, [-2, -0.5, 0, 1, 3].map(below)]", old, new)
    Z = pattern_signs(2)
    expected = {"first": Z[:, 0].tolist(), "second": Z[:, 1].tolist(), "parity": (Z[:, 0] * Z[:, 1]).tolist()}
    cells = compute("context", "[...drawInputs(3).H.slice(2 * MOST)]", old, new)
    across, up = np.array(cells).reshape(16, 16, 2).transpose(2, 0, 1)
    quantiles = norm.ppf((np.arange(16) + 0.5) / 16)
    return (
        np.allclose(middles, quantiles[8:], atol=6e-5)
        and rules == expected
        and np.allclose(places, norm.cdf([-2, -0.5, 0, 1, 3]), atol=4e-4)
        and np.allclose(across, quantiles[None], atol=6e-5)
        and np.allclose(up, quantiles[::-1, None], atol=6e-5)
    )


def test_the_readers_see_the_rules_and_the_plane_that_they_name(compute: Compute) -> None:
    assert readers_are_right(compute)
    assert not readers_are_right(compute, "first: [-1, 1, -1, 1]", "first: [-1, -1, 1, 1]")
    assert not readers_are_right(compute, "1.3180", "1.3480")
    assert not readers_are_right(compute, "0.044715", "0.14715")
    assert not readers_are_right(compute, "k ? SIDE - 1 - Math.floor(cell / SIDE)", "k ? Math.floor(cell / SIDE)")
