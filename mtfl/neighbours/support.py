"""Support: which coordinates of the input the labels depend on, where features lie along coordinates."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtfl import _checks


def correlation_scores(
    X: Float[Tensor, "n d"], patterns: Int[Tensor, " n"], kernel: Float[Tensor, "K K"]
) -> Float[Tensor, " d"]:
    """For each coordinate the mean over tasks of (mean_i y_i x_ij)^2, all tasks on the same inputs.

    Args:
        X: inputs.
        patterns: their pattern numbers.
        kernel: the task kernel.

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, or a pattern has no row in the kernel.
    """
    where = "correlation_scores"
    _checks.tensors(where, X=X, kernel=kernel)
    sizes = _checks.shape(where, "X", X, "n d")
    K = _checks.shape(where, "kernel", kernel, "K K")["K"]
    _checks.patterns(where, patterns, sizes["n"], K)
    means = torch.zeros(K, sizes["d"], dtype=X.dtype).index_add(0, patterns, X) / sizes["n"]
    found = ((kernel @ means) * means).sum(0)
    _checks.computed(where, found)
    return found


def inputs_for_support(d: int, r: int, failure: float) -> int:
    """So many shared inputs show the support of infinitely many balanced tasks by their correlations.

    Args:
        d: input dimension.
        r: number of features, up to 28.
        failure: the probability that is left for another outcome, from 10^-12 to 1.

    Raises:
        TypeError, ValueError: if one is not.
    """
    _checks.dimensions("inputs_for_support", d, r)
    _checks.features("inputs_for_support", r)
    _checks.integer("inputs_for_support", "d", d, least=1)
    _checks.between("inputs_for_support", "failure", failure, 1e-12, 1.0)
    tail = math.sqrt(2 * math.log(d / failure))
    return math.ceil(math.pi / 2 * (tail + math.sqrt(2**r - 1) * (1 + tail)) ** 2)
