"""The gates stand: what makes a build, a run or a suite fail is switched on."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import jaxtyping
import nbformat
import pytest
import torch
import yaml
from sentences import refuses

import mtfl

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
    (tests,) = (line for line in commands if line.startswith("pytest tests"))
    assert tests.split() == "pytest tests -n 4 --dist worksteal --cov".split()
    options = "-n 3 --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env".split()
    assert notebooks.partition("pytest book ")[2].split() == [*options, "--nbval-kernel-startup-timeout", "1800"]
    assert "test: $(TEST_STAMP) lint book" in MAKEFILE


def test_the_suite_is_strict() -> None:
    options = PYTEST["pytest"]["ini_options"]
    assert options["filterwarnings"] == ["error"]
    assert options["xfail_strict"] is True
    strict = ["-ra", "--strict-markers", "--strict-config", "--import-mode=importlib"]
    plugins = ["-p_hypothesis_pytestplugin", "-pnbval.plugin", "-ppytest_cov.plugin", "-pxdist.plugin"]
    assert options["addopts"] == [*strict, "--disable-plugin-autoload", *plugins]
    assert options["testpaths"] == ["tests"]


def test_coverage_has_a_floor() -> None:
    report = PYTEST["coverage"]["report"]
    assert report.pop("fail_under") >= 95
    assert report == {
        "show_missing": True,
        "skip_covered": True,
        "exclude_also": ["if TYPE_CHECKING:", 'if __name__ == "__main__":'],
    }
    assert PYTEST["coverage"]["run"] == {"branch": True, "source": ["mtfl"]}


def test_style_types_and_spelling_are_checked_everywhere() -> None:
    assert recipe("lint") == ["ruff check .", "ruff format --check .", "pyright", "codespell"]
    assert PYTEST["ruff"]["extend-exclude"] == ["_build"]
    rules = PYTEST["ruff"]["lint"]
    assert set(rules["select"]) >= {"E", "F", "W", "I", "UP", "B", "NPY", "RUF", "D", "TID251"}
    assert set(rules["ignore"]) <= {"F722", "F821", "RUF001", "RUF002", "RUF003", "D105"}
    assert rules["per-file-ignores"] == {"mtfl/**": ["TID251"], "tests/**": ["D"], "book/**": ["D", "B018"]}
    assert set(PYTEST["pyright"]["include"]) >= {"mtfl", "tests", "book", "benchmarks"}
    assert PYTEST["pyright"]["typeCheckingMode"] == "standard"
    assert [key for key in PYTEST["pyright"] if key.startswith("report")] == ["reportUndefinedVariable"]
    assert "exclude" not in PYTEST["pyright"] and "ignore" not in PYTEST["pyright"]
    assert PYTEST["codespell"]["skip"] == "./.git,./.venv,./_build,./lab,*.svg,./constraints.txt"


def test_what_a_cell_says_to_stderr_and_a_link_to_nothing_end_the_build() -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    assert config["execute"]["stderr_output"] == "error"
    assert config["sphinx"]["config"]["nb_execution_raise_on_error"] is True
    assert config["sphinx"]["config"]["nitpick_ignore_regex"] == [["py:class", r"(?!mtfl\.).*"]]
    assert not {"nitpick_ignore", "suppress_warnings"} & set(config["sphinx"]["config"])


@pytest.mark.parametrize("status", [0, 3])
def test_the_machine_of_a_pull_request_runs_all_of_it(tmp_path: Path, status: int) -> None:
    """The script is run, with tools that only note that they were called."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    for name in ("python3", "chromium-headless-shell", "make"):
        says = f'echo "$@, $MTFL_NEED_BROWSER" > "{tmp_path}/asked"; exit {status}' if name == "make" else "exit 0"
        (tmp_path / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / name).chmod(0o755)
    run = subprocess.run(
        ["bash", ".ci/run"], cwd=tmp_path, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True
    )
    assert run.returncode == status
    assert (tmp_path / "asked").read_text() == "test, 1\n"


@pytest.mark.parametrize("name", ["ci", "weekly"])
def test_no_step_of_a_workflow_is_left_out_or_may_fail(name: str) -> None:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf8"))
    for job in workflow["jobs"].values():
        for part in (job, *job["steps"]):
            assert not {"if", "continue-on-error", "shell"} & set(part)
        assert all("|" not in step.get("run", "") for step in job["steps"])


def test_a_pull_request_starts_the_checks() -> None:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf8"))
    assert workflow[True] == {"push": {"branches": ["main"]}, "pull_request": None}  # YAML takes "on" for a truth value
    (job,) = workflow["jobs"].values()
    assert {"run": "bash .ci/run"} in job["steps"]


def test_arithmetics_and_faults_are_tried_every_week() -> None:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text("utf8"))
    commands = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert any(command.startswith("make arithmetic") for command in commands)
    (mutants,) = (command for command in commands if command.startswith("make mutants"))
    assert int(mutants.partition("--sample ")[2].split()[0]) >= 100


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


NO_NOTEBOOKS = {
    "a brace": b"{",
    "nothing": b"",
    "a list": b"[]",
    "a table": b"{}",
    "Latin": b"\xff",
    "deep": b"[" * 10**5,
}


@pytest.mark.parametrize("content", [*NO_NOTEBOOKS.values(), None], ids=[*NO_NOTEBOOKS, "a folder"])
def test_what_is_no_notebook_fails_alone(
    execute: ModuleType, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    page = execute.ROOT / "book" / "page.ipynb"
    page.unlink()
    page.mkdir() if content is None else page.write_bytes(content)
    with ThreadPoolExecutor(1) as aside:
        fate = aside.submit(lambda: asyncio.run(execute.run(page, None, asyncio.Semaphore(1), False))).result()
    assert fate == "failed"
    assert capsys.readouterr().err.startswith("execute: page.ipynb must be a notebook; got an error: ")


def test_a_notebook_that_names_no_kernel_is_stored(execute: ModuleType) -> None:
    page = execute.ROOT / "book" / "page.ipynb"
    execute.store(page, nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]))
    assert nbformat.read(page, as_version=4).metadata == {"language_info": {"name": "python"}}


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
    with ThreadPoolExecutor(1) as aside, pytest.raises(InterruptedError):  # a browser's loop may run in this thread
        aside.submit(lambda: asyncio.run(execute.run(page, None, asyncio.Semaphore(1), False))).result()
    ends = [asked["timeout"], asked["startup_timeout"], asked["iopub_timeout"]]
    ends.append(imported(ROOT / "book" / "conftest.py").HANG)
    assert all(60 <= end <= 3600 for end in ends)


STARTS_A_LOOP = re.compile(r"asyncio\.(?:run|Runner)|.*\.run_(?:until_complete|forever)")


def loops(node: ast.AST) -> Iterator[str]:
    """The event loops that some code starts in its own thread: not what it hands to another one."""
    if isinstance(node, ast.ImportFrom) and node.module == "asyncio":
        yield ast.unparse(node)
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name.rpartition(".")[2] in ("submit", "Thread"):
            return
        if STARTS_A_LOOP.fullmatch(name):
            yield name
    for child in ast.iter_child_nodes(node):
        yield from loops(child)


def test_no_test_starts_a_loop_where_that_of_a_browser_may_run() -> None:
    """Any test can share its worker with those of the site, and a thread has one loop: others start theirs aside."""
    sources = {path.name: path.read_text("utf8") for path in sorted((ROOT / "tests").rglob("*.py"))}
    found = {
        name: [*loops(ast.parse(text))]
        for name, text in sources.items()
        if re.search(r"asyncio|run_until|run_forever", text)
    }
    assert {name: started for name, started in found.items() if started} == {}
    planted = "asyncio.run(main())\nsubprocess.run([])\naside.submit(lambda: asyncio.run(main()))"
    assert [*loops(ast.parse(planted))] == ["asyncio.run"]


def test_annotations_of_shapes_are_checked_while_tests_run() -> None:
    """By the import hook of conftest.py: a shape, an axis of two sizes, and a type that annotations forbid."""
    M = torch.eye(5, 2).double()
    for wrong in ((M[0], M), (torch.ones(3, 4).double(), M), (None, M)):
        with pytest.raises(jaxtyping.TypeCheckError):
            mtfl.energy_ratio(*wrong)  # type: ignore[arg-type]
    with pytest.raises(jaxtyping.TypeCheckError):
        mtfl.FrozenFeatures(torch.ones(3, 4), torch.ones(4))


@pytest.mark.usefixtures("unchecked")
def test_without_the_hook_the_package_speaks_for_itself() -> None:
    with refuses(ValueError, "energy_ratio: W must be of shape (m, 5); got (3, 4). "):
        mtfl.energy_ratio(torch.ones(3, 4).double(), torch.eye(5, 2).double())
