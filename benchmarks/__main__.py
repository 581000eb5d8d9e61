"""Times a round of training side by side with its peers and with its limit, for the page of the book.

    pip install -e '.[bench]'      # JAX; peers that are not installed are left out
    python -m benchmarks           # sizes S, M and L, scaling and memory: about eight minutes

The results are kept in book/data/benchmarks/, in one file for each kind of processor; those of other kinds stay.

Parts of the results can be measured anew: ``python -m benchmarks --parts M scaling``. Everything runs on one core.
Before a contender is timed, its update is compared with autograd's. Contenders take turns, round by round, and
what is reported are medians of the processor time that the process used, which others on the machine disturb less than
the time on the clock (also kept).
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # JAX starts threads of its own

import torch

from benchmarks import contenders, processor
from benchmarks.contenders import CONTENDERS, Problem, Size
from mtfl import _products

RESULTS = Path(__file__).parents[1] / "book" / "data" / "benchmarks"
SIZES = {
    "S": Size(d=128, r=3, m=512, T=64, n=2048),
    "M": Size(d=512, r=4, m=1024, T=256, n=4096),
    "L": Size(d=1024, r=5, m=2048, T=1024, n=8192),
    "tiny": Size(d=16, r=2, m=32, T=8, n=64),
}
TURNS = {"S": 25, "M": 9, "L": 3, "tiny": 2}
ROUNDS = {"S": 10, "M": 4, "L": 2, "tiny": 2}  # of each run of the trainer, whose time is divided by them
LEFT_OUT = {"L": ("scikit-learn",)}  # it would take minutes
BASE = Size(d=256, r=3, m=512, T=128, n=2048)
TRAINERS = ("trainer", "trainer, default product", "trainer, drawing")
PRECISIONS = ("highest", "medium")
ACCURATE = 1e-5  # relative; a product with a larger error is not one of single precision
MEASURED_FOR_MEMORY = ("trainer, drawing", "autograd")


def clocks(run: Callable[[], object], rounds: int = 1) -> tuple[float, float]:
    """Seconds a round, of processor time and on the clock."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return (time.process_time() - cpu) / rounds, (time.perf_counter() - wall) / rounds


def distance(found: torch.Tensor, expected: torch.Tensor, start: torch.Tensor) -> float:
    """How far an update is from another, relative to its size."""
    return float((found - expected).norm() / (expected - start).norm())


def installed(name: str) -> bool:
    """Whether a contender can take part."""
    needs = {"JAX": "jax", "scikit-learn": "sklearn"}.get(name)
    return needs is None or importlib.util.find_spec(needs) is not None


def measure(name: str, left_out: tuple[str, ...] = ()) -> dict:
    """All contenders at one size."""
    size = SIZES[name]
    problem = Problem(size)
    W, A = problem.network.W, problem.network.A
    expected = contenders.autograd(problem)(*problem.state)
    runs, errors = {}, {}

    def compare(contender: str, found: Sequence[torch.Tensor], goal: Sequence[torch.Tensor]) -> None:
        errors[contender] = max(distance(found[0], goal[0], W), distance(found[1], goal[1], A))
        if not errors[contender] < 1e-3:
            raise SystemExit(f"{name}: {contender} computes another update, off by {errors[contender]:.1e}")

    for contender, make in CONTENDERS.items():
        if contender in left_out or contender in LEFT_OUT.get(name, ()):
            continue
        if not installed(contender):
            print(f"{name}: {contender} is not installed: left out")
            continue
        one = make(problem)
        if contender not in ("trainer, drawing", "loop over tasks"):  # other inputs; checked below, for it is slow
            goal = contenders.joint_logistic(problem) if contender == "scikit-learn" else expected
            compare(contender, one(*problem.state), goal)
        runs[contender] = one if contender not in TRAINERS else make(problem, ROUNDS[name])
    limit = contenders.products(problem)
    product_errors = {}
    for precision in PRECISIONS:
        torch.set_float32_matmul_precision(precision)
        product_errors[precision] = contenders.product_error(problem)
    torch.set_float32_matmul_precision("highest")
    times: dict[str, list[tuple[float, float]]] = {}
    for turn in range(TURNS[name]):
        for precision in PRECISIONS:
            torch.set_float32_matmul_precision(precision)
            times.setdefault(f"products, {precision}", []).append(clocks(limit))
        torch.set_float32_matmul_precision("highest")
        for contender, one in runs.items():
            if contender == "loop over tasks":
                if turn:
                    continue
                found = []
                times[contender] = [clocks(lambda one=one, found=found: found.extend(one(*problem.state)))]
                compare(contender, found, expected)
            else:
                rounds = ROUNDS[name] if contender in TRAINERS else 1
                times.setdefault(contender, []).append(clocks(lambda one=one: one(*problem.state), rounds))
    medians = {k: statistics.median(cpu for cpu, _ in v) for k, v in times.items()}
    accurate = [p for p in PRECISIONS if product_errors[p] < ACCURATE]
    best = min(accurate, key=lambda p: medians[f"products, {p}"])
    rows = {}
    for k, v in times.items():
        ratios = [cpu / other for (cpu, _), (other, _) in zip(v, times["trainer"], strict=False)]
        rows[k] = {
            "ms": 1e3 * medians[k],
            "ms on the clock": 1e3 * statistics.median(wall for _, wall in v),
            "times the trainer": statistics.median(ratios),
            "rounds": len(v),
            "update off by": errors.get(k),
        }
        print(f"{name:5}{k:26}{rows[k]['ms']:12.2f} ms{rows[k]['times the trainer']:9.2f}", flush=True)
    to_limit = [t / p for (t, _), (p, _) in zip(times["trainer"], times[f"products, {best}"], strict=True)]
    drawn = [t / p for (t, _), (p, _) in zip(times["trainer, drawing"], times["trainer"], strict=True)]
    return {
        "size": vars(size),
        "GFLOP": size.flops / 1e9,
        "best products": best,
        "error of products": product_errors,
        "chosen product": _products.choice("shared"),
        "trainer to limit": statistics.median(to_limit),
        "drawing to trainer": statistics.median(drawn),
        "contenders": rows,
    }


def scaling() -> dict:
    """Time of a round as d, m, T and n are varied one at a time, with fitted exponents."""
    factors = (0.25, 0.5, 1, 2, 4)
    runs, found = {}, {}
    for axis in ("d", "m", "T", "n"):
        for factor in factors:
            size = Size(**{**vars(BASE), axis: int(getattr(BASE, axis) * factor)})
            problem = Problem(size)
            runs[axis, factor] = (size, problem, contenders.drawing_trainer(problem, ROUNDS["S"]), [])
    for _ in range(5):
        for _, problem, one, times in runs.values():
            times.append(clocks(lambda one=one, problem=problem: one(*problem.state), ROUNDS["S"])[0])
    for axis in ("d", "m", "T", "n"):
        rows = [runs[axis, factor] for factor in factors]
        values = [getattr(size, axis) for size, *_ in rows]
        ms = [1e3 * statistics.median(times) for *_, times in rows]
        exponents = [slope(values[2:], y[2:]) for y in (ms, [size.flops for size, *_ in rows])]
        found[axis] = {"values": values, "ms": ms, "exponent": exponents[0], "exponent of the count": exponents[1]}
        print(f"time ~ {axis}^{exponents[0]:.2f}; operations ~ {axis}^{exponents[1]:.2f}", flush=True)
    return {"base": vars(BASE), "axes": found}


def slope(x: list, y: list) -> float:
    """Least-squares slope of log y against log x."""
    return statistics.linear_regression([math.log(v) for v in x], [math.log(v) for v in y]).slope


def memory(name: str) -> dict:
    """Peak memory that a round adds to a process that holds the network, in MB, each in a process of its own."""
    found = {}
    for contender in MEASURED_FOR_MEMORY:
        command = [sys.executable, "-m", "benchmarks", "--peak", name, contender]
        found[contender] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{name} {contender}: {found[contender]:.0f} MB", flush=True)
    return {"size": name, "MB": found}


def peak(name: str, contender: str) -> float:
    """The peak of this process over a round, less what it held before, in MB."""
    warm = Problem(SIZES["tiny"])
    CONTENDERS[contender](warm)(*warm.state)
    problem = Problem(SIZES[name], stored=0 if contender == "trainer, drawing" else 2)
    gc.collect()
    before, done = resident(), threading.Event()
    seen = [before]

    def watch() -> None:
        while not done.wait(0.002):
            seen.append(resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    CONTENDERS[contender](problem)(*problem.state)
    done.set()
    watcher.join()
    return max(seen) - before


def resident() -> float:
    """Memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def kind(of: dict) -> str:
    """A kind of processor in a word, the name of its file of results."""
    return re.sub(r"[^a-z0-9]+", "-", f"{of['processor']} {of['vector instructions']}".lower()).strip("-")


def machine() -> dict:
    """What the results were measured on and with."""
    packages = ("torch", "jax", "scikit-learn", "numpy")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": processor(),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": versions,
        "date": date.today().isoformat(),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parts = ["S", "M", "L", "scaling", "memory"]
    parser.add_argument("--parts", nargs="+", default=parts, choices=[*parts, "tiny"], help="what to measure")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of results")
    parser.add_argument("--leave-out", nargs="+", default=[], choices=CONTENDERS, help="contenders to leave out")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        size, contender = arguments.peak
        if size not in SIZES or contender not in CONTENDERS:
            known = f"one of {', '.join(SIZES)} and one of {', '.join(CONTENDERS)}"
            parser.exit(2, f"python -m benchmarks: --peak must be {known}; got {size}, {contender}. Correct it.\n")
        print(peak(size, contender))
        return
    if not arguments.out.is_dir():
        parser.exit(
            2, f"python -m benchmarks: --out must be a folder; got {arguments.out}. Make it, or name another.\n"
        )
    here = machine()
    file = arguments.out / f"{kind(here)}.json"
    try:
        results = json.loads(file.read_text()) if file.exists() else {"sizes": {}}
        results["machine"], results["sizes"] = here, dict(results["sizes"])
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        got = f"an error: {type(error).__name__}"
        parser.exit(2, f"python -m benchmarks: {file} must be results in JSON; got {got}. Restore or remove it.\n")
    for part in arguments.parts:
        if part == "scaling":
            results["scaling"] = scaling()
        elif part == "memory":
            results["memory"] = memory("L")
        else:
            results["sizes"][part] = measure(part, tuple(arguments.leave_out))
        file.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
