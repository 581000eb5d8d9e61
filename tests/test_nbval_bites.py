"""The checks of the notebooks can fail: a changed number, a warning and a missing kernel are each refused."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import nbformat
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from waiting import HANG

from mtfl.quoting import RECORDS, records_of

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "book" / "reproduce.ipynb"  # the quickest
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def run(command: list[str], folder: Path) -> CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def nbval(notebook: NotebookNode, folder: Path) -> CompletedProcess[str]:
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


def one_digit_changed(cell: NotebookNode) -> NotebookNode:
    """The cell, as if the last number that it prints had been stored with another last digit."""
    changed = copy.deepcopy(cell)
    changed.id = "one-digit"
    outputs = [output for output in changed.outputs if "text" in output]
    digit = re.search(r"\d(?=\D*$)", outputs[-1].text)
    assert digit, outputs[-1].text
    other = str((int(digit[0]) + 1) % 10)
    outputs[-1].text = outputs[-1].text[: digit.start()] + other + outputs[-1].text[digit.end() :]
    return changed


def half_a_unit_off(cell: NotebookNode) -> NotebookNode:
    """The cell, as if the first number that it quotes had been stored half a unit of its last printed digit off."""
    changed = copy.deepcopy(cell)
    changed.id = "half-a-unit"
    output = next(output for output in changed.outputs if records_of([output]))
    first, *others = records_of([output])
    unit = 10.0 ** -len(first.text.partition(".")[2])
    output.data[RECORDS] = "\n".join(map(str, [replace(first, value=first.value + unit / 2), *others]))
    return changed


def test_stored_outputs_are_reproduced_and_a_changed_number_is_seen(tmp_path: Path) -> None:
    """One notebook, in which the last cell of code stands three times: as it is, and with each change."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [*code, one_digit_changed(code[-1]), half_a_unit_off(code[-1])]
    result = nbval(notebook, tmp_path)
    assert result.returncode == 1
    report, _, summary = result.stdout.partition("short test summary info")  # on a CI machine it tells reasons too
    refused = re.findall(r"^FAILED copy\.ipynb::Cell (\d+)", summary, flags=re.MULTILINE)
    assert refused == [str(len(code)), str(len(code) + 1)], result.stdout
    assert report.count("Cell outputs differ") == 2
    assert f"2 failed, {len(code)} passed" in result.stdout


def build(folder: Path, sources: dict[str, str], kernels: dict[str, str] | None = None) -> CompletedProcess[str]:
    """Do as `make book` does, for a book of these notebooks of one cell each, some with a kernel of another name."""
    book = folder / "book"
    book.mkdir()
    for name, source in sources.items():
        cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(source)]
        kernel = (kernels or {}).get(name, "python3")
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), str(book / f"{name}.ipynb"))
    first, *others = sources
    chapters = "".join(f"- file: {name}\n" for name in others)
    (book / "_toc.yml").write_text(f"format: jb-book\nroot: {first}\n" + (f"chapters:\n{chapters}" if others else ""))
    for name in ("execute.py", "references.bib", "logo.svg"):
        shutil.copy(ROOT / "book" / name, book)
    for name in ("_config.yml", "constraints.txt", "CITATION.cff"):
        shutil.copy(ROOT / name, folder)
    flags = ["--config", "_config.yml", "--path-output", ".", "--all", "-W", "-n", "--keep-going", "-q"]
    executed = run([sys.executable, "book/execute.py"], folder)
    if executed.returncode:
        return executed
    return run([str(Path(sys.executable).with_name("jupyter-book")), "build", "book", *flags], folder)


def test_the_build_refuses_an_exception_a_missing_and_a_dead_kernel(tmp_path: Path) -> None:
    sources = {"error": "raise ValueError('no')", "missing": "print('hello')", "dead": "import os\nos._exit(1)"}
    result = build(tmp_path, sources, {"missing": "no-such-kernel"})
    assert result.returncode != 0
    missing, dead = "missing.ipynb: No such kernel named no-such-kernel", "dead.ipynb: Kernel died"
    for told in ("error.ipynb: An error", "ValueError", missing, dead):
        assert told in result.stderr
    assert "notebooks: 0 run, 3 failed, 0 unchanged" in result.stdout


def test_the_build_refuses_a_warning_and_shows_a_print_that_arrives_in_pieces_whole(tmp_path: Path) -> None:
    pieces = 'for piece in ("pre", "train:", " ", "True\\n"):\n    print(piece, end="", flush=True)'
    result = build(tmp_path, {"page": pieces, "careless": "import warnings\nwarnings.warn('careful')"})
    assert result.returncode != 0
    told = result.stdout + result.stderr
    assert re.findall(r"(\w+)\.ipynb:\d+: ERROR: ", told) == ["careless"], told
    assert "Extension error" not in told
    assert "stderr was found" in told
    page = BeautifulSoup((tmp_path / "_build" / "html" / "page.html").read_text("utf8"), "html.parser")
    assert [output.get_text() for output in page.select(".cell_output pre")] == ["pretrain: True\n"]
