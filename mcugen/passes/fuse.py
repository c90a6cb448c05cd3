"""fuse: a requantisation moves into the sum before it, a clamp into the limits before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..check import ranges
from ..fixed import requantize, violations
from ..ir import Graph, Node, Out, Value
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from ..ops.linear import Linear
from ..ops.lookup import Lookup
from ..ops.pixels import Pixels
from ..ops.requantize import Requantize
from .rewrite import rewrite

SUMS = (Conv2d, DepthwiseConv2d, Linear)


def fuse(graph: Graph) -> Graph:
    """Sum, Requantize -> sum with a tail; Requantize that only clamps -> limits of its producer."""
    sums = {n.output: acc for n, (acc, _) in ranges(graph).items()}
    producer: dict[Value, Node] = {}
    gone: set[Value] = set()

    def change(new: Node, old: Node) -> Node | Value:
        result = _merge(new, old) if isinstance(new.op, Requantize) else None
        result = result or new
        producer[result.output] = result
        return result

    def _merge(new: Node, old: Node) -> Node | None:
        assert isinstance(new.op, Requantize)
        before = producer.get(new.inputs[0])
        source = old.inputs[0]
        if before is None or len(graph.uses(source)) != 1 or any(source is v for v in graph.outputs):
            return None
        to: Out | None = getattr(before.op, "to", None)
        merged = None
        if isinstance(before.op, SUMS) and to is None:
            acc = sums[source]  # partial sums reach further than the finished ones that the constants were made for
            mult, add, shift = (v.const for v in new.inputs[1:])
            if violations(mult, add, shift, acc.lo, acc.hi):
                return None
            merged = Node(replace(before.op, to=new.op.to), (*before.inputs, *new.inputs[1:]), new.output)
        elif (
            to is not None
            and not isinstance(before.op, Lookup | Pixels)
            and to.quant == new.op.to.quant
            and to.dtype is new.op.to.dtype
            and _only_clamps(new)
        ):
            lo = min(max(to.lo, new.op.to.lo), new.op.to.hi)
            limits = replace(to, lo=lo, hi=max(min(to.hi, new.op.to.hi), lo))
            merged = Node(replace(before.op, to=limits), before.inputs, new.output)  # type: ignore[type-var]
        if merged is not None:
            gone.add(before.output)
        return merged

    graph = rewrite(graph, change)
    return replace(graph, nodes=tuple(n for n in graph.nodes if n.output not in gone))


def _only_clamps(node: Node) -> bool:
    """True if every value that fits the type keeps itself, inside the limits: tried for all of them."""
    op, t = node.op, node.inputs[0].type
    assert isinstance(op, Requantize)
    if not t.dtype.unsigned:
        return False
    x = np.arange(t.dtype.lo, t.dtype.hi + 1)[:, None]
    mult, add, shift = (v.const[None, :] for v in node.inputs[1:])
    y = requantize(x, mult, add, shift, op.to.lo, op.to.hi)
    return bool(np.all(y == np.clip(x, op.to.lo, op.to.hi)))
