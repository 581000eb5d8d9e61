"""The first representation step alone, on sampled inputs, written with the task kernel.

Infinitely many tasks then cost no more than one. :func:`contrastive_step` takes the step on inputs in R^d;
:func:`sampled_steps` draws from the law of such steps at a cost that does not depend on d either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.contrastive import Anchors, pull_gradient
from mtfl.inputs import GaussianInputs, InputLaw
from mtfl.network import relu_features

_BLOCK = 2048  # inputs held at a time


def contrastive_step(
    W: Float[Tensor, "m d"],
    inputs: InputLaw,
    kernel: Float[Tensor, "K K"],
    *,
    batch_size: int,
    generator: torch.Generator,
) -> Float[Tensor, "m d"]:
    """The weights that one representation step learns: minus the gradient of the pseudo-contrastive loss at W.

    This is what :func:`mtfl.pretraining.pretrain` adds to W in its first round, divided by eta_w kappa^2 eta_a, as
    long as no margin reaches 1; the scale is 1 here. Batches are shared by the tasks: ``batch_size`` inputs for the
    heads, as many fresh ones for the representation. Memory is bounded; time is about 6 batch_size m d flops,
    whatever T.

    Args:
        W: initial weights; biases are zero.
        inputs: the law of x.
        kernel: ``task_kernel(F)`` for a table of tasks, ``limit_kernel(r, law)`` for infinitely many.
        batch_size: inputs in each of the two batches.
        generator: of the batches.

    Returns:
        An array like W. Energy and conditioning are measured on it as it is; add decay by adding a multiple of W.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if shapes do not fit, an entry is not finite, or batch_size < 1.

    Checked against the first round of pretrain and, for many inputs, against the population step.
    """

    def features(X: Tensor) -> Tensor:
        return relu_features(W, W.new_zeros(len(W)), X)

    def pull(X: Tensor, pulls: Tensor) -> Tensor:
        return -pull_gradient(W, W.new_zeros(len(W)), X, pulls)

    return step_on_batches("contrastive_step", W, inputs, kernel, features, pull, batch_size, generator)


def step_on_batches(
    where: str,
    W: Float[Tensor, "m d"],
    inputs: InputLaw,
    kernel: Float[Tensor, "K K"],
    features: Callable[[Tensor], Tensor],
    pull: Callable[[Tensor, Tensor], Tensor],
    batch_size: int,
    generator: torch.Generator,
) -> Float[Tensor, "m d"]:
    """:func:`contrastive_step` for any features: batches are drawn in blocks, and nothing else is held.

    Args:
        where: the function that takes the step, as errors name it.
        W: initial weights.
        inputs: the law of x.
        kernel: of the tasks.
        features: of inputs, (n, d) to (n, m).
        pull: of inputs X and pulls (n, m): the gradient in W of sum_i <pulls_i, features(X)_i>.
        batch_size: inputs in each of the two batches.
        generator: of the batches.
    """
    _checks.instance(where, "inputs", inputs, *get_args(InputLaw))
    _checks.features(where, inputs.r, arrays=2)
    _checks.tensors(where, W=W, M=inputs.M, kernel=kernel)
    _checks.shape(where, "W", W, "m d", d=inputs.d)
    _checks.shape(where, "kernel", kernel, "K L", K=2**inputs.r, L=2**inputs.r)
    _checks.integer(where, "batch_size", batch_size, least=1)
    _checks.generator(where, generator)
    sizes = [min(_BLOCK, batch_size - start) for start in range(0, batch_size, _BLOCK)]
    totals, learned = 0.0, torch.zeros_like(W)
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        totals = totals + Anchors.of(features(X), inputs.patterns(X), inputs.r).totals * (n / batch_size)
    targets = kernel @ totals
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        learned += pull(X, targets[inputs.patterns(X)] / batch_size)
    _checks.computed(where, learned)
    return learned


class SampledSteps(NamedTuple):
    """Steps of one layer under several kernels; see :func:`sampled_steps`.

    Args:
        start: initial weights in rotated coordinates, of which the first r span the subspace.
        learned: the step under each kernel, in the same coordinates.
    """

    start: Float[Tensor, "m D"]
    learned: Float[Tensor, "Q m D"]


def sampled_steps(
    m: int,
    d: int,
    kernels: Float[Tensor, "Q K K"],
    *,
    batch_size: int,
    generator: torch.Generator,
) -> SampledSteps:
    """Steps as :func:`contrastive_step` takes them from m rows N(0, I_d / d) on Gaussian inputs, in law, at any d.

    Rotations of R^d change neither the law of the inputs nor that of the rows. In coordinates whose first r axes span
    the subspace and whose next m axes span the rows' parts outside, only r + m coordinates of an input enter the
    features. The other d - r - m are independent noise: given the pulls P (n, m) of the inputs on the neurons, the
    step has P^T Z there with Z standard normal, which depends on P^T P alone. Both Gaussian matrices with many columns
    are drawn up to a rotation of the columns (Bartlett's decomposition). Time is about 8 batch_size m (r + m) flops
    for a kernel, and the batches are shared by the kernels.

    Args:
        m: neurons.
        d: input dimension.
        kernels: one or more of one size, as for :func:`contrastive_step`; their dtype is that of the result.
        batch_size: inputs in each of the two batches.
        generator: of everything.

    Returns:
        Initial weights and steps in D = r + 2 m coordinates, fewer where d is smaller. All that does not change under
        rotations that keep the subspace has, for each kernel by itself, the law of a run in R^d: energy, conditioning,
        the step plus a multiple of the start. The noise is drawn anew for each kernel.

    Raises:
        TypeError: if a size is no integer, or the kernels are no floating-point tensor.
        ValueError: if the kernels are no (Q, 2^r, 2^r) array, d is at most r, or a count is below 1.

    Checked against contrastive_step by the laws of energy and conditioning.
    """
    where = "sampled_steps"
    _checks.tensors(where, kernels=kernels)
    K = _checks.shape(where, "kernels", kernels, "Q K L")["K"]
    r = K.bit_length() - 1
    _checks.shape(where, "kernels", kernels, "Q K L", K=2 ** max(r, 1), L=K)
    for name, value in (("m", m), ("batch_size", batch_size)):
        _checks.integer(where, name, value, least=1)
    _checks.dimensions(where, d, r)
    _checks.generator(where, generator)
    _checks.room(where, m, max(_BLOCK, m) * len(kernels), 2)
    dtype = kernels.dtype
    V = torch.randn(m, r, generator=generator, dtype=dtype)
    W = torch.cat([V, _up_to_rotation(m, d - r, dtype, generator)], 1) / math.sqrt(d)
    inputs = GaussianInputs(torch.eye(W.shape[1], r, dtype=dtype))
    sizes = [min(_BLOCK, batch_size - start) for start in range(0, batch_size, _BLOCK)]
    totals = torch.zeros(K, m, dtype=dtype)
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        totals.index_add_(0, inputs.patterns(X), (X @ W.T).clamp_(min=0) / batch_size)
    targets = kernels @ totals / batch_size
    learned, squares = torch.zeros(len(kernels), *W.shape, dtype=dtype), torch.zeros(len(kernels), m, m, dtype=dtype)
    for n in sizes:
        X = inputs.sample(n, generator=generator)
        pulls = targets[:, inputs.patterns(X)] * (X @ W.T > 0)
        learned += pulls.mT @ X
        squares += pulls.mT @ pulls
    left = d - W.shape[1]
    if left:
        _checks.computed(where, squares)
        values, vectors = torch.linalg.eigh(squares.double())
        roots = (vectors * values.clamp(min=0).sqrt().unsqueeze(1)).to(dtype)
        noise = roots @ torch.stack([_up_to_rotation(m, left, dtype, generator) for _ in kernels])
        learned, W = torch.cat([learned, noise], 2), torch.nn.functional.pad(W, (0, noise.shape[2]))
    _checks.computed(where, learned)
    return SampledSteps(W, learned)


def _up_to_rotation(m: int, columns: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """An (m, columns) standard normal matrix times a rotation that leaves at most m columns."""
    Z = torch.randn(m, min(m, columns), generator=generator, dtype=dtype)
    if columns > m:
        seed = int(torch.randint(2**62, (1,), generator=generator))
        lengths = np.sqrt(np.random.default_rng(seed).chisquare(columns - np.arange(m)))
        Z = Z.tril(-1) + torch.diag(torch.from_numpy(lengths).to(dtype))
    return Z
