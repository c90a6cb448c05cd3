"""The window kernel: every strip, step and tail on every core, its runs, its cost. Proofs: test_direct.py."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from types import ModuleType

import harness
import numpy as np
import pytest
from harness import Program, Step, node_program
from hypothesis import given, settings
from hypothesis import strategies as st
from test_direct import MACHINES, edge, geometry, needs_arm

from mcugen import fixed, layout, targets
from mcugen.ir import Array, DType, Node, Out, Quant
from mcugen.kernels import base, window
from mcugen.kernels.base import Signature
from mcugen.kernels.window import PIXEL_BITS, Window, WindowNibbles, nibble_tail
from mcugen.ops import base as ops
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.pack import BASE3, I8

KERNEL, NIBBLES = Window(I8), WindowNibbles()
FULL, U4 = Out.full(DType.U8), Out.full(DType.U4)
SAME = (1, 1, 1, 1)


def one_tap(multiplier: float, weight: int) -> Node:
    """A layer whose windows are one pixel, the one in the middle: its sums are short."""
    weights = np.zeros((2, 3, 3), np.int8)
    weights[:, 1, 1] = weight, -weight
    op, x, w = DepthwiseConv2d(padding=SAME), ops.activation("x", (2, 8, 5), 0), ops.constant("w", DType.I8, weights)
    acc = harness.accumulators(ops.make(op, x, w))
    tail = fixed.lower(np.full(2, multiplier), np.array([0.4, 200.7]), acc.lo, acc.hi, 0, 255)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(DepthwiseConv2d(padding=SAME, to=FULL), x, w, *(ops.constant(*c) for c in named))


def geometries() -> Iterator[tuple[str, Window, Node]]:
    """Both steps, even and odd widths, rows of strips of one and of many, halos and tails of all kinds."""
    for stride in (1, 2):
        for width in (2, 3, 5, 6):
            op = DepthwiseConv2d((stride, stride), SAME, pad_value=9)
            for height in (6, 7, 12):
                yield f"s{stride} {height} {width}", KERNEL, geometry((2, height * stride, width * stride), (3, 3), op)
    yield "pads", KERNEL, geometry((2, 9, 12), (3, 3), DepthwiseConv2d((1, 2), (2, 0, 0, 2), pad_value=200))
    yield "s21", KERNEL, geometry((2, 16, 5), (3, 3), DepthwiseConv2d((2, 1), SAME))
    yield "rows apart", KERNEL, geometry((2, 12, 5), (3, 3), DepthwiseConv2d(padding=(2, 1, 2, 1), dilation=(2, 1)))
    yield "one channel", KERNEL, geometry((1, 3, 3), (3, 3), DepthwiseConv2d(padding=SAME))
    limits = Out(DType.U8, FULL.quant, 10, 240)
    yield "limits", KERNEL, geometry((2, 6, 5), (3, 3), DepthwiseConv2d(padding=SAME), limits)
    yield "u4", KERNEL, geometry((2, 6, 5), (3, 3), DepthwiseConv2d(padding=SAME), Out.full(DType.U4))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", KERNEL, geometry((3, 5, 7), (3, 3), DepthwiseConv2d(padding=SAME), kind=kind)
    for multiplier in (1 / 60, 1 / 400, -1 / 900, 1 / 3000, 1 / 20_000):
        yield f"edge {multiplier}", KERNEL, edge(DepthwiseConv2d(padding=SAME), (3, 3, 3), multiplier)
    yield "short", KERNEL, one_tap(1 / 5, 120)
    x, w = ops.activation("x", (3, 7, 6), 5), np.random.default_rng(1).integers(-1, 2, (3, 3, 3)).astype(np.int8)
    raw = ops.make(DepthwiseConv2d(padding=SAME, pad_value=5), x, ops.constant("w", DType.T, w))
    yield "ternary", Window(BASE3), ops.requantized(raw, np.random.default_rng(2), FULL)


@cache
def programs() -> tuple[Program, ...]:
    found = [*ends()]
    for name, kernel, node in geometries():
        inputs = harness.samples(node, np.random.default_rng(3))
        assert kernel.accepts(node, harness.accumulators(node)), name
        want = harness.evaluate(node, inputs)
        for one in (kernel, replace(kernel, mixed=True)):
            for required in harness.signatures(one, node)[:2]:
                for sig in harness.larger(required, node):
                    found.append(node_program(f"{name} {one.name} {sig}", node, one, sig, inputs, want))
    return tuple(found)


def ends() -> Iterator[Program]:
    """Sums at both ends: highest pixels where weights are positive and lowest elsewhere, and the reverse."""
    node = edge(DepthwiseConv2d((2, 2), (0, 0, 1, 1)), (3, 3, 3), 1 / 4000)
    x = np.zeros((4, 3, 8, 7), np.uint8)
    for i, j in np.ndindex(3, 3):
        high = node.inputs[1].const[:, i, j] > 0
        for row in range(0, 6, 4):  # windows that do not overlap
            x[0, :, row + i, j] = 255 * high
            x[1, :, row + i, j] = 255 * ~high
            x[2, :, row + i, j], x[3, :, row + i, j] = 255, 254 * high + 1
    want = node.op.eval(x, *(v.const for v in node.inputs[1:]))
    for sig in harness.signatures(KERNEL, node)[:2]:
        yield node_program(f"ends {sig}", node, KERNEL, sig, [x], want)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    """All functions, rows of even and odd words, many rows and one; `up` with and without the pixels' bits."""
    functions, odd, rows, bits = set(), set(), set(), set()
    for p in programs():
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in bound.fields}
        functions.add(values["strips"])
        odd.add(int(np.asarray(values["words"])) % 2)
        rows.add(int(np.asarray(values["rows"])) > 1)
        for scale in np.asarray(values["tails"]).reshape(-1, 2)[:, 0]:
            scaled, rest = int(scale) >> 8 & 0xFF, int(scale) & 0xFF
            bits.add((scaled > 0, (rest > PIXEL_BITS) - (rest < PIXEL_BITS)))
    kinds = [(step, lanes) for step in ("", "x2") for lanes in ("", "low", "mixed")]
    assert functions == {f"mcugen1_window3{step}{lanes}" for step, lanes in kinds}
    assert odd == {0, 1} and rows == {False, True}
    assert bits >= {(True, 0), (False, -1), (False, 1)}


def test_weights_have_room() -> None:
    """Scaled weights fit 16 bits, and with the pixels' bits and the rest make up all of `up`."""
    for _, kernel, node in geometries():
        acc, w = harness.accumulators(node), node.inputs[1].const.astype(int)
        for channel, (scale, more), was in zip(w, window._tails(node, acc), base.tails32(node, acc), strict=True):
            scaled, rest = scale >> 8 & 0xFF, scale & 0xFF
            assert np.abs(channel << scaled).max() <= 1 << 15 and (channel << scaled).max() < 1 << 15
            assert scaled == 0 or rest == PIXEL_BITS
            assert more == was[1] and scale >> 16 == was[0] >> 16
            assert scale >> 16 == 0 or scaled + rest == (was[0] >> 8 & 0xFF) + (was[0] & 0xFF)
        assert kernel.accepts(node, acc)


def test_other_windows_are_refused() -> None:
    def offered(w: tuple[int, int], op: DepthwiseConv2d, width: int = 8) -> bool:
        node = geometry((2, 8, width), w, op)
        return bool(harness.signatures(KERNEL, node))

    assert offered((3, 3), DepthwiseConv2d(padding=SAME))
    assert not offered((5, 5), DepthwiseConv2d(padding=(2, 2, 2, 2)))
    assert not offered((3, 3), DepthwiseConv2d(padding=(1, 2, 1, 2), dilation=(1, 2)))
    assert not offered((3, 3), DepthwiseConv2d((1, 3), SAME))
    assert not offered((3, 3), DepthwiseConv2d(padding=SAME), width=1)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.integers(1, 20), st.integers(2, 20), st.sampled_from([(1, 1), (2, 2), (2, 1), (1, 2)]))
def test_a_run_covers_the_image_once(height: int, width: int, stride: tuple[int, int]) -> None:
    node = geometry((1, height, width), (3, 3), DepthwiseConv2d(stride, SAME))
    y = node.output.type
    rows = layout.rows_for(y.shape[1])
    sig = None
    if 4 * rows * stride[0] >= height:
        sig = KERNEL.layouts(node, (layout.lanes(node.inputs[0].type, rows * stride[0]),), layout.lanes(y, rows))
    if sig is None:  # the lanes do not stay in step
        return
    for out in (sig.output, layout.lanes(y, rows, 1, 2, sig.inputs[0].pad_cols)):
        _, at, words, count = window._run(node, Signature(sig.inputs, out))
        written = np.zeros(out.plane, int)
        for row in range(count):
            written[at + row * out.pitch : at + row * out.pitch + words] += 1
        shown = layout.element_map(out, (1, *y.shape[1:])).reshape(out.plane, 4)
        in_rows = shown[out.pad_cols + out.halo_top * out.pitch :][: rows * out.pitch]
        full = window._full(node, Signature(sig.inputs, out), count)
        assert (in_rows[full * (words if count == 1 else out.pitch) :, 3] < 0).all()
        assert full == 0 or (in_rows[(full - 1) * out.pitch :][:words, 3] >= 0).any()
        row = np.arange(out.plane)
        first = out.pad_cols + out.halo_top * out.pitch
        inside = (row >= first) & (row < first + rows * out.pitch)
        assert (written <= 1).all() and (written[inside & (shown >= 0).any(axis=1)] == 1).all()


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m33", "cortex-m7", "cortex-m3", "cortex-m0plus"])
def test_estimates_are_what_is_simulated(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    # Cycles for a product, on a Cortex-M4 and M0+.
    most = {"dw256_3": (3.5, 8.2), "dw128_6": (2.6, 6.8), "dw64_25x5": (2.4, 6.7), "dw8_48s2": (2.4, 5.7)}
    for r in bench.rows(targets.get(core).core, list(most), [1.0]):
        assert abs(r.estimated / r.cycles - 1) < 0.03, r
        assert core != "cortex-m4" or r.per_mac < most[r.layer][0], r
        assert core != "cortex-m0plus" or r.per_mac < most[r.layer][1], r


# ---- nibbles ----


def nibble_result(found: tuple[int, int], pixels: Array, weights: Array) -> tuple[int, int]:
    """What SMLAW and what 32 bits make of a window, by their own number of bits."""
    scale, add = found
    mult, centre, shift = scale >> 16, (scale >> 8 & 0xFF) << 13, scale & 0xFF
    s = int(pixels @ weights) + centre
    assert 0 <= s < 1 << 15 and 17 <= shift <= 29 and add % (1 << shift - 16) == 0
    high, plain = (s * (mult << 32 - shift) >> 16) + (add >> shift - 16), s * mult + add
    assert all(-(1 << 31) <= n < 1 << 31 for n in (mult << 32 - shift, high, plain, add))
    assert -(1 << 15) <= high >> 16 < 1 << 15
    return min(max(high >> 16, 0), 15), min(max(plain >> shift, 0), 15)


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(
    st.lists(st.integers(-128, 127), min_size=9, max_size=9) | st.sampled_from([[-128] * 9, [127] * 9, [0] * 9]),
    st.sampled_from([DType.U4, DType.U4, DType.U2, DType.U1]),
    st.floats(-0.02, 0.02) | st.sampled_from([0.0, 1e-4, -1e-4, 5e-5, -3e-5, 2e-5, 0.25, -1.5, 1 / 1024, 15 / 17280]),
    st.floats(-200, 200) | st.integers(-8, 24).map(float),
    st.integers(0, 1 << 30),
)
def test_sums_of_nibbles_are_the_rule(row: list[int], dtype: DType, mult: float, offset: float, seed: int) -> None:
    w, rng = np.array(row), np.random.default_rng(seed)
    lo, hi = dtype.hi * int(w[w < 0].sum()), dtype.hi * int(w[w > 0].sum())
    m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [offset], [lo], [hi])), 0, 15))
    found = nibble_tail((lo, hi), (lo, hi), m, a, s)
    if found is None:
        assert max(abs(acc * m + a >> s) for acc in (lo, hi)) >= 1 << 15 or s < 17
        return
    ends = [dtype.hi * (w > 0), dtype.hi * (w < 0)]
    for pixels in (*ends, *rng.integers(0, dtype.hi + 1, (8, 9))):
        want = int(fixed.requantize(np.array(pixels @ w), m, a, s, 0, 15))
        assert nibble_result(found, pixels, w) == (want, want)


def test_usual_tails_of_nibbles_are_proven() -> None:
    for reach in (17_000, 9_000, 4_000, 900):
        m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([30 / reach], [7.0], [-reach], [0])), 0, 15))
        assert nibble_tail((-reach, 0), (-reach, 0), m, a, s) is not None


def of_nibbles(
    shape: tuple[int, int, int],
    op: DepthwiseConv2d,
    to: Out = U4,
    kind: str = "dense",
    dtype: DType = DType.U4,
    weights: Array | None = None,
    gain: float = 1.0,
) -> Node:
    """A layer whose sums are spread over the output, or `gain` times that."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, op.stride, kind)).encode()))
    x = ops.activation("x", shape, op.pad_value, dtype)
    w = ops.constant("w", DType.I8, weights) if weights is not None else None
    raw = ops.make(op, x, w or ops.draw_weights(rng, DType.I8, (shape[0], 3, 3), kind))
    if gain == 1.0:
        return ops.requantized(raw, rng, to)
    acc = harness.accumulators(raw)
    tail = fixed.lower(gain * 15 / (acc.hi - acc.lo), np.full(len(acc.lo), 7.0), acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(replace(op, to=to), *raw.inputs, *(ops.constant(*c) for c in named))


def nibble_geometries() -> Iterator[tuple[str, Node]]:
    """Both steps, even and odd widths, rows of strips of one and of many, halos, limits and tails of all kinds."""
    for stride in (1, 2):
        for width in (2, 3, 5, 6):
            op = DepthwiseConv2d((stride, stride), SAME, pad_value=9)
            for height in (8, 13, 24):
                yield f"s{stride} {height} {width}", of_nibbles((2, height * stride, width * stride), op)
    yield "pads", of_nibbles((2, 17, 12), DepthwiseConv2d((1, 2), (2, 0, 0, 2), pad_value=11))
    yield "s21", of_nibbles((2, 32, 5), DepthwiseConv2d((2, 1), SAME))
    yield "rows apart", of_nibbles((2, 24, 5), DepthwiseConv2d(padding=(2, 1, 2, 1), dilation=(2, 1)))
    yield "one row", of_nibbles((1, 3, 3), DepthwiseConv2d(padding=SAME))
    for lo, hi in ((2, 13), (0, 7), (0, 0), (15, 15), (1, 15)):
        limits = Out(DType.U4, Quant(0.1, lo), lo, hi)
        yield f"limits {lo} {hi}", of_nibbles((2, 12, 5), DepthwiseConv2d(padding=SAME), limits)
    for dtype in (DType.U3, DType.U1):
        yield f"{dtype.value}", of_nibbles((2, 12, 5), DepthwiseConv2d(padding=SAME), Out.full(dtype), dtype=dtype)
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", of_nibbles((3, 9, 7), DepthwiseConv2d(padding=SAME), kind=kind)
    mixed = np.where(np.indices((3, 3, 3)).sum(axis=0) % 2, -128, 127)
    for name, w in (("mixed", mixed), ("least", mixed * 0 - 128), ("most", mixed * 0 + 127)):
        for gain in (0.9, -1.1, 4.0, 40.0, 0.01):
            yield f"{name} {gain}", of_nibbles((3, 9, 6), DepthwiseConv2d(padding=SAME), weights=w, gain=gain)


@cache
def nibble_programs() -> tuple[Program, ...]:
    found = []
    for name, node in nibble_geometries():
        inputs = [np.concatenate([harness.samples(node, np.random.default_rng(3))[0], extremes(node)])]
        assert NIBBLES.accepts(node, harness.accumulators(node)), name
        want = harness.evaluate(node, inputs)
        for required in harness.signatures(NIBBLES, node)[:2]:
            for sig in harness.larger(required, node):
                found.append(node_program(f"{name} {sig}", node, NIBBLES, sig, inputs, want))
    return tuple(found)


def extremes(node: Node) -> Array:
    """Two images of windows side by side at whose places pixels are highest where weights are above 0, and below."""
    x, w = node.inputs[0].type, node.inputs[1].const
    rows, columns = np.indices(x.shape[1:])
    high = w[:, (rows + 1) % 3, (columns + 1) % 3] > 0
    return np.asarray(np.stack([high, ~high]) * x.dtype.hi, np.uint8)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path_of_nibbles(machine: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    report = harness.on(machine, tmp_path_factory).run(nibble_programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_of_nibbles_reach_every_path() -> None:
    functions, odd, rows, centres = set(), set(), set(), set()
    for p in nibble_programs():
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in bound.members}
        functions.add(values["strips"])
        odd.add((int(np.asarray(values["words"])) % 2, int(np.asarray(values["words"])) > 2))
        rows.add(int(np.asarray(values["rows"])) > 1)
        centres |= set((np.asarray(values["tails"])[:, 0] >> 8 & 0xFF).tolist())
    assert functions == {"mcugen1_window3nibbles", "mcugen1_window3x2nibbles"}
    assert odd == {(0, False), (0, True), (1, True)} and rows == {False, True} and centres >= {0, 1, 2, 3}


def test_other_windows_of_nibbles_are_refused() -> None:
    def taken(node: Node) -> bool:
        return bool(harness.signatures(NIBBLES, node)) and NIBBLES.accepts(node, harness.accumulators(node))

    op = DepthwiseConv2d(padding=SAME)
    assert taken(of_nibbles((2, 9, 5), op))
    assert not taken(of_nibbles((2, 9, 5), op, gain=40_000.0))
    assert not taken(of_nibbles((2, 9, 5), op, dtype=DType.U5))
    assert not taken(of_nibbles((2, 9, 5), op, FULL))
    assert not taken(of_nibbles((2, 9, 5), DepthwiseConv2d(padding=(1, 2, 1, 2), dilation=(1, 2))))
