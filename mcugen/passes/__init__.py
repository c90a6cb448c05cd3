"""The passes: Graph -> Graph, one a file, each leaves a valid graph. PIPELINE is their order."""

from __future__ import annotations

from collections.abc import Callable

from ..check import check
from ..ir import Graph
from .bounds import bounds
from .dead_channels import dead_channels
from .dead_code import dead_code
from .drop_flatten import drop_flatten
from .fuse import fuse

PIPELINE: tuple[Callable[[Graph], Graph], ...] = (fuse, drop_flatten, dead_code, dead_channels, bounds)


def run(graph: Graph) -> Graph:
    """The graph after all passes, checked after each."""
    check(graph)
    for step in PIPELINE:
        graph = check(step(graph))
    return graph
