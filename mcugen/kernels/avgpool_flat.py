"""avgpool_flat: AvgPool on flat images."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.avgpool import AvgPool
from . import base


@dataclass(frozen=True)
class AvgPoolFlat(base.Kernel):
    """Any window and output type; positions outside the image count as the pad value."""

    stem = "avgpool_flat"
    op = AvgPool
    code_bytes = 400

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        if not base.all_flat(inputs, output) or not base.fits(node.inputs[0].type, node.output.type):
            return None
        return base.Signature((FLAT,), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, AvgPool)
        return base.Bound(
            (
                base.tail_field(node, base.tail_range(node, acc)),
                *base.image_fields("in", node.inputs[0].type),
                *base.image_fields("out", node.output.type),
                *base.window_fields(op.kernel, op.stride, op.padding),
                base.Field("pad_value", "uint8_t", op.pad_value),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, AvgPool)
        tap, row, pixel, channel = base.simulated(
            core, (21.6, 12.5, 65.3, 21.4), (23.2, 9.6, 67.7, 21.9), (27.3, 26.9, 80.5, 45.4)
        )
        return y.size * (op.kernel[0] * (op.kernel[1] * tap + row) + pixel) + y.shape[0] * channel
