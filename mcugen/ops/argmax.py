"""ArgMax: the index of the largest element in C order, of equal ones the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class ArgMax(Op):
    """y = [index of the largest x]; x: unsigned, i16 or i32 of any shape. Stored integers are compared: one scale."""

    index: DType

    def infer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        if not (x.dtype.unsigned or x.dtype in (DType.I16, DType.I32)):
            base.refuse(f"x is {x}, wanted an activation")
        if x.quant is not None and isinstance(x.quant.scale, tuple):
            base.refuse("x has a scale per channel: stored integers do not compare")
        if self.index not in (DType.U8, DType.I16, DType.I32) or x.size - 1 > self.index.hi:
            base.refuse(f"an index into {x} is no {self.index.value}: u8, i16 or i32, as large as needed")
        return Tensor(self.index, (1,), Quant(1.0))

    def eval(self, x: Array) -> Array:  # type: ignore[override]
        found = x.reshape(len(x), -1).argmax(axis=1)  # numpy takes the first of equal ones
        return np.asarray(found[:, None].astype(self.index.numpy))

    def bounds(self, x: Range) -> tuple[Range, Range]:  # type: ignore[override]
        return x, Range(np.zeros(1, np.int64), np.full(1, self.index.hi, np.int64))


def index_type(x: Tensor) -> DType:
    """The smallest element type that indexes `x`."""
    return next(d for d in (DType.U8, DType.I16, DType.I32) if x.size - 1 <= d.hi)


def cases() -> Iterator[base.Case]:
    """Bytes, 16 and 32 bits; few values, so that many are equal; images; indices of one and two bytes."""
    shapes: tuple[tuple[int, ...], ...] = ((10,), (1,), (3, 4, 5), (300,))
    for source in (DType.U8, DType.U1, DType.I16, DType.I32):
        for shape in shapes:

            def build(rng: np.random.Generator, source: DType = source, shape: tuple[int, ...] = shape) -> Node:
                x = base.activation("x", shape, 0, source)
                return base.make(ArgMax(index_type(x.type)), x)

            yield base.Case(f"{source.value}-{'x'.join(map(str, shape))}", build)
