"""Code and printed output on any screen: lines go on further in; what was printed as a table keeps its columns.

A word that is longer than a phone's line goes on where it has a joint, not between any two letters.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

BOX = re.compile(r'(<div class=")([^"]*)("><div class="highlight"><pre>)(.*?)(</pre>)', flags=re.DOTALL)
TAG = re.compile(r"<[^>]*>")
LONG = 25  # letters: nearly a line of code on a phone
JOINT = re.compile(r"(?<=[(\[{])(</span>)(?=<span[^>]*>[^)\]}])|(?<=[)\]])(</span>)(?=<span[^>]*>\.)")  # f(|x), f(x)|.y
NAME = re.compile(rf'(?<=<span class="pre">)[\w.]{{{LONG},}}(?=(?:\(\))?</span>)')
GAP = re.compile(r"\S {2,}(?=\S)")  # two words of a line that stand further apart than words do


def text_of(markup: str) -> str:
    """The text of a piece of a page, with its spaces."""
    return html.unescape(TAG.sub("", markup))


def is_table(lines: list[str]) -> bool:
    """Whether the lines that were printed stand in columns: at least two lines have two gaps."""
    return sum(len(GAP.findall(line)) > 1 for line in lines) > 1


def wrap_line(line: str) -> str:
    """A line of code in an element of its own, that knows how far in the line begins."""
    text = text_of(line)
    indent = len(text) - len(text.lstrip())
    if any(len(word) >= LONG for word in text.split()):
        line = JOINT.sub(r"\g<0><wbr>", line)
    style = f' style="--mtfl-indent: {indent}"' if indent else ""
    return f'<span class="mtfl-code-line"{style}>{line}</span>' if text.strip() else line


def wrap_box(found: re.Match[str]) -> str:
    """A box whose lines can go on, or whose table can scroll."""
    opening, kind, middle, code, closing = found.groups()
    lines = code.removeprefix("<span></span>").split("\n")
    if "output" in kind.split() and is_table([text_of(line) for line in lines]):
        return f"{opening}{kind} mtfl-printed{middle}{code}{closing}"
    return "".join([opening, kind, middle, "\n".join(map(wrap_line, lines)), closing])


def mend_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Mend the boxes of a page before it is written."""
    if "body" in context:
        body = BOX.sub(wrap_box, context["body"])
        context["body"] = NAME.sub(lambda name: re.sub(r"(?<=[._])(?=\w)", "<wbr>", name[0]), body)
