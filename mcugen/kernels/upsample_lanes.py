"""upsample_lanes: Upsample of images in lanes, where the rows per lane grow by the factor."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.upsample import Upsample
from . import base


@dataclass(frozen=True)
class UpsampleLanes(base.Kernel):
    """Word by word; garbage rows become garbage rows."""

    stem = "upsample_lanes"
    op = Upsample
    code_bytes = 170

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, x, y = node.op, node.inputs[0].type, node.output.type
        assert isinstance(op, Upsample)
        if inputs[0].flat or output.flat or not base.fits(y):
            return None
        if output.rows_per_lane != op.factor[0] * inputs[0].rows_per_lane:
            return None
        return base.Signature((base.bare(inputs[0], x),), base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Upsample)
        return base.Bound(
            (
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("factor_h", "uint16_t", op.factor[0]),
                base.Field("factor_w", "uint16_t", op.factor[1]),
            ),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        word, row = base.simulated(core, (40.6, 60.7), (40.8, 51.2), (44.5, 3))
        rows = y.shape[0] * sig.output.rows_per_lane
        return rows * (y.shape[2] * word + row) + base.seal_cycles(sig.output, y, core)
