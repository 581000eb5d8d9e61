"""Plant faults, one at a time, where numbers are made, and list those that the tests of that place do not notice.

    python tests/mutants.py                       all of them: many hours; `make mutants` draws some
    python tests/mutants.py --sample 60 --seed 3  sixty, drawn by this seed
    python tests/mutants.py --only moments        of one module

A fault is a changed operator, comparison, constant or sign, an off-by-one, or a dropped factor, in a copy of the
project. What is left out: annotations, words, the strictness of zip, which only guards, the calls of mtfl._checks,
which tests/test_bad_input.py holds, and whether records are frozen, which tests/test_promises.py holds.
`tests/mutants.toml` keeps the faults that no test can notice, each with its reason. The exit status is 1 if any other
fault goes unnoticed.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VERDICTS = ROOT / "tests" / "mutants.toml"
TESTS = {
    "mtfl/contrastive.py": ["test_contrastive.py"],
    "mtfl/_rounds.py": ["test_pretraining.py"],
    "mtfl/moments.py": ["test_moments.py"],
    "mtfl/population.py": ["test_population.py"],
    "mtfl/one_step.py": ["test_one_step.py"],
    "mtfl/metrics.py": ["test_metrics.py"],
    "mtfl/tasks.py": ["test_tasks.py"],
    "mtfl/transfer.py": ["test_transfer.py"],
    "mtfl/many_tasks.py": ["test_many_tasks.py"],
    "mtfl/single_task.py": ["test_single_task.py", "test_atlas.py"],
    "mtfl/pretraining.py": ["test_pretraining.py"],
    "mtfl/activations.py": ["test_activations.py"],
    "mtfl/explorables/training.js": ["test_training.py"],
    "mtfl/explorables/products.js": ["test_training.py"],
    "mtfl/explorables/engine.js": ["test_engine.py::test_the_engine_computes_what_the_package_computes"],
    "mtfl/inputs.py": ["test_inputs.py"],
    "mtfl/pairs.py": ["test_pairs.py"],
    "mtfl/real_data.py": ["test_real_data.py"],
    "mtfl/real_transfer.py": ["test_real_data.py"],
    "mtfl/neighbours/colour.py": ["test_neighbours_data.py"],
    "mtfl/neighbours/labels.py": ["test_neighbours_data.py"],
    "mtfl/neighbours/width.py": ["test_neighbours_training.py"],
    "mtfl/neighbours/finetuning.py": ["test_neighbours_training.py"],
    "mtfl/neighbours/interpolants.py": ["test_neighbours_training.py"],
    "mtfl/neighbours/evidence.py": ["test_neighbours_frozen.py"],
    "mtfl/neighbours/overfitting.py": ["test_neighbours_frozen.py"],
    "mtfl/neighbours/prompts.py": ["test_neighbours_frozen.py"],
    "mtfl/neighbours/robustness.py": ["test_neighbours_frozen.py"],
    "mtfl/neighbours/support.py": ["test_neighbours_frozen.py"],
}
"""Where numbers are made -> the tests that hold it: files, or tests of a file."""

SLOWER = 5  # a fault may make its tests so many times slower before they are stopped, which counts as noticed
PATIENCE = 120  # seconds that they have in any case
OPERATORS: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)), ast.Sub: ("-", ("+",)), ast.Mult: ("*", ("/",)), ast.Div: ("/", ("*",)),
    ast.Pow: ("**", ("*",)), ast.FloorDiv: ("//", ("*",)), ast.Mod: ("%", ("*",)), ast.MatMult: ("@", ()),
    ast.LShift: ("<<", (">>",)), ast.RShift: (">>", ("<<",)), ast.BitAnd: ("&", ("|",)), ast.BitOr: ("|", ("&",)),
    ast.BitXor: ("^", ("|",)),
    ast.Lt: ("<", ("<=", ">")), ast.LtE: ("<=", ("<",)), ast.Gt: (">", (">=", "<")), ast.GtE: (">=", (">",)),
    ast.Eq: ("==", ("!=",)), ast.NotEq: ("!=", ("==",)), ast.And: ("and", ("or",)), ast.Or: ("or", ("and",)),
}  # fmt: skip
"""Operator -> how it is written, and what is put in its place."""

IN_SCRIPTS = [
    (r"(?<=\w|\)) \+ (?=\w|\()", " - "), (r"(?<=\w|\)) - (?=\w|\()", " + "), (r" \* ", " / "), (r" / ", " * "),
    (r" \*\* ", " * "), (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" === ", " !== "),
    (r" && ", " || "), (r"Math\.max", "Math.min"), (r"Math\.min", "Math.max"), (r"\+= ", "-= "),
]  # fmt: skip
"""What is changed in JavaScript, line by line; numbers are as well."""


@dataclass(frozen=True)
class Fault:
    """One change: the file, where in it, the text that goes and the text that comes."""

    file: str
    start: int
    end: int
    text: str

    def planted(self, source: str) -> str:
        """The source with the fault."""
        return source[: self.start] + self.text + source[self.end :]

    def lines(self, source: str) -> tuple[int, str, str]:
        """Number of its line, how that reads, and how with the fault: what names it while the file changes."""
        first = source.rfind("\n", 0, self.start) + 1
        last = source.find("\n", self.end)
        was = source[first:last]
        now = was[: self.start - first] + self.text + was[self.end - first :]
        return source.count("\n", 0, self.start) + 1, " ".join(was.split()), " ".join(now.split())


def faults(file: str, source: str) -> list[Fault]:
    """All faults that can be planted in a file, in the order of their places."""
    found = in_script(file, source) if file.endswith(".js") else in_python(file, source)
    return sorted(set(found), key=lambda fault: (fault.start, fault.end, fault.text))


def in_python(file: str, source: str) -> Iterator[Fault]:
    """Faults by the syntax tree."""
    lines = source.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def place(node: Any) -> tuple[int, int]:
        ends = ((node.lineno - 1, node.col_offset), (node.end_lineno - 1, node.end_col_offset))
        start, end = (starts[n] + len(lines[n].encode()[:column].decode()) for n, column in ends)  # they are in bytes
        return start, end

    def alone(whole: ast.AST, part: ast.AST) -> Fault:
        text = source[slice(*place(part))]
        simple = isinstance(part, (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant))
        return Fault(file, *place(whole), text if simple else f"({text})")

    def between(left: ast.AST, right: ast.AST, operator: ast.AST) -> Iterator[Fault]:
        written, others = OPERATORS.get(type(operator), ("", ()))
        (_, start), (end, _) = place(left), place(right)
        if written and (found := re.search(re.escape(written), source[start:end])):
            for other in others:
                yield Fault(file, start + found.start(), start + found.end(), other)

    for node in visited(ast.parse(source)):
        if isinstance(node, ast.BinOp):
            yield from between(node.left, node.right, node.op)
            if isinstance(node.op, (ast.Mult, ast.Div)):  # a dropped factor
                yield alone(node, node.left)
            if isinstance(node.op, ast.Mult):
                yield alone(node, node.right)
        elif isinstance(node, ast.BoolOp):
            yield from between(node.values[0], node.values[1], node.op)
        elif isinstance(node, ast.Compare):
            yield from between(node.left, node.comparators[0], node.ops[0])
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
            yield Fault(file, place(node)[0], place(node.operand)[0], "")
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            (_, start), (end, _) = place(node.target), place(node.value)
            text = source[start:end]
            other = text.replace("+=", "-=") if "+=" in text else text.replace("-=", "+=").replace("*=", "/=")
            yield Fault(file, start, end, other)
        elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            for other in changed(node.value):
                yield Fault(file, *place(node), other)


def changed(number: int | float) -> list[str]:
    """Other constants in place of one."""
    if isinstance(number, bool):
        return [str(not number)]
    return [str(number + 1), str(number - 1)] if isinstance(number, int) else [repr(1.1 * number or 0.1)]


def visited(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree but those in annotations, words and checks."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or field in ("annotation", "returns"):
                continue
            if isinstance(child, ast.JoinedStr) or ast.unparse(child).startswith(("_checks.", "strict=", "dataclass(")):
                continue
            yield child
            yield from visited(child)


def in_script(file: str, source: str) -> Iterator[Fault]:
    """Faults by the text, comments and words left alone."""
    start = 0
    for line in source.split("\n"):
        code = re.sub(r"//.*|/\*.*|^\s*\*.*|\"[^\"]*\"|`[^`]*`", lambda found: "\0" * len(found[0]), line)
        for pattern, other in IN_SCRIPTS:
            for found in re.finditer(pattern, code):
                yield Fault(file, start + found.start(), start + found.end(), other)
        for found in re.finditer(r"(?<![\w.\0])\d+(?:\.\d+)?(?![\w.])", code):
            number = float(found[0]) if "." in found[0] else int(found[0])
            for other in changed(number):
                yield Fault(file, start + found.start(), start + found.end(), other)
        start += len(line) + 1


def equivalent() -> dict[tuple[str, str, str], str]:
    """File, line as it is, line with the fault -> why no test can notice it."""
    kept = tomllib.loads(VERDICTS.read_text("utf8"))["equivalent"]
    return {(entry["file"], entry["was"], entry["now"]): entry["reason"] for entry in kept}


def copy_of_the_project(folder: Path) -> None:
    """What the tests of one module need."""
    for name in ("mtfl", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("book", "benchmarks", "_config.yml", "pyproject.toml", "constraints.txt"):
        (folder / name).symlink_to(ROOT / name)


def tests_fail(folder: Path, file: str, seconds: float) -> bool:
    """Whether the tests of a file notice; tests that take too long do."""
    chosen = [f"tests/{name}" for name in TESTS[file]]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *chosen]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            return process.wait(seconds) != 0
        except subprocess.TimeoutExpired:
            process.kill()
            return True


def main() -> int:
    """The command; 1 if a fault goes unnoticed that is not kept as equivalent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, metavar="N", help="how many to draw (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the draw (default 0)")
    parser.add_argument("--only", nargs="+", default=[], metavar="MODULE", choices=[Path(file).stem for file in TESTS])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="J", help="side by side (default: cores)")
    options = parser.parse_args()
    sources = {file: (ROOT / file).read_text("utf8") for file in TESTS}
    chosen = [file for file in TESTS if not options.only or Path(file).stem in options.only]
    known = equivalent()
    drawn = [fault for file in chosen for fault in faults(file, sources[file])]
    drawn = [fault for fault in drawn if (fault.file, *fault.lines(sources[fault.file])[1:]) not in known]
    if options.sample is not None and options.sample < 1:
        parser.error(f"--sample must be at least 1; got {options.sample}. Leave it out to take all.")
    if options.sample is not None:
        drawn = random.Random(options.seed).sample(drawn, min(options.sample, len(drawn)))
    caught, missed, limits = Counter(), Counter(), dict.fromkeys((fault.file for fault in drawn), 3600.0)
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(job) for job in range(options.jobs)]
        for place in places:
            place.mkdir()
            copy_of_the_project(place)

        def tried(file: str, source: str) -> tuple[bool, float]:
            """Whether the tests notice what stands in a file, and the seconds that they took."""
            place, begun = places.pop(), time.monotonic()
            (place / file).write_text(source, "utf8")
            try:
                return tests_fail(place, file, limits[file]), time.monotonic() - begun
            finally:
                (place / file).write_text(sources[file], "utf8")
                places.append(place)

        def noticed(fault: Fault) -> bool:
            return tried(fault.file, fault.planted(sources[fault.file]))[0]

        with ThreadPoolExecutor(options.jobs) as jobs:
            for file, (fail, seconds) in zip(
                limits, jobs.map(tried, limits, [sources[file] for file in limits]), strict=True
            ):
                if fail:
                    parser.exit(2, f"{', '.join(TESTS[file])} fail without any fault: mend them first.\n")
                limits[file] = PATIENCE + SLOWER * seconds
            for fault, found in zip(drawn, jobs.map(noticed, drawn), strict=True):
                (caught if found else missed)[fault.file] += 1
                if not found:
                    line, was, now = fault.lines(sources[fault.file])
                    print(f"{fault.file}:{line}: not noticed\n    {was}\n    {now}", flush=True)
    for file in chosen:
        if total := caught[file] + missed[file]:
            print(f"{file}: {caught[file]} of {total} noticed")
    print(f"{caught.total()} of {len(drawn)} faults noticed; {len(known)} more are kept as equivalent")
    return int(missed.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
