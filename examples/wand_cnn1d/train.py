"""Five gestures, the whole way: train a 1-D network on motion data, make it ternary, compile, prove every byte.

Data: MCUGEN_DATA/magic_wand.npz, else the user's cache, else a download of 1 MB into that cache. There are 100
recordings for training and 25 for testing, which is too few for fine comparisons.

    python examples/wand_cnn1d/train.py             train, compile, validate; all goes to build/wand_cnn1d
    python examples/wand_cnn1d/train.py --no-train  the same from the archive beside this file, without torch
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import common

from mcugen import datasets

TARGETS = {"cortex-m0": "size", "cortex-m4": "speed"}  # and the goal for each
WIDTHS = (16, 32, 32)  # channels of the convolutions
DENSITY = 0.4  # of the ternary weights


def data() -> common.Arrays:
    """(x_train, y_train, x_test, y_test); x: float32 (N, 6, 119), 0..1 for -4..4 g and -2000..2000 degrees a second."""
    x_train, y_train, x_test, y_test = datasets.load("magic_wand")
    train, test = (datasets.inputs("magic_wand", x) for x in (x_train, x_test))
    return train, y_train.astype(np.int64), test, y_test.astype(np.int64)


def train(path: Path, float_epochs: int = 100, ternary_epochs: int = 100, seed: int = 0) -> common.Trained:
    """Train the float network, then the ternary one from it, with the float one as teacher; write the archive."""
    from collections import OrderedDict

    import torch
    from torch import nn

    from mcugen import qat

    def scaled(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Each recording 0.8 to 1.2 times as strong about the middle of the range, which is rest."""
        return 0.5 + (x - 0.5) * (0.8 + 0.4 * torch.rand(len(x), 1, 1, generator=generator))

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # the same sums in the same order, everywhere
    x_train, y_train, x_test, _ = (torch.from_numpy(a) for a in data())
    print(f"training on {len(x_train)} recordings, testing on {len(x_test)}", flush=True)
    layers: dict[str, nn.Module] = {}
    inputs = 6
    for i, (width, size) in enumerate(zip(WIDTHS, (7, 5, 5), strict=True), 1):
        layers[f"conv{i}"] = nn.Conv1d(inputs, width, size, stride=2, padding=size // 2, bias=False)
        layers[f"bn{i}"] = nn.BatchNorm1d(width)
        layers[f"relu{i}"] = nn.ReLU()
        inputs = width
    layers |= {"average": nn.AdaptiveAvgPool1d(1), "flatten": nn.Flatten(), "dropout": nn.Dropout(0.2)}
    model = nn.Sequential(OrderedDict(layers | {"fc": nn.Linear(inputs, 5)}))
    change = qat.augment.Compose(qat.augment.Shift(10, (2,), "repeat"), scaled)
    few = {"batch_size": 20, "weight_decay": 1e-2, "augment": change, "seed": seed}
    qat.fit(model, (x_train, y_train), epochs=float_epochs, lr=2e-3, **few)

    print("ternary weights, 8-bit activations", flush=True)
    weights = qat.PruningTernary(density=DENSITY, decay="disc")  # as the archive was trained
    ternary = qat.prepare(model, weights=weights)
    qat.fix_input(ternary, 1 / 255)  # the sensors' range in 8 bits
    loss = qat.distillation(model, alpha=0.7, temperature=2.0)
    qat.fit(ternary, (x_train, y_train), epochs=ternary_epochs, lr=2e-3, loss=loss, **few)
    qat.save(ternary, x_test, path, name="wand_cnn1d")
    common.check_layers(ternary, path, x_test[:200])
    return common.Trained(common.classes(model, x_test), common.classes(ternary, x_test))


def main() -> int:
    """Exit status 0 if every byte was equal everywhere."""
    return common.main(__doc__, Path(__file__).parent, data, train, TARGETS)


if __name__ == "__main__":
    sys.exit(main())
