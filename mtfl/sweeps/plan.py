"""What a sweep's file says, checked before anything runs."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import itertools
import json
import math
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtfl import _checks
from mtfl.sweeps.experiments import EXPERIMENTS, Experiment

Value = int | float | str | bool
_MOST_RUNS = 100_000  # the settings of each are checked first: some seconds
_MOST_BYTES = 2**24  # of a file, where one more is no end
_DIGITS = 16


@dataclass(frozen=True)
class Sweep:
    """One experiment on every combination of a grid, with every seed. Use :meth:`read` or :meth:`of`.

    Args:
        name: of an experiment in :data:`mtfl.sweeps.experiments.EXPERIMENTS`.
        settings: the fixed settings, those left at their defaults included.
        grid: from the name of each axis to its values.
        seeds: how many; they are 0, 1, 2, ...
    """

    name: str
    settings: dict[str, Value]
    grid: dict[str, tuple[Value, ...]]
    seeds: int

    def __post_init__(self) -> None:
        _checks.choice("sweep", "experiment", self.name, tuple(EXPERIMENTS))
        for name in ("settings", "grid"):
            _checks.instance("sweep", name, getattr(self, name), dict)
        _checks.integer("sweep", "seeds", self.seeds, least=1)

    @classmethod
    def read(cls, path: Path) -> Sweep:
        """The sweep that a TOML file describes.

        Raises:
            OSError: if the file cannot be read.
            TypeError, ValueError: if it is no TOML, or as :meth:`of`, with the file's name.
        """
        check_path("the file", path)
        try:
            with path.open("rb") as file:
                content = tomllib.loads(file.read(_MOST_BYTES).decode())
        except OSError as error:
            remedy = "Name one that is there."
            raise OSError(f"sweep: {path} must be a file to read; got {error.strerror}. {remedy}") from error
        except (ValueError, RecursionError) as error:  # of the TOML, of its letters, of lists in lists
            remedy = "Mend that line."
            raise ValueError(f"sweep: {path.name} must be a TOML file; got an error: {error}. {remedy}") from error
        try:
            return cls.of(content)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{path.name}: {error}") from error

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Sweep:
        """The sweep with the content of such a file, every combination of its settings checked.

        Raises:
            TypeError: if a value has the wrong type; the message names its key.
            ValueError: if a key is unknown, missing or given twice, a list of the grid is empty or repeats a value,
                there are more than 100,000 runs, or the experiment's settings refuse a combination.
        """
        where = "sweep"
        got = type(content).__name__
        _checks.require(isinstance(content, Mapping), where, "a plan", "a table", got, "Begin anew.", TypeError)
        _known(where, content, ("experiment", "seeds", "settings", "grid"))
        for key in ("experiment", "seeds"):
            _checks.require(key in content, where, key, "given", "nothing", f"Write {key} = ... at the top.")
        name, seeds = content["experiment"], content["seeds"]
        _checks.choice(where, "experiment", name, tuple(EXPERIMENTS))
        _checks.integer(where, "seeds", seeds, least=1)
        tables = {key: content.get(key, {}) for key in ("settings", "grid")}
        for key, table in tables.items():
            got = type(table).__name__
            _checks.require(isinstance(table, dict), where, key, "a table", got, f"Begin it with [{key}].", TypeError)
        experiment = EXPERIMENTS[name]
        fields = {field.name: field for field in dataclasses.fields(experiment.settings)}
        settings, grid = tables["settings"], tables["grid"]
        for table in (settings, grid):
            _known(where, table, tuple(fields))
        both = settings.keys() & grid.keys()
        got = ", ".join(sorted(both)) or "none"
        _checks.require(not both, where, "keys", "in [settings] or in [grid]", f"{got} in both", "Keep one of them.")
        kinds = typing.get_type_hints(experiment.settings)
        _checks.require(bool(grid), where, "grid", "a table with at least one list", "none", "Begin it with [grid].")
        axes = {}
        for key, values in grid.items():
            got = f"{type(values).__name__} {_checks.shown(values)}"
            ok = isinstance(values, list) and len(values) > 0
            remedy = f"Write {key} = [...], or move it to [settings]."
            _checks.require(ok, where, key, "a list of values", got, remedy, TypeError)
            axes[key] = tuple(_exact(key, value, kinds[key]) for value in values)
            distinct = len(set(map(repr, axes[key]))) == len(axes[key])
            _checks.require(distinct, where, key, "a list without repetition", values, "Drop the repeated value.")
        fixed = {key: field.default for key, field in fields.items() if field.default is not dataclasses.MISSING} | {
            key: _exact(key, value, kinds[key]) for key, value in settings.items()
        }
        for key in fields:
            given = key in fixed or key in axes
            _checks.require(given, where, key, "given", "nothing", "Write it under [settings] or [grid].")
        sweep = cls(name, {key: fixed[key] for key in fields if key in fixed and key not in axes}, axes, seeds)
        remedy = "Choose fewer seeds or values."
        _checks.require(sweep.size <= _MOST_RUNS, where, "runs", f"at most {_MOST_RUNS:,}", f"{sweep.size:,}", remedy)
        for point in sweep.points():
            sweep.settings_at(point)
        return sweep

    @property
    def experiment(self) -> Experiment:
        """What a run does."""
        return EXPERIMENTS[self.name]

    @property
    def size(self) -> int:
        """Number of runs."""
        return self.seeds * math.prod(len(values) for values in self.grid.values())

    @property
    def fingerprint(self) -> str:
        """A checksum of :meth:`content`: two sweeps share it if they have the same runs in the same order."""
        return hashlib.sha256(json.dumps(self.content()).encode()).hexdigest()[:_DIGITS]

    def points(self) -> Iterable[dict[str, Value]]:
        """Every combination of the grid."""
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))

    def settings_at(self, point: Mapping[str, Value]) -> Any:
        """The settings of the runs at one combination of the grid."""
        return self.experiment.settings(**self.settings, **point)

    def content(self) -> dict[str, Any]:
        """What :meth:`of` makes this sweep from, with defaults filled in; it can be written as JSON."""
        grid = {key: list(values) for key, values in self.grid.items()}
        return {"experiment": self.name, "seeds": self.seeds, "settings": self.settings, "grid": grid}


def _known(where: str, table: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    """Every key of the table is one of these."""
    for key in table:
        words = isinstance(key, str)
        close = difflib.get_close_matches(key, allowed, n=1) if words else []
        remedy = f"Write {close[0]} instead." if close else "Drop it."
        name = f"the key {key if words and key.isprintable() else _checks.shown(key)}"
        _checks.require(key in allowed, where, name, f"one of {', '.join(allowed)}", _checks.shown(key), remedy)


def _exact(key: str, value: Any, kind: type) -> Any:
    """The value, but -0.0 as 0.0, and a whole number as a float where a setting is one; at most 64 bits."""
    small, remedy = not isinstance(value, int) or abs(value) < 2**63, "Choose a smaller number."
    _checks.require(small, "sweep", key, "a number of at most 64 bits", _checks.shown(value), remedy)
    return value + 0.0 if type(value) is float or (kind is float and type(value) is int) else value


def check_path(name: str, path: Any) -> None:
    """The path can be one of a file or a folder, and what is there is no pipe or device, which may have no end.

    Raises:
        OSError, TypeError, ValueError: with one sentence.
    """
    where, remedy = "sweep", "Name another."
    _checks.instance(where, name, path, Path)
    _checks.require("\0" not in str(path), where, name, "a path", repr(str(path)), remedy)
    try:
        ends = path.is_file() or path.is_dir() or not path.exists()
    except OSError as error:
        raise OSError(f"sweep: {name} must be a path; got {error.strerror}. {remedy}") from error
    _checks.require(ends, where, name, "a file or a folder", f"{path}, a pipe or a device", remedy)
