"""README.md, CONTRIBUTING.md and lists of chapters say what is there: chapters in order, versions, commands, limits."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import test_claims
import test_folding
import test_notebooks
import yaml

from mtfl.claims import CLAIMS

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
MAKEFILE, README, GUIDE = ((ROOT / name).read_text("utf8") for name in ("Makefile", "README.md", "CONTRIBUTING.md"))
PARTS = yaml.safe_load((BOOK / "_toc.yml").read_text("utf8"))["parts"]
CHAPTERS = [chapter["file"] for part in PARTS if part.get("numbered") for chapter in part["chapters"]]


def words(page: str) -> str:
    path = BOOK / f"{page}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def heading(chapter: str) -> str:
    found = re.search(r"^# (.*)$", words(chapter), re.MULTILINE)
    assert found
    return found[1]


def lists() -> Iterator[tuple[str, list[str]]]:
    """The places that list all chapters in their order."""
    yield "intro", re.findall(r"^\d+\. \{doc\}`(\w+)`:", words("intro"), re.MULTILINE)
    yield "story", re.findall(r"^\| \{doc\}`(\w+)` \| \{minutes\}`\1` \|", words("story"), re.MULTILINE)
    known = {int(number): name for number, name in re.findall(r"^\| (\d+)\. (.+?) \|", README, re.MULTILINE)}
    titles = {chapter: heading(chapter) for chapter in CHAPTERS}
    yield (
        "README.md",
        [c for n, name in sorted(known.items()) for c in CHAPTERS[n - 1 : n] if titles[c].startswith(name)],
    )


@pytest.mark.parametrize(("place", "chapters"), [*lists()])
def test_all_chapters_are_listed_in_their_order(place: str, chapters: list[str]) -> None:
    assert chapters == CHAPTERS == sorted(CHAPTERS)


def test_the_versions_of_python_are_told_alike() -> None:
    first, last = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["project"]["requires-python"]).groups()  # type: ignore[union-attr]
    minors = [*range(int(first), int(last))]
    told = {
        "README.md": re.findall(r"3\.(\d\d)\b", README.partition("Python 3")[1] + README.partition("Python 3")[2][:30]),
        "reproduce": re.findall(r"3\.(\d\d) to 3\.(\d\d)", words("reproduce"))[0],
        "Makefile": re.findall(r"3\.(\d\d) to 3\.(\d\d)", MAKEFILE)[0],
        "classifiers": re.findall(r"Python :: 3\.(\d+)", " ".join(PROJECT["project"]["classifiers"])),
    }
    for numbers in told.values():
        assert (int(numbers[0]), int(numbers[-1])) == (minors[0], minors[-1])


def commands(text: str) -> set[str]:
    """What the text tells to type: `make ...` and `python ...`, in lines of their own or in code."""
    return {found.strip() for found in re.findall(r"(?:^|`)((?:make|python) [^`\n#]*)", text, re.MULTILINE)}


def unknown(text: str) -> Iterator[str]:
    """Commands that name a target, a file, a module or an option that is not there."""
    targets = set(re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE))
    for command in commands(text):
        tool, *rest = command.split()
        if tool == "make" and rest[0] not in targets:
            yield command
        elif tool == "python":
            source = ROOT / rest[0]
            if rest[0] == "-m":
                spec = importlib.util.find_spec(rest[1])
                source = Path(spec.origin) if spec and spec.origin else source
                source = source.with_name("__main__.py") if source.name == "__init__.py" else source
            text = source.read_text("utf8") if source.is_file() else ""
            if not text or any(option.split("=")[0] not in text for option in rest if option.startswith("--")):
                yield command


PLACES = {
    "README.md": README,
    "CONTRIBUTING.md": GUIDE,
    **{page: words(page) for page in ("intro", "reproduce", "claims")},
}


@pytest.mark.parametrize("place", PLACES)
def test_commands_that_are_told_exist(place: str) -> None:
    assert commands(PLACES[place])
    assert list(unknown(PLACES[place])) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("`make lab`", "`make labs`"),
        ("book/execute.py --store", "book/execute.py --keep"),
        ("python tests/site/screenshots.py", "python tests/site/screenshot.py"),
        ("`python -m mtfl.sweeps export`", "`python -m mtfl.sweep export`"),
    ],
)
def test_a_wrong_command_is_seen(old: str, new: str) -> None:
    assert old in GUIDE
    assert list(unknown(GUIDE.replace(old, new)))


LIMITS = {
    "must cover {} % of\n  lines and branches": PROJECT["tool"]["coverage"]["report"]["fail_under"],
    "No code cell has more than {} lines of code": test_notebooks.MOST_LINES,
    "folded code may have {}": test_notebooks.MOST_LINES,
    "What is shown has at most {} lines": test_folding.MOST_LINES,
    "lines of {} letters": test_folding.WIDEST,
    "`*Idea.* One sentence.` of at most {} letters": test_folding.LONGEST_IDEA,
    "`sharpness`, {} % or less": round(100 * max(claim.sharpness for claim in CLAIMS)),
    "and the tests for {}, others each day": {5: "five"}[len(test_claims.SEEDS)],
}


@pytest.mark.parametrize("told", LIMITS)
def test_the_guide_tells_the_limits_that_are_kept(told: str) -> None:
    assert re.sub(r"\s+", " ", told.format(LIMITS[told])) in re.sub(r"\s+", " ", GUIDE)
