"""softmax_flat: Softmax of flat data of any shape."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.softmax import Softmax
from . import base

DIVIDE = 40  # cycles of a division, by hardware or by the compiler's routine, for the choice only


@dataclass(frozen=True)
class SoftmaxFlat(base.Kernel):
    """Three walks over the elements: the largest, the sum, the quotients."""

    stem = "softmax_flat"
    op = Softmax
    code_bytes = 360

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT,), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (x, coarse, fine) = node.op, node.inputs
        assert isinstance(op, Softmax)
        return base.Bound(
            (
                base.Field("coarse", "int16_t", coarse.const),
                base.Field("fine", "int16_t", fine.const),
                base.Field("n", "uint32_t", x.type.size),
                base.Field("one", "uint32_t", op.one),
                base.Field("lo", "int32_t", op.to.lo),
                base.Field("hi", "int32_t", op.to.hi),
                base.Field("steps", "uint16_t", coarse.type.size),
                base.Field("in_bytes", "uint8_t", x.type.dtype.bytes),
                base.Field("bytes", "uint8_t", node.output.type.dtype.bytes),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x = node.inputs[0].type
        each, wide, once = base.simulated(core, (94, 0, 8), (96, 0, 8), (139, 121, 181))
        return x.size * (each + wide * (x.dtype.bytes > 1)) + once
