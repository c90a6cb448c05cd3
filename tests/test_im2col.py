"""The kernels that gather pixels once for all channels: their proofs, every function on every core, their cost."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import harness
import numpy as np
import pytest
from harness import Program, Step, node_program

from mcugen import driver, fixed, layout, pack, profile, targets
from mcugen.archive import Archive
from mcugen.ir import DType, Graph, Node, Out, Range
from mcugen.kernels import base, im2col
from mcugen.kernels.base import Signature
from mcugen.kernels.im2col import (
    FlatPairs,
    FlatQuads,
    Im2col,
    Im2colFlat,
    Im2colGroups,
    Im2colPairs,
    Im2colQuads,
    NibblePairs,
    NibbleQuads,
)
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.maxpool import MaxPool

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
FULL, U4 = Out.full(DType.U8), Out.full(DType.U4)
PAIRS, QUADS, BYTES, CODES = Im2colPairs(), Im2colQuads(), Im2colGroups(), Im2colGroups("codes")
KERNELS: tuple[Im2col, ...] = PAIRS, QUADS, BYTES, CODES
FLAT_KERNELS: tuple[Im2colFlat, ...] = FlatPairs(), FlatQuads()
NIBBLE_KERNELS: tuple[Im2colFlat, ...] = NibblePairs(), NibbleQuads()
Factory = pytest.TempPathFactory


def tailed(
    op: Conv2d,
    shape: tuple[int, int, int],
    weights: np.ndarray,
    scale: float,
    offset: float = 99,
    to: Out = FULL,
    dtype: DType = DType.I8,
) -> Node:
    """A layer of these weights whose results are about sum * scale + offset."""
    x, w = ops.activation("x", shape, op.pad_value), ops.constant("w", dtype, weights.astype(np.int8))
    raw = ops.make(op, x, w)
    acc = harness.accumulators(raw)
    tail = fixed.lower(np.full(len(weights), scale), np.full(len(weights), float(offset)), acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(Conv2d(**{**vars(op), "to": to}), x, w, *(ops.constant(*c) for c in named))


def geometry(
    shape: tuple[int, int, int],
    channels: int,
    w: tuple[int, int],
    op: Conv2d,
    to: Out = FULL,
    kind: str = "dense",
    dtype: DType = DType.I8,
) -> Node:
    """A layer of that geometry with random weights."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, channels, w, op.stride, kind)).encode()))
    weights = ops.draw_weights(rng, dtype, (channels, shape[0], *w), kind).const.astype(int)
    weights[weights == -128] = -127
    x = ops.activation("x", shape, op.pad_value)
    return ops.requantized(ops.make(op, x, ops.constant("w", dtype, weights.astype(np.int8))), rng, to)


# ---- the proof ----


def results(node: Node, sums: np.ndarray, kernel: Im2col = PAIRS) -> np.ndarray:
    """What the instructions make of sums (channels, n), by their own number of bits."""
    numbers = kernel._numbers(*proof(node))
    found = []
    for i, (acc, number) in enumerate(zip(sums.tolist(), numbers, strict=True)):
        tail = im2col._tail(i, number)
        assert tail is not None
        scale, more, bits = tail
        for a in acc:
            if i % 2:
                up, factor, drop = a << (scale & 0xFF), scale >> 16, 16
                assert -(1 << 15) <= factor < 1 << 15
            else:
                up, factor, drop = a << 8 << bits, scale, 32
            v = (up * factor >> drop) + more
            assert all(-(1 << 31) <= n < 1 << 31 for n in (up, factor, more, v, up * factor >> drop))
            found.append(min(max(v >> 16, 0), 255))
    return np.array(found).reshape(sums.shape)


@pytest.mark.parametrize("scale", [1 / 40, 1 / 300, 1 / 900, -1 / 2000, 1 / 7000, 0.0])
def test_the_tail_is_the_rule(scale: float) -> None:
    rng = np.random.default_rng(1)
    w = rng.integers(-127, 128, (4, 3, 3, 3)) // np.array([1, 1, 30, 30])[:, None, None, None]
    node = tailed(Conv2d(), (3, 8, 8), w, scale)
    acc = harness.accumulators(node)
    ends = np.stack([acc.lo, acc.hi])
    sums = np.concatenate([ends, rng.integers(ends[0], ends[1] + 1, (40, 4))]).T
    mult, add, shift = (np.broadcast_to(v.const, 4)[:, None].astype(np.int64) for v in node.inputs[2:])
    assert (results(node, sums) == fixed.requantize(sums, mult, add, shift, 0, 255)).all()


@pytest.mark.parametrize("scale", [1 / 40, 1 / 900, -1 / 2000, 1 / 7000, 0.0])
@pytest.mark.parametrize("weights", ["bytes", "codes"])
def test_sums_of_pixels_less_128_give_the_rule(scale: float, weights: str) -> None:
    """As VMLADAV, VMLAS, VQDMULH, VADD and VSHRNB compute, in 32 bits; the doubled product is never saturated."""
    rng = np.random.default_rng(2)
    shape, kernel, dtype = ((4, 3, 3, 3), BYTES, DType.I8) if weights == "bytes" else ((4, 200, 1, 1), CODES, DType.T)
    w = rng.integers(-127, 128, shape) // np.array([1, 1, 30, 30])[:, None, None, None]
    if dtype is DType.T:
        w = np.sign(w)
        w[1], w[2] = 1, -1
    node = tailed(Conv2d(), (shape[1], 8, 8), w, scale, dtype=dtype)
    acc = harness.accumulators(node)
    program = kernel._program(*proof(node)).reshape(4, -1)[:, -4:].astype(np.int64)
    ends = np.stack([acc.lo, acc.hi])
    sums = np.concatenate([ends, rng.integers(ends[0], ends[1] + 1, (40, 4))]).T
    centre, up, factor, more = (wrap(program[:, i, None]) for i in range(4))
    less = wrap(sums - 128 * w.reshape(4, -1).sum(axis=1)[:, None])
    shifted = wrap(wrap(less * up) + centre)
    assert (np.abs(factor) < 1 << 31).all()
    found = np.clip(wrap((shifted * factor >> 31) + more) >> 16, 0, 255)
    mult, add, shift = (np.broadcast_to(v.const, 4)[:, None].astype(np.int64) for v in node.inputs[2:])
    assert (found == fixed.requantize(sums, mult, add, shift, 0, 255)).all()


def wrap(v: np.ndarray) -> np.ndarray:
    """Modulo 2^32, signed."""
    return np.asarray((v + (1 << 31)) % (1 << 32) - (1 << 31))


@pytest.mark.parametrize("scale", [1 / 40, 1 / 300, 1 / 900, -1 / 2000, 1 / 7000, 0.0])
@pytest.mark.parametrize("hi", [15, 12])
def test_nibbles_are_the_upper_bits_of_bytes(scale: float, hi: int) -> None:
    rng = np.random.default_rng(1)
    w = rng.integers(-127, 128, (4, 3, 3, 3)) // np.array([1, 1, 30, 30])[:, None, None, None]
    node = tailed(Conv2d(), (3, 8, 8), w, scale / 16, 6, Out(DType.U4, U4.quant, 0, hi))
    acc = harness.accumulators(node)
    ends = np.stack([acc.lo, acc.hi])
    sums = np.concatenate([ends, rng.integers(ends[0], ends[1] + 1, (40, 4))]).T
    mult, add, shift = (np.broadcast_to(v.const, 4)[:, None].astype(np.int64) for v in node.inputs[2:])
    found = np.minimum(results(node, sums, NIBBLE_KERNELS[0]), 16 * hi + 15) >> 4
    assert (found == fixed.requantize(sums, mult, add, shift, 0, hi)).all()


@pytest.mark.parametrize("scale, accepted", [(1 / 100, True), (1 / 49, False)])
def test_results_of_nibbles_have_10_bits(scale: float, accepted: bool) -> None:
    """51000 / 49 is 1040, and sixteen times that beyond 2^14, the most that 31 bits times 15 make."""
    node = tailed(Conv2d(), (1, 8, 8), np.full((2, 1, 1, 2), 100), scale, 0, U4)
    assert all(k.accepts(*proof(node)) for k in (*KERNELS, *FLAT_KERNELS))
    assert [k.accepts(*proof(node)) for k in NIBBLE_KERNELS] == [accepted, accepted]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.weights)
def test_results_beyond_16_bits_are_refused(kernel: Im2col) -> None:
    w = np.full((2, 1, 1, 2), 100)
    assert kernel.accepts(*proof(tailed(Conv2d(), (1, 8, 8), w, 1 / 40)))
    assert not kernel.accepts(*proof(tailed(Conv2d(), (1, 8, 8), w, 4.0)))


@pytest.mark.parametrize(
    "a, b, accepted", [(-128, 0, True), (-128, -1, False), (-127, -128, True), (127, -128, True), (-128, 127, True)]
)
def test_a_halfword_holds_two_weights(a: int, b: int, accepted: bool) -> None:
    node = tailed(Conv2d(), (1, 8, 8), np.array([[[[5, a]]], [[[5, b]]]]), 1 / 400)
    assert PAIRS.accepts(*proof(node)) == accepted and QUADS.accepts(*proof(node))


@pytest.mark.parametrize("taps, accepted", [(259, True), (260, False)])
def test_a_sum_of_24_bits(taps: int, accepted: bool) -> None:
    """A << 8 has 32 bits: 259 * 255 * 127 is just below 2^23."""
    node = tailed(Conv2d(), (taps, 4, 4), np.full((2, taps, 1, 1), 127), 1 / 50_000, 0)
    assert 259 * 255 * 127 < 1 << 23 < 260 * 255 * 127
    assert PAIRS.accepts(*proof(node)) == accepted and QUADS.accepts(*proof(node))


QUADS_AGAIN = (
    *(([64, -64, 64, 63], 0), ([64, -64, 64, 64], 1), ([-128, 127, 0, 0], 0), ([-128, -128, 0, 0], 1)),
    *(([127, 127, 127, 127], 1), ([-128, -128, -128, 126], 1), ([-128, -128, -128, -128], 2)),
)


@pytest.mark.parametrize("quad, again", QUADS_AGAIN)
def test_no_sum_of_a_quad_leaves_16_bits(quad: list[int], again: int) -> None:
    once, more = im2col._split(np.array([[1, 2, 3, 4], quad]))
    assert len(more) == again and all(i == 1 for i, _ in more)
    assert (sum((w for _, w in more), once[1]) == quad).all() and (once[0] == [1, 2, 3, 4]).all()
    for w in (*once, *(w for _, w in more)):
        lowest, highest = (sum(int(v) * x for v, x in zip(w, pixels, strict=True)) for pixels in ends(w))
        assert -(1 << 15) <= lowest <= highest < 1 << 15
        assert np.abs(w).max() <= 128 and (w.astype(np.int8) == w).all()


def ends(w: np.ndarray) -> tuple[list[int], list[int]]:
    """The pixels less 128 of the least and of the greatest sum."""
    return [127 if v < 0 else -128 for v in w], [-128 if v < 0 else 127 for v in w]


def proof(node: Node) -> tuple[Node, Range]:
    return node, harness.accumulators(node)


# ---- programs ----


def geometries() -> Iterator[tuple[str, Node]]:
    """1 to 41 pairs of taps, 1 to 6 channels, widths of 1 to 6, strides, dilation, limits, taps without weights."""
    for taps in (*range(1, 13), 20, 24, 27, 28, 37, 39, 40, 41, 42, 64, 65, 66):
        yield f"{taps} taps", geometry((taps, 5, 2), 2, (1, 1), Conv2d())
    for channels in range(1, 7):
        op = Conv2d((1, 1), (1, 1, 1, 1), pad_value=9)
        yield f"3x3 {channels}", geometry((1, 6, channels), channels, (3, 3), op)
    yield "10x4 s2", geometry((1, 49, 10), 3, (10, 4), Conv2d((2, 2), (4, 1, 5, 1), pad_value=128))
    yield "3x3 s2", geometry((3, 16, 8), 5, (3, 3), Conv2d((2, 2), (0, 0, 1, 1)))
    yield "3x3 s13", geometry((2, 8, 13), 3, (3, 3), Conv2d((1, 3), (1, 1, 1, 1)))
    yield "5x5", geometry((2, 12, 7), 3, (5, 5), Conv2d(padding=(2, 2, 2, 2), pad_value=9))
    yield "3x3d2", geometry((2, 12, 13), 2, (3, 3), Conv2d(padding=(2, 2, 2, 2), dilation=(2, 2)))
    yield "limits", geometry((2, 6, 5), 3, (3, 3), Conv2d(padding=(1, 1, 1, 1)), Out(DType.U8, FULL.quant, 10, 240))
    yield "u4", geometry((2, 6, 5), 2, (3, 3), Conv2d(padding=(1, 1, 1, 1)), Out.full(DType.U4))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", geometry((3, 5, 7), 3, (3, 3), Conv2d(padding=(1, 1, 1, 1)), kind=kind)


def edges(to: Out = FULL) -> Iterator[tuple[str, Node, list[np.ndarray]]]:
    """Sums at both ends: highest pixels where weights are positive and lowest elsewhere, and the reverse; and -128.

    Of 64 taps, and of those of one tap after the other.
    """
    for scale in (1 / 200, 1 / 700, 1 / 1500, -1 / 7000):
        w = np.where(np.indices((4, 64)).sum(axis=0) % 3, 127, -127)
        w[1] = np.where(w[0] < 0, 127, -128)
        w[2] = np.where(w[1] > 0, -128, 127)
        w[3] = np.where(w[2] == -128, 1, -128)
        node = tailed(Conv2d(), (64, 8, 3), w[:, :, None, None], scale * (to.hi + 1) / 256, 99 / 255 * to.hi, to)
        x = np.concatenate([[255 * (row > 0), 255 * (row < 0), 254 * (row > 0) + (row < 0)] for row in w])
        yield f"ends {scale}", node, [np.broadcast_to(x[:, :, None, None], (*x.shape, 8, 3)).astype(np.uint8)]


def grouped() -> Iterator[tuple[str, Node]]:
    """For bytes and codes: 1 to 18 groups of taps, 1 to 5 channels, blocks of several rows and of parts of one."""
    one = Conv2d()
    for groups in (1, 2, 3, 4, 5, 8, 9, 10, 17, 18):
        for dtype in (DType.I8, DType.T):
            for channels, more in ((2, 0), (groups % 4 + 1, 1)):
                taps = 16 * groups - 15 * more
                yield f"{taps} taps {channels} {dtype}", geometry((taps, 6, 3), channels, (1, 1), one, dtype=dtype)
    for channels in range(1, 6):
        op = Conv2d((1, 1), (1, 1, 1, 1), pad_value=9)
        yield f"codes 3x3 {channels}", geometry((3, 14, channels), channels, (3, 3), op, dtype=DType.T)
    for shape, dtype in (
        *(((40, 40, 2), DType.I8), ((40, 7, 33), DType.I8), ((200, 6, 9), DType.I8)),
        *(((120, 44, 2), DType.T), ((400, 4, 17), DType.T)),
    ):
        yield f"blocks {shape}", geometry(shape, 3, (1, 1), one, dtype=dtype)
    yield "codes s2", geometry((5, 24, 18), 3, (3, 3), Conv2d((2, 2), (0, 0, 1, 1)), dtype=DType.T)
    limited = Out(DType.U8, FULL.quant, 10, 240)
    yield "codes limits", geometry((2, 6, 5), 3, (3, 3), Conv2d(padding=(1, 1, 1, 1)), limited, dtype=DType.T)
    for kind in ops.WEIGHT_KINDS:
        op = Conv2d(padding=(1, 1, 1, 1))
        yield f"codes {kind}", geometry((9, 5, 7), 3, (3, 3), op, kind=kind, dtype=DType.T)
    for sign in (-1, 1):  # as far from c as sums are
        w = np.full((3, 200, 1, 1), sign)
        yield f"codes of {sign}", tailed(one, (200, 8, 3), w, 1 / 200, dtype=DType.T)


def layers() -> Iterator[tuple[tuple[Im2col, ...], str, Node, list[np.ndarray]]]:
    """Each with the kernels that it is for, and its inputs."""
    for name, node in geometries():
        yield (PAIRS, QUADS, BYTES), name, node, harness.samples(node, np.random.default_rng(3))
    for edge in edges():
        yield (PAIRS, QUADS, BYTES), *edge
    for name, node in grouped():
        kernel = BYTES if node.inputs[1].type.dtype is DType.I8 else CODES
        yield (kernel,), name, node, harness.samples(node, np.random.default_rng(3))


@cache
def programs() -> tuple[Program, ...]:
    found = []
    for kernels, name, node, x in layers():
        want = harness.evaluate(node, x)
        for kernel in kernels:
            assert kernel.accepts(*proof(node)), name
            for required in harness.signatures(kernel, node)[:1]:
                for sig in harness.larger(required, node)[:: 2 - (kernel is PAIRS)]:
                    found.append(node_program(f"{name} {kernel.weights} {sig}", node, kernel, sig, x, want))
    return tuple(found)


def windows(to: Out) -> Iterator[tuple[str, Node]]:
    """Images of 1 to 30 rows, windows of 1 to 10 that overlap or not; strips of one word, of several, of less."""
    for height in (1, 2, 3, 5, 8, 9, 25, 30):
        op = Conv2d(padding=(1, 1, 1, 1), pad_value=9)
        yield f"3x3 h{height}", geometry((1, height, 3), 2, (3, 3), op, to)
    for height, stride in ((9, 2), (17, 2), (16, 3), (29, 4)):
        op = Conv2d((stride, 2), (1, 1, 1, 1), pad_value=200)
        yield f"3x3 h{height} s{stride}", geometry((3, height, 7), 3, (3, 3), op, to)
    yield "10x1 h12", geometry((1, 12, 3), 3, (10, 1), Conv2d(), to)
    yield "10x4 s2", geometry((1, 49, 10), 3, (10, 4), Conv2d((2, 2), (4, 1, 5, 1), pad_value=128), to)
    yield "1x1 s2", geometry((3, 16, 8), 3, (1, 1), Conv2d((2, 2)), to)
    yield "3x3d2", geometry((2, 12, 13), 2, (3, 3), Conv2d(padding=(2, 2, 2, 2), dilation=(2, 2)), to)
    for channels in (1, 5, 33, 65):
        yield f"{channels} channels", geometry((1, 9, 13), channels, (3, 3), Conv2d(padding=(1, 1, 1, 1)), to)


def low() -> Iterator[tuple[str, Node]]:
    """Limits of less than 4 bits."""
    for dtype, lo, hi in ((DType.U1, 0, 1), (DType.U2, 0, 3), (DType.U3, 0, 7), (DType.U4, 0, 12), (DType.U4, 2, 15)):
        to = Out(dtype, Out.full(dtype).quant, lo, hi)
        yield f"{lo} to {hi}", geometry((2, 9, 10), 3, (3, 3), Conv2d(padding=(1, 1, 1, 1)), to)


@cache
def flat_programs() -> tuple[Program, ...]:
    found = []
    everywhere = [*geometries(), *windows(FULL)], FLAT_KERNELS
    nibbles = [*windows(U4), *low()], NIBBLE_KERNELS
    for nodes, kernels in (everywhere, nibbles):
        inputs = [(name, node, harness.samples(node, np.random.default_rng(3))) for name, node in nodes]
        for name, node, x in (*inputs, *edges(FULL if kernels is FLAT_KERNELS else U4)):
            want = harness.evaluate(node, x)
            for kernel in kernels:
                assert kernel.accepts(*proof(node)), name
                for required in harness.signatures(kernel, node)[: 1 + kernel.nibbles]:
                    for sig in harness.larger(required, node)[:: 1 + (kernel.weights == "quads")]:
                        found.append(node_program(f"{name} {kernel.name} {sig}", node, kernel, sig, x, want))
    return tuple(found)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path_from_flat_images(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(flat_programs())
    assert not report.failures and not report.left_out, str(report)


def test_windows_reach_every_path() -> None:
    """Rows that are kept, and none; strips that end a row, and that are left of one; limits; scratch and none."""
    bounds = {id(a.bound): a.bound for p in flat_programs() for a in p.actions if isinstance(a, Step)}
    values = [{f.name: f.value for f in b.members} for b in bounds.values()]
    windows_of = [{f.name: f.value for f in v["window"]} if "window" in v else {} for v in values]
    nibbles = [b for b in bounds.values() if b.fields[0].name == "flat"]
    assert len(nibbles) > 30 and len(bounds) - len(nibbles) > 30
    assert {v["gathered"] == 0 for v in values} == {True, False}
    assert {int(w["rows"]) > int(v["stride"]) for w, v in zip(windows_of, values, strict=True) if w} == {True, False}
    strips = [(int(b.fields[1].value), y_width(b)) for b in nibbles]
    assert {1} < {n for n, _ in strips} and {w % n > 0 for n, w in strips} == {True, False}


def y_width(b: base.Bound) -> int:
    flat = {f.name: f.value for f in b.fields[0].value}
    return int({f.name: f.value for f in flat["out"]}["width"])


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    """Bytes and codes where they are in assembler, and their definition; it is on all machines in test_kernels.py."""
    here = [p for p in programs() if machine in ("host", "sanitised") or of_groups(p) == (machine == "mps3-an547")]
    report = harness.on(machine, tmp_path_factory).run(here)
    assert not report.failures and not report.left_out, str(report)


def of_groups(p: Program) -> bool:
    return " bytes " in p.name or " codes " in p.name


def test_programs_reach_every_path() -> None:
    rows, bits, small, flags, again, blocks = set(), set(), set(), set(), set(), set()
    grouped_by: dict[str, set[int]] = {}
    for p in programs():
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in (*bound.members, *bound.fields)}
        groups, words = int(np.asarray(values["groups"])), np.asarray(values["weights"])
        rows.add((values["row"], groups))
        row = str(values["row"]).removeprefix("mcugen1_im2col")
        if row.startswith(("bytes", "codes")):
            grouped_by.setdefault(row, set()).add(groups)
            down, across = (int(np.asarray(values[name])) for name in ("down", "across"))
            width, height = (int(np.asarray(values[name])) for name in ("width", "rows"))
            blocks.add((down > 1, down < height, across < width, width % across > 0))
            continue
        if row == "quads":
            again.add(programs_of(words, groups))
            continue
        ends = words.reshape(-1, groups + 5)[:, -5:]
        bits |= {int(e) & 0xFF > 0 for e in ends[:, 4]}
        small |= {int(e) & 0xFFFF > 0 for e in ends[:, 0]}
        flags |= {int(e) >> 8 for e in ends[:, 4]}
    for n in im2col.EXACT:
        assert (f"mcugen1_im2col{n}", n) in rows
    assert {n for f, n in rows if f == "mcugen1_im2colfew"} >= {1, 2, 3, 4, 6, 12, 19}
    assert {n for f, n in rows if f == "mcugen1_im2colmany"} >= {21, 32, 33}
    assert {n for f, n in rows if f == "mcugen1_im2colquads"} >= {1, 2, 3, 5, 6, 10, 11, 16, 17}
    assert bits == small == {False, True} and flags == {0, 1, 3}
    for kind in ("bytes", "codes"):
        assert all(grouped_by[f"{kind}{n}"] == {n} for n in range(1, im2col.EXACT_GROUPS + 1))
        assert grouped_by[kind] >= {5, 8, 9, 10, 17, 18}
    assert blocks >= {(True, False, False, False), (True, True, False, False), (False, True, True, True)}, blocks
    assert {n for _, n in again} >= {0, 1, 2} and {n for n, _ in again} >= {1, 2, 3, 4, 5, 6}


def programs_of(words: np.ndarray, quads: int) -> tuple[int, int]:
    """How many channels the programs are for, and the most quads once more in one."""
    channels = most = at = 0
    while at < words.size:
        at += 2 + quads
        first = at
        while words[at]:
            at += 2
        channels, most = channels + 1, max(most, (at - first) // 2)
        at += 3
        assert bool(words[at - 1] & 0x100) == (at == words.size)
    return channels, most


def test_the_document_shows_pairs_and_quads() -> None:
    text = (Path(__file__).parent.parent / "docs" / "FORMAT.md").read_text()
    found = re.search(r"channels a = ([-\d ]+), b = ([-\d ]+?) +pairs  ([0-9a-f ]+?) +quads  ([0-9a-f, ]+)", text)
    assert found is not None
    w = np.array([found[1].split(), found[2].split()], int)[:, :, None, None]
    node = tailed(Conv2d(), (3, 8, 8), w, 1 / 9)
    pairs, quads = (k._program(*proof(node)) for k in KERNELS[:2])
    assert pairs[:2].tobytes().hex(" ").replace(" ", "") == found[3].replace(" ", "")
    assert [quads[2:3].tobytes().hex(" "), quads[8:9].tobytes().hex(" ")] == found[4].split(",  ")


def test_the_document_shows_bytes_and_codes() -> None:
    """A channel begins with its weights; its tail stands behind 16 bytes of them."""
    text = (Path(__file__).parent.parent / "docs" / "FORMAT.md").read_text()
    hexes = r" +=  ([0-9a-f ]+)"
    found = re.search(rf"bytes   channel ([-\d ]+?){hexes}\n +codes   channel ([-+0 ]+?){hexes}", text)
    assert found is not None
    eight = np.array(found[1].split(), int)
    ternary = np.array([{"-": -1, "0": 0, "+": 1}[c] for c in found[3].split()])
    assert eight.size == 3 and ternary.size == 19
    for kernel, w, dtype, want in ((BYTES, eight, DType.I8, found[2]), (CODES, ternary, DType.T, found[4])):
        both = np.stack([np.ones_like(w), w])[:, :, None, None]  # no tap is left out
        node = tailed(Conv2d(), (w.size, 8, 8), both, 1 / 9, dtype=dtype)
        program = kernel._program(*proof(node)).reshape(2, 8)[1]
        assert program[:4].tobytes() == bytes.fromhex(want).ljust(16, b"\0")
        scale, more = base.tails32(node, proof(node)[1])[1]
        up = (scale & 0xFF) + (scale >> 8 & 0xFF)
        assert program[4:].tolist() == [
            v % (1 << 32) for v in (128 * int(w.sum()) << up, 1 << up, scale >> 16 << 15, more)
        ]


def test_the_order_of_taps_makes_heavy_quads_rare() -> None:
    rng = np.random.default_rng(1)
    w = np.clip(np.round(rng.normal(0, 45, (16, 3, 3, 3))), -127, 127)
    node = tailed(Conv2d(), (3, 8, 8), w, 1 / 900)
    order = QUADS._order(node)
    assert sorted(order.tolist()) == list(range(28))
    plain = im2col._weights(node, 4)

    def heavy(weights: np.ndarray) -> int:
        return int((np.abs(weights).reshape(16, 7, 4).sum(axis=2) > pack.HEAVIEST).sum())

    assert 2 * heavy(plain[:, order]) < heavy(plain)
    assert sum(len(again) for _, again in QUADS._split(node)) == heavy(plain[:, order])


def signature(node: Node, rows: int) -> Signature | None:
    x, y = node.inputs[0].type, node.output.type
    return PAIRS.layouts(node, (layout.lanes(x, rows),), layout.lanes(y, rows))


def test_taps_without_weights_are_left_out() -> None:
    w = np.zeros((3, 2, 3, 3), int)
    w[0, 0, 1, 2] = w[2, 1, 0, 0] = w[1, 1, 0, 0] = 7
    node = tailed(Conv2d(padding=(1, 1, 1, 1)), (2, 8, 8), w, 1.0)
    sig = signature(node, 2)
    assert sig is not None
    assert im2col._offsets(node, sig.inputs[0]).tolist() == [sig.inputs[0].pitch + 2, sig.inputs[0].plane]
    assert im2col._halves(node).tolist() == [[7 * 256, 7], [0, 7 * 256]]


def test_images_are_limited() -> None:
    for width, halo, fits in ((30_000, 0, True), (40_000, 0, False), (5_000, 11, True), (5_000, 12, False)):
        node = geometry((2, 8, width), 2, (1, 1), Conv2d())
        x = layout.lanes(node.inputs[0].type, 2, halo, 0)
        assert PAIRS.reaches(node, Signature((x,), layout.lanes(node.output.type, 2))) == fits, (width, halo)


# ---- cost ----


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m33", "cortex-m7", "cortex-m3", "cortex-m0plus", "cortex-m0"])
def test_estimates_are_what_is_simulated(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    most = {  # cycles for a product
        "cortex-m4": {"first_kws": 1.27, "first_resnet": 1.35, "first_vww": 1.5},
        "cortex-m3": {"first_kws": 3.12, "first_resnet": 3.24, "first_vww": 3.42},
        "cortex-m0plus": {"first_kws": 3.7, "first_resnet": 3.92, "first_vww": 4.17},
    }
    layers = list(most["cortex-m4"])
    known = targets.get(core).core
    found = [r for r in bench.rows(known, layers, [1.0]) if r.kernel.startswith("im2col")]
    stems = ["im2col", "im2col_flat", *["im2col_nibbles"] * base.takes_nibbles(known)]
    assert [(r.layer, r.kernel.split("/")[0]) for r in found] == [(name, stem) for name in layers for stem in stems]
    for r in found:
        assert abs(r.estimated / r.cycles - 1) < 0.025, r
        assert core not in most or not r.kernel.startswith("im2col/") or r.per_mac < most[core][r.layer], r


M55 = (
    *(("first_kws", 1.0, "bytes", 0.26), ("first_resnet", 1.0, "bytes", 0.24), ("first_vww", 1.0, "bytes", 0.26)),
    *(("c3_64_8", 0.5, "codes", 0.135), ("pw128_6", 0.5, "codes", 0.21), ("pw256_3", 0.35, "codes", 0.22)),
)


@needs_arm
@pytest.mark.parametrize("layer, density, weights, most", M55, ids=lambda v: str(v))
def test_instructions_with_helium_are_what_is_estimated(
    layer: str, density: float, weights: str, most: float, bench: ModuleType
) -> None:
    """Of the kernel that is chosen; dense ternary layers and those of 8 bits have this one."""
    node = bench.direct_layer(layer) if layer in bench.DIRECT else bench.layer(layer, density)
    pool = ops.make(MaxPool((2, 2), (1, 1)), node.output)  # what is put out is flat
    pool = Node(pool.op, pool.inputs, replace(pool.output, name="z"))
    x = node.args[0]
    sample = np.random.default_rng(1).integers(0, 256, (1, *x.type.shape)).astype(np.uint8)
    source = Archive(Graph("layer", (x,), (node, pool), (pool.output,)), (sample,))
    found = profile.profile(driver.compile(source, target="cortex-m55", optimize="speed"))
    run = next(step for step in found.layers if step.name == node.output.name)
    assert run.kernel == f"im2col/{weights}" and run.instructions < most * run.macs
    assert abs(run.estimated / run.instructions - 1) < 0.02, run


def test_bytes_and_codes_are_for_helium() -> None:
    node = geometry((3, 8, 8), 2, (3, 3), Conv2d(padding=(1, 1, 1, 1)))
    lanes = (layout.lanes(node.inputs[0].type, 2),), layout.lanes(node.output.type, 2)
    for core, there in (("cortex-m55", True), ("cortex-m33", False), ("cortex-m0", False)):
        on = targets.get(core).core
        assert (BYTES.on(on).layouts(node, *lanes) is not None) == there and CODES.on(on).layouts(node, *lanes) is None


@pytest.mark.parametrize("kernel", [BYTES, CODES], ids=lambda k: k.weights)
@pytest.mark.parametrize("taps, rows, width", [(9, 2, 5), (27, 24, 48), (144, 8, 32), (576, 2, 8), (5000, 2, 3)])
def test_blocks_are_even_and_fit(kernel: Im2colGroups, taps: int, rows: int, width: int) -> None:
    dtype = DType.I8 if kernel is BYTES else DType.T
    node = tailed(Conv2d(), (taps, 4 * rows, width), np.ones((2, taps, 1, 1)), 1 / 2000, dtype=dtype)
    y = layout.lanes(node.output.type, rows)
    across, down = kernel._block(node, Signature((y,), y))
    assert 1 <= across <= width and 1 <= down <= rows and (down == 1 or across == width)
    room = im2col.BLOCK_BYTES[kernel.weights] // (64 * -(-taps // 16))
    assert across * down <= max(1, room)
    if room >= rows * width:
        assert (across, down) == (width, rows)
