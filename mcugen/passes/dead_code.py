"""dead_code: nodes whose results no output depends on are removed."""

from __future__ import annotations

from dataclasses import replace

from ..ir import Graph, Value


def dead_code(graph: Graph) -> Graph:
    """The graph without unused nodes."""
    live: set[Value] = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if node.output in live:
            kept.append(node)
            live.update(node.inputs)
    return replace(graph, nodes=tuple(reversed(kept)))
