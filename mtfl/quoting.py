"""Numbers and statements that a notebook quotes, with the room that they leave for another machine's arithmetic.

Two processors add up the same terms in another order, and a long computation carries the difference on. So what a
checked cell prints has a tolerance, and room beyond it:

* a **number** (``quote``) is printed with so few digits that all values within the tolerance print the same;
* a **statement** (``below``, ``above``) compares with a limit that is further off than the tolerance; one about
  integers or words (``exactly``) needs none;
* a **count** (``count_above``) counts values none of which is as near to the threshold as the tolerance.

Each call leaves a record, and the cell's records become one of its outputs, which no page shows. The checks of the
notebooks read them in the file and in a run: ``crowded`` names what stands too near to its border, ``moved`` what has
come out otherwise. Where no IPython runs nothing is recorded. Tested in ``tests/test_quoting.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from mtfl import _checks

UNIT = 0.01  # default tolerance of a number, as a part of one unit of its last printed digit
ROOM = 0.1  # default tolerance of a statement, as a part of its limit
ROUNDING = 1e-6  # default tolerance of a count, as a part of its threshold
_SMALLEST = 1e-300  # a number nearer to 0 has no unit of a last digit that a double can hold, and is printed as 0
_PREFIX = "application/papermill.record/"  # MyST-NB takes such outputs out of a page and keeps them for its text
_TEXT = re.compile(r"=|[<>#]-?(inf|[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?)|[+-]?[0-9][0-9,]*(\.[0-9]+)?(e[+-][0-9]+)?%?")
_SPEC = re.compile(r"( ?[<>^])?[ +-]?[0-9]{0,3},?\.([0-9]{1,2})([efg%])")
RECORDS = _PREFIX + "text/x-quoted"


@dataclass(frozen=True)
class Quoted:
    """The record of one call.

    Args:
        text: a number as it is printed; or a comparison and its limit, as in ``<1e-12``; or ``=``, from ``exactly``; or
            ``#`` and the threshold of a count.
        value: the number, or what was compared.
        within: the tolerance, in the units of the value.
        room: how far the value is from the next one that prints another text, or makes another statement.

    Raises:
        TypeError: if a part is of another kind.
        ValueError: if the text is none of these.
    """

    text: str
    value: float
    within: float
    room: float

    def __post_init__(self) -> None:
        _checks.instance("Quoted", "text", self.text, str)
        remedy = "Make records with quote, below, above, exactly and count_above."
        known = _TEXT.fullmatch(self.text) is not None
        _checks.require(known, "Quoted", "text", "a number or a comparison", _checks.shown(self.text), remedy)
        for name in ("value", "within", "room"):
            object.__setattr__(self, name, _checks.as_float("Quoted", name, getattr(self, name)))
        ok = self.text != "=" or self.value in (0, 1)
        _checks.require(ok, "Quoted", "value", "0 or 1 of a statement without a limit", self.value, remedy)

    def __str__(self) -> str:
        """The record as a line, which :func:`parsed` reads."""
        return f"{self.text} {self.value:.10g} {self.within:.3g} {self.room:.3g}"

    @property
    def is_number(self) -> bool:
        """Whether this is a number that is printed, no comparison and no value that a count decided on."""
        return self.text[0] not in "<>=#"

    @property
    def is_statement(self) -> bool:
        """Whether this is a statement, printed as True or False."""
        return self.text[0] in "<>="

    @property
    def holds(self) -> bool:
        """Whether a statement is true, or a count's value above the threshold.

        Raises:
            ValueError: for the record of a number.
        """
        remedy = "Of a number the value is kept."
        _checks.require(not self.is_number, "Quoted", "the record", "that of a statement or a count", self.text, remedy)
        if self.text == "=":
            return bool(self.value)
        limit = float(self.text[1:])
        return self.value < limit if self.text[0] == "<" else self.value > limit


def quote(value: Any, spec: str, name: str | None = None, *, within: float | None = None, up: bool = False) -> str:
    """Format a number, and record it.

    Args:
        value: the number, or an array or tensor of one entry.
        spec: as in ``format(value, spec)``, with a precision, of kind e, f, g or %. A zero is printed without sign.
        name: what the text of the page calls it, which shows the same digits by the role ``glue:text``.
        within: how far the value may move on another machine; a hundredth of the last printed digit if not given.
        up: whether to round up, for an upper bound.

    Returns:
        The formatted number.

    Raises:
        ValueError: if the value is not finite, or the format is none of these.
    """
    where, number = "quote", _checks.as_float("quote", "value", value)
    _checks.instance(where, "spec", spec, str)
    _checks.require(math.isfinite(number), where, "value", "finite", number, "Look for what made it so.")
    _checks.flag(where, "up", up)
    _check_within(where, within)
    if name is not None:
        _checks.instance(where, "name", name, str)
    text, unit, room = _rounded(number, spec, up)
    _show(Quoted(text.strip(), number, UNIT * unit if within is None else within, room))
    if name is not None:
        glue(name, text.strip())
    return text


def below(value: Any, limit: Any, *, within: float | None = None) -> bool:
    """Whether a number is below a limit; recorded.

    Args:
        value: the number, or an array or tensor, of which the largest entry counts.
        limit: the limit, a number.
        within: how far the number may move on another machine; a tenth of the limit if not given.
    """
    return _compare("<", max(_numbers("below", value)), _limit("below", "limit", limit), within)


def above(value: Any, limit: Any, *, within: float | None = None) -> bool:
    """Whether a number is above a limit; recorded. Of an array the smallest entry counts; else as ``below``."""
    return _compare(">", min(_numbers("above", value)), _limit("above", "limit", limit), within)


def exactly(condition: Any) -> bool:
    """Whether a statement about integers or words holds, which no arithmetic moves; recorded.

    Args:
        condition: True or False, or an array or tensor of these, of which all must hold.
    """
    entries = _entries("exactly", condition)
    for entry in entries:
        _checks.flag("exactly", "condition", entry)
    _show(Quoted("=", float(all(entries)), 0.0, math.inf))
    return all(entries)


def count_above(values: Any, threshold: float, *, within: float | None = None) -> int:
    """How many values exceed a threshold; the value nearest to it is recorded.

    Args:
        values: a tensor or an array.
        threshold: the threshold.
        within: how far values may move on another machine; a millionth of the threshold if not given.
    """
    numbers, threshold = _numbers("count_above", values), _limit("count_above", "threshold", threshold)
    _check_within("count_above", within)
    nearest = min(numbers, key=lambda x: abs(x - threshold), default=math.inf)
    tolerance = ROUNDING * abs(threshold) if within is None else within
    _show(Quoted(f"#{threshold:g}", nearest, tolerance, abs(nearest - threshold)))
    return sum(x > threshold for x in numbers)


def glue(name: str, text: str) -> None:
    """Hand words, or several quoted numbers together, to the text of the page, for the role ``glue:text``."""
    _checks.instance("glue", "name", name, str)
    _checks.instance("glue", "text", text, str)
    _show((name, text))


def crowded(records: Sequence[Quoted]) -> list[str]:
    """What stands too near to its border, in sentences."""
    _check_records("crowded", "records", records)
    return [
        f"{q.text}: the value {q.value:.10g} is {q.room:.2g} from its border, and may move by {q.within:.2g}"
        for q in records
        if not q.room > q.within
    ]


def moved(stored: Sequence[Quoted], found: Sequence[Quoted]) -> list[str]:
    """What has come out otherwise than it is stored, in sentences."""
    _check_records("moved", "stored", stored)
    _check_records("moved", "found", found)
    if len(stored) != len(found):
        return [f"{len(stored)} numbers and statements are stored, {len(found)} were found"]
    told = []
    for old, new in zip(stored, found, strict=True):
        same = abs(new.value - old.value) <= old.within if old.is_number else old.holds == new.holds
        if old.text != new.text or not same:
            told.append(f"{old.text}: stored {old.value:.10g}, found {new.value:.10g}, tolerance {old.within:.2g}")
    return told + crowded([new for new in found if not new.is_number])


def records_of(outputs: Sequence[Any]) -> list[Quoted]:
    """The records among a cell's outputs, of a notebook's file or of a run."""
    where, lines = "records_of", []
    _checks.instance(where, "outputs", outputs, Sequence)
    for output in outputs:
        _checks.instance(where, "outputs", output, Mapping)
        data = output.get("data", {})
        _checks.instance(where, "data", data, Mapping)
        _checks.instance(where, "records", data.get(RECORDS, ""), str)
        lines += data.get(RECORDS, "").splitlines()
    return [parsed(line) for line in lines]


def parsed(line: str) -> Quoted:
    """The record that a line was made from.

    Raises:
        TypeError, ValueError: if it is no such line.
    """
    _checks.instance("parsed", "line", line, str)
    text, *rest = line.split() or [""]
    try:
        value, within, room = map(float, rest)
    except ValueError:
        rule, remedy = "a text and three numbers", "Store the notebook anew with book/execute.py."
        _checks.require(False, "parsed", "line", rule, _checks.shown(line), remedy)
        raise
    return Quoted(text, value, within, room)


def _unit(number: float, spec: str) -> float:
    """One unit of the last digit that a format prints; a zero that kind g leaves out at the end counts as printed."""
    found = _SPEC.fullmatch(spec)
    remedy = "Write one like '.2f', '.3g', '.1%' or '.0e'."
    _checks.require(found is not None, "quote", "spec", "a format", _checks.shown(spec), remedy)
    precision, kind = found.groups()[1:] if found else ("", "")
    if kind in "f%":
        return 10.0 ** -(int(precision) + (2 if kind == "%" else 0))
    digits = int(precision) if kind == "e" else max(int(precision), 1) - 1
    return 10.0 ** (int(f"{number:.{digits}e}".partition("e")[2]) - digits)


def _rounded(number: float, spec: str, up: bool) -> tuple[str, float, float]:
    """A number's text, the unit of its last digit, and how far the number is from one with another text."""
    if abs(number) < _SMALLEST:
        number = _SMALLEST if up and number > 0 else 0.0
    unit = _unit(number, spec)
    remedy = "Print fewer digits, as by '.3g'."
    _checks.require(abs(number) < unit * 2**53, "quote", "value", f"of at most 15 digits in {spec}", number, remedy)
    shown = math.ceil(number / unit) * unit if up else number
    rule, remedy = "below 2^1024 when it is rounded up", "Print more digits."
    _checks.require(math.isfinite(shown), "quote", "value", rule, number, remedy)
    text = format(0.0 if abs(shown) < unit / 2 else shown, spec)
    room = min(shown - number, number - shown + unit) if up else unit / 2 - abs(number - round(number / unit) * unit)
    return text, unit, room


def _compare(relation: str, number: float, limit: float, within: float | None) -> bool:
    _check_within("below" if relation == "<" else "above", within)
    _show(Quoted(f"{relation}{limit:g}", number, ROOM * abs(limit) if within is None else within, abs(number - limit)))
    return number < limit if relation == "<" else number > limit


def _limit(where: str, name: str, value: Any) -> float:
    """The one number to compare with, no NaN."""
    number = _checks.as_float(where, name, value)
    _checks.require(not math.isnan(number), where, name, "a number", "NaN", "Look for what made it so.")
    return number


def _check_within(where: str, within: float | None) -> None:
    if within is not None:
        _checks.number(where, "within", within, positive=False)


def _numbers(where: str, values: Any) -> list[float]:
    """All entries of a tensor or an array, or the one number; NaN alone if there is one, which no comparison passes."""
    numbers = [_checks.as_float(where, "the value", x) for x in _entries(where, values, some=where != "count_above")]
    return [math.nan] if any(map(math.isnan, numbers)) else numbers


def _entries(where: str, values: Any, *, some: bool = True) -> list[Any]:
    """All entries of a tensor or an array, or the one value; at least one if ``some``."""
    if isinstance(values, Tensor):
        got, remedy = f"{values.layout}, {values.device}", "Use to_dense()."
        _checks.require(_checks.is_dense(values), where, "the value", "a dense tensor", got, remedy, TypeError)
    if isinstance(values, (np.ndarray, np.generic)):
        got, remedy = _checks.shown(values), "Convert them, or take what is masked out."
        _checks.require(_checks.is_real(values), where, "the value", "made of real numbers", got, remedy, TypeError)
    entries = values.flatten().tolist() if isinstance(values, (np.ndarray, np.generic, Tensor)) else [values]
    remedy = "Look for what left none."
    _checks.require(len(entries) > 0 or not some, where, "the value", "non-empty", "no entries", remedy)
    return entries


def _check_records(where: str, name: str, records: Any) -> None:
    _checks.instance(where, name, records, Sequence)
    for record in records:
        _checks.instance(where, name, record, Quoted)


# Outputs are kept until the cell has ended: each would cut what it prints in two.
_kept: list[Quoted | tuple[str, str]] = []


def _show(output: Quoted | tuple[str, str]) -> None:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is not None:
        if not _kept:
            shell.events.register("post_run_cell", _end_of_cell)
        _kept.append(output)


def _end_of_cell(result: Any) -> None:
    """Display what was kept."""
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    shell: Any = get_ipython()
    shell.events.unregister("post_run_cell", _end_of_cell)
    records = "\n".join(str(output) for output in _kept if isinstance(output, Quoted))
    named = [output for output in _kept if not isinstance(output, Quoted)]
    _kept.clear()
    for name, mime, data in (
        *((name, _PREFIX + "text/plain", repr(text)) for name, text in named),
        *([(f"quoted-{shell.execution_count}", RECORDS, records)] if records else []),
    ):
        display({mime: data}, metadata={"scrapbook": {"name": name, "mime_prefix": _PREFIX}}, raw=True)
