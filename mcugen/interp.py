"""Runs a graph: the definition of a right answer."""

from __future__ import annotations

import numpy as np

from .errors import McugenError
from .ir import Array, Graph, Value

CHUNK = 128  # samples at a time: bounds the memory that the unfolded convolutions take


def run(graph: Graph, *inputs: Array) -> tuple[Array, ...]:
    """The outputs for a batch: each input (N, *shape), each output (N, *shape). E704 if the inputs do not fit."""
    for v, x in zip(graph.inputs, inputs, strict=True):
        if x.shape[1:] != v.type.shape or x.dtype != v.type.dtype.numpy or (x.size and int(x.max()) > v.type.dtype.hi):
            raise McugenError("E704", f"data {x.dtype}{list(x.shape)} does not fit [N] x {v.type}", where=v.name)
    starts = range(0, max(1, len(inputs[0])), CHUNK)
    parts = [trace(graph, *(x[s : s + CHUNK] for x in inputs)) for s in starts]
    return tuple(np.concatenate([p[v] for p in parts]) for v in graph.outputs)


def trace(graph: Graph, *inputs: Array) -> dict[Value, Array]:
    """Every activation of one batch, by value."""
    env: dict[Value, Array] = dict(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        env[node.output] = node.op.eval(*(env[v] if v.data is None else v.data for v in node.inputs))
    return env
