"""Saved models: what is written reads back, the same bytes each time, and a hostile file is only refused."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from test_ir import assert_same, graphs

from mcugen import archive, interp
from mcugen.archive import Archive
from mcugen.check import check
from mcugen.errors import ArchiveError, McugenError, OutputError
from mcugen.ir import DType, Graph, Node, Out, Quant, Tensor, Value
from mcugen.ops import base
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.flatten import Flatten
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool

HERE = Path(__file__).parent
FORMAT = HERE.parent / "docs" / "FORMAT.md"


def network() -> Archive:
    """Convolution, pooling, flatten, fully connected: every member and every kind of attribute."""
    rng = np.random.default_rng(5)
    nodes: list[Node] = []

    def step(node: Node, name: str) -> Value:
        inputs = tuple(v if v.data is None else replace(v, name=f"{name}.{v.name}") for v in node.inputs)
        nodes.append(Node(node.op, inputs, replace(node.output, name=name)))
        return nodes[-1].output

    x = base.activation("image", (2, 6, 5), 128)
    conv = base.make(Conv2d((1, 1), (1, 1, 1, 1), pad_value=128), x, base.draw_weights(rng, DType.T, (3, 2, 3, 3)))
    y = step(base.requantized(conv, rng, Out(DType.U8, Quant(0.1, 128), 128, 255)), "features.0")
    y = step(base.make(MaxPool((2, 2), (2, 2)), y), "features.1")
    y = step(base.make(Flatten(), y), "flat")
    fc = base.make(Linear(), y, base.draw_weights(rng, DType.I8, (4, 18)))
    y = step(base.requantized(fc, rng, Out(DType.I16, Quant((0.1, 0.2, 0.3, 0.4)), -32768, 32767)), "fc")
    samples = rng.integers(0, 256, (3, *x.type.shape)).astype(np.uint8)
    return Archive(check(Graph("net", (x,), tuple(nodes), (y,))), (samples,))


NETWORK = network()
BYTES = archive.to_bytes(NETWORK)


def parts() -> tuple[dict[str, Any], dict[str, bytes]]:
    """graph.json and the members of arrays.npz."""
    with zipfile.ZipFile(io.BytesIO(BYTES)) as z:
        document = json.loads(z.read("graph.json"))
        with zipfile.ZipFile(io.BytesIO(z.read("arrays.npz"))) as inner:
            return document, {n: inner.read(n) for n in inner.namelist()}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


def built(document: object, arrays: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return zipped({"graph.json": text, "arrays.npz": zipped(arrays, method)}, method)


def npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    raw = header.encode("latin1") + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(raw)) + raw + data


SECONDS = 5


def refused(data: bytes, code: str = "E30") -> ArchiveError:
    """The error, which comes within seconds: about one for the largest files, more beside other programs."""
    for _ in range(3):  # the least counts
        start = time.process_time()
        with pytest.raises(ArchiveError) as e:
            archive.from_bytes(data, "file.mcu")
        if (took := time.process_time() - start) < SECONDS:
            break
    assert took < SECONDS
    assert e.value.code.startswith(code), str(e.value)
    assert e.value.where == "file.mcu" or code != "E301"
    assert len(str(e.value)) < 2000
    return e.value


def outcome(data: bytes) -> Archive | str:
    """What the bytes are: a model, or the code of the error."""
    try:
        return archive.from_bytes(data, "")
    except ArchiveError as e:
        return e.code


# ---- what is written reads back ----


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "net.mcu"
    archive.save(NETWORK, path)
    again = archive.load(path)
    assert_same(again.graph, NETWORK.graph)
    assert np.array_equal(again.samples[0], NETWORK.samples[0])
    assert archive.to_bytes(again) == BYTES == path.read_bytes()
    assert os.listdir(tmp_path) == ["net.mcu"]
    with zipfile.ZipFile(path) as z:
        assert [(i.filename, i.date_time) for i in z.infolist()] == [
            ("graph.json", (1980, 1, 1, 0, 0, 0)),
            ("arrays.npz", (1980, 1, 1, 0, 0, 0)),
        ]
    assert again.samples[0].flags.writeable and again.samples[0].flags.aligned


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_round_trip_of_random_graphs(graph: Graph) -> None:
    x = np.random.default_rng(0).integers(0, graph.inputs[0].type.dtype.hi + 1, (2, *graph.inputs[0].type.shape))
    data = archive.to_bytes(Archive(graph, (x.astype(np.uint8),)))
    again = archive.from_bytes(data, "")
    assert_same(again.graph, graph)
    assert archive.to_bytes(again) == data
    want, got = (interp.run(g, again.samples[0]) for g in (graph, again.graph))
    assert all(np.array_equal(a, b) for a, b in zip(want, got, strict=True))


def test_samples_of_several_inputs_are_as_many() -> None:
    x = NETWORK.samples[0]
    graph = replace(NETWORK.graph, inputs=(*NETWORK.graph.inputs, Value("more", Tensor(DType.U8, (3,)))))
    more = np.ones((len(x), 3), np.uint8)
    again = archive.from_bytes(archive.to_bytes(Archive(graph, (x, more))), "")
    assert [s.shape for s in again.samples] == [x.shape, more.shape]
    with pytest.raises(ArchiveError, match=r"E303.*more: 1 samples, not 3"):
        archive.to_bytes(Archive(graph, (x, more[:1])))


def test_no_samples_and_numpy_reads_the_arrays() -> None:
    empty = Archive(NETWORK.graph, (NETWORK.samples[0][:0],))
    assert archive.from_bytes(archive.to_bytes(empty), "").samples[0].shape == (0, 2, 6, 5)
    with zipfile.ZipFile(io.BytesIO(BYTES)) as z, np.load(io.BytesIO(z.read("arrays.npz"))) as arrays:
        assert np.array_equal(arrays["sample/image"], NETWORK.samples[0])
        assert arrays["const/features.0.w"].dtype == np.int8


def test_bytes_do_not_depend_on_process_or_place(tmp_path: Path) -> None:
    code = "import sys, test_archive as t; sys.stdout.buffer.write(t.archive.to_bytes(t.network()))"
    for seed in ("0", "1"):
        env = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
            "TZ": "Asia/Tokyo",
        }
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env, cwd=tmp_path)
        assert ran.stdout == BYTES


def test_example_of_the_format_document() -> None:
    block = re.search(r"```json\n(.*?)```", FORMAT.read_text(), re.DOTALL)
    assert block
    x = base.activation("x", (3,))
    x = replace(x, type=Tensor(DType.U8, (3,), Quant(0.5)))
    constants = [
        base.constant("fc.weight", DType.T, np.array([[1, -1, 0], [0, 1, 1]])),
        base.constant("fc.mult", DType.I16, np.array([16384])),
        base.constant("fc.add", DType.I32, np.array([1 << 15])),
        base.constant("fc.shift", DType.U8, np.array([16])),
    ]
    node = base.make(Linear(Out.full(DType.U8, 2.0)), x, *constants)
    graph = Graph("tiny", (x,), (node,), (node.output,))
    data = archive.to_bytes(Archive(graph, (np.array([[200, 100, 9]], np.uint8),)))
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert json.loads(z.read("graph.json")) == json.loads(block[1])
        arrays = z.read("arrays.npz")
    again = archive.from_bytes(zipped({"graph.json": block[1].encode(), "arrays.npz": arrays}), "")
    assert interp.run(again.graph, again.samples[0])[0].tolist() == [[25, 27]]


def test_limits_of_the_format_document() -> None:
    text = FORMAT.read_text()
    for row in (
        f"| graph.json | 2^{archive.MAX_GRAPH.bit_length() - 1} bytes |",
        f"| all arrays, unpacked | 2^{archive.MAX_ARRAYS.bit_length() - 1} bytes |",
        f"| values, nodes | {archive.MAX_VALUES // 1000} 000 |",
        "| channels of all activations together | 2^22 |",
    ):
        assert row in text


def test_save_refuses_what_load_would_refuse() -> None:
    x = NETWORK.samples[0]
    for samples in ((x.astype(np.int16),), (x[:, :1],), (np.zeros((1 << 20, 2, 6, 5), np.uint8),)):
        with pytest.raises(ArchiveError, match="E303"):
            archive.to_bytes(Archive(NETWORK.graph, samples))


def test_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document, arrays = parts()
    text = json.dumps(document)
    for name in ("../../evil", "/etc/passwd", "C:/x", "a/../..", "con.npy", "..", "-rf"):
        renamed = json.loads(text.replace('"image"', json.dumps(name)))
        members = {k.replace("sample/image", f"sample/{name}"): v for k, v in arrays.items()}
        again = archive.from_bytes(built(renamed, members), "")
        assert again.graph.inputs[0].name == name
        assert archive.from_bytes(archive.to_bytes(again), "").graph.inputs[0].name == name
    for name in ("a b", "a\0b", "a\\b", "", "é", "%x", "a\n", "x" * 201):
        renamed = json.loads(text.replace('"image"', json.dumps(name)))
        members = {k.replace("sample/image", f"sample/{name}"): v for k, v in arrays.items()}
        refused(built(renamed, members))
    assert os.listdir(tmp_path) == []


# ---- files ----


def test_load_of_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "absent", tmp_path, tmp_path / "empty" / "below"):
        with pytest.raises(OutputError, match=r"\[E701\]"):
            archive.load(path)
    with pytest.raises(ArchiveError, match=r"\[E301\]"):
        archive.load(tmp_path / "empty")


def test_load_of_an_endless_file() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero")
    with pytest.raises(ArchiveError, match=r"\[E301\]"):
        archive.load("/dev/zero")


def test_save_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "directory").mkdir()
    for path in (
        tmp_path / "absent" / "net.mcu",
        tmp_path / "file" / "net.mcu",
        tmp_path / "directory",
        tmp_path / ("n" * 300),
    ):
        with pytest.raises(OutputError, match=r"\[E702\]"):
            archive.save(NETWORK, path)
    assert sorted(os.listdir(tmp_path)) == ["directory", "file"]
    assert os.listdir(tmp_path / "directory") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_save_into_a_directory_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"\[E702\]"):
            archive.save(NETWORK, tmp_path / "net.mcu")
    finally:
        tmp_path.chmod(0o700)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("failing", ["fdopen", "chmod", "replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    path = tmp_path / "net.mcu"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.os, failing, full)
    with pytest.raises(OutputError, match=r"\[E702\].*No space left"):
        archive.save(NETWORK, path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["net.mcu"]


# ---- damage ----


def test_cut_short() -> None:
    for n in range(0, len(BYTES), 50):
        refused(BYTES[:n], "E301")
    refused(BYTES[:-1], "E301")
    refused(BYTES + b"\0", "E301")
    refused(BYTES[1:])


def test_flipped_bytes() -> None:
    """Most flips are caught by a checksum; the others must leave the same model or a refusal."""
    rng = np.random.default_rng(9)
    survived = 0
    for i in range(400):
        data = bytearray(BYTES)
        for at in rng.integers(0, len(data), 1 + i % 3):
            data[at] ^= 1 << int(rng.integers(8)) if i % 2 else int(rng.integers(1, 256))
        again = outcome(bytes(data))
        if isinstance(again, Archive):
            survived += 1
            assert archive.to_bytes(again) == BYTES
        else:
            assert again in ("E301", "E302", "E303")
    assert survived < 100


def test_flipped_bytes_within_the_members() -> None:
    """Behind valid checksums: what reads at all is a valid graph."""
    rng = np.random.default_rng(10)
    document, arrays = parts()
    text = json.dumps(document).encode()
    names = list(arrays)
    for i in range(400):
        name = names[i % len(names)]
        data = bytearray(text if i % 2 else arrays[name])
        for at in rng.integers(0, len(data), 1 + i % 3):
            data[at] ^= 1 << int(rng.integers(8))
        again = outcome(built(bytes(data), arrays) if i % 2 else built(document, {**arrays, name: bytes(data)}))
        if isinstance(again, Archive):
            check(again.graph)
        else:
            assert again in ("E301", "E302", "E303")


def mutated(rng: np.random.Generator, x: Any) -> Any:
    """A copy of a JSON value with one thing in it replaced, removed or repeated."""
    wild = [None, True, -1, 0, 2**31, 10**30, 1e308, float("nan"), float("inf"), "", "image", [], {}, [[]], [2**40]]
    x = copy.deepcopy(x)
    at = x
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return x
        key = keys[rng.integers(len(keys))]
        inner = at[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
            at = inner
            continue
        action = rng.random()
        if action < 0.15:
            del at[key]
        elif action < 0.3 and isinstance(at, list):
            at.append(copy.deepcopy(inner))
        elif action < 0.4 and isinstance(at, dict):
            at["surprise"] = 1
        else:
            at[key] = wild[rng.integers(len(wild))]
        return x


def test_mutated_graphs() -> None:
    document, arrays = parts()
    rng = np.random.default_rng(11)
    accepted = 0
    for _ in range(1000):
        again = outcome(built(mutated(rng, document), arrays, zipfile.ZIP_STORED))
        if isinstance(again, Archive):
            accepted += 1
            assert archive.to_bytes(archive.from_bytes(archive.to_bytes(again), "")) == archive.to_bytes(again)
        else:
            assert again in ("E302", "E303")
    assert accepted < 200


# ---- hostile files, each built by name; the last test measures the memory that all of them take ----


def changed(**entries: object) -> bytes:
    document, arrays = parts()
    return built({**document, **entries}, arrays)


def with_value(name: str, value: object) -> bytes:
    document, arrays = parts()
    return built({**document, "values": {**document["values"], name: value}}, arrays)


def with_array(data: bytes, name: str = "const/fc.w.npy") -> bytes:
    document, arrays = parts()
    return built(document, {**arrays, name: data})


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in data
    return data.replace(old, new)


def zeros(size: int) -> bytes:
    """`size` MB of zeros, deflated, without having them in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * size + packer.flush(zlib.Z_FINISH)


def deflated(name: bytes, data: bytes, size: int) -> bytes:
    """A zip of one member with the deflated `data`, of which it says that it unpacks to `size` bytes."""
    common = struct.pack("<5H3I2H", 20, 0, 8, 0, 33, 0, len(data), size, len(name), 0)
    local = b"PK\3\4" + common + name + data
    directory = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<3H2I", 0, 0, 0, 0, 0) + name
    return local + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(local), 0)


def lying(data: bytes, name: bytes, size: int) -> bytes:
    """The unpacked size of a member, in both headers of the zip, replaced."""
    out = bytearray(data)
    for signature, field, name_at in ((b"PK\3\4", 22, 30), (b"PK\1\2", 24, 46)):
        at = out.find(signature)
        while at >= 0:
            if out[at + name_at : at + name_at + len(name)] == name:
                out[at + field : at + field + 4] = struct.pack("<I", size)
            at = out.find(signature, at + 4)
    return bytes(out)


def overlapping() -> bytes:
    """Many directory entries for one deflated member: far more bytes than the file has."""
    one = zipped({"const/fc.w.npy": bytes(1 << 20)})
    start = one.index(b"PK\1\2")
    entry = one[start : one.index(b"PK\5\6")]
    n = 2000
    names = [entry.replace(b"fc.w", b"%04d" % i) for i in range(n)]
    local = one[:start].replace(b"fc.w", b"0000")
    directory = b"".join(names)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n, n, len(directory), len(local), 0)
    return zipped({"graph.json": json.dumps(parts()[0]).encode(), "arrays.npz": local + directory + end})


def crowded(outer: bool) -> bytes:
    """A directory of a million entries."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    directory = entry * (1_200_000 if outer else 700_000)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), 0, 0)
    if outer:
        return directory + end
    return zipped({"graph.json": json.dumps(parts()[0]).encode(), "arrays.npz": directory + end})


def zip64() -> bytes:
    """The end record says little, the 64-bit one much."""
    directory = crowded(True)[:-22]
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(directory), 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(directory), 1)
    return directory + record + locator + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 0, 0, 0)


def flagged(bit: int) -> bytes:
    out = bytearray(BYTES)
    for signature, field in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = out.find(signature)
        while at >= 0:
            out[at + field] |= bit
            at = out.find(signature, at + 4)
    return bytes(out)


def many_nodes(count: int, width: int) -> bytes:
    """A long chain of MaxPool nodes over images of `width` channels."""
    t = {"dtype": "u8", "shape": [width, 1, 1], "quant": None}
    op = {"kernel": [1, 1], "stride": [1, 1], "padding": [0, 0, 0, 0]}
    nodes = [
        {"op": "MaxPool", "attributes": op, "inputs": [f"v{i}"], "output": f"v{i + 1}", "acc": None}
        for i in range(count)
    ]
    document = {
        "mcugen": 1,
        "name": "n",
        "values": {f"v{i}": t for i in range(count + 1)},
        "inputs": ["v0"],
        "nodes": nodes,
        "outputs": [f"v{count}"],
    }
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': (0, {width}, 1, 1), }}"
    return built(document, {"sample/v0.npy": npy(header)})


def big_weights() -> bytes:
    """Zeros pack well: 30 MB of weights in a small file, of the wrong count for their layer."""
    document, arrays = parts()
    n = 30_000_000
    document["values"]["fc.w"]["shape"] = [1, n]
    data = npy(f"{{'descr': '|i1', 'fortran_order': False, 'shape': (1, {n}), }}", bytes(n))
    return built(document, {**arrays, "const/fc.w.npy": data})


class Evil:
    """A pickle that would make a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pickle-was-here",)


def object_array() -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.array([Evil()], object), (1, 0), allow_pickle=True)
    return out.getvalue()


W = "{'descr': '|i1', 'fortran_order': False, 'shape': %s, }"
DEEP = 200_000

HOSTILE = {
    "no zip": lambda: b"PK\3\4" + b"\0" * 100,
    "text": lambda: b"graph net\n",
    "only an end record": lambda: struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0),
    "end record of nonsense": lambda: struct.pack("<4s4H2IH", b"PK\5\6", 1, 2, 3, 4, 2**20, 2**31, 0),
    "another zip": lambda: zipped({"word/document.xml": b"<xml/>"}),
    "pickle": lambda: pickle.dumps({"model": 1}),
    "no arrays": lambda: zipped({"graph.json": b"{}"}),
    "no graph": lambda: zipped({"arrays.npz": zipped({})}),
    "arrays are no zip": lambda: zipped({"graph.json": json.dumps(parts()[0]).encode(), "arrays.npz": b"PK"}),
    "extra member": lambda: zipped(
        {"graph.json": json.dumps(parts()[0]).encode(), "arrays.npz": zipped(parts()[1]), "run.py": b""}
    ),
    "lzma": lambda: built(*parts(), zipfile.ZIP_LZMA),
    "bzip2": lambda: built(*parts(), zipfile.ZIP_BZIP2),
    "encrypted": lambda: flagged(1),
    "strongly encrypted": lambda: flagged(0x40),
    "patch data": lambda: flagged(0x20),
    "bomb in graph.json": lambda: zipped({"graph.json": b" " * (100 << 20), "arrays.npz": zipped({})}),
    "bomb in arrays.npz": lambda: with_array(bytes(100 << 20)),
    "bomb in many arrays": lambda: built(parts()[0], {f"const/{i}.npy": bytes(1 << 20) for i in range(100)}),
    "a large bomb": lambda: deflated(b"graph.json", zeros(800), 800 << 20),
    "a large bomb with a lying size": lambda: deflated(b"graph.json", zeros(800), 100),
    "a large bomb within": lambda: zipped(
        {"graph.json": json.dumps(parts()[0]).encode(), "arrays.npz": deflated(b"const/fc.w.npy", zeros(800), 9999)}
    ),
    "a small lie": lambda: lying(BYTES, b"graph.json", 100),
    "a size that lies upwards": lambda: lying(BYTES, b"graph.json", 1 << 22),
    "overlapping members": overlapping,
    "crowded directory": lambda: crowded(True),
    "crowded directory within": lambda: crowded(False),
    "zip64 directory": zip64,
    "version 0": lambda: changed(mcugen=0),
    "version 2": lambda: changed(mcugen=2),
    "version is a list": lambda: changed(mcugen=[1]),
    "json is a list": lambda: built([], parts()[1]),
    "json is cut": lambda: built(json.dumps(parts()[0]).encode()[:-1], parts()[1]),
    "json is not utf-8": lambda: built(b"\xff\xfe\xfa", parts()[1]),
    "json nests": lambda: built(b"[" * DEEP + b"]" * DEEP, parts()[1]),
    "json nests in an attribute": lambda: built(
        json.dumps(parts()[0]).encode().replace(b'"acc": null', b'"acc": ' + b"[" * DEEP + b"]" * DEEP, 1), parts()[1]
    ),
    "json with a long number": lambda: built(
        json.dumps(parts()[0]).encode().replace(b'"mcugen": 1', b'"mcugen": ' + b"1" * 100_000), parts()[1]
    ),
    "json of empty lists": lambda: built(b"[" + b"[]," * 2_700_000 + b"0]", parts()[1]),
    "name is a number": lambda: changed(name=5),
    "name is a path": lambda: changed(name="../net"),
    "values is a list": lambda: changed(values=[]),
    "values missing": lambda: built({k: v for k, v in parts()[0].items() if k != "values"}, parts()[1]),
    "unknown entry": lambda: changed(more=1),
    "no inputs": lambda: changed(inputs=[]),
    "no outputs": lambda: changed(outputs=[]),
    "an input twice": lambda: changed(inputs=["image", "image"]),
    "an unknown input": lambda: changed(inputs=["picture"]),
    "a constant as input": lambda: changed(inputs=["fc.w"]),
    "a constant as output": lambda: changed(outputs=["fc.w"]),
    "nodes turned round": lambda: changed(nodes=parts()[0]["nodes"][::-1]),
    "unknown operator": lambda: changed(nodes=[{**parts()[0]["nodes"][0], "op": "__class__"}]),
    "attribute missing": lambda: changed(nodes=[{**parts()[0]["nodes"][0], "attributes": {}}]),
    "absurd shape": lambda: with_value("image", {"dtype": "u8", "shape": [2**62, 2**62, 2**62], "quant": None}),
    "large shape": lambda: with_value("image", {"dtype": "u8", "shape": [2**31 - 1, 1, 1], "quant": None}),
    "negative shape": lambda: with_value("image", {"dtype": "u8", "shape": [-2, 6, 5], "quant": None}),
    "empty shape": lambda: with_value("image", {"dtype": "u8", "shape": [], "quant": None}),
    "zero shape": lambda: with_value("image", {"dtype": "u8", "shape": [2, 0, 5], "quant": None}),
    "huge number in shape": lambda: with_value("image", {"dtype": "u8", "shape": [10**4000, 6, 5], "quant": None}),
    "float shape": lambda: with_value("image", {"dtype": "u8", "shape": [2.0, 6, 5], "quant": None}),
    "unknown type": lambda: with_value("image", {"dtype": "f32", "shape": [2, 6, 5], "quant": None}),
    "nan scale": lambda: with_value(
        "image", {"dtype": "u8", "shape": [2, 6, 5], "quant": {"scale": float("nan"), "zero_point": 128}}
    ),
    "infinite scale": lambda: with_value(
        "image", {"dtype": "u8", "shape": [2, 6, 5], "quant": {"scale": float("inf"), "zero_point": 128}}
    ),
    "zero scale": lambda: with_value(
        "image", {"dtype": "u8", "shape": [2, 6, 5], "quant": {"scale": 0, "zero_point": 128}}
    ),
    "zero point beyond the type": lambda: with_value(
        "image", {"dtype": "u8", "shape": [2, 6, 5], "quant": {"scale": 1.0, "zero_point": 1000}}
    ),
    "npy of objects": lambda: with_array(object_array()),
    "npy of many": lambda: with_array(npy(W % "(1099511627776, 18)")),
    "npy of four gigabytes": lambda: with_array(npy(W % "(4294967296,)")),
    "npy whose size wraps": lambda: with_array(npy(W % "(4294967296, 4294967296)")),
    "npy of nothing times much": lambda: with_array(npy(W % "(0, 1000000000000000000000)")),
    "npy with a negative": lambda: with_array(npy(W % "(-4, -18)", bytes(72))),
    "npy of 100 dimensions": lambda: with_array(npy(W % f"({'1, ' * 100})", b"\0")),
    "npy of a long dimension": lambda: with_array(npy(W % f"({'9' * 20000},)")),
    "npy with code": lambda: with_array(npy("__import__('os').mkdir('code-was-here')")),
    "npy header that nests": lambda: with_array(npy("(" * 30000)),
    "npy header that does not end": lambda: with_array(npy("{'descr': '''|i1")),
    "npy from python 2": lambda: with_array(npy(W % "(4L, 18L)", bytes(72))),
    "npy in fortran order": lambda: with_array(npy((W % "(4, 18)").replace("False", "True"), bytes(72))),
    "npy of version 3": lambda: with_array(npy(W % "(4, 18)", bytes(72), b"\3\0")),
    "npy of void": lambda: with_array(npy((W % "(1,)").replace("|i1", "|V2000000000"))),
    "npy of fields": lambda: with_array(npy((W % "(1,)").replace("'|i1'", "[('a', '|i1')]"), b"\0")),
    "npy big-endian": lambda: with_array(npy((W % "(4,)").replace("|i1", ">i4"), bytes(16)), "const/fc.add.npy"),
    "npy cut short": lambda: with_array(npy(W % "(4, 18)", bytes(71))),
    "npy too long": lambda: with_array(npy(W % "(4, 18)", bytes(73))),
    "npy empty": lambda: with_array(b""),
    "npy of magic": lambda: with_array(b"\x93NUMPY\1\0\xff\xff"),
    "npy of wrong type": lambda: with_array(npy((W % "(4, 18)").replace("|i1", "<i2"), bytes(144))),
    "ternary weights beyond 1": lambda: with_array(npy(W % "(3, 2, 3, 3)", b"\2" * 54), "const/features.0.w.npy"),
    "extra array": lambda: with_array(npy(W % "(1,)", b"\0"), "const/more.npy"),
    "extra sample": lambda: with_array(npy(W % "(1,)", b"\0"), "sample/more.npy"),
    "array without its ending": lambda: with_array(npy(W % "(4, 18)", bytes(72)), "const/fc.w"),
    "constant missing": lambda: built(parts()[0], {k: v for k, v in parts()[1].items() if "fc.w" not in k}),
    "sample missing": lambda: built(parts()[0], {k: v for k, v in parts()[1].items() if "sample" not in k}),
    "data for an activation": lambda: with_array(npy(W % "(1,)", b"\0"), "const/flat.npy"),
    "a very long chain": lambda: many_nodes(30_000, 1),
    "a wide chain": lambda: many_nodes(1000, 100_000),
    "weights of 30 MB": big_weights,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = HOSTILE[name]()  # type: ignore[no-untyped-call]
    refused(data, "E302" if name.startswith("version") else "E30")
    assert os.listdir(tmp_path) == []


def test_duplicate_members() -> None:
    out = io.BytesIO(BYTES)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(out, "a") as z:
        z.writestr("graph.json", b"{}")
    refused(out.getvalue(), "E301")


def test_messages_say_what_and_where() -> None:
    assert str(refused(b"no", "E301")).startswith("[E301] file.mcu: not a mcugen archive, or cut short")
    assert "mcugen.qat.save" in str(refused(b"no", "E301"))
    assert "version 2, this mcugen reads 1" in str(refused(changed(mcugen=2), "E302"))
    assert "fc.w: data leaves" in str(
        refused(with_array(npy(W % "(3, 2, 3, 3)", b"\2" * 54), "const/features.0.w.npy"), "E303")
    ).replace("features.0.w", "fc.w")


def measure() -> Iterator[tuple[str, int]]:
    """For every hostile file the peak memory in bytes that reading it added; run in a process of its own."""

    def peak() -> int:
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) << 10  # type: ignore[index]

    def now() -> int:
        return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) << 10  # type: ignore[index]

    for name, make in HOSTILE.items():
        data = make()  # type: ignore[no-untyped-call]
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = now()
        try:
            archive.from_bytes(data, "")
        except McugenError:
            yield name, peak() - before
        else:
            yield name, 1 << 62


def test_hostile_files_take_little_memory() -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("no /proc: the peak of memory cannot be read")
    code = "import json, test_archive as t; print(json.dumps(dict(t.measure())))"
    env = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env, text=True)
    peaks = json.loads(ran.stdout)
    assert peaks.keys() == HOSTILE.keys()
    too_much = {k: f"{v >> 20} MB" for k, v in peaks.items() if v > 300 << 20}
    assert not too_much


def test_the_largest_legal_weights_are_checked_in_time_and_memory() -> None:
    """30 MB of zeros in a small file, and this time a valid graph."""
    n = 30_000_000
    x = Value("x", Tensor(DType.U8, (n // 10,)))
    w = base.constant("w", DType.I8, np.zeros((10, n // 10), np.int8))
    node = base.make(Linear(), x, w)
    data = archive.to_bytes(Archive(Graph("n", (x,), (node,), (node.output,)), (np.zeros((0, n // 10), np.uint8),)))
    del w, node, x
    assert len(data) < 1 << 20
    start = time.process_time()
    assert archive.from_bytes(data, "").graph.constants
    assert time.process_time() - start < 4
