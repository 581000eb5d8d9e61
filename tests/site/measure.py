"""What each page of a built site weighs and how soon it is there, beside another build, and what figures to move take.

    python tests/site/measure.py                                      the site in _build/html, and its figures
    python tests/site/measure.py AFTER BEFORE                         two builds beside each other, page by page
    python tests/site/measure.py AFTER BEFORE --pages 03_multitask_training --visits 9
    python tests/site/measure.py AFTER BEFORE --reading               instead, what a reader finds who opens nothing

Pages are served on this machine and opened with an empty cache, five times each, the two sites in turn. Times are
medians, in milliseconds. "load" is when the page's load event ends. "work" is the processor time of its main thread
until it has nothing left to do; a busy machine lengthens it less. "styled" counts how often an element was given its
style: where it is more than the elements, some were styled twice. Kilobytes are 1000 bytes, compressed.

A figure is drawn when its picture has its first stroke, counted from the page's load event. Sixty updates move its
first slider, each in a frame of its own; "ours" is the part of a frame in which its code runs.

For a reader at 1280 by 800 pixels who opens nothing: "screens" is the height of the page in windows, "picture" and
"moves" are the windows, counted from 1, with the first figure and with the first that can be moved, and "minutes" takes
180 words or 25 lines of code a minute, and half a minute for each displayed formula and each figure. Tables, captions
and exercises are among the words; formulas and figures to move are not.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1]))  # as pytest's setting does

from check_links import pages_of
from explorable_examples import KINDS, example
from opened import AT_ONCE, QUIET, SETTLED, SITE, Opened, find_browser, new_window, serve, styled
from playwright.sync_api import Browser, sync_playwright

from mtfl.explorables import Explorable

WATCH = """addEventListener("DOMContentLoaded", () => {
    const figure = document.querySelector(".mtfl-x");
    if (!figure) return;
    const look = () => {
        if (figure.querySelector("svg[role=img] *")) window.drawn = performance.now();
        else requestAnimationFrame(look);
    };
    look();
});"""
UPDATES = """async () => {
    const input = document.querySelector(".mtfl-x input[type=range]"), frames = [], work = [];
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    const start = performance.now();
    for (let n = 0, last = start; n < 60; n++) {
        const before = performance.now();
        input.value = (7 * n) % (Number(input.max) + 1);
        input.dispatchEvent(new Event("input"));
        await null;
        await null;
        work.push(performance.now() - before);
        await frame();
        frames.push(performance.now() - last);
        last = performance.now();
    }
    return [performance.now() - start, frames, work];
}"""
READING = """() => {
    const article = document.querySelector(".bd-article"), first = (names) => {
        const tops = [...article.querySelectorAll(names)].filter(node => node.checkVisibility())
            .map(node => node.getBoundingClientRect().top + scrollY);
        return tops.length ? 1 + Math.floor(Math.min(...tops) / innerHeight) : 0;
    };
    const seen = (names) => [...article.querySelectorAll(names)].filter(node => node.checkVisibility());
    const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT, ({ parentElement }) =>
        parentElement.closest("pre, svg, script, style, summary, mjx-container, .mtfl-x, .headerlink")
            || !parentElement.checkVisibility() ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    let words = 0;
    while (texts.nextNode()) words += texts.currentNode.data.split(/\\s+/).filter(word => /\\p{L}/u.test(word)).length;
    const lines = seen(".cell_input pre").flatMap(code => code.textContent.split("\\n")).filter(line => line.trim());
    const figures = seen(".mtfl-plot, .mtfl-x").length;
    const minutes = words / 180 + lines.length / 25 + (seen("div.math").length + figures) / 2;
    const screens = document.documentElement.scrollHeight / innerHeight;
    const statements = seen(".proof.admonition > .admonition-title > .caption-number").length;
    const [picture, moves] = [first(".mtfl-plot, .mtfl-x"), first(".mtfl-x")];
    return [screens, words, statements, picture, moves, lines.length, minutes];
}"""
TIMES = "[performance.getEntriesByType('navigation')[0].loadEventEnd, window.drawn ?? null]"


class Visit(NamedTuple):
    """One visit to a page; times in milliseconds."""

    loaded: float
    work: float
    drawn: float | None  # after the load


def visit(browser: Browser, address: str) -> Visit:
    """Open a page with an empty cache."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(WATCH)
    clock = context.new_cdp_session(page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(address, wait_until="load")
    page.wait_for_timeout(1000)
    page.evaluate("scheduler.postTask(() => {}, { priority: 'background' })")
    metrics = {one["name"]: one["value"] for one in clock.send("Performance.getMetrics")["metrics"]}
    loaded, drawn = page.evaluate(TIMES)
    context.close()
    return Visit(loaded, 1000 * metrics["TaskDuration"], None if drawn is None else drawn - loaded)


def describe(browser: Browser, home: str, name: str) -> str:
    """What of a page is the same at each visit: requests, those to other sites, weight, elements, elements styled."""
    context = browser.new_context()
    opened = Opened(context.new_page())
    opened.watch(home)
    count = styled(browser, opened.page, lambda: opened.page.goto(home + name, wait_until="load"))
    elements = opened.page.evaluate("document.querySelectorAll('*').length")
    text = f"{len(opened.answers):9}{len(opened.away):8}{opened.weight() / 1000:6.0f}{elements:10}{count:8}"
    context.close()
    return text


def medians(visits: list[Visit]) -> str:
    """The times of a page, as the head of the table names them."""
    drawn = [one.drawn for one in visits if one.drawn is not None]
    late = f"{statistics.median(drawn):.0f}" if drawn else "-"
    loaded, work = (statistics.median(getattr(one, key) for one in visits) for key in ("loaded", "work"))
    return f"{loaded:8.0f}{work:8.0f}{late:>14}"


def sixty_updates(browser: Browser, kind: type[Explorable]) -> tuple[float, float, float]:
    """Milliseconds of all, of a frame, and of our part of it."""
    context = browser.new_context()
    page = context.new_page()
    page.set_content(f"<!DOCTYPE html>{example(kind).page()}", wait_until="load")
    total, frames, work = page.evaluate(UPDATES)
    context.close()
    return total, statistics.median(frames), statistics.median(work)


def measure_pages(browser: Browser, homes: list[str], names: list[str], visits: int) -> None:
    """Print the table of pages; of two sites, a line each and the share that the first takes of the second's times."""
    head = (
        f"{'requests':>9}{'outside':>8}{'kB':>6}{'elements':>10}{'styled':>8}{'load':>8}{'work':>8}{'figure after':>14}"
    )
    print(f"{'page':34}{head}")
    for name in names:
        facts = [describe(browser, home, name) for home in homes]
        taken: list[list[Visit]] = [[] for _ in homes]
        for _ in range(visits):
            for home, those in zip(homes, taken, strict=True):
                those.append(visit(browser, home + name))
        for fact, those, title in zip(facts, taken, (name, "  before"), strict=False):
            print(f"{title:34}{fact}{medians(those)}", flush=True)
        if len(homes) == 2:
            ratios = (
                statistics.median(getattr(a, key) / getattr(b, key) for a, b in zip(*taken, strict=True))
                for key in ("loaded", "work")
            )
            print(f"{'  ratio, median of pairs':75}" + "".join(f"{ratio:8.2f}" for ratio in ratios))


def measure_reading(browser: Browser, homes: list[str], names: list[str]) -> None:
    """Print what a reader finds on each page who opens nothing; of two sites, a line each."""
    head = f"{'screens':>8}{'words':>7}{'statements':>12}{'picture':>9}{'moves':>7}{'code':>6}{'minutes':>9}"
    print(f"{'page':34}{head}")
    page = new_window(browser, viewport={"width": 1280, "height": 800}).new_page()
    for name in names:
        for home, title in zip(homes, (name, "  before"), strict=False):
            answer = page.goto(home + name, wait_until="load")
            if answer is None or not answer.ok:
                continue
            page.add_style_tag(content=AT_ONCE)
            page.evaluate(SETTLED)
            screens, words, statements, picture, moves, code, minutes = page.evaluate(READING)
            row = f"{screens:8.0f}{words:7}{statements:12}{picture:9}{moves or '-':>7}{code:6}{minutes:9.0f}"
            print(f"{title:34}{row}", flush=True)


def measure_figures(browser: Browser) -> None:
    """Print the table of figures to move."""
    print(f"\n{'figure':34}{'kB with engine':>15}{'60 updates, ms':>16}{'frame, ms':>11}{'ours, ms':>10}")
    for kind in KINDS:
        weight = len(gzip.compress(example(kind).page().encode())) / 1000
        total, frame, ours = sixty_updates(browser, kind)
        print(f"{kind.__name__:34}{weight:15.1f}{total:16.0f}{frame:11.1f}{ours:10.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sites", nargs="*", type=Path, default=[SITE], metavar="SITE", help="one or two folders")
    parser.add_argument("--pages", nargs="+", metavar="PAGE", help="such as 01_setup (default: all)")
    parser.add_argument("--visits", type=int, default=5, help="to each page (default: 5)")
    parser.add_argument("--reading", action="store_true", help="what a reader finds, in place of times and weights")
    options = parser.parse_args()
    if len(options.sites) > 2:
        parser.error("name one site, or two")
    stems = options.pages or [path.stem for path in pages_of(options.sites[0]) if path.stem != "index"]
    with sync_playwright() as playwright, ExitStack() as servers:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(QUIET))
        homes = [servers.enter_context(serve(site)) for site in options.sites]
        names = [f"{stem}.html" for stem in stems]
        if options.reading:
            measure_reading(browser, homes, names)
        else:
            measure_pages(browser, homes, names, options.visits)
            if not options.pages and len(options.sites) == 1:
                measure_figures(browser)
        browser.close()


if __name__ == "__main__":
    main()
