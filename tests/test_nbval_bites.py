"""The checks of the notebooks can fail: a changed number, a warning and a missing kernel are each refused."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from waiting import HANG

from mtfl.quoting import RECORDS, records_of

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "book" / "reproduce.ipynb"  # the quickest
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def nbval(notebook: NotebookNode, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval as `make test` does, on a notebook in a folder of its own."""
    nbformat.write(notebook, str(folder / "copy.ipynb"))
    shutil.copy(ROOT / "book" / "conftest.py", folder)
    options = [
        "--nbval-lax",
        "--nbval-current-env",
        "--nbval-kernel-startup-timeout",
        str(HANG),
        "-p",
        "no:cacheprovider",
    ]
    command = [sys.executable, "-m", "pytest", "-q", *options, "copy.ipynb"]
    return run(command, folder)


def one_digit_changed(notebook: NotebookNode) -> NotebookNode:
    """A copy in which the last number that is printed has another last digit."""
    changed = copy.deepcopy(notebook)
    outputs = [output for cell in changed.cells for output in cell.get("outputs", []) if "text" in output]
    digit = re.search(r"\d(?=\D*$)", outputs[-1].text)
    assert digit, outputs[-1].text
    other = str((int(digit[0]) + 1) % 10)
    outputs[-1].text = outputs[-1].text[: digit.start()] + other + outputs[-1].text[digit.end() :]
    return changed


def half_a_unit_off(notebook: NotebookNode) -> NotebookNode:
    """A copy whose first quoted number was stored with another value, half a unit of its last printed digit off."""
    changed = copy.deepcopy(notebook)
    outputs = [output for cell in changed.cells for output in cell.get("outputs", [])]
    output = next(output for output in outputs if records_of([output]))
    first, *others = records_of([output])
    unit = 10.0 ** -len(first.text.partition(".")[2])
    output.data[RECORDS] = "\n".join(map(str, [replace(first, value=first.value + unit / 2), *others]))
    return changed


@pytest.fixture(scope="module")
def stored() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_stored_outputs_are_reproduced(stored: NotebookNode, tmp_path: Path) -> None:
    result = nbval(stored, tmp_path)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("change", [one_digit_changed, half_a_unit_off])
def test_a_changed_number_is_seen(
    stored: NotebookNode, tmp_path: Path, change: Callable[[NotebookNode], NotebookNode]
) -> None:
    result = nbval(change(stored), tmp_path)
    assert result.returncode == 1
    assert "Cell outputs differ" in result.stdout
    assert "1 failed" in result.stdout


def build(folder: Path, source: str, kernel: str = "python3") -> subprocess.CompletedProcess[str]:
    """Do as `make book` does, for a book of one notebook of one cell."""
    book = folder / "book"
    book.mkdir()
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), str(book / "page.ipynb"))
    (book / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    for name in ("execute.py", "references.bib", "logo.svg"):
        shutil.copy(ROOT / "book" / name, book)
    for name in ("_config.yml", "constraints.txt", "CITATION.cff"):
        shutil.copy(ROOT / name, folder)
    flags = ["--config", "_config.yml", "--path-output", ".", "--all", "-W", "-n", "--keep-going", "-q"]
    executed = run([sys.executable, "book/execute.py"], folder)
    if executed.returncode:
        return executed
    return run([str(Path(sys.executable).with_name("jupyter-book")), "build", "book", *flags], folder)


@pytest.mark.parametrize(
    ("source", "kernel", "message"),
    [
        ("import warnings\nwarnings.warn('careful')", "python3", "stderr was found"),
        ("raise ValueError('no')", "python3", "ValueError"),
        ("print('hello')", "no-such-kernel", "No such kernel named no-such-kernel"),
        ("import os\nos._exit(1)", "python3", "Kernel died"),
    ],
    ids=["a warning", "an exception", "a missing kernel", "a dead kernel"],
)
def test_the_build_refuses(tmp_path: Path, source: str, kernel: str, message: str) -> None:
    result = build(tmp_path, source, kernel)
    assert result.returncode != 0
    assert message in result.stdout + result.stderr


def test_a_print_that_arrives_in_pieces_is_shown_whole(tmp_path: Path) -> None:
    pieces = 'for piece in ("pre", "train:", " ", "True\\n"):\n    print(piece, end="", flush=True)'
    result = build(tmp_path, pieces)
    assert result.returncode == 0, result.stdout + result.stderr
    page = BeautifulSoup((tmp_path / "_build" / "html" / "page.html").read_text("utf8"), "html.parser")
    assert [output.get_text() for output in page.select(".cell_output pre")] == ["pretrain: True\n"]
