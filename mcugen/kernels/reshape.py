"""Reshape of flat data: no code runs, the output is the input's buffer."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Node, Range
from ..layout import FLAT, Layout
from ..ops.reshape import Reshape as ReshapeOp
from . import base


@dataclass(frozen=True)
class Reshape(base.Kernel):
    """Only the shape changes."""

    op = ReshapeOp
    in_place = (0,)

    @property
    def name(self) -> str:
        """Not the flatten's."""
        return "no code (reshape)"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        return base.Signature((FLAT,), FLAT) if base.all_flat(inputs, output) else None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        return base.Bound(())

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        return 0.0
