"""The examples: what they print is so, they need no torch to compile, and their training still works."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("sklearn")

from mcugen import archive, datasets, driver, interp, ir, validate

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
RUN = EXAMPLES / "digits" / "run.py"
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


def imported(run: Path) -> ModuleType:
    """A run.py as a module; what it imports from examples/ is in its namespace."""
    spec = importlib.util.spec_from_file_location(f"{run.parent.name}_example", run)
    assert spec is not None and spec.loader is not None
    module, path = importlib.util.module_from_spec(spec), list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The digits example."""
    return imported(RUN)


@pytest.fixture(scope="module")
def accuracy(example: ModuleType) -> float:
    """Share of right answers of the committed archive's integer reference on the test images."""
    source = archive.load(ARCHIVE)
    _, _, x, y = example.data()
    assert len(x) == 360
    logits = interp.run(source.graph, example.common.quantized(source, x))[0]
    return float(np.mean(logits.argmax(1) == y))


def test_the_committed_network_is_good(accuracy: float) -> None:
    assert accuracy >= 0.98


@needs_arm
def test_the_example_runs_without_training(accuracy: float, tmp_path: Path) -> None:
    shutil.copytree(RUN.parent, tmp_path / "examples" / "digits")  # it writes to build/, two directories up
    shutil.copy(RUN.parent.parent / "common.py", tmp_path / "examples")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    found = re.findall(r"^(\S+) +PASS  360 of 360 vectors equal in every byte", done.stdout, re.M)
    assert found == ["host", "sanitize", "microbit", "unicorn", "host", "sanitize", "mps2-an386"]
    printed = re.search(r"^ternary, integer reference +(\S+)%$", done.stdout, re.M)
    assert printed and printed[1] == f"{100 * accuracy:.2f}"
    assert done.stdout.rstrip().endswith("only the compiler")
    assert sorted(p.name for p in (tmp_path / "build" / "digits").iterdir()) == ["cortex-m0", "cortex-m4"]
    shown = (ROOT / "README.md").read_text()
    unshown = [line for line in done.stdout.splitlines()[:-1] if line.rstrip() not in shown and "stack" not in line]
    assert unshown == []  # README has what this prints, but for the stack, which depends on the compiler


def test_a_machine_without_the_memory_is_named(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(validate, "MACHINE_OVERHEAD", 1 << 20)  # more than a micro:bit has
    monkeypatch.setattr(validate, "PLACES", ("qemu",))
    monkeypatch.setattr(example, "TARGETS", {"cortex-m0": "size"})
    monkeypatch.setattr(example.common, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py", "--no-train"])
    assert example.main() == 0
    said = capsys.readouterr().out
    assert re.search(r"^microbit +----  the test needs about [\d,]+ bytes of RAM, microbit has 16384$", said, re.M)


def test_the_archive_is_deterministic() -> None:
    once = archive.to_bytes(archive.load(ARCHIVE))  # not the file itself: another zlib may compress otherwise
    assert archive.to_bytes(archive.from_bytes(once, "again")) == once


def test_data_is_split_evenly(example: ModuleType) -> None:
    x_train, y_train, x_test, y_test = example.data()
    assert len(x_train) == len(y_train) == 1437 and len(x_test) == len(y_test) == 360
    assert x_train.shape[1:] == (1, 8, 8) and x_train.dtype == np.float32 and 0 <= x_train.min() < x_train.max() == 1
    assert np.bincount(y_test, minlength=10).min() >= 25
    source = archive.load(ARCHIVE)
    q = example.common.quantized(source, x_test[:32])
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
        trained = example.train(tmp_path / "digits.mcugen")
    finally:
        torch.set_num_threads(threads)
    assert len(epochs) == 2 and min(epochs) > 2
    _, _, _, y = example.data()
    assert all(0.3 < np.mean(said == y) <= 1 for said in trained)
    made, committed = archive.load(tmp_path / "digits.mcugen"), archive.load(ARCHIVE)
    assert [(type(n.op), n.output.name, n.output.type.shape) for n in made.graph.nodes] == [
        (type(n.op), n.output.name, n.output.type.shape) for n in committed.graph.nodes
    ]
    _, _, x, y = example.data()
    logits = interp.run(made.graph, example.common.quantized(made, x))[0]
    assert abs(float(np.mean(logits.argmax(1) == y) - np.mean(trained.ternary == y))) < 0.02


# ---- The networks of the zoo that take pixels ----

PIXELS = {"fashion_mnist": "fashion_mnist", "mnist_tiny": "mnist"}  # and the data set of each


class Network(NamedTuple):
    """An example of the zoo: its train.py, the committed archive, what its training said, its README."""

    example: ModuleType
    source: archive.Archive
    trained: Any
    text: str

    def readme(self, pattern: str) -> str:
        """The first group of a pattern that the README has once."""
        (found,) = re.findall(pattern, self.text, re.M)
        return str(found)

    def right(self) -> float:
        """Share of right answers of the integer reference on the test images."""
        _, _, x, y = self.example.data()
        logits = interp.run(self.source.graph, self.example.common.quantized(self.source, x))[0]
        assert len(x) == 10000
        return float(np.mean(logits.argmax(1) == y))


@pytest.fixture(scope="module", params=PIXELS)
def network(request: pytest.FixtureRequest) -> Network:
    """An example, where the data lies on this machine."""
    name = request.param
    if datasets.find(PIXELS[name]) is None:
        pytest.skip(f"no {PIXELS[name]}.npz in MCUGEN_DATA or the cache")
    here = EXAMPLES / name
    example, path = imported(here / "train.py"), here / f"{name}.mcugen"
    said = example.common.predictions(path)
    return Network(example, archive.load(path), said, (here / "README.md").read_text())


@pytest.mark.slow
def test_a_network_is_as_good_as_its_readme_says(network: Network) -> None:
    _, _, _, y = network.example.data()
    accuracy = network.right()
    assert network.readme(r"^\| ternary, integer reference \| (\S+)% \|$") == f"{100 * accuracy:.2f}"
    real, ternary = (float(np.mean(said == y)) for said in network.trained)
    assert network.readme(r"^\| float32, \d+ epochs \| (\S+)% \|$") == f"{100 * real:.2f}"
    assert network.readme(r"^\| ternary, fake-quantised, \d+ epochs \| (\S+)% \|$") == f"{100 * ternary:.2f}"
    assert accuracy >= real - 0.01


def test_the_goals_of_the_zoo() -> None:
    """Few weights that are not zero for clothes and photographs, 11 KB of weights for digits."""
    names = ("fashion_mnist", "cifar10_resnet8", "mnist_tiny")
    clothes, photographs, digits = (archive.load(EXAMPLES / name / f"{name}.mcugen") for name in names)
    for source, most in ((clothes, 0.35), (photographs, 0.5)):
        ternary = [v.const for v in source.graph.constants if v.type.dtype is ir.DType.T]
        assert sum(map(np.count_nonzero, ternary)) <= most * sum(w.size for w in ternary)
    assert photographs.graph.inputs[0].type.quant == ir.Quant(1 / 64, 128)  # its bytes are the pixels
    assert driver.compile(digits, target="cortex-m0", optimize="size").report["totals"]["weight_bytes"] <= 11000


def test_a_network_takes_pixels(network: Network) -> None:
    _, _, x, _ = network.example.data()
    pixels = network.example.common.quantized(network.source, x[:500])
    assert network.source.graph.inputs[0].type.dtype is ir.DType.U8
    assert pixels.max() == 255 and np.array_equal(pixels / np.float32(255), x[:500])


def test_digits_are_resized_by_averages() -> None:
    mnist = imported(EXAMPLES / "mnist_tiny" / "train.py")
    r, x = mnist.resize(), np.arange(28.0)
    assert np.array_equal(np.flatnonzero(r.any(0)), np.arange(2, 26))
    assert np.allclose(r.sum(1), 1) and np.allclose(r.sum(0)[2:26], 2 / 3)
    assert np.allclose(np.diff(r @ x), 1.5, atol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4"])
def test_a_network_on_the_host(network: Network, tmp_path: Path, target: str) -> None:
    """500 images here; train.py compares all 10,000, and 200 on each emulated core."""
    example, source = network.example, network.source
    artifact = driver.compile(source, target=target, optimize=example.TARGETS[target])
    artifact.save(tmp_path / target)
    _, _, x, _ = example.data()
    verdict = validate.validate(tmp_path / target, artifact, "host", example.common.quantized(source, x[:500]))
    assert verdict.passed and verdict.vectors == 500


@needs_arm
def test_the_sizes_in_the_readme(network: Network) -> None:
    for target, goal in network.example.TARGETS.items():
        artifact = driver.compile(network.source, target=target, optimize=goal)
        row = network.readme(rf"^\| ({target} \| {goal} \| .*) \|$").split(" | ")
        now = list(network.example.common.cost_row(target, goal, artifact))
        linked, shown = (int(r.pop(5).replace(",", "")) for r in (now, row))
        assert now == row and abs(linked / shown - 1) < 0.02  # another compiler: another number


def test_training_a_network_works(network: Network, tmp_path: Path) -> None:
    """An epoch of each network on few images gives a network of the same form, the same one each time."""
    torch = pytest.importorskip("torch")
    example = network.example
    x_train, y_train, x_test, y_test = example.data()
    few = x_train[:1500], y_train[:1500], x_test[:300], y_test[:300]
    threads, made = torch.get_num_threads(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example, "data", lambda: few)
        try:
            for name in ("once", "again"):  # directories of their own: training goes on from what it finds
                (tmp_path / name).mkdir()
                example.train(tmp_path / name / "made", 1, 1)
                made.append((tmp_path / name / "made").read_bytes())
        finally:
            torch.set_num_threads(threads)
    assert made[0] == made[1]
    graph, committed = archive.load(tmp_path / "once" / "made").graph, network.source.graph
    assert [(type(n.op), n.output.name, n.output.type.shape) for n in graph.nodes] == [
        (type(n.op), n.output.name, n.output.type.shape) for n in committed.nodes
    ]
    assert graph.inputs[0].type == committed.inputs[0].type


def test_a_network_that_differs_from_its_archive_is_found(example: ModuleType, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from mcugen import qat

    x = torch.rand(8, 4)
    net = qat.prepare(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)))
    qat.calibrate(net, [x])
    qat.save(net, x, tmp_path / "made")
    example.common.check_layers(net, tmp_path / "made", x)
    with torch.no_grad():
        net.get_submodule("0").bias += 0.2
    with pytest.raises(RuntimeError, match="differ"):
        example.common.check_layers(net, tmp_path / "made", x)


# ---- The zoo: networks of other tasks, one directory each ----

ZOO = {  # and the data set of each
    "cifar10_resnet8": "cifar10",
    "kws_dscnn": "kws12",
    "ecg_cnn1d": "ecg_mitbih",
    "wand_cnn1d": "magic_wand",
}
LEAST = {"cifar10_resnet8": (87, 85)}  # percent right, float and ternary; of the others, ternary within a point


class Member:
    """One network of the zoo: its train.py, its archive, what its training said, and its README."""

    def __init__(self, name: str) -> None:
        if datasets.find(ZOO[name]) is None:
            pytest.skip(f"no data for {name} in MCUGEN_DATA or the cache")
        here = ROOT / "examples" / name
        self.name, self.module = name, imported(here / "train.py")
        self.source = archive.load(here / f"{name}.mcugen")
        self.said = self.module.common.predictions(here / f"{name}.mcugen")
        self.readme = (here / "README.md").read_text()
        self.arrays = self.module.data()

    def percent(self, pattern: str) -> str:
        """The first group of a pattern that the README has once."""
        (found,) = re.findall(pattern, self.readme, re.M)
        return str(found)


def form(graph: ir.Graph) -> list[object]:
    """What does not depend on the training: operators, names, shapes and types, of the weights too."""
    values = [*graph.inputs, *graph.constants, *(n.output for n in graph.nodes)]
    return [*(type(n.op) for n in graph.nodes), *((v.name, v.type.shape, v.type.dtype) for v in values)]


@pytest.fixture(scope="module", params=sorted(ZOO))
def member(request: pytest.FixtureRequest) -> Member:
    """Each network of the zoo whose data lies on this machine."""
    return Member(request.param)


def test_a_zoo_network_is_as_good_as_its_readme_says(member: Member) -> None:
    """Float and ternary on all of the test set, as the training left them; the integers on 200 inputs."""
    _, _, x, y = member.arrays
    found = interp.run(member.source.graph, member.module.common.quantized(member.source, x[:200]))[0].argmax(1)
    assert member.said.real.shape == member.said.ternary.shape == y.shape
    real, ternary = (int(np.sum(said == y)) for said in member.said)
    assert member.percent(r"^\| float32[^|]*\| (\S+) %") == f"{100 * real / len(y):.2f}"
    assert member.percent(r"^\| ternary, fake-quantised[^|]*\| (\S+) %") == f"{100 * ternary / len(y):.2f}"
    all_of_it = r"integer reference \| (\S+) %"
    some = r"first\s+200\s+test\s+\w+,\s+integer\s+reference:\s+(\S+) %"
    assert member.percent(some if len(x) > 200 else all_of_it) == f"{100 * np.mean(found == y[:200]):.2f}"
    assert np.mean(found == member.said.ternary[:200]) >= 0.995
    least = LEAST.get(member.name, (0, 100 * real / len(y) - 1))
    assert all(100 * n / len(y) >= goal for n, goal in zip((real, ternary), least, strict=True))


def test_a_zoo_network_on_the_host(member: Member, tmp_path: Path) -> None:
    """50 inputs here; train.py compares all of them, and some on emulated cores."""
    artifact = driver.compile(member.source, target="cortex-m4", optimize=member.module.TARGETS["cortex-m4"])
    artifact.save(tmp_path / "m4")
    _, _, x, _ = member.arrays
    inputs = member.module.common.quantized(member.source, x[-50:])
    verdict = validate.validate(tmp_path / "m4", artifact, "host", inputs)
    assert verdict.passed and verdict.vectors == min(50, len(x))


def test_training_a_zoo_network_works(member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch of each network on few inputs gives a network of the same form."""
    torch = pytest.importorskip("torch")
    x_train, y_train, x_test, y_test = member.arrays
    few = slice(None, None, -(-len(x_train) // 200))  # the sets are sorted
    monkeypatch.setattr(member.module, "data", lambda: (x_train[few], y_train[few], x_test[:40], y_test[:40]))
    threads = torch.get_num_threads()
    try:
        said = member.module.train(tmp_path / "made", float_epochs=1, ternary_epochs=1)
    finally:
        torch.set_num_threads(threads)
    made, committed = archive.load(tmp_path / "made").graph, member.source.graph
    assert len(said.real) == len(said.ternary) == min(40, len(x_test))
    assert form(made) == form(committed)
