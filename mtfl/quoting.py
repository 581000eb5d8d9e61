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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mtfl import _checks

UNIT = 0.01  # default tolerance of a number, as a part of one unit of its last printed digit
ROOM = 0.1  # default tolerance of a statement, as a part of its limit
ROUNDING = 1e-6  # default tolerance of a count, as a part of its threshold
_SMALLEST = 1e-300  # a number nearer to 0 has no unit of a last digit that a double can hold, and is printed as 0
_PREFIX = "application/papermill.record/"  # MyST-NB takes such outputs out of a page and keeps them for its text
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
    """

    text: str
    value: float
    within: float
    room: float

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
        """Whether a statement is true, or a count's value above the threshold."""
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
    where, number = "quote", _number("quote", "value", value)
    _checks.instance(where, "spec", spec, str)
    _checks.require(math.isfinite(number), where, "value", "finite", number, "Look for what made it so.")
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
    return _compare("<", max(_numbers("below", value)), _number("below", "limit", limit), within)


def above(value: Any, limit: Any, *, within: float | None = None) -> bool:
    """Whether a number is above a limit; recorded. Of an array the smallest entry counts; else as ``below``."""
    return _compare(">", min(_numbers("above", value)), _number("above", "limit", limit), within)


def exactly(condition: Any) -> bool:
    """A statement about integers or words, which no arithmetic moves; recorded."""
    _show(Quoted("=", float(bool(condition)), 0.0, math.inf))
    return bool(condition)


def count_above(values: Any, threshold: float, *, within: float | None = None) -> int:
    """How many values exceed a threshold; the value nearest to it is recorded.

    Args:
        values: a tensor or an array.
        threshold: the threshold.
        within: how far values may move on another machine; a millionth of the threshold if not given.
    """
    numbers = _numbers("count_above", values)
    nearest = min(numbers, key=lambda x: abs(x - threshold), default=math.inf)
    tolerance = ROUNDING * abs(threshold) if within is None else within
    _show(Quoted(f"#{threshold:g}", nearest, tolerance, abs(nearest - threshold)))
    return sum(x > threshold for x in numbers)


def glue(name: str, text: str) -> None:
    """Hand words, or several quoted numbers together, to the text of the page, for the role ``glue:text``."""
    _show((name, text))


def crowded(records: Iterable[Quoted]) -> list[str]:
    """What stands too near to its border, in sentences."""
    return [
        f"{q.text}: the value {q.value:.10g} is {q.room:.2g} from its border, and may move by {q.within:.2g}"
        for q in records
        if not q.room > q.within
    ]


def moved(stored: Sequence[Quoted], found: Sequence[Quoted]) -> list[str]:
    """What has come out otherwise than it is stored, in sentences."""
    if len(stored) != len(found):
        return [f"{len(stored)} numbers and statements are stored, {len(found)} were found"]
    told = []
    for old, new in zip(stored, found, strict=True):
        same = abs(new.value - old.value) <= old.within if old.is_number else old.holds == new.holds
        if old.text != new.text or not same:
            told.append(f"{old.text}: stored {old.value:.10g}, found {new.value:.10g}, tolerance {old.within:.2g}")
    return told + crowded(new for new in found if not new.is_number)


def records_of(outputs: Iterable[Any]) -> list[Quoted]:
    """The records among a cell's outputs, of a notebook's file or of a run."""
    return [parsed(line) for output in outputs for line in output.get("data", {}).get(RECORDS, "").splitlines()]


def parsed(line: str) -> Quoted:
    """The record that a line was made from."""
    text, value, within, room = line.split()
    return Quoted(text, float(value), float(within), float(room))


def _unit(number: float, spec: str) -> float:
    """One unit of the last digit that a format prints; a zero that kind g leaves out at the end counts as printed."""
    precision, kind = spec[:-1].rpartition(".")[2], spec[-1:]
    remedy = "Write one like '.2f', '.3g', '.1%' or '.0e'."
    _checks.require(precision.isdigit() and kind in "efg%", "quote", "spec", "a format", repr(spec), remedy)
    if kind in "f%":
        return 10.0 ** -(int(precision) + (2 if kind == "%" else 0))
    digits = int(precision) if kind == "e" else max(int(precision), 1) - 1
    return 10.0 ** (int(f"{number:.{digits}e}".partition("e")[2]) - digits)


def _rounded(number: float, spec: str, up: bool) -> tuple[str, float, float]:
    """A number's text, the unit of its last digit, and how far the number is from one with another text."""
    number = number if abs(number) > _SMALLEST else 0.0
    unit = _unit(number, spec)
    shown = math.ceil(number / unit) * unit if up else number
    text = format(0.0 if abs(shown) < unit / 2 else shown, spec)
    room = min(shown - number, number - shown + unit) if up else unit / 2 - abs(number - round(number / unit) * unit)
    return text, unit, room


def _compare(relation: str, number: float, limit: float, within: float | None) -> bool:
    _show(Quoted(f"{relation}{limit:g}", number, ROOM * abs(limit) if within is None else within, abs(number - limit)))
    return number < limit if relation == "<" else number > limit


def _number(where: str, name: str, value: Any) -> float:
    """The one number, or the one entry of an array."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        got, remedy = _checks.shown(value), "Pass a number, or an array or tensor of one entry."
        _checks.require(False, where, name, "a number", got, remedy, TypeError)
        raise


def _numbers(where: str, values: Any) -> list[float]:
    """All entries of a tensor or an array, or the one number; NaN alone if there is one, which no comparison passes."""
    entries = values.flatten().tolist() if hasattr(values, "flatten") else [values]
    numbers = [_number(where, "the value", x) for x in entries]
    return [math.nan] if any(map(math.isnan, numbers)) else numbers


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
