"""EntropyTernary: ternary weights whose assignment pays for the bits of their code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import ModelError
from ...pack import rice_bits
from ..weights import TWN, Quantized, WeightQuantizer, checked


@dataclass(frozen=True)
class EntropyTernary:
    """Each weight takes the level c in {-a, 0, a} of least (w - c)^2 + strength * mean w^2 * bits(c).

    In the manner of EC2T (Marban et al.: Learning Sparse & Ternary Neural Networks with Entropy-Constrained Trained
    Ternarization, arXiv 2004.01077), but the price is the one of mcugen's Rice code (pack.rice_bits): with its best
    parameter k for the layer, a zero costs 2^-k bits and any other weight k + 2. a, per output channel, is the mean
    magnitude of what is not zero; straight through. The strength grows linearly until the fraction `ramp` of training;
    k is looked for every `every` steps; too great a strength empties layers. EC2T's second stage, centroids trained for
    a frozen assignment, is left out.
    """

    strength: float = 0.2
    ramp: float = 0.5
    every: int = 16

    def __post_init__(self) -> None:
        for name, good, hint in (
            ("strength", 0 <= self.strength < math.inf, "0 or more; 0.2 prunes some, 0.5 many, 1 may empty layers"),
            ("ramp", 0 <= self.ramp <= 1, "a fraction of the training"),
            ("every", type(self.every) is int and self.every > 0, "a number of steps, 1 or more"),
        ):
            if not good:
                raise ModelError("E107", f"{name}={getattr(self, name)!r}", where="EntropyTernary", hint=hint)

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return _Quantizer(self, checked(weight, "EntropyTernary"))


class _Quantizer(WeightQuantizer):
    price: Tensor
    strength: Tensor
    steps: Tensor

    def __init__(self, spec: EntropyTernary, weight: Tensor) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("price", torch.zeros((), dtype=torch.float64))  # bits of a non-zero weight less a zero's
        self.register_buffer("strength", torch.tensor(spec.strength, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.right_inverse(weight)

    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself; it starts the quantiser anew, at its final strength."""
        self.strength.fill_(self.spec.strength)
        self.steps.zero_()
        self._look(weight)
        return weight

    def _look(self, w: Tensor) -> None:
        codes, _ = self.quantize(w)
        k = rice_bits(codes.to(torch.int8).cpu().numpy())[1]
        self.price.fill_(k + 2 - 2.0**-k)

    @classmethod
    def step_layers(cls, layers: Sequence[Quantized], progress: float) -> None:
        """Strength by the schedule; the code's parameter where it is its turn."""
        for found in layers:
            q = found.quantizer
            assert isinstance(q, _Quantizer)
            ramp = q.spec.ramp
            q.strength.fill_(q.spec.strength * (min(progress / ramp, 1.0) if ramp > 0 else 1.0))
            if int(q.steps) % q.spec.every == 0:
                q._look(checked(found.latent[0], found.path))
            q.steps += 1

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """(w - a)^2 + s (k + 2) < w^2 + s 2^-k exactly where |w| > a / 2 + s * price / (2 a)."""
        (w,) = latent
        axes, size = tuple(range(1, w.dim())), w.abs()
        cost = (self.strength * self.price).to(w.dtype) * w.square().mean(axes, keepdim=True)
        _, scale = TWN().quantizer(w).quantize(w)
        for _ in range(2):
            keep = size > scale / 2 + cost / (2 * scale)
            mean = (size * keep).sum(axes, keepdim=True) / keep.sum(axes, keepdim=True).clamp(min=1)
            scale = torch.where(mean > 0, mean, scale)
        return w.sign() * keep, scale
