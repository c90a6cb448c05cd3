"""Scales and batch norm statistics from data, without training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import ModelError
from ..frontends.torch import inputs_of
from .activations import ActQuantizer, Criterion, OutputQuantizer
from .weights import one_of

Batches = Iterable[Any]  # x or (x, y, ...); of several inputs (a, b), (a, b, y, ...) or ((a, b), y, ...)


def inputs_in(model: nn.Module, batch: Any) -> tuple[Tensor, ...]:
    """The inputs for the model in a batch: as many tensors as it has inputs, whatever follows them. ModelError E107."""
    names = inputs_of(model)
    count = max(1, len(names))
    found = batch if isinstance(batch, tuple | list) else (batch,)
    if count > 1 and found and isinstance(found[0], tuple | list):
        found = found[0]
    if len(found) < count or not all(isinstance(t, Tensor) for t in found[:count]):
        several = f"tuples ({', '.join(names)}) or (({', '.join(names)}), y)"
        what = type(found[0] if count == 1 and found else batch).__name__
        hint = "pass tensors, or tuples (x, y) of tensors" if count == 1 else f"pass {several} of tensors"
        raise ModelError("E107", f"a batch is {what}", hint=hint)
    return tuple(found[:count])


def quantizers(model: nn.Module) -> list[ActQuantizer | OutputQuantizer]:
    """The activation quantisers of a prepared model. ModelError E107 if there are none."""
    found = [m for m in model.modules() if isinstance(m, ActQuantizer | OutputQuantizer)]
    if not found:
        raise ModelError("E107", "the model has no activation quantisers", hint="use qat.prepare(model) first")
    return found


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation without gradients; every module's training flag comes back."""
    training = {m: m.training for m in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m, flag in training.items():
            m.training = flag


def fix_input(model: nn.Module, step: float, zero_point: int = 0, name: str | None = None) -> None:
    """Give an input of a prepared model a step and a zero point that neither training nor calibrate() changes.

    For inputs whose integers are given: pixels of 0..1 have step 1/255. real = step * (integer - zero_point), integers
    unsigned. name: which input, where there are several. Checkpoints have the values, not that they are fixed: call it
    after each prepare(). ModelError E107: unusable values, or no such input.
    """
    found = {
        n.name: q
        for n in (model.graph.nodes if isinstance(model, fx.GraphModule) else ())
        if n.op == "placeholder"
        for user in n.users
        if isinstance(q := model.get_submodule(str(user.target)) if user.op == "call_module" else None, ActQuantizer)
    }
    name = next(iter(found)) if name is None and len(found) == 1 else name
    if name is None or name not in found:
        what = f"no input {name!r}" if found and name is not None else f"{len(found)} inputs that are quantised"
        hint = f"inputs: {', '.join(found)}" if found else "use qat.prepare(model) first"
        raise ModelError("E107", what, where="fix_input", hint=hint)
    found[name].fix(step, zero_point)


def calibrate(model: nn.Module, batches: Batches, criterion: Criterion | None = None) -> None:
    """Set every activation scale anew from data: the mean over the batches of each batch's best step.

    criterion: what "best" means, "square", "mean", "median" or "trimmed", see LSQ; None is each quantiser's own.

    The rest of the model runs in evaluation mode and is not changed. Without training after prepare(), run
    recalibrate_bn first: quantised weights shift the statistics that batch norms have.
    """
    found, count = quantizers(model), 0
    if criterion is not None:
        one_of(get_args(Criterion), criterion, "criterion", "calibrate")
    with evaluating(model):
        for q in found:
            q.reset()
            q.observing = True
            if criterion is not None and isinstance(q, ActQuantizer):
                q.criterion = criterion
        try:
            for batch in batches:
                model(*inputs_in(model, batch))
                count += 1
        finally:
            for q in found:
                q.observing = False
    _some(count)


def recalibrate_bn(model: nn.Module, batches: Batches) -> None:
    """Replace the running statistics of every batch norm by the average over the batches, weights as they are.

    Activation quantisers that have no scale yet let values through.
    """
    with bypassed(quantizers(model)):
        average_norms(model, batches)


@contextlib.contextmanager
def bypassed(found: Sequence[ActQuantizer | OutputQuantizer]) -> Iterator[None]:
    """Quantisers that have no scale yet let values through."""
    for q in found:
        q.bypass = True
    try:
        yield
    finally:
        for q in found:
            q.bypass = False


def average_norms(model: nn.Module, batches: Batches) -> None:
    """recalibrate_bn for any model."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    momenta, count = [m.momentum for m in norms], 0
    with evaluating(model):
        for m in norms:
            m.reset_running_stats()
            m.momentum, m.training = None, True  # None: the plain average
        try:
            for batch in batches:
                model(*inputs_in(model, batch))
                count += 1
        finally:
            for m, momentum in zip(norms, momenta, strict=True):
                m.momentum = momentum
    _some(count)


def _some(count: int) -> None:
    if count == 0:
        raise ModelError("E107", "no batches", hint="pass a list or a DataLoader; a generator runs only once")
