"""concat_nibbles: Concat of images in lanes of nibbles with the same rows per lane, whatever their halos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..ir import Node, Range
from ..layout import Layout
from ..ops.concat import Concat, copied
from . import base


@dataclass(frozen=True)
class ConcatNibbles(base.NibbleKernel):
    """A table of 16 pixels for each input that changes; garbage is looked up, or copied, too."""

    stem = "concat_nibbles"
    op = Concat
    code_bytes = 520
    variadic = True
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        y = node.output.type
        if not (output.nibbles and base.fits(y) and all(base.in_step(i, output) for i in inputs)):
            return None
        bare = tuple(base.bare(i, v.type) for i, v in zip(inputs, node.args, strict=True))
        return base.Signature(bare, base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Concat)
        rules = zip(op.mults, op.adds, op.shifts, strict=True)
        pixels, to = np.arange(16), op.to
        table = [fixed.requantize(pixels, m, a, s, to.lo, to.hi) for m, a, s in rules]
        words = (
            ("plane", [lay.plane for lay in sig.inputs]),
            ("first", [lay.pad_cols + lay.halo_top * lay.pitch for lay in sig.inputs]),
            ("pitch", [lay.pitch for lay in sig.inputs]),
        )
        return base.Bound(
            (
                base.Field("table", "uint8_t", np.concatenate(table).astype(np.uint8)),
                base.Field("copy", "uint8_t", np.array(copied(node), np.uint8)),
                base.Field("channels", "uint16_t", np.array([v.type.shape[0] for v in node.args], np.uint16)),
                *(base.Field(name, "uint32_t", np.array(numbers, np.uint32)) for name, numbers in words),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("inputs", "uint8_t", len(node.args)),
            ),
            needs=("lanes", "nibbles_seal", "nibble_words"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y, total = node.output.type, 150.0
        for v, lay, copy in zip(node.args, sig.inputs, copied(node), strict=True):
            runs, words = base.word_runs(sig.output, y, lay)
            moved = runs * (25 + 7 * words) if copy else 12 + base.lookup_cycles(runs, words, core)
            total += v.type.shape[0] * (29 + moved)
        return total + base.seal_cycles(sig.output, y, core)
