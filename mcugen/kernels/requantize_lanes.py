"""requantize_lanes: Requantize of an image in lanes, bytes to bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import LANES, Layout
from ..ops.requantize import Requantize
from . import base


@dataclass(frozen=True)
class RequantizeLanes(base.Kernel):
    """Rows as plain bytes, garbage included, so the pad value counts as an input where 32 bits must be proven."""

    stem = "requantize_lanes"
    op = Requantize
    code_bytes = 260
    in_place = (0,)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.same_lanes(node, inputs, output)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        acc = with_garbage(node, acc)
        return base.Bound(
            (
                base.tail_field(node, acc),
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("channels", "uint16_t", acc.lo.size),
            ),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        element, row = base.simulated(core, (41.9, 68), (41.9, 61.3), (55.2, 31.4))
        rows = y.shape[0] * sig.output.rows_per_lane  # garbage rows too
        return rows * (y.shape[2] * LANES * element + row) + base.seal_cycles(sig.output, y, core)


def with_garbage(node: Node, acc: Range) -> Range:
    """Limits of what is requantised: the image's values and the pad value in its garbage rows."""
    acc, pad = base.tail_range(node, acc), node.inputs[0].type.zero_point
    return Range(np.minimum(acc.lo, pad), np.maximum(acc.hi, pad))
