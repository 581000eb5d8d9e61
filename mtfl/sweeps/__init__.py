"""Sweeps: one experiment on a grid of settings and many seeds, run on Dask, resumable, kept as one dataset.

A TOML file names the experiment, the settings that are fixed, the axes of the grid and the number of seeds::

    experiment = "recovery"
    seeds = 24

    [settings]
    r = 3
    d = 24

    [grid]
    tasks = [1, 4, 16, 64]

Each combination of the grid with each of the seeds 0, 1, 2, ... is one *run*. Finished runs are kept in a folder and
are never run again, so an interrupted sweep goes on where it stopped::

    python -m mtfl.sweeps run FILE.toml --out DIR       runs what is missing, on all cores of this machine
    python -m mtfl.sweeps run FILE.toml --out DIR --cluster tcp://HOST:8786     the same on a running Dask cluster
    python -m mtfl.sweeps status DIR                    what is done, what failed and why
    python -m mtfl.sweeps export DIR FILE.csv           a small table, and beside it made.json, which says what made it

Processes on this machine answer to the command that started them and to nobody else. The address of a cluster is
trusted: who listens there gets the plan, decides what comes back, and can run code as the one who gave the address.

:mod:`mtfl.sweeps.runner` and :mod:`mtfl.sweeps.dataset` need ``pip install 'mtfl[sweeps]'`` (Dask, xarray, Zarr); what
is imported here does not.
"""

from mtfl.sweeps.experiments import EXPERIMENTS, Experiment, RecoverySettings, StepSettings, TransferRunSettings
from mtfl.sweeps.journal import Journal, Run
from mtfl.sweeps.plan import Sweep

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "Journal",
    "RecoverySettings",
    "Run",
    "StepSettings",
    "Sweep",
    "TransferRunSettings",
]
