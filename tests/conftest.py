"""What all tests share: annotations of shapes and types are checked while tests run, and no example is timed."""

from __future__ import annotations

from collections.abc import Iterator

import jaxtyping
import pytest
from hypothesis import HealthCheck, settings

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
