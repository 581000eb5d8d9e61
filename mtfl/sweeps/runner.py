"""Running a sweep on Dask: what is missing, and nothing twice."""

from __future__ import annotations

import json
import logging
import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mtfl import _checks
from mtfl.sweeps.dataset import dataset, write_zarr
from mtfl.sweeps.journal import VERSIONS, Journal, Run, allowed, replace, run_key
from mtfl.sweeps.plan import Sweep, Value, check_path
from mtfl.sweeps.worker import perform, sentence_of

with _checks.extra("sweeps"):
    import cryptography  # noqa: F401  # Security.temporary needs it
    from dask import config
    from distributed import Client, LocalCluster, Security, as_completed
    from filelock import FileLock, Timeout

_PLAN, _JOURNAL, _ZARR, _LOCK = "sweep.json", "runs.jsonl", "dataset.zarr", "lock"
_CONNECT_SECONDS = 60  # a scheduler on a busy machine takes a while to answer
_LOOK_SECONDS = 10  # without a finished run, then one looks whether there are workers
_MOST_WORKERS = 1024
# Scheduler, workers and client listen to this machine only, on ports that are free; what they say is encrypted, and
# they answer to nobody without the key, which is made anew each time and kept in memory. There is no dashboard.
_PRIVATE: dict[str, Any] = {
    "dashboard_address": "127.0.0.1:0",
    "worker_dashboard_address": "127.0.0.1:0",
    "scheduler_kwargs": {"dashboard": False},
}
_ON_THIS_MACHINE: dict[str, Any] = {
    # Web servers, which know no key: nothing is behind them.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
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
            made = " and ".join(sorted({_listed(run.versions) for run in self.runs}))
            lines.append(f"{seconds:.1f} s of work, {seconds / len(self.runs):.3g} s a run, by {made}")
        lines += [f"failed: {run.point}, seed {run.seed}: {run.error}" for run in self.failed]
        return "\n".join(lines)


def open_sweep(folder: Path) -> tuple[Sweep, Journal]:
    """The plan and the journal in a sweep's folder.

    Raises:
        ValueError: if there is no sweep, or its plan is damaged.
    """
    check_path("the folder", folder)
    plan = folder / _PLAN
    check_path(str(plan), plan)
    remedy = "Start one with python -m mtfl.sweeps run FILE.toml --out DIR."
    _checks.require(plan.exists(), "sweep", "the folder", "one with a sweep in it", folder, remedy)
    try:
        sweep = Sweep.of(json.loads(plan.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, RecursionError) as error:
        remedy = "Remove it and give the run command again, which writes it anew: finished runs are kept."
        got = str(error).rstrip(".")
        raise ValueError(f"sweep: {plan} must be the plan that run wrote; got an error: {got}. {remedy}") from error
    return sweep, Journal(folder / _JOURNAL, sweep)


def status(folder: Path) -> Status:
    """Where the sweep in a folder stands.

    Raises:
        ValueError: if there is no sweep, or a file of it is damaged or belongs to another one.
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
    mix_versions: bool = False,
    patience: int = 60,
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
        cluster: address of a Dask scheduler; otherwise a cluster on this machine is started and stopped, which answers
            to this process only. An address is trusted: who listens there gets the plan, and decides what comes back.
        workers: processes of that cluster on this machine, by default one for each core. Each uses one thread.
        retry_failed: whether failed runs are done again.
        mix_versions: whether runs may be of other versions of mtfl, torch or Python than those of this process.
        patience: the sweep ends after so many looks in a row, ten seconds apart, at which there is no worker.

    Returns:
        The status at the end.

    Raises:
        ValueError: if the folder holds a sweep with other settings or runs of other versions, a file in it is not what
            a sweep writes, another process is running it, or a worker has other versions.
        ConnectionError: if no scheduler answers at the address, the scheduler is lost on the way, or there are no
            workers.
        OSError: if a file cannot be written.

    Checked by killing workers and the main process, and comparing with a sweep that was left alone.
    """
    where = "sweep"
    _checks.instance(where, "sweep", sweep, Sweep)
    sweep = Sweep.of(sweep.content())  # it may have been made by hand
    check_path("the folder", folder)
    if cluster is not None:
        _checks.text(where, "cluster", cluster)
    for name, value in (("retry_failed", retry_failed), ("mix_versions", mix_versions)):
        _checks.flag(where, name, value)
    if workers is not None:
        _checks.integer(where, "workers", workers, least=1)
        _checks.require(
            workers <= _MOST_WORKERS, where, "workers", f"at most {_MOST_WORKERS}", workers, "Choose fewer."
        )
    _checks.integer(where, "patience", patience, least=1)
    for path in (folder, folder / _ZARR):
        ok = path.is_dir() or not path.exists()
        _checks.require(ok, where, str(path), "a folder, or not there", "a file", "Move it away.")
    with allowed(folder, "written to"):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _claim(sweep, folder)
        journal = Journal(folder / _JOURNAL, sweep)
        runs, _ = journal.read()
        if retry_failed:
            runs = {key: run for key, run in runs.items() if not run.error}
        for run in () if mix_versions else runs.values():
            _check_versions(str(journal.path), run)
        journal.write(runs.values())  # without what is damaged, and with its last line ended
        todo = [(p, seed) for seed in range(sweep.seeds) for p in sweep.points() if run_key(p, seed) not in runs]
        try:
            if todo:
                with _client(cluster, workers) as client, _progress(sweep, len(todo)) as bar:
                    for run in _finished(client, sweep, todo, patience, bar):
                        if not mix_versions:
                            _check_versions("a worker", run)
                        journal.append(run)
                        bar.update()
        finally:
            write_zarr(dataset(sweep, journal.read()[0].values()), folder / _ZARR)
    return status(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system lets go of when the process ends in any way."""
    lock = FileLock(folder / _LOCK)
    with allowed(folder / _LOCK, "written to"):
        try:
            free = bool(lock.acquire(blocking=False))
        except Timeout:
            free = False
    _checks.require(free, "sweep", "the folder", "free", f"{folder}, which another process is using", "Wait for it.")
    try:
        yield
    finally:
        lock.release()


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _check_versions(where: str, run: Run) -> None:
    """The run was made by what this process has."""
    rule, got = f"of the versions here, {_listed(VERSIONS)}", _listed(run.versions)
    remedy = "Use those versions, or take another folder; the option --mix-versions keeps both kinds of runs together."
    _checks.require(run.versions == VERSIONS, "sweep", f"the runs of {where}", rule, got, remedy)


def _claim(sweep: Sweep, folder: Path) -> None:
    """Write the plan into the folder, or find the same one there."""
    plan, content = folder / _PLAN, sweep.content()
    if plan.exists():
        old = open_sweep(folder)[0].content()
        other = sorted(key for key in old if json.dumps(old[key]) != json.dumps(content[key]))
        remedy = f"Take another folder for the new settings, or remove {folder} to start anew."
        rule = "those of the sweep that the folder holds"
        _checks.require(not other, "sweep", "settings", rule, f"others under {', '.join(other)}", remedy)
    else:
        replace(plan, json.dumps(content, indent=1).encode() + b"\n")


@contextmanager
def _client(address: str | None, workers: int | None) -> Iterator[Client]:
    """A client of the cluster at the address, or of one on this machine that lasts as long as the block."""
    if address is None:
        options = {"n_workers": workers or os.cpu_count(), "threads_per_worker": 1, **_PRIVATE}
        key = Security.temporary()
        with config.set(_ON_THIS_MACHINE):
            try:
                started = LocalCluster(**options, security=key, silence_logs=logging.CRITICAL)
            except RuntimeError as error:
                remedy = "Mend that, or name a running cluster with --cluster."
                got = f"an error: {error.__cause__ or error}"
                raise OSError(f"sweep: the workers on this machine must start; got {got}. {remedy}") from error
            with started as cluster, Client(cluster, security=key, timeout=_CONNECT_SECONDS) as client:
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


def _finished(
    client: Client, sweep: Sweep, todo: list[tuple[dict[str, Value], int]], patience: int, bar: tqdm
) -> Iterator[Run]:
    """Each run as it finishes. Without a worker it says so through the bar, and loses patience in the end."""
    kept = "Finished runs are kept: start the sweep again."
    points, seeds = zip(*todo, strict=True)
    futures = client.map(perform, points, seeds, sweep=sweep, pure=False)
    cells = dict(zip(futures, todo, strict=True))
    ended = as_completed(futures, with_results=True, raise_errors=False).queue
    looks, wait = 0, 0.0  # the first look is at once
    while cells:
        try:
            future, result = ended.get(timeout=wait)
        except queue.Empty:
            wait = _LOOK_SECONDS
            scheduler = client.scheduler_info()
            looks = 0 if scheduler["workers"] else looks + 1
            if looks == 1:
                start = f"Start some with dask worker {scheduler['address']}"
                bar.write(f"sweep: there is no worker now. {start}, or wait for those that are starting.")
            got = f"none at {patience} looks in a row, {_LOOK_SECONDS} s apart"
            if looks > patience:
                raise ConnectionError(f"sweep: workers must be there; got {got}. {kept}") from None
            continue
        looks, (point, seed) = 0, cells.pop(future)
        if future.status == "cancelled":
            raise ConnectionError(f"sweep: the scheduler must be there to the end; got none any more. {kept}")
        if future.status == "error":
            _, error, _ = result
            result = Run(point, seed, {}, 0.0, VERSIONS, sentence_of(error))
        yield result
