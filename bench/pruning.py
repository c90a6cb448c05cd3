"""What of PruningTernary helps and what does not: one part taken away or exchanged at a time, on Fashion-MNIST.

    python bench/pruning.py

From the float network that bench/density.py starts from, at density 0.1, 2 epochs each at the same learning rate and
with the same batches. Writes bench/pruning_fashion_mnist.json; runs that it has are not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from density import BUILD, MagnitudeTernary, common, fashion_start
from torch import Tensor

from mcugen import qat, report
from mcugen.qat import augment
from mcugen.qat.quantizers.pruning import PruningQuantizer, PruningTernary

DENSITY, EPOCHS = 0.1, 2


@dataclass(frozen=True)
class Variant(PruningTernary):
    """PruningTernary with one part or two exchanged.

    plain: weights are selected by their magnitudes, not by those of the normalised rows. means: the scale of a row is
    TWN's, the mean of what is left of it, not that of unit norm.
    """

    plain: bool = False
    means: bool = False

    def quantizer(self, weight: Tensor) -> qat.WeightQuantizer:
        """The parametrisation."""
        return _VariantQuantizer(self, weight)


class _VariantQuantizer(PruningQuantizer):
    spec: Variant

    def scores(self, w: Tensor) -> Tensor:
        return w.abs() if self.spec.plain else super().scores(w)

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        self.seen = latent[0].detach()
        return super().quantize(*latent)

    def forward(self, *latent: Tensor) -> Tensor:
        self.seen = latent[0].detach()
        return super().forward(*latent)

    def _scaled(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        if not self.spec.means:
            return super()._scaled(codes)
        axes, kept = tuple(range(1, codes.dim())), codes.abs()
        scale = (self.seen.abs() * kept).sum(axes, keepdim=True) / kept.sum(axes, keepdim=True).clamp(min=1)
        return codes, torch.where(scale > 0, scale, torch.ones_like(scale))


AT_ONCE = {"ramp": 0.0, "ternary": 0.0, "freeze": 1.0}  # no phases: ternary at the final density from the first step
VARIANTS: dict[str, qat.WeightSpec] = {
    "phases": Variant(DENSITY),
    "discrepancy term": Variant(DENSITY, decay="disc", **AT_ONCE),
    "neither": Variant(DENSITY, **AT_ONCE),
    "neither, by plain magnitudes": Variant(DENSITY, plain=True, **AT_ONCE),
    "neither, threshold of each step": Variant(DENSITY, every=1, **AT_ONCE),
    "neither, by plain magnitudes, threshold of each step": Variant(DENSITY, plain=True, every=1, **AT_ONCE),
    "neither, TWN's scale, threshold of each step": Variant(DENSITY, means=True, every=1, **AT_ONCE),
    "magnitude, TWN levels": MagnitudeTernary(DENSITY),
}


def main() -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="runs of each kind (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    module = common.example("fashion_mnist")
    x, y, x_test, y_test = (torch.from_numpy(a) for a in module.data())
    BUILD.mkdir(parents=True, exist_ok=True)
    out = Path(__file__).with_name("pruning_fashion_mnist.json")
    settings = {"density": DENSITY, "first_epochs": module.FIRST_EPOCHS, "epochs": EPOCHS}
    held = json.loads(out.read_text()) if out.is_file() else {}
    rows = held["rows"] if {k: held.get(k) for k in settings} == settings else []
    torch.manual_seed(0)
    start = fashion_start(module, (x, y))
    vary = augment.Compose(augment.Flip(), augment.crop(1))
    for seed in range(args.seeds):
        for name, spec in VARIANTS.items():
            key = {"variant": name, "seed": seed}
            if any({k: r[k] for k in key} == key for r in rows):
                continue
            print(f"{name}, seed {seed}", flush=True)
            net = module.quantized(start, spec)
            last = qat.fit(net, (x, y), epochs=EPOCHS, lr=2e-3, seed=seed, augment=vary)[-1]
            right = float((common.classes(net, x_test) == y_test.numpy()).mean())
            apart = {p: round(d, 3) for p, d in qat.discrepancy(net).items() if d > 0.01}  # the others are int8
            found = {"accuracy": round(100 * right, 2), "train_loss": round(last.loss, 4), "discrepancy": apart}
            rows.append({**key, **found})
            out.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n")
    lines = [("variant", "seed", "accuracy", "training loss", "discrepancy")]
    for r in rows:
        apart = np.mean(list(r["discrepancy"].values()))
        lines.append((r["variant"], str(r["seed"]), f"{r['accuracy']:.2f}%", f"{r['train_loss']:.4f}", f"{apart:.3f}"))
    print(report.table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
