"""The sparse kernel: the proof that 16 bits suffice, its strips, every path of its programs on every core, its cost."""

from __future__ import annotations

import itertools
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from types import ModuleType

import harness
import numpy as np
import pytest
from harness import Program, Step, node_program, node_programs
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen import fixed, layout, pack, targets
from mcugen.ir import Array, DType, Node, Out, Quant
from mcugen.kernels import sparse, strips
from mcugen.kernels.base import NULL, Signature
from mcugen.kernels.sparse import Sparse, SparseDepthwise
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [
    "host",
    "sanitised",
    *(
        pytest.param(m, marks=needs_arm)
        for m in ("microbit-large", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
    ),
    *harness.linux_params(),
]
FULL = Out.full(DType.U8)
KERNEL, BYTES, RICE, BLOCKS, BASE3 = Sparse(), *map(Sparse, ("bytes", "rice", "blocks", "base3"))
DEPTHWISE = SparseDepthwise()
Factory = pytest.TempPathFactory


# ---- the proof ----


def drawn(n: int, limits: tuple[int, int], which: str, rng: np.random.Generator) -> Array:
    """So many pixels: all lowest, all highest, or random."""
    known = {"low": limits[0], "high": limits[1]}
    return np.full(n, known[which]) if which in known else rng.integers(limits[0], limits[1] + 1, n)


def sums(how: strips.Channel, plus: Array, minus: Array) -> int:
    """What the kernel computes from the pixels of +1 and of -1 weights: parts of 16 bits, their sum in 32."""
    entries = np.concatenate([minus, plus] if how.minus_first else [plus, minus])
    total = at = 0
    for part in how.parts:
        lead, rest = entries[at : at + part.lead], entries[at + part.lead : at + part.lead + part.rest]
        each = int(lead.sum()) if part.centre is None else part.centre - int(lead.sum()) + int(rest.sum())
        assert part.centre is not None or not part.rest
        total += (each + (1 << 15)) % (1 << 16) - (1 << 15)
        at += part.lead + part.rest
    assert at == entries.size and (len(how.parts) > 1) == (how.end in (pack.END_WIDE, pack.END_LONG))
    return total


def result(how: strips.Channel, total: int, to: Out) -> int:
    """What the kernel makes of such a sum, by the instructions of the DSP extension."""
    mult, shift = (how.scale & 0xFFFF ^ 0x8000) - 0x8000, how.scale >> 16
    if how.end in (pack.END, pack.END_LIMITS):
        high = ((total * (mult << 32 - shift)) >> 16) + (how.add >> shift - 16)
        assert shift >= 16 and -(1 << 31) <= high < 1 << 31 and abs(mult << 32 - shift) < 1 << 31
        assert (how.end == pack.END) == (to == FULL)
        return min(max(min(max(high >> 16, 0), 255), to.lo), to.hi)
    if how.end in (pack.END_TWICE, pack.END_FOURFOLD):
        up = 1 if how.end == pack.END_TWICE else 2
        assert shift == 16 - up and to == FULL and -(1 << 15) <= total << up < 1 << 15 and abs(how.add << up) < 1 << 31
        high = (((total << up) * (mult << 16)) >> 16) + (how.add << up)
        assert -(1 << 31) <= high < 1 << 31
        return min(max(high >> 16, 0), 255)
    if how.end == pack.END_LONG:
        high = (total * (mult << 32 - shift) + (how.add << 32 - shift)) >> 32
        assert shift >= 16 and -(1 << 31) <= high < 1 << 31
        low = (total & 255) * mult + how.add  # Armv6-M
        last = (total >> 8) * mult + (low >> 8)
        assert last >> shift - 8 == high and all(-(1 << 31) <= v < 1 << 31 for v in (low, last))
        return min(max(high, to.lo), to.hi)
    v = (total * mult + how.add + (1 << 31)) % (1 << 32) - (1 << 31)
    return min(max(v >> shift, to.lo), to.hi)


@settings(max_examples=600, derandomize=True, deadline=None, database=None)
@given(
    st.integers(0, 900) | st.integers(0, 130),
    st.integers(0, 900) | st.integers(0, 130),
    st.sampled_from([DType.U8, DType.U8, DType.U7, DType.U4]),
    st.floats(-0.6, 0.6) | st.sampled_from([0.0, 1e-4, -1e-4, 0.49999, 0.5, 1.5, -3.0]),
    st.floats(-1e5, 1e5),
    st.sampled_from([FULL, Out(DType.U8, None, 10, 240), Out.full(DType.U4)]),
    st.integers(0, 1 << 30),
)
def test_every_sum_is_the_accumulator(
    n: int, p: int, dtype: DType, mult: float, offset: float, to: Out, seed: int
) -> None:
    lo, hi = -dtype.hi * n, dtype.hi * p
    m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [offset], [lo], [hi])), to.lo, to.hi))
    short = all(-(1 << 31) <= acc * m + a < 1 << 31 for acc in (lo, hi))
    if not short and (s < 16 or abs(a) >= (1 << 31) - (1 << 23)):
        return  # what the kernel does not accept
    how = strips.choose(n, p, lo, hi, m, a, s, full=to == FULL, highest=dtype.hi)
    assert (how.end == pack.END_WIDE) == (short and dtype.hi * (n + p) > 0xFFFF)
    assert (how.end == pack.END_LONG) == (not short)
    rng = np.random.default_rng(seed)
    ends = [*itertools.product(("low", "high"), repeat=2), *[("random", "random")] * 6]
    for plus, minus in ((drawn(p, (0, dtype.hi), a, rng), drawn(n, (0, dtype.hi), b, rng)) for a, b in ends):
        want = int(fixed.requantize(np.array(plus.sum() - minus.sum()), m, a, s, to.lo, to.hi))
        assert result(how, sums(how, plus, minus), to) == want


@pytest.mark.parametrize(
    "minus, plus, dtype, parts",
    [
        (257, 0, DType.U8, [(257, 0, 32767)]),
        (258, 0, DType.U8, [(257, 0, 32767), (1, 0, 0)]),
        (0, 258, DType.U8, [(257, 0, 32767), (1, 0, 0)]),
        (1, 256, DType.U8, [(1, 256, -32513)]),
        (1, 257, DType.U8, [(1, 256, -32513), (1, 0, None)]),
        (129, 129, DType.U8, [(129, 128, 127), (1, 0, None)]),
        (100, 286, DType.U8, [(100, 157, -7268), (0, 129, -128)]),
        (300, 276, DType.U8, [(257, 0, 32767), (43, 214, -21803), (62, 0, None)]),
        (0, 517, DType.U7, [(516, 0, 32764), (1, 0, 0)]),
        (576, 0, DType.U8, [(257, 0, 32767), (257, 0, 32767), (62, 0, 0)]),
    ],
)
def test_parts_of_a_list(minus: int, plus: int, dtype: DType, parts: list[tuple[int, int, int | None]]) -> None:
    how = strips.choose(minus, plus, -dtype.hi * minus, dtype.hi * plus, 9000, 0, 20, full=True, highest=dtype.hi)
    assert [*how.parts] == [strips.Part(*part) for part in parts]


def test_usual_tails_end_with_token_0() -> None:
    """Multipliers below a half, whatever the centre, and constants."""
    for n, p, mult in itertools.product((0, 3, 100, 128), (0, 1, 90, 127), (0.013, -0.2, 0.4, 0.0)):
        lo, hi = -255 * n, 255 * p
        m, a, s = (int(v[0]) for v in fixed.lower(*map(np.array, ([mult], [7.0], [lo], [hi])), 0, 255))
        for full, end in ((True, pack.END), (False, pack.END_LIMITS)):
            how = strips.choose(n, p, lo, hi, m, a, s, full=full, highest=255)
            assert how.end == end
            assert (how.parts[0].centre is None) == (n == 0 or p == 0)


def dense(plus: int, minus: int, dtype: DType = DType.U8, image: tuple[int, int] = (4, 5), step: int = 1) -> Node:
    """A pointwise convolution with so many weights of either sign, in two channels, and none in a third.

    The accumulator's limits become 0 and 255, by constants that leave no bit free in 32.
    """
    w = np.array([1] * plus + [-1] * minus, np.int8)
    w = np.stack([w, np.roll(w, 5), 0 * w]).reshape(3, -1, 1, 1)
    x = ops.activation("x", (plus + minus, *image), 0, dtype)
    shift, mult = next((s, m) for s in range(23, 0, -1) if (m := (255 << s) // (dtype.hi * (plus + minus))) < 1 << 15)
    add = dtype.hi * minus * mult // fixed.grain(shift) * fixed.grain(shift)
    tail = (np.full(3, v) for v in (mult, add, shift))
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(Conv2d((1, step), to=FULL), x, ops.constant("w", DType.T, w), *(ops.constant(*c) for c in named))


@pytest.mark.parametrize("plus, minus", [(257, 0), (0, 257), (128, 129), (1, 256), (200, 57)])
def test_257_bytes_fit_and_258_are_split(plus: int, minus: int) -> None:
    def split(node: Node, limits: harness.Limits = None) -> bool:
        acc = harness.accumulators(node, limits)
        assert KERNEL.accepts(node, acc)
        return [len(how.parts) > 1 for how in strips.channels(node, acc)] == [True, True, False]

    assert not split(dense(plus - (plus > 0), minus - (plus == 0)))
    assert not split(dense(plus, minus))
    assert split(dense(plus + 1, minus))
    assert not split(dense(plus + 1, minus), (0, 250))  # proven to be smaller
    assert not split(dense(2 * plus, 2 * minus, DType.U7))


def other_tail(node: Node, mult: int = 1, add: int | None = None, shift: int = 0) -> Node:
    """A node with its multiplier times `mult`, another addend, its shift that much larger."""
    _, _, m, a, s = node.inputs
    return with_tail(node, m.const * mult, a.const if add is None else np.full(3, add), s.const.astype(int) + shift)


def with_tail(node: Node, mult: Array, add: Array, shift: Array) -> Node:
    """A node with other constants."""
    named = (("m", DType.I16, mult), ("a", DType.I32, add), ("s", DType.U8, shift))
    return ops.make(node.op, *node.inputs[:2], *(ops.constant(*c) for c in named))


def test_products_beyond_32_bits_have_64() -> None:
    """Where the proof of 32 bits ends: by the multiplier, and by one in the addend."""
    node = dense(576, 0)
    acc = harness.accumulators(node)

    def ends(node: Node) -> list[int]:
        assert KERNEL.accepts(node, acc)
        return [how.end for how in strips.channels(node, acc)]

    assert ends(node) == [pack.END_WIDE, pack.END_WIDE, pack.END]
    longer = other_tail(node, mult=2, shift=1)
    assert ends(longer) == [pack.END_LONG, pack.END_LONG, pack.END]
    assert [part.lead for part in strips.channels(longer, acc)[0].parts] == [128, 128, 128, 128, 64]
    room = (1 << 31) - 1 - int(acc.hi.max()) * int(node.inputs[2].const[0])
    assert ends(other_tail(node, add=room))[0] == pack.END_WIDE
    assert ends(other_tail(node, add=room + 1))[0] == pack.END_LONG
    for add, fits in (((1 << 31) - (1 << 23) - 1, True), ((1 << 31) - (1 << 23), False)):
        assert KERNEL.accepts(other_tail(longer, add=add), acc) == fits
    assert not KERNEL.accepts(other_tail(node, mult=2, shift=15 - int(node.inputs[4].const[0])), acc)


def edge_programs(helium: bool = False) -> Iterator[Program]:
    """Sums at both ends of what is proven: highest pixels where weights are 1 and lowest elsewhere, and the reverse.

    And all between: in each pixel another share of the weights takes the highest.
    """
    counts = [(257, 0), (0, 257), (128, 129), (129, 128), (1, 256), (256, 1), (60, 60)]
    layers = [(plus, minus, DType.U8, (4, 5), 1) for plus, minus in counts]
    shapes = [*itertools.product((1, 2, 3, 4), (1, 2)), (8, 1)]
    if helium:
        shapes = [(words, step) for step, widths in sparse._HELIUM_WIDTHS.items() for words in widths]
    many = ((300, 276), (0, 576)), ((170, 150), (0, 320))  # of 12 words, an offset cannot count 576 channels
    for words, step in shapes:
        for plus, minus in ((258, 0), (0, 258), (129, 129), (576, 0), *many[0]) if words * step < 10 else many[1]:
            layers.append((plus, minus, DType.U8, (4 - words % 2, step * words), step))
    layers.append((517, 0, DType.U7, (4, 5), 1))
    nodes = [dense(*shape) for shape in layers]
    for words, step in shapes:
        for plus, minus in many[words * step >= 10]:
            node = dense(plus, minus, DType.U8, (4 - words % 2, step * words), step)
            more = int(words * step < 10)  # room for a larger multiplier
            nodes.append(other_tail(node, 1 + more, int(node.inputs[3].const[0]) // 2 * 3, shift=more))
    twice = [(plus, minus, 15) for plus, minus in ((64, 0), (0, 64), (40, 24), (65, 0))]
    for plus, minus, shift in (*twice, (32, 0, 14), (0, 32, 14), (33, 0, 14)):
        for words in (1, 2, 3, 4, *((7, 12) if helium else ())):  # twice, four times the sum has 16 bits, and no longer
            node = dense(plus, minus, DType.U8, (4, words))
            nodes.append(with_tail(node, *(np.full(3, v) for v in (-30000, 300 << shift, shift))))
    for node in nodes:
        dtype, (_, *image) = node.inputs[0].type.dtype, node.inputs[0].type.shape
        w = node.inputs[1].const[0].ravel().astype(np.int64)[:, None, None]
        rng = np.random.default_rng(w.size)
        share = rng.permuted(np.linspace(0, 1, image[0] * image[1])).reshape(image)
        some = np.where(rng.random((w.size, *image)) < share, w == 1, w == -1)
        flat = [w == 1, w == -1, w == w, w == 0, some]
        x = np.stack([np.broadcast_to(dtype.hi * v, (w.size, *image)) for v in flat]).astype(np.uint8)
        want = node.op.eval(x, *(v.const for v in node.inputs[1:]))
        lay = layout.lanes(node.inputs[0].type, 1), layout.lanes(node.output.type, 1)
        sig = KERNEL.layouts(node, lay[:1], lay[1])
        assert sig is not None
        text = f"edge {(w == 1).sum()} {(w == -1).sum()} {image} {node.op.stride} {node.inputs[2].const[0]}"
        for kernel in (replace(plain, helium=helium) for plain in (KERNEL, BYTES, RICE, BLOCKS, BASE3)):
            if kernel.layouts(node, lay[:1], lay[1]) and kernel.accepts(node, harness.accumulators(node)):
                yield node_program(f"{text} {kernel.name}", node, kernel, sig, [x], want)


# ---- strips ----


def geometry(
    shape: tuple[int, int, int],
    w: tuple[int, int],
    op: Conv2d,
    *,
    kind: str = "sparse",
    out: int = 2,
    to: Out = FULL,
    dtype: DType = DType.U8,
) -> Node:
    """A layer of that geometry with weights of one of WEIGHT_KINDS; dtype: of its pixels."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, w, op.stride, kind)).encode()))
    x = ops.activation("x", shape, op.pad_value, dtype)
    raw = ops.make(op, x, ops.draw_weights(rng, DType.T, (out, shape[0] // op.groups, *w), kind))
    return ops.requantized(raw, rng, to)


def depthwise(shape: tuple[int, int, int], w: tuple[int, int], op: DepthwiseConv2d, to: Out = FULL) -> Node:
    """A ternary depthwise layer of that geometry."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, w, op.stride)).encode()))
    raw = ops.make(op, ops.activation("x", shape, op.pad_value), ops.draw_weights(rng, DType.T, (shape[0], *w)))
    return ops.requantized(raw, rng, to)


def windows(dtype: DType, rows: int, stepped: int) -> Iterator[tuple[str, Node]]:
    """Dilation, high and wide kernels, a step in one direction, a single row, all from and to dtype.

    rows: of an image with several in a lane; stepped: of one for a step of 2 from row to row.
    """
    of = partial(geometry, dtype=dtype, to=Out.full(dtype))
    yield "5x5", of((2, rows, 13), (5, 5), Conv2d(padding=(2, 2, 2, 2), pad_value=9))
    yield "3x3d2", of((2, rows, 13), (3, 3), Conv2d(padding=(2, 2, 2, 2), dilation=(2, 2)))
    yield "1xk", of((2, 8, 20), (1, 7), Conv2d(padding=(0, 3, 0, 3)))
    yield "kx1", of((2, 40, 1), (7, 1), Conv2d(padding=(3, 0, 3, 0)))
    yield "s21", of((2, stepped, 5), (3, 3), Conv2d((2, 1), (1, 1, 1, 1)))
    yield "s12", of((2, 8, 9), (3, 3), Conv2d((1, 2), (1, 1, 1, 1)))
    yield "one row", of((4, 1, 9), (1, 3), Conv2d(padding=(0, 1, 0, 1), pad_value=dtype.hi))


def geometries() -> Iterator[tuple[str, Node]]:
    """Every remainder of the width by strips, both steps, dilation, high and wide kernels, images of few rows."""
    for width in range(1, 19):
        yield f"1x1 {width}", geometry((3, 9, width), (1, 1), Conv2d())
        yield f"3x3 {width}", geometry((2, 6, width), (3, 3), Conv2d(padding=(1, 1, 1, 1), pad_value=128))
        yield f"1x1s2 {width}", geometry((3, 8, width), (1, 1), Conv2d(stride=(2, 2)))
        yield f"3x3s2 {width}", geometry((2, 8, width), (3, 3), Conv2d((2, 2), (1, 1, 1, 1), pad_value=7))
    yield from windows(DType.U8, 12, 16)
    for lo, hi in ((0, 15), (10, 240), (128, 255), (1, 2)):
        yield f"clamp {lo} {hi}", geometry((5, 9, 7), (3, 3), Conv2d(padding=(1,) * 4), to=replace(FULL, lo=lo, hi=hi))
    for kind in ops.WEIGHT_KINDS:
        yield f"kind {kind}", geometry((25, 5, 7), (3, 1), Conv2d(padding=(1, 0, 1, 0)), kind=kind)
    for groups, out in ((2, 2), (2, 6), (3, 3), (6, 6), (6, 12)):
        op = Conv2d(padding=(1, 1, 1, 1), groups=groups, pad_value=3)
        yield f"groups {groups} {out}", geometry((6, 9, 7), (3, 3), op, out=out)
    yield "groups 1x1s2", geometry((6, 8, 10), (1, 1), Conv2d((2, 2), groups=2), out=4)
    for to in (
        Out.full(DType.U4),
        Out(DType.U8, Quant(1.0), 0, 201),
        Out(DType.U8, Quant(1.0, 10), 10, 240),
        Out(DType.U8, Quant(1.0), 0, 0),
    ):
        for width in (1, 2, 3, 4, 13):
            yield f"to {to.lo}..{to.hi} {width}", geometry((20, 7, width), (1, 1), Conv2d(), out=4, to=to)
    yield "nothing to u4", geometry((4, 7, 5), (1, 1), Conv2d(), kind="zero", to=Out.full(DType.U4))
    yield "depthwise 3x3", depthwise((5, 9, 11), (3, 3), DepthwiseConv2d(padding=(1, 1, 1, 1), pad_value=128))
    yield "depthwise 3x3s2", depthwise((5, 16, 12), (3, 3), DepthwiseConv2d((2, 2), (1, 1, 1, 1)))
    yield "depthwise 5x5", depthwise((3, 9, 7), (5, 5), DepthwiseConv2d(padding=(2, 2, 2, 2)), Out.full(DType.U4))
    yield "depthwise 1xk", depthwise((3, 8, 12), (1, 5), DepthwiseConv2d(padding=(0, 2, 0, 2), pad_value=7))
    yield "depthwise kx1d2", depthwise((3, 24, 1), (3, 1), DepthwiseConv2d(padding=(2, 0, 2, 0), dilation=(2, 1)))


def layer(
    counts: Sequence[tuple[int, int]],
    w: tuple[int, int, int],
    mult: float = 0.003,
    offset: float = 100,
    to: Out = FULL,
    dtype: DType = DType.U8,
) -> Node:
    """Channels with so many -1 and +1 weights at random places; w: channels of x, rows and columns of the kernel."""
    rng = np.random.default_rng(w)
    weights = np.zeros((len(counts), w[0] * w[1] * w[2]), np.int8)
    for row, (minus, plus) in zip(weights, counts, strict=True):
        row[: minus + plus] = [-1] * minus + [1] * plus
        rng.shuffle(row)
    return tailed(weights.reshape(len(counts), *w), mult, offset, to, dtype)


def tailed(w: Array, mult: float = 0.003, offset: float = 100, to: Out = FULL, dtype: DType = DType.U8) -> Node:
    """A layer of 4 rows of 2 pixels with those weights, padded to stay as large."""
    rows, cols = w.shape[2:]
    op = Conv2d(padding=(rows // 2, cols // 2, (rows - 1) // 2, (cols - 1) // 2))
    x = ops.activation("x", (w.shape[1], 4, 2), 0, dtype)
    acc = harness.accumulators(ops.make(op, x, ops.constant("w", DType.T, w)))
    tail = fixed.lower(np.full(len(w), mult), offset - 3 * np.arange(len(w)) % 70, acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    constants = [ops.constant(*c) for c in named]
    return ops.make(replace(op, to=to), x, ops.constant("w", DType.T, w), *constants)


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
    for mult in (0.003, 0.9):
        yield (
            f"clamp {mult}",
            layer([(3, 4), (0, 7), (7, 0)], (20, 1, 1), mult, to=Out(DType.U8, Quant(1.0, 10), 10, 200)),
        )


def blocks() -> Iterator[tuple[str, Node]]:
    """Every block in every place of a group, by every code; channels that end there; nothing but zeros, and none."""
    rng = np.random.default_rng(5)
    for density in (0.0, 0.26, 0.4, 0.6, 0.74, 1.0):
        for shape in ((70, 10, 2, 2), (31, 1, 3, 3), (97, 1, 1, 1), (32, 91, 1, 1), (3, 29, 1, 3)):
            w = rng.choice([-1, 1], shape) * (rng.random(shape) < density)
            yield f"blocks {density} {shape}", tailed(w.astype(np.int8))


def channels() -> Iterator[tuple[str, Node]]:
    """Pointwise layers by bytes: lists of every length up to two full tokens, in strips of every width, every end."""
    counts = [(int(n), p) for p in range(34) for n in (0, 1, 16, 17, p)]
    yield "lists", layer(counts, (70, 1, 1))
    yield "all", layer([(256, 0), (0, 256), (128, 128), (0, 0)], (256, 1, 1), offset=10)
    for width in (1, 2, 3, 4, 9):
        for to in (FULL, Out(DType.U8, Quant(1.0, 10), 10, 200)):
            for mult in (0.003, 0.9):
                node = geometry((40, 4, width), (1, 1), Conv2d(), out=5, to=to)
                yield f"{width} {to.lo} {mult}", rescaled(node, mult)


def rescaled(node: Node, mult: float) -> Node:
    """The node with that multiplier for all channels."""
    acc, to = harness.accumulators(node), node.op.to  # type: ignore[attr-defined]
    n = node.output.type.shape[0]
    tail = fixed.lower(np.full(n, mult), np.full(n, 100.0), acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(node.op, *node.inputs[:2], *(ops.constant(*c) for c in named))


def test_bytes_are_for_pointwise_layers_of_256_channels() -> None:
    """Which are never split; their programs are those of the other encoding."""
    rows = layout.rows_for(4)

    def taken(node: Node, kernel: Sparse = BYTES) -> Signature | None:
        return kernel.layouts(node, (layout.lanes(node.inputs[0].type, rows),), layout.lanes(node.output.type, rows))

    for c, size, fits in ((256, 1, True), (257, 1, False), (8, 3, False)):
        node = layer([(1, 1)], (c, size, size))
        assert bool(taken(node)) == fits and taken(node, KERNEL)
    assert not taken(geometry((4, 4, 6), (1, 1), Conv2d((1, 2))))
    assert not taken(geometry((4, 4, 6), (1, 1), Conv2d(groups=2)))
    for name, node in channels():
        sig, acc = taken(node), harness.accumulators(node)
        assert sig is not None and BYTES.accepts(node, acc), name
        tables = [{f.name: f.value for f in k.bind(node, sig, acc).fields} for k in (BYTES, KERNEL)]
        assert np.array_equal(*(np.asarray(table["packing"]) for table in tables))
        assert (tables[0]["x_plane"], tables[1]["x_plane"]) == (sig.inputs[0].plane, 0)
        data = [np.asarray(table["weights"]) for table in tables]
        at = 0
        for (lead, rest, centre), end in pack.unpack_bytes(data[0], len(node.inputs[1].const)):
            ((words, others, same),), last, size = pack.unpack_lists16(data[1][at:])
            at += size
            assert (centre, end) == (same, last)
            for a, b in ((lead, words), (rest, others)):
                assert (a * sig.inputs[0].plane).tolist() == b.tolist()
        assert at == data[1].size
    ends = {end for _, node in channels() for end in {c.end for c in strips.channels(node, harness.accumulators(node))}}
    assert ends == {pack.END, pack.END_SHIFT, pack.END_LIMITS, pack.END_TWICE}


def test_tails_of_6_bytes() -> None:
    """They are the 8 bytes of the other encoding; add must lie within 2^26 units of 2^(shift - 16)."""
    nodes = [*(node for _, node in decodings()), *(layer([(13, 13)], (60, 1, 1), 0.4, at) for at in (1020.0, -1020.0))]
    for node in nodes:
        for how in sparse._compact(node, harness.accumulators(node)) or [None]:
            assert how is not None
            low, high = (half & 0xFFFF for half in strips.packed_tail(how))
            rest = (high << 16 | low) - (high >> 15 << 32)
            assert (rest & 31, rest >> 5 << max(0, (rest & 31) - 16)) == (how.scale >> 16, how.add)
            assert (how.end == pack.END_SHIFT) == (rest & 31 < 16)
            assert (how.end == pack.END_LIMITS) == (rest & 31 >= 16 and node.op.to != FULL)  # type: ignore[attr-defined]
    for at in (1028.0, -1028.0):
        node = layer([(13, 13)], (60, 1, 1), 0.4, at)
        assert KERNEL.accepts(node, harness.accumulators(node)) and not RICE.accepts(node, harness.accumulators(node))
    for at in (1020.0, 1028.0, -1020.0, -1028.0):  # lists have 8 bytes instead, for all channels
        node = layer([(13, 13), (0, 1)], (60, 1, 1), 0.4, at)
        channels = strips.channels(node, harness.accumulators(node))
        tails, packing = (np.asarray(f.value) for f in strips.tails(channels))
        if abs(at) > 1024:
            assert tails.tolist() == [[how.scale, how.add] for how in channels] and packing == NULL
        else:
            assert tails == NULL and packing.shape == (2, 3)


def test_a_code_has_no_split_channels_and_no_groups() -> None:
    """Nor 64 bits; and then none is bound, because it is not accepted."""
    for (minus, plus), dtype, fits in (
        ((250, 0), DType.U8, True),
        ((129, 129), DType.U8, False),
        ((250, 250), DType.U7, True),
    ):
        node = layer([(0, 0), (minus, plus)], (600, 1, 1), dtype=dtype)
        acc = harness.accumulators(node)
        assert RICE.accepts(node, acc) == fits and KERNEL.accepts(node, acc)
    long = other_tail(dense(128, 0), add=(1 << 31) - (1 << 24))
    acc = harness.accumulators(long)
    assert KERNEL.accepts(long, acc) and not RICE.accepts(long, acc)
    assert {len(how.parts) > 1 for how in strips.channels(long, acc)} == {True, False}
    lay = layout.lanes(ops.activation("x", (6, 9, 7), 0).type, 3)
    for groups in (1, 2, 6):
        node = geometry((6, 9, 7), (1, 1), Conv2d(groups=groups), out=6)
        assert KERNEL.layouts(node, (lay,), lay) and bool(RICE.layouts(node, (lay,), lay)) == (groups == 1)
    assert (
        DEPTHWISE.name == "sparse/lists16 depthwise" and RICE.name == "sparse/rice" and KERNEL.name == "sparse/lists16"
    )


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
    assert found["clamp 0.003"][9] == pack.END_LIMITS and found["groups"][9] == pack.END
    assert any(shift < 16 for shift in found["shifts"][12 : 12 + 9 : 3] & 31)
    assert {len(p) for p in found.values()} >= {11 + 3 * 40, 11 + 4 * 4}


def test_blocks_reach_every_path() -> None:
    """Of each code: every block first and last in a group, halfwords of codes and of signs that begin everywhere."""
    seen: dict[int, set[tuple[int, int]]] = {parameter: set() for parameter in range(4)}
    ends: dict[int, set[int]] = {parameter: set() for parameter in range(4)}
    for name, node in blocks():
        assert BLOCKS.accepts(node, harness.accumulators(node)), name
        w = node.inputs[1].const
        stream = w.transpose(0, 2, 3, 1).ravel()
        _, parameter = pack.blocks_bits(stream)
        there = pack._blocks(stream, parameter & 1)
        for at in range(pack.BLOCKS):
            seen[parameter] |= {(at, block) for block in there[:, at].tolist()}
        ends[parameter] |= {o * w[0].size % 30 for o in range(1, len(w))}
    for parameter in range(4):
        assert len(seen[parameter]) == pack.BLOCKS * 8 and ends[parameter] == {*range(30)}, parameter


@cache
def programs() -> tuple[Program, ...]:
    rng = np.random.default_rng
    found = [p for name, node in geometries() for p in node_programs(name, node, rng(3))]
    found = [
        p for p in found if p.label in (KERNEL.name, BYTES.name, RICE.name, BLOCKS.name, BASE3.name, DEPTHWISE.name)
    ]
    coded = [p for name, node in decodings() for p in node_programs(f"decode {name}", node, rng(3))]
    listed = [p for name, node in channels() for p in node_programs(f"channels {name}", node, rng(3))]
    return (
        *found,
        *edge_programs(),
        *(p for p in coded if p.label == RICE.name),
        *[p for p in coded if p.label in (BLOCKS.name, BASE3.name)][::7],
        *block_programs(),
        *(p for p in listed if p.label == BYTES.name),
    )


def block_programs() -> Iterator[Program]:
    for name, node in blocks():
        inputs = harness.samples(node, np.random.default_rng(3))
        sig = harness.signatures(BLOCKS, node)[0]
        yield node_program(f"{name} {sig}", node, BLOCKS, sig, inputs, harness.evaluate(node, inputs))


@cache
def helium_programs() -> tuple[Program, ...]:
    """The same in strips of up to 12 words."""
    found = [*edge_programs(helium=True)]
    for name, node in (*geometries(), *decodings(), *blocks()):
        inputs = harness.samples(node, np.random.default_rng(3))
        want = harness.evaluate(node, inputs)
        for plain in (KERNEL, RICE, BLOCKS, BASE3, DEPTHWISE):
            kernel = replace(plain, helium=True)
            if kernel.op is not type(node.op) or not kernel.accepts(node, harness.accumulators(node)):
                continue
            for required in harness.signatures(kernel, node)[:2]:
                for sig in harness.larger(required, node):
                    found.append(node_program(f"{name} {kernel.name} {sig}", node, kernel, sig, inputs, want))
    return tuple(found)


@pytest.mark.parametrize("machine", [pytest.param(m, marks=needs_arm) for m in ("mps2-an386", "mps3-an547")])
def test_every_path_of_helium(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(helium_programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path_of_helium() -> None:
    """Every width at both steps, as the last strip and before others that overlap or not; with each rarer token too."""
    strips, rare = set(), set()
    for p in helium_programs():
        values = {f.name: f.value for f in next(a.bound for a in p.actions if isinstance(a, Step)).fields}
        runs = np.asarray(values["runs"]).reshape(-1, 4)[values["run_count"] :]
        strips |= {(values["step"], int(w), int(n > w) + int(n % w > 0)) for _, _, n, w in runs}
        used = {(values["step"], int(w)) for _, _, _, w in runs}
        data, at = values["weights"], 0
        assert isinstance(data, np.ndarray)
        while p.label not in (RICE.name, BLOCKS.name, BASE3.name) and at < data.size:
            parts, end, size = pack.unpack_lists16(data[at:])
            at += size
            rare |= {(end, min(len(parts), 3), *some) for some in used}
    widths = [(step, w) for step, some in sparse._HELIUM_WIDTHS.items() for w in some]
    assert {(step, w) for step, w, _ in strips} == set(widths) and {kind for _, _, kind in strips} == {0, 1, 2}
    assert rare >= {(pack.END_WIDE, 2, *some) for some in widths} | {(pack.END_LONG, 3, *some) for some in widths}
    assert rare >= {(end, 1, 1, w) for end in (pack.END_SHIFT, pack.END_LIMITS) for w in (1, 2, 3, 4, 5, 12)}
    assert rare >= {(end, 1, 1, w) for end in (pack.END_TWICE, pack.END_FOURFOLD) for w in (1, 2, 3, 4, 12)}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    """Every end, centre and number of parts; every width of strip at both steps, also with each of the rarer tokens."""
    firsts, centres, strips, rare, tails, longest = set(), set(), set(), set(), set(), 0
    for p in programs():
        if p.label in (RICE.name, BLOCKS.name, BASE3.name, BYTES.name):
            continue
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in bound.fields}
        runs = np.asarray(values["runs"]).reshape(-1, 4)
        used = {(values["step"], int(words)) for _, _, _, words in runs}
        strips |= {(values["step"], int(words), bool(n > words)) for _, _, n, words in runs}
        tails.add(isinstance(values["tails"], str))
        data, at = values["weights"], 0
        assert isinstance(data, np.ndarray)
        while at < data.size:
            parts, end, size = pack.unpack_lists16(data[at:])
            firsts.add((parts[0][0].size > 0, end))
            centres |= {c if c is None else int(np.sign(c)) for _, _, c in parts}
            longest, at = max(longest, *(len(list) for part in parts for list in part[:2])), at + size
            rare |= {(end, min(len(parts), 3), *some) for some in used}
    assert tails == {False, True}
    assert firsts >= {(a, b) for a in (False, True) for b in (pack.END, pack.END_SHIFT, pack.END_LIMITS)}
    assert centres == {None, -1, 0, 1} and longest > 32
    assert strips >= {(step, words, False) for step in (1, 2) for words in (1, 2, 3, 4)}
    assert {words for step, words, many in strips if many} >= {3, 4}
    widths = list(itertools.product((1, 2), (1, 2, 3, 4)))
    assert rare >= {(pack.END_WIDE, parts, *some) for parts in (2, 3) for some in widths}
    assert rare >= {(pack.END_LONG, 3, *some) for some in widths}
    ends = pack.END_SHIFT, pack.END_LIMITS, pack.END_TWICE, pack.END_FOURFOLD
    assert rare >= {(end, 1, 1, words) for end in ends for words in (1, 2, 3, 4)}


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
    a, step = sig.inputs[0], stride[1]
    for out, helium in itertools.product((sig.output, layout.lanes(y, rows, 1, 2, a.pad_cols)), (False, True)):
        written = np.zeros(out.plane, int)
        made = sparse._helium_runs if helium else strips.runs
        for x_at, at, n, words in made(node, Signature(sig.inputs, out)):
            assert n % words == 0 or (helium and n > words)
            assert at >= 0 and at + n <= out.plane
            assert x_at >= 0 and x_at + (n - 1) * step + 2 * pad * (a.pitch + 1) < a.plane
            written[at : at + n] += 1
        shown = layout.element_map(out, (1, *y.shape[1:])).reshape(out.plane, 4)
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
    found = [str(strip) for strip, n in strips.cover(words, strips.prices(40)) for _ in range(n)]
    assert "+".join(found) == want


# ---- cost ----


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
    for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw64_25x5", "pw256_3"], [0.1, 0.35, 0.67]):
        assert abs(r.estimated / r.cycles - 1) < off, r
    for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw64_25x5", "pw256_3"], [0.1, 0.35], encoding="rice"):
        assert abs(r.estimated / r.cycles - 1) < off, r
    for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw64_25x5", "pw256_3"], [0.2, 0.38], encoding="blocks"):
        assert abs(r.estimated / r.cycles - 1) < off, r
    for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw256_3"], [0.67], encoding="base3"):
        assert abs(r.estimated / r.cycles - 1) < max(off, 0.03), r
    for r in bench.rows(targets.get(core).core, ["pw64_25x5", "pw128_6", "pw256_3"], [0.1, 0.35], encoding="bytes"):
        assert abs(r.estimated / r.cycles - 1) < off, r


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m3", "cortex-m0plus"])
def test_layers_take_no_more_than_the_prototypes(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    for r in bench.rows(targets.get(core).core, ["c3_32_16", "c3_64_8", "pw256_3"], [0.1, 0.5], unsplit=True):
        assert r.per_mac < r.bar + 0.0006, r  # they are rounded
    for r in bench.rows(targets.get(core).core, ["c3_32_16", "c3_64_8", "pw256_3"], [0.1, 0.35], encoding="rice"):
        assert r.bar is None or r.per_mac < 1.01 * r.bar, r


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m3", "cortex-m7"])
def test_split_channels_take_little_more(core: str, bench: ModuleType) -> None:
    """At equal weights: two parts and three beside one, which narrower pixels allow."""
    pytest.importorskip("unicorn")
    layers, densities = ["c3_64_8", "pw256_3"], [0.5, 1.0]
    whole, split = (bench.rows(targets.get(core).core, layers, densities, unsplit=u) for u in (True, False))
    for a, b in zip(whole, split, strict=True):
        assert (a.input == b.input) == (a.layer == "pw256_3"), (a, b)
        assert b.cycles <= 1.05 * a.cycles, (a, b)
