"""linear_lists: Linear with ternary weights by lists of the weights that are not zero, read where they lie in flash.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import pack
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.linear import Linear as LinearOp
from . import base


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, counted from it as timing.py does; bench/linear.py compares with the simulation."""

    layer: float
    batch: float
    output: float
    block: float
    list: float
    weight: float
    round: tuple[int, float]  # weights that a loop takes at once, cycles besides theirs
    rounds: float  # of a list that has some
    rest: float  # of a list that does not end with a round


_THUMB2 = Costs(37, 62, 7, 7, 11, 3, (8, 6), -3, 3)
_M7 = Costs(29, 43, 4, 4, 8, 3, (8, 1), 0, 0)


@dataclass(frozen=True)
class LinearLists(base.Kernel):
    """Output-stationary: 3 to 5 cycles for each weight that is not zero, and none for the others."""

    stem = "linear_lists"
    op = LinearOp
    runs = True
    code_bytes = 870
    weights = "lists8"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.sums_layouts(node, inputs, output, DType.T)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        block = pack.lists8_block(columns)
        return base.Bound(
            (
                *base.sums_fields(node, acc),
                base.Field("weights", "uint8_t", pack.pack_lists8(columns, block)),
                base.Field("span", "uint32_t", -(-columns.shape[1] // block) * block),
                base.Field("outputs", "uint16_t", columns.shape[0]),
                base.Field("block", "uint16_t", block),
            ),
            needs=(*base.FINISH, "lists8", "lists8_thumb2"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        counts = pack.lists8_counts(columns, pack.lists8_block(columns))
        if "mve" in core.isa:  # lists8_mve.S
            rounds = 4 * (-(-counts // 16)).sum() + 5 * counts.size
            output, block = (7, 3) if counts.shape[1] > 2 else (6, 0)
            each = output * len(counts) + rounds + block * counts.size / 2 + 30 * -(-len(counts) // base.SUMS) + 30
            return float(each) + base.sums_cycles(node, acc, core)
        costs = _costs(core, counts.shape[1] // 2)
        at_once, more = costs.round
        each = costs.weight * counts.sum() + costs.block * counts.size / 2 + costs.list * counts.size
        each += more * (counts // at_once).sum() + costs.rounds * np.count_nonzero(counts >= at_once)
        each += costs.rest * np.count_nonzero(counts % at_once)
        each += costs.layer + costs.batch * -(-len(counts) // base.SUMS) + costs.output * len(counts)
        return float(each) + base.sums_cycles(node, acc, core)


def _costs(core: base.Core, blocks: int) -> Costs:
    if "m0" in core.isa:
        output, block = (5 + core.branch, 0.0) if blocks == 1 else (7 - core.branch, 2 + 2 * core.branch)
        return Costs(50, 85, output, block, 6 + core.branch, 5, (32, 0), 0, 0)
    return _M7 if core.name == "cortex-m7" else _THUMB2
