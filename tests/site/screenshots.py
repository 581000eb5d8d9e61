"""Pictures of the built pages, to look at: python tests/site/screenshots.py [--out FOLDER] [PAGE ...]

Each page (all of them by default) at 1280 and at 360 px, in light and in dark, at full length.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # as pytest's setting does

from opened import PAGES, QUIET, SITE, find_browser
from playwright.sync_api import sync_playwright

WIDTHS = (1280, 360)
MODES = ("light", "dark")


def main() -> None:
    """Take the pictures and print where they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="such as 01_setup")
    parser.add_argument("--out", type=Path, help="folder for the pictures (default: a temporary one)")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="screenshots-"))
    out.mkdir(parents=True, exist_ok=True)
    names = [Path(page).stem for page in options.pages or PAGES]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(QUIET))
        for width in WIDTHS:
            for mode in MODES:
                view = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=mode)
                page = view.new_page()
                for name in names:
                    page.goto((SITE / f"{name}.html").resolve().as_uri(), wait_until="load")
                    page.screenshot(path=out / f"{name}-{width}-{mode}.png", full_page=True)
                view.close()
        browser.close()
    print(out)


if __name__ == "__main__":
    main()
