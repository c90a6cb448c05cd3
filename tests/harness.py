"""Runs kernels with no generated model: programs of kernel calls for firmware/test/harness.c, on every machine.

A Program is independent of the machine; Harness builds harness.c with the kernels of one directory for one machine and
runs programs on it. `programs` makes all programs of one operator's case, `program` one for any chain of steps.
"""

from __future__ import annotations

import ctypes
import itertools
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import layout, plan, resources, toolchain
from mcugen.ir import Array, DType, Node, Quant, Range, Tensor, Value
from mcugen.kernels import KERNELS, Relayout
from mcugen.kernels.base import NULL, Bound, Field, Kernel, Signature, candidates
from mcugen.layout import FLAT, LANES, Layout
from mcugen.ops import CASES
from mcugen.ops.base import input_range
from mcugen.pack import ENCODINGS
from mcugen.sim import host, qemu
from mcugen.toolchain import Compiler

FENCE = 16  # of harness.c
GAP = 8  # bytes at least between two buffers in an arena

ISAS = ("dsp", "m0", "m3", "thumb", "mve", "neon")  # suffixes of sources that not every machine takes

# ---- what harness.c calls, by index ----


def declared(kernels: Path) -> list[str]:
    """The functions with external linkage that the headers declare."""
    text = "\n".join(p.read_text() for p in sorted(kernels.glob("*.h")))
    return sorted(set(re.findall(r"^(?!static)\w[\w *]*?\b(mcugen1_\w+)\(", text, re.M)))


def foreign(name: str, isa: Sequence[str]) -> bool:
    """True if a file or function of that name belongs to an instruction set that is not in `isa`."""
    return name.endswith(tuple(f"_{other}" for other in ISAS if other not in isa))


RELAYOUT = Relayout()
STEMS = sorted({k.stem for k in (*KERNELS, RELAYOUT) if k.stem})
FUNCTIONS = [f for f in declared(resources.KERNELS) if not foreign(f, ())]  # every machine has these
DOTS = [f for f in declared(resources.KERNELS) if f.startswith("mcugen1_dot_")]

# ---- structs ----

SIZES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4}


@dataclass(frozen=True)
class Member:
    """Where a leaf of a struct lies; path as C writes it."""

    path: str
    offset: int
    size: int
    field: Field


def measure(members: Sequence[Field], pointer: int) -> tuple[int, int]:
    """(size, alignment) of a struct by natural alignment."""
    end, align = 0, 1
    for f in members:
        size, each = _measure_field(f, pointer)
        end, align = _up(end, each) + size, max(align, each)
    return _up(end, align), align


def _measure_field(f: Field, pointer: int) -> tuple[int, int]:
    if isinstance(f.value, tuple):
        return measure(f.value, pointer)
    size = pointer if f.pointer else SIZES[f.ctype]
    return size, size


def leaves(members: Sequence[Field], pointer: int, base: int = 0, prefix: str = "") -> Iterator[Member]:
    """Every integer and pointer of a struct and of the structs in it."""
    at = 0
    for f in members:
        size, align = _measure_field(f, pointer)
        at = _up(at, align)
        if isinstance(f.value, tuple):
            yield from leaves(f.value, pointer, base + at, f"{prefix}{f.name}.")
        else:
            yield Member(prefix + f.name, base + at, size, f)
        at += size


def _up(n: int, to: int) -> int:
    return -(-n // to) * to


# ---- programs ----


@dataclass(frozen=True)
class Span:
    """Bytes of the arena."""

    at: int
    size: int


@dataclass(frozen=True)
class Step:
    """One call of a kernel: spans of its inputs and output in the arena, offset of its scratch (Bound says how big)."""

    stem: str
    bound: Bound
    inputs: tuple[Span, ...]
    output: Span
    scratch: int = 0


@dataclass(frozen=True)
class Fill:
    """Noise into the whole arena."""

    seed: int


@dataclass(frozen=True)
class Put:
    """Bytes into the arena."""

    at: int
    data: bytes


@dataclass(frozen=True)
class Check:
    """Bytes that the arena must hold."""

    at: int
    data: bytes


@dataclass(frozen=True)
class Unpack:
    """unpack_<encoding>(table, first, n, arena + at)."""

    encoding: str
    table: int
    first: int
    n: int
    at: int


@dataclass(frozen=True)
class Dot:
    """The 4 bytes at arena + at become function(arena + x, tables[table] + w, n)."""

    function: str
    x: int
    table: int
    w: int
    n: int
    at: int


Action = Fill | Put | Step | Check | Unpack | Dot


@dataclass(frozen=True, eq=False)
class Program:
    """Actions over one arena. tables: what Unpack and Dot read; skew moves byte tables off their alignment."""

    name: str
    arena: int
    actions: tuple[Action, ...]
    tables: tuple[Array, ...] = ()
    skew: int = 0
    label: str = ""  # of the kernel it tests
    encoded: dict[int, bytes] = field(default_factory=dict, repr=False)  # by size of a pointer


def program(
    name: str,
    steps: Sequence[Step],
    arena: int,
    inputs: Sequence[tuple[int, bytes]],
    expected: Sequence[tuple[int, int, bytes]],
    *,
    seed: int = 1,
) -> Program:
    """A chain of steps in one arena of `arena` bytes, noise wherever `inputs` (offset, bytes) puts nothing.

    expected: (step, offset, bytes) that the arena must hold right after steps[step]; -1 means the last one.
    A step with an empty stem runs no code.
    """
    actions: list[Action] = [Fill(seed), *(Put(at, data) for at, data in inputs)]
    for i, step in enumerate(steps):
        if step.stem:
            actions.append(step)
        actions += [Check(at, data) for s, at, data in expected if s % len(steps) == i]
    return Program(name, _up(arena, 4), tuple(actions), skew=seed % 2)


def encode(p: Program, pointer: int) -> bytes:
    """The program as harness.c reads it, for pointers of that size."""
    if pointer not in p.encoded:
        p.encoded[pointer] = _encode(p, pointer)
    return p.encoded[pointer]


def _encode(p: Program, pointer: int) -> bytes:
    data = bytearray()
    blocks: list[tuple[int, int]] = []
    relocations: list[tuple[int, int, int]] = []
    placed: dict[int, int] = {}

    def place(size: int, align: int) -> int:
        at = _up(len(data), 8) + GAP if pointer == 8 and data else len(data)  # on the host forbidden ground between
        at = _up(at, align) + (p.skew if align == 1 else 0)
        data.extend(bytes(at + size - len(data)))
        blocks.append((at, size))
        return at

    def table(values: Array) -> int:
        if id(values) not in placed:
            raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
            placed[id(values)] = at = place(len(raw), values.itemsize)
            data[at : at + len(raw)] = raw
        return placed[id(values)]

    def struct(bound: Bound) -> int:
        if id(bound) in placed:
            return placed[id(bound)]
        placed[id(bound)] = base = place(*measure(bound.fields, pointer))
        for m in leaves(bound.fields, pointer, base):
            if m.field.function:
                relocations.append((m.offset, 1, FUNCTIONS.index(m.field.function)))
            elif isinstance(m.field.value, np.ndarray):
                relocations.append((m.offset, 0, table(m.field.value)))
            elif m.field.value != NULL:
                assert isinstance(m.field.value, int | np.integer), m
                signed = m.field.ctype.startswith("int")
                data[m.offset : m.offset + m.size] = int(m.field.value).to_bytes(m.size, "little", signed=signed)
        return base

    out: list[bytes] = []
    for a in p.actions:
        match a:
            case Fill(seed):
                out.append(_words(1, seed))
            case Put(at, raw):
                out += [_words(2, at, len(raw)), raw, bytes(-len(raw) % 4)]
            case Step(stem, bound, inputs, output, scratch):
                spans = [*inputs, output, Span(scratch, bound.scratch)]
                head = _words(3, STEMS.index(stem), struct(bound), len(inputs))
                out += [head, _words(*(v for s in spans for v in (s.at, s.size)))]
            case Check(at, raw):
                out += [_words(4, at, len(raw)), raw, bytes(-len(raw) % 4)]
            case Unpack(encoding, index, first, n, at):
                function = [e.name for e in ENCODINGS].index(encoding)
                out.append(_words(5, function, table(p.tables[index]), first, n, at))
            case Dot(name, x, index, w, n, at):
                out.append(_words(6, DOTS.index(name), x, table(p.tables[index]) + w, n, at))
    out.append(_words(0))

    data.extend(bytes(-len(data) % 8))
    head = _words(len(data), p.arena, len(blocks), len(relocations))
    lists = [_words(*itertools.chain(*rows)) for rows in (blocks, relocations)]
    return b"".join([head, data, *lists, *out])


def memory(encoded: bytes) -> int:
    """What load() in harness.c needs of the pool."""
    data, arena = np.frombuffer(encoded, "<u4", 2).tolist()
    return data + 4 + 2 * (arena + 2 * FENCE)


def _words(*values: int) -> bytes:
    return np.array(values, "<u4").tobytes()


# ---- programs of a node ----


def signatures(kernel: Kernel, node: Node) -> tuple[Signature, ...]:
    """All layouts that `kernel` accepts for `node` among flat, lanes of various numbers of rows, and runs."""
    types = [v.type for v in node.args] + [node.output.type]
    stride, factor = getattr(node.op, "stride", (1, 1))[0], getattr(node.op, "factor", (1, 1))[0]
    options: list[list[Layout]] = [[FLAT] for _ in types]
    for bits in (8, 4):
        least = [layout.rows_for(t.shape[1], 32 // bits) if _image(t, bits) else 0 for t in types]
        rows: list[set[int]] = [{n, n + 1, 2 * n + 1} for n in least]  # 2 * n + 1: the most that select tries
        rows[-1] |= {-(-n // stride) * factor for n in least[:-1]}
        for i in range(len(types) - 1):
            rows[i] |= {stride * n // factor for n in rows[-1]} | rows[-1]
        for t, some, some_layouts in zip(types, rows, options, strict=True):
            if _image(t, bits):
                fitting = sorted(n for n in some if n * (32 // bits) >= t.shape[1])
                some_layouts += [*(layout.lanes(t, n, bits=bits) for n in fitting), layout.runs(t, bits)]
    found = {}
    for combination in itertools.product(*options):
        if sig := kernel.offered(node, combination[:-1], combination[-1]):
            found[sig] = None
    return tuple(found)


def _image(t: Tensor, bits: int) -> bool:
    return len(t.shape) == 3 and t.dtype.unsigned and t.dtype.hi < 1 << bits


def larger(sig: Signature, node: Node) -> tuple[Signature, ...]:
    """`sig`, and the same with more halo rows and pad columns than it asks for."""
    if all(lay.flat for lay in (*sig.inputs, sig.output)):
        return (sig,)
    ins, out = [v.type for v in node.args], node.output.type
    far = sig.output.rows_per_lane + 1  # a halo that shows rows of the lane after the next
    return (
        sig,
        Signature(
            tuple(_grown(s, t, 1, 2, 1) for s, t in zip(sig.inputs, ins, strict=True)), _grown(sig.output, out, 2, 1, 2)
        ),
        Signature(
            tuple(_grown(s, t, 0, 0, 2) for s, t in zip(sig.inputs, ins, strict=True)),
            _grown(sig.output, out, far, far, 0),
        ),
    )


def _grown(lay: Layout, t: Tensor, top: int, bottom: int, cols: int) -> Layout:
    if lay.flat or lay.runs:
        return lay
    halos = lay.halo_top + top, lay.halo_bottom + bottom, lay.pad_cols + cols
    return layout.lanes(t, lay.rows_per_lane, *halos, lay.bits)


def shared(sig: Signature, i: int, node: Node) -> Iterator[Signature]:
    """`sig` with one layout for input i and the output, which is what it takes to share a buffer (plan.py)."""
    x, y = node.args[i].type, node.output.type
    if not layout.alike(sig.inputs[i], sig.output) or x.bytes != y.bytes or x.dtype.bytes != y.dtype.bytes:
        return
    for grow in (0, 2):
        both = _grown(layout.join(sig.inputs[i], sig.output), y, grow, 2 * grow, grow)
        yield Signature((*sig.inputs[:i], both, *sig.inputs[i + 1 :]), both)
        if both.flat:
            return


def relayout_programs() -> Iterator[Program]:
    """Images moved between any two layouts."""
    small = ((3, 8, 8), 0), ((2, 25, 5), 128), ((1, 1, 1), 255), ((2, 3, 1), 7), ((5, 6, 7), 128)
    for shape, zero_point in (*small, ((2, 9, 10), 3), ((1, 5, 15), 9)):
        t = Tensor(DType.U8, shape, Quant(0.1, zero_point))
        rng = np.random.default_rng(shape[1])
        x = _sample(Value("x", t), rng, 0)
        n = layout.rows_for(shape[1])
        bare = [layout.lanes(t, rows) for rows in (n, n + 1, 2 * n + 1)]
        options = [FLAT, *bare, *(_grown(b, t, 1, 3, 2) for b in bare), _grown(bare[0], t, n + 1, 0, 0)]
        options.append(_grown(bare[0], t, 0, 1, 1))  # in place, words move by less than a row
        options.append(layout.runs(t))
        for src, dst in itertools.product(options, options):
            if not RELAYOUT.accepts(t, src, dst):
                continue
            yield from _relayouts(x, t, src, dst)
    for width in range(1, 10):  # a function for each of few words
        for rows, halos in ((1 + width % 3, (1, 1)), (2, (0, 1)), (3, (1, 0)), (width, (0, 0))):
            t = Tensor(DType.U8, (3, 4 * rows - width % 3, width), Quant(0.1, 100 + width))
            bare = layout.lanes(t, rows)
            for src in (bare, _grown(bare, t, 1, 2, 0)):
                x = _sample(Value("x", t), np.random.default_rng(width), 0)
                yield from _relayouts(x, t, src, _grown(bare, t, *halos, 1))
            t = Tensor(DType.U4, (3, 8 * rows - width % 7, width), Quant(0.1, width))
            bare = layout.lanes(t, rows, bits=4)
            for src in (bare, _grown(bare, t, 1, 2, 0)):
                x = _sample(Value("x", t), np.random.default_rng(width), 0)
                yield from _relayouts(x, t, src, _grown(bare, t, *halos, 1))
    for height, width, bottom in ((12, 12, 1), (10, 4, 1), (9, 5, 0)):  # from 3 rows to 4
        t = Tensor(DType.U8, (3, height, width), Quant(0.1, 77))
        x = _sample(Value("x", t), np.random.default_rng(width), 0)
        bare = layout.lanes(t, 3)
        for src in (bare, _grown(bare, t, 1, 2, 1)):
            yield from _relayouts(x, t, src, layout.lanes(t, 4, 0, bottom, 1))
    t = Tensor(DType.U8, (3, 6, 6), Quant(0.1, 77))
    runs, x = layout.runs(t), _sample(Value("x", t), np.random.default_rng(6), 0)
    for numbers in ((0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (1, 1, 0), (2, 1, 1), (0, 0, 2)):
        rows = layout.lanes(t, 2, *numbers)
        yield from _relayouts(x, t, runs, rows)
        yield from _relayouts(x, t, rows, runs)

    for shape, zero_point in ((3, 8, 8), 0), ((2, 25, 5), 8), ((1, 1, 1), 15), ((2, 3, 1), 7), ((5, 6, 9), 3):
        t = Tensor(DType.U4, shape, Quant(0.1, zero_point))
        n = layout.rows_for(shape[1], 8)
        x = _sample(Value("x", t), np.random.default_rng(shape[1]), 0)
        nibbles = [layout.lanes(t, rows, bits=4) for rows in (n, n + 1, 2 * n)]
        bytes_ = [layout.lanes(t, rows) for rows in (2 * n, layout.rows_for(shape[1]))]
        nibbles += [_grown(nibbles[0], t, 1, 3, 2), _grown(nibbles[0], t, n + 1, 0, 0), _grown(nibbles[0], t, 0, 1, 1)]
        bytes_ += [_grown(bytes_[0], t, 1, 2, 1), FLAT, layout.runs(t)]
        nibbles.append(layout.runs(t, 4))
        for src, dst in itertools.product([*bytes_, *nibbles], repeat=2):
            if src != dst and (src.nibbles or dst.nibbles):
                yield from _relayouts(x, t, src, dst)


def _relayouts(x: Array, t: Tensor, src: Layout, dst: Layout) -> Iterator[Program]:
    name, bound = f"relayout {t} {src}>{dst}", RELAYOUT.bind(t, src, dst)
    yield kernel_program(name, RELAYOUT, bound, (src, dst), (x, x))
    if not src.flat and (layout.alike(src, dst) or layout.halves(dst, src)):
        ahead = LANES * layout.ahead(dst, src, t.shape)
        yield kernel_program(f"{name} in place", RELAYOUT, bound, (src, dst), (x, x), ahead=ahead)


Limits = tuple[int, int] | None  # of the values that reach a node; None: all that the type allows


def samples(node: Node, rng: np.random.Generator, extra: int = 0, limits: Limits = None) -> list[Array]:
    """Per input a batch: all lowest, all highest, one highest among zeros, random; then `extra` random ones."""
    return [_sample(v, rng, extra, limits) for v in node.args]


def accumulators(node: Node, limits: Limits = None) -> Range:
    """The node's proven accumulator limits."""

    def known(v: Value) -> Range:
        full = input_range(v)
        return Range(full.lo * 0 + limits[0], full.hi * 0 + limits[1]) if limits else full

    return node.op.bounds(*(known(v) if v.data is None else v.data for v in node.inputs))[0]


def _sample(v: Value, rng: np.random.Generator, extra: int, limits: Limits = None) -> Array:
    lo, hi = limits or (v.type.dtype.lo, v.type.dtype.hi)
    one = np.full(v.type.size, max(lo, 0), np.int64)
    one[rng.integers(v.type.size)] = hi
    rows = [np.full_like(one, lo), np.full_like(one, hi), one]
    rows += [rng.integers(lo, hi + 1, v.type.size) for _ in range(1 + extra)]
    return np.stack(rows).reshape(-1, *v.type.shape).astype(v.type.dtype.numpy)


def evaluate(node: Node, inputs: Sequence[Array]) -> Array:
    """The node's outputs for a batch, as interp computes them."""
    given = iter(inputs)
    return node.op.eval(*(next(given) if v.data is None else v.data for v in node.inputs))


def node_program(
    name: str,
    node: Node,
    kernel: Kernel,
    sig: Signature,
    inputs: Sequence[Array],
    want: Array,
    *,
    in_place: int | None = None,
    ahead: int | None = None,
    limits: Limits = None,
) -> Program:
    """The kernel on each input of the batch, flat buffers at all alignments; in_place, ahead: of kernel_program."""
    bound, layouts = kernel.bind(node, sig, accumulators(node, limits)), (*sig.inputs, sig.output)
    return kernel_program(name, kernel, bound, layouts, (*inputs, want), in_place=in_place, ahead=ahead)


def kernel_program(
    name: str,
    kernel: Kernel | Relayout,
    bound: Bound,
    layouts: Sequence[Layout],
    batches: Sequence[Array],
    *,
    in_place: int | None = None,
    ahead: int | None = None,
) -> Program:
    """The kernel, bound to layouts, on each row of the batches: inputs, then what it is to write.

    in_place: the output is that input's; ahead: it overlaps the only input and begins as many bytes before it.
    """
    assert bound.scratch % 4 == 0 and (kernel.uses_scratch or not bound.scratch), name
    seed = zlib.crc32(name.encode())
    stored = [[layout.store(lay, x) for lay, x in zip(layouts, xs, strict=True)] for xs in zip(*batches, strict=True)]
    actions: list[Action] = []
    arena = 0
    for i, row in enumerate(stored):
        at = 4
        spans = []
        for j, (lay, raw) in enumerate(zip(layouts, row, strict=True)):
            if in_place is not None and j == len(row) - 1:
                spans.append(Span(spans[in_place].at, raw.size))
                break
            if ahead is not None:
                spans.append(Span(4 + ahead * (1 - j), raw.size))
                at = max(at, _up(spans[-1].at + raw.size + GAP, 4))
                continue
            at += (seed + i + j) % 4 if lay.flat else 0
            spans.append(Span(at, raw.size))
            at = _up(at + raw.size + GAP, 4)
        actions.append(Fill(seed + i))
        actions += [Put(s.at, raw.tobytes()) for s, raw in zip(spans[:-1], row[:-1], strict=True)]
        actions.append(Step(kernel.stem, bound, tuple(spans[:-1]), spans[-1], at))
        actions.append(Check(spans[-1].at, row[-1].tobytes()))
        arena = max(arena, at + _up(bound.scratch, 4) + 4)
    return Program(name, arena, tuple(actions), skew=seed & 1, label=kernel.name)


def node_programs(
    name: str, node: Node, rng: np.random.Generator, *, extra: int = 0, limits: Limits = None
) -> Iterator[Program]:
    """Every kernel, layout and in-place form for one node, whose inputs are proven to lie in `limits`."""
    inputs = samples(node, rng, extra, limits)
    want = evaluate(node, inputs)
    for kernel in candidates(KERNELS, node):
        for required in signatures(kernel, node):
            if not kernel.accepts(node, accumulators(node, limits)):
                break
            if not kernel.stem:
                _same_bytes(f"{name} {kernel.name}", required, inputs, want)
                continue
            for sig in larger(required, node):
                text = f"{name} {kernel.name} {'+'.join(map(str, sig.inputs))}>{sig.output}"
                yield node_program(text, node, kernel, sig, inputs, want, limits=limits)
                if kernel.by_plane:
                    ahead = plan.planes_ahead(sig.output, sig.inputs[0], node.output.type.shape[0])
                    text = f"{text} overlapping"
                    yield node_program(text, node, kernel, sig, inputs, want, ahead=ahead, limits=limits)
            for i in kernel.in_place:
                for sig in shared(required, i, node):
                    text = f"{name} {kernel.name} {'+'.join(map(str, sig.inputs))}>{sig.output} in place of {i}"
                    yield node_program(text, node, kernel, sig, inputs, want, in_place=i, limits=limits)


def _same_bytes(name: str, sig: Signature, inputs: Sequence[Array], want: Array) -> None:
    for x, y in zip(inputs[0], want, strict=True):
        assert np.array_equal(layout.store(sig.inputs[0], x), layout.store(sig.output, y)), (
            f"{name}: bytes change, but no code runs"
        )


def thinned(found: Sequence[Program], one_in: int) -> tuple[Program, ...]:
    """One in `one_in` programs by the sum of its name, and the first three of every kernel."""
    chosen: dict[str, Program] = {}
    first: dict[str, int] = {}
    for p in found:
        first[p.label] = first.get(p.label, 0) + 1
        if first[p.label] <= 3 or zlib.crc32(p.name.encode()) % one_in == 0:
            chosen[p.name] = p
    return tuple(chosen.values())


@cache
def all_programs() -> tuple[Program, ...]:
    """OPS x cases x kernels x layouts."""
    found: list[Program] = []
    for op, cases in CASES.items():
        for case in cases():
            name = f"{op} {case.name}"
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            found += node_programs(name, case.build(rng), rng, extra=1)
    return (*found, *relayout_programs())


# ---- machines ----


@dataclass(frozen=True)
class Target:
    """Where a harness runs; isa: suffixes of the kernel sources it takes besides those without one and `ref`.

    core: the machine whose code it runs, where that is another machine's. For Linux on Arm machine is the prefix of
    the compiler, and core the emulator's name.
    """

    name: str
    pointer: int
    pool: int
    isa: tuple[str, ...] = ()
    machine: str = ""
    core: str = ""


TARGETS = {
    t.name: t
    for t in (
        Target("host", ctypes.sizeof(ctypes.c_void_p), 1 << 24),
        Target("sanitised", ctypes.sizeof(ctypes.c_void_p), 1 << 22),
        Target("microbit", 4, 14 << 10, ("m0", "thumb"), "microbit", "microbit"),
        # M0 code where there is memory
        Target("microbit-large", 4, 3 << 20, ("m0", "thumb"), "mps2-an386", "microbit"),
        Target("mps2-an385", 4, 3 << 20, ("m3", "thumb"), "mps2-an385", "mps2-an385"),
        Target("mps2-an386", 4, 3 << 20, ("dsp", "thumb"), "mps2-an386", "mps2-an386"),
        Target("mps2-an500", 4, 3 << 20, ("dsp", "thumb"), "mps2-an500", "mps2-an500"),
        Target("mps2-an505", 4, 3 << 20, ("dsp", "thumb"), "mps2-an505", "mps2-an505"),
        Target("mps3-an547", 4, 3 << 20, ("mve", "dsp", "thumb"), "mps3-an547", "mps3-an547"),
        Target("aarch64", 8, 1 << 24, ("neon",), "aarch64-linux-gnu", "qemu-aarch64"),
        Target("armv7", 4, 1 << 24, ("neon", "dsp"), "arm-linux-gnueabihf", "qemu-arm"),
    )
}


LINUX = {"aarch64": ("-O2",), "armv7": ("-O2", "-march=armv7-a", "-mfpu=neon")}  # compiler flags


def has_linux(target: str) -> bool:
    """True if the compiler and the emulator of one of LINUX are installed."""
    t = TARGETS[target]
    return bool(shutil.which(f"{t.machine}-gcc") and shutil.which(t.core))


def linux_params(*values: object) -> list[Any]:
    """Parameters of a test: each of LINUX, and the same values behind it; skipped where it is not installed."""
    reason = "no compiler for Linux on Arm or no qemu-user"
    return [pytest.param(m, *values, marks=pytest.mark.skipif(not has_linux(m), reason=reason)) for m in LINUX]


def linux_cc(target: str) -> Compiler:
    """The compiler for one of LINUX."""
    path = shutil.which(f"{TARGETS[target].machine}-gcc")
    assert path is not None
    return Compiler(Path(path), "gcc", "")


def run_linux(target: str, program: Path, cwd: Path, timeout: float) -> tuple[int, str]:
    """Exit status and text of a program for one of LINUX."""
    return toolchain.call([TARGETS[target].core, str(program.resolve())], code="E503", timeout=timeout, cwd=cwd)


@dataclass(frozen=True)
class Failure:
    """The first mismatch of a program; index: the byte, in the output or (kind 2) in the arena."""

    program: str
    step: int
    kind: int
    index: int
    got: int
    want: int
    text: str = ""

    def __str__(self) -> str:
        if self.text:
            return f"{self.program}: {self.text}"
        what = ["", "byte", "wrote outside, arena byte", "wrote into its constants, byte"][self.kind]
        return f"{self.program}: call {self.step}: {what} {self.index}: got {self.got}, want {self.want}"


@dataclass(frozen=True)
class Report:
    """One run: programs that ran, those that did not fit the machine, what failed."""

    target: str
    ran: tuple[Program, ...]
    left_out: tuple[Program, ...]
    failures: tuple[Failure, ...]
    text: str = field(default="", repr=False)

    def __str__(self) -> str:
        head = f"{self.target}: {len(self.ran)} programs, {len(self.left_out)} too big, {len(self.failures)} fail"
        return "\n".join([head, *map(str, self.failures[:20])])


class _Result(ctypes.Structure):
    _fields_ = [
        ("program", ctypes.c_uint32),
        ("step", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("index", ctypes.c_int32),
        ("got", ctypes.c_uint32),
        ("want", ctypes.c_uint32),
    ]


class Harness:
    """harness.c with the kernels of a directory, built in `work` for one of TARGETS."""

    def __init__(self, target: str, work: Path, kernels: Path = resources.KERNELS) -> None:
        self.target = TARGETS[target]
        self.kernels = kernels
        self.dots = [f for f in DOTS if not foreign(f, self.target.isa)]
        (work / "harness_table.h").write_text(self._table())
        self._library: Any = None
        self._program = work / "harness"
        sources = [resources.TEST / "harness.c", *kernel_sources(kernels, self.target.isa)]
        include = [work, kernels]
        defines = {"HARNESS_POOL": str(self.target.pool)}
        if target == "host":
            flags = ["-O2", "-fPIC", "-fvisibility=hidden"]
            defines["HARNESS_LIBRARY"] = "1"
            objects = toolchain.compile(
                toolchain.host_cc(), sources, work, flags=flags, include=include, defines=defines
            )
            made = toolchain.link(toolchain.host_cc(), objects, work / "harness.so", flags=[*flags, "-shared"])
            self._library = ctypes.CDLL(str(made))
        elif target == "sanitised":
            host.build_exe(sources, include, defines, self._program, flags=host.SANITIZE)
        elif target in LINUX:
            flags = [*LINUX[target], "-static"]
            host.build_exe(sources, include, defines, self._program, flags=flags, cc=linux_cc(target))
        else:
            core = qemu.MACHINES[self.target.core].flags
            qemu.build_elf(sources, include, defines, self.target.machine, self._program, flags=core)

    def _table(self) -> str:
        arguments = {}
        for k in (*KERNELS, RELAYOUT):
            if k.stem:
                inputs = ["in"] if k.variadic else [f"in[{i}]" for i in range(arity(k))]
                arguments[k.stem] = ", ".join(["k", *inputs, "out", *(["scratch"] if k.uses_scratch else [])])
        lists = {
            "KERNELS(K)": [f"K({stem}, ({arguments[stem]}))" for stem in STEMS],
            "FUNCTIONS(F)": [f"F({name})" for name in FUNCTIONS],
            "UNPACKERS(F)": [f"F(mcugen1_unpack_{e.name})" for e in ENCODINGS],
        }
        if DOTS:
            lists["DOTS(F)"] = [f"F({name if name in self.dots else 'NULL'})" for name in DOTS]
        text = [f'#include "{h.name}"' for h in sorted(self.kernels.glob("*.h"))]
        text += [f"#define HARNESS_{name} \\\n    " + " \\\n    ".join(items) for name, items in lists.items()]
        return "\n".join(text) + "\n"

    def run(self, programs: Iterable[Program], timeout: float = 300.0) -> Report:
        """All programs in one go."""
        ran: list[Program] = []
        left_out: list[Program] = []
        encoded: list[bytes] = []
        for p in programs:
            raw = encode(p, self.target.pointer)
            fits = memory(raw) <= self.target.pool
            (ran if fits else left_out).append(p)
            if fits:
                encoded.append(raw)
        blob = b"MHRN" + _words(1, self.target.pointer, len(ran)) + b"".join(encoded)
        failures, text = self._run_library(blob, ran) if self._library else self._run_program(blob, ran, timeout)
        return Report(self.target.name, tuple(ran), tuple(left_out), tuple(failures), text)

    def _run_library(self, blob: bytes, ran: Sequence[Program]) -> tuple[list[Failure], str]:
        results = (_Result * len(ran))()
        failed = self._library.harness_run(blob, ctypes.c_uint32(len(blob)), results, ctypes.c_uint32(len(results)))
        assert failed >= 0, "harness.c refused the stream"
        return [Failure(ran[r.program].name, r.step, r.kind, r.index, r.got, r.want) for r in results[:failed]], ""

    def _run_program(self, blob: bytes, ran: Sequence[Program], timeout: float) -> tuple[list[Failure], str]:
        with tempfile.TemporaryDirectory(prefix="mcugen-") as cwd:
            (Path(cwd) / "cases.bin").write_bytes(blob)
            if self.target.name == "sanitised":
                status, text = host.run_exe(self._program, Path(cwd), timeout)
            elif self.target.name in LINUX:
                status, text = run_linux(self.target.name, self._program, Path(cwd), timeout)
            else:
                status, text = qemu.run_elf(self._program, self.target.machine, Path(cwd), timeout)
        found = []
        for m in re.findall(r"^program (\d+) step (\d+) kind (\d+) byte (-?\d+): got (\d+), want (\d+)$", text, re.M):
            number, *rest = map(int, m)
            found.append(Failure(ran[number].name, *rest))
        verdict = re.search(r"^(PASS|FAIL) (\d+)", text, re.M)
        if verdict is None or status not in (0, 1):
            last = re.findall(r"^#(\d+)$", text, re.M)
            tail = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
            name = ran[int(last[-1])].name if last else "no program"
            found.append(Failure(name, 0, 0, 0, 0, 0, f"status {status}\n{toolchain.first_lines(tail)}"))
        elif verdict[1] == "PASS":
            assert int(verdict[2]) == len(ran) and not found, text[-500:]
        else:
            assert int(verdict[2]) == len(found), text[-500:]
        return found, text


_BUILT: dict[str, Harness] = {}


def on(target: str, factory: pytest.TempPathFactory) -> Harness:
    """The harness with the kernels of this checkout, built once per process."""
    if target not in _BUILT:
        _BUILT[target] = Harness(target, factory.mktemp(f"harness-{target}"))
    return _BUILT[target]


def kernel_sources(kernels: Path, isa: Sequence[str]) -> list[Path]:
    """The C and assembler sources that a machine with these instruction sets compiles."""
    return sorted(p for p in kernels.iterdir() if p.suffix in (".c", ".S") and not foreign(p.stem, isa))


@cache
def arity(kernel: Kernel | Relayout) -> int:
    """The number of activations that the kernel reads."""
    if isinstance(kernel, Relayout):
        return 1
    name = kernel.op.__name__
    node = next(iter(CASES[name]())).build(np.random.default_rng(0))
    return len(node.args)
