"""Upsample: every pixel becomes a block of equal pixels (nearest neighbour, integer factors)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Range, Tensor
from . import base


@dataclass(frozen=True)
class Upsample(Op):
    """y[c][i][j] = x[c][i div factor[0]][j div factor[1]]; x: unsigned (C, H, W). Type and quantisation stay."""

    factor: tuple[int, int]

    def infer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        c, h, w = base.image(x)
        if not 1 <= min(self.factor) <= max(self.factor) <= 0xFFFF:
            base.refuse(f"factors {self.factor}, wanted 1 to 65535")
        return Tensor(x.dtype, (c, h * self.factor[0], w * self.factor[1]), x.quant)

    def eval(self, x: Array) -> Array:  # type: ignore[override]
        return x.repeat(self.factor[0], axis=2).repeat(self.factor[1], axis=3)

    def bounds(self, x: Range) -> tuple[Range, Range]:  # type: ignore[override]
        return x, x


def cases() -> Iterator[base.Case]:
    """Equal and unequal factors, columns, heights that do not divide, 8 bits and 4."""
    table = [
        ((3, 4, 4), (2, 2)),
        ((2, 7, 3), (2, 3)),
        ((1, 9, 1), (3, 1)),
        ((2, 1, 5), (4, 1)),
        ((1, 1, 1), (5, 2)),
        ((2, 6, 4), (1, 2)),
        ((2, 17, 3), (3, 1)),
    ]
    for dtype in (DType.U8, DType.U4):
        for shape, factor in table:

            def build(
                rng: np.random.Generator,
                shape: tuple[int, int, int] = shape,
                factor: tuple[int, int] = factor,
                dtype: DType = dtype,
            ) -> Node:
                zero_point = int(rng.choice([0, (dtype.hi + 1) // 2]))
                return base.make(Upsample(factor), base.activation("x", shape, zero_point, dtype))

            suffix = "" if dtype is DType.U8 else f"-{dtype.value}"
            yield base.Case(f"{'x'.join(map(str, shape))}-{factor[0]}x{factor[1]}{suffix}", build)
