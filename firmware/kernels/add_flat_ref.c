/* add_flat_ref.c - the definition in C. Clear before fast. */
#include "add_flat.h"

MCUGEN_WEAK void mcugen1_add_flat_ref(const struct mcugen_add_flat *k, const void *a, const void *b, void *y)
{
    const uint8_t *const p = (const uint8_t *)a, *const q = (const uint8_t *)b;

    for (uint32_t i = 0; i < k->n; i++) {
        const int32_t v = (p[i] * k->mult_a + q[i] * k->mult_b + k->add) >> k->shift;

        mcugen_store(y, i, v < k->lo ? k->lo : v > k->hi ? k->hi : v, k->bytes);
    }
}
