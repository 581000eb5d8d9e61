"""Running a sweep on Dask: what is missing, and nothing twice."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from dask import config
from distributed import Client, LocalCluster, as_completed
from tqdm import tqdm

from mtfl import _checks
from mtfl.sweeps.dataset import dataset, write_zarr
from mtfl.sweeps.journal import Journal, Run, run_key
from mtfl.sweeps.plan import Sweep, Value

_PLAN, _JOURNAL, _ZARR, _LOCK = "sweep.json", "runs.jsonl", "dataset.zarr", "lock"
_CONNECT_SECONDS = 60  # a scheduler on a busy machine takes a while to answer
# No dashboard; what is left of its servers listens to this machine only, on ports that are free.
_PRIVATE: dict[str, Any] = {
    "dashboard_address": "127.0.0.1:0",
    "worker_dashboard_address": "127.0.0.1:0",
    "scheduler_kwargs": {"dashboard": False},
}
_ON_THIS_MACHINE: dict[str, Any] = {
    # Dask has workers hand every freed block of memory back to the system at once: steps were several times slower.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    # A worker that has died is noticed by its process; one that is slow to answer, or to start again, is not given up.
    "distributed.scheduler.worker-ttl": None,
    "distributed.deploy.lost-worker-timeout": "1 day",
}


@dataclass(frozen=True)
class Status:
    """Where a sweep stands.

    Args:
        sweep: its plan.
        runs: those that are finished.
        damaged: lines of the journal that cannot be read; their runs will be done again.
    """

    sweep: Sweep
    runs: tuple[Run, ...]
    damaged: int

    @property
    def failed(self) -> tuple[Run, ...]:
        """Runs that ended in an error."""
        return tuple(run for run in self.runs if run.error)

    @property
    def missing(self) -> int:
        """How many runs are still to be done."""
        return self.sweep.size - len(self.runs)

    def __str__(self) -> str:
        axes = " x ".join(f"{len(values)} {name}" for name, values in self.sweep.grid.items())
        done = len(self.runs) - len(self.failed)
        lines = [
            f"{self.sweep.name}: {self.sweep.size} runs ({axes} x {self.sweep.seeds} seeds)",
            f"done {done}, failed {len(self.failed)}, missing {self.missing}, damaged lines {self.damaged}",
        ]
        if self.runs:
            seconds = sum(run.seconds for run in self.runs)
            versions = ", ".join(sorted({run.version for run in self.runs}))
            lines.append(f"{seconds:.1f} s of work, {seconds / len(self.runs):.3g} s a run, mtfl {versions}")
        lines += [f"failed: {run.point}, seed {run.seed}: {run.error}" for run in self.failed]
        return "\n".join(lines)


def open_sweep(folder: Path) -> tuple[Sweep, Journal]:
    """The plan and the journal in a sweep's folder.

    Raises:
        ValueError: if there is no sweep.
    """
    plan = folder / _PLAN
    remedy = "Start one with python -m mtfl.sweeps run FILE.toml --out DIR."
    _checks.require(plan.exists(), "sweep", "the folder", "one with a sweep in it", folder, remedy)
    return Sweep.of(json.loads(plan.read_text(encoding="utf-8"))), Journal(folder / _JOURNAL)


def status(folder: Path) -> Status:
    """Where the sweep in a folder stands.

    Raises:
        ValueError: if there is no sweep.
    """
    sweep, journal = open_sweep(folder)
    runs, damaged = journal.read()
    return Status(sweep, tuple(runs.values()), damaged)


def run_sweep(
    sweep: Sweep,
    folder: Path,
    *,
    cluster: str | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
) -> Status:
    """Do the runs of a sweep that its folder does not hold yet, and write the dataset.

    Each finished run is on disk before the next is collected, so that a killed process loses the runs in flight and no
    others. A worker that dies is replaced and its run done again; a run on which four workers died counts as failed. A
    run that fails is recorded with its error, and the others go on. As runs are pure functions of settings and seed,
    one that failed would fail again and is left alone, unless ``retry_failed`` says that its cause has been mended.

    Args:
        sweep: what to run.
        folder: where runs are kept; it is made if it does not exist. ``dataset.zarr`` in it is the dataset of
            :func:`mtfl.sweeps.dataset.dataset`, written when the runs are done or interrupted from the keyboard.
        cluster: address of a Dask scheduler whose workers have the same version of mtfl; otherwise a cluster on this
            machine is started and stopped.
        workers: processes of that cluster on this machine, by default one for each core. Each uses one thread.
        retry_failed: whether failed runs are done again.

    Returns:
        The status at the end.

    Raises:
        ValueError: if the folder holds a sweep with other settings, or another process is running it.
        ConnectionError: if no scheduler answers at the address, or the scheduler is lost on the way.

    Checked by killing workers and the main process, and comparing with a sweep that was left alone.
    """
    if workers is not None:
        _checks.integer("sweep", "workers", workers, least=1)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _claim(sweep, folder)
        journal = Journal(folder / _JOURNAL)
        runs, _ = journal.read()
        if retry_failed:
            runs = {key: run for key, run in runs.items() if not run.error}
        journal.write(runs.values())  # without what is damaged, and with its last line ended
        todo = [(p, seed) for seed in range(sweep.seeds) for p in sweep.points() if run_key(p, seed) not in runs]
        try:
            if todo:
                with _client(cluster, workers) as client, _progress(sweep, len(todo)) as bar:
                    for run in _finished(client, sweep, todo):
                        journal.append(run)
                        bar.update()
        finally:
            write_zarr(dataset(sweep, journal.read()[0].values()), folder / _ZARR)
    return status(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system lets go of when the process ends in any way."""
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        _checks.require(
            free, "sweep", "the folder", "free", f"{folder}, which another process is using", "Wait for it."
        )
        yield


def _claim(sweep: Sweep, folder: Path) -> None:
    """Write the plan into the folder, or find the same one there."""
    plan, content = folder / _PLAN, sweep.content()
    if plan.exists():
        old = json.loads(plan.read_text(encoding="utf-8"))
        other = sorted(key for key in old if old[key] != content[key])
        remedy = f"Take another folder for the new settings, or remove {folder} to start anew."
        rule = "those of the sweep that the folder holds"
        _checks.require(not other, "sweep", "settings", rule, f"others under {', '.join(other)}", remedy)
    else:
        new = plan.with_suffix(".new")
        new.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(new, plan)


@contextmanager
def _client(address: str | None, workers: int | None) -> Iterator[Client]:
    """A client of the cluster at the address, or of one on this machine that lasts as long as the block."""
    if address is None:
        options = {"n_workers": workers or os.cpu_count(), "threads_per_worker": 1, **_PRIVATE}
        with (
            config.set(_ON_THIS_MACHINE),
            LocalCluster(**options, silence_logs=logging.CRITICAL) as cluster,
            Client(cluster, timeout=_CONNECT_SECONDS) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        remedy = "Start a scheduler with dask scheduler, and workers with dask worker ADDRESS."
        raise ConnectionError(
            f"sweep: cluster must be the address of a Dask scheduler; got {address}, where none answers. {remedy}"
        ) from error
    with client:
        yield client


def _progress(sweep: Sweep, todo: int) -> tqdm:
    """A bar over all runs, with rate and time left; it begins at those that were done before."""
    return tqdm(desc=sweep.name, total=sweep.size, initial=sweep.size - todo, unit="run", dynamic_ncols=True)


def _finished(client: Client, sweep: Sweep, todo: list[tuple[dict[str, Value], int]]) -> Iterator[Run]:
    """Each run as it finishes."""
    points, seeds = zip(*todo, strict=True)
    futures = client.map(perform, points, seeds, sweep=sweep, pure=False)
    cells = dict(zip(futures, todo, strict=True))
    for future, result in as_completed(futures, with_results=True, raise_errors=False):
        point, seed = cells.pop(future)
        if future.status == "cancelled":
            remedy = "Finished runs are kept: start the sweep again."
            raise ConnectionError(f"sweep: the scheduler must be there to the end; got none any more. {remedy}")
        if future.status == "error":
            _, error, _ = result
            result = Run(point, seed, {}, 0.0, version("mtfl"), _sentence(error))
        yield result


def perform(point: dict[str, Value], seed: int, *, sweep: Sweep) -> Run:
    """Do one run, in a worker process, on one thread; what goes wrong becomes the run's error.

    Args:
        point: the combination of the grid.
        seed: of all that is drawn.
        sweep: the plan.
    """
    torch.set_num_threads(1)  # the cluster's processes fill the cores
    os.environ["TQDM_DISABLE"] = "1"  # the sweep has a bar of its own
    results, error = {}, ""
    start = time.perf_counter()
    try:
        numbers = sweep.experiment.run(sweep.settings_at(point), seed)
        results = dict(zip(sweep.experiment.results, numbers, strict=True))
    except Exception as caught:  # whatever it is, the others go on
        error = _sentence(caught)
    return Run(point, seed, results, time.perf_counter() - start, version("mtfl"), error)


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
