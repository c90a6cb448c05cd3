"""DepthwiseConv2d: one filter per channel, ternary or int8 weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class DepthwiseConv2d(Op):
    """y[c] = tail(sum over i, j of w[c, i, j] * x[c, ...]); pixels outside x are pad_value.

    x: unsigned (C, H, W); w: t or i8 (C, KH, KW); then mult, add, shift (C,) when `to` is set.
    """

    stride: tuple[int, int] = (1, 1)
    padding: base.Padding = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    pad_value: int = 0
    to: Out | None = None

    def infer(self, x: Tensor, w: Tensor, *rest: Tensor) -> Tensor:  # type: ignore[override]
        c, h, wd = base.image(x)
        if len(w.shape) != 3 or w.shape[0] != c or w.dtype not in (DType.T, DType.I8):
            base.refuse(f"w is {w}, wanted ternary or int8 of shape [{c},KH,KW]")
        if self.pad_value != x.zero_point:
            base.refuse(f"pad_value {self.pad_value} is not the zero point {x.zero_point} of x")
        t, left, b, r = self.padding
        oh = base.window(h, w.shape[1], self.stride[0], t, b, self.dilation[0])
        ow = base.window(wd, w.shape[2], self.stride[1], left, r, self.dilation[1])
        return base.tail_infer(self.to, rest, (c, oh, ow))

    def eval(self, x: Array, w: Array, *rest: Array) -> Array:  # type: ignore[override]
        v = base.patches(x, w.shape[1:], self.stride, self.padding, self.pad_value, self.dilation)
        acc = np.einsum("nchwij,cij->nchw", v.astype(np.int64), w.astype(np.int64))
        return base.tail_eval(acc, self.to, rest)

    def macs(self, x: Tensor, w: Tensor, *rest: Tensor) -> int:  # type: ignore[override]
        _, oh, ow = self.infer(x, w, *rest).shape
        return w.size * oh * ow

    def bounds(self, x: Range, w: Array, *rest: Array) -> tuple[Range, Range]:  # type: ignore[override]
        x = base.with_padding(x, self.padding, self.pad_value)
        acc, total = base.weighted(Range(x.lo[:, None], x.hi[:, None]), w.reshape(w.shape[0], -1))
        return base.tail_bounds(acc, total, self.to, rest)


def cases() -> Iterator[base.Case]:
    """Kernel sizes, strides, asymmetric padding, both weight types."""
    # name, (C, H, W), (KH, KW), stride, padding, dilation
    table = [
        ("3x3", (5, 8, 8), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        ("3x3-25x5", (3, 25, 5), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        ("3x3s2", (4, 12, 12), (3, 3), (2, 2), (0, 0, 1, 1), (1, 1)),
        ("5x5", (2, 9, 7), (5, 5), (1, 1), (2, 2, 2, 2), (1, 1)),
        ("1xk", (2, 6, 9), (1, 5), (1, 1), (0, 2, 0, 2), (1, 1)),
        ("kx1d2", (3, 16, 1), (3, 1), (1, 1), (2, 0, 2, 0), (2, 1)),
    ]
    for name, shape, kernel, stride, padding, dilation in table:
        for dtype in (DType.I8, DType.T):
            for kind in base.WEIGHT_KINDS if name == "3x3" else ("sparse",):

                def raw(
                    rng: np.random.Generator,
                    shape: tuple[int, int, int] = shape,
                    w_shape: tuple[int, int, int] = (shape[0], *kernel),
                    dtype: DType = dtype,
                    kind: str = kind,
                    attrs: tuple[tuple[int, int], base.Padding, tuple[int, int]] = (
                        stride,
                        padding,
                        dilation,
                    ),
                ) -> Node:
                    zp = int(rng.choice([0, 128]))
                    op = DepthwiseConv2d(*attrs, pad_value=zp)
                    return base.make(op, base.activation("x", shape, zp), base.draw_weights(rng, dtype, w_shape, kind))

                yield from base.each_tail(f"{name}-{dtype.value}-{kind}", raw)
    # (C, H, W), (KH, KW), stride, padding, dilation
    small = [
        ((4, 17, 5), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        ((3, 25, 6), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        ((5, 12, 7), (3, 3), (2, 2), (1, 1, 1, 1), (1, 1)),
        ((2, 19, 9), (5, 5), (1, 1), (2, 2, 2, 2), (1, 1)),
        ((2, 32, 1), (3, 1), (2, 1), (2, 0, 2, 0), (2, 1)),
    ]
    for dtype in (DType.T, DType.I8):
        for shape, kernel, stride, padding, dilation in small[: 3 if dtype is DType.T else 5]:
            for to in (Out.full(DType.U4), Out(DType.U4, Quant(0.1, 3), 3, 14)):

                def low(
                    rng: np.random.Generator,
                    shape: tuple[int, int, int] = shape,
                    w_shape: tuple[int, int, int] = (shape[0], *kernel),
                    attrs: tuple[tuple[int, int], base.Padding, tuple[int, int]] = (stride, padding, dilation),
                    dtype: DType = dtype,
                    to: Out = to,
                ) -> Node:
                    x = base.activation("x", shape, int(rng.choice([0, 8])), DType.U4)
                    op = DepthwiseConv2d(*attrs, pad_value=x.type.zero_point)
                    raw = base.make(op, x, base.draw_weights(rng, dtype, w_shape))
                    return base.requantized(raw, rng, to)

                weights = "" if dtype is DType.T else f"-{dtype.value}"
                yield base.Case(f"{kernel[0]}x{kernel[1]}-u4{weights}-{shape[0]}-{to.lo}", low)
