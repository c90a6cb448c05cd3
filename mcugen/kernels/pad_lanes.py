"""pad_lanes: Pad of flat images or images in lanes to images in lanes."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.pad import Pad
from . import base


@dataclass(frozen=True)
class PadLanes(base.Kernel):
    """Padding above moves rows to other lanes: pixel by pixel, like a relayout, so any rows per lane will do."""

    stem = "pad_lanes"
    op = Pad
    code_bytes = 260

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, y = node.inputs[0].type, node.output.type
        if output.flat or not base.fits(y):
            return None
        return base.Signature((base.bare(inputs[0], x),), base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Pad)
        return base.Bound(
            (
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("top", "uint16_t", op.padding[0]),
                base.Field("left", "uint16_t", op.padding[1]),
            ),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x, y = node.inputs[0].type, node.output.type
        cleared, moved, row = base.simulated(core, (2.8, 11.3, 93), (2.4, 11.8, 96), (0.7, 12.4, 178))
        words = y.shape[0] * sig.output.plane
        rows = x.shape[0] * x.shape[1]
        return words * cleared + x.size * moved + rows * row + base.seal_cycles(sig.output, y, core)
