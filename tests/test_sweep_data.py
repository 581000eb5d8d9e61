"""The data files of the chapters: they belong to their sweeps, and a few of their runs, done again, give the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtfl.sweeps import Sweep

BOOK = Path(__file__).parents[1] / "book"
SWEEPS = {path.stem: Sweep.read(path) for path in sorted((BOOK / "sweeps").glob("*.toml"))}
TABLES = {path.stem: pd.read_csv(path) for path in sorted((BOOK / "data").glob("*.csv"))}
# For each sweep a point that takes little time.
CHEAP: dict[str, dict[str, Any]] = {
    "budget_many": {"batch_size": 8, "representation_step": 0.3},
    "budget_one": {"batch_size": 128, "representation_step": 1.0},
    "budget_rounds": {"batch_size": 128, "representation_step": 0.1},
    "decay": {"weight_decay": 0.009947183943243459, "rounds": 20},
    "dimensions": {"d": 12, "rounds": 12},
    "long": {"tasks": 1, "representation_step": 3.2, "rounds": 20},
    "per_task": {"batch_size": 32},
    "phase": {"law": "uniform", "d": 512, "tasks": 64, "batch_size": 256},
    "recovery": {"d": 48, "tasks": 4},
    "transfer_curves": {"neurons": 16, "examples": 128},
    "transfer_dimension": {"d": 32, "batch_size": 512},
    "transfer_full": {"d": 32},
    "transfer_grid": {"d": 8, "tasks": 64, "examples": 32},
    "variants": {"loss": "logistic", "head_step": 0.25, "head_steps": 1},
}
TOLERANCE = 0.01  # sums are taken in another order on another processor


def results_at(sweep: Sweep, point: dict[str, Any], seed: int) -> dict[str, float]:
    numbers = sweep.experiment.run(sweep.settings_at(point), seed)
    return dict(zip(sweep.experiment.results, numbers, strict=True))


def row(table: pd.DataFrame, point: dict[str, Any]) -> pd.Series:
    """The one row at a point; numbers are compared with the digits that the file keeps."""
    chosen = pd.Series(True, table.index)
    for name, value in point.items():
        chosen &= table[name] == value if isinstance(value, str) else np.isclose(table[name], value, rtol=1e-3)
    assert chosen.sum() == 1
    return table[chosen].iloc[0]


@pytest.fixture(autouse=True)
def no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")


def test_every_sweep_has_its_data_and_its_command() -> None:
    assert SWEEPS.keys() == TABLES.keys() == CHEAP.keys()
    text = (BOOK / "reproduce.ipynb").read_text(encoding="utf-8")
    assert [name for name in SWEEPS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", SWEEPS)
def test_data_cover_their_sweep(name: str) -> None:
    sweep, table = SWEEPS[name], TABLES[name]
    axes, by_seed = list(sweep.grid), "seed" in table
    assert list(table.columns[: len(axes) + by_seed]) == [*axes, *["seed"] * by_seed]
    assert len(table) == sweep.size // (1 if by_seed else sweep.seeds)
    assert not table.isna().any(axis=None)
    for point in sweep.points():
        for seed in range(sweep.seeds) if by_seed else (None,):
            row(table, point if seed is None else point | {"seed": seed})
    assert sweep.seeds >= 20
    assert (BOOK / "data" / f"{name}.csv").stat().st_size < 100_000


@pytest.mark.parametrize("name", SWEEPS)
def test_a_few_runs_again(name: str) -> None:
    sweep, table, point = SWEEPS[name], TABLES[name], CHEAP[name]
    if "seed" in table:
        for seed in (0, sweep.seeds - 1):
            found, stored = results_at(sweep, point, seed), row(table, point | {"seed": seed})
            for result in stored.index.intersection(list(found)):
                assert found[result] == pytest.approx(stored[result], abs=TOLERANCE), result
            other = row(table, point | {"seed": 1})  # the comparison can fail: another seed is not within tolerance
            assert any(abs(found[result] - other[result]) > TOLERANCE for result in found if result in other)
    else:
        runs = pd.DataFrame([results_at(sweep, point, seed) for seed in range(sweep.seeds)])
        stored = row(table, point)
        for column in stored.index.difference(list(point)):
            result, _, p = column.rpartition("_")
            assert np.percentile(runs[result], int(p)) == pytest.approx(stored[column], abs=TOLERANCE), column
