"""Input laws: where x comes from, which r directions of it matter, and its sign pattern.

An input law holds the matrix M (d x r, orthonormal columns) whose column span is the ground-truth
subspace. The *pattern* of x is z = sign(M^T x) in {-1, 1}^r; all labels of all tasks depend on x
through z only. Under the Gaussian and the hypercube law z is uniform over its K = 2^r values; colour makes some
patterns more frequent than others.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtfl import _checks

MOST_FEATURES = 53
"""Numbers of patterns are sums of powers of two in double precision."""


@dataclass(frozen=True, eq=False)
class _Inputs:
    """What all laws share: a subspace and the reading of patterns."""

    M: Float[Tensor, "d r"]

    def __post_init__(self) -> None:
        _checks.subspace(type(self).__name__, self.M, most=MOST_FEATURES)

    @property
    def d(self) -> int:
        """Dimension of the inputs."""
        return self.M.shape[0]

    @property
    def r(self) -> int:
        """Dimension of the subspace: the number of features."""
        return self.M.shape[1]

    def patterns(self, X: Float[Tensor, "*batch d"]) -> Int64[Tensor, "*batch"]:
        """Number of each input's sign pattern: bit i is set when z_i = +1, that is when (M^T x)_i >= 0.

        Args:
            X: inputs, of any leading shape, same dtype and device as M.

        Returns:
            Integers in 0 ... 2^r - 1, one for each input.

        Raises:
            TypeError: if X is no floating-point tensor, or has another dtype or device than M.
            ValueError: if X has another width than d, or holds NaN or infinity.
        """
        where = f"{type(self).__name__}.patterns"
        _checks.tensors(where, M=self.M, X=X)
        _checks.width(where, "X", X, self.d)
        return sign_patterns(X, self.M)


@dataclass(frozen=True, eq=False)
class GaussianInputs(_Inputs):
    """x ~ N(0, I_d), with any r-dimensional subspace.

    Args:
        M: (d, r) with orthonormal columns, 1 <= r < d. Use :meth:`random` for a random one.

    Raises:
        ValueError: if r >= d, r < 1, M is not orthonormal or not finite.
    """

    @classmethod
    def random(
        cls,
        d: int,
        r: int,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float64,
        device: str = "cpu",
    ) -> GaussianInputs:
        """A uniformly random r-dimensional subspace of R^d (QR of a Gaussian matrix, in float64)."""
        _checks.dimensions("GaussianInputs.random", d, r, most=MOST_FEATURES)
        _checks.generator("GaussianInputs.random", generator)
        _checks.floating("GaussianInputs.random", dtype)
        _checks.device("GaussianInputs.random", device)
        _checks.room("GaussianInputs.random", d, r)
        G = torch.randn(d, r, generator=generator, dtype=torch.float64)
        return cls(torch.linalg.qr(G).Q.to(device=device, dtype=dtype))

    def sample(self, n: int, *, generator: torch.Generator) -> Float[Tensor, "n d"]:
        """``n`` independent standard normal inputs, in the dtype and on the device of M."""
        _checks.integer("GaussianInputs.sample", "n", n, least=1)
        _checks.generator("GaussianInputs.sample", generator)
        _checks.room("GaussianInputs.sample", n, self.d)
        return torch.randn(n, self.d, generator=generator, dtype=self.M.dtype).to(self.M.device)


@dataclass(frozen=True, eq=False)
class HypercubeInputs(_Inputs):
    """x uniform on {-1, 1}^d; the subspace is spanned by r coordinate axes.

    Args:
        M: (d, r); its columns are distinct columns of the identity. Use :meth:`axes` for the first r of them.

    Raises:
        ValueError: if r >= d, r < 1, or a column is no coordinate axis.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = bool(((self.M == 0) | (self.M == 1)).all())
        remedy = "Use HypercubeInputs.axes(d, r): off the axes the pattern of a hypercube point need not be uniform."
        _checks.require(axes, "HypercubeInputs", "M", "made of columns of the identity", "other entries", remedy)

    @classmethod
    def axes(cls, d: int, r: int, *, dtype: torch.dtype = torch.float64, device: str = "cpu") -> HypercubeInputs:
        """The subspace of the first r coordinates."""
        _checks.dimensions("HypercubeInputs.axes", d, r, most=MOST_FEATURES)
        _checks.floating("HypercubeInputs.axes", dtype)
        _checks.device("HypercubeInputs.axes", device)
        _checks.room("HypercubeInputs.axes", d, r)
        return cls(torch.eye(d, r, dtype=dtype, device=device))

    def sample(self, n: int, *, generator: torch.Generator) -> Float[Tensor, "n d"]:
        """``n`` independent uniform points of the hypercube, in the dtype and on the device of M."""
        _checks.integer("HypercubeInputs.sample", "n", n, least=1)
        _checks.generator("HypercubeInputs.sample", generator)
        _checks.room("HypercubeInputs.sample", n, self.d)
        bits = torch.randint(2, (n, self.d), generator=generator)
        return (2 * bits - 1).to(device=self.M.device, dtype=self.M.dtype)


@dataclass(frozen=True, eq=False)
class ColouredInputs(_Inputs):
    """x ~ N(0, Sigma): Gaussian inputs with correlated coordinates of unequal sizes.

    A step on them finds the span of Sigma M, not that of M; see :attr:`carried`.

    Args:
        M: (d, r) with orthonormal columns, 1 <= r < d.
        Sigma: (d, d), symmetric and positive definite.

    Raises:
        TypeError: if M and Sigma differ in dtype or device.
        ValueError: if r >= d, r < 1, M is not orthonormal, or Sigma is not symmetric and positive definite.
    """

    Sigma: Float[Tensor, "d d"]
    _root: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        where = "ColouredInputs"
        _checks.tensors(where, M=self.M, Sigma=self.Sigma)
        _checks.shape(where, "Sigma", self.Sigma, "d d", d=self.d)
        symmetric = _checks.largest(self.Sigma - self.Sigma.T) <= 1e-6 * _checks.largest(self.Sigma)
        root, failed = torch.linalg.cholesky_ex(self.Sigma.double())
        remedy = "Pass the covariance matrix of the inputs, with positive eigenvalues."
        positive = symmetric and not bool(failed)
        got = "another matrix"
        _checks.require(positive, where, "Sigma", "symmetric and positive definite", got, remedy)
        object.__setattr__(self, "_root", root.to(self.M))

    @classmethod
    def power_law(
        cls, d: int, r: int, exponent: float, *, generator: torch.Generator, dtype: torch.dtype = torch.float64
    ) -> ColouredInputs:
        """Variances 1, 2^-exponent, 3^-exponent, ... along the axes, and a uniformly random subspace.

        The variances are scaled to have the mean 1.
        """
        where = "ColouredInputs.power_law"
        _checks.number(where, "exponent", exponent, positive=False)
        M = GaussianInputs.random(d, r, generator=generator, dtype=dtype).M
        _checks.room(where, d, d)
        variances = torch.arange(1, d + 1, dtype=torch.float64) ** -exponent
        return cls(M, torch.diag(variances / variances.mean()).to(dtype))

    @property
    def carried(self) -> Float[Tensor, "d r"]:
        """Orthonormal columns with the span of Sigma M, which a step finds."""
        return torch.linalg.qr(self.Sigma / _checks.largest(self.Sigma) @ self.M).Q

    def sample(self, n: int, *, generator: torch.Generator) -> Float[Tensor, "n d"]:
        """``n`` independent inputs, in the dtype and on the device of M."""
        _checks.integer("ColouredInputs.sample", "n", n, least=1)
        _checks.generator("ColouredInputs.sample", generator)
        _checks.room("ColouredInputs.sample", n, self.d)
        return torch.randn(n, self.d, generator=generator, dtype=self.M.dtype).to(self.M.device) @ self._root.T


InputLaw: TypeAlias = GaussianInputs | HypercubeInputs | ColouredInputs
"""Any of the laws of inputs."""


def sign_patterns(X: Float[Tensor, "*batch d"], M: Float[Tensor, "d r"]) -> Int64[Tensor, "*batch"]:
    """Numbers of the sign patterns of M^T x, without checks: the one place where patterns are read."""
    r = M.shape[1]
    signs, exact = (X @ M).ge_(0), M.dtype if r <= 24 else torch.float64  # float32 holds no larger integers one by one
    return (signs.to(exact) @ _bits(r, exact, M.device)).long()


@functools.cache  # made anew, it would take longer than the signs of a small batch
def _bits(r: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """1, 2, 4, ..., never to be changed."""
    return 2.0 ** torch.arange(r, dtype=dtype, device=device)
