"""Runs a generated directory on this machine: as a library, and as a test program under sanitisers.

What a generated directory owes its tests stands in firmware/test/guarded.h, what the test program reads and
prints in firmware/test/kat.c; write_vectors and read_result are the other end of that.
"""

from __future__ import annotations

import ctypes
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import resources, toolchain
from ..errors import MismatchError, OutputError, ToolError
from ..toolchain import Compiler

Bytes = npt.NDArray[np.uint8]

SANITIZE = (
    "-g",
    "-O1",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
OPTIMIZE = ("-O2",)

_MAGIC = b"MKAT"
_VERSION = 1
_FLAG_TRACE = 1
_UNUSABLE = 2  # the exit status of kat.c for files that it cannot take
_DAMAGE = {1: "wrote outside of the model struct", 2: "wrote outside of y", 4: "changed its input"}


@dataclass(frozen=True)
class Trace:
    """What memory held after each step: arena (N, steps, arena_bytes), y (N, steps, out_bytes)."""

    arena: Bytes
    y: Bytes


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong: a wrong byte, or where index is None what text says."""

    text: str
    vector: int | None = None
    index: int | None = None
    got: int | None = None
    want: int | None = None


@dataclass(frozen=True)
class Result:
    """One run of kat.c; outputs (n, out_bytes) has a row per vector that was streamed and answered.

    stack_bytes: the deepest stack, main() included; None on the host and after a crash.
    """

    passed: bool
    failures: tuple[Failure, ...]
    outputs: Bytes
    text: str
    stack_bytes: int | None
    trace: Trace | None


# ---- the files and the text of kat.c ----


def write_vectors(path: Path, x: Bytes, want: Bytes, *, trace: bool = False) -> None:
    """Writes kat.bin: inputs (N, in_bytes) with their expected outputs (N, out_bytes)."""
    if x.ndim != 2 or want.ndim != 2 or len(x) != len(want) or x.dtype != np.uint8 or want.dtype != np.uint8:
        shapes = f"{x.dtype}{x.shape} and {want.dtype}{want.shape}"
        raise OutputError("E704", f"vectors and expected outputs must be uint8 (N, bytes), not {shapes}")
    flags = _FLAG_TRACE if trace else 0
    head = np.array([_VERSION, len(x), x.shape[1], want.shape[1], flags], "<u4")
    path.write_bytes(_MAGIC + head.tobytes() + np.concatenate([x, want], axis=1).tobytes())


def place_vectors(cwd: Path, x: Bytes | None, want: Bytes | None, trace: bool) -> None:
    """Gives kat.c its kat.bin; without x and want none, so that it takes the embedded vectors."""
    if x is not None and want is not None:
        write_vectors(cwd / "kat.bin", x, want, trace=trace)
    elif x is not None or want is not None or trace:
        raise OutputError("E704", "vectors, their expected outputs and a trace come together")


def read_result(cwd: Path, status: int, text: str) -> Result:
    """The Result of a kat.c that ended in cwd with a status; raises E503 or E704 if it gave no verdict."""
    head = re.search(r"^kat .* in (\d+) out (\d+) steps (\d+) arena (\d+)$", text, re.M)
    verdict = re.search(r"^(PASS|FAIL) \d+", text, re.M)
    crash = _crash(status, text) if head else None
    if refused := re.search(r"^ERROR (.*)$", text, re.M):
        code = "E704" if "another size" in refused[1] else "E503"
        kind = OutputError if code == "E704" else ToolError
        raise kind(code, f"the test program refused: {refused[1]}\n{toolchain.first_lines(text)}")
    if crash is None and (head is None or verdict is None):
        said = toolchain.first_lines(text) or "nothing"
        message = f"the test program ended with status {status} and no verdict; it said\n{said}"
        raise ToolError("E503", message)
    failures = [_failure(line) for line in re.findall(r"^vector \d+: .*$", text, re.M)]
    if crash is not None:
        failures.append(Failure(crash))
    stack = re.search(r"^stack (\d+)$", text, re.M)
    out, steps, arena = map(int, head.groups()[1:]) if head else (0, 0, 0)
    return Result(
        passed=status == 0 and verdict is not None and verdict[1] == "PASS" and not failures,
        failures=tuple(failures),
        outputs=_rows(cwd / "out.bin", out),
        text=text,
        stack_bytes=int(stack[1]) if stack else None,
        trace=_read_trace(cwd / "trace.bin", steps, arena, out),
    )


def _failure(line: str) -> Failure:
    found = re.fullmatch(r"vector (\d+): byte (\d+): got (\d+), want (\d+)", line)
    if found:
        return Failure(line, *map(int, found.groups()))
    return Failure(line, vector=int(line.split()[1].rstrip(":")))


def _crash(status: int, text: str) -> str | None:
    for pattern in (
        r"^FAULT.*$",
        r"^qemu: fatal: .*$",  # a lock-up: a fault in the fault handler
        r"^.*ERROR: AddressSanitizer: .*$",
        r"^.*WARNING: MemorySanitizer: .*$",
        r"^.*: runtime error: .*$",
    ):
        if found := re.search(pattern, text, re.M):
            return found[0]
    return f"killed by signal {-status}" if status < 0 else None


def _rows(path: Path, width: int) -> Bytes:
    if not width or not path.is_file():
        return np.zeros((0, width), np.uint8)
    data = np.fromfile(path, np.uint8)
    return data[: len(data) // width * width].reshape(-1, width)


def _read_trace(path: Path, steps: int, arena: int, out: int) -> Trace | None:
    return _trace(_rows(path, steps * (arena + out)), steps, arena) if path.is_file() else None


def _trace(rows: Bytes, steps: int, arena: int) -> Trace:
    both = rows.reshape(len(rows), steps, -1)
    return Trace(both[:, :, :arena], both[:, :, arena:])


# ---- programs ----


def sources_of(directory: Path, suffixes: Sequence[str] = (".c",)) -> list[Path]:
    """The sources of a generated directory, sorted; raises E701 when it has none."""
    try:
        found = sorted(path for path in directory.iterdir() if path.suffix in suffixes)
    except OSError as error:
        raise OutputError("E701", error.strerror or str(error), where=str(directory)) from error
    if not found:
        raise OutputError("E701", "holds no C files", where=str(directory))
    return found


def kat_defines(directory: Path, name: str) -> dict[str, str]:
    """What kat.c and batch.c are compiled with; raises E701 when the directory is not that model's."""
    header = f"{name}_kat.h"
    if not (directory / header).is_file():
        raise OutputError("E701", f"has no {header}", where=str(directory))
    return {"MCUGEN_KAT": f'"{header}"'}


def build_exe(
    sources: Sequence[Path],
    include: Sequence[Path],
    defines: Mapping[str, str],
    out: Path,
    *,
    flags: Sequence[str] = OPTIMIZE,
    cc: Compiler | None = None,
) -> Path:
    """Links sources with the host's port; firmware/port is on the include path. Raises E501, E502."""
    cc = cc or toolchain.host_cc()
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        objects = toolchain.compile(
            cc,
            [*sources, resources.PORT / "host" / "port.c"],
            Path(work),
            flags=flags,
            include=[*include, resources.PORT],
            defines=defines,
        )
        return toolchain.link(cc, objects, out, flags=flags)


def run_exe(exe: Path, cwd: Path, timeout: float = 60.0) -> tuple[int, str]:
    """Exit status and text of a program built by build_exe; raises E503 when it does not end."""
    # Leaks are not looked for: there is no heap to leak, and the search fails in containers without ptrace.
    env = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=0"}
    return toolchain.call([str(exe.resolve())], code="E503", timeout=timeout, cwd=cwd, env=env)


def run_kat(
    directory: Path,
    name: str,
    vectors: Bytes | None = None,
    want: Bytes | None = None,
    trace: bool = False,
    *,
    flags: Sequence[str] = SANITIZE,
    cc: Compiler | None = None,
    timeout: float = 60.0,
) -> Result:
    """Runs kat.c in a process of its own, by default under sanitisers, on vectors or on the embedded ones."""
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        cwd = Path(work)
        place_vectors(cwd, vectors, want, trace)
        sources = [*sources_of(directory), resources.TEST / "kat.c"]
        exe = build_exe(sources, [directory], kat_defines(directory, name), cwd / "kat", flags=flags, cc=cc)
        return read_result(cwd, *run_exe(exe, cwd, timeout))


# ---- library ----


class HostModel:
    """A generated model in this process: fast, but wild code takes the process with it (run_kat does not).

    Not for several threads at once.
    """

    name: str
    in_bytes: int
    out_bytes: int
    steps: int
    arena_bytes: int

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        flags: Sequence[str] = OPTIMIZE,
        cc: Compiler | None = None,
    ) -> None:
        self.name = name
        cc = cc or toolchain.host_cc()
        suffix = ".dylib" if sys.platform == "darwin" else ".so"
        # The loader knows libraries by name and inode. A temporary directory gives a fresh name, and the
        # inode lives as long as the mapping does, so the file may go.
        with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
            # Hidden: a second library with the same kernels must not see this one's.
            shared = [*flags, "-fPIC", "-fvisibility=hidden"]
            objects = toolchain.compile(
                cc,
                [*sources_of(directory), resources.TEST / "batch.c"],
                Path(work),
                flags=shared,
                include=[directory],
                defines=kat_defines(directory, name),
            )
            path = toolchain.link(cc, objects, Path(work) / f"{name}{suffix}", flags=[*shared, "-shared"])
            self._library = ctypes.CDLL(str(path))
        sizes = (ctypes.c_uint32 * 5).in_dll(self._library, "mcugen_batch_sizes")
        self.in_bytes, self.out_bytes, self.steps, self.arena_bytes, _ = sizes

    def run(self, x: Bytes) -> Bytes:
        """Outputs (N, out_bytes) of inputs (N, in_bytes); raises E704, and E601 for writes out of bounds."""
        return self._batch(x, None)

    def trace(self, x: Bytes) -> Trace:
        """Memory after each step of inputs (N, in_bytes); the last y is the output. Raises as run does."""
        memory = np.zeros((len(x), self.steps * (self.arena_bytes + self.out_bytes)), np.uint8)
        self._batch(x, memory)
        return _trace(memory, self.steps, self.arena_bytes)

    def _batch(self, x: Bytes, trace: Bytes | None) -> Bytes:
        if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != self.in_bytes:
            message = f"input must be uint8 (N, {self.in_bytes}), not {x.dtype}{x.shape}"
            raise OutputError("E704", message)
        x = np.ascontiguousarray(x)
        y = np.zeros((len(x), self.out_bytes), np.uint8)
        vector = ctypes.c_uint32()
        memory = None if trace is None else ctypes.c_void_p(trace.ctypes.data)
        bad = self._library.mcugen_batch(
            ctypes.c_uint32(len(x)),
            ctypes.c_void_p(x.ctypes.data),
            ctypes.c_void_p(y.ctypes.data),
            memory,
            ctypes.byref(vector),
        )
        if bad:
            what = ", ".join(text for bit, text in _DAMAGE.items() if bad & bit)
            raise MismatchError("E601", f"vector {vector.value}: {what}", where=self.name)
        return y
