"""The sentences in which the package refuses bad input; one function for each rule."""

from __future__ import annotations

import math
from typing import Any

import torch


def require(
    ok: bool, where: str, name: str, rule: str, got: object, remedy: str, error: type[Exception] = ValueError
) -> None:
    """Raise ``error("where: name must be rule; got VALUE. Remedy.")`` unless ``ok``."""
    if not ok:
        raise error(f"{where}: {name} must be {rule}; got {got}. {remedy}")


def integer(where: str, name: str, value: Any, *, least: int | None = None) -> None:
    """``value`` is an integer (no bool), and at least ``least``."""
    remedy = f"Pass a Python int for {name}."
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    require(is_integer, where, name, "an integer", f"{type(value).__name__} {value!r}", remedy, TypeError)
    if least is not None:
        require(value >= least, where, name, f"at least {least}", value, f"Choose {name} >= {least}.")


def number(where: str, name: str, value: Any, *, positive: bool = True) -> None:
    """``value`` is a finite real number, positive (or, on request, non-negative)."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    require(
        is_real,
        where,
        name,
        "a number",
        f"{type(value).__name__} {value!r}",
        f"Pass a Python float for {name}.",
        TypeError,
    )
    sign, rule = (value > 0, "positive") if positive else (value >= 0, "non-negative")
    require(math.isfinite(value) and sign, where, name, f"finite and {rule}", value, f"Choose a {rule} {name}.")


def choice(where: str, name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """``value`` is one of the allowed words."""
    require(
        value in allowed,
        where,
        name,
        f"one of {', '.join(allowed)}",
        repr(value),
        "Choose one of these words.",
    )


def generator(where: str, value: Any) -> None:
    """``value`` is a generator on the CPU."""
    is_generator = isinstance(value, torch.Generator)
    remedy = "Make one with mtfl.streams(seed, name)[name]."
    require(is_generator, where, "generator", "a torch.Generator", type(value).__name__, remedy, TypeError)
    require(value.device.type == "cpu", where, "generator", "on the CPU", value.device, remedy)


def floating(where: str, dtype: Any) -> None:
    """``dtype`` is float32 or float64."""
    ok = dtype in (torch.float32, torch.float64)
    require(ok, where, "dtype", "torch.float32 or torch.float64", dtype, "Use one of these two.", TypeError)


def tensors(where: str, **named: Any) -> None:
    """All are finite floating-point tensors of one dtype on one device."""
    first_name, first = next(iter(named.items()))
    for name, value in named.items():
        kind = type(value).__name__
        require(
            isinstance(value, torch.Tensor),
            where,
            name,
            "a torch.Tensor",
            kind,
            "Use torch.as_tensor.",
            TypeError,
        )
        remedy = f"Convert it, e.g. {name}.double()."
        require(value.is_floating_point(), where, name, "floating point", value.dtype, remedy, TypeError)
        same = value.dtype == first.dtype and value.device == first.device
        require(
            same, where, name, f"of the dtype and device of {first_name} ({first.dtype}, {first.device})",
            f"{value.dtype}, {value.device}", f"Convert it with {name}.to({first_name}).", TypeError,
        )  # fmt: skip
    for name, value in named.items():
        require(
            is_finite(value),
            where,
            name,
            "finite",
            "NaN or infinity",
            "Find where it was produced; drop or mend those entries.",
        )


def is_finite(value: torch.Tensor) -> bool:
    """Whether every entry is a number. Least and largest are found several times faster than each is looked at."""
    return not value.numel() or all(map(math.isfinite, torch.stack(torch.aminmax(value)).tolist()))


def shape(where: str, name: str, value: torch.Tensor, pattern: str, **sizes: int) -> dict[str, int]:
    """The shape of ``value`` fits ``pattern``, as in ``"T n"``, some sizes known, none 0; returns all sizes."""
    axes = pattern.split()
    known = " ".join(str(sizes.get(axis, axis)) for axis in axes)
    found = dict(sizes)
    fits = value.ndim == len(axes)
    if fits:
        fits = all(found.setdefault(axis, size) == size for axis, size in zip(axes, value.shape, strict=True))
    remedy = "Check the order of the arguments and whether one must be transposed."
    require(fits, where, name, f"of shape ({', '.join(known.split())})", tuple(value.shape), remedy)
    require(value.numel() > 0, where, name, "non-empty", f"shape {tuple(value.shape)}", "Give each axis a size >= 1.")
    return found


def width(where: str, name: str, value: torch.Tensor, d: int) -> None:
    """The last axis of ``value`` has size d."""
    fits = value.ndim >= 1 and value.shape[-1] == d
    require(fits, where, name, f"of shape (..., {d})", tuple(value.shape), "Give each input a row of d numbers.")


def patterns(where: str, value: Any, n: int, K: int) -> None:
    """``value`` is an integer tensor of n pattern numbers 0 ... K - 1."""
    is_integer = isinstance(value, torch.Tensor) and value.dtype == torch.int64
    got = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
    require(is_integer, where, "patterns", "a torch.int64 tensor", got, "Use inputs.patterns(X).", TypeError)
    shape(where, "patterns", value, "n", n=n)
    wrong = value[(value < 0) | (value >= K)]
    got = int(wrong[0]) if wrong.numel() else "none"
    require(not wrong.numel(), where, "patterns", f"between 0 and {K - 1}", got, "Use inputs.patterns(X).")


def signs(where: str, name: str, value: torch.Tensor) -> None:
    """Every entry is -1 or +1."""
    wrong = value[value.abs() != 1]
    got = f"{wrong.numel()} other entries, the first {wrong[0].item():g}" if wrong.numel() else "-1 and +1"
    require(not wrong.numel(), where, name, "made of -1 and +1", got, "Map labels 0/1 to -1/+1 with 2 * y - 1.")


def table(where: str, F: Any) -> int:
    """``F`` is a table of tasks, (T, 2^r) of real labels, not of 0 and 1, with T >= 1 and r >= 1; returns r."""
    tensors(where, F=F)
    count, width = (F.shape[0], F.shape[1]) if F.ndim == 2 else (0, 0)
    require(
        count >= 1,
        where,
        "F",
        "a table of shape (T, 2^r) with T >= 1",
        tuple(F.shape),
        "Give each task a row.",
    )
    r = width.bit_length() - 1
    ok = r >= 1 and width == 2**r
    require(
        ok,
        where,
        "the width of F",
        "a power of two, 2^r with r >= 1",
        width,
        "Give each of the 2^r patterns a column.",
    )
    zeros, ones = F == 0, F == 1
    mapped = not bool((zeros | ones).all() and zeros.any() and ones.any())
    remedy = "Map labels 0/1 to -1/+1 with 2 * y - 1."
    require(mapped, where, "F", "made of -1 and +1, or of other real labels", "only 0 and 1", remedy)
    return r


def spectrum(where: str, coefficients: torch.Tensor) -> int:
    """``coefficients`` is (T, 2^r) with r >= 1; returns r."""
    tensors(where, coefficients=coefficients)
    width = shape(where, "coefficients", coefficients, "T S")["S"]
    ok = width >= 2 and width & (width - 1) == 0
    remedy = "Pass all the columns of walsh_coefficients(F)."
    require(ok, where, "the width of coefficients", "a power of two, 2^r with r >= 1", width, remedy)
    return width.bit_length() - 1


def subspace(where: str, M: Any) -> tuple[int, int]:
    """``M`` is (d, r) with 1 <= r < d and orthonormal columns; returns (d, r)."""
    tensors(where, M=M)
    require(M.ndim == 2, where, "M", "of shape (d, r)", tuple(M.shape), "Give the basis vectors as columns.")
    d, r = M.shape
    dimensions(where, d, r)
    error = float((M.T @ M - torch.eye(r, dtype=M.dtype, device=M.device)).abs().max())
    tolerance = 1e-4 if M.dtype == torch.float32 else 1e-8
    remedy = "Orthonormalise it with torch.linalg.qr(M).Q."
    require(error <= tolerance, where, "M", "orthonormal in its columns", f"M^T M off by {error:.1e}", remedy)
    return d, r


def dimensions(where: str, d: Any, r: Any) -> None:
    """1 <= r < d."""
    integer(where, "r", r, least=1)
    integer(where, "d", d, least=1)
    require(r < d, where, "r", f"smaller than d = {d}", r, "Choose fewer features or more input dimensions.")
