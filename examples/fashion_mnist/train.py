"""Fashion-MNIST, the whole way: train a residual network, make it ternary, compile for two cores, prove every byte.

Data: MCUGEN_DATA/fashion_mnist.npz, else the user's cache, else a download of 30 MB into that cache. All 10,000 test
images are compared on this machine, the first 200 on each emulated core.

    python examples/fashion_mnist/train.py             train, compile, validate; all goes to build/fashion_mnist
    python examples/fashion_mnist/train.py --no-train  the same from the archive beside this file, without torch
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

from mcugen import datasets

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


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 (N, 1, 28, 28) in 0..1."""
    x_train, y_train, x_test, y_test = datasets.load("fashion_mnist")
    train, test = ((x[:, None] / np.float32(255)) for x in (x_train, x_test))
    return train, y_train.astype(np.int64), test, y_test.astype(np.int64)


def train(path: Path, float_epochs: int = 8, ternary_epochs: int = 12) -> common.Trained:
    """Train the float network, then the ternary one from it; write the archive."""
    from collections import OrderedDict
    from collections.abc import Iterator

    import torch
    from torch import nn

    from mcugen import qat

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

    class Batches:
        """Shuffled batches, each image mirrored and moved by up to a pixel at random; new ones in each epoch."""

        def __init__(self, x: torch.Tensor, y: torch.Tensor, size: int, seed: int) -> None:
            self.x, self.y, self.size = nn.functional.pad(x[:, 0], (1, 1, 1, 1)), y, size
            self.random = torch.Generator().manual_seed(seed)

        def __len__(self) -> int:
            return -(-len(self.y) // self.size)

        def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for part in torch.randperm(len(self.y), generator=self.random).split(self.size):
                dy, dx = torch.randint(3, (2, len(part)), generator=self.random)
                moved = self.x[part].unfold(1, 28, 1).unfold(2, 28, 1)[torch.arange(len(part)), dy, dx]
                mirror = torch.rand(len(part), 1, 1, generator=self.random) < 0.5
                yield torch.where(mirror, moved.flip(2), moved)[:, None], self.y[part]

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    x_train, y_train, x_test, _ = (torch.from_numpy(a) for a in data())
    print(f"training on {len(x_train)} images, testing on {len(x_test)}", flush=True)
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
    model = nn.Sequential(OrderedDict(layers))
    qat.fit(model, Batches(x_train, y_train, 128, 1), epochs=float_epochs, lr=4e-3)

    print("ternary weights, 8-bit activations", flush=True)
    ternary = qat.prepare(model, weights=qat.TWN(), activations=qat.LSQ(bits=8))
    ternary.input_q.gain.requires_grad_(False)  # its step stays 1/255: the firmware takes the pixels as they are
    qat.fit(ternary, Batches(x_train, y_train, 128, 2), epochs=ternary_epochs, lr=2e-3)
    qat.save(ternary, x_test[:32], path, name="fashion_mnist")
    return common.Trained(common.classes(model, x_test), common.classes(ternary, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS, VECTORS)


if __name__ == "__main__":
    sys.exit(main())
