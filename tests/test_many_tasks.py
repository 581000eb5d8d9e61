"""Steps under many kernels, the chance of spanning, the norms that price inputs, and the limit of a layer."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from sentences import refuses
from torch.testing import assert_close

from mtfl.many_tasks import KernelNorms, layer_limit, learned_steps, spanning_law
from mtfl.metrics import recovery
from mtfl.one_step import sampled_steps
from mtfl.population import Neurons, population_step
from mtfl.randomness import streams
from mtfl.tasks import all_tasks, limit_kernel, pattern_signs, sample_tasks, task_kernel


def generator(seed: int) -> torch.Generator:
    return streams(seed, "many tasks")["many tasks"]


ONLY_COLUMNS = torch.tensor([[1.0, 0], [-1, 0]]).double()  # their sums are 0, those of the rows are not


def balanced(r: int) -> torch.Tensor:
    F = all_tasks(r)
    return F[F.sum(1) == 0]


# Steps under many kernels


def test_learned_steps_are_population_steps() -> None:
    g = generator(0)
    neurons = Neurons.random(7, 3, 40, generator=g)
    neurons = neurons._replace(b=torch.linspace(-1, 1, 7).double())
    kernels = torch.stack([task_kernel(sample_tasks(T, 3, generator=g)) for T in (1, 4)] + [limit_kernel(3)])
    inside, outside = learned_steps(neurons, kernels, weight_decay=0.01)
    for k, kernel in enumerate(kernels):
        expected = population_step(*neurons, kernel).learned(neurons, weight_decay=0.01)
        assert_close((inside[k], outside[k]), expected, rtol=1e-12, atol=1e-16)
    assert_close(learned_steps(neurons, kernels), learned_steps(neurons, kernels, weight_decay=0.0))


@pytest.mark.usefixtures("unchecked")
def test_learned_steps_refuse_bad_input() -> None:
    neurons = Neurons.random(3, 2, 10, generator=generator(0))
    with refuses(ValueError, "learned_steps: kernels must be of shape (Q, 4, 4); got (4, 4). "):
        learned_steps(neurons, limit_kernel(2))
    with refuses(ValueError, "learned_steps: weight_decay must be finite and non-negative; got -1. "):
        learned_steps(neurons, limit_kernel(2)[None], weight_decay=-1)
    with refuses(TypeError, "learned_steps: kernels must be of the dtype and device of V"):
        learned_steps(neurons, limit_kernel(2).float()[None])


# The chance of spanning


@pytest.mark.parametrize(("r", "tasks"), [(1, 1), (1, 3), (2, 2), (2, 4), (3, 2), (3, 3)])
def test_spanning_law_is_the_count_of_all_tables(r: int, tasks: int) -> None:
    vectors, counts = (balanced(r) @ pattern_signs(r)).unique(dim=0, return_counts=True)
    chosen = torch.cartesian_prod(*[torch.arange(len(vectors))] * tasks).reshape(-1, tasks)
    tables = vectors[chosen]
    spans = torch.linalg.det(tables.mT @ tables) > 0.5
    share = (counts[chosen].prod(1) * spans).sum().item() / counts.sum().item() ** tasks
    assert spanning_law(r).probability(tasks) == pytest.approx(share, rel=1e-12, abs=1e-15)


def test_spanning_law_as_printed_in_the_book() -> None:
    assert spanning_law(2) == (6, {2: 1, 4: -2, 6: 1})
    terms = {8: -35, 10: 20, 12: 30, 14: -12, 18: 9, 20: -4, 26: -6, 36: -3, 70: 1}
    assert spanning_law(3) == (70, terms)
    assert math.comb(4, 2) ** 2 == 36  # the largest flats: one feature plays no part
    assert spanning_law(3).probability(60) == pytest.approx(1 - 3 * (36 / 70) ** 60, rel=1e-12)


@pytest.mark.usefixtures("unchecked")
def test_spanning_law_refuses_bad_input() -> None:
    with refuses(ValueError, "spanning_law: r must be at most 3; got 4. "):
        spanning_law(4)
    with refuses(TypeError, "spanning_law: r must be an integer; got float 2.0. "):
        spanning_law(2.0)  # type: ignore[arg-type]


# Norms


@pytest.mark.parametrize("r", [1, 2, 3])
def test_norms_by_their_definition(r: int) -> None:
    kernel = task_kernel(sample_tasks(5, r, law="balanced", generator=generator(r)))
    Pi = (pattern_signs(r) @ pattern_signs(r).T / 2**r).numpy()
    K = kernel.numpy()
    expected = [np.sum((a @ K @ b) ** 2) for a, b in ((Pi, Pi), (np.eye(2**r), Pi), (np.eye(2**r), np.eye(2**r)))]
    assert KernelNorms.of(kernel) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("tasks", [1, 2])
def test_expected_norms_are_means_over_all_tables(tasks: int) -> None:
    for r in (2, 3) if tasks == 1 else (2,):
        tables = itertools.product(balanced(r), repeat=tasks)
        norms = np.array([KernelNorms.of(task_kernel(torch.stack(table))) for table in tables])
        assert KernelNorms.expected(tasks, r) == pytest.approx(norms.mean(0), rel=1e-12)


@pytest.mark.parametrize("tasks", [1, 2])
def test_expected_norms_with_inputs_of_each_tasks_own(tasks: int) -> None:
    """In sums over pairs of tasks the pairs of a task with itself are left, and what involves no noise."""
    norms = []
    for table in itertools.product(balanced(2), repeat=tasks):
        f1 = torch.stack(table) @ pattern_signs(2) / 4
        A = f1.T @ f1 / tasks
        norms.append([16 * A.square().sum(), 16 * A.trace() / tasks, 16 / tasks])
    assert KernelNorms.expected(tasks, 2, shared=False) == pytest.approx(np.mean(norms, 0), rel=1e-12)
    if tasks == 1:
        assert KernelNorms.expected(1, 2, shared=False) == pytest.approx(KernelNorms.expected(1, 2), rel=1e-12)


@pytest.mark.parametrize("flips", [0.1, 0.3])
def test_expected_norms_with_flipped_labels(flips: float) -> None:
    """The Gram matrix of flipped labels, coin by coin; means of labels shrink."""
    coins, norms = ((1, 1 - flips), (-1, flips)), []
    for table in itertools.product(balanced(2), repeat=2):
        F, gram = torch.stack(table), torch.zeros(2, 2, dtype=torch.float64)
        for t, u in itertools.product(range(2), repeat=2):
            for (a, p), (b, q) in itertools.product(coins, repeat=2):
                chance = p * q if t != u else p * (a == b)
                gram[t, u] += chance * a * b * (F[t] @ F[u]) / 8
        f1 = sum(sign * chance for sign, chance in coins) * F @ pattern_signs(2) / 4
        B = f1 @ f1.T / 2
        norms.append([16 * float(x.sum()) for x in (B * B, gram * B, gram * gram)])
    assert KernelNorms.expected(2, 2, flips=flips) == pytest.approx(np.mean(norms, 0), rel=1e-12)
    endless, clean = KernelNorms.expected(math.inf, 3, flips=flips), KernelNorms.expected(math.inf, 3)
    assert endless == pytest.approx([(1 - 2 * flips) ** 4 * x for x in clean], rel=1e-12)


@pytest.mark.parametrize("r", [2, 3, 5])
def test_infinitely_many_tasks(r: int) -> None:
    norms, K = KernelNorms.of(limit_kernel(r, "balanced")), 2**r
    assert KernelNorms.expected(math.inf, r) == pytest.approx(norms, rel=1e-12)
    nu = math.pi * 100 / 5000
    ratio = nu * (1 + (K - 1) * nu / r) / (1 + nu)
    assert norms.outside_over_inside(100, 5000) == pytest.approx(ratio, rel=1e-12)
    half = norms.inputs_for_half(100)
    assert half == pytest.approx(100 * math.pi * math.sqrt((K - 1) / r), rel=1e-12)
    assert norms.outside_over_inside(100, half) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("tasks", [6, math.inf])
def test_price_against_steps_on_sampled_inputs(tasks: int | float) -> None:
    """Ratio of mean squared lengths over 40 runs; 5 % is three times its standard error, and a factor of 1.2 fails."""
    g, d, n = generator(1), 600, 1500
    few = sample_tasks(6, 2, law="balanced", generator=g)
    kernel = limit_kernel(2, "balanced") if tasks == math.inf else task_kernel(few)
    parts = []
    for _ in range(40):
        learned = sampled_steps(40, d, kernel[None], batch_size=n, generator=g).learned[0]
        parts.append([learned[:, :2].square().sum(), learned[:, 2:].square().sum()])
    inside, outside = np.mean(parts, 0)
    assert outside / inside == pytest.approx(KernelNorms.of(kernel).outside_over_inside(d, n), rel=0.05)


def test_coins_for_all_labels_leave_a_ridge() -> None:
    """With p = 1/2, the largest that is taken, labels say nothing: |K|^2 is that of T coins, the rest is 0."""
    both, one, every = KernelNorms.expected(5, 3, flips=0.5)
    assert (both, one) == (0, 0)
    assert every == pytest.approx(8**2 / 5)


@pytest.mark.usefixtures("unchecked")
def test_norms_refuse_bad_input() -> None:
    with refuses(ValueError, "KernelNorms.of: the rows of kernel must be of sum zero; got 1.0. "):
        KernelNorms.of(limit_kernel(2))
    for size, K in ((5, 4), (1, 2)):
        with refuses(ValueError, f"KernelNorms.of: kernel must be of shape ({K}, {K}); got ({size}, {size}). "):
            KernelNorms.of(torch.eye(size))
    with refuses(ValueError, "KernelNorms.of: the rows of kernel must be of sum zero; got 1.0. "):
        KernelNorms.of(ONLY_COLUMNS)
    with refuses(ValueError, "KernelNorms.expected: r must be at least 2; got 1. "):
        KernelNorms.expected(3, 1)
    with refuses(ValueError, "KernelNorms.expected: tasks must be at least 1; got 0. "):
        KernelNorms.expected(0, 3)
    with refuses(ValueError, "KernelNorms.expected: flips must be at most 1/2; got 0.6. "):
        KernelNorms.expected(4, 3, flips=0.6)


# The limit of a layer


def test_limit_of_a_layer_without_noise() -> None:
    """For nu = 0 the part inside is X A: its second moments are A^2, and nothing lies outside."""
    F = sample_tasks(3, 2, law="balanced", generator=generator(2))
    A = (F @ pattern_signs(2) / 4).T @ (F @ pattern_signs(2) / 4) / 3
    inside, outside = layer_limit(task_kernel(F).expand(20_000, -1, -1), 0.0, 2, generator=generator(3))
    assert_close(torch.einsum("qmi,qmj->ij", inside, inside) / 40_000, A @ A, rtol=0.05, atol=1e-3)
    assert not outside.any()


def test_second_moments_of_the_limit_of_a_layer() -> None:
    """Those of the norms; and of shared noise the mean of the rows keeps 1 / pi of the square and 1 / m of the rest."""
    kernel, nu, m = task_kernel(sample_tasks(6, 3, law="balanced", generator=generator(4))), 0.7, 5
    inside, outside = layer_limit(kernel.expand(4000, -1, -1), nu, m, generator=generator(5))
    both, one, every = KernelNorms.of(kernel)
    assert 64 * float(inside.square().sum()) / 4000 / m == pytest.approx(both + nu * one, rel=0.05)
    assert 64 * float(outside.square().sum()) / 4000 / m == pytest.approx(nu * (one + nu * every), rel=0.05)
    mean = 64 * float(inside.mean(1).square().sum()) / 4000
    assert mean == pytest.approx(both / m + nu * one * (1 / math.pi + (1 - 1 / math.pi) / m), rel=0.05)


def test_limit_of_a_layer_against_sampled_layers() -> None:
    """Medians of 300 layers of 16 neurons in dimension 400; each is off by about 5 %, and nu twice as large by 30 %."""
    g, d, n = generator(6), 400, 600
    kernel = task_kernel(sample_tasks(8, 2, law="balanced", generator=g))
    steps = [sampled_steps(16, d, kernel[None], batch_size=n, generator=g).learned[0] for _ in range(300)]
    G = torch.stack(steps).double()
    found = recovery(G[..., :2], G[..., 2:].norm(dim=-1))
    limit = recovery(*layer_limit(kernel.expand(4000, -1, -1), math.pi * d / n, 16, generator=g))
    for measured, drawn in ((found.conditioning, limit.conditioning), (1 / found.energy - 1, 1 / limit.energy - 1)):
        assert float(measured.median()) == pytest.approx(float(drawn.median()), rel=0.1)


@pytest.mark.usefixtures("unchecked")
def test_limit_of_a_layer_refuses_bad_input() -> None:
    kernel, g = limit_kernel(2, "balanced"), generator(0)
    with refuses(ValueError, "layer_limit: kernels must be of shape (Q, K, L); got (4, 4). "):
        layer_limit(kernel, 1.0, 3, generator=g)
    with refuses(ValueError, "layer_limit: the rows of kernels must be of sum zero; got 1.0. "):
        layer_limit(limit_kernel(2)[None], 1.0, 3, generator=g)
    with refuses(ValueError, "layer_limit: the rows of kernels must be of sum zero; got 1.0. "):
        layer_limit(ONLY_COLUMNS[None], 1.0, 3, generator=g)
    with refuses(ValueError, "layer_limit: nu must be finite and non-negative; got -1. "):
        layer_limit(kernel[None], -1, 3, generator=g)
    with refuses(ValueError, "layer_limit: m must be at least 1; got 0. "):
        layer_limit(kernel[None], 1.0, 0, generator=g)
