"""sparse: Conv2d with ternary weights from lanes to lanes, by lists of the weights that are not zero.

The sums have 16 bits, and this file proves that they suffice. Let acc be the true sum of a channel for some pixel, and
let [lo, hi] hold acc for all that range analysis allows of the input; then the kernel's sum is congruent modulo 2^16
to sign * acc + centre, for every entry adds or takes away the very byte that acc has, and additions modulo 2^16 do not
mind what happened in between. If lo and hi, so transformed, both lie in -2^15 .. 2^15 - 1, the 16 bits read as a signed
number are that sum. The centre is free, and so is the sign (the plus list may come first as well as the minus list):
a channel is possible if hi - lo < 2^16. For bytes from 0 to 255 and P plus, N minus weights that is 255 (P + N) < 2^16,
P + N <= 257. What sign and centre change, the tail takes back: acc * mult + add = sum * (sign * mult) + (add - sign *
centre * mult), an identity of integers. A layer with a channel that is not proven goes to other kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
_GROWTH = (8, 4)  # halo rows and pad columns that other readers of x may add to what this kernel asks for


@dataclass(frozen=True)
class Costs:
    """Cycles of the assembler, counted from it as timing.py does; bench/kernels.py compares with the simulation."""

    channel: float
    run: float
    strip: tuple[float, ...]  # of 1 to 4 words, without entries and tokens
    entry: tuple[float, ...]  # of a weight
    token: tuple[float, float]  # of strips of up to 3 words, of 4
    centre: float  # besides its token and `negate` a word
    shift: tuple[float, float]  # END_SHIFT over END: of a strip, of a word
    negate: float = 2
    apart: float = 0  # of a word but the first, and an entry, where words of x are not neighbours
    lo: float = 0  # of a byte of the output, where lo is not 0


_DSP = Costs(35, 28, (34, 45, 55, 65), (6, 9, 12, 16), (8, 7), 3, (10, 9))
_M3 = Costs(32, 28, (55, 83, 110, 137), (7, 11, 15, 20), (8, 7), 4, (12, 31))
_M7 = Costs(20, 16, (18, 24, 30, 35), (3.8, 5.6, 7.3, 9.3), (5, 4.5), 2, (6, 5))
# No pixel below 0, which takes 4 cycles less.
_M0PLUS = Costs(46, 41, (84, 133, 184, 230), (8, 13, 17, 21), (11, 11), 6, (0, 0), negate=6, apart=1, lo=9)
_M0 = Costs(48, 44, (86, 135, 186, 232), (8, 13, 17, 21), (12, 12), 6, (0, 0), negate=6, apart=1, lo=10)


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

    stem = "sparse"
    op = Conv2d
    code_bytes = 3000
    weights = "lists16"

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
        return bool(np.all(acc.hi - acc.lo < 1 << 16) and np.all((ends >= -fixed.INT32) & (ends < fixed.INT32)))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, w, lay = node.op, node.inputs[1].const, sig.inputs[0]
        assert isinstance(op, Conv2d) and op.to is not None
        if max(_reach(lay, w.shape[1]), _reach(sig.output, 1)) > FARTHEST:
            hint = "fewer channels, or a smaller image"
            raise TargetError("E402", f"the image in {lay} has more than {FARTHEST} words", where=node.name, hint=hint)
        _, c, kh, kw = w.shape
        channel, i, j = np.meshgrid(np.arange(c), np.arange(kh), np.arange(kw), indexing="ij")
        distances = (channel * lay.plane + i * op.dilation[0] * lay.pitch + j * op.dilation[1]).ravel()
        programs = []
        channels = _channels(node, acc)
        for row, how in zip(w.reshape(len(w), -1), channels, strict=True):
            lists = distances[row == -1], distances[row == 1]
            lead, rest = lists if how.minus_first else lists[::-1]
            programs.append(pack.pack_lists16(lead, rest, how.centre, how.end))
        runs = _runs(node, sig)
        used = sorted({run[3] for run in runs})
        return base.Bound(
            (
                base.Field("weights", "uint16_t", np.concatenate(programs)),
                base.Field("tails", "int32_t", np.array([(c.scale, c.add) for c in channels], np.int32)),
                base.Field("runs", "uint16_t", np.array(runs, np.uint16)),
                base.Field("run_count", "uint16_t", len(runs)),
                base.Field("lo", "uint8_t", op.to.lo),
                base.Field("hi", "uint8_t", op.to.hi),
                base.lanes_field("out", sig.output, node.output.type),
                base.Field("step", "uint8_t", op.stride[1]),
            ),
            needs=("lanes", "sparse_strips", *(f"sparse{words}{'x2' * (op.stride[1] - 1)}" for words in used)),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        return sum(_cycles(node, sig, acc, core)) + base.seal_cycles(sig.output, node.output.type, core)


def _costs(core: base.Core) -> Costs | None:
    """None for sparse_ref.c."""
    if "dsp" in core.isa:
        return _M7 if core.name == "cortex-m7" else _DSP
    if "m3" in core.isa:
        return _M3
    return _M0 if core.name == "cortex-m0" else _M0PLUS if "m0" in core.isa else None


def _cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core) -> Iterator[float]:
    """Of each channel, without the seal."""
    runs, costs, step = _runs(node, sig), _costs(core), node.op.stride[1]  # type: ignore[attr-defined]
    w = node.inputs[1].const.reshape(node.inputs[1].type.shape[0], -1)
    clamps = 4 * sig.output.plane * costs.lo if costs and node.op.to.lo else 0.0  # type: ignore[attr-defined]
    counts = {-1: (w == -1).sum(axis=1), 1: (w == 1).sum(axis=1)}
    for o, how in enumerate(_channels(node, acc)):
        lead, rest = (int(counts[s][o]) for s in ((-1, 1) if how.minus_first else (1, -1)))
        if costs is None:
            word = 260 * core.pressure
            entry = 4 * (core.load + core.branch + 6.6) * core.pressure
            yield sum(run[2] for run in runs) * (word + (lead + rest) * entry)
            continue
        tokens = -(-max(lead - 1, 0) // pack.MOST_ADDED) + -(-rest // pack.MOST_ADDED)
        n = max(lead + rest, 1)
        strips = (run[2] // run[3] * _strip_cycles(costs, run[3], n, tokens, how, step) for run in runs)
        yield costs.channel + costs.run * len(runs) + sum(strips) + clamps


def _strip_cycles(costs: Costs, words: int, entries: int, tokens: int, how: Channel, step: int = 1) -> float:
    token, apart = costs.token[words == WIDEST], (words - 1) * costs.apart if step > 1 else 0
    cycles = costs.strip[words - 1] + entries * (costs.entry[words - 1] + apart) + tokens * token
    if how.centre is not None:
        cycles += token + costs.centre + (words < WIDEST) + costs.negate * words
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
    centre = min(max(0, -(-least // grain) * grain), most // grain * grain)
    if centre < least:
        centre = min(max(0, least), most)
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
