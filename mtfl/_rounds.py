"""The arithmetic of :func:`mtfl.pretraining.pretrain`: alternating rounds in place, block by block.

Inputs come in groups, and each group has heads of its own: shared inputs are one group with T heads, inputs of each
task are T groups with one head each. So the heads are (groups, heads, m), a block of features is (groups, rows, m),
its margins are (groups, rows, heads), and the same few batched products serve both cases without a loop over tasks.

A batch is drawn, labelled and used in blocks, which stay in the processor's cache from one operation to the next; no
array of the size of a large batch is ever made (save where the heads take more than one step on it: then its features
are kept). Results are written into buffers made once.

The products are torch's own; :mod:`mtfl._products` chooses which library makes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor

from mtfl import _checks
from mtfl._products import add_product, product, quickest
from mtfl.contrastive import margin_loss, solved_ridge
from mtfl.inputs import InputLaw, sign_patterns
from mtfl.network import TwoLayerReLU

_BLOCK_NUMBERS = 2**19  # features in a block, where it has more than the fewest rows
_FEWEST_ROWS = 512  # shorter products are slower than the cache is fast
_DRAWN_TOGETHER = 16  # torch.randn makes normal numbers in groups of this size
_relu_backward = torch.ops.aten.threshold_backward.grad_input


def block_lengths(items: int, numbers: int, wanted: int) -> list[int]:
    """Lengths of the blocks in which ``items`` things of so many random numbers each are drawn, ``wanted`` or more.

    Drawn so, they come out as if drawn at once: each block but the last holds a whole number of torch.randn's groups,
    and the last, which takes what is left over, is no shorter than the others.
    """
    step = _DRAWN_TOGETHER // math.gcd(_DRAWN_TOGETHER, numbers)
    length = step * math.ceil(wanted / step)
    blocks = max(1, items // length)
    return [length] * (blocks - 1) + [items - length * (blocks - 1)]


class Block(NamedTuple):
    """Part of a batch: which groups, its inputs, one a row, their features and their labels."""

    groups: slice
    X: Tensor
    H: Tensor
    Y: Tensor


class Moments:
    """Adam's running means of a gradient and of its squares, with the usual constants (Kingma and Ba, 2015).

    They take no room before the first gradient.
    """

    def __init__(self) -> None:
        self.count = 0

    def direction(self, gradient: Tensor) -> Tensor:
        """Take in a gradient; where to go, each entry of a size near 1."""
        if self.count == 0:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self.count += 1
        self.mean.lerp_(gradient, 0.1)
        self.square.lerp_(gradient.square(), 0.001)
        root = (self.square / (1 - 0.999**self.count)).sqrt_().add_(1e-8)
        return (self.mean / (1 - 0.9**self.count)).div_(root)


class Rounds:
    """A network in training: weights that move and the buffers they move by.

    Args:
        network: where training starts; it is copied.
        inputs: the law of x.
        F: the tasks (T, K).
        batch_size: n.
        per_task: whether each task has inputs of its own.
        head_steps: steps on each heads' batch.
        loss: "hinge" or "logistic".
        train_biases: whether b moves.
        generator: of the batches.

    Nothing is checked here, but that its buffers fit into memory. Checked, with ``pretrain``, against a loop with
    autograd.
    """

    def __init__(
        self,
        network: TwoLayerReLU,
        inputs: InputLaw,
        F: Tensor,
        *,
        batch_size: int,
        per_task: bool,
        head_steps: int,
        loss: str,
        train_biases: bool,
        generator: torch.Generator,
    ) -> None:
        (m, d), (T, K) = network.W.shape, F.shape
        self.W, self.b = network.W.clone(), network.b.clone()
        self.A = network.A.clone().reshape((T, 1, m) if per_task else (1, T, m))
        self.inputs, self.generator, self.loss = inputs, generator, loss
        self.head_steps, self.batch_size, self.per_task = head_steps, batch_size, per_task
        self.train_biases, self.has_biases = train_biases, train_biases or bool(self.b.any())
        groups, heads = self.A.shape[:2]
        self.labels = F.reshape(groups, heads, K).mT.reshape(groups * K, heads)  # row: a group and a pattern
        items, rows = (T, batch_size) if per_task else (batch_size, 1)
        wanted = items if head_steps > 1 else math.ceil(max(_BLOCK_NUMBERS // m, _FEWEST_ROWS) / rows)
        self.lengths = block_lengths(items, rows * d, wanted)
        longest = rows * self.lengths[-1]
        _checks.room("pretrain", longest, max(m, d, heads))
        self.features, self.pull = self.W.new_empty(2, longest, m).unbind()
        self.margins, self.answers = self.W.new_empty(2, longest * heads).unbind()
        self.move_W, self.move_b, self.move_A = (torch.empty_like(x) for x in (self.W, self.b, self.A))
        self.moments_W, self.moments_b = Moments(), Moments()

    def network(self) -> TwoLayerReLU:
        """The network as it now is."""
        return TwoLayerReLU(self.W.clone(), self.b.clone(), self.A.flatten(0, 1).clone())

    def is_finite(self) -> bool:
        """Whether every weight that moves is a number."""
        return all(map(_checks.is_finite, (self.W, self.A, self.b) if self.train_biases else (self.W, self.A)))

    def quickest_products(self) -> AbstractContextManager[None]:
        """Within it, products are made by the library that is chosen for them."""
        kind = "per-task" if self.per_task else "shared"
        return quickest(self.W, rows=len(self.features), heads=self.A.shape[1], batches=kind)

    def step_heads(self, step_size: float) -> None:
        """Move the heads on a fresh batch, W fixed."""
        blocks: Iterable[Block] = self._draw()
        if self.head_steps > 1:
            blocks = list(blocks)  # one block, of the whole batch
        for _ in range(self.head_steps):
            self.move_A.zero_()
            for block in blocks:
                margins = self._margins(block)
                add_product(self.move_A[block.groups], self._slopes(margins).mul_(block.Y).mT, block.H)
            self.A.add_(self.move_A, alpha=step_size / self.batch_size)

    def solve_heads(self, penalty: float) -> bool:
        """Put the heads at the ridge solution on a fresh batch that tasks share; False if it cannot be computed."""
        gram = penalty * torch.eye(self.A.shape[2], dtype=self.A.dtype, device=self.A.device)
        self.move_A.zero_()
        for block in self._draw():
            gram.addmm_(block.H[0].T, block.H[0])
            add_product(self.move_A, block.Y.mT, block.H)
        self.A[0], solved = solved_ridge(gram, self.move_A[0].T)
        return solved

    def step_representation(self, step_size: float, weight_decay: float, *, adam: bool) -> tuple[float, float]:
        """Move W, and b if it is trained, on a fresh batch; the mean loss and the accuracy before the move."""
        self.move_W.zero_()
        self.move_b.zero_()
        loss, correct = torch.zeros(2, dtype=torch.float64, device=self.W.device)
        for block in self._draw():
            margins = self._margins(block)
            losses = margin_loss(margins, loss=self.loss)
            loss += losses.sum()
            correct += torch.gt(margins, 0, out=losses).sum()
            pull = self.pull[: len(block.X)]
            product(self._slopes(margins).mul_(block.Y), self.A[block.groups], out=pull.view_as(block.H))
            _relu_backward(pull, block.H.view_as(pull), 0, grad_input=pull)  # 0 where the neuron is off
            self.move_W.addmm_(pull.T, block.X)
            if self.train_biases:
                self.move_b += pull.sum(0)
        labels = self.batch_size * self.A.shape[0] * self.A.shape[1]
        if weight_decay:
            self.W.mul_(1 - step_size * weight_decay)
        moving = [(self.W, self.move_W, self.moments_W), (self.b, self.move_b, self.moments_b)]
        for weights, move, moments in moving if self.train_biases else moving[:1]:
            if adam:
                weights.add_(moments.direction(move.div_(labels)), alpha=step_size)
            else:
                weights.add_(move, alpha=step_size / labels)
        return float(loss) / labels, float(correct) / labels

    def _draw(self) -> Iterator[Block]:
        """A fresh batch, block by block; each block lives in the buffers, until the next is drawn."""
        start, K = 0, 2**self.inputs.r
        for length in self.lengths:
            groups, rows = (slice(start, start + length), self.batch_size) if self.per_task else (slice(0, 1), length)
            count = groups.stop - groups.start
            X = self.inputs.sample(count * rows, generator=self.generator)
            H = self.features[: len(X)]
            if self.has_biases:
                torch.addmm(self.b, X, self.W.T, out=H)
            else:
                torch.mm(X, self.W.T, out=H)
            H.relu_()
            at = sign_patterns(X, self.inputs.M).view(count, rows)
            if self.per_task:
                at += K * torch.arange(groups.start, groups.stop, device=X.device).unsqueeze(1)
            heads = self.A.shape[1]
            Y = self.answers[: len(X) * heads].view(len(X), heads)
            torch.index_select(self.labels, 0, at.flatten(), out=Y)
            yield Block(groups, X, H.view(count, rows, -1), Y.view(count, rows, heads))
            start += length

    def _margins(self, block: Block) -> Tensor:
        """Y g of a block."""
        out = self.margins[: block.Y.numel()].view_as(block.Y)
        return product(block.H, self.A[block.groups].mT, out=out).mul_(block.Y)

    def _slopes(self, margins: Tensor) -> Tensor:
        """:func:`mtfl.contrastive.margin_slope`, written over the margins."""
        return margins.lt_(1) if self.loss == "hinge" else margins.neg_().sigmoid_()
