"""Gives every buffer and scratch area an offset in the arena.

Buffers are intervals in time with a size. Kernels that may work in place let an output take over an input's memory.
Offsets: first fit in several orders, then a seeded search over orders, until the lower bound is met.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .program import Buffer, Program

ALIGN = 4
TRIES = 300  # orders tried beyond the fixed ones when the bound is not met


@dataclass(frozen=True)
class Area:
    """A stretch of memory, live from step `first` to step `last`, both included."""

    name: str
    bytes: int
    first: int
    last: int


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
        areas.append(Area(r.name, _align(max(b.bytes for b in group)), first, last))
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
            if x.place == "arena" and life[x][1] == i and x.layout == out.layout and x.bytes == out.bytes and alone:
                root[out] = root[x]
                break
    return root


def peak(areas: Sequence[Area]) -> int:
    """The most bytes that are live at one step."""
    steps = {a.first for a in areas}
    return max((sum(a.bytes for a in areas if a.first <= s <= a.last) for s in steps), default=0)


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
        a = areas[i]
        taken = sorted(
            (offsets[j], offsets[j] + areas[j].bytes)
            for j in placed
            if areas[j].first <= a.last and a.first <= areas[j].last
        )
        at = 0
        for start, end in taken:
            if at + a.bytes <= start:
                break
            at = max(at, end)
        offsets[i] = at
        arena = max(arena, at + a.bytes)
        placed.append(i)
    return offsets, arena
