"""relayout: the same value in another layout. A step of a program, not an operator, hence not in KERNELS."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ir import Tensor
from ..layout import Layout
from . import base


@dataclass(frozen=True)
class Relayout:
    """Images of bytes: flat to lanes, lanes to flat, lanes to lanes of other rows or halos."""

    stem: str = field(default="relayout", init=False)
    code_bytes: int = field(default=670, init=False)
    uses_scratch: bool = field(default=False, init=False)
    in_place: tuple[int, ...] = field(default=(), init=False)
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
        needs = ("lanes",)  # linked even where dst is flat: one function serves all directions
        return base.Bound((base.lanes_field("from", src, t), base.lanes_field("to", dst, t)), needs=needs)

    def cycles(self, t: Tensor, src: Layout, dst: Layout, core: base.Core) -> float:
        """Estimated cycles of one call."""
        if src.flat and dst.flat:
            return 8 * t.size + 60  # memcpy, byte by byte in the smallest C libraries
        c, h, w = t.shape
        rows = min(h, (dst if src.flat else src).rows_per_lane)
        if "mve" in core.isa:
            seal = 0.0 if dst.flat else base.seal_cycles(dst, t, core)
            four = -(-w // 4)
            if src.flat:
                return c * rows * (9 * four + 50) + seal
            if dst.flat:
                return c * (h * (4 * four + 9) + 40 * rows) + seal
            if src.rows_per_lane == dst.rows_per_lane:
                return c * rows * (3 * four + 40) + seal
            return c * h * (5 * four + 50) + seal
        if src.flat:  # cycles of a word, of a row of words
            word, row = base.simulated(core, (17, 59), (17, 64), (22, 120))
        elif dst.flat:
            word, row = base.simulated(core, (44, 51), (43, 57), (54, 114))
        elif src.rows_per_lane == dst.rows_per_lane:
            word, row = base.simulated(core, (7, 54), (7, 61), (9, 70))
        else:  # of a pixel, of a row of the image
            word, row = base.simulated(core, (10, 51), (10, 63), (11, 137))
            rows = h
        seal = 0.0 if dst.flat else base.seal_cycles(dst, t, core)
        return c * rows * (w * word + row) + seal
