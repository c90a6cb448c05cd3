"""mul_flat: Mul of flat data of any shape."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.mul import Mul
from . import base


@dataclass(frozen=True)
class MulFlat(base.Kernel):
    """Element by element, in the order of memory: the output may take over an input of its size."""

    stem = "mul_flat"
    op = Mul
    code_bytes = 200
    in_place = (0, 1)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT, FLAT), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (a, b) = node.op, (v.type for v in node.inputs)
        assert isinstance(op, Mul)
        return base.Bound(
            (
                base.tail_field(node, base.tail_range(node, acc)),
                base.Field("n", "uint32_t", a.size),
                base.Field("each", "uint32_t", a.size // b.size),
                base.Field("zero_a", "uint8_t", op.zero_a),
                base.Field("zero_b", "uint8_t", op.zero_b),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        each = base.tail_cycles(node, base.tail_range(node, acc), core)
        return node.output.type.size * (each + 2 * core.load + core.multiply + core.branch + 12)
