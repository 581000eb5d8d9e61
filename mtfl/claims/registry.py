"""What a claim is, what near it is false, and how both are judged.

The keyword-only parameters of a check that are numbers are the **constants** of the statement; their defaults are what
the statement says. Near mutants scale them, one at a time, so none has to be written. How a parameter is annotated
says which way is false:

* ``float``: part of an equation or a law; larger and smaller values are false.
* ``Upper``, ``Lower``: the constant of a bound, from above or below, that is attained; only a smaller, only a larger
  one is false.
* ``Generous``: how many times a stated bound exceeds the sharp one, which the check computes; an equation again.

Parameters of all other types are hypotheses and variants, which the named mutants change.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

from mtfl import _checks

Upper: TypeAlias = float
Lower: TypeAlias = float
Generous: TypeAlias = float

MOST_SEEDS = 10_000
"""On how many seeds a claim can be judged at once."""

_FALSE = {"float": (1, -1), "Upper": (-1,), "Lower": (1,), "Generous": (1, -1)}
"""Annotation of a constant -> the directions in which it becomes false."""


@dataclass(frozen=True)
class Evidence:
    """One measured number against its bound.

    Args:
        what: the measured quantity, in words.
        measured: its value.
        relation: "at most" or "at least" the bound.
        bound: what the claim allows.

    Raises:
        TypeError: if a number is none, or the quantity no text.
        ValueError: for another relation.
    """

    what: str
    measured: int | float
    relation: Literal["at most", "at least"]
    bound: int | float

    def __post_init__(self) -> None:
        _checks.instance("Evidence", "what", self.what, str)
        _checks.choice("Evidence", "relation", self.relation, ("at most", "at least"))
        for name in ("measured", "bound"):  # integers and NumPy's numbers become floats
            object.__setattr__(self, name, _checks.as_float("Evidence", name, getattr(self, name)))

    @property
    def margin(self) -> float:
        """Distance to the bound, positive when the claim holds."""
        return self.bound - self.measured if self.relation == "at most" else self.measured - self.bound

    @property
    def holds(self) -> bool:
        """Whether the measured number respects the bound; NaN does not."""
        return self.margin >= 0

    @property
    def fails(self) -> bool:
        """Whether it breaks the bound; NaN does not do that either, so a mutant that only crashes is not caught."""
        return self.margin < 0


Check: TypeAlias = Callable[..., Evidence | tuple[Evidence, ...]]
"""From a seed, and constants by keyword, to one evidence for each part of the statement."""


def near_mutants(check: Check, relative: float) -> dict[str, Check]:
    """The check with each of its constants off by a relative error, in every direction that makes it false.

    Args:
        check: a function, or a ``functools.partial`` of one that fixes keywords.
        relative: the error, larger than 0.

    Returns:
        What is wrong, as in "mean squared +10 %", -> the check that has to fail.
    """
    _checks.number("near_mutants", "relative", relative)
    found: dict[str, Check] = {}
    for name, constant in constants(check).items():
        for sign in _FALSE[constant.annotation]:
            wrong = f"{name.replace('_', ' ')} {100 * sign * relative:+.4g} %"
            found[wrong] = partial(check, **{name: constant.default * (1 + sign * relative)})
    return found


def constants(check: Check) -> dict[str, inspect.Parameter]:
    """The constants of a check: its keyword-only parameters, not 0, whose annotation says which way is false."""
    try:
        parameters = inspect.signature(check).parameters.values()
    except (TypeError, ValueError):  # no function, or one of C
        got, remedy = _checks.shown(check), "Pass the function that measures, or a functools.partial of it."
        _checks.require(False, "constants", "check", "a function", got, remedy, TypeError)
        raise
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.annotation is not p.empty]
    remedy = "Begin its module with from __future__ import annotations."
    for p in keywords:
        got = _checks.shown(p.annotation)
        _checks.require(isinstance(p.annotation, str), "constants", f"the annotation of {p.name}", "text", got, remedy)
    return {p.name: p for p in keywords if p.annotation in _FALSE and p.default}


@dataclass(frozen=True)
class Claim:
    """A statement of the book, or of the paper, with its check.

    Args:
        id: C1 ... C7 for the paper's, else the label of the ``prf:`` environment in its chapter, which has the words.
        chapter: file name of the chapter without suffix; the anchor there is the id.
        check: from a seed to evidence.
        mutants: name of a wrong version -> the same check on it, which must fail.
        sharpness: the relative error of each of its constants that the check notices; near mutants have it.
        statement: the sentence, for the paper's claims only.

    Raises:
        TypeError: if a part is of another kind.
        ValueError: if there is no wrong version, or the sharpness is not positive.
    """

    id: str
    chapter: str
    check: Check
    mutants: Mapping[str, Check] = field(default_factory=dict)
    sharpness: float = 0.1
    statement: str = ""

    def __post_init__(self) -> None:
        for name in ("id", "chapter", "statement"):
            _checks.instance("Claim", name, getattr(self, name), str)
        _checks.instance("Claim", "mutants", self.mutants, Mapping)
        for wrong in self.mutants.values():
            got, remedy = _checks.shown(wrong), "Pass a check on a wrong version."
            _checks.require(callable(wrong), "Claim", "each mutant", "a function", got, remedy, TypeError)
        _checks.number("Claim", "sharpness", self.sharpness)
        remedy = "Add a wrong version on which the check fails."
        _checks.require(bool(self.wrong), "Claim", "mutants", "at least one", f"none for {self.id}", remedy)

    @property
    def source(self) -> Literal["paper", "this book"]:
        """Whose statement it is."""
        return "paper" if self.statement else "this book"

    @property
    def wrong(self) -> dict[str, Check]:
        """All wrong versions: the named ones, and those made from the constants."""
        return {**self.mutants, **near_mutants(self.check, self.sharpness)}

    @property
    def generous(self) -> dict[str, float]:
        """Bound -> how many times it exceeds the sharp one."""
        return {
            name.replace("_", " "): p.default for name, p in constants(self.check).items() if p.annotation == "Generous"
        }


def stated(
    chapter: str, label: str, check: Check, mutants: Mapping[str, Mapping[str, object]] = {}, *, sharpness: float = 0.1
) -> Claim:
    """The claim of a statement of the book.

    Args:
        chapter: file name of its chapter without suffix.
        label: of its ``prf:`` environment.
        check: from a seed to evidence.
        mutants: name of a wrong version -> the keywords that make it.
        sharpness: the relative error that near mutants have.
    """
    _checks.instance("stated", "mutants", mutants, Mapping)
    for options in mutants.values():
        _checks.instance("stated", "keywords", options, Mapping)
    wrong = {name: partial(check, **options) for name, options in mutants.items()}
    return Claim(label, chapter, check, wrong, sharpness)


@dataclass(frozen=True)
class Verdict:
    """A claim judged on some seeds.

    Args:
        claim: the claim.
        evidence: for each seed, one for each part of the statement.
        mutants: name -> the same, on the wrong version.
    """

    claim: Claim
    evidence: tuple[tuple[Evidence, ...], ...]
    mutants: Mapping[str, tuple[tuple[Evidence, ...], ...]]

    @property
    def passes(self) -> bool:
        """Whether every part holds on every seed, one at least, and every mutant fails in a part on every seed."""
        caught = all(any(e.fails for e in parts) for runs in self.mutants.values() for parts in runs)
        return caught and bool(self.evidence) and all(e.holds for parts in self.evidence for e in parts)

    @property
    def tightest(self) -> tuple[Evidence, ...]:
        """For each part the evidence with the smallest margin, NaN first."""
        return tuple(min(runs, key=lambda e: _room(e, -math.inf)) for runs in zip(*self.evidence, strict=True))

    @property
    def closest_mutants(self) -> dict[str, Evidence]:
        """For each wrong version the seed that came closest to passing, NaN first, by the part that shows it best."""
        found = {}
        for name, runs in self.mutants.items():
            clearest = [min(parts, key=lambda e: _room(e, math.inf)) for parts in runs]
            found[name] = max(clearest, key=lambda e: _room(e, math.inf))
        return found


def _room(e: Evidence, nan: float) -> float:
    """The margin relative to the bound, which makes parts comparable."""
    return nan if math.isnan(e.margin) else e.margin / (abs(e.bound) or 1)


def parts(found: Evidence | tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """What a check found, one evidence for each part."""
    found = (found,) if isinstance(found, Evidence) else found
    _checks.sequence("parts", "evidence", found)
    for part in found:
        _checks.instance("parts", "evidence", part, Evidence)
    return found


def judge(claim: Claim, seeds: Sequence[int]) -> Verdict:
    """Run a claim's check and all its mutants, seed by seed, so that they can share what a seed draws.

    The near mutants run first: most need what the statement needed.

    Raises:
        TypeError: if the claim is none, or a seed no integer.
        ValueError: if there is no seed, a negative one, or more than :data:`MOST_SEEDS`.
    """
    _checks.instance("judge", "claim", claim, Claim)
    _checks.sequence("judge", "seeds", seeds, most=MOST_SEEDS)
    for seed in seeds:
        _checks.integer("judge", "seeds", seed, least=0)
    wrong = claim.wrong
    near = [name for name in wrong if name not in claim.mutants]
    checks = {"": claim.check, **{name: wrong[name] for name in [*near, *claim.mutants]}}
    runs = [{name: parts(check(seed)) for name, check in checks.items()} for seed in seeds]
    found = {name: tuple(run[name] for run in runs) for name in ["", *wrong]}
    return Verdict(claim, found.pop(""), found)
