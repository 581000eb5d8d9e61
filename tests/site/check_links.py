"""What a built page promises it keeps: links, anchors and files exist, pictures have alt text, nothing is remote.

Reads the HTML only, needs no browser: python tests/site/check_links.py _build/html
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ADDRESSES = ("href", "src", "srcset", "poster", "data")
REMOTE = ("http", "https", "ws", "wss")


class Page(HTMLParser):
    """The ids, the references and the unnamed pictures of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.references: list[tuple[str, str]] = []
        self.unnamed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        self.references += [(tag, values[key]) for key in ADDRESSES if values.get(key)]
        if tag == "img" and (values.get("alt") is None or values["alt"].startswith(("_images", "http"))):
            self.unnamed.append(values.get("src", "an image"))
        if values.get("role") == "img" and not values.get("aria-label"):
            self.unnamed.append("an inline picture")


def pages_of(site: Path) -> list[Path]:
    """All pages of a site that a reader can reach."""
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def anchor(fragment: str) -> str:
    """The id in a fragment, which may go on with what a figure is to show: fig-neurons?tasks=1."""
    return unquote(fragment).partition("?")[0]


def faults(site: Path) -> list[str]:
    """Everything that is wrong with a site's pages, in sentences."""
    site = site.resolve()
    pages = {path: Page(path.read_text("utf8")) for path in pages_of(site)}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        found += [f"{name}: {picture} has no alt text" for picture in page.unnamed]
        for tag, address in page.references:
            parts = urlsplit(address)
            if parts.scheme in REMOTE or address.startswith("//"):
                if tag != "a":  # a link waits for the reader; anything else is fetched unasked
                    found.append(f"{name}: <{tag}> asks another site for {address}")
                continue
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{name}: {address} does not exist")
            elif parts.fragment and target in pages and anchor(parts.fragment) not in pages[target].ids:
                found.append(f"{name}: {address} has no such anchor")
    return found


if __name__ == "__main__":
    problems = faults(Path(sys.argv[1]))
    print(*problems, f"{len(problems)} faults", sep="\n")
    sys.exit(bool(problems))
