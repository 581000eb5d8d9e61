"""Finished runs on disk: one line each, with a checksum, so that a damaged line is seen and its run done again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_DIGITS = 16


@dataclass(frozen=True)
class Run:
    """One finished run.

    Args:
        point: its combination of the grid.
        seed: its seed.
        results: named numbers; empty if it failed.
        seconds: how long it took.
        version: of mtfl.
        error: why it failed; empty if it did not.
    """

    point: dict[str, Any]
    seed: int
    results: dict[str, float]
    seconds: float
    version: str
    error: str

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

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist yet."""
        self.path = path

    def read(self) -> tuple[dict[str, Run], int]:
        """The runs by their key, and the number of damaged lines."""
        runs, damaged = {}, 0
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        for line in filter(None, lines):
            checksum, _, body = line.partition(b" ")
            if checksum == _checksum(body):
                run = Run(**json.loads(body))
                runs[run.key] = run
            else:
                damaged += 1
        return runs, damaged

    def write(self, runs: Iterable[Run]) -> None:
        """Replace the file by one with these runs, at once: a reader sees the old file or the new one."""
        new = self.path.with_suffix(".new")
        new.write_bytes(b"".join(map(_line, runs)))
        os.replace(new, self.path)

    def append(self, run: Run) -> None:
        """Add one run."""
        with self.path.open("ab", buffering=0) as file:
            file.write(_line(run))


def _line(run: Run) -> bytes:
    body = json.dumps(asdict(run)).encode()
    return _checksum(body) + b" " + body + b"\n"


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_DIGITS].encode()
