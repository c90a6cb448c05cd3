"""Random networks for tests: valid integer graphs with sensible constants, drawn from a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcugen import fixed
from mcugen.check import check
from mcugen.ir import Array, DType, Graph, Node, Op, Out, Quant, Range, Tensor, Value
from mcugen.ops.add import Add
from mcugen.ops.argmax import ArgMax
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.base import constant, draw_tail, draw_weights, input_range
from mcugen.ops.concat import Concat
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.flatten import Flatten
from mcugen.ops.linear import Linear
from mcugen.ops.lookup import Lookup
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.mul import Mul
from mcugen.ops.pad import Pad
from mcugen.ops.requantize import Requantize
from mcugen.ops.reshape import Reshape
from mcugen.ops.softmax import node as softmax_node
from mcugen.ops.upsample import Upsample

SHAPES: tuple[tuple[int, ...], ...] = (
    (1, 8, 8),
    (3, 9, 7),
    (2, 16, 5),
    (1, 25, 5),
    (3, 12, 12),
    (2, 6, 1),
    (4, 4, 4),
    (1, 1, 9),
    (23,),
)
LAYERS = ("conv", "conv", "same", "depthwise", "residual", "branches", "pool", "average", "requantize", "clamp")
MORE = (*LAYERS, "concat", "concat", "excite", "product", "pad", "upsample", "table", "reshape")


class Builder:
    """Adds nodes to a graph one after the other, with constants drawn from `rng`."""

    def __init__(
        self, rng: np.random.Generator, shape: tuple[int, ...], zero_point: int = 0, dtype: DType = DType.U8
    ) -> None:
        self.rng = rng
        self.x = Value("x", Tensor(dtype, shape, Quant(0.05, zero_point)))
        self.more: list[Value] = []  # inputs beyond x
        self.nodes: list[Node] = []
        self.ranges: dict[Value, Range] = {self.x: input_range(self.x)}
        self.zeros = 0.2  # share of output channels without weights
        self.low = False  # activations of up to 4 bits, mostly
        self.unfused = 0.0  # how often a sum and its requantisation are two nodes

    def node(self, op: Op, *inputs: Value) -> Value:
        """Append a node; its output and its constants are named after its number."""
        name = f"v{len(self.nodes)}"
        names = iter(("mult", "add", "shift") if isinstance(op, Requantize) else ("w", "mult", "add", "shift"))
        inputs = tuple(v if v.data is None else Value(f"{name}.{next(names)}", v.type, v.data) for v in inputs)
        out = Value(name, op.infer(*(v.type for v in inputs)))
        self.nodes.append(Node(op, inputs, out))
        self.ranges[out] = self.bounds(op, *inputs)[1]
        return out

    def bounds(self, op: Op, *inputs: Value) -> tuple[Range, Range]:
        """Proven limits of the accumulator and the output, one entry per channel."""
        acc, out = op.bounds(*(self.ranges[v] if v.data is None else v.data for v in inputs))
        each = max(1, op.infer(*(v.type for v in inputs)).shape[0] // out.lo.size)
        return acc, Range(out.lo.repeat(each), out.hi.repeat(each))

    def sum(self, raw: Op, x: Value, w: Value, to: Out) -> Value:
        """A convolution or fully connected layer with its requantisation, in one node or in two."""
        if self.rng.random() < self.unfused:
            sums = self.node(raw, x, w)
            return self.node(Requantize(to), sums, *draw_tail(self.rng, self.ranges[sums], to))
        tail = draw_tail(self.rng, self.bounds(raw, x, w)[0], to)
        return self.node(replace(raw, to=to), x, w, *tail)  # type: ignore[type-var]

    def out(self) -> Out:
        """An 8-bit or narrower output type with some zero point and limits."""
        dtype = DType.U8 if self.rng.random() < (0.1 if self.low else 0.8) else DType(f"u{self.rng.integers(1, 8)}")
        if self.low and dtype.hi > 15:
            dtype = DType.U4
        zero = int(self.rng.choice([0, 0, (dtype.hi + 1) // 2]))
        lo = zero if self.rng.random() < 0.3 else 0
        return Out(dtype, Quant(0.05, zero), lo, dtype.hi)

    def weights(self, shape: tuple[int, ...]) -> Value:
        """Ternary or int8 weights, some rows all zero."""
        dtype = DType.T if self.rng.random() < 0.7 else DType.I8
        w = draw_weights(self.rng, dtype, shape).const.copy()
        w[self.rng.random(shape[0]) < self.zeros] = 0
        return constant("w", dtype, w)

    def graph(self, *outputs: Value) -> Graph:
        """The finished graph, checked."""
        return check(Graph("net", (self.x, *self.more), tuple(self.nodes), outputs))

    def input(self, shape: tuple[int, ...], zero_point: int = 0, dtype: DType = DType.U8) -> Value:
        """One more input."""
        value = Value(f"in{len(self.more)}", Tensor(dtype, shape, Quant(0.1, zero_point)))
        self.more.append(value)
        self.ranges[value] = input_range(value)
        return value

    # ---- layers ----

    def conv(self, x: Value, channels: int) -> Value:
        """Any kernel, stride, padding, dilation and groups that fit."""
        c, h, w = x.type.shape
        rng = self.rng
        kernel = tuple(int(min(k, d)) for k, d in zip(rng.choice([1, 2, 3, 5], 2), (h, w), strict=True))
        stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
        dilation = (2, 1) if rng.random() < 0.15 and 2 * (kernel[0] - 1) < h else (1, 1)
        t, left, b, r = (int(p) for p in rng.integers(0, [*kernel, *kernel]))
        groups = 2 if rng.random() < 0.2 and c % 2 == 0 else 1
        op = Conv2d(stride, (t, left, b, r), dilation, groups, x.type.zero_point)
        return self.sum(op, x, self.weights((channels * groups, c // groups, *kernel)), self.out())

    def same(self, x: Value, channels: int) -> Value:
        """A convolution of stride 1 that keeps height and width."""
        k = int(self.rng.choice([1, 3]))
        p = k // 2
        w = self.weights((channels, x.type.shape[0], k, k))
        return self.sum(Conv2d((1, 1), (p, p, p, p), pad_value=x.type.zero_point), x, w, self.out())

    def depthwise(self, x: Value) -> Value:
        """A filter per channel, stride 1 or 2."""
        c, h, w = x.type.shape
        k = min(3, h, w)
        p = k // 2
        stride = (int(self.rng.integers(1, 3)),) * 2
        op = DepthwiseConv2d(stride, (p, p, p, p), pad_value=x.type.zero_point)
        return self.sum(op, x, self.weights((c, k, k)), self.out())

    def add(self, a: Value, b: Value) -> Value:
        """A residual sum of random gains."""
        to = self.out()
        gains = tuple(float(g) * to.dtype.hi / 255 for g in self.rng.uniform(-1, 1.5, 2))
        mults, add, shift = fixed.lower_sum(gains, 0.3 * to.dtype.hi, (255, 255))
        return self.node(Add(mults[0], mults[1], add, shift, to), a, b)

    def average(self, x: Value, kernel: tuple[int, int], stride: tuple[int, int]) -> Value:
        """An average pooling whose output has its input's type."""
        hi, n = x.type.dtype.hi, kernel[0] * kernel[1]
        to = Out(x.type.dtype, x.type.quant or Quant(0.05), 0, hi)
        m, a, s = fixed.lower(np.array([1 / n]), np.array([0.0]), np.array([0]), np.array([hi * n]), 0, hi)
        op = AvgPool(kernel, stride, int(m[0]), int(a[0]), int(s[0]), to, pad_value=x.type.zero_point)
        return self.node(op, x)

    def concat(self, *inputs: Value) -> Value:
        """One after the other, some copied and some brought to another scale."""
        to, rules = self.out(), []
        for x in inputs:
            if self.rng.random() < 0.4:
                rules.append((1, 0, 0))
                continue
            (m,), a, s = fixed.lower_sum((self.rng.uniform(-1, 1.5) * to.hi / x.type.dtype.hi,), 3.0, (255,))
            rules.append((m, a, s))
        mults, adds, shifts = zip(*rules, strict=True)
        return self.node(Concat(mults, adds, shifts, to), *inputs)

    def product(self, a: Value, b: Value) -> Value:
        """Element by element, or by a factor per channel."""
        to = self.out()
        (m,), s, t = fixed.lower_sum((self.rng.uniform(-1, 1.5) * to.hi / 255**2,), 0.2 * to.hi, (255**2,))
        return self.node(Mul(a.type.zero_point, b.type.zero_point, m, s, t, to), a, b)

    def table(self, x: Value) -> Value:
        """Any function of one variable."""
        to = self.out()
        data = self.rng.integers(to.lo, to.hi + 1, x.type.dtype.hi + 1)
        return self.node(Lookup(to), x, constant("table", to.dtype, data))

    def softmax(self, x: Value) -> Value:
        """Probabilities in 8 or 16 bits."""
        outs = (Out.full(DType.U8, 1 / 256), Out(DType.I16, Quant(1 / 32768), 0, 32767))
        made = softmax_node("y", x, outs[int(self.rng.integers(2))])
        return self.node(made.op, x, *made.inputs[1:])

    def requantize(self, x: Value) -> Value:
        """To another type or scale, per channel."""
        to = self.out()
        return self.node(Requantize(to), x, *draw_tail(self.rng, self.ranges[x], to))

    def clamp(self, x: Value) -> Value:
        """The values as they are, inside narrower limits."""
        quant, hi = x.type.quant or Quant(0.05), x.type.dtype.hi
        lo, hi = sorted(int(v) for v in self.rng.integers(0, hi + 1, 2))
        consts = (constant("mult", DType.I16, np.array([1])), constant("add", DType.I32, np.array([0])))
        to = Out(x.type.dtype, quant, lo, hi)
        return self.node(Requantize(to), x, *consts, constant("shift", DType.U8, np.array([0])))


def random_graph(
    seed: int,
    depth: int = 5,
    unfused: float = 0.0,
    layers: tuple[str, ...] = LAYERS,
    ends: bool = False,
    several: bool = False,
    low: bool = False,
) -> Graph:
    """A network of up to `depth` layers with residuals, several readers, pooling, and any type of output.

    unfused: how often a sum and its requantisation are two nodes. layers: LAYERS, or MORE for every operator.
    ends: a softmax or the index of the largest element as a possible last node. several: more inputs and outputs.
    low: activations of up to 4 bits, mostly.
    """
    rng = np.random.default_rng(seed)
    dtype = DType.U8 if rng.random() < 0.85 else DType.U4
    b = Builder(rng, SHAPES[rng.integers(len(SHAPES))], int(rng.choice([0, (dtype.hi + 1) // 2])), dtype)
    b.unfused, b.low = unfused, low
    v = b.x
    if several:
        other = b.input(v.type.shape, int(rng.choice([0, 3])), DType(f"u{rng.integers(2, 9)}"))
        v = b.add(v, other) if rng.random() < 0.7 else v  # else nothing reads it, unless it is an output
    for _ in range(int(rng.integers(1, depth + 1))):
        v = _layer(b, v, layers)
    if len(v.type.shape) == 3 and rng.random() < 0.4:
        v = b.average(v, v.type.shape[1:], (1, 1))  # type: ignore[arg-type]
    end = rng.choice(["linear", "linear", "sums", "bytes", "as it is"])
    index = ends and rng.random() < 0.5
    if len(v.type.shape) == 3 and rng.random() < 0.4 and len(b.nodes) > 0:
        v = b.node(Flatten(), v)
        if rng.random() < 0.3:
            v = b.requantize(v)
    if end == "as it is":
        return b.graph(*_outputs(b, v, several))
    w = b.weights((int(rng.integers(1, 12)), v.type.size))
    if end == "sums":
        return b.graph(*_outputs(b, b.node(Linear(), v, w), several))
    v = b.sum(Linear(), v, w, Out.full(DType.I16) if end == "linear" else b.out())
    if index:
        v = b.softmax(v) if rng.random() < 0.5 else b.node(ArgMax(DType.U8), v)
    return b.graph(*_outputs(b, v, several))


def _outputs(b: Builder, v: Value, several: bool) -> list[Value]:
    """v; with others before and behind it: what other nodes read, flattened or not, some twice, inputs."""
    if not several:
        return [v]
    rng = b.rng
    found = [v]
    made = [n.output for n in b.nodes]
    for _ in range(int(rng.integers(0, 4))):
        source = made[rng.integers(len(made))] if made and rng.random() < 0.8 else (b.x, *b.more)[rng.integers(2)]
        image = len(source.type.shape) == 3 and rng.random() < 0.4
        found.insert(int(rng.integers(len(found) + 1)), b.node(Flatten(), source) if image else source)
    if rng.random() < 0.5:
        vector = b.input((int(rng.integers(1, 30)),))
        found.append(b.sum(Linear(), vector, b.weights((3, vector.type.size)), Out.full(DType.I16)))
    return found


def _layer(b: Builder, x: Value, layers: tuple[str, ...] = LAYERS) -> Value:
    rng = b.rng
    if len(x.type.shape) != 3:
        return b.sum(Linear(), x, b.weights((int(rng.integers(1, 20)), x.type.size)), b.out())
    _, h, w = x.type.shape
    match rng.choice(layers):
        case "conv":
            return b.conv(x, int(rng.integers(1, 7)))
        case "same":
            return b.same(x, int(rng.integers(1, 9)))
        case "depthwise":
            return b.depthwise(x)
        case "residual":
            y = b.same(b.same(x, int(rng.integers(1, 6))), x.type.shape[0])
            return b.add(x, y) if rng.random() < 0.5 else b.add(y, x)
        case "branches":
            channels = int(rng.integers(1, 6))
            x = b.same(x, channels)
            branch = (lambda: b.same(x, channels), lambda: b.requantize(x), lambda: b.clamp(x))
            first, second = (branch[i]() for i in rng.choice([0, 0, 1, 2], 2))
            return b.add(first, second)
        case "pool" if h > 1:
            k = (2, min(2, w))
            padded = (1, 0, 1, 0) if rng.random() < 0.3 else (0, 0, 0, 0)
            return b.node(MaxPool(k, (2, 1) if rng.random() < 0.3 else k, padded), x)
        case "average" if h > 2 and w > 2:
            return b.average(x, (2, 2), (int(rng.integers(1, 3)),) * 2)
        case "clamp":
            return b.clamp(x)
        case "concat":
            parts = [x, *(b.same(x, int(rng.integers(1, 4))) for _ in range(int(rng.integers(1, 3))))]
            return b.concat(*(parts[i] for i in rng.permutation(len(parts))))
        case "excite":
            return b.product(x, b.table(b.average(x, (h, w), (1, 1))))
        case "product":
            return b.product(x, b.same(x, x.type.shape[0]))
        case "pad":
            t, left, bottom, r = (int(p) for p in rng.integers(0, 3, 4))
            return b.node(Pad((t, left, bottom, r), x.type.zero_point), x)
        case "upsample" if h * w < 200:
            return b.node(Upsample((int(rng.integers(1, 3)), int(rng.integers(1, 3)))), x)
        case "table":
            return b.table(x)
        case "reshape":
            return b.node(Reshape((x.type.shape[0], w, h)), x)
        case _:
            return b.requantize(x)


def random_inputs(graph: Graph, seed: int, count: int = 3) -> tuple[Array, ...]:
    """Every input (count, *shape): lowest, highest, then random."""
    rng = np.random.default_rng(seed)
    found = []
    for v in graph.inputs:
        t = v.type
        x = rng.integers(t.dtype.lo, t.dtype.hi + 1, (count, *t.shape)).astype(t.dtype.numpy)
        x[0] = t.dtype.lo
        if count > 1:
            x[1] = t.dtype.hi
        found.append(x)
    return tuple(found)


def random_input(graph: Graph, seed: int, count: int = 3) -> Array:
    """The only input (count, *shape): lowest, highest, then random."""
    (x,) = random_inputs(graph, seed, count)
    return x
