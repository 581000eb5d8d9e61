"""What one representation step does with infinitely many inputs, and finitely or infinitely many tasks.

For a neuron w write v = M^T w, tau = |w - M v| and s = w . x + b. Given the pattern z, s = b + sum_i v_i z_i |h_i| +
tau g with h = M^T x and g independent standard normals, so that d enters through tau only. The step needs four
numbers for each neuron and pattern:

    mean       mu_z    = E[relu(s) | z]
    active     p_z     = P(s > 0 | z)
    first      q_{z,i} = E[1{s > 0} |h_i| | z]
    density    rho_z   = density of s at 0, given z

and with a task kernel K the negative gradient of the representation is, P = 2^-r,

    parallel_i    = kappa^2 eta_a sum_{z,z'} P^2 K(z, z') mu_z q_{z',i} z'_i         (along M_i)
    perpendicular = kappa^2 eta_a sum_{z,z'} P^2 K(z, z') mu_z rho_{z'}              (times w - M v)

for Gaussian inputs, while all margins are below 1 (hinge) or to first order in eta_a (logistic).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import wofz
from torch import Tensor

from mtfl import _checks
from mtfl.contrastive import LOSSES, slope_at_zero
from mtfl.tasks import degree_one, degree_two, pattern_signs, walsh_coefficients

_TAIL = 8.6  # standard deviations beyond which a Gaussian, times 2^r, is below double precision
_CHUNK = 2**22  # complex numbers in a work array
_LEAST_TAU = 1e-3


class PatternMoments(NamedTuple):
    """Moments of relu(s) given each pattern; see the module's first lines."""

    mean: Float[Tensor, "m K"]
    active: Float[Tensor, "m K"]
    first: Float[Tensor, "m K r"]
    density: Float[Tensor, "m K"]


class PopulationStep(NamedTuple):
    """Negative gradient of each neuron: its r coordinates in the subspace, its factor on w - M v."""

    parallel: Float[Tensor, "m r"]
    perpendicular: Float[Tensor, " m"]


def pattern_moments(V: Float[Tensor, "m r"], tau: Float[Tensor, " m"], b: Float[Tensor, " m"]) -> PatternMoments:
    """The four moments of every neuron given every pattern, at a cost that does not depend on d.

    They are one-dimensional Fourier integrals of the characteristic function of s given z,
    psi(u) = exp(i u b - tau^2 u^2 / 2) prod_i phi(z_i v_i u), phi(a) = E exp(i a |h|) = w(a / sqrt 2) with w the
    Faddeeva function. The midpoint rule with step 2 pi / L replaces the sign of s in each integral by a square wave
    that equals it for |s| < L, so that its error is the chance of |s| > L; the sum stops where the Gaussian
    factor has vanished.

    Args:
        V: coordinates in the subspace, v = M^T w.
        tau: norms of the parts outside, each at least 1e-3 |w|.
        b: biases.

    Returns:
        The moments in float64; patterns are numbered as everywhere (bit i set when z_i = +1).

    Raises:
        TypeError: if an argument is no floating-point tensor or they differ in dtype or device.
        ValueError: if shapes do not fit, an entry is not finite, or tau is below 1e-3 |w| (the integrals would
            need more nodes than is sensible).

    Checked against adaptive quadrature and Monte Carlo.
    """
    where = "pattern_moments"
    _checks.tensors(where, V=V, tau=tau, b=b)
    sizes = _checks.shape(where, "V", V, "m r")
    sizes = _checks.shape(where, "tau", tau, "m", **sizes)
    _checks.shape(where, "b", b, "m", **sizes)
    v, t, c = (x.detach().cpu().double().numpy() for x in (V, tau, b))
    norm = np.sqrt(t**2 + (v**2).sum(1))
    remedy = "Keep a part outside the subspace, or drop the neuron."
    smallest = float((t / np.where(norm > 0, norm, 1)).min())
    _checks.require(smallest >= _LEAST_TAU, where, "tau", f"at least {_LEAST_TAU} |w|", f"{smallest:.1e} |w|", remedy)

    m, r = v.shape
    steps = 2 * np.pi / (_TAIL * norm + np.abs(c))
    counts = np.ceil(_TAIL / (t * steps)).astype(int)
    results = [np.empty((m, 2**r)), np.empty((m, 2**r)), np.empty((m, 2**r, r)), np.empty((m, 2**r))]
    order, start = np.argsort(counts), 0
    while start < m:  # neurons that need about as many nodes together, as many as fit into the work arrays
        size = max(1, _CHUNK // (counts[order[start]] * 2**r))
        rows = order[start : start + size]
        rows = rows[: max(1, _CHUNK // (counts[rows[-1]] * 2**r))]
        chunk = _moments_by_midpoint(v[rows], t[rows], c[rows], norm[rows], steps[rows], int(counts[rows[-1]]))
        for result, part in zip(results, chunk, strict=True):
            result[rows] = part
        start += len(rows)
    mean, active, first, density = (torch.from_numpy(x) for x in results)
    return PatternMoments(mean, active, first, density)


def _moments_by_midpoint(
    v: np.ndarray, tau: np.ndarray, b: np.ndarray, norm: np.ndarray, steps: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The moments of some neurons with ``count`` midpoint nodes; arrays run over (m, K, node)."""
    r = v.shape[1]
    u = (np.arange(count) + 0.5) * steps[:, None]
    a = v[:, :, None] * u[:, None] / math.sqrt(2)
    phi = np.asarray(wofz(a))
    slope = (math.sqrt(2) * a * phi * 1j + math.sqrt(2 / math.pi)) / phi  # E[|h| e^{i a |h|}] over phi
    psi = np.exp(1j * b[:, None] * u - 0.5 * (tau[:, None] * u) ** 2)[:, None]
    for i in range(r):  # doubles the patterns: z_i = -1 is the conjugate factor
        psi = np.concatenate([psi * phi[:, i, None].conj(), psi * phi[:, i, None]], axis=1)

    Z = pattern_signs(r).numpy()
    half_normal = math.sqrt(2 / math.pi)
    average = b[:, None] + half_normal * v @ Z.T
    reference = np.exp(-0.5 * (norm[:, None] * u) ** 2)[:, None]
    absolute = 2 / np.pi * steps[:, None] * ((reference - np.real(psi)) / u[:, None] ** 2).sum(-1)
    mean = (average + absolute + half_normal * norm[:, None]) / 2
    density = steps[:, None] / np.pi * np.real(psi).sum(-1)
    weighted = psi / u[:, None]
    active = 0.5 + steps[:, None] / np.pi * np.imag(weighted).sum(-1)
    plus = weighted @ slope.transpose(0, 2, 1)
    minus = weighted @ slope.conj().transpose(0, 2, 1)
    tilted = np.where(Z > 0, plus.imag, minus.imag)
    first = half_normal / 2 + steps[:, None, None] / np.pi * tilted
    return mean, active, first, density


def population_step(
    V: Float[Tensor, "m r"],
    tau: Float[Tensor, " m"],
    b: Float[Tensor, " m"],
    kernel: Float[Tensor, "K K"],
    *,
    head_step: float = 1.0,
    loss: str = "hinge",
) -> PopulationStep:
    """Negative gradient of the representation with infinitely many inputs, exact for each neuron.

    Args:
        V: coordinates in the subspace.
        tau: norms of the parts outside.
        b: biases.
        kernel: of a table of tasks (``task_kernel(F)``) or of infinitely many (``limit_kernel(r, law)``).
        head_step: eta_a.
        loss: "hinge" (kappa = 1) or "logistic" (kappa = 1/2).

    Raises:
        TypeError, ValueError: as :func:`pattern_moments`; also if the kernel is no K x K array.

    Checked against Monte Carlo and against the gradient of a network trained on many inputs.
    """
    where = "population_step"
    _checks.tensors(where, V=V, tau=tau, b=b)
    K = 2 ** _checks.shape(where, "V", V, "m r")["r"]
    _checks.tensors(where, kernel=kernel)
    _checks.shape(where, "kernel", kernel, "K L", K=K, L=K)
    _checks.number(where, "head_step", head_step)
    _checks.choice(where, "loss", loss, LOSSES)
    moments = pattern_moments(V, tau, b)
    pull = slope_at_zero(loss) ** 2 * head_step / K**2 * moments.mean @ kernel.detach().cpu().double()
    parallel = torch.einsum("mk,mkr,kr->mr", pull, moments.first, pattern_signs(V.shape[1]))
    return PopulationStep(parallel, (pull * moments.density).sum(1))


def leading_order_step(
    V: Float[Tensor, "m r"],
    tau: Float[Tensor, " m"],
    F: Float[Tensor, "T K"],
    *,
    head_step: float = 1.0,
    loss: str = "hinge",
) -> PopulationStep:
    """The same step to first order in |v| / tau, for zero biases, from the tasks' degree-0, 1 and 2 coefficients.

    With <.> the mean over tasks and c = kappa^2 eta_a / (2 pi):

        parallel      = c [tau <f0 f1> + (<f1 f1^T> + <f0^2> I + (2/pi) <f0 F2>) v]
        perpendicular = c [<f0^2> + <f0 f1> . v / tau]

    Raises:
        TypeError, ValueError: if shapes or dtypes do not fit, F is no table of signs, or a tau is not positive.

    Checked against :func:`population_step` as |v| / tau shrinks.
    """
    where = "leading_order_step"
    _checks.tensors(where, V=V, tau=tau, F=F)
    r = _checks.table(where, F)
    sizes = _checks.shape(where, "V", V, "m r", r=r)
    _checks.shape(where, "tau", tau, "m", **sizes)
    _checks.require(
        bool((tau > 0).all()), where, "tau", "positive", float(tau.min()), "Drop neurons inside the subspace."
    )
    _checks.number(where, "head_step", head_step)
    _checks.choice(where, "loss", loss, LOSSES)
    coefficients = walsh_coefficients(F)
    f0, f1, F2 = coefficients[:, 0], degree_one(coefficients), degree_two(coefficients)
    T = F.shape[0]
    drift = f0 @ f1 / T
    square = (f0 @ f0) / T
    operator = f1.T @ f1 / T + square * torch.eye(r).to(F) + 2 / math.pi * torch.einsum("t,tij->ij", f0, F2) / T
    scale = slope_at_zero(loss) ** 2 * head_step / (2 * math.pi)
    parallel = scale * (tau.unsqueeze(1) * drift + V @ operator)
    return PopulationStep(parallel, scale * (square + V @ drift / tau))
