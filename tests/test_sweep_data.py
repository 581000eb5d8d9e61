"""The data of the chapters: they are what their commands made, possible, and a few runs, done again, give the same."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import random
import shlex
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from day import DAY

from mtfl.sweeps import Journal, Run, Sweep
from mtfl.sweeps.__main__ import main

BOOK = Path(__file__).parents[1] / "book"
NAMES = [path.stem for path in sorted((BOOK / "sweeps").glob("*.toml"))]
MADE = json.loads((BOOK / "data" / "made.json").read_text(encoding="utf-8"))
MEANS = ("relabel", "unseen", "prompts", "attacks", "probes", "flips")
"""Experiments whose runs are means over ten tasks or over hundreds of inputs each."""

TOLERANCE = 0.01  # sums are taken in another order on another processor


@functools.cache
def sweep_of(name: str) -> Sweep:
    return Sweep.read(BOOK / "sweeps" / f"{name}.toml")


@functools.cache
def table_of(name: str) -> pd.DataFrame:
    return pd.read_csv(BOOK / "data" / f"{name}.csv")


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
    assert [path.stem for path in sorted((BOOK / "data").glob("*.csv"))] == NAMES
    text = (BOOK / "reproduce.ipynb").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_data_cover_their_sweep(name: str) -> None:
    sweep, table = sweep_of(name), table_of(name)
    axes, by_seed = list(sweep.grid), "seed" in table
    assert list(table.columns[: len(axes) + by_seed]) == [*axes, *["seed"] * by_seed]
    assert len(table) == sweep.size // (1 if by_seed else sweep.seeds)
    assert not table.isna().any(axis=None)
    seeds = [{"seed": seed} for seed in range(sweep.seeds)] if by_seed else [{}]
    asked = pd.DataFrame([point | seed for point in sweep.points() for seed in seeds])
    assert not asked.duplicated().any()
    names = list(asked.columns)
    stored = table.sort_values(names)  # which the digits that the file keeps leave in their order
    for column, values in asked.sort_values(names).items():
        same = functools.partial(np.allclose, rtol=1e-3) if pd.api.types.is_numeric_dtype(values) else np.array_equal
        assert same(stored[column], values)
    assert sweep.seeds >= (10 if sweep.name in MEANS else 20)
    assert (BOOK / "data" / f"{name}.csv").stat().st_size < 100_000


@pytest.mark.parametrize("name", NAMES)
def test_data_are_those_that_their_command_made(name: str) -> None:
    """Who changes a file by hand, or a sweep without its data, meets this."""
    sweep, table, made = sweep_of(name), table_of(name), MADE[f"{name}.csv"]
    assert made.keys() == {"command", "sweep", "versions", "sha256"}
    assert hashlib.sha256((BOOK / "data" / f"{name}.csv").read_bytes()).hexdigest() == made["sha256"]
    assert made["sweep"] == sweep.fingerprint
    assert made["versions"].keys() == {"mtfl", "torch", "python"}
    command = shlex.split(made["command"])
    begins = f"python -m mtfl.sweeps export runs/{name} book/data/{name}.csv"
    assert command[: len(begins.split())] == begins.split()
    # the command, on runs that say nothing, makes a file with these columns
    numbers, few = dict.fromkeys(sweep.experiment.results, 0.0), dataclasses.replace(sweep, seeds=2)
    runs = [Run(p, k, numbers, 0.0, made["versions"], "") for p in few.points() for k in range(few.seeds)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        Journal(out / "runs.jsonl", few).write(runs)
        (out / "sweep.json").write_text(json.dumps(few.content()))
        main(["export", folder, str(out / "a.csv"), *command[len(begins.split()) :]])
        assert list(pd.read_csv(out / "a.csv").columns) == list(table.columns)
    assert set(MADE) == {f"{name}.csv" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_all_rows_are_possible(name: str) -> None:
    """Shares between 0 and 1, percentiles in order, accuracies a number of test inputs."""
    table = table_of(name)
    assert list(impossible(table, sweep_of(name))) == []


def impossible(table: pd.DataFrame, sweep: Sweep) -> Iterator[str]:
    """What cannot be in a table of this sweep, whatever was drawn."""
    results = [name for name in table.columns if name not in (*sweep.grid, "seed")]
    for name in results:
        if not table[name].between(0, 1).all():
            yield f"{name} is not between 0 and 1"
    digits = 1 + 6e-4  # four of them are kept
    if "seed" not in table:
        kinds = {name.rpartition("_")[0] for name in results}
        for kind in kinds:
            low, middle, high = (table[name] for name in results if name.rpartition("_")[0] == kind)
            if not np.all((low <= middle) & (middle <= high)):
                yield f"percentiles of {kind} are out of order"
    for ending in ("", "_10", "_50", "_90"):
        # r sigma_r^2 / |W|^2 is at most the energy, the sum of all r squares over |W|^2
        shares = table.get(f"weakest_share{ending}"), table.get(f"energy{ending}")
        if shares[0] is not None and shares[1] is not None and np.any(shares[0] > shares[1] * digits):
            yield f"weakest_share{ending} is above the energy"
    # the basis that spans the subspace has all its energy there
    if "energy_oracle_subspace" in table and table["energy_oracle_subspace"].to_list() != [1] * len(table):
        yield "the oracle has energy outside of the subspace"
    inputs: Any = sweep.settings.get("test_examples")
    for name in results if inputs and "seed" in table else ():
        if name.startswith(("parity_", "random_")):
            counts = table[name] * inputs
            if np.any(np.abs(counts - counts.round()) > 6e-5 * inputs):
                yield f"{name} is no share of {inputs} inputs"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("phase", lambda table: table.assign(energy_50=table["energy_50"].where(table.index != 7, 1.2))),
        ("phase", lambda table: table.assign(energy_10=table["energy_10"].where(table.index != 7, 1.0))),
        ("phase", lambda table: table.assign(weakest_share_50=table["energy_50"] * 1.01)),
        ("recovery", lambda table: table.assign(energy=-table["energy"])),
        ("transfer_full", lambda table: table.assign(energy_oracle_subspace=0.97)),
        ("transfer_curves", lambda table: table.assign(parity_pretrained=table["parity_pretrained"] + 0.0002)),
    ],
)
def test_an_impossible_row_is_seen(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert list(impossible(change(table_of(name)), sweep_of(name)))


def is_settled(sweep: Sweep, point: dict[str, Any], seed: int) -> bool:
    """Whether a millionth of the step leaves the run as it is. With large steps training amplifies every rounding."""
    settings = sweep.settings_at(point)
    if not hasattr(settings, "representation_step"):
        return True
    nudged = dataclasses.replace(settings, representation_step=settings.representation_step * (1 + 1e-6))
    here, there = (sweep.experiment.run(each, seed) for each in (settings, nudged))
    return np.allclose(here, there, rtol=0, atol=TOLERANCE / 2)


@pytest.mark.no_cover
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", NAMES)
def test_a_few_runs_again(name: str) -> None:
    """Which ones, the day says: what fails is repeated with MTFL_DAY."""
    sweep, table = sweep_of(name), table_of(name)
    draw, by_seed = random.Random(f"{DAY} {name}"), "seed" in table
    for _ in range(50):
        point, seed = draw.choice(list(sweep.points())), draw.randrange(sweep.seeds)
        if is_settled(sweep, point, seed):
            break
    else:
        pytest.fail(f"MTFL_DAY={DAY}: of 50 runs none is settled")
    runs = pd.DataFrame([results_at(sweep, point, k) for k in ([seed] if by_seed else range(sweep.seeds))])
    stored = row(table, point | ({"seed": seed} if by_seed else {}))
    for column in stored.index.difference([*point, "seed"]):
        result, p = (column, "50") if by_seed else (column.rpartition("_")[0], column.rpartition("_")[2])
        found = np.percentile(runs[result], int(p))
        assert found == pytest.approx(stored[column], abs=TOLERANCE), (
            f"MTFL_DAY={DAY}: {column} at {point}, seed {seed}"
        )


REPRESENTED = [(n, kind) for n in NAMES if n.startswith("digits") for kind in sweep_of(n).grid["representation"]]


@pytest.mark.parametrize(("name", "kind"), REPRESENTED)
def test_each_representation_gives_again_what_is_stored(name: str, kind: str) -> None:
    """All of them, every day: a day's draw has one of each sweep."""
    sweep, seed = sweep_of(name), 2
    point = {axis: values[len(values) // 3] for axis, values in sweep.grid.items()} | {"representation": kind}
    stored = row(table_of(name), point | {"seed": seed})
    found = results_at(sweep, point, seed)
    assert {key: found[key] for key in found if key in stored} == pytest.approx(
        {key: stored[key] for key in found if key in stored}, abs=TOLERANCE
    )


def test_another_seed_is_not_within_tolerance() -> None:
    sweep, table, point = sweep_of("recovery"), table_of("recovery"), {"d": 48, "tasks": 4}
    found, other = results_at(sweep, point, 0), row(table, point | {"seed": 1})
    assert any(abs(found[result] - other[result]) > TOLERANCE for result in found if result in other)
