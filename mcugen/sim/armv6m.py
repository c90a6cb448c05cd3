"""Runs Armv6-M firmware on Unicorn's Cortex-M0 with memories of any size: the microbit of QEMU has 16 KB of RAM.

Unaligned loads and stores stop the run as HardFault does on the core, and so do accesses outside of flash and RAM and
writes to flash. Unicorn runs some Thumb instructions that Armv6-M lacks (CBZ, IT), so all code of the program is
decoded first, by the encoding tables of the Armv6-M Architecture Reference Manual (DDI 0419, A5.2 and A5.3).
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .. import resources, toolchain
from ..errors import ToolError
from ..toolchain import Compiler
from . import qemu
from .host import Bytes, Result, kat_defines, place_vectors, read_result, sources_of

FLAGS = ("-mcpu=cortex-m0", "-mthumb")
FLASH, RAM = 1 << 20, 256 << 10  # bytes, where nobody asks for others
FLASH_AT, RAM_AT = 0x00000000, 0x20000000
_PAGE = 4096
_HARD_FAULT, _FAULT_STATUS = 3, 3


def installed() -> bool:
    """True if the package unicorn is there."""
    return importlib.util.find_spec("unicorn") is not None


def run_kat(
    directory: Path,
    name: str,
    vectors: Bytes | None = None,
    want: Bytes | None = None,
    trace: bool = False,
    *,
    flash: int = FLASH,
    ram: int = RAM,
    flags: Sequence[str] = FLAGS,
    cc: Compiler | None = None,
    timeout: float = qemu.TIMEOUT_S,
) -> Result:
    """Runs kat.c as qemu.run_kat does, with that many bytes of flash and RAM. Raises E501, E502, E503, E704."""
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        cwd = Path(work)
        place_vectors(cwd, vectors, want, trace)
        sources = [*sources_of(directory, (".c", ".S")), resources.TEST / "kat.c"]
        defines = kat_defines(directory, name)
        elf = build_elf(sources, [directory], defines, cwd / "kat.elf", flash=flash, ram=ram, flags=flags, cc=cc)
        status, text = run_elf(elf, cwd, flash=flash, ram=ram, timeout=timeout)
        try:
            return read_result(cwd, status, text)
        except ToolError as error:
            error.where = "unicorn"
            raise


def build_elf(
    sources: Sequence[Path],
    include: Sequence[Path],
    defines: dict[str, str],
    out: Path,
    *,
    flash: int = FLASH,
    ram: int = RAM,
    flags: Sequence[str] = FLAGS,
    cc: Compiler | None = None,
) -> Path:
    """Links sources with start-up code and port for memories of these sizes. Raises E501, E502."""
    memory = (f"-Wl,--defsym=mcugen_flash_bytes={flash}", f"-Wl,--defsym=mcugen_ram_bytes={ram}")
    return qemu.link_elf(sources, include, defines, resources.PORT / "armv6m" / "link.ld", out, flags, memory, cc=cc)


def run_elf(
    elf: Path, cwd: Path, *, flash: int = FLASH, ram: int = RAM, timeout: float = qemu.TIMEOUT_S
) -> tuple[int, str]:
    """Exit status and text of a firmware whose files are in cwd; raises E501, and E503 if it never ends.

    Status 3 with a line FAULT in the text: what the core would have taken a HardFault for, and the function it hit.
    """
    image = read_image(elf)
    if foreign := next(foreign_instructions(image), None):
        at, words = foreign
        text = f"FAULT exception {_HARD_FAULT} at pc {at:#010x}{_in(elf, at)}: {words} is no Armv6-M instruction\n"
        return _FAULT_STATUS, text
    machine = _Machine(cwd, _open(image, flash, ram))
    reason = machine.run(timeout)
    for stream in machine.files.values():
        stream.close()
    if reason:
        at = machine.pc
        machine.text.append(f"FAULT exception {_HARD_FAULT} at pc {at:#010x}{_in(elf, at)}: {reason}\n")
        machine.status = _FAULT_STATUS
    return machine.status, "".join(machine.text)


def _in(elf: Path, address: int) -> str:
    function = toolchain.function_at(elf, address)
    return f" in {function}" if function else ""


# ---- the program ----

_LOAD, _SHF_EXEC = 1, 4
_SYMTAB, _PROGBITS = 2, 1


@dataclass(frozen=True)
class Image:
    """What a program loads, and where its instructions are."""

    segments: tuple[tuple[int, bytes], ...]  # physical address, content
    regions: tuple[tuple[int, int, bytes], ...]  # virtual address, bytes of memory, content
    code: tuple[tuple[int, bytes], ...]  # address, instructions without the data between them


def read_image(elf: Path) -> Image:
    """The image of a 32-bit little-endian program."""
    data = elf.read_bytes()
    ph, sh = struct.unpack_from("<II", data, 28)
    n_ph, _, n_sh = struct.unpack_from("<HHH", data, 44)
    segments, regions = [], []
    for i in range(n_ph):
        kind, offset, vaddr, paddr, size, memory = struct.unpack_from("<IIIIII", data, ph + 32 * i)
        if kind == _LOAD and size:
            segments.append((paddr, data[offset : offset + size]))
        if kind == _LOAD and memory:
            regions.append((vaddr, memory, data[offset : offset + size]))
    sections = [struct.unpack_from("<IIIIIIIIII", data, sh + 40 * i) for i in range(n_sh)]
    marks: dict[int, dict[int, bool]] = {}  # section -> address -> code begins there, else data
    for _, kind, _, _, offset, size, link, *_ in sections:
        if kind == _SYMTAB:
            names = sections[link][4]
            for name, value, _, _, _, index in struct.iter_unpack("<IIIBBH", data[offset : offset + size]):
                mark = data[names + name : names + name + 3]
                if mark[:2] in (b"$t", b"$d") and mark[2:] in (b"\0", b"."):
                    marks.setdefault(index, {})[value] = mark[1:2] == b"t"
    code = []
    for index, (_, kind, flags, address, offset, size, *_) in enumerate(sections):
        if kind == _PROGBITS and flags & _SHF_EXEC:
            bounds = sorted({**marks.get(index, {}), address + size: False}.items())
            for (start, is_code), (end, _) in itertools.pairwise(bounds):
                if is_code:
                    code.append((start, data[offset + start - address : offset + end - address]))
    return Image(tuple(segments), tuple(regions), tuple(code))


def foreign_instructions(image: Image) -> Iterator[tuple[int, str]]:
    """Address and halfwords of all instructions that Armv6-M does not have."""
    for start, code in image.code:
        at = 0
        halves = struct.unpack(f"<{len(code) // 2}H", code[: len(code) // 2 * 2])
        while at < len(halves):
            first = halves[at]
            if first >> 11 in (0b11101, 0b11110, 0b11111):
                second = halves[at + 1] if at + 1 < len(halves) else 0
                if not is_wide(first, second):
                    yield start + 2 * at, f"{first:04x} {second:04x}"
                at += 2
            else:
                if not is_narrow(first):
                    yield start + 2 * at, f"{first:04x}"
                at += 1


def is_narrow(half: int) -> bool:
    """True if Armv6-M has this 16-bit encoding (DDI 0419, table A5-1 and those that it names)."""
    if half >> 12 != 0b1011:
        return True  # the rest of the space is full; UDF and SVC fault when they run
    op = half >> 5 & 0x7F  # miscellaneous instructions, table A5-9
    known = (
        op >> 3 == 0b0000  # ADD and SUB of SP
        or op >> 3 == 0b0010  # SXTH, SXTB, UXTH, UXTB
        or op >> 4 in (0b010, 0b110)  # PUSH, POP
        or op == 0b0110011  # CPS
        or op >> 1 in (0b101000, 0b101001, 0b101011)  # REV, REV16, REVSH
        or op >> 3 == 0b1110  # BKPT
    )
    return known or (op >> 3 == 0b1111 and half & 0xF == 0)  # hints; with a mask it is IT


def is_wide(first: int, second: int) -> bool:
    """True if Armv6-M has this 32-bit encoding (DDI 0419, tables A5-10 and A5-11)."""
    if first >> 11 != 0b11110 or not second & 0x8000:
        return False
    op1, op2 = first >> 4 & 0x7F, second >> 12 & 7
    if op2 & 0b101 == 0b101:
        return True  # BL
    if op2 & 0b101 != 0:
        return op2 == 0b010 and op1 == 0b1111111
    barrier = op1 == 0b0111011 and second >> 4 & 0xF in (0b0100, 0b0101, 0b0110)  # DSB, DMB, ISB
    return op1 & 0b1111110 in (0b0111000, 0b0111110) or barrier or (op1 == 0b1111111 and op2 == 0b010)  # MSR, MRS, UDF


# ---- the machine ----


def _open(image: Image, flash: int, ram: int) -> Any:
    if not installed():
        raise ToolError("E501", "the package is not installed", where="unicorn", hint="pip install 'mcugen[sim]'")
    import unicorn
    from unicorn import arm_const

    # UC_MODE_MCLASS would silently be a Cortex-M33.
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M0)
    uc.mem_map(FLASH_AT, -(-flash // _PAGE) * _PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
    uc.mem_map(RAM_AT, -(-ram // _PAGE) * _PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
    for address, content in image.segments:
        uc.mem_write(address, content)
    return uc


_OPEN, _CLOSE, _WRITE0, _WRITE, _READ, _EXIT, _EXIT_EXTENDED = 0x01, 0x02, 0x04, 0x05, 0x06, 0x18, 0x20
_APPLICATION_EXIT = 0x20026


@dataclass
class _Machine:
    """A core with its semihosting calls; files are those of cwd."""

    cwd: Path
    uc: Any
    text: list[str] = field(default_factory=list)
    files: dict[int, IO[bytes]] = field(default_factory=dict)
    status: int = 0
    pc: int = 0
    ended: bool = False
    reason: str = ""

    def run(self, timeout: float) -> str:
        """To the end; what the core faulted for, or nothing. Raises E503 when it does not end in `timeout` seconds."""
        import unicorn
        from unicorn import arm_const as arm

        stack, start = struct.unpack("<II", self.uc.mem_read(FLASH_AT, 8))
        self.uc.reg_write(arm.UC_ARM_REG_SP, stack)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._outside)
        try:
            self.uc.emu_start(start | 1, 0xFFFFFFFF, timeout=int(timeout * 1e6))
        except unicorn.UcError as error:
            self.reason = self.reason or str(error)
        self.pc = self.uc.reg_read(arm.UC_ARM_REG_PC)
        if not self.ended and not self.reason:
            said = f"; it said: {toolchain.first_lines(''.join(self.text), 3)}" if self.text else ""
            raise ToolError("E503", f"did not finish in {timeout:g} s{said}", where="unicorn")
        return self.reason

    def _outside(self, uc: Any, kind: int, address: int, size: int, value: int, _: Any) -> bool:
        self.reason = f"{size} bytes at {address:#010x}, where the target allows no such access"
        return False

    def _interrupt(self, uc: Any, number: int, _: Any) -> None:
        from unicorn import arm_const as arm

        pc = uc.reg_read(arm.UC_ARM_REG_PC)
        breakpoint_ab = number == 7 and bytes(uc.mem_read(pc, 2)) == b"\xab\xbe"
        if not breakpoint_ab:
            self.reason = {4: "unaligned access", 7: "breakpoint"}.get(number, f"exception {number} of Unicorn")
            uc.emu_stop()
            return
        r0, r1 = uc.reg_read(arm.UC_ARM_REG_R0), uc.reg_read(arm.UC_ARM_REG_R1)
        uc.reg_write(arm.UC_ARM_REG_R0, self._call(r0, r1) & 0xFFFFFFFF)
        uc.reg_write(arm.UC_ARM_REG_PC, (pc + 2) | 1)
        if self.ended:
            uc.emu_stop()

    def _words(self, at: int, n: int) -> tuple[int, ...]:
        return struct.unpack(f"<{n}I", self.uc.mem_read(at, 4 * n))

    def _call(self, operation: int, at: int) -> int:
        """One semihosting call of firmware/port/semihost/port.c."""
        if operation == _OPEN:
            name, mode, length = self._words(at, 3)
            return self._file(bytes(self.uc.mem_read(name, length)).decode(), "rb" if mode == 1 else "wb")
        if operation == _CLOSE:
            self.files.pop(self._words(at, 1)[0]).close()
        elif operation == _WRITE0:
            end = at
            while self.uc.mem_read(end, 1) != b"\0":
                end += 1
            self.text.append(bytes(self.uc.mem_read(at, end - at)).decode(errors="replace"))
        elif operation == _WRITE:
            handle, buffer, n = self._words(at, 3)
            self.files[handle].write(self.uc.mem_read(buffer, n))
        elif operation == _READ:
            handle, buffer, n = self._words(at, 3)
            content = self.files[handle].read(n)
            self.uc.mem_write(buffer, content)
            return n - len(content)
        elif operation in (_EXIT, _EXIT_EXTENDED):
            reason, status = self._words(at, 2) if operation == _EXIT_EXTENDED else (at, 0)
            self.status, self.ended = status if reason == _APPLICATION_EXIT else 1, True
        else:
            self.reason = f"semihosting call {operation:#x} is not known here"
            self.uc.emu_stop()
        return 0

    def _file(self, name: str, mode: str) -> int:
        if os.path.basename(name) != name:
            return -1
        try:
            stream = open(self.cwd / name, mode)  # noqa: SIM115 closed by SYS_CLOSE or at the end
        except OSError:
            return -1
        handle = max(self.files, default=0) + 1
        self.files[handle] = stream
        return handle
