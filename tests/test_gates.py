"""The gates stand: what makes a build, a run or a suite fail is switched on."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf8").replace("\\\n", " ")
PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]


def recipe(target: str) -> list[str]:
    """The commands of a target."""
    _, _, rest = MAKEFILE.partition(f"\n{target}:")
    return [line.strip() for line in rest.partition("\n")[2].split("\n\n")[0].splitlines() if line.startswith("\t")]


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gates_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_warning_ends_the_build() -> None:
    (build,) = (line for line in recipe("$(SITE)/.complete") if line.startswith("jupyter-book build"))
    assert {"-W", "--all", "-n"} <= set(build.split())


def test_all_notebooks_are_compared_and_all_tests_are_run_with_coverage() -> None:
    commands = recipe("test")
    assert not any(line.startswith("-") or "|| true" in line for line in commands)
    (notebooks,) = (line for line in commands if "pytest book" in line)
    assert {"--nbval-lax", "--nbval-current-env"} <= set(notebooks.split())
    (tests,) = (line for line in commands if line.startswith("pytest tests"))
    assert "--cov" in tests.split()
    assert not {"-k", "-m", "--deselect", "--ignore", "--no-cov"} & set(tests.split() + notebooks.split())
    assert "test: $(TEST_STAMP) lint book" in MAKEFILE
    assert [line.split()[0] for line in recipe("lint")] == ["ruff", "ruff", "pyright", "codespell"]


def test_the_suite_is_strict() -> None:
    options = PYTEST["pytest"]["ini_options"]
    assert options["filterwarnings"] == ["error"]
    assert options["xfail_strict"] is True
    assert {"--strict-markers", "--strict-config"} <= set(options["addopts"])
    assert options["testpaths"] == ["tests"]


def test_coverage_has_a_floor() -> None:
    assert PYTEST["coverage"]["report"]["fail_under"] >= 95
    assert PYTEST["coverage"]["run"] == {"branch": True, "source": ["mtfl"]}
    assert not any("mtfl" in line or "def " in line for line in PYTEST["coverage"]["report"]["exclude_also"])


def test_the_machine_of_a_pull_request_runs_all_of_it() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf8").splitlines()
    assert "set -euo pipefail" in script
    assert script[-1] == "make test"
    assert any(line.startswith("export MTFL_NEED_BROWSER=1") for line in script)
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf8"))
    assert "pull_request" in workflow[True]  # YAML takes "on" for a truth value
    (job,) = workflow["jobs"].values()
    assert {"run": "bash .ci/run"} in job["steps"]
    assert "continue-on-error" not in job


def test_arithmetics_and_faults_are_tried_every_week() -> None:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text("utf8"))
    commands = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert any(command.startswith("make arithmetic") for command in commands)
    assert any(command.startswith("make mutants") for command in commands)


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """book/execute.py, of a small project in a folder."""
    module = imported(ROOT / "book" / "execute.py")
    for name in ("constraints.txt", "book/data/a.csv", "book/data/b/c.json", "mtfl/a.py", "mtfl/claims/b.py",
                 "mtfl/explorables/c.js", "mtfl/explorables/d.css", "mtfl/sphinx_ext/e.py",
                 "book/page.ipynb"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    shutil.copy(ROOT / "book" / "execute.py", tmp_path / "book")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "book" / "execute.py"))
    return module


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("constraints.txt", True),
        ("book/data/a.csv", True),
        ("book/data/b/c.json", True),
        ("book/data/new.csv", True),
        ("mtfl/a.py", True),
        ("mtfl/claims/b.py", True),
        ("mtfl/explorables/c.js", True),
        ("mtfl/explorables/d.css", True),
        ("book/execute.py", True),
        ("mtfl/sphinx_ext/e.py", False),  # makes pages, no outputs
        ("book/page.ipynb", False),  # the cache knows notebooks by themselves
    ],
)
def test_outputs_are_made_anew_when_what_they_depend_on_changes(execute: ModuleType, name: str, changes: bool) -> None:
    before = execute.fingerprint()
    path = execute.ROOT / name
    path.write_text((path.read_text("utf8") if path.exists() else "") + "\n")
    assert (execute.fingerprint() != before) == changes


def test_a_cell_that_hangs_is_ended(execute: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the build, where a client waits for cells, and under nbval."""
    asked: dict[str, Any] = {}

    def client(notebook: Any, **options: Any) -> None:
        asked.update(options)
        raise InterruptedError

    page = execute.ROOT / "book" / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), page)
    monkeypatch.setattr(execute, "NotebookClient", client)
    monkeypatch.setattr(execute, "is_cached", lambda cache, notebook: False)
    with pytest.raises(InterruptedError):
        asyncio.run(execute.run(page, None, asyncio.Semaphore(1), False))
    ends = [asked["timeout"], asked["startup_timeout"], asked["iopub_timeout"]]
    ends.append(imported(ROOT / "book" / "conftest.py").HANG)
    assert all(60 <= end <= 3600 for end in ends)
