"""The form in which the package refuses bad input: *function: argument must be RULE; got VALUE. Remedy.*"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

HOUSE_FORM = re.compile(r"[A-Za-z_.]+: .+ must be .+; got .+\. [A-Z].*\.")


@contextmanager
def refuses(error: type[Exception], sentence: str) -> Iterator[None]:
    """The block raises exactly this type of error, its message is a house sentence and begins with ``sentence``."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    assert caught.type is error, caught.type
    assert HOUSE_FORM.fullmatch(message), f"not in the house form: {message}"
    assert message.startswith(sentence), f"expected {sentence!r}, got {message!r}"
