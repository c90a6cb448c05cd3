"""pad_nibbles: Pad of images in lanes of nibbles, with as many rows in a lane."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import NIBBLES, Layout
from ..ops.pad import Pad
from . import base


@dataclass(frozen=True)
class PadNibbles(base.NibbleKernel):
    """Padding above moves all rows by as many rows and lanes: word by word, each shifted."""

    stem = "pad_nibbles"
    op = Pad
    code_bytes = 360

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, x, y = node.op, node.inputs[0].type, node.output.type
        assert isinstance(op, Pad)
        if not (output.nibbles and base.fits(y) and base.in_step(inputs[0], output)):
            return None
        if op.padding[0] > (NIBBLES - 1) * output.rows_per_lane:  # a row of all lanes is above the image
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
            needs=("lanes", "nibbles_seal"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x, y = node.inputs[0].type, node.output.type
        row, channel, filled, moved = base.simulated(core, (60, 40, 4, 9), (60, 40, 4, 9), (90, 60, 5, 12))
        w = x.shape[2]
        each = channel + moved * w + filled * (y.shape[2] - w)
        return 60 + sig.output.rows_per_lane * (row + x.shape[0] * each) + base.seal_cycles(sig.output, y, core)
