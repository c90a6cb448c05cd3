/* window_nibbles_ref.c - layers, for all cores, and channels in C: the definition. Clear before fast. */
#include "window_nibbles.h"

#include "mcugen_words.h"
#include "nibble_words.h"

#include <stddef.h>

/* A word of y: eight pixels, from the window at x. */
static uint32_t word(const struct mcugen_window_job *job, const uint8_t *x)
{
    const uint32_t scale = (uint32_t)job->tails[0];
    const uint32_t centre = ((scale >> 8) & 255u) << 13;
    uint32_t y = 0;

    for (uint32_t l = 0; l < 4u; l++) {
        uint32_t sums = centre * 0x00010001u; /* modulo 2^32: garbage rows are not proven */

        for (int32_t i = 0; i < 3; i++) {
            const uint32_t *const row = (const uint32_t *)(const void *)&x[i * job->pitch];

            for (int32_t j = 0; j < 3; j++) {
                sums += (uint32_t)(int32_t)job->weights[(3 * i) + j] * ((row[j] >> (4u * l)) & 0x000f000fu);
            }
        }
        for (uint32_t half = 0; half < 2u; half++) {
            const uint32_t product = ((sums >> (16u * half)) & 0xffffu) * (uint32_t)(job->tails[0] >> 16);
            const int32_t v = (int32_t)(product + (uint32_t)job->tails[1]) >> (scale & 31u);

            y |= (uint32_t)(v < 0 ? 0 : v > 15 ? 15 : v) << (4u * (l + (4u * half)));
        }
    }
    return y;
}

MCUGEN_WEAK void mcugen1_window_nibble_words(struct mcugen_window_job *job)
{
    const int32_t ahead = 4 * (int32_t)job->step;

    for (; job->channels > 0u; job->channels--) {
        const uint8_t *x = job->x;
        uint8_t *y = job->y;

        for (uint32_t row = 0; row < job->rows; row++) {
            for (const uint8_t *const end = &x[job->x_words + ((int32_t)job->odd * ahead)]; x != end; x = &x[ahead]) {
                *(uint32_t *)(void *)y = word(job, x);
                y = &y[4];
            }
            x = &x[job->x_gap];
            y = &y[job->y_gap];
        }
        job->x = &job->x[job->x_plane];
        job->y = &job->y[job->y_plane];
        job->weights = &job->weights[9];
        job->tails = &job->tails[2];
    }
}

/* The pixels of n words to lo .. hi, as limit.h does with bytes. */
static void limit(uint32_t *y, uint32_t n, uint32_t lo, uint32_t hi)
{
    const uint32_t least = lo * 0x01010101u;
    const uint32_t beyond = (255u - hi) * 0x01010101u;

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t even = mcugen_below4(mcugen_max4(mcugen_even_nibbles(y[i]), least), beyond);
        const uint32_t odd = mcugen_below4(mcugen_max4(mcugen_odd_nibbles(y[i]), least), beyond);

        y[i] = even | (odd << 4);
    }
}

MCUGEN_WEAK void mcugen1_window_nibbles_ref(const struct mcugen_window_nibbles *k, const void *x, void *y)
{
    const struct mcugen_lanes *const out = &k->layer.out;

    mcugen1_window_layer(&k->layer, x, y, NULL);
    if (k->layer.lo > 0u || k->layer.hi < 15u) {
        limit((uint32_t *)y, out->plane * out->channels, k->layer.lo, k->layer.hi);
    }
    mcugen1_nibbles_seal(out, (uint8_t *)y);
}
