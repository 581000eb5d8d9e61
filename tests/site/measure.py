"""What each page of the built site weighs and how soon it is there, and what each figure to move weighs and takes.

    python tests/site/measure.py

Pages are served on this machine and opened with an empty cache, three times each; times are medians. Kilobytes are
1000 bytes, compressed. A figure is drawn when its picture has its first stroke, counted from the page's load event.
Sixty updates move its first slider, each in a frame of its own; "ours" is the part of a frame in which its code runs.
"""

from __future__ import annotations

import gzip
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1]))  # as pytest's setting does

from explorable_examples import KINDS, example
from opened import PAGES, QUIET, SITE, Opened, find_browser, serve
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
TIMES = "[performance.getEntriesByType('navigation')[0].loadEventEnd, window.drawn ?? null]"


class Visit(NamedTuple):
    """One visit to a page; times in milliseconds."""

    requests: int
    outside: int
    weight: int
    loaded: float
    drawn: float | None  # after the load


def visit(browser: Browser, home: str, name: str) -> Visit:
    """Open a page with an empty cache."""
    context = browser.new_context()
    opened = Opened(context.new_page())
    opened.watch(home)
    opened.page.add_init_script(WATCH)
    opened.page.goto(home + name, wait_until="load")
    opened.page.wait_for_timeout(1000)
    loaded, drawn = opened.page.evaluate(TIMES)
    drawn = None if drawn is None else drawn - loaded
    result = Visit(len(opened.answers), len(opened.away), opened.weight(), loaded, drawn)
    context.close()
    return result


def sixty_updates(browser: Browser, kind: type[Explorable]) -> tuple[float, float, float]:
    """Milliseconds of all, of a frame, and of our part of it."""
    context = browser.new_context()
    page = context.new_page()
    page.set_content(f"<!DOCTYPE html>{example(kind).page()}", wait_until="load")
    total, frames, work = page.evaluate(UPDATES)
    context.close()
    return total, statistics.median(frames), statistics.median(work)


def main() -> None:
    """Print both tables."""
    server = serve(SITE)
    home = f"http://127.0.0.1:{server.server_address[1]}/"
    print(f"{'page':34}{'requests':>9}{'outside':>8}{'kB':>6}{'load, ms':>10}{'figure, ms after':>18}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(QUIET))
        for name in PAGES:
            visits = [visit(browser, home, name) for _ in range(3)]
            loaded = statistics.median(one.loaded for one in visits)
            drawn = [one.drawn for one in visits if one.drawn is not None]
            late = f"{statistics.median(drawn):.0f}" if drawn else "-"
            first = visits[0]
            print(f"{name:34}{first.requests:9}{first.outside:8}{first.weight / 1000:6.0f}{loaded:10.0f}{late:>18}")
        print(f"\n{'figure':34}{'kB with engine':>15}{'60 updates, ms':>16}{'frame, ms':>11}{'ours, ms':>10}")
        for kind in KINDS:
            weight = len(gzip.compress(example(kind).page().encode())) / 1000
            total, frame, ours = sixty_updates(browser, kind)
            print(f"{kind.__name__:34}{weight:15.1f}{total:16.0f}{frame:11.1f}{ours:10.2f}")
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
