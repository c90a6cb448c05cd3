"""drop_flatten: a fully connected layer reads an image as it is; its weights are permuted when they are packed."""

from __future__ import annotations

from dataclasses import replace

from ..ir import Graph, Node, Value
from ..ops.flatten import Flatten
from ..ops.linear import Linear
from ..ops.reshape import Reshape
from .rewrite import rewrite


def drop_flatten(graph: Graph) -> Graph:
    """Flatten or Reshape, Linear -> Linear. One that something else still reads stays for it."""
    images: dict[Value, Value] = {}

    def change(new: Node, old: Node) -> Node:
        if isinstance(new.op, Flatten | Reshape):
            images[new.output] = images.get(new.inputs[0], new.inputs[0])
        elif isinstance(new.op, Linear) and new.inputs[0] in images:
            return replace(new, inputs=(images[new.inputs[0]], *new.inputs[1:]))
        return new

    return rewrite(graph, change)
