"""The benchmarks run, and every contender's update is the same; nothing is timed in earnest here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT / "book" / "data" / "benchmarks"
NEEDED = {"trainer", "trainer, default product", "trainer, drawing", "autograd", "loop over tasks", "scikit-learn"}


def test_the_command_runs_and_all_updates_agree(tmp_path: Path) -> None:
    other = tmp_path / "another-processor.json"
    other.write_text("{}")
    parts = ["--parts", "tiny", "--leave-out", "torch.compile", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks", *parts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert other.read_text() == "{}"
    (file,) = set(tmp_path.iterdir()) - {other}
    found = json.loads(file.read_text())
    assert found["machine"]["vector instructions"].lower() in file.stem
    assert found["sizes"]["tiny"]["chosen product"] in ("highest", "high", "medium")
    rows = found["sizes"]["tiny"]["contenders"]
    assert set(rows) >= NEEDED
    assert "torch.compile" not in rows
    errors = {name: row["update off by"] for name, row in rows.items() if row["update off by"] is not None}
    assert set(errors) >= NEEDED - {"trainer, drawing"}
    assert max(errors.values()) < 1e-5
    file.write_text("[]")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    sentence = f"python -m benchmarks: {file} must be results in JSON; got an error: TypeError. Restore or remove it.\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_another_update_is_refused() -> None:
    code = """
import benchmarks.__main__ as command, benchmarks.contenders as contenders
def slightly_wrong(problem):
    right = contenders.autograd(problem)
    return lambda W, A, *batches: right(W, 1.01 * A, *batches)
contenders.CONTENDERS["trainer"] = slightly_wrong
command.measure("tiny")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "tiny: trainer computes another update" in done.stderr


@pytest.mark.parametrize("size", ["S", "M", "L"])
@pytest.mark.parametrize("file", sorted(DATA.glob("*.json")), ids=lambda file: file.stem)
def test_committed_results_are_whole(file: Path, size: str) -> None:
    found = json.loads(file.read_text())
    assert found["machine"]["processor"]
    of_size = found["sizes"][size]
    shape = of_size["size"]
    n, m, d, T = (shape[k] for k in "nmdT")
    assert of_size["GFLOP"] == pytest.approx((6 * n * m * d + 8 * n * m * T) / 1e9)
    rows = of_size["contenders"]
    assert NEEDED - {"scikit-learn", "trainer, default product"} <= set(rows)
    for row in rows.values():
        assert row["times the trainer"] == pytest.approx(row["ms"] / rows["trainer"]["ms"], rel=0.25)
    for axis in found["scaling"]["axes"].values():
        last = np.log(axis["values"][-3:]), np.log(axis["ms"][-3:])
        assert np.polyfit(*last, 1)[0] == pytest.approx(axis["exponent"], abs=1e-6)


def test_the_laboratory_is_timed(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    options = ["--sizes", "XS", "--turns", "1", "--seconds", "0.01", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.laboratory", *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "JavaScript" in done.stdout
    row = json.loads(out.read_text())["sizes"]["XS"]
    kinds = ("rounds, WebAssembly", "rounds, JavaScript", "rounds, mtfl.pretrain", "draws", "GFLOP/s, triple loop")
    assert all(row[kind] > 0 for kind in kinds)
