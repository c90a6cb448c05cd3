"""Images as cameras and files give them: a network's input becomes raw H, W, C bytes, normalised and quantised inside.

A table per channel holds the code of each of the 256 pixel values, so the codes equal those that training quantised
the normalised image to, padding keeps its one zero point whatever the means are, and no weight changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .archive import Archive
from .check import check
from .errors import McugenError
from .ir import Array, DType, Node, Out, Quant, Tensor, Value
from .ops.pixels import Pixels


@dataclass(frozen=True)
class Image:
    """How training normalised pixels 0 .. 255: (pixel / 255 - mean) / std; a number for all channels or one for each.

    McugenError E703 if a number is not finite, or a std not positive.
    """

    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            given = getattr(self, name)
            try:
                numbers = tuple(float(v) for v in given) if hasattr(given, "__iter__") else (float(given),)
            except (TypeError, ValueError):
                numbers = ()
            if not numbers or not all(math.isfinite(v) and (v > 0 or name == "mean") for v in numbers):
                hint = "one number, or one for each channel, as they were given to the normalisation in training"
                raise McugenError("E703", f"{name}={given!r} is not usable", where="image", hint=hint)
            object.__setattr__(self, name, numbers)


def from_pixels(source: Archive, image: Image) -> Archive:
    """The model with raw pixels (H, W, C) as its input, its samples as the pixels of their codes.

    McugenError E703 where not exactly one input is an image, or it has another number of channels.
    """
    graph = source.graph
    images = [v for v in graph.inputs if len(v.type.shape) == 3 and v.type.dtype.unsigned and v.type.quant]
    if len(images) != 1:
        found = ", ".join(f"{v.name} {v.type}" for v in graph.inputs)
        raise McugenError(
            "E703", f"{len(images)} of the inputs ({found}) are images (C, H, W) of codes", where=graph.name
        )
    (x,) = images
    t = x.type
    assert t.quant is not None
    if isinstance(t.quant.scale, tuple):
        raise McugenError("E703", "the input has a scale for each channel", where=x.name)
    if any(isinstance(n.op, Pixels) and x in n.inputs for n in graph.nodes):
        raise McugenError("E703", "the model reads raw pixels already", where=x.name, hint="leave mean and std out")
    c, h, w = t.shape
    mean, std = (np.array(v, np.float32) for v in (image.mean, image.std))
    if not {mean.size, std.size} <= {1, c}:
        message = f"{mean.size} means and {std.size} standard deviations for {c} channels"
        raise McugenError("E703", message, where=x.name, hint="give one number, or one for each channel")
    table = _codes(mean[:, None], std[:, None], t, t.quant.scale)

    names = {v.name for v in (x, *graph.constants, *(n.output for n in graph.nodes))}
    name = f"{x.name}.pixels"
    while name in names or f"{name}.table" in names:
        name += "_"
    raw = Value(name, Tensor(DType.U8, (h, w, c), Quant(1 / 255)))
    constant = Value(f"{name}.table", Tensor(t.dtype, table.shape), table)
    first = Node(Pixels(Out(t.dtype, t.quant, t.dtype.lo, t.dtype.hi)), (raw, constant), x)
    inputs = tuple(raw if v is x else v for v in graph.inputs)
    made = check(replace(graph, inputs=inputs, nodes=(first, *graph.nodes)))
    pairs = zip(graph.inputs, source.samples, strict=True)
    return Archive(made, tuple(_pixels(table, s) if v is x else s for v, s in pairs))


def _codes(mean: Array, std: Array, t: Tensor, scale: float) -> Array:
    """The code of every pixel value, (1 or C, 256), in float32 operation by operation as torch computes it."""
    pixel = np.arange(256, dtype=np.float32) / np.float32(255)
    with np.errstate(over="ignore", invalid="ignore"):
        code = np.floor((pixel - mean) / std / np.float32(scale) + np.float32(0.5)) + np.float32(t.zero_point)
    return np.clip(code, t.dtype.lo, t.dtype.hi).astype(t.dtype.numpy)


def _pixels(table: Array, codes: Array) -> Array:
    """Pixels (N, H, W, C) that have the codes (N, C, H, W), or the nearest that any pixel has."""
    wanted = np.arange(int(codes.max(initial=0)) + 1)
    inverse = np.abs(table.astype(np.int64)[:, None, :] - wanted[None, :, None]).argmin(2).astype(np.uint8)
    channel = np.arange(codes.shape[1]) % len(table)
    return np.ascontiguousarray(inverse[channel[:, None, None], codes].transpose(0, 2, 3, 1))
