"""Cycles of every kernel as its cost function says, beside what the simulator counts, on layers of two or more shapes.

    python bench/costs.py [--cores cortex-m4 ...] [--kernels conv2d_flat add_flat ...]

Ends with the kernels that are off by more than a limit. Every output is compared with the operator's own.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from kernels import FLASH, GUARD, RAM, accumulators, placed

from mcugen import fixed, layout, report, resources, targets
from mcugen.errors import MismatchError, OutputError
from mcugen.ir import Array, DType, Node, Op, Out, Quant, Tensor, Value
from mcugen.kernels import KERNELS
from mcugen.kernels.base import Core, Kernel, Signature, candidates, fits
from mcugen.layout import FLAT, Layout
from mcugen.ops import base as ops
from mcugen.ops.add import Add
from mcugen.ops.argmax import ArgMax, index_type
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.concat import Concat
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.linear import Linear
from mcugen.ops.lookup import Lookup
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.mul import Mul
from mcugen.ops.pad import Pad
from mcugen.ops.pixels import Pixels
from mcugen.ops.requantize import Requantize
from mcugen.ops.softmax import node as softmax
from mcugen.ops.upsample import Upsample
from mcugen.sim import cycles

CORES = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33")
CLOSE = 5.0  # percent, on the layers of the networks of bench/networks.py
FAIR = 10.0  # percent, on all others
BENCH = "bench"  # how names of layers begin that those networks have
BYTES, WORDS, NIBBLES = (Out.full(t) for t in (DType.U8, DType.I16, DType.U4))
DENSITY = 0.2


@dataclass(frozen=True)
class Row:
    """One kernel on one layer."""

    core: str
    kernel: str
    layer: str
    cycles: int
    predicted: int

    @property
    def off(self) -> float:
        """Percent that the prediction is too high."""
        return 100 * (self.predicted / self.cycles - 1)

    @property
    def limit(self) -> float:
        """Percent that it may be."""
        return CLOSE if self.layer.startswith(BENCH) else FAIR


# ---- layers ----


def layers() -> Iterator[tuple[str, Node]]:
    """Layers by name, of every operator that any code runs."""
    for dtype in (DType.I8, DType.T):
        to = dtype.value
        yield f"bench kws conv {to}", _conv((1, 49, 10), (64, 1, 10, 4), 2, (4, 1, 5, 1), dtype, zero=128)
        yield f"bench kws pw {to}", _conv((64, 25, 5), (64, 64, 1, 1), 1, (0,) * 4, dtype)
        yield f"bench ic conv {to}", _conv((3, 32, 32), (16, 3, 3, 3), 1, (1,) * 4, dtype)
        yield f"bench ic b {to}", _conv((64, 8, 8), (64, 64, 3, 3), 1, (1,) * 4, dtype)
        yield f"bench ic a {to}", _conv((32, 16, 16), (64, 32, 3, 3), 2, (0, 0, 1, 1), dtype)
        yield f"bench vww pw {to}", _conv((256, 3, 3), (256, 256, 1, 1), 1, (0,) * 4, dtype)
        yield f"conv 5x5 {to} i16", _conv((8, 14, 14), (12, 8, 5, 5), 1, (2,) * 4, dtype, WORDS)
        yield f"conv dilated {to}", _conv((6, 20, 11), (9, 6, 3, 3), 1, (2,) * 4, dtype, dilation=2)
        yield f"conv groups {to}", _conv((16, 12, 12), (16, 4, 3, 3), 1, (1,) * 4, dtype, groups=4)
        yield f"bench kws dw {to}", _depthwise((64, 25, 5), 3, 1, (1,) * 4, dtype)
        yield f"bench vww dw {to}", _depthwise((16, 48, 48), 3, 2, (0, 0, 1, 1), dtype)
        yield f"bench vww dw 6 {to}", _depthwise((128, 6, 6), 3, 1, (1,) * 4, dtype)
        yield f"depthwise 5x5 {to} i16", _depthwise((12, 16, 10), 5, 1, (2,) * 4, dtype, WORDS)
        yield f"depthwise 5x5 {to}", _depthwise((12, 16, 10), 5, 1, (2,) * 4, dtype)
        yield f"depthwise 1x1 {to}", _depthwise((10, 24, 9), 1, 1, (0,) * 4, dtype)
        yield f"bench kws fc {to}", _linear(64, 12, dtype, WORDS)
        yield f"bench ad fc {to}", _linear(128, 128, dtype, BYTES)
        yield f"linear {to}", _linear(300, 20, dtype, BYTES)
        yield f"linear short {to}", _linear(50, 30, dtype, BYTES)
    image, grey = _x("x", (16, 32, 32)), _x("x", (3, 21, 13), 7)
    for name, x in (("bench ic", image), ("", grey)):
        other = Value("b", x.type)
        yield f"{name} add".strip(), ops.make(_add(x.type.shape), x, other)
    yield "bench ic add 3", ops.make(_add((64, 8, 8)), _x("x", (64, 8, 8)), _x("b", (64, 8, 8)))
    yield "mul", ops.make(_mul(), image, Value("b", image.type))
    yield "mul by channel", ops.make(_mul(), image, _x("b", (16, 1, 1)))
    yield "mul i16", ops.make(_mul(WORDS), _x("x", (5, 20, 11)), _x("b", (5, 20, 11)))
    same = (1, 1), (0, 0), (0, 0)
    yield "concat", ops.make(Concat(*same, BYTES), image, _x("b", (8, 32, 32)))
    yield (
        "concat scaled",
        ops.make(Concat((1, 300), (0, 128), (0, 8), BYTES), _x("x", (5, 21, 13)), _x("b", (7, 21, 13))),
    )
    for name, shape, outputs, size, stride, padding in (
        ("bench u4 kws pw", (64, 25, 5), 64, 1, 1, (0,) * 4),
        ("bench u4 ic b", (64, 8, 8), 64, 3, 1, (1,) * 4),
        ("bench u4 ic a", (32, 16, 16), 64, 3, 2, (0, 0, 1, 1)),
        ("bench u4 vww pw", (256, 3, 3), 256, 1, 1, (0,) * 4),
        ("u4 conv 5x5", (8, 14, 14), 12, 5, 1, (2,) * 4),
    ):
        op, w = Conv2d((stride, stride), padding), (outputs, shape[0], size, size)
        yield name, _weighted(op, _u4("x", shape), w, DType.T, NIBBLES)
    for shape in ((16, 32, 32), (64, 8, 8)):
        x = _u4("x", shape)
        yield f"bench u4 add {shape[0]}", ops.make(_add(shape, NIBBLES), x, _u4("b", shape))
    for shape in ((64, 25, 5), (64, 8, 8), (256, 3, 3)):
        yield f"bench u4 pool {shape[0]} {shape[1]}", ops.make(_average(shape[1:], (1, 1), to=NIBBLES), _u4("x", shape))
    for shape, stride in (((64, 25, 5), 1), ((8, 48, 48), 1), ((16, 48, 48), 2), ((128, 6, 6), 1), ((64, 12, 12), 2)):
        padding = (1, 1, 1, 1) if stride == 1 else (0, 0, 1, 1)
        yield f"bench u4 dw {shape} s{stride}", _depthwise(shape, 3, stride, padding, DType.I8, NIBBLES)
    yield "u4 depthwise 5x5", _depthwise((12, 16, 10), 5, 1, (2,) * 4, DType.I8, NIBBLES)
    yield "u4 depthwise limits", _depthwise((9, 40, 7), 3, 1, (1,) * 4, DType.I8, replace(NIBBLES, lo=1, hi=14))
    x, tail = _u4("x", (16, 32, 32)), ((1, -22938), (0, 376832), (0, 15))
    yield "u4 concat", ops.make(Concat(*same, NIBBLES), x, _u4("b", (8, 32, 32)))
    yield "u4 concat scaled", ops.make(Concat(*tail, NIBBLES), _u4("x", (5, 21, 13)), _u4("b", (7, 21, 13)))
    yield "u4 mul by channel", ops.make(_mul(NIBBLES), x, _u4("b", (16, 1, 1)))
    yield "u4 mul 5", ops.make(_mul(NIBBLES), _u4("x", (5, 21, 13)), _u4("b", (5, 1, 1)))
    yield "u4 pad", ops.make(Pad((1,) * 4), x)
    yield "u4 pad 2", ops.make(Pad((3, 2, 2, 1)), _u4("x", (3, 21, 13)))
    yield "u4 upsample", ops.make(Upsample((2, 2)), x)
    yield "u4 upsample 3x2", ops.make(Upsample((3, 2)), _u4("x", (3, 21, 13)))
    yield "u4 maxpool 2x2", ops.make(MaxPool((2, 2), (2, 2)), _u4("x", (16, 32, 32)))
    yield "u4 maxpool 3x3", ops.make(MaxPool((3, 3), (2, 2), (1,) * 4), _u4("x", (6, 25, 15)))
    yield "u4 avgpool 2x2", ops.make(_average((2, 2), (2, 2), to=NIBBLES), _u4("x", (16, 32, 32)))
    yield "u4 avgpool 3x3", ops.make(_average((3, 3), (1, 1), (1,) * 4, NIBBLES), _u4("x", (6, 25, 15)))
    nibbles = np.random.default_rng(1).integers(0, 16, 16)
    for shape in ((16, 32, 32), (5, 21, 13)):
        x = _u4("x", shape)
        yield f"u4 lookup {shape[0]}", ops.make(Lookup(NIBBLES), x, ops.constant("t", DType.U4, nibbles))
    yield "maxpool 2x2", ops.make(MaxPool((2, 2), (2, 2)), image)
    yield "maxpool 3x3", ops.make(MaxPool((3, 3), (2, 2), (1,) * 4), _x("x", (6, 25, 15)))
    yield "bench kws pool", ops.make(_average((25, 5), (1, 1)), _x("x", (64, 25, 5)))
    yield "bench ic pool", ops.make(_average((8, 8), (1, 1)), _x("x", (64, 8, 8)))
    yield "bench vww pool", ops.make(_average((3, 3), (1, 1)), _x("x", (256, 3, 3)))
    yield "avgpool 2x2", ops.make(_average((2, 2), (2, 2)), image)
    yield "avgpool 3x3", ops.make(_average((3, 3), (1, 1), (1,) * 4), _x("x", (6, 25, 15)))
    yield "avgpool 5x5", ops.make(_average((5, 5), (5, 5)), _x("x", (9, 25, 15)))
    yield "maxpool 5x5", ops.make(MaxPool((5, 5), (5, 5)), _x("x", (9, 25, 15)))
    yield "pad", ops.make(Pad((1,) * 4), image)
    yield "pad 2", ops.make(Pad((3, 2, 2, 1), 7), grey)
    yield "pad 8", ops.make(Pad((8,) * 4), _x("x", (10, 9, 9)))
    yield "upsample", ops.make(Upsample((2, 2)), image)
    yield "upsample 3x2", ops.make(Upsample((3, 2)), grey)
    for name, dtype, shape, to in (
        ("u8", DType.U8, (16, 32, 32), BYTES),
        ("u8 small", DType.U8, (5, 21, 13), BYTES),
        ("i16", DType.I16, (200,), BYTES),
        ("u8 to i16", DType.U8, (9, 30), WORDS),
    ):
        x = Value("x", Tensor(dtype, shape, Quant(0.05, 0)))
        lo, hi = ops.input_range(x).lo[:1], ops.input_range(x).hi[:1]
        tail = fixed.lower(np.full(1, 0.7 / (256 if dtype is DType.I16 else 1)), np.full(1, 9.0), lo, hi, to.lo, to.hi)
        yield f"requantize {name}", ops.make(Requantize(to), x, *_tail(tail))
    table = np.random.default_rng(1).integers(0, 256, 256)
    for name, x in (("", image), (" small", grey)):
        yield f"lookup{name}", ops.make(Lookup(BYTES), x, ops.constant("t", DType.U8, table))
    yield "lookup i16", ops.make(Lookup(WORDS), _x("x", (500,)), ops.constant("t", DType.I16, table * 100))
    probability = Out.full(DType.U8, 1 / 256)
    for n, dtype in ((10, DType.U8), (100, DType.U8), (12, DType.I16)):
        x = Value("x", Tensor(dtype, (n,), Quant(0.05 if dtype is DType.U8 else 1e-3)))
        yield f"softmax {n} {dtype.value}", softmax("y", x, probability)
        yield f"argmax {n} {dtype.value}", ops.make(ArgMax(index_type(x.type)), x)
    for shape in ((32, 32, 3), (21, 13, 1)):
        x = Value("x", Tensor(DType.U8, shape, Quant(1 / 255)))
        colours = np.random.default_rng(1).integers(0, 256, (shape[2], 256))
        yield f"pixels {shape[2]}", ops.make(Pixels(BYTES), x, ops.constant("t", DType.U8, colours))


def _x(name: str, shape: tuple[int, ...], zero: int = 0) -> Value:
    return Value(name, Tensor(DType.U8, shape, Quant(0.05, zero)))


def _u4(name: str, shape: tuple[int, ...]) -> Value:
    return Value(name, Tensor(DType.U4, shape, Quant(0.05, 0)))


def _tail(constants: Sequence[Array]) -> list[Value]:
    named = zip(("m", "a", "s"), (DType.I16, DType.I32, DType.U8), constants, strict=True)
    return [ops.constant(*c) for c in named]


def _weighted(op: Op, x: Value, shape: tuple[int, ...], dtype: DType, to: Out) -> Node:
    rng = np.random.default_rng(1)
    w = np.clip(np.round(rng.normal(0, 40, shape)), -127, 127).astype(np.int8)
    if dtype is DType.T:
        w = (rng.choice([-1, 1], shape) * (rng.random(shape) < DENSITY)).astype(np.int8)
    weights = ops.constant("w", dtype, w)
    acc = accumulators(ops.make(op, x, weights))
    spread = np.sqrt((w.astype(float) ** 2).reshape(len(w), -1).sum(axis=1) + 1)
    scale = (60 if to is WORDS else 0.5) / spread
    offset = 7.0 if to.dtype is DType.U4 else 100.0
    constants = fixed.lower(scale, np.full(len(w), offset), acc.lo, acc.hi, to.lo, to.hi)
    return ops.make(replace(op, to=to), x, weights, *_tail(constants))  # type: ignore[type-var]


def _conv(
    shape: tuple[int, int, int],
    w: tuple[int, ...],
    stride: int,
    padding: ops.Padding,
    dtype: DType,
    to: Out = BYTES,
    dilation: int = 1,
    groups: int = 1,
    zero: int = 0,
) -> Node:
    op = Conv2d((stride, stride), padding, (dilation, dilation), groups, pad_value=zero)
    return _weighted(op, _x("x", shape, zero), w, dtype, to)


def _depthwise(
    shape: tuple[int, int, int], size: int, stride: int, padding: ops.Padding, dtype: DType, to: Out = BYTES
) -> Node:
    x = _u4("x", shape) if to.dtype is DType.U4 else _x("x", shape)
    return _weighted(DepthwiseConv2d((stride, stride), padding), x, (shape[0], size, size), dtype, to)


def _linear(n: int, outputs: int, dtype: DType, to: Out) -> Node:
    return _weighted(Linear(), _x("x", (n,)), (outputs, n), dtype, to)


def _add(shape: tuple[int, ...], to: Out = BYTES) -> Add:
    mults, add, shift = fixed.lower_sum((0.6, 0.6), 0.0, (255, 255))
    return Add(mults[0], mults[1], add, shift, to)


def _mul(to: Out = BYTES) -> Mul:
    m, a, s = (int(v[0]) for v in fixed.lower(*(np.array([v]) for v in (0.004, 0.0, 0, 65025)), 0, 255))  # type: ignore[arg-type]
    return Mul(0, 0, m, a, s, to)


def _average(
    kernel: tuple[int, int], stride: tuple[int, int], padding: ops.Padding = (0,) * 4, to: Out = BYTES
) -> AvgPool:
    n = kernel[0] * kernel[1]
    m, a, s = (int(v[0]) for v in fixed.lower(*(np.array([v]) for v in (1 / n, 0.0, 0, to.hi * n)), 0, to.hi))  # type: ignore[arg-type]
    return AvgPool(kernel, stride, m, a, s, to, padding)


# ---- the program ----


def signature(node: Node, kernel: Kernel) -> Signature | None:
    """Lanes of as few rows as hold the image and stay in step; flat where the kernel knows nothing else.

    Of nibbles where the kernel knows those.
    """
    bits = 4 if kernel.nibbles else 8
    types = [*(v.type for v in node.args), node.output.type]
    stride, factor = getattr(node.op, "stride", (1, 1))[0], getattr(node.op, "factor", (1, 1))[0]
    image = [len(t.shape) == 3 and t.dtype.unsigned and t.dtype.hi < 1 << bits and fits(t) for t in types]
    rows = layout.rows_for(types[-1].shape[1], 32 // bits) if image[-1] else 0
    rows = -(-rows // factor) * factor
    lanes = [_lanes(t, rows * stride // factor, bits) if ok else FLAT for t, ok in zip(types, image, strict=True)]
    lanes[-1] = _lanes(types[-1], rows, bits) if image[-1] else FLAT
    own = [
        _lanes(t, layout.rows_for(t.shape[1], 32 // bits), bits) if ok else FLAT
        for t, ok in zip(types, image, strict=True)
    ]
    flat = [FLAT] * len(types)
    for ins, out in (
        (lanes[:-1], lanes[-1]),
        (own[:-1], own[-1]),
        (own[:-1], FLAT),
        ([*lanes[:1], *flat[1:-1]], lanes[-1]),
        (flat[:-1], own[-1]),
        (flat[:-1], FLAT),
    ):
        if found := kernel.layouts(node, tuple(ins), out):
            return found
    return None


def _lanes(t: Tensor, rows: int, bits: int) -> Layout:
    return layout.lanes(t, rows, bits=bits) if rows * (32 // bits) >= t.shape[1] else FLAT


def machine(core: str, work: Path) -> cycles.Machine:
    """A program with every kernel for the core, each behind a function call_<stem>."""
    folder = resources.KERNELS
    isas = ("dsp", "m0", "m3", "mve", "neon")
    foreign = tuple(f"_{isa}" for isa in isas if isa not in targets.get(core).core.isa)
    sources = [p for p in sorted(folder.glob("*.[cS]")) if not p.stem.endswith(foreign)]
    stems = sorted({k.stem for k in KERNELS if k.stem})
    text = "".join(f'#include "{s}.h"\n' for s in stems)
    for stem in stems:
        kernel = next(k for k in KERNELS if k.stem == stem)
        count = 1 if kernel.variadic else 2 if kernel.op in (Add, Mul) else 1
        xs = [f"const void *{'const *' if kernel.variadic else ''}x{i}" for i in range(count)]
        names = ["k", *(f"x{i}" for i in range(count)), "y", *(["s"] if kernel.uses_scratch else [])]
        args = ", ".join(
            [f"const struct mcugen_{stem} *k", *xs, "void *y", *(["void *s"] if kernel.uses_scratch else [])]
        )
        text += f"void call_{stem}({args})\n{{\n    mcugen1_{stem}({', '.join(names)});\n}}\n"
    calls = work / f"calls_{core}.c"
    calls.write_text(text)
    kept = [f"call_{s}" for s in stems]
    headers = "\n".join(p.read_text() for p in sorted(folder.glob("*.h")))
    kept += sorted(set(re.findall(r"^(?!static)\w[\w *]*?\b(mcugen1_\w+)\(", headers, re.M)))  # some by pointers only
    elf = cycles.build_elf([calls, *sources], kept[0], work / f"{core}.elf", core, keep=kept)
    return cycles.Machine(elf, core)


@cache
def _vectors(node: Node) -> tuple[tuple[Array, ...], Array]:
    rng = np.random.default_rng(1)
    xs = tuple(
        rng.integers(v.type.dtype.lo, v.type.dtype.hi + 1, (1, *v.type.shape)).astype(v.type.dtype.numpy)
        for v in node.args
    )
    given = iter(xs)
    want = node.op.eval(*(next(given) if v.data is None else v.const for v in node.inputs))
    return xs, want


@cache
def _otherwise() -> dict[str, str]:
    """What headers call functions that a core has no assembler for."""
    headers = "\n".join(p.read_text() for p in sorted(resources.KERNELS.glob("*.h")))
    return dict(re.findall(r"^#define (mcugen1_\w+) (mcugen1_\w+)$", headers, re.M))


def _address(on: cycles.Machine, function: str) -> int:
    try:
        return on.address(function)
    except OutputError:
        return on.address(_otherwise()[function])


def measured(name: str, node: Node, kernel: Kernel, sig: Signature, on: cycles.Machine, core: Core) -> Row:
    """One row; MismatchError E601 if a byte of the output is wrong, or one behind the scratch."""
    acc = accumulators(node)
    bound = kernel.bind(node, sig, acc)
    xs, y = _vectors(node)
    want = layout.store(sig.output, y[0])
    memory: dict[int, bytes] = {}
    at, places = RAM, []
    for lay, x in zip(sig.inputs, xs, strict=True):
        memory[at] = layout.store(lay, x[0]).tobytes()
        places.append(at)
        at += -(-len(memory[at]) // 8) * 8
    if kernel.variadic:
        memory[at] = np.array(places, "<u4").tobytes()
        places, at = [at], at + -(-4 * len(places) // 8) * 8
    y_at, scratch = at, at + -(-want.size // 8) * 8 + 4
    memory[y_at] = bytes(want.size)
    memory[scratch] = GUARD * (bound.scratch // len(GUARD) + 1)
    placed(bound.fields, memory, FLASH, lambda function: _address(on, function))
    args = [FLASH, *places, y_at, *([scratch] if kernel.uses_scratch else [])]
    call = on.call(f"call_{kernel.stem}", args, memory)
    where = f"{name}, {kernel.name}, {core.name}"
    if call.memory[scratch][bound.scratch :] != GUARD or call.memory[y_at] != want.tobytes():
        raise MismatchError("E601", "wrong result, or wrote behind its scratch", where=where)
    return Row(core.name, kernel.name, name, call.cycles, round(kernel.cycles(node, sig, acc, core)))


def rows(core: str, stems: Sequence[str] = (), names: Sequence[str] = ()) -> Iterator[Row]:
    """A row for every layer (of these names) and every kernel (of these stems) that can run it."""
    known = targets.get(core).core
    offered = tuple(k.on(known) for k in KERNELS)
    on = _built(core)
    for name, node in layers():
        if names and name not in names:
            continue
        for kernel in candidates(offered, node):
            if not kernel.stem or (stems and kernel.stem not in stems):
                continue
            sig = signature(node, kernel)
            if sig is not None and kernel.accepts(node, accumulators(node)):
                yield measured(name, node, kernel, sig, on, known)


@cache
def _built(core: str) -> cycles.Machine:
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        return machine(core, Path(work))


def table(found: Sequence[Row]) -> str:
    """Rows as text."""
    lines = [("core", "kernel", "layer", "cycles", "predicted", "error", "")]
    for r in found:
        far = "too far off" if abs(r.off) > r.limit else ""
        lines.append((r.core, r.kernel, r.layer, f"{r.cycles:,}", f"{r.predicted:,}", f"{r.off:+.1f} %", far))
    return report.table(lines, left=3)


def main() -> None:
    """Prints the table, and how many are how far off."""
    stems = sorted({k.stem for k in KERNELS if k.stem})
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cores", nargs="+", default=CORES, choices=CORES, metavar="CORE")
    parser.add_argument(
        "--kernels", nargs="+", default=(), choices=stems, metavar="KERNEL", help=f"of {' '.join(stems)}"
    )
    args = parser.parse_args()
    found = [r for core in args.cores for r in rows(core, args.kernels)]
    found.sort(key=lambda r: (r.kernel, r.layer))
    print(table(found))
    for what, some in (("bench layers", CLOSE), ("other layers", FAIR)):
        group = [r for r in found if r.limit == some]
        close = sum(abs(r.off) <= some for r in group)
        worst = max((abs(r.off) for r in group), default=0.0)
        print(f"{close} of {len(group)} on {what} within {some:g} %, worst {worst:.1f} %")


if __name__ == "__main__":
    main()
