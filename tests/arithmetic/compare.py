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
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

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
    options += [*NBVAL, "--nbval-cell-timeout", "3600"] if notebooks else ["--ignore", "tests/site"]
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


def part_of(case: ElementTree.Element) -> str:
    """The notebook or the test module of a test."""
    words = case.get("classname", "").split(".")
    return next((word for word in words if word.startswith("test_")), "") or case.get("classname", "").split("::")[0]


def main() -> int:
    """The command; 1 if anything failed or stands nearer to its border than it moved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help="notebooks and tests; all, if none is named")
    parser.add_argument("--in", nargs="+", dest="chosen", default=names(), choices=ARITHMETICS, help="arithmetics")
    parser.add_argument("--environment", choices=ARITHMETICS, help="only print what sets an arithmetic")
    options = parser.parse_args()
    if options.environment:
        print(*(f"{key}={value}" for key, value in ARITHMETICS[options.environment].items()))
        return 0
    chosen = options.paths or ["book", "tests"]
    groups = [[path for path in chosen if path.startswith(kind)] for kind in ("book", "tests")]
    table: defaultdict[str, dict[str, str]] = defaultdict(dict)
    quoted: defaultdict[tuple[str, str, int], dict[str, Quoted]] = defaultdict(dict)
    for name in options.chosen:
        for paths in filter(None, groups):
            with tempfile.TemporaryDirectory() as folder:
                report = run(name, paths, Path(folder))
            counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
            for case in report.iter("testcase"):
                bad = case.find("failure") is not None or case.find("error") is not None
                counts[part_of(case)][bad] += 1
                values = [tag.get("value", "") for tag in case.iter("property") if tag.get("name") == "quoted"]
                for number, line in enumerate(values):
                    quoted[part_of(case), case.get("name", ""), number][name] = parsed(line)
            for part, (good, bad) in counts.items():
                table[part][name] = f"{bad} of {good + bad} fail" if bad else f"{good}"
    print("|  |", " | ".join(options.chosen), "|\n" + "|---" * (1 + len(options.chosen)) + "|")
    for part, row in sorted(table.items()):
        print(f"| {part} |", " | ".join(row.get(name, "") for name in options.chosen), "|")
    print("\nWhat moved by more than a hundredth of its tolerance:")
    near = 0
    for (part, cell, number), found in quoted.items():
        values, first = [q.value for q in found.values()], next(iter(found.values()))
        spread = max(values) - min(values)
        inside = spread < first.within and min(q.room for q in found.values()) > spread
        near += not inside
        if spread > first.within / 100 or not inside:
            verdict = "" if inside else "  TOO NEAR"
            print(
                f"{part} {cell} {number}: {first.text} moves by {spread:.2g}; "
                f"tolerance {first.within:.2g}, room {first.room:.2g}{verdict}"
            )
    failed = any("fail" in entry for row in table.values() for entry in row.values())
    print(f"\n{len(quoted)} numbers and statements, {near} of them too near to their borders")
    return int(failed or near > 0)


if __name__ == "__main__":
    sys.exit(main())
