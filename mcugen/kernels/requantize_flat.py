"""requantize_flat: Requantize of flat data of any shape, u8, i16 or i32 to any of them."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.requantize import Requantize
from . import base


@dataclass(frozen=True)
class RequantizeFlat(base.Kernel):
    """Element by element, in the order of memory: in place where element sizes are equal."""

    stem = "requantize_flat"
    op = Requantize
    code_bytes = 310
    in_place = (0,)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT,), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        x, acc = node.inputs[0].type, base.tail_range(node, acc)
        return base.Bound(
            (
                base.tail_field(node, acc),
                base.Field("channels", "uint32_t", acc.lo.size),
                base.Field("each", "uint32_t", x.size // acc.lo.size),
                base.Field("in_bytes", "uint8_t", x.dtype.bytes),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        each, wide = base.simulated(core, (55, 0), (55.6, 0), (71, 48))
        return node.output.type.size * (each + wide * (node.inputs[0].type.dtype.bytes > 1)) + base.pixel_cycles(
            node, acc, core, 0, 0
        )
