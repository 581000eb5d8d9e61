"""Runs notebooks and package tests in several arithmetics, and lists every quoted number that moves.

    make arithmetic                                                  all of them: an hour on two cores
    python tests/arithmetic/compare.py book/05_transfer.ipynb        one notebook
    python tests/arithmetic/compare.py --in plain tests/test_moments.py

A processor's instructions, the number of threads and the library that multiplies matrices decide in which order terms
are added up. The arithmetics below change all of these on one machine, so that what depends on them is seen without
another machine.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from mtfl.quoting import Quoted, parsed

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ARITHMETICS = {
    "own": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    | {"OPENBLAS_CORETYPE": "Haswell"},
    "plain": {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    | {"OPENBLAS_CORETYPE": "Prescott"},
    "threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
    "shorter": {},  # see shorter_products.py
}
NBVAL = ("--dist", "loadfile", "--no-loadscope-reorder", "--nbval-lax", "--nbval-current-env")


@dataclass
class Outcome:
    """Tests that passed and that failed."""

    passed: int = 0
    failed: int = 0

    def __str__(self) -> str:
        """An entry of the table."""
        return f"**{self.failed} fail**, {self.passed} pass" if self.failed else f"{self.passed} pass"


class Place(NamedTuple):
    """Where a number is quoted: the notebook, the cell, and which of the cell's numbers it is."""

    notebook: str
    cell: str
    number: int


def names() -> list[str]:
    """The arithmetics that this processor has; its own is AVX2, if it has nothing newer."""
    newer = "AVX512" in torch.backends.cpu.get_cpu_capability()
    return [name for name in ARITHMETICS if newer or name != "avx2"]


def run(name: str, paths: list[str], folder: Path) -> ElementTree.Element:
    """Run notebooks or tests in an arithmetic; pytest's report."""
    environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"TQDM_DISABLE": "1"} | ARITHMETICS[name]
    report = folder / "report.xml"
    options = ["-q", "-n", "2", "-p", "no:cacheprovider", "--junitxml", str(report)]
    notebooks = paths[0].startswith("book")
    options += [*NBVAL, "--nbval-kernel-startup-timeout", "1800"] if notebooks else ["--ignore", "tests/site"]
    if name == "shorter":
        startup = folder / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "shorter.py").write_text(f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport shorter_products\n")
        environment["IPYTHONDIR"] = str(folder)  # for kernels
        options += [] if notebooks else ["-p", "shorter_products"]
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [environment.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", *paths, *options]
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
    return ElementTree.parse(report).getroot()


def read(report: ElementTree.Element) -> tuple[dict[str, Outcome], dict[Place, Quoted]]:
    """How many tests of each notebook and module passed and failed, and the numbers that cells quoted."""
    outcomes: defaultdict[str, Outcome] = defaultdict(Outcome)
    quoted = {}
    for case in report.iter("testcase"):
        modules = re.findall(r"\btest_\w+", case.get("classname", ""))
        part = modules[0] if modules else case.get("classname", "").split("::")[0]
        failed = case.find("failure") is not None or case.find("error") is not None
        outcomes[part].failed += failed
        outcomes[part].passed += not failed
        values = [tag.get("value", "") for tag in case.iter("property") if tag.get("name") == "quoted"]
        for number, line in enumerate(values):
            quoted[Place(part, case.get("name", ""), number)] = parsed(line)
    return outcomes, quoted


def spread(found: Sequence[Quoted]) -> float:
    """By how much a number moves from one arithmetic to another."""
    return max(q.value for q in found) - min(q.value for q in found)


def too_near(found: Sequence[Quoted]) -> bool:
    """Whether a number moves by more than its tolerance, or as far as its border, or is nearer to it than either."""
    first, moves, room = found[0], spread(found), min(q.room for q in found)
    return not (first.within < first.room and moves < room and (not first.is_number or moves <= first.within))


def main() -> int:
    """The command; 1 if anything failed or stands too near to a border."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help="notebooks and tests; all, if none is named")
    parser.add_argument("--in", nargs="+", dest="chosen", default=names(), choices=ARITHMETICS, help="arithmetics")
    parser.add_argument("--environment", choices=ARITHMETICS, help="only print what sets an arithmetic")
    options = parser.parse_args()
    if options.environment:
        print(*(f"{key}={value}" for key, value in ARITHMETICS[options.environment].items()))
        return 0
    chosen = options.paths or ["book", "tests"]
    table: defaultdict[str, dict[str, Outcome]] = defaultdict(dict)
    places: defaultdict[Place, list[Quoted]] = defaultdict(list)
    for name in options.chosen:
        for kind in ("book", "tests"):
            if paths := [path for path in chosen if path.startswith(kind)]:
                with tempfile.TemporaryDirectory() as folder:
                    outcomes, quoted = read(run(name, paths, Path(folder)))
                for part, outcome in outcomes.items():
                    table[part][name] = outcome
                for place, number in quoted.items():
                    places[place].append(number)
    print("| |", " | ".join(options.chosen), "|\n" + "|---" * (1 + len(options.chosen)) + "|")
    for part, row in sorted(table.items()):
        print(f"| {part} |", " | ".join(str(row.get(name, "")) for name in options.chosen), "|")
    print("\nWhat moves by more than a hundredth of its tolerance:")
    for place, found in places.items():
        if spread(found) > found[0].within / 100 or too_near(found):
            told = f"moves by {spread(found):.2g}; tolerance {found[0].within:.2g}, room {found[0].room:.2g}"
            print(*place, f"{found[0].text}: {told}{'  TOO NEAR' * too_near(found)}")
    near = sum(map(too_near, places.values()))
    print(f"\n{len(places)} numbers and statements, {near} of them too near to a border")
    return int(near > 0 or any(outcome.failed for row in table.values() for outcome in row.values()))


if __name__ == "__main__":
    sys.exit(main())
