"""What the cross compiler makes of a model: the linked image by section, and the deepest stack by its call graph.

The generated directory is compiled for the target and linked with a main() that does nothing but run the model; what
the linker drops is not counted, nor is main().
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import emit, toolchain
from .driver import Artifact
from .errors import ToolError
from .kernels.base import Field
from .toolchain import Compiler

OPTIMIZE = ("-O2",)
ROUNDS = 3  # of fitted
CALLS = 10  # the GCC that has -fcallgraph-info
INDIRECT = "__indirect_call"  # GCC's name for what a function pointer calls
_cache: dict[str, Measured] = {}


@dataclass(frozen=True)
class Measured:
    """Bytes of flash by what they are, and the stack of one call of <model>_run; None if the compiler cannot say."""

    compiler: str
    weights: int
    tables: int  # other constants: multipliers, offsets, parameter structs
    kernels: int  # the model's and the kernels' code
    library: int  # of the compiler: division, memcpy
    total: int
    stack: int | None


def measure(artifact: Artifact, cc: Compiler | None = None) -> Measured:
    """Compile and link for the artifact's target. ToolError E501 without a cross compiler, E502, E504."""
    cc = cc or toolchain.arm_gcc()
    name, flags = artifact.name, [*artifact.target.flags, *OPTIMIZE]
    graph = artifact.program.graph
    # No known-answer vectors: they are not in the product.
    none = [[np.zeros((0, *v.type.shape), v.type.dtype.numpy) for v in p] for p in (graph.inputs, graph.outputs)]
    emitted = emit.emit(artifact.program, artifact.plan, *none)
    sources = {k: v for k, v in emitted.items() if k.endswith((".c", ".S", ".h"))}
    key = hashlib.sha256(repr((cc, flags, sorted(sources.items()))).encode()).hexdigest()
    if key in _cache:
        return _cache[key]
    call_graph = cc.kind == "gcc" and int(cc.version.split(".")[0]) >= CALLS
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        there = Path(work)
        for file, content in sources.items():
            (there / file).write_text(content)
        arguments = ", ".join(["m"] * (1 + len(graph.inputs) + len(graph.outputs)))
        (there / "mcugen_main.c").write_text(
            f'#include "{name}.h"\n'
            "int main(void);\nextern void *volatile m;\nvoid *volatile m;\n"  # no arena: it may be too large to link
            f"int main(void)\n{{\n    {name}_run({arguments});\n    return 0;\n}}\n"
        )
        split = ["-ffunction-sections", "-fdata-sections", *(["-fcallgraph-info=su"] if call_graph else [])]
        files = sorted(p for p in there.iterdir() if p.suffix in (".c", ".S"))
        objects = toolchain.compile(cc, files, there, flags=[*flags, *split], include=[there])
        link = ["-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,--entry=main"]
        image = toolchain.link(cc, objects, there / "image", flags=[*flags, *link])
        sizes, symbols = toolchain.object_sizes(image), toolchain.symbol_sizes(image)
        stack = None
        if call_graph:
            frames, calls = _graph("\n".join(p.read_text() for p in sorted(there.glob("*.ci"))))
            known = _library(toolchain.disassemble(cc, image))
            # Where the core has no such function, its name is a macro for the definition in C.
            named = [(f.function, s.kernel.stem) for s in artifact.program.steps for f in s.bound.members if f.function]
            calls[INDIRECT] = {f if f in symbols else f"mcugen1_{stem}_ref" for f, stem in named}
            if not calls[INDIRECT]:
                frames[INDIRECT] = 0  # all pointers are null
            stack = deepest(f"{name}_run", {**known[0], **frames}, {**known[1], **calls})
    weights = sum(_weights(s.bound.members) for s in artifact.program.steps)
    code = {n: size for n, (kind, size) in symbols.items() if kind == "function"}
    own = sum(size for n, size in code.items() if n.startswith((f"{name}_", "mcugen")))
    text = sizes["text"] - code.get("main", 0)
    ours = sum(size for n, (kind, size) in symbols.items() if kind == "object" and n != "m")
    total = text + sizes["rodata"] + sizes["data"]
    kernels = min(own, text)
    found = Measured(cc.version, weights, ours - weights, kernels, total - ours - kernels, total, stack)
    _cache[key] = found
    return found


def fitted(
    compiled: Callable[[int | None, int | None], Artifact], max_flash: int | None, max_ram: int | None
) -> tuple[Artifact, Measured]:
    """What `compiled` makes for limits of flash and RAM, and its measurement: anew, with less, until it keeps them.

    Selection knows estimates; what is linked is larger, and the stack is RAM too. Raises as measure does.
    """
    flash, ram = max_flash, max_ram
    for _ in range(ROUNDS):
        artifact = compiled(flash, ram)
        found, t = measure(artifact), artifact.report["totals"]
        over_flash = found.total - max_flash if max_flash is not None else 0
        over_ram = t["ram_bytes"] + (found.stack or 0) - max_ram if max_ram is not None else 0
        if max(over_flash, over_ram) <= 0:
            break
        if over_flash > 0:
            flash = max(0, t["flash_bytes_estimated"] - over_flash)
        if over_ram > 0:
            ram = max(0, t["ram_bytes"] - over_ram)
    return artifact, found


def _weights(fields: Iterable[Field]) -> int:
    return sum(f.value.nbytes for f in fields if f.name == "weights" and isinstance(f.value, np.ndarray))


def _graph(text: str) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Frames and calls from GCC's call graph files. ToolError E504 for a frame without a bound."""
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    for title, label in re.findall(r'^node: \{ title: "([^"]*)" label: "([^"]*)"', text, re.M):
        if said := re.search(r"(\d+) bytes \(([a-z,]+)\)", label):
            if said[2] not in ("static", "dynamic,bounded"):
                raise ToolError("E504", f"its frame is {said[2]}", where=title)
            frames[title] = int(said[1])
    for source, target in re.findall(r'^edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"', text, re.M):
        calls.setdefault(source, set()).add(target)
    return frames, calls


_PUSH = re.compile(r"\t(v?push(?:\.w)?|stmdb(?:\.w)?\tsp!,)\s*\{([^}]*)\}")
_LOWER = re.compile(r"\tsub(?:w|\.w)?\tsp, (?:sp, )?#(\d+)|\tstr(?:d|\.w)?\t.*\[sp, #-(\d+)\]!")
_THROUGH = re.compile(r"\tblx\tr\d")
_BRANCH = re.compile(r"\tbl?(?:[a-z]{2})?(?:\.[nw])?\t[0-9a-f]+ <([^>+]+)>")


def _library(text: str) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Frames and calls of every function of a disassembly: an upper bound, all pushes of a function summed."""
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    here = ""
    for line in text.splitlines():
        if head := re.match(r"[0-9a-f]+ <([^>]+)>:$", line):
            here = head[1]
            frames[here], calls[here] = 0, set()
        elif pushed := _PUSH.search(line):
            frames[here] += (8 if pushed[1].startswith("v") else 4) * _registers(pushed[2])
        elif lowered := _LOWER.search(line):
            frames[here] += int(lowered[1] or lowered[2])
        elif (target := _BRANCH.search(line)) and target[1] != here:
            calls[here].add(target[1])
        elif _THROUGH.search(line):
            calls[here].add(INDIRECT)
    return frames, calls


def _registers(text: str) -> int:
    """How many registers `r4, r5-r7, lr` are."""
    n = 0
    for part in text.split(","):
        ends = [int(d) for d in re.findall(r"\d+", part)]
        n += ends[1] - ends[0] + 1 if "-" in part else 1
    return n


def deepest(root: str, frames: Mapping[str, int], calls: Mapping[str, set[str]]) -> int:
    """Bytes of the deepest chain of calls from root. ToolError E504 for recursion and for unknown functions."""
    done: dict[str, int] = {}

    def walk(f: str, above: tuple[str, ...]) -> int:
        if f in above:
            raise ToolError("E504", "recursion: " + " -> ".join((*above[above.index(f) :], f)), where=root)
        if f not in done:
            if f not in frames and not (f == INDIRECT and calls.get(f)):
                raise ToolError("E504", f"nothing is known of the stack of {f}", where=root)
            done[f] = frames.get(f, 0) + max((walk(c, (*above, f)) for c in sorted(calls.get(f, ()))), default=0)
        return done[f]

    return walk(root, ())
