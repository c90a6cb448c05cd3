"""MaxPool: the largest stored value of a window; padding never wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..ir import Array, DType, Node, Op, Range, Tensor
from . import base


@dataclass(frozen=True)
class MaxPool(Op):
    """y = max over the window, of x: unsigned (C, H, W). Type and quantisation stay."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: base.Padding = (0, 0, 0, 0)

    def infer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        c, h, w = base.image(x)
        t, left, b, r = self.padding
        if max(t, b) >= self.kernel[0] or max(left, r) >= self.kernel[1]:
            base.refuse(f"padding {self.padding} makes windows of padding alone with kernel {self.kernel}")
        oh = base.window(h, self.kernel[0], self.stride[0], t, b)
        ow = base.window(w, self.kernel[1], self.stride[1], left, r)
        return Tensor(x.dtype, (c, oh, ow), x.quant)

    def eval(self, x: Array) -> Array:  # type: ignore[override]
        v = base.patches(x, self.kernel, self.stride, self.padding, 0, (1, 1))  # 0 is the least: it never wins
        return np.ascontiguousarray(v.max((4, 5)))

    def bounds(self, x: Range) -> tuple[Range, Range]:  # type: ignore[override]
        return x, x


def cases() -> Iterator[base.Case]:
    """2x2, overlapping windows, padding, columns, windows as large as the image and beyond it."""
    # (C, H, W), kernel, stride, padding
    table = [
        ((3, 8, 8), (2, 2), (2, 2), (0, 0, 0, 0)),
        ((2, 25, 5), (3, 3), (2, 2), (1, 1, 1, 1)),
        ((2, 16, 7), (3, 3), (1, 1), (1, 1, 1, 1)),
        ((3, 12, 1), (2, 1), (2, 1), (0, 0, 0, 0)),
        ((1, 9, 10), (3, 2), (3, 2), (0, 0, 0, 0)),
        ((2, 14, 15), (7, 7), (7, 7), (0, 0, 0, 0)),
        ((2, 13, 9), (7, 7), (1, 1), (0, 0, 0, 0)),
        ((1, 64, 1), (32, 1), (32, 1), (0, 0, 0, 0)),
        ((2, 3, 12), (1, 5), (1, 3), (0, 0, 0, 0)),
        ((2, 4, 4), (4, 4), (4, 4), (0, 0, 0, 0)),
        ((1, 40, 20), (40, 20), (1, 1), (0, 0, 0, 0)),
        ((2, 3, 4), (7, 6), (1, 1), (3, 2, 4, 1)),
    ]
    for (shape, kernel, stride, padding), dtype in product(table, (DType.U8, DType.U4)):

        def build(
            rng: np.random.Generator,
            shape: tuple[int, int, int] = shape,
            op: MaxPool = MaxPool(kernel, stride, padding),
            dtype: DType = dtype,
        ) -> Node:
            return base.make(op, base.activation("x", shape, int(rng.choice([0, 128])) * dtype.hi // 255, dtype))

        yield base.Case(f"{'x'.join(map(str, shape))}-{kernel[0]}x{kernel[1]}{'-u4' * (dtype is DType.U4)}", build)
