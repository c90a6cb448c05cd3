/* linear_codes_ref.c - sums by codes2.h, some outputs at a time; the inputs behind the last whole block are padded. */
#include "linear_codes.h"

#include "codes2.h"

MCUGEN_WEAK void mcugen1_linear_codes_ref(const struct mcugen_linear_codes *k, const void *x, void *y)
{
    const uint8_t *const from = (const uint8_t *)x;
    const uint32_t blocks = k->n / 16, groups = (k->outputs + 3U) / 4;
    const uint32_t *codes = k->weights, *rest = k->weights + 4 * blocks * groups;
    uint8_t padded[16];
    uint32_t total = (uint32_t)mcugen1_codes2_total(from, blocks);
    int32_t sums[MCUGEN_SUMS];

    if (k->n % 16 > 0) {
        for (uint32_t i = 0; i < 16; i++) { /* memcpy's code is larger */
            padded[i] = i < k->n % 16 ? from[16 * blocks + i] : 0;
        }
        total += (uint32_t)mcugen1_codes2_total(padded, 1);
    }
    for (uint32_t o = 0; o < k->outputs; o += MCUGEN_SUMS) {
        const uint32_t count = k->outputs - o < MCUGEN_SUMS ? k->outputs - o : MCUGEN_SUMS;

        for (uint32_t i = 0; i < (count + 3) / 4 * 4; i++) {
            sums[i] = (int32_t)(0U - total);
        }
        if (blocks > 0) {
            codes = mcugen1_codes2(codes, from, blocks, (count + 3) / 4, sums);
        }
        if (k->n % 16 > 0) {
            rest = mcugen1_codes2(rest, padded, 1, (count + 3) / 4, sums);
        }
        k->finish(&k->tail, o, count, sums, y);
    }
}
