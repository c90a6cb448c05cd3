/* upsample_flat_ref.c - the definition in C. Clear before fast. */
#include "upsample_flat.h"

MCUGEN_WEAK void mcugen1_upsample_flat_ref(const struct mcugen_upsample_flat *k, const void *x, void *y)
{
    const uint8_t *from = (const uint8_t *)x;
    uint8_t *to = (uint8_t *)y;
    const uint32_t rows = (uint32_t)k->in_c * k->in_h;

    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < k->factor_h; i++) {
            for (uint32_t s = 0; s < k->in_w; s++) {
                for (uint32_t j = 0; j < k->factor_w; j++) {
                    *to++ = from[s];
                }
            }
        }
        from += k->in_w;
    }
}
