"""linear_codes: Linear with ternary weights as codes of two bits, two products an instruction with the DSP extension.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    total: float  # of a block: its inputs added up once
    rest: float  # of a layer whose inputs do not end with a block
    group: float  # of four outputs
    block: float  # of such a group


_DSP = Costs(80, 79, 14, 150, 38, 91)
_M7 = Costs(53, 52, 9, 75, 21, 51)
_M3 = Costs(67, 75, 112, 230, 42, 1132)  # in C, as on Armv6-M
_M0 = Costs(86, 113, 112, 250, 64, 1955)


@dataclass(frozen=True)
class LinearCodes(base.Kernel):
    """Output-stationary, four outputs at a time: 1.4 cycles a weight, whatever it is; all inputs are multiplied."""

    stem = "linear_codes"
    op = LinearOp
    code_bytes = 670
    weights = "codes2"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = (v.type for v in node.inputs[:2])
        if not output.flat or w.dtype is not DType.T or w.shape[0] > 0xFFFF:
            return None
        return base.Signature((base.bare(inputs[0], x),), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        return base.Bound(
            (
                *base.sums_fields(node, acc),
                base.Field("weights", "uint32_t", pack.pack_codes2(columns)),
                base.Field("n", "uint32_t", columns.shape[1]),
                base.Field("outputs", "uint16_t", columns.shape[0]),
            ),
            needs=(*base.FINISH, "codes2"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        n, outputs = layout.size(sig.inputs[0], node.inputs[0].type), node.inputs[1].type.shape[0]
        blocks, groups = -(-n // 16), -(-outputs // 4)
        costs = _costs(core)
        calls = groups * (2 if n % 16 and n > 16 else 1)
        layer = costs.layer + costs.total * (n // 16) + (costs.rest if n % 16 else 0)
        each = costs.batch * -(-outputs // base.SUMS) + costs.group * calls + costs.block * blocks * groups
        return base.sums_cycles(node, acc, core) + layer + each


def _costs(core: base.Core) -> Costs:
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    return _M3 if "m3" in core.isa else _M0
