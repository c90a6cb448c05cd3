"""PyTorch models -> Graph: a torch.fx walk over a model that mcugen.qat has prepared and trained.

    trace   module -> fx.GraphModule with layers and quantisers as leaves
    read    one fx node, module or functional form -> one Step of the small vocabulary below
    lower   prepared GraphModule -> Graph

    step ::= Input | Output | Layer | Norm | Clip | Sum | MaxPool | AvgPool | Mean | Pad | Reshape | Same | Query | Fake

Quantisers are known by their export() alone, so nothing of the training library is imported here.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ..errors import ModelError

Pair = tuple[int, int]


@runtime_checkable
class FakeQuantizer(Protocol):
    """A module that fake-quantises activations."""

    def export(self) -> tuple[int, float, int]:
        """(bits, scale, zero point): real = scale * (q - zero point); 16 bits are signed, fewer unsigned."""
        ...


# The vocabulary. One-dimensional data is (C, T, 1): its kernels are (k, 1).


@dataclass(frozen=True)
class Input:
    """The network's input."""


@dataclass(frozen=True)
class Output:
    """The network's output."""


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
class Sum:
    """a + b, both activations."""


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
class Reshape:
    """The same elements in the same order under another shape; the batch axis stays."""


@dataclass(frozen=True)
class Same:
    """The identity in evaluation: Identity, Dropout, contiguous."""


@dataclass(frozen=True)
class Query:
    """A shape computation: no activation."""


@dataclass(frozen=True)
class Fake:
    """An activation quantiser."""

    path: str
    module: FakeQuantizer


Step = Input | Output | Layer | Norm | Clip | Sum | MaxPool | AvgPool | Mean | Pad | Reshape | Same | Query | Fake

PASSES = (MaxPool, Reshape, Same, Pad)
"""Steps that keep the quantisation of what they read."""

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
    "Hardswish": "use nn.ReLU6; hard-swish tables come later",
    "Hardsigmoid": "use nn.Hardtanh(0, 1)",
    "Sigmoid": "leave it out of the model and apply it to the logits, or use nn.Hardtanh(0, 1) inside",
    "Tanh": "use nn.Hardtanh",
    "Softmax": "return the logits: the largest logit is the largest probability",
    "softmax": "return the logits: the largest logit is the largest probability",
    "ConvTranspose": "use a convolution; transposed convolutions are not supported yet",
    "Conv3d": "use nn.Conv2d",
    "Upsample": "not supported yet: keep the resolution, or upsample outside of the model",
    "interpolate": "not supported yet: keep the resolution, or upsample outside of the model",
    "LSTM": "use convolutions over time; recurrent layers are not supported",
    "GRU": "use convolutions over time; recurrent layers are not supported",
    "RNN": "use convolutions over time; recurrent layers are not supported",
    "Attention": "use convolutions; attention is not supported",
    "Embedding": "not supported: feed the network numbers",
    "conv": "use the module form (nn.Conv2d), so that its weights can be quantised",
    "linear": "use nn.Linear, so that its weights can be quantised",
    "batch_norm": "use nn.BatchNorm2d",
    "cat": "use an addition: concatenation is not supported yet",
    "matmul": "use nn.Linear; products of two activations are not supported",
    "mul": "only additions of activations are supported; constant factors belong into the weights or the batch norm",
    "sub": "use an addition: the sign can move into the weights",
}


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


def add_shapes(model: fx.GraphModule, sample: Tensor) -> None:
    """Run `sample` (with batch) in evaluation mode and note every node's shape. ModelError E103 if it does not run."""
    training = [m for m in model.modules() if m.training]
    model.eval()
    runner = _Shapes(model)
    runner.extra_traceback = False
    try:
        with torch.no_grad():
            runner.run(sample)
    except ModelError:
        raise
    except Exception as e:
        first = str(e).strip().split("\n")[0]
        raise ModelError("E103", f"a sample of shape {tuple(sample.shape)} does not run: {first}") from e
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
        refuse(
            model,
            node,
            f"the parameter or buffer {node.target} used directly",
            "keep tensors inside of layers",
        )
    if isinstance(step, Sum):
        if node.kwargs.get("alpha", 1) != 1:
            refuse(model, node, "addition with alpha", "scale the weights instead")
        if len(node.args) != 2 or not all(isinstance(a, fx.Node) for a in node.args):
            refuse(model, node, "addition of a constant", "constants belong into the bias of a layer")
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
    if isinstance(m, nn.Flatten | nn.Unflatten):
        return Reshape()
    if isinstance(m, nn.Identity | nn.Dropout | nn.Dropout1d | nn.Dropout2d):
        return Same()
    refuse(model, node, type(m).__name__)


def _read_call(model: fx.GraphModule, node: fx.Node, reader: Any) -> Step:
    if reader is None:
        refuse(model, node, _name(node))
    if not callable(reader):
        return reader  # type: ignore[no-any-return]
    kwargs = {k: v for k, v in node.kwargs.items() if k not in ("input", "inplace")}
    if any(isinstance(a, fx.Node) for a in (*node.args[1:], *kwargs.values())):
        refuse(model, node, "an argument that is computed from a tensor", "use constants")
    try:
        inspect.signature(reader).bind(model, node, *node.args[1:], **kwargs)
    except TypeError as e:
        refuse(model, node, f"arguments that are not supported: {e}", "use the module form")
    return reader(model, node, *node.args[1:], **kwargs)  # type: ignore[no-any-return]


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
    operator.add: Sum(),
    operator.iadd: Sum(),
    torch.add: Sum(),
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
    "add": Sum(),
    "mean": _mean,
    "flatten": Reshape(),
    "view": Reshape(),
    "reshape": Reshape(),
    "squeeze": Reshape(),
    "unsqueeze": Reshape(),
    "contiguous": Same(),
    "detach": Same(),
    "size": Query(),
    "dim": Query(),
}
