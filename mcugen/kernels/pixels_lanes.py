"""pixels_lanes: Pixels to images in lanes."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.pixels import Pixels
from . import base


@dataclass(frozen=True)
class PixelsLanes(base.Kernel):
    """Row by row to its lane: no copy in between."""

    stem = "pixels_lanes"
    op = Pixels
    code_bytes = 160

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        if not inputs[0].flat or output.flat or not base.fits(node.output.type):
            return None
        return base.Signature((FLAT,), base.bare(output, node.output.type))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        table = node.inputs[1].const
        return base.Bound(
            (
                base.Field("table", "uint8_t", table),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("step", "uint16_t", table.shape[1] if len(table) > 1 else 0),
            ),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        element, row = base.simulated(core, (13.7, 38), (13.8, 39.7), (17.1, 64.6))
        return y.size * element + y.shape[0] * y.shape[1] * row + base.seal_cycles(sig.output, y, core)
