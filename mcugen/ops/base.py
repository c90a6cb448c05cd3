"""What the operators share: shape arithmetic, the requantising tail of a sum, and test cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from .. import fixed
from ..errors import GraphError
from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor, Value

Padding = tuple[int, int, int, int]  # top, left, bottom, right


def refuse(message: str) -> NoReturn:
    """Raise E201; check.py adds the node's name."""
    raise GraphError("E201", message)


def window(size: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """Output length of a sliding window; E201 if nothing fits or an argument makes no sense."""
    given = (kernel, stride, dilation, before, after)
    if min(size, kernel, stride, dilation) < 1 or min(before, after) < 0 or max(given) > 0xFFFF:
        refuse(f"size {size}, kernel {kernel}, stride {stride}, dilation {dilation}, padding {before},{after}")
    n = size + before + after - (kernel - 1) * dilation - 1
    if n < 0:
        refuse(f"a window of {(kernel - 1) * dilation + 1} does not fit {size} with padding {before},{after}")
    return n // stride + 1


def image(x: Tensor) -> tuple[int, int, int]:
    """(C, H, W) of an unsigned activation; E201 for anything else."""
    if len(x.shape) != 3 or not x.dtype.unsigned:
        refuse(f"x is {x}, wanted an unsigned activation of shape [C,H,W]")
    c, h, w = x.shape
    return c, h, w


def patches(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    fill: int,
    dilation: tuple[int, int],
) -> Array:
    """Windows of a batch: (N, C, H, W) -> (N, C, OH, OW, KH, KW), padded with `fill`."""
    t, left, b, r = padding
    x = np.pad(x, ((0, 0), (0, 0), (t, b), (left, r)), constant_values=fill)
    span = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    v = np.lib.stride_tricks.sliding_window_view(x, span, axis=(2, 3))
    return v[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def exact_matmul(a: Array, b: Array) -> Array:
    """Integer a @ b through float64, exact while every partial sum stays below 2^53 (check.py: below 2^31)."""
    return np.rint(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)


# The tail of a sum: nothing (32-bit accumulators) or requantisation by three constants (mult, add, shift).


def tail_infer(to: Out | None, rest: tuple[Tensor, ...], shape: tuple[int, ...]) -> Tensor:
    """The output's type of a sum with `shape[0]` channels."""
    if to is None:
        if rest:
            refuse("requantisation constants given, but no output type")
        return Tensor(DType.I32, shape)
    wanted = (DType.I16, DType.I32, DType.U8)
    if len(rest) != 3 or any(
        r.dtype is not d or r.shape not in ((shape[0],), (1,)) for r, d in zip(rest, wanted, strict=True)
    ):
        refuse(f"wanted mult i16, add i32, shift u8 of shape [{shape[0]}] or [1], got {', '.join(map(str, rest))}")
    return out_type(to, shape)


def out_type(to: Out, shape: tuple[int, ...]) -> Tensor:
    """The type that `to` describes; E201 if its limits leave its element type."""
    if not to.dtype.lo <= to.lo <= to.hi <= to.dtype.hi:
        refuse(f"clamp [{to.lo}, {to.hi}] is not inside {to.dtype.value}")
    if not to.dtype.lo <= to.quant.zero_point <= to.dtype.hi:
        refuse(f"zero point {to.quant.zero_point} is not a {to.dtype.value}")
    if to.dtype not in (DType.I16, DType.I32) and not to.dtype.unsigned:
        refuse(f"activations are unsigned, i16 or i32, not {to.dtype.value}")
    return Tensor(to.dtype, shape, to.quant)


def tail_eval(acc: Array, to: Out | None, rest: tuple[Array, ...]) -> Array:
    """Requantise (N, C, ...) accumulators per channel."""
    if to is None:
        return acc.astype(np.int32)
    mult, add, shift = (np.asarray(r).reshape((1, -1) + (1,) * (acc.ndim - 2)) for r in rest)
    return fixed.requantize(acc, mult, add, shift, to.lo, to.hi).astype(to.dtype.numpy)


def tail_bounds(acc: Range, total: Range, to: Out | None, rest: tuple[Array, ...]) -> tuple[Range, Range]:
    """(accumulator, output) limits; acc: of every partial sum, total: of the finished sum."""
    if to is None:
        return acc, total
    mult, add, shift = rest
    a, b = (fixed.requantize(e, mult, add, shift, to.lo, to.hi) for e in (total.lo, total.hi))
    return acc, Range(np.minimum(a, b), np.maximum(a, b))


def tail_constants(node: Node) -> tuple[Array, Array, Array] | None:
    """(mult, add, shift) of a node with a tail, each (C,) or (1,); None for every other node."""
    if getattr(node.op, "to", None) is None:
        return None
    given = [v.const for v in node.inputs if v.data is not None][-3:]
    if len(given) < 3:  # the operator's own attributes
        if not hasattr(node.op, "mult"):
            return None
        given = [np.array([getattr(node.op, name)]) for name in ("mult", "add", "shift")]
    return given[0], given[1], given[2]


def weighted(x: Range, w: Array) -> tuple[Range, Range]:
    """Limits of sum_j w[..., j] * x[j]: (any partial sum in any order, the whole sum); x broadcasts to w."""
    plus, minus = np.maximum(w, 0), np.minimum(w, 0)

    def dot(p: Array, m: Array) -> Array:  # einsum casts in small blocks: no int64 copy of the weights
        p, m = np.broadcast_to(p, w.shape), np.broadcast_to(m, w.shape)
        sums = [np.einsum("...j,...j->...", a, b, dtype=np.int64) for a, b in ((plus, p), (minus, m))]
        return np.asarray(sums[0] + sums[1])

    least, most = np.minimum(x.lo, 0), np.maximum(x.hi, 0)
    return Range(dot(least, most), dot(most, least)), Range(dot(x.lo, x.hi), dot(x.hi, x.lo))


def with_padding(x: Range, padding: Padding, fill: int) -> Range:
    """The range of pixels that a window reads: the padding's value counts where there is any."""
    if not any(padding):
        return x
    return Range(np.minimum(x.lo, fill), np.maximum(x.hi, fill))


# Cases: small graphs of one node, from which the tests make inputs for interp, C and every kernel.


@dataclass(frozen=True)
class Case:
    """A named single-node example; build(rng) draws its constants."""

    name: str
    build: Callable[[np.random.Generator], Node]


def activation(name: str, shape: tuple[int, ...], zero_point: int = 0, dtype: DType = DType.U8) -> Value:
    """An activation value for a case."""
    return Value(name, Tensor(dtype, shape, Quant(0.05, zero_point)))


def constant(name: str, dtype: DType, data: Array) -> Value:
    """A constant value."""
    return Value(name, Tensor(dtype, data.shape), data.astype(dtype.numpy))


WEIGHT_KINDS = ("sparse", "dense", "zero", "one", "plus", "minus")


def draw_weights(rng: np.random.Generator, dtype: DType, shape: tuple[int, ...], kind: str = "sparse") -> Value:
    """Weights of one of WEIGHT_KINDS: random at density 0.4 or 1, all zero, a single one, all highest, all lowest."""
    lo = max(dtype.lo, -127)
    w: Array = rng.integers(lo, dtype.hi + 1, shape)
    if kind == "sparse":
        w = w * (rng.random(shape) < 0.4)
    elif kind == "dense":
        w = np.where(w == 0, 1, w)
    elif kind == "zero":
        w = np.zeros(shape)
    elif kind == "one":
        w = np.zeros(shape)
        w[tuple(rng.integers(shape))] = rng.choice([lo, dtype.hi])
    else:
        w = np.full(shape, dtype.hi if kind == "plus" else lo)
    return constant("w", dtype, w)


def requantized(node: Node, rng: np.random.Generator, to: Out) -> Node:
    """`node`, a sum without a tail, with constants that spread its output over the clamp, edges included."""
    acc, _ = node.op.bounds(*(input_range(v) if v.data is None else v.data for v in node.inputs))
    op = replace(node.op, to=to)  # type: ignore[type-var]
    return make(op, *node.inputs, *draw_tail(rng, acc, to))


def draw_tail(rng: np.random.Generator, acc: Range, to: Out) -> tuple[Value, Value, Value]:
    """Constants mult, add, shift that use, saturate or hardly move the clamp of `to`, some multipliers negative."""
    channels = acc.lo.size
    reach = np.maximum(np.maximum(-acc.lo, acc.hi), 1).astype(np.float64)
    sign = np.where(rng.random(channels) < 0.15, -1.0, 1.0)
    multiplier = sign * (to.hi - to.lo) * rng.choice([0.01, 0.6, 1.5, 4.0], channels) / reach
    multiplier = np.clip(multiplier, -16000, 16000)
    offset = rng.uniform(to.lo, to.hi, channels)
    mult, add, shift = fixed.lower(multiplier, offset, acc.lo, acc.hi, to.lo, to.hi)
    return (
        constant("mult", DType.I16, mult),
        constant("add", DType.I32, add),
        constant("shift", DType.U8, shift),
    )


def input_range(v: Value) -> Range:
    """All that the type of an activation allows, per channel."""
    channels = v.type.shape[0]
    return Range(np.full(channels, v.type.dtype.lo, np.int64), np.full(channels, v.type.dtype.hi, np.int64))


def make(op: Op, *inputs: Value) -> Node:
    """A node whose output type is inferred."""
    return Node(op, inputs, Value("y", op.infer(*(v.type for v in inputs))))


def each_tail(name: str, raw: Callable[[np.random.Generator], Node]) -> Iterator[Case]:
    """The tails that a sum can have: accumulators, u8, signed u8, u4, i16 logits."""
    yield Case(f"{name}-i32", raw)
    outs = {
        "u8": Out.full(DType.U8),
        "u8z": Out(DType.U8, Quant(0.1, 128), 10, 240),
        "u4": Out.full(DType.U4),
        "i16": Out.full(DType.I16),
    }
    for suffix, to in outs.items():
        yield Case(f"{name}-{suffix}", lambda rng, to=to: requantized(raw(rng), rng, to))  # type: ignore[misc]
