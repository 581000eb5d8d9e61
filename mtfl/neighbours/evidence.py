"""Evidence: what a probe on frozen features can say about inputs unlike those that it was fitted on.

A probe names the pattern of an input. One pattern is held out: no labelled input has it. Three scores say how strange
an input looks: the vacuity of an evidential probe, the entropy of a softmax probe, a distance to the class means.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from scipy.special import betainc
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import GaussianInputs
from mtfl.neighbours.robustness import LAYERS
from mtfl.randomness import streams
from mtfl.transfer import TransferSettings, representations

SCORES = ("vacuity", "entropy", "distance")
"""Of a plain evidential probe, of a softmax probe, and to the nearest class mean."""

SHIFTS = ("outside", "inside", "held_out")
"""The part outside the subspace tripled; the part inside tripled; inputs of the pattern that no label named."""

_MOST = 10_000
_R, _K = 3, 8
_FACTOR = 3.0
_RATES = (0.03, 0.1)
_STEPS = (20, 40, 80)
_PENALTIES = (1e-3, 1e-2)
_PULL = 0.02  # towards no evidence for wrong classes
_SHARE = 0.9  # of the edges that stay inside a community
_DEGREE = 8.0

Probe = Callable[[Tensor], Tensor]
"""From features to a score for each class, or to a single score."""


def scaling_ceiling(r: int, scale: float) -> float:
    """The largest AUROC by which any score tells s h from h ~ N(0, I_r): P(F_{r,r} > 1 / s^2).

    Args:
        r: dimension, up to 10^6.
        scale: the factor s, from 1 to 10^6.

    Raises:
        TypeError, ValueError: if one is not.
    """
    _checks.integer("scaling_ceiling", "r", r, least=1, most=10**6)
    _checks.between("scaling_ceiling", "scale", scale, 1.0, 1e6)
    return float(betainc(r / 2, r / 2, 1 / (1 + float(scale) ** -2)))


def area_under_curve(usual: Float[Tensor, " n"], odd: Float[Tensor, " k"]) -> float:
    """AUROC: how often an odd score exceeds a usual one, ties counted half.

    Args:
        usual: scores of inputs as known.
        odd: scores of the others.

    Raises:
        TypeError, ValueError: if one is no array of finite numbers on one axis, or their dtypes differ.
    """
    from scipy.stats import rankdata  # its import takes longer than the rest of mtfl

    _checks.tensors("area_under_curve", usual=usual, odd=odd)
    n = _checks.shape("area_under_curve", "usual", usual, "n")["n"]
    k = _checks.shape("area_under_curve", "odd", odd, "k")["k"]
    ranks = rankdata(torch.cat([usual, odd]).detach().numpy())
    return float((ranks[n:].sum() - k * (k + 1) / 2) / (n * k))


def evidential_loss(alpha: Float[Tensor, "n C"], y: Int[Tensor, " n"], pull: float) -> Float[Tensor, ""]:
    """Mean of -log p_y over p ~ Dirichlet(alpha), plus a pull of wrong classes towards 1; without checks.

    The pull multiplies the Kullback-Leibler divergence of the Dirichlet law whose entry of the true class is 1 from the
    uniform one.
    """
    one, total = torch.nn.functional.one_hot(y, alpha.shape[1]).to(alpha.dtype), alpha.sum(1)
    fit = (torch.digamma(total) - torch.digamma((alpha * one).sum(1))).mean()
    wrong = one + (1 - one) * alpha
    rest = wrong.sum(1)
    spread = torch.digamma(wrong) - torch.digamma(rest)[:, None]
    divergence = torch.lgamma(rest) - torch.lgamma(wrong).sum(1) - math.lgamma(alpha.shape[1])
    return fit + pull * (divergence + ((wrong - 1) * spread).sum(1)).mean()


def evidential_probe(
    H: Float[Tensor, "n m"], y: Int[Tensor, " n"], tuning: tuple[Tensor, Tensor], classes: int
) -> Probe:
    """A head with evidence softplus(linear), from features to alpha = 1 + evidence; without checks.

    Adam minimises :func:`evidential_loss` with a pull of 0.02 and a penalty of 10^-3. Rate and number of steps are
    those of two and three with the least loss, without pull, on the tuning part.

    Args:
        H: features of labelled inputs.
        y: their classes.
        tuning: features and classes of others.
        classes: their number C.
    """
    best, kept = math.inf, torch.zeros(0)
    for rate in _RATES:
        head = torch.zeros(H.shape[1] + 1, classes, dtype=H.dtype, requires_grad=True)
        optimizer = torch.optim.Adam([head], lr=rate, foreach=False)
        for step in range(1, _STEPS[-1] + 1):
            with torch.enable_grad():
                loss = evidential_loss(_alpha(head, H), y, _PULL) + 1e-3 * head[:-1].square().sum()
                optimizer.zero_grad()
                loss.backward()
            optimizer.step()
            if step in _STEPS:
                with torch.no_grad():
                    found = float(evidential_loss(_alpha(head, tuning[0]), tuning[1], 0.0))
                if found < best:
                    best, kept = found, head.detach().clone()
    return lambda Z: _alpha(kept, Z)


def softmax_probe(H: Float[Tensor, "n m"], y: Int[Tensor, " n"], tuning: tuple[Tensor, Tensor], classes: int) -> Probe:
    """Logistic regression on several classes, from features to probabilities; without checks.

    L-BFGS minimises the cross-entropy plus a penalty, which is the one of two with the least cross-entropy on the
    tuning part. Arguments as in :func:`evidential_probe`.
    """
    best, kept = math.inf, torch.zeros(0)
    for penalty in _PENALTIES:
        head = torch.zeros(H.shape[1] + 1, classes, dtype=H.dtype, requires_grad=True)
        solver = torch.optim.LBFGS([head], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-6)

        def loss(head: Tensor = head, solver: torch.optim.LBFGS = solver, penalty: float = penalty) -> Tensor:
            solver.zero_grad()
            total = torch.nn.functional.cross_entropy(_linear(head, H), y) + penalty * head[:-1].square().sum()
            total.backward()
            return total

        with torch.enable_grad():
            solver.step(loss)
        found = float(torch.nn.functional.cross_entropy(_linear(head.detach(), tuning[0]), tuning[1]))
        if found < best:
            best, kept = found, head.detach()
    return lambda Z: torch.softmax(_linear(kept, Z), 1)


def class_distance(H: Float[Tensor, "n m"], y: Int[Tensor, " n"], classes: int, directions: int) -> Probe:
    """Squared Mahalanobis distance to the nearest class mean, in the leading principal directions; without checks.

    Args:
        H: features of labelled inputs.
        y: their classes.
        classes: their number C.
        directions: how many principal directions of the features are looked at.
    """
    centre = H.mean(0)
    axes = torch.linalg.eigh((H - centre).T @ (H - centre))[1][:, -directions:]
    P = (H - centre) @ axes
    means = torch.stack([P[y == c].mean(0) for c in range(classes)])
    within = (P - means[y]).T @ (P - means[y]) / len(P)
    inverse = torch.linalg.inv(within + 1e-9 * within.diagonal().mean() * torch.eye(directions, dtype=H.dtype))

    def distance(Z: Tensor) -> Tensor:
        gaps = ((Z - centre) @ axes)[:, None] - means
        return ((gaps @ inverse) * gaps).sum(2).min(1).values

    return distance


def one_hop(
    X: Float[Tensor, "n d"], patterns: Int[Tensor, " n"], *, degree: float, generator: torch.Generator
) -> Float[Tensor, "n d"]:
    """Inputs summed with those of their neighbours, over the root of how many these are; without checks.

    The graph is a stochastic block model: each pattern is a community, a node has on average ``degree`` edges, nine of
    ten to nodes of its own community. Coordinates outside the subspace keep their law.
    """
    same = patterns[:, None] == patterns
    inside, outside = same.sum(1, keepdim=True), (~same).sum(1, keepdim=True)
    chance = torch.where(same, _SHARE * degree / inside, (1 - _SHARE) * degree / outside)
    edges = (torch.rand(same.shape, generator=generator) < chance).triu(1)
    A = (edges | edges.T).to(X.dtype)
    return (X + A @ X) / (1 + A.sum(1, keepdim=True)).sqrt()


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """Settings of :func:`probe_run`.

    Args:
        d: input dimension, at least 4.
        layer: one of :data:`mtfl.neighbours.robustness.LAYERS`.
        hop: whether inputs are the nodes of a graph, each summed with its neighbours (see :func:`one_hop`).
        neurons: their number m.
        examples: labelled inputs, of all patterns; those of the held-out one are not used.
        batch_size: inputs in each of the two batches of pretraining.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int = 64
    layer: str = "pretrained"
    hop: bool = False
    neurons: int = 64
    examples: int = 600
    batch_size: int = 20_000

    def __post_init__(self) -> None:
        where = "ProbeSettings"
        _checks.integer(where, "d", self.d, least=4, most=_MOST)
        _checks.choice(where, "layer", self.layer, LAYERS)
        _checks.flag(where, "hop", self.hop)
        _checks.integer(where, "neurons", self.neurons, least=3, most=_MOST)
        _checks.integer(where, "examples", self.examples, least=200, most=2500)
        _checks.integer(where, "batch_size", self.batch_size, least=1)


def probe_run(settings: ProbeSettings, seed: int) -> tuple[float, ...]:
    """Accuracy of an evidential probe on seven of eight patterns; then the AUROC of each score for each shift.

    Scores are in the order of :data:`SCORES`, for each the shifts in that of :data:`SHIFTS`. Half of the nodes, or of
    the inputs, are labelled, four in five of these for fitting; the other half is for tests. The seed draws the
    subspace, the layer, the inputs, the graph and the pattern that is held out. Layers are pretrained on 1024 balanced
    tasks in single precision, without any graph; probes are fitted in double.
    """
    _checks.instance("probe_run", "settings", settings, ProbeSettings)
    random = streams(seed, "subspace", "nodes", "edges", "held out")
    inputs = GaussianInputs.random(settings.d, _R, generator=random["subspace"], dtype=torch.float32)
    how = TransferSettings(settings.d, _R, settings.neurons, batch_size=settings.batch_size)
    layer = representations(how, inputs, seed=seed, names=[settings.layer])[settings.layer]
    n, held = settings.examples, int(torch.randint(_K, (), generator=random["held out"]))
    X = inputs.sample(2 * n, generator=random["nodes"])
    patterns = inputs.patterns(X)
    if settings.hop:
        X = one_hop(X, patterns, degree=_DEGREE, generator=random["edges"])
    known = patterns != held
    y = patterns - (patterns > held).long()
    fit, tuning, test = known.clone(), known.clone(), known.clone()
    fit[4 * n // 5 :], tuning[: 4 * n // 5], tuning[n:], test[:n] = False, False, False, False
    size = layer(X[fit]).std().double()

    def features(Z: Tensor) -> Tensor:
        return layer(Z).double() / size

    parts = features(X[fit]), y[fit], (features(X[tuning]), y[tuning])
    evidential, softmax = evidential_probe(*parts, _K - 1), softmax_probe(*parts, _K - 1)
    distance = class_distance(parts[0], parts[1], _K - 1, _R)
    scores = (
        lambda H: (_K - 1) / evidential(H).sum(1),
        lambda H: -torch.special.xlogy(softmax(H), softmax(H)).sum(1),
        distance,
    )
    usual = X[test]
    inside = usual @ inputs.M @ inputs.M.T
    new = X[n:][patterns[n:] == held]
    shifted = [features(Z) for Z in (usual + (_FACTOR - 1) * (usual - inside), usual + (_FACTOR - 1) * inside, new)]
    here = features(usual)
    accuracy = float((evidential(here).argmax(1) == y[test]).double().mean())
    return (accuracy, *(area_under_curve(score(here), score(H)) for score in scores for H in shifted))


def _linear(head: Tensor, H: Tensor) -> Tensor:
    """Weights times features, plus the intercepts in the last row."""
    return H @ head[:-1] + head[-1]


def _alpha(head: Tensor, H: Tensor) -> Tensor:
    return 1 + torch.nn.functional.softplus(_linear(head, H))
