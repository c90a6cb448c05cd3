"""Random networks for tests: valid integer graphs with sensible constants, drawn from a seed."""

from __future__ import annotations

import numpy as np

from mcugen import fixed
from mcugen.check import check, ranges
from mcugen.ir import Array, DType, Graph, Node, Op, Out, Quant, Tensor, Value
from mcugen.ops.add import Add
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.base import constant, draw_tail, draw_weights
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.flatten import Flatten
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.requantize import Requantize

SIZES = ((1, 8, 8), (3, 9, 7), (2, 16, 5), (1, 25, 5), (3, 12, 12), (2, 6, 1), (4, 4, 4))


class Builder:
    """Adds nodes to a graph one after the other, with constants drawn from `rng`."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], zero_point: int = 0) -> None:
        self.rng = rng
        self.x = Value("x", Tensor(DType.U8, shape, Quant(0.05, zero_point)))
        self.nodes: list[Node] = []

    def node(self, op: Op, *inputs: Value) -> Value:
        """Append a node; its output is named after its number."""
        out = Value(f"v{len(self.nodes)}", op.infer(*(v.type for v in inputs)))
        self.nodes.append(Node(op, inputs, out))
        return out

    def const(self, name: str, v: Value) -> Value:
        """A constant of its own name."""
        return Value(f"v{len(self.nodes)}.{name}", v.type, v.data)

    def sum(self, raw: Op, x: Value, w: Value, to: Out) -> Value:
        """A convolution or fully connected layer with a tail that uses the whole output range."""
        from dataclasses import replace

        w = self.const("w", w)
        probe = Graph("g", (self.x,), (*self.nodes, Node(raw, (x, w), Value("p", raw.infer(x.type, w.type)))), (x,))
        acc = list(ranges(probe).values())[-1][0]
        tail = draw_tail(self.rng, acc, to)
        names = (self.const(v.name, v) for v in tail)
        return self.node(replace(raw, to=to), x, w, *names)  # type: ignore[type-var]

    def out(self) -> Out:
        """An 8-bit or narrower output type with some zero point."""
        dtype = DType.U8 if self.rng.random() < 0.8 else DType.U4
        zero = int(self.rng.choice([0, 0, (dtype.hi + 1) // 2]))
        return Out(dtype, Quant(0.05, zero), 0, dtype.hi)

    def weights(self, shape: tuple[int, ...]) -> Value:
        """Ternary or int8 weights, some rows all zero."""
        dtype = DType.T if self.rng.random() < 0.7 else DType.I8
        w = draw_weights(self.rng, dtype, shape).const.copy()
        w[self.rng.random(shape[0]) < 0.2] = 0
        return constant("w", dtype, w)

    def graph(self, *outputs: Value) -> Graph:
        """The finished graph, checked."""
        return check(Graph("net", (self.x,), tuple(self.nodes), outputs))


def random_graph(seed: int, depth: int = 5) -> Graph:
    """A network of up to `depth` layers with residuals, pooling and a 16-bit output."""
    rng = np.random.default_rng(seed)
    b = Builder(rng, SIZES[rng.integers(len(SIZES))], int(rng.choice([0, 128])))
    v = b.x
    for _ in range(int(rng.integers(1, depth + 1))):
        v = _layer(b, v)
    if len(v.type.shape) == 3 and rng.random() < 0.5:
        v = _pool_all(b, v)
    if len(v.type.shape) == 3 and rng.random() < 0.5:
        v = b.node(Flatten(), v)
    return b.graph(b.sum(Linear(), v, b.weights((int(rng.integers(1, 12)), v.type.size)), Out.full(DType.I16)))


def _layer(b: Builder, x: Value) -> Value:
    rng = b.rng
    if len(x.type.shape) != 3:
        return b.sum(Linear(), x, b.weights((int(rng.integers(1, 20)), x.type.size)), b.out())
    kind = rng.choice(["conv", "conv", "same", "depthwise", "residual", "pool", "avg", "requantize"])
    c, h, w = x.type.shape
    zero = x.type.zero_point
    if kind == "conv":
        kh, kw = (int(min(k, d)) for k, d in zip(rng.choice([1, 2, 3, 5], 2), (h, w), strict=True))
        stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
        padding = tuple(int(p) for p in rng.integers(0, [kh, kw, kh, kw]))
        return b.sum(Conv2d(stride, padding, pad_value=zero), x, b.weights((int(rng.integers(1, 9)), c, kh, kw)), b.out())
    if kind == "same":
        return _same(b, x, int(rng.integers(1, 9)))
    if kind == "depthwise":
        k = min(3, h, w)
        p = k // 2
        stride = (int(rng.integers(1, 3)),) * 2
        return b.sum(DepthwiseConv2d(stride, (p, p, p, p), pad_value=zero), x, b.weights((c, k, k)), b.out())
    if kind == "residual":
        y = _same(b, _same(b, x, int(rng.integers(1, 6))), c)
        to = b.out()
        mults, add, shift = fixed.lower_sum(
            tuple(float(g) * to.dtype.hi / 255 for g in rng.uniform(-1, 1.5, 2)), 0.3 * to.dtype.hi, (255, 255)
        )
        pair = (x, y) if rng.random() < 0.5 else (y, x)
        return b.node(Add(mults[0], mults[1], add, shift, to), *pair)
    if kind == "pool" and h > 1:
        k = (2, min(2, w))
        return b.node(MaxPool(k, k), x)
    if kind == "avg" and h > 2 and w > 2:
        return _average(b, x, (2, 2), (int(rng.integers(1, 3)),) * 2)
    to = b.out()
    consts = draw_tail(rng, ranges_of(b, x), to)
    return b.node(Requantize(to), x, *(b.const(v.name, v) for v in consts))


def ranges_of(b: Builder, x: Value):  # noqa: ANN201
    """The proven range of a value."""
    from mcugen.ops.base import input_range

    return input_range(x)


def _same(b: Builder, x: Value, channels: int) -> Value:
    k = int(b.rng.choice([1, 3]))
    p = k // 2
    w = b.weights((channels, x.type.shape[0], k, k))
    return b.sum(Conv2d((1, 1), (p, p, p, p), pad_value=x.type.zero_point), x, w, b.out())


def _average(b: Builder, x: Value, kernel: tuple[int, int], stride: tuple[int, int]) -> Value:
    to = Out(x.type.dtype, Quant(0.05, x.type.zero_point), 0, x.type.dtype.hi)
    n = kernel[0] * kernel[1]
    m, a, s = fixed.lower(
        np.array([1 / n]), np.array([0.0]), np.array([0]), np.array([x.type.dtype.hi * n]), 0, x.type.dtype.hi
    )
    op = AvgPool(kernel, stride, int(m[0]), int(a[0]), int(s[0]), to, pad_value=x.type.zero_point)
    return b.node(op, x)


def _pool_all(b: Builder, x: Value) -> Value:
    return _average(b, x, (x.type.shape[1], x.type.shape[2]), (1, 1))


def random_input(graph: Graph, seed: int, count: int = 3) -> Array:
    """Inputs (count, *shape): lowest, highest, then random."""
    rng = np.random.default_rng(seed)
    t = graph.inputs[0].type
    x = rng.integers(t.dtype.lo, t.dtype.hi + 1, (count, *t.shape)).astype(t.dtype.numpy)
    x[0] = t.dtype.lo
    if count > 1:
        x[1] = t.dtype.hi
    return x
