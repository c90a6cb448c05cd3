"""Forms in which a graph's outputs can be given: as they are, as bytes, in 32 bits, as the index of the largest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from . import ir
from .check import check, ranges
from .errors import GraphError, McugenError
from .ir import DType, Graph, Out, Quant, Tensor, Value
from .ops.argmax import ArgMax, index_type
from .ops.base import tail_constants
from .ops.requantize import Requantize


def classified(graph: Graph) -> Graph:
    """The graph that gives the index of the largest value in place of each output; of equal ones the lowest."""
    nodes, outputs = list(graph.nodes), []
    for y in graph.outputs:
        try:
            op = ArgMax(index_type(y.type))
            outputs.append(Value(f"{y.name}.argmax", op.infer(y.type)))
        except GraphError as e:
            raise McugenError("E703", f"has no index of the largest value: {e.message}", where=y.name) from None
        nodes.append(ir.Node(op, (y,), outputs[-1]))
    return check(Graph(graph.name, graph.inputs, tuple(nodes), tuple(outputs)))


def narrowed(graph: Graph) -> Graph:
    """The graph whose 16-bit outputs are bytes: divided by 128, half rounded up. Outputs that are bytes stay.

    Zero is 128, or 0 where no output can be negative.
    """
    proven = ranges(graph)
    nodes, outputs = list(graph.nodes), []
    for y in graph.outputs:
        if y.type.dtype.unsigned:
            outputs.append(y)
            continue
        scale = _scale(y, "bytes")
        zero = 0 if min(r.span[0] for n, (_, r) in proven.items() if n.output is y) >= 0 else 128
        op = Requantize(Out(DType.U8, Quant(scale * 128, zero), 0, 255))
        rule = (("mult", DType.I16, 1), ("add", DType.I32, (zero << 7) + 64), ("shift", DType.U8, 7))
        consts = [Value(f"{y.name}.u8.{n}", Tensor(d, (1,)), np.array([v], d.numpy)) for n, d, v in rule]
        outputs.append(Value(f"{y.name}.u8", op.infer(y.type, *(v.type for v in consts))))
        nodes.append(ir.Node(op, (y, *consts), outputs[-1]))
    return check(Graph(graph.name, graph.inputs, tuple(nodes), tuple(outputs)))


def widened(graph: Graph) -> Graph:
    """The graph whose 16-bit outputs are 32 bits wide: the last layer's sums, scaled, before they are rounded to 16.

    The shift of the requantisation loses up to 16 bits, the same in every channel, and the scale gets smaller by them.
    """
    nodes, outputs = list(graph.nodes), []
    for y in graph.outputs:
        scale = _scale(y, "32 bits")
        at = next((i for i, n in enumerate(nodes) if n.output is y), None)
        node = nodes[at] if at is not None else None
        if node is None or tail_constants(node) is None or len(node.inputs) < 4 or graph.uses(y):
            hint = "the last operation must be a convolution or fully connected layer"
            raise McugenError("E703", "is no sum that could have 32 bits", where=y.name, hint=hint)
        *args, mult, add, shift = node.inputs
        m, a, s = (v.const.astype(np.int64) for v in (mult, add, shift))
        moving = m != 0  # the others are constants, whatever their shift is
        bits = min(16, int(s[moving].min(initial=16)))
        exact = (a - (1 << s >> 1)) + (1 << np.maximum(s - bits, 0) >> 1)  # the rounding half moves down too
        new = (m, np.where(moving, exact, a >> s << bits), np.where(moving, s - bits, 0))
        if (new[1] != new[1].astype(np.int32)).any():
            raise McugenError("E703", "has no 32-bit form: an addend leaves 32 bits", where=y.name)
        to = node.op.to  # type: ignore[attr-defined]
        ends = [v if v in (DType.I16.lo, DType.I16.hi) else v << bits for v in (to.lo, to.hi)]
        limits = [{DType.I16.lo: DType.I32.lo, DType.I16.hi: DType.I32.hi}.get(v, v) for v in ends]
        op = replace(node.op, to=Out(DType.I32, Quant(scale / 2**bits), *limits))  # type: ignore[type-var]
        consts = [
            Value(f"{y.name}.i32.{n}", v.type, d.astype(v.const.dtype))
            for n, v, d in zip(("mult", "add", "shift"), (mult, add, shift), new, strict=True)
        ]
        inputs = (*args, *consts)
        outputs.append(Value(y.name, op.infer(*(v.type for v in inputs))))
        nodes[nodes.index(node)] = ir.Node(op, inputs, outputs[-1])
    try:
        return check(Graph(graph.name, graph.inputs, tuple(nodes), tuple(outputs)))
    except GraphError as e:
        raise McugenError("E703", f"has no 32-bit form: {e.message}", where=e.where) from None


def _scale(y: Value, what: str) -> float:
    """The scale of a 16-bit output."""
    quant = y.type.quant
    if y.type.dtype is not DType.I16 or quant is None or not isinstance(quant.scale, float) or quant.zero_point:
        raise McugenError("E703", f"{y.type} has no form of {what}", where=y.name, hint="use --result values")
    return quant.scale


RESULTS: dict[str, Callable[[Graph], Graph] | None] = {
    "values": None,
    "u8": narrowed,
    "i32": widened,
    "argmax": classified,
}
