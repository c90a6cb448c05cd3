"""Weight quantisers: small frozen specs that users pass, and the parametrisations that they make.

A quantiser turns latent real weights into codes and one scale per output channel. What the network computes with and
what the front end exports come from the same `quantize`, so they agree exactly. State lives in parameters and buffers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..errors import ModelError
from ..frontends.torch import latent_of

Granularity = Literal["channel", "layer"]


class WeightQuantizer(nn.Module):
    """Base of all weight quantisers, for use with torch.nn.utils.parametrize; axis 0 is the output channel.

    A subclass writes `quantize`. One that has no single latent tensor (several bit tensors, assignment logits) or
    gradients of its own also overrides `right_inverse` and `forward`; all four methods take the latent tensors.
    """

    ternary: bool = True  # codes in {-1, 0, 1}, else in -127..127

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """(codes, scale): real tensors, codes of the weight's shape, scale broadcastable to it, finite, positive."""
        raise NotImplementedError

    def forward(self, *latent: Tensor) -> Tensor:
        """The fake-quantised weight; its gradient goes to the latent weight unchanged (straight through)."""
        codes, scale = self.quantize(*(w.detach() for w in latent))
        (w,) = latent
        return codes * scale + (w - w.detach())  # the bracket is exactly zero: the value is codes * scale

    def right_inverse(self, weight: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The latent tensors to start from, for a pretrained weight."""
        return weight

    @torch.no_grad()
    def export(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """(codes int8 of the weight's shape, scale float64 per output channel); forward == codes * scale."""
        codes, scale = self.quantize(*latent)
        return codes.to(torch.int8), scale.double().expand(len(codes), *scale.shape[1:]).reshape(-1).contiguous()

    def step(self, progress: float) -> None:
        """Called before each optimiser step with the fraction of training that is done, for schedules."""

    @classmethod
    def step_layers(cls, layers: Sequence[Quantized], progress: float) -> None:
        """What qat.step calls, once with all quantisers of this class: for schedules that read the latent weights."""
        for found in layers:
            found.quantizer.step(progress)

    def rates(self, *latent: Tensor) -> list[tuple[Tensor, float]]:
        """Parameters that want learning rates of their own, as factors of the network's; they get no weight decay."""
        return []

    def without_norm(self) -> None:
        """Called by prepare() where no batch norm follows the layer that could learn the scale."""


@dataclass(frozen=True)
class Quantized:
    """A layer that has a weight quantiser."""

    path: str
    layer: nn.Module
    quantizer: WeightQuantizer

    @property
    def latent(self) -> tuple[Tensor, ...]:
        """The latent tensors, without gradients."""
        return tuple(w.detach() for w in latent_of(self.layer))


@runtime_checkable
class WeightSpec(Protocol):
    """What users pass: makes a quantiser for a weight."""

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """A fresh quantiser; the weight is for its shape and for data-dependent state."""
        ...


@runtime_checkable
class PathSpec(Protocol):
    """A spec that is not the same for every layer."""

    def at(self, path: str) -> WeightSpec:
        """The spec of one layer. ModelError E107 if it has none."""
        ...

    @property
    def paths(self) -> Collection[str]:
        """Layers that it names; they must be there."""
        ...


@dataclass(frozen=True)
class TWN:
    """Ternary weight networks: w -> a * sign(w) where |w| > t * mean|w|, a the mean of |w| there.

    per: one threshold and scale per output channel or per layer. threshold: t.
    Li, Liu: Ternary Weight Networks (arXiv 1605.04711) has t = 0.7 in its text and Caffe code, per layer; 0.75 per
    output channel is what its authors' later PyTorch code uses. The optimum for Gaussian weights is 0.767.
    """

    per: Granularity = "channel"
    threshold: float = 0.75

    def __post_init__(self) -> None:
        one_of(get_args(Granularity), self.per, "per", "TWN")
        if not 0 <= self.threshold < float("inf"):
            raise ModelError("E107", f"threshold={self.threshold}", where="TWN", hint="use 0.75")

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return _TWNQuantizer(self.per, self.threshold)


@dataclass(frozen=True)
class Int8:
    """Symmetric 8-bit weights, codes -127..127, scale max|w| / 127 per output channel, straight through."""

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return _Int8Quantizer()


def checked(weight: Tensor, where: str) -> Tensor:
    """The weight, if it can be quantised. ModelError E103: empty. E105: not finite."""
    if weight.numel() == 0:
        raise ModelError("E103", f"a weight of shape {tuple(weight.shape)} is empty", where=where)
    if not bool(torch.isfinite(weight).all()):
        raise ModelError("E105", "weights are not finite", where=where, hint="lower the learning rate")
    return weight


def one_of(known: tuple[object, ...], value: object, name: str, where: str) -> None:
    """ModelError E107 unless the option is one of those that are known."""
    if value not in known:
        hint = f"use one of {', '.join(map(repr, known))}"
        raise ModelError("E107", f"{name}={value!r}", where=where, hint=hint)


def rows_of(w: Tensor, per: Granularity) -> tuple[int, ...]:
    """The axes that share one scale."""
    return tuple(range(0 if per == "layer" else 1, w.dim()))


class _TWNQuantizer(WeightQuantizer):
    def __init__(self, per: Granularity, threshold: float) -> None:
        super().__init__()
        self.per, self.threshold = per, threshold

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        (w,) = latent
        axes, size = rows_of(w, self.per), w.abs()
        keep = size > self.threshold * size.mean(axes, keepdim=True)
        count = keep.sum(axes, keepdim=True)
        scale = (size * keep).sum(axes, keepdim=True) / count.clamp(min=1)
        scale = torch.where((count > 0) & (scale > 0), scale, torch.ones_like(scale))
        return w.sign() * keep, scale

    def extra_repr(self) -> str:
        return f"per={self.per}, threshold={self.threshold}"


class _Int8Quantizer(WeightQuantizer):
    ternary = False

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        (w,) = latent
        scale = w.abs().amax(rows_of(w, "channel"), keepdim=True) / 127
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        return torch.floor(w / scale + 0.5).clamp(-127, 127), scale


def quantizer_of(layer: nn.Module) -> WeightQuantizer | None:
    """The weight quantiser of a layer, None if it has none."""
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    chain = layer.parametrizations.weight  # type: ignore[union-attr]
    q = chain[0] if len(chain) == 1 else None  # type: ignore[arg-type,index]
    return q if isinstance(q, WeightQuantizer) else None


def quantized_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, WeightQuantizer]]:
    """(path, layer, quantiser) of every layer that has a weight quantiser."""
    for path, layer in model.named_modules():
        q = quantizer_of(layer)
        if q is not None:
            yield path, layer, q


@torch.no_grad()
def step(model: nn.Module, progress: float) -> None:
    """Tell every weight quantiser how much of the training is done, 0..1; call it before each optimiser step."""
    if not 0 <= progress <= 1:
        raise ModelError("E107", f"progress={progress}", where="qat.step", hint="the fraction that is done, 0 to 1")
    layers = [Quantized(*found) for found in quantized_layers(model)]
    for kind in dict.fromkeys(type(found.quantizer) for found in layers):
        kind.step_layers([found for found in layers if type(found.quantizer) is kind], progress)


@torch.no_grad()
def density(model: nn.Module) -> float:
    """The fraction of non-zero weights among all ternary weights of the model; nan if there are none."""
    nonzero = total = 0
    for _, layer, q in quantized_layers(model):
        if q.ternary:
            codes, _ = q.quantize(*latent_of(layer))
            nonzero += int(codes.count_nonzero())
            total += codes.numel()
    return nonzero / total if total else float("nan")


@torch.no_grad()
def discrepancy(model: nn.Module) -> dict[str, float]:
    """By layer with one latent weight, what straight-through gradients get wrong: 0 none, 2 at most.

    The mean over the rows of |w/|w| - t/|t||^2 = 2 (1 - cos(w, t)), t the codes; rows of zeros are left out (nan if
    that is all of them).
    """
    found = {}
    for path, layer, q in quantized_layers(model):
        latent = latent_of(layer)
        if len(latent) == 1:
            w = latent[0].detach().flatten(1).double()
            t = q.quantize(*latent)[0].flatten(1).double()
            size = w.norm(dim=1) * t.norm(dim=1)
            found[path] = float((2 - 2 * (w * t).sum(1) / size)[size > 0].mean())
    return found
