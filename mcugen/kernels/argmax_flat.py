"""argmax_flat: ArgMax of flat data of any shape."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.argmax import ArgMax
from . import base


@dataclass(frozen=True)
class ArgMaxFlat(base.Kernel):
    """One walk over the elements."""

    stem = "argmax_flat"
    op = ArgMax
    code_bytes = 90

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT,), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        x, y = node.inputs[0].type, node.output.type
        return base.Bound(
            (
                base.Field("n", "uint32_t", x.size),
                base.Field("in_bytes", "uint8_t", x.dtype.bytes),
                base.Field("bytes", "uint8_t", y.dtype.bytes),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x = node.inputs[0].type
        element, wide, once = base.simulated(core, (15, 2, 31), (15, 2, 31), (13, 50.8, 74))
        return x.size * (element + wide * (x.dtype.bytes > 1)) + once
