"""What a command is told that it cannot do, it answers in one sentence, without a traceback."""

from __future__ import annotations

import importlib
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
        (["-m", "benchmarks", "--peak", "tiny", "nosuch"], "--peak must be one of S, M, L, tiny and one of "),
        (["-m", "benchmarks", "--parts", "nosuch"], "argument --parts: invalid choice: 'nosuch'"),
    ],
)
def test_a_command_refuses_in_a_sentence(command: list[str], sentence: str) -> None:
    status, words = said(sys.executable, *command)
    assert status == 2
    assert sentence in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--turns", "0"], "--turns must be at least 1; got 0. "),
        (["--seconds", "nan"], "--seconds must be from 0.001 to 3600; got nan. "),
        (["--tfjs", "nosuch"], "--tfjs must be a folder that is there; got nosuch. "),
        (["--out", "nosuch/found.json"], "the folder of --out must be a folder that is there; got nosuch. "),
    ],
)
def test_timing_the_laboratory_is_refused_in_a_sentence(
    options: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # which the import sets
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.syspath_prepend(ROOT)
    laboratory = importlib.import_module("benchmarks.laboratory")
    monkeypatch.setattr(sys, "argv", ["laboratory", *options])
    with pytest.raises(SystemExit) as caught:
        laboratory.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"python -m benchmarks.laboratory: {sentence}")


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


@pytest.mark.parametrize("port", ["0x5001", "8000.0", "-1", "x", "1) + (2"])
def test_a_port_that_is_none_is_told(site: Path, port: str) -> None:
    status, words = said("make", "serve", f"PORT={port}", f"PYTHON={sys.executable}", folder=site)
    assert status == 2
    assert f"Port {port} is taken, or none. Name another: make serve PORT=8001" in words
    assert "usage" not in words


@pytest.mark.parametrize("target", ["book", "serve"])
@pytest.mark.parametrize("name", ["nosuch", "true", "echo"])
def test_an_interpreter_that_is_none_is_told(site: Path, target: str, name: str) -> None:
    status, words = said("make", target, f"PYTHON={name}", folder=site)
    assert status == 2
    assert f"{name} must be Python 3.11, 3.12 or 3.13. Name one: make {target} PYTHON=python3.12" in words
    assert not (site / ".venv").exists()
