/* maxpool_flat_ref.c - the definition in C. Clear before fast. */
#include "maxpool_flat.h"

static uint8_t window(const struct mcugen_maxpool_flat *k, const uint8_t *x, int32_t oy, int32_t ox)
{
    uint8_t best = 0;

    for (int32_t i = 0; i < k->kernel_h; i++) {
        const int32_t y = oy * k->stride_h + i - k->top;

        for (int32_t j = 0; j < k->kernel_w; j++) {
            const int32_t at = ox * k->stride_w + j - k->left;

            if (y >= 0 && y < k->in_h && at >= 0 && at < k->in_w && x[y * k->in_w + at] > best) {
                best = x[y * k->in_w + at];
            }
        }
    }
    return best;
}

MCUGEN_WEAK void mcugen1_maxpool_flat_ref(const struct mcugen_maxpool_flat *k, const void *x, void *y)
{
    const uint8_t *from = (const uint8_t *)x;
    uint8_t *to = (uint8_t *)y;

    for (uint32_t c = 0; c < k->out_c; c++) {
        for (int32_t r = 0; r < k->out_h; r++) {
            for (int32_t s = 0; s < k->out_w; s++) {
                *to++ = window(k, from, r, s);
            }
        }
        from += (uint32_t)k->in_h * k->in_w;
    }
}
