"""Linear: a fully connected layer with ternary or int8 weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import Array, DType, Node, Op, Out, Range, Tensor
from . import base


@dataclass(frozen=True)
class Linear(Op):
    """y[o] = tail(sum over i of w[o, i] * x[i]), x of any shape read in C order.

    x: unsigned, N elements; w: t or i8 (O, N); then mult, add, shift (O,) when `to` is set.
    """

    to: Out | None = None

    def infer(self, x: Tensor, w: Tensor, *rest: Tensor) -> Tensor:  # type: ignore[override]
        if len(w.shape) != 2 or w.dtype not in (DType.T, DType.I8):
            base.refuse(f"w is {w}, wanted ternary or int8 of shape [O,N]")
        if not x.dtype.unsigned or x.size != w.shape[1]:
            base.refuse(f"x is {x}, w {w} wants {w.shape[1]} unsigned activations")
        return base.tail_infer(self.to, rest, (w.shape[0],))

    def eval(self, x: Array, w: Array, *rest: Array) -> Array:  # type: ignore[override]
        return base.tail_eval(base.exact_matmul(x.reshape(x.shape[0], w.shape[1]), w.T), self.to, rest)

    def macs(self, x: Tensor, w: Tensor, *rest: Tensor) -> int:  # type: ignore[override]
        return w.size

    def bounds(self, x: Range, w: Array, *rest: Array) -> tuple[Range, Range]:  # type: ignore[override]
        each = w.shape[1] // x.lo.size  # elements per channel
        acc, total = base.weighted(Range(x.lo.repeat(each), x.hi.repeat(each)), w)
        return base.tail_bounds(acc, total, self.to, rest)


def cases() -> Iterator[base.Case]:
    """Every remainder of the packing units, (C, H, W) inputs, both weight types."""
    shapes: list[tuple[tuple[int, ...], int]] = [((n,), 3) for n in (1, 4, 5, 7, 8, 9, 31, 32, 33, 64, 300)]
    shapes += [((3, 5, 4), 4), ((2, 9, 3), 5), ((8, 4, 4), 10)]
    for shape, o in shapes:
        for dtype in (DType.T, DType.I8):
            for kind in base.WEIGHT_KINDS if shape == (33,) else ("sparse",):

                def raw(
                    rng: np.random.Generator,
                    shape: tuple[int, ...] = shape,
                    w_shape: tuple[int, int] = (o, int(np.prod(shape))),
                    dtype: DType = dtype,
                    kind: str = kind,
                ) -> Node:
                    x = base.activation("x", shape, int(rng.choice([0, 128])))
                    return base.make(Linear(), x, base.draw_weights(rng, dtype, w_shape, kind))

                yield from base.each_tail(f"{'x'.join(map(str, shape))}-{dtype.value}-{kind}", raw)
