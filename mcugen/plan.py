"""Gives every buffer and scratch area an offset in the arena.

Buffers are intervals in time with a size. Kernels that may work in place let an output take over an input's memory, and
a relayout that only leaves halos and pad columns out makes an image smaller where it lies: what is behind it is free
from the next step on. Offsets: first fit in several orders, then a seeded search over orders, until the lower bound is
met.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from . import layout
from .program import Buffer, Program

ALIGN = 4
TRIES = 300  # orders tried beyond the fixed ones when the bound is not met


Piece = tuple[int, int, int]  # first step, last step, bytes


@dataclass(frozen=True)
class Area:
    """A stretch of memory, live from step `first` to step `last`, both included.

    bytes: at most; shrinks: (step, bytes) for every step from which on it has no more than these.
    """

    name: str
    bytes: int
    first: int
    last: int
    shrinks: tuple[tuple[int, int], ...] = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Times of one size each."""
        starts = ((self.first, self.bytes), *self.shrinks)
        ends = (*(step - 1 for step, _ in self.shrinks), self.last)
        return tuple((first, last, size) for (first, size), last in zip(starts, ends, strict=True))


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
    life: dict[Buffer, tuple[int, int]] = {}
    for i, step in enumerate(program.steps):
        for b in (*step.inputs, step.output):
            if b.place == "arena":
                life[b] = (min(i, life.get(b, (i, i))[0]), i)
    root = _in_place(program, life)

    groups: dict[Buffer, list[Buffer]] = {}
    for b in life:
        groups.setdefault(root[b], []).append(b)
    areas, members = [], []
    for r, group in groups.items():
        first, last = min(life[b][0] for b in group), max(life[b][1] for b in group)
        sizes = [max(_align(b.bytes) for b in group if life[b][0] <= i <= life[b][1]) for i in range(first, last + 1)]
        shrinks = tuple((first + i, n) for i, n in enumerate(sizes) if i and n < sizes[i - 1])
        areas.append(Area(r.name, sizes[0], first, last, shrinks))
        members.append(group)
    buffers = len(areas)
    scratch_steps = [i for i, s in enumerate(program.steps) if s.bound.scratch]
    areas += [Area(f"scratch{i}", _align(program.steps[i].bound.scratch), i, i) for i in scratch_steps]

    offsets = place(areas)
    return Plan(
        {b: offsets[k] for k in range(buffers) for b in members[k]},
        dict(zip(scratch_steps, offsets[buffers:], strict=True)),
        life,
        max((o + a.bytes for o, a in zip(offsets, areas, strict=True)), default=0),
        peak(areas),
        _logical(program, life, root),
    )


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
            same = x.layout == out.layout and x.bytes == out.bytes
            if step.node is None:  # a relayout: every word moves down or stays, in order (relayout.h)
                same = layout.within(out.layout, x.layout)
            if x.place == "arena" and life[x][1] == i and same and alone:
                root[out] = root[x]
                break
    return root


def peak(areas: Sequence[Area]) -> int:
    """The most bytes that are live at one step."""
    pieces = [p for a in areas for p in a.pieces]
    steps = {first for first, _, _ in pieces}
    return max((sum(n for first, last, n in pieces if first <= s <= last) for s in steps), default=0)


def _logical(program: Program, life: dict[Buffer, tuple[int, int]], root: dict[Buffer, Buffer]) -> int:
    """Peak of live logical bytes: a value counts once, however many layouts it has."""
    most = 0
    for i in range(len(program.steps)):
        live = {root[b].value for b, (first, last) in life.items() if first <= i <= last}
        most = max(most, sum(v.type.bytes for v in live))
    return most


def place(areas: Sequence[Area]) -> list[int]:
    """An offset for each area; areas that live at the same time do not overlap. Deterministic."""
    bound = peak(areas)
    index = range(len(areas))
    orders = [
        sorted(index, key=lambda i: (-areas[i].bytes, areas[i].first, i)),
        sorted(index, key=lambda i: (areas[i].first, -areas[i].bytes, i)),
        sorted(index, key=lambda i: (-(areas[i].last - areas[i].first + 1) * areas[i].bytes, i)),
        sorted(index, key=lambda i: (areas[i].first - areas[i].last, -areas[i].bytes, i)),
    ]
    best, least = [0] * len(areas), None
    order: list[int] = []
    for candidate in orders:
        offsets, arena = _first_fit(areas, candidate)
        if least is None or arena < least:
            best, least, order = offsets, arena, candidate
    rng = random.Random(0)
    for _ in range(TRIES):
        if least is None or least <= bound or len(areas) < 3:
            break
        a, b = rng.sample(range(len(order)), 2)
        candidate = order.copy()
        candidate.insert(b, candidate.pop(a))
        offsets, arena = _first_fit(areas, candidate)
        if arena <= least:
            best, least, order = offsets, arena, candidate
    return best


def _first_fit(areas: Sequence[Area], order: Sequence[int]) -> tuple[list[int], int]:
    offsets = [0] * len(areas)
    placed: list[int] = []
    arena = 0
    for i in order:
        taken = sorted(
            (offsets[j], offsets[j] + n, need)
            for j in placed
            if areas[j].first <= areas[i].last and areas[i].first <= areas[j].last
            for first, last, n in areas[j].pieces
            for begin, end, need in areas[i].pieces
            if first <= end and begin <= last
        )
        at, moved = 0, True
        while moved:
            moved = False
            for start, end, need in taken:
                if at < end and start < at + need:
                    at, moved = end, True
        offsets[i] = at
        arena = max(arena, at + areas[i].bytes)
        placed.append(i)
    return offsets, arena
