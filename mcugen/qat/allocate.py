"""Which layers bear ternary weights: sensitivities, and the best choice under a flash budget."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..errors import ModelError
from ..frontends.torch import latent_of
from ..ir import DType
from ..pack import ENCODINGS, rice_bits
from .calibrate import average_norms, evaluating
from .prepare import layers_of
from .weights import TWN, Int8, PathSpec, WeightSpec, checked, one_of

Measure = Literal["loss", "orthogonality"]


@dataclass(frozen=True)
class Sensitivity:
    """Of one layer: for each spec the increase of the loss, its relative weight error and bytes; orthogonality.

    Bytes are those of the weights in the smallest encoding of pack.py, `rice` those of the Rice code (the bytes of
    int8 for int8). orthogonality: exp(-beta * sum of the linear CKA with all other layers).
    """

    increase: tuple[float, ...]
    error: tuple[float, ...]
    bytes: tuple[int, ...]
    rice: tuple[int, ...]
    orthogonality: float


def sensitivity(
    model: nn.Module,
    data: tuple[Tensor, Tensor],
    weights: Sequence[WeightSpec] = (TWN(),),
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    beta: float = 1.0,
    batch_size: int = 256,
) -> dict[str, Sensitivity]:
    """For each layer of a float model: what each spec costs where all other layers stay float.

    data: inputs and labels, some hundreds. Batch norms are averaged anew on them each time. Orthogonality as in Ma et
    al.: OMPQ: Orthogonal Mixed Precision Quantization (arXiv 2109.07865), from the layers' outputs on the first batch.
    """
    x, y = data
    if not len(x) or len(x) != len(y):
        raise ModelError("E107", f"{len(x)} inputs, {len(y)} labels", where="sensitivity")
    if not weights or not all(isinstance(w, WeightSpec) for w in weights):
        raise ModelError("E107", f"weights={weights!r}", where="sensitivity", hint="pass specs: [qat.TWN()]")
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))

    def measured(net: nn.Module) -> float:
        average_norms(net, [a for a, _ in batches])
        with evaluating(net):
            return sum(float(loss(net(a), b)) * len(a) for a, b in batches) / len(x)

    base = measured(copy.deepcopy(model))
    alike = _similarities(model, list(layers_of(model)), batches[0][0])
    found = {}
    for i, path in enumerate(layers_of(model)):
        columns: list[tuple[float, float, int, int]] = []
        for spec in weights:
            net = copy.deepcopy(model).eval()
            layer = net.get_submodule(path)
            w = checked(layer.weight.detach().clone(), path)  # type: ignore[operator]
            own = spec.at(path) if isinstance(spec, PathSpec) else spec
            q = own.quantizer(w)
            parametrize.register_parametrization(layer, "weight", q.eval())
            error = float((layer.weight.detach() - w).square().sum() / w.square().sum().clamp(min=1e-30))  # type: ignore[operator]
            codes = q.export(*latent_of(layer))[0].cpu().numpy()
            dtype = DType.T if q.ternary else DType.I8
            stored = min(int(e.pack(codes).size) for e in ENCODINGS if dtype in e.dtypes)
            rice = -(-rice_bits(codes)[0] // 8) if q.ternary else stored
            columns.append((measured(net) - base, error, stored, rice))
        share = float(np.exp(-beta * (alike[i].sum() - alike[i, i])))
        increase, errors, sizes, rices = zip(*columns, strict=True)
        found[path] = Sensitivity(increase, errors, sizes, rices, share)
    return found


def _similarities(model: nn.Module, paths: list[str], x: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Linear CKA of every two layers' outputs for x."""
    outputs: dict[str, Tensor] = {}
    hooks = [
        model.get_submodule(p).register_forward_hook(lambda m, i, out, p=p: outputs.__setitem__(p, out.detach()))
        for p in paths
    ]
    try:
        with evaluating(model):
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return np.array([[linear_cka(outputs[a], outputs[b]) for b in paths] for a in paths])


def linear_cka(a: Tensor, b: Tensor) -> float:
    """|B^T A|^2 / (|A^T A| |B^T B|) of features (samples, ...), centred, Frobenius norms; 0 where one is constant."""
    rows = [t.flatten(1).double() for t in (a, b)]
    k, m = (t @ t.T for t in (t - t.mean(0) for t in rows))
    size = float(k.norm() * m.norm())
    return float((k * m).sum()) / size if size > 0 else 0.0


def allocate(
    model: nn.Module,
    flash_budget: int,
    data: tuple[Tensor, Tensor],
    weights: Sequence[WeightSpec] = (TWN(), Int8()),
    measure: Measure = "loss",
    rice: bool = False,
    keep: Mapping[str, WeightSpec] | None = None,
) -> dict[str, WeightSpec]:
    """A spec for every layer, for `keep=` of prepare(): the least damage whose weights fit into the budget.

    flash_budget: bytes of weights; constants of 7 bytes per channel and code come on top. weights: what a layer may
    get, for example several densities. measure: damage is the sum of the losses' increases by layer, or, after OMPQ,
    of orthogonality times relative weight error. rice: count the Rice code too. keep: layers that are decided.
    The choice is optimal for that sum (a mixed-integer program). ModelError E107: nothing fits; it names the least.
    """
    from scipy.optimize import LinearConstraint, milp

    one_of(get_args(Measure), measure, "measure", "allocate")
    given = dict(keep or {})
    unknown = given.keys() - layers_of(model).keys()
    if unknown:
        raise ModelError("E107", f"keep: {min(unknown)!r} is not a layer of the model", where="allocate")
    specs = [*weights, *(s for s in given.values() if s not in weights)]
    found = sensitivity(model, data, specs)
    allowed = {p: [specs.index(given[p])] if p in given else range(len(weights)) for p in found}
    choices = [(p, j) for p in found for j in allowed[p]]
    stored = [(found[p].bytes[j], found[p].rice[j]) for p, j in choices]
    sizes = np.array([min(pair) if rice else pair[0] for pair in stored])
    least = sum(min(int(n) for (q, _), n in zip(choices, sizes, strict=True) if q == p) for p in found)
    if type(flash_budget) is not int or flash_budget < least:
        what = f"flash_budget={flash_budget!r}: the weights need at least {least} bytes"
        hint = "a larger budget, a smaller network, or sparser specs with rice=True"
        raise ModelError("E107", what, where="allocate", hint=hint)
    damage = [
        found[p].increase[j] if measure == "loss" else found[p].orthogonality * found[p].error[j] for p, j in choices
    ]
    of_layer = np.array([[float(q == p) for q, _ in choices] for p in found])
    solved = milp(
        c=np.array(damage) + 1e-12 * sizes,  # of equals the smaller
        constraints=[LinearConstraint(of_layer, 1, 1), LinearConstraint(sizes[None], -np.inf, flash_budget)],
        integrality=np.ones(len(choices)),
        bounds=(0, 1),
    )
    assert solved.success, solved.message  # the least choice fits
    return {p: specs[j] for (p, j), x in zip(choices, solved.x, strict=True) if x > 0.5}
