"""The ledger: verdicts as lines of text and as a table of the book."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from mtfl.claims.registry import Evidence, Verdict


@dataclass(frozen=True)
class Ledger:
    """Verdicts, shown as text in a terminal and as a table on a page."""

    verdicts: Sequence[Verdict]

    @property
    def failures(self) -> int:
        """How many claims fail, or have a mutant that passes."""
        return sum(not verdict.passes for verdict in self.verdicts)

    def __str__(self) -> str:
        lines = []
        for verdict in self.verdicts:
            lines.append(f"{_word(verdict.passes)}  {verdict.claim.id:<34} {_found(verdict.tightest)}")
            for name, closest in verdict.closest_mutants.items():
                state = "caught " if closest.fails else "passes!"
                lines.append(f"      {state} mutant {name}: {closest.measured:.4g}")
        lines.append(f"{len(self.verdicts) - self.failures} claims pass, {self.failures} fail")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(_row(verdict) for verdict in self.verdicts)
        heads = ("Claim", "Tightest evidence", "Wrong versions, caught at")
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        return f'<div class="mtfl-table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _word(passes: bool) -> str:
    return "pass" if passes else "FAIL"


def _found(e: Evidence) -> str:
    return f"{e.what}: {e.measured:.4g}, {e.relation} {e.bound:.4g}"


def _row(verdict: Verdict) -> str:
    claim = verdict.claim
    anchor = claim.id.lower()
    mutants = "".join(
        f"<li>{html.escape(name)}: {closest.measured:.4g}{'' if closest.fails else ' (not caught)'}</li>"
        for name, closest in verdict.closest_mutants.items()
    )
    link = f'<a href="{claim.chapter}.html#{anchor}"><code>{html.escape(claim.id)}</code></a>'
    return (
        f'<tr id="ledger-{anchor}"><td>{link} <small>{claim.source}</small><br>{html.escape(claim.statement)}</td>'
        f"<td><strong>{_word(verdict.passes)}</strong><br>{html.escape(_found(verdict.tightest))}</td>"
        f"<td><ul>{mutants}</ul></td></tr>"
    )
