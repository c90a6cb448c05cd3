"""Augmentations for fit: x, generator -> x on a batch, every sample on its own, decided by the generator alone.

qat.fit(net, train, augment=augment.Compose(augment.crop(4), augment.Flip()))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..errors import ModelError

Edge = Literal["fill", "repeat", "reflect"]


@dataclass(frozen=True)
class Shift:
    """Moves each sample (axis 0) by -size..size places along each of the axes.

    edge: what comes in: `fill` (a value), "repeat" (the last place again) or "reflect" (the mirror image without
    the last place, as in numpy).
    """

    size: int
    axes: tuple[int, ...] = (-2, -1)
    edge: Edge = "fill"
    fill: float = 0.0

    def __post_init__(self) -> None:
        if type(self.size) is not int or self.size < 0:
            raise ModelError("E107", f"size={self.size!r}", where="Shift", hint="a number of places")
        if self.edge not in ("fill", "repeat", "reflect"):
            raise ModelError("E107", f"edge={self.edge!r}", where="Shift", hint="'fill', 'repeat' or 'reflect'")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, ...) -> the same shape."""
        for axis in self.axes:
            n = x.shape[axis]
            if self.size >= n:
                what = f"size={self.size} on an axis of {n}: {list(x.shape)}"
                raise ModelError("E107", what, where="Shift", hint="a sample would be moved out of itself")
            by = torch.randint(-self.size, self.size + 1, (len(x), 1), generator=generator)
            source = torch.arange(n) - by  # (N, n)
            if self.edge == "reflect":
                inside = (n - 1) - ((n - 1) - source.abs()).abs()
            else:
                inside = source.clamp(0, n - 1)
            shape = [len(x), *[1] * (x.dim() - 1)]
            shape[axis] = n
            x = x.gather(x.dim() + axis if axis < 0 else axis, inside.view(shape).to(x.device).expand_as(x))
            if self.edge == "fill":
                x = x.masked_fill((source != inside).view(shape).to(x.device), self.fill)
        return x


def crop(padding: int, fill: float = 0.0) -> Shift:
    """The random crop, to its old size, of an image padded with `fill`; (N, ..., height, width)."""
    return Shift(padding, (-2, -1), "fill", fill)


def time_shift(steps: int, axis: int = -2) -> Shift:
    """Moves spectrograms (N, channels, time, coefficients) in time; the first or last frame fills the gap."""
    return Shift(steps, (axis,), "repeat")


@dataclass(frozen=True)
class Flip:
    """Mirrors a sample along an axis, left to right unless told otherwise, with probability p."""

    p: float = 0.5
    axis: int = -1

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ModelError("E107", f"p={self.p}", where="Flip", hint="a probability, 0..1")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, ...) -> the same shape."""
        chosen = torch.rand(len(x), *[1] * (x.dim() - 1), generator=generator) < self.p
        return torch.where(chosen.to(x.device), x.flip(self.axis), x)


@dataclass(frozen=True, init=False)
class Compose:
    """One augmentation after the other."""

    steps: tuple[Callable[[Tensor, torch.Generator], Tensor], ...]

    def __init__(self, *steps: Callable[[Tensor, torch.Generator], Tensor]) -> None:
        object.__setattr__(self, "steps", steps)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, ...) -> what the last step gives."""
        for augment in self.steps:
            x = augment(x, generator)
        return x
