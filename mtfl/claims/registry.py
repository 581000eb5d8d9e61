"""What a claim is, and how it is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mtfl import _checks


@dataclass(frozen=True)
class Evidence:
    """One measured number against its bound.

    Args:
        what: the measured quantity, in words.
        measured: its value.
        relation: "at most" or "at least" the bound.
        bound: what the claim allows.
    """

    what: str
    measured: int | float
    relation: Literal["at most", "at least"]
    bound: int | float

    def __post_init__(self) -> None:
        for name in ("measured", "bound"):  # integers and NumPy's numbers become floats
            object.__setattr__(self, name, float(getattr(self, name)))

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


Check = Callable[[int], Evidence]


@dataclass(frozen=True)
class Claim:
    """A statement of the book with its check.

    Args:
        id: C1 ... C7 for the paper's, else the label of the ``prf:`` environment in its chapter.
        statement: the sentence.
        source: "paper" or "this book".
        chapter: file name of the chapter without suffix; the anchor there is the id.
        check: from a seed to evidence.
        mutants: name of a wrong version -> the same check on it, which must fail.
    """

    id: str
    statement: str
    source: Literal["paper", "this book"]
    chapter: str
    check: Check
    mutants: Mapping[str, Check]

    def __post_init__(self) -> None:
        remedy = "Add a wrong version on which the check fails."
        _checks.require(bool(self.mutants), "Claim", "mutants", "at least one", f"none for {self.id}", remedy)


@dataclass(frozen=True)
class Verdict:
    """A claim judged on some seeds.

    Args:
        claim: the claim.
        evidence: one for each seed.
        mutants: name -> one evidence for each seed.
    """

    claim: Claim
    evidence: tuple[Evidence, ...]
    mutants: Mapping[str, tuple[Evidence, ...]]

    @property
    def passes(self) -> bool:
        """Whether the claim holds on every seed and every mutant fails on every seed."""
        caught = all(e.fails for runs in self.mutants.values() for e in runs)
        return caught and all(e.holds for e in self.evidence)

    @property
    def tightest(self) -> Evidence:
        """The evidence with the smallest margin, NaN first."""
        return min(self.evidence, key=lambda e: -math.inf if math.isnan(e.margin) else e.margin)

    @property
    def closest_mutants(self) -> dict[str, Evidence]:
        """For each wrong version, the evidence that came closest to passing, NaN first."""
        return {
            name: max(runs, key=lambda e: math.inf if math.isnan(e.margin) else e.margin)
            for name, runs in self.mutants.items()
        }


def judge(claim: Claim, seeds: Iterable[int]) -> Verdict:
    """Run a claim's check and all its mutants on every seed."""
    seeds = tuple(seeds)
    remedy = "Give at least one seed."
    _checks.require(bool(seeds), "judge", "seeds", "non-empty", "none", remedy)
    mutants = {name: tuple(wrong(seed) for seed in seeds) for name, wrong in claim.mutants.items()}
    return Verdict(claim, tuple(claim.check(seed) for seed in seeds), mutants)
