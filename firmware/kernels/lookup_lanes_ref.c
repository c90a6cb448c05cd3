/* lookup_lanes_ref.c - the definition in C. Clear before fast. */
#include "lookup_lanes.h"

MCUGEN_WEAK void mcugen1_lookup_lanes_ref(const struct mcugen_lookup_lanes *k, const void *x, void *y)
{
    for (uint32_t c = 0; c < k->in.channels; c++) {
        for (int32_t row = 0; row < k->in.rows; row++) {
            const uint8_t *const from = (const uint8_t *)x + 4 * k->in.plane * c + mcugen_lanes_at(&k->in, row, 0);
            uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * c + mcugen_lanes_at(&k->out, row, 0);

            for (int32_t i = 0; i < 4 * k->in.width; i++) {
                to[i] = k->table[from[i] & k->mask];
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
