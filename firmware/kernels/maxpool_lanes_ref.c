/* maxpool_lanes_ref.c - the definition in C. Clear before fast. */
#include "maxpool_lanes.h"

/* The value of one output pixel; x points at its lane. */
static uint8_t window(const struct mcugen_maxpool_lanes *k, const uint8_t *x, int32_t row, int32_t col)
{
    uint8_t best = 0;

    for (int32_t i = 0; i < k->kernel_h; i++) {
        for (int32_t j = 0; j < k->kernel_w; j++) {
            const uint8_t v =
                x[mcugen_lanes_at(&k->in, row * k->stride_h + i - k->top, col * k->stride_w + j - k->left)];

            best = v > best ? v : best;
        }
    }
    return best;
}

MCUGEN_WEAK void mcugen1_maxpool_lanes_ref(const struct mcugen_maxpool_lanes *k, const void *x, void *y)
{
    for (uint32_t c = 0; c < k->out.channels; c++) {
        const uint8_t *const from = (const uint8_t *)x + 4 * k->in.plane * c;
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * c;

        for (int32_t r = 0; r < k->out.height; r++) {
            const int32_t lane = r / k->out.rows, row = r % k->out.rows;

            for (int32_t col = 0; col < k->out.width; col++) {
                to[mcugen_lanes_at(&k->out, row, col) + lane] = window(k, from + lane, row, col);
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
