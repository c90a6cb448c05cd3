"""Reshape: the same elements in C order under another shape."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, Node, Op, Range, Tensor
from . import base


@dataclass(frozen=True)
class Reshape(Op):
    """y = x with another shape, (C, H, W) or (N,). Type and quantisation stay; no code runs for it in Flat layout."""

    shape: tuple[int, ...]

    def infer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        if len(self.shape) not in (1, 3) or min(self.shape) < 1 or math.prod(self.shape) != x.size:
            base.refuse(f"{x} does not become {list(self.shape)}")
        return Tensor(x.dtype, self.shape, x.quant)

    def eval(self, x: Array) -> Array:  # type: ignore[override]
        return x.reshape(x.shape[0], *self.shape)

    def bounds(self, x: Range) -> tuple[Range, Range]:  # type: ignore[override]
        each, rest = divmod(self.shape[0], x.lo.size)
        if rest:  # a channel of y holds elements of several channels of x
            y = Range(x.lo.min(keepdims=True), x.hi.max(keepdims=True))
        else:
            y = Range(x.lo.repeat(each), x.hi.repeat(each))
        return y, y


def cases() -> Iterator[base.Case]:
    """Vectors to images and back, images to images."""
    table: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((12,), (12, 1, 1)),
        ((12,), (2, 3, 2)),
        ((3, 4, 5), (60,)),
        ((3, 4, 5), (6, 2, 5)),
        ((6, 2, 5), (4, 3, 5)),
    ]
    for shape, to in table:

        def build(rng: np.random.Generator, shape: tuple[int, ...] = shape, to: tuple[int, ...] = to) -> Node:
            return base.make(Reshape(to), base.activation("x", shape))

        yield base.Case(f"{'x'.join(map(str, shape))}-{'x'.join(map(str, to))}", build)
