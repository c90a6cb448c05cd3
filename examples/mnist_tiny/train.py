"""MNIST in 11 KB of weights: a small float network trained, made ternary with that as its teacher, compiled, proven.

Data: MCUGEN_DATA/mnist.npz, else the user's cache, else a download of 11 MB into that cache. All 10,000 test images are
compared on this machine, the first 200 on each emulated core.

    python examples/mnist_tiny/train.py             train, compile, validate; all goes to build/mnist_tiny
    python examples/mnist_tiny/train.py --no-train  the same from the archive beside this file, without torch

Training goes on from build/mnist_tiny/*.pt after an interruption; delete these to train anew.
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

TARGETS = {"cortex-m0": "size", "cortex-m0plus": "size", "cortex-m4": "speed"}  # and the goal for each
VECTORS = {"host": 10000, "sanitize": 500, "qemu": 200, "unicorn": 200}  # test images at each place
HELD_OUT = 5000  # the last training images: what was chosen was chosen on them, and they train nothing
SIZE, CROP = 16, 24  # pixels: the network's input, and the middle of the image that it is made of
CHANNELS = (16, 32, 32, 48, 52)


def resize() -> np.ndarray:
    """(16, 28): averages over 1.5 pixels each, of the middle 24. Rows and columns: R x R^T."""
    edges = (28 - CROP) / 2 + CROP / SIZE * np.arange(SIZE + 1)
    pixel = np.arange(28)
    covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (covered.clip(0) / (CROP / SIZE)).astype(np.float32)


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 in 0..1, train (N, 1, 28, 28), test (N, 1, 16, 16)."""
    x_train, y_train, x_test, y_test = datasets.load("mnist")
    r = resize()
    small = np.floor(r @ x_test.astype(np.float32) @ r.T + np.float32(0.5))  # a pixel is a byte again
    train, test = ((x[:, None] / np.float32(255)) for x in (x_train, small))
    return train.astype(np.float32), y_train.astype(np.int64), test.astype(np.float32), y_test.astype(np.int64)


def warp(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(N, 1, 28, 28) -> (N, 1, 16, 16): each turned, stretched, slanted, moved and bent at random, then resized."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample, interpolate

    n = len(x)

    def uniform(limit: float) -> torch.Tensor:
        return (2 * torch.rand(n, generator=generator) - 1) * limit

    angle, slant, dx, dy = uniform(0.2), uniform(0.15), uniform(1.5 / 14), uniform(1.5 / 14)  # shifts: 1.5 pixels
    width, height = 1 + uniform(0.12), 1 + uniform(0.12)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * width, (slant * cos - sin) * height, dx, sin * width, (slant * sin + cos) * height, dy]
    grid = affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, 1, 28, 28], align_corners=False)
    bend = torch.randn(n, 2, 6, 6, generator=generator) * (0.6 / 14)  # 0.6 pixels, about five pixels apart
    grid = grid + interpolate(bend, (28, 28), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    r = torch.from_numpy(resize())
    return r @ grid_sample(x, grid, align_corners=False) @ r.T


def train(path: Path, float_epochs: int = 12, ternary_epochs: int = 24) -> common.Trained:
    """Train the float network, then the ternary one from it; write the archive."""
    from collections import OrderedDict

    import torch
    from torch import nn

    from mcugen import qat

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    x, y, x_test, _ = (torch.from_numpy(a) for a in data())
    held_out = min(HELD_OUT, len(x) // 2)
    x_train, y_train = x[:-held_out], y[:-held_out]
    r = torch.from_numpy(resize())
    x_held, y_held = r @ x[-held_out:] @ r.T, y[-held_out:]
    print(f"training on {len(x_train)} images, {held_out} held out, testing on {len(x_test)}", flush=True)
    a, b, c, d, e = CHANNELS

    def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )

    layers = {
        "conv1": conv(1, a),
        "conv2": conv(a, b, stride=2),
        "conv3": conv(b, c),
        "conv4": conv(c, d),
        "pool": nn.MaxPool2d(2),
        "conv5": conv(d, e),
        "average": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(e, 10),
    }
    model = nn.Sequential(OrderedDict(layers))
    qat.fit(
        model, (x_train, y_train), (x_held, y_held), epochs=float_epochs, lr=4e-3, warmup=1, ema=0.998, augment=warp,
        checkpoint=path.with_name("float.pt"),
    )  # fmt: skip

    print("ternary weights, 8-bit activations", flush=True)
    ternary = qat.prepare(model, weights=qat.TWN(), activations=qat.LSQ(bits=8))
    ternary.input_q.gain.requires_grad_(False)  # its step stays 1/255: the firmware takes the pixels as they are
    qat.fit(
        ternary, (x_train, y_train), (x_held, y_held), epochs=ternary_epochs, lr=3e-3, warmup=0.5, ema=0.998,
        augment=warp, loss=qat.distillation(model), checkpoint=path.with_name("ternary.pt"),
    )  # fmt: skip
    qat.save(ternary, x_test[:32], path, name="mnist_tiny")
    common.check_layers(ternary, path, x_test[:200])
    return common.Trained(common.classes(model, x_test), common.classes(ternary, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS, VECTORS)


if __name__ == "__main__":
    sys.exit(main())
