"""The training loop: restarts, signals, averages, several processes, logs."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from mcugen import qat  # noqa: E402
from mcugen.errors import ModelError, OutputError  # noqa: E402
from mcugen.qat import augment  # noqa: E402

FIT = sys.modules["mcugen.qat.fit"]  # the name in mcugen.qat is the function
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def data(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Four classes: the quarter of an 8x8 image that is bright."""
    g = torch.Generator().manual_seed(5)
    y = torch.arange(n) % 4
    x = torch.rand(n, 1, 8, 8, generator=g) * 0.6
    for i, c in enumerate(y.tolist()):
        x[i, 0, 4 * (c // 2) : 4 * (c // 2) + 4, 4 * (c % 2) : 4 * (c % 2) + 4] += 0.5
    return x, y


def net() -> nn.Module:
    """With batch norms and dropout, so that the order of batches and the random states matter."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(6, 6, 3), nn.ReLU()]
    return qat.prepare(nn.Sequential(*layers, nn.Flatten(), nn.Linear(96, 4)))


def noise(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return x + 0.1 * torch.rand(x.shape, generator=generator)


def same(a: nn.Module, b: nn.Module) -> bool:
    own, other = a.state_dict(), b.state_dict()
    return own.keys() == other.keys() and all(torch.equal(v, other[k]) for k, v in own.items())


class Stopped(Exception):  # noqa: N818
    pass


class Stops:
    """An augmentation that does something at its n-th call; it draws as `noise` does."""

    __qualname__ = noise.__qualname__

    def __init__(self, at: int, what) -> None:
        self.left, self.what = at, what

    def __call__(self, x, generator):
        self.left -= 1
        if self.left == 0:
            self.what()
        return noise(x, generator)


def cut() -> None:
    raise Stopped


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Loader(list):
    """Batches in an order drawn from the global generators at each start, as a DataLoader does."""

    def __iter__(self):
        order = torch.randperm(len(self)).tolist()
        random.shuffle(order)
        for i in np.random.permutation(order):
            yield self[i]


OPTIONS = {
    "plain": {},
    "all": dict(optimizer="sgd", lr=0.05, warmup=0.4, clip=1.0, ema=0.9, label_smoothing=0.1),
    "loader": dict(ema=0.9),
}


def train(kind: str, model: nn.Module, change=noise, **more):
    x, y = data()
    batches = Loader(zip(x.split(16), y.split(16), strict=True)) if kind == "loader" else (x, y)
    random.seed(3)
    np.random.seed(3)
    options = {"epochs": 4, "batch_size": 16, "progress": False, **OPTIONS[kind], **more}
    return qat.fit(model, batches, (x, y), **{"augment": change, **options})


# Going on


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("how", ["exception", "signal"])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, kind, how):
    path = tmp_path / "c.pt"
    if how == "exception":  # in the third epoch: the file has the first two
        error, at, what, position = Stopped, 10, cut, (2, 0)
    else:  # within the second epoch: the file has the step that ran
        error, at, what, position = KeyboardInterrupt, 7, interrupt, (1, 3)
    with pytest.raises(error):
        train(kind, net(), Stops(at, what), checkpoint=path)
    content = torch.load(path, weights_only=True)
    assert (content["epoch"], content["extra"]["batch"]) == position
    resumed, whole = net(), net()
    again, once = train(kind, resumed, checkpoint=path), train(kind, whole)
    assert again == once and len(once) == 4
    assert same(resumed, whole) and not same(whole, net())
    model = net()
    assert train(kind, model, checkpoint=path) == once and same(model, whole)  # nothing is left to do


def test_sigterm_ends_the_process_with_a_valid_file(tmp_path):
    """Held back until the step is done, then what was set before fit acts."""
    got = []
    old = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number) or cut())
    try:
        with pytest.raises(Stopped):
            train("plain", net(), Stops(2, lambda: os.kill(os.getpid(), signal.SIGTERM)), checkpoint=tmp_path / "c.pt")
    finally:
        here = signal.signal(signal.SIGTERM, old)
    assert got == [signal.SIGTERM] and here.__name__ == "<lambda>"
    resumed, whole = net(), net()
    assert train("plain", resumed, checkpoint=tmp_path / "c.pt") == train("plain", whole) and same(resumed, whole)


def test_without_a_checkpoint_signals_act_at_once():
    with pytest.raises(KeyboardInterrupt):
        train("plain", net(), Stops(2, interrupt))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_kill_leaves_a_valid_file(tmp_path):
    path = tmp_path / "c.pt"
    code = f"import test_fit as t; t.train('plain', t.net(), checkpoint={str(path)!r}, epochs=4000)"
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    with subprocess.Popen([sys.executable, "-c", code], env=env, cwd=tmp_path) as process:
        end = time.monotonic() + 60
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.2)
        process.kill()
    assert qat.load_checkpoint(path, net())["epoch"] >= 1


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    train("plain", net(), checkpoint=path, epochs=2)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError) as e:
        train("plain", net(), checkpoint=path, epochs=3, resume=False)
    assert e.value.code == "E702" and "No space" in str(e.value)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_start_again(tmp_path):
    path = tmp_path / "c.pt"
    train("plain", net(), checkpoint=path, epochs=2)
    model, other = net(), net()
    assert train("plain", model, checkpoint=path, epochs=3, resume=False) == train("plain", other, epochs=3)
    assert same(model, other) and torch.load(path, weights_only=True)["epoch"] == 3


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    train("plain", net(), checkpoint=path, epochs=2)

    def refused(model, words, **more):
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(ModelError) as e:
            train("plain", model, checkpoint=path, **{"epochs": 2, **more})
        assert e.value.code == "E108" and str(path) in str(e.value)
        assert all(w in str(e.value) for w in words), str(e.value)
        assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())

    refused(net(), ["epochs was 2 and is 3"], epochs=3)
    refused(net(), ["lr was 0.002 and is 0.1", "seed was 0 and is 4"], lr=0.1, seed=4)
    refused(net(), ["optimizer was 'adamw' and is 'sgd'"], optimizer="sgd")
    refused(net(), ["augment was 'noise' and is None"], augment=None)
    refused(qat.prepare(nn.Sequential(nn.Flatten(), nn.Linear(64, 4))), ["lacks"])
    qat.save_checkpoint(path, net())
    refused(net(), ["not a checkpoint of qat.fit"])
    path.write_bytes(path.read_bytes()[:1000])
    refused(net(), ["damaged"])


# What training does


@pytest.mark.parametrize("kind", ["plain", "loader"])
def test_the_rate_rises_and_falls(kind):
    rates = []

    def watch(x, generator):
        rates.append(rates_now()[0])
        return x

    made = []
    real = torch.optim.AdamW

    def optimizer(*args, **kwargs):
        made.append(real(*args, **kwargs))
        return made[-1]

    def rates_now():
        return [g["lr"] for g in made[0].param_groups]

    with pytest.MonkeyPatch.context() as m:
        m.setitem(FIT.OPTIMIZERS, "adamw", optimizer)
        history = train(kind, net(), watch, warmup=1.5, lr=0.6, ema=None)
    assert rates[:6] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])  # set before each step: six of sixteen
    falling = [0.3 * (1 + math.cos(math.pi * i / 10)) for i in range(10)]
    assert rates[6:] == pytest.approx(falling)
    assert history[-1].lr == pytest.approx(falling[-1])


def test_the_average_is_the_one_by_hand():
    x, y = data(32)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 4))
    batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 32, 8)]
    live = copy.deepcopy(model)
    seen = []
    mean = [t.clone() for t in (live[2].weight, live[1].running_mean)]

    def note(logits, y, x):
        seen.append([t.detach().clone() for t in (model[2].weight, model[1].running_mean)])
        return F.cross_entropy(logits, y)

    qat.fit(model, batches, epochs=1, ema=0.3, loss=note, progress=False)
    qat.fit(live, batches, epochs=1, progress=False)
    weights = [s[0] for s in seen[1:]] + [live[2].weight.detach()]
    norms = [s[1] for s in seen]  # the statistics move before the loss is taken
    for n, (w, s) in enumerate(zip(weights, norms, strict=True)):
        decay = min(0.3, (1 + n) / (10 + n))
        mean = [decay * m + (1 - decay) * t for m, t in zip(mean, (w, s), strict=True)]
    torch.testing.assert_close(model[2].weight.detach(), mean[0].detach())
    torch.testing.assert_close(model[1].running_mean, mean[1])
    assert int(model[1].num_batches_tracked) == 4


def test_gradients_are_clipped():
    x, y = data()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    before = [p.detach().clone() for p in model.parameters()]
    qat.fit(model, [(x, y)], epochs=1, optimizer="sgd", lr=1.0, clip=1e-3, weight_decay=0.0, progress=False)
    moved = torch.cat([(p - q).flatten() for p, q in zip(model.parameters(), before, strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(1.9e-3, rel=1e-3)  # the first Nesterov step is 1 + momentum


def test_distillation_and_regression_fit_the_loss_hook():
    x, y = data()
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    with torch.no_grad():
        soft = teacher(x)

    def distil(logits, labels, batch):
        return F.mse_loss(logits, teacher(batch).detach())

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    history = qat.fit(model, (x, y), epochs=20, lr=2e-2, loss=distil, progress=False, batch_size=16)
    assert history[-1].loss < 0.1 * history[0].loss
    targets = qat.fit(model, (x, soft), (x, soft), epochs=2, loss=lambda z, t, _: F.mse_loss(z, t), progress=False)
    assert math.isnan(targets[-1].accuracy) and math.isnan(targets[-1].test_accuracy)
    one = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    means = x, x.mean((1, 2, 3))
    targets = qat.fit(one, means, means, epochs=1, loss=lambda z, t, _: F.mse_loss(z[:, 0], t), progress=False)
    assert math.isnan(targets[-1].accuracy) and math.isnan(targets[-1].test_accuracy)


def test_bfloat16_trains_and_evaluates_in_full_precision():
    x, y = data()
    seen = set()

    def note(module, args, out):
        seen.add((module.training, out.dtype))

    model = net()
    model.get_submodule("7").register_forward_hook(note)
    history = qat.fit(model, (x, y), (x, y), epochs=6, lr=1e-2, batch_size=16, autocast=True, progress=False)
    assert seen == {(True, torch.bfloat16), (False, torch.float32)}
    assert history[-1].test_accuracy > 0.9
    codes = model.get_submodule("input_q").train()(x.bfloat16()) / model.get_submodule("input_q").scale
    assert codes.dtype == torch.float32 and torch.allclose(codes, codes.round(), atol=1e-3)


def test_the_files_of_a_run(tmp_path):
    files = [tmp_path / f"run.{kind}" for kind in ("csv", "jsonl", "png", "svg")]
    with pytest.raises(Stopped):
        train("plain", net(), Stops(10, cut), checkpoint=tmp_path / "c", record=files)
    assert len(files[1].read_text().splitlines()) == 2
    history = train("plain", net(), checkpoint=tmp_path / "c", record=files)
    rows = [json.loads(line) for line in files[1].read_text().splitlines()]
    assert [r["epoch"] for r in rows] == [1, 2, 3, 4]
    assert [r["loss"] for r in rows] == [e.loss for e in history] and rows[0]["seconds"] > 0
    with files[0].open() as f:
        table = list(csv.DictReader(f))
    assert [float(r["test_accuracy"]) for r in table] == [e.test_accuracy for e in history]
    assert files[2].read_bytes()[:4] == b"\x89PNG" and b"density" in files[3].read_bytes()
    qat.write_history([qat.Epoch(1.0, 0.5, math.nan, math.nan)], files[1])
    assert json.loads(files[1].read_text())["density"] is None


@pytest.mark.parametrize(
    "arguments, word",
    [
        ({"optimizer": "adam"}, "adamw, sgd"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"warmup": -1}, "warmup=-1"),
        ({"clip": 0.0}, "clip=0.0"),
        ({"ema": 1.0}, "ema=1.0"),
        ({"record": ["run.txt"]}, ".jsonl"),
        ({"device": "cuda:77"}, "cpu"),
        ({"device": "abacus"}, "cpu"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_used(arguments, word):
    with pytest.raises(ModelError) as e:
        train("plain", net(), **arguments)
    assert e.value.code == "E107" and word in str(e.value)


def test_what_is_wrong_with_the_data_and_the_places(tmp_path):
    x, y = data()
    with pytest.raises(ModelError, match="64 inputs, 60 labels"):
        qat.fit(net(), (x, y[:60]), progress=False)
    for more in ({"checkpoint": tmp_path / "no" / "c"}, {"record": [tmp_path / "no" / "c.csv"]}):
        with pytest.raises(OutputError) as e:
            train("plain", net(), **more)
        assert e.value.code == "E702"


def test_no_matplotlib_is_told_before_training(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModelError, match="matplotlib") as e:
        train("plain", net(), record=["run.png"])
    assert "mcugen[report]" in e.value.hint


def test_what_is_logged(capsys, tmp_path):
    train("plain", net(), epochs=1, progress=True, checkpoint=tmp_path / "c")
    out, _ = capsys.readouterr()
    assert out.startswith("epoch 1/1: loss") and out.endswith(" s\n")
    train("plain", net(), epochs=1, progress=True, checkpoint=tmp_path / "c")
    out, _ = capsys.readouterr()
    assert out == f"going on from {tmp_path / 'c'}: 1 of 1 epochs are done\n"


# Several processes

WORKER = """
import hashlib, sys
import torch
import test_fit as t
from mcugen import qat

torch.set_num_threads(1)
out, rank = sys.argv[1], int(__import__("os").environ["RANK"])
x, y = t.data(63)
x[:] = torch.arange(63.0).reshape(-1, 1, 1, 1) / 63 if sys.argv[2] == "shards" else x
seen = []

def note(batch, generator):
    seen.extend((batch[:, 0, 0, 0] * 63).round().int().tolist())
    return batch

model = t.net()
with torch.no_grad():  # the ranks start apart: all must take what rank 0 has
    model.get_submodule("4").bias += rank
model.register_buffer("mask", torch.tensor([rank == 0, True]))
more = dict(epochs=3, ema=0.9, batch_size=16, progress=rank == 0, checkpoint=out + "/c.pt")
if sys.argv[2] == "cut":
    more["augment"] = t.Stops(5, t.cut)
    try:
        qat.fit(model, (x, y), (x, y), **more)
    except t.Stopped:
        pass
    model = t.net()
    model.register_buffer("mask", torch.tensor([rank == 0, True]))
more["augment"] = note if sys.argv[2] == "shards" else t.noise
history = qat.fit(model, (x, y), (x, y), **more)
torch.save({"model": model.state_dict(), "seen": seen, "history": [(e.loss, e.test_accuracy) for e in history]},
           f"{out}/{rank}.pt")
"""


def torchrun(tmp_path: Path, mode: str) -> list[dict]:
    place = tmp_path / mode
    place.mkdir()
    (place / "worker.py").write_text(textwrap.dedent(WORKER))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, place / "worker.py", place, mode], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("epoch 3/3") == 1  # rank 0 alone speaks
    return [torch.load(place / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_have_equal_networks_and_go_on_with_the_same_bits(tmp_path):
    whole, cut = torchrun(tmp_path, "whole"), torchrun(tmp_path, "cut")
    assert len(whole[0]["model"]) > 20
    for other in (whole[1], *cut):
        assert other["history"] == whole[0]["history"]
        for k, v in whole[0]["model"].items():
            assert torch.equal(v, other["model"][k]), k


@pytest.mark.slow
def test_each_process_has_its_own_part_of_the_data(tmp_path):
    first, second = (run["seen"] for run in torchrun(tmp_path, "shards"))
    assert len(first) == len(second) == 3 * 32
    for epoch in range(3):
        a, b = (set(s[32 * epoch : 32 * (epoch + 1)]) for s in (first, second))
        assert a | b == set(range(63)) and len(a & b) == 1  # 63 samples for 64 places
    assert first[:32] != first[32:64]


def test_processes_that_would_see_the_same_batches_are_refused(monkeypatch):
    x, y = data()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=16)
    monkeypatch.setattr(FIT, "_processes", lambda device: (0, 2))
    with pytest.raises(ModelError, match="same batches") as e:
        qat.fit(net(), loader, progress=False)
    assert e.value.code == "E107" and "DistributedSampler" in e.value.hint


# Augmentations


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shifts_are_the_ones_of_numpy():
    """Every sample is one of the windows of the padded image, each possible one occurs."""
    x = torch.rand(300, 2, 5, 6) + 1
    modes = {
        "fill": dict(mode="constant", constant_values=-3.0),
        "repeat": dict(mode="edge"),
        "reflect": {"mode": "reflect"},
    }
    for edge, how in modes.items():
        out = augment.Shift(2, edge=edge, fill=-3.0)(x, draw()).numpy()
        found = set()
        padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), **how)
        for a, b in zip(out, padded, strict=True):
            at = [(i, j) for i in range(5) for j in range(5) if np.array_equal(a, b[:, i : i + 5, j : j + 6])]
            assert at, edge
            found.update(at)
        assert len(found) == 25
    assert augment.crop(2) == augment.Shift(2)
    moved = augment.time_shift(2)(x, draw())
    assert torch.equal(moved, augment.Shift(2, (2,), "repeat")(x, draw())) and not torch.equal(moved, x)


def test_flips_are_per_sample():
    x = torch.rand(400, 1, 2, 5)
    out = augment.Flip()(x, draw())
    flipped = (out == x.flip(-1)).flatten(1).all(1)
    assert torch.equal(out[~flipped], x[~flipped]) and 150 < int(flipped.sum()) < 250
    assert torch.equal(augment.Flip(1.0, axis=-2)(x, draw()), x.flip(-2))
    both = augment.Compose(augment.Flip(1.0), augment.Flip(1.0))
    assert torch.equal(both(x, draw()), x)
    assert torch.equal(augment.Flip()(x, draw()), out) and not torch.equal(augment.Flip()(x, draw(1)), out)


def test_augmentations_that_cannot_be():
    for make in (
        lambda: augment.Shift(-1),
        lambda: augment.Shift(1, edge="wrap"),
        lambda: augment.Flip(2.0),
        lambda: augment.Shift(4)(torch.rand(2, 1, 4, 4), draw()),
    ):
        with pytest.raises(ModelError) as e:
            make()
        assert e.value.code == "E107"


def test_a_checkpoint_knows_the_parameters_of_an_augmentation(tmp_path):
    train("plain", net(), augment.crop(1), epochs=1, checkpoint=tmp_path / "c")
    with pytest.raises(ModelError, match=r"Shift\(size=1,.* and is .Shift\(size=2,"):
        train("plain", net(), augment.crop(2), epochs=1, checkpoint=tmp_path / "c")
    noted = augment.Compose(augment.crop(1), noise)  # a function's place in memory is not the same the next time
    assert FIT._name(noted).endswith("<function noise>))")


# Summary and scores


def test_the_summary_by_hand():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    model = qat.prepare(model, weights=qat.TWN(), keep=["0"])
    weight = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0], [-2, 2, 0, 0, 0, 0, 0, 1]])
    with torch.no_grad():
        model.get_submodule("3").parametrizations.weight.original.copy_(weight)
    first, last = qat.summary(model).layers
    assert (first.path, first.bits, first.shape, first.kind) == ("0", 8, (2, 1, 1, 1), "Conv2d")
    assert (last.path, last.bits, last.weights, last.kind) == ("3", "ternary", 16, "Linear")
    assert last.density == 7 / 16
    p = np.array([1, 9, 6]) / 16
    assert last.entropy == pytest.approx(-(p * np.log2(p)).sum())
    assert (last.scale_min, last.scale_max) == pytest.approx((1.0, 5 / 3))
    assert last.sqnr == pytest.approx(10 * math.log10(13 / (2 / 9 + 4 / 9)))
    table = str(qat.summary(model)).splitlines()
    assert len(table) == 4 and "ternary" in table[2] and "1..1.67" in table[2] and "18" in table[3]
    rows = json.loads(json.dumps(qat.summary(nn.Sequential(nn.Linear(2, 3))).data(), allow_nan=False))
    assert rows[0]["bits"] == 32 and rows[0]["entropy"] is None and rows[0]["shape"] == [3, 2]


def test_scores_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    logits = torch.rand(200, 5, generator=draw())
    logits[:, 4] = 0  # never said
    y = torch.randint(0, 4, (200,), generator=draw(1))
    y[:30] = 4
    y[y == 3] = 2  # said, but never right
    model = nn.Dropout(0.9).train()
    got = qat.scores(model, logits, y, batch_size=64)
    said = logits.argmax(1)
    assert got.accuracy == metrics.accuracy_score(y, said) == qat.evaluate(model, logits, y) and model.training
    assert got.macro_f1 == pytest.approx(metrics.f1_score(y, said, average="macro", zero_division=0))
    assert np.array_equal(got.confusion, metrics.confusion_matrix(y, said))
    recall = metrics.recall_score(y, said, average=None, zero_division=np.nan)
    np.testing.assert_allclose(got.recall, recall)
    assert math.isnan(got.recall[3]) and got.recall[4] == 0
    with pytest.raises(ModelError, match=r"labels 0\.\.4 for 4 classes"):
        qat.scores(model, logits[:, :4], y)
