/* upsample_lanes_ref.c - the definition in C. Clear before fast. */
#include "upsample_lanes.h"

/* One row of words, each four pixels of as many lanes. */
static void widen(const struct mcugen_upsample_lanes *k, const uint8_t *x, uint8_t *y)
{
    for (uint32_t s = 0; s < k->in.width; s++) {
        for (uint32_t j = 0; j < k->factor_w; j++) {
            for (uint32_t lane = 0; lane < 4; lane++) {
                *y++ = x[4 * s + lane];
            }
        }
    }
}

MCUGEN_WEAK void mcugen1_upsample_lanes_ref(const struct mcugen_upsample_lanes *k, const void *x, void *y)
{
    for (uint32_t c = 0; c < k->in.channels; c++) {
        const uint8_t *const from = (const uint8_t *)x + 4 * k->in.plane * c;
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * c;

        for (int32_t row = 0; row < k->out.rows; row++) {
            widen(k, from + mcugen_lanes_at(&k->in, row / k->factor_h, 0), to + mcugen_lanes_at(&k->out, row, 0));
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
