"""Sweeps: plans, runs, resuming after kills, clusters of real processes, datasets, command line."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import xarray as xr
from distributed import Client, LocalCluster
from filelock import FileLock
from sentences import HOUSE_FORM, refuses
from waiting import HANG, wait_for

import mtfl
from mtfl import _checks, transfer
from mtfl.sweeps import (
    EXPERIMENTS,
    Journal,
    RecoverySettings,
    Run,
    StepSettings,
    Sweep,
    TransferRunSettings,
    runner,
)
from mtfl.sweeps.__main__ import main
from mtfl.sweeps.dataset import dataset, export, note, write_zarr
from mtfl.sweeps.runner import run_sweep, status

ROOT = Path(__file__).parents[1]
STEP = {
    "experiment": "step",
    "seeds": 3,
    "settings": {"r": 2, "neurons": 8, "d": 8},
    "grid": {"law": ["balanced", "uniform"], "tasks": [1, 4], "batch_size": [16]},
}
# Settings that are valid, and a step so large that training diverges.
DIVERGING = {
    "experiment": "recovery",
    "seeds": 2,
    "settings": {"d": 6, "r": 2, "neurons": 8, "tasks": 2, "rounds": 3, "batch_size": 8, "head_step": 1.0},
    "grid": {"representation_step": [0.1, 1e30]},
}
# A sweep of many runs, so that a kill falls among them.
LONG = {
    "experiment": "recovery",
    "seeds": 6,
    "settings": {"d": 16, "r": 3, "neurons": 16, "batch_size": 64, "head_step": 0.05, "representation_step": 1.0},
    "grid": {"tasks": [1, 8], "rounds": [8, 10]},
}
LONG_TOML = """
experiment = "recovery"
seeds = 6
settings = {d = 16, r = 3, neurons = 16, batch_size = 64, head_step = 0.05, representation_step = 1}
grid = {tasks = [1, 8], rounds = [8, 10]}
"""


def performed(content: dict[str, Any]) -> list[Run]:
    """All runs of a sweep, done one after another in this process."""
    sweep = Sweep.of(content)
    return [runner.perform(point, seed, sweep=sweep) for seed in range(sweep.seeds) for point in sweep.points()]


def numbers(runs: Any) -> dict[str, Any]:
    """What a run is expected to give again, by key."""
    return {run.key: (run.results, run.error) for run in runs}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No progress bars; patience; torch's threads as they were."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(runner, "_CONNECT_SECONDS", HANG)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """The address of a scheduler whose one worker is a thread of this process."""
    cluster: Any = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **runner._PRIVATE)
    with cluster:
        yield cluster.scheduler_address


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that sweeps of this process do from now on."""
    append, runs = Journal.append, []

    def noted(self: Journal, run: Run) -> None:
        runs.append(run)
        append(self, run)

    monkeypatch.setattr(Journal, "append", noted)
    return runs


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """A function that has something done in the moment in which a sweep has written so many more runs."""
    append = Journal.append

    def after(count: int, act: Callable[[], object]) -> None:
        written = itertools.count(1)

        def append_and_act(self: Journal, run: Run) -> None:
            append(self, run)
            if next(written) == count:
                act()

        monkeypatch.setattr(Journal, "append", append_and_act)

    return after


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A function that gives a command which is refused, and returns what it says."""

    def refused(*command: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(list(command))
        assert caught.value.code == 2
        return "".join(capsys.readouterr())

    return refused


# The plan


def test_read_gives_the_plan_with_defaults(tmp_path: Path) -> None:
    file = tmp_path / "long.toml"
    file.write_text(LONG_TOML)
    sweep = Sweep.read(file)
    assert sweep == Sweep.of(LONG)
    assert sweep.settings["law"] == "balanced" and sweep.settings["loss"] == "hinge"
    assert type(sweep.settings["representation_step"]) is float
    assert sweep.size == 24 and len(list(sweep.points())) == 4
    assert Sweep.of(json.loads(json.dumps(sweep.content()))) == sweep
    assert sweep.settings_at({"tasks": 8, "rounds": 10}).tasks == 8


def changed(path: str, value: object) -> dict[str, Any]:
    """The sweep STEP with one entry set (or, for None, dropped)."""
    content = json.loads(json.dumps(STEP))
    *tables, key = path.split(".")
    table = content
    for name in tables:
        table = table[name]
    if value is None:
        del table[key]
    else:
        table[key] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "error", "sentence"),
    [
        ("sedes", 3, ValueError, "sweep: the key sedes must be one of experiment, seeds, settings, grid; got 'sedes'"),
        ("seeds", None, ValueError, "sweep: seeds must be given; got nothing"),
        ("experiment", None, ValueError, "sweep: experiment must be given"),
        (
            "experiment",
            "steps",
            ValueError,
            f"sweep: experiment must be one of {', '.join(EXPERIMENTS)}; got 'steps'",
        ),
        ("seeds", 0, ValueError, "sweep: seeds must be at least 1; got 0"),
        ("seeds", 10**11, ValueError, "sweep: seeds must be at most 1000000000; got 100000000000. "),
        ("seeds", 10**6, ValueError, "sweep: runs must be at most 100,000; got 4,000,000. Choose fewer"),
        ("seeds", "3", TypeError, "sweep: seeds must be an integer; got str '3'"),
        ("grid", [1], TypeError, "sweep: grid must be a table; got list"),
        ("grid", {}, ValueError, "sweep: grid must be a table with at least one list; got none"),
        ("settings.neuron", 4, ValueError, "sweep: the key neuron must be one of d, r, neurons,"),
        ("settings.wholly_unknown", 4, ValueError, "sweep: the key wholly_unknown must be one of"),
        ("settings.tasks", 4, ValueError, "sweep: keys must be in [settings] or in [grid]; got tasks in both"),
        ("settings.d", None, ValueError, "sweep: d must be given; got nothing. Write it under [settings] or [grid]."),
        ("settings.d", 8.5, TypeError, "StepSettings: d must be an integer; got float 8.5"),
        ("settings.neurons", 1, ValueError, "StepSettings: neurons must be at least 2; got 1"),
        ("grid.tasks", 4, TypeError, "sweep: tasks must be a list of values; got int 4"),
        ("grid.tasks", [], TypeError, "sweep: tasks must be a list of values; got list []"),
        ("grid.tasks", [4, 1, 4], ValueError, "sweep: tasks must be a list without repetition; got [4, 1, 4]"),
        ("grid.tasks", [4, 0], ValueError, "StepSettings: tasks must be at least 1; got 0"),
        ("grid.law", ["fair"], ValueError, "StepSettings: law must be one of uniform, balanced,"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_settings_name_the_key(path: str, value: object, error: type[Exception], sentence: str) -> None:
    with refuses(error, sentence):
        Sweep.of(changed(path, value))


def test_two_zeros_are_one_value() -> None:
    own = {"experiment": "own_inputs", "seeds": 1, "settings": {"d": 8, "r": 2, "neurons": 8, "labels": 64}}
    with refuses(ValueError, "sweep: spread must be a list without repetition; got [0.0, -0.0]. "):
        Sweep.of(own | {"grid": {"spread": [0.0, -0.0]}})


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("experiment step")
    with refuses(ValueError, "sweep: bad.toml must be a TOML file; got an error: Expected '='"):
        Sweep.read(file)
    file.write_bytes(b"experiment = '\xff'")
    with refuses(ValueError, "sweep: bad.toml must be a TOML file; got an error: 'utf-8' codec can't decode"):
        Sweep.read(file)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("content", [None, 3, [], "abc"])
def test_a_plan_that_is_no_table_is_refused(content: Any) -> None:
    with refuses(TypeError, "sweep: a plan must be a table; got"):
        Sweep.of(content)


def test_a_fingerprint_is_that_of_the_same_runs_in_the_same_order() -> None:
    sweep = Sweep.of(STEP)
    assert Sweep.of(json.loads(json.dumps(sweep.content()))).fingerprint == sweep.fingerprint
    turned = STEP | {"grid": dict(reversed(STEP["grid"].items()))}
    others = [turned, changed("seeds", 4), changed("settings.d", 9), changed("grid.tasks", [4, 1])]
    assert len({sweep.fingerprint, *(Sweep.of(other).fingerprint for other in others)}) == 5


# The experiments


def test_recovery_is_the_end_of_pretraining() -> None:
    """Fewer rounds are the beginning of more, so that rounds may be an axis."""
    options: dict[str, Any] = {"batch_size": 16, "head_step": 0.1, "representation_step": 0.5}
    settings = RecoverySettings(d=6, r=2, neurons=8, tasks=3, rounds=4, **options)
    random = mtfl.streams(5, "subspace", "tasks", "weights", "batches")
    inputs = mtfl.GaussianInputs.random(6, 2, generator=random["subspace"], dtype=torch.float32)
    F = mtfl.sample_tasks(3, 2, law="balanced", generator=random["tasks"], dtype=torch.float32)
    start = mtfl.TwoLayerReLU.random(8, 6, tasks=3, generator=random["weights"], dtype=torch.float32)
    plain = mtfl.PretrainSettings(rounds=4, **options)
    trained = mtfl.pretrain(start, inputs, F, plain, generator=random["batches"])
    history, recovery = trained.history, EXPERIMENTS["recovery"].run
    *found, weakest = recovery(settings, 5)
    assert found == [float(h[-1]) for h in (history.energy, history.conditioning, history.accuracy)]
    # r sigma_r^2 / |W|^2 from energy and conditioning, for r = 2
    assert weakest == pytest.approx(2 * found[0] / (1 + found[1] ** -2), rel=1e-4)
    half = RecoverySettings(d=6, r=2, neurons=8, tasks=3, rounds=2, **options)
    middle = float(history.energy[2]), float(history.conditioning[2]), float(history.accuracy[1])
    assert recovery(half, 5)[:3] == middle


@pytest.mark.parametrize("law", ["balanced", "uniform"])
def test_a_step_on_many_inputs_and_tasks_finds_the_subspace(law: str) -> None:
    """With the decay of its law each energy is near 1; without it, uniform tasks would stay below one half."""
    settings = StepSettings(d=16, r=2, neurons=64, tasks=20_000, law=law, batch_size=100_000)
    energy, conditioning, weakest = EXPERIMENTS["step"].run(settings, 0)
    assert energy > 0.95 and 0.6 < conditioning < 1
    # r sigma_r^2 / |W|^2 from energy and conditioning, for r = 2
    assert weakest == pytest.approx(2 * energy / (1 + conditioning**-2), rel=1e-4)


def test_transfer_is_a_point_of_the_learning_curves() -> None:
    settings = TransferRunSettings(d=8, r=2, neurons=16, tasks=8, batch_size=64, examples=40, test_examples=100)
    found = dict(zip(EXPERIMENTS["transfer"].results, EXPERIMENTS["transfer"].run(settings, 3), strict=True))
    assert len(found) == 4 * len(transfer.REPRESENTATIONS)
    same = transfer.TransferSettings(d=8, r=2, neurons=16, tasks=8, batch_size=64)
    curves = mtfl.learning_curves(same, "examples", (40,), seeds=(3,), test_examples=100)
    for name in transfer.REPRESENTATIONS:
        word = name.replace(" ", "_")
        assert found[f"parity_{word}"] == curves.accuracy[name][0, 0]
        assert found[f"energy_{word}"] == curves.energy[name][0, 0]
        assert found[f"conditioning_{word}"] == curves.conditioning[name][0, 0]
        assert 0 <= found[f"random_{word}"] <= 1
    assert found["random_oracle_subspace"] > 0.6


# The journal


VERSIONS = {"mtfl": "1.0", "torch": "2.0", "python": "3.0"}
RUNS = [Run({"tasks": t}, seed, {"energy": t / 7}, 0.5, VERSIONS, "") for t in (1, 2) for seed in (0, 1)]


def test_the_journal_returns_what_was_appended(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.jsonl", Sweep.of(STEP))
    assert journal.read() == ({}, 0)
    for run in RUNS:
        journal.append(run)
    again = Run({"tasks": 1}, 0, {}, 0.1, VERSIONS, "ValueError: no")
    journal.append(again)
    runs, damaged = journal.read()
    assert runs == {run.key: run for run in RUNS} | {again.key: again}
    assert damaged == 0


def flip(line: bytes) -> bytes:
    """One digit of the energy changed."""
    return line.replace(b"0.14", b"0.15") if b"0.14" in line else line.replace(b"0.28", b"0.29")


@pytest.mark.parametrize(
    "damage", [flip, lambda line: line[:40], lambda line: line[10:], lambda line: b"\0" * len(line)]
)
def test_a_damaged_line_is_seen(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    journal = Journal(tmp_path / "runs.jsonl", Sweep.of(STEP))
    journal.write(RUNS)
    lines = journal.path.read_bytes().splitlines()
    for at in (0, 2, 3):
        bad = [damage(line) if k == at else line for k, line in enumerate(lines)]
        journal.path.write_bytes(b"\n".join(bad) + (b"\n" if at < 3 else b""))
        assert journal.read() == ({run.key: run for k, run in enumerate(RUNS) if k != at}, 1)


def sealed(body: str) -> bytes:
    """A line of a journal with its checksum."""
    return hashlib.sha256(body.encode()).hexdigest()[:16].encode() + b" " + body.encode() + b"\n"


def body(**parts: object) -> str:
    """A run of STEP, some of its parts replaced, as a journal has it."""
    return json.dumps({"sweep": Sweep.of(STEP).fingerprint} | asdict(RUNS[0]) | parts)


@pytest.mark.parametrize(
    "body",
    [
        *("[]", "{}", "null", "no JSON", "[" * 100_000, '{"sweep": "0123456789abcdef"}', body(point="x")),
        *(
            body(point={"tasks": [1]}),
            body(seconds="y"),
            body(seed=-1),
            body(results={"energy": "z"}),
            body(error=None),
        ),
    ],
    ids=lambda body: body[:40],
)
def test_a_whole_line_that_is_no_run_of_the_sweep_is_refused(tmp_path: Path, body: str) -> None:
    journal = Journal(tmp_path / "runs.jsonl", Sweep.of(STEP))
    journal.write(RUNS)
    with journal.path.open("ab") as file:
        file.write(sealed(body))
    with refuses(ValueError, f"sweep: line 5 of {journal.path} must be a run of the sweep in its folder; got one that"):
        journal.read()


# Running, with a worker that is a thread


def test_a_sweep_equals_its_runs_one_by_one(tmp_path: Path, threads: str) -> None:
    found = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    assert not found.missing and not found.failed and not found.damaged
    assert numbers(found.runs) == numbers(performed(STEP))
    here = {"mtfl": mtfl.__version__, "torch": torch.__version__, "python": sys.version.split()[0]}
    assert all(run.versions == here and run.seconds > 0 for run in found.runs)
    assert status(tmp_path) == found
    stored = xr.open_zarr(tmp_path / "dataset.zarr", consolidated=False).load()
    assert dict(stored.sizes) == {"law": 2, "tasks": 2, "batch_size": 1, "seed": 3}
    for run in found.runs:
        cell = stored.sel(**run.point, seed=run.seed)
        assert {name: float(cell[name]) for name in run.results} == run.results
        assert float(cell["seconds"]) == run.seconds
        assert {name: cell[f"{name}_version"].item() for name in here} == here
        assert str(cell["error"].item()) == ""
    assert stored.attrs == {"experiment": "step", "d": 8, "r": 2, "neurons": 8}


def test_what_is_done_is_not_done_again(tmp_path: Path, threads: str) -> None:
    run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    journal = tmp_path / "runs.jsonl"
    before = journal.read_bytes()
    run_sweep(Sweep.of(STEP), tmp_path, cluster="tcp://nobody.invalid:1")  # nothing to do: no cluster is asked
    assert journal.read_bytes() == before


def test_a_damaged_run_is_done_again_and_only_it(tmp_path: Path, threads: str, done: list[Run]) -> None:
    first = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    journal = tmp_path / "runs.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"seed"', b'"sead"')
    lines[-1] = lines[-1][:50]
    journal.write_bytes(b"".join(lines))
    found = status(tmp_path)
    assert found.damaged == 2 and found.missing == 2
    done.clear()
    again = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    assert again.damaged == 0 and again.missing == 0
    assert numbers(again.runs) == numbers(first.runs)
    assert sorted(run.key for run in done) == sorted([first.runs[4].key, first.runs[-1].key])


def test_a_last_line_without_its_end_is_kept(tmp_path: Path, threads: str) -> None:
    first = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    journal = tmp_path / "runs.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:6]).rstrip(b"\n"))
    again = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    assert again.runs[:6] == first.runs[:6] and not again.missing and not again.damaged


def test_a_failing_run_is_recorded_and_the_others_go_on(tmp_path: Path, threads: str, done: list[Run]) -> None:
    sweep = Sweep.of(DIVERGING)
    found = run_sweep(sweep, tmp_path, cluster=threads)
    assert found.missing == 0 and len(found.failed) == 2
    for run in found.failed:
        assert run.point == {"representation_step": 1e30} and run.results == {}
        assert run.error.startswith("ValueError: pretrain: every weight must be finite; got NaN")
    assert "failed: {'representation_step': 1e+30}, seed 1: ValueError" in str(found)
    assert "done 2, failed 2, missing 0" in str(found)
    assert main(["status", str(tmp_path)]) == 1
    data = dataset(sweep, found.runs)
    assert np.isnan(data["energy"].sel(representation_step=1e30)).all()
    assert np.isfinite(data["energy"].sel(representation_step=0.1)).all()
    with refuses(ValueError, "export: every run must be finished without error; got 2 that are not"):
        export(data, tmp_path / "a.csv")
    # a resume leaves failures alone unless it is told otherwise
    before = (tmp_path / "runs.jsonl").read_bytes()
    done.clear()
    run_sweep(sweep, tmp_path, cluster=threads)
    assert (tmp_path / "runs.jsonl").read_bytes() == before
    assert done == []
    again = run_sweep(sweep, tmp_path, cluster=threads, retry_failed=True)
    assert numbers(again.runs) == numbers(found.runs)
    assert [run for run in again.runs if not run.error] == [run for run in found.runs if not run.error]
    assert sorted(run.key for run in done) == sorted(run.key for run in found.failed)


def test_changed_settings_are_refused(tmp_path: Path, threads: str) -> None:
    run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    sentence = "sweep: settings must be those of the sweep that the folder holds; got others under grid, seeds"
    with refuses(ValueError, sentence):
        run_sweep(Sweep.of(changed("grid.tasks", [1, 2]) | {"seeds": 4}), tmp_path, cluster=threads)


def test_one_process_at_a_time(tmp_path: Path, threads: str) -> None:
    with FileLock(tmp_path / "lock"), refuses(ValueError, "sweep: the folder must be free; got"):
        run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    assert not (tmp_path / "runs.jsonl").exists()
    assert not run_sweep(Sweep.of(STEP), tmp_path, cluster=threads).missing


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlockable(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(FileLock, "acquire", unlockable)
    with refuses(OSError, f"sweep: {tmp_path / 'lock'} must be written to; got No locks available."):
        run_sweep(Sweep.of(STEP), tmp_path)


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with refuses(OSError, f"sweep: {tmp_path} must be read; got {os.strerror(errno.EISDIR)}."):
        Journal(tmp_path, Sweep.of(STEP)).read()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{", '{"experiment": "step"}', "\N{EURO SIGN}"])
def test_a_damaged_plan_is_named(tmp_path: Path, text: str) -> None:
    plan = tmp_path / "sweep.json"
    plan.write_text(text, encoding="latin-1" if text.isascii() else "utf-16")
    for act in (
        lambda: run_sweep(Sweep.of(STEP), tmp_path, cluster="tcp://nobody.invalid:1"),
        lambda: status(tmp_path),
    ):
        with refuses(ValueError, f"sweep: {plan} must be the plan that run wrote; got an error: "):
            act()


@pytest.mark.parametrize("name", ["dataset.zarr", "out", "sweep.json", "runs.jsonl", "lock"])
def test_what_cannot_be_written_is_found_before_the_work(tmp_path: Path, name: str) -> None:
    """A file where a folder is due, or a folder where a file is."""
    folder = tmp_path / "out"
    place = tmp_path / name if name == "out" else folder / name
    place.parent.mkdir(exist_ok=True)
    place.touch() if name in ("out", "dataset.zarr") else place.mkdir()
    with pytest.raises((OSError, ValueError), match=rf"^sweep: {place} must be .*; got .*\. [A-Z].*\.$"):
        run_sweep(Sweep.of(STEP), folder, cluster="tcp://nobody.invalid:1")  # nobody is asked to work


def test_runs_of_other_versions_are_refused_unless_asked_for(
    tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    journal = Journal(tmp_path / "runs.jsonl", Sweep.of(STEP))
    journal.write(first.runs[:7])
    older = {name: f"{version}.old" for name, version in first.runs[0].versions.items()}
    for name in older:
        journal.write([replace(first.runs[0], versions=first.runs[0].versions | {name: older[name]}), *first.runs[1:7]])
        before = journal.path.read_bytes()
        with refuses(ValueError, f"sweep: the runs of {journal.path} must be of the versions here, mtfl "):
            run_sweep(Sweep.of(STEP), tmp_path, cluster="tcp://nobody.invalid:1")
        assert journal.path.read_bytes() == before
    journal.write(replace(run, versions=older) for run in first.runs[:7])
    found = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads, mix_versions=True)
    assert [run.versions == older for run in found.runs] == [True] * 7 + [False] * 5
    now, then = (", ".join(f"{k} {v}" for k, v in run.versions.items()) for run in (found.runs[-1], found.runs[0]))
    assert f"by {now} and {then}" in str(found)
    note(tmp_path / "runs.jsonl", Sweep.of(STEP), found.runs, "a command")
    kept = json.loads((tmp_path / "made.json").read_text())["runs.jsonl"]["versions"]
    assert kept == {k: f"{v}, {older[k]}" for k, v in first.runs[0].versions.items()}
    # and a worker that has other versions
    monkeypatch.setitem(runner.VERSIONS, "mtfl", "9.9.9")
    with refuses(ValueError, "sweep: the runs of a worker must be of the versions here, mtfl 9.9.9, torch"):
        for run in found.runs[:1]:
            runner._check_versions("a worker", run)


def test_where_there_is_no_sweep_and_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with refuses(ValueError, "sweep: the folder must be one with a sweep in it; got"):
        status(tmp_path)
    with refuses(ValueError, "sweep: workers must be at least 1; got 0"):
        run_sweep(Sweep.of(STEP), tmp_path, workers=0)
    monkeypatch.setattr(runner, "_CONNECT_SECONDS", 0.5)
    with refuses(ConnectionError, "sweep: cluster must be the address of a Dask scheduler; got tcp://127.0.0.1:9,"):
        run_sweep(Sweep.of(STEP), tmp_path, cluster="tcp://127.0.0.1:9")
    assert str(status(tmp_path)).splitlines()[1:] == ["done 0, failed 0, missing 12, damaged lines 0"]


def test_what_dask_raises_becomes_the_error(tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for a run on which its workers died again and again."""
    monkeypatch.setattr(runner, "perform", getattr)  # it refuses these arguments, outside of what perform guards
    found = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    assert len(found.failed) == 12 and not found.missing
    assert all(run.error.startswith("TypeError: getattr") for run in found.failed)


def test_a_lost_scheduler_is_named(tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = Client.map

    def cancelled(self: Client, *arguments: Any, **options: Any) -> Any:
        futures = submit(self, *arguments, **options)
        self.cancel(futures)
        return futures

    monkeypatch.setattr(Client, "map", cancelled)
    with refuses(ConnectionError, "sweep: the scheduler must be there to the end; got none any more"):
        run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)


# The dataset as a table


def test_export(tmp_path: Path) -> None:
    data = dataset(Sweep.of(STEP), performed(STEP))
    axes = ["law", "tasks", "batch_size"]
    export(data, tmp_path / "all.csv")
    table = pd.read_csv(tmp_path / "all.csv").set_index([*axes, "seed"]).to_xarray()
    for name in ("energy", "conditioning", "weakest_share"):
        np.testing.assert_allclose(table[name], data[name], rtol=1e-3)
    export(data, tmp_path / "few.csv", percentiles=(10, 50), results=("energy",))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["all.csv", "few.csv"]
    lines = (tmp_path / "few.csv").read_text().splitlines()
    assert lines[0] == "law,tasks,batch_size,energy_10,energy_50" and len(lines) == 5
    table = pd.read_csv(tmp_path / "few.csv").set_index(axes).to_xarray()
    for p in (10, 50):
        np.testing.assert_allclose(table[f"energy_{p}"], np.percentile(data["energy"], p, axis=3), rtol=1e-3)
    with refuses(ValueError, "export: percentiles must be between 0 and 100; got [101]"):
        export(data, tmp_path / "a.csv", percentiles=(50, 101))
    with refuses(ValueError, "export: results must be one of energy, conditioning, weakest_share; got 'energie'"):
        export(data, tmp_path / "a.csv", results=("energie",))


def test_zarr_replaces_what_was_there(tmp_path: Path) -> None:
    data = dataset(Sweep.of(STEP), [])
    folder = tmp_path / "data.zarr"
    for _ in range(2):
        write_zarr(data, folder)
        assert xr.open_zarr(folder, consolidated=False).load().equals(data)
    assert [path.name for path in tmp_path.iterdir()] == ["data.zarr"]


def test_a_file_of_ones_own_beside_an_export_stays(tmp_path: Path) -> None:
    own = [tmp_path / name for name in ("a.new", "a.tmp", "made.new", "data.new", "all.csv.new")]
    for file in own:
        file.write_text("mine")
    sweep, runs = Sweep.of(STEP), performed(STEP)
    export(dataset(sweep, runs), tmp_path / "a.csv")
    note(tmp_path / "a.csv", sweep, runs, "a command")
    write_zarr(dataset(sweep, runs), tmp_path / "data.zarr")
    assert [file.read_text() for file in own] == ["mine"] * len(own)
    assert len(list(tmp_path.iterdir())) == len(own) + 3


SWEEP = Sweep.of(STEP)
EMPTY = dataset(SWEEP, [])
RUN = Run({"law": "uniform", "tasks": 4, "batch_size": 16}, 0, {}, 0.0, runner.VERSIONS, "ValueError: no")
PARTS: dict[Callable[..., object], dict[str, Any]] = {
    dataset: {"sweep": SWEEP, "runs": [RUN]},
    export: {"data": EMPTY, "path": Path("a.csv"), "percentiles": [50], "results": ["energy"]},
    note: {"path": Path("a.csv"), "sweep": SWEEP, "runs": [RUN], "command": "a command"},
    write_zarr: {"data": EMPTY, "folder": Path("a.zarr")},
    Journal: {"path": Path("runs.jsonl"), "sweep": SWEEP},
    Run: {field.name: getattr(RUN, field.name) for field in fields(Run)},
    Sweep: {field.name: getattr(SWEEP, field.name) for field in fields(Sweep)},
    Sweep.read: {"path": Path("a.toml")},
    run_sweep: {"sweep": SWEEP, "folder": Path("out"), "cluster": "inproc://", "retry_failed": False, "patience": 1},
    status: {"folder": Path("out")},
}
"""What the functions of a sweep are given."""
NO_PART = (
    None,
    5,
    "a",
    "\0",
    Path("a\0"),
    Path("a" * 300 + ".csv"),
    Path("pipe.csv"),
    Path("/dev/zero"),
    ["a"],
    [1.5],
    object(),
)


@pytest.mark.parametrize(("act", "key"), [(act, key) for act, parts in PARTS.items() for key in parts])
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_part_of_a_sweep_is_refused_in_a_sentence(
    act: Callable[..., object], key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.csv")
    Path("a.csv").touch()
    for value in NO_PART:
        counts, words = ("seed", "seconds", "seeds", "patience"), ("command", "error", "cluster")
        fits = (value == 5 and key in counts) or (isinstance(value, str) and key in words)
        if not fits and not (key == "cluster" and value is None):
            with pytest.raises((OSError, TypeError, ValueError)) as caught:
                act(**PARTS[act] | {key: value})
            assert HOUSE_FORM.fullmatch(str(caught.value)), f"{_checks.shown(value)}: {caught.value!r}"
            assert "workers" not in str(caught.value)  # nothing was started


@pytest.mark.parametrize(
    "change", [{"point": {"tasks": 4}}, {"point": RUN.point | {"tasks": 5}}, {"seed": 3}, {"results": {"nosuch": 1.0}}]
)
def test_a_run_of_another_sweep_has_no_place(change: dict[str, Any]) -> None:
    with refuses(ValueError, "dataset: the run must be one of the sweep; got {"):
        dataset(SWEEP, [replace(RUN, **change)])


# The command line


def test_the_command_line(tmp_path: Path, threads: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "sweep.toml", str(tmp_path / "out")
    file.write_text(
        'experiment = "step"\nseeds = 2\n[settings]\nr = 2\nd = 4\nneurons = 4\nbatch_size = 8\n[grid]\ntasks = [1, 3]'
    )
    assert main(["run", str(file), "--out", out, "--cluster", threads]) == 0
    said = capsys.readouterr().out
    assert said.startswith("step: 4 runs (2 tasks x 2 seeds)\ndone 4, failed 0, missing 0, damaged lines 0\n")
    assert main(["status", out]) == 0
    assert capsys.readouterr().out == said
    assert main(["export", out, str(tmp_path / "a.csv"), "--percentiles", "50", "--results", "energy"]) == 0
    assert (tmp_path / "a.csv").read_text().startswith("tasks,energy_50\n1,")
    made = json.loads((tmp_path / "made.json").read_text())
    assert made["a.csv"] == {
        "command": f"python -m mtfl.sweeps export {out} {tmp_path / 'a.csv'} --percentiles 50 --results energy",
        "sweep": Sweep.read(file).fingerprint,
        "versions": status(Path(out)).runs[0].versions,
        "sha256": hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest(),
    }
    assert main(["export", out, str(tmp_path / "b.csv")]) == 0  # others in the folder keep their entry
    assert json.loads((tmp_path / "made.json").read_text()).keys() == {"a.csv", "b.csv"}
    (tmp_path / "made.json").write_text("[]")
    with pytest.raises(SystemExit):
        main(["export", out, str(tmp_path / "b.csv")])
    said = capsys.readouterr().err
    assert said.startswith(f"export: {tmp_path / 'made.json'} must be a table in JSON; got []. Restore or remove it.")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('experiment = "step"', "sweep.toml: sweep: seeds must be given"),
        ("seeds = ", "sweep: sweep.toml must be a TOML file"),
        (None, "sweep: {file} must be a file to read; got No such file or directory. Name one"),
    ],
)
def test_the_command_line_refuses(
    tmp_path: Path, text: str | None, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sweep.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SystemExit) as caught:
        main(["run", str(file), "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(sentence.format(file=file))
    assert not (tmp_path / "out").exists()


def test_an_interrupt_keeps_what_is_done(
    tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    append = Journal.append

    def interrupted(self: Journal, run: Run) -> None:
        append(self, run)
        if len(self.read()[0]) == 5:
            raise KeyboardInterrupt

    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(LONG_TOML)
    monkeypatch.setattr(Journal, "append", interrupted)
    with pytest.raises(SystemExit) as caught:
        main(["run", str(file), "--out", str(out), "--cluster", threads])
    assert caught.value.code == 130 and "the same command goes on" in capsys.readouterr().err
    stored = xr.open_zarr(out / "dataset.zarr", consolidated=False).load()
    assert int(stored["energy"].notnull().sum()) == 5 == 24 - status(out).missing


# Real processes


# The command line, held in the moment in which so many more runs are on disk, until it is killed or let go on.
HELD = """
import os, runpy, signal, sys
from mtfl.sweeps.journal import Journal

append, left = Journal.append, int(sys.argv.pop(1))
def append_and_stop(self, run):
    global left
    append(self, run)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
Journal.append = append_and_stop
runpy.run_module("mtfl.sweeps", run_name="__main__", alter_sys=True)
"""


@dataclass
class Started:
    """A process of this Python, and the file into which it writes all it has to say."""

    process: psutil.Popen
    file: IO[bytes]

    def said(self) -> str:
        return os.pread(self.file.fileno(), 10**6, 0).decode()

    def ended(self) -> str | None:
        """What it said, once it has ended."""
        return None if self.process.poll() is None else f"it ended with {self.process.poll()}: {self.said()}"

    def is_held(self) -> bool:
        return self.process.status() == psutil.STATUS_STOPPED


@contextmanager
def started(*arguments: str) -> Iterator[Started]:
    """Start a process, and stop it with all its children at the end."""
    with tempfile.TemporaryFile() as file:
        process = psutil.Popen([sys.executable, *arguments], cwd=ROOT, stdout=file, stderr=file)
        try:
            yield Started(process, file)
        finally:
            left = [*process.children(recursive=True), process] if process.poll() is None else []
            for one in left:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            psutil.wait_procs(left, timeout=HANG)


def workers(process: psutil.Process) -> list[psutil.Process]:
    """The processes in which the runs of this process's cluster are done."""
    return [child for child in process.children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]


def kill(process: psutil.Process) -> None:
    process.kill()
    process.wait(HANG)


def lines(folder: Path) -> int:
    path = folder / "runs.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_kills_lose_only_what_is_in_flight(
    tmp_path: Path, after: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Kill the main process, damage a line, resume, kill a worker: the end is that of a sweep left alone."""
    file, out = tmp_path / "long.toml", tmp_path / "out"
    file.write_text(LONG_TOML)
    command = ("run", str(file), "--out", str(out), "--workers")
    with started("-c", HELD, "4", *command, "1") as sweep:
        wait_for(sweep.is_held, sweep.ended)
        alone = workers(sweep.process)
        assert len(alone) == 1
        sweep.process.kill()
        assert psutil.wait_procs(alone, timeout=HANG)[1] == []  # it does not outlive it
    first = status(out)
    assert lines(out) == len(first.runs) == 4 and first.damaged == 0
    journal = out / "runs.jsonl"
    broken = first.runs[2]
    text = journal.read_bytes().splitlines(keepends=True)
    text[2] = text[2].replace(b'"seconds": ', b'"seconds": 1')
    journal.write_bytes(b"".join(text) + b'0123456789abcdef {"po')
    kept = [run for run in first.runs if run != broken]
    assert status(out).damaged == 2 and list(status(out).runs) == kept

    def kill_one() -> None:
        both = workers(psutil.Process())
        assert len(both) == 2 and lines(out) == len(kept) + 3
        both[0].kill()

    after(3, kill_one)
    assert main([*command, "2"]) == 0
    assert "done 24, failed 0, missing 0, damaged lines 0" in capsys.readouterr().out
    found = status(out)
    assert lines(out) == 24  # no run stands there twice
    assert all(run in found.runs for run in kept)  # with the time that they took: they were not done again
    assert numbers(found.runs) == numbers(performed(LONG))


def address_in(file: Path) -> str | None:
    """The address that a scheduler has written into its file, if it has written all of it."""
    try:
        return json.loads(file.read_text())["address"]
    except (FileNotFoundError, json.JSONDecodeError):
        return None


@contextmanager
def scheduler_by_hand(folder: Path) -> Iterator[tuple[Started, str]]:
    """A process of `dask scheduler`, and its address."""
    found = folder / "scheduler.json"
    place = ("--host", "127.0.0.1", "--no-dashboard")
    with started("-m", "dask", "scheduler", "--port", "0", "--scheduler-file", str(found), *place) as scheduler:
        yield scheduler, str(wait_for(lambda: address_in(found), scheduler.ended))


@contextmanager
def worker_by_hand(folder: Path, address: str) -> Iterator[Started]:
    """A process of `dask worker`, once the scheduler knows of it."""
    options = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder), "--host", "127.0.0.1")
    with started("-m", "dask", "worker", address, *options, "--no-dashboard") as worker:
        with Client(address, timeout=HANG) as client:
            wait_for(lambda: client.scheduler_info()["workers"], worker.ended)
        yield worker


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Started, Started]]:
    """A scheduler's address, its process, and that of its one worker."""
    folder = tmp_path_factory.mktemp("cluster")
    with scheduler_by_hand(folder) as (scheduler, address), worker_by_hand(folder, address) as worker:
        yield address, scheduler, worker


def test_a_scheduler_started_by_hand(tmp_path: Path, by_hand: tuple[str, Started, Started]) -> None:
    """`dask scheduler` and `dask worker` as processes of their own; the command line is given the address."""
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(LONG_TOML.replace("seeds = 6", "seeds = 2"))
    address, scheduler, worker = by_hand
    assert main(["run", str(file), "--out", str(out), "--cluster", address]) == 0
    with Client(address, timeout=HANG) as client:
        assert len(client.scheduler_info()["workers"]) == 1  # it was used, and is still there
    assert worker.ended() is None and scheduler.ended() is None
    assert numbers(status(out).runs) == numbers(performed(LONG | {"seeds": 2}))


def test_a_cluster_that_is_lost_is_named(
    tmp_path: Path, after: Callable[..., None], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler alone, one whose last worker leaves, and one that is killed; looks are counted."""
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(LONG_TOML)
    with scheduler_by_hand(tmp_path) as (scheduler, address):
        command = ("run", str(file), "--out", str(out), "--cluster", address)
        none = f"sweep: there is no worker now. Start some with dask worker {address}"
        ends = "sweep: workers must be there; got none at 3 looks in a row"
        with monkeypatch.context() as quick:
            quick.setattr(runner, "_LOOK_SECONDS", 0.01)
            said = refused(*command, "--patience", "3")
            assert said.count(none) == 1 and ends in said
            with worker_by_hand(tmp_path, address) as worker:
                after(2, lambda: kill(worker.process))
                said = refused(*command, "--patience", "3")
                assert none in said and ends in said
        assert 2 <= len(status(out).runs) < 24
        with worker_by_hand(tmp_path, address):
            after(2, lambda: kill(scheduler.process))
            assert "sweep: the scheduler must be there to the end; got none any more" in refused(*command)
    assert 4 <= len(status(out).runs) < 24


def test_a_worker_of_another_version_is_refused(
    tmp_path: Path,
    by_hand: tuple[str, Started, Started],
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This process has another version than its worker; then a folder has runs of another version."""
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(LONG_TOML)
    command = ("run", str(file), "--out", str(out), "--cluster", by_hand[0])
    runs = [replace(run, versions=dict(run.versions)) for run in performed(LONG)[:3]]
    monkeypatch.setitem(runner.VERSIONS, "mtfl", "9.9.9")
    assert "sweep: the runs of a worker must be of the versions here, mtfl 9.9.9" in refused(*command)
    assert lines(out) == 0
    Journal(out / "runs.jsonl", Sweep.of(LONG)).write(runs)
    said = refused(*command)
    assert f"sweep: the runs of {out / 'runs.jsonl'} must be of the versions here, mtfl 9.9.9" in said
    assert main([*command, "--mix-versions"]) == 0
    assert lines(out) == 24


def test_a_line_of_another_sweep_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(LONG_TOML)
    one, other = Sweep.of(LONG), Sweep.of(LONG | {"settings": LONG["settings"] | {"d": 17}})  # with the same grid
    out.mkdir()
    for sweep in (one, other):
        run = runner.perform(next(iter(sweep.points())), 0, sweep=sweep)
        Journal(out / "runs.jsonl", sweep).append(run)
    said = refused("run", str(file), "--out", str(out))
    assert said.startswith(f"sweep: line 2 of {out / 'runs.jsonl'} must be a run of the sweep in its folder")


LIMITED = """
import logging, resource, sys
from mtfl.sweeps.__main__ import main

logging.disable()  # Dask's own words would fill the file with what this process says
resource.setrlimit(resource.RLIMIT_FSIZE, (1200, resource.RLIM_INFINITY))
*command, address = sys.argv[1:]
for place in (("--workers", "1"), ("--cluster", address)):
    try:
        main([*command, *place])
    except SystemExit as ended:
        print("ended with", ended.code, file=sys.stderr)
"""


def test_a_full_disk_is_named(tmp_path: Path, by_hand: tuple[str, Started, Started]) -> None:
    """A limit on the size of files stands for the disk: it is met by the workers, then by the file of runs."""
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(LONG_TOML)
    command = ("run", str(file), "--out", str(out))
    with started("-c", LIMITED, *command, by_hand[0]) as sweep:
        assert sweep.process.wait(timeout=HANG) == 0, sweep.said()
        said = [line for line in sweep.said().splitlines() if line.startswith(("sweep: ", "ended"))]
    assert said[1::2] == ["ended with 2"] * 2, said
    assert said[0].startswith("sweep: the workers on this machine must start; got an error: [Errno 27] File too large")
    assert said[2].startswith(f"sweep: {out}/") and "must be written to; got File too large. Mend that" in said[2]
    kept = status(out)
    assert 2 <= len(kept.runs) < 24
    assert main([*command, "--cluster", by_hand[0]]) == 0
    assert all(run in status(out).runs for run in kept.runs)


# Another user, who has found the scheduler's address, tries to have it do something: as one who knows no key, and as
# one who has made a key and does not ask for the scheduler's.
INTRUDER = """
import os, ssl, sys
from distributed import Client, Security

class Careless(Security):
    def get_connection_args(self, role):
        found = super().get_connection_args(role)
        found["ssl_context"].check_hostname, found["ssl_context"].verify_mode = False, ssl.CERT_NONE
        return found

os.setgid(65534)
os.setuid(65534)
patience, *addresses = sys.argv[1:]
for address in addresses:
    key = Careless.temporary() if address.startswith("tls") else None
    try:
        client = Client(address, security=key, timeout=float(patience))
        print("answered", client.submit(os.getuid).result())
    except OSError as error:
        print("refused", repr(error))
"""


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can become another user")
def test_the_cluster_on_this_machine_answers_to_nobody_else(by_hand: tuple[str, Started, Started]) -> None:
    with runner._client(None, 1) as client:
        address = client.scheduler_info()["address"]
        asked = [scheme + address[address.index(":") :] for scheme in ("tls", "tcp")]
        with started("-c", INTRUDER, str(HANG), *asked, by_hand[0]) as other:  # where in the end no key is asked for
            assert other.process.wait(timeout=HANG) == 0, other.said()
            said = [line for line in other.said().splitlines() if line.startswith(("answered", "refused"))]
        assert len(said) == 3 and said[2] == "answered 0", other.said()
        assert all(line.startswith("refused") and "losed" in line for line in said[:2]), said
        assert client.submit(os.getuid).result() == 0  # it is there all the while


def test_on_this_machine(tmp_path: Path) -> None:
    """Workers of a local cluster use one thread each, keep the memory that they free and listen to nobody else."""
    names = ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    with runner._client(None, 2) as client:
        told: Any = client.run(lambda: [os.environ.get(name) for name in names])
        assert list(told.values()) == [["1", None]] * 2
        info = client.scheduler_info()
        assert [worker["nthreads"] for worker in info["workers"].values()] == [1, 1]
        pids: Any = client.run(os.getpid)
        sockets = [socket for pid in pids.values() for socket in psutil.Process(pid).net_connections()]
        assert {socket.laddr.ip for socket in sockets if socket.status == "LISTEN"} == {"127.0.0.1"}


# The command where one and then the other part of the extra is absent.
ABSENT = """
import runpy, sys

sys.modules['xarray'] = None
try:
    runpy.run_module('mtfl.sweeps', run_name='__main__')
except SystemExit as ended:
    print(ended.code)
del sys.modules['xarray']
sys.modules['distributed'] = None
runpy.run_module('mtfl.sweeps', run_name='__main__')
"""


def test_a_missing_extra_is_named_with_the_remedy() -> None:
    command = [sys.executable, "-c", ABSENT, "status", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    said = "mtfl: {} must be installed; got no such module. Install it with pip install 'mtfl[sweeps]'.\n"
    assert (done.stdout, done.stderr) == (said.format("xarray"), said.format("distributed"))
    assert done.returncode == 1


def test_nothing_here_needs_a_unix() -> None:
    """A lock is held through filelock, which has one for each system."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(runner.__file__).parent.glob("*.py"))
    assert "fcntl" not in text
