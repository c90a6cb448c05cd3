"""Halo rows and pad columns come late and go early, where that makes the arena smaller for less than it costs.

Selection gives a value one layout with the halos of all its readers for as long as it lives. A relayout can add them
just before the first reader that needs them: then neither input nor output of a pointwise layer has any. And one can
take them away behind the last such reader: the input of a residual block needs them where it is convolved, and not
while it waits to be added. Both move an image over itself (plan.slide).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from . import check, layout, plan, report
from .ir import Node, Range
from .kernels import Relayout
from .kernels.base import Core, Signature, bare
from .layout import Layout
from .program import Buffer, Program, Step
from .select import RELAYOUT, Objective, bind

Limits = dict[Node, Range]  # of each node's accumulators


def shrunk(program: Program, objective: Objective) -> Program:
    """The program with the relayouts that pay at the objective's costs.

    The steps of most live bytes get what helps them most, one change after the other until none does; of all programs
    on the way that of least cost stays. Without a price of RAM, those relayouts that spare more cycles than they take.
    """
    acc = {n: r[0] for n, r in check.ranges(program.graph).items()}
    if not objective.arena:
        return _hastened(program, acc)
    way = [program]
    while True:
        peaks = _peaks(way[-1])
        best = min(_changed(way[-1]), key=_peaks, default=way[-1])
        if _peaks(best) >= peaks:
            return min(way, key=lambda p: cost(p, objective))
        way.append(_bound(best, way[-1], acc))


def cost(program: Program, objective: Objective) -> float:
    """What a program costs, of RAM its arena."""
    arena = plan.plan(program).arena
    return objective.cycles * program.cycles + objective.flash * report.flash(program) + objective.arena * arena


def _hastened(program: Program, acc: Limits) -> Program:
    """The program with halos that come late where rows that lie side by side, without pad columns, make up for it."""
    for b in program.buffers:
        if (found := _halos(program, b)) is None or found.late is None:
            continue
        other = _bound(found.late, program, acc)
        program = other if other.cycles < program.cycles else program
    return program


def _peaks(program: Program) -> list[int]:
    """Live bytes by step, the most first."""
    return sorted(plan.live(program).values(), reverse=True)


def _changed(program: Program) -> Iterator[Program]:
    """The program with one relayout more, for each image at the peak whose halos could come later or go earlier.

    Other steps are not bound to the new layouts yet.
    """
    live = plan.live(program)
    peak = [i for i, n in live.items() if n == max(live.values())]
    for b in program.buffers:
        found = _halos(program, b)
        if found is not None and any(found.first <= i <= found.last for i in peak):
            yield from (p for p in (found.late, found.early) if p)


@dataclass(frozen=True)
class _Halos:
    """An image with halos, from its first to its last step, and programs in which they come later or go earlier."""

    first: int
    last: int
    late: Program | None
    early: Program | None


def _halos(program: Program, b: Buffer) -> _Halos | None:
    """None if `b` has no halos, or no reader that needs them."""
    if b.place != "arena" or b.layout.flat or b.layout == bare(b.layout, b.type):
        return None
    made = next(i for i, s in enumerate(program.steps) if s.output is b)
    readers = [i for i, s in enumerate(program.steps) if b in s.inputs]
    wide = [i for i in readers if _needed(program.steps[i], b) != bare(b.layout, b.type)]
    if not wide:
        return None
    small = Buffer(b.value, bare(b.layout, b.type))
    late = _moved(program, small, b, wide[0]) if program.steps[made].node is not None else None
    early = _moved(program, b, small, wide[-1] + 1) if readers[-1] > wide[-1] else None
    return _Halos(made, readers[-1], late, early)


def _needed(step: Step, b: Buffer) -> Layout:
    """The layout of which the step reads `b`: it may have less halos than `b`."""
    found = bare(b.layout, b.type)
    if step.node is not None:
        like = tuple(bare(x.layout, x.type) for x in step.inputs)
        assert not isinstance(step.kernel, Relayout)
        sig = step.kernel.layouts(step.node, like, bare(step.output.layout, step.output.type))
        assert sig is not None, step.name
        for x, lay in zip(step.inputs, sig.inputs, strict=True):
            found = layout.join(found, lay) if x is b else found
    return found


def _moved(program: Program, before: Buffer, after: Buffer, at: int) -> Program:
    """The program in which the value lies in `before` up to step `at`, and from it on in `after`."""
    steps = list(program.steps)
    for i, s in enumerate(steps):
        here = before if i < at else after
        inputs = tuple(here if x in (before, after) else x for x in s.inputs)
        steps[i] = replace(s, inputs=inputs, output=here if s.output in (before, after) else s.output)
    bound = RELAYOUT.bind(before.type, before.layout, after.layout)
    cycles = RELAYOUT.cycles(before.type, before.layout, after.layout, program.core)
    name = f"{before.value.name}.{'halos' if before.bytes < after.bytes else 'bare'}"
    steps.insert(at, Step(name, RELAYOUT, None, before.value, (before,), after, bound, cycles))
    return replace(program, steps=tuple(steps))


def _bound(program: Program, old: Program, acc: Limits) -> Program:
    """The program, its steps bound to the layouts that they have; old: where they had others."""
    known = {(s.name, s.inputs, s.output) for s in old.steps}
    core = program.core
    return replace(
        program,
        steps=tuple(s if (s.name, s.inputs, s.output) in known else _rebound(s, core, acc) for s in program.steps),
    )


def _rebound(step: Step, core: Core, acc: Limits) -> Step:
    lays, y = tuple(x.layout for x in step.inputs), step.output.layout
    if isinstance(step.kernel, Relayout):
        t = step.value.type
        return replace(step, bound=step.kernel.bind(t, lays[0], y), cycles=step.kernel.cycles(t, lays[0], y, core))
    assert step.node is not None
    bound, cycles = bind(step.kernel, step.node, Signature(lays, y), acc[step.node], core)
    return replace(step, bound=bound, cycles=cycles)
