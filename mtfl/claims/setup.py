"""Claims of chapter 1: patterns, tasks and their spectra."""

from __future__ import annotations

from mtfl.claims.registry import Claim

CLAIMS: tuple[Claim, ...] = ()
