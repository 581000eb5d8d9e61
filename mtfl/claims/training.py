"""Claims of chapter 3: what multi-task training learns."""

from __future__ import annotations

from mtfl.claims.registry import Claim

CLAIMS: tuple[Claim, ...] = ()
