"""scale_nibbles: Mul of an image in lanes of nibbles by a flat factor per channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.mul import Mul
from . import base


@dataclass(frozen=True)
class ScaleNibbles(base.NibbleKernel):
    """A table of 16 products is made for each channel; garbage is looked up too."""

    stem = "scale_nibbles"
    op = Mul
    code_bytes = 420
    in_place = (0,)
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        (a, b), y = (v.type for v in node.inputs), node.output.type
        if not (output.nibbles and base.fits(y) and base.in_step(inputs[0], output)):
            return None
        if a.shape == b.shape or not inputs[1].flat:
            return None
        return base.Signature((base.bare(inputs[0], a), FLAT), base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (a, b) = node.op, (v.type for v in node.inputs)
        assert isinstance(op, Mul)
        products = np.outer(np.arange(16) - op.zero_a, np.array([b.dtype.lo, b.dtype.hi]) - op.zero_b)
        return base.Bound(
            (
                base.tail_field(node, Range(np.array([products.min()]), np.array([products.max()]))),
                base.lanes_field("a", sig.inputs[0], a),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("zero_a", "uint8_t", op.zero_a),
                base.Field("zero_b", "uint8_t", op.zero_b),
            ),
            needs=("lanes", "nibbles_seal", "nibble_words"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y, runs = node.output.type, base.word_runs(sig.output, node.output.type, sig.inputs[0])
        (table,) = base.simulated(core, (555,), (568,), (900,))
        return 72 + y.shape[0] * (table + base.lookup_cycles(*runs, core)) + base.seal_cycles(sig.output, y, core)
