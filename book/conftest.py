"""How nbval compares what a notebook quotes: numbers within their tolerances, all else to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from nbval.plugin import IPyNbCell

from mtfl.quoting import RECORDS, moved, records_of


def pytest_itemcollected(item: pytest.Item) -> None:
    """Compare a cell's records as well, and hand those of the run to the report (``--junitxml``)."""
    if not isinstance(item, IPyNbCell):
        return
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
