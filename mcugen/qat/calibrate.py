"""Scales and batch norm statistics from data, without training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import ModelError
from .activations import ActQuantizer, Criterion, OutputQuantizer
from .weights import one_of

Batches = Iterable[Tensor | tuple[Tensor, ...] | list[Tensor]]


def inputs_of(batch: Any) -> Tensor:
    """The input of a batch that is x, or (x, y, ...)."""
    x = batch[0] if isinstance(batch, tuple | list) else batch
    if not isinstance(x, Tensor):
        raise ModelError("E107", f"a batch is {type(x).__name__}", hint="pass tensors, or tuples (x, y) of tensors")
    return x


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
                model(inputs_of(batch))
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
                model(inputs_of(batch))
                count += 1
        finally:
            for m, momentum in zip(norms, momenta, strict=True):
                m.momentum = momentum
    _some(count)


def _some(count: int) -> None:
    if count == 0:
        raise ModelError("E107", "no batches", hint="pass a list or a DataLoader; a generator runs only once")
