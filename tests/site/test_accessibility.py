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


def axe_script() -> str:
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).with_name("axe.min.js"))


def violations(opened: Opened, *, only_colours: bool = False) -> list[str]:
    """What axe-core finds on a page, less the theme's own faults."""
    opened.page.add_script_tag(path=axe_script())
    # A plot is one picture with a name, a formula one object of MathJax. The thousands of strokes and glyphs
    # inside them are not for these rules to judge, and would take them minutes.
    opened.page.evaluate(
        "document.querySelectorAll('.mtfl-plot svg, mjx-container').forEach(picture => picture.replaceChildren())"
    )
    options = {"resultTypes": ["violations", "incomplete"]}
    if only_colours:
        options["runOnly"] = ["color-contrast", "link-in-text-block"]
    report = opened.page.evaluate("options => axe.run(options)", options)
    found = [
        f"{rule['id']}: {node['target'][0]} {node['html'][:100]}"
        for rule in report["violations"]
        for node in rule["nodes"]
        if (rule["id"], node["target"][0]) not in THEIRS
    ]
    # axe cannot judge text of its background's very colour, and calls it incomplete: a reader cannot see it.
    found += [
        f"invisible text: {node['target'][0]}"
        for rule in report["incomplete"]
        if rule["id"] == "color-contrast"
        for node in rule["nodes"]
        if (node["any"][0]["data"] or {}).get("messageKey") == "equalRatio"
    ]
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(open_page: Callable[..., Opened], served: str, name: str, view: str) -> None:
    opened = open_page(served, name, **VIEWS[view])
    if view == "phone":
        assert not opened.page.evaluate("document.documentElement.scrollWidth > innerWidth"), "wider than 360 px"
    assert violations(opened, only_colours=view == "dark") == []  # dark changes nothing else


def test_axe_sees_a_fault(open_page: Callable[..., Opened], served: str) -> None:
    opened = open_page(served, "intro.html")
    opened.page.evaluate("document.querySelector('article').insertAdjacentHTML('beforeend', '<img src=\"\">')")
    assert any(fault.startswith("image-alt") for fault in violations(opened))
