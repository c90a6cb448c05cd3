"""A short training loop for those who have none of their own."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ModelError
from ..frontends.torch import latent_of
from .activations import ActQuantizer
from .weights import density, quantized_layers, step

Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: mean training loss, accuracies 0..1 (test: nan without test data), ternary density."""

    loss: float
    accuracy: float
    test_accuracy: float
    density: float


def fit(
    model: nn.Module,
    train: Data | Sequence[Data] | Any,
    test: Data | None = None,
    epochs: int = 10,
    lr: float = 2e-3,
    batch_size: int = 128,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.0,
    seed: int = 0,
    progress: bool = True,
    log: bool = True,
) -> list[Epoch]:
    """Train a prepared (or float) classifier with Adam, a cosine schedule and cross entropy; one Epoch per epoch.

    train: tensors (x, y), shuffled anew each epoch, or batches with a length (a list, a DataLoader). Same seed,
    data and thread count: same result. progress: a bar on standard error and, with log, a line per epoch on standard
    output; where standard error is no terminal, the lines replace the bar. ModelError E107: unusable data. E105: the
    loss is not finite.
    """
    pairs = isinstance(train, tuple) and len(train) == 2 and all(isinstance(t, Tensor) for t in train)
    if not pairs and not isinstance(train, Sized):
        raise ModelError("E107", "the training data has no length", where="fit", hint="pass (x, y) or a DataLoader")
    per_epoch = math.ceil(len(train[0]) / batch_size) if pairs else len(train)
    if per_epoch == 0 or epochs < 1:
        raise ModelError("E107", f"{per_epoch} batches, {epochs} epochs", where="fit", hint="nothing to train on")

    torch.manual_seed(seed)
    shuffle = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay, lr), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * per_epoch)
    history: list[Epoch] = []
    with _bar(epochs * per_epoch, progress, log) as bar:
        for epoch in range(epochs):
            model.train()
            loss_sum = right = seen = 0.0
            dense = density(model)
            batches: Any = _shuffled(train, batch_size, shuffle) if pairs else train
            for i, (x, y) in enumerate(batches):
                step(model, (epoch + i / per_epoch) / epochs)
                logits = model(x)
                loss = F.cross_entropy(logits, y, label_smoothing=label_smoothing)
                if not math.isfinite(loss.item()):
                    raise ModelError("E105", f"the loss is {loss.item()}", where=f"epoch {epoch}", hint="lower lr")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                loss_sum += loss.item() * len(x)
                right += int((logits.argmax(1) == y).sum())
                seen += len(x)
                now = Epoch(loss_sum / seen, right / seen, float("nan"), dense)
                bar.set_postfix_str(_line(epoch, epochs, now), refresh=False)
                bar.update()
            score = evaluate(model, *test) if test is not None else float("nan")
            history.append(Epoch(loss_sum / seen, right / seen, score, density(model)))
            bar.set_postfix_str(_line(epoch, epochs, history[-1]), refresh=False)
            if log:
                bar.write(_line(epoch, epochs, history[-1]))
    return history


@torch.no_grad()
def evaluate(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 500) -> float:
    """Top-1 accuracy 0..1 in evaluation mode; ties go to the lowest index. The model's mode comes back."""
    if len(x) != len(y) or not len(x):
        raise ModelError("E107", f"{len(x)} inputs, {len(y)} labels", where="evaluate")
    training = {m: m.training for m in model.modules()}
    model.eval()
    try:
        parts = zip(x.split(batch_size), y.split(batch_size), strict=True)
        right = sum(int((model(a).argmax(1) == b).sum()) for a, b in parts)
    finally:
        for m, flag in training.items():
            m.training = flag
    return right / len(x)


def parameter_groups(model: nn.Module, weight_decay: float, lr: float | None = None) -> list[dict[str, Any]]:
    """Weight decay on matrices and filters only: not on biases, batch norms and quantiser steps.

    lr: the learning rate that the optimiser gets; with it, what weight quantisers train at rates of their own has them.
    """
    steps = {id(m.gain) for m in model.modules() if isinstance(m, ActQuantizer)}
    own = {id(p): rate for _, layer, q in quantized_layers(model) for p, rate in q.rates(*latent_of(layer))}
    found = [p for p in model.parameters() if p.requires_grad]
    plain = [p for p in found if id(p) not in own]
    decayed = [p for p in plain if p.dim() > 1 and id(p) not in steps]
    rest = [p for p in plain if p.dim() <= 1 or id(p) in steps]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    for rate in dict.fromkeys(own.values()):
        group = {"params": [p for p in found if own.get(id(p)) == rate], "weight_decay": 0.0}
        groups.append(group if lr is None else {**group, "lr": lr * rate})
    return groups


def _shuffled(data: Any, batch_size: int, generator: torch.Generator) -> Iterator[Data]:
    order = torch.randperm(len(data[0]), generator=generator)
    for part in order.split(batch_size):
        yield data[0][part], data[1][part]


def _line(epoch: int, epochs: int, e: Epoch) -> str:
    test = "" if math.isnan(e.test_accuracy) else f", test {e.test_accuracy:.4f}"
    ternary = "" if math.isnan(e.density) else f", density {e.density:.3f}"
    return f"epoch {epoch + 1}/{epochs}: loss {e.loss:.4f}, acc {e.accuracy:.4f}{test}{ternary}"


class _Quiet:
    """A progress bar that shows nothing."""

    def __enter__(self) -> _Quiet:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def update(self) -> None:
        pass

    def set_postfix_str(self, s: str, refresh: bool) -> None:
        pass

    def write(self, s: str) -> None:
        pass


def _bar(total: int, progress: bool, log: bool) -> Any:
    if not progress:
        return _Quiet()
    from tqdm import tqdm  # only here: the library works without it

    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        disable=log and not terminal,
        mininterval=0.1 if terminal else 30,  # seconds; in a file every state of the bar stays
        bar_format="{percentage:3.0f}% {bar:20} {elapsed}, ETA {remaining}{postfix}",
    )
