"""Print the ledger: ``python -m mtfl.claims [--seeds N]``."""

from __future__ import annotations

import argparse
import sys

from mtfl import _checks
from mtfl.claims import CLAIMS, Ledger, judge
from mtfl.claims.registry import MOST_SEEDS


def main(arguments: list[str] | None = None) -> int:
    """Judge every claim and print what was found; returns the exit status, 1 if a claim fails or a mutant passes."""
    parser = argparse.ArgumentParser(prog="python -m mtfl.claims", description="Check every claim of the book.")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 ... N-1 for each claim (default %(default)s)")
    seeds = parser.parse_args(arguments).seeds
    try:
        _checks.integer("python -m mtfl.claims", "--seeds", seeds, least=1, most=MOST_SEEDS)
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    seeds = range(seeds)
    ledger = Ledger([judge(claim, seeds) for claim in CLAIMS])
    print(ledger)
    return 1 if ledger.failures else 0


if __name__ == "__main__":
    sys.exit(main())
