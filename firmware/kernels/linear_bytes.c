/* linear_bytes.c - sums to bytes: ((acc * mult >> low) + addend) >> 15 is (acc * mult + (addend << low)) >>
 * (15 + low), because addend << low has no bits that rounding could drop. */
#include "linear_sums.h"

#if !defined(__ARM_ARCH_ISA_THUMB) || (__ARM_ARCH_ISA_THUMB == 1 && defined(__ARM_ARCH_ISA_ARM)) /* else assembler */

MCUGEN_WEAK void mcugen1_linear_bytes(const struct mcugen_tail *tail, uint32_t first, uint32_t count,
                                      const int32_t *sums, void *y)
{
    const int16_t *mult = tail->mult + first;
    const int32_t *add = tail->add + first;
    const int32_t *const end = sums + count;
    const int32_t lo = tail->lo;
    const int32_t hi = tail->hi;
    uint8_t *to = (uint8_t *)y + first;

    while (sums != end) {
        const int32_t word = *add;
        int32_t v = (((*sums * *mult) >> (word & 31)) + (word >> 5)) >> 15;

        v = v < lo ? lo : v;
        *to = (uint8_t)(v > hi ? hi : v);
        sums++;
        mult++;
        add++;
        to++;
    }
}

#endif
