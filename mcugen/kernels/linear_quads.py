"""linear_quads: Linear with weights of 8 bits, by four outputs in the bytes of a word, without the DSP extension.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import layout, pack
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.linear import Linear as LinearOp
from . import base


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, counted from it as timing.py does; bench/linear.py compares with the simulation."""

    layer: float
    batch: float
    total: float  # of an input: all are added up once
    group: float  # of four outputs
    round: tuple[int, float]  # inputs that such a group takes at once, and their cycles
    input: float  # one of the others


_DSP = Costs(43, 68, 7, 56, (4, 44), 14)
_M7 = Costs(35, 47, 2, 28, (4, 23), 8)
_M3 = Costs(42, 67, 7, 56, (4, 60), 18)


@dataclass(frozen=True)
class LinearQuads(base.Kernel):
    """Output-stationary, four outputs at a time: 3 to 4 cycles a weight."""

    stem = "linear_quads"
    op = LinearOp
    runs = True
    code_bytes = 400
    weights = "quads8"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.sums_layouts(node, inputs, output, DType.I8)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        weights = base.Field("weights", "uint32_t", pack.pack_quads8(columns))
        return base.sums_bound(node, acc, columns.shape, weights, needs=("quads8", "quads8_thumb2"))

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        n, outputs = layout.size(sig.inputs[0], node.inputs[0].type), node.inputs[1].type.shape[0]
        costs = _costs(core)
        at_once, cycles = costs.round
        group = costs.group + cycles * (n // at_once) + costs.input * (n % at_once)
        layer = costs.layer + costs.total * n + costs.batch * -(-outputs // base.SUMS)
        return base.sums_cycles(node, acc, core) + layer + group * -(-outputs // 4)


def _costs(core: base.Core) -> Costs:
    if "m0" in core.isa:
        return Costs(50, 90, 6 + core.branch, 60, (8, 116 + core.branch), 19 + core.branch)
    return _M3 if "m3" in core.isa else _M7 if core.name == "cortex-m7" else _DSP
