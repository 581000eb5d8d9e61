"""The atlas of single tasks, and the counts of the rare ones, against listing, sampling and independent formulas."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sentences import refuses
from torch.testing import assert_close

from mtfl import sample_tasks, single_task, streams
from mtfl.single_task import (
    FATES,
    atlas,
    count_exceptions,
    count_without_linear_part,
    single_task_steps,
)
from mtfl.tasks import all_tasks, characters, degree_one, degree_two, pattern_signs, walsh_coefficients


def test_one_member_stands_for_its_class() -> None:
    found = atlas(3, 200)
    for decay, rows in ((False, found.plain), (True, found.decayed)):
        every = single_task_steps(all_tasks(3), 200, matched_decay=decay)
        for member, representative in zip(every, rows, strict=True):
            assert_close(member, representative[found.classes.labels], rtol=1e-6, atol=1e-7)  # roots of rounding errors


@pytest.mark.parametrize(("r", "count"), [(2, 4), (3, 14), (4, 222)])
def test_every_task_has_a_fate(r: int, count: int) -> None:
    found = atlas(r, 1000)
    assert found.r == r
    assert len(found.fates) == len(found.losses) == count
    assert set(found.fates) <= set(FATES)
    assert int(found.classes.sizes.sum()) == 2 ** (2**r)


def test_fates_of_three_features() -> None:
    found = atlas(3, 1000)
    told = {
        int(k): (int(size), fate, lost)
        for k, (size, fate, lost) in enumerate(zip(found.classes.sizes, found.fates, found.losses, strict=True))
    }
    labels = found.classes.labels
    Z = pattern_signs(3)

    def of(values: torch.Tensor) -> tuple[int, str, str]:
        return told[int(labels[((values > 0) * 2 ** torch.arange(8)).sum()])]

    assert of(torch.ones(8)) == (2, "nothing", "all: neurons only grow; 3 features ignored")
    assert of(Z.prod(1)) == (2, "nothing", "all: nothing moves; 3 features unseen")
    assert of(Z[:, 0]) == (6, "one learned", "2 of 3 directions; 2 features ignored")
    assert of(Z[:, :2].prod(1)) == (6, "faint", "1 of 3 directions, but the step is faint; 1 feature ignored")
    assert of(Z.sum(1).sign()) == (8, "one learned", "2 of 3 directions")
    assert of(Z.sum(1).abs() - 2) == (8, "buried, all with decay", "all: energy is low; with decay no direction")
    assert of(Z.sum(1) - 2) == (16, "buried, one with decay", "all: energy is low; with decay 2 of 3 directions")


def test_directions_learned_without_a_small_step_are_told() -> None:
    """Two features in seven dimensions, where the thresholds are passed by more than one direction."""
    found = atlas(4, 60)
    assert "several learned" in found.fates
    kept = [k for k, fate in enumerate(found.fates) if fate == "several learned"]
    assert all(1 < int(found.plain.directions[k]) < 4 and not found.plain.faint[k] for k in kept)


@pytest.mark.parametrize("r", [2, 3, 4])
def test_ignored_and_unseen_features(r: int) -> None:
    """By comparing labels: of the task, and of its part of degree one and of even degrees."""
    found = atlas(r, 1000)
    F, Z, K = found.classes.representatives, pattern_signs(r), 2**r
    visible = (F + F.flip(1)) / 2 + F @ Z @ Z.T / K
    flipped = [torch.arange(K) ^ (1 << i) for i in range(r)]
    ignored = sum((F == F[:, order]).all(1).long() for order in flipped)
    blind = sum(((visible - visible[:, order]).abs() < 1e-12).all(1).long() for order in flipped)
    assert_close(found.ignored, ignored)
    assert_close(found.unseen, blind - ignored)


def test_faint_steps_at_a_thousand_dimensions_are_those_of_third_order() -> None:
    for r in (2, 3, 4):
        found = atlas(r, 1000)
        sizes = found.plain.relative_size
        third_order = (found.mean == 0) & (found.linear == 0)
        assert (found.plain.faint == third_order).all()
        assert float(sizes[third_order].max()) < 0.001
        assert float(sizes[~third_order].min()) > 0.06


def test_relative_size_of_a_single_feature_is_one() -> None:
    for d in (10, 1000):
        steps = single_task_steps(pattern_signs(3).T.contiguous(), d)
        assert_close(steps.relative_size, torch.ones(3, dtype=torch.float64))
        assert_close(steps.relative_size, steps.size * 2 * math.pi * math.sqrt(d))


# The rule for many features


def test_corners_and_axes_are_exact_to_degree_five() -> None:
    V, weights = single_task._corners_and_axes(7, 1)
    assert len(V) == 2**7 + 15
    assert bool((weights > 0).all())
    moment = {0: 1.0, 2: 1.0, 4: 3.0}
    for degree in range(6):
        for powers in itertools.combinations_with_replacement(range(7), degree):
            counts = np.bincount(np.array(powers, dtype=int), minlength=7)
            exact = math.prod(moment.get(int(n), 0.0) for n in counts)
            assert_allclose(float(weights @ V[:, list(powers)].prod(1)), exact, atol=1e-12)


def test_many_features_as_by_the_product_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    F = sample_tasks(40, 7, generator=streams(0, "tasks")["tasks"])
    few = single_task_steps(F, 1000)
    monkeypatch.setattr(single_task, "_corners_and_axes", single_task._gauss_hermite)
    many = single_task_steps(F, 1000)
    assert_close(few.energy, many.energy, rtol=0, atol=1e-4)
    assert_close(few.values, many.values, rtol=0, atol=1e-3)
    assert_close(few.size, many.size, rtol=1e-3, atol=0)


# Counts


@pytest.mark.parametrize("r", [1, 2, 3, 4])
def test_tasks_without_linear_part_listed(r: int) -> None:
    listed = (degree_one(walsh_coefficients(all_tasks(r))) == 0).all(1).sum()
    assert count_without_linear_part(r) == int(listed)


def test_five_features_by_pairs_of_tasks_of_four() -> None:
    """A task of r + 1 features without linear part is two of r with one mean and opposite linear parts."""
    signs = torch.cat([torch.ones(16, 1, dtype=torch.float64), pattern_signs(4)], 1)
    sums, copies = (all_tasks(4) @ signs).unique(dim=0, return_counts=True)
    assert count_without_linear_part(5) == int((copies**2).sum()) == 3_140_062
    balanced = int((copies[sums[:, 0] == 0] ** 2).sum())
    assert int(count_exceptions(5).sum()) == 3_140_062 - balanced


def test_six_features_by_the_sum_of_cosines() -> None:
    nodes = np.array(list(itertools.combinations_with_replacement(range(17), 6)))
    copies = [math.factorial(6) / math.prod(math.factorial(n) for n in np.bincount(t)) for t in nodes]
    copies = np.array(copies) * 2.0 ** (nodes > 0).sum(1)
    share = copies @ np.cos(math.pi / 33 * nodes @ pattern_signs(6).numpy().T).prod(1) / 33**6
    assert_allclose(count_without_linear_part(6) / 2**64, share, rtol=1e-11)
    assert count_without_linear_part(6) == 503_483_766_022_188  # as the claim of chapter 4 counts them


@pytest.mark.parametrize("r", [2, 3, 4])
def test_exceptions_listed(r: int) -> None:
    coefficients = walsh_coefficients(all_tasks(r))
    chosen = (degree_one(coefficients) == 0).all(1) & (coefficients[:, 0] != 0)
    sizes = torch.linalg.eigvalsh(degree_two(coefficients[chosen])).abs()
    largest = sizes.amax(1, keepdim=True)
    directions = ((sizes >= 0.3 * largest) & (largest > 0)).sum(1)
    assert_close(count_exceptions(r), torch.bincount(directions, minlength=r + 1))


def test_exceptions_of_five_features_by_sampling() -> None:
    """About 3000 tasks without linear part, found among random ones whose first coefficient is zero."""
    order = torch.rand(600_000, 32, generator=streams(0, "tasks")["tasks"]).argsort(1)
    F = pattern_signs(5)[:, 0] * (2.0 * (order.argsort(1) < 16).double() - 1)
    F = F[(F @ pattern_signs(5) == 0).all(1)]
    means = F.mean(1)
    F2 = degree_two(F @ characters(5).T / 32)[means != 0]
    sizes = torch.linalg.eigvalsh(F2).abs()
    passes = (sizes >= 0.3 * sizes.amax(1, keepdim=True)).all(1) & (sizes.amax(1) > 0)
    exact = count_exceptions(5)
    assert exact[-1] == 155_264  # as the claim of chapter 4 counts them
    share = float(exact[-1] / count_without_linear_part(5))
    error = math.sqrt(share * (1 - share) / len(F))
    assert len(F) > 2000
    assert abs(int(passes.sum()) / len(F) - share) < 5 * error
    assert 5 * error < 0.5 * share


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused() -> None:
    with refuses(ValueError, "count_without_linear_part: r must be at most 6; got 7. "):
        count_without_linear_part(7)
    with refuses(ValueError, "count_exceptions: r must be at most 5; got 6. "):
        count_exceptions(6)
    with refuses(ValueError, "count_exceptions: r must be at least 2; got 1. "):
        count_exceptions(1)
    with refuses(TypeError, "count_without_linear_part: r must be an integer; got float 2.0. "):
        count_without_linear_part(2.0)  # type: ignore[arg-type]
    with refuses(ValueError, "equivalence_classes: r must be at most 4; got 5. "):
        atlas(5, 1000)
