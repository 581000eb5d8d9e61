"""Input laws: subspaces, samples and sign patterns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import agrees, all_patterns
from sentences import refuses
from torch.testing import assert_close

from mtfl import ColouredInputs, GaussianInputs, HypercubeInputs, streams


def generator(seed: int = 0) -> torch.Generator:
    return streams(seed, "inputs")["inputs"]


def gaussian(d: int, r: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> GaussianInputs:
    return GaussianInputs.random(d, r, generator=streams(seed, "subspace")["subspace"], dtype=dtype)


def test_pattern_bits_by_hand() -> None:
    inputs = HypercubeInputs.axes(4, 3)
    X = torch.tensor([[-1.0, -1, -1, 1], [1, -1, -1, 1], [-1, 1, -1, 1], [1, 1, -1, 1], [-1, -1, 1, 1], [1, 1, 1, -1]])
    assert inputs.patterns(X.double()).tolist() == [0, 1, 2, 3, 4, 7]


def test_a_zero_projection_counts_as_plus() -> None:
    assert HypercubeInputs.axes(3, 2).patterns(torch.zeros(3, dtype=torch.float64)).item() == 3


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 10_000))
def test_patterns_are_the_signs_of_the_projections(r: int, more: int, seed: int) -> None:
    inputs = gaussian(r + more, r, seed)
    X = inputs.sample(7, generator=generator(seed))
    expected = [all_patterns(r).index(tuple(1 if x @ inputs.M[:, i] >= 0 else -1 for i in range(r))) for x in X]
    assert inputs.patterns(X).tolist() == expected


def test_patterns_keep_leading_axes() -> None:
    inputs = gaussian(6, 2)
    X = inputs.sample(12, generator=generator()).reshape(3, 4, 6)
    assert inputs.patterns(X).shape == (3, 4)
    assert torch.equal(inputs.patterns(X).flatten(), inputs.patterns(X.reshape(12, 6)))
    assert inputs.patterns(X[0, 0]).shape == ()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_random_subspaces_are_orthonormal(dtype: torch.dtype) -> None:
    for d, r in ((2, 1), (7, 6), (200, 5)):
        M = gaussian(d, r, dtype=dtype).M
        assert M.dtype == dtype
        assert_close(M.T @ M, torch.eye(r, dtype=dtype), atol=1e-6 if dtype == torch.float32 else 1e-14, rtol=0)


def test_random_subspaces_have_no_preferred_direction() -> None:
    projectors = torch.stack([(M := gaussian(4, 2, seed).M) @ M.T for seed in range(600)])
    assert agrees(projectors, torch.eye(4) / 2)


@pytest.mark.parametrize("law", ["gaussian", "hypercube"])
def test_patterns_are_uniform(law: str) -> None:
    inputs = gaussian(8, 3) if law == "gaussian" else HypercubeInputs.axes(8, 3)
    patterns = inputs.patterns(inputs.sample(600_000, generator=generator()))
    indicator = torch.nn.functional.one_hot(patterns, 8).double()
    assert agrees(indicator, 1 / 8)
    assert not agrees(indicator, 1.02 / 8)


def test_gaussian_samples_have_mean_zero_and_identity_covariance() -> None:
    X = gaussian(3, 1).sample(200_000, generator=generator())
    products = X.unsqueeze(2) * X.unsqueeze(1)
    assert agrees(X, 0.0)
    assert agrees(products, torch.eye(3))
    assert not agrees(products, 1.02 * torch.eye(3))
    assert agrees(X**4, 3.0)


def test_hypercube_samples_are_independent_signs() -> None:
    X = HypercubeInputs.axes(3, 2).sample(200_000, generator=generator())
    assert set(X.unique().tolist()) == {-1.0, 1.0}
    assert agrees(X, 0.0)
    assert agrees(torch.stack([X[:, 0] * X[:, 1], X[:, 1] * X[:, 2], X[:, 0] * X[:, 2], X.prod(1)], 1), 0.0)


def test_same_generator_state_same_numbers() -> None:
    for inputs in (gaussian(5, 2), HypercubeInputs.axes(5, 2)):
        assert torch.equal(inputs.sample(9, generator=generator(4)), inputs.sample(9, generator=generator(4)))
        assert not torch.equal(inputs.sample(9, generator=generator(4)), inputs.sample(9, generator=generator(5)))
    assert torch.equal(gaussian(5, 2, 7).M, gaussian(5, 2, 7).M)


def test_dtype_and_sizes() -> None:
    inputs = gaussian(5, 2, dtype=torch.float32)
    assert (inputs.d, inputs.r) == (5, 2)
    assert inputs.sample(3, generator=generator()).dtype == torch.float32
    cube = HypercubeInputs.axes(5, 2, dtype=torch.float32)
    assert cube.sample(3, generator=generator()).dtype == torch.float32
    assert_close(gaussian(5, 2).M.float(), inputs.M)


def test_hypercube_accepts_any_distinct_axes() -> None:
    M = torch.eye(4, dtype=torch.float64)[:, [3, 1]]
    inputs = HypercubeInputs(M)
    assert inputs.patterns(torch.tensor([[-1.0, 1, -1, -1], [-1, -1, -1, 1]]).double()).tolist() == [2, 1]


E64 = torch.eye(4, 2, dtype=torch.float64)
NOT_FINITE = E64.clone()
NOT_FINITE[0, 0] = math.nan

BAD_SUBSPACES = [
    (E64.T, ValueError, "r must be smaller than d = 2; got 4. "),
    (torch.eye(3, dtype=torch.float64), ValueError, "r must be smaller than d = 3; got 3. "),
    (torch.zeros(3, 0, dtype=torch.float64), ValueError, "r must be at least 1; got 0. "),
    (2 * E64, ValueError, "M must be orthonormal in its columns; got M^T M off by 3.0e+00. "),
    (torch.ones(4, 2, dtype=torch.float64) / 2, ValueError, "M must be orthonormal in its columns; got M^T M off by "),
    (NOT_FINITE, ValueError, "M must be finite; got NaN or infinity. "),
    (E64 * math.inf, ValueError, "M must be finite; got NaN or infinity. "),
    (E64[:, 0], ValueError, "M must be of shape (d, r); got (4,). "),
    (E64.long(), TypeError, "M must be floating point; got torch.int64. "),
    (np.eye(4, 2), TypeError, "M must be a torch.Tensor; got ndarray. "),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("M", "error", "sentence"), BAD_SUBSPACES)
@pytest.mark.parametrize("law", [GaussianInputs, HypercubeInputs])
def test_bad_subspaces_are_refused(law: type, M: object, error: type[Exception], sentence: str) -> None:
    with refuses(error, f"{law.__name__}: {sentence}"):
        law(M)


def coloured(dtype: torch.dtype = torch.float64) -> ColouredInputs:
    G = torch.randn(6, 9, generator=generator(), dtype=torch.float64)
    return ColouredInputs(gaussian(6, 2).M.to(dtype), (G @ G.T / 9).to(dtype))


def test_coloured_inputs_have_their_covariance_and_correlate_with_features_as_they_should() -> None:
    inputs, n = coloured(), 400_000
    X = inputs.sample(n, generator=generator(1))
    assert_close(X.T @ X / n, inputs.Sigma, atol=0.02, rtol=0)
    h = X @ inputs.M[:, 0]
    slope = inputs.Sigma @ inputs.M[:, 0] / (inputs.M[:, 0] @ inputs.Sigma @ inputs.M[:, 0]).sqrt()
    assert_close(h.sign() @ X / n, math.sqrt(2 / math.pi) * slope, atol=0.01, rtol=0)
    assert torch.equal(X, inputs.sample(n, generator=generator(1)))


def test_what_colour_carries_is_the_span_of_sigma_m() -> None:
    inputs = coloured()
    Q = inputs.carried
    assert_close(Q.T @ Q, torch.eye(2).double())
    assert_close(Q @ Q.T @ inputs.Sigma @ inputs.M, inputs.Sigma @ inputs.M)
    assert coloured(torch.float32).sample(3, generator=generator()).dtype == torch.float32


def test_the_power_law_has_mean_one() -> None:
    inputs = ColouredInputs.power_law(8, 3, 1.5, generator=generator())
    variances = inputs.Sigma.diagonal()
    assert_close(inputs.Sigma, torch.diag(variances))
    assert_close(variances.mean(), torch.tensor(1.0).double())
    assert_close(variances[0] / variances[3], torch.tensor(8.0).double())
    white = ColouredInputs.power_law(8, 3, 0.0, generator=generator())
    assert_close(white.Sigma, torch.eye(8).double())
    assert_close(white.M, inputs.M)


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_covariance_is_refused() -> None:
    lopsided, singular = torch.eye(4).double(), torch.eye(4).double()
    lopsided[0, 1] = 1e-5
    singular[3, 3] = 0
    for Sigma in (lopsided, singular, -torch.eye(4).double()):
        with refuses(ValueError, "ColouredInputs: Sigma must be symmetric and positive definite; got another matrix. "):
            ColouredInputs(E64, Sigma)
    for scale in (1e-9, 1.0, 1e9):  # symmetric is what is so to six digits
        lopsided[0, 1] = 1.05e-6
        with refuses(ValueError, "ColouredInputs: Sigma must be symmetric and positive definite; got another matrix. "):
            ColouredInputs(E64, scale * lopsided)
        lopsided[0, 1] = 1e-6
        assert "_root" not in repr(ColouredInputs(E64, scale * lopsided))
    with refuses(ValueError, "ColouredInputs: Sigma must be of shape (4, 4); got (3, 3). "):
        ColouredInputs(E64, torch.eye(3).double())
    with refuses(ValueError, "ColouredInputs.power_law: exponent must be finite and non-negative; got -1.0. "):
        ColouredInputs.power_law(4, 2, -1.0, generator=generator())


@pytest.mark.usefixtures("unchecked")
def test_a_rotated_hypercube_subspace_is_refused() -> None:
    c = math.sqrt(0.5)
    rotated = torch.tensor([[c, c], [c, -c], [0, 0], [0, 0]], dtype=torch.float64)
    for M in (rotated, -E64):
        with refuses(ValueError, "HypercubeInputs: M must be made of columns of the identity; got other entries. "):
            HypercubeInputs(M)


@pytest.mark.usefixtures("unchecked")
def test_bad_sizes_are_refused() -> None:
    bad = [(3, 3, "r must be smaller than d = 3; got 3"), (5, 0, "r must be at least 1; got 0")]
    for d, r, sentence in bad:
        with refuses(ValueError, f"GaussianInputs.random: {sentence}. "):
            GaussianInputs.random(d, r, generator=generator())
        with refuses(ValueError, f"HypercubeInputs.axes: {sentence}. "):
            HypercubeInputs.axes(d, r)
    with refuses(ValueError, "HypercubeInputs.axes: d must be at least 1; got 0. "):
        HypercubeInputs.axes(0, 1)
    with refuses(TypeError, "HypercubeInputs.axes: d must be an integer; got float 4.0. "):
        HypercubeInputs.axes(4.0, 1)  # type: ignore[arg-type]
    with refuses(TypeError, "HypercubeInputs.axes: dtype must be torch.float32 or torch.float64; got torch.int64. "):
        HypercubeInputs.axes(4, 1, dtype=torch.int64)
    with refuses(TypeError, "GaussianInputs.random: dtype must be torch.float32 or torch.float64; got torch.float16. "):
        GaussianInputs.random(4, 1, generator=generator(), dtype=torch.float16)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("inputs", [gaussian(4, 2), HypercubeInputs.axes(4, 2)], ids=lambda law: type(law).__name__)
def test_bad_draws_and_readings_are_refused(inputs: GaussianInputs | HypercubeInputs) -> None:
    law = type(inputs).__name__
    with refuses(ValueError, f"{law}.sample: n must be at least 1; got 0. "):
        inputs.sample(0, generator=generator())
    with refuses(TypeError, f"{law}.sample: n must be an integer; got float 2.0. "):
        inputs.sample(2.0, generator=generator())  # type: ignore[arg-type]
    with refuses(TypeError, f"{law}.sample: generator must be a torch.Generator; got int. "):
        inputs.sample(2, generator=0)  # type: ignore[arg-type]
    X = inputs.sample(3, generator=generator())
    where = f"{law}.patterns: X must be "
    with refuses(TypeError, where + "of the dtype and device of M (torch.float64, cpu); got torch.float32, cpu. "):
        inputs.patterns(X.float())
    with refuses(TypeError, where + "of the dtype and device of M (torch.float64, cpu); got torch.float64, meta. "):
        inputs.patterns(X.to("meta"))
    with refuses(TypeError, where + "floating point; got torch.int64. "):
        inputs.patterns(X.long())
    with refuses(ValueError, where + "of shape (..., 4); got (3, 3). "):
        inputs.patterns(X[:, :3])
    with refuses(ValueError, where + "of shape (..., 4); got (3, 0). "):
        inputs.patterns(X[:, :0])
    with refuses(ValueError, where + "of shape (..., 4); got (). "):
        inputs.patterns(X[0, 0])
    with refuses(ValueError, where + "finite; got NaN or infinity. "):
        inputs.patterns(X / 0)


def test_patterns_of_many_features_are_numbered_exactly_in_single_precision() -> None:
    for r in (24, 25, 30):
        inputs = HypercubeInputs.axes(70, r, dtype=torch.float32)
        assert inputs.patterns(torch.ones(1, 70)).tolist() == [2**r - 1]
        assert inputs.patterns(-torch.eye(1, 70)).tolist() == [2**r - 2]


@pytest.mark.usefixtures("unchecked")
def test_more_features_than_patterns_have_numbers_are_refused() -> None:
    assert HypercubeInputs.axes(70, 53).patterns(torch.ones(1, 70).double()).tolist() == [2**53 - 1]
    with refuses(ValueError, "HypercubeInputs.axes: r must be at most 53; got 54. "):
        HypercubeInputs.axes(70, 54)
