"""Overfitting: heads that fit flipped labels, on infinitely many neurons with a share of their energy inside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks
from mtfl.randomness import streams
from mtfl.tasks import characters
from mtfl.transfer import is_right

RULES = {"one sign": 1, "parity of two": 3}
"""Tasks of three features, as characters."""

_R = 3
_MOST = 10_000
_BIAS = 1 / math.sqrt(3)  # size of normal biases, as that of biases uniform on [-1, 1]
_PENALTIES = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)  # of n times the mean of the kernel's diagonal
_TUNING, _TEST = 500, 1000


def arc_cosine_kernel(Z: Float[Tensor, "n d"], X: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
    """E[relu(w . z) relu(w . x)] over w ~ N(0, I): the features of infinitely many neurons; without checks.

    Checked against a simulation.
    """
    sizes = Z.norm(dim=1)[:, None] * X.norm(dim=1)
    cosines = (Z @ X.T / sizes).clamp(-1, 1)
    return sizes / (2 * math.pi) * ((1 - cosines.square()).sqrt() + cosines * (math.pi - torch.acos(cosines)))


@dataclass(frozen=True, kw_only=True)
class FlipSettings:
    """Settings of :func:`flip_run`.

    Args:
        d: input dimension, at least 4.
        energy: share of the weights inside the subspace; the rest is spread over the other directions.
        rule: one of :data:`RULES`.
        examples: labelled examples.
        flips: probability that a label is flipped, below 1/2.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    d: int = 512
    energy: float = 1.0
    rule: str = "one sign"
    examples: int = 100
    flips: float = 0.1

    def __post_init__(self) -> None:
        where = "FlipSettings"
        _checks.integer(where, "d", self.d, least=4, most=_MOST)
        _checks.between(where, "energy", self.energy, 0.0, 1.0)
        _checks.choice(where, "rule", self.rule, RULES)
        _checks.integer(where, "examples", self.examples, least=1, most=_MOST)
        _checks.between(where, "flips", self.flips, 0.0, 0.5)


def flip_run(settings: FlipSettings, seed: int) -> tuple[float, float, float]:
    """Training accuracy of the interpolating head on flipped labels; its test accuracy; that of the best ridge head.

    Heads are kernel ridge regressions with :func:`arc_cosine_kernel`, of neurons with normal biases; the interpolating
    one has a penalty of 10^-10. The best penalty has the fewest errors on 500 other inputs. Test labels, of 1000
    inputs, are clean.
    """
    _checks.instance("flip_run", "settings", settings, FlipSettings)
    random, n, d = streams(seed, "inputs", "flips"), settings.examples, settings.d
    X = torch.randn(n + _TUNING + _TEST, d, generator=random["inputs"], dtype=torch.float64)
    f = characters(_R)[RULES[settings.rule]]
    y = f[(X[:, :_R] > 0).long() @ 2 ** torch.arange(_R)]
    Z = torch.full((len(X), d + 1), _BIAS, dtype=X.dtype)
    Z[:, _R:d] = X[:, _R:] * math.sqrt((1 - settings.energy) / (d - _R))
    Z[:, :_R] = X[:, :_R] * math.sqrt(settings.energy / _R)
    K = arc_cosine_kernel(Z, Z[:n])
    size = n * float(K[:n].diagonal().mean())
    noisy = torch.where(torch.rand(n, generator=random["flips"]) < settings.flips, -y[:n], y[:n])
    found, errors = [], []
    for penalty in (1e-10, *_PENALTIES):
        lifted = K[:n] + penalty * size * torch.eye(n, dtype=torch.float64)
        right = is_right(K @ torch.linalg.solve(lifted, noisy), torch.cat([noisy, y[n:]]))
        parts = right.double().split([n, _TUNING, _TEST])
        found.append([float(part.mean()) for part in parts])
        errors.append(1 - found[-1][1])
    best = errors.index(min(errors[1:]), 1)
    return found[0][0], found[0][2], found[best][2]
