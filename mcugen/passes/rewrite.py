"""How passes change a graph: node by node, every later reader follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..ir import Graph, Node, Value


def rewrite(graph: Graph, change: Callable[[Node, Node], Node | Value]) -> Graph:
    """A graph in which each node is change(new, old); old: as it stood, new: with inputs already replaced.

    change returns a node, or a value to use in place of the node's output (the node then is gone).
    """
    now: dict[Value, Value] = {}
    nodes: list[Node] = []
    for old in graph.nodes:
        new = replace(old, inputs=tuple(now.get(v, v) for v in old.inputs), acc=None)
        result = change(new, old)
        if isinstance(result, Node):
            nodes.append(result)
            now[old.output] = result.output
        else:
            now[old.output] = result
    return Graph(graph.name, graph.inputs, tuple(nodes), tuple(now.get(v, v) for v in graph.outputs))
