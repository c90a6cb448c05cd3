"""Fashion-MNIST, the whole way: train a residual network, make it ternary, compile for six cores, prove every byte.

Data: MCUGEN_DATA/fashion_mnist.npz, else the user's cache, else a download of 30 MB into that cache. All 10,000 test
images are compared on this machine, the first 200 on each emulated core.

    python examples/fashion_mnist/train.py             train, compile, validate; all goes to build/fashion_mnist
    python examples/fashion_mnist/train.py --no-train  the same from the archive beside this file, without torch

Training goes on from build/fashion_mnist/*.pt after an interruption; delete these to train anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

from mcugen import datasets

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

    from mcugen.qat import WeightSpec

TARGETS = {  # and the goal for each
    "cortex-m0": "size",
    "cortex-m3": "balanced",
    "cortex-m4": "speed",
    "cortex-m7": "speed",
    "cortex-m33": "balanced",
    "cortex-m55": "speed",
}
VECTORS = {"host": 10000, "sanitize": 500, "qemu": 200, "unicorn": 200}  # test images at each place
WIDTHS = (16, 32, 48)  # channels of the three blocks
DENSITY = 0.33  # the fraction of ternary weights that are not zero
FIRST_EPOCHS, SECOND_EPOCHS = 8, 12  # float; then ternary, and float too for the comparison


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 (N, 1, 28, 28) in 0..1."""
    x_train, y_train, x_test, y_test = datasets.load("fashion_mnist")
    train, test = ((x[:, None] / np.float32(255)) for x in (x_train, x_test))
    return train, y_train.astype(np.int64), test, y_test.astype(np.int64)


def network() -> nn.Module:
    """The float network, not trained."""
    from collections import OrderedDict

    import torch
    from torch import nn

    class Block(nn.Module):
        """Two 3x3 convolutions and a shortcut, a 1x1 convolution where the shape changes."""

        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            stride = 1 if inputs == outputs else 2
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.shortcut: nn.Module = nn.Identity()
            if stride != 1:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    a, b, c = WIDTHS
    layers = {
        "conv1": nn.Conv2d(1, a, 3, stride=2, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(a),
        "relu1": nn.ReLU(),
        "block1": Block(a, a),
        "block2": Block(a, b),
        "block3": Block(b, c),
        "average": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(c, 10),
    }
    return nn.Sequential(OrderedDict(layers))


def quantized(model: nn.Module, weights: WeightSpec) -> fx.GraphModule:
    """The float network with ternary weights and 8-bit activations, ready for training."""
    from mcugen import qat

    ternary = qat.prepare(model, weights=weights, activations=qat.LSQ(bits=8))
    ternary.input_q.gain.requires_grad_(False)  # its step stays 1/255: the firmware takes the pixels as they are
    return ternary


def fit(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, lr: float, checkpoint: Path, seed: int = 0
) -> None:
    """Train, each image mirrored and moved by up to a pixel at random; goes on from the checkpoint if it is there."""
    from mcugen import qat
    from mcugen.qat import augment

    vary = augment.Compose(augment.Flip(), augment.crop(1))
    qat.fit(model, (x, y), epochs=epochs, lr=lr, seed=seed, augment=vary, checkpoint=checkpoint)


def train(path: Path, first: int = FIRST_EPOCHS, second: int = SECOND_EPOCHS) -> common.Trained:
    """Train the float network; from there, equally long, both it and the ternary one; write the archive."""
    import copy

    import torch

    from mcugen import qat

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    x_train, y_train, x_test, _ = (torch.from_numpy(a) for a in data())
    print(f"training on {len(x_train)} images, testing on {len(x_test)}", flush=True)
    model = network()
    fit(model, x_train, y_train, first, 4e-3, path.with_name("start.pt"))

    print("ternary weights, 8-bit activations", flush=True)
    ternary = quantized(model, qat.PruningTernary(density=DENSITY, decay="disc"))  # as the archive was trained
    fit(ternary, x_train, y_train, second, 2e-3, path.with_name("ternary.pt"))
    qat.save(ternary, x_test[:32], path, name="fashion_mnist")
    common.check_layers(ternary, path, x_test[:200])

    print("float weights, as many epochs", flush=True)
    real = copy.deepcopy(model)
    fit(real, x_train, y_train, second, 2e-3, path.with_name("float.pt"))
    return common.Trained(common.classes(real, x_test), common.classes(ternary, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS, VECTORS)


if __name__ == "__main__":
    sys.exit(main())
