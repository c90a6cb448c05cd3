/* linear_sums.c - sums to outputs of any type. */
#include "linear_sums.h"

MCUGEN_WEAK void mcugen1_linear_sums(const struct mcugen_tail *tail, uint32_t first, uint32_t count,
                                     const int32_t *sums, void *y)
{
#if defined(__ARM_FEATURE_MVE)
    if (tail->wide == 0 && ((uintptr_t)y & (tail->bytes - 1U)) == 0) {
        mcugen1_linear_sums_mve(tail, first, count, sums, y);
        return;
    }
#endif
    for (uint32_t i = 0; i < count; i++) {
        mcugen_store(y, first + i, mcugen_requantize(tail, first + i, sums[i]), tail->bytes);
    }
}
