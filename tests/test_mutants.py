"""What `make mutants` plants, and what it keeps as equivalent."""

from __future__ import annotations

import ast
from bisect import bisect_right
from itertools import accumulate

import pytest
from mutants import ROOT, TESTS, equivalent, faults

SOURCES = {file: (ROOT / file).read_text("utf8") for file in TESTS}


def planted(source: str, file: str = "a.py") -> set[str]:
    return {fault.planted(source) for fault in faults(file, source)}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = a * (b + c)", {"x = a / (b + c)", "x = a * (b - c)", "x = a", "x = (b + c)"}),
        ("x = -a / 2", {"x = a / 2", "x = -a * 2", "x = (-a)", "x = -a / 3", "x = -a / 1"}),
        ("x = a < 0.5", {"x = a <= 0.5", "x = a > 0.5", "x = a < 0.55"}),
        ("x = a and not True", {"x = a or not True", "x = a and True", "x = a and not False"}),
        ("x += a", {"x -= a"}),
        ("x = 0.0", {"x = 0.1"}),
        ("x = zip(a, b, strict=True)", set()),
        ("@dataclass(frozen=True)\nclass A:\n    pass", set()),
        ("def f(x: Float[T, 'n 1'] = 3):\n    _checks.number('f', x + 1)", {
            "def f(x: Float[T, 'n 1'] = 4):\n    _checks.number('f', x + 1)",
            "def f(x: Float[T, 'n 1'] = 2):\n    _checks.number('f', x + 1)",
        }),
    ],
)  # fmt: skip
def test_operators_constants_signs_and_factors_are_changed(source: str, found: set[str]) -> None:
    assert planted(source) == found


def test_in_scripts_too_but_not_in_words() -> None:
    assert planted("x = a * 2; // of 3 * 4", "a.js") == {
        "x = a / 2; // of 3 * 4", "x = a * 3; // of 3 * 4", "x = a * 1; // of 3 * 4",
    }  # fmt: skip


def statement_ends(source: str) -> list[int]:
    """0, and where each statement of a module ends: where the next begins. One by one they are read much faster."""
    firsts = [
        min([node, *getattr(node, "decorator_list", [])], key=lambda x: x.lineno) for node in ast.parse(source).body
    ]
    lines = [0, *accumulate(len(line) + 1 for line in source.split("\n"))]
    return [0, *(lines[node.lineno - 1] for node in firsts[1:]), len(source)]


@pytest.mark.parametrize("file", TESTS)
def test_every_fault_can_be_read_by_python(file: str) -> None:
    found = faults(file, SOURCES[file])
    assert len(found) > 10
    assert all((ROOT / "tests" / name.partition("::")[0]).exists() for name in TESTS[file])
    ends = statement_ends(SOURCES[file]) if file.endswith(".py") else []
    for fault in found:
        changed = fault.planted(SOURCES[file])
        assert changed != SOURCES[file]
        if ends:
            after = bisect_right(ends, fault.start)
            assert fault.end <= ends[after]
            ast.parse(changed[ends[after - 1] : len(changed) - len(SOURCES[file]) + ends[after]])


def test_what_is_kept_as_equivalent_is_still_there_and_has_a_reason() -> None:
    there = {file: {fault.lines(source)[1:] for fault in faults(file, source)} for file, source in SOURCES.items()}
    for (file, was, now), reason in equivalent().items():
        assert (was, now) in there[file]
        assert len(reason.split()) >= 4
