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

from mtfl.claims import __main__ as claims

ROOT = Path(__file__).parents[1]


def said(*command: str, folder: Path = ROOT) -> tuple[int, str]:
    """The exit status of a command, and all that it says."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    options = {"capture_output": True, "text": True, "timeout": 300, "env": environment}
    done = subprocess.run(command, cwd=folder, **options)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        ("0", "python -m mtfl.claims: --seeds must be at least 1; got 0. "),
        ("9" * 12, "python -m mtfl.claims: --seeds must be at most 10000; got 999"),
        ("x", "argument --seeds: invalid int value: 'x'"),
    ],
)
def test_checking_the_claims_is_refused_in_a_sentence(
    seeds: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        claims.main(["--seeds", seeds])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


def test_running_the_notebooks_is_refused_in_a_sentence() -> None:
    status, words = said(sys.executable, "book/execute.py", "--store", "nosuch")
    assert status == 2
    assert "--store: NOTEBOOK must be one of 01_setup, " in words
    assert "Traceback" not in words


# One process, which sets its affinity, for all that the command refuses.
BENCHMARKS = """
import sys
from benchmarks.__main__ import main

for arguments in ("--out nosuch", "--peak tiny nosuch", "--parts nosuch"):
    sys.argv[1:] = arguments.split()
    try:
        main()
    except SystemExit as ended:
        print("ended with", ended.code, file=sys.stderr)
"""


def test_timing_the_training_is_refused_in_a_sentence() -> None:
    status, words = said(sys.executable, "-c", BENCHMARKS)
    out, peak, parts = words.split("ended with 2\n")[:3]
    assert "python -m benchmarks: --out must be a folder; got nosuch. " in out
    assert "--peak must be one of S, M, L, tiny and one of " in peak
    assert "argument --parts: invalid choice: 'nosuch'" in parts
    assert status == 0 and "Traceback" not in words


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
