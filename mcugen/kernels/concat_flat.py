"""concat_flat: Concat of flat data of any shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.concat import Concat, copied
from . import base


@dataclass(frozen=True)
class ConcatFlat(base.Kernel):
    """Input after input; what needs no change of scale is copied."""

    stem = "concat_flat"
    op = Concat
    code_bytes = 200
    variadic = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT,) * len(inputs), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Concat)
        return base.Bound(
            (
                base.Field("count", "uint32_t", np.array([v.type.size for v in node.args], np.uint32)),
                *base.rule_fields(op.mults, op.adds, op.shifts, copied(node)),
                base.Field("lo", "int32_t", op.to.lo),
                base.Field("hi", "int32_t", op.to.hi),
                base.Field("inputs", "uint8_t", len(node.args)),
                base.Field("bytes", "uint8_t", node.output.type.dtype.bytes),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        plain = node.output.type.dtype.bytes == 1
        moved, scaled = base.simulated(core, (0.83, 44), (0.85, 43.1), (1.38, 49.1))
        whole = zip(node.args, copied(node), strict=True)
        return sum(v.type.size * (moved if copy and plain else scaled) for v, copy in whole)
