/* linear_rice_ref.c - sums by rice16.h, some outputs at a time. */
#include "linear_rice.h"

#include "rice16.h"

MCUGEN_WEAK void mcugen1_linear_rice_ref(const struct mcugen_linear_rice *k, const void *x, void *y)
{
    struct mcugen_rice16 code = {k->weights, 0, -16, -(int32_t)k->n - 1, 0, k->k};
    int32_t sums[MCUGEN_SUMS];

    for (uint32_t o = 0; o < k->outputs; o += MCUGEN_SUMS) {
        const uint32_t count = k->outputs - o < MCUGEN_SUMS ? k->outputs - o : MCUGEN_SUMS;

        mcugen1_rice16(&code, (const uint8_t *)x, k->n, count, sums);
        k->finish(&k->tail, o, count, sums, y);
    }
}
