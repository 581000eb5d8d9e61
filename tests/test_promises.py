"""What docstrings promise beyond the formula: of every public callable what holds for all, and of some what they say.

Each entry of ``PROMISES`` quotes words of a docstring, so that an entry goes when its promise does.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from test_bad_input import GOOD, PUBLIC, TRANSFER, F, M, arguments, call, modules
from torch import Tensor
from torch.testing import assert_close

from mtfl import contrastive, inputs, metrics, network, population, real_data, single_task, tasks, transfer
from mtfl.randomness import streams

DRAWN_ON = {"ax", "figure"}
FORMULA = [name for name in PUBLIC if not name.startswith("figures.")]  # all but pictures, whose objects never equal
WIDE = {
    "moments.pattern_moments": "moments.pattern_moments",
    "many_tasks.learned_steps": "many_tasks.learned_steps",
    "many_tasks.layer_limit": "many_tasks.layer_limit",
    "pairs.train_on_pairs": "pairs.TrainedOnPairs",
    "population.population_step": "population.population_step",
    "population.population_flow": "population.PopulationFlow",
    "pretraining.pretrain": "pretraining.History",
    "single_task.single_task_steps": "single_task.SingleTaskSteps",
}
"""Callables with results of double precision whatever they are given, and whose docstring says so."""


def content(value: Any) -> Any:
    """All that a value holds, as something that can be compared."""
    if isinstance(value, Tensor):
        return str(value.dtype), tuple(value.shape), value.detach().numpy().tobytes()
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, [content(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, functools.partial):
        return value.func, content(value.args), content(value.keywords)
    if isinstance(value, dict):
        return [(key, content(part)) for key, part in value.items()]
    if isinstance(value, (tuple, list)):
        return [content(part) for part in value]
    return value


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same but for rounding, which depends on where arrays lie in memory."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Generator):
        return content(one) == content(other)
    if isinstance(one, Tensor) and one.is_floating_point():
        a, b = one.detach(), other.detach()
        size = float(a.nan_to_num(0, 0, 0).abs().max()) if a.numel() else 0.0
        same_kind = (a.dtype, a.shape) == (b.dtype, b.shape)
        return same_kind and torch.allclose(a, b, rtol=0, atol=1e-6 * size, equal_nan=True)
    if isinstance(one, np.ndarray) and one.dtype.kind == "f":
        return one.dtype == other.dtype and alike(torch.from_numpy(one), torch.from_numpy(other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        return all(alike(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))
    if isinstance(one, dict):
        return [*one] == [*other] and alike([*one.values()], [*other.values()])
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(alike, one, other))
    return content(one) == content(other)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"x": (torch.ones(3).double() * (1 + 1e-9), 2.0)}, True),
        ({"x": (torch.ones(3).double() * (1 + 1e-4), 2.0)}, False),
        ({"x": (torch.ones(3), 2.0)}, False),
        ({"x": (torch.ones(1, 3).double(), 2.0)}, False),
        ({"x": (torch.ones(3).double(), 2.001)}, False),
        ({"y": (torch.ones(3).double(), 2.0)}, False),
    ],
)
def test_another_value_is_told_from_rounding(other: Any, same: bool) -> None:
    assert alike({"x": (torch.ones(3).double(), 2.0)}, other) is same


def made(name: str) -> dict[str, Any]:
    """Good arguments of a callable."""
    return {key: make() for key, make in arguments(name).items()}


def global_state() -> Any:
    """Of the generators that all code shares; Python's own is left out, from which beartype draws."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002  # the one that nobody may touch
    return torch.get_rng_state().numpy().tobytes(), kind, np.asarray(keys).tobytes(), rest


@pytest.mark.parametrize("name", PUBLIC)
def test_no_argument_is_changed_and_no_global_generator_is_touched(name: str) -> None:
    given = made(name)
    kept = {key: value for key, value in given.items() if key not in {*DRAWN_ON, "generator"}}
    before, state = content(kept), global_state()
    call(name, given)
    assert content(kept) == before
    assert global_state() == state


@pytest.mark.parametrize("name", FORMULA)
def test_the_same_arguments_give_the_same_result_and_another_generator_another(name: str) -> None:
    once = call(name, made(name))
    assert alike(call(name, made(name)), once)
    if "generator" in arguments(name):
        assert not alike(call(name, made(name) | {"generator": streams(1, "other")["other"]}), once)


ARRAYS = r"Tensor|ndarray|Float|Array|Any|TwoLayerReLU"  # types that are arrays, or hold some
RECORDS = {
    f"{module.__name__}.{name}": thing
    for module in modules()
    for name, thing in vars(module).items()
    if dataclasses.is_dataclass(thing) and isinstance(thing, type) and thing.__module__ == module.__name__
    if not name.startswith("_")
}


@pytest.mark.parametrize("name", RECORDS)
def test_settings_and_results_never_change_and_are_compared_only_where_they_hold_no_arrays(name: str) -> None:
    record = RECORDS[name]
    holds = any(re.search(ARRAYS, str(field.type)) for field in dataclasses.fields(record))
    flags = record.__dataclass_params__  # type: ignore[attr-defined]
    assert flags.frozen
    assert flags.eq != holds


def single(value: Any) -> Any:
    """A value with all its arrays in single precision."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(map(single, value))  # type: ignore[attr-defined]  # a named tuple
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{name: single(getattr(value, name)) for name in fields})
    return value


def precisions(value: Any) -> set[torch.dtype]:
    """The precisions of the arrays in a result."""
    if isinstance(value, Tensor):
        return {value.dtype} if value.is_floating_point() else set()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return precisions([getattr(value, field.name) for field in dataclasses.fields(value)])
    return set().union(*map(precisions, value)) if isinstance(value, (tuple, list)) else set()


def says(name: str) -> str:
    """The docstring of a callable of the package, or of a constant, on one line."""
    where, *path = name.split(".")
    thing = importlib.import_module(f"mtfl.{where}")
    if path[-1].isupper():
        lines = ast.parse(inspect.getsource(thing)).body
        (place,) = (k for k, line in enumerate(lines) if ast.unparse(line).startswith(f"{path[-1]} ="))
        return " ".join(ast.literal_eval(ast.unparse(lines[place + 1])).split())
    for part in path:
        thing = getattr(thing, part)
    return " ".join((thing.__doc__ or "").split())


TAKES_ARRAYS = [
    name
    for name in FORMULA
    if "." not in name.partition(".")[2] and any(precisions(make()) for make in arguments(name).values())
]


@pytest.mark.parametrize("name", TAKES_ARRAYS)
def test_a_result_is_as_precise_as_the_arguments(name: str) -> None:
    result = call(name, {key: single(value) for key, value in made(name).items()})
    found = precisions(result)
    if name in WIDE:
        assert torch.float64 in found and "in float64" in says(WIDE[name])
    else:
        assert found <= {torch.float32}


# What single docstrings say

DRAWS = 40


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=streams(4, "promises")["promises"], dtype=torch.float64)


def layers() -> list[Tensor]:
    """First layers of all kinds: random ones, within the subspace, outside of it, with a neuron of zeros, of rank 1."""
    W = normal(DRAWS, 6, 5)
    return [*W, *(W @ M @ M.T), *(W - 0.999 * W @ M @ M.T), *(W * torch.arange(6)[:, None]), *(W[..., :1] @ W[:, :1])]


def members_are_no_smaller() -> bool:
    found = tasks.equivalence_classes(2)
    every, first = tasks.all_tasks(2), []
    for k, representative in enumerate(found.representatives):
        numbers = (found.labels == k).nonzero().flatten()
        first.append(int(numbers.min()))
        if not torch.equal(every[first[-1]], representative):
            return False
    return first == sorted(first)


def all_labels_alike() -> bool:
    one = torch.ones(4, dtype=torch.float64)
    features, law = GOOD["features"](), GOOD["inputs"]()
    options = {"examples": 5, "test_examples": 50, "generator": GOOD["generator"]()}
    return transfer.transfer_accuracy(features, law, one, **options) == 1


def others_change_nothing() -> bool:
    law = GOOD["inputs"]()
    every = transfer.representations(TRANSFER, law, seed=3)
    alone = {name: transfer.representations(TRANSFER, law, seed=3, names=(name,))[name] for name in every}
    return alike(every, alone)


def share_inside() -> float:
    W = torch.randn(400, 200, generator=GOOD["generator"]())
    return metrics.energy_ratio(W, torch.eye(200, 20))


def kernel_of(count: int, law: str) -> Tensor:
    """The kernel of many tasks of three features, drawn."""
    return tasks.task_kernel(tasks.sample_tasks(count, 3, law=law, generator=GOOD["generator"]()))


def lengths_of_balanced_tasks(r: int) -> bool:
    """Second and fourth moment of |f1| over all balanced tasks."""
    F = tasks.all_tasks(r)
    squares = tasks.degree_one(tasks.walsh_coefficients(F[F.sum(1) == 0])).square().sum(1)
    K = 2**r
    fourth = (r * (r + 2) * (K - 4) + 4 * r) / (K * (K - 1) * (K - 3))
    return bool(
        torch.isclose(
            torch.stack([squares.mean(), squares.square().mean()]), normal(2) * 0 + torch.tensor([r / (K - 1), fourth])
        ).all()
    )


INNER = tasks.pattern_signs(3) @ tasks.pattern_signs(3).T
EYE = torch.eye(8).double()
AGREE = (INNER + 3) / 2  # on how many features two patterns agree
SMALL = normal(3, 4)
SMALL_M = torch.eye(4, 2).to(SMALL)
LAYER = transfer.FrozenFeatures.of(3 * normal(50, 5), generator=GOOD["generator"]())
START = network.TwoLayerReLU.random(4, 5, tasks=3, generator=GOOD["generator"]())
BITS = torch.tensor([[(k >> j) & 1 for j in range(4)] for k in range(16)])
ZERO = torch.zeros(1, 4).double()

PROMISES: list[tuple[str, str, Callable[[], Any]]] = [
    ("metrics.energy_ratio", "in [0, 1]", lambda: all(0 <= metrics.energy_ratio(W, M) <= 1 for W in layers())),
    ("metrics.energy_ratio", "Random weights have r/d in expectation", lambda: abs(share_inside() - 0.1) < 0.005),
    ("metrics.energy_ratio", "|W M|_F^2 / |W|_F^2", lambda: math.isclose(
        metrics.energy_ratio(SMALL, SMALL_M), float(((SMALL @ SMALL_M).norm() / SMALL.norm()) ** 2), rel_tol=1e-6)),
    ("metrics.conditioning", "sigma_r / sigma_1 of V = W M", lambda: math.isclose(
        metrics.conditioning(SMALL, SMALL_M), 1 / float(torch.linalg.cond(SMALL @ SMALL_M)), rel_tol=1e-6)),
    ("tasks.pattern_signs", "row k has z_i = +1 where bit i of k is set", lambda: all(
        (tasks.pattern_signs(3)[k, i] > 0) == bool(k >> i & 1) for k in range(8) for i in range(3))),
    ("tasks.all_tasks", "row number k labels pattern j with +1 where bit j of k is set", lambda: all(
        (tasks.all_tasks(2)[k, j] > 0) == bool(k >> j & 1) for k in range(16) for j in range(4))),
    ("tasks.task_kernel", "K_T(z, z') = (1/T) sum_t f_t(z) f_t(z')", lambda: assert_close(
        tasks.task_kernel(F), F.T @ F / len(F))),
    ("tasks.walsh_coefficients", "fhat_S = E_z[f(z) prod_{i in S} z_i]", lambda: assert_close(
        tasks.walsh_coefficients(tasks.all_tasks(2))[:, 3], tasks.all_tasks(2) @ tasks.pattern_signs(2).prod(1) / 4)),
    ("tasks.centred", "each one's mean label taken off", lambda: assert_close(
        tasks.centred(tasks.all_tasks(2)), tasks.all_tasks(2) - tasks.all_tasks(2).mean(1, keepdim=True))),
    ("contrastive.slope_at_zero", "1 for hinge, 1/2 for logistic", lambda:
        [contrastive.slope_at_zero(loss=loss) for loss in ("hinge", "logistic")] == [1, 0.5]),
    ("tasks.limit_kernel", "uniform: 1{z = z'}", lambda: assert_close(tasks.limit_kernel(3), EYE)),
    ("tasks.limit_kernel", "balanced and parity: (K 1{z = z'} - 1) / (K - 1)", lambda: all(
        torch.allclose(tasks.limit_kernel(3, law), (8 * EYE - 1) / 7) for law in ("balanced", "parity"))),
    ("tasks.limit_kernel", "the chance that the two chosen coordinates of z and z' agree",
        lambda: assert_close(tasks.limit_kernel(3, "junta"), AGREE * (AGREE - 1) / 6)),
    ("tasks.limit_kernel", "threshold: (2/pi) arcsin((z . z' + 1) / (r + 1))", lambda: assert_close(
        tasks.limit_kernel(3, "threshold"), 2 / math.pi * torch.asin(((INNER + 1) / 4).clamp(max=1)))),
    ("tasks.LAWS", "sign(w . z + c) with w ~ N(0, I_r) and c ~ N(0, 1)", lambda: float(
        (kernel_of(100_000, "threshold") - tasks.limit_kernel(3, "threshold")).abs().max()) < 0.02),
    ("tasks.LAWS", "a uniform function of two uniformly chosen coordinates", lambda: float(
        (kernel_of(100_000, "junta") - tasks.limit_kernel(3, "junta")).abs().max()) < 0.02),
    ("many_tasks.KernelNorms.expected",
        "E|f1|^2 = r / (K - 1) and E|f1|^4 = (r (r + 2) (K - 4) + 4 r) / (K (K - 1) (K - 3))",
        lambda: lengths_of_balanced_tasks(2) and lengths_of_balanced_tasks(3)),
    ("transfer.transfer_accuracy", "its default penalty (C = 1)", lambda: LogisticRegression().C == 1),
    ("real_data.load", "digits: 1797 images of 8 x 8", lambda: real_data.load("digits").X.shape == (1797, 64)),
    ("metrics.conditioning", "in [0, 1]", lambda: all(0 <= metrics.conditioning(W, M) <= 1 for W in layers())),
    ("metrics.principal_angles", "in radians, increasing", lambda: all(
        (angles.diff() >= 0).all() and angles[0] >= 0 and angles[-1] <= math.pi / 2
        for angles in (metrics.principal_angles(W, M) for W in layers()[: 2 * DRAWS]))),
    ("metrics.recovery", "both are 0", lambda: [*metrics.recovery(torch.zeros(4, 2), torch.ones(4))] == [0, 0]),
    ("metrics.recovery", "signs do not matter", lambda: alike(
        metrics.recovery(SMALL[:, :2], SMALL[:, 2]), metrics.recovery(SMALL[:, :2], -SMALL[:, 2]))),
    ("inputs.GaussianInputs.patterns", "of any leading shape",
        lambda: GOOD["inputs"]().patterns(normal(2, 3, 4, 5)).shape == (2, 3, 4)),
    ("inputs.GaussianInputs.patterns", "(M^T x)_i >= 0", lambda: GOOD["inputs"]().patterns(ZERO.new_zeros(1, 5)) == 3),
    ("inputs.GaussianInputs.sample", "in the dtype", lambda: inputs.GaussianInputs(M.float()).sample(
        2, generator=GOOD["generator"]()).dtype == torch.float32),
    ("tasks.pattern_signs", "row k has z_i = +1 where bit i of k is set",
        lambda: torch.equal(tasks.pattern_signs(4) > 0, BITS.bool())),
    ("tasks.all_tasks", "row number k labels pattern j with +1 where bit j of k is set",
        lambda: torch.equal(tasks.all_tasks(2) > 0, BITS.bool())),
    ("tasks.equivalence_classes", "its member with the smallest number", members_are_no_smaller),
    ("tasks.equivalence_classes", "classes are sorted by that number", members_are_no_smaller),
    ("tasks.walsh_coefficients", "the squares of a row sum to 1",
        lambda: assert_close(tasks.walsh_coefficients(F).square().sum(1), torch.ones(3).double())),
    ("tasks.walsh_coefficients", "a row's squares sum to the mean of its labels' squares",
        lambda: assert_close(tasks.walsh_coefficients(SMALL).square().sum(1), SMALL.square().mean(1))),
    ("tasks.centred", "zeros for a constant task", lambda: not tasks.centred(ZERO - 1).any()),
    ("tasks.kernel_parts", "as a sum of three",
        lambda: assert_close(sum(tasks.kernel_parts(F)), tasks.task_kernel(F))),
    ("network.TwoLayerReLU.random", "zero biases; zero heads", lambda: not (START.b.any() or START.A.any())),
    ("contrastive.margin_slope", "1 below margin 1, else 0", lambda: contrastive.margin_slope(
        torch.tensor([-3.0, 0.99, 1.0, 2.0]), loss="hinge").tolist() == [1, 1, 0, 0]),
    ("contrastive.margin_slope", ">= 0", lambda: all(
        (contrastive.margin_slope(100 * SMALL, loss=loss) >= 0).all() for loss in contrastive.LOSSES)),
    ("population.Neurons.random", "with zero biases", lambda: not population.Neurons.random(
        4, d=5, r=2, generator=GOOD["generator"]()).b.any()),
    ("transfer.FrozenFeatures.of", "root-mean-square row norm 1",
        lambda: assert_close(LAYER.W.square().sum(1).mean(), torch.tensor(1.0).double())),
    ("transfer.FrozenFeatures.of", "drawn from U(-1, 1)",
        lambda: LAYER.b.abs().max() <= 1 and LAYER.b.min() < -0.5 and LAYER.b.max() > 0.5),
    ("transfer.FrozenFeatures.of", "(zero if linear)", lambda: not transfer.FrozenFeatures.of(
        normal(4, 5), linear=True, generator=GOOD["generator"]()).b.any()),
    ("transfer.transfer_accuracy", "the head predicts that label", all_labels_alike),
    ("transfer.representations", "which others are made changes nothing", others_change_nothing),
    ("single_task.SingleTaskSteps", "0 where the task moves nothing",
        lambda: single_task.single_task_steps(tasks.characters(3)[-1:], 9).energy == 0),
    ("single_task.SingleTaskSteps", "largest first, over the largest", lambda: all(
        row[0] in (0, 1) and (row.diff() <= 0).all()
        for row in single_task.single_task_steps(tasks.all_tasks(2), 9).values)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words", "holds"), PROMISES, ids=[f"{name}: {words}" for name, words, _ in PROMISES])
def test_what_a_docstring_says_holds(name: str, words: str, holds: Callable[[], Any]) -> None:
    assert words in says(name)
    assert holds() in (True, None)


BOUND = re.compile(r"\b([a-z]+)(?: <= | < \d+,? or (?:above |[a-z]+ > )| > | is negative, or more than )(\d[\d,]*)")
BOUNDS = [
    (name, key, int(bound.replace(",", "")))
    for name in PUBLIC
    for key, bound in BOUND.findall(says(name).partition("Checked")[0].replace("if it is", "if tasks is"))
    if key in arguments(name)
]


@pytest.mark.parametrize(("name", "key", "bound"), BOUNDS)
@pytest.mark.usefixtures("unchecked")
def test_a_docstring_has_the_bound_that_is_kept(name: str, key: str, bound: int) -> None:
    with pytest.raises(ValueError, match=f": {key} must be at most {bound}; got {bound + 1}"):
        call(name, made(name) | ({"d": 1000} if "d" in arguments(name) else {}) | {key: bound + 1})


def test_bounds_are_found() -> None:
    assert {name for name, _, _ in BOUNDS} >= {"tasks.all_tasks", "many_tasks.SpanningLaw.probability"}
    assert len(BOUNDS) >= 8


def test_there_are_promises_of_most_modules() -> None:
    assert len({name.partition(".")[0] for name, _, _ in PROMISES}) >= 7
