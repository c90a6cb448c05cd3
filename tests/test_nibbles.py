"""Sparse convolutions on lanes of nibbles: the proof of their sums, every path of programs on every core, the cost."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from types import ModuleType

import harness
import numpy as np
import pytest
import test_sparse
from harness import Program, Step, node_program
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sparse import drawn, layer, tailed

from mcugen import fixed, layout, pack, targets
from mcugen.ir import Array, DType, Node, Out, Quant
from mcugen.kernels import nibbles
from mcugen.kernels.base import Signature
from mcugen.kernels.nibbles import Nibbles
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [  # the others run the C, as the matrix of all kernels does
    *("host", "sanitised"),
    *(pytest.param(m, marks=needs_arm) for m in ("mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505")),
]
FULL, NARROW = Out.full(DType.U4), Out(DType.U4, Quant(1.0, 3), 3, 13)
KERNEL, RICE = Nibbles(), Nibbles("rice")
Factory = pytest.TempPathFactory


# ---- the proof ----


def in_order(how: nibbles.Channel, plus: Array, minus: Array) -> Iterator[tuple[Array, Array, int | None]]:
    """The chunks of a channel with the pixels of +1 and of -1 weights."""
    entries = np.concatenate([minus, plus] if how.minus_first else [plus, minus])
    at = 0
    for chunk in how.chunks:
        yield entries[at : at + chunk.lead], entries[at + chunk.lead : at + chunk.lead + chunk.rest], chunk.centre
        at += chunk.lead + chunk.rest
    assert at == entries.size


def total(how: nibbles.Channel, plus: Array, minus: Array) -> int:
    """What the kernel computes: bytes that never leave their range, and their sum in 16 bits."""
    found = how.centre
    for (lead, rest, centre), sign in zip(in_order(how, plus, minus), how.signs, strict=True):
        b = int(lead.sum())
        assert 0 <= b <= 255 and (centre is not None or not rest.size)
        if centre is not None:
            b = centre - b
            assert b >= 0
            b += int(rest.sum())
        assert b <= 255
        found += b if sign > 0 else 255 - b
    if len(how.chunks) == 1:
        assert how.centre == 0 and how.signs == (1,) and how.end in (pack.END, pack.END_SHIFT, pack.END_LIMITS)
        return found
    assert (how.signs[0], how.signs[-1]) == (1, -1)
    assert how.end in (pack.END_SUMS, pack.END_SUMS_SHIFT, pack.END_SUMS_LIMITS)
    return (found + (1 << 15)) % (1 << 16) - (1 << 15)


def result(how: nibbles.Channel, sum_: int, to: Out) -> int:
    """What the kernel makes of such a sum, by the instructions of the DSP extension."""
    mult, shift = (how.scale & 0xFFFF ^ 0x8000) - 0x8000, how.scale >> 16
    v = (sum_ * mult + how.add + (1 << 31)) % (1 << 32) - (1 << 31) >> shift
    if how.end not in (pack.END_SHIFT, pack.END_SUMS_SHIFT):
        high = ((sum_ * (mult << 32 - shift)) >> 16) + (how.add >> shift - 16)
        assert shift >= 16 and -(1 << 31) <= high < 1 << 31 and abs(mult << 32 - shift) < 1 << 31
        assert (how.end in (pack.END, pack.END_SUMS)) == ((to.lo, to.hi) == (0, 15))
        assert min(max(high >> 16, to.lo), to.hi) == min(max(v, to.lo), to.hi)  # nibbles_ref.c
        high = sum_ * (mult << 24 - shift) + (how.add << 24 - shift)  # without the extension
        assert shift <= 24 and -(1 << 31) <= high < 1 << 31 and high >> 24 == v
    return min(max(v, to.lo), to.hi)


COUNTS = st.sampled_from([0, 1, 2, 8, 9, 16, 17, 18, 33, 34, 35, 51, 85, 86, 255, 256, 257]) | st.integers(0, 700)


@settings(max_examples=600, derandomize=True, deadline=None, database=None)
@given(
    *(COUNTS, COUNTS),
    st.sampled_from([DType.U4, DType.U4, DType.U3, DType.U2, DType.U1]),
    st.floats(-0.6, 0.6) | st.sampled_from([0.0, 1e-4, -1e-4, 0.49999, 0.5, 1.5, -3.0]),
    st.floats(-1e3, 1e3),
    st.sampled_from([FULL, NARROW, Out.full(DType.U3), Out.full(DType.U1)]),
    st.integers(0, 1 << 30),
)
def test_every_sum_is_the_accumulator(
    n: int, p: int, dtype: DType, mult: float, offset: float, to: Out, seed: int
) -> None:
    lo, hi = -dtype.hi * n, dtype.hi * p
    m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [offset], [lo], [hi])), to.lo, to.hi))
    how = nibbles.choose(n, p, lo, hi, m, a, s, to=(to.lo, to.hi), highest=dtype.hi)
    assert how is not None and (len(how.chunks) == 1) == (dtype.hi * (n + p) <= 255)
    rng = np.random.default_rng(seed)
    ends = [*itertools.product(("low", "high"), repeat=2), *[("random", "random")] * 6]
    for plus, minus in ((drawn(p, (0, dtype.hi), a, rng), drawn(n, (0, dtype.hi), b, rng)) for a, b in ends):
        want = int(fixed.requantize(np.array(plus.sum() - minus.sum()), m, a, s, to.lo, to.hi))
        assert result(how, total(how, plus, minus), to) == want


@pytest.mark.parametrize(
    "first, second, highest, want",
    [
        (18, 0, 15, "+17 -1,255"),
        (34, 0, 15, "+17 -17,255"),
        (17, 17, 15, "+17 -17"),
        (9, 9, 15, "+9 -9"),  # two chunks, whatever they have
        (18, 16, 15, "+17 -1,16,15"),
        (20, 15, 15, "+17 +3 -15"),  # three
        (30, 4, 15, "+17 -13,4,195"),
        (30, 10, 15, "+17 +13 -10"),
        (30, 21, 15, "+17 -13,4,195 -17"),
        (36, 1, 7, "+36 -1"),
        (200, 56, 1, "+200 -56"),
        (256, 0, 1, "+255 -1,255"),
    ],
)
def test_chunks_of_two_lists(first: int, second: int, highest: int, want: str) -> None:
    chunks, signs = nibbles.chunked(first, second, highest)
    found = []
    for chunk, sign in zip(chunks, signs, strict=True):
        parts = [chunk.lead, *([chunk.rest] if chunk.rest else []), *([] if chunk.centre is None else [chunk.centre])]
        found.append("+-"[sign < 0] + ",".join(map(str, parts)))
    assert " ".join(found) == want


def dense(
    plus: int, minus: int, dtype: DType = DType.U4, image: tuple[int, int] = (8, 5), step: int = 1, to: Out = FULL
) -> Node:
    """A pointwise convolution with so many weights of either sign, in two channels, and none in a third.

    The accumulator's limits become lo and hi.
    """
    w = np.array([1] * plus + [-1] * minus, np.int8)
    w = np.stack([w, np.roll(w, 5), 0 * w]).reshape(3, -1, 1, 1)
    x = ops.activation("x", (plus + minus, *image), 0, dtype)
    reach = dtype.hi * (plus + minus)
    scale, offset = (to.hi - to.lo) / reach, to.lo + dtype.hi * minus * (to.hi - to.lo) / reach
    acc = harness.accumulators(ops.make(Conv2d((1, step)), x, ops.constant("w", DType.T, w)))
    tail = fixed.lower(np.full(3, scale), np.full(3, offset), acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(Conv2d((1, step), to=to), x, ops.constant("w", DType.T, w), *(ops.constant(*c) for c in named))


@pytest.mark.parametrize("plus, minus", [(4369, 0), (0, 4369), (2185, 2184), (1, 4368)])
def test_sums_of_16_bits(plus: int, minus: int) -> None:
    """As many weights as 65535 holds, and one more."""

    def fits(node: Node, limits: harness.Limits = None) -> bool:
        return KERNEL.accepts(node, harness.accumulators(node, limits))

    assert fits(dense(plus, minus)) and not fits(dense(plus + 1, minus))
    assert fits(dense(plus + 1, minus), (0, 14)) and fits(dense(2 * plus, 2 * minus, DType.U3))


def test_addends_that_do_not_end_in_16_bits_become_some_that_do() -> None:
    """Nearly always: where no addend does, the longer end is there."""
    rng, ends = np.random.default_rng(1), {pack.END: 0, pack.END_SHIFT: 0}
    for _ in range(2000):
        n = int(rng.integers(1, 17))
        p = int(rng.integers(1, 18 - n))
        limits = -15 * n, 15 * p
        tail = fixed.lower(
            *np.array([[rng.uniform(0.004, 0.4)], [rng.uniform(0, 15)], [limits[0]], [limits[1]]]), 0, 15
        )
        how = nibbles.choose(n, p, *limits, *(int(v[0]) for v in tail), to=(0, 15), highest=15)
        assert how is not None
        ends[how.end] += 1
    assert ends[pack.END_SHIFT] < 20, ends


# ---- programs ----


def other_tail(node: Node, sign: int, more: int) -> Node:
    """The node with a shift that is so much smaller, its multiplier the same or negative."""
    to, (m, a, s) = node.op.to, (v.const.astype(np.int64) for v in node.inputs[2:])  # type: ignore[attr-defined]
    tail = sign * m, a >> more if sign > 0 else np.full(3, to.hi) << s - more, s - more
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(node.op, *node.inputs[:2], *(ops.constant(*c) for c in named))


def edges() -> Iterator[tuple[str, Node]]:
    """Sums at both ends of what is proven, in chunks of every kind; every strip with every token and end."""
    for plus, minus in itertools.product((0, 1, 9, 16, 17, 18, 34, 35), repeat=2):
        if plus + minus:
            yield f"{plus} {minus}", dense(plus, minus, image=(8, 1))
    for plus, minus in ((257, 0), (0, 257), (300, 290), (4369, 0), (2069, 2300)):
        yield f"{plus} {minus}", dense(plus, minus, image=(8, 1))
    for dtype, room in ((DType.U3, 36), (DType.U2, 85), (DType.U1, 255)):
        for plus, minus in ((room, 0), (room + 1, 0), (room, room), (room // 2, room), (room - 1, 2)):
            yield f"{dtype.value} {plus} {minus}", dense(plus, minus, dtype, image=(8, 1))
    for words, step in itertools.product((1, 2, 3, 4), (1, 2)):
        image = 8 - words, step * words
        for (plus, minus), to in itertools.product(((9, 4), (30, 21), (40, 40)), (FULL, NARROW)):
            node = dense(plus, minus, image=image, step=step, to=to)
            yield f"{words} {step} {plus} {minus} {to.lo}", node
            longer = other_tail(node, 1, int(node.inputs[4].const[0]) - 15)
            yield f"{words} {step} {plus} {minus} {to.lo} longer", longer
        yield f"{words} {step} minus", other_tail(dense(0, 40, image=image, step=step), -1, 0)
    yield "tails of 8 bytes", far()


def edge_programs() -> Iterator[Program]:
    """Highest pixels where weights are 1 and lowest elsewhere, the reverse, all alike, and all between."""
    for name, node in edges():
        dtype, (_, *image) = node.inputs[0].type.dtype, node.inputs[0].type.shape
        w = node.inputs[1].const[0].ravel().astype(np.int64)[:, None, None]
        rng = np.random.default_rng(w.size)
        share = rng.permuted(np.linspace(0, 1, image[0] * image[1])).reshape(image)
        some = np.where(rng.random((w.size, *image)) < share, w == 1, w == -1)
        flat = [w == 1, w == -1, w == w, w == 0, some]
        x = np.stack([np.broadcast_to(dtype.hi * v, (w.size, *image)) for v in flat]).astype(np.uint8)
        want = node.op.eval(x, *(v.const for v in node.inputs[1:]))
        a, b = (layout.lanes(t, 1, bits=4) for t in (node.inputs[0].type, node.output.type))
        sig = Signature((a,), b)
        assert KERNEL.accepts(node, harness.accumulators(node)), name
        yield node_program(f"edge {name}", node, KERNEL, sig, [x], want)


def far() -> Node:
    """A layer with addends that 6 bytes do not hold."""
    w = np.array([[-1] * 150 + [1] * 10, [0] * 150 + [1] * 10], np.int8).reshape(2, 160, 1, 1)
    x = ops.activation("x", (160, 8, 1), 0, DType.U4)
    acc = harness.accumulators(ops.make(Conv2d(), x, ops.constant("w", DType.T, w)))
    tail = fixed.lower(np.full(2, 0.49), np.array([1028.0, 3.0]), acc.lo, acc.hi, 0, 15)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(Conv2d(to=FULL), x, ops.constant("w", DType.T, w), *(ops.constant(*c) for c in named))


geometry = partial(test_sparse.geometry, dtype=DType.U4, to=FULL)


def geometries() -> Iterator[tuple[str, Node]]:
    """Every remainder of the width by strips, both steps, dilation, high and wide kernels, images of few rows."""
    for width in (*range(1, 10), 13):
        yield f"1x1 {width}", geometry((3, 17, width), (1, 1), Conv2d())
        yield f"3x3 {width}", geometry((4, 12, width), (3, 3), Conv2d(padding=(1, 1, 1, 1), pad_value=8))
        yield f"1x1s2 {width}", geometry((3, 16, width), (1, 1), Conv2d(stride=(2, 2)))
        yield f"3x3s2 {width}", geometry((2, 16, width), (3, 3), Conv2d((2, 2), (1, 1, 1, 1), pad_value=7))
    yield from test_sparse.windows(DType.U4, 20, 32)
    for lo, hi in ((0, 7), (3, 15), (8, 15), (1, 2), (0, 0)):
        yield f"clamp {lo} {hi}", geometry((5, 9, 7), (3, 3), Conv2d(padding=(1,) * 4), to=replace(FULL, lo=lo, hi=hi))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", geometry((25, 9, 7), (3, 1), Conv2d(padding=(1, 0, 1, 0)), kind=kind)
    for groups, out in ((2, 2), (2, 6), (3, 3), (6, 12)):
        op = Conv2d(padding=(1, 1, 1, 1), groups=groups, pad_value=3)
        yield f"groups {groups} {out}", geometry((6, 9, 7), (3, 3), op, out=out)


def codes() -> Iterator[tuple[str, Node]]:
    """Codes of every parameter, gaps beyond the reader's bits; lists of every remainder by chunks and by tokens, with
    every end and both tails."""
    edges = (0, 1, 2, 3, 8, 9, 15, 16, 17, 18, 33, 34, 35, 51)
    for first in (0, 1):
        counts = [(n, p) for n in edges for p in edges[first::2]]
        yield f"remainders {first}", layer(counts, (104, 1, 1), 0.02, 8, FULL, DType.U4)
    some = [(n, p) for p in range(0, 64, 3) for n in (63 - p, p // 3, 2)]
    for to in (FULL, NARROW):
        rows = layer(some, (14, 3, 2), 0.02, 5, to, DType.U4)
        yield f"rows {to.lo}", rows
        yield f"results beyond 8 bits {to.lo}", layer(some, (14, 3, 2), 0.3, 5, to, DType.U4)
        yield f"tails of 8 bytes {to.lo}", odd(rows)
    for dtype in (DType.U1, DType.U2, DType.U3):
        room = 255 // dtype.hi
        counts = [(n, p) for n in (0, 1, room - 1, room, room + 1) for p in (0, 1, 16, 17, 33, room, 2 * room)]
        yield f"{dtype.value}", layer(counts, (3 * room + 1, 1, 1), 0.02, 5, FULL, dtype)
    for k in range(8):
        n = max(1, 200 >> k)
        yield f"parameter {k}", layer([(n // 2, n - n // 2)] * 3, (3 * n << k, 1, 1), 0.02, 5, FULL, DType.U4)
    yield "parameter 14", tailed(np.eye(1, 60000, 59990, dtype=np.int8)[..., None, None], 0.4, 2, FULL, DType.U4)
    for shape in ((40, 80, 1, 1), (40, 20, 2, 2), (800, 4, 1, 1)):
        for places in ([], [0], [-1], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2600, -1], [79, 80, 159, 160, 720, 1439, 1440]):
            flat = np.zeros(3200, np.int8)
            flat[places] = np.resize([1, -1, -1, 1, 1], len(places))
            o, c, kh, kw = shape
            w = np.ascontiguousarray(flat.reshape(o, kh, kw, c).transpose(0, 3, 1, 2))
            yield f"{places[-1:]} far apart {shape}", tailed(w, 0.4, 5, FULL, DType.U4)
    yield (
        "shifts below 16",
        layer([(n, p) for n in (0, 1, 8) for p in (0, 1, 9, 10)], (20, 1, 1), 0.9, 5, FULL, DType.U4),
    )
    yield "one centre", layer([(10, 2100), (9, 2150), (3, 4), (17, 1)], (2200, 1, 1), 0.001, 2, FULL, DType.U4)
    yield "tails of 8 bytes", far()


def odd(node: Node) -> Node:
    """The node with an odd addend in every second channel, which neither 6 bytes nor the short ends take."""
    tail = [v.const.astype(np.int64) for v in node.inputs[2:]]
    tail[1][::2] |= 1
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(node.op, *node.inputs[:2], *(ops.constant(*c) for c in named))


def code_programs() -> Iterator[Program]:
    for i, (name, node) in enumerate(codes()):
        inputs, acc = harness.samples(node, np.random.default_rng(3)), harness.accumulators(node)
        assert RICE.accepts(node, acc), name
        w, dtype = node.inputs[1].const, node.inputs[0].type.dtype
        if w.shape[2:] == (1, 1):  # both ends of the sums of some channels, a pixel of the image each
            ends = np.stack([dtype.hi * (row == sign) for row in w[:: 1 + len(w) // 32, :, 0, 0] for sign in (1, -1)])
            ends = np.resize(ends, (-(-len(ends) // 8) * 8, w.shape[1])).reshape(-1, 8, w.shape[1])
            images = ends.transpose(0, 2, 1).reshape(-1, *node.inputs[0].type.shape)
            inputs = [np.concatenate([inputs[0], images.astype(np.uint8)])]
        sig = next(sig for sig in harness.signatures(RICE, node) if sig.output.nibbles)
        sig = (*harness.larger(sig, node), sig)[i % 3]
        yield node_program(f"code {name}", node, RICE, sig, inputs, harness.evaluate(node, inputs))


def layer_programs(name: str, node: Node, kernel: Nibbles) -> Iterator[Program]:
    """In every layout."""
    inputs = harness.samples(node, np.random.default_rng(3))
    want = harness.evaluate(node, inputs)
    for required in harness.signatures(kernel, node):
        assert kernel.accepts(node, harness.accumulators(node)), name
        for sig in harness.larger(required, node):
            yield node_program(f"{name} {sig}", node, kernel, sig, inputs, want)


@cache
def programs() -> tuple[Program, ...]:
    listed, coded = ([p for each in geometries() for p in layer_programs(*each, k)] for k in (KERNEL, RICE))
    return (*listed, *edge_programs(), *coded[::3], *code_programs())


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    """Every strip with every token and end; chunks of one list, of both, from 255."""
    strips, rare, kinds, tails = set(), set(), set(), set()
    for p in programs():
        if p.label == RICE.name:
            continue
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in bound.members}
        runs = np.asarray(values["runs"]).reshape(-1, 4)
        used = {(values["step"], int(words)) for _, _, _, words in runs}
        strips |= {(values["step"], int(words), bool(n > words)) for _, _, n, words in runs}
        tails.add(isinstance(values["tails"], str))
        data, at = values["weights"], 0
        assert isinstance(data, np.ndarray)
        while at < data.size:
            chunks, signs, _, end, size = pack.unpack_nibbles16(data[at:])
            at += size
            rare |= {(end, min(len(chunks), 4), *some) for some in used}
            for (lead, rest, centre), sign in zip(chunks, signs, strict=True):
                kind = (len(chunks) > 1, sign, bool(lead.size), bool(rest.size), centre is not None)
                kinds.add((*kind, centre == 255 and not rest.size))
    assert tails == {False, True}
    widths = [*itertools.product((1, 2), (1, 2, 3, 4))]
    assert strips >= {(*some, False) for some in widths} | {(1, 4, True), (2, 4, True)}
    assert rare >= {(end, 1, *some) for end in (pack.END, pack.END_SHIFT, pack.END_LIMITS) for some in widths}
    ends = pack.END_SUMS, pack.END_SUMS_SHIFT, pack.END_SUMS_LIMITS
    assert rare >= {(end, n, *some) for end in ends for n in (3, 4) for some in widths}
    several = {(True, 1, True, False, False, False), (True, -1, True, True, True, False)}
    several |= {(True, -1, True, False, False, False), (True, -1, True, False, True, True)}
    alone = {(False, 1, True, False, False, False), (False, 1, True, True, True, False)}
    assert kinds == several | alone | {(False, 1, False, False, False, False)}


def test_codes_reach_every_path() -> None:
    """Lists in either order with chunks of every kind, of one list and of both, with every end; both tails."""
    kinds, numbers, empty = set(), set(), False
    for _, node in codes():
        sig = next(sig for sig in harness.signatures(RICE, node) if sig.output.nibbles)
        acc = harness.accumulators(node)
        values = {f.name: f.value for f in RICE.bind(node, sig, acc).members}
        packing = np.asarray(values["packing"])
        numbers |= {("k", int(packing[0])), ("end", int(packing[9]) & 255), ("wide", int(packing[10]) & 255)}
        numbers.add(("highest", int(packing[10]) >> 8))
        for how in nibbles._channels_of(node, acc, True) or ():
            last = how.chunks[-1]
            mixed = any(chunk.rest for chunk in how.chunks)
            inverted = last.centre == 255 and not last.rest and len(how.chunks) > 1
            behind = len(how.chunks) > 1 and how.signs[-2] < 0
            kinds.add((how.minus_first, min(3, len(how.chunks)), mixed, inverted, mixed and behind))
            numbers.add(("token", how.end))
            empty |= not last.lead
    several = itertools.product((False, True), (2, 3), (False, True), (False,), (False,))
    assert kinds >= {*several, *itertools.product((False, True), (2, 3), (False,), (True,), (False,))} and empty
    assert kinds >= {(True, 1, True, False, False), (True, 1, False, False, False), (False, 1, False, False, False)}
    assert kinds >= {(order, 3, True, False, True) for order in (False, True)}
    tokens = (pack.END, pack.END_SHIFT, pack.END_LIMITS)
    assert numbers >= {("k", k) for k in (*range(8), 14)} | {("end", end) for end in tokens}
    assert numbers >= {("wide", 0), ("wide", 1)} | {("highest", h) for h in (1, 3, 7, 15)}
    assert numbers >= {("token", end) for end in (*tokens, *nibbles._SUMS.values())}


def test_what_a_code_is_for() -> None:
    """Layers without groups; all sums of 16 bits with one centre."""
    for groups in (1, 2):
        node = geometry((6, 9, 7), (3, 3), Conv2d(padding=(1, 1, 1, 1), groups=groups))
        assert any(sig.output.nibbles for sig in harness.signatures(KERNEL, node))
        assert any(True for _ in harness.signatures(RICE, node)) == (groups == 1)
    for counts, fits in (
        ([(0, 2184), (2184, 0), (1000, 1000)], True),
        ([(0, 4369), (4369, 0)], True),  # their centre is -32768
        ([(0, 4369), (2185, 2184)], False),
        ([(0, 4369), (10, 7)], True),  # one chunk has its own
    ):
        node = layer(counts, (4369, 1, 1), 1.3e-4, 3, FULL, DType.U4)
        acc = harness.accumulators(node)
        assert KERNEL.accepts(node, acc) and RICE.accepts(node, acc) == fits, counts


# ---- cost ----


@needs_arm
@pytest.mark.parametrize(
    "core, off", [("cortex-m4", 0.02), ("cortex-m33", 0.02), ("cortex-m3", 0.02), ("cortex-m7", 0.05)]
)
def test_estimates_are_what_is_simulated(core: str, off: float, bench: ModuleType) -> None:
    """And on M4 and M3 no layer takes more than its prototype."""
    pytest.importorskip("unicorn")
    layers = ["c3_64_8", "c3_32_16", "pw64_25x5", "pw128_6", "pw256_3"]
    for r in bench.rows(targets.get(core).core, layers, [0.1, 0.5], encoding="nibbles16"):
        assert abs(r.estimated / r.cycles - 1) < off, r
        assert r.bar is None or r.per_mac < r.bar, r
    decoded = bench.rows(targets.get(core).core, layers, [0.1, 0.5], encoding="nibbles rice")
    assert len(decoded) == 2 * len(layers)
    for r in decoded:
        assert abs(r.estimated / r.cycles - 1) < off, r


@needs_arm
def test_nibbles_are_faster_than_bytes(bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    core, layers = targets.get("cortex-m4").core, ["c3_64_8", "c3_32_16", "c3_16_32"]
    both = (bench.rows(core, layers, [0.1, 0.35], encoding=e) for e in ("lists16", "nibbles16"))
    for a, b in zip(*both, strict=True):
        assert a.cycles > 1.3 * b.cycles, (a, b)
