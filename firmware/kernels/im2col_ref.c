/* im2col_ref.c - rows and blocks of a layer, for all cores, and both in C: the definition. Clear before fast. */
#include "im2col.h"

#include "lanes.h"
#include "limit.h"

static uint8_t pixel(uint32_t v)
{
    const int32_t whole = (int32_t)v >> 16;

    return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
}

/* acc, by mult << 16 | up. */
static uint32_t quotient(uint32_t acc, uint32_t scale)
{
    const uint32_t up = acc << (scale & 31U);
    const int64_t product = (int64_t)(int32_t)up * ((int32_t)scale >> 16);

    return (uint32_t)(product >> 16);
}

/* Two channels of a pixel, whose words of the program begin at w: a in *y, b, if there is one, a plane on. */
static void two_channels(const struct mcugen_im2col_job *job, const uint32_t *w, const uint8_t *x, uint8_t *y)
{
    const uint32_t *const tail = w + job->groups;
    uint32_t a = 0, b = 0;

    for (uint32_t t = 0; t < 2 * job->groups; t++) {
        const uint32_t half = w[t / 2] >> (t % 2 * 16) & 0xffffU, byte = half & 0xffU;
        const int32_t both = (int16_t)half, low = (int8_t)byte;
        const int32_t at = x[4 * job->taps[t]];
        const int32_t product_a = (both - low) * at, product_b = low * at;

        a += (uint32_t)product_a;
        b += (uint32_t)product_b;
    }
    const uint32_t up = a << (tail[4] & 31U);
    const int64_t product = (int64_t)(int32_t)up * (int32_t)tail[0];

    y[0] = pixel((uint32_t)(product >> 32) + tail[1]);
    if ((tail[4] & 0x200U) == 0) {
        y[job->plane] = pixel(quotient(b, tail[2]) + tail[3]);
    }
}

MCUGEN_WEAK void mcugen1_im2col_pairs(const struct mcugen_im2col_job *job)
{
    const uint8_t *x = job->x;

    for (uint8_t *word = job->y; word != job->end; word += 4) {
        const uint32_t *w = job->program;
        uint8_t *y = word;
        uint32_t flags;

        do {
            for (uint32_t lane = 0; lane < 4; lane++) {
                two_channels(job, w, x + lane, y + lane);
            }
            flags = w[job->groups + 4];
            w += job->groups + 5;
            y += 2 * job->plane;
        } while ((flags & 0x100U) == 0);
        x += job->x_step;
    }
}

/* The sum of a quad. */
static uint32_t quad_sum(const uint16_t *taps, uint32_t weights, const uint8_t *x)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < 4; i++) {
        const int32_t w = (int8_t)(weights >> (8 * i) & 0xffU);
        const int32_t product = w * (x[4 * taps[i]] - 128);

        sum += (uint32_t)product;
    }
    return sum;
}

/* A channel of a pixel, whose words of the program begin at w; returns its last one. */
static const uint32_t *one_channel(const struct mcugen_im2col_job *job, const uint32_t *w, const uint8_t *x, uint8_t *y)
{
    const uint32_t *tail = w + 2 + job->groups;
    uint32_t sum = w[1];

    for (uint32_t q = 0; q < job->groups; q++) {
        sum += quad_sum(&job->taps[4 * q], w[2 + q], x);
    }
    while (tail[0] != 0) {
        sum += quad_sum(&job->taps[tail[0] / 8 - 4], tail[1], x);
        tail += 2;
    }
    *y = pixel(quotient(sum, tail[2]) + tail[1]);
    return tail + 2;
}

MCUGEN_WEAK void mcugen1_im2col_quads(const struct mcugen_im2col_job *job)
{
    const uint8_t *x = job->x;

    for (uint8_t *word = job->y; word != job->end; word += 4) {
        const uint32_t *w = job->program;
        uint8_t *y = word;
        uint32_t flags;

        do {
            const uint32_t *last = w;

            for (uint32_t lane = 0; lane < 4; lane++) {
                last = one_channel(job, w, x + lane, y + lane);
            }
            flags = last[0];
            w = last + 1;
            y += job->plane;
        } while ((flags & 0x100U) == 0);
        x += job->x_step;
    }
}

/* The weight of tap t of a channel's codes. */
static int32_t code(const uint8_t *codes, uint32_t t)
{
    const uint32_t pair = (uint32_t)codes[t / 64 * 16 + t % 16] >> (t / 16 % 4 * 2) & 3U;

    return pair > 1 ? (int32_t)pair - 4 : (int32_t)pair;
}

/* A pixel of a channel, whose weights begin at w, in bytes or in codes. */
static uint8_t sixteens(const struct mcugen_im2col_job *job, const uint32_t *w, const uint32_t *tail, const uint8_t *x,
                        uint32_t codes)
{
    const uint8_t *const weights = (const uint8_t *)w;
    uint32_t sum = 0;

    for (uint32_t t = 0; t < 16 * job->groups; t++) {
        const int32_t weight = codes != 0 ? code(weights, t) : (int8_t)weights[t];
        const int32_t product = weight * (x[4 * job->taps[t]] - 128);

        sum += (uint32_t)product;
    }
    const uint32_t up = sum * tail[1] + tail[0];
    const int64_t product = (int64_t)(int32_t)up * (int32_t)tail[2];

    return pixel((uint32_t)(product >> 31) + tail[3]);
}

/* A block; size: words of a channel's weights. */
static void block(const struct mcugen_im2col_job *job, uint32_t size, uint32_t codes)
{
    const uint32_t width = (uint32_t)(job->end - job->y) / 4;

    for (uint32_t o = 0; o < job->channels; o++) {
        const uint32_t *const w = job->program + o * (size + 4);

        for (uint32_t i = 0; i < job->rows * width; i++) {
            const uint8_t *const x = job->x + i / width * job->x_row + i % width * job->x_step;
            uint8_t *const y = job->y + o * job->plane + i / width * job->y_row + 4 * (i % width);

            for (uint32_t lane = 0; lane < 4; lane++) {
                y[lane] = sixteens(job, w, w + size, x + lane, codes);
            }
        }
    }
}

MCUGEN_WEAK void mcugen1_im2col_bytes(const struct mcugen_im2col_job *job)
{
    block(job, 4 * job->groups, 0);
}

MCUGEN_WEAK void mcugen1_im2col_codes(const struct mcugen_im2col_job *job)
{
    block(job, 4 * ((job->groups + 3) / 4), 1);
}

MCUGEN_WEAK void mcugen1_im2col_ref(const struct mcugen_im2col *k, const void *x, void *y, void *scratch)
{
    const uint8_t *from = (const uint8_t *)x + 4 * k->x_at;
    uint8_t *to = (uint8_t *)y + 4 * k->y_at;
    uint32_t rows = k->rows;
    struct mcugen_im2col_job job;

    job.x_step = 4u * k->step;
    job.plane = 4 * k->out.plane;
    job.taps = k->taps;
    job.gathered = (uint32_t *)scratch;
    job.program = k->weights;
    job.groups = k->groups;
    job.x_row = 4 * k->x_row;
    job.y_row = 4 * mcugen_lanes_pitch(&k->out);
    job.channels = k->out.channels;
    do {
        uint32_t words = k->out.width;

        job.x = from;
        job.y = to;
        job.rows = rows < k->down ? rows : k->down;
        do {
            const uint32_t across = words < k->across ? words : k->across;

            job.end = job.y + 4 * across;
            k->row(&job);
            job.x += across * job.x_step;
            job.y += 4 * across;
            words -= across;
        } while (words > 0);
        from += job.rows * job.x_row;
        to += job.rows * job.y_row;
        rows -= job.rows;
    } while (rows > 0);
    mcugen_limit((uint8_t *)y, k->out.channels * job.plane, k->lo, k->hi);
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
