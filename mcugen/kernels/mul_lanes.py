"""mul_lanes: Mul of an image in lanes by another in lanes, or by a flat factor per channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import FLAT, LANES, Layout
from ..ops.mul import Mul
from . import base


@dataclass(frozen=True)
class MulLanes(base.Kernel):
    """Rows as plain bytes, garbage included: it holds a's zero point there, and the product is 0."""

    stem = "mul_lanes"
    op = Mul
    code_bytes = 320
    in_place = (0,)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        (a, b), y = (v.type for v in node.inputs), node.output.type
        if inputs[0].flat or output.flat or not base.fits(y) or not y.dtype.unsigned:
            return None
        if inputs[1].flat is (b.shape == a.shape) or inputs[0].rows_per_lane != output.rows_per_lane:
            return None
        if not inputs[1].flat and inputs[1].rows_per_lane != output.rows_per_lane:
            return None
        second = FLAT if inputs[1].flat else base.bare(inputs[1], b)
        return base.Signature((base.bare(inputs[0], a), second), base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (a, b) = node.op, (v.type for v in node.inputs)
        assert isinstance(op, Mul)
        return base.Bound(
            (
                base.tail_field(node, with_zero(node, acc)),
                base.lanes_field("a", sig.inputs[0], a),
                base.lanes_field("b", sig.inputs[1], b),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("zero_a", "uint8_t", op.zero_a),
                base.Field("zero_b", "uint8_t", op.zero_b),
            ),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        (element,) = base.simulated(core, (37.4,), (40.6,), (55.8,))
        elements = y.shape[0] * sig.output.rows_per_lane * y.shape[2] * LANES
        return elements * element + base.seal_cycles(sig.output, y, core)


def with_zero(node: Node, acc: Range) -> Range:
    """Limits of what is requantised: the products, and 0 in the garbage rows."""
    acc = base.tail_range(node, acc)
    return Range(np.minimum(acc.lo, 0), np.maximum(acc.hi, 0))
