"""CIFAR-10 with the image network of MLPerf Tiny, ResNet-8: train, prune to ternary weights, compile, prove every byte.

Data: MCUGEN_DATA/cifar10.npz, else the user's cache, else a download of 170 MB into that cache. Training takes about an
hour of one CPU core; it leaves checkpoints in build/cifar10_resnet8 and goes on from them.

    python examples/cifar10_resnet8/train.py             train, compile, validate; all goes to build/cifar10_resnet8
    python examples/cifar10_resnet8/train.py --no-train  the same from the archive beside this file, without torch
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

from mcugen import datasets

TARGETS = {"pico": "size", "cortex-m4": "speed"}  # and the goal for each; a Cortex-M0+ with 264 KB of RAM, and an M4
VECTORS = {"host": 1000, "sanitize": 50, "qemu": 10, "unicorn": 10}  # test images at each place
CENTRE, SPREAD = 128, 64  # a pixel p is (p - 128) / 64 to the network: its bytes are the pixels as they are
DENSITY = 0.5  # of the ternary weights
FLOAT_EPOCHS, TERNARY_EPOCHS = 50, 25


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 (N, 3, 32, 32), -2 to 127 / 64."""
    x_train, y_train, x_test, y_test = datasets.load("cifar10")
    train, test = (np.ascontiguousarray(np.moveaxis(x, -1, 1), np.float32) for x in (x_train, x_test))
    for x in (train, test):  # in place: the training part has 614 MB
        x -= CENTRE
        x /= SPREAD
    return train, y_train.astype(np.int64), test, y_test.astype(np.int64)


def network() -> Any:
    """The float network, 77,360 weights, 432 of them in the first convolution and 640 in the classifier."""
    from collections import OrderedDict

    import torch
    from torch import nn

    def normed(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(outputs)))

    class Block(nn.Module):
        """Two 3x3 convolutions and a shortcut, a 1x1 convolution where the shape changes."""

        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.first = normed(inputs, outputs, 3, stride)
            self.second = normed(outputs, outputs, 3, 1)
            self.shortcut = nn.Identity() if stride == 1 else normed(inputs, outputs, 1, stride)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.first(x))
            return torch.relu(self.second(y) + self.shortcut(x))

    layers = {
        "stem": normed(3, 16, 3, 1),
        "relu": nn.ReLU(),
        "block1": Block(16, 16, 1),
        "block2": Block(16, 32, 2),
        "block3": Block(32, 64, 2),
        "average": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(64, 10),
    }
    return nn.Sequential(OrderedDict(layers))


def float_network(x: Any, y: Any, epochs: int, checkpoint: Path) -> Any:
    """The float network trained, or from the checkpoint of an earlier training."""
    import torch

    from mcugen import qat

    torch.manual_seed(0)
    model = network().to(memory_format=torch.channels_last)
    augment = qat.augment.Compose(qat.augment.crop(4), qat.augment.Flip())
    qat.fit(
        model, (x, y), epochs=epochs, lr=0.1, batch_size=128, weight_decay=5e-4, label_smoothing=0.05, optimizer="sgd",
        warmup=3, ema=0.998, augment=augment, checkpoint=checkpoint, autocast=True,
    )  # fmt: skip
    return model


def ternary_network(model: Any, weights: Any, x: Any, y: Any, epochs: int, checkpoint: Path, seed: int = 0) -> Any:
    """The float network made ternary and trained on, with itself as it was for a teacher; model stays as it is."""
    from mcugen import qat

    net = qat.prepare(model, weights=weights, activations=qat.LSQ(bits=8))
    qat.calibrate(net, x[:1000].split(100))
    qat.fix_input(net, 1 / SPREAD, CENTRE)  # the firmware takes the pixels as they are
    augment = qat.augment.Compose(qat.augment.crop(4), qat.augment.Flip())
    qat.fit(
        net, (x, y), epochs=epochs, lr=2e-3, batch_size=128, weight_decay=1e-4, warmup=0.5, ema=0.998, augment=augment,
        loss=qat.distillation(model, 0.7, 3.0), checkpoint=checkpoint, autocast=True, seed=seed,
    )  # fmt: skip
    qat.recalibrate_bn(net, x[:10000].split(500))  # their statistics are of other ternary weights, those of each step
    return net


def train(path: Path, float_epochs: int = FLOAT_EPOCHS, ternary_epochs: int = TERNARY_EPOCHS) -> common.Trained:
    """Train the float network, then the ternary one from it; write the archive."""
    import torch

    from mcugen import qat

    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    x_train, y_train, x_test, _ = (torch.from_numpy(a) for a in data())
    print(f"training on {len(x_train)} images, testing on {len(x_test)}", flush=True)
    model = float_network(x_train, y_train, float_epochs, path.with_name("float.pt"))
    print("ternary weights, 8-bit activations", flush=True)
    weights = qat.PruningTernary(density=DENSITY, decay="disc")  # as the archive was trained
    net = ternary_network(model, weights, x_train, y_train, ternary_epochs, path.with_name("ternary.pt"))
    qat.save(net, x_test[:32], path, name="cifar10_resnet8")
    common.check_layers(net, path, x_test[:200])
    return common.Trained(common.classes(model, x_test), common.classes(net, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS, VECTORS)


if __name__ == "__main__":
    sys.exit(main())
