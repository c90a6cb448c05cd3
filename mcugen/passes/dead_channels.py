"""dead_channels: channels that are proven constant are removed, where that is exact.

A channel of a convolution or fully connected layer whose output can take one value only (all weights zero, or always
clamped) is a constant. It may pass through operators that keep channels apart (depthwise, pooling, requantisation)
and must end in convolutions or fully connected layers, whose sums then lose the same amount at every position: inside
the image because the channel is constant there, and in the padding if the constant is the pad value too. The amount
goes into their `add`. Since add must stay a multiple of 2^(shift - 15), the new one is rounded, and it is tried for
every accumulator in range that no output changes; where one would, the channel stays.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from .. import fixed
from ..check import ranges
from ..ir import Array, Graph, Node, Range, Tensor, Value
from ..ops.avgpool import AvgPool
from ..ops.base import tail_constants
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from ..ops.flatten import Flatten
from ..ops.linear import Linear
from ..ops.maxpool import MaxPool
from ..ops.requantize import Requantize
from .rewrite import rewrite

APART = (DepthwiseConv2d, MaxPool, AvgPool, Requantize, Flatten)  # output channel c depends on input channel c alone
ENUMERATE = 1 << 22  # accumulators tried at most


@dataclass(frozen=True)
class _Removal:
    chain: tuple[Node, ...]  # the producer, then operators that keep channels apart
    readers: tuple[Node, ...]
    keep: Array  # bool per channel
    adds: dict[Node, Array]  # the readers' new addends


def dead_channels(graph: Graph) -> Graph:
    """The graph without removable constant channels; outputs stay equal, bit for bit."""
    proven = ranges(graph)
    for node in graph.nodes:
        removal = _find(graph, node, proven)
        if removal is not None:
            return dead_channels(_apply(graph, removal))  # ranges and shapes have changed
    return graph


def _find(graph: Graph, node: Node, proven: dict[Node, tuple[Range, Range]]) -> _Removal | None:
    if not _mixes(node) or tail_constants(node) is None:
        return None
    chain = [node]
    while True:
        last = chain[-1].output
        uses = graph.uses(last)
        if not uses or any(last is v for v in graph.outputs):
            return None
        if len(uses) == 1 and isinstance(uses[0].op, APART):
            chain.append(uses[0])
        elif all(_mixes(u) and u.inputs[0] is last for u in uses):
            break
        else:
            return None
    out = proven[chain[-1]][1]
    each = out.lo.size // node.output.type.shape[0]  # elements per channel after a flatten
    lo, hi = out.lo.reshape(-1, each), out.hi.reshape(-1, each)
    constant = (lo == hi).all(1) & (lo == lo[:, :1]).all(1)
    value = lo[:, 0]
    for reader in uses:
        if any(getattr(reader.op, "padding", ())):
            constant &= value == reader.op.pad_value  # type: ignore[attr-defined]
    channels = np.flatnonzero(constant)
    if channels.size == constant.size:
        channels = channels[1:]  # something must remain
    return _fold(tuple(chain), uses, channels, value, proven) if channels.size else None


def _mixes(node: Node) -> bool:
    return isinstance(node.op, Linear) or (isinstance(node.op, Conv2d) and node.op.groups == 1)


def _by_channel(reader: Node, channels: int) -> Array:
    """The reader's weights as (outputs, channels of its input, taps)."""
    w = reader.inputs[1].const.astype(np.int64)
    return w.reshape(w.shape[0], channels, -1)


def _fold(
    chain: tuple[Node, ...],
    readers: tuple[Node, ...],
    channels: Array,
    value: Array,
    proven: dict[Node, tuple[Range, Range]],
) -> _Removal | None:
    """The largest set of channels, tried all at once and else one by one, whose constants fold exactly."""

    def try_set(chosen: Array) -> dict[Node, Array] | None:
        adds = {}
        for reader in readers:
            new = _new_add(reader, chosen, value, proven[chain[-1]][1])
            if new is None:
                return None
            adds[reader] = new
        return adds

    adds = try_set(channels)
    if adds is None:
        chosen: list[int] = []
        for c in channels:
            found = try_set(np.array([*chosen, c]))
            if found is not None:
                chosen, adds = [*chosen, int(c)], found
        channels = np.array(chosen, np.int64)
    if adds is None:
        return None
    keep = np.ones(value.size, bool)
    keep[channels] = False
    return _Removal(chain, readers, keep, adds)


def _new_add(reader: Node, chosen: Array, value: Array, out: Range) -> Array | None:
    w = _by_channel(reader, value.size)
    lost = (w[:, chosen].sum(2) * value[chosen]).sum(1)  # per output
    constants = tail_constants(reader)
    if constants is None:
        return np.zeros(0, np.int64) if not lost.any() else None
    m, a, s = (np.broadcast_to(np.asarray(v, np.int64), lost.shape) for v in constants)
    rest = np.delete(w, chosen, axis=1)
    each = out.lo.size // value.size
    x = Range(*(np.delete(v.reshape(-1, each), chosen, axis=0)[:, :1] for v in (_low(out, each), _high(out, each))))
    if any(getattr(reader.op, "padding", ())):
        fill = reader.op.pad_value  # type: ignore[attr-defined]
        x = Range(np.minimum(x.lo, fill), np.maximum(x.hi, fill))
    x = Range(x.lo[None], x.hi[None])  # against (outputs, channels, taps)
    least, most = np.minimum(rest * x.lo, rest * x.hi), np.maximum(rest * x.lo, rest * x.hi)
    low, high = least.sum((1, 2)), most.sum((1, 2))
    low_partial, high_partial = np.minimum(least, 0).sum((1, 2)), np.maximum(most, 0).sum((1, 2))
    to = reader.op.to  # type: ignore[attr-defined]
    new = a.copy()
    for o in np.flatnonzero(lost):
        if high[o] - low[o] >= ENUMERATE:
            return None
        acc = np.arange(low[o], high[o] + 1)
        want = fixed.requantize(acc + lost[o], m[o], a[o], s[o], to.lo, to.hi)
        exact, grain = int(a[o] + lost[o] * m[o]), fixed.grain(int(s[o]))
        for candidate in (exact // grain * grain, -(-exact // grain) * grain):
            got = fixed.requantize(acc, m[o], candidate, s[o], to.lo, to.hi)
            legal = not fixed.violations(m[o], candidate, s[o], low_partial[o], high_partial[o])
            if legal and np.array_equal(got, want):
                new[o] = candidate
                break
        else:
            return None
    return new


def _low(out: Range, each: int) -> Array:
    return np.asarray(out.lo.reshape(-1, each).min(1).repeat(each))


def _high(out: Range, each: int) -> Array:
    return np.asarray(out.hi.reshape(-1, each).max(1).repeat(each))


def _apply(graph: Graph, removal: _Removal) -> Graph:
    keep = removal.keep
    readers = Counter(v for n in graph.nodes for v in dict.fromkeys(n.inputs))

    def constant(node: Node, v: Value, data: Array) -> Value:
        """`v` with other data; under a name of its own where another node reads `v` too."""
        if np.array_equal(data, v.const):
            return v
        name = v.name if readers[v] == 1 else f"{node.name}.{v.name}"
        return Value(name, Tensor(v.type.dtype, data.shape, v.type.quant), np.ascontiguousarray(data, v.const.dtype))

    def cut(node: Node, v: Value) -> Value:
        n = v.type.shape[0]  # one for all, one per channel, or after a flatten one per element
        return v if n == 1 else constant(node, v, v.const[keep.repeat(n // keep.size)])

    def change(new: Node, old: Node) -> Node:
        if old in removal.chain:
            inputs = tuple(v if v.data is None else cut(old, v) for v in new.inputs)
            return Node(new.op, inputs, Value(old.name, new.op.infer(*(v.type for v in inputs))))
        if old in removal.readers:
            x, w, *tail = new.inputs
            taps = w.type.shape[2:] if len(w.type.shape) == 4 else ()
            kept = w.const.reshape(w.type.shape[0], keep.size, -1)[:, keep]
            new_w = constant(old, w, kept.reshape(w.type.shape[0], -1, *taps))
            if tail:
                add = removal.adds[old]
                data = (np.broadcast_to(d, add.shape) for d in (tail[0].const, add, tail[2].const))
                tail = [constant(old, t, d) for t, d in zip(tail, data, strict=True)]
            return Node(new.op, (x, new_w, *tail), Value(old.name, old.output.type))
        return new

    return rewrite(graph, change)
