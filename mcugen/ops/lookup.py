"""Lookup: any function of one variable, as a table: hard-swish, sigmoid, tanh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class Lookup(Op):
    """y = table[x]; x: unsigned of k bits and any shape; table: 2^k elements of the output's type."""

    to: Out

    def infer(self, x: Tensor, table: Tensor) -> Tensor:  # type: ignore[override]
        if not x.dtype.unsigned or table.shape != (x.dtype.hi + 1,) or table.dtype is not self.to.dtype:
            base.refuse(f"x {x} wants a table {self.to.dtype.value}[{x.dtype.hi + 1}], not {table}")
        return base.out_type(self.to, x.shape)

    def eval(self, x: Array, table: Array) -> Array:  # type: ignore[override]
        return np.asarray(table[x])

    def bounds(self, x: Range, table: Array) -> tuple[Range, Range]:  # type: ignore[override]
        parts = [table[lo : hi + 1].astype(np.int64) for lo, hi in zip(x.lo, x.hi, strict=True)]
        return x, Range(np.array([p.min() for p in parts]), np.array([p.max() for p in parts]))


def cases() -> Iterator[base.Case]:
    """Tables of 8 and 4 bits, 16-bit outputs, images and vectors."""
    for source in (DType.U8, DType.U4):
        for shape in ((3, 5, 4), (2, 25, 5), (7,)):
            outs = [Out.full(DType.U8), Out(DType.U8, Quant(0.1, 128), 0, 255), Out.full(DType.I16)]
            if source is DType.U4:
                outs.append(Out(DType.U4, Quant(0.1, 3), 1, 14))
            for to in outs:

                def build(
                    rng: np.random.Generator,
                    source: DType = source,
                    shape: tuple[int, ...] = shape,
                    to: Out = to,
                ) -> Node:
                    table = base.constant("table", to.dtype, rng.integers(to.lo, to.hi + 1, source.hi + 1))
                    return base.make(Lookup(to), base.activation("x", shape, 3, source), table)

                name = f"{source.value}-{'x'.join(map(str, shape))}-{to.dtype.value}-{to.quant.zero_point}"
                yield base.Case(name, build)
