"""What a valid graph is. Runs after the front end and after every pass, so that each may rely on it."""

from __future__ import annotations

import numpy as np

from . import fixed
from .errors import GraphError
from .ir import NAME, Array, DType, Graph, Node, Range, Value
from .ops.base import tail_constants

LIMIT = 1 << 31  # accumulators are signed 32-bit integers
CHANNELS = 1 << 22  # of all activations together: bounds the memory that range analysis takes


def check(graph: Graph) -> Graph:
    """The graph itself; GraphError with the node's name if a rule is broken."""
    if not NAME.fullmatch(graph.name) or not graph.name.isidentifier():
        raise GraphError("E202", "a graph is named like a C identifier", where=graph.name[:60])
    if not graph.inputs or not graph.outputs:
        raise GraphError("E202", "a graph has inputs and outputs", where=graph.name)
    names: dict[str, Value] = {}
    for v in graph.inputs:
        _define(names, v)
        if v.data is not None or not (v.type.dtype.unsigned or v.type.dtype in (DType.I16, DType.I32)):
            raise GraphError("E201", f"an input is an activation, not {v.type}", where=v.name)
    for v in graph.constants:
        _define(names, v)
        _constant(v)
    for node in graph.nodes:
        for v in node.inputs:
            if names.get(v.name) is not v:
                raise GraphError("E202", f"%{v.name} is read before it is defined", where=node.name)
        _define(names, node.output)
        _node(node)
    for v in graph.outputs:
        if names.get(v.name) is not v or v.data is not None:
            raise GraphError("E202", f"output %{v.name} is not defined by a node or input", where=graph.name)
    if sum(v.type.shape[0] for v in (*graph.inputs, *(n.output for n in graph.nodes))) > CHANNELS:
        raise GraphError("E201", f"the activations have more than {CHANNELS} channels", where=graph.name)
    for node, (acc, _) in ranges(graph).items():
        _accumulator(node, acc)
    return graph


def ranges(graph: Graph) -> dict[Node, tuple[Range, Range]]:
    """Range analysis: proven (accumulator, output) limits of every node, from the actual weights."""
    known: dict[Value, Range] = {}
    for v in graph.inputs:
        known[v] = _constant_range(v, v.type.dtype.lo, v.type.dtype.hi)
    found = {}
    for node in graph.nodes:
        args: list[Range | Array] = [known[v] if v.data is None else v.data for v in node.inputs]
        try:
            acc, out = node.op.bounds(*args)
            assert isinstance(out, Range), "the output is no activation"
        except (AssertionError, AttributeError, TypeError, ValueError, OverflowError) as e:
            raise GraphError("E201", f"constants and activations are mixed up: {e}", where=node.name) from e
        found[node] = (acc, out)
        each = max(1, node.output.type.shape[0] // out.lo.size)
        known[node.output] = Range(out.lo.repeat(each), out.hi.repeat(each))
    return found


def _constant_range(v: Value, lo: int, hi: int) -> Range:
    return Range(np.full(v.type.shape[0], lo, np.int64), np.full(v.type.shape[0], hi, np.int64))


def _define(names: dict[str, Value], v: Value) -> None:
    if not NAME.fullmatch(v.name):
        raise GraphError("E202", f"{v.name[:60]!r} is not a name", where=v.name[:60])
    if v.name in names:
        raise GraphError("E202", "the name is defined twice", where=v.name)
    if not v.type.shape or min(v.type.shape) < 1:
        raise GraphError("E201", f"shape {v.type.shape} has no elements", where=v.name)
    if v.type.size > LIMIT - 1:
        raise GraphError("E201", f"{v.type} has more than 2^31 elements", where=v.name)
    if not v.type.dtype.lo <= v.type.zero_point <= v.type.dtype.hi:
        raise GraphError("E201", f"zero point {v.type.zero_point} is not a {v.type.dtype.value}", where=v.name)
    quant = v.type.quant
    scales = () if quant is None else quant.scale if isinstance(quant.scale, tuple) else (quant.scale,)
    if any(not (np.isfinite(s) and s > 0) for s in scales):
        raise GraphError("E201", "a scale is not a positive finite number", where=v.name)
    names[v.name] = v


def _constant(v: Value) -> None:
    data = v.const
    if data.dtype != v.type.dtype.numpy or data.shape != v.type.shape:
        raise GraphError("E203", f"data is {data.dtype}{list(data.shape)}, type says {v.type}", where=v.name)
    if int(data.min()) < v.type.dtype.lo or int(data.max()) > v.type.dtype.hi:
        raise GraphError("E203", f"data leaves [{v.type.dtype.lo}, {v.type.dtype.hi}]", where=v.name)


def _node(node: Node) -> None:
    try:
        inferred = node.op.infer(*(v.type for v in node.inputs))
    except GraphError as e:
        raise GraphError(e.code, e.message, where=node.name) from None
    except (TypeError, ValueError, OverflowError) as e:  # wrong number of inputs or dimensions, absurd attributes
        raise GraphError("E201", f"{type(node.op).__name__}: {e}", where=node.name) from None
    declared = node.output.type
    if node.output.data is not None or (inferred.dtype, inferred.shape) != (declared.dtype, declared.shape):
        raise GraphError("E201", f"the output is {declared}, the operator gives {inferred}", where=node.name)
    if inferred.quant is not None and inferred.quant != declared.quant:
        raise GraphError("E201", "the output's quantisation is not the operator's", where=node.name)


def _accumulator(node: Node, acc: Range) -> None:
    lo, hi = acc.span
    if lo < -LIMIT or hi >= LIMIT:
        raise GraphError("E205", f"a sum can reach [{lo}, {hi}], beyond 32 bits", where=node.name)
    if node.acc is not None and not (node.acc[0] <= lo and hi <= node.acc[1]):
        raise GraphError("E205", f"bounds {node.acc} do not cover the proven [{lo}, {hi}]", where=node.name)
    constants = tail_constants(node)
    if constants is not None:
        bad = fixed.violations(*constants, acc.lo, acc.hi)
        if bad:
            raise GraphError("E204", "; ".join(bad), where=node.name)
