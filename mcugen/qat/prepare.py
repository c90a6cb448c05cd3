"""prepare: a float model -> a torch.fx model with weight and activation quantisers, ready for the usual training loop.

Activation quantisers stand at the input, after each convolution or linear layer (with the batch norm and the clipping
that follow), after each addition (with the ReLU that follows) and after each average pooling. Max pooling, padding,
reshapes and dropout keep the quantisation of what they read. The network's output gets the 16-bit quantiser instead;
of several outputs each does, but one that the network itself reads is given out as it is read. Only a softmax or argmax
may follow an output's quantiser.
"""

from __future__ import annotations

import copy
import difflib
import operator
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.utils import parametrize

from ..errors import ModelError
from ..frontends.torch import (
    ENDS,
    PASSES,
    ArgMax,
    Clip,
    FakeQuantizer,
    Input,
    Layer,
    MaxPool,
    Norm,
    Output,
    Query,
    Reshape,
    Same,
    Sample,
    Softmax,
    Step,
    Steps,
    add_shapes,
    batch_of,
    operand,
    read,
    refuse,
    returned,
    trace,
)
from ..ir import NAME
from .activations import LSQ, OutputQuantizer, ProbabilityQuantizer, Sign
from .weights import TWN, Int8, PathSpec, WeightSpec, checked


def prepare(
    model: nn.Module,
    weights: WeightSpec = TWN(),  # noqa: B008  a frozen dataclass
    activations: LSQ = LSQ(bits=8),  # noqa: B008
    keep: Sequence[str] | Mapping[str, WeightSpec] | None = None,
    sample: Sample | None = None,
    inputs: LSQ = LSQ(bits=8),  # noqa: B008
) -> fx.GraphModule:
    """A copy of `model` with quantisers; parameters keep their names, `weight` becomes a parametrisation.

    weights, activations: the quantisers. inputs: the input's quantiser. sample: a batch, for shapes in messages;
    of a model with several inputs a tuple.
    keep: None is the rule of `default_keep`; a list of module paths makes exactly these int8, so
    `default_keep(model) + ["head"]` adds one; a mapping gives layers quantisers of their own and all others `weights`.
    ModelError E101: an operation that is not supported. E106: cannot be traced. E107: an unusable argument.
    """
    if not isinstance(model, nn.Module):
        raise ModelError("E107", f"{type(model).__name__} is not a torch.nn.Module", where="prepare")
    if not isinstance(weights, WeightSpec):
        raise ModelError("E107", f"weights={weights!r}", where="prepare", hint="pass a spec such as qat.TWN()")
    if not all(isinstance(a, LSQ) for a in (activations, inputs)):
        raise ModelError("E107", f"activations={activations!r}", where="prepare", hint="pass qat.LSQ(bits=8)")

    traced, steps = _traced(model, sample)
    specs = _specs(traced, steps, weights, keep)
    normed = _normed(steps)
    _insert_quantizers(traced, steps, activations, inputs)
    for path, spec in specs.items():
        layer = traced.get_submodule(path)
        quantizer = spec.quantizer(checked(layer.weight.detach(), path))  # type: ignore[operator]
        if path not in normed:
            quantizer.without_norm()
        parametrize.register_parametrization(layer, "weight", quantizer)
    traced.recompile()
    for name, module in traced.named_modules():
        source = model.get_submodule(name) if name in dict(model.named_modules()) else model
        module.training = source.training
    return traced


def default_keep(model: nn.Module) -> list[str]:
    """The paths that prepare() makes int8 unless told otherwise: first and last layers, depthwise layers."""
    _, steps = _traced(model, None)
    return _default_keep(steps)


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Path -> convolution or linear layer of a float model, in order of first use; copies."""
    return _layers(_traced(model, None)[1])


def _traced(model: nn.Module, sample: Sample | None) -> tuple[fx.GraphModule, Steps]:
    """The copy, traced and tidied, with every node read."""
    copied = copy.deepcopy(model).train()
    for m in copied.modules():
        if isinstance(getattr(m, "inplace", None), bool):
            m.was_inplace, m.inplace = m.inplace, False  # type: ignore[assignment]
    traced = trace(copied)
    graph = traced.graph
    graph.eliminate_dead_code()
    for node in list(graph.nodes):
        if node.op == "placeholder" and not node.users and node.args:  # an option that nothing reads
            graph.erase_node(node)
    if sample is not None:
        traced.recompile()
        try:
            add_shapes(traced, batch_of(traced, sample, "prepare"))
        except ModelError:
            for node in graph.nodes:  # an operation that is not supported says more than shapes that do not fit
                read(traced, node)
            raise
    if any(isinstance(m, FakeQuantizer) for m in model.modules()):
        raise ModelError("E107", "the model is already prepared", where="prepare", hint="prepare the float model")
    _check_ends(traced)
    for node in list(graph.nodes):
        _tidy(traced, node)
    _clip_before_pooling(traced, {n: read(traced, n) for n in graph.nodes})
    graph.lint()
    return traced, {n: read(traced, n) for n in graph.nodes}


def _check_ends(model: fx.GraphModule) -> None:
    inputs = [n for n in model.graph.nodes if n.op == "placeholder"]
    if not inputs:
        raise ModelError("E101", "no inputs", hint="forward must take a tensor")
    for node in inputs:
        if node.args or str(node.target).startswith("*"):
            hint = "forward must take tensors, all of them always; other options belong into the constructor"
            raise ModelError("E101", f"the argument {node.target} can be left out", where=node.name, hint=hint)
    outputs = returned(model)
    if not outputs or not all(isinstance(n, fx.Node) for _, n in outputs):
        hint = "the network must return a tensor, or a tuple, list or dict of tensors"
        raise ModelError("E101", "an output that is no tensor", where="output", hint=hint)
    for key, _ in outputs:
        if not isinstance(key, str) or (key and not NAME.fullmatch(key)):
            what = f"an output is called {reprlib.repr(key)}"
            raise ModelError("E101", what, where="output", hint="use letters and digits")


def _tidy(model: fx.GraphModule, node: fx.Node) -> None:
    """One form for what torch spells in many: no identities, no in-place operations, operands by position."""
    named = [node.kwargs[k] for k in ("input", "x", "other") if k in node.kwargs]
    if node.op == "call_function" and named:
        node.args = (*node.args, *named)
        node.kwargs = {k: v for k, v in node.kwargs.items() if k not in ("input", "x", "other")}
    module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
    in_place = (
        node.kwargs.get("inplace", False)
        or node.target in (operator.iadd, torch.relu_)
        or (node.op == "call_method" and str(node.target).endswith("_"))
        or getattr(module, "was_inplace", False)
    )
    if in_place and any(len(n.users) > 1 for n in node.all_input_nodes[:1]):
        hint = "set inplace=False: which of the values the other users read is not defined here"
        refuse(model, node, "an in-place operation on a value that is used again", hint)
    if isinstance(module, nn.Identity):
        node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
        model.graph.erase_node(node)
    elif node.target in (F.dropout, F.dropout2d):
        p: Any = node.kwargs.get("p", node.args[1] if len(node.args) > 1 else 0.5)
        _replace(model, node, nn.Dropout(p) if node.target is F.dropout else nn.Dropout2d(p))
    elif in_place and node.op == "call_method":
        node.target = str(node.target).removesuffix("_")
    elif node.target is operator.iadd:
        node.target = operator.add
    elif node.target is torch.relu_:
        node.target = torch.relu
    elif in_place and "inplace" in node.kwargs:
        node.kwargs = {k: v for k, v in node.kwargs.items() if k != "inplace"}


def _replace(model: fx.GraphModule, node: fx.Node, module: nn.Module) -> None:
    name = _free_name(model, node.name)
    model.add_submodule(name, module)
    with model.graph.inserting_after(node):
        new = model.graph.call_module(name, (node.args[0],))
    node.replace_all_uses_with(new)
    model.graph.erase_node(node)


def _free_name(model: fx.GraphModule, name: str) -> str:
    while hasattr(model, name):
        name += "_"
    return name


def _clip_before_pooling(model: fx.GraphModule, steps: Steps) -> None:
    """relu(max_pool(x)) -> max_pool(relu(x)), the same values, so that the clipping joins its layer."""
    for node, step in list(steps.items()):
        pool = node.args[0] if isinstance(step, Clip) else None
        while isinstance(pool, fx.Node) and isinstance(steps[pool], MaxPool | Reshape) and len(pool.users) == 1:
            source = operand(pool)
            node.replace_all_uses_with(pool)
            node.replace_input_with(pool, source)
            pool.replace_input_with(source, node)
            pool.prepend(node)
            pool = source


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _fused_end(node: fx.Node, steps: Steps) -> tuple[fx.Node, Clip | None]:
    """The last node that fuses with a layer, batch norm, addition or pooling: its batch norm and one clipping."""
    end, nxt = node, _only_user(node)
    while nxt is not None:
        step = steps[nxt]
        if isinstance(step, Norm) and isinstance(steps[node], Layer):
            end = nxt
        elif isinstance(step, Clip):
            return nxt, step
        elif not isinstance(step, Same):
            break
        nxt = _only_user(nxt)
    return end, None


def _insert_quantizers(model: fx.GraphModule, steps: Steps, activations: LSQ, inputs: LSQ) -> None:
    signs: dict[fx.Node, Sign] = {}
    fused: set[fx.Node] = set()
    last = _output_nodes(model, steps)
    after = [n for n, s in steps.items() if isinstance(s, Input)][-1]  # the quantisers of the inputs stand behind all
    _check_last(model, steps)

    for node, step in steps.items():
        if isinstance(step, Output | Query | ArgMax) or node in fused:
            if node in fused:
                signs[node] = signs[operand(node)]
            continue
        sources = [signs[n] for n in node.all_input_nodes if n in signs]
        signs[node] = _sign_after(step, sources)
        if isinstance(step, PASSES):
            continue
        end, clip = (node, None) if isinstance(step, Input | Clip) else _fused_end(node, steps)
        if clip is not None:
            signs[node] = _sign_after(clip, [signs[node]])
        walk = node
        while walk is not end:
            walk = next(iter(walk.users))
            fused.add(walk)
        label = str(node.target) if isinstance(step, Input) else node.name.lstrip("_")
        name = _free_name(model, f"{label}_q")
        spec = inputs if isinstance(step, Input) else activations
        quantizer: nn.Module
        if isinstance(step, Softmax):
            quantizer = ProbabilityQuantizer()
        else:
            quantizer = OutputQuantizer(name) if end in last else spec.quantizer(signs[node], name)
        model.add_submodule(name, quantizer)
        users = list(end.users)
        with model.graph.inserting_after(after if isinstance(step, Input) else end):
            new = model.graph.call_module(name, (end,))
        after = new if isinstance(step, Input) else after
        for user in users:
            user.replace_input_with(end, new)
        signs[new] = signs[node]


def _sign_after(step: Step, sources: list[Sign]) -> Sign:
    if isinstance(step, Input):
        return Sign.SEEN
    if isinstance(step, Clip):
        return Sign.POSITIVE if step.lo >= 0 else sources[0] if sources else Sign.SIGNED
    if isinstance(step, Layer | Norm):
        return Sign.SIGNED
    return max(sources, key=[Sign.POSITIVE, Sign.SEEN, Sign.SIGNED].index)


def _output_nodes(model: fx.GraphModule, steps: Steps) -> set[fx.Node]:
    """The ends of the layers, additions and poolings that give the outputs; not those that the network itself reads."""
    outputs = {n for _, n in returned(model)}
    found = set()
    for source in outputs:
        node = source
        while isinstance(steps[node], (Reshape, Same, *ENDS)):
            node = operand(node)
        if not _only_returned(node, steps):
            if len(outputs) == 1:
                hint = "return a value that nothing else reads"
                refuse(model, list(model.graph.nodes)[-1], "an output that the network itself reads", hint)
            continue
        if isinstance(steps[node], (Input, Query, *PASSES)):
            hint = "the last operation must be a layer, an addition, an average pooling or a ReLU behind one of them"
            refuse(model, node, f"{type(steps[node]).__name__} as the last operation", hint)
        found.add(node)
    return found


def _only_returned(node: fx.Node, steps: Steps) -> bool:
    """True if nothing reads the value but the caller, be it under other shapes."""
    return all(
        isinstance(steps[n], Output) or (isinstance(steps[n], (Reshape, Same, *ENDS)) and _only_returned(n, steps))
        for n in node.users
    )


def _check_last(model: fx.GraphModule, steps: Steps) -> None:
    """Refuse a softmax or argmax that anything but the output reads."""
    for node, step in steps.items():
        if isinstance(step, ENDS):
            after = node
            while len(after.users) == 1 and isinstance(steps[next(iter(after.users))], Reshape | Same):
                after = next(iter(after.users))
            if any(not isinstance(steps[u], Output) for u in after.users):
                refuse(model, node, f"{type(step).__name__.lower()} inside of the network")


# Which layer gets which weights


def _layers(steps: Steps) -> dict[str, nn.Module]:
    """Path -> layer, in order of first use; one entry for a layer that is used twice."""
    return {s.path: s.module for s in steps.values() if isinstance(s, Layer)}


def _normed(steps: Steps) -> set[str]:
    """The layers that a batch norm follows."""
    found = set()
    for node, step in steps.items():
        after = _only_user(node)
        while after is not None and isinstance(steps[after], Same):
            after = _only_user(after)
        if isinstance(step, Layer) and after is not None and isinstance(steps[after], Norm):
            found.add(step.path)
    return found


def _default_keep(steps: Steps) -> list[str]:
    """The first layer that each input reaches, the last one before each output, and depthwise layers."""
    ends: set[str] = set()
    for node, step in steps.items():
        if isinstance(step, Input):
            ends.update([*_layers(_reached(node, steps, forward=True))][:1])
        if isinstance(step, Output):
            for source in node.all_input_nodes:
                ends.update([*_layers(_reached(source, steps, forward=False))][-1:])
    return [p for p, m in _layers(steps).items() if p in ends or _depthwise(m)]


def _reached(start: fx.Node, steps: Steps, forward: bool) -> Steps:
    """The nodes that depend on `start`, or on which it depends; with itself, in the network's order."""
    found, left = {start}, [start]
    while left:
        node = left.pop()
        new = [n for n in (node.users if forward else node.all_input_nodes) if n not in found]
        found.update(new)
        left += new
    return {n: s for n, s in steps.items() if n in found}


def _depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.groups == layer.in_channels > 1


def _specs(
    model: fx.GraphModule,
    steps: Steps,
    weights: WeightSpec,
    keep: Sequence[str] | Mapping[str, WeightSpec] | None,
) -> dict[str, WeightSpec]:
    layers = _layers(steps)
    if not layers:
        raise ModelError("E101", "no convolution or linear layer", where="prepare")
    if isinstance(keep, str):
        raise ModelError("E107", f"keep={keep!r} is a string", where="prepare", hint=f"use keep=[{keep!r}]")
    given: dict[str, WeightSpec] = (
        dict(keep)
        if isinstance(keep, Mapping)
        else dict.fromkeys(_default_keep(steps) if keep is None else keep, Int8())
    )
    for path, spec in given.items():
        _known(path, "keep", model, layers)
        if not isinstance(spec, WeightSpec):
            raise ModelError("E107", f"keep: {spec!r} is not a spec", where=path, hint="use qat.Int8()")
    for spec in (weights, *given.values()):
        for path in spec.paths if isinstance(spec, PathSpec) else ():
            _known(path, "weights", model, layers)
    chosen = {path: given.get(path, weights) for path in layers}
    return {path: spec.at(path) if isinstance(spec, PathSpec) else spec for path, spec in chosen.items()}


def _known(path: str, option: str, model: nn.Module, layers: Mapping[str, nn.Module]) -> None:
    """ModelError E107 unless the path is one of the layers."""
    if path in layers:
        return
    near = difflib.get_close_matches(path, layers, 1, 0.4)
    other = path in dict(model.named_modules()) and path
    what = "is not a convolution or linear layer" if other else "is not a layer of the model"
    hint = f"did you mean {near[0]!r}?" if near else f"layers: {', '.join(layers)}"
    raise ModelError("E107", f"{option}: {path!r} {what}", where="prepare", hint=hint)
