"""bounds: every node carries the proven limits of its accumulators."""

from __future__ import annotations

from dataclasses import replace

from ..check import ranges
from ..ir import Graph


def bounds(graph: Graph) -> Graph:
    """The graph with `acc` set on every node."""
    found = ranges(graph)
    return replace(graph, nodes=tuple(replace(n, acc=found[n][0].span) for n in graph.nodes))
