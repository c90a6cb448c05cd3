"""The saved model: a zip of `graph.json` and `arrays.npz`. No pickle; a hostile file is only data that is refused.

graph.json: {"mcugen": 1, "name", "inputs", "nodes", "outputs", "values"}; arrays.npz: `const/<value>` for every
constant and `sample/<input>` for the quantised samples that become the known-answer vectors. docs/FORMAT.md has the
limits. A reader refuses whatever it does not know: sizes are checked before anything is unpacked or allocated.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .check import check
from .errors import ArchiveError, McugenError, OutputError
from .ir import Array, Graph, Node, Tensor, Value, decode, encode
from .ops import OPS

VERSION = 1
MAX_GRAPH = 1 << 23  # bytes of graph.json
MAX_ARRAYS = 1 << 25  # bytes of all arrays, unpacked: no microcontroller holds more
MAX_VALUES = 10_000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first date: the same model gives the same bytes
_NPY = re.compile(rb"\{'descr': '(\|i1|\|u1|<i2|<i4)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n")


@dataclass(frozen=True)
class Archive:
    """A graph and sample inputs for it: one array (N, *shape) per graph input, N may be 0."""

    graph: Graph
    samples: tuple[Array, ...]


def save(archive: Archive, path: str | os.PathLike[str]) -> None:
    """Write to a temporary file beside `path`, then rename. OutputError E702 if that is not possible."""
    path = Path(path)
    data = to_bytes(archive)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(data)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=str(path)) from None


def load(path: str | os.PathLike[str]) -> Archive:
    """Read and check an archive. OutputError E701, ArchiveError E301..E303."""
    try:
        with open(path, "rb") as f:
            data = f.read(2 * (MAX_GRAPH + MAX_ARRAYS) + 1)
    except OSError as e:
        raise OutputError("E701", f"cannot read: {e.strerror}", where=str(path)) from None
    return from_bytes(data, str(path))


def to_bytes(archive: Archive) -> bytes:
    """The archive's bytes; equal archives give equal bytes. E303 for what `from_bytes` would refuse."""
    graph = check(archive.graph)
    _samples_fit(graph.inputs, archive.samples, graph.name)
    values = [*graph.inputs, *graph.constants, *(n.output for n in graph.nodes)]
    document = {
        "mcugen": VERSION,
        "name": graph.name,
        "values": {v.name: encode(v.type) for v in values},
        "inputs": [v.name for v in graph.inputs],
        "nodes": [
            {
                "op": type(n.op).__name__,
                "attributes": encode(n.op),
                "inputs": [v.name for v in n.inputs],
                "output": n.output.name,
                "acc": n.acc,
            }
            for n in graph.nodes
        ],
        "outputs": [v.name for v in graph.outputs],
    }
    arrays = {f"const/{v.name}": v.const for v in graph.constants}
    arrays |= {f"sample/{v.name}": x for v, x in zip(graph.inputs, archive.samples, strict=True)}
    if sum(a.nbytes + 256 for a in arrays.values()) > MAX_ARRAYS or len(values) > MAX_VALUES:
        raise ArchiveError("E303", f"more than {MAX_ARRAYS} bytes or {MAX_VALUES} values", where=graph.name)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as z:
        for key, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
            z.writestr(zipfile.ZipInfo(key + ".npy", _EPOCH), member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as z:
        text = json.dumps(document, indent=1).encode()
        z.writestr(zipfile.ZipInfo("graph.json", _EPOCH), text, zipfile.ZIP_DEFLATED, 9)
        z.writestr(zipfile.ZipInfo("arrays.npz", _EPOCH), inner.getvalue(), zipfile.ZIP_STORED)
    return outer.getvalue()


def from_bytes(data: bytes, where: str) -> Archive:
    """The inverse of `to_bytes` for bytes of any origin; `where` names them in errors."""
    with _refusing("E301", "not a mcugen archive, or cut short", where):
        members = _unzip(data, MAX_GRAPH + MAX_ARRAYS)
        text, arrays = members.pop("graph.json"), members.pop("arrays.npz")
    with _refusing("E303", "damaged", where):
        if members or len(text) > MAX_GRAPH:
            raise ValueError(f"unknown members, or a graph of more than {MAX_GRAPH} bytes")
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("mcugen") != VERSION:
            found = document.get("mcugen") if isinstance(document, dict) else None
            raise ArchiveError("E302", f"format version {str(found)[:20]}, this mcugen reads {VERSION}", where=where)
        _only(document, "mcugen", "name", "values", "inputs", "nodes", "outputs")
        if max(len(document[k]) for k in ("values", "inputs", "nodes", "outputs")) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        graph, samples = _graph(document, {k: _array(v) for k, v in _unzip(arrays, MAX_ARRAYS).items()}, where)
        return Archive(check(graph), samples)


@contextlib.contextmanager
def _refusing(code: str, message: str, where: str) -> Iterator[None]:
    """Whatever wrong content makes Python raise becomes an ArchiveError."""
    try:
        yield
    except ArchiveError:
        raise
    except McugenError as e:
        place = f"{e.where}: " if e.where else ""
        raise ArchiveError(code, f"{place}{e.message[:200]} [{e.code}]", where=where) from None
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as e:
        hint = "save one with mcugen.qat.save(model, sample, path)"
        raise ArchiveError(code, f"{message}: {type(e).__name__}: {str(e)[:100]}", where=where, hint=hint) from None


def _unzip(data: bytes, limit: int) -> dict[str, bytes]:
    """The members of a plain zip: deflated or stored, no comment, no zip64, `limit` bytes in all."""
    end = data[-22:]  # the end record says how long the directory is; zipfile would parse one of any length
    if end[:4] != b"PK\5\6" or data[-42:-38] == b"PK\6\7" or int.from_bytes(end[12:16], "little") > 300 * MAX_VALUES:
        raise zipfile.BadZipFile("no plain zip")
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        infos = z.infolist()
        if len({i.filename for i in infos}) < len(infos) or sum(i.file_size for i in infos) > limit:
            raise zipfile.BadZipFile(f"a name twice, or more than {limit} bytes")
        if any(i.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or i.flag_bits & 1 for i in infos):
            raise zipfile.BadZipFile("compressed or encrypted in an unknown way")
        return {i.filename: _member(z, i) for i in infos}


def _member(z: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with z.open(info) as f:
        content = f.read(info.file_size + 1)  # without an argument all is unpacked, whatever file_size says
    if len(content) != info.file_size:
        raise zipfile.BadZipFile("not of the size that it says")
    return content


def _array(npy: bytes) -> Array:
    """A .npy file in the very form that numpy writes; its header is matched and not evaluated."""
    start = 10 + int.from_bytes(npy[8:10], "little")
    header = _NPY.fullmatch(npy[10:start])
    if npy[:8] != b"\x93NUMPY\1\0" or not header:
        raise ValueError("not an array of integers as mcugen writes them")
    dtype, shape = np.dtype(header[1].decode()), tuple(int(d) for d in header[2].split(b",") if d.strip())
    if start + math.prod(shape) * dtype.itemsize != len(npy):
        raise ValueError("an array that is not of the size that it says")
    return np.ndarray(shape, dtype, npy, start).copy()


def _only(given: dict[str, Any], *names: str) -> None:
    if set(given) - set(names):
        raise ValueError(f"unknown entry {min(set(given) - set(names))[:40]!r}")


def _samples_fit(inputs: tuple[Value, ...], samples: tuple[Array, ...], where: str) -> None:
    for v, x in zip(inputs, samples, strict=True):
        if len(x) != len(samples[0]):
            raise ArchiveError("E303", f"{v.name}: {len(x)} samples, not {len(samples[0])}"[:200], where=where)
        if x.shape[1:] != v.type.shape or x.dtype != v.type.dtype.numpy or (x.size and x.max() > v.type.dtype.hi):
            message = f"{v.name}: samples {x.dtype}{list(x.shape)} do not fit {v.type}"[:200]
            raise ArchiveError("E303", message, where=where)


def _graph(document: dict[str, Any], arrays: dict[str, Array], where: str) -> tuple[Graph, tuple[Array, ...]]:
    def value(name: str) -> Value:
        t = decode(Tensor, document["values"][name], name)
        return Value(name, t, arrays.pop(f"const/{name}.npy", None))

    values = {name: value(name) for name in document["values"]}
    for n in document["nodes"]:
        _only(n, "op", "attributes", "inputs", "output", "acc")
    nodes = tuple(
        Node(
            decode(OPS[n["op"]], n["attributes"], str(n["output"])),
            tuple(values[i] for i in n["inputs"]),
            values[n["output"]],
            decode(tuple[int, int], n["acc"], str(n["output"])) if n["acc"] is not None else None,
        )
        for n in document["nodes"]
    )
    inputs = tuple(values[i] for i in document["inputs"])
    samples = tuple(arrays.pop(f"sample/{v.name}.npy") for v in inputs)
    _only(arrays)
    _samples_fit(inputs, samples, where)
    return Graph(document["name"], inputs, nodes, tuple(values[o] for o in document["outputs"])), samples
