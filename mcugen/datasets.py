"""Public data sets as plain arrays: from the directory MCUGEN_DATA, the user's cache, or a download into that cache.

x_train, y_train, x_test, y_test = datasets.load("fashion_mnist")
x = datasets.inputs("fashion_mnist", x_train)  # float32, channels first, as networks take it

A set is a file .npz with these four arrays; nothing is unpickled. What is downloaded is checked by the SHA-256 of the
arrays before it is used, so it does not matter which mirror it comes from.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import numpy.typing as npt

from .errors import OutputError

Array = npt.NDArray[Any]
Arrays = tuple[Array, Array, Array, Array]  # x_train, y_train, x_test, y_test
Parse = Callable[[Sequence[bytes]], Arrays]

KEYS = ("x_train", "y_train", "x_test", "y_test")
CHUNK = 1 << 16  # bytes read at a time
TIMEOUT_S = 30.0  # of a connection that says nothing


@dataclass(frozen=True)
class Source:
    """Files on the network and how they become arrays."""

    mirrors: tuple[str, ...]  # base addresses, best first
    files: tuple[str, ...]  # .gz: decompressed
    limit: int  # bytes of the largest file, decompressed
    parse: Parse  # OutputError, ValueError, LookupError or tarfile.TarError: a file is not what it should be
    sha256: tuple[str, str, str, str]  # of the arrays' bytes


@dataclass(frozen=True)
class Dataset:
    """What is in a set, and where it comes from."""

    classes: tuple[str, ...]
    train: tuple[int, ...]  # shape of x_train
    test: tuple[int, ...]  # shape of x_test
    dtype: str = "uint8"  # of x; labels are uint8
    scale: tuple[float, ...] = (1 / 255,)  # real = scale * (x - zero), per entry of the last axis or one for all
    zero: tuple[float, ...] = (0.0,)
    file: str = ""  # name of the file without .npz, if not that of the set
    source: Source | str = ""  # where else to get it, in words, if it cannot be downloaded


def idx(files: Sequence[bytes]) -> Arrays:
    """Four files in the format of MNIST: 0, 0, 8 for bytes, the number of dimensions, each big-endian, the bytes."""
    found = []
    for content in files:
        if len(content) < 4 or content[:3] != b"\0\0\x08":
            raise OutputError("E705", "not an idx file of bytes")
        shape = np.frombuffer(content, ">u4", content[3], 4).tolist()
        found.append(np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape))
    x_train, y_train, x_test, y_test = found
    return x_train, y_train, x_test, y_test


def cifar_binary(files: Sequence[bytes]) -> Arrays:
    """The "binary version": a tar of records of a label and 3 x 32 x 32 bytes, red, green, blue; to (n, 32, 32, 3)."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(files[0])) as tar:
        for member in tar:
            wanted = member.name.endswith(".bin") and member.size <= len(files[0])  # a sparse one may say anything
            file = tar.extractfile(member) if wanted else None
            if file is not None:
                found[Path(member.name).name] = np.frombuffer(file.read(), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    train, test = np.concatenate([found[n] for n in names]), found["test_batch.bin"]
    x_train, x_test = (r[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) for r in (train, test))
    return x_train, train[:, 0], x_test, test[:, 0]


def wand_csv(files: Sequence[bytes]) -> Arrays:
    """A file per class, training files first: a line of names, then lines of 6 numbers, 119 for each recording."""
    half = len(files) // 2
    parts: list[Array] = []
    for group in (files[:half], files[half:]):
        lines = [np.loadtxt(io.BytesIO(f), np.float64, delimiter=",", skiprows=1, ndmin=2) for f in group]
        x = [a.astype(np.float32).reshape(-1, 119, 6) for a in lines]
        parts += [np.concatenate(x), np.repeat(np.arange(len(x), dtype=np.uint8), [len(a) for a in x])]
    x_train, y_train, x_test, y_test = parts
    return x_train, y_train, x_test, y_test


MNIST_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
SPELLS = ("AlohomoraCharm", "ArrestoMomentumCharm", "AvadaKedavra", "LocomotorCharm", "Revelio")

# The SHA-256 were computed from arrays of which this was verified: for mnist and fashion_mnist, the idx files made of
# them have the published MD5 of the official ones; for cifar10, so do the six files of the binary version; for
# magic_wand, sizes and samples of the repository's files agree. The addresses have not been tried.
DATASETS = {
    # LeCun, Cortes, Burges: the MNIST database of handwritten digits
    "mnist": Dataset(
        tuple("0123456789"),
        (60000, 28, 28),
        (10000, 28, 28),
        source=Source(
            (
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "http://yann.lecun.com/exdb/mnist/",
            ),
            MNIST_FILES,
            16 + 60000 * 28 * 28,
            idx,
            (
                "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
                "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
                "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
                "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
            ),
        ),
    ),
    # Xiao, Rasul, Vollgraf: Fashion-MNIST (arXiv 1708.07747), Zalando SE, MIT licence
    "fashion_mnist": Dataset(
        (
            "T-shirt",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        (60000, 28, 28),
        (10000, 28, 28),
        source=Source(
            (
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            ),
            MNIST_FILES,
            16 + 60000 * 28 * 28,
            idx,
            (
                "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
                "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
                "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
                "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
            ),
        ),
    ),
    # Krizhevsky: Learning Multiple Layers of Features from Tiny Images (2009)
    "cifar10": Dataset(
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        (50000, 32, 32, 3),
        (10000, 32, 32, 3),
        source=Source(
            ("https://www.cs.toronto.edu/~kriz/",),
            ("cifar-10-binary.tar.gz",),
            200_000_000,
            cifar_binary,
            (
                "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
                "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
                "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
                "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
            ),
        ),
    ),
    # Warden: Speech Commands (arXiv 1804.03209), CC BY 4.0; the int8 features of MLPerf Tiny. 49 frames of 20 ms.
    # The training part is not the official training split, and shares speakers with the test part.
    "kws12": Dataset(
        ("Down", "Go", "Left", "No", "Off", "On", "Right", "Stop", "Up", "Yes", "Silence", "Unknown"),
        (3775, 49, 10),
        (1000, 49, 10),
        "int8",
        scale=(0.5847029,),
        zero=(83.0,),
        file="kws12_mfcc",
        source="int8 features (49, 10) as MLPerf Tiny makes them (github.com/mlcommons/tiny, "
        "benchmark/training/keyword_spotting/quantize.py and make_all_bin_files.sh) from Speech Commands v0.02",
    ),
    # github.com/nanguoyu/Magic_Wand_Data, MIT licence: acceleration in g, rotation in degrees per second
    "magic_wand": Dataset(
        SPELLS,
        (100, 119, 6),
        (25, 119, 6),
        "float32",
        scale=(1 / 8,) * 3 + (1 / 4000,) * 3,
        zero=(-4.0,) * 3 + (-2000.0,) * 3,
        source=Source(
            (
                "https://raw.githubusercontent.com/nanguoyu/Magic_Wand_Data/"
                "e09fcf9cdc2344b1b652ae420a7dbd5ab0b130f4/data/",
            ),
            tuple(f"{part}/{spell}.csv" for part in ("train", "test") for spell in SPELLS),
            1_000_000,
            wand_csv,
            (
                "2b0f0028910d97979d1d82faaadeaf5807bc1416ad412245a3bbadc9831132ff",
                "4b644424055f1838d02374a46c97ca6df1535dc38351fc409682803303e572c2",
                "bc8b6ee96f6f35049854bed3cc7179ec1c1a0658b771ab3f508396b0df13e7da",
                "6b705fa3cc75f8f8a0003dabbc4c6deaf7410244bc7226bd0138168d6791e69b",
            ),
        ),
    ),
    # Moody, Mark: The impact of the MIT-BIH Arrhythmia Database (2001); PhysioNet, ODC-By. Lead MLII, 128 samples at
    # 180 Hz around each beat, 200 units per mV; patients of the test part are not in the training part.
    "ecg_mitbih": Dataset(
        ("N", "S", "V", "F", "Q"),
        (51000, 128),
        (49693, 128),
        "int16",
        scale=(1 / 200,),
        zero=(1024.0,),
        source="beats cut from the records of physionet.org/content/mitdb/1.0.0: lead MLII, 128 samples at 180 Hz",
    ),
}


def load(name: str, download: bool = True) -> Arrays:
    """(x_train, y_train, x_test, y_test); the labels are uint8, 0 .. classes - 1.

    OutputError E705: no such set, not found here, not downloadable, or not what it should be.
    """
    dataset = _dataset(name)
    path = find(name)
    if path is None:
        if not download or isinstance(dataset.source, str):
            message = f"not in MCUGEN_DATA and not in {cache()}"
            if isinstance(dataset.source, str):
                message += "; there is no download that gives exactly this set"
            raise OutputError("E705", message, where=name, hint=_hint(name))
        path = fetch(name)
    return read(path, dataset)


def inputs(name: str, x: Array) -> npt.NDArray[np.float32]:
    """Samples of a set as a network takes them: float32, normalised as the set's authors do, channels first.

    Images (n, channels, height, width), 0..1; kws12 (n, 1, 49, 10), MFCC; magic_wand (n, 6, 119); ecg_mitbih
    (n, 1, 128), mV. OutputError E705: an unknown set, or x is not of its shape.
    """
    dataset = _dataset(name)
    if x.shape[1:] != dataset.train[1:]:
        raise OutputError("E705", f"x is {list(x.shape)}, not [n, {str([*dataset.train[1:]])[1:]}", where=name)
    real = (x.astype(np.float32) - np.asarray(dataset.zero, np.float32)) * np.asarray(dataset.scale, np.float32)
    channels_last = x.ndim == 4 or len(dataset.scale) > 1
    return np.ascontiguousarray(np.moveaxis(real, -1, 1) if channels_last else real[:, None])


# Of a constant, the DCT is 0 but for the first coefficient; TensorFlow's float32 gives a little less than 0 for two.
SILENT_FRAME = np.array([-128, 82, 83, 83, 83, 82, 83, 83, 83, 83], np.int8)


def keyword_features(audio: Array) -> npt.NDArray[np.int8]:
    """(n, 16000) samples at 16 kHz -> (n, 49, 10) int8, as in the set kws12; for keywords of one's own.

    MLPerf Tiny's features: divided by the largest sample; frames of 480 samples every 320, periodic Hann window,
    magnitudes of a 512-point FFT; 40 mel bands from 20 to 4000 Hz; log(. + 1e-6); DCT-II, the first 10, divided by
    sqrt(80); quantised to 0.5847029 * (q - 83), rounded towards zero. Computed in float64: of the 58,800 values of
    MLPerf's own files for 120 clips, one differs, by 1. OutputError E705: another shape.
    """
    if audio.ndim != 2 or audio.shape[1] != 16000:
        raise OutputError("E705", f"audio is {list(audio.shape)}, not [n, 16000]", hint="pad or cut to one second")
    x = audio / np.maximum(audio.max(1, keepdims=True), 1 if audio.dtype.kind == "i" else 1e-9).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(x, 480, axis=1)[:, ::320]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)
    bands = np.abs(np.fft.rfft(frames * hann, 512)) @ _mel(40, 257, 8000.0, 20.0, 4000.0)
    dct = 2 * np.cos(np.pi * np.outer(2 * np.arange(40) + 1, np.arange(10)) / 80) / np.sqrt(80)
    kws = DATASETS["kws12"]
    mfcc = np.log(bands + 1e-6) @ dct
    codes: npt.NDArray[np.int8] = np.trunc(mfcc / kws.scale[0] + kws.zero[0]).clip(-128, 127).astype(np.int8)
    codes[(frames == 0).all(2)] = SILENT_FRAME
    return codes


def _mel(bands: int, bins: int, top: float, low: float, high: float) -> npt.NDArray[np.float64]:
    """(bins, bands): triangles of equal width on the scale 1127 ln(1 + f / 700); bin 0 counts nowhere."""
    edges = np.linspace(1127 * np.log1p(low / 700), 1127 * np.log1p(high / 700), bands + 2)
    at = 1127 * np.log1p(np.linspace(0, top, bins) / 700)[:, None]
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    weights: npt.NDArray[np.float64] = np.minimum((at - left) / (middle - left), (right - at) / (right - middle)).clip(
        0
    )
    weights[0] = 0
    return weights


def find(name: str) -> Path | None:
    """The set's file on this machine: in MCUGEN_DATA, else in the cache, else None."""
    given = os.environ.get("MCUGEN_DATA")
    places = [*([Path(given)] if given else []), cache()]
    return next((p for p in (place / _file(name) for place in places) if p.is_file()), None)


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
    x_train, y_train, x_test, y_test = (arrays[k] for k in KEYS)
    found = x_train, y_train, x_test, y_test
    wrong = _wrong(found, dataset)
    if wrong:
        raise OutputError("E705", wrong, where=str(path))
    return found


def fetch(name: str) -> Path:
    """Download a set of DATASETS into the cache and return its file there; progress goes to standard error.

    A file in the cache is always whole. OutputError E705: no mirror gives the right bytes. E702: the cache cannot be
    written.
    """
    dataset = _dataset(name)
    if isinstance(dataset.source, str):
        raise OutputError("E705", "there is no download that gives exactly this set", where=name, hint=_hint(name))
    arrays, wrong = None, []
    for mirror in dataset.source.mirrors:
        base = mirror.rstrip("/") + "/"
        try:
            arrays = _from_mirror(base, dataset, dataset.source)
            break
        except OutputError as e:
            wrong.append(f"{e.where or base}: {e.message}")
    if arrays is None:
        raise OutputError("E705", f"cannot download: {'; '.join(wrong)}", where=name, hint=_hint(name))
    path = cache() / _file(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{name}-") as work:
            fresh = Path(work) / path.name
            with fresh.open("wb") as f:
                np.savez_compressed(f, **dict(zip(KEYS, arrays, strict=True)))  # type: ignore[arg-type]
            fresh.replace(path)
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=str(path)) from None
    return path


def _dataset(name: str) -> Dataset:
    if name not in DATASETS:
        raise OutputError("E705", f"unknown data set {name[:60]!r}", hint=f"one of: {', '.join(sorted(DATASETS))}")
    return DATASETS[name]


def _file(name: str) -> str:
    return f"{DATASETS[name].file or name}.npz"


def _hint(name: str) -> str:
    source = DATASETS[name].source
    where = f" ({source})" if isinstance(source, str) and source else ""
    return f"set MCUGEN_DATA to a directory that has {_file(name)} with {', '.join(KEYS)}{where}"


def _wrong(arrays: Arrays, dataset: Dataset) -> str:
    """What is not as the set has it; empty if nothing is."""
    shapes = (dataset.train, dataset.train[:1], dataset.test, dataset.test[:1])
    for key, a, shape in zip(KEYS, arrays, shapes, strict=True):
        dtype = dataset.dtype if key[0] == "x" else "uint8"
        if a.dtype != dtype or a.shape != shape:
            return f"{key} is {a.dtype}{list(a.shape)}, not {dtype}{list(shape)}"
        if key[0] == "y" and int(a.max()) >= len(dataset.classes):
            return f"{key} has label {a.max()}, not 0..{len(dataset.classes) - 1}"
        if a.dtype.kind == "f" and not np.isfinite(a).all():
            return f"{key} has values that are not finite"
    return ""


def _from_mirror(base: str, dataset: Dataset, source: Source) -> Arrays:
    """The arrays, checked; OutputError E705 with the address at fault."""
    contents = [_download(base + file, source.limit) for file in source.files]
    try:
        arrays = source.parse(contents)
    except (ValueError, LookupError, tarfile.TarError) as e:
        raise OutputError("E705", f"unreadable: {e}", where=base) from None
    wrong = _wrong(arrays, dataset)
    if wrong:
        raise OutputError("E705", wrong, where=base)
    for key, a, sha256 in zip(KEYS, arrays, source.sha256, strict=True):
        if hashlib.sha256(a.tobytes()).hexdigest() != sha256:
            raise OutputError("E705", f"wrong checksum of {key}", where=base)
    return arrays


def _download(url: str, limit: int) -> bytes:
    """The content of a file, decompressed if its name ends in .gz; memory is bounded whatever the server sends."""
    file = url.rsplit("/", 1)[-1]
    unzip = zlib.decompressobj(wbits=31) if file.endswith(".gz") else None
    content = bytearray()
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:
            seen = 0
            progress = _Progress(file, int(answer.headers.get("Content-Length") or 0))
            while not (unzip and unzip.eof) and len(content) <= limit and (block := answer.read(CHUNK)):
                seen += len(block)
                while block and len(content) <= limit:
                    content += unzip.decompress(block, limit + 1 - len(content)) if unzip else block
                    block = unzip.unconsumed_tail if unzip else b""
                progress.show(seen)
            progress.end()
    except (OSError, http.client.HTTPException, ValueError, zlib.error) as e:
        raise OutputError("E705", str(e) or type(e).__name__, where=url) from None
    if len(content) > limit:
        raise OutputError("E705", f"more than {limit} bytes", where=url)
    if unzip and not unzip.eof:
        raise OutputError("E705", f"cut short after {len(content)} bytes", where=url)
    return bytes(content)


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
