"""relayout: the same value in another layout. A step of a program, not an operator, hence not in KERNELS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .. import layout
from ..ir import Tensor
from ..layout import LANES, Layout, halves
from . import base

WIDEST = 8  # words of a row that relayout_thumb.S keeps in registers
HALOS_BYTES = 230  # of a function for rows of one width
# Of those that only cores with the DSP extension have: for three rows a lane, and for 6 x 6 pixels.
DSP_BYTES = {"relayout_3to4": 306, "relayout_12to9": 198, "relayout_9to12": 264, "relayout_9to12_halos": 392}
NIBBLES_BYTES = {  # with what seals nibbles
    "relayout_nibbles": 850,
    "relayout_to_nibbles": 850,
    "relayout_from_nibbles": 350,
    "relayout_pack": 850,
    "relayout_unpack": 350,
}


@dataclass(frozen=True)
class Relayout:
    """Images: flat to lanes, lanes to flat, lanes to lanes of other rows, halos or bits; runs are lanes."""

    stem: str = field(default="relayout", init=False)
    code_bytes: int = field(default=2050, init=False)  # with what relayout_ref.c calls
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
        name = _function(t, src, dst)
        t = _column(t, src, dst)
        return base.Bound(
            (
                base.lanes_field("from", src, t),
                base.lanes_field("to", dst, t),
                base.Field("move", "mcugen_relayout_fn", f"mcugen1_{name}"),
            ),
            # linked even where dst is flat: one function serves all other directions
            needs=("lanes", "nibbles_seal", "relayout_nibbles") if src.nibbles or dst.nibbles else ("lanes",),
            parts=_parts(name),
        )

    def cycles(self, t: Tensor, src: Layout, dst: Layout, core: base.Core) -> float:
        """Estimated cycles of one call, as simulated."""
        if src.flat and dst.flat:
            return 8 * t.size + 60  # memcpy, byte by byte in the smallest C libraries
        name = _function(t, src, dst)
        if name in DSP_BYTES and "dsp" in core.isa:
            return _three_to_four_cycles(t, dst, core) if name == "relayout_3to4" else _square_cycles(name, t, core)
        if name in NIBBLES_BYTES:
            return _nibbles_cycles(t, src, dst, core)
        if name not in (*DSP_BYTES, "relayout_ref"):
            return _halos_cycles(t, dst, core)
        seal = 0.0 if dst.flat else base.seal_cycles(dst, t, core)
        if src.runs != dst.runs and not src.flat and not dst.flat:
            once, pixel, byte = base.simulated(core, (95, 114, 7.25), (100, 118, 7.5), (150, 131, 9.75))
            return once + t.size * byte + t.size / t.shape[0] * pixel + seal
        if not src.flat and src.rows_per_lane == dst.rows_per_lane:
            return seal + _words_cycles(t, src, dst, core)
        c, h, w = _column(t, src, dst).shape
        rows = min(h, (src if dst.flat else dst).rows_per_lane)
        whole = h - (LANES - 1) * rows
        # Of a column the pixels that all lanes have are one row of a flat image.
        column = w == 1 and (src.flat or dst.flat) and whole > 0 and max(src.pad_cols, dst.pad_cols) == 0
        once, total = 0.0, seal
        for count, words in ((1, whole), (rows - whole, 1)) if column else ((rows, w),):
            once, row, channel = _row_cycles(words, src, dst, core, -(-h // rows))
            total += count * (row + c * channel)
        return once + total


def _column(t: Tensor, src: Layout, dst: Layout) -> Tensor:
    """The type as both layouts can see it: a column, if one is runs and the other flat."""
    if (src.runs or dst.runs) and (src.flat or dst.flat):
        return replace(t, shape=(t.shape[0], t.shape[1] * t.shape[2], 1))
    return t


def _function(t: Tensor, src: Layout, dst: Layout) -> str:
    """The function of relayout.h."""
    if src.nibbles and dst.nibbles:
        return f"relayout_nibble_halos{t.shape[2]}" if _halos(t, src, dst) else "relayout_nibbles"
    if src.nibbles or dst.nibbles:
        if halves(dst, src) or halves(src, dst):
            return "relayout_pack" if dst.nibbles else "relayout_unpack"
        return "relayout_to_nibbles" if dst.nibbles else "relayout_from_nibbles"
    if _halos(t, src, dst):
        return f"relayout_halos{t.shape[2]}"
    return "relayout_3to4" if _three_to_four(t, src, dst) else _square(t, src, dst) or "relayout_ref"


def _parts(name: str) -> tuple[base.Part, ...]:
    """The code of a function beyond what is linked for all relayouts."""
    return () if name == "relayout_ref" else (base.Part(name, (DSP_BYTES | NIBBLES_BYTES).get(name, HALOS_BYTES)),)


def _three_to_four(t: Tensor, src: Layout, dst: Layout) -> bool:
    """True if relayout_dsp.S moves the image, where there is the DSP extension."""
    rows = src.rows_per_lane, dst.rows_per_lane
    return (
        not (src.runs or dst.runs)
        and rows == (3, 4)
        and t.shape[2] >= 4
        and (dst.halo_top, dst.pad_cols) == (0, 1)
        and dst.halo_bottom <= 1
    )


def _square(t: Tensor, src: Layout, dst: Layout) -> str | None:
    """The function of relayout_dsp.S between rows and runs of 6 x 6 pixels, where there is the DSP extension."""
    if t.shape[1:] != (6, 6) or src.runs == dst.runs or src.flat or dst.flat or min(src.plane, dst.plane) != 9:
        return None
    if dst.runs:
        return "relayout_12to9" if src.plane == 12 else None
    if dst.rows_per_lane != 2 or dst.plane == 12:
        return "relayout_9to12" if dst.plane == 12 else None
    return "relayout_9to12_halos" if max(dst.halo_top, dst.halo_bottom) <= 1 == dst.pad_cols else None


def _halos(t: Tensor, src: Layout, dst: Layout) -> bool:
    """True if a function for rows of the image's width can move it."""
    same = (src.bits, src.rows_per_lane) == (dst.bits, dst.rows_per_lane)
    alike = not (src.flat or src.runs or dst.runs) and same and t.shape[2] <= WIDEST
    return alike and max(dst.halo_top, dst.halo_bottom) <= 1 and (src.pad_cols, dst.pad_cols) == (0, 1)


def _halos_cycles(t: Tensor, dst: Layout, core: base.Core) -> float:
    c, _, w = t.shape
    rows, top, bottom = dst.rows_per_lane, dst.halo_top, dst.halo_bottom
    if "mve" in core.isa:
        one = int(w == 1)
        return 40 + c * (14 + (2 + one) * rows + 2 * -(-rows // 2) + (2 + w) * top + (3 + w + one) * bottom)
    if "m0" in core.isa:
        halves = int(w > 5)  # of a row
        channel = 29 + (6 + 2 * w + 2 * halves) * rows + (4 + 3 * w + (5 + w) * halves) * top
        channel += (6 + 4 * w + 2 * halves) * bottom
        return base.simulated(core, (), (), (86.0 + c * channel,))[0]
    channel = 23 + (5 + 2 * w + (w == 1)) * rows + 4 * (rows % 2) + (1 + 2 * w) * top + (2 + 3 * w) * bottom
    total = 56.0 + c * channel
    return base.simulated(core, (total,), (total,), ())[0]


def _three_to_four_cycles(t: Tensor, dst: Layout, core: base.Core) -> float:
    c, _, w = t.shape
    fours = -(-(w + 1) // 4)  # of the halo and its pad
    if "mve" in core.isa:
        return 90 + c * (18 + 22 * w + (12 + 8 * fours) * dst.halo_bottom)
    total = 130.0 + c * (27 + 25 * w + (11 + 18 * fours) * dst.halo_bottom)
    return base.simulated(core, (total,), (), ())[0]


def _square_cycles(name: str, t: Tensor, core: base.Core) -> float:
    # Of a channel: on M4 and M33, on M7, and instructions.
    dsp, m7, mve = {
        "relayout_12to9": (57, 38, 52),
        "relayout_9to12": (66, 47, 61),
        "relayout_9to12_halos": (97, 77, 92),
    }[name]
    each = mve if "mve" in core.isa else m7 if core.name == "cortex-m7" else dsp
    return 30.0 + t.shape[0] * each


def _nibbles_cycles(t: Tensor, src: Layout, dst: Layout, core: base.Core) -> float:
    seal = 0.0 if dst.flat else base.seal_cycles(dst, t, core)
    c, h, w = layout.seen(dst if src.flat else src, t.shape)
    if src.bits == dst.bits and (src.kind, src.rows_per_lane) == (dst.kind, dst.rows_per_lane):
        return seal + _words_cycles(replace(t, shape=(c, h, w)), src, dst, core)
    if halves(src, dst) or halves(dst, src):
        runs, n = min(src.rows_per_lane, dst.rows_per_lane), w
        if src.pad_cols == dst.pad_cols:
            runs, n = 1, runs * (w + src.pad_cols) - src.pad_cols
        channel, run, word, rest = (29.0, 35.0, 5.4, 11.5) if dst.nibbles else (34.0, 34.0, 6.1, 8.0)
        total = 70 + c * (channel + runs * (run + word * (n - n % 4) + rest * (n % 4)))
    else:  # pixel by pixel, once and of each channel
        pixel, each = (130, 25.0) if src.nibbles and dst.nibbles else (104, 23.3) if dst.nibbles else (50, 20.2)
        total = 120 + t.size / t.shape[0] * pixel + t.size * each
    return seal + base.simulated(core, (total,), (total,), (1.5 * total,))[0]


def _words_cycles(t: Tensor, src: Layout, dst: Layout, core: base.Core) -> float:
    """Runs of words: rows, or all that have no pad columns between them."""
    (c, _, n), runs = t.shape, dst.rows_per_lane
    if src.pad_cols + dst.pad_cols == 0:
        n, runs = n * runs, 1
    if "mve" in core.isa:
        return 80 + c * (32.5 + runs * (13.1 + 3 * -(-n // 4)))
    # Once, of a channel; of a short run and each of its words; of a long one, each group, and what is left.
    costs = base.simulated(
        core,
        (72, 38, 11, 7, 52.4, 22.1, 4.5),
        (73, 42, 11, 7, 52.4, 22.1, 4.5),
        (101, 51.7, 11.7, 5 + core.branch, 37.8, 13, 3.7),
    )
    once, channel, short, word, run, group, rest = costs
    at_once = 4 if "m0" in core.isa else 8
    left = (n % at_once).bit_count()
    each = short + word * n if n < 8 else run + group * (n // at_once) + rest * left
    return once + c * (channel + runs * each)


def _row_cycles(w: int, src: Layout, dst: Layout, core: base.Core, lanes: int) -> tuple[float, float, float]:
    """Cycles once, of a row of lanes, and of that in a channel."""
    fours, left = divmod(w, 4)
    up = -(-w // 4)
    if "mve" in core.isa:
        if src.flat:
            return 72, 78, 20 + 9 * up
        return (100, 126, 12 + (9 + 4 * up) * lanes) if dst.flat else (42, 150, 10 + 9 * w + 2 * up)
    if dst.flat:  # and of a channel, of four words and of each that is left
        costs = base.simulated(core, (85, 128, 19, 52, 13), (87, 133, 19, 52, 13), (225, 153, 38, 84, 21))
        return costs[0], costs[1], costs[2] + costs[3] * fours + costs[4] * left
    if "m0" in core.isa:
        spread = 44 + 18 * (fours > 0) + 72 * fours + 7 * (left > 0) + 24 * left
        gather = 43 + 14 * (fours > 0) + 73 * fours + 8 * (left > 0) + 22 * left
    else:
        unaligned = (0, 5, 2, 5)[left]  # of the words of four rows, one behind the other
        four = (24 if "dsp" in core.isa else 30) + unaligned
        spread = 20 + 3 * (left == 0) + 4 * (fours % 2) + four * fours + 14 * left
        gather = 14 + 4 * up + 10 * w
    flat = base.simulated(core, (85, 163, spread), (87, 166, spread), (223, 197, spread))
    other = base.simulated(core, (73, 186, gather), (74, 191, gather), (223, 201, gather))
    once, row, channel = flat if src.flat else other
    return once, row, channel
