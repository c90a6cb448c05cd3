"""The kernels for fully connected layers: every path on every core, their encodings, tails, choice and cost."""

from __future__ import annotations

import importlib
import itertools
import re
import shutil
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import harness
import numpy as np
import pytest
from harness import Program, Step, node_programs
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen import driver, fixed, pack, targets
from mcugen.check import check
from mcugen.ir import Array, DType, Graph, Node, Out, Quant, Range, Value
from mcugen.kernels.base import SUMS, Signature, sums_fields
from mcugen.kernels.linear_codes import LinearCodes
from mcugen.kernels.linear_dots import LinearDots
from mcugen.kernels.linear_lists import LinearLists
from mcugen.kernels.linear_pairs import LinearPairs
from mcugen.kernels.linear_rice import LinearRice
from mcugen.kernels.linear_tables import LinearTables
from mcugen.layout import FLAT
from mcugen.ops import base as ops
from mcugen.ops.linear import Linear

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [
    "host",
    "sanitised",
    *(
        pytest.param(m, marks=needs_arm)
        for m in ("microbit-large", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
    ),
]
TERNARY = (LinearLists(), LinearRice(), LinearCodes(), LinearTables())
INT8 = (LinearPairs(), LinearDots(), LinearDots(few=True))
KERNELS = (*TERNARY, *INT8)
TAILS = (None, Out.full(DType.U8), Out(DType.U8, Quant(0.1, 128), 10, 240), Out.full(DType.U4), Out.full(DType.I16))
Factory = pytest.TempPathFactory


def layer(w: Array, to: Out | None, seed: int = 0, lanes: tuple[int, ...] = (), dtype: DType = DType.T) -> Node:
    """A layer with these weights (O, N); lanes: the shape of its input, if not (N,)."""
    raw = ops.make(Linear(), ops.activation("x", lanes or (w.shape[1],)), ops.constant("w", dtype, w))
    return ops.requantized(raw, np.random.default_rng(seed), to) if to else raw


def weights(outputs: int, n: int, density: float) -> Array:
    rng = np.random.default_rng([outputs, n, int(100 * density)])
    return np.where(rng.random((outputs, n)) < density, rng.choice([-1, 1], (outputs, n)), 0).astype(np.int8)


def nodes() -> Iterator[tuple[str, Node]]:
    """Every remainder of the loops over inputs, weights and outputs, every k, entries of all lengths, empty outputs."""
    for i, n in enumerate((*range(1, 19), 31, 32, 33, 255, 256, 257, 300, 511, 513)):
        for density in (0.15, 0.6):
            yield f"n {n} {density}", layer(weights(1 + i % 5, n, density), TAILS[i % 5], i)
    for outputs in (SUMS - 1, SUMS, SUMS + 1, 2 * SUMS, 2 * SUMS + 3):
        yield f"outputs {outputs}", layer(weights(outputs, 20, 0.3), TAILS[1], outputs)
    for i, density in enumerate((0.003, 0.006, 0.012, 0.025, 0.05, 0.1, 0.2, 0.35, 0.9)):
        yield f"density {density}", layer(weights(24, 128, density), TAILS[1 + i % 4], i)
    for count in range(41):  # of each sign
        w = np.repeat([1, -1, 0], [count, 40 - count, 5])
        yield f"count {count}", layer(np.stack([w, np.roll(w, 9)]).astype(np.int8), TAILS[1])
    for kind, to in itertools.product(("zero", "one", "plus", "minus"), (TAILS[1], TAILS[4])):
        w = ops.draw_weights(np.random.default_rng(1), DType.T, (19, 150), kind).const
        yield f"kind {kind} {to and to.dtype}", layer(w, to)
    for k in range(8):  # ones that run over several halfwords, at every place in them
        w = np.zeros((40, 500), np.int8)
        w[0] = weights(1, 500, 0.7 / (1 << k))
        flat = w.ravel()
        flat[500 + np.cumsum(np.arange(7, 190, 9))[:15] * 9] = 1
        flat[-1] = k % 2
        yield f"long {k}", layer(w, TAILS[1])
    yield "lanes", layer(weights(6, 150, 0.3), TAILS[1], lanes=(3, 10, 5))
    for i, n in enumerate((*range(1, 19), 31, 32, 33, 64, 65, 127, 200, 300)):
        yield f"int8 n {n}", layer(int8(1 + i % 5, n), TAILS[i % 5], i, dtype=DType.I8)
    for outputs in (SUMS - 1, SUMS, SUMS + 1, 2 * SUMS + 3):
        yield f"int8 outputs {outputs}", layer(int8(outputs, 20), TAILS[1], outputs, dtype=DType.I8)
    for kind, n in itertools.product(("zero", "one", "plus", "minus"), (16, 47)):
        w = ops.draw_weights(np.random.default_rng(1), DType.I8, (7, n), kind).const
        yield f"int8 kind {kind} {n}", layer(w, TAILS[4], dtype=DType.I8)
    for outputs in (*range(1, 14), 30, 31):  # groups of six, and the rest
        yield f"int8 groups {outputs}", layer(int8(outputs, 9), TAILS[1], outputs, dtype=DType.I8)
    for sum_ in (255, 256, 510, 511, 512):  # of the magnitudes of four weights: 255 is the last that needs no list
        w = heaviest(sum_)
        yield f"int8 heavy {sum_}", layer(w, None, dtype=DType.I8)
    yield "int8 least", layer(np.full((5, 700), -128, np.int8), TAILS[1], dtype=DType.I8)
    yield "int8 lanes", layer(int8(6, 150), TAILS[1], lanes=(3, 10, 5), dtype=DType.I8)


def heaviest(sum_: int) -> Array:
    """Four weights whose magnitudes have this sum, in all orders and with all signs, one such row an output: (O, 4)."""
    least = [min(128, max(0, sum_ - 128 * i)) for i in range(4)]
    even = [sum_ // 4 + (i < sum_ % 4) for i in range(4)]
    orders = {o for row in (least, even) for o in itertools.permutations(row)}
    rows = {tuple(s * v for s, v in zip(signs, o, strict=True)) for o in orders for signs in SIGNS}
    return np.array(sorted(row for row in rows if max(row) < 128), np.int8)


SIGNS = list(itertools.product((1, -1), repeat=4))


def int8(outputs: int, n: int) -> Array:
    """Weights of all sizes, -128 too."""
    return np.random.default_rng([outputs, n]).integers(-128, 128, (outputs, n)).astype(np.int8)


@cache
def programs() -> tuple[Program, ...]:
    labels, found = {k.name for k in KERNELS}, []
    for name, node in nodes():
        made = node_programs(name, node, np.random.default_rng(zlib.crc32(name.encode())))
        found += [p for p in made if p.label in labels]
    return tuple(found)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    counts, ks, longest = set(), set(), 0
    tails: set[tuple[str, int, int]] = set()
    for p in programs():
        bound = next(a.bound for a in p.actions if isinstance(a, Step))
        values = {f.name: f.value for f in bound.fields}
        tail = {f.name: f.value for f in values["tail"]}  # type: ignore[union-attr]
        function = str(values["finish"]).removeprefix("mcugen1_linear_")
        tails.add((function, tail["bytes"], tail["wide"]))  # type: ignore[arg-type]
        if p.label == "linear_rice/rice16":
            bits = np.unpackbits(np.asarray(values["weights"]).astype(">u2").view(np.uint8))
            ks.add(values["k"])
            longest = max(longest, max(len(run) for run in "".join(map(str, bits)).split("0")))
        elif p.label == "linear_lists/lists8":
            data, at = np.asarray(values["weights"]), 0
            while at < data.size:
                counts.add(31 - int(data[at]))
                at += 32 - int(data[at])
    assert counts == set(range(32)) and ks == set(range(8)) and longest > 100
    sums = {("sums", 4, 0), ("sums", 2, 0), ("sums", 2, 1), ("sums", 1, 1)}
    assert tails >= {("bytes", 1, 0), ("halves", 2, 0), ("wide", 1, 0), ("wide", 1, 1), *sums}, tails


# ---- tails ----


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(
    st.floats(-1.2, 1.2) | st.sampled_from([0.0, 1e-6, 0.49999, 0.5, 0.99999, 1.0]),
    st.floats(-3000, 3000),
    st.integers(1, 200000) | st.integers(1, 1 << 26),
    st.integers(0, 1 << 30),
)
def test_packed_tails_are_the_rule(multiplier: float, offset: float, reach: int, seed: int) -> None:
    w = np.array([[1]], np.int8)
    acc = Range(np.array([-reach]), np.array([reach]))
    tail = fixed.lower(np.array([multiplier]), np.array([offset]), acc.lo, acc.hi, 0, 255)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    x, kernel = ops.activation("x", (1,)), ops.constant("w", DType.T, w)
    node = ops.make(Linear(to=TAILS[1]), x, kernel, *(ops.constant(*c) for c in named))
    finish, inner = sums_fields(node, acc)
    function = finish.function.removeprefix("mcugen1_linear_")
    fields = {f.name: f.value for f in inner.value}  # type: ignore[union-attr]
    mult, add, shift = (int(v[0]) for v in tail)
    could = abs(add * 2.0 ** (15 - shift)) < 1 << 26
    assert (function == "bytes") == (could and shift >= 15 and not fields["wide"]) and (could or function == "sums")
    if function == "sums":
        assert np.array_equal(fields["add"], tail[1]) and np.array_equal(fields["shift"], tail[2])
        return
    word = int(np.asarray(fields["add"])[0])
    some = np.random.default_rng(seed).integers(-reach, reach + 1, 20)
    for s in (-reach, -1, 0, 1, reach, *map(int, some)):
        if function == "bytes":
            product = s * mult >> (word & 31)
            assert abs(s * mult) < 1 << 31
        else:
            a = s << (word & 31)
            lower = (a & 0xFFFF) * mult
            product = (a >> 16) * mult + (lower >> 16)
            assert abs(a) < 1 << 31 and abs(lower) < 1 << 31 and abs(product) < 1 << 31
        assert abs(product + (word >> 5)) < 1 << 31
        got = min(max(product + (word >> 5) >> 15, 0), 255)
        assert got == int(fixed.requantize(np.array(s), mult, add, shift, 0, 255))


# ---- encodings ----


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.integers(1, 40), st.integers(1, 600), st.sampled_from([0, 0.002, 0.02, 0.1, 0.3, 0.6, 1]))
def test_encodings_round_trip(outputs: int, n: int, density: float) -> None:
    w = weights(outputs, n, density)
    block = pack.lists8_block(w)
    lists, counts = pack.pack_lists8(w, block), pack.lists8_counts(w, block)
    assert counts.max() <= 31 and 1 <= block <= 256 and counts.sum() == np.count_nonzero(w)
    assert lists.size == counts.sum() + counts.size and counts.shape == (outputs, 2 * -(-n // block))
    assert np.array_equal(pack.unpack_lists8(lists, block, n, outputs), w)
    codes = pack.pack_codes2(w)
    assert codes.size == -(-outputs // 4) * 4 * -(-n // 16)
    assert np.array_equal(pack.unpack_codes2(codes, outputs, n), w)
    places = pack.pack_codes81(w)
    assert places.size == -(-outputs // 4) * 4 * -(-n // 32) * 8 and not np.any(places % 2) and places.max() <= 2 * 82
    assert np.array_equal(pack.unpack_codes81(places, outputs, n), w)
    rice, k = pack.pack_rice16(w)
    bits, best = pack.rice_bits(w, pack.MOST_RICE16)
    assert best == k and rice.size == -(-bits // 16) + 1
    assert np.array_equal(pack.unpack_rice16(rice, k, w.size), w.ravel())
    wide = int8(outputs, n)
    chunk = 1 + n % 7
    dots = pack.pack_dots8(wide, chunk)
    light, heavy = pack.split_dots8(wide)
    assert np.array_equal(light + heavy, wide) and np.all(light * heavy >= 0)
    assert np.abs(np.add.reduceat(np.abs(light), np.arange(0, n, 4), axis=1)).max() <= pack.HEAVIEST
    assert dots.size == outputs * (1 + -(-n // 4)) + np.count_nonzero(heavy)
    assert np.array_equal(pack.unpack_dots8(dots, outputs, n, chunk), wide)
    pairs = pack.pack_pairs8(wide)
    assert pairs.size == -(-outputs // 4) * (-(-n // 16) * 16 + 2 * ((n > 15) + (n % 16 > 0)))
    assert np.array_equal(pack.unpack_pairs8(pairs, outputs, n), wide)


def test_literal_bytes() -> None:
    w = np.zeros((2, 300), np.int8)
    w[0, [3, 255, 256]], w[0, 7], w[1, 299] = 1, -1, -1
    assert pack.lists8_block(w) == 150
    assert pack.pack_lists8(w, 150).tobytes().hex(" ") == "1e 03 1e 07 1d 69 6a 1f 1f 1f 1f 1e 95"
    v = np.array([[0, 1, 0, 0, -1, 0]], np.int8)  # gaps 1 2 1 with k = 0: 10 0, 110 1, 10 0
    halfwords, k = pack.pack_rice16(v)
    assert k == 0 and [f"{h:04x}" for h in halfwords] == ["9b00", "0000"]
    codes = pack.pack_codes2(np.array([[1] + [-1] * 15 + [0], [-1] * 16 + [1]], np.int8))
    assert codes.tolist() == [2, 0, 0, 0, 1, 2, 0, 0]  # two outputs of four; a block, then the rest
    at = [int(np.log2(pack.pack_codes2(row[None])[0] >> 1)) for row in 2 * np.eye(16, dtype=np.int8) - 1]
    assert at == [0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30]


def upper(w: Array, x: Array) -> Array:
    """What dots8.h says of words of weights (O, 4) and inputs (B, 4): (B, O), modulo 2^32 as int64."""
    p, q, r, s = (x.astype(np.int64) - 128).T[..., None]
    wp, wq, wr, ws = (w.astype(np.int64) + 128).T
    pq, rs = p + (q << 16), r + (s << 16)
    even, odd = wq + (wp << 16), ws + (wr << 16)
    straight, crossed = ((pq - (rs << 8)) * 65537 % 2**32, (rs - (pq << 8)) * 65537 % 2**32)
    centre = 2**15 - 128 * 65537 * (pq + rs)
    word, swapped = even + (odd << 8), odd + (even << 8)  # of unsigned bytes
    total = straight.astype(np.uint32) * word.astype(np.uint32) + crossed.astype(np.uint32) * swapped.astype(np.uint32)
    return np.asarray((total + (centre % 2**32).astype(np.uint32)).view(np.int32) >> 16, np.int64)


def test_the_upper_half_is_the_dot_product_up_to_the_edge() -> None:
    ends = np.array(list(itertools.product((0, 1, 127, 128, 255), repeat=4)), np.uint8)
    for sum_, exact in ((0, True), (1, True), (254, True), (255, True), (256, False)):
        w = heaviest(sum_)
        want = (ends.astype(np.int64) - 128) @ w.T.astype(np.int64)
        assert np.array_equal(upper(w, ends), want) == exact, sum_
    some = np.random.default_rng(1)
    light, _ = pack.split_dots8(some.integers(-128, 128, (2000, 4)).astype(np.int8))
    x = some.integers(0, 256, (500, 4)).astype(np.uint8)
    assert np.array_equal(upper(light, x), (x.astype(np.int64) - 128) @ light.T)


def test_the_heaviest_weights_are_split() -> None:
    light, heavy = pack.split_dots8(np.array([[100, -120, 30, 5, 0], [-128, -128, -128, -128, -128]], np.int8))
    assert light.tolist() == [[100, -120, 30, 5, 0], [0, 0, -127, -128, -128]]
    assert not heavy[0].any() and heavy[1].tolist() == [-128, -128, -1, 0, 0]
    light, heavy = pack.split_dots8(np.array([[100, -120, 30, 6]], np.int8))
    assert light.tolist() == [[100, -119, 30, 6]] and heavy.tolist() == [[0, -1, 0, 0]]
    with pytest.raises(AssertionError, match="too many inputs"):
        pack.pack_dots8(np.zeros((1, (1 << 16) + 1), np.int8), 1)


def test_rice_is_near_the_entropy() -> None:
    for density in (0.05, 0.1, 0.2, 0.35, 0.5):
        w = weights(128, 640, density)
        d = np.count_nonzero(w) / w.size
        entropy = d - d * np.log2(d) - (1 - d) * np.log2(1 - d)
        assert 16 * pack.pack_rice16(w)[0].size / w.size < 1.022 * entropy


def test_blocks_have_lists_of_31_at_most() -> None:
    for count, block in ((0, 256), (31, 256), (32, 29), (256, 29)):  # of the first inputs of 256
        w = np.zeros((2, 256), np.int8)
        w[1, :count] = -1
        assert pack.lists8_block(w) == block, count
    with pytest.raises(AssertionError, match="too many weights"):
        pack.pack_lists8(np.ones((1, 32), np.int8), 32)


# ---- choice ----


def chosen(core: str, goal: str, density: float) -> str:
    """density 1: 8-bit weights."""
    dense = density == 1
    node = layer(
        int8(128, 640) if dense else weights(128, 640, density), TAILS[1], dtype=DType.I8 if dense else DType.T
    )
    y = Value("y", node.output.type)
    names = ("x", "w", "m", "a", "s")
    ins = tuple(Value(n, v.type, v.data) for n, v in zip(names, node.inputs, strict=True))
    graph = check(Graph("net", ins[:1], (Node(node.op, ins, y),), (y,)))
    program, _ = driver.choose(graph, targets.get(core), goal)
    return program.steps[-1].kernel.name


@pytest.mark.parametrize(
    "core, goal, density, want",
    [
        ("cortex-m4", "speed", 0.1, "lists8"),
        ("cortex-m4", "speed", 0.5, "codes2"),
        ("cortex-m3", "speed", 0.2, "lists8"),
        ("cortex-m3", "speed", 0.5, "codes81"),
        ("cortex-m0plus", "speed", 0.2, "lists8"),
        ("cortex-m0plus", "speed", 0.5, "codes81"),
        ("cortex-m4", "balanced", 0.5, "codes2"),
        ("cortex-m4", "size", 0.1, "rice16"),
        ("cortex-m0plus", "size", 0.2, "rice16"),
        ("cortex-m4", "speed", 1, "pairs8"),
        ("cortex-m33", "balanced", 1, "pairs8"),
        ("cortex-m3", "speed", 1, "dots8"),
        ("cortex-m0plus", "speed", 1, "dots8"),
        ("cortex-m0plus", "balanced", 1, "few"),
    ],
)
def test_choice(core: str, goal: str, density: float, want: str) -> None:
    assert chosen(core, goal, density).endswith(want)


# ---- cost ----


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent.parent / "bench")
        yield importlib.import_module("linear")


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"])
def test_estimates_are_what_is_simulated(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    found = targets.get(core).core
    some = [k for k in KERNELS if "dsp" in found.isa or not isinstance(k, LinearCodes | LinearPairs)]
    for r in bench.rows(found, list(bench.LAYERS), [0.1, 0.5], some):
        assert abs(r.estimated / r.cycles - 1) < 0.05, r


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m3", "cortex-m0plus"])
def test_layers_take_no_more_than_the_prototypes(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    found = targets.get(core).core
    for r in bench.rows(found, ["fc640_128", "fc128_128"], [0.05, 0.2], [LinearLists()]):
        assert r.per_mac < r.bar, r
    dense = LinearCodes() if "dsp" in found.isa else LinearTables()
    for r in bench.rows(found, ["fc640_128", "fc128_128"], [0.5], [dense]):
        assert r.per_mac < r.bar, r


def test_examples_of_the_format_document() -> None:
    text = (Path(__file__).parent.parent / "docs" / "FORMAT.md").read_text()
    found = re.findall(r"^    (lists8|rice16|codes2|codes81) +([-0+ ]+) += +([0-9a-f ]+)$", text, re.M)
    assert [name for name, _, _ in found] == ["lists8", "rice16", "codes2", "codes81"]
    for name, row, packed in found:
        w = np.array([["-0+".index(c) - 1 for c in row.replace(" ", "")]], np.int8)
        made = {"rice16": lambda v: pack.pack_rice16(v)[0], "lists8": lambda v: pack.pack_lists8(v, 11)} | {
            n: getattr(pack, f"pack_{n}") for n in ("codes2", "codes81")
        }
        assert made[name](w).tobytes().hex(" ") == packed


def test_examples_of_8_bits() -> None:
    text = (Path(__file__).parent.parent / "docs" / "FORMAT.md").read_text()
    found = re.findall(r"^    (pairs8|dots8) +1 -2, 3 4; N = 2, O = 2 += +([0-9a-f ]+)", text, re.M)
    assert [name for name, _ in found] == ["pairs8", "dots8"]
    for name, packed in found:
        w = np.array([[1, -2], [3, 4]], np.int8)
        made = (pack.pack_pairs8(w) if name == "pairs8" else pack.pack_dots8(w, 1)).astype("<u4")
        assert made.tobytes().hex(" ").startswith(packed.strip())


def test_signature_is_flat() -> None:
    node = layer(weights(3, 5, 0.5), None)
    assert all(k.layouts(node, (FLAT,), FLAT) == Signature((FLAT,), FLAT) for k in TERNARY)
