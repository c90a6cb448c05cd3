/* linear_ref.c - the definition in C. Clear before fast. */
#include "linear.h"

#include "dot.h"

/* The sum of output o; w holds `chunk` weights at a time. */
static int32_t row(const struct mcugen_linear *k, uint32_t o, const uint8_t *x, int8_t *w)
{
    int32_t acc = 0;

    for (uint32_t i = 0; i < k->n; i += k->chunk) {
        const uint32_t m = k->n - i < k->chunk ? k->n - i : k->chunk;

        k->unpack(k->weights, o * k->n + i, m, w);
        acc += mcugen1_dot(x + i, w, m);
    }
    return acc;
}

MCUGEN_WEAK void mcugen1_linear_ref(const struct mcugen_linear *k, const void *x, void *y, void *scratch)
{
    const uint8_t *const from = (const uint8_t *)x;

    for (uint32_t o = 0; o < k->outputs; o++) {
        const int32_t acc = k->chunk == 0 ? mcugen1_dot(from, (const int8_t *)k->weights + o * k->n, k->n)
                                          : row(k, o, from, (int8_t *)scratch);

        mcugen_store(y, o, mcugen_requantize(&k->tail, o, acc), k->tail.bytes);
    }
}
