/* linear_pairs_ref.c - sums by pairs8.h, some outputs at a time; the inputs behind the last whole block are padded. */
#include "linear_pairs.h"

#include "pairs8.h"

MCUGEN_WEAK void mcugen1_linear_pairs_ref(const struct mcugen_linear_pairs *k, const void *x, void *y)
{
    const uint8_t *const from = (const uint8_t *)x;
    const uint32_t blocks = k->n / 16, groups = (k->outputs + 3U) / 4;
    const uint32_t *pairs = k->weights, *rest = pairs;
    uint8_t padded[16];
    uint32_t a = 0, b = 0;
    int32_t sums[MCUGEN_SUMS];

    if (blocks > 0) {
        rest += (2 + 16 * blocks) * groups;
        mcugen1_pairs8_first(from, blocks, &a, &b);
    }
    if (k->n % 16 > 0) {
        for (uint32_t i = 0; i < 16; i++) { /* memcpy's code is larger */
            padded[i] = i < k->n % 16 ? from[16 * blocks + i] : 0;
        }
        mcugen1_pairs8_first(padded, 1, &a, &b);
    }
    for (uint32_t o = 0; o < k->outputs; o += MCUGEN_SUMS) {
        const uint32_t count = k->outputs - o < MCUGEN_SUMS ? k->outputs - o : MCUGEN_SUMS;

        for (uint32_t i = 0; i < (count + 3) / 4 * 4; i += 2) {
            sums[i] = (int32_t)a;
            sums[i + 1] = (int32_t)b;
        }
        if (blocks > 0) {
            pairs = mcugen1_pairs8(pairs, from, blocks, (count + 3) / 4, sums);
        }
        if (k->n % 16 > 0) {
            rest = mcugen1_pairs8(rest, padded, 1, (count + 3) / 4, sums);
        }
        k->finish(&k->tail, o, count, sums, y);
    }
}
