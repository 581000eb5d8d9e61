"""Every page passes axe-core in light and dark and on a phone, and no page is wider than a phone."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opened import Opened

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
# Contrast takes half a second for a hundred words, and is the same for all words of one look: class, colour, size,
# weight and the colours behind them. Two words of each look are judged; the other words of code count as plain text.
CONTRAST = """options => {
    const looks = new Map();
    const backgrounds = node => {
        const found = [];
        for (; node; node = node.parentElement) {
            const style = getComputedStyle(node);
            if (style.backgroundImage !== "none" || !style.backgroundColor.endsWith(", 0)") || style.opacity !== "1")
                found.push(style.backgroundColor, style.backgroundImage, style.opacity);
        }
        return found;
    };
    for (const node of document.querySelectorAll("body *")) {
        if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
        if (!node.checkVisibility()) continue;
        const style = getComputedStyle(node);
        const look = [node.className, style.color, style.fontSize, style.fontWeight, ...backgrounds(node)].join();
        looks.set(look, [...(looks.get(look) ?? []), node].slice(0, 2));
    }
    const judged = new Set([...looks.values()].flat());
    for (const word of document.querySelectorAll(".highlight span, .sig span, .sig em"))
        if (!judged.has(word)) word.replaceWith(...word.childNodes);
    return axe.run({ include: [...judged] }, { ...options, runOnly: ["color-contrast"] });
}"""


def violations(opened: Opened, *, colours: bool = True, other: bool = True) -> list[str]:
    """What axe-core finds on a page, less the theme's own faults: in its colours, and by all its other rules."""
    page = opened.page
    page.add_script_tag(path=axe_script())
    page.evaluate(FLATTEN)
    options = {"resultTypes": ["violations", "incomplete"]}
    kinds = [options | {"runOnly": ["link-in-text-block"]}] if colours else []
    kinds += [options | {"rules": {name: {"enabled": False} for name in COLOURS}}] if other else []
    reports = [page.evaluate(CONTRAST, options)] if colours else []
    reports += [page.evaluate("options => axe.run(options)", kind) for kind in kinds]
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


def test_axe_finds_nothing(open_page: Callable[..., Opened], served: str, name: str) -> None:
    opened = open_page(served, name, color_scheme="light")
    assert violations(opened) == []
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_selector("html[data-theme=dark]")
    opened.page.wait_for_timeout(500)  # the theme's colours fade over
    assert violations(opened, other=False) == []  # dark changes nothing else
    opened.page.emulate_media(color_scheme="light")
    opened.page.set_viewport_size(VIEWS["phone"]["viewport"])
    opened.page.wait_for_timeout(1000)  # the theme lets the keyboard reach what now scrolls
    assert not opened.page.evaluate("document.documentElement.scrollWidth > innerWidth"), "wider than 360 px"
    assert violations(opened, colours=False) == []  # a narrow page has the same colours


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ('<img src="">', "image-alt"),
        ('<p style="color: #ccc; background: white">pale</p>', "color-contrast"),
        ('<p style="color: #777; background: #777">pale</p>', "invisible text"),
    ],
)
def test_axe_sees_a_fault(open_page: Callable[..., Opened], served: str, planted: str, rule: str) -> None:
    opened = open_page(served, "intro.html")
    opened.page.evaluate("html => document.querySelector('article').insertAdjacentHTML('beforeend', html)", planted)
    assert any(fault.startswith(rule) for fault in violations(opened))
