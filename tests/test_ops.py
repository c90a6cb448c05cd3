"""Operators against independent definitions, what they refuse, and the limits that range analysis proves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen import fixed
from mcugen.errors import GraphError
from mcugen.ir import Array, DType, Node, Op, Out, Quant, Range, Tensor, Value
from mcugen.ops import CASES, OPS, base
from mcugen.ops.add import Add
from mcugen.ops.argmax import ArgMax
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.concat import Concat
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.flatten import Flatten
from mcugen.ops.linear import Linear
from mcugen.ops.lookup import Lookup
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.mul import Mul
from mcugen.ops.pad import Pad
from mcugen.ops.pixels import Pixels
from mcugen.ops.requantize import Requantize
from mcugen.ops.reshape import Reshape
from mcugen.ops.softmax import Softmax, tables
from mcugen.ops.softmax import node as softmax_node
from mcugen.ops.upsample import Upsample

torch = pytest.importorskip("torch")
F = torch.nn.functional

# ---- independent definitions: sums by torch in float64 (exact here), the tail in Python's integers ----


def real(x: Array) -> Any:
    return torch.tensor(x.astype(np.float64))


def padded(x: Array, padding: base.Padding, fill: float) -> Any:
    top, left, bottom, right = padding
    return F.pad(real(x), (left, right, top, bottom), value=fill)


def sums(node: Node, *inputs: Array) -> Array | None:
    """The accumulators (N, C, ...) of a node that has some."""
    op, x = node.op, inputs[0]
    w = [v.const for v in node.inputs if v.data is not None]
    match op:
        case Conv2d():
            y = F.conv2d(padded(x, op.padding, op.pad_value), real(w[0]), None, op.stride, 0, op.dilation, op.groups)
        case DepthwiseConv2d():
            kernel = real(w[0][:, None])
            y = F.conv2d(padded(x, op.padding, op.pad_value), kernel, None, op.stride, 0, op.dilation, len(kernel))
        case Linear():
            y = F.linear(real(x).flatten(1), real(w[0]))
        case AvgPool():
            y = F.avg_pool2d(padded(x, op.padding, op.pad_value), op.kernel, op.stride, divisor_override=1)
        case Requantize():
            return x.astype(np.int64)
        case _:
            return None
    return np.asarray(y.numpy()).astype(np.int64)


def rule(acc: Array, mult: Array, add: Array, shift: Array, to: Out) -> Array:
    """clamp((acc * mult + add) >> shift) in Python's integers; constants (C,) or (1,), channels on axis 1."""
    out = np.zeros(acc.shape, np.int64)
    for at in np.ndindex(acc.shape):
        m, a, s = (int(v[at[1] % len(v)]) for v in (mult, add, shift))
        out[at] = min(max((int(acc[at]) * m + a) // 2**s, to.lo), to.hi)
    return out


def definition(node: Node, *inputs: Array) -> Array | None:
    """The output; None for an operator without a second definition here: type and limits are tested all the same."""
    op, x = node.op, inputs[0]
    if isinstance(op, Lookup):
        table = node.inputs[1].const.tolist()
        return np.array([table[v] for v in x.ravel().tolist()]).reshape(x.shape)
    if isinstance(op, Pixels):
        tables = node.inputs[1].const.tolist()
        _, h, w, c = x.shape
        found = np.array([tables[k % len(tables)][v] for k, v in zip(np.indices(x.shape)[3].flat, x.flat, strict=True)])
        return np.asarray(torch.tensor(found.reshape(-1, h, w, c)).permute(0, 3, 1, 2).numpy())
    if isinstance(op, MaxPool):
        return np.asarray(F.max_pool2d(padded(x, op.padding, -np.inf), op.kernel, op.stride).numpy()).astype(np.int64)
    if isinstance(op, Flatten):
        return np.asarray(torch.flatten(torch.tensor(x), 1).numpy())
    if isinstance(op, Reshape):
        return np.asarray(torch.tensor(x).reshape(len(x), *op.shape).numpy())
    if isinstance(op, Add):
        terms = [v.astype(object) for v in inputs]
        y = (terms[0] * op.mult_a + terms[1] * op.mult_b + op.add) // 2**op.shift
        return np.array([min(max(v, op.to.lo), op.to.hi) for v in y.ravel()]).reshape(y.shape)
    if isinstance(op, Concat):
        parts = [
            rule(v.astype(np.int64), *(np.array([e[i]]) for e in (op.mults, op.adds, op.shifts)), op.to)
            for i, v in enumerate(inputs)
        ]
        return np.asarray(torch.cat([torch.tensor(p) for p in parts], 1).numpy())
    if isinstance(op, Mul):
        product = (real(x) - op.zero_a) * (real(inputs[1]) - op.zero_b)
        consts = (np.array([v]) for v in (op.mult, op.add, op.shift))
        return rule(product.numpy().astype(np.int64), *consts, op.to)
    if isinstance(op, Pad):
        return np.asarray(padded(x, op.padding, op.pad_value).numpy()).astype(np.int64)
    if isinstance(op, Upsample):
        return np.asarray(F.interpolate(real(x), scale_factor=op.factor, mode="nearest").numpy()).astype(np.int64)
    if isinstance(op, ArgMax):
        rows = [row.ravel().tolist() for row in x]
        return np.array([[row.index(max(row))] for row in rows])
    if isinstance(op, Softmax):
        return softmax(op, x, *(v.const.tolist() for v in node.inputs[1:]))
    acc = sums(node, *inputs)
    if acc is None:
        return None
    to: Out | None = getattr(op, "to", None)
    if to is None:
        return acc
    if isinstance(op, AvgPool):
        return rule(acc, np.array([op.mult]), np.array([op.add]), np.array([op.shift]), to)
    return rule(acc, *tail(node), to)


def softmax(op: Softmax, x: Array, coarse: list[int], fine: list[int]) -> Array:
    """Python's integers, element by element."""
    rows = []
    for row in x.reshape(len(x), -1).tolist():
        steps = [divmod(max(row) - v, 256) for v in row]
        e = [(coarse[a] * fine[b] + 2**14) // 2**15 if a < len(coarse) else 0 for a, b in steps]
        rows.append([min(max((v * op.one + sum(e) // 2) // sum(e), op.to.lo), op.to.hi) for v in e])
    return np.array(rows).reshape(x.shape)


def tail(node: Node) -> list[Array]:
    return [v.const for v in node.inputs if v.data is not None][-3:]


def draw_inputs(node: Node, rng: np.random.Generator, n: int = 2) -> list[Array]:
    """Random and extreme inputs."""
    drawn = []
    for v in node.args:
        lo, hi = v.type.dtype.lo, v.type.dtype.hi
        x = rng.integers(lo, hi + 1, (n + 3, *v.type.shape))
        x[n], x[n + 1] = lo, hi
        x[n + 2] = rng.choice([lo, hi], v.type.shape)
        drawn.append(x.astype(v.type.dtype.numpy))
    return drawn


def assert_equal_to_definition(node: Node, rng: np.random.Generator) -> None:
    inputs = draw_inputs(node, rng)
    stored = iter(inputs)
    got = node.op.eval(*(next(stored) if v.data is None else v.const for v in node.inputs))
    assert got.dtype == node.output.type.dtype.numpy
    assert got.shape == (len(inputs[0]), *node.output.type.shape)
    want = definition(node, *inputs)
    assert want is None or np.array_equal(got, want)


@pytest.mark.parametrize("name", CASES)
def test_eval_on_every_case(name: str) -> None:
    rng = np.random.default_rng(1)
    for case in CASES[name]():
        assert_equal_to_definition(case.build(rng), rng)


def test_every_operator_has_cases_with_distinct_names() -> None:
    assert CASES.keys() == OPS.keys()
    for make in CASES.values():
        names = [c.name for c in make()]
        assert len(set(names)) == len(names) > 0


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """An image, a kernel that fits, strides, padding and dilation."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.tuples(*[st.integers(0, 3)] * 4))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [max(1, s - padding[i] - padding[i + 2]) for i, s in enumerate(spans)]
    return {
        "kernel": kernel,
        "dilation": dilation,
        "padding": padding,
        "stride": draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        "shape": (draw(st.integers(1, 6)), *(n + draw(st.integers(0, 6)) for n in least)),
        "zero_point": draw(st.sampled_from([0, 1, 128, 255])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


OUTS = st.sampled_from(
    [None, Out.full(DType.U8), Out(DType.U8, Quant(0.1, 99), 9, 211), Out.full(DType.U2), Out.full(DType.I16)]
)


@given(windows(), st.sampled_from([DType.T, DType.I8]), OUTS, st.booleans(), st.integers(1, 3))
@settings(max_examples=120, deadline=None)
def test_conv2d_on_random_shapes(w: dict[str, Any], dtype: DType, to: Out | None, grouped: bool, per: int) -> None:
    rng = np.random.default_rng(w["seed"])
    c = w["shape"][0]
    groups = c if grouped else 1
    x = base.activation("x", w["shape"], w["zero_point"])
    op = Conv2d(w["stride"], w["padding"], w["dilation"], groups, w["zero_point"])
    node = base.make(op, x, base.draw_weights(rng, dtype, (groups * per, c // groups, *w["kernel"])))
    assert_equal_to_definition(node if to is None else base.requantized(node, rng, to), rng)


@given(windows(), st.sampled_from([DType.T, DType.I8]), OUTS)
@settings(max_examples=60, deadline=None)
def test_depthwise_on_random_shapes(w: dict[str, Any], dtype: DType, to: Out | None) -> None:
    rng = np.random.default_rng(w["seed"])
    x = base.activation("x", w["shape"], w["zero_point"])
    op = DepthwiseConv2d(w["stride"], w["padding"], w["dilation"], w["zero_point"])
    node = base.make(op, x, base.draw_weights(rng, dtype, (w["shape"][0], *w["kernel"])))
    assert_equal_to_definition(node if to is None else base.requantized(node, rng, to), rng)


@given(windows(), st.integers(-32767, 32767), st.integers(10, 20), st.integers(-100, 100))
@settings(max_examples=60, deadline=None)
def test_pools_on_random_shapes(w: dict[str, Any], mult: int, shift: int, add: int) -> None:
    rng = np.random.default_rng(w["seed"])
    shape = (w["shape"][0], w["shape"][1] + 3, w["shape"][2] + 3)
    x = base.activation("x", shape, w["zero_point"])
    op: Op = AvgPool(
        w["kernel"], w["stride"], mult, add << 15, shift, Out.full(DType.U8), w["padding"], w["zero_point"]
    )
    assert_equal_to_definition(base.make(op, x), rng)
    padding = tuple(min(p, k - 1) for p, k in zip(w["padding"], w["kernel"] * 2, strict=True))
    assert_equal_to_definition(base.make(MaxPool(w["kernel"], w["stride"], padding), x), rng)  # type: ignore[arg-type]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 7), OUTS, st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_linear_on_random_shapes(shape: list[int], o: int, to: Out | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = base.activation("x", tuple(shape), int(rng.integers(256)))
    node = base.make(Linear(), x, base.draw_weights(rng, DType.I8, (o, int(np.prod(shape)))))
    assert_equal_to_definition(node if to is None else base.requantized(node, rng, to), rng)
    assert_equal_to_definition(base.make(Flatten(), x), rng)


def test_sums_beyond_24_bits_are_exact() -> None:
    """Where float32 would round: 70000 terms of 255 * 119."""
    x = base.activation("x", (70000,))
    node = base.make(Linear(), x, base.constant("w", DType.I8, np.full((1, 70000), 119)))
    data = np.full((1, 70000), 255, np.uint8)
    data[0, 0] = 254
    assert node.op.eval(data, node.inputs[1].const).tolist() == [[255 * 119 * 70000 - 119]]


@pytest.mark.parametrize("op,shape", [(Linear(), (2, 18)), (Conv2d(), (2, 2, 3, 3)), (DepthwiseConv2d(), (2, 3, 3))])
def test_weights_of_minus_128(op: Op, shape: tuple[int, ...]) -> None:
    """Legal int8 weights that no test case draws; their negation is no int8."""
    node = base.make(op, base.activation("x", (2, 3, 3)), base.constant("w", DType.I8, np.full(shape, -128)))
    assert_equal_to_definition(node, np.random.default_rng(0))
    acc, out = node.op.bounds(base.input_range(node.inputs[0]), node.inputs[1].const)
    n = node.inputs[1].type.size // 2
    assert acc.span == out.span == (-128 * 255 * n, 0)


def test_macs() -> None:
    rng = np.random.default_rng(0)
    image = base.activation("x", (4, 8, 6))
    for op, w_shape, macs in (
        (Conv2d((1, 1), (1, 1, 1, 1)), (5, 4, 3, 3), 5 * 4 * 9 * 8 * 6),
        (Conv2d((2, 2), (1, 1, 1, 1)), (5, 4, 3, 3), 5 * 4 * 9 * 4 * 3),
        (Conv2d((1, 1), groups=2), (6, 2, 1, 1), 6 * 2 * 8 * 6),
        (DepthwiseConv2d((1, 1), (1, 1, 1, 1)), (4, 3, 3), 4 * 9 * 8 * 6),
        (Linear(), (10, 192), 1920),
    ):
        node = base.make(op, image, base.draw_weights(rng, DType.T, w_shape))
        assert node.op.macs(*(v.type for v in node.inputs)) == macs
    assert MaxPool((2, 2), (2, 2)).macs(image.type) == 0


# ---- what infer refuses ----


def u8(*shape: int, zero_point: int = 0) -> Tensor:
    return Tensor(DType.U8, shape, Quant(0.1, zero_point))


def t(*shape: int) -> Tensor:
    return Tensor(DType.T, shape)


TO = Out.full(DType.U8)
M, A, S = (Tensor(d, (4,)) for d in (DType.I16, DType.I32, DType.U8))
AVG = AvgPool((2, 2), (2, 2), 16384, 1 << 15, 16, TO)
ADD = Add(16384, 16384, 1 << 15, 15, TO)
MUL = Mul(0, 0, 16384, 0, 15, TO)
CONCAT = Concat((1, 1), (0, 0), (0, 0), TO)
SOFTMAX, E16, F16 = Softmax(255, TO), Tensor(DType.I16, (1,)), Tensor(DType.I16, (256,))


@pytest.mark.parametrize(
    "op,inputs,word",
    [
        (Conv2d(), (u8(3, 8), t(4, 3, 3, 3)), "unsigned activation of shape"),
        (Conv2d(), (t(3, 8, 8), t(4, 3, 3, 3)), "unsigned activation of shape"),
        (Conv2d(), (Tensor(DType.I16, (3, 8, 8)), t(4, 3, 3, 3)), "unsigned activation of shape"),
        (Conv2d(), (u8(3, 8, 8), t(4, 3, 3)), "ternary or int8"),
        (Conv2d(), (u8(3, 8, 8), u8(4, 3, 3, 3)), "ternary or int8"),
        (Conv2d(), (u8(3, 8, 8), Tensor(DType.I4, (4, 3, 3, 3))), "ternary or int8"),
        (Conv2d(), (u8(3, 8, 8), t(4, 2, 3, 3)), "groups=1"),
        (Conv2d(groups=2), (u8(3, 8, 8), t(4, 1, 3, 3)), "groups=2"),
        (Conv2d(groups=2), (u8(4, 8, 8), t(3, 2, 3, 3)), "groups=2"),
        (Conv2d(groups=0), (u8(4, 8, 8), t(3, 2, 3, 3)), "groups=0"),
        (Conv2d(), (u8(3, 2, 8), t(4, 3, 3, 3)), "does not fit 2"),
        (Conv2d(dilation=(4, 1)), (u8(3, 8, 8), t(4, 3, 3, 3)), "window of 9"),
        (Conv2d(stride=(0, 1)), (u8(3, 8, 8), t(4, 3, 3, 3)), "stride 0"),
        (Conv2d(dilation=(0, 1)), (u8(3, 8, 8), t(4, 3, 3, 3)), "dilation 0"),
        (Conv2d(padding=(0, 0, -1, 0)), (u8(3, 8, 8), t(4, 3, 3, 3)), "padding 0,-1"),
        (Conv2d(padding=(0, 0, 65536, 0)), (u8(3, 8, 8), t(4, 3, 3, 3)), "padding 0,65536"),
        (Conv2d(pad_value=1), (u8(3, 8, 8), t(4, 3, 3, 3)), "pad_value 1 is not the zero point 0"),
        (Conv2d(), (u8(3, 8, 8, zero_point=5), t(4, 3, 3, 3)), "pad_value 0 is not the zero point 5"),
        (Conv2d(), (u8(3, 8, 8), t(4, 3, 3, 3), M, A, S), "no output type"),
        (Conv2d(to=TO), (u8(3, 8, 8), t(4, 3, 3, 3)), "wanted mult"),
        (Conv2d(to=TO), (u8(3, 8, 8), t(4, 3, 3, 3), M, A), "wanted mult"),
        (Conv2d(to=TO), (u8(3, 8, 8), t(4, 3, 3, 3), A, M, S), "wanted mult"),
        (Conv2d(to=TO), (u8(3, 8, 8), t(5, 3, 3, 3), M, A, S), "wanted mult"),
        (Conv2d(to=replace(TO, hi=300)), (u8(3, 8, 8), t(4, 3, 3, 3), M, A, S), "clamp"),
        (Conv2d(to=Out.full(DType.I8)), (u8(3, 8, 8), t(4, 3, 3, 3), M, A, S), "unsigned"),
        (DepthwiseConv2d(), (u8(3, 8), t(3, 3, 3)), "unsigned activation of shape"),
        (DepthwiseConv2d(), (u8(3, 8, 8), t(2, 3, 3)), r"of shape \[3,KH,KW\]"),
        (DepthwiseConv2d(), (u8(3, 8, 8), t(3, 1, 3, 3)), r"of shape \[3,KH,KW\]"),
        (DepthwiseConv2d(), (u8(3, 8, 8), M), "ternary or int8"),
        (DepthwiseConv2d(pad_value=3), (u8(3, 8, 8), t(3, 3, 3)), "pad_value 3"),
        (DepthwiseConv2d(), (u8(3, 8, 8), t(3, 9, 3)), "window of 9"),
        (DepthwiseConv2d(to=TO), (u8(3, 8, 8), t(3, 3, 3), M, A, S), "wanted mult"),
        (Linear(), (u8(8), t(4, 7)), "wants 7 unsigned"),
        (Linear(), (Tensor(DType.I32, (8,)), t(4, 8)), "wants 8 unsigned"),
        (Linear(), (u8(8), t(32)), r"of shape \[O,N\]"),
        (Linear(), (u8(8), Tensor(DType.I16, (4, 8))), "ternary or int8"),
        (Linear(to=TO), (u8(8), t(5, 8), M, A, S), "wanted mult"),
        (ADD, (u8(8), u8(7)), "cannot add"),
        (ADD, (u8(2, 4), u8(8)), "cannot add"),
        (ADD, (u8(8), Tensor(DType.I16, (8,))), "cannot add"),
        (replace(ADD, mult_a=40000), (u8(8), u8(8)), "symmetric"),
        (replace(ADD, shift=32), (u8(8), u8(8)), "shift"),
        (replace(ADD, shift=31), (u8(8), u8(8)), "multiple"),
        (replace(ADD, to=replace(TO, lo=-1)), (u8(8), u8(8)), "clamp"),
        (MaxPool((2, 2), (2, 2)), (u8(8),), "unsigned activation of shape"),
        (MaxPool((2, 2), (2, 2)), (Tensor(DType.I16, (1, 8, 8)),), "unsigned activation of shape"),
        (MaxPool((2, 2), (2, 2), (2, 0, 0, 0)), (u8(1, 8, 8),), "padding alone"),
        (MaxPool((2, 2), (2, 2), (0, 0, 0, 2)), (u8(1, 8, 8),), "padding alone"),
        (MaxPool((9, 2), (2, 2)), (u8(1, 8, 8),), "window of 9"),
        (AVG, (u8(8),), "unsigned activation of shape"),
        (AVG, (u8(1, 1, 8),), "window of 2"),
        (AVG, (u8(1, 8, 8, zero_point=9),), "pad_value 0 is not the zero point 9"),
        (replace(AVG, shift=40), (u8(1, 8, 8),), "shift"),
        (replace(AVG, mult=-32768), (u8(1, 8, 8),), "symmetric"),
        (replace(AVG, add=1), (u8(1, 8, 8),), "multiple"),
        (Lookup(TO), (t(8), Tensor(DType.U8, (256,))), "wants a table"),
        (Lookup(TO), (u8(8), Tensor(DType.U8, (255,))), "wants a table"),
        (Lookup(TO), (u8(8), Tensor(DType.I16, (256,))), "wants a table"),
        (Lookup(TO), (Tensor(DType.U4, (8,)), Tensor(DType.U8, (256,))), "wants a table"),
        (Reshape((4, 4)), (u8(16),), "does not become"),
        (Reshape((4, 3)), (u8(16),), "does not become"),
        (Reshape((4, -2, -2)), (u8(16),), "does not become"),
        (Pixels(TO), (u8(4, 4), Tensor(DType.U8, (4, 256))), "wanted bytes"),
        (Pixels(TO), (Tensor(DType.U4, (4, 5, 3)), Tensor(DType.U8, (3, 256))), "wanted bytes"),
        (Pixels(TO), (u8(4, 5, 3), Tensor(DType.U8, (4, 256))), "wants a table"),
        (Pixels(TO), (u8(4, 5, 3), Tensor(DType.I16, (3, 256))), "wants a table"),
        (Pixels(Out.full(DType.I16)), (u8(4, 5, 3), Tensor(DType.I16, (3, 256))), "wants a table"),
        (MUL, (u8(3, 4, 4), u8(3)), "cannot multiply"),
        (MUL, (u8(3, 4, 4), u8(3, 4, 1)), "cannot multiply"),
        (MUL, (u8(3), t(3)), "cannot multiply"),
        (MUL, (u8(3), u8(3, zero_point=1)), "not the zero points"),
        (replace(MUL, shift=40), (u8(3), u8(3)), "shift"),
        (replace(MUL, mult=32767, add=1 << 30), (u8(3), u8(3)), "leave 32 bits"),
        (replace(MUL, add=1, shift=17), (u8(3), u8(3)), "multiple"),
        (CONCAT, (u8(3, 4, 4), u8(2, 4, 5)), "cannot concatenate"),
        (CONCAT, (u8(3, 4, 4), t(2, 4, 4)), "cannot concatenate"),
        (CONCAT, (u8(3, 4, 4),), "1 inputs with"),
        (replace(CONCAT, adds=(0,)), (u8(3), u8(3)), "2 inputs with"),
        (replace(CONCAT, mults=(1, 40000)), (u8(3), u8(3)), "symmetric"),
        (replace(CONCAT, adds=(0, 2**31 - 1)), (u8(3), u8(3)), "leave 32 bits"),
        (Pad((1, 1, 1, 1)), (u8(8),), "unsigned activation of shape"),
        (Pad((1, 1, 1, 1)), (u8(1, 8, 8, zero_point=3),), "not the zero point 3"),
        (Pad((-1, 1, 1, 1)), (u8(1, 8, 8),), "padding -1"),
        (Upsample((0, 1)), (u8(1, 8, 8),), "factors"),
        (Upsample((2, 2)), (u8(8),), "unsigned activation of shape"),
        (ArgMax(DType.U8), (u8(257),), "no u8"),
        (ArgMax(DType.U4), (u8(3),), "no u4"),
        (ArgMax(DType.U8), (t(3),), "wanted an activation"),
        (ArgMax(DType.U8), (Tensor(DType.U8, (2,), Quant((0.1, 0.2))),), "scale per channel"),
        (SOFTMAX, (t(8), E16, F16), "unsigned or i16"),
        (SOFTMAX, (u8(40000), E16, F16), "at most 32767"),
        (SOFTMAX, (u8(8), E16, E16), "wants tables"),
        (SOFTMAX, (u8(8), F16, F16), "wants tables"),
        (replace(SOFTMAX, one=70000), (u8(8), E16, F16), "one is"),
        (Requantize(TO), (t(8), *(Tensor(x.dtype, (1,)) for x in (M, A, S))), "wanted an activation"),
        (Requantize(TO), (u8(8),), "wanted mult"),
        (Requantize(TO), (u8(8), M, A, S), "wanted mult"),
        (Requantize(replace(TO, quant=Quant(1.0, 256))), (u8(4), M, A, S), "zero point"),
    ],
)
def test_infer_refuses(op: Op, inputs: tuple[Tensor, ...], word: str) -> None:
    with pytest.raises(GraphError, match=word) as e:
        op.infer(*inputs)
    assert e.value.code == "E201"


def test_infer_gives_shapes_and_keeps_quantisation() -> None:
    x = u8(3, 25, 5, zero_point=7)
    assert MaxPool((3, 3), (2, 2), (1, 1, 1, 1)).infer(x) == Tensor(DType.U8, (3, 13, 3), x.quant)
    assert Flatten().infer(x) == Tensor(DType.U8, (375,), x.quant)
    assert Linear().infer(x, t(10, 375)) == Tensor(DType.I32, (10,))
    assert Conv2d((2, 1), (4, 1, 5, 1), pad_value=7).infer(x, t(4, 3, 10, 4)).shape == (4, 13, 4)
    to = Out(DType.U4, Quant(0.3, 2), 1, 9)
    one = [Tensor(v.dtype, (1,)) for v in (M, A, S)]
    assert Requantize(to).infer(Tensor(DType.I32, (3, 4)), *one) == Tensor(DType.U4, (3, 4), to.quant)


def test_softmax_tables_are_checked() -> None:
    good = tables(u8(3), 0.1)
    x = Range(np.zeros(3, np.int64), np.full(3, 255))
    SOFTMAX.bounds(x, *good)
    for bad in ((good[0] - 1, good[1]), (good[0], -good[1])):
        with pytest.raises(GraphError, match="tables"):
            SOFTMAX.bounds(x, *bad)


@pytest.mark.parametrize(
    "source, scale, to, bound",
    [
        (DType.U8, 0.05, Out.full(DType.U8, 1 / 255), 0.52 / 255),
        (DType.U8, 0.05, Out(DType.I16, Quant(1 / 32767), 0, 32767), 8e-5),
        (DType.I16, 1e-3, Out(DType.I16, Quant(1 / 32767), 0, 32767), 8e-5),
        (DType.I16, 3e-5, Out.full(DType.U8, 1 / 255), 0.52 / 255),
    ],
)
def test_softmax_against_floats(source: DType, scale: float, to: Out, bound: float) -> None:
    """The largest error of a probability; docs/VERIFIED.md quotes the bounds."""
    rng = np.random.default_rng(5)
    worst = 0.0
    for n in (2, 10, 100):
        made = softmax_node("y", Value("x", Tensor(source, (n,), Quant(scale))), to)
        x = rng.integers(source.lo, source.hi + 1, (200, n)).astype(source.numpy)
        x[:100] = (x[:100].astype(np.int64) // 16).astype(source.numpy)  # and closer together
        y = made.op.eval(x, *(v.const for v in made.inputs[1:])) / made.op.one  # type: ignore[attr-defined]
        want = torch.softmax(real(x) * scale, 1).numpy()
        worst = max(worst, float(np.abs(y - want).max()))
    assert worst < bound


# ---- bounds ----


def terms(node: Node, inputs: list[Array]) -> Array | None:
    """Every summand of every accumulator: (samples, channels, positions, summands)."""
    op, x = node.op, inputs[0]
    w = [v.const.astype(np.int64) for v in node.inputs if v.data is not None]
    n = len(x)
    if isinstance(op, Linear):
        return (x.reshape(n, 1, 1, -1).astype(np.int64)) * w[0][None, :, None]
    if isinstance(op, Add):
        a, b = (v.reshape(n, v.shape[1], -1).astype(np.int64) for v in inputs)
        return np.stack([a * op.mult_a, b * op.mult_b, np.full_like(a, op.add)], axis=-1)
    if isinstance(op, AvgPool):
        channels, groups, kernel, dilation = x.shape[1], x.shape[1], op.kernel, (1, 1)
        weights = np.ones((channels, 1, *kernel), np.int64)
    elif isinstance(op, DepthwiseConv2d):
        channels, groups, kernel, dilation = x.shape[1], x.shape[1], w[0].shape[1:], op.dilation
        weights = w[0][:, None]
    elif isinstance(op, Conv2d):
        channels, groups, kernel, dilation = w[0].shape[0], op.groups, w[0].shape[2:], op.dilation
        weights = w[0]
    else:
        return None
    columns = F.unfold(padded(x, op.padding, op.pad_value), kernel, dilation, 0, op.stride).numpy().astype(np.int64)
    per_channel = columns.reshape(n, groups, -1, columns.shape[2]).repeat(channels // groups, axis=1)
    return per_channel.transpose(0, 1, 3, 2) * weights.reshape(1, channels, 1, -1)


def wide(r: Range, channels: int) -> tuple[Array, Array]:
    """The limits with an entry per channel, shaped to compare with (samples, channels, ...)."""
    return tuple(v.repeat(channels // v.size).reshape(1, -1, 1) for v in (r.lo, r.hi))  # type: ignore[return-value]


@pytest.mark.parametrize("name", CASES)
def test_partial_sums_and_outputs_stay_within_bounds(name: str) -> None:
    rng = np.random.default_rng(3)
    for case in CASES[name]():
        node = case.build(rng)
        acc, out = node.op.bounds(*(base.input_range(v) if v.data is None else v.const for v in node.inputs))
        assert acc.lo.dtype == acc.hi.dtype == np.int64
        inputs = draw_inputs(node, rng)
        parts = terms(node, inputs)
        if parts is not None:
            lo, hi = wide(acc, parts.shape[1])
            for _ in range(2):
                order = rng.permutation(parts.shape[3])
                partial = parts[..., order].cumsum(axis=3)
                assert np.all(partial.min(axis=3) >= lo), case.name
                assert np.all(partial.max(axis=3) <= hi), case.name
        stored = iter(inputs)
        y = node.op.eval(*(next(stored) if v.data is None else v.const for v in node.inputs)).astype(np.int64)
        y = y.reshape(len(y), y.shape[1], -1)
        lo, hi = wide(out, y.shape[1])
        assert np.all(y >= lo) and np.all(y <= hi), case.name


@given(windows(), st.sampled_from([DType.T, DType.I8]), st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_bounds_hold_for_narrow_inputs(w: dict[str, Any], dtype: DType, a: int, b: int) -> None:
    """Inputs of a range per channel, as an earlier clamp leaves them; the padding's value may lie outside."""
    rng = np.random.default_rng(w["seed"])
    c = w["shape"][0]
    x = base.activation("x", w["shape"], w["zero_point"])
    op = Conv2d(w["stride"], w["padding"], w["dilation"], 1, w["zero_point"])
    node = base.make(op, x, base.draw_weights(rng, dtype, (3, c, *w["kernel"])))
    ends = np.sort(rng.integers(min(a, b), max(a, b) + 1, (2, c)), axis=0).astype(np.int64)
    acc, out = node.op.bounds(Range(ends[0], ends[1]), node.inputs[1].const)
    data = rng.integers(ends[0][:, None, None], ends[1][:, None, None] + 1, (4, *w["shape"])).astype(np.uint8)
    parts = terms(node, [data])
    assert parts is not None
    partial = parts[..., rng.permutation(parts.shape[3])].cumsum(axis=3)
    lo, hi = wide(acc, 3)
    assert np.all(partial.min(axis=3) >= lo) and np.all(partial.max(axis=3) <= hi)
    lo, hi = wide(out, 3)
    assert np.all(partial[..., -1] >= lo) and np.all(partial[..., -1] <= hi)


def extremes(node: Node, ranges: list[Range]) -> tuple[Array, Array]:
    """Least and largest finished sums of a node without padding, by trying the inputs that make them."""
    x, w = node.args[0], node.inputs[1].const.astype(np.int64)
    found = []
    for high in (False, True):
        best = []
        for o in range(w.shape[0]):
            if isinstance(node.op, DepthwiseConv2d):
                positive = np.zeros(x.type.shape, bool)
                positive[o] = w[o] > 0
            else:
                positive = (w[o] > 0).reshape(x.type.shape)
            lo, hi = (e.reshape(-1, *[1] * (len(x.type.shape) - 1)) for e in (ranges[0].lo, ranges[0].hi))
            data = np.where(positive == high, hi, lo).astype(np.uint8)
            best.append(node.op.eval(data[None], node.inputs[1].const).reshape(-1)[o])
        found.append(np.array(best))
    return found[0], found[1]


@pytest.mark.parametrize("kind", base.WEIGHT_KINDS)
@pytest.mark.parametrize("dtype", [DType.T, DType.I8])
def test_bounds_are_tight(kind: str, dtype: DType) -> None:
    """Without padding some input reaches each limit; the partial sums' limits are those of one sign's terms."""
    rng = np.random.default_rng(4)
    image = base.activation("x", (3, 4, 5))
    drawn = np.sort(rng.integers(0, 256, (2, 3)), axis=0).astype(np.int64)
    for r in (base.input_range(image), Range(drawn[0], drawn[1])):
        for op, shape in (
            (Linear(), (4, 60)),
            (Conv2d(), (4, 3, 4, 5)),
            (DepthwiseConv2d(), (3, 4, 5)),
        ):
            node = base.make(op, image, base.draw_weights(rng, dtype, shape, kind))
            w = node.inputs[1].const.astype(np.int64)
            acc, out = node.op.bounds(r, w)
            least, most = extremes(node, [r])
            assert np.array_equal(out.lo, least) and np.array_equal(out.hi, most)
            spread = r.hi[:, None, None] if isinstance(op, DepthwiseConv2d) else r.hi.reshape(1, 3, 1, 1)
            terms_hi = w.reshape(-1, 4, 5) * spread if w.ndim == 3 else w.reshape(4, 3, 4, 5) * spread
            sums_of = [np.where(terms_hi * s > 0, terms_hi, 0).reshape(len(w), -1).sum(1) for s in (-1, 1)]
            assert np.array_equal(acc.lo, sums_of[0]) and np.array_equal(acc.hi, sums_of[1])


def test_bounds_are_tight_for_what_has_no_weights() -> None:
    image = base.activation("x", (2, 4, 4))
    full = base.input_range(image)
    acc, out = AvgPool((4, 4), (1, 1), 2048, 0, 15, TO).bounds(full)
    assert (acc.span, out.span) == ((0, 16 * 255), (0, 255))
    acc, out = AvgPool((4, 4), (1, 1), -2048, 255 << 15, 15, TO).bounds(full)
    assert out.span == (0, 255)
    assert MaxPool((2, 2), (2, 2)).bounds(Range(np.array([3, 4]), np.array([5, 9])))[1].span == (3, 9)
    acc, out = Add(16384, -8192, 3 << 14, 14, Out.full(DType.I16)).bounds(full, full)
    assert out.span == (3 - 128, 255 + 3)  # -255 / 2 goes down
    assert acc.span == (-8192 * 255, 16384 * 255 + (3 << 14))
    constants = [np.array([v]) for v in (-16384, 10 << 14, 14)]
    acc, out = Requantize(Out.full(DType.I16)).bounds(Range(np.array([-4]), np.array([7])), *constants)
    assert (acc.span, out.span) == ((-4, 7), (3, 14))


def test_padding_widens_the_range() -> None:
    """A pixel outside counts as pad_value, even where x itself cannot be that."""
    image = base.activation("x", (1, 3, 3), 200)
    node = base.make(
        Conv2d((1, 1), (1, 1, 1, 1), pad_value=200), image, base.constant("w", DType.T, np.ones((1, 1, 3, 3)))
    )
    narrow = Range(np.array([10]), np.array([20]))
    assert node.op.bounds(narrow, node.inputs[1].const)[1].span == (90, 1800)
    corner = node.op.eval(np.full((1, 1, 3, 3), 20, np.uint8), node.inputs[1].const)[0, 0, 0, 0]
    assert corner == 4 * 20 + 5 * 200


def test_draw_tail_makes_legal_constants() -> None:
    rng = np.random.default_rng(7)
    for to in (TO, Out.full(DType.I16), Out.full(DType.U1)):
        for reach in (1, 100, 40000, 1 << 28):
            acc = Range(np.full(50, -reach), np.full(50, reach))
            mult, add, shift = (v.const for v in base.draw_tail(rng, acc, to))
            assert fixed.violations(mult, add, shift, acc.lo, acc.hi) == []


def test_weight_kinds() -> None:
    rng = np.random.default_rng(8)
    drawn: dict[str, Callable[[Array], bool]] = {
        "sparse": lambda w: 0.2 < np.mean(w != 0) < 0.5,
        "dense": lambda w: bool(np.all(w != 0)),
        "zero": lambda w: not np.any(w),
        "one": lambda w: np.count_nonzero(w) == 1,
        "plus": lambda w: bool(np.all(w == w.max())) and w.max() > 0,
        "minus": lambda w: bool(np.all(w == w.min())) and w.min() < 0,
    }
    assert drawn.keys() == set(base.WEIGHT_KINDS)
    for dtype in (DType.T, DType.I8):
        for kind, holds in drawn.items():
            v: Value = base.draw_weights(rng, dtype, (20, 30), kind)
            assert holds(v.const), (dtype, kind)
