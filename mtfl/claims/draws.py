"""What checks of several chapters draw, average over and measure."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtfl.claims.registry import Evidence
from mtfl.tasks import all_tasks


def normal(*shape: int, generator: torch.Generator) -> Tensor:
    """Independent standard normals in double precision."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def balanced_tasks(r: int) -> Tensor:
    """All balanced tasks on r features, one a row."""
    F = all_tasks(r)
    return F[F.sum(1) == 0]


def gauss_hermite(r: int, count: int) -> tuple[Tensor, Tensor]:
    """Points (count^r, r) and weights of means over N(0, I_r): exact for degrees below 2 count in each coordinate."""
    nodes, weights = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(count))
    return torch.cartesian_prod(*[nodes] * r), torch.cartesian_prod(*[weights / weights.sum()] * r).prod(1)


def off(what: str, measured: float | Tensor, stated: float | Tensor, bound: float) -> Evidence:
    """Largest relative distance of measured from stated numbers."""
    error = torch.as_tensor(measured).double() / torch.as_tensor(stated).double() - 1
    return Evidence(what, largest(error), "at most", bound)


def largest(*errors: Tensor) -> float:
    """The largest absolute value in any of some tensors."""
    return max(float(error.detach().abs().max()) for error in errors if error.numel())
