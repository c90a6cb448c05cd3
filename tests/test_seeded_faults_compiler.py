"""The compiler's tests find faults: each one here is put into a copy of the compiler and must be reported."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import graphs
import harness
import numpy as np
import pytest
from test_plan import sound
from test_random_graphs import call_list, call_lists, usable

from mcugen import driver, emit, interp, layout, pack, passes, plan, select, targets
from mcugen.archive import Archive
from mcugen.ir import Array
from mcugen.kernels import KERNELS
from mcugen.kernels.base import Field
from mcugen.sim import host

CORE = targets.get("cortex-m4").core
Factory = pytest.TempPathFactory


def broken(module: ModuleType, old: str, new: str) -> ModuleType:
    """The module with one piece of its source changed, beside the real one."""
    path = Path(str(module.__file__))
    source = path.read_text()
    assert source.count(old) == 1, f"{old!r} is not, or more than once, in {path.name}"
    copy = ModuleType(f"{module.__name__}_broken")
    copy.__dict__.update(__package__=module.__package__, __file__=module.__file__)
    sys.modules[copy.__name__] = copy  # dataclasses look their module up
    try:
        exec(compile(source.replace(old, new), path.name, "exec"), copy.__dict__)
    finally:
        del sys.modules[copy.__name__]
    return copy


# ---- plan ----

PLANS = {
    "lifetime ends a step early": (
        "life[b] = (min(i, life.get(b, (i, i))[0]), i)",
        "life[b] = (min(i, life.get(b, (i, i))[0]), max(i - 1, life.get(b, (i, i))[0]))",
    ),
    "lifetime begins a step late": (
        "max(life[b][1] for b in group)\n",
        "max(life[b][1] for b in group)\n        first = min(first + 1, last)\n",
    ),
    "scratch is forgotten": ("_align(program.steps[i].bound.scratch), i, i)", "0, i, i)"),
    "in place although read later": ("life[x][1] == i and x.layout", "x.layout"),
    "touching lifetimes do not count": (
        "if b.first > a.last or a.first > b.last:",
        "if b.first >= a.last or a.first >= b.last:",
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_faults_of_the_plan(name: str, tmp_path_factory: Factory) -> None:
    wrong = broken(plan, *PLANS[name])
    overlaps, programs = 0, []
    for seed, graph in usable(0):
        if len(programs) == 60:
            break
        program = select.select(passes.run(graph), CORE)
        memory = wrong.plan(program)
        try:
            sound(program, memory)
        except AssertionError:
            overlaps += 1
        programs.append(call_list(f"graph {seed}", graph, program, memory, graphs.random_inputs(graph, seed, 3)))
    assert overlaps >= 3
    # In processes of their own, some programs in each: what lies in scratch may be addresses, and a fault the end.
    ran = harness.on("sanitised", tmp_path_factory)
    assert sum(bool(ran.run(programs[i : i + 5]).failures) for i in range(0, len(programs), 5)) >= 3


# ---- pack ----


def big_endian_planes(w: Array) -> Array:
    """The highest bit first."""
    data = pack.pack_planes(w)
    return np.packbits(np.unpackbits(data, bitorder="big"), bitorder="little")


def swapped_planes(w: Array) -> Array:
    """Minus before plus."""
    return np.asarray(pack.pack_planes(w).reshape(-1, 2)[:, ::-1].ravel())


def reversed_base3(w: Array) -> Array:
    """The last digit first."""
    padded = np.concatenate([w.ravel(), np.zeros(-w.size % 5, w.dtype)])
    return pack.pack_base3(padded.reshape(-1, 5)[:, ::-1])


def unrounded_base3(w: Array) -> Array:
    """The byte rounded down."""
    return (pack.pack_base3(w).astype(np.int64) - 1).clip(0).astype(np.uint8)


def reversed_i8(w: Array) -> Array:
    """Pairs swapped."""
    padded = np.concatenate([w.ravel(), np.zeros(w.size % 2, w.dtype)])
    return pack.pack_i8(padded.reshape(-1, 2)[:, ::-1])[: w.size]


PACKS: dict[str, tuple[pack.Encoding, Callable[[Array], Array]]] = {
    "bits of a plane": (pack.PLANES, big_endian_planes),
    "planes": (pack.PLANES, swapped_planes),
    "digits": (pack.BASE3, reversed_base3),
    "rounding": (pack.BASE3, unrounded_base3),
    "bytes": (pack.I8, reversed_i8),
}


@pytest.mark.parametrize("name", PACKS)
def test_packing_orders(name: str, tmp_path_factory: Factory) -> None:
    right, faulty = PACKS[name]
    wrong = replace(right, pack=faulty)
    encodings = {"i8": pack.I8, ("base3" if right is pack.I8 else right.name): pack.BASE3} | {right.name: wrong}
    kernels = tuple(
        replace(k, encoding=encodings[k.encoding.name]) if hasattr(k, "encoding") else k
        for k in KERNELS
        if not hasattr(k, "encoding") or k.encoding.name in encodings
    )
    report = harness.on("host", tmp_path_factory).run(call_lists(0, 60, "cortex-m4", 2, kernels))
    assert len(report.failures) >= 3, report


# ---- emit ----


def shifted(f: Field) -> Field:
    return replace(f, value=f.value + 1) if f.name == "shift" and isinstance(f.value, np.ndarray) else f


def one_more(f: Field) -> Field:
    """Each result one higher."""
    if f.name != "tail" or not isinstance(f.value, tuple):
        return f
    shift = next((sub.value for sub in f.value if sub.name == "shift"), None)
    if not isinstance(shift, np.ndarray):
        return f  # a tail round a tail
    step = np.int64(1) << shift.astype(np.int64)
    return replace(f, value=tuple(replace(s, value=s.value + step) if s.name == "add" else s for s in f.value))


def next_channel(f: Field) -> Field:
    return replace(f, value=np.roll(f.value, 1)) if f.name == "mult" and isinstance(f.value, np.ndarray) else f


def wider(f: Field) -> Field:
    return replace(f, value=f.value + 1) if f.name == "hi" and isinstance(f.value, int) and f.value == 200 else f


@pytest.mark.parametrize("fault", [shifted, one_more, next_channel, wider])
def test_emitted_constants(fault: Callable[[Field], Field], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    b = graphs.Builder(np.random.default_rng(4), (2, 8, 6))
    b.zeros = 0.0
    out = graphs.Out(graphs.DType.U8, graphs.Quant(0.05), 0, 200)
    v = b.x
    for channels in (4, 3):
        v = b.sum(graphs.Conv2d((1, 1), (1, 1, 1, 1)), v, b.weights((channels, v.type.shape[0], 3, 3)), out)
    v = b.sum(graphs.Linear(), v, b.weights((3, v.type.size)), graphs.Out.full(graphs.DType.I16))
    graph = b.graph(v)
    archive = Archive(graph, (graphs.random_input(graph, 1, 3),))
    inputs = graphs.random_inputs(graph, 2, 50)
    x = layout.vectors([v.type for v in graph.inputs], inputs)
    want = layout.vectors([v.type for v in graph.outputs], interp.run(graph, *inputs))
    driver.compile(archive).save(tmp_path / "right")
    assert host.run_kat(tmp_path / "right", "net", x, want).passed

    real = emit._initialiser
    monkeypatch.setattr(emit, "_initialiser", lambda f, *rest: real(fault(f), *rest))
    driver.compile(archive).save(tmp_path / "wrong")
    written = [p for p in (tmp_path / "right").iterdir() if p.is_file()]
    changed = {p.name for p in written if p.read_bytes() != (tmp_path / "wrong" / p.name).read_bytes()}
    assert changed and changed <= {"net.c", "net_weights.c"}
    for given in ((), (x, want)):
        result = host.run_kat(tmp_path / "wrong", "net", *given, flags=host.OPTIMIZE)
        assert not result.passed
        first = result.failures[0]
        assert first.vector is not None and first.index is not None and first.got != first.want


# ---- passes ----


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("dead_channels", "constant &= value == reader.op.pad_value", "constant &= value == value"),
        ("dead_channels", "keep[channels] = False", "keep[channels - 1] = False"),
        ("dead_channels", "elif all(_mixes(u) and u.inputs[0] is last for u in uses):", "elif _mixes(uses[0]):"),
        ("fuse", "before is None or len(graph.uses(source)) != 1 or", "before is None or"),
        ("fuse", "hi=max(min(to.hi, new.op.to.hi), lo)", "hi=new.op.to.hi"),
    ],
)
def test_faults_of_passes(name: str, old: str, new: str) -> None:
    wrong = getattr(broken(importlib.import_module(f"mcugen.passes.{name}"), old, new), name)
    assert find_difference(wrong)


def find_difference(step: Callable[[graphs.Graph], graphs.Graph]) -> bool:
    """True if on some random graph the pass fails, or changes an answer."""
    for seed in range(400):
        graph = graphs.random_graph(seed, unfused=0.6 * (seed % 2))
        try:
            after = graphs.check(step(graph))
        except Exception:
            return True
        x = graphs.random_input(graph, seed, 4)
        if any(not np.array_equal(a, b) for a, b in zip(interp.run(graph, x), interp.run(after, x), strict=True)):
            return True
    return False
