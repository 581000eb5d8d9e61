"""The sentences in which the package refuses bad input; one function for each rule."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
import torch

MOST = 10**9
"""The largest count that is taken: of inputs, neurons, dimensions, rounds."""

_LARGEST_LABEL = 1e9  # products of two, over many tasks, are numbers in single precision too

_MOST_CLASSES = 1000
_MOST_LISTED = 10**6

MOST_NUMBERS = 2**28
"""How many numbers one array may hold: 2 GiB in double precision."""


def require(
    ok: bool, where: str, name: str, rule: str, got: object, remedy: str, error: type[Exception] = ValueError
) -> None:
    """Raise ``error("where: name must be rule; got VALUE. Remedy.")`` unless ``ok``."""
    if not ok:
        raise error(f"{where}: {name} must be {rule}; got {got}. {remedy}")


@contextmanager
def extra(name: str) -> Iterator[None]:
    """The block imports what an extra of the package brings; where that is not installed, say so and how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        said = f"mtfl: {error.name} must be installed; got no such module. Install it with pip install 'mtfl[{name}]'."
        raise ModuleNotFoundError(said, name=error.name) from None


def shown(value: Any) -> str:
    """The value on one short line, whatever it is."""
    try:
        return " ".join(reprlib.repr(value).split())
    except ValueError:  # Python writes no integer of more than 4300 digits
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"


def text(where: str, name: str, value: Any) -> None:
    """``value`` is text that a file can hold."""
    instance(where, name, value, str)
    alone = next((letter for letter in value if "\ud800" <= letter <= "\udfff"), "")
    require(not alone, where, name, "text in Unicode", f"half a character, {alone!r}", "Decode it as it was encoded.")


def instance(where: str, name: str, value: Any, *kinds: type) -> None:
    """``value`` is an object of one of these kinds."""
    words = " or ".join(kind.__name__ for kind in kinds)
    got, remedy = type(value).__name__, f"Pass an object of type {words}."
    require(isinstance(value, kinds), where, name, f"of type {words}", got, remedy, TypeError)


def integer(where: str, name: str, value: Any, *, least: int | None = None, most: int = MOST) -> None:
    """``value`` is an integer (no bool), and where it counts, from ``least`` to ``most``."""
    remedy = f"Pass a Python int for {name}."
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if is_integer and (least is None or least <= value <= most):
        return  # before values are shown in words, which takes much longer than to check them
    require(is_integer, where, name, "an integer", f"{type(value).__name__} {shown(value)}", remedy, TypeError)
    if least is not None:
        require(value >= least, where, name, f"at least {least}", shown(value), f"Choose {name} >= {least}.")
        require(value <= most, where, name, f"at most {most}", shown(value), f"Choose {name} <= {most}.")


def real(where: str, name: str, value: Any) -> None:
    """``value`` is a real number, maybe NaN or infinite; NumPy's of few digits, or whose squares overflow, are not."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_real = is_real or (isinstance(value, np.signedinteger) and value.itemsize == 8 and abs(int(value)) < 2**31)
    got = f"{type(value).__name__} {shown(value)}"
    require(is_real, where, name, "a number", got, f"Pass a Python float for {name}.", TypeError)


def as_float(where: str, name: str, value: Any) -> float:
    """The one number, or the one entry of an array, as a float; maybe NaN or infinite."""
    rule, remedy = "a number", "Pass a number, or an array or tensor of one entry."
    try:
        if is_real(value):
            return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except OverflowError:
        rule = "a number below 2^1024"
    except (TypeError, ValueError, RuntimeError):
        pass
    raise TypeError(f"{where}: {name} must be {rule}; got {shown(value)}. {remedy}")


def spread(where: str, value: Any, d: int) -> None:
    """``value`` is a variance over the squared mean that d quantiles of a lognormal law can have."""
    number(where, "spread", value, positive=False)
    require(d > 1 or value == 0, where, "spread", "0 for d = 1", value, "A single number does not vary.")
    require(value <= d / 2, where, "spread", f"at most d / 2 = {d / 2:g}", value, "Choose a smaller one.")


def between(where: str, name: str, value: Any, least: float, most: float) -> None:
    """``value`` is a real number from ``least`` to ``most``."""
    real(where, name, value)
    rule = f"from {least:g} to {most:g}"
    require(bool(least <= value <= most), where, name, rule, shown(value), f"Choose a {name} {rule}.")


def number(where: str, name: str, value: Any, *, positive: bool = True, infinite: bool = False) -> None:
    """``value`` is a finite real number of at most 64 bits, positive (or, if asked, non-negative, or infinite too)."""
    real(where, name, value)
    sign, rule = (value > 0, "positive") if positive else (value >= 0, "non-negative")
    finite = abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value) or (infinite and value == math.inf)
    require(bool(finite and sign), where, name, f"finite and {rule}", shown(value), f"Choose a {rule} {name}.")


def fits(where: str, name: str, value: float, dtype: torch.dtype) -> None:
    """``value`` is no larger than the largest number of this dtype."""
    most = torch.finfo(dtype).max
    require(value <= most, where, name, f"at most {most:g} in {dtype}", value, f"Choose a smaller {name}.")


def choice(where: str, name: str, value: Any, allowed: Iterable[str]) -> None:
    """``value`` is one of the allowed words."""
    words, remedy = f"one of {', '.join(allowed)}", "Choose one of these words."
    require(isinstance(value, str) and value in allowed, where, name, words, shown(value), remedy)


def sequence(where: str, name: str, value: Any, *, most: int = _MOST_LISTED) -> None:
    """``value`` is a list, or the like, of at least one thing and ``most`` in all; no string."""
    ok = isinstance(value, Sequence) and not isinstance(value, str)
    require(ok, where, name, "a list or a tuple", type(value).__name__, f"Pass a list of {name}.", TypeError)
    require(bool(value), where, name, "non-empty", "none", f"Give at least one of the {name}.")
    try:
        few = len(value) <= most
    except OverflowError:  # a range may be longer than the machine counts
        few = False
    require(few, where, name, f"at most {most}", shown(value), "Choose fewer.")


def flag(where: str, name: str, value: Any) -> None:
    """``value`` is True or False."""
    got = f"{type(value).__name__} {shown(value)}"
    require(isinstance(value, bool), where, name, "True or False", got, "Pass one of the two.", TypeError)


def room(where: str, *sizes: int, most: int = MOST_NUMBERS) -> None:
    """An array of these sizes fits into memory."""
    words = f"at most {most}"
    got = " x ".join(map(shown, sizes))
    require(math.prod(sizes) <= most, where, "the numbers in an array", words, got, "Choose smaller sizes.")


def features(where: str, r: Any, *, arrays: int = 1) -> None:
    """``r`` is a number of features whose 2^r patterns can be listed, in an array with ``arrays`` axes of patterns."""
    integer(where, "r", r, least=1)
    most = (MOST_NUMBERS.bit_length() - 1) // arrays
    require(r <= most, where, "r", f"at most {most}", shown(r), "There are 2^r patterns: choose fewer features.")


def device(where: str, value: Any) -> None:
    """A tensor can be put there, with its numbers."""
    try:
        ok = isinstance(value, (str, torch.device)) and not torch.empty(1, device=value).is_meta
    except Exception:  # no such device, or torch was built without its kind; it has many ways to say so
        ok = False
    require(ok, where, "device", "one that torch finds here", shown(value), "Choose 'cpu', or leave it out.")


def activation(where: str, value: Any, dtype: torch.dtype = torch.float64, *, differentiable: bool = False) -> None:
    """``value`` works on arrays, entry by entry, and keeps their dtype; if asked, it can be differentiated."""
    probe = torch.tensor([-1.0, 0.5, 1.0], dtype=dtype, requires_grad=differentiable)
    try:
        found, alone = value(probe.clone()), torch.cat([value(x.clone()) for x in probe.split(1)])
        ok = found.dtype == alone.dtype == dtype and bool(torch.isclose(found, alone, equal_nan=True).all())
        ok = ok and found.shape == probe.shape and (found.requires_grad or not differentiable)
    except Exception:  # whatever it is
        ok = False
    rule = "a function of arrays, entry by entry" + ", that torch can differentiate" * differentiable
    require(ok, where, "activation", rule, shown(value), "Pass torch.tanh, or the like.", TypeError)


def computed(where: str, *results: torch.Tensor | float) -> None:
    """What was computed from finite numbers is finite."""
    remedy = "Scale the arguments towards 1, or use float64."
    require(
        all(is_finite(torch.as_tensor(x)) for x in results), where, "the result", "finite", "NaN or infinity", remedy
    )


def generator(where: str, value: Any) -> None:
    """``value`` is a generator on the CPU."""
    is_generator = isinstance(value, torch.Generator)
    remedy = "Make one with mtfl.stream(seed, name)."
    require(is_generator, where, "generator", "a torch.Generator", type(value).__name__, remedy, TypeError)
    require(value.device.type == "cpu", where, "generator", "on the CPU", value.device, remedy)


def floating(where: str, dtype: Any) -> None:
    """``dtype`` is float32 or float64."""
    ok = isinstance(dtype, torch.dtype) and dtype in (torch.float32, torch.float64)
    require(ok, where, "dtype", "torch.float32 or torch.float64", shown(dtype), "Use one of these two.", TypeError)


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
        holds = value.dtype in (torch.float32, torch.float64) and is_dense(value)
        rule = "a dense array of torch.float32 or torch.float64"
        remedy = f"Convert it with {name}.resolve_neg()." if value.is_neg() else remedy
        require(holds, where, name, rule, _layout(value), remedy, TypeError)
    for name, value in named.items():
        require(
            is_finite(value),
            where,
            name,
            "finite",
            "NaN or infinity",
            "Find where it was produced; drop or mend those entries.",
        )


def finite_array(where: str, name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """``value`` is an array, or nested lists, of finite numbers in this shape, None for any size; as an array."""
    try:
        given = np.asanyarray(value)
        ok = is_real(given) and given.dtype.kind != "b"
        found = np.asarray(given, dtype=float) if ok else np.empty(0)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        found = np.empty(0)
    fits = found.ndim == len(shape) and all(size in (None, n) for n, size in zip(found.shape, shape, strict=True))
    words = f"finite numbers of shape ({', '.join('any' if size is None else str(size) for size in shape)})"
    ok = fits and found.size > 0 and bool(np.isfinite(found).all())
    require(ok, where, name, words, shown(value), "Pass an array of numbers.", TypeError)
    return found


def is_dense(value: torch.Tensor) -> bool:
    """Whether a tensor holds its numbers one by one, as they are."""
    return value.layout == torch.strided and not (value.is_meta or value.is_nested or value.is_neg())


def _layout(value: torch.Tensor) -> str:
    """How a tensor holds its numbers, in torch's words."""
    odd = [", nested"] * value.is_nested + [", a negated view"] * value.is_neg()
    return "".join([f"{value.dtype}, {value.layout}, {value.device}", *odd])


def largest(value: torch.Tensor) -> float:
    """The largest size of an entry, found without a copy."""
    return max(map(abs, torch.stack(torch.aminmax(value.detach())).tolist()))


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
    _numbers(where, "patterns", value, n, K - 1, "Use inputs.patterns(X).")


def classes(where: str, value: Any, n: int | None = None) -> None:
    """``value`` is an integer tensor of n classes 0, 1, ..., or of some."""
    _numbers(where, "classes", value, n, _MOST_CLASSES - 1, "Number the classes 0, 1, ...")


def integers(where: str, name: str, value: Any, remedy: str) -> None:
    """``value`` is an integer tensor."""
    is_integer = isinstance(value, torch.Tensor) and value.dtype == torch.int64 and is_dense(value)
    got: object = type(value).__name__
    if isinstance(value, torch.Tensor):
        got = value.dtype if is_dense(value) else _layout(value)
    require(is_integer, where, name, "a torch.int64 tensor", got, remedy, TypeError)


def _numbers(where: str, name: str, value: Any, n: int | None, most: int, remedy: str) -> None:
    """``value`` is an integer tensor of n numbers 0 ... most."""
    integers(where, name, value, remedy)
    shape(where, name, value, "n", **({} if n is None else {"n": n}))
    wrong = value[(value < 0) | (value > most)]
    got = int(wrong[0]) if wrong.numel() else "none"
    require(not wrong.numel(), where, name, f"between 0 and {most}", got, remedy)


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
    most = largest(F)
    require(most <= _LARGEST_LABEL, where, "F", f"of labels up to {_LARGEST_LABEL:g}", most, "Scale the labels down.")
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


def subspace(where: str, M: Any, *, most: int = MOST) -> tuple[int, int]:
    """``M`` is (d, r) with 1 <= r < d, r up to ``most``, and orthonormal columns; returns (d, r)."""
    tensors(where, M=M)
    require(M.ndim == 2, where, "M", "of shape (d, r)", tuple(M.shape), "Give the basis vectors as columns.")
    d, r = M.shape
    dimensions(where, d, r, most=most)
    orthonormal(where, "M", M)
    return d, r


def orthonormal(where: str, name: str, value: torch.Tensor) -> None:
    """The columns of a matrix, checked to be one of numbers, are orthonormal, but for the rounding of its dtype."""
    error = largest(value.T @ value - torch.eye(value.shape[1], dtype=value.dtype, device=value.device))
    tolerance = 1e-4 if value.dtype == torch.float32 else 1e-8
    got, remedy = f"{name}^T {name} off by {error:.1e}", f"Orthonormalise it with torch.linalg.qr({name}).Q."
    require(error <= tolerance, where, name, "orthonormal in its columns", got, remedy)


def dimensions(where: str, d: Any, r: Any, *, most: int = MOST) -> None:
    """1 <= r < d, and r up to ``most``."""
    integer(where, "r", r, least=1, most=most)
    integer(where, "d", d, least=1)
    require(r < d, where, "r", f"smaller than d = {d}", r, "Choose fewer features or more input dimensions.")


def is_real(value: Any) -> bool:
    """Whether ``value`` is a real number, a truth value among them, or an array of these of which none is masked."""
    dtype = getattr(value, "dtype", None)
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biuf" and not isinstance(value, np.ma.MaskedArray)
    return is_dense(value) if isinstance(value, torch.Tensor) else isinstance(value, Real)
