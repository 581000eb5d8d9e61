"""What checks of several chapters draw, average over and measure."""

from __future__ import annotations

from collections.abc import Callable

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


def relative(found: Tensor, expected: Tensor) -> float:
    """Distance of two arrays as vectors, over the length of the second."""
    return float((found - expected).norm() / expected.norm())


def largest(*errors: Tensor) -> float:
    """The largest absolute value in any of some tensors."""
    return max(float(error.detach().abs().max()) for error in errors if error.numel())


def two_stages(
    W: Tensor, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], unit: Callable[[Tensor], Tensor]
) -> Tensor:
    """Minus the gradient in W of the hinge loss after one small head step, over eta_a, both by autograd."""
    (X1, Y1), (X2, Y2), step = first, second, 1e-3
    zero = torch.zeros(len(Y1), len(W), dtype=torch.float64, requires_grad=True)
    losses = (1 - Y1 * (zero @ unit(X1 @ W.T).T)).clamp(min=0).mean(1)
    heads = -step * torch.autograd.grad(losses.sum(), zero)[0]
    W = W.clone().requires_grad_()
    loss = (1 - Y2 * (heads @ unit(X2 @ W.T).T)).clamp(min=0).mean()
    return -torch.autograd.grad(loss, W)[0] / step
