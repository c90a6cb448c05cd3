"""paired: convolutions with ternary weights from lanes to lanes, two output channels at a time where they share work.

Where both have a weight, it is an entry of one list for both (firmware/kernels/paired.h): of two channels of density d
that leaves 1 - (1 - d)^2 entries an input in place of 2 d. Which channels are paired is a matching of much weight over
the number of inputs where both have one; those that gain nothing stay alone, with programs as `sparse` has them.

The proof of 16 bits is that of strips.py, for each channel by itself. Whatever is kept, doubled and added on the way is
a sum of the same bytes, modulo 2^16, and the one that remains is congruent to acc + centre: if the limits of acc are
less than 2^16 apart, there is a centre with which it fits. A pair has sign 1, so that both may share P, and ends of 16
bits (END, END_LIMITS); channels with other ends, and split ones, stay alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from .. import pack
from ..ir import Array, DType, Node, Range, Value
from ..layout import Layout
from ..ops.conv2d import Conv2d
from . import base, strips

LEAST_SHARED = 8  # inputs where both channels of a pair have a weight: what a pair takes more, in entries
PAIR = 0x8000  # MCUGEN_UNIT_PAIR in paired.h
_RICE_BYTES = 560
_STRIP_BYTES = {1: (900, 1200, 1550, 1790), 2: (900, 1200, 1550, 1830)}  # by the step in x


@dataclass(frozen=True)
class Decoding:
    """Cycles of the decoder; bench/kernels.py compares with the simulation."""

    unit: float
    list: float
    entry: float
    tap: float  # of a list and a pixel of the kernel
    halfword: float
    group: float


@dataclass(frozen=True)
class PairCosts:
    """Cycles of the tokens of pairs, of a strip and of a word, besides those of other tokens; and of a unit."""

    keep: tuple[float, float]
    combine: tuple[float, float]
    first_end: tuple[float, float]
    limits: tuple[float, float]  # of an end with a clamp, over one without
    unit: tuple[float, float]  # of one channel and of two, more than a channel of `sparse`
    decoded: Decoding


_DSP = PairCosts((0, 2), (0, 9), (13, 12), (13, 3), (22, 57), Decoding(101, 72, 15.5, 15.2, 7.9, 23))
_M3 = PairCosts((0, 2), (0, 7), (13, 33), (13, 23), (1, 30), Decoding(144, 51, 15.8, 11.5, 18, 11))
_M7 = PairCosts((1, 1), (0, 6), (9, 7), (6, 2), (44, 37), Decoding(105, 46, 6.6, 1.6, 7.4, 20))


@dataclass(frozen=True)
class Unit:
    """One channel, or two: `a` ends last."""

    a: int
    b: int | None = None


@dataclass(frozen=True)
class Paired(base.Kernel):
    """Weight-stationary as `sparse`, over the same strips."""

    weights: str = field(default="pairs16")  # or rice
    assembled: bool = True  # for the core: paired_ref.c wins nothing
    stem = "paired"
    op = Conv2d
    code_bytes = 420
    uses_scratch = True
    runs = True

    def on(self, core: base.Core) -> Paired:
        return replace(self, assembled=_costs(core) is not None)

    @property
    def coded(self) -> bool:
        """True if programs are decoded from a Rice code."""
        return self.weights == "rice"

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        (x, w), y = (v.type for v in node.inputs[:2]), node.output.type
        if not self.assembled or w.dtype is not DType.T or w.shape[1] != x.shape[0] or not 1 < y.shape[0] < PAIR:
            return None
        found = matching(node.inputs[1], _few(node), _room(node.inputs[0].type.dtype.hi))
        return strips.layouts(node, inputs, output) if len(found) < y.shape[0] else None

    def reaches(self, node: Node, sig: base.Signature) -> bool:
        return strips.reaches(node, sig)

    def accepts(self, node: Node, acc: Range) -> bool:
        short, any_end = strips.proven(node, acc)
        return (short if self.coded else any_end) and _layer(node, acc, self.coded) is not None

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, lay = node.op, sig.inputs[0]
        assert isinstance(op, Conv2d) and op.to is not None
        layer, runs = _layer(node, acc, self.coded), strips.runs(node, sig)
        assert layer is not None
        units, hows, centre = layer
        table = []
        for unit, some in zip(units, hows, strict=True):
            numbers = [unit.a] if unit.b is None else [unit.a | PAIR, unit.b]
            table += [[o, how.scale, *strips.packed_tail(how)] for o, how in zip(numbers, some, strict=True)]
        if centre is None:
            weights, scratch = _programs(node, lay, units, hows), 0
            packing: base.Field = base.Field("packing", "const uint16_t *", base.NULL)
        else:
            weights, packing, scratch = _coded(node, lay, units, centre)
        ends = {how.end for some in hows for how in some}
        split = bool(ends & {pack.END_WIDE, pack.END_LONG, pack.END_FIRST_WIDE})
        return base.Bound(
            (
                base.Field("weights", "uint16_t", weights),
                base.Field("units", "uint16_t", (np.array(table) & 0xFFFF).astype(np.uint16)),
                *strips.run_fields(node, sig, runs),
                base.Field("unit_count", "uint16_t", len(units)),
                packing,
                base.Field("decode", "mcugen_paired_decode_fn", "mcugen1_paired_rice" if scratch else base.NULL),
            ),
            scratch=scratch,
            needs=("lanes", "sparse", "sparse_cores", "sparse_strips", "paired_layer")
            + ("sparse_scratch", "paired_rice_thumb2") * (scratch > 0),
            parts=(
                *strips.functions("paired", runs, op.stride[1], _STRIP_BYTES, "THUMB2"),
                *([base.Part("sparse_shift", 280)] if pack.END_SHIFT in ends else []),
                *([base.Part("sparse_split", 680)] if split else []),
                *([base.Part("sparse_long", 400)] if pack.END_LONG in ends else []),
                *([base.Part("paired_split", 420, "THUMB2")] if pack.END_FIRST_WIDE in ends else []),
                *([base.Part("paired_rice", _RICE_BYTES)] if scratch else []),
            ),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        cycles = sum(_cycles(node, sig, acc, core, self.coded)) + base.seal_cycles(sig.output, node.output.type, core)
        return cycles + _decoding(node, acc, core) if self.coded else cycles


_SHORT = {pack.END, pack.END_LIMITS, pack.END_FIRST, pack.END_FIRST_LIMITS}  # ends of 16 bits


def _programs(node: Node, lay: Layout, units: tuple[Unit, ...], hows: tuple[Hows, ...]) -> Array:
    rows, distances = _rows(node), strips.distances(node, lay)
    programs = []
    for unit, (a, *rest) in zip(units, hows, strict=True):
        if unit.b is None:
            programs.append(pack.pack_lists16(strips.parts(rows[unit.a], distances, a), a.end))
        else:
            (b,), lists = rest, pack.pair_lists(rows[unit.a], rows[unit.b], distances)
            parts_a, parts_b = _parts(a, *lists[6:]), _parts(b, *lists[4:6])
            programs.append(pack.pack_pairs16(lists[:4], parts_b, b.end, parts_a, a.end))
    return np.concatenate(programs)


def _coded_lists(w: Array, units: tuple[Unit, ...]) -> list[list[Array]]:
    """Of each unit, eight or two: the places of its weights by rows and columns of the kernel, channels of x."""
    rows = strips.stream(w)
    places, none = np.arange(rows.shape[1]), np.zeros(rows.shape[1], np.int8)
    lists = [pack.pair_lists(rows[u.a], none if u.b is None else rows[u.b], places) for u in units]
    return [some[6 * (u.b is None) :] for some, u in zip(lists, units, strict=True)]


def _coded(node: Node, lay: Layout, units: tuple[Unit, ...], centre: int) -> tuple[Array, base.Field, int]:
    """The code, its numbers (MCUGEN_PAIRED_K ... in paired.h), and bytes of scratch."""
    op, w = node.op, node.inputs[1].const
    assert isinstance(op, Conv2d)
    lists = _coded_lists(w, units)
    gaps = pack.list_gaps([each for some in lists for each in some], w[0].size)
    k = pack.gaps_bits(gaps)[1]
    last = strips.distances(node, lay).reshape(w.shape[1:])[-1].ravel()
    first_end, end = (pack.END_FIRST, pack.END) if strips.whole_range(op) else (pack.END_FIRST_LIMITS, pack.END_LIMITS)
    shared = [pack.NEGATE, 0, pack.KEEP, pack.NEGATE, 0, pack.COMBINE, pack.NEGATE, centre, first_end]
    numbers = [k, w.shape[1], lay.plane, last.size, len(shared), *last.tolist(), *shared, pack.NEGATE, centre, end]
    packing = base.Field("packing", "uint16_t", (np.array(numbers) & 0xFFFF).astype(np.uint16))
    most = max(sum(each.size + -(-each.size // pack.MOST_ADDED) + 1 for each in some) for some in lists)
    # A pixel that is dropped, with its token; the offset behind the last weight; tokens and centres.
    return pack.pack_gaps(gaps, k), packing, -(-2 * (most + 3 + len(shared) + 3 + 1) // 4) * 4


def _rows(node: Node) -> Array:
    return node.inputs[1].const.reshape(node.output.type.shape[0], -1)


def _room(highest: int) -> int:
    """The weights of which any sum of such pixels has 16 bits, and one less, so that there is a choice of centres."""
    return 0xFFFF // highest - 1


def _few(node: Node) -> tuple[bool, ...]:
    """Of each channel: if two parts suffice."""
    return tuple((np.count_nonzero(_rows(node), axis=1) <= 2 * _room(node.inputs[0].type.dtype.hi)).tolist())


Hows = tuple[strips.Channel, ...]  # how the channels of a unit are computed, a first
Layer = tuple[tuple[Unit, ...], tuple[Hows, ...], int | None]  # the centre of all channels of a code


@lru_cache(maxsize=128)
def _layer(node: Node, acc: Range, coded: bool) -> Layer | None:
    """None if there is no pair, or a tail does not pack, or a code cannot have such channels."""
    alone = strips.channels(node, acc)
    fit = tuple(how.end != pack.END_LONG and few for how, few in zip(alone, _few(node), strict=True))
    units = matching(node.inputs[1], fit, _room(node.inputs[0].type.dtype.hi))
    centre = _one_centre(node, acc) if coded else None
    if len(units) == len(alone) or (coded and centre is None):
        return None
    rows, full = _rows(node), strips.whole_range(node.op)  # type: ignore[arg-type]
    highest = node.inputs[0].type.dtype.hi
    tails = zip(*(c.tolist() for c in strips.constants(node, acc)), strict=True)
    limits = zip(acc.lo.tolist(), acc.hi.tolist(), strict=True)
    channels = [*zip(rows, limits, tails, strict=True)]
    hows: list[Hows] = []
    for unit in units:
        if unit.b is not None:
            pair = zip((unit.a, unit.b), (unit.b, unit.a), (False, True), strict=True)
            hows.append(tuple(_how(*channels[o], rows[p], centre, full, highest, first=first) for o, p, first in pair))
        elif coded:
            hows.append((_how(*channels[unit.a], 0 * rows[0], centre, full, highest, first=False),))
        else:
            hows.append((alone[unit.a],))
    all_hows = [how for some in hows for how in some]
    if not all(map(strips.packs, all_hows)) or (coded and not {how.end for how in all_hows} <= _SHORT):
        return None
    return units, tuple(hows), centre


def _one_centre(node: Node, acc: Range) -> int | None:
    """A centre with which the sums of all channels have 16 bits, a multiple of what all tails ask for."""
    _, _, shift = strips.constants(node, acc)
    grain = 1 << max(0, int(shift.max()) - 16)
    least, most = -(1 << 15) - int(acc.lo.min()), (1 << 15) - 1 - int(acc.hi.max())
    centre = strips.nearest_centre(least, most, grain)
    return centre if least <= centre <= most and centre % grain == 0 else None


def _how(
    w: Array,
    limits: tuple[int, int],
    tail: tuple[int, int, int],
    other: Array,
    centre: int | None,
    full: bool,
    highest: int,
    *,
    first: bool,
) -> strips.Channel:
    """How a channel is computed beside another one, whose weights are given; first: it ends first.

    centre: that of all channels, if there is one; highest: that a pixel can be. Parts count all of the channel's
    weights as lead, of -1, and rest. Those that it shares are in the first part.
    """
    mult, add, shift = tail
    grain = 1 << max(0, shift - 16)
    minus, plus = int(np.count_nonzero(w == -1)), int(np.count_nonzero(w == 1))
    over = minus + plus - _room(highest)
    if over <= 0 or limits[1] - limits[0] <= (1 << 16) - grain:  # there is a centre that is a multiple of grain
        if centre is None:
            centre = strips.nearest_centre(-(1 << 15) - limits[0], (1 << 15) - 1 - limits[1], grain)
        part = strips.Part(minus, plus, centre)
        how = strips.ended(True, part, sign=1, limits=limits, tail=tail, full=full)
        if how.end in (pack.END, pack.END_LIMITS):
            end = pack.END_FIRST if how.end == pack.END else pack.END_FIRST_LIMITS
            return replace(how, end=end) if first else how
        if first:  # through 32 bits, of which it has no need
            return replace(how, parts=(part, strips.Part(0, 0, None)), end=pack.END_FIRST_WIDE)
        return replace(how, end=pack.END_SHIFT)
    p = min(over, int(np.count_nonzero((w == 1) & (other == 0))))
    parts: list[strips.Part] = []
    for lead, rest in ((minus - over + p, plus - p), (over - p, p)):
        least, most = highest * lead - (1 << 15), (1 << 15) - 1 - highest * rest
        none = lead == 0 and most >= 0 and len(parts) > 0
        parts.append(strips.Part(lead, rest, None if none else strips.nearest_centre(least, most, grain)))
    total = sum(part.centre or 0 for part in parts)
    end = pack.END_FIRST_WIDE if first else pack.END_WIDE
    scale = (mult & 0xFFFF) | shift << 16
    return strips.Channel(True, tuple(parts), end, scale, strips.wrapped(add - total * mult))


def _parts(how: strips.Channel, minus: Array, plus: Array) -> list[pack.Lists]:
    """The parts of a channel beside what it shares; minus, plus: distances of its weights where the other has none."""
    lead, rest = (sum(counts) for counts in zip((0, 0), *((p.lead, p.rest) for p in how.parts[1:]), strict=True))
    found: list[pack.Lists] = [(minus[lead:], plus[rest:], how.parts[0].centre)]
    for part in how.parts[1:]:
        some = minus[:lead], plus[:rest]
        found.append((*some, part.centre) if part.centre is not None else (some[1], some[0], None))
    return found


@lru_cache(maxsize=128)
def matching(weights: Value, fit: tuple[bool, ...], room: int) -> tuple[Unit, ...]:
    """Pairs of channels that are fit, and all others alone, by the first channel of each.

    A pair shares no more than `room` weights, so that of a channel of more the others make a second part.

    A heaviest permutation of the channels (an assignment) falls into cycles; every second edge of each, the heavier
    half, is a matching. Then any two pairs change partners, while that is better.
    """
    from scipy.optimize import linear_sum_assignment

    n = len(fit)
    there = ((weights.const.reshape(n, -1) != 0) & np.array(fit)[:, None]).astype(np.float32)
    gain = np.zeros((n + n % 2, n + n % 2))  # of as many channels as there are, and perhaps one without weights
    shared = there @ there.T
    gain[:n, :n] = np.where(shared <= room, np.maximum(shared - LEAST_SHARED, 0), 0)
    np.fill_diagonal(gain, 0)
    following = linear_sum_assignment(gain, maximize=True)[1].tolist()
    pairs: list[tuple[int, int]] = []
    over: list[int] = []
    left = set(range(len(gain)))
    while left:
        cycle = [min(left)]
        while (i := following[cycle[-1]]) != cycle[0]:
            cycle.append(i)
        left -= {*cycle}
        if len(cycle) % 2:
            over.append(cycle.pop())
        halves = [[*zip(some[::2], some[1::2], strict=True)] for some in (cycle, cycle[1:] + cycle[:1])]
        pairs += max(halves, key=lambda half: sum(gain[edge] for edge in half))
    best = _improved(np.array([*pairs, *zip(over[::2], over[1::2], strict=True)]), gain).tolist()
    units = [Unit(i, j) for i, j in best if gain[i, j]]
    units += [Unit(i) for pair in best if not gain[tuple(pair)] for i in pair if i < n]
    return tuple(sorted(units, key=lambda unit: unit.a))


def _improved(pairs: Array, gain: Array) -> Array:
    """Pairs, (n, 2), of which no two gain by a change of partners."""
    while True:
        a, b = pairs.T
        straight, crossed = gain[a][:, a] + gain[b][:, b], gain[a][:, b] + gain[b][:, a]
        more = np.maximum(straight, crossed) - gain[a, b] - gain[a, b][:, None]
        np.fill_diagonal(more, 0)
        i, j = np.unravel_index(int(more.argmax()), more.shape)
        if more[i, j] <= 0:
            return np.sort(pairs, axis=1)
        second = 0 if straight[i, j] >= crossed[i, j] else 1
        moved = pairs[[i, j]]
        pairs[i] = moved[0, 0], moved[1, second]
        pairs[j] = moved[0, 1], moved[1, 1 - second]


def _costs(core: base.Core) -> PairCosts | None:
    """None without assembler."""
    if "mve" in core.isa or not {"dsp", "m3"} & {*core.isa}:
        return None
    return _M7 if core.name == "cortex-m7" else _DSP if "dsp" in core.isa else _M3


def _decoding(node: Node, acc: Range, core: base.Core) -> float:
    """Cycles of the decoder for all units."""
    layer, costs = _layer(node, acc, True), _costs(core)
    assert layer is not None and costs is not None
    units, d = layer[0], costs.decoded
    taps = int(node.inputs[1].const[0, 0].size)
    lists, entries, groups, bits = _code_sizes(node.inputs[1], units)
    cycles = len(units) * d.unit + lists * (d.list + taps * d.tap) + entries * d.entry + groups * d.group
    return cycles + d.halfword * bits / 16


@lru_cache(maxsize=128)
def _code_sizes(weights: Value, units: tuple[Unit, ...]) -> tuple[int, int, int, int]:
    """The lists of a code, their entries, full groups and bits."""
    lists = [each for some in _coded_lists(weights.const, units) for each in some]
    sizes = [each.size for each in lists]
    groups = sum(max(0, size - 1) // pack.MOST_ADDED for size in sizes)
    return len(lists), sum(sizes), groups, pack.gaps_bits(pack.list_gaps(lists, weights.const[0].size))[0]


def _cycles(node: Node, sig: base.Signature, acc: Range, core: base.Core, coded: bool) -> Iterator[float]:
    """Of each unit, without the seal."""
    pairs, costs = _costs(core), strips.costs(core)
    layer, rows = _layer(node, acc, coded), _rows(node)
    assert layer is not None and pairs is not None
    runs, step = strips.runs(node, sig), node.op.stride[1]  # type: ignore[attr-defined]
    for unit, hows in zip(*layer[:2], strict=True):
        cycles = costs.channel + strips.run_cycles(costs, runs) + pairs.unit[unit.b is not None]
        if unit.b is None:
            entries, tokens = strips.entries_and_tokens(hows[0])
            some = [strips.strip_cycles(costs, run[3], entries, tokens, hows[0], step) for run in runs]
        else:
            counts = pack.pair_counts(rows[unit.a], rows[unit.b])
            some = [_strip_cycles(costs, pairs, run[3], counts, hows) for run in runs]
        yield cycles + sum(run[2] // run[3] * strip for run, strip in zip(runs, some, strict=True))


def _strip_cycles(
    costs: strips.Costs, pairs: PairCosts, words: int, counts: list[int], hows: tuple[strips.Channel, ...]
) -> float:
    """Of a strip of a pair whose lists have so many entries."""
    wide = words == strips.WIDEST
    token, entry = costs.token[wide], costs.entry[words - 1]
    first = next((i for i, n in enumerate(counts) if n), 0)
    tokens = sum(-(-(n - (i == first)) // pack.MOST_ADDED) for i, n in enumerate(counts))
    q, p = counts[0] + counts[1] > 0, counts[2] > 0
    second = [part for how in hows for part in how.parts[1:]]
    negations = 2 + (counts[0] > 0) + (q or p) + sum(part.centre is not None for part in second)
    tokens += sum((part.lead > 0) + (part.rest > 0) for part in second)
    others = [pairs.combine if q else pairs.keep, pairs.first_end, *[pairs.keep] * q]
    others += [pairs.limits] * sum(how.end in (pack.END_LIMITS, pack.END_FIRST_LIMITS) for how in hows)
    others += [costs.others[pack.WIDE_SET]] * len(second)
    others += [costs.others[pack.END_WIDE]] * sum(how.end in (pack.END_FIRST_WIDE, pack.END_WIDE) for how in hows)
    others += [costs.others[pack.END_SHIFT]] * (hows[0].end == pack.END_SHIFT)
    cycles = costs.strip[words - 1] + max(1, sum(counts)) * entry + (tokens + negations + 1 + q + 1) * token
    cycles += negations * (costs.centre[wide] + costs.negate * words)
    return cycles + sum(strip + word * words for strip, word in others)
