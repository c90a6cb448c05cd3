/* avgpool_flat_ref.c - the definition in C. Clear before fast. */
#include "avgpool_flat.h"

static int32_t window(const struct mcugen_avgpool_flat *k, const uint8_t *x, int32_t oy, int32_t ox)
{
    int32_t acc = 0;

    for (int32_t i = 0; i < k->kernel_h; i++) {
        const int32_t y = oy * k->stride_h + i - k->top;

        for (int32_t j = 0; j < k->kernel_w; j++) {
            const int32_t at = ox * k->stride_w + j - k->left;
            const int inside = y >= 0 && y < k->in_h && at >= 0 && at < k->in_w;

            acc += inside ? x[y * k->in_w + at] : k->pad_value;
        }
    }
    return acc;
}

MCUGEN_WEAK void mcugen1_avgpool_flat_ref(const struct mcugen_avgpool_flat *k, const void *x, void *y)
{
    const uint8_t *from = (const uint8_t *)x;
    uint32_t at = 0;

    for (uint32_t c = 0; c < k->out_c; c++) {
        for (int32_t r = 0; r < k->out_h; r++) {
            for (int32_t s = 0; s < k->out_w; s++) {
                const int32_t v = mcugen_requantize(&k->tail, 0, window(k, from, r, s));

                mcugen_store(y, at++, v, k->tail.bytes);
            }
        }
        from += (uint32_t)k->in_h * k->in_w;
    }
}
