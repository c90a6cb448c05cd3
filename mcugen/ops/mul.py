"""Mul: the product of two activations, element by element or a factor per channel (squeeze and excitation)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class Mul(Op):
    """y = clamp(((a - zero_a) * (b - zero_b) * mult + add) >> shift), in 32 bits for all that the types allow.

    a, b: unsigned; b of a's shape, or (C, 1, 1): a factor per channel of a.
    """

    zero_a: int
    zero_b: int
    mult: int
    add: int
    shift: int
    to: Out

    def infer(self, a: Tensor, b: Tensor) -> Tensor:  # type: ignore[override]
        per_channel = len(a.shape) == 3 and b.shape == (a.shape[0], 1, 1)
        if not (b.shape == a.shape or per_channel) or not (a.dtype.unsigned and b.dtype.unsigned):
            base.refuse(f"cannot multiply {a} by {b}")
        if (self.zero_a, self.zero_b) != (a.zero_point, b.zero_point):
            base.refuse(f"zeros {self.zero_a}, {self.zero_b} are not the zero points {a.zero_point}, {b.zero_point}")
        lo, hi = products(a, b)
        bad = fixed.violations(self.mult, self.add, self.shift, 0, 0)
        if max(abs(lo * self.mult + self.add), abs(hi * self.mult + self.add)) >= fixed.INT32:
            bad.append("product * mult + add can leave 32 bits")
        if bad:
            base.refuse("; ".join(bad))
        return base.out_type(self.to, a.shape)

    def eval(self, a: Array, b: Array) -> Array:  # type: ignore[override]
        acc = (a.astype(np.int64) - self.zero_a) * (b.astype(np.int64) - self.zero_b)
        return fixed.requantize(acc, self.mult, self.add, self.shift, self.to.lo, self.to.hi).astype(
            self.to.dtype.numpy
        )

    def bounds(self, a: Range, b: Range) -> tuple[Range, Range]:  # type: ignore[override]
        ends = [(p - self.zero_a) * (q - self.zero_b) for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
        acc = Range(np.minimum.reduce(ends), np.maximum.reduce(ends))
        return base.tail_bounds(acc, acc, self.to, (np.array(self.mult), np.array(self.add), np.array(self.shift)))


def products(a: Tensor, b: Tensor) -> tuple[int, int]:
    """The least and the largest (a - zero point) * (b - zero point) that the types allow."""
    ends = [(p - a.zero_point) * (q - b.zero_point) for p in (a.dtype.lo, a.dtype.hi) for q in (b.dtype.lo, b.dtype.hi)]
    return min(ends), max(ends)


def cases() -> Iterator[base.Case]:
    """Same shapes and a factor per channel, all zero points, a negative multiplier."""
    outs = {
        "u8": (Out.full(DType.U8), DType.U8),
        "u8z": (Out(DType.U8, Quant(0.1, 128), 128, 255), DType.U8),
        "u4": (Out.full(DType.U4), DType.U8),
        "i16": (Out.full(DType.I16), DType.U8),
        "u4-u4": (Out(DType.U4, Quant(0.1, 3), 3, 14), DType.U4),
    }
    shapes: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
        ((3, 8, 8), (3, 1, 1)),
        ((2, 25, 5), (2, 1, 1)),
        ((2, 6, 3), (2, 6, 3)),
        ((7,), (7,)),
        ((2, 1, 1), (2, 1, 1)),
    )
    for a, b in shapes:
        for suffix, (to, source) in outs.items():
            for zero_a, zero_b, gain in ((0, 0, 1.0), (128, 0, -1.6), (128, 255, 0.37)):

                def build(
                    rng: np.random.Generator,
                    shapes: tuple[tuple[int, ...], tuple[int, ...]] = (a, b),
                    to: Out = to,
                    source: DType = source,
                    zeros: tuple[int, int] = (zero_a, zero_b),
                    gain: float = gain,
                ) -> Node:
                    zeros = (zeros[0] * source.hi // 255, zeros[1] * source.hi // 255)
                    a, b = (base.activation(n, d, z, source) for n, d, z in zip("ab", shapes, zeros, strict=True))
                    reach = max(abs(v) for v in products(a.type, b.type))
                    (m,), s, t = fixed.lower_sum((gain * (to.hi - to.lo) / reach,), to.lo + 4.0, (reach,))
                    return base.make(Mul(*zeros, m, s, t, to), a, b)

                kind = "each" if a == b else "channel"
                yield base.Case(f"{'x'.join(map(str, a))}-{kind}-{suffix}-{zero_a}-{zero_b}", build)
