"""Recovery measures: cases by hand, invariances, and scipy's subspace angles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import subspace_angles
from sentences import refuses
from torch import Tensor

from mtfl import GaussianInputs, conditioning, energy_ratio, principal_angles, streams
from mtfl.metrics import recovery

AXES = torch.eye(4, 2, dtype=torch.float64)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=streams(seed, "W")["W"], dtype=torch.float64)


def rotation(seed: int, d: int) -> Tensor:
    return torch.linalg.qr(normal(seed, d, d)).Q


def subspace(seed: int, d: int, r: int) -> Tensor:
    return GaussianInputs.random(d, r, generator=streams(seed, "subspace")["subspace"]).M


def test_cases_by_hand() -> None:
    W = torch.tensor([[3.0, 0, 4, 0], [0, 1, 0, 0]], dtype=torch.float64)
    assert energy_ratio(W, AXES) == pytest.approx(10 / 26, rel=1e-15)
    assert conditioning(W, AXES) == pytest.approx(1 / 3, rel=1e-15)
    assert_allclose(principal_angles(W, AXES), [0, math.atan2(4, 3)], atol=1e-15)


def test_perfect_and_absent_recovery() -> None:
    inside = AXES.T * 5
    assert energy_ratio(inside, AXES) == 1
    assert conditioning(inside, AXES) == 1
    assert_allclose(principal_angles(inside, AXES), [0, 0], atol=0)
    outside = torch.eye(4, dtype=torch.float64)[2:]
    assert energy_ratio(outside, AXES) == 0
    assert_allclose(principal_angles(outside, AXES), [math.pi / 2] * 2)
    one_feature = torch.tensor([[1.0, 0, 0, 0], [2, 0, 0, 0]], dtype=torch.float64)
    assert conditioning(one_feature, AXES) == 0


def test_energy_is_never_above_one() -> None:
    """Rounding would lift it there in some of these draws."""
    for seed in range(100):
        M = subspace(seed, 7, 3)
        assert energy_ratio(normal(seed, 5, 7) @ M @ M.T, M) <= 1


def test_one_feature_can_be_recovered() -> None:
    energy, even = recovery(torch.tensor([[3.0]]).double(), torch.tensor([4.0]).double())
    assert (energy.item(), even.item()) == (pytest.approx(9 / 25), 1)


def test_random_weights_have_energy_r_over_d() -> None:
    assert energy_ratio(normal(0, 4000, 20), subspace(0, 20, 3)) == pytest.approx(3 / 20, rel=0.03)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4), st.integers(0, 4), st.floats(1e-3, 1e3))
def test_measures_do_not_depend_on_coordinates_scale_or_order(
    seed: int, r: int, more: int, extra: int, scale: float
) -> None:
    d, m = r + more, r + extra
    W, M = normal(seed, m, d), subspace(seed, d, r)
    Q, R, P = rotation(seed + 1, d), rotation(seed + 2, r), torch.randperm(m, generator=streams(seed, "P")["P"])
    for measure in (energy_ratio, conditioning, principal_angles):
        here = np.asarray(measure(W, M))
        assert_allclose(np.asarray(measure(scale * W[P] @ Q, Q.T @ M @ R)), here, rtol=1e-7, atol=1e-9)
    assert 0 <= energy_ratio(W, M) <= 1 + 1e-12
    assert 0 <= conditioning(W, M) <= 1


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 5), st.integers(0, 4))
def test_angles_equal_scipys(seed: int, r: int, more: int, extra: int) -> None:
    W, M = normal(seed, r + extra, r + more), subspace(seed, r + more, r)
    leading = np.linalg.svd(W.numpy())[2][:r].T
    angles = principal_angles(W, M).numpy()
    assert_allclose(angles, subspace_angles(leading, M.numpy())[::-1], rtol=1e-7, atol=5e-8)  # scipy's error at 0
    assert (np.diff(angles) >= -1e-12).all()


@pytest.mark.parametrize("angle", [1e-9, 1e-6, 0.3, math.pi / 4, 1.5, math.pi / 2 - 1e-9])
def test_angles_keep_their_digits(angle: float) -> None:
    c, s = math.cos(angle), math.sin(angle)
    W = torch.tensor([[1.0, 0, 0, 0], [0, c, s, 0]], dtype=torch.float64)
    first, second = principal_angles(W, AXES).tolist()
    assert first == pytest.approx(0, abs=1e-15)
    assert second == pytest.approx(angle, rel=1e-6, abs=0)
    assert math.pi / 2 - second == pytest.approx(math.pi / 2 - angle, rel=1e-6, abs=1e-15)
    assert second == pytest.approx(subspace_angles(W.T.numpy(), AXES.numpy())[0], rel=1e-6)


def test_huge_and_tiny_weights_are_measured() -> None:
    W, M = normal(3, 5, 6), subspace(3, 6, 2)
    for scale in (1e-200, 1e200):
        assert energy_ratio(scale * W, M) == pytest.approx(energy_ratio(W, M), rel=1e-12)
        assert conditioning(scale * W, M) == pytest.approx(conditioning(W, M), rel=1e-12)
    assert energy_ratio(1e30 * W.float(), M.float()) == pytest.approx(energy_ratio(W, M), rel=1e-4)


def test_measures_leave_their_arguments_alone() -> None:
    W, M = normal(4, 5, 6), subspace(4, 6, 2)
    kept = W.clone(), M.clone()
    for measure in (energy_ratio, conditioning, principal_angles):
        measure(W, M)
    assert torch.equal(W, kept[0])
    assert torch.equal(M, kept[1])


# Recovery of layers known by their coordinates


def coordinates(W: Tensor, M: Tensor) -> tuple[Tensor, Tensor]:
    V = W @ M
    return V, (W - V @ M.mT).norm(dim=-1)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4), st.integers(0, 4))
def test_recovery_is_energy_and_conditioning_of_the_weights(seed: int, r: int, more: int, extra: int) -> None:
    W, M = normal(seed, r + extra, r + more), subspace(seed, r + more, r)
    inside, outside = coordinates(W, M)
    signs = normal(seed + 1, r + extra).sign()
    found = recovery(inside, signs * outside)
    assert found.energy.item() == pytest.approx(energy_ratio(W, M), rel=1e-12)
    assert found.conditioning.item() == pytest.approx(conditioning(W, M), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("batch", [(7,), (2, 3)])
def test_recovery_of_many_layers_at_once(batch: tuple[int, ...]) -> None:
    W, M = normal(0, *batch, 5, 6), subspace(0, 6, 2)
    W *= 10.0 ** normal(1, *batch, 1, 1)  # one scale for all would not do
    found = recovery(*coordinates(W, M))
    assert found.energy.shape == found.conditioning.shape == batch
    for at in np.ndindex(*batch):
        assert found.energy[at].item() == pytest.approx(energy_ratio(W[at], M), rel=1e-12)
        assert found.conditioning[at].item() == pytest.approx(conditioning(W[at], M), rel=1e-12)


def test_recovery_by_hand() -> None:
    inside = torch.tensor([[3.0, 0], [0, 1], [0, 0]], dtype=torch.float64)
    energy, even = recovery(inside, torch.tensor([0.0, -2, 3]).double())
    assert energy.item() == pytest.approx(10 / 23, rel=1e-15)
    assert even.item() == pytest.approx(1 / 3, rel=1e-15)
    perfect = recovery(inside, torch.zeros(3).double())
    assert (perfect.energy.item(), perfect.conditioning.item()) == pytest.approx((1, 1 / 3))


def test_recovery_of_huge_and_tiny_layers_and_of_none() -> None:
    inside, outside = normal(2, 5, 2), normal(3, 5)
    energy, even = recovery(inside, outside)
    scales = torch.tensor([1e-200, 1, 1e200, 0], dtype=torch.float64)
    found = recovery(scales[:, None, None] * inside, scales[:, None] * outside)
    assert_allclose(found.energy, [*[energy.item()] * 3, 0], rtol=1e-12)
    assert_allclose(found.conditioning, [*[even.item()] * 3, 0], rtol=1e-12)
    nothing_inside = recovery(0 * inside, outside)
    assert (nothing_inside.energy.item(), nothing_inside.conditioning.item()) == (0, 0)
    narrow = recovery(1e30 * inside.float(), 1e30 * outside.float())
    assert narrow.energy.dtype == narrow.conditioning.dtype == torch.float32
    assert narrow.energy.item() == pytest.approx(energy.item(), rel=1e-4)
    assert narrow.conditioning.item() == pytest.approx(even.item(), rel=1e-4)


# Bad input


W0 = torch.ones(3, 4, dtype=torch.float64)
BAD = [
    (W0, 2 * AXES, ValueError, "M must be orthonormal in its columns; got M^T M off by 3.0e+00. "),
    (W0, torch.eye(4).double(), ValueError, "r must be smaller than d = 4; got 4. "),
    (W0, AXES[:, :0], ValueError, "r must be at least 1; got 0. "),
    (W0, AXES * math.nan, ValueError, "M must be finite; got NaN or infinity. "),
    (W0[:, :3], AXES, ValueError, "W must be of shape (m, 4); got (3, 3). "),
    (W0[0], AXES, ValueError, "W must be of shape (m, 4); got (4,). "),
    (W0[:0], AXES, ValueError, "W must be non-empty; got shape (0, 4). "),
    (W0[:1], AXES, ValueError, "the number of neurons must be at least r = 2; got 1. "),
    (0 * W0, AXES, ValueError, "W must be nonzero; got all zeros. "),
    (W0 / 0, AXES, ValueError, "W must be finite; got NaN or infinity. "),
    (
        W0.float(),
        AXES,
        TypeError,
        "M must be of the dtype and device of W (torch.float32, cpu); got torch.float64, cpu. ",
    ),
    (
        W0,
        AXES.to("meta"),
        TypeError,
        "M must be of the dtype and device of W (torch.float64, cpu); got torch.float64, me",
    ),
    (W0.long(), AXES, TypeError, "W must be floating point; got torch.int64. "),
    (W0.tolist(), AXES, TypeError, "W must be a torch.Tensor; got list. "),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("W", "M", "error", "sentence"), BAD)
@pytest.mark.parametrize("measure", [energy_ratio, conditioning, principal_angles], ids=lambda f: f.__name__)
def test_bad_input_is_refused(measure, W: Tensor, M: Tensor, error: type[Exception], sentence: str) -> None:
    with refuses(error, f"{measure.__name__}: {sentence}"):
        measure(W, M)


@pytest.mark.usefixtures("unchecked")
def test_undefined_measures_are_refused() -> None:
    outside = torch.eye(4, dtype=torch.float64)[2:]
    with refuses(ValueError, "conditioning: W M must be nonzero; got zero but for rounding. "):
        conditioning(outside, AXES)
    with refuses(ValueError, "principal_angles: the rank of W must be at least r = 2; got 1. "):
        principal_angles(W0, AXES)


@pytest.mark.usefixtures("unchecked")
def test_bad_coordinates_are_refused() -> None:
    inside, outside = torch.ones(2, 3, 2).double(), torch.ones(2, 3).double()
    where = "recovery: inside and outside must be of shapes (..., m, r) with m >= r and (..., m); got "
    bad = [
        (inside, outside[0], "(2, 3, 2), (3,). "),
        (inside[:, :, :1], outside[:, :2], "(2, 3, 1), (2, 2). "),
        (inside[:, :1], outside[:, :1], "(2, 1, 2), (2, 1). "),
        (inside[:, :, :0], outside, "(2, 3, 0), (2, 3). "),
        (inside[0, 0], outside[0, 0], "(2,), (). "),
    ]
    for V, size, sentence in bad:
        with refuses(ValueError, where + sentence):
            recovery(V, size)
    with refuses(ValueError, "recovery: outside must be finite; got NaN or infinity. "):
        recovery(inside, outside / 0)
    with refuses(TypeError, "recovery: outside must be of the dtype and device of inside (torch.float64, cpu); got "):
        recovery(inside, outside.float())
    with refuses(TypeError, "recovery: inside must be floating point; got torch.int64. "):
        recovery(inside.long(), outside.long())
