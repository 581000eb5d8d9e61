"""A sweep's runs as one xarray dataset, as Zarr and as a small CSV, and what made that."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtfl import _checks
from mtfl.sweeps.journal import VERSIONS, Run, allowed, beside, replace
from mtfl.sweeps.plan import Sweep, check_path

with _checks.extra("sweeps"):
    import xarray as xr

MADE = "made.json"
_WORDS = tuple(f"{name}_version" for name in VERSIONS)


def dataset(sweep: Sweep, runs: Iterable[Run]) -> xr.Dataset:
    """All runs as one dataset.

    Args:
        sweep: their plan.
        runs: those that are finished; others stay empty.

    Returns:
        A dataset whose dimensions are the axes of the grid and ``seed``. Each result of the experiment is a variable,
        NaN where a run is missing or failed. Beside them stand ``seconds`` (NaN where missing), ``mtfl_version``,
        ``torch_version`` and ``python_version``, and the ``error`` (empty where there is none). Fixed settings are
        attributes.

    Raises:
        TypeError: if a run is none.
        ValueError: if one is of another sweep.
    """
    where = "dataset"
    _checks.instance(where, "sweep", sweep, Sweep)
    _checks.instance(where, "runs", runs, Iterable)
    axes = sweep.grid | {"seed": tuple(range(sweep.seeds))}
    shape = tuple(map(len, axes.values()))
    numbers = {name: np.full(shape, np.nan) for name in (*sweep.experiment.results, "seconds")}
    words = {name: np.full(shape, "", dtype=object) for name in (*_WORDS, "error")}
    places = [{value: i for i, value in enumerate(values)} for values in axes.values()]
    remedy = "Pass those that its journal has."
    for run in runs:
        _checks.instance(where, "the run", run, Run)
        at = run.point | {"seed": run.seed}
        own = list(at) == list(axes) and all(map(dict.__contains__, places, at.values()))
        own = own and run.results.keys() <= numbers.keys() and run.versions.keys() == VERSIONS.keys()
        _checks.require(own, where, "the run", "one of the sweep", _checks.shown(at), remedy)
        cell = tuple(map(dict.__getitem__, places, at.values()))
        for name, value in (run.results | {"seconds": run.seconds}).items():
            numbers[name][cell] = value
        for name, value in zip((*_WORDS, "error"), (*run.versions.values(), run.error), strict=True):
            words[name][cell] = value
    coordinates = {name: np.array(v, dtype=object if isinstance(v[0], str) else None) for name, v in axes.items()}
    variables = {name: (tuple(axes), array) for name, array in (numbers | words).items()}
    return xr.Dataset(variables, coordinates, {"experiment": sweep.name, **sweep.settings})


def write_zarr(data: xr.Dataset, folder: Path) -> None:
    """Write a dataset as Zarr, in the place of what the folder holds; open it with ``xarray.open_zarr(folder)``."""
    _checks.instance("write_zarr", "data", data, xr.Dataset)
    check_path("the folder", folder)
    with beside(folder) as new:
        data.to_zarr(new, mode="w", consolidated=False)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(new, folder)


def export(data: xr.Dataset, path: Path, *, percentiles: Sequence[int] = (), results: Sequence[str] = ()) -> None:
    """Write a sweep's results as a CSV file, four significant digits each.

    Args:
        data: of :func:`dataset`.
        path: of the file.
        percentiles: if given, a row for each combination of the grid, and for each result these percentiles over seeds,
            as in ``energy_5``; otherwise a row for each run.
        results: which of the experiment's results to write; all if none are named.

    Raises:
        ValueError: if a run is missing or failed, a percentile is not between 0 and 100, or a result is unknown.
    """
    where = "export"
    _checks.instance(where, "data", data, xr.Dataset)
    whole = {"seconds", *_WORDS, "error"} <= set(data)
    _checks.require(whole, where, "data", "the dataset of a sweep", ", ".join(map(str, data)) or "none", "Use dataset.")
    check_path("the file", path)
    for name, given in (("percentiles", percentiles), ("results", results)):
        if given != ():
            _checks.sequence(where, name, given)
    remedy = "Results go into a file of their own."
    _checks.require(path.suffix == ".csv", where, "the file", "one whose name ends in .csv", path, remedy)
    empty = int(data["seconds"].isnull().sum()) + int((data["error"] != "").sum())
    remedy = "Finish the sweep with run; status tells what failed."
    _checks.require(not empty, where, "every run", "finished without error", f"{empty} that are not", remedy)
    for p in percentiles:
        _checks.integer(where, "a percentile", p)
    wrong = [p for p in percentiles if not 0 <= p <= 100]
    _checks.require(not wrong, where, "percentiles", "between 0 and 100", wrong, "Choose e.g. 5 50 95.")
    table = data.drop_vars(["seconds", *_WORDS, "error"])
    for name in results:
        _checks.choice(where, "results", name, tuple(map(str, table.data_vars)))
    table, order = table[list(results)] if results else table, [str(axis) for axis in data["seconds"].dims]
    if percentiles:
        quantiles = {p: table.quantile(p / 100, "seed").drop_vars("quantile") for p in percentiles}
        table = xr.Dataset({f"{name}_{p}": quantiles[p][name] for name in table.data_vars for p in percentiles})
        order.remove("seed")
    text = table.to_dataframe(dim_order=order).to_csv(float_format="%.4g", lineterminator="\n")
    replace(path, text.encode())


def note(path: Path, sweep: Sweep, runs: Iterable[Run], command: str) -> None:
    """Write down what made a CSV file: in ``made.json`` beside it, under its name.

    There stand the command, the :attr:`mtfl.sweeps.plan.Sweep.fingerprint` of the sweep, the versions of mtfl, torch
    and Python that did its runs, and the SHA-256 checksum of the file.

    Args:
        path: of the file that :func:`export` has written.
        sweep: whose runs it has.
        runs: these runs.
        command: that exported them.

    Raises:
        ValueError: if ``made.json`` is not what this function writes.
    """
    check_path("the file", path)
    _checks.instance("note", "sweep", sweep, Sweep)
    _checks.instance("note", "runs", runs, Iterable)
    _checks.text("note", "command", command)
    kept = path.with_name(MADE)
    check_path(str(kept), kept)
    try:
        with allowed(kept, "read"):
            made: Any = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    except (ValueError, RecursionError) as error:
        made = error
    got = _checks.shown(made)
    _checks.require(isinstance(made, dict), "export", str(kept), "a table in JSON", got, "Restore or remove it.")
    with allowed(path, "read"):
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    versions: dict[str, set[str]] = {}
    for run in runs:
        _checks.instance("note", "the run", run, Run)
        for name, version in run.versions.items():
            versions.setdefault(name, set()).add(version)
    made[path.name] = {
        "command": command,
        "sweep": sweep.fingerprint,
        "versions": {name: ", ".join(sorted(found)) for name, found in versions.items()},
        "sha256": checksum,
    }
    replace(kept, json.dumps(made, indent=1, sort_keys=True).encode() + b"\n")
