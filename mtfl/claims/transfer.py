"""Claims of chapter 5: downstream tasks."""

from __future__ import annotations

from mtfl.claims.registry import Claim

CLAIMS: tuple[Claim, ...] = ()
