"""Flatten: (C, H, W) read in C order as (N,)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, Node, Op, Range, Tensor
from . import base


@dataclass(frozen=True)
class Flatten(Op):
    """y = x with shape (N,). Type and quantisation stay; no code runs for it in Flat layout."""

    def infer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return Tensor(x.dtype, (x.size,), x.quant)

    def eval(self, x: Array) -> Array:  # type: ignore[override]
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    def bounds(self, x: Range) -> tuple[Range, Range]:  # type: ignore[override]
        return x, x


def cases() -> Iterator[base.Case]:
    """Images and vectors."""
    shapes: tuple[tuple[int, ...], ...] = ((3, 4, 5), (2, 9, 1), (7,))
    for shape in shapes:

        def build(rng: np.random.Generator, shape: tuple[int, ...] = shape) -> Node:
            return base.make(Flatten(), base.activation("x", shape))

        yield base.Case("x".join(map(str, shape)), build)
