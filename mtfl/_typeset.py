"""Numbers as one prints them: no hyphen for a minus, no letter for a power of ten, and no per cent sign left alone."""

from __future__ import annotations

import re

_NEGATIVE = re.compile(r"(?<![\w.])-(?=\d)")
_POWER = re.compile(r"(?<=\d)e([+-]\d+)\b")
_PER_CENT = re.compile(r"(?<=\d) (?=%)")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def typeset(text: str) -> str:
    """The numbers of a text as one prints them.

    >>> typeset("-0.5 and 3e-08")
    '−0.5 and 3·10⁻⁸'
    """
    text = _POWER.sub(lambda found: "·10" + str(int(found[1])).translate(_RAISED), text)
    return _NEGATIVE.sub("\N{MINUS SIGN}", _PER_CENT.sub("\N{NO-BREAK SPACE}", text))
