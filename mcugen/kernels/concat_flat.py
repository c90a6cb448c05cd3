"""concat_flat: Concat of flat data of any shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.concat import Concat, copies
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
        return base.Bound(
            (
                base.Field("count", "uint32_t", np.array([v.type.size for v in node.args], np.uint32)),
                *rules(node),
                base.Field("inputs", "uint8_t", len(node.args)),
                base.Field("bytes", "uint8_t", node.output.type.dtype.bytes),
            )
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        return sum(v.type.size * each_cycles(node, i, core) for i, v in enumerate(node.args))


def rules(node: Node) -> tuple[base.Field, ...]:
    """The rule of each input, as tables, and the limits."""
    op = node.op
    assert isinstance(op, Concat)
    copied = [int(copies(op, i, v.type)) for i, v in enumerate(node.args)]
    return (
        base.Field("mult", "int16_t", np.array(op.mults, np.int16)),
        base.Field("add", "int32_t", np.array(op.adds, np.int32)),
        base.Field("shift", "uint8_t", np.array(op.shifts, np.uint8)),
        base.Field("copy", "uint8_t", np.array(copied, np.uint8)),
        base.Field("lo", "int32_t", op.to.lo),
        base.Field("hi", "int32_t", op.to.hi),
    )


def each_cycles(node: Node, i: int, core: base.Core) -> float:
    """Cycles of one element of input i."""
    op = node.op
    assert isinstance(op, Concat)
    if copies(op, i, node.args[i].type) and op.to.dtype.bytes == 1:
        return core.load
    return 3 * core.load + core.multiply + core.branch + 10
