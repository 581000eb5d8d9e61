"""Quoted numbers and statements: what is printed, what is recorded, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from sentences import refuses

from mtfl.quoting import (
    RECORDS,
    Quoted,
    _rounded,
    above,
    below,
    count_above,
    crowded,
    exactly,
    moved,
    parsed,
    quote,
    records_of,
)

IMPORT = "from mtfl.quoting import above, below, count_above, exactly, glue, quote\nimport torch\n"


@pytest.fixture
def outputs() -> Callable[[str], list[Any]]:
    """A function that runs a cell in an IPython as notebooks have, and returns what it displayed."""

    def run(cell: str) -> list[Any]:
        shell = InteractiveShell.instance()
        try:
            with capture_output() as captured:
                shell.run_cell(IMPORT + cell).raise_error()
        finally:
            InteractiveShell.clear_instance()
        return [{"data": output.data, "metadata": output.metadata} for output in captured.outputs]

    return run


@pytest.mark.parametrize(
    ("value", "spec", "text", "room"),
    [
        (0.5049, ".2f", "0.50", 1e-4),
        (0.5051, ".2f", "0.51", 1e-4),
        (-0.004, ".2f", "0.00", 1e-3),
        (1234567.2, ",.1f", "1,234,567.2", 0.05),
        (0.0312, ".2g", "0.031", 3e-4),
        (199.4, ".3g", "199", 0.1),
        (0.5, ".2g", "0.5", 0.005),
        (0.1234, ".1%", "12.3%", 1e-4),
        (2.7e-8, ".0e", "3e-08", 2e-9),
        (9.96, ">7.1f", "   10.0", 0.01),
        (torch.tensor([2.5]), ".1f", "2.5", 0.05),
    ],
)
def test_a_number_is_printed_and_its_room_recorded(
    outputs: Callable[[str], list[Any]], value: Any, spec: str, text: str, room: float
) -> None:
    assert quote(value, spec) == text
    (record,) = records_of(outputs(f"quote({float(value)!r}, {spec!r})"))
    assert (record.text, record.value) == (text.strip(), pytest.approx(float(value)))
    assert record.room == pytest.approx(room, rel=1e-2)


@example(5e-324, ".2g", True)  # its last digit has no unit that a double can hold
@given(st.floats(-1e6, 1e6), st.sampled_from([".0f", ".2f", ",.1f", ".2g", ".3g", ".1e", ".1%"]), st.booleans())
def test_within_its_room_a_number_prints_the_same(number: float, spec: str, up: bool) -> None:
    text, unit, room = _rounded(number, spec, up)
    decades = {math.floor(math.log10(max(abs(number) + step * unit, 1e-300))) for step in (-1, 0, 1)}
    assume(room > 1e-6 * unit and len(decades) == 1)  # where a number gains a digit, kinds e and g change their unit
    assert -1e-9 * unit <= room <= (1 if up else 0.5) * (1 + 1e-9) * unit
    for near in (number - 0.999 * room, number + 0.999 * room):
        assert _rounded(near, spec, up)[0] == text
    beyond = {_rounded(number + step * 1.001 * room, spec, up)[0] for step in (-1, 1)}
    assert beyond != {text}


def test_rounding_up() -> None:
    assert quote(0.0312, ".2f", up=True) == "0.04"
    assert _rounded(0.0312, ".2f", True)[2] == pytest.approx(0.0012)
    assert _rounded(0.0399, ".2f", True)[2] == pytest.approx(0.0001)
    assert (quote(1e-301, ".2f", up=True), quote(1e-301, ".1g", up=True)) == ("0.01", "1e-300")
    with refuses(ValueError, "quote: value must be below 2^1024 when it is rounded up; got 1.7e+308. "):
        quote(1.7e308, ".0e", up=True)


NOT_REAL = {
    "complex": np.array([1 + 2j]),
    "words": np.array(["1.5"]),
    "dates": np.array(["2020"], dtype="M8[ns]"),
    "masked": np.ma.masked_array([1.5], mask=[True]),
    "objects": np.array([None]),
    "bytes": bytearray(b"1.5"),
    "a complex tensor": torch.tensor([1 + 2j]),
}


@pytest.mark.parametrize("value", NOT_REAL.values(), ids=NOT_REAL)
@pytest.mark.parametrize("take", [lambda x: quote(x, ".2f"), lambda x: below(x, 3.0), lambda x: count_above(x, 3.0)])
def test_what_is_not_real_is_no_number(take: Callable[[Any], object], value: Any) -> None:
    for one in (value, value[0]) if isinstance(value, np.ndarray) else (value,):
        with pytest.raises(TypeError, match=r"^(quote: value|below: the value|count_above: the value) must be "):
            take(one)


@pytest.mark.filterwarnings("error")
def test_a_number_may_carry_a_gradient() -> None:
    assert quote(torch.tensor([1.5], requires_grad=True), ".2f") == "1.50"


@pytest.mark.parametrize(
    ("value", "spec", "sentence"),
    [
        (math.nan, ".2f", "quote: value must be finite; got nan. Look for what made it so."),
        (1.0, "d", "quote: spec must be a format; got 'd'. Write one like '.2f', '.3g', '.1%' or '.0e'."),
        (1.0, "g", "quote: spec must be a format; got 'g'. Write one like '.2f', '.3g', '.1%' or '.0e'."),
        (1.0, "", "quote: spec must be a format; got ''. Write one like '.2f', '.3g', '.1%' or '.0e'."),
        (1.5, "+<8.2f", "quote: spec must be a format; got '+<8.2f'. Write one like '.2f', '.3g', '.1%' or '.0e'."),
    ],
)
def test_what_cannot_be_quoted_is_refused(value: float, spec: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        quote(value, spec)
    assert str(caught.value) == sentence


def test_statements_record_their_limits(outputs: Callable[[str], list[Any]]) -> None:
    cell = """
    x = torch.tensor([0.1, 0.7, 0.2])
    said = below(x, 0.8), above(x, 0.3), below(0.5, 0.51), exactly(2 == 2), below(x.log() * 0 / 0, 1.0)
    """
    *records, empty = records_of(outputs(cell.replace("\n    ", "\n")))
    assert [q.text for q in records] == ["<0.8", ">0.3", "<0.51", "="]
    assert [q.value for q in records] == pytest.approx([0.7, 0.1, 0.5, 1.0])
    assert [q.within for q in records] == pytest.approx([0.08, 0.03, 0.051, 0.0])
    assert math.isnan(empty.value)
    assert [fault.split(":")[0] for fault in crowded([*records, empty])] == ["<0.51", "<1"]


def test_statements_say_what_holds() -> None:
    x = np.array([[0.1, 0.7], [0.2, 0.3]])
    assert (below(x, 0.8), below(x, 0.6), above(x, 0.05), above(x, 0.2)) == (True, False, True, False)
    assert (below(math.nan, 1.0), above(math.nan, 1.0)) == (False, False)
    assert str(below(torch.tensor(0.1), torch.tensor(0.2))) == "True"  # a type of its own, no tensor
    assert (exactly(True), exactly(1 > 2), exactly(np.bool_(True)), exactly(x[0, 0] > 1)) == (True, False, True, False)
    assert (exactly(x > 0), exactly(x > 0.15), exactly(torch.from_numpy(x) > 0)) == (True, False, True)
    assert (count_above(x, 0.25), count_above(torch.zeros(0), 0.25)) == (2, 0)


@pytest.mark.parametrize("condition", [math.nan, 0, "False", None, [], np.array([1.0]), torch.ones(2)], ids=repr)
def test_only_truth_values_are_statements(condition: Any) -> None:
    with refuses(TypeError, "exactly: condition must be True or False; got "):
        exactly(condition)


def test_nothing_is_no_statement() -> None:
    with refuses(ValueError, "exactly: the value must be non-empty; got no entries. "):
        exactly(np.array([]))


def test_a_count_records_the_value_nearest_to_its_threshold(outputs: Callable[[str], list[Any]]) -> None:
    near, far = records_of(outputs("count_above(torch.tensor([0.1, 0.2999999, 0.7]), 0.3); count_above(0.1, 0.3)"))
    assert near.value == pytest.approx(0.2999999)
    assert crowded([near, far]) == [
        "#0.3: the value 0.2999998927 is 1.1e-07 from its border, and may move by 3e-07",
    ]


def test_outputs_come_when_the_cell_has_ended(outputs: Callable[[str], list[Any]]) -> None:
    first = outputs("print(quote(0.251, '.2f', 'share'), exactly(True)); glue('both', '0.25 to 0.75')")
    assert [output["metadata"]["scrapbook"]["name"] for output in first[:2]] == ["share", "both"]
    prefix = "application/papermill.record/"
    assert [output["data"] for output in first[:2]] == [
        {prefix + "text/plain": "'0.25'"},
        {prefix + "text/plain": "'0.25 to 0.75'"},
    ]
    assert first[2]["data"] == {RECORDS: "0.25 0.251 0.0001 0.004\n= 1 0 inf"}
    assert first[2]["metadata"]["scrapbook"]["mime_prefix"] == prefix
    assert len(first) == 3
    assert outputs("x = 1") == []
    assert outputs("glue('word', 'fast')")[0]["data"] == {prefix + "text/plain": "'fast'"}


@pytest.mark.parametrize("line", ["<1.2.3 1 1 1", "<. 1 1 1", "#....e+1 1 1 1", "= nan 0 1", "= 0.5 0 1"])
def test_a_record_that_states_nothing_is_refused(line: str) -> None:
    with refuses(ValueError, "Quoted: "):
        parsed(line)


def test_only_statements_hold() -> None:
    with refuses(ValueError, "Quoted: the record must be that of a statement or a count; got 1.5. "):
        Quoted("1.5", 1.0, 1.0, 1.0).holds  # noqa: B018


NUMBER = Quoted("0.50", 0.503, 1e-4, 2e-3)
STATEMENT = Quoted("<0.1", 0.05, 0.01, 0.05)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([NUMBER, STATEMENT], []),
        ([Quoted("0.50", 0.50309, 1e-4, 1.9e-3), STATEMENT], []),
        (
            [Quoted("0.50", 0.5032, 1e-4, 1.8e-3), STATEMENT],
            ["0.50: stored 0.503, found 0.5032, tolerance 0.0001"],
        ),
        (
            [Quoted("0.51", 0.508, 1e-4, 2e-3), STATEMENT],
            ["0.50: stored 0.503, found 0.508, tolerance 0.0001"],
        ),
        ([NUMBER, Quoted("<0.1", 0.02, 0.01, 0.08)], []),
        (
            [NUMBER, Quoted("<0.1", 0.095, 0.01, 0.005)],
            ["<0.1: the value 0.095 is 0.005 from its border, and may move by 0.01"],
        ),
        ([NUMBER, Quoted("<0.2", 0.05, 0.01, 0.15)], ["<0.1: stored 0.05, found 0.05, tolerance 0.01"]),
        ([NUMBER, Quoted("<0.1", 0.5, 0.01, 0.4)], ["<0.1: stored 0.05, found 0.5, tolerance 0.01"]),
        ([NUMBER], ["2 numbers and statements are stored, 1 were found"]),
    ],
)
def test_what_has_moved_is_named(found: list[Quoted], expected: list[str]) -> None:
    assert moved([NUMBER, STATEMENT], found) == expected


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (("=", 1.0), ("=", 0.0), False),
        (("=", 1.0), ("=", 1.0), True),
        ((">0.3", 0.5), (">0.3", 0.1), False),
        (("#0.3", 0.5), ("#0.3", 0.1), False),
        (("#0.3", 0.5), ("#0.3", 0.7), True),
    ],
)
def test_a_statement_that_turns_is_seen(before: tuple[str, float], after: tuple[str, float], same: bool) -> None:
    stored, found = (Quoted(*words, 0.0, 0.2) for words in (before, after))
    assert (moved([stored], [found]) == []) == same


def test_half_a_printed_unit_is_noticed() -> None:
    """Whatever a tolerance may be: one that reached half a unit would not leave room."""
    text, unit, room = _rounded(0.5, ".2f", False)  # in the middle, where there is most room
    assert moved([Quoted(text, 0.5, room, room)], [Quoted(text, 0.5 + unit / 2 * 1.001, room, 0.0)]) != []
    assert crowded([Quoted(text, 0.5, room, room)]) != []


def test_a_record_is_read_as_it_was_written() -> None:
    for record in (NUMBER, STATEMENT, Quoted("=", 1.0, 0.0, math.inf), Quoted("3e-08", 2.7e-8, 1e-10, 2e-9)):
        assert parsed(str(record)) == record
