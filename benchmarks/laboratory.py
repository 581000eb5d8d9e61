"""Times the laboratory's training under Node, beside plainer products and ``mtfl.pretrain`` on one core.

    python -m benchmarks.laboratory                 # five sizes, about two minutes
    npm install --prefix FOLDER @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm
    python -m benchmarks.laboratory --tfjs FOLDER   # with the products of TensorFlow.js

A round is the laboratory's own, in single precision, heads carried over, inputs shared by all tasks and drawn anew. All
times are processor times, medians over turns. The table is printed; ``--out`` writes the numbers to a file too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import torch

import mtfl
from benchmarks.contenders import Size
from mtfl import _checks
from mtfl.sphinx_ext.mathematics import node_binary

FOLDER = Path(__file__).parents[1] / "mtfl" / "explorables"
SCRIPT = Path(__file__).with_suffix(".mjs")
SIZES = {
    "XS": Size(d=10, r=2, m=32, T=8, n=128),
    "S": Size(d=30, r=2, m=64, T=32, n=256),
    "M": Size(d=52, r=3, m=100, T=64, n=512),
    "L": Size(d=128, r=3, m=256, T=128, n=1024),
    "XL": Size(d=300, r=4, m=512, T=512, n=2048),
}


def in_node(turns: int, seconds: float, sizes: dict[str, Size], tfjs: Path | None) -> dict[str, Any]:
    """What ``laboratory.mjs`` measures."""
    asked = {
        "folder": str(FOLDER),
        "sizes": {name: vars(size) for name, size in sizes.items()},
        "turns": turns,
        "seconds": seconds,
        "tfjs": str(tfjs.resolve()) if tfjs else None,
    }
    command = [node_binary(), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", str(SCRIPT)]
    done = subprocess.run(
        command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, encoding="utf8", check=True
    )
    return json.loads(done.stdout)


def in_python(size: Size, turns: int, seconds: float) -> float:
    """Rounds of ``mtfl.pretrain`` a second of processor time."""
    random = mtfl.streams(0, "inputs", "tasks", "weights", "batches")
    inputs = mtfl.GaussianInputs.random(size.d, size.r, generator=random["inputs"], dtype=torch.float32)
    F = mtfl.sample_tasks(size.T, size.r, law="balanced", generator=random["tasks"], dtype=torch.float32)
    start = mtfl.TwoLayerReLU.random(size.m, size.d, tasks=size.T, generator=random["weights"], dtype=torch.float32)
    rounds = max(2, int(seconds * 1e10 / size.flops))
    settings = mtfl.PretrainSettings(
        rounds=rounds, batch_size=size.n, head_step=0.05, representation_step=0.05 * size.T
    )
    rates = []
    for _ in range(turns + 1):
        begun = time.process_time()
        mtfl.pretrain(start, inputs, F, settings, generator=random["batches"])
        rates.append(rounds / (time.process_time() - begun))
    return statistics.median(rates[1:])  # the first finds out which product is the quickest


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m benchmarks.laboratory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=[*SIZES], choices=SIZES, help="what to measure")
    parser.add_argument("--turns", type=int, default=5, help="how often each is timed")
    parser.add_argument("--seconds", type=float, default=0.3, help="processor time of each turn, at least")
    parser.add_argument("--tfjs", type=Path, help="a folder where npm has installed TensorFlow.js")
    parser.add_argument("--out", type=Path, help="a file for the numbers")
    arguments = parser.parse_args()
    where, out = "python -m benchmarks.laboratory", arguments.out
    try:
        _checks.integer(where, "--turns", arguments.turns, least=1)
        _checks.between(where, "--seconds", arguments.seconds, 0.001, 3600.0)
        for name, folder in (("--tfjs", arguments.tfjs), ("the folder of --out", out and out.parent)):
            there, remedy = folder is None or folder.is_dir(), "Make it, or name another."
            _checks.require(there, where, name, "a folder that is there", folder, remedy)
    except (OSError, TypeError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    sizes = {name: SIZES[name] for name in arguments.sizes}
    found = in_node(arguments.turns, arguments.seconds, sizes, arguments.tfjs)
    for name, size in sizes.items():
        row = found["sizes"][name]
        row["rounds, mtfl.pretrain"] = in_python(size, arguments.turns, arguments.seconds)
        print(f"{name}: d = {size.d}, m = {size.m}, T = {size.T}, n = {size.n}, {size.flops / 1e6:.1f} MFLOP a round")
        for key, value in row.items():
            print(f"  {key:32}{value:10.3g}")
        quick, plain, loop = (row[f"GFLOP/s, {kind}"] for kind in ("WebAssembly", "JavaScript", "triple loop"))
        print(f"  products: JavaScript {plain / loop:.1f} x the triple loop, WebAssembly {quick / plain:.1f} x that")
        rounds, python = row["rounds, WebAssembly"], row["rounds, mtfl.pretrain"]
        print(f"  drawing takes {rounds / row['draws']:.0%} of a round; mtfl.pretrain: {python / rounds:.1f} x as many")
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
