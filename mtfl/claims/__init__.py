"""The registry of claims: every numbered statement of the book, what checks it, and what must break it.

A claim's check draws an instance from a seed, measures a number for each part of the statement and compares it with a
bound. A *mutant* is a wrong version of the statement on which the same check must fail: a check that cannot fail shows
nothing. *Near* mutants have one constant of the statement off by a few percent; the others drop a hypothesis, or break
a part.
Passing is numerical evidence, not proof; the proofs are in the chapters.

    python -m mtfl.claims            prints the ledger; exits with 1 if a claim fails or a mutant passes
"""

from mtfl.claims import (
    beyond,
    laws,
    loss,
    many_tasks,
    methods,
    neighbours_data,
    neighbours_frozen,
    neighbours_training,
    paper,
    real_data,
    setup,
    single_task,
    training,
    transfer,
)
from mtfl.claims.ledger import Ledger
from mtfl.claims.registry import Claim, Evidence, Verdict, judge

CLAIMS: tuple[Claim, ...] = (
    *paper.CLAIMS,
    *setup.CLAIMS,
    *loss.CLAIMS,
    *training.CLAIMS,
    *single_task.CLAIMS,
    *transfer.CLAIMS,
    *many_tasks.CLAIMS,
    *beyond.CLAIMS,
    *laws.CLAIMS,
    *methods.CLAIMS,
    *real_data.CLAIMS,
    *neighbours_data.CLAIMS,
    *neighbours_training.CLAIMS,
    *neighbours_frozen.CLAIMS,
)
"""All claims, in the order of the book."""

__all__ = ["CLAIMS", "Claim", "Evidence", "Ledger", "Verdict", "judge"]
