"""Finished runs on disk: one line each, with a checksum, so that a damaged line is seen and its run done again.

A line names its sweep too: one that another sweep wrote is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import mtfl
from mtfl import _checks
from mtfl.sweeps.plan import Sweep, check_path

VERSIONS = {"mtfl": mtfl.__version__, "torch": torch.__version__, "python": platform.python_version()}
"""Of what a run's numbers depend on, in this process."""

_DIGITS = 16


@dataclass(frozen=True)
class Run:
    """One finished run.

    Args:
        point: its combination of the grid.
        seed: its seed.
        results: named numbers; empty if it failed.
        seconds: how long it took.
        versions: of mtfl, torch and Python, where it ran.
        error: why it failed; empty if it did not.

    Raises:
        TypeError, ValueError: if a part is of another kind.
    """

    point: dict[str, Any]
    seed: int
    results: dict[str, float]
    seconds: float
    versions: dict[str, str]
    error: str

    def __post_init__(self) -> None:
        where = "Run"
        for name in ("point", "results", "versions"):
            _checks.instance(where, name, getattr(self, name), dict)
        for name, value in self.point.items():
            _checks.instance(where, _checks.shown(name), value, int, float, str, bool)
        _checks.integer(where, "seed", self.seed, least=0)
        _checks.text(where, "error", self.error)
        _checks.number(where, "seconds", self.seconds, positive=False)
        for name, value in self.results.items():
            _checks.real(where, f"the result {_checks.shown(name)}", value)
        for name, version in self.versions.items():
            _checks.text(where, f"the version of {_checks.shown(name)}", version)

    @property
    def key(self) -> str:
        """Names the run within its sweep."""
        return run_key(self.point, self.seed)


def run_key(point: Mapping[str, Any], seed: int) -> str:
    """The name, within its sweep, of the run at this combination of the grid with this seed."""
    return json.dumps([dict(point), seed])


class Journal:
    """The file of a sweep's finished runs.

    A run is appended as one line in one write, so that a process which is killed loses at most the line that it was
    writing. A line counts if its checksum fits; of two lines for one run the later counts.
    """

    def __init__(self, path: Path, sweep: Sweep) -> None:
        """Name the file, which need not exist yet, and the sweep that its runs belong to."""
        check_path("the journal", path)
        _checks.instance("sweep", "the sweep", sweep, Sweep)
        self.path, self._sweep = path, sweep.fingerprint

    def read(self) -> tuple[dict[str, Run], int]:
        """The runs by their key, and the number of damaged lines.

        Raises:
            ValueError: if a line that is whole was written by another sweep.
        """
        runs, damaged = {}, 0
        with allowed(self.path, "read"):
            lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        for number, line in enumerate(lines, start=1):
            checksum, _, body = line.partition(b" ")
            if checksum == _checksum(body):
                run = self._run(body, number)
                runs[run.key] = run
            else:
                damaged += line != b""
        return runs, damaged

    def write(self, runs: Iterable[Run]) -> None:
        """Replace the file by one with these runs, at once: a reader sees the old file or the new one."""
        replace(self.path, b"".join(map(self._line, runs)))

    def append(self, run: Run) -> None:
        """Add one run."""
        _checks.instance("sweep", "the run", run, Run)
        with allowed(self.path, "written to"), self.path.open("ab") as file:
            file.write(self._line(run))

    def _line(self, run: Run) -> bytes:
        body = json.dumps({"sweep": self._sweep, **asdict(run)}).encode()
        return _checksum(body) + b" " + body + b"\n"

    def _run(self, body: bytes, number: int) -> Run:
        """The run that a whole line holds."""
        with suppress(AttributeError, KeyError, TypeError, ValueError, RecursionError):
            entry = json.loads(body)
            if entry.pop("sweep") == self._sweep:
                return Run(**entry)
        rule, got = "a run of the sweep in its folder", "one that another sweep, or another mtfl, wrote"
        remedy = "Take that line out, or take another folder."
        raise ValueError(f"sweep: line {number} of {self.path} must be {rule}; got {got}. {remedy}")


def replace(path: Path, content: bytes) -> None:
    """Give a file this content at once: a reader sees the old file or the new one."""
    with beside(path) as new:
        new.write_bytes(content)
        os.replace(new, path)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A place for what is to replace a file or a folder: on the same disk, and under a name that nobody else has.

    Raises:
        OSError: with one sentence.
    """
    with allowed(path, "written to"), TemporaryDirectory(dir=path.parent, prefix=".mtfl-") as folder:
        yield Path(folder) / path.name


@contextmanager
def allowed(path: Path, what: str) -> Iterator[None]:
    """In the block this file or folder is "read" or "written to"; if the system does not let it, the error says so.

    Raises:
        OSError: with one sentence.
    """
    try:
        yield
    except OSError as error:
        remedy = "Mend that, then give the same command again: finished runs are kept."
        raise OSError(f"sweep: {path} must be {what}; got {error.strerror or error}. {remedy}") from error


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_DIGITS].encode()
