"""window: DepthwiseConv2d with windows of 3 x 3 and any weights of up to 8 bits, from lanes to lanes.

What direct does for any window, by functions for this one that go over all channels. The proof of the tail is
direct's.

window_nibbles: the same from lanes to lanes of nibbles. A pixel of up to h times a weight is a number of at most 12
bits, and whatever the pixels are, those of garbage rows and pads too, a sum of nine lies between -h N and h P, with the
weights above 0 that add up to P, and those below to -N. With a centre c, -h N + c >= 0 and h P + c < 2^15, it is a half
of a word that nothing carries to or from. As h (P + N) <= 15 * 9 * 128 = 17280, there is such a c among the multiples
of 2^13. Then acc * mult + add = sum * mult + (add - c * mult), an identity of integers, and for 17 <= shift <= 29
c * mult is a multiple of 2^(shift - 16), as add is. (A channel of another shift hardly moves: a tail that is the same
for all of its sums, which are few, is looked for.) So SMLAW loses nothing:

    (sum * (mult << 32 - shift) >> 16) + (add' >> shift - 16) = (sum * mult + add') * 2^(16 - shift), rounded down

has 32 bits where the result before its clamp has 16, and its upper half is that result.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .. import fixed
from ..ir import DType, Node, Range
from ..layout import LANES, Layout
from ..ops.depthwise import DepthwiseConv2d
from ..pack import BASE3, I8, Encoding
from . import base

SIZE = (3, 3)
STRIP = 2  # words
PIXEL_BITS = 6  # of `up`, as window_dsp.h has them
MOST = 15  # the highest pixel of 4 bits
LEAST_SHIFT, MOST_SHIFT = 17, 29  # of tails of nibbles
CENTRE_BITS = 13  # centres of nibbles are multiples of 2 to this power


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler; bench/kernels.py compares with the simulation.

    strips, one: of two words and of one, for all lanes, then for the lower three; strips by step too.
    """

    layer: float
    channel: float
    row: float  # of y
    strips: tuple[tuple[float, float], tuple[float, float]]
    one: tuple[float, float]
    up: tuple[float, float]  # more for a strip of two words, and of one, whose weights are not scaled
    mixed: float  # of a channel with rows of four lanes and of three; 0: all are of four
    unpack: tuple[float, float]  # of a channel of planes and of base3, besides what base.unpack_cycles says


_DSP = Costs(150, 61, 17, ((147, 162), (119, 134)), (94, 80), (27, 15), 1, (120, 120))
_M7 = Costs(105, 43, 11, ((82, 94), (65, 74)), (58, 46), (14, 8), 2, (70, 70))
_M3 = Costs(153, 61, 17, ((290, 305), (238, 253)), (170, 144), (0, 0), 1, (110, 110))
_M0 = Costs(215, 86, 29, ((389, 392), (332, 341)), (215, 190), (0, 0), 0, (135, 240))


@dataclass(frozen=True)
class Window(base.Kernel):
    """Weight-stationary: each channel's nine weights run over strips of two words, or one, four pixels in a word."""

    encoding: Encoding
    mixed: bool = False  # where only the first rows have all four lanes, others have code of their own
    stem = "window"
    op = DepthwiseConv2d
    uses_scratch = True
    by_plane = True
    code_bytes = 1500  # with the function for strips

    def __post_init__(self) -> None:
        if self.mixed:
            object.__setattr__(self, "code_bytes", 2300)

    @property
    def name(self) -> str:
        return super().name + " mixed" * self.mixed

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        if not _window(node):
            return None
        sig = base.products_layouts(node, inputs, output, self.encoding.dtypes)
        if sig is None or not self.mixed:
            return sig
        rows = _run(node, sig)[3]
        return sig if 0 < _full(node, sig, rows) < rows else None

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return base.planes_reach(sig)

    def accepts(self, node: Node, acc: Range) -> bool:
        return all(base.tail32(*numbers) is not None for numbers in base.tail32_numbers(node, acc))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, DepthwiseConv2d)
        rows = _run(node, sig)[3]
        full = self._full(node, sig, rows)
        function = f"window3{'x2' * (op.stride[1] - 1)}{'low' if full == 0 else 'mixed' if full < rows else ''}"
        return base.Bound(
            _fields(node, sig, function, self.encoding, _tails(node, acc), full),
            scratch=base.plain_scratch(SIZE[0] * SIZE[1], self.encoding),
            needs=("lanes", "limit", "mcugen_words", "window_cores", "direct_words", function),
        )

    def _full(self, node: Node, sig: base.Signature, rows: int) -> int:
        """Rows that are computed in all lanes."""
        full = _full(node, sig, rows)
        return full if self.mixed or not full else rows

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, DepthwiseConv2d) and op.to is not None
        costs, kind = _costs(core), op.stride[1] - 1
        _, _, words, rows = _run(node, sig)
        full = self._full(node, sig, rows)
        ups = sum(scale & 0xFF != PIXEL_BITS for scale, _ in _tails(node, acc))
        strips, odd = divmod(words, STRIP)
        each = costs.channel + rows * costs.row
        if 0 < full < rows:
            each += costs.mixed
            full = full if costs.mixed else rows
        for low, count in enumerate((full, rows - full)):
            each += count * (strips * costs.strips[low][kind] + odd * costs.one[low])
        total = costs.layer + y.shape[0] * each + ups * rows * (strips * costs.up[0] + odd * costs.up[1])
        if self.encoding != I8:
            unpacking = base.unpack_cycles(self.encoding, node.inputs[1].const.size, core)
            total += y.shape[0] * costs.unpack[self.encoding == BASE3] + unpacking
        total += base.limit_cycles(op.to, sig.output, y.shape[0], core)
        share = 0.89 if "mve" in core.isa else 1.0  # instructions of cycles
        return share * total + base.seal_cycles(sig.output, y, core)


@dataclass(frozen=True)
class WindowNibbles(base.NibbleKernel):
    """The same with eight pixels in a word, two of which a multiplication takes."""

    weights: str = field(default="i8", init=False)
    stem = "window_nibbles"
    op = DepthwiseConv2d
    by_plane = True
    code_bytes = 2050  # with the function for strips, and what seals nibbles

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        if not output.nibbles or not _window(node):
            return None
        return base.products_layouts(node, inputs, output, (DType.I8,))

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return base.planes_reach(sig)

    def accepts(self, node: Node, acc: Range) -> bool:
        return _nibble_tails(node, acc) is not None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, tails = node.op, _nibble_tails(node, acc)
        assert isinstance(op, DepthwiseConv2d) and tails is not None
        function = f"window3{'x2' * (op.stride[1] - 1)}nibbles"
        return base.Bound(
            (base.Field("layer", "mcugen_window", _fields(node, sig, function, I8, tails, 0)),),
            needs=(
                *("lanes", "nibbles_seal", "nibble_words", "limit", "mcugen_words"),
                *("window", "window_cores", "window_nibbles_thumb2", function),
            ),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y = node.op, node.output.type
        assert isinstance(op, DepthwiseConv2d) and op.to is not None
        _, _, words, rows = _run(node, sig)
        strips, odd = divmod(words, STRIP)
        layer, channel, row, even, by_two, one, limit = _nibble_costs(core)
        each = channel + rows * (row + strips * (by_two if op.stride[1] > 1 else even) + odd * one)
        total = layer + y.shape[0] * each + base.seal_cycles(sig.output, y, core)
        return total + limit * y.shape[0] * sig.output.plane * ((op.to.lo, op.to.hi) != (0, MOST))


def _nibble_costs(core: base.Core) -> tuple[float, ...]:
    """Once, of a channel, of a row of y; strips of two words with steps of 1, of 2, of one word; limits of a word."""
    if core.name == "cortex-m7":
        return 98, 49, 10, 131, 134, 83, 15
    return base.simulated(core, (158, 59, 17, 217, 238, 141, 23), (165, 53, 17, 347, 368, 207, 57), (300, *[1000] * 6))


def _window(node: Node) -> bool:
    """True if the functions know the window."""
    op, w = node.op, node.inputs[1].type
    assert isinstance(op, DepthwiseConv2d)
    return w.shape[1:] == SIZE and op.dilation[1] == 1 and node.output.type.shape[2] >= STRIP


def _fields(
    node: Node, sig: base.Signature, function: str, encoding: Encoding, tails: list[tuple[int, int]], full: int
) -> tuple[base.Field, ...]:
    """struct mcugen_window."""
    op, (a, b) = node.op, (sig.inputs[0], sig.output)
    assert isinstance(op, DepthwiseConv2d) and op.to is not None
    x_first, y_first, words, rows = _run(node, sig)
    return (
        base.Field("strips", "mcugen_window_fn", f"mcugen1_{function}"),
        *base.plain_weight_fields(node.inputs[1].const, encoding),
        base.Field("tails", "int32_t", np.array(tails, np.int32)),
        base.Field("x_plane", "uint32_t", a.plane),
        base.Field("x_first", "uint16_t", x_first),
        base.Field("y_first", "uint16_t", y_first),
        base.Field("words", "uint16_t", words),
        base.Field("rows", "uint16_t", rows),
        base.Field("full", "uint16_t", full),
        base.Field("x_row", "uint16_t", op.stride[0] * a.pitch),
        base.Field("pitch", "uint16_t", op.dilation[0] * a.pitch),
        base.Field("step", "uint8_t", op.stride[1]),
        base.Field("lo", "uint8_t", op.to.lo),
        base.Field("hi", "uint8_t", op.to.hi),
        base.lanes_field("out", b, node.output.type),
    )


@lru_cache(maxsize=128)  # every layout asks for them again
def _nibble_tails(node: Node, acc: Range) -> list[tuple[int, int]] | None:
    """Scale and addend of each channel (window_nibbles.h); None if one is not proven."""
    w, highest = node.inputs[1].const.astype(int), node.inputs[0].type.dtype.hi
    if highest > MOST:
        return None
    found = []
    for row, (lo, hi, *tail, _) in zip(w.reshape(len(w), -1), base.tail32_numbers(node, acc), strict=True):
        least, most = highest * int(row[row < 0].sum()), highest * int(row[row > 0].sum())
        how = nibble_tail((least, most), (lo, hi), *tail)
        if how is None:
            return None
        found.append(how)
    return found


def nibble_tail(
    reach: tuple[int, int], limits: tuple[int, int], mult: int, add: int, shift: int
) -> tuple[int, int] | None:
    """Scale and addend of a channel whose sums, of any pixels, reach so far, and of an image have these limits."""
    while shift < LEAST_SHIFT and abs(2 * mult) < 1 << 15 and abs(2 * add) < fixed.INT32:
        mult, add, shift = 2 * mult, 2 * add, shift + 1
    if not LEAST_SHIFT <= shift <= MOST_SHIFT:
        same = _same_tail(limits, mult, add, shift)
        if same is None:
            return None
        mult, add, shift = same
    centre = -(reach[0] >> CENTRE_BITS) << CENTRE_BITS
    addend = add - centre * mult
    ends = [acc * mult + add for acc in limits]
    fits = all(-fixed.INT32 <= n < fixed.INT32 for n in (addend, *ends))
    fits = fits and all(-(1 << 15) <= end >> shift < 1 << 15 for end in ends)
    if not fits or centre + reach[1] >= 1 << 15 or addend % (1 << shift - 16):
        return None
    return mult << 16 | centre >> CENTRE_BITS << 8 | shift, addend


def _same_tail(limits: tuple[int, int], mult: int, add: int, shift: int) -> tuple[int, int, int] | None:
    """Another tail with a shift as it should be that gives the same pixel for every sum there can be, if one is found.

    Of channels that are constant, or hardly move: then sums of one pixel to the next lie far apart.
    """
    acc = np.arange(limits[0], limits[1] + 1)
    want = fixed.requantize(acc, mult, add, shift, 0, MOST)
    if want.min() == want.max():
        return 0, int(want[0]) << LEAST_SHIFT, LEAST_SHIFT
    fewer, grain = shift - MOST_SHIFT, 1 << MOST_SHIFT - 16
    for m, steps in itertools.product((mult >> fewer, (mult >> fewer) + 1), range(-2, 3)) if fewer > 0 else ():
        a = ((add >> fewer) // grain + steps) * grain
        if np.array_equal(fixed.requantize(acc, m, a, MOST_SHIFT, 0, MOST), want):
            return m, a, MOST_SHIFT
    return None


def _costs(core: base.Core) -> Costs:
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    return _M3 if "m3" in core.isa else _M0


def _tails(node: Node, acc: Range) -> list[tuple[int, int]]:
    """direct's, with the bits of `up` that pixels take in the lowest byte where weights have room for all others."""
    w = node.inputs[1].const
    found = []
    for (scale, more), row in zip(base.tails32(node, acc), w.reshape(len(w), -1).astype(int), strict=True):
        mult, up = scale >> 16, (scale >> 8 & 0xFF) + (scale & 0xFF)
        up = up if mult else PIXEL_BITS
        scaled = max(0, up - PIXEL_BITS)
        if row.max() << scaled >= 1 << 15 or row.min() << scaled < -(1 << 15):
            scaled = 0
        found.append((mult << 16 | scaled << 8 | up - scaled, more))
    return found


def _full(node: Node, sig: base.Signature, rows: int) -> int:
    """The rows of a run, `rows` long, that begin with rows of the image in the highest lane too."""
    height, per_lane = node.output.type.shape[1], sig.output.rows_per_lane
    return min(rows, max(0, height - (LANES - 1) * per_lane))


def _run(node: Node, sig: base.Signature) -> tuple[int, int, int, int]:
    """First word of x, first word of y, words of a row, rows: of a plane of y.

    Row by row, or where rows of x and y go on alike, all in one row with the pad columns between them, which the seal
    repairs: whichever takes fewer strips.
    """
    op, y = node.op, node.output.type
    assert isinstance(op, DepthwiseConv2d)
    a, b = sig.inputs[0], sig.output
    x_first = a.pad_cols + (a.halo_top - op.padding[0]) * a.pitch - op.padding[1]
    y_first = b.pad_cols + b.halo_top * b.pitch
    height, width = min(b.rows_per_lane, y.shape[1]), y.shape[2]
    options = [(width, height)]
    if op.stride[0] * a.pitch == op.stride[1] * b.pitch:
        options.append(((height - 1) * b.pitch + width, 1))
    words, rows = min(options, key=lambda o: o[1] * (0.15 + o[0] // STRIP + 0.65 * (o[0] % STRIP)))
    return x_first, y_first, words, rows
