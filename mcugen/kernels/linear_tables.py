"""linear_tables: Linear with ternary weights by tables of all sums of four inputs, for cores without the DSP extension.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import layout, pack
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.linear import Linear as LinearOp
from . import base

TABLES = 1344  # MCUGEN_TABLES4 of tables4.h, bytes


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler as simulated; bench/linear.py compares."""

    layer: float
    tables: float  # of a block
    quad: float  # of four outputs of a block
    output: float
    rest: float  # of a layer whose inputs do not end with a block


_M0 = Costs(111, 1952, 188, 12.9, 89)
_THUMB2 = Costs(84, 1403, 143, 11.9, 30)
_M7 = Costs(52, 968, 86, 6, 14)


@dataclass(frozen=True)
class LinearTables(base.Kernel):
    """Input-stationary: 32 inputs at a time become tables, then four weights are a load; 2 bits a weight."""

    stem = "linear_tables"
    op = LinearOp
    runs = True
    code_bytes = 730
    weights = "codes81"
    uses_scratch = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.sums_layouts(node, inputs, output, DType.T)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        weights = base.Field("weights", "uint8_t", pack.pack_codes81(columns))
        return base.sums_bound(
            node,
            acc,
            columns.shape,
            weights,
            needs=("tables4", "tables4_thumb"),
            scratch=TABLES + 16 * -(-columns.shape[0] // 4),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        n, outputs = layout.size(sig.inputs[0], node.inputs[0].type), node.inputs[1].type.shape[0]
        costs = _M0 if "m0" in core.isa else _M7 if core.name == "cortex-m7" else _THUMB2
        block = costs.tables + costs.quad * -(-outputs // 4)
        layer = costs.layer + (costs.rest if n % 32 else 0) + -(-n // 32) * block + costs.output * outputs
        return base.sums_cycles(node, acc, core, outputs) + layer
