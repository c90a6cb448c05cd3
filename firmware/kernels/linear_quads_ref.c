/* linear_quads_ref.c - sums by quads8.h, some outputs at a time. */
#include "linear_quads.h"

#include "quads8.h"

MCUGEN_WEAK void mcugen1_linear_quads_ref(const struct mcugen_linear_quads *k, const void *x, void *y)
{
    const uint8_t *const from = (const uint8_t *)x;
    const uint32_t *quads = k->weights;
    int32_t total = 0, sums[MCUGEN_SUMS];

    for (uint32_t i = 0; i < k->n; i++) {
        total += from[i];
    }
    for (uint32_t o = 0; o < k->outputs; o += MCUGEN_SUMS) {
        const uint32_t count = k->outputs - o < MCUGEN_SUMS ? k->outputs - o : MCUGEN_SUMS;

        for (uint32_t i = 0; i < (count + 3) / 4 * 4; i++) {
            sums[i] = -128 * total;
        }
        quads = mcugen1_quads8(quads, from, k->n, (count + 3) / 4, sums);
        k->finish(&k->tail, o, count, sums, y);
    }
}
