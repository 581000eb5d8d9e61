"""What nbval waits for, it waits for as long as only a hang lasts: its own ends for a kernel's answers are seconds."""

from __future__ import annotations

from typing import Any

import pytest
from nbval.kernel import RunningKernel

HANG = 1800  # seconds
await_reply = RunningKernel.await_reply


def await_any_reply(self: RunningKernel, msg_id: str, timeout: float | None = None) -> None:
    """Wait for a reply, also for the first ones of a kernel."""
    await_reply(self, msg_id, timeout=HANG)


RunningKernel.await_reply = await_any_reply


def pytest_itemcollected(item: pytest.Item) -> None:
    """Wait for the outputs of a cell after its reply."""
    cell: Any = item
    if hasattr(cell, "output_timeout"):
        cell.output_timeout = HANG
