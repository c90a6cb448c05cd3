"""The networks of MLPerf Tiny with random ternary weights, and what mcugen makes of them, in the cycle simulator.

A record is one network, compiled for a board as `mcugen generate` does and run as `mcugen profile` does, with an output
that is the reference's in every byte. Its cycles are those of memory without wait states; those of the board's flash
stand beside them. Multiply-accumulates are those of the dense network.

Variants: "int8-first-dw" has int8 weights in the first layer and in depthwise layers, "all-ternary" has none, "u4" has
them in the first layer, and activations of 4 bits behind it; "trained" are archives as they were trained. Weights have
a fixed seed, exactly the density over a tensor, at least one weight in each output channel (a channel without any is a
constant, which no trained network keeps), and as many -1 as +1 on average. Requantisation spreads what random inputs
give over 0 .. 255, a third of it clamped by the ReLU. The softmax at the end, under 0.1 % of the cycles of other
engines, is left out, as firmware does that wants the class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mcugen import archive, driver, fixed, measure, profile, targets
from mcugen.archive import Archive
from mcugen.check import check
from mcugen.ir import Array, DType, Graph, Node, Op, Out, Quant, Range, Tensor, Value
from mcugen.ops.add import Add
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.base import Padding, constant, input_range
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.linear import Linear

VARIANTS = ("int8-first-dw", "all-ternary")
U4 = "u4"
TRAINED = "trained"
DENSITIES = (0.1, 0.2, 0.35, 0.5)
BOARDS = {  # of each core; a core alone has no clock and no wait states
    "cortex-m0plus": "nucleo-g0b1re",
    "cortex-m4": "nucleo-l4r5zi",
    "cortex-m33": "nucleo-u575zi-q",
}
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

RELU = Out(DType.U8, Quant(0.02, 0), 0, 255)
SIGNED = Out(DType.U8, Quant(0.02, 128), 0, 255)  # before a residual sum
NIBBLES = {RELU: Out.full(DType.U4, 0.34), SIGNED: Out(DType.U4, Quant(0.34, 8), 0, 15)}  # of variant u4
LOGITS = Out.full(DType.I16)
Pair = tuple[int, int]


class Builder:
    """Adds layers one after the other; what random inputs give decides their requantisation."""

    def __init__(self, shape: tuple[int, ...], zero_point: int, density: float, variant: str, seed: int) -> None:
        self.rng = np.random.default_rng([seed, round(1000 * density), (*VARIANTS, U4).index(variant)])
        self.density, self.variant = density, variant
        self.outs = NIBBLES if variant == U4 else {}
        self.x = Value("x", Tensor(DType.U8, shape, Quant(0.02, zero_point)))
        self.nodes: list[Node] = []
        count = 2 if len(shape) == 3 else 64
        self.samples = self.rng.integers(0, 256, (count, *shape)).astype(np.uint8)
        self.values: dict[Value, Array] = {self.x: self.samples}
        self.ranges: dict[Value, Range] = {self.x: input_range(self.x)}

    def layer(
        self, name: str, op: Conv2d | DepthwiseConv2d | Linear, x: Value, w_shape: tuple[int, ...], to: Out
    ) -> Value:
        """A layer with weights; the first one and depthwise ones are int8 in the variant that says so."""
        first, dw = not self.nodes, isinstance(op, DepthwiseConv2d)
        int8 = {"int8-first-dw": first or dw, U4: first}.get(self.variant, False)
        w = self.int8(w_shape) if int8 else self.ternary(w_shape)
        weights = constant(f"{name}.w", DType.I8 if int8 else DType.T, w)
        acc, _ = op.bounds(self.ranges[x], w)
        sums = op.eval(self.values[x], w)
        channels = sums.swapaxes(0, 1).reshape(len(w), -1) if to is not LOGITS else sums.reshape(1, -1)
        mean, spread = channels.mean(axis=1), np.maximum(channels.std(axis=1), 1.0)
        gain = self.rng.uniform(0.8, 1.25, len(w))  # channels differ
        if to is LOGITS:
            multiplier, offset = gain * 8000 / spread, 0.0 * gain
        elif to is SIGNED:
            multiplier, offset = gain * 45 / spread, 128.0 + 0.0 * gain
        else:
            multiplier, offset = gain * 90 / spread, 40.0 * gain
        if to in self.outs:
            to = self.outs[to]
            multiplier, offset = multiplier * to.hi / 255, offset * to.hi / 255
        consts = fixed.lower(multiplier, offset - mean * multiplier, acc.lo, acc.hi, to.lo, to.hi)
        dtypes = zip(("mult", "add", "shift"), (DType.I16, DType.I32, DType.U8), consts, strict=True)
        rest = (constant(f"{name}.{n}", d, v) for n, d, v in dtypes)
        return self.node(name, replace(op, to=to), x, weights, *rest)

    def node(self, name: str, op: Op, *inputs: Value) -> Value:
        """Appends a node."""
        y = Value(name, op.infer(*(v.type for v in inputs)))
        self.nodes.append(Node(op, inputs, y))
        self.values[y] = op.eval(*(self.values[v] if v.data is None else v.const for v in inputs))
        out = op.bounds(*(self.ranges[v] if v.data is None else v.const for v in inputs))[1]
        each = y.type.shape[0] // out.lo.size
        self.ranges[y] = Range(out.lo.repeat(each), out.hi.repeat(each))
        return y

    def ternary(self, shape: tuple[int, ...]) -> Array:
        """Weights of exactly the density, if that gives each row one."""
        rows, width = shape[0], int(np.prod(shape[1:]))
        w = np.zeros((rows, width), np.int8)
        w[np.arange(rows), self.rng.integers(0, width, rows)] = 1
        free = np.flatnonzero(w.ravel() == 0)
        w.ravel()[self.rng.permutation(free)[: max(0, round(self.density * w.size) - rows)]] = 1
        return (w * self.rng.choice([-1, 1], w.shape)).astype(np.int8).reshape(shape)

    def int8(self, shape: tuple[int, ...]) -> Array:
        """Normally distributed, each channel scaled so that its largest is 127."""
        w = self.rng.standard_normal((shape[0], int(np.prod(shape[1:]))))
        return np.rint(127 * w / np.abs(w).max(axis=1, keepdims=True)).astype(np.int8).reshape(shape)

    # ---- layers ----

    def conv(self, name: str, x: Value, channels: int, kernel: Pair, stride: int = 1, to: Out = RELU) -> Value:
        """A convolution whose output is the input's size over the stride, as TensorFlow pads it."""
        op = Conv2d((stride, stride), _same(x.type.shape, kernel, stride), pad_value=x.type.zero_point)
        return self.layer(name, op, x, (channels, x.type.shape[0], *kernel), to)

    def depthwise(self, name: str, x: Value, stride: int = 1) -> Value:
        """3 x 3."""
        op = DepthwiseConv2d((stride, stride), _same(x.type.shape, (3, 3), stride), pad_value=x.type.zero_point)
        return self.layer(name, op, x, (x.type.shape[0], 3, 3), RELU)

    def linear(self, name: str, x: Value, n: int, to: Out = RELU) -> Value:
        """Fully connected."""
        return self.layer(name, Linear(), x, (n, x.type.size), to)

    def add(self, name: str, a: Value, b: Value) -> Value:
        """A residual sum and its ReLU."""
        gains, to = (0.9, 0.9), self.outs.get(RELU, RELU)
        reach = a.type.dtype.hi, b.type.dtype.hi
        mults, add, shift = fixed.lower_sum(gains, -0.9 * (a.type.zero_point + b.type.zero_point), reach)
        return self.node(name, Add(mults[0], mults[1], add, shift, to), a, b)

    def average(self, name: str, x: Value) -> Value:
        """The mean of each channel, times two: means of random channels are small."""
        window = x.type.shape[1:]
        n, to = window[0] * window[1], self.outs.get(RELU, RELU)
        reach = np.array([x.type.dtype.hi * n])
        constants = fixed.lower(np.array([2 / n]), np.array([0.0]), np.array([0]), reach, to.lo, to.hi)
        m, a, s = (int(v[0]) for v in constants)
        return self.node(name, AvgPool(window, (1, 1), m, a, s, to), x)

    def finished(self, name: str, y: Value) -> Archive:
        """The network, checked, with samples."""
        return Archive(check(Graph(name, (self.x,), tuple(self.nodes), (y,))), (self.samples[:2],))


def _same(shape: tuple[int, ...], kernel: Pair, stride: int) -> Padding:
    """TensorFlow's padding: top, left, bottom, right."""
    total = [max(0, (-(-n // stride) - 1) * stride + k - n) for n, k in zip(shape[1:], kernel, strict=True)]
    (top, left), (bottom, right) = ([t // 2 for t in total], [t - t // 2 for t in total])
    return top, left, bottom, right


def kws(density: float, variant: str) -> Archive:
    """Keyword spotting, DS-CNN: 10 x 4, four blocks of 64 channels, 12 words."""
    b = Builder((1, 49, 10), 128, density, variant, 1)
    v = b.conv("conv", b.x, 64, (10, 4), 2)
    for i in range(1, 5):
        v = b.conv(f"pw{i}", b.depthwise(f"dw{i}", v), 64, (1, 1))
    return b.finished("kws", b.linear("fc", b.average("pool", v), 12, LOGITS))


def ic(density: float, variant: str) -> Archive:
    """Image classification, ResNet-8 on CIFAR-10."""
    b = Builder((3, 32, 32), 0, density, variant, 2)
    v = b.conv("conv", b.x, 16, (3, 3))
    for i, channels in enumerate((16, 32, 64), 1):
        stride = 1 if i == 1 else 2
        y = b.conv(f"block{i}_a", v, channels, (3, 3), stride)
        y = b.conv(f"block{i}_b", y, channels, (3, 3), 1, SIGNED)
        skip = v if i == 1 else b.conv(f"block{i}_skip", v, channels, (1, 1), stride, SIGNED)
        v = b.add(f"block{i}_add", skip, y)
    return b.finished("ic", b.linear("fc", b.average("pool", v), 10, LOGITS))


def vww(density: float, variant: str) -> Archive:
    """Visual wake words, MobileNetV1 0.25 on 96 x 96."""
    b = Builder((3, 96, 96), 128, density, variant, 3)
    v = b.conv("conv", b.x, 8, (3, 3), 2)
    widths = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    for i, (channels, stride) in enumerate(widths, 1):
        v = b.conv(f"pw{i}", b.depthwise(f"dw{i}", v, stride), channels, (1, 1))
    return b.finished("vww", b.linear("fc", b.average("pool", v), 2, LOGITS))


def ad(density: float, variant: str) -> Archive:
    """Anomaly detection, the autoencoder of 640 inputs."""
    b = Builder((640,), 128, density, variant, 4)
    v = b.x
    for i, n in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128), 1):
        v = b.linear(f"fc{i}", v, n)
    return b.finished("ad", b.linear("fc10", v, 640, LOGITS))


NETWORKS = {"kws": kws, "ic": ic, "vww": vww, "ad": ad}


@cache
def network(name: str, density: float, variant: str) -> Archive:
    """One of NETWORKS, or a trained example."""
    if variant == TRAINED:
        return archive.load(EXAMPLES / name / f"{name}.mcugen")
    return NETWORKS[name](density, variant)


def zoo() -> dict[str, float]:
    """The trained examples, and the density of their ternary weights."""
    found = {}
    for path in sorted(EXAMPLES.glob("*/*.mcugen")):
        ternary = [v.const for v in archive.load(path).graph.constants if v.type.dtype is DType.T]
        share = sum(np.count_nonzero(w) for w in ternary) / max(1, sum(w.size for w in ternary))
        found[path.stem] = round(float(share), 3)
    return found


@dataclass(frozen=True)
class Job:
    """One record to be made."""

    network: str
    core: str
    density: float
    variant: str
    optimize: str = "balanced"


def record(job: Job) -> dict[str, Any]:
    """What one network takes. MismatchError E601 if a byte of its output is not the reference's."""
    source = network(job.network, job.density, job.variant)
    target = targets.get(BOARDS.get(job.core, job.core))
    artifact = driver.compile(source, target=target, optimize=job.optimize)
    # The simulator adds the waits to what the core takes, so that one run has both.
    found = profile.profile(artifact, target, wait_states=target.wait_states is not None)
    assert found.cycles is not None, job
    linked = measure.measure(artifact)
    spent, macs = found.cycles - found.waits, sum(n.op.macs(*(v.type for v in n.inputs)) for n in source.graph.nodes)
    totals = artifact.report["totals"]

    def ms(cycles: int) -> float | None:
        return round(1000 * cycles / target.clock, 3) if target.clock else None

    slow = found.flash is not None
    return {
        "network": job.network,
        "core": job.core,
        "density": job.density,
        "variant": job.variant,
        "optimize": job.optimize,
        "target": target.name,
        "macs": macs,
        "cycles": spent,
        "cycles_per_mac": round(spent / macs, 4),
        "predicted_cycles": totals["cycles_estimated"],
        "instructions": found.instructions,
        "ms": ms(spent),
        "wait_states": target.wait_states,
        "cycles_with_wait_states": found.cycles if slow else None,
        "ms_with_wait_states": ms(found.cycles) if slow else None,
        "flash_bytes": linked.total,
        "flash_predicted_bytes": totals["flash_bytes_estimated"],
        "weight_bytes": totals["weight_bytes"],
        "ram_bytes": totals["ram_bytes"],  # arena, input and output
        "arena_bytes": totals["arena_bytes"],
        "arena_bound_bytes": totals["arena_bound_bytes"],
        "logical_bound_bytes": totals["logical_bound_bytes"],
        "stack_bytes": linked.stack,
        "timing": found.basis,
        "layers": [
            {
                "name": x.name,
                "kernel": x.kernel,
                "macs": x.macs,
                "cycles": None if x.cycles is None else x.cycles - x.waits,
                "predicted_cycles": x.estimated,
            }
            for x in found.layers
        ],
    }
