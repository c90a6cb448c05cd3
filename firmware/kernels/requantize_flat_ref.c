/* requantize_flat_ref.c - the definition in C. Clear before fast. */
#include "requantize_flat.h"

static int32_t load(const uint8_t *x, uint32_t bytes)
{
    int16_t v16;
    int32_t v32;

    if (bytes == 1) {
        return *x;
    }
    if (bytes == 2) {
        memcpy(&v16, x, sizeof v16);
        return v16;
    }
    memcpy(&v32, x, sizeof v32);
    return v32;
}

MCUGEN_WEAK void mcugen1_requantize_flat_ref(const struct mcugen_requantize_flat *k, const void *x, void *y)
{
    const uint8_t *from = (const uint8_t *)x;
    uint32_t at = 0;

    for (uint32_t c = 0; c < k->channels; c++) {
        for (uint32_t i = 0; i < k->each; i++) {
            const int32_t v = mcugen_requantize(&k->tail, c, load(from, k->in_bytes));

            mcugen_store(y, at++, v, k->tail.bytes);
            from += k->in_bytes;
        }
    }
}
