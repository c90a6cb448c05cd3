/* depthwise_flat_ref.c - the definition in C. Clear before fast. */
#include "depthwise_flat.h"

/* The sum of one output pixel. A negative place is a large unsigned one. */
static int32_t window(const struct mcugen_depthwise_flat *k, const uint8_t *x, const int8_t *w, int32_t oy, int32_t ox)
{
    uint32_t y = (uint32_t)(oy * k->stride_h - k->top);
    int32_t acc = 0;

    for (uint32_t i = 0; i < k->kernel_h; i++) {
        uint32_t at = (uint32_t)(ox * k->stride_w - k->left);

        for (uint32_t j = 0; j < k->kernel_w; j++) {
            acc += *w++ * (at < k->in_w && y < k->in_h ? x[(y * k->in_w) + at] : k->pad_value);
            at += k->dilation_w;
        }
        y += k->dilation_h;
    }
    return acc;
}

MCUGEN_WEAK void mcugen1_depthwise_flat_ref(const struct mcugen_depthwise_flat *k, const void *x, void *y,
                                            void *scratch)
{
    const uint8_t *from = (const uint8_t *)x;
    int8_t *const w = (int8_t *)scratch;
    const uint32_t n = (uint32_t)k->kernel_h * k->kernel_w;
    uint32_t at = 0;

    for (uint32_t c = 0; c < k->out_c; c++) {
        k->unpack(k->weights, c * n, n, w);
        for (int32_t r = 0; r < k->out_h; r++) {
            for (int32_t s = 0; s < k->out_w; s++) {
                const int32_t v = mcugen_requantize(&k->tail, c, window(k, from, w, r, s));

                mcugen_store(y, at++, v, k->tail.bytes);
            }
        }
        from += (uint32_t)k->in_h * k->in_w;
    }
}
