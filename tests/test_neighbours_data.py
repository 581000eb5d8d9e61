"""Steps on coloured inputs, and on inputs of each task's own: against sampling, loops, and sums over patterns."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from oracles import SIGMAS
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl.inputs import ColouredInputs, GaussianInputs
from mtfl.many_tasks import KernelNorms
from mtfl.metrics import conditioning, energy_ratio
from mtfl.neighbours import labels
from mtfl.neighbours.colour import coloured_inputs, coloured_step, own_colours_energy, tilted_energy, variances
from mtfl.neighbours.labels import (
    OwnInputsSettings,
    autoregressive_paths,
    even_subspace,
    noise_stability,
    own_inputs_energy,
    own_inputs_run,
    own_inputs_step,
    path_inflation,
    reused_energy,
)
from mtfl.network import TwoLayerReLU
from mtfl.one_step import contrastive_step
from mtfl.population import Neurons, population_step
from mtfl.pretraining import pretrain
from mtfl.randomness import streams
from mtfl.sweeps.experiments import EXPERIMENTS, LOOKS, ColouredSettings, RecoverySettings, coloured_run, recovery_run
from mtfl.tasks import all_tasks, characters, limit_kernel, pattern_signs, sample_tasks


def generator(seed: int = 0) -> torch.Generator:
    return streams(seed, "neighbours")["neighbours"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def balanced(r: int) -> Tensor:
    F = all_tasks(r)
    return F[F.sum(1) == 0]


# Colour


@pytest.mark.parametrize("spread", [0.0, 1e-4, 0.1, 1.0, 7.5])
def test_variances_have_mean_one_and_the_spread_and_are_lognormal(spread: float) -> None:
    found = variances(40, spread)
    assert_close(found.mean(), torch.tensor(1.0).double())
    assert float(found.var(correction=0)) == pytest.approx(spread, abs=1e-9)
    levels = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(40) + 0.5).double() / 40)
    slopes = found.log().diff() / levels.diff()
    assert_close(slopes, slopes[0].expand(39), rtol=1e-6, atol=1e-9)


def test_coloured_inputs_have_uncorrelated_features_and_every_pattern_equally_often() -> None:
    inputs = coloured_inputs(12, 3, 2.0, generator=generator())
    G = inputs.M.T @ inputs.Sigma @ inputs.M
    assert_close(G, G.diagonal().diag(), rtol=0, atol=1e-12)
    assert_close(inputs.Sigma.diagonal(), variances(12, 2.0))
    n = 80_000
    shares = inputs.patterns(inputs.sample(n, generator=generator(1))).bincount(minlength=8) / n
    assert float((shares - 1 / 8).abs().max()) < SIGMAS * math.sqrt(7 / 64 / n)
    assert coloured_inputs(12, 3, 2.0, generator=generator(), dtype=torch.float32).M.dtype == torch.float32


def test_a_coloured_step_is_that_on_many_sampled_inputs() -> None:
    inputs, W = coloured_inputs(8, 2, 1.0, generator=generator(2)), normal(6, 8, seed=3) / 3
    for kernel in (limit_kernel(2, "balanced"), limit_kernel(2), balanced(2)[:1].T @ balanced(2)[:1]):
        exact = coloured_step(W, inputs, kernel)
        sampled = contrastive_step(W, inputs, kernel, batch_size=300_000, generator=generator(4))
        assert float((exact - sampled).norm() / exact.norm()) < 0.03


def test_a_coloured_step_needs_no_axes_and_on_white_inputs_is_the_step_of_the_population() -> None:
    turn = torch.linalg.qr(normal(8, 8, seed=5)).Q
    inputs, W, kernel = coloured_inputs(8, 2, 1.0, generator=generator(6)), normal(6, 8, seed=7), limit_kernel(2)
    turned = ColouredInputs(turn @ inputs.M, turn @ inputs.Sigma @ turn.T)
    assert_close(coloured_step(W @ turn.T, turned, kernel), coloured_step(W, inputs, kernel) @ turn.T)
    assert tilted_energy(turned) == pytest.approx(tilted_energy(inputs))
    white = ColouredInputs(inputs.M, torch.eye(8).double())
    law = population_step(*Neurons.of(W, inputs.M), kernel).weights(W, inputs.M)
    assert_close(coloured_step(W, white, kernel), law)
    assert tilted_energy(white) == pytest.approx(1)


def test_colour_may_have_any_scale() -> None:
    """Inputs c times as large have c^2 times the step; what counts as correlated does not depend on c."""
    M, W, kernel = coloured_inputs(8, 2, 1.0, generator=generator(6)).M, normal(6, 8, seed=7), limit_kernel(2)
    Sigma = coloured_inputs(8, 2, 1.0, generator=generator(6)).Sigma
    expected, energy = coloured_step(W, ColouredInputs(M, Sigma), kernel), tilted_energy(ColouredInputs(M, Sigma))
    for square in (1e-13, 1e13):
        inputs = ColouredInputs(M, square * Sigma)
        assert_close(coloured_step(W, inputs, kernel), square * expected)
        assert tilted_energy(inputs) == pytest.approx(energy)
        with pytest.raises(ValueError, match="the features of the inputs must be uncorrelated; got a part"):
            tilted_energy(ColouredInputs(torch.eye(4, 2).double(), square * (torch.eye(4).double() + 0.1)))


def test_the_tilted_energy_is_that_of_an_exact_step_of_random_neurons_and_one_squared_cosine() -> None:
    inputs = coloured_inputs(300, 2, 1.0, generator=generator(8))
    W = torch.linalg.qr(normal(300, 300, seed=9)).Q
    step = coloured_step(W, inputs, limit_kernel(2, "balanced"))
    assert energy_ratio(step, inputs.M) == pytest.approx(tilted_energy(inputs), rel=5e-3)
    single = coloured_inputs(20, 1, 1.0, generator=generator(10))
    cosine = torch.cosine_similarity(single.M[:, 0], (single.Sigma @ single.M)[:, 0], dim=0)
    assert tilted_energy(single) == pytest.approx(float(cosine) ** 2)


def test_the_energy_of_variances_of_its_own_is_that_of_means_over_sampled_inputs() -> None:
    """Correlations and mean labels of all balanced tasks by counting, for two laws whose features are correlated."""
    M, blocks, F = torch.linalg.qr(normal(6, 2, seed=21)).Q, 30, balanced(2)
    sizes, ratios = 0.2 + normal(2, 6, seed=22).square(), []
    for seed in range(blocks):
        step, z = torch.zeros(6, 6).double(), normal(80_000, 6, seed=seed)
        for size in sizes:
            X = torch.cat([z, -z]) * size.sqrt()
            y = F[:, GaussianInputs(M).patterns(X)]
            pulls = y @ X / len(X)
            step += pulls.T @ pulls / 4 + y.mean(1).square().sum() / (2 * math.pi) * size.diag()
        ratios.append((step - M @ (M.T @ step)).square().sum() / (M.T @ step).square().sum())
    found, sampled = 1 / own_colours_energy(M, sizes) - 1, torch.stack(ratios)
    error = SIGMAS * float(sampled.std()) / math.sqrt(blocks)
    assert abs(found - sampled.mean()) < error
    assert all(abs(twin * found - sampled.mean()) > error for twin in (0.98, 1.02))


def test_variances_of_its_own_for_each_task_average_out_as_the_page_says_on_an_even_subspace() -> None:
    M, sizes = even_subspace(12, 2), 0.1 + normal(3000, 12, seed=24).square()
    sizes = torch.cat([sizes.roll(k, 1) for k in range(12)])  # no place is preferred
    first = sizes[:, :6]
    ratio = (first.var(1) / first.mean(1)).mean() / first.mean()
    expected = 1 / (1 + 5 * (float(ratio) / 6) ** 2)
    assert own_colours_energy(M, sizes) == pytest.approx(expected, rel=2e-3)


@pytest.mark.usefixtures("unchecked")
def test_colour_refuses_bad_input() -> None:
    with refuses(ValueError, "variances: spread must be at most d / 2 = 2; got 3. "):
        variances(4, 3)
    M = torch.eye(4, 2).double()
    inputs = ColouredInputs(M, torch.eye(4).double() + 0.1)
    for run in (lambda: coloured_step(normal(3, 4), inputs, limit_kernel(2)), lambda: tilted_energy(inputs)):
        with pytest.raises(ValueError, match="the features of the inputs must be uncorrelated; got a part"):
            run()
    with refuses(TypeError, "tilted_energy: inputs must be "):
        tilted_energy(GaussianInputs(M))  # pyright: ignore[reportArgumentType]


# Dependence


@pytest.mark.parametrize("q", [0.0, 0.3, 1.0])
def test_noise_stability_is_a_mean_over_pairs_of_patterns(q: float) -> None:
    F, Z = sample_tasks(5, 3, generator=generator()), pattern_signs(3)
    chance = ((1 + q * Z[:, None] * Z[None]) / 2).prod(2) / 8
    assert_close(noise_stability(F, q), torch.einsum("tz,zy,ty->t", F, chance, F), rtol=1e-12, atol=1e-14)


def test_paths_are_stationary_and_forget_at_their_rate() -> None:
    X = autoregressive_paths(30_000, 5, 2, 0.7, generator=generator())
    covariance = torch.einsum("cid,cjd->dij", X, X) / len(X)
    lag = (torch.arange(5)[:, None] - torch.arange(5)).abs()
    assert float((covariance - 0.7**lag).abs().max()) < SIGMAS * math.sqrt(2 / len(X))
    first = autoregressive_paths(3, 4, 2, 0.0, generator=generator(1))
    assert_close(first, torch.randn(3, 4, 2, generator=generator(1), dtype=torch.float64))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_inflation_is_that_of_sampled_paths(correlation: float) -> None:
    F, n, count = torch.stack([characters(2)[1], characters(2)[3]]), 12, 40_000
    X = autoregressive_paths(count, n, 4, correlation, generator=generator(2))
    z = (X[..., :2] > 0).long() @ torch.tensor([1, 2])
    law = path_inflation(F, correlation, n)
    for k, f in enumerate(F):
        heads = (f[z] * X[..., 2].relu()).mean(1).var() * 2 * n
        layer = (f[z] * (X[..., 2] > 0) * X[..., 3]).mean(1).var() * 2 * n
        assert float(heads) == pytest.approx(float(law.heads[k]), rel=0.04)
        assert float(layer) == pytest.approx(float(law.representation[k]), rel=0.04)


# Labels


def test_without_dependence_the_energy_is_that_of_the_norms() -> None:
    """Up to the part of the noise that falls into the subspace, which the norms leave out."""
    for T, n in ((40, 30), (4000, 3)):
        ratio = KernelNorms.expected(T, 2, shared=False).outside_over_inside(10**6, n * 10**6)
        assert 1 / own_inputs_energy(balanced(2), tasks=T, n=n * 10**6, d=10**6) - 1 == pytest.approx(ratio, rel=1e-4)


def test_what_shows_no_feature_has_the_energy_of_noise() -> None:
    """The share r / d, for tasks without a linear part, and for single examples that serve head and layer."""
    parity = characters(3)[[3, 7]]
    for given in ({"tasks": 1, "n": 5, "d": 7}, {"tasks": 90, "n": 4, "d": 30, "correlation": 0.6}):
        assert own_inputs_energy(parity, **given) == pytest.approx(3 / given["d"], rel=1e-12)  # type: ignore[arg-type]
    assert reused_energy(3, 1, 7) == pytest.approx(3 / 7, rel=1e-12)
    assert reused_energy(3, 10**9, 7) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_energy_is_that_of_steps(correlation: float) -> None:
    squares, d = torch.zeros(2), 24
    for seed in range(12):
        M = GaussianInputs.random(d, 2, generator=generator(seed), dtype=torch.float32).M
        W = torch.randn(40, d, generator=generator(seed + 50)) / math.sqrt(d)
        given: dict[str, Any] = {
            "tasks": 1000,
            "examples": 24,
            "correlation": correlation,
            "generator": generator(seed + 100),
        }
        step = own_inputs_step(W, M, **given)
        squares += torch.stack([(step @ M).square().sum(), step.square().sum()])
    law = own_inputs_energy(balanced(2), tasks=1000, n=12, d=d, correlation=correlation)
    assert float(squares[0] / squares[1]) == pytest.approx(law, rel=0.06)


def test_the_reused_energy_is_that_of_the_mean_step() -> None:
    n, d, M = 16, 400, torch.eye(400, 2).double()
    W = torch.linalg.qr(normal(d, d, seed=1)).Q
    step = population_step(*Neurons.of(W, M), limit_kernel(2, "balanced")).weights(W, M)
    assert energy_ratio((1 - 1 / n) * step + W / (2 * n), M) == pytest.approx(reused_energy(2, n, d), rel=0.01)


def by_hand(W: Tensor, M: Tensor, F: Tensor, X: Tensor, half: int, sizes: Tensor | None) -> Tensor:
    """A loop over tasks, neurons and inputs; half is 0 if batches are reused."""
    total = torch.zeros_like(W)
    for t, f in enumerate(F):
        first, second = (X[t, :half], X[t, half:]) if half else (X[t], X[t])

        def label(x: Tensor, f: Tensor = f) -> Tensor:
            return f[int(sum(2**i for i in range(M.shape[1]) if x @ M[:, i] >= 0))]

        for j, w in enumerate(W):
            head = sum((label(x) * (w @ x).relu() for x in first), torch.tensor(0.0)) / len(first)
            pull = sum((label(x) * x for x in second if w @ x > 0), torch.zeros(W.shape[1]))
            total[j] += head * pull / len(second) / (1 if sizes is None else sizes[t])
    return total / len(F)


@pytest.mark.parametrize("batches", labels.BATCHES)
@pytest.mark.parametrize(
    ("colours", "block"), [*((colours, (2, 1)) for colours in labels.COLOURS), ("none", (1, 1, 1))], ids=str
)
def test_a_step_is_a_loop_over_tasks(
    batches: str, colours: str, block: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The draws are those that the step makes, in its order; a block holds at least one task."""
    d, examples, T = 5, 4, 3
    M, W = GaussianInputs.random(d, 2, generator=generator(1)).M, normal(3, d, seed=2)
    monkeypatch.setattr(labels, "_BLOCK", 2 * examples if block[0] > 1 else 1)
    given: dict[str, Any] = {"batches": batches, "colours": colours, "spread": 0.8, "correlation": 0.5}
    found = own_inputs_step(W, M, tasks=T, examples=examples, **given, generator=generator(3))
    g, sizes, parts = generator(3), variances(d, 0.8) if colours != "none" else torch.ones(d).double(), []
    n = examples // 2 if batches == "fresh" else examples
    common = sizes[torch.randperm(d, generator=g)]
    for count in block:
        F = sample_tasks(count, 2, law="balanced", generator=g)
        X = torch.cat([autoregressive_paths(count, n, d, 0.5, generator=g) for _ in range(examples // n)], 1)
        own = colours.startswith("own")
        size = sizes[torch.rand(count, d, generator=g, dtype=torch.float64).argsort(1)] if own else common.expand(2, d)
        size = size[:count]
        half = n if batches == "fresh" else 0
        over = size if colours.endswith("whitened") else None
        parts.append(count * by_hand(W, M, F, X * size.sqrt()[:, None], half, over))
    assert_close(found, sum(parts, torch.zeros_like(W)) / T)


def test_an_even_subspace_has_features_on_axes_of_their_own() -> None:
    M = even_subspace(7, 2)
    assert_close(M.T @ M, torch.eye(2).double())
    assert (M != 0).sum(0).tolist() == [3, 3]
    assert (M != 0).sum(1).tolist() == [1, 1, 1, 1, 1, 1, 0]


def test_runs_take_their_settings() -> None:
    base: dict[str, Any] = {"d": 12, "r": 2, "neurons": 8, "labels": 40_000, "examples": 4}
    usual = own_inputs_run(OwnInputsSettings(**base), 0)
    assert usual == own_inputs_run(OwnInputsSettings(**base), 0)
    assert 0.7 < usual[0] < 1
    assert own_inputs_run(OwnInputsSettings(**base, batches="reused"), 0)[0] < 0.4
    for subspace in labels.SUBSPACES:
        random = streams(0, "subspace", "weights", "batches")
        single: dict[str, Any] = {"dtype": torch.float32}
        M = GaussianInputs.random(12, 2, generator=random["subspace"], **single).M
        M = even_subspace(12, 2, **single) if subspace == "even" else M
        W = torch.randn(8, 12, generator=random["weights"], **single) / math.sqrt(12)
        step = own_inputs_step(W, M, tasks=10_000, examples=4, generator=random["batches"])
        found = own_inputs_run(OwnInputsSettings(**base, subspace=subspace), 0)
        assert found == pytest.approx((energy_ratio(step, M), conditioning(step, M)))
    assert own_inputs_run(OwnInputsSettings(**base, spread=3.0, colours="common"), 0)[0] < usual[0]


def test_without_other_words_inputs_are_independent_and_white() -> None:
    """As with a correlation and a spread of 0; with that spread colours change nothing."""
    M, W = GaussianInputs.random(5, 2, generator=generator(1)).M, normal(3, 5, seed=2)
    given: dict[str, Any] = {"tasks": 3, "examples": 4}
    usual = own_inputs_step(W, M, **given, generator=generator(3))
    no_more: list[dict[str, Any]] = [{"correlation": 0.0}, {"spread": 0.0}, {"colours": "common"}]
    for words in [*no_more, {"batches": "fresh"}, {"colours": "none"}]:
        assert torch.equal(own_inputs_step(W, M, **given, **words, generator=generator(3)), usual)
    base: dict[str, Any] = {"d": 12, "r": 2, "neurons": 8, "labels": 40, "examples": 4}
    usual = own_inputs_run(OwnInputsSettings(**base), 0)
    for words in [*no_more, {"subspace": "random"}]:
        assert own_inputs_run(OwnInputsSettings(**base, **words), 0) == usual


@pytest.mark.usefixtures("unchecked")
def test_labels_refuse_bad_input() -> None:
    F, W, M = balanced(2), normal(3, 4), torch.eye(4, 2).double()
    with refuses(ValueError, "noise_stability: correlation must be at most 1; got 1.5. "):
        noise_stability(F, 1.5)
    with refuses(ValueError, "path_inflation: correlation must be below 1; got 1. "):
        path_inflation(F, 1, 3)
    with refuses(ValueError, "own_inputs_energy: the tasks of F must be balanced; got a mean label of 1. "):
        own_inputs_energy(all_tasks(2), tasks=3, n=2, d=5)
    with refuses(ValueError, "autoregressive_paths: correlation must be below 1; got 1. "):
        autoregressive_paths(2, 3, 4, 1, generator=generator())
    with refuses(ValueError, "own_inputs_step: correlation must be below 1; got 1. "):
        own_inputs_step(W, M, tasks=2, examples=4, correlation=1, generator=generator())
    with refuses(ValueError, "own_inputs_step: examples must be even; got 3. "):
        own_inputs_step(W, M, tasks=2, examples=3, generator=generator())
    with refuses(ValueError, "own_inputs_step: colours must be one of none, "):
        own_inputs_step(W, M, tasks=2, examples=4, colours="grey", generator=generator())
    sizes: dict[str, Any] = {"d": 5, "r": 2, "neurons": 4}
    with refuses(ValueError, "OwnInputsSettings: labels must be a multiple of examples = 4; got 6. "):
        OwnInputsSettings(**sizes, labels=6, examples=4)
    with refuses(ValueError, "OwnInputsSettings: subspace must be one of random, even; got 'odd'. "):
        OwnInputsSettings(**sizes, labels=8, examples=4, subspace="odd")
    with refuses(TypeError, "own_inputs_run: settings must be "):
        own_inputs_run(None, 0)  # pyright: ignore[reportArgumentType]


# Rounds


def test_training_on_coloured_inputs_measures_what_it_says() -> None:
    sizes: dict[str, Any] = {"d": 10, "r": 2, "neurons": 12, "tasks": 16, "rounds": 48, "batch_size": 400}
    steps: dict[str, Any] = {"head_step": 0.05, "representation_step": 3.0}

    def run(spread: float, **changes: Any) -> dict[str, float]:
        experiment = EXPERIMENTS["coloured"]
        settings = ColouredSettings(**sizes | steps | changes, spread=spread)
        return dict(zip(experiment.results, experiment.run(settings, 0), strict=True))

    coloured, white = run(2.0), run(0.0)
    assert 0.5 < coloured["accuracy"] < 1
    assert 0.3 < coloured["beyond_5"] < 0.8
    assert coloured["carried_5"] != pytest.approx(coloured["energy_5"], abs=0.01)
    assert white["carried_5"] == pytest.approx(white["energy_5"], abs=1e-5)  # Sigma M is M
    plain = [recovery_run(RecoverySettings(**sizes, **steps), seed)[0] for seed in range(3)]
    assert min(plain) - 0.1 < white["energy_5"] < max(plain) + 0.1
    wrong: dict[str, Any] = {"rounds": 50}
    assert run(2.0, head_step=1e-6, representation_step=1e4)["beyond_5"] == 0
    with refuses(ValueError, "ColouredSettings: rounds must be a multiple of 24; got 50. "):
        ColouredSettings(**sizes | steps | wrong, spread=1.0)


def test_looks_are_those_of_training_without_a_stop() -> None:
    """The network that a shorter training ends with: heads carry over, and batches are drawn one after the other."""
    settings = ColouredSettings(
        d=8, r=2, neurons=6, tasks=5, rounds=24, batch_size=50, head_step=0.05, representation_step=1.0, spread=1.0
    )
    found = coloured_run(settings, 1)
    random = streams(1, "subspace", "tasks", "weights", "batches")
    single: dict[str, Any] = {"dtype": torch.float32}
    inputs = coloured_inputs(8, 2, 1.0, generator=random["subspace"], **single)
    F = sample_tasks(5, 2, law="balanced", generator=random["tasks"], **single)
    start = TwoLayerReLU.random(6, 8, tasks=5, generator=random["weights"], **single)
    history = pretrain(start, inputs, F, settings, generator=random["batches"]).history
    looks = [24 // part for part in LOOKS]
    assert_close(torch.tensor(found[: len(LOOKS)]).double(), history.energy[looks], rtol=0, atol=1e-5)
