/* argmax_flat_ref.c - the definition in C. Clear before fast. */
#include "argmax_flat.h"

MCUGEN_WEAK void mcugen1_argmax_flat_ref(const struct mcugen_argmax_flat *k, const void *x, void *y)
{
    int32_t best = mcugen_load(x, 0, k->in_bytes);
    uint32_t at = 0;

    for (uint32_t i = 1; i < k->n; i++) {
        const int32_t v = mcugen_load(x, i, k->in_bytes);

        if (v > best) {
            best = v;
            at = i;
        }
    }
    mcugen_store(y, 0, (int32_t)at, k->bytes);
}
