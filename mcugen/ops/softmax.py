"""Softmax: over all elements, in integers: exponentials from two tables, then one division each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor, Value
from . import base

UNIT = 32767  # exp(0) in the tables
MAX_ELEMENTS = 32767  # the sum of the exponentials stays below 2^30
MAX_ONE = 65535  # exp * one + sum / 2 stays below 2^32


@dataclass(frozen=True)
class Softmax(Op):
    """y[i] = clamp((e[i] * one + sum(e) div 2) div sum(e)), probability 1 stored as `one`; x: unsigned or i16.

    With d = max(x) - x[i]: e[i] = (coarse[d div 256] * fine[d mod 256] + 2^14) >> 15, and 0 where coarse has ended.
    fine, coarse: i16, 0 .. 32767, first entry 32767; about 32767 * exp(-scale * d) and 32767 * exp(-scale * 256 * d).
    """

    one: int
    to: Out

    def infer(self, x: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:  # type: ignore[override]
        if not (x.dtype.unsigned or x.dtype is DType.I16) or x.size > MAX_ELEMENTS:
            base.refuse(f"x is {x}, wanted at most {MAX_ELEMENTS} elements, unsigned or i16")
        span = x.dtype.hi - x.dtype.lo
        fits = len(coarse.shape) == 1 and coarse.shape[0] <= span // 256 + 1 and fine.shape == (min(span + 1, 256),)
        if not fits or not coarse.dtype is fine.dtype is DType.I16:
            base.refuse(f"x {x} wants tables i16[1..{span // 256 + 1}] and i16[{min(span + 1, 256)}]")
        if not 1 <= self.one <= MAX_ONE or self.to.quant.zero_point != 0 or self.to.lo < 0:
            base.refuse(f"one is {self.one}, wanted 1 .. {MAX_ONE}; and a zero point of 0 and no negative limits")
        return base.out_type(self.to, x.shape)

    def eval(self, x: Array, coarse: Array, fine: Array) -> Array:  # type: ignore[override]
        v = x.reshape(len(x), -1).astype(np.int64)
        d = v.max(axis=1, keepdims=True) - v
        high = np.concatenate([coarse.astype(np.int64), np.zeros(256, np.int64)])[d >> 8]
        e = (high * fine[d & 255] + (1 << 14)) >> 15
        total = e.sum(axis=1, keepdims=True)
        y = np.clip((e * self.one + total // 2) // total, self.to.lo, self.to.hi)
        return np.asarray(y.reshape(x.shape)).astype(self.to.dtype.numpy)

    def bounds(self, x: Range, coarse: Array, fine: Array) -> tuple[Range, Range]:  # type: ignore[override]
        if min(coarse.min(), fine.min()) < 0 or not coarse[0] == fine[0] == UNIT:
            base.refuse(f"the tables must begin with {UNIT} and hold nothing negative")
        acc = Range(np.zeros(1, np.int64), np.full(1, MAX_ELEMENTS * UNIT, np.int64))
        one = min(max(self.one, self.to.lo), self.to.hi)
        return acc, Range(np.full(len(x.lo), self.to.lo, np.int64), np.full(len(x.lo), one, np.int64))


def tables(x: Tensor, scale: float) -> tuple[Array, Array]:
    """(coarse, fine) for values of type `x`; coarse ends where it would be 0 forever."""
    span = x.dtype.hi - x.dtype.lo
    fine = [math.floor(UNIT * math.exp(-scale * d) + 0.5) for d in range(min(span + 1, 256))]
    coarse = [math.floor(UNIT * math.exp(-scale * 256 * d) + 0.5) for d in range(span // 256 + 1)]
    while coarse[-1] == 0:
        coarse.pop()
    return np.array(coarse, np.int16), np.array(fine, np.int16)


def one_for(to: Out) -> int:
    """Probability 1 in the output's scale."""
    assert isinstance(to.quant.scale, float)
    return min(max(math.floor(1 / to.quant.scale + 0.5), 1), MAX_ONE)


def node(name: str, x: Value, to: Out) -> Node:
    """A Softmax of `x` with its tables; x has one scale."""
    assert x.type.quant is not None and isinstance(x.type.quant.scale, float)
    made = [
        Value(f"{name}.{n}", Tensor(DType.I16, t.shape), t)
        for n, t in zip(("coarse", "fine"), tables(x.type, x.type.quant.scale), strict=True)
    ]
    op = Softmax(one_for(to), to)
    return Node(op, (x, *made), Value(name, op.infer(x.type, *(v.type for v in made))))


def cases() -> Iterator[base.Case]:
    """Bytes and 16 bits, steep and flat, one element to many, bytes and 16 bits out."""
    outs = (Out.full(DType.U8, 1 / 256), Out.full(DType.U8, 1 / 255), Out(DType.I16, Quant(1 / 32768), 0, 32767))
    for source, scales in ((DType.U8, (0.05, 1.5, 1e-4)), (DType.U4, (0.4,)), (DType.I16, (1e-3, 2e-5))):
        for shape in ((10,), (1,), (4, 1, 1), (300,)):
            for scale in scales:
                for k, to in enumerate(outs):

                    def build(
                        rng: np.random.Generator,
                        x: Tensor = Tensor(source, shape, Quant(scale)),  # noqa: B008  frozen dataclasses
                        to: Out = to,
                    ) -> Node:
                        return node("y", Value("x", x), to)

                    yield base.Case(f"{source.value}-{'x'.join(map(str, shape))}-{scale}-{k}", build)
