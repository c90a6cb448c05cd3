"""Distillation: a float network teaches the ternary one."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ModelError

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def distillation(
    teacher: nn.Module,
    alpha: float = 0.5,
    temperature: float = 4.0,
    base: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
) -> Loss:
    """loss(logits, y, x) = (1 - alpha) base(logits, y) + alpha T^2 KL(teacher || student), both softened by T.

    Hinton et al.: Distilling the Knowledge in a Neural Network (arXiv 1503.02531). The teacher, on the device of x,
    goes to evaluation mode and is not trained. The mean is over all axes but that of the classes, the second.
    """
    if not isinstance(teacher, nn.Module):
        raise ModelError("E107", f"the teacher is {type(teacher).__name__}", where="distillation")
    if not 0 <= alpha <= 1 or not 0 < temperature < float("inf"):
        what = f"alpha={alpha}, temperature={temperature}"
        raise ModelError("E107", what, where="distillation", hint="alpha is 0 to 1, the temperature positive")
    teacher.eval()

    def loss(logits: Tensor, y: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            taught = teacher(x)
        if taught.shape != logits.shape:
            what = f"the teacher gives {tuple(taught.shape)}, the student {tuple(logits.shape)}"
            raise ModelError("E107", what, where="distillation")
        pair = [F.log_softmax(z / temperature, 1) for z in (logits, taught)]
        soft = F.kl_div(pair[0], pair[1], log_target=True, reduction="none").sum(1).mean()
        return (1 - alpha) * base(logits, y) + alpha * temperature**2 * soft

    return loss
