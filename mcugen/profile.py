"""What one inference costs, layer by layer and function by function, from the generated code as it runs in a simulator.

Cycles where sim/timing.py knows the core, exact instructions where only QEMU has it (Cortex-M55).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import driver, interp, report, targets, validate
from .driver import Artifact
from .errors import MismatchError, OutputError, TargetError
from .interp import Inputs
from .ir import Array
from .sim import cycles, host, qemu, timing
from .sim.cycles import Flash, Function
from .targets import Target

# Flash accelerators that cache: 64 lines of 16 bytes of instructions and 8 of data (ST RM0090, section 3.5); 1 KB and
# 256 bytes, read in double words (ST RM0351 and RM0440, section 3.3).
_CACHED = {
    "STM32F4": Flash(0, 16, True, 64, 8),
    "STM32L4": Flash(0, 8, True, 128, 32),
    "STM32G4": Flash(0, 8, True, 128, 32),
}
LONG = 300e6  # cycles that take some seconds to simulate
_NARROW = ("cortex-m0", "cortex-m0plus", "cortex-m3")  # cores whose chips mostly read flash in 64 bits, others in 128


@dataclass(frozen=True)
class Layer:
    """One step of the generated code; the loop round the steps is a layer without a kernel."""

    name: str
    kernel: str
    macs: int
    instructions: int
    cycles: int | None  # None where only instructions are known
    waits: int  # of the cycles
    estimated: int  # cycles of the model with which kernels are chosen


@dataclass(frozen=True)
class Profile:
    """One inference. Layers add up to the totals; so do functions, which are known where cycles are."""

    model: str
    target: str
    core: str
    basis: str  # manual, estimate or rough: what the cycles rest on; instructions: there are no cycles
    source: str
    flash: Flash | None  # the model of slow flash, if it was asked for
    layers: tuple[Layer, ...]
    functions: tuple[Function, ...]
    instructions: int
    cycles: int | None
    waits: int
    ms: float | None  # at the target's clock
    unknown: tuple[str, ...]  # instructions without a known timing; they count as 1 cycle

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def profile(
    source: Artifact | str | os.PathLike[str],
    target: str | Target | None = None,
    x: Inputs | None = None,
    *,
    wait_states: bool | int = False,
    flash: Flash | None = None,
    optimize: str = "balanced",
    tell: Callable[[str], None] | None = None,
) -> Profile:
    """Runs one inference of an artifact, a generated directory, or a model that is compiled for `target`.

    x: a quantised input, by default the archive's first sample. wait_states: with the target's flash, or with that
    many, in the model that flash_of gives; flash: with this one. Raises what compiling raises, E401, E501 to E503,
    E601, E703, E704. tell: is told when it will take more than some seconds.
    """
    machine = targets.get(target) if isinstance(target, str) else target
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        directory = Path(work) / "model"
        if isinstance(source, Artifact):
            artifact = source
        elif Path(source).is_dir():
            directory = Path(source)
            artifact, _ = validate.open_directory(directory)
        else:
            artifact = driver.compile(source, target=machine or "cortex-m4", optimize=optimize)
        machine = machine or artifact.target
        if (machine.core.name, machine.flags) != (artifact.target.core.name, artifact.target.flags):
            message = f"is code for {artifact.target.name}, not for {machine.name}"
            hint = f"mcugen generate --target {machine.name}, or give the model"
            raise OutputError("E703", message, where=artifact.name, hint=hint)
        if directory.parent == Path(work):
            artifact.save(directory)
        vector = driver.vectors(artifact.archive, 1) if x is None else _vector(artifact, x)
        expected = artifact.report["totals"]["cycles_estimated"]
        if tell is not None and expected > LONG:
            tell(f"simulating about {expected / 1e6:,.0f} million cycles")
        if machine.core.name == "cortex-m55":
            if wait_states is not False or flash is not None:
                raise TargetError("E401", "QEMU knows no cycles, so no wait states", where=machine.name)
            return _counted(artifact, directory, machine, vector)
        if flash is None and wait_states is not False:
            flash = flash_of(machine, None if wait_states is True else int(wait_states))
        return _simulated(artifact, directory, machine, vector, flash)


def flash_of(target: Target, wait_states: int | None = None) -> Flash:
    """A model of the target's flash, with these wait states or its own. OutputError E703 if they are not known."""
    waits = target.wait_states if wait_states is None else wait_states
    if waits is None:
        hint = "give the number: --wait-states N"
        raise OutputError("E703", "the wait states of its flash are not known", where=target.name, hint=hint)
    if not 0 <= waits <= 100:
        raise OutputError("E703", f"{waits} wait states: there can be 0 to 100", where=target.name)
    usual = Flash(0, 8 if target.core.name in _NARROW else 16, True, 0, 1)
    found = next((f for family, f in _CACHED.items() if family in target.about), usual)
    return Flash(waits, found.line, found.prefetch, found.code_lines, found.data_lines)


def _vector(artifact: Artifact, x: Inputs) -> tuple[Array, ...]:
    found = interp.arguments(artifact.archive.graph, x)
    if len(found[0]) != 1:
        raise OutputError("E704", f"{len(found[0])} samples given, one is profiled", where=artifact.name)
    return found


def _check(artifact: Artifact, vector: tuple[Array, ...], y: bytes, where: str) -> None:
    """MismatchError E601 if the simulated code's outputs, one behind the other, are not the reference's."""
    want = b"".join(np.ascontiguousarray(a).tobytes() for a in interp.run(artifact.archive.graph, *vector))
    if y != want:
        k = next(i for i, (a, b) in enumerate(zip(y, want, strict=True)) if a != b)
        message = f"output byte {k}: got {y[k]}, want {want[k]}"
        raise MismatchError("E601", message, where=f"{artifact.name} on {where}", hint="see `mcugen validate`")


def _simulated(
    artifact: Artifact, directory: Path, target: Target, vector: tuple[Array, ...], flash: Flash | None
) -> Profile:
    name, core = artifact.name, target.core.name
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        elf = cycles.build_elf(
            host.sources_of(directory, (".c", ".S")),
            f"{name}_run",
            Path(work) / "profile.elf",
            core,
            target.flags,
            (*qemu.OPTIMIZE, *qemu.keep_apart(name, Path(work))),
            include=[directory],
            keep=[f"{name}_step"],
        )
        arena = np.zeros(-(-artifact.plan.arena // 4) * 4 + 4, np.uint8)
        outputs = [np.zeros(v.type.bytes, np.uint8) for v in artifact.archive.graph.outputs]
        steps = artifact.report["steps"]
        run = cycles.Machine(elf, core, flash, step=f"{name}_step").call(
            f"{name}_run", [arena, *(x.reshape(-1) for x in vector), *outputs], parts=len(steps)
        )
    _check(artifact, vector, b"".join(a.tobytes() for a in run.arrays[1 + len(vector) :]), "Unicorn")
    inside, loop = [], []
    for row in run.rows:
        inside.append([f for f in row if f.name != f"{name}_run"])
        loop += [f for f in row if f.name == f"{name}_run"]
    layers = [_layer(s, *_sum(fs)) for s, fs in zip(steps, inside[1:], strict=True)]
    layers.append(_layer(None, *_sum(loop + inside[0])))
    t = timing.timing(core)
    return Profile(
        *(name, target.name, core, t.basis, t.source, flash, tuple(layers), run.functions),
        *(run.instructions, run.cycles, run.waits, _ms(target, run.cycles), run.unknown),
    )


def _counted(artifact: Artifact, directory: Path, target: Target, vector: tuple[Array, ...]) -> Profile:
    if len(vector) != 1 or len(artifact.archive.graph.outputs) != 1:
        message = "QEMU counts networks with one input and one output only"
        raise TargetError("E404", message, where=target.name, hint="profile it for another core")
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        elf = Path(work) / "count.elf"
        qemu.build_count(directory, artifact.name, target.machine, elf, flags=target.flags)
        found = qemu.count(elf, target.machine, np.ascontiguousarray(vector[0]).tobytes())
    _check(artifact, vector, found.y, target.machine)
    layers = [_layer(s, n, None, 0) for s, n in zip(artifact.report["steps"], found.steps, strict=True)]
    layers.append(_layer(None, found.total - sum(found.steps), None, 0))
    source = "QEMU with -icount; it has no cycles, and Unicorn has no Helium"
    return Profile(
        *(artifact.name, target.name, target.core.name, "instructions", source, None, tuple(layers), ()),
        *(found.total, None, 0, None, ()),
    )


def _sum(functions: list[Function]) -> tuple[int, int, int]:
    return (sum(f.instructions for f in functions), sum(f.cycles for f in functions), sum(f.waits for f in functions))


def _layer(step: dict[str, Any] | None, instructions: int, spent: int | None, waits: int) -> Layer:
    if step is None:
        return Layer("(between layers)", "", 0, instructions, spent, waits, 0)
    return Layer(step["name"], step["kernel"], step["macs"], instructions, spent, waits, step["cycles_estimated"])


def _ms(target: Target, spent: int) -> float | None:
    return round(1000 * spent / target.clock, 3) if target.clock else None


def text(p: Profile, functions: bool = False) -> str:
    """The profile as people read it."""
    known = p.cycles is not None
    unit = "cycles" if known else "instructions"
    total = p.cycles if p.cycles is not None else p.instructions
    macs, estimated = (sum(getattr(x, k) for x in p.layers) for k in ("macs", "estimated"))
    everything = Layer("sum", "", macs, p.instructions, p.cycles, p.waits, estimated)
    head = ["layer", "kernel", "MAC", "instructions", *(["cycles"] if known else []), f"{unit}/MAC", "share"]
    rows = [(*head, *(["waits"] if p.flash else []), *(["estimate", "error"] if known else []))]
    for x in (*p.layers, everything):
        spent = x.cycles if x.cycles is not None else x.instructions
        row = [x.name, x.kernel, f"{x.macs:,}" if x.macs else "", f"{x.instructions:,}"]
        row += [f"{spent:,}"] if known else []
        row += [f"{spent / x.macs:.2f}" if x.macs else "", f"{100 * spent / total:.1f} %"]
        row += [f"{x.waits:,}"] if p.flash else []
        if known:
            row.append(f"{x.estimated:,}" if x.estimated else "")
            row.append(f"{100 * (x.estimated - spent) / spent:+.0f} %" if x.estimated and spent else "")
        rows.append(tuple(row))
    lines = [f"{p.model} on {p.target} ({p.core}), one inference", "", report.table(rows, left=2)]
    if functions and p.functions:
        table = [("function", "calls", "instructions", "cycles", "share")]
        for f in p.functions:
            share = f"{100 * f.cycles / total:.1f} %"
            table.append((f.name, f"{f.calls:,}", f"{f.instructions:,}", f"{f.cycles:,}", share))
        lines += ["", report.table(table, left=1)]
    lines.append("")
    ms = f", {p.ms:,.3f} ms at {p.target}'s clock" if p.ms is not None else ""
    lines.append(f"{total:,} {unit}{ms}")
    if p.flash:
        slow = p.flash
        how = [f"lines of {slow.line} bytes", "with prefetch" if slow.prefetch else "no prefetch"]
        how += [f"{slow.code_lines} lines of code cached" if slow.code_lines else "no cache of code"]
        how += [f"{slow.data_lines} of data"] if slow.data_lines else []
        lines.append(
            f"flash with {slow.wait_states} wait states: {', '.join(how)}; {p.waits:,} of the cycles are waits"
        )
    elif known:
        lines.append("memory without wait states; --wait-states adds those of flash")
    lines.append(f"timings ({p.basis}): {p.source}")
    if p.unknown:
        lines.append(f"note: counted as 1 cycle, for want of a timing: {', '.join(p.unknown)}")
    return "\n".join(lines)
