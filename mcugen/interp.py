"""Runs a graph: the definition of a right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .errors import McugenError
from .ir import Array, Graph, Value

Inputs = Array | Sequence[Array] | Mapping[str, Array]
CHUNK = 128  # samples at a time: bounds the memory that the unfolded convolutions take


def run(graph: Graph, *inputs: Array) -> tuple[Array, ...]:
    """The outputs for a batch: each input (N, *shape), each output (N, *shape). E704 if the inputs do not fit."""
    inputs = arguments(graph, inputs)
    starts = range(0, max(1, len(inputs[0])), CHUNK)
    parts = [trace(graph, *(x[s : s + CHUNK] for x in inputs)) for s in starts]
    return tuple(np.concatenate([p[v] for p in parts]) for v in graph.outputs)


def arguments(graph: Graph, given: Inputs) -> tuple[Array, ...]:
    """The inputs in the graph's order, each (N, *shape): from the only one, from all in order, or by name. E704."""
    names = [v.name for v in graph.inputs]
    if isinstance(given, Mapping):
        if set(given) != set(names):
            wrong = ", ".join(map(str, given)) or "nothing"
            raise McugenError("E704", f"inputs {wrong} given", where=graph.name, hint=f"give {', '.join(names)}")
        given = [given[n] for n in names]
    found = (given,) if isinstance(given, np.ndarray) else tuple(given)
    if len(found) != len(names):
        message = f"{len(found)} inputs given, the model has {len(names)}"
        raise McugenError("E704", message, where=graph.name, hint=f"give {', '.join(names)}, in order or by name")
    for v, x in zip(graph.inputs, found, strict=True):
        if x.shape[1:] != v.type.shape or x.dtype != v.type.dtype.numpy or (x.size and int(x.max()) > v.type.dtype.hi):
            raise McugenError("E704", f"data {x.dtype}{list(x.shape)} does not fit [N] x {v.type}", where=v.name)
        if len(x) != len(found[0]):
            message = f"{len(x)} samples, the input {names[0]} has {len(found[0])}"
            raise McugenError("E704", message, where=v.name)
    return found


def trace(graph: Graph, *inputs: Array) -> dict[Value, Array]:
    """Every activation of one batch, by value."""
    env: dict[Value, Array] = dict(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        env[node.output] = node.op.eval(*(env[v] if v.data is None else v.data for v in node.inputs))
    return env
