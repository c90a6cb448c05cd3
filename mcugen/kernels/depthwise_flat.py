"""depthwise_flat: DepthwiseConv2d on flat images; any stride, padding, dilation, output type and weight encoding."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.depthwise import DepthwiseConv2d
from ..pack import Encoding
from . import base


@dataclass(frozen=True)
class DepthwiseFlat(base.Kernel):
    """One channel's filter is unpacked into scratch, then all its pixels run over it."""

    encoding: Encoding
    stem = "depthwise_flat"
    op = DepthwiseConv2d
    uses_scratch = True
    code_bytes = 540

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = node.inputs[0].type, node.inputs[1].type
        if not base.all_flat(inputs, output) or w.dtype not in self.encoding.dtypes:
            return None
        return base.Signature((FLAT,), FLAT) if base.fits(x, w, node.output.type) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (x, w) = node.op, node.inputs[:2]
        assert isinstance(op, DepthwiseConv2d)
        return base.Bound(
            (
                base.tail_field(node, acc),
                *base.weight_fields(w.const, self.encoding),
                *base.image_fields("in", x.type),
                *base.image_fields("out", node.output.type),
                *base.window_fields(w.type.shape[1:], op.stride, op.padding, op.dilation),
                base.Field("pad_value", "uint8_t", op.pad_value),
            ),
            scratch=base.row_bytes(w.type),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        (_, rows, taps), y = node.inputs[1].type.shape, node.output.type
        product, row, narrow, wide, channel = base.simulated(
            core, (15.5, 23.3, 79.6, 93.8, 81), (16.5, 24.2, 81.7, 97.8, 88), (18.8, 47.2, 107, 199, 111)
        )
        sums = y.size * rows * (taps * product + row)
        tails = base.pixel_cycles(node, acc, core, narrow, wide) + y.shape[0] * channel
        return sums + tails + base.unpack_cycles(self.encoding, node.inputs[1].type.size, core)
