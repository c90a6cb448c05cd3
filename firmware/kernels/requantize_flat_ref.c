/* requantize_flat_ref.c - the definition in C. Clear before fast. */
#include "requantize_flat.h"

MCUGEN_WEAK void mcugen1_requantize_flat_ref(const struct mcugen_requantize_flat *k, const void *x, void *y)
{
    uint32_t at = 0;

    for (uint32_t c = 0; c < k->channels; c++) {
        for (uint32_t i = 0; i < k->each; i++) {
            const int32_t v = mcugen_requantize(&k->tail, c, mcugen_load(x, at, k->in_bytes));

            mcugen_store(y, at++, v, k->tail.bytes);
        }
    }
}
