"""Waiting for progress: how fast the machine is decides nothing, only whether it goes on at all.

No other test looks at a clock or sleeps; tests/test_clock.py sees to that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

HANG = 1800  # seconds that only a hang lasts: the end of every wait
HANG_IN_BROWSER = 600_000  # milliseconds; a page does less than a process

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], ended: Callable[[], str | None] = lambda: None) -> Value:
    """The first true value of a condition. Fails at once where what should bring it about has ended, and says so."""
    end = time.monotonic() + HANG
    while True:
        story = ended()  # asked first: the last thing done may have been to make the condition true
        if value := condition():
            return value
        if story is not None:
            pytest.fail(story)
        if time.monotonic() > end:
            pytest.fail(f"nothing came of it in {HANG} s")
        time.sleep(0.05)
