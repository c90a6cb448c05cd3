"""Why each layer has the kernel it has: what every other would have cost it, and the whole network."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from . import budget, check, driver, report, select
from .driver import Artifact
from .ir import Node, Range, Value
from .kernels import KERNELS
from .kernels.base import Kernel, candidates
from .plan import Plan
from .program import Program
from .select import Key


@dataclass(frozen=True)
class Totals:
    """The whole network: cycles as estimated, flash as report.flash counts it, and the arena."""

    cycles: int
    flash_bytes: int
    arena_bytes: int


@dataclass(frozen=True)
class Candidate:
    """A kernel for a layer, with the layer's own figures in the best network that has this kernel here.

    refused: why it runs no such layer. Without a network there is no figure: no such network keeps the limits.
    """

    kernel: str
    refused: str = ""
    layouts: tuple[str, ...] = ()  # inputs, output
    cycles: int | None = None
    table_bytes: int | None = None  # tables and struct
    code_bytes: int | None = None  # shared with other layers of this kernel
    scratch_bytes: int | None = None
    layout_bytes: int | None = None  # what its buffers take beyond the bare tensors
    network: Totals | None = None  # the best one that has this kernel here
    within: bool = True  # that network keeps the limits
    cost: float | None = None  # of that network, over what was chosen, in the goal's terms: 0.01 is 1 % more


@dataclass(frozen=True)
class Layer:
    """One operator, its candidates with the cheapest first, and why the first one is there."""

    name: str
    operator: str
    chosen: str
    why: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Explanation:
    """One compilation. A byte of flash weighs as much as so many cycles, and so does one of RAM."""

    model: str
    target: str
    optimize: str
    cycles_per_flash_byte: float
    cycles_per_ram_byte: float
    limits: budget.Limits
    limited: bool  # the goal's own choice did not keep the limits
    network: Totals
    layers: tuple[Layer, ...]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def explain(artifact: Artifact, kernels: tuple[Kernel, ...] = KERNELS) -> Explanation:
    """Takes each kernel for each layer in turn and solves the rest of the network anew."""
    graph, target = artifact.program.graph, artifact.target
    kernels = tuple(k.on(target.core) for k in kernels)
    ways = select.options(graph, target.core, kernels=kernels)
    objective = driver.goal(graph, target, artifact.optimize, ways)
    limits = driver.limits(graph, target, artifact.max_flash, artifact.max_ram)
    problem = budget.Problem(graph, target.core, objective, ways=ways)
    free = problem.made(select.solve(graph, problem.options, target.core, objective))
    limited = not budget.kept(free.program, free.plan, limits)
    taken = {s.node: s.kernel.name for s in artifact.program.steps if s.node is not None}
    ranges, keys = check.ranges(graph), select.candidates(graph, nibbles=any(k.nibbles for k in kernels))
    layers = []
    for node in graph.nodes:
        if node not in taken:  # a flatten: no code runs
            continue
        able = {o.kernel for o in problem.options[node]}
        found = [_candidate(problem, node, k, limits, limited) for k in candidates(kernels, node) if k in able]
        base = next((c.cost for c in found if c.kernel == taken[node] and c.cost is not None), 0.0)
        found = [replace(c, cost=round(c.cost / base - 1, 6)) if c.cost is not None and base else c for c in found]
        found.sort(key=lambda c: (c.kernel != taken[node], not c.within, c.cost if c.cost is not None else np.inf))
        refused = [k for k in candidates(kernels, node) if k not in able]
        found += [Candidate(k.name, refusal(node, k, ranges[node][0], keys)) for k in refused]
        layers.append(Layer(node.name, type(node.op).__name__, taken[node], _why(found), tuple(found)))
    weight = objective.cycles or 1.0
    return Explanation(
        *(artifact.name, target.name, artifact.optimize, objective.flash / weight, objective.ram / weight),
        *(limits, limited, _totals(artifact.program, artifact.plan), tuple(layers)),
    )


def refusal(node: Node, kernel: Kernel, acc: Range, keys: dict[Value, tuple[Key, ...]]) -> str:
    """Why a kernel does not run a node: the first of its conditions that does not hold."""
    for *ins, out in product(*(keys[v] for v in (*node.args, node.output))):
        like = tuple(select.layout_of(v, k) for v, k in zip(node.args, ins, strict=True))
        if kernel.offered(node, like, select.layout_of(node.output, out)) is not None:
            return "its sums are not proven to fit" if not kernel.accepts(node, acc) else "refused"
    return "not for these weights, shapes or layouts"


def _candidate(problem: budget.Problem, node: Node, kernel: Kernel, limits: budget.Limits, limited: bool) -> Candidate:
    """The kernel in the best network that has it there; cost is that network's, in the goal's terms."""
    some = tuple(o for o in problem.options[node] if o.kernel == kernel)
    if limited:
        found = budget.within(problem, limits, some)
    else:
        options = {**problem.options, node: some}
        found = problem.made(select.solve(problem.graph, options, problem.core, problem.objective))
    if found is None:
        return Candidate(kernel.name, code_bytes=kernel.code_bytes, within=False)
    step = next(s for s in found.program.steps if s.node is node)
    buffers = (*step.inputs, step.output)
    return Candidate(
        kernel.name,
        layouts=tuple(str(b.layout) for b in buffers),
        cycles=round(found.program.cycles_of(step)),
        table_bytes=step.bound.bytes,
        code_bytes=kernel.code_bytes + sum(p.code_bytes for p in step.bound.parts),
        scratch_bytes=step.bound.scratch,
        layout_bytes=sum(b.bytes - b.type.bytes for b in buffers),
        network=_totals(found.program, found.plan),
        within=budget.kept(found.program, found.plan, limits),
        cost=found.cost,
    )


def _totals(program: Program, memory: Plan) -> Totals:
    return Totals(round(program.cycles), report.flash(program), memory.arena)


def _why(found: list[Candidate]) -> str:
    """In words, from the candidates with the chosen one first."""
    mine, *others = [c for c in found if not c.refused]
    if not others:
        return "the only kernel that runs it"
    if mine.network is None:
        return "no choice keeps the limits; this is of about the smallest"
    said = []
    for c in others:
        if c.cycles is not None and mine.cycles is not None and c.cycles < mine.cycles:
            said.append(f"{c.kernel} alone takes {mine.cycles - c.cycles:,} cycles less")
            break
    best = others[0]
    if best.network is None:
        said.append("every other exceeds the limits")
    else:
        said.append(f"with {best.kernel}, the next best, the network has {differences(best.network, mine.network)}")
    return "; but ".join(said)


def differences(a: Totals, b: Totals) -> str:
    """What a has more than b, in words."""
    found = (a.cycles - b.cycles, a.flash_bytes - b.flash_bytes, a.arena_bytes - b.arena_bytes)
    told = [f"{d:+,} {what}" for d, what in zip(found, ("cycles", "bytes of flash", "of RAM"), strict=True) if d]
    return ", ".join(told) or "the same figures"


def text(e: Explanation) -> str:
    """The explanation as people read it."""
    n = e.network
    lines = [
        f"{e.model} for {e.target}, optimized for {e.optimize}: {n.cycles:,} cycles, flash {n.flash_bytes:,},"
        f" arena {n.arena_bytes:,} bytes, all estimated",
        f"a byte of flash weighs {e.cycles_per_flash_byte:,.1f} cycles, a byte of RAM {e.cycles_per_ram_byte:,.1f}"
        + (f"; limits of flash and arena bind: {e.limits.flash:,} and {e.limits.arena:,} bytes" if e.limited else ""),
        "network: what the best one that has this kernel there takes more than the chosen one",
    ]
    for x in e.layers:
        head = ("", "kernel", "layouts", "cycles", "tables B", "code B", "scratch B", "layout B")
        rows: list[tuple[str, ...]] = [(*head, "network: cycles", "flash B", "arena B", "cost")]
        for c in x.candidates:
            if c.refused:
                continue
            mark = ">" if c.kernel == x.chosen else ""
            figures = (c.cycles, c.table_bytes, c.code_bytes, c.scratch_bytes, c.layout_bytes)
            more: tuple[str, ...] = ("exceeds the limits", "", "", "")
            if c.network is not None:
                m = c.network
                more = (
                    *(f"{a:+,}" for a in (m.cycles - n.cycles, m.flash_bytes - n.flash_bytes)),
                    f"{m.arena_bytes - n.arena_bytes:+,}" + ("" if c.within else " too large"),
                    f"{100 * (c.cost or 0):+.1f} %",
                )
            layouts = f"{' '.join(c.layouts[:-1])} > {c.layouts[-1]}" if c.layouts else ""
            rows.append((mark, c.kernel, layouts, *("" if f is None else f"{f:,}" for f in figures), *more))
        lines += ["", f"{x.name}: {x.operator}", report.table(rows, left=3)]
        refused: dict[str, list[str]] = {}
        for c in x.candidates:
            if c.refused:
                refused.setdefault(c.refused, []).append(c.kernel)
        lines += [f"not {', '.join(names)}: {why}" for why, names in refused.items()]
        lines.append(f"why {x.chosen}: {x.why}")
    return "\n".join(lines)
