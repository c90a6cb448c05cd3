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
    code_bytes = 260
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
        (a, b), y = node.args, node.output.type
        element, factor = base.simulated(core, (44.4, 12), (47, 12), (66, 18))  # factor: each element of b is another
        return y.size * (element + factor * (a.type.shape == b.type.shape)) + base.pixel_cycles(node, acc, core, 0, 0)
