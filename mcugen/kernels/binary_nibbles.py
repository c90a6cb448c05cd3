"""binary_nibbles: Add and Mul of two images in lanes of nibbles, with the same rows per lane, whatever their halos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import Layout
from ..ops.add import Add
from ..ops.mul import Mul
from . import base


@dataclass(frozen=True)
class AddNibbles(base.NibbleKernel):
    """A table of all pairs of pixels; garbage is looked up too."""

    weights = "add"  # the operator: the stem serves two
    stem = "binary_nibbles"
    op = Add
    code_bytes = 300
    in_place = (0, 1)
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        (a, b), y = (v.type for v in node.inputs), node.output.type
        if not (output.nibbles and a.shape == b.shape and base.fits(y)):
            return None
        if not all(base.in_step(x, output) for x in inputs):
            return None
        return base.Signature((base.bare(inputs[0], a), base.bare(inputs[1], b)), base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        a, b = (v.type for v in node.inputs)
        pairs = np.arange(256)
        return base.Bound(
            (
                base.Field("table", "uint8_t", node.op.eval(pairs & 15, pairs >> 4)),
                base.lanes_field("a", sig.inputs[0], a),
                base.lanes_field("b", sig.inputs[1], b),
                base.lanes_field("out", sig.output, node.output.type),
            ),
            needs=("lanes", "nibbles_seal", "nibble_words"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y, out = node.output.type, sig.output
        word, run = base.simulated(core, (49, 40), (55, 40), (80, 60))
        word += 6 * (core.name == "cortex-m33")
        runs, words = base.word_runs(out, y, *sig.inputs)
        return 60 + y.shape[0] * (20 + runs * (run + word * words)) + base.seal_cycles(out, y, core)


@dataclass(frozen=True)
class MulNibbles(AddNibbles):
    """The same with their product; scale_nibbles has the one with a factor for each channel."""

    weights = "mul"
    op = Mul
