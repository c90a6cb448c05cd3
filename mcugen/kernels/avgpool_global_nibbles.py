"""avgpool_global_nibbles: AvgPool over a whole image in lanes of nibbles of any rows, to flat (C, 1, 1)."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.avgpool import AvgPool
from . import base


@dataclass(frozen=True)
class AvgPoolGlobalNibbles(base.NibbleKernel):
    """The window is the image: its plane is summed word by word, and what is not image taken away."""

    stem = "avgpool_global_nibbles"
    op = AvgPool
    code_bytes = 310
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, x = node.op, node.inputs[0].type
        assert isinstance(op, AvgPool)
        if not inputs[0].nibbles or not output.flat or not base.fits(x):
            return None
        if any(op.padding) or op.kernel != x.shape[1:]:
            return None
        return base.Signature((base.bare(inputs[0], x),), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.Bound(
            (
                base.tail_field(node, base.tail_range(node, acc)),
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
            ),
            needs=("nibble_words",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x, c = sig.inputs[0], node.inputs[0].type.shape[0]
        words = x.rows_per_lane * x.pitch
        channel, word, eight = base.simulated(core, (46, 11, 15), (48, 11, 15), (70, 15, 25))
        return 60 + c * (channel + word * words + eight * -(-words // 8))
