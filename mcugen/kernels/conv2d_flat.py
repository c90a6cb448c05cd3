"""conv2d_flat: Conv2d on flat images; any stride, padding, dilation, groups, output type and weight encoding."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.conv2d import Conv2d
from ..pack import Encoding
from . import base


@dataclass(frozen=True)
class Conv2dFlat(base.Kernel):
    """One channel's weights are unpacked into scratch, then all pixels run over them."""

    encoding: Encoding
    stem = "conv2d_flat"
    op = Conv2d
    uses_scratch = True
    code_bytes = 670

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = node.inputs[0].type, node.inputs[1].type
        if not base.all_flat(inputs, output) or w.dtype not in self.encoding.dtypes:
            return None
        return base.Signature((FLAT,), FLAT) if base.fits(x, w, node.output.type) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (x, w) = node.op, node.inputs[:2]
        assert isinstance(op, Conv2d)
        return base.Bound(
            (
                base.tail_field(node, acc),
                *base.weight_fields(w.const, self.encoding),
                *base.image_fields("in", x.type),
                *base.image_fields("out", node.output.type),
                *base.window_fields(w.type.shape[2:], op.stride, op.padding, op.dilation),
                base.Field("groups", "uint16_t", op.groups),
                base.Field("pad_value", "uint8_t", op.pad_value),
            ),
            scratch=base.row_bytes(w.type),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        w, y = node.inputs[1].type, node.output.type
        product, tap, narrow, wide, channel = base.simulated(
            core, (10.9, 28.5, 137, 155, 405), (11.9, 28.7, 141, 160, 501), (14, 48, 263, 359, 558)
        )
        sums = y.size * w.shape[2] * w.shape[3] * (w.shape[1] * product + tap)
        tails = base.pixel_cycles(node, acc, core, narrow, wide) + w.shape[0] * channel
        return sums + tails + base.unpack_cycles(self.encoding, w.size, core)
