"""The two-layer network: initialisation, features, scores."""

from __future__ import annotations

import math

import pytest
import torch
from oracles import agrees
from sentences import refuses
from torch.testing import assert_close

from mtfl import GaussianInputs, HypercubeInputs, TwoLayerReLU, streams
from mtfl.transfer import FrozenFeatures


def generator(seed: int = 0) -> torch.Generator:
    return streams(seed, "weights")["weights"]


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(1), dtype=torch.float64)


def test_scores_by_hand() -> None:
    W = torch.tensor([[1.0, 0], [0, -2]], dtype=torch.float64)
    b = torch.tensor([0.5, 1.0], dtype=torch.float64)
    A = torch.tensor([[1.0, 10], [-1, 0], [0, 3]], dtype=torch.float64)
    network = TwoLayerReLU(W, b, A)
    X = torch.tensor([[2.0, 1], [-3, -1]], dtype=torch.float64)
    assert network.features(X).tolist() == [[2.5, 0], [0, 3]]
    assert network(X).tolist() == [[2.5, -2.5, 0], [30, 0, 9]]


def test_leading_axes_are_kept() -> None:
    network = TwoLayerReLU(normal(4, 3), normal(4), normal(2, 4))
    X = normal(5, 6, 3)
    assert network(X).shape == (5, 6, 2)
    assert_close(network(X)[2, 3], network(X[2, 3]))
    assert_close(network.features(X)[1], torch.relu(X[1] @ network.W.T + network.b))


def test_features_leave_their_input_alone() -> None:
    network = TwoLayerReLU(normal(4, 3), normal(4), normal(2, 4))
    X = normal(5, 3)
    kept = X.clone()
    network(X)
    assert torch.equal(X, kept)


def test_random_networks_start_at_norm_one_with_zero_heads() -> None:
    network = TwoLayerReLU.random(4000, 50, tasks=3, generator=generator())
    assert agrees(network.W.flatten() ** 2, 1 / 50)
    assert not agrees(network.W.flatten() ** 2, 1.02 / 50)
    assert agrees(network.W.flatten(), 0.0)
    assert network.A.shape == (3, 4000)
    assert not network.A.any()
    assert not network.b.any()
    assert torch.equal(network.W, TwoLayerReLU.random(4000, 50, tasks=1, generator=generator()).W)


def test_dtype_is_inherited() -> None:
    network = TwoLayerReLU.random(4, 3, tasks=2, generator=generator(), dtype=torch.float32)
    assert network.W.dtype == network.b.dtype == network.A.dtype == torch.float32
    wide = TwoLayerReLU(network.W.double(), network.b.double(), normal(2, 4))
    X = normal(9, 3)
    narrow = TwoLayerReLU(network.W, network.b, wide.A.float())
    assert_close(narrow(X.float()).double(), wide(X), rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("unchecked")
def test_bad_weights_are_refused() -> None:
    W, b, A = normal(4, 3), normal(4), normal(2, 4)
    with refuses(
        TypeError, "TwoLayerReLU: b must be of the dtype and device of W (torch.float64, cpu); got torch.float32"
    ):
        TwoLayerReLU(W, b.float(), A)
    with refuses(
        TypeError, "TwoLayerReLU: A must be of the dtype and device of W (torch.float64, cpu); got torch.float64, meta"
    ):
        TwoLayerReLU(W, b, A.to("meta"))
    with refuses(TypeError, "TwoLayerReLU: W must be a dense array of torch.float32 or torch.float64; got "):
        TwoLayerReLU(W.to("meta"), b, A)
    with refuses(TypeError, "TwoLayerReLU: W must be a torch.Tensor; got list. "):
        TwoLayerReLU(W.tolist(), b, A)  # type: ignore[arg-type]
    with refuses(TypeError, "TwoLayerReLU: W must be floating point; got torch.int64. "):
        TwoLayerReLU(W.long(), b, A)
    with refuses(ValueError, "TwoLayerReLU: W must be of shape (m, d); got (4,). "):
        TwoLayerReLU(W[:, 0], b, A)
    with refuses(ValueError, "TwoLayerReLU: W must be non-empty; got shape (0, 3). "):
        TwoLayerReLU(W[:0], b, A)
    with refuses(ValueError, "TwoLayerReLU: b must be of shape (4); got (3,). "):
        TwoLayerReLU(W, b[:3], A)
    with refuses(ValueError, "TwoLayerReLU: A must be of shape (T, 4); got (2, 3). "):
        TwoLayerReLU(W, b, A[:, :3])
    with refuses(ValueError, "TwoLayerReLU: A must be finite; got NaN or infinity. "):
        TwoLayerReLU(W, b, A * math.nan)
    with refuses(ValueError, "TwoLayerReLU: W must be finite; got NaN or infinity. "):
        TwoLayerReLU(W * math.inf, b, A)


@pytest.mark.usefixtures("unchecked")
def test_bad_sizes_are_refused() -> None:
    sizes = {"m": 4, "d": 3, "tasks": 2}
    for name in sizes:
        with refuses(ValueError, f"TwoLayerReLU.random: {name} must be at least 1; got 0. "):
            TwoLayerReLU.random(**(sizes | {name: 0}), generator=generator())  # type: ignore[arg-type]
        with refuses(TypeError, f"TwoLayerReLU.random: {name} must be an integer; got float 2.5. "):
            TwoLayerReLU.random(**(sizes | {name: 2.5}), generator=generator())  # type: ignore[arg-type]
    with refuses(TypeError, "TwoLayerReLU.random: generator must be a torch.Generator; got int. "):
        TwoLayerReLU.random(**sizes, generator=3)  # type: ignore[arg-type]
    with refuses(TypeError, "TwoLayerReLU.random: dtype must be torch.float32 or torch.float64; got torch.bool. "):
        TwoLayerReLU.random(**sizes, generator=generator(), dtype=torch.bool)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked")
def test_bad_inputs_are_refused() -> None:
    network = TwoLayerReLU(normal(4, 3), normal(4), normal(2, 4))
    where = "TwoLayerReLU.features: X must be "
    with refuses(ValueError, where + "of shape (..., 3); got (5, 2). "):
        network(normal(5, 2))
    with refuses(ValueError, where + "of shape (..., 3); got (). "):
        network(normal(1)[0])
    with refuses(ValueError, where + "finite; got NaN or infinity. "):
        network(normal(5, 3) * math.nan)
    with refuses(TypeError, where + "of the dtype and device of W (torch.float64, cpu); got torch.float32, cpu. "):
        network(normal(5, 3).float())


def test_objects_that_hold_tensors_compare_by_identity() -> None:
    one, two = (TwoLayerReLU.random(4, 3, tasks=2, generator=generator()) for _ in range(2))
    inputs = [
        GaussianInputs.random(3, 1, generator=generator()),
        HypercubeInputs.axes(3, 1),
        HypercubeInputs.axes(3, 1),
    ]
    features = [FrozenFeatures.of(normal(4, 3), generator=generator()) for _ in range(2)]
    objects = [one, two, *inputs, *features]
    assert len({*objects}) == len(objects)
    assert one == one
    assert one != two
