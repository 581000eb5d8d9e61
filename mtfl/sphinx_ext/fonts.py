"""Web fonts with only the characters that the site shows: a tenth of what they weigh otherwise."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

STRING = r'"((?:\\.|[^"\\])*)"'
RULE = re.compile(rf'([^{{}}"]*)\{{((?:{STRING}|[^{{}}"])*)\}}')
# What a rule shows, itself or by way of a property of its own: content: "x", --icon: "x"
SHOWN = re.compile(rf"(?:\bcontent|--[\w-]+)\s*:\s*{STRING}")
ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)")
# MathJax's fonts: the name by which a rule asks for one, "" for the main one, and its file
FACE = re.compile(r'@font-face[^{]*\{\s*font-family:\s*MJX(?:TEX)?-?(\w*);[^}]*url\("?[^")]*?([^")/]+)"?\)')
ASKED = re.compile(r"\.TEX-(\w+)")
ICON = re.compile(r"\bfa-[a-z0-9-]+")
ICON_RULE = re.compile(r'(?:\.fa-[a-z0-9-]+:before,?)+\{content:"[^"]*"\}')


def unescape(text: str) -> str:
    r"""The characters of a string in a style sheet, where ``\f104`` is one of them."""
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)


def contents(css: str) -> list[tuple[str, str]]:
    """The selector and the characters of every rule of a style sheet that puts characters on the page."""
    return [(rule[1].strip(), unescape(text)) for rule in RULE.finditer(css) for text in SHOWN.findall(rule[2])]


def subset_font(source: Path, target: Path, characters: Iterable[str]) -> None:
    """Write a web font that has only these characters, in the format of its source; whole if it has none of them."""
    from fontTools import subset

    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(flavor=source.suffix[1:], notdef_outline=True, hinting=False)
    options.drop_tables = [*options.drop_tables, "FFTM"]  # FontForge's dates
    with subset.load_font(str(source), options) as font:
        has = set(font.getBestCmap() or ())
        cut = subset.Subsetter(options)
        cut.populate(unicodes={ord(character) for character in characters} & has or has)
        cut.subset(font)
        target.parent.mkdir(parents=True, exist_ok=True)
        subset.save_font(font, str(target), options)


def subset_fonts(source: Path, target: Path, css: str) -> None:
    """Write the fonts that MathJax's style sheet names into a folder, each with the characters that it sets from it.

    Parts of stretched signs may come from any of them. A font that nothing is set from keeps what it has of all.
    """
    rules = contents(css)
    characters = "".join(text for _, text in rules)
    stretched = "".join(text for selector, text in rules if "stretch" in selector)
    for name, file in FACE.findall(css):
        own = "".join(text for selector, text in rules if set(ASKED.findall(selector)) == {name} - {""})
        subset_font(source / file, target / file, own + stretched if own else characters)


def icons(css: str, markup: str) -> str:
    """The icons of Font Awesome that a page can show: those it names by class, and those that other rules use."""
    used = set(ICON.findall(markup))
    return "".join(
        text for selector, text in contents(css) if used.intersection(ICON.findall(selector)) or ".fa-" not in selector
    )


def drop_icons(css: str, markup: str) -> str:
    """The theme's style sheet without the icons that no page can show."""
    used = set(ICON.findall(markup))
    return ICON_RULE.sub(lambda rule: rule[0] if used.intersection(ICON.findall(rule[0])) else "", css)


def subset_icons(app: Sphinx, exception: Exception | None) -> None:
    """Leave only the icons that the site's pages and scripts name in the theme's icon fonts and style sheet."""
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    static = site / "_static"
    sheets = {path: path.read_text("utf8") for path in sorted((static / "styles").glob("*.css"))}
    markup = "".join(path.read_text("utf8") for path in [*site.glob("*.html"), *(static / "scripts").glob("*.js")])
    shown = icons("".join(sheets.values()), markup)
    for path, css in sheets.items():
        path.write_text(drop_icons(css, markup), "utf8")
    for font in (static / "vendor" / "fontawesome" / "webfonts").glob("*.woff2"):
        subset_font(font, font, shown)
