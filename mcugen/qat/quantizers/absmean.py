"""AbsMean: ternary weights by rounding in units of the mean magnitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from torch import Tensor

from ..weights import Granularity, WeightQuantizer, checked, one_of, rows_of


@dataclass(frozen=True)
class AbsMean:
    """s * clamp(round(w / s), -1, 1) with s = mean|w|, at least 1e-5; straight through.

    Ma et al.: The Era of 1-bit LLMs (arXiv 2402.17764), per layer. Ties round to zero.
    """

    per: Granularity = "layer"

    def __post_init__(self) -> None:
        one_of(get_args(Granularity), self.per, "per", "AbsMean")

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        checked(weight, "AbsMean")
        return _Quantizer(self.per)


class _Quantizer(WeightQuantizer):
    def __init__(self, per: Granularity) -> None:
        super().__init__()
        self.per = per

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and the mean magnitude."""
        (w,) = latent
        scale = w.abs().mean(rows_of(w, self.per), keepdim=True).clamp(min=1e-5)
        return w.sign() * (w.abs() > scale / 2), scale
