"""What a page shows at once, and what it folds: proofs to their ideas, and code that a reader need not read.

A proof whose first paragraph is ``*Idea.* One sentence.`` folds to this sentence. **Code is folded if it only imports,
or if it draws, prints or quotes; all other code is shown.** A tag of the cell, ``hide-input`` or ``show-input``, wins
over the rule. ``static/folding.js`` moves what is folded, ``layout.html`` does so before the first frame.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx_proof.nodes import proof_node

from mtfl.sphinx_ext.statements import is_statement

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

FOR_THE_PAGE = ("mtfl.figures", "mtfl.quoting", "mtfl.explorables", "matplotlib", "IPython", "ipywidgets")
"""Modules whose names a cell uses to draw, to print or to quote."""
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
SHOWN = "show-input"
KINDS = {
    "proof": ("Proofs", "Open or fold all proofs"),
    "code": ("Code", "Open or fold the code that only imports, draws, prints or quotes"),
}
"""What is folded: the class of its ``<details>`` after ``mtfl-``; the name of its switch, and what that does."""


def is_for_the_page(module: str) -> bool:
    """Whether a module serves to draw, to print or to quote."""
    return any(module == known or module.startswith(f"{known}.") for known in FOR_THE_PAGE)


def imported(node: ast.AST) -> list[str]:
    """The names that an import takes from modules which serve the page."""
    if isinstance(node, ast.Import):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names if is_for_the_page(alias.name)]
    if isinstance(node, ast.ImportFrom):
        source = node.module or ""
        return [
            alias.asname or alias.name
            for alias in node.names
            if is_for_the_page(source) or is_for_the_page(f"{source}.{alias.name}")
        ]
    return []


def names_in(node: ast.AST) -> set[str]:
    """All names that occur in a piece of code, those of parameters too."""
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return found | {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}


def folded(cells: Iterable[NotebookNode]) -> list[bool]:
    """Which cells of a notebook are folded; False for those that have no code.

    A function of the notebook draws, prints or quotes if its own code does, and so does a cell that calls it. A cell
    that ends with the name of a value prints it. ``ax`` is a panel that is drawn on.

    Args:
        cells: all cells of a notebook, in their order.

    Raises:
        SyntaxError: if code is no plain Python.
    """
    serves = {"print", "display", "ax"}
    found = []
    for cell in cells:
        if cell.cell_type != "code":
            found.append(False)
            continue
        tree = ast.parse(cell.source)
        work = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        serves.update(name for node in ast.walk(tree) for name in imported(node))
        serves.update(node.name for node in work if isinstance(node, ast.FunctionDef) and names_in(node) & serves)
        prints = bool(work) and isinstance(work[-1], ast.Expr) and isinstance(work[-1].value, ast.Name | ast.Attribute)
        tags = set(cell.metadata.get("tags", []))
        by_rule = not work or prints or any(names_in(node) & serves for node in work)
        found.append(bool(tags & FOLDED) or (by_rule and SHOWN not in tags))
    return found


class Proof(NamedTuple):
    """The parts of a proof."""

    idea: list[nodes.Node] | None
    """The sentence that it folds to, in a line of text without links; None if the proof has none."""
    blocks: list[nodes.Node]
    """All that comes after, without the word "Proof."."""


def without_links(children: Sequence[nodes.Node]) -> list[nodes.Node]:
    """A line of text whose links are plain text, as what a click opens has no room for them."""
    line = nodes.inline("", "", *(child.deepcopy() for child in children))
    for link in list(line.findall(nodes.reference)):
        link.parent.replace(link, link.children)
    return line.children


def parts_of_proof(node: nodes.Element) -> Proof:
    """Split a proof, to which sphinx-proof has added its first word, into its idea and its blocks."""
    first, *rest = node.children[0].children
    assert isinstance(first, nodes.paragraph)
    word, *others = first.children
    if word.astext().strip() == "Proof." and others and isinstance(others[0], nodes.emphasis):
        mark, *sentence = others
        if mark.astext() == "Idea." and sentence:
            return Proof(without_links(sentence), rest)
    opening = nodes.paragraph("", "", nodes.Text(word.astext().removeprefix("Proof.").lstrip()), *others)
    return Proof(None, [opening, *rest])


def visit_proof(translator: HTML5Translator, node: nodes.Element) -> None:
    """Write a proof, folded to its idea."""
    idea, blocks = parts_of_proof(node)
    translator.body.append(translator.starttag(node, "details", CLASS="mtfl-proof"))
    title = "<strong>Proof</strong>" if idea is None else "<strong>Proof.</strong> Idea:"
    translator.body.append(f'<summary class="mtfl-idea">{title}')
    for child in idea or []:
        child.walkabout(translator)
    translator.body.append("</summary>\n")
    for block in blocks:
        block.walkabout(translator)
    translator.body.append("</details>\n")
    raise nodes.SkipNode


class NameProofs(SphinxPostTransform):
    """Each proof gets an id, after the statement before it: ``thm-x-proof``."""

    default_priority = 198
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Go through the statements and proofs of a page."""
        label, taken = "", set[str]()
        for node in self.document.findall(nodes.Element):
            if isinstance(node, proof_node):
                if not label or f"{label}-proof" in taken:
                    logger.warning("a proof must follow its statement, and no other proof of it", location=node)
                    continue
                node["ids"] = [f"{label}-proof"]
                node.children[0]["ids"] = []  # type: ignore[index]  # an element; all have the same
                taken.add(node["ids"][0])
            elif is_statement(node):
                label = node["label"]


class folded_code(nodes.container):
    """The code of a cell, folded."""


def visit_code(translator: HTML5Translator, node: nodes.Element) -> None:
    """Open the box of folded code."""
    translator.body.append(translator.starttag(node, "details", CLASS="mtfl-code") + "<summary>Code</summary>\n")


def depart_code(translator: HTML5Translator, node: nodes.Element) -> None:
    """Close the box of folded code."""
    translator.body.append("</details>\n")


class FoldCode(SphinxPostTransform):
    """Put the code that is folded into boxes; cells of which nothing else is seen are marked."""

    default_priority = 198  # outputs have their form, and myst-nb has not folded what has a tag
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Go through the cells of a page."""
        path = self.env.doc2path(self.env.docname)
        if not path.endswith(".ipynb"):
            return
        folds = folded(nbformat.read(path, as_version=4).cells)
        for cell in list(self.document.findall(nodes.container)):
            if cell.get("nb_element") != "cell_code" or not folds[cell["cell_index"]]:
                continue
            if cell.get("hide_mode") == "all":  # the answer to an exercise, which is no code alone
                continue
            cell.attributes.pop("hide_mode", None)
            code, *outputs = cell.children
            cell.replace(code, folded_code("", code))
            if not any(isinstance(output, nodes.Element) and len(output) for output in outputs):
                cell["classes"].append("mtfl-silent")


class LayOutEnd(SphinxPostTransform):
    """Mark the last two sections of a page: they are laid out at once, so that a link into them finds its place.

    A style sheet that asked for the last ones would see others last as the page comes in, and style each of them anew.
    """

    default_priority = 198
    formats = ("html",)

    def run(self, **options: Any) -> None:
        """Mark them."""
        for page in self.document.children:
            for section in [child for child in page.children if isinstance(child, nodes.section)][-2:]:
                section["classes"].append("mtfl-end")


def add_switches(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Name the switches that a page needs."""
    body = context.get("body", "")
    context["folds"] = {
        kind: words for kind, words in KINDS.items() if re.search(rf'<details class="[^"]*\bmtfl-{kind}\b', body)
    }


def setup(app: Sphinx) -> None:
    """Connect the steps."""
    app.add_node(proof_node, override=True, html=(visit_proof, None))
    app.add_node(folded_code, html=(visit_code, depart_code))
    for step in (NameProofs, FoldCode, LayOutEnd):
        app.add_post_transform(step)
    app.add_js_file("folding.js", loading_method="defer")
    app.connect("html-page-context", add_switches, priority=400)  # before the theme drops what is empty
