"""One round of alternating training, done by different means: each is given two batches, and returns W and A.

A round is ``(W, A, X1, Y1, X2, Y2) -> (W, A)`` on float32 tensors: heads A (T, m) step on the batch X1 (n, d) with
labels Y1 (n, T), hinge loss, step HEAD; then W (m, d) steps on the mean over tasks, batch X2, step STEP.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import mtfl
from mtfl import GaussianInputs, PretrainSettings, TwoLayerReLU

HEAD, STEP = 0.05, 0.5
Round = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Size:
    """A problem's size: inputs of d numbers, r features, m neurons, T tasks, batches of n."""

    d: int
    r: int
    m: int
    T: int
    n: int

    @property
    def flops(self) -> int:
        """Floating-point operations of a round's seven products."""
        return 6 * self.n * self.m * self.d + 8 * self.n * self.m * self.T


class Problem:
    """Network, tasks and two stored batches of a size."""

    def __init__(self, size: Size, *, seed: int = 0, stored: int = 2) -> None:
        """Draw them, with so many batches."""
        random = mtfl.streams(seed, "subspace", "tasks", "weights", "batches")
        self.size = size
        self.inputs = GaussianInputs.random(size.d, size.r, generator=random["subspace"], dtype=torch.float32)
        self.F = mtfl.sample_tasks(size.T, size.r, law="uniform", generator=random["tasks"]).float()
        start = TwoLayerReLU.random(size.m, size.d, tasks=size.T, generator=random["weights"], dtype=torch.float32)
        A = (
            torch.randn(size.T, size.m, generator=random["weights"]) / size.m
        )  # margins on both sides of 1 are rare at 0
        self.network = TwoLayerReLU(start.W, start.b, A)
        self.batches = []
        for _ in range(stored):
            X = self.inputs.sample(size.n, generator=random["batches"])
            self.batches += [X, self.F[:, self.inputs.patterns(X)].T.contiguous()]
        self.generator = random["batches"]

    @property
    def state(self) -> tuple[Tensor, ...]:
        """What a round is given."""
        return (self.network.W, self.network.A, *self.batches)

    def settings(self, rounds: int) -> PretrainSettings:
        """Settings of the trainer."""
        return PretrainSettings(rounds=rounds, batch_size=self.size.n, head_step=HEAD, representation_step=STEP)


def _hinge(G: Tensor, Y: Tensor) -> Tensor:
    return (1 - Y * G).clamp(min=0)


def trainer(problem: Problem, rounds: int = 1) -> Round:
    """Several rounds of mtfl.pretrain, given the stored inputs in place of drawn ones; it labels them itself."""

    class Stored(GaussianInputs):
        def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
            start = Stored.start
            Stored.start = (start + n) % (2 * problem.size.n)
            return X[start : start + n]

    X, Stored.start = torch.cat(problem.batches[::2]), 0
    inputs = Stored(problem.inputs.M)

    def one(*_: Tensor) -> tuple[Tensor, Tensor]:
        end = mtfl.pretrain(problem.network, inputs, problem.F, problem.settings(rounds), generator=problem.generator)
        return end.network.W, end.network.A

    return one


def keeping_trainer(problem: Problem, rounds: int = 1) -> Round:
    """The same, with torch's default product: the choice is switched off."""
    right = trainer(problem, rounds)

    def one(*state: Tensor) -> tuple[Tensor, Tensor]:
        os.environ["MTFL_KEEP_PRODUCT"] = "1"
        try:
            return right(*state)
        finally:
            del os.environ["MTFL_KEEP_PRODUCT"]

    return one


def drawing_trainer(problem: Problem, rounds: int = 1) -> Round:
    """Several rounds of mtfl.pretrain as it is used: the batches are drawn."""

    def one(*_: Tensor) -> tuple[Tensor, Tensor]:
        end = mtfl.pretrain(
            problem.network, problem.inputs, problem.F, problem.settings(rounds), generator=problem.generator
        )
        return end.network.W, end.network.A

    return one


def _by_autograd(W: Tensor, A: Tensor, X1: Tensor, Y1: Tensor, X2: Tensor, Y2: Tensor) -> tuple[Tensor, Tensor]:
    A = A.detach().requires_grad_()
    H = torch.relu(X1 @ W.T).detach()
    loss = _hinge(H @ A.T, Y1).mean(0).sum()
    A = A.detach() - HEAD * torch.autograd.grad(loss, A)[0]
    W = W.detach().requires_grad_()
    loss = _hinge(torch.relu(X2 @ W.T) @ A.T, Y2).mean()
    return W.detach() - STEP * torch.autograd.grad(loss, W)[0], A


def autograd(problem: Problem) -> Round:
    """PyTorch with one (m, T) matrix of heads, differentiated by autograd."""
    del problem
    return _by_autograd


def compiled(problem: Problem) -> Round:
    """The same losses under torch.compile, forward and backward."""
    del problem
    heads_loss = torch.compile(lambda A, H, Y: _hinge(H @ A.T, Y).mean(0).sum())
    layer_loss = torch.compile(lambda W, A, X, Y: _hinge(torch.relu(X @ W.T) @ A.T, Y).mean())

    def one(W: Tensor, A: Tensor, X1: Tensor, Y1: Tensor, X2: Tensor, Y2: Tensor) -> tuple[Tensor, Tensor]:
        A = A.detach().requires_grad_()
        loss = heads_loss(A, torch.relu(X1 @ W.T), Y1)
        A = A.detach() - HEAD * torch.autograd.grad(loss, A)[0]
        W = W.detach().requires_grad_()
        return W.detach() - STEP * torch.autograd.grad(layer_loss(W, A, X2, Y2), W)[0], A

    return one


def task_loop(problem: Problem) -> Round:
    """PyTorch with the features computed once and a loop over the tasks' heads and losses, as is common."""
    T = problem.size.T

    def one(W: Tensor, A: Tensor, X1: Tensor, Y1: Tensor, X2: Tensor, Y2: Tensor) -> tuple[Tensor, Tensor]:
        heads = [a.clone().requires_grad_() for a in A]
        H = torch.relu(X1 @ W.T)
        losses = [_hinge(H @ a, Y1[:, t]).mean() for t, a in enumerate(heads)]
        moves = torch.autograd.grad(sum(losses, torch.zeros(())), heads)
        heads = [a.detach() - HEAD * move for a, move in zip(heads, moves, strict=True)]
        W = W.detach().requires_grad_()
        H = torch.relu(X2 @ W.T)
        losses = [_hinge(H @ a, Y2[:, t]).mean() for t, a in enumerate(heads)]
        (move,) = torch.autograd.grad(sum(losses, torch.zeros(())) / T, W)
        return W.detach() - STEP * move, torch.stack(heads)

    return one


def jax(problem: Problem) -> Round:
    """JAX: the same losses, jax.grad under jax.jit, arrays already in JAX's hands."""
    import jax as J  # pyright: ignore[reportMissingImports]  # an extra
    import jax.numpy as jnp  # pyright: ignore[reportMissingImports]

    def hinge(G, Y):
        return jnp.maximum(1 - Y * G, 0)

    @J.jit
    def step(W, A, X1, Y1, X2, Y2):
        H = J.nn.relu(X1 @ W.T)
        A = A - HEAD * J.grad(lambda A: hinge(H @ A.T, Y1).mean(0).sum())(A)
        return W - STEP * J.grad(lambda W: hinge(J.nn.relu(X2 @ W.T) @ A.T, Y2).mean())(W), A

    arrays = [jnp.asarray(x.numpy()) for x in problem.state]

    def one(*_: Tensor) -> tuple[Tensor, Tensor]:
        W, A = J.block_until_ready(step(*arrays))
        return torch.from_numpy(np.array(W)), torch.from_numpy(np.array(A))

    return one


def scikit_learn(problem: Problem) -> Round:
    """scikit-learn's MLPClassifier: partial_fit once on each batch.

    It cannot hold one layer still, and its loss is logistic, summed over tasks: each call moves both layers. Its
    update is compared with autograd's of that loss (:func:`joint_logistic`).
    """
    from sklearn.neural_network import MLPClassifier

    size = problem.size
    W, A, X1, Y1, X2, Y2 = (x.numpy() for x in problem.state)
    labels = [(Y > 0).astype(int) for Y in (Y1, Y2)]
    model = MLPClassifier(
        (size.m,), solver="sgd", alpha=0, learning_rate_init=HEAD, momentum=0, shuffle=False
    ).set_params(batch_size=size.n)
    model.partial_fit(X1, labels[0], classes=np.arange(size.T))

    def one(*_: Tensor) -> tuple[Tensor, Tensor]:
        model.coefs_[0][:], model.coefs_[1][:] = W.T, A.T
        for intercepts in model.intercepts_:
            intercepts[:] = 0
        for X, Y in zip((X1, X2), labels, strict=True):
            model.partial_fit(X, Y)
        return torch.from_numpy(model.coefs_[0].T.copy()), torch.from_numpy(model.coefs_[1].T.copy())

    return one


def joint_logistic(problem: Problem) -> tuple[Tensor, Tensor]:
    """What scikit-learn should come to: two steps on both layers and their intercepts, by autograd."""
    W, A, X1, Y1, X2, Y2 = problem.state
    weights = [W, A, torch.zeros(W.shape[0]), torch.zeros(A.shape[0])]
    for X, Y in ((X1, Y1), (X2, Y2)):
        weights = [x.detach().requires_grad_() for x in weights]
        W, A, b, c = weights
        G = torch.relu(X @ W.T + b) @ A.T + c
        loss = torch.nn.functional.softplus(-Y * G).mean(0).sum()
        weights = [x - HEAD * g for x, g in zip(weights, torch.autograd.grad(loss, weights), strict=True)]
    return weights[0].detach(), weights[1].detach()


def products(problem: Problem) -> Callable[[], None]:
    """The limit: a round's seven products, into buffers, and nothing else."""
    W, A, X, Y, _, _ = problem.state
    n, m = problem.size.n, problem.size.m
    H, G, dA, dW = torch.rand(n, m), torch.empty(n, problem.size.T), torch.empty_like(A), torch.empty_like(W)

    def run() -> None:
        for _ in range(2):
            torch.mm(X, W.T, out=H)
            torch.mm(H, A.T, out=G)
        torch.mm(Y.T, H, out=dA)
        torch.mm(Y, A, out=H)
        torch.mm(H.T, X, out=dW)

    return run


def product_error(problem: Problem) -> float:
    """Relative error of the features of a hundred inputs, as they are multiplied under the setting in force."""
    W, X = problem.network.W, problem.batches[0][:100]
    exact = X.double() @ W.T.double()
    return float(((X @ W.T).double() - exact).norm() / exact.norm())


CONTENDERS: dict[str, Callable[..., Round]] = {
    "trainer": trainer,
    "trainer, default product": keeping_trainer,
    "trainer, drawing": drawing_trainer,
    "JAX": jax,
    "autograd": autograd,
    "torch.compile": compiled,
    "scikit-learn": scikit_learn,
    "loop over tasks": task_loop,
}
