/* linear_sums_ref.c - sums to outputs of any type. */
#include "linear_sums.h"

MCUGEN_WEAK void mcugen1_linear_sums_ref(const struct mcugen_tail *tail, uint32_t first, uint32_t count,
                                         const int32_t *sums, void *y)
{
    for (uint32_t i = 0; i < count; i++) {
        mcugen_store(y, first + i, mcugen_requantize(tail, first + i, sums[i]), tail->bytes);
    }
}
