"""Add: the residual sum of two activations of one shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class Add(Op):
    """y = clamp((a * mult_a + b * mult_b + add) >> shift), in 32 bits. a, b: unsigned, of one shape."""

    mult_a: int
    mult_b: int
    add: int
    shift: int
    to: Out

    def infer(self, a: Tensor, b: Tensor) -> Tensor:  # type: ignore[override]
        if a.shape != b.shape or not (a.dtype.unsigned and b.dtype.unsigned):
            base.refuse(f"cannot add {a} and {b}")
        bad = fixed.violations(
            np.array([self.mult_a, self.mult_b]),
            np.array(self.add),
            np.array(self.shift),
            np.array(0),
            np.array(0),
        )
        if bad:
            base.refuse("; ".join(bad))
        return base.out_type(self.to, a.shape)

    def eval(self, a: Array, b: Array) -> Array:  # type: ignore[override]
        acc = a.astype(np.int64) * self.mult_a + b.astype(np.int64) * self.mult_b + self.add
        return np.asarray(np.clip(acc >> self.shift, self.to.lo, self.to.hi).astype(self.to.dtype.numpy))

    def bounds(self, a: Range, b: Range) -> tuple[Range, Range]:  # type: ignore[override]
        lo = np.full_like(a.lo, self.add)
        hi = lo.copy()
        sums_lo, sums_hi = [lo.copy()], [hi.copy()]
        for x, m in ((a, self.mult_a), (b, self.mult_b)):
            lo += np.minimum(x.lo * m, x.hi * m)
            hi += np.maximum(x.lo * m, x.hi * m)
            sums_lo.append(np.minimum(x.lo * m, x.hi * m))
            sums_hi.append(np.maximum(x.lo * m, x.hi * m))
        partial = Range(
            np.minimum(0, np.stack(sums_lo)).sum(0), np.maximum(0, np.stack(sums_hi)).sum(0)
        )  # any order of the three terms
        ends = [np.clip(e >> self.shift, self.to.lo, self.to.hi) for e in (lo, hi)]
        return partial, Range(*ends)


def cases() -> Iterator[base.Case]:
    """Shapes that do not divide, equal and unequal scales, a negative multiplier, signed and clamped outputs."""
    outs = {
        "u8": (Out.full(DType.U8), DType.U8),
        "u8z": (Out(DType.U8, Quant(0.1, 128), 128, 255), DType.U8),
        "u4": (Out.full(DType.U4), DType.U8),
        "i16": (Out.full(DType.I16), DType.U8),
        "u4-u4": (Out(DType.U4, Quant(0.1, 3), 3, 14), DType.U4),
    }
    for shape in ((3, 8, 8), (2, 25, 5), (1, 1, 1), (7,)):
        for suffix, (to, source) in outs.items():
            for gain in ((0.5, 0.5), (1.7, 0.01), (-0.4, 1.0)):

                def build(
                    rng: np.random.Generator,
                    shape: tuple[int, ...] = shape,
                    to: Out = to,
                    source: DType = source,
                    gain: tuple[float, float] = gain,
                ) -> Node:
                    top = source.hi
                    gains = tuple(g * (to.hi - to.lo) / top for g in gain)
                    mults, add, shift = fixed.lower_sum(gains, to.lo + 3.0, (top, top))
                    op = Add(mults[0], mults[1], add, shift, to)
                    zero = (top + 1) // 2
                    return base.make(
                        op, base.activation("a", shape, zero, source), base.activation("b", shape, 0, source)
                    )

                yield base.Case(f"{'x'.join(map(str, shape))}-{suffix}-{gain[0]}", build)
