"""relayout: the same value in another layout. A step of a program, not an operator, hence not in KERNELS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..ir import Tensor
from ..layout import LANES, Layout
from . import base


@dataclass(frozen=True)
class Relayout:
    """Images of bytes: flat to lanes, lanes to flat, lanes to lanes of other rows or halos; runs are lanes."""

    stem: str = field(default="relayout", init=False)
    code_bytes: int = field(default=1500, init=False)
    uses_scratch: bool = field(default=False, init=False)
    in_place: tuple[int, ...] = field(default=(), init=False)  # but see plan.slide
    variadic: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """How reports and --explain call it."""
        return self.stem

    def accepts(self, t: Tensor, src: Layout, dst: Layout) -> bool:
        """True if a value of type `t` can move from `src` to `dst`: an image of bytes, two different layouts."""
        return len(t.shape) == 3 and t.dtype.unsigned and base.fits(t) and src != dst

    def bind(self, t: Tensor, src: Layout, dst: Layout) -> base.Bound:
        """The struct's members for the final layouts."""
        t = _column(t, src, dst)
        needs = ("lanes", "mcugen_dsp")  # linked even where dst is flat: one function serves all directions
        return base.Bound((base.lanes_field("from", src, t), base.lanes_field("to", dst, t)), needs=needs)

    def cycles(self, t: Tensor, src: Layout, dst: Layout, core: base.Core) -> float:
        """Estimated cycles of one call."""
        if src.flat and dst.flat:
            return 8 * t.size + 60  # memcpy, byte by byte in the smallest C libraries
        seal = 0.0 if dst.flat else base.seal_cycles(dst, t, core)
        if src.runs != dst.runs and not src.flat and not dst.flat:
            once, pixel, byte = base.simulated(core, (95, 114, 7.25), (100, 118, 7.5), (150, 131, 9.75))
            return once + t.size * byte + t.size / t.shape[0] * pixel + seal
        c, h, w = _column(t, src, dst).shape
        rows = min(h, (src if dst.flat else dst).rows_per_lane)
        # Once, of a row of lanes, of that in a channel, of four words and of each that is left.
        costs: tuple[float, ...]
        if src.flat and "mve" in core.isa:
            costs = 72, 136, 23, 9, 9
        elif src.flat:
            costs = base.simulated(core, (72, 136, 43, 29, 16), (90, 134, 45, 57, 14.5), (192, 186, 72, 71, 20))
        elif dst.flat and "mve" in core.isa:
            lanes = h / rows
            costs = 100, 126, 12 + 9 * lanes, 4 * lanes, 4 * lanes
        elif dst.flat:
            costs = base.simulated(core, (105, 126, 20, 52, 13), (102, 127, 19, 52, 13), (213, 155, 33, 76, 19))
        elif src.rows_per_lane == dst.rows_per_lane and "mve" in core.isa:
            costs = 80 + 32.5 * c, 0, 13.1, 3, 3
            rows = dst.rows_per_lane
        elif src.rows_per_lane == dst.rows_per_lane:
            rows = dst.rows_per_lane
            costs = base.simulated(core, (95, 0, 32, 17, 5.6), (95, 0, 33, 17, 5.5), (130, 0, 37, 29.7, 6))
        elif "mve" in core.isa:
            costs = 42, 129, 30, 45, 11.4
        else:
            costs = base.simulated(core, (55, 169, 39, 59, 15), (50, 169, 41, 59, 14.6), (150, 223, 66, 72.6, 19.3))
        once, row, each, four, one = costs
        by_fours = "mve" in core.isa and (src.flat or dst.flat or src.rows_per_lane == dst.rows_per_lane)
        total, whole = once + seal, h - (LANES - 1) * rows
        # Of a column the pixels that all lanes have are one row of a flat image.
        column = w == 1 and (src.flat or dst.flat) and whole > 0 and max(src.pad_cols, dst.pad_cols) == 0
        for count, words in ((1, whole), (rows - whole, 1)) if column else ((rows, w),):
            left = min(words % 4, 1) if by_fours else words % 4
            total += count * (row + c * (each + four * (words // 4) + one * left))
        return total


def _column(t: Tensor, src: Layout, dst: Layout) -> Tensor:
    """The type as both layouts can see it: a column, if one is runs and the other flat."""
    if (src.runs or dst.runs) and (src.flat or dst.flat):
        return replace(t, shape=(t.shape[0], t.shape[1] * t.shape[2], 1))
    return t
