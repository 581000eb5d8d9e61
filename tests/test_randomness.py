"""Streams: fixed by seed and name, independent of each other and of torch's global generator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import agrees
from sentences import refuses

import mtfl
from mtfl.one_step import contrastive_step
from mtfl.tasks import LAWS
from mtfl.transfer import FrozenFeatures, transfer_accuracy


def draw(generator: torch.Generator, n: int = 8) -> list[float]:
    return torch.randn(n, generator=generator, dtype=torch.float64).tolist()


@settings(max_examples=20)
@given(st.integers(-(2**70), 2**70), st.permutations(["tasks", "inputs", "weights", "heads"]), st.integers(1, 4))
def test_a_stream_depends_on_seed_and_own_name_only(seed: int, names: list[str], kept: int) -> None:
    some = mtfl.streams(seed, *names[:kept])
    for name in names[:kept]:
        assert draw(some[name]) == draw(mtfl.streams(seed, name)[name])
    assert draw(mtfl.stream(seed, names[0])) == draw(mtfl.streams(seed, *names)[names[0]])


def test_other_seeds_and_other_names_give_other_numbers() -> None:
    drawn = {tuple(draw(mtfl.streams(seed, name)[name])) for seed in range(50) for name in ("a", "b", "c")}
    assert len(drawn) == 150


def test_streams_are_uncorrelated() -> None:
    n = 40_000
    random = mtfl.streams(0, "one", "two")
    one, two = (torch.randn(n, generator=random[name], dtype=torch.float64) for name in ("one", "two"))
    next_seed = torch.randn(n, generator=mtfl.streams(1, "one")["one"], dtype=torch.float64)
    assert agrees(one * two, 0.0)
    assert agrees(one * next_seed, 0.0)


def test_no_sampler_touches_the_global_generator() -> None:
    before = torch.get_rng_state()
    names = ("subspace", "inputs", "tasks", "weights", "features", "downstream", "step", "pretrain")
    random = mtfl.streams(3, *names)
    inputs = mtfl.GaussianInputs.random(6, 2, generator=random["subspace"])
    inputs.sample(5, generator=random["inputs"])
    mtfl.HypercubeInputs.axes(6, 2).sample(5, generator=random["inputs"])
    F = torch.cat([mtfl.sample_tasks(3, 2, law=law, generator=random["tasks"]) for law in LAWS])
    network = mtfl.TwoLayerReLU.random(4, 6, tasks=len(F), generator=random["weights"])
    features = FrozenFeatures.of(network.W, generator=random["features"])
    transfer_accuracy(features, inputs, F[0], examples=20, test_examples=20, generator=random["downstream"])
    contrastive_step(network.W, inputs, mtfl.task_kernel(F), batch_size=9, generator=random["step"])
    settings = mtfl.PretrainSettings(rounds=2, batch_size=8, head_step=0.1, representation_step=0.1)
    mtfl.pretrain(network, inputs, F, settings, generator=random["pretrain"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused() -> None:
    with refuses(TypeError, "streams: seed must be an integer; got float 0.5. "):
        mtfl.streams(0.5, "a")  # type: ignore[arg-type]
    with refuses(TypeError, "streams: seed must be an integer; got bool True. "):
        mtfl.streams(True, "a")
    with refuses(ValueError, "streams: names must be distinct and non-empty; got (). "):
        mtfl.streams(0)
    with refuses(ValueError, "streams: names must be distinct and non-empty; got ('a', 'a'). "):
        mtfl.streams(0, "a", "a")
    with refuses(ValueError, "streams: names must be distinct and non-empty; got ('',). "):
        mtfl.streams(0, "")
    for draw_one in (mtfl.streams, mtfl.stream):
        with refuses(TypeError, "streams: names must be strings; got int. "):
            draw_one(0, 1)  # type: ignore[arg-type]
