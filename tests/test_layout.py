"""Layouts against a slow definition written from the docstring of mcugen/layout.py."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen import layout
from mcugen.ir import Array, DType, Quant, Tensor
from mcugen.kernels.base import Signature, lanes_window
from mcugen.layout import FLAT, Layout
from mcugen.ops.base import window

FORMAT = Path(__file__).parent.parent / "docs" / "FORMAT.md"


def image(c: int, h: int, w: int, zero_point: int = 0) -> Tensor:
    return Tensor(DType.U8, (c, h, w), Quant(0.1, zero_point))


def slow_store(lay: Layout, x: Array) -> list[int]:
    """Element by element: pads first, then row after row of W pixels and pads; lanes of a word behind one another."""
    c, h, w = x.shape
    r = lay.rows_per_lane
    out: list[int] = []
    for channel in range(c):
        out += [lay.pad_value] * (lay.lanes * lay.pad_cols)
        for row in range(-lay.halo_top, r + lay.halo_bottom):
            for col in range(w + lay.pad_cols):
                for lane in range(lay.lanes):
                    y = lane * r + row
                    inside = 0 <= y < h and col < w
                    out.append(int(x[channel, y, col]) if inside else lay.pad_value)
    return [low + 16 * high for low, high in zip(out[::2], out[1::2], strict=True)] if lay.nibbles else out


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Layout]:
    t = image(
        draw(st.integers(1, 3)), draw(st.integers(1, 26)), draw(st.integers(1, 7)), draw(st.sampled_from([0, 128, 255]))
    )
    rows = layout.rows_for(t.shape[1]) + draw(st.integers(0, 3))
    return t, layout.lanes(t, rows, *(draw(st.integers(0, 4)) for _ in range(3)))


@given(cases(), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_lanes_are_what_the_docstring_says(case: tuple[Tensor, Layout], seed: int) -> None:
    t, lay = case
    x = np.random.default_rng(seed).integers(0, 256, t.shape).astype(np.uint8)
    data = layout.store(lay, x)
    assert data.tolist() == slow_store(lay, x)
    assert data.dtype == np.uint8 and data.size == layout.size(lay, t)
    assert np.array_equal(layout.load(lay, data, t), x)
    places = layout.home(lay, t.shape)
    assert len(set(places.tolist())) == t.size
    assert np.array_equal(layout.element_map(lay, t.shape)[places], np.arange(t.size))
    # an element's own place: lane y div R, row y mod R, counted from the first row that is no halo
    c, y, col = (int(v) for v in np.unravel_index(seed % t.size, t.shape))
    row = y % lay.rows_per_lane + lay.halo_top
    word = c * lay.plane + lay.pad_cols + row * lay.pitch + col
    assert places[seed % t.size] == 4 * word + y // lay.rows_per_lane


@given(st.integers(1, 3), st.integers(1, 26), st.integers(1, 7), st.sampled_from([0, 255]), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_runs_are_lanes_of_a_column(c: int, h: int, w: int, zero_point: int, seed: int) -> None:
    t = image(c, h, w, zero_point)
    lay = layout.runs(t)
    x = np.random.default_rng(seed).integers(0, 256, t.shape).astype(np.uint8)
    data = layout.store(lay, x)
    assert data.tolist() == slow_store(lay, x.reshape(c, h * w, 1))
    assert data.size == layout.size(lay, t) == 4 * c * -(-h * w // 4)
    assert np.array_equal(layout.load(lay, data, t), x)
    places = layout.home(lay, t.shape)
    assert len(set(places.tolist())) == t.size
    assert np.array_equal(layout.element_map(lay, t.shape)[places], np.arange(t.size))
    assert layout.seen(lay, t.shape) == (c, h * w, 1) and layout.seen(FLAT, t.shape) == t.shape


@given(cases(), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_nibbles_are_eight_lanes(case: tuple[Tensor, Layout], runs: bool, seed: int) -> None:
    t, of_bytes = case
    t = replace(t, dtype=DType.U4, quant=Quant(0.1, seed % 16))
    rows = layout.rows_for(t.shape[1], 8) + seed % 3
    lay = layout.lanes(t, rows, of_bytes.halo_top, of_bytes.halo_bottom, of_bytes.pad_cols, 4)
    x = np.random.default_rng(seed).integers(0, 16, t.shape).astype(np.uint8)
    seen = x
    if runs:
        lay, seen = layout.runs(t, 4), x.reshape(t.shape[0], -1, 1)
        assert layout.size(lay, t) == 4 * t.shape[0] * -(-seen.shape[1] // 8)
    data = layout.store(lay, x)
    assert data.tolist() == slow_store(lay, seen)
    assert data.dtype == np.uint8 and data.size == layout.size(lay, t)
    assert np.array_equal(layout.load(lay, data, t), x)
    assert np.array_equal(layout.element_map(lay, t.shape)[layout.home(lay, t.shape)], np.arange(t.size))


def test_nibbles_split_into_the_lanes_of_bytes_of_twice_the_rows() -> None:
    """Bits 0 .. 3 of each byte of word (row, x) are word (row, x) of bytes, bits 4 .. 7 are word (row + R, x)."""
    t = Tensor(DType.U4, (2, 21, 3), Quant(0.1, 5))
    x = np.random.default_rng(1).integers(0, 16, t.shape).astype(np.uint8)
    data = layout.store(layout.lanes(t, 3, bits=4), x).reshape(2, 3, 3, 4)
    assert np.array_equal(
        np.concatenate([data & 15, data >> 4], axis=1), layout.store(layout.lanes(t, 6), x).reshape(2, 6, 3, 4)
    )


def test_runs_are_shorter_where_rows_do_not_divide() -> None:
    words = {(25, 5): (32, 35), (6, 6): (9, 12), (8, 8): (16, 16), (3, 3): (3, 3), (7, 7): (13, 14), (9, 1): (3, 3)}
    for shape, (runs, rows) in words.items():
        t = image(1, *shape)
        assert (layout.runs(t).plane, layout.lanes(t, layout.rows_for(shape[0])).plane) == (runs, rows)
        assert layout.shorter(t) == (runs < rows)
    assert not layout.shorter(image(1, 301, 301))  # 90601 rows of one pixel


@given(cases())
@settings(max_examples=60, deadline=None)
def test_columns_beside_a_row_are_pads(case: tuple[Tensor, Layout]) -> None:
    """Pads serve two rows: the word before (row, 0) and the word after (row, W - 1) show no pixel."""
    t, lay = case
    shown = layout.element_map(lay, t.shape).reshape(t.shape[0], lay.plane, 4)
    for row in range(-lay.halo_top, lay.rows_per_lane + lay.halo_bottom):
        start = lay.pad_cols + (row + lay.halo_top) * lay.pitch
        assert np.all(shown[:, start - lay.pad_cols : start] == -1)
        assert np.all(shown[:, start + t.shape[2] : start + t.shape[2] + lay.pad_cols] == -1)


@pytest.mark.parametrize("dtype", [DType.U8, DType.U4, DType.I16, DType.I32])
def test_flat_is_c_order(dtype: DType) -> None:
    t = Tensor(dtype, (2, 3, 5))
    x = np.arange(30).reshape(t.shape).astype(dtype.numpy)
    x[0, 0, 0] = dtype.hi
    data = layout.store(FLAT, x)
    assert data.tobytes() == b"".join(int(v).to_bytes(dtype.bytes, "little") for v in x.ravel())
    assert np.array_equal(layout.load(FLAT, data, t), x)
    assert np.array_equal(layout.load(FLAT, np.append(data, np.uint8(9)), t), x)  # a longer buffer
    assert layout.size(FLAT, t) == data.size
    assert layout.home(FLAT, t.shape).tolist() == list(range(30))


def test_25x5() -> None:
    """The map of the published keyword-spotting network: 25 rows in lanes of 7, three garbage rows."""
    t = image(2, 25, 5, 128)
    lay = layout.lanes(t, layout.rows_for(25), 1, 1, 1)
    assert (lay.rows_per_lane, lay.pitch, lay.plane) == (7, 6, 1 + 9 * 6)
    x = np.arange(1, 251).reshape(t.shape).astype(np.uint8)
    words = layout.store(lay, x).reshape(2, lay.plane, 4)
    assert words[0, :8].tolist() == [  # pad; the halo row -1: rows 6, 13 and 20 seen from the next lane; pad; row 0
        [128, 128, 128, 128],
        [128, 31, 66, 101],
        [128, 32, 67, 102],
        [128, 33, 68, 103],
        [128, 34, 69, 104],
        [128, 35, 70, 105],
        [128, 128, 128, 128],
        [1, 36, 71, 106],
    ]
    last = lay.pad_cols + 8 * lay.pitch  # the halo row 7: rows 7, 14, 21 and nothing
    assert words[0, last : last + 2].tolist() == [[36, 71, 106, 128], [37, 72, 107, 128]]
    row4 = lay.pad_cols + 5 * lay.pitch  # the fourth lane's row 25 is garbage
    assert words[0, row4 - lay.pitch].tolist() == [16, 51, 86, 121]
    assert words[0, row4].tolist() == [21, 56, 91, 128]


def test_example_of_nibbles_of_the_format_document() -> None:
    """Lanes 0 .. 7 of two words, and these as numbers."""
    (line,) = re.findall(r"^    (0 2 4 6 8.*)$", FORMAT.read_text(), re.MULTILINE)
    lanes, numbers = line.split("=")
    t = Tensor(DType.U4, (1, 11, 1), Quant(0.1, 15))
    lay = layout.lanes(t, 2, bits=4)
    shown = layout.element_map(lay, t.shape)
    assert ["z" if v < 0 else str(v) for v in shown] == lanes.split()
    data = layout.store(lay, np.arange(11, dtype=np.uint8).reshape(t.shape))
    assert [f"{v:08x}" for v in data.view("<u4")] == numbers.split()


def test_worked_example_of_the_format_document() -> None:
    """docs/FORMAT.md draws a 5x2 image, a word a line: | word | row | column | lane 0 | ... | lane 3 |."""
    t = image(1, 5, 2, 99)
    lay = layout.lanes(t, 2, 1, 1, 1)
    shown = layout.element_map(lay, t.shape).reshape(-1, 4)
    lines = re.findall(r"^\| *(\d+) *\| *(\S*) *\| *(\S*) *\|(.*)\|$", FORMAT.read_text(), re.MULTILINE)
    assert len(lines) == lay.plane == len(shown)
    for number, (word, row, column, cells) in enumerate(lines):
        assert int(word) == number
        want = [-1 if c.strip() == "z" else 2 * int(c.split(",")[0]) + int(c.split(",")[1]) for c in cells.split("|")]
        assert shown[number].tolist() == want
        if number:
            assert (number - 1) // 3 - 1 == int(row)
            assert column == ("pad" if (number - 1) % 3 == 2 else str((number - 1) % 3))


# ---- join ----


@given(st.integers(1, 20), st.integers(1, 6), st.data())
@settings(max_examples=60, deadline=None)
def test_join_is_the_least_that_serves_both(h: int, w: int, data: st.DataObject) -> None:
    t = image(1, h, w)
    rows = layout.rows_for(h)
    a, b = (layout.lanes(t, rows, *(data.draw(st.integers(0, 3)) for _ in range(3))) for _ in range(2))
    both = layout.join(a, b)
    assert both == layout.lanes(
        t,
        rows,
        max(a.halo_top, b.halo_top),
        max(a.halo_bottom, b.halo_bottom),
        max(a.pad_cols, b.pad_cols),
    )
    assert both == layout.join(b, a) == layout.join(both, a)
    assert layout.alike(a, both)


def test_join_and_alike_of_unlike_layouts() -> None:
    t = image(1, 8, 3)
    assert layout.join(FLAT, FLAT) == FLAT
    assert not layout.alike(FLAT, layout.lanes(t, 2))
    assert not layout.alike(layout.lanes(t, 2), layout.lanes(t, 3))
    assert not layout.alike(layout.lanes(t, 2), layout.lanes(image(1, 8, 3, 128), 2))
    with pytest.raises(AssertionError):
        layout.join(FLAT, layout.lanes(t, 2))
    assert not layout.alike(layout.runs(t), layout.lanes(t, layout.runs(t).rows_per_lane))
    assert layout.join(layout.runs(t), layout.runs(t)) == layout.runs(t)


def test_lanes_refuse_too_few_rows_and_what_is_no_image() -> None:
    for t, rows in ((image(1, 9, 3), 2), (Tensor(DType.U8, (9,)), 3), (Tensor(DType.I16, (1, 8, 3)), 2)):
        with pytest.raises(AssertionError):
            layout.lanes(t, rows)
    assert [layout.rows_for(h) for h in (1, 4, 5, 8, 25, 48)] == [1, 1, 2, 2, 7, 12]


def test_layouts_print() -> None:
    assert str(FLAT) == "flat"
    assert str(layout.lanes(image(1, 25, 5), 7, 1, 2, 1)) == "lanes7+1+2p1"
    assert str(layout.runs(image(1, 25, 5))) == "runs32"


# ---- windows that keep the lanes ----


@given(
    st.integers(1, 3),
    st.tuples(st.integers(1, 5), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 4)] * 4),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(st.integers(1, 30), st.integers(1, 9)),
)
@settings(max_examples=200, deadline=None)
def test_halos_cover_what_a_window_reads(
    extra: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    size: tuple[int, int],
) -> None:
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if size[0] + padding[0] + padding[2] < spans[0] or size[1] + padding[1] + padding[3] < spans[1]:
        return
    out = [
        window(n, k, s, a, b, d)
        for n, k, s, a, b, d in zip(size, kernel, stride, padding[:2], padding[2:], dilation, strict=True)
    ]
    x, y = image(1, *size, 7), image(1, *out)
    rows = max(layout.rows_for(out[0]), -(-layout.rows_for(size[0]) // stride[0])) + extra - 1
    like = Signature((layout.lanes(x, rows * stride[0]),), layout.lanes(y, rows))
    sig = lanes_window(x, y, like, kernel, stride, padding, dilation)
    assert sig is not None
    lay = sig.inputs[0]
    assert (lay.rows_per_lane, sig.output.rows_per_lane) == (rows * stride[0], rows)
    shown = layout.element_map(lay, x.shape).reshape(-1, 4)
    for oy in range(4 * rows):  # garbage rows are computed too, and must stay inside the plane
        lane, row = divmod(oy, rows)
        for ox in range(out[1]):
            for ky in range(kernel[0]):
                for kx in range(kernel[1]):
                    at = row * stride[0] + ky * dilation[0] - padding[0]
                    column = ox * stride[1] + kx * dilation[1] - padding[1]
                    assert -lay.halo_top <= at < lay.rows_per_lane + lay.halo_bottom
                    assert -lay.pad_cols <= column < x.shape[2] + lay.pad_cols
                    word = lay.pad_cols + (at + lay.halo_top) * lay.pitch + column
                    if oy < out[0]:  # the pixel that the operator reads, or padding
                        iy = oy * stride[0] + ky * dilation[0] - padding[0]
                        inside = 0 <= iy < x.shape[1] and 0 <= column < x.shape[2]
                        assert shown[word, lane] == (iy * x.shape[2] + column if inside else -1)


def test_stride_chain_of_48_rows_becomes_64() -> None:
    """Four layers of stride 2 keep their lanes only from 16 rows a lane down to 1."""

    def chain(rows: int) -> bool:
        height = 48
        for _ in range(4):
            x, y = image(1, height, 8), image(1, height // 2, 8)
            if rows % 2 or 4 * (rows // 2) < height // 2:
                return False
            like = Signature((layout.lanes(x, rows),), layout.lanes(y, rows // 2))
            if lanes_window(x, y, like, (3, 1), (2, 1), (1, 0, 1, 0)) is None:
                return False
            rows, height = rows // 2, height // 2
        return True

    assert [4 * r for r in range(12, 33) if chain(r)] == [64, 128]
    x, y = image(1, 48, 8), image(1, 24, 8)
    unlike = Signature((layout.lanes(x, 12),), layout.lanes(y, 7))
    assert lanes_window(x, y, unlike, (3, 1), (2, 1), (1, 0, 1, 0)) is None
    assert lanes_window(x, y, Signature((FLAT,), unlike.output), (3, 1), (2, 1), (1, 0, 1, 0)) is None


def test_ports_of_a_vector_are_aligned_without_gaps() -> None:
    types = [Tensor(DType.U8, (3,)), Tensor(DType.I16, (5,)), Tensor(DType.U4, (2, 1, 3)), Tensor(DType.I32, (1,))]
    assert layout.ports(types) == (14, 4, 17, 0)
    arrays = [np.arange(2 * t.size).reshape(2, *t.shape).astype(t.dtype.numpy) for t in types]
    rows = layout.vectors(types, arrays)
    assert rows.shape == (2, 23) and rows.dtype == np.uint8
    for t, at, a in zip(types, layout.ports(types), arrays, strict=True):
        for row, one in zip(rows, a, strict=True):
            assert row[at : at + t.bytes].tobytes() == one.tobytes()
