/* pad_flat_ref.c - the definition in C. Clear before fast. */
#include "pad_flat.h"

#include <string.h>

MCUGEN_WEAK void mcugen1_pad_flat_ref(const struct mcugen_pad_flat *k, const void *x, void *y)
{
    const uint8_t *from = (const uint8_t *)x;
    uint8_t *to = (uint8_t *)y;

    memset(to, k->value, (uint32_t)k->out_c * k->out_h * k->out_w);
    for (uint32_t c = 0; c < k->in_c; c++) {
        for (uint32_t r = 0; r < k->in_h; r++) {
            memcpy(to + (r + k->top) * k->out_w + k->left, from, k->in_w);
            from += k->in_w;
        }
        to += (uint32_t)k->out_h * k->out_w;
    }
}
