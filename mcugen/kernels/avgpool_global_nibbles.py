"""avgpool_global_nibbles: AvgPool over a whole image in lanes of nibbles of any rows, to flat (C, 1, 1)."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.avgpool import AvgPool
from . import base

LONGEST, BATCH = 257, 16  # words of a plane, and planes, that assembler sums at a time


@dataclass(frozen=True)
class AvgPoolGlobalNibbles(base.NibbleKernel):
    """The window is the image: its plane is summed word by word, and what is not image taken away."""

    stem = "avgpool_global_nibbles"
    op = AvgPool
    code_bytes = 620
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, x = node.op, node.inputs[0].type
        assert isinstance(op, AvgPool)
        if not inputs[0].nibbles or not output.flat or not base.fits(x):
            return None
        if any(op.padding) or op.kernel != x.shape[1:]:
            return None
        return base.Signature((base.bare(inputs[0], x),), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.Bound(
            (
                base.tail_field(node, base.tail_range(node, acc)),
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
            ),
            needs=("nibble_words",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x, c = sig.inputs[0], node.inputs[0].type.shape[0]
        words = x.rows_per_lane * x.pitch
        if "mve" in core.isa:
            return 40 + c * (28.3 + 3 * -(-words // 4))
        if words > LONGEST:
            word, channel = base.simulated(core, (11, 60), (11, 65), (11, 100))
            return c * (word * words + channel)
        # Once, of a batch of planes, of a plane, of a word and of each group (total_thumb.S).
        costs = base.simulated(core, (59, 99, 34, 3, 21), (61, 105, 35, 5, 4), (91, 144, 41.7, 6, 3))
        once, batch, plane, word, group = costs
        if "dsp" in core.isa:
            groups = (words - 1) // 8
            each = word * (words - 8 * groups) + group * groups
        else:
            each = word * words + group * -(-words // 4)
        return once + batch * -(-c // BATCH) + c * (plane + each)
