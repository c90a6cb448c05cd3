/* mul_flat_ref.c - the definition in C. Clear before fast. */
#include "mul_flat.h"

MCUGEN_WEAK void mcugen1_mul_flat_ref(const struct mcugen_mul_flat *k, const void *a, const void *b, void *y)
{
    const uint8_t *const p = (const uint8_t *)a;
    const uint8_t *q = (const uint8_t *)b;

    for (uint32_t i = 0; i < k->n; q++) {
        for (uint32_t j = 0; j < k->each; j++, i++) {
            const int32_t product = (p[i] - k->zero_a) * (*q - k->zero_b);

            mcugen_store(y, i, mcugen_requantize(&k->tail, 0, product), k->tail.bytes);
        }
    }
}
