"""What is wrong with a page as HTML: what a parser mends, ids that stand twice, blocks where only words may stand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import html5lib

BLOCKS = frozenset(
    "address article aside blockquote details div dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav"
    " ol p pre section table ul".split()
)
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# Elements that hold words and what stands among words, and a few that pass on what their parent holds.
WORDS = frozenset([*"b button code em i kbd label p pre small span strong sub summary sup".split(), *HEADINGS])
PASS_ON = ("a", "ins", "del")


def misplaced(element: Any, holder: str | None) -> list[str]:
    """The blocks below an element that stand among words; holder is the element that may hold nothing else, or None."""
    found = []
    for child in element:
        tag = child.tag
        if not isinstance(tag, str):  # a comment
            continue
        if holder and tag in BLOCKS and not (holder == "summary" and tag in HEADINGS):
            found.append(f"<{tag}> in <{holder}>")
        found += misplaced(child, tag if tag in WORDS else holder if tag in PASS_ON else None)
    return found


def faults(text: str) -> list[str]:
    """All faults of a page, in words."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page: Any = parser.parse(text)
    found = [f"line {line}: {code} {data}" for (line, _), code, data in parser.errors]
    ids = Counter(element.get("id") for element in page.iter() if element.get("id"))
    found += [f"{count} times id {name}" for name, count in ids.items() if count > 1]
    found += misplaced(page, None)
    if not page.get("lang"):
        found.append("no language")
    if not page.findtext("head/title", "").strip():
        found.append("no title")
    return found
