"""depthwise_lanes: DepthwiseConv2d from lanes to lanes, wherever the lanes stay in step (base.lanes_window)."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.depthwise import DepthwiseConv2d
from ..pack import Encoding
from . import base


@dataclass(frozen=True)
class DepthwiseLanes(base.Kernel):
    """As depthwise_flat, but halo rows and pad columns stand for the padding: no pixel is tested."""

    encoding: Encoding
    stem = "depthwise_lanes"
    op = DepthwiseConv2d
    uses_scratch = True
    code_bytes = 520
    by_plane = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, DepthwiseConv2d)
        if w.dtype not in self.encoding.dtypes or not base.fits(x, w, y):
            return None
        like = base.Signature(inputs, output)
        return base.lanes_window(x, y, like, w.shape[1:], op.stride, op.padding, op.dilation)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (x, w) = node.op, node.inputs[:2]
        assert isinstance(op, DepthwiseConv2d)
        return base.Bound(
            (
                base.tail_field(node, acc),
                *base.weight_fields(w.const, self.encoding),
                base.lanes_field("in", sig.inputs[0], x.type),
                base.lanes_field("out", sig.output, node.output.type),
                *base.window_fields(w.type.shape[1:], op.stride, op.padding, op.dilation),
            ),
            scratch=base.row_bytes(w.type),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        (_, rows, taps), y = node.inputs[1].type.shape, node.output.type
        product, row, narrow, wide, channel = base.simulated(
            core, (9.9, 7.2, 71.5, 90, 288), (10.9, 7.2, 73.3, 93.8, 295), (10.9, 17.9, 118, 210, 503)
        )
        sums = y.size * rows * (taps * product + row)
        tails = base.pixel_cycles(node, acc, core, narrow, wide) + y.shape[0] * channel
        return (
            sums
            + tails
            + base.unpack_cycles(self.encoding, node.inputs[1].type.size, core)
            + base.seal_cycles(sig.output, y, core)
        )
