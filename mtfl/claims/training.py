"""Claims of chapter 3: what one representation step learns, exactly and to leading order, and what many rounds do.

Oracles: autograd on sampled inputs with standard errors, Gauss-Legendre quadrature over |h|, enumeration of all tasks,
the exact population step and flow against the closed forms, a rotated run of the training itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.special import ndtr, wofz
from torch import Tensor

from mtfl.claims.registry import Claim, Evidence
from mtfl.inputs import GaussianInputs
from mtfl.metrics import conditioning, energy_ratio
from mtfl.moments import pattern_moments
from mtfl.network import TwoLayerReLU
from mtfl.population import Neurons, PopulationStep, population_flow, population_step
from mtfl.pretraining import PretrainSettings, pretrain
from mtfl.randomness import streams
from mtfl.tasks import (
    all_tasks,
    degree_one,
    degree_two,
    limit_kernel,
    pattern_signs,
    sample_tasks,
    task_kernel,
    walsh_coefficients,
)


def _generator(seed: int) -> torch.Generator:
    return streams(seed, "claims of training")["claims of training"]


def _neurons(count: int, r: int, epsilon: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Feature parts with |v| = epsilon tau in random directions; tau around 1."""
    U = torch.nn.functional.normalize(torch.randn(count, r, generator=generator, dtype=torch.float64))
    tau = 0.5 + torch.rand(count, generator=generator, dtype=torch.float64)
    return epsilon * tau.unsqueeze(1) * U, tau


def _step(V: Tensor, tau: Tensor, kernel: Tensor) -> PopulationStep:
    """The exact step times 2 pi, for kappa^2 eta_a = 1 and zero biases."""
    step = population_step(V, tau, torch.zeros_like(tau), kernel)
    return PopulationStep(2 * math.pi * step.parallel, 2 * math.pi * step.perpendicular)


def _half_normal(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (2, count^2) and weights for E over |h_1|, |h_2|: Gauss-Legendre on [0, 9] in each."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    size = 4.5 * (nodes + 1)
    weight = 9 * weights * np.exp(-(size**2) / 2) / math.sqrt(2 * math.pi)
    return np.stack(np.meshgrid(size, size, indexing="ij")).reshape(2, -1), np.outer(weight, weight).ravel()


def _exact_step(
    seed: int, *, outside: float = 1.0, transposed: bool = False, slope: bool = True, limit: str | None = None
) -> Evidence:
    """Autograd of the multi-task loss on sampled inputs, with biases and one-step heads, against the theorem."""
    g, draws = _generator(seed), []
    inputs = GaussianInputs.random(4, 2, generator=g)
    F = torch.tensor([[-1.0, 1, 1, 1], [1, 1, -1, 1], [-1, 1, -1, 1]]).double()
    W = TwoLayerReLU.random(3, 4, tasks=1, generator=g).W.requires_grad_()
    b = torch.tensor([-0.5, 0.0, 0.5]).double()
    for _ in range(16):
        batches = [inputs.sample(6000, generator=g) for _ in range(2)]
        (H, Y), (H2, Y2) = (((X @ W.T + b).clamp(min=0), F[:, inputs.patterns(X)]) for X in batches)
        heads = (Y @ H / 6000).detach()
        draws.append(torch.autograd.grad((Y2 * (heads @ H2.T)).mean(), W)[0])
    G, W = torch.stack(draws), W.detach()
    neurons, M = Neurons.of(W, inputs.M), inputs.M.flip(1) if transposed else inputs.M
    moments, kernel = pattern_moments(neurons.V, neurons.tau, b), limit_kernel(2, limit) if limit else task_kernel(F)
    pull, q = (
        moments.mean @ kernel / 16,
        moments.first if slope else torch.full_like(moments.first, math.sqrt(2 / math.pi)),
    )
    p, gamma = torch.einsum("mk,mkr,kr->mr", pull, q, pattern_signs(2)), (pull * moments.density).sum(1)
    theorem = p @ M.T + outside * gamma[:, None] * (W - neurons.V @ inputs.M.T)
    error = (G.mean(0) - theorem).norm() / (G.var(0).sum() / len(draws)).sqrt()
    return Evidence("distance to the mean of 16 autograd gradients, in standard errors", float(error), "at most", 4)


def _fourier(seed: int, *, conjugate: bool = True, density: float = 1.0, slope: bool = True) -> Evidence:
    """The lemma's integrals, and the package's moments, against Gauss-Legendre quadrature over |h_1|, |h_2|."""
    V, tau = _neurons(1, 2, 1.5, _generator(seed))
    b, half_normal = torch.tensor([0.7 * (-1) ** seed]).double(), math.sqrt(2 / math.pi)
    v, t, c = V[0].numpy(), float(tau), float(b)
    (h, weight), worst = _half_normal(100), 0.0
    u = (np.arange(400) + 0.5) * 0.1  # the rule's period in s is 20 pi, far beyond the values of s
    for k, z in enumerate(pattern_signs(2).numpy()):
        sign = z if conjugate else np.ones(2)
        factor = wofz(np.outer(sign * v, u) / math.sqrt(2))
        one = half_normal + 1j * np.outer(sign * v, u) * factor
        psi = np.exp(1j * u * c - (t * u) ** 2 / 2) * factor.prod(0)
        active = 0.5 + (psi.imag / u).sum() * 0.1 / math.pi
        q = half_normal / 2 + ((psi / factor * one).imag / u).sum(1) * 0.1 / math.pi
        q = q if slope else np.full(2, half_normal)
        rho = psi.real.sum() * 0.1 / math.pi
        lemma = np.array([c * active + v * z @ q + density * t**2 * rho, active, *q, rho])
        a = (c + v * z @ h) / t
        on, peak = weight * ndtr(a), weight * np.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)
        integral = np.array([t * (a @ on + peak.sum()), on.sum(), *(h @ on), peak.sum() / t])
        mean, active, first, rho = (x[0, k] for x in pattern_moments(V, tau, b))
        ours = np.array([mean, active, *first, rho])
        worst = max(worst, np.abs(lemma - integral).max(), np.abs(ours - integral).max())
    return Evidence("largest error of a moment of two features", worst, "at most", 1e-10)


def _moments(seed: int, *, between: float = 2 / math.pi, slope: float = 1.0) -> Evidence:
    """Remainders of the expansions, from Gauss-Legendre quadrature over |h_1|, |h_2|, over the lemma's bounds."""
    V, tau = (x.numpy() for x in _neurons(1, 2, 0.3, _generator(seed)))
    v, t = V[0], float(tau[0])
    sizes, both = _half_normal(60)
    c0, worst, remainders = 1 / math.sqrt(2 * math.pi), 0.0, []
    for z in pattern_signs(2).numpy():
        h = z[:, None] * sizes
        a = v @ h / t
        density, below = np.exp(-(a**2) / 2) * c0, ndtr(a)
        xi = both @ (a * below + density) / c0 - 1 - slope * v @ z / t
        eta = h @ (both * below) / c0 - z - (v + between * z * z[::-1] * v[::-1]) / t
        theta = both @ density / c0 - 1
        half = both @ a**2 / 2
        allowed = both @ (np.abs(eta @ h) * np.abs(a) ** 3) / 6
        together = 12 * (xi + theta) / (both @ a**4)
        worst = max(worst, *(abs(x - 0.5) + 0.5 for x in (xi / half, -theta / half, together)), eta @ eta / allowed)
        remainders.append([xi, *eta, theta])
    odd = np.abs(np.array(remainders) - remainders[::-1]).max()
    return Evidence("largest remainder over its bound; parity to 1e-9", max(worst, odd / 1e-9), "at most", 1)


def _leading_order(seed: int, *, drift: float = 1.0, own: float = 1.0, pairs: float = 2 / math.pi) -> Evidence:
    """Errors of the leading order over their bounds: any table, one closed under z -> -z, balanced ones."""
    g, worst, eps = _generator(seed), 0.0, 0.01
    conjunction = 2 * (pattern_signs(3).sum(1) == 3).double()[None] - 1
    some = torch.cat([conjunction, sample_tasks(1 + seed % 4, 3, generator=g)])
    balanced = sample_tasks(1 + seed % 4, 3, law="balanced", generator=g)
    symmetric = torch.cat([some, some.flip(1)])
    for F, c, cc in ((some, 4 / eps, eps), (symmetric, 1.5, eps**2 / 2), (balanced, 4 / eps, eps)):
        V, tau = _neurons(20, 3, eps, g)
        f, exact = walsh_coefficients(F), _step(V, tau, task_kernel(F))
        f0, f1, F2 = f[:, 0], degree_one(f), degree_two(f)
        common = drift * f0 @ f1 / len(F)
        operator = f1.T @ f1 / len(F) + own * f0.square().mean() * torch.eye(3).double()
        operator = operator + pairs * torch.einsum("t,tij->ij", f0, F2) / len(F)
        e = (exact.parallel - tau[:, None] * common - V @ operator).norm(dim=1) / V.norm(dim=1)
        ee = (exact.perpendicular - f0.square().mean() - V @ common / tau).abs()
        worst = max(worst, float(e.max()) / (c * eps**2), float(ee.max()) / (cc * eps**2))
    return Evidence("largest error over its bound", worst, "at most", 1)


def _odd_table(count: int, generator: torch.Generator) -> Tensor:
    half = sample_tasks(count, 3, generator=generator)[:, :4]
    return torch.cat([half, -half.flip(1)], 1)


def _odd_tasks(seed: int, *, flipped: int = 0, isotropic: bool = False) -> Evidence:
    g = _generator(seed)
    F = _odd_table(1 + seed % 5, g)
    F[0, :flipped] *= -1
    V, tau = _neurons(20, 3, 1.0, g)
    f1 = degree_one(walsh_coefficients(F))
    operator = f1.T @ f1 / len(F)
    operator = torch.eye(3).double() * operator.trace() / 3 if isotropic else operator
    step = _step(V, tau, task_kernel(F))
    error = max(float((step.parallel - V @ operator).abs().max()), float(step.perpendicular.abs().max()))
    return Evidence("largest deviation from the linear map at epsilon = 1", error, "at most", 1e-12)


def _limit(seed: int, *, law: str, gains: tuple[float, float], slack: float, kernel: str = "") -> Evidence:
    """Errors of the two gains over their bounds, for random neurons of r = 3 in d = 100."""
    V, tau, _ = Neurons.random(64, 3, 100, generator=_generator(seed))
    epsilon, step = V.norm(dim=1) / tau, _step(V, tau, limit_kernel(3, kernel or law))
    unit = 8 if law == "uniform" else 7
    e = (unit * step.parallel - gains[0] * V).norm(dim=1) / (V.norm(dim=1) * epsilon**2)
    ee = (unit * step.perpendicular - gains[1]).abs() / epsilon**4
    worst = max(float(e.max()) / slack, float(ee.max()) / 0.75)
    return Evidence("largest error of a neuron's gains over its bound", worst, "at most", 1)


def _decay(seed: int, *, factor: float = 1.0) -> Evidence:
    V, tau = _neurons(40, 3, 0.2, _generator(seed))
    step = _step(V, tau, limit_kernel(3, "uniform"))
    inside = (step.parallel - factor * V / 8).norm(dim=1)
    outside = (step.perpendicular - factor / 8).abs() * tau
    share = float((outside**2 / (inside**2 + outside**2)).max())
    return Evidence("share of the update outside the subspace, over epsilon^6", share / 0.2**6, "at most", 1)


def _rank(seed: int, *, third: str | None = None) -> Evidence:
    """sigma_3 of what two balanced tasks teach; mutants give a third task, or an unbalanced one."""
    g = _generator(seed)
    Z = pattern_signs(3)
    F = sample_tasks(2, 3, law="balanced", generator=g)
    if third == "another task":
        F = Z.T.clone()
    elif third == "unbalanced":
        F = torch.cat([F[:1], 2 * (Z[:1] == Z).all(1).double()[None] - 1])
    V, tau = _neurons(40, 3, 0.02, g)
    values = torch.linalg.svdvals(_step(V, tau, task_kernel(F)).parallel)
    allowed = 4 * 0.02 * V.norm()
    return Evidence("third singular value after two tasks, over its bound", float(values[2] / allowed), "at most", 1)


def _drift(seed: int, *, pairs: float = 2.0, power: int = 1) -> Evidence:
    """Mean squared drift: enumeration for one task (to 1e-9), Monte Carlo for three."""
    g, r, T = _generator(seed), 2 + seed % 2, 3
    K = 2**r
    one, many = (walsh_coefficients(F) for F in (all_tasks(r), sample_tasks(12_000 * T, r, generator=g)))
    predicted = r * (1 - pairs / K) / K**2
    enumerated = (one[:, :1] * degree_one(one)).square().sum(1).mean()
    draws = (many[:, :1] * degree_one(many)).reshape(-1, T, r).mean(1).square().sum(1)
    error = (draws.mean() - predicted / T**power).abs() / (draws.std() / math.sqrt(len(draws)))
    measured = max(float(error), abs(float(enumerated) - predicted) * 5e9)
    return Evidence("deviation of the mean squared drift, in standard errors", measured, "at most", 5)


def _flow(seed: int, *, growth: str = "cosh", factor: float = 1.0) -> Evidence:
    """The exact flow on odd tasks, a table or all of them, against the closed form and its bounds on conditioning."""
    g, c, worst = _generator(seed), 0.5, 0.0
    identity = torch.eye(8, dtype=torch.float64)
    kernel = task_kernel(_odd_table(4, g)) if seed % 2 else identity - identity.flip(0)
    Z, start = pattern_signs(3), Neurons.random(16, 3, 8, generator=g)
    values, vectors = torch.linalg.eigh(Z.T @ kernel @ Z / 64)
    theta = torch.acosh(1 + factor * c * values.clamp(min=0) / 2)
    for rounds in (1, 6):
        flow = population_flow(start, kernel, rounds=rounds, head_step=0.1, representation_step=20 * math.pi * c)
        p = {
            "cosh": torch.cosh((rounds + 0.5) * theta) / torch.cosh(theta / 2),
            "whole steps": torch.cosh(rounds * theta),
            "heads reset": (1 + c * values) ** rounds,
            "linear": 1 + rounds * (rounds + 1) / 2 * c * values,
        }[growth]
        V, first, uneven = flow.neurons.V, float(flow.conditioning[0]), float(p[0] / p[-1])
        error = (V - start.V @ vectors * p @ vectors.T).norm() / V.norm() + (flow.neurons.tau - start.tau).abs().max()
        last = float(flow.conditioning[-1])
        worst = max(worst, float(error) / 1e-10, last * first / uneven - 1e-9, first * uneven / last - 1e-9)
    return Evidence("flow against closed form (to 1e-10), conditioning over its bounds", worst, "at most", 1)


def _plane(seed: int, *, turning: float = 1.0, exchanged: bool = False) -> Evidence:
    """Radial and tangential parts of the exact step at tau = 0, both laws, against the closed form."""
    angle = 2 * math.pi * torch.rand(20, generator=_generator(seed), dtype=torch.float64)
    cosine, sine = angle.cos(), angle.sin()
    out, around = torch.stack([cosine, sine], 1), torch.stack([-sine, cosine], 1)
    delta = cosine.abs() + sine.abs() - 1
    slope = turning * (cosine.sgn() * -sine + sine.sgn() * cosine)
    errors = []
    for law, scale, constant in (("balanced", 6 * math.pi, 1), ("uniform", 8 * math.pi, 2)):
        constant = 3 - constant if exchanged else constant
        step = scale * population_step(out, 0 * angle, 0 * angle, limit_kernel(2, law)).parallel
        errors += [(step * out).sum(1) - constant - delta**2, (step * around).sum(1) - delta * slope]
    worst = float(torch.stack(errors).abs().max())
    return Evidence("largest error of a radial or tangential part at tau = 0", worst, "at most", 1e-10)


@dataclass(frozen=True)
class _Rotated(GaussianInputs):
    """Gaussian inputs, each rotated by Q."""

    Q: Tensor

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Rotated inputs."""
        return super().sample(n, generator=generator) @ self.Q.T


def _unused(seed: int, *, used: bool = False, moved: int = 2) -> Evidence:
    """Training of rotated weights on rotated inputs against rotated training, on tasks blind to feature 2."""
    g = _generator(seed)
    d, T = 8, 4
    M = GaussianInputs.random(d, 3, generator=g).M
    F = sample_tasks(T, 2, law="balanced", generator=g).repeat(1, 2)  # bit 2 plays no part
    if used:
        F[:, 4:] = -F[:, 4:]
    fixed = M[:, [i for i in range(3) if i != moved]]
    basis = torch.linalg.qr(torch.cat([fixed, torch.randn(d, d - 2, generator=g, dtype=M.dtype)], 1)).Q[:, 2:]
    turn = torch.linalg.qr(torch.randn(d - 2, d - 2, generator=g, dtype=M.dtype)).Q
    Q = fixed @ fixed.T + basis @ turn @ basis.T
    network = TwoLayerReLU.random(12, d, tasks=T, generator=g)
    settings = PretrainSettings(10, 64, 0.2, 1.0, weight_decay=0.01)
    rotated = TwoLayerReLU(network.W @ Q.T, network.b, network.A)
    plain, turned = (
        pretrain(start, inputs, F, settings, generator=_generator(seed)).network.W
        for start, inputs in ((network, GaussianInputs(M)), (rotated, _Rotated(M, Q)))
    )
    error = float((turned - plain @ Q.T).abs().max())
    return Evidence("rotated training against training, rotated, after ten rounds", error, "at most", 1e-9)


def _many_rounds(seed: int, *, kind: str = "many tasks") -> Evidence:
    g = _generator(seed)
    inputs = GaussianInputs.random(12, 3, generator=g, dtype=torch.float32)
    F = sample_tasks(32, 3, law="balanced", generator=g, dtype=torch.float32)
    if kind == "one feature":
        F = pattern_signs(3, dtype=torch.float32)[:, :1].T.repeat(32, 1)
    start = TwoLayerReLU.random(24, 12, tasks=32, generator=g, dtype=torch.float32)
    settings = PretrainSettings(80, 256, 0.05, 0.05 if kind == "tiny steps" else 3.2)
    W = pretrain(start, inputs, F, settings, generator=g).network.W
    measured = min(energy_ratio(W, inputs.M), conditioning(W, inputs.M))
    return Evidence("the lower of energy and conditioning after 80 rounds", measured, "at least", 0.6)


_two_to_one = partial(_limit, law="uniform", gains=(2.0, 1.0), slack=3.5)
_balanced = partial(_limit, law="balanced", gains=(1.0, 0.0), slack=3.0)


def _claim(label: str, statement: str, check: Callable[..., Evidence], mutants: dict[str, dict[str, object]]) -> Claim:
    wrong = {name: partial(check, **options) for name, options in mutants.items()}
    return Claim(label, "03_multitask_training", check, wrong)


CLAIMS: tuple[Claim, ...] = (
    _claim(
        "thm-exact-step",
        "One step is given exactly by the pattern moments: a part in the subspace and a multiple of w_perp.",
        _exact_step,
        {
            "no part outside": {"outside": 0.0},
            "features exchanged": {"transposed": True},
            "the ReLU's slope dropped": {"slope": False},
            "uniform law's kernel": {"limit": "uniform"},
        },
    ),
    _claim(
        "lem-moments-fourier",
        "The moments are integrals over the characteristic function of s, a product of Faddeeva functions.",
        _fourier,
        {
            "conjugate forgotten": {"conjugate": False},
            "density term twice": {"density": 2.0},
            "the ReLU's slope dropped": {"slope": False},
        },
    ),
    _claim(
        "lem-pattern-moments",
        "For small |v|/tau the moments follow explicit expansions, with remainders that are even in the pattern.",
        _moments,
        {"no factor two over pi": {"between": 1.0}, "half the slope": {"slope": 0.5}},
    ),
    _claim(
        "thm-leading-order",
        "To leading order a step is a drift plus a linear map made of the tasks' coefficients of degree 0, 1 and 2.",
        _leading_order,
        {"no drift": {"drift": 0.0}, "no rescaling": {"own": 0.0}, "no degree two": {"pairs": 0.0}},
    ),
    _claim(
        "prop-odd-tasks",
        "For odd tasks the step is exactly M <f1 f1^T> M^T w / 2 pi, in every dimension.",
        _odd_tasks,
        {"one label flipped": {"flipped": 1}, "isotropic map": {"isotropic": True}},
    ),
    _claim(
        "thm-two-to-one",
        "Infinitely many uniform tasks: gain 2^-r/pi inside the subspace, 2^-r/(2 pi) outside.",
        _two_to_one,
        {
            "equal gains": {"gains": (1.0, 1.0)},
            "twice the gain inside": {"gains": (4.0, 1.0)},
            "none outside": {"gains": (2.0, 0.0)},
            "balanced tasks": {"kernel": "balanced"},
        },
    ),
    _claim(
        "cor-cancelling-decay",
        "The decay kappa^2 eta_a 2^-r/(2 pi) cancels the part outside and leaves pure features.",
        _decay,
        {"no decay": {"factor": 0.0}, "decay ten percent short": {"factor": 0.9}},
    ),
    _claim(
        "thm-balanced-step",
        "Infinitely many balanced tasks: gain 1/(2 pi (K-1)) inside the subspace and none outside, without decay.",
        _balanced,
        {
            "gain over K": {"gains": (7 / 8, 0.0)},
            "ratio two to one": {"gains": (1.0, 0.5)},
            "uniform tasks": {"kernel": "uniform"},
        },
    ),
    _claim(
        "cor-rank-of-tasks",
        "Fewer balanced tasks than features leave features out: the singular value after the T-th is of higher order.",
        _rank,
        {"a third task": {"third": "another task"}, "an unbalanced task": {"third": "unbalanced"}},
    ),
    _claim(
        "prop-drift",
        "The mean squared drift of T uniform tasks is r (1 - 2/K) / (K^2 T).",
        _drift,
        {"quadruples forgotten": {"pairs": 0.0}, "falls as T squared": {"power": 2}},
    ),
    _claim(
        "prop-flow-odd",
        "For odd tasks the flow of training is linear: V_k = V_0 p_k(A), with p_k a ratio of hyperbolic cosines.",
        _flow,
        {
            "heads reset each round": {"growth": "heads reset"},
            "whole steps": {"growth": "whole steps"},
            "no growth of the growth": {"growth": "linear"},
            "factor two in c": {"factor": 2.0},
        },
    ),
    _claim(
        "prop-plane-directions",
        "Neurons inside the plane of two features turn from the features' axes towards the directions of the patterns.",
        _plane,
        {
            "towards the axes": {"turning": -1.0},
            "turning twice as fast": {"turning": 2.0},
            "balanced and uniform swapped": {"exchanged": True},
        },
    ),
    _claim(
        "prop-unused-feature",
        "A feature that no task depends on is treated like any irrelevant direction, after any number of rounds.",
        _unused,
        {"feature is used": {"used": True}, "another feature rotated": {"moved": 0}},
    ),
    _claim(
        "conj-many-rounds",
        "Many rounds on many balanced tasks bring energy and conditioning up together.",
        _many_rounds,
        {"one feature labels all tasks": {"kind": "one feature"}, "steps too small": {"kind": "tiny steps"}},
    ),
)
