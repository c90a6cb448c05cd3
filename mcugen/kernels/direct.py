"""direct: Conv2d and DepthwiseConv2d with any weights of up to 8 bits, from lanes to lanes, by multiplication.

The sums have 32 bits and so has the tail, though acc * mult + add has more: with s = shift, up = 32 - s and
more = add * 2^(16 - s), which is whole because add is a multiple of 2^(s - 15),

    v = ((acc * 2^up) * mult >> 16) + more = (acc * mult + add) * 2^(16 - s), rounded down

and v >> 16 is the result: rounding down twice is rounding down once. A channel is proven if acc * 2^up, more and v fit
32 bits for the least and the greatest acc; v does where the result fits 16 bits before it is clamped. mult and add are
made larger with the shift before, as far as that goes. Where the weights times 2^up fit 16 bits, they are stored in the
program so, and the sum is acc * 2^up already. A layer with a channel that is not proven goes to other kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir import Array, Node, Range
from ..layout import LANES, Layout
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from ..pack import I8, Encoding
from . import base

STRIP = 2  # words
LONGEST = 5  # taps of a row
WIDEST_MVE = 6  # words of a strip with Helium


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler and of direct_ref.c round it; bench/kernels.py compares with the simulation.

    strips, rows: by what a strip is (one word; two with a step of 1; two with a step of 2), then by taps.
    """

    channel: float
    row: float  # of the program, when it is made
    tap: float
    alone: float  # less for a row of one tap
    unpack: float  # of a channel, besides what base.unpack_cycles says
    run: float
    next_row: float  # of y, in runs of strips of two words
    up: tuple[float, float, float]  # of a strip whose weights are not scaled
    strips: tuple[tuple[float, ...], ...]
    rows: tuple[tuple[float, ...], ...]


_DSP = Costs(
    *(80, 13.3, 8.8, 4, 47, 93, 16, (2, 6, 6)),
    ((35, 35, 37, 37, 37), (44, 44, 34.5, 46, 46), (44, 44, 46, 46, 46)),
    ((18, 23, 31, 36, 45), (25, 35, 43.5, 57, 66), (25, 36, 49, 58, 74)),
)
_M7 = Costs(
    *(51, 2.7, 5.3, 2, 24, 66, 12, (2, 4, 4)),
    ((18, 18, 17.5, 17.5, 17.5), (23, 23, 20.5, 22.5, 22.5), (23, 23, 22.5, 22.5, 22.5)),
    ((9, 12, 16.5, 19.5, 23.5), (12, 19, 23.5, 31.5, 36.5), (12, 20, 29.5, 32.5, 40.5)),
)
_M3 = Costs(
    *(81, 13.3, 9.8, 5, 47, 95, 16, (0, 0, 0)),
    ((64,) * 5, (102,) * 5, (102,) * 5),
    ((22, 36, 50, 64, 78), (34, 60, 86, 112, 138), (34, 60, 86, 112, 138)),
)
_M0 = Costs(
    *(147, 13.3, 17.5, 5.5, 105, 115, 18, (0, 0, 0)),
    ((102,) * 5, (165,) * 5, (165,) * 5),
    ((27, 43, 59, 75, 91), (40, 69, 98, 127, 156), (40, 69, 98, 127, 156)),
)


@dataclass(frozen=True)
class Rows:
    """The taps of a channel in rows of neighbours; all channels have the same."""

    distances: Array  # of each row's first tap from the place of an output word, in words
    weights: Array  # (channels, rows, taps)

    @property
    def taps(self) -> int:
        """Of a row."""
        return int(self.weights.shape[2])


@dataclass(frozen=True)
class Direct(base.Kernel):
    """Weight-stationary: each channel's taps run over strips of two words, or one, four pixels in a word."""

    encoding: Encoding
    stem = "direct"
    op = Conv2d
    uses_scratch = True
    code_bytes = 1200

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        if isinstance(node.op, Conv2d) and node.op.groups != 1:
            return None
        return base.products_layouts(node, inputs, output, self.encoding.dtypes)

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return base.planes_reach(sig)

    def accepts(self, node: Node, acc: Range) -> bool:
        return all(base.tail32(*numbers) is not None for numbers in base.tail32_numbers(node, acc))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (a, b) = node.op, (sig.inputs[0], sig.output)
        assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
        rows, step = _rows(node, a), op.stride[1]
        last = LANES * int(rows.distances[-1])
        ahead = np.diff(LANES * rows.distances, prepend=last - LANES * STRIP * step)
        firsts = 2 * ahead
        firsts[-1] += 1
        runs = _runs(node, sig)
        strips = f"direct{rows.taps}{'x2' * (step - 1)}" if any(run[2] > 1 for run in runs) else ""
        single = f"direct{rows.taps}one" if any(run[2] == 1 for run in runs) else ""
        return base.Bound(
            (
                base.Field("strips", "mcugen_direct_fn", f"mcugen1_{strips or single}"),
                base.Field("single", "mcugen_direct_fn", f"mcugen1_{single or strips}"),
                *base.plain_weight_fields(rows.weights, self.encoding),
                base.Field("rows", "int32_t", firsts.astype(np.int32)),
                base.Field("tails", "int32_t", np.array(base.tails32(node, acc), np.int32)),
                base.Field("runs", "uint16_t", np.array(runs, np.uint16)),
                base.Field("back", "int32_t", last - LANES * STRIP * step),
                base.Field("x_row", "uint32_t", op.stride[0] * a.pitch),
                base.Field("x_plane", "uint32_t", a.plane if isinstance(op, DepthwiseConv2d) else 0),
                base.Field("row_count", "uint16_t", len(rows.distances)),
                base.Field("run_count", "uint16_t", len(runs)),
                base.Field("taps", "uint8_t", rows.taps),
                base.Field("step", "uint8_t", step),
                base.Field("lo", "uint8_t", op.to.lo),
                base.Field("hi", "uint8_t", op.to.hi),
                base.lanes_field("out", b, node.output.type),
            ),
            scratch=4 * len(rows.distances) * (1 + rows.taps) + base.plain_scratch(rows.weights[0].size, self.encoding),
            needs=(
                "lanes",
                "limit",
                "mcugen_words",
                "direct_cores",
                "direct_words",
                *(f for f in (strips, single) if f),
            ),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, rows, y = node.op, _rows(node, sig.inputs[0]), node.output.type
        assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
        if "mve" in core.isa:
            return _instructions(node, sig, rows, self.encoding, core)
        costs, n = _costs(core), len(rows.distances)
        runs, ups = _runs(node, sig), sum(scale & 0xFF > 0 for scale, _ in base.tails32(node, acc))
        row = costs.row + rows.taps * costs.tap - (costs.alone if rows.taps == 1 else 0)
        each = costs.channel + n * row + costs.run * len(runs)
        total = base.seal_cycles(sig.output, y, core)
        if self.encoding != I8:
            total += y.shape[0] * costs.unpack + base.unpack_cycles(self.encoding, rows.weights.size, core)
        for _, _, words, count in runs:
            kind = 0 if words == 1 else op.stride[1]
            strips = count * -(-words // STRIP)
            each += strips * (costs.strips[kind][rows.taps - 1] + n * costs.rows[kind][rows.taps - 1])
            each += (count - 1) * costs.next_row * (kind > 0)
            total += ups * strips * costs.up[kind]
        each += base.limit_cycles(op.to, sig.output, 1, core)
        return total + y.shape[0] * each


@dataclass(frozen=True)
class DirectDepthwise(Direct):
    """The same code: a channel of y reads the plane of its own channel of x."""

    op = DepthwiseConv2d
    by_plane = True

    @property
    def name(self) -> str:
        """Direct has the same stem."""
        return f"{super().name} depthwise"


def _costs(core: base.Core) -> Costs:
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    return _M3 if "m3" in core.isa else _M0


# Helium: instructions of direct_mve.c and .h, and of direct_words_mve.S.


def _instructions(node: Node, sig: base.Signature, rows: Rows, encoding: Encoding, core: base.Core) -> float:
    op, y, n = node.op, node.output.type, rows.weights[0].size
    assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
    step, taps = op.stride[1], rows.taps
    each: float = (55 if encoding is I8 else 71) + 4 * -(-n // 4)
    runs = _runs(node, sig)
    for i, (_, _, words, count) in enumerate(runs):
        odd = words > 1 and i + 1 < len(runs) and runs[i + 1][2] == 1  # one run with the column behind it
        if i and words == 1 and runs[i - 1][2] > 1:
            continue
        words += odd
        strip = _across(words)
        loads = strip if taps == 1 else (strip - 1) * step + taps
        strips = -(-words // strip) * (13 + 6 * strip + len(rows.distances) * (4 + loads + taps * strip))
        each += 44 + 9 * odd + (19 if words > WIDEST_MVE else 0) + count * (12 + strips)
    if (op.to.lo, op.to.hi) != (0, 255):
        each += 10 + 5 * -(-LANES * sig.output.plane // 16)
    total = 0.0 if encoding is I8 else base.unpack_cycles(encoding, rows.weights.size, core)
    return total + y.shape[0] * each + 12 * len(rows.distances) + base.seal_cycles(sig.output, y, core)


def _across(words: int) -> int:
    """As direct_mve.c: the width of strips that covers a row in the fewest words, of those the widest."""
    widths = range(min(words, WIDEST_MVE), 3 if words > WIDEST_MVE else min(words, WIDEST_MVE) - 1, -1)
    return min(widths, key=lambda n: -(-words // n) * n)


# Rows and runs.


def _rows(node: Node, lay: Layout) -> Rows:
    """Rows of up to 5 taps that lie side by side in x.

    A longer row of the window is made of pieces of one length, and where two of them overlap, the second has zeros. A
    window of one column is a row where rows of x lie side by side, and else, as with dilation, each tap is a row.
    """
    op, w = node.op, node.inputs[1].const
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    w = w.reshape(len(w), -1, *w.shape[-2:])
    _, planes, kh, kw = w.shape
    c, i, j = np.meshgrid(np.arange(planes), np.arange(kh), np.arange(kw), indexing="ij")
    at = c * lay.plane + i * op.dilation[0] * lay.pitch + j * op.dilation[1]
    if kw == 1 and op.dilation[0] * lay.pitch == 1:
        w, at = w.swapaxes(2, 3), at.swapaxes(1, 2)
    elif op.dilation[1] > 1:
        w, at = w.reshape(*w.shape[:2], -1, 1), at.reshape(planes, -1, 1)
    taps = at.shape[2]
    pieces = -(-taps // LONGEST)
    each = -(-taps // pieces)
    starts = [min(p * each, taps - each) for p in range(pieces)]
    found = np.stack([w[..., s : s + each] for s in starts], axis=3)
    for p, start in enumerate(starts):
        found[:, :, :, p, : p * each - start] = 0
    return Rows(at[:, :, starts].ravel(), found.reshape(len(w), -1, each))


def _runs(node: Node, sig: base.Signature) -> list[tuple[int, int, int, int]]:
    """(first word of x, first word of y, words of a row, rows) of runs of strips that cover a plane of y.

    Rows of strips of two words, and where the width is odd a column of single ones; or where rows of x and y go on
    alike, all in one row with the pad columns between them, which the seal repairs: whichever is expected to be faster.
    """
    op, y = node.op, node.output.type
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    a, b = sig.inputs[0], sig.output
    x_at = a.pad_cols + (a.halo_top - op.padding[0]) * a.pitch - op.padding[1]
    y_at = b.pad_cols + b.halo_top * b.pitch

    def rows(words: int, count: int) -> list[tuple[int, int, int, int]]:
        even = words // STRIP * STRIP
        found = [(x_at, y_at, even, count)] if even else []
        return found + ([(x_at + even * op.stride[1], y_at + even, 1, count)] if words > even else [])

    def cost(runs: list[tuple[int, int, int, int]]) -> float:
        return sum(0.4 + n * (0.1 + (0.7 if words == 1 else words / STRIP)) for _, _, words, n in runs)

    height = min(b.rows_per_lane, y.shape[1])
    options = [rows(y.shape[2], height)]
    if op.stride[0] * a.pitch == op.stride[1] * b.pitch:
        options.append(rows((height - 1) * b.pitch + y.shape[2], 1))
    return min(options, key=cost)
