/* pixels_lanes_ref.c - the definition in C. Clear before fast. */
#include "pixels_lanes.h"

MCUGEN_WEAK void mcugen1_pixels_lanes_ref(const struct mcugen_pixels_lanes *k, const void *x, void *y)
{
    const struct mcugen_lanes *const l = &k->out;

    for (uint32_t c = 0; c < l->channels; c++) {
        const uint8_t *const table = k->table + c * k->step;
        const uint8_t *const from = (const uint8_t *)x + c;
        uint32_t i = 0;

        for (int32_t r = 0; r < l->height; r++) {
            uint8_t *const to = (uint8_t *)y + 4 * l->plane * c + mcugen_lanes_at(l, r % l->rows, 0) + r / l->rows;

            for (uint32_t s = 0; s < l->width; s++) {
                to[4 * s] = table[from[i]];
                i += l->channels;
            }
        }
    }
    mcugen1_lanes_seal(l, (uint8_t *)y);
}
