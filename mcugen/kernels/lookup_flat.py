"""lookup_flat: Lookup of flat data of any shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.lookup import Lookup
from . import base


@dataclass(frozen=True)
class LookupFlat(base.Kernel):
    """Element by element, in the order of memory: in place where element sizes are equal."""

    stem = "lookup_flat"
    op = Lookup
    code_bytes = 60
    in_place = (0,)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT,), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        table = node.inputs[1].const
        return base.Bound(
            (
                base.Field("table", "uint8_t", np.ascontiguousarray(table).view(np.uint8)),
                base.Field("mask", "uint8_t", table.size - 1),
                base.Field("bytes", "uint8_t", table.itemsize),
                base.Field("n", "uint32_t", node.output.type.size),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        element, second = base.simulated(core, (30.5, 1.5), (31, 2), (26, 4))
        return y.size * (element + second * (y.dtype.bytes > 1))
