"""What axe-core finds on a page, in light and dark and on a phone."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from opened import AT_ONCE, Opened

VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
}
# Faults of the theme that the book cannot mend: rule and element.
THEIRS = {
    ("label-content-name-mismatch", ".search-button-field"),
    ("region", ".sidebar-primary-items__start > .sidebar-primary-item:nth-child(1)"),
    ("region", ".title"),  # the book's title beside the logo
}


COLOURS = ("color-contrast", "link-in-text-block")


def axe_script() -> str:
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).with_name("axe.min.js"))


# A plot is one picture with a name, a formula one object with MathML. The thousands of strokes and glyphs inside them
# are not for these rules to judge, and would take them minutes.
FLATTEN = "document.querySelectorAll('.mtfl-plot svg, mjx-container').forEach(picture => picture.replaceChildren())"
# Colours take half a second for a hundred words, and are the same for all words of one look: class, colour, size,
# weight, underline, and the colours around and behind them. Two words of each look are judged; the other words of code
# count as plain text.
COLOURS_OF_LOOKS = """options => {
    const looks = new Map(), known = new Map();
    const backgrounds = node => {
        if (!node) return "";
        if (!known.has(node)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(node);
            const shows = backgroundImage !== "none" || !backgroundColor.endsWith(", 0)") || opacity !== "1";
            const own = shows ? [backgroundColor, backgroundImage, opacity].join() : "";
            known.set(node, own + backgrounds(node.parentElement));
        }
        return known.get(node);
    };
    for (const node of document.querySelectorAll("body *")) {
        if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
        if (!node.checkVisibility()) continue;
        const style = getComputedStyle(node);
        const look = [
            node.className, style.color, style.fontSize, style.fontWeight, style.textDecorationLine,
            getComputedStyle(node.parentElement).color, backgrounds(node),
        ].join();
        looks.set(look, [...(looks.get(look) ?? []), node].slice(0, 2));
    }
    const judged = new Set([...looks.values()].flat());
    for (const word of document.querySelectorAll(".highlight span, .sig span, .sig em"))
        if (!judged.has(word)) word.replaceWith(...word.childNodes);
    return axe.run({ include: [...judged] }, options);
}"""


# A script of the page does so when a box is shown, or its width has changed.
KEYBOARD_REACHES_WHAT_SCROLLS = """() => [...document.querySelectorAll(
    "pre, .cell_output > .output, .pst-scrollable-table-container")].every(
    node => !node.checkVisibility() || node.tabIndex === 0 ||
        (node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight))"""


def violations(opened: Opened, *, colours: bool = True, other: bool = True, around: bool = False) -> list[str]:
    """What axe-core finds on a page, less the theme's own faults: in its colours, and by all its other rules.

    These can be asked for what stands around the article alone, where it has been judged before.
    """
    page = opened.page
    page.evaluate(FLATTEN)  # before all is laid out
    page.add_style_tag(content=AT_ONCE)
    if page.evaluate("typeof axe === 'undefined'"):
        page.add_script_tag(path=axe_script())
    options: dict[str, Any] = {"resultTypes": ["violations", "incomplete"]}
    reports = [page.evaluate(COLOURS_OF_LOOKS, options | {"runOnly": COLOURS})] if colours else []
    if other:
        rules = {name: {"enabled": False} for name in COLOURS}
        where = {"exclude": ["article"]} if around else {"include": ["html"]}
        reports.append(page.evaluate("all => axe.run(...all)", [where, options | {"rules": rules}]))
    found = [
        f"{rule['id']}: {node['target'][0]} {node['html'][:100]}"
        for report in reports
        for rule in report["violations"]
        for node in rule["nodes"]
        if (rule["id"], node["target"][0]) not in THEIRS
    ]
    # axe cannot judge text of its background's very colour, and calls it incomplete: a reader cannot see it.
    found += [
        f"invisible text: {node['target'][0]}"
        for report in reports
        for rule in report["incomplete"]
        if rule["id"] == "color-contrast"
        for node in rule["nodes"]
        if (node["any"][0]["data"] or {}).get("messageKey") == "equalRatio"
    ]
    return found


def violations_in_all_views(opened: Opened) -> list[str]:
    """The same for a page in light, dark and on a phone, and whether it is wider than the phone.

    Dark changes nothing but colours; a narrow page has the same colours as a wide one, and the same article, in which
    other boxes scroll.
    """
    page = opened.page
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-theme=light]")
    page.mouse.move(0, 0)
    opened.settle()  # colours fade over, those of the theme and of a link under the mouse
    found = violations(opened)
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-theme=dark]")
    opened.settle()
    found += violations(opened, other=False)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(VIEWS["phone"]["viewport"])
    page.wait_for_function(KEYBOARD_REACHES_WHAT_SCROLLS)
    opened.settle()
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than 360 px")
    return found + violations(opened, colours=False, around=page.locator("article").count() == 1)
