"""linear: Linear from flat data or an image in lanes to flat data; any output type and weight encoding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import layout
from ..ir import Array, Node, Range, Tensor
from ..layout import FLAT, Layout
from ..ops.linear import Linear as LinearOp
from ..pack import I8, Encoding
from . import base

SUMS = 16  # MCUGEN_SUMS of linear_sums.h
CHUNK = 240  # weights unpacked at a time: a multiple of what a byte, or a pair of them, holds in every encoding


@dataclass(frozen=True)
class Linear(base.Kernel):
    """A dot product over the buffer's bytes per output; int8 weights are read in place, others in chunks by scratch."""

    encoding: Encoding
    stem = "linear"
    op = LinearOp
    uses_scratch = True
    code_bytes = 420  # with dot

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        x, w = node.inputs[0].type, node.inputs[1].type
        if not output.flat or w.dtype not in self.encoding.dtypes or w.shape[0] > 0xFFFF:
            return None
        return base.Signature((base.bare(inputs[0], x),), FLAT)

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        x, w = node.inputs[:2]
        columns = in_buffer_order(w.const, sig.inputs[0], x.type)
        n = columns.shape[1]
        chunk = 0 if self.encoding is I8 else min(n, CHUNK)
        return base.Bound(
            (
                base.tail_field(node, acc),
                *base.weight_fields(columns, self.encoding),
                base.Field("n", "uint32_t", n),
                base.Field("outputs", "uint16_t", w.type.shape[0]),
                base.Field("chunk", "uint16_t", chunk),
            ),
            scratch=-(-chunk // 4) * 4,
            needs=("dot", "mcugen_dsp"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        x, w = node.inputs[0].type, node.inputs[1].type
        weights = w.shape[0] * layout.size(sig.inputs[0], x)
        if "dsp" in core.isa:
            each = core.load / 2 + core.multiply / 2 + core.branch / 16 + 1.7
        else:
            each = 2 * core.load + core.multiply + core.branch + 3
        unpack = 0.0 if self.encoding is I8 else base.unpack_cycles(self.encoding, weights, core)
        return weights * each + unpack + node.output.type.size * (base.tail_cycles(node, acc, core) + 40)


def in_buffer_order(w: Array, lay: Layout, x: Tensor) -> Array:
    """(O, N) weights as (O, bytes of the buffer): each at its element's own place, zeros at all other bytes."""
    out = np.zeros((w.shape[0], layout.size(lay, x)), w.dtype)
    out[:, layout.home(lay, x.shape)] = w
    return out


# What kernels share that make sums and leave the tail to linear_sums.c.


def sums_field(node: Node, acc: Range) -> base.Field:
    """struct mcugen_linear_tail: add and shift in one word where outputs are bytes and 32 bits are enough."""
    tail = base.tail_field(node, acc)
    members = _members(tail)
    add, shift = (np.asarray(members[name].value).astype(np.int64) for name in ("add", "shift"))
    low = shift - 15
    packed = members["bytes"].value == 1 and members["wide"].value == 0 and bool(np.all(low >= 0))
    if packed := packed and bool(np.all(np.abs(add >> low) < 1 << 26)):
        words = ((add >> low) << 5 | low).astype(np.int32)  # add is a multiple of 2^low
        members["add"] = replace(members["add"], value=words)
        members["shift"] = replace(members["shift"], value=np.zeros(1, np.uint8))
    fields = (replace(tail, value=tuple(members.values())), base.Field("packed", "uint8_t", int(packed)))
    return base.Field("tail", "mcugen_linear_tail", fields)


def sums_cycles(node: Node, acc: Range, core: base.Core) -> float:
    """Cycles of the tails and of the loop over outputs, as simulated."""
    members = _members(sums_field(node, acc))
    outputs = node.output.type.size
    if "m0" in core.isa:
        each, batch, layer = 25.0, 105.0, 44.0
    elif core.name == "cortex-m7":
        each, batch, layer = 12.0, 60.0, 20.0
    else:
        each, batch, layer = 21.0, 95.0, 37.0
    if not members["packed"].value:
        each = 101.0 if "m0" in core.isa else 1.85 * each
        if _members(members["tail"])["wide"].value:
            each += 3 * core.long_multiply + 18 * core.pressure
    return each * outputs + batch * -(-outputs // SUMS) + layer


def _members(f: base.Field) -> dict[str, base.Field]:
    assert isinstance(f.value, tuple)
    return {m.name: m for m in f.value}
