"""Compares a generated directory with the integer reference, byte for byte, on this machine and on emulated cores.

The reference is the archive's graph as it was saved, before any pass: passes, selection, plan, emission, kernels and
compiler all stand on the other side of the comparison.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import archive, driver, interp, layout
from .driver import Artifact
from .errors import MismatchError, OutputError, TargetError
from .ir import Array, Value
from .program import Step
from .sim import host, qemu

PLACES = ("host", "sanitize", "qemu")
TRACED = 3  # failing vectors that are looked at layer by layer
MACHINE_OVERHEAD = 2048  # bytes of RAM that the test firmware takes beyond the model: buffers, fences, stack


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

    place: str  # host, sanitize, or the name of the emulated machine
    vectors: int
    failed: int  # vectors
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
        raise OutputError("E701", "no generated model here", where=directory.name, hint=hint)
    try:
        document: dict[str, Any] = json.loads(reports[0].read_text())
        name, target, optimize = (str(document[k]) for k in ("model", "target", "optimize"))
        checksum = document["archive_sha256"]
        model = directory / f"{Path(name).name}.mcugen"
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise OutputError("E701", f"cannot read: {type(e).__name__}: {e}", where=reports[0].name) from None
    if digest != checksum:
        raise MismatchError("E602", "the archive is not the one that the report names", where=model.name)
    artifact = driver.compile(archive.load(model), target=target, optimize=optimize)
    changed = tuple(
        n
        for n, content in artifact.files.items()
        if not (directory / n).is_file() or (directory / n).read_bytes() != content
    )
    return artifact, changed


def validate(directory: Path, artifact: Artifact, place: str, x: Array, traceable: bool = True) -> Verdict:
    """Run inputs x (N, *shape) at `place` and compare with the reference.

    traceable: the directory's C is what `artifact` gives, so that its memory map is known.
    """
    want = _bytes(artifact.run(x))
    flat = _bytes(x)
    name = artifact.name
    if place == "host":
        model = host.HostModel(directory, name)
        got = model.run(flat)
        bad = np.flatnonzero((got != want).any(1))
        found = _differences(artifact, x, bad[:TRACED], model.trace(flat[bad[:TRACED]])) if len(bad) else ()
        return Verdict(place, len(x), len(bad), 0, found if traceable else (), ())

    def run(inputs: Array, outputs: Array, trace: bool = False) -> host.Result:
        if place == "sanitize":
            return host.run_kat(directory, name, inputs, outputs, trace)
        _fits_machine(artifact)
        flags = artifact.target.flags
        return qemu.run_kat(directory, name, artifact.target.machine, inputs, outputs, trace, flags=flags)

    result = run(flat, want)
    where = artifact.target.machine if place == "qemu" else place
    found = ()
    bad = np.array(sorted({f.vector for f in result.failures if f.vector is not None and f.index is not None}), int)
    if len(bad) and traceable:
        traced = run(flat[bad[:TRACED]], want[bad[:TRACED]], trace=True)
        if traced.trace is not None:
            found = _differences(artifact, x, bad[:TRACED], traced.trace)
    messages = tuple(f.text for f in result.failures if f.index is None)
    failed = len({f.vector for f in result.failures if f.vector is not None})
    if not result.passed and not failed and not messages:
        messages = (result.text.strip()[-300:],)
    return Verdict(where, len(x), failed, result.stack_bytes or 0, found, messages)


def _fits_machine(artifact: Artifact) -> None:
    target = artifact.target
    if not target.machine:
        raise TargetError("E404", "no emulator for this target", where=target.name, hint="use --on host")
    x, y = artifact.archive.graph.inputs[0].type, artifact.archive.graph.outputs[0].type
    need = artifact.plan.arena + x.bytes + y.bytes + MACHINE_OVERHEAD
    if need > target.ram:
        message = f"the test needs about {need} bytes of RAM, {target.machine} has {target.ram}"
        raise TargetError("E404", message, where=target.name, hint="use --on host")


def _bytes(a: Array) -> Array:
    return np.ascontiguousarray(a).reshape(len(a), -1).view(np.uint8)


def _differences(artifact: Artifact, x: Array, vectors: Array, trace: host.Trace) -> tuple[Difference, ...]:
    """Every layer whose bytes differ right after its step, for the vectors given."""
    found: list[Difference] = []
    values = interp.trace(artifact.program.graph, x[vectors])
    for row, vector in enumerate(vectors):
        for i, step in enumerate(artifact.program.steps):
            out = step.output
            want = layout.store(out.layout, _as_stored(step, values)[row])
            memory = trace.y[row, i]
            if out.place == "arena":
                at = artifact.plan.offsets[out]
                memory = trace.arena[row, i, at : at + want.size]
            wrong = np.flatnonzero(memory != want)
            if wrong.size:
                found.append(_difference(int(vector), step, memory, want, wrong))
    if not found:  # every step is right: then the passes have changed the network
        reference = _bytes(artifact.run(x[vectors]))
        optimized = _bytes(values[artifact.program.graph.outputs[0]])
        for row, vector in enumerate(vectors):
            wrong = np.flatnonzero(reference[row] != optimized[row])
            if wrong.size:
                k = int(wrong[0])
                pair = int(optimized[row, k]), int(reference[row, k])
                found.append(Difference(int(vector), "the passes", f"output byte {k}", *pair, int(wrong.size)))
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
        home = layout.home(lay, t.shape)
        own = np.flatnonzero(np.isin(home, wrong))  # elements before the halo bytes that copy them
        byte = int(home[own[0]]) if own.size else int(wrong[0])
        got, expected = int(memory[byte]), int(want[byte])
        index = (
            str([int(i) for i in np.unravel_index(own[0], t.shape)]) if own.size else f"byte {byte}, around the image"
        )
    return Difference(vector, step.name, index, got, expected, int(wrong.size))
