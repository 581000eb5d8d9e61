"""A sweep's runs as one xarray dataset, as Zarr and as a small CSV."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from mtfl import _checks
from mtfl.sweeps.journal import Run
from mtfl.sweeps.plan import Sweep


def dataset(sweep: Sweep, runs: Iterable[Run]) -> xr.Dataset:
    """All runs as one dataset.

    Args:
        sweep: their plan.
        runs: those that are finished; others stay empty.

    Returns:
        A dataset whose dimensions are the axes of the grid and ``seed``. Each result of the experiment is a variable,
        NaN where a run is missing or failed. Beside them stand ``seconds`` (NaN where missing), the ``version`` of mtfl
        and the ``error`` (empty where there is none). Fixed settings are attributes.
    """
    axes = sweep.grid | {"seed": tuple(range(sweep.seeds))}
    shape = tuple(map(len, axes.values()))
    numbers = {name: np.full(shape, np.nan) for name in (*sweep.experiment.results, "seconds")}
    words = {name: np.full(shape, "", dtype=object) for name in ("version", "error")}
    places = [{value: i for i, value in enumerate(values)} for values in axes.values()]
    for run in runs:
        cell = tuple(place[value] for place, value in zip(places, (*run.point.values(), run.seed), strict=True))
        for name, value in (run.results | {"seconds": run.seconds}).items():
            numbers[name][cell] = value
        words["version"][cell], words["error"][cell] = run.version, run.error
    coordinates = {name: np.array(v, dtype=object if isinstance(v[0], str) else None) for name, v in axes.items()}
    variables = {name: (tuple(axes), array) for name, array in (numbers | words).items()}
    return xr.Dataset(variables, coordinates, {"experiment": sweep.name, **sweep.settings})


def write_zarr(data: xr.Dataset, folder: Path) -> None:
    """Write a dataset as Zarr, in the place of what the folder holds; open it with ``xarray.open_zarr(folder)``."""
    new = folder.with_suffix(".new")
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
    empty = int(data["seconds"].isnull().sum()) + int((data["error"] != "").sum())
    remedy = "Finish the sweep with run; status tells what failed."
    _checks.require(not empty, where, "every run", "finished without error", f"{empty} that are not", remedy)
    wrong = [p for p in percentiles if not 0 <= p <= 100]
    _checks.require(not wrong, where, "percentiles", "between 0 and 100", wrong, "Choose e.g. 5 50 95.")
    table = data.drop_vars(["seconds", "version", "error"])
    for name in results:
        _checks.choice(where, "results", name, tuple(map(str, table.data_vars)))
    table, order = table[list(results)] if results else table, [str(axis) for axis in data["seconds"].dims]
    if percentiles:
        quantiles = {p: table.quantile(p / 100, "seed").drop_vars("quantile") for p in percentiles}
        table = xr.Dataset({f"{name}_{p}": quantiles[p][name] for name in table.data_vars for p in percentiles})
        order.remove("seed")
    table.to_dataframe(dim_order=order).to_csv(path, float_format="%.4g", lineterminator="\n")
