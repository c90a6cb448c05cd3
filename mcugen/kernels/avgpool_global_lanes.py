"""avgpool_global_lanes: AvgPool over a whole image in lanes of any rows, to flat (C, 1, 1)."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.avgpool import AvgPool
from . import base


@dataclass(frozen=True)
class AvgPoolGlobalLanes(base.Kernel):
    """The window is the image: its plane is summed word by word, and what is not image taken away."""

    stem = "avgpool_global_lanes"
    op = AvgPool
    code_bytes = 390
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, x = node.op, node.inputs[0].type
        assert isinstance(op, AvgPool)
        if inputs[0].flat or not output.flat or not base.fits(x):
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
            needs=("mcugen_words", "total"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x = sig.inputs[0]
        if "mve" in core.isa:
            rounds = -(-x.rows_per_lane * x.pitch // 4)
            return 50 + node.inputs[0].type.shape[0] * (38 + 3 * rounds)
        word, channel = base.simulated(core, (11, 75), (11, 79), (11, 127))
        return node.inputs[0].type.shape[0] * (word * x.rows_per_lane * x.pitch + channel)
