/* window_ref.c - layers, for all cores, and channels in C: the definition. Clear before fast. */
#include "window.h"

#include "lanes.h"
#include "limit.h"

#include <stddef.h>

/* A word of y: four pixels, from the window at x. */
static void word(const struct mcugen_window_job *job, const uint8_t *x, uint8_t *y)
{
    const uint32_t scale = (uint32_t)job->tails[0], up = (scale & 31U) + (scale >> 8 & 31U);

    for (uint32_t lane = 0; lane < 4; lane++) {
        uint32_t sum = 0; /* modulo 2^32: garbage rows are not proven */

        for (uint32_t i = 0; i < 3; i++) {
            for (uint32_t j = 0; j < 3; j++) {
                const int32_t product = job->weights[3 * i + j] * x[(int32_t)i * job->pitch + (int32_t)(4 * j + lane)];

                sum += (uint32_t)product;
            }
        }
        const int64_t scaled = (int64_t)(int32_t)(sum << up) * (job->tails[0] >> 16);
        const int32_t v = (int32_t)((uint32_t)(int32_t)(scaled >> 16) + (uint32_t)job->tails[1]) >> 16;

        y[lane] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

MCUGEN_WEAK void mcugen1_window_words(struct mcugen_window_job *job)
{
    const int32_t ahead = 4 * (int32_t)job->step;

    for (; job->channels > 0; job->channels--) {
        const uint8_t *x = job->x;
        uint8_t *y = job->y;

        for (uint32_t row = 0; row < job->rows; row++) {
            for (const uint8_t *const end = x + job->x_words + (int32_t)job->odd * ahead; x != end; x += ahead) {
                word(job, x, y);
                y += 4;
            }
            x += job->x_gap;
            y += job->y_gap;
        }
        job->x += job->x_plane;
        job->y += job->y_plane;
        job->weights += 9;
        job->tails += 2;
    }
}

MCUGEN_WEAK void mcugen1_window_layer(const struct mcugen_window *k, const void *x, void *y, void *scratch)
{
    const int32_t bytes = 4 * k->words, y_row = (int32_t)(4 * mcugen_lanes_pitch(&k->out));
    uint8_t *const to = (uint8_t *)y;
    struct mcugen_window_job job;

    job.weights = (const int8_t *)k->weights;
    job.tails = k->tails;
    job.x = (const uint8_t *)x + 4 * k->x_first;
    job.y = to + 4 * k->y_first;
    job.x_plane = (int32_t)(4 * k->x_plane);
    job.y_plane = (int32_t)(4 * k->out.plane);
    job.channels = k->out.channels;
    job.odd = k->words & 1U;
    job.rows = k->rows;
    job.x_row = 4 * k->x_row;
    job.x_gap = job.x_row - k->step * bytes;
    job.y_gap = y_row - bytes;
    job.x_words = k->step * (bytes & ~7);
    job.pitch = 4 * k->pitch;
    job.step = k->step;
    job.full = k->full;
    if (k->unpack == NULL) {
        k->strips(&job);
    } else {
        for (uint32_t o = 0; o < k->out.channels; o++) {
            k->unpack(k->weights, 9 * o, 9, (int8_t *)scratch);
            job.weights = (const int8_t *)scratch;
            job.channels = 1;
            k->strips(&job);
        }
    }
}

MCUGEN_WEAK void mcugen1_window_ref(const struct mcugen_window *k, const void *x, void *y, void *scratch)
{
    mcugen1_window_layer(k, x, y, scratch);
    mcugen_limit((uint8_t *)y, 4 * k->out.plane * k->out.channels, k->lo, k->hi);
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
