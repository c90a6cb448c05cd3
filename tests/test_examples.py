"""The digits example: what it prints is so, it needs no torch to compile, and its training still works."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("sklearn")

from mcugen import archive, interp

ROOT = Path(__file__).parent.parent
RUN = ROOT / "examples" / "digits" / "run.py"
ARCHIVE = RUN.with_name("digits.mcugen")
ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")

# What `python run.py --no-train` does, and then the modules that it imported.
WITHOUT_TORCH = """
import runpy, sys
sys.argv = ["run.py", "--no-train"]
try:
    runpy.run_path("examples/digits/run.py", run_name="__main__")
except SystemExit as e:
    status = e.code
print("torch" if {"torch", "tqdm", "mcugen.qat", "mcugen.frontends"} & set(sys.modules) else "only the compiler")
sys.exit(status)
"""


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """run.py as a module."""
    spec = importlib.util.spec_from_file_location("digits_example", RUN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def accuracy(example: ModuleType) -> float:
    """Share of right answers of the committed archive's integer reference on the test images."""
    source = archive.load(ARCHIVE)
    _, _, x, y = example.data()
    assert len(x) == 360
    logits = interp.run(source.graph, example.quantized(source, x))[0]
    return float(np.mean(logits.argmax(1) == y))


def test_the_committed_network_is_good(accuracy: float) -> None:
    assert accuracy >= 0.98


@needs_arm
def test_the_example_runs_without_training(accuracy: float, tmp_path: Path) -> None:
    shutil.copytree(RUN.parent, tmp_path / "examples" / "digits")  # it writes to build/, two directories up
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    found = re.findall(r"^(\S+) +PASS  360 of 360 vectors equal in every byte", done.stdout, re.M)
    assert found == ["host", "sanitize", "microbit", "host", "sanitize", "mps2-an386"]
    printed = re.search(r"^ternary, integer reference +(\S+)%$", done.stdout, re.M)
    assert printed and printed[1] == f"{100 * accuracy:.2f}"
    assert done.stdout.rstrip().endswith("only the compiler")
    assert sorted(p.name for p in (tmp_path / "build" / "digits").iterdir()) == ["cortex-m0", "cortex-m4"]
    shown = (ROOT / "README.md").read_text()
    unshown = [line for line in done.stdout.splitlines()[:-1] if line.rstrip() not in shown and "stack" not in line]
    assert unshown == []  # README has what this prints, but for the stack, which depends on the compiler


def test_the_archive_is_deterministic() -> None:
    once = archive.to_bytes(archive.load(ARCHIVE))  # not the file itself: another zlib may compress otherwise
    assert archive.to_bytes(archive.from_bytes(once, "again")) == once


def test_data_is_split_evenly(example: ModuleType) -> None:
    x_train, y_train, x_test, y_test = example.data()
    assert len(x_train) == len(y_train) == 1437 and len(x_test) == len(y_test) == 360
    assert x_train.shape[1:] == (1, 8, 8) and x_train.dtype == np.float32 and 0 <= x_train.min() < x_train.max() == 1
    assert np.bincount(y_test, minlength=10).min() >= 25
    source = archive.load(ARCHIVE)
    q = example.quantized(source, x_test[:32])
    assert np.array_equal(q, source.samples[0])  # numpy's quantiser is torch's


def test_training_works(example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs of each network, to another file."""
    torch = pytest.importorskip("torch")
    from mcugen import qat

    epochs = []

    def short(*args: object, **options: object) -> list[qat.Epoch]:
        epochs.append(options.pop("epochs"))
        return qat_fit(*args, **options, epochs=2, progress=False)

    qat_fit = qat.fit
    monkeypatch.setattr(qat, "fit", short)
    threads = torch.get_num_threads()
    try:
        float_accuracy, ternary_accuracy = example.train(tmp_path / "digits.mcugen")
    finally:
        torch.set_num_threads(threads)
    assert len(epochs) == 2 and min(epochs) > 2
    assert 0.3 < float_accuracy <= 1 and 0.3 < ternary_accuracy <= 1
    made, committed = archive.load(tmp_path / "digits.mcugen"), archive.load(ARCHIVE)
    assert [(type(n.op), n.output.name, n.output.type.shape) for n in made.graph.nodes] == [
        (type(n.op), n.output.name, n.output.type.shape) for n in committed.graph.nodes
    ]
    _, _, x, y = example.data()
    logits = interp.run(made.graph, example.quantized(made, x))[0]
    assert abs(float(np.mean(logits.argmax(1) == y)) - ternary_accuracy) < 0.02
