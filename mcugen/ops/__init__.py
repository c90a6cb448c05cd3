"""The operators: one file each; OPS maps the name of an operator to its class, CASES to its test cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..ir import Op
from . import (
    add,
    argmax,
    avgpool,
    concat,
    conv2d,
    depthwise,
    flatten,
    linear,
    lookup,
    maxpool,
    mul,
    pad,
    pixels,
    requantize,
    reshape,
    softmax,
    upsample,
)
from .base import Case as Case

_FILES = (
    *(conv2d, depthwise, linear, add, mul, concat, maxpool, avgpool, pad, upsample, flatten, reshape, requantize),
    *(lookup, softmax, argmax, pixels),
)


def _op(module: object) -> type[Op]:
    return next(
        v
        for v in vars(module).values()
        if isinstance(v, type) and issubclass(v, Op) and v.__module__ == module.__name__  # type: ignore[attr-defined]
    )


OPS: dict[str, type[Op]] = {_op(m).__name__: _op(m) for m in _FILES}
CASES: dict[str, Callable[[], Iterator[Case]]] = {_op(m).__name__: m.cases for m in _FILES}
