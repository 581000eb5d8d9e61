"""Claims of chapter 2: the pseudo-contrastive loss, line by line."""

from __future__ import annotations

from mtfl.claims.registry import Claim

CLAIMS: tuple[Claim, ...] = ()
