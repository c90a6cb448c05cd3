"""PyTorch models -> Graph: a torch.fx walk over a model that mcugen.qat has prepared and trained.

    trace   module -> fx.GraphModule with layers and quantisers as leaves
    read    one fx node, module or functional form -> one Step of the small vocabulary below
    lower   prepared GraphModule -> Graph

    step ::= Input | Output | Layer | Norm | Clip | Curve | Sum | Product | Concat | MaxPool | AvgPool | Mean | Pad
           | Upsample | Reshape | Same | Softmax | ArgMax | Query | Fake

Quantisers are known by their export() alone, so nothing of the training library is imported here.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from .. import fixed, ops
from ..archive import Archive
from ..check import check
from ..errors import GraphError, ModelError
from ..ir import Array, DType, Graph, Node, Op, Out, Quant, Range, Value
from ..ir import Tensor as Type

Pair = tuple[int, int]
Sample = Tensor | Sequence[Tensor]  # a batch: of the only input, or one tensor for each input


@runtime_checkable
class FakeQuantizer(Protocol):
    """A module that fake-quantises activations."""

    def export(self) -> tuple[int, float, int]:
        """(bits, scale, zero point): real = scale * (q - zero point); 16 bits are signed, fewer unsigned."""
        ...

    def codes(self, x: Tensor) -> Tensor:
        """The stored integers for real values."""
        ...


class WeightExporter(Protocol):
    """A parametrisation of `weight` that fake-quantises it."""

    ternary: bool

    def export(self, *latent: Tensor) -> tuple[Tensor, Tensor]:
        """(codes int8, scale float64 per output channel)."""
        ...


def latent_of(layer: nn.Module) -> tuple[Tensor, ...]:
    """The latent tensors behind a parametrised `weight`."""
    chain: Any = layer.parametrizations.weight  # type: ignore[union-attr]
    if chain.is_tensor:
        return (chain.original,)
    return tuple(getattr(chain, f"original{i}") for i in range(chain.ntensors))


# The vocabulary. One-dimensional data is (C, T, 1): its kernels are (k, 1).


@dataclass(frozen=True)
class Input:
    """An input of the network."""


@dataclass(frozen=True)
class Output:
    """What the network returns: a value, or a tuple, list or dict of values."""


@dataclass(frozen=True)
class Layer:
    """Conv1d, Conv2d or Linear: what has weights."""

    path: str
    module: nn.Conv1d | nn.Conv2d | nn.Linear


@dataclass(frozen=True)
class Norm:
    """Batch normalisation."""

    path: str
    module: nn.BatchNorm1d | nn.BatchNorm2d


@dataclass(frozen=True)
class Clip:
    """min(max(x, lo), hi): ReLU, ReLU6, Hardtanh, clamp."""

    lo: float
    hi: float


@dataclass(frozen=True)
class Curve:
    """A function of one variable, between two quantisers: a table in the firmware."""

    function: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Sum:
    """a + b, both activations."""


@dataclass(frozen=True)
class Product:
    """a * b, both activations; one may be a factor per channel."""


@dataclass(frozen=True)
class Concat:
    """Activations one after the other along the channels."""


@dataclass(frozen=True)
class MaxPool:
    """Maximum over windows; padding never wins."""

    kernel: Pair
    stride: Pair
    padding: Pair
    ceil: bool


@dataclass(frozen=True)
class AvgPool:
    """Average over windows."""

    kernel: Pair
    stride: Pair
    padding: Pair
    ceil: bool
    count_pad: bool
    divisor: int | None


@dataclass(frozen=True)
class Mean:
    """Average to an output size: adaptive pooling, or x.mean over `dims` (then size is 1x1)."""

    size: tuple[int | None, int | None]
    dims: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Pad:
    """Zeros around: (left, right, top, bottom)."""

    sides: tuple[int, int, int, int]


@dataclass(frozen=True)
class Upsample:
    """Nearest neighbour, by integer factors that the shapes tell."""


@dataclass(frozen=True)
class Reshape:
    """The same elements in the same order under another shape; the batch axis stays."""


@dataclass(frozen=True)
class Same:
    """The identity in evaluation: Identity, Dropout, contiguous."""


@dataclass(frozen=True)
class Softmax:
    """Probabilities over the features; the last operation."""


@dataclass(frozen=True)
class ArgMax:
    """The index of the largest feature; the last operation."""


@dataclass(frozen=True)
class Query:
    """A shape computation: no activation."""


@dataclass(frozen=True)
class Fake:
    """An activation quantiser."""

    path: str
    module: FakeQuantizer


Activity = (
    Layer | Norm | Clip | Curve | Sum | Product | Concat | MaxPool | AvgPool | Mean | Pad | Upsample | Reshape | Same
) | (Softmax | ArgMax)
Step = Input | Output | Activity | Query | Fake
Steps = dict[fx.Node, Step]

PASSES = (MaxPool, Reshape, Same, Pad, Upsample)
"""Steps that keep the quantisation of what they read."""

ENDS = (Softmax, ArgMax)
"""Steps that read the 16-bit logits and nothing follows."""

INSTEAD = {
    "LayerNorm": "use nn.BatchNorm2d (or nn.BatchNorm1d after a Linear): its statistics are constants that fold away",
    "GroupNorm": "use nn.BatchNorm2d: its statistics are constants that fold away",
    "InstanceNorm": "use nn.BatchNorm2d: its statistics are constants that fold away",
    "LocalResponseNorm": "use nn.BatchNorm2d",
    "GELU": "use nn.ReLU, nn.ReLU6 or nn.Hardtanh",
    "SiLU": "use nn.ReLU, nn.ReLU6 or nn.Hardtanh",
    "Mish": "use nn.ReLU, nn.ReLU6 or nn.Hardtanh",
    "ELU": "use nn.ReLU, nn.ReLU6 or nn.Hardtanh",
    "ReLU": "use nn.ReLU, nn.ReLU6 or nn.Hardtanh",
    "softmax": "return the logits: the largest logit is the largest probability",
    "argmax": "return the logits: their largest has the index",
    "ConvTranspose": "use a convolution; transposed convolutions are not supported yet",
    "Conv3d": "use nn.Conv2d",
    "mode=": "use mode='nearest' with an integer factor",
    "LSTM": "use convolutions over time; recurrent layers are not supported",
    "GRU": "use convolutions over time; recurrent layers are not supported",
    "RNN": "use convolutions over time; recurrent layers are not supported",
    "Attention": "use convolutions; attention is not supported",
    "Embedding": "not supported: feed the network numbers",
    "conv": "use the module form (nn.Conv2d), so that its weights can be quantised",
    "linear": "use nn.Linear, so that its weights can be quantised",
    "batch_norm": "use nn.BatchNorm2d",
    "concat": "concatenate along the channels: torch.cat([a, b], 1)",
    "matmul": "use nn.Linear; products of two activations are not supported",
    "multiplication": "constant factors belong into the weights or the batch norm",
    "sub": "use an addition: the sign can move into the weights",
}


def operand(node: fx.Node, index: int = 0) -> fx.Node:
    """The node that an argument comes from."""
    found = node.args[index]
    assert isinstance(found, fx.Node), (node, index)
    return found


def refuse(model: nn.Module, node: fx.Node, what: str, hint: str = "", code: str = "E101") -> NoReturn:
    """Raise ModelError for `node`: place, operation, shapes where known, and what to use instead."""
    shapes = [shape_of(n) for n in node.all_input_nodes]
    known = [str(s) for s in shapes if s is not None]
    text = f"{what} (input {', '.join(known)})" if known else what
    raise ModelError(code, text, where=place(model, node), hint=hint or _instead(what))


def place(model: nn.Module, node: fx.Node) -> str:
    """What a user calls the node: the module path, or the operation and the module it stands in."""
    if node.op == "call_module":
        return str(node.target)
    stack = node.meta.get("nn_module_stack")
    inside = next(reversed(stack.values()))[0] if stack else ""
    return f"{inside}.{node.name}" if inside else node.name


def shape_of(node: fx.Node) -> tuple[int, ...] | None:
    """The shape of what the node gave for the sample, with the batch; None where not known."""
    shape = node.meta.get("shape")
    return tuple(shape) if shape is not None else None


def _instead(what: str) -> str:
    for word, hint in INSTEAD.items():
        if word in what:
            return hint
    return "see `mcugen ops` for what is supported"


# Tracing


class _Tracer(fx.Tracer):
    """Leaves are the layers of torch.nn and quantisers; `stack` holds the path of the module being traced."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, FakeQuantizer):
            return True
        home = next(c for c in type(m).__mro__ if "forward" in vars(c))
        return home.__module__.startswith("torch.nn") and not isinstance(m, nn.Sequential)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self.stack.append(self.path_of_module(m))
        out = super().call_module(m, forward, args, kwargs)
        self.stack.pop()
        return out


def trace(model: nn.Module) -> fx.GraphModule:
    """The model as a graph of layers; it shares the modules of `model`. ModelError E106 names the module."""
    tracer = _Tracer()
    try:
        graph = tracer.trace(model)
    except Exception as e:  # whatever the user's forward raises when it is run on proxies
        where = tracer.stack[-1] if tracer.stack else type(model).__name__
        first = str(e).strip().split("\n")[0]
        raise ModelError(
            "E106",
            f"cannot be traced: {first or type(e).__name__}",
            where=where,
            hint="forward must not branch or loop on the values of tensors; move such code out of the model",
        ) from e
    return fx.GraphModule(tracer.root, graph)


class _Shapes(fx.Interpreter):
    def run_node(self, n: fx.Node) -> Any:
        out = super().run_node(n)
        if isinstance(out, Tensor):
            n.meta["shape"] = tuple(out.shape)
        return out


def inputs_of(model: nn.Module) -> list[str]:
    """The names of a traced model's inputs; of other modules nothing is known."""
    return [n.name for n in model.graph.nodes if n.op == "placeholder"] if isinstance(model, fx.GraphModule) else []


def batch_of(model: fx.GraphModule, sample: Sample, where: str) -> tuple[Tensor, ...]:
    """A tensor for each input of the model, all (N, ...) with the same N. ModelError E107 if the sample is not that."""
    names = inputs_of(model)
    found = (sample,) if isinstance(sample, Tensor) else tuple(sample) if isinstance(sample, tuple | list) else ()
    if not all(isinstance(t, Tensor) for t in found):
        found = ()
    if len(names) > 1 and len(found) != len(names):
        hint = f"pass a tuple of tensors: ({', '.join(names)})"
        raise ModelError("E107", f"the model has {len(names)} inputs", where=where, hint=hint)
    if len(found) != max(1, len(names)) or any(t.dim() < 2 or len(t) < 1 for t in found):
        raise ModelError("E107", "the sample is not a batch", where=where, hint="pass inputs of shape (N, ...)")
    if len({len(t) for t in found}) > 1:
        lengths = ", ".join(str(len(t)) for t in found)
        raise ModelError("E107", f"the inputs have {lengths} samples", where=where, hint="pass as many of each")
    return found


def returned(model: fx.GraphModule) -> list[tuple[Any, Any]]:
    """What forward returns: (key, node) for each value, in order; the key is "" unless a dict is returned."""
    found: Any = next(n for n in model.graph.nodes if n.op == "output").args[0]
    if isinstance(found, dict):
        return list(found.items())
    return [("", n) for n in (found if isinstance(found, tuple | list) else (found,))]


def output_names(model: fx.GraphModule) -> dict[fx.Node, str]:
    """The names of the values that a dict returns: their keys, unless an input is called so."""
    taken = {str(n.target) for n in model.graph.nodes if n.op == "placeholder"}
    found: dict[fx.Node, str] = {}
    for key, node in returned(model):
        if key and node not in found:
            found[node] = _unique(key, taken)
    return found


def add_shapes(model: fx.GraphModule, sample: tuple[Tensor, ...]) -> None:
    """Run `sample` (with batch) in evaluation mode and note every node's shape. ModelError E103 if it does not run."""
    training = [m for m in model.modules() if m.training]
    model.eval()
    runner = _Shapes(model)
    runner.extra_traceback = False
    try:
        with torch.no_grad():
            runner.run(*sample)
    except ModelError:
        raise
    except Exception as e:
        first = str(e).strip().split("\n")[0]
        shapes = " and ".join(str(tuple(t.shape)) for t in sample)
        raise ModelError("E103", f"a sample of shape {shapes} does not run: {first}") from e
    finally:
        for m in training:
            m.training = True


# Reading one node


def read(model: fx.GraphModule, node: fx.Node) -> Step:
    """What a node does, in the vocabulary above. ModelError E101 for anything else."""
    if node.op == "placeholder":
        return Input()
    if node.op == "output":
        return Output()
    if node.op == "call_module":
        step = _read_module(model, node)
    elif node.op == "call_function":
        step = _read_call(model, node, _FUNCTIONS.get(node.target))
    elif node.op == "call_method":
        step = _read_call(model, node, _METHODS.get(str(node.target).removesuffix("_")))
    else:
        user = _name(next(iter(node.users), node))
        hint = next((h for w, h in INSTEAD.items() if w in user), "keep parameters inside of layers")
        refuse(model, node, f"{user} on the parameter or buffer {node.target}", hint)
    if node.target is operator.mul and not _is_shape(node):
        step = Product()
    if isinstance(step, Product) and (len(node.args) != 2 or not all(isinstance(a, fx.Node) for a in node.args)):
        refuse(model, node, "multiplication by a constant")
    if isinstance(step, Sum):
        if node.kwargs.get("alpha", 1) != 1:
            refuse(model, node, "addition with alpha", "scale the weights instead")
        if len(node.args) != 2 or not all(isinstance(a, fx.Node) for a in node.args):
            refuse(model, node, "addition of a constant", "constants belong into the bias of a layer")
    if isinstance(step, Query) and node.target is operator.getitem and not _is_shape(node) and _adds_axes(node):
        return Reshape()
    if isinstance(step, Query) and not _is_shape(node):
        refuse(model, node, "indexing" if node.target is operator.getitem else _name(node))
    return step


def _name(node: fx.Node) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _is_shape(node: fx.Node) -> bool:
    """True for size(), dim(), .shape and what is computed of those alone."""
    if node.target in ("size", "dim") or (node.target is getattr and node.args[1] == "shape"):
        return True
    sources = (operator.getitem, operator.mul, operator.floordiv)
    return node.target in sources and all(_is_shape(n) for n in node.all_input_nodes)


def _adds_axes(node: fx.Node) -> bool:
    """True for x[:, :, None, None] and the like, which leave out nothing."""
    index = node.args[1]
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or (isinstance(p, slice) and p == slice(None)) for p in parts)


def _read_module(model: fx.GraphModule, node: fx.Node) -> Step:
    path = str(node.target)
    m = model.get_submodule(path)
    if isinstance(m, FakeQuantizer):
        return Fake(path, m)
    if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear):
        if isinstance(m, nn.modules.lazy.LazyModuleMixin):
            refuse(model, node, f"{type(m).__name__} without weights", "run the model once before prepare()")
        if not isinstance(m, nn.Linear) and m.padding_mode != "zeros":
            refuse(model, node, f"padding_mode={m.padding_mode!r}", "use zeros: they cost nothing")
        return Layer(path, m)
    if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
        if m.running_mean is None:
            refuse(model, node, "batch norm without running statistics", "use track_running_stats=True")
        return Norm(path, m)
    if isinstance(m, nn.ReLU6):
        return Clip(0.0, 6.0)
    if isinstance(m, nn.Hardtanh):
        return Clip(float(m.min_val), float(m.max_val))
    if type(m) is nn.ReLU:
        return Clip(0.0, float("inf"))
    if isinstance(m, nn.Hardswish | nn.Hardsigmoid | nn.Sigmoid | nn.Tanh):
        return Curve(getattr(torch, type(m).__name__.lower(), None) or getattr(F, type(m).__name__.lower()))
    if isinstance(m, nn.MaxPool1d | nn.MaxPool2d):
        return _max_pool(model, node, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)
    if isinstance(m, nn.AvgPool1d | nn.AvgPool2d):
        return _avg_pool(
            model, node, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad,
            getattr(m, "divisor_override", None),
        )  # fmt: skip
    if isinstance(m, nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d):
        return _adaptive(model, node, m.output_size)
    if isinstance(m, nn.ZeroPad1d | nn.ZeroPad2d | nn.ConstantPad1d | nn.ConstantPad2d):
        return _pad(model, node, m.padding, value=getattr(m, "value", 0))
    if isinstance(m, nn.Upsample):
        return _upsample(model, node, mode=m.mode)
    if isinstance(m, nn.Flatten | nn.Unflatten):
        return Reshape()
    if isinstance(m, nn.Softmax):
        return _softmax(model, node, m.dim)
    if isinstance(m, nn.Identity | nn.Dropout | nn.Dropout1d | nn.Dropout2d):
        return Same()
    refuse(model, node, type(m).__name__)


def _read_call(model: fx.GraphModule, node: fx.Node, reader: Any) -> Step:
    if reader is None:
        refuse(model, node, _name(node))
    if not callable(reader):
        return reader
    kwargs = {k: v for k, v in node.kwargs.items() if k not in ("input", "inplace")}
    if any(isinstance(a, fx.Node) for a in (*node.args[1:], *kwargs.values())):
        refuse(model, node, "an argument that is computed from a tensor", "use constants")
    try:
        inspect.signature(reader).bind(model, node, *node.args[1:], **kwargs)
    except TypeError as e:
        refuse(model, node, f"arguments that are not supported: {e}", "use the module form")
    return reader(model, node, *node.args[1:], **kwargs)


def pair(x: Any) -> Pair:
    """An int, or a sequence of one (over time) or two, as (vertical, horizontal)."""
    if isinstance(x, int):
        return (x, x)
    x = tuple(x)
    return (int(x[0]), int(x[-1])) if len(x) == 2 else (int(x[0]), int(x[0]))


def _window(x: Any, flat: bool, fill: int) -> Pair:
    return (pair(x)[0], fill) if flat else pair(x)


def _flat(model: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return type(model.get_submodule(str(node.target))).__name__.endswith("1d")
    return getattr(node.target, "__name__", "").endswith("1d") or node.target is F.max_pool1d


def _max_pool(
    model: fx.GraphModule,
    node: fx.Node,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Step:
    if pair(dilation) != (1, 1) or return_indices:
        refuse(model, node, "max pooling with dilation or indices", "use plain max pooling")
    flat = _flat(model, node)
    kernel = _window(kernel_size, flat, 1)
    step = _window(kernel_size if stride in (None, ()) else stride, flat, 1)
    return MaxPool(kernel, step, _window(padding, flat, 0), ceil_mode)


def _avg_pool(
    model: fx.GraphModule,
    node: fx.Node,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Step:
    flat = _flat(model, node)
    kernel = _window(kernel_size, flat, 1)
    step = _window(kernel_size if stride in (None, ()) else stride, flat, 1)
    pad = _window(padding, flat, 0)
    return AvgPool(kernel, step, pad, ceil_mode, count_include_pad, divisor_override)


def _adaptive(model: fx.GraphModule, node: fx.Node, output_size: Any) -> Step:
    size = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * 2
    if _flat(model, node):
        return Mean((size[0], 1))
    return Mean((size[0], size[1]))


def _mean(model: fx.GraphModule, node: fx.Node, dim: Any = None, keepdim: bool = False) -> Step:
    if dim is None:
        refuse(model, node, "mean over everything", "use mean((2, 3))")
    return Mean((1, 1), tuple(dim) if isinstance(dim, tuple | list) else (dim,))


def _pad(model: fx.GraphModule, node: fx.Node, pad: Any, mode: str = "constant", value: Any = None) -> Step:
    if mode != "constant" or value not in (None, 0):
        refuse(model, node, f"padding with mode={mode!r}, value={value!r}", "pad with zeros: they cost nothing")
    if len(pad) == 2 and (node.op == "call_module" and _flat(model, node)):
        return Pad((0, 0, int(pad[0]), int(pad[1])))
    sides = tuple(int(p) for p in pad) + (0,) * (4 - len(pad))
    if len(sides) != 4:
        refuse(model, node, "padding of other axes than height and width", "pad the last two axes")
    return Pad(sides)


def _upsample(
    model: fx.GraphModule,
    node: fx.Node,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
    antialias: bool = False,
) -> Step:
    if mode not in ("nearest", "nearest-exact"):  # the same for integer factors
        refuse(model, node, f"upsampling with mode={mode!r}")
    return Upsample()


def _cat(model: fx.GraphModule, node: fx.Node, dim: int = 0) -> Step:
    parts = node.args[0] if node.args else None
    if not isinstance(parts, list | tuple) or not all(isinstance(p, fx.Node) for p in parts):
        refuse(model, node, "concatenation of something else than a list of activations")
    if dim not in (1, -3):
        refuse(model, node, f"concatenation along axis {dim}")
    return Concat()


def _softmax(
    model: fx.GraphModule, node: fx.Node, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Step:
    if dim not in (1, -1) or dtype is not None:
        refuse(model, node, f"softmax with dim={dim}, dtype={dtype}", "use softmax over the features: dim=1")
    return Softmax()


def _argmax(model: fx.GraphModule, node: fx.Node, dim: int | None = None, keepdim: bool = False) -> Step:
    if dim not in (1, -1):
        refuse(model, node, f"argmax with dim={dim}", "use argmax over the features: dim=1")
    return ArgMax()


def _clamp(model: fx.GraphModule, node: fx.Node, min: Any = None, max: Any = None) -> Step:
    return Clip(float("-inf") if min is None else float(min), float("inf") if max is None else float(max))


def _hardtanh(model: fx.GraphModule, node: fx.Node, min_val: float = -1.0, max_val: float = 1.0) -> Step:
    return Clip(float(min_val), float(max_val))


_RELU, _RELU6 = Clip(0.0, float("inf")), Clip(0.0, 6.0)

_FUNCTIONS: dict[Any, Step | Callable[..., Step]] = {
    F.relu: _RELU,
    torch.relu: _RELU,
    torch.relu_: _RELU,
    F.relu6: _RELU6,
    F.hardtanh: _hardtanh,
    torch.clamp: _clamp,
    torch.clip: _clamp,
    F.hardswish: Curve(F.hardswish),
    F.hardsigmoid: Curve(F.hardsigmoid),
    torch.sigmoid: Curve(torch.sigmoid),
    torch.tanh: Curve(torch.tanh),
    operator.add: Sum(),
    operator.iadd: Sum(),
    torch.add: Sum(),
    torch.mul: Product(),
    torch.cat: _cat,
    torch.concat: _cat,
    F.interpolate: _upsample,
    F.max_pool2d: _max_pool,
    torch.max_pool2d: _max_pool,
    F.max_pool1d: _max_pool,
    F.avg_pool2d: _avg_pool,
    F.avg_pool1d: _avg_pool,
    F.adaptive_avg_pool2d: _adaptive,
    F.adaptive_avg_pool1d: _adaptive,
    torch.mean: _mean,
    F.pad: _pad,
    torch.flatten: Reshape(),
    torch.reshape: Reshape(),
    torch.squeeze: Reshape(),
    torch.unsqueeze: Reshape(),
    torch.unflatten: Reshape(),
    F.softmax: _softmax,
    torch.softmax: _softmax,
    torch.argmax: _argmax,
    F.dropout: Same(),
    F.dropout2d: Same(),
    getattr: Query(),
    operator.getitem: Query(),
    operator.mul: Query(),
    operator.floordiv: Query(),
}

_METHODS: dict[str, Step | Callable[..., Step]] = {
    "relu": _RELU,
    "clamp": _clamp,
    "clip": _clamp,
    "sigmoid": Curve(torch.sigmoid),
    "tanh": Curve(torch.tanh),
    "add": Sum(),
    "mul": Product(),
    "mean": _mean,
    "flatten": Reshape(),
    "view": Reshape(),
    "reshape": Reshape(),
    "squeeze": Reshape(),
    "unsqueeze": Reshape(),
    "unflatten": Reshape(),
    "softmax": _softmax,
    "argmax": _argmax,
    "contiguous": Same(),
    "detach": Same(),
    "size": Query(),
    "dim": Query(),
}


# Lowering


@dataclass(frozen=True)
class _Known:
    """A quantised value, with the zeros (left, right, top, bottom) that its reader still has to put around it."""

    value: Value
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def quant(self) -> tuple[float, int]:
        assert self.value.type.quant is not None and isinstance(self.value.type.quant.scale, float)
        return self.value.type.quant.scale, self.value.type.quant.zero_point


def lower(model: fx.GraphModule, sample: Sample, name: str = "model") -> Graph:
    """The integer graph of a prepared, trained or calibrated model; the model is not changed.

    sample: inputs with batch, for the shapes; of a model with several inputs a tuple. Values are named after module
    paths, inputs after forward's arguments, outputs after the keys of a dict that forward returns. ModelError
    E101..E105, E107.
    """
    if not isinstance(model, fx.GraphModule):
        raise ModelError("E107", "the model is not prepared", where="lower", hint="use qat.prepare(model) first")
    batch = batch_of(model, sample, "lower")
    add_shapes(model, tuple(t[:1].expand(3, *t.shape[1:]).contiguous() for t in batch))
    if not name.isidentifier():
        raise ModelError("E107", f"{name!r} is not a C identifier", where="lower", hint="pass name='model'")
    return _Lowering(model).graph(name)


def to_archive(model: fx.GraphModule, sample: Sample, name: str = "model") -> Archive:
    """The integer graph with the sample batch, quantised: what qat.save writes and mcugen.compile reads."""
    graph = lower(model, sample, name)
    codes = fake_codes(model, sample)
    quantized = (codes[v.name].reshape(-1, *v.type.shape).astype(v.type.dtype.numpy) for v in graph.inputs)
    return Archive(graph, tuple(quantized))


def fake_codes(
    model: fx.GraphModule, x: Sample, given: Mapping[str, Array] | None = None, rounded: bool = True
) -> dict[str, Array]:
    """The stored integers that the fake-quantised model has at every quantiser, by the graph's value names.

    x: a batch, of a model with several inputs a tuple.
    given: integers to go on with in place of the model's own, so that each layer is compared on equal inputs.
    rounded: False gives float64 in units of the stored integers, before rounding and clamping.
    """
    return _Codes(model, given or {}, rounded).of(batch_of(model, x, "fake_codes"))


class _Codes(fx.Interpreter):
    def __init__(self, model: fx.GraphModule, given: Mapping[str, Array], rounded: bool) -> None:
        super().__init__(model)
        self.given, self.rounded, self.found = given, rounded, dict[str, Array]()
        self.names = value_names(model, {n: read(model, n) for n in model.graph.nodes})

    def of(self, x: tuple[Tensor, ...]) -> dict[str, Array]:
        training = [m for m in self.module.modules() if m.training]
        self.module.eval()
        try:
            with torch.no_grad():
                self.run(*x)
        finally:
            for m in training:
                m.training = True
        return self.found

    def run_node(self, n: fx.Node) -> Any:
        name = self.names.get(n)
        if name is None:
            return super().run_node(n)
        q: Any = self.fetch_attr(str(n.target))
        x = self.fetch_args_kwargs_from_env(n)[0][0]
        _, scale, zero = q.export()
        codes = q.codes(x)
        self.found[name] = (codes if self.rounded else x.double() / scale + zero).cpu().numpy()
        if name in self.given:
            codes = torch.from_numpy(np.ascontiguousarray(self.given[name], np.int32)).reshape(codes.shape)
        return (codes.to(x.device) - zero).float() * torch.tensor(scale, dtype=torch.float32, device=x.device)


def value_names(model: fx.GraphModule, steps: Steps) -> dict[fx.Node, str]:
    """The name of the value that each quantiser node makes: its key in the output, module path, operation or input."""
    names: dict[fx.Node, str] = {}
    keys = output_names(model)
    taken = set(keys.values())
    for node, step in steps.items():
        if isinstance(step, Fake):
            source, _ = _source(node, steps)
            if node in keys and source.op != "placeholder":  # an input that is given out keeps its name
                names[node] = keys[node]
                continue
            path = source.op in ("call_module", "placeholder")
            names[node] = _unique(str(source.target) if path else source.name, taken)
    return names


def _unique(name: str, taken: set[str]) -> str:
    free, n = name, 1
    while free in taken:
        n += 1
        free = f"{name}.{n}"
    taken.add(free)
    return free


def _source(fake: fx.Node, steps: Steps) -> tuple[fx.Node, list[Step]]:
    """What a quantiser quantises: the node that computes it, and the norms and clips between, in order.

    The node is a batch norm or clip itself where there is no layer, addition or pooling before it.
    """
    chain: list[tuple[fx.Node, Step]] = []
    node = operand(fake)
    while isinstance(steps[node], Norm | Clip | Same) and len(node.users) == 1:
        chain.append((node, steps[node]))
        node = operand(node)
    if not isinstance(steps[node], Input | Layer | Curve | Sum | Product | Concat | AvgPool | Mean) and chain:
        node = chain[-1][0]
    return node, [s for _, s in reversed(chain) if not isinstance(s, Same)]


class _Lowering:
    """One walk over the fx graph; `known` has the value of every node that is quantised."""

    def __init__(self, model: fx.GraphModule) -> None:
        self.model = model
        self.steps: Steps = {n: read(model, n) for n in model.graph.nodes}
        self.names = value_names(model, self.steps)
        self.keys = output_names(model)
        self.taken = {*self.names.values(), *self.keys.values()}
        self.known: dict[fx.Node, _Known] = {}
        self.ranges: dict[Value, Range] = {}
        self.weights: dict[tuple[str, bool], Value] = {}
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []

    def graph(self, name: str) -> Graph:
        """The whole graph, checked."""
        outputs: list[Value] = []
        for node, step in self.steps.items():
            if isinstance(step, Fake):
                self.known[node] = _Known(self.quantized(node, step))
            elif isinstance(step, Output):
                outputs = [self.read_from(node, source).value for _, source in returned(self.model)]
            elif isinstance(step, PASSES):
                self.passed(node, step)
            elif isinstance(step, ArgMax):
                self.known[node] = _Known(self.argmax(node))
        try:
            return check(Graph(name, tuple(self.inputs), tuple(self.nodes), tuple(outputs)))
        except GraphError as e:
            raise ModelError("E103", e.message, where=e.where or name) from e

    def read(self, node: fx.Node, index: int = 0, padded: bool = False) -> _Known:
        """The quantised value of an argument; E102 where it has no quantiser."""
        return self.read_from(node, operand(node, index), padded)

    def read_from(self, node: fx.Node, source: fx.Node, padded: bool = False) -> _Known:
        """The quantised value of `source`, which `node` reads; with zeros around it unless `padded`."""
        if source not in self.known:
            hint = "prepare the model with qat.prepare, and change nothing between layers and quantisers afterwards"
            refuse(self.model, source, "its output has no activation quantiser", hint, "E102")
        found = self.known[source]
        if any(found.pad) and not padded:
            found = self.known[source] = _Known(self.pad(node, found))
        return found

    def pad(self, node: fx.Node, x: _Known) -> Value:
        """Zeros around, for a reader that does not pad for itself."""
        if len(x.value.type.shape) != 3:
            refuse(self.model, node, "padding of a vector", "(N, C, H, W) or (N, C, T)", "E103")
        op = ops.pad.Pad(_padding(x.pad, (0, 0)), x.quant[1])
        return self.emit(node, _unique(f"{x.value.name}.pad", self.taken), op, x.value)

    def emit(self, node: fx.Node, name: str, op: Op, *inputs: Value) -> Value:
        """Add a node; its shape must be what torch found. E103 where the operator cannot take the shapes."""
        try:
            t = op.infer(*(v.type for v in inputs))
            _, out = op.bounds(*(self.ranges[v] if v.data is None else v.const for v in inputs))
        except (GraphError, ValueError) as e:
            what = e.message if isinstance(e, GraphError) else str(e)
            refuse(self.model, node, what, "see `mcugen ops` for the shapes that operators take", "E103")
        value = Value(name, t)
        each = max(1, t.shape[0] // out.lo.size)
        self.ranges[value] = Range(out.lo.repeat(each), out.hi.repeat(each))
        self.nodes.append(Node(op, inputs, value))
        return value

    # What keeps its quantisation

    def passed(self, node: fx.Node, step: Step) -> None:
        """Max pooling, padding, reshapes and identities; nothing where they stand between a layer and its quantiser."""
        if isinstance(step, Same) and operand(node) not in self.known:
            return
        found = self.read(node, padded=isinstance(step, Pad | MaxPool | Same))
        if isinstance(step, Same):
            self.known[node] = found
        elif isinstance(step, Pad):
            if min(step.sides) < 0:
                refuse(self.model, node, "negative padding", "crop outside of the model")
            left, right, top, bottom = (a + b for a, b in zip(found.pad, step.sides, strict=True))
            self.known[node] = _Known(found.value, (left, right, top, bottom))
        elif isinstance(step, MaxPool):
            self.known[node] = _Known(self.max_pool(node, step, found))
        elif isinstance(step, Upsample):
            self.known[node] = _Known(self.upsample(node, found.value))
        else:
            self.known[node] = _Known(self.reshaped(node, found.value))

    def max_pool(self, node: fx.Node, step: MaxPool, x: _Known) -> Value:
        if any(x.pad) and x.quant[1] != 0:  # zeros can win over negative values: no padding of the pooling
            x = _Known(self.pad(node, x))
        _, oh, ow = self.shape(node)
        _, h, w = x.value.type.shape
        padding = _padding(x.pad, step.padding)
        if step.ceil:  # windows that hang over the lower and right edge
            top, left, _, _ = padding
            below = (oh - 1) * step.stride[0] + step.kernel[0] - h - top
            right = (ow - 1) * step.stride[1] + step.kernel[1] - w - left
            padding = (top, left, max(0, below), max(0, right))
        op = ops.maxpool.MaxPool(step.kernel, step.stride, padding)
        return self.emit(node, self.name(node), op, x.value)

    def upsample(self, node: fx.Node, x: Value) -> Value:
        """By the factors between the shapes of what it reads and what it gives."""
        if len(x.type.shape) != 3:
            refuse(self.model, node, "upsampling of a vector", "(N, C, H, W) or (N, C, T)", "E103")
        (_, oh, ow), (_, h, w) = self.shape(node), x.type.shape
        if oh % h or ow % w:
            refuse(self.model, node, f"upsampling of {(h, w)} to {(oh, ow)}", "use an integer factor", "E103")
        return self.emit(node, self.name(node), ops.upsample.Upsample((oh // h, ow // w)), x)

    def reshaped(self, node: fx.Node, x: Value) -> Value:
        shape = self.shape(node)
        if shape == x.type.shape:
            return x
        if shape == (x.type.size,):
            return self.emit(node, self.name(node), ops.flatten.Flatten(), x)
        if x in self.inputs and not any(x in n.inputs for n in self.nodes):  # bytes are bytes: take it in that shape
            value = Value(x.name, Type(x.type.dtype, shape, x.type.quant))
            self.inputs[self.inputs.index(x)] = value
            self.known = {n: _Known(value, k.pad) if k.value is x else k for n, k in self.known.items()}
            self.ranges[value] = _range(value)
            return value
        return self.emit(node, self.name(node), ops.reshape.Reshape(shape), x)

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """(C, H, W) or (N,) of what torch computes at `node`."""
        found, batch = shape_of(node), shape_of(next(iter(self.steps)))
        if found is None or batch is None or found[0] != batch[0] or not 2 <= len(found) <= 4:
            refuse(self.model, node, f"a value of shape {found}", "(N, C, H, W), (N, C, T) or (N, features)", "E103")
        return (*found[1:], 1) if len(found) == 3 else found[1:]

    def name(self, node: fx.Node) -> str:
        if node in self.keys:
            return self.keys[node]
        return _unique(str(node.target) if node.op == "call_module" else node.name, self.taken)

    # What is quantised anew

    def quantized(self, fake: fx.Node, step: Fake) -> Value:
        """The value that a quantiser makes, with everything before it back to the last quantised value."""
        node, chain = _source(fake, self.steps)
        to = self.target(step, [s for s in chain if isinstance(s, Clip)])
        name, source = self.names[fake], self.steps[node]
        norms = [s for s in chain if isinstance(s, Norm)]
        if any(isinstance(s, Norm) for s in chain[len(norms) :]):
            refuse(self.model, node, "a batch norm behind a clipping", "swap them, or quantise between them")
        if isinstance(source, Input):
            return self.input(node, name, to, chain)
        if isinstance(source, Layer):
            return self.layer(node, name, source, norms, to)
        if norms and isinstance(source, Curve | Sum | Product | Concat | AvgPool | Mean):
            refuse(self.model, node, "a batch norm behind an addition or pooling that has no quantiser")
        if isinstance(source, Sum):
            return self.sum(node, name, to)
        if isinstance(source, Product):
            return self.product(node, name, to)
        if isinstance(source, Concat):
            return self.concat(node, name, to)
        if isinstance(source, AvgPool | Mean):
            return self.average(node, name, source, to)
        if isinstance(source, Curve):
            return self.lookup(node, name, source, to)
        if isinstance(source, Softmax):
            return self.softmax(node, name, to)
        return self.requantized(node if chain else fake, name, norms, to)

    def target(self, step: Fake, clips: list[Clip]) -> Out:
        bits, scale, zero = step.module.export()
        if not (np.isfinite(scale) and scale > 0):
            raise ModelError("E105", f"scale {scale}", where=step.path)
        dtype = DType.I16 if bits == 16 else DType(f"u{bits}")
        lo, hi = dtype.lo, dtype.hi
        for c in clips:
            ends = [_code(v, scale, zero, dtype) for v in (c.lo, c.hi)]
            lo, hi = (min(max(v, ends[0]), ends[1]) for v in (lo, hi))
        return Out(dtype, Quant(scale, zero), lo, hi)

    def input(self, node: fx.Node, name: str, to: Out, chain: list[Step]) -> Value:
        if chain or to.dtype is DType.I16:
            refuse(self.model, node, "the input is not quantised before it is used", code="E102")
        value = Value(name, Type(to.dtype, self.shape(node), to.quant))
        self.inputs.append(value)
        self.ranges[value] = _range(value)
        return value

    def layer(self, node: fx.Node, name: str, step: Layer, norms: list[Norm], to: Out) -> Value:
        x = self.read(node, padded=not isinstance(step.module, nn.Linear))
        codes, scale, ternary = exported(step)
        m = step.module
        x_scale, x_zero = x.quant
        multiplier = scale * x_scale
        offset = -multiplier * x_zero * codes.reshape(len(codes), -1).sum(1, dtype=np.int64)
        if m.bias is not None:
            offset = offset + m.bias.detach().double().numpy()
        for norm in norms:
            gain, shift = affine(norm)
            multiplier, offset = multiplier * gain, offset * gain + shift

        op: Op
        depthwise = False
        if isinstance(m, nn.Linear):
            if len(shape_of(node) or ()) != 2:
                refuse(self.model, node, "Linear on more than two axes", "flatten to (N, features) first", "E103")
            op = ops.linear.Linear()
        else:
            attrs = _window_of(m, x.pad)
            depthwise = m.groups == m.in_channels == m.out_channels > 1
            if depthwise:
                op = ops.depthwise.DepthwiseConv2d(*attrs, pad_value=x_zero)
            else:
                op = ops.conv2d.Conv2d(*attrs, m.groups, x_zero)
            codes = codes.reshape(*codes.shape, 1) if codes.ndim == 3 else codes
            codes = codes[:, 0] if depthwise else codes
        w = self.weights.setdefault(
            (step.path, depthwise), self.constant(f"{step.path}.weight", DType.T if ternary else DType.I8, codes)
        )
        return self.with_tail(node, name, op, (x.value, w), multiplier, offset, to)

    def requantized(self, node: fx.Node, name: str, norms: list[Norm], to: Out) -> Value:
        """A batch norm or clipping of its own."""
        x = self.read(node)
        channels = x.value.type.shape[0] if norms else 1
        gain, shift = np.full(channels, x.quant[0]), np.full(channels, -x.quant[0] * x.quant[1])
        for norm in norms:
            k, b = affine(norm)
            gain, shift = gain * k, shift * k + b
        limits = self.ranges[x.value]
        acc = limits if norms else Range(limits.lo.min(keepdims=True), limits.hi.max(keepdims=True))
        tail = self.tail(node, name, gain, shift, acc, to)
        return self.emit(node, name, ops.requantize.Requantize(to), x.value, *tail)

    def with_tail(
        self, node: fx.Node, name: str, op: Any, inputs: tuple[Value, Value], mul: Array, off: Array, to: Out
    ) -> Value:
        """A sum whose accumulator, in real units, is acc * mul + off."""
        x, w = inputs
        try:
            op.infer(x.type, w.type)
            acc, _ = op.bounds(self.ranges[x], w.const)
        except (GraphError, ValueError) as e:
            what = e.message if isinstance(e, GraphError) else str(e)
            refuse(self.model, node, what, "see `mcugen ops` for the shapes that operators take", "E103")
        return self.emit(node, name, replace(op, to=to), x, w, *self.tail(node, name, mul, off, acc, to))

    def tail(self, node: fx.Node, name: str, mul: Array, off: Array, acc: Range, to: Out) -> tuple[Value, Value, Value]:
        scale, zero = to.quant.scale, to.quant.zero_point
        with np.errstate(over="ignore"):
            m, a, s = _lowered(self.model, node, mul / scale, off / scale + zero, acc, to)
        return (
            self.constant(f"{name}.mult", DType.I16, m),
            self.constant(f"{name}.add", DType.I32, a),
            self.constant(f"{name}.shift", DType.U8, s),
        )

    def constant(self, name: str, dtype: DType, data: Array) -> Value:
        return Value(_unique(name, self.taken), Type(dtype, data.shape), data.astype(dtype.numpy))

    def lookup(self, node: fx.Node, name: str, step: Curve, to: Out) -> Value:
        """The function's value at every number that the input can be."""
        x = self.read(node)
        scale, zero = x.quant
        real = scale * (torch.arange(x.value.type.dtype.hi + 1, dtype=torch.float64) - zero)
        codes = torch.floor(step.function(real) / _scale(to) + to.quant.zero_point + 0.5).clamp(to.lo, to.hi)
        table = self.constant(f"{name}.table", to.dtype, codes.numpy())
        return self.emit(node, name, ops.lookup.Lookup(to), x.value, table)

    def logits(self, node: fx.Node) -> Value:
        """What a softmax or argmax reads: a vector."""
        x = self.read(node).value
        if len(x.type.shape) != 1:
            what = f"{type(self.steps[node]).__name__.lower()} of an image"
            refuse(self.model, node, what, "flatten to (N, features) first", "E103")
        return x

    def softmax(self, node: fx.Node, name: str, to: Out) -> Value:
        x = self.logits(node)
        made = ops.softmax.node(name, x, replace(to, lo=0))
        return self.emit(node, name, made.op, x, *made.inputs[1:])

    def argmax(self, node: fx.Node) -> Value:
        x = self.logits(node)
        return self.emit(node, self.name(node), ops.argmax.ArgMax(ops.argmax.index_type(x.type)), x)

    def sum(self, node: fx.Node, name: str, to: Out) -> Value:
        a, b = self.read(node), self.read(node, 1)
        if a.value.type.shape != b.value.type.shape:
            shapes = f"{a.value.type.shape} and {b.value.type.shape}"
            refuse(self.model, node, f"addition of {shapes}", "both operands need one shape: no broadcasting", "E103")
        scale = _scale(to)
        ratios = (a.quant[0] / scale, b.quant[0] / scale)
        offset = to.quant.zero_point - ratios[0] * a.quant[1] - ratios[1] * b.quant[1]
        reach = (self.ranges[a.value].span[1], self.ranges[b.value].span[1])
        try:
            mults, add, shift = fixed.lower_sum(ratios, offset, reach)
            rounded = tuple(m / 2.0**shift for m in mults)  # the offset takes up their rounding at real zero
            zeros = (a.quant[1], b.quant[1])
            offset += sum((r - q) * z for r, q, z in zip(ratios, rounded, zeros, strict=True))
            mults, add, shift = fixed.lower_sum(rounded, offset, reach)
        except GraphError as e:
            raise ModelError("E105", e.message, where=place(self.model, node)) from e
        return self.emit(node, name, ops.add.Add(mults[0], mults[1], add, shift, to), a.value, b.value)

    def product(self, node: fx.Node, name: str, to: Out) -> Value:
        a, b = self.read(node), self.read(node, 1)
        if a.value.type.size < b.value.type.size:
            a, b = b, a
        if b.value.type.shape not in (a.value.type.shape, (a.value.type.shape[0], 1, 1)):
            shapes = f"{a.value.type.shape} and {b.value.type.shape}"
            hint = "both operands need one shape, or one is (N, C, 1, 1)"
            refuse(self.model, node, f"multiplication of {shapes}", hint, "E103")
        reach = max(abs(v) for v in ops.mul.products(a.value.type, b.value.type))
        try:
            ratio = a.quant[0] * b.quant[0] / _scale(to)
            (mult,), add, shift = fixed.lower_sum((ratio,), to.quant.zero_point, (reach,))
        except GraphError as e:
            raise ModelError("E105", e.message, where=place(self.model, node)) from e
        op = ops.mul.Mul(a.quant[1], b.quant[1], mult, add, shift, to)
        return self.emit(node, name, op, a.value, b.value)

    def concat(self, node: fx.Node, name: str, to: Out) -> Value:
        """Inputs of the output's own scale and zero point are copied."""
        parts: Any = node.args[0]
        inputs = [self.read_from(node, p) for p in parts]
        scale, rules = _scale(to), []
        for x in inputs:
            if x.quant == (scale, to.quant.zero_point):
                rules.append((1, 0, 0))
                continue
            ratio, limits = x.quant[0] / scale, _range(x.value)  # of the whole type: Concat.infer wants it so
            whole = Range(limits.lo[:1], limits.hi[:1])
            offset = to.quant.zero_point - ratio * x.quant[1]
            m, a, s = _lowered(self.model, node, np.array([ratio]), np.array([offset]), whole, to)
            rules.append((int(m[0]), int(a[0]), int(s[0])))
        mults, adds, shifts = zip(*rules, strict=True)
        y = self.emit(node, name, ops.concat.Concat(mults, adds, shifts, to), *(x.value for x in inputs))
        if y.type.shape != self.shape(node):
            refuse(self.model, node, f"concatenation to {self.shape(node)}", "concatenate along the channels", "E103")
        return y

    def average(self, node: fx.Node, name: str, step: AvgPool | Mean, to: Out) -> Value:
        x = self.read(node, padded=isinstance(step, AvgPool))
        torch_in, torch_out = shape_of(node.all_input_nodes[0]), shape_of(node)
        assert torch_in is not None and torch_out is not None
        if len(torch_in) not in (3, 4):
            refuse(self.model, node, f"average pooling of shape {torch_in}", "(N, C, H, W) or (N, C, T)", "E103")
        _, h, w = x.value.type.shape
        if isinstance(step, AvgPool):
            kernel, stride, padding = step.kernel, step.stride, _padding(x.pad, step.padding)
            count = step.divisor or kernel[0] * kernel[1]
            if any(step.padding) and not step.count_pad and step.divisor is None:
                refuse(self.model, node, "average pooling with count_include_pad=False", "use count_include_pad=True")
            if step.ceil and self.shape(node)[1:] != tuple(
                (n + before + after - k) // s + 1
                for n, k, s, before, after in zip((h, w), kernel, stride, padding[:2], padding[2:], strict=True)
            ):
                refuse(self.model, node, "average pooling with ceil_mode=True", "use ceil_mode=False")
        else:
            kernel = stride = self.mean_window(node, step, (h, w), len(torch_in))
            padding, count = (0, 0, 0, 0), kernel[0] * kernel[1]
        zero = x.quant[1]
        op = ops.avgpool.AvgPool(kernel, stride, 0, 0, 0, to, padding, zero)
        acc, _ = op.bounds(self.ranges[x.value])
        ratio = x.quant[0] / count / _scale(to)
        whole = Range(acc.lo.min(keepdims=True), acc.hi.max(keepdims=True))
        offset = to.quant.zero_point - ratio * zero * kernel[0] * kernel[1]
        m, a, s = _lowered(self.model, node, np.array([ratio]), np.array([offset]), whole, to)
        op = replace(op, mult=int(m[0]), add=int(a[0]), shift=int(s[0]))
        y = self.emit(node, name, op, x.value)
        if len(torch_out) == 2:
            y = self.emit(node, _unique(f"{name}.flatten", self.taken), ops.flatten.Flatten(), y)
        return y

    def mean_window(self, node: fx.Node, step: Mean, size: Pair, rank: int) -> Pair:
        if step.dims is not None:
            if sorted(d % rank for d in step.dims) != list(range(2, rank)):
                hint = "the mean must go over all of height and width: x.mean((2, 3))"
                refuse(self.model, node, f"mean over axes {step.dims}", hint, "E103")
            return size
        out = [n if want is None else want for n, want in zip(size, step.size, strict=True)]
        if rank == 3:
            out[1] = 1
        if any(n % o for n, o in zip(size, out, strict=True)):
            hint = "the output size must divide the input size"
            refuse(self.model, node, f"adaptive pooling of {size} to {tuple(out)}", hint, "E103")
        return (size[0] // out[0], size[1] // out[1])


def _scale(to: Out) -> float:
    assert isinstance(to.quant.scale, float)
    return to.quant.scale


def _range(value: Value) -> Range:
    channels, dtype = value.type.shape[0], value.type.dtype
    return Range(np.full(channels, dtype.lo, np.int64), np.full(channels, dtype.hi, np.int64))


def _code(real: float, scale: float, zero: int, dtype: DType) -> int:
    """The stored integer of a clipping limit; rounding is monotone, so clipping commutes with it."""
    q = np.floor(np.float64(real) / scale + 0.5) + zero
    return int(np.clip(q, dtype.lo, dtype.hi))


def _lowered(
    model: fx.GraphModule, node: fx.Node, mul: Array, off: Array, acc: Range, to: Out
) -> tuple[Array, Array, Array]:
    """Constants for acc * mul + off: the multiplier is rounded first, then the offset takes up the rounding.

    The two lines cross where most outputs are: at a quarter of the range above a zero that clips, else in its middle.
    """
    low = to.lo == to.quant.zero_point
    usual = to.lo + (to.hi - to.lo) / (4 if low else 2)
    try:
        m, _, s = fixed.lower(mul, off, acc.lo, acc.hi, to.lo, to.hi)
        rounded = m / 2.0**s
        at = np.clip(np.divide(usual - off, mul, out=np.zeros(len(off)), where=m != 0), acc.lo, acc.hi)
        off = np.where(m != 0, off + (mul - rounded) * at, off)
        return fixed.lower(np.where(m != 0, rounded, mul), off, acc.lo, acc.hi, to.lo, to.hi)
    except GraphError as e:
        hint = "a batch norm whose variance is nearly zero, or a scale that training drove away, does this"
        raise ModelError("E105", e.message, where=place(model, node), hint=hint) from e


def _padding(outer: tuple[int, int, int, int], own: Pair) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of padding nodes and the symmetric padding of the operation."""
    left, right, top, bottom = outer
    return (top + own[0], left + own[1], bottom + own[0], right + own[1])


def _window_of(
    m: nn.Conv1d | nn.Conv2d, outer: tuple[int, int, int, int]
) -> tuple[Pair, tuple[int, int, int, int], Pair]:
    """(stride, padding, dilation) of a convolution."""
    flat = isinstance(m, nn.Conv1d)
    kernel, stride, dilation = (_window(v, flat, 1) for v in (m.kernel_size, m.stride, m.dilation))
    if m.padding == "same":  # the odd one goes below and to the right
        total = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        top, left = total[0] // 2, total[1] // 2
        sides = (outer[0] + left, outer[1] + total[1] - left, outer[2] + top, outer[3] + total[0] - top)
        return stride, _padding(sides, (0, 0)), dilation
    own = (0, 0) if m.padding == "valid" else _window(m.padding, flat, 0)
    return stride, _padding(outer, own), dilation


def exported(step: Layer) -> tuple[Array, Array, bool]:
    """(codes, scale per output channel, ternary) of a layer. E104 without a weight quantiser, E105 if not finite."""
    chain = getattr(step.module, "parametrizations", {})
    q: Any = chain["weight"][0] if "weight" in chain and len(chain["weight"]) == 1 else None
    if not hasattr(q, "export"):
        hint = "prepare the model with qat.prepare; layers that are not ternary are int8"
        raise ModelError("E104", "no ternary or int8 weight quantiser", where=step.path, hint=hint)
    codes, scale = (t.detach().cpu().numpy() for t in q.export(*latent_of(step.module)))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise ModelError("E105", "the scale of the weights is not finite", where=step.path, hint="training diverged")
    return codes, scale, bool(q.ternary)


def affine(norm: Norm) -> tuple[Array, Array]:
    """(gain, shift) per channel of a batch norm in evaluation: gain * x + shift."""
    m = norm.module
    assert m.running_mean is not None and m.running_var is not None
    mean, var = (t.detach().double().cpu().numpy() for t in (m.running_mean, m.running_var))
    gain = 1 / np.sqrt(var + m.eps)
    if m.affine:
        gain = gain * m.weight.detach().double().cpu().numpy()
    shift = -mean * gain + (m.bias.detach().double().cpu().numpy() if m.affine else 0)
    if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
        raise ModelError("E105", "batch norm is not finite", where=norm.path, hint="training diverged")
    return gain, shift
