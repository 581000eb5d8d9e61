"""On every screen a page shows all it has: nothing is cut, torn apart, or pushed off the side without a sign."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opened import Opened
from PIL import Image

WIDTHS = (1280, 768, 640, 412, 360, 320)  # 640 is 1280 at a zoom of 200 %
LEGIBLE = {412: 9, 360: 9, 320: 8}  # CSS pixels, of the smallest letters of a picture

# What is wrong with a page at its present width, as "kind: where".
FAULTS = r"""legible => {
    const found = [], page = document.querySelector("article") ?? document.querySelector("main");
    const all = (names, root = page) => [...root.querySelectorAll(names)].filter(node => node.getClientRects().length);
    const told = node => node.textContent.trim().replace(/\s+/g, " ").slice(0, 60);
    const fault = (kind, where) => found.push(`${kind}: ${where}`);
    const block = node => {
        while (getComputedStyle(node).display.startsWith("inline") || getComputedStyle(node).display === "contents")
            node = node.parentElement;
        return node;
    };
    const inside = node => {
        const box = node.getBoundingClientRect(), style = getComputedStyle(node);
        return [box.left + parseFloat(style.paddingLeft), box.right - parseFloat(style.paddingRight)];
    };
    const scrolls = node => node.scrollWidth > node.clientWidth + 1;
    const overflows = node => scrolls(node) && getComputedStyle(node).overflowX !== "visible";

    if (scrolls(document.documentElement)) fault("page scrolls sideways", document.title);

    // Formulas in the text: all of it lies within the line, and so do the characters that touch it.
    const letters = root => document.createTreeWalker(root, NodeFilter.SHOW_TEXT, node =>
        NodeFilter[`FILTER_${node.parentElement.closest("mjx-container, svg, .headerlink") ? "REJECT" : "ACCEPT"}`]);
    const text = letters(page);
    const place = (node, k) => {
        const range = document.createRange();
        range.setStart(node, k);
        range.setEnd(node, k + 1);
        return range.getBoundingClientRect();
    };
    for (const formula of all("span.math")) {
        const home = block(formula.parentElement), name = told(formula);
        const shown = [...(formula.querySelector("mjx-math") ?? formula).getClientRects()].filter(box => box.width);
        const start = Math.min(...shown.map(box => box.left)), end = Math.max(...shown.map(box => box.right));
        for (let node = formula; ; node = node.parentElement) {
            const [left, right] = inside(node), clips = node === home || getComputedStyle(node).overflowX !== "visible";
            if (clips && (start < left - 1 || end > right + 1)) { fault("formula cut", name); break; }
            if (node === home) break;
        }
        text.currentNode = formula.querySelector("mjx-container") ?? formula;
        const next = text.nextNode();
        if (next && home.contains(next) && block(next.parentElement) === home && /^[^\s/–—-]/.test(next.data)
            && place(next, 0).left < shown.at(-1).right - 3) fault("orphan", `${name} | ${next.data.slice(0, 20)}`);
        text.currentNode = formula;
        const last = text.previousNode();
        if (last && home.contains(last) && block(last.parentElement) === home && /[^\s/–—-]$/.test(last.data)
            && place(last, last.length - 1).right > shown[0].left + 3)
            fault("orphan", `${last.data.slice(-20)} | ${name}`);
    }

    // Displayed formulas: the number stands beside or below, not on them.
    for (const formula of all("div.math")) {
        const number = formula.querySelector(".eqno")?.getBoundingClientRect();
        const box = formula.querySelector("mjx-container").getBoundingClientRect();
        if (number && number.left < box.right - 1 && number.right > box.left + 1 && number.top < box.bottom - 1
            && number.bottom > box.top + 1) fault("number on formula", told(formula));
    }

    // Their lines, where they have several, stand apart.
    for (const formula of all("div.math :is(mjx-math, mjx-mtd):has(> wbr)")) {
        let above = -Infinity, line = [], end = Infinity;
        const parts = [...formula.children].filter(part => getComputedStyle(part).display !== "inline");
        for (const box of parts.map(part => part.getBoundingClientRect()).filter(box => box.width)) {
            if (box.left < end - 6) [above, line] = [Math.max(...line), []];
            if (box.top < above + 2) { fault("lines touch", told(formula.closest("div.math"))); break; }
            line.push(box.bottom);
            end = box.right;
        }
    }

    // Pictures, and the size of their letters.
    for (const plot of all(".mtfl-plot, .mtfl-figure")) {
        const name = plot.getAttribute("aria-label") ?? plot.closest("[id]").id;
        for (let node = plot; node !== page; node = node.parentElement)
            if (overflows(node)) { fault("picture scrolls sideways", name); break; }
    }
    for (const svg of all(".mtfl-plot svg")) {
        const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        const sizes = all("g[transform*='scale(']", svg).map(group =>
            100 * scale * Number(group.getAttribute("transform").match(/scale\(([\d.]+)/)[1]));
        const name = svg.closest(".mtfl-plot").getAttribute("aria-label");
        if (Math.min(...sizes) < legible) fault("letters too small", `${Math.min(...sizes).toFixed(1)} px, ${name}`);
    }

    // On a wide screen a table has the room that it needs.
    for (const box of all(".mtfl-table, .pst-scrollable-table-container"))
        if (innerWidth >= 1280 && scrolls(box)) fault("table scrolls sideways", told(box));

    // The caption of a table that scrolls is as wide as the column, and lies on the shadow of what scrolls.
    for (const caption of all("caption")) {
        const column = caption.closest("table").parentElement;
        if (caption.offsetWidth > column.clientWidth + 1) fault("caption cut", told(caption));
        const ground = getComputedStyle(caption).backgroundColor;
        if (scrolls(column) && (ground === "rgba(0, 0, 0, 0)" || caption.offsetWidth < column.clientWidth - 1))
            fault("shadow over a caption", told(caption));
    }

    // Tables keep their words; an address or a line of code may be broken, but not letter by letter.
    for (const cell of all("td, th")) {
        for (const words = letters(cell); words.nextNode();) {
            const { currentNode: node } = words, code = node.parentElement.closest("code, a[href^=http]");
            for (const { 0: word, index } of node.data.matchAll(/[^\s/–—-]+/g)) {
                const range = document.createRange();
                range.setStart(node, index);
                range.setEnd(node, index + word.length);
                const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
                if (lines > (code ? 1 + word.length / 5 : 1)) fault("word broken in a table", word);
            }
        }
    }

    // No line ends between a number and its per cent sign, or in a reference. Apostrophes are those of print.
    for (const prose = letters(page); prose.nextNode();) {
        const { data, parentElement: home } = prose.currentNode;
        if (home.closest("code, pre, kbd, script, style, dt, .mtfl-ledger, .mtfl-figure")) continue;
        const parted = data.match(/.{0,20}\d %/) ?? (/^ ?%/.test(data.replace(/\u00a0/g, "!")) && [data.slice(0, 20)]);
        if (parted) fault("per cent parted", parted[0]);
        const straight = data.match(/\p{L}*'\p{L}+/u);
        if (straight) fault("straight apostrophe", straight[0]);
    }
    for (const link of all("a"))
        if (/^\p{L}+\.? \d+(\.\d+)?$/u.test(link.textContent.trim()) && link.getClientRects().length > 1
            && !link.closest("h1, h2, h3, h4")) fault("reference parted", told(link));

    // On a phone the link to a heading, which is not seen, takes no line of it. Fields stay in their form.
    const links = innerWidth > 600 ? [] : all(":is(h1, h2, h3) > a.headerlink");
    const high = () => links.map(link => link.parentElement.offsetHeight);
    const withLinks = high();
    for (const link of links) link.style.display = "none";
    const without = high();
    for (const link of links) link.style.display = "";
    links.forEach((link, k) => without[k] < withLinks[k] && fault("link takes a line", told(link.parentElement)));
    for (const field of all("form :is(input, select, button)"))
        if (field.getBoundingClientRect().right > inside(field.form)[1] + 1) fault("field out of its form", field.name);

    // The way to search the book is in sight where a list of pages stands beside the page.
    const search = document.querySelector(".bd-sidebar-primary .search-button-field")?.getBoundingClientRect();
    if (innerWidth >= 1280 && search && (search.top < 0 || search.bottom > innerHeight))
        fault("search hidden", document.title);

    // Code goes on in the next line. What scrolls sideways shows that it does: by layers of background.
    for (const code of all("pre"))
        if (scrolls(code) && !code.closest(".mtfl-printed")) fault("code scrolls sideways", told(code));
    for (const box of all("*:not(mjx-container *, svg *)").filter(overflows)) {
        const { overflowX, backgroundAttachment } = getComputedStyle(box);
        if (overflowX !== "hidden" && !/local.*scroll/.test(backgroundAttachment))
            fault("no sign of scrolling", `${box.className || box.localName} ${told(box)}`);
    }
    return found;
}"""


def faults(opened: Opened, width: int) -> list[str]:
    """What is wrong with a page at a width."""
    page = opened.page
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('main details').forEach(node => { node.open = true; })")
    opened.settle()
    return [f"{width} px, {fault}" for fault in page.evaluate(FAULTS, LEGIBLE.get(width, 0))]


def test_nothing_is_cut_on_any_screen(open_page: Callable[..., Opened], served: str, name: str) -> None:
    opened = open_page(served, name)  # who has followed links on a page has moved the list beside it
    answers = opened.page.locator("section[id^=exercises] .cell_output")
    assert not any(answer.is_visible() for answer in answers.all())  # as long as solutions are folded
    assert [fault for width in WIDTHS for fault in faults(opened, width)] == []


def written(folder: Path, body: str) -> str:
    """The address of a folder with a page of its own."""
    page = f'<!DOCTYPE html><html lang="en"><title>t</title><style>* {{ margin: 0 }}</style><main>{body}</main></html>'
    (folder / "page.html").write_text(page, "utf8")
    return folder.as_uri() + "/"


WIDE = '<mjx-container><mjx-math style="display: inline-block; width: {}px">x</mjx-math></mjx-container>'
TALL = '<b style="display: inline-block; width: 300px; height: 50px; vertical-align: middle"></b>'
LETTER = (
    '<figure class="mtfl-plot" aria-label="p"><svg viewBox="0 0 100 20" style="width: {}px"><g transform="scale(0.1)">'
)
SVG = LETTER + '<path d="M0 0h9v9z"/></g></svg></figure>'
BOX = '<div style="overflow-x: auto; {}"><div style="width: 500px; height: 9px"></div></div>'
CAPTIONED = '<table style="width: 500px"><caption style="max-width: 300px">x</caption><tr><td>x</td></tr></table>'
SIGN = "background: " + ", ".join(["linear-gradient(red, blue) local"] * 2 + ["linear-gradient(red, blue)"] * 2)


@pytest.mark.parametrize("scale", [1.5, 2, 3])
def test_what_does_not_scroll_has_no_shadow(open_page: Callable[..., Opened], served: str, scale: float) -> None:
    view: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": scale}
    opened = open_page(served, "03_multitask_training.html", **view)
    formula = opened.page.locator("#thm-exact-step mjx-container[display=true]")
    formula.scroll_into_view_if_needed()
    opened.settle()

    def edge() -> float:
        """How much darker the last pixels of a formula are than its ground."""
        picture = np.asarray(Image.open(io.BytesIO(formula.screenshot())).convert("L")).astype(float)
        middle = picture[len(picture) // 3 : len(picture) // 2]
        return float(middle.max() - middle[:, -9:].mean(axis=0).min())

    assert formula.evaluate("node => node.scrollWidth <= node.clientWidth")
    assert edge() < 3
    formula.evaluate("node => node.style.backgroundSize = '0 0, 0 0, 1px 100%, 1px 100%'")  # the line that was there
    assert edge() > 10


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (f'<p><span class="math">{WIDE.format(400)}</span></p>', "formula cut"),
        (
            f'<p><span class="math" style="display: inline-block; width: 90px; overflow: hidden">{WIDE.format(100)}',
            "formula cut",
        ),
        (f'<p><span class="math">{WIDE.format(358)}</span>, and</p>', "orphan"),
        (f'<p>{WIDE.format(330)} (<span class="math">{WIDE.format(300)}</span>)</p>', "orphan"),
        (f'<figure><div style="overflow-x: auto">{SVG.format(500)}</div></figure>', "picture scrolls sideways"),
        (SVG.format(80), "letters too small"),
        ('<table><td style="width: 9px; word-break: break-all">energy</td></table>', "word broken in a table"),
        (
            '<table><td style="width: 9px; word-break: break-all"><code>energy</code></td></table>',
            "word broken in a table",
        ),
        ('<div><table><caption style="width: 500px">x</caption></table></div>', "caption cut"),
        (f'<div style="overflow: auto; {SIGN}">{CAPTIONED}</div>', "shadow over a caption"),
        (f'<pre style="overflow: auto; {SIGN}">{"x" * 99}</pre>', "code scrolls sideways"),
        (BOX.format(""), "no sign of scrolling"),
        ("<p>a share of 5 % of them</p>", "per cent parted"),
        ("<p>a share of <b>5</b> % of them</p>", "per cent parted"),
        ("<p>the network's</p>", "straight apostrophe"),
        ('<p style="width: 80px"><a href="#">Proposition 4.11</a></p>', "reference parted"),
        ('<h2 style="width: 10ch">0000 0000<a class="headerlink">000</a></h2>', "link takes a line"),
        ('<form style="width: 99px"><input style="width: 150px"></form>', "field out of its form"),
        ('<div style="width: 500px">x</div>', "page scrolls sideways"),
        (
            '<div class="math"><b class="eqno" style="position: fixed">(1)</b><mjx-container>x</mjx-container></div>',
            "number on formula",
        ),
        (
            f'<div class="math"><mjx-container><mjx-math>{2 * (TALL + "<wbr>")}</mjx-math></mjx-container></div>',
            "lines touch",
        ),
    ],
)
def test_a_fault_is_seen(open_page: Callable[..., Opened], tmp_path: Path, body: str, kind: str) -> None:
    found = faults(open_page(written(tmp_path, body), "page.html"), 360)
    assert kind in {fault.split(", ")[1].split(":")[0] for fault in found}


def test_what_is_right_is_no_fault(open_page: Callable[..., Opened], tmp_path: Path) -> None:
    body = f'<p>Let (<span class="math">{WIDE.format(300)}</span>).</p>{SVG.format(320)}{BOX.format(SIGN)}'
    body += "<p>a share of <b>5</b>&nbsp;% of them, the network’s, <code>net's 5 %</code> and " + "x " * 120
    body += '<a href="#" style="white-space: nowrap">Proposition 4.11</a></p>'
    body += f'<table><td style="width: 9px">some words</td></table><pre class="mtfl-printed" style="{SIGN}">x</pre>'
    assert faults(open_page(written(tmp_path, body), "page.html"), 360) == []
