"""What the reference pages name is what they say: entries of the bibliography, of the glossary and of the notation."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
import yaml
from test_notation import CHAPTERS, formulas, letters, used

import mtfl

BOOK = Path(__file__).parents[1] / "book"
BIBLIOGRAPHY, GLOSSARY, NOTATION = (
    (BOOK / name).read_text("utf8") for name in ("references.bib", "glossary.md", "notation.md")
)

# The bibliography

DEPOSITED_LATER = {"baxter00"}  # on arXiv years after it was printed


LEADS = ("year", "volume", "number", "pages", "doi", "eprint", "isbn", "url")  # where a work is found


def entries(bibliography: str) -> Iterator[tuple[str, dict[str, str]]]:
    for entry in re.split(r"\n(?=@)", bibliography):
        found = re.match(r"@\w+\{(\w+),", entry)
        assert found, entry
        yield found[1], dict(re.findall(r"^\s*(\w+) = \{(.*?)\},?$", entry, flags=re.MULTILINE))


def recorded(bibliography: str) -> dict[str, str]:
    return {key: ", ".join(fields[part] for part in LEADS if part in fields) for key, fields in entries(bibliography)}


def strange_entries(bibliography: str) -> Iterator[str]:
    """What cannot be: a key's year, pages that count down, a volume of another year, a preprint after its paper."""
    for key, fields in entries(bibliography):
        year, preprint = int(fields["year"]), re.match(r"(\d\d)(0[1-9]|1[0-2])\.", fields.get("eprint", ""))
        if f"{year % 100:02}" != re.sub(r"\D", "", key):
            yield f"{key}: the year is {year}"
        if "eprint" in fields and not preprint:
            yield f"{key}: arXiv has no month of {fields['eprint']}"
        digits = [int(digit) for digit in fields.get("isbn", "")]
        if (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10:
            yield f"{key}: ISBN {fields['isbn']}"
        if preprint and 2000 + int(preprint[1]) > year and key not in DEPOSITED_LATER:
            yield f"{key}: arXiv {fields['eprint']} is younger than {year}"
        pages = [int(page) for page in re.findall(r"\b\d+\b", fields.get("pages", ""))]
        if pages != sorted(set(pages)):
            yield f"{key}: pages {fields['pages']}"
        if fields.get("journal") == "Journal of Machine Learning Research" and int(fields["volume"]) + 1999 != year:
            yield f"{key}: volume {fields['volume']} is not of {year}"


def test_entries_of_the_bibliography_agree_with_themselves() -> None:
    assert list(strange_entries(BIBLIOGRAPHY)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("year = {2024}", "year = {2014}"),
        ("{149--198}", "{198--149}"),
        ("volume = {17}", "volume = {18}"),
        ("{2307.06887}", "{2317.06887}"),
        ("{9781421407944}", "{9781421407954}"),
    ],
)
def test_a_slip_in_the_bibliography_is_seen(old: str, new: str) -> None:
    assert BIBLIOGRAPHY.count(old) >= 1
    assert list(strange_entries(BIBLIOGRAPHY.replace(old, new, 1)))


def test_a_work_is_where_it_was_found() -> None:
    """A second record of its numbers: who changes one opens the address first, then writes it there too."""
    assert recorded(BIBLIOGRAPHY) == tomllib.loads(Path(__file__).with_name("works.toml").read_text("utf8"))


def test_the_paper_is_cited_alike_everywhere() -> None:
    (fields,) = (fields for key, fields in entries(BIBLIOGRAPHY) if key == "collins24a")
    (paper,) = yaml.safe_load((BOOK.parent / "CITATION.cff").read_text("utf8"))["references"]
    named = re.sub(r"[{}]", "", fields["title"]), fields["year"], fields["volume"], "arXiv:" + fields["eprint"]
    cited = paper["title"], str(paper["year"]), str(paper["volume"]), paper["identifiers"][0]["value"]
    assert cited == named
    assert [name["family-names"] for name in paper["authors"]] == re.findall(r"(\w+),", fields["author"])


# The glossary

NOT_THERE_BY_NAME = {"orthant", "update", "degree-1 vector"}  # the place says it in a formula


LABEL = re.compile(r"(?::label: |\(|\blabel\{)((?:eq|thm|prop|cor|lem|conj|ch|sec)-[\w-]+)")


def cells_by_label() -> dict[str, str]:
    """Label of a statement, an equation or a section -> the words around it."""
    found = {}
    for path in sorted(BOOK.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for label in LABEL.findall(cell.source):
                found.setdefault(label, cell.source.lower())
    return found


def misplaced(glossary: str) -> Iterator[str]:
    """The terms of an entry that the place which it names does not use."""
    cells = cells_by_label()
    for block in re.findall(r":::\{glossary\}\n(.*?)\n:::", glossary, flags=re.DOTALL):
        for entry in block.split("\n\n"):
            terms = [line for line in entry.splitlines() if line and not line.startswith(" ")]
            see = entry.rpartition("See ")[2]
            assert see != entry or "{doc}" in entry, f"{terms}: name the place that defines it"
            words = [word[: max(4, len(word) - 2)] for word in re.findall(r"[a-z]{4,}", " ".join(terms).lower())]
            for label in re.findall(r"\{(?:prf:ref|eq)\}`([\w-]+)`", see):
                if not any(word in cells[label] for word in words) and not NOT_THERE_BY_NAME & set(terms):
                    yield f"{terms}: {label} does not speak of it"


def test_entries_of_the_glossary_lead_where_their_term_is_used() -> None:
    assert list(misplaced(GLOSSARY)) == []


def test_a_wrong_place_in_the_glossary_is_seen() -> None:
    assert "`prop-walsh`" in GLOSSARY
    assert list(misplaced(GLOSSARY.replace("`prop-walsh`", "`thm-many-linear`")))


# The notation

LATER = {"n", "K", r"\eta"}  # letters that an earlier chapter uses for something small of its own, or with an index
IN_WORDS = {r"K_\infty", r"\mu_z", r"\alpha_z"}  # what the docstring calls otherwise
FIRST = {chapter: used(chapter) for chapter in CHAPTERS}


def callables() -> dict[str, Callable]:
    """The functions and classes of the package by their names."""
    found: dict[str, Callable] = {}
    for info in pkgutil.walk_packages(mtfl.__path__, "mtfl."):
        if not any(part in info.name for part in ("sphinx_ext", "sweeps", "claims", "__main__")):
            module = importlib.import_module(info.name)
            kinds = (
                thing for thing in vars(module).items() if inspect.isfunction(thing[1]) or inspect.isclass(thing[1])
            )
            found |= {name: thing for name, thing in kinds if thing.__module__ == module.__name__}
    return found


def slips(notation: str) -> Iterator[str]:
    """Names that the package has not, functions that do not speak of the symbol, chapters that others precede."""
    known = callables()
    for line in notation.splitlines():
        if not line.startswith("| $"):
            continue
        columns = line.strip("| ").split(" | ")
        symbol = next(iter(formulas(columns[0])), "")
        for name in re.findall(r"`([a-z_]+)\(", line):
            if name not in ("network",) and name not in known:
                yield f"{symbol}: there is no {name}"
            plain = re.sub(r"\\hat (\w)", r"\1hat", symbol).replace("\\", "")
            if re.fullmatch(r"\w+_\w+", plain) and symbol not in IN_WORDS and name in known:
                if plain not in (known[name].__doc__ or ""):
                    yield f"{symbol}: {name} does not speak of {plain}"
        letter, chapter = next(letters(symbol), ""), re.search(r"<(0\d_\w+)>", columns[-1])
        if letter and chapter and letter not in LATER:
            if first := next((c for c in CHAPTERS if letter in FIRST[c]), ""):
                if first != chapter[1]:
                    yield f"{symbol}: {first} uses it first"


def test_the_notation_names_what_the_package_has_and_where_a_symbol_comes_from() -> None:
    assert list(slips(NOTATION)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("`degree_one(coefficients)`", "`degree_two(coefficients)`"),
        ("`task_kernel(F)`", "`task_kernels(F)`"),
        ("| a row of `F` | {doc}`ch. 1 <01_setup>`", "| a row of `F` | {doc}`ch. 6 <06_how_many_tasks>`"),
    ],
)
def test_a_slip_in_the_notation_is_seen(old: str, new: str) -> None:
    assert old in NOTATION
    assert list(slips(NOTATION.replace(old, new)))
