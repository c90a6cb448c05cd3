"""Pad: the zero point around an image, where no convolution or pooling behind it can pad for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Range, Tensor
from . import base


@dataclass(frozen=True)
class Pad(Op):
    """y = x with rows and columns of pad_value around it; x: unsigned (C, H, W). Type and quantisation stay."""

    padding: base.Padding
    pad_value: int = 0

    def infer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        c, h, w = base.image(x)
        t, left, b, r = self.padding
        if self.pad_value != x.zero_point:
            base.refuse(f"pad_value {self.pad_value} is not the zero point {x.zero_point} of x")
        shape = (c, base.window(h, 1, 1, t, b), base.window(w, 1, 1, left, r))
        return Tensor(x.dtype, shape, x.quant)

    def eval(self, x: Array) -> Array:  # type: ignore[override]
        t, left, b, r = self.padding
        return np.pad(x, ((0, 0), (0, 0), (t, b), (left, r)), constant_values=self.pad_value)

    def bounds(self, x: Range) -> tuple[Range, Range]:  # type: ignore[override]
        y = base.with_padding(x, self.padding, self.pad_value)
        return y, y


def cases() -> Iterator[base.Case]:
    """Each side alone, all sides, more than the image, columns, nothing, 8 bits and 4."""
    table: list[tuple[tuple[int, int, int], base.Padding]] = [
        ((3, 8, 8), (1, 1, 1, 1)),
        ((2, 25, 5), (3, 0, 0, 0)),
        ((2, 4, 6), (0, 2, 0, 0)),
        ((2, 4, 6), (0, 0, 5, 0)),
        ((1, 5, 3), (0, 0, 0, 4)),
        ((2, 12, 1), (7, 0, 2, 0)),
        ((1, 1, 1), (3, 2, 1, 5)),
        ((2, 5, 7), (0, 0, 0, 0)),
        ((3, 31, 4), (2, 1, 1, 1)),
    ]
    for dtype in (DType.U8, DType.U4):
        for shape, padding in table:

            def build(
                rng: np.random.Generator,
                shape: tuple[int, int, int] = shape,
                padding: base.Padding = padding,
                dtype: DType = dtype,
            ) -> Node:
                zero_point = int(rng.choice([0, (dtype.hi + 1) // 2, dtype.hi]))
                return base.make(Pad(padding, zero_point), base.activation("x", shape, zero_point, dtype))

            suffix = "" if dtype is DType.U8 else f"-{dtype.value}"
            yield base.Case(f"{'x'.join(map(str, shape))}-{'.'.join(map(str, padding))}{suffix}", build)
