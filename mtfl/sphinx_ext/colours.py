"""Symbols that matter have one colour in all formulas, as in the figures.

MathJax's markup names each character, so a style sheet is all it takes: pages, their TeX, their MathML and the
notebooks stay as they are.
"""

from __future__ import annotations

from mtfl.figures import SYMBOL_COLOURS

SELECTORS = {
    "v": "mjx-c.mjx-c1D463",
    r"\tau": "mjx-c.mjx-c1D70F",
    "K_T": "mjx-msub:has(> mjx-mi > .mjx-c1D43E):has(> mjx-script > mjx-mi > .mjx-c1D447)",
}
"""Where MathJax has set each symbol."""


def style() -> str:
    """The rules for all symbols, on light pages and on dark ones."""
    rules = (
        f"{SELECTORS[symbol]} {{ color: {light}; }}\nhtml[data-theme=dark] {SELECTORS[symbol]} {{ color: {dark}; }}\n"
        for symbol, (light, dark) in SYMBOL_COLOURS.items()
    )
    return "".join(rules)
