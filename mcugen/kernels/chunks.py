"""chunks: convolutions with ternary weights of pixels of up to 4 bits, four sums of bytes to a word (Armv6-M).

A pixel is a byte of 0 .. h, h = 15 at most, and lists of weights are as in strips.py. A chunk is a sum of n pixels, n h
<= 255: whole words are added, and every byte of every partial sum is 0 .. n h, so that none carries into the next.
A chunk may take its first m pixels from c = h m instead of adding them: the bytes of their sum are 0 .. c, so no byte
of the difference borrows, it is 0 .. c again, and with the n - m others it is 0 .. n h.

A channel has a list that is added and one that is taken away, the longer one added: sign is -1 if that is the list of
its -1 weights. If both make one chunk, its bytes are sign * acc + c. Else totals of 16 bits take up all chunks but the
last, plus or minus; what they and the last one come to is sign * acc + c, c of the last. They are numbers modulo 2^32
with two lanes each: u is the sum of the chunks' words and o that of their odd bytes, and e = u - 2^8 o that of their
even bytes, because each chunk's word is 2^8 times its odd bytes plus its even bytes. e = a + 2^16 b for the true sums a
and b of two lanes, whatever happened in between; a is the lower half as a signed number, if a has 16 bits, and b = (e -
a) / 2^16, modulo 2^16, if b has. They lie between -h times the shorter list and h times the longer one plus 255, and so
have 16 bits if h times the longer list is at most 2^15 - 1 - 255.

The lists lie in flash (chunks16), or one channel's at a time in scratch, decoded from a Rice code (rice) whose decoder
divides them in the same way.

The tail takes back sign and c, as strips.py says; acc * mult + add is proven to fit 32 bits. A layer with a channel of
which one or the other is not so goes to other kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .. import pack
from ..ir import Array, Node, Range
from ..layout import LANES, Layout
from ..ops.conv2d import Conv2d
from . import base, strips

WIDEST = 6  # words of a strip
BYTE = 255
HIGHEST = 15  # of a pixel: with more the chunks are too short
FARTHEST = strips.FARTHEST // LANES  # offsets are bytes
_LONGEST = (1 << 15) - 1 - BYTE  # h times a list


@dataclass(frozen=True)
class Chunk:
    """A sum of bytes: lead pixels, taken from centre if there is one, then rest pixels.

    They are of the channel's longer list, but lead pixels of the other where there is a centre or the sign is -1.
    """

    sign: int
    lead: int
    rest: int = 0
    centre: int | None = None


@dataclass(frozen=True)
class Channel:
    """How a channel is computed: see the proof above."""

    sign: int
    chunks: tuple[Chunk, ...]
    scale: int  # mult and shift for the sum, as chunks.h has them
    add: int


@dataclass(frozen=True)
class Costs:
    """Cycles of chunks_m0.h, counted from it; bench/kernels.py compares with the simulation."""

    channel: float
    run: float
    strip: tuple[float, float]  # with its end, and of a word
    several: tuple[float, float]  # the same, more of a channel of several chunks
    token: float
    centre: float  # besides its token, and `negate` a word
    total: float  # of a token for totals, and `pairs`
    branch: float  # of a branch taken
    apart: float = 1
    negate: float = 3
    lo: float = 9  # of a byte of the output, where lo is not 0
    below: float = 4  # that a pixel below 0 takes less
    packed: float = 18
    decoded: strips.Decoding = field(kw_only=True)


_RICE_BYTES = 760
_STRIP_BYTES = {1: (390, 500, 580, 650, 740, 810), 2: (390, 540, 660, 760, 880, 990)}  # by the step in x
_ENTRY = (5, 8, 10, 12, 14, 16)  # of strips of 1 to 6 words
_SET, _ADD = (6, 11), (12, 21)  # of one word, of two, into totals
_M0PLUS = Costs(51, 41, (36, 41), (10, 12), 9, 5, 14, 2, decoded=strips.Decoding(432, 26.4, 26.0, 14.6, 8.4))
_M0 = Costs(53, 44, (39, 41), (11, 12), 10, 5, 14, 3, lo=10, decoded=strips.Decoding(450, 28.4, 29.0, 14.7, 9.4))


def costs(core: base.Core) -> Costs | None:
    """None for chunks_ref.c."""
    return _M0 if core.name == "cortex-m0" else _M0PLUS if "m0" in core.isa else None


@dataclass(frozen=True)
class Chunks(base.Kernel):
    """Weight-stationary as `sparse`: each channel's program runs over all strips of 1 to 6 words."""

    weights: str = field(default="chunks16")  # or rice
    assembled: bool = True  # for the core: elsewhere `sparse` is faster
    stem = "chunks"
    op = Conv2d
    code_bytes = 390
    uses_scratch = True
    runs = True

    def on(self, core: base.Core) -> Chunks:
        return replace(self, assembled=costs(core) is not None)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = (v.type for v in node.inputs[:2])
        if not self.assembled or x.dtype.hi > HIGHEST or (self.weights == "rice" and w.shape[1] != x.shape[0]):
            return None
        return strips.layouts(node, inputs, output)

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return strips.reaches(node, sig, FARTHEST)

    def accepts(self, node: Node, acc: Range) -> bool:
        w, (short, _) = strips.weights(node), strips.proven(node, acc)
        rows = w.reshape(len(w), -1)
        longest = max(int((rows == sign).sum(axis=1).max(initial=0)) for sign in (-1, 1))
        return short and node.inputs[0].type.dtype.hi * longest <= _LONGEST

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op = node.op
        assert isinstance(op, Conv2d) and op.to is not None
        found, runs = channels(node, acc), _runs(node, sig)
        several = {len(how.chunks) > 1 for how in found}
        ends = [base.Part("chunks_end", 520, "THUMB1")] * (False in several)
        ends += [base.Part("chunks_total", 640, "THUMB1")] * (True in several)
        if self.weights == "rice":
            weights, packing, scratch = _coded(node, sig.inputs[0], found)
            tails, decode = base.Field("tails", "const int32_t *", base.NULL), "mcugen1_chunks_rice"
            ends.append(base.Part("chunks_rice", _RICE_BYTES))
        else:
            weights, decode, scratch = _programs(node, sig.inputs[0], found), base.NULL, 0
            tails, packing = strips.tails(found)
        return base.Bound(
            (
                base.Field("weights", "uint16_t", weights),
                tails,
                *strips.run_fields(node, sig, runs),
                packing,
                base.Field("decode", "mcugen_chunks_decode_fn", decode),
            ),
            scratch=scratch,
            needs=("lanes", "sparse", "sparse_scratch", "sparse_decode", "sparse_rice")
            if scratch
            else ("lanes", "sparse"),
            parts=(*strips.functions("chunks", runs, op.stride[1], _STRIP_BYTES, "THUMB1"), *ends),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        coded, known = self.weights == "rice", costs(core)
        assert known is not None
        cycles = _cycles(node, sig, acc, known, coded) + base.seal_cycles(sig.output, node.output.type, core)
        return cycles + _decoding(node, known) if coded else cycles


def channels(node: Node, acc: Range) -> list[Channel]:
    """How each output channel is computed."""
    w, highest = strips.weights(node), node.inputs[0].type.dtype.hi
    rows = w.reshape(len(w), -1)
    numbers = zip((rows == -1).sum(axis=1), (rows == 1).sum(axis=1), *strips.constants(node, acc), strict=True)
    return [choose(*map(int, some), highest=highest) for some in numbers]


def choose(minus: int, plus: int, mult: int, add: int, shift: int, *, highest: int) -> Channel:
    """How a channel with so many weights of -1 and 1 and these constants is computed, of pixels of 0 .. highest."""
    sign = 1 if plus >= minus else -1
    chunks = divide(max(minus, plus), min(minus, plus), highest)
    m = sign * mult if minus or plus else 0  # without weights a pixel is loaded, which counts for nothing
    centre = chunks[-1].centre or 0
    return Channel(sign, chunks, (m & 0xFFFF) | shift << 16, strips.wrapped(add - centre * m))


def divide(added: int, taken: int, highest: int) -> tuple[Chunk, ...]:
    """The chunks of lists of so many pixels, the longer one first: as few as there can be.

    The last one has a centre only if there is no other, or if that saves a chunk.
    """
    room = BYTE // highest
    if added + taken <= room:
        return (Chunk(1, taken, added, highest * taken) if taken else Chunk(1, added),)
    last = (taken - 1) % room + 1 if taken else 0  # of the list that is taken away, in a last chunk with both
    first = -(-(added - (room - last)) // room)  # chunks of the other before it
    if taken and first < -(-added // room) and added > room:
        before, rest = first * room, added - first * room
        end = [Chunk(1, last, rest, highest * last)]
        taken -= last
    else:
        before, end = added, []
    sums = [Chunk(1, min(room, before - at)) for at in range(0, before, room)]
    differences = [Chunk(-1, min(room, taken - at)) for at in range(0, taken, room)]
    return (*sums, *differences, *end) if end else (*sums[:-1], *differences, sums[-1])


def parts(row: Array, offsets: Array, how: Channel) -> tuple[list[pack.Lists], list[int]]:
    """The chunks of a channel's program and their signs; offsets: of its weights' pixels."""
    lists = {sign: offsets[row == sign * how.sign] for sign in (1, -1)}
    at = {1: 0, -1: 0}
    found: list[pack.Lists] = []

    def take(which: int, count: int) -> Array:
        at[which] += count
        return np.asarray(lists[which][at[which] - count : at[which]])

    for chunk in how.chunks:
        lead = take(chunk.sign if chunk.centre is None else -1, chunk.lead)
        found.append((lead, take(1, chunk.rest), chunk.centre))
    return found, [chunk.sign for chunk in how.chunks]


def _programs(node: Node, lay: Layout, found: list[Channel]) -> Array:
    rows = strips.channel_rows(node, lay, strips.distances(node, lay))
    programs = [pack.pack_chunks16(*parts(row, places, how)) for (row, places), how in zip(rows, found, strict=True)]
    return np.concatenate(programs)


def _coded(node: Node, lay: Layout, found: list[Channel]) -> tuple[Array, base.Field, int]:
    """The code, its numbers (MCUGEN_RICE_K ... in sparse.h, chunks.h), and bytes of scratch."""
    op, w, highest = node.op, node.inputs[1].const, node.inputs[0].type.dtype.hi
    assert isinstance(op, Conv2d)
    _, c, kh, kw = w.shape
    code, _, k = strips.code(node, "rice")
    rows = w.reshape(len(w), -1)
    minus, plus = (int((rows == sign).sum(axis=1).max()) for sign in (-1, 1))
    none = np.zeros(w[0].size, np.int64)
    longest = max(pack.pack_chunks16(*parts(row, none, how)).size for row, how in zip(rows, found, strict=True))
    below = -(-2 * longest // 32) + -(-2 * minus // 32)
    numbers = [
        *(k, c, LANES * lay.plane, kw, kh, LANES * op.dilation[1]),
        LANES * (op.dilation[0] * lay.pitch - (kw - 1) * op.dilation[1]),
        *(highest, below, BYTE // highest, 0),
    ]
    tails = [half for how in found for half in (how.scale, how.scale >> 16, how.add, how.add >> 16)]
    packing = (np.array([*numbers, *tails]) & 0xFFFF).astype(np.uint16)
    # The program from the beginning, the lists round a middle that is aligned to 32 bytes.
    scratch = -(-(28 + 32 * below + 2 * plus) // 4) * 4
    return code, base.Field("packing", "uint16_t", packing), scratch


# Cycles.


def _decoding(node: Node, known: Costs) -> float:
    """Of all channels."""
    w = node.inputs[1].const
    taps, (_, bits, k), entries = w[0, 0].size, strips.code(node, "rice"), np.count_nonzero(w)
    d, zeros = known.decoded, bits - (k + 2) * (entries + 1)
    return float((d.channel + d.tap * taps) * len(w) + d.entry * entries + d.halfword * bits / 16 + d.zero * zeros)


def _runs(node: Node, sig: base.Signature) -> list[strips.Run]:
    entries = strips.mean_entries(node)
    usual = choose(entries // 2, entries - entries // 2, 0, 0, 0, highest=node.inputs[0].type.dtype.hi)
    step = node.op.stride[1]  # type: ignore[attr-defined]
    each = tuple(_strip_cycles(_M0PLUS, n, usual, step) for n in range(1, WIDEST + 1))
    return strips.covering(node, sig, each, (_M0PLUS.run,) * WIDEST)


def _strip_cycles(costs: Costs, words: int, how: Channel, step: int) -> float:
    entries, tokens, cycles = 0, 1, costs.strip[0] + costs.strip[1] * words
    if len(how.chunks) > 1:
        cycles += costs.several[0] + costs.several[1] * words + costs.branch * (words > 3)
    for i, chunk in enumerate(how.chunks):
        entries += chunk.lead + chunk.rest
        first = 1
        if i > 0:
            one, two = _SET if i == 1 else _ADD
            minus = how.chunks[i - 1].sign < 0
            cycles += costs.total + two * (words // 2) + one * (words % 2) + costs.branch * (i == 1 or minus)
            cycles += 2 * words if i == 1 and minus else 0
            tokens += 1
            if chunk.lead >= pack.LONG:
                first = pack.LONG
            else:
                cycles += 3 * costs.branch - 1
        tokens += -(-max(0, chunk.lead - first) // pack.MOST_ADDED) + -(-chunk.rest // pack.MOST_ADDED)
        if chunk.centre is not None:
            tokens += 1
            cycles += costs.centre + costs.negate * words
    apart = (words - 1) * costs.apart if step > 1 else 0
    return cycles + tokens * costs.token + max(entries, 1) * (_ENTRY[words - 1] + apart)


def _cycles(node: Node, sig: base.Signature, acc: Range, known: Costs, coded: bool) -> float:
    """Without the seal."""
    runs, step = _runs(node, sig), node.op.stride[1]  # type: ignore[attr-defined]
    found, words = channels(node, acc), sum(run[2] for run in runs)
    total = LANES * words * (0.0 - known.below * float(strips.below(node, acc).sum()))
    total += LANES * sig.output.plane * known.lo * len(found) if node.op.to.lo else 0.0  # type: ignore[attr-defined]
    packed = 0 if coded or not all(map(strips.packs, found)) else known.packed
    total += len(found) * (known.channel + known.run * len(runs) + packed)
    for how in found:
        total += sum(run[2] // run[3] * _strip_cycles(known, run[3], how, step) for run in runs)
    return total
