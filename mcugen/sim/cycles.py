"""Counts the cycles of code for Cortex-M cores that Unicorn executes: a function with its arguments and memory.

timing.py has the cycles of each instruction, counter.c adds them up inside the emulator. What that is and is not:
docs/VERIFIED.md.
"""

from __future__ import annotations

import ctypes
import importlib.util
import struct
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import resources, targets, toolchain
from ..errors import OutputError, ToolError
from ..toolchain import Compiler
from . import armv6m, qemu, timing

TIMEOUT_S = 600.0
_SCRIPT = """MEMORY
{
    FLASH (rx) : ORIGIN = 0x00000000, LENGTH = 64M
    RAM (rw)   : ORIGIN = 0x20000000, LENGTH = 16M
}

INCLUDE common.ld
"""
WORK_AT = 0x60000000  # arguments and stack: where no program of ours has anything
STACK = 1 << 16  # bytes
_STOP_AT = 0x1FFFF000  # where a call returns to: code may lie there, and none does
_PAGE = 4096

Array = npt.NDArray[Any]
CELL = np.dtype([("count", "<u8"), ("cycles", "<u8"), ("calls", "<u8"), ("waits", "<u8")])
_MODELS = {"cortex-m0": "M0", "cortex-m0plus": "M0", "cortex-m3": "M3", "cortex-m4": "M4", "cortex-m7": "M7"}
_MODELS["cortex-m33"] = "M33"
_ARMV6M = ("cortex-m0", "cortex-m0plus")


@dataclass(frozen=True)
class Flash:
    """Memory that code and constants come from, read a line at a time; each line takes 1 + wait_states cycles.

    With prefetch the next line is read while the core works on one. The caches hold the lines used last.
    """

    wait_states: int
    line: int = 16  # bytes
    prefetch: bool = True
    code_lines: int = 0  # cached, at most 128
    data_lines: int = 0


@dataclass(frozen=True)
class Function:
    """What was spent in a function itself, without those it calls."""

    name: str
    calls: int
    instructions: int
    cycles: int
    waits: int  # of the cycles


@dataclass(frozen=True)
class Call:
    """One call of a function: r0, its array arguments as it left them, and what it took."""

    value: int
    arrays: tuple[Array, ...]
    memory: Mapping[int, bytes]
    instructions: int
    cycles: int
    waits: int  # of the cycles
    functions: tuple[Function, ...]  # most cycles first
    rows: tuple[tuple[Function, ...], ...]  # the same for each part of the run: see Machine.call
    unknown: tuple[str, ...]  # instructions that ran and that no table names; they count as 1 cycle
    seconds: float  # of processor time
    base: int = 0
    cells: Array = field(default_factory=lambda: np.zeros(0, CELL), repr=False)  # a cell per halfword from base

    def listing(self, program: Path) -> str:
        """The instructions that ran, with how often and how long: address, count, cycles, text."""
        found = armv6m.read_image(program).code
        lines = []
        names = {s.address: s.name for s in toolchain.symbols(program) if s.kind == "function"}
        for start, content in found:
            for address, text in timing.disassembly(start, content):
                cell = self.cells[(address - self.base) // 2]
                if cell["count"]:
                    lines += [f"{names[address]}:"] if address in names else []
                    lines.append(f"{address:8x} {cell['count']:12,} {cell['cycles']:12,}  {text}")
        return "\n".join(lines)


def call(
    program: Path | Sequence[Path],
    function: str,
    args: Sequence[int | Array] = (),
    memory: Mapping[int, bytes] | None = None,
    *,
    core: str = "cortex-m4",
    flash: Flash | None = None,
    flags: Sequence[str] | None = None,
    optimize: Sequence[str] = qemu.OPTIMIZE,
    include: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    cc: Compiler | None = None,
    timeout: float = TIMEOUT_S,
) -> Call:
    """Calls one function of a program (ELF), or of sources (.c, .S) that are compiled for the core, and counts.

    args: integers, and arrays, which lie in memory aligned to 8 bytes and go by pointer. memory: address -> bytes, for
    what must lie at a certain place. Raises E401, E501, E502, E503, E701.
    """
    if isinstance(program, Path) and program.suffix not in (".c", ".S", ".s"):
        return Machine(program, core, flash).call(function, args, memory, timeout=timeout)
    sources = [program] if isinstance(program, Path) else program
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        elf = build_elf(sources, function, Path(work) / "call.elf", core, flags, optimize, include, defines, cc)
        return Machine(elf, core, flash).call(function, args, memory, timeout=timeout)


def build_elf(
    sources: Sequence[Path],
    function: str,
    out: Path,
    core: str = "cortex-m4",
    flags: Sequence[str] | None = None,
    optimize: Sequence[str] = qemu.OPTIMIZE,
    include: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    cc: Compiler | None = None,
    keep: Sequence[str] = (),
) -> Path:
    """Links sources to a program that is only called: no start-up code. keep: functions besides `function`.

    Raises E501, E502.
    """
    flags = targets.get(core).flags if flags is None else flags
    script = out.with_suffix(".ld")
    script.write_text(_SCRIPT)
    options = [f"-Wl,-u,{name}" for name in keep]
    return qemu.link_elf(
        sources,
        [*include, resources.KERNELS],
        defines or {},
        script,
        out,
        flags,
        options,
        optimize=optimize,
        cc=cc,
        entry=function,
        warnings=(),
    )


# ---- counter.c ----


_LINES = 128


class _Cache(ctypes.Structure):
    _fields_ = (
        ("lines", ctypes.c_uint32),
        ("number", ctypes.c_uint32 * _LINES),
        ("used", ctypes.c_uint64 * _LINES),
        ("slot", ctypes.c_void_p),
    )


class _Flash(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("waits", "origin", "bytes", "line", "prefetch", "at")),
        *((name, ctypes.c_uint64) for name in ("ready", "busy")),
        ("code", _Cache),
        ("data", _Cache),
    )


class _Counter(ctypes.Structure):
    _fields_ = (
        ("insns", ctypes.c_void_p),
        ("cells", ctypes.c_void_p),
        *((name, ctypes.c_uint32) for name in ("base", "halfwords", "rows", "rules", "next", "lost")),
        ("before", ctypes.c_void_p),
        ("spent", ctypes.c_void_p),
        ("paired", ctypes.c_uint32),
        ("registers", ctypes.c_int32 * 16),
        ("read", ctypes.c_void_p),
        ("now", ctypes.c_uint64),
        ("flash", _Flash),
    )


@cache
def _hook() -> Any:
    """The hook as this machine's code, compiled once for a process. Raises E501, E502."""
    cc = toolchain.host_cc()
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        flags = ["-O2", "-fPIC"]
        objects = toolchain.compile(cc, [Path(__file__).with_name("counter.c")], Path(work), flags=flags)
        library = toolchain.link(cc, objects, Path(work) / f"counter{suffix}", flags=[*flags, "-shared"])
        return ctypes.CDLL(str(library)).counter_hook


def require() -> None:
    """Raises E501 without unicorn, capstone or a C compiler for this machine."""
    for package in ("unicorn", "capstone"):
        if importlib.util.find_spec(package) is None:
            raise ToolError("E501", "the package is not installed", where=package, hint="pip install 'mcugen[sim]'")
    toolchain.host_cc()


# ---- the machine ----


class Machine:
    """A program in a core's memory, and what is known of its instructions. Each call begins with fresh memory."""

    def __init__(self, elf: Path, core: str, flash: Flash | None = None, step: str = "") -> None:
        """step: the function whose entry begins a new part of a run. Raises E401, E501, E502, E503, E701, E703."""
        self.timing = timing.timing(core)
        require()
        if flash and (flash.line < 4 or max(flash.code_lines, flash.data_lines) > _LINES):
            raise OutputError("E703", f"lines of flash have at least 4 bytes, caches {_LINES} lines", where=str(flash))
        self.elf, self.core, self.flash = elf, core, flash
        self._image = armv6m.read_image(elf)
        if foreign := next(armv6m.foreign_instructions(self._image), None) if core in _ARMV6M else None:
            raise ToolError("E503", f"{foreign[1]} at {foreign[0]:#x} is no Armv6-M instruction", where=elf.name)
        self._base, rows, self._unknown = timing.decode(core, self._image.code)
        self._symbols = {s.name: s for s in toolchain.symbols(elf) if s.name[:1] != "$"}
        functions = sorted(
            {s.address: s.name for s in self._symbols.values() if s.kind == "function"}.items(),
        )
        self._names = ("?", *(name for _, name in functions))
        starts = [at for at, _ in functions]
        halves = np.arange(len(rows)) * 2 + self._base
        self._rows = rows.copy()
        self._rows["function"] = np.searchsorted(starts, halves, side="right") if starts else 0
        for at in starts:
            self._flag(at, timing.ENTRY)
        self._kept: list[Array] = []  # what counters point to
        if step:
            self._flag(self.address(step) & ~1, timing.STEP)

    def _flag(self, address: int, flag: int) -> None:
        if 0 <= (at := (address - self._base) // 2) < len(self._rows):
            self._rows["flags"][at] |= flag

    def address(self, name: str) -> int:
        """Of an object, or of a function as pointers to it have it: with bit 0 set. Raises E701."""
        if name not in self._symbols:
            raise OutputError("E701", f"has no {name}", where=self.elf.name)
        symbol = self._symbols[name]
        return symbol.address | (symbol.kind == "function")

    def call(
        self,
        function: str,
        args: Sequence[int | Array] = (),
        memory: Mapping[int, bytes] | None = None,
        *,
        parts: int = 0,
        timeout: float = TIMEOUT_S,
    ) -> Call:
        """Calls a function. parts: how often the step function is expected; rows[0] is what came before the first.

        Raises E503 when the core faults, leaves the program or does not return in time, E701.
        """
        import unicorn
        from unicorn import arm_const as arm

        start = self.address(function) & ~1
        # UC_MODE_MCLASS would silently be a Cortex-M33.
        uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        uc.ctl_set_cpu_model(getattr(arm, f"UC_CPU_ARM_CORTEX_{_MODELS[self.core]}"))
        if self.core not in (*_ARMV6M, "cortex-m3"):  # the FPU: compilers spill to its registers
            uc.reg_write(arm.UC_ARM_REG_C1_C0_2, 0xF << 20)
            uc.reg_write(arm.UC_ARM_REG_FPEXC, 1 << 30)
        memory = memory or {}
        placed, work = _place(args)
        pages: set[int] = {_STOP_AT // _PAGE}
        for at, size in (
            *((at, size) for at, size, _ in self._image.regions),
            *((at, len(b)) for at, b in self._image.segments),
            *((at, len(b)) for at, b in memory.items()),
            (WORK_AT, len(work) + STACK),
        ):
            pages.update(range(at // _PAGE, -(-(at + size) // _PAGE)))
        _map(uc, pages)
        for at, content in (
            *self._image.segments,
            *((at, content) for at, _, content in self._image.regions),
            *memory.items(),
            (WORK_AT, work),
        ):
            uc.mem_write(at, bytes(content))

        words = [WORK_AT + v if is_array else v & 0xFFFFFFFF for v, is_array in placed]
        top = WORK_AT + (len(work) + STACK) // 8 * 8 - (4 * max(0, len(words) - 4) + 7) // 8 * 8
        for i, word in enumerate(words[:4]):
            uc.reg_write(getattr(arm, f"UC_ARM_REG_R{i}"), word)
        uc.mem_write(top, struct.pack(f"<{len(words[4:])}I", *words[4:]))
        uc.reg_write(arm.UC_ARM_REG_SP, top)
        uc.reg_write(arm.UC_ARM_REG_LR, _STOP_AT | 1)

        cells = np.zeros((parts + 1, len(self._rows)), CELL)
        counter = self._counter(cells)
        library = _library()
        handle = ctypes.c_size_t()
        failed = library.uc_hook_add(
            uc._uch, ctypes.byref(handle), unicorn.UC_HOOK_CODE, _hook(), ctypes.byref(counter), 1, 0
        )
        if failed:
            raise ToolError("E503", f"refused the hook: {failed}", where="unicorn")
        began = time.process_time()
        reason = ""
        try:
            uc.emu_start(start | 1, _STOP_AT, timeout=int(timeout * 1e6))
        except unicorn.UcError as error:
            reason = str(error)
        seconds = time.process_time() - began
        pc = uc.reg_read(arm.UC_ARM_REG_PC)
        if pc & ~1 != _STOP_AT or counter.lost or reason:
            at = counter.lost or pc
            inside = toolchain.function_at(self.elf, at)
            reason = reason or ("left the program's code" if counter.lost else f"did not return in {timeout:g} s")
            raise ToolError("E503", f"{reason}, at {at:#x}{f' in {inside}' if inside else ''}", where="unicorn")
        arrays = tuple(
            np.frombuffer(bytes(uc.mem_read(WORK_AT + at, a.nbytes)), a.dtype).reshape(a.shape)
            for (at, _), a in zip(placed, args, strict=True)
            if isinstance(a, np.ndarray)
        )
        rows = tuple(self._functions(row) for row in cells)
        total = cells[0].copy()
        for name in CELL.names or ():
            total[name] = cells[name].sum(axis=0)
        return Call(
            uc.reg_read(arm.UC_ARM_REG_R0),
            arrays,
            {at: bytes(uc.mem_read(at, len(b))) for at, b in memory.items()},
            int(total["count"].sum()),
            int(total["cycles"].sum()),
            int(total["waits"].sum()),
            self._functions(total),
            rows,
            tuple(sorted({name for at, name in self._unknown.items() if total["count"][(at - self._base) // 2]})),
            seconds,
            self._base,
            total,
        )

    def _counter(self, cells: Array) -> _Counter:
        from unicorn import arm_const as arm

        self._kept = []
        c = _Counter(insns=self._rows.ctypes.data, cells=cells.ctypes.data)
        c.base, c.halfwords, c.rows, c.rules = self._base, len(self._rows), len(cells) - 1, self.timing.rules
        names = [*(f"R{i}" for i in range(13)), "SP", "LR", "PC"]
        c.registers = (ctypes.c_int32 * 16)(*(getattr(arm, f"UC_ARM_REG_{n}") for n in names))
        c.read = ctypes.cast(_library().uc_reg_read, ctypes.c_void_p).value
        if self.flash is not None:
            self._slow(c.flash, self.flash)
        return c

    def _slow(self, f: _Flash, flash: Flash) -> None:
        """Everything that the program loads is flash; where it was copied to is not."""
        f.origin = min((at for at, b in self._image.segments if b), default=0)
        f.bytes = max((at + len(b) for at, b in self._image.segments), default=0) - f.origin
        f.waits, f.line, f.prefetch, f.at = flash.wait_states, flash.line, flash.prefetch, 0xFFFFFFFF
        for lines, n in ((f.code, flash.code_lines), (f.data, flash.data_lines)):
            slots = np.zeros(f.bytes // f.line + 2, np.uint8)
            self._kept.append(slots)
            lines.lines, lines.slot = n, slots.ctypes.data

    def _functions(self, cells: Array) -> tuple[Function, ...]:
        found = []
        index = self._rows["function"]
        sums = [
            np.bincount(index, cells[name].astype(np.float64), len(self._names)).astype(np.int64)
            for name in ("calls", "count", "cycles", "waits")
        ]
        for i, name in enumerate(self._names):
            if sums[1][i]:
                found.append(Function(name, *(int(s[i]) for s in sums)))
        return tuple(sorted(found, key=lambda f: (-f.cycles, f.name)))


@cache
def _library() -> Any:
    """Unicorn's own library, as its package has loaded it."""
    import importlib

    return importlib.import_module("unicorn.unicorn_py3.unicorn").uclib


def _place(args: Sequence[int | Array]) -> tuple[list[tuple[int, bool]], bytes]:
    """Arguments as (value, False) or (offset, True), and the bytes of the arrays."""
    placed: list[tuple[int, bool]] = []
    work = bytearray()
    for a in args:
        if isinstance(a, np.ndarray):
            work += bytes(-len(work) % 8)
            placed.append((len(work), True))
            work += np.ascontiguousarray(a).tobytes() + bytes(8)
        else:
            placed.append((int(a), False))
    return placed, bytes(work)


def _map(uc: Any, pages: set[int]) -> None:
    """Maps pages, neighbours together."""
    ordered = sorted(pages)
    while ordered:
        n = next((i for i in range(1, len(ordered)) if ordered[i] != ordered[i - 1] + 1), len(ordered))
        uc.mem_map(ordered[0] * _PAGE, n * _PAGE)
        del ordered[:n]
