"""Pretraining, rescaling, finetuning: what a diagonal network on Walsh characters prefers, in closed form.

The network sees characters chi_S(z) and has f_t = sum_S w_S v_tS chi_S, with one weight w_S for all tasks. Its square
loss is trained by gradient flow, heads from zero.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.neighbours.interpolants import kernel_heads, path_norm_weights

_MOST = 500  # Newton steps; some twenty are usual


def pretrained_weights(strength: Float[Tensor, " S"], start: float) -> Float[Tensor, " S"]:
    """The shared weights at the end of gradient flow on all patterns, from w = start and heads at zero.

    They obey w^2 (w^2 - start^2) = strength.

    Args:
        strength: of each character over the tasks, sum_t fhat_tS^2.
        start: where all weights start, positive.

    Raises:
        TypeError, ValueError: if strengths are negative or start is not positive.

    Checked against the differential equation.
    """
    where = "pretrained_weights"
    _checks.tensors(where, strength=strength)
    _checks.shape(where, "strength", strength, "S")
    _checks.require(
        bool((strength >= 0).all()), where, "strength", "non-negative", strength.min().item(), "Sum squares."
    )
    _checks.number(where, "start", start)
    root = strength.double().sqrt().sqrt()
    scale = root.clamp(min=start)  # squares neither overflow nor vanish
    half = (start / scale).square() / 2
    w = (scale * (half + torch.hypot(half, (root / scale).square())).sqrt()).to(strength)
    _checks.computed(where, w)
    return w


def finetuning_penalty(beta: Float[Tensor, " S"], c: Float[Tensor, " S"]) -> Float[Tensor, " S"]:
    """Q_c(beta) = (beta asinh(beta / c) - sqrt(beta^2 + c^2) + c) / 2.

    It is beta^2 / 4c where c is large against beta, and |beta| up to a logarithm where it is small.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, or a c is not positive.
    """
    where = "finetuning_penalty"
    _checks.tensors(where, beta=beta, c=c)
    _checks.shape(where, "c", c, "S", **_checks.shape(where, "beta", beta, "S"))
    _checks.require(bool((c > 0).all()), where, "c", "positive", c.min().item(), "Weights that are 0 learn nothing.")
    ratio = beta / c
    Q = beta * (ratio.asinh() - ratio / (1 + torch.hypot(ratio, torch.ones_like(ratio)))) / 2
    _checks.computed(where, Q)
    return Q


def finetuned_coefficients(
    X: Float[Tensor, "n S"], y: Float[Tensor, " n"], c: Float[Tensor, " S"]
) -> Float[Tensor, " S"]:
    """Where gradient flow of both layers ends on few patterns: argmin sum_S Q_c(beta_S) subject to X beta = y.

    Damped Newton steps on the dual, beta = c sinh(2 X^T nu): with a step of log(1 + delta) / delta, delta the largest
    change of 2 X^T nu that a full one would make, the dual falls each time, however small c is.

    Args:
        X: characters at the n patterns, of rank n.
        y: labels.
        c: (scale w)^2 / 2 of the weights w from which finetuning starts, positive.

    Returns:
        The coefficients, in float64.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, a c is not positive, or X has a smaller rank.

    Checked against gradient descent on both layers.
    """
    where = "finetuned_coefficients"
    _check_fit(where, X, y, c=c)
    _checks.require(bool((c > 0).all()), where, "c", "positive", c.min().item(), "Weights that are 0 learn nothing.")
    size = _checks.largest(y) or 1.0
    X, y, c = X.double(), y.double() / size, c.double() / size
    _checks.computed(where, y, c)
    u = torch.zeros_like(c)
    for _ in range(_MOST):
        rest = y - X @ (c * u.sinh())
        slopes = (X * (2 * c * u.cosh())) @ X.T
        factor, failed = torch.linalg.cholesky_ex(slopes)
        if failed or not _checks.is_finite(rest):
            break
        move = 2 * X.T @ torch.cholesky_solve(rest.unsqueeze(1), factor)[:, 0]
        delta = _checks.largest(move)
        if delta < 1e-10 or _checks.largest(rest) < 1e-12:
            beta = size * c * (u + move).sinh()
            _checks.computed(where, beta)
            return beta
        u = u + move * float(torch.tensor(delta, dtype=torch.float64).log1p()) / delta
    remedy = "Choose a c that is larger against the labels, or of more equal entries."
    _checks.require(False, where, "the fit", "found in double precision", f"c from {c.min().item() * size:.1e}", remedy)
    return u


def joint_coefficients(
    X: Float[Tensor, "n S"], y: Float[Tensor, " n"], strength: Float[Tensor, " S"]
) -> Float[Tensor, " S"]:
    """Training jointly with weight decay: argmin sum_S sqrt(strength_S + beta_S^2) subject to X beta = y.

    The other tasks keep their coefficients, of these strengths. It is a path norm, with the others' heads held.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, a strength is negative, or X has a smaller rank.

    Checked against a general-purpose solver.
    """
    where = "joint_coefficients"
    _check_fit(where, X, y, strength=strength)
    _checks.require(
        bool((strength >= 0).all()), where, "strength", "non-negative", strength.min().item(), "Sum squares."
    )
    if not bool(y.any()):
        return torch.zeros_like(strength, dtype=torch.float64)
    X, y, strength = X.double(), y.double(), strength.double()
    gamma = path_norm_weights(X, y.outer(y), held=strength)
    return kernel_heads(X, gamma, y.unsqueeze(0))[0]


def _check_fit(where: str, X: Tensor, y: Tensor, **named: Tensor) -> None:
    """Refuse patterns, labels and numbers of the characters that do not fit together, and patterns named twice."""
    _checks.tensors(where, X=X, y=y, **named)
    sizes = _checks.shape(where, "X", X, "n S")
    _checks.shape(where, "y", y, "n", **sizes)
    for name, value in named.items():
        _checks.shape(where, name, value, "S", **sizes)
    rank, n = int(torch.linalg.matrix_rank(X)), sizes["n"]
    _checks.require(rank == n, where, "the rank of X", str(n), str(rank), "Name each pattern once.")
