"""Activations other than the ReLU: their Hermite coefficients, which decide what a step learns, and the step itself.

For Gaussian inputs a neuron w sees s = w . x, a normal variable of size |w|. All that a first step depends on, to any
order in the neuron's part inside the subspace, are the coefficients

    c_k = E[psi(|w| xi) He_k(xi)],    xi ~ N(0, 1),

with He_k the Hermite polynomials 1, u, u^2 - 1, u^3 - 3 u, ...
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mtfl import _checks
from mtfl.inputs import InputLaw
from mtfl.one_step import step_on_batches

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": torch.relu,
    "leaky ReLU": lambda s: functional.leaky_relu(s, 0.1),
    "GELU": functional.gelu,
    "SiLU": functional.silu,
    "softplus": functional.softplus,
    "ELU": functional.elu,
    "tanh": torch.tanh,
    "identity": lambda s: s,
    "absolute value": torch.abs,
    "cosine": torch.cos,
}
"""Ten activations by name; leaky ReLU has the slope 0.1 for s < 0."""

_RULES = ((13.0, 160), (12.0, 120))  # reach, as exp(-13^2 / 2) is 2e-37, and nodes on either side of 0
_PRECISION = 1e-9  # to which the two rules agree, in units of E|psi| times the size of He_k


def hermite_coefficients(
    activation: Callable[[Tensor], Tensor], count: int, *, scale: float = 1.0
) -> Float[Tensor, " count"]:
    """The first Hermite coefficients c_0, c_1, ... of s -> activation(s) at s = scale xi.

    Args:
        activation: works on arrays, entry by entry; smooth but for a kink at 0, and of moderate growth, so that rules
            with 120 and 160 nodes on each side of 0 agree.
        count: how many.
        scale: |w|.

    Raises:
        TypeError: if the count is no integer, or the activation does not work on arrays.
        ValueError: if count < 1 or above 100, the scale is not positive, or the two rules do not agree.

    Checked against adaptive quadrature and closed forms.
    """
    where = "hermite_coefficients"
    _checks.activation(where, activation)
    _checks.integer(where, "count", count, least=1, most=100)
    _checks.number(where, "scale", scale)
    found, coarse = (_integrals(where, activation, count, scale, *rule) for rule in _RULES)
    sizes = torch.lgamma(torch.arange(1, count + 1, dtype=torch.float64)).div(2).exp()  # of He_k, root mean square
    size = float(_integrals(where, lambda s: activation(s).abs(), 1, scale, *_RULES[0]))
    off = _checks.largest((found - coarse) / sizes)
    rule, remedy = "smooth but for a kink at 0 and of moderate growth, at this scale", "Choose a smaller scale."
    got = f"two rules that differ by {off:.1e}"
    _checks.require(off <= _PRECISION * size, where, "activation", rule, got, remedy)
    return found


_legendre = lru_cache(maxsize=len(_RULES))(np.polynomial.legendre.leggauss)


def _integrals(
    where: str, activation: Callable[[Tensor], Tensor], count: int, scale: float, reach: float, nodes: int
) -> Tensor:
    """The coefficients by Gauss and Legendre's rule on either side of 0."""
    points, weights = _legendre(nodes)
    half = torch.from_numpy(reach / 2 * (points + 1))
    xi = torch.cat([-half, half])
    weight = torch.from_numpy(reach / 2 * np.tile(weights, 2)) * (-xi.square() / 2).exp() / math.sqrt(2 * math.pi)
    values, found = activation(scale * xi) * weight, []
    before, polynomial = torch.zeros_like(xi), torch.ones_like(xi)
    for k in range(count):
        found.append((values * polynomial).sum())
        before, polynomial = polynomial, xi * polynomial - k * before
    _checks.computed(where, torch.stack(found))
    return torch.stack(found)


@torch.inference_mode(False)
@torch.enable_grad()
def activation_step(
    W: Float[Tensor, "m d"],
    inputs: InputLaw,
    kernel: Float[Tensor, "K K"],
    activation: Callable[[Tensor], Tensor],
    *,
    batch_size: int,
    generator: torch.Generator,
) -> Float[Tensor, "m d"]:
    """:func:`mtfl.one_step.contrastive_step` for neurons with any activation; for the ReLU it is the same.

    The derivative of the activation comes from automatic differentiation, which makes it a little slower.

    Raises:
        TypeError: if dtypes or devices differ, or the activation does not work on arrays.
        ValueError: if shapes do not fit, an entry is not finite, or batch_size < 1.

    Checked against contrastive_step, and against two stages of autograd, task by task.
    """
    where = "activation_step"
    _checks.tensors(where, W=W)
    _checks.activation(where, activation, W.dtype, differentiable=True)

    def features(X: Tensor) -> Tensor:
        return activation(X @ W.T)

    def pull(X: Tensor, pulls: Tensor) -> Tensor:
        free = W.detach().clone().requires_grad_()
        return torch.autograd.grad((pulls * activation(X @ free.T)).sum(), free)[0]

    return step_on_batches(where, W, inputs, kernel, features, pull, batch_size, generator)
