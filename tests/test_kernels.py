"""OPS x cases x kernels x layouts x machines: every byte that a kernel writes equals the interpreter's."""

from __future__ import annotations

import itertools
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pytest
from harness import Check, Dot, Fill, Program, Put, Step, Unpack, node_programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcugen import fixed, layout, pack, resources, toolchain
from mcugen.ir import Array, DType, Node, Op, Out, Quant
from mcugen.kernels import KERNELS
from mcugen.kernels.base import Bound, Field, Signature
from mcugen.layout import FLAT
from mcugen.ops import CASES, OPS
from mcugen.ops import base as ops
from mcugen.ops.add import Add
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [
    "host",
    "sanitised",
    pytest.param("microbit", marks=needs_arm),
    pytest.param("mps2-an385", marks=needs_arm),
    pytest.param("mps2-an386", marks=needs_arm),
    pytest.param("mps2-an500", marks=needs_arm),
    pytest.param("mps2-an505", marks=needs_arm),
    pytest.param("mps3-an547", marks=needs_arm),
]
# THIN: one program in five of the matrix, all kernels; the others run it all. DSP: they have the dsp variants.
THIN = ("mps2-an385", "mps2-an500", "mps2-an505", "mps3-an547")
DSP = ("mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")

Factory = pytest.TempPathFactory

TAILS = [
    None,
    Out.full(DType.U8),
    Out(DType.U8, Quant(0.1, 128), 10, 240),
    Out.full(DType.U4),
    Out.full(DType.I16),
]


def each_case() -> Iterator[tuple[str, Node]]:
    for op, cases in CASES.items():
        for case in cases():
            name = f"{op} {case.name}"
            yield name, case.build(np.random.default_rng(zlib.crc32(name.encode())))


# ---- the matrix ----


@pytest.mark.parametrize("machine", MACHINES)
def test_every_kernel(machine: str, tmp_path_factory: Factory, record_property: Callable[[str, object], None]) -> None:
    programs = harness.thinned(harness.all_programs(), 5) if machine in THIN else harness.all_programs()
    report = harness.on(machine, tmp_path_factory).run(programs)
    print(report)
    record_property("programs", len(report.ran))
    record_property("too big", len(report.left_out))
    assert not report.failures, str(report)
    wanted = {k.name for k in (*KERNELS, harness.RELAYOUT) if k.stem}
    assert {p.label for p in report.ran} == wanted
    assert len(report.left_out) < 0.05 * len(report.ran)
    if report.left_out:
        large = harness.on(f"{machine}-large", tmp_path_factory).run(report.left_out)
        print(large)
        assert not large.failures and not large.left_out, str(large)


def narrow_programs() -> Iterator[Program]:
    """Inputs proven to be small, far from the pad value that garbage rows hold, and a tail that fits just those."""
    table: list[tuple[Op, tuple[int, ...], tuple[int, ...]]] = [
        (Conv2d(pad_value=255), (16, 9, 4), (2, 16, 3, 3)),
        (Conv2d(pad_value=255, stride=(2, 1)), (16, 10, 4), (2, 16, 2, 3)),
        (DepthwiseConv2d(pad_value=255), (3, 13, 6), (3, 4, 4)),
        (Linear(), (10, 5, 5), (3, 250)),
    ]
    for op, shape, w_shape in table:
        for dtype, kind, to in itertools.product((DType.T, DType.I8), ("plus", "sparse"), (TAILS[1], TAILS[4])):
            rng = np.random.default_rng(9)
            raw = ops.make(op, ops.activation("x", shape, 255), ops.draw_weights(rng, dtype, w_shape, kind))
            tail = ops.draw_tail(rng, harness.accumulators(raw, (0, 3)), to)
            node = ops.make(replace(op, to=to), *raw.inputs, *tail)  # type: ignore[call-arg]
            yield from node_programs(f"narrow {type(op).__name__} {dtype} {kind} {to.dtype}", node, rng, limits=(0, 3))


@pytest.mark.parametrize("machine", ["sanitised", pytest.param("mps2-an386", marks=needs_arm)])
def test_proven_ranges_are_enough(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(narrow_programs())
    assert not report.failures and not report.left_out, str(report)


def test_every_case_runs_in_flat_layout() -> None:
    without = []
    for name, node in each_case():
        found = [k for k in KERNELS if type(node.op) is k.op]
        if not any(k.layouts(node, (FLAT,) * len(node.args), FLAT) for k in found):
            without.append(name)
    assert not without


LONG = (
    *(
        "Conv2d 5x5-",
        "Conv2d kx1-",
        "Conv2d 1xk-",
        "DepthwiseConv2d 5x5-",
        "DepthwiseConv2d kx1",
        "DepthwiseConv2d 1xk-",
    ),
    *("MaxPool 2x14x15-7x7", "MaxPool 2x13x9-7x7", "MaxPool 1x64x1-32x1", "MaxPool 2x3x12-1x5"),
    *("AvgPool 2x14x15-", "AvgPool 2x13x9-", "AvgPool 1x64x1-", "AvgPool 2x32x1-", "AvgPool 2x3x12-", "AvgPool 3x8x8-"),
)


@pytest.mark.parametrize("layout", ["_flat", "_lanes"])
def test_cases_run_long_kernels(layout: str) -> None:
    """Kernels of 5x5, kx1 and 1xk, windows of 7x7, 32x1, 1x5 and the whole image, in both layouts."""
    found = [p.name for p in harness.all_programs() if layout in p.label]
    assert not [name for name in LONG if not any(p.startswith(name) for p in found)]


def test_names_tell_kernels_apart() -> None:
    assert len({k.name for k in KERNELS}) == len(KERNELS)


def test_every_op_has_cases() -> None:
    assert set(CASES) == set(OPS)
    assert all(any(True for _ in cases()) for cases in CASES.values())


def test_cases_reach_both_widths_of_the_tail() -> None:
    def widths(fields: tuple[Field, ...]) -> Iterator[Any]:
        for f in fields:
            if isinstance(f.value, tuple):
                yield from widths(f.value)
            elif f.name == "wide":
                yield f.value

    seen = {w for p in harness.all_programs() for a in p.actions if isinstance(a, Step) for w in widths(a.bound.fields)}
    assert seen == {0, 1}


# ---- structs ----

CHECKS = """
#define SAME(type, member, what) \\
    _Static_assert(__builtin_types_compatible_p(__typeof__(((struct type *)0)->member), what), #type "." #member)
#define AT(type, member, at) _Static_assert(offsetof(struct type, member) == at, #type "." #member)
#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == bytes, #type)
"""


def struct_checks(pointer: int) -> str:
    bounds = {a.stem: a.bound for p in harness.all_programs() for a in p.actions if isinstance(a, Step)}
    lines = []
    for stem, bound in sorted(bounds.items()):
        tag = f"mcugen_{stem}"
        lines.append(f"SIZE({tag}, {harness.measure(bound.fields, pointer)[0]});")
        for m in harness.leaves(bound.fields, pointer):
            table = isinstance(m.field.value, np.ndarray)
            what = f"const {m.field.ctype} *" if table else m.field.ctype
            lines.append(f"AT({tag}, {m.path}, {m.offset}); SAME({tag}, {m.path}, {what});")
            if table:
                assert m.field.value.itemsize == harness.SIZES[m.field.ctype], (stem, m.path)
    assert len(bounds) == len({k.stem for k in (*KERNELS, harness.RELAYOUT) if k.stem})
    headers = "".join(f'#include "{path.name}"\n' for path in sorted(resources.KERNELS.glob("*.h")))
    return f"#include <stddef.h>\n{headers}{CHECKS}" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["cc", "clang", pytest.param("arm", marks=needs_arm)])
def test_fields_match_the_c_structs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "clang":
        if not shutil.which("clang"):
            pytest.skip("no clang")
        monkeypatch.setenv("CC", "clang")
    cc, flags, pointer = toolchain.host_cc(), (), harness.TARGETS["host"].pointer
    if name == "arm":
        cc, flags, pointer = toolchain.arm_gcc(), ("-mcpu=cortex-m4", "-mthumb"), 4
    source = tmp_path / "structs.c"
    source.write_text(struct_checks(pointer))
    toolchain.compile(
        cc, [source], tmp_path, flags=flags, include=[resources.KERNELS], warnings=("-std=c11", "-Wall", "-Werror")
    )


# ---- helpers of the kernels, called by themselves ----


def unpack_programs() -> Iterator[Program]:
    """Every window [first, first + n) of ternary tensors, to every alignment."""
    rng = np.random.default_rng(5)
    tensors = [rng.integers(-1, 2, n).astype(np.int8) for n in (1, 2, 5, 8, 9, 17, 23, 26)]
    tensors += [np.full(11, v, np.int8) for v in (-1, 0, 1)]
    for encoding in pack.ENCODINGS:
        for k, w in enumerate(tensors):
            packed = encoding.pack(w)
            assert np.array_equal(encoding.unpack(packed, w.size), w)
            yield unpack_program(f"unpack {encoding.name} tensor {k}", encoding.name, packed, w)
    wide = np.array([-128, 127, -1, 0, 1, 64, -65], np.int8)
    yield unpack_program("unpack i8 extremes", "i8", pack.pack_i8(wide), wide)
    yield unpack_program("unpack base3 all bytes", "base3", *all_of_base3(), step=5)


def all_of_base3() -> tuple[Array, Array]:
    w = np.array(list(itertools.product((-1, 0, 1), repeat=5)), np.int8).ravel()
    return pack.pack_base3(w), w


def unpack_program(name: str, encoding: str, packed: Array, w: Array, step: int = 0) -> Program:
    actions: list[harness.Action] = []
    windows = [(f, n) for f in range(w.size + 1) for n in range(w.size - f + 1)]
    if step:
        windows = [(f, step) for f in range(0, w.size, step)]
    for i, (first, n) in enumerate(windows):
        at = 8 + i % 4
        actions += [Fill(i + 1), Unpack(encoding, 0, first, n, at), Check(at, w[first : first + n].tobytes())]
    return Program(name, 24 + max(n for _, n in windows) // 4 * 4, tuple(actions), (packed,), skew=w.size % 2)


def dot_programs(functions: list[str]) -> Iterator[Program]:
    """Every length to 36 and some longer ones, all alignments of both arguments, extremes and random."""
    rng = np.random.default_rng(6)
    for function, n in itertools.product(functions, (*range(37), 63, 64, 65, 127, 300)):
        pairs = [
            (np.full(n, 255), np.full(n, -128)),
            (np.full(n, 255), np.full(n, 127)),
            (rng.integers(0, 256, n), rng.integers(-128, 128, n)),
            (np.full(n, 128), np.arange(n) % 3 - 1),
        ]
        actions: list[harness.Action] = []
        tables = []
        for (x, w), b in itertools.product(pairs, range(4)):
            tables.append(np.concatenate([np.full(b, 99), w]).astype(np.int8))
            want = int(x @ w).to_bytes(4, "little", signed=True)
            for a in range(4):
                out = -(-(n + 16) // 4) * 4
                actions += [Fill(a + 1), Put(4 + a, x.astype(np.uint8).tobytes())]
                actions += [Dot(function, 4 + a, len(tables) - 1, b, n, out), Check(out, want)]
        yield Program(f"{function} n={n}", n // 4 * 4 + 24, tuple(actions), tuple(tables), skew=n % 2)


@pytest.mark.parametrize("machine", MACHINES)
def test_unpack(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(unpack_programs())
    assert not report.failures and not report.left_out, str(report)
    assert sum(isinstance(a, Unpack) for p in report.ran for a in p.actions) > 3000


@pytest.mark.parametrize("machine", MACHINES)
def test_dot(machine: str, tmp_path_factory: Factory) -> None:
    made = harness.on(machine, tmp_path_factory)
    variants = ("mve",) * (machine == "mps3-an547") + ("dsp",) * (machine in DSP) + ("ref",)
    assert made.dots == sorted(f"mcugen1_dot_{v}" for v in variants)
    report = made.run(dot_programs(made.dots))
    assert not report.failures and not report.left_out, str(report)


# ---- chains ----


def chain() -> Program:
    """Flat to lanes, a convolution, its residual sum in place, a fully connected layer; the input's place is reused."""
    rng = np.random.default_rng(8)
    image = ops.activation("x", (2, 7, 5), 128)
    op = Conv2d(padding=(1, 1, 1, 1), pad_value=128)
    raw = ops.make(op, image, ops.draw_weights(rng, DType.T, (2, 2, 3, 3)))
    conv = ops.requantized(raw, rng, Out(DType.U8, Quant(0.05, 128), 0, 255))
    total = ops.make(Add(9000, 9000, 0, 14, Out(DType.U8, Quant(0.05, 128), 0, 255)), image, conv.output)
    last = ops.make(Linear(), total.output, ops.draw_weights(rng, DType.T, (3, 70)))
    x = rng.integers(0, 256, (1, 2, 7, 5)).astype(np.uint8)
    y = harness.evaluate(conv, [x])
    z = harness.evaluate(total, [x, y])
    logits = harness.evaluate(last, [z])

    lay = layout.lanes(image.type, 3, 1, 1, 1)
    n = layout.size(lay, image.type)
    flat, a, b, out, scratch = (
        harness.Span(1, 70),
        harness.Span(72, n),
        harness.Span(76 + n, n),
        harness.Span(3, 12),
        80 + 2 * n,
    )

    def bound(stem: str, node: Node, sig: Signature) -> Bound:
        kernel = next(k for k in KERNELS if k.stem == stem and "i8" not in k.name)
        return kernel.bind(
            node, sig, node.op.bounds(*(ops.input_range(v) if v.data is None else v.data for v in node.inputs))[0]
        )

    steps = [
        harness.Step("relayout", harness.RELAYOUT.bind(image.type, FLAT, lay), (flat,), a),
        harness.Step("conv2d_lanes", bound("conv2d_lanes", conv, Signature((lay,), lay)), (a,), b, scratch),
        harness.Step("add_lanes", bound("add_lanes", total, Signature((lay, lay), lay)), (a, b), b),
        harness.Step("linear", bound("linear", last, Signature((lay,), FLAT)), (b,), out, scratch),
    ]
    expected = [
        (0, a.at, layout.store(lay, x[0]).tobytes()),
        (1, b.at, layout.store(lay, y[0]).tobytes()),
        (2, b.at, layout.store(lay, z[0]).tobytes()),
        (-1, out.at, layout.store(FLAT, logits[0]).tobytes()),
    ]
    return harness.program("chain", steps, scratch + 256, [(flat.at, x.tobytes())], expected)


@pytest.mark.parametrize("machine", MACHINES)
def test_chain(machine: str, tmp_path_factory: Factory) -> None:
    good = chain()
    *actions, last = good.actions
    assert isinstance(last, Check)
    wrong = bytes([*last.data[:5], last.data[5] ^ 1, *last.data[6:]])
    bad = Program("bad", good.arena, (*actions, Check(last.at, wrong)), skew=1)
    report = harness.on(machine, tmp_path_factory).run([good, bad, good])
    assert [(f.program, f.step, f.kind, f.index) for f in report.failures] == [("bad", 3, 1, 5)], str(report)
    assert report.failures[0].want == wrong[5] and report.failures[0].got == last.data[5]


# ---- random geometry ----

RANDOM = settings(
    max_examples=400,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
Draw = st.DrawFn


def drawn_window(draw: Draw, h: int, w: int) -> tuple[Any, Any, Any, Any]:
    """Kernel, stride, dilation and padding of a window that fits an image of h x w."""
    kernel = draw(st.just((3, 3)) | st.tuples(st.integers(1, 5), st.integers(1, 4)))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dilation = draw(st.just((1, 1)) | st.tuples(st.integers(1, 3), st.integers(1, 2)))
    top, left, bottom, right = (draw(st.integers(0, 4)) for _ in range(4))
    bottom += max(0, (kernel[0] - 1) * dilation[0] + 1 - h - top - bottom)
    right += max(0, (kernel[1] - 1) * dilation[1] + 1 - w - left - right)
    return kernel, stride, dilation, (top, left, bottom, right)


@st.composite
def weighted_sums(draw: Draw) -> Node:
    """A convolution, depthwise convolution or fully connected layer."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    kind = draw(st.sampled_from(["conv", "conv", "depthwise", "linear"]))
    to, zp = draw(st.sampled_from(TAILS)), draw(st.sampled_from([0, 1, 128, 255]))
    dtype, pattern = draw(st.sampled_from([DType.T, DType.I8])), draw(st.sampled_from(ops.WEIGHT_KINDS))
    h, w = draw(st.integers(1, 21)), draw(st.integers(1, 9))
    groups = draw(st.integers(1, 3))
    c, o = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel, stride, dilation, padding = drawn_window(draw, h, w)
    op: Op
    if kind == "linear":
        shape = draw(st.sampled_from([(h * w,), (h, w, 1), (c, h, w), (w, 1, h), (90 * w,)]))
        op, w_shape = Linear(), (o, int(np.prod(shape)))
    elif kind == "conv":
        shape, w_shape = (c, h, w), (o, c // groups, *kernel)
        op = Conv2d(stride, padding, dilation, groups, pad_value=zp)
    else:
        shape, w_shape = (c, h, w), (c, *kernel)
        op = DepthwiseConv2d(stride, padding, dilation, pad_value=zp)
    node = ops.make(op, ops.activation("x", shape, zp), ops.draw_weights(rng, dtype, w_shape, pattern))
    return ops.requantized(node, rng, to) if to else node


@st.composite
def pools(draw: Draw) -> Node:
    """A pooling of either kind, sometimes of the whole image."""
    zp = draw(st.sampled_from([0, 1, 128, 255]))
    c, h, w = draw(st.integers(1, 3)), draw(st.integers(1, 21)), draw(st.integers(1, 9))
    kernel = draw(st.integers(1, min(5, h))), draw(st.integers(1, min(4, w)))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding: Any = tuple(draw(st.integers(0, kernel[i % 2] - 1)) for i in range(4))
    if draw(st.booleans()):
        kernel, padding = (h, w), (0, 0, 0, 0)
    x = ops.activation("x", (c, h, w), zp)
    if draw(st.booleans()):
        return ops.make(MaxPool(kernel, stride, padding), x)
    to = draw(st.sampled_from(TAILS[1:]))
    n = kernel[0] * kernel[1]
    gain = (to.hi - to.lo) / 255 * draw(st.sampled_from([0.5, 1.0, 1.3, -1.0]))
    terms = (np.array([v]) for v in (gain / n, to.lo + 100.0, 0, 255 * n))
    mult, add, shift = (int(v[0]) for v in fixed.lower(*terms, to.lo, to.hi))
    return ops.make(AvgPool(kernel, stride, mult, add, shift, to, padding, zp), x)


@pytest.mark.parametrize(
    "nodes, of",
    [
        pytest.param(weighted_sums(), (Conv2d, DepthwiseConv2d, Linear), id="weighted sums"),
        pytest.param(pools(), (MaxPool, AvgPool), id="pools"),
    ],
)
def test_random_geometry(nodes: st.SearchStrategy[Node], of: tuple[type[Op], ...], tmp_path_factory: Factory) -> None:
    made = harness.on("host", tmp_path_factory)
    ran: set[str] = set()

    @RANDOM
    @given(nodes)
    def holds(node: Node) -> None:
        rng = np.random.default_rng(node.output.type.size)
        report = made.run(node_programs(repr(node.op), node, rng))
        assert not report.failures and not report.left_out, str(report)
        assert any(">flat" in p.name for p in report.ran)
        ran.update(p.label for p in report.ran)

    holds()
    own = {"kronecker/twos", "window/i8 mixed"}  # of few geometries: test_kronecker.py, test_window.py
    own.add("direct/i8")  # of few constants, with such weights: test_direct.py
    own |= {
        k.name for k in KERNELS if k.stem == "chunks" or k.nibbles
    }  # of other types: test_chunks.py, test_nibbles.py
    assert ran >= {k.name for k in KERNELS if k.op in of and k.stem} - own


def test_harness_refuses_what_it_cannot_run(tmp_path_factory: Factory) -> None:
    made = harness.on("host", tmp_path_factory)
    with pytest.raises(AssertionError, match="refused"):
        made.run([Program("outside", 8, (Put(4, bytes(8)),))])
