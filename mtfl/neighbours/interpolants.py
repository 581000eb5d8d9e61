"""Fitting several tasks with the least path norm: a kernel method, and on a line a game of connecting the dots.

Heads A (T, m) on fixed features Phi (n, m) fit labels Y (T, n), Phi A^T = Y^T, with the least sum over neurons of the
length of their column of A. As |a| = min (|a|^2 / g + g) / 2 over g > 0, this norm is the minimum over weights
gamma >= 0 of (tr(Y G^-1 Y^T) + sum gamma) / 2, with G = Phi diag(gamma) Phi^T: the tasks enter by Y^T Y / T alone, the
task kernel at the points, and each head is the least-norm interpolant of the kernel sum_k gamma_k phi_k(x) phi_k(x').
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtfl import _checks
from mtfl.metrics import lengths

_LEVELS = 8  # of the barrier, a factor of ten apart; lower ones would lose digits of 1 - |L^T phi|^2
_UNKNOWNS = 1000  # of the dual: a Newton step solves as many equations
_MOST = 100  # Newton steps at each; some five are usual


def path_norm_weights(
    Phi: Float[Tensor, "n m"], kernel: Float[Tensor, "n n"], *, held: Float[Tensor, " m"] | None = None
) -> Float[Tensor, " m"]:
    """The weights gamma >= 0 that minimise (tr(kernel G^-1) + sum_k gamma_k + sum_k held_k / gamma_k) / 2.

    Newton steps on the dual, before whose constraints |L^T phi_k| <= 1 stands a barrier that is lowered until the two
    problems are closer than a 10^5th of the norm. For kernel = Y^T Y the minimum is the path norm, and gamma are the
    lengths of the columns of the heads; for a kernel c times as large gamma is sqrt(c) times as large. Where there are
    several minimisers it ends between them.

    Args:
        Phi: features at the points, of rank n.
        kernel: of the tasks at the points, positive semidefinite and not 0.
        held: squares of the entries of further heads that stay as they are.

    Returns:
        The weights, in float64.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, Phi has a smaller rank, the kernel is none, or n times
            its rank is above 1000.

    Checked against linear programs for one task, and against scikit-learn's group lasso for several.
    """
    where = "path_norm_weights"
    _checks.tensors(where, Phi=Phi, kernel=kernel)
    n, m = _checks.shape(where, "Phi", Phi, "n m").values()
    _checks.shape(where, "kernel", kernel, "n L", n=n, L=n)
    _checks.room(where, m, m)
    S, size = kernel.detach().double(), _checks.largest(kernel)
    _checks.require(size > 0, where, "kernel", "other than 0", size, "Some task must have a label that is not 0.")
    S = S / size
    values, vectors = torch.linalg.eigh((S + S.T) / 2)
    ok = bool((S - S.T).abs().max() <= 1e-6) and float(values[0]) >= -1e-6 * n
    got, remedy = f"the eigenvalue {float(values[0]):.1e} or no symmetry", "Pass Y.T @ Y, or a limit of it."
    _checks.require(ok, where, "kernel", "symmetric and positive semidefinite", got, remedy)
    P, unit = Phi.detach().double(), _checks.largest(Phi)
    P = P / (unit or 1.0)
    kept = values > 1e-12 * n
    unknowns, rule, remedy = n * int(kept.sum()), f"at most {_UNKNOWNS}", "Leave out points or tasks."
    _checks.require(unknowns <= _UNKNOWNS, where, "n times the rank of the kernel", rule, unknowns, remedy)
    rank, remedy = int(torch.linalg.matrix_rank(P, rtol=1e-9)), "Leave out points that others decide, or add neurons."
    _checks.require(rank == n, where, "the rank of Phi", str(n), str(rank), remedy)
    unit, root = size**0.5 / unit, torch.zeros(m, dtype=torch.float64)
    if held is not None:
        _checks.tensors(where, Phi=Phi, held=held)
        _checks.shape(where, "held", held, "m", m=m)
        _checks.require(bool((held >= 0).all()), where, "held", "non-negative", held.min().item(), "They are squares.")
        root = held.detach().double().sqrt() / unit
    _checks.computed(where, unit, root)
    gamma = unit * _barrier(P, values[kept].sqrt() * vectors[:, kept], root)
    _checks.computed(where, gamma)
    return gamma


def _barrier(P: Tensor, Z: Tensor, held: Tensor) -> Tensor:
    """The weights for features and a kernel Z Z^T of entries up to 1; lengths are held."""
    n, R = Z.shape
    L, eye = torch.zeros_like(Z), torch.eye(R, dtype=torch.float64)

    def value(L: Tensor, barrier: float) -> float:
        room = 1 - (P.T @ L).square().sum(1)
        inside = bool((room > 0).all())
        return float(-(L * Z).sum() - held @ room.sqrt() - barrier * room.log().sum()) if inside else math.inf

    def newton(L: Tensor, barrier: float) -> tuple[Tensor, Tensor, float]:
        """The weights that belong to L, a step, and by how much the value falls along it."""
        p = P.T @ L
        room = 1 - p.square().sum(1)
        gamma = held / room.sqrt() + 2 * barrier / room
        bent = held / room**1.5 + 4 * barrier / room**2  # what gamma changes by, along p
        rest = (Z - P @ (gamma[:, None] * p)).flatten()
        blocks = gamma[:, None, None] * eye + bent[:, None, None] * p[:, :, None] * p[:, None]
        curved = torch.einsum("ik,jk,kab->iajb", P, P, blocks).reshape(n * R, n * R)
        move, failed = torch.linalg.solve_ex(curved, rest)
        found = not failed and _checks.is_finite(move)
        remedy = "Scale features to similar sizes, or leave out points that nearly coincide."
        _checks.require(found, "path_norm_weights", "the problem", "solvable in double precision", "no step", remedy)
        return gamma, move.view(n, R), float(move @ rest)

    barrier = float((torch.linalg.pinv(P) @ Z).norm(dim=1).mean())
    for _ in range(_LEVELS):
        for _ in range(_MOST):
            _, move, slope = newton(L, barrier)
            if slope < 0.01 * barrier:
                break
            size, before = 1.0, value(L, barrier)
            while value(L + size * move, barrier) > before - 0.1 * size * slope and size > 1e-6:
                size *= 0.5
            L = L + size * move
        barrier *= 0.1
    for _ in range(2):  # full steps, which rounding ends, and may lead across the border
        further = L + newton(L, 10 * barrier)[1]
        L = further if value(further, barrier) < math.inf else L
    return newton(L, 10 * barrier)[0]


def kernel_heads(
    Phi: Float[Tensor, "n m"], gamma: Float[Tensor, " m"], Y: Float[Tensor, "T n"]
) -> Float[Tensor, "T m"]:
    """The heads whose functions are the least-norm interpolants of Y of the kernel sum_k gamma_k phi_k(x) phi_k(x').

    They are Y G^-1 Phi diag(gamma), with G = Phi diag(gamma) Phi^T; on new inputs their functions are Phi_new A^T.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, a weight is negative, or G is singular.

    Checked against the pseudo-inverse of Phi diag(sqrt(gamma)).
    """
    where = "kernel_heads"
    _checks.tensors(where, Phi=Phi, gamma=gamma, Y=Y)
    sizes = _checks.shape(where, "Phi", Phi, "n m")
    _checks.shape(where, "gamma", gamma, "m", **sizes)
    _checks.shape(where, "Y", Y, "T n", n=sizes["n"])
    _checks.require(bool((gamma >= 0).all()), where, "gamma", "non-negative", gamma.min().item(), "They are lengths.")
    root = gamma.sqrt() * Phi
    rank = int(torch.linalg.matrix_rank(root)) if bool(root.isfinite().all()) else 0
    remedy = "Give more neurons a weight."
    _checks.require(rank == sizes["n"], where, "the rank of G", str(sizes["n"]), str(rank), remedy)
    A = torch.linalg.lstsq(root, Y.T, driver="gelsd").solution.T * gamma.sqrt()
    _checks.computed(where, A)
    return A


def slope_changes(points: Float[Tensor, " n"], Y: Float[Tensor, "T n"]) -> Float[Tensor, "T n-2"]:
    """By how much the slopes of the lines between neighbouring dots change, at each point but the first and the last.

    Args:
        points: increasing, at least three.
        Y: labels of T tasks there.

    Raises:
        TypeError, ValueError: if points do not increase, are fewer than three, or shapes or dtypes do not fit.
    """
    where = "slope_changes"
    _check_points(where, points, Y)
    changes = (Y.diff(dim=1) / points.diff()).diff(dim=1)
    _checks.computed(where, changes)
    return changes


def ambiguous_gaps(points: Float[Tensor, " n"], Y: Float[Tensor, "T n"]) -> Bool[Tensor, " n-3"]:
    """In which gaps between inner points least-norm interpolants differ: the slope changes at both ends are parallel.

    More exactly, both are not 0 and one is a positive multiple of the other, to ten digits.

    Raises:
        TypeError, ValueError: as :func:`slope_changes`.

    Checked against linear programs and against the enumeration of all labels of few points.
    """
    changes = slope_changes(points, Y).T.double()
    sizes = lengths(changes)[:, None]
    units = changes / torch.where(sizes > 0, sizes, 1) * (sizes > 1e-12 * sizes.max())
    return (units[1:] * units[:-1]).sum(1) > 1 - 1e-10


def hats(points: Float[Tensor, " n"], kinks: Float[Tensor, " m"]) -> Float[Tensor, "n-2 m"]:
    """What a kink changes at the dots: the hat functions of the inner points, at the places of the kinks.

    A function with slope changes v_k at the kinks and any line added passes through the dots if and only if
    ``hats(points, kinks) @ v`` are the dots' :func:`slope_changes`. So least sums of |v_k| are path norms, with these
    features and slope changes for labels.

    Raises:
        TypeError, ValueError: if points do not increase or are fewer than three, or dtypes differ.
    """
    where = "hats"
    _checks.tensors(where, points=points, kinks=kinks)
    _check_points(where, points, points.unsqueeze(0))
    _checks.shape(where, "kinks", kinks, "m")
    _checks.room(where, len(points), len(kinks))
    left, middle, right = (points[i : len(points) - 2 + i, None] for i in range(3))
    H = torch.minimum((kinks - left) / (middle - left), (right - kinks) / (right - middle)).clamp(min=0)
    _checks.computed(where, H)
    return H


def _check_points(where: str, points: Tensor, Y: Tensor) -> None:
    """Refuse dots whose places do not increase, or are fewer than three."""
    _checks.tensors(where, points=points, Y=Y)
    n = _checks.shape(where, "points", points, "n")["n"]
    _checks.require(n >= 3, where, "points", "at least three", n, "Two dots make one line.")
    least = points.diff().min().item()
    _checks.require(least > 0, where, "points", "increasing", f"a step of {least:g}", "Sort them; leave out doubles.")
    _checks.shape(where, "Y", Y, "T n", n=n)
