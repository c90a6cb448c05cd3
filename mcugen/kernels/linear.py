"""linear: Linear from flat data or an image in lanes to flat data; any output type and weight encoding."""

from __future__ import annotations

from dataclasses import dataclass

from .. import layout
from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.linear import Linear as LinearOp
from ..pack import I8, Encoding
from . import base

CHUNK = 240  # weights unpacked at a time: a multiple of what a byte, or a pair of them, holds in every encoding


@dataclass(frozen=True)
class Linear(base.Kernel):
    """A dot product over the buffer's bytes per output; int8 weights are read in place, others in chunks by scratch."""

    encoding: Encoding
    stem = "linear"
    op = LinearOp
    uses_scratch = True
    code_bytes = 420  # with dot

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = node.inputs[0].type, node.inputs[1].type
        if not output.flat or w.dtype not in self.encoding.dtypes or w.shape[0] > 0xFFFF:
            return None
        return base.Signature((base.bare(inputs[0], x),), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        x, w = node.inputs[:2]
        columns = base.in_buffer_order(w.const, sig.inputs[0], x.type)
        n = columns.shape[1]
        chunk = 0 if self.encoding is I8 else min(n, CHUNK)
        return base.Bound(
            (
                base.tail_field(node, acc),
                *base.weight_fields(columns, self.encoding),
                base.Field("n", "uint32_t", n),
                base.Field("outputs", "uint16_t", w.type.shape[0]),
                base.Field("chunk", "uint16_t", chunk),
            ),
            scratch=-(-chunk // 4) * 4,
            needs=("dot", "mcugen_dsp", "linear_sums", "mcugen_words", "total"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x, w = node.inputs[0].type, node.inputs[1].type
        weights = w.shape[0] * layout.size(sig.inputs[0], x)
        if "mve" in core.isa and self.encoding is I8:
            return self._instructions(node, sig, acc, core)
        if "mve" in core.isa:
            each = 0.45
        elif "dsp" in core.isa:
            each = core.load / 2 + core.multiply / 2 + core.branch / 16 + 1.7
        else:
            each = 2 * core.load + core.multiply + core.branch + 3
        unpack = 0.0 if self.encoding is I8 else base.unpack_cycles(self.encoding, weights, core)
        return weights * each + unpack + node.output.type.size * (base.tail_cycles(node, acc, core) + 40)

    def _instructions(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        """Of linear_mve.c."""
        outputs, rounds = node.output.type.size, -(-layout.size(sig.inputs[0], node.inputs[0].type) // 16)
        four, rest = outputs // 4, outputs % 4
        return (
            60 + 3 * rounds + four * (34 + 14 * rounds) + rest * (20 + 6 * rounds) + base.sums_cycles(node, acc, core)
        )
