"""Closed-form heads, losses and gradients against autograd and against sums over pairs."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl import (
    GaussianInputs,
    PretrainSettings,
    TwoLayerReLU,
    limit_kernel,
    one_step_heads,
    pretrain,
    pseudo_contrastive_loss,
    representation_gradient,
    ridge_heads,
    sample_tasks,
    streams,
    task_kernel,
)
from mtfl.contrastive import (
    LOSSES,
    Anchors,
    head_gradient,
    head_scores,
    kernel_deviation_bound,
    margin_loss,
    margin_slope,
    pull_gradient,
    slope_at_zero,
    whitened_contrastive_loss,
)

RTOL = 1e-10
T, N, D, M, R = 5, 14, 6, 7, 2


class Case(NamedTuple):
    """A network in mid-training with a batch."""

    network: TwoLayerReLU
    inputs: GaussianInputs
    F: Tensor
    X: Tensor
    Y: Tensor

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.network.W, self.network.b, self.network.A


def close(actual: Tensor, expected: Tensor) -> None:
    """Equal to ten digits of the largest entry."""
    assert_close(actual, expected, rtol=RTOL, atol=RTOL * float(expected.abs().max()))


def batch(inputs: GaussianInputs, F: Tensor, n: int, generator: torch.Generator, *, own: bool) -> tuple[Tensor, Tensor]:
    X = inputs.sample(len(F) * n if own else n, generator=generator)
    X = X.reshape(len(F), n, -1) if own else X
    patterns = inputs.patterns(X)
    return X, F.gather(1, patterns) if own else F[:, patterns]


def mid_training(seed: int, *, own: bool, scale: float = 1.0) -> Case:
    random = streams(seed, "subspace", "tasks", "weights", "batch")
    inputs = GaussianInputs.random(D, R, generator=random["subspace"])
    F = sample_tasks(T, R, generator=random["tasks"])
    W, b, A = (
        scale * torch.randn(*shape, generator=random["weights"], dtype=torch.float64)
        for shape in ((M, D), (M,), (T, M))
    )
    return Case(TwoLayerReLU(W, b, A), inputs, F, *batch(inputs, F, N, random["batch"], own=own))


def several_rounds_in(seed: int, loss: str, *, own: bool) -> Case:
    random = streams(seed, "subspace", "tasks", "weights", "batch", "training")
    inputs = GaussianInputs.random(D, R, generator=random["subspace"])
    F = sample_tasks(T, R, generator=random["tasks"])
    start = TwoLayerReLU.random(M, D, tasks=T, generator=random["weights"])
    settings = PretrainSettings(
        rounds=6, batch_size=20, head_step=1.0, representation_step=1.0, loss=loss, train_biases=True, head_steps=2
    )
    network = pretrain(start, inputs, F, settings, generator=random["training"]).network
    assert network.b.abs().min() > 0
    assert network.A.abs().min() > 0
    return Case(network, inputs, F, *batch(inputs, F, N, random["batch"], own=own))


# Losses


@settings(max_examples=50)
@given(st.floats(-50, 50), st.sampled_from(LOSSES))
def test_margin_loss_and_slope(margin: float, loss: str) -> None:
    x = torch.tensor([margin], dtype=torch.float64, requires_grad=True)
    value = oracles.margin_loss(x, loss)
    assert_close(margin_loss(x.detach(), loss=loss), value.detach(), rtol=1e-12, atol=1e-15)
    if margin != 1:  # the hinge's corner
        slope = torch.autograd.grad(value.sum(), x)[0]
        assert_close(margin_slope(x.detach(), loss=loss), -slope, rtol=1e-12, atol=1e-15)


def test_slopes_at_zero_and_at_the_corner() -> None:
    assert slope_at_zero("hinge") == 1.0
    assert slope_at_zero("logistic") == 0.5
    assert margin_slope(torch.ones(1), loss="hinge").item() == 0.0
    assert math.isfinite(margin_loss(torch.tensor([-1e4]), loss="logistic").item())


# Gradients in the heads and in the first layer


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("own", [False, True], ids=["shared", "per-task"])
@pytest.mark.parametrize("seed", range(5))
def test_gradients_equal_autograd(seed: int, own: bool, loss: str) -> None:
    for case in (mid_training(seed, own=own), several_rounds_in(seed, loss, own=own)):
        H = case.network.features(case.X)
        close(
            head_gradient(case.network.A, H, case.Y, loss=loss),
            oracles.head_gradient(*case.weights, case.X, case.Y, loss),
        )
        gradient = representation_gradient(case.network, case.X, case.Y, loss=loss)
        W, b = oracles.layer_gradient(*case.weights, case.X, case.Y, loss)
        close(gradient.W, W)
        close(gradient.b, b)
        losses = oracles.task_losses(*case.weights, case.X, case.Y, loss)
        close(margin_loss(gradient.margins, loss=loss).mean(1), losses)
        assert gradient.margins.max() > 1 or loss == "logistic"  # some points no longer pull
        assert not gradient.W.requires_grad


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("own", [False, True], ids=["shared", "per-task"])
def test_float32_gradients_match_float64(own: bool, loss: str) -> None:
    case = mid_training(3, own=own)
    narrow = TwoLayerReLU(*(x.float() for x in case.weights))
    X, Y = case.X.float(), case.Y.float()
    wide = representation_gradient(case.network, case.X, case.Y, loss=loss)
    ours = representation_gradient(narrow, X, Y, loss=loss)
    assert ours.W.dtype == torch.float32
    for a, b in zip(ours, wide, strict=True):
        assert_close(a.double(), b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))
    heads = one_step_heads(case.network.features(case.X), case.Y, step_size=0.3, loss=loss)
    assert_close(one_step_heads(narrow.features(X), Y, step_size=0.3, loss=loss).double(), heads, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "per-task"])
def test_scores_of_shared_and_own_inputs(own: bool) -> None:
    case = mid_training(0, own=own)
    H = case.network.features(case.X)
    expected = [[float(case.network.A[t] @ (H[t, i] if own else H[i])) for i in range(N)] for t in range(T)]
    assert_close(head_scores(case.network.A, H), torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("own", [False, True], ids=["shared", "per-task"])
def test_one_step_heads_equal_a_gradient_step_from_zero(own: bool, loss: str) -> None:
    case = mid_training(1, own=own)
    W, b, A = case.weights
    step = -0.7 * oracles.head_gradient(W, b, torch.zeros_like(A), case.X, case.Y, loss)
    close(one_step_heads(case.network.features(case.X), case.Y, step_size=0.7, loss=loss), step)


def test_one_step_heads_by_hand() -> None:
    H = torch.tensor([[1.0, 0], [3, 2]], dtype=torch.float64)
    Y = torch.tensor([[1.0, 1], [1, -1]], dtype=torch.float64)
    assert one_step_heads(H, Y, step_size=1.0).tolist() == [[2, 1], [-1, -1]]
    assert one_step_heads(H, Y, step_size=1.0, loss="logistic").tolist() == [[1, 0.5], [-0.5, -0.5]]


def test_pull_gradient_equals_autograd() -> None:
    case = mid_training(2, own=False)
    W, b, _ = case.weights
    pulls = torch.randn(N, M, generator=streams(0, "pulls")["pulls"], dtype=torch.float64)
    variable = W.clone().requires_grad_()
    value = -(pulls * torch.relu(case.X @ variable.T + b)).sum()
    close(pull_gradient(W, b, case.X, pulls), torch.autograd.grad(value, variable)[0])


# The pseudo-contrastive loss


class TwoBatches(NamedTuple):
    """Initial and present weights with a heads' batch and a fresh one."""

    W0: Tensor
    W: Tensor
    inputs: GaussianInputs
    F: Tensor
    X0: Tensor
    X: Tensor

    def labels(self) -> tuple[Tensor, Tensor]:
        return self.F[:, self.inputs.patterns(self.X0)], self.F[:, self.inputs.patterns(self.X)]

    def anchors(self) -> Anchors:
        return Anchors.of(torch.relu(self.X0 @ self.W0.T), self.inputs.patterns(self.X0), self.inputs.r)

    def closed_form(self, W: Tensor, step_size: float, loss: str) -> Tensor:
        options = {"step_size": step_size, "loss": loss}
        patterns = self.inputs.patterns(self.X)
        return pseudo_contrastive_loss(W, self.X, patterns, task_kernel(self.F), self.anchors(), **options)

    def true_loss(self, W: Tensor, step_size: float, loss: str) -> Tensor:
        zero, (Y0, Y) = torch.zeros(len(W), dtype=W.dtype), self.labels()
        A = torch.zeros(len(self.F), len(W), dtype=W.dtype)
        A = -step_size * oracles.head_gradient(self.W0, zero, A, self.X0, Y0, loss)
        return oracles.task_losses(W, zero, A, self.X, Y, loss).mean()


def two_batches(seed: int, *, law: str = "uniform") -> TwoBatches:
    random = streams(seed, "subspace", "tasks", "weights", "batches")
    inputs = GaussianInputs.random(D, R, generator=random["subspace"])
    F = sample_tasks(T, R, law=law, generator=random["tasks"])
    W0, W = torch.randn(2, M, D, generator=random["weights"], dtype=torch.float64) / math.sqrt(D)
    X0, X = (inputs.sample(n, generator=random["batches"]) for n in (N, N + 3))
    return TwoBatches(W0, W, inputs, F, X0, X)


@pytest.mark.parametrize("law", ["uniform", "balanced"])
@pytest.mark.parametrize("seed", range(4))
def test_pseudo_contrastive_loss_is_the_hinge_loss_after_the_heads_step(seed: int, law: str) -> None:
    case = two_batches(seed, law=law)
    for W in (case.W0, case.W):
        W = W.clone().requires_grad_()
        ours, true = case.closed_form(W, 0.02, "hinge"), case.true_loss(W, 0.02, "hinge")
        assert_close(ours, true, rtol=RTOL, atol=0)
        close(torch.autograd.grad(ours, W)[0], torch.autograd.grad(true, W)[0])


@pytest.mark.parametrize("loss", LOSSES)
def test_pseudo_contrastive_loss_is_a_sum_over_pairs(loss: str) -> None:
    case = two_batches(7)
    zero = 1.0 if loss == "hinge" else math.log(2)
    pairs = oracles.pairwise_contrastive_loss(
        case.W0, case.W, case.X0, case.labels()[0], case.X, case.labels()[1],
        step_size=0.3, kappa=slope_at_zero(loss), zero=zero,
    )  # fmt: skip
    assert_close(case.closed_form(case.W, 0.3, loss), pairs, rtol=RTOL, atol=0)


def test_hinge_formula_ends_where_margins_reach_one() -> None:
    case = two_batches(0)
    assert abs(case.closed_form(case.W0, 20.0, "hinge") - case.true_loss(case.W0, 20.0, "hinge")) > 0.1


def test_logistic_formula_is_first_order_in_the_step() -> None:
    case = two_batches(1)
    errors = []
    for step_size in (0.08, 0.04, 0.02, 0.01):
        W = case.W.clone().requires_grad_()
        gap = case.closed_form(W, step_size, "logistic") - case.true_loss(W, step_size, "logistic")
        errors.append((abs(gap.item()), float(torch.autograd.grad(gap, W)[0].norm())))
    for (value, gradient), (half_value, half_gradient) in itertools.pairwise(errors):
        assert math.log2(value / half_value) == pytest.approx(2, abs=0.05)
        assert math.log2(gradient / half_gradient) == pytest.approx(2, abs=0.05)


def test_gradient_of_the_formula_is_the_representation_gradient() -> None:
    case = two_batches(2)
    Y0, Y = case.labels()
    heads = one_step_heads(torch.relu(case.X0 @ case.W0.T), Y0, step_size=0.02)
    network = TwoLayerReLU(case.W, torch.zeros_like(case.W[:, 0]), heads)
    W = case.W.clone().requires_grad_()
    formula = torch.autograd.grad(case.closed_form(W, 0.02, "hinge"), W)[0]
    close(representation_gradient(network, case.X, Y).W, formula)


def test_balanced_tasks_repel_different_patterns() -> None:
    case = two_batches(3)
    for law, sign in (("balanced", -1.0), ("uniform", 0.0)):
        totals = torch.zeros(4, M, dtype=torch.float64)
        totals[0] = 1.0  # anchors of pattern 0 only
        away = case.X[case.inputs.patterns(case.X) != 0]
        loss = pseudo_contrastive_loss(
            case.W, away, case.inputs.patterns(away), limit_kernel(2, law), Anchors(totals), step_size=1.0
        )
        assert math.copysign(1.0, 1 - loss.item()) == sign or (sign == 0.0 and loss.item() == 1.0)


def test_anchors_by_hand() -> None:
    H = torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]], dtype=torch.float64)
    totals = Anchors.of(H, torch.tensor([1, 0, 1, 3]), 2).totals
    assert totals.tolist() == [[0.75, 1.0], [1.5, 2.0], [0.0, 0.0], [1.75, 2.0]]


# Ridge heads


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3), st.booleans())
def test_ridge_heads_and_whitened_loss_against_least_squares(seed: int, penalty: float, wide: bool) -> None:
    random = streams(seed, "H", "Y")
    n, m = (6, 9) if wide else (12, 5)
    H = torch.randn(n, m, generator=random["H"], dtype=torch.float64).relu()
    Y = 2.0 * torch.randint(2, (3, n), generator=random["Y"]).double() - 1
    heads, objective = oracles.ridge_by_least_squares(H, Y, penalty)
    ours = ridge_heads(H, Y, penalty=penalty)
    assert_close(ours, heads, rtol=1e-8, atol=1e-8)
    assert_close((H.T @ H + penalty * torch.eye(m, dtype=torch.float64)) @ ours.T, H.T @ Y.T, rtol=1e-9, atol=1e-9)
    assert whitened_contrastive_loss(H, Y, penalty=penalty).item() == pytest.approx(objective, abs=1e-10)
    P = H @ torch.linalg.solve(H.T @ H + penalty * torch.eye(m, dtype=torch.float64), H.T)
    kernel = Y.T @ Y / 3
    assert whitened_contrastive_loss(H, Y, penalty=penalty).item() == pytest.approx(1 - float((kernel * P).sum()) / n)


def test_ridge_heads_stop_the_gradient_of_their_objective() -> None:
    case = mid_training(4, own=False)
    H = case.network.features(case.X)
    A = ridge_heads(H, case.Y, penalty=0.5).requires_grad_()
    objective = (case.Y - A @ H.T).square().sum() + 0.5 * A.square().sum()
    assert torch.autograd.grad(objective, A)[0].abs().max() < 1e-10


def test_whitened_gradient_ignores_the_motion_of_the_heads() -> None:
    case = mid_training(5, own=False)
    W = case.network.W.clone().requires_grad_()
    whole = torch.autograd.grad(whitened_contrastive_loss(torch.relu(case.X @ W.T), case.Y, penalty=0.5), W)[0]
    heads = ridge_heads(torch.relu(case.X @ W.detach().T), case.Y, penalty=0.5)
    frozen = (case.Y - heads @ torch.relu(case.X @ W.T).T).square().sum() / case.Y.numel()
    close(whole, torch.autograd.grad(frozen, W)[0])


# The deviation bound


def test_deviation_bound_by_hand_and_by_simulation() -> None:
    assert kernel_deviation_bound(2, 50, failure=0.1) == pytest.approx(math.sqrt(2 * math.log(16 / 0.1) / 50))
    generator, limit = streams(0, "tasks")["tasks"], limit_kernel(3, "balanced")
    deviations = [
        float((task_kernel(sample_tasks(40, 3, law="balanced", generator=generator)) - limit).abs().max())
        for _ in range(300)
    ]
    bound = kernel_deviation_bound(3, 40, failure=0.05)
    assert sum(d > bound for d in deviations) <= 15
    assert max(deviations) > bound / 3  # the bound is not idle


# Bad input


H0 = torch.ones(3, 4, dtype=torch.float64)
Y0 = torch.tensor([[1.0, -1, 1], [1, 1, -1]], dtype=torch.float64)
OWN = H0.expand(2, 3, 4)

BAD_BATCHES = [
    (H0, torch.ones(2, 5).double(), ValueError, "H must be of shape (5, width); got (3, 4). "),
    (H0[0], Y0, ValueError, "H must be of shape (3, width); got (4,). "),
    (OWN[:1], Y0, ValueError, "H must be of shape (2, 3, width); got (1, 3, 4). "),
    (H0, Y0[0], ValueError, "Y must be of shape (T, n); got (3,). "),
    (H0, Y0[:0], ValueError, "Y must be non-empty; got shape (0, 3). "),
    (H0[:0], Y0[:, :0], ValueError, "Y must be non-empty; got shape (2, 0). "),
    (H0, (Y0 + 1) / 2, ValueError, "Y must be made of -1 and +1; got 2 other entries, the first 0. "),
    (H0, 0 * Y0, ValueError, "Y must be made of -1 and +1; got 6 other entries, the first 0. "),
    (H0 * math.nan, Y0, ValueError, "H must be finite; got NaN or infinity. "),
    (H0, Y0 / 0, ValueError, "Y must be finite; got NaN or infinity. "),
    (
        H0.float(),
        Y0,
        TypeError,
        "Y must be of the dtype and device of H (torch.float32, cpu); got torch.float64, cpu. ",
    ),
    (
        H0,
        Y0.to("meta"),
        TypeError,
        "Y must be of the dtype and device of H (torch.float64, cpu); got torch.float64, meta",
    ),
    (H0, Y0.long(), TypeError, "Y must be floating point; got torch.int64. "),
    (H0.tolist(), Y0, TypeError, "H must be a torch.Tensor; got list. "),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("H", "Y", "error", "sentence"), BAD_BATCHES)
def test_bad_batches_are_refused(H: Tensor, Y: Tensor, error: type[Exception], sentence: str) -> None:
    with refuses(error, "one_step_heads: " + sentence):
        one_step_heads(H, Y, step_size=1.0)
    for function in (ridge_heads, whitened_contrastive_loss):
        with refuses(error, "ridge_heads: " + sentence):
            function(H, Y, penalty=1.0)
    if isinstance(H, Tensor):
        network = TwoLayerReLU(torch.ones(5, 4).to(H.dtype), torch.zeros(5).to(H.dtype), torch.ones(2, 5).to(H.dtype))
        sentence = sentence.replace("H must", "X must").replace("of H", "of X").replace("width", "4")
        with refuses(error, "representation_gradient: " + sentence):
            representation_gradient(network, H, Y)


@pytest.mark.usefixtures("unchecked")
def test_bad_steps_penalties_and_words_are_refused() -> None:
    for value, got in ((0.0, "0.0"), (-1.0, "-1.0"), (math.nan, "nan"), (math.inf, "inf")):
        with refuses(ValueError, f"one_step_heads: step_size must be finite and positive; got {got}. "):
            one_step_heads(H0, Y0, step_size=value)
        with refuses(ValueError, f"ridge_heads: penalty must be finite and positive; got {got}. "):
            ridge_heads(H0, Y0, penalty=value)
    with refuses(TypeError, "one_step_heads: step_size must be a number; got str '1'. "):
        one_step_heads(H0, Y0, step_size="1")  # type: ignore[arg-type]
    with refuses(ValueError, "one_step_heads: loss must be one of hinge, logistic; got 'square'. "):
        one_step_heads(H0, Y0, step_size=1.0, loss="square")
    for function in (margin_loss, margin_slope):
        with refuses(ValueError, f"{function.__name__}: loss must be one of hinge, logistic; got 'square'. "):
            function(H0, loss="square")
    with refuses(ValueError, "ridge_heads: H must be of shape (n, m); got (2, 3, 4). "):
        ridge_heads(OWN, Y0, penalty=1.0)
    with refuses(ValueError, "ridge_heads: penalty must be large enough for torch.float64; got 1e-30. "):
        ridge_heads(H0, Y0, penalty=1e-30)


@pytest.mark.usefixtures("unchecked")
def test_bad_networks_for_a_gradient_are_refused() -> None:
    case = mid_training(0, own=False)
    where = "representation_gradient: "
    with refuses(ValueError, where + "Y must be of shape (5, n); got (2, 14). "):
        representation_gradient(case.network, case.X, case.Y[:2])
    with refuses(ValueError, where + "X must be of shape (14, 6); got (14, 5). "):
        representation_gradient(case.network, case.X[:, :5], case.Y)
    with refuses(TypeError, where + "X must be of the dtype and device of W (torch.float64, cpu); got torch.float32"):
        representation_gradient(case.network, case.X.float(), case.Y.float())
    with refuses(ValueError, where + "loss must be one of hinge, logistic; got 'square'. "):
        representation_gradient(case.network, case.X, case.Y, loss="square")


PATTERNS = torch.tensor([0, 1, 3])
GOOD = {
    "W": torch.ones(5, 4, dtype=torch.float64),
    "X": H0,
    "patterns": PATTERNS,
    "kernel": torch.eye(4, dtype=torch.float64),
    "anchors": Anchors(torch.ones(4, 5, dtype=torch.float64)),
    "step_size": 1.0,
}
BAD_LOSSES = [
    ({"W": GOOD["W"][0]}, ValueError, "W must be of shape (m, d); got (4,). "),
    ({"W": GOOD["W"] * math.nan}, ValueError, "W must be finite; got NaN or infinity. "),
    ({"X": H0[:, :3]}, ValueError, "X must be of shape (n, 4); got (3, 3). "),
    ({"X": H0.float()}, TypeError, "X must be of the dtype and device of W (torch.float64, cpu); got torch.float32"),
    ({"X": H0[:0], "patterns": PATTERNS[:0]}, ValueError, "X must be non-empty; got shape (0, 4). "),
    ({"patterns": PATTERNS[:2]}, ValueError, "patterns must be of shape (3); got (2,). "),
    ({"patterns": PATTERNS - 1}, ValueError, "patterns must be between 0 and 3; got -1. "),
    ({"patterns": PATTERNS + 1}, ValueError, "patterns must be between 0 and 3; got 4. "),
    ({"patterns": PATTERNS.double()}, TypeError, "patterns must be a torch.int64 tensor; got torch.float64. "),
    ({"patterns": [0, 1, 3]}, TypeError, "patterns must be a torch.int64 tensor; got list. "),
    ({"kernel": torch.eye(3).double()}, ValueError, "kernel must be of shape (4, 4); got (3, 3). "),
    ({"kernel": torch.eye(4) / 0}, TypeError, "kernel must be of the dtype and device of W (torch.float64, cpu); got "),
    ({"kernel": torch.eye(4).double() / 0}, ValueError, "kernel must be finite; got NaN or infinity. "),
    ({"anchors": Anchors(torch.ones(4, 3).double())}, ValueError, "anchors must be of shape (K, 5); got (4, 3). "),
    ({"step_size": -1.0}, ValueError, "step_size must be finite and positive; got -1.0. "),
    ({"loss": "square"}, ValueError, "loss must be one of hinge, logistic; got 'square'. "),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("change", "error", "sentence"), BAD_LOSSES)
def test_bad_arguments_of_the_formula_are_refused(change: dict, error: type[Exception], sentence: str) -> None:
    with refuses(error, "pseudo_contrastive_loss: " + sentence):
        pseudo_contrastive_loss(**(GOOD | change))


@pytest.mark.usefixtures("unchecked")
def test_bad_anchors_are_refused() -> None:
    with refuses(ValueError, "Anchors.of: patterns must be between 0 and 1; got 3. "):
        Anchors.of(H0, PATTERNS, 1)
    with refuses(ValueError, "Anchors.of: patterns must be of shape (3); got (2,). "):
        Anchors.of(H0, PATTERNS[:2], 2)
    with refuses(ValueError, "Anchors.of: H must be of shape (n, m); got (4,). "):
        Anchors.of(H0[0], PATTERNS, 2)
    with refuses(ValueError, "Anchors.of: r must be at least 1; got 0. "):
        Anchors.of(H0, PATTERNS, 0)
    with refuses(TypeError, "Anchors.of: H must be floating point; got torch.int64. "):
        Anchors.of(H0.long(), PATTERNS, 2)


@pytest.mark.usefixtures("unchecked")
def test_bad_bounds_are_refused() -> None:
    where = "kernel_deviation_bound: "
    with refuses(ValueError, where + "r must be at least 1; got 0. "):
        kernel_deviation_bound(0, 5)
    with refuses(ValueError, where + "tasks must be at least 1; got 0. "):
        kernel_deviation_bound(2, 0)
    with refuses(ValueError, where + "failure must be finite and positive; got 0.0. "):
        kernel_deviation_bound(2, 5, failure=0.0)
    with refuses(ValueError, where + "failure must be a probability below 1; got 1.0. "):
        kernel_deviation_bound(2, 5, failure=1.0)
