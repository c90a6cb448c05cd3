"""SLB: searching for low-bit weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ..weights import WeightQuantizer, one_of
from .direct import Assignment, DirectQuantization

Initial = Literal["weights", "normal"]


@dataclass(frozen=True)
class SLB:
    """Logits over the fixed levels {-1, 0, 1}; the layer has their mean under softmax(T A), later the likeliest.

    Yang et al.: Searching for Low-Bit Weights in Quantized Neural Networks (NeurIPS 2020), for ternary weights. T is 1
    until the fraction soft[0] of training and grows geometrically to `temperature` at soft[1]; from `hard` on the
    likeliest level is taken. initial: logits from the weights given, or He-"normal" as in the paper, from torch's
    global generator. One factor per layer, the TWN level of the weights given, keeps the layer's size. As
    DirectQuantization("assignment"), but levels do not learn.
    """

    initial: Initial = "weights"
    rate: float = 20.0
    temperature: float = 60.0
    soft: tuple[float, float] = (0.3, 0.8)
    hard: float = 0.8

    def __post_init__(self) -> None:
        one_of(get_args(Initial), self.initial, "initial", "SLB")
        self._direct()

    def _direct(self) -> DirectQuantization:
        return DirectQuantization(
            "assignment", "layer", rate=self.rate, temperature=self.temperature, soft=self.soft, hard=self.hard
        )

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return _Quantizer(self.initial, self._direct(), weight)


class _Quantizer(Assignment):
    def __init__(self, initial: Initial, spec: DirectQuantization, weight: Tensor) -> None:
        super().__init__(spec, weight)
        self.initial = initial
        self.level.requires_grad_(False)

    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Logits for -1, 0 and 1."""
        logits = super().right_inverse(weight)
        if self.initial == "weights":
            return logits
        return tuple(torch.randn_like(weight) * math.sqrt(2 / weight[0].numel()) for _ in logits)
