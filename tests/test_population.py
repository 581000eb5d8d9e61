"""Population neurons, their step, its leading order and many rounds, against integrals, sampling and real networks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import oracles
import pytest
import torch
from numpy.testing import assert_allclose
from oracles import agrees, all_patterns
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl import (
    GaussianInputs,
    PretrainSettings,
    TwoLayerReLU,
    all_tasks,
    conditioning,
    energy_ratio,
    limit_kernel,
    pretrain,
    sample_tasks,
    streams,
    task_kernel,
)
from mtfl.moments import pattern_moments
from mtfl.population import Neurons, leading_order_step, population_flow, population_step
from mtfl.tasks import centred, degree_one, pattern_signs, walsh_coefficients


def tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def one_network(biased: bool) -> tuple[GaussianInputs, Tensor, Tensor, Tensor]:
    random = streams(11, "subspace", "weights", "tasks")
    inputs = GaussianInputs.random(5, 2, generator=random["subspace"])
    W = torch.randn(3, 5, generator=random["weights"], dtype=torch.float64)
    b = tensor([0.5, -0.4, 0.2]) if biased else torch.zeros(3, dtype=torch.float64)
    return inputs, W, b, sample_tasks(4, 2, generator=random["tasks"])


# Neurons


def draw(m: int, r: int, d: int, seed: int = 0) -> Neurons:
    return Neurons.random(m, r, d, generator=streams(seed, "neurons")["neurons"])


def statistics(neurons: Neurons) -> Tensor:
    """Numbers whose means tell the law of v and tau, one row for each neuron."""
    V, tau, _ = neurons
    return torch.cat([V, V**2, V**4, V[:, :1] * V[:, 1:], tau[:, None] ** torch.arange(1, 5), V**2 * tau[:, None]], 1)


@pytest.mark.parametrize("d", [3, 6])
def test_random_neurons_have_the_law_of_gaussian_rows(d: int) -> None:
    random = streams(0, "rows", "subspace")
    M = GaussianInputs.random(d, 2, generator=random["subspace"]).M
    W = torch.randn(200_000, d, generator=random["rows"], dtype=torch.float64) / math.sqrt(d)
    rows, ours = Neurons.of(W, M), draw(200_000, 2, d)
    assert agrees(statistics(ours) - statistics(rows), 0.0)
    scaled = [Neurons(1.02 * ours.V, ours.tau, ours.b), Neurons(ours.V, 1.02 * ours.tau, ours.b)]
    for wrong in scaled:
        assert not agrees(statistics(wrong) - statistics(rows), 0.0)


def test_random_neurons_cost_the_same_in_any_dimension() -> None:
    d = 1_000_000
    V, tau, b = draw(100_000, 4, d)
    assert agrees(d * V**2, 1.0)
    assert not agrees(1.02 * d * V**2, 1.0)
    assert agrees(tau**2, 1 - 4 / d)
    spread = d * (tau**2 - 1 + 4 / d) ** 2 / 2  # the variance of d tau^2 is 2 (d - r)
    assert agrees(spread, 1 - 4 / d)
    assert not agrees(1.02**2 * spread, 1 - 4 / d)
    assert not b.any()


def test_random_neurons_follow_their_generator() -> None:
    generator = streams(0, "neurons")["neurons"]
    first, second = (Neurons.random(5, 2, 9, generator=generator) for _ in range(2))
    for again, one, other in zip(draw(5, 2, 9), first, second, strict=True):
        assert torch.equal(again, one)
        assert again.dtype == torch.float64
        assert torch.equal(one, other) == (not one.any())  # only the biases


def test_neurons_of_a_layer() -> None:
    M = torch.eye(4, 2, dtype=torch.float64)
    W = tensor([[1, 2, 3, 4], [-1, 0, 0, 0]])
    V, tau, b = Neurons.of(W, M)
    assert_close(V, tensor([[1, 2], [-1, 0]]))
    assert_close(tau, tensor([5, 0]))
    assert_close(b, tensor([0, 0]))
    narrow = Neurons.of(W.float(), M.float())
    assert all(x.dtype == torch.float32 for x in narrow)


def test_learned_and_weights_are_one_step_in_two_coordinates() -> None:
    inputs, W, b, F = one_network(True)
    M = inputs.M
    V = W @ M
    outside = W - V @ M.T
    neurons = Neurons(V, outside.norm(dim=1), b)
    step = population_step(*neurons, task_kernel(F))
    weights = torch.stack([M @ step.parallel[j] + step.perpendicular[j] * outside[j] for j in range(3)])
    assert_close(step.weights(W, M), weights, rtol=1e-12, atol=1e-15)
    for decay in (0.0, 0.03):
        inside, along = step.learned(neurons, weight_decay=decay)
        learned = weights - decay * W
        assert_close(inside, learned @ M, rtol=1e-12, atol=1e-15)
        assert_close(along, (learned * outside).sum(1) / outside.norm(dim=1), rtol=1e-12, atol=1e-15)
    narrow = step.weights(W.float(), M.float())
    assert narrow.dtype == torch.float32
    assert_close(narrow.double(), weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("step_size", [0.5, 40.0])
def test_moved_neurons_are_those_of_the_moved_weights(step_size: float) -> None:
    inputs, W, b, F = one_network(True)
    neurons = Neurons.of(W, inputs.M)._replace(b=b)
    step = population_step(*neurons, task_kernel(F))
    moved = neurons.moved(step, step_size=step_size, weight_decay=0.1)
    expected = Neurons.of(W + step_size * (step.weights(W, inputs.M) - 0.1 * W), inputs.M)
    assert_close(moved.V, expected.V, rtol=1e-12, atol=1e-14)
    assert_close(moved.tau, expected.tau, rtol=1e-12, atol=1e-14)
    assert_close(moved.b, b)
    unmoved = neurons.moved(step, step_size=step_size)
    assert_close(unmoved.V, neurons.V + step_size * step.parallel, rtol=1e-12, atol=1e-14)


def test_float32_neurons_can_move_and_go_on() -> None:
    inputs, W, b, F = one_network(True)
    wide = Neurons.of(W, inputs.M)._replace(b=b)
    narrow = Neurons(*(x.float() for x in wide))
    for _ in range(2):
        wide, narrow = (
            neurons.moved(population_step(*neurons, task_kernel(F)), step_size=0.5) for neurons in (wide, narrow)
        )
    for a, e in zip(narrow, wide, strict=True):
        assert_close(a.double(), e, rtol=1e-4, atol=1e-5)


# The population step


def test_population_step_by_summation() -> None:
    V, tau, b = tensor([[0.3, -0.4], [0.1, 0.9]]), tensor([0.5, 0.2]), tensor([0.2, -0.3])
    F = sample_tasks(3, 2, generator=streams(0, "tasks")["tasks"])
    step = population_step(V, tau, b, task_kernel(F), head_step=0.7)
    Z = all_patterns(2)
    for i in range(2):
        rows = oracles.moments_by_convolution(V[i].numpy(), float(tau[i]), b[i : i + 1].numpy())[0]
        parallel, perpendicular = np.zeros(2), 0.0
        for f in F.tolist():
            pull = 0.7 / len(F) * sum(f[k] * rows[k, 0] for k in range(4)) / 4
            parallel += pull * sum(f[k] * rows[k, 2:4] * np.array(Z[k]) for k in range(4)) / 4
            perpendicular += pull * sum(f[k] * rows[k, 4] for k in range(4)) / 4
        assert_allclose(step.parallel[i], parallel, rtol=1e-10)
        assert_allclose(step.perpendicular[i], perpendicular, rtol=1e-10)
    logistic = population_step(V, tau, b, task_kernel(F), head_step=0.7, loss="logistic")
    assert_close(logistic.parallel, step.parallel / 4)
    assert_close(logistic.perpendicular, step.perpendicular / 4)


@pytest.mark.parametrize("biased", [False, True])
def test_population_step_is_the_mean_gradient_of_a_network(biased: bool) -> None:
    inputs, W, b, F = one_network(biased)
    V, tau, _ = Neurons.of(W, inputs.M)
    eta = 1e-3  # no margin reaches 1
    step = population_step(V, tau, b, task_kernel(F), head_step=eta).weights(W, inputs.M)
    generator, descents = streams(0, "batches")["batches"], []
    for _ in range(250):
        X0, X = (inputs.sample(8000, generator=generator) for _ in range(2))
        Y0, Y = (F[:, inputs.patterns(x)] for x in (X0, X))
        A = torch.zeros(len(F), 3, dtype=torch.float64, requires_grad=True)
        summed = len(F) * oracles.vectorised_loss(W, b, A, X0, Y0)
        heads = -eta * torch.autograd.grad(summed, A)[0]
        variable = W.clone().requires_grad_()
        descents.append(-torch.autograd.grad(oracles.vectorised_loss(variable, b, heads, X, Y), variable)[0] / eta)
    samples = torch.stack(descents)
    assert agrees(samples, step / eta)
    assert not agrees(samples, 1.02 * step / eta)


def test_two_to_one_law_of_uniform_tasks_and_gain_of_balanced_ones() -> None:
    d, r = 1000, 3
    V = torch.randn(200, r, generator=streams(0, "V")["V"], dtype=torch.float64) / math.sqrt(d)
    tau = (1 - V.square().sum(1)).sqrt()
    zero = torch.zeros_like(tau)
    uniform = population_step(V, tau, zero, limit_kernel(r, "uniform"))
    gain = (uniform.parallel * V).sum() / V.square().sum()
    assert gain.item() == pytest.approx(2.0**-r / math.pi, rel=0.01)
    assert uniform.perpendicular.mean().item() == pytest.approx(2.0**-r / (2 * math.pi), rel=0.01)
    balanced = population_step(V, tau, zero, limit_kernel(r, "balanced"))
    gain = (balanced.parallel * V).sum() / V.square().sum()
    assert gain.item() == pytest.approx(1 / (2 * math.pi * (2**r - 1)), rel=0.01)
    assert balanced.perpendicular.abs().max() < 1e-4 * gain


# The leading order


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
@pytest.mark.parametrize("law", ["uniform", "threshold", "balanced", "centred"])
def test_leading_order_is_approached_at_second_order(law: str, loss: str) -> None:
    random = streams(5, "V", "tasks")
    direction = torch.randn(6, 3, generator=random["V"], dtype=torch.float64)
    F = sample_tasks(5, 3, law="uniform" if law == "centred" else law, generator=random["tasks"])
    F = centred(F) if law == "centred" else F
    tau = tensor([0.5, 1, 2, 1, 1, 3])
    errors = []
    for size in (0.02, 0.01, 0.005):
        V = size * direction
        exact = population_step(V, tau, torch.zeros_like(tau), task_kernel(F), head_step=0.3, loss=loss)
        first = leading_order_step(V, tau, F, head_step=0.3, loss=loss)
        errors.append([float((e - a).norm()) for e, a in zip(exact, first, strict=True)])
        assert errors[-1][0] < 0.1 * float(exact.parallel.norm())
    for larger, smaller in itertools.pairwise(errors):
        for a, b in zip(larger, smaller, strict=True):
            assert math.log2(a / b) > 1.9


def test_steps_of_the_heads_are_one_when_nothing_else_is_said() -> None:
    V, tau, F = tensor([[0.1, -0.2]]), tensor([2.0]), all_tasks(2)[7:9]
    for asked, alone in (
        (leading_order_step(V, tau, F, head_step=1.0, loss="hinge"), leading_order_step(V, tau, F)),
        (population_step(V, tau, 0 * tau, task_kernel(F), head_step=1.0, loss="hinge", leak=0.0),
         population_step(V, tau, 0 * tau, task_kernel(F))),
    ):  # fmt: skip
        assert all(torch.equal(one, other) for one, other in zip(asked, alone, strict=True))


def test_leading_order_by_hand() -> None:
    F = tensor([[-1.0, 1, 1, 1]])  # or: f0 = f1 = f2 = 1/2, f12 = -1/2
    step = leading_order_step(tensor([[0.1, 0.2]]), tensor([2.0]), F, head_step=2 * math.pi)
    expected = [
        2 / 4 + (0.25 + 0.25) * 0.1 + 0.25 * 0.2 - 2 / math.pi * 0.25 * 0.2,
        2 / 4 + 0.25 * 0.1 + (0.25 + 0.25) * 0.2 - 2 / math.pi * 0.25 * 0.1,
    ]
    assert_allclose(step.parallel[0], expected, rtol=1e-12)
    assert_allclose(step.perpendicular, [0.25 + 0.25 * 0.3 / 2], rtol=1e-12)


# Many rounds


def by_hand(
    W: Tensor,
    b: Tensor,
    M: Tensor,
    F: Tensor,
    *,
    rounds: int,
    head_step: float,
    step: float,
    decay: float = 0.0,
    kappa: float = 1.0,
    carry: bool = True,
) -> tuple[Tensor, list[Tensor], list[float], list[float], list[float]]:
    """Train W on infinitely many inputs, with a head for each task: W, heads, energy, conditioning and margin."""
    K, Z = F.shape[1], pattern_signs(M.shape[1])
    heads = [torch.zeros_like(b) for _ in F]
    energies, conditionings, margins = [energy_ratio(W, M)], [conditioning(W, M)], []
    for _ in range(rounds):
        V = W @ M
        outside = W - V @ M.T
        mean, _, first, density = pattern_moments(V, outside.norm(dim=1), b)
        gradient, margin = torch.zeros_like(W), 0.0
        for t, f in enumerate(F):
            heads[t] = (heads[t] if carry else 0) + kappa * head_step * mean @ f / K
            margin += float(heads[t] @ (mean @ f / K)) / len(F)
            inside = torch.stack([first[:, :, i] @ (f * Z[:, i]) / K for i in range(M.shape[1])], 1)
            pull = inside @ M.T + (density @ f / K).unsqueeze(1) * outside
            gradient -= kappa / len(F) * heads[t].unsqueeze(1) * pull
        W = W - step * (gradient + decay * W)
        energies.append(energy_ratio(W, M))
        conditionings.append(conditioning(W, M))
        margins.append(margin)
    return W, heads, energies, conditionings, margins


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_flow_equals_a_loop_that_keeps_every_head(loss: str, decay: float) -> None:
    inputs, W, b, F = one_network(True)
    kappa = 1.0 if loss == "hinge" else 0.5
    flow = population_flow(
        Neurons.of(W, inputs.M)._replace(b=b), task_kernel(F),
        rounds=5, head_step=0.3, representation_step=4.0, weight_decay=decay, loss=loss,
    )  # fmt: skip
    trained, _, *curves = by_hand(W, b, inputs.M, F, rounds=5, head_step=0.3, step=4.0, decay=decay, kappa=kappa)
    assert (trained - W).norm() > 0.2 * W.norm()
    expected = Neurons.of(trained, inputs.M)
    assert_close(flow.neurons.V, expected.V, rtol=1e-10, atol=1e-12)
    assert_close(flow.neurons.tau, expected.tau, rtol=1e-10, atol=1e-12)
    assert torch.equal(flow.neurons.b, b)
    for found, curve in zip((flow.energy, flow.conditioning, flow.margin), curves, strict=True):
        assert_close(found, tensor(curve), rtol=1e-10, atol=1e-12)


def test_logistic_flow_is_the_hinge_flow_with_a_quarter_of_the_steps() -> None:
    neurons, kernel = draw(6, 3, 20), limit_kernel(3)
    logistic = population_flow(neurons, kernel, rounds=4, head_step=0.8, representation_step=5.0, loss="logistic")
    hinge = population_flow(neurons, kernel, rounds=4, head_step=0.2, representation_step=5.0)
    assert_close(logistic.energy, hinge.energy, rtol=1e-12, atol=0)
    assert_close(logistic.margin, 2 * hinge.margin, rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
def test_flow_is_the_mean_of_training_with_small_heads_and_large_batches(loss: str) -> None:
    inputs, W, b, F = one_network(False)
    kappa = 1.0 if loss == "hinge" else 0.5
    eta = 1e-4 / kappa**2  # no margin comes near 1
    settings = PretrainSettings(
        rounds=4, batch_size=8000, head_step=eta, representation_step=3e4, weight_decay=5e-6, loss=loss
    )
    network, generator = TwoLayerReLU(W, b, torch.zeros(4, 3).double()), streams(2, "batches")["batches"]
    samples = torch.stack([pretrain(network, inputs, F, settings, generator=generator).network.W for _ in range(60)])
    common = {"rounds": 4, "head_step": eta, "step": 3e4, "decay": 5e-6, "kappa": kappa}
    exact = by_hand(W, b, inputs.M, F, **common)[0]
    flow = population_flow(
        Neurons.of(W, inputs.M), task_kernel(F),
        rounds=4, head_step=eta, representation_step=3e4, weight_decay=5e-6, loss=loss,
    )  # fmt: skip
    V = samples @ inputs.M
    away = samples - V @ inputs.M.T
    start = W - W @ inputs.M @ inputs.M.T
    along = (away * start / start.norm(dim=1, keepdim=True)).sum(2)
    assert agrees(samples, exact)
    assert agrees(V, flow.neurons.V)
    assert agrees(along, flow.neurons.tau)
    wrong = [
        W + 1.02 * (exact - W),
        by_hand(W, b, inputs.M, F, **common, carry=False)[0],
        by_hand(W, b, inputs.M, F, **{**common, "decay": 0.0})[0],
        by_hand(W, b, inputs.M, F, **{**common, "rounds": 3})[0],
    ]
    for weights in wrong:
        assert not agrees(samples, weights)
        assert not agrees(V, weights @ inputs.M)


def test_flow_of_odd_tasks_is_linear_in_any_dimension() -> None:
    F = all_tasks(3)
    odd = F[(F == -F.flip(1)).all(1)][1:8]
    f1 = degree_one(walsh_coefficients(odd))
    A = f1.T @ f1 / len(odd)
    for d, loss, kappa in ((4, "hinge", 1.0), (50, "logistic", 0.5)):
        neurons = draw(5, 3, d)
        c = 2.0 * kappa**2 * 0.7 / (2 * math.pi)
        V, total = neurons.V, torch.zeros_like(neurons.V)
        for rounds in range(1, 7):
            total = total + V
            V = V + c * total @ A
            flow = population_flow(
                neurons, task_kernel(odd), rounds=rounds, head_step=0.7, representation_step=2.0, loss=loss
            )
            assert_close(flow.neurons.V, V, rtol=1e-10, atol=1e-12)
            assert_close(flow.neurons.tau, neurons.tau, rtol=1e-10, atol=1e-12)


def test_margin_is_the_mean_of_a_network_with_these_heads() -> None:
    inputs, W, b, F = one_network(True)
    flow = population_flow(
        Neurons.of(W, inputs.M)._replace(b=b), task_kernel(F), rounds=3, head_step=0.3, representation_step=2.0
    )
    X = inputs.sample(400_000, generator=streams(0, "X")["X"])
    for rounds in (1, 3):
        before = by_hand(W, b, inputs.M, F, rounds=rounds - 1, head_step=0.3, step=2.0)[0]
        heads = torch.stack(by_hand(W, b, inputs.M, F, rounds=rounds, head_step=0.3, step=2.0)[1])
        scores = TwoLayerReLU(before, b, heads)(X)
        margins = (F[:, inputs.patterns(X)].T * scores).mean(1)
        assert agrees(margins, flow.margin[rounds - 1])
        assert not agrees(margins, 1.02 * flow.margin[rounds - 1])


def test_flow_takes_float32_neurons_and_leaves_its_arguments_alone() -> None:
    wide, kernel = draw(6, 2, 20), limit_kernel(2, "balanced")
    narrow = Neurons(*(x.float() for x in wide))
    kept = [x.clone() for x in (*wide, kernel)]
    settings = {"rounds": 3, "head_step": 0.5, "representation_step": 4.0}
    one, two = population_flow(wide, kernel, **settings), population_flow(narrow, kernel.float(), **settings)
    assert two.energy.dtype == torch.float64
    for a, e in zip((*two.neurons, *two[1:]), (*one.neurons, *one[1:]), strict=True):
        assert_close(a, e, rtol=1e-4, atol=1e-6)
    for before, after in zip(kept, (*wide, kernel), strict=True):
        assert torch.equal(before, after)


# Bad input


V0, TAU0, B0 = torch.full((3, 2), 0.1).double(), torch.ones(3).double(), torch.zeros(3).double()


@pytest.mark.usefixtures("unchecked")
def test_bad_steps_are_refused() -> None:
    kernel, F = limit_kernel(2), torch.ones(1, 4, dtype=torch.float64)
    where = "population_step: "
    with refuses(ValueError, where + "kernel must be of shape (4, 4); got (8, 8). "):
        population_step(V0, TAU0, B0, limit_kernel(3))
    with refuses(ValueError, where + "kernel must be finite; got NaN or infinity. "):
        population_step(V0, TAU0, B0, kernel * math.nan)
    with refuses(ValueError, where + "V must be of shape (m, r); got (2,). "):
        population_step(V0[0], TAU0, B0, kernel)
    where = "leading_order_step: "
    with refuses(ValueError, where + "V must be of shape (m, 2); got (3, 1). "):
        leading_order_step(V0[:, :1], TAU0, F)
    with refuses(ValueError, where + "tau must be of shape (3); got (2,). "):
        leading_order_step(V0, TAU0[:2], F)
    with refuses(ValueError, where + "tau must be positive; got 0.0. "):
        leading_order_step(V0, 0 * TAU0, F)
    with refuses(ValueError, where + "F must be made of -1 and +1, or of other real labels; got only 0 and 1. "):
        leading_order_step(V0, TAU0, tensor([[0, 1, 1, 1]]))
    with refuses(TypeError, where + "F must be of the dtype and device of V (torch.float64, cpu); got torch.float32"):
        leading_order_step(V0, TAU0, F.float())
    for function, last in ((population_step, (B0, kernel)), (leading_order_step, (F,))):
        where = f"{function.__name__}: "
        with refuses(ValueError, where + "head_step must be finite and positive; got 0.0. "):
            function(V0, TAU0, *last, head_step=0.0)  # type: ignore[call-arg, arg-type]
        with refuses(ValueError, where + "loss must be one of hinge, logistic; got 'square'. "):
            function(V0, TAU0, *last, loss="square")  # type: ignore[call-arg, arg-type]


@pytest.mark.usefixtures("unchecked")
def test_bad_neurons_are_refused() -> None:
    generator = streams(0, "neurons")["neurons"]
    where = "Neurons.random: "
    with refuses(ValueError, where + "m must be at least 1; got 0. "):
        Neurons.random(0, 2, 5, generator=generator)
    with refuses(TypeError, where + "m must be an integer; got float 2.0. "):
        Neurons.random(2.0, 2, 5, generator=generator)  # type: ignore[arg-type]
    with refuses(ValueError, where + "r must be smaller than d = 5; got 5. "):
        Neurons.random(2, 5, 5, generator=generator)
    with refuses(ValueError, where + "r must be at least 1; got 0. "):
        Neurons.random(2, 0, 5, generator=generator)
    with refuses(TypeError, where + "generator must be a torch.Generator; got int. "):
        Neurons.random(2, 2, 5, generator=0)  # type: ignore[arg-type]
    where, W, M = "Neurons.of: ", torch.ones(3, 4).double(), torch.eye(4, 2).double()
    with refuses(ValueError, where + "W must be of shape (m, 4); got (3, 3). "):
        Neurons.of(W[:, :3], M)
    with refuses(ValueError, where + "M must be orthonormal in its columns; got M^T M off by 3.0e+00. "):
        Neurons.of(W, 2 * M)
    with refuses(ValueError, where + "W must be finite; got NaN or infinity. "):
        Neurons.of(W / 0, M)
    with refuses(TypeError, where + "M must be of the dtype and device of W (torch.float32, cpu); got torch.float64"):
        Neurons.of(W.float(), M)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"rounds": 0}, ValueError, "rounds must be at least 1; got 0. "),
        ({"rounds": 1.0}, TypeError, "rounds must be an integer; got float 1.0. "),
        ({"head_step": 0.0}, ValueError, "head_step must be finite and positive; got 0.0. "),
        ({"representation_step": math.inf}, ValueError, "representation_step must be finite and positive; got inf. "),
        ({"representation_step": "1"}, TypeError, "representation_step must be a number; got str '1'. "),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be finite and non-negative; got -0.1. "),
        ({"loss": "square"}, ValueError, "loss must be one of hinge, logistic; got 'square'. "),
        ({"kernel": limit_kernel(3)}, ValueError, "kernel must be of shape (4, 4); got (8, 8). "),
        ({"kernel": limit_kernel(2) * math.nan}, ValueError, "kernel must be finite; got NaN or infinity. "),
        ({"neurons": Neurons(V0[0], TAU0, B0)}, ValueError, "V must be of shape (m, r); got (2,). "),
        (
            {"neurons": Neurons(V0, TAU0.float(), B0)},
            TypeError,
            "tau must be of the dtype and device of V (torch.float64, cpu); got torch.float32",
        ),
    ],
)
def test_bad_flows_are_refused(change: dict, error: type[Exception], sentence: str) -> None:
    good = {"neurons": Neurons(V0, TAU0, B0), "kernel": limit_kernel(2)}
    good |= {"rounds": 2, "head_step": 0.1, "representation_step": 0.1}
    with refuses(error, "population_flow: " + sentence):
        population_flow(**{**good, **change})
