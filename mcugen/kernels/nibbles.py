"""nibbles: convolutions with ternary weights from lanes of nibbles to lanes of nibbles, by lists of their weights.

The sums of a word's eight pixels begin in bytes (firmware/kernels/nibbles_strips.h), and this file proves that none of
them leaves 0 .. 255: with pixels from 0 to h, a chunk of m weights that are taken from a centre c and then r that are
added is a number from c - h m to c + h r, if only h m <= c and c + h r <= 255; without a centre, where r is 0, one from
0 to h m. So no byte carries or borrows, in any lane: the type of the pixels bounds those of garbage rows and of pads,
too. 255 // h weights make a chunk.

A channel of more adds its chunks to sums S of 16 bits: those of its longer list of weights, w = 1 or w = -1, and then
255 less those of the other, and of the one chunk that has weights of both; so that S = sign * acc + centre modulo 2^16,
where one centre, which is free, takes up the 255s and the chunks' own. As in strips.py S is right if it fits 16 bits
for all that range analysis allows of acc; and so are the tail and its product, in 32 bits.

The lists lie in flash (nibbles16), or one channel's at a time in scratch, decoded from a Rice code (rice) whose decoder
divides them in the same way. All channels of such a layer have one centre.

The centre of a lone chunk is not free, and so the addend, add - sign * centre * mult, may not be the multiple of
2^(shift - 16) that the short end takes. One of the two next to it serves as well if it gives the same result for every
sum that there can be, at most 256: all are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from .. import fixed, pack
from ..ir import Array, Node, Range
from ..layout import Layout
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from . import base, strips

BYTE = 255  # the largest sum of a chunk
MOST = 15  # the largest pixel
_STRIP_BYTES = {1: (1120, 1700, 2290, 2790), 2: (1120, 1700, 2290, 2900)}  # by the step in x
_SHIFT_BYTES = 1340
_RICE_BYTES = 1080
_COPIED = 3  # offsets that the decoder may copy beyond the last: it takes four at a time
_SUMS = {  # ends of several chunks
    pack.END: pack.END_SUMS,
    pack.END_SHIFT: pack.END_SUMS_SHIFT,
    pack.END_LIMITS: pack.END_SUMS_LIMITS,
}


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, as simulated; bench/kernels.py compares."""

    channel: float
    run: float
    strip: tuple[float, ...]  # of 1 to 4 words of a lone chunk, without entries and tokens
    entry: tuple[float, ...]  # of a weight
    token: tuple[float, float]  # of strips of up to 3 words, of 4
    centre: tuple[float, float]  # of a strip and of a word, besides the token
    several: tuple[float, float]  # the same: the first and the last of several chunks, over a lone one
    add: tuple[float, float]  # of each other one
    sub: tuple[float, float]  # over add
    shift: tuple[float, float]  # an end, over the short one
    limits: tuple[float, float]
    packed: float  # more of a channel, if its tail has 6 bytes
    widest_run: float = 2.6
    decoded: strips.Decoding = field(kw_only=True)  # an entry with its part of its chunk


_DSP = Costs(
    *(38, 32, (47.4, 73, 97.7, 123.8), (7, 11, 15, 20), (7.8, 5.9), (5.2, 2.1), (19.5, 15.5), (13.3, 13.3), (3.6, 1.7)),
    *((23, 22), (11, 9.8), 13),
    decoded=strips.Decoding(211, 19.3, 22.3, 11.8),
)
_M3 = Costs(
    *(38, 32, (63.7, 105.2, 145.8, 188), (7, 11, 15, 20), (7.9, 5.9), (5.2, 2.1), (18, 29.7), (13.2, 15.3), (3.5, 1.7)),
    *((27, 32.1), (13, 23.9), 10),
    decoded=strips.Decoding(207, 21.3, 22.6, 12),
)
_M7 = Costs(
    *(24, 20, (30, 46, 62.1, 79.2), (5, 6, 9, 12), (6.8, 5.6), (2.4, 1.1), (9.6, 7), (11.6, 7.7), (1.3, 0.9)),
    *((17.5, 12.7), (5.3, 6.7), 15),
    decoded=strips.Decoding(142, 11, 8.3, 5.1),
)


def _costs(core: base.Core) -> Costs | None:
    """None for nibbles_ref.c."""
    if not base.takes_nibbles(core):
        return None
    if core.name == "cortex-m7":
        return _M7
    return _DSP if "dsp" in core.isa else _M3


@dataclass(frozen=True)
class Channel:
    """How a channel is computed: see the proof above."""

    minus_first: bool  # in the list
    chunks: tuple[strips.Part, ...]
    signs: tuple[int, ...]
    centre: int  # of S, what pack_nibbles16 takes
    end: int  # the token
    scale: int  # mult and shift for the sum, as sparse.h has them
    add: int


Channels = tuple[Channel, ...]


@dataclass(frozen=True)
class Nibbles(base.NibbleKernel):
    """Weight-stationary as `sparse`, eight pixels in a word."""

    weights: str = field(default="nibbles16")  # or rice
    stem = "nibbles"
    op = Conv2d
    code_bytes = 490
    uses_scratch = True
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = (v.type for v in node.inputs[:2])
        if not (inputs[0].nibbles and output.nibbles) or (self.weights == "rice" and w.shape[1] != x.shape[0]):
            return None
        return strips.layouts(node, inputs, output)

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return strips.reaches(node, sig)

    def accepts(self, node: Node, acc: Range) -> bool:
        short, _ = strips.proven(node, acc)
        if not short or node.inputs[0].type.dtype.hi > MOST:
            return False
        return _channels_of(node, acc, self.weights == "rice") is not None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, coded = node.op, self.weights == "rice"
        assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
        channels = _channels_of(node, acc, coded)
        assert channels is not None
        weights, tails, scratch = (_coded if coded else _listed)(node, sig.inputs[0], channels)
        runs, ends = _runs(node, sig), {how.end for how in channels}
        return base.Bound(
            (
                base.Field(
                    "layer",
                    "mcugen_sparse",
                    (
                        base.Field("weights", "uint16_t", weights),
                        tails[0],
                        *strips.run_fields(node, sig, runs),
                        base.Field("wide_run_count", "uint8_t", 0),
                        base.Field("x_plane", "uint16_t", 0),
                        tails[1],
                        base.Field("decode", "mcugen_sparse_decode_fn", "mcugen1_nibbles_rice" if coded else base.NULL),
                    ),
                ),
            ),
            scratch=scratch,
            needs=("lanes", "nibbles_seal", "sparse", "sparse_cores", "sparse_strips", "nibbles_strips")
            + ("sparse_scratch", "sparse_decode", "sparse_rice_thumb2", "nibbles_rice_thumb2") * coded,
            parts=(
                *strips.functions("nibbles", runs, op.stride[1], _STRIP_BYTES, "THUMB2"),
                *(
                    [base.Part("nibbles_shift", _SHIFT_BYTES, "THUMB2")]
                    if ends & {pack.END_SHIFT, pack.END_SUMS_SHIFT}
                    else []
                ),
                *([base.Part("nibbles_rice", _RICE_BYTES)] if coded else []),
            ),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        coded = self.weights == "rice"
        cycles = sum(_cycles(node, sig, acc, core, coded)) + base.seal_cycles(sig.output, node.output.type, core)
        return cycles + _decoding(node, core) if coded else cycles


@dataclass(frozen=True)
class NibblesDepthwise(Nibbles):
    """The same for ternary depthwise layers: a channel's list has the weights of one plane."""

    weights: str = field(default="nibbles16 depthwise", init=False)
    op = DepthwiseConv2d
    by_plane = True


def _listed(node: Node, lay: Layout, channels: Channels) -> tuple[Array, tuple[base.Field, base.Field], int]:
    """The programs and the tails; no bytes of scratch."""
    rows = strips.channel_rows(node, lay, strips.distances(node, lay))
    programs = [_program(row, places, how) for (row, places), how in zip(rows, channels, strict=True)]
    return np.concatenate(programs), strips.tails(channels), 0


def _coded(node: Node, lay: Layout, channels: Channels) -> tuple[Array, tuple[base.Field, base.Field], int]:
    """The code, its numbers and the tails (MCUGEN_RICE_K ... in sparse.h, nibbles.h), and bytes of scratch."""
    op, w, highest = node.op, node.inputs[1].const, node.inputs[0].type.dtype.hi
    assert isinstance(op, Conv2d) and op.to is not None
    _, c, kh, kw = w.shape
    code, _, k = strips.code(node, "rice")
    short = pack.END if (op.to.lo, op.to.hi) == (0, MOST) else pack.END_LIMITS
    wide = not all(map(strips.packs, channels))
    if not wide and any((_alone(how.end) == pack.END_SHIFT) == (16 <= how.scale >> 16 <= 24) for how in channels):
        short = pack.END_SHIFT
    rows = w.reshape(len(w), -1)
    minus, plus = (int((rows == sign).sum(axis=1).max()) for sign in (-1, 1))
    none = np.zeros(w[0].size, np.int64)
    longest = max(_program(row, none, how).size for row, how in zip(rows, channels, strict=True))
    below = -(-2 * (longest + _COPIED + minus + 1) // 32)
    numbers = [
        *(k, c, lay.plane, kw, kh, op.dilation[1], op.dilation[0] * lay.pitch - (kw - 1) * op.dilation[1]),
        *(_common(channels), below, short | BYTE // highest << 8, wide | highest << 8),
    ]
    tails = [
        (how.scale, how.scale >> 16 | _alone(how.end) << 8, how.add, how.add >> 16)
        if wide
        else (how.scale, *strips.packed_tail(how))
        for how in channels
    ]
    fields = (
        base.Field("tails", "const int32_t *", base.NULL),
        base.Field("packing", "uint16_t", (np.array([*numbers, *np.ravel(tails)]) & 0xFFFF).astype(np.uint16)),
    )
    # The program from the beginning, the lists round the middle, a zero at both of their ends.
    return code, fields, -(-(32 * below + 2 * (plus + 1 + _COPIED)) // 4) * 4


def _alone(end: int) -> int:
    """The token of a lone chunk for an end of several."""
    return next((lone for lone, several in _SUMS.items() if several == end), end)


def _common(channels: Channels) -> int:
    """The centre of the channels of several chunks."""
    several = (how for how in channels if len(how.chunks) > 1)
    return next((how.centre + _own(how.chunks, how.signs) for how in several), 0)


def _own(chunks: tuple[strips.Part, ...], signs: tuple[int, ...]) -> int:
    """What chunks that are taken from 255 add."""
    return sum(BYTE - (chunk.centre or 0) for chunk, sign in zip(chunks, signs, strict=True) if sign < 0)


def _program(row: Array, offsets: Array, how: Channel) -> Array:
    """offsets: of the weights' pixels."""
    lists = offsets[row == -1], offsets[row == 1]
    entries = np.concatenate(lists if how.minus_first else lists[::-1])
    chunks: list[pack.Lists] = []
    at = 0
    for chunk in how.chunks:
        middle, end = at + chunk.lead, at + chunk.lead + chunk.rest
        chunks.append((entries[at:middle], entries[middle:end], chunk.centre))
        at = end
    return pack.pack_nibbles16(chunks, how.signs, how.centre, how.end)


@lru_cache(maxsize=128)
def _channels_of(node: Node, acc: Range, one: bool = False) -> Channels | None:
    """How each output channel is computed, `one` with one centre for all; None if one cannot be."""
    w = strips.weights(node).reshape(node.output.type.shape[0], -1)
    to = node.op.to  # type: ignore[attr-defined]
    limits, highest = (to.lo, to.hi), node.inputs[0].type.dtype.hi
    counts = np.stack([(w == -1).sum(axis=1), (w == 1).sum(axis=1)], axis=1)
    bounds = [_centres(*map(int, (*some, lo, hi))) for some, lo, hi in zip(counts, acc.lo, acc.hi, strict=True)]
    if one:
        several = [b for some, b in zip(counts, bounds, strict=True) if some.sum() > BYTE // highest]
        both = (max(b[0] for b in several), min(b[1] for b in several)) if several else (0, 0)
        if both[0] > both[1]:
            return None
        bounds = [(strips.nearest_centre(*both, 1 << 8),) * 2] * len(bounds)
    found = []
    for some, bound, *numbers in zip(counts, bounds, acc.lo, acc.hi, *strips.constants(node, acc), strict=True):
        how = choose(*map(int, (*some, *numbers)), to=limits, highest=highest, centres=bound)
        if how is None:
            return None
        found.append(how)
    return tuple(found)


def _centres(minus: int, plus: int, lo: int, hi: int) -> tuple[int, int]:
    """The least and the greatest centre of several chunks with so many weights and these accumulator limits."""
    sign = -1 if minus > plus else 1
    return -(1 << 15) - min(sign * lo, sign * hi), (1 << 15) - 1 - max(sign * lo, sign * hi)


def choose(
    minus: int,
    plus: int,
    lo: int,
    hi: int,
    mult: int,
    add: int,
    shift: int,
    *,
    to: tuple[int, int],
    highest: int,
    centres: tuple[int, int] | None = None,
) -> Channel | None:
    """How a channel with so many weights of -1 and 1, these accumulator limits and constants is computed.

    to: what results are clamped to; highest: that a pixel can be; centres: limits of that of several chunks, if not all
    that its sums allow. None if these have no 16 bits.
    """
    room = BYTE // highest
    if minus + plus <= room:
        return _lone(minus, plus, (lo, hi), (mult, add, shift), to, highest)
    minus_first = minus > plus
    sign = -1 if minus_first else 1
    chunks, signs = chunked(*((minus, plus) if minus_first else (plus, minus)), highest)
    least, most = centres or _centres(minus, plus, lo, hi)
    if least > most:
        return None
    centre = strips.nearest_centre(least, most, 1 << max(0, shift - 16))
    how = _ended(minus_first, strips.Part(0, 0, centre), sign, (lo, hi), (mult, add, shift), to)
    return Channel(minus_first, chunks, signs, centre - _own(chunks, signs), _SUMS[how.end], how.scale, how.add)


def chunked(first: int, second: int, highest: int) -> tuple[tuple[strips.Part, ...], tuple[int, ...]]:
    """The chunks of a longer list and of a shorter one, and their signs; they do not fit one."""
    room = BYTE // highest
    full, more = divmod(first, room)
    chunks = [strips.Part(room, 0, None)] * full
    if not second:  # the last one has to be taken from 255: 255 less that is its sum
        last = strips.Part(more or room, 0, BYTE)
        chunks = [*chunks[: full - (more == 0)], last]
        return tuple(chunks), (*[1] * (len(chunks) - 1), -1)
    plus = full
    if more and -(-first // room) + -(-second // room) > -(-(first + second) // room):
        mixed = strips.Part(more, min(second, room - more), highest * more)
        chunks, second = [*chunks, mixed], second - mixed.rest
    elif more:
        chunks, plus = [*chunks, strips.Part(more, 0, None)], plus + 1
    while second:
        some = min(second, room)
        chunks, second = [*chunks, strips.Part(some, 0, None)], second - some
    return tuple(chunks), (*[1] * plus, *[-1] * (len(chunks) - plus))


def _ended(
    minus_first: bool,
    part: strips.Part,
    sign: int,
    limits: tuple[int, int],
    tail: tuple[int, int, int],
    to: tuple[int, int],
) -> strips.Channel:
    """As strips.ended, of the ends that a lone chunk has: the short ones are for shifts up to 24 and results of 8 bits.

    Without the DSP extension they shift the sum, and so the result, into the upper 8 of 32 bits.
    """
    mult, add, shift = tail
    how = strips.ended(minus_first, part, sign=sign, limits=limits, tail=tail, full=False)
    short = how.end == pack.END_LIMITS and how.scale >> 16 <= 24
    short = short and all(-128 <= acc * mult + add >> shift < 128 for acc in limits)
    return replace(how, end=(pack.END if to == (0, MOST) else pack.END_LIMITS) if short else pack.END_SHIFT)


def _lone(
    minus: int, plus: int, limits: tuple[int, int], tail: tuple[int, int, int], to: tuple[int, int], highest: int
) -> Channel:
    both = minus > 0 and plus > 0
    part = strips.Part(minus, plus, highest * minus) if both else strips.Part(minus + plus, 0, None)
    sign = -1 if minus and not plus else 1
    how = _ended(minus > 0, part, sign, limits, _even(sign, part.centre or 0, limits, tail, to), to)
    return Channel(minus > 0, (part,), (1,), 0, how.end, how.scale, how.add)


def _even(
    sign: int, centre: int, limits: tuple[int, int], tail: tuple[int, int, int], to: tuple[int, int]
) -> tuple[int, int, int]:
    """The same tail, or one of another addend that becomes a multiple of 2^(shift - 16), of the same results."""
    mult, add, shift = tail
    grain, exact = 1 << max(0, shift - 16), add - sign * centre * mult
    if exact % grain == 0:
        return tail
    acc = np.arange(limits[0], limits[1] + 1)
    want = fixed.requantize(acc, mult, add, shift, *to)
    for near in (exact // grain * grain, (exact // grain + 1) * grain):
        other = near + sign * centre * mult
        fits = all(-fixed.INT32 <= int(end) * mult + other < fixed.INT32 for end in limits)
        if fits and np.array_equal(fixed.requantize(acc, mult, other, shift, *to), want):
            return mult, other, shift
    return tail


def _runs(node: Node, sig: base.Signature) -> list[strips.Run]:
    each = prices(strips.mean_entries(node), BYTE // node.inputs[0].type.dtype.hi)
    return strips.covering(node, sig, each, tuple(_run_cycles(_DSP, n) for n in range(1, strips.WIDEST + 1)))


@lru_cache(maxsize=1024)
def prices(entries: int, room: int) -> tuple[float, ...]:
    """Cycles of a typical strip of 1 to WIDEST words."""
    full, more = divmod(entries, room)
    parts = (*[strips.Part(room, 0, None)] * full, *([strips.Part(more, 0, None)] if more or not full else []))
    signs = tuple(-1 if i > full // 2 else 1 for i in range(len(parts)))
    how = Channel(True, parts, signs, 0, pack.END if len(parts) == 1 else pack.END_SUMS, 0, 0)
    return tuple(_strip_cycles(_DSP, n, how) for n in range(1, strips.WIDEST + 1))


def _strip_cycles(costs: Costs, words: int, how: Channel) -> float:
    """Cycles of a channel's program over a strip."""
    token, entry = costs.token[words == strips.WIDEST], costs.entry[words - 1]
    cycles = costs.strip[words - 1]
    more = [costs.several] if len(how.chunks) > 1 else []
    for i, (chunk, sign) in enumerate(zip(how.chunks, how.signs, strict=True)):
        cycles += max(chunk.lead + chunk.rest, 1) * entry
        cycles += token * (-(-(chunk.lead - 1) // pack.MOST_ADDED) + -(-chunk.rest // pack.MOST_ADDED))
        if chunk.centre is not None:
            cycles += token
            more.append(costs.centre)
        if 0 < i < len(how.chunks) - 1:
            more += [costs.add, costs.sub][: 1 + (sign < 0)]
    if how.end in (pack.END_SHIFT, pack.END_SUMS_SHIFT):
        more.append(costs.shift)
    if how.end in (pack.END_LIMITS, pack.END_SUMS_LIMITS):
        more.append(costs.limits)
    return cycles + sum(strip + word * words for strip, word in more)


def _decoding(node: Node, core: base.Core) -> float:
    """Of all channels."""
    w, costs = node.inputs[1].const, _costs(core)
    taps, (_, bits, _), entries = w[0, 0].size, strips.code(node, "rice"), np.count_nonzero(w)
    if costs is None:
        return float((180 + 18 * taps) * len(w) + 90 * entries) * core.pressure
    d = costs.decoded
    return float((d.channel + d.tap * taps) * len(w) + d.entry * entries + d.halfword * bits / 16)


def _cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core, coded: bool) -> Iterator[float]:
    """Of each channel, without the seal."""
    runs, costs, channels = _runs(node, sig), _costs(core), _channels_of(node, acc, coded)
    assert costs is not None and channels is not None
    packed = costs.packed if not coded and all(map(strips.packs, channels)) else 0
    for how in channels:
        cycles_of = (run[2] // run[3] * _strip_cycles(costs, run[3], how) for run in runs)
        yield costs.channel + packed + sum(_run_cycles(costs, run[3]) for run in runs) + sum(cycles_of)


def _run_cycles(costs: Costs, words: int) -> float:
    return costs.run + costs.widest_run * (words == strips.WIDEST)
