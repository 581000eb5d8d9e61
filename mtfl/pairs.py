"""True contrastive losses: pairs of inputs that belong together are pulled together, all others apart.

Which inputs belong together is said by *cells* of patterns. Row s of a (S, K) array of integers numbers the cells of
one division of the patterns, and pairs are positive in it when their patterns have the same number. The loss is the
mean over the divisions: of one for each task, of a single one by all tasks' labels together, or by the pattern itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mtfl import _checks
from mtfl._rounds import Moments
from mtfl.inputs import InputLaw
from mtfl.metrics import carries, measured
from mtfl.pretraining import Adam

SIMILARITIES = ("cosine", "dot")
"""Of features h and h': their inner product, of unit vectors or as they are."""


def task_cells(F: Float[Tensor, "T K"]) -> Int64[Tensor, "T K"]:
    """One division for each task: by its label, 0 where it is not positive and 1 where it is.

    Raises:
        TypeError, ValueError: if F is no table of tasks.
    """
    _checks.table("task_cells", F)
    return (F > 0).long()


def joint_cells(F: Float[Tensor, "T K"]) -> Int64[Tensor, "1 K"]:
    """A single division: patterns share a cell if they agree on the labels of all tasks.

    Raises:
        TypeError, ValueError: if F is no table of tasks.
    """
    return torch.unique(task_cells(F), dim=1, return_inverse=True)[1].unsqueeze(0)


def positives(
    cells: Int64[Tensor, "S K"], patterns: Int64[Tensor, " n"], partners: Int64[Tensor, " N"]
) -> Float[Tensor, "n N"]:
    """The weight of each partner among an anchor's positives, in the mean over divisions, in double precision.

    In a division whose cell of the anchor holds c partners each of them has 1/c; so rows sum to 1, or to the share of
    divisions in which the anchor has a partner. Without checks.
    """
    held = torch.bincount(partners, minlength=cells.shape[1])
    weights = torch.zeros(2 * cells.shape[1:], dtype=torch.float64, device=cells.device)
    for cell in cells:
        same = (cell.unsqueeze(1) == cell).double()
        weights += same / (same * held).sum(1, keepdim=True).clamp(min=1) / len(cells)
    return weights[patterns[:, None], partners]


def contrastive_loss(
    H: Float[Tensor, "n m"],
    partners: Float[Tensor, "N m"] | None,
    weights: Float[Tensor, "n N"],
    *,
    temperature: float,
    similarity: str = "cosine",
) -> Float[Tensor, ""]:
    """Mean over anchors of -log softmax(s / temperature), averaged over each anchor's positives, less log N.

    Anchors i have features H, the candidates j ``partners``; with s_ij their similarity and p_ij the weights,

        L = mean_i [ (sum_j p_ij) log mean_j exp(s_ij / temperature) - sum_j p_ij s_ij / temperature ].

    Without ``partners`` the candidates of an anchor are the N = n - 1 others, and it has no weight of its own. With one
    positive for each anchor this is InfoNCE (van den Oord et al., 2018), with all inputs of its class SupCon (Khosla et
    al., 2020), both up to log N. Differentiable in H and in the partners. Without checks.
    """
    candidates = H if partners is None else partners
    if similarity == "cosine":
        H, candidates = (torch.nn.functional.normalize(x, dim=1) for x in (H, candidates))
    scores, count = H @ candidates.T / temperature, len(candidates)
    if partners is None:
        itself = torch.eye(count, dtype=torch.bool, device=H.device)
        scores, count = scores.masked_fill(itself, -1e9), count - 1
    repulsion = weights.sum(1) * (scores.logsumexp(1) - math.log(count))
    return (repulsion - (weights * scores).sum(1)).mean()


@dataclass(frozen=True)
class PairSettings:
    """Settings of :func:`train_on_pairs`.

    Args:
        rounds: >= 1.
        batch_size: inputs of each of a round's two batches, the anchors and their partners.
        temperature: of the softmax.
        representation_step: of W, as in :class:`mtfl.pretraining.PretrainSettings`: a number or Adam's rule.
        similarity: one of :data:`SIMILARITIES`.

    Raises:
        TypeError, ValueError: for settings that make no sense, named.
    """

    rounds: int
    batch_size: int
    temperature: float
    representation_step: float | Adam
    similarity: str = "cosine"

    def __post_init__(self) -> None:
        where = "PairSettings"
        _checks.integer(where, "rounds", self.rounds, least=1)
        _checks.integer(where, "batch_size", self.batch_size, least=1)
        _checks.number(where, "temperature", self.temperature)
        if not isinstance(self.representation_step, Adam):
            _checks.number(where, "representation_step", self.representation_step)
        _checks.choice(where, "similarity", self.similarity, SIMILARITIES)


@dataclass(frozen=True, eq=False)
class TrainedOnPairs:
    """The first layer after :func:`train_on_pairs`, and what it recovered on the way.

    Args:
        W: at the end.
        energy: (rounds + 1,) in float64, :func:`mtfl.metrics.energy_ratio` before training and after each round.
        conditioning: (rounds + 1,) in float64, :func:`mtfl.metrics.conditioning`, likewise.
    """

    W: Float[Tensor, "m d"]
    energy: Float[Tensor, " rounds_and_one"]
    conditioning: Float[Tensor, " rounds_and_one"]


@torch.inference_mode(False)
@torch.enable_grad()
def train_on_pairs(
    W: Float[Tensor, "m d"],
    inputs: InputLaw,
    cells: Int64[Tensor, "S K"],
    settings: PairSettings,
    *,
    generator: torch.Generator,
) -> TrainedOnPairs:
    """Train a first layer without heads: each round draws two batches and takes one step down the contrastive loss.

    Both batches are drawn and labelled anew each round, as ``pretrain`` does for shared inputs, so that equal rounds
    see equally many labels. Both sides of the loss move.

    Args:
        W: where training starts; biases are zero.
        inputs: the law of x.
        cells: divisions of the patterns, such as :func:`task_cells` and :func:`joint_cells` make.
        settings: see :class:`PairSettings`.
        generator: of the batches.

    Raises:
        TypeError: if dtypes or devices differ, or the cells are no integers.
        ValueError: if shapes do not fit, or training diverges.

    Checked against a loop that goes through the pairs one by one.
    """
    where = "train_on_pairs"
    _checks.instance(where, "inputs", inputs, *get_args(InputLaw))
    _checks.instance(where, "settings", settings, PairSettings)
    _checks.features(where, inputs.r, arrays=2)
    carries(where, W, inputs.M)
    _checks.integers(where, "cells", cells, "Use task_cells(F), or joint_cells(F).")
    _checks.shape(where, "cells", cells, "S K", K=2**inputs.r)
    _checks.generator(where, generator)
    _checks.room(where, *2 * cells.shape[1:], 4)  # of patterns with patterns, at once
    _checks.room(where, settings.batch_size, max(settings.batch_size, inputs.d), 2)
    step = settings.representation_step
    W, moments, found = W.detach().clone(), Moments(), [measured(where, W, inputs.M)]
    for index in range(settings.rounds):
        anchors, partners = (inputs.sample(settings.batch_size, generator=generator) for _ in range(2))
        weights = positives(cells, inputs.patterns(anchors), inputs.patterns(partners)).to(W)
        free = W.requires_grad_()
        loss = contrastive_loss(
            torch.relu(anchors @ free.T),
            torch.relu(partners @ free.T),
            weights,
            temperature=settings.temperature,
            similarity=settings.similarity,
        )
        gradient = torch.autograd.grad(loss, free)[0]
        W = W.detach()
        W = W - (step.rate * moments.direction(gradient) if isinstance(step, Adam) else step * gradient)
        got = f"NaN or infinity in round {index + 1}"
        _checks.require(_checks.is_finite(W), where, "every weight", "finite", got, "Reduce representation_step.")
        found.append(measured(where, W, inputs.M))
    energy, conditioning = torch.tensor(found, dtype=torch.float64).T
    return TrainedOnPairs(W, energy, conditioning)
