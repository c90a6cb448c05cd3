"""avgpool_nibbles: AvgPool from lanes to lanes of nibbles, wherever the lanes stay in step (base.lanes_window)."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.avgpool import AvgPool
from . import base


@dataclass(frozen=True)
class AvgPoolNibbles(base.NibbleKernel):
    """As avgpool_flat, but halo rows and pad columns stand for the padding; eight pixels at once."""

    stem = "avgpool_nibbles"
    op = AvgPool
    code_bytes = 600

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.pool_layouts(node, inputs, output) if output.nibbles else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.pool_bound(node, sig, base.tail_field(node, base.tail_range(node, acc)))

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, AvgPool)
        tap, word, pixel = base.simulated(core, (17, 307, 18.4), (17, 315, 18.6), (24, 430, 25))
        words = y.shape[0] * sig.output.rows_per_lane * y.shape[2]
        each = op.kernel[0] * op.kernel[1] * tap + word
        return 60 + words * each + y.size * pixel + base.seal_cycles(sig.output, y, core)
