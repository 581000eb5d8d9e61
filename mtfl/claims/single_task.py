"""Claims of chapter 4: what a single task cannot teach."""

from __future__ import annotations

from mtfl.claims.registry import Claim

CLAIMS: tuple[Claim, ...] = ()
