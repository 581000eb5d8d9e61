"""Claims of chapter 2: the pseudo-contrastive loss, line by line.

Oracles: autograd, double loops over pairs, the enumeration of all tasks, Monte Carlo, least squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from mtfl.claims.registry import Claim, Evidence
from mtfl.contrastive import (
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
from mtfl.randomness import streams
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


def _instance(seed: int, *, tasks: int = 5, law: str = "uniform") -> _Instance:
    random = streams(seed, "subspace", "weights", "tasks", "inputs")
    inputs = GaussianInputs.random(8, 2, generator=random["subspace"])
    F = sample_tasks(tasks, 2, law=law, generator=random["tasks"])
    W0, W = (TwoLayerReLU.random(12, 8, tasks=1, generator=random["weights"]).W for _ in range(2))
    X0, X = inputs.sample(30, generator=random["inputs"]), inputs.sample(25, generator=random["inputs"])
    p0, p, H0, H = inputs.patterns(X0), inputs.patterns(X), _features(W0, X0), _features(W, X)
    unit = F[:, p] * (F[:, p0] @ H0 / 30 @ H.T)
    return _Instance(inputs, F, W0, W, X0, X, p0, p, H0, H, unit)


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _head_step(seed: int, *, kappa: float = 0.5, by: str = "mean") -> Evidence:
    """One step from zero heads is kappa eta_a times the mean of y relu(W_0 x), for any margin loss."""
    q = _instance(seed)
    A = torch.zeros(5, 12, dtype=torch.float64, requires_grad=True)
    Y = q.F[:, q.p0]
    margin_loss(Y * (A @ q.H0.T), loss="logistic").mean(1).sum().backward()  # the sum keeps every task's own loss
    assert A.grad is not None
    closed = kappa * 0.3 * (Y @ q.H0) / (30 if by == "mean" else 1)
    ours = one_step_heads(q.H0, Y, step_size=0.3, loss="logistic")
    worst = max(_relative(closed, -0.3 * A.grad), _relative(ours, closed))
    return Evidence("relative difference from autograd's head step", worst, "at most", _EXACT)


def _pseudo(seed: int, *, kernel_scale: float = 1.0, fresh_anchors: bool = False) -> Evidence:
    """With these heads and margins below 1 the hinge loss is 1 - eta_a mean K_T <relu(W_0 x), relu(W x')>."""
    q, step = _instance(seed), 0.05
    kernel = kernel_scale * task_kernel(q.F)
    heads = one_step_heads(q.H0, q.F[:, q.p0], step_size=step)
    true = torch.stack([margin_loss(q.F[t, q.p] * (q.H @ heads[t])).mean() for t in range(5)]).mean()
    left, patterns = (_features(q.W0, q.X), q.p) if fresh_anchors else (q.H0, q.p0)
    olds, news = list(zip(left, patterns, strict=True)), list(zip(q.H, q.p, strict=True))
    double_sum = 1 - step * torch.stack([kernel[k, z] * (h0 @ h) for h0, k in olds for h, z in news]).mean()
    ours = pseudo_contrastive_loss(q.W, q.X, q.p, kernel, Anchors.of(left, patterns, 2), step_size=step)
    worst = max(abs(float(true - double_sum)), abs(float(true - ours))) / abs(1 - float(true))
    return Evidence("difference of multi-task loss, double sum and anchors' form", worst, "at most", _EXACT)


def _range(seed: int, *, times: float = 1.0, overshoot: bool = True) -> Evidence:
    """Exact for eta_a R_0 R <= 1; beyond, the hinge loss exceeds the formula by the mean overshoot of margin 1."""
    q = _instance(seed)
    limit = 1 / float(q.H0.norm(dim=1).max() * q.H.norm(dim=1).max())
    gaps = []
    for step, known in ((times * limit, False), (100 * limit, overshoot)):
        formula = 1 - step * q.unit.mean()
        beyond = (step * q.unit - 1).clamp(min=0).mean() if known else 0.0
        gaps.append(float((margin_loss(step * q.unit).mean() - formula - beyond).abs()))
    return Evidence("hinge loss minus formula and overshoot, in and out of range", max(gaps), "at most", _EXACT)


def _logistic(seed: int, *, constant: float = 1 / 32, kappa: float = 0.5) -> Evidence:
    """For the logistic loss the error of the formula is eta_a^2 mean(s^2) / 32 to leading order, and never more."""
    q, worst = _instance(seed), 0.0
    for step in (0.01, 0.02, 5.0):
        error = margin_loss(step / 2 * q.unit, loss="logistic").mean() - (math.log(2) - kappa**2 * step * q.unit.mean())
        ratio = float(error / (constant * step**2 * q.unit.square().mean()))
        worst = max(worst, abs(ratio - 1) if step < 1 else max(ratio - 1, -ratio))
    return Evidence("error over eta_a^2 mean(s^2) / 32, off 1 or its range", worst, "at most", 0.01)


def _anchors(seed: int, *, mixed: bool = True, moving: bool = False) -> Evidence:
    """The gradient pulls every input's features towards the kernel-weighted anchor of its pattern."""
    q = _instance(seed)
    Y0, Y = q.F[:, q.p0], q.F[:, q.p]
    W = q.W0.clone().requires_grad_()
    left = _features(W, q.X0) if moving else q.H0
    margin_loss(Y * (0.05 * Y0 @ left / 30 @ _features(W, q.X).T)).mean().backward()
    assert W.grad is not None
    anchors = Anchors.of(q.H0, q.p0, 2).totals
    pulls = 0.05 * ((task_kernel(q.F) @ anchors) if mixed else anchors)[q.p] / 25
    gradient = -((pulls * (q.X @ q.W0.T > 0)).T @ q.X)
    network = TwoLayerReLU(q.W0, torch.zeros_like(q.W0[:, 0]), one_step_heads(q.H0, Y0, step_size=0.05))
    worst = max(_relative(gradient, W.grad), _relative(representation_gradient(network, q.X, Y).W, gradient))
    return Evidence("relative difference from autograd's gradient", worst, "at most", _EXACT)


def _limits(seed: int, *, off: float | None = None) -> Evidence:
    """The mean kernel is 1{z = z'} for uniform tasks, (K 1{z = z'} - 1) / (K - 1) for balanced ones and parities."""
    r, worst = 1 + seed % 3, 0.0
    everything = all_tasks(r)
    parities = characters(r)[1:]
    tables = {
        "uniform": everything,
        "balanced": everything[everything.sum(1) == 0],
        "parity": torch.cat([parities, -parities]),
    }
    for law, F in tables.items():
        kernel = limit_kernel(r, law)
        if off is not None and law != "uniform":
            kernel = torch.where(torch.eye(2**r) > 0, 1.0, -off / 2**r).double()
        worst = max(worst, float((F.T @ F / len(F) - kernel).abs().max()))
    return Evidence("largest difference from the mean over all tasks of the law", worst, "at most", 1e-12)


def _deviation(seed: int, *, scale: float = 1.0, pairs: float | None = None) -> Evidence:
    """With probability 1 - delta all entries of K_T are within sqrt(2 log(K^2 / delta) / T) of their means."""
    r, T, draws, failure = 3, 64, 400, 0.05
    bound = scale * kernel_deviation_bound(r, T, failure=failure)
    if pairs is not None:
        bound = math.sqrt(2 * math.log(pairs / failure) / T)
    F = sample_tasks(draws * T, r, generator=streams(seed, "tasks")["tasks"]).reshape(draws, T, 2**r)
    kernels = F.transpose(1, 2) @ F / T
    worst = (kernels - limit_kernel(r)).abs().amax((1, 2))
    share = float((worst > bound).double().mean())
    return Evidence("share of task tables beyond the bound of failure 0.05", share, "at most", failure)


def _repel(seed: int, *, law: str = "balanced", centred: bool = True) -> Evidence:
    """Balanced tasks pull a point to its pattern's anchor, away from the mean anchor, with weight K / (K - 1)."""
    q, K = _instance(seed), 4
    kernel = limit_kernel(2, law)
    H = q.H.clone().requires_grad_()
    (kernel[q.p][:, q.p0] * (H @ q.H0.T)).mean().backward()
    assert H.grad is not None
    c = Anchors.of(q.H0, q.p0, 2).totals
    pull = (K * c - c.sum(0)) / (K - 1) if centred else K * c / (K - 1)
    return Evidence("relative difference of a point's pull", _relative(H.grad * 25, pull[q.p]), "at most", _EXACT)


def _two_sided(seed: int, *, factor: float = 2.0, away: float = 0.0) -> Evidence:
    """At W = W_0 the two-sided contrastive loss has twice the gradient of the pseudo-contrastive loss."""
    q = _instance(seed)
    kernel = task_kernel(q.F)[q.p][:, q.p]

    def gradient(left: Tensor, right: Tensor, at: Tensor) -> Tensor:
        (loss,) = torch.autograd.grad(-(kernel * (left @ right.T)).mean(), at)
        return loss

    W = (q.W0 + away * q.W).requires_grad_()
    both = gradient(_features(W, q.X), _features(W, q.X), W)
    one = gradient(_features(q.W0, q.X), _features(W, q.X), W)
    return Evidence("two-sided gradient against twice one-sided", _relative(factor * one, both), "at most", _EXACT)


def _fixed_heads(seed: int, *, adapted: bool = False, closed: bool = True) -> Evidence:
    """Zero heads give no gradient; heads independent of the tasks one of mean zero, and pulls of size a / sqrt T."""
    random = streams(seed, "weights", "heads", "inputs", "subspace")
    inputs, T = GaussianInputs.random(6, 1, generator=random["subspace"]), 3
    network = TwoLayerReLU.random(5, 6, tasks=T, generator=random["weights"])
    A = 0.01 * torch.randn(T, 5, generator=random["heads"], dtype=torch.float64)
    X = inputs.sample(12, generator=random["inputs"])
    p, H = inputs.patterns(X), network.features(X)
    laws = all_tasks(1) if closed else all_tasks(1)[1:]
    gradients, pulls = [], []
    for rows in torch.cartesian_prod(*[torch.arange(len(laws))] * T):
        Y = laws[rows][:, p]
        heads = one_step_heads(H, Y, step_size=0.01) if adapted else A
        gradients.append(representation_gradient(TwoLayerReLU(network.W, network.b, heads), X, Y).W)
        pulls.append(laws[rows].T @ heads / T)
    G = torch.stack(gradients)
    zero = float(representation_gradient(network, X, laws[:T][:, p]).W.abs().max())
    mean = float(G.mean(0).norm() / G.square().sum((1, 2)).mean().sqrt())
    moment = _relative(torch.stack(pulls).square().sum((1, 2)).mean(), 2 * A.square().sum() / T**2)
    return Evidence("mean gradient and second moment over all tables", max(mean, moment, zero), "at most", _EXACT)


def _blind(seed: int, *, mean_part: float = 1.0, constant: float = 2.0) -> Evidence:
    """A task pulls a blind neuron by (M fhat_1 + fhat_0 w/|w|) / sqrt(2 pi) times its entry in the head."""
    n, d, r = 60000, 4, 2
    random = streams(seed, "tasks", "inputs")
    F = torch.tensor([[1.0, -1.0, -1.0, -1.0]], dtype=torch.float64).roll(seed % 4, 1)
    M = torch.eye(d, r, dtype=torch.float64)
    X = GaussianInputs(M).sample(n, generator=random["inputs"])
    w = torch.tensor([0.0, 0.0, 1.2, 1.6], dtype=torch.float64)  # |w| = 2
    labels = F[0, GaussianInputs(M).patterns(X)].unsqueeze(1)
    entry = labels * (X @ w).clamp(min=0).unsqueeze(1)  # an adapted head has its mean, fhat_0 |w| / sqrt(2 pi)
    samples = torch.cat([labels * (X @ w > 0).unsqueeze(1) * X, entry], 1)
    f = walsh_coefficients(F)
    pull = M @ degree_one(f)[0] + mean_part * f[0, 0] * w / 2
    expected = torch.cat([pull, mean_part * f[0, :1] * 2]) / math.sqrt(constant * math.pi)
    errors = (samples.mean(0) - expected).abs() / (samples.std(0) / math.sqrt(n))
    return Evidence("Monte Carlo minus formula, in standard errors", float(errors.max()), "at most", 5.0)


def _ridge(seed: int, *, penalty: float = 2.0, whiten: bool = True) -> Evidence:
    """With heads at the ridge optimum the loss is 1 - tr(Y P Y^T) / (n T), P the features' smoothed projector."""
    q = _instance(seed)
    Y, m, n = q.F[:, q.p], q.H.shape[1], q.H.shape[0]
    padded = torch.cat([q.H, math.sqrt(2.0) * torch.eye(m, dtype=torch.float64)])
    targets = torch.cat([Y.T, torch.zeros(m, 5, dtype=torch.float64)])
    best = torch.linalg.lstsq(padded, targets).solution
    brute = (padded @ best - targets).square().sum() / (5 * n)
    gram = q.H @ q.H.T
    P = gram @ torch.linalg.inv(gram + penalty * torch.eye(n, dtype=torch.float64)) if whiten else gram / gram.trace()
    kernel_form = 1 - (P * task_kernel(q.F)[q.p][:, q.p]).sum() / n
    ours = whitened_contrastive_loss(q.H, Y, penalty=2.0)
    worst = max(_relative(kernel_form, brute), _relative(ours, kernel_form))
    return Evidence("relative difference from least squares", worst, "at most", _EXACT)


def _claim(label: str, check: Callable[..., Evidence], *mutants: tuple[str, str, object]) -> Claim:
    """A claim whose statement is its check's docstring; a mutant (name, keyword, value) changes one keyword."""
    wrong = {name: partial(check, **{keyword: value}) for name, keyword, value in mutants}
    return Claim(label, "02_pseudo_contrastive_loss", check, wrong)


CLAIMS: tuple[Claim, ...] = (
    _claim("lem-head-step", _head_step, ("the hinge's slope", "kappa", 1.0), ("sum for mean", "by", "sum")),
    _claim(
        "thm-pseudo-contrastive",
        _pseudo,
        ("summed kernel", "kernel_scale", 5.0),
        ("fresh batch's anchors", "fresh_anchors", True),
    ),
    _claim(
        "cor-hinge-range", _range, ("100 times the range", "times", 100.0), ("exact at any step", "overshoot", False)
    ),
    _claim("prop-logistic", _logistic, ("a 16 for the 32", "constant", 1 / 16), ("the hinge's slope", "kappa", 1.0)),
    _claim("prop-anchors", _anchors, ("unmixed anchors", "mixed", False), ("W_0 moving along", "moving", True)),
    _claim("prop-limit-kernels", _limits, ("balanced tasks do not repel", "off", 0.0), ("repulsion 1 / K", "off", 1.0)),
    _claim("prop-kernel-deviation", _deviation, ("no union bound", "pairs", 2.0), ("1 / T", "scale", 1 / 8)),
    _claim("cor-balanced-repel", _repel, ("uniform tasks", "law", "uniform"), ("no repulsion", "centred", False)),
    _claim("prop-two-sided", _two_sided, ("the same gradient", "factor", 1.0), ("away from W_0", "away", 0.3)),
    _claim(
        "prop-fixed-heads",
        _fixed_heads,
        ("adapted heads", "adapted", True),
        ("law not closed under -f", "closed", False),
    ),
    _claim("prop-blind-neuron", _blind, ("without the mean", "mean_part", 0.0), ("1 / sqrt(pi)", "constant", 1.0)),
    _claim("thm-ridge-whitened", _ridge, ("no penalty", "penalty", 1e-6), ("no whitening", "whiten", False)),
)
