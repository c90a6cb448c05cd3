"""add_flat: Add on flat data of any shape."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.add import Add
from . import base


@dataclass(frozen=True)
class AddFlat(base.Kernel):
    """Element by element, in the order of memory: the output may take over either input."""

    stem = "add_flat"
    op = Add
    code_bytes = 130
    in_place = (0, 1)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT, FLAT), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, y = node.op, node.output.type
        assert isinstance(op, Add)
        return base.Bound(
            (
                base.Field("add", "int32_t", op.add),
                base.Field("lo", "int32_t", op.to.lo),
                base.Field("hi", "int32_t", op.to.hi),
                base.Field("n", "uint32_t", y.size),
                base.Field("mult_a", "int16_t", op.mult_a),
                base.Field("mult_b", "int16_t", op.mult_b),
                base.Field("shift", "uint8_t", op.shift),
                base.Field("bytes", "uint8_t", y.dtype.bytes),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        element, once = base.simulated(core, (36.5, 23), (37, 22), (46, 47))
        return node.output.type.size * element + once
