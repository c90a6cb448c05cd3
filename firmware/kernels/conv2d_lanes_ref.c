/* conv2d_lanes_ref.c - the definition in C. Clear before fast. */
#include "conv2d_lanes.h"

/* The sum of one output pixel, tap by tap and for each along the channels; x is where its window begins in the group's
 * first plane. */
static int32_t window(const struct mcugen_conv2d_lanes *k, const uint8_t *x, const int8_t *w)
{
    const uint32_t taps = (uint32_t)k->kernel_h * k->kernel_w, plane = 4 * k->in.plane;
    const uint32_t channels = k->in.channels / (uint32_t)k->groups;
    const uint32_t down = 4 * k->dilation_h * mcugen_lanes_pitch(&k->in), right = 4U * k->dilation_w;
    uint32_t tap = 0;
    int32_t acc = 0;

    for (uint32_t i = 0; i < k->kernel_h; i++) {
        for (uint32_t j = 0; j < k->kernel_w; j++) {
            const uint8_t *const from = &x[(i * down) + (j * right)];

            for (uint32_t c = 0; c < channels; c++) {
                acc += w[(c * taps) + tap] * from[c * plane];
            }
            tap++;
        }
    }
    return acc;
}

MCUGEN_WEAK void mcugen1_conv2d_lanes_ref(const struct mcugen_conv2d_lanes *k, const void *x, void *y, void *scratch)
{
    int8_t *const w = (int8_t *)scratch;
    const uint32_t group_in = k->in.channels / (uint32_t)k->groups, group_out = k->out.channels / (uint32_t)k->groups;
    const uint32_t n = group_in * k->kernel_h * k->kernel_w;

    for (uint32_t o = 0; o < k->out.channels; o++) {
        const uint8_t *const from = (const uint8_t *)x + 4 * k->in.plane * (o / group_out * group_in);
        uint8_t *const to = (uint8_t *)y + 4 * k->out.plane * o;

        k->unpack(k->weights, o * n, n, w);
        for (int32_t r = 0; r < k->out.height; r++) {
            const int32_t lane = r / k->out.rows, row = r % k->out.rows;

            const uint8_t *const at = from + mcugen_lanes_at(&k->in, row * k->stride_h - k->top, -k->left) + lane;
            uint8_t *const y_at = to + mcugen_lanes_at(&k->out, row, 0) + lane;

            for (uint32_t col = 0; col < k->out.width; col++) {
                y_at[4 * col] = (uint8_t)mcugen_requantize(&k->tail, o, window(k, &at[4 * col * k->stride_w], w));
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
