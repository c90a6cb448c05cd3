"""sparse: convolutions with ternary weights from lanes to lanes, by lists of the weights that are not zero.

The lists lie in flash, of halfwords (lists16) or, in pointwise layers of up to 256 channels, of bytes, or one channel's
at a time in scratch, decoded from a Rice code (rice), from a code of three weights at once for the densities between
two of its parameters (blocks) or, for layers of few zeros, from digits of base 3 (base3).

A decoder has no use for a choice of signs and centres (strips.py): its channels have sign 1 and all the same centre if
they can. It knows none that are split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from .. import layout, pack
from ..ir import Array, Node, Range
from ..layout import LANES, Layout
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from . import base, strips

DECODED = {"rice": 590, "blocks": 610, "base3": 430}  # encodings that are decoded, and bytes of code
ASSEMBLED = ("rice", "blocks")  # those of them with a decoder in assembler
BYTE = 256  # channels that a byte can count: so few weights are never split
_STRIP_BYTES = (660, 890, 1120, 1290)
Channels = tuple[strips.Channel, ...]
GROUP, FIRST_GROUP = 15, 13  # offsets behind a token in scratch, behind the first of the +1 list


@dataclass(frozen=True)
class Sparse(base.Kernel):
    """Weight-stationary: each channel's list runs over all strips of 1 to 4 words, four pixels in a word."""

    weights: str = field(default="lists16")  # or bytes, or of DECODED
    helium: bool = False  # with runs of strips of up to 12 words besides the others
    stem = "sparse"
    op = Conv2d
    code_bytes = 370
    uses_scratch = True
    runs = True

    def on(self, core: base.Core) -> Sparse:
        return replace(self, helium="mve" in core.isa)

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (x, w) = node.op, (v.type for v in node.inputs[:2])
        assert isinstance(op, Conv2d | DepthwiseConv2d)
        if self.weights != "lists16" and isinstance(op, Conv2d) and w.shape[1] != x.shape[0]:
            return None
        if self.weights == "bytes" and self.helium:  # there in C
            return None
        if self.weights == "bytes" and (w.shape[1] > BYTE or w.shape[2:] != (1, 1) or op.stride[1] > 1):
            return None
        return strips.layouts(node, inputs, output)

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return strips.reaches(node, sig)

    def accepts(self, node: Node, acc: Range) -> bool:
        short, any_end = strips.proven(node, acc)
        if self.weights in DECODED:
            return short and _compact(node, acc) is not None
        return short if self.weights == "bytes" else any_end

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, lay = node.op, sig.inputs[0]
        assert isinstance(op, Conv2d | DepthwiseConv2d) and op.to is not None
        how, weights, scratch = (self._decoded if self.weights in DECODED else self._lists16)(node, lay, acc)
        runs, wide = strips.runs(node, sig, self.weights == "bytes"), _helium_runs(node, sig) if self.helium else []
        wide = wide if len(wide) < BYTE else []
        ends = {channel.end for channel in how}
        kind = "b" if self.weights == "bytes" else "x2" * (op.stride[1] - 1)
        return base.Bound(
            (
                *weights[:2],
                *strips.run_fields(node, sig, runs, wide),
                base.Field("wide_run_count", "uint8_t", len(wide)),
                base.Field("x_plane", "uint16_t", lay.plane if self.weights == "bytes" else 0),
                *weights[2:],
            ),
            scratch=scratch,
            needs=("lanes", "sparse_cores", "sparse_strips")
            + ("sparse_scratch",) * (self.weights in DECODED)
            + ("sparse_decode", f"sparse_{self.weights}_thumb2") * (self.weights in ASSEMBLED),
            parts=(
                *_strips(runs, wide, kind),
                *([base.Part("sparse_shift", 280)] if pack.END_SHIFT in ends else []),
                *([base.Part("sparse_split", 680)] if ends & {pack.END_WIDE, pack.END_LONG} else []),
                *([base.Part("sparse_long", 400)] if pack.END_LONG in ends else []),
                *([base.Part(f"sparse_{self.weights}", DECODED[self.weights])] if self.weights in DECODED else []),
            ),
        )

    def _lists16(self, node: Node, lay: Layout, acc: Range) -> tuple[Channels, tuple[base.Field, ...], int]:
        """The channels, their programs and tails, and no decoder; no bytes of scratch."""
        of_bytes = self.weights == "bytes"
        offsets = channel_numbers(strips.weights(node)) if of_bytes else strips.distances(node, lay)
        channels = strips.channels(node, acc)
        programs = [
            strips.parts(row, places, how)
            for (row, places), how in zip(strips.channel_rows(node, lay, offsets), channels, strict=True)
        ]
        both = [*zip(programs, (how.end for how in channels), strict=True)]
        fields = (
            base.Field(
                "weights",
                "uint16_t",
                pack.pack_bytes([(part, end) for (part,), end in both])
                if of_bytes
                else np.concatenate([pack.pack_lists16(parts, end) for parts, end in both]),
            ),
            *strips.tails(channels),
            base.Field("decode", "mcugen_sparse_decode_fn", base.NULL),
        )
        return channels, fields, 0

    def _decoded(self, node: Node, lay: Layout, acc: Range) -> tuple[Channels, tuple[base.Field, ...], int]:
        """The channels, the code, its numbers (MCUGEN_RICE_K ... in sparse.h) and the decoder; bytes of scratch."""
        op, w = node.op, node.inputs[1].const
        channels = _compact(node, acc)
        assert isinstance(op, Conv2d) and channels is not None
        _, c, kh, kw = w.shape
        code, _, k = strips.code(node, self.weights)
        minus, plus = (int(most) for most in _counts(w).max(axis=1))
        below = -(-(minus + 1) // GROUP)
        centres = [how.parts[0].centre or 0 for how in channels]
        one = len(set(centres)) == 1
        packing = [
            *(k, c, lay.plane, kw, kh, op.dilation[1], op.dilation[0] * lay.pitch - (kw - 1) * op.dilation[1]),
            *(centres[0] if one else 0, below, pack.END if strips.whole_range(op) else pack.END_LIMITS, int(not one)),
        ]
        tails = np.array([(how.scale, *strips.packed_tail(how), how.parts[0].centre or 0) for how in channels])
        tails = tails[:, : 3 if one else 4]
        fields = (
            base.Field("weights", "uint16_t", code),
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


def channel_numbers(w: Array) -> Array:
    """The channel of x of each weight of an output channel."""
    return np.asarray(np.indices(w.shape[1:])[0].ravel())


def _cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core, by_byte: bool = False) -> Iterator[float]:
    """Of each channel, without the seal."""
    runs, costs, step = strips.runs(node, sig, by_byte), strips.costs(core), node.op.stride[1]  # type: ignore[attr-defined]
    if by_byte:
        costs = _by_byte(costs)
    channels = strips.channels(node, acc)
    clamps = _clamp_cycles(node, sig, costs) - _below_cycles(node, runs, acc, costs)
    packed = costs.packed if all(map(strips.packs, channels)) else 0
    for how, clamp in zip(channels, clamps, strict=True):
        entries, tokens = strips.entries_and_tokens(how)
        cycles_of = (run[2] // run[3] * strips.strip_cycles(costs, run[3], entries, tokens, how, step) for run in runs)
        yield costs.channel + packed + strips.run_cycles(costs, runs) + sum(cycles_of) + clamp


def _by_byte(costs: strips.Costs) -> strips.Costs:
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


def _clamp_cycles(node: Node, sig: base.Signature, costs: strips.Costs) -> float:
    """Of a channel, where its end does not know lo."""
    return LANES * sig.output.plane * costs.lo if node.op.to.lo else 0.0  # type: ignore[attr-defined]


def _below_cycles(node: Node, runs: list[strips.Run], acc: Range, costs: strips.Costs) -> Array:
    """Of each channel, what pixels below 0 spare."""
    if not costs.below:
        return np.zeros(acc.lo.shape)
    return LANES * sum(run[2] for run in runs) * costs.below * strips.below(node, acc)


def _decoded_cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core, weights: str) -> Iterator[float]:
    """Of each channel, with what decoding it takes; without the seal."""
    runs, costs, step = strips.runs(node, sig), strips.costs(core), node.op.stride[1]  # type: ignore[attr-defined]
    clamps = _clamp_cycles(node, sig, costs) - _below_cycles(node, runs, acc, costs)
    w = node.inputs[1].const
    taps, (_, bits, k) = w[0, 0].size, strips.code(node, weights)
    zeros = bits - (k + 2) * (np.count_nonzero(w) + 1) if weights == "rice" else 0
    compact = _compact(node, acc)
    assert compact is not None
    for how, clamp in zip(compact, clamps, strict=True):
        minus, plus = how.parts[0].lead, how.parts[0].rest
        entries = max(minus, 1) + plus
        tokens = _decoded_tokens(minus, plus)
        d = costs.decoded[weights]
        yield d.channel + d.entry * (minus + plus) + d.tap * taps + d.weight * w[0].size
        yield (d.halfword * bits / 16 + d.zero * zeros) / len(w)
        cycles_of = (run[2] // run[3] * strips.strip_cycles(costs, run[3], entries, tokens, how, step) for run in runs)
        yield costs.channel + strips.run_cycles(costs, runs) + sum(cycles_of) + clamp


def _counts(w: Array) -> Array:
    """The -1 and the +1 weights of each channel, in two rows."""
    rows = w.reshape(len(w), -1)
    return np.stack([(rows == -1).sum(axis=1), (rows == 1).sum(axis=1)])


def _tokens_above(plus: int) -> int:
    """Tokens of the +1 list in scratch."""
    return -(-max(0, plus - FIRST_GROUP) // GROUP) + (plus > 0)


def _decoded_tokens(minus: int, plus: int) -> int:
    """Tokens of a program in scratch."""
    return _tokens_above(plus) + ((minus + 1 - 3) // GROUP + 1 if minus else 1)


@lru_cache(maxsize=128)
def _compact(node: Node, acc: Range) -> Channels | None:
    """How the channels of a code are computed: sign 1, one centre if possible. None: no tails of 6 bytes.

    A tail has 27 bits for add, in units of 2^(shift - 16) if shift > 16; a channel's end follows from its shift.
    """
    mult, add, shift = strips.constants(node, acc)
    full = strips.whole_range(node.op)  # type: ignore[arg-type]
    least, most = -(1 << 15) - acc.lo, (1 << 15) - 1 - acc.hi
    if (least > most).any():
        return None
    grain = 1 << np.maximum(shift - 16, 0)
    if least.max() <= most.min():
        centre = strips.nearest_centre(int(least.max()), int(most.min()), int(grain.max()))
        if centre % grain.max() == 0:
            least = most = np.full_like(least, centre)
    w = node.inputs[1].const
    found = []
    for o, (minus, plus) in enumerate(zip(*_counts(w).tolist(), strict=True)):
        how = strips.ended(
            True,
            strips.Part(minus, plus, strips.nearest_centre(int(least[o]), int(most[o]), int(grain[o]))),
            sign=1,
            limits=(int(acc.lo[o]), int(acc.hi[o])),
            tail=(int(mult[o]), int(add[o]), int(shift[o])),
            full=full,
        )
        if how.end in (pack.END_TWICE, pack.END_FOURFOLD):  # decoders know END_SHIFT only
            how = replace(how, end=pack.END_SHIFT)
        if (how.end == pack.END_SHIFT) != (how.scale >> 16 < 16) or not strips.packs(how):
            return None
        found.append(how)
    return tuple(found)


# Strips.


def _strips(runs: Sequence[strips.Run], wide: Sequence[strips.Run], kind: str) -> Iterator[base.Part]:
    """The functions for strips: those of `wide` with Helium and of `runs` without; of `runs` if there are no others.

    kind: what their names end in; "b", of programs of bytes, is not there with Helium.
    """
    some, others = ({run[3] for run in found} for found in (runs, wide))
    for n in sorted(some | others):
        only = "" if not wide or (n in some and n in others) else "MVE" if n in others else "OTHER"
        code = 0 if only == "OTHER" else 330 + 190 * -(-n // 2) if n in others else _STRIP_BYTES[n - 1]
        yield base.Part(f"sparse{n}{kind}", code, "OTHER" if kind == "b" else only)


# Helium: instructions, not cycles. The strips are those of sparse_mve.h; a run has strips of one width, the last of
# which may overlap the one before.

_HELIUM_WIDTHS = {1: (1, 2, 3, 4, 5, 6, 7, 8, 10, 12), 2: (1, 2, 3, 4, 8)}  # words, by the step in x
_HELIUM_CHANNEL, _HELIUM_RUN, _HELIUM_TOKEN = 32.0, 31.0, 2
_HELIUM_DECODED = {
    "rice": strips.Decoding(120, 13.5, 16, 8),
    "blocks": strips.Decoding(120, 13.5, 16, 8, weight=3),
    "base3": strips.Decoding(140, 8.5, 12.5, weight=11),
}
_HELIUM_PACKED = 16.0  # more of a channel
# Of decoding gaps: more of a group of offsets in scratch, and less of a pixel of the kernel without a weight.
_HELIUM_GROUP, _HELIUM_SKIPPED = 20, 8.4
# Tokens of strips, of a strip and of a register; for ends: over END.
_HELIUM_OTHERS = strips.others((6, 6), (5, 2), (4, 5), (4, 9), (6, 10), (7, 22), (0, 0), (0, 0))


def _helium_strip(words: int, entries: int, tokens: int, how: strips.Channel, step: int) -> float:
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


def _helium_runs(node: Node, sig: base.Signature) -> list[strips.Run]:
    """As strips.runs; one over the whole plane may go on to its end, which the seal repairs, so that they are wider."""
    op, w, y = node.op, node.inputs[1], node.output.type
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    a, b = sig.inputs[0], sig.output
    _, height, width = layout.seen(b, y.shape)
    height = min(b.rows_per_lane, height)
    entries = int(np.count_nonzero(w.const)) // y.shape[0]
    x_at = a.pad_cols + (a.halo_top - op.padding[0]) * a.pitch - op.padding[1]
    y_at = b.pad_cols + b.halo_top * b.pitch

    def rows(count: int, words: int, more: int) -> list[strips.Run]:
        found = []
        for row in range(count):
            x_row, y_row = x_at + row * op.stride[0] * a.pitch, y_at + row * b.pitch
            for strip, n in helium_cover(words, more, entries, op.stride[1]):
                found.append((x_row, y_row, n, strip))
                x_row, y_row = x_row + n * op.stride[1], y_row + n
        return found

    def cost(runs: list[strips.Run]) -> float:
        return sum(_helium_run(n, strip, entries, op.stride[1]) for _, _, n, strip in runs)

    options = [rows(height, width, 0)]
    if op.stride[0] * a.pitch == op.stride[1] * b.pitch:
        words, (kh, kw) = (height - 1) * b.pitch + width, w.type.shape[-2:]
        reach = x_at + (kh - 1) * op.dilation[0] * a.pitch + (kw - 1) * op.dilation[1]
        most = min((a.plane - 1 - reach) // op.stride[1] + 1, b.plane - y_at)
        options.append(rows(1, words, most - words))
    return min(options, key=cost)


def _helium_run(words: int, strip: int, entries: int, step: int) -> float:
    usual = strips.Channel(True, (strips.Part(0, 0, 0),), pack.END, 0, 0)
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
    channels = _compact(node, acc) if coded else strips.channels(node, acc)
    assert channels is not None
    w = node.inputs[1].const
    decoding, entry = 0.0, 0.0
    if coded:
        d, (_, bits, _) = _HELIUM_DECODED[weights], strips.code(node, weights)
        entry = d.entry
        decoding = d.channel + d.tap * w[0, 0].size + d.weight * w[0].size + d.halfword * bits / 16 / len(w)
    elif all(map(strips.packs, channels)):
        decoding = _HELIUM_PACKED
    for how in channels:
        entries = sum(part.lead + part.rest for part in how.parts)
        if coded:
            minus, plus = how.parts[0].lead, how.parts[0].rest
            tokens = _decoded_tokens(minus, plus)
            cycles = decoding + entry * entries
            if weights in ASSEMBLED:
                cycles += _HELIUM_GROUP * (minus // GROUP + plus // GROUP)
                cycles -= _HELIUM_SKIPPED * max(0, w[0, 0].size - entries - 1)
            entries = max(minus, 1) + plus
        else:
            entries, tokens = strips.entries_and_tokens(how)
            tokens, cycles = tokens + 1, decoding  # with the end
        cycles_of = (-(-n // strip) * _helium_strip(strip, entries, tokens, how, step) for _, _, n, strip in runs)
        yield cycles + _HELIUM_CHANNEL + _HELIUM_RUN * len(runs) + sum(cycles_of)
