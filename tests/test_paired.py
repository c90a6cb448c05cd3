"""Pairs of channels: what is paired, programs and their proof, every path on every core, the cost."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import fuzz
import harness
import numpy as np
import pytest
from harness import Program, Step, node_program
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sparse import tailed, with_tail

from mcugen import fixed, layout, pack, targets
from mcugen.ir import Array, DType, Node, Out, Quant
from mcugen.kernels import paired, strips
from mcugen.kernels.base import Signature
from mcugen.kernels.paired import PAIR, Paired, Unit
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [  # the others run what these do, and the matrix of all kernels
    "sanitised",
    *(pytest.param(m, marks=needs_arm) for m in ("mps2-an385", "mps2-an386", "mps2-an505")),
]
FULL, NARROW = Out.full(DType.U8), Out(DType.U8, Quant(1.0, 10), 10, 200)
KERNEL, RICE = Paired(), Paired("rice")
Factory = pytest.TempPathFactory


def signature(node: Node) -> Signature:
    x, y = node.inputs[0].type, node.output.type
    rows = layout.rows_for(y.shape[1])
    stride = node.op.stride[0]  # type: ignore[attr-defined]
    sig = KERNEL.layouts(node, (layout.lanes(x, stride * rows),), layout.lanes(y, rows))
    assert sig is not None
    return sig


def weights(counts: tuple[int, ...], zeros: int = 3, seed: int = 0) -> Array:
    """Two rows of which the eight lists of pack.pair_lists have so many weights, and inputs without any."""
    pairs = [(1, -1), (-1, 1), (1, 1), (-1, -1), (0, -1), (0, 1), (-1, 0), (1, 0)]
    columns = [pair for pair, n in zip(pairs, counts, strict=True) for _ in range(n)] + [(0, 0)] * zeros
    return np.random.default_rng([seed, *counts]).permutation(np.array(columns, np.int8)).T


def pointwise(
    w: Array,
    image: tuple[int, int] = (4, 2),
    mult: float = 0.003,
    to: Out = FULL,
    dtype: DType = DType.U8,
    step: int = 1,
) -> Node:
    """A pointwise layer of weights (O, C)."""
    op = Conv2d((1, step))
    x = ops.activation("x", (w.shape[1], *image), 0, dtype)
    constant = ops.constant("w", DType.T, w.reshape(*w.shape, 1, 1))
    acc = harness.accumulators(ops.make(op, x, constant))
    tail = fixed.lower(np.full(len(w), mult), 100 - 3.0 * np.arange(len(w)), acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(Conv2d((1, step), to=to), x, constant, *(ops.constant(*c) for c in named))


# ---- programs ----


def layers() -> Iterator[tuple[str, Node]]:
    """Every set of empty lists, lists about as long as tokens count; every end beside every other, every strip."""
    for empty in itertools.product((0, 1), repeat=8):
        counts = tuple(n * e for n, e in zip((9, 10, 11, 12, 1, 2, 3, 4), empty, strict=True))
        yield f"lists {counts}", pointwise(weights(counts))
    for counts in (*itertools.permutations((1, 16, 17, 18), 4), (15, 16, 32, 33)):
        yield f"long {counts}", pointwise(weights((*counts, *counts[::-1])))
    rng = np.random.default_rng(1)
    for width, step in itertools.product((1, 2, 3, 4, 9), (1, 2)):
        w = rng.choice(np.array([-1, 0, 1], np.int8), (7, 40))
        for to, mult in itertools.product((FULL, NARROW), (0.003, 0.9)):
            yield f"{width} {step} {to.lo} {mult}", pointwise(w, (4, step * width), mult, to, step=step)
        many = rng.choice(np.array([-1, 0, 1], np.int8), (5, 300), p=(0.45, 0.1, 0.45))
        many[0] *= rng.random(300) < 0.3  # of one part
        for to in (FULL, NARROW) if width < 9 else ():
            yield f"split {width} {step} {to.lo}", pointwise(many, (4, step * width), 0.002, to, step=step)
    for shape in ((6, 20, 3, 3), (5, 12, 1, 5), (4, 30, 5, 1)):
        yield f"{shape}", tailed(rng.choice(np.array([-1, 0, 1], np.int8), shape))
    node = pointwise(rng.choice(np.array([-1, 0, 1], np.int8), (4, 30)))
    m, a, s = (v.const.astype(int) for v in node.inputs[2:])
    yield "ends", with_tail(node, m, a, s - [0, 0, s[2] - 15, s[3] - 14])
    yield "long ends", with_tail(node, 0 * m + 20000, np.array([0, 1 << 30, 0, 0]), 0 * s + 16)


def codes() -> Iterator[tuple[str, Node]]:
    """Lists as long as groups or longer, codes of every parameter, gaps beyond the reader's bits, channels alone."""
    for n, i in itertools.product((1, 2, 15, 16, 17, 18, 31, 32, 33, 34), range(8)):
        yield f"group {n} {i}", pointwise(weights(tuple(n if j == i else 10 * (j in (0, 2)) for j in range(8))))
    for n, i in itertools.product((15, 16, 17, 18), range(8)):
        yield f"only {n} {i}", pointwise(weights(tuple(n * (j in (i, 2)) for j in range(8))))
    rng = np.random.default_rng(2)
    for k in range(9):
        d = 0.9 / 2**k
        w = rng.choice(np.array([-1, 0, 1], np.int8), (3, max(24, 3 << k), 3, 3), p=(d / 2, 1 - d, d / 2))
        w[1] = w[0] * rng.choice(np.array([-1, 1], np.int8), w[0].shape)  # they share enough
        yield f"parameter {k}", tailed(w[rng.permutation(3)])
    for c, kh, kw in ((600, 1, 1), (60, 2, 5), (12, 10, 5)):
        w = np.zeros((4, 600), np.int8)
        w[:2, [*range(10), 590, 599]] = 1
        w[2, [0, 300]] = -1
        yield f"far apart {c}", tailed(np.ascontiguousarray(w.reshape(4, kh, kw, c).transpose(0, 3, 1, 2)))


def edges() -> Iterator[tuple[str, Node]]:
    """As many weights as have 16 bits, one more, and two parts of as many, in one channel and in both."""
    for a, b, shared in (
        *((128, 128, 128), (200, 200, 143), (256, 256, 255), (256, 256, 256), (257, 257, 200), (256, 257, 256)),
        *((258, 257, 256), (258, 258, 256), (300, 20, 20), (512, 512, 256), (510, 300, 256), (513, 300, 200)),
    ):
        for signs in itertools.product((1, -1), repeat=3):
            columns = [(signs[0], signs[1])] * (shared // 2) + [(signs[0], signs[2])] * (shared - shared // 2)
            columns += [(signs[2], 0)] * (a - shared) + [(0, signs[0])] * (b - shared)
            node = pointwise(np.array(columns, np.int8).T)
            tail = (np.array(v) for v in ([2000, 1900], [1 << 24, 1 << 26], [20, 20]))
            yield f"edge {a} {b} {shared} {signs}", with_tail(node, *tail)


def units(node: Node) -> Iterator[tuple[tuple[int, ...], Array, list[tuple[int, int, int]]]]:
    """Of each unit its channels, its program (and what follows), and (mult, add, shift) of their tails."""
    acc = harness.accumulators(node)
    assert KERNEL.accepts(node, acc)
    fields = {f.name: np.asarray(f.value) for f in KERNEL.bind(node, signature(node), acc).fields}
    table, at, left = fields["units"].reshape(-1, 4).astype(np.int64), 0, fields["weights"]
    for _ in range(int(fields["unit_count"])):
        rows = table[at : at + 1 + int(table[at, 0] >= PAIR)]
        at += len(rows)
        tails = []
        for _, mult, low, high in rows.tolist():
            rest, shift = (high << 16 | low) - (high >> 15 << 32), low & 31
            tails.append(((mult ^ 0x8000) - 0x8000, rest >> 5 << max(0, shift - 16), shift))
        yield tuple(int(o) & PAIR - 1 for o in rows[:, 0]), left, tails
        left = left[(pack.unpack_pairs16(left) if len(rows) > 1 else pack.unpack_lists16(left))[-1] :]
    assert at == len(table) and not left.size


def test_programs_are_the_weights_and_their_sums_fit() -> None:
    """Each part's sum in 16 bits for any pixels, and the tail takes back its centre."""
    seen, ends = set[int](), set[tuple[int, int]]()
    pairs = 0
    for name, node in (*layers(), *edges()):
        if not KERNEL.accepts(node, harness.accumulators(node)):
            continue
        w, distances = node.inputs[1].const, strips.distances(node, signature(node).inputs[0])
        tail = [v.const.astype(int).tolist() for v in node.inputs[2:]]
        highest = node.inputs[0].type.dtype.hi
        found = set[int]()
        for numbers, program, tails in units(node):
            found |= {*numbers}
            if len(numbers) == 1:
                continue
            pairs += 1
            parts_b, first_end, parts_a, end, _ = pack.unpack_pairs16(program)
            ends.add((first_end, end))
            seen |= {token for token in program.tolist() if token < 40}
            for o, parts, (mult, add, shift) in zip(numbers, (parts_a, parts_b), tails, strict=True):
                sums = dict[int, int]()
                for coefficients, centre in parts:
                    sums |= coefficients
                    lo = centre + highest * sum(v for v in coefficients.values() if v < 0)
                    hi = centre + highest * sum(v for v in coefficients.values() if v > 0)
                    assert -(1 << 15) <= lo <= hi < 1 << 15, name
                there = w[o].ravel() != 0
                assert sums == dict(zip(distances[there].tolist(), w[o].ravel()[there].tolist(), strict=True)), name
                total, up = sum(centre for _, centre in parts), shift - tail[2][o]
                assert up >= 0 and mult == tail[0][o] << up
                assert (add - (tail[1][o] - total * tail[0][o] << up)) % (1 << 32) == 0, name
        assert found == {*range(len(w))}, name
    assert pairs > 250 and seen >= {*range(21), *range(29, 34)} - {pack.END_SHIFT, pack.CLEAR}
    firsts = pack.END_FIRST, pack.END_FIRST_LIMITS, pack.END_FIRST_WIDE
    assert {first for first, _ in ends} == {*firsts}
    assert {last for _, last in ends} == {pack.END, pack.END_LIMITS, pack.END_SHIFT, pack.END_WIDE}


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(st.lists(st.lists(st.integers(0, 299), unique=True, max_size=40), min_size=1, max_size=9), st.integers(0, 9))
def test_gaps_are_read_back(lists: list[list[int]], k: int) -> None:
    places = [np.array(sorted(each), np.int64) for each in lists]
    gaps = pack.list_gaps(places, 300)
    data = pack.pack_gaps(gaps, k)
    assert pack.unpack_gaps(data, k, gaps.size).tolist() == gaps.tolist()
    bits, best = pack.gaps_bits(gaps)
    assert bits <= int((gaps >> k).sum()) + (k + 1) * gaps.size
    assert 0 <= 16 * data.size - 16 - int((gaps >> k).sum()) - (k + 1) * gaps.size < 16
    back = np.split(unpacked := gaps + 1, np.cumsum([len(each) + 1 for each in places])[:-1])
    assert unpacked.size == gaps.size and [(np.cumsum(each) - 1)[:-1].tolist() for each in back] == [
        p.tolist() for p in places
    ]
    assert 0 <= best <= pack.MOST_RICE


def test_codes_reach_every_path() -> None:
    """Parameters, and channels alone in front, between and behind; split channels and other ends are refused."""
    found, alone = set[int](), 0
    for name, node in codes():
        acc = harness.accumulators(node)
        assert RICE.accepts(node, acc), name
        fields = {f.name: np.asarray(f.value) for f in RICE.bind(node, signature(node), acc).fields}
        found.add(int(fields["packing"][0]))
        alone += int(fields["units"].size // 4 != 2 * fields["unit_count"])
    assert found >= {*range(2, 9)} and alone > 3
    refused = {name.split()[0] for name, node in layers() if not RICE.accepts(node, harness.accumulators(node))}
    assert {"split", "ends"} <= refused and "(6," not in refused


def test_no_pair_shares_more_than_16_bits_hold() -> None:
    """Nor has a channel of it more than two parts."""
    for name, node in edges():
        there = node.inputs[1].const != 0
        fits = there.all(axis=0).sum() <= 256 and there.sum(axis=(1, 2, 3)).max() <= 512
        assert KERNEL.accepts(node, harness.accumulators(node)) == fits, name


# ---- what is paired ----


def weight(found: tuple[Unit, ...], w: Array) -> int:
    """Inputs that pairs share, less what a pair takes."""
    shared = (w != 0).astype(int) @ (w != 0).T.astype(int)
    return sum(int(shared[u.a, u.b]) - paired.LEAST_SHARED for u in found if u.b is not None)


def best(w: Array, left: tuple[int, ...]) -> int:
    """The weight of a heaviest matching, by trying all."""
    if not left:
        return 0
    rest = left[1:]
    options = [best(w, rest)]
    for j in rest:
        some = weight((Unit(left[0], j),), w)
        if some > 0:
            options.append(some + best(w, tuple(k for k in rest if k != j)))
    return max(options)


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(st.integers(1, 8), st.integers(1, 60), st.floats(0.1, 1), st.integers(0, 1 << 30))
def test_a_matching_of_much_weight(n: int, c: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w = np.array(rng.random((n, c)) < density * rng.random((n, 1)) ** 0.3, np.int8)
    fit = tuple(rng.random(n) < 0.9)
    found = paired.matching(ops.constant("w", DType.T, w.reshape(n, c, 1, 1)), fit, 256)
    numbers = [o for u in found for o in (u.a, u.b) if o is not None]
    assert sorted(numbers) == [*range(n)]
    assert all(fit[o] for u in found if u.b is not None for o in (u.a, u.b))
    assert all(weight((u,), w) > 0 for u in found if u.b is not None)
    most = best(w, tuple(o for o in range(n) if fit[o]))
    assert 0.9 * most <= weight(found, w) <= most


def test_alike_channels_are_paired() -> None:
    """Ten channels, of which each is another one with other signs: they share all."""
    rng = np.random.default_rng(0)
    w = (rng.random((5, 90)) < 0.4).astype(np.int8)
    w = np.concatenate([w, w[::-1] * rng.choice(np.array([-1, 1], np.int8), w.shape)])
    found = paired.matching(ops.constant("w", DType.T, w.reshape(10, 90, 1, 1)), (True,) * 10, 256)
    assert found == tuple(Unit(i, 9 - i) for i in range(5))


# ---- on every core ----


@cache
def programs() -> tuple[Program, ...]:
    found = []
    for i, (name, node) in enumerate((*layers(), *edges(), *codes())):
        w, x, acc = node.inputs[1].const, node.inputs[0].type, harness.accumulators(node)
        rng = np.random.default_rng(w.size)
        images = [np.full(x.shape, x.dtype.hi), rng.integers(0, x.dtype.hi + 1, x.shape)]
        if "edge" in name:  # the ends of the sums
            some = (x.dtype.hi * (sign * row.reshape(-1, 1, 1) > 0) for row in w[:2] for sign in (1, -1))
            images += [np.broadcast_to(v, x.shape) for v in some]
        inputs = [np.stack(images).astype(np.uint8)]
        want = harness.evaluate(node, inputs)
        kind = name.split()[0]
        kernels = (KERNEL,) if kind == "edge" else (RICE,) if kind in ("group", "only") else (KERNEL, RICE)
        for kernel in kernels[i % 2 :][:1] if kind == "lists" else kernels:
            if kernel.accepts(node, acc):
                found.append(node_program(f"{name} {kernel.name}", node, kernel, signature(node), inputs, want))
    w = np.random.default_rng(3).integers(-1, 2, (6, 40)).astype(np.int8)
    for image in ((6, 6), (5, 3), (1, 5)):  # as one column
        node = pointwise(w, image)
        sig = KERNEL.offered(node, (layout.runs(node.inputs[0].type),), layout.runs(node.output.type))
        assert sig is not None
        inputs = harness.samples(node, np.random.default_rng(4))
        for kernel in (KERNEL, RICE):
            found.append(node_program(f"runs {kernel.name}", node, kernel, sig, inputs, harness.evaluate(node, inputs)))
    return tuple(found)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    """Every strip at both steps with each end of a pair."""
    rare = set()
    for p in (p for p in programs() if p.label == KERNEL.name):
        fields = {f.name: np.asarray(f.value) for f in next(a.bound for a in p.actions if isinstance(a, Step)).fields}
        used = {(int(fields["step"]), int(words)) for words in fields["runs"].reshape(-1, 4)[:, 3]}
        tokens = set(fields["weights"].tolist())
        rare |= {(token, *some) for token in range(29, 34) if token in tokens for some in used}
    assert rare >= {*itertools.product(range(29, 34), (1, 2), (1, 2, 3, 4))}


# ---- cost ----


@needs_arm
@pytest.mark.parametrize("core, off", [("cortex-m4", 0.03), ("cortex-m3", 0.02), ("cortex-m7", 0.04)])
def test_estimates_are_what_is_simulated(core: str, off: float, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    for encoding, density in (("pairs16", 0.2), ("paired rice", 0.5)):
        for r in bench.rows(targets.get(core).core, ["c3_64_8", "pw256_3"], [density], encoding=encoding):
            assert abs(r.estimated / r.cycles - 1) < off, r
            if (encoding, core, r.layer) == ("paired rice", "cortex-m4", "c3_64_8"):
                assert r.per_mac < 0.53 and r.bits_per_weight < 1.81, r


@needs_arm
def test_pairs_take_less(bench: ModuleType) -> None:
    """Than lists do, with 32-bit sums or without, and as little as the prototypes."""
    pytest.importorskip("unicorn")
    core = targets.get("cortex-m4").core
    pairs, lists = (bench.rows(core, ["c3_64_8"], [0.35, 0.5], encoding=e) for e in ("pairs16", "lists16"))
    for a, b, share in zip(pairs, lists, (0.82, 0.76), strict=True):
        assert a.input == b.input == "u8" and a.cycles < share * b.cycles and a.table_bytes < b.table_bytes, (a, b)
        assert a.per_mac < 1.03 * a.bar, a


@pytest.mark.parametrize("number", [91000004213, 92000005119])
def test_a_code_wants_ends_of_32_bits(number: int) -> None:
    """Its programs have no ends of 64: layers, found by fuzz.py, whose acc * mult + add has more than 32."""
    node, limits = fuzz.layer(number)
    acc = harness.accumulators(node, limits)
    assert strips.proven(node, acc) == (False, True) and not paired.Paired("rice").accepts(node, acc)
