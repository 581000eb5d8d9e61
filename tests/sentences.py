"""The form in which the package refuses bad input: *function: argument must be RULE; got VALUE. Remedy.*

The remedy leads towards the rule: to what is at least so much one does not come by fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_ASKS = r"[^;]*; got .*\b(?:[Cc]hoose|[Uu]se|Take|take) (?:a )?"
AGAINST_THE_RULE = (
    rf"(?!.* must be at least{_ASKS}(?:fewer|smaller|less)\b)(?!.* must be at most{_ASKS}(?:more|larger)\b)"
)
HOUSE_FORM = re.compile(AGAINST_THE_RULE + r"[A-Za-z_.]+: .+ must be .+; got .+\. [A-Z].*\.")


@contextmanager
def refuses(error: type[Exception], sentence: str) -> Iterator[None]:
    """The block raises exactly this type of error, its message is a house sentence and begins with ``sentence``."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    assert caught.type is error, caught.type
    assert HOUSE_FORM.fullmatch(message), f"not in the house form: {message}"
    assert message.startswith(sentence), f"expected {sentence!r}, got {message!r}"
