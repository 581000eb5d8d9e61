"""The book's words state no number that no cell computed, and describe every picture in a sentence.

A number in the text, in a caption or in an alternative text may stand if a cell hands it over (then it is a role, and
no digit), if it is a setting (the page's code, or a sweep's file, has it), if it is a whole number of at most a dozen
(an exercise, a degree, a line), or if ``CONSTANTS`` says why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from explorable_examples import KINDS, example
from nbformat import NotebookNode

from mtfl.explorables import Laboratory

BOOK = Path(__file__).parents[1] / "book"
FIGURES = BOOK.parent / "mtfl" / "explorables"
PAGES = sorted([*BOOK.glob("*.ipynb"), *BOOK.glob("*.md")])
A_DOZEN = 12
ANSWER = "worked out in the answer to an exercise"
LEVEL = "the level of an interval or a quantile, a word of the method"
CONSTANTS: dict[str, dict[str, str]] = {
    "01_setup": {
        "0.42": ANSWER,
        "999": "the claim's probability, 1 - 1/1000, in words",
    },
    "02_pseudo_contrastive_loss": {"95 %": LEVEL, "3 %": "where the colours of a figure saturate, a setting of it"},
    "03_multitask_training": {"0.99": "what a cell compares the energy at the end with"},
    "04_single_task_failure": {
        "95 %": LEVEL,
        "222": "classes of tasks of four features, counted by Burnside's formula in test_tasks.py",
        "26": "tasks of the proposition, counted in its proof",
    },
    "05_transfer": {"95 %": LEVEL},
    "06_how_many_tasks": {
        "95 %": LEVEL,
        "2.8": "14/5, of a coefficient of balanced tasks, beside the 5/2 of odd ones: two exact fourth moments",
    },
    "07_beyond_the_assumptions": {
        "110": "of 200 labels: a mean of one tenth",
        "33": "a weight of a cell, times 100",
        **dict.fromkeys(("1.0271", "1.0028", "1.0243", "0.0243", "4.49", "0.264", "0.242"), ANSWER),
    },
    "08_real_data": {
        "95 %": LEVEL,
        "25": "rounds among which trained layers choose, a constant of mtfl.real_transfer",
        "252": "balanced relabellings of ten classes, which a cell counts",
        "45": ANSWER,
    },
    "09_neighbours": {"25": ANSWER},
    "10_neighbours_training": {
        **dict.fromkeys(("5.298", "0.289", "1.529", "2.42", "6.53", "1.15"), ANSWER),
    },
    "11_neighbours_frozen": {"2 %": "what a cell compares two searches for an attack with"},
    "performance": {"5 %": "the least gain for which the trainer changes its library, a constant of mtfl._products"},
    "reproduce": {"3.11": "a version of Python", "3.13": "a version of Python"},
}
"""Page -> number that may stand in its words -> why."""

LEFT_OUT = [
    r"^(`{3,}|:{3,})\{(?:math|code|code-cell|bibliography|toctree)\b.*?^\1",  # formulas, code, lists of pages
    r"^(`{3,})(?!\{).*?^\1",
    r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}",
    r"\{[a-z:-]+\}`[^`]*`",  # roles, those that quote a cell's number too
    r"`[^`]*`",
    r"\[[^\]]*\]\(#[\w-]+\?[^)]*\)",  # what a link sets is tested with its figure
    r"\]\([^)]*\)",
    r"<[^>]*>",
    r"https?://\S+",
    r"^:\w+:.*$",
    r"^\(.*\)=$",
]
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
NUMBER = re.compile(r"(?<![\w.#-])\d[\d,]*(?:\.\d+)?(?:\s?%|e[+-]?\d+)?(?!\.?\w)")
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+")
IN_CODE = re.compile(r"(?<![\w.])\d[\d_]*(?:\.\d+)?")
IMAGE = re.compile(r"!\[([^\]]*)\]\(")


def alt_of(code: str) -> str:
    """The words of the alternative text that a cell gives its figure, in the order in which they stand."""
    texts = []
    for node in ast.walk(ast.parse(code)):
        given = isinstance(node, ast.keyword) and node.arg == "alt"
        made = isinstance(node, (ast.Assign, ast.AugAssign)) and "alt" in {
            target.id for target in ast.walk(node) if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
        }
        if isinstance(node, (ast.keyword, ast.Assign, ast.AugAssign)) and (given or made):
            parts = (part for part in ast.walk(node.value) if isinstance(part, ast.Constant))
            texts += [(part.lineno, part.col_offset, part.value) for part in parts if isinstance(part.value, str)]
    return "".join(text for _, _, text in sorted(texts, key=lambda found: found[:2]))


def words_and_code(path: Path) -> tuple[list[str], str]:
    """All that a page says in words, and all its code but the words in it."""
    if path.suffix == ".md":
        return [path.read_text("utf8")], ""
    cells: list[NotebookNode] = nbformat.read(path, as_version=4).cells
    codes = [cell.source for cell in cells if cell.cell_type == "code"]
    words = [cell.source for cell in cells if cell.cell_type == "markdown"]
    words += [cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "") for cell in cells]
    return words + [alt_of(code) for code in codes], "\n".join(map(without_words, codes))


def without_words(code: str) -> str:
    """A cell's code, all strings empty."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.unparse(tree)


def numbers(words: str) -> Iterator[str]:
    """The numbers in words, and those of a formula that have a decimal point."""
    for pattern in LEFT_OUT:
        words = re.sub(pattern, " § ", words, flags=re.DOTALL | re.MULTILINE)
    for formula in FORMULA.findall(words):
        yield from DECIMAL.findall(formula)
    yield from (found.rstrip(",") for found in NUMBER.findall(FORMULA.sub(" § ", words)))


def strange(words: str, settings: set[str], constants: dict[str, str]) -> list[str]:
    """The numbers that may not stand."""
    found = (number for number in numbers(words) if number.replace(",", "") not in settings)
    return [x for x in found if x not in constants and not (x.isdigit() and int(x) <= A_DOZEN)]


def settings_of(code: str) -> set[str]:
    sweeps = "".join(path.read_text("utf8") for path in sorted((BOOK / "sweeps").glob("*.toml")))
    return {number.replace("_", "") for number in IN_CODE.findall(code + sweeps)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_number_stands_in_words_that_no_cell_computed(path: Path) -> None:
    words, code = words_and_code(path)
    settings, constants = settings_of(code), CONSTANTS.get(path.stem, {})
    assert [number for text in words for number in strange(text, settings, constants)] == []


def test_every_constant_is_still_needed() -> None:
    for page, constants in CONSTANTS.items():
        (path,) = (path for path in PAGES if path.stem == page)
        words, code = words_and_code(path)
        settings = settings_of(code)
        assert {number for text in words for number in strange(text, settings, {})} == set(constants)


# The settings of a figure

SET = re.compile(r"=\s*(\d[\d{},]*(?:\.\d+)?)(?![\d\w^/]|\s*\\(?:frac|sqrt|pi))")
FROM_AFAR = {
    "fig-loss-pairs": ["48"],  # a constant of its module, as in the three that follow
    "fig-pairs": ["48"],
    "fig-training-explore": ["2", "60", "150"],
    "fig-context": ["256"],
    "fig-setup-laws": ["8", "14"],  # powers of two, and what a formula makes of them, here and in the three that follow
    "fig-single-sixteen": ["16", "20"],
    "fig-many-spectrum": ["1024"],
    "tab-single-chances": ["568"],
    "fig-story-one-task": ["0.3", "256"],  # the word of chapter 4 for a direction that counts
    "fig-transfer-biases": ["512"],  # a constant of the page
    "tab-single-atlas-four": ["222"],  # counts of the text above it, here and in the next
    "fig-real-filters": ["252"],
    "fig-near-laws": ["256"],  # half of the sweep's 512 examples
}
"""Figure -> the settings in its caption that its section does not have."""


def figures_and_code(path: Path) -> Iterator[tuple[str, str, str]]:
    """Name, caption, and the code of its section above it, with the sweeps that this reads."""
    codes: list[str] = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            codes = [] if re.search(r"^## ", cell.source, re.MULTILINE) else codes
            continue
        codes.append(cell.source)
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            read = [
                sweep.read_text("utf8")
                for sweep in sorted((BOOK / "sweeps").glob("*.toml"))
                if re.search(rf"\b{sweep.stem}\b|\"{sweep.stem.rpartition('_')[2]}\"", "\n".join(codes))
            ]
            yield figure["name"], figure["caption"], "\n".join([*map(without_words, codes), *read])


def settings_told(caption: str) -> list[str]:
    """The numbers in words that are no constants of the method, and those that a formula gives a letter."""
    given = [number for formula in FORMULA.findall(caption) for number in SET.findall(formula)]
    return [
        re.sub(r"[{},]", "", number) for number in [*given, *strange(caption, set(), {"95 %": LEVEL, "3 %": LEVEL})]
    ]


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_caption_tells_the_settings_of_its_figure(path: Path) -> None:
    for name, caption, code in figures_and_code(path):
        settings = {number.replace("_", "") for number in IN_CODE.findall(code)}
        assert sorted(set(settings_told(caption)) - settings - set(FROM_AFAR.get(name, []))) == [], name


IN_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10, "twelve": 12, "twenty": 20}
REPEATS = re.compile(r"\b(\d[\d,]*|[a-z]+) (?:\w+ )?(?:seeds|draws|splits|runs)\b")
COUNTS = "seeds|draws|runs|times|splits|count|SEEDS|DRAWS|RUNS"
REPEATED = re.compile(rf"\b(?:range\(|\w*(?:{COUNTS}) ?= ?(?:range\()?)(\d[\d_]*)")


def repeats(caption: str) -> set[int]:
    """How often a caption says that something was drawn."""
    said = (number.replace(",", "") for number in REPEATS.findall(caption))
    return {IN_WORDS.get(number) or int(number) for number in said if number in IN_WORDS or number.isdigit()}


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_caption_tells_how_often_was_drawn(path: Path) -> None:
    for name, caption, code in figures_and_code(path):
        drawn = {int(number) for number in REPEATED.findall(code)}
        assert name == "fig-many-layer" or repeats(caption) <= drawn, (
            name
        )  # that one calls a function whose default it is


def test_a_planted_setting_is_found() -> None:
    assert settings_told("Medians of 24 seeds, $d = 1000$, $n = 20{,}000$, $T=2^r$, $a=1/8$.") == [
        "1000",
        "20000",
        "24",
    ]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("The energy is 0.37.", ["0.37"]),
        ("The energy is {glue:text}`energy`, in [3](#thm-a) of 24 seeds.", []),
        ("The energy is $e = 0.37$, at $d = 1000$.", ["0.37"]),
        ("In 93 % of 24 draws, and 4,321 tasks.", ["93 %", "4,321"]),
        ("| a | 0.51 |\n|---|---|", ["0.51"]),
        ("```python\nx = 0.37\n```\nSee `0.4`, Exercise 3 and https://a.org/0.5.", []),
        ("*Median 17 times larger, 1e-7 apart.*", ["17", "1e-7"]),
        ("Version 1.1.5, Lemma 2, a dozen.", []),
    ],
)
def test_a_planted_number_is_found(words: str, found: list[str]) -> None:
    assert sorted(strange(words, {"24"}, {})) == sorted(found)


SIDE = re.compile(
    r"\b(?:Left|Right)\b|\b[Oo]n the (?:left|right)\b(?! of)|\b(?:left|right)(?:-hand)? (?:panel|figure|plot)"
)


def captions_and_alts(path: Path) -> Iterator[str]:
    """What is said of the pictures of a notebook."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            yield cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
            yield alt_of(cell.source)


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_panel_is_called_left_or_right(path: Path) -> None:
    """On a phone the panels of a figure stand one below the other: they are the first and the second."""
    assert [text for text in captions_and_alts(path) if SIDE.search(text)] == []
    assert re.findall(r"\{numref\}`[\w-]+`, (?:left|right)\b", "\n".join(words_and_code(path)[0])) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_panel_of_a_figure_to_move_is_called_left_or_right(kind: type) -> None:
    assert not SIDE.search(example(kind).alt)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("**Two.** Left: one. Second panel: another.", True),
        ("Both rise on the left.", True),
        ("The right panel rises.", True),
        ("In the upper right quadrant, at a right angle, to the left of the line.", False),
    ],
)
def test_a_planted_side_is_found(text: str, found: bool) -> None:
    assert bool(SIDE.search(text)) == found


def is_sentence(alt: str) -> bool:
    return len(alt.split()) >= 4 and alt.rstrip().endswith((".", "!", "?"))


IN_QUOTES = re.compile(r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\\n]|\\.)*`')
STRAIGHT = re.compile(r"\w+'\w+")


@pytest.mark.parametrize("path", sorted(FIGURES.glob("*.js")), ids=lambda path: path.stem)
def test_figures_to_move_have_the_apostrophes_of_print(path: Path) -> None:
    assert STRAIGHT.findall("\n".join(IN_QUOTES.findall(path.read_text("utf8")))) == []


@pytest.mark.parametrize("kind", [*KINDS, Laboratory])
def test_descriptions_of_figures_to_move_have_the_apostrophes_of_print(kind: type) -> None:
    assert STRAIGHT.findall(example(kind).alt) == []


def test_a_planted_apostrophe_is_found() -> None:
    (words,) = IN_QUOTES.findall("""say("W's directions"); // the network's""")
    assert STRAIGHT.findall(words) == ["W's"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pictures_are_described_in_sentences(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells if path.suffix == ".ipynb" else []
    told = [alt_of(cell.source) for cell in cells if cell.cell_type == "code" and re.search(r"\bshow\(", cell.source)]
    told += [alt for text in words_and_code(path)[0] for alt in IMAGE.findall(text)]
    assert [alt for alt in told if not is_sentence(alt)] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_figures_to_move_are_described_in_sentences(kind: type) -> None:
    assert is_sentence(example(kind).alt)
    assert not list(numbers(example(kind).alt))


def test_a_word_is_no_description() -> None:
    assert alt_of('show(figure, alt="x")') == "x"
    assert alt_of('alt = f"A line of {n} points "\nshow(figure, alt=alt + "rises.")') == "A line of  points rises."
    assert not is_sentence("x")
    assert not is_sentence("A line that rises")
