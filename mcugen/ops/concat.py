"""Concat: activations one after the other along the channels, each brought to the output's scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..ir import Array, DType, Node, Op, Out, Quant, Range, Tensor
from . import base


@dataclass(frozen=True)
class Concat(Op):
    """y = the inputs along axis 0, input i as clamp((x * mults[i] + adds[i]) >> shifts[i]), in 32 bits.

    Inputs: unsigned, of one height and width. 1, 0, 0 copies.
    """

    mults: tuple[int, ...]
    adds: tuple[int, ...]
    shifts: tuple[int, ...]
    to: Out

    def infer(self, *inputs: Tensor) -> Tensor:
        rules = len(self.mults), len(self.adds), len(self.shifts)
        if not 1 <= len(inputs) <= 255 or set(rules) != {len(inputs)}:
            base.refuse(f"{len(inputs)} inputs with {rules} multipliers, addends and shifts, wanted 1 to 255 of each")
        if any(not t.dtype.unsigned or t.shape[1:] != inputs[0].shape[1:] for t in inputs):
            base.refuse(f"cannot concatenate {', '.join(map(str, inputs))}")
        for t, rule in zip(inputs, self._rules(), strict=True):
            bad = fixed.violations(*rule, t.dtype.lo, t.dtype.hi)
            if bad:
                base.refuse("; ".join(bad))
        return base.out_type(self.to, (sum(t.shape[0] for t in inputs), *inputs[0].shape[1:]))

    def eval(self, *inputs: Array) -> Array:
        parts = [
            fixed.requantize(x, *rule, self.to.lo, self.to.hi) for x, rule in zip(inputs, self._rules(), strict=True)
        ]
        return np.concatenate(parts, axis=1).astype(self.to.dtype.numpy)

    def bounds(self, *inputs: Range) -> tuple[Range, Range]:  # type: ignore[override]
        acc = Range(np.concatenate([x.lo for x in inputs]), np.concatenate([x.hi for x in inputs]))
        each = [base.tail_bounds(x, x, self.to, r)[1] for x, r in zip(inputs, self._rules(), strict=True)]
        return acc, Range(np.concatenate([x.lo for x in each]), np.concatenate([x.hi for x in each]))

    def _rules(self) -> Iterator[tuple[Array, Array, Array]]:
        for rule in zip(self.mults, self.adds, self.shifts, strict=True):
            yield np.array(rule[0]), np.array(rule[1]), np.array(rule[2])


def copied(node: Node) -> tuple[bool, ...]:
    """For each input, whether it goes through as it is."""
    op = node.op
    assert isinstance(op, Concat)
    types = zip(op.mults, op.adds, op.shifts, node.args, strict=True)
    return tuple(
        (m, a, s) == (1, 0, 0) and op.to.lo <= x.type.dtype.lo and x.type.dtype.hi <= op.to.hi for m, a, s, x in types
    )


def cases() -> Iterator[base.Case]:
    """Two to four inputs, copies and changes of scale, images, vectors, clamped and 16-bit outputs, 4 bits."""
    outs = {
        "u8": Out.full(DType.U8),
        "u8z": Out(DType.U8, Quant(0.1, 128), 100, 250),
        "u4": Out.full(DType.U4),
        "i16": Out.full(DType.I16),
    }
    table: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (8, 5)),
        ((1, 4, 2), (25, 3)),
        ((3, 1, 1, 2), (6, 6)),
        ((5, 2), ()),
        ((1, 1), (1, 1)),
        ((3,), (4, 4)),
    ]
    for channels, rest in table:
        for suffix, to in outs.items():
            for kind, gains in (
                ("copied", (None,) * len(channels)),
                ("scaled", (0.7, None, -1.3, 2.5)[: len(channels)]),
            ):

                def build(
                    rng: np.random.Generator,
                    channels: tuple[int, ...] = channels,
                    rest: tuple[int, ...] = rest,
                    to: Out = to,
                    gains: tuple[float | None, ...] = gains,
                ) -> Node:
                    rules = []
                    for gain in gains:
                        if gain is None:
                            rules.append((1, 0, 0))
                            continue
                        span = (to.hi - to.lo) / 255
                        (m,), a, s = fixed.lower_sum((gain * span,), to.lo + 5.0, (255,))
                        rules.append((m, a, s))
                    mults, adds, shifts = zip(*rules, strict=True)
                    inputs = (base.activation(f"x{i}", (c, *rest), (0, 128, 7, 255)[i]) for i, c in enumerate(channels))
                    return base.make(Concat(mults, adds, shifts, to), *inputs)

                shape = "+".join(map(str, channels)) + "".join(f"x{d}" for d in rest)
                yield base.Case(f"{shape}-{suffix}-{kind}", build)
    for image in ((2, 17, 5), (3, 8, 1)):
        for to in (Out.full(DType.U4), Out(DType.U4, Quant(0.1, 3), 2, 13)):

            def low(rng: np.random.Generator, image: tuple[int, int, int] = image, to: Out = to) -> Node:
                types = DType.U4, DType.U4, DType.U2, DType.U3
                (m,), a, s = fixed.lower_sum((-0.7,), 11.0, (15,))
                op = Concat((1, m, m, 1), (0, a, a, 0), (0, s, s, 0), to)
                return base.make(op, *(base.activation(f"x{i}", image, i, t) for i, t in enumerate(types)))

            yield base.Case(f"{'x'.join(map(str, image))}-u4-{to.lo}", low)
