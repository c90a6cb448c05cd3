/* direct_ref.c - channels and runs of strips, for all cores, and strips in C: the definition. Clear before fast. */
#include "direct.h"

#include "lanes.h"
#include "limit.h"

#include <stddef.h>

MCUGEN_WEAK void mcugen1_direct_words(const struct mcugen_direct_job *job)
{
    const uint8_t *x = job->x, *end = job->end;
    uint8_t *y = job->y;

    for (;;) {
        const int32_t *program = job->program;
        uint32_t sum[8] = {0, 0, 0, 0, 0, 0, 0, 0}; /* modulo 2^32: garbage rows are not proven */
        int32_t row;

        do {
            row = program[0];
            x += row >> 1;
            for (uint32_t t = 0; t < job->taps; t++) {
                const int32_t w = (int16_t)((uint32_t)program[1 + t] & 0xffffU);

                for (uint32_t i = 0; i < 4 * job->words; i++) {
                    const int32_t product = w * x[4 * (t + i / 4 * job->step) + i % 4];

                    sum[i] += (uint32_t)product;
                }
            }
            program += 1 + job->taps;
        } while ((row & 1) == 0);
        for (uint32_t i = 0; i < 4 * job->words; i++) {
            const int32_t up = (int32_t)(sum[i] << (job->scale & 31));
            const int32_t product = (int32_t)(((int64_t)up * (job->scale >> 16)) >> 16);
            const int32_t v = (int32_t)((uint32_t)product + (uint32_t)job->more) >> 16;

            y[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
        y += 4 * job->words;
        if (y == job->last) {
            return;
        }
        if (y == end) {
            x += job->x_gap;
            y += job->y_gap;
            end += job->y_row;
        }
    }
}

/* A weight of the program. */
static uint32_t scaled(int32_t w, uint32_t up)
{
    return (uint32_t)w << up;
}

/* The program of a channel whose weights begin at `first`, scaled by 2^up. */
static void prepare(const struct mcugen_direct *k, uint32_t first, uint32_t up, uint32_t *program)
{
    const uint32_t taps = k->taps, n = k->row_count * taps;
    int8_t *const weights = (int8_t *)(program + n + k->row_count);
    const int8_t *w = (const int8_t *)k->weights + first;
    const int32_t *const end = k->rows + k->row_count;

    if (k->unpack != NULL) {
        k->unpack(k->weights, first, n, weights);
        w = weights;
    }
    for (const int32_t *row = k->rows; row != end; row++) {
        const int8_t *const last = w + taps - 1;
        uint32_t here = scaled(*w, up);

        *program++ = (uint32_t)*row;
        while (w != last) {
            w++;
            const uint32_t next = scaled(*w, up);

            *program++ = (here & 0xffffU) | next << 16;
            here = next;
        }
        *program++ = here & 0xffffU;
        w++;
    }
}

MCUGEN_WEAK void mcugen1_direct_ref(const struct mcugen_direct *k, const void *x, void *y, void *scratch)
{
    const uint8_t *from = (const uint8_t *)x;
    uint8_t *to = (uint8_t *)y;
    struct mcugen_direct_job job;

    job.y_row = (int32_t)(4 * mcugen_lanes_pitch(&k->out));
    job.program = (const int32_t *)scratch;
    job.taps = k->taps;
    job.step = k->step;
    for (uint32_t o = 0; o < k->out.channels; o++) {
        prepare(k, o * k->row_count * k->taps, (uint32_t)k->tails[2 * o] >> 8 & 31U, (uint32_t *)scratch);
        job.scale = k->tails[2 * o];
        job.more = k->tails[2 * o + 1];
        for (const uint16_t *run = k->runs; run != k->runs + 4 * k->run_count; run += 4) {
            const int32_t bytes = 4 * run[2];

            job.words = run[2] == 1 ? 1 : 2;
            job.x = from + 4 * run[0] + k->back;
            job.y = to + 4 * run[1];
            job.end = job.y + bytes;
            job.last = job.end + (run[3] - 1) * job.y_row;
            job.x_gap = (int32_t)(4 * k->x_row) - (run[2] == 1 ? 8 : bytes) * k->step;
            job.y_gap = job.y_row - bytes;
            if (run[2] == 1) {
                k->single(&job);
            } else {
                k->strips(&job);
            }
        }
        mcugen_limit(to, 4 * k->out.plane, k->lo, k->hi);
        from += 4 * k->x_plane;
        to += 4 * k->out.plane;
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
