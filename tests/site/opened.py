"""Where the built site and the browser are, and what is watched while a page is open."""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pypdfium2
from bs4 import BeautifulSoup
from check_links import pages_of
from waiting import HANG_IN_BROWSER

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, Route

SITE = Path(os.environ.get("MTFL_SITE", Path(__file__).parents[2] / "_build" / "html"))
# index.html only leads to the first page.
PAGES = [name for path in pages_of(SITE) if (name := path.relative_to(SITE).as_posix()) != "index.html"]
# The first is Chromium without its windows: opening a page there costs a quarter of the work.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CLIPBOARD = ["clipboard-read", "clipboard-write"]
PACKED = (".woff", ".woff2", ".png")
# Most of a page, and what a test that asks for words and links does not need.
PICTURES = re.compile(r"<(svg|style|script|mjx-math)\b.*?</\1>", re.DOTALL)
BLOCKS = ".bd-article section > *"
# A style sheet by which blocks that are far away do not wait for the reader.
AT_ONCE = f"{BLOCKS}, .mtfl-ledger article {{ content-visibility: visible !important }}"
UNFOLD = "document.querySelectorAll('.mtfl-proof, .mtfl-code').forEach(box => { box.open = true; })"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no request leaves this machine
)
# Fonts are there, nothing has faded or slid for three frames, and nothing is left to do. (Chromium does not always keep
# its promises to say when a transition has finished and when it is idle: a page at rest may wait for ever.)
SETTLED = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const moves = () => document.getAnimations().filter(
        move => move.playState === "running" && move.effect.getComputedTiming().endTime < Infinity);
    await document.fonts.ready;
    for (let still = 0; still < 3; still = moves().length ? 0 : still + 1) await frame();
    await scheduler.postTask(() => {}, { priority: "background" });
}"""


def find_browser() -> str | None:
    """The Chromium to use: MTFL_BROWSER, or the first one found."""
    return os.environ.get("MTFL_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)


@functools.cache
def parsed(path: Path) -> BeautifulSoup:
    """A page of the site without pictures, scripts and the glyphs of formulas; not to be changed."""
    return BeautifulSoup(PICTURES.sub("", path.read_text("utf8")), "html.parser")


def texts_of(pdf: bytes | Path) -> list[str]:
    """The text of each sheet of a PDF, in which PDFium writes U+0002 for a hyphen that ends a line."""
    with pypdfium2.PdfDocument(pdf) as sheets:
        texts = [sheet.get_textpage().get_text_bounded() for sheet in sheets]
    return [text.replace("\r\n", "\n").replace("\x02", "-") for text in texts]


def styled(browser: Browser, page: Page, act: Callable[[], object]) -> int:
    """How often an element is given its style while a page does something, until it has nothing left to do."""
    browser.start_tracing(page=page, categories=["devtools.timeline"])
    act()
    page.evaluate(SETTLED)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    return sum(event.get("args", {}).get("elementCount", 0) for event in events if event["name"] == "UpdateLayoutTree")


# A frame runs this before it is painted.
FRAMES = """() => {{
    window.frames_seen = [];
    const note = () => {{
        {note}
        requestAnimationFrame(note);
    }};
    requestAnimationFrame(note);
}}"""


def first_frames(page: Page, address: str, note: str) -> list[Any]:
    """What each frame of a page that opens has noted in ``frames_seen``, in JavaScript, until its scripts have run.

    They are held back until three frames have been seen, all but the one that the first frame waits for.
    """
    held = []
    page.add_init_script(f"({FRAMES.format(note=note)})()")

    def hold(route: Route) -> None:
        if "/early.js" in route.request.url:
            route.continue_()
        else:
            held.append(route)

    page.route("**/*.js*", hold)
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.frames_seen.length > 2 && document.querySelector('footer')")
    for route in held:
        route.continue_()
    page.unroute("**/*.js*", hold)
    page.wait_for_load_state("load")
    page.evaluate(SETTLED)
    assert held  # else the scripts came first
    return page.evaluate("frames_seen")


def new_window(browser: Browser, **view: Any) -> BrowserContext:
    """A window of its own, in which only a hang ends a wait."""
    window = browser.new_context(**view)
    window.set_default_timeout(HANG_IN_BROWSER)
    return window


def swipe(page: Page, x: float, y: float, across: float, up: float) -> None:
    """A finger that goes down here, moves in ten steps, a frame for each, and leaves."""
    browser = page.context.new_cdp_session(page)

    def touch(kind: str, *points: dict[str, float]) -> None:
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})
        page.evaluate("() => new Promise(requestAnimationFrame)")

    touch("touchStart", {"x": x, "y": y})
    for n in range(1, 11):
        touch("touchMove", {"x": x + across * n / 10, "y": y - up * n / 10})
    touch("touchEnd")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files with some headers more, and without a line of log for each."""

    def __init__(self, *args: Any, headers_too: Mapping[str, str], **options: Any) -> None:
        self.headers_too = headers_too
        super().__init__(*args, **options)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def end_headers(self) -> None:
        for name, value in self.headers_too.items():
            self.send_header(name, value)
        super().end_headers()


@contextmanager
def serve(folder: Path, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """Serve a folder on a free port of this machine, from a thread; its address."""
    handler = functools.partial(QuietHandler, directory=str(folder), headers_too=headers)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


@dataclass
class Opened:
    """A page in a window: what it asked for, and what it must not do, requests that leave its site and errors."""

    page: Page
    away: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def watch(self, home: str) -> None:
        """Note each request that does not stay at home, and each error."""

        def note_request(request: Request) -> None:
            if not request.url.startswith((home, "data:", "blob:")):
                self.away.append(request.url)

        def note_answer(answer: Response) -> None:
            self.answers.append(answer)
            if answer.status >= 400:
                self.errors.append(f"{answer.status} {answer.url}")

        def note_message(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.errors.append(message.text)

        self.page.on("request", note_request)
        self.page.on("response", note_answer)
        self.page.on("console", note_message)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def settle(self) -> None:
        """Wait until the page has its fonts, has stopped moving and has nothing left to do."""
        self.page.evaluate(SETTLED)

    def weight(self, address: str = "") -> int:
        """Bytes of all that a page asked for over http, or of one file, as a server that compresses sends it."""
        asked = [answer for answer in self.answers if answer.ok and answer.url.startswith(address)]
        bodies = [(answer.url, answer.body()) for answer in asked]
        return sum(len(body) if url.endswith(PACKED) else len(gzip.compress(body)) for url, body in bodies)
