/* softmax_flat_ref.c - the definition in C. Clear before fast. */
#include "softmax_flat.h"

static uint32_t exponential(const struct mcugen_softmax_flat *k, uint32_t d)
{
    if (d / 256 >= k->steps) {
        return 0;
    }
    return ((uint32_t)k->coarse[d / 256] * (uint32_t)k->fine[d % 256] + (1u << 14)) >> 15;
}

MCUGEN_WEAK void mcugen1_softmax_flat_ref(const struct mcugen_softmax_flat *k, const void *x, void *y)
{
    int32_t most = mcugen_load(x, 0, k->in_bytes);
    uint32_t sum = 0;

    for (uint32_t i = 1; i < k->n; i++) {
        const int32_t v = mcugen_load(x, i, k->in_bytes);

        most = v > most ? v : most;
    }
    for (uint32_t i = 0; i < k->n; i++) {
        const int32_t below = most - mcugen_load(x, i, k->in_bytes);

        sum += exponential(k, (uint32_t)below);
    }
    for (uint32_t i = 0; i < k->n; i++) {
        const int32_t below = most - mcugen_load(x, i, k->in_bytes);
        const uint32_t share = (exponential(k, (uint32_t)below) * k->one + sum / 2) / sum;
        const int32_t v = (int32_t)share;

        mcugen_store(y, i, v < k->lo ? k->lo : v > k->hi ? k->hi : v, k->bytes);
    }
}
