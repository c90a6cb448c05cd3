/* linear_halves.c - sums to elements of 2 bytes, whose products and sums are proven to fit 32 bits. */
#include "linear_sums.h"

#if !defined(__ARM_ARCH_ISA_THUMB) || (__ARM_ARCH_ISA_THUMB == 1 && defined(__ARM_ARCH_ISA_ARM)) /* else assembler */

MCUGEN_WEAK void mcugen1_linear_halves(const struct mcugen_tail *tail, uint32_t first, uint32_t count,
                                       const int32_t *sums, void *y)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t o = first + i;
        int32_t v = (sums[i] * tail->mult[o] + (tail->add[o] >> 5)) >> (tail->add[o] & 31);

        v = v < tail->lo ? tail->lo : v;
        mcugen_store(y, o, v > tail->hi ? tail->hi : v, 2);
    }
}

#endif
