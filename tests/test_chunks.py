"""The kernel of chunks: the proof that bytes and 16 bits suffice, every path of its programs, its cost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache, partial
from types import ModuleType

import harness
import numpy as np
import pytest
import test_sparse
from harness import Program, Step, node_program
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sparse import layer, needs_arm, tailed

from mcugen import emit, fixed, layout, pack, select, targets
from mcugen.ir import Array, DType, Graph, Node, Out, Quant
from mcugen.kernels import chunks
from mcugen.kernels.base import Signature
from mcugen.kernels.chunks import Chunks
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d

KERNEL, RICE = Chunks(), Chunks("rice")
MACHINES = ["host", "sanitised", *(pytest.param(m, marks=needs_arm) for m in ("microbit-large",))]
FULL, LOW = Out.full(DType.U8), Out.full(DType.U4)
TYPES = (DType.U1, DType.U2, DType.U3, DType.U4)
Factory = pytest.TempPathFactory


def signature(node: Node, rows: int = 0) -> Signature:
    x, y = node.inputs[0].type, node.output.type
    rows = rows or layout.rows_for(y.shape[1])
    stride = node.op.stride[0]  # type: ignore[attr-defined]
    found = KERNEL.layouts(node, (layout.lanes(x, rows * stride),), layout.lanes(y, rows))
    assert found is not None
    return found


# ---- the proof ----


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(st.integers(0, 400) | st.integers(0, 40), st.integers(0, 400) | st.integers(0, 40), st.sampled_from(TYPES))
def test_as_few_chunks_as_can_be(a: int, b: int, dtype: DType) -> None:
    added, taken, room = max(a, b), min(a, b), 255 // dtype.hi
    found = chunks.divide(added, taken, dtype.hi)
    assert len(found) == max(1, -(-(added + taken) // room)) or taken % room + added % room > room
    assert len(found) <= max(1, -(-added // room) + -(-taken // room))
    assert all(0 < chunk.lead + chunk.rest <= room for chunk in found) or added == 0
    assert found[-1].sign == 1 and all(chunk.centre is None for chunk in found[:-1])
    minus = sum(chunk.lead for chunk in found if chunk.sign < 0 or chunk.centre is not None)
    assert (sum(chunk.lead + chunk.rest for chunk in found) - minus, minus) == (added, taken)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(
    st.integers(0, 900) | st.integers(0, 60),
    st.integers(0, 900) | st.integers(0, 60),
    st.sampled_from(TYPES),
    st.floats(-0.6, 0.6) | st.sampled_from([0.0, 1e-4, 0.5, 1.5, -3.0]),
    st.floats(-1e5, 1e5),
    st.integers(0, 1 << 30),
)
def test_every_sum_is_the_accumulator(n: int, p: int, dtype: DType, mult: float, offset: float, seed: int) -> None:
    """In bytes, and in two lanes of a word, modulo 2^32, with any pixels in the other lanes."""
    lo, hi = -dtype.hi * n, dtype.hi * p
    m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [offset], [lo], [hi])), 0, 255))
    if not all(-(1 << 31) <= acc * m + a < 1 << 31 for acc in (lo, hi)):
        return  # what the kernel does not accept
    how = chunks.choose(n, p, m, a, s, highest=dtype.hi)
    row = np.array([1] * p + [-1] * n)
    lists, signs = chunks.parts(row, np.arange(n + p), how)
    rng = np.random.default_rng(seed)
    ends = [np.where(row == one, dtype.hi, 0) for one in (1, -1)]
    lanes = np.stack([*ends, *rng.integers(0, dtype.hi + 1, (2, n + p))])[rng.permutation(4)]
    words = (lanes.astype(np.uint64) << np.arange(0, 32, 8, dtype=np.uint64)[:, None]).sum(axis=0).tolist()
    u = o = 0
    for (lead, rest, centre), sign in zip(lists, signs, strict=True):
        x = sum(words[i] for i in lead)
        if centre is not None:
            assert all(0 <= centre - int(lanes[lane, lead].sum()) <= 255 for lane in range(4))
            x = centre * 0x01010101 - x
        x += sum(words[i] for i in rest)
        assert 0 <= x < 1 << 32
        u, o = u + sign * x, o + sign * (x >> 8 & 0x00FF00FF)
    u, o = u % (1 << 32), o % (1 << 32)
    even = (u - (o << 8)) % (1 << 32)
    scale, shift = (how.scale & 0xFFFF ^ 0x8000) - 0x8000, how.scale >> 16
    for pair, word in ((0, even), (1, o)):
        low = (word & 0xFFFF ^ 0x8000) - 0x8000
        high = ((word - low) >> 16 & 0xFFFF ^ 0x8000) - 0x8000
        for lane, total in ((pair, low), (pair + 2, high)):
            acc = int((row * lanes[lane]).sum())
            if n or p:
                assert total == how.sign * acc + (lists[-1][2] or 0)
            v = (total * scale + how.add + (1 << 31)) % (1 << 32) - (1 << 31)
            assert min(max(v >> shift, 0), 255) == int(fixed.requantize(np.array(acc), m, a, s, 0, 255))


def test_what_is_accepted() -> None:
    """Pixels of 4 bits, lists that 16 bits hold, ends that 32 hold, images of less than 64 KB with halos."""
    for minus, plus, dtype, fits in (
        (0, 2167, DType.U4, True),
        (2167, 2167, DType.U4, True),
        (2168, 0, DType.U4, False),
        (0, 2168, DType.U4, False),
        (0, 4500, DType.U3, True),
    ):
        node = layer([(minus, plus)], (4500, 1, 1), mult=1e-3, dtype=dtype)
        assert KERNEL.accepts(node, harness.accumulators(node)) == fits, (minus, plus)
    image = layout.lanes(layer([(1, 1)], (4, 1, 1)).inputs[0].type, 1)
    for dtype in (DType.U5, DType.U8):
        assert KERNEL.layouts(layer([(1, 1)], (4, 1, 1), dtype=dtype), (image,), image) is None
    assert KERNEL.layouts(layer([(1, 1)], (4, 1, 1), dtype=DType.U4), (image,), image) is not None
    for width, fits in ((2730, True), (2731, False)):
        node = pointwise([(2, 3)], (6, 2, width), DType.U4)
        x, y = (layout.lanes(t, 1) for t in (node.inputs[0].type, node.output.type))
        assert (KERNEL.offered(node, (x,), y) is not None) == fits
    for core, there in (("cortex-m0", True), ("cortex-m0plus", True), ("cortex-m3", False), ("cortex-m55", False)):
        kernel = KERNEL.on(targets.get(core).core)
        found = kernel.layouts(layer([(1, 1)], (4, 1, 1), dtype=DType.U4), (image,), image)
        assert (found is not None) == there
    for groups in (1, 2):
        node = geometry((6, 9, 7), (3, 3), Conv2d(padding=(1, 1, 1, 1), groups=groups))
        sig = signature(node)
        assert (RICE.layouts(node, sig.inputs, sig.output) is not None) == (groups == 1)
    long = layer([(30, 40)], (80, 1, 1), mult=0.9, dtype=DType.U4)
    m, a, s = (v.const for v in long.inputs[2:])
    named = zip("mas", (DType.I16, DType.I32, DType.U8), (m, a.astype(np.int64) * 0 + (1 << 31) - 1, s), strict=True)
    far = ops.make(long.op, *long.inputs[:2], *(ops.constant(*c) for c in named))
    assert KERNEL.accepts(long, harness.accumulators(long)) and not KERNEL.accepts(far, harness.accumulators(far))


def test_models_for_armv6m_take_it() -> None:
    """And link it there alone: what is generated for one core compiles for another."""
    first = pointwise([(12, 20), (3, 4)] * 6, (40, 12, 12), DType.U4, LOW)
    last = pointwise([(3, 4)] * 4, (12, 12, 12), DType.U4)
    last = Node(last.op, (first.output, *last.inputs[1:]), last.output)
    graph = Graph("low", first.inputs[:1], (first, last), (last.output,))
    for core, there in (("cortex-m0plus", True), ("cortex-m4", False)):
        program = select.select(graph, targets.get(core).core)
        assert ("chunks" in {s.kernel.stem for s in program.steps}) == there
        where = emit._parts_where(program)
        assert bool(where["THUMB1"]) == there and not any("chunks" in part for part in where[""])


# ---- on every core ----


def pointwise(counts: list[tuple[int, int]], shape: tuple[int, int, int], dtype: DType, to: Out = FULL) -> Node:
    """Channels with so many -1 and +1 weights, over images of that shape."""
    rng = np.random.default_rng(shape)
    w = np.zeros((len(counts), shape[0]), np.int8)
    for row, (minus, plus) in zip(w, counts, strict=True):
        row[: minus + plus] = [-1] * minus + [1] * plus
        rng.shuffle(row)
    raw = ops.make(Conv2d(), ops.activation("x", shape, 0, dtype), ops.constant("w", DType.T, w[..., None, None]))
    return ops.requantized(raw, rng, to)


geometry = partial(test_sparse.geometry, dtype=DType.U4)


def geometries() -> Iterator[tuple[str, Node]]:
    """Every remainder of the width by strips, both steps, dilation, groups, high and wide kernels, few rows."""
    for width in range(1, 14):
        yield f"1x1 {width}", geometry((3, 9, width), (1, 1), Conv2d())
        yield f"3x3 {width}", geometry((7, 6, width), (3, 3), Conv2d(padding=(1, 1, 1, 1), pad_value=8))
        yield f"1x1s2 {width}", geometry((3, 8, width), (1, 1), Conv2d(stride=(2, 2)))
        yield f"3x3s2 {width}", geometry((7, 8, width), (3, 3), Conv2d((2, 2), (1, 1, 1, 1), pad_value=15))
    yield "5x5", geometry((2, 12, 13), (5, 5), Conv2d(padding=(2, 2, 2, 2), pad_value=9))
    yield "3x3d2", geometry((5, 12, 13), (3, 3), Conv2d(padding=(2, 2, 2, 2), dilation=(2, 2)))
    yield "kx1", geometry((8, 40, 1), (7, 1), Conv2d(padding=(3, 0, 3, 0)))
    yield "s21", geometry((4, 16, 5), (3, 3), Conv2d((2, 1), (1, 1, 1, 1)))
    yield "s12", geometry((4, 8, 9), (3, 3), Conv2d((1, 2), (1, 1, 1, 1)))
    yield "one row", geometry((14, 1, 9), (1, 3), Conv2d(padding=(0, 1, 0, 1), pad_value=15))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", geometry((25, 5, 7), (3, 1), Conv2d(padding=(1, 0, 1, 0)), kind=kind, to=LOW)
    for groups, out in ((2, 6), (3, 3), (6, 12)):
        op = Conv2d(padding=(1, 1, 1, 1), groups=groups, pad_value=3)
        yield f"groups {groups} {out}", geometry((6, 9, 7), (3, 3), op, out=out)
    for to in (
        LOW,
        Out(DType.U8, Quant(1.0, 10), 10, 240),
        Out(DType.U8, Quant(1.0), 0, 0),
        Out(DType.U2, Quant(1.0, 1), 1, 2),
    ):
        yield f"to {to.lo}..{to.hi}", geometry((20, 7, 13), (1, 1), Conv2d(), out=4, to=to)


def programs_of(dtype: DType, width: int) -> Node:
    """Lists about as long as chunks and as tokens, of either sign and mixed, in one width of strips."""
    room = 255 // dtype.hi
    edges = sorted({0, 1, 2, 16, 17, 18, room - 1, room, room + 1, 2 * room, 2 * room + 1})
    counts = [*itertools.product(edges[::2], edges), *[(n, room - n) for n in range(0, room + 1, 4)]]
    if dtype is DType.U4:
        counts += [(0, 260), (270, 0), (257, 1), (130, 129), (52, 35), (35, 52)]
    some = [pair for i, pair in enumerate(counts) if (i + width) % (1 if width == 6 else 5) == 0]
    some += [(0, 0), (0, 2 * room + 2), (2, 2 * room + 2), (room - 1, room), (room - 2, room - 1)]
    return pointwise(some, (max(map(sum, counts)), 4, width), dtype, (FULL, LOW)[width % 2])


def nodes() -> Iterator[tuple[str, Node]]:
    yield from geometries()
    for dtype, width in itertools.product((DType.U4, DType.U3, DType.U2), range(1, 7)):
        if dtype is DType.U4 or width in (2, 6):
            yield f"lists {dtype.value} {width}", programs_of(dtype, width)
    node = pointwise([(155, 0), (3, 4)], (160, 4, 3), DType.U4)
    tail = zip(
        "mas", (DType.I16, DType.I32, DType.U8), map(np.array, ([30000] * 2, [7 * 10**7] * 2, [16] * 2)), strict=True
    )
    yield "tails of 8 bytes", ops.make(node.op, *node.inputs[:2], *(ops.constant(*c) for c in tail))
    yield "one bit", pointwise([(255, 0), (0, 256), (100, 156), (300, 300)], (600, 4, 2), DType.U1)


def codes() -> Iterator[tuple[str, Node]]:
    """Codes of every parameter, gaps beyond the reader's bits, lists of every remainder by chunks and by tokens."""
    edges = (0, 1, 2, 15, 16, 17, 18, 33, 34, 35)
    yield "remainders", layer([(n, p) for n in edges for p in (0, 1, 16, 17, 18, 34, 50)], (90, 1, 1), dtype=DType.U4)
    yield "rows", layer([(n, p) for p in range(0, 48, 3) for n in (p, 47 - p)], (11, 3, 3), dtype=DType.U4)
    for dtype in (DType.U2, DType.U3):
        room = 255 // dtype.hi
        counts = [(n, p) for n in (0, 1, room - 1, room, room + 1) for p in (0, 1, 16, 17, room, 2 * room)]
        yield f"{dtype.value}", layer(counts, (3 * room + 1, 1, 1), dtype=dtype)
    for k in range(8):
        n = max(1, 200 >> k)
        yield f"parameter {k}", layer([(n // 2, n - n // 2)] * 3, (3 * n << k, 1, 1), dtype=DType.U4)
    for shape in ((40, 80, 1, 1), (40, 20, 2, 2), (800, 4, 1, 1)):
        for places in ([], [-1], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2600, -1], [79, 80, 159, 160, 720, 1439, 1440]):
            flat = np.zeros(3200, np.int8)
            flat[places] = np.resize([1, -1, -1, 1, 1], len(places))
            o, c, kh, kw = shape
            w = np.ascontiguousarray(flat.reshape(o, kh, kw, c).transpose(0, 3, 1, 2))
            yield f"{len(places)} far apart {shape}", tailed(w, dtype=DType.U4)


@cache
def programs() -> tuple[Program, ...]:
    found = []
    for name, node in nodes():
        acc, x = harness.accumulators(node), node.inputs[0].type
        assert KERNEL.accepts(node, acc), name
        images = harness.samples(node, np.random.default_rng(3))[0][[0, 1, 3]]
        if name.startswith("lists"):  # both ends of every channel's sums, a row of the image each
            w = node.inputs[1].const.reshape(-1, x.shape[0])[:: 1 + len(node.inputs[1].const) // 8]
            ends = [np.where(row == sign, x.dtype.hi, 0) for row in w for sign in (1, -1)]
            ends += [np.zeros_like(ends[0])] * (-len(ends) % 4)
            rows = np.stack(ends).reshape(-1, 4, x.shape[0]).transpose(0, 2, 1)
            images = np.concatenate([images, np.repeat(rows[..., None], x.shape[2], axis=3).astype(np.uint8)])
        want = harness.evaluate(node, [images])
        listed = name.startswith("lists")
        sig = harness.larger(signature(node), node)[0 if listed else len(found) % 3]
        found.append(node_program(f"{name} {sig}", node, KERNEL, sig, [images], want))
        if RICE.layouts(node, sig.inputs, sig.output) and (listed or len(found) % 3 == 0):
            found.append(node_program(f"{name} {sig} rice", node, RICE, sig, [images], want))
    for name, node in codes():
        inputs = harness.samples(node, np.random.default_rng(3))
        want = harness.evaluate(node, inputs)
        found.append(node_program(f"code {name}", node, RICE, signature(node), inputs, want))
    for image in ((6, 6), (5, 3), (1, 5)):  # as one column
        node = pointwise([(12, 20), (3, 4), (0, 0)], (40, *image), DType.U4)
        offered = KERNEL.offered(node, (layout.runs(node.inputs[0].type),), layout.runs(node.output.type))
        assert offered is not None
        inputs = harness.samples(node, np.random.default_rng(4))
        found.append(node_program(f"runs {image}", node, KERNEL, offered, inputs, harness.evaluate(node, inputs)))
    return tuple(found)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def tables(p: Program) -> dict[str, Array]:
    return {f.name: np.asarray(f.value) for f in next(a.bound for a in p.actions if isinstance(a, Step)).fields}


def test_programs_reach_every_path() -> None:
    """Every strip at both steps with every token, lists of every remainder, tails of both sizes."""
    seen = set()
    tails = set()
    for p in programs():
        if p.label == RICE.name:
            continue
        found = tables(p)
        used = {(int(found["step"]), int(words)) for words in found["runs"].reshape(-1, 4)[:, 3]}
        tails.add(found["tails"].dtype.kind)
        data, at = found["weights"], 0
        while at < data.size:
            lists, signs, size = pack.unpack_chunks16(data[at:])
            kinds = {("one" if len(lists) == 1 else "several", lists[-1][2] is not None)}
            for i, ((lead, _, _), sign) in enumerate(zip(lists[1:], signs, strict=False)):
                kinds.add((pack.TOTAL_SET if i == 0 else pack.TOTAL_ADD, sign, lead.size >= pack.LONG))
            seen |= {(*kind, *some) for kind in kinds for some in used}
            at += size
    widths = [*itertools.product((1, 2), range(1, 7))]
    assert {some[-2:] for some in seen} == {*widths}
    rare = itertools.product((pack.TOTAL_SET, pack.TOTAL_ADD), (1, -1), (False, True))
    ends = itertools.product(("one", "several"), (False, True))
    assert seen >= {(*kind, 1, words) for kind in (*rare, *ends) for words in range(1, 7)}
    assert seen >= {("several", False, 2, words) for words in range(1, 7)}
    assert tails == {"U", "i"}  # 6 bytes, for tails is NULL, and 8


def test_programs_are_the_weights() -> None:
    for name, node in nodes():
        sig, w = signature(node), node.inputs[1].const
        fields = {f.name: f.value for f in KERNEL.bind(node, sig, harness.accumulators(node)).fields}
        data, at = np.asarray(fields["weights"]), 0
        offsets = chunks.strips.distances(node, sig.inputs[0])
        groups = node.op.groups  # type: ignore[attr-defined]
        for o, row in enumerate(w.reshape(len(w), -1)):
            lists, signs, size = pack.unpack_chunks16(data[at:])
            at += size
            first = o * groups // len(w) * w.shape[1] * sig.inputs[0].plane
            found: list[tuple[int, int]] = []
            for (lead, rest, centre), sign in zip(lists, signs, strict=True):
                found += [(d - first, -1 if centre is not None else sign) for d in lead.tolist()]
                found += [(d - first, 1) for d in rest.tolist()]
            sign = 1 if (row == 1).sum() >= (row == -1).sum() else -1
            there = [(int(d), sign * int(v)) for d, v in zip(offsets, row, strict=True) if v]
            assert not there or sorted(found) == sorted(there), name
        assert at == data.size


# ---- cost ----


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m0"])
def test_estimates_are_what_is_simulated(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    layers = ["c3_64_8", "pw256_3"][core == "cortex-m0" :]
    for r in bench.rows(targets.get(core).core, layers, [0.1, 0.35], encoding="chunks16"):
        assert abs(r.estimated / r.cycles - 1) < 0.02, r
        assert r.bar is None or r.per_mac < r.bar, r
    decoded = bench.rows(targets.get(core).core, layers, [0.2], encoding="chunks rice")
    assert len(decoded) == len(layers)
    for r in decoded:
        assert abs(r.estimated / r.cycles - 1) < 0.03, r


@needs_arm
def test_faster_than_bytes(bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    core = targets.get("cortex-m0plus").core
    low, bytes_ = (bench.rows(core, ["c3_64_8", "c3_32_16"], [0.1, 0.35], encoding=e) for e in ("chunks16", "lists16"))
    for a, b in zip(low, bytes_, strict=True):
        assert b.cycles > 1.35 * a.cycles, (a, b)
