"""maxpool_lanes: MaxPool from lanes to lanes, wherever the lanes stay in step and padding cannot win."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.maxpool import MaxPool
from . import base


@dataclass(frozen=True)
class MaxPoolLanes(base.Kernel):
    """Padding is what halos hold, the zero point: 0 is the least value and never wins, any other might."""

    stem = "maxpool_lanes"
    op = MaxPool
    code_bytes = 360

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op = node.op
        assert isinstance(op, MaxPool)
        if any(op.padding) and node.inputs[0].type.zero_point != 0:
            return None
        return base.pool_layouts(node, inputs, output)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.pool_bound(node, sig)

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, MaxPool)
        tap, line, word, row = base.simulated(core, (9.7, 5.7, 19.3, 70), (18.7, 6.4, 20.5, 78), (26.2, 9.9, 39.8, 120))
        each = word + op.kernel[0] * (line + op.kernel[1] * tap)
        rows = y.shape[0] * sig.output.rows_per_lane  # garbage rows too
        return rows * (y.shape[2] * each + row) + base.seal_cycles(sig.output, y, core)
