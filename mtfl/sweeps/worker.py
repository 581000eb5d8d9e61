"""What a worker process does: one run. It imports neither xarray nor pandas, which take as long as Dask."""

from __future__ import annotations

import os
import time

import torch

from mtfl.sweeps.journal import VERSIONS, Run
from mtfl.sweeps.plan import Sweep, Value


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
        error = sentence_of(caught)
    return Run(point, seed, results, time.perf_counter() - start, VERSIONS, error)


def sentence_of(error: BaseException) -> str:
    """What a run's error says."""
    return f"{type(error).__name__}: {error}"
