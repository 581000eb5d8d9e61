"""Sweeps: plans, runs, resuming after kills, clusters of real processes, datasets, command line."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import xarray as xr
from distributed import Client, LocalCluster
from sentences import refuses
from waiting import HANG, wait_for

import mtfl
from mtfl import transfer
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
from mtfl.sweeps.dataset import dataset, export, write_zarr
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
        ("experiment", "steps", ValueError, "sweep: experiment must be one of recovery, step, transfer; got 'steps'"),
        ("seeds", 0, ValueError, "sweep: seeds must be at least 1; got 0"),
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


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("experiment step")
    with refuses(ValueError, "sweep: bad.toml must be a TOML file; got an error: Expected '='"):
        Sweep.read(file)


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


RUNS = [Run({"tasks": t}, seed, {"energy": t / 7}, 0.5, "1.0", "") for t in (1, 2) for seed in (0, 1)]


def test_the_journal_returns_what_was_appended(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.jsonl")
    assert journal.read() == ({}, 0)
    for run in RUNS:
        journal.append(run)
    again = Run({"tasks": 1}, 0, {}, 0.1, "1.0", "ValueError: no")
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
    journal = Journal(tmp_path / "runs.jsonl")
    journal.write(RUNS)
    lines = journal.path.read_bytes().splitlines()
    for at in (0, 2, 3):
        bad = [damage(line) if k == at else line for k, line in enumerate(lines)]
        journal.path.write_bytes(b"\n".join(bad) + (b"\n" if at < 3 else b""))
        assert journal.read() == ({run.key: run for k, run in enumerate(RUNS) if k != at}, 1)


# Running, with a worker that is a thread


def test_a_sweep_equals_its_runs_one_by_one(tmp_path: Path, threads: str) -> None:
    found = run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    assert not found.missing and not found.failed and not found.damaged
    assert numbers(found.runs) == numbers(performed(STEP))
    assert {run.version for run in found.runs} == {"0.1.0"} and all(run.seconds > 0 for run in found.runs)
    assert status(tmp_path) == found
    stored = xr.open_zarr(tmp_path / "dataset.zarr", consolidated=False).load()
    assert dict(stored.sizes) == {"law": 2, "tasks": 2, "batch_size": 1, "seed": 3}
    for run in found.runs:
        cell = stored.sel(**run.point, seed=run.seed)
        assert {name: float(cell[name]) for name in run.results} == run.results
        assert float(cell["seconds"]) == run.seconds and str(cell["version"].item()) == "0.1.0"
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
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with refuses(ValueError, "sweep: the folder must be free; got"):
            run_sweep(Sweep.of(STEP), tmp_path, cluster=threads)
    assert not (tmp_path / "runs.jsonl").exists()


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
    as_completed = runner.as_completed

    def cancelled(futures: list[Future], **options: bool) -> Iterator[tuple[Future, object]]:
        for future in futures:
            future.cancel()
        yield from as_completed(futures, **options)

    monkeypatch.setattr(runner, "as_completed", cancelled)
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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('experiment = "step"', "sweep: seeds must be given"),
        ("seeds = ", "sweep: sweep.toml must be a TOML file"),
        (None, "[Errno 2]"),
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
    assert capsys.readouterr().err.startswith(sentence)
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

    def workers(self) -> list[psutil.Process]:
        """The processes in which a local cluster's runs are done."""
        children = self.process.children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


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


def lines(folder: Path) -> int:
    path = folder / "runs.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_kills_lose_only_what_is_in_flight(tmp_path: Path) -> None:
    """Kill the main process, damage a line, resume, kill a worker: the end is that of a sweep left alone."""
    file, out = tmp_path / "long.toml", tmp_path / "out"
    file.write_text(LONG_TOML)
    command = ("run", str(file), "--out", str(out), "--workers", "2")
    with started("-c", HELD, "4", *command) as sweep:
        wait_for(sweep.is_held, sweep.ended)
        workers = sweep.workers()
        assert len(workers) == 2
        sweep.process.kill()
        assert psutil.wait_procs(workers, timeout=HANG)[1] == []  # they do not outlive it
    first = status(out)
    assert lines(out) == len(first.runs) == 4 and first.damaged == 0
    journal = out / "runs.jsonl"
    broken = first.runs[2]
    text = journal.read_bytes().splitlines(keepends=True)
    text[2] = text[2].replace(b'"seconds": ', b'"seconds": 1')
    journal.write_bytes(b"".join(text) + b'0123456789abcdef {"po')
    kept = [run for run in first.runs if run != broken]
    assert status(out).damaged == 2 and list(status(out).runs) == kept

    with started("-c", HELD, "3", *command) as sweep:
        wait_for(sweep.is_held, sweep.ended)
        assert lines(out) == len(kept) + 3
        sweep.workers()[0].kill()
        sweep.process.send_signal(signal.SIGCONT)
        assert sweep.process.wait(timeout=HANG) == 0, sweep.said()
        assert "done 24, failed 0, missing 0, damaged lines 0" in sweep.said()
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


def test_a_scheduler_started_by_hand(tmp_path: Path) -> None:
    """`dask scheduler` and `dask worker` as processes of their own; the command line is given the address."""
    file, found = tmp_path / "sweep.toml", tmp_path / "scheduler.json"
    file.write_text(LONG_TOML.replace("seeds = 6", "seeds = 2"))
    place = ("--host", "127.0.0.1", "--no-dashboard")
    with started("-m", "dask", "scheduler", "--port", "0", "--scheduler-file", str(found), *place) as scheduler:
        address = wait_for(lambda: address_in(found), scheduler.ended)
        assert address
        options = ("--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path), *place)
        with started("-m", "dask", "worker", address, *options) as worker, Client(address, timeout=HANG) as client:
            wait_for(lambda: client.scheduler_info()["workers"], worker.ended)
            out = tmp_path / "out"
            assert main(["run", str(file), "--out", str(out), "--cluster", address]) == 0
            assert len(client.scheduler_info()["workers"]) == 1  # it was used, and is still there
            assert worker.ended() is None and scheduler.ended() is None
    assert numbers(status(out).runs) == numbers(performed(LONG | {"seeds": 2}))


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


def test_the_package_itself_imports_no_cluster() -> None:
    heavy = "{'dask', 'distributed', 'xarray', 'zarr', 'pandas'}"
    code = f"import sys, mtfl, mtfl.sweeps; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n"
