"""What one exact step on a single task teaches: the numbers of the atlas.

A layer of infinitely many neurons takes one representation step on one task, with infinitely many inputs, from zero
heads and biases and rows N(0, I_d / d), with |w - M v|^2 at its mean 1 - r/d. Then the energy is E|inside|^2 over
E|inside|^2 + E|outside|^2, and the singular values of the step inside the subspace are the square roots of the
eigenvalues of E[inside inside^T], up to a common factor. The mean over v ~ N(0, I_r / d) is a Gauss-Hermite rule.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtfl import _checks
from mtfl.moments import pattern_moments
from mtfl.tasks import pattern_signs

ENERGY, EVENNESS = 0.5, 0.3
"""A direction counts as learned when energy is at least the first and its singular value at least the second times the
largest. All r features are learned when all r directions are: energy >= 0.5 and sigma_r / sigma_1 >= 0.3."""

_POINTS_UP_TO_FOUR, _POINTS_BEYOND = 5, 3  # nodes an axis; exact for polynomials of degree 9 and 5 in each v_i
_CHUNK = 2**24  # numbers in a work array
_NOTHING = 1e-24  # mean square of a step that is rounding error


class SingleTaskSteps(NamedTuple):
    """One step on each task alone.

    Args:
        energy: share of the step inside the subspace; 0 where the task moves nothing.
        values: singular values of the step inside, largest first, over the largest; 0 where nothing moves inside.
        size: root mean square over neurons of the step, |inside| and |outside| together, for kappa^2 eta_a = 1.
    """

    energy: Float[Tensor, " N"]
    values: Float[Tensor, "N r"]
    size: Float[Tensor, " N"]

    @property
    def conditioning(self) -> Float[Tensor, " N"]:
        """sigma_r / sigma_1."""
        return self.values[:, -1]

    @property
    def directions(self) -> Int64[Tensor, " N"]:
        """How many of the r directions are learned: none below energy 0.5, else those within 0.3 of the largest."""
        return (self.values >= EVENNESS).sum(1) * (self.energy >= ENERGY)


def single_task_steps(F: Float[Tensor, "N K"], d: int, *, matched_decay: bool = False) -> SingleTaskSteps:
    """What one exact step teaches on each task of the table F, each trained alone.

    Args:
        F: tasks, one a row.
        d: input dimension.
        matched_decay: take off the weight decay kappa^2 eta_a f0^2 / 2 pi, made for each task, that cancels the growth
            of every neuron in its own direction.

    Raises:
        TypeError: if F is no floating-point tensor, or d no integer.
        ValueError: if F is no table of signs, or d is at most r.

    Checked against :func:`mtfl.population.population_step` on many random neurons.
    """
    where = "single_task_steps"
    r = _checks.table(where, F)
    _checks.dimensions(where, d, r)
    K, F = 2**r, F.detach().cpu().double()
    V, weights = _gauss_hermite(r, d)
    tau = torch.full_like(weights, math.sqrt(1 - r / d))
    moments = pattern_moments(V, tau, torch.zeros_like(tau))
    signed = (moments.first * pattern_signs(r)).permute(1, 0, 2).reshape(K, -1) / K
    decay = F.mean(1, keepdim=True) ** 2 / (2 * math.pi) * matched_decay
    inside, outside = [], []
    for f, rate in zip(*(x.split(max(1, _CHUNK // V.numel())) for x in (F, decay)), strict=True):
        alpha = f @ moments.mean.T / K
        step = alpha[:, :, None] * (f @ signed).reshape(len(f), -1, r) - rate[:, :, None] * V
        step *= weights.sqrt()[:, None]
        inside.append(step.mT @ step)
        outside.append((alpha * (f @ moments.density.T / K) - rate) ** 2 @ (weights * tau**2))
    squares = torch.linalg.eigvalsh(torch.cat(inside)).clamp(min=0).flip(1)
    inner = squares.sum(1)
    total = inner + torch.cat(outside)
    energy = torch.where(total > _NOTHING, inner / total, 0.0)
    moves = (inner > _NOTHING) & (energy > 0)
    values = torch.where(moves[:, None], (squares / squares[:, :1]).sqrt(), 0.0)
    return SingleTaskSteps(energy, values, total.sqrt())


def _gauss_hermite(r: int, d: int) -> tuple[Tensor, Tensor]:
    """Points v and weights of a product rule for N(0, I_r / d)."""
    points, weights = np.polynomial.hermite_e.hermegauss(_POINTS_UP_TO_FOUR if r <= 4 else _POINTS_BEYOND)
    axes = np.meshgrid(*[points / math.sqrt(d)] * r, indexing="ij")
    masses = np.meshgrid(*[weights / weights.sum()] * r, indexing="ij")
    V = np.stack([axis.ravel() for axis in axes], 1)
    return torch.from_numpy(V), torch.from_numpy(np.prod([mass.ravel() for mass in masses], axis=0))
