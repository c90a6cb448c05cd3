"""strips: what convolutions with ternary weights share that run over strips of words, by lists of weights.

The sums have 16 bits, and this file proves that they suffice. Let acc be the true sum of a channel for some pixel, and
let [lo, hi] hold acc for all that range analysis allows of the input; then the kernel's sum is congruent modulo 2^16
to sign * acc + centre, for every entry adds or takes away the very byte that acc has, and additions modulo 2^16 do not
mind what happened in between. If lo and hi, so transformed, both lie in -2^15 .. 2^15 - 1, the 16 bits read as a signed
number are that sum. The centre is free, and so is the sign (the plus list may come first as well as the minus list):
a channel is possible if hi - lo < 2^16. For bytes from 0 to 255 and P plus, N minus weights that is 255 (P + N) < 2^16,
P + N <= 257. What sign and centre change, the tail takes back: acc * mult + add = sum * (sign * mult) + (add - sign *
centre * mult), an identity of integers.

A channel of more weights is split: each part has as many as are proven by the type of the pixels alone, with a centre
of its own and the sign of them all, and 32-bit sums add up the parts. They are then sign * acc + the sum of the
centres, and the same identity holds.

The product with mult and the addend are computed modulo 2^32 and are right if acc * mult + add fits 32 bits. A channel
of which that is not proven is split into parts that need no centre, so that add stays as it is, and ends in 64 bits:
the upper half of sum * (mult << (32 - shift)) + (add << (32 - shift)), for shift >= 16; or, with sum = 256 h + l, in 32
bits and two steps, (h * mult + ((l * mult + add) >> 8)) >> (shift - 8). A layer with a channel that has neither goes to
other kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np

from .. import fixed, layout, pack
from ..ir import Array, DType, Node, Range
from ..layout import Layout
from ..ops.base import tail_constants
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from . import base

WIDEST = 4  # words of a strip
_LONG_ADD = (1 << 31) - (1 << 23)  # addends of ends in 64 bits are smaller, so that add + mult * byte has 32 bits
FARTHEST = 0xFFFF  # words that an offset can count
Run = tuple[int, int, int, int]  # first word of x, first word of y, words of y, words of a strip


@dataclass(frozen=True)
class Decoding:
    """Cycles of a decoder; that of digits is compiled C."""

    channel: float
    entry: float
    tap: float  # for every pixel of the kernel
    halfword: float = 0
    zero: float = 0  # of the high part of a code
    weight: float = 0  # also of one that is 0


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, counted from it as timing.py does; bench/kernels.py compares with the simulation."""

    channel: float
    run: float
    strip: tuple[float, ...]  # of 1 to 4 words, without entries and tokens
    entry: tuple[float, ...]  # of a weight
    token: tuple[float, float]  # of strips of up to 3 words, of 4
    centre: tuple[float, float]  # the same, besides its token and `negate` a word
    others: Mapping[int, tuple[float, float]]  # tokens of strips, of a strip and of a word; for ends: over END
    negate: float = 2
    apart: float = 0  # of a word but the first, and an entry, where words of x are not neighbours
    lo: float = 0  # of a byte of the output, where lo is not 0
    below: float = 0  # that a pixel below 0 takes less
    decoded: Mapping[str, Decoding] = field(kw_only=True)  # by the encoding
    by_byte: tuple[float, ...] = field(kw_only=True)  # of a weight, where its channel is a byte
    widest_run: float = 0  # more of a run of strips of 4 words
    packed: float = 10  # more of a channel, if its tail has 6 bytes
    byte_channel: float = 6  # more, then, of a channel
    byte_strip: tuple[float, float, float] = (1, 2, 2)  # and of a strip of up to 3 words, of 4, and of its centre


_TOKENS = (
    pack.END_SHIFT,
    pack.END_LIMITS,
    pack.WIDE_SET,
    pack.WIDE_ADD,
    pack.END_WIDE,
    pack.END_LONG,
    pack.END_TWICE,
    pack.END_FOURFOLD,
)


def others(*cycles: tuple[float, float]) -> Mapping[int, tuple[float, float]]:
    return dict(zip(_TOKENS, cycles, strict=True))


_DSP = Costs(
    39,
    30,
    (30, 41, 51, 63),
    (6, 9, 12, 16),
    (8, 6),
    (3, 3),
    others((25, 9), (13, 3), (20, 10), (20, 16), (20, 20), (26, 30), (0, 2), (0, 4)),
    decoded={
        "rice": Decoding(168, 17.2, 22.5, 11),
        "blocks": Decoding(168, 15.7, 22.5, 15.9, weight=4.1),
        "base3": Decoding(158, 10.6, 18, weight=13.6),
    },
    by_byte=(6, 9, 12, 17),
    widest_run=5,
    packed=13,
    byte_channel=12,
)
_M3 = Costs(
    36,
    30,
    (49, 77, 104, 133),
    (7, 11, 15, 20),
    (8, 6),
    (4, 4),
    others((23, 23), (15, 23), (20, 13), (20, 21), (20, 30), (26, 50), (0, 0), (0, 0)),
    decoded={
        "rice": Decoding(168, 19.2, 22.5, 11),
        "blocks": Decoding(168, 16.7, 22.5, 15.9, weight=4.1),
        "base3": Decoding(120, 10.2, 19, weight=13.8),
    },
    by_byte=(8, 12, 16, 22),
    widest_run=5,
)
_M7 = Costs(
    22,
    17,
    (17, 23, 29, 36),
    (3.8, 5.6, 7.3, 9.3),
    (5, 4.5),
    (2, 2),
    others((14, 5), (7, 2), (10, 6), (10, 9), (10, 12), (13, 18), (0, 1), (0, 2)),
    decoded={
        "rice": Decoding(105, 9.4, 10, 3.4),
        "blocks": Decoding(105, 8.2, 10, 5.7, weight=2.6),
        "base3": Decoding(75, 3.2, 9, weight=6.3),
    },
    by_byte=(3.8, 5.6, 7.3, 10.3),
)
_WIDE_M0 = others((0, 0), (0, 0), (205, 6), (172, 6), (190, 20), (200, 52), (2, 0), (3, 0))
_M0PLUS = Costs(
    51,
    41,
    (84, 133, 184, 230),
    (8, 13, 17, 21),
    (11, 11),
    (7, 6),
    _WIDE_M0,
    negate=6,
    apart=1,
    lo=9,
    below=4,
    decoded={
        "rice": Decoding(204, 21, 17.3, 14.6, 8.4),
        "blocks": Decoding(204, 15.9, 17.3, 11.8, weight=9.4),
        "base3": Decoding(150, 16.6, 28, weight=17),
    },
    by_byte=(8, 13, 17, 23),
    packed=18,
    byte_channel=1,
    byte_strip=(3, 0, 4),
)
_M0 = Costs(
    53,
    44,
    (86, 135, 186, 232),
    (8, 13, 17, 21),
    (12, 12),
    (7, 6),
    _WIDE_M0,
    negate=6,
    apart=1,
    lo=10,
    below=4,
    decoded={
        "rice": Decoding(209, 22.8, 20, 14.7, 9.4),
        "blocks": Decoding(209, 17.5, 20, 13.6, weight=10.6),
        "base3": Decoding(150, 18.6, 31, weight=18),
    },
    by_byte=(8, 13, 17, 23),
    packed=18,
    byte_channel=1,
    byte_strip=(3, 0, 4),
)


@dataclass(frozen=True)
class Part:
    """Entries of a channel's list that are summed in 16 bits, one part behind the other."""

    lead: int  # how many are taken from the centre, or only added if there is none
    rest: int  # how many are added then
    centre: int | None


@dataclass(frozen=True)
class Channel:
    """How a channel is computed: see the proof above."""

    minus_first: bool  # in the list
    parts: tuple[Part, ...]
    end: int  # the token
    scale: int  # mult and shift for the sum, as sparse.h has them
    add: int


def weights(node: Node) -> Array:
    """Weights as (O, C of a group, KH, KW)."""
    w = node.inputs[1].const
    return w if w.ndim == 4 else w[:, None]


def distances(node: Node, lay: Layout) -> Array:
    """Words from the pixel of weight (0, 0, 0) to that of each weight of an output channel, in the first group."""
    op = node.op
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    channel, i, j = np.indices(weights(node).shape[1:])
    return (channel * lay.plane + i * op.dilation[0] * lay.pitch + j * op.dilation[1]).ravel()


def channel_rows(node: Node, lay: Layout, offsets: Array) -> Iterator[tuple[Array, Array]]:
    """Of each output channel: its weights, and offsets, which are of the first group, of the pixels of its group."""
    w = weights(node)
    groups = node.inputs[0].type.shape[0] // w.shape[1]
    for o, row in enumerate(w.reshape(len(w), -1)):
        yield row, offsets + o * groups // len(w) * w.shape[1] * lay.plane


def stream(w: Array) -> Array:
    """The weights in the order of codes: a row for each channel of y, of rows and columns, channels of x."""
    return w.transpose(0, 2, 3, 1).reshape(len(w), -1)


@lru_cache(maxsize=128)  # every layout asks for them again
def code(node: Node, encoding: str) -> tuple[Array, int, int]:
    """The halfwords of a node's weights in rice, blocks or base3, their bits, and the code's parameter."""
    in_order = stream(node.inputs[1].const).ravel()
    if encoding == "base3":
        digits = pack.pack_base3x10(in_order)
        return digits, 16 * digits.size, 0
    bits, parameter = pack.rice_bits(in_order) if encoding == "rice" else pack.blocks_bits(in_order)
    return (pack.pack_rice if encoding == "rice" else pack.pack_blocks)(in_order, parameter), bits, parameter


def parts(row: Array, offsets: Array, how: Channel) -> list[pack.Lists]:
    """The parts of a channel's program; offsets: of its weights' pixels."""
    lists = offsets[row == -1], offsets[row == 1]
    entries = np.concatenate(lists if how.minus_first else lists[::-1])
    found: list[pack.Lists] = []
    at = 0
    for part in how.parts:
        end = at + part.lead + part.rest
        found.append((entries[at : at + part.lead], entries[at + part.lead : end], part.centre))
        at = end
    return found


def costs(core: base.Core) -> Costs:
    """With Helium those of strips without it."""
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    if "m3" in core.isa:
        return _M3
    return _M0 if core.name == "cortex-m0" else _M0PLUS


def entries_and_tokens(how: Channel) -> tuple[int, int]:
    """Of a channel's program; tokens that add."""
    entries = sum(part.lead + part.rest for part in how.parts)
    tokens = sum(-(-part.lead // pack.MOST_ADDED) + -(-part.rest // pack.MOST_ADDED) for part in how.parts)
    tokens -= how.parts[0].lead % pack.MOST_ADDED == 1  # the first entry needs none
    return max(entries, 1), tokens


class Tail(Protocol):
    """A channel's constants for its sum: mult and shift as sparse.h has them, and add."""

    @property
    def scale(self) -> int: ...

    @property
    def add(self) -> int: ...


def run_cycles(costs: Costs, runs: Sequence[Run]) -> float:
    """Of a channel's runs, without their strips."""
    return costs.run * len(runs) + costs.widest_run * sum(run[3] == WIDEST for run in runs)


def strip_cycles(costs: Costs, words: int, entries: int, tokens: int, how: Channel, step: int = 1) -> float:
    wide = words == WIDEST
    token, apart = costs.token[wide], (words - 1) * costs.apart if step > 1 else 0
    cycles = costs.strip[words - 1] + entries * (costs.entry[words - 1] + apart) + tokens * token
    centred = sum(part.centre is not None for part in how.parts)
    cycles += centred * (token + costs.centre[wide] + costs.negate * words)
    added = (pack.WIDE_SET, *[pack.WIDE_ADD] * (len(how.parts) - 2)) if len(how.parts) > 1 else ()
    for each in (*added, how.end):
        strip, word = costs.others.get(each, (0, 0))
        cycles += strip + word * words
    return cycles


def constants(node: Node, acc: Range) -> tuple[Array, Array, Array]:
    constants = tail_constants(node)
    assert constants is not None
    mult, add, shift = (np.broadcast_to(c, acc.lo.shape).astype(np.int64) for c in constants)
    return mult, add, shift


@lru_cache(maxsize=128)  # every encoding and every layout asks for them again
def channels(node: Node, acc: Range) -> tuple[Channel, ...]:
    """How each output channel is computed."""
    w = weights(node).reshape(node.output.type.shape[0], -1)
    full, highest = whole_range(node.op), node.inputs[0].type.dtype.hi  # type: ignore[arg-type]
    rows = zip((w == -1).sum(axis=1), (w == 1).sum(axis=1), acc.lo, acc.hi, *constants(node, acc), strict=True)
    return tuple(choose(*map(int, numbers), full=full, highest=highest) for numbers in rows)


def whole_range(op: Conv2d | DepthwiseConv2d) -> bool:
    """True if results are clamped to 0 .. 255."""
    return op.to is not None and (op.to.lo, op.to.hi) == (0, 255)


def packs(how: Tail) -> bool:
    """True if 27 bits hold add, in units of 2^(shift - 16) if shift > 16."""
    unit = 1 << max(0, (how.scale >> 16) - 16)
    return how.add % unit == 0 and -(1 << 26) <= how.add // unit < 1 << 26


def packed_tail(how: Tail) -> tuple[int, int]:
    """The second and third halfword of a tail of 6 bytes."""
    shift = how.scale >> 16
    rest = how.add >> max(0, shift - 16) << 5 | shift
    return rest, rest >> 16


def tails(channels: Sequence[Tail]) -> tuple[base.Field, base.Field]:
    """In `packing` if 6 bytes suffice for every channel, else 8 in `tails`."""
    if not all(map(packs, channels)):
        words = np.array([(how.scale, how.add) for how in channels], np.int32)
        return base.Field("tails", "int32_t", words), base.Field("packing", "const uint16_t *", base.NULL)
    packed = np.array([(how.scale, *packed_tail(how)) for how in channels]) & 0xFFFF
    return (
        base.Field("tails", "const int32_t *", base.NULL),
        base.Field("packing", "uint16_t", packed.astype(np.uint16)),
    )


def nearest_centre(least: int, most: int, grain: int) -> int:
    """The centre nearest to 0, a multiple of grain if there is one."""
    centre = min(max(0, -(-least // grain) * grain), most // grain * grain)
    return centre if centre >= least else min(max(0, least), most)


def choose(
    minus: int, plus: int, lo: int, hi: int, mult: int, add: int, shift: int, *, full: bool, highest: int
) -> Channel:
    """How a channel with so many weights of -1 and 1, these accumulator limits and constants is computed.

    full: the result is clamped to 0 .. 255; highest: that a pixel can be.
    """
    tail = mult, add, shift
    short = all(-fixed.INT32 <= acc * mult + add < fixed.INT32 for acc in (lo, hi))
    if hi - lo >= 1 << 16 or not short:
        return _split(minus, plus, tail, highest, short=short)
    if not (minus and plus):  # one list, or none: no centre, if its sum fits as it is
        sign = -1 if minus else 1
        if max(sign * lo, sign * hi) < 1 << 15:
            part = Part(minus + plus, 0, None)
            return ended(minus > 0, part, sign=sign, limits=(lo, hi), tail=tail, full=full)
    sign = 1 if minus else -1  # centre - plus
    least, most = -(1 << 15) - min(sign * lo, sign * hi), (1 << 15) - 1 - max(sign * lo, sign * hi)
    assert least <= most, (lo, hi)
    grain = 1 << max(0, shift - 16)  # of the centres that END can take
    centre = nearest_centre(least, most, grain)
    part = Part(minus, plus, centre) if minus else Part(plus, 0, centre)
    return ended(minus > 0, part, sign=sign, limits=(lo, hi), tail=tail, full=full)


def _split(minus: int, plus: int, tail: tuple[int, int, int], highest: int, *, short: bool) -> Channel:
    """Parts as long as pixels of 0 .. highest allow, in 16 bits each; short: the end has 32 bits."""
    room = 0xFFFF // highest if short else min(0x7FFF // highest, minus + plus - 1)
    lead, rest = (minus, plus) if minus else (plus, 0)
    parts = []
    while lead or rest:
        some = min(lead, room)
        more = min(rest, room - some)
        lead, rest = lead - some, rest - more
        least, most = highest * some - (1 << 15), (1 << 15) - 1 - highest * more
        none = some == 0 and most >= 0
        parts.append(Part(more, 0, None) if none else Part(some, more, min(max(0, least), most)))
    assert len(parts) > 1
    mult, add, shift = tail
    sign = 1 if minus else -1  # centre - plus
    total = sum(part.centre or 0 for part in parts)
    m, a = sign * mult, add - sign * total * mult
    assert short or (total == 0 and shift >= 16)
    end = pack.END_WIDE if short else pack.END_LONG
    return Channel(minus > 0, tuple(parts), end, (m & 0xFFFF) | shift << 16, wrapped(a))


def ended(
    minus_first: bool, part: Part, *, sign: int, limits: tuple[int, int], tail: tuple[int, int, int], full: bool
) -> Channel:
    """The channel of one part with the tail of its sum, and its end.

    END, and END_LIMITS before its clamp, is (sum * t0 >> 16) + t1, in 32 bits, where t0 = mult * 2^(32 - shift) and
    t1 = add * 2^(16 - shift) are whole numbers: then rounding down the product is rounding down the sum, which is
    (sum * mult + add) * 2^16 / 2^shift, and its upper half is the result. It has 32 bits where the result before the
    clamp has 16; SMLAWB gives no more. For a shift of 15 or 14 t0 is too large for 32 bits where mult has 16; END_TWICE
    and END_FOURFOLD make the sum larger in its place, if that has 16 bits, as with few weights, where multipliers are
    large.
    """
    mult, add, shift = tail
    m, a, s = sign * mult, add - sign * (part.centre or 0) * mult, shift
    results = [(acc * mult + add) >> shift for acc in limits]
    if all(-(1 << 15) <= r < 1 << 15 for r in results):
        up = max(0, 16 - s)  # a shift below 16 as 16
        whole = a % (1 << max(0, s - 16)) == 0
        if whole and abs(m << up) < 1 << 15 and abs(a << up) < 1 << 31:
            end = pack.END if full else pack.END_LIMITS
            return Channel(minus_first, (part,), end, (m << up & 0xFFFF) | s + up << 16, a << up)
        sums = [(sign * acc + (part.centre or 0)) << up for acc in limits]
        if full and s in (14, 15) and abs(a << up) < 1 << 31 and all(-(1 << 15) <= v < 1 << 15 for v in sums):
            end = pack.END_TWICE if s == 15 else pack.END_FOURFOLD
            return Channel(minus_first, (part,), end, (m & 0xFFFF) | s << 16, a)
    return Channel(minus_first, (part,), pack.END_SHIFT, (m & 0xFFFF) | s << 16, wrapped(a))


def wrapped(add: int) -> int:
    """The addend modulo 2^32: sums are, too, and the last one fits."""
    return (add + (1 << 31)) % (1 << 32) - (1 << 31)


def runs(node: Node, sig: base.Signature, by_byte: bool = False) -> list[Run]:
    """Runs of equal strips that cover a plane of y, as `covering` finds them."""
    return covering(
        node,
        sig,
        prices(mean_entries(node), by_byte),
        tuple(_DSP.run + _DSP.widest_run * (n == WIDEST) for n in range(1, WIDEST + 1)),
    )


def run_fields(
    node: Node, sig: base.Signature, runs: Sequence[Run], more: Sequence[Run] = ()
) -> tuple[base.Field, ...]:
    """What structs have from `runs` to `step`; more: runs behind those that are counted."""
    op = node.op
    assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
    return (
        base.Field("runs", "uint16_t", np.array([*runs, *more], np.uint16)),
        base.Field("run_count", "uint16_t", len(runs)),
        base.Field("lo", "uint8_t", op.to.lo),
        base.Field("hi", "uint8_t", op.to.hi),
        base.lanes_field("out", sig.output, node.output.type),
        base.Field("step", "uint8_t", op.stride[1]),
    )


def functions(
    stem: str, runs: Sequence[Run], step: int, sizes: Mapping[int, tuple[int, ...]], only: str
) -> list[base.Part]:
    """The functions for the strips of some runs; sizes: bytes of those of 1 word and more, by the step."""
    widths = sorted({run[3] for run in runs})
    return [base.Part(f"{stem}{n}{'x2' * (step - 1)}", sizes[step][n - 1], only) for n in widths]


def below(node: Node, acc: Range) -> Array:
    """The share of each channel's pixels that are below 0: as if sums were normal, x had a mean of its zero point or a
    fourth of its range, and deviated by that fourth."""
    x, w = node.inputs[0].type, weights(node)
    fourth = x.dtype.hi / 4
    signs = w.reshape(len(w), -1).astype(np.int64)
    mult, add, _ = constants(node, acc)
    mean = signs.sum(axis=1) * (x.zero_point or fourth) * mult + add
    deviation = np.maximum(np.abs(mult) * fourth * np.sqrt(np.abs(signs).sum(axis=1)), 1e-9)
    return np.array([0.5 * math.erfc(v) for v in mean / deviation / math.sqrt(2)])


def covering(node: Node, sig: base.Signature, each: tuple[float, ...], run: tuple[float, ...]) -> list[Run]:
    """(first word of x, first word of y, words, words of a strip) of runs of equal strips that cover a plane of y.

    Row by row, or where rows of x and y go on alike, all at once with the pad columns between them, which the seal
    repairs: whichever is expected to be faster. each, run: cycles of a strip, and of a run besides, by their words.
    """
    op, y = node.op, node.output.type
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    a, b = sig.inputs[0], sig.output
    _, height, width = layout.seen(b, y.shape)
    height = min(b.rows_per_lane, height)

    def rows(count: int, words: int) -> list[Run]:
        found = []
        for row in range(count):
            x_at = a.pad_cols + (row * op.stride[0] - op.padding[0] + a.halo_top) * a.pitch - op.padding[1]
            y_at = b.pad_cols + (row + b.halo_top) * b.pitch
            for strip, n in cover(words, each):
                found.append((x_at, y_at, n * strip, strip))
                x_at, y_at = x_at + n * strip * op.stride[1], y_at + n * strip
        return found

    def cost(runs: list[Run]) -> float:
        return sum(run[strip - 1] + n // strip * each[strip - 1] for _, _, n, strip in runs)

    options = [rows(height, width)]
    if op.stride[0] * a.pitch == op.stride[1] * b.pitch:
        options.append(rows(1, (height - 1) * b.pitch + width))
    return min(options, key=cost)


def mean_entries(node: Node) -> int:
    """Weights of an output channel that are not zero."""
    w = node.inputs[1]
    return int(np.count_nonzero(w.const)) // w.type.shape[0]


def prices(entries: int, by_byte: bool = False) -> tuple[float, ...]:
    """Cycles of a typical strip of 1 to WIDEST words."""
    usual = Channel(True, (Part(0, 0, 0),), pack.END, 0, 0)
    more = [by_byte * entries * (a - b) for a, b in zip(_DSP.by_byte, _DSP.entry, strict=True)]
    return tuple(strip_cycles(_DSP, n, entries, 2, usual) + more[n - 1] for n in range(1, WIDEST + 1))


@lru_cache(maxsize=1024)
def cover(words: int, each: tuple[float, ...]) -> tuple[tuple[int, int], ...]:
    """(words of a strip, how many), widest first, that make up `words` in the least cycles.

    each: cycles of a strip, by its words.
    """
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    widest = len(each)
    whole = max(0, words - 2 * widest) // widest  # far from the end the widest strips are the fastest
    for n in range(1, words - whole * widest + 1):
        some = [
            (best[n - strip][0] + each[strip - 1], (*best[n - strip][1], strip))
            for strip in range(1, min(n, widest) + 1)
        ]
        best[n] = min(some)
    strips = [*best[words - whole * widest][1], *[widest] * whole]
    return tuple((strip, strips.count(strip)) for strip in range(widest, 0, -1) if strip in strips)


def layouts(node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
    """The layouts of a convolution in lanes."""
    op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    if w.dtype is not DType.T or op.to is None or op.stride[1] > 2 or not base.fits(x, w, y):
        return None
    return base.lanes_window(x, y, base.Signature(inputs, output), w.shape[-2:], op.stride, op.padding, op.dilation)


def reaches(node: Node, sig: base.Signature, farthest: int = FARTHEST) -> bool:
    """True if offsets, of `farthest` words at most, count the words of x, and 16 bits those of a channel of y."""
    return node.inputs[0].type.shape[0] * sig.inputs[0].plane <= farthest and sig.output.plane <= FARTHEST


def proven(node: Node, acc: Range) -> tuple[bool, bool]:
    """True if the ends of all channels have 32 bits; if each has 32 or 64."""
    mult, add, shift = constants(node, acc)
    ends = np.stack([acc.lo * mult + add, acc.hi * mult + add])
    short = ((ends >= -fixed.INT32) & (ends < fixed.INT32)).all(axis=0)
    long = (shift >= 16) & (np.abs(add) < _LONG_ADD) & (np.abs(ends) < 1 << 39).all(axis=0)
    return bool(np.all(short)), bool(np.all(short | long))
