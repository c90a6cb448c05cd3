"""Weight encodings: logical values to bytes and back. docs/FORMAT.md shows every bit; unpack_<name>.c reads them.

All encodings run over a whole tensor in C order, without alignment per row, so that a row of any length costs
what its weights cost.
"""

from __future__ import annotations

from collections.abc import Callable
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


MOST_RICE = 14  # k: the bits of a code behind its leading zeros fit a halfword


def _gaps(w: Array) -> Array:
    """The zeros before each weight that is not zero, and those behind the last."""
    flat = w.ravel()
    return np.diff(np.flatnonzero(flat), prepend=-1, append=flat.size) - 1


def rice_bits(w: Array) -> tuple[int, int]:
    """(bits, k) of the Rice code of ternary weights with its best parameter k, 0 .. MOST_RICE (pack_rice)."""
    gaps = _gaps(w)
    bits = [int((gaps >> k).sum()) + (k + 2) * gaps.size for k in range(MOST_RICE + 1)]
    k = int(np.argmin(bits))
    return bits[k], k


def pack_rice(w: Array, k: int) -> Array:
    """Halfwords (uint16), highest bit first: one stream over the tensor, a code for each weight that is not zero.

    With gap, the zeros before it: gap >> k zeros, a one, the inverse of the k low bits, and a bit that is set for -1.
    A last code has the zeros behind the last weight. 16 bits at least follow its leading zeros.
    """
    flat, gaps = w.ravel(), _gaps(w)
    lengths = (gaps >> k) + k + 2
    ends = np.cumsum(lengths)
    bits = np.zeros(16 * (-(-int(ends[-1] - k - 2) // 16) + 1), np.uint8)
    bits[ends - k - 2] = 1
    for i in range(k):
        bits[ends - 2 - i] = ~(gaps >> i) & 1
    bits[ends[:-1] - 1] = flat[flat != 0] < 0
    return np.packbits(bits).view(">u2").astype(np.uint16)


def unpack_rice(data: Array, k: int, n: int) -> Array:
    """The inverse of pack_rice, of n weights."""
    bits = np.unpackbits(data.astype(">u2").view(np.uint8))
    w, at, i = np.zeros(n, np.int8), -1, 0
    while True:
        zeros = int(np.argmax(bits[i:]))
        i += zeros + 1
        low = int("".join(map(str, 1 - bits[i : i + k])) or "0", 2)
        at += (zeros << k) + low + 1
        if at >= n:
            return w
        w[at] = -1 if bits[i + k] else 1
        i += k + 1


def entropy_bits(w: Array) -> float:
    """Bits that weights of this density take at least, if neither places nor signs say anything about each other.

    n (H(d) + d): which weights are not zero, and a sign for each of these.
    """
    n, d = w.size, np.count_nonzero(w) / max(1, w.size)
    places = sum(-p * np.log2(p) for p in (d, 1 - d) if p > 0)
    return float(n * (places + d))


# Tokens of lists16 beside 1 .. MOST_ADDED, which add entries (firmware/kernels/sparse.h).
END, MOST_ADDED, NEGATE, CLEAR, END_SHIFT = 0, 16, 17, 18, 19


def pack_lists16(lead: Array, rest: Array, centre: int | None, end: int) -> Array:
    """The program (uint16) of a channel: the sum of the pixels at `lead`, taken from `centre` if any, and of `rest`.

    lead, rest: distances in words, 0 .. 65535; rest only with a centre; end: END or END_SHIFT. Sums without any entry
    are cleared, because the first entry is always loaded.
    """
    assert centre is not None or not rest.size
    offsets = [*lead.tolist(), *rest.tolist(), 0, 0]  # the entry before the last loads one more; so does a lone one
    if not lead.size:  # the offset of a pixel that is there, its sum dropped
        offsets.insert(0, 0)
    program, at = offsets[:2], 2

    def add(n: int) -> None:
        nonlocal at
        while n > 0:
            some = min(n, MOST_ADDED)
            program.extend([some, *offsets[at : at + some]])
            at, n = at + some, n - some

    if lead.size:
        add(lead.size - 1)
    else:
        program.append(CLEAR)
    if centre is not None:
        program.extend([NEGATE, centre & 0xFFFF])
        add(rest.size)
    return np.array([*program, end], np.uint16)


def unpack_lists16(data: Array) -> tuple[Array, Array, int | None, int, int]:
    """The inverse of pack_lists16, and the halfwords of the program: data may go on behind it."""
    offsets, lists = [int(data[0])], [1, 0]
    centre, at, following = None, 2, int(data[1])
    while (token := int(data[at])) not in (END, END_SHIFT):
        at += 1
        if token == NEGATE:
            centre, at = int(data[at].astype(np.int16)), at + 1
        elif token == CLEAR:
            offsets, lists = [], [0, 0]
        else:
            offsets += [following, *data[at : at + token - 1].tolist()]
            following, at = int(data[at + token - 1]), at + token
            lists[centre is not None] += token
    found = np.array(offsets, np.int64)
    return found[: lists[0]], found[lists[0] :], centre, token, at + 1


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
