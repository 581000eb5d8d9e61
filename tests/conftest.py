"""What all tests share: annotations of shapes and types are checked while tests run, and no example is timed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import jaxtyping
import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import _import_hook

PACKAGE = str(Path(__file__).parents[1] / "mtfl")
checked_cache = _import_hook._optimized_cache_from_source


def cache_of(checker: str, /, path: str, debug_override: bool | None = None) -> str:
    """Where the compiled form of a source is: what a module of mtfl imports is not checked, and is there as always."""
    inside = str(path).startswith(PACKAGE)
    return checked_cache(checker, path, debug_override) if inside else cache_from_source(path, debug_override)


_import_hook._optimized_cache_from_source = cache_of

# Before anything imports mtfl: its annotations, shapes included, are checked at every call.
jaxtyping.install_import_hook("mtfl", "beartype.beartype")

# Before any test is declared: how long an example takes is no test's business.
settings.register_profile("without a clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("without a clock")


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switch those checks off, so that the package's own error sentences can be tested."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
