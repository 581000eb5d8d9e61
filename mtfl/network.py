"""The two-layer ReLU network with one shared first layer and one linear head for each task."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mtfl import _checks


@dataclass(frozen=True, eq=False)
class TwoLayerReLU:
    """g_t(x) = a_t . relu(W x + b): m shared neurons, T heads.

    Args:
        W: (m, d) first-layer weights, one neuron a row.
        b: (m,) biases.
        A: (T, m) heads, one task a row.

    Raises:
        TypeError: if dtypes or devices differ.
        ValueError: if shapes do not fit together, or an entry is NaN or infinite.
    """

    W: Float[Tensor, "m d"]
    b: Float[Tensor, " m"]
    A: Float[Tensor, "T m"]

    def __post_init__(self) -> None:
        _checks.tensors("TwoLayerReLU", W=self.W, b=self.b, A=self.A)
        sizes = _checks.shape("TwoLayerReLU", "W", self.W, "m d")
        sizes = _checks.shape("TwoLayerReLU", "b", self.b, "m", **sizes)
        _checks.shape("TwoLayerReLU", "A", self.A, "T m", **sizes)

    @classmethod
    def random(
        cls,
        m: int,
        d: int,
        *,
        tasks: int,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float64,
        device: str = "cpu",
    ) -> TwoLayerReLU:
        """Rows of W drawn from N(0, I_d / d), so that |w| is about 1; zero biases; zero heads."""
        for name, value in (("m", m), ("d", d), ("tasks", tasks)):
            _checks.integer("TwoLayerReLU.random", name, value, least=1)
        _checks.generator("TwoLayerReLU.random", generator)
        _checks.floating("TwoLayerReLU.random", dtype)
        _checks.device("TwoLayerReLU.random", device)
        _checks.room("TwoLayerReLU.random", m, max(d, tasks))
        W = torch.randn(m, d, generator=generator, dtype=dtype) / math.sqrt(d)
        b, A = torch.zeros(m, dtype=dtype), torch.zeros(tasks, m, dtype=dtype)
        return cls(W.to(device), b.to(device), A.to(device))

    def features(self, X: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch m"]:
        """relu(W x + b) of every input.

        Raises:
            TypeError: if X has another dtype or device than W.
            ValueError: if X has another width than W, or is not finite.
        """
        _checks.tensors("TwoLayerReLU.features", W=self.W, X=X)
        _checks.width("TwoLayerReLU.features", "X", X, self.W.shape[1])
        H = relu_features(self.W, self.b, X)
        _checks.computed("TwoLayerReLU.features", H)
        return H

    def __call__(self, X: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch T"]:
        """g_t(x) of every input (rows) on every task (last axis)."""
        scores = self.features(X) @ self.A.T
        _checks.computed("TwoLayerReLU", scores)
        return scores


def relu_features(
    W: Float[Tensor, "m d"], b: Float[Tensor, " m"], X: Float[Tensor, "*batch d"]
) -> Float[Tensor, "*batch m"]:
    """relu(W x + b), without checks: the one place where features are computed."""
    return (X @ W.T + b).relu_()
