"""Weight encodings: logical values to bytes and back. docs/FORMAT.md shows every bit; unpack_<name>.c reads them.

All encodings run over a whole tensor in C order, without alignment per row, so that a row of any length costs
what its weights cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .ir import Array, DType


def pack_i8(w: Array) -> Array:
    """One two's complement byte each."""
    return w.astype(np.int8).ravel().view(np.uint8)


def unpack_i8(data: Array, n: int) -> Array:
    """The inverse of pack_i8."""
    return data[:n].view(np.int8)


def pack_planes(w: Array) -> Array:
    """Two bits each: for every 8 weights a byte of +1 flags, then a byte of -1 flags; bit i is weight i."""
    flat = w.ravel()
    pad = np.zeros(-flat.size % 8, flat.dtype)
    groups = np.concatenate([flat, pad]).reshape(-1, 8)
    plus = np.packbits(groups == 1, axis=1, bitorder="little")
    minus = np.packbits(groups == -1, axis=1, bitorder="little")
    return np.asarray(np.concatenate([plus, minus], axis=1).ravel())


def unpack_planes(data: Array, n: int) -> Array:
    """The inverse of pack_planes."""
    pairs = np.unpackbits(data.reshape(-1, 2, 1), axis=2, bitorder="little").astype(np.int8)
    return (pairs[:, 0] - pairs[:, 1]).ravel()[:n]


def pack_base3(w: Array) -> Array:
    """Five weights a byte, 1.6 bits each: v = the base-3 number of digits weight + 1, first digit highest.

    The byte is ceil(v * 256 / 243), from which three times the byte carries out one digit after the other:
    no division (exact for all 243 numbers, tests/test_pack.py).
    """
    flat = w.ravel().astype(np.int64)
    digits = np.concatenate([flat, np.zeros(-flat.size % 5, np.int64)]).reshape(-1, 5) + 1
    v = digits @ np.array([81, 27, 9, 3, 1])
    return np.asarray((v * 256 + 242) // 243, np.uint8)


def unpack_base3(data: Array, n: int) -> Array:
    """The inverse of pack_base3, by the same carries as the C."""
    return _digits(data, 5, 8)[:n]


MOST_RICE, MOST_RICE16 = 14, 7  # the largest k: 16 bits hold a code but for its high part


def rice_bits(w: Array, most: int = MOST_RICE) -> tuple[int, int]:
    """(bits, k) of the Rice code of ternary weights with its best parameter k, 0 .. most: pack_rice, pack_rice16."""
    gaps = _gaps(w)
    bits = [int((gaps >> k).sum()) + (k + 2) * gaps.size for k in range(most + 1)]
    k = int(np.argmin(bits))
    return bits[k], k


def _gaps(w: Array) -> Array:
    """The zeros before each weight that is not zero, and those behind the last."""
    flat = w.ravel()
    return np.asarray(np.diff(np.flatnonzero(flat), prepend=-1, append=flat.size) - 1)


def _rice(w: Array, k: int, high: int) -> Array:
    """The bits (uint8) of a Rice code: one stream over the tensor, a code for each weight that is not zero.

    With gap, the zeros before it: gap >> k bits `high`, one that is not, the k low bits of gap, inverted if high is 0,
    and a bit that is set for -1. A last code has the zeros behind the last weight.
    """
    flat, gaps = w.ravel(), _gaps(w)
    ends = np.cumsum((gaps >> k) + k + 2)
    bits = np.full(int(ends[-1]), high, np.uint8)
    bits[ends - k - 2] = 1 - high
    for i in range(k):
        bits[ends - 2 - i] = gaps >> i & 1 ^ 1 ^ high
    bits[ends - 1] = np.append(flat[flat != 0] < 0, False)
    return bits


def _unrice(data: Array, k: int, n: int, high: int) -> Array:
    """The inverse of _rice, of n weights, from halfwords."""
    bits = np.unpackbits(data.astype(">u2").view(np.uint8))
    w, at, i = np.zeros(n, np.int8), -1, 0
    while True:
        quotient = int(np.argmax(bits[i:] != high))
        i += quotient + 1
        low = int("".join(map(str, bits[i : i + k] ^ 1 ^ high)) or "0", 2)
        at += (quotient << k) + low + 1
        if at >= n:
            return w
        w[at] = -1 if bits[i + k] else 1
        i += k + 1


def _halfwords(bits: Array, count: int) -> Array:
    """So many halfwords (uint16), highest bit first, filled up with zeros."""
    padded = np.append(bits, np.zeros(16 * count - bits.size, np.uint8))
    return np.packbits(padded).view(">u2").astype(np.uint16)


def pack_rice(w: Array, k: int) -> Array:
    """The Rice code whose high parts are zeros, as halfwords: 16 bits at least follow those of the last code."""
    bits = _rice(w, k, 0)
    return _halfwords(bits, -(-(bits.size - k - 2) // 16) + 1)


def unpack_rice(data: Array, k: int, n: int) -> Array:
    """The inverse of pack_rice, of n weights."""
    return _unrice(data, k, n, 0)


def pack_rice16(w: Array) -> tuple[Array, int]:
    """(halfwords, k): the Rice code whose high parts are ones, with its best k; a halfword follows that may be read."""
    size, k = rice_bits(w, MOST_RICE16)
    return _halfwords(_rice(w, k, 1), -(-size // 16) + 1), k


def unpack_rice16(data: Array, k: int, n: int) -> Array:
    """The inverse of pack_rice16, of n weights."""
    return _unrice(data, k, n, 1)


def pack_base3x10(w: Array) -> Array:
    """Ten weights a halfword, 1.6 bits each: as pack_base3, of 10 digits and 65536 / 59049."""
    flat = w.ravel().astype(np.int64)
    digits = np.concatenate([flat, np.zeros(-flat.size % 10, np.int64)]).reshape(-1, 10) + 1
    return np.asarray(-(-(digits @ 3 ** np.arange(9, -1, -1)) * 65536 // 59049), np.uint16)


def unpack_base3x10(data: Array, n: int) -> Array:
    """The inverse of pack_base3x10, by the same carries as the C."""
    return _digits(data, 10, 16)[:n]


def _digits(data: Array, count: int, bits: int) -> Array:
    """So many base-3 digits, less 1, of each number of so many bits: what three times the number carries out."""
    rest = data.astype(np.int64)
    digits = []
    for _ in range(count):
        rest = rest * 3
        digits.append((rest >> bits) - 1)
        rest &= (1 << bits) - 1
    return np.stack(digits, axis=1).ravel().astype(np.int8)


def pack_bitmap(w: Array) -> Array:
    """A bit for each weight, 1 where it is not zero, then a bit for each of those, 1 for -1; either up to a byte."""
    flat = w.ravel()
    parts = (flat != 0, flat[flat != 0] < 0)
    return np.concatenate([np.packbits(bits, bitorder="little") for bits in parts])


def unpack_bitmap(data: Array, n: int) -> Array:
    """The inverse of pack_bitmap, of n weights."""
    at = -(-n // 8)
    there = np.unpackbits(data[:at], count=n, bitorder="little")
    w = there.astype(np.int8)
    w[there == 1] -= 2 * np.unpackbits(data[at:], count=int(there.sum()), bitorder="little").astype(np.int8)
    return w


def entropy_bits(w: Array) -> float:
    """Bits that weights of this density take at least, if neither places nor signs say anything about each other.

    n (H(d) + d): which weights are not zero, and a sign for each of these.
    """
    n, d = w.size, np.count_nonzero(w) / max(1, w.size)
    places = sum(-p * np.log2(p) for p in (d, 1 - d) if p > 0)
    return float(n * (places + d))


BLOCK8, MOST_LISTED = 256, 31  # inputs whose places are bytes; weights of a list of these

# Tokens of lists16 beside 1 .. MOST_ADDED, which add entries (firmware/kernels/sparse.h).
END, MOST_ADDED, NEGATE, CLEAR, END_SHIFT, WIDE_SET, WIDE_ADD, END_WIDE, END_LIMITS, END_LONG = 0, *range(16, 25)
END_TWICE, END_FOURFOLD = 25, 26
_ENDS = (END, END_SHIFT, END_WIDE, END_LIMITS, END_LONG, END_TWICE, END_FOURFOLD)

Lists = tuple[Array, Array, int | None]  # lead, rest, centre


def pack_lists16(parts: Sequence[Lists], end: int) -> Array:
    """The program (uint16) of a channel: each part is the sum of the pixels at `lead`, taken from `centre` if any, and
    of those at `rest`.

    lead, rest: distances in words, 0 .. 65535; rest only with a centre; end: END_WIDE or END_LONG if there are several
    parts, one of the others if not. Sums without any entry are cleared, because the first entry is always loaded.
    """
    assert (len(parts) > 1) == (end in (END_WIDE, END_LONG))
    return np.array(_program(parts, end, 2), np.uint16)


def _program(parts: Sequence[Lists], end: int, size: int) -> list[int]:
    """Offsets, tokens and centres, which are two elements where these have a size of one byte."""
    assert all(centre is not None or not rest.size for _, rest, centre in parts)
    first = parts[0][0]
    offsets = [d for part in parts for entries in part[:2] for d in entries.tolist()]
    offsets += [0, 0]  # the entry before the last loads one more; so does a lone one
    if not first.size:  # the offset of a pixel that is there, its sum dropped
        offsets.insert(0, 0)
    program, at = offsets[:2], 2

    def add(n: int) -> None:
        nonlocal at
        while n > 0:
            some = min(n, MOST_ADDED)
            program.extend([some, *offsets[at : at + some]])
            at, n = at + some, n - some

    for i, (lead, rest, centre) in enumerate(parts):
        if i > 0:
            program.append(WIDE_ADD if i > 1 else WIDE_SET)
            add(lead.size)
        elif lead.size:
            add(lead.size - 1)
        else:
            program.append(CLEAR)
        if centre is not None:
            program.extend([NEGATE, centre & 0xFFFF] if size == 2 else [NEGATE, centre & 255, centre >> 8 & 255])
        add(rest.size)
    return [*program, end]


def unpack_lists16(data: Array) -> tuple[list[Lists], int, int]:
    """The parts and the end of pack_lists16, and the halfwords of the program: data may go on behind it."""
    return _unpack_program(data, 2)


def _unpack_program(data: Array, size: int) -> tuple[list[Lists], int, int]:
    parts: list[Lists] = []
    offsets, lead = [int(data[0])], 0
    centre: int | None = None
    at, following = 2, int(data[1])
    while True:
        token, at = int(data[at]), at + 1
        if token == NEGATE:
            low, high = int(data[at]), int(data[at + 1])
            lead, centre = len(offsets), low if size == 2 else low | high << 8
            centre, at = (centre ^ 0x8000) - 0x8000, at + 3 - size
        elif token == CLEAR:
            offsets = []
        elif token in (WIDE_SET, WIDE_ADD, *_ENDS):
            found = np.array(offsets, np.int64)
            parts.append((found[:lead], found[lead:], centre) if centre is not None else (found, found[:0], None))
            offsets, centre = [], None
            if token in _ENDS:
                return parts, token, at
        else:
            offsets += [following, *data[at : at + token - 1].tolist()]
            following, at = int(data[at + token - 1]), at + token


# Tokens of pairs16 besides (firmware/kernels/paired.h).
KEEP, COMBINE, END_FIRST, END_FIRST_LIMITS, END_FIRST_WIDE = 29, 30, 31, 32, 33
_FIRST_ENDS = (END_FIRST, END_FIRST_LIMITS, END_FIRST_WIDE)


_PAIRS = (2, -2, 4, -4, -1, 1, -3, 3)  # 3 a + b


def pair_lists(a: Array, b: Array, distances: Array) -> list[Array]:
    """The distances of weights (a, b) = (1, -1), (-1, 1), (1, 1), (-1, -1), (0, -1), (0, 1), (-1, 0), (1, 0)."""
    both = 3 * a + b
    return [distances[both == one] for one in _PAIRS]


def pair_counts(a: Array, b: Array) -> list[int]:
    """How long the lists of pair_lists are."""
    counts = np.bincount(3 * a.astype(np.int64) + b + 4, minlength=9)
    return [int(counts[one + 4]) for one in _PAIRS]


def pack_pairs16(shared: Sequence[Array], b: Sequence[Lists], first_end: int, a: Sequence[Lists], end: int) -> Array:
    """The program (uint16) of two channels a and b, as lists16 with the tokens of pairs.

    shared: the first four of pair_lists; a, b: the parts of the others, the first with a centre, as pack_lists16 has
    them: part of none with END_FIRST_WIDE or END_WIDE only. b ends first.
    """
    assert (len(b) > 1) == (first_end == END_FIRST_WIDE) and (len(a) > 1) == (end == END_WIDE)
    q_plus, q_minus, p_plus, p_minus = shared
    q, p = q_plus.size + q_minus.size > 0, p_plus.size > 0
    steps: list[Array | Sequence[int]] = [q_plus]
    steps += [[NEGATE, 0] if q_plus.size else [], q_minus, [KEEP] if q else []]
    steps += [p_plus, [NEGATE, 0] if p or q else [], p_minus, [COMBINE if q else KEEP]]  # -(P - Q), kept = -(P + Q)
    for parts, last in ((b, first_end), (a, end)):
        for i, (lead, rest, centre) in enumerate(parts):
            steps += [[WIDE_ADD if i > 1 else WIDE_SET] if i else [], lead]
            steps += [[NEGATE, centre & 0xFFFF] if centre is not None else [], rest]
        steps.append([last])
    offsets = [d for step in steps if isinstance(step, np.ndarray) for d in step.tolist()] + [0, 0]
    none = not any(some.size for some in shared)
    if none:  # the offset of a pixel that is there, its sum dropped
        offsets.insert(0, 0)
    program, at, first = [*offsets[:2], *[CLEAR] * none], 2, not none
    for step in steps:
        if not isinstance(step, np.ndarray):
            program.extend(step)
            continue
        n = step.size
        if n and first:  # the first offset sets the sums
            n, first = n - 1, False
        while n > 0:
            some = min(n, MOST_ADDED)
            program.extend([some, *offsets[at : at + some]])
            at, n = at + some, n - some
    return np.array(program, np.uint16)


def list_gaps(lists: Sequence[Array], n: int) -> Array:
    """Of each of several lists of places below n, rising: the places before each one, and those behind the last."""
    last = np.array([n])
    ends = np.concatenate([part for places in lists for part in (places, last)])
    starts = np.cumsum([0, *(places.size + 1 for places in lists[:-1])])
    before = np.roll(ends, 1)
    before[starts] = -1
    return np.asarray(ends - before - 1)


def gaps_bits(gaps: Array) -> tuple[int, int]:
    """(bits, k) of pack_gaps with its best parameter k, 0 .. MOST_RICE."""
    bits = [int((gaps >> k).sum()) + (k + 1) * gaps.size for k in range(MOST_RICE + 1)]
    k = int(np.argmin(bits))
    return bits[k], k


def pack_gaps(gaps: Array, k: int) -> Array:
    """The Rice code of pack_rice without signs, as halfwords: gap >> k zeros, a one, the k low bits of gap inverted."""
    ends = np.cumsum((gaps >> k) + k + 1)
    bits = np.zeros(int(ends[-1]), np.uint8)
    bits[ends - k - 1] = 1
    for i in range(k):
        bits[ends - 1 - i] = gaps >> i & 1 ^ 1
    return _halfwords(bits, -(-bits.size // 16) + 1)


def unpack_gaps(data: Array, k: int, count: int) -> Array:
    """The inverse of pack_gaps, of so many gaps."""
    text = "".join(f"{v:016b}" for v in data.tolist())
    gaps, at = [], 0
    for _ in range(count):
        one = text.index("1", at)
        low = (1 << k) - 1 - int(text[one + 1 : one + 1 + k] or "0", 2) if k else 0
        gaps.append((one - at << k) + low)
        at = one + 1 + k
    return np.array(gaps)


Sum = tuple[dict[int, int], int]  # weights by distance, and a centre


def unpack_pairs16(data: Array) -> tuple[list[Sum], int, list[Sum], int, int]:
    """What a program computes: the parts of b and its end, the parts of a and its end; and the program's halfwords.

    It is run with sums of weights in place of sums of pixels.
    """
    sums: Counter[int] = Counter([int(data[0])])
    kept: Counter[int] = Counter()
    parts: list[Sum] = []
    first: tuple[list[Sum], int] | None = None
    following, at = int(data[1]), 2

    def times(one: Counter[int], n: int) -> Counter[int]:
        return Counter({key: n * value for key, value in one.items()})

    def part() -> Sum:
        return {key: value for key, value in sums.items() if value and key >= 0}, sums[-1]

    while True:
        token, at = int(data[at]), at + 1
        if token == NEGATE:
            sums = times(sums, -1)
            sums[-1] += (int(data[at]) ^ 0x8000) - 0x8000  # no distance: the centre
            at += 1
        elif token == CLEAR:
            sums = Counter()
        elif token in (KEEP, COMBINE):
            old, kept = kept, Counter(sums)
            if token == COMBINE:
                kept.update(times(old, 2))
        elif token in (WIDE_SET, WIDE_ADD):
            parts, sums = [*parts, part()], Counter()
        elif token in _FIRST_ENDS:
            first, parts, sums = ([*parts, part()], token), [], kept
        elif token in _ENDS:
            assert first is not None
            return *first, [*parts, part()], token, at
        else:
            sums.update([following, *data[at : at + token - 1].tolist()])
            following, at = int(data[at + token - 1]), at + token


# Tokens of nibbles16 besides END, 1 .. MOST_ADDED, NEGATE, CLEAR, END_SHIFT, END_LIMITS (firmware/kernels/nibbles.h).
SUMS_SET, SUMS_ADD, SUMS_SUB, END_SUMS, END_SUMS_SHIFT, END_SUMS_LIMITS = 20, 21, 22, 24, 25, 26
_SUMS_ENDS = (END_SUMS, END_SUMS_SHIFT, END_SUMS_LIMITS)


def pack_nibbles16(chunks: Sequence[Lists], signs: Sequence[int], centre: int, end: int) -> Array:
    """The program (uint16) of a channel: centre + chunks of sign 1, each the sum of a part of pack_lists16, + 255 less
    each chunk of sign -1.

    lead, rest: distances in words, 0 .. 65535; centres of chunks: 0 .. 255, as their sums are. Of several chunks the
    first has sign 1, the last -1; a lone one has 1, and no centre besides its own.
    end: one of END_SUMS ... if there are several, of END, END_SHIFT and END_LIMITS if not.
    """
    assert len(chunks) == len(signs) and (len(chunks) > 1) == (end in _SUMS_ENDS)
    assert len(chunks) == 1 or (signs[0], signs[-1]) == (1, -1)
    offsets = [d for chunk in chunks for entries in chunk[:2] for d in entries.tolist()]
    none = not offsets
    offsets += [0, 0, 0][: 3 if none else 2]  # the entry before the last loads one more; so does a lone one
    program, at = offsets[:2], 2

    def add(n: int) -> None:
        nonlocal at
        while n > 0:
            some = min(n, MOST_ADDED)
            program.extend([some, *offsets[at : at + some]])
            at, n = at + some, n - some

    for i, (lead, rest, from_centre) in enumerate(chunks):
        assert lead.size or (none and not rest.size)
        if i > 0:
            program.extend([SUMS_SET, centre & 0xFFFF] if i == 1 else [SUMS_ADD if signs[i - 1] > 0 else SUMS_SUB])
            program.append(offsets[at])
            at += 1
        add(lead.size - 1)
        if from_centre is not None:
            program.extend([NEGATE, from_centre * 257])
        add(rest.size)
    return np.array([*program, *[CLEAR] * none, end], np.uint16)


def unpack_nibbles16(data: Array) -> tuple[list[Lists], list[int], int, int, int]:
    """The chunks, signs, centre and end of pack_nibbles16, and its halfwords: data may go on behind it."""
    chunks: list[Lists] = []
    signs: list[int] = []
    offsets, lead, centre = [int(data[0])], 0, 0
    from_centre: int | None = None
    at, following = 2, int(data[1])
    while True:
        token, at = int(data[at]), at + 1
        if token == NEGATE:
            lead, from_centre, at = len(offsets), int(data[at]) // 257, at + 1
        elif token == CLEAR:
            offsets = []
        elif token > MOST_ADDED or token == END:
            found = np.array(offsets, np.int64)
            chunks.append(
                (found, found[:0], None) if from_centre is None else (found[:lead], found[lead:], from_centre)
            )
            signs.append(-1 if token in (SUMS_SUB, *_SUMS_ENDS) else 1)
            if token not in (SUMS_SET, SUMS_ADD, SUMS_SUB):
                return chunks, signs, centre, token, at
            if token == SUMS_SET:
                centre, at = (int(data[at]) ^ 0x8000) - 0x8000, at + 1
            offsets, from_centre = [following], None
            following, at = int(data[at]), at + 1
        else:
            offsets += [following, *data[at : at + token - 1].tolist()]
            following, at = int(data[at + token - 1]), at + token


def pack_bytes(programs: Sequence[tuple[Lists, int]]) -> Array:
    """Programs as of lists16, each of one part, with its end, in bytes: two to a uint16, the lower first.

    lead, rest: channels, 0 .. 255; end: none of those of several parts.
    """
    assert not {END_WIDE, END_LONG} & {end for _, end in programs}
    out = bytes(v for part, end in programs for v in _program([part], end, 1))
    return np.frombuffer(out + bytes(len(out) % 2), "<u2").astype(np.uint16)


def unpack_bytes(data: Array, count: int) -> list[tuple[Lists, int]]:
    """The inverse of pack_bytes, of so many programs."""
    found, at = data.astype("<u2").view(np.uint8), 0
    programs = []
    for _ in range(count):
        (part,), end, size = _unpack_program(found[at:], 1)
        programs.append((part, end))
        at += size
    return programs


def lists8_block(w: Array) -> int:
    """The inputs of a block of pack_lists8: the most that can be, all blocks as long as one another."""
    n = int(w.shape[1])
    most = max(int((w == sign).sum(axis=1).max(initial=0)) for sign in (1, -1))
    blocks = max(-(-n // BLOCK8), -(-most // MOST_LISTED), 1)
    while lists8_counts(w, -(-n // blocks)).max(initial=0) > MOST_LISTED:
        blocks += 1
    return -(-n // blocks)


def lists8_counts(w: Array, block: int) -> Array:
    """Weights of each list, as pack_lists8 orders them: (O, lists)."""
    blocks = -(-w.shape[1] // block)
    padded = np.zeros((w.shape[0], blocks * block), np.int8)
    padded[:, : w.shape[1]] = w
    split = padded.reshape(w.shape[0], blocks, block)
    counts = np.stack([np.count_nonzero(split == sign, axis=2) for sign in (1, -1)], axis=2)
    return np.asarray(counts.reshape(w.shape[0], -1))


def pack_lists8(w: Array, block: int) -> Array:
    """Lists of bytes of (O, N) ternary weights: for each block of inputs, for +1, then for -1, 31 - count and places.

    No block has more than 31 weights of one sign in an output.
    """
    out: list[bytes] = []
    for row in w:
        for at in range(0, w.shape[1], block):
            for sign in (1, -1):
                places = np.flatnonzero(row[at : at + block] == sign)
                assert places.size <= MOST_LISTED, "too many weights of one sign in a block"
                out.append(bytes([MOST_LISTED - places.size, *places.tolist()]))
    return np.frombuffer(b"".join(out), np.uint8)


def unpack_lists8(data: Array, block: int, n: int, outputs: int) -> Array:
    """The inverse of pack_lists8, (outputs, n)."""
    w, at = np.zeros((outputs, -(-n // block) * block), np.int8), 0
    for row in w:
        for first in range(0, n, block):
            for sign in (1, -1):
                count = MOST_LISTED - int(data[at])
                row[first + data[at + 1 : at + 1 + count].astype(np.int64)] = sign
                at += 1 + count
    return w[:, :n]


def pack_codes2(w: Array) -> Array:
    """Codes w + 1 of two bits of (O, N) ternary weights: words of 16 inputs, of four outputs side by side, as uint32.

    First the whole blocks of 16 inputs of all outputs, then the rest; what fills a word or a group has code 0.
    """
    outputs, n = w.shape
    codes = np.zeros((-(-outputs // 4) * 4, -(-n // 16) * 16), np.uint32)
    codes[:outputs, :n] = w + 1
    i = np.arange(16)
    words = (codes.reshape(-1, 4, codes.shape[1] // 16, 16) << (i // 4 * 4 + i % 2 * 2 + i % 4 // 2 * 16)).sum(axis=3)
    words = words.astype(np.uint32).transpose(0, 2, 1)  # group, block, output of it
    return np.concatenate([words[:, : n // 16].ravel(), words[:, n // 16 :].ravel()])


def unpack_codes2(data: Array, outputs: int, n: int) -> Array:
    """The inverse of pack_codes2, (outputs, n)."""
    groups, whole = -(-outputs // 4), n // 16
    split = 4 * groups * whole
    parts = [part.reshape(groups, -1, 4) for part in (data[:split], data[split:])]
    i = np.arange(16)
    words = np.concatenate(parts, axis=1).transpose(0, 2, 1)[..., None]
    codes = words >> (i // 4 * 4 + i % 2 * 2 + i % 4 // 2 * 16).astype(np.uint32) & 3
    return np.asarray(codes.reshape(4 * groups, -1)[:outputs, :n].astype(np.int8) - 1)


def pack_codes81(w: Array) -> Array:
    """A byte for four inputs of (O, N) ternary weights, twice 28 a + 9 b + 3 c + d where they are a - 1, b - 1, ...

    By blocks of 32 inputs, then four outputs, then four inputs; what fills a block or four outputs is 0.
    """
    outputs, n = w.shape
    full = np.zeros((-(-outputs // 4) * 4, -(-n // 32) * 32), np.int64)
    full[:outputs, :n] = w
    places = (full.reshape(-1, 4, full.shape[1] // 32, 8, 4) + 1) @ np.array([28, 9, 3, 1])
    return np.asarray(2 * places.transpose(2, 0, 3, 1), np.uint8).ravel()  # block, four outputs, four inputs, output


def unpack_codes81(data: Array, outputs: int, n: int) -> Array:
    """The inverse of pack_codes81, (outputs, n)."""
    places = data.reshape(-(-n // 32), -(-outputs // 4), 8, 4).transpose(1, 3, 0, 2).astype(np.int64) // 2
    digits = [places // 28, places % 28 // 9, places % 28 // 3 % 3, places % 28 % 3]
    return np.asarray((np.stack(digits, axis=-1) - 1).reshape(places.shape[0] * 4, -1)[:outputs, :n].astype(np.int8))


def pack_pairs8(w: Array) -> Array:
    """Words (uint32) of (O, N) weights of 8 bits by four outputs, for products of pairs (firmware/kernels/pairs8.h).

    The whole blocks of 16 inputs of all outputs, then the rest; what fills a block or four outputs has weight 0.
    """
    outputs, n = w.shape
    full = np.zeros((-(-outputs // 4) * 4, -(-n // 16) * 16), np.int64)
    full[:outputs, :n] = w
    return np.concatenate([_pairs8(part) for part in (full[:, : n // 16 * 16], full[:, n // 16 * 16 :])])


def _pairs8(w: Array) -> Array:
    """The words of inputs in whole blocks, uint32."""
    pairs = w.reshape(len(w) // 4, 2, 2, w.shape[1])  # group, pair, output of it, input
    odd = pairs[:, :, 1]
    heads = -(odd[..., 0::2] * odd[..., 1::2]).sum(axis=2)
    halves = (pairs[:, :, 0] + 128 + 256 * odd & 0xFFFF).reshape(
        len(pairs), 2, w.shape[1] // 4, 2, 2
    )  # ..., four inputs, half, input
    words = halves[..., 0, :] | halves[..., 1, :] << 16
    body = words.transpose(0, 2, 1, 3).reshape(len(pairs), w.shape[1])
    found = np.concatenate([heads, body], axis=1) if w.shape[1] else body
    return np.asarray(found & 0xFFFFFFFF, np.uint32).ravel()


def unpack_pairs8(data: Array, outputs: int, n: int) -> Array:
    """The inverse of pack_pairs8, (outputs, n)."""
    groups, whole = -(-outputs // 4), n // 16
    split = groups * (2 + 16 * whole) * (whole > 0)
    parts = []
    for part in (data[:split], data[split:]):
        if not part.size:
            continue
        words = part.reshape(groups, -1)[:, 2:].reshape(groups, -1, 2, 2)  # group, four inputs, pair, input
        halves = np.stack([words & 0xFFFF, words >> 16], axis=3)  # ..., pair, half, input
        both = np.stack([(halves & 255).astype(np.int64) - 128, (halves >> 8).astype(np.uint8).view(np.int8)])
        parts.append(both.transpose(1, 3, 0, 2, 4, 5).reshape(4 * groups, -1))
    return np.concatenate(parts, axis=1)[:outputs, :n].astype(np.int8)


GROUP_DOTS8, BATCH_DOTS8 = 6, 30  # outputs (firmware/kernels/dots8.h, linear_dots_ref.c)
HEAVIEST_DOTS8 = 255  # of the magnitudes of four inputs' weights
MOST_DOTS8 = 1 << 16  # inputs


def split_dots8(w: Array) -> tuple[Array, Array]:
    """(O, N) weights of 8 bits as a sum of two, int64: no four inputs of the first are heavier than HEAVIEST_DOTS8.

    The heaviest weight gives first, so that the second has as few as can be.
    """
    outputs, n = w.shape
    light = np.zeros((outputs, -(-n // 4) * 4), np.int64)
    light[:, :n] = w
    quads = light.reshape(-1, 4)
    while (heavy := np.flatnonzero(np.abs(quads).sum(axis=1) > HEAVIEST_DOTS8)).size:
        some = quads[heavy]
        at = np.abs(some).argmax(axis=1)
        most = np.take_along_axis(some, at[:, None], axis=1)[:, 0]
        excess = np.abs(some).sum(axis=1) - HEAVIEST_DOTS8
        quads[heavy, at] = most - np.sign(most) * np.minimum(np.abs(most), excess)
    return light[:, :n], w.astype(np.int64) - light[:, :n]


def pack_dots8(w: Array, chunk: int) -> Array:
    """Words (uint32) of (O, N) weights of 8 bits, for dot products (firmware/kernels/dots8.h); chunk: fours of inputs.

    For each 30 outputs, first of each 128 times the sum of its light weights, plus 1 if heavy ones follow, and these:
    place | more follow << 16 | weight << 17. Then by chunks, six outputs and four inputs a word of each output.
    """
    n = w.shape[1]
    assert n <= MOST_DOTS8, "too many inputs"
    light, heavy = split_dots8(w)
    full = np.zeros((len(w), -(-n // 4) * 4), np.int64)
    full[:, :n] = light
    quads = full.reshape(len(w), -1, 4)[:, :, _ORDER_DOTS8] + 128
    words = np.ascontiguousarray(quads.astype(np.uint8)).view("<u4")[:, :, 0]
    parts = []
    for o in range(0, len(w), BATCH_DOTS8):
        batch = slice(o, o + BATCH_DOTS8)
        for row, rest in zip(light[batch], heavy[batch], strict=True):
            (places,) = np.nonzero(rest)
            more = np.arange(places.size) < places.size - 1
            head = 128 * int(row.sum()) + min(1, places.size)
            parts.append(np.array([head, *(places | more << 16 | rest[places] << 17)], np.int64))
        parts += [words[at].T.ravel() for at in _blocks_dots8(o, words.shape, chunk)]
    return np.asarray(np.concatenate(parts) & 0xFFFFFFFF, np.uint32)


_ORDER_DOTS8 = [1, 3, 0, 2]  # the input of each byte


def _blocks_dots8(first: int, shape: tuple[int, ...], chunk: int) -> Iterator[tuple[slice, slice]]:
    """The groups of outputs in each chunk of a batch."""
    outputs, quads = shape
    for at in range(0, quads, chunk):
        for o in range(first, min(first + BATCH_DOTS8, outputs), GROUP_DOTS8):
            yield slice(o, o + GROUP_DOTS8), slice(at, at + chunk)


def unpack_dots8(data: Array, outputs: int, n: int, chunk: int) -> Array:
    """The inverse of pack_dots8, (outputs, n)."""
    heavy, words, at = np.zeros((outputs, n), np.int64), np.zeros((outputs, -(-n // 4)), "<u4"), 0
    for o in range(0, outputs, BATCH_DOTS8):
        for row in heavy[o : o + BATCH_DOTS8]:
            more, at = int(data[at]) & 1, at + 1
            while more:
                word, at = int(data[at]), at + 1
                row[word & 0xFFFF] = (word ^ 1 << 31) - (1 << 31) >> 17
                more = word >> 16 & 1
        for block in _blocks_dots8(o, words.shape, chunk):
            part = words[block].T
            words[block] = data[at : at + part.size].reshape(part.shape).T
            at += part.size
    light = np.zeros((outputs, words.shape[1], 4), np.int64)
    light[:, :, _ORDER_DOTS8] = words.view(np.uint8).reshape(light.shape).astype(np.int64) - 128
    return np.asarray(light.reshape(outputs, -1)[:, :n] + heavy, np.int8)


@dataclass(frozen=True)
class Encoding:
    """A weight format: its C unpacker is `mcugen1_unpack_<name>`."""

    name: str
    dtypes: tuple[DType, ...]
    pack: Callable[[Array], Array]
    unpack: Callable[[Array, int], Array]


I8 = Encoding("i8", (DType.I8,), pack_i8, unpack_i8)
PLANES = Encoding("planes", (DType.T,), pack_planes, unpack_planes)
BASE3 = Encoding("base3", (DType.T,), pack_base3, unpack_base3)
ENCODINGS = (I8, PLANES, BASE3)
