"""Weights brought near to ternary ones before quantised training begins."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from ..errors import ModelError
from .prepare import default_keep, layers_of
from .quantizers.pruning import count_of, row_norms, select
from .weights import checked


@torch.no_grad()
def reinitialize(
    model: nn.Module, density: float = 0.5, blend: float = 0.5, keep: Sequence[str] | None = None
) -> nn.Module:
    """A copy of a float model whose rows w, pruned to `density`, lie nearer to ternary: train it on, then prepare it.

    w/|w| becomes the unit vector along (1 - blend) p + blend t, p the pruned row and t = sign(p) / sqrt(k), both of
    unit norm; the row keeps its norm. So the angle to the ternary row shrinks, and with it what straight-through
    gradients get wrong. After the idea, and not the text, of "Hyperspherical Quantization" (WACV 2023): prune and
    reinitialise on the unit sphere. keep: layers that stay; None is default_keep. ModelError E107: bad arguments.
    """
    if not 0 < density < 1 or not 0 <= blend <= 1:
        what = f"density={density!r}, blend={blend!r}"
        raise ModelError("E107", what, where="reinitialize", hint="density between 0 and 1, blend from 0 to 1")
    layers = layers_of(model)
    kept = default_keep(model) if keep is None else keep
    unknown = set(kept) - layers.keys()
    if unknown:
        raise ModelError("E107", f"keep: {min(unknown)!r} is not a layer of the model", where="reinitialize")
    made = copy.deepcopy(model)
    for path in layers.keys() - set(kept):
        w = checked(made.get_submodule(path).weight, path)  # type: ignore[arg-type]
        norm = row_norms(w)
        scores = (w.abs() / norm).reshape(1, -1)
        pruned = w * select(scores, count_of(scores, density, path)).reshape(w.shape)
        signs = pruned.sign()
        row = (1 - blend) * pruned / row_norms(pruned) + blend * signs / row_norms(signs)
        w.copy_(row / row_norms(row) * norm)
    return made
