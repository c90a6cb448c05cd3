"""How a value lies in memory.

Flat: the elements in C order. Lanes: the raster of an image, its rows of `pitch` = W + pad_cols positions behind one
another, is cut into four lanes of `lane` positions, and the four lanes' bytes of one place are a word, so that one word
operation serves four pixels. Either a lane holds whole rows, R = rows_per_lane ("lanes", lane = R * pitch), or it ends
anywhere, and is the fourth part of the raster ("runs", lane = H * pitch - pad_cols over 4, rounded up). A plane (one
channel) is, in words,

    pad_cols + halo_top * pitch before the lanes, lane, and halo_bottom * pitch behind them; in runs pad_cols more

and word i of it, counted from the first of the lanes, holds in lane l the position q = l * lane + i of the raster:
pixel (q div pitch, q mod pitch) of the image wherever that is inside the image, and pad_value elsewhere. So a halo
repeats the neighbouring lanes, the column pads are shared between the end of one row and the start of the next, and
what lanes have beyond the image (garbage rows) holds pad_value. Every buffer holds all of this from the moment it is
written: the kernel that writes a value also seals it, and every byte can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .ir import Array, Tensor

LANES = 4  # bytes in a word


@dataclass(frozen=True)
class Layout:
    """A memory layout; all counts of Flat but `bits` and `lanes` are 0, so are rows_per_lane or height of others."""

    kind: str = "flat"
    bits: int = 8
    lanes: int = 1
    rows_per_lane: int = 0
    halo_top: int = 0
    halo_bottom: int = 0
    pad_cols: int = 0
    pitch: int = 0
    pad_value: int = 0
    height: int = 0  # of runs

    @property
    def flat(self) -> bool:
        """True for Flat."""
        return self.kind == "flat"

    @property
    def runs(self) -> bool:
        """True if lanes end anywhere in the raster."""
        return self.kind == "runs"

    @property
    def lane(self) -> int:
        """Positions of the raster from a lane to the next; words that hold the lanes."""
        if self.runs:
            return -(-(self.height * self.pitch - self.pad_cols) // LANES)
        return self.rows_per_lane * self.pitch

    @property
    def first(self) -> int:
        """The word of pixel (0, 0)."""
        return self.pad_cols + self.halo_top * self.pitch

    @property
    def plane(self) -> int:
        """Words of one channel."""
        return self.first + self.lane + self.halo_bottom * self.pitch + self.runs * self.pad_cols

    @property
    def name(self) -> str:
        """The kind, with the rows, or of runs positions, of a lane."""
        return "flat" if self.flat else f"{self.kind}{self.lane if self.runs else self.rows_per_lane}"

    def __str__(self) -> str:
        return self.name if self.flat else f"{self.name}+{self.halo_top}+{self.halo_bottom}p{self.pad_cols}"


FLAT = Layout()


def lanes(t: Tensor, rows: int, top: int = 0, bottom: int = 0, cols: int = 0) -> Layout:
    """Four u8 lanes of `rows` rows for the image type `t`, with halo rows and pad columns."""
    assert len(t.shape) == 3 and t.dtype.unsigned and rows * LANES >= t.shape[1], (t, rows)
    return Layout("lanes", 8, LANES, rows, top, bottom, cols, t.shape[2] + cols, t.zero_point)


def runs(t: Tensor, cols: int = 0, top: int = 0, bottom: int = 0) -> Layout:
    """Four u8 lanes of a fourth of the image type `t` each, with pad columns between its rows, and halo rows."""
    assert len(t.shape) == 3 and t.dtype.unsigned, t
    _, h, w = t.shape
    return Layout("runs", 8, LANES, 0, top, bottom, cols, w + cols, t.zero_point, h)


def shorter(t: Tensor, cols: int = 0) -> bool:
    """True if runs have fewer words than lanes of the fewest rows, pad columns between rows counted."""
    return runs(t, cols).lane < lanes(t, rows_for(t.shape[1]), cols=cols).lane - cols


def column(layout: Layout, t: Tensor) -> tuple[Layout, Tensor]:
    """Runs as images of one column, the pads between rows among its pixels, in lanes of rows; others as they are.

    Kernels compute in runs as if they were these, and seal the pads.
    """
    if not layout.runs:
        return layout, t
    c, h, w = t.shape
    first, lane = layout.first, layout.lane
    return (
        Layout("lanes", 8, LANES, lane, first, layout.plane - first - lane, 0, 1, layout.pad_value),
        replace(t, shape=(c, (h - 1) * layout.pitch + w, 1)),
    )


def rows_for(height: int) -> int:
    """The fewest rows per lane that hold `height` rows."""
    return -(-height // LANES)


def size(layout: Layout, t: Tensor) -> int:
    """Bytes of a buffer that holds `t`."""
    return t.bytes if layout.flat else t.shape[0] * layout.plane * LANES


def alike(a: Layout, b: Layout) -> bool:
    """True if both place the pixels the same way, whatever their halos: one buffer can serve both."""

    def kind(lay: Layout) -> tuple[object, ...]:
        return lay.kind, lay.bits, lay.lanes, lay.rows_per_lane, lay.pad_value, lay.height, lay.runs * lay.pad_cols

    return kind(a) == kind(b)


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

    So many words before `b` a copy in `a` can begin that is made word by word in the order of memory.
    """
    steps = a.plane - b.plane, a.pitch - b.pitch
    counts = shape[0] - 1, max(0, min(a.rows_per_lane, shape[1]) - 1)
    return max(0, a.first - b.first + sum(max(0, step * n) for step, n in zip(steps, counts, strict=True)))


@lru_cache(maxsize=256)
def byte_map(layout: Layout, shape: tuple[int, ...]) -> Array:
    """For every byte of a lanes buffer the logical index of the element it shows, or -1 for pad_value."""
    c, h, w = shape
    place = np.arange(LANES) * layout.lane + np.arange(layout.plane)[:, None] - layout.first
    y, x = place // layout.pitch, place % layout.pitch
    plane = np.where((y >= 0) & (y < h) & (x < w), y * w + x, -1).ravel()
    return np.concatenate([np.where(plane >= 0, plane + i * h * w, -1) for i in range(c)])


@lru_cache(maxsize=256)
def home(layout: Layout, shape: tuple[int, ...]) -> Array:
    """For every logical element the byte offset of its own place (not of its copies in halos)."""
    if layout.flat:
        return np.arange(int(np.prod(shape)))
    c, h, w = np.indices(shape)
    lane, word = np.divmod(h * layout.pitch + w, layout.lane)
    return np.asarray(((c * layout.plane + layout.first + word) * LANES + lane).ravel())


def store(layout: Layout, x: Array) -> Array:
    """The bytes of one value (its logical array, no batch) in memory."""
    if layout.flat:
        return np.ascontiguousarray(x).ravel().view(np.uint8)
    index = byte_map(layout, x.shape)
    return np.where(index >= 0, x.ravel()[index], layout.pad_value).astype(np.uint8)


def load(layout: Layout, data: Array, t: Tensor) -> Array:
    """The logical array of type `t` from the bytes of a buffer."""
    if layout.flat:
        return data[: t.bytes].view(t.dtype.numpy).reshape(t.shape)
    return data[home(layout, t.shape)].reshape(t.shape)


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
