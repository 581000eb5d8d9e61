"""Examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import mtfl

ROOT = Path(mtfl.__file__).parents[1]
WITH_EXAMPLES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((ROOT / "mtfl").rglob("*.py"))
    if re.search(r"^ +>>> ", path.read_text("utf8"), flags=re.MULTILINE)
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_say(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
