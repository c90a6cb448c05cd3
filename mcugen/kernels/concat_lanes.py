"""concat_lanes: Concat of images in lanes with the same rows per lane, whatever their halos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import LANES, Layout
from ..ops.concat import Concat, copied
from . import base


@dataclass(frozen=True)
class ConcatLanes(base.Kernel):
    """Rows as plain bytes, garbage included: it holds the zero point, which is a value like any other."""

    stem = "concat_lanes"
    op = Concat
    code_bytes = 280
    variadic = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        y = node.output.type
        if output.flat or any(i.flat for i in inputs) or not base.fits(y) or not y.dtype.unsigned:
            return None
        if any(i.rows_per_lane != output.rows_per_lane for i in inputs):
            return None
        bare = tuple(base.bare(i, v.type) for i, v in zip(inputs, node.args, strict=True))
        return base.Signature(bare, base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Concat)
        first = [lay.pad_cols + lay.halo_top * lay.pitch for lay in sig.inputs]
        tables = (
            ("plane", [lay.plane for lay in sig.inputs]),
            ("first", first),
            ("pitch", [lay.pitch for lay in sig.inputs]),
        )
        return base.Bound(
            (
                base.Field("channels", "uint16_t", np.array([v.type.shape[0] for v in node.args], np.uint16)),
                *(base.Field(name, "uint32_t", np.array(words, np.uint32) * LANES) for name, words in tables),
                *base.rule_fields(op.mults, op.adds, op.shifts, copied(node)),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("lo", "int32_t", op.to.lo),
                base.Field("hi", "int32_t", op.to.hi),
                base.Field("inputs", "uint8_t", len(node.args)),
            ),
            needs=("lanes",),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        y = node.output.type
        moved, scaled = base.simulated(core, (1.3, 29.2), (1.33, 29.7), (2.14, 38.1))
        plane = sig.output.rows_per_lane * y.shape[2] * LANES
        whole = zip(node.args, copied(node), strict=True)
        brought = sum(v.type.shape[0] * plane * (moved if copy else scaled) for v, copy in whole)
        return brought + base.seal_cycles(sig.output, y, core)
