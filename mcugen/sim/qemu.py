"""Runs firmware on emulated Cortex-M cores with qemu-system-arm; it counts instructions, no cycles."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import resources, toolchain
from ..errors import TargetError, ToolError
from ..toolchain import Compiler
from .host import Bytes, Result, kat_defines, place_vectors, read_result, sources_of


@dataclass(frozen=True)
class Machine:
    """A machine of qemu-system-arm; firmware/port/<name>/link.ld is its memory map, in bytes: flash, ram."""

    name: str
    core: str
    flags: tuple[str, ...]
    flash: int
    ram: int


_FP4 = "-mfpu=fpv4-sp-d16 -mfloat-abi=hard"
_FP5 = "-mfpu=fpv5-sp-d16 -mfloat-abi=hard"
_FP5_DOUBLE = "-mfpu=fpv5-d16 -mfloat-abi=hard"
_KB, _MB = 1 << 10, 1 << 20


def _machine(name: str, core: str, flash: int, ram: int, fpu: str = "") -> Machine:
    return Machine(name, core, (f"-mcpu={core}", "-mthumb", *fpu.split()), flash, ram)


MACHINES = {
    machine.name: machine
    for machine in (
        _machine("microbit", "cortex-m0", 256 * _KB, 16 * _KB),
        _machine("mps2-an385", "cortex-m3", 4 * _MB, 4 * _MB),
        _machine("mps2-an386", "cortex-m4", 4 * _MB, 4 * _MB, _FP4),
        _machine("mps2-an500", "cortex-m7", 4 * _MB, 4 * _MB, _FP5_DOUBLE),
        _machine("mps2-an505", "cortex-m33", 4 * _MB, 4 * _MB, _FP5),
        _machine("mps3-an547", "cortex-m55", 512 * _KB, 4 * _MB, "-mfloat-abi=hard"),
    )
}

OPTIMIZE = ("-O2",)
OVERHEAD = 2048  # bytes of RAM that the test firmware takes beyond the model, its input and its output: fences, stack
TIMEOUT_S = 60.0

# The COUNTER register of the boards' FPGAIO block, as secure code sees it, and its clock in Hz.
COUNTERS = {
    "mps2-an385": (0x40028018, 25_000_000),
    "mps2-an386": (0x40028018, 25_000_000),
    "mps2-an500": (0x40028018, 25_000_000),
    "mps2-an505": (0x50302018, 20_000_000),
    "mps3-an547": (0x59302018, 20_000_000),  # the core has 32 MHz
}
_SHIFT = 8  # an instruction takes 2 ** _SHIFT ns of the machine's time


def find_machine(name: str) -> Machine:
    """The machine of that name; raises E401."""
    if name not in MACHINES:
        raise TargetError("E401", f"no such machine; there are {', '.join(MACHINES)}", where=name)
    return MACHINES[name]


def build_elf(
    sources: Sequence[Path],
    include: Sequence[Path],
    defines: Mapping[str, str],
    machine: str,
    out: Path,
    *,
    flags: Sequence[str] | None = None,
    optimize: Sequence[str] = OPTIMIZE,
    cc: Compiler | None = None,
) -> Path:
    """Links sources with start-up code and the semihosting port; firmware/port is on the include path.

    flags: the core's, in place of the machine's own (Cortex-M0 code runs on mps2-an386 too, which has the
    memory for it). Raises E401, E501, E502.
    """
    core = find_machine(machine).flags if flags is None else flags
    script = resources.PORT / machine / "link.ld"
    return link_elf(sources, include, defines, script, out, core, optimize=optimize, cc=cc)


def link_elf(
    sources: Sequence[Path],
    include: Sequence[Path],
    defines: Mapping[str, str],
    script: Path,
    out: Path,
    flags: Sequence[str],
    options: Sequence[str] = (),
    *,
    optimize: Sequence[str] = OPTIMIZE,
    cc: Compiler | None = None,
    entry: str = "",
    warnings: Sequence[str] = toolchain.WARNINGS,
) -> Path:
    """Links sources with start-up code and the semihosting port by a linker script; options go to the linker.

    With the name of an entry function without either: what it does not call is left out.
    """
    cc = cc or toolchain.arm_cc()
    core = toolchain.core_flags(cc, [*flags, *optimize])
    port = resources.PORT
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        objects = toolchain.compile(
            cc,
            [*sources, *([] if entry else [port / "semihost" / "startup.c", port / "semihost" / "port.c"])],
            Path(work),
            flags=[*core, "-g", "-ffunction-sections", "-fdata-sections"],
            include=[*include, port],
            defines=defines,
            warnings=warnings,
        )
        layout = ["-nostartfiles", "--specs=nano.specs", f"-L{port}", f"-T{script}"]
        if cc.kind == "zig":  # has no specs, and does not tell its linker where to look for included scripts
            whole = Path(work) / "link.ld"
            whole.write_text(script.read_text().replace("INCLUDE common.ld", (port / "common.ld").read_text()))
            layout = [f"-Wl,-T,{whole}"]
        if entry or cc.kind == "zig":
            layout.append(f"-Wl,--entry,{entry or 'Reset_Handler'}")
        return toolchain.link(cc, objects, out, flags=[*core, "-Wl,--gc-sections", *options, *layout])


def run_elf(
    elf: Path, machine: str, cwd: Path, timeout: float = TIMEOUT_S, options: Sequence[str] = ()
) -> tuple[int, str]:
    """Exit status and text of a firmware whose files are in cwd; raises E401, E501, E503 if it never ends.

    Status 3 with a line FAULT in the text: an exception, and the function it hit, or a stack overflow.
    A negative status: the emulator itself was killed by that signal, as by a locked-up core.
    """
    command = [str(toolchain.find_tool("qemu-system-arm")), "-M", find_machine(machine).name]
    command += ["-display", "none", "-monitor", "none", "-serial", "none"]
    command += ["-semihosting-config", "enable=on,target=native", *options, "-kernel", str(elf.resolve())]
    status, text = toolchain.call(command, code="E503", timeout=timeout, cwd=cwd)
    return status, re.sub(r"^(FAULT .* at pc (0x\w+))$", lambda m: _place(m, elf), text, flags=re.M)


def _place(fault: re.Match[str], elf: Path) -> str:
    function = toolchain.function_at(elf, int(fault[2], 16))
    return f"{fault[1]} in {function}" if function else fault[1]


def run_kat(
    directory: Path,
    name: str,
    machine: str,
    vectors: Bytes | None = None,
    want: Bytes | None = None,
    trace: bool = False,
    *,
    flags: Sequence[str] | None = None,
    optimize: Sequence[str] = OPTIMIZE,
    cc: Compiler | None = None,
    timeout: float = TIMEOUT_S,
) -> Result:
    """Runs kat.c on an emulated core, on vectors and their expected outputs or on the embedded ones.

    vectors (N, in_bytes), want (N, out_bytes). Wrong answers, writes out of bounds and faults are failures of
    the Result; raises E401, E501, E502, E704, and E503 when the emulator fails or does not end.
    """
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        cwd = Path(work)
        place_vectors(cwd, vectors, want, trace)
        sources = [*sources_of(directory, (".c", ".S")), resources.TEST / "kat.c"]
        elf = build_elf(
            sources,
            [directory],
            kat_defines(directory, name),
            machine,
            cwd / "kat.elf",
            flags=flags,
            optimize=optimize,
            cc=cc,
        )
        status, text = run_elf(elf, machine, cwd, timeout)
        try:
            return read_result(cwd, status, text)
        except ToolError as error:
            error.where = machine
            raise


# ---- instructions ----


@dataclass(frozen=True)
class Count:
    """Instructions of one inference: of each step, and of the whole run; and its output."""

    steps: tuple[int, ...]
    total: int
    y: bytes


def keep_apart(name: str, work: Path) -> tuple[str, ...]:
    """Flags that keep <name>_step a function of its own, called by <name>_run, so that what a step takes can be told.

    Small ones the compiler would inline: a call and a return more for each step, and nothing else changes.
    """
    header = work / f"{name}_apart.h"
    declaration = f"__typeof__({name}_step) {name}_step __attribute__((noinline));"
    header.write_text(f'#ifndef __ASSEMBLER__\n#include "{name}.h"\n{declaration}\n#endif\n')
    return ("-include", str(header))


def build_count(
    directory: Path,
    name: str,
    machine: str,
    out: Path,
    *,
    flags: Sequence[str] | None = None,
    cc: Compiler | None = None,
) -> Path:
    """Links a generated directory with count.c. Raises E401, E501, E502, E701."""
    if find_machine(machine).name not in COUNTERS:
        raise TargetError("E401", f"has no counter; those have one: {', '.join(COUNTERS)}", where=machine)
    defines = {
        **kat_defines(directory, name),
        "MCUGEN_COUNTER": f"{COUNTERS[machine][0]:#x}u",
        "MCUGEN_STEP": f"{name}_step",
        "MCUGEN_RUN": f"{name}_run",
    }
    sources = [*sources_of(directory, (".c", ".S")), resources.TEST / "count.c"]
    optimize = (*OPTIMIZE, *keep_apart(name, out.parent))
    return build_elf(sources, [directory], defines, machine, out, flags=flags, optimize=optimize, cc=cc)


def count(elf: Path, machine: str, x: bytes, timeout: float = TIMEOUT_S) -> Count:
    """Instructions that a program of build_count executes for an input; exact. Raises E401, E501, E503."""
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        cwd = Path(work)
        (cwd / "x.bin").write_bytes(x)
        status, text = run_elf(elf, machine, cwd, timeout, ("-icount", f"shift={_SHIFT}"))
        ticks = COUNTERS[machine][1] * 2**_SHIFT / 1e9  # per instruction
        found = re.findall(r"^ticks (\d+) less (\d+)$", text, re.M)
        if status or not found:
            raise ToolError("E503", f"status {status}: {toolchain.first_lines(text, 3)}", where=machine)
        # The same call of one instruction is taken off, so that one is too many.
        counts = [round((int(a) - int(b)) / ticks) + 1 for a, b in found]
        return Count(tuple(counts[:-1]), counts[-1], (cwd / "y.bin").read_bytes())
