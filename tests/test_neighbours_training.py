"""Width, finetuning, least path norms: against linear programs, general solvers, sampling, and networks that train."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from sentences import refuses
from sklearn.linear_model import MultiTaskLasso
from torch import Tensor
from torch.testing import assert_close

from mtfl.inputs import GaussianInputs
from mtfl.neighbours import finetuning, interpolants
from mtfl.neighbours.finetuning import (
    finetuned_coefficients,
    finetuning_penalty,
    joint_coefficients,
    pretrained_weights,
)
from mtfl.neighbours.interpolants import ambiguous_gaps, hats, kernel_heads, path_norm_weights, slope_changes
from mtfl.neighbours.width import effective_covariance, emergence, few_shot_risk, unexplained
from mtfl.population import Neurons, population_flow
from mtfl.randomness import streams
from mtfl.tasks import characters, pattern_signs, sample_tasks, walsh_coefficients


def generator(seed: int = 0) -> torch.Generator:
    return streams(seed, "neighbours training")["neighbours training"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


# Width


def test_effective_covariance_is_a_mean_over_tasks_of_products_of_sums_over_patterns() -> None:
    F, Z = sample_tasks(7, 3, generator=generator()), pattern_signs(3)
    f1 = [torch.stack([f[k] * Z[k] for k in range(8)]).mean(0) for f in F]
    assert_close(effective_covariance(F), torch.stack([torch.outer(v, v) for v in f1]).mean(0))


def test_what_features_leave_is_what_least_squares_leaves_on_many_inputs() -> None:
    inputs, F = GaussianInputs.random(5, 3, generator=generator()), sample_tasks(4, 3, generator=generator(1))
    U = torch.linalg.qr(normal(3, 2)).Q
    X = inputs.sample(200_000, generator=generator(2))
    y = F[:, inputs.patterns(X)].T
    for R, left in enumerate(unexplained(F, U).T):
        features = X @ inputs.M @ U[:, :R]
        rest = y - features @ torch.linalg.lstsq(features, y).solution if R else y
        assert_close(rest.square().mean(0), left, rtol=0, atol=5 * math.sqrt(2 / 200_000))


def test_few_shot_risk_is_that_of_fitted_heads() -> None:
    left, n = torch.tensor([1.0, 0.5, 0.3], dtype=torch.float64), 9
    for R in (1, 2):
        X, e = normal(60_000, n + 50, R), normal(60_000, n + 50, seed=1) * left[R].sqrt()
        a = torch.linalg.lstsq(X[:, :n], e[:, :n, None]).solution  # the best head is 0
        found = (X[:, n:] @ a - e[:, n:, None]).square().mean()
        assert float(found / few_shot_risk(left, n)[R]) == pytest.approx(1, abs=0.02)
    assert float(few_shot_risk(left, n)[0]) == 1
    table = torch.stack([left, 2 * left])
    assert_close(few_shot_risk(table, n), torch.stack([few_shot_risk(row, n) for row in table]))


@pytest.mark.usefixtures("unchecked")
def test_width_refuses_bad_input() -> None:
    F = sample_tasks(3, 2, generator=generator())
    with refuses(ValueError, "unexplained: U must be orthonormal in its columns; got U^T U off by 3.0e+00. "):
        unexplained(F, 2 * torch.eye(2).double())
    with refuses(ValueError, "unexplained: F must be made of -1 and +1; got 12 other entries, the first 2. "):
        unexplained(2 * F.abs(), torch.eye(2).double())
    with refuses(ValueError, "few_shot_risk: examples must be at least 4; got 3. "):
        few_shot_risk(torch.ones(3).double(), 3)
    with refuses(ValueError, "emergence: rates must be positive; got 0.0. "):
        emergence(torch.tensor([0.0, 1.0]), 2.0)
    with refuses(ValueError, "emergence: factor must be at least 1; got 0.5. "):
        emergence(torch.tensor([1.0]), 0.5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-8)])
def test_columns_are_orthonormal_to_the_precision_they_have(dtype: torch.dtype, tolerance: float) -> None:
    F = sample_tasks(3, 2, generator=generator()).to(dtype)
    eye = torch.eye(2, dtype=dtype)
    unexplained(F, math.sqrt(1 + 0.95 * tolerance) * eye)
    with pytest.raises(ValueError, match="unexplained: U must be orthonormal in its columns; got"):
        unexplained(F, math.sqrt(1 + 1.05 * tolerance) * eye)


def test_emergence_is_that_of_the_population_flow() -> None:
    p, Z = torch.tensor([0.7, 0.3], dtype=torch.float64), pattern_signs(2)
    start = Neurons.random(6, 2, 40, generator=generator())
    for rounds in (1, 7, 20):
        flow = population_flow(start, (Z * p) @ Z.T, rounds=rounds, head_step=0.1, representation_step=4.0)
        for i in range(2):
            factor = float(flow.neurons.V[:, i].norm() / start.V[:, i].norm())
            assert float(emergence(0.4 / (2 * math.pi) * p, factor)[i]) == pytest.approx(rounds)
    assert_close(emergence(p, 1.0), torch.zeros(2).double(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("rate", [1e-3, 1e-8, 1e-20, 1e-300])
def test_slow_features_emerge_as_they_should(rate: float) -> None:
    """The first order of a small rate, down to no growth at all, which takes no time."""
    rates = torch.tensor([rate], dtype=torch.float64)
    assert_close(emergence(rates, 1.0), torch.zeros(1).double(), rtol=0, atol=1e-12)
    assert float(emergence(rates, 2.0)) == pytest.approx(math.acosh(2) / math.sqrt(rate) - 0.5, rel=1e-3)


# Least path norms


def problem(T: int, *, n: int = 5, m: int = 30, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features of ReLU neurons at points of the plane, and labels."""
    X, w, b = normal(n, 2, seed=seed), normal(2, m, seed=seed + 1), 3 * normal(m, seed=seed + 2)
    return torch.relu(X @ w + b), normal(T, n, seed=seed + 3)


@pytest.mark.parametrize("seed", range(3))
def test_one_task_has_the_norm_of_a_linear_program(seed: int) -> None:
    Phi, Y = problem(1, seed=10 * seed)
    cost, A = np.ones(2 * Phi.shape[1]), torch.cat([Phi, -Phi], 1).numpy()
    least = linprog(cost, A_eq=A, b_eq=Y[0].numpy(), method="highs").fun
    gamma = path_norm_weights(Phi, Y.T @ Y)
    assert float(gamma.sum()) == pytest.approx(least, rel=1e-5)
    heads = kernel_heads(Phi, gamma, Y)
    assert_close(heads @ Phi.T, Y)
    assert float(heads.abs().sum()) == pytest.approx(least, rel=1e-5)


@pytest.mark.parametrize("T", [2, 4, 12])
def test_several_tasks_have_the_heads_of_a_group_lasso(T: int) -> None:
    Phi, Y = normal(5, 30), normal(T, 5, seed=1)
    gamma = path_norm_weights(Phi, Y.T @ Y)
    heads = kernel_heads(Phi, gamma, Y)
    assert_close(heads.norm(dim=0), gamma, rtol=1e-3, atol=1e-5 * float(gamma.max()))
    lasso = MultiTaskLasso(alpha=1e-3, fit_intercept=False, max_iter=100_000, tol=1e-8)
    free = torch.from_numpy(lasso.fit(Phi.numpy(), Y.T.numpy()).coef_)
    assert float(free.norm(dim=0).sum()) == pytest.approx(
        float(gamma.sum()), rel=0.01
    )  # a little less: it misses labels
    assert float((free - heads).norm() / heads.norm()) < 0.05


def test_the_weights_follow_the_kernel_and_its_scale_alone() -> None:
    Phi, Y = problem(4)
    turn = torch.linalg.qr(normal(4, 4, seed=9)).Q
    gamma = path_norm_weights(Phi, Y.T @ Y)
    for kernel in ((turn @ Y).T @ (turn @ Y), torch.cat([Y, Y]).T @ torch.cat([Y, Y]) / 2):
        assert_close(path_norm_weights(Phi, kernel), gamma, rtol=1e-4, atol=1e-6)
    assert_close(path_norm_weights(Phi, 9 * Y.T @ Y), 3 * gamma)
    assert_close(path_norm_weights(10 * Phi, Y.T @ Y), gamma / 10)
    assert path_norm_weights(Phi.float(), (Y.T @ Y).float()).dtype == torch.float64


@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("held", [False, True])
def test_the_weights_lie_where_a_barrier_leads(T: int, held: bool) -> None:
    """With p_k = phi_k^T G^-1 Z and room 1 - |p_k|^2 a weight less held / sqrt(room) is 2b / room, b the same for all.

    Where there is no room to speak of its digits are lost.
    """
    Phi, Y = problem(T)
    squares = normal(30, seed=5).square() if held else torch.zeros(30).double()
    gamma = path_norm_weights(Phi, Y.T @ Y, held=squares if held else None)
    p = Phi.T @ torch.linalg.solve(Phi * gamma @ Phi.T, Y.T)
    room = 1 - p.square().sum(1)
    barriers = (gamma * room - (squares * room).sqrt()) / 2
    barriers = barriers[room > 0.01]
    assert len(barriers) > 15
    assert_close(barriers, barriers[:1].expand_as(barriers), rtol=1e-3, atol=0)
    assert 0 < 60 * float(barriers[0]) < 2e-5 * float(gamma.sum())


def test_a_few_steps_lead_to_each_barrier(monkeypatch: pytest.MonkeyPatch) -> None:
    """As steps of Newton do."""
    Phi, Y = problem(3)
    usual = path_norm_weights(Phi, Y.T @ Y)
    monkeypatch.setattr(interpolants, "_MOST", 12)
    assert_close(path_norm_weights(Phi, Y.T @ Y), usual, rtol=1e-9, atol=0)


def test_heads_are_least_norm_interpolants() -> None:
    Phi, Y = problem(3)
    gamma = torch.rand(30, generator=generator(), dtype=torch.float64)
    gamma[:10] = 0
    expected = (torch.linalg.pinv(Phi * gamma.sqrt()) @ Y.T).T * gamma.sqrt()
    assert_close(kernel_heads(Phi, gamma, Y), expected)


def test_held_heads_are_those_of_a_larger_problem() -> None:
    """Further tasks that are fitted exactly, when features are as many as points, are held."""
    X, Y, held = torch.linalg.qr(normal(6, 6)).Q, normal(2, 6, seed=1), normal(3, 6, seed=2)
    gamma = path_norm_weights(X, Y.T @ Y, held=held.square().sum(0))
    assert_close(gamma, torch.cat([Y @ X, held]).norm(dim=0), rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("unchecked")
def test_path_norms_refuse_bad_input() -> None:
    Phi, Y = problem(2)
    S = Y.T @ Y
    with refuses(ValueError, "path_norm_weights: kernel must be other than 0; got 0.0. "):
        path_norm_weights(Phi, 0 * S)
    for wrong in (-S, S + torch.arange(25).view(5, 5)):
        with pytest.raises(ValueError, match="path_norm_weights: kernel must be symmetric and positive semidefinite"):
            path_norm_weights(Phi, wrong)
    with refuses(ValueError, "path_norm_weights: the rank of Phi must be 5; got 4. "):
        path_norm_weights(torch.cat([Phi[:4], Phi[:1]]), S)
    with refuses(ValueError, "path_norm_weights: held must be non-negative; got -1.0. "):
        path_norm_weights(Phi, S, held=-torch.ones(30).double())
    with refuses(ValueError, "kernel_heads: gamma must be non-negative; got -1.0. "):
        kernel_heads(Phi, -torch.ones(30).double(), Y)
    for weights in (
        torch.zeros(30).double(),
        torch.full((30,), 1e300, dtype=torch.float64),
    ):  # with these products are infinite
        with refuses(ValueError, "kernel_heads: the rank of G must be 5; got 0. "):
            kernel_heads(1e200 * Phi, weights, Y)


def test_a_problem_without_a_step_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Phi, Y = problem(2)
    monkeypatch.setattr(torch.linalg, "solve_ex", lambda A, b: (b, torch.tensor(1)))
    with refuses(ValueError, "path_norm_weights: the problem must be solvable in double precision; got no step. "):
        path_norm_weights(Phi, Y.T @ Y)


def test_a_step_that_rounding_spoils_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end a system is so nearly singular that on some processors its solution leads far across the border."""
    Phi, Y = problem(3)
    solve, solved, spoiled = torch.linalg.solve_ex, [], [0]

    def spoiling(A: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        solved.append(A)
        x, failed = solve(A, b)
        return (1e3 * torch.ones_like(x), failed) if spoiled == [len(solved)] else (x, failed)

    monkeypatch.setattr(torch.linalg, "solve_ex", spoiling)
    usual, many = path_norm_weights(Phi, Y.T @ Y), len(solved)
    for last in (many - 2, many - 1):
        solved.clear()
        spoiled[0] = last
        assert_close(path_norm_weights(Phi, Y.T @ Y), usual, rtol=1e-3, atol=1e-3 * float(usual.max()))


# On a line


def test_slope_changes_and_hats_fit_together() -> None:
    """Second differences of any sum of kinks and a line are the hats' sums over its kinks."""
    points, kinks, V = normal(6).sort().values, normal(9, seed=1), normal(2, 9, seed=2)
    Y = V @ torch.relu(points - kinks[:, None]) + 3 * points - 1
    assert_close(slope_changes(points, Y), V @ hats(points, kinks).T)
    assert_close(hats(points, points[1:-1]), torch.eye(4).double())


def gap_is_open(points: Tensor, y: Tensor) -> list[bool]:
    """In which gaps between inner points least-norm interpolants of one task differ, by linear programs."""
    x = points.numpy()
    middles = (x[2:-1] + x[1:-2]) / 2
    grid = np.sort(np.concatenate([x, middles]))

    def rows(at: np.ndarray) -> np.ndarray:
        R = np.maximum(at[:, None] - grid, 0)
        return np.concatenate([R, -R, np.ones((len(at), 1)), -np.ones((len(at), 1)), at[:, None], -at[:, None]], 1)

    cost = np.concatenate([np.ones(2 * len(grid)), np.zeros(4)])
    options = {"A_eq": rows(x), "b_eq": y.numpy(), "method": "highs"}
    least = linprog(cost, **options).fun
    ends = [
        [linprog(sign * row, A_ub=cost[None], b_ub=[least + 1e-9], **options).fun for sign in (1, -1)]
        for row in rows(middles)
    ]
    return [-high - low > 1e-6 for low, high in ends]


def test_ambiguous_gaps_are_those_of_linear_programs() -> None:
    points = torch.tensor([0.0, 1.0, 1.7, 3.0, 3.5, 5.0], dtype=torch.float64)
    labels = [torch.tensor(y, dtype=torch.float64) for y in itertools.product((-1.0, 1.0), repeat=6)][:32:3]
    for y in [*labels, *normal(4, 6)]:
        assert ambiguous_gaps(points, y[None]).tolist() == gap_is_open(points, y)


def test_tasks_make_a_gap_ambiguous_only_together() -> None:
    points = torch.arange(4).double()
    valley, hill, flat, bent = ([1.0, -1, -1, 1], [-1.0, 1, 1, -1], [1.0, 1, 1, 1], [1.0, -1, -1, -1])
    for rows, ambiguous in (
        ([valley], True),
        ([valley, hill], True),
        ([valley, flat], True),
        ([flat, flat], False),
        ([valley, bent], False),
    ):
        assert ambiguous_gaps(points, torch.tensor(rows, dtype=torch.float64)).tolist() == [ambiguous]


def test_labels_of_any_size_have_the_same_gaps() -> None:
    points, Y = torch.arange(6).double(), torch.tensor([[1.0, -1, -1, 1, 1, 1]]).double()
    found = ambiguous_gaps(points, Y)
    assert found.any() and not found.all()
    for scale in (1e-20, 1e20):
        assert torch.equal(ambiguous_gaps(points, scale * Y), found)


def test_labels_on_one_line_have_no_ambiguous_gap() -> None:
    points = torch.tensor([0.0, 0.1, 0.5, 2.0, 2.3], dtype=torch.float64)
    assert not ambiguous_gaps(points, (3 * points - 1)[None]).any()


@pytest.mark.usefixtures("unchecked")
def test_points_must_increase() -> None:
    Y = torch.ones(1, 3).double()
    with refuses(ValueError, "slope_changes: points must be increasing; got a step of -1. "):
        slope_changes(torch.tensor([0.0, 2, 1], dtype=torch.float64), Y)
    with refuses(ValueError, "hats: points must be at least three; got 2. "):
        hats(torch.tensor([0.0, 2], dtype=torch.float64), Y[0])


# Finetuning


def test_pretrained_weights_solve_their_equation() -> None:
    strength = torch.tensor([0.0, 0.1, 4.0], dtype=torch.float64)
    w = pretrained_weights(strength, 0.3)
    assert_close(w**2 * (w**2 - 0.09), strength)
    assert_close(pretrained_weights(strength, 1e-6)[1:] ** 4, strength[1:])


def test_the_penalty_has_its_slope_and_its_ends() -> None:
    b, c = normal(20).requires_grad_(), normal(20, seed=1).exp()
    Q = finetuning_penalty(b, c)
    (slope,) = torch.autograd.grad(Q.sum(), b)
    assert_close(slope, torch.asinh(b.detach() / c) / 2)
    x = torch.tensor([-2.0, 1e-3, 3.0], dtype=torch.float64)
    assert_close(finetuning_penalty(x, torch.full_like(x, 1e4)), x**2 / 4e4, rtol=1e-6, atol=0)
    tiny = torch.full_like(x, 1e-30)
    assert_close(finetuning_penalty(x, tiny), x.abs() / 2 * ((2 * x.abs() / tiny).log() - 1))


@pytest.mark.parametrize("scale", [0.02, 1.0, 30.0])
def test_finetuned_coefficients_have_the_least_penalty(scale: float) -> None:
    X, y = characters(4)[:, [0, 3, 5, 6, 11, 14]].T, normal(6)
    c = scale * normal(16, seed=1).exp()
    beta = finetuned_coefficients(X, y, c)
    assert_close(X @ beta, y, rtol=1e-12, atol=1e-12)
    for size in (1e-15, 1e15):
        assert_close(finetuned_coefficients(X, size * y, size * c), size * beta)
    null = torch.linalg.svd(X).Vh[6:].T

    def penalty(free: np.ndarray) -> float:
        return float(finetuning_penalty(beta + null @ torch.from_numpy(free), c).sum())

    best = minimize(penalty, np.full(10, 0.1), method="BFGS", options={"gtol": 1e-8})
    assert penalty(np.zeros(10)) <= best.fun + 1e-9
    assert best.fun == pytest.approx(penalty(np.zeros(10)), rel=1e-6)


def test_finetuned_coefficients_are_where_gradient_descent_ends() -> None:
    X, y = characters(4)[:, [1, 2, 7, 8, 12]].T, normal(5)
    w = start = 0.3 + torch.rand(16, generator=generator(), dtype=torch.float64)
    a = torch.zeros_like(w)
    for _ in range(6000):
        pull = X.T @ (y - X @ (w * a)) / 5
        w, a = w + 0.005 * pull * a, a + 0.005 * pull * w
    beta = finetuned_coefficients(X, y, start**2 / 2)
    assert float((w * a - beta).norm() / beta.norm()) < 0.01


def test_a_few_steps_find_the_coefficients(monkeypatch: pytest.MonkeyPatch) -> None:
    """As steps of Newton do; and no label asks for no coefficient."""
    X, labels = characters(4)[:, [0, 3, 5, 6, 11, 14]].T, normal(40, 6)
    monkeypatch.setattr(finetuning, "_MOST", 20)
    for scale, y in itertools.product((0.02, 1.0, 30.0), labels):  # so many that some last step is not very small
        c = torch.full((16,), scale).double()
        assert_close(X @ finetuned_coefficients(X, y, c), y, rtol=1e-12, atol=1e-12)
        assert not finetuned_coefficients(X, 0 * y, c).any()


def test_very_small_scales_are_solved_too() -> None:
    X, y = characters(6)[:, torch.randperm(64, generator=generator())[:20]].T, normal(20)
    for c in (1e-8, 1e-12, 1e-16):
        beta = finetuned_coefficients(X, y, torch.full((64,), c, dtype=torch.float64))
        assert_close(X @ beta, y)
    A = torch.cat([X, -X], 1).numpy()  # nearly the least sum of sizes
    least = linprog(np.ones(128), A_eq=A, b_eq=y.numpy(), method="highs").fun
    assert float(beta.abs().sum()) == pytest.approx(least, rel=0.05)


def test_weights_of_very_different_sizes_are_finetuned_too() -> None:
    """Labels are met long before the last of Newton's steps is small against coefficients that stay near zero."""
    strength = walsh_coefficients(sample_tasks(16, 5, generator=generator()).repeat(1, 8)).square().sum(0)
    w = pretrained_weights(strength, 1e-3)
    y = 2 * pattern_signs(8)[:, :2].clamp(min=0).prod(1) - 1
    rows = torch.randperm(256, generator=generator())[:32]
    X = characters(8)[:, rows].T
    for scale in (1e-3, 1e-2, 0.1):
        assert_close(X @ finetuned_coefficients(X, y[rows], (scale * w).square() / 2), y[rows])


def test_joint_coefficients_have_the_least_cost() -> None:
    X, y = characters(3)[:, [0, 3, 5, 6]].T, normal(4)
    strength = torch.tensor([0.0, 0.5, 0, 1, 0.2, 0, 2, 0.1], dtype=torch.float64)
    beta = joint_coefficients(X, y, strength)
    assert_close(X @ beta, y)
    null = torch.linalg.svd(X).Vh[4:].T

    def cost(free: np.ndarray) -> float:
        return float((strength + (beta + null @ torch.from_numpy(free)).square()).sqrt().sum())

    found = [minimize(cost, start, method="Nelder-Mead", options={"fatol": 1e-9, "maxiter": 4000}).fun
             for start in (np.zeros(4), np.full(4, 0.3))]  # fmt: skip
    assert cost(np.zeros(4)) <= min(found) + 1e-5
    assert not joint_coefficients(X, 0 * y, strength).any()


@pytest.mark.usefixtures("unchecked")
def test_finetuning_refuses_bad_input() -> None:
    X, y, c = characters(2)[:, :2].T, torch.ones(2).double(), torch.ones(4).double()
    with refuses(ValueError, "finetuned_coefficients: c must be positive; got 0.0. "):
        finetuned_coefficients(X, y, 0 * c)
    with refuses(ValueError, "finetuned_coefficients: the rank of X must be 2; got 1. "):
        finetuned_coefficients(X[:1].expand(2, -1).contiguous(), y, c)
    with refuses(ValueError, "joint_coefficients: strength must be non-negative; got -1.0. "):
        joint_coefficients(X, y, -c)
    with refuses(ValueError, "pretrained_weights: strength must be non-negative; got -1.0. "):
        pretrained_weights(-c, 1.0)
    with refuses(ValueError, "finetuning_penalty: c must be positive; got -1.0. "):
        finetuning_penalty(c, -c)
    with pytest.raises(ValueError, match="the fit must be found in double precision; got c from"):
        finetuned_coefficients(X, y, torch.tensor([1.0, 1e-300, 1e-300, 1e-300], dtype=torch.float64) * 1e-8)
