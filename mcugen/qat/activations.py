"""Activation quantisers: real = scale * (q - zero_point), q unsigned with k bits; network outputs are signed 16 bits.

Rounding is floor(v + 0.5), as in the integer reference, so that ties agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ModelError
from .weights import one_of

Criterion = Literal["square", "mean", "median", "trimmed"]


class Sign(Enum):
    """What is known of a value before it is seen."""

    POSITIVE = "positive"  # never negative: zero point 0
    SEEN = "seen"  # zero point 0 unless calibration or the first batch has a negative value
    SIGNED = "signed"  # zero point 2^(k-1)


@dataclass(frozen=True)
class LSQ:
    """Learned step size quantisation of activations to `bits` unsigned bits, 1 to 8.

    Esser et al.: Learned Step Size Quantization (arXiv 1902.08153), equations 1 to 3; gradient of the step scaled by
    1 / sqrt(numel * Qp). The step starts at the one of least squared error on the first batch, not at the paper's
    2 mean|x| / sqrt(Qp).

    criterion: what "least error" means for that step. "square" is the squared error. The others take the error of
    each channel relative to its energy, so that a few channels of large values do not decide for all: its "mean" over
    the channels, its "median", or the mean of the best 90 % ("trimmed"). See best_step. Meant for 1 to 4 bits.
    """

    bits: int = 8
    criterion: Criterion = "square"

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= 8:
            raise ModelError("E107", f"bits={self.bits!r}", where="LSQ", hint="activations have 1 to 8 bits")
        one_of(get_args(Criterion), self.criterion, "criterion", "LSQ")

    def quantizer(self, sign: Sign, name: str) -> ActQuantizer:
        """The module; `name` is for messages."""
        return ActQuantizer(self.bits, sign, name, self.criterion)


class _FakeQuantize(torch.autograd.Function):
    """s * clamp(floor(x / s + 0.5), lo, hi) with s = initial * exp(gain); see ActQuantizer for the gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor | None, scale: Tensor, lo: int, hi: int) -> Tensor:
        v = x / scale
        ctx.save_for_backward(v, scale)
        ctx.limits = lo, hi
        return torch.floor(v + 0.5).clamp_(lo, hi).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (v, scale), (lo, hi), (g,) = ctx.saved_tensors, ctx.limits, grads
        inside = (v >= lo) & (v <= hi)
        if not ctx.needs_input_grad[1]:
            return g * inside, None, None, None, None
        slope = torch.floor(v + 0.5).clamp_(lo, hi).sub_(v * inside)  # of the output by s: equation 3
        by_scale = (g * slope).sum() / math.sqrt(v.numel() * max(hi, 1))
        return g * inside, by_scale / scale, None, None, None


def _full(x: Tensor) -> Tensor:
    """At least float32: under autocast, the eight bits of a bfloat16 would round before the quantiser does."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class _Quantizer(nn.Module):
    """What both quantisers share: a name for messages, the observing mode and the check before use."""

    batches: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.observing = False  # calibrate() sets it: every batch refines the scale
        self.bypass = False  # recalibrate_bn() sets it where there is no scale yet
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    @property
    def calibrated(self) -> bool:
        """True once a batch has given a scale."""
        return int(self.batches) > 0

    def _need_scale(self) -> None:
        if not self.calibrated:
            raise ModelError(
                "E102",
                "the activation quantiser has no scale yet",
                where=self.name,
                hint="run qat.calibrate(model, batches), or train at least one batch, before evaluating",
            )

    def _check(self, x: Tensor) -> None:
        if not bool(torch.isfinite(x).all()):
            raise ModelError("E105", "activations are not finite", where=self.name, hint="lower the learning rate")


class ActQuantizer(_Quantizer):
    """Fake-quantises an activation to k unsigned bits with a learned step.

    The step is s = initial * exp(gain), gain a parameter that starts at 0. Its gradient is the LSQ gradient of s
    divided by s, so plain SGD changes s, to first order, as it changes LSQ's own parameter; but s stays positive
    whatever the learning rate, Adam's steps are relative to s, and weight decay pulls to the calibrated step instead
    of to 0. The first training batch, or calibrate(), sets `initial` and the zero point; both are buffers, so that
    checkpoints have them.
    """

    initial: Tensor
    zero_point: Tensor

    def __init__(self, bits: int, sign: Sign, name: str = "", criterion: Criterion = "square") -> None:
        super().__init__(name)
        self.bits, self.sign, self.criterion = bits, sign, criterion
        self.fixed = False  # fix() sets it
        self.gain = nn.Parameter(torch.zeros(()))
        self.register_buffer("initial", torch.ones(()))
        self.register_buffer("zero_point", torch.tensor(1 << bits - 1 if sign is Sign.SIGNED else 0))

    @property
    def scale(self) -> Tensor:
        """The step, as forward and export use it."""
        return self.initial * self.gain.detach().clamp(-8, 8).exp()

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest q - zero_point."""
        zero = int(self.zero_point)
        return -zero, (1 << self.bits) - 1 - zero

    def forward(self, x: Tensor) -> Tensor:
        """The values that the integer network has at this place."""
        x = _full(x)
        if self.observing or (self.training and not self.calibrated):
            self.observe(x.detach())
        if not self.calibrated and self.bypass:
            return x
        self._need_scale()
        out: Tensor = _FakeQuantize.apply(x, self.gain, self.scale, *self.limits)
        return out

    @torch.no_grad()
    def fix(self, step: float, zero_point: int = 0) -> None:
        """Take this step and zero point, which neither training nor calibration changes then. ModelError E107."""
        where = f"fix({self.name!r})"
        if not 0 < step < math.inf:
            raise ModelError("E107", f"step={step!r}", where=where, hint="a positive number, 1/255 for pixels in 0..1")
        if type(zero_point) is not int or not 0 <= zero_point < 1 << self.bits:
            hint = f"the code that stands for 0, of 0..{(1 << self.bits) - 1}"
            raise ModelError("E107", f"zero_point={zero_point!r}", where=where, hint=hint)
        self.initial.fill_(step)
        self.gain.zero_()
        self.gain.requires_grad_(False)
        self.zero_point.fill_(zero_point)
        self.batches.fill_(1)
        self.fixed = True

    @torch.no_grad()
    def reset(self) -> None:
        """Forget the scale; the next calibration starts anew."""
        if self.fixed:
            return
        self.batches.zero_()
        self.gain.zero_()
        self.zero_point.fill_(1 << self.bits - 1 if self.sign is Sign.SIGNED else 0)

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Average the best step of this batch into `initial`; a first negative value starts over as signed."""
        self._check(x)
        if self.fixed:
            return
        if self.sign is Sign.SEEN and int(self.zero_point) == 0 and bool((x < 0).any()):
            self.zero_point.fill_(1 << self.bits - 1)
            self.batches.zero_()
        lo, hi = self.limits
        self.batches += 1
        self.initial += (best_step(x, lo, hi, criterion=self.criterion) - self.initial) / self.batches
        self.gain.zero_()

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """The stored integers for real values, int32 in 0 .. 2^bits - 1."""
        self._need_scale()
        lo, hi = self.limits
        return (torch.floor(x / self.scale + 0.5).clamp(lo, hi) - lo).to(torch.int32)

    def export(self) -> tuple[int, float, int]:
        """(bits, scale, zero point)."""
        self._need_scale()
        return self.bits, float(self.scale), int(self.zero_point)

    def extra_repr(self) -> str:
        return f"{self.name}, bits={self.bits}, {self.sign.value}"


class OutputQuantizer(_Quantizer):
    """Fake-quantises the network's output to signed 16 bits with zero point 0.

    The scale puts the largest |output| of all training and calibration batches at half of the range: a running
    maximum, never smaller, with one bit of room for inputs not seen. Fifteen bits are more than logits need.
    """

    bits = 16
    limits = (-32768, 32767)
    largest: Tensor

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.register_buffer("largest", torch.zeros(()))

    @property
    def scale(self) -> Tensor:
        """The step, as forward and export use it."""
        return torch.where(self.largest > 0, self.largest, torch.ones_like(self.largest)) / 16384

    def forward(self, x: Tensor) -> Tensor:
        """The values that the integer network gives out."""
        x = _full(x)
        if self.observing or self.training:
            self.observe(x.detach())
        if not self.calibrated and self.bypass:
            return x
        self._need_scale()
        out: Tensor = _FakeQuantize.apply(x, None, self.scale, *self.limits)
        return out

    @torch.no_grad()
    def reset(self) -> None:
        """Forget the scale; the next calibration starts anew."""
        self.batches.zero_()
        self.largest.zero_()

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Take the largest magnitude."""
        self._check(x)
        self.batches += 1
        self.largest.copy_(torch.maximum(self.largest, x.abs().max()))

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """The stored integers for real values, int32 in -32768..32767."""
        self._need_scale()
        return torch.floor(x / self.scale + 0.5).clamp(*self.limits).to(torch.int32)

    def export(self) -> tuple[int, float, int]:
        """(16, scale, 0)."""
        self._need_scale()
        return 16, float(self.scale), 0

    def extra_repr(self) -> str:
        return f"{self.name}, bits=16, signed"


class ProbabilityQuantizer(nn.Module):
    """Fake-quantises probabilities to signed 16 bits with scale 2^-15; 1 becomes 32767."""

    bits = 16
    scale = 2.0**-15
    limits = (0, 32767)

    def forward(self, x: Tensor) -> Tensor:
        """The values that the integer network gives out, up to the rounding of its exponentials."""
        scale = torch.tensor(self.scale, dtype=x.dtype, device=x.device)
        out: Tensor = _FakeQuantize.apply(x, None, scale, *self.limits)
        return out

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """The stored integers for real values, int32 in 0..32767."""
        return torch.floor(x / self.scale + 0.5).clamp(*self.limits).to(torch.int32)

    def export(self) -> tuple[int, float, int]:
        """(16, 2^-15, 0)."""
        return 16, self.scale, 0


def best_step(x: Tensor, lo: int, hi: int, samples: int = 1 << 16, criterion: Criterion = "square") -> Tensor:
    """The step of least error for codes lo..hi, searched among clippings of the range of x; positive.

    criterion: see LSQ; x (N, channels, ...). About `samples` values are looked at.
    """
    flat = x.reshape(-1)
    ends = [flat.max() / hi] * (hi > 0) + [flat.min() / lo] * (lo < 0)
    top = torch.stack(ends).max()
    if not bool(top > 0):
        return torch.full_like(top, 1.0 / max(hi, 1))
    if criterion == "square":
        flat = flat[:: max(1, flat.numel() // samples)]
        steps = top * torch.linspace(1.0, 0.05, 39, device=x.device)
        errors = [(_nearest(flat, s, lo, hi) - flat).square().mean() for s in steps]
    else:
        rows = x.transpose(0, 1).flatten(1) if x.dim() > 1 else x[None]
        rows = rows[:, :: max(1, rows.numel() // samples)]
        steps = top * torch.logspace(0, -3, 97, device=x.device)  # the least channel may be far below the largest
        errors = [over_channels(channel_errors(rows, _nearest(rows, s, lo, hi)), criterion) for s in steps]
    return steps[torch.stack(errors).argmin()]


def _nearest(x: Tensor, step: Tensor, lo: int, hi: int) -> Tensor:
    return torch.floor(x / step + 0.5).clamp(lo, hi) * step


def channel_errors(rows: Tensor, quantised: Tensor) -> Tensor:
    """Mean squared error of each row (channel) in units of its energy; rows of zeros are left out."""
    energy = rows.square().mean(1)
    some = energy > 0
    return (rows - quantised).square().mean(1)[some] / energy[some]


def over_channels(errors: Tensor, criterion: Criterion) -> Tensor:
    """One number of the errors by channel: their mean, median, or the mean of the best 90 %; 0 of none."""
    if not len(errors):
        return errors.sum()
    if criterion == "median":
        return errors.quantile(0.5)
    if criterion == "trimmed":
        return errors.sort().values[: math.ceil(0.9 * len(errors))].mean()
    return errors.mean()


class ChannelError:
    """The loss of a batch plus mu times the channel-relative error of every activation quantiser.

    A callable loss(logits, y, x) for a training loop, made once per model; `base` is the loss of (logits, y). The
    error, by `criterion` of LSQ, reaches the steps only, by their LSQ gradient, and not the layers before.
    """

    def __init__(
        self,
        model: nn.Module,
        mu: float = 0.1,
        criterion: Criterion = "mean",
        base: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    ) -> None:
        one_of(get_args(Criterion)[1:], criterion, "criterion", "ChannelError")
        if not 0 <= mu < math.inf:
            raise ModelError("E107", f"mu={mu}", where="ChannelError", hint="try 0.1")
        self.mu, self.criterion, self.base = mu, criterion, base
        self.errors: list[Tensor] = []
        found = [m for m in model.modules() if isinstance(m, ActQuantizer)]
        if not found:
            hint = "use qat.prepare(model) first"
            raise ModelError("E107", "the model has no activation quantisers", where="ChannelError", hint=hint)
        for q in found:
            q.register_forward_hook(self._note)

    def _note(self, q: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        if not q.training or not torch.is_grad_enabled():
            return
        assert isinstance(q, ActQuantizer)
        x = inputs[0].detach()
        y: Tensor = _FakeQuantize.apply(x, q.gain, q.scale, *q.limits)
        rows = [t.transpose(0, 1).flatten(1) if t.dim() > 1 else t[None] for t in (x, y)]
        self.errors.append(over_channels(channel_errors(rows[0], rows[1]), self.criterion))

    def __call__(self, logits: Tensor, y: Tensor, x: Tensor | None = None) -> Tensor:
        """The loss; the errors are those of the forward passes since the last call."""
        errors, self.errors = self.errors, []
        loss = self.base(logits, y)
        return loss + self.mu * torch.stack(errors).sum() if errors else loss
