/* linear_mve.c - int8 weights with Helium, four outputs at a time; x is added up once for all. */
#include "linear.h"

#include "dot.h"
#include "linear_sums.h"
#include "mcugen_words.h"

#if defined(__ARM_FEATURE_MVE)

MCUGEN_WEAK void mcugen1_linear_mve(const struct mcugen_linear *k, const void *x, void *y, void *scratch)
{
    const uint8_t *const from = (const uint8_t *)x;
    const int8_t *w = (const int8_t *)k->weights;
    int32_t sums[MCUGEN_SUMS];

    if (k->chunk != 0) {
        mcugen1_linear_ref(k, x, y, scratch);
        return;
    }
    const int32_t less = (int32_t)mcugen1_total_mve(from, k->n) * 128;

    for (uint32_t o = 0; o < k->outputs; o += MCUGEN_SUMS) {
        const uint32_t count = k->outputs - o < MCUGEN_SUMS ? k->outputs - o : MCUGEN_SUMS;
        uint32_t i = 0;

        for (; i + 4 <= count; i += 4, w += 4 * k->n) {
            mcugen1_dot4_mve(from, w, k->n, less, sums + i);
        }
        for (; i < count; i++, w += k->n) {
            sums[i] = mcugen1_dot_mve(from, w, k->n);
        }
        mcugen1_linear_sums(&k->tail, o, count, sums, y);
    }
}

#endif
