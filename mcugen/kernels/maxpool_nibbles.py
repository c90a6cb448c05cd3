"""maxpool_nibbles: MaxPool from lanes to lanes of nibbles, wherever the lanes stay in step and padding cannot win."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.maxpool import MaxPool
from . import base


@dataclass(frozen=True)
class MaxPoolNibbles(base.NibbleKernel):
    """Padding is what halos hold, the zero point: 0 is the least value and never wins, any other might."""

    stem = "maxpool_nibbles"
    op = MaxPool
    code_bytes = 360

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op = node.op
        assert isinstance(op, MaxPool)
        if not output.nibbles or (any(op.padding) and node.inputs[0].type.zero_point != 0):
            return None
        return base.pool_layouts(node, inputs, output)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.pool_bound(node, sig)

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, MaxPool)
        tap, word = base.simulated(core, (16.2, 31), (35.2, 45), (50, 70))
        words = y.shape[0] * sig.output.rows_per_lane * y.shape[2]  # garbage too
        return 60 + words * (op.kernel[0] * op.kernel[1] * tap + word) + base.seal_cycles(sig.output, y, core)
