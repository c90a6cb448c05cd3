"""Finds and calls compilers, and reads what they made."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from . import resources
from .errors import OutputError, ToolError

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")

TIMEOUT_S = 120.0
_SHOWN_LINES = 20  # of a compiler's complaint
_ARM_PACKAGES = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
_ADVICE = {
    "cc": "apt-get install gcc (Debian, Ubuntu)",
    "arm-none-eabi-gcc": f"""one of:
    {_ARM_PACKAGES}   (Debian, Ubuntu)
    pio pkg install --global --tool platformio/toolchain-gccarmnoneeabi   (PlatformIO)
    {sys.executable} -m pip install ziglang   (clang with all it needs, no root; about 100 MB)
    export MCUGEN_ARM_GCC=/path/to/arm-none-eabi-gcc   (one that is there)""",
    "qemu-system-arm": "apt-get install qemu-system-arm (Debian, Ubuntu)",
}


@dataclass(frozen=True)
class Compiler:
    """A C compiler that answered to --version; args are the words of CC after the first."""

    path: Path
    kind: Literal["gcc", "clang", "zig"]  # zig: clang with its own driver and no C library for bare metal
    version: str
    args: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """What a call of it begins with."""
        return (str(self.path), *self.args)


def host_cc() -> Compiler:
    """The compiler of this machine: $CC, else cc, gcc or clang; raises E501."""
    if chosen := os.environ.get("CC"):
        return _chosen(chosen, "CC", "cc")
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return _ask(found, ())
    raise _missing("cc", "no C compiler (cc, gcc, clang) is on PATH")


def arm_cc() -> Compiler:
    """What compiles for Cortex-M: arm_gcc, else the clang inside PyPI's ziglang or of zig on PATH; raises E501."""
    try:
        return arm_gcc()
    except ToolError:
        if os.environ.get("MCUGEN_ARM_GCC") or not (command := _zig()):
            raise
    status, text = call((*command, "version"), code="E501", timeout=30)
    if status:
        raise ToolError("E501", f"is no working zig: {first_lines(text, 3)}", where=" ".join(command))
    return Compiler(Path(command[0]), "zig", text.strip(), (*command[1:], "cc"))


def arm_gcc() -> Compiler:
    """GCC for Cortex-M: $MCUGEN_ARM_GCC, else arm-none-eabi-gcc on PATH, else PlatformIO's; raises E501."""
    name = "arm-none-eabi-gcc"
    if chosen := os.environ.get("MCUGEN_ARM_GCC"):
        return _chosen(chosen, "MCUGEN_ARM_GCC", name)
    if found := shutil.which(name):
        return _ask(found, ())
    packages = Path(os.environ.get("PLATFORMIO_CORE_DIR") or Path.home() / ".platformio") / "packages"
    # The plain name first; pinned versions lie beside it as toolchain-gccarmnoneeabi@1.90301.0.
    for package in sorted(packages.glob("toolchain-gccarmnoneeabi*")):
        if found := shutil.which(name, path=package / "bin"):
            return _ask(found, ())
    raise _missing(name, f"{name} is neither on PATH nor among PlatformIO's packages, and there is no zig")


def _zig() -> tuple[str, ...]:
    """How zig is called here; empty if there is none."""
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang")
    found = shutil.which("zig")
    return (found,) if found else ()


def core_flags(cc: Compiler, flags: Sequence[str]) -> list[str]:
    """GCC's flags for a core (-mcpu, -mthumb, -mfpu, -mfloat-abi) and others in the words of a cross compiler.

    zig names the core its own way, derives the FPU from it, and brings no string.h for bare metal: the one in
    firmware/port/freestanding declares what zig's runtime library defines.
    """
    if cc.kind != "zig":
        return list(flags)
    abi = "eabihf" if "-mfloat-abi=hard" in flags else "eabi"
    found = ["-target", f"thumb-freestanding-{abi}", "-isystem", str(resources.PORT / "freestanding")]
    found += ["-fno-sanitize=undefined"]  # which zig adds to unoptimised code
    for flag in flags:
        if flag.startswith("-mcpu="):
            core, *features = flag.split("+")
            changed = (f"-{f[2:]}" if f.startswith("no") else f"+{f}" for f in features)
            found.append(core.replace("cortex-", "cortex_") + "".join(changed))
        elif not flag.startswith(("-mthumb", "-mfpu=", "-mfloat-abi=")):
            found.append(flag)
    return found


def find_tool(name: str) -> Path:
    """The path of a program on PATH; raises E501."""
    if found := shutil.which(name):
        return Path(found)
    raise _missing(name, f"{name} is not on PATH")


def _chosen(words: str, variable: str, name: str) -> Compiler:
    try:
        program, *args = shlex.split(words) or [words]
    except ValueError as e:  # an unbalanced quote
        raise _missing(name, f"{variable} cannot be read: {e}") from None
    if found := shutil.which(program):
        return _ask(found, tuple(args))
    raise _missing(name, f"{variable} names {program!r}, which is not there")


def _missing(name: str, message: str) -> ToolError:
    return ToolError("E501", message, where=name, hint=_ADVICE.get(name, ""))


@lru_cache
def _ask(path: str, args: tuple[str, ...]) -> Compiler:
    status, text = call((path, *args, "--version"), code="E501", timeout=30)
    if status:
        raise ToolError("E501", f"is no working compiler: {first_lines(text, 3)}", where=path)
    kind: Literal["gcc", "clang"] = "clang" if "clang" in text.lower() else "gcc"
    first = text.partition("\n")[0]
    # "arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205": the brackets hold the packager's own numbers
    found = re.search(r"\d+\.\d+(\.\d+)?", re.sub(r"\(.*?\)", "", first))
    return Compiler(Path(path), kind, found.group() if found else "unknown", args)


def call(
    command: Sequence[str],
    *,
    code: str,
    timeout: float = TIMEOUT_S,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Runs a program to its end and gives its exit status and its stdout and stderr together.

    env is added to the environment. A program that is too slow is killed with all its children and raises
    ToolError(code); one that cannot be started raises E501.
    """
    name = Path(command[0]).name
    surroundings = {**os.environ, "LC_ALL": "C", **(env or {})}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=surroundings,
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError("E501", f"cannot be started: {error}", where=name) from error
    with process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            _kill_group(process)
            text = first_lines(process.communicate()[0].decode(errors="replace"), 3)
            said = f"; it said: {text}" if text else ""
            raise ToolError(code, f"did not finish in {timeout:g} s{said}", where=name) from error
        except BaseException:
            _kill_group(process)
            raise
    return process.returncode, output.decode(errors="replace")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def first_lines(text: str, count: int = _SHOWN_LINES) -> str:
    """The beginning of a tool's output, and how much was left out."""
    lines = text.strip().splitlines()
    more = [f"... {len(lines) - count} more lines"] if len(lines) > count else []
    return "\n".join(lines[:count] + more)


def compile(
    cc: Compiler,
    sources: Sequence[Path],
    out_dir: Path,
    *,
    flags: Sequence[str] = (),
    include: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    warnings: Sequence[str] = WARNINGS,
    timeout: float = TIMEOUT_S,
) -> tuple[Path, ...]:
    """One object file per source, in their order, on all cores; raises E502 for the first that fails."""
    options = [*warnings, *flags, *(f"-I{path}" for path in include)]
    options += [f"-D{name}={value}" for name, value in (defines or {}).items()]

    def one(index: int, source: Path) -> Path:
        # Numbered: two directories may hold a source of the same name.
        target = out_dir / f"{index:02d}-{source.name}.o"
        _checked(cc, [*options, "-c", str(source), "-o", str(target)], source.name, timeout)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(one, range(len(sources)), sources))


def link(
    cc: Compiler,
    objects: Sequence[Path],
    out: Path,
    *,
    flags: Sequence[str] = (),
    timeout: float = TIMEOUT_S,
) -> Path:
    """Links object files into out, a program or with -shared a library; raises E502."""
    _checked(cc, [*map(str, objects), *flags, "-o", str(out)], out.name, timeout)
    return out


def _checked(cc: Compiler, args: Sequence[str], where: str, timeout: float) -> None:
    status, text = call((*cc.command, *args), code="E502", timeout=timeout)
    if status == 0:
        return
    hint = ""
    if "nano.specs" in text or re.search(r"(string|stdint|stddef)\.h: No such file", text):
        hint = f"the C library seems to be missing: {_ARM_PACKAGES} (Debian, Ubuntu)"
    raise ToolError("E502", f"{cc.path.name} failed\n{first_lines(text)}", where=where, hint=hint)


# ---- ELF ----

_ALLOC, _WRITE, _EXEC = 0x2, 0x1, 0x4
_SYMTAB, _NOBITS = 2, 8
_OBJECT, _FUNC = 1, 2


class _Section(NamedTuple):
    kind: int
    flags: int
    offset: int
    size: int
    link: int


def object_sizes(path: Path) -> dict[str, int]:
    """Bytes of text, rodata, data and bss in an object file or a program, by section flags; raises E701."""
    sizes = dict(text=0, rodata=0, data=0, bss=0)
    data = _read_elf(path)
    for section in _sections(data, path):
        if not section.flags & _ALLOC:
            continue
        if section.kind == _NOBITS:
            sizes["bss"] += section.size
        elif section.flags & _EXEC:
            sizes["text"] += section.size
        elif section.flags & _WRITE:
            sizes["data"] += section.size
        else:
            sizes["rodata"] += section.size
    return sizes


class Symbol(NamedTuple):
    """A symbol of a program that is defined there; code addresses without the bit that says Thumb."""

    name: str
    kind: Literal["function", "object", ""]
    address: int
    size: int


def symbols(path: Path) -> Iterator[Symbol]:
    """Every symbol that a 32-bit Arm program defines; raises E701."""
    data = _read_elf(path)
    sections = _sections(data, path)
    for table in sections:
        if table.kind != _SYMTAB or table.link >= len(sections):
            continue
        names = sections[table.link]
        text = data[names.offset : names.offset + names.size]
        whole = data[table.offset : table.offset + table.size // 16 * 16]
        for name, value, size, info, _, section in struct.iter_unpack("<IIIBBH", whole[: len(whole) // 16 * 16]):
            if not section:
                continue
            label = text[name : text.find(b"\0", name)].decode(errors="replace")
            if info & 15 == _FUNC:
                yield Symbol(label, "function", value & ~1, size)
            else:
                yield Symbol(label, "object" if info & 15 == _OBJECT else "", value, size)


def function_at(path: Path, address: int) -> str | None:
    """The name of the function of a 32-bit Arm program that holds an address; raises E701."""
    for s in symbols(path):
        if s.kind == "function" and s.address <= address < s.address + max(s.size, 2):
            return s.name
    return None


def symbol_sizes(path: Path) -> dict[str, tuple[Literal["function", "object"], int]]:
    """Kind and bytes of every function and object of a 32-bit Arm program by name; raises E701."""
    found: dict[str, tuple[Literal["function", "object"], int]] = {}
    for s in symbols(path):
        if s.kind != "":
            before = found.get(s.name, ("", 0))[1]  # static ones of one name in several files
            found[s.name] = (s.kind, before + s.size)
    return found


def disassemble(cc: Compiler, path: Path) -> str:
    """What the objdump beside a compiler says of a program; raises E501, E502."""
    beside = cc.path.with_name(re.sub(r"gcc(-[\d.]+)?$", "objdump", cc.path.name))
    tool = beside if beside.is_file() else find_tool("arm-none-eabi-objdump")
    status, text = call((str(tool), "-d", "--no-show-raw-insn", str(path)), code="E502")
    if status:
        raise ToolError("E502", first_lines(text), where=tool.name)
    return text


def _read_elf(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutputError("E701", error.strerror or str(error), where=str(path)) from error
    if data[:4] != b"\x7fELF" or data[4:5] not in b"\1\2" or data[5:6] != b"\1":
        raise OutputError("E701", "is not a little-endian ELF file", where=str(path))
    return data


def _sections(data: bytes, path: Path) -> tuple[_Section, ...]:
    try:
        return tuple(_walk_sections(data))
    except struct.error as error:
        raise OutputError("E701", "is a damaged ELF file", where=str(path)) from error


def _walk_sections(data: bytes) -> Iterator[_Section]:
    wide = data[4] == 2
    (table,) = struct.unpack_from("<Q" if wide else "<I", data, 40 if wide else 32)
    entry, count = struct.unpack_from("<HH", data, 58 if wide else 46)
    for at in range(table, table + entry * count, entry or 1):
        # name, type, flags, address, offset, size, link
        fields = struct.unpack_from("<IIQQQQI" if wide else "<IIIIIII", data, at)
        yield _Section(fields[1], fields[2], *fields[4:])
