"""The window kernel: every strip, step and tail on every core, its runs, its cost. Proofs: test_direct.py."""

from __future__ import annotations

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
from mcugen.ir import DType, Node, Out
from mcugen.kernels import base, window
from mcugen.kernels.base import Signature
from mcugen.kernels.window import PIXEL_BITS, Window
from mcugen.ops import base as ops
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.pack import BASE3, I8

KERNEL = Window(I8)
FULL = Out.full(DType.U8)
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
