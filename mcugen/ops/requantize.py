"""Requantize: change of scale, zero point, type or limits, per channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class Requantize(Op):
    """y = clamp((x * mult + add) >> shift), channel by channel along axis 0.

    x: unsigned, i16 or i32; mult i16, add i32, shift u8, each (C,) or (1,). ReLU, ReLU6 and clip are limits in `to`.
    """

    to: Out

    def infer(self, x: Tensor, *rest: Tensor) -> Tensor:  # type: ignore[override]
        if not x.dtype.unsigned and x.dtype not in (DType.I16, DType.I32):
            base.refuse(f"x is {x}, wanted an activation")
        return base.tail_infer(self.to, rest, x.shape)

    def eval(self, x: Array, *rest: Array) -> Array:  # type: ignore[override]
        return base.tail_eval(x.astype(np.int64), self.to, rest)

    def bounds(self, x: Range, *rest: Array) -> tuple[Range, Range]:  # type: ignore[override]
        return base.tail_bounds(x, x, self.to, rest)


def cases() -> Iterator[base.Case]:
    """u8, u4, i16 and i32 sources, per channel and for the whole tensor, identity with limits."""
    for source in (DType.U8, DType.U4, DType.I16, DType.I32):
        for shape in ((3, 5, 4), (6,), (2, 9, 3)):
            outs = [Out.full(DType.U8), Out(DType.U8, Quant(0.1, 128), 128, 250), Out.full(DType.I16)]
            if source is DType.U4:
                outs.append(Out(DType.U4, Quant(0.1, 3), 3, 14))
            for to in outs:

                def build(
                    rng: np.random.Generator,
                    source: DType = source,
                    shape: tuple[int, ...] = shape,
                    to: Out = to,
                ) -> Node:
                    x = base.activation("x", shape, 0, source)
                    limits = base.input_range(x)
                    if len(shape) == 1:  # one set of constants for the whole tensor
                        limits = Range(limits.lo[:1], limits.hi[:1])
                    return base.make(Requantize(to), x, *base.draw_tail(rng, limits, to))

                name = f"{source.value}-{'x'.join(map(str, shape))}-{to.dtype.value}-{to.quant.zero_point}"
                yield base.Case(name, build)
