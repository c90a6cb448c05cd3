"""Chooses kernels and layouts under limits of flash and RAM: the least cost, exactly, as an integer program (HiGHS).

select.py is as exact and faster, but knows sums only. Under a limit of flash, layers meet that have
nothing else in common, kernels share code, and RAM is a peak. The variables, for node i, value v, layouts s and k:

    x[option]      the node runs so                                  one option for each node
    m[v, s, k, i]  before node i a relayout makes v in k from s      s is there, k is not
    b[v, k, i]     v lies in k while node i runs                     it was there before, or was made; readers need it
    c[stem]        a kernel's code, or a part of it, is linked       if any option that is taken has it

    flash: tables, structs and code of all that is taken, as report.flash counts them
    RAM:   at every node, and when its relayouts run, the bytes of what is there, of the output and of the scratch

A value in lanes counts with the halos of all its possible readers, and outputs that take over an input's memory count
as if they did not: a plan can be smaller than this says, hardly larger. Flash is that of the layouts without halos, on
which the runs of `sparse` and so the strips it takes depend; a choice whose program exceeds a limit is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from . import layout, plan, report, select, shrink
from .ir import Array, Graph, Value
from .kernels import KERNELS, Kernel
from .kernels.base import Core
from .layout import Layout
from .program import Program
from .select import RELAYOUT, Choice, Key, Objective, Option, Ways

# How often a choice is left out that exceeds a limit after all, then how often the limit is tightened by that.
TRIES = 6
Terms = dict[int, float]


@dataclass(frozen=True)
class Limits:
    """Bytes of flash, as report.flash estimates it, and of the arena; None: as many as it takes."""

    flash: int | None = None
    arena: int | None = None


@dataclass(frozen=True)
class Found:
    """A program, its plan, and what the choices cost in the objective's terms."""

    program: Program
    plan: plan.Plan
    cost: float


def within(problem: Problem, limits: Limits, only: tuple[Option, ...] = ()) -> Found | None:
    """The program of least cost that keeps the limits; None if there is none. only: all that one node may have."""
    flash, arena = limits.flash, limits.arena
    beyond: list[tuple[Choice, ...]] = []
    for i in range(2 * TRIES):
        choices = problem.solve(flash, arena, only, beyond)
        if choices is None:
            return None
        found = problem.made(choices)
        if kept(found.program, found.plan, limits):
            return found
        plain = problem.made(choices, shrunk=False)
        if kept(plain.program, plain.plan, limits):
            return plain
        beyond.append(choices)
        if i < TRIES:
            continue
        if flash is not None and limits.flash is not None:
            flash -= max(0, report.flash(found.program) - limits.flash)
        if arena is not None and limits.arena is not None:
            arena -= max(0, found.plan.arena - limits.arena)
    return None


def kept(program: Program, memory: plan.Plan, limits: Limits) -> bool:
    """True if the program keeps the limits."""
    return (limits.flash is None or report.flash(program) <= limits.flash) and (
        limits.arena is None or memory.arena <= limits.arena
    )


@dataclass
class Rows:
    """Linear constraints: lo <= sum of coefficient * variable <= hi."""

    entries: list[tuple[int, int, float]] = field(default_factory=list)
    lo: list[float] = field(default_factory=list)
    hi: list[float] = field(default_factory=list)

    def add(self, terms: Terms, lo: float = -np.inf, hi: float = np.inf) -> None:
        """One more."""
        self.entries += [(len(self.lo), v, c) for v, c in terms.items() if c]
        self.lo.append(lo)
        self.hi.append(hi)


def _sum(*parts: Iterable[tuple[int, float]]) -> Terms:
    total: Terms = {}
    for part in parts:
        for variable, coefficient in part:
            total[variable] = total.get(variable, 0.0) + coefficient
    return total


class Problem:
    """The integer program of a graph, but for the limits. Raises TargetError E402 as select does; ways as there."""

    def __init__(
        self,
        graph: Graph,
        core: Core,
        objective: Objective,
        kernels: tuple[Kernel, ...] = KERNELS,
        ways: Ways | None = None,
    ) -> None:
        self.graph, self.core, self.objective = graph, core, objective
        known = select.options(graph, core, objective, kernels) if ways is None else ways
        self.options = select.priced(known, objective)
        self.cost: list[float] = []
        self.whole: list[int] = []  # variables that are 0 or 1
        self.rows = Rows()
        self.flash: list[tuple[int, float]] = []
        self.ram: list[Terms] = []
        self.x: dict[int, Option] = {}
        self.m: dict[int, tuple[int, Value, Key, Key]] = {}
        self._build()

    def _variable(self, cost: float = 0.0, whole: bool = False) -> int:
        self.cost.append(cost)
        self.whole.append(int(whole))
        return len(self.cost) - 1

    def _build(self) -> None:
        nodes = self.graph.nodes
        taken = [[self._variable(o.cost, whole=True) for o in self.options[n]] for n in nodes]
        for node, xs in zip(nodes, taken, strict=True):
            self.x.update(zip(xs, self.options[node], strict=True))
            self.rows.add(dict.fromkeys(xs, 1.0), 1, 1)
        size = self._sizes()
        last = {v: i for i, n in enumerate(nodes) for v in n.args}
        there: dict[Value, dict[Key, Terms]] = {v: {0: {}} for v in self.graph.inputs if v in last}
        always = {v: {0} for v in there}  # an input is there from the start
        for i, node in enumerate(nodes):
            xs = taken[i]
            made: dict[tuple[Value, Key], list[int]] = {}
            for v in dict.fromkeys(node.args):
                made |= self._relayouts(i, v, xs, there[v], always.get(v, set()))
            before = [(t, size[v, k]) for v, keys in there.items() for k, t in keys.items()]
            moved = [(m, float(size[v, k])) for (v, k), ms in made.items() for m in ms]
            if moved:
                self.ram.append(_sum(*([(b, c * s) for b, c in t.items()] for t, s in before), moved))
            live: list[tuple[int, float]] = []
            for v in list(there):
                keys = dict(there[v])
                for w, k in made:
                    if w is v:
                        keys[k] = _sum(there[v].get(k, {}).items(), ((m, 1.0) for m in made[v, k]))
                after: dict[Key, Terms] = {}
                for k, terms in keys.items():
                    if k in always.get(v, set()):
                        after[k] = {}
                        continue
                    b = self._variable()
                    self.rows.add(_sum([(b, 1.0)], ((t, -c) for t, c in terms.items())), hi=0)
                    if v in node.args:
                        uses = [x for x in xs if (v, k) in _reads(self.x[x])]
                        self.rows.add(_sum([(b, -1.0)], ((x, 1.0) for x in uses)), hi=0)
                    live.append((b, float(size[v, k])))
                    after[k] = {b: 1.0}
                there[v] = after
                if last[v] == i:
                    del there[v]
            y = node.output
            written = [(x, float(size[y, self.x[x].output] + self.x[x].scratch)) for x in xs]
            self.ram.append(_sum(live, written))
            if last.get(y, -1) > i:
                there[y] = {}
                for x in xs:
                    there[y].setdefault(self.x[x].output, {})[x] = 1.0
        self._code(taken)

    def _relayouts(
        self, i: int, v: Value, xs: list[int], there: dict[Key, Terms], always: set[Key]
    ) -> dict[tuple[Value, Key], list[int]]:
        """Variables for what node i may want, by what they make."""
        found: dict[tuple[Value, Key], list[int]] = {}
        for want in dict.fromkeys(k for x in xs for u, k in _reads(self.x[x]) if u is v and k not in always):
            for source, terms in there.items():
                move = select.move(v, source, want, self.core, self.objective)
                if source == want or move is None:
                    continue
                m = self._variable(move, whole=True)
                self.m[m] = i, v, source, want
                if source not in always:
                    self.rows.add(_sum([(m, 1.0)], ((t, -c) for t, c in terms.items())), hi=0)
                found.setdefault((v, want), []).append(m)
        return found

    def _code(self, taken: list[list[int]]) -> None:
        users: dict[str, list[list[int]]] = {}
        code: dict[str, int] = {}
        for xs in taken:
            by_stem: dict[str, list[int]] = {}
            for x in xs:
                for part in self.x[x].code:
                    by_stem.setdefault(part.stem, []).append(x)
                    code[part.stem] = max(part.code_bytes, code.get(part.stem, 0))
            for stem, some in by_stem.items():
                users.setdefault(stem, []).append(some)
        for m in self.m:
            users.setdefault(RELAYOUT.stem, []).append([m])
            code[RELAYOUT.stem] = RELAYOUT.code_bytes
        for stem, groups in users.items():
            c = self._variable()
            for group in groups:
                self.rows.add(_sum([(c, -1.0)], ((x, 1.0) for x in group)), hi=0)
            self.flash.append((c, float(code[stem])))
        self.flash += [(x, float(o.flash)) for x, o in self.x.items()]
        for m, (_, v, source, want) in self.m.items():
            bound = RELAYOUT.bind(v.type, select.layout_of(v, source), select.layout_of(v, want))
            self.flash.append((m, float(bound.bytes)))

    def _sizes(self) -> dict[tuple[Value, Key], int]:
        """Bytes of the arena that a value takes in a layout, with the halos of all who may read it."""
        layouts: dict[tuple[Value, Key], Layout] = {}
        for o in self.x.values():
            ends = [*zip(o.node.args, o.inputs, o.sig.inputs, strict=True), (o.node.output, o.output, o.sig.output)]
            for v, k, lay in ends:
                layouts[v, k] = layout.join(layouts[v, k], lay) if (v, k) in layouts else lay
        found = {key: -(-layout.size(lay, key[0].type) // plan.ALIGN) * plan.ALIGN for key, lay in layouts.items()}
        outside = {*self.graph.inputs, *self.graph.outputs}
        for node in reversed(self.graph.nodes):  # what becomes an output by a flatten is written there
            if node.output in outside and all(not o.kernel.stem for o in self.options[node]):
                outside.update(node.args)
        return {**{(v, 0): 0 for v in self.graph.inputs}, **found, **{(v, 0): 0 for v in outside}}

    def made(self, choices: tuple[Choice, ...], *, shrunk: bool = True) -> Found:
        """The program of some choices, as it is or after shrink.py, which can take more flash."""
        program = select.program(self.graph, choices, self.core)
        program = shrink.shrunk(program, self.objective) if shrunk else program
        moves = (select.move(*m, self.core, self.objective) for c in choices for m in c.moves)
        cost = sum(c.option.cost for c in choices) + sum(m for m in moves if m is not None)
        return Found(program, plan.plan(program), cost)

    def solve(
        self,
        flash: int | None,
        arena: int | None,
        only: tuple[Option, ...] = (),
        beyond: Iterable[tuple[Choice, ...]] = (),
    ) -> tuple[Choice, ...] | None:
        """The choices of least cost within the limits, or None.

        only: all that one of the nodes may have; beyond: what is left out, with any relayouts.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_matrix

        rows = Rows(list(self.rows.entries), list(self.rows.lo), list(self.rows.hi))
        if flash is not None:
            rows.add(_sum(self.flash), hi=flash)
        for terms in self.ram if arena is not None else ():
            rows.add(terms, hi=arena)  # type: ignore[arg-type]
        for choices in beyond:
            taken = {c.option for c in choices}
            rows.add({x: 1.0 for x, o in self.x.items() if o in taken}, hi=len(taken) - 1)
        at, variables, coefficients = zip(*rows.entries, strict=True)
        matrix = csr_matrix((coefficients, (at, variables)), shape=(len(rows.lo), len(self.cost)))
        cost: Array = np.array(self.cost)
        most = np.ones(len(self.cost))
        for x, o in self.x.items() if only else ():
            most[x] = o.node is not only[0].node or o in only
        found = milp(
            cost / max(1.0, cost.max()),
            integrality=self.whole,
            bounds=Bounds(0, most),
            constraints=LinearConstraint(matrix, rows.lo, rows.hi),
            options={"mip_rel_gap": 0.0},
        )
        if found.x is None:
            return None
        chosen = {o.node: o for x, o in self.x.items() if found.x[x] > 0.5}
        moves = [self.m[m] for m in self.m if found.x[m] > 0.5]
        return tuple(
            Choice(chosen[node], tuple((v, s, k) for j, v, s, k in moves if j == i))
            for i, node in enumerate(self.graph.nodes)
        )


def _reads(option: Option) -> tuple[tuple[Value, Key], ...]:
    return tuple(zip(option.node.args, option.inputs, strict=True))
