"""The rounding rule against exact arithmetic, and its equality with the instructions that cores have for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mcugen import fixed
from mcugen.errors import GraphError

T = TypeVar("T")
MULT = st.integers(-32767, 32767)
INT16 = st.integers(-32768, 32767)
INT32 = st.integers(-(2**31), 2**31 - 1)
SHIFT = st.integers(0, 31)
EDGES16 = (-32768, -32767, -16385, -16384, -1, 0, 1, 16383, 16384, 32766, 32767)


def exact(acc: int, mult: int, add: int, shift: int, lo: int, hi: int) -> int:
    """The rule in rational numbers."""
    return min(max(math.floor(Fraction(acc * mult + add, 2**shift)), lo), hi)


def grain(shift: int) -> int:
    """What add is a multiple of, as FORMAT.md says it."""
    return 2 ** (shift - 15) if shift > 15 else 1


# ---- requantize ----


@given(INT32, MULT, INT32, SHIFT, st.sampled_from([(0, 255), (0, 1), (3, 250), (-32768, 32767), (-(2**31), 2**31 - 1)]))
@example(-(2**31), -32767, 2**31 - 1, 0, (-(2**31), 2**31 - 1))
@example(-1, 1, 0, 31, (-32768, 32767))
@settings(max_examples=500)
def test_requantize_is_exact(acc: int, mult: int, add: int, shift: int, limits: tuple[int, int]) -> None:
    got = fixed.requantize(np.array([acc]), np.array(mult), np.array(add), np.array(shift), *limits)
    assert got.tolist() == [exact(acc, mult, add, shift, *limits)]


def test_requantize_rounds_towards_minus_infinity() -> None:
    acc = np.arange(-5, 6)
    got = fixed.requantize(acc, 1, 0, 1, -9, 9)
    assert got.tolist() == [-3, -2, -2, -1, -1, 0, 0, 1, 1, 2, 2]
    half_up = fixed.requantize(acc, 1, 1, 1, -9, 9)
    assert half_up.tolist() == [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3]


def test_requantize_broadcasts_per_channel() -> None:
    acc = np.arange(12).reshape(2, 3, 2)
    mult, add, shift = (np.array(v).reshape(1, 3, 1) for v in ([1, -2, 3], [0, 10, 8], [0, 1, 3]))
    got = fixed.requantize(acc, mult, add, shift, -100, 100)
    for n, c, i in np.ndindex(acc.shape):
        assert got[n, c, i] == exact(
            int(acc[n, c, i]), (1, -2, 3)[c], (0, 10, 8)[c], (0, 1, 3)[c], -100, 100
        )  # fmt: skip
    assert got.dtype == np.int64


# ---- instructions ----


def wrap32(x: int) -> int:
    """The low 32 bits, signed."""
    return (x + 2**31) % 2**32 - 2**31


def smlawb(m: int, acc: int, a: int) -> int:
    """SMLAWB: the top 32 of the 48 bits of m * (signed half word), plus a. The flag Q must not be set."""
    assert -(2**31) <= m < 2**31 and -32768 <= acc <= 32767
    total = (m * acc >> 16) + a
    assert total == wrap32(total)
    return total


def usat_asr15(bits: int, x: int) -> int:
    """USAT #bits, x, ASR #15."""
    return min(max(x >> 15, 0), 2**bits - 1)


def with_smlawb(acc: int, mult: int, add: int, shift: int, bits: int) -> int:
    """The rule as an M4 computes it, for shift >= 15."""
    a = add // 2 ** (shift - 15)
    assert a * 2 ** (shift - 15) == add
    return usat_asr15(bits, smlawb(mult << (31 - shift), acc, a))


def with_muls(acc: int, mult: int, add: int, shift: int) -> int:
    """The rule as MULS, ADDS, ASRS compute it."""
    return wrap32(wrap32(acc * mult) + add) >> shift


def legal_add(raw: int, acc: tuple[int, ...], mult: int, shift: int) -> int | None:
    """raw made a multiple of the grain, or None if the sum can leave 32 bits."""
    add = raw // grain(shift) * grain(shift)
    return add if all(abs(a * mult + add) < 2**31 for a in acc) else None


def assert_instructions(acc: int, mult: int, add: int, shift: int) -> None:
    for bits in (8, 4, 1):
        want = exact(acc, mult, add, shift, 0, 2**bits - 1)
        assert with_smlawb(acc, mult, add, shift, bits) == want, (acc, mult, add, shift, bits)
    assert with_muls(acc, mult, add, shift) == (acc * mult + add) >> shift


def test_instructions_give_the_rule_at_the_edges() -> None:
    tried = 0
    for shift in range(15, 32):
        g = grain(shift)
        for mult in (*EDGES16[1:], 2, 3, -2, -3):
            for raw in (-(2**31), -(2**30), -g, 0, g, 2 ** (shift - 1), 3 * g, 2**30, 2**31 - 1):
                for acc in EDGES16:
                    add = legal_add(raw, (acc,), mult, shift)
                    if add is not None:
                        assert_instructions(acc, mult, add, shift)
                        tried += 1
    assert tried > 10_000


@given(INT16, MULT, INT32, st.integers(15, 31))
@settings(max_examples=1000)
def test_instructions_give_the_rule(acc: int, mult: int, raw: int, shift: int) -> None:
    add = legal_add(raw, (acc,), mult, shift)
    assume(add is not None)
    assert add is not None
    assert_instructions(acc, mult, add, shift)


def test_smlawb_wants_what_the_rule_demands() -> None:
    """Seen to matter: an add that is no multiple of the grain, and shift 14, where the multiplier leaves 32 bits."""
    assert math.floor(Fraction(-1 * 1 + 1, 2**31)) == 0
    assert usat_asr15(8, smlawb(1, -1, 1 // 2**16)) == 0  # equal only after saturation:
    assert smlawb(1, -1, 1 // 2**16) >> 15 == -1
    assert 32767 << (31 - 14) > 2**31 - 1


# ---- narrow ----


@given(INT32, st.integers(0, 50), MULT, INT32)
@example(2**16, 0, 32767, -(2**31) + 7)
@example(70000, 0, 32000, -(2**30))  # the product leaves 32 bits, the sum does not
@settings(max_examples=400)
def test_narrow_is_proof_for_32_bits(lo: int, width: int, mult: int, add: int) -> None:
    hi = min(lo + width, 2**31 - 1)
    proven = fixed.narrow(np.array([lo]), np.array([hi]), np.array([mult]), np.array([add]))
    sums = [v for acc in range(lo, hi + 1) for v in (acc * mult, acc * mult + add)]
    assert proven == all(abs(v) < 2**31 for v in sums)


def test_narrow_wants_every_channel() -> None:
    lo, hi = np.array([-100, -100]), np.array([100, 1 << 20])
    assert fixed.narrow(lo, hi, np.array([3, 3]), np.array([1, 1]))
    assert not fixed.narrow(lo, hi, np.array([3, 30000]), np.array([1, 1]))


# ---- violations ----


@pytest.mark.parametrize(
    "mult,add,shift,acc,word",
    [
        (-32768, 0, 15, (0, 1), "symmetric"),
        (32768, 0, 15, (0, 1), "symmetric"),
        (1, 0, 32, (0, 1), "shift"),
        (1, 0, -1, (0, 1), "shift"),
        (1, 1, 16, (0, 1), "multiple"),
        (1, 2**15, 31, (0, 1), "multiple"),
        (1, 2**31, 15, (2**20, 2**20), "32-bit"),
        (1, -(2**31) - 1, 15, (2**20, 2**20), "32-bit"),
        (32767, 2**31 - 32767, 15, (0, 1), "acc fits 16"),
        (-32767, -(2**31) + 32767, 15, (0, 1), "acc fits 16"),
    ],
)
def test_violations(mult: int, add: int, shift: int, acc: tuple[int, int], word: str) -> None:
    bad = fixed.violations(np.array([5, mult]), np.array([0, add]), np.array([3, shift]), *map(np.array, acc))
    assert len(bad) == 1
    assert word in bad[0]


@pytest.mark.parametrize(
    "mult,add,shift,acc",
    [
        (32767, 2**31 - 1 - 32767, 15, (0, 1)),
        (-32767, 2**16, 31, (-32768, 32767)),
        (0, -(2**31), 0, (2**20, 2**20)),
        (32767, 2**31 - 1, 15, (0, 2**20)),  # wide: 64 bits
        (1, 1, 15, (0, 0)),
    ],
)
def test_no_violation(mult: int, add: int, shift: int, acc: tuple[int, int]) -> None:
    assert fixed.violations(mult, add, shift, *acc) == []


# ---- lower ----


def codes(call: Callable[[], T]) -> T | str:
    """The result, or the code of the error."""
    try:
        return call()
    except GraphError as e:
        return e.code


REAL = st.builds(lambda s, m, e: s * m * 10.0**e, st.sampled_from([-1, 1]), st.floats(1, 10), st.integers(-15, 4))
LIMITS = st.sampled_from([(0, 255), (0, 15), (0, 1), (10, 240), (-32768, 32767)])


def error(acc: Fraction, shift: int) -> Fraction:
    """What FORMAT.md allows beyond half a unit: the multiplier's and the addend's own rounding (and that of floats)."""
    return acc / 2 ** (shift + 1) + (Fraction(1, 2**16) if shift > 15 else Fraction(1, 2**30))


@st.composite
def channels(draw: st.DrawFn) -> tuple[float, float, int, int, int, int]:
    """(multiplier, offset, acc_lo, acc_hi, lo, hi)."""
    lo, hi = draw(LIMITS)
    bound = draw(st.sampled_from([1, 100, 32767, 2**20, 2**31 - 1]))
    a, b = sorted((draw(st.integers(-bound - 1, bound)), draw(st.integers(-bound - 1, bound))))
    if draw(st.booleans()):  # a range of results like the clamp's
        multiplier = draw(st.sampled_from([-1, 1])) * draw(st.floats(0.001, 8)) * (hi - lo) / max(1, -a, b)
    else:
        multiplier = draw(st.one_of(REAL, st.just(0.0), st.floats(allow_nan=False, allow_infinity=False)))
    offset = draw(st.one_of(st.floats(lo - 3, hi + 3), st.floats(-1e6, 1e6), st.sampled_from([lo - 0.5, hi - 0.5])))
    return multiplier, offset, a, b, lo, hi


@given(channels(), st.data())
@settings(max_examples=600, deadline=None)
def test_lower(c: tuple[float, float, int, int, int, int], data: st.DataObject) -> None:
    multiplier, offset, acc_lo, acc_hi, lo, hi = c
    got = codes(lambda: fixed.lower(np.array([multiplier]), np.array([offset]), *map(np.array, c[2:4]), lo, hi))
    if isinstance(got, str):
        assert got == "E207"
        assert abs(multiplier) >= 32767, "only multipliers beyond 16 bits are refused here"
        return
    m, a, s = got
    assert (m.dtype, a.dtype, s.dtype) == (np.int16, np.int32, np.uint8)
    mult, add, shift = int(m[0]), int(a[0]), int(s[0])
    assert fixed.violations(m, a, s, acc_lo, acc_hi) == []
    ends = [Fraction(multiplier) * acc + Fraction(offset) for acc in (acc_lo, acc_hi)]
    constant = max(ends) < lo or min(ends) >= hi
    inner = data.draw(st.lists(st.integers(acc_lo, acc_hi), max_size=10))
    for acc in (acc_lo, acc_hi, *inner, *(v for v in (-1, 0, 1) if acc_lo <= v <= acc_hi)):
        real = Fraction(multiplier) * acc + Fraction(offset)
        y = exact(acc, mult, add, shift, lo, hi)
        off = abs(y - min(max(real, Fraction(lo)), Fraction(hi)))
        assert off <= Fraction(1, 2) + (0 if constant else error(Fraction(abs(acc)), shift)), acc
        if constant:
            assert y == (lo if max(ends) < lo else hi)
    if not constant and mult and shift < 31:
        assert_shift_is_largest(multiplier, offset, acc_lo, acc_hi, shift)


def assert_shift_is_largest(multiplier: float, offset: float, acc_lo: int, acc_hi: int, shift: int) -> None:
    """With one more bit of shift, one of the three numbers or their sum does not fit."""
    s = shift + 1
    mult = math.floor(Fraction(multiplier) * 2**s + Fraction(1, 2))
    add = math.floor((Fraction(offset) + Fraction(1, 2)) * 2**s / grain(s) + Fraction(1, 2)) * grain(s)
    fits16 = acc_lo >= -32768 and acc_hi <= 32767
    worst = max(abs(acc_lo * mult + add), abs(acc_hi * mult + add))
    # 3: the rounding of floats within lower itself
    assert abs(mult) > 32767 - 3 or abs(add) >= 2**31 - 3 * grain(s) or (fits16 and worst >= 2**31 - 3 * 32768)


@pytest.mark.parametrize(
    "multiplier,offset,shift,mult",
    [
        (0.5, 0.0, 15, 16384),  # 1/2 is 2^14 / 2^15: bit 14 is set
        (1.0, 0.0, 14, 16384),
        (1.9999, 0.0, 14, 32766),
        (-1.0, 0.0, 14, -16384),
        (16384.0, 0.0, 0, 16384),
        (32767.0, 0.0, 0, 32767),
        (-32767.0, 255.0, 0, -32767),
        (2.0**-17, 0.0, 31, 16384),
        (2.0**-31, 0.0, 31, 1),
        (2.0**-32, 0.0, 31, 1),  # half a unit: up
        (-(2.0**-32), 0.0, 31, 0),  # half a unit: up
        (1e-300, 0.0, 31, 0),
        (0.0, 0.0, 0, 0),
    ],
)
def test_lower_normalises(multiplier: float, offset: float, shift: int, mult: int) -> None:
    m, _, s = fixed.lower(np.array([multiplier]), np.array([offset]), np.array([-9]), np.array([9]), -32768, 32767)
    assert (m[0], s[0]) == (mult, shift)


def test_lower_takes_channels_apart() -> None:
    mul, off = np.array([0.01, -2.0, 3.0, 1.0]), np.array([0.0, 100.0, -5000.0, 400.0])
    m, a, s = fixed.lower(mul, off, np.array([-100]), np.array([100]), 0, 255)
    assert m[2:].tolist() == [0, 0] and s[2:].tolist() == [0, 0]
    assert a[2:].tolist() == [0, 255]  # constants: everything is below, everything is above
    one = fixed.lower(mul[1:2], off[1:2], np.array([-100]), np.array([100]), 0, 255)
    assert (m[1], a[1], s[1]) == (one[0][0], one[1][0], one[2][0])


def test_lower_keeps_what_just_reaches_inside() -> None:
    """Constants are only what no accumulator can make anything else; results near the limits count."""
    for offset, want in ((-0.5, [0, 0]), (0.25, [0, 1]), (0.0, [0, 1]), (254.0, [254, 255]), (253.9, [254, 255])):
        m, a, s = fixed.lower(np.array([0.75]), np.array([offset]), np.array([0]), np.array([1]), 0, 255)
        got = [exact(acc, int(m[0]), int(a[0]), int(s[0]), 0, 255) for acc in (0, 1)]
        assert got == want, offset


def test_lower_holds_the_sum_below_32_bits_where_acc_fits_16() -> None:
    """acc * mult and add fit, but not together: a bit of shift is given up. Wider accumulators keep it."""
    args = np.array([-1.99]), np.array([66000.0])
    m, a, s = fixed.lower(*args, np.array([-32768]), np.array([32767]), -32768, 32767)
    assert (m[0], s[0]) == (-16302, 13)
    assert fixed.violations(m, a, s, -32768, 32767) == []
    m, a, s = fixed.lower(*args, np.array([-32769]), np.array([32767]), -32768, 32767)
    assert (m[0], s[0]) == (-32604, 14)


def test_lower_rounds_half_up() -> None:
    m, a, s = fixed.lower(np.array([0.125]), np.array([0.0]), np.array([-12]), np.array([12]), -99, 99)
    got = [exact(acc, int(m[0]), int(a[0]), int(s[0]), -99, 99) for acc in (-12, -5, -4, -3, 3, 4, 11, 12)]
    assert got == [-1, -1, 0, 0, 0, 1, 1, 2]


def test_lower_wide_accumulators() -> None:
    """Beyond 16 bits the product may leave 32: more precision, computed in 64 bits."""
    wide = fixed.lower(np.array([1e-5]), np.array([7.0]), np.array([-(2**24)]), np.array([2**24]), 0, 255)
    assert not fixed.narrow(np.array([-(2**24)]), np.array([2**24]), wide[0], wide[1])
    for acc in (-(2**24), -1, 0, 1, 12345678, 2**24):
        got = int(fixed.requantize(np.array([acc]), *wide, 0, 255)[0])
        assert abs(got - min(max(acc * 1e-5 + 7, 0), 255)) <= 0.5 + 2**24 / 2 ** (int(wide[2][0]) + 1) + 2**-16


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 32768.0, -40000.0, 1e300])
def test_lower_refuses(bad: float) -> None:
    with pytest.raises(GraphError, match=r"\[E207\] conv1: "):
        fixed.lower(np.array([0.5, bad]), np.array([0.0]), np.array([-9]), np.array([9]), 0, 255, "conv1")
    if not math.isfinite(bad):
        with pytest.raises(GraphError, match=r"\[E207\] conv1: "):
            fixed.lower(np.array([0.5]), np.array([bad]), np.array([-9]), np.array([9]), 0, 255, "conv1")


# ---- lower_sum ----


@given(
    st.lists(st.one_of(REAL, st.floats(-4, 4)), min_size=1, max_size=3),
    st.one_of(st.floats(-300, 300), st.floats(-1e6, 1e6)),
    st.data(),
)
@settings(max_examples=400, deadline=None)
def test_lower_sum(multipliers: list[float], offset: float, data: st.DataObject) -> None:
    reach = tuple(data.draw(st.sampled_from([1, 15, 255, 32768])) for _ in multipliers)
    lowered = codes(lambda: fixed.lower_sum(tuple(multipliers), offset, reach))
    if isinstance(lowered, str):
        assert lowered == "E207"
        assert max(map(abs, multipliers)) > 2**30 / (3 * 32768)
        return
    mults, add, shift = lowered
    assert all(abs(m) <= 32767 for m in mults)
    assert 0 <= shift <= 31 and add % grain(shift) == 0
    assert sum(abs(m) * r for m, r in zip(mults, reach, strict=True)) + abs(add) < 2**31  # any partial sum
    for _ in range(5):
        xs = [data.draw(st.sampled_from([-r, -1, 0, 1, r]) | st.integers(-r, r)) for r in reach]
        real = sum(Fraction(m) * x for m, x in zip(multipliers, xs, strict=True)) + Fraction(offset)
        got = (sum(m * x for m, x in zip(mults, xs, strict=True)) + add) >> shift
        assert abs(got - real) <= Fraction(1, 2) + error(Fraction(sum(map(abs, xs))), shift)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e305, -1e305, 2.0**31, 40000.0])
def test_lower_sum_refuses(bad: float) -> None:
    with pytest.raises(GraphError, match=r"\[E207\] add1: "):
        fixed.lower_sum((0.5, bad), 0.0, (255, 255), "add1")
    if bad != 40000.0:
        with pytest.raises(GraphError, match=r"\[E207\] add1: "):
            fixed.lower_sum((0.5, 0.5), bad, (255, 255), "add1")
