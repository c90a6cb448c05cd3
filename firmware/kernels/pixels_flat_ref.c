/* pixels_flat_ref.c - the definition in C. Clear before fast. */
#include "pixels_flat.h"

MCUGEN_WEAK void mcugen1_pixels_flat_ref(const struct mcugen_pixels_flat *k, const void *x, void *y)
{
    uint8_t *to = (uint8_t *)y;

    for (uint32_t c = 0; c < k->channels; c++) {
        const uint8_t *const table = k->table + c * k->step;
        const uint8_t *from = (const uint8_t *)x + c;

        for (uint32_t i = 0; i < k->n; i++) {
            *to++ = table[from[i * k->channels]];
        }
    }
}
