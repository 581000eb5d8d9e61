"""The ledger: verdicts as lines of text and as a page of the book."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from mtfl import _checks
from mtfl._typeset import typeset
from mtfl.claims.registry import Claim, Evidence, Verdict, constants

EXACT = 1e-3
"""A claim of lower sharpness holds to rounding: any error that matters is noticed."""


@dataclass(frozen=True)
class Ledger:
    """Verdicts, shown as text in a terminal and as a list on a page.

    Raises:
        TypeError: if they are no list of verdicts.
    """

    verdicts: Sequence[Verdict]

    def __post_init__(self) -> None:
        _checks.sequence("Ledger", "verdicts", self.verdicts)
        for verdict in self.verdicts:
            _checks.instance("Ledger", "each verdict", verdict, Verdict)

    @property
    def failures(self) -> int:
        """How many claims fail, or have a mutant that passes."""
        return sum(not verdict.passes for verdict in self.verdicts)

    def __str__(self) -> str:
        lines = []
        for verdict in self.verdicts:
            first, *others = (_found(e) for e in verdict.tightest)
            lines.append(f"{_word(verdict.passes)}  {verdict.claim.id:<34} {first}")
            lines += [f"{'':<40} {found}" for found in others]
            for name, closest in verdict.closest_mutants.items():
                state = "caught " if closest.fails else "passes!"
                lines.append(f"      {state} mutant {name}: {closest.measured:.4g}")
        lines.append(f"{len(self.verdicts) - self.failures} claims pass, {self.failures} fail")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        groups = groupby(self.verdicts, lambda verdict: "" if verdict.claim.statement else verdict.claim.chapter)
        return f'<div class="mtfl-ledger">{"".join(_group(chapter, group) for chapter, group in groups)}</div>'


def sharpness(claim: Claim) -> str:
    """The relative error that a claim's check notices, in words, and how generous its bounds are."""
    _checks.instance("sharpness", "claim", claim, Claim)
    parts = []
    if constants(claim.check):
        error = claim.sharpness
        few = f"{100 * error:g} %" if error >= 0.01 else f"1 in {1 / error:.0f}"
        parts.append("any error" if error < EXACT else few)
    parts += [f"{name}: generous, {factor:.3g} times the sharp bound" for name, factor in claim.generous.items()]
    return "; ".join(parts) or "states no constant"


def _word(passes: bool) -> str:
    return "pass" if passes else "FAIL"


def _found(e: Evidence) -> str:
    return f"{e.what}: {e.measured:.4g}, {e.relation} {e.bound:.4g}"


def _group(chapter: str, verdicts: Iterable[Verdict]) -> str:
    """The claims of a chapter or, without one, of the paper, under their head."""
    # The site adds the chapter's title in place of the comment.
    link = f'<a href="{chapter}.html">Chapter {chapter[:2].lstrip("0")}<!-- title {chapter} --></a>'
    head = link if chapter else "Claims of the paper"
    return f"<section><h2>{head}</h2>{''.join(map(_entry, verdicts))}</section>"


def _entry(verdict: Verdict) -> str:
    claim, anchor = verdict.claim, verdict.claim.id.lower()
    mutants = verdict.closest_mutants
    caught = sum(closest.fails for closest in mutants.values())
    wrong = "".join(
        f"<li>{html.escape(typeset(f'{name}: {closest.measured:.4g}'))}{'' if closest.fails else ' (not caught)'}</li>"
        for name, closest in mutants.items()
    )
    evidence = "".join(f"<li>{html.escape(typeset(_found(e)))}</li>" for e in verdict.tightest)
    # The site puts the chapter's own statement in place of the comment.
    statement = html.escape(claim.statement) if claim.statement else f"<!-- statement {claim.chapter} {claim.id} -->"
    return (
        f'<article id="ledger-{anchor}" data-chapter="{claim.chapter}" data-source="{claim.source}">'
        f'<p><a href="{claim.chapter}.html#{anchor}"><code>{html.escape(claim.id)}</code></a> '
        f"<strong>{_word(verdict.passes)}</strong> <small>{claim.source} | "
        f"sharpness: {html.escape(sharpness(claim))}</small></p>"
        f"<blockquote>{statement}</blockquote><ul>{evidence}</ul>"
        f"<details><summary>{caught} of {len(mutants)} wrong versions are caught</summary><ul>{wrong}</ul></details>"
        "</article>"
    )
