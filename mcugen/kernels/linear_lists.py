"""linear_lists: Linear with ternary weights by lists of the weights that are not zero, read where they lie in flash.

Sums are modulo 2^32, and the accumulators are proven to fit 32 bits (check.py), so nothing needs to be proven here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import layout, pack
from ..ir import Array, DType, Node, Range
from ..layout import FLAT, Layout
from ..ops.linear import Linear as LinearOp
from . import base


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, counted from it as timing.py does; bench/linear.py compares with the simulation."""

    output: float
    list: float
    weight: float
    round: tuple[int, float]  # weights that a loop takes at once, cycles besides theirs
    rest: float  # of a list that does not end with a round


_THUMB2 = Costs(21.3, 14, 3, (8, 7), 2)
_M7 = Costs(10.5, 8.7, 3.1, (8, 0), 0)


@dataclass(frozen=True)
class LinearLists(base.Kernel):
    """Output-stationary: 3 to 5 cycles for each weight that is not zero, and none for the others."""

    stem = "linear_lists"
    op = LinearOp
    code_bytes = 600
    weights = "lists8"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = (v.type for v in node.inputs[:2])
        lay = base.bare(inputs[0], x)
        if not output.flat or w.dtype is not DType.T or max(w.shape[0], layout.size(lay, x) // 256) >= 0xFFFF:
            return None
        counts = _counts(base.in_buffer_order(node.inputs[1].const, lay, x))
        return base.Signature((lay,), FLAT) if counts.max(initial=0) < pack.BLOCK8 else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        return base.Bound(
            (
                base.sums_field(node, acc),
                base.Field("weights", "uint8_t", pack.pack_lists8(columns)),
                base.Field("outputs", "uint16_t", columns.shape[0]),
                base.Field("blocks", "uint16_t", -(-columns.shape[1] // pack.BLOCK8)),
            ),
            needs=("linear_sums", "linear_bytes", "lists8", "lists8_thumb2"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        counts = _counts(base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type))
        if "mve" in core.isa:  # lists8_mve.S
            blocks = counts.shape[1] // 2
            output, list_ = (6, 4) if blocks == 1 else (8, 7)
            rounds = 4 * (-(-counts // 16)).sum() + list_ * counts.size
            return float(output * len(counts) + rounds) + base.sums_cycles(node, acc, core)
        costs = _costs(core)
        at_once, more = costs.round
        cycles = costs.output * len(counts) + costs.list * counts.size + costs.weight * counts.sum()
        cycles += more * (counts // at_once).sum() + costs.rest * np.count_nonzero(counts % at_once)
        return float(cycles) + base.sums_cycles(node, acc, core)


def _costs(core: base.Core) -> Costs:
    if "m0" in core.isa:
        return Costs(24 + 3 * core.branch, 14 + 2 * core.branch, 5, (16, 2 + 2 * core.branch), 0)
    return _M7 if core.name == "cortex-m7" else _THUMB2


def _counts(w: Array) -> Array:
    """Weights of each list: (O, lists)."""
    blocks = -(-w.shape[1] // pack.BLOCK8)
    padded = np.zeros((w.shape[0], blocks * pack.BLOCK8), np.int8)
    padded[:, : w.shape[1]] = w
    split = padded.reshape(w.shape[0], blocks, pack.BLOCK8)
    return np.concatenate([np.count_nonzero(split == sign, axis=2) for sign in (1, -1)], axis=1)
