"""Print the ledger: ``python -m mtfl.claims [--seeds N]``."""

from __future__ import annotations

import argparse
import sys

from mtfl.claims import CLAIMS, judge


def main(arguments: list[str] | None = None) -> int:
    """Judge every claim and print what was found; returns the exit status, 1 if a claim fails or a mutant passes."""
    parser = argparse.ArgumentParser(prog="python -m mtfl.claims", description="Check every claim of the book.")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 ... N-1 for each claim (default 3)")
    seeds = range(parser.parse_args(arguments).seeds)
    failed = 0
    for claim in CLAIMS:
        verdict = judge(claim, seeds)
        failed += not verdict.passes
        e = verdict.tightest
        found = f"{e.what}: {e.measured:.4g}, {e.relation} {e.bound:.4g}"
        print(f"{'pass' if verdict.passes else 'FAIL'}  {claim.id:<34} {found}")
        for name, runs in verdict.mutants.items():
            worst = max(runs, key=lambda run: run.margin)
            print(f"      {'passes!' if worst.holds else 'caught '} mutant {name}: {worst.measured:.4g}")
    print(f"{len(CLAIMS) - failed} claims pass, {failed} fail")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
