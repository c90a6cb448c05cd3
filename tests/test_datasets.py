"""Data sets: where they are looked for, what is refused, and downloads from a server on this machine."""

from __future__ import annotations

import functools
import gzip
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mcugen import datasets
from mcugen.datasets import DATASETS, KEYS, Dataset, Part
from mcugen.errors import OutputError

SHAPES = ((6, 4, 5), (6,), (2, 4, 5), (2,))


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {k: rng.integers(0, 3 if len(s) == 1 else 256, s, np.uint8) for k, s in zip(KEYS, SHAPES, strict=True)}


def idx(a: np.ndarray) -> bytes:
    """The idx format of MNIST, written anew: magic number, big-endian sizes, bytes."""
    return np.array([0x800 + a.ndim, *a.shape], ">u4").tobytes() + a.tobytes()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own: no MCUGEN_DATA, an empty cache, no data sets but those that a test defines."""
    monkeypatch.delenv("MCUGEN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "DATASETS", {})
    return tmp_path


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """The address of a server that has the set "tiny", and "tiny" known with that address."""
    files = home / "www"
    files.mkdir()
    parts = []
    for key, a in arrays().items():
        (files / f"{key}.gz").write_bytes(gzip.compress(idx(a)))
        parts.append(Part(f"{key}.gz", a.shape, hashlib.sha256(idx(a)).hexdigest()))
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(files))) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        datasets.DATASETS["tiny"] = Dataset((url,), 3, tuple(parts))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield url
        server.shutdown()
        thread.join()


def mirrors(*urls: str) -> None:
    datasets.DATASETS["tiny"] = replace(datasets.DATASETS["tiny"], mirrors=urls)


def same(got: datasets.Arrays) -> bool:
    pairs = zip(got, arrays().values(), strict=True)
    return all(a.dtype == np.uint8 and np.array_equal(a, b) for a, b in pairs)


def refused(path: Path) -> OutputError:
    with pytest.raises(OutputError) as e:
        datasets.load("tiny")
    assert e.value.code == "E705" and e.value.where in (str(path), "tiny")
    return e.value


def test_download_then_cache(served: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert datasets.find("tiny") is None
    assert same(datasets.load("tiny"))
    assert datasets.find("tiny") == home / "cache" / "mcugen" / "tiny.npz"
    assert [p.name for p in (home / "cache" / "mcugen").iterdir()] == ["tiny.npz"]  # nothing temporary stays
    out, err = capsys.readouterr()
    assert out == "" and err.count("downloading") == 4
    mirrors()  # from now on only the cache can answer
    assert same(datasets.load("tiny"))
    assert capsys.readouterr() == ("", "")


def test_a_directory_by_name(served: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets.load("tiny")
    monkeypatch.setenv("MCUGEN_DATA", str(home / "mine"))
    assert datasets.find("tiny") == datasets.cache() / "tiny.npz"  # not there: the cache is the next
    (home / "mine").mkdir()
    np.savez(home / "mine" / "tiny.npz", **{k: 2 - a if a.ndim == 1 else a for k, a in arrays().items()})
    assert np.array_equal(datasets.load("tiny")[1], 2 - arrays()["y_train"])


def test_the_cache_is_the_users(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    for other in ("", "relative/path"):  # the XDG specification: relative paths are ignored
        monkeypatch.setenv("XDG_CACHE_HOME", other)
        assert datasets.cache() == home / ".cache" / "mcugen"


def test_the_next_mirror(served: str, home: Path) -> None:
    bad = home / "bad"
    bad.mkdir()
    (bad / "x_train.gz").write_bytes(gzip.compress(b"an error page"))
    (bad / "y_train.gz").write_bytes(b"not compressed")
    (bad / "x_test.gz").write_bytes((home / "www" / "x_test.gz").read_bytes()[:-20])
    mirrors(bad.as_uri(), served + "/")
    assert same(datasets.load("tiny"))


@pytest.mark.parametrize(
    "content,message",
    [
        (None, "No such file"),
        (b"", "wrong checksum: 0 bytes of 136"),
        (b"<html>", "incorrect header check"),
        (gzip.compress(b"<html>"), "wrong checksum: 6 bytes of 136"),
        (gzip.compress(idx(arrays()["x_train"]) + b"!"), "wrong checksum: 137 bytes of 136"),
        (gzip.compress(idx(arrays()["x_train"])[:-1] + b"!"), "wrong checksum: 136 bytes of 136"),
        (gzip.compress(bytes(1 << 24)), "wrong checksum: 137 bytes of 136"),  # a bomb is not unpacked
        (gzip.compress(idx(arrays()["x_train"]))[:40], "wrong checksum"),
    ],
)
def test_wrong_bytes(served: str, home: Path, content: bytes | None, message: str) -> None:
    bad = home / "bad"
    bad.mkdir()
    if content is not None:
        (bad / "x_train.gz").write_bytes(content)
    mirrors(bad.as_uri())
    e = refused(home)
    assert message in e.message and "bad/x_train.gz" in e.message
    assert "MCUGEN_DATA" in e.hint and "tiny.npz" in e.hint
    assert not datasets.cache().exists()


@pytest.mark.parametrize("mirror", ["no address", "http://127.0.0.1:1/", "ftp:", "http://[::1"])
def test_no_server(served: str, home: Path, mirror: str) -> None:
    mirrors(mirror)
    assert "cannot download" in refused(home).message


def test_http_errors_are_told(served: str, home: Path) -> None:
    (home / "www" / "y_test.gz").unlink()
    assert "404" in refused(home).message


def test_no_download_without_leave(served: str, home: Path) -> None:
    with pytest.raises(OutputError, match="not in MCUGEN_DATA and not in"):
        datasets.load("tiny", download=False)


def test_an_unknown_set(served: str) -> None:
    with pytest.raises(OutputError, match="unknown data set 'tini'") as e:
        datasets.load("tini")
    assert e.value.hint == "one of: tiny"


def test_an_unwritable_cache(served: str, home: Path) -> None:
    (home / "cache").write_text("a file")
    with pytest.raises(OutputError) as e:
        datasets.load("tiny")
    assert e.value.code == "E702"


def broken(path: Path, how: str) -> None:
    a = arrays()
    with path.open("wb") as f:
        if how == "npy":
            np.save(f, a["x_train"])
        elif how == "pickle":
            np.savez(f, **{**a, "y_test": np.array([{}, {}], object)})  # type: ignore[arg-type]
        elif how == "missing":
            np.savez(f, x_train=a["x_train"])
        elif how == "type":
            np.savez(f, **{**a, "x_test": a["x_test"].astype(np.float32)})  # type: ignore[arg-type]
        elif how == "shape":
            np.savez(f, **{**a, "y_train": a["y_train"][1:]})
        elif how == "label":
            np.savez(f, **{**a, "y_test": a["y_test"] + 3})
        elif how == "member":
            with zipfile.ZipFile(f, "w") as z:
                z.writestr("x_train.npy", b"\x93NUMPY\x01\x00")
        elif how != "empty":
            np.savez_compressed(f, **a)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "flipped":
        data = bytearray(path.read_bytes())
        data[100] ^= 0xFF
        path.write_bytes(data)


@pytest.mark.parametrize(
    "how", ["npy", "pickle", "missing", "type", "shape", "label", "member", "empty", "cut", "flipped"]
)
def test_a_damaged_file(served: str, home: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path = home / "tiny.npz"
    broken(path, how)
    monkeypatch.setenv("MCUGEN_DATA", str(home))
    assert refused(path).where == str(path)


@pytest.mark.parametrize("name", DATASETS)
def test_the_checksums_are_the_sets(name: str) -> None:
    """The pinned SHA-256 are those of the idx files made from the arrays that lie here."""
    if datasets.find(name) is None:
        pytest.skip(f"no {name}.npz in MCUGEN_DATA or the cache")
    for a, part in zip(datasets.load(name, download=False), DATASETS[name].parts, strict=True):
        assert hashlib.sha256(idx(a)).hexdigest() == part.sha256
