"""The direct kernel: the proof that 32 bits suffice, its rows and runs, every function on every core, its cost."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import harness
import numpy as np
import pytest
from harness import Program, Step, node_program
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen import fixed, layout, targets
from mcugen.ir import DType, Node, Out
from mcugen.kernels import base, direct
from mcugen.kernels.base import Signature
from mcugen.kernels.direct import Direct, DirectDepthwise
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.pack import I8

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [
    "host",
    "sanitised",
    *(
        pytest.param(m, marks=needs_arm)
        for m in ("microbit-large", "mps2-an385", "mps2-an386", "mps2-an505", "mps3-an547")
    ),
]
FULL = Out.full(DType.U8)
KERNELS = {Conv2d: Direct(I8), DepthwiseConv2d: DirectDepthwise(I8)}
Factory = pytest.TempPathFactory


# ---- the proof ----


def result(found: tuple[int, int], acc: int) -> int:
    """What the instructions make of a sum, by their own number of bits."""
    scale, more = found
    scaled, up, mult = scale >> 8 & 0xFF, scale & 0xFF, scale >> 16
    total = acc << scaled << up
    assert -(1 << 31) <= total < 1 << 31 and -(1 << 15) <= mult < 1 << 15 and 0 <= up < 32
    v = (total * mult >> 16) + more
    assert all(-(1 << 31) <= n < 1 << 31 for n in (more, v, total * mult >> 16))
    return min(max(v >> 16, 0), 255)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(
    st.integers(-300_000, 300_000),
    st.integers(0, 600_000),
    st.floats(-0.02, 0.02) | st.sampled_from([0.0, 1e-4, -1e-4, 0.25, 0.5, 1.5, -3.0, 1 / 1024]),
    st.floats(-1e5, 1e5) | st.integers(-300, 300).map(float),
    st.integers(1, 128),
    st.integers(0, 1 << 30),
)
def test_the_tail_is_the_rule(lo: int, size: int, mult: float, offset: float, widest: int, seed: int) -> None:
    hi = lo + size
    m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [offset], [lo], [hi])), 0, 255))
    found = base.tail32(lo, hi, m, a, s, widest)
    if found is None:
        assert max(abs((acc * m + a) >> s) for acc in (lo, hi)) >= 1 << 15 or max(-lo, hi) << 32 - s >= 1 << 31
        return
    assert widest << (found[0] >> 8 & 0xFF) < 1 << 15
    rng = np.random.default_rng(seed)
    for acc in (lo, hi, *(int(v) for v in rng.integers(lo, hi + 1, 12))):
        assert result(found, acc) == int(fixed.requantize(np.array(acc), m, a, s, 0, 255))


def test_usual_tails_are_proven() -> None:
    """Windows of 9 to 27 weights whose sums are spread over the output, as trained layers have them."""
    for sums, widest in ((40_000, 127), (290_000, 127), (900_000, 127), (2_000, 9)):
        m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([160 / sums], [99.0], [-sums], [sums])), 0, 255))
        assert base.tail32(-sums, sums, m, a, s, widest) is not None


def test_results_beyond_16_bits_are_refused() -> None:
    node = edge(DepthwiseConv2d(padding=(1, 1, 1, 1)), (2, 3, 3), 4.0)
    assert not KERNELS[DepthwiseConv2d].accepts(node, harness.accumulators(node))
    node = edge(DepthwiseConv2d(padding=(1, 1, 1, 1)), (2, 3, 3), 1 / 40)
    assert KERNELS[DepthwiseConv2d].accepts(node, harness.accumulators(node))


# ---- programs ----


def edge(op: Conv2d | DepthwiseConv2d, w: tuple[int, ...], multiplier: float, to: Out = FULL) -> Node:
    """A layer of -128 and 127."""
    weights = np.where(np.indices(w).sum(axis=0) % 2, -128, 127).astype(np.int8)
    x = ops.activation("x", (w[1] if len(w) == 4 else w[0], 8, 7), op.pad_value)
    raw = ops.make(op, x, ops.constant("w", DType.I8, weights))
    acc = harness.accumulators(raw)
    terms = (np.full(len(w_row := weights.reshape(len(weights), -1)), multiplier), np.full(len(w_row), 99.0))
    tail = fixed.lower(*terms, acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    kind = type(op)
    return ops.make(kind(**{**vars(op), "to": to}), x, raw.inputs[1], *(ops.constant(*c) for c in named))


def geometry(
    shape: tuple[int, int, int], w: tuple[int, int], op: Conv2d | DepthwiseConv2d, to: Out = FULL, kind: str = "dense"
) -> Node:
    """A layer of that geometry with random weights."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, w, op.stride, kind)).encode()))
    x = ops.activation("x", shape, op.pad_value)
    w_shape = (2, shape[0], *w) if isinstance(op, Conv2d) else (shape[0], *w)
    return ops.requantized(ops.make(op, x, ops.draw_weights(rng, DType.I8, w_shape, kind)), rng, to)


def geometries() -> Iterator[tuple[str, Node]]:
    """Rows of 1 to 12 taps with both steps, widths of 1 to 6, windows of 1 to 5 rows, columns, dilation, limits."""
    for taps in (*range(1, 9), 12):
        for stride in (1, 2):
            for width in (1, 2, 5, 6):
                pad = (taps // 2, taps // 2) if taps > 1 else (0, 0)
                op = Conv2d((1, stride), (1, pad[0], 1, pad[1]), pad_value=9)
                yield f"3x{taps} s{stride} {width}", geometry((2, 6, stride * width), (3, taps), op)
    for width in (3, 4, 7, 8, 9, 13):
        for stride in (1, 2):
            op = Conv2d((1, stride), (1, 1, 1, 1), pad_value=9)
            yield f"3x3 s{stride} {width}", geometry((2, 6, stride * width), (3, 3), op)
    for rows in range(1, 6):
        for stride in (1, 2):
            op = DepthwiseConv2d((stride, stride), (rows // 2, 1, rows // 2, 1), pad_value=128)
            yield f"dw {rows}x3 s{stride}", geometry((3, 8, 8), (rows, 3), op)
    yield "dw 5x5", geometry((3, 12, 13), (5, 5), DepthwiseConv2d(padding=(2, 2, 2, 2), pad_value=9))
    yield "dw 3x3d2", geometry((2, 12, 13), (3, 3), DepthwiseConv2d(padding=(2, 2, 2, 2), dilation=(2, 2)))
    yield "kx1", geometry((2, 40, 1), (7, 1), Conv2d(padding=(3, 0, 3, 0)))
    yield "kx1 s2", geometry((2, 40, 1), (4, 1), Conv2d((2, 1), padding=(1, 0, 1, 0)))
    yield "s21", geometry((2, 16, 5), (3, 3), Conv2d((2, 1), (1, 1, 1, 1)))
    yield "one word", geometry((2, 4, 1), (1, 1), Conv2d())
    yield "limits", geometry((2, 6, 5), (3, 3), Conv2d(padding=(1, 1, 1, 1)), Out(DType.U8, FULL.quant, 10, 240))
    yield "u4", geometry((2, 6, 5), (3, 3), DepthwiseConv2d(padding=(1, 1, 1, 1)), Out.full(DType.U4))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", geometry((3, 5, 7), (3, 3), Conv2d(padding=(1, 1, 1, 1)), kind=kind)
    for multiplier in (1 / 60, 1 / 400, -1 / 900, 1 / 3000):
        yield f"edge {multiplier}", edge(Conv2d(padding=(1, 1, 1, 1)), (3, 2, 3, 3), multiplier)


@cache
def programs() -> tuple[Program, ...]:
    found = [*edge_programs()]
    for name, node in geometries():
        kernel, inputs = KERNELS[type(node.op)], harness.samples(node, np.random.default_rng(3))
        assert kernel.accepts(node, harness.accumulators(node)), name
        want = harness.evaluate(node, inputs)
        for required in harness.signatures(kernel, node)[:2]:
            for sig in harness.larger(required, node):
                found.append(node_program(f"{name} {sig}", node, kernel, sig, inputs, want))
    return tuple(found)


def edge_programs() -> Iterator[Program]:
    """Sums at both ends: highest pixels where weights are positive and lowest elsewhere, and the reverse."""
    node = edge(Conv2d(), (2, 16, 1, 1), 1 / 7000)
    w = node.inputs[1].const[0].ravel()
    x = np.stack([255 * (w > 0), 255 * (w < 0), 0 * w.astype(int) + 255, 254 * (w > 0) + (w < 0)]).astype(np.uint8)
    x = np.broadcast_to(x[:, :, None, None], (4, w.size, 8, 7)).copy()
    want = node.op.eval(x, *(v.const for v in node.inputs[1:]))
    sig = signature(node, 2)
    assert sig is not None
    yield node_program("ends", node, KERNELS[Conv2d], sig, [x], want)


def signature(node: Node, rows: int) -> Signature | None:
    x, y = node.inputs[0].type, node.output.type
    stride = node.op.stride[0]  # type: ignore[attr-defined]
    return KERNELS[type(node.op)].layouts(node, (layout.lanes(x, rows * stride),), layout.lanes(y, rows))


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    functions, rows, up, scaled = set(), set(), set(), set()
    for p in programs():
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in bound.fields}
        tails, runs = np.asarray(values["tails"]).reshape(-1, 2), np.asarray(values["runs"]).reshape(-1, 4)
        functions |= {values["single" if words == 1 else "strips"] for _, _, words, _ in runs}
        rows.add(min(int(np.asarray(values["row_count"])), 6))
        up |= {int(s) & 0xFF > 0 for s in tails[:, 0]}
        scaled |= {int(s) >> 8 & 0xFF > 0 for s in tails[:, 0]}
    assert functions == {f"mcugen1_direct{n}{kind}" for n in range(1, 6) for kind in ("", "x2", "one")}
    assert rows == set(range(1, 7)) and up == scaled == {False, True}


# ---- rows and runs ----


@pytest.mark.parametrize("taps, each, pieces", [(1, 1, 1), (5, 5, 1), (6, 3, 2), (7, 4, 2), (9, 5, 2), (11, 4, 3)])
def test_rows_hold_every_weight_once(taps: int, each: int, pieces: int) -> None:
    node = geometry((2, 8, 20), (3, taps), Conv2d(padding=(1, 0, 1, 0)))
    sig = signature(node, 2)
    assert sig is not None
    rows = direct._rows(node, sig.inputs[0])
    assert rows.taps == each and len(rows.distances) == 2 * 3 * pieces
    a, w = sig.inputs[0], node.inputs[1].const
    found = np.zeros((2, 2 * a.plane), int)
    for i, at in enumerate(rows.distances):
        found[:, at : at + each] += rows.weights[:, i]
    want = np.zeros_like(found)
    for c, i, j in np.ndindex(w.shape[1:]):
        want[:, c * a.plane + i * a.pitch + j] += w[:, c, i, j]
    assert (found == want).all()


def test_a_column_is_a_row_where_rows_lie_side_by_side() -> None:
    node = geometry((2, 40, 1), (5, 1), Conv2d(padding=(2, 0, 2, 0)))
    sig = signature(node, 10)
    assert sig is not None and direct._rows(node, sig.inputs[0]).taps == 5
    wider = layout.lanes(node.inputs[0].type, 10, 2, 2, 1)
    assert direct._rows(node, wider).taps == 1


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([(1, 1), (2, 2), (2, 1), (1, 2)]), st.integers(0, 2))
def test_runs_cover_the_image_once(height: int, width: int, stride: tuple[int, int], pad: int) -> None:
    node = geometry((1, height, width), (2 * pad + 1, 2 * pad + 1), Conv2d(stride, (pad, pad, pad, pad)))
    y = node.output.type
    rows = layout.rows_for(y.shape[1])
    if 4 * rows * stride[0] < height:
        return
    sig = signature(node, rows)
    if sig is None:  # the lanes do not stay in step
        return
    for out in (sig.output, layout.lanes(y, rows, 1, 2, sig.inputs[0].pad_cols)):
        written = np.zeros(out.plane, int)
        for _, at, words, count in direct._runs(node, Signature(sig.inputs, out)):
            assert words == 1 or words % 2 == 0
            for row in range(count):
                written[at + row * out.pitch : at + row * out.pitch + words] += 1
        shown = layout.element_map(out, (1, *y.shape[1:])).reshape(out.plane, 4)
        row = np.arange(out.plane)
        inside = (row >= out.pad_cols + out.halo_top * out.pitch) & (
            row < out.pad_cols + (out.halo_top + rows) * out.pitch
        )
        assert (written <= 1).all()
        assert (written[inside & (shown >= 0).any(axis=1)] == 1).all()


def test_images_are_limited() -> None:
    for width, halo, fits in ((30_000, 0, True), (40_000, 0, False), (15_000, 2, True), (15_000, 3, False)):
        node = geometry((1, 8, width), (1, 1), Conv2d())
        x = layout.lanes(node.inputs[0].type, 2, halo, 0)
        sig = Signature((x,), layout.lanes(node.output.type, 2))
        assert KERNELS[Conv2d].reaches(node, sig) == fits


# ---- cost ----


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m33", "cortex-m7", "cortex-m3", "cortex-m0plus"])
def test_estimates_are_what_is_simulated(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    most = {"dw16_16_5x5": 2.05, "first_kws": 2.5}  # cycles for a product, on a Cortex-M4
    for r in bench.rows(targets.get(core).core, list(most), [1.0]):
        assert abs(r.estimated / r.cycles - 1) < 0.02, r
        assert core != "cortex-m4" or r.per_mac < most[r.layer], r
