"""Handwritten digits, the whole way: train, make ternary, compile for two cores, prove every byte.

Data: the 1,797 images of 8 x 8 pixels that come with scikit-learn. Run with `make demo`, or directly:

    python examples/digits/run.py             train, compile, validate; everything goes to build/digits
    python examples/digits/run.py --no-train  the same from the archive beside this file, without torch
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

TARGETS = {"cortex-m0": "balanced", "cortex-m4": "balanced"}  # and the goal for each
TEST_SHARE = 5  # every fifth image, so that all ten digits and the writers' order are spread evenly


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 (N, 1, 8, 8) in 0..1."""
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)[:, None]
    test = np.arange(len(x)) % TEST_SHARE == 0
    return x[~test], digits.target[~test], x[test], digits.target[test]


def train(path: Path) -> common.Trained:
    """Train the float network, then the ternary one from it; write the archive."""
    from collections import OrderedDict

    import torch
    from torch import nn

    from mcugen import qat

    class Block(nn.Module):
        """Two 3x3 convolutions and a shortcut."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + x)

    def network() -> nn.Module:
        layers = {
            "conv1": nn.Conv2d(1, 16, 3, padding=1, bias=False),
            "bn1": nn.BatchNorm2d(16),
            "relu1": nn.ReLU(),
            "block": Block(16),
            "pool": nn.MaxPool2d(2),
            "conv2": nn.Conv2d(16, 32, 3, padding=1, bias=False),
            "bn2": nn.BatchNorm2d(32),
            "relu2": nn.ReLU(),
            "average": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(32, 10),
        }
        return nn.Sequential(OrderedDict(layers))

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the network is so small that a second thread only waits
    x_train, y_train, x_test, _ = (torch.from_numpy(a) for a in data())
    print(f"training on {len(x_train)} images, testing on {len(x_test)}")
    model = network()
    qat.fit(model, (x_train, y_train), epochs=40, lr=4e-3, batch_size=64, label_smoothing=0.05, log=False)

    print("ternary weights, 8-bit activations")
    ternary = qat.prepare(model, weights=qat.TWN(), activations=qat.LSQ(bits=8))
    qat.fit(ternary, (x_train, y_train), epochs=60, lr=2e-3, batch_size=64, label_smoothing=0.05, log=False)
    qat.save(ternary, x_test[:32], path, name="digits")
    return common.Trained(common.classes(model, x_test), common.classes(ternary, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS)


if __name__ == "__main__":
    sys.exit(main())
