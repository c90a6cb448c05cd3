"""Public data sets as plain arrays: from the directory MCUGEN_DATA, the user's cache, or a download into that cache.

x_train, y_train, x_test, y_test = datasets.load("fashion_mnist")

A set is the file NAME.npz with these four arrays; nothing is unpickled. What is downloaded is checked by the SHA-256 of
its decompressed content before it is used, so it does not matter which mirror it comes from.
"""

from __future__ import annotations

import hashlib
import http.client
import math
import os
import sys
import tempfile
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import numpy.typing as npt

from .errors import OutputError

Bytes = npt.NDArray[np.uint8]
Arrays = tuple[Bytes, Bytes, Bytes, Bytes]  # x_train, y_train, x_test, y_test

KEYS = ("x_train", "y_train", "x_test", "y_test")
CHUNK = 1 << 16  # bytes read at a time
TIMEOUT_S = 30.0  # of a connection that says nothing


@dataclass(frozen=True)
class Part:
    """One array: a gzipped file in the idx format of MNIST."""

    file: str
    shape: tuple[int, ...]
    sha256: str  # of the decompressed file, header and all


@dataclass(frozen=True)
class Dataset:
    """Where a set comes from and what is in it, in the order of KEYS."""

    mirrors: tuple[str, ...]  # base addresses, best first
    classes: int
    parts: tuple[Part, Part, Part, Part]


DATASETS = {
    # Xiao, Rasul, Vollgraf: Fashion-MNIST (arXiv 1708.07747), Zalando SE, MIT licence
    "fashion_mnist": Dataset(
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        10,
        (
            Part(
                "train-images-idx3-ubyte.gz",
                (60000, 28, 28),
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
            Part(
                "train-labels-idx1-ubyte.gz",
                (60000,),
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
            Part(
                "t10k-images-idx3-ubyte.gz",
                (10000, 28, 28),
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            Part(
                "t10k-labels-idx1-ubyte.gz",
                (10000,),
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
    ),
}


def load(name: str, download: bool = True) -> Arrays:
    """(x_train, y_train, x_test, y_test), all uint8; the labels are 0 .. classes - 1.

    OutputError E705: no such set, not found here, not downloadable, or not what it should be.
    """
    if name not in DATASETS:
        raise OutputError("E705", f"unknown data set {name[:60]!r}", hint=f"one of: {', '.join(sorted(DATASETS))}")
    path = find(name)
    if path is None:
        if not download:
            message = f"not in MCUGEN_DATA and not in {cache()}"
            raise OutputError("E705", message, where=name, hint=_hint(name))
        path = fetch(name)
    return read(path, DATASETS[name])


def find(name: str) -> Path | None:
    """The set's file on this machine: in MCUGEN_DATA, else in the cache, else None."""
    given = os.environ.get("MCUGEN_DATA")
    places = [*([Path(given)] if given else []), cache()]
    return next((p for p in (place / f"{name}.npz" for place in places) if p.is_file()), None)


def cache() -> Path:
    """Where downloads stay: $XDG_CACHE_HOME/mcugen or ~/.cache/mcugen."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path("~/.cache").expanduser()) / "mcugen"


def read(path: Path, dataset: Dataset) -> Arrays:
    """The four arrays of a file. OutputError E705 if they are not what the set has."""
    try:
        with path.open("rb") as f, np.load(f, allow_pickle=False) as z:
            arrays: dict[str, Any] = {k: z[k] for k in KEYS}
    except (OSError, ValueError, LookupError, EOFError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error) as e:
        raise OutputError("E705", f"cannot read: {type(e).__name__}: {e}", where=str(path)) from None
    for key, part in zip(KEYS, dataset.parts, strict=True):
        a = arrays[key]
        if a.dtype != np.uint8 or a.shape != part.shape:
            message = f"{key} is {a.dtype}{list(a.shape)}, not uint8{list(part.shape)}"
            raise OutputError("E705", message, where=str(path))
        if len(part.shape) == 1 and int(a.max()) >= dataset.classes:
            raise OutputError("E705", f"{key} has label {a.max()}, not 0..{dataset.classes - 1}", where=str(path))
    x_train, y_train, x_test, y_test = (arrays[k] for k in KEYS)
    return x_train, y_train, x_test, y_test


def fetch(name: str) -> Path:
    """Download a set of DATASETS into the cache and return its file there; progress goes to standard error.

    A file in the cache is always whole. OutputError E705: no mirror gives the right bytes. E702: the cache cannot be
    written.
    """
    x_train, y_train, x_test, y_test = (_part(name, p) for p in DATASETS[name].parts)
    path = cache() / f"{name}.npz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{name}-") as work:
            fresh = Path(work) / path.name
            with fresh.open("wb") as f:
                np.savez_compressed(f, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
            fresh.replace(path)
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=str(path)) from None
    return path


def _hint(name: str) -> str:
    return f"set MCUGEN_DATA to a directory that has {name}.npz with {', '.join(KEYS)}"


def _part(name: str, part: Part) -> Bytes:
    """One array, from the first mirror that gives it."""
    wrong = []
    for mirror in DATASETS[name].mirrors:
        url = mirror.rstrip("/") + "/" + part.file
        try:
            content = _download(url, part)
        except OutputError as e:
            wrong.append(f"{url}: {e.message}")
            continue
        return np.frombuffer(content, np.uint8, offset=len(_header(part))).reshape(part.shape)
    raise OutputError("E705", f"cannot download: {'; '.join(wrong)}", where=name, hint=_hint(name))


def _download(url: str, part: Part) -> bytes:
    """The decompressed content of a file, checked; memory is bounded whatever the server sends."""
    size = len(_header(part)) + math.prod(part.shape)
    unzip, content = zlib.decompressobj(wbits=31), bytearray()
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:
            total, seen = int(answer.headers.get("Content-Length") or 0), 0
            progress = _Progress(part.file, total)
            while not unzip.eof and len(content) <= size and (block := answer.read(CHUNK)):
                seen += len(block)
                content += unzip.decompress(block, size + 1 - len(content))
                while unzip.unconsumed_tail and len(content) <= size:
                    content += unzip.decompress(unzip.unconsumed_tail, size + 1 - len(content))
                progress.show(seen)
            progress.end()
    except (OSError, http.client.HTTPException, ValueError, zlib.error) as e:
        raise OutputError("E705", str(e) or type(e).__name__) from None
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise OutputError("E705", f"wrong checksum: {len(content)} bytes of {size} after decompression")
    return bytes(content)


def _header(part: Part) -> bytes:
    """The head of an idx file: 0, 0, 8 for bytes, the number of dimensions, each dimension big-endian."""
    return bytes([0, 0, 8, len(part.shape)]) + b"".join(n.to_bytes(4, "big") for n in part.shape)


class _Progress:
    """A line on standard error that moves on a terminal and is written once elsewhere."""

    def __init__(self, file: str, total: int) -> None:
        self.file, self.total, self.shown = file, total, 0.0
        self.terminal = sys.stderr.isatty()
        if not self.terminal:
            print(f"downloading {file}, {total / 1e6:.1f} MB", file=sys.stderr)

    def show(self, seen: int) -> None:
        now = time.monotonic()
        if self.terminal and now - self.shown > 0.1:
            self.shown = now
            share = f" {min(1.0, seen / self.total):4.0%}" if self.total else ""
            print(f"\rdownloading {self.file}{share} {seen / 1e6:.1f} MB", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.terminal:
            print(file=sys.stderr)
