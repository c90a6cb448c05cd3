/* linear_tables_ref.c - sums by tables4.h, block by block; the inputs behind the last whole block are padded. */
#include "linear_tables.h"

#include "tables4.h"

MCUGEN_WEAK void mcugen1_linear_tables_ref(const struct mcugen_linear_tables *k, const void *x, void *y, void *scratch)
{
    const uint8_t *codes = k->weights;
    const uint32_t quads = (k->outputs + 3U) / 4;
    int32_t *const sums = (int32_t *)scratch + MCUGEN_TABLES4 / 4;

    for (uint32_t o = 0; o < 4 * quads; o++) {
        sums[o] = -1020 * 8 * (int32_t)((k->n + 31) / 32);
    }
    for (uint32_t i = 0; i < k->n; i += 32) {
        const uint8_t *from = (const uint8_t *)x + i;
        uint8_t padded[32] = {0};

        if (k->n - i < 32) {
            memcpy(padded, from, k->n - i);
            from = padded;
        }
        codes = mcugen1_tables4(codes, from, quads, sums, (uint16_t *)scratch);
    }
    k->finish(&k->tail, 0, k->outputs, sums, y);
}
