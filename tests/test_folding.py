"""What pages fold: the rule for code, proofs and their ideas, and what the chapters must keep to for it."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from mtfl.sphinx_ext.folding import folded

BOOK = Path(__file__).parents[1] / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
LONGEST_IDEA = 140  # letters of plain text; a command of TeX counts as one
MOST_LINES, WIDEST = 12, 88  # of code that is shown
PROOF = re.compile(r"^([`:]{3,})\{prf:proof\}[^\n]*\n(.*?)^\1\s*$", flags=re.MULTILINE | re.DOTALL)
IDEA = re.compile(r"\s*\*Idea\.\* (\S.*?)\s*(?:\n\s*\n|\Z)", flags=re.DOTALL)
BOOKKEEPING = re.compile(r"\b(?:quote|glue)\(|\balt\s*\+?=")


def code(source: str, *tags: str) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})


@pytest.mark.parametrize(
    ("source", "folds"),
    [
        ("import math\nfrom mtfl.tasks import LAWS", True),
        ("# to come", True),
        ("W = 2 * V", False),
        ("import math\nr = math.sqrt(2)", False),
        ("def f(x):\n    return 2 * x", False),
        ("print(1)", True),
        ("for n in range(3):\n    print(n)", True),
        ("from mtfl.quoting import quote\nx = quote(1.0, '.1f')", True),
        ("from mtfl import figures\nfigures.table([], [])", True),
        ("import matplotlib.pyplot as plt\nplt.plot()", True),
        ("from ipywidgets import interact\ninteract(f);", True),
        ("from mtfl.explorables import TaskKernel\nTaskKernel()", True),
        ("def draw(ax):\n    ax.plot([1])", True),
        ("rows = [1]\nrows", True),
        ("rows = [1]\nrows.append(2)", False),
        ("from mtfl.figurestones import stone\nstone()", False),
    ],
)
def test_the_rule(source: str, folds: bool) -> None:
    assert folded([code(source)]) == [folds]


def test_the_rule_follows_functions_through_a_notebook() -> None:
    text = nbformat.v4.new_markdown_cell("print")
    told = "def told(x):\n    print(x)"
    same = "def same(x):\n    told(x)"
    assert folded([text, code(told), code(same), code("same(1)"), code("same_again(1)")]) == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert folded([code("from mtfl.figures import show"), code("show(1)")]) == [True, True]


def test_a_tag_wins() -> None:
    tags = ("hide-input", "hide-cell", "remove-cell", "remove-input")
    assert folded([code("W = 1", tag) for tag in tags]) == [True] * 4
    assert folded([code("print(1)", "show-input"), code("import math", "show-input")]) == [False, False]


# A page of a book that has nothing else

CONFIGURATION = """
extensions = ["myst_nb", "sphinx_proof", "mtfl.sphinx_ext.folding"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
nb_execution_mode = "off"
html_theme = "basic"
root_doc = "page"
"""
LEMMA = ":::{prf:lemma} Of $x$\n:label: lem-one\n$$ x $$ (eq-one)\n:::\n\n"
TEXT = LEMMA + (
    "```{prf:proof}\n*Idea.* By {eq}`eq-one`, {prf:ref}`lem-one`, or *else* $x$.\n\n"
    "In full,\n\n$$ y. $$ (eq-two)\n```\n\n" + LEMMA.replace("one", "plain") + "```{prf:proof}\nBy $x$, plainly.\n```"
)


def built(
    folder: Path, text: str, *cells: NotebookNode, configuration: str = CONFIGURATION
) -> tuple[BeautifulSoup, str]:
    """A page of this text and of cells, and the warnings of its build."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# A page\n\n{text}"), *cells])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, folder / "page.ipynb")
    (folder / "conf.py").write_text(configuration)
    warnings, log = io.StringIO(), logging.getLogger("sphinx")
    before = log.handlers[:], log.propagate
    with patch_docutils(), docutils_namespace():
        Sphinx(folder, folder, folder / "html", folder / "trees", "html", status=None, warning=warnings).build()
    log.handlers[:], log.propagate = before
    return BeautifulSoup((folder / "html" / "page.html").read_text("utf8"), "html.parser"), warnings.getvalue()


def inner(node: Tag, selector: str) -> Tag:
    (found,) = node.select(selector)
    return found


def test_a_proof_folds_to_its_idea(tmp_path: Path) -> None:
    page, warnings = built(tmp_path, TEXT)
    assert warnings == ""
    idea, plain = page.select("details.mtfl-proof")
    assert (idea["id"], plain["id"]) == ("lem-one-proof", "lem-plain-proof")
    summary = inner(idea, "summary.mtfl-idea")
    assert summary.get_text() == "Proof. Idea: By (1), Lemma 1, or else \\(x\\)."
    assert summary.select("a") == []
    assert summary.select("em") and summary.select(".math")
    assert inner(idea, "p").get_text() == "In full,"
    assert inner(idea, ".math[id]")["id"] == "equation-eq-two"
    assert inner(plain, "summary").get_text() == "Proof"
    assert inner(plain, "p").get_text() == "By \\(x\\), plainly."


@pytest.mark.parametrize("before", ["", LEMMA + "```{prf:proof}\nIt was.\n```\n\n"])
def test_a_proof_without_a_statement_of_its_own_is_a_warning(tmp_path: Path, before: str) -> None:
    _, warnings = built(tmp_path, before + "```{prf:proof}\nIt is.\n```")
    assert warnings.count("a proof must follow its statement") == 1


def test_cells_are_folded_and_silent_ones_marked(tmp_path: Path) -> None:
    output = nbformat.v4.new_output("stream", text="1\n")
    cells = code("print(1)"), code("import math"), code("W = 1"), code("W = 2", "hide-input"), code("3", "hide-cell")
    for cell in (cells[0], cells[4]):
        cell.outputs = [output]
    shown = built(tmp_path, "Text.", *cells)[0].select("div.cell")
    folds = [[box["class"] for box in cell.select("details")] for cell in shown]
    assert folds == [[["mtfl-code"]], [["mtfl-code"]], [], [["mtfl-code"]], [["admonition", "hide", "above-input"]]]
    assert ["mtfl-silent" in cell["class"] for cell in shown] == [False, True, False, True, False]
    assert inner(shown[0], ".mtfl-code > summary").get_text() == "Code"
    assert "print" in inner(shown[0], ".mtfl-code > .cell_input").get_text()
    assert inner(shown[0], ".cell_output").find_parent("details") is None


# What the chapters keep to


def plain(text: str) -> str:
    """A sentence without marks; a command of TeX is one letter."""
    text = re.sub(r"\{[\w:]+\}`([^`]*)`", r"\1", text)
    return re.sub(r"[$*{}^_`]", "", re.sub(r"\\(?:[A-Za-z]+\s*|.)", "x", " ".join(text.split())))


def faults_of_ideas(notebook: NotebookNode) -> list[str]:
    """What is wrong with the ideas of a chapter's proofs, in sentences."""
    found = []
    for cell in notebook.cells:
        for _, proof in PROOF.findall(cell.source) if cell.cell_type == "markdown" else []:
            idea, opening = IDEA.match(proof), " ".join(proof.split())[:40]
            if not idea:
                found.append(f"no idea: {opening}")
            elif len(plain(idea[1])) > LONGEST_IDEA:
                found.append(f"an idea of {len(plain(idea[1]))} letters: {opening}")
            elif not idea[1].endswith("."):
                found.append(f"an idea that is no sentence: {opening}")
    return found


def faults_of_code(notebook: NotebookNode) -> list[str]:
    """Code that is shown and is too much to read, in sentences."""
    found = []
    for cell, folds in zip(notebook.cells, folded(notebook.cells), strict=True):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if cell.cell_type != "code" or folds:
            continue
        if len(lines) > MOST_LINES:
            found.append(f"cell {cell.id}: {len(lines)} lines")
        found += [f"cell {cell.id}: {len(line)} letters: {line.strip()}" for line in lines if len(line) > WIDEST]
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapters_keep_to_it(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert faults_of_ideas(notebook) == []
    assert faults_of_code(notebook) == []
    for cell, folds in zip(notebook.cells, folded(notebook.cells), strict=True):
        if cell.cell_type == "code" and not folds:
            assert not BOOKKEEPING.search(cell.source), cell.id


@pytest.mark.parametrize(
    ("proof", "fault"),
    [
        ("By $x$.", "no idea"),
        ("*Idea.* Symmetry of $x$\n\nThen.", "no sentence"),
        (f"*Idea.* {'So ' * 60}on.\n\nThen.", "letters"),
        ("*Idea.*\n\nThen.", "no idea"),
        ("*Idea.* Symmetry.\n\nThen.", ""),
        ("*Idea.* " + 20 * r"$\operatorname{relu}$ " + "on.\n\nThen.", ""),
    ],
)
def test_an_idea_that_is_missing_or_long_is_seen(proof: str, fault: str) -> None:
    text = nbformat.v4.new_markdown_cell(f"Text.\n\n```{{prf:proof}}\n{proof}\n```\n\nText.")
    found = faults_of_ideas(nbformat.v4.new_notebook(cells=[text]))
    assert [fault in told for told in found] == [True] * bool(fault)


def test_code_that_is_long_or_wide_is_seen() -> None:
    cells = [code("x = 1\n" * 13), code(f"x = {'1' * 90}"), code("x = 1\n\n" * 12), code("print(1)\n" * 13)]
    assert len(faults_of_code(nbformat.v4.new_notebook(cells=cells))) == 2
    assert BOOKKEEPING.search("show(figure, alt='x')") and BOOKKEEPING.search("alt += 'x'")
    assert not BOOKKEEPING.search("salt = 1")
