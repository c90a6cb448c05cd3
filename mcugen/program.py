"""How a graph is computed: for every step its kernel, its buffers in their layouts, its packed tables.

    program ::= Program(graph, core, buffers: buffer*, steps: step*)
    buffer  ::= Buffer(value, layout, place, port)    place: "arena", or the caller's "x" or "y"; port: which of them
    step    ::= Step(name, kernel, node?, value, inputs: buffer*, output: buffer, bound, cycles)

Made by select; read by plan, emit and report. A relayout is a step without a node; from flat to flat it is a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

from .ir import Graph, Node, Tensor, Value
from .kernels import Relayout
from .kernels.base import Bound, Core, Kernel, step_cycles
from .layout import Layout, size


@dataclass(frozen=True, eq=False)
class Buffer:
    """Memory for one value in one layout; what a flatten gives lies in its source's buffer."""

    value: Value
    layout: Layout
    place: str = "arena"
    port: int = 0  # for "x" and "y": which of the graph's inputs or outputs

    @property
    def name(self) -> str:
        """The value's name, with the layout unless it is flat."""
        return self.value.name if self.layout.flat else f"{self.value.name}.{self.layout.name}"

    @property
    def type(self) -> Tensor:
        """The value's type."""
        return self.value.type

    @property
    def bytes(self) -> int:
        """Bytes that the layout takes."""
        return size(self.layout, self.type)


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a kernel."""

    name: str
    kernel: Kernel | Relayout
    node: Node | None
    value: Value  # what it computes, for comparison with the interpreter
    inputs: tuple[Buffer, ...]
    output: Buffer
    bound: Bound
    cycles: float  # of the kernel; see Program.cycles_of


@dataclass(frozen=True, eq=False)
class Program:
    """A graph with every choice made but the addresses."""

    graph: Graph
    core: Core
    steps: tuple[Step, ...]

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """Every buffer once, in order of first use."""
        found: dict[Buffer, None] = {}
        for s in self.steps:
            found.update(dict.fromkeys((*s.inputs, s.output)))
        return tuple(found)

    @property
    def table_bytes(self) -> int:
        """Flash of weights and constants."""
        return sum(s.bound.table_bytes for s in self.steps)

    @property
    def code_bytes(self) -> int:
        """Rough flash of the kernels, each counted once."""
        kernels = {s.kernel.stem: s.kernel.code_bytes for s in self.steps}
        parts: dict[str, int] = {}
        for p in (p for s in self.steps for p in s.bound.parts):
            parts[p.stem] = max(p.code_bytes, parts.get(p.stem, 0))
        return sum(kernels.values()) + sum(parts.values())

    @property
    def cycles(self) -> float:
        """Estimated cycles of one inference."""
        return sum(map(self.cycles_of, self.steps))

    def cycles_of(self, step: Step) -> float:
        """Estimated cycles of a step: of its kernel, and of the model's function that finds and calls it."""
        return step.cycles + step_cycles(self.core)
