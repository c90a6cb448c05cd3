"""The rounding rule of mcugen (firmware/kernels/mcugen_fixed.h is the same in C).

    y = clamp((acc * mult + add) >> shift, lo, hi)          >> rounds towards minus infinity

mult is a signed 16-bit integer, normalised (its magnitude has bit 14 set) wherever shift allows it,
0 <= shift <= 31, add is a signed 32-bit integer and a multiple of 2^(shift - 15) where shift > 15.
That makes the rule equal to SMLAWB/T with mult << (31 - shift), then USAT #bits, ASR #15, on cores that have them.
"""

from __future__ import annotations

import math

import numpy as np

from .errors import GraphError
from .ir import Array

INT32 = 1 << 31

Ints = Array | np.int64 | int
MAX_SHIFT = 31


def requantize(acc: Array, mult: Ints, add: Ints, shift: Ints, lo: int, hi: int) -> Array:
    """clamp((acc * mult + add) >> shift), exact in 64 bits; the operands broadcast. Returns int64."""
    y = (acc.astype(np.int64) * np.asarray(mult, np.int64) + np.asarray(add, np.int64)) >> np.asarray(shift, np.int64)
    return np.asarray(np.clip(y, lo, hi))


def grain(shift: int) -> int:
    """add is a multiple of this."""
    return 1 << max(0, shift - 15)


def narrow(acc_lo: Array, acc_hi: Array, mult: Array, add: Array) -> bool:
    """True if 32 bits are enough: |acc * mult| and |acc * mult + add| < 2^31 for every accumulator."""
    m, a = np.asarray(mult, np.int64), np.asarray(add, np.int64)
    ends = [np.asarray(acc_lo, np.int64) * m, np.asarray(acc_hi, np.int64) * m]
    return all(bool(np.all(np.abs(e) < INT32) and np.all(np.abs(e + a) < INT32)) for e in ends)


def violations(mult: Ints, add: Ints, shift: Ints, acc_lo: Ints, acc_hi: Ints) -> list[str]:
    """What breaks the rule, in words; empty if nothing does. All arguments broadcast per channel."""
    m, a, s, alo, ahi = np.broadcast_arrays(*(np.asarray(v, np.int64) for v in (mult, add, shift, acc_lo, acc_hi)))
    bad = []
    if np.any(np.abs(m) > 32767):
        bad.append("mult is not a symmetric 16-bit integer")
    if np.any((s < 0) | (s > MAX_SHIFT)):
        bad.append(f"shift is outside 0..{MAX_SHIFT}")
    elif np.any(a % (1 << np.maximum(0, s - 15)) != 0):
        bad.append("add is not a multiple of 2^(shift - 15)")
    if np.any((a < -INT32) | (a >= INT32)):
        bad.append("add is not a 32-bit integer")
    fits16 = (alo >= -32768) & (ahi <= 32767)
    if np.any(fits16 & (np.maximum(np.abs(alo * m + a), np.abs(ahi * m + a)) >= INT32)):
        bad.append("acc * mult + add can leave 32 bits although acc fits 16")
    return bad


def lower(
    multiplier: Array, offset: Array, acc_lo: Array, acc_hi: Array, lo: int, hi: int, where: str = ""
) -> tuple[Array, Array, Array]:
    """Integers (mult, add, shift) so that the rule computes round(acc * multiplier + offset), half up.

    multiplier, offset, acc_lo, acc_hi: one per channel. A channel whose every result lies outside [lo, hi] becomes
    the constant that the clamp makes of it. GraphError E207 if the numbers are not finite or too large.
    """
    rows = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, np.float64)) for v in (multiplier, offset, acc_lo, acc_hi))
    )
    out = np.array(
        [
            _lower_channel(float(mul), float(off), float(a), float(b), lo, hi, where)
            for mul, off, a, b in zip(*rows, strict=True)
        ],
        np.int64,
    )
    return out[:, 0].astype(np.int16), out[:, 1].astype(np.int32), out[:, 2].astype(np.uint8)


def _lower_channel(
    mul: float, off: float, acc_lo: float, acc_hi: float, lo: int, hi: int, where: str
) -> tuple[int, int, int]:
    if not (math.isfinite(mul) and math.isfinite(off)):
        raise GraphError("E207", f"multiplier {mul} or offset {off} is not finite", where=where)
    ends = sorted((acc_lo * mul + off, acc_hi * mul + off))
    if ends[0] >= hi:
        return 0, hi, 0
    if ends[1] < lo:
        return 0, lo, 0
    fits16 = acc_lo >= -32768 and acc_hi <= 32767
    # the largest shift with |mult| < 2^15; exact halves round up in magnitude, hence the second test
    shift = min(MAX_SHIFT, 15 - math.frexp(mul)[1]) if mul else 0
    while shift >= 0:
        mult = math.floor(mul * 2.0**shift + 0.5)
        add = _add(off, shift)
        worst = max(abs(int(acc_lo) * mult + add), abs(int(acc_hi) * mult + add))
        if abs(mult) <= 32767 and abs(add) < INT32 and (worst < INT32 or not fits16):
            return mult, add, shift
        shift -= 1
    raise GraphError("E207", f"multiplier {mul:g} with offset {off:g} does not fit 16 bits", where=where)


def _add(offset: float, shift: int) -> int:
    """(offset + 1/2) * 2^shift as the rule allows it.

    acc * mult is an integer, so with a grain of 1 rounding down changes no result; coarser grains round to nearest.
    """
    exact = (offset + 0.5) * 2.0**shift
    return math.floor(exact) if grain(shift) == 1 else math.floor(exact / grain(shift) + 0.5) * grain(shift)


def lower_sum(
    multipliers: tuple[float, ...], offset: float, reach: tuple[int, ...], where: str = ""
) -> tuple[tuple[int, ...], int, int]:
    """Integers (mults, add, shift) for round(sum of x_i * multiplier_i + offset) with one shift (residual add).

    reach: the largest |x_i|. Every partial sum stays below 2^31 in magnitude. add is a multiple of 2^(shift - 15).
    """
    if not all(abs(v) < INT32 for v in (*multipliers, offset)):
        raise GraphError("E207", f"multipliers {multipliers} or offset {offset} not finite or too large", where=where)
    for shift in range(MAX_SHIFT, -1, -1):
        mults = tuple(math.floor(m * 2.0**shift + 0.5) for m in multipliers)
        add = _add(offset, shift)
        worst = sum(abs(m) * r for m, r in zip(mults, reach, strict=True)) + abs(add)
        if all(abs(m) <= 32767 for m in mults) and worst < INT32:
            return mults, add, shift
    raise GraphError("E207", f"multipliers {multipliers} do not fit 16 bits", where=where)
