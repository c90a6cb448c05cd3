"""maxpool_flat: MaxPool on flat images."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.maxpool import MaxPool
from . import base


@dataclass(frozen=True)
class MaxPoolFlat(base.Kernel):
    """Any window; positions outside the image are skipped."""

    stem = "maxpool_flat"
    op = MaxPool
    code_bytes = 260

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        if not base.all_flat(inputs, output) or not base.fits(node.inputs[0].type, node.output.type):
            return None
        return base.Signature((FLAT,), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, MaxPool)
        return base.Bound(
            (
                *base.image_fields("in", node.inputs[0].type),
                *base.image_fields("out", node.output.type),
                *base.window_fields(op.kernel, op.stride, op.padding),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, MaxPool)
        tap, pixel = base.simulated(core, (20.9, 54.3), (21.8, 49.5), (30.5, 55))
        return y.size * (op.kernel[0] * op.kernel[1] * tap + pixel)
