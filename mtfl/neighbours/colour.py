"""One step on inputs N(0, Sigma) whose features are uncorrelated: which directions it learns, and how many of them.

The features of x are uncorrelated if M^T Sigma M is diagonal; a rotation of M inside its span makes them so. Then all
patterns are equally likely, and a root of Sigma carries what is known of white inputs over to coloured ones.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import ColouredInputs, GaussianInputs
from mtfl.population import Neurons, population_step

_STEEPEST = 60.0  # the largest standard deviation of the logarithms of variances


def variances(d: int, spread: float) -> Float[Tensor, " d"]:
    """Quantiles of a lognormal law with mean 1 and a given spread, the variance over the squared mean; in float64.

    Raises:
        TypeError: if d is no integer, or spread is no number.
        ValueError: if d < 1, or spread is negative or above d / 2.
    """
    where = "variances"
    _checks.integer(where, "d", d, least=1)
    _checks.room(where, d)
    _checks.spread(where, spread, d)
    levels = (torch.arange(d, dtype=torch.float64) + 0.5) / d
    normal = torch.special.ndtri(levels)
    low, high, found = 0.0, _STEEPEST, torch.ones(d, dtype=torch.float64)
    for _ in range(80 if spread else 0):
        middle = (low + high) / 2
        found = d * torch.softmax(middle * normal, 0)
        below = float(found.var(correction=0)) < spread
        low, high = (middle, high) if below else (low, middle)
    return found


def coloured_inputs(
    d: int, r: int, spread: float, *, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> ColouredInputs:
    """A random subspace with uncorrelated features, for inputs with :func:`variances` along the axes.

    Raises:
        TypeError: if a size is no integer, spread is no number, or the generator is none.
        ValueError: if not 1 <= r < d, or spread is negative or above d / 2.
    """
    _checks.floating("coloured_inputs", dtype)
    M = GaussianInputs.random(d, r, generator=generator).M
    _checks.room("coloured_inputs", d, d)
    sizes = variances(d, spread)
    turn = torch.linalg.eigh(M.T @ (sizes[:, None] * M)).eigenvectors
    return ColouredInputs((M @ turn).to(dtype), torch.diag(sizes).to(dtype))


def coloured_step(
    W: Float[Tensor, "m d"], inputs: ColouredInputs, kernel: Float[Tensor, "K K"]
) -> Float[Tensor, "m d"]:
    """The step on infinitely many coloured inputs with uncorrelated features, exact, for kappa^2 eta_a = 1.

    It is the step on white inputs at C^T w, times C, for any root Sigma = C C^T.

    Args:
        W: initial weights; biases are zero.
        inputs: the law of x.
        kernel: of a table of tasks, or of infinitely many.

    Raises:
        TypeError: if the inputs are not coloured, or dtypes differ.
        ValueError: if shapes do not fit, an entry is not finite, or features are correlated.

    Checked against steps on sampled inputs, and for white ones against :func:`mtfl.population.population_step`.
    """
    where = "coloured_step"
    M, Sigma = _uncorrelated(where, inputs)
    _checks.tensors(where, W=W, M=inputs.M)
    _checks.shape(where, "W", W, "m d", d=inputs.d)
    root = torch.linalg.cholesky(Sigma)
    white = W.double() @ root
    features = torch.linalg.qr(root.T @ M)  # its R is diagonal
    back = features.Q * features.R.diagonal().sign()
    step = population_step(*Neurons.of(white, back), kernel).weights(white, back) @ root.T
    _checks.computed(where, step)
    return step.to(W)


def tilted_energy(inputs: ColouredInputs) -> float:
    """Energy of a step on infinitely many balanced tasks and inputs with uncorrelated features, to leading order.

    For random neurons, infinitely many: tr S / tr((G^-1 S)^2) with G = M^T Sigma M and S = M^T Sigma^2 M.

    Raises:
        TypeError: if the inputs are not coloured.
        ValueError: if features are correlated.
    """
    M, Sigma = _uncorrelated("tilted_energy", inputs)
    carried = Sigma / _checks.largest(Sigma) @ M
    square = carried.T @ carried
    ratio = square / (M * carried).sum(0)[:, None]
    energy = (square.trace() / (ratio @ ratio).trace()).item()
    _checks.computed("tilted_energy", energy)
    return energy


def own_colours_energy(M: Float[Tensor, "d 2"], sizes: Float[Tensor, "N d"]) -> float:
    """Energy of a step on infinitely many balanced tasks of two features, each with variances of its own.

    To leading order, for infinitely many inputs and random neurons. The patterns need not be equally frequent: signs of
    features with the correlation rho agree with probability 1/2 + arcsin(rho) / pi, so that labels have a mean, too.

    Args:
        M: the subspace.
        sizes: variances along the axes, a row for each of N equally likely laws of the inputs.

    Raises:
        TypeError: if dtypes differ.
        ValueError: if shapes do not fit, M is no orthonormal basis, or a variance is not positive.

    Checked against means over sampled inputs, and on an even subspace against a closed form.
    """
    where = "own_colours_energy"
    _checks.tensors(where, M=M, sizes=sizes)
    d, r = _checks.subspace(where, M)
    _checks.require(r == 2, where, "M", "of two features", f"{r}", "Give it two columns.")
    _checks.shape(where, "sizes", sizes, "N d", d=d)
    least = sizes.min().item() if len(sizes) else 0.0
    _checks.require(least > 0, where, "each variance", "positive", least, "Give some, all above 0.")
    _checks.room(where, len(sizes), d, 4)
    M, sizes = M.double(), sizes.double() / _checks.largest(sizes)
    carried = sizes[:, :, None] * M
    G = M.T @ carried
    deviations = G.diagonal(dim1=1, dim2=2).sqrt()
    rho = (G[:, 0, 1] / deviations.prod(1))[:, None]
    pulls = (carried / deviations[:, None]).mT.flatten(0, 1)
    labels = (2 / torch.pi * torch.asin(rho)).square()  # mean squares of their means, in the same units
    step = (pulls.T @ pulls + torch.diag((labels * sizes).sum(0))) / len(sizes)
    energy = ((M.T @ step).square().sum() / step.square().sum()).item()
    _checks.computed(where, energy)
    return energy


def _uncorrelated(where: str, inputs: ColouredInputs) -> tuple[Tensor, Tensor]:
    """M and Sigma in float64, of coloured inputs with uncorrelated features."""
    _checks.instance(where, "inputs", inputs, ColouredInputs)
    M, Sigma = inputs.M.double(), inputs.Sigma.double()
    G = M.T @ Sigma @ M
    off = _checks.largest(G - G.diagonal().diag()) / _checks.largest(G)
    remedy = "Turn M inside its span, as coloured_inputs does."
    _checks.require(off <= 1e-4, where, "the features of the inputs", "uncorrelated", f"a part {off:.1e}", remedy)
    return M, Sigma
