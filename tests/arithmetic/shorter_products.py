"""Another arithmetic, on any processor: products of matrices lose their last three bits.

Importing this module rounds every product that torch computes afterwards, by up to four units in the last place, as if
another library had added the terms up in another order. It is deterministic: equal products stay equal.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

LOST_BITS = 3
PRODUCTS = {"mm", "addmm", "addmm_", "bmm", "baddbmm", "baddbmm_", "mv", "addmv", "addmv_", "dot", "addbmm"}
BITS = {torch.float32: torch.int32, torch.float64: torch.int64}


class ShorterProducts(TorchDispatchMode):
    """While this mode is on, each product of torch is rounded to fewer bits."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what was asked, then round."""
        found = func(*args, **(kwargs or {}))
        if func._schema.name.removeprefix("aten::") in PRODUCTS and found.dtype in BITS:
            shorten(found)
        return found


def shorten(x: Tensor) -> None:
    """Round x (float32 or float64, any shape) in place to the nearest number with LOST_BITS zeros at the end."""
    bits = x.view(BITS[x.dtype])
    bits.add_(1 << (LOST_BITS - 1)).bitwise_and_(-(1 << LOST_BITS))


ShorterProducts().__enter__()
