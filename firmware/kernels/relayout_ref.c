/* relayout_ref.c - the definition in C. Clear before fast. */
#include "relayout.h"

/* Byte offset of the first pixel of row r of channel c. */
static uint32_t start(const struct mcugen_lanes *l, uint32_t c, uint32_t r)
{
    if (l->rows == 0) {
        return (c * l->height + r) * l->width;
    }
    return 4 * l->plane * c + (uint32_t)mcugen_lanes_at(l, (int32_t)(r % l->rows), 0) + r / l->rows;
}

MCUGEN_WEAK void mcugen1_relayout_ref(const struct mcugen_relayout *k, const void *x, void *y)
{
    const uint32_t step_from = k->from.rows == 0 ? 1 : 4, step_to = k->to.rows == 0 ? 1 : 4;

    for (uint32_t c = 0; c < k->to.channels; c++) {
        for (uint32_t r = 0; r < k->to.height; r++) {
            const uint8_t *from = (const uint8_t *)x + start(&k->from, c, r);
            uint8_t *to = (uint8_t *)y + start(&k->to, c, r);

            for (uint32_t s = 0; s < k->to.width; s++) {
                *to = *from;
                from += step_from;
                to += step_to;
            }
        }
    }
    if (k->to.rows != 0) {
        mcugen1_lanes_seal(&k->to, (uint8_t *)y);
    }
}
