"""Statements, proofs, numbered equations, exercises, tables of symbols and words on the paper are as they were read.

No test can read a formula of a page. ``read.toml`` has the checksum of each, spaces apart: who changes one looks at the
check of that name, at the code that computes it, at the solution, or (``-paper``) at the paper's abstract, and writes
what the failing test says. That of a statement has the name of its claim's check in it.

Nor can a test tell whether a sentence cites what it means, or a caption tells what its cell does. So there are the
checksums of names, in their order. A section's (``-names``) has what its words and captions cite, quote, link to,
count, draw or write as a formula, and the settings in its code; a figure's (``-drawn``) the lines of its cell that give
a name or a colour; that of a figure to move its colours, names, constants and rules, and the stops of its controls. Who
changes one follows the link, or looks at the figure and at what is said of it.
``python tests/test_statements.py`` prints the whole file.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nbformat
import pytest

from mtfl.claims import CLAIMS, Claim
from mtfl.explorables.explorable import FOLDER

BOOK = Path(__file__).parents[1] / "book"
READ = Path(__file__).with_name("read.toml")
STATEMENT = re.compile(r"^(`{3,}|:{3,})\{prf:(\w+)\}.*?^\1$", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"^:label: (\S+)", re.MULTILINE)
EQUATION = re.compile(r"^\$\$\n((?:(?!\$\$).)*)\$\$ \((eq-[\w-]+)\)", re.DOTALL | re.MULTILINE)
EXERCISE = re.compile(r"^(?:#+ |\*\*)Exercise (\d+)(?:(?!\n(?:#+ |\*\*)Exercise |\n## ).)*", re.DOTALL | re.MULTILINE)
SYMBOLS = re.compile(r"^## ([^\n]+)\n(?:(?!\n## ).)*", re.DOTALL | re.MULTILINE)
CELL = re.compile(r"^```\{code-cell\} (\S*)\n([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COUNTS = (
    r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?|hundred|thousand"
)
LINES = "blue|vermilion|green|purple|grey|black|white|solid|dashed|dotted|dots|open|thick|thin"
NAMES = re.compile(
    r"\{[\w:]+\}`[^`]*`|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|^\([\w-]+\)=$|^:\w+:[^\n]*"
    rf"|\d+(?:[.,]\d+)*|\b(?:{COUNTS})\b|\b(?i:{LINES})\b",
    re.DOTALL | re.MULTILINE,
)
LOOKS = re.compile(
    r"canvas\([^)]*\)|\b(?:(?:font|title|marker)size|\w*width|height|alpha|[xy]lim|zorder|ncols|shrink|capsize|within)="
    r"(?:\([^)]*\)|[^\s,)]+)"
)
SETTING = re.compile(
    r"(?<![\w.])(?:\d[\d_]+(?:\.\d+)?|\d+\.\d+|\d+e-?\d+|(?<=\w=)\d|(?<=\()[2-9](?=[,)])|(?<=, )[2-9](?=[,)]))(?![\d.])"
    r"|(?:(?<=[(, ])|(?<=\w=))\"(?:uniform|balanced|parity|junta|threshold|hinge|logistic|gaussian|shared|per-task)\""
)
DRAWS = re.compile(
    r"[cC]olou?r|label|title|\b(?:BLUE|VERMILION|GREEN|PURPLE|GREY|INK|PLUS|MINUS)\b|\"[^\"]*\"(?:: |\] \|?= )"
    r"|(?<!\w)[\[(]\"[^\"]*\",|= \"[^\"]*\", \""
)
SETS = re.compile(
    r"\bstops\b|\bvalues: |^const [A-Z]|\b(?:blue|vermilion|green|purple|grey|plus|minus)\b|label:|= [A-Z]\w+\("
)


def check_of(claim: Claim) -> str:
    """Where a claim's check is, what it fixes, and its wrong versions."""
    check = claim.check if isinstance(claim.check, partial) else partial(claim.check)
    return f"{check.func.__module__}.{check.func.__qualname__} {check.keywords} {[*claim.mutants]}"


CHECKS = {claim.id: check_of(claim) for claim in CLAIMS}
LINE = "story-3-one-task-pulls-along-one-line-names"
FEW = "03_multitask_training-finitely-many-tasks-names"


def parts(page: str, words: str) -> Iterator[tuple[str, str]]:
    """The name of each part and its words."""
    cells, words = words, CELL.sub("", words)
    stated = ""
    for found in STATEMENT.finditer(words):
        label = LABEL.search(found[0])
        stated = label[1] if label else stated
        if found[2] == "proof":
            yield f"{stated}-proof", found[0]
        else:
            yield stated, found[0] + CHECKS.get(stated, "")
    yield from ((label, formula) for formula, label in EQUATION.findall(words))
    yield from ((f"{page}-exercise-{found[1]}", found[0]) for found in EXERCISE.finditer(words))
    paper = [part for part in words.split("\n\n") if "collins24a`" in part or '<span id="c1">' in part]
    if paper:
        yield f"{page}-paper", "\n".join(paper)
    if page == "notation":
        yield from ((f"notation-{slug(s[1])}", s[0]) for s in SYMBOLS.finditer(words))
    elif page.startswith(FOLDER.name):
        yield page, "\n".join(line for line in words.splitlines() if SETS.search(line))
    else:
        yield from names(page, cells)


def slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def names(page: str, words: str) -> Iterator[tuple[str, str]]:
    """What is named in each section, outside of the parts whose words all count, and in each figure."""
    for section in re.split(r"^(?=## )", words, flags=re.MULTILINE):
        title = section.partition("\n")[0] if section.startswith("## ") else "opening"
        text = CELL.sub(r"\2", section)
        for part in (STATEMENT, EXERCISE, EQUATION):
            text = part.sub("", text)
        named = NAMES.findall(text)
        for figure, _, code in CELL.findall(section):
            lines = [line for line in code.splitlines() if DRAWS.search(line)]
            if figure and lines:
                yield f"{figure}-drawn", "\n".join(lines)
            named += [] if figure else lines
            named += SETTING.findall(LOOKS.sub("", code))
        if named:
            yield f"{page}-{slug(title)}-names", "\n".join(named)


def source(cell: nbformat.NotebookNode) -> str:
    """A cell as it would stand in a page of text."""
    if cell.cell_type == "markdown":
        return cell.source
    figure = cell.metadata.get("mystnb", {}).get("figure", {"name": "", "caption": ""})
    return f"```{{code-cell}} {figure['name']}\n{' '.join(figure['caption'].split())}\n{cell.source}\n```"


@functools.cache
def pages() -> dict[str, str]:
    cells = {path.stem: nbformat.read(path, as_version=4).cells for path in sorted(BOOK.glob("*.ipynb"))}
    found = {page: "\n\n".join(map(source, of)) for page, of in cells.items()}
    found |= {path.stem: path.read_text("utf8") for path in sorted(BOOK.glob("*.md"))}
    for path in sorted(FOLDER.glob("*.js")):
        if '"./ui.js"' in (drawing := path.read_text("utf8")):
            python = path.with_suffix(".py")
            found[f"{FOLDER.name}-{path.stem}"] = drawing + (python.read_text("utf8") if python.exists() else "")
    return found


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
    assert new == [], "read these against their checks, what they cite, or their pictures, then write in read.toml"


@pytest.mark.parametrize(
    ("page", "old", "new", "name"),
    [
        ("03_multitask_training", "Let $\\tau>0$.", "Let $\\tau<0$.", "thm-exact-step"),
        ("03_multitask_training", "a_t = \\kappa", "a_t = -\\kappa", "eq-training-head"),
        ("01_setup", "with probability $3/4$", "with probability $2/3$", "01_setup-exercise-1"),
        ("06_how_many_tasks", "\\sigma_r(V)\\,\\omega_1-R$", "\\sigma_r(V)\\,\\omega_1+R$", "thm-many-fewer-proof"),
        ("intro", "that diminishes with", "that grows with", "intro-paper"),
        ("notation", "| $K = 2^r$ |", "| $K = 2r$ |", "notation-inputs-and-patterns"),
        ("story", "line ({prf:ref}`thm-single-rank-one`)", "line ({prf:ref}`prop-single-second`)", LINE),
        ("03_multitask_training", "`training-T2-balanced`", "`training-T3-balanced`", FEW),
        ("03_multitask_training", "$n=4096$ inputs in $d=64$", "$n=4096$ inputs in $d=1000$", FEW),
        ("03_multitask_training", "d=64, batch_size=4096", "d=64, batch_size=1024", FEW),
        ("02_pseudo_contrastive_loss", 'BLUE, label="step', 'GREEN, label="step', "fig-loss-pulls-drawn"),
        ("explorables-kernel", "15, 20, 25", "15, 25", "explorables-kernel"),
    ],
)
def test_a_change_is_seen(page: str, old: str, new: str, name: str) -> None:
    right = pages()[page]
    assert old in right
    before, after = checksums({page: right}), checksums({page: right.replace(old, new)})
    assert [key for key in before if before[key] != after[key]] == [name]
    assert checksum("two words") == checksum("two\n  words") != checksum("other words")


def test_a_claim_tied_to_another_check_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"01_setup": pages()["01_setup"]}
    before = checksums(page)
    one, other = "prop-balanced-moments", "cor-parity-moments"
    monkeypatch.setattr(f"{__name__}.CHECKS", CHECKS | {one: CHECKS[other], other: CHECKS[one]})
    assert {name for name, value in checksums(page).items() if before[name] != value} == {one, other}


if __name__ == "__main__":
    print("# What was read against its check: see tests/test_statements.py.\n")
    print("\n".join(f'{name} = "{value}"' for name, value in sorted(checksums(pages()).items())))
