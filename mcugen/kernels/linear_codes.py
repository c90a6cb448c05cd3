"""linear_codes: Linear with ternary weights as codes of two bits, two products an instruction with the DSP extension.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import pack
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.linear import Linear as LinearOp
from . import base

_DSP = base.BlockCosts(80, 79, 14, 150, 38, 91)
_M7 = base.BlockCosts(53, 52, 9, 75, 21, 51)
_M3 = base.BlockCosts(67, 75, 112, 230, 42, 1132)  # in C, as on Armv6-M
_M0 = base.BlockCosts(86, 113, 112, 250, 64, 1955)


@dataclass(frozen=True)
class LinearCodes(base.Kernel):
    """Output-stationary, four outputs at a time: 1.4 cycles a weight, whatever it is; all inputs are multiplied."""

    stem = "linear_codes"
    op = LinearOp
    runs = True
    code_bytes = 670
    weights = "codes2"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.sums_layouts(node, inputs, output, DType.T)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        weights = base.Field("weights", "uint32_t", pack.pack_codes2(columns))
        return base.sums_bound(node, acc, columns.shape, weights, needs=("codes2",))

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        return base.block_cycles(_costs(core), node, sig, acc, core)


def _costs(core: base.Core) -> base.BlockCosts:
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    return _M3 if "m3" in core.isa else _M0
