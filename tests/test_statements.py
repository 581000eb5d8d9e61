"""Statements, proofs, numbered equations, exercises, tables of symbols and words on the paper are as they were read.

No test can read a formula of a page. ``read.toml`` has the checksum of each, spaces apart: who changes one looks at the
check of that name, at the code that computes it, at the solution, or (``-paper``) at the paper's abstract, and writes
what the failing test says.
``python tests/test_statements.py`` prints the whole file.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).parents[1] / "book"
READ = Path(__file__).with_name("read.toml")
STATEMENT = re.compile(r"^(`{3,}|:{3,})\{prf:(\w+)\}.*?^\1$", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"^:label: (\S+)", re.MULTILINE)
EQUATION = re.compile(r"^\$\$\n((?:(?!\$\$).)*)\$\$ \((eq-[\w-]+)\)", re.DOTALL | re.MULTILINE)
EXERCISE = re.compile(r"^(?:#+ |\*\*)Exercise (\d+)(?:(?!\n(?:#+ |\*\*)Exercise |\n## ).)*", re.DOTALL | re.MULTILINE)
SYMBOLS = re.compile(r"^## ([^\n]+)\n(?:(?!\n## ).)*", re.DOTALL | re.MULTILINE)


def parts(page: str, words: str) -> Iterator[tuple[str, str]]:
    """The name of each part and its words."""
    stated = ""
    for found in STATEMENT.finditer(words):
        label = LABEL.search(found[0])
        stated = label[1] if label else stated
        yield f"{stated}{'-proof' * (found[2] == 'proof')}", found[0]
    yield from ((label, formula) for formula, label in EQUATION.findall(words))
    yield from ((f"{page}-exercise-{found[1]}", found[0]) for found in EXERCISE.finditer(words))
    paper = [part for part in words.split("\n\n") if "collins24a`" in part or '<span id="c1">' in part]
    if paper:
        yield f"{page}-paper", "\n".join(paper)
    if page == "notation":
        yield from ((f"notation-{re.sub(r'[^a-z0-9]+', '-', s[1].lower())}", s[0]) for s in SYMBOLS.finditer(words))


def pages() -> dict[str, str]:
    cells = {path.stem: nbformat.read(path, as_version=4).cells for path in sorted(BOOK.glob("*.ipynb"))}
    found = {page: "\n\n".join(c.source for c in of if c.cell_type == "markdown") for page, of in cells.items()}
    return found | {path.stem: path.read_text("utf8") for path in sorted(BOOK.glob("*.md"))}


def checksum(words: str) -> str:
    return hashlib.sha256("".join(words.split()).encode()).hexdigest()[:8]


def checksums(words: dict[str, str]) -> dict[str, str]:
    found = [(name, checksum(part)) for page, of in words.items() for name, part in parts(page, of)]
    assert len(dict(found)) == len(found), "two parts have one name"
    return dict(found)


def test_what_no_test_can_read_is_what_was_read() -> None:
    now, read = checksums(pages()), tomllib.loads(READ.read_text("utf8"))
    assert sorted(read.keys() - now.keys()) == [], "gone: take them out of read.toml"
    new = [f'{name} = "{value}"' for name, value in now.items() if read.get(name) != value]
    assert new == [], "read these against their checks, then write in read.toml"


@pytest.mark.parametrize(
    ("page", "old", "new", "name"),
    [
        ("03_multitask_training", "Let $\\tau>0$.", "Let $\\tau<0$.", "thm-exact-step"),
        ("03_multitask_training", "a_t = \\kappa", "a_t = -\\kappa", "eq-training-head"),
        ("01_setup", "with probability $3/4$", "with probability $2/3$", "01_setup-exercise-1"),
        ("06_how_many_tasks", "\\sigma_r(V)\\,\\omega_1-R$", "\\sigma_r(V)\\,\\omega_1+R$", "thm-many-fewer-proof"),
        ("intro", "that diminishes with", "that grows with", "intro-paper"),
        ("notation", "| $K = 2^r$ |", "| $K = 2r$ |", "notation-inputs-and-patterns"),
    ],
)
def test_a_change_is_seen(page: str, old: str, new: str, name: str) -> None:
    right = pages()
    assert old in right[page]
    before, after = checksums(right), checksums(right | {page: right[page].replace(old, new)})
    assert [key for key in before if before[key] != after[key]] == [name]
    assert checksum("two words") == checksum("two\n  words") != checksum("other words")


if __name__ == "__main__":
    print("# What was read against its check: see tests/test_statements.py.\n")
    print("\n".join(f'{name} = "{value}"' for name, value in sorted(checksums(pages()).items())))
