"""Claims of chapter 2: the pseudo-contrastive loss, line by line.

Oracles: autograd, sums over pairs, the enumeration of all tasks, quadrature, multinomial counts, least squares,
minimisation.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from mtfl.claims.draws import balanced_tasks, relative
from mtfl.claims.registry import Claim, Evidence, Generous, Lower, Upper, stated
from mtfl.contrastive import (
    LOSSES,
    Anchors,
    kernel_deviation_bound,
    margin_loss,
    one_step_heads,
    pseudo_contrastive_loss,
    representation_gradient,
    whitened_contrastive_loss,
)
from mtfl.inputs import GaussianInputs
from mtfl.network import TwoLayerReLU, relu_features
from mtfl.randomness import stream, streams
from mtfl.tasks import all_tasks, characters, degree_one, limit_kernel, sample_tasks, task_kernel, walsh_coefficients

_EXACT = 1e-10


class _Instance(NamedTuple):
    """A small draw: two batches with features under W_0 and under another W, and the unit-step scores s_ti."""

    inputs: GaussianInputs
    F: Tensor
    W0: Tensor
    W: Tensor
    X0: Tensor
    X: Tensor
    p0: Tensor
    p: Tensor
    H0: Tensor
    H: Tensor
    unit: Tensor  # (T, n): y_ti times the score of heads adapted with kappa eta_a = 1


def _features(W: Tensor, X: Tensor) -> Tensor:
    return relu_features(W, torch.zeros_like(W[:, 0]), X)


@lru_cache(maxsize=1)
def _instance(seed: int) -> _Instance:
    random = streams(seed, "subspace", "weights", "tasks", "inputs")
    inputs = GaussianInputs.random(8, 2, generator=random["subspace"])
    F = sample_tasks(5, 2, generator=random["tasks"])
    W0, W = (TwoLayerReLU.random(12, 8, tasks=1, generator=random["weights"]).W for _ in range(2))
    X0, X = inputs.sample(30, generator=random["inputs"]), inputs.sample(25, generator=random["inputs"])
    p0, p, H0, H = inputs.patterns(X0), inputs.patterns(X), _features(W0, X0), _features(W, X)
    unit = F[:, p] * (F[:, p0] @ H0 / 30 @ H.T)
    return _Instance(inputs, F, W0, W, X0, X, p0, p, H0, H, unit)


def _equal(what: str, found: Tensor, expected: Tensor, within: float = _EXACT) -> Evidence:
    return Evidence(f"relative difference of {what}", relative(found, expected), "at most", within)


def _gradient(value: Tensor, at: Tensor) -> Tensor:
    return torch.autograd.grad(value, at)[0]


def _head_step(seed: int, *, hinge: float = 1.0, logistic: float = 0.5, by: str = "mean") -> tuple[Evidence, ...]:
    """The heads stated against autograd's step from zero and the package's heads, under both losses."""
    q, found = _instance(seed), []
    Y = q.F[:, q.p0]
    for loss, kappa in zip(LOSSES, (hinge, logistic), strict=True):
        A = torch.zeros(5, 12, dtype=torch.float64, requires_grad=True)
        own = margin_loss(Y * (A @ q.H0.T), loss=loss).mean(1)
        steps = torch.stack([-0.3 * _gradient(own.sum(), A), one_step_heads(q.H0, Y, step_size=0.3, loss=loss)])
        formula = kappa * 0.3 * (Y @ q.H0) / (30 if by == "mean" else 1)
        found.append(_equal(f"the heads from autograd's step, {loss}", steps, formula.expand(2, 5, 12)))
    return tuple(found)


def _pseudo(
    seed: int, *, gain: float = 1.0, shared: bool = True, small: bool = True, fresh_anchors: bool = False
) -> tuple[Evidence, ...]:
    """The hinge loss after the heads' step against sums over pairs (labels at random) and anchors (of patterns)."""
    q, step = _instance(seed), 0.05 if small else 50.0
    coins = stream(seed, "labels")
    Y0, Y = (2.0 * torch.randint(2, (5, n), generator=coins).double() - 1 for n in (30, 25))
    own = 5 * torch.eye(5, dtype=torch.float64)
    weights = [torch.ones(()) if shared else own.repeat_interleave(n // 5, 1) for n in (30, 25)]

    def gains(old: Tensor, new: Tensor, formula: Tensor, what: str) -> Evidence:
        heads = step * (weights[0] * old) @ q.H0 / 30
        true = (weights[1] * margin_loss(new * (heads @ q.H.T))).mean()
        off = (1 - gain * formula - true) / (1 - true)
        return Evidence(f"relative difference of {what}", float(off.abs()), "at most", _EXACT)

    pairs = step * ((Y0.T @ Y / 5) * (q.H0 @ q.H.T)).mean()
    left, patterns = (q.H, q.p) if fresh_anchors else (q.H0, q.p0)
    anchors = Anchors.of(left, patterns, 2)
    anchored = 1 - pseudo_contrastive_loss(q.W, q.X, q.p, task_kernel(q.F), anchors, step_size=step)
    return (
        gains(Y0, Y, pairs, "the sum over pairs from the multi-task loss, any labels"),
        gains(q.F[:, q.p0], q.F[:, q.p], anchored, "the anchored form from the multi-task loss, labels of patterns"),
    )


def _range(seed: int, *, limit: Lower = 1.0, threshold: float = 1.0) -> tuple[Evidence, ...]:
    """Hinge loss minus formula: up to the range, which one neuron and equal inputs attain; and far beyond it."""
    q = _instance(seed)

    def gap(unit: Tensor, step: float) -> Tensor:
        return margin_loss(step * unit).mean() - (1 - step * unit.mean())

    reach = float(q.H0.norm(dim=1).max() * q.H.norm(dim=1).max())
    parallel = q.H0.max() * q.H.max()  # the margin of one neuron, where all inputs and labels are the same
    inside = max(float(gap(q.unit, limit / reach).abs()), float(gap(parallel, limit / float(parallel)).abs()))
    beyond = (100 / reach * q.unit - threshold).clamp(min=0).mean()
    return (
        Evidence("hinge loss minus formula at the end of the range", inside, "at most", _EXACT),
        _equal("the mean overshoot from loss minus formula, 100 ranges", gap(q.unit, 100 / reach), beyond),
    )


def _logistic(
    seed: int, *, zero: float = math.log(2), slope: float = 0.25, constant: float = 32.0, power: float = 2.0
) -> tuple[Evidence, ...]:
    """The error of the formula over its bound: near 1 at small steps, between 0 and 1 at all."""
    q, ratios = _instance(seed), []
    for step in (0.001, 0.002, 0.1, 5.0, 50.0):
        error = margin_loss(step / 2 * q.unit, loss="logistic").mean() - (zero - slope * step * q.unit.mean())
        ratios.append(float(error / (step**power / constant * q.unit.square().mean())))
    off = max(abs(ratio - 1) for ratio in ratios[:2])
    return (
        Evidence("error over its bound at steps of 0.001 and 0.002, off 1", off, "at most", 0.001),
        Evidence("error over its bound, outside 0 to 1", max(max(ratios) - 1, -min(ratios)), "at most", 1e-6),
    )


def _anchors(
    seed: int, *, factor: float = 1.0, power: float = 2.0, mixed: bool = True, moving: bool = False
) -> tuple[Evidence, ...]:
    """Autograd's gradients against the anchors' pull: hinge loss in features, formula and hinge loss in neurons."""
    q, step = _instance(seed), 0.05
    kernel, Y0, Y = task_kernel(q.F), q.F[:, q.p0], q.F[:, q.p]
    heads = one_step_heads(q.H0, Y0, step_size=step)
    H, W = q.H.clone().requires_grad_(), q.W.clone().requires_grad_()
    in_features = -_gradient(margin_loss(Y * (heads @ H.T)).mean(), H)
    anchors = Anchors.of(q.H0, q.p0, 2)
    formula = pseudo_contrastive_loss(W, q.X, q.p, kernel, anchors, step_size=step, loss="logistic")
    hinge = margin_loss(Y * (heads @ _features(W, q.X).T)).mean()
    ours = representation_gradient(TwoLayerReLU(q.W, torch.zeros_like(q.W[:, 0]), heads), q.X, Y).W
    c = Anchors.of(_features(q.W, q.X0) if moving else q.H0, q.p0, 2).totals
    pull = factor * step / 25 * ((kernel @ c) if mixed else c)[q.p]
    neurons = (pull * (q.X @ q.W.T > 0)).T @ q.X
    both = -torch.stack([_gradient(hinge, W), ours])
    return (
        _equal("the pull from autograd's in the features", in_features, pull),
        _equal("the neurons' from autograd's on the formula, logistic", -_gradient(formula, W), 0.5**power * neurons),
        _equal("the neurons' from autograd's on the hinge loss", both, neurons.expand(2, 12, 8)),
    )


def _limits(
    _: int, *, uniform: float = 1.0, repulsion: float = 1.0, gone: float = 1.0, white: bool = True
) -> tuple[Evidence, ...]:
    """The stated kernel and the package's against the mean over all tasks of the law, for one to three features."""
    found = []
    for law in ("uniform", "balanced", "parity"):
        worst = 0.0
        for r in (1, 2, 3):
            everything, parities, K = all_tasks(r), characters(r)[1:], 2**r
            F = {"uniform": everything, "balanced": balanced_tasks(r), "parity": torch.cat([parities, -parities])}[law]
            eye = torch.eye(K, dtype=torch.float64)
            repelling = (K * eye - repulsion) / (K - gone)
            kernels = torch.stack([uniform * eye if law == "uniform" and white else repelling, limit_kernel(r, law)])
            worst = max(worst, float((F.T @ F / len(F) - kernels).abs().max()))
        found.append(Evidence(f"{law}: difference from the mean over all tasks", worst, "at most", 1e-12))
    return tuple(found)


_MANY = 2**22  # tasks: so many that the law of the largest deviation is the limit's


@lru_cache(maxsize=1)
def _largest_deviations(seed: int) -> Tensor:
    """Of 60,000 tables of uniform tasks on two features, from the counts of the 8 pairs +-f."""
    F = all_tasks(2)[:8]
    i, j = torch.triu_indices(4, 4, 1)
    counts = np.random.default_rng(seed).multinomial(_MANY, [1 / 8] * 8, size=60_000)
    return (torch.from_numpy(counts).double() @ (F[:, i] * F[:, j])).abs().amax(1) / _MANY


def _deviation(
    seed: int, *, entries: Generous = 1.291, two: float = 2.0, power: float = 2.0, rate: float = 0.5
) -> tuple[Evidence, ...]:
    """The bound of failure 0.05 over the 95 % quantile of many tables, and against the package's bound."""
    bound = math.sqrt(two * math.log(4**power / 0.05)) / _MANY**rate
    sharp = float(np.quantile(_largest_deviations(seed).numpy(), 0.95))
    ours = kernel_deviation_bound(2, _MANY, failure=0.05)
    return (
        Evidence(
            "bound over its generosity and the quantile, off 1", abs(bound / entries / sharp - 1), "at most", 0.011
        ),
        Evidence("bound over the package's, off 1", abs(bound / ours - 1), "at most", _EXACT),
    )


def _pulls(seed: int, *, uniform: float = 1.0, balanced: float = 2.0, rate: float = 1.0) -> tuple[Evidence, ...]:
    """The mean square of (K_T - K_infinity) c over all tables of two tasks, weighted by their probabilities."""
    random = streams(seed, "law", "anchors")
    parities = characters(3)[1:]
    some = torch.rand(16, generator=random["law"], dtype=torch.float64)

    def error(F: Tensor, chances: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """E |(K_2 - K_infinity) c|^2, K_infinity c, and K <c, K_infinity c> - |K_infinity c|^2."""
        one = F.unsqueeze(2) * (F @ c).unsqueeze(1)  # (N, K, m): what each task alone would pull
        limit = (chances.view(-1, 1, 1) * one).sum(0)
        two = (one.unsqueeze(0) + one.unsqueeze(1)) / 2 - limit
        found = (chances.outer(chances) * two.square().sum((2, 3))).sum()
        return found, limit, len(c) * (c * limit).sum() - limit.square().sum()

    c = torch.rand(4, 3, generator=random["anchors"], dtype=torch.float64)
    found, _, law = error(all_tasks(2), some / some.sum(), c)
    results = [_equal("the mean square error, a law at random", law / 2**rate, found)]
    even, _, _ = error(all_tasks(2), torch.full((16,), 1 / 16, dtype=torch.float64), c)
    results.append(_equal("uniform: the mean square error", (4 - uniform) / 2**rate * c.square().sum(), even))
    c = torch.rand(8, 3, generator=random["anchors"], dtype=torch.float64)
    for name, F in (("balanced", balanced_tasks(3)), ("parities", torch.cat([parities, -parities]))):
        found, limit, _ = error(F, torch.full((len(F),), 1 / len(F), dtype=torch.float64), c)
        expected = (8 - balanced) / 2**rate * limit.square().sum()
        results.append(_equal(f"{name}: the mean square error", expected, found))
    return tuple(results)


def _repel(
    seed: int, *, gone: float = 1.0, centre: float = 1.0, kept: float = 1.0, law: str = "balanced"
) -> tuple[Evidence, ...]:
    """Autograd's pull in the features with a limit kernel; the sum of the pulls; a neuron alike for all patterns."""
    q, K = _instance(seed), 4
    c = Anchors.of(q.H0, q.p0, 2).totals

    def pull(kernel: Tensor) -> Tensor:
        H = q.H.clone().requires_grad_()
        return 25 * _gradient((kernel[q.p][:, q.p0] * (H @ q.H0.T)).mean(), H)

    kernel, W = limit_kernel(2, law), q.W.clone().requires_grad_()
    alike = Anchors(torch.cat([c[:, :1].mean(0).expand(4, 1), c[:, 1:]], 1))
    steps = _gradient(pseudo_contrastive_loss(W, q.X, q.p, kernel, alike, step_size=0.05), W)
    total, still = (kernel @ c).sum(0).norm() / c.norm(), steps[0].norm() / steps.norm()
    return (
        _equal("the pull from the centred anchors", pull(kernel), ((K * c - centre * c.sum(0)) / (K - gone))[q.p]),
        Evidence("sum of the pulls over the anchors", float(total), "at most", _EXACT),
        Evidence("step of the neuron that is alike for all patterns", float(still), "at most", _EXACT),
        _equal("the pull of uniform tasks from the anchors", pull(limit_kernel(2, "uniform")), kept * c[q.p]),
    )


def _two_sided(seed: int, *, factor: float = 2.0, away: bool = False) -> Evidence:
    """The gradient of the two-sided loss at W_0 against the pseudo-contrastive one."""
    q = _instance(seed)
    kernel = task_kernel(q.F)[q.p][:, q.p]
    W = (q.W0 + 0.3 * q.W if away else q.W0.clone()).requires_grad_()
    start, left, right = _features(q.W0, q.X), _features(W, q.X), _features(W, q.X)
    both = _gradient(-(kernel * (left @ right.T)).mean(), W)
    one = _gradient(-(kernel * (start @ _features(W, q.X).T)).mean(), W)
    return _equal("the two-sided gradient from the one-sided", factor * one, both)


def _spectral(
    seed: int, *, gone: float = 1.0, twice: float = 2.0, lowest: float = 1.0, centred: bool = True, even: bool = True
) -> tuple[Evidence, ...]:
    """Pairs of a batch with as many inputs of each pattern: balanced kernel, centred alignment, completed square."""
    q, K = _instance(seed), 4
    p = torch.arange(24) % (K if even else 3)
    X = q.inputs.sample(24, generator=stream(seed, "even"))
    H = _features(q.W, X) * (1 + p.double()).unsqueeze(1)  # so that patterns differ
    kernel, same = limit_kernel(2, "balanced")[p][:, p], (p.unsqueeze(1) == p).double()
    phi = H - H.mean(0) if centred else H
    positive = torch.stack([phi[p == z].mean(0) for z in p.unique()]).square().sum(1).mean()  # two inputs of a pattern
    pairs, gram = (kernel * (H @ H.T)).mean(), phi @ phi.T
    square = (gram - (K - 1) * kernel).square().mean()
    corners = torch.linalg.svd(torch.eye(K, dtype=torch.float64) - 1 / K).U[p, : K - 1]
    frame = K * corners @ corners.T
    least = frame.square().mean() - 2 * (frame * same * K).mean()
    return (
        _equal("the balanced pairs from positive pairs of centred features", positive / (K - gone), pairs),
        _equal("the balanced pairs from the centred alignment", K / (K - gone) * (same * gram).mean(), pairs),
        _equal("the completed square", square - lowest * (K - 1), gram.square().mean() - twice * positive),
        Evidence("least value over -(K - 1), off 1", abs(float(least) / (lowest * (1 - K)) - 1), "at most", _EXACT),
    )


@lru_cache(maxsize=3)
def _all_tables(seed: int, adapted: bool, closed: bool) -> tuple[TwoLayerReLU, Tensor, Tensor, Tensor]:
    """Network, inputs; over all tables of two tasks on one feature, gradients (N, m, d) and pulls (N, K, m)."""
    random = streams(seed, "weights", "heads", "inputs", "subspace")
    inputs, T = GaussianInputs.random(6, 1, generator=random["subspace"]), 2
    start = TwoLayerReLU.random(5, 6, tasks=T, generator=random["weights"])
    network = TwoLayerReLU(start.W, start.b, 0.01 * torch.randn(T, 5, generator=random["heads"], dtype=torch.float64))
    X = inputs.sample(12, generator=random["inputs"])
    p, H = inputs.patterns(X), network.features(X)
    laws = all_tasks(1) if closed else all_tasks(1)[1:]
    gradients, pulls = [], []
    for rows in torch.cartesian_prod(*[torch.arange(len(laws))] * T):
        Y = laws[rows][:, p]
        heads = one_step_heads(H, Y, step_size=0.01) if adapted else network.A
        gradients.append(representation_gradient(TwoLayerReLU(network.W, network.b, heads), X, Y).W)
        pulls.append(laws[rows].T @ heads / T)
    return network, X, torch.stack(gradients), torch.stack(pulls)


def _fixed_heads(
    seed: int, *, rate: float = 1.0, most: Upper = 1.0, zero: bool = True, adapted: bool = False, closed: bool = True
) -> tuple[Evidence, ...]:
    """Gradients and pulls over all tables of tasks; the mean margin of the best features, with orthogonal heads."""
    network, X, gradients, pulls = _all_tables(seed, adapted, closed)
    A, Y = network.A, all_tasks(1)[1:3, torch.arange(12) % 2]
    start = TwoLayerReLU(network.W, network.b, torch.zeros_like(A) if zero else A)
    still = max(float(representation_gradient(start, X, Y, loss=loss).W.abs().max()) for loss in LOSSES)
    mean = float(gradients.mean(0).norm() / gradients.square().sum((1, 2)).mean().sqrt())
    drift = float(pulls.mean(0).norm() / pulls.square().sum((1, 2)).mean().sqrt())
    second, size = pulls.square().sum(2).mean(0), A.square().sum(1).mean()
    labels = all_tasks(1)[torch.cartesian_prod(torch.arange(4), torch.arange(4)), 0]  # (16, T): of one pattern
    orthogonal = torch.linalg.qr(A.T).Q.T * torch.arange(1.0, 3.0).double().unsqueeze(1)
    margins = []
    for heads in (A, orthogonal):
        best = torch.nn.functional.normalize(labels @ heads, dim=1)  # the unit features that suit the table most
        bound = most * heads.square().sum(1).mean().sqrt() / math.sqrt(2)
        margins.append(float((labels * (best @ heads.T)).mean() / bound))
    return (
        Evidence("largest entry of the gradient, heads at zero, both losses", still, "at most", 0),
        Evidence("mean gradient over its root mean square", mean, "at most", _EXACT),
        Evidence("mean pull over its root mean square", drift, "at most", _EXACT),
        _equal("the mean square of a pull", (size / 2**rate).expand(2), second),
        Evidence("mean margin over its bound, heads at random and orthogonal", max(margins), "at most", 1 + _EXACT),
    )


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Tensor, Tensor]:
    """Points of R^4 and their weights under N(0, I): exact but for 1e-12 for x_j times any function of three signs."""
    x, w = np.polynomial.legendre.leggauss(20)
    half, density = 4 * (x + 1), 4 * w * np.exp(-8 * (x + 1) ** 2) / math.sqrt(2 * math.pi)
    line, weights = (torch.from_numpy(np.concatenate(parts)) for parts in ((-half, half), (density, density)))
    sign = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    points = torch.cartesian_prod(line, line, line, sign)
    return points, torch.cartesian_prod(weights, weights, weights, torch.full((2,), 0.5).double()).prod(1)


@lru_cache(maxsize=2)
def _seen_by_a_neuron(seed: int, blind: bool) -> tuple[Tensor, ...]:
    """M, w and three tasks; E[f 1{w.x > 0} x]; a fixed head; steps of fixed and adapted heads, from autograd."""
    random = streams(seed, "tasks", "rotation", "heads")
    both = torch.tensor([[1.0, -1.0, -1.0, -1.0]], dtype=torch.float64).roll(seed % 4, 1)
    F = torch.cat([both, sample_tasks(2, 2, generator=random["tasks"])])
    Q = torch.linalg.qr(torch.randn(4, 4, generator=random["rotation"], dtype=torch.float64)).Q
    X, weights = _quadrature()
    X, M, w = X @ Q.T, Q[:, :2], (2 * Q[:, 2] + (0 if blind else Q[:, 0])).requires_grad_()
    Y = F[:, GaussianInputs(M).patterns(X)] * weights
    features = (X @ w).clamp(min=0)
    means, a = Y * (features > 0) @ X, torch.rand(3, generator=random["heads"], dtype=torch.float64)
    adapted = (Y @ features).detach()  # heads of step 1
    steps = (torch.autograd.grad((h @ (Y @ features)) / 3, w, retain_graph=True)[0] for h in (a, adapted))
    return M, w.detach(), F, means.detach(), a, *steps


def _blind(
    seed: int, *, two: float = 2.0, mean: float = 1.0, fixed: float = 2.0, adapted: float = 2.0, blind: bool = True
) -> tuple[Evidence, ...]:
    """Quadrature of the definition, and autograd on the linear loss, against the formulas."""
    M, w, F, means, a, fixed_step, adapted_step = _seen_by_a_neuron(seed, blind)
    f = walsh_coefficients(F)
    f0, f1, size = f[:, :1], degree_one(f), w.norm()
    formula = (f1 @ M.T + mean * f0 * w / size) / math.sqrt(two * math.pi)
    inside, outside = (a.unsqueeze(1) * f1).mean(0), (a * f0[:, 0]).mean() * w / size
    stated_fixed = (M @ inside + outside) / math.sqrt(fixed * math.pi)
    stated_adapted = (size * M @ (f0 * f1).mean(0) + f0.square().mean() * w) / (adapted * math.pi)
    return (
        _equal("the formula from quadrature", formula, means, 1e-9),
        _equal("the step of fixed heads", stated_fixed, fixed_step, 1e-9),
        _equal("the step of adapted heads", stated_adapted, adapted_step, 1e-9),
    )


def _ridge(seed: int, *, penalty: float = 1.0, gain: float = 1.0, whiten: bool = True) -> tuple[Evidence, ...]:
    """The kernel form and the package's loss against least squares; the eigenvalues of P."""
    q, mu = _instance(seed), 2.0
    Y, m, n = q.F[:, q.p], q.H.shape[1], q.H.shape[0]
    padded = torch.cat([q.H, math.sqrt(mu) * torch.eye(m, dtype=torch.float64)])
    targets = torch.cat([Y.T, torch.zeros(m, 5, dtype=torch.float64)])
    best = torch.linalg.lstsq(padded, targets).solution
    brute = (padded @ best - targets).square().sum() / (5 * n)
    eye = torch.eye(m, dtype=torch.float64)
    P, true = (q.H @ torch.linalg.inv(q.H.T @ q.H + size * mu * eye) @ q.H.T for size in (penalty, 1.0))
    gram = q.H @ q.H.T
    weights = P if whiten else gram / gram.trace()
    kernel_form = 1 - gain * (weights * task_kernel(q.F)[q.p][:, q.p]).sum() / n
    both = torch.stack([brute, whitened_contrastive_loss(q.H, Y, penalty=mu)])
    gammas = torch.linalg.eigvalsh(gram)
    return (
        _equal("the kernel form from least squares", kernel_form.expand(2), both),
        _equal("the eigenvalues of P", gammas / (gammas + penalty * mu), torch.linalg.eigvalsh(true)),
    )


class _Minimum(NamedTuple):
    """A batch's patterns and its tasks' kernel on it; what minimisation of the ridge loss with decay finds."""

    patterns: Tensor
    kernel: Tensor
    loss: float
    H: Tensor


_PENALTY, _DECAY = 0.5, 0.1


@lru_cache(maxsize=8)
def _minimum(seed: int, law: str, m: int, even: bool = True, noise: bool = False) -> _Minimum:
    """Free features of 12 inputs, minimised from a random start; the tasks are drawn, or all of a law on 2 features."""
    random = streams(seed, "tasks", "patterns", "start")
    F = sample_tasks(7, 3, generator=random["tasks"]) if law == "drawn" else all_tasks(2)
    F = balanced_tasks(2) if law == "balanced" else F
    K = F.shape[1]
    p = torch.arange(12) % K if even else torch.arange(12) % 6 % K
    p = torch.randint(8, (12,), generator=random["patterns"]) if law == "drawn" else p
    Y = torch.cat([F[:, p[:1]] * (-1 if noise else 1), F[:, p[1:]]], 1)
    kernel = Y.T @ Y / len(Y)
    target, eye = kernel.numpy(), np.eye(m)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        H = flat.reshape(12, m)
        S = H @ np.linalg.inv(H.T @ H + _PENALTY * eye)
        P = S @ H.T
        slope = -2 * (target @ S - P @ (target @ S)) + 2 * _DECAY * H
        return 1 - (float((P * target).sum()) - _DECAY * float((H**2).sum())) / 12, slope.ravel() / 12

    start = torch.randn(12 * m, generator=random["start"], dtype=torch.float64).numpy()
    found = minimize(objective, start, jac=True, options={"gtol": 1e-11, "maxiter": 5000})
    return _Minimum(p, kernel, float(found.fun), torch.from_numpy(found.x.reshape(12, m)))


def _minimiser(
    seed: int, *, level: float = 1.0, power: float = 2.0, size: float = 1.0, top: bool = True, few: int = 3
) -> tuple[Evidence, ...]:
    """Loss and Gram matrix at a numerical minimum of three neurons against the formulas; a layer of great size."""
    q = _minimum(seed, "drawn", 3)
    lambdas, U = torch.linalg.eigh(q.kernel)
    chosen = slice(-few, None) if top else slice(0, few)
    large = 1e5 * U[:, -3:]
    lambdas, U = lambdas[chosen].clamp(min=0), U[:, chosen]
    gains = (lambdas.sqrt() - math.sqrt(level * _PENALTY * _DECAY)).clamp(min=0) ** power
    gammas = size * (lambdas * _PENALTY / _DECAY).sqrt().sub(_PENALTY).clamp(min=0)
    P = large @ torch.linalg.inv(large.T @ large + _PENALTY * torch.eye(large.shape[1]).double()) @ large.T
    limit = 1 - size * float(lambdas.sum()) / 12
    return (
        Evidence("least loss found minus stated", abs(q.loss - 1 + float(gains.sum()) / 12), "at most", 1e-6),
        _equal("the Gram matrix at the minimum", (U * gammas) @ U.T, q.H @ q.H.T, 1e-3),
        Evidence(
            "loss without decay, minus its infimum", abs(1 - float((P * q.kernel).sum()) / 12 - limit), "at most", 1e-6
        ),
    )


def _collapse(
    seed: int, *, gone: float = 1.0, size: float = 1.0, orthogonal: float = 1.0, even: bool = True, noise: bool = False
) -> tuple[Evidence, ...]:
    """Features at a numerical minimum, all balanced and all uniform tasks, as many inputs of each pattern."""
    q, K, n = _minimum(seed, "balanced", 4, even, noise), 4, 12
    means = torch.stack([q.H[q.patterns == z].mean(0) for z in range(K)])
    gamma = size * (math.sqrt(n / (K - 1) * _PENALTY / _DECAY) - _PENALTY)
    eye = torch.eye(K, dtype=torch.float64)
    frame = gamma * (K - 1) / n * (eye - (1 - eye) / (K - gone))
    uniform = _minimum(seed, "uniform", 5, even, noise)
    gamma = orthogonal * (math.sqrt(n / K * _PENALTY / _DECAY) - _PENALTY)
    alone = torch.stack([uniform.H[uniform.patterns == z].mean(0) for z in range(K)])
    return (
        _equal("the features from their pattern's mean", q.H, means[q.patterns], 1e-4),
        _equal("the Gram matrix of balanced tasks", means @ means.T, frame, 1e-4),
        _equal("the Gram matrix of uniform tasks", alone @ alone.T, gamma * K / n * eye, 1e-4),
    )


_claim = partial(stated, "02_pseudo_contrastive_loss", sharpness=1e-6)

CLAIMS: tuple[Claim, ...] = (
    _claim("lem-head-step", _head_step, {"sum for mean": {"by": "sum"}}),
    _claim(
        "thm-pseudo-contrastive",
        _pseudo,
        {
            "batches of each task's own": {"shared": False},
            "margins beyond 1": {"small": False},
            "fresh batch's anchors": {"fresh_anchors": True},
        },
    ),
    _claim("cor-hinge-range", _range),
    _claim("prop-logistic", _logistic, sharpness=0.01),
    _claim(
        "prop-anchors", _anchors, {"unmixed anchors": {"mixed": False}, "anchors under the new W": {"moving": True}}
    ),
    _claim("prop-limit-kernels", _limits, {"uniform tasks repel": {"white": False}}),
    _claim("cor-balanced-repel", _repel, {"uniform tasks": {"law": "uniform"}}),
    _claim("prop-kernel-deviation", _deviation, sharpness=0.1),
    _claim("prop-kernel-pulls", _pulls),
    _claim("prop-two-sided", _two_sided, {"away from W_0": {"away": True}}),
    _claim(
        "prop-spectral",
        _spectral,
        {"features not centred": {"centred": False}, "patterns of unequal share": {"even": False}},
    ),
    _claim(
        "prop-fixed-heads",
        _fixed_heads,
        {"heads not zero": {"zero": False}, "adapted heads": {"adapted": True}, "law without -f": {"closed": False}},
    ),
    _claim("prop-blind-neuron", _blind, {"a neuron that is not blind": {"blind": False}}),
    _claim("thm-ridge-whitened", _ridge, {"no whitening": {"whiten": False}}),
    _claim(
        "thm-ridge-minimiser",
        _minimiser,
        {"the last eigenvectors": {"top": False}, "one neuron fewer": {"few": 2}, "one neuron more": {"few": 4}},
        sharpness=0.01,
    ),
    _claim(
        "cor-ridge-collapse",
        _collapse,
        {"patterns of unequal share": {"even": False}, "a label that the pattern does not decide": {"noise": True}},
        sharpness=0.01,
    ),
)
