"""Claims of chapter 7: other laws of the inputs, of the labels and of the tasks.

Oracles: autograd of the multi-task loss on samples and on all points of a hypercube, quadrature over features and
pre-activation, autograd of cross-entropy, a Markov chain, and sums over all tables.
"""

from __future__ import annotations

import itertools
import math
from functools import cache, lru_cache, partial

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from mtfl.activations import ACTIVATIONS, hermite_coefficients
from mtfl.claims.draws import balanced_tasks, gauss_hermite, largest, normal, off, relative
from mtfl.claims.registry import Evidence, Generous, stated
from mtfl.metrics import recovery
from mtfl.population import Neurons, population_step
from mtfl.randomness import stream
from mtfl.tasks import (
    all_tasks,
    centred,
    degree_one,
    pattern_signs,
    sample_tasks,
    task_kernel,
    walsh_coefficients,
)


def _generator(seed: int) -> torch.Generator:
    return stream(seed, "claims laws")


def _step(W: Tensor, X: Tensor, Y: Tensor, unit: str) -> Tensor:
    """Half the gradient of the mean squared correlation on a sample, by autograd."""
    W = W.clone().requires_grad_()
    phi = Y @ ACTIVATIONS[unit](X @ W.T) / len(X)
    return torch.autograd.grad(phi.square().mean(0).sum() / 2, W)[0]


def _odd_tasks(r: int) -> Tensor:
    F = all_tasks(r)
    return F[(F == -F.flip(1)).all(1)]


# Inputs


@lru_cache(maxsize=4)
def _radial_steps(seed: int, unit: str, scaled: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Steps on points R s of two shells; the Gaussian step; mean squares of the responses to s.

    A mutant's labels change their sign with the shell.
    """
    g, d = _generator(seed), 3
    height, turn = torch.meshgrid(*[(torch.arange(100).double() + 0.5) / 100] * 2, indexing="ij")  # Archimedes
    flat, around = (1 - (2 * height - 1).square()).sqrt(), 2 * math.pi * turn
    s = torch.stack([flat * around.cos(), flat * around.sin(), 2 * height - 1], -1).reshape(-1, d).repeat(2, 1)
    R = torch.tensor([1.0, 7.0]).double().repeat_interleave(len(s) // 2)[:, None]
    F = sample_tasks(3, 2, generator=g)
    Y = F[:, (s[:, :2] > 0).long() @ torch.tensor([1, 2])]
    W = normal(3, d, generator=g)
    G = _step(W, R * s, Y if scaled else Y * (R[:, 0] - 4).sign(), unit)
    V, tau = W[:, :2], W[:, 2].abs()
    step = population_step(V, tau, 0 * tau, task_kernel(F), leak=0.1 if unit == "leaky ReLU" else 0.0)
    gaussian = torch.cat([step.parallel, (step.perpendicular * W[:, 2])[:, None]], 1)
    return G, gaussian, ACTIVATIONS[unit](R * s @ W.T).square().mean(0) / (1 + 0.1**2) * 2 / W.square().sum(1)


def _radial(
    seed: int,
    *,
    power: float = 2.0,
    length: float = 1.0,
    spread: float = 1.0,
    unit: str = "leaky ReLU",
    scaled: bool = True,
) -> tuple[Evidence, ...]:
    """Two shells, of radius 1 and 7, in three dimensions: E R = 4, E R^2 = 25, and E |g| = 4 / sqrt(2 pi)."""
    G, gaussian, squares = _radial_steps(seed, unit, scaled)
    ratio = 4 / (length * 4 / math.sqrt(2 * math.pi))
    law = ratio**power * gaussian
    return (
        Evidence("distance of the step to its law", relative(G, law), "at most", 0.005),
        off("mean squares of the responses", squares, spread * 25 / 3, 0.005),
    )


@lru_cache(maxsize=2)
def _coloured_steps(seed: int, epsilon: float, centre: bool) -> tuple:
    """Neurons of d = 4, M, Sigma, the step by quadrature, E[y x], and the same for Sigma^(1/2) w and white inputs."""
    g, d = _generator(seed), 4
    root, M = normal(d, d, generator=g) / 2 + torch.eye(d).double(), torch.linalg.qr(normal(d, 2, generator=g)).Q
    Sigma, directions = root @ root.T, normal(3, 2, generator=g)
    S = M.T @ Sigma @ M
    half = _power(S, 0.5)
    H, weight = gauss_hermite(2, 16)
    labels = torch.tanh(directions @ half @ H.T - 0.4)
    labels = labels - (labels @ weight)[:, None] if centre else labels
    W = normal(3, d, generator=g)
    out = W - W @ Sigma @ M @ torch.linalg.inv(S) @ M.T  # Sigma-orthogonal to M
    inside = normal(3, 2, generator=g) @ M.T
    W = out / _size(out, Sigma) + epsilon * inside / _size(inside, Sigma)
    G = _gaussian_step(W, Sigma, M @ torch.linalg.inv(half), H, weight, labels)
    N = _power(Sigma, 0.5) @ M @ torch.linalg.inv(half)
    white = _gaussian_step(W @ _power(Sigma, 0.5), torch.eye(d).double(), N, H, weight, labels)
    chi = (labels * weight) @ H @ torch.linalg.inv(half) @ M.T @ Sigma
    return W, M, Sigma, S, G, chi, white


def _power(A: Tensor, power: float) -> Tensor:
    values, vectors = torch.linalg.eigh(A)
    return vectors * values**power @ vectors.T


def _size(W: Tensor, Sigma: Tensor) -> Tensor:
    return ((W @ Sigma) * W).sum(1, keepdim=True).sqrt()


def _gaussian_step(W: Tensor, Sigma: Tensor, N: Tensor, H: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """The step for softplus on x ~ N(0, Sigma), whose features N' x are white and number H: by autograd."""
    W = W.clone().requires_grad_()
    nodes, widths = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(40))
    along = W @ Sigma @ N
    spread = (((W @ Sigma) * W).sum(1) - along.square().sum(1)).sqrt()
    s = (along @ H.T)[..., None] + spread[:, None, None] * nodes
    phi = (torch.nn.functional.softplus(s) @ (widths / widths.sum())) @ (labels * weight).T
    return torch.autograd.grad(phi.square().mean(1).sum() / 2, W)[0]


def _coloured(
    seed: int, *, inverse: float = 1.0, signal: float = 1.0, root: float = 1.0, centre: bool = True
) -> tuple[Evidence, ...]:
    """Where the step lies, at any epsilon; that it is the white one; and its law for labels without mean."""
    W, M, Sigma, S, G, _, white = _coloured_steps(seed, 1.0, centre)
    back = G @ _power(Sigma, -inverse)
    frames = torch.cat([M.expand(3, 4, 2), W[:, :, None]], 2)
    fit = (frames @ torch.linalg.lstsq(frames, back[:, :, None]).solution)[:, :, 0]
    same = relative(white @ _power(Sigma, root / 2), G)
    W, M, Sigma, S, G, chi, _ = _coloured_steps(seed, 3e-4, centre)
    size = _size(W, Sigma)
    softplus = ACTIVATIONS["softplus"]
    c = torch.stack([hermite_coefficients(softplus, 2, scale=float(x)) for x in size])
    law = signal * c[:, 1:].square() / size**2 * (W @ chi.T @ chi) / len(chi)
    share = ((W @ Sigma @ M @ torch.linalg.inv(S) @ M.T @ Sigma * W).sum(1, keepdim=True).sqrt() / size) ** 2
    nodes, widths = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(60))
    s, widths = size * nodes, widths / widths.sum()
    norms = [(x.square() @ widths).sqrt()[:, None] for x in (softplus(s), torch.sigmoid(s))]
    bound = 2 * (3 * norms[0] + 2 * size * norms[1]) * norms[1] * share
    rest = ((G - law) @ _power(Sigma, -0.5)).norm(dim=1, keepdim=True) / bound
    return (
        Evidence("Sigma^-1 G off the span of M and w", relative(fit, back), "at most", 1e-9),
        Evidence("distance to the step on white inputs", same, "at most", 1e-9),
        Evidence("remainder over its bound", float(rest.max()), "at most", 1),
    )


@lru_cache(maxsize=2)
def _on_the_cube(seed: int, odd: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """All points of a hypercube of six dimensions, two features on three coordinates each, odd tasks; their step."""
    g = _generator(seed)
    X = torch.cartesian_prod(*[torch.tensor([-1.0, 1]).double()] * 6)
    weights = 0.3 + torch.rand(2, 3, generator=g, dtype=torch.float64)
    M = torch.block_diag(*torch.nn.functional.normalize(weights)).T
    F = torch.cat([_odd_tasks(2), -_odd_tasks(2)[:1]]) if odd else balanced_tasks(2)
    Y = F[:, ((X @ M) > 0).long() @ torch.tensor([1, 2])]
    W = normal(4, 6, generator=g)
    chi = ((X @ M).sign()).T @ X / len(X)  # (2, d)
    return X, M, F, Y, W, chi


def _chow(
    seed: int, *, quarter: float = 0.25, length: float = 1.0, odd: bool = True, found: str = "Chow"
) -> tuple[Evidence, ...]:
    X, M, F, Y, W, chi = _on_the_cube(seed, odd)
    f1 = degree_one(walsh_coefficients(F))
    vectors = chi if found == "Chow" else M.T * chi.norm(dim=1, keepdim=True)
    mean = Y @ X / len(X)
    G = _step(W, X, Y, "ReLU")
    law = quarter * W @ vectors.T @ (f1.T @ f1 / len(F)) @ vectors
    cosine = (chi * M.T).sum(1) / chi.norm(dim=1)
    stated_cosine = length * (X @ M).abs().mean(0) / chi.norm(dim=1)
    return (
        Evidence("distance of E[y x] to its sum", relative(f1 @ vectors, mean), "at most", 1e-9),
        Evidence("distance of the step to its law", relative(law, G), "at most", 1e-9),
        off("cosines of Chow vectors and features", cosine, stated_cosine, 1e-9),
    )


@lru_cache(maxsize=2)
def _decoyed(seed: int, correlated: bool) -> float:
    """Share of the mean squared length along e, over all neurons of length one; e is the fourth of four dimensions."""
    g, n = _generator(seed), 300
    sizes = torch.from_numpy(ndtri(0.5 + (np.arange(n) + 0.5) / (2 * n)))  # of |h|, equally likely
    size = torch.stack([sizes[torch.randperm(n, generator=g)] for _ in range(3)], 1)
    Z = pattern_signs(3).repeat_interleave(n, 0)
    agree = torch.tensor([1.0, 1, 1, -1]).double()[torch.arange(n) % 4].repeat(8)  # three times in four: rho = 1/2
    e = normal(8 * n, 1, generator=g) / 10 + (agree * (Z[:, 0] if correlated else 1))[:, None]
    X = torch.cat([Z * size.repeat(8, 1), e], 1)
    F = _odd_tasks(3)
    Y = F[:, (Z > 0).long() @ torch.tensor([1, 2, 4])]
    chi = Y @ X / len(X)  # the same for X and -X, which make the law of the sample symmetric
    G = chi.T @ chi
    return float(G[:, 3].square().sum() / G.square().sum())


def _decoy(seed: int, *, half: float = math.pi / 2, correlated: bool = True) -> tuple[Evidence, ...]:
    square = half * (1.0 * 0.5) ** 2
    law = square * (1 + square) / ((1 + square) ** 2 + 3 - 1)
    return (off("share of the squared length along the decoy", _decoyed(seed, correlated), law, 0.02),)


# Labels


def _gain(label: Tensor, h: Tensor, weight: Tensor, v: float, tau: float) -> float:
    """Gain inside of a ReLU with r = 1, for one label without its mean: by autograd."""
    label = label - weight @ label
    w = torch.tensor([v], dtype=torch.float64, requires_grad=True)
    s = w * h
    density = (-((s / tau) ** 2) / 2).exp() / math.sqrt(2 * math.pi)
    response = s * (1 + torch.erf(s / (tau * math.sqrt(2)))) / 2 + tau * density
    phi = weight @ (label * response)
    return float(torch.autograd.grad(phi**2 / 2, w)[0] / v)


@cache
def _halves(border: float) -> tuple[Tensor, Tensor]:
    """Points and weights of means over a normal variable, on either side of a border."""
    nodes, widths = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(80))
    h = torch.cat([border - 5 * (nodes + 1), border + 5 * (nodes + 1)])
    return h, 5 * widths.repeat(2) * (-(h**2) / 2).exp() / math.sqrt(2 * math.pi)


def _any_label(
    seed: int, *, exponent: float = 1.0, size: float = 2 / math.pi, quarter: float = 0.25, even: bool = True
) -> tuple[Evidence, ...]:
    """Gains of a threshold, of a smooth label, and of one without slope, at epsilon = 0.0001."""
    rng = np.random.default_rng(seed)
    theta, a, tau = 0.8 + rng.random(), 1 + rng.random(), 0.7 + 0.6 * rng.random()
    h, weight = _halves(theta)
    sign = _gain((h - theta).sign(), h, weight, 1e-4 * tau, tau)
    h, weight = _halves(0.0)
    smooth = _gain(torch.tanh(a * h - theta), h, weight, 1e-4 * tau, tau)
    slope = float(weight @ (a / torch.cosh(a * h - theta) ** 2))
    flat = _gain(torch.cos(a * h) if even else torch.sin(a * h), h, weight, 1e-4 * tau, tau)
    return (
        off("gain of a threshold", sign, quarter * size * math.exp(-exponent * theta**2), 1e-3),
        off("gain of a smooth label", smooth, quarter * slope**2, 1e-3),
        Evidence("gain of a label without slope", flat, "at most", 1e-5),
    )


@cache
def _classes(K: int, C: int) -> Tensor:
    """All ways of giving K patterns C classes, each K / C times, (ways, K)."""
    ways = {way for way in itertools.product(range(C), repeat=K) if all(way.count(c) == K // C for c in range(C))}
    return torch.tensor(sorted(ways))


def _softmax(
    seed: int, *, centre: float = 1.0, share: float = 1.0, less: float = 1.0, balanced: bool = True
) -> tuple[Evidence, ...]:
    """Autograd of cross-entropy; the mean over all balanced tasks of two features; and the rank of one task of many."""
    g, C, n, m, d = _generator(seed), 3 + seed % 3, 60, 4, 5
    X, W = normal(n, d, generator=g), normal(m, d, generator=g)
    y = torch.randint(C, (2, n), generator=g)  # two tasks
    hidden = torch.relu(X @ W.T)
    zero = torch.zeros(2, C, m, dtype=torch.float64, requires_grad=True)
    loss = torch.stack([torch.nn.functional.cross_entropy(hidden @ zero[t].T, y[t]) for t in range(2)]).sum()
    heads, weights = -1e-7 * torch.autograd.grad(loss, zero)[0], W.clone().requires_grad_()
    losses = [torch.nn.functional.cross_entropy(torch.relu(X @ weights.T) @ heads[t].T, y[t]) for t in range(2)]
    G = -torch.autograd.grad(torch.stack(losses).mean(), weights)[0] / 1e-7
    same = (y[:, :, None] == y[:, None]).double().mean(0) - centre / C
    law = ((same @ hidden) * (X @ W.T > 0)).T @ X / n**2

    found = []
    for K, classes in ((4, 2), (6, 3), (6, 2), (4, 4)):
        ways = _classes(K, classes) if balanced else torch.cartesian_prod(*[torch.arange(classes)] * K)
        kernel = (ways[:, :, None] == ways[:, None]).double().mean(0) - 1 / classes
        limit = (K * torch.eye(K) - 1).double() / (K - 1)
        found.append(largest(kernel - (1 - share / classes) * limit))
    labels = torch.randperm(64, generator=g) // 16  # four classes of the patterns of six features
    one = torch.nn.functional.one_hot(labels).double().T
    values = torch.linalg.svdvals(one @ pattern_signs(6))
    rank = float((values > 1e-9 * values[0]).sum())
    return (
        Evidence("distance of the step to its law", relative(law, G), "at most", 1e-5),
        Evidence("distance of the mean kernel to its limit", max(found), "at most", 1e-9),
        off("rank of one task of four classes", rank, 4 - less, 0.01),
    )


# Tasks


@cache
def _chance_of_all(p: tuple[float, ...], T: int) -> float:
    """That T draws show all kinds i, of chances p_i, by a Markov chain on the sets that have been seen."""
    r = len(p)
    state = np.zeros(2**r)
    state[0] = 1
    for _ in range(T):
        after = (1 - sum(p)) * state
        for seen, i in itertools.product(range(2**r), range(r)):
            after[seen | 1 << i] += p[i] * state[seen]
        state = after
    return float(state[-1])


@cache
def _failing() -> float:
    """The stated chance of a failure over the true one: four features, parities, 0.05."""
    T = math.ceil(15 * math.log(4 / 0.05))
    return 0.05 / (1 - _chance_of_all((1 / 15,) * 4, T))


def _collector(
    seed: int, *, patterns: float = 1.0, room: Generous = 1.207, exact: bool = True, power: float = 1.0
) -> tuple[Evidence, ...]:
    """Parities of r features against a Markov chain; unequal chances; conditioning; and the number stated."""
    r, rng = 2 + seed % 3, np.random.default_rng(seed)
    T = 2 * r + seed % 7
    p = rng.dirichlet(np.ones(r + 1) * 3)[:r]

    def law(p: np.ndarray) -> float:
        if not exact:  # as if features were seen independently
            return float(np.prod(1 - (1 - p) ** T))
        sets = itertools.product((0, 1), repeat=len(p))
        return float(sum((-1) ** sum(S) * (1 - np.dot(S, p)) ** T for S in sets))

    single = np.full(r, 1 / (patterns * 2**r - 1))
    chances = _chance_of_all((1 / (2**r - 1),) * r, T), _chance_of_all(tuple(p), T)
    stated_chances = law(single), law(p)
    A = torch.diag(torch.from_numpy(p))
    neurons = torch.linalg.qr(normal(40, r, generator=_generator(seed))).Q
    conditioning = float(recovery(neurons @ A, torch.zeros(40).double()).conditioning)
    return (
        off("chance that all features are seen", torch.tensor(chances), torch.tensor(stated_chances), 1e-6),
        off("conditioning on infinitely many tasks", conditioning, (p.min() / p.max()) ** power, 1e-6),
        off("stated chance of a failure over the true one", _failing(), room, 0.01),
    )


def _correlated(seed: int, *, power: float = 2.0, share: float = 1.0, patterns: float = 1.0) -> tuple[Evidence, ...]:
    """Sums over all tables of two features, each label that of a common task or a coin; conditioning of the step."""
    rho = 0.2 + 0.06 * (seed % 10)
    F = all_tasks(2)
    linear = F[(degree_one(walsh_coefficients(F)) != 0).any(1)]  # balanced or not
    common = linear[seed % len(linear)]
    chance = (1 + rho * F * common).div(2).prod(1)
    kernel = F.T @ (chance[:, None] * F)
    law = rho**power * common.outer(common) + (1 - rho**power) * torch.eye(4).double()
    f1 = degree_one(walsh_coefficients(centred(F)))
    values = torch.linalg.eigvalsh(f1.T @ (chance[:, None] * f1))
    s = share * (1 - rho**2) / (patterns * 4)
    length = float(degree_one(walsh_coefficients(common[None])).square().sum())
    neurons = Neurons.random(100, 2, 10**8, generator=_generator(seed))
    Q = torch.eye(4).double() - 1 / 4
    step = population_step(*neurons, Q @ kernel @ Q)
    spread = torch.linalg.eigvalsh(_whitened(step.parallel, neurons.V))
    return (
        Evidence("distance of the kernel to its law", largest(kernel - law), "at most", 1e-9),
        off("conditioning", float(values[0] / values[-1]), s / (rho**2 * length + s), 1e-6),
        off("conditioning of the map of a step", float(spread[0] / spread[-1]), s / (rho**2 * length + s), 1e-3),
    )


def _whitened(step: Tensor, V: Tensor) -> Tensor:
    """The linear map of the step, fitted to its neurons."""
    A = torch.linalg.lstsq(V, step).solution
    return (A + A.T) / 2


_claim = partial(stated, "07_beyond_the_assumptions")
CLAIMS = (
    _claim(
        "thm-radial",
        _radial,
        {"tanh": {"unit": "tanh"}, "labels that depend on the length": {"scaled": False}},
    ),
    _claim("thm-coloured", _coloured, {"labels with a mean": {"centre": False}}),
    _claim(
        "prop-chow",
        _chow,
        {"labels that are not odd": {"odd": False}, "features for Chow vectors": {"found": "features"}},
        sharpness=0.01,
    ),
    _claim("prop-decoy", _decoy, {"clusters that labels do not know": {"correlated": False}}),
    _claim("prop-any-label", _any_label, {"an odd label": {"even": False}}, sharpness=0.01),
    _claim("prop-classes", _softmax, {"classes of unequal sizes": {"balanced": False}}, sharpness=0.05),
    _claim("prop-collector", _collector, {"features seen independently": {"exact": False}}, sharpness=0.05),
    _claim("prop-correlated-tasks", _correlated, sharpness=0.02),
)
