"""What a neuron's response is on average, given the pattern of the input: exact numbers, without sampling.

For a neuron w write v = M^T w, tau = |w - M v| and s = w . x + b. Given the pattern z, s = b + sum_i v_i z_i |h_i| +
tau g with h = M^T x and g independent standard normals, so that d enters through tau only. The four moments are

    mean       mu_z    = E[relu(s) | z]
    active     p_z     = P(s > 0 | z)
    first      q_{z,i} = E[1{s > 0} |h_i| | z]
    density    rho_z   = density of s at 0, given z

They are integrals of the characteristic function of s given z: with phi(a) = E exp(i a |h|) = w(a / sqrt 2), w the
Faddeeva function, and psi_z(u) = exp(i u b - tau^2 u^2 / 2) prod_i phi(z_i v_i u),

    p_z     = 1/2 + (1/pi) int_0^inf Im psi_z(u) du/u
    q_{z,i} = the same with the i-th factor phi(a) replaced by E[|h| exp(i a |h|)] = -i phi'(a)
    rho_z   = (1/pi) int_0^inf Re psi_z(u) du
    mu_z    = b p_z + sum_i v_i z_i q_{z,i} + tau^2 rho_z

The last line is E[1{s > 0} s] with Gaussian integration by parts for g. Two rules compute the integrals:

* where tau >= |w| / 50, the midpoint rule with step 2 pi / L. It replaces the sign of s by a square wave that equals it
  for |s| < L, so that its error is the chance of |s| > L; the sum stops where the Gaussian factor has vanished;
* for smaller tau, down to tau = 0, psi decays slowly and midpoints would be many. All factors are entire functions that
  stay bounded along the ray u = exp(y + i theta), theta = pi/8 times the sign of b (0 for b = 0), where exp(i u b)
  decays. There the trapezoidal rule in y converges geometrically; the turned ray adds theta / pi to the 1/2.
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
from mtfl.tasks import pattern_signs

_TAIL = 8.6  # standard deviations beyond which a Gaussian, times 2^r, is below double precision
_MIDPOINT_DOWN_TO = 0.02  # tau / |w|
_RAY = np.pi / 8
_RAY_STEP = 0.08
_RAY_REACH = 37.0  # exp(-37) = 1e-16
_CHUNK = 2**22  # complex numbers in a work array
_MOST = 2**26  # numbers in the array of first moments: half a gigabyte
_SMALLEST, _LARGEST = 1e-100, 1e100  # norms whose squares and cubes are numbers too
_SURE = 12.0  # a bias of so many norms decides whether the neuron is active, but for a chance of 2^r exp(-72)


class PatternMoments(NamedTuple):
    """Moments of relu(s) given each pattern; see the module's first lines."""

    mean: Float[Tensor, "m K"]
    active: Float[Tensor, "m K"]
    first: Float[Tensor, "m K r"]
    density: Float[Tensor, "m K"]


def pattern_moments(
    V: Float[Tensor, "m r"], tau: Float[Tensor, " m"], b: Float[Tensor, " m"], *, leak: float = 0.0
) -> PatternMoments:
    """The four moments of every neuron given every pattern, at a cost that does not depend on d.

    Args:
        V: coordinates in the subspace, v = M^T w.
        tau: norms of the parts outside, >= 0.
        b: biases.
        leak: the slope on the negative side, from -1 to 1, of psi(s) = relu(s) - leak relu(-s). With one, ``mean`` is
            E[psi(s) | z], ``first`` E[psi'(s) |h_i| | z] and ``density`` 1 - leak times that of s at 0.

    Returns:
        The moments in float64, with an absolute error below 1e-10 for neurons of norm about 1; patterns are numbered
        as everywhere (bit i set when z_i = +1). Where the density of s jumps at 0, which needs tau = b = 0 and a single
        feature, it is the mean of both sides.

    Raises:
        TypeError: if an argument is no floating-point tensor or they differ in dtype or device.
        ValueError: if shapes do not fit, an entry is not finite, a tau is negative, v and tau are both zero, a norm or
            bias is beyond 1e100 or a norm below 1e-100, or the results do not fit into memory.

    Checked against adaptive quadrature, repeated convolution (to 1e-10 for r up to 10) and Monte Carlo.
    """
    where = "pattern_moments"
    _checks.between(where, "leak", leak, -1.0, 1.0)
    _checks.tensors(where, V=V, tau=tau, b=b)
    sizes = _checks.shape(where, "V", V, "m r")
    sizes = _checks.shape(where, "tau", tau, "m", **sizes)
    _checks.shape(where, "b", b, "m", **sizes)
    _checks.features(where, sizes["r"])
    _checks.room(where, sizes["m"], 2 ** sizes["r"], sizes["r"], most=_MOST)
    largest, remedy = max(map(_checks.largest, (V, tau, b))), "Scale weights and biases towards 1."
    _checks.require(largest <= _LARGEST, where, "every entry", f"at most {_LARGEST:g} in size", largest, remedy)
    v, t, c = (x.detach().cpu().double().numpy() for x in (V, tau, b))
    _checks.require(bool((t >= 0).all()), where, "tau", "non-negative", float(t.min()), "Pass a norm, |w - M v|.")
    norm = np.sqrt(t**2 + (v**2).sum(1))
    moving = bool((np.abs(v).max(1) + t > 0).all())
    _checks.require(moving, where, "every neuron", "nonzero", "v = 0 and tau = 0", "Drop neurons without weights.")
    least = float(norm.min())
    _checks.require(least >= _SMALLEST, where, "every norm", f"at least {_SMALLEST:g}", least, remedy)

    m, r = v.shape
    sure, own, c = np.abs(c) > _SURE * norm, c, np.clip(c, -_SURE * norm, _SURE * norm)
    results = [np.empty((m, 2**r)), np.empty((m, 2**r, r)), np.empty((m, 2**r))]
    steps = 2 * np.pi / (_TAIL * norm + np.abs(c))
    wide = t >= _MIDPOINT_DOWN_TO * norm
    counts = np.where(wide, np.ceil(_TAIL / (np.where(wide, t, 1) * steps)), 0).astype(int)
    order, start = np.argsort(counts), 0
    while start < m:  # neurons that need about as many nodes together, as many as fit into the work arrays
        first = order[start]
        rule = _midpoints if wide[first] else _ray
        rows = order[start : start + max(1, _CHUNK // (max(counts[first], 100) * 2**r))]
        rows = rows[wide[rows] == wide[first]]
        rows = rows[counts[rows] <= max(2 * counts[first], 32)]
        nodes = rule(norm[rows], c[rows], steps[rows], int(counts[rows[-1]]))
        for result, part in zip(results, _integrals(v[rows], t[rows], c[rows], *nodes), strict=True):
            result[rows] = part
        start += len(rows)
    active, tilted, density = results
    active[sure], density[sure] = (own[sure] > 0)[:, None], 0
    tilted[sure] = math.sqrt(2 / math.pi) * (own[sure] > 0)[:, None, None]
    Z, c = pattern_signs(r).numpy(), own
    mean = c[:, None] * active + np.einsum("mr,mkr,kr->mk", v, tilted, Z) + t[:, None] ** 2 * density
    if leak:  # psi(s) = (1 - leak) relu(s) + leak s
        half, kept = math.sqrt(2 / math.pi), 1 - leak
        mean = kept * mean + leak * (half * v @ Z.T + c[:, None])
        tilted, density = kept * tilted + leak * half, kept * density
    return PatternMoments(*(torch.from_numpy(x) for x in (mean, active, tilted, density)))


def _midpoints(norm: np.ndarray, b: np.ndarray, steps: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Nodes u (m, nodes), weights of du/u with the 1/pi in them, and the angle over pi of the path."""
    half = np.arange(count) + 0.5
    return half * steps[:, None], 1 / (np.pi * half) + 0 * steps[:, None], 0 * b


def _ray(norm: np.ndarray, b: np.ndarray, steps: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """The same along the turned ray, from 1e-16 to 1e16 in units of 1 / (|w| + |b|)."""
    angle = _RAY * np.sign(b)
    sizes = np.exp(np.arange(-_RAY_REACH, _RAY_REACH, _RAY_STEP))
    nodes = sizes * (np.exp(1j * angle) / (norm + np.abs(b)))[:, None]
    return nodes, np.full(nodes.shape, _RAY_STEP / np.pi), angle / np.pi


def _integrals(
    v: np.ndarray, tau: np.ndarray, b: np.ndarray, nodes: np.ndarray, weights: np.ndarray, turn: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Active, first and density of some neurons; arrays run over (m, K, node), a block of nodes at a time."""
    m, r = v.shape
    Z, half_normal = pattern_signs(r).numpy() > 0, math.sqrt(2 / math.pi)
    active = np.full((m, 2**r), 0.5) + turn[:, None]
    first = half_normal * (0.5 + turn[:, None, None]) * np.ones((m, 2**r, r))
    density = np.zeros((m, 2**r))
    block = max(1, _CHUNK // (m * 2**r))
    for start in range(0, nodes.shape[1], block):
        u, weight = nodes[:, start : start + block], weights[:, start : start + block]
        a = v[:, :, None] * u[:, None] / math.sqrt(2)
        phi = [np.asarray(wofz(sign * a)) for sign in (-1, 1)]
        psi = (weight * np.exp(1j * b[:, None] * u - 0.5 * (tau[:, None] * u) ** 2))[:, None]
        for i in range(r):  # doubles the patterns
            psi = np.concatenate([psi * factor[:, i, None] for factor in phi], axis=1)
        active += np.imag(psi.sum(-1))
        density += np.real(np.einsum("mkn,mn->mk", psi, u))
        slopes = [1j * math.sqrt(2) * s * a + half_normal / f for s, f in zip((-1, 1), phi, strict=True)]
        minus, plus = (np.imag(psi @ slope.transpose(0, 2, 1)) for slope in slopes)  # E[|h| e^{i a |h|}] over phi
        first += np.where(Z, plus, minus)
    return active, first, density
