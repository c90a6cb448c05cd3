"""The sparse kernel: the proof that 16 bits suffice, its strips, every path of its programs on every core, its cost."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import harness
import numpy as np
import pytest
from harness import Program, Step, node_program, node_programs
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen import fixed, layout, pack, targets
from mcugen.ir import Array, DType, Node, Out
from mcugen.kernels import sparse
from mcugen.kernels.base import Signature
from mcugen.kernels.sparse import Sparse
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [
    "host",
    "sanitised",
    *(
        pytest.param(m, marks=needs_arm)
        for m in ("microbit-large", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505")
    ),
]
FULL = Out.full(DType.U8)
KERNEL, RICE = Sparse(), Sparse("rice")
Factory = pytest.TempPathFactory


# ---- the proof ----


def sums(how: sparse.Channel, plus: int, minus: int) -> int:
    """What the kernel computes in 16 bits from the sums of the pixels of +1 and of -1 weights."""
    lead, rest = (minus, plus) if how.minus_first else (plus, minus)
    total = lead if how.centre is None else how.centre - lead + rest
    return (total + (1 << 15)) % (1 << 16) - (1 << 15)


def result(how: sparse.Channel, total: int, to: Out) -> int:
    """What the kernel makes of such a sum, by the instructions of the DSP extension."""
    mult, shift = (how.scale & 0xFFFF ^ 0x8000) - 0x8000, how.scale >> 16
    if how.end == pack.END:
        high = ((total * (mult << 32 - shift)) >> 16) + (how.add >> shift - 16)
        assert shift >= 16 and -(1 << 31) <= high < 1 << 31 and abs(mult << 32 - shift) < 1 << 31
        return min(max(high >> 16, 0), 255)
    v = (total * mult + how.add + (1 << 31)) % (1 << 32) - (1 << 31)
    return min(max(v >> shift, to.lo), to.hi)


@settings(max_examples=1500, derandomize=True, deadline=None, database=None)
@given(
    st.integers(0, 257),
    st.integers(0, 257),
    st.floats(-0.6, 0.6) | st.sampled_from([0.0, 1e-4, -1e-4, 0.49999, 0.5, 1.5, -3.0]),
    st.floats(-1e5, 1e5),
    st.sampled_from([FULL, Out(DType.U8, None, 10, 240), Out.full(DType.U4)]),
    st.integers(0, 1 << 30),
)
def test_every_sum_is_the_accumulator(n: int, p: int, mult: float, offset: float, to: Out, seed: int) -> None:
    p = min(p, 257 - n)
    lo, hi = -255 * n, 255 * p
    m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [offset], [lo], [hi])), to.lo, to.hi))
    if not all(-(1 << 31) <= acc * m + a < 1 << 31 for acc in (lo, hi)):
        return  # what the kernel does not accept
    how = sparse.choose(n > 0, p > 0, lo, hi, m, a, s, full=to == FULL)
    rng = np.random.default_rng(seed)
    ends = [(0, 0), (255 * p, 255 * n), (255 * p, 0), (0, 255 * n)]
    for plus, minus in [*ends, *((int(rng.integers(255 * p + 1)), int(rng.integers(255 * n + 1))) for _ in range(6))]:
        want = int(fixed.requantize(np.array(plus - minus), m, a, s, to.lo, to.hi))
        assert result(how, sums(how, plus, minus), to) == want


def test_usual_tails_end_with_token_0() -> None:
    """Multipliers below a half, whatever the centre, and constants."""
    for n, p, mult in itertools.product((0, 3, 100, 128), (0, 1, 90, 127), (0.013, -0.2, 0.4, 0.0)):
        lo, hi = -255 * n, 255 * p
        m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [7.0], [lo], [hi])), 0, 255))
        how = sparse.choose(n > 0, p > 0, lo, hi, m, a, s, full=True)
        assert how.end == pack.END
        assert (how.centre is None) == (n == 0 or p == 0)


def dense(plus: int, minus: int, dtype: DType = DType.U8) -> Node:
    """A pointwise convolution with so many weights of either sign, in two channels, and none in a third."""
    w = np.array([1] * plus + [-1] * minus, np.int8)
    w = np.stack([w, np.roll(w, 5), 0 * w]).reshape(3, -1, 1, 1)
    x = ops.activation("x", (plus + minus, 4, 5), 0, dtype)
    terms = (0.001967, 60.0, -255.0 * minus, 255.0 * plus)  # a multiplier just over 2^14: room in 32 bits
    tail = fixed.lower(*(np.full(3, v) for v in terms), 0, 255)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(Conv2d(to=FULL), x, ops.constant("w", DType.T, w), *(ops.constant(*c) for c in named))


@pytest.mark.parametrize("plus, minus", [(257, 0), (0, 257), (128, 129), (1, 256), (200, 57)])
def test_257_bytes_fit_and_258_do_not(plus: int, minus: int) -> None:
    node = dense(plus, minus)
    assert KERNEL.accepts(node, harness.accumulators(node))
    node = dense(plus + 1, minus)
    assert not KERNEL.accepts(node, harness.accumulators(node))
    assert KERNEL.accepts(node, harness.accumulators(node, (0, 250)))  # proven to be smaller
    node = dense(2 * plus, 2 * minus, DType.U7)
    assert KERNEL.accepts(node, harness.accumulators(node))


def edge_programs() -> Iterator[Program]:
    """Sums at both ends of the 16 bits: highest pixels where weights are 1 and lowest elsewhere, and the reverse."""
    for plus, minus in ((257, 0), (0, 257), (128, 129), (129, 128), (1, 256), (256, 1), (60, 60)):
        node = dense(plus, minus)
        w = node.inputs[1].const[0].ravel().astype(np.int64)
        x = np.stack([255 * (w == 1), 255 * (w == -1), 0 * w + 255, 254 * (w == 1) + (w == -1)]).astype(np.uint8)
        x = np.broadcast_to(x[:, :, None, None], (4, w.size, 4, 5)).copy()
        want = node.op.eval(x, *(v.const for v in node.inputs[1:]))
        lay = layout.lanes(node.inputs[0].type, 1), layout.lanes(node.output.type, 1)
        sig = KERNEL.layouts(node, lay[:1], lay[1])
        assert sig is not None
        for kernel in (KERNEL, RICE):
            if kernel.accepts(node, harness.accumulators(node)):
                yield node_program(f"edge {plus} {minus} {kernel.name}", node, kernel, sig, [x], want)


# ---- strips ----


def geometry(shape: tuple[int, int, int], w: tuple[int, int], op: Conv2d, kind: str = "sparse", out: int = 2) -> Node:
    """A layer of that geometry with weights of one of WEIGHT_KINDS."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, w, op.stride, kind)).encode()))
    x = ops.activation("x", shape, op.pad_value)
    raw = ops.make(op, x, ops.draw_weights(rng, DType.T, (out, shape[0], *w), kind))
    return ops.requantized(raw, rng, FULL)


def geometries() -> Iterator[tuple[str, Node]]:
    """Every remainder of the width by strips, both steps, dilation, high and wide kernels, images of few rows."""
    for width in range(1, 19):
        yield f"1x1 {width}", geometry((3, 9, width), (1, 1), Conv2d())
        yield f"3x3 {width}", geometry((2, 6, width), (3, 3), Conv2d(padding=(1, 1, 1, 1), pad_value=128))
        yield f"1x1s2 {width}", geometry((3, 8, width), (1, 1), Conv2d(stride=(2, 2)))
        yield f"3x3s2 {width}", geometry((2, 8, width), (3, 3), Conv2d((2, 2), (1, 1, 1, 1), pad_value=7))
    yield "5x5", geometry((2, 12, 13), (5, 5), Conv2d(padding=(2, 2, 2, 2), pad_value=9))
    yield "3x3d2", geometry((2, 12, 13), (3, 3), Conv2d(padding=(2, 2, 2, 2), dilation=(2, 2)))
    yield "1xk", geometry((2, 8, 20), (1, 7), Conv2d(padding=(0, 3, 0, 3)))
    yield "kx1", geometry((2, 40, 1), (7, 1), Conv2d(padding=(3, 0, 3, 0)))
    yield "s21", geometry((2, 16, 5), (3, 3), Conv2d((2, 1), (1, 1, 1, 1)))
    yield "s12", geometry((2, 8, 9), (3, 3), Conv2d((1, 2), (1, 1, 1, 1)))
    yield "one row", geometry((4, 1, 9), (1, 3), Conv2d(padding=(0, 1, 0, 1), pad_value=255))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", geometry((25, 5, 7), (3, 1), Conv2d(padding=(1, 0, 1, 0)), kind)


def layer(counts: Sequence[tuple[int, int]], w: tuple[int, int, int], mult: float = 0.003, offset: float = 100) -> Node:
    """Channels with so many -1 and +1 weights at random places; w: channels of x, rows and columns of the kernel."""
    rng = np.random.default_rng(w)
    weights = np.zeros((len(counts), w[0] * w[1] * w[2]), np.int8)
    for row, (minus, plus) in zip(weights, counts, strict=True):
        row[: minus + plus] = [-1] * minus + [1] * plus
        rng.shuffle(row)
    return tailed(weights.reshape(len(counts), *w), mult, offset)


def tailed(w: Array, mult: float = 0.003, offset: float = 100) -> Node:
    """A layer of 4 rows of 2 pixels with those weights, padded to stay as large."""
    rows, cols = w.shape[2:]
    op = Conv2d(padding=(rows // 2, cols // 2, (rows - 1) // 2, (cols - 1) // 2))
    x = ops.activation("x", (w.shape[1], 4, 2), 0)
    acc = harness.accumulators(ops.make(op, x, ops.constant("w", DType.T, w)))
    tail = fixed.lower(np.full(len(w), mult), offset - 3 * np.arange(len(w)) % 70, acc.lo, acc.hi, 0, 255)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    constants = [ops.constant(*c) for c in named]
    return ops.make(replace(op, to=FULL), x, ops.constant("w", DType.T, w), *constants)


def decodings() -> Iterator[tuple[str, Node]]:
    """Every way in which groups fill scratch, codes of every parameter, gaps that are longer than the reader's bits."""
    edges = (0, 1, 2, 12, 13, 14, 15, 16, 28, 29, 30, 31, 43, 44)
    yield "groups", layer([(n, int(p)) for n in edges for p in (0, 1, 13, 14, 28, 29, 43)], (90, 1, 1))
    yield "rows of groups", layer([(int(n), p) for p in range(48) for n in (p, 47 - p)], (11, 3, 3))
    yield "full", layer([(0, 60), (60, 0), (30, 30), (1, 59)], (60, 1, 1))
    for k in range(8):
        n = max(1, 200 >> k)
        yield f"parameter {k}", layer([(n // 2, n - n // 2)] * 3, (3 * n << k, 1, 1))
    for name, places in {
        "no weight": [],
        "only the first": [0],
        "only the last": [-1],
        "far apart": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2600, -1],
        "ends of channels": [79, 80, 159, 160, 720, 1439, 1440],
    }.items():
        for shape in ((40, 80, 1, 1), (40, 20, 2, 2), (40, 1, 5, 16), (800, 4, 1, 1)):
            flat = np.zeros(3200, np.int8)
            flat[places] = np.resize([1, -1, -1, 1, 1], len(places))
            o, c, kh, kw = shape
            yield f"{name} {shape}", tailed(np.ascontiguousarray(flat.reshape(o, kh, kw, c).transpose(0, 3, 1, 2)))
    yield "own centres", layer([(200, 45), (45, 200), (100, 100), (0, 0)], (260, 1, 1))
    yield "shifts", layer([(3, 4)] * 3, (20, 1, 1), mult=0.9)


def test_tails_of_6_bytes() -> None:
    """They are the 8 bytes of the other encoding; add must lie within 2^26 units of 2^(shift - 16)."""
    nodes = [*(node for _, node in decodings()), *(layer([(13, 13)], (60, 1, 1), 0.4, at) for at in (1020.0, -1020.0))]
    for node in nodes:
        for how in sparse._compact(node, harness.accumulators(node)) or [None]:
            assert how is not None
            low, high = (half & 0xFFFF for half in sparse._packed_tail(how))
            rest = (high << 16 | low) - (high >> 15 << 32)
            assert (rest & 31, rest >> 5 << max(0, (rest & 31) - 16)) == (how.scale >> 16, how.add)
            assert (how.end == pack.END) == (rest & 31 >= 16)
    for at in (1028.0, -1028.0):
        node = layer([(13, 13)], (60, 1, 1), 0.4, at)
        assert KERNEL.accepts(node, harness.accumulators(node)) and not RICE.accepts(node, harness.accumulators(node))


def test_decodings_reach_every_path() -> None:
    found = {}
    for name, node in decodings():
        acc = harness.accumulators(node)
        assert RICE.accepts(node, acc), name
        rows = layout.rows_for(4)
        sig = RICE.layouts(node, (layout.lanes(node.inputs[0].type, rows),), layout.lanes(node.output.type, rows))
        assert sig is not None, name
        found[name] = {f.name: np.asarray(f.value) for f in RICE.bind(node, sig, acc).fields}["packing"]
    ks = [int(p[0]) for p in found.values()]
    assert {*range(8), 10} <= set(ks), sorted(ks)
    assert found["own centres"][10] == 1 and found["groups"][10] == 0
    assert any(shift < 16 for shift in found["shifts"][12 : 12 + 9 : 3] & 31)
    assert {len(p) for p in found.values()} >= {11 + 3 * 40, 11 + 4 * 4}


def programs() -> Iterator[Program]:
    for name, node in geometries():
        for p in node_programs(name, node, np.random.default_rng(3)):
            if p.label in (KERNEL.name, RICE.name):
                yield p
    yield from edge_programs()
    for name, node in decodings():
        yield from (p for p in node_programs(f"decode {name}", node, np.random.default_rng(3)) if p.label == RICE.name)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    ends, centres, strips, longest = set(), set(), set(), 0
    for p in programs():
        if p.label == RICE.name:
            continue
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in bound.fields}
        data, at = values["weights"], 0
        assert isinstance(data, np.ndarray)
        while at < data.size:
            lead, rest, centre, end, size = pack.unpack_lists16(data[at:])
            ends.add((lead.size > 0, end))
            centres.add(centre if centre is None else int(np.sign(centre)))
            longest, at = max(longest, lead.size, rest.size), at + size
        runs = np.asarray(values["runs"])
        strips |= {(values["step"], int(words), bool(n > words)) for _, _, n, words in runs.reshape(-1, 4)}
    assert ends == {(a, b) for a in (False, True) for b in (pack.END, pack.END_SHIFT)}
    assert centres == {None, -1, 0, 1} and longest > 32
    assert strips >= {(step, words, False) for step in (1, 2) for words in (1, 2, 3, 4)}
    assert {words for step, words, many in strips if many} >= {3, 4}


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([(1, 1), (2, 2), (2, 1), (1, 2)]), st.integers(0, 2))
def test_runs_cover_the_image_once(height: int, width: int, stride: tuple[int, int], pad: int) -> None:
    op = Conv2d(stride, (pad, pad, pad, pad))
    if height + 2 * pad < 2 * pad + 1:
        return
    node = geometry((1, height, width), (2 * pad + 1, 2 * pad + 1), op)
    y = node.output.type
    rows = layout.rows_for(y.shape[1])
    sig = KERNEL.layouts(
        node,
        (layout.lanes(node.inputs[0].type, max(rows * stride[0], layout.rows_for(height))),),
        layout.lanes(y, rows),
    )
    if sig is None:  # the lanes do not stay in step
        return
    for out in (sig.output, layout.lanes(y, rows, 1, 2, sig.inputs[0].pad_cols)):
        written = np.zeros(out.plane, int)
        for _, at, n, words in sparse._runs(node, Signature(sig.inputs, out)):
            assert n % words == 0
            written[at : at + n] += 1
        shown = layout.byte_map(out, (1, *y.shape[1:])).reshape(out.plane, 4)
        row = np.arange(out.plane)
        inside = (row >= out.pad_cols + out.halo_top * out.pitch) & (
            row < out.pad_cols + (out.halo_top + rows) * out.pitch
        )
        assert (written <= 1).all()
        assert (written[inside & (shown >= 0).any(axis=1)] == 1).all()


@pytest.mark.parametrize(
    "words, want", [(1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "3+2"), (7, "4+3"), (16, "4+4+4+4")]
)
def test_cover(words: int, want: str) -> None:
    found = [str(strip) for strip, n in sparse.cover(words, 40) for _ in range(n)]
    assert "+".join(found) == want


# ---- cost ----


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parent.parent / "bench" / "kernels.py"
    spec = importlib.util.spec_from_file_location("bench_kernels", path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@needs_arm
@pytest.mark.parametrize(
    "core, off", [("cortex-m4", 0.01), ("cortex-m33", 0.06), ("cortex-m3", 0.02), ("cortex-m7", 0.06)]
)
def test_estimates_are_what_is_simulated(core: str, off: float, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw64_25x5", "pw256_3"], [0.1, 0.35]):
        assert abs(r.estimated / r.cycles - 1) < off, r
    for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw64_25x5", "pw256_3"], [0.1, 0.35], "rice"):
        assert abs(r.estimated / r.cycles - 1) < off, r


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m3"])
def test_layers_take_no_more_than_the_prototypes(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    for r in bench.rows(targets.get(core).core, ["c3_32_16", "c3_64_8", "pw256_3"], [0.1, 0.5]):
        assert r.per_mac < r.bar + 0.0006, r  # they are rounded
    for r in bench.rows(targets.get(core).core, ["c3_32_16", "c3_64_8", "pw256_3"], [0.1, 0.35], "rice"):
        assert r.per_mac < 1.01 * r.bar, r
