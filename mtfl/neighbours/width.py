"""Width as capacity: what a narrow shared layer takes, what it costs a new task, and which features emerge first.

A linear layer of R features and least-squares heads keeps the R leading eigenvectors of <fhat_1 fhat_1^T>; a head
that is fitted to n examples pays for each of them.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.tasks import degree_one, walsh_coefficients


def effective_covariance(F: Float[Tensor, "T K"]) -> Float[Tensor, "r r"]:
    """The mean <fhat_1 fhat_1^T> over a table of tasks, whose eigenvectors a narrow layer takes in their order.

    Raises:
        TypeError, ValueError: as :func:`mtfl.tasks.walsh_coefficients`.
    """
    _checks.features("effective_covariance", _checks.table("effective_covariance", F), arrays=2)
    f1 = degree_one(walsh_coefficients(F))
    return f1.T @ f1 / len(F)


def unexplained(F: Float[Tensor, "T K"], U: Float[Tensor, "r R"]) -> Float[Tensor, "T R+1"]:
    """What is left of each task's label, in the mean square, by the best head on the first 0 ... R features U^T M^T x.

    It is 1 - (2/pi) |U^T fhat_1|^2 for labels of -1 and +1, as E[y M^T x] = sqrt(2/pi) fhat_1.

    Args:
        F: the tasks.
        U: (r, R) orthonormal columns, in the order in which they are taken; R may be r.

    Raises:
        TypeError, ValueError: if dtypes or shapes do not fit, labels are no signs, or U is not orthonormal.

    Checked against least squares on sampled inputs.
    """
    where = "unexplained"
    _checks.tensors(where, F=F, U=U)
    r = _checks.table(where, F)
    _checks.features(where, r, arrays=2)
    _checks.signs(where, "F", F)
    _checks.shape(where, "U", U, "r R", r=r)
    _checks.orthonormal(where, "U", U)
    gains = 2 / math.pi * (degree_one(walsh_coefficients(F)) @ U).square()
    return torch.cat([torch.ones_like(gains[:, :1]), 1 - gains.cumsum(1)], 1)


def few_shot_risk(left: Float[Tensor, "*tasks widths"], examples: int) -> Float[Tensor, "*tasks widths"]:
    """Mean squared error on new inputs of heads fitted to few examples, on 0 ... R features.

    It is left (1 + R / (n - R - 1)), exact where what the features leave is independent of them.

    Args:
        left: mean squares that the features leave, as of :func:`unexplained`; the last axis is the number of features.
        examples: n, larger than R + 1.

    Raises:
        TypeError, ValueError: if left is no array of numbers from 0 on, or there are too few examples.

    Checked against fitted heads.
    """
    where = "few_shot_risk"
    _checks.tensors(where, left=left)
    _checks.require(left.ndim >= 1 and left.numel() > 0, where, "left", "non-empty", tuple(left.shape), "Give numbers.")
    _checks.require(bool((left >= 0).all()), where, "left", "non-negative", left.min().item(), "Pass mean squares.")
    R = left.shape[-1] - 1
    _checks.integer(where, "examples", examples, least=R + 2)
    widths = torch.arange(R + 1).to(left)
    risk = left * ((examples - 1) / (examples - widths - 1))
    _checks.computed(where, risk)
    return risk


def emergence(rates: Float[Tensor, " r"], factor: float) -> Float[Tensor, " r"]:
    """After how many rounds features have grown by a factor, while heads are small and tasks odd; a real number.

    By the closed form of the population flow a feature of rate gamma p has grown by cosh((k + 1/2) beta) /
    cosh(beta / 2) after k rounds, with 2 cosh(beta) = 2 + gamma p. For small rates k is arcosh(factor) / sqrt(rate).

    Args:
        rates: growth constant times frequency of each feature's tasks, positive.
        factor: at least 1.

    Raises:
        TypeError, ValueError: if a rate is not positive or the factor below 1.

    Checked against :func:`mtfl.population.population_flow`.
    """
    where = "emergence"
    _checks.tensors(where, rates=rates)
    _checks.shape(where, "rates", rates, "r")
    _checks.require(bool((rates > 0).all()), where, "rates", "positive", rates.min().item(), "Leave out the others.")
    _checks.number(where, "factor", factor)
    _checks.require(factor >= 1, where, "factor", "at least 1", factor, "Features only grow.")
    beta = 2 * (rates.sqrt() / 2).asinh()
    excess = torch.full_like(beta, math.sqrt((factor - 1) / 2))  # arcosh(1 + 2 x^2) is 2 arsinh(x), with all its digits
    rounds = 2 * torch.hypot(excess, math.sqrt(factor) * (beta / 4).sinh()).asinh() / beta - 0.5
    _checks.computed(where, rounds)
    return rounds
