"""The pseudo-contrastive loss: what the heads' adaptation makes of the multi-task loss.

Conventions. X is (n, d); H = relu(X W^T + b) is (n, m); labels Y are (T, n), so that ``Y = F[:, patterns]``; heads
A are (T, m). Where every task has inputs of its own, X is (T, n, d), H is (T, n, m) and Y stays (T, n). A task's loss
is the mean of l(y g) over its n inputs; the multi-task loss is the mean over the T tasks.

With heads a_t after one step from zero on one batch, put into the loss of a fresh batch, both shared by all tasks,
while no margin exceeds 1 (hinge),

    L(W) = 1 - kappa^2 eta_a mean_{l,i} K_T(x_l, x_i) <relu(W_0 x_l), relu(W x_i)>,

with K_T the task kernel and kappa = -l'(0): 1 for the hinge loss, 1/2 for the logistic loss (whose constant is log 2
and for which the formula is the first order in the heads).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtfl import _checks
from mtfl.network import TwoLayerReLU, relu_features

LOSSES = ("hinge", "logistic")
"""Margin losses l(y g): hinge max(0, 1 - y g) and logistic log(1 + exp(-y g))."""


def margin_loss(margins: Float[Tensor, "*any"], *, loss: str = "hinge") -> Float[Tensor, "*any"]:
    """l(margin), entry by entry; margins are taken without checks."""
    _checks.choice("margin_loss", "loss", loss, LOSSES)
    if loss == "hinge":
        return (1 - margins).clamp_(min=0)
    return torch.nn.functional.softplus(-margins, threshold=50)  # torch's own, 20, leaves an error of 2e-9


def margin_slope(margins: Float[Tensor, "*any"], *, loss: str = "hinge") -> Float[Tensor, "*any"]:
    """-l'(margin) >= 0, entry by entry: how hard a point still pulls. The hinge's is 1 below margin 1, else 0.

    Margins are taken without checks.
    """
    _checks.choice("margin_slope", "loss", loss, LOSSES)
    return (margins < 1).to(margins) if loss == "hinge" else torch.sigmoid(-margins)


def slope_at_zero(loss: str = "hinge") -> float:
    """Kappa = -l'(0): 1 for hinge, 1/2 for logistic."""
    return float(margin_slope(torch.zeros(1), loss=loss))


def head_scores(A: Float[Tensor, "T m"], H: Float[Tensor, "*tasks n m"]) -> Float[Tensor, "T n"]:
    """g_t(x_i), without checks, for inputs shared by the tasks (H of shape (n, m)) or of their own ((T, n, m))."""
    return A @ H.T if H.ndim == 2 else torch.bmm(H, A.unsqueeze(-1)).squeeze(-1)


def head_gradient(
    A: Float[Tensor, "T m"], H: Float[Tensor, "*tasks n m"], Y: Float[Tensor, "T n"], *, loss: str = "hinge"
) -> Float[Tensor, "T m"]:
    """Gradient of each task's own loss (mean over its n inputs, no 1/T) in its own head, without checks."""
    pulls = margin_slope(Y * head_scores(A, H), loss=loss) * Y
    pulled = pulls @ H if H.ndim == 2 else torch.bmm(pulls.unsqueeze(1), H).squeeze(1)
    return -pulled / Y.shape[1]


def _check_batch(where: str, name: str, X: Tensor, Y: Tensor, width: int | None) -> None:
    _checks.tensors(where, **{name: X, "Y": Y})
    T, n = (_checks.shape(where, "Y", Y, "T n")[k] for k in "Tn")
    sizes = {"n": n} if width is None else {"n": n, "width": width}
    if X.ndim == 3:
        _checks.shape(where, name, X, "T n width", T=T, **sizes)
    else:
        _checks.shape(where, name, X, "n width", **sizes)
    _checks.require(n >= 1, where, "the number of inputs", "at least 1", n, "Draw a batch.")
    _checks.signs(where, "Y", Y)


def one_step_heads(
    H: Float[Tensor, "*tasks n m"], Y: Float[Tensor, "T n"], *, step_size: float, loss: str = "hinge"
) -> Float[Tensor, "T m"]:
    """Heads after one gradient step from zero: a_t = kappa step_size mean_i y_ti h_i.

    Args:
        H: features of the inputs, shared (n, m) or for each task (T, n, m).
        Y: labels of -1 and +1.
        step_size: eta_a > 0.
        loss: one of :data:`LOSSES`.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if shapes do not fit, a label is no sign, an entry is not finite, or step_size <= 0.

    Checked against autograd.
    """
    _check_batch("one_step_heads", "H", H, Y, None)
    _checks.number("one_step_heads", "step_size", step_size)
    _checks.choice("one_step_heads", "loss", loss, LOSSES)
    zero = torch.zeros(Y.shape[0], H.shape[-1], dtype=H.dtype, device=H.device)
    heads = -step_size * head_gradient(zero, H, Y, loss=loss)
    _checks.computed("one_step_heads", heads)
    return heads


def ridge_heads(H: Float[Tensor, "n m"], Y: Float[Tensor, "T n"], *, penalty: float) -> Float[Tensor, "T m"]:
    """Heads that solve ridge regression on the labels: argmin_a |y_t - H a|^2 + penalty |a|^2 for each task.

    The sum is over the n inputs (no 1/n). Raises as :func:`one_step_heads`; the penalty must be positive, and large
    enough for the equations to be solved in H's precision. Checked against its normal equations and autograd.
    """
    where = "ridge_heads"
    _check_batch(where, "H", H, Y, None)
    _checks.shape(where, "H", H, "n m")
    _checks.number(where, "penalty", penalty)
    _checks.room(where, H.shape[1], H.shape[1])
    gram = H.T @ H + penalty * torch.eye(H.shape[1], dtype=H.dtype, device=H.device)
    _checks.computed(where, gram)
    heads, solved = solved_ridge(gram, H.T @ Y.T)
    rule = f"large enough for {H.dtype}"
    _checks.require(solved, where, "penalty", rule, penalty, "Increase it, or convert H and Y to float64.")
    _checks.computed(where, heads)
    return heads


def solved_ridge(gram: Float[Tensor, "m m"], pulled: Float[Tensor, "m T"]) -> tuple[Float[Tensor, "T m"], bool]:
    """The heads of ridge regression, and whether they were found; without checks.

    They are not where a pivot is no larger than ten times its rounding error: the penalty is lost in H^T H.

    Args:
        gram: H^T H + penalty I.
        pulled: H^T Y^T.
    """
    factor, failed = torch.linalg.cholesky_ex(gram)
    kept = factor.detach().diagonal().square() / gram.detach().diagonal()
    solved = not failed and bool((kept > 10 * len(gram) * torch.finfo(gram.dtype).eps).all())
    return torch.cholesky_solve(pulled, factor).T, solved


def whitened_contrastive_loss(H: Float[Tensor, "n m"], Y: Float[Tensor, "T n"], *, penalty: float) -> Float[Tensor, ""]:
    """The multi-task ridge loss with every head at its optimum, 1 - tr(Y P Y^T) / (n T).

    P = H (H^T H + penalty I)^{-1} H^T is a smoothed projector on the features' span, so that the loss is again
    one minus a sum of the task kernel over pairs of inputs, now weighted by P instead of by inner products.
    It equals mean_t min_a (|y_t - H a|^2 + penalty |a|^2) / n. Raises as :func:`ridge_heads`.
    """
    heads = ridge_heads(H, Y, penalty=penalty)
    return 1 - (Y * (heads @ H.T)).sum() / Y.numel()


@dataclass(frozen=True, eq=False)
class Anchors:
    """The side of the pseudo-contrastive loss that stands still: the features of the heads' batch, summed by pattern.

    Args:
        totals: (K, m), row z the sum of relu(W_0 x_l) over inputs l of pattern z, divided by the batch size.
    """

    totals: Float[Tensor, "K m"]

    @classmethod
    def of(cls, H: Float[Tensor, "n m"], patterns: Int64[Tensor, " n"], r: int) -> Anchors:
        """Anchors of a batch with features H and these patterns.

        Raises:
            TypeError: if H is no floating-point tensor or the patterns are no integers.
            ValueError: if shapes do not fit, H is not finite, or a pattern is not between 0 and 2^r - 1.
        """
        where = "Anchors.of"
        _checks.features(where, r)
        _checks.tensors(where, H=H)
        sizes = _checks.shape(where, "H", H, "n m")
        _checks.patterns(where, patterns, sizes["n"], 2**r)
        _checks.room(where, sizes["m"], 2**r)
        totals = torch.zeros(2**r, H.shape[1], dtype=H.dtype, device=H.device)
        totals = totals.index_add(0, patterns, H) / H.shape[0]
        _checks.computed(where, totals)
        return cls(totals)


def pseudo_contrastive_loss(
    W: Float[Tensor, "m d"],
    X: Float[Tensor, "n d"],
    patterns: Int64[Tensor, " n"],
    kernel: Float[Tensor, "K K"],
    anchors: Anchors,
    *,
    step_size: float,
    loss: str = "hinge",
) -> Float[Tensor, ""]:
    """L(W) = l(0) - kappa^2 eta_a mean_{l,i} K(z_l, z_i) <relu(W_0 x_l), relu(W x_i)>, biases zero.

    Exact for the hinge loss on batches that all tasks share, while no margin exceeds 1; first order in step_size for
    the logistic loss.

    Args:
        W: first layer, the variable.
        X: inputs of the representation batch.
        patterns: their patterns.
        kernel: task kernel of a table (:func:`mtfl.tasks.task_kernel`) or its limit (``limit_kernel``).
        anchors: of the heads' batch under the initial weights W_0.
        step_size: eta_a of the heads' step.
        loss: one of :data:`LOSSES`.

    Raises:
        TypeError: if dtypes or devices differ, or the patterns are no integers.
        ValueError: if shapes do not fit, an entry is not finite, a pattern is out of range, or step_size <= 0.

    The function is differentiable in W by autograd, which is how it is checked against the multi-task loss.
    """
    where = "pseudo_contrastive_loss"
    _checks.instance(where, "anchors", anchors, Anchors)
    _checks.tensors(where, W=W, X=X, kernel=kernel, anchors=anchors.totals)
    sizes = _checks.shape(where, "W", W, "m d")
    sizes = _checks.shape(where, "X", X, "n d", **sizes)
    K = _checks.shape(where, "anchors", anchors.totals, "K m", **sizes)["K"]
    _checks.shape(where, "kernel", kernel, "K L", K=K, L=K)
    _checks.patterns(where, patterns, sizes["n"], K)
    _checks.number(where, "step_size", step_size)
    _checks.choice(where, "loss", loss, LOSSES)
    targets = (kernel @ anchors.totals)[patterns]
    alignment = (targets * relu_features(W, torch.zeros_like(W[:, 0]), X)).sum() / X.shape[0]
    constant = float(margin_loss(torch.zeros(1, dtype=torch.float64), loss=loss))
    value = constant - slope_at_zero(loss) ** 2 * step_size * alignment
    _checks.computed(where, value)
    return value


class RepresentationGradient(NamedTuple):
    """Gradient of the multi-task loss in the first layer, with the margins y g it was taken at."""

    W: Float[Tensor, "m d"]
    b: Float[Tensor, " m"]
    margins: Float[Tensor, "T n"]


def pull_gradient(
    W: Float[Tensor, "m d"], b: Float[Tensor, " m"], X: Float[Tensor, "n d"], pulls: Float[Tensor, "n m"]
) -> Float[Tensor, "m d"]:
    """Gradient in W of -sum_i <pulls_i, relu(W x_i + b)>: every input pulls its active neurons towards itself.

    Without checks.
    """
    return -(pulls * (X @ W.T + b > 0)).T @ X


def representation_gradient(
    network: TwoLayerReLU, X: Float[Tensor, "*tasks n d"], Y: Float[Tensor, "T n"], *, loss: str = "hinge"
) -> RepresentationGradient:
    """Gradient of (1/T) sum_t (1/n) sum_i l(y_ti g_t(x_i)) in W and b, in closed form (no autograd graph).

    Written to be read; :func:`mtfl.pretraining.pretrain` works out the same in place.

    Args:
        network: its W, b and heads A.
        X: inputs, shared by all tasks (n, d) or of each task (T, n, d).
        Y: labels (T, n) of -1 and +1.
        loss: one of :data:`LOSSES`.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if shapes do not fit, a label is no sign, or an entry is not finite.

    Checked against autograd to 1e-10 in float64.
    """
    where = "representation_gradient"
    _checks.instance(where, "network", network, TwoLayerReLU)
    _checks.tensors(where, W=network.W, X=X)
    _check_batch(where, "X", X, Y, network.W.shape[1])
    _checks.shape(where, "Y", Y, "T n", T=network.A.shape[0])
    _checks.choice(where, "loss", loss, LOSSES)
    W, A = network.W, network.A
    H = relu_features(W, network.b, X)
    margins = Y * head_scores(A, H)
    pulls = margin_slope(margins, loss=loss) * Y / Y.numel()
    back = pulls.T @ A if H.ndim == 2 else pulls.unsqueeze(-1) * A.unsqueeze(1)
    back = (back * (H > 0)).reshape(-1, W.shape[0])
    gradient = RepresentationGradient(-back.T @ X.reshape(-1, X.shape[-1]), -back.sum(0), margins)
    _checks.computed(where, *gradient)
    return gradient


def kernel_deviation_bound(r: int, tasks: int, *, failure: float = 0.05) -> float:
    """Bound on max |K_T - K_inf| over all pairs of patterns that holds with probability 1 - failure.

    sqrt(2 log(K^2 / failure) / T) with K = 2^r: Hoeffding's inequality for each of at most K^2/2 pairs of two
    signs' products, and a union over them.

    Raises:
        ValueError: if r < 1, tasks < 1, or failure is outside (0, 1).
    """
    where = "kernel_deviation_bound"
    _checks.integer(where, "r", r, least=1)
    _checks.integer(where, "tasks", tasks, least=1)
    _checks.number(where, "failure", failure)
    _checks.require(failure < 1, where, "failure", "a probability below 1", failure, "Choose e.g. 0.05.")
    return math.sqrt(2 * (r * math.log(4) - math.log(failure)) / tasks)
