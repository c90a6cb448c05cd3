/* conv2d_flat_ref.c - the definition in C. Clear before fast. */
#include "conv2d_flat.h"

/* Tap by tap, and for each along the channels, where kernels of many channels spend their time. Outside the image every
 * channel is the pad value, which a step of 0 repeats. A negative place is a large unsigned one. */
static int32_t window(const struct mcugen_conv2d_flat *k, const uint8_t *x, const int8_t *w, int32_t oy, int32_t ox)
{
    const uint32_t taps = (uint32_t)k->kernel_h * k->kernel_w;
    const uint32_t plane = (uint32_t)k->in_h * k->in_w;
    const uint32_t channels = k->in_c / (uint32_t)k->groups;
    uint32_t y = (uint32_t)(oy * k->stride_h - k->top);
    uint32_t tap = 0;
    int32_t acc = 0;

    for (uint32_t i = 0; i < k->kernel_h; i++) {
        uint32_t at = (uint32_t)(ox * k->stride_w - k->left);

        for (uint32_t j = 0; j < k->kernel_w; j++) {
            const int inside = at < k->in_w && y < k->in_h;
            const uint8_t *const from = inside ? &x[(y * k->in_w) + at] : &k->pad_value;
            const uint32_t step = inside ? plane : 0;

            for (uint32_t c = 0; c < channels; c++) {
                acc += w[(c * taps) + tap] * from[c * step];
            }
            tap++;
            at += k->dilation_w;
        }
        y += k->dilation_h;
    }
    return acc;
}

MCUGEN_WEAK void mcugen1_conv2d_flat_ref(const struct mcugen_conv2d_flat *k, const void *x, void *y, void *scratch)
{
    int8_t *const w = (int8_t *)scratch;
    const uint32_t group_in = k->in_c / (uint32_t)k->groups, group_out = k->out_c / (uint32_t)k->groups;
    const uint32_t n = group_in * k->kernel_h * k->kernel_w;
    uint32_t at = 0;

    for (uint32_t o = 0; o < k->out_c; o++) {
        const uint8_t *const from = (const uint8_t *)x + o / group_out * group_in * k->in_h * k->in_w;

        k->unpack(k->weights, o * n, n, w);
        for (int32_t r = 0; r < k->out_h; r++) {
            for (int32_t s = 0; s < k->out_w; s++) {
                const int32_t v = mcugen_requantize(&k->tail, o, window(k, from, w, r, s));

                mcugen_store(y, at++, v, k->tail.bytes);
            }
        }
    }
}
