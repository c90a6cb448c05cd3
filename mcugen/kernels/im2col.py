"""im2col: Conv2d with any weights of up to 8 bits, from lanes to lanes, that gathers the pixels of an output word once.

What `direct` does for each channel, to load the pixels of the taps and to take them apart, is done here for all
channels together: it pays where weights are not sparse, and the more the more channels there are. The tail is that of
direct.py, with the same proof. Programs are of four kinds, because what multiplies fastest differs between cores;
firmware/kernels/im2col.h has them.

Pairs, for cores with the DSP extension: two channels share the loads of the gathered pixels. The program has the
weights of both in one halfword, 256 * a + b: summed up as it is it makes 256 * A + B, and B is summed up by itself, so
that A << 8 is a difference modulo 2^32. For the even channels, whose sum is A << 8 already, acc << up may be less:

    up >= 8    A << 8 << (up - 8), times mult << 16
    up < 8     A << 8, times mult << (8 + up)

and the upper 32 bits of the product are those of (acc << up) * mult >> 16. A channel a of -128 beside a b below 0 at
the same tap has no such halfword; that layer goes to other kernels, as one does with a tail that is not proven.

Quads, for the others: two pixels in a word make two products a multiplication. Pixels are 128 less than they are, so
that four taps whose weights have magnitudes of 255 together have sums of magnitudes up to 128 * 255, which fit the
halves of a word whatever the pixels are. What the weights of a quad have more is put into the quad once more, behind
the others; the order of the taps is such that this is rare.

Bytes and codes, for Helium: VMLADAVA makes sixteen products of signed bytes, so pixels are 128 less here too. What
that takes from a sum, c = 128 * the sum of the weights, comes back once the sum is shifted, modulo 2^32: the whole sum
is what is proven. Codes are ternary weights of two bits, which become bytes for two channels at a time; a block of
words of y is gathered before, so that this is done once for all of them.

From a flat image (`im2col_flat`) pairs and quads read a window of it that is put in lanes in scratch, for a row of y at
a time. To lanes of nibbles (`im2col_nibbles`) tails are of a shift 4 less: with b = floor(16 v), clamped to 16 lo .. 16
hi + 15, the upper bits of the byte b, floor(b / 16), are floor(v), clamped to lo .. hi. The proof is that of larger
results.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .. import fixed, pack
from ..ir import Array, DType, Node, Out, Range, Tensor
from ..layout import LANES, Layout
from ..ops.conv2d import Conv2d
from . import base

FARTHEST = 0xFFFF  # words that a tap's offset counts
QUAD = 4  # taps; the table has a multiple of them
EXACT = (5, 14, 20)  # pairs of taps that have functions of their own: windows of 3x3, 3x3 on 3 channels, 10x4
FEW = 20  # pairs that mcugen1_im2colfew takes at most, without a loop
BLOCK = 16  # pairs, of mcugen1_im2colmany
UNROLLED = 5  # quads
CENTRE = 128  # what quads have less of a pixel
MOST_ORDERED = 256  # taps; the time that finding an order takes grows by their square
GROUP = 16  # taps
EXACT_GROUPS = 4  # up to so many have functions of their own
HELD = 2  # weights of so many stay in registers
UNROLLED_GROUPS = 8  # of a round
CODED = 4  # groups in 16 bytes of codes
BLOCK_BYTES = {"bytes": 4 << 10, "codes": 20 << 10}  # of gathered pixels at most; a word at least
LAST, ALONE = 0x100, 0x200  # the last channels of the program; there is only one
UNSCALED = 1 << 15  # a weight of which base.tail32 scales none
STRIP = 64  # words of all channels, of those that are put together at a time, if a word of each is not more
Numbers = tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler and of im2col_ref.c round it; bench/kernels.py compares with the simulation."""

    layer: float
    row: float
    word: float
    gather: float  # of four taps


@dataclass(frozen=True)
class PairCosts(Costs):
    """channels, pair: of two channels and of a pair of their taps: exact, few, many."""

    channels: tuple[float, float, float]
    pair: tuple[float, float, float]
    block: float  # of many, but for its pairs


@dataclass(frozen=True)
class QuadCosts(Costs):
    """Of a channel, of a quad, of UNROLLED of them, and of one once more."""

    channel: float
    quad: float
    block: float
    again: float


@dataclass(frozen=True)
class GroupCosts:
    """Instructions with Helium, of im2col_mve.h and of what calls it; gather_block, gather_row: of a group.

    gather: of 16 taps of a word; group, held: of 16 taps of two channels and a word, held if weights stay in registers.
    """

    layer: float
    block: float
    gather_block: float
    gather_row: float
    gather: float
    pair: float  # of channels, in a block
    decoded: float  # more of one whose weights are codes
    codes: float  # of 64 of both channels
    pair_row: float
    group: float
    held: float
    tail: float  # of both channels and a word
    loaded: float  # more where weights are not held
    full: float  # where they fill the registers
    entry: float  # and where groups are a loop
    round: float


_HELIUM = GroupCosts(70, 90, 12, 5, 15, 36, 20, 26, 12, 14, 12, 18, 1, 2, 2, 2)

_DSP = PairCosts(60, 70, 19, 34, (49, 52, 53), (15, 15, 16), 9)
_M7 = PairCosts(60, 60, 13, 22.3, (26.2, 32.3, 31), (9, 8.8, 7.8), 8)
_REF_PAIRS = PairCosts(100, 50, 20, 0, (200,) * 3, (190,) * 3, 0)  # in C, without the DSP extension
_M0_PAIRS = PairCosts(100, 50, 20, 0, (905,) * 3, (245,) * 3, 0)

_M0 = QuadCosts(100, 153, 34, 56, 100.3, 40.9, 4.6, 50)
_M3 = QuadCosts(100, 153, 15, 43, 65, 36, 5.9, 45.5)
_REF_QUADS = QuadCosts(133, 67, 27, 0, 200, 254, 0, 254)  # in C, with it


@dataclass(frozen=True)
class Looks:
    """Cycles of what im2col_flat_ref.c does for the window, and im2col_nibbles_ref.c; as simulated."""

    row: float  # of y
    made: float  # of a row of the window
    channel: float  # of each in that
    four: float  # words of a channel
    word: float  # that is left
    missing: float  # of a lane that a row does not have
    pad: float  # each in that
    moved: float  # of a word
    column: float  # of nibbles that are put together, a word of all channels
    put: float  # each in that


_LOOKS_DSP = Looks(115, 133, 65, 24.5, 13.8, 115, 1.5, 2.3, 33, 11.6)
_LOOKS_M7 = Looks(23, 108, 30, 12.8, 9.4, 63, 0.1, 3.1, 14, 5.2)
_LOOKS_M3 = Looks(16, 145, 63, 27.3, 12.5, 106, 0.1, 5, 34, 12.2)
_LOOKS_M0 = Looks(124, 240, 129, 73.2, 13.6, 46, 2.7, 4.7, 60, 30)


@dataclass(frozen=True)
class Im2col(base.Kernel):
    """Word-stationary: the taps of a word of y, four pixels, are gathered and serve all channels."""

    stem = "im2col"
    op = Conv2d
    uses_scratch = True
    code_bytes = 1700

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, Conv2d)
        if w.dtype not in (DType.I8, DType.T) or op.to is None or op.groups != 1 or op.stride[1] > 0xFF:
            return None
        if not base.fits(x, w, y):
            return None
        like = base.Signature(inputs, output)
        return base.lanes_window(x, y, like, w.shape[-2:], op.stride, op.padding, op.dilation)

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return bool(_offsets(node, sig.inputs[0]).max() <= FARTHEST)

    def accepts(self, node: Node, acc: Range) -> bool:
        return all(base.tail32(*numbers[:5], UNSCALED) is not None for numbers in self._numbers(node, acc))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (a, b), y = node.op, (sig.inputs[0], sig.output), node.output.type
        assert isinstance(op, Conv2d) and op.to is not None
        taps = _offsets(node, a)
        order = self._order(node)
        table = np.resize(taps, order.size)[order]  # what fills it up has no weight
        row, headers = self._row(taps.size)
        across, down = self._block(node, sig)
        return base.Bound(
            (
                base.Field("row", "mcugen_im2col_fn", f"mcugen1_{row}"),
                base.Field("weights", "uint32_t", self._program(node, acc)),
                base.Field("taps", "uint16_t", table.astype(np.uint16)),
                base.Field("x_at", "uint32_t", a.pad_cols + (a.halo_top - op.padding[0]) * a.pitch - op.padding[1]),
                base.Field("y_at", "uint32_t", b.pad_cols + b.halo_top * b.pitch),
                base.Field("x_row", "uint32_t", op.stride[0] * a.pitch),
                base.Field("rows", "uint16_t", min(b.rows_per_lane, y.shape[1])),
                base.Field("groups", "uint16_t", self._groups(taps.size)),
                base.Field("across", "uint16_t", across),
                base.Field("down", "uint16_t", down),
                base.Field("step", "uint8_t", op.stride[1]),
                base.Field("lo", "uint8_t", op.to.lo),
                base.Field("hi", "uint8_t", op.to.hi),
                base.lanes_field("out", b, y),
            ),
            scratch=self._scratch(node, sig),
            needs=("lanes", "limit", "mcugen_words", *headers, row),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y, taps = node.op, node.output.type, _taps(node).size
        assert isinstance(op, Conv2d) and op.to is not None
        costs, channels = self._channels(node, core)
        rows = min(sig.output.rows_per_lane, y.shape[1])
        words = rows * y.shape[2] * (costs.word + costs.gather * _quads(taps) + channels)
        total = costs.layer + rows * costs.row + words
        total += base.limit_cycles(op.to, sig.output, y.shape[0], core)
        share = 0.93 if "mve" in core.isa else 1.0  # instructions of cycles
        return share * total + base.seal_cycles(sig.output, y, core)

    def _numbers(self, node: Node, acc: Range) -> list[Numbers]:
        """What base.tail32 takes, for each channel."""
        return base.tail32_numbers(node, acc)

    def _groups(self, taps: int) -> int:
        raise NotImplementedError

    def _row(self, taps: int) -> tuple[str, tuple[str, ...]]:
        """The function and what its source includes."""
        raise NotImplementedError

    def _block(self, node: Node, sig: base.Signature) -> tuple[int, int]:
        """Words and rows of y that one call makes."""
        return node.output.type.shape[2], 1

    def _scratch(self, node: Node, sig: base.Signature) -> int:
        return 0

    def _order(self, node: Node) -> Array:
        """Of the taps in the table."""
        return np.arange(QUAD * _quads(_taps(node).size))

    def _program(self, node: Node, acc: Range) -> Array:
        raise NotImplementedError

    def _channels(self, node: Node, core: base.Core) -> tuple[Costs, float]:
        """The costs that count, and what all channels take for a word."""
        raise NotImplementedError


@dataclass(frozen=True)
class Im2colFlat(Im2col):
    """From a flat image: a window of it, for a row of y after the other, is put in lanes in scratch."""

    stem = "im2col_flat"
    code_bytes = 2250

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, Conv2d)
        if w.dtype not in (DType.I8, DType.T) or op.to is None or op.groups != 1 or max(op.stride) > 0xFF:
            return None
        if not inputs[0].flat or output.flat or output.runs or output.nibbles != self.halves or not x.dtype.unsigned:
            return None
        window = _window(node)
        if not base.fits(x, w, y) or max(op.padding[0], window.pad_cols) > 0xFF:
            return None
        if op.stride[0] * self._rows(output) > 0xFFFF:
            return None
        return base.Signature(inputs, base.bare(output, y))

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return bool(_offsets(node, _window(node)).max() <= FARTHEST)

    @property
    def halves(self) -> bool:
        """True if rows of y are put together to lanes of nibbles."""
        return False

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, x, b, y, window = node.op, node.inputs[0].type, sig.output, node.output.type, _window(node)
        assert isinstance(op, Conv2d) and op.to is not None
        taps = _offsets(node, window)
        table = np.resize(taps, QUAD * _quads(taps.size))[self._order(node)]  # what fills it up has no weight
        row, headers = self._row(taps.size)
        gathered = 2 * table.size if row in ("im2colmany", "im2colquads") else 0
        lo, hi = self._limits(op.to)
        fields = (
            base.Field("row", "mcugen_im2col_fn", f"mcugen1_{row}"),
            base.Field("weights", "uint32_t", self._program(node, acc)),
            base.Field("taps", "uint16_t", table.astype(np.uint16)),
            base.Field("rows", "uint16_t", self._made_rows(b, y)),
            base.Field("groups", "uint16_t", self._groups(taps.size)),
            base.Field("x_rows", "uint16_t", op.stride[0] * self._rows(b)),
            base.Field("gathered", "uint16_t", gathered),
            base.Field("top", "uint8_t", op.padding[0]),
            base.Field("x_at", "uint8_t", window.pad_cols - op.padding[1]),
            base.Field("stride", "uint8_t", op.stride[0]),
            base.Field("step", "uint8_t", op.stride[1]),
            base.Field("lo", "uint8_t", lo),
            base.Field("hi", "uint8_t", hi),
            base.lanes_field("window", window, x),
            base.lanes_field("out", b, y),
        )
        return base.Bound(
            self._fields(fields, y),
            scratch=4 * (gathered + x.shape[0] * window.plane + y.shape[0] * self._strip(y)),
            needs=("im2col", "im2col_flat", "relayout", "lanes", "limit", "mcugen_words", *headers, row, *self._sealed),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y, taps = node.op, node.output.type, _taps(node).size
        assert isinstance(op, Conv2d) and op.to is not None
        costs, channels = self._channels(node, core)
        rows = self._made_rows(sig.output, y)
        calls = rows // 2 * (1 + -(-y.shape[2] // self._strip(y))) if self.halves else rows
        words = rows * y.shape[2] * (costs.word + costs.gather * _quads(taps) + channels)
        total = costs.layer + calls * costs.row + words + self._look_cycles(node, sig.output, core)
        lo, hi = self._limits(op.to)
        planes = y.shape[0] * (1 + self.halves)
        total += base.limit_cycles(replace(op.to, lo=lo, hi=hi), sig.output, planes, core)
        share = 0.93 if "mve" in core.isa else 1.0  # instructions of cycles
        return share * total + base.seal_cycles(sig.output, y, core)

    def _look_cycles(self, node: Node, b: Layout, core: base.Core) -> float:
        op, (c, h, w), window, y = node.op, node.inputs[0].type.shape, _window(node), node.output.type
        assert isinstance(op, Conv2d)
        if "dsp" in core.isa:
            costs = _LOOKS_M7 if core.name == "cortex-m7" else _LOOKS_DSP
        else:
            costs = _LOOKS_M3 if "m3" in core.isa else _LOOKS_M0
        rows, span, stride = self._made_rows(b, y), window.rows_per_lane, op.stride[0]
        made = np.unique(stride * np.arange(rows)[:, None] + np.arange(span))
        there = made[:, None] - op.padding[0] + stride * self._rows(b) * np.arange(LANES)
        missing = int(((there < 0) | (there >= h)).sum())
        moved = (rows - 1) * c * max(0, span - stride) * window.pitch
        each = costs.made + c * (costs.channel + costs.four * (w // 4) + costs.word * (w % 4))
        total = rows * costs.row + len(made) * each + missing * (costs.missing + costs.pad * c * w)
        columns = rows / 2 * y.shape[2] if self.halves else 0
        return total + costs.moved * moved + columns * (costs.column + costs.put * y.shape[0])

    def _fields(self, flat: tuple[base.Field, ...], y: Tensor) -> tuple[base.Field, ...]:
        return flat

    def _rows(self, output: Layout) -> int:
        """Of lanes of bytes."""
        return output.rows_per_lane * (1 + self.halves)

    def _made_rows(self, output: Layout, y: Tensor) -> int:
        """Those of them that are made."""
        rows = self._rows(output)
        return rows if self.halves else min(rows, y.shape[1])

    def _limits(self, to: Out) -> tuple[int, int]:
        """Of the bytes that programs make."""
        return (16 * to.lo, 16 * to.hi + 15) if self.halves else (to.lo, to.hi)

    def _strip(self, y: Tensor) -> int:
        """Words of each channel that are put together at a time."""
        return min(y.shape[2], max(1, STRIP // y.shape[0])) if self.halves else 0

    @property
    def _sealed(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class Im2colNibbles(Im2colFlat):
    """The same to lanes of nibbles."""

    nibbles: bool = True
    stem = "im2col_nibbles"
    code_bytes = 2700

    def on(self, core: base.Core) -> base.Kernel:
        return replace(self, nibbles=base.takes_nibbles(core))

    @property
    def halves(self) -> bool:
        return True

    def _numbers(self, node: Node, acc: Range) -> list[Numbers]:
        """Results are 16 times as large."""
        return [(lo, hi, mult, add, s - 4, widest) for lo, hi, mult, add, s, widest in super()._numbers(node, acc)]

    def _fields(self, flat: tuple[base.Field, ...], y: Tensor) -> tuple[base.Field, ...]:
        return base.Field("flat", "mcugen_im2col_flat", flat), base.Field("strip", "uint16_t", self._strip(y))

    @property
    def _sealed(self) -> tuple[str, ...]:
        return ("nibbles_seal",)


@dataclass(frozen=True)
class Im2colPairs(Im2col):
    """For cores with the DSP extension."""

    weights = "pairs"

    def accepts(self, node: Node, acc: Range) -> bool:
        if (_halves(node) < -(1 << 15)).any():
            return False
        return all(_tail(i, numbers) is not None for i, numbers in enumerate(self._numbers(node, acc)))

    def _groups(self, taps: int) -> int:
        return -(-taps // 2)

    def _row(self, taps: int) -> tuple[str, tuple[str, ...]]:
        pairs = self._groups(taps)
        name = str(pairs) if pairs in EXACT else "few" if pairs <= FEW else "many"
        return f"im2col{name}", ("im2col_pairs",)

    def _scratch(self, node: Node, sig: base.Signature) -> int:
        taps = _taps(node).size
        return 8 * QUAD * _quads(taps) if self._groups(taps) > FEW else 0

    def _program(self, node: Node, acc: Range) -> Array:
        halves = _halves(node) & 0xFFFF
        tails = [t for i, numbers in enumerate(self._numbers(node, acc)) if (t := _tail(i, numbers)) is not None]
        odd = len(tails) % 2
        tails += [(0, 0, 0)] * odd
        ends = []
        for (scale_a, more_a, bits), (scale_b, more_b, _) in zip(tails[::2], tails[1::2], strict=True):
            ends.append([scale_a, more_a, scale_b, more_b, bits])
        ends[-1][4] |= LAST | ALONE * odd
        words = np.concatenate([halves[:, ::2] | halves[:, 1::2] << 16, np.array(ends, np.int64)], axis=1)
        return _words(words.ravel())

    def _channels(self, node: Node, core: base.Core) -> tuple[Costs, float]:
        plain = _REF_PAIRS if "m3" in core.isa else _M0_PAIRS
        costs = plain if "dsp" not in core.isa else _M7 if core.name == "cortex-m7" else _DSP
        pairs = self._groups(_taps(node).size)
        kind = 0 if pairs in EXACT else 1 if pairs <= FEW else 2
        each = costs.channels[kind] + costs.pair[kind] * pairs + (kind == 2) * costs.block * -(-pairs // BLOCK)
        return costs, -(-node.output.type.shape[0] // 2) * each


@dataclass(frozen=True)
class Im2colQuads(Im2col):
    """For cores without the DSP extension."""

    weights = "quads"

    def _groups(self, taps: int) -> int:
        return _quads(taps)

    def _row(self, taps: int) -> tuple[str, tuple[str, ...]]:
        return "im2colquads", ("im2col_m0", "im2col_m3")

    def _scratch(self, node: Node, sig: base.Signature) -> int:
        return 8 * QUAD * _quads(_taps(node).size)

    def _order(self, node: Node) -> Array:
        w = _weights(node, QUAD)
        return np.array(_lightest(w.astype(np.int8).tobytes(), w.shape[1]))

    def _split(self, node: Node) -> list[tuple[Array, list[tuple[int, Array]]]]:
        w = _weights(node, QUAD)[:, self._order(node)]
        return [_split(row) for row in w.reshape(len(w), -1, QUAD)]

    def _program(self, node: Node, acc: Range) -> Array:
        found: list[int] = []
        for (once, again), numbers in zip(self._split(node), self._numbers(node, acc), strict=True):
            tail = base.tail32(*numbers[:5], UNSCALED)
            assert tail is not None
            centre = CENTRE * (int(once.sum()) + sum(int(rest.sum()) for _, rest in again))
            found += [65537 * centre - (len(once) + len(again)) * (1 << 15), centre, *_bytes(once)]
            for i, rest in again:
                found += [32 + 32 * i, *_bytes(rest)]
            found += [0, tail[1], tail[0]]
        found[-1] |= LAST
        return _words(np.array(found, np.int64))

    def _channels(self, node: Node, core: base.Core) -> tuple[Costs, float]:
        costs = _M0 if "m0" in core.isa else _M3 if "m3" in core.isa else _REF_QUADS
        quads, split = _quads(_taps(node).size), self._split(node)
        each = costs.channel + costs.quad * quads + costs.block * -(-quads // UNROLLED)
        return costs, len(split) * each + sum(len(again) for _, again in split) * costs.again


@dataclass(frozen=True)
class Im2colGroups(Im2col):
    """For Helium: 8-bit weights as bytes, ternary ones as codes."""

    weights: str = "bytes"
    helium: bool = True  # the core has it

    def on(self, core: base.Core) -> Im2colGroups:
        return replace(self, helium="mve" in core.isa)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        dtype = DType.I8 if self.weights == "bytes" else DType.T
        if not self.helium or node.inputs[1].type.dtype is not dtype:
            return None
        return super().layouts(node, inputs, output)

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y, groups = node.op, node.output.type, self._groups(_taps(node).size)
        assert isinstance(op, Conv2d) and op.to is not None
        across, down = self._block(node, sig)
        rows = min(sig.output.rows_per_lane, y.shape[1])
        columns, blocks = -(-y.shape[2] // across), -(-rows // down) * -(-y.shape[2] // across)
        words, pairs = rows * y.shape[2], -(-y.shape[0] // 2)
        costs = _HELIUM
        if groups <= HELD:
            each = costs.tail + costs.held * groups + costs.full * (groups == HELD)
        else:
            each = costs.tail + costs.loaded + costs.group * groups
        if groups > EXACT_GROUPS:
            each += costs.entry + costs.round * (1 + (groups - 1) // UNROLLED_GROUPS)
        pair = costs.pair
        if self.weights == "codes":
            pair += costs.decoded + costs.codes * -(-groups // CODED)
        total = costs.layer + costs.block * blocks
        total += groups * (costs.gather_block * blocks + costs.gather_row * rows * columns + costs.gather * words)
        total += pairs * (pair * blocks + costs.pair_row * rows * columns + each * words)
        return total + base.limit_cycles(op.to, sig.output, y.shape[0], core) + base.seal_cycles(sig.output, y, core)

    def _groups(self, taps: int) -> int:
        return -(-taps // GROUP)

    def _row(self, taps: int) -> tuple[str, tuple[str, ...]]:
        groups = self._groups(taps)
        return f"im2col{self.weights}{groups if groups <= EXACT_GROUPS else ''}", ("im2col_mve",)

    def _block(self, node: Node, sig: base.Signature) -> tuple[int, int]:
        """As many words as BLOCK_BYTES hold, in blocks of much the same size."""
        y, word = node.output.type, 4 * GROUP * self._groups(_taps(node).size)
        rows, most = min(sig.output.rows_per_lane, y.shape[1]), max(1, BLOCK_BYTES[self.weights] // word)
        if most < y.shape[2]:
            return _even(y.shape[2], most), 1
        return y.shape[2], _even(rows, most // y.shape[2])

    def _scratch(self, node: Node, sig: base.Signature) -> int:
        groups, (across, down) = self._groups(_taps(node).size), self._block(node, sig)
        bytes_ = 2 * (GROUP * CODED * -(-groups // CODED) + 16) if self.weights == "codes" else 0
        return across * down * 4 * GROUP * groups + bytes_

    def _order(self, node: Node) -> Array:
        return np.arange(GROUP * self._groups(_taps(node).size))

    def _program(self, node: Node, acc: Range) -> Array:
        w = _weights(node, GROUP if self.weights == "bytes" else GROUP * CODED)
        packed = w
        if self.weights == "codes":
            packed = w.reshape(len(w), -1, CODED, GROUP) & 3
            packed = (packed << 2 * np.arange(CODED)[:, None]).sum(axis=2)
        weights = np.ascontiguousarray(packed.astype(np.uint8)).reshape(len(w), -1).view("<u4")
        tails = []
        for centre, numbers in zip(CENTRE * w.sum(axis=1), base.tail32_numbers(node, acc), strict=True):
            tail = base.tail32(*numbers[:5], UNSCALED)
            assert tail is not None
            scale, more = tail
            tails.append([int(centre) << (scale & 0xFF), 1 << (scale & 0xFF), scale >> 16 << 15, more])
        return np.concatenate([weights, _words(np.array(tails, np.int64))], axis=1).ravel()


def _even(n: int, most: int) -> int:
    """The least part of up to `most` of n of which as few make n up."""
    return -(-n // -(-n // most))


class FlatPairs(Im2colFlat, Im2colPairs):
    """For cores with the DSP extension."""


@dataclass(frozen=True)
class FlatQuads(Im2colFlat, Im2colQuads):
    """For cores without the DSP extension."""


@dataclass(frozen=True)
class NibblePairs(Im2colNibbles, Im2colPairs):
    """For cores with the DSP extension."""


@dataclass(frozen=True)
class NibbleQuads(Im2colNibbles, Im2colQuads):
    """For cores without the DSP extension."""


# Windows of a flat image.


def _window(node: Node) -> Layout:
    """The rows that a row of y sees, in lanes whose pad columns are all it needs."""
    op, x, y = node.op, node.inputs[0].type, node.output.type
    assert isinstance(op, Conv2d)
    kernel = node.inputs[1].type.shape[-2:]
    span = (kernel[0] - 1) * op.dilation[0] + 1
    last = (y.shape[2] - 1) * op.stride[1] + (kernel[1] - 1) * op.dilation[1] - op.padding[1]
    cols = max(op.padding[1], last - (x.shape[2] - 1), 0)
    return Layout("lanes", 8, LANES, span, 0, 0, cols, x.shape[2] + cols, op.pad_value)


# Taps.


def _quads(taps: int) -> int:
    return -(-taps // QUAD)


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


def _weights(node: Node, multiple: int) -> Array:
    """(channels, taps), with zeros up to a multiple of taps."""
    w = node.inputs[1].const
    w = w.reshape(len(w), -1)[:, _taps(node)].astype(np.int64)
    return np.pad(w, ((0, 0), (0, -w.shape[1] % multiple)))


def _words(values: Array) -> Array:
    return (values & 0xFFFFFFFF).astype(np.uint32)


# Pairs.


def _halves(node: Node) -> Array:
    """256 * a + b of every two channels, (twos, taps, made even)."""
    w = _weights(node, 2)
    w = np.pad(w, ((0, len(w) % 2), (0, 0)))
    return np.asarray(256 * w[::2] + w[1::2])


def _tail(i: int, numbers: Numbers) -> tuple[int, int, int] | None:
    """(scale, more, bits) of channel i; None if 32 bits are not proven to suffice."""
    found = base.tail32(*numbers[:5], UNSCALED)
    if found is None:
        return None
    scale, more = found
    if i % 2:
        return scale, more, 0
    if not all(-fixed.INT32 <= n << 8 < fixed.INT32 for n in numbers[:2]):
        return None
    mult, up = scale >> 16, scale & 0xFF
    return mult << min(16, 8 + up), more, max(0, up - 8)


# Quads.


def _split(w: Array) -> tuple[Array, list[tuple[int, Array]]]:
    """A channel's quads (quads, 4), none above pack.HEAVIEST, and (number, weights) of what is added once more."""
    once, rest = pack.split_fours(w)
    again = []
    for i in np.flatnonzero(rest.any(axis=1)).tolist():
        while rest[i].any():
            light, rest[i] = (part[0] for part in pack.split_fours(rest[i : i + 1]))
            again.append((i, light))
    return once, again


@lru_cache(maxsize=64)
def _lightest(weights: bytes, taps: int) -> tuple[int, ...]:
    """An order of taps of which few quads of weights (int8, (channels, taps)) are too heavy.

    Two taps are swapped as long as that helps, those of the heaviest quad first.
    """
    w = np.abs(np.frombuffer(weights, np.int8).reshape(-1, taps).astype(np.int64))
    order, quad_of = np.arange(taps), np.arange(taps) // QUAD
    improved = taps <= MOST_ORDERED
    while improved:
        improved = False
        here = w[:, order]
        sums = here.reshape(len(w), -1, QUAD).sum(axis=2)
        costs = _excess(sums)
        for q in np.argsort(-costs, kind="stable")[: np.count_nonzero(costs)]:
            change = here[:, None, :] - here[:, QUAD * q : QUAD * q + QUAD, None]  # channel, tap of q, other tap
            after = _excess(sums[:, q, None, None] + change) + _excess(sums[:, None, quad_of] - change)
            gain = np.where(quad_of == q, 0, costs[q] + costs[quad_of] - after)
            i, j = np.unravel_index(np.argmax(gain), gain.shape)
            if gain[i, j] > 0:
                order[[QUAD * q + i, j]] = order[[j, QUAD * q + i]]
                improved = True
                break
    return tuple(order.tolist())


def _excess(sums: Array) -> Array:
    """What quads of these sums (channels, ...) cost: how often they come again, then how much they have too much."""
    more = np.maximum(sums - pack.HEAVIEST, 0)
    return np.asarray((-(-more // pack.HEAVIEST) * (1 << 16) + more).sum(axis=0))


def _bytes(quads: Array) -> list[int]:
    """Words of quads (..., 4)."""
    found: list[int] = np.ascontiguousarray(quads, np.int8).view("<u4").ravel().tolist()
    return found
