"""DirectQuantization: levels and codes trained without a full-precision master weight (arXiv 2012.13762).

Reconstructed from the abstract of "Direct Quantization for Training Highly Accurate Low Bit-width Deep Neural
Networks" and from its nearest published relatives; its full text was not at hand, and its tables are not reproduced.
docs/TRAINING.md says what is what. Its activation quantiser is activations.LSQ with a criterion by channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ...errors import ModelError
from ..weights import TWN, Granularity, Quantized, WeightQuantizer, checked, one_of, rows_of

Form = Literal["bits", "assignment"]


@dataclass(frozen=True)
class DirectQuantization:
    """Direct quantisation, ternary, with a learned level a per output channel or layer (`per`).

    form "bits": q = a / 2 * (b1 + b2), b = sign(z) of two free tensors z in [-1, 1], straight through; begins as
    exactly TWN(per, threshold). "assignment": q = sum_j p_j l_j, p = softmax(T A), l = (-a, 0, a), no straight-through
    gradient; T grows geometrically from 1 to `temperature` between the fractions `soft` of training, then, from `hard`
    on, the likeliest level is taken; in evaluation always. Three times the memory of the weights. Begins at the levels
    that are nearest in TWN's scale.

    rate, level_rate: learning rates of bits or logits, and of levels, relative to the network's.
    """

    form: Form = "bits"
    per: Granularity = "channel"
    threshold: float = 0.7
    rate: float = 5.0
    level_rate: float = 0.1
    temperature: float = 60.0
    soft: tuple[float, float] = (0.2, 0.8)
    hard: float = 0.85

    def __post_init__(self) -> None:
        def need(good: bool, what: str, hint: str) -> None:
            if not good:
                raise ModelError("E107", what, where="DirectQuantization", hint=hint)

        one_of(get_args(Form), self.form, "form", "DirectQuantization")
        TWN(self.per, self.threshold)
        for name in ("rate", "level_rate"):
            value = getattr(self, name)
            need(0 < value < math.inf, f"{name}={value!r}", "a positive factor of the learning rate")
        need(1 <= self.temperature < math.inf, f"temperature={self.temperature!r}", "1 or more; 60 is nearly hard")
        times = [*self.soft, self.hard]
        ordered = len(times) == 3 and 0 <= times[0] < times[1] <= times[2] <= 1
        need(ordered, f"soft={self.soft!r}, hard={self.hard!r}", "fractions of the training, growing")

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return _Bits(self, weight) if self.form == "bits" else Assignment(self, weight)


class _Direct(WeightQuantizer):
    """What both forms share: the learned level."""

    least: Tensor

    def __init__(self, spec: DirectQuantization, weight: Tensor) -> None:
        super().__init__()
        self.spec = spec
        self.level = nn.Parameter(torch.ones_like(self._twn(checked(weight, "DirectQuantization"))[1]))
        self.register_buffer("least", torch.ones((), dtype=weight.dtype))

    def _twn(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return TWN(self.spec.per, self.spec.threshold).quantizer(w).quantize(w)

    def _start(self, w: Tensor) -> Tensor:
        """Set the level by TWN; returns the threshold of each row."""
        _, level = self._twn(w)
        self.level.data.copy_(level)
        self.least.copy_(level.min() * 1e-4)
        return self.spec.threshold * w.abs().mean(rows_of(w, self.spec.per), keepdim=True)

    def _scale(self) -> Tensor:
        """The level; training does not take it to 0 or below."""
        return torch.maximum(self.level, self.least) + (self.level - self.level.detach()) * (self.level < self.least)

    def rates(self, *latent: Tensor) -> list[tuple[Tensor, float]]:
        """Learning rates of their own, relative to the network's."""
        return [*((z, self.spec.rate) for z in latent), (self.level, self.spec.level_rate)]

    def extra_repr(self) -> str:
        return f"form={self.spec.form}, per={self.spec.per}"


class _Bits(_Direct):
    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """The tensors behind the two bits: (w + D) / max|w| and (w - D) / max|w|, in [-1, 1]."""
        threshold = self._start(weight)
        top = weight.abs().amax(rows_of(weight, self.spec.per), keepdim=True)
        top = torch.where(top > 0, top, torch.ones_like(top))
        return tuple(((weight + d) / top).clamp(-1, 1) for d in (threshold, -threshold))

    def _bits(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """Signs; zero is positive for the first and negative for the second: both mean code 0, as for TWN."""
        a, b = latent
        return (a >= 0).to(a.dtype) * 2 - 1, (b > 0).to(b.dtype) * 2 - 1

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (b1 + b2) / 2, the level as scale."""
        a, b = self._bits(*latent)
        return (a + b) / 2, self._scale().detach()

    def forward(self, *latent: Tensor) -> Tensor:
        """dL/dz = g * a / 2 where |z| <= 1; dL/da = sum of g * (b1 + b2) / 2."""
        bits = self._bits(*(z.detach() for z in latent))
        a, b = (bit + (z - z.detach()) * (z.abs() <= 1) for bit, z in zip(bits, latent, strict=True))
        return (a + b) / 2 * self._scale()

    @classmethod
    def step_layers(cls, layers: Sequence[Quantized], progress: float) -> None:
        """Keep the tensors in [-1, 1]: beyond it they would have no gradient."""
        for found in layers:
            for z in found.latent:
                z.clamp_(-1, 1)


class Assignment(_Direct):
    """Form "assignment"."""

    temperature: Tensor
    soft: Tensor

    def __init__(self, spec: DirectQuantization, weight: Tensor) -> None:
        super().__init__(spec, weight)
        self.register_buffer("temperature", torch.ones((), dtype=weight.dtype))
        self.register_buffer("soft", torch.ones((), dtype=torch.bool))

    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Logits for -a, 0 and a: minus twice the squared distance in units of a."""
        self._start(weight)
        self.step(0.0)
        return tuple(-2 * (weight / self.level - j).square() for j in (-1, 0, 1))

    def step(self, progress: float) -> None:
        """Temperature by the schedule."""
        first, last = self.spec.soft
        part = min(max((progress - first) / (last - first), 0.0), 1.0)
        self.temperature.fill_(self.spec.temperature**part)
        self.soft.fill_(progress < self.spec.hard)

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest level, 0 among equals."""
        minus, zero, plus = latent
        most = torch.maximum(torch.maximum(minus, plus), zero)
        codes = torch.where(zero == most, 0, torch.where(plus == most, 1, -1)).to(minus.dtype)
        return codes, self._scale().detach()

    def forward(self, *latent: Tensor) -> Tensor:
        """Mean level while soft: dL/dA_j = T g (l_j - q) p_j, dL/da = sum of g (p_plus - p_minus)."""
        if self.training and bool(self.soft):
            minus, _, plus = torch.softmax(torch.stack(latent) * self.temperature, 0)
            return (plus - minus) * self._scale()
        codes, _ = self.quantize(*(a.detach() for a in latent))
        return codes * self._scale() + 0 * sum(latent)  # zero gradients, and not none, for the logits
