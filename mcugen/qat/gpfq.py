"""GPFQ: ternary weights without training, by a greedy walk through the inputs of each layer."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ..errors import ModelError
from .activations import LSQ
from .calibrate import Batches, bypassed, calibrate, evaluating, inputs_in, quantizers, recalibrate_bn
from .prepare import prepare
from .weights import TWN, WeightQuantizer, WeightSpec, quantizer_of


def gpfq(
    model: nn.Module,
    batches: Batches,
    delta: float = 1.0,
    sparsity: float = 0.0,
    activations: LSQ = LSQ(bits=8),  # noqa: B008  a frozen dataclass
    keep: Sequence[str] | Mapping[str, WeightSpec] | None = None,
    inputs: LSQ = LSQ(bits=8),  # noqa: B008
    patches: int = 4096,
) -> fx.GraphModule:
    """A float model, prepared, with ternary weights fitted to its layers' outputs on the batches; ready to be saved.

    Zhang, Zhou, Saab: Post-training Quantization for Neural Networks with Provable Guarantees (arXiv 2201.11113). In
    order of execution each layer's weights are taken one after the other, so that each makes up for the error that
    those before it left on the inputs: see walk(). Levels are delta times the scale of TWN by output channel: 1 to
    1.25 is good. sparsity: more zeros; a level is taken from 1/2 + sparsity of it on. Batch norms are averaged anew
    before each layer and at the end, then scales are calibrated. patches: how many inputs of a layer are looked at,
    evenly spaced. keep: as for prepare(). ModelError E107: unusable arguments.
    """
    if not 0 < delta < float("inf") or not 0 <= sparsity < float("inf") or type(patches) is not int or patches < 1:
        what = f"delta={delta}, sparsity={sparsity}, patches={patches}"
        raise ModelError("E107", what, where="gpfq", hint="delta=1.0, sparsity=0.0, patches=4096")
    net = prepare(model, _Greedy(), activations, keep, inputs=inputs)
    seen = [inputs_in(net, b) for b in batches]
    real = copy.deepcopy(model)
    paths = dict.fromkeys(str(n.target) for n in net.graph.nodes if n.op == "call_module")
    for path in paths:
        layer = net.get_submodule(path)
        q = quantizer_of(layer)
        if not isinstance(q, _Quantizer):
            continue
        recalibrate_bn(net, seen)
        with bypassed(quantizers(net)):
            x, xq = (_inputs(m, path, seen, patches) for m in (real, net))
        w = layer.weight.detach()  # type: ignore[operator]
        rows = w.flatten(1).double()
        _, scale = TWN().quantizer(rows).quantize(rows)
        groups = x.shape[1]
        parts = [
            walk(r, x[:, g], xq[:, g], delta * s, sparsity)
            for g, (r, s) in enumerate(zip(rows.chunk(groups), scale.chunk(groups), strict=True))
        ]
        q.settle(torch.cat(parts).reshape(w.shape), (delta * scale).reshape(-1, *[1] * (w.dim() - 1)))
    recalibrate_bn(net, seen)
    calibrate(net, seen)
    return net


def walk(w: Tensor, x: Tensor, xq: Tensor, delta: Tensor, sparsity: float = 0.0) -> Tensor:
    """Codes (N, d) for weights w (N, d): the recurrence of GPFQ for the alphabet {-delta, 0, delta}.

    x, xq: inputs (m, d) of the layer in the float and in the quantised network. delta: (N, 1). With u = 0, for each t:
    u += w_t x_t; q_t = the level nearest to <u, xq_t> / |xq_t|^2, 0 for a column of zeros; u -= q_t xq_t.
    """
    codes = torch.zeros_like(w)
    u = w.new_zeros(len(w), len(x))
    energy = xq.square().sum(0)
    for t in range(w.shape[1]):
        u += w[:, t : t + 1] * x[:, t]
        if energy[t] > 0:
            best = (u @ xq[:, t])[:, None] / energy[t]
            codes[:, t : t + 1] = best.sign() * (best.abs() > (0.5 + sparsity) * delta)
        u -= delta * codes[:, t : t + 1] * xq[:, t]
    return codes


def _inputs(model: nn.Module, path: str, batches: list[tuple[Tensor, ...]], count: int) -> Tensor:
    """What the layer multiplies its weights with, (patches, groups, d), at evenly spaced places of each batch."""
    found: list[Tensor] = []
    layer = model.get_submodule(path)

    def note(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        rows = unfolded(layer, args[0])
        few = torch.linspace(0, len(rows) - 1, min(len(rows), max(1, count // len(batches)))).long()
        found.append(rows[few.to(rows.device)].double())

    hook = layer.register_forward_pre_hook(note)
    try:
        with evaluating(model):
            for x in batches:
                model(*x)
    finally:
        hook.remove()
    return torch.cat(found)


def unfolded(layer: Any, x: Tensor) -> Tensor:
    """The inputs of a layer as (places, groups, weights of a row): layer(x) = rows of the weight times these."""
    if isinstance(layer, nn.Linear):
        return x.reshape(-1, 1, x.shape[-1])
    one = isinstance(layer, nn.Conv1d)
    kernel, stride, dilation = ((*v, 1) if one else v for v in (layer.kernel_size, layer.stride, layer.dilation))
    if layer.padding == "same":  # the odd one goes below and to the right
        total = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        sides = (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2)
    else:
        top, left = (0, 0) if layer.padding == "valid" else (*layer.padding, 0)[:2]
        sides = (left, left, top, top)
    x = F.pad(x[..., None] if one else x, sides)
    columns = F.unfold(x, kernel, dilation, 0, stride)  # (n, channels * kernel, places)
    return columns.transpose(1, 2).reshape(-1, layer.groups, columns.shape[1] // layer.groups)


@dataclass(frozen=True)
class _Greedy:
    def quantizer(self, weight: Tensor) -> WeightQuantizer:
        return _Quantizer(weight)


class _Quantizer(WeightQuantizer):
    """Real weights until settle() gives the codes, which then stay."""

    codes: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.settled = False
        self.register_buffer("codes", torch.zeros_like(weight, dtype=torch.int8))
        self.register_buffer("scale", weight.new_ones(len(weight), *[1] * (weight.dim() - 1)))

    def settle(self, codes: Tensor, scale: Tensor) -> None:
        self.codes.copy_(codes)
        self.scale.copy_(scale)
        self.settled = True

    def quantize(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        return self.codes.to(latent[0].dtype), self.scale

    def forward(self, *latent: Tensor) -> Tensor:
        codes, scale = self.quantize(*latent)
        return codes * scale + 0 * latent[0] if self.settled else latent[0]
