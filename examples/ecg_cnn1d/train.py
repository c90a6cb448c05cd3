"""Heart beats, the whole way: train a 1-D network, make it ternary, compile for two cores, prove every byte.

Data: MCUGEN_DATA/ecg_mitbih.npz, beats of the MIT-BIH arrhythmia database; no patient is in both parts. zoo.py compares
all 49,693 test beats on this machine, this file some. An example of a compiler, no medical device.

    python examples/ecg_cnn1d/train.py             train, compile, validate; all goes to build/ecg_cnn1d
    python examples/ecg_cnn1d/train.py --no-train  the same from the archive beside this file, without torch
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

from mcugen import datasets

TARGETS = {"cortex-m0": "size", "cortex-m4": "speed"}  # and the goal for each
VECTORS = {"host": 5000, "sanitize": 200, "qemu": 50, "unicorn": 50}  # test beats at each place
WIDTHS = (16, 32, 32, 64)  # channels of the convolutions
DENSITY = 0.4  # of the ternary weights


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 (N, 1, 128), mV, each beat about its own mean."""
    x_train, y_train, x_test, y_test = datasets.load("ecg_mitbih")
    real = (datasets.inputs("ecg_mitbih", x) for x in (x_train, x_test))
    train, test = (x - x.mean(2, keepdims=True) for x in real)  # electrodes drift, each record at its own level
    return train, y_train.astype(np.int64), test, y_test.astype(np.int64)


def train(path: Path, float_epochs: int = 8, ternary_epochs: int = 16) -> common.Trained:
    """Train the float network, then the ternary one from it, with the float one as teacher; write the archive."""
    from collections import OrderedDict
    from collections.abc import Iterator

    import torch
    from torch import nn

    from mcugen import qat

    class Batches:
        """Mixtures of two beats, rare classes drawn more often; moved, scaled, on a wandering line."""

        def __init__(self, x: torch.Tensor, y: torch.Tensor, size: int, count: int, seed: int) -> None:
            self.x, self.y, self.size, self.count = x, nn.functional.one_hot(y, 5).float(), size, count
            self.chances = y.bincount().double().clamp(min=20).rsqrt()[y]  # of a class: as the root of its number
            self.random = torch.Generator().manual_seed(seed)
            self.move = qat.augment.Shift(4, (2,), "repeat")

        def __len__(self) -> int:
            return self.count

        def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for _ in range(self.count):
                part = torch.multinomial(self.chances, self.size, replacement=True, generator=self.random)
                draw = torch.rand(6, self.size, 1, 1, generator=self.random)
                line = 0.3 * draw[0] * torch.sin(6.28 * (draw[1] + draw[2] * torch.linspace(0, 1, 128)))
                noise = 0.03 * draw[3] * torch.randn(self.size, 1, 128, generator=self.random)
                x = torch.exp(1.2 * draw[4] - 0.6) * self.move(self.x[part], self.random) + line + noise
                other = torch.randperm(self.size, generator=self.random)
                share = 0.5 * draw[5]  # of the other beat
                yield torch.lerp(x, x[other], share), torch.lerp(self.y[part], self.y[part][other], share[:, :, 0])

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    x_train, y_train, x_test, _ = (torch.from_numpy(a) for a in data())
    print(f"training on {len(x_train)} beats, testing on {len(x_test)}", flush=True)
    layers: dict[str, nn.Module] = {}
    inputs = 1
    for i, (width, size, stride) in enumerate(zip(WIDTHS, (9, 5, 5, 5), (2, 2, 1, 2), strict=True), 1):
        layers[f"conv{i}"] = nn.Conv1d(inputs, width, size, stride, padding=size // 2, bias=False)
        layers[f"bn{i}"] = nn.BatchNorm1d(width)
        layers[f"relu{i}"] = nn.ReLU()
        inputs = width
    layers |= {"average": nn.AvgPool1d(2), "flatten": nn.Flatten(), "dropout": nn.Dropout(0.3)}
    model = nn.Sequential(OrderedDict(layers | {"fc": nn.Linear(8 * inputs, 5)}))
    count = min(100, -(-len(y_train) // 128))  # batches in an epoch
    qat.fit(model, Batches(x_train, y_train, 128, count, 1), epochs=float_epochs, lr=2e-3, weight_decay=1e-2)

    print("ternary weights, 8-bit activations", flush=True)
    weights = qat.PruningTernary(density=DENSITY, decay="disc")  # as the archive was trained
    ternary = qat.prepare(model, weights=weights)
    ternary.dropout.p = 0.0  # the teacher regularises
    loss = qat.distillation(model, alpha=0.9, temperature=2.0)
    qat.fit(ternary, Batches(x_train, y_train, 128, count, 2), epochs=ternary_epochs, lr=2e-3, loss=loss)
    qat.save(ternary, x_test[:32], path, name="ecg_cnn1d")
    common.check_layers(ternary, path, x_test[:200])
    return common.Trained(common.classes(model, x_test), common.classes(ternary, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS, VECTORS)


if __name__ == "__main__":
    sys.exit(main())
