"""lookup_lanes: Lookup of an image in lanes, bytes to bytes."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import LANES, Layout
from ..ops.lookup import Lookup
from . import base


@dataclass(frozen=True)
class LookupLanes(base.Kernel):
    """Rows as plain bytes, garbage included."""

    stem = "lookup_lanes"
    op = Lookup
    code_bytes = 140
    in_place = (0,)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.same_lanes(node, inputs, output)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        table = node.inputs[1].const
        return base.Bound(
            (
                base.Field("table", "uint8_t", table),
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("mask", "uint8_t", table.size - 1),
            ),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        element, row = base.simulated(core, (16.3, 52.6), (16.9, 48.3), (18.2, 21.7))
        rows = y.shape[0] * sig.output.rows_per_lane  # garbage rows too
        return rows * (y.shape[2] * LANES * element + row) + base.seal_cycles(sig.output, y, core)
