"""im2col: Conv2d with any weights of up to 8 bits, from lanes to lanes, that gathers the pixels of an output word once.

What `direct` does for each channel, to load the taps' pixels and to shuffle them for multiplications by pairs, is done
here for all channels together: it pays where input channels are few. Two channels share the loads of the gathered
pixels. The program (firmware/kernels/im2col.h) has the weights of both in one halfword, 256 * a + b: summed up as it is
it makes 256 * A + B, and B is summed up by itself, so that A << 8 is a difference modulo 2^32. The tail is that of
direct.py, with the same proof; for the even channels, whose sum is A << 8 already, acc << up may be less than that:

    up >= 8    A << 8 << (up - 8), times mult << 16
    up < 8     A << 8, times mult << (8 + up)

and the upper 32 bits of the product are those of (acc << up) * mult >> 16. A channel a of -128 beside a b below 0 at
the same tap has no such halfword; that layer goes to other kernels, as one does with a tail that is not proven.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..errors import TargetError
from ..ir import Array, DType, Node, Range
from ..layout import LANES, Layout
from ..ops.conv2d import Conv2d
from . import base, direct

FARTHEST = 0xFFFF  # words that a tap's offset counts
AT_ONCE = 20  # pairs of taps that mcugen1_im2col20 takes, without a loop
BLOCK = 16  # of mcugen1_im2colmany
LAST, ALONE = 0x100, 0x200  # two channels: the last; only one
UNSCALED = 1 << 15  # a weight of which direct.tail scales none


@dataclass(frozen=True)
class Costs:
    """Cycles of im2col_dsp.h and of im2col_ref.c round it; bench/kernels.py compares with the simulation.

    channels, pair: of two channels and of a pair of their taps, in mcugen1_im2col20 and in mcugen1_im2colmany.
    """

    layer: float
    row: float
    word: float
    gather: float  # of four taps
    channels: tuple[float, float]
    pair: tuple[float, float]
    block: float  # of mcugen1_im2colmany, but for its pairs


_DSP = Costs(100, 75, 31, 34, (52, 53), (15, 16), 9)
_M7 = Costs(60, 45, 18, 20, (31, 33), (9, 10), 5)
_REF = Costs(100, 50, 20, 0, (200, 200), (190, 190), 0)  # without the DSP extension


@dataclass(frozen=True)
class Im2col(base.Kernel):
    """Word-stationary: the taps of a word of y, four pixels, are gathered in scratch and serve all channels by twos."""

    stem = "im2col"
    op = Conv2d
    uses_scratch = True
    code_bytes = 1700
    weights = "i8"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, Conv2d)
        if w.dtype not in (DType.I8, DType.T) or op.to is None or op.groups != 1 or op.stride[1] > 0xFF:
            return None
        if not base.fits(x, w, y):
            return None
        like = base.Signature(inputs, output)
        sig = base.lanes_window(x, y, like, w.shape[-2:], op.stride, op.padding, op.dilation)
        if sig is None or 2 * x.shape[0] * sig.inputs[0].plane > FARTHEST:  # 2: halos of other readers
            return None
        return sig

    def accepts(self, node: Node, acc: Range) -> bool:
        return bool((_halves(node) >= -(1 << 15)).all()) and all(
            _tail(i, numbers) is not None for i, numbers in enumerate(direct._numbers(node, acc))
        )

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (a, b), y = node.op, (sig.inputs[0], sig.output), node.output.type
        assert isinstance(op, Conv2d) and op.to is not None
        taps = _offsets(node, a)
        if taps.max() > FARTHEST:
            text = f"the taps in {a} lie in more than {FARTHEST} words"
            raise TargetError("E402", text, where=node.name, hint="a smaller image")
        pairs = -(-taps.size // 2)
        table = np.resize(taps, -(-taps.size // 4) * 4)  # of those that fill up, none has a weight
        row = "im2col20" if pairs <= AT_ONCE else "im2colmany"
        return base.Bound(
            (
                base.Field("row", "mcugen_im2col_fn", f"mcugen1_{row}"),
                base.Field("weights", "uint32_t", _program(node, acc)),
                base.Field("taps", "uint16_t", table.astype(np.uint16)),
                base.Field("x_at", "uint32_t", a.pad_cols + (a.halo_top - op.padding[0]) * a.pitch - op.padding[1]),
                base.Field("y_at", "uint32_t", b.pad_cols + b.halo_top * b.pitch),
                base.Field("x_row", "uint32_t", op.stride[0] * a.pitch),
                base.Field("rows", "uint16_t", min(b.rows_per_lane, y.shape[1])),
                base.Field("pairs", "uint16_t", pairs),
                base.Field("step", "uint8_t", op.stride[1]),
                base.Field("lo", "uint8_t", op.to.lo),
                base.Field("hi", "uint8_t", op.to.hi),
                base.lanes_field("out", b, y),
            ),
            scratch=8 * table.size if pairs > AT_ONCE else 0,
            needs=("lanes", "im2col_dsp", row),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, Conv2d) and op.to is not None
        costs, taps = _costs(core), _taps(node).size
        pairs, twos, rows = -(-taps // 2), -(-y.shape[0] // 2), min(sig.output.rows_per_lane, y.shape[1])
        many = pairs > AT_ONCE
        channels = costs.channels[many] + costs.pair[many] * pairs + many * costs.block * -(-pairs // BLOCK)
        word = costs.word + costs.gather * -(-taps // 4) + channels * twos
        total = costs.layer + rows * (costs.row + y.shape[2] * word) + base.seal_cycles(sig.output, y, core)
        if (op.to.lo, op.to.hi) != (0, 255):
            total += y.shape[0] * LANES * sig.output.plane * 10 * core.pressure
        return total


def _costs(core: base.Core) -> Costs:
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    return _REF


# Taps.


def _taps(node: Node) -> Array:
    """Those of the window (flat, over input channels, rows and columns) that have a weight in some channel; at least
    one."""
    w = node.inputs[1].const
    found = np.flatnonzero(w.reshape(len(w), -1).any(axis=0))
    return found if found.size else np.zeros(1, np.int64)


def _offsets(node: Node, lay: Layout) -> Array:
    """Words from the place of an output word to each tap."""
    op, w = node.op, node.inputs[1].const
    assert isinstance(op, Conv2d)
    c, i, j = np.indices(w.shape[1:])
    at = c * lay.plane + i * op.dilation[0] * lay.pitch + j * op.dilation[1]
    return np.asarray(at.ravel()[_taps(node)])


# The program.


def _halves(node: Node) -> Array:
    """256 * a + b of every two channels, (twos, taps, made even)."""
    w = node.inputs[1].const
    w = w.reshape(len(w), -1)[:, _taps(node)].astype(np.int64)
    w = np.pad(w, ((0, len(w) % 2), (0, w.shape[1] % 2)))
    return np.asarray(256 * w[::2] + w[1::2])


def _tail(i: int, numbers: tuple[int, int, int, int, int, int]) -> tuple[int, int, int] | None:
    """(scale, more, bits) of channel i; None if 32 bits are not proven to suffice."""
    lo, hi = numbers[:2]
    found = direct.tail(*numbers[:5], UNSCALED)
    if found is None:
        return None
    scale, more = found
    if i % 2:
        return scale, more, 0
    if not all(-fixed.INT32 <= n << 8 < fixed.INT32 for n in (lo, hi)):
        return None
    mult, up = scale >> 16, scale & 0xFF
    return mult << min(16, 8 + up), more, max(0, up - 8)


def _program(node: Node, acc: Range) -> Array:
    halves = _halves(node) & 0xFFFF
    words = halves[:, ::2] | halves[:, 1::2] << 16
    tails = [t for i, numbers in enumerate(direct._numbers(node, acc)) if (t := _tail(i, numbers)) is not None]
    odd = len(tails) % 2
    tails += [(0, 0, 0)] * odd
    ends = []
    for (scale_a, more_a, bits), (scale_b, more_b, _) in zip(tails[::2], tails[1::2], strict=True):
        ends.append([scale_a, more_a, scale_b, more_b, bits])
    ends[-1][4] |= LAST | ALONE * odd
    return np.concatenate([words, np.array(ends, np.int64) & 0xFFFFFFFF], axis=1).astype(np.uint32).ravel()
