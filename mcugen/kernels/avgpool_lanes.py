"""avgpool_lanes: AvgPool from lanes to lanes, wherever the lanes stay in step (base.lanes_window)."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.avgpool import AvgPool
from . import base


@dataclass(frozen=True)
class AvgPoolLanes(base.Kernel):
    """As avgpool_flat, but halo rows and pad columns stand for the padding; four pixels at once."""

    stem = "avgpool_lanes"
    op = AvgPool
    code_bytes = 600

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, x, y = node.op, node.inputs[0].type, node.output.type
        assert isinstance(op, AvgPool)
        if not base.fits(x, y):
            return None
        return base.lanes_window(x, y, base.Signature(inputs, output), op.kernel, op.stride, op.padding)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, AvgPool)
        return base.Bound(
            (
                base.tail_field(node, base.tail_range(node, acc)),
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
                base.lanes_field("out", sig.output, node.output.type),
                *base.window_fields(op.kernel, op.stride, op.padding),
            ),
            needs=("lanes", "mcugen_words"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, AvgPool)
        tap, line, word, row = base.simulated(core, (10.3, 44, 215, 8), (10.3, 41, 224, 18), (11.4, 55, 372, 58))
        each = word + op.kernel[0] * (line + op.kernel[1] * tap)
        rows = y.shape[0] * sig.output.rows_per_lane
        return rows * (y.shape[2] * each + row) + base.seal_cycles(sig.output, y, core)
