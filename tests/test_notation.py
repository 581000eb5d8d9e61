"""Each letter of a chapter's formulas stands in the tables of the page `notation`, with one meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = sorted(path.stem for path in BOOK.glob("[01]*.ipynb"))
GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu nu xi varpi rho"
    " varrho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell"
).split()
DRESS = "hat bar tilde dot check widehat overline widetilde mathcal mathbf mathbb vec".split()
WORDS = r"\\(?:operatorname\*?|text|mathrm|mathit|textbf|label|tag|begin|end|ref|eqref|htmlClass)\s*\{[^}]*\}"
TOKEN = re.compile(WORDS + r"|\\[a-zA-Z]+|\\.|[^\\]", re.DOTALL)
# Constants, which no chapter may use for anything else.
FIXED = {r"\mathbb E", r"\mathbb R", r"\mathbb Z", r"\mathbf 1", "O", "o", "N", "P", "I"}
SCOPES = ("prf:proof", "dropdown", "exercise", "solution")  # they introduce their own letters


def prose(markdown: str) -> str:
    """The text without its code, and without what proofs and solutions say."""
    kept: list[str] = []
    fences: list[tuple[str, str]] = []  # each one's marks, and what it holds
    for line in markdown.splitlines():
        opening = re.match(r"\s*(`{3,}|:{3,})\s*(?:\{([^}]*)\}|(\w*))", line)
        if opening and fences and opening[1] == fences[-1][0] and not (opening[2] or opening[3]):
            fences.pop()
        elif opening:
            fences.append((opening[1], opening[2] or "code"))
        elif all(holds not in (*SCOPES, "code", "code-cell") for _, holds in fences):
            is_formula = bool(fences) and fences[-1][1] == "math"
            kept.append(line if not is_formula or line.startswith(":") else f"$${line}$$")
    return "\n".join(kept)


def formulas(markdown: str) -> list[str]:
    text = re.sub(r"(?<!`)`[^`$]+`", "", markdown)
    displays = re.findall(r"\$\$(.+?)\$\$", text, flags=re.DOTALL)
    return displays + re.findall(r"(?<!\\)\$([^$]+?)\$", re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL))


def letters(formula: str) -> Iterator[str]:
    """The letters of a formula, each with its accent or alphabet, without its indices."""
    tokens = [token for token in TOKEN.findall(formula) if token.strip()]
    at = 0
    while at < len(tokens):
        name, at = tokens[at], at + 1
        if name[1:] in DRESS and at < len(tokens):
            at += tokens[at] == "{"
            name, at = f"{name} {tokens[at]}", at + 1
            yield name
        elif re.fullmatch(r"[a-zA-Z]", name) or name[1:] in GREEK:
            yield name


def tables() -> dict[str, list[str]]:
    """The letters of each table of the page, by the chapter in its heading; "" for those of the whole book."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in (BOOK / "notation.md").read_text().splitlines():
        if line.startswith("#"):
            chapter = re.search(r"\{doc\}`[^`]*?(\d\d_\w+)>?`", line)
            heading = chapter[1] if chapter else ""
        elif line.startswith("| $"):
            defined = [next(letters(symbol), "") for symbol in formulas(line.split(" | ")[0])]
            found.setdefault(heading, []).extend(defined)
    return found


def used(chapter: str) -> set[str]:
    cells = nbformat.read(BOOK / f"{chapter}.ipynb", as_version=4).cells
    texts = [prose(cell.source) for cell in cells if cell.cell_type == "markdown"]
    return {letter for text in texts for formula in formulas(text) for letter in letters(formula)} - FIXED


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_letter_of_a_chapter_has_one_meaning_in_the_tables(chapter: str) -> None:
    book, own = set(tables()[""]) - {""}, set(tables().get(chapter, []))
    found = {
        "letters of the whole book, with another meaning in this chapter": book & own,
        "letters in no table": used(chapter) - book - own,
        "letters that the chapter does not use": own - used(chapter),
    }
    assert not any(found.values()), {fault: sorted(names) for fault, names in found.items() if names}


def test_each_letter_of_the_whole_book_is_used() -> None:
    assert set(tables()[""]) - {""} <= set().union(*map(used, CHAPTERS))


def test_letters_are_found() -> None:
    formula = r"\hat f_1^\top \bar{g} + \operatorname{sign}(h) \mathcal{K}_{z z'} \le \lambda_k(A) \mathbf 1\{s > 0\}"
    assert list(letters(formula)) == [
        r"\hat f",
        r"\bar g",
        "h",
        r"\mathcal K",
        "z",
        "z",
        r"\lambda",
        "k",
        "A",
        r"\mathbf 1",
        "s",
    ]


def test_scopes_with_letters_of_their_own_are_left_out() -> None:
    theorem = "```{prf:theorem}\n:label: a\nFor $w$,\n$$u$$\n```\n"
    proof = "````{prf:proof}\nLet $p$.\n```{math}\n:label: eq\nq\n```\n````\nSo $t$.\n```{math}\nm\n```"
    found = [letter for formula in formulas(prose(theorem + proof)) for letter in letters(formula)]
    assert found == ["u", "m", "w", "t"]
