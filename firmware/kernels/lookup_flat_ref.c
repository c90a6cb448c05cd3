/* lookup_flat_ref.c - the definition in C. Clear before fast. */
#include "lookup_flat.h"

MCUGEN_WEAK void mcugen1_lookup_flat_ref(const struct mcugen_lookup_flat *k, const void *x, void *y)
{
    const uint8_t *const from = (const uint8_t *)x;
    uint8_t *to = (uint8_t *)y;

    for (uint32_t i = 0; i < k->n; i++) {
        const uint8_t *const entry = k->table + (uint32_t)(from[i] & k->mask) * k->bytes;

        *to++ = entry[0];
        if (k->bytes == 2) {
            *to++ = entry[1];
        }
    }
}
