"""add_lanes: Add of two images in lanes with the same rows per lane, whatever their halos."""

from __future__ import annotations

from dataclasses import dataclass

from .. import fixed
from ..ir import DType, Node, Range
from ..layout import Layout
from ..ops.add import Add
from . import base


@dataclass(frozen=True)
class AddLanes(base.Kernel):
    """Rows as plain bytes, garbage included, so the sum must fit 32 bits for any two bytes."""

    stem = "add_lanes"
    op = Add
    code_bytes = 700
    in_place = (0, 1)
    runs = True

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> base.Signature | None:
        op, (a, b), y = node.op, (v.type for v in node.inputs), node.output.type
        assert isinstance(op, Add)
        all_lanes = not (output.flat or inputs[0].flat or inputs[1].flat)
        if not all_lanes or not base.fits(y) or not y.dtype.unsigned:
            return None
        if not (base.in_step(inputs[0], output) and base.in_step(inputs[1], output)):
            return None
        if abs(op.add) + DType.U8.hi * (abs(op.mult_a) + abs(op.mult_b)) >= fixed.INT32:
            return None
        return base.Signature((base.bare(inputs[0], a), base.bare(inputs[1], b)), base.bare(output, y))

    def bind(self, node: Node, sig: base.Signature, acc: Range) -> base.Bound:
        op, (a, b), y = node.op, (v.type for v in node.inputs), node.output.type
        assert isinstance(op, Add)
        return base.Bound(
            (
                base.lanes_field("a", sig.inputs[0], a),
                base.lanes_field("b", sig.inputs[1], b),
                base.lanes_field("out", sig.output, y),
                base.Field("add", "int32_t", op.add),
                base.Field("lo", "int32_t", op.to.lo),
                base.Field("hi", "int32_t", op.to.hi),
                base.Field("mult_a", "int16_t", op.mult_a),
                base.Field("mult_b", "int16_t", op.mult_b),
                base.Field("shift", "uint8_t", op.shift),
            ),
            needs=("lanes", "mcugen_dsp"),
        )

    def cycles(self, node: Node, sig: base.Signature, acc: Range, core: base.Core) -> float:
        op, y, out = node.op, node.output.type, sig.output
        assert isinstance(op, Add)
        c, _, w = y.shape
        if "mve" in core.isa:
            word, run, channel = 10.0, 41.0, 15.0
        else:
            word, run, channel = base.simulated(core, (32, 55, 67), (80, 52, 28), (61, 117, 56))
            if "m0" not in core.isa and (op.to.lo, op.to.hi) != (0, 255):
                word += base.simulated(core, (12,), (-8,), (0,))[0]
            elif "m0" in core.isa and op.to.lo:
                word = 92  # in C
            elif "m0" in core.isa and min(op.mult_a, op.mult_b, op.add) >= 0:
                word += 5.5  # pixels below 0 take less time, and there are none
        if all(lay.pad_cols == out.pad_cols for lay in sig.inputs):  # garbage rows and pad columns are added too
            cost = word * (out.rows_per_lane * out.pitch - out.pad_cols) + run
        else:
            cost = out.rows_per_lane * (word * w + run)
        return c * (cost + channel) + base.seal_cycles(out, y, core)
