/* kronecker_ref.c - rows of a layer, for all cores, and blocks in C: the definition. Clear before fast. */
#include "kronecker.h"

#include "lanes.h"
#include "limit.h"
#include <string.h>

static uint8_t result(uint32_t sum, const int32_t *tail)
{
    const int64_t product = (int64_t)(int32_t)(sum << 12) * tail[0];
    const int32_t whole = (int32_t)((uint32_t)(product >> 32) + (uint32_t)tail[1]) >> 16;

    return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
}

/* The digits of a word of a channel, whose pixels lie at `at`. */
static void digits(const struct mcugen_kronecker_job *job, const int32_t *w, uint32_t at, uint32_t step,
                   int32_t sums[3])
{
    uint32_t each = 1; /* groups of a run */

    if (job->groups != job->runs) {
        each = 2;
    }
    sums[0] = 0;
    sums[1] = 0;
    sums[2] = 0;
    for (uint32_t g = 0; g < job->groups; g++) {
        const uint8_t *const x = &job->rows[g / each][at + (g % each)];
        const int32_t b = (w[g] + (1 << 20)) >> 21, a = w[g] - (b * (1 << 21));
        const int32_t p = x[0], q = x[step];

        sums[0] += a * p;
        sums[1] += (a * q) + (b * p);
        sums[2] += b * q;
    }
}

static inline void blocks(const struct mcugen_kronecker_job *job, uint32_t words, uint32_t step)
{
    for (uint32_t back = 0; back < (words * job->blocks); back += words) {
        const int32_t *w = job->program;
        uint32_t c = 0;

        for (uint8_t *last = job->y; last != job->end; last += job->plane) {
            uint8_t *const y = last - (8u * back);
            const int32_t *const tail = &w[job->groups];
            uint32_t right = job->carry[c] >> 12;
            uint32_t n = words;

            while (n != 0u) {
                int32_t sums[3];

                n--;
                digits(job, w, job->at - (2u * step * back) + (2u * step * n), step, sums);
                y[8u * n] = result((uint32_t)sums[1], tail);
                y[(8u * n) + 4u] = result((uint32_t)sums[2] + right, tail);
                right = (uint32_t)sums[0];
            }
            job->carry[c] = right << 12;
            c++;
            w = &tail[2];
        }
    }
}

MCUGEN_WEAK void mcugen1_kronecker_four1(const struct mcugen_kronecker_job *job)
{
    blocks(job, 4, 1);
}

MCUGEN_WEAK void mcugen1_kronecker_four2(const struct mcugen_kronecker_job *job)
{
    blocks(job, 4, 2);
}

MCUGEN_WEAK void mcugen1_kronecker_three1(const struct mcugen_kronecker_job *job)
{
    blocks(job, 3, 1);
}

MCUGEN_WEAK void mcugen1_kronecker_three2(const struct mcugen_kronecker_job *job)
{
    blocks(job, 3, 2);
}

/* Row y of x in all channels to its place among the rows that are kept, where pads are already. */
static void keep(const struct mcugen_kronecker *k, const uint8_t *x, uint8_t *kept, uint32_t place, int32_t y)
{
    const uint32_t room = (uint32_t)k->padded - k->left, n = (room < k->x_w) ? room : k->x_w;
    const uint32_t padded = k->padded, plane = (uint32_t)k->x_h * k->x_w;
    uint8_t *to = &kept[(place * k->x_c * padded) + k->left];

    for (uint32_t c = 0; c < k->x_c; c++) {
        if ((y >= 0) && (y < (int32_t)k->x_h)) {
            const uint8_t *const from = &x[(c * plane) + ((uint32_t)y * k->x_w)];
            uint32_t i = 0;

            for (; (i + 4u) <= n; i += 4u) {
                memcpy(&to[i], &from[i], 4); /* a load and a store, where these may be unaligned */
            }
            for (; i < n; i++) {
                to[i] = from[i];
            }
        } else {
            memset(to, k->pad_value, n);
        }
        to = &to[padded];
    }
}

/* The pixels of all runs of a row of y, which sees rows of x from `first` on; of y's first row, if rows are kept. */
static void look(const struct mcugen_kronecker *k, const uint8_t *x, const uint8_t *kept, int32_t first,
                 const uint8_t **rows)
{
    const uint32_t padded = k->padded, height = k->x_h, width = k->x_w;
    const uint32_t copied = k->copied, channels = k->x_c, count = k->column_count, down = k->dilation;
    const uint16_t *const columns = k->columns;
    const uint8_t **next = rows;
    uint32_t at = 0, y = (uint32_t)first; /* above the image beyond its height, too */

    for (uint32_t i = k->kernel_h; i != 0u; i--) {
        const uint8_t *from = &kept[at];
        uint32_t channel = padded;

        if (copied != 0u) {
            at += down * channels * padded;
        } else if (y < height) {
            from = &x[y * width];
            channel = height * width;
        } else {
            channel = 0;
        }
        for (uint32_t c = channels; c != 0u; c--) {
            for (uint32_t j = 0; j < count; j++) {
                next[j] = &from[columns[j]];
            }
            next = &next[count];
            from = &from[channel];
        }
        y += down;
    }
}

/* Where rows are kept: the pixels of the next row of y. */
static void look_on(const struct mcugen_kronecker *k, const uint8_t *kept, const uint8_t **rows, uint32_t runs)
{
    const uint32_t row = (uint32_t)k->x_c * k->padded, on = (k->stride % k->span) * row, around = k->span * row;
    const uint8_t *const end = &kept[around - on];

    for (uint32_t r = 0; r < runs; r++) {
        const uint8_t *at = rows[r];

        at = (at < end) ? &at[on] : (at - (around - on));
        rows[r] = at;
    }
}

/* n blocks of so many words, of which the last one begins with a word of a row of y. */
static void make(const struct mcugen_kronecker *k, struct mcugen_kronecker_job *job, uint8_t *y, uint32_t words,
                 uint32_t word, uint32_t n)
{
    mcugen_kronecker_fn blocks_of = k->four;

    if (words == 3u) {
        blocks_of = k->three;
    }
    job->at = 2u * k->step * word;
    job->y = &y[8u * word];
    job->end = &job->y[k->out.channels * job->plane];
    job->blocks = n;
    blocks_of(job);
}

MCUGEN_WEAK void mcugen1_kronecker_ref(const struct mcugen_kronecker *k, const void *x, void *y, void *scratch)
{
    const uint8_t *const image = (const uint8_t *)x;
    uint8_t *const out = (uint8_t *)y, *const kept = &((uint8_t *)scratch)[4u * k->out.channels];
    const uint8_t *rows[MCUGEN_KRONECKER_GROUPS];
    struct mcugen_kronecker_job job;
    int32_t first = -(int32_t)k->top, next = first; /* rows of x: that y's row begins with, and that is not kept yet */
    uint32_t place = 0, lane = 0, lane_row = 0; /* where the next row is kept; of y's row */

    job.rows = rows;
    job.runs = (uint32_t)k->kernel_h * k->x_c * k->column_count;
    job.program = k->weights;
    job.groups = k->groups;
    job.carry = (uint32_t *)scratch;
    job.plane = 4u * k->out.plane;
    memset(kept, k->pad_value, ((k->copied != 0u) ? ((uint32_t)k->x_c * k->span) : 1u) * k->padded);
    for (uint32_t oy = 0; oy < k->out.height; oy++) {
        uint8_t *to;

        while ((k->copied != 0u) && (next < (first + (int32_t)k->span))) {
            keep(k, image, kept, place, next);
            next++;
            place = ((place + 1u) == k->span) ? 0u : (place + 1u);
        }
        if ((oy == 0u) || (k->copied == 0u)) {
            look(k, image, kept, first, rows);
        } else {
            look_on(k, kept, rows, job.runs);
        }
        if (k->first != NULL) {
            memcpy(scratch, k->first, 4u * k->out.channels);
        }
        to = &out[mcugen_lanes_at(&k->out, (int32_t)lane_row, 0) + (int32_t)lane];
        if (k->threes != 0u) {
            make(k, &job, to, 3, (4u * k->fours) + (3u * k->threes) - 3u, k->threes);
        }
        if (k->fours != 0u) {
            make(k, &job, to, 4, (4u * k->fours) - 4u, k->fours);
        }
        first += (int32_t)k->stride;
        lane_row++;
        if (lane_row == k->out.rows) {
            lane_row = 0;
            lane++;
        }
    }
    mcugen_limit(out, k->out.channels * job.plane, k->lo, k->hi);
    mcugen1_lanes_seal(&k->out, out);
}
