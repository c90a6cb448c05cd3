/* pad_lanes_ref.c - the definition in C. Clear before fast. */
#include "pad_lanes.h"

#include <string.h>

/* Byte offset of pixel (r, s) of channel c. */
static uint32_t offset(const struct mcugen_lanes *l, uint32_t c, uint32_t r, uint32_t s)
{
    if (l->rows == 0) {
        return (c * l->height + r) * l->width + s;
    }
    return 4 * l->plane * c + (uint32_t)mcugen_lanes_at(l, (int32_t)(r % l->rows), (int32_t)s) + r / l->rows;
}

MCUGEN_WEAK void mcugen1_pad_lanes_ref(const struct mcugen_pad_lanes *k, const void *x, void *y)
{
    const uint32_t step = k->in.rows == 0 ? 1 : 4;

    memset(y, k->out.pad_value, 4 * k->out.plane * k->out.channels);
    for (uint32_t c = 0; c < k->in.channels; c++) {
        for (uint32_t r = 0; r < k->in.height; r++) {
            const uint8_t *const from = (const uint8_t *)x + offset(&k->in, c, r, 0);
            uint8_t *const to = (uint8_t *)y + offset(&k->out, c, r + k->top, k->left);

            for (uint32_t s = 0; s < k->in.width; s++) {
                to[4 * s] = from[step * s];
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
