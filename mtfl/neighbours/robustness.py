"""Robustness: how often a label, or a head's answer, survives an adversary who moves the input.

The adversary moves x by |delta|_2 <= radius; labels stay those of the clean input. For features inside the subspace
only the part of delta in the subspace matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.inputs import GaussianInputs
from mtfl.randomness import streams
from mtfl.tasks import degree_weights, pattern_signs
from mtfl.transfer import FrozenFeatures, TransferSettings, is_right, representations

RADII = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)
"""Radii at which :func:`attack_run` attacks."""

LAYERS = ("pretrained", "random features", "oracle subspace")
"""Layers on which heads and probes are fitted."""

_BLOCK = 2**22  # numbers in a work array
_MOST = 10_000
_PENALTIES = (3e-4, 1e-3, 1e-2)
_SHARPNESS = 4.0
_STEPS = 10
_TUNING, _TEST = 400, 800


def total_influence(F: Float[Tensor, "T K"]) -> Float[Tensor, " T"]:
    """Each task's total influence, sum_S |S| fhat_S^2: the mean number of features whose sign alone decides.

    Args:
        F: tasks, or tables of real labels.

    Raises:
        TypeError, ValueError: if F is no table of tasks.
    """
    _checks.table("total_influence", F)
    weights = degree_weights(F)
    found = weights @ torch.arange(weights.shape[1]).to(weights)
    _checks.computed("total_influence", found)
    return found


def rule_robust_accuracy(f: Float[Tensor, " K"], h: Float[Tensor, "n r"], radius: float) -> float:
    """Share of points at which the rule f(sign h) keeps its label, whatever |delta| <= radius does.

    Args:
        f: a task, (2^r,) of -1 and +1.
        h: points, without zero coordinates.
        radius: of the adversary, >= 0.

    Raises:
        TypeError, ValueError: if f is no task on r features, an entry is not finite, or the radius is negative.
    """
    where = "rule_robust_accuracy"
    _checks.tensors(where, f=f, h=h)
    r = _checks.shape(where, "h", h, "n r")["r"]
    _checks.features(where, r)
    _checks.shape(where, "f", f, "K", K=2**r)
    _checks.signs(where, "f", f)
    _checks.number(where, "radius", radius, positive=False)
    _checks.room(where, len(h), 2**r)
    sets, kept = torch.arange(2**r), 0
    for points in h.detach().double().split(max(1, _BLOCK // 2**r)):
        distances = points.new_zeros(len(points), 1)  # to the flip of each set of signs
        for i in range(r):
            distances = torch.cat([distances, torch.hypot(distances, points[:, i, None])], 1)
        bits = (points > 0).long() @ 2 ** torch.arange(r)
        other = f[bits[:, None] ^ sets] != f[bits, None]
        kept += int((torch.where(other, distances, math.inf).amin(1) > radius).sum())
    return kept / len(h)


def flip_bound(f: Float[Tensor, " K"], radius: float) -> float:
    """Mean over patterns of erfc(radius / sqrt 2)^s, s the number of single flips that change the label.

    It bounds the robust accuracy of the rule f from above, and equals it where every set of flips that changes a label
    contains one flip that does.

    Args:
        f: a task, (2^r,) of -1 and +1.
        radius: of the adversary, >= 0.

    Raises:
        TypeError, ValueError: if f is no task, or the radius is negative.
    """
    _checks.tensors("flip_bound", f=f)
    K = _checks.shape("flip_bound", "f", f, "K")["K"]
    r = _checks.table("flip_bound", f[None])
    _checks.signs("flip_bound", "f", f)
    _checks.number("flip_bound", "radius", radius, positive=False)
    z = torch.arange(K)
    flips = sum((f[z ^ (1 << i)] != f).double() for i in range(r))
    return float((math.erfc(float(radius) / math.sqrt(2)) ** torch.as_tensor(flips)).mean())


@dataclass(frozen=True, eq=False)
class Head:
    """A linear head with an intercept on a frozen layer.

    Args:
        features: the layer.
        a: (m,) weights.
        c: intercept.
    """

    features: FrozenFeatures
    a: Float[Tensor, " m"]
    c: Float[Tensor, ""]

    def scores(self, X: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Answers to inputs; without checks."""
        return torch.relu(X @ self.features.W.T + self.features.b) @ self.a + self.c

    def slopes(self, X: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Gradients of the answers in the inputs; without checks."""
        return ((X @ self.features.W.T + self.features.b > 0).to(X.dtype) * self.a) @ self.features.W


def robust_head(
    features: FrozenFeatures, X: Float[Tensor, "n d"], y: Float[Tensor, " n"], *, radius: float, penalty: float
) -> Head:
    """The head that minimises the mean of softplus(-4 (y g - radius |grad g|)) + penalty |a|^2; without checks.

    To first order the second term is what an adversary takes from a margin. The loss is convex in the head; it is
    solved by L-BFGS.

    Args:
        features: the frozen layer.
        X: labelled inputs.
        y: their labels.
        radius: of the adversary; 0 for a head that expects none.
        penalty: on the squared norm.
    """
    Z = X @ features.W.T + features.b
    H, on = Z.clamp(min=0), (Z > 0).to(X.dtype)
    values, vectors = torch.linalg.eigh(features.W.T @ features.W)  # |a W| in the few directions that W has
    kept = values > 1e-10 * values[-1]
    W = features.W @ vectors[:, kept]
    head = torch.zeros(H.shape[1] + 1, dtype=X.dtype, requires_grad=True)
    solver = torch.optim.LBFGS(
        [head], max_iter=100, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=1e-6, tolerance_change=1e-9
    )

    def loss() -> Tensor:
        solver.zero_grad()
        a, c = head[:-1], head[-1]
        margin = y * (H @ a + c)
        if radius:
            margin = margin - radius * ((on * a) @ W).square().sum(1).add(1e-9).sqrt()
        total = torch.nn.functional.softplus(-_SHARPNESS * margin).mean() + penalty * a.square().sum()
        total.backward()
        return total

    with torch.enable_grad():
        solver.step(loss)
    return Head(features, head.detach()[:-1], head.detach()[-1])


def attacked_margins(head: Head, X: Float[Tensor, "n d"], y: Float[Tensor, " n"], radius: float) -> Float[Tensor, " n"]:
    """The smallest margins that projected gradient steps find within the radius; without checks.

    Ten steps of a quarter of the radius along the normalised gradient, each followed by the projection on the ball. As
    a search it gives upper bounds; checked against a net of points in the subspace, where that is enough.
    """
    worst, moved = y * head.scores(X), torch.zeros_like(X)
    for _ in range(_STEPS if radius else 0):
        slope = -y[:, None] * head.slopes(X + moved)
        moved = moved + radius / 4 * slope / (slope.norm(dim=1, keepdim=True) + 1e-12)
        moved = moved * (radius / moved.norm(dim=1, keepdim=True).clamp(min=radius))
        worst = worst.minimum(y * head.scores(X + moved))
    return worst


@dataclass(frozen=True, kw_only=True)
class AttackSettings:
    """Settings of :func:`attack_run`.

    Args:
        d: input dimension, at least 4.
        layer: one of :data:`LAYERS`.
        radius: of the adversary that the head expects; 0 for none.
        neurons: their number m.
        examples: labelled examples for the head.
        batch_size: inputs in each of the two batches of pretraining.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int = 64
    layer: str = "pretrained"
    radius: float = 0.5
    neurons: int = 64
    examples: int = 512
    batch_size: int = 20_000

    def __post_init__(self) -> None:
        where = "AttackSettings"
        _checks.integer(where, "d", self.d, least=4, most=_MOST)
        _checks.choice(where, "layer", self.layer, LAYERS)
        _checks.between(where, "radius", self.radius, 0.0, 10.0)
        _checks.integer(where, "neurons", self.neurons, least=3, most=_MOST)
        _checks.integer(where, "examples", self.examples, least=1, most=_MOST)
        _checks.integer(where, "batch_size", self.batch_size, least=1)


def attack_run(settings: AttackSettings, seed: int) -> tuple[float, ...]:
    """Accuracy of a head for the majority of three signs, under attack at each of :data:`RADII`.

    The penalty is the one of three with the best accuracy on 400 other inputs, under attack at the radius that the head
    expects; test inputs are 800. Layers are pretrained on 1024 balanced tasks in single precision, heads are fitted in
    double.
    """
    _checks.instance("attack_run", "settings", settings, AttackSettings)
    random = streams(seed, "subspace", "attacked inputs")
    inputs = GaussianInputs.random(settings.d, 3, generator=random["subspace"], dtype=torch.float32)
    how = TransferSettings(settings.d, 3, settings.neurons, batch_size=settings.batch_size)
    layer = representations(how, inputs, seed=seed, names=[settings.layer])[settings.layer]
    layer = FrozenFeatures(layer.W.double(), layer.b.double())
    majority, parts = pattern_signs(3).sum(1).sign(), []
    for n in (settings.examples, _TUNING, _TEST):
        X = inputs.sample(n, generator=random["attacked inputs"])
        parts.append((X.double(), majority[inputs.patterns(X)]))
    heads = [robust_head(layer, *parts[0], radius=settings.radius, penalty=penalty) for penalty in _PENALTIES]
    kept = [_robust_accuracy(head, parts[1], settings.radius) for head in heads]
    best = heads[kept.index(max(kept))]
    return tuple(_robust_accuracy(best, parts[2], radius) for radius in RADII)


def _robust_accuracy(head: Head, labelled: tuple[Tensor, Tensor], radius: float) -> float:
    """Share of labelled inputs whose answer is right wherever projected gradient steps move them."""
    X, y = labelled
    return float(is_right(y * attacked_margins(head, X, y, radius), y).double().mean())
