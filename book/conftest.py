"""How nbval compares what a notebook quotes, numbers within their tolerances, all else to the letter; and how it waits.

Its own ends for a kernel's answers are seconds. Here a wait ends with an answer, or after a time that only a hang
takes.
"""

from __future__ import annotations

from typing import Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

from mtfl.quoting import RECORDS, moved, records_of

HANG = 1800  # seconds
await_reply = RunningKernel.await_reply


def await_any_reply(self: RunningKernel, msg_id: str, timeout: float | None = None) -> None:
    """Wait for a reply, also for the first ones of a kernel."""
    await_reply(self, msg_id, timeout=HANG)


RunningKernel.await_reply = await_any_reply


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the last notebooks, the longest: no worker ends with one while the others have nothing to do."""
    items.sort(key=lambda item: item.path.name, reverse=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Compare a cell's records as well, hand those of the run to the report (``--junitxml``), and wait for outputs."""
    if not isinstance(item, IPyNbCell):
        return
    item.output_timeout = HANG
    file: Any = item.parent
    if RECORDS not in file.skip_compare:
        file.skip_compare += (RECORDS,)
    compare = item.compare_outputs

    def compare_all(test: Any, ref: Any, skip_compare: Any = None) -> bool:
        same = compare(test, ref, skip_compare)
        found = records_of(test)
        item.user_properties += [("quoted", str(quoted)) for quoted in found]
        told = moved(records_of(ref), found)
        item.comparison_traceback += told
        return same and not told

    item.compare_outputs = compare_all
