"""AvgPool: the exact sum of a window, then the requantisation rule with the divisor folded into the multiplier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class AvgPool(Op):
    """y = clamp((sum over the window of x * mult + add) >> shift); x: unsigned (C, H, W).

    Global average pooling is a window of (H, W). Pixels outside x are pad_value and count.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    mult: int
    add: int
    shift: int
    to: Out
    padding: base.Padding = (0, 0, 0, 0)
    pad_value: int = 0

    def infer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        c, h, w = base.image(x)
        t, left, b, r = self.padding
        if self.pad_value != x.zero_point:
            base.refuse(f"pad_value {self.pad_value} is not the zero point {x.zero_point} of x")
        bad = fixed.violations(self.mult, self.add, self.shift, 0, 0)
        if bad:
            base.refuse("; ".join(bad))
        oh = base.window(h, self.kernel[0], self.stride[0], t, b)
        ow = base.window(w, self.kernel[1], self.stride[1], left, r)
        return base.out_type(self.to, (c, oh, ow))

    def eval(self, x: Array) -> Array:  # type: ignore[override]
        v = base.patches(x, self.kernel, self.stride, self.padding, self.pad_value, (1, 1))
        acc = v.sum((4, 5), dtype=np.int64)
        consts = (np.array(self.mult), np.array(self.add), np.array(self.shift))
        return fixed.requantize(acc, *consts, self.to.lo, self.to.hi).astype(self.to.dtype.numpy)

    def bounds(self, x: Range) -> tuple[Range, Range]:  # type: ignore[override]
        x = base.with_padding(x, self.padding, self.pad_value)
        n = self.kernel[0] * self.kernel[1]
        total = Range(x.lo * n, x.hi * n)
        acc = Range(np.minimum(total.lo, 0), total.hi)
        consts = (np.array(self.mult), np.array(self.add), np.array(self.shift))
        return base.tail_bounds(acc, total, self.to, consts)


def cases() -> Iterator[base.Case]:
    """Global pooling, 2x2, padding, windows whose sum needs more than 16 bits, windows beyond the image."""
    # (C, H, W), kernel, stride, padding
    table = [
        ((3, 8, 8), (8, 8), (1, 1), (0, 0, 0, 0)),
        ((2, 25, 5), (25, 5), (1, 1), (0, 0, 0, 0)),
        ((3, 8, 6), (2, 2), (2, 2), (0, 0, 0, 0)),
        ((2, 9, 9), (3, 3), (2, 2), (1, 1, 1, 1)),
        ((2, 5, 5), (3, 3), (1, 1), (1, 1, 1, 1)),
        ((2, 14, 15), (7, 7), (7, 7), (0, 0, 0, 0)),
        ((2, 13, 9), (7, 7), (1, 1), (3, 3, 3, 3)),
        ((1, 64, 1), (32, 1), (32, 1), (0, 0, 0, 0)),
        ((2, 32, 1), (32, 1), (1, 1), (0, 0, 0, 0)),
        ((2, 3, 12), (1, 5), (1, 3), (0, 2, 0, 0)),
        ((1, 16, 16), (16, 16), (1, 1), (0, 0, 0, 0)),
        ((17, 6, 5), (6, 5), (1, 1), (0, 0, 0, 0)),
        ((1, 19, 18), (19, 18), (1, 1), (0, 0, 0, 0)),
        ((1, 64, 20), (64, 20), (1, 1), (0, 0, 0, 0)),
        ((1, 3, 4), (9, 8), (1, 2), (3, 2, 4, 3)),
    ]
    for shape, kernel, stride, padding in table:
        outs = Out.full(DType.U8), Out(DType.U8, Quant(0.1, 128), 0, 255), Out.full(DType.I16)
        for to, source in (*((to, DType.U8) for to in outs), (Out(DType.U4, Quant(0.1, 3), 1, 14), DType.U4)):

            def build(
                rng: np.random.Generator,
                shape: tuple[int, int, int] = shape,
                args: tuple[tuple[int, int], tuple[int, int], base.Padding] = (kernel, stride, padding),
                to: Out = to,
                source: DType = source,
            ) -> Node:
                n = args[0][0] * args[0][1]
                gain = (to.hi - to.lo) / source.hi * float(rng.choice([0.5, 1.0, 1.3]))
                m, a, s = fixed.lower(
                    np.array([gain / n]),
                    np.array([to.lo + 0.0]),
                    np.array([0]),
                    np.array([source.hi * n]),
                    to.lo,
                    to.hi,
                )
                zp = int(rng.choice([0, 128])) * source.hi // 255
                op = AvgPool(args[0], args[1], int(m[0]), int(a[0]), int(s[0]), to, args[2], zp)
                return base.make(op, base.activation("x", shape, zp, source))

            yield base.Case(f"{'x'.join(map(str, shape))}-{to.dtype.value}-{to.quant.zero_point}", build)
