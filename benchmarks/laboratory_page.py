"""Times the laboratory in a page: rounds a second, and the frames that the page shows while it trains.

    python -m benchmarks.laboratory_page           # five sizes at full speed, and the page's own start: a minute

The page is opened in the Chromium of the tests. Rounds and frames are timed by the clock, the drawing of the pictures
included, so that others on the machine disturb them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import processor
from benchmarks.laboratory import SIZES
from mtfl.explorables import Laboratory

sys.path.append(str(Path(__file__).parents[1] / "tests"))
sys.path.append(str(Path(__file__).parents[1] / "tests" / "site"))

from explorable_examples import write_page
from opened import QUIET, find_browser
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = Laboratory()
SETTINGS = {
    name: f"d={size.d}&r={size.r}&neurons={size.m}&tasks={size.T}&batch={size.n}" for name, size in SIZES.items()
}
# After the first round, so that the worker's start and its first compilation do not count.
MEASURE = """async (ms) => {
    const label = document.querySelector(".mtfl-progress > span"), frame = () => new Promise(requestAnimationFrame);
    const round = () => Number(label.textContent.match(/\\d+/)?.[0] ?? 0);
    const trains = () => label.textContent.startsWith("Training");
    while (!round()) await frame();
    const start = await frame(), first = round(), frames = [];
    let last = start, now = start;
    while (trains() && now - start < ms) {
        now = await frame();
        frames.push(now - last);
        last = now;
    }
    frames.sort((a, b) => a - b);
    const rounds = (1000 * (round() - first)) / (now - start);
    return { rounds, median: frames[frames.length >> 1], most: frames.at(-1) };
}"""


def measured(page: Page, speed: str, seconds: float) -> dict[str, Any]:
    """Press Play, and measure."""
    page.wait_for_function("document.querySelector('.mtfl-x')?.inspect?.().worker")
    page.get_by_role("combobox", name="Speed").select_option(speed)
    page.get_by_role("button", name="Play").click()
    return page.evaluate(MEASURE, 1000 * seconds)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m benchmarks.laboratory_page", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="*", default=[*SIZES], choices=SIZES, help="what to measure at full speed")
    parser.add_argument("--seconds", type=float, default=5, help="time of each")
    arguments = parser.parse_args()
    if not 0.1 <= arguments.seconds <= 3600:
        said = f"python -m benchmarks.laboratory_page: --seconds must be from 0.1 to 3600; got {arguments.seconds}."
        parser.exit(2, f"{said} Choose another.\n")
    asked = {"as it opens": ("", "20")} | {name: (f"?{SETTINGS[name]}", "fast") for name in arguments.sizes}
    print(processor())
    print("rounds a second, and ms from frame to frame, the middle one and the longest:")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_page(Path(folder), "page.html", START.page())
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(QUIET))
        print(f"{'Chromium ' + browser.version:32}{'rounds':>10}{'median':>10}{'longest':>10}")
        for name, (query, speed) in asked.items():
            page = browser.new_page()
            page.goto(f"{(Path(folder) / 'page.html').as_uri()}#{START.name}{query}")
            found = measured(page, speed, arguments.seconds)
            print(f"{name:32}{found['rounds']:10.1f}{found['median']:10.1f}{found['most']:10.1f}", flush=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
