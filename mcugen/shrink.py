"""Takes halo rows and pad columns away in place, after the last reader that needs them.

Selection gives a value one layout with the halos of all its readers for as long as it lives. The input of a residual
block needs them where it is convolved and not where it is added: what waits there meanwhile is a fourth smaller.
The relayout that moves it together costs cycles, so a goal without a price of RAM has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import check, layout, plan, report
from .ir import Node, Range
from .kernels import Relayout
from .kernels.base import Core, Signature, bare
from .layout import Layout
from .program import Buffer, Program, Step
from .select import RELAYOUT, Objective


def shrunk(program: Program, objective: Objective) -> Program:
    """The program with the relayouts that pay at the objective's costs, the best one first."""
    while objective.arena:
        costs = [(_cost(p, objective), i, p) for i, p in enumerate((program, *_smaller(program)))]
        _, best, program = min(costs, key=lambda c: c[:2])
        if best == 0:
            break
    return program


def _cost(program: Program, objective: Objective) -> float:
    arena = plan.plan(program).arena
    return objective.cycles * program.cycles + objective.flash * report.flash(program) + objective.arena * arena


def _smaller(program: Program) -> Iterator[Program]:
    """The program with one image moved together, for each that can be while another step lies between its readers."""
    acc = {n: r[0] for n, r in check.ranges(program.graph).items()}
    for b in program.buffers:
        if b.place != "arena" or b.layout.flat or b.layout == bare(b.layout, b.type):
            continue
        readers = [i for i, s in enumerate(program.steps) if b in s.inputs]
        wide = [i for i in readers if _needed(program.steps[i], b) != bare(b.layout, b.type)]
        after = [i for i in readers if not wide or i > wide[-1]]
        if wide and after and after[0] > wide[-1] + 1:
            yield _moved(program, b, wide[-1], acc)


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


def _moved(program: Program, b: Buffer, last: int, acc: dict[Node, Range]) -> Program:
    """The program in which `b` loses its halos after step `last`."""
    small = Buffer(b.value, bare(b.layout, b.type))
    bound = RELAYOUT.bind(b.type, b.layout, small.layout)
    cycles = RELAYOUT.cycles(b.type, b.layout, small.layout, program.core)
    move = Step(f"{b.value.name}.bare", RELAYOUT, None, b.value, (b,), small, bound, cycles)
    after = (_reading(s, b, small, program.core, acc) if b in s.inputs else s for s in program.steps[last + 1 :])
    return replace(program, steps=(*program.steps[: last + 1], move, *after))


def _reading(step: Step, b: Buffer, small: Buffer, core: Core, acc: dict[Node, Range]) -> Step:
    """The step, reading `small` in place of `b`."""
    inputs = tuple(small if x is b else x for x in step.inputs)
    lays, y = tuple(x.layout for x in inputs), step.output.layout
    if isinstance(step.kernel, Relayout):
        bound = step.kernel.bind(step.value.type, lays[0], y)
        return replace(step, inputs=inputs, bound=bound, cycles=step.kernel.cycles(step.value.type, lays[0], y, core))
    assert step.node is not None
    sig, limits = Signature(lays, y), acc[step.node]
    bound, cycles = step.kernel.bind(step.node, sig, limits), step.kernel.cycles(step.node, sig, limits, core)
    return replace(step, inputs=inputs, bound=bound, cycles=cycles)
