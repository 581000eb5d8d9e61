"""No test depends on the clock: tests count, and wait for progress with the ends that tests/waiting.py names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The one place that waits, what is no test (it prints times, takes pictures or runs tests), and this file.
OTHERS = {"waiting.py", "measure.py", "screenshots.py", "mutants.py", Path(__file__).name}
SLEEPS = {"sleep", "wait_for_timeout"}
ENDS = {"wait", "communicate", "join", "settimeout"}  # of which a number would be the end
# The last is a wait for an idle moment that may never be told, see opened.py.
CLOCKS_OF_PAGES = re.compile(r"\b(setTimeout|setInterval|performance\.now|Date\.now|Promise\(requestIdleCallback)\b")


def is_number(node: ast.expr) -> bool:
    """Whether an expression is made of numbers alone."""
    parts = [
        part for part in ast.walk(node) if not isinstance(part, ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop)
    ]
    return all(isinstance(part, ast.Constant) and isinstance(part.value, int | float) for part in parts)


def clocks(source: str) -> Iterator[str]:
    """Where a test sleeps, reads a clock, or waits with an end of its own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
            if "time" in modules:
                yield f"line {node.lineno}: time is imported"
        elif isinstance(node, ast.Attribute) and node.attr in SLEEPS:
            yield f"line {node.lineno}: {node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"line {node.lineno}: {name}" for name in CLOCKS_OF_PAGES.findall(node.value))
        elif isinstance(node, ast.Call):
            ends = [word.value for word in node.keywords if (word.arg or "").endswith(("timeout", "deadline"))]
            if isinstance(node.func, ast.Attribute) and node.func.attr in ENDS:
                ends += node.args
            if any(is_number(end) for end in ends):
                yield f"line {node.lineno}: an end of its own"


@pytest.mark.parametrize("path", sorted(set(TESTS.rglob("*.py"))), ids=lambda path: path.name)
def test_no_test_depends_on_the_clock(path: Path) -> None:
    if path.name not in OTHERS:
        assert list(clocks(path.read_text("utf8"))) == []


def test_no_test_of_the_engine_does() -> None:
    assert CLOCKS_OF_PAGES.findall((TESTS / "engine.test.mjs").read_text("utf8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "import time",
        "from time import perf_counter",
        "await asyncio.sleep(1)",
        "page.wait_for_timeout(500)",
        "page.wait_for_selector('a', timeout=10_000)",
        "process.communicate(timeout=2 * 60)",
        "process.wait(60)",
        "settings(deadline=200)",
        "page.evaluate('new Promise(done => setTimeout(done, 100))')",
        "page.evaluate('performance.now()')",
        "page.evaluate('new Promise(requestIdleCallback)')",
    ],
)
def test_a_clock_is_seen(planted: str) -> None:
    assert len(list(clocks(planted))) == 1


@pytest.mark.parametrize("fine", ["process.wait(timeout=HANG)", "page.wait_for_selector('a')", "', '.join(words)"])
def test_waiting_for_progress_is_not(fine: str) -> None:
    assert list(clocks(fine)) == []
