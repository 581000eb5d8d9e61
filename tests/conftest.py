"""What all tests share: annotations of shapes and types are checked while tests run."""

from __future__ import annotations

from collections.abc import Iterator

import jaxtyping
import pytest

# Before anything imports mtfl: its annotations, shapes included, are checked at every call.
jaxtyping.install_import_hook("mtfl", "beartype.beartype")


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switch those checks off, so that the package's own error sentences can be tested."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
