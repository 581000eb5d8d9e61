"""Hermite coefficients of activations, and a step with any of them."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import eval_hermitenorm
from sentences import refuses
from torch.testing import assert_close

from mtfl import GaussianInputs, sample_tasks, streams, task_kernel
from mtfl.activations import ACTIVATIONS, activation_step, hermite_coefficients
from mtfl.one_step import contrastive_step


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_hermite_coefficients_are_integrals(name: str, scale: float) -> None:
    activation = ACTIVATIONS[name]

    def integrand(u: float, k: int) -> float:
        value = float(activation(torch.tensor(scale * u, dtype=torch.float64)))
        return value * eval_hermitenorm(k, u) * math.exp(-u * u / 2) / math.sqrt(2 * math.pi)

    for k, c in enumerate(hermite_coefficients(activation, 5, scale=scale).tolist()):
        expected = sum(quad(integrand, *ends, (k,), epsabs=1e-12, limit=200)[0] for ends in ((-12, 0), (0, 12)))
        assert c == pytest.approx(expected, abs=1e-10)


def test_closed_forms() -> None:
    root = 1 / math.sqrt(2 * math.pi)
    assert_close(
        hermite_coefficients(torch.relu, 4), torch.tensor([root, 0.5, root, 0], dtype=torch.float64), atol=1e-12, rtol=0
    )
    half = 1 / (2 * math.sqrt(math.pi))
    gelu = hermite_coefficients(torch.nn.functional.gelu, 3)
    assert_close(gelu, torch.tensor([half, 0.5, 1.5 * half], dtype=torch.float64), atol=1e-12, rtol=0)
    cubes = hermite_coefficients(lambda s: s**3, 6, scale=2.0)  # 8 xi^3 = 8 He_3 + 24 He_1
    assert_close(cubes, torch.tensor([0.0, 24, 0, 48, 0, 0]).double(), atol=1e-9, rtol=0)


def setting() -> tuple[torch.Tensor, GaussianInputs, torch.Tensor]:
    g = streams(0, "activations")["activations"]
    inputs = GaussianInputs.random(7, 2, generator=g)
    return torch.randn(5, 7, generator=g, dtype=torch.float64) / 2, inputs, sample_tasks(3, 2, generator=g)


def test_with_the_relu_it_is_the_contrastive_step() -> None:
    W, inputs, F = setting()
    options = {"batch_size": 5000}
    ours = activation_step(W, inputs, task_kernel(F), torch.relu, generator=streams(0, "batches")["batches"], **options)
    expected = contrastive_step(W, inputs, task_kernel(F), generator=streams(0, "batches")["batches"], **options)
    assert_close(ours, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", ["tanh", "softplus", "cosine"])
def test_it_is_the_gradient_of_each_tasks_loss(name: str) -> None:
    W, inputs, F = setting()
    activation, g = ACTIVATIONS[name], streams(0, "batches")["batches"]
    ours = activation_step(W, inputs, task_kernel(F), activation, batch_size=60, generator=g)
    g = streams(0, "batches")["batches"]
    X1, X2 = (inputs.sample(60, generator=g) for _ in range(2))
    W = W.clone().requires_grad_()
    loss = torch.zeros((), dtype=torch.float64)
    for f in F:
        head = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        first = -(f[inputs.patterns(X1)] * (activation(X1 @ W.detach().T) @ head)).mean()
        head = -torch.autograd.grad(first, head)[0]
        loss = loss - (f[inputs.patterns(X2)] * (activation(X2 @ W.T) @ head)).mean() / len(F)
    assert_close(ours, -torch.autograd.grad(loss, W)[0], rtol=1e-10, atol=1e-14)


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused() -> None:
    with refuses(ValueError, "hermite_coefficients: count must be at least 1; got 0. "):
        hermite_coefficients(torch.relu, 0)
    with refuses(ValueError, "hermite_coefficients: scale must be finite and positive; got 0.0. "):
        hermite_coefficients(torch.relu, 2, scale=0.0)
    W, inputs, F = setting()
    g = streams(0, "batches")["batches"]
    with refuses(ValueError, "activation_step: W must be of shape (m, 7); got (5, 6). "):
        activation_step(W[:, :6], inputs, task_kernel(F), torch.tanh, batch_size=3, generator=g)
    with refuses(ValueError, "activation_step: kernel must be of shape (4, 4); got (2, 2). "):
        activation_step(W, inputs, task_kernel(F)[:2, :2], torch.tanh, batch_size=3, generator=g)
