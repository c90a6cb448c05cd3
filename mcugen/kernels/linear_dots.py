"""linear_dots: Linear with weights of 8 bits, by dot products of four inputs, for cores without the DSP extension.

The upper half of a word holds such a product where the magnitudes of its four weights are 255 together at most,
whatever the inputs are (firmware/kernels/dots8.h has the proof). pack.py sees to that: what weights have beyond it
becomes a list of products by themselves. Sums are modulo 2^32, and the accumulators are proven to fit 32 bits
(check.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import layout, pack
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.linear import Linear as LinearOp
from . import base

CHUNK = 16  # quads that the smaller variant prepares at a time


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, as simulated; bench/linear.py compares."""

    layer: float
    prepare: float  # a chunk of inputs
    rest: float  # of one that does not end with four
    quad: float  # four inputs
    batch: float
    chunk: float  # of a batch
    group: float  # of a chunk
    output: float
    dots: float  # four inputs of a group, besides its outputs
    last: float  # the same of a group that is not whole
    dot: float  # four inputs of an output
    heavy: float  # a weight that comes once more


_DSP = Costs(66, 46, 43, 30.8, 37, 60, 48, 13, 5.6, 10.2, 5.5, 11.7)
_M7 = Costs(97, 46, 26, 19.6, -42, 25, 27, 7.5, 4.4, 5, 3.87, 5)
_M3 = Costs(78, 42, 43, 30.7, 26, 60, 49, 13, 5.8, 10.2, 7.5, 11.7)


@dataclass(frozen=True)
class LinearDots(base.Kernel):
    """Output-stationary, six outputs at a time: 2.2 to 2.5 cycles a weight.

    Inputs are prepared once, which takes three times their bytes of scratch, or for each batch of outputs anew, few at
    a time.
    """

    few: bool = False
    stem = "linear_dots"
    op = LinearOp
    runs = True
    code_bytes = 1350
    uses_scratch = True

    @property
    def name(self) -> str:
        return "linear_dots/few" if self.few else "linear_dots/dots8"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        sig = base.sums_layouts(node, inputs, output, DType.I8)
        if sig is None:
            return None
        n = layout.size(sig.inputs[0], node.inputs[0].type)
        return sig if 4 * CHUNK * self.few < n <= pack.MOST_DOTS8 else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        chunk = self._chunk(-(-columns.shape[1] // 4))
        weights = base.Field("weights", "uint32_t", pack.pack_dots8(columns, chunk))
        last = base.Field("chunk", "uint16_t", chunk)
        return base.sums_bound(node, acc, columns.shape, weights, last, needs=("dots8",), scratch=12 * chunk)

    def _chunk(self, quads: int) -> int:
        return CHUNK if self.few else quads

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        columns = base.in_buffer_order(node.inputs[1].const, sig.inputs[0], node.inputs[0].type)
        (outputs, n), costs = columns.shape, _costs(core)
        quads, groups, batches = -(-n // 4), -(-outputs // pack.GROUP_DOTS8), -(-outputs // pack.BATCH_DOTS8)
        rest = outputs % pack.GROUP_DOTS8 > 0
        prepared = costs.quad * quads + (costs.rest if n % 4 else 0)
        chunks = -(-quads // self._chunk(quads))
        each = costs.dots * (groups - rest) + costs.last * rest + costs.dot * outputs
        _, heavy = pack.split_dots8(columns)
        total = costs.layer + quads * each + costs.output * outputs + costs.heavy * np.count_nonzero(heavy)
        total += (batches if chunks > 1 else 1) * (prepared + costs.prepare * chunks)
        total += costs.batch * batches + chunks * (costs.chunk * batches + costs.group * groups)
        return base.sums_cycles(node, acc, core, pack.BATCH_DOTS8) + float(total)


def _costs(core: base.Core) -> Costs:
    if "m0" in core.isa:
        late = core.branch - 2
        layer, group = (67 + 20 * late, 75, 52, 32 + late, 49 - 8 * late, 60 + 2 * late), 47 + 4 * late
        return Costs(*layer, group, 11 + late, 5.5 + late / 4, 9.2 + late, 8.5, 10 + late)
    return _M3 if "m3" in core.isa else _M7 if core.name == "cortex-m7" else _DSP
