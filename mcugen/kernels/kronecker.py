"""kronecker: Conv2d of few taps with 8-bit weights, from a flat image to lanes, four products a multiplication.

Two weights of a row of the window, and two pixels for places side by side, are digits of numbers whose product has the
products of both places as its digits (firmware/kernels/kronecker.h): Kronecker's substitution, for cores whose product
of 64 bits takes one cycle. A digit has 21 bits, and every sum of products of a channel fits 20 of them, or other
kernels take the layer. The image is read as it lies: what it costs to put it into lanes, and their garbage rows, are
spared.

A digit is the sum of some of a place's taps or of all. The limits that `accepts` is given hold for each of these
(Op.bounds), however narrow the pixels' range is: magnitudes of 2056 of one sign are as many as pixels of 255 allow,
whatever the weights of the other sign take away. Only the digits of places behind the last may be larger, where pads
are no pixels of the layer. Carries go to higher digits, which in a word are those of later places, so they stay there.

The tail is that of direct.py with up = 12 for the sum and the rest for the factor:

    ((acc << 12) * (mult << up + 4) >> 32) + more = ((acc << up) * mult >> 16) + more

so the proof is the same, if the factor fits 32 bits: up <= 12.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..ir import Array, DType, Node, Range
from ..layout import FLAT, Layout, lanes
from ..ops.conv2d import Conv2d
from . import base

GROUPS = 20  # MCUGEN_KRONECKER_GROUPS
EXACT = {(4, 1): 18, (4, 2): 18}  # by words of a block and step: groups that have functions of their own
FIVE = (3, 2, 20)  # words, step, groups: of rows of five places
GARBAGE = 3  # columns of y beyond the last, at most
DIGIT = 21  # bits
SUM = 1 << 19  # no sum is beyond, nor any part of one
UP = 12
UNSCALED = 1 << 15  # a weight of which base.tail32 scales none
Group = tuple[int, int, int, int | None, int | None]  # channel, row, column of the pixels; columns of a, of b


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler and of kronecker_ref.c round it; bench/kernels.py compares with the simulation.

    In pairs: of blocks of four words, and of three.
    """

    layer: float
    row: float
    height: float  # a row of the window in a row, where rows are not copied
    run: float  # of a row, too
    on: float  # a run of a row, where they are
    kept: float  # a copied row of a channel
    byte: float  # of it
    first: float  # word of a row
    block: float
    channel: tuple[float, float]
    group: tuple[float, float]
    one: tuple[float, float]  # run of one group in a block
    two: tuple[float, float]
    known: tuple[float, float]  # what functions for an exact number of groups spare of a block, and of a channel
    five: tuple[float, float]  # channel and group of a row of five places


_DSP = Costs(250, 226, 36, 10, 8.5, 57, 2.7, 3, 50, (72.3, 61), (10, 8), (24, 20), (36, 29), (20, 4.3), (46, 7.7))
_M7 = Costs(170, 126, 20, 5, 4.8, 31, 1.3, 2.8, 34, (42, 36), (6, 5), (13, 11), (20.5, 17), (10, 5), (31, 4.7))


@dataclass(frozen=True)
class Shape:
    """What is made of a layer."""

    columns: tuple[int, ...]  # of runs in a row of the window
    runs: int
    groups: tuple[Group, ...]  # in the order of the program
    words: int  # of a row
    constant: bool  # what is to the right of the words is pads, and counts
    padded: int  # bytes of a row
    copied: bool

    @property
    def threes(self) -> int:
        """Blocks of three words; the others have four."""
        return -self.words % 4

    @property
    def fours(self) -> int:
        """Blocks of four words."""
        return (self.words - 3 * self.threes) // 4


@dataclass(frozen=True)
class Kronecker(base.Kernel):
    """Output-stationary: the pixels of six or eight places are gathered and serve all channels."""

    assembled: bool = True  # for the core: kronecker_ref.c wins nothing
    stem = "kronecker"
    op = Conv2d
    weights = "twos"
    uses_scratch = True
    code_bytes = 1900

    def on(self, core: base.Core) -> Kronecker:
        return replace(self, assembled="dsp" in core.isa)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, Conv2d)
        if not self.assembled or w.dtype is not DType.I8 or op.to is None or op.groups != 1 or not y.dtype.unsigned:
            return None
        if not inputs[0].flat or output.flat or not base.fits(x, w, y):
            return None
        if op.stride[1] > 2 or op.dilation[1] > 1 or max(op.stride[0], op.dilation[0]) > 0xFF:
            return None
        shape = _shape(node)
        garbage = 2 * shape.words - y.shape[2]
        if len(shape.groups) > GROUPS or garbage > GARBAGE or shape.padded > 0xFFFF:
            return None
        return base.Signature((FLAT,), lanes(y, output.rows_per_lane, 0, 0, max(0, garbage)))

    def accepts(self, node: Node, acc: Range) -> bool:
        if acc.lo.min() < -SUM or acc.hi.max() >= SUM:
            return False
        tails = [base.tail32(*numbers[:5], UNSCALED) for numbers in base.tail32_numbers(node, acc)]
        return all(t is not None and t[0] & 0xFF <= UP for t in tails)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, x, b, y = node.op, node.inputs[0].type, sig.output, node.output.type
        assert isinstance(op, Conv2d) and op.to is not None
        shape, step = _shape(node), op.stride[1]
        c, h, w = x.shape
        span = (node.inputs[1].type.shape[2] - 1) * op.dilation[0] + 1
        none = base.Field("first", "const uint32_t *", base.NULL)
        four, three = (_function(node, n) for n in (4, 3))
        four, three = four if shape.fours else three, three if shape.threes else four
        rows = c * span if shape.copied else 1
        return base.Bound(
            (
                base.Field("four", "mcugen_kronecker_fn", f"mcugen1_{four}"),
                base.Field("three", "mcugen_kronecker_fn", f"mcugen1_{three}"),
                base.Field("weights", "int32_t", _program(node, acc)),
                base.Field("first", "uint32_t", _first(node)) if shape.constant else none,
                base.Field("columns", "uint16_t", np.array(shape.columns, np.uint16)),
                base.Field("column_count", "uint16_t", len(shape.columns)),
                base.Field("kernel_h", "uint16_t", node.inputs[1].type.shape[2]),
                base.Field("groups", "uint16_t", len(shape.groups)),
                base.Field("x_h", "uint16_t", h),
                base.Field("x_w", "uint16_t", w),
                base.Field("x_c", "uint16_t", c),
                base.Field("span", "uint16_t", span),
                base.Field("padded", "uint16_t", shape.padded),
                base.Field("top", "uint16_t", op.padding[0]),
                base.Field("left", "uint16_t", op.padding[1]),
                base.Field("fours", "uint16_t", shape.fours),
                base.Field("threes", "uint16_t", shape.threes),
                base.Field("dilation", "uint8_t", op.dilation[0]),
                base.Field("stride", "uint8_t", op.stride[0]),
                base.Field("step", "uint8_t", step),
                base.Field("copied", "uint8_t", int(shape.copied)),
                base.Field("pad_value", "uint8_t", op.pad_value),
                base.Field("lo", "uint8_t", op.to.lo),
                base.Field("hi", "uint8_t", op.to.hi),
                base.lanes_field("out", b, y),
            ),
            scratch=4 * y.shape[0] + rows * shape.padded,
            needs=("lanes", "limit", "mcugen_words", "kronecker_dsp", *sorted({four, three})),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, w, y, shape = node.op, node.inputs[1].type, node.output.type, _shape(node)
        assert isinstance(op, Conv2d) and op.to is not None
        costs = _M7 if core.name == "cortex-m7" else _DSP
        channels, rows, groups = y.shape[0], y.shape[1], len(shape.groups)
        look = shape.runs * costs.on if shape.copied else w.shape[2] * costs.height + shape.runs * costs.run
        each = costs.row + look + shape.constant * channels * costs.first
        for kind, (words, blocks) in enumerate(((4, shape.fours), (3, shape.threes))):
            known = _function(node, words).endswith(f"g{groups}")
            channel, group = costs.five if known and words == 3 else (costs.channel[kind], costs.group[kind])
            block = costs.block + shape.runs * (costs.one if groups == shape.runs else costs.two)[kind]
            if known:
                block -= costs.known[0]
                channel -= costs.known[1] * (words == 4)
            each += blocks * (block + channels * (channel + group * groups))
        total = costs.layer + rows * each
        if shape.copied:
            copies = w.shape[1] * ((rows - 1) * op.stride[0] + w.shape[2])
            total += copies * (costs.kept + costs.byte * node.inputs[0].type.shape[2])
        total += base.limit_cycles(op.to, sig.output, channels, core)
        share = 0.93 if "mve" in core.isa else 1.0  # instructions of cycles
        return share * total + base.seal_cycles(sig.output, y, core)


def _shape(node: Node) -> Shape:
    op, x, w, y = node.op, node.inputs[0].type, node.inputs[1].type, node.output.type
    assert isinstance(op, Conv2d)
    return _shape_of(w.shape[1:], op.stride[1], op.padding[1], x.shape[2], y.shape[2])


@lru_cache(maxsize=64)
def _shape_of(window: tuple[int, ...], step: int, left: int, x_w: int, y_w: int) -> Shape:
    """Pairs of columns begin at the first, or at the second where that makes pads of what is right of the last word."""
    channels, height, width = window
    options = [_columns(width, step, start) for start in range(1 + (step == 1 and width > 1))]
    for columns in options:
        pairs = [at for at, a, _ in columns if a is not None]
        constant = y_w % 2 == 0 and all(step * y_w + at - left >= x_w for at in pairs)
        if constant:
            break
    else:
        columns, constant = options[0], False
    words = max(3, -(-y_w // 2) if y_w % 2 or constant else y_w // 2 + 1)
    words += words == 5  # blocks have three or four
    constant = constant and 2 * words == y_w
    ats = [at for at, _, _ in columns]
    starts = ats[::2] if ats[1::2] == [at + 1 for at in ats[::2]] else ats  # a run of two groups, or one
    padded = step * (2 * words - 1) + ats[-1] + 1
    runs = height * channels * len(starts)
    groups = tuple((c, i, *column) for i in range(height) for c in range(channels) for column in columns)
    return Shape(tuple(starts), runs, groups, words, constant, -(-padded // 4) * 4, left > 0 or padded > x_w)


def _function(node: Node, words: int) -> str:
    """For blocks of so many words."""
    op, shape = node.op, _shape(node)
    assert isinstance(op, Conv2d)
    step, groups = op.stride[1], len(shape.groups)
    name = f"kronecker{words}{'x2' * (step - 1)}"
    five = (words, step, groups) == FIVE and node.output.type.shape[2] == 5
    return name + f"g{groups}" * (five or EXACT.get((words, step)) == groups)


def _columns(width: int, step: int, start: int) -> list[tuple[int, int | None, int | None]]:
    """(first column, that of a, that of b) of each group of a row; start: single columns in front of the first pair."""
    found: list[tuple[int, int | None, int | None]] = []
    if step == 1:
        found += [(at, None, at) for at in range(start)]
        found += [(at, at + 1 if at + 1 < width else None, at) for at in range(start, width, 2)]
        return found
    for at in range(0, width, 4):
        for odd in (at, at + 1):
            found.append((odd, odd + 2 if odd + 2 < width else None, odd if odd < width else None))
    return found


def _weights(node: Node) -> Array:
    """(digits a and b, channels, groups)."""
    w, groups = node.inputs[1].const, _shape(node).groups
    found = np.zeros((2, len(w), len(groups)), np.int64)
    for n, (c, i, _, *columns) in enumerate(groups):
        for digit, column in zip(found, columns, strict=True):
            if column is not None:
                digit[:, n] = w[:, c, i, column]
    return found


def _first(node: Node) -> Array:
    """What pads to the right of each channel's last word make, << UP."""
    op = node.op
    assert isinstance(op, Conv2d)
    sums = op.pad_value * _weights(node)[0].sum(axis=1)
    return np.asarray(((sums << UP) & 0xFFFFFFFF).astype(np.uint32))


def _program(node: Node, acc: Range) -> Array:
    """Each channel's words of two weights, factor and more."""
    a, b = _weights(node)
    tails = [t for numbers in base.tail32_numbers(node, acc) if (t := base.tail32(*numbers[:5], UNSCALED)) is not None]
    ends = [[scale >> 16 << (scale & 0xFF) + 4, more] for scale, more in tails]
    return np.concatenate([a + (b << DIGIT), np.array(ends, np.int64)], axis=1).ravel().astype(np.int32)
