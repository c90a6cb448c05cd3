/* linear_dots_ref.c - sums by dots8.h, some outputs at a time; inputs are prepared for all of them, or chunk by chunk. */
#include "linear_dots.h"

#include "dots8.h"

#define BATCH (MCUGEN_SUMS / MCUGEN_DOTS8 * MCUGEN_DOTS8) /* whole groups */

/* n inputs from x on; those that are not there are 128, which is 0 once they are centred. Returns the end. */
static const uint32_t *quads_of(const uint8_t *x, uint32_t n, uint32_t *quads)
{
    const uint32_t whole = n / 4U;

    if (whole != 0U) {
        mcugen1_dots8_inputs(x, whole, quads);
    }
    if ((4U * whole) != n) {
        uint8_t last[4] = {128, 128, 128, 128};

        for (uint32_t i = 4U * whole; i < n; i++) {
            last[i % 4U] = x[i];
        }
        mcugen1_dots8_inputs(last, 1, &quads[3U * whole]);
    }
    return &quads[3U * ((n + 3U) / 4U)];
}

MCUGEN_WEAK void mcugen1_linear_dots_ref(const struct mcugen_linear_dots *k, const void *x, void *y, void *scratch)
{
    const uint8_t *const from = (const uint8_t *)x;
    uint32_t *const quads = (uint32_t *)scratch;
    const uint32_t *words = k->weights, *end = quads;
    const uint32_t chunk = 4U * k->chunk;
    int32_t sums[MCUGEN_SUMS];

    for (uint32_t o = 0; o < k->outputs; o += BATCH) {
        const uint32_t count = k->outputs - o < BATCH ? k->outputs - o : BATCH;

        words = mcugen1_dots8_starts(words, from, count, sums);
        for (uint32_t at = 0; at < k->n; at += chunk) {
            const uint32_t left = k->n - at;

            if ((o == 0U) || (chunk < k->n)) {
                end = quads_of(&from[at], (left < chunk) ? left : chunk, quads);
            }
            words = mcugen1_dots8(words, quads, end, count, sums);
        }
        k->finish(&k->tail, o, count, sums, y);
    }
}
