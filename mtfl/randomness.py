"""Independent named streams of random numbers from one seed."""

from __future__ import annotations

import hashlib

import torch

from mtfl import _checks


def streams(seed: int, *names: str) -> dict[str, torch.Generator]:
    """One generator for each name, independent of each other, all fixed by one seed.

    A stream depends on the seed and on its own name only: adding, dropping or reordering other names
    changes nothing. Generators live on the CPU; every sampler of this package draws there and moves the
    result, so that numbers do not depend on the device.

    Args:
        seed: any integer of up to a thousand digits.
        *names: distinct, non-empty names such as ``"tasks"`` or ``"inputs"``.

    Returns:
        A dictionary from name to ``torch.Generator``.

    Raises:
        TypeError: if the seed is no integer or a name no string.
        ValueError: if no name is given, or a name is empty or repeated.

    Example:
        >>> random = streams(0, "tasks", "inputs")
        >>> sorted(random)
        ['inputs', 'tasks']
    """
    _checks.integer("streams", "seed", seed)
    few, remedy = abs(seed) < 10**1000, "Choose a smaller one."
    _checks.require(few, "streams", "seed", "of at most 1000 digits", _checks.shown(seed), remedy)
    kinds = {type(name).__name__ for name in names} - {"str"}
    _checks.require(
        not kinds, "streams", "names", "strings", ", ".join(sorted(kinds)), "Write streams(0, 'tasks').", TypeError
    )
    _checks.require(
        bool(names) and all(names) and len(set(names)) == len(names),
        "streams", "names", "distinct and non-empty", _checks.shown(names),
        "Name each stream once, as in streams(0, 'tasks').",
    )  # fmt: skip
    result = {}
    for name in names:
        digest = hashlib.sha256(f"{seed}/{name}".encode(errors="surrogatepass")).digest()
        result[name] = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
    return result


def stream(seed: int, name: str) -> torch.Generator:
    """The stream of one name: that of :func:`streams`.

    Raises:
        TypeError: if the seed is no integer or the name no string.
        ValueError: if the name is empty.
    """
    return streams(seed, name)[name]
