"""How a value lies in memory.

Flat: the elements in C order. Lanes: row y of an image lies in lane y div R, row y mod R (R = rows_per_lane); the
`lanes` lanes of one position are neighbouring bytes of one word, so one word operation serves four rows. A plane
(one channel) is, in words,

    pad_cols words, then halo_top + R + halo_bottom rows of `pitch` = W + pad_cols words

and word (row, x) of it holds in lane l the pixel (l * R + row, x) of the image wherever that is inside the image, and
pad_value elsewhere: for rows -halo_top .. R + halo_bottom - 1 and all columns. So a halo row repeats the neighbouring
lane's rows, the column pads are shared between the end of one row and the start of the next, and rows that the last
lanes have beyond H (garbage rows) hold pad_value. Every buffer holds all of this from the moment it is written: the
kernel that writes a value also seals it, and every byte can be compared.

Runs: the same for an image that is seen as a column, its rows behind one another: H * W rows of one pixel. Lanes then
end anywhere in a row of the image, and fewer of them are garbage. For what goes pixel by pixel, without halos and pads.

Nibbles: lanes or runs of 4-bit elements, eight to a word: lane l is bits 4 l .. 4 l + 3. For types of up to 4 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .ir import Array, Tensor

LANES = 4  # bytes in a word
NIBBLES = 8  # nibbles in a word


@dataclass(frozen=True)
class Layout:
    """A memory layout; all counts of Flat but `bits` and `lanes` are 0, those of runs are a column's."""

    kind: str = "flat"
    bits: int = 8
    lanes: int = 1
    rows_per_lane: int = 0
    halo_top: int = 0
    halo_bottom: int = 0
    pad_cols: int = 0
    pitch: int = 0
    pad_value: int = 0

    @property
    def flat(self) -> bool:
        """True for Flat."""
        return self.kind == "flat"

    @property
    def runs(self) -> bool:
        """True for lanes of an image that is seen as a column."""
        return self.kind == "runs"

    @property
    def nibbles(self) -> bool:
        """True for lanes and runs of elements of 4 bits."""
        return self.bits == 4

    @property
    def plane(self) -> int:
        """Words of one channel."""
        return self.pad_cols + (self.halo_top + self.rows_per_lane + self.halo_bottom) * self.pitch

    @property
    def name(self) -> str:
        """The kind, and the rows of a lane."""
        return "flat" if self.flat else f"{'nibble_' * self.nibbles}{self.kind}{self.rows_per_lane}"

    def __str__(self) -> str:
        halos = f"+{self.halo_top}+{self.halo_bottom}p{self.pad_cols}"
        return self.name + halos if self.kind == "lanes" else self.name


FLAT = Layout()


def lanes(t: Tensor, rows: int, top: int = 0, bottom: int = 0, cols: int = 0, bits: int = 8) -> Layout:
    """Lanes of `rows` rows for the image type `t`, of bytes or nibbles, with halo rows and pad columns."""
    count = 32 // bits
    assert len(t.shape) == 3 and t.dtype.unsigned and rows * count >= t.shape[1], (t, rows)
    assert bits == 8 or t.dtype.hi < 1 << bits, t
    return Layout("lanes", bits, count, rows, top, bottom, cols, t.shape[2] + cols, t.zero_point)


def runs(t: Tensor, bits: int = 8) -> Layout:
    """Lanes of as few pixels as hold the image type `t`, of bytes or nibbles."""
    c, h, w = t.shape
    return replace(lanes(replace(t, shape=(c, h * w, 1)), rows_for(h * w, 32 // bits), bits=bits), kind="runs")


def shorter(t: Tensor, bits: int = 8) -> bool:
    """True if runs have fewer words than lanes of the fewest rows, and no more rows than parameter structs can say."""
    _, h, w = t.shape
    return h * w <= 0xFFFF and runs(t, bits).plane < lanes(t, rows_for(h, 32 // bits), bits=bits).plane


def seen(layout: Layout, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an image as lanes have it: in runs one column."""
    return (shape[0], shape[1] * shape[2], 1) if layout.runs else shape


def rows_for(height: int, count: int = LANES) -> int:
    """The fewest rows per lane with which so many lanes hold `height` rows."""
    return -(-height // count)


def size(layout: Layout, t: Tensor) -> int:
    """Bytes of a buffer that holds `t`."""
    return t.bytes if layout.flat else t.shape[0] * layout.plane * LANES


def alike(a: Layout, b: Layout) -> bool:
    """True if both place the pixels the same way, whatever their halos: one buffer can serve both."""
    return (a.kind, a.bits, a.lanes, a.rows_per_lane, a.pad_value) == (
        b.kind,
        b.bits,
        b.lanes,
        b.rows_per_lane,
        b.pad_value,
    )


def halves(a: Layout, b: Layout) -> bool:
    """True if a word of nibbles of `a` has the pixels of two words of bytes of `b`: of the same row, and R rows on."""
    return (a.bits, b.bits) == (4, 8) and a.kind == b.kind and 2 * a.rows_per_lane == b.rows_per_lane


def join(a: Layout, b: Layout) -> Layout:
    """The least layout that serves consumers of `a` and of `b`, which are alike."""
    assert alike(a, b), (a, b)
    if a.flat:
        return a
    cols = max(a.pad_cols, b.pad_cols)
    return replace(
        a,
        halo_top=max(a.halo_top, b.halo_top),
        halo_bottom=max(a.halo_bottom, b.halo_bottom),
        pad_cols=cols,
        pitch=a.pitch - a.pad_cols + cols,
    )


def ahead(a: Layout, b: Layout, shape: tuple[int, ...]) -> int:
    """The most words that a pixel's word lies further behind in `a` than in `b`, which is alike; 0 if none does.

    Where `a` has halves of `b`, those of the first half count.

    So many words before `b` a copy in `a` can begin that is made word by word in the order of memory.
    """
    steps = a.plane - b.plane, a.pitch - b.pitch
    first = a.pad_cols + a.halo_top * a.pitch - b.pad_cols - b.halo_top * b.pitch
    counts = shape[0] - 1, min(a.rows_per_lane, shape[1]) - 1
    return max(0, first + sum(max(0, step * n) for step, n in zip(steps, counts, strict=True)))


@lru_cache(maxsize=256)
def element_map(layout: Layout, shape: tuple[int, ...]) -> Array:
    """For every element of a lanes buffer, byte or nibble, the logical index of what it shows, or -1 for pad_value."""
    c, h, w = seen(layout, shape)
    word = np.arange(layout.plane)[:, None] - layout.pad_cols
    row = word // layout.pitch - layout.halo_top
    x = word % layout.pitch
    y = np.arange(layout.lanes) * layout.rows_per_lane + row
    inside = (word >= 0) & (y >= 0) & (y < h) & (x < w)
    plane = np.where(inside, y * w + x, -1).ravel()
    return np.concatenate([np.where(plane >= 0, plane + i * h * w, -1) for i in range(c)])


@lru_cache(maxsize=256)
def home(layout: Layout, shape: tuple[int, ...]) -> Array:
    """For every logical element the index of its own place among the buffer's (not of its copies in halos)."""
    if layout.flat:
        return np.arange(int(np.prod(shape)))
    c, h, w = np.indices(seen(layout, shape))
    lane, row = h // layout.rows_per_lane, h % layout.rows_per_lane
    word = c * layout.plane + layout.pad_cols + (row + layout.halo_top) * layout.pitch + w
    return np.asarray((word * layout.lanes + lane).ravel())


def elements(layout: Layout, data: Array) -> Array:
    """The elements of a lanes buffer: its bytes, or both halves of each, the low one first."""
    return np.stack([data & 15, data >> 4], axis=-1).ravel() if layout.nibbles else data


def store(layout: Layout, x: Array) -> Array:
    """The bytes of one value (its logical array, no batch) in memory."""
    if layout.flat:
        return np.ascontiguousarray(x).ravel().view(np.uint8)
    index = element_map(layout, x.shape)
    shown = np.where(index >= 0, x.ravel()[index], layout.pad_value).astype(np.uint8)
    return np.asarray(shown[::2] | shown[1::2] << 4) if layout.nibbles else shown


def load(layout: Layout, data: Array, t: Tensor) -> Array:
    """The logical array of type `t` from the bytes of a buffer."""
    if layout.flat:
        return data[: t.bytes].view(t.dtype.numpy).reshape(t.shape)
    return elements(layout, data)[home(layout, t.shape)].reshape(t.shape)


def ports(types: Sequence[Tensor]) -> tuple[int, ...]:
    """Where each input or output lies in a test vector: the wider elements first, so all are aligned without gaps."""
    order = sorted(range(len(types)), key=lambda i: -types[i].dtype.bytes)
    offsets = [0] * len(types)
    at = 0
    for i in order:
        offsets[i] = at
        at += types[i].bytes
    return tuple(offsets)


def vectors(types: Sequence[Tensor], arrays: Sequence[Array]) -> Array:
    """Test vectors (N, bytes): the values (N, *shape) of all inputs, or of all outputs, as `ports` says."""
    out = np.zeros((len(arrays[0]), sum(t.bytes for t in types)), np.uint8)
    for t, at, a in zip(types, ports(types), arrays, strict=True):
        out[:, at : at + t.bytes] = np.ascontiguousarray(a).reshape(len(a), t.size).view(np.uint8)
    return out
