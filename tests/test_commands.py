"""What a command is told that it cannot do, it answers in one sentence, without a traceback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def said(*command: str, folder: Path = ROOT) -> tuple[int, str]:
    """The exit status of a command, and all that it says."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    options = {"capture_output": True, "text": True, "timeout": 300, "env": environment}
    done = subprocess.run(command, cwd=folder, **options)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["-m", "mtfl.claims", "--seeds", "0"], "python -m mtfl.claims: --seeds must be at least 1; got 0. "),
        (["-m", "mtfl.claims", "--seeds", "9" * 12], "python -m mtfl.claims: --seeds must be at most 10000; got 999"),
        (["-m", "mtfl.claims", "--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
        (["book/execute.py", "--store", "nosuch"], "--store: NOTEBOOK must be one of 01_setup, "),
        (["-m", "benchmarks", "--out", "nosuch"], "python -m benchmarks: --out must be a folder; got nosuch. "),
        (["-m", "benchmarks", "--parts", "nosuch"], "argument --parts: invalid choice: 'nosuch'"),
    ],
)
def test_a_command_refuses_in_a_sentence(command: list[str], sentence: str) -> None:
    status, words = said(sys.executable, *command)
    assert status == 2
    assert sentence in words
    assert "Traceback" not in words


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a Makefile and a page."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "_build" / "html").mkdir(parents=True)
    (tmp_path / "_build" / "html" / "index.html").touch()
    for name in ("pyproject.toml", "constraints.txt", "_config.yml", "book/page.ipynb", "mtfl/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_port_in_use_is_told(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, words = said("make", "serve", f"PORT={port}", f"PYTHON={sys.executable}", folder=site)
    assert status == 2
    assert f"Port {port} is taken, or none. Name another: make serve PORT=8001" in words
    assert "Traceback" not in words


def test_an_empty_name_of_the_interpreter_is_the_default(site: Path) -> None:
    status, words = said("make", "-n", "serve", "PYTHON=", folder=site)
    assert (status, "python3 -m http.server" in words) == (0, True)


def test_an_interpreter_that_is_not_there_is_told(site: Path) -> None:
    status, words = said("make", "book", "PYTHON=nosuch", folder=site)
    assert status == 2
    assert "nosuch must be Python 3.11, 3.12 or 3.13. Name one: make book PYTHON=python3.12" in words
