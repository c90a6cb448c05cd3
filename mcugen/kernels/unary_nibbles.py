"""unary_nibbles: Requantize and Lookup of an image in lanes of nibbles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Node, Range
from ..layout import Layout
from ..ops.lookup import Lookup
from ..ops.requantize import Requantize
from . import base


@dataclass(frozen=True)
class RequantizeNibbles(base.NibbleKernel):
    """A table of 16 pixels, for all channels or for each; garbage is looked up too."""

    weights = "requantize"  # the operator: the stem serves two
    stem = "unary_nibbles"
    op = Requantize
    code_bytes = 300
    in_place = (0,)
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.same_lanes(node, inputs, output) if output.nibbles else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        table = _table(node)
        return base.Bound(
            (
                base.Field("table", "uint8_t", table.ravel()),
                base.lanes_field("in", sig.inputs[0], node.inputs[0].type),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("step", "uint8_t", 16 * (len(table) > 1)),
            ),
            needs=("lanes", "nibbles_seal", "nibble_words"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y, runs = node.output.type, base.word_runs(sig.output, node.output.type, sig.inputs[0])
        return 65 + y.shape[0] * (22 + base.lookup_cycles(*runs, core)) + base.seal_cycles(sig.output, y, core)


@dataclass(frozen=True)
class LookupNibbles(RequantizeNibbles):
    """The same with a table of its own."""

    weights = "lookup"
    op = Lookup


def _table(node: Node) -> Array:
    """(C or 1, 16)."""
    rest = [v.const for v in node.inputs[1:]]
    channels = 1 if isinstance(node.op, Lookup) else max(c.size for c in rest)
    pixels = np.tile(np.minimum(np.arange(16), node.inputs[0].type.dtype.hi), (1, channels, 1))
    return np.asarray(node.op.eval(pixels, *rest)[0])
