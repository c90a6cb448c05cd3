"""The intermediate representation: a straight-line, typed, single-assignment program over integer tensors.

    graph  ::= Graph(name, inputs: value*, nodes: node*, outputs: value*)
    node   ::= Node(op, inputs: value*, output: value, acc: (lo, hi)?)
    op     ::= one frozen dataclass of typed attributes per operator, see mcugen/ops
    value  ::= Value(name, type: tensor, data?)      data: a constant in flash; none: an activation in RAM
    tensor ::= Tensor(dtype, shape, quant?)          shape without the batch: (C, H, W) or (N,)
    quant  ::= Quant(scale, zero_point)              real = scale * (q - zero_point)

Nothing computes here. Values are compared by identity; a pass that changes one makes a new one.
"""

from __future__ import annotations

import json
import re
import reprlib
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import GraphError

Array = npt.NDArray[Any]


class DType(Enum):
    """Element types: U1..U8 activations, I16 and I32 outputs and constants, T (ternary), I4, I8 weights."""

    U1 = "u1"
    U2 = "u2"
    U3 = "u3"
    U4 = "u4"
    U5 = "u5"
    U6 = "u6"
    U7 = "u7"
    U8 = "u8"
    I16 = "i16"
    I32 = "i32"
    T = "t"
    I4 = "i4"
    I8 = "i8"

    @property
    def lo(self) -> int:
        """The smallest value."""
        if self is DType.T:
            return -1
        return 0 if self.value[0] == "u" else -(1 << int(self.value[1:]) - 1)

    @property
    def hi(self) -> int:
        """The largest value."""
        if self is DType.T:
            return 1
        bits = int(self.value[1:])
        return (1 << bits) - 1 if self.value[0] == "u" else (1 << bits - 1) - 1

    @property
    def unsigned(self) -> bool:
        """True for the activation types U1..U8."""
        return self.value[0] == "u"

    @property
    def numpy(self) -> np.dtype[Any]:
        """How logical values lie in numpy arrays."""
        if self.unsigned:
            return np.dtype(np.uint8)
        return np.dtype({"i16": np.int16, "i32": np.int32}.get(self.value, np.int8))

    @property
    def bytes(self) -> int:
        """Bytes of one element of an unpacked activation."""
        return self.numpy.itemsize


@dataclass(frozen=True)
class Quant:
    """real = scale * (q - zero_point); scale for the tensor, or one per output channel."""

    scale: float | tuple[float, ...]
    zero_point: int = 0


@dataclass(frozen=True)
class Tensor:
    """A type: element type, shape without the batch, quantisation."""

    dtype: DType
    shape: tuple[int, ...]
    quant: Quant | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        n = 1
        for d in self.shape:
            n *= d
        return n

    @property
    def bytes(self) -> int:
        """Bytes of the unpacked elements."""
        return self.size * self.dtype.bytes

    @property
    def zero_point(self) -> int:
        """The stored value of real zero; 0 where no quantisation is known."""
        return self.quant.zero_point if self.quant else 0

    def __str__(self) -> str:
        return f"{self.dtype.value}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True, eq=False)
class Value:
    """A named tensor; the name is the torch, ONNX or TFLite one, so that errors can point at it."""

    name: str
    type: Tensor
    data: Array | None = None

    @property
    def const(self) -> Array:
        """The data of a constant."""
        assert self.data is not None, self.name
        return self.data


@dataclass(frozen=True)
class Out:
    """What a requantising operator produces: type, quantisation and the limits of the clamp."""

    dtype: DType
    quant: Quant
    lo: int
    hi: int

    @staticmethod
    def full(dtype: DType, scale: float | tuple[float, ...] = 1.0, zero_point: int = 0) -> Out:
        """The whole range of `dtype`."""
        return Out(dtype, Quant(scale, zero_point), dtype.lo, dtype.hi)


@dataclass(frozen=True, eq=False)
class Range:
    """Proven integer limits of a value: int64 arrays lo and hi, an entry per channel (axis 0).

    After a flatten there may be fewer entries than elements: entry i holds for the i-th equal block in C order.
    Ranges of equal limits are equal, and may be keys; nobody changes the arrays.
    """

    lo: Array
    hi: Array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[bytes, bytes]:
        return np.asarray(self.lo, np.int64).tobytes(), np.asarray(self.hi, np.int64).tobytes()

    @property
    def span(self) -> tuple[int, int]:
        """(smallest, largest) over all channels."""
        return int(self.lo.min()), int(self.hi.max())


class Op:
    """Base of all operators; a subclass is a frozen dataclass and the sole Python home of its operator."""

    def infer(self, *inputs: Tensor) -> Tensor:
        """The output's type; GraphError E201 if the inputs do not fit."""
        raise NotImplementedError

    def eval(self, *inputs: Array) -> Array:
        """The definition, integers only. Activations have a leading batch axis, constants have none."""
        raise NotImplementedError

    def macs(self, *inputs: Tensor) -> int:
        """Dense multiply-accumulates of one inference."""
        return 0

    def bounds(self, *inputs: Range | Array) -> tuple[Range, Range]:
        """Proven (accumulator, output) limits, from the ranges of activations and the data of constants.

        The accumulator's limits hold for every partial sum in any order of its terms.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Node:
    """output = op(*inputs); acc: proven limits of every accumulator, set by the `bounds` pass."""

    op: Op
    inputs: tuple[Value, ...]
    output: Value
    acc: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """A node is named after what it produces."""
        return self.output.name

    @property
    def args(self) -> tuple[Value, ...]:
        """The activation inputs."""
        return tuple(v for v in self.inputs if v.data is None)


@dataclass(frozen=True, eq=False)
class Graph:
    """A whole network; nodes stand in an order in which they can run."""

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]

    @property
    def constants(self) -> Iterator[Value]:
        """Every constant once, in order of first use."""
        seen: set[int] = set()
        for node in self.nodes:
            for v in node.inputs:
                if v.data is not None and id(v) not in seen:
                    seen.add(id(v))
                    yield v

    def uses(self, value: Value) -> tuple[Node, ...]:
        """The nodes that read `value`."""
        return tuple(n for n in self.nodes if any(v is value for v in n.inputs))


# Attributes as JSON values: the archive and the text form share this.


def encode(x: Any) -> Any:
    """A frozen dataclass, tuple, enum or plain value as something JSON can hold."""
    if isinstance(x, DType):
        return x.value
    if is_dataclass(x):
        return {f.name: encode(getattr(x, f.name)) for f in fields(x)}
    if isinstance(x, tuple):
        return [encode(v) for v in x]
    return x


def decode(hint: Any, x: Any, where: str) -> Any:
    """The inverse of `encode` for the type `hint`; GraphError E206 for anything of another form."""
    if isinstance(hint, types.UnionType):
        if x is None and type(None) in hint.__args__:
            return None
        for arm in hint.__args__:
            if arm is not type(None):
                try:
                    return decode(arm, x, where)
                except GraphError:
                    continue
    elif typing.get_origin(hint) is tuple and isinstance(x, list):
        args = typing.get_args(hint)
        kinds = args[:1] * len(x) if args[-1] is Ellipsis else args
        if len(kinds) == len(x):
            return tuple(decode(k, v, where) for k, v in zip(kinds, x, strict=True))
    elif hint is DType and isinstance(x, str) and x in {d.value for d in DType}:
        return DType(x)
    elif is_dataclass(hint) and isinstance(hint, type) and isinstance(x, dict):
        hints = typing.get_type_hints(hint)
        names = [f.name for f in fields(hint)]
        if set(x) == set(names):
            return hint(**{n: decode(hints[n], x[n], f"{where}.{n}") for n in names})
    elif hint is float and type(x) in (int, float) and abs(x) <= sys.float_info.max:  # NaN is not
        return float(x)
    elif hint in (int, bool, str) and type(x) is hint:
        return x
    raise GraphError("E206", f"{reprlib.repr(x)[:60]} is not of type {getattr(hint, '__name__', hint)}", where=where)


# The text form: one line per value, constants with their data, everything needed to read it back.

_TRITS = {-1: "-", 0: "0", 1: "+"}


def _text_data(v: Value, elide: int | None) -> str:
    if elide is not None and v.type.size > elide:
        return "..."
    if v.type.dtype is DType.T:
        return '"' + "".join(_TRITS[int(x)] for x in v.const.ravel()) + '"'
    return "[" + ", ".join(str(int(x)) for x in v.const.ravel()) + "]"


def _text_type(t: Tensor) -> str:
    return str(t) + (f" {json.dumps(encode(t.quant))}" if t.quant else "")


def text(graph: Graph, elide: int | None = None) -> str:
    """The graph as text; with `elide`, constants of more elements print as `...` and do not read back."""
    lines = [f"graph {graph.name}"]
    lines += [f"input %{v.name}: {_text_type(v.type)}" for v in graph.inputs]
    lines += [f"const %{v.name}: {_text_type(v.type)} = {_text_data(v, elide)}" for v in graph.constants]
    for n in graph.nodes:
        args = ", ".join(f"%{v.name}" for v in n.inputs)
        acc = f" acc [{n.acc[0]}, {n.acc[1]}]" if n.acc else ""
        call = f"{type(n.op).__name__}({args}) {json.dumps(encode(n.op))}"
        lines.append(f"node %{n.name}: {_text_type(n.output.type)} = {call}{acc}")
    lines += [f"output %{v.name}" for v in graph.outputs]
    return "\n".join(lines) + "\n"


NAME = re.compile(r"[A-Za-z0-9_.:/\-]{1,200}")
_TYPE = r"(?P<dtype>\w+)\[(?P<shape>[\d,]*)\](?: (?P<quant>\{.*?\}))?"
_INPUT = re.compile(rf"input %(?P<name>\S+): {_TYPE}")
_CONST = re.compile(rf"const %(?P<name>\S+): {_TYPE} = (?P<data>\".*\"|\[.*\])")
_NODE = re.compile(
    rf"node %(?P<name>\S+): {_TYPE} = (?P<op>\w+)\((?P<args>[^)]*)\) (?P<attrs>\{{.*\}})"
    r"(?: acc \[(?P<lo>-?\d+), (?P<hi>-?\d+)\])?"
)


def parse(source: str, ops: Mapping[str, type[Op]]) -> Graph:
    """Read the text form back; GraphError E206 names the line."""
    name = ""
    values: dict[str, Value] = {}
    inputs: list[Value] = []
    nodes: list[Node] = []
    outputs: list[Value] = []

    for number, raw in enumerate(source.splitlines(), 1):
        line, where = raw.strip(), f"line {number}"
        if not line or line.startswith("#"):
            continue
        word = line.split(" ", 1)[0]
        try:
            if word == "graph":
                name = line.split(" ", 1)[1]
            elif word == "input" and (m := _INPUT.fullmatch(line)):
                v = _define(values, m, None, where)
                inputs.append(v)
            elif word == "const" and (m := _CONST.fullmatch(line)):
                _define(values, m, m["data"], where)
            elif word == "node" and (m := _NODE.fullmatch(line)):
                args = tuple(values[a.strip()[1:]] for a in m["args"].split(",") if a.strip())
                op = decode(ops[m["op"]], json.loads(m["attrs"]), where)
                acc = (int(m["lo"]), int(m["hi"])) if m["lo"] else None
                nodes.append(Node(op, args, _define(values, m, None, where), acc))
            elif word == "output":
                outputs.append(values[line.split("%", 1)[1]])
            else:
                raise GraphError("E206", f"cannot read {line[:60]!r}", where=where)
        except (LookupError, ValueError, TypeError, OverflowError, RecursionError) as e:
            raise GraphError("E206", f"cannot read {line[:60]!r}: {e}", where=where) from None
    return Graph(name, tuple(inputs), tuple(nodes), tuple(outputs))


def _define(values: dict[str, Value], m: re.Match[str], data: str | None, where: str) -> Value:
    dtype = decode(DType, m["dtype"], where)
    shape = tuple(int(d) for d in m["shape"].split(",") if d)
    quant = decode(Quant, json.loads(m["quant"]), where) if m["quant"] else None
    array = None
    if data is not None:
        flat = ["-0+".index(c) - 1 for c in data[1:-1]] if data[0] == '"' else json.loads(data)
        if any(type(x) is not int for x in flat):
            raise ValueError("constants are lists of integers")
        array = np.array(flat, dtype.numpy).reshape(shape)
    if m["name"] in values:
        raise GraphError("E202", f"%{m['name']} is defined twice", where=where)
    values[m["name"]] = Value(m["name"], Tensor(dtype, shape, quant), array)
    return values[m["name"]]
