"""The notebooks as they are committed: what nbval and the build would pass over in silence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from explorable_examples import KINDS
from jupyter_cache import get_cache
from nbformat import NotebookNode
from pybtex.database import parse_file

from mtfl.quoting import RECORDS, crowded, moved, records_of

BOOK = Path(__file__).parents[1] / "book"
CACHE = BOOK.parent / "_build" / ".jupyter_cache"
BUDGET = 1800  # pieces of work that book/execute.py compares with; the longest notebook was worth 930 to 1490
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
CHAPTER = re.compile(r"[01]\d_")
CITED = re.compile(r"\{cite:[tp]\}`([^`]+)`")
UNNUMBERED = {
    *("cho09", "cristianini01", "daniely20", "denisov91", "ildiz24"),
    *("li89", "palmer92", "rahimi07", "xiao88", "yin88"),
}
"""Works for which no DOI and no arXiv number could be looked up: proceedings without, and older journals."""

CHECKED = {"nbval-check-output", "keep_output"}
TAGS = CHECKED | {"hide-input", "show-input", "hide-cell", "remove-cell"}
MOST_LINES = 15
GLUED = "application/papermill.record/text/plain"
SHOWS = re.compile(r"\bshow\(")
TABLE = re.compile(r"\b(?:atlas_)?table\(")
INTERACTS = re.compile(r"\binteract\(")
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?(?![\w.]*\d)")
ROUNDED = re.compile(r"\.|e[+-]|%")  # what a number has that is no integer
EXPLORABLE = re.compile(rf"^({'|'.join(kind.__name__ for kind in KINDS)})\(", flags=re.MULTILINE)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def lines_of_code(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in cell.source.splitlines())


def printed(outputs: list[NotebookNode]) -> str:
    """What outputs show a reader as text, here and, by name, in the text of the page."""
    texts = [output.text for output in outputs if output.output_type == "stream"]
    return "".join(texts + [text for output in outputs for key, text in output.get("data", {}).items() if key == GLUED])


def unquoted(cell: NotebookNode) -> list[str]:
    """Numbers and statements that a checked cell shows without a record, in sentences."""
    records, text = records_of(cell.outputs), printed(cell.outputs)
    known = {quoted.text.lstrip("<>=#-") for quoted in records} | set(NUMBER.findall(cell.source))
    strange = {number for number in NUMBER.findall(text) if ROUNDED.search(number)} - known
    told = [f"{number} is printed without quote()" for number in sorted(strange)]
    statements, words = sum(quoted.is_statement for quoted in records), len(re.findall(r"\b(?:True|False)\b", text))
    if words > statements:
        told.append(f"{words} times True or False, {statements} statements: use below, above or exactly")
    return told


def faults(notebook: NotebookNode, name: str) -> list[str]:
    """Everything that is wrong with a notebook, in sentences."""
    found = []
    cells = code_cells(notebook)
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel must be python3")
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        found.append("execution counts must be 1, 2, ...: run all cells of a fresh kernel, keep the counts")
    if not any(tags(cell) >= CHECKED for cell in cells):
        found.append("no cell is checked")
    controls = [cell for cell in cells if INTERACTS.search(cell.source) or EXPLORABLE.search(cell.source)]
    if CHAPTER.match(name) and not controls:
        found.append("a chapter must have an interact cell or a figure to move")
    for number, cell in enumerate(cells, start=1):
        where = f"code cell {number}: "
        if unknown := tags(cell) - TAGS:
            found.append(where + f"unknown tags {sorted(unknown)}")
        if tags(cell) & CHECKED and not tags(cell) >= CHECKED:
            found.append(where + "nbval-check-output and keep_output belong together")
        if bool(cell.outputs) != (tags(cell) >= CHECKED):
            found.append(where + "checked cells, and only they, keep their outputs")
        if lines_of_code(cell) > MOST_LINES:
            found.append(where + f"{lines_of_code(cell)} lines of code, more than {MOST_LINES}")
        if tags(cell) >= CHECKED:
            found += [where + fault for fault in unquoted(cell) + crowded(records_of(cell.outputs))]
        if "myst_nb" in cell.source:
            found.append(where + "numbers for the text come from mtfl.quoting")
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        draws = SHOWS.search(cell.source) or cell in controls
        if draws and not (figure.get("name") and figure.get("caption")):
            found.append(where + "a figure needs a name and a caption in its metadata (mystnb.figure)")
        if figure and figure.get("name", "").startswith("tab-") != bool(TABLE.search(cell.source)):
            found.append(where + "the name of a table, and no other, begins with tab-")
        if SHOWS.search(cell.source) and not re.search(r"\balt=", cell.source):
            found.append(where + "a figure needs alt=")
    solves = False
    for number, cell in enumerate(notebook.cells, start=1):
        for heading in re.findall(r"^## (.*)", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else []:
            solves = heading == "Exercises"
        if solves and cell.cell_type == "code" and "hide-cell" not in tags(cell):
            found.append(f"cell {number}: the answer to an exercise stands open; tag it hide-cell")
        if re.search(r"!\[\s*\]\(", cell.source):
            found.append(f"cell {number}: an image needs alt text")
    return found


def built(path: Path) -> Any:
    """A notebook as `make book` ran it: .nb, and .record.data."""
    if not (CACHE / "global.db").exists():
        pytest.fail("no notebook has been run: run 'make book' first")
    cache: Any = get_cache(CACHE)
    return cache.get_cache_bundle(cache.match_cache_notebook(nbformat.read(path, as_version=4)).pk)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_clean(path: Path) -> None:
    assert faults(nbformat.read(path, as_version=4), path.name) == []


def test_figure_names_and_statement_labels_are_unique() -> None:
    names = []
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            names += [cell.metadata.get("mystnb", {}).get("figure", {}).get("name")]
            names += re.findall(r"^:label: (\S+)", cell.source, flags=re.MULTILINE)
    names = [name for name in names if name]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_each_reference_is_cited_and_can_be_looked_up() -> None:
    works = parse_file(str(BOOK / "references.bib"), "bibtex").entries
    text = "".join(path.read_text("utf8") for path in [*NOTEBOOKS, *BOOK.glob("*.md")])
    assert {key.strip() for keys in CITED.findall(text) for key in keys.split(",")} == set(works)
    assert {key for key, work in works.items() if not {"doi", "eprint", "isbn"} & set(work.fields)} == UNNUMBERED


def checked_cell() -> NotebookNode:
    return nbformat.v4.new_code_cell(
        "print(1)",
        execution_count=1,
        metadata={"tags": sorted(CHECKED)},
        outputs=[nbformat.v4.new_output("stream", text="1\n")],
    )


def plain_cell(source: str, **metadata: object) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, execution_count=2, metadata=metadata)


def notebook(*cells: NotebookNode, kernel: str = "python3") -> NotebookNode:
    return nbformat.v4.new_notebook(
        cells=list(cells), metadata={"kernelspec": {"name": kernel, "display_name": kernel}}
    )


FIGURE = {"mystnb": {"figure": {"name": "fig-a", "caption": "A."}}}
UNCOUNTED = checked_cell()
UNCOUNTED.execution_count = None
EMPTIED = checked_cell()
EMPTIED.outputs = []


def printing(text: str, *records: str) -> NotebookNode:
    """A notebook of one checked cell that prints a text and leaves these records."""
    cell = checked_cell()
    data = {RECORDS: "\n".join(records)}
    cell.outputs = [nbformat.v4.new_output("stream", text=text), nbformat.v4.new_output("display_data", data=data)]
    return notebook(cell)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (notebook(checked_cell(), kernel="conda-env"), "kernel"),
        (notebook(UNCOUNTED), "execution counts"),
        (notebook(EMPTIED), "keep their outputs"),
        (notebook(plain_cell("1")), "no cell is checked"),
        (notebook(checked_cell(), plain_cell("1", tags=["keep_output"])), "belong together"),
        (notebook(checked_cell(), plain_cell("1", tags=["nbval-check-ouput"])), "unknown tags"),
        (notebook(checked_cell(), plain_cell("a = 1\n" * 16)), "16 lines"),
        (notebook(checked_cell(), plain_cell("show(figure, alt='A.')")), "name and a caption"),
        (notebook(checked_cell(), plain_cell("show(figure)", **FIGURE)), "alt="),
        (notebook(checked_cell(), plain_cell("table(head, rows, label='A.')", **FIGURE)), "begins with tab-"),
        (notebook(checked_cell(), nbformat.v4.new_markdown_cell("![](a.png)")), "alt text"),
        (notebook(checked_cell(), nbformat.v4.new_markdown_cell("## Exercises"), checked_cell()), "stands open"),
        (notebook(checked_cell()), "interact"),
        (printing("energy 0.91"), "0.91 is printed without quote()"),
        (printing("energy 0.91", "0.92 0.9161 0.0001 0.004"), "0.91 is printed without quote()"),
        (printing("a share of 3%"), "3% is printed without quote()"),
        (printing("below 1e-12: True"), "1 times True or False, 0 statements"),
        (printing("3 above: True", "#0.3 0.5 0.0001 0.2"), "1 times True or False, 0 statements"),
        (printing("energy 0.91", "0.91 0.91499 0.0001 0.00001"), "is 1e-05 from its border"),
        (printing("small: True", "<0.1 0.099 0.01 0.001"), "is 0.001 from its border"),
        (notebook(checked_cell(), plain_cell("from myst_nb import glue")), "mtfl.quoting"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_is_seen(bad: NotebookNode, word: str) -> None:
    assert any(word in fault for fault in faults(bad, "01_chapter.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_build_came_out_as_stored(path: Path) -> None:
    """The book's own run, in this machine's arithmetic; nbval's run is in another one."""
    stored, cached = nbformat.read(path, as_version=4), built(path).nb
    for old, new in zip(code_cells(stored), code_cells(cached), strict=True):
        if tags(old) >= CHECKED:
            assert moved(records_of(old.outputs), records_of(new.outputs)) == []
            assert printed(old.outputs) == printed(new.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_to_its_budget(path: Path) -> None:
    """Seconds of a processor that others use as well say little, their ratio to those of known work much."""
    assert 0 < built(path).record.data["references"] <= BUDGET


def test_a_clean_notebook_has_no_fault() -> None:
    good = notebook(
        *printing("energy 0.91: True", "0.91 0.912 0.0001 0.003", "<1e-12 1e-16 1e-13 1e-12").cells,
        plain_cell("interact(draw)", **FIGURE),
        nbformat.v4.new_code_cell("show(figure, alt='A.')", execution_count=3, metadata=FIGURE),
    )
    assert faults(good, "01_chapter.ipynb") == []
