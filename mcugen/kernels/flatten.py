"""Flatten of flat data: no code runs, the output is the input's buffer."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.flatten import Flatten as FlattenOp
from . import base


@dataclass(frozen=True)
class Flatten(base.Kernel):
    """Only the shape changes. Before a Linear an image in lanes needs no Flatten: Linear reads any shape."""

    op = FlattenOp
    in_place = (0,)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT,), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.Bound(())

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        return 0.0
