"""sparse: convolutions with ternary weights from lanes to lanes, by lists of the weights that are not zero.

The lists lie in flash, of halfwords (lists16) or, in pointwise layers of up to 256 channels, of bytes, or one channel's
at a time in scratch, decoded from a Rice code (rice) or, for layers of few zeros, from digits of base 3 (base3).

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

A decoder has no use for a choice of signs and centres: its channels have sign 1 and all the same centre if they can.
It knows none that are split.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from .. import fixed, layout, pack
from ..errors import TargetError
from ..ir import Array, DType, Node, Range
from ..layout import LANES, Layout
from ..ops.base import tail_constants
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from . import base

WIDEST = 4  # words of a strip
_LONG_ADD = (1 << 31) - (1 << 23)  # addends of ends in 64 bits are smaller, so that add + mult * byte has 32 bits
DECODED = {"rice": 650, "base3": 430}  # encodings that are decoded, and bytes of code
FARTHEST = 0xFFFF  # words that an offset can count
BYTE = 256  # channels that a byte can count: so few weights are never split
Run = tuple[int, int, int, int]  # first word of x, first word of y, words of y, words of a strip
_STRIP_BYTES = (660, 890, 1120, 1290)
GROUP, FIRST_GROUP = 15, 13  # offsets behind a token in scratch, behind the first of the +1 list
_GROWTH = (8, 4)  # halo rows and pad columns that other readers of x may add to what this kernel asks for


@dataclass(frozen=True)
class Decoding:
    """Cycles of the decoder of the Rice code, or of digits, which is compiled C."""

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
    decoded: Decoding = field(kw_only=True)
    digits: Decoding = field(kw_only=True)
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


def _others(*cycles: tuple[float, float]) -> Mapping[int, tuple[float, float]]:
    return dict(zip(_TOKENS, cycles, strict=True))


_DSP = Costs(
    39,
    30,
    (30, 41, 51, 63),
    (6, 9, 12, 16),
    (8, 6),
    (3, 3),
    _others((25, 9), (13, 3), (20, 10), (20, 16), (20, 20), (26, 30), (0, 2), (0, 4)),
    decoded=Decoding(168, 17.2, 22.5, 11),
    digits=Decoding(158, 10.6, 18, weight=13.6),
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
    _others((23, 23), (15, 23), (20, 13), (20, 21), (20, 30), (26, 50), (0, 0), (0, 0)),
    decoded=Decoding(168, 19.2, 22.5, 11),
    digits=Decoding(120, 10.2, 19, weight=13.8),
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
    _others((14, 5), (7, 2), (10, 6), (10, 9), (10, 12), (13, 18), (0, 1), (0, 2)),
    decoded=Decoding(105, 9.4, 10, 3.4),
    digits=Decoding(75, 3.2, 9, weight=6.3),
    by_byte=(3.8, 5.6, 7.3, 10.3),
)
_WIDE_M0 = _others((0, 0), (0, 0), (205, 6), (172, 6), (190, 20), (200, 52), (2, 0), (3, 0))
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
    decoded=Decoding(204, 21, 17.3, 14.6, 8.4),
    digits=Decoding(150, 16.6, 28, weight=17),
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
    decoded=Decoding(209, 22.8, 20, 14.7, 9.4),
    digits=Decoding(150, 18.6, 31, weight=18),
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


@dataclass(frozen=True)
class Sparse(base.Kernel):
    """Weight-stationary: each channel's list runs over all strips of 1 to 4 words, four pixels in a word."""

    weights: str = field(default="lists16")  # or bytes, rice, base3
    helium: bool = False  # with runs of strips of up to 12 words besides the others
    stem = "sparse"
    op = Conv2d
    code_bytes = 370
    uses_scratch = True
    runs = True

    def on(self, core: base.Core) -> Sparse:
        return replace(self, helium="mve" in core.isa)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
        assert isinstance(op, Conv2d | DepthwiseConv2d)
        if w.dtype is not DType.T or op.to is None or op.stride[1] > 2 or not base.fits(x, w, y):
            return None
        if self.weights != "lists16" and isinstance(op, Conv2d) and w.shape[1] != x.shape[0]:
            return None
        if self.weights == "bytes" and self.helium:  # there in C
            return None
        if self.weights == "bytes" and (w.shape[1] > BYTE or w.shape[2:] != (1, 1) or op.stride[1] > 1):
            return None
        sig = base.lanes_window(x, y, base.Signature(inputs, output), w.shape[-2:], op.stride, op.padding, op.dilation)
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
        mult, add, shift = _constants(node, acc)
        ends = np.stack([acc.lo * mult + add, acc.hi * mult + add])
        short = ((ends >= -fixed.INT32) & (ends < fixed.INT32)).all(axis=0)
        long = (shift >= 16) & (np.abs(add) < _LONG_ADD) & (np.abs(ends) < 1 << 39).all(axis=0)
        if self.weights in DECODED:
            return bool(np.all(short)) and _compact(node, acc) is not None
        return bool(np.all(short if self.weights == "bytes" else short | long))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, x, lay = node.op, node.inputs[0].type, sig.inputs[0]
        assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
        if max(_reach(lay, x.shape[0]), _reach(sig.output, 1)) > FARTHEST:
            hint = "fewer channels, or a smaller image"
            raise TargetError("E402", f"the image in {lay} has more than {FARTHEST} words", where=node.name, hint=hint)
        how, weights, scratch = (self._decoded if self.weights in DECODED else self._lists16)(node, lay, acc)
        runs, wide = _runs(node, sig, self.weights == "bytes"), _helium_runs(node, sig) if self.helium else []
        wide = wide if len(wide) < BYTE else []
        ends = {channel.end for channel in how}
        kind = "b" if self.weights == "bytes" else "x2" * (op.stride[1] - 1)
        return base.Bound(
            (
                *weights[:2],
                base.Field("runs", "uint16_t", np.array([*runs, *wide], np.uint16)),
                base.Field("run_count", "uint16_t", len(runs)),
                base.Field("lo", "uint8_t", op.to.lo),
                base.Field("hi", "uint8_t", op.to.hi),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("step", "uint8_t", op.stride[1]),
                base.Field("wide_run_count", "uint8_t", len(wide)),
                base.Field("x_plane", "uint16_t", lay.plane if self.weights == "bytes" else 0),
                *weights[2:],
            ),
            scratch=scratch,
            needs=("lanes", "sparse_cores", "sparse_strips")
            + ("sparse_scratch",) * (self.weights in DECODED)
            + ("sparse_rice_thumb2",) * (self.weights == "rice"),
            parts=(
                *_strips(runs, wide, kind),
                *([base.Part("sparse_shift", 280)] if pack.END_SHIFT in ends else []),
                *([base.Part("sparse_split", 680)] if ends & {pack.END_WIDE, pack.END_LONG} else []),
                *([base.Part("sparse_long", 400)] if pack.END_LONG in ends else []),
                *([base.Part(f"sparse_{self.weights}", DECODED[self.weights])] if self.weights in DECODED else []),
            ),
        )

    def _lists16(self, node: Node, lay: Layout, acc: Range) -> tuple[list[Channel], tuple[base.Field, ...], int]:
        """The channels, their programs and tails, and no decoder; no bytes of scratch."""
        w = _weights(node)
        groups = node.inputs[0].type.shape[0] // w.shape[1]
        offsets = channel_numbers(w) if self.weights == "bytes" else distances(node, lay)
        channels = _channels(node, acc)
        programs = [
            parts(row, offsets + o * groups // len(w) * w.shape[1] * lay.plane, how)
            for o, (row, how) in enumerate(zip(w.reshape(len(w), -1), channels, strict=True))
        ]
        both = [*zip(programs, (how.end for how in channels), strict=True)]
        fields = (
            base.Field(
                "weights",
                "uint16_t",
                pack.pack_bytes([(part, end) for (part,), end in both])
                if self.weights == "bytes"
                else np.concatenate([pack.pack_lists16(parts, end) for parts, end in both]),
            ),
            *_tails(channels),
            base.Field("decode", "mcugen_sparse_decode_fn", base.NULL),
        )
        return channels, fields, 0

    def _decoded(self, node: Node, lay: Layout, acc: Range) -> tuple[list[Channel], tuple[base.Field, ...], int]:
        """The channels, the code, its numbers (MCUGEN_RICE_K ... in sparse.h) and the decoder; bytes of scratch."""
        op, w = node.op, node.inputs[1].const
        channels = _compact(node, acc)
        assert isinstance(op, Conv2d) and channels is not None
        _, c, kh, kw = w.shape
        stream = _stream_order(w)
        k = pack.rice_bits(stream)[1] if self.weights == "rice" else 0
        minus, plus = (int(most) for most in _counts(w).max(axis=1))
        below = -(-(minus + 1) // GROUP)
        centres = [how.parts[0].centre or 0 for how in channels]
        one = len(set(centres)) == 1
        packing = [
            *(k, c, lay.plane, kw, kh, op.dilation[1], op.dilation[0] * lay.pitch - (kw - 1) * op.dilation[1]),
            *(centres[0] if one else 0, below, pack.END if _full(op) else pack.END_LIMITS, int(not one)),
        ]
        tails = np.array([(how.scale, *_packed_tail(how), how.parts[0].centre or 0) for how in channels])
        tails = tails[:, : 3 if one else 4]
        fields = (
            base.Field(
                "weights",
                "uint16_t",
                pack.pack_rice(stream, k) if self.weights == "rice" else pack.pack_base3x10(stream),
            ),
            base.Field("tails", "const int32_t *", base.NULL),
            base.Field("packing", "uint16_t", (np.array([*packing, *tails.ravel()]) & 0xFFFF).astype(np.uint16)),
            base.Field("decode", "mcugen_sparse_decode_fn", f"mcugen1_sparse_{self.weights}"),
        )
        # The middle is aligned to 32 bytes; behind it 17, c, a token, the +1 list with its other tokens, the end.
        above = 2 * (4 + plus + _tokens_above(plus))
        return channels, fields, -(-(28 + 32 * below + above) // 4) * 4

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        seal = base.seal_cycles(sig.output, node.output.type, core)
        if self.helium:
            return sum(_instructions(node, sig, acc, self.weights)) + seal
        if self.weights in DECODED:
            return sum(_decoded_cycles(node, sig, acc, core, self.weights)) + seal
        return sum(_cycles(node, sig, acc, core, self.weights == "bytes")) + seal


@dataclass(frozen=True)
class SparseDepthwise(Sparse):
    """The same for ternary depthwise layers: a channel's list has the weights of one plane."""

    weights: str = field(default="lists16 depthwise", init=False)
    op = DepthwiseConv2d
    by_plane = True


def _weights(node: Node) -> Array:
    """Weights as (O, C of a group, KH, KW)."""
    w = node.inputs[1].const
    return w if w.ndim == 4 else w[:, None]


def channel_numbers(w: Array) -> Array:
    """The channel of x of each weight of an output channel."""
    return np.asarray(np.indices(w.shape[1:])[0].ravel())


def distances(node: Node, lay: Layout) -> Array:
    """Words from the pixel of weight (0, 0, 0) to that of each weight of an output channel, in the first group."""
    op = node.op
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    channel, i, j = np.indices(_weights(node).shape[1:])
    return (channel * lay.plane + i * op.dilation[0] * lay.pitch + j * op.dilation[1]).ravel()


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


def _costs(core: base.Core) -> Costs | None:
    """None for sparse_ref.c."""
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    if "m3" in core.isa:
        return _M3
    return _M0 if core.name == "cortex-m0" else _M0PLUS if "m0" in core.isa else None


def _cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core, by_byte: bool = False) -> Iterator[float]:
    """Of each channel, without the seal."""
    runs, costs, step = _runs(node, sig, by_byte), _costs(core), node.op.stride[1]  # type: ignore[attr-defined]
    if costs and by_byte:
        costs = _by_byte(costs)
    channels = _channels(node, acc)
    clamps = _clamp_cycles(node, sig, costs) - _below_cycles(node, runs, acc, costs)
    packed = costs.packed if costs and all(map(_packs, channels)) else 0
    for how, clamp in zip(channels, clamps, strict=True):
        entries, tokens = entries_and_tokens(how)
        if costs is None:
            word = 260 * core.pressure
            entry = 4 * (core.load + core.branch + 6.6) * core.pressure
            yield sum(run[2] for run in runs) * (word + entries * entry)
            continue
        strips = (run[2] // run[3] * _strip_cycles(costs, run[3], entries, tokens, how, step) for run in runs)
        yield costs.channel + packed + run_cycles(costs, runs) + sum(strips) + clamp


def entries_and_tokens(how: Channel) -> tuple[int, int]:
    """Of a channel's program; tokens that add."""
    entries = sum(part.lead + part.rest for part in how.parts)
    tokens = sum(-(-part.lead // pack.MOST_ADDED) + -(-part.rest // pack.MOST_ADDED) for part in how.parts)
    tokens -= how.parts[0].lead % pack.MOST_ADDED == 1  # the first entry needs none
    return max(entries, 1), tokens


def run_cycles(costs: Costs, runs: Sequence[Run]) -> float:
    """Of a channel's runs, without their strips."""
    return costs.run * len(runs) + costs.widest_run * sum(run[3] == WIDEST for run in runs)


def _by_byte(costs: Costs) -> Costs:
    """The same for programs of bytes."""
    narrow, wide, centre = costs.byte_strip
    return replace(
        costs,
        channel=costs.channel + costs.byte_channel,
        run=costs.run + 2,
        strip=(*(cycles + narrow for cycles in costs.strip[:3]), costs.strip[3] + wide),
        entry=costs.by_byte,
        token=(costs.token[0], costs.token[0]),
        centre=(costs.centre[0] + centre, costs.centre[1] + centre),
    )


def _clamp_cycles(node: Node, sig: base.Signature, costs: Costs | None) -> float:
    """Of a channel, where its end does not know lo."""
    return 4 * sig.output.plane * costs.lo if costs and node.op.to.lo else 0.0  # type: ignore[attr-defined]


def _below_cycles(node: Node, runs: list[tuple[int, int, int, int]], acc: Range, costs: Costs | None) -> Array:
    """Of each channel, what pixels below 0 spare: as many as if sums were normal, x had a mean of its zero point or a
    fourth of its range, and deviated by that fourth."""
    if not (costs and costs.below):
        return np.zeros(acc.lo.shape)
    x, w = node.inputs[0].type, _weights(node)
    fourth = x.dtype.hi / 4
    signs = w.reshape(len(w), -1).astype(np.int64)
    mult, add, _ = _constants(node, acc)
    mean = signs.sum(axis=1) * (x.zero_point or fourth) * mult + add
    deviation = np.maximum(np.abs(mult) * fourth * np.sqrt(np.abs(signs).sum(axis=1)), 1e-9)
    share = np.array([0.5 * math.erfc(v) for v in mean / deviation / math.sqrt(2)])
    return LANES * sum(run[2] for run in runs) * costs.below * share


def _decoded_cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core, weights: str) -> Iterator[float]:
    """Of each channel, with what decoding it from a Rice code or digits takes; without the seal."""
    runs, costs, step = _runs(node, sig), _costs(core), node.op.stride[1]  # type: ignore[attr-defined]
    clamps = _clamp_cycles(node, sig, costs) - _below_cycles(node, runs, acc, costs)
    w = node.inputs[1].const
    taps, (bits, k) = w[0, 0].size, pack.rice_bits(_stream_order(w))
    zeros = bits - (k + 2) * (np.count_nonzero(w) + 1)
    compact = _compact(node, acc)
    assert compact is not None
    for how, clamp in zip(compact, clamps, strict=True):
        minus, plus = how.parts[0].lead, how.parts[0].rest
        entries = max(minus, 1) + plus
        if costs is None:
            word = 260 * core.pressure
            entry = 4 * (core.load + core.branch + 6.6) * core.pressure
            each = 12 * (minus + plus) + 14 * w[0].size if weights == "base3" else 66 * (minus + plus)
            decoding = (180 + 18 * taps + each) * core.pressure
            yield sum(run[2] for run in runs) * (word + entries * entry) + decoding
            continue
        tokens = _tokens_above(plus) + (minus + 1 - 3) // GROUP + 1 if minus else 1 + _tokens_above(plus)
        if weights == "base3":
            d = costs.digits
            yield d.channel + d.entry * (minus + plus) + d.tap * taps + d.weight * w[0].size
        else:
            d = costs.decoded
            yield (
                d.channel + d.entry * (minus + plus) + d.tap * taps + (d.halfword * bits / 16 + d.zero * zeros) / len(w)
            )
        strips = (run[2] // run[3] * _strip_cycles(costs, run[3], entries, tokens, how, step) for run in runs)
        yield costs.channel + run_cycles(costs, runs) + sum(strips) + clamp


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


def _strip_cycles(costs: Costs, words: int, entries: int, tokens: int, how: Channel, step: int = 1) -> float:
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


def _constants(node: Node, acc: Range) -> tuple[Array, Array, Array]:
    constants = tail_constants(node)
    assert constants is not None
    mult, add, shift = (np.broadcast_to(c, acc.lo.shape).astype(np.int64) for c in constants)
    return mult, add, shift


def _channels(node: Node, acc: Range) -> list[Channel]:
    w = _weights(node).reshape(node.output.type.shape[0], -1)
    to = node.op.to  # type: ignore[attr-defined]
    full, highest = (to.lo, to.hi) == (0, 255), node.inputs[0].type.dtype.hi
    rows = zip((w == -1).sum(axis=1), (w == 1).sum(axis=1), acc.lo, acc.hi, *_constants(node, acc), strict=True)
    return [choose(*map(int, numbers), full=full, highest=highest) for numbers in rows]


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
    w = node.inputs[1].const
    found = []
    for o, (minus, plus) in enumerate(zip(*_counts(w).tolist(), strict=True)):
        how = _ended(
            True,
            Part(minus, plus, _centre(int(least[o]), int(most[o]), int(grain[o]))),
            sign=1,
            limits=(int(acc.lo[o]), int(acc.hi[o])),
            tail=(int(mult[o]), int(add[o]), int(shift[o])),
            full=full,
        )
        if how.end in (pack.END_TWICE, pack.END_FOURFOLD):  # decoders know END_SHIFT only
            how = replace(how, end=pack.END_SHIFT)
        if (how.end == pack.END_SHIFT) != (how.scale >> 16 < 16) or not _packs(how):
            return None
        found.append(how)
    return found


def _tails(channels: list[Channel]) -> tuple[base.Field, base.Field]:
    """In `packing` if 6 bytes suffice for every channel, else 8 in `tails`."""
    if not all(map(_packs, channels)):
        tails = np.array([(how.scale, how.add) for how in channels], np.int32)
        return base.Field("tails", "int32_t", tails), base.Field("packing", "const uint16_t *", base.NULL)
    packed = np.array([(how.scale, *_packed_tail(how)) for how in channels]) & 0xFFFF
    return (
        base.Field("tails", "const int32_t *", base.NULL),
        base.Field("packing", "uint16_t", packed.astype(np.uint16)),
    )


def _packs(how: Channel) -> bool:
    """True if 27 bits hold add, in units of 2^(shift - 16) if shift > 16."""
    unit = 1 << max(0, (how.scale >> 16) - 16)
    return how.add % unit == 0 and -(1 << 26) <= how.add // unit < 1 << 26


def _packed_tail(how: Channel) -> tuple[int, int]:
    """The second and third halfword of a tail of 6 bytes."""
    shift = how.scale >> 16
    rest = how.add >> max(0, shift - 16) << 5 | shift
    return rest, rest >> 16


def _centre(least: int, most: int, grain: int) -> int:
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
            return _ended(minus > 0, part, sign=sign, limits=(lo, hi), tail=tail, full=full)
    sign = 1 if minus else -1  # centre - plus
    least, most = -(1 << 15) - min(sign * lo, sign * hi), (1 << 15) - 1 - max(sign * lo, sign * hi)
    assert least <= most, (lo, hi)
    grain = 1 << max(0, shift - 16)  # of the centres that END can take
    centre = _centre(least, most, grain)
    part = Part(minus, plus, centre) if minus else Part(plus, 0, centre)
    return _ended(minus > 0, part, sign=sign, limits=(lo, hi), tail=tail, full=full)


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
    return Channel(minus > 0, tuple(parts), end, (m & 0xFFFF) | shift << 16, _wrapped(a))


def _ended(
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
    return Channel(minus_first, (part,), pack.END_SHIFT, (m & 0xFFFF) | s << 16, _wrapped(a))


def _wrapped(add: int) -> int:
    """The addend modulo 2^32: sums are, too, and the last one fits."""
    return (add + (1 << 31)) % (1 << 32) - (1 << 31)


# Strips.


def _strips(runs: Sequence[Run], wide: Sequence[Run], kind: str) -> Iterator[base.Part]:
    """The functions for strips: those of `wide` with Helium and of `runs` without; of `runs` if there are no others.

    kind: what their names end in; "b", of programs of bytes, is not there with Helium.
    """
    some, others = ({run[3] for run in found} for found in (runs, wide))
    for n in sorted(some | others):
        only = "" if not wide or (n in some and n in others) else "MVE" if n in others else "OTHER"
        code = 0 if only == "OTHER" else 330 + 190 * -(-n // 2) if n in others else _STRIP_BYTES[n - 1]
        yield base.Part(f"sparse{n}{kind}", code, "OTHER" if kind == "b" else only)


def _reach(lay: Layout, channels: int, rows: int = 0, cols: int = 0) -> int:
    """Words of `channels` planes, with so many more halo rows and pad columns."""
    return channels * (
        lay.plane + rows * (lay.pitch + cols) + cols * (lay.halo_top + lay.rows_per_lane + lay.halo_bottom + 1)
    )


def _runs(node: Node, sig: base.Signature, by_byte: bool = False) -> list[Run]:
    """(first word of x, first word of y, words, words of a strip) of runs of equal strips that cover a plane of y.

    Row by row, or where rows of x and y go on alike, all at once with the pad columns between them, which the seal
    repairs: whichever is expected to be faster.
    """
    op, w, y = node.op, node.inputs[1], node.output.type
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    a, b = sig.inputs[0], sig.output
    _, height, width = layout.seen(b, y.shape)
    height = min(b.rows_per_lane, height)
    entries = int(np.count_nonzero(w.const)) // y.shape[0]

    def rows(count: int, words: int) -> list[Run]:
        found = []
        for row in range(count):
            x_at = a.pad_cols + (row * op.stride[0] - op.padding[0] + a.halo_top) * a.pitch - op.padding[1]
            y_at = b.pad_cols + (row + b.halo_top) * b.pitch
            for strip, n in cover(words, entries, by_byte):
                found.append((x_at, y_at, n * strip, strip))
                x_at, y_at = x_at + n * strip * op.stride[1], y_at + n * strip
        return found

    def cost(runs: list[Run]) -> float:
        return run_cycles(_DSP, runs) + sum(n // strip * _typical(strip, entries, by_byte) for _, _, n, strip in runs)

    options = [rows(height, width)]
    if op.stride[0] * a.pitch == op.stride[1] * b.pitch:
        options.append(rows(1, (height - 1) * b.pitch + width))
    return min(options, key=cost)


def _typical(strip: int, entries: int, by_byte: bool) -> float:
    cycles = _strip_cycles(_DSP, strip, entries, 2, Channel(True, (Part(0, 0, 0),), pack.END, 0, 0))
    return cycles + by_byte * entries * (_DSP.by_byte[strip - 1] - _DSP.entry[strip - 1])


@lru_cache(maxsize=1024)
def cover(words: int, entries: int, by_byte: bool = False) -> tuple[tuple[int, int], ...]:
    """(words of a strip, how many), widest first, that make up `words` in the least cycles."""
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    whole = max(0, words - 2 * WIDEST) // WIDEST  # far from the end the widest strips are the fastest
    for n in range(1, words - whole * WIDEST + 1):
        some = [
            (best[n - strip][0] + _typical(strip, entries, by_byte), (*best[n - strip][1], strip))
            for strip in range(1, min(n, WIDEST) + 1)
        ]
        best[n] = min(some)
    strips = [*best[words - whole * WIDEST][1], *[WIDEST] * whole]
    return tuple((strip, strips.count(strip)) for strip in range(WIDEST, 0, -1) if strip in strips)


# Helium: instructions, not cycles. The strips are those of sparse_mve.h; a run has strips of one width, the last of
# which may overlap the one before.

_HELIUM_WIDTHS = {1: (1, 2, 3, 4, 5, 6, 7, 8, 10, 12), 2: (1, 2, 3, 4, 8)}  # words, by the step in x
_HELIUM_CHANNEL, _HELIUM_RUN, _HELIUM_TOKEN = 32.0, 31.0, 2
_HELIUM_DECODED = Decoding(120, 13.5, 16, 8)
_HELIUM_DIGITS = Decoding(140, 8.5, 12.5, weight=11)
_HELIUM_PACKED = 23.5  # more of a channel
# Tokens of strips, of a strip and of a register; for ends: over END.
_HELIUM_OTHERS = _others((6, 6), (5, 2), (4, 5), (4, 9), (6, 10), (7, 22), (0, 0), (0, 0))


def _helium_strip(words: int, entries: int, tokens: int, how: Channel, step: int) -> float:
    registers = -(-words // 2)
    gathered = words == 1 or step > 1
    each = 2 + 2 * registers + (registers - 1) * gathered
    count: float = 12 + 2 * gathered + 8 * registers + 7 * (words == 1) + entries * each + _HELIUM_TOKEN * tokens
    centred = sum(part.centre is not None for part in how.parts)
    count += centred * (_HELIUM_TOKEN + 2 + registers)
    wide = (pack.WIDE_SET, *[pack.WIDE_ADD] * (len(how.parts) - 2)) if len(how.parts) > 1 else ()
    for each_token in (*wide, how.end):
        strip, register = _HELIUM_OTHERS.get(each_token, (0, 0))
        count += strip + register * registers
    return count + (_HELIUM_TOKEN + 2 * gathered) * len(wide)


def _helium_runs(node: Node, sig: base.Signature) -> list[Run]:
    """As _runs; a run over the whole plane may go on to its end, which the seal repairs, so that strips are wider."""
    op, w, y = node.op, node.inputs[1], node.output.type
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    a, b = sig.inputs[0], sig.output
    _, height, width = layout.seen(b, y.shape)
    height = min(b.rows_per_lane, height)
    entries = int(np.count_nonzero(w.const)) // y.shape[0]
    x_at = a.pad_cols + (a.halo_top - op.padding[0]) * a.pitch - op.padding[1]
    y_at = b.pad_cols + b.halo_top * b.pitch

    def rows(count: int, words: int, more: int) -> list[Run]:
        found = []
        for row in range(count):
            x_row, y_row = x_at + row * op.stride[0] * a.pitch, y_at + row * b.pitch
            for strip, n in helium_cover(words, more, entries, op.stride[1]):
                found.append((x_row, y_row, n, strip))
                x_row, y_row = x_row + n * op.stride[1], y_row + n
        return found

    def cost(runs: list[Run]) -> float:
        return sum(_helium_run(n, strip, entries, op.stride[1]) for _, _, n, strip in runs)

    options = [rows(height, width, 0)]
    if op.stride[0] * a.pitch == op.stride[1] * b.pitch:
        words, (kh, kw) = (height - 1) * b.pitch + width, w.type.shape[-2:]
        reach = x_at + (kh - 1) * op.dilation[0] * a.pitch + (kw - 1) * op.dilation[1]
        most = min((a.plane - 1 - reach) // op.stride[1] + 1, b.plane - y_at)
        options.append(rows(1, words, most - words))
    return min(options, key=cost)


def _helium_run(words: int, strip: int, entries: int, step: int) -> float:
    usual = Channel(True, (Part(0, 0, 0),), pack.END, 0, 0)
    return _HELIUM_RUN + -(-words // strip) * _helium_strip(strip, entries, 3, usual, step)


@lru_cache(maxsize=1024)
def helium_cover(words: int, more: int, entries: int, step: int) -> tuple[tuple[int, int], ...]:
    """(words of a strip, of a run) of one run or two that make up `words`, or up to `more` besides, in the fewest
    instructions."""
    widths = _HELIUM_WIDTHS[step]
    options: list[tuple[tuple[int, int], ...]] = []
    for strip in widths:
        for n in range(words, words + more + 1):
            if strip <= n:
                options.append(((strip, n),))
        first = words // strip * strip
        if first and words > first:
            options += [((strip, first), (rest, words - first)) for rest in widths if rest <= words - first]
    return min(options, key=lambda runs: sum(_helium_run(n, strip, entries, step) for strip, n in runs))


def _instructions(node: Node, sig: base.Signature, acc: Range, weights: str) -> Iterator[float]:
    """Of each channel, without the seal."""
    runs, step = _helium_runs(node, sig), node.op.stride[1]  # type: ignore[attr-defined]
    coded = weights in DECODED
    channels = _compact(node, acc) if coded else _channels(node, acc)
    assert channels is not None
    w = node.inputs[1].const
    decoding, entry = 0.0, 0.0
    if weights == "base3":
        d, entry = _HELIUM_DIGITS, _HELIUM_DIGITS.entry
        decoding = d.channel + d.tap * w[0, 0].size + d.weight * w[0].size
    elif coded:
        entry = _HELIUM_DECODED.entry
        bits, _ = pack.rice_bits(_stream_order(w))
        decoding = _HELIUM_DECODED.channel + _HELIUM_DECODED.tap * w[0, 0].size
        decoding += (_HELIUM_DECODED.halfword * bits / 16) / len(w)
    elif all(map(_packs, channels)):
        decoding = _HELIUM_PACKED
    for how in channels:
        entries = sum(part.lead + part.rest for part in how.parts)
        if coded:
            minus, plus = how.parts[0].lead, how.parts[0].rest
            tokens = _tokens_above(plus) + (minus + 1 - 3) // GROUP + 1 if minus else 1 + _tokens_above(plus)
            cycles = decoding + entry * entries
            entries = max(minus, 1) + plus
        else:
            tokens = sum(-(-part.lead // pack.MOST_ADDED) + -(-part.rest // pack.MOST_ADDED) for part in how.parts)
            tokens += 1 - (how.parts[0].lead % pack.MOST_ADDED == 1)  # the end, and the first entry needs none
            entries, cycles = max(entries, 1), decoding
        strips = (-(-n // strip) * _helium_strip(strip, entries, tokens, how, step) for _, _, n, strip in runs)
        yield cycles + _HELIUM_CHANNEL + _HELIUM_RUN * len(runs) + sum(strips)
