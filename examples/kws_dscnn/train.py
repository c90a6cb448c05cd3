"""Twelve keywords, the whole way: train MLPerf Tiny's DS-CNN, make it ternary, compile for two cores, prove every byte.

Data: MCUGEN_DATA/kws12_mfcc.npz, int8 MFCC features. The training part is not the official training split, and nearly
all test clips share a speaker with it: accuracies are not comparable to those of the official split.

    python examples/kws_dscnn/train.py             train, compile, validate; all goes to build/kws_dscnn
    python examples/kws_dscnn/train.py --no-train  the same from the archive beside this file, without torch
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

from mcugen import datasets

TARGETS = {"nrf51-dk": "size", "cortex-m4": "speed"}  # and the goal for each; a Cortex-M0 with 32 KB of RAM, and an M4
VECTORS = {"host": 1000, "sanitize": 100, "qemu": 20, "unicorn": 20}  # test clips at each place
CHANNELS = 64
DENSITY = 0.35  # of the ternary weights
STEP = datasets.DATASETS["kws12"].scale[0]  # of MLPerf Tiny's int8 features


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 (N, 1, 49, 10), MFCC, in steps of STEP."""
    x_train, y_train, x_test, y_test = datasets.load("kws12")
    train, test = (datasets.inputs("kws12", x) for x in (x_train, x_test))
    return train, y_train.astype(np.int64), test, y_test.astype(np.int64)


def train(path: Path, float_epochs: int = 60, ternary_epochs: int = 60) -> common.Trained:
    """Train the float network, then the ternary one from it, with the float one as teacher; write the archive."""
    from collections import OrderedDict
    from collections.abc import Iterator

    import torch
    from torch import nn

    from mcugen import qat

    def convolution(name: str, layer: nn.Conv2d) -> dict[str, nn.Module]:
        return {name: layer, f"{name}_bn": nn.BatchNorm2d(layer.out_channels), f"{name}_relu": nn.ReLU()}

    class Batches:
        """Shuffled batches of mixtures of two clips, each moved in time and masked in time and in coefficients."""

        def __init__(self, x: torch.Tensor, y: torch.Tensor, size: int, seed: int) -> None:
            self.x, self.y, self.size = x, nn.functional.one_hot(y, 12).float(), size
            self.random = torch.Generator().manual_seed(seed)
            self.move = qat.augment.time_shift(5)  # frames of 20 ms

        def __len__(self) -> int:
            return -(-len(self.y) // self.size)

        def mask(self, x: torch.Tensor, axis: int, longest: int) -> torch.Tensor:
            """Zeros in 0..longest places in a row of the axis, SpecAugment (arXiv 1904.08779)."""
            places = torch.arange(x.shape[axis])
            first = torch.randint(x.shape[axis], (len(x), 1), generator=self.random)
            length = torch.randint(longest + 1, (len(x), 1), generator=self.random)
            masked = (places >= first) & (places < first + length)
            return x.masked_fill(masked[:, None, :, None] if axis == 2 else masked[:, None, None], 0.0)

        def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for part in torch.randperm(len(self.y), generator=self.random).split(self.size):
                x, y = self.move(self.x[part], self.random), self.y[part]
                x = self.mask(self.mask(x, 2, 8), 3, 2)
                other = torch.randperm(len(x), generator=self.random)
                share = 0.3 * torch.rand(len(x), 1, generator=self.random)  # of the other clip
                yield torch.lerp(x, x[other], share[:, :, None, None]), torch.lerp(y, y[other], share)

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    x_train, y_train, x_test, _ = (torch.from_numpy(a) for a in data())
    print(f"training on {len(x_train)} clips, testing on {len(x_test)}", flush=True)
    c = CHANNELS
    layers = convolution("conv", nn.Conv2d(1, c, (10, 4), stride=2, padding=(5, 1), bias=False))
    for i in range(1, 5):
        layers |= convolution(f"depthwise{i}", nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False))
        layers |= convolution(f"pointwise{i}", nn.Conv2d(c, c, 1, bias=False))
    layers |= {"average": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "dropout": nn.Dropout(0.2)}
    model = nn.Sequential(OrderedDict(layers | {"fc": nn.Linear(c, 12)}))
    model.to(memory_format=torch.channels_last)  # twice as fast
    qat.fit(model, Batches(x_train, y_train, 64, 1), epochs=float_epochs, lr=4e-3, warmup=1, weight_decay=1e-3)

    print("ternary weights, 8-bit activations", flush=True)
    weights = qat.PruningTernary(density=DENSITY, decay="disc")  # as the archive was trained
    ternary = qat.prepare(model, weights=weights)
    ternary.dropout.p = 0.0  # the teacher regularises
    qat.fix_input(ternary, STEP, 128)  # the data's: the firmware takes MLPerf Tiny's bytes, moved by 45
    loss = qat.distillation(model, alpha=0.7, temperature=2.0)
    qat.fit(ternary, Batches(x_train, y_train, 64, 2), epochs=ternary_epochs, lr=2e-3, warmup=1, loss=loss)
    qat.save(ternary, x_test[:32], path, name="kws_dscnn")
    common.check_layers(ternary, path, x_test[:200])
    return common.Trained(common.classes(model, x_test), common.classes(ternary, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    print("Not the official training split; nearly all test clips share a speaker with the training clips.\n")
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS, VECTORS)


if __name__ == "__main__":
    sys.exit(main())
