"""How much of the subspace a first layer has learned.

All take W (m, d), one neuron a row, and the subspace M (d, r) with orthonormal columns. V = W M (m, r) are the
features that the neurons carry. Energy alone is not enough (one direction can hold it all), conditioning alone
is not either (random weights are well conditioned): a representation has recovered the subspace when both are
near 1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks


def _checked(where: str, W: Tensor, M: Tensor) -> None:
    _checks.tensors(where, W=W, M=M)
    d, r = _checks.subspace(where, M)
    m = _checks.shape(where, "W", W, "m d", d=d)["m"]
    remedy = "With fewer neurons than features the subspace cannot be carried; use more."
    _checks.require(m >= r, where, "the number of neurons", f"at least r = {r}", m, remedy)
    nonzero = bool((W != 0).any())
    _checks.require(nonzero, where, "W", "nonzero", "all zeros", "Zero weights carry no direction to measure.")


def energy_ratio(W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> float:
    """Share of the weights' squared Frobenius norm inside the subspace, |W M|_F^2 / |W|_F^2, in [0, 1].

    Random weights have r/d in expectation; weights in the span of M have 1.

    Raises:
        TypeError: if W and M differ in dtype or device.
        ValueError: if W is all zeros or not finite, M is not orthonormal, or the shapes do not fit.
    """
    _checked("energy_ratio", W, M)
    W = W / W.abs().max()  # squares neither overflow nor vanish
    return float((W @ M).square().sum() / W.square().sum())


def conditioning(W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> float:
    """sigma_r / sigma_1 of V = W M, in [0, 1]: 1 when all r features are carried equally, 0 when one is lost.

    Raises:
        TypeError, ValueError: as :func:`energy_ratio`. Also ValueError if W M is zero.
    """
    _checked("conditioning", W, M)
    values = torch.linalg.svdvals(W @ M)
    remedy = "The neurons have no part in the subspace."
    _checks.require(bool(values[0] > 0), "conditioning", "W M", "nonzero", "all zeros", remedy)
    return float(values[-1] / values[0])


def principal_angles(W: Float[Tensor, "m d"], M: Float[Tensor, "d r"]) -> Float[Tensor, " r"]:
    """Angles in radians, increasing, between span(M) and the span of W's r leading right singular vectors.

    Computed from sines and cosines both, so that small angles keep their digits (Bjorck and Golub, 1973).

    Raises:
        TypeError, ValueError: as :func:`energy_ratio`. Also ValueError if the rank of W is below r.
    """
    where = "principal_angles"
    _checked(where, W, M)
    r = M.shape[1]
    _, values, Vh = torch.linalg.svd(W, full_matrices=False)
    rank = int((values > values[0] * max(W.shape) * torch.finfo(W.dtype).eps).sum())
    _checks.require(
        rank >= r, where, "the rank of W", f"at least r = {r}", rank, "Its row space must hold r directions."
    )
    Q = Vh[:r].T
    cosines = torch.linalg.svdvals(M.T @ Q).clamp(max=1)
    sines = torch.linalg.svdvals(Q - M @ (M.T @ Q)).clamp(max=1).flip(0)
    return torch.where(cosines > sines, torch.asin(sines), torch.acos(cosines))
