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

from . import archive, budget, emit, interp, ir, passes, plan, report, results, select, shrink, targets
from .archive import Archive
from .budget import Limits
from .errors import McugenError, OutputError
from .image import Image, from_pixels
from .interp import Inputs
from .ir import Array, Graph
from .plan import Plan
from .program import Program
from .select import Objective
from .targets import Target

OPTIMIZE = ("balanced", "speed", "size")
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

    result: what the firmware gives out: the values as they are or in one of the other forms of results.py.
    image: the input becomes raw pixels, H, W, C bytes, which training normalised so.
    max_flash, max_ram: bytes to keep, as flash_bytes_estimated and ram_bytes count them, if any choice does; the
    target's own memories are limits too.

    McugenError of the stage that cannot go on.
    """
    source = load(model, sample, name)
    machine = target if isinstance(target, Target) else targets.get(target)
    if optimize not in OPTIMIZE:
        raise McugenError("E703", f"unknown goal {optimize!r}", where="optimize", hint=f"one of: {', '.join(OPTIMIZE)}")

    if result not in results.RESULTS:
        hint = f"one of: {', '.join(results.RESULTS)}"
        raise McugenError("E703", f"unknown result {result!r}", where="result", hint=hint)
    if image is not None:
        source = from_pixels(source, image)
    if change := results.RESULTS[result]:
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
