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
    runs = True
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
        if "mve" in core.isa and self.encoding is I8:
            return self._instructions(node, sig, acc)
        outputs, n = node.output.type.size, layout.size(sig.inputs[0], node.inputs[0].type)
        output, chunk, weight = _cycles(self.encoding.name, core)
        return outputs * (output + chunk * -(-n // CHUNK) + weight * n)

    def _instructions(self, node: Node, sig: base.Signature, acc: Range) -> float:
        """Of linear_mve.c."""
        outputs, rounds = node.output.type.size, -(-layout.size(sig.inputs[0], node.inputs[0].type) // 16)
        four, rest = outputs // 4, outputs % 4
        sums = 60 + 3 * rounds + four * (34 + 14 * rounds) + rest * (20 + 6 * rounds)
        return sums + base.plain_sums_instructions(node, acc)


def _cycles(encoding: str, core: base.Core) -> tuple[float, float, float]:
    """Of an output, of a chunk and of a weight, as simulated."""
    if core.name == "cortex-m7":
        return {"i8": (75.0, 0.0, 1.17), "planes": (29.0, 69.0, 6.3), "base3": (39.0, 71.0, 8.8)}[encoding]
    if "mve" in core.isa:
        return {"planes": (50.0, 60.0, 9.6), "base3": (50.0, 60.0, 12.4)}[encoding]
    if "dsp" in core.isa:
        base3 = 19.0 if core.name == "cortex-m33" else 21.0  # GCC 12's other order of instructions
        return {"i8": (120.0, 0.0, 2.5), "planes": (32.0, 121.0, 14.3), "base3": (54.0, 133.0, base3)}[encoding]
    if "m3" in core.isa:
        return {"i8": (84.0, 0.0, 10.0), "planes": (46.0, 58.0, 21.9), "base3": (66.0, 73.0, 26.6)}[encoding]
    late = core.branch - 2
    return {
        "i8": (190.0, 0.0, 10.1 + 1.2 * late),
        "planes": (133.0, 15.0, 26.4 + 2.3 * late),
        "base3": (156.0, 135.0, 29.6 + 3.7 * late),
    }[encoding]
