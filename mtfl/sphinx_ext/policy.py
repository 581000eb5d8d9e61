"""Scripts and style sheets of a page are files of its site, so that a site can forbid all others; README.md says how.

The script of a figure to move, which alone stands in the figure's HTML, becomes a file here: one for all figures of its
kind. Where no script runs, the figure shows its words and the pictures that it begins with: ``still.cjs`` draws them,
in Node, when the book is built. The file is no module, as browsers refuse modules of a page that is opened as a file.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtfl.sphinx_ext.mathematics import node_binary

if TYPE_CHECKING:
    from sphinx.application import Sphinx

EARLY = "early.js"
"""The script that runs before the first frame."""
MARKER = "sphinx_highlight.js"
"""Marks what Sphinx's own search has found, which is not used here. As a page opens it would take away what the history
keeps with it: where a reader who comes back was, and what he had set."""
FIGURE = re.compile(
    r'(?P<start><div class="mtfl-figure" data-key="(?P<key>\w+)"[^>]*><div class="mtfl-x"[^>]*>)'
    r'<noscript>(?P<words>.*?)</noscript>(?P<end></div><script type="application/json">(?P<state>.*?)</script>)'
    r'\s*<script type="module">(?P<script>.*?)</script>',
    flags=re.DOTALL,
)
PLACED = '.mtfl-figure[data-key="{}"]'
MOVES = "The figure moves where scripts run."


@cache
def still(script: str, state: str, key: str) -> str:
    """The pictures that a figure begins with and the sentence below them, as HTML.

    Args:
        script: the figure's.
        state: its state, as JSON.
        key: hexadecimal digits of its own, from which names within the pictures are drawn.

    Raises:
        ValueError: if its script asks for more than ``still.cjs`` has of a page.
    """
    command = [node_binary(), str(Path(__file__).with_name("still.cjs"))]
    question = json.dumps({"script": script, "state": json.loads(state), "seed": int(key, 16) / 16 ** len(key)})
    answer = subprocess.run(command, input=question, capture_output=True, text=True, encoding="utf8")
    if answer.returncode:
        error = re.search(r"^\w*Error: .*", answer.stderr, flags=re.MULTILINE)
        got = error[0] if error else answer.stderr
        raise ValueError(
            f"still: a figure's script must ask only for what still.cjs has of a page; got {got}. Add it there."
        )
    return answer.stdout


def placed(body: str, folder: Path, address: str) -> str:
    """A page's text, its figures' scripts written into a folder, which stands at an address."""

    def place(found: re.Match[str]) -> str:
        script = found["script"].strip()
        any_state = script.replace(PLACED.format(found["key"]), ".mtfl-figure[data-source=SOURCE]")
        if any_state == script:
            raise ValueError(f"placed: a figure's script must look for {PLACED}; got another one. Adapt policy.py.")
        source = hashlib.sha256(any_state.encode()).hexdigest()[:12]
        folder.mkdir(parents=True, exist_ok=True)
        text = any_state.replace("=SOURCE", f'="{source}"')
        (folder / f"{source}.js").write_text(f'"use strict";\n{{\n{text}\n}}\n', "utf8")
        begin = found["start"].replace("data-key=", f'data-source="{source}" data-key=', 1)
        pictures = still(script, found["state"], found["key"])
        without = f'<div class="mtfl-still">{pictures}<p>{MOVES}</p></div>'
        return f'{begin}{without}{found["end"]}<script defer src="{html.escape(address)}/{source}.js"></script>'

    return FIGURE.sub(place, body)


def place_figures(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Place the figures of a page that comes from a source."""
    if doctree is not None:
        folder = Path(app.outdir, "_static", "figures")
        context["body"] = placed(context["body"], folder, context["pathto"]("_static/figures", 1))


def drop_old(app: Sphinx, exception: Exception | None) -> None:
    """Take away the scripts of an earlier build that no page loads any more."""
    scripts = [] if exception else [*Path(app.outdir, "_static", "figures").glob("*.js")]
    pages = "".join(page.read_text("utf8") for page in Path(app.outdir).glob("*.html")) if scripts else ""
    for script in scripts:
        if script.name not in pages:
            script.unlink()


def place_scripts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Let no script but the early one hold the page up; leave out the marker, and those that are no files.

    The latter are lines of the theme which tell its scripts what is not asked for here: a page's name, for a warning
    about versions, and that no search begins by typing.
    """
    files = [script for script in context["script_files"] if script.filename and Path(script.filename).name != MARKER]
    context["script_files"] = [script for script in files if Path(script.filename).name != EARLY]
    context["early_script"] = next(script for script in files if Path(script.filename).name == EARLY)
    for script in context["script_files"]:
        script.attributes["defer"] = "defer"


def add_early(app: Sphinx) -> None:
    """Load the script that runs before the first frame, with the theme's default."""
    mode: dict[str, Any] = {"data-mode": app.config.html_context.get("default_mode", "auto")}
    app.add_js_file(EARLY, **mode)


def setup(app: Sphinx) -> None:
    """Connect the steps."""
    app.connect("builder-inited", add_early)
    app.connect("html-page-context", place_figures, priority=960)  # after the text was read for search and cards
    app.connect("build-finished", drop_old)
    app.connect("html-page-context", place_scripts, priority=900)  # after the theme has added its own
