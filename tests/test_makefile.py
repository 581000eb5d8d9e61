"""`make book` builds when anything has changed that the site is made from, and only then."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOL = """#!/bin/sh
echo "$(basename $0)" >> log
mkdir -p _build/html lab
test ! -e broken
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the book's Makefile, and tools that only note that they were called."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt", "_config.yml", "book/page.ipynb", "book/old.md", "mtfl/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name in ("python", "jupyter-book", "jupyter"):
        (tools / name).write_text(TOOL)
        (tools / name).chmod(0o755)
    pins = subprocess.run("cat pyproject.toml constraints.txt | cksum", shell=True, cwd=tmp_path, capture_output=True)
    (tmp_path / ".venv" / f".book-{pins.stdout.split()[0].decode()}").touch()
    return tmp_path


def calls(project: Path, target: str = "book", status: int = 0) -> list[str]:
    """The tools that make calls for a target."""
    (project / "log").write_text("")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    result = subprocess.run(["make", target], cwd=project, env=environment, capture_output=True, text=True)
    assert (result.returncode == 0) == (status == 0), result.stderr
    return (project / "log").read_text().split()


def test_the_book_is_built_once(project: Path) -> None:
    assert calls(project) == ["python", "jupyter-book"]
    assert calls(project) == []
    for stamp in (project / ".venv").glob(".book-*"):  # as the tests' larger environment does
        stamp.touch()
    assert calls(project) == []


@pytest.mark.parametrize("change", ["_config.yml", "book/page.ipynb", "mtfl/a.py", "mtfl/new.py"])
def test_a_change_builds_it_anew(project: Path, change: str) -> None:
    calls(project)
    later = (project / "_build" / "html" / ".complete").stat().st_mtime + 2
    (project / change).touch()
    os.utime(project / change, (later, later))
    assert calls(project) == ["python", "jupyter-book"]


def test_a_file_that_goes_builds_it_anew(project: Path) -> None:
    calls(project)
    later = (project / "_build" / "html" / ".complete").stat().st_mtime + 2
    (project / "book" / "old.md").unlink()
    os.utime(project / "book", (later, later))
    assert calls(project) == ["python", "jupyter-book"]


def test_a_build_that_fails_is_not_taken_for_one(project: Path) -> None:
    (project / "broken").touch()
    assert calls(project, status=2) == ["python"]
    (project / "broken").unlink()
    assert calls(project) == ["python", "jupyter-book"]


def test_jupyterlab_opens_copies_of_the_built_book(project: Path) -> None:
    (project / "book" / "data").mkdir()
    assert calls(project, "lab") == ["python", "jupyter-book", "python", "jupyter"]
    assert (project / "lab" / "data").resolve() == project / "book" / "data"
    assert calls(project, "lab") == ["python", "jupyter"]
