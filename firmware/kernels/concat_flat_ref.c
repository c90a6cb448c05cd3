/* concat_flat_ref.c - the definition in C. Clear before fast. */
#include "concat_flat.h"

MCUGEN_WEAK void mcugen1_concat_flat_ref(const struct mcugen_concat_flat *k, const void *const *x, void *y)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < k->inputs; i++) {
        const uint8_t *const from = (const uint8_t *)x[i];

        if (k->copy[i] && k->bytes == 1) {
            memcpy((uint8_t *)y + at, from, k->count[i]);
            at += k->count[i];
            continue;
        }
        for (uint32_t j = 0; j < k->count[i]; j++) {
            const int32_t v = (from[j] * k->mult[i] + k->add[i]) >> k->shift[i];

            mcugen_store(y, at++, v < k->lo ? k->lo : v > k->hi ? k->hi : v, k->bytes);
        }
    }
}
