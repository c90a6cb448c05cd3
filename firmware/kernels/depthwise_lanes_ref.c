/* depthwise_lanes_ref.c - the definition in C. Clear before fast. */
#include "depthwise_lanes.h"

/* The sum of one output pixel; x is where its window begins. */
static int32_t window(const struct mcugen_depthwise_lanes *k, const uint8_t *x, const int8_t *w)
{
    const uint32_t down = 4 * k->dilation_h * mcugen_lanes_pitch(&k->in), right = 4U * k->dilation_w;
    int32_t acc = 0;

    for (uint32_t i = 0; i < k->kernel_h; i++) {
        for (uint32_t j = 0; j < k->kernel_w; j++) {
            acc += *w++ * x[(i * down) + (j * right)];
        }
    }
    return acc;
}

MCUGEN_WEAK void mcugen1_depthwise_lanes_ref(const struct mcugen_depthwise_lanes *k, const void *x, void *y,
                                             void *scratch)
{
    int8_t *const w = (int8_t *)scratch;
    const uint32_t n = (uint32_t)k->kernel_h * k->kernel_w;

    for (uint32_t c = 0; c < k->out.channels; c++) {
        const uint8_t *const from = (const uint8_t *)x + 4 * k->in.plane * c;
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * c;

        k->unpack(k->weights, c * n, n, w);
        for (int32_t r = 0; r < k->out.height; r++) {
            const int32_t lane = r / k->out.rows, row = r % k->out.rows;

            const uint8_t *const at = from + mcugen_lanes_at(&k->in, row * k->stride_h - k->top, -k->left) + lane;
            uint8_t *const y_at = to + mcugen_lanes_at(&k->out, row, 0) + lane;

            for (uint32_t col = 0; col < k->out.width; col++) {
                y_at[4 * col] = (uint8_t)mcugen_requantize(&k->tail, c, window(k, &at[4 * col * k->stride_w], w));
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
