"""linear_pairs: Linear with weights of 8 bits, by pairs of outputs in the halves of words, with the DSP extension.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import pack
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.linear import Linear as LinearOp
from . import base

_DSP = base.BlockCosts(105, 81, 26, 163, 43, 78)
_M7 = base.BlockCosts(69, 52, 14, 75, 23, 42)
_M3 = base.BlockCosts(100, 98, 96, 232, 99, 336)  # in C, as on Armv6-M
_M0 = base.BlockCosts(100, 98, 90, 250, 110, 580)


@dataclass(frozen=True)
class LinearPairs(base.Kernel):
    """Output-stationary, four outputs at a time: 1.2 cycles a weight."""

    stem = "linear_pairs"
    op = LinearOp
    runs = True
    code_bytes = 720
    weights = "pairs8"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.sums_layouts(node, inputs, output, DType.I8)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        weights = base.Field("weights", "uint32_t", pack.pack_pairs8(columns))
        return base.sums_bound(node, acc, columns.shape, weights, needs=("pairs8",))

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        return base.block_cycles(_costs(core), node, sig, acc, core)


def _costs(core: base.Core) -> base.BlockCosts:
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    return _M3 if "m3" in core.isa else _M0
