"""Accuracy by density: PruningTernary against plain magnitude pruning with TWN's levels, from the same float network.

    python bench/density.py --task fashion_mnist

Every run has the same float network to start from, the same epochs, learning rate and batches; the seeds change the
batches. What is measured is the fake-quantised network on all test images after the last epoch; nothing is selected on
them. Writes bench/density_TASK.json, and a plot to docs/ where there is matplotlib. Runs that the JSON has, of as many
epochs, are not repeated; training goes on from build/density after an interruption.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import common

from mcugen import qat, report
from mcugen.qat.quantizers.pruning import count_of, select

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 2
DENSITIES = (0.5, 0.35, 0.2, 0.1)
LABELS = {"pruning": "PruningTernary", "unscheduled": "PruningTernary, no phases", "magnitude": "magnitude, TWN levels"}
METHODS = tuple(LABELS)


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
    phases = {"ramp": 0.0, "ternary": 0.0, "freeze": 1.0} if method == "unscheduled" else {}
    return qat.PruningTernary(density=density, **phases)  # type: ignore[arg-type]


def table(rows: list[dict[str, Any]]) -> str:
    """Means over the seeds, and the single runs."""
    lines = [("method", "density", "accuracy", "runs")]
    for method, density in dict.fromkeys((r["method"], r["density"]) for r in rows):
        found = [r["accuracy"] for r in rows if (r["method"], r["density"]) == (method, density)]
        runs = ", ".join(f"{a:.2f}" for a in found)
        lines.append((LABELS.get(method, method), f"{density:g}", f"{np.mean(found):.2f}%", runs))
    return report.table(lines, 2)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Accuracy by density, a line per method through the means over the seeds, every run a dot."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "mcugen"  # the same file from the same numbers
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    real = float(np.mean([r["accuracy"] for r in rows if r["method"] == "float"]))
    axes.axhline(real, color="0.5", linestyle="--", linewidth=1, label="float, as many epochs")
    for method, mark in zip(METHODS, "o^s", strict=True):
        runs = [(r["density"], r["accuracy"]) for r in rows if r["method"] == method]
        at = sorted({d for d, _ in runs})
        (line,) = axes.plot(at, [np.mean([a for d, a in runs if d == x]) for x in at], label=LABELS[method])
        axes.plot(*zip(*runs, strict=True), mark, color=line.get_color(), markersize=4)
    axes.set_xlabel("weights that are not zero")
    axes.set_ylabel("test accuracy, %")
    axes.set_xscale("log")
    axes.set_xticks(DENSITIES, [f"{d:g}" for d in DENSITIES])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="fashion_mnist", choices=["fashion_mnist"])
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of every run (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each kind (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    module = common.example(args.task)  # the data, the network and its training
    x_train, y_train, x_test, y_test = (torch.from_numpy(a) for a in module.data())
    build, out = ROOT / "build" / "density", Path(__file__).with_name(f"density_{args.task}.json")
    build.mkdir(parents=True, exist_ok=True)
    held = json.loads(out.read_text()) if out.is_file() else {}
    settings = {"task": args.task, "first_epochs": module.FIRST_EPOCHS, "epochs": args.epochs}
    rows = held["rows"] if {k: held.get(k) for k in settings} == settings else []

    torch.manual_seed(0)
    start = module.network()
    module.fit(start, x_train, y_train, module.FIRST_EPOCHS, 4e-3, build / f"{args.task}_start.pt")
    for seed in range(args.seeds):
        for density, method in [(1.0, "float"), *((d, m) for d in DENSITIES for m in METHODS)]:
            key = {"method": method, "density": density, "seed": seed}
            if any({k: r[k] for k in key} == key for r in rows):
                continue
            print(f"{method}, density {density:g}, seed {seed}", flush=True)
            net = copy.deepcopy(start) if method == "float" else module.quantized(start, spec_of(method, density))
            at = build / f"{args.task}_{method}_{density:g}_{seed}_{args.epochs}.pt"
            module.fit(net, x_train, y_train, args.epochs, 2e-3, at, seed)
            right = common.classes(net, x_test) == y_test.numpy()
            made = density if method == "float" else round(qat.density(net), 4)
            rows.append({**key, "density_made": made, "accuracy": round(100 * float(right.mean()), 2)})
            out.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n")
    print(table(rows))
    try:
        plot(rows, ROOT / "docs" / f"density_{args.task}.svg")
    except ImportError:
        print("no matplotlib: no plot")
    return 0


if __name__ == "__main__":
    sys.exit(main())
