"""Pixels: an image as cameras give it, H, W, C bytes, to the quantised activation that the network reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor, Value
from . import base


@dataclass(frozen=True)
class Pixels(Op):
    """y[c, i, j] = table[c, x[i, j, c]]; x: u8 (H, W, C), y: unsigned (C, H, W).

    table: (C, 256), or (1, 256) for all channels, of the output's type: normalisation and quantisation in one.
    """

    to: Out

    def infer(self, x: Tensor, table: Tensor) -> Tensor:  # type: ignore[override]
        if len(x.shape) != 3 or x.dtype is not DType.U8:
            base.refuse(f"x is {x}, wanted bytes of shape [H,W,C]")
        h, w, c = x.shape
        if not self.to.dtype.unsigned or table.dtype is not self.to.dtype or table.shape not in ((c, 256), (1, 256)):
            base.refuse(f"x {x} wants a table {self.to.dtype.value}[{c},256] or [1,256] of unsigned, not {table}")
        return base.out_type(self.to, (c, h, w))

    def eval(self, x: Array, table: Array) -> Array:  # type: ignore[override]
        channel = np.arange(x.shape[3]) % len(table)
        return np.asarray(table[channel[:, None, None], x.transpose(0, 3, 1, 2)])

    def bounds(self, x: Range, table: Array) -> tuple[Range, Range]:  # type: ignore[override]
        lo, hi = x.span  # of every channel: axis 0 is the height
        seen = table[:, lo : hi + 1].astype(np.int64)
        return Range(np.array([lo]), np.array([hi])), Range(seen.min(1), seen.max(1))


def cases() -> Iterator[base.Case]:
    """Grey, RGB and more channels, a table each and one for all, 8 bits and fewer, columns and rows."""
    for shape in ((8, 8, 3), (5, 7, 1), (9, 4, 3), (13, 1, 2), (1, 6, 4)):
        for tables in dict.fromkeys((shape[2], 1)):
            for to in (Out(DType.U8, Quant(0.02, 117), 0, 255), Out(DType.U4, Quant(0.1, 8), 0, 15)):

                def build(
                    rng: np.random.Generator,
                    x: Tensor = Tensor(DType.U8, shape, Quant(1 / 255)),  # noqa: B008  frozen dataclasses
                    tables: int = tables,
                    to: Out = to,
                ) -> Node:
                    table = base.constant("table", to.dtype, rng.integers(to.lo, to.hi + 1, (tables, 256)))
                    return base.make(Pixels(to), Value("x", x), table)

                yield base.Case(f"{'x'.join(map(str, shape))}-{tables}-{to.dtype.value}", build)
