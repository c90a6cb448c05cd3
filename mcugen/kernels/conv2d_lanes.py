"""conv2d_lanes: Conv2d from lanes to lanes, wherever the lanes stay in step (base.lanes_window)."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import Layout
from ..ops.conv2d import Conv2d
from ..pack import Encoding
from . import base


@dataclass(frozen=True)
class Conv2dLanes(base.Kernel):
    """As conv2d_flat, but halo rows and pad columns stand for the padding: no pixel is tested."""

    encoding: Encoding
    stem = "conv2d_lanes"
    op = Conv2d
    uses_scratch = True
    code_bytes = 620

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, Conv2d)
        if w.dtype not in self.encoding.dtypes or not base.fits(x, w, y):
            return None
        like = base.Signature(inputs, output)
        return base.lanes_window(x, y, like, w.shape[2:], op.stride, op.padding, op.dilation)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (x, w) = node.op, node.inputs[:2]
        assert isinstance(op, Conv2d)
        return base.Bound(
            (
                base.tail_field(node, acc),
                *base.weight_fields(w.const, self.encoding),
                base.lanes_field("in", sig.inputs[0], x.type),
                base.lanes_field("out", sig.output, node.output.type),
                *base.window_fields(w.type.shape[2:], op.stride, op.padding, op.dilation),
                base.Field("groups", "uint16_t", op.groups),
            ),
            scratch=base.row_bytes(w.type),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        w, y = node.inputs[1].type, node.output.type
        product, tap, narrow, wide, channel = base.simulated(
            core, (11, 14.4, 101, 117, 392), (12, 14.4, 102, 122, 493), (14.1, 36.5, 220, 312, 601)
        )
        sums = y.size * w.shape[2] * w.shape[3] * (w.shape[1] * product + tap)
        tails = base.pixel_cycles(node, acc, core, narrow, wide) + w.shape[0] * channel
        unpack = base.unpack_cycles(self.encoding, w.size, core)
        return sums + tails + unpack + base.seal_cycles(sig.output, y, core)
