"""Gives every buffer and scratch area an offset in the arena.

Buffers are intervals in time with a size. Kernels that may work in place let an output take over an input's memory.
Some go through images in lanes in the order of memory: there the output may overlap an input that ends, if it begins so
far before it that no word is written where one is still to be read (`Slides`). Offsets: first fit in several orders,
then a seeded search over orders, until the lower bound is met.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from . import layout
from .ir import Value
from .kernels import Relayout
from .layout import Layout
from .program import Buffer, Program, Step

ALIGN = 4
TRIES = 300  # orders tried beyond the fixed ones when the bound is not met


@dataclass(frozen=True)
class Area:
    """A stretch of memory, live from step `first` to step `last`, both included."""

    name: str
    bytes: int
    first: int
    last: int


# (x, y) -> bytes: area x's last step writes y, and they may overlap if y begins so many bytes before x, or more.
Slides = dict[tuple[int, int], int]


@dataclass(frozen=True)
class Plan:
    """Offsets, and how good they are."""

    offsets: dict[Buffer, int]
    scratch: dict[int, int]  # step -> offset
    lifetimes: dict[Buffer, tuple[int, int]]
    arena: int  # bytes
    bound: int  # peak of live bytes in the chosen layouts: no plan of these areas is smaller
    logical_bound: int  # peak of live bytes of the bare tensors, whatever the layouts and scratch


def plan(program: Program) -> Plan:
    """The memory plan of a program."""
    life = _lifetimes(program)
    root = _in_place(program, life)
    areas, members, slides = _areas(program, life, root)
    buffers = len(areas)
    scratch_steps = [i for i, s in enumerate(program.steps) if s.bound.scratch]
    areas += [Area(f"scratch{i}", _align(program.steps[i].bound.scratch), i, i) for i in scratch_steps]

    offsets = place(areas, slides)
    return Plan(
        {b: offsets[k] for k in range(buffers) for b in members[k]},
        dict(zip(scratch_steps, offsets[buffers:], strict=True)),
        life,
        max((o + a.bytes for o, a in zip(offsets, areas, strict=True)), default=0),
        peak(areas, slides),
        _logical(program, life, root),
    )


def live(program: Program) -> dict[int, int]:
    """The least bytes that the buffers take at each step that has a new one."""
    life = _lifetimes(program)
    areas, _, slides = _areas(program, life, _in_place(program, life))
    return _live(areas, slides)


def _lifetimes(program: Program) -> dict[Buffer, tuple[int, int]]:
    life: dict[Buffer, tuple[int, int]] = {}
    for i, step in enumerate(program.steps):
        for b in (*step.inputs, step.output):
            if b.place == "arena":
                life[b] = (min(i, life.get(b, (i, i))[0]), i)
    return life


def _areas(
    program: Program, life: dict[Buffer, tuple[int, int]], root: dict[Buffer, Buffer]
) -> tuple[list[Area], list[list[Buffer]], Slides]:
    """The areas of all buffers, the buffers in each, and which may overlap."""
    groups: dict[Buffer, list[Buffer]] = {}
    for b in life:
        groups.setdefault(root[b], []).append(b)
    areas = []
    for r, group in groups.items():
        first, last = min(life[b][0] for b in group), max(life[b][1] for b in group)
        areas.append(Area(r.name, _align(max(b.bytes for b in group)), first, last))
    members = list(groups.values())
    return areas, members, _slides(program, {b: k for k, group in enumerate(members) for b in group}, areas)


def _align(n: int) -> int:
    return -(-n // ALIGN) * ALIGN


def _in_place(program: Program, life: dict[Buffer, tuple[int, int]]) -> dict[Buffer, Buffer]:
    """Which buffer's memory each buffer lives in: its own, or that of an input that ends where it begins."""
    root = {b: b for b in life}
    for i, step in enumerate(program.steps):
        out = step.output
        if out.place != "arena" or life[out][0] != i:
            continue
        for k in step.kernel.in_place:
            x = step.inputs[k]
            alone = sum(b is x for b in step.inputs) == 1
            if x.place == "arena" and life[x][1] == i and x.layout == out.layout and x.bytes == out.bytes and alone:
                root[out] = root[x]
                break
    return root


def _slides(program: Program, area: dict[Buffer, int], areas: Sequence[Area]) -> Slides:
    found: Slides = {}
    for i, step in enumerate(program.steps):
        y = step.output
        if y not in area or areas[area[y]].first != i:
            continue
        for x in step.inputs:
            ahead = slide(step, x) if x in area and areas[area[x]].last == i and step.inputs.count(x) == 1 else None
            if ahead is not None:
                found[area[x], area[y]] = ahead
                break
    return found


def slide(step: Step, x: Buffer) -> int | None:
    """How many bytes before input `x` the step's output must begin to overlap it, or None where it must not."""
    a, b = x.layout, step.output.layout
    if a.flat or b.flat:
        return None
    if step.node is None:  # word by word (relayout.h)
        by_word = layout.alike(a, b) or layout.halves(b, a)
        return layout.LANES * layout.ahead(b, a, x.type.shape) if by_word else None
    if isinstance(step.kernel, Relayout) or not step.kernel.by_plane:
        return None
    return planes_ahead(b, a, x.type.shape[0])


def planes_ahead(y: Layout, x: Layout, planes: int) -> int:
    """The least bytes that y must begin before x so that each plane of y ends where that of x begins, or before."""
    return layout.LANES * max(y.plane, planes * y.plane - (planes - 1) * x.plane)


def peak(areas: Sequence[Area], slides: Slides | None = None) -> int:
    """The most bytes that are live at one step, those of an overlap once."""
    return max(_live(areas, slides or {}).values(), default=0)


def _live(areas: Sequence[Area], slides: Slides) -> dict[int, int]:
    """Bytes by step, at all steps at which areas begin."""
    live = {s: sum(a.bytes for a in areas if a.first <= s <= a.last) for s in {a.first for a in areas}}
    for (x, y), ahead in slides.items():
        a, b = areas[x].bytes, areas[y].bytes
        live[areas[y].first] -= a + b - max(b, min(ahead, b) + a)
    return live


def _logical(program: Program, life: dict[Buffer, tuple[int, int]], root: dict[Buffer, Buffer]) -> int:
    """Peak of live logical bytes: a value counts once, however many layouts it has, and half if one is of nibbles."""
    most = 0
    for i in range(len(program.steps)):
        live: dict[Value, int] = {}
        here = {root[b]: b for b, (first, last) in life.items() if first <= i <= last}  # one of those in an area
        for b in here.values():
            n = b.type.bytes * b.layout.bits // 8
            live[b.value] = min(n, live.get(b.value, n))
        most = max(most, sum(live.values()))
    return most


def place(areas: Sequence[Area], slides: Slides | None = None) -> list[int]:
    """An offset for each area; areas that live at the same time do not overlap but as slides say. Deterministic."""
    slides = slides or {}
    bound = peak(areas, slides)
    index = range(len(areas))
    orders = [
        sorted(index, key=lambda i: (-areas[i].bytes, areas[i].first, i)),
        sorted(index, key=lambda i: (areas[i].first, -areas[i].bytes, i)),
        sorted(index, key=lambda i: (-(areas[i].last - areas[i].first + 1) * areas[i].bytes, i)),
        sorted(index, key=lambda i: (areas[i].first - areas[i].last, -areas[i].bytes, i)),
        sorted(index, key=lambda i: (areas[i].bytes, areas[i].first, i)),  # small outputs below what they slide under
    ]
    best, least = [0] * len(areas), None
    order: list[int] = []
    for candidate in orders:
        offsets, arena = _first_fit(areas, candidate, slides)
        if least is None or arena < least:
            best, least, order = offsets, arena, candidate
    rng = random.Random(0)
    for _ in range(TRIES):
        if least is None or least <= bound or len(areas) < 3:
            break
        a, b = rng.sample(range(len(order)), 2)
        candidate = order.copy()
        candidate.insert(b, candidate.pop(a))
        offsets, arena = _first_fit(areas, candidate, slides)
        if arena <= least:
            best, least, order = offsets, arena, candidate
    return best


def _first_fit(areas: Sequence[Area], order: Sequence[int], slides: Slides) -> tuple[list[int], int]:
    offsets = [0] * len(areas)
    placed: list[int] = []
    arena = 0
    for i in order:
        a = areas[i]
        shut = []  # between these two offsets it does not fit
        for j in placed:
            b = areas[j]
            if b.first > a.last or a.first > b.last:
                continue
            before = min(a.bytes, slides.get((j, i), a.bytes))
            behind = min(b.bytes, slides[i, j]) if (i, j) in slides else b.bytes
            shut.append((offsets[j] - before, offsets[j] + behind))
        shut.sort()
        at, moved = 0, True
        while moved:
            moved = False
            for lo, hi in shut:
                if lo < at < hi:
                    at, moved = hi, True
        offsets[i] = at
        arena = max(arena, at + a.bytes)
        placed.append(i)
    return offsets, arena
