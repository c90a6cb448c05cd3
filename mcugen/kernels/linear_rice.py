"""linear_rice: Linear with ternary weights from a Rice code, each added as it is decoded: no list, no scratch.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import layout, pack
from ..ir import DType, Node, Range
from ..layout import FLAT, Layout
from ..ops.linear import Linear as LinearOp
from . import base


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, counted from it as timing.py does; bench/linear.py compares with the simulation."""

    layer: float
    batch: float
    output: float
    weight: float
    one: float  # of a quotient
    halfword: float


_THUMB2 = Costs(90, 76, 13.5, 17, 0, 10.1)
_M7 = Costs(54, 56, 6.4, 10.4, 0, 5.4)


@dataclass(frozen=True)
class LinearRice(base.Kernel):
    """Output-stationary: about 20 cycles a weight that is not zero, 30 on Armv6-M, in little more than its entropy."""

    stem = "linear_rice"
    op = LinearOp
    runs = True
    code_bytes = 470
    weights = "rice16"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = (v.type for v in node.inputs[:2])
        lay = base.bare(inputs[0], x)
        if not output.flat or w.dtype is not DType.T or w.shape[0] > 0xFFFF or layout.size(lay, x) * w.shape[0] >> 31:
            return None
        return base.Signature((lay,), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        weights, k = pack.pack_rice16(columns)
        named = base.Field("weights", "uint16_t", weights)
        more = base.Field("k", "uint8_t", k)
        return base.sums_bound(node, acc, columns.shape, named, more, needs=("rice16", "rice16_thumb2"))

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        bits, k = pack.rice_bits(columns, pack.MOST_RICE16)
        count = int(np.count_nonzero(columns))
        costs = _costs(core)
        cycles = costs.layer + costs.batch * -(-len(columns) // base.SUMS) + costs.output * len(columns)
        cycles += costs.weight * count + costs.one * (bits - (k + 2) * count) + costs.halfword * bits / 16
        share = 0.91 if "mve" in core.isa else 1.0  # instructions of cycles
        return share * cycles + base.sums_cycles(node, acc, core)


def _costs(core: base.Core) -> Costs:
    if "m0" in core.isa:
        return Costs(107, 51, 10.1 + 3.6 * core.branch, 17.6 + 1.6 * core.branch, 3.8 + core.branch, 10.8)
    return _M7 if core.name == "cortex-m7" else _THUMB2
