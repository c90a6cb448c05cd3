"""The saved model: a zip of `graph.json` and `arrays.npz`. No pickle; a hostile file is only data that is refused.

graph.json: {"mcugen": 1, "name", "inputs", "nodes", "outputs", "values"}; arrays.npz: `const/<value>` for every
constant and `sample/<input>` for the quantised samples that become the known-answer vectors.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import zipfile
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
MAX_BYTES = 1 << 28  # of either member, unpacked: no microcontroller holds more
MAX_VALUES = 100_000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first date: the same model gives the same bytes


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
        data = Path(path).read_bytes()
    except OSError as e:
        raise OutputError("E701", f"cannot read: {e.strerror}", where=str(path)) from None
    return from_bytes(data, str(path))


def to_bytes(archive: Archive) -> bytes:
    """The archive's bytes; equal archives give equal bytes."""
    graph = check(archive.graph)
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
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            members = {n: _member(z, n, where) for n in ("graph.json", "arrays.npz")}
    except (zipfile.BadZipFile, KeyError, EOFError):
        hint = "save one with mcugen.qat.save(model, sample, path)"
        raise ArchiveError("E301", "not a mcugen archive, or cut short", where=where, hint=hint) from None
    with _damaged(where):
        document = json.loads(members["graph.json"])
        if not isinstance(document, dict) or document.get("mcugen") != VERSION:
            found = document.get("mcugen") if isinstance(document, dict) else None
            raise ArchiveError("E302", f"format version {str(found)[:20]}, this mcugen reads {VERSION}", where=where)
        if len(document["values"]) > MAX_VALUES or len(document["nodes"]) > MAX_VALUES:
            raise ArchiveError("E303", f"more than {MAX_VALUES} values", where=where)
        graph, samples = _graph(document, _arrays(members["arrays.npz"], where))
        return Archive(check(graph), samples)


@contextlib.contextmanager
def _damaged(where: str) -> Iterator[None]:
    """Whatever wrong content makes Python raise becomes E303."""
    try:
        yield
    except ArchiveError:
        raise
    except McugenError as e:
        place = f"{e.where}: " if e.where else ""
        raise ArchiveError("E303", f"{place}{e.message} [{e.code}]", where=where) from None
    except (
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        RecursionError,
        MemoryError,
        EOFError,
        zipfile.BadZipFile,
    ) as e:
        raise ArchiveError("E303", f"damaged: {type(e).__name__}: {str(e)[:100]}", where=where) from None


def _member(z: zipfile.ZipFile, name: str, where: str) -> bytes:
    if z.getinfo(name).file_size > MAX_BYTES:
        raise ArchiveError("E303", f"{name} is larger than {MAX_BYTES} bytes", where=where)
    with _damaged(where), z.open(name) as f:
        content = f.read(MAX_BYTES + 1)  # the header's size may lie
        if len(content) > MAX_BYTES:
            raise ArchiveError("E303", f"{name} is larger than {MAX_BYTES} bytes", where=where)
        return content


def _arrays(data: bytes, where: str) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        if sum(i.file_size for i in z.infolist()) > MAX_BYTES or len(z.infolist()) > MAX_VALUES:
            raise ArchiveError("E303", f"arrays are larger than {MAX_BYTES} bytes", where=where)
        found = {}
        for name in z.namelist():
            with io.BytesIO(_member(z, name, where)) as f:
                found[name.removesuffix(".npy")] = np.lib.format.read_array(f, allow_pickle=False)
        return found


def _graph(document: dict[str, Any], arrays: dict[str, Array]) -> tuple[Graph, tuple[Array, ...]]:
    def value(name: str) -> Value:
        t = decode(Tensor, document["values"][name], name)
        return Value(name, t, arrays.get(f"const/{name}"))

    values = {name: value(name) for name in document["values"]}
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
    samples = tuple(arrays[f"sample/{v.name}"] for v in inputs)
    for v, x in zip(inputs, samples, strict=True):
        if x.shape[1:] != v.type.shape or x.dtype != v.type.dtype.numpy or (x.size and x.max() > v.type.dtype.hi):
            raise ArchiveError("E303", f"samples {x.dtype}{list(x.shape)} do not fit {v.type}", where=v.name)
    return Graph(document["name"], inputs, nodes, tuple(values[o] for o in document["outputs"])), samples
