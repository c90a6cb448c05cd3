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
_SHIFT_BYTES = 1300
_LIMITS = {pack.END: pack.END_LIMITS, pack.END_SUMS: pack.END_SUMS_LIMITS}
_SUMS = {pack.END: pack.END_SUMS, pack.END_SHIFT: pack.END_SUMS_SHIFT}


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler; bench/kernels.py compares with the simulation."""

    channel: float
    run: float
    strip: tuple[float, ...]  # of 1 to 4 words of a lone chunk, without entries and tokens
    entry: tuple[float, ...]  # of a weight
    token: tuple[float, float]  # of strips of up to 3 words, of 4
    centre: tuple[float, float]  # of a strip and of a word, besides the token
    set: tuple[
        float, float
    ]  # of a strip and of a word: the first of several chunks, with the entry that begins the next
    add: tuple[float, float]
    sub: tuple[float, float]  # over add
    end: tuple[float, float]  # of several chunks, over that of one
    shift: tuple[float, float]  # an end, over the short one
    sums_shift: tuple[float, float]
    limits: tuple[float, float]
    sums_limits: tuple[float, float]
    widest_run: float = 5
    packed: float = 13  # more of a channel, if its tail has 6 bytes
    apart: float = 0  # of a word but the first, and an entry, where words of x are not neighbours


_DSP = Costs(
    *(39, 30, (45, 71, 97, 127), (7, 11, 15, 20), (8, 6), (8, 2), (24, 12), (24, 17), (3, 2), (12, 8)),
    *((25, 12), (25, 12), (13, 10), (10, 10)),
)
_M3 = Costs(
    *(36, 30, (70, 120, 170, 220), (7, 11, 15, 20), (8, 6), (8, 2), (24, 14), (24, 19), (3, 2), (12, 28)),
    *((25, 24), (25, 24), (13, 24), (10, 24)),
    packed=10,
)


def _costs(core: base.Core) -> Costs | None:
    """None for nibbles_ref.c."""
    if not base.takes_nibbles(core):
        return None
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


@dataclass(frozen=True)
class Nibbles(base.Kernel):
    """Weight-stationary as `sparse`, eight pixels in a word."""

    weights: str = field(default="nibbles16", init=False)
    nibbles: bool = True
    stem = "nibbles"
    op = Conv2d
    code_bytes = 490
    uses_scratch = True
    runs = True

    def on(self, core: base.Core) -> Nibbles:
        return replace(self, nibbles=base.takes_nibbles(core))

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        if not (inputs[0].nibbles and output.nibbles):
            return None
        return strips.layouts(node, inputs, output)

    def accepts(self, node: Node, acc: Range) -> bool:
        short, _ = strips.proven(node, acc)
        return short and node.inputs[0].type.dtype.hi <= MOST and _channels_of(node, acc) is not None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, lay, w = node.op, sig.inputs[0], strips.weights(node)
        assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
        strips.check_reach(node, sig)
        channels = _channels_of(node, acc)
        assert channels is not None
        groups = node.inputs[0].type.shape[0] // w.shape[1]
        distances = strips.distances(node, lay)
        programs = [
            _program(row, distances + o * groups // len(w) * w.shape[1] * lay.plane, how)
            for o, (row, how) in enumerate(zip(w.reshape(len(w), -1), channels, strict=True))
        ]
        runs, ends = _runs(node, sig), {how.end for how in channels}
        return base.Bound(
            (
                base.Field(
                    "layer",
                    "mcugen_sparse",
                    (
                        base.Field("weights", "uint16_t", np.concatenate(programs)),
                        (tails := strips.tails(channels))[0],
                        base.Field("runs", "uint16_t", np.array(runs, np.uint16)),
                        base.Field("run_count", "uint16_t", len(runs)),
                        base.Field("lo", "uint8_t", op.to.lo),
                        base.Field("hi", "uint8_t", op.to.hi),
                        base.lanes_field("out", sig.output, node.output.type),
                        base.Field("step", "uint8_t", op.stride[1]),
                        base.Field("wide_run_count", "uint8_t", 0),
                        base.Field("x_plane", "uint16_t", 0),
                        tails[1],
                        base.Field("decode", "mcugen_sparse_decode_fn", base.NULL),
                    ),
                ),
            ),
            needs=("lanes", "nibbles_seal", "sparse", "sparse_cores", "sparse_strips", "nibbles_strips"),
            parts=(
                *(
                    base.Part(f"nibbles{n}{'x2' * (op.stride[1] - 1)}", _STRIP_BYTES[op.stride[1]][n - 1], "THUMB2")
                    for n in sorted({run[3] for run in runs})
                ),
                *(
                    [base.Part("nibbles_shift", _SHIFT_BYTES, "THUMB2")]
                    if ends & {pack.END_SHIFT, pack.END_SUMS_SHIFT}
                    else []
                ),
            ),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        return sum(_cycles(node, sig, acc, core)) + base.seal_cycles(sig.output, node.output.type, core)


@dataclass(frozen=True)
class NibblesDepthwise(Nibbles):
    """The same for ternary depthwise layers: a channel's list has the weights of one plane."""

    weights: str = field(default="nibbles16 depthwise", init=False)
    op = DepthwiseConv2d
    by_plane = True


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


def _channels_of(node: Node, acc: Range) -> tuple[Channel, ...] | None:
    """How each output channel is computed; None if one cannot be."""
    return _channels(node, acc.lo.astype(np.int64).tobytes(), acc.hi.astype(np.int64).tobytes())


@lru_cache(maxsize=128)
def _channels(node: Node, lows: bytes, highs: bytes) -> tuple[Channel, ...] | None:
    acc = Range(np.frombuffer(lows, np.int64), np.frombuffer(highs, np.int64))
    w = strips.weights(node).reshape(node.output.type.shape[0], -1)
    to = node.op.to  # type: ignore[attr-defined]
    limits, highest = (to.lo, to.hi), node.inputs[0].type.dtype.hi
    rows = zip((w == -1).sum(axis=1), (w == 1).sum(axis=1), acc.lo, acc.hi, *strips.constants(node, acc), strict=True)
    found = []
    for numbers in rows:
        how = choose(*map(int, numbers), to=limits, highest=highest)
        if how is None:
            return None
        found.append(how)
    return tuple(found)


def choose(
    minus: int, plus: int, lo: int, hi: int, mult: int, add: int, shift: int, *, to: tuple[int, int], highest: int
) -> Channel | None:
    """How a channel with so many weights of -1 and 1, these accumulator limits and constants is computed.

    to: what results are clamped to; highest: that a pixel can be. None if its sums have no 16 bits.
    """
    room = BYTE // highest
    if minus + plus <= room:
        return _lone(minus, plus, (lo, hi), (mult, add, shift), to, highest)
    minus_first = minus > plus
    sign = -1 if minus_first else 1
    chunks, signs = chunked(*((minus, plus) if minus_first else (plus, minus)), highest)
    least, most = -(1 << 15) - min(sign * lo, sign * hi), (1 << 15) - 1 - max(sign * lo, sign * hi)
    if least > most:
        return None
    centre = strips.nearest_centre(least, most, 1 << max(0, shift - 16))
    how = strips.ended(
        minus_first,
        strips.Part(0, 0, centre),
        sign=sign,
        limits=(lo, hi),
        tail=(mult, add, shift),
        full=to == (0, MOST),
    )
    own = sum(BYTE - (chunk.centre or 0) for chunk, s in zip(chunks, signs, strict=True) if s < 0)
    return Channel(minus_first, chunks, signs, centre - own, _end(how.end, to, _SUMS), how.scale, how.add)


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


def _end(end: int, to: tuple[int, int], several: dict[int, int]) -> int:
    """What strips.ended says, for the ends that are here."""
    end = pack.END if end in (pack.END, pack.END_LIMITS) else pack.END_SHIFT
    end = several.get(end, end)
    return end if to == (0, MOST) else _LIMITS.get(end, end)


def _lone(
    minus: int, plus: int, limits: tuple[int, int], tail: tuple[int, int, int], to: tuple[int, int], highest: int
) -> Channel:
    both = minus > 0 and plus > 0
    part = strips.Part(minus, plus, highest * minus) if both else strips.Part(minus + plus, 0, None)
    sign = -1 if minus and not plus else 1
    how = strips.ended(
        minus > 0,
        part,
        sign=sign,
        limits=limits,
        tail=_even(sign, part.centre or 0, limits, tail, to),
        full=to == (0, MOST),
    )
    return Channel(minus > 0, (part,), (1,), 0, _end(how.end, to, {}), how.scale, how.add)


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
    return strips.covering(node, sig, each, tuple(_DSP.run + _DSP.widest_run * (n == 4) for n in range(1, 5)))


@lru_cache(maxsize=1024)
def prices(entries: int, room: int) -> tuple[float, ...]:
    """Cycles of a typical strip of 1 to 4 words."""
    chunks = max(1, -(-entries // room))
    signs = tuple(1 if i < chunks // 2 else -1 for i in range(chunks))
    parts = (strips.Part(min(entries, room), 0, None),) * chunks
    how = Channel(True, parts, signs, 0, pack.END if chunks == 1 else pack.END_SUMS, 0, 0)
    return tuple(
        _strip_cycles(_DSP, n, how, 1) + (entries - parts[0].lead * chunks) * _DSP.entry[n - 1] for n in (1, 2, 3, 4)
    )


def _strip_cycles(costs: Costs, words: int, how: Channel, step: int) -> float:
    token, entry = costs.token[words == strips.WIDEST], costs.entry[words - 1]
    entry += (words - 1) * costs.apart if step > 1 else 0
    cycles = costs.strip[words - 1]

    def more(what: tuple[float, float]) -> None:
        nonlocal cycles
        cycles += what[0] + what[1] * words

    for i, chunk in enumerate(how.chunks):
        cycles += max(chunk.lead + chunk.rest, 1) * entry
        tokens = -(-(chunk.lead - 1) // pack.MOST_ADDED) + -(-chunk.rest // pack.MOST_ADDED)
        cycles += token * tokens
        if chunk.centre is not None:
            cycles += token
            more(costs.centre)
        if i + 1 < len(how.chunks):
            more(costs.set if i == 0 else costs.add)
            if i and how.signs[i] < 0:
                more(costs.sub)
    if len(how.chunks) > 1:
        more(costs.end)
    kinds = {
        pack.END_SHIFT: costs.shift,
        pack.END_SUMS_SHIFT: costs.sums_shift,
        pack.END_LIMITS: costs.limits,
        pack.END_SUMS_LIMITS: costs.sums_limits,
    }
    more(kinds.get(how.end, (0, 0)))
    return cycles


def _cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core) -> Iterator[float]:
    """Of each channel, without the seal."""
    runs, costs, step = _runs(node, sig), _costs(core), node.op.stride[1]  # type: ignore[attr-defined]
    channels = _channels_of(node, acc)
    assert channels is not None
    packed = costs.packed if costs and all(map(strips.packs, channels)) else 0
    for how in channels:
        if costs is None:
            entries = sum(chunk.lead + chunk.rest for chunk in how.chunks)
            yield sum(run[2] for run in runs) * (500 + 130 * entries) * core.pressure
            continue
        cycles_of = (run[2] // run[3] * _strip_cycles(costs, run[3], how, step) for run in runs)
        widest = sum(run[3] == strips.WIDEST for run in runs)
        yield costs.channel + packed + costs.run * len(runs) + costs.widest_run * widest + sum(cycles_of)
