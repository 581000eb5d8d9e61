"""What a figure does of itself is the right thing: its thresholds, named tasks and theory curves, held to `mtfl`.

The figures' own source runs under Node, without a page; wrong versions of it are refused.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
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
