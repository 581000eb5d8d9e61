"""Whatever a public function, class or figure of `mtfl` is given: a right answer, or one sentence that refuses it.

The callables are found by inspection, and so are their arguments: a new one is tried without being listed, and one with
an argument of a new name fails until ``GOOD`` says what such an argument looks like.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import pkgutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explorable_examples import GRID, KINDS, example
from hypothesis import given, settings
from hypothesis import strategies as st
from sentences import HOUSE_FORM
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from waiting import HANG

import mtfl
from mtfl import _checks, figures, quoting
from mtfl.activations import activation_step, hermite_coefficients
from mtfl.claims.ledger import Ledger
from mtfl.claims.registry import Evidence, Verdict, near_mutants, stated
from mtfl.contrastive import Anchors, ridge_heads
from mtfl.explorables import Explorable
from mtfl.inputs import ColouredInputs, GaussianInputs, HypercubeInputs
from mtfl.many_tasks import KernelNorms, SpanningLaw, spanning_law
from mtfl.metrics import conditioning
from mtfl.neighbours.colour import own_colours_energy, tilted_energy, variances
from mtfl.neighbours.evidence import ProbeSettings
from mtfl.neighbours.finetuning import pretrained_weights
from mtfl.neighbours.interpolants import ambiguous_gaps
from mtfl.neighbours.labels import OwnInputsSettings, path_inflation
from mtfl.neighbours.overfitting import FlipSettings
from mtfl.neighbours.prompts import PromptSettings
from mtfl.neighbours.robustness import AttackSettings, Head, rule_robust_accuracy
from mtfl.neighbours.width import few_shot_risk
from mtfl.network import TwoLayerReLU
from mtfl.one_step import sampled_steps
from mtfl.pairs import PairSettings
from mtfl.population import Neurons, PopulationStep, population_step
from mtfl.pretraining import Adam, PretrainSettings, pretrain
from mtfl.randomness import streams
from mtfl.real_data import Images, load, split
from mtfl.real_transfer import RelabelSettings
from mtfl.single_task import atlas, single_task_steps
from mtfl.tasks import limit_kernel, walsh_coefficients
from mtfl.transfer import FrozenFeatures, TransferSettings, is_right, learning_curves, transfer_accuracy

ROOT = Path(__file__).parents[1]
ELSEWHERE = ("mtfl.sweeps", "mtfl.sphinx_ext", "mtfl.explorables", "mtfl.claims.draws", "mtfl.claims.many_tasks")
"""Modules with tests of their own, for commands, the site and figures to move; and what only checks of claims call."""
UNCHECKED = "without checks"
"""What the docstring of a function says that trusts its callers, because it runs inside loops."""


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=streams(0, "drawn")["drawn"], dtype=torch.float64)


def generator() -> torch.Generator:
    return streams(0, "batches")["batches"]


F = torch.tensor([[-1.0, 1, -1, 1], [1, 1, -1, -1], [1, -1, -1, 1]], dtype=torch.float64)
M = torch.eye(5, 2, dtype=torch.float64)
SIGMA = torch.diag(torch.arange(1, 6).double()) + 0.5
NEURONS = Neurons(drawn(4, 2), drawn(4).abs() + 0.1, torch.full((4,), 0.1, dtype=torch.float64))
PATTERNS = torch.arange(6) % 4
NETWORK = TwoLayerReLU(drawn(4, 5), torch.zeros(4).double(), drawn(3, 4))
RECORDED = [quoting.Quoted("0.10", 0.1, 0.001, 0.005), quoting.Quoted("<1", 0.1, 0.1, 0.9)]


def distance(seed: int, *, factor: float = 1.0) -> Evidence:
    return Evidence("distance", factor, "at most", 1)


CLAIM = stated("01_setup", "thm-a", distance)
COLOURED = ColouredInputs(M, torch.diag(torch.arange(1, 6).double()))
IMAGES = Images(drawn(6, 5), PATTERNS)
ATLAS = atlas(2, 9)
TRANSFER = TransferSettings(d=5, r=2, neurons=4, tasks=3, batch_size=16, examples=8)

CANVAS: list[Any] = []


def canvas() -> Any:
    """A figure and its axes, with nothing on them: the last ones again, if the call that they were for drew nothing."""
    if not CANVAS or [len(x.get_children()) for x in CANVAS] != [2, BARE]:
        CANVAS[:] = figures.canvas()
    return CANVAS


BARE = len(figures.canvas()[1].get_children())
"""How many parts axes have when nothing is drawn on them."""

GOOD: dict[str, Callable[[], Any]] = {
    **{name: lambda value=value: value for name, value in {
        "m": 4, "d": 5, "r": 2, "n": 6, "count": 3, "tasks": 3, "batch_size": 8, "rounds": 2, "examples": 8, "seed": 0,
        "step_size": 0.1, "penalty": 0.1, "head_step": 0.1, "representation_step": 0.1, "names": ("pretrained",),
        "axis": "examples", "values": [4, 8], "seeds": [0], "F": F, "f": F[0], "M": M, "W": drawn(4, 5), "V": NEURONS.V,
        "rate": 0.1, "temperature": 0.5, "cells": torch.arange(4)[None],
        "tau": NEURONS.tau, "b": NEURONS.b, "A": NETWORK.A, "X": drawn(6, 5), "H": drawn(6, 4).abs(),
        "Y": F[:, PATTERNS], "patterns": PATTERNS, "kernel": F.T @ F / 3, "coefficients": walsh_coefficients(F),
        "kernels": torch.stack([F.T @ F / 3, limit_kernel(2)]), "inside": drawn(4, 2), "outside": drawn(4),
        "inputs": GaussianInputs(M), "network": NETWORK, "neurons": NEURONS,
        "features": FrozenFeatures(drawn(4, 5), torch.zeros(4).double()),
        "anchors": Anchors(drawn(4, 4).abs()), "activation": torch.tanh, "nu": 0.5, "leak": 0.3, "Sigma": SIGMA,
        "correlation": 0.5, "spread": 0.5,
        "U": torch.eye(2).double(), "left": drawn(3, 3).abs(), "rates": drawn(3).abs(), "factor": 3.0,
        "Phi": drawn(4, 6), "gamma": drawn(6).abs(), "points": torch.arange(6).double(), "kinks": drawn(4),
        "strength": drawn(8).abs(), "start": 0.1, "beta": drawn(8), "c": drawn(8).abs(), "y": drawn(3),
        "exponent": 1.0, "h": drawn(6, 2), "radius": 0.5, "error": 0.1, "scale": 2.0, "failure": 0.1,
        "usual": drawn(6), "odd": drawn(4),
        "step": population_step(*NEURONS, limit_kernel(2)), "settings": TRANSFER,
        "images": IMAGES, "classes": PATTERNS, "kept": torch.tensor([2, 0]), "pretraining": 2, "downstream": 3,
        "alt": "A line that rises.", "label": "median", "colour": "blue", "labels": [1.0, -1.0, -1.0, 1.0],
        "relative": 0.1, "chapter": "01_setup", "claim": CLAIM, "mutants": {"twice": {"factor": 2.0}},
        "verdicts": [Verdict(CLAIM, ((distance(0),),), {})],
        "id": "thm-a", "what": "distance", "measured": 0.1, "relation": "at most", "bound": 1.0,
        "text": "0.10", "value": 0.1, "within": 0.001, "room": 0.005, "limit": 0.2, "threshold": 0.3,
        "line": "0.10 0.1 0.001 0.005", "records": RECORDED, "stored": RECORDED, "found": RECORDED,
        "outputs": [{"data": {quoting.RECORDS: "= 1 0 inf"}}, {}], "condition": True, "spec": ".2f", "name": "energy",
        "head": ["task", "energy"], "rows": [["1", "0.5"], ["2", "0.7"]], "atlas": ATLAS,
        "atlases": [ATLAS], "svg": "<svg/>", "html": "<p/>",
        "x": [1, 2, 4], "samples": drawn(5, 3).numpy(), "quantiles": np.arange(9.0).reshape(3, 3), "matrix": np.eye(2),
    }.items()},
    "generator": generator,
    "check": lambda: distance,
    "figure": lambda: canvas()[0],
    "ax": lambda: canvas()[1],
}  # fmt: skip
"""What an argument of this name looks like: m = 4 neurons, d = 5, r = 2 features, T = 3 tasks, n = 6 inputs."""

OTHERWISE: dict[str, dict[str, Any]] = {
    "pretraining.pretrain": {"settings": PretrainSettings(2, 8, 0.1, 0.1)},
    "pairs.train_on_pairs": {"settings": PairSettings(2, 8, 0.5, 0.1)},
    "randomness.streams": {"names": "tasks"},
    "real_data.load": {"name": "digits"},
    "real_data.balanced_kernel": {"classes": 4},
    "real_data.relabellings": {"classes": 4},
    "real_data.split": {"images": Images(torch.arange(30.0).view(6, 5), PATTERNS)},
    "real_transfer.RelabelSettings": {"data": "digits", "representation": "step"},
    "real_transfer.relabel_run": {"settings": RelabelSettings(data="digits", representation="pixels")},
    "transfer.FrozenFeatures.first": {"m": 2},
    "many_tasks.layer_limit": {"kernels": limit_kernel(2, "balanced")[None]},
    "neighbours.colour.coloured_step": {"inputs": COLOURED},
    "neighbours.colour.tilted_energy": {"inputs": COLOURED},
    "neighbours.colour.own_colours_energy": {"sizes": 1 + drawn(4, 5).square()},
    "neighbours.labels.own_inputs_energy": {"F": F[:2]},
    "neighbours.labels.OwnInputsSettings": {"neurons": 4, "labels": 16},
    "neighbours.labels.own_inputs_run": {"settings": OwnInputsSettings(d=5, r=2, neurons=4, labels=16, examples=8)},
    "neighbours.interpolants.kernel_heads": {"Y": F},
    "neighbours.finetuning.finetuned_coefficients": {"X": drawn(3, 8)},
    "neighbours.finetuning.joint_coefficients": {"X": drawn(3, 8)},
    "neighbours.prompts.prompt_run": {"settings": PromptSettings(d=5, r=2, source="inputs", reader="attention")},
    "neighbours.robustness.attack_run": {
        "settings": AttackSettings(d=5, layer="oracle subspace", neurons=4, examples=20, batch_size=8)
    },
    "neighbours.evidence.probe_run": {
        "settings": ProbeSettings(d=5, layer="oracle subspace", neurons=4, examples=200, batch_size=8)
    },
    "neighbours.overfitting.flip_run": {"settings": FlipSettings(d=5, examples=20)},
    "figures.neurons_in_plane": {"V": drawn(4, 2).numpy()},
    "figures.atlas_table": {"names": list("abcd")},
    "figures.table": {"anchors": ["one", "two"]},
    "claims.registry.Claim": {"mutants": {"other": lambda seed: Evidence("distance", 2, "at most", 1)}},
    "claims.registry.parts": {"found": distance(0)},
    "quoting.count_above": {"values": drawn(3, 2)},
}
"""Arguments that look otherwise for one callable."""

OBJECTS: dict[str, Any] = {
    "GaussianInputs": GaussianInputs(M),
    "HypercubeInputs": HypercubeInputs(M),
    "ColouredInputs": ColouredInputs(M, SIGMA),
    "TwoLayerReLU": NETWORK,
    "FrozenFeatures": FrozenFeatures(drawn(4, 5), torch.zeros(4).double()),
    "Images": IMAGES,
    "Neurons": NEURONS,
    "PopulationStep": population_step(*NEURONS, limit_kernel(2)),
    "KernelNorms": KernelNorms.expected(3, 2),
    "SpanningLaw": spanning_law(2),
    "Head": Head(FrozenFeatures(drawn(4, 5), torch.zeros(4).double()), drawn(4), torch.tensor(0.5).double()),
}
"""An object of each class that has methods."""

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch's: this layout is going to change
    NESTED = torch.nested.nested_tensor([torch.ones(4, 5), torch.ones(4, 5)], dtype=torch.float64)

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**62, -(2**70), 10**30, 10**400, -(10**400), 10**5000,
    0.5, -0.5, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf, 1 + 2j, np.float64(0.5), np.int64(3),
    np.float32(0.5), np.float16(0.5), NESTED,
    "", "x", "half a letter \ud800.", "uniform", "cuda", "meta", b"x", (), [], [None], ["x"], [math.nan], {}, {"a": 1},
    object(), int, len,
    torch.float16, torch.int64, np.array([1.0, 2.0]), np.array(["x"]), torch.tensor(1.0), torch.ones(2, 2),
    NETWORK, GaussianInputs(M), NEURONS, TRANSFER, Anchors(M), streams(0, "a")["a"],
)  # fmt: skip


def put(x: Tensor, value: float) -> Tensor:
    x = x.clone()
    x.view(-1)[0] = value
    return x


def spoiled(x: Tensor) -> Iterator[Any]:
    """Arrays that are nearly x."""
    yield from (x.float(), x.half(), x.long(), x.bool(), x.to(torch.complex128), x.to("meta"), x.numpy(), x.tolist())
    yield from (x.T if x.ndim == 2 else x.unsqueeze(0), x[None], x[:0], x[:1], x[..., :0], x[..., :1], x.flatten())
    yield from (torch.cat([x, x]), torch.cat([x, x], -1), 0 * x, -x, x.to_sparse(), torch.tensor(1.0).double())
    if x.is_floating_point():
        yield from (put(x, value) for value in (math.nan, math.inf, -math.inf, 1e308, 0.5))
        yield from (x * scale for scale in (1e308, 1e150, 1e50, 1e-50, 1e-200, 5e-324))
        yield from ((x * scale).float() for scale in (1e30, 1e15, 1e-30))
        yield from (x.clone().requires_grad_(), torch.complex(x, -x).conj().imag)
    else:
        yield from (put(x, value) for value in (-1, 4, 2**40))


def bad_values(good: Any) -> list[Any]:
    """What an argument is tried with that should look like this one."""
    return [*SCALARS, *(spoiled(good) if isinstance(good, Tensor) else ())]


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(mtfl.__path__, "mtfl."):
        private = any(part.startswith("_") for part in found.name.split("."))
        if not private and not found.name.startswith(ELSEWHERE):
            yield importlib.import_module(found.name)


def is_record(kind: type) -> bool:
    """Whether a class only keeps what it is given: named tuples and data classes that check nothing."""
    checks = dataclasses.is_dataclass(kind) and hasattr(kind, "__post_init__")
    return issubclass(kind, tuple) or (dataclasses.is_dataclass(kind) and not checks)


def trusts_its_callers(thing: Callable[..., Any]) -> bool:
    """Whether a callable says that it checks nothing, or is a check, which is told by whom it is called."""
    says = UNCHECKED in " ".join((thing.__doc__ or "").lower().split())
    return says or "where" in inspect.signature(thing).parameters


def public_callables() -> dict[str, Callable[..., Any]]:
    """Name -> what is called: functions, classes that check what they are given, and their methods."""
    found: dict[str, Callable[..., Any]] = {}
    for module in modules():
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == module.__name__ and not name.startswith("_")
            where = f"{module.__name__.removeprefix('mtfl.')}.{name}"
            if own and inspect.isclass(thing):
                if not is_record(thing):
                    found[where] = thing
                for method, raw in inspect.getmembers_static(thing):
                    if method == "__call__" or not method.startswith("_"):
                        if isinstance(raw, classmethod):
                            found[f"{where}.{method}"] = getattr(thing, method)
                        elif inspect.isfunction(raw) and raw.__module__ == module.__name__:
                            found[f"{where}.{method}"] = getattr(OBJECTS[name], method)
            elif own and inspect.isfunction(inspect.unwrap(thing)):
                found[where] = thing
    return {name: thing for name, thing in found.items() if not trusts_its_callers(thing)}


PUBLIC = public_callables()


@cache
def parameters(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(PUBLIC[name]).parameters


def arguments(name: str) -> dict[str, Callable[[], Any]]:
    """What a callable's arguments look like, those too that may be left out."""
    own = OTHERWISE.get(name, {})
    found = {}
    for parameter in parameters(name).values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            value, given = parameter.name, own.get(parameter.name, parameter.default)
            if given is not parameter.empty:
                found[value] = lambda given=given: given
            else:
                assert value in GOOD, f"{name}: say in GOOD what an argument called {value} looks like"
                found[value] = GOOD[value]
    return found


def call(name: str, given: dict[str, Any]) -> Any:
    """Call it with these arguments, in its own order."""
    kinds = parameters(name)
    named = {key for key in given if kinds[key].kind is inspect.Parameter.KEYWORD_ONLY}
    in_order = (value for key, value in given.items() if key not in named)
    return PUBLIC[name](*in_order, **{key: given[key] for key in named})


def numbers(result: Any) -> Iterator[float]:
    """All numbers in a result."""
    if isinstance(result, (Evidence, quoting.Quoted)):
        return  # what they keep may be NaN
    if isinstance(result, Tensor):
        yield from result.detach().flatten().tolist()
    elif isinstance(result, np.ndarray) and result.dtype != object:
        yield from result.ravel().tolist()
    elif isinstance(result, (float, int)):
        yield float(result)
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from numbers(part)
    elif isinstance(result, dict):
        yield from numbers(tuple(result.values()))
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        yield from numbers([getattr(result, field.name) for field in dataclasses.fields(result)])


def outcome(run: Callable[[], Any]) -> str:
    """What is wrong with what happens; empty, if a right answer or a sentence comes."""
    torch.set_warn_always(True)  # not only at the first of several faults
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wrong = [x for x in numbers(run()) if not math.isfinite(x)]
    except (TypeError, ValueError, RuntimeError) as error:
        return "" if HOUSE_FORM.fullmatch(str(error)) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        torch.set_warn_always(False)
    return f"a result of {wrong[0]}" if wrong else ""


@pytest.mark.parametrize(
    ("rule", "remedy", "leads"),
    [("at least 3", "use more", True), ("at least 3", "use fewer", False), ("at most 3", "choose a larger one", False)],
)
def test_a_remedy_leads_towards_the_rule(rule: str, remedy: str, leads: bool) -> None:
    assert bool(HOUSE_FORM.fullmatch(f"f: m must be {rule}; got 2. It cannot be: {remedy}.")) == leads


@pytest.mark.parametrize("name", PUBLIC)
def test_good_arguments_are_taken(name: str) -> None:
    assert outcome(lambda: call(name, {key: make() for key, make in arguments(name).items()})) == ""


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.usefixtures("unchecked")
def test_one_bad_argument_is_refused_in_a_sentence_or_taken_right(name: str) -> None:
    good = arguments(name)
    wrong = []
    for key in good:
        for value in bad_values(good[key]()):
            given = {other: make() for other, make in good.items()} | {key: value}
            if told := outcome(lambda given=given: call(name, given)):
                wrong.append(f"{key} = {_checks.shown(value)}: {told}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.usefixtures("unchecked")
@settings(max_examples=8, derandomize=True)
@given(data=st.data())
def test_two_bad_arguments_are_too(name: str, data: st.DataObject) -> None:
    good = {key: make() for key, make in arguments(name).items()}
    for key in data.draw(st.lists(st.sampled_from(sorted(good)), min_size=1, max_size=2, unique=True)):
        bad = bad_values(good[key])
        index = data.draw(st.integers(0, len(bad)), label=f"number of the bad value for {key}")
        good[key] = bad[index] if index < len(bad) else data.draw(st.floats() | st.text(max_size=3))
    assert outcome(lambda: call(name, good)) == ""


STATES = [
    (kind, key) for kind in KINDS for key in [*example(kind).settings, "name", "title", "alt", "layout", "nosuch"]
]


@pytest.mark.parametrize(("kind", "key"), STATES, ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_a_figure_shows_a_state_or_refuses_it(kind: type[Explorable], key: str) -> None:
    wrong = []
    for value in SCALARS:
        try:
            page = example(kind, **{key: value}).page()
            told = "NaN on the page" if "NaN" in page.split('type="application/json">')[1].split("</script>")[0] else ""
        except Exception as error:
            told = "" if HOUSE_FORM.fullmatch(str(error)) else f"{type(error).__name__}: {error}"
        if told:
            wrong.append(f"{_checks.shown(value)}: {told}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("key", [*GRID, "nosuch"])
def test_a_grid_is_taken_or_refused(key: str) -> None:
    wrong = []
    nested = [GRID["parity"] | {"pretrained": value} for value in SCALARS]
    for value in [*SCALARS, *nested]:
        told = outcome(lambda value=value: str(example(KINDS[3], grid=GRID | {key: value})))
        if told:
            wrong.append(f"{_checks.shown(value)}: {told}")
    assert not wrong, "\n".join(wrong)


UNBOUNDED = {
    "sample_tasks(1, 62, law='parity', generator=g)": "r must be at most 14",
    "sample_tasks(10**9, 3, generator=g)": "the numbers in an array must be at most",
    "single_task_steps(torch.ones(1, 2**12).double(), 100)": "r must be at most 11",
    "spanning_law(2).probability(10**6)": "tasks must be at most 10000",
    "pattern_signs(40)": "r must be at most 28",
    "limit_kernel(20)": "r must be at most 14",
    "TwoLayerReLU.random(10**6, 10**6, tasks=1, generator=g)": "the numbers in an array must be at most",
    "HypercubeInputs.axes(70, 3).sample(10**9, generator=g)": "the numbers in an array must be at most",
    "GaussianInputs.random(10**9, 10, generator=g)": "the numbers in an array must be at most",
    "pattern_moments(torch.ones(9, 25).double(), torch.ones(9).double(), torch.zeros(9).double())": "the numbers in an",
    "sampled_steps(10**6, 10**7, limit_kernel(2)[None], batch_size=8, generator=g)": "the numbers in an array must be",
    "PretrainSettings(10**10, 8, 0.1, 0.1)": "rounds must be at most",
    "GaussianInputs.random(5001, 5000, generator=g)": "r must be at most 53",
    "HypercubeInputs.axes(9000, 8000)": "r must be at most 53",
    "sample_tasks(2**14, 14, law='junta', generator=g)": "the numbers in an array must be at most",
    "train(head_steps=2)": "the numbers in an array must be at most",
    "train(batches='per-task')": "the numbers in an array must be at most",
    "path_norm_weights(torch.ones(200, 300), torch.eye(200))": "n times the rank of the kernel must be at most",
    "path_inflation(torch.tensor([[-1.0, 1.0]]), 1 - 1e-9, 10**9)": "the neighbours that depend on an input must be at",
    "autoregressive_paths(1, 10**7, 1, 0.5, generator=g)": "n must be at most 1000000",
    "noise_stability(torch.ones(1, 2**16), 0.5)": "r must be at most 14",
    "SpanningLaw(1, {10**400: 1}).probability(10000)": "a number of tasks must be at most 1",
}
"""Calls that once took for ever, or all memory -> what is said now."""


def test_what_would_not_fit_is_refused_before_it_is_made() -> None:
    """In a process of its own, which may take 4 GB more than it has when everything is imported."""
    code = f"""
import resource, torch
from mtfl import *
from mtfl.many_tasks import SpanningLaw, spanning_law
from mtfl.moments import pattern_moments
from mtfl.one_step import sampled_steps
from mtfl.single_task import atlas, single_task_steps
from mtfl.neighbours.interpolants import path_norm_weights
from mtfl.neighbours.labels import autoregressive_paths, noise_stability, path_inflation
from mtfl.tasks import pattern_signs
def train(**how):
    network, inputs = TwoLayerReLU.random(4, 5, tasks=3, generator=g), GaussianInputs.random(5, 2, generator=g)
    settings = PretrainSettings(1, 10**9, 0.1, 0.1, **how)
    return pretrain(network, inputs, sample_tasks(3, 2, generator=g), settings, generator=g)
g = streams(0, "g")["g"]
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**32, held + 2**32))
for call in {list(UNBOUNDED)!r}:
    try:
        eval(call)
    except ValueError as error:
        print(error)
    else:
        print("taken")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stderr
    for call, sentence, said in zip(UNBOUNDED, UNBOUNDED.values(), done.stdout.splitlines(), strict=True):
        assert HOUSE_FORM.fullmatch(said), f"{call}: {said}"
        assert f": {sentence}" in said, f"{call}: {said}"


def without_gradients(run: Callable[[], Any]) -> Callable[[], Any]:
    def inner() -> Any:
        with torch.inference_mode():
            return run()

    return inner


SINGLE = (TwoLayerReLU(drawn(4, 5).float(), torch.zeros(4), torch.zeros(3, 4)), GaussianInputs(M.float()), F.float())
TILTED = torch.linalg.qr(drawn(5, 2)).Q


def unannotated(seed: int, *, factor: float = 1.0) -> Evidence:
    return distance(seed, factor=factor)


unannotated.__annotations__["factor"] = float  # as it is without annotations from __future__


ONCE: dict[str, Callable[[], Any]] = {
    "a format that prints thousands of digits": lambda: quoting.quote(1.5, ".400f"),
    "a format of another width": lambda: quoting.quote(1.5, "2000000000.2f"),
    "a format without a point": lambda: quoting.quote(1.5, "5f"),
    "more digits than a double has": lambda: quoting.quote(1e308, ".2f"),
    "the largest of none": lambda: quoting.below(np.array([]), 1),
    "a limit that is no number": lambda: quoting.count_above(np.array([1.0]), math.nan),
    "classes named twice": lambda: IMAGES.of_classes(torch.tensor([1, 1])),
    "an activation that looks around": lambda: hermite_coefficients(lambda s: torch.softmax(s, 0), 3),
    "an activation of complex values": lambda: hermite_coefficients(lambda s: s + 0j, 3),
    "parts of a step that do not fit": lambda: PopulationStep(NEURONS.V, NEURONS.tau[:1]).learned(NEURONS),
    "a step of words": lambda: PopulationStep("a", "b").learned(NEURONS),  # pyright: ignore
    "more seeds than can be counted": lambda: learning_curves(TRANSFER, "d", [5], seeds=range(10**400)),
    "a step beyond single precision": lambda: pretrain(
        *SINGLE, PretrainSettings(1, 8, 0.1, 1e300), generator=generator()
    ),
    "a rate beyond single precision": lambda: pretrain(
        *SINGLE, PretrainSettings(1, 8, 0.1, Adam(1e300)), generator=generator()
    ),
    "a head step beyond single precision": lambda: pretrain(
        *SINGLE, PretrainSettings(1, 8, 1e300, 0.1), generator=generator()
    ),
    "kernels whose steps overflow": lambda: sampled_steps(
        3, 6, 1.7e308 * torch.ones(1, 4, 4).double(), batch_size=5, generator=generator()
    ),
    "a penalty below rounding": lambda: ridge_heads(drawn(3, 4), F[:, :3], penalty=1e-17),
    "an activation of another precision": lambda: activation_step(
        drawn(4, 5).float(),
        SINGLE[1],
        limit_kernel(2).float(),
        lambda s: s.double(),
        batch_size=3,
        generator=generator(),
    ),
    "an activation that NumPy computes": lambda: activation_step(
        drawn(4, 5),
        GaussianInputs(M),
        limit_kernel(2),
        lambda s: torch.from_numpy(np.tanh(s.numpy())),
        batch_size=3,
        generator=generator(),
    ),
    "an activation with a jump": lambda: hermite_coefficients(lambda s: (s > 1).to(s), 1),
    "an activation that turns too fast": lambda: hermite_coefficients(torch.cos, 1, scale=100.0),
    "an activation that grows too fast": lambda: hermite_coefficients(torch.exp, 1, scale=10.0),
    "labels that are no signs": lambda: path_inflation(2 * F, 0.5, 9),
    "labels with a mean": lambda: path_inflation(torch.ones(1, 4), 0.5, 9),
    "a small kernel of tasks with a mean": lambda: KernelNorms.of(1e-5 * torch.eye(4)),
    "a spread of one number": lambda: variances(1, 0.5),
    "weights inside but for rounding": lambda: conditioning(
        drawn(4, 5) @ (torch.eye(5) - TILTED @ TILTED.T).double(), TILTED
    ),
    "images whose squares have few digits": lambda: split(
        Images(1e-161 * drawn(6, 5), PATTERNS), 2, 3, generator=generator()
    ),
    "linear features that are negative and large": lambda: transfer_accuracy(
        FrozenFeatures(-1e200 * M.T[:1], torch.zeros(1).double(), True),
        GaussianInputs(M),
        F[0],
        examples=8,
        generator=generator(),
    ),
    "terms of a law that are words": lambda: SpanningLaw(3, {"a": "b"}).probability(1),  # pyright: ignore
    "mean squares below zero": lambda: few_shot_risk(-torch.ones(3), 9),
    "a wrong version that is no check": lambda: dataclasses.replace(CLAIM, mutants={"x": None}),  # pyright: ignore
    "a constant that says no side": lambda: near_mutants(unannotated, 0.1),
    "a ledger of none": lambda: Ledger(None),  # pyright: ignore
    "shared axes of another kind": lambda: figures.canvas(sharex="banana"),
    "a figure in which nothing has room": lambda: figures.canvas(width=1e-3),
    "more axes than can be drawn": lambda: figures.canvas(100, 100),
    "a figure without axes": lambda: figures.show(figures.canvas()[0].__class__(), alt="A line that rises."),
    "numbers whose squares overflow": lambda: figures.neurons_in_plane(figures.canvas()[1], np.full((2, 2), 1e308)),
    "a row that is too short": lambda: figures.table(["a", "b"], [["b"]], label="x"),
    "labels that are truth values": lambda: figures.truth_table([True, True]),
    "labels that are complex": lambda: figures.truth_table(np.array([1 + 5j, -1])),  # pyright: ignore
    "labels that are masked": lambda: figures.truth_table(np.ma.masked_array([1.0, -1.0], mask=[1, 0])),  # pyright: ignore
    "labels that are words": lambda: figures.truth_table(["1", "-1"]),  # pyright: ignore
    "times for numbers": lambda: figures.heat_map(figures.canvas()[1], np.zeros((2, 2), "M8[ns]")),
    "a kernel without degree one": lambda: KernelNorms.of(torch.zeros(4, 4)).inputs_for_half(5),
}
"""What once ended in an error of another module, or in a wrong number."""


@pytest.mark.parametrize("what", ONCE)
@pytest.mark.usefixtures("unchecked")
def test_what_once_got_through_is_refused(what: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        ONCE[what]()
    assert HOUSE_FORM.fullmatch(str(caught.value)), caught.value


@pytest.mark.parametrize("name", ["pairs.train_on_pairs", "activations.activation_step", "pretraining.pretrain"])
def test_training_does_not_depend_on_whether_gradients_are_on(name: str) -> None:
    def run() -> list[float]:
        return list(numbers(call(name, {key: make() for key, make in arguments(name).items()})))

    assert without_gradients(run)() == pytest.approx(run(), rel=1e-6, abs=1e-9)  # rounding depends on addresses


SIZES: dict[str, Callable[[float], Any]] = {
    "lengths of neurons": lambda c: Neurons.of(c * drawn(4, 5), M).tau / c,
    "robust accuracy": lambda c: rule_robust_accuracy(F[0], c * drawn(6, 2), c * 0.5),
    "pretrained weights": lambda c: pretrained_weights(torch.zeros(2).double(), 0.1 * c) / c,
    "gaps": lambda c: ambiguous_gaps(
        torch.arange(6).double(), c * torch.tensor([[0.0, 0, 1, 3, 6, 0]]).double()
    ).double(),
    "tilted energy": lambda c: tilted_energy(ColouredInputs(M, c * COLOURED.Sigma)),
    "energy of own colours": lambda c: own_colours_energy(M, c * (1 + drawn(4, 5).square())),
    "what a step finds": lambda c: ColouredInputs(M, c * SIGMA).carried,
}
"""What does not depend on the size of an argument."""


@pytest.mark.parametrize("what", SIZES)
def test_what_knows_no_scale_is_right_at_any(what: str) -> None:
    usual = torch.as_tensor(SIZES[what](1.0))
    for scale in (1e-200, 1e200):
        assert torch.allclose(torch.as_tensor(SIZES[what](scale)), usual)


def test_features_that_say_nothing_are_right_half_of_the_time() -> None:
    """All scores are 0; so say a rule's for transfer, for attacks, and for images."""
    dead = FrozenFeatures(M.T, torch.full((2,), -100.0).double())
    g = streams(2, "examples")["examples"]
    assert (
        abs(transfer_accuracy(dead, GaussianInputs(M), F[0], examples=2, test_examples=1000, generator=g) - 0.5) < 0.1
    )


def test_a_score_of_zero_decides_as_in_scikit_learn() -> None:
    model = LogisticRegression().fit([[-1.0], [1.0]], [-1.0, 1.0])
    scores = torch.tensor([-1.0, -0.0, 0.0, 2.0])
    model.coef_, model.intercept_ = np.ones((1, 1)), np.zeros(1)
    for label in (-1.0, 1.0):
        labels = torch.full((4,), label)
        assert is_right(scores, labels).tolist() == (model.predict(scores[:, None].numpy()) == label).tolist()


def test_no_evidence_passes_no_claim() -> None:
    assert not Verdict(CLAIM, (), {}).passes


def test_small_labels_teach_what_large_ones_do() -> None:
    assert torch.allclose(single_task_steps(1e-6 * F, 9).energy, single_task_steps(F, 9).energy)


def test_what_is_loaded_may_be_written_into() -> None:
    load("digits").X.zero_()
    assert load("digits").X.any()
