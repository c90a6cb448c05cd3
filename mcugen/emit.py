"""Program and Plan -> {file name: text}. Pure: no clock, no path, no set order. The only file that imports jinja2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np

from . import __version__, layout, resources
from .errors import TargetError
from .ir import Array, Graph, Quant, Value
from .kernels.base import Field
from .ops.pixels import Pixels
from .plan import Plan
from .program import Buffer, Program, Step

KERNELS_VERSION = 1  # of the kernel interface: MCUGEN_KERNELS_VERSION in mcugen.h
PER_LINE = 112  # columns of table text
Files = dict[str, str]
# What makes the directory a library: of PlatformIO, of Arduino, for CMake, for Zephyr.
LIBRARY_FILES = (
    "README.md",
    "library.json",
    "library.properties",
    "CMakeLists.txt",
    "zephyr/module.yml",
    "zephyr/CMakeLists.txt",
    "zephyr/Kconfig",
)

_KEYWORDS = frozenset(
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const const_cast
    constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern false float
    for friend goto if inline int linux long mutable namespace new noexcept not not_eq nullptr operator or or_eq
    private protected public register reinterpret_cast restrict return short signed sizeof static static_assert
    static_cast struct switch template this thread_local throw true try typedef typeid typename union unix unsigned
    using virtual void volatile wchar_t while xor xor_eq main m x y step arena in""".split()  # noqa: SIM905
)
_HEADERS = frozenset(
    """arduino assert complex ctype errno fenv float guarded harness inttypes iso646 kat limits locale math memory new
    port setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath
    threads time uchar unistd wchar wctype""".split()  # noqa: SIM905
)
_TAKEN = _KEYWORDS - {"x", "y"} | {"model"}  # what an argument cannot be called; README.md has a variable `model`
_FORMS = {1: ("uint8_t", "unsigned 8-bit"), 2: ("int16_t", "signed 16-bit"), 4: ("int32_t", "signed 32-bit")}


@dataclass(frozen=True)
class Table:
    """A constant array in flash."""

    name: str
    ctype: str
    count: int
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Member:
    """A member of a parameter struct, as a comment and an initialiser."""

    name: str
    text: str


@dataclass(frozen=True)
class Pointer:
    """A buffer in the arena: a line of the memory map."""

    name: str
    offset: int
    note: str


@dataclass(frozen=True)
class Call:
    """A step: its constant struct and the call of its kernel."""

    name: str
    struct: str
    members: tuple[Member, ...]
    inputs: str  # of a kernel that takes an array of pointers: its initialiser
    call: str
    note: str
    label: str  # the step's name, a C string literal


def emit(program: Program, plan: Plan, samples: Sequence[Array], expected: Sequence[Array]) -> Files:
    """The generated directory but its report. samples, expected: the known-answer vectors, (N, *shape) of each port.

    TargetError E403 as check_interface, and for scales that are no float.
    """
    graph = program.graph
    check_interface(graph)
    inputs, outputs = interface(graph)
    arguments = {("x", i): p.arg for i, p in enumerate(inputs)} | {("y", i): p.arg for i, p in enumerate(outputs)}

    names = _identifiers(program, {graph.name, *arguments.values()})
    used = {(b.place, b.port) for b in program.buffers}
    names |= {b: arguments[b.place, b.port] for b in program.buffers if b.place != "arena"}
    prefixes = _table_prefixes(program)
    tables: list[Table] = []
    calls = tuple(_call(i, s, program, plan, names, prefixes[s], tables) for i, s in enumerate(program.steps))
    kernels = kernel_files(program)
    own = (f"{graph.name}.c", f"{graph.name}_weights.c")
    sources = sorted((*own, *(k for k in kernels if k.endswith((".c", ".S")))))
    view = {
        "name": graph.name,
        "NAME": graph.name.upper(),
        "version": __version__,
        "kernels_version": KERNELS_VERSION,
        "core": program.core.name,
        "tables": tables,
        "calls": calls,
        "pointers": tuple(_pointers(program, plan, names)),
        "stems": sorted({s.kernel.stem for s in program.steps}),
        "parts": _parts_where(program),
        "unpackers": bool(_unpackers(program)),
        **interface_view(inputs, outputs),
        "unused": [a for key, a in arguments.items() if key not in used],
        "arena_bytes": max(4, -(-plan.arena // 4) * 4),
        "arena_words": max(1, -(-plan.arena // 4)),
        "weight_bytes": program.table_bytes,
        "macs": sum(s.node.op.macs(*(v.type for v in s.node.inputs)) for s in program.steps if s.node),
        "cycles": round(program.cycles),
        "kat": _vectors(
            layout.vectors([v.type for v in graph.inputs], samples),
            layout.vectors([v.type for v in graph.outputs], expected),
        ),
        "sources": sources,
        "assembles": any(s.endswith(".S") for s in sources),
    }
    suffixes = (".h", "model.h"), (".c", "model.c"), ("_weights.h",) * 2, ("_weights.c",) * 2, ("_kat.h",) * 2
    files = {f"{graph.name}{suffix}": render(template.removeprefix("_"), view) for suffix, template in suffixes}
    for file in LIBRARY_FILES:
        files[file] = render(file.replace("/", "_"), view)
    return files | kernels


def render(template: str, view: dict[str, Any]) -> str:
    """The text of templates/<template>.j2."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.TEMPLATES),
        undefined=jinja2.StrictUndefined,
        line_statement_prefix="%%",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(f"{template}.j2").render(view)


def check_interface(graph: Graph) -> None:
    """TargetError E403 for what the generated interface cannot say: inputs wider than bytes, reserved names."""
    for x in graph.inputs:
        if x.type.dtype.bytes != 1:
            raise TargetError("E403", f"the generated code takes bytes, not {x.type}", where=x.name)
    if _reserved(graph.name):
        raise TargetError("E403", "the model's name is reserved in C", where=graph.name, hint="choose another name")
    if (lower := graph.name.lower()) != graph.name:  # Net and net would share NET_IN_LEN, and net.h on some disks
        message = "a model's name is in lower case, its macros are in upper case"
        raise TargetError("E403", message, where=graph.name, hint=f"--name {lower}")


def _reserved(name: str) -> bool:
    """True if a struct, macro or file of this name would hide one of C's, of the kernels' or of the tests'."""
    lower = name.lower()  # some file systems do not tell Linear.h from linear.h
    stems = {p.stem for p in resources.KERNELS.iterdir()}
    return (
        re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is None
        or name in _KEYWORDS
        or lower in _HEADERS | stems
        or lower.startswith("mcugen")
        or lower.endswith(("_t", "_weights", "_kat"))  # net_weights.h is a file of the model net
    )


def kernel_files(program: Program) -> Files:
    """The C sources of the kernels that a program calls, all their variants, and what they include."""
    stems = {s.kernel.stem for s in program.steps} | {n for s in program.steps for n in s.bound.needs} | _parts(program)
    wanted = ["mcugen.h", "mcugen_fixed.h"]
    if unpackers := _unpackers(program):
        wanted += ["unpack.h", *(u.removeprefix("mcugen1_") + ".c" for u in unpackers)]
    pattern = re.compile(rf"({'|'.join(sorted(map(re.escape, stems)))})(_(ref|dsp|m0|m3|thumb|mve|neon))?\.[chS]")
    wanted += [p.name for p in sorted(resources.KERNELS.iterdir()) if pattern.fullmatch(p.name)]
    return {n: (resources.KERNELS / n).read_text() for n in dict.fromkeys(wanted)}


def _parts(program: Program) -> set[str]:
    return {p.stem for s in program.steps for p in s.bound.parts}


def _parts_where(program: Program) -> dict[str, list[str]]:
    """Parts by where they are needed: everywhere (""), or as base.Part says."""
    found: dict[str, list[str]] = {"": [], "MVE": [], "OTHER": [], "THUMB2": [], "DSP": []}
    for stem in sorted(_parts(program)):
        where = {p.only for s in program.steps for p in s.bound.parts if p.stem == stem}
        found[where.pop() if len(where) == 1 else ""].append(stem)
    return found


def _unpackers(program: Program) -> list[str]:
    """The functions of unpack.h that a program takes."""
    functions = {f.function for s in program.steps for f in s.bound.fields}
    return sorted(f for f in functions if f.startswith("mcugen1_unpack_"))


def _identifiers(program: Program, used: set[str]) -> dict[Step | Buffer, str]:
    """A C name for every step and for every buffer in the arena; none of those used already."""
    taken = {*used, *_KEYWORDS}

    def name(source: str) -> str:
        base = re.sub(r"\W", "_", source)
        base = base if base[:1].isalpha() else f"n{base}"
        candidate, n = base, 1
        while candidate in taken:
            n += 1
            candidate = f"{base}_{n}"
        taken.add(candidate)
        return candidate

    # With a suffix, no layer called `abs` or `uint8_t` and no layer called as the model's functions are hides those.
    found: dict[Step | Buffer, str] = {s: name(f"{s.name}_k") for s in program.steps}
    found |= {b: name(f"{b.name}_at") for b in program.buffers if b.place == "arena"}
    return found


def _table_prefixes(program: Program) -> dict[Step, str]:
    """What the tables of each step are called, but for the field: <model>_<step>.

    Tables are external symbols, and another model may be in the program: `net` with a layer `a_b`, `net_a` with a
    layer `b`. So a step's part holds no underscore, and neither does a field's: the last two parts of a table's name
    are step and field, all before them is the model's name, and equal names mean the same model.
    """
    found: dict[Step, str] = {}
    for s in program.steps:
        base = re.sub(r"[^A-Za-z0-9]", "", s.name) or "step"
        candidate, n = base, 1
        while f"{program.graph.name}_{candidate}" in found.values():
            n += 1
            candidate = f"{base}n{n}"
        found[s] = f"{program.graph.name}_{candidate}"
    return found


def _call(
    i: int, step: Step, program: Program, plan: Plan, names: dict[Step | Buffer, str], prefix: str, tables: list[Table]
) -> Call:
    members = tuple(Member(f.name, _initialiser(f, prefix, tables)) for f in step.bound.fields)
    ports = [names[b] for b in (*step.inputs, step.output)]
    gathered = ", ".join(ports[:-1]) if step.kernel.variadic else ""
    args = [f"&{names[step]}", *(["in", ports[-1]] if gathered else ports)]
    if step.kernel.uses_scratch:
        args.append(f"arena + {plan.scratch[i]}" if i in plan.scratch else "arena")
    sources = ", ".join(str(b.type) for b in step.inputs)
    macs = step.node.op.macs(*(v.type for v in step.node.inputs)) if step.node else 0
    note = f"{sources} -> {step.output.type}" + (f", {macs} MAC" if macs else "")
    return Call(
        names[step],
        f"mcugen_{step.kernel.stem}",
        members,
        gathered,
        f"mcugen{KERNELS_VERSION}_{step.kernel.stem}({', '.join(args)})",
        note,
        _quoted(step.name),
    )


def _initialiser(f: Field, prefix: str, tables: list[Table]) -> str:
    if isinstance(f.value, tuple):
        return "{" + ", ".join(_initialiser(sub, prefix, tables) for sub in f.value) + "}"
    if isinstance(f.value, np.ndarray):
        table = Table(f"{prefix}_{f.name.replace('_', '')}", f.ctype, f.value.size, tuple(_rows(f.value, f.ctype)))
        tables.append(table)
        return table.name
    if isinstance(f.value, int):
        return _literal(f.value)
    return f.value


def _quoted(text: str) -> str:
    """A string literal of C, whatever the text holds."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\?' else f"\\{byte:03o}" for c in text for byte in c.encode())
    return f'"{plain}"'


def _literal(v: int) -> str:
    """An int literal of C; the least 32-bit number has none of its own."""
    return "-2147483647 - 1" if v == -(1 << 31) else str(v)


def _rows(data: Array, ctype: str) -> Iterator[str]:
    """Table text, as many numbers in a line as fit."""
    items = [f"0x{int(v):02x}" if ctype == "uint8_t" else _literal(int(v)) for v in data.ravel()]
    line = ""
    for item in items:
        if len(line) + len(item) > PER_LINE:
            yield line.rstrip()
            line = ""
        line += item + ", "
    yield line.rstrip()


def _pointers(program: Program, plan: Plan, names: dict[Step | Buffer, str]) -> Iterator[Pointer]:
    for b in program.buffers:
        if b.place == "arena":
            first, last = plan.lifetimes[b]
            yield Pointer(names[b], plan.offsets[b], f"{b.bytes} B, steps {first}..{last}, {b.type} {b.layout}")


@dataclass(frozen=True)
class Port:
    """An input or output of the network as its header describes it."""

    arg: str  # of the model's functions
    macro: str  # of its macros: <MODEL>_<macro>_LEN
    suffix: str  # of its conversion: <model>_<suffix>
    at: int  # its offset in a known-answer vector
    ctype: str
    form: str
    length: int
    bytes: int
    shape: str
    lo: int
    hi: int
    scale: str  # a C float literal; empty where there is no single scale
    zero_point: int


def interface(graph: Graph) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and outputs as C sees them: x and y, or where there are several, called as their values are."""
    ports = []
    one = len(graph.inputs) == len(graph.outputs) == 1
    taken = {graph.name, f"{graph.name}_run", f"{graph.name}_step"}
    for values, arg, macro, verb in ((graph.inputs, "x", "IN", "quantize"), (graph.outputs, "y", "OUT", "dequantize")):
        offsets = layout.ports([v.type for v in values])
        found = []
        for v, at in zip(values, offsets, strict=True):
            name = arg if one else _argument(v.name, taken)
            macro, suffix = (macro, verb) if one else (name.upper(), f"{name}_{verb}")
            order = "H x W x C pixels: " if any(isinstance(n.op, Pixels) for n in graph.uses(v)) else ""
            found.append(_port(v, name, macro, suffix, at, order))
        ports.append(tuple(found))
    return ports[0], ports[1]


def _argument(source: str, taken: set[str]) -> str:
    """A name for a parameter that no keyword, type, function of the model or other parameter has; adds it to `taken`.

    In lower case: macros of other headers are not, and the names of two ports differ in upper case too.
    """
    base = re.sub(r"\W", "_", source).strip("_").lower()
    base = base if base[:1].isalpha() else f"n{base}"
    if base in _TAKEN or base.endswith("_t") or base.startswith("mcugen"):
        base += "_data"
    candidate, n = base, 1
    while candidate in {t.lower() for t in taken}:
        n += 1
        candidate = f"{base}_{n}"
    taken.add(candidate)
    return candidate


def interface_view(inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> dict[str, Any]:
    """What templates know of the interface."""
    return {
        "inputs": inputs,
        "outputs": outputs,
        "one": len(inputs) == len(outputs) == 1,
        "in_bytes": sum(p.bytes for p in inputs),
        "out_bytes": sum(p.bytes for p in outputs),
    }


def _port(v: Value, arg: str, macro: str, suffix: str, at: int, order: str) -> Port:
    """An input or output as C sees it; order: of its axes, in words, where it is not C x H x W."""
    t = v.type
    ctype, form = _FORMS[t.dtype.bytes]
    quant = t.quant or Quant(1.0)
    scale = "" if isinstance(quant.scale, tuple) else _float(quant.scale, v.name)
    shape = order + " x ".join(map(str, t.shape))
    return Port(
        arg, macro, suffix, at, ctype, form, t.size, t.bytes, shape, t.dtype.lo, t.dtype.hi, scale, quant.zero_point
    )


def _float(v: float, where: str) -> str:
    with np.errstate(over="ignore", under="ignore"):
        single = np.float32(v)
    if not np.finfo(np.float32).tiny <= single <= np.finfo(np.float32).max:
        raise TargetError("E403", f"the scale {v:g} is not a normal 32-bit float", where=where)
    text = repr(float(single))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _vectors(samples: Array, expected: Array) -> list[dict[str, tuple[str, ...]]]:
    def rows(a: Array) -> tuple[str, ...]:
        return tuple(_rows(np.ascontiguousarray(a).ravel().view(np.uint8), "uint8_t"))

    return [{"x": rows(a), "y": rows(b)} for a, b in zip(samples, expected, strict=True)]
