"""The sparse kernel: the proof that 16 bits suffice, its strips, every path of its programs on every core, its cost."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import sys
import zlib
from collections.abc import Iterator
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
from mcugen.ir import DType, Node, Out, Range
from mcugen.kernels import sparse
from mcugen.kernels.base import Bound, Signature
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
KERNEL = Sparse()
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
        yield node_program(f"edge {plus} {minus}", node, KERNEL, sig, [x], want)


# ---- strips ----


def geometry(
    shape: tuple[int, int, int], w: tuple[int, int], op: Conv2d, kind: str = "sparse", out: int = 2, to: Out = FULL
) -> Node:
    """A layer of that geometry with weights of one of WEIGHT_KINDS."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, w, op.stride, kind)).encode()))
    x = ops.activation("x", shape, op.pad_value)
    raw = ops.make(op, x, ops.draw_weights(rng, DType.T, (out, shape[0], *w), kind))
    return ops.requantized(raw, rng, to)


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
    for lo, hi in ((0, 15), (10, 240), (128, 255), (1, 2)):
        yield f"clamp {lo} {hi}", geometry((5, 9, 7), (3, 3), Conv2d(padding=(1,) * 4), to=replace(FULL, lo=lo, hi=hi))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", geometry((25, 5, 7), (3, 1), Conv2d(padding=(1, 0, 1, 0)), kind)


def programs() -> Iterator[Program]:
    for name, node in geometries():
        for p in node_programs(name, node, np.random.default_rng(3)):
            if p.label == KERNEL.name:
                yield p
    yield from edge_programs()


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    ends, centres, strips, longest = set(), set(), set(), 0
    for p in programs():
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
    "core, off",
    [
        ("cortex-m4", 0.01),
        ("cortex-m33", 0.06),
        ("cortex-m3", 0.02),
        ("cortex-m7", 0.06),
        ("cortex-m0plus", 0.01),
        ("cortex-m0", 0.01),
    ],
)
def test_estimates_are_what_is_simulated(core: str, off: float, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw64_25x5", "pw256_3"], [0.1, 0.35]):
        assert abs(r.estimated / r.cycles - 1) < off, r


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m3", "cortex-m0plus"])
def test_layers_take_no_more_than_the_prototypes(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    for r in bench.rows(targets.get(core).core, ["c3_32_16", "c3_64_8", "pw256_3"], [0.1, 0.5]):
        assert r.per_mac < r.bar + 0.0006, r  # they are rounded


# ---- channels in parts ----


def in_parts(minus: np.ndarray, plus: np.ndarray) -> np.ndarray:
    """A program of 8 parts that fit 16 bits, added up in 32 bits: minus lists, then plus lists; acc + 7 in all."""
    entries = [*minus.tolist(), *plus.tolist(), 0]
    lists = [(n, part.size) for n, whole in ((17, minus), (0, plus)) for part in np.array_split(whole, 4)]
    program, at = entries[:2], 2
    for i, (negate, n) in enumerate(lists):
        n -= i == 0  # the first entry sets the sums
        for some in [16] * (n // 16) + [n % 16] * (n % 16 > 0):
            program += [some, *entries[at : at + some]]
            at += some
        program += [negate, 7 * (i == 0)] if negate else []
        program.append(22 if i == len(lists) - 1 else 20 if i == 0 else 21)
    return np.array(program, np.uint16)


class InParts(Sparse):
    """Sparse for one channel, whose program is in parts."""

    def bind(self, node: Node, sig: Signature, acc: Range) -> Bound:
        w = node.inputs[1].const.ravel()
        mult, add, shift = (int(v.const[0]) for v in node.inputs[2:])
        distances = np.arange(w.size) * sig.inputs[0].plane
        made = {
            "weights": in_parts(distances[w == -1], distances[w == 1]),
            "tails": np.array([(mult & 0xFFFF) | shift << 16, add - 7 * mult], np.int32),
        }
        like = super().bind(node, sig, Range(0 * acc.lo, 0 * acc.hi))
        return replace(like, fields=tuple(replace(f, value=made.get(f.name, f.value)) for f in like.fields))


def programs_in_parts() -> Iterator[Program]:
    """800 weights, on every strip, at the extremes of the sums."""
    for width, stride, (lo, hi) in itertools.product((1, 2, 3, 4), (1, 2), ((0, 255), (20, 200))):
        rng = np.random.default_rng(width)
        w = rng.permutation(np.repeat(np.array([-1, 1, 0], np.int8), [420, 380, 40])).reshape(1, -1, 1, 1)
        x = ops.activation("x", (w.size, 4 * stride, stride * width), 0)
        tail = fixed.lower(*(np.full(1, v) for v in (0.00197, 40.0, -255.0 * 420, 255.0 * 380)), lo, hi)
        named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
        op = Conv2d(stride=(stride, stride), to=replace(FULL, lo=lo, hi=hi))
        node = ops.make(op, x, ops.constant("w", DType.T, w), *(ops.constant(*c) for c in named))
        sig = Signature((layout.lanes(x.type, stride),), layout.lanes(node.output.type, 1))
        full = np.ones((1, *x.type.shape), np.uint8) * 255
        plus, minus = full * (w[0] > 0), full * (w[0] < 0)
        noise = rng.integers(0, 256, full.shape).astype(np.uint8)
        inputs = np.concatenate([plus, minus, full, noise, np.maximum(noise, plus * (noise > 99))])
        want = node.op.eval(inputs, *(v.const for v in node.inputs[1:]))
        assert len(np.unique(want)) > 6
        yield node_program(f"parts {width} {stride} {lo}", node, InParts(), sig, [inputs], want)


@needs_arm
def test_armv6m_adds_up_parts(tmp_path_factory: Factory) -> None:
    report = harness.on("microbit-large", tmp_path_factory).run(programs_in_parts())
    assert not report.failures and not report.left_out, str(report)
