"""The command line: ``python -m mtfl.sweeps run | status | export``."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from mtfl.sweeps.plan import Sweep

_PROGRAM = "python -m mtfl.sweeps"


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit status, 1 if a run failed or is missing."""
    parser = argparse.ArgumentParser(prog=_PROGRAM, description="Sweeps over grids of settings.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="do the runs that are missing")
    run.add_argument("file", type=Path, metavar="FILE.toml", help="what to run")
    run.add_argument("--out", type=Path, required=True, metavar="DIR", help="where finished runs are kept")
    run.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler (default: processes on this machine)")
    run.add_argument("--workers", type=int, metavar="N", help="processes on this machine (default: one for each core)")
    run.add_argument("--retry-failed", action="store_true", help="do failed runs again")
    run.add_argument("--mix-versions", action="store_true", help="though other runs are of other mtfl, torch or Python")
    said = "end after N looks, ten seconds apart, at which there was no worker (default %(default)s)"
    run.add_argument("--patience", type=int, default=60, metavar="N", help=said)
    look = commands.add_parser("status", help="tell what is done, what failed and why")
    look.add_argument("folder", type=Path, metavar="DIR")
    write = commands.add_parser("export", help="write the results as a CSV file")
    write.add_argument("folder", type=Path, metavar="DIR")
    write.add_argument("file", type=Path, metavar="FILE.csv")
    write.add_argument(
        "--percentiles", type=int, nargs="+", default=(), metavar="P", help="these over seeds, instead of every run"
    )
    write.add_argument("--results", nargs="+", default=(), metavar="NAME", help="these results only (default: all)")
    options = parser.parse_args(arguments)
    try:  # here, since each worker process imports this module, and needs none of these
        from mtfl.sweeps.dataset import dataset, export, note
        from mtfl.sweeps.runner import open_sweep, run_sweep, status
    except ModuleNotFoundError as error:
        sys.exit(str(error))
    try:
        if options.command == "run":
            found = run_sweep(
                Sweep.read(options.file),
                options.out,
                cluster=options.cluster,
                workers=options.workers,
                retry_failed=options.retry_failed,
                mix_versions=options.mix_versions,
                patience=options.patience,
            )
        elif options.command == "status":
            found = status(options.folder)
        else:
            sweep, journal = open_sweep(options.folder)
            runs = journal.read()[0].values()
            export(dataset(sweep, runs), options.file, percentiles=options.percentiles, results=options.results)
            note(options.file, sweep, runs, f"{_PROGRAM} {shlex.join(arguments or sys.argv[1:])}")
            return 0
    except (OSError, TypeError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "Interrupted. Finished runs are kept: the same command goes on where this one stopped.\n")
    print(found)
    return 1 if found.failed or found.missing else 0


if __name__ == "__main__":
    sys.exit(main())
