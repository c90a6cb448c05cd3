"""PruningTernary: normalise, prune, ternarise ("Pruning Ternary Quantization", arXiv 2107.10998).

Reconstructed from the abstracts of that paper and from mathematics; its full text was not at hand, and its tables are
not reproduced. docs/TRAINING.md says what is what.

Per layer a latent weight W (out, ...), whose rows, one per output channel, are divided by their L2 norms. The largest
of these magnitudes, k = round(density * numel), make the support. In training, by the fraction f of it that is done:

    f < ternary             support shrinks with f; the layer computes with the pruned rows, brought to unit norm again
    ternary <= f < freeze   it computes with sign(W) / sqrt(k_row) on the support: unit rows of equal magnitudes
    freeze <= f             support and signs stay as they are; the rest of the network adapts

In evaluation and in the exported model the weights are always the ternary ones, of exactly that many. One factor per
layer, the norm that its rows had on average when training began, keeps outputs and gradients at the size they had; it
is learned where no batch norm follows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ...errors import ModelError
from ..weights import Quantized, WeightQuantizer, WeightSpec, checked, one_of

Scope = Literal["layer", "channel", "global"]
Decay = Literal["none", "wd", "disc"]
Gradient = Literal["straight", "projected"]


@dataclass(frozen=True)
class PruningTernary:
    """Pruning ternary quantisation to exactly `density` non-zero weights; fine-tune a float network, 10 to 30 epochs.

    density: the fraction of weights left, of each layer, or layer by layer as {path: fraction}. scope: what shares a
    threshold. "layer"; "channel": every row keeps equally many; "global": one over all layers of this scope, on rows
    scaled to unit mean square, so that layers keep different shares. decay, strength: added to the gradient is
    strength * W ("wd"), or strength * (W - |W_row| * ternary) ("disc"), the discrepancy itself; for SGD, as Adam makes
    it too strong. gradient: "straight" through, or "projected" off the row's direction, as normalisation does exactly.
    start: density when training begins; ramp: fraction of training at which the support has its final size, by a cubic
    law. ternary, freeze: see the module. every: steps between two settings of the threshold. keep_rows: no row loses
    all of its weights.

    Without qat.step() the support is the one of the weights given to prepare(), and training is ternary at once.
    """

    density: float | Mapping[str, float] = 0.5
    scope: Scope = "layer"
    decay: Decay = "none"
    strength: float = 1e-3
    gradient: Gradient = "straight"
    start: float = 0.7
    ramp: float = 0.5
    ternary: float = 0.2
    freeze: float = 0.9
    every: int = 16
    keep_rows: bool = False

    def __post_init__(self) -> None:
        def refuse(what: str, hint: str) -> None:
            raise ModelError("E107", what, where="PruningTernary", hint=hint)

        given = self.density.items() if isinstance(self.density, Mapping) else [("density", self.density)]
        for name, value in given:
            if not _is_share(value):
                refuse(f"{name}={value!r}", "the density is a fraction between 0 and 1, neither of them")
        for name, known in (("scope", Scope), ("decay", Decay), ("gradient", Gradient)):
            one_of(get_args(known), getattr(self, name), name, "PruningTernary")
        if isinstance(self.density, Mapping) and self.scope == "global":
            refuse("densities by layer with scope='global'", "one threshold over the network has one density")
        if not 0 < self.start <= 1:
            refuse(f"start={self.start!r}", "a density, over 0 and up to 1")
        if not 0 <= self.ramp <= self.freeze <= 1 or not 0 <= self.ternary <= self.freeze or self.ramp == 1:
            what = f"ramp={self.ramp!r}, ternary={self.ternary!r}, freeze={self.freeze!r}"
            refuse(what, "fractions of the training; ramp below 1, ramp and ternary not above freeze")
        if type(self.every) is not int or self.every < 1:
            refuse(f"every={self.every!r}", "a number of steps, 1 or more")
        if not 0 <= self.strength < math.inf:
            refuse(f"strength={self.strength!r}", "try 1e-3")

    def at(self, path: str) -> WeightSpec:
        """The spec of one layer."""
        if not isinstance(self.density, Mapping):
            return self
        if path not in self.density:
            hint = f"densities are given for: {', '.join(self.density)}"
            raise ModelError("E107", "no density for this layer", where=path, hint=hint)
        return replace(self, density=self.density[path])

    @property
    def paths(self) -> Collection[str]:
        """Layers that have densities of their own."""
        return self.density if isinstance(self.density, Mapping) else ()

    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        """The parametrisation."""
        return PruningQuantizer(self, weight)

    def density_at(self, progress: float) -> float:
        """The density that the support has after this fraction of training."""
        assert isinstance(self.density, float)
        left = 1 - progress / self.ramp if progress < self.ramp else 0.0
        return self.density + (max(self.start, self.density) - self.density) * left**3


def _is_share(value: object) -> bool:
    return isinstance(value, float) and 0 < value < 1


class PruningQuantizer(WeightQuantizer):
    """The parametrisation.

    `count` weights are left, per row if the scope is "channel": in evaluation and export exactly these, by selection.
    In training, where that would cost more than the layer, those whose score reaches `threshold`, which is set every
    few steps. Once frozen, `support` has the sign of every weight that is left, and 0.
    """

    support: Tensor
    count: Tensor
    threshold: Tensor
    fixed: Tensor
    progress: Tensor
    steps: Tensor
    norm: Tensor

    def __init__(self, spec: PruningTernary, weight: Tensor) -> None:
        super().__init__()
        if isinstance(spec.density, Mapping):
            raise ModelError("E107", "densities by layer", where="PruningTernary", hint="use spec.at(path)")
        self.spec = spec
        checked(weight, "PruningTernary")
        self.register_buffer("support", torch.zeros_like(weight, dtype=torch.int8))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("threshold", weight.new_zeros(len(weight) if spec.scope == "channel" else 1))
        self.register_buffer("fixed", torch.zeros((), dtype=torch.bool))
        self.register_buffer("progress", torch.tensor(self._first, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("norm", torch.ones((), dtype=weight.dtype))
        self.gain = nn.Parameter(torch.zeros((), dtype=weight.dtype), requires_grad=False)
        self.right_inverse(weight)

    @property
    def _first(self) -> float:
        """Progress until qat.step() tells it: pruned, ternary, not frozen."""
        return max(self.spec.ramp, self.spec.ternary)

    @property
    def frozen(self) -> bool:
        """True once support and signs stay as they are."""
        return int(self.steps) > 0 and float(self.progress) >= self.spec.freeze

    def without_norm(self) -> None:
        """The layer's factor is learned."""
        self.gain.requires_grad_(True)

    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself; it starts the quantiser anew, at its final density."""
        mean_square = weight.square().sum() / len(weight)
        self.norm.copy_(torch.where(mean_square > 0, mean_square.sqrt(), torch.ones_like(mean_square)))
        self.steps.zero_()
        self.fixed.fill_(False)
        self.progress.fill_(self._first)
        assert isinstance(self.spec.density, float)
        self._aim(weight, self.spec.density, "PruningTernary")
        return weight

    @classmethod
    def step_layers(cls, layers: Sequence[Quantized], progress: float) -> None:
        """Move on; set counts and thresholds anew where it is their turn, those of global scope together."""
        joint: dict[PruningTernary, list[tuple[Quantized, PruningQuantizer]]] = {}
        together: set[PruningTernary] = set()
        for found in layers:
            q = found.quantizer
            assert isinstance(q, PruningQuantizer)
            turn = q._turn(progress)
            if q.spec.scope == "global":
                joint.setdefault(q.spec, []).append((found, q))
                together |= {q.spec} if turn else set()
            elif turn:
                q._aim(checked(found.latent[0], found.path), q.spec.density_at(progress), found.path)
        for spec in together:
            # rows of unit mean square: on rows of unit norm, one threshold would empty the layers with long rows
            sizes = [found.latent[0][0].numel() ** 0.5 for found, _ in joint[spec]]
            scores = [q.scores(checked(f.latent[0], f.path)) * n for (f, q), n in zip(joint[spec], sizes, strict=True)]
            every = torch.cat([s.flatten() for s in scores])
            kept = select(every, count_of(every[None], spec.density_at(progress), "all layers"))
            least = every[kept].min()
            parts = kept.split([s.numel() for s in scores])
            for (_, q), part, n in zip(joint[spec], parts, sizes, strict=True):
                q.count.copy_(part.sum())
                q.threshold.copy_(least / n)
        for found in layers:
            q = found.quantizer
            assert isinstance(q, PruningQuantizer)
            if q.frozen and not bool(q.fixed):
                q.support.copy_(q._exact(found.latent[0]))
            q.fixed.fill_(q.frozen)

    def _aim(self, w: Tensor, density: float, where: str) -> None:
        """Set the count of weights that are kept, and the threshold that keeps so many now."""
        scores = self.scores(w)
        rows = scores.flatten(1) if self.spec.scope == "channel" else scores.reshape(1, -1)
        k = count_of(rows, density, where)
        self.count.fill_(k)
        self.threshold.copy_(torch.where(select(rows, k), rows, math.inf).amin(1).reshape(self.threshold.shape))

    def _exact(self, w: Tensor) -> Tensor:
        """Signs of the largest weights, exactly as many as are to be kept; a kept weight of zero counts as positive."""
        scores = self.scores(w)
        rows = scores.flatten(1) if self.spec.scope == "channel" else scores.reshape(1, -1)
        return torch.where(w < 0, -1, 1) * select(rows, int(self.count)).reshape(w.shape)

    def _turn(self, progress: float) -> bool:
        """Note the progress; True if the threshold is to be set in this step."""
        before, spec, count = float(self.progress), self.spec, int(self.steps)
        was_frozen = self.frozen
        self.progress.fill_(progress)
        self.steps += 1
        if was_frozen and progress >= spec.freeze:
            return False
        crossed = any(before < limit <= progress for limit in (spec.ramp, spec.ternary, spec.freeze))
        return count % spec.every == 0 or crossed or progress < before

    def scores(self, w: Tensor) -> Tensor:
        """Magnitudes of the normalised rows, by which weights are kept; infinite for what keep_rows protects."""
        size = w.abs()
        scores = size / row_norms(w)
        if self.spec.keep_rows:
            rows = scores.flatten(1)
            largest = torch.zeros_like(rows, dtype=torch.bool).scatter_(1, rows.argmax(1, keepdim=True), True)
            scores = scores.masked_fill(largest.reshape(scores.shape), math.inf)
        return scores

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """Ternary codes on the support, exactly selected; the row's scale is norm / sqrt(non-zeros of the row)."""
        (w,) = latent
        return self._scaled((self.support if self.frozen else self._exact(w)).to(w.dtype))

    def _scaled(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        count = codes.abs().sum(tuple(range(1, codes.dim())), keepdim=True)
        return codes, self._factor() / count.clamp(min=1).sqrt()

    def _factor(self) -> Tensor:
        return self.norm * self.gain.detach().clamp(-8, 8).exp()

    def forward(self, *latent: Tensor) -> Tensor:
        """The weights that the layer computes with; see the module and PruningTernary.gradient."""
        (w,) = latent
        raw = w.detach()
        if not self.training or self.frozen:
            codes, scale = self.quantize(raw)
            value = codes * scale
        else:
            kept = self.scores(raw) >= self.threshold.reshape(-1, *[1] * (w.dim() - 1))
            if float(self.progress) < self.spec.ternary:
                pruned = raw * kept
                value = pruned / row_norms(pruned) * self._factor()
            else:
                codes, scale = self._scaled(torch.where(raw < 0, -1.0, 1.0).to(raw.dtype) * kept)
                value = codes * scale
        out: Tensor = _Attach.apply(w, self.gain, value, self._factor(), self.spec, self.frozen)
        return out

    def extra_repr(self) -> str:
        return f"density={self.spec.density}, scope={self.spec.scope}"


class _Attach(torch.autograd.Function):
    """`value`, with the gradients that PruningTernary describes for the latent weight and the logarithmic gain."""

    @staticmethod
    def forward(
        ctx: Any, w: Tensor, gain: Tensor, value: Tensor, factor: Tensor, spec: PruningTernary, frozen: bool
    ) -> Tensor:
        ctx.save_for_backward(w, value, factor)
        ctx.spec, ctx.frozen = spec, frozen
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (w, value, factor), spec, (g,) = ctx.saved_tensors, ctx.spec, grads
        by_gain = (g * value).sum() if ctx.needs_input_grad[1] else None
        if ctx.frozen:  # zeros and not None, so that every process of a distributed run reduces the same tensors
            return torch.zeros_like(w), by_gain, None, None, None, None
        norm = row_norms(w)
        if spec.gradient == "projected":
            unit = w / norm
            along = (g * unit).sum(tuple(range(1, w.dim())), keepdim=True)
            g = (g - along * unit) * (factor / norm)
        if spec.decay == "wd":
            g = g + spec.strength * w
        elif spec.decay == "disc":
            g = g + spec.strength * (w - norm * (value / factor))
        return g, by_gain, None, None, None, None


def row_norms(w: Tensor) -> Tensor:
    """L2 norms of the rows, 1 for rows of zeros."""
    norm = w.square().sum(tuple(range(1, w.dim())), keepdim=True).sqrt()
    return torch.where(norm > 0, norm, torch.ones_like(norm))


def count_of(rows: Tensor, density: float, where: str) -> int:
    """round(density * columns), which each row keeps. ModelError E107 if that is none, or fewer than are protected."""
    n = rows.shape[1]
    k = round(density * n)
    protected = int(rows.isinf().sum(1).max())
    if k < max(protected, 1):
        what = f"density {density:.4g} of {n} weights leaves {k}" + (f", {protected} rows need one each" * (k > 0))
        raise ModelError("E107", what, where=where, hint="take a higher density, or keep the layer int8")
    return k


def select(rows: Tensor, k: int) -> Tensor:
    """The k largest of the last axis, of equal ones the first: bool, of the same shape."""
    if k == 0:
        return torch.zeros_like(rows, dtype=torch.bool)
    least = rows.kthvalue(rows.shape[-1] - k + 1, dim=-1, keepdim=True).values
    above, equal = rows > least, rows == least
    return above | (equal & (equal.cumsum(-1) <= k - above.sum(-1, keepdim=True)))
