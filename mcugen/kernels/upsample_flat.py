"""upsample_flat: Upsample of flat images."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.upsample import Upsample
from . import base


@dataclass(frozen=True)
class UpsampleFlat(base.Kernel):
    """Each row, widened, as often as the factor says."""

    stem = "upsample_flat"
    op = Upsample
    code_bytes = 90

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        fits = base.all_flat(inputs, output) and base.fits(node.output.type)
        return base.Signature((FLAT,), FLAT) if fits else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Upsample)
        return base.Bound(
            (
                *base.image_fields("in", node.inputs[0].type),
                base.Field("factor_h", "uint16_t", op.factor[0]),
                base.Field("factor_w", "uint16_t", op.factor[1]),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        element, row = base.simulated(core, (14, 11.5), (14, 11.5), (16.5, 13.4))
        return y.size * element + y.shape[0] * y.shape[1] * row
