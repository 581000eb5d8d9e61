"""The registry of claims: what passes, what fails, what the ledger says, and every claim with all its mutants."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import json
import math
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from day import DAY
from sentences import refuses

from mtfl.claims import CLAIMS, Claim, Evidence, Ledger, __main__, judge
from mtfl.claims.ledger import sharpness
from mtfl.claims.registry import Generous, Lower, Upper, constants, near_mutants, parts, stated

BOOK = Path(__file__).parents[1] / "book"
# Five of twenty, in four days all; the ledger's page judges on 0 and 1 each time.
SEEDS = range(DAY.toordinal() % 4, 20, 4)
STATES_NOTHING = {"proof", "definition", "algorithm", "example", "assumption", "axiom"}
STATES_NO_CONSTANT = {
    **{f"C{number}": "a sentence of the paper; what is measured, and its bounds, are ours" for number in range(1, 8)},
    "prop-nothing-else": "an invariance",
    "conj-many-rounds": "a conjecture; its check asks for more than its threshold",
    "cor-bias-free-parity": "a quantity is zero",
    "thm-dimension-free": "two laws are equal",
    "cor-linear-layer-blind": "the zero head minimises the risk",
    "thm-neighbour-context": "two laws are equal",
    "prop-neighbour-adversary": "an invariance, and two laws are equal",
    "thm-neighbour-robust-optimal": "an infimum is that over fewer functions",
}
"""Claim without a constant -> what it says instead."""


def measured(values: list[float], bound: float = 1.0, relation: str = "at most") -> Callable[[int], Evidence]:
    return lambda seed: Evidence("the number", values[seed], relation, bound)  # type: ignore[arg-type]


def a_claim(values: list[float], mutants: dict[str, list[float]], name: str = "thm-test") -> Claim:
    checks = {wrong: measured(numbers) for wrong, numbers in mutants.items()}
    return Claim(name, "01_setup", measured(values), checks)


GOOD = a_claim([0.5, 0.9], {"factor 3": [1.5, 2.7]})


# Judging


def test_evidence_at_and_beyond_its_bound() -> None:
    for value, relation, holds, fails, margin in [
        (0.9, "at most", True, False, 0.1),
        (1.0, "at most", True, False, 0.0),
        (1.1, "at most", False, True, -0.1),
        (1.1, "at least", True, False, 0.1),
        (0.9, "at least", False, True, -0.1),
        (math.inf, "at most", False, True, -math.inf),
    ]:
        evidence = measured([value], relation=relation)(0)
        assert (evidence.holds, evidence.fails) == (holds, fails)
        assert evidence.margin == pytest.approx(margin)


def test_evidence_holds_floats() -> None:
    evidence = Evidence("a count", np.float64(1), "at most", 2)
    assert [type(x) for x in (evidence.measured, evidence.bound, evidence.margin)] == [float, float, float]
    assert evidence.holds is True


def test_nan_neither_holds_nor_fails() -> None:
    evidence = measured([math.nan])(0)
    assert not evidence.holds
    assert not evidence.fails


def test_a_claim_passes_when_all_seeds_hold_and_all_mutants_fail() -> None:
    verdict = judge(GOOD, range(2))
    assert verdict.passes
    assert [e.measured for e in verdict.tightest] == [0.9]
    assert [[e.measured for e in parts] for parts in verdict.evidence] == [[0.5], [0.9]]
    assert verdict.closest_mutants["factor 3"].measured == 1.5
    assert verdict.claim is GOOD


@pytest.mark.parametrize(
    ("values", "mutants"),
    [
        ([0.5, 1.1], {"wrong": [2, 2]}),  # one seed breaks the bound
        ([0.5, math.nan], {"wrong": [2, 2]}),  # one seed measures nothing
        ([0.5, 0.5], {"wrong": [2, 0.9]}),  # a mutant passes on one seed
        ([0.5, 0.5], {"wrong": [2, 2], "idle": [0.5, 0.5]}),  # one of two mutants passes
        ([0.5, 0.5], {"wrong": [2, math.nan]}),  # a mutant measures nothing
    ],
)
def test_a_claim_fails_otherwise(values: list[float], mutants: dict[str, list[float]]) -> None:
    assert not judge(a_claim(values, mutants), range(2)).passes


def test_the_tightest_evidence_shows_nan() -> None:
    verdict = judge(a_claim([0.5, math.nan, 3.0], {"wrong": [2, math.nan, 1.01]}), range(3))
    assert math.isnan(verdict.tightest[0].measured)
    assert math.isnan(verdict.closest_mutants["wrong"].measured)


def two_parts(
    seed: int, *, slope: float = 2.0, most: Upper = 3.0, least: Lower = 0.5, times: Generous = 4.0, shift: float = 0.0
) -> tuple[Evidence, Evidence]:
    """Bounds that are attained, by a line and by a supremum of 1 that is stated as 4."""
    error = max(abs(2 - slope), 3 - most, least - 0.5, abs(4 / times - 1))
    return Evidence("line", error + shift, "at most", 1e-9), Evidence("all", 100.0 + seed, "at least", 10)


def test_near_mutants_scale_every_constant_to_its_false_side() -> None:
    near = near_mutants(two_parts, 0.05)
    assert list(near) == ["slope +5 %", "slope -5 %", "most -5 %", "least +5 %", "times +5 %", "times -5 %"]
    assert [check(0)[0].measured for check in near.values()] == pytest.approx(  # type: ignore[index]
        [0.1, 0.1, 0.15, 0.025, 1 - 1 / 1.05, 1 / 0.95 - 1]
    )
    claim = stated("01_setup", "thm-test", two_parts, {"shifted": {"shift": 0.1}}, sharpness=0.01)
    assert list(claim.wrong) == ["shifted", *near_mutants(two_parts, 0.01)]
    assert claim.generous == {"times": 4.0}
    assert sharpness(claim) == "1 %; times: generous, 4 times the sharp bound"
    assert judge(claim, range(3)).passes
    words = [sharpness(dataclasses.replace(claim, sharpness=error)) for error in (0.025, 1e-3, 1e-4)]
    assert [word.split(";")[0] for word in words] == ["2.5 %", "1 in 1000", "any error"]


def test_constants_of_a_check_whose_keywords_are_fixed() -> None:
    fixed = partial(two_parts, slope=2.5)
    assert constants(fixed)["slope"].default == 2.5
    assert near_mutants(fixed, 0.1)["slope -10 %"](0)[0].measured == pytest.approx(0.25)  # type: ignore[index]
    assert not judge(stated("01_setup", "thm-test", fixed), [0]).passes


def test_a_mutant_is_caught_by_any_of_the_parts() -> None:
    def parts(seed: int, *, first: bool = True, second: bool = True) -> tuple[Evidence, ...]:
        return Evidence("a", 1 - first, "at most", 0.5), Evidence("b", 100 * (1 - second) + seed, "at most", 50)

    verdict = judge(stated("01_setup", "x", parts, {"no a": {"first": False}, "no b": {"second": False}}), [0, 1])
    assert verdict.passes
    assert [e.measured for e in verdict.tightest] == [0, 1]
    assert [(e.what, e.measured) for e in verdict.closest_mutants.values()] == [("a", 1), ("b", 100)]
    assert not judge(stated("01_setup", "x", parts, {"nothing": {}}), [0]).passes


def test_sentences_of_the_paper_are_those_that_were_read_against_its_abstract() -> None:
    """Who changes one reads it again, and writes the new checksum here."""
    sentences = "\n".join(claim.statement for claim in CLAIMS if claim.statement)
    assert hashlib.sha256(sentences.encode()).hexdigest()[:16] == "9245625055169515"


@pytest.mark.usefixtures("unchecked")
def test_bad_claims_are_refused() -> None:
    with refuses(ValueError, "Claim: mutants must be at least one; got none for thm-test. "):
        a_claim([0.5], {})
    with refuses(ValueError, "judge: seeds must be non-empty; got none. "):
        judge(GOOD, [])
    for many in (range(10_001), range(10**400)):
        with refuses(ValueError, "judge: seeds must be at most 10000; got range(0, 1"):
            judge(GOOD, many)
    for number, rule in ((10**400, "a number below 2^1024"), (None, "a number"), ("1", "a number")):
        with refuses(TypeError, f"Evidence: measured must be {rule}; got "):
            Evidence("a count", number, "at most", 1)  # type: ignore[arg-type]


# The ledger


def test_ledger_as_text_and_as_a_page() -> None:
    broken = a_claim([0.5, 1.25], {"idle <x>": [0.25, 3]}, "thm-broken")
    ledger = Ledger([judge(GOOD, range(2)), judge(broken, range(2))])
    assert ledger.failures == 1
    lines = [" ".join(line.split()) for line in str(ledger).splitlines()]
    assert lines == [
        "pass thm-test the number: 0.9, at most 1",
        "caught mutant factor 3: 1.5",
        "FAIL thm-broken the number: 1.25, at most 1",
        "passes! mutant idle <x>: 0.25",
        "1 claims pass, 1 fail",
    ]
    page = ledger._repr_html_()
    assert page.count("<article") == 2
    assert "0 of 1 wrong versions are caught" in page
    assert 'href="01_setup.html#thm-test"' in page
    assert "<!-- statement 01_setup thm-test -->" in page
    assert "states no constant" in page
    assert "idle &lt;x&gt;: 0.25 (not caught)" in page
    assert "<x>" not in page


@pytest.mark.parametrize(
    ("claims", "status", "last"),
    [
        ([GOOD], 0, "1 claims pass, 0 fail"),
        ([GOOD, a_claim([0.5, 1.1], {"wrong": [2, 2]})], 1, "1 claims pass, 1 fail"),
        ([a_claim([0.5, 0.5], {"idle": [0.5, 2]}), GOOD], 1, "1 claims pass, 1 fail"),
    ],
    ids=["good", "broken claim", "passing mutant"],
)
def test_command_exits_by_the_verdicts(
    claims: list[Claim], status: int, last: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "CLAIMS", tuple(claims))
    assert __main__.main(["--seeds", "2"]) == status
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_command_runs_as_a_module() -> None:
    broken = (
        "import runpy, sys, mtfl.claims as c\n"
        "bad = lambda seed: c.Evidence('it', 2.0, 'at most', 1.0)\n"
        "c.CLAIMS = (c.Claim('thm-x', '01_setup', bad, {'wrong': bad}),)\n"
        "sys.argv = ['claims', '--seeds', '1']\n"
        "runpy.run_module('mtfl.claims', run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    assert "FAIL  thm-x" in result.stdout
    assert "0 claims pass, 1 fail" in result.stdout


# The claims of the book


def test_ids_are_unique_and_sources_fit() -> None:
    ids = [claim.id for claim in CLAIMS]
    assert len(ids) == len(set(ids))
    for claim in CLAIMS:
        assert claim.source == ("paper" if re.fullmatch(r"C\d", claim.id) else "this book")
        assert claim.source == "this book" or re.fullmatch(r"[A-Z].*\.", claim.statement)


def test_every_claim_has_constants_or_a_reason() -> None:
    without = {claim.id for claim in CLAIMS if not constants(claim.check)}
    assert without == set(STATES_NO_CONSTANT)
    assert all(claim.sharpness <= 0.1 for claim in CLAIMS)


EXTREMES = {
    **dict.fromkeys(("largest", "worst", "error", "distance", "gap", "excess", "difference"), "at most"),
    **dict.fromkeys(("least", "lowest", "smallest"), "at least"),
}
THE_OTHER_WAY = {  # a least value is compared with what it must not miss, a largest one is a unit
    "least value over -(K - 1), off 1",
    "least loss found minus stated",
    "least share over its upper bound, the largest",
    "least share at e = 1, rows along one direction",
    "its normal: -u1 u2 u3, in units of the largest",
}


def against_the_extreme(source: str) -> Iterator[str]:
    """Of the evidence in some code, what names an extreme or an error first and is compared the other way."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Evidence" and len(call.args) == 4:
            what, relation = ast.unparse(call.args[0])[1:-1], ast.unparse(call.args[2])[1:-1]
            named = re.search(rf"\b({'|'.join(EXTREMES)})\b", what)
            if named and relation != EXTREMES[named[1]]:
                yield what


def test_a_largest_is_at_most_and_a_least_at_least() -> None:
    sources = [path.read_text("utf8") for path in sorted(Path(inspect.getfile(Claim)).parent.glob("*.py"))]
    assert {what for source in sources for what in against_the_extreme(source)} == THE_OTHER_WAY
    assert list(against_the_extreme('Evidence("least error", 1.0, "at most", 2.0)')) == ["least error"]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_keyword_of_a_check_is_varied(claim: Claim) -> None:
    """A keyword that no mutant changes guards nothing."""
    fixed = claim.check.keywords if isinstance(claim.check, partial) else {}
    keywords = {p.name for p in inspect.signature(claim.check).parameters.values() if p.kind is p.KEYWORD_ONLY}
    varied = {
        name
        for wrong in claim.mutants.values()
        for name, value in wrong.keywords.items()  # type: ignore[attr-defined]
        if value != fixed.get(name, inspect.Parameter.empty)
    }
    assert keywords - set(fixed) - varied - set(constants(claim.check)) == set()


def statements() -> dict[str, list[str]]:
    """Labels of the numbered statements of each notebook; a statement without a label counts as an empty one."""
    found: dict[str, list[str]] = {}
    opening = re.compile(r"^(`{3,}|:{3,})\{prf:(\w+)\}[^\n]*\n((?::[^\n]*\n)*)", flags=re.MULTILINE)
    for path in sorted(BOOK.glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "markdown":
                for _, kind, options in opening.findall("".join(cell["source"]) + "\n"):
                    if kind not in STATES_NOTHING:
                        label = re.search(r"^:label: (\S+)", options, flags=re.MULTILINE)
                        found.setdefault(path.stem, []).append(label.group(1) if label else "")
    return found


def test_labels_of_the_book_and_ids_of_claims_are_the_same_set() -> None:
    labels = {label for chapter in statements().values() for label in chapter}
    ids = {claim.id for claim in CLAIMS}
    paper = {f"C{number}" for number in range(1, 8)}
    assert sorted((labels | paper) - ids) == [], "stated in the book but not checked"
    assert sorted(ids - (labels | paper)) == [], "checked but not stated in the book"


def test_claims_point_to_the_chapter_that_states_them() -> None:
    stated = statements()
    for claim in CLAIMS:
        if claim.source == "this book":
            assert claim.id in stated.get(claim.chapter, []), f"{claim.id} is not stated in {claim.chapter}"


@pytest.mark.parametrize("chapter", sorted({claim.chapter for claim in CLAIMS if claim.source == "this book"}))
def test_a_chapter_names_all_its_checks_and_where_they_are(chapter: str) -> None:
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text("utf8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    names = re.findall(r"`([\w.-]+)`", text.partition("## Where this is checked")[2])
    assert {name for name in names if re.match(r"(?!fig-)[a-z]+-", name)} == set(statements()[chapter])
    for name in names:
        if name.startswith("mtfl."):
            pkgutil.resolve_name(name)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_check_keeps_to_the_annotations_of_what_it_calls(claim: Claim) -> None:
    assert all(e.holds for e in parts(claim.check(0)))


# Annotations and coverage are looked at by the test above, on one seed: looking takes three times the checks' own time.
@pytest.mark.no_cover
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_claim_holds_its_mutants_fail_and_both_repeat(claim: Claim) -> None:
    verdict = judge(claim, SEEDS)
    print(Ledger([verdict]))
    failing = [seed for seed, parts in zip(SEEDS, verdict.evidence, strict=True) if not all(e.holds for e in parts)]
    assert failing == []
    for name, runs in verdict.mutants.items():
        passing = [seed for seed, parts in zip(SEEDS, runs, strict=True) if not any(e.fails for e in parts)]
        assert passing == [], f"mutant {name} is not caught"
    assert verdict.passes
    for part, e in enumerate(verdict.tightest):
        breaks = [name for name, runs in verdict.mutants.items() if all(parts[part].fails for parts in runs)]
        assert breaks, f"no mutant breaks the part {e.what!r} on every seed"
    again = judge(claim, SEEDS[:1])
    for runs, repeated in zip(
        (verdict.evidence, *verdict.mutants.values()), (again.evidence, *again.mutants.values()), strict=True
    ):
        for e, later in zip(runs[0], repeated[0], strict=True):
            assert later.measured == pytest.approx(e.measured, rel=1e-6, abs=1e-9)  # rounding depends on addresses
            assert later.bound == pytest.approx(e.bound, rel=1e-6)
