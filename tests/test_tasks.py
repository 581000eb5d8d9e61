"""Tasks: tables, laws, spectra and kernels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from oracles import (
    agrees,
    all_patterns,
    balanced_kernel,
    count_orbits,
    junta_kernel,
    orbit,
    parity_kernel,
    subsets,
    threshold_agreement,
    walsh_coefficient,
)
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl import all_tasks, limit_kernel, sample_tasks, streams, task_kernel, walsh_coefficients
from mtfl.tasks import (
    LAWS,
    centred,
    characters,
    degree_one,
    degree_two,
    equivalence_classes,
    kernel_parts,
    pattern_signs,
)


def generator(seed: int = 0) -> torch.Generator:
    return streams(seed, "tasks")["tasks"]


@st.composite
def tables(draw: st.DrawFn) -> Tensor:
    r = draw(st.integers(1, 4))
    rows = draw(st.lists(st.integers(0, 2 ** (2**r) - 1), min_size=1, max_size=5))
    return torch.tensor([[1.0 if row >> k & 1 else -1.0 for k in range(2**r)] for row in rows], dtype=torch.float64)


DRAWN = {
    "uniform": [20, 247, 248, 19],
    "balanced": [15, 177, 83, 195],
    "parity": [170, 150, 105, 90],
    "junta": [51, 238, 252, 5],
    "threshold": [232, 248, 1, 15],
}
"""Law -> numbers of four tasks of three features by ``streams(7, law)``."""


@pytest.mark.parametrize("law", DRAWN)
def test_a_seed_draws_what_it_has_always_drawn(law: str) -> None:
    """The data of the chapters were made from such draws; another law for the same seeds would make them stale."""
    F = sample_tasks(4, 3, law=law, generator=streams(7, law)[law])
    assert ((F > 0) * 2 ** torch.arange(8)).sum(1).tolist() == DRAWN[law]


def test_patterns_are_numbered_by_their_bits() -> None:
    for r in range(1, 6):
        assert pattern_signs(r).tolist() == [list(z) for z in all_patterns(r)]


def test_characters_are_products_of_signs() -> None:
    for r in range(1, 5):
        expected = [[math.prod(z[i] for i in S) for z in all_patterns(r)] for S in subsets(r)]
        assert characters(r).tolist() == expected


@settings(max_examples=30)
@given(tables())
def test_walsh_coefficients_by_summation_and_parseval(F: Tensor) -> None:
    r = F.shape[1].bit_length() - 1
    expected = [[walsh_coefficient(f, S) for S in subsets(r)] for f in F.tolist()]
    assert_allclose(walsh_coefficients(F).numpy(), expected, atol=1e-15)
    assert_allclose(walsh_coefficients(F).square().sum(1).numpy(), 1, rtol=1e-14)
    assert_allclose((walsh_coefficients(F) @ characters(r)).numpy(), F.numpy(), atol=1e-14)


@settings(max_examples=30)
@given(tables())
def test_degrees_are_read_from_the_right_columns(F: Tensor) -> None:
    r = F.shape[1].bit_length() - 1
    coefficients = walsh_coefficients(F)
    ones, twos = degree_one(coefficients), degree_two(coefficients)
    for t, f in enumerate(F.tolist()):
        for i in range(r):
            assert ones[t, i].item() == pytest.approx(walsh_coefficient(f, (i,)), abs=1e-15)
            for j in range(r):
                expected = 0 if i == j else walsh_coefficient(f, (i, j))
                assert twos[t, i, j].item() == pytest.approx(expected, abs=1e-15)


@settings(max_examples=20)
@given(tables())
def test_task_kernel_counts_agreements(F: Tensor) -> None:
    kernel = task_kernel(F)
    for z, other in itertools.product(range(F.shape[1]), repeat=2):
        same = sum(1 if f[z] == f[other] else -1 for f in F.tolist()) / len(F)
        assert kernel[z, other].item() == pytest.approx(same, abs=1e-15)


@settings(max_examples=20)
@given(tables())
def test_kernel_parts_by_summation(F: Tensor) -> None:
    K, T = F.shape[1], len(F)
    means = [sum(f) / K for f in F.tolist()]
    tasks = list(zip(F.tolist(), means, strict=True))
    for z, other in itertools.product(range(K), repeat=2):
        expected = [
            sum((f[z] - f0) * (f[other] - f0) for f, f0 in tasks) / T,
            sum(f0 * (f[z] + f[other] - 2 * f0) for f, f0 in tasks) / T,
            sum(f0 * f0 for _, f0 in tasks) / T,
        ]
        assert kernel_parts(F)[:, z, other].tolist() == pytest.approx(expected, abs=1e-14)
    assert_close(kernel_parts(F).sum(0), task_kernel(F), rtol=0, atol=1e-14)
    assert_close(kernel_parts(F)[0], task_kernel(centred(F)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("r", [1, 2, 3])
def test_centred_uniform_tasks_have_a_multiple_of_the_balanced_kernel(r: int) -> None:
    share = 1 - 1 / 2**r
    assert_close(task_kernel(centred(all_tasks(r))), share * limit_kernel(r, "balanced"), rtol=0, atol=1e-14)
    assert bool((centred(all_tasks(r)[[0, -1]]) == 0).all())  # constant tasks


def test_all_tasks_are_numbered_by_their_bits() -> None:
    for r in (1, 2, 3):
        F = all_tasks(r)
        assert F.shape == (2 ** (2**r), 2**r)
        assert len(F.unique(dim=0)) == len(F)
        for k in (0, 1, 2, len(F) - 1):
            assert F[k].tolist() == [1 if k >> j & 1 else -1 for j in range(2**r)]
    assert all_tasks(2)[6].tolist() == [-1, 1, 1, -1]  # plus where exactly one coordinate is: minus the parity
    assert all_tasks(4, dtype=torch.float32).shape == (65536, 16)


@pytest.mark.parametrize("r", [1, 2, 3])
def test_classes_are_the_orbits_of_the_symmetries(r: int) -> None:
    classes = equivalence_classes(r)
    tasks = [tuple(int(y) for y in row) for row in all_tasks(r).tolist()]
    number = {f: k for k, f in enumerate(tasks)}
    assert bool((classes.labels.bincount() == classes.sizes).all())
    previous = -1
    for c, row in enumerate(classes.representatives.tolist()):
        members = {number[f] for f in orbit(tuple(int(y) for y in row))}
        assert members == set((classes.labels == c).nonzero().flatten().tolist())
        assert previous < min(members) == number[tuple(int(y) for y in row)]
        previous = min(members)


@pytest.mark.parametrize(("r", "count"), [(1, 2), (2, 4), (3, 14), (4, 222)])
def test_number_of_classes(r: int, count: int) -> None:
    classes = equivalence_classes(r, dtype=torch.float32)
    assert len(classes.sizes) == len(classes.representatives) == count == count_orbits(r)
    assert int(classes.sizes.sum()) == len(classes.labels) == 2 ** (2**r)
    assert classes.representatives.dtype == torch.float32


def test_all_tasks_have_the_uniform_kernel() -> None:
    for r in (1, 2, 3):
        assert_close(task_kernel(all_tasks(r)), limit_kernel(r, "uniform"))


def test_limit_kernels_by_brute_force() -> None:
    for r in (1, 2, 3):
        assert_allclose(limit_kernel(r, "balanced").numpy(), balanced_kernel(r), atol=1e-14)
        assert_allclose(limit_kernel(r, "parity").numpy(), parity_kernel(r), atol=1e-14)
        assert_allclose(limit_kernel(r, "parity").numpy(), balanced_kernel(r), atol=1e-14)
        assert_allclose(limit_kernel(r, "junta").numpy(), junta_kernel(r), atol=1e-14)
        assert_allclose(limit_kernel(r, "uniform").numpy(), np.eye(2**r))
    assert_allclose(limit_kernel(5, "junta").numpy(), junta_kernel(5), atol=1e-14)


def test_threshold_kernel_by_integration() -> None:
    for r in (1, 3, 4):
        kernel = limit_kernel(r, "threshold")
        Z = all_patterns(r)
        for k in range(2**r):
            assert kernel[0, k].item() == pytest.approx(threshold_agreement(Z[0], Z[k]), abs=1e-10)
            assert kernel[k, k].item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("r", [1, 2, 3, 5])
@pytest.mark.parametrize("law", LAWS)
def test_samplers_have_their_limit_kernel(law: str, r: int) -> None:
    count = 200_000 if r < 5 else 60_000
    F = sample_tasks(count, r, law=law, generator=generator())
    assert set(F.unique().tolist()) == {-1.0, 1.0}
    kernel = limit_kernel(r, law)
    pairs = F[:, :1] * F  # every law is invariant enough that one row of the kernel tells all of it
    assert agrees(pairs, kernel[0])
    assert agrees(F[:, 1:2] * F, kernel[1])
    # the entries off the diagonal are what the law decides: an error of 2 % of the largest is seen
    wrong = kernel[0].clone()
    wrong[1:] += 0.02
    assert not agrees(pairs, wrong)


@pytest.mark.parametrize(("law", "r"), [("balanced", 2), ("parity", 2), ("threshold", 3), ("junta", 3)])
def test_an_error_of_two_percent_in_a_kernel_is_caught(law: str, r: int) -> None:
    F = sample_tasks(800_000, r, law=law, generator=generator(), dtype=torch.float32)
    kernel = limit_kernel(r, law)[0, 1:]
    pairs = (F[:, :1] * F[:, 1:]).double()
    assert agrees(pairs, kernel)
    assert not agrees(pairs, 1.02 * kernel)


def test_labels_of_every_pattern_are_fair() -> None:
    for law in LAWS:
        assert agrees(sample_tasks(100_000, 3, law=law, generator=generator(1)), 0.0)


def test_balanced_rows_sum_to_zero_and_are_uniform() -> None:
    F = sample_tasks(400_000, 2, law="balanced", generator=generator())
    assert bool((F.sum(1) == 0).all())
    assert bool((sample_tasks(100, 6, law="balanced", generator=generator()).sum(1) == 0).all())
    codes = ((F > 0) * 2 ** torch.arange(4)).sum(1)
    indicator = torch.stack([(codes == code).double() for code in (3, 5, 6, 9, 10, 12)], 1)
    assert agrees(indicator, 1 / 6)
    assert not agrees(indicator, 1.02 / 6)


def test_each_law_draws_its_own_kind_of_function() -> None:
    parities = walsh_coefficients(sample_tasks(200, 3, law="parity", generator=generator()))
    assert bool((parities.abs().sort(1).values[:, -1] == 1).all())
    assert bool((parities[:, 0] == 0).all())
    assert len({tuple(row) for row in parities.tolist()}) == 14
    juntas = walsh_coefficients(sample_tasks(500, 4, law="junta", generator=generator()))
    touched = [{i for S, c in enumerate(row) if c for i in range(4) if S >> i & 1} for row in juntas.tolist()]
    assert max(len(t) for t in touched) == 2
    thresholds = sample_tasks(2000, 2, law="threshold", generator=generator())
    drawn = {tuple(row) for row in thresholds.tolist()}
    assert len(drawn) == 14  # all functions of two signs but the parity and its negative
    assert (1, -1, -1, 1) not in drawn


def test_same_generator_state_same_tasks() -> None:
    for law in LAWS:
        one, two = (sample_tasks(7, 3, law=law, generator=generator(5)) for _ in range(2))
        assert torch.equal(one, two)
        assert sample_tasks(7, 3, law=law, generator=generator(5), dtype=torch.float32).dtype == torch.float32


def test_float32_spectra_match_float64() -> None:
    F = sample_tasks(9, 4, generator=generator())
    assert_close(walsh_coefficients(F.float()).double(), walsh_coefficients(F), rtol=1e-4, atol=1e-7)
    assert_close(task_kernel(F.float()).double(), task_kernel(F), rtol=1e-4, atol=1e-7)
    assert limit_kernel(2, "junta", dtype=torch.float32).dtype == torch.float32


@pytest.mark.usefixtures("unchecked")
def test_bad_draws_are_refused() -> None:
    with refuses(ValueError, "sample_tasks: count must be at least 1; got 0. "):
        sample_tasks(0, 3, generator=generator())
    with refuses(TypeError, "sample_tasks: count must be an integer; got float 2.0. "):
        sample_tasks(2.0, 3, generator=generator())  # type: ignore[arg-type]
    with refuses(ValueError, "sample_tasks: r must be at least 1; got 0. "):
        sample_tasks(2, 0, law="balanced", generator=generator())
    with refuses(TypeError, "sample_tasks: r must be an integer; got str '3'. "):
        sample_tasks(2, "3", generator=generator())  # type: ignore[arg-type]
    with refuses(
        ValueError, "sample_tasks: law must be one of uniform, balanced, parity, junta, threshold; got 'fair'. "
    ):
        sample_tasks(2, 3, law="fair", generator=generator())
    with refuses(TypeError, "sample_tasks: generator must be a torch.Generator; got NoneType. "):
        sample_tasks(2, 3, generator=None)  # type: ignore[arg-type]
    with refuses(TypeError, "sample_tasks: dtype must be torch.float32 or torch.float64; got torch.int64. "):
        sample_tasks(2, 3, generator=generator(), dtype=torch.int64)


@pytest.mark.usefixtures("unchecked")
def test_bad_numbers_of_features_are_refused() -> None:
    for function in (pattern_signs, all_tasks, limit_kernel, characters, equivalence_classes):
        with refuses(ValueError, f"{function.__name__}: r must be at least 1; got 0. "):
            function(0)
        with refuses(TypeError, f"{function.__name__}: r must be an integer; got float 2.0. "):
            function(2.0)  # type: ignore[arg-type]
        with refuses(
            TypeError, f"{function.__name__}: dtype must be torch.float32 or torch.float64; got torch.int32. "
        ):
            function(2, dtype=torch.int32)
    for few in (all_tasks, equivalence_classes):
        with refuses(ValueError, f"{few.__name__}: r must be at most 4; got 5. "):
            few(5)
    with refuses(ValueError, "limit_kernel: law must be one of "):
        limit_kernel(2, "gaussian")


TABLE = torch.tensor([[1.0, -1, 1, 1]], dtype=torch.float64)
BAD_TABLES = [
    (TABLE[:, :3], ValueError, "the width of F must be a power of two, 2^r with r >= 1; got 3. "),
    (TABLE[:, :1], ValueError, "the width of F must be a power of two, 2^r with r >= 1; got 1. "),
    (TABLE[:, :0], ValueError, "the width of F must be a power of two, 2^r with r >= 1; got 0. "),
    (TABLE[:0], ValueError, "F must be a table of shape (T, 2^r) with T >= 1; got (0, 4). "),
    (TABLE[0], ValueError, "F must be a table of shape (T, 2^r) with T >= 1; got (4,). "),
    ((TABLE + 1) / 2, ValueError, "F must be made of -1 and +1, or of other real labels; got only 0 and 1. "),
    (TABLE / 0, ValueError, "F must be finite; got NaN or infinity. "),
    (TABLE * math.nan, ValueError, "F must be finite; got NaN or infinity. "),
    (TABLE.long(), TypeError, "F must be floating point; got torch.int64. "),
    (TABLE.tolist(), TypeError, "F must be a torch.Tensor; got list. "),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("F", "error", "sentence"), BAD_TABLES)
@pytest.mark.parametrize("function", [walsh_coefficients, task_kernel, centred, kernel_parts], ids=lambda f: f.__name__)
def test_bad_tables_are_refused(function, F: object, error: type[Exception], sentence: str) -> None:
    with refuses(error, f"{function.__name__}: {sentence}"):
        function(F)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("function", [degree_one, degree_two], ids=lambda f: f.__name__)
def test_bad_spectra_are_refused(function) -> None:
    where = f"{function.__name__}: "
    with refuses(ValueError, where + "the width of coefficients must be a power of two, 2^r with r >= 1; got 3. "):
        function(TABLE[:, :3])
    with refuses(ValueError, where + "coefficients must be of shape (T, S); got (4,). "):
        function(TABLE[0])
    with refuses(TypeError, where + "coefficients must be a torch.Tensor; got list. "):
        function(TABLE.tolist())
