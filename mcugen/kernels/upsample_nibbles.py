"""upsample_nibbles: Upsample of images in lanes of nibbles, where the rows per lane grow by the factor."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.upsample import Upsample
from . import base


@dataclass(frozen=True)
class UpsampleNibbles(base.NibbleKernel):
    """Word by word; garbage rows become garbage rows."""

    stem = "upsample_nibbles"
    op = Upsample
    code_bytes = 300

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, x, y = node.op, node.inputs[0].type, node.output.type
        assert isinstance(op, Upsample)
        if not (inputs[0].nibbles and output.nibbles and base.fits(y)):
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
            needs=("lanes", "nibbles_seal"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, x, y = node.op, node.inputs[0].type, node.output.type
        assert isinstance(op, Upsample)
        row, word, written = base.simulated(core, (21, 6.35, 6), (21.5, 6.35, 6), (40, 8, 8))
        rows = y.shape[0] * sig.output.rows_per_lane
        each = row + x.shape[2] * (word + op.factor[1] * written)
        return 60 + rows * each + base.seal_cycles(sig.output, y, core)
