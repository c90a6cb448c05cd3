"""sparse: Conv2d with ternary weights from lanes to lanes, by lists of the weights that are not zero.

The lists lie in flash (lists16), or one channel's at a time in scratch, decoded from a Rice code (rice).

The sums have 16 bits, and this file proves that they suffice. Let acc be the true sum of a channel for some pixel, and
let [lo, hi] hold acc for all that range analysis allows of the input; then the kernel's sum is congruent modulo 2^16
to sign * acc + centre, for every entry adds or takes away the very byte that acc has, and additions modulo 2^16 do not
mind what happened in between. If lo and hi, so transformed, both lie in -2^15 .. 2^15 - 1, the 16 bits read as a signed
number are that sum. The centre is free, and so is the sign (the plus list may come first as well as the minus list):
a channel is possible if hi - lo < 2^16. For bytes from 0 to 255 and P plus, N minus weights that is 255 (P + N) < 2^16,
P + N <= 257. What sign and centre change, the tail takes back: acc * mult + add = sum * (sign * mult) + (add - sign *
centre * mult), an identity of integers. A layer with a channel that is not proven goes to other kernels.

A decoder has no use for a choice of signs and centres: its channels have sign 1 and all the same centre if they can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .. import fixed, pack
from ..errors import TargetError
from ..ir import Array, DType, Node, Range
from ..layout import Layout
from ..ops.base import tail_constants
from ..ops.conv2d import Conv2d
from . import base

WIDEST = 4  # words of a strip
FARTHEST = 0xFFFF  # words that an offset can count
GROUP, FIRST_GROUP = 15, 13  # offsets behind a token in scratch, behind the first of the +1 list
_GROWTH = (8, 4)  # halo rows and pad columns that other readers of x may add to what this kernel asks for


@dataclass(frozen=True)
class Decoding:
    """Cycles of the decoder of the Rice code."""

    channel: float
    entry: float
    tap: float  # for every pixel of the kernel
    halfword: float


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, counted from it as timing.py does; bench/kernels.py compares with the simulation."""

    channel: float
    run: float
    strip: tuple[float, ...]  # of 1 to 4 words, without entries and tokens
    entry: tuple[float, ...]  # of a weight
    token: tuple[float, float]  # of strips of up to 3 words, of 4
    centre: float  # besides its token and two cycles a word
    shift: tuple[float, float]  # END_SHIFT over END: of a strip, of a word
    decoded: Decoding


_DSP = Costs(35, 28, (34, 45, 55, 65), (6, 9, 12, 16), (8, 7), 3, (10, 9), Decoding(146, 17.2, 22.5, 11))
_M3 = Costs(32, 28, (55, 83, 110, 137), (7, 11, 15, 20), (8, 7), 4, (12, 31), Decoding(146, 19.2, 22.5, 11))
_M7 = Costs(20, 16, (18, 24, 30, 35), (3.8, 5.6, 7.3, 9.3), (5, 4.5), 2, (6, 5), Decoding(105, 9.4, 10, 3.4))


@dataclass(frozen=True)
class Channel:
    """How a channel is computed: see the proof above."""

    minus_first: bool
    centre: int | None  # None: the list is not taken from anything, and is the only one
    end: int  # the token
    scale: int  # mult and shift for the sum, as sparse.h has them
    add: int


@dataclass(frozen=True)
class Sparse(base.Kernel):
    """Weight-stationary: each channel's list runs over all strips of 1 to 4 words, four pixels in a word."""

    weights: str = field(default="lists16")  # or rice
    stem = "sparse"
    op = Conv2d
    code_bytes = 3000
    uses_scratch = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, Conv2d)
        if w.dtype is not DType.T or op.groups != 1 or op.to is None or op.stride[1] > 2 or not base.fits(x, w, y):
            return None
        sig = base.lanes_window(x, y, base.Signature(inputs, output), w.shape[2:], op.stride, op.padding, op.dilation)
        if sig is None:
            return None
        rows, cols = _GROWTH
        return (
            sig
            if max(_reach(lay, t.shape[0], rows, cols) for lay, t in ((sig.inputs[0], x), (sig.output, y)))
            <= (FARTHEST)
            else None
        )

    def accepts(self, node: Node, acc: Range) -> bool:
        mult, add, _ = _constants(node, acc)
        ends = np.stack([acc.lo * mult + add, acc.hi * mult + add])
        if np.any(acc.hi - acc.lo >= 1 << 16) or np.any((ends < -fixed.INT32) | (ends >= fixed.INT32)):
            return False
        return self.weights == "lists16" or _compact(node, acc) is not None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, w, lay = node.op, node.inputs[1].const, sig.inputs[0]
        assert isinstance(op, Conv2d) and op.to is not None
        if max(_reach(lay, w.shape[1]), _reach(sig.output, 1)) > FARTHEST:
            hint = "fewer channels, or a smaller image"
            raise TargetError("E402", f"the image in {lay} has more than {FARTHEST} words", where=node.name, hint=hint)
        weights, scratch = self._rice(node, lay, acc) if self.weights == "rice" else (self._lists16(node, lay, acc), 0)
        runs = _runs(node, sig)
        used = sorted({run[3] for run in runs})
        return base.Bound(
            (
                *weights[:2],
                base.Field("runs", "uint16_t", np.array(runs, np.uint16)),
                base.Field("run_count", "uint16_t", len(runs)),
                base.Field("lo", "uint8_t", op.to.lo),
                base.Field("hi", "uint8_t", op.to.hi),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("step", "uint8_t", op.stride[1]),
                *weights[2:],
            ),
            scratch=scratch,
            needs=(
                *("lanes", "sparse_strips", *(f"sparse{words}{'x2' * (op.stride[1] - 1)}" for words in used)),
                *(["sparse_rice", "sparse_rice_thumb2"] if scratch else []),
            ),
        )

    def _lists16(self, node: Node, lay: Layout, acc: Range) -> tuple[base.Field, ...]:
        """Programs and tails; no decoder."""
        op, w = node.op, node.inputs[1].const
        assert isinstance(op, Conv2d)
        _, c, kh, kw = w.shape
        channel, i, j = np.meshgrid(np.arange(c), np.arange(kh), np.arange(kw), indexing="ij")
        distances = (channel * lay.plane + i * op.dilation[0] * lay.pitch + j * op.dilation[1]).ravel()
        programs = []
        channels = _channels(node, acc)
        for row, how in zip(w.reshape(len(w), -1), channels, strict=True):
            lists = distances[row == -1], distances[row == 1]
            lead, rest = lists if how.minus_first else lists[::-1]
            programs.append(pack.pack_lists16(lead, rest, how.centre, how.end))
        return (
            base.Field("weights", "uint16_t", np.concatenate(programs)),
            base.Field("tails", "int32_t", np.array([(c.scale, c.add) for c in channels], np.int32)),
            base.Field("packing", "const uint16_t *", base.NULL),
            base.Field("decode", "mcugen_sparse_decode_fn", base.NULL),
        )

    def _rice(self, node: Node, lay: Layout, acc: Range) -> tuple[tuple[base.Field, ...], int]:
        """The code, no tails, its numbers (MCUGEN_RICE_K ... in sparse.h) and the decoder; bytes of scratch."""
        op, w = node.op, node.inputs[1].const
        compact = _compact(node, acc)
        assert isinstance(op, Conv2d) and op.to is not None and compact is not None
        _, c, kh, kw = w.shape
        stream = _stream_order(w)
        k = pack.rice_bits(stream)[1]
        minus, plus = _counts(w)
        below = -(-(int(minus.max()) + 1) // GROUP)
        one = len({how.centre for how in compact}) == 1
        packing = [
            *(k, c, lay.plane, kw, kh, op.dilation[1], op.dilation[0] * lay.pitch - (kw - 1) * op.dilation[1]),
            *(compact[0].centre or 0 if one else 0, below, 16 if _full(op) else 32, int(not one)),
        ]
        tails = np.array([(how.scale, *_packed_tail(how), how.centre or 0) for how in compact])[:, : 3 if one else 4]
        fields = (
            base.Field("weights", "uint16_t", pack.pack_rice(stream, k)),
            base.Field("tails", "const int32_t *", base.NULL),
            base.Field("packing", "uint16_t", (np.array([*packing, *tails.ravel()]) & 0xFFFF).astype(np.uint16)),
            base.Field("decode", "mcugen_sparse_decode_fn", "mcugen1_sparse_rice"),
        )
        # The middle is aligned to 32 bytes; behind it 17, c, a token, the +1 list with its other tokens, the end.
        above = 2 * (4 + int(plus.max()) + int(_tokens_above(plus.max())))
        return fields, -(-(28 + 32 * below + above) // 4) * 4

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        each = _rice_cycles if self.weights == "rice" else _cycles
        return sum(each(node, sig, acc, core)) + base.seal_cycles(sig.output, node.output.type, core)


def _costs(core: base.Core) -> Costs | None:
    """None for sparse_ref.c."""
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    return _M3 if "m3" in core.isa else None


def _cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core) -> Iterator[float]:
    """Of each channel, without the seal."""
    runs, costs = _runs(node, sig), _costs(core)
    w = node.inputs[1].const.reshape(node.inputs[1].type.shape[0], -1)
    counts = {-1: (w == -1).sum(axis=1), 1: (w == 1).sum(axis=1)}
    for o, how in enumerate(_channels(node, acc)):
        lead, rest = (int(counts[s][o]) for s in ((-1, 1) if how.minus_first else (1, -1)))
        if costs is None:
            word = 260 * core.pressure
            entry = 4 * (core.load + core.branch + 6.6) * core.pressure
            yield sum(run[2] for run in runs) * (word + (lead + rest) * entry)
            continue
        tokens = -(-max(lead - 1, 0) // pack.MOST_ADDED) + -(-rest // pack.MOST_ADDED)
        strips = (run[2] // run[3] * _strip_cycles(costs, run[3], max(lead + rest, 1), tokens, how) for run in runs)
        yield costs.channel + costs.run * len(runs) + sum(strips)


def _rice_cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core) -> Iterator[float]:
    """Of each channel, with what decoding it takes; without the seal."""
    runs, costs = _runs(node, sig), _costs(core)
    w = node.inputs[1].const
    taps, bits = w[0, 0].size, pack.rice_bits(_stream_order(w))[0] / len(w)
    compact = _compact(node, acc)
    assert compact is not None
    for how, minus, plus in zip(compact, *_counts(w).tolist(), strict=True):
        entries = max(minus, 1) + plus
        if costs is None:
            word = 260 * core.pressure
            entry = 4 * (core.load + core.branch + 6.6) * core.pressure
            decoding = (180 + 18 * taps + 66 * (minus + plus)) * core.pressure
            yield sum(run[2] for run in runs) * (word + entries * entry) + decoding
            continue
        tokens = _tokens_above(plus) + (minus + 1 - 3) // GROUP + 1 if minus else 1 + _tokens_above(plus)
        d = costs.decoded
        yield d.channel + d.entry * (minus + plus) + d.tap * taps + d.halfword * bits / 16
        strips = (run[2] // run[3] * _strip_cycles(costs, run[3], entries, tokens, how) for run in runs)
        yield costs.channel + costs.run * len(runs) + sum(strips)


def _counts(w: Array) -> Array:
    """The -1 and the +1 weights of each channel, in two rows."""
    rows = w.reshape(len(w), -1)
    return np.stack([(rows == -1).sum(axis=1), (rows == 1).sum(axis=1)])


def _tokens_above(plus: int) -> int:
    """Tokens of the +1 list in scratch."""
    return -(-max(0, plus - FIRST_GROUP) // GROUP) + (plus > 0)


def _stream_order(w: Array) -> Array:
    """The weights as the Rice code has them: channels of y, rows, columns, channels of x."""
    return w.transpose(0, 2, 3, 1).ravel()


def _strip_cycles(costs: Costs, words: int, entries: int, tokens: int, how: Channel) -> float:
    token = costs.token[words == WIDEST]
    cycles = costs.strip[words - 1] + entries * costs.entry[words - 1] + tokens * token
    if how.centre is not None:
        cycles += token + costs.centre + (words < WIDEST) + 2 * words
    if how.end == pack.END_SHIFT:
        cycles += costs.shift[0] + costs.shift[1] * words
    return cycles


def _constants(node: Node, acc: Range) -> tuple[Array, Array, Array]:
    constants = tail_constants(node)
    assert constants is not None
    mult, add, shift = (np.broadcast_to(c, acc.lo.shape).astype(np.int64) for c in constants)
    return mult, add, shift


def _channels(node: Node, acc: Range) -> list[Channel]:
    w = node.inputs[1].const.reshape(node.inputs[1].type.shape[0], -1)
    to = node.op.to  # type: ignore[attr-defined]
    rows = zip((w == -1).any(axis=1), (w == 1).any(axis=1), acc.lo, acc.hi, *_constants(node, acc), strict=True)
    return [
        choose(bool(minus), bool(plus), *map(int, numbers), full=(to.lo, to.hi) == (0, 255))
        for minus, plus, *numbers in rows
    ]


def _full(op: Conv2d) -> bool:
    return op.to is not None and (op.to.lo, op.to.hi) == (0, 255)


def _compact(node: Node, acc: Range) -> list[Channel] | None:
    """How the channels of a Rice code are computed: sign 1, one centre if possible. None: no tails of 6 bytes.

    A tail has 27 bits for add, in units of 2^(shift - 16) if shift > 16; a channel's end follows from its shift.
    """
    mult, add, shift = _constants(node, acc)
    full = _full(node.op)  # type: ignore[arg-type]
    least, most = -(1 << 15) - acc.lo, (1 << 15) - 1 - acc.hi
    if (least > most).any():
        return None
    grain = 1 << np.maximum(shift - 16, 0)
    if least.max() <= most.min():
        centre = _centre(int(least.max()), int(most.min()), int(grain.max()))
        if centre % grain.max() == 0:
            least = most = np.full_like(least, centre)
    found = []
    for o in range(mult.size):
        how = _ended(
            minus_first=True,
            centre=_centre(int(least[o]), int(most[o]), int(grain[o])),
            sign=1,
            limits=(int(acc.lo[o]), int(acc.hi[o])),
            tail=(int(mult[o]), int(add[o]), int(shift[o])),
            full=full,
        )
        s, unit = how.scale >> 16, 1 << max(0, (how.scale >> 16) - 16)
        if (how.end == pack.END) != (full and s >= 16) or how.add % unit or not -(1 << 26) <= how.add // unit < 1 << 26:
            return None
        found.append(how)
    return found


def _packed_tail(how: Channel) -> tuple[int, int]:
    """The second and third halfword of a tail of 6 bytes."""
    shift = how.scale >> 16
    rest = how.add >> max(0, shift - 16) << 5 | shift
    return rest, rest >> 16


def _centre(least: int, most: int, grain: int) -> int:
    """The centre nearest to 0, a multiple of grain if there is one."""
    centre = min(max(0, -(-least // grain) * grain), most // grain * grain)
    return centre if centre >= least else min(max(0, least), most)


def choose(minus: bool, plus: bool, lo: int, hi: int, mult: int, add: int, shift: int, *, full: bool) -> Channel:
    """How a channel with these weights (any minus, any plus), accumulator limits and constants is computed.

    full: the result is clamped to 0 .. 255, as END does.
    """
    tail = mult, add, shift
    if not (minus and plus):  # one list, or none: no centre, if its sum fits as it is
        sign = -1 if minus else 1
        if max(sign * lo, sign * hi) < 1 << 15:
            return _ended(minus_first=minus, centre=None, sign=sign, limits=(lo, hi), tail=tail, full=full)
    sign = 1 if minus else -1  # centre - plus
    least, most = -(1 << 15) - min(sign * lo, sign * hi), (1 << 15) - 1 - max(sign * lo, sign * hi)
    assert least <= most, (lo, hi)
    grain = 1 << max(0, shift - 16)  # of the centres that END can take
    centre = _centre(least, most, grain)
    return _ended(minus_first=minus, centre=centre, sign=sign, limits=(lo, hi), tail=tail, full=full)


def _ended(
    *,
    minus_first: bool,
    centre: int | None,
    sign: int,
    limits: tuple[int, int],
    tail: tuple[int, int, int],
    full: bool,
) -> Channel:
    """The channel with the tail of its sum, and its end.

    END is (sum * t0 >> 16) + t1, in 32 bits, where t0 = mult * 2^(32 - shift) and t1 = add * 2^(16 - shift) are whole
    numbers: then rounding down the product is rounding down the sum, which is (sum * mult + add) * 2^16 / 2^shift, and
    its upper half is the result. It has 32 bits where the result before the clamp has 16; SMLAWB gives no more.
    """
    mult, add, shift = tail
    m, a, s = sign * mult, add - sign * (centre or 0) * mult, shift
    results = [(acc * mult + add) >> shift for acc in limits]
    if full and all(-(1 << 15) <= r < 1 << 15 for r in results):
        up = max(0, 16 - s)  # a shift below 16 as 16
        whole = a % (1 << max(0, s - 16)) == 0
        if whole and abs(m << up) < 1 << 15 and abs(a << up) < 1 << 31:
            return Channel(minus_first, centre, pack.END, (m << up & 0xFFFF) | s + up << 16, a << up)
    wrapped = (a + (1 << 31)) % (1 << 32) - (1 << 31)  # sums modulo 2^32: the last one fits
    return Channel(minus_first, centre, pack.END_SHIFT, (m & 0xFFFF) | s << 16, wrapped)


# Strips.


def _reach(lay: Layout, channels: int, rows: int = 0, cols: int = 0) -> int:
    """Words of `channels` planes, with so many more halo rows and pad columns."""
    return channels * (
        lay.plane + rows * (lay.pitch + cols) + cols * (lay.halo_top + lay.rows_per_lane + lay.halo_bottom + 1)
    )


def _runs(node: Node, sig: base.Signature) -> list[tuple[int, int, int, int]]:
    """(first word of x, first word of y, words, words of a strip) of runs of equal strips that cover a plane of y.

    Row by row, or where rows of x and y go on alike, all at once with the pad columns between them, which the seal
    repairs: whichever is expected to be faster.
    """
    op, w, y = node.op, node.inputs[1], node.output.type
    assert isinstance(op, Conv2d)
    a, b = sig.inputs[0], sig.output
    height, width = min(b.rows_per_lane, y.shape[1]), y.shape[2]
    entries = int(np.count_nonzero(w.const)) // y.shape[0]

    def rows(count: int, words: int) -> list[tuple[int, int, int, int]]:
        found = []
        for row in range(count):
            x_at = a.pad_cols + (row * op.stride[0] - op.padding[0] + a.halo_top) * a.pitch - op.padding[1]
            y_at = b.pad_cols + (row + b.halo_top) * b.pitch
            for strip, n in cover(words, entries):
                found.append((x_at, y_at, n * strip, strip))
                x_at, y_at = x_at + n * strip * op.stride[1], y_at + n * strip
        return found

    def cost(runs: list[tuple[int, int, int, int]]) -> float:
        return sum(_DSP.run + n // strip * _typical(strip, entries) for _, _, n, strip in runs)

    options = [rows(height, width)]
    if op.stride[0] * a.pitch == op.stride[1] * b.pitch:
        options.append(rows(1, (height - 1) * b.pitch + width))
    return min(options, key=cost)


def _typical(strip: int, entries: int) -> float:
    return _strip_cycles(_DSP, strip, entries, 2, Channel(True, 0, pack.END, 0, 0))


@lru_cache(maxsize=1024)
def cover(words: int, entries: int) -> tuple[tuple[int, int], ...]:
    """(words of a strip, how many), widest first, that make up `words` in the least cycles."""
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    whole = max(0, words - 2 * WIDEST) // WIDEST  # far from the end the widest strips are the fastest
    for n in range(1, words - whole * WIDEST + 1):
        some = [
            (best[n - strip][0] + _typical(strip, entries), (*best[n - strip][1], strip))
            for strip in range(1, min(n, WIDEST) + 1)
        ]
        best[n] = min(some)
    strips = [*best[words - whole * WIDEST][1], *[WIDEST] * whole]
    return tuple((strip, strips.count(strip)) for strip in range(WIDEST, 0, -1) if strip in strips)
