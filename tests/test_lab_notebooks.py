"""A page as a notebook for JupyterLab: each directive and role by itself, and the copies that a reader may change."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from mtfl.sphinx_ext.lab import lay_out, main
from mtfl.sphinx_ext.notebooks import digest, escape, needs

CONFIGURATION = """
extensions = ["myst_nb", "sphinx_proof", "sphinx_design", "sphinxcontrib.bibtex",
    "mtfl.sphinx_ext.notebooks", "mtfl.sphinx_ext.guessing", "mtfl.sphinx_ext.minutes"]
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath", "substitution"]
myst_substitutions = {"who": "the *reader*"}
bibtex_bibfiles = ["works.bib"]
bibtex_reference_style = "author_year"
nb_execution_mode = "off"
html_theme = "basic"
root_doc = "index"
numfig = True
math_numfig = True
numfig_format = {"figure": "Figure %s", "table": "Table %s"}
prf_realtyp_to_countertyp = {"lemma": "theorem", "theorem": "theorem"}
"""
INDEX = """
# Book

```{toctree}
:numbered:
chapter
other
```
"""
OTHER = """
(ch-other)=
# Other page

A formula of its own, $x$.

$$ z = 0 $$ (eq-other)

```{bibliography}
```
"""
WORKS = """
@article{gauss, author = {Gauss, C. F.}, title = {Work}, journal = {J}, year = {1809}}
@article{euler, author = {Euler, L.}, title = {Early work}, journal = {J}, year = {1736}}
"""
GLUED = "application/papermill.record/"
CELLS = {  # what an author writes, and what JupyterLab is given
    "title": ("(ch-here)=\n# Here *it* begins", "# 1. Here *it* begins"),
    "section": ("(sec-part)=\n## A part\n\nText.", '<div id="sec-part"></div>\n\n## 1.1. A part\n\nText.'),
    "equation": (
        "$$ a = b $$ (eq-one)\n\nand\n\n$$ c \\\\ d $$",
        '<div id="equation-eq-one"></div>\n\n$$\n a = b \n\\tag{1.1}\n$$\n\nand\n\n'
        "$$\n\\begin{split} c \\\\ d \\end{split}\n$$",
    ),
    "statement": (
        ":::{prf:lemma} Of $x$\n:label: lem-one\n:class: source-book main\nLet $x$ be.\n\n$$ x $$ (eq-two)\n:::",
        "**Lemma 1.1** (Of $x$) · *main result*\n\nLet $x$ be.\n\n$$\n x \n\\tag{1.2}\n$$\n\n</div>",
    ),
    "proof": (
        "```{prf:proof}\nBy {eq}`eq-one`.\n```",
        "<summary><em>Proof</em></summary>\n\nBy [(1.1)](chapter.ipynb#cell-id=text-2).\n\n</details>",
    ),
    "references": (
        "{eq}`eq-other`, {prf:ref}`lem-one`, {ref}`here <sec-part>`, {doc}`other`, "
        "{numref}`fig-one`, {numref}`tab-one`.",
        "[(2.1)](other.ipynb#cell-id=other-1-2), [Lemma 1.1](chapter.ipynb#cell-id=text-3), "
        "[here](chapter.ipynb#cell-id=text-1), [Other page](other.ipynb), "
        "[Figure 1.1](chapter.ipynb#cell-id=code), [Table 1.1](chapter.ipynb#cell-id=text-11).",
    ),
    "citation": (
        "{cite:t}`gauss` and {cite:p}`gauss`.",
        "Gauss \\[[1809](other.ipynb#cell-id=other-1-4)\\] and \\[[Gauss, 1809](other.ipynb#cell-id=other-1-4)\\].",
    ),
    "glue": ("{glue:text}`count` of {{ who }}.", "7 of the *reader*."),
    "admonition": (
        ":::{admonition} Take *care*\n- one\n- two\n\n  of two\n:::",
        "**Take *care***\n\n- one\n\n- two\n\n  of two\n\n</div>",
    ),
    "note": (":::{note}\nThis.\n:::", "**Note**\n\nThis.\n\n</div>"),
    "dropdown": (
        ":::{dropdown} Solution\n$y$\n:::",
        "<details><summary><strong>Solution</strong></summary>\n\n$y$\n\n</details>",
    ),
    "table": (
        ":::{table} Of $|x|$\n:name: tab-one\n\n| a | $\\|b\\|$ |\n|---|---|\n| `c` | **d** |\n:::",
        '<div id="tab-one"></div>\n\n*Table 1.1* Of $|x|$\n\n'
        "| a | $\\vert b\\vert $ |\n| :--- | :--- |\n| `c` | **d** |",
    ),
    "code": (
        "```python\nf'{x}' # $ {eq}`eq-one` :::{note}\n```\n\nand `{eq}`, ``a`b``.",
        "```python\nf'{x}' # $ {eq}`eq-one` :::{note}\n```\n\nand `{eq}`, ``a`b``.",
    ),
    "list": ("3. three\n4. four\n\n   > said", "3. three\n\n4. four\n\n   > said"),
    "package": (
        "```{eval-rst}\n.. py:function:: f(a: int, *, b: str = 'x') -> int\n\n   Does.\n\n   :param a: one.\n```",
        "```python\nf(a: int, *, b: str = 'x') -> int\n```\n\n"
        '<div style="padding-left: 2em">\n\nDoes.\n\n**Parameters**\n\n<strong>a</strong> – one.\n\n</div>',
    ),
    "long signature": (
        f"```{{eval-rst}}\n.. py:function:: long({'a' * 50}, {'b' * 50})\n```",
        f"```python\nlong(\n    {'a' * 50},\n    {'b' * 50}\n)\n```",
    ),
    "plain": (
        "1\\. no list, \\*no emphasis\\*, a_b \\_c\\_, \\$5 < \\$6 & **b**old",
        "1\\. no list, \\*no emphasis\\*, a_b \\_c\\_, \\\\$5 \\< \\\\$6 \\& <strong>b</strong>old",
    ),
    "guess": (
        ":::{guess} How many $x$?\n:options: 1 | a*b\n:right: 1\n\nOne *only*.\n:::",
        "**How many $x$?**\n\n- 1\n- a\\*b\n\n<details><summary>Answer</summary>\n\nOne *only*.\n\n</details>",
    ),
    "reading time": ("It takes {minutes}`chapter`.", "It takes 5 min."),
    "sets a figure": ("[one](https://example.org/?a=1#b)", "[one](https://example.org/?a=1#b)"),
    "idea of a proof": (
        ":::{prf:lemma}\n:label: lem-three\nIt is.\n:::\n\n"
        "```{prf:proof}\n*Idea.* By {eq}`eq-one` $a<b$ & *so $c$*.\n\nIn full.\n```",
        "<summary><em>Proof.</em> Idea: By (1.1) $a<b$ &amp; so $c$.</summary>\n\nIn full.\n\n</details>",
    ),
    "mid-cell": (
        "Before, {cite:t}`euler`.\n\n$$ v $$ (eq-three)\n\nAfter, by {eq}`eq-three`.",
        "$$\n v \n\\tag{1.3}\n$$\n\nAfter, by [(1.3)](#equation-eq-three).",
    ),
}


def build(folder: Path, **pages: str) -> str:
    """Build a book of a chapter with a cell for each construct, and other pages; return the warnings."""
    figure = {"caption": "See {prf:ref}`lem-one`.", "name": "fig-one"}
    record = {f"{GLUED}text/plain": "7"}
    outputs = [
        nbformat.v4.new_output("display_data", record, metadata={"scrapbook": {"name": "count", "mime_prefix": GLUED}}),
        nbformat.v4.new_output("display_data", {"text/html": "<b>drawn</b>"}),
    ]
    metadata = {"tags": ["hide-input"], "mystnb": {"figure": figure}}
    code = nbformat.v4.new_code_cell("draw()", id="code", metadata=metadata, outputs=outputs, execution_count=1)
    removed = nbformat.v4.new_code_cell("start()", id="removed", metadata={"tags": ["remove-cell"]}, execution_count=2)
    texts = [nbformat.v4.new_markdown_cell(text, id=f"text-{n}") for n, (text, _) in enumerate(CELLS.values())]
    notebook = nbformat.v4.new_notebook(cells=[texts[0], code, removed, *texts[1:]])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, folder / "chapter.ipynb")
    files = {"conf.py": CONFIGURATION, "index.md": INDEX, "other.md": OTHER, "works.bib": WORKS} | pages
    for name, text in files.items():
        (folder / name).write_text(text)
    warnings, made, log = io.StringIO(), folder / "html", logging.getLogger("sphinx")
    before = log.handlers[:], log.propagate
    with patch_docutils(), docutils_namespace():
        Sphinx(folder, folder, made, folder / "trees", "html", status=None, warning=warnings).build()
    log.handlers[:], log.propagate = before
    return warnings.getvalue()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the notebooks of a book."""
    folder = tmp_path_factory.mktemp("book")
    assert build(folder) == ""
    return folder / "html" / "_sources"


@pytest.fixture(scope="module")
def chapter(sources: Path) -> NotebookNode:
    return nbformat.read(sources / "chapter.ipynb", as_version=4)


@pytest.mark.parametrize("construct", CELLS)
def test_each_construct_becomes_markdown(chapter: NotebookNode, construct: str) -> None:
    assert CELLS[construct][1] in "\n\n".join(cell.source for cell in chapter.cells)


def test_the_first_cell_says_what_it_needs(chapter: NotebookNode) -> None:
    title, box, *_ = chapter.cells[0].source.split("\n\n")
    assert title == "# 1. Here *it* begins"
    assert box.startswith("<div")
    assert "you need Python 3.11, 3.12 or 3.13 and the package `mtfl`." in chapter.cells[0].source


@pytest.mark.parametrize(
    ("repository", "code", "says", "not_said"),
    [
        ("", "draw()", ["The book's repository has", '`pip install ".[book]"`'], ["git clone", "`data`"]),
        ("https://e.org/b", "draw()", ["(`git clone https://e.org/b`)", "mtfl[book] @ git+https://e.org/b"], []),
        ("", 'read("data/long.csv")', ["beside the notebook the book's folder `data`"], []),
    ],
)
def test_it_says_how_to_get_it(repository: str, code: str, says: list[str], not_said: list[str]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    text = needs("page", notebook, repository)
    assert all(words in text for words in [*says, "`book/page.ipynb`"])
    assert not any(words in text for words in not_said)


def test_code_stays_as_it_is_and_what_the_site_hides_is_folded(chapter: NotebookNode) -> None:
    code, caption, removed = chapter.cells[1:4]
    assert code.outputs[1].data == {"text/html": "<b>drawn</b>"}
    assert code.metadata.jupyter == {"source_hidden": True}
    assert code.metadata.tags == ["hide-input"]
    assert "*Figure 1.1* See [Lemma 1.1](chapter.ipynb#cell-id=text-3)." in caption.source
    assert [code.id, caption.id, removed.id] == ["code", "code-caption", "removed"]
    assert (removed.source, removed.execution_count) == ("start()", 2)
    assert removed.metadata.jupyter == {"source_hidden": True}


def test_a_page_that_is_no_notebook_becomes_one(sources: Path) -> None:
    other = nbformat.read(sources / "other.ipynb", as_version=4)
    assert [(cell.id, cell.source) for cell in other.cells] == [
        ("other-1", "# 2. Other page\n\nA formula of its own, $x$."),
        ("other-1-2", '<div id="equation-eq-other"></div>\n\n$$\n z = 0 \n\\tag{2.1}\n$$'),
        ("other-1-3", '<div id="id3"></div>\n\n\\[Eul36\\] L.\xa0Euler. Early work. *J*, 1736.'),
        ("other-1-4", '<div id="id2"></div>\n\n\\[Gau09\\] C.\xa0F. Gauss. Work. *J*, 1809.'),
    ]


def test_what_a_link_leads_to_starts_a_cell(chapter: NotebookNode) -> None:
    *_, before, equation = chapter.cells
    assert before.source.startswith("Before") and "$$" not in before.source
    assert equation.source.startswith('<div id="equation-eq-three"></div>\n\n$$')
    assert equation.id == f"{before.id}-2"


def test_what_has_no_markdown_is_a_warning(tmp_path: Path) -> None:
    warnings = build(tmp_path, **{"other.md": OTHER + "\n---\n"})
    assert "a notebook has no Markdown for transition" in warnings


def test_plain_text_stays_plain() -> None:
    assert escape("2 * 3 < 7 [x] `y` $5") == r"2 \* 3 \< 7 \[x\] \`y\` \\$5"


def written(folder: Path, **texts: str) -> Path:
    """A folder with notebooks as the build writes them."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text, id="code")])
        notebook.metadata["mtfl"] = {"written": digest(notebook)}
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


def change(path: Path, **changes: Any) -> None:
    """Change the first cell of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].update(changes)
    nbformat.write(notebook, path)


def sources_of(folder: Path) -> dict[str, str]:
    return {path.stem: nbformat.read(path, as_version=4).cells[0].source for path in folder.glob("*.ipynb")}


def test_copies_follow_the_book_unless_a_reader_has_changed_them(tmp_path: Path) -> None:
    book, lab = written(tmp_path / "book", read="1", run="1", changed="1", gone="1"), tmp_path / "lab"
    assert lay_out(book, lab) == []
    assert sources_of(lab) == dict.fromkeys(("read", "run", "changed", "gone"), "1")
    change(lab / "run.ipynb", execution_count=7)
    change(lab / "changed.ipynb", source="mine")
    (lab / "gone.ipynb").unlink()

    assert lay_out(book, lab) == []  # the book is the same
    assert sources_of(lab) == {"read": "1", "run": "1", "changed": "mine", "gone": "1"}
    assert nbformat.read(lab / "run.ipynb", as_version=4).cells[0].execution_count == 7

    written(book, read="2", run="2", changed="2", gone="2")
    assert lay_out(book, lab) == [lab / "changed.ipynb"]
    assert sources_of(lab) == {"read": "2", "run": "2", "changed": "mine", "gone": "2"}


def test_a_notebook_of_the_readers_own_is_not_overwritten(tmp_path: Path) -> None:
    book, lab = written(tmp_path / "book", page="1"), tmp_path / "lab"
    lab.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("mine")]), lab / "page.ipynb")
    assert lay_out(book, lab) == [lab / "page.ipynb"]
    assert sources_of(lab) == {"page": "mine"}


def test_a_copy_that_is_no_notebook_any_more_stays(tmp_path: Path) -> None:
    book, lab = written(tmp_path / "book", page="1"), tmp_path / "lab"
    lab.mkdir()
    for text in ("", "{", "[]"):
        (lab / "page.ipynb").write_text(text)
        assert lay_out(book, lab) == [lab / "page.ipynb"]
        assert (lab / "page.ipynb").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["nosuch", "lab"],
            "python -m mtfl.sphinx_ext.lab: SOURCE must be a folder; got nosuch. Run make book first.\n",
        ),
        ([".", "file"], "python -m mtfl.sphinx_ext.lab: file must be written to; got File exists. Mend that.\n"),
        ([], "usage: python -m mtfl.sphinx_ext.lab"),
    ],
)
def test_the_command_says_what_it_misses(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(sentence)
