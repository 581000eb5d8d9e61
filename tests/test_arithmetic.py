"""The arithmetics in which notebooks and tests are run, and what is read off the reports."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from arithmetic.compare import ARITHMETICS, Place, read, spread, too_near

from mtfl.quoting import Quoted
from mtfl.sweeps import EXPERIMENTS

ROOT = Path(__file__).parents[1]
REPORT = """<testsuites><testsuite>
<testcase classname="book/05_transfer.ipynb::Cell 23" name="Cell 23"><properties>
  <property name="quoted" value="0.50 0.503 0.0001 0.002"/><property name="quoted" value="&lt;0.1 0.05 0.01 0.05"/>
</properties></testcase>
<testcase classname="book/05_transfer.ipynb::Cell 24" name="Cell 24"><failure message="differs"/></testcase>
<testcase classname="tests.test_moments" name="test_a"/>
<testcase classname="tests.test_moments.TestB" name="test_b"><error message="broke"/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_read() -> None:
    outcomes, quoted = read(ElementTree.fromstring(REPORT))
    told = {part: str(outcome) for part, outcome in outcomes.items()}
    assert told == {"book/05_transfer.ipynb": "**1 fail**, 1 pass", "test_moments": "**1 fail**, 1 pass"}
    number = Place("book/05_transfer.ipynb", "Cell 23", 0)
    assert quoted[number] == Quoted("0.50", 0.503, 1e-4, 2e-3)
    assert [q.text for q in quoted.values()] == ["0.50", "<0.1"]


@pytest.mark.parametrize(
    ("values", "within", "room", "expected"),
    [
        ((0.5, 0.5001), 2e-4, 1e-3, False),
        ((0.5, 0.5003), 2e-4, 1e-3, True),  # further than the tolerance
        ((0.5, 0.5001), 2e-4, 1.5e-4, True),  # less room than tolerance
        ((0.5,), 0.0, float("inf"), False),
    ],
)
def test_too_near(values: tuple[float, ...], within: float, room: float, expected: bool) -> None:
    found = [Quoted("0.5", value, within, room) for value in values]
    assert spread(found) == pytest.approx(max(values) - min(values))
    assert too_near(found) == expected


def test_shorter_products_differ_in_the_last_bits_only() -> None:
    """In a process of its own: the mode stays on."""
    code = """
import torch
A, B = (torch.randn(30, 30, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
right = [A @ B, A.double() @ B.double(), torch.addmm(A, A, B), torch.stack([A, B]).bmm(torch.stack([B, A]))]
import shorter_products
short = [A @ B, A.double() @ B.double(), torch.addmm(A, A, B), torch.stack([A, B]).bmm(torch.stack([B, A]))]
for x, y in zip(right, short):
    off = ((x - y) / x).abs().max() / torch.finfo(x.dtype).eps
    assert 1 < off <= 4, off
assert torch.equal(A @ B, short[0])
assert torch.equal(A + B, B + A) and float(A.sum() - A.sum()) == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "tests" / "arithmetic")


@functools.cache
def capability(*environment: tuple[str, str]) -> str:
    """The instructions that torch uses in such an environment, whatever the tests themselves run in."""
    command = [sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"]
    return subprocess.run(command, env=dict(environment), check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("name", ARITHMETICS)
def test_torch_runs_in_each(name: str) -> None:
    expected = {"plain": "DEFAULT", "avx2": "AVX2"}.get(name) or capability()
    assert capability(*ARITHMETICS[name].items()) in {expected, "DEFAULT"}


def test_accuracies_of_fitted_heads_move_by_a_few_test_inputs() -> None:
    """The case that was seen first: two kernels of OpenBLAS lead scikit-learn's head to two optima."""
    code = """
from mtfl.sweeps import EXPERIMENTS, TransferRunSettings
settings = TransferRunSettings(d=8, neurons=128, batch_size=128, examples=512, test_examples=2000)
print(*EXPERIMENTS["transfer"].run(settings, 0))
"""
    found = []
    for kernel in ("Prescott", "Haswell"):
        environment = os.environ | {"OPENBLAS_CORETYPE": kernel}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=ROOT, check=True, capture_output=True, text=True
        )
        found.append([float(word) for word in done.stdout.split()])
    assert len(found[0]) == len(EXPERIMENTS["transfer"].results)
    assert found[0] == pytest.approx(found[1], rel=0, abs=0.012)  # the tolerance in chapter 5
