"""pixels_flat: Pixels to flat images."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.pixels import Pixels
from . import base


@dataclass(frozen=True)
class PixelsFlat(base.Kernel):
    """Channel by channel."""

    stem = "pixels_flat"
    op = Pixels
    code_bytes = 70

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        fits = base.all_flat(inputs, output) and base.fits(node.output.type)
        return base.Signature((FLAT,), FLAT) if fits else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        table = node.inputs[1].const
        c, h, w = node.output.type.shape
        return base.Bound(
            (
                base.Field("table", "uint8_t", table),
                base.Field("n", "uint32_t", h * w),
                base.Field("channels", "uint16_t", c),
                base.Field("step", "uint16_t", table.shape[1] if len(table) > 1 else 0),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        element, channel = base.simulated(core, (15.4, 34.4), (16, 33.1), (16, 54))
        return y.size * element + y.shape[0] * channel
