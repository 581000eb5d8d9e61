"""The package as others get it: what its wheel holds, what it exports, what the README shows, whom it leaves alone."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tomllib
import typing
import zipfile
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch
import yaml

import mtfl
from mtfl.inputs import sign_patterns

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Runs a chapter's kind of use in a package that has just been unpacked: import it, draw a figure, check a claim.
USE = """
import sys
sys.path.insert(0, sys.argv[1])
import mtfl, mtfl.claims, mtfl.claims.__main__ as command
from mtfl.explorables import PaintedTask
assert mtfl.__file__.startswith(sys.argv[1]), mtfl.__file__
command.CLAIMS = mtfl.claims.CLAIMS[:1]
page = PaintedTask().page()
assert "<script" in page and "<style" in page
sys.exit(command.main(["--seeds", "1"]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network from the files of the package alone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mtfl").rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == files
    assert {".js", ".cjs", ".css", ".html", ".typed"} <= {Path(name).suffix for name in held}


def test_shapes_are_checked_while_tests_run() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        sign_patterns(torch.ones(3), torch.ones(2, 1))


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    files = zipfile.ZipFile(wheel)
    (name,) = (name for name in files.namelist() if name.endswith("METADATA"))
    said = files.read(name).decode()
    assert f"\nVersion: {mtfl.__version__}\n" in said
    assert "\nAuthor: " in said and "\nClassifier: Typing :: Typed\n" in said
    assert [name for name in files.namelist() if name.endswith("entry_points.txt")] == []


def test_the_unpacked_wheel_draws_and_checks(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    done = subprocess.run([sys.executable, "-c", USE, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == mtfl.__version__
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        for rule in group:
            assert rule.startswith("mtfl[") or "==" in rule or re.search(r">=[\d.]+,<[\d.]+$", rule), rule


def needed(thing: Any) -> set[type]:
    """Classes of the package that one must have in hand to call a function, or a class and its constructors."""
    calls = [thing]
    if inspect.isclass(thing):
        methods = (value for name, value in vars(thing).items() if not name.startswith("_"))
        calls = [thing.__init__, *(getattr(method, "__func__", method) for method in methods)]
    found: set[type] = set()
    for call in filter(inspect.isfunction, calls):
        hints = typing.get_type_hints(call)
        hints.pop("return", None)
        for hint in hints.values():
            for part in (hint, *typing.get_args(hint)):
                if inspect.isclass(part) and part.__module__.startswith("mtfl."):
                    found.add(part)
    return found


def test_whatever_an_exported_name_needs_is_exported() -> None:
    exported = [getattr(mtfl, name) for name in mtfl.__all__]
    assert mtfl.FrozenFeatures in needed(mtfl.transfer_accuracy)  # the search finds what was missing once
    for thing in exported:
        left = [
            kind.__name__ for kind in needed(thing) if kind not in exported and typing.Protocol not in kind.__bases__
        ]
        assert left == [], f"{thing.__name__} needs {left}"


def test_the_readme_shows_a_use_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code, printed = re.findall(r"```python\n(.*?)```\n\n.*?```text\n(.*?)```", text, flags=re.DOTALL)[0]
    assert len(code.splitlines()) <= 9
    exec(code, {})
    assert capsys.readouterr().out == printed


# A project of somebody else, in an environment where mtfl is installed.
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A slider"},
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": "slider",
            "metadata": {},
            "source": "slider",
            "outputs": [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {
                        "application/vnd.jupyter.widget-view+json": {"model_id": "m", "version_major": 2},
                        "text/plain": "IntSlider(value=3)",
                    },
                }
            ],
        },
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"m": {"state": {}, "model_name": "X"}}}},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


def test_a_foreign_book_is_left_alone(tmp_path: Path) -> None:
    """It is built where mtfl is installed, and does not load its extension: its controls are its own."""
    (tmp_path / "conf.py").write_text("extensions = ['myst_nb']\nnb_execution_mode = 'off'\n")
    (tmp_path / "index.ipynb").write_text(json.dumps(NOTEBOOK))
    code = "import sys, sphinx.cmd.build as build; print(build.main(sys.argv[1:]), 'mtfl' in sys.modules)"
    build = [sys.executable, "-c", code, "-q", "-b", "html", str(tmp_path), str(tmp_path / "out")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0 False\n", "")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget-view+json" in page and "make lab" not in page
