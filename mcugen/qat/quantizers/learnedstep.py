"""LearnedStep: LSQ for ternary weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn

from ..weights import Granularity, WeightQuantizer, checked, one_of, rows_of


@dataclass(frozen=True)
class LearnedStep:
    """s * clamp(round(w / s), -1, 1) with a learned step s per layer or output channel.

    Esser et al.: Learned Step Size Quantization (arXiv 1902.08153), for ternary weights: s begins at 2 mean|w|, its
    gradient is scaled by 1 / sqrt(weights that share it). Ties round to zero. (qat.LSQ is the same for activations.)
    """

    per: Granularity = "layer"

    def __post_init__(self) -> None:
        one_of(get_args(Granularity), self.per, "per", "LearnedStep")

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return _Quantizer(self.per, checked(weight, "LearnedStep"))


class _Quantizer(WeightQuantizer):
    initial: Tensor

    def __init__(self, per: Granularity, weight: Tensor) -> None:
        super().__init__()
        self.per = per
        start = self._start(weight)
        self.register_buffer("initial", start)
        self.gain = nn.Parameter(torch.zeros_like(start))  # s = initial * exp(gain), see ActQuantizer

    def _start(self, w: Tensor) -> Tensor:
        step = 2 * w.abs().mean(rows_of(w, self.per), keepdim=True)
        return torch.where(step > 0, step, torch.ones_like(step))

    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself; it sets the step."""
        self.initial.copy_(self._start(weight))
        self.gain.data.zero_()
        return weight

    def _step(self) -> Tensor:
        return self.initial * self.gain.detach().clamp(-8, 8).exp()

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and the step."""
        (w,) = latent
        step = self._step()
        return w.sign() * (w.abs() > step / 2), step

    def rates(self, *latent: Tensor) -> list[tuple[Tensor, float]]:
        """The step at the network's rate, without weight decay."""
        return [(self.gain, 1.0)]

    def forward(self, *latent: Tensor) -> Tensor:
        """Gradients of LSQ: straight through within one step, and the step's own."""
        (w,) = latent
        codes, step = self.quantize(w.detach())
        out: Tensor = _Lsq.apply(w, self.gain, codes, step, rows_of(w, self.per))
        return out


class _Lsq(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, w: Tensor, gain: Tensor, codes: Tensor, step: Tensor, axes: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(w / step, codes, step)
        ctx.axes = axes
        return codes * step

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (v, codes, step), (g,) = ctx.saved_tensors, grads
        inside = v.abs() <= 1
        by_step = (g * (codes - v * inside)).sum(ctx.axes, keepdim=True) / math.sqrt(v.numel() / step.numel())
        return g * inside, by_step / step, None, None, None
