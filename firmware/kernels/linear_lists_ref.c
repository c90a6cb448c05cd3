/* linear_lists_ref.c - sums by lists8.h, some outputs at a time. */
#include "linear_lists.h"

#include "lists8.h"

MCUGEN_WEAK void mcugen1_linear_lists_ref(const struct mcugen_linear_lists *k, const void *x, void *y)
{
    const uint8_t *lists = k->weights;
    const struct mcugen_lists8 from = {(const uint8_t *)x, k->block, k->span};
    int32_t sums[MCUGEN_SUMS];

    for (uint32_t o = 0; o < k->outputs; o += MCUGEN_SUMS) {
        const uint32_t count = k->outputs - o < MCUGEN_SUMS ? k->outputs - o : MCUGEN_SUMS;

        lists = mcugen1_lists8(lists, &from, count, sums);
        k->finish(&k->tail, o, count, sums, y);
    }
}
