"""What the paper claims in its abstract, each with an experiment of this book that could have contradicted it."""

from __future__ import annotations

from mtfl.claims.registry import Claim

CLAIMS: tuple[Claim, ...] = ()
