"""pad_flat: Pad of flat images."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.pad import Pad
from . import base


@dataclass(frozen=True)
class PadFlat(base.Kernel):
    """The zero point everywhere, then the image row by row."""

    stem = "pad_flat"
    op = Pad
    code_bytes = 110

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        fits = base.all_flat(inputs, output) and base.fits(node.output.type)
        return base.Signature((FLAT,), FLAT) if fits else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Pad)
        return base.Bound(
            (
                *base.image_fields("in", node.inputs[0].type),
                *base.image_fields("out", node.output.type),
                base.Field("top", "uint16_t", op.padding[0]),
                base.Field("left", "uint16_t", op.padding[1]),
                base.Field("value", "uint8_t", op.pad_value),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x, y = node.inputs[0].type, node.output.type
        cleared, moved, row = base.simulated(core, (0.4, 0.9, 77), (0.4, 1, 77), (0.8, 9.2, 43))
        return y.size * cleared + x.size * moved + x.shape[0] * x.shape[1] * row
