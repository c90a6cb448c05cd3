"""depthwise_nibbles: DepthwiseConv2d with int8 weights from lanes to lanes of nibbles, wherever these stay in step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.base import tail_constants
from ..ops.depthwise import DepthwiseConv2d
from . import base

MOST = 15  # the highest pixel


@dataclass(frozen=True)
class DepthwiseNibbles(base.NibbleKernel):
    """As depthwise_lanes for any window, but a multiplication makes two products: 12 bits each, of sums of 16."""

    stem = "depthwise_nibbles"
    op = DepthwiseConv2d
    code_bytes = 640
    by_plane = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, DepthwiseConv2d)
        if not (output.nibbles and op.to is not None and w.dtype is DType.I8 and base.fits(x, w, y)):
            return None
        like = base.Signature(inputs, output)
        return base.lanes_window(x, y, like, w.shape[1:], op.stride, op.padding, op.dilation)

    def accepts(self, node: Node, acc: Range) -> bool:
        w, tail = node.inputs[1].const.astype(int), tail_constants(node)
        # A sum with its centre, and what is beside it in the word: whatever the pixels are.
        if tail is None or MOST * int(np.abs(w.reshape(len(w), -1)).sum(axis=1).max()) >= 1 << 16:
            return False
        return fixed.narrow(acc.lo, acc.hi, tail[0], tail[1])

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (x, w) = node.op, node.inputs[:2]
        assert isinstance(op, DepthwiseConv2d)
        return base.Bound(
            (
                base.tail_field(node, acc),
                base.Field("weights", "int8_t", w.const),
                base.lanes_field("in", sig.inputs[0], x.type),
                base.lanes_field("out", sig.output, node.output.type),
                *base.window_fields(w.type.shape[1:], op.stride, op.padding, op.dilation),
            ),
            needs=("lanes", "nibbles_seal"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        (_, rows, taps), y = node.inputs[1].type.shape, node.output.type
        product, row, word, channel = base.simulated(
            core, (20.2, 15, 122, 120), (24.3, 14, 130, 140), (30, 20, 250, 300)
        )
        words = sig.output.rows_per_lane * y.shape[2]
        each = rows * (taps * product + row) + word
        return 60 + y.shape[0] * (channel + 8 * rows * taps + words * each) + base.seal_cycles(sig.output, y, core)
