"""Conv2d: two-dimensional convolution with ternary or int8 weights; (C, T, 1) data makes it one-dimensional."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class Conv2d(Op):
    """y[o] = tail(sum over c, i, j of w[o, c, i, j] * x[c, ...]); pixels outside x are pad_value.

    x: unsigned (C, H, W); w: t or i8 (O, C/groups, KH, KW); then mult, add, shift (O,) when `to` is set.
    """

    stride: tuple[int, int] = (1, 1)
    padding: base.Padding = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int = 0
    to: Out | None = None

    def infer(self, x: Tensor, w: Tensor, *rest: Tensor) -> Tensor:  # type: ignore[override]
        c, h, wd = base.image(x)
        if len(w.shape) != 4 or w.dtype not in (DType.T, DType.I8):
            base.refuse(f"w is {w}, wanted ternary or int8 of shape [O,C/groups,KH,KW]")
        o, cg, kh, kw = w.shape
        if self.groups < 1 or c % self.groups or o % self.groups or cg != c // self.groups:
            base.refuse(f"w {w} with groups={self.groups} does not fit x {x}")
        if self.pad_value != x.zero_point:
            base.refuse(f"pad_value {self.pad_value} is not the zero point {x.zero_point} of x")
        t, left, b, r = self.padding
        oh = base.window(h, kh, self.stride[0], t, b, self.dilation[0])
        ow = base.window(wd, kw, self.stride[1], left, r, self.dilation[1])
        return base.tail_infer(self.to, rest, (o, oh, ow))

    def eval(self, x: Array, w: Array, *rest: Array) -> Array:  # type: ignore[override]
        o, cg, kh, kw = w.shape
        g = self.groups
        v = base.patches(x, (kh, kw), self.stride, self.padding, self.pad_value, self.dilation)
        n, _, oh, ow = v.shape[:4]
        v = v.reshape(n, g, cg, oh, ow, kh, kw).transpose(1, 0, 3, 4, 2, 5, 6).reshape(g, n * oh * ow, cg * kh * kw)
        acc = base.exact_matmul(v, w.reshape(g, o // g, cg * kh * kw).transpose(0, 2, 1))
        acc = acc.reshape(g, n, oh, ow, o // g).transpose(1, 0, 4, 2, 3).reshape(n, o, oh, ow)
        return base.tail_eval(acc, self.to, rest)

    def macs(self, x: Tensor, w: Tensor, *rest: Tensor) -> int:  # type: ignore[override]
        _, oh, ow = self.infer(x, w, *rest).shape
        return w.size * oh * ow

    def bounds(self, x: Range, w: Array, *rest: Array) -> tuple[Range, Range]:  # type: ignore[override]
        o, _, kh, kw = w.shape
        g = self.groups
        x = base.with_padding(x, self.padding, self.pad_value)
        columns = Range(*(e.repeat(kh * kw).reshape(g, 1, -1) for e in (x.lo, x.hi)))
        sums = base.weighted(columns, w.reshape(g, o // g, -1))
        acc, total = (Range(r.lo.ravel(), r.hi.ravel()) for r in sums)
        return base.tail_bounds(acc, total, self.to, rest)


def cases() -> Iterator[base.Case]:
    """Kernel sizes, strides, paddings, dilation, groups, both weight types, shapes that do not divide."""
    # name, (C, H, W), (O, KH, KW), stride, padding, dilation, groups
    table = [
        ("1x1", (5, 4, 4), (6, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
        ("1x1s2", (3, 8, 7), (4, 1, 1), (2, 2), (0, 0, 0, 0), (1, 1), 1),
        ("3x3", (4, 8, 8), (3, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
        ("3x3-25x5", (2, 25, 5), (3, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
        ("3x3s2", (3, 16, 9), (4, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 1),
        ("3x3s2-tf", (3, 12, 12), (2, 3, 3), (2, 2), (0, 0, 1, 1), (1, 1), 1),
        ("3x3valid", (2, 7, 6), (3, 3, 3), (1, 1), (0, 0, 0, 0), (1, 1), 1),
        ("3x3d2", (2, 9, 9), (2, 3, 3), (1, 1), (2, 2, 2, 2), (2, 2), 1),
        ("5x5", (1, 13, 11), (3, 5, 5), (1, 1), (2, 2, 2, 2), (1, 1), 1),
        ("10x4s2", (1, 49, 10), (4, 10, 4), (2, 2), (4, 1, 5, 1), (1, 1), 1),
        ("kx1", (3, 30, 1), (4, 5, 1), (1, 1), (2, 0, 2, 0), (1, 1), 1),
        ("1xk", (2, 9, 12), (3, 1, 5), (1, 1), (0, 2, 0, 2), (1, 1), 1),
        ("asym", (2, 6, 5), (2, 2, 3), (1, 2), (1, 0, 0, 2), (1, 1), 1),
        ("groups", (6, 5, 5), (4, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 2),
        ("wide", (120, 2, 2), (2, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    ]
    for name, shape, (o, kh, kw), stride, padding, dilation, groups in table:
        for dtype in (DType.T, DType.I8):
            for kind in base.WEIGHT_KINDS if name in ("1x1", "3x3") else ("sparse",):

                def raw(
                    rng: np.random.Generator,
                    shape: tuple[int, int, int] = shape,
                    w_shape: tuple[int, int, int, int] = (o, shape[0] // groups, kh, kw),
                    dtype: DType = dtype,
                    kind: str = kind,
                    attrs: tuple[tuple[int, int], base.Padding, tuple[int, int], int] = (
                        stride,
                        padding,
                        dilation,
                        groups,
                    ),
                ) -> Node:
                    zp = int(rng.choice([0, 128, 255]))
                    op = Conv2d(*attrs, pad_value=zp)
                    return base.make(op, base.activation("x", shape, zp), base.draw_weights(rng, dtype, w_shape, kind))

                yield from base.each_tail(f"{name}-{dtype.value}-{kind}", raw)
    yield from _low()


def _low() -> Iterator[base.Case]:
    """Pixels of 4 bits, ternary weights."""
    for name, shape, w_shape, stride, padding in (
        ("1x1", (100, 9, 5), (3, 100, 1, 1), (1, 1), (0, 0, 0, 0)),
        ("3x3", (9, 17, 4), (3, 9, 3, 3), (1, 1), (1, 1, 1, 1)),
        ("3x3s2", (4, 16, 7), (4, 4, 3, 3), (2, 2), (1, 1, 1, 1)),
    ):
        for to in (Out.full(DType.U8), Out.full(DType.U4), Out(DType.U4, Quant(0.1, 3), 3, 14), Out.full(DType.U2)):

            def low(
                rng: np.random.Generator,
                shape: tuple[int, int, int] = shape,
                w_shape: tuple[int, int, int, int] = w_shape,
                attrs: tuple[tuple[int, int], base.Padding] = (stride, padding),
                to: Out = to,
            ) -> Node:
                zp = int(rng.choice([0, 8, 15]))
                x = base.activation("x", shape, zp, DType.U4)
                raw = base.make(Conv2d(*attrs, pad_value=zp), x, base.draw_weights(rng, DType.T, w_shape))
                return base.requantized(raw, rng, to)

            yield base.Case(f"u4-{name}-{to.dtype.value}-{to.lo}", low)
