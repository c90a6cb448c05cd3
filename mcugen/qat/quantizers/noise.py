"""QuantNoise: quantise a random part of the weights in each step of training."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ..weights import PathSpec, Quantized, WeightQuantizer, WeightSpec


@dataclass(frozen=True)
class QuantNoise:
    """`weights` for a random share of each layer's weights, the real ones for the rest, which get exact gradients.

    Fan et al.: Training with Quantization Noise for Extreme Model Compression (arXiv 2004.07320), with single weights
    for blocks. The share goes linearly from p to `final` over the training. Evaluation and export are quantised
    throughout. For quantisers with one real weight behind each code. What is drawn depends on the seed, the layer's
    path and the number of forward passes, which is in checkpoints; all processes draw the same.
    """

    weights: WeightSpec
    p: float = 0.5
    final: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.weights, QuantNoise) or not hasattr(self.weights, "quantizer"):
            raise ModelError("E107", f"weights={self.weights!r}", where="QuantNoise", hint="pass a spec: qat.TWN()")
        for name in ("p", "final"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError("E107", f"{name}={getattr(self, name)!r}", where="QuantNoise", hint="a share, 0 to 1")

    def at(self, path: str) -> WeightSpec:
        """The spec of one layer: what it draws is its own."""
        inner = self.weights.at(path) if isinstance(self.weights, PathSpec) else self.weights
        return replace(self, weights=inner, seed=zlib.crc32(f"{self.seed} {path}".encode()))

    @property
    def paths(self) -> Collection[str]:
        """As the spec inside."""
        return self.weights.paths if isinstance(self.weights, PathSpec) else ()

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        inner = self.weights.quantizer(weight)
        if not isinstance(inner.right_inverse(weight), Tensor):
            what = f"{type(self.weights).__name__} has no real weights to mix in"
            raise ModelError("E107", what, where="QuantNoise", hint="use it round TWN, PruningTernary, LearnedStep ...")
        return _Quantizer(self, inner)


class _Quantizer(WeightQuantizer):
    draws: Tensor
    share: Tensor

    def __init__(self, spec: QuantNoise, inner: WeightQuantizer) -> None:
        super().__init__()
        self.spec, self.inner, self.ternary = spec, inner, inner.ternary
        self.register_buffer("draws", torch.zeros((), dtype=torch.int64))
        self.register_buffer("share", torch.tensor(spec.p, dtype=torch.float64))

    def right_inverse(self, weight: Tensor) -> Any:
        """As the quantiser inside."""
        return self.inner.right_inverse(weight)

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """As the quantiser inside."""
        return self.inner.quantize(*latent)

    def export(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """As the quantiser inside."""
        return self.inner.export(*latent)

    def rates(self, *latent: Tensor) -> list[tuple[Tensor, float]]:
        """As the quantiser inside."""
        return self.inner.rates(*latent)

    def without_norm(self) -> None:
        """As the quantiser inside."""
        self.inner.without_norm()

    def forward(self, *latent: Tensor) -> Tensor:
        """In training quantised where a draw is below the share."""
        quantised: Tensor = self.inner(*latent)
        if not self.training:
            return quantised
        generator = torch.Generator().manual_seed((self.spec.seed << 32) + int(self.draws))
        self.draws += 1
        drawn = torch.rand(quantised.shape, generator=generator) < float(self.share)
        return torch.where(drawn.to(quantised.device), quantised, latent[0])

    @classmethod
    def step_layers(cls, layers: Sequence[Quantized], progress: float) -> None:
        """Shares by the schedule; the quantisers inside by theirs."""
        inside: list[Quantized] = []
        for found in layers:
            q = found.quantizer
            assert isinstance(q, _Quantizer)
            q.share.fill_(q.spec.p + (q.spec.final - q.spec.p) * progress)
            inside.append(Quantized(found.path, found.layer, q.inner))
        for kind in dict.fromkeys(type(found.quantizer) for found in inside):
            kind.step_layers([found for found in inside if type(found.quantizer) is kind], progress)
