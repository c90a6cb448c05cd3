"""TTQ: trained ternary quantisation, two learned levels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import ModelError
from ..weights import WeightQuantizer, checked


@dataclass(frozen=True)
class TTQ:
    """Levels {-wn, 0, wp} per layer, both learned: zero where |w| <= threshold * max|w|.

    Zhu et al.: Trained Ternary Quantization (arXiv 1612.01064), as the authors' code has it (threshold 0.05), but the
    levels begin at the mean magnitude of what they stand for instead of at 1. The firmware has one scale per channel:
    with tied=False the model trains and evaluates, but exporting it is refused unless both levels are equal.
    """

    threshold: float = 0.05
    tied: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ModelError("E107", f"threshold={self.threshold!r}", where="TTQ", hint="a fraction of max|w|: 0.05")

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return _Quantizer(self, checked(weight, "TTQ"))


class _Quantizer(WeightQuantizer):
    least: Tensor

    def __init__(self, spec: TTQ, weight: Tensor) -> None:
        super().__init__()
        self.spec = spec
        self.levels = nn.Parameter(torch.ones(1 if spec.tied else 2, dtype=weight.dtype))  # of +1, and of -1
        self.register_buffer("least", torch.ones((), dtype=weight.dtype))
        self.right_inverse(weight)

    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself; it sets the levels."""
        codes = self._codes(weight)
        sides = [codes != 0] if self.spec.tied else [codes > 0, codes < 0]
        means = [weight[side].abs().mean() if bool(side.any()) else weight.new_ones(()) for side in sides]
        self.levels.data.copy_(torch.stack(means))
        self.least.copy_(torch.stack(means).min() * 1e-4)
        return weight

    def _codes(self, w: Tensor) -> Tensor:
        size = w.abs()
        return w.sign() * (size > self.spec.threshold * size.max())

    def _pair(self) -> tuple[Tensor, Tensor]:
        """(wp, wn), positive."""
        levels = self.levels.detach().clamp(min=self.least)
        return levels[0], levels[-1]

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """Codes, and the mean of both levels: the scale if they are equal."""
        (w,) = latent
        plus, minus = self._pair()
        return self._codes(w), ((plus + minus) / 2).reshape([1] * w.dim())

    def export(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """As the base class. ModelError E104 if the levels differ."""
        plus, minus = (float(v) for v in self._pair())
        if not math.isclose(plus, minus, rel_tol=1e-6):
            what = f"the weights are -{minus:.4g}, 0 and {plus:.4g}: not ternary with one scale"
            raise ModelError(
                "E104", what, where="TTQ", hint="train with qat.TTQ(tied=True): the firmware has one scale"
            )
        return super().export(*latent)

    def forward(self, *latent: Tensor) -> Tensor:
        """Gradients of the paper: g times the level of the region (1 for zero), sums of g over the regions."""
        (w,) = latent
        codes = self._codes(w.detach())
        plus, minus = self._pair()
        level = torch.where(codes > 0, plus, torch.where(codes < 0, minus, torch.ones_like(plus)))
        signed = torch.where(codes > 0, self.levels[0], self.levels[-1]) * codes
        return codes * level + (signed - signed.detach()) + (w - w.detach()) * level
