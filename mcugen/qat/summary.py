"""What a model consists of, layer by layer, and how well it classifies, class by class."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..frontends.torch import inputs_of, latent_of
from .weights import quantizer_of


@dataclass(frozen=True)
class LayerSummary:
    """The weights of one layer; nan where a number does not exist.

    bits: "ternary", 8, or 32 without a quantiser. density: the fraction of non-zero codes. entropy: of the codes, in
    bits per weight, each code on its own: what a perfect entropy coder would need. scale_min, scale_max: over the
    output channels. sqnr: signal to quantisation noise in dB, of the latent weights to what the layer computes with.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    bits: int | str
    density: float
    entropy: float
    scale_min: float
    scale_max: float
    sqnr: float


@dataclass(frozen=True)
class Summary:
    """All layers with weights; str() is a table."""

    layers: tuple[LayerSummary, ...]

    def data(self) -> list[dict[str, Any]]:
        """For JSON: a dictionary per layer, None where a number does not exist."""
        rows = [asdict(layer) for layer in self.layers]
        return [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()} for row in rows
        ]

    def __str__(self) -> str:
        head = ("layer", "kind", "shape", "weights", "bits", "density", "entropy", "scale", "SQNR dB")
        rows = [head] + [
            (
                s.path or "(model)",
                s.kind,
                "x".join(map(str, s.shape)),
                str(s.weights),
                str(s.bits),
                _number(s.density, ".3f"),
                _number(s.entropy, ".3f"),
                "-" if math.isnan(s.scale_min) else f"{s.scale_min:.3g}..{s.scale_max:.3g}",
                _number(s.sqnr, ".1f"),
            )
            for s in self.layers
        ]
        ternary = [s for s in self.layers if s.bits == "ternary"]
        count = sum(s.weights for s in ternary)
        total = sum(s.weights for s in self.layers)
        mean = sum(s.density * s.weights for s in ternary) / count if count else math.nan
        rows.append(("total", "", "", str(total), f"{count} ternary", _number(mean, ".3f"), "", "", ""))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        left = (0, 1, 2)
        return "\n".join(
            "  ".join(
                c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )


@torch.no_grad()
def summary(model: nn.Module) -> Summary:
    """Every convolution and linear layer, and whatever else has a weight quantiser, in the model's order."""
    layers = []
    for path, layer in model.named_modules():
        q = quantizer_of(layer)
        if q is None:
            if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
                continue
            w = layer.weight
            row: tuple[Any, ...] = (32, float(w.count_nonzero()) / w.numel(), math.nan, math.nan, math.nan, math.nan)
        else:
            latent = latent_of(layer)
            codes, scale = q.export(*latent)
            w = codes
            used = codes.double() * scale.view(-1, *[1] * (codes.dim() - 1))
            counts = codes.unique(return_counts=True)[1].double()
            share = counts / counts.sum()
            row = (
                "ternary" if q.ternary else 8,
                float(codes.count_nonzero()) / codes.numel(),
                abs(float(-(share * share.log2()).sum())),  # abs: not -0.0
                float(scale.min()),
                float(scale.max()),
                _sqnr(latent[0].double(), used) if len(latent) == 1 and latent[0].shape == used.shape else math.nan,
            )
        layers.append(
            LayerSummary(path, type(layer).__name__.removeprefix("Parametrized"), tuple(w.shape), w.numel(), *row)
        )
    return Summary(tuple(layers))


@dataclass(frozen=True)
class Scores:
    """How a classifier does. Class numbers are indices; recall is nan for a class that the labels do not have.

    confusion[true][predicted] counts samples. macro_f1 is the plain mean of F1 over the classes that occur among the
    labels or the predictions.
    """

    accuracy: float
    macro_f1: float
    recall: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]


@torch.no_grad()
def scores(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 500) -> Scores:
    """Accuracy, macro F1, recall per class and confusion matrix, in evaluation mode; ties go to the lowest index."""
    found, classes = predictions(model, x, y, batch_size, "scores")
    if not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise ModelError("E107", f"labels {int(y.min())}..{int(y.max())} for {classes} classes", where="scores")
    table = torch.bincount(y.cpu().long() * classes + found, minlength=classes * classes).view(classes, classes)
    right, true, said = table.diag().double(), table.sum(1).double(), table.sum(0).double()
    occurs = true + said > 0
    f1 = 2 * right[occurs] / (true + said)[occurs]
    confusion = tuple(tuple(row) for row in table.tolist())
    return Scores(float(right.sum()) / len(y), float(f1.mean()), tuple((right / true).tolist()), confusion)


def predictions(model: nn.Module, x: Tensor, y: Tensor, batch_size: int, where: str) -> tuple[Tensor, int]:
    """(the predicted class of each sample, on the CPU; the number of classes). The model's mode comes back."""
    if len(x) != len(y) or not len(x):
        raise ModelError("E107", f"{len(x)} inputs, {len(y)} labels", where=where)
    place = next((p.device for p in model.parameters()), torch.device("cpu"))
    training = {m: m.training for m in model.modules()}
    model.eval()
    found = []
    try:
        for part in x.split(batch_size):
            logits = logits_of(model, part.to(place))
            found.append(logits.argmax(1))
    finally:
        for m, flag in training.items():
            m.training = flag
    return torch.cat(found).cpu(), logits.shape[1]


def logits_of(model: nn.Module, x: Tensor, network: nn.Module | None = None) -> Tensor:
    """What a classifier gives; network: the model in its wrapper for several processes. ModelError E107 for others."""
    hint = "fit and evaluate are for classifiers (one input, logits): write a loop of your own, see qat.step"
    if len(inputs_of(model)) > 1:
        names = ", ".join(inputs_of(model))
        raise ModelError("E107", f"the model has several inputs ({names})", where="fit", hint=hint)
    found = (network or model)(x)
    if not isinstance(found, Tensor):
        raise ModelError("E107", f"the model gives a {type(found).__name__}, not one tensor", where="fit", hint=hint)
    return found


def _sqnr(w: Tensor, used: Tensor) -> float:
    noise = float((w - used).square().sum())
    signal = float(w.square().sum())
    return math.nan if signal == 0 else math.inf if noise == 0 else 10 * math.log10(signal / noise)


def _number(v: float, form: str) -> str:
    return "-" if math.isnan(v) else format(v, form)
