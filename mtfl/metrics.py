"""How much of the subspace a first layer has learned.

All take W (m, d), one neuron a row, and the subspace M (d, r) with orthonormal columns. V = W M (m, r) are the
features that the neurons carry. Energy alone is not enough (one direction can hold it all), conditioning alone
is not either (random weights are well conditioned): a representation has recovered the subspace when both are
near 1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks


def carries(where: str, W: Tensor, M: Tensor) -> None:
    """W is a first layer that can carry the subspace M, and is not zero."""
    _checks.tensors(where, W=W, M=M)
    d, r = _checks.subspace(where, M)
    m = _checks.shape(where, "W", W, "m d", d=d)["m"]
    remedy = "With fewer neurons than features the subspace cannot be carried; use more."
    _checks.require(m >= r, where, "the number of neurons", f"at least r = {r}", m, remedy)
    _largest(where, W)


def _largest(where: str, W: Tensor) -> float:
    largest = _checks.largest(W)
    _checks.require(largest > 0, where, "W", "nonzero", "all zeros", "Zero weights carry no direction to measure.")
    return largest


def _inside(where: str, W: Tensor, M: Tensor) -> tuple[float, Tensor]:
    """The energy ratio, and W M up to a positive factor."""
    W = W.detach() / _largest(where, W)  # squares neither overflow nor vanish
    V = W @ M.detach()
    return min(float(V.square().sum() / W.square_().sum()), 1.0), V  # rounding may lift it above


def _evenness(where: str, energy: float, V: Tensor) -> float:
    rounding, remedy = 10 * torch.finfo(V.dtype).eps, "The neurons have no part in the subspace."
    _checks.require(energy > rounding**2, where, "W M", "nonzero", "zero but for rounding", remedy)
    values = torch.linalg.svdvals(V).tolist()
    return values[-1] / values[0]


def lengths(X: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows"]:
    """Norms of rows, without checks, of any size: squares neither overflow nor vanish."""
    largest = X.abs().amax(-1, keepdim=True)
    scale = torch.where(largest > 0, largest, 1)
    return (X / scale).norm(dim=-1) * scale.squeeze(-1)


def measured(where: str, W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> tuple[float, float]:
    """:func:`energy_ratio` and :func:`conditioning` of finite weights; W and M are otherwise taken without checks."""
    energy, V = _inside(where, W, M)
    return energy, _evenness(where, energy, V)


def energy_ratio(W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> float:
    """Share of the weights' squared Frobenius norm inside the subspace, |W M|_F^2 / |W|_F^2, in [0, 1].

    Random weights have r/d in expectation; weights in the span of M have 1.

    Raises:
        TypeError: if W and M differ in dtype or device.
        ValueError: if W is all zeros or not finite, M is not orthonormal, or the shapes do not fit.
    """
    carries("energy_ratio", W, M)
    return _inside("energy_ratio", W, M)[0]


def conditioning(W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> float:
    """sigma_r / sigma_1 of V = W M, in [0, 1]: 1 when all r features are carried equally, 0 when one is lost.

    Raises:
        TypeError, ValueError: as :func:`energy_ratio`. Also ValueError if W M is zero, but for rounding.
    """
    carries("conditioning", W, M)
    return measured("conditioning", W, M)[1]


def principal_angles(W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> Float[Tensor, " r"]:
    """Angles in radians, increasing, between span(M) and the span of W's r leading right singular vectors.

    Computed from sines and cosines both, so that small angles keep their digits (Bjorck and Golub, 1973).

    Raises:
        TypeError, ValueError: as :func:`energy_ratio`. Also ValueError if the rank of W is below r.
    """
    where = "principal_angles"
    carries(where, W, M)
    r = M.shape[1]
    _, values, Vh = torch.linalg.svd(W, full_matrices=False)
    rank = int((values > values[0] * max(W.shape) * torch.finfo(W.dtype).eps).sum())
    _checks.require(
        rank >= r, where, "the rank of W", f"at least r = {r}", rank, "Its row space must hold r directions."
    )
    Q = Vh[:r].T
    cosines = torch.linalg.svdvals(M.T @ Q)
    sines = torch.linalg.svdvals(Q - M @ (M.T @ Q)).flip(0)
    return torch.where(cosines > sines, torch.asin(sines), torch.acos(cosines))  # each is far from 1 where it is taken


class Recovery(NamedTuple):
    """Energy and conditioning of one layer, or of many (leading axes)."""

    energy: Float[Tensor, "*layers"]
    conditioning: Float[Tensor, "*layers"]


def recovery(inside: Float[Tensor, "*layers m r"], outside: Float[Tensor, "*layers m"]) -> Recovery:
    """Energy and conditioning of layers known by their coordinates: :func:`energy_ratio` and :func:`conditioning`.

    Args:
        inside: V = W M, the rows' coordinates in the subspace, m >= r.
        outside: norms (signs do not matter) of the rows' parts outside.

    Returns:
        Both numbers for each layer. A layer whose coordinates are all zero has learned nothing: both are 0.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if the shapes do not fit, an entry is not finite, or there are fewer neurons than features.
    """
    where = "recovery"
    _checks.tensors(where, inside=inside, outside=outside)
    fits = inside.ndim >= 2 and inside.shape[:-1] == outside.shape and inside.shape[-2] >= inside.shape[-1] >= 1
    rule, remedy = "of shapes (..., m, r) with m >= r and (..., m)", "Give each neuron a row and one norm."
    _checks.require(fits, where, "inside and outside", rule, f"{tuple(inside.shape)}, {tuple(outside.shape)}", remedy)
    scale = inside.abs().amax((-2, -1)).maximum(outside.abs().amax(-1))
    scale = torch.where(scale > 0, scale, 1)
    values = torch.linalg.svdvals(inside / scale[..., None, None])
    total = values.square().sum(-1) + (outside / scale[..., None]).square().sum(-1)
    energy = values.square().sum(-1) / torch.where(total > 0, total, 1)
    return Recovery(energy, values[..., -1] / torch.where(values[..., 0] > 0, values[..., 0], 1))
