/* avgpool_lanes_ref.c - the definition in C. Clear before fast. */
#include "avgpool_lanes.h"

/* The sum of one output pixel; x points at its lane. */
static int32_t window(const struct mcugen_avgpool_lanes *k, const uint8_t *x, int32_t row, int32_t col)
{
    int32_t acc = 0;

    for (int32_t i = 0; i < k->kernel_h; i++) {
        for (int32_t j = 0; j < k->kernel_w; j++) {
            acc += x[mcugen_lanes_at(&k->in, row * k->stride_h + i - k->top, col * k->stride_w + j - k->left)];
        }
    }
    return acc;
}

MCUGEN_WEAK void mcugen1_avgpool_lanes_ref(const struct mcugen_avgpool_lanes *k, const void *x, void *y)
{
    for (uint32_t c = 0; c < k->out.channels; c++) {
        const uint8_t *const from = (const uint8_t *)x + 4 * k->in.plane * c;
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * c;

        for (int32_t r = 0; r < k->out.height; r++) {
            const int32_t lane = r / k->out.rows, row = r % k->out.rows;

            for (int32_t col = 0; col < k->out.width; col++) {
                const int32_t v = mcugen_requantize(&k->tail, 0, window(k, from + lane, row, col));

                to[mcugen_lanes_at(&k->out, row, col) + lane] = (uint8_t)v;
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
