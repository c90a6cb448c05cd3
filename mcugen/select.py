"""Chooses for every node its kernel and for every value its layouts: the least cost over the whole graph.

Dynamic programming over the nodes in order. The state is, for every value that is still to be read, the set of
layouts in which it lies in memory; a node is run by some kernel in some layouts, and a layout that is missing is made
by a relayout. For a chain this is the usual table over (kernel, layout); for residual networks the state has one
entry more. It is exact: no combination is left out (tests/test_select.py compares with brute force).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from weakref import WeakKeyDictionary

from . import check, layout
from .errors import TargetError
from .ir import DType, Graph, Node, Range, Tensor, Value
from .kernels import KERNELS, Relayout
from .kernels.base import Bound, Core, Kernel, Part, Signature, fits
from .layout import FLAT, Layout
from .program import Buffer, Program, Step

RELAYOUT = Relayout()
Key = int  # 0: flat; r > 0: lanes of r rows; RUNS; NIBBLES + r: lanes of r rows, of nibbles; NIBBLE_RUNS
RUNS, NIBBLE_RUNS = -1, -2
NIBBLES = 1 << 16  # more than an image has rows
State = frozenset[tuple[Value, Key]]


@dataclass(frozen=True)
class Objective:
    """What one unit of each resource costs; flash and ram in bytes.

    ram is for what each layer's buffers and scratch take, which selection adds up; arena for the peak, once known.
    """

    cycles: float = 1.0
    flash: float = 0.0
    ram: float = 0.0
    arena: float = 0.0


@dataclass(frozen=True)
class Option:
    """A node in one kernel and one choice of layouts."""

    node: Node
    kernel: Kernel
    inputs: tuple[Key, ...]
    output: Key
    sig: Signature
    cost: float
    cycles: float
    growth: int  # bytes of the output, and of what the inputs' halos take beyond the bare layouts
    tables: int  # bytes
    flash: int  # bytes of tables and struct
    scratch: int
    code: tuple[Part, ...]  # what is linked for it, once for all layers
    share: float  # of code and scratch that counts as this layer's


Ways = dict[Node, tuple[Option, ...]]  # every way to run each node


@dataclass(frozen=True)
class Choice:
    """An option with the relayouts before it: (value, from, to)."""

    option: Option
    moves: tuple[tuple[Value, Key, Key], ...]


def select(
    graph: Graph,
    core: Core,
    objective: Objective = Objective(),
    kernels: tuple[Kernel, ...] = KERNELS,
    ways: Ways | None = None,
) -> Program:
    """The program of least cost; ways: of all nodes, if known. TargetError E402: no kernel runs a node."""
    found = options(graph, core, objective, kernels) if ways is None else priced(ways, objective)
    return program(graph, solve(graph, found, core, objective), core)


def options(
    graph: Graph, core: Core, objective: Objective = Objective(), kernels: tuple[Kernel, ...] = KERNELS
) -> Ways:
    """Every way to run each node, with its cost. TargetError E402 names a node that no kernel runs."""
    ranges = check.ranges(graph)
    kernels = tuple(k.on(core) for k in kernels)
    keys = candidates(graph, nibbles=any(k.nibbles for k in kernels))
    alike = Counter(type(n.op) for n in graph.nodes)
    found = {
        n: tuple(_options(n, ranges[n][0], keys, core, objective, kernels, 1 / alike[type(n.op)])) for n in graph.nodes
    }
    found = _within_reach(found)
    for node, some in found.items():
        if not some:
            types = ", ".join(str(v.type) for v in node.inputs)
            raise TargetError("E402", f"no kernel runs {type(node.op).__name__}({types})", where=node.name)
    return found


def _within_reach(found: Ways) -> Ways:
    """The options whose kernels reach as far as their values can lie: with the halos of whatever may read them, too."""
    largest: dict[tuple[Value, Key], Layout] = {}
    for o in (o for some in found.values() for o in some):
        for v, key, lay in _places(o):
            largest[v, key] = layout.join(largest.get((v, key), lay), lay)

    def reaches(o: Option) -> bool:
        *ins, out = (largest[v, key] for v, key, _ in _places(o))
        return o.kernel.reaches(o.node, Signature(tuple(ins), out))

    return {n: tuple(o for o in some if reaches(o)) for n, some in found.items()}


def _places(o: Option) -> tuple[tuple[Value, Key, Layout], ...]:
    values, keys = (*o.node.args, o.node.output), (*o.inputs, o.output)
    return tuple(zip(values, keys, (*o.sig.inputs, o.sig.output), strict=True))


def candidates(graph: Graph, nibbles: bool = False) -> dict[Value, tuple[Key, ...]]:
    """The layouts worth trying for each value: flat, lanes of the row counts that neighbours can share, shorter runs.

    nibbles: that too for lanes of nibbles, where the type has up to 4 bits; r rows of them are 2 r rows of bytes.
    """
    values = (*graph.inputs, *(n.output for n in graph.nodes))
    halves: dict[Value, set[int]] = _rows(graph, 4, {}) if nibbles else {}
    wholes = _rows(graph, 8, {v: {2 * r for r in rows} for v, rows in halves.items()})
    fixed = set(graph.outputs)  # written flat; an input is read flat, or from a copy in lanes
    found: dict[Value, tuple[Key, ...]] = {}
    for v in values:
        keys = [0, *([RUNS] if wholes[v] and layout.shorter(v.type) else []), *sorted(wholes[v])]
        if some := halves.get(v):
            keys += [*([NIBBLE_RUNS] if layout.shorter(v.type, 4) else []), *(NIBBLES + r for r in sorted(some))]
        found[v] = (0,) if v in fixed else tuple(keys)
    return found


def _rows(graph: Graph, bits: int, more: dict[Value, set[int]]) -> dict[Value, set[int]]:
    """The row counts of lanes of such elements that neighbours can share, for each value; none if it has no such lanes.

    Lanes stay in step through a stride of s only if the rows per lane divide by s, and an upsampling by s is a stride
    backwards, so counts travel both ways through the nodes until nothing is new: 3 rows high after four strides of 2
    makes 16 rows per lane of 48. more: others worth trying.
    """
    found: dict[Value, set[int]] = {}
    for v in (*graph.inputs, *(n.output for n in graph.nodes)):
        image = len(v.type.shape) == 3 and v.type.dtype.unsigned and v.type.shape[1] > 1 and v.type.dtype.hi < 1 << bits
        some = {layout.rows_for(v.type.shape[1], 32 // bits), *more.get(v, ())} if image else set()
        found[v] = {r for r in some if _sensible(r, v, 32 // bits)}
    changed = True
    while changed:
        changed = False
        for node in graph.nodes:
            stride, factor = getattr(node.op, "stride", (1, 1))[0], getattr(node.op, "factor", (1, 1))[0]
            for x in node.args:
                for a, b, up, down in ((x, node.output, factor, stride), (node.output, x, stride, factor)):
                    if not found[b]:
                        continue  # never in lanes
                    rows = {r // down * up for r in found[a] if r % down == 0}
                    new = {r for r in rows if _sensible(r, b, 32 // bits)} - found[b]
                    if new:
                        found[b] |= new
                        changed = True
    return found


def _sensible(rows: int, v: Value, count: int) -> bool:
    least = layout.rows_for(v.type.shape[1], count)
    return least <= rows <= 2 * least + 1


def layout_of(v: Value, key: Key) -> Layout:
    """The layout of a key, without halos."""
    if key < 0:
        return layout.runs(v.type, 8 if key == RUNS else 4)
    if key > NIBBLES:
        return layout.lanes(v.type, key - NIBBLES, bits=4)
    return layout.lanes(v.type, key) if key else FLAT


def _options(
    node: Node,
    acc: Range,
    keys: dict[Value, tuple[Key, ...]],
    core: Core,
    objective: Objective,
    kernels: tuple[Kernel, ...],
    share: float,
) -> Iterator[Option]:
    for kernel in kernels:
        if type(node.op) is not kernel.op:
            continue
        accepted: bool | None = None
        for *ins, out in product(*(keys[v] for v in node.args), keys[node.output]):
            like = tuple(layout_of(v, k) for v, k in zip(node.args, ins, strict=True))
            sig = kernel.offered(node, like, layout_of(node.output, out))
            if sig is None:
                continue
            if accepted is None:  # of no layout's doing, and proofs take their time
                accepted = kernel.accepts(node, acc)
            if not accepted:
                break
            # Values in lanes cost what they take beyond their bare bytes, tables cost flash. Code costs flash too, and
            # scratch RAM, but the layers of an operator are taken to share them: a step's scratch is free after it.
            growth = layout.size(sig.output, node.output.type) + sum(
                layout.size(s, v.type) - layout.size(p, v.type)
                for s, p, v in zip(sig.inputs, like, node.args, strict=True)
            )
            bound, cycles = bind(kernel, node, sig, acc, core)
            option = Option(
                *(node, kernel, tuple(ins), out, sig, 0.0, cycles, growth),
                *(bound.table_bytes, bound.bytes, bound.scratch),
                *((Part(kernel.stem, kernel.code_bytes), *bound.parts), share),
            )
            yield replace(option, cost=price(option, objective))


_KNOWN: WeakKeyDictionary[Node, dict[tuple[object, ...], tuple[Bound, float]]] = WeakKeyDictionary()


def bind(kernel: Kernel, node: Node, sig: Signature, acc: Range, core: Core) -> tuple[Bound, float]:
    """The kernel's bind and cycles, once for all: goals and limits ask for the same steps again and again."""
    known = _KNOWN.setdefault(node, {})
    key = (kernel, sig, core, acc)
    if key not in known:
        assert kernel.reaches(node, sig), (node.name, kernel.name, sig)
        known[key] = kernel.bind(node, sig, acc), kernel.cycles(node, sig, acc, core)
    return known[key]


def priced(ways: Ways, objective: Objective) -> Ways:
    """The same ways at another objective's costs."""
    return {n: tuple(replace(o, cost=price(o, objective)) for o in some) for n, some in ways.items()}


def price(o: Option, objective: Objective) -> float:
    """What an option costs."""
    flash = o.tables + o.share * sum(part.code_bytes for part in o.code)
    return objective.cycles * o.cycles + objective.flash * flash + objective.ram * (o.growth + o.share * o.scratch)


def solve(graph: Graph, options: Ways, core: Core, objective: Objective) -> tuple[Choice, ...]:
    """The option for each node, and the relayouts, that cost the least."""
    last_read = {v: i for i, n in enumerate(graph.nodes) for v in n.args}
    start: State = frozenset((v, 0) for v in graph.inputs)
    best: dict[State, tuple[float, tuple[Choice, ...]]] = {start: (0.0, ())}
    for i, node in enumerate(graph.nodes):
        after: dict[State, tuple[float, tuple[Choice, ...]]] = {}
        for state, (cost, path) in best.items():
            for option in options[node]:
                moves, extra = _moves(state, option, core, objective)
                if moves is None:
                    continue
                made = {(v, to) for v, _, to in moves}
                live = {(v, k) for v, k in state | made if last_read.get(v, -1) > i}
                if last_read.get(node.output, -1) > i:
                    live.add((node.output, option.output))
                reached: State = frozenset(live)
                total = cost + option.cost + extra
                if reached not in after or total < after[reached][0]:
                    after[reached] = (total, (*path, Choice(option, moves)))
        best = after
    return min(best.values(), key=lambda b: b[0])[1]


def _moves(
    state: State, option: Option, core: Core, objective: Objective
) -> tuple[tuple[tuple[Value, Key, Key], ...] | None, float]:
    moves: list[tuple[Value, Key, Key]] = []
    extra = 0.0
    for v, want in dict.fromkeys(zip(option.node.args, option.inputs, strict=True)):
        have = [k for u, k in state if u is v]
        if want in have:
            continue
        costs = [(cost, k) for k in have if (cost := move(v, k, want, core, objective)) is not None]
        if not costs:
            return None, 0.0
        cost, source = min(costs)
        moves.append((v, source, want))
        extra += cost
    return tuple(moves), extra


def move(v: Value, source: Key, to: Key, core: Core, objective: Objective) -> float | None:
    """The cost of a relayout, or None where there is none."""
    a, b = layout_of(v, source), layout_of(v, to)
    if not RELAYOUT.accepts(v.type, a, b):
        return None
    return objective.cycles * RELAYOUT.cycles(v.type, a, b, core) + objective.ram * layout.size(b, v.type)


def program(graph: Graph, choices: tuple[Choice, ...], core: Core) -> Program:
    """The program of one choice for each node, in order."""
    acc = {n: r[0] for n, r in check.ranges(graph).items()}
    layouts: dict[tuple[Value, Key], Layout] = {(v, 0): FLAT for v in graph.inputs}

    def need(v: Value, key: Key, lay: Layout) -> None:
        layouts[v, key] = layout.join(layouts[v, key], lay) if (v, key) in layouts else lay

    for c in choices:
        for v, source, to in c.moves:
            need(v, source, layout_of(v, source))
            need(v, to, layout_of(v, to))
        for v, key, lay in zip(c.option.node.args, c.option.inputs, c.option.sig.inputs, strict=True):
            need(v, key, lay)
        need(c.option.node.output, c.option.output, c.option.sig.output)

    buffers = {(v, 0): Buffer(v, FLAT, "x", i) for i, v in enumerate(graph.inputs)}
    flattened = {c.option.node.output: c.option.node.args[0] for c in choices if not c.option.kernel.stem}
    copies: list[tuple[Buffer, Buffer]] = []
    for i, v in enumerate(graph.outputs):  # backwards through flattens: what becomes the output is written there
        origin, y = v, Buffer(v, FLAT, "y", i)
        while origin in flattened:
            origin = flattened[origin]
        if (origin, 0) in buffers:  # an input, or what another output has already: these bytes are there twice
            copies.append((buffers[origin, 0], y))
        else:
            buffers[origin, 0] = y

    def buffer(v: Value, key: Key) -> Buffer:
        if (v, key) not in buffers:
            buffers[v, key] = Buffer(v, layouts[v, key])
        return buffers[v, key]

    steps: list[Step] = []
    for c in choices:
        node, kernel = c.option.node, c.option.kernel
        for v, source, to in c.moves:
            a, b = buffer(v, source), buffer(v, to)
            bound = RELAYOUT.bind(v.type, a.layout, b.layout)
            cycles = RELAYOUT.cycles(v.type, a.layout, b.layout, core)
            name = f"{v.name}.to_{layout_of(v, to).name}"
            steps.append(Step(name, RELAYOUT, None, v, (a,), b, bound, cycles))
        ins = tuple(buffer(v, k) for v, k in zip(node.args, c.option.inputs, strict=True))
        if not kernel.stem:  # flatten: the same bytes under another shape
            buffers[node.output, 0] = ins[0]
            continue
        out = buffer(node.output, c.option.output)
        sig = Signature(tuple(b.layout for b in ins), out.layout)
        steps.append(
            Step(
                node.name,
                kernel,
                node,
                node.output,
                ins,
                out,
                *bind(kernel, node, sig, acc[node], core),
            )
        )
    steps += [_copy(x, y, core) for x, y in copies]
    return Program(graph, core, tuple(steps))


def _copy(x: Buffer, y: Buffer, core: Core) -> Step:
    """The step that fills an output whose bytes are an input's or another output's: a relayout of a flat image."""
    c, h, w = (*y.type.shape, 1, 1)[:3]
    image = Tensor(DType.U8, (c, h, w * y.type.dtype.bytes))
    if not fits(image):
        raise TargetError("E403", f"{y.type} is too large to be copied to an output", where=y.value.name)
    bound, cycles = RELAYOUT.bind(image, FLAT, FLAT), RELAYOUT.cycles(image, FLAT, FLAT, core)
    return Step(f"{y.value.name}.copy", RELAYOUT, None, y.value, (x,), y, bound, cycles)
