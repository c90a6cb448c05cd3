"""The whole compile, read top to bottom; each stage can be the last."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import archive, budget, emit, interp, ir, passes, plan, report, select, shrink, targets
from .archive import Archive
from .budget import Limits
from .check import check, ranges
from .errors import GraphError, McugenError, OutputError
from .image import Image, from_pixels
from .interp import Inputs
from .ir import Array, DType, Graph, Out, Quant, Tensor, Value
from .ops.argmax import ArgMax, index_type
from .ops.base import tail_constants
from .ops.requantize import Requantize
from .plan import Plan
from .program import Program
from .select import Objective
from .targets import Target

OPTIMIZE = ("balanced", "speed", "size")
RESULTS = ("values", "u8", "i32", "argmax")
WEIGHTS = {  # of cycles, flash and RAM, each as a share of what the fastest program takes; `speed` weighs cycles alone
    "balanced": Objective(1.0, 1.5, 1.0, 1.0),  # flash is what boards lack first
    "size": Objective(0.1, 1.0, 0.5, 0.5),  # twice the time for a tenth of the flash or a fifth of the RAM
}
SHARES = (1.0, 0.3, 0.1, 0.0)  # of the weight of RAM
MAX_KAT_BYTES = 8192  # of known-answer vectors in the generated directory
MAX_KAT = 8


@dataclass(frozen=True, eq=False)
class Artifact:
    """A compiled model: what it was, what it became, and the files."""

    archive: Archive
    target: Target
    optimize: str
    program: Program
    plan: Plan
    report: dict[str, Any]
    max_flash: int | None = None
    max_ram: int | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.archive.graph.name

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The generated directory: file name -> content. Equal models give equal bytes."""
        x = vectors(self.archive, _kat_count(self.archive.graph))
        y = interp.run(self.archive.graph, *x)
        content = {k: v.encode() for k, v in emit.emit(self.program, self.plan, x, y).items()}
        model = archive.to_bytes(self.archive)
        document = {**self.report, "archive_sha256": hashlib.sha256(model).hexdigest()}
        content[f"{self.name}_report.json"] = (json.dumps(document, indent=2) + "\n").encode()
        content[f"{self.name}.mcugen"] = model
        return dict(sorted(content.items()))

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the files. The directory appears whole or not at all; OutputError E702."""
        write_directory(Path(directory), self.files)

    def run(self, x: Inputs) -> Array | tuple[Array, ...]:
        """The integer reference's outputs for quantised inputs (N, *shape): the only one, or a tuple of all.

        x: the only input, or all of them in order or by name. McugenError E704 if they do not fit.
        """
        outputs = interp.run(self.archive.graph, *interp.arguments(self.archive.graph, x))
        return outputs[0] if len(outputs) == 1 else outputs

    @property
    def fits(self) -> bool:
        """True if flash (estimated) and RAM (arena, input and output) are within the target's."""
        t = self.report["totals"]
        return bool(t["flash_bytes_estimated"] <= self.target.flash and t["ram_bytes"] <= self.target.ram)


def compile(
    model: Any,
    sample: Any = None,
    *,
    target: str | Target = "cortex-m4",
    optimize: str = "balanced",
    name: str | None = None,
    result: str = "values",
    image: Image | None = None,
    max_flash: int | None = None,
    max_ram: int | None = None,
) -> Artifact:
    """Compile a model: a path to an archive, an Archive, or a trained torch module with a sample batch.

    result: what the firmware gives out: the values as they are, as bytes (`narrowed`), in 32 bits (`widened`), or the
    index of the largest, the class (`classified`).
    image: the input becomes raw pixels, H, W, C bytes, which training normalised so.
    max_flash, max_ram: bytes to keep, as flash_bytes_estimated and ram_bytes count them, if any choice does; the
    target's own memories are limits too.

    McugenError of the stage that cannot go on.
    """
    source = load(model, sample, name)
    machine = target if isinstance(target, Target) else targets.get(target)
    if optimize not in OPTIMIZE:
        raise McugenError("E703", f"unknown goal {optimize!r}", where="optimize", hint=f"one of: {', '.join(OPTIMIZE)}")

    if result not in RESULTS:
        raise McugenError("E703", f"unknown result {result!r}", where="result", hint=f"one of: {', '.join(RESULTS)}")
    if image is not None:
        source = from_pixels(source, image)
    if result != "values":
        change = {"u8": narrowed, "i32": widened, "argmax": classified}[result]
        source = replace(source, graph=change(source.graph))
    emit.check_interface(source.graph)
    graph = passes.run(source.graph)
    program, memory = choose(graph, machine, optimize, max_flash, max_ram)
    document = report.build(source.graph, program, memory, machine, optimize)
    if limits := {k: v for k, v in (("flash", max_flash), ("ram", max_ram)) if v is not None}:
        document["limits"] = limits
    return Artifact(source, machine, optimize, program, memory, document, max_flash, max_ram)


def load(model: Any, sample: Any = None, name: str | None = None) -> Archive:
    """The model as an archive: read, or lowered from torch. A string `module:function` is called for a torch pair."""
    if isinstance(model, Archive):
        found = model
    elif isinstance(model, str | os.PathLike):
        path = str(model)
        if ":" in path and not os.path.exists(path):
            return load(*_call(path), name)
        found = archive.load(model)
    else:
        try:
            from .frontends import torch as frontend  # only here: compiling an archive needs no torch
        except ImportError as e:
            hint = "pip install 'mcugen[train]', or give an archive"
            raise OutputError("E701", f"cannot load a torch module: {e}", where=str(type(model)), hint=hint) from None
        return frontend.to_archive(model, sample, name=name or "model")
    if name is not None:
        found = replace(found, graph=replace(found.graph, name=name))
    return found


def _call(path: str) -> tuple[Any, Any]:
    module, function = path.split(":", 1)
    if (here := os.getcwd()) not in sys.path:  # an installed `mcugen` looks beside itself only
        sys.path.insert(0, here)
    try:
        trained, sample = getattr(importlib.import_module(module), function)()
        return trained, sample
    except McugenError:
        raise
    except (Exception, SystemExit) as e:  # someone else's code
        hint = "module:function must return (prepared torch module, sample batch)"
        raise OutputError("E701", f"cannot load: {type(e).__name__}: {e}", where=path, hint=hint) from None


def classified(graph: Graph) -> Graph:
    """The graph that gives the index of the largest value in place of each output; of equal ones the lowest."""
    nodes, outputs = list(graph.nodes), []
    for y in graph.outputs:
        try:
            op = ArgMax(index_type(y.type))
            outputs.append(Value(f"{y.name}.argmax", op.infer(y.type)))
        except GraphError as e:
            raise McugenError("E703", f"has no index of the largest value: {e.message}", where=y.name) from None
        nodes.append(ir.Node(op, (y,), outputs[-1]))
    return check(Graph(graph.name, graph.inputs, tuple(nodes), tuple(outputs)))


def narrowed(graph: Graph) -> Graph:
    """The graph whose 16-bit outputs are bytes: divided by 128, half rounded up. Outputs that are bytes stay.

    Zero is 128, or 0 where no output can be negative.
    """
    proven = ranges(graph)
    nodes, outputs = list(graph.nodes), []
    for y in graph.outputs:
        if y.type.dtype.unsigned:
            outputs.append(y)
            continue
        scale = _scale(y, "bytes")
        zero = 0 if min(r.span[0] for n, (_, r) in proven.items() if n.output is y) >= 0 else 128
        op = Requantize(Out(DType.U8, Quant(scale * 128, zero), 0, 255))
        rule = (("mult", DType.I16, 1), ("add", DType.I32, (zero << 7) + 64), ("shift", DType.U8, 7))
        consts = [Value(f"{y.name}.u8.{n}", Tensor(d, (1,)), np.array([v], d.numpy)) for n, d, v in rule]
        outputs.append(Value(f"{y.name}.u8", op.infer(y.type, *(v.type for v in consts))))
        nodes.append(ir.Node(op, (y, *consts), outputs[-1]))
    return check(Graph(graph.name, graph.inputs, tuple(nodes), tuple(outputs)))


def widened(graph: Graph) -> Graph:
    """The graph whose 16-bit outputs are 32 bits wide: the last layer's sums, scaled, before they are rounded to 16.

    The shift of the requantisation loses up to 16 bits, the same in every channel, and the scale gets smaller by them.
    """
    nodes, outputs = list(graph.nodes), []
    for y in graph.outputs:
        scale = _scale(y, "32 bits")
        at = next((i for i, n in enumerate(nodes) if n.output is y), None)
        node = nodes[at] if at is not None else None
        if node is None or tail_constants(node) is None or len(node.inputs) < 4 or graph.uses(y):
            hint = "the last operation must be a convolution or fully connected layer"
            raise McugenError("E703", "is no sum that could have 32 bits", where=y.name, hint=hint)
        *args, mult, add, shift = node.inputs
        m, a, s = (v.const.astype(np.int64) for v in (mult, add, shift))
        moving = m != 0  # the others are constants, whatever their shift is
        bits = min(16, int(s[moving].min(initial=16)))
        exact = (a - (1 << s >> 1)) + (1 << np.maximum(s - bits, 0) >> 1)  # the rounding half moves down too
        new = (m, np.where(moving, exact, a >> s << bits), np.where(moving, s - bits, 0))
        if (new[1] != new[1].astype(np.int32)).any():
            raise McugenError("E703", "has no 32-bit form: an addend leaves 32 bits", where=y.name)
        to = node.op.to  # type: ignore[attr-defined]
        ends = [v if v in (DType.I16.lo, DType.I16.hi) else v << bits for v in (to.lo, to.hi)]
        limits = [{DType.I16.lo: DType.I32.lo, DType.I16.hi: DType.I32.hi}.get(v, v) for v in ends]
        op = replace(node.op, to=Out(DType.I32, Quant(scale / 2**bits), *limits))  # type: ignore[type-var]
        consts = [
            Value(f"{y.name}.i32.{n}", v.type, d.astype(v.const.dtype))
            for n, v, d in zip(("mult", "add", "shift"), (mult, add, shift), new, strict=True)
        ]
        inputs = (*args, *consts)
        outputs.append(Value(y.name, op.infer(*(v.type for v in inputs))))
        nodes[nodes.index(node)] = ir.Node(op, inputs, outputs[-1])
    try:
        return check(Graph(graph.name, graph.inputs, tuple(nodes), tuple(outputs)))
    except GraphError as e:
        raise McugenError("E703", f"has no 32-bit form: {e.message}", where=e.where) from None


def _scale(y: Value, what: str) -> float:
    """The scale of a 16-bit output."""
    quant = y.type.quant
    if y.type.dtype is not DType.I16 or quant is None or not isinstance(quant.scale, float) or quant.zero_point:
        raise McugenError("E703", f"{y.type} has no form of {what}", where=y.name, hint="use --result values")
    return quant.scale


def goal(graph: Graph, target: Target, optimize: str, ways: select.Ways | None = None) -> Objective:
    """What a goal weighs (WEIGHTS), in cycles and bytes of this network.

    Selection adds up the RAM of layouts over all layers, but only the peak counts: it is asked with several shares of
    the RAM's weight, and for cycles alone, and what stays is whose program, flash and arena cost least. ways: of
    select, if known.
    """
    if optimize == "speed":
        return Objective()
    known = select.options(graph, target.core) if ways is None else ways
    fast = select.select(graph, target.core, ways=known)
    flash, ram = max(1, report.flash(fast)), max(1, plan.plan(fast).bound)
    w = WEIGHTS[optimize]
    weights = Objective(w.cycles / max(1.0, fast.cycles), w.flash / flash, w.ram / ram, w.arena / ram)

    def cost(objective: Objective) -> float:
        program = shrink.shrunk(select.select(graph, target.core, objective, ways=known), objective)
        return shrink.cost(program, weights)

    asked = [replace(weights, ram=weights.ram * share) for share in SHARES]
    return min([*asked, replace(weights, flash=0.0, ram=0.0)], key=cost)


def limits(graph: Graph, target: Target, max_flash: int | None = None, max_ram: int | None = None) -> Limits:
    """The limits of selection: the target's memories and those given, the RAM without input and output."""
    flash, ram = (min(v for v in pair if v is not None) for pair in ((target.flash, max_flash), (target.ram, max_ram)))
    return Limits(flash, ram - report.ports(graph))


def choose(
    graph: Graph, target: Target, optimize: str, max_flash: int | None = None, max_ram: int | None = None
) -> tuple[Program, Plan]:
    """The program and its memory plan: the goal's optimum within the limits; if there is none, about the smallest."""
    ways = select.options(graph, target.core)
    objective, allowed = goal(graph, target, optimize, ways), limits(graph, target, max_flash, max_ram)
    cheapest = _without_odd_code(select.select(graph, target.core, objective, ways=ways), target, objective, ways)
    program = shrink.shrunk(cheapest, objective)
    memory = plan.plan(program)
    if budget.kept(program, memory, allowed):
        return program, memory
    if found := budget.within(budget.Problem(graph, target.core, objective, ways=ways), allowed):
        return found.program, found.plan
    smallest = Objective(0.0, 0.0, 1.0, 1.0)
    least = shrink.shrunk(select.select(graph, target.core, smallest, ways=ways), smallest)
    least_plan = plan.plan(least)
    if allowed.arena is not None and least_plan.arena <= allowed.arena:  # it is the flash that is too small
        small = budget.Problem(graph, target.core, Objective(0.0, 1.0, 0.0), ways=ways)
        found = budget.within(small, Limits(arena=allowed.arena))
    return (found.program, found.plan) if found else (least, least_plan)


def _without_odd_code(program: Program, target: Target, objective: Objective, ways: select.Ways) -> Program:
    """The program, or one without some encoding of weights whose code takes more than its tables save.

    Selection counts code as if all layers of an operator shared it, and cannot see that one of them has its own.
    """
    if not objective.flash:
        return program

    least = shrink.cost(program, objective)
    while True:
        used = {(step.kernel.stem, step.kernel.name) for step in program.steps}
        several = sorted(name for stem, name in used if sum(stem == other for other, _ in used) > 1)
        for name in several:
            fewer = {n: tuple(o for o in some if o.kernel.name != name) or some for n, some in ways.items()}
            other = select.select(program.graph, target.core, objective, ways=fewer)
            if (cost := shrink.cost(other, objective)) < least:
                program, ways, least = other, fewer, cost
                break
        else:
            return program


def vectors(source: Archive, count: int) -> tuple[Array, ...]:
    """Test inputs, each (count, *shape): the archive's samples first, then extremes, then seeded random ones."""
    rng = np.random.default_rng(0)
    found = []
    for v, samples in zip(source.graph.inputs, source.samples, strict=True):
        t = v.type
        made = [samples[:count]]
        extremes = np.stack([np.full(t.shape, v, t.dtype.numpy) for v in (t.dtype.lo, t.dtype.hi, t.zero_point)])
        made.append(extremes[: max(0, count - len(made[0]))])
        rest = max(0, count - sum(map(len, made)))
        made.append(rng.integers(t.dtype.lo, t.dtype.hi + 1, (rest, *t.shape)).astype(t.dtype.numpy))
        found.append(np.concatenate(made))
    return tuple(found)


def _kat_count(graph: Graph) -> int:
    return max(1, min(MAX_KAT, MAX_KAT_BYTES // report.ports(graph)))


def stage(artifact: Artifact, last: str, full: bool = False) -> str:
    """The text of a stage: ir (after the passes), plan (steps and memory map) or c (the model's C)."""
    if last == "ir":
        return ir.text(artifact.program.graph, None if full else 64)
    if last == "plan":
        return plan_text(artifact)
    return artifact.files[f"{artifact.name}.c"].decode()


def plan_text(artifact: Artifact) -> str:
    """Steps with their kernels, then the memory map."""
    steps = [("step", "name", "kernel", "reads", "writes", "at", "bytes", "scratch")]
    memory = artifact.plan
    for i, s in enumerate(artifact.program.steps):
        reads = ", ".join(f"{b.name} {b.layout}" for b in s.inputs)
        at = str(memory.offsets[s.output]) if s.output.place == "arena" else s.output.place
        scratch = f"{s.bound.scratch} at {memory.scratch[i]}" if s.bound.scratch else ""
        steps.append(
            (
                str(i),
                s.name,
                s.kernel.name,
                reads,
                f"{s.output.name} {s.output.layout}",
                at,
                str(s.output.bytes),
                scratch,
            )
        )
    areas = [("buffer", "from", "to", "steps")]
    for b, (first, last) in sorted(memory.lifetimes.items(), key=lambda item: (memory.offsets[item[0]], item[1])):
        start = memory.offsets[b]
        areas.append((f"{b.name} {b.layout}", str(start), str(start + b.bytes), f"{first}..{last}"))
    tail = f"arena {memory.arena} bytes, bound {memory.bound}, bare tensors {memory.logical_bound}\n"
    return f"{report.table(steps, 5)}\n\n{report.table(areas, 1)}\n\n{tail}"


def write_directory(directory: Path, files: dict[str, bytes]) -> None:
    """Make `directory` hold exactly `files`: written beside it, then renamed. An earlier output is replaced.

    OutputError E702 if it cannot be written, or if something is there that mcugen did not make.
    """
    given, directory = str(directory), directory.absolute()
    try:
        if directory.exists() and not _ours(directory):
            hint = "choose a new directory, or remove this one"
            raise OutputError("E702", "exists and was not made by mcugen", where=given, hint=hint)
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _beside(directory) as new:
            for name, content in files.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).write_bytes(content)
            new.chmod(0o755)
            if directory.exists():
                _swap(new, directory)
            else:
                new.replace(directory)
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=given) from None


def write_zip(path: Path, top: str, files: dict[str, bytes]) -> None:
    """Write a zip with the files in one directory `top`, as the Arduino IDE imports it. OutputError E702."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{top}/{name}", (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            z.writestr(entry, content)
    try:
        with _beside(path.absolute()) as new:
            (new / "zip").write_bytes(buffer.getvalue())
            (new / "zip").replace(path)
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=str(path)) from None


def _swap(new: Path, directory: Path) -> None:
    """Put `new` in the place of `directory`, which is removed, or left where it is if that fails."""
    with _beside(directory) as old:
        directory.replace(old / directory.name)
        try:
            new.replace(directory)
        except OSError:
            (old / directory.name).replace(directory)
            raise


def _ours(directory: Path) -> bool:
    """True for an empty directory, and for one that holds a model's header, sources, report and no foreign directory.

    A directory in it is foreign unless mcugen writes one of that name and all that it holds; links always are.
    """
    if not directory.is_dir():
        return False
    entries = list(directory.iterdir())
    names = {p.name for p in entries}
    models = {n.removesuffix("_report.json") for n in names if n.endswith("_report.json")}
    made = any({f"{m}.h", f"{m}.c", f"{m}_weights.c"} <= names for m in models)
    inside = (p for d in entries if d.is_dir() for p in ([d] if d.is_symlink() else [*d.iterdir()] or [d]))
    known = all(p.relative_to(directory).as_posix() in emit.LIBRARY_FILES and not p.is_symlink() for p in inside)
    return not names or (made and known)


@contextlib.contextmanager
def _beside(directory: Path) -> Iterator[Path]:
    """A temporary directory on the same file system, gone afterwards unless renamed."""
    temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
