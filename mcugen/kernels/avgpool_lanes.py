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
        return base.pool_layouts(node, inputs, output)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.pool_bound(node, sig, base.tail_field(node, base.tail_range(node, acc)))

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, AvgPool)
        tap, row, word, pixel = base.simulated(
            core, (11.7, 34, 160, 18.6), (11.8, 31.2, 174.5, 16.8), (13.2, 43, 341.8, 14.3)
        )
        words = y.shape[0] * sig.output.rows_per_lane * y.shape[2]
        each = op.kernel[0] * (op.kernel[1] * tap + row) + word
        return words * each + y.size * pixel + base.seal_cycles(sig.output, y, core)
