"""Accuracy by density: PruningTernary against plain magnitude pruning with TWN's levels, from the same float network.

    python bench/density.py --task fashion_mnist
    python bench/density.py --task fashion_mnist_5_epochs
    python bench/density.py --task cifar10

Every run has the same float network to start from, the same epochs, learning rate and batches; the seeds change the
batches. What is measured is the fake-quantised network on all test images after the last epoch; nothing is selected on
them. Writes bench/density_TASK.json, and a plot to docs/ where there is matplotlib. Runs that the JSON has, of as many
epochs, are not repeated; training goes on from build/density after an interruption. Bytes of weights are those of C for
size, and are counted anew for each archive in build/density.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import common

from mcugen import archive, driver, qat, report
from mcugen.ir import DType
from mcugen.pack import rice_bits
from mcugen.qat.quantizers.pruning import count_of, select

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "density"
DENSITIES = (0.5, 0.35, 0.2, 0.1)
LABELS = {
    "pruning": "PruningTernary",
    "discrepancy": "with discrepancy term",
    "unscheduled": "with that, no phases",
    "magnitude": "magnitude, TWN levels",
}
METHODS = tuple(LABELS)
Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class MagnitudeTernary:
    """Of each layer the largest weights, exactly `density` of them, with TWN's scale: their mean by output channel.

    Selected anew in each step, straight through, from the first step on; no normalisation, no schedule.
    """

    density: float

    def quantizer(self, weight: Tensor) -> qat.WeightQuantizer:
        """The parametrisation."""
        return _MagnitudeQuantizer(self.density)


class _MagnitudeQuantizer(qat.WeightQuantizer):
    def __init__(self, density: float) -> None:
        super().__init__()
        self.density = density

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        (w,) = latent
        size = w.abs()
        flat = size.reshape(1, -1)
        keep = select(flat, count_of(flat, self.density, "MagnitudeTernary")).reshape(w.shape)
        axes = tuple(range(1, w.dim()))
        count = keep.sum(axes, keepdim=True)
        scale = (size * keep).sum(axes, keepdim=True) / count.clamp(min=1)
        return w.sign() * keep, torch.where(scale > 0, scale, torch.ones_like(scale))


def spec_of(method: str, density: float) -> qat.WeightSpec:
    """The weight quantiser of a run; "unscheduled" is ternary at the final density from the first step to the last."""
    if method == "magnitude":
        return MagnitudeTernary(density)
    if method == "pruning":
        return qat.PruningTernary(density=density)
    phases = {"ramp": 0.0, "ternary": 0.0, "freeze": 1.0} if method == "unscheduled" else {}
    return qat.PruningTernary(density=density, decay="disc", **phases)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Task:
    """An example's network, and what of it is compared.

    first_epochs: the attribute of the example's module that has the float network's epochs. start: module, training
    data -> that network, trained. run: module, it, quantiser or None for float, training data, epochs, checkpoint,
    seed -> the network that is measured.
    """

    example: str
    epochs: int
    first_epochs: str
    start: Callable[[ModuleType, Data], Any]
    run: Callable[[ModuleType, Any, Any, Data, int, Path, int], Any]
    densities: tuple[float, ...] = DENSITIES
    methods: tuple[str, ...] = METHODS
    real: str = "float, as many epochs"


def fashion_start(module: ModuleType, train: Data) -> Any:
    """The example's float network."""
    model = module.network()
    module.fit(model, *train, module.FIRST_EPOCHS, 4e-3, BUILD / "fashion_mnist_start.pt")
    return model


def fashion_run(module: ModuleType, start: Any, spec: Any, train: Data, epochs: int, at: Path, seed: int) -> Any:
    """Trained on, float or ternary."""
    net = copy.deepcopy(start) if spec is None else module.quantized(start, spec)
    module.fit(net, *train, epochs, 2e-3, at, seed)
    return net


def cifar_start(module: ModuleType, train: Data) -> Any:
    """The example's float network, from the example's own checkpoint if it was trained."""
    build = ROOT / "build" / "cifar10_resnet8"
    build.mkdir(parents=True, exist_ok=True)
    return module.float_network(*train, module.FLOAT_EPOCHS, build / "float.pt")


def cifar_run(module: ModuleType, start: Any, spec: Any, train: Data, epochs: int, at: Path, seed: int) -> Any:
    """Ternary as in the example, with the float network for a teacher; the float network itself is done."""
    return start if spec is None else module.ternary_network(start, spec, *train, epochs, at, seed)


TASKS = {
    "fashion_mnist": Task("fashion_mnist", 2, "FIRST_EPOCHS", fashion_start, fashion_run, methods=METHODS[1:]),
    "fashion_mnist_5_epochs": Task(
        "fashion_mnist", 5, "FIRST_EPOCHS", fashion_start, fashion_run, methods=("pruning", "magnitude")
    ),
    "cifar10": Task(
        "cifar10_resnet8",
        4,
        "FLOAT_EPOCHS",
        cifar_start,
        cifar_run,
        (0.35, 0.2),
        ("pruning", "discrepancy", "magnitude"),
        "float",
    ),
}


def sizes(path: Path) -> dict[str, int]:
    """Bytes of all weights in C for size, and what the Rice code of the ternary ones would make of them."""
    source = archive.load(path)
    totals = driver.compile(source, target="cortex-m4", optimize="size").report["totals"]
    weights = [(v.type.dtype, v.const) for v in source.graph.constants if v.type.dtype in (DType.T, DType.I8)]
    bits = sum(rice_bits(w)[0] if dtype is DType.T else 8 * w.size for dtype, w in weights)
    return {"weight_bytes": totals["weight_bytes"], "rice_bytes": -(-bits // 8)}


def table(rows: list[dict[str, Any]]) -> str:
    """Means over the seeds, and the single runs."""
    lines = [("method", "density", "accuracy", "weights B", "Rice B", "runs")]
    for method, density in dict.fromkeys((r["method"], r["density"]) for r in rows):
        same = [r for r in rows if (r["method"], r["density"]) == (method, density)]
        found = [r["accuracy"] for r in same]
        runs = ", ".join(f"{a:.2f}" for a in found)
        stored = [f"{same[0][k]:,}" if k in same[0] else "" for k in ("weight_bytes", "rice_bytes")]
        lines.append((LABELS.get(method, method), f"{density:g}", f"{np.mean(found):.2f}%", *stored, runs))
    return report.table(lines, 2)


def plot(task: Task, rows: list[dict[str, Any]], path: Path) -> None:
    """Accuracy by density, a line per method through the means over the seeds, every run a dot."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "mcugen"  # the same file from the same numbers
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    real = float(np.mean([r["accuracy"] for r in rows if r["method"] == "float"]))
    axes.axhline(real, color="0.5", linestyle="--", linewidth=1, label=task.real)
    marks = dict(zip(METHODS, "oD^s", strict=True))
    for method in task.methods:
        runs = [(r["density"], r["accuracy"]) for r in rows if r["method"] == method]
        at = sorted({d for d, _ in runs})
        (line,) = axes.plot(at, [np.mean([a for d, a in runs if d == x]) for x in at], label=LABELS[method])
        axes.plot(*zip(*runs, strict=True), marks[method], color=line.get_color(), markersize=4)
    axes.set_xlabel("weights that are not zero")
    axes.set_ylabel("test accuracy, %")
    axes.set_xscale("log")
    axes.set_xticks(task.densities, [f"{d:g}" for d in task.densities])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="fashion_mnist", choices=TASKS)
    parser.add_argument("--epochs", type=int, help="of every run (default: the task's)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each kind (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    task = TASKS[args.task]
    epochs = args.epochs or task.epochs
    module = common.example(task.example)  # the data, the network and its training
    x_train, y_train, x_test, y_test = (torch.from_numpy(a) for a in module.data())
    out = Path(__file__).with_name(f"density_{args.task}.json")
    BUILD.mkdir(parents=True, exist_ok=True)
    held = json.loads(out.read_text()) if out.is_file() else {}
    settings = {"task": args.task, "first_epochs": getattr(module, task.first_epochs), "epochs": epochs}
    rows = held["rows"] if {k: held.get(k) for k in settings} == settings else []

    torch.manual_seed(0)
    start = task.start(module, (x_train, y_train))
    for seed in range(args.seeds):
        for density, method in [(1.0, "float"), *((d, m) for d in task.densities for m in task.methods)]:
            key = {"method": method, "density": density, "seed": seed}
            if any({k: r[k] for k in key} == key for r in rows):
                continue
            print(f"{method}, density {density:g}, seed {seed}", flush=True)
            spec = None if method == "float" else spec_of(method, density)
            at = BUILD / f"{args.task}_{method}_{density:g}_{seed}_{epochs}.pt"
            net = task.run(module, start, spec, (x_train, y_train), epochs, at, seed)
            right = common.classes(net, x_test) == y_test.numpy()
            made = density if spec is None else round(qat.density(net), 4)
            rows.append({**key, "density_made": made, "accuracy": round(100 * float(right.mean()), 2)})
            if spec is not None:
                qat.save(net, x_test[:32], at.with_suffix(".mcugen"), name=args.task)
            out.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n")
    for r in rows:
        path = BUILD / f"{args.task}_{r['method']}_{r['density']:g}_{r['seed']}_{epochs}.mcugen"
        if path.is_file():
            r.update(sizes(path))
    out.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n")
    print(table(rows))
    try:
        plot(task, rows, ROOT / "docs" / f"density_{args.task}.svg")
    except ImportError:
        print("no matplotlib: no plot")
    return 0


if __name__ == "__main__":
    sys.exit(main())
