"""Compares a generated directory with the integer reference, byte for byte, on this machine and on emulated cores.

The reference is the archive's graph as it was saved, before any pass: passes, selection, plan, emission, kernels and
compiler all stand on the other side of the comparison.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import archive, driver, interp, layout, report
from .driver import Artifact
from .errors import McugenError, MismatchError, OutputError, TargetError
from .interp import Inputs
from .ir import Array, Graph, Value
from .program import Step
from .sim import armv6m, host, qemu
from .sim.qemu import OVERHEAD as MACHINE_OVERHEAD
from .targets import Target

PLACES = ("host", "sanitize", "qemu", "unicorn")
TRACED = 3  # failing vectors that are looked at layer by layer, and messages that are shown
RUN_S = 60.0  # seconds that a run may take, plus one for each vector
FLASH_OVERHEAD = 32768  # bytes of flash that it takes at most: embedded vectors, start-up, port
ARMV6M = ("cortex-m0", "cortex-m0plus")  # the cores whose code the Unicorn model runs


@dataclass(frozen=True)
class Difference:
    """The first byte of a layer's output that differs."""

    vector: int
    layer: str
    index: str  # of the element, or of a byte around the image
    got: int
    want: int
    count: int  # differing bytes of this layer

    def __str__(self) -> str:
        more = f" ({self.count} bytes differ)" if self.count > 1 else ""
        return f"vector {self.vector}: layer {self.layer}, index {self.index}: got {self.got}, want {self.want}{more}"


@dataclass(frozen=True)
class Verdict:
    """What one machine answered."""

    place: str  # host, sanitize, unicorn, or the name of the emulated machine
    vectors: int
    failed: int  # vectors with a wrong byte or a write out of bounds, or without an answer
    stack_bytes: int  # high-water mark of the whole test firmware; 0 where it is not measured
    differences: tuple[Difference, ...]  # layer by layer, in order of execution
    messages: tuple[str, ...]  # writes out of bounds, faults

    @property
    def passed(self) -> bool:
        """True if every byte of every vector was right."""
        return self.failed == 0 and not self.messages


def text(v: Verdict) -> str:
    """A verdict as people read it: one line, and one more for each difference."""
    stack = f", stack {v.stack_bytes:,} B" if v.stack_bytes else ""
    word = "PASS" if v.passed else "FAIL"
    head = f"{v.place:<12} {word}  {v.vectors - v.failed:,} of {v.vectors:,} vectors equal in every byte{stack}"
    return "\n  ".join((head, *map(str, v.differences), *v.messages))


def open_directory(directory: Path) -> tuple[Artifact, tuple[str, ...]]:
    """The artifact that a generated directory holds, compiled anew, and the files that differ from that.

    OutputError E701, MismatchError E602 if report and archive do not belong together.
    """
    reports = sorted(directory.glob("*_report.json")) if directory.is_dir() else []
    if len(reports) != 1:
        hint = "give a directory that `mcugen generate` wrote"
        raise OutputError("E701", "no generated model here", where=str(directory), hint=hint)
    try:
        document: dict[str, Any] = json.loads(reports[0].read_text())
        name, target, optimize = (str(document[k]) for k in ("model", "target", "optimize"))
        checksum, limits = document["archive_sha256"], document.get("limits", {})
        within = {f"max_{k}": int(limits[k]) for k in ("flash", "ram") if k in limits}
        model = directory / f"{Path(name).name}.mcugen"
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise OutputError("E701", f"cannot read: {type(e).__name__}: {e}", where=reports[0].name) from None
    if digest != checksum:
        raise MismatchError("E602", "the archive is not the one that the report names", where=model.name)
    artifact = driver.compile(archive.load(model), target=target, optimize=optimize, **within)  # type: ignore[arg-type]
    try:
        inside = [*directory.iterdir(), *(directory / "zephyr").glob("*")]
        found = {p.relative_to(directory).as_posix(): p.read_bytes() if p.is_file() else b"" for p in inside}
        found.pop("zephyr", None)
    except OSError as e:
        raise OutputError("E701", f"cannot read: {e.strerror}", where=str(e.filename)) from None
    names = sorted(found.keys() | artifact.files)
    return artifact, tuple(n for n in names if found.get(n) != artifact.files.get(n))


def validate(directory: Path, artifact: Artifact, place: str, x: Inputs) -> Verdict:
    """Run inputs x, as Artifact.run takes them, at `place`, in a process of its own; compare with the reference.

    Layers are looked at where `artifact` has them in memory, whatever the directory's C says.
    """
    graph = artifact.archive.graph
    inputs = interp.arguments(graph, x)
    count = len(inputs[0])
    flat = layout.vectors([v.type for v in graph.inputs], inputs)
    want = _outputs(graph, interp.run(graph, *inputs))
    steps = artifact.program.steps

    def run(inputs: Array, outputs: Array, trace: bool = False) -> host.Result:
        name, timeout = artifact.name, RUN_S + len(inputs)
        t = artifact.target
        if place == "unicorn":
            _fits_unicorn(artifact)
            return armv6m.run_kat(
                directory,
                name,
                inputs,
                outputs,
                trace,
                flags=t.flags,
                timeout=timeout,
                flash=t.flash + FLASH_OVERHEAD,  # the test is not the product
                ram=t.ram + MACHINE_OVERHEAD,
            )
        if place == "qemu":
            _fits_machine(artifact)
            return qemu.run_kat(directory, name, t.machine, inputs, outputs, trace, flags=t.flags, timeout=timeout)
        flags = host.SANITIZE if place == "sanitize" else host.OPTIMIZE
        return host.run_kat(directory, name, inputs, outputs, trace, flags=flags, timeout=timeout)

    result = run(flat, want)
    where = artifact.target.machine if place == "qemu" else place
    wrong = {f.vector for f in result.failures if f.vector is not None}
    messages = [f.text for f in result.failures if f.index is None]
    if any(f.vector is None for f in result.failures):  # it crashed
        wrong |= set(range(len(result.outputs), count))
    found: tuple[Difference, ...] = ()
    if named := sorted({f.vector for f in result.failures if f.vector is not None})[:TRACED]:
        traced = run(flat[named], want[named], trace=True)
        placed = []
        for f in traced.failures:
            if damage := re.fullmatch(r"vector (\d+): damage in step (\d+)", f.text):
                vector, step = map(int, damage.groups())
                layer = steps[step].name if step < len(steps) else f"step {step}"
                placed.append(f"vector {named[vector]}: layer {layer} writes out of bounds")
        messages = placed + messages
        if traced.trace is not None and _same_steps(traced.trace, artifact, len(named)):
            found = _differences(artifact, inputs, np.array(named), traced.trace)
        if not found and not messages:
            messages = [f.text for f in result.failures]
    if not result.passed and not wrong and not messages:
        messages = [result.text.strip()[-300:]]
    more = [f"... {len(messages) - 2 * TRACED} more"] if len(messages) > 2 * TRACED else []
    shown = (*messages[: 2 * TRACED], *more)
    return Verdict(where, count, len(wrong), result.stack_bytes or 0, found, shown)


def places(target: Target) -> tuple[str, ...]:
    """The places where code for a target can run at all: Unicorn is an Armv6-M model."""
    return tuple(p for p in PLACES if p != "unicorn" or target.core.name in ARMV6M)


def skippable(error: McugenError) -> bool:
    """True if validation everywhere goes on without this place: a tool is not installed, or the model does not fit."""
    return error.code in ("E404", "E501")


def _same_steps(trace: host.Trace, artifact: Artifact, vectors: int) -> bool:
    """True if a trace has the steps of the artifact, and an arena that holds its memory map."""
    return trace.y.shape[:2] == (vectors, len(artifact.program.steps)) and trace.arena.shape[2] >= artifact.plan.arena


def _fits_machine(artifact: Artifact) -> None:
    target = artifact.target
    if not target.machine:
        raise TargetError("E404", "no emulator for this target", where=target.name, hint="use --on host")
    machine = qemu.find_machine(target.machine)
    flash = int(artifact.report["totals"]["flash_bytes_estimated"])
    for what, need, has in (("RAM", _ram(artifact), machine.ram), ("flash", flash, machine.flash)):
        if need > has:
            message = f"the test needs about {need} bytes of {what}, {machine.name} has {has}"
            hint = "use --on unicorn" if target.core.name in ARMV6M else "use --on host"
            raise TargetError("E404", message, where=target.name, hint=hint)


def _fits_unicorn(artifact: Artifact) -> None:
    target = artifact.target
    if target.core.name not in ARMV6M:
        message = f"the Unicorn model runs Armv6-M code only, this target is a {target.core.name}"
        raise TargetError("E404", message, where=target.name, hint="use --on qemu")
    if _ram(artifact) > target.ram + MACHINE_OVERHEAD:
        message = f"the test needs about {_ram(artifact)} bytes of RAM, the target has {target.ram}"
        raise TargetError("E404", message, where=target.name, hint="use --on host")


def _ram(artifact: Artifact) -> int:
    return artifact.plan.arena + report.ports(artifact.archive.graph) + MACHINE_OVERHEAD


def _outputs(graph: Graph, arrays: Sequence[Array]) -> Array:
    return layout.vectors([v.type for v in graph.outputs], arrays)


def _differences(
    artifact: Artifact, inputs: tuple[Array, ...], vectors: Array, trace: host.Trace
) -> tuple[Difference, ...]:
    """Every layer whose bytes differ right after its step, for the vectors given."""
    found: list[Difference] = []
    graph = artifact.program.graph
    chosen = tuple(x[vectors] for x in inputs)
    values = interp.trace(graph, *chosen)
    ports = layout.ports([v.type for v in graph.outputs])
    for row, vector in enumerate(vectors):
        for i, step in enumerate(artifact.program.steps):
            out = step.output
            want = layout.store(out.layout, _as_stored(step, values)[row])
            arena = out.place == "arena"
            at = artifact.plan.offsets[out] if arena else ports[out.port]
            memory = (trace.arena if arena else trace.y)[row, i, at : at + want.size]
            wrong = np.flatnonzero(memory != want)
            if wrong.size:
                found.append(_difference(int(vector), step, memory, want, wrong))
    if not found:  # every step is right: then the passes have changed the network
        reference = _outputs(graph, interp.run(artifact.archive.graph, *chosen))
        optimized = _outputs(graph, [values[v] for v in graph.outputs])
        for row, vector in enumerate(vectors):
            wrong = np.flatnonzero(reference[row] != optimized[row])
            if wrong.size:
                k = int(wrong[0])
                pair = int(optimized[row, k]), int(reference[row, k])
                at, y = max((at, v.name) for at, v in zip(ports, graph.outputs, strict=True) if at <= k)
                index = f"output byte {k}" if len(ports) == 1 else f"byte {k - at} of output {y}"
                found.append(Difference(int(vector), "the passes", index, *pair, int(wrong.size)))
    return tuple(found)


def _as_stored(step: Step, values: dict[Value, Array]) -> Array:
    """The step's value in the shape of its buffer: a flatten's output lies in its source's."""
    v = values[step.value]
    return v.reshape(len(v), *step.output.type.shape)


def _difference(vector: int, step: Step, memory: Array, want: Array, wrong: Array) -> Difference:
    t, lay = step.output.type, step.output.layout
    if lay.flat:
        k = int(wrong[0]) // t.dtype.bytes
        got, expected = (int(m.view(t.dtype.numpy)[k]) for m in (memory.copy(), want))
        index = str([int(i) for i in np.unravel_index(k, t.shape)])
    else:
        found, right, home = layout.elements(lay, memory), layout.elements(lay, want), layout.home(lay, t.shape)
        own = np.flatnonzero(found[home] != right[home])  # before what copies them in halos
        at = int(home[own[0]]) if own.size else int(np.flatnonzero(found != right)[0])
        got, expected = int(found[at]), int(right[at])
        byte = at * lay.bits // 8
        index = (
            str([int(i) for i in np.unravel_index(own[0], t.shape)]) if own.size else f"byte {byte}, around the image"
        )
    return Difference(vector, step.name, index, got, expected, int(wrong.size))
