"""Contrastive losses and training on pairs: against loops over the pairs, one by one."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_args

import pytest
import torch
from sentences import refuses
from torch import Tensor
from torch.testing import assert_close

from mtfl import (
    ColouredInputs,
    GaussianInputs,
    HypercubeInputs,
    conditioning,
    energy_ratio,
    sample_tasks,
    streams,
)
from mtfl.inputs import InputLaw
from mtfl.pairs import PairSettings, contrastive_loss, joint_cells, positives, task_cells, train_on_pairs
from mtfl.pretraining import Adam, Ridge

SETTINGS = PairSettings(3, 12, 0.7, 0.3)
M = torch.eye(5, 2).double()
LAWS: dict[str, InputLaw] = {
    "gaussian": GaussianInputs(M),
    "hypercube": HypercubeInputs(M),
    "coloured": ColouredInputs(M, torch.eye(5).double() + 0.5),
}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=streams(seed, "drawn")["drawn"], dtype=torch.float64)


def tables(tasks: int, seed: int = 0) -> Tensor:
    return sample_tasks(tasks, 2, generator=streams(seed, "tasks")["tasks"])


def by_hand(H: Tensor, partners: Tensor, lists: list, lists_of_partners: list, temperature: float, dot: bool) -> Tensor:
    """The loss with one list of labels for each division, anchor by anchor."""
    if not dot:
        H, partners = (x / x.norm(dim=1, keepdim=True).clamp(min=1e-12) for x in (H, partners))
    total = torch.zeros((), dtype=torch.float64)
    for own, others in zip(lists, lists_of_partners, strict=True):
        for i, h in enumerate(H):
            scores = [(h @ p) / temperature for p in partners]
            chosen = [s for s, label in zip(scores, others, strict=True) if label == own[i]]
            chance = torch.stack(scores).exp().mean()
            total = total + sum((chance.log() - s for s in chosen), torch.tensor(0.0)) / max(len(chosen), 1)
    return total / len(H) / len(lists)


def test_without_partners_an_anchors_candidates_are_all_others() -> None:
    H, labels, total = drawn(7, 3, seed=5), [0, 0, 1, 1, 2, 1, 0], torch.tensor(0.0).double()  # one has no positive
    alike = torch.tensor([[float(a == b and i != j) for j, b in enumerate(labels)] for i, a in enumerate(labels)])
    weights = alike.double() / alike.sum(1, keepdim=True).clamp(min=1)
    for i, h in enumerate(H):
        scores = {j: torch.cosine_similarity(h, H[j], dim=0) / 0.6 for j in range(7) if j != i}
        chosen = [s for j, s in scores.items() if labels[j] == labels[i]]
        chance = torch.stack([*scores.values()]).exp().mean()
        total = total + sum((chance.log() - s for s in chosen), torch.tensor(0.0)) / max(len(chosen), 1) / 7
    assert_close(contrastive_loss(H, None, weights, temperature=0.6), total)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("kind", ["tasks", "joint"])
def test_the_loss_is_a_mean_over_pairs(similarity: str, kind: str) -> None:
    F, H, partners = tables(3), drawn(7, 4), drawn(9, 4, seed=1)
    z, others = torch.tensor([0, 1, 2, 3, 0, 1, 2]), torch.tensor([0, 0, 1, 1, 2, 2, 0, 1, 0])  # nobody has pattern 3
    cells = task_cells(F) if kind == "tasks" else joint_cells(F)
    asked = {} if similarity == "cosine" else {"similarity": similarity}  # cosines are the default
    found = contrastive_loss(H, partners, positives(cells, z, others), temperature=0.6, **asked)
    columns = [tuple(f.tolist()) for f in F.T]
    if kind == "tasks":
        own, theirs = ([[float(f[k]) for k in where] for f in F] for where in (z, others))
    else:
        own, theirs = ([[columns[k] for k in where]] for where in (z, others))
    assert_close(found, by_hand(H, partners, own, theirs, 0.6, similarity == "dot"), rtol=1e-12, atol=0)


def test_cells_say_which_labels_agree() -> None:
    F = torch.tensor([[1.0, 1, -1, -1], [1, 1, 1, -1]]).double()
    assert task_cells(F).tolist() == [[1, 1, 0, 0], [1, 1, 1, 0]]
    assert task_cells(torch.tensor([[0.5, -0.5, 0, 0]]).double()).tolist() == [[1, 0, 0, 0]]
    (joint,) = joint_cells(F).tolist()
    assert joint[0] == joint[1] and len(set(joint)) == 3


def test_weights_are_shares_of_an_anchors_partners() -> None:
    cells, z = torch.tensor([[0, 0, 1, 2], [0, 1, 1, 1]]), torch.tensor([0, 0, 1, 2])
    weights = positives(cells, torch.tensor([0, 3, 2]), z)
    assert_close(weights[0], torch.tensor([1 / 6 + 1 / 4, 1 / 6 + 1 / 4, 1 / 6, 0]).double())
    assert_close(weights[1], torch.tensor([0, 0, 1 / 4, 1 / 4]).double())  # in the first division it is alone
    assert_close(weights[2], torch.tensor([0, 0, 1 / 4, 1 / 2 + 1 / 4]).double())  # there it has one partner


def test_the_laws_of_inputs_here_are_all_there_are() -> None:
    assert {type(law) for law in LAWS.values()} == set(get_args(InputLaw))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("change", [{}, {"representation_step": Adam(0.05)}, {"similarity": "dot"}], ids=str)
def test_training_equals_a_loop_with_torch(change: dict[str, Any], law: str) -> None:
    settings = dataclasses.replace(SETTINGS, **change)
    inputs, F, W = LAWS[law], tables(3), drawn(6, 5)
    trained = train_on_pairs(W, inputs, task_cells(F), settings, generator=streams(0, "a")["a"])
    free, generator, step = W.clone().requires_grad_(), streams(0, "a")["a"], settings.representation_step
    rule = torch.optim.Adam([free], lr=step.rate) if isinstance(step, Adam) else torch.optim.SGD([free], lr=step)
    for index in range(settings.rounds):
        assert trained.energy[index].item() == pytest.approx(energy_ratio(free.detach(), inputs.M))
        X, other = (inputs.sample(12, generator=generator) for _ in range(2))
        own, theirs = ([f[inputs.patterns(each)].tolist() for f in F] for each in (X, other))
        rule.zero_grad()
        H, partners = torch.relu(X @ free.T), torch.relu(other @ free.T)
        by_hand(H, partners, own, theirs, 0.7, change.get("similarity") == "dot").backward()
        rule.step()
    assert_close(trained.W, free.detach(), rtol=1e-9, atol=1e-10)
    assert trained.conditioning[-1].item() == pytest.approx(conditioning(trained.W, inputs.M))
    assert len(trained.energy) == len(trained.conditioning) == settings.rounds + 1


def test_arguments_stay() -> None:
    inputs, F, W = GaussianInputs(torch.eye(5, 2).double()), tables(3), drawn(6, 5)
    kept = W.clone()
    trained = train_on_pairs(W, inputs, joint_cells(F), SETTINGS, generator=streams(0, "a")["a"])
    assert torch.equal(W, kept) and not W.requires_grad and not trained.W.requires_grad
    assert not torch.equal(trained.W, kept)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"rounds": 0}, ValueError, "rounds must be at least 1; got 0. "),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0. "),
        ({"temperature": 0.0}, ValueError, "temperature must be finite and positive; got 0.0. "),
        ({"representation_step": Ridge(1.0)}, TypeError, "representation_step must be a number; got Ridge "),
        ({"representation_step": math.inf}, ValueError, "representation_step must be finite and positive; got inf. "),
        ({"similarity": "angle"}, ValueError, "similarity must be one of cosine, dot; got 'angle'. "),
    ],
)
def test_bad_settings_are_refused(change: dict, error: type[Exception], sentence: str) -> None:
    with refuses(error, "PairSettings: " + sentence):
        dataclasses.replace(SETTINGS, **change)


@pytest.mark.usefixtures("unchecked")
def test_problems_that_do_not_fit_are_refused() -> None:
    inputs, W = GaussianInputs(torch.eye(5, 2).double()), drawn(6, 5)
    for cells, error, sentence in [
        (torch.ones(1, 4), TypeError, "cells must be a torch.int64 tensor; got "),
        (torch.arange(8)[None], ValueError, "cells must be of shape (S, 4); got (1, 8). "),
    ]:
        with refuses(error, "train_on_pairs: " + sentence):
            train_on_pairs(W, inputs, cells, SETTINGS, generator=streams(0, "a")["a"])
    diverging = dataclasses.replace(SETTINGS, representation_step=1e308, similarity="dot", temperature=1e-5)
    with refuses(ValueError, "train_on_pairs: every weight must be finite; got NaN or infinity in round "):
        train_on_pairs(W, inputs, torch.arange(4)[None], diverging, generator=streams(0, "a")["a"])
