"""Weight encodings: logical values to bytes and back. docs/FORMAT.md shows every bit; unpack_<name>.c reads them.

All encodings run over a whole tensor in C order, without alignment per row, so that a row of any length costs
what its weights cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    rest = data.astype(np.int64)
    digits = []
    for _ in range(5):
        rest = rest * 3
        digits.append((rest >> 8) - 1)
        rest &= 255
    return np.stack(digits, axis=1).ravel()[:n].astype(np.int8)


def rice_bits(w: Array) -> tuple[int, int]:
    """(bits, k) of the Rice code of ternary weights with its best parameter k, 0..15: the size alone, for now.

    One stream over the tensor in C order, per weight that is not zero: the zeros before it, gap >> k ones, a zero and
    the k low bits; then a bit for the sign. Zeros behind the last weight cost nothing: the counts are known.
    """
    places = np.flatnonzero(w.ravel())
    gaps = np.diff(places, prepend=-1) - 1
    bits = [int((gaps >> k).sum()) + (k + 2) * gaps.size for k in range(16)]
    k = int(np.argmin(bits))
    return bits[k], k


# Tokens of lists16 beside 1 .. MOST_ADDED, which add entries (firmware/kernels/sparse.h).
END, MOST_ADDED, NEGATE, CLEAR, END_SHIFT, WIDE_SET, WIDE_ADD, END_WIDE, END_LIMITS, END_LONG = 0, *range(16, 25)
_ENDS = (END, END_SHIFT, END_WIDE, END_LIMITS, END_LONG)

Lists = tuple[Array, Array, int | None]  # lead, rest, centre


def pack_lists16(parts: Sequence[Lists], end: int) -> Array:
    """The program (uint16) of a channel: each part is the sum of the pixels at `lead`, taken from `centre` if any, and
    of those at `rest`.

    lead, rest: distances in words, 0 .. 65535; rest only with a centre; end: END_WIDE or END_LONG if there are several
    parts, END, END_SHIFT or END_LIMITS if not. Sums without any entry are cleared, because the first entry is always
    loaded.
    """
    assert (len(parts) > 1) == (end in (END_WIDE, END_LONG))
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
            program.extend([NEGATE, centre & 0xFFFF])
        add(rest.size)
    return np.array([*program, end], np.uint16)


def unpack_lists16(data: Array) -> tuple[list[Lists], int, int]:
    """The parts and the end of pack_lists16, and the halfwords of the program: data may go on behind it."""
    parts: list[Lists] = []
    offsets, lead = [int(data[0])], 0
    centre: int | None = None
    at, following = 2, int(data[1])
    while True:
        token, at = int(data[at]), at + 1
        if token == NEGATE:
            lead, centre, at = len(offsets), int(data[at].astype(np.int16)), at + 1
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
