/* linear_wide.c - sums of more than 16 bits, or with shifts below 15, to bytes: with a = acc << up, (a * mult >> 16) +
 * addend is (acc * mult + addend * 2^(16 - up)) * 2^(up - 16), rounded down, because the addend has no bits that rounding
 * could drop. Both halves of a, of which the lower one has no sign, are multiplied in 32 bits. */
#include "linear_sums.h"

/* else assembler */
#if !defined(__ARM_FEATURE_MVE) && \
    (!defined(__ARM_ARCH_ISA_THUMB) || __ARM_ARCH_ISA_THUMB != 1 || defined(__ARM_ARCH_ISA_ARM))

MCUGEN_WEAK void mcugen1_linear_wide(const struct mcugen_tail *tail, uint32_t first, uint32_t count,
                                     const int32_t *sums, void *y)
{
    const int16_t *mult = tail->mult + first;
    const int32_t *add = tail->add + first;
    const int32_t *const end = sums + count;
    const int32_t lo = tail->lo;
    const int32_t hi = tail->hi;
    uint8_t *to = (uint8_t *)y + first;

    while (sums != end) {
        const int32_t word = *add, factor = *mult;
        const int32_t a = (int32_t)((uint32_t)*sums << (word & 31));
        int32_t v = (a >> 16) * factor + (((a & 0xFFFF) * factor) >> 16);

        v = (v + (word >> 5)) >> 15;
        v = v < lo ? lo : v;
        *to = (uint8_t)(v > hi ? hi : v);
        sums++;
        mult++;
        add++;
        to++;
    }
}

#endif
