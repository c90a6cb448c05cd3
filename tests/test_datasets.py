"""Data sets: where they are looked for, what is refused, and downloads from a server on this machine."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import os
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mcugen import datasets
from mcugen.datasets import DATASETS, KEYS, Dataset, Source
from mcugen.errors import OutputError

SHAPES = ((6, 4, 5), (6,), (2, 4, 5), (2,))
FILES = tuple(f"{key}.gz" for key in KEYS)
LIMIT = 16 + 6 * 4 * 5


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
    for key, a in arrays().items():
        (files / f"{key}.gz").write_bytes(gzip.compress(idx(a)))
    sums = tuple(hashlib.sha256(a.tobytes()).hexdigest() for a in arrays().values())
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(files))) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        source = Source((url,), FILES, LIMIT, datasets.idx, sums)  # type: ignore[arg-type]
        datasets.DATASETS["tiny"] = Dataset(tuple("abc"), SHAPES[0], SHAPES[2], source=source)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield url
        server.shutdown()
        thread.join()


def mirrors(*urls: str) -> None:
    tiny = datasets.DATASETS["tiny"]
    assert isinstance(tiny.source, Source)
    datasets.DATASETS["tiny"] = replace(tiny, source=replace(tiny.source, mirrors=urls))


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
    changed = home / "changed"
    shutil.copytree(home / "www", changed)
    (changed / "y_test.gz").write_bytes(gzip.compress(idx(2 - arrays()["y_test"])))
    mirrors(bad.as_uri(), changed.as_uri(), served + "/")
    assert same(datasets.load("tiny"))


@pytest.mark.parametrize(
    "content,message",
    [
        (None, "No such file"),
        (b"", "cut short after 0 bytes"),
        (b"<html>", "incorrect header check"),
        (gzip.compress(b"<html>"), "not an idx file"),
        (gzip.compress(b""), "not an idx file"),
        (gzip.compress(idx(arrays()["x_train"]) + b"!"), f"more than {LIMIT} bytes"),
        (gzip.compress(idx(arrays()["x_train"])[:-1] + b"!"), "wrong checksum of x_train"),
        (gzip.compress(idx(arrays()["x_train"])[:-1]), "cannot reshape"),
        (gzip.compress(idx(arrays()["x_train"])[:7]), "unreadable"),
        (gzip.compress(idx(arrays()["x_train"][:5])), "x_train is uint8[5, 4, 5], not uint8[6, 4, 5]"),
        (gzip.compress(idx(arrays()["y_train"])), "x_train is uint8[6], not"),
        (gzip.compress(bytes(1 << 24)), f"more than {LIMIT} bytes"),  # a bomb is not unpacked
        (gzip.compress(idx(arrays()["x_train"]))[:40], "cut short"),
    ],
    # not the bytes: gzip has a clock
    ids="missing empty html html-gz empty-gz longer changed shorter head fewer other bomb cut".split(" "),  # noqa: SIM905
)
def test_wrong_bytes(served: str, home: Path, content: bytes | None, message: str) -> None:
    bad = home / "bad"
    shutil.copytree(home / "www", bad)
    (bad / "x_train.gz").unlink()
    if content is not None:
        (bad / "x_train.gz").write_bytes(content)
    mirrors(bad.as_uri())
    e = refused(home)
    assert message in e.message and "/bad/" in e.message
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
def test_the_sets_that_lie_here(name: str) -> None:
    """The pinned SHA-256 are those of the arrays that lie here, and every label is there."""
    if datasets.find(name) is None:
        pytest.skip(f"no file of {name} in MCUGEN_DATA or the cache")
    found = datasets.load(name, download=False)
    source = DATASETS[name].source
    if isinstance(source, Source):
        assert [hashlib.sha256(a.tobytes()).hexdigest() for a in found] == [*source.sha256]
    assert set(found[1].tolist()) == set(range(len(DATASETS[name].classes)))


def kept(name: str) -> datasets.Arrays:
    if datasets.find(name) is None:
        pytest.skip(f"no file of {name} in MCUGEN_DATA or the cache")
    return datasets.load(name, download=False)


@pytest.mark.parametrize(
    "name, published",
    [
        (
            "mnist",
            "6bbc9ace898e44ae57da46a324031adb a25bea736e30d166cdddb491f175f624 "
            "2646ac647ad5339dbf082846283269ea 27ae3e4e09519cfbb04c329615203637",
        ),
        (
            "cifar10",
            "5dd7e06a14cb22eb9f671a540d1b7c25 5ea93a67294ea407fff1d09f752e9692 942cd6a4bcdd0dd3c604fbe906cb4421 "
            "ae636b3ba5c66a11e91e8cb52e771fcb 53f37980c15c3d472c316c40844f3f0d 803d5f7f4d78ea53de84dbe85f74fb6d",
        ),
    ],
    ids=["mnist", "cifar10"],
)
def test_the_official_files_have_their_published_md5(name: str, published: str) -> None:
    """Rebuilt from the arrays in the official format, and parsed back."""
    x_train, y_train, x_test, y_test = a = kept(name)
    if name == "mnist":
        files = [idx(part) for part in a]
        again = datasets.idx(files)
    else:
        pairs = [(x_train[i : i + 10000], y_train[i : i + 10000]) for i in range(0, 50000, 10000)]
        files = [records(*p) for p in (*pairs, (x_test, y_test))]
        again = datasets.cifar_binary([archive(files)])
    assert [hashlib.md5(f).hexdigest() for f in files] == published.split()
    assert all(np.array_equal(p, q) for p, q in zip(a, again, strict=True))


def records(x: np.ndarray, y: np.ndarray) -> bytes:
    """The binary version of CIFAR-10."""
    return np.concatenate([y[:, None], x.transpose(0, 3, 1, 2).reshape(len(x), -1)], 1).tobytes()


def archive(files: list[bytes], names: list[str] | None = None) -> bytes:
    """As the official one: with a directory and other files, in no special order."""
    out = io.BytesIO()
    names = names or [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    members = [("readme.html", b"<html>"), *zip(names, files, strict=True)][::-1]
    with tarfile.open(fileobj=out, mode="w") as tar:
        directory = tarfile.TarInfo("cifar-10-batches-bin")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in members:
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_a_cifar_archive_is_read() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (12, 32, 32, 3), np.uint8), rng.integers(0, 10, 12, np.uint8)
    files = [records(x[i : i + 2], y[i : i + 2]) for i in range(0, 12, 2)]
    found = datasets.cifar_binary([archive(files)])
    assert all(np.array_equal(a, b) for a, b in zip(found, (x[:10], y[:10], x[10:], y[10:]), strict=True))
    with pytest.raises(LookupError):
        datasets.cifar_binary([archive(files[:5], [f"data_batch_{i}.bin" for i in range(1, 6)])])
    with pytest.raises(ValueError, match="reshape"):
        datasets.cifar_binary([archive([files[0][:-1], *files[1:]])])
    with pytest.raises(tarfile.TarError):
        datasets.cifar_binary([archive(files)[:40000]])


def wand(a: np.ndarray) -> bytes:
    """As the author's files: decimal numbers of doubles that are nearly those of the arrays."""
    lines = [",".join(repr(float(v) * (1 + 1e-15)) for v in row) for row in np.round(a.reshape(-1, 6), 3).astype(str)]
    return ("aX,aY,aZ,gX,gY,gZ\n" + "\n".join(lines) + "\n").encode()


def test_the_wands_files_are_read() -> None:
    x_train, y_train, x_test, y_test = a = kept("magic_wand")
    files = [wand(x[y == c]) for x, y in ((x_train, y_train), (x_test, y_test)) for c in range(5)]
    assert all(np.array_equal(p, q) for p, q in zip(a, datasets.wand_csv(files), strict=True))
    for bad in (files[0] + b"1,2,3,4,5\n", files[0] + b"1,2,3,4,5,6\n", files[0] + b"1,2,3,4,5,x\n"):
        with pytest.raises(ValueError):  # noqa: PT011  numpy's own words
            datasets.wand_csv([bad, *files[1:]])


def test_files_in_folders_and_not_compressed(served: str, home: Path) -> None:
    x, y = np.linspace(-3, 3, 2 * 119 * 6, dtype=np.float32).reshape(2, 119, 6), np.arange(2, dtype=np.uint8)
    x = np.round(x, 3)
    names = ("train/a.csv", "train/b.csv", "test/a.csv", "test/b.csv")
    for i, file in enumerate(names):
        (home / "www" / file).parent.mkdir(exist_ok=True)
        (home / "www" / file).write_bytes(wand(x[i % 2 :][:1]))
    sums = tuple(hashlib.sha256(a.tobytes()).hexdigest() for a in (x, y, x, y))
    source = Source((served,), names, 20000, datasets.wand_csv, sums)  # type: ignore[arg-type]
    datasets.DATASETS["tiny"] = Dataset(("a", "b"), x.shape, x.shape, "float32", source=source)
    assert np.array_equal(datasets.load("tiny")[2], x)
    datasets.find("tiny").unlink()  # type: ignore[union-attr]
    datasets.DATASETS["tiny"] = Dataset(("a", "b"), x.shape, x.shape, "float32", source=replace(source, limit=5000))
    assert "more than 5000 bytes" in refused(home).message


def test_a_set_without_a_download_says_where_it_is(home: Path) -> None:
    datasets.DATASETS["kws12"] = DATASETS["kws12"]
    for call in (datasets.load, datasets.fetch):
        with pytest.raises(OutputError, match="no download") as e:
            call("kws12")
        assert e.value.code == "E705" and "kws12_mfcc.npz" in e.value.hint and "mlcommons/tiny" in e.value.hint


def test_inputs_are_normalised_and_have_channels_first() -> None:
    image = np.zeros((2, 32, 32, 3), np.uint8)
    image[1, 4, 5, 2] = 255
    got = datasets.inputs("cifar10", image)
    assert got.shape == (2, 3, 32, 32) and got.dtype == np.float32 and got.flags.c_contiguous
    assert got[1, 2, 4, 5] == pytest.approx(1) and got.sum() == pytest.approx(1)
    assert datasets.inputs("mnist", np.full((1, 28, 28), 51, np.uint8))[0, 0, 3, 3] == pytest.approx(0.2)
    q = np.full((1, 49, 10), -45, np.int8)
    assert datasets.inputs("kws12", q)[0, 0, 0, 0] == pytest.approx(0.5847029 * (-45 - 83))
    w = np.zeros((1, 119, 6), np.float32)
    w[:, :, 0], w[:, :, 5] = -4, 2000
    got = datasets.inputs("magic_wand", w)
    assert got.shape == (1, 6, 119) and [*got[0, :, 7]] == pytest.approx([0, 0.5, 0.5, 0.5, 0.5, 1])
    got = datasets.inputs("ecg_mitbih", np.full((1, 128), 1224, np.int16))
    assert got.shape == (1, 1, 128) and got[0, 0, 0] == pytest.approx(1.0)  # mV
    with pytest.raises(OutputError) as e:
        datasets.inputs("ecg_mitbih", q)
    assert e.value.code == "E705" and "[n, 128]" in str(e.value)


def test_keyword_features_are_those_of_mlperf() -> None:
    path = Path(os.environ.get("MCUGEN_DATA", "")) / "kws12_audio120.npz"
    if not path.is_file():
        pytest.skip("no kws12_audio120.npz in MCUGEN_DATA")
    with np.load(path, allow_pickle=False) as z:
        audio, golden = z["x"], z["mfcc_int8"].astype(int)
    wrong = datasets.keyword_features(audio) - golden
    assert np.abs(wrong).max() <= 1 and np.count_nonzero(wrong) <= 1  # of 58,800


def test_keyword_features_of_odd_sounds() -> None:
    silence = datasets.keyword_features(np.zeros((1, 16000), np.int16))
    assert silence.shape == (1, 49, 10) and silence.dtype == np.int8
    assert (silence == datasets.SILENT_FRAME).all()
    rng = np.random.default_rng(0)
    sound = rng.integers(-20000, 20000, (2, 16000)).astype(np.int16)
    assert np.array_equal(datasets.keyword_features(sound), datasets.keyword_features(sound / 32768))
    with pytest.raises(OutputError) as e:
        datasets.keyword_features(sound[:, :15999])
    assert e.value.code == "E705" and "[2, 15999]" in str(e.value)


def test_a_sparse_file_in_an_archive_takes_no_memory() -> None:
    """A header that claims 8 GB of zeros."""
    info = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[386:398] = head[398:410] = b"00000000000\0"
    head[483:495] = b"77777777777\0"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    with tarfile.open(fileobj=io.BytesIO(bytes(head) + bytes(1024))) as tar:
        assert tar.getmembers()[0].size == 8**11 - 1
    with pytest.raises(LookupError):
        datasets.cifar_binary([bytes(head) + bytes(1024)])
