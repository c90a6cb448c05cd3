"""Few bits without and with training, on Fashion-MNIST: the steps of activations, and ternary weights by GPFQ.

    python bench/activations.py

Three measurements, all from the float network that bench/density.py starts from, and all of the fake-quantised network
on all test images; nothing is selected on them.

    calibrated  activations of 8, 4, 3 and 2 bits, their steps by each criterion; weights of 8 bits in every layer
    trained     the same at 4 and 2 bits, after training from there: same epochs, learning rate and batches for all
    weights     ternary weights without training, rounded as TWN does or by GPFQ; activations of 8 bits

Writes bench/activations_fashion_mnist.json. Runs that it has, of as many epochs, are not repeated; training goes on
from build/activations after an interruption.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import common

from mcugen import qat, report
from mcugen.qat import augment
from mcugen.qat.activations import Sign

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 2
BITS, TRAINED_BITS = (8, 4, 3, 2), (2, 4)
CHANNELS = ("mean", "median", "trimmed")  # DirectQuantization's, by channel
STEPS = {  # of a calibration without training
    "square": "least squared error",
    "lsq": "LSQ's start",
    "mean": "by channel, mean",
    "median": "by channel, median",
    "trimmed": "by channel, trimmed",
}
TRAINED = {
    "fixed": "least squared error, steps fixed",
    "square": "LSQ, from the least squared error",
    "mean": "by channel, mean, and its error in the loss",
}
WEIGHTS: dict[str, dict[str, float]] = {  # the options of one run each, which lead to several densities
    "TWN, threshold 0.75": {"threshold": 0.75},
    "TWN, threshold 1": {"threshold": 1.0},
    "TWN, threshold 1.25": {"threshold": 1.25},
    "GPFQ, delta 1": {"delta": 1.0},
    "GPFQ, delta 1.25": {"delta": 1.25},
    "GPFQ, delta 1, sparsity 0.1": {"delta": 1.0, "sparsity": 0.1},
    "GPFQ, delta 1, sparsity 0.25": {"delta": 1.0, "sparsity": 0.25},
}
Batches = list[Tensor]


@dataclass(frozen=True)
class PaperStep(qat.LSQ):
    """LSQ with the start of its paper: a step of 2 mean|x| / sqrt(Qp), Qp the largest code."""

    def quantizer(self, sign: Sign, name: str) -> qat.ActQuantizer:
        """The module."""
        return _PaperQuantizer(self.bits, sign, name)


class _PaperQuantizer(qat.ActQuantizer):
    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        before = self.initial.clone()
        super().observe(x)  # the sign, and the count of batches
        step = 2 * x.abs().mean() / math.sqrt(self.limits[1])
        self.initial.copy_(before + (step - before) / self.batches)


def prepared(start: nn.Module, step: str, bits: int, batches: Batches) -> fx.GraphModule:
    """The float network with weights of 8 bits and calibrated activations of `bits`; its input keeps 8."""
    activations = PaperStep(bits) if step == "lsq" else qat.LSQ(bits, step)  # type: ignore[arg-type]
    net = qat.prepare(start, weights=qat.Int8(), activations=activations, keep=[])
    qat.calibrate(net, batches)
    return net


def calibrated(start: nn.Module, step: str, bits: int, batches: Batches, score: Callable[[nn.Module], float]) -> Any:
    """Accuracies with the batch norms as they were, and with their statistics over the quantised activations."""
    net = prepared(start, step, bits, batches)
    before = score(net)
    qat.recalibrate_bn(net, batches)
    return {"accuracy": before, "accuracy_bn": score(net)}


def ready(start: nn.Module, method: str, bits: int, batches: Batches) -> tuple[fx.GraphModule, Any]:
    """The network to train, and its loss; None is cross entropy."""
    net = prepared(start, "square" if method == "fixed" else method, bits, batches)
    for q in net.modules():
        if isinstance(q, qat.ActQuantizer) and (method == "fixed" or q is net.input_q):
            q.gain.requires_grad_(False)
    return net, qat.ChannelError(net, criterion=method) if method in CHANNELS else None  # type: ignore[arg-type]


def ternary(start: nn.Module, options: dict[str, float], batches: Batches) -> fx.GraphModule:
    """Ternary weights without training; batch norms are averaged anew and scales calibrated either way."""
    if "delta" in options:
        return qat.gpfq(start, batches, **options)  # type: ignore[arg-type]
    net = qat.prepare(start, weights=qat.TWN(**options))  # type: ignore[arg-type]
    qat.recalibrate_bn(net, batches)
    qat.calibrate(net, batches)
    return net


def keys(seeds: int) -> Iterator[dict[str, Any]]:
    """What is measured, the quick first."""
    for bits in BITS:
        yield from ({"kind": "calibrated", "method": m, "bits": bits} for m in STEPS)
    yield from ({"kind": "weights", "method": m} for m in WEIGHTS)
    for seed in range(seeds):
        yield {"kind": "trained", "method": "float", "bits": 32, "seed": seed}
        for method in TRAINED:
            yield from ({"kind": "trained", "method": method, "bits": b, "seed": seed} for b in TRAINED_BITS)


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of every training (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each kind (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    module = common.example("fashion_mnist")  # the data, the network and its training
    x_train, y_train, x_test, y_test = (torch.from_numpy(a) for a in module.data())
    builds = [ROOT / "build" / "density", ROOT / "build" / "activations"]
    for build in builds:
        build.mkdir(parents=True, exist_ok=True)
    out = Path(__file__).with_name("activations_fashion_mnist.json")
    held = json.loads(out.read_text()) if out.is_file() else {}
    settings: dict[str, Any] = {"task": "fashion_mnist", "first_epochs": module.FIRST_EPOCHS, "epochs": args.epochs}
    rows = held["rows"] if {k: held.get(k) for k in settings} == settings else []

    def score(net: nn.Module) -> float:
        return round(100 * float((common.classes(net, x_test) == y_test.numpy()).mean()), 2)

    torch.manual_seed(0)
    start = module.network()
    module.fit(start, x_train, y_train, module.FIRST_EPOCHS, 4e-3, builds[0] / "fashion_mnist_start.pt")
    settings["start"] = held.get("start") or score(start)
    batches = list(x_train[:512].split(128))
    vary = augment.Compose(augment.Flip(), augment.crop(1))
    for key in keys(args.seeds):
        if any({k: r.get(k) for k in key} == key for r in rows):
            continue
        print(", ".join(map(str, key.values())), flush=True)
        if key["kind"] == "calibrated":
            found = calibrated(start, key["method"], key["bits"], batches, score)
        elif key["kind"] == "weights":
            net = ternary(start, WEIGHTS[key["method"]], batches)
            found = {"density": round(qat.density(net), 3), "accuracy": score(net)}
        else:
            real = key["method"] == "float"
            net, loss = (copy.deepcopy(start), None) if real else ready(start, key["method"], key["bits"], batches)
            at = builds[1] / f"{key['method']}_{key['bits']}_{key['seed']}_{args.epochs}.pt"
            seed, data = key["seed"], (x_train, y_train)
            qat.fit(net, data, epochs=args.epochs, lr=2e-3, seed=seed, augment=vary, loss=loss, checkpoint=at)
            found = {"accuracy": score(net)}
        rows.append({**key, **found})
        out.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n")
    heads = ("kind", "method", "bits", "density", "accuracy", "accuracy_bn")
    print(report.table([heads, *([str(r.get(k, "")) for k in heads] for r in rows)], 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
