"""The site's own build steps: a page asks no other site for anything, and shows no control that is dead.

Only the build of the book loads this module.
"""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from myst_nb.core.render import load_mime_renders
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from mtfl import explorables
from mtfl._typeset import typeset
from mtfl.figures import GLYPH
from mtfl.sphinx_ext import (
    cards,
    citing,
    code,
    folding,
    fonts,
    guessing,
    mathematics,
    minutes,
    notebooks,
    policy,
    printing,
    references,
    search,
    statements,
    tables,
    teasers,
    terms,
)

if TYPE_CHECKING:
    from myst_nb.core.render import MimeData, NbElementRenderer
    from sphinx.application import Sphinx
    from sphinx.config import Config

logger = logging.getLogger(__name__)

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
NEEDS_KERNEL = (
    "This picture has a control that needs Python. Open the notebook in Jupyter (make lab) to move it; "
    "here you see its starting value."
)
PICTURES = ("text/html", "image/svg+xml", "image/png")  # best first

# Markup of Sphinx, myst-nb, docutils and sphinx-proof that is wrong for screen readers or as HTML, and its mend.
MENDS = (
    ('<th class="head"><p></p></th>', "<td></td>"),  # the empty corner of a table
    ('<div class="mtfl-table"', '<div tabindex="0" class="mtfl-table"'),  # scrolled by keyboard where it is wide ...
    ('<div class="pst-scrollable', '<div tabindex="0" class="pst-scrollable'),  # ... as this one
    ('<summary aria-label="Toggle hidden content">', "<summary>"),
    ('<div role="list" class="citation-list">', '<div class="citation-list">'),
    (' role="doc-biblioentry"', ""),
    (' id="proof-content"', ""),  # the same id in every theorem
)
RAN = "\N{WHITE HEAVY CHECK MARK}"
ANSWER_TITLE = re.compile(
    r'<p (class="(?:collapsed|expanded) admonition-title")>(.*?)</p>'
)  # the words on a folded answer
STYLE = re.compile(r'(<div class="mtfl-figure"[^>]*>)<style>.*?</style>', flags=re.DOTALL)
FIGURES_STYLE = "explorables.css"
WRITTEN_LAST = (mathematics.STYLE, "proof.css", "mystnb.*.css")
"""Style sheets that come into the site when its pages have been written."""
# The theme asks every box whether it scrolls, so that the keyboard can reach it: at once, and after each change. To
# answer, the browser must lay all of the page out. Ours asks a box when it has been laid out.
ASKS_ALL = 'const e=()=>{document.querySelectorAll(["pre",'
ASKS_THOSE_LAID_OUT = """const boxes = new ResizeObserver((seen) => seen.forEach(({ target }) => {
  target.tabIndex = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight ? 0 : -1;
}));
for (const box of document.querySelectorAll("pre, .cell_output > .output, .pst-scrollable-table-container"))
  boxes.observe(box);
return;
"""
INDEX = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="0; url={page}">
<title>{title}</title>
</head>
<body><a href="{page}">{title}</a></body>
</html>
"""


LITERAL = re.compile(r"(``.+?``|`[^`]+`)")


def escape_bars(line: str) -> str:
    """Keep the bars of an absolute value in a docstring from being read as markup.

    Docstrings write |w| in plain text, where reStructuredText sees the name of a substitution.
    """
    if line.lstrip().startswith((">>>", "...")):
        return line
    return "".join(part if LITERAL.fullmatch(part) else part.replace("|", r"\|") for part in LITERAL.split(line))


def escape_docstring(app: Sphinx, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """Escape the bars in a docstring that autodoc has read; drop the one that Python gives a field of a tuple."""
    lines[:] = [escape_bars(line) for line in lines if not line.startswith("Alias for field number ")]


def first_picture(state: dict[str, Any], model_id: str) -> tuple[str, Any] | None:
    """Find the first picture that a widget captured.

    Args:
        state: the notebook's saved widget models, by their id.
        model_id: the widget to search, with its children, in the order of the page.

    Returns:
        The picture's mime type and content, or None where nothing was drawn.
    """
    model = state.get(model_id, {}).get("state", {})
    for output in model.get("outputs", []):
        data = output.get("data", {})
        for mime_type in PICTURES:
            if mime_type in data:
                return mime_type, data[mime_type]
    for child in model.get("children", []):
        if found := first_picture(state, child.removeprefix("IPY_MODEL_")):
            return found
    return None


class WidgetFallback:
    """A myst-nb renderer: in place of an ipywidgets control, its first picture and how to run it."""

    mime_priority_overrides = (("*", WIDGET_VIEW, 45),)  # text/html (30) of the same output wins

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """Render a widget; return None for any other output."""
        if inline or data.mime_type != WIDGET_VIEW:
            return None
        widgets = renderer.renderer.nb_client.nb_metadata.get("widgets", {})
        state = widgets.get(WIDGET_STATE, {}).get("state", {})
        model_id = data.content["model_id"]  # type: ignore[index]  # JSON, parsed
        if state.get(model_id, {}).get("model_module") == "anywidget":
            return []  # a figure of mtfl.explorables: its HTML, in the same output, needs no Python
        picture = first_picture(state, model_id)
        if picture is None:
            renderer.logger.warning("an interactive cell drew no picture to show in its place", line=data.line)
            return []
        mime_type, content = picture
        shown = renderer.render_mime_type(
            dataclasses.replace(data, mime_type=mime_type, content=content, output_metadata={})
        )
        for image in shown:
            if isinstance(image, nodes.image) and not image.get("alt"):
                renderer.logger.warning("an interactive cell's picture has no alt text", line=data.line)
        return [*shown, nodes.container("", nodes.paragraph("", NEEDS_KERNEL), classes=["mtfl-needs-kernel"])]


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


class FigureLinks(SphinxTransform):
    """Links that set a figure, ``[one task](#fig-neurons?tasks=1)``: their address stays as it is.

    A figure of :mod:`mtfl.explorables` reads it when the reader clicks. A figure that is not on the page is a warning.

    One without a value, ``[5 tasks](#fig-neurons?tasks)``, is a number to drag: the figure makes it a slider, and until
    then it sets the number that its text names. A text without a number is a warning.
    """

    default_priority = 878  # just before MyST looks for a target of this whole name

    def apply(self, **options: Any) -> None:
        """Take these links out of MyST's sight."""
        for link in list(self.document.findall(nodes.reference)):
            target, asks, wanted = link.get("refuri", "").partition("?")
            if not (link.get("id_link") and asks):
                continue
            if not self.document.nametypes.get(nodes.fully_normalize_name(target[1:])):
                logger.warning("no figure on this page is called %s", target[1:], location=link)
            del link["id_link"]
            link["internal"] = True
            link["classes"].append("mtfl-set")
            if wanted and "=" not in wanted:
                number = NUMBER.search(link.astext())
                if number is None:
                    logger.warning("the text of a number to drag must name it: %s", link.astext(), location=link)
                    continue
                link["refuri"] += f"={number[0].replace(',', '')}"
                link["classes"].append("mtfl-scrub")


class AlignedLines(SphinxTransform):
    """Formulas and commands that a docstring sets off, line below line: they keep their lines."""

    default_priority = 300  # before quotation marks are made round

    def apply(self, **options: Any) -> None:
        """Make a block of text of each block quote."""
        for block in list(self.document.findall(nodes.block_quote)):
            if any("docstring of" in (node.source or "") for node in block.findall(nodes.paragraph)):
                text = block.astext()
                block.replace_self(nodes.literal_block(text, text, language="text"))


class PlainStatus(SphinxPostTransform):
    """myst-nb marks a notebook that ran by an emoji, which few fonts have: a word takes its place."""

    default_priority = 9  # just after the table is made

    def run(self, **options: Any) -> None:
        """Put the word where the mark stands alone."""
        for text in list(self.document.findall(nodes.Text)):
            if text == RAN:
                text.parent.replace(text, nodes.Text("ran"))


class QuotedNumbers(SphinxPostTransform):
    """Numbers that the text quotes from cells: Python's hyphen becomes a minus, and its ``3e-08`` a power of ten."""

    default_priority = 9  # just after they are pasted

    def run(self, **options: Any) -> None:
        """Set them as the formulas beside them are set."""
        for quoted in self.document.findall(nodes.inline):
            if "pasted-text" in quoted["classes"]:
                for text in list(quoted.findall(nodes.Text)):
                    text.parent.replace(text, nodes.Text(typeset(text)))


PER_CENT = re.compile(r"(?:(?<=\d)|^) ?(?=%)")
REFERENCE = re.compile(r"[A-Za-z]+\.? \d+(\.\d+)?")


class Unbroken(SphinxPostTransform):
    """No line ends between a number and its per cent sign, nor in a reference such as "Theorem 2.2"."""

    default_priority = 890  # when references have their words, and before formulas are kept with what touches them

    def run(self, **options: Any) -> None:
        """Put a space between number and sign at which no line ends; mark the references."""
        for text in list(self.document.findall(nodes.Text)):
            plain = not isinstance(text.parent, nodes.literal | nodes.math | nodes.raw | nodes.FixedTextElement)
            if plain and PER_CENT.search(text):
                text.parent.replace(text, nodes.Text(PER_CENT.sub("\N{NO-BREAK SPACE}", text)))
        for link in self.document.findall(nodes.reference):
            if REFERENCE.fullmatch(link.astext()):
                link["classes"].append("mtfl-whole")


# A signature of several lines: a list of definitions without terms, inside a term.
SIGNATURE = re.compile(r"<dl>\n((?:<dd><em class=\"sig-param\">.*</dd>\n)+)</dl>\n")


def share_glyphs(body: str) -> str:
    """Keep the first outline of each character: the figures of a page show the same ones, a third of their weight."""
    seen: set[str] = set()

    def first(found: re.Match[str]) -> str:
        is_new = found[1] not in seen
        seen.add(found[1])
        return found[0] if is_new else ""

    return GLYPH.sub(first, body)


def mend(body: str) -> str:
    """Apply the mends to a page's body."""
    body = share_glyphs(body)
    for old, new in MENDS:
        body = body.replace(old, new)
    body = ANSWER_TITLE.sub(r"<span \1>\2</span>", body)
    return SIGNATURE.sub(
        lambda found: found[1].replace("<dd>", '<span class="mtfl-parameter">').replace("</dd>", "</span>"),
        body,
    )


def mend_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Mend a page before it is written. Figures to move share one style sheet; alone, each brings its own."""
    if "body" in context:
        context["body"], figures = STYLE.subn(r"\1", mend(context["body"]))
        if figures:
            app.add_css_file(FIGURES_STYLE)


def drop_widget_scripts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Keep the scripts and the saved state of ipywidgets off a page that shows no widget."""
    files = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("js_files", {})
    for key in [key for key in files if key.startswith("ipywidgets_")]:
        del files[key]


def forget_sheets(app: Sphinx) -> None:
    """Take away what an earlier build wrote at its end: pages would name it with the checksum that it had."""
    for pattern in WRITTEN_LAST:
        for sheet in Path(app.outdir, "_static").glob(pattern):
            sheet.unlink()


def use_layout(app: Sphinx, config: Config) -> None:
    """Take the frame of pages from the folder of this module."""
    config.templates_path.append(str(Path(__file__).parent))


def patch(script: str) -> str:
    """The theme's script, without what makes the browser lay all of a page out.

    Raises:
        ValueError: if the script is not the one that this module knows.
    """
    if script.count(ASKS_ALL) != 1:
        raise ValueError(f"patch: the theme's script must hold {ASKS_ALL!r} once; it has changed. Patch the new one.")
    return script.replace(ASKS_ALL, ASKS_THOSE_LAID_OUT + ASKS_ALL)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Add the way in, patch a script, drop a large one: icons come as a web font."""
    if not exception and app.builder.format == "html":
        out, config = Path(app.outdir), app.config
        (out / ".buildinfo").unlink(missing_ok=True)  # a hash with addresses in memory, which nothing here reads
        index = INDEX.format(
            language=config.language, page=f"{config.root_doc}.html", title=html.escape(config.html_title)
        )
        (out / "index.html").write_text(index, "utf8")
        scripts = out / "_static" / "scripts"
        theme = scripts / "pydata-sphinx-theme.js"
        theme.write_text(patch(theme.read_text("utf8")), "utf8")
        (scripts / "fontawesome.js").unlink(missing_ok=True)


def add_static_files(app: Sphinx, config: Config) -> None:
    """Take the extension's own static files and the figures' style sheet into the site, before its pages are written.

    A page names a style sheet with a checksum of what is there by then.
    """
    figures = Path(explorables.__file__).with_name(FIGURES_STYLE)
    config.html_static_path += [str(Path(__file__).with_name("static")), str(figures)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the steps to Sphinx."""
    renderers: list[Any] = load_mime_renders()
    if WidgetFallback not in renderers:  # an entry point would act in every project
        renderers.append(WidgetFallback)
    app.connect("config-inited", add_static_files)
    app.connect("builder-inited", forget_sheets)
    cards.setup(app)
    citing.setup(app)
    folding.setup(app)
    guessing.setup(app)
    minutes.setup(app)
    policy.setup(app)
    printing.setup(app)
    references.setup(app)
    search.setup(app)
    statements.setup(app)
    tables.setup(app)
    teasers.setup(app)
    terms.setup(app)
    app.add_transform(FigureLinks)
    app.add_transform(AlignedLines)
    app.add_post_transform(PlainStatus)
    app.add_post_transform(QuotedNumbers)
    app.add_post_transform(Unbroken)
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)  # before napoleon rewrites it
    app.connect("html-page-context", drop_widget_scripts, priority=400)  # before myst-nb adds them to the page
    app.connect("html-page-context", mend_page)
    app.connect("html-page-context", code.mend_page)
    app.connect("config-inited", use_layout)
    app.connect("build-finished", finish, priority=400)  # before an index without a title is made
    app.connect("build-finished", fonts.subset_icons, priority=900)
    notebooks.setup(app)
    return mathematics.setup(app)
