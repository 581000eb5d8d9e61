"""The products of training, and the choice of the library that makes them.

torch can have float32 products on the processor made by more than one library; ``torch.set_float32_matmul_precision``
is its switch. On processors with AVX-512, "medium" sends them to oneDNN, which was found up to twice as fast and as
accurate; with AMX, and on some ARM processors, the same word rounds the factors to bfloat16; on processors without
AVX-512 it changes nothing. So the setting is found by trial, once in a process for each kind of products:

1. One under which a product is further from float64's than float32's rounding explains is refused.
2. One under which all products are the default's, to the last bit, is the default.
3. What is left takes turns with the default, and is chosen if it needs 5 % less time or more.

:func:`quickest` keeps the choice in force while a training runs. It chooses only for float32 on the processor, for
blocks that are large enough, and where the setting is torch's default, "highest": whoever has set another has chosen.
A word in the environment, ``MTFL_KEEP_PRODUCT=1``, switches it off.

The setting is one for the whole process. While a training runs under "medium", other threads read "medium", and their
float32 products on the processor are made under it too; those on a CUDA device stay as they were set. The last of
several trainings at once puts back what the first one found, unless it was set to something else meanwhile, which then
stays. A setting whose accuracy is not known yet is in force only during the trial's first products, some milliseconds.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

DEFAULT, OTHERS = "highest", ("high", "medium")
_ACCURATE = 2e-6  # relative; float32's own error is 4e-7, bfloat16's 2e-3
_WORTH_IT = 0.95  # of the default's time
_LARGE = 2**27  # operations on a block in a round; below, making the call takes as long as the product
_TURNS = 5
_TRIALS = {"shared": (1, 64), "per-task": (8, 1)}  # groups and heads

_lock = threading.RLock()
_choices: dict[tuple[str, int], str] = {}
_clock = time.perf_counter
_onednn = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]  # made when torch is imported
_cuda: Any = torch.backends.cuda.matmul


def product(X: Tensor, Y: Tensor, *, out: Tensor) -> Tensor:
    """X Y, group by group (the first axis of all three)."""
    if len(X) == 1:  # two matrices: a library may be slower at a batch of one
        torch.mm(X[0], Y[0], out=out[0])
    else:
        torch.bmm(X, Y, out=out)
    return out


def add_product(total: Tensor, X: Tensor, Y: Tensor) -> None:
    """Add X Y to the total, group by group."""
    if len(X) == 1:
        total[0].addmm_(X[0], Y[0])
    else:
        total.baddbmm_(X, Y)


@contextmanager
def quickest(W: Tensor, *, rows: int, heads: int, batches: str) -> Iterator[None]:
    """Keep the quickest product in force that is accurate to float32.

    Args:
        W: the weights (m, d).
        rows: inputs in a block.
        heads: heads that see an input.
        batches: the kind of products: "shared" (a block is one group) or "per-task".
    """
    m, d = W.shape
    large = 6 * rows * m * d + 8 * rows * m * heads >= _LARGE
    chooses = large and W.dtype == torch.float32 and W.device.type == "cpu" and not os.environ.get("MTFL_KEEP_PRODUCT")
    entered = chooses and _force.enter(batches)
    try:
        yield
    finally:
        if entered:
            _force.leave()


def choice(batches: str) -> str:
    """The setting for this kind of products; found by trial when first asked for, under torch's default."""
    with _lock:
        key = batches, torch.get_num_threads()
        if key not in _choices:
            _choices[key] = _trial(*_TRIALS[batches])
        return _choices[key]


class _Force:
    """The setting that trainings have put in force, how many run under it, and what the first of them found."""

    def __init__(self) -> None:
        self.setting, self.trainings, self.found = DEFAULT, 0, ""

    def enter(self, batches: str) -> bool:
        """Put the choice in force, or join those that run under one; whether :meth:`leave` must follow."""
        with _lock:
            if not self.trainings and _read() == DEFAULT and (chosen := choice(batches)) != DEFAULT:
                self.setting, self.found = chosen, _onednn.fp32_precision
                _use(self.setting, self.found)
            joins = self.setting != DEFAULT and _read() == self.setting
            self.trainings += joins
            return joins

    def leave(self) -> None:
        """Put back what was found, after the last, unless something else has been set."""
        with _lock:
            self.trainings -= 1
            if not self.trainings:
                if _read() == self.setting:
                    _use(DEFAULT, self.found)
                self.setting = DEFAULT


_force = _Force()


def _read() -> str:
    """The setting in force; "" where settings are made library by library, which torch does not sum up in a word."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return ""


def _use(setting: str, default: str) -> None:
    """Put a setting in force on the processor alone; ``default`` is what oneDNN's own setting is by default."""
    device = _cuda.fp32_precision
    torch.set_float32_matmul_precision(setting)
    _cuda.fp32_precision = device
    if setting == DEFAULT:
        _onednn.fp32_precision = default


def _trial(groups: int, heads: int) -> str:
    """The quickest setting; the default is in force before and after."""
    random = torch.Generator().manual_seed(0)
    n, m, d = 1024, 256, 128
    X, W = (torch.randn(rows, d, generator=random) for rows in (n, m))
    A = torch.randn(groups, heads, m, generator=random)
    Y = torch.randn(groups, n // groups, heads, generator=random)
    factors, found = (X, W, A, Y), _onednn.fp32_precision
    try:
        results = {}
        for setting in (DEFAULT, *OTHERS):
            _use(setting, found)
            results[setting] = _products(*factors)
        _use(DEFAULT, found)
        usual = results.pop(DEFAULT)
        differ = [k for k, v in results.items() if not all(map(torch.equal, v, usual))]
        exact = _products(*(x.double() for x in factors)) if differ else []
        rivals = [k for k in differ if max(map(_error, results[k], exact)) <= _ACCURATE]
        times = {k: float("inf") for k in (DEFAULT, *rivals)}
        for _ in range(_TURNS if rivals else 0):
            for setting in times:
                _use(setting, found)
                start = _clock()
                _products(*factors)
                times[setting] = min(times[setting], _clock() - start)
    finally:
        _use(DEFAULT, found)
    best = min(times, key=lambda setting: times[setting])
    return best if times[best] <= _WORTH_IT * times[DEFAULT] else DEFAULT


def _products(X: Tensor, W: Tensor, A: Tensor, Y: Tensor) -> list[Tensor]:
    """Products of all the kinds that a round has."""
    H, move_W, move_A = X.new_empty(len(X), len(W)), torch.zeros_like(W), torch.zeros_like(A)
    torch.mm(X, W.T, out=H)
    grouped = H.view(*Y.shape[:2], -1)
    scores = product(grouped, A.mT, out=torch.empty_like(Y))
    add_product(move_A, Y.mT, grouped)
    pull = product(Y, A, out=torch.empty_like(grouped)).view_as(H)
    move_W.addmm_(pull.T, X)
    return [H, scores, move_A, pull, move_W]


def _error(found: Tensor, exact: Tensor) -> float:
    """Relative to the size of the exact result; infinite if anything is not a number."""
    error = float((found.double() - exact).norm() / exact.norm())
    return error if error == error else float("inf")
