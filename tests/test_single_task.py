"""Steps on single tasks: against sums over quadrature points, random neurons, and the symmetries of tasks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
import torch
from numpy.testing import assert_allclose
from oracles import agrees, all_patterns
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl import all_tasks, sample_tasks, single_task, streams
from mtfl.metrics import recovery
from mtfl.moments import pattern_moments
from mtfl.population import Neurons, population_step
from mtfl.single_task import SingleTaskSteps, single_task_steps
from mtfl.tasks import characters, equivalence_classes

DECAY = [False, True]


def by_quadrature(F: Tensor, d: int, points: int, matched_decay: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energy, singular values (not scaled) and size of the step on each task, neuron by neuron."""
    r = F.shape[1].bit_length() - 1
    tasks, Z, tau = F.numpy(), np.array(all_patterns(r)), math.sqrt(1 - r / d)
    roots, masses = np.polynomial.hermite.hermgauss(points)
    nodes = list(zip(roots * math.sqrt(2 / d), masses / math.sqrt(math.pi), strict=True))
    squares, outer = np.zeros((len(tasks), r, r)), np.zeros(len(tasks))
    for combination in itertools.product(nodes, repeat=r):
        v, weight = np.array([x for x, _ in combination]), math.prod(mass for _, mass in combination)
        if r == 2:  # an even number of points avoids v_i = 0
            moments = oracles.moments_by_convolution(v, tau, np.zeros(1))[0]
        else:
            parts = pattern_moments(*(torch.tensor([x], dtype=torch.float64) for x in (v.tolist(), tau, 0.0)))
            moments = torch.cat([x[0].reshape(2**r, -1) for x in parts], 1).numpy()
        mean, first, density = moments[:, 0], moments[:, 2 : 2 + r], moments[:, -1]
        for t, f in enumerate(tasks):
            correlation, decay = (f @ mean) / 2**r, matched_decay * f.mean() ** 2 / (2 * math.pi)
            inside = correlation * ((f[:, None] * Z * first).mean(0)) - decay * v
            outside = (correlation * (f @ density) / 2**r - decay) * tau
            squares[t] += weight * np.outer(inside, inside)
            outer[t] += weight * outside**2
    inner = np.trace(squares, axis1=1, axis2=2)
    values = np.sqrt(np.linalg.eigvalsh(squares)[:, ::-1].clip(0))
    total = inner + outer
    return inner / np.where(total > 0, total, 1), values, np.sqrt(total)


def unscaled(steps: SingleTaskSteps) -> Tensor:
    """Singular values as root mean squares."""
    share = steps.values / steps.values.norm(dim=1, keepdim=True).clamp(min=1e-300)
    return share * (steps.energy.sqrt() * steps.size).unsqueeze(1)


@pytest.mark.parametrize("matched_decay", DECAY)
def test_steps_of_two_features_by_other_moments_on_a_finer_rule(matched_decay: bool) -> None:
    F = all_tasks(2)
    steps = single_task_steps(F, 1000, matched_decay=matched_decay)
    energy, values, size = by_quadrature(F, 1000, 6, matched_decay)
    assert_allclose(steps.energy, np.where(size > 1e-12, energy, 0), rtol=0, atol=2e-9)
    assert_allclose(steps.size, size, rtol=0, atol=1e-9)
    assert_allclose(unscaled(steps), values, rtol=0, atol=1e-9)


@pytest.mark.parametrize("matched_decay", DECAY)
@pytest.mark.parametrize(("r", "d", "points"), [(1, 2, 5), (3, 10, 5), (5, 9, 3)])
def test_steps_are_those_of_the_product_rule(r: int, d: int, points: int, matched_decay: bool) -> None:
    F = sample_tasks(12, r, generator=streams(r, "tasks")["tasks"])
    steps = single_task_steps(F, d, matched_decay=matched_decay)
    energy, values, size = by_quadrature(F, d, points, matched_decay)
    assert_allclose(steps.energy, np.where(size > 1e-12, energy, 0), rtol=0, atol=1e-10)
    assert_allclose(steps.size, size, rtol=0, atol=1e-12)
    assert_allclose(unscaled(steps), values, rtol=0, atol=1e-8)  # of a square root of rounding errors


@pytest.mark.parametrize("matched_decay", DECAY)
@pytest.mark.parametrize(("r", "d"), [(2, 60), (3, 60), (5, 200)])
def test_steps_are_means_over_random_neurons(r: int, d: int, matched_decay: bool) -> None:
    F = sample_tasks(4, r, generator=streams(1, "tasks")["tasks"])
    V, tau, b = Neurons.random(20_000, r, d, generator=streams(2, "neurons")["neurons"])
    tau = torch.full_like(tau, math.sqrt(1 - r / d))
    steps = single_task_steps(F, d, matched_decay=matched_decay)
    for t, f in enumerate(F):
        decay = matched_decay * float(f.mean()) ** 2 / (2 * math.pi)
        step = population_step(V, tau, b, f.outer(f))
        inside, along = step.learned(Neurons(V, tau, b), weight_decay=decay)
        axes = torch.linalg.eigh(inside.T @ inside).eigenvectors.flip(1)
        shares = steps.energy[t] * steps.size[t] ** 2, (1 - steps.energy[t]) * steps.size[t] ** 2
        expected = torch.cat([torch.stack(shares), unscaled(steps)[t] ** 2])
        samples = torch.cat([inside.square().sum(1, True), along.square().unsqueeze(1), (inside @ axes).square()], 1)
        assert agrees(samples, expected, floor=1e-9 * float(steps.size[t]) ** 2)
        found = recovery(inside, along)
        assert found.energy.item() == pytest.approx(float(steps.energy[t]), abs=0.02)
        assert found.conditioning.item() == pytest.approx(
            float(steps.conditioning[t]), abs=0.06
        )  # biased where it is 1
        assert not agrees(samples[:, :2], 1.2 * expected[:2])


@pytest.mark.parametrize("matched_decay", DECAY)
@pytest.mark.parametrize(("r", "d"), [(2, 30), (3, 1000)])
def test_equivalent_tasks_teach_the_same(r: int, d: int, matched_decay: bool) -> None:
    steps = single_task_steps(all_tasks(r), d, matched_decay=matched_decay)
    classes = equivalence_classes(r)
    of_classes = single_task_steps(classes.representatives, d, matched_decay=matched_decay)
    assert_close(steps.energy, of_classes.energy[classes.labels], rtol=0, atol=1e-10)
    assert_close(steps.size, of_classes.size[classes.labels], rtol=1e-9, atol=1e-13)
    assert_close(steps.values**2, of_classes.values[classes.labels] ** 2, rtol=0, atol=1e-10)
    assert torch.equal(steps.directions, of_classes.directions[classes.labels])


def test_matched_decay_cancels_the_growth_of_a_constant_task() -> None:
    F = torch.ones(1, 8, dtype=torch.float64)
    plain = single_task_steps(F, 1000)
    assert plain.size.item() == pytest.approx(1 / (2 * math.pi), rel=1e-10)  # every neuron grows, exactly so
    assert plain.energy.item() == pytest.approx(3 / 1000, rel=1e-10)
    assert plain.conditioning.item() == pytest.approx(1, rel=1e-10)
    assert plain.directions.item() == 0
    matched = single_task_steps(F, 1000, matched_decay=True)
    assert matched.size < 1e-15
    for x in (matched.energy, matched.values, matched.directions):
        assert not x.any()


def test_a_dictator_teaches_one_direction_and_the_parity_of_three_none() -> None:
    tasks = characters(3)
    steps = single_task_steps(tasks, 100)
    dictators = [1, 2, 4]
    # an odd task's step is f1 f1^T v / (2 pi), with no part outside
    assert_allclose(steps.energy[dictators], 1, rtol=1e-12)
    assert_allclose(steps.size[dictators], 0.1 / (2 * math.pi), rtol=1e-10)
    assert_allclose(steps.values[dictators], [[1, 0, 0]] * 3, atol=1e-7)
    assert steps.directions[dictators].tolist() == [1, 1, 1]
    assert steps.size[7] < 1e-15
    for x in (steps.energy, steps.values, steps.directions):
        assert not x[7].any()
    assert_allclose(steps.values[[3, 5, 6], 1], 1, rtol=1e-9)  # the parity of two: both alike, and a step of order v^3
    assert bool((steps.size[[3, 5, 6]] < 0.01 * steps.size[1]).all())


def test_directions_need_energy_and_even_values() -> None:
    values = torch.tensor([[1, 0.3, 0.29], [1, 1, 0.3], [1, 1, 1], [1, 1, 1], [0, 0, 0]], dtype=torch.float64)
    energy = torch.tensor([0.5, 0.9, 0.49, 1.0, 0.0], dtype=torch.float64)
    steps = SingleTaskSteps(energy, values, energy, energy)
    assert steps.directions.tolist() == [2, 3, 0, 3, 0]
    assert torch.equal(steps.conditioning, values[:, 2])


def test_a_step_is_faint_below_a_hundredth() -> None:
    sizes = torch.tensor([0.0099, 0.01, 0.0105], dtype=torch.float64)
    assert SingleTaskSteps(sizes, sizes[:, None], sizes, sizes).faint.tolist() == [True, False, False]


@pytest.mark.parametrize("matched_decay", DECAY)
def test_labels_of_any_size_scale_the_step_by_their_square(matched_decay: bool) -> None:
    F = all_tasks(3)
    steps = single_task_steps(F, 30, matched_decay=matched_decay)
    for scale in (1e-9, 1.5, 1e9):
        scaled = single_task_steps(scale * F, 30, matched_decay=matched_decay)
        assert_close(scaled.size, scale**2 * steps.size, rtol=1e-9, atol=1e-13 * scale**2)
        assert_close(scaled.energy, steps.energy, rtol=0, atol=1e-10)
        assert_close(scaled.values**2, steps.values**2, rtol=0, atol=1e-10)
    zero = single_task_steps(torch.cat([0 * F[:1], F[5:6]]), 30, matched_decay=matched_decay)
    assert not any(float(x[0].abs().max()) for x in zero)
    assert_close(zero.size[1], steps.size[5])


def test_as_many_points_as_the_rules_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five on each axis up to four features, three up to six, and beyond the rule that does not grow as 3^r."""
    for r, points in ((2, 5), (4, 5), (5, 3), (6, 3)):
        V, weights = single_task._gauss_hermite(r, 9)
        assert V.shape == (points**r, r)
        assert float(weights.sum()) == pytest.approx(1)
        moments = (weights @ V[:, 0] ** (2 * points - 2), weights @ V[:, 0] ** (2 * points))
        exact = [math.prod(range(1, n, 2)) / 9 ** (n / 2) for n in (2 * points - 2, 2 * points)]
        assert float(moments[0]) == pytest.approx(exact[0])  # of degree 8 and 4, and no further
        assert float(moments[1]) < 0.9 * exact[1]
    asked = []
    for name in ("_gauss_hermite", "_corners_and_axes"):
        rule = getattr(single_task, name)
        monkeypatch.setattr(single_task, name, lambda r, d, rule=rule, name=name: asked.append((r, name)) or rule(r, d))
    for r in (6, 7):
        single_task_steps(torch.ones(1, 2**r).double(), 20)
    assert asked == [(6, "_gauss_hermite"), (7, "_corners_and_axes")]


def test_more_tasks_than_a_work_array_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    F = all_tasks(2)
    whole = single_task_steps(F, 50, matched_decay=True)
    monkeypatch.setattr("mtfl.single_task._CHUNK", 200)
    for part, all_at_once in zip(single_task_steps(F, 50, matched_decay=True), whole, strict=True):
        assert_close(part, all_at_once, rtol=1e-9, atol=1e-12)


def test_float32_tasks_and_unchanged_arguments() -> None:
    F = all_tasks(2)
    kept = F.clone()
    wide, narrow = single_task_steps(F, 30), single_task_steps(F.float(), 30)
    for x, y in zip(wide, narrow, strict=True):
        assert torch.equal(x, y)
    assert torch.equal(F, kept)


# Bad input


@pytest.mark.usefixtures("unchecked")
def test_bad_tasks_are_refused() -> None:
    F, where = all_tasks(2), "single_task_steps: "
    with refuses(ValueError, where + "r must be smaller than d = 2; got 2. "):
        single_task_steps(F, 2)
    with refuses(TypeError, where + "d must be an integer; got float 9.0. "):
        single_task_steps(F, 9.0)  # type: ignore[arg-type]
    with refuses(ValueError, where + "the width of F must be a power of two, 2^r with r >= 1; got 3. "):
        single_task_steps(F[:, :3], 9)
    with refuses(ValueError, where + "F must be a table of shape (T, 2^r) with T >= 1; got (4,). "):
        single_task_steps(F[0], 9)
    with refuses(ValueError, where + "F must be made of -1 and +1, or of other real labels; got only 0 and 1. "):
        single_task_steps((F + 1) / 2, 9)
    with refuses(TypeError, where + "F must be floating point; got torch.int64. "):
        single_task_steps(F.long(), 9)
    with refuses(TypeError, where + "F must be a torch.Tensor; got list. "):
        single_task_steps(F.tolist(), 9)  # type: ignore[arg-type]
