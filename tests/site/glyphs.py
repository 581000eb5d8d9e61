"""Characters of a page that the fonts of its style do not have: a reader sees an empty box in their place."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fontTools.ttLib import TTFont
from opened import Opened

# The fonts of the page's style sheets, and the characters of each style of text, with one place where each stands.
# Generated content counts as computed: custom properties are resolved in it. MathML is there for screen readers alone.
READ = r"""() => {
    const faces = [], texts = new Map();
    const unquoted = text => text.trim().replace(/^["']|["']$/g, "");
    const note = (style, text, place) => {
        const key = JSON.stringify([style.fontFamily.split(",").map(unquoted), style.fontWeight, style.fontStyle]);
        if (!texts.has(key)) texts.set(key, new Map());
        for (const character of text) if (!texts.get(key).has(character)) texts.get(key).set(character, place);
    };
    const rules = (sheet, base) => {
        for (const rule of sheet.cssRules) {
            if (rule.styleSheet) rules(rule.styleSheet, rule.styleSheet.href);
            if (!(rule instanceof CSSFontFaceRule)) continue;
            const { style } = rule, address = style.getPropertyValue("src").match(/url\("?([^")]+)/);
            if (address) faces.push([unquoted(style.getPropertyValue("font-family")),
                parseInt(style.getPropertyValue("font-weight")) || 400, new URL(address[1], base).href]);
        }
    };
    for (const sheet of document.styleSheets) rules(sheet, sheet.href ?? location.href);
    const silent = "script, style, noscript, mjx-assistive-mml, mjx-assistive-mml *";
    for (const node of document.body.querySelectorAll(`*:not(${silent})`)) {
        const place = node.localName + (node.classList.length ? "." + node.classList[0] : "");
        const own = [...node.childNodes].filter(child => child.nodeType === 3).map(child => child.data).join("");
        if (own.trim()) note(getComputedStyle(node), own, place);
        for (const pseudo of ["::before", "::after"]) {
            const style = getComputedStyle(node, pseudo);
            if (["none", "normal", '""'].includes(style.content)) continue;
            const named = (_, name) => `"${node.getAttribute(name) ?? ""}"`;
            for (const [, text] of style.content.replace(/attr\(([\w-]+)\)/g, named).matchAll(/"((?:\\.|[^"\\])*)"/g))
                note(style, text.replace(/\\(.)/g, "$1"), place + pseudo);
        }
    }
    return [faces, [...texts].map(([key, characters]) => [JSON.parse(key), [...characters]])];
}"""
# Which characters look in these fonts as one that no font has: U+0378 is not assigned.
BOXES = """([families, weight, style, characters]) => {
    const canvas = new OffscreenCanvas(48, 48), pen = canvas.getContext("2d", { willReadFrequently: true });
    const names = families.map(family => /^[a-z-]+$/.test(family) ? family : `"${family}"`);
    pen.font = `${style} ${weight} 24px ${names.join()}`;
    const picture = character => {
        pen.clearRect(0, 0, 48, 48);
        pen.fillText(character, 12, 32);
        return pen.getImageData(0, 0, 48, 48).data.join();
    };
    const box = picture("\\u0378");
    return characters.filter(character => picture(character) === box);
}"""
INVISIBLE = ("Z", "Cc", "Cf", "M")  # spaces, controls, marks: categories of Unicode
PRIVATE = "Co"


def characters_of(font: Path, known: dict[Path, set[int]]) -> set[int]:
    """The characters that a font file has."""
    if font not in known:
        with TTFont(font) as opened:
            known[font] = set(opened.getBestCmap() or ())
    return known[font]


def missing(opened: Opened, home: str, site: Path) -> list[str]:
    """Characters that no font of their style has, in sentences.

    A web font's own table is asked, in the file that the style sheet names. What none of a style's web fonts has is
    left to the fonts of the system, by looking at it, unless its meaning is private: no other font knows it.
    """
    faces, texts = opened.page.evaluate(READ)
    known: dict[Path, set[int]] = {}
    found = []
    for (families, weight, style), characters in texts:
        fonts = []
        for family in families:
            weights = [(abs(int(weight) - each), address) for name, each, address in faces if name == family]
            if weights:
                fonts.append(site / unquote(urlsplit(min(weights)[1].removeprefix(home)).path))
        left: dict[str, str] = {}
        for character, place in characters:
            if unicodedata.category(character).startswith(INVISIBLE):
                continue
            if any(ord(character) in characters_of(font, known) for font in fonts):
                continue
            if unicodedata.category(character) == PRIVATE:
                found.append(
                    f"U+{ord(character):04X} of {place} is in none of {', '.join(font.name for font in fonts)}"
                )
            else:
                left[character] = place
        boxes: list[Any] = opened.page.evaluate(BOXES, [families, weight, style, list(left)])
        found += [f"U+{ord(box):04X} of {left[box]} is a box in {', '.join(families)}" for box in boxes]
    return found
