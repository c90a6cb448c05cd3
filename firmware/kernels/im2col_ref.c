/* im2col_ref.c - rows of a layer, for all cores, and a row in C: the definition. Clear before fast. */
#include "im2col.h"

static uint8_t pixel(int32_t v)
{
    const int32_t whole = v >> 16;

    return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
}

/* Two channels of a pixel, whose words of the program begin at w: a in *y, b, if there is one, a plane on. */
static void two(const struct mcugen_im2col_job *job, const uint32_t *w, const uint8_t *x, uint8_t *y)
{
    const uint32_t *const tail = w + job->pairs;
    uint32_t a = 0, b = 0; /* modulo 2^32: garbage rows are not proven */

    for (uint32_t t = 0; t < 2 * job->pairs; t++) {
        const int32_t both = (int16_t)(w[t / 2] >> (t % 2 * 16) & 0xffffU);
        const int32_t low = (int8_t)(w[t / 2] >> (t % 2 * 16) & 0xffU);
        const int32_t at = x[4 * job->taps[t]];

        a += (uint32_t)((both - low) * at);
        b += (uint32_t)(low * at);
    }
    const int64_t product_a = (int64_t)(int32_t)(a << (tail[4] & 31U)) * (int32_t)tail[0];
    const int64_t product_b = (int64_t)(int32_t)(b << (tail[2] & 31U)) * ((int32_t)tail[2] >> 16);

    y[0] = pixel((int32_t)((uint32_t)(product_a >> 32) + tail[1]));
    if ((tail[4] & 0x200U) == 0) {
        y[job->plane] = pixel((int32_t)((uint32_t)(product_b >> 16) + tail[3]));
    }
}

MCUGEN_WEAK void mcugen1_im2col_row(const struct mcugen_im2col_job *job)
{
    const uint8_t *x = job->x;

    for (uint8_t *word = job->y; word != job->end; word += 4) {
        const uint32_t *w = job->program;
        uint8_t *y = word;
        uint32_t flags;

        do {
            for (uint32_t lane = 0; lane < 4; lane++) {
                two(job, w, x + lane, y + lane);
            }
            flags = w[job->pairs + 4];
            w += job->pairs + 5;
            y += 2 * job->plane;
        } while ((flags & 0x100U) == 0);
        x += job->x_step;
    }
}

static void limit(uint8_t *y, uint32_t n, uint32_t lo, uint32_t hi)
{
    for (uint32_t i = 0; i < n; i++) {
        y[i] = (uint8_t)(y[i] < lo ? lo : y[i] > hi ? hi : y[i]);
    }
}

MCUGEN_WEAK void mcugen1_im2col_ref(const struct mcugen_im2col *k, const void *x, void *y, void *scratch)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->out);
    struct mcugen_im2col_job job;

    job.x = (const uint8_t *)x + 4 * k->x_at;
    job.x_step = 4u * k->step;
    job.y = (uint8_t *)y + 4 * k->y_at;
    job.plane = 4 * k->out.plane;
    job.taps = k->taps;
    job.gathered = (uint32_t *)scratch;
    job.program = k->weights;
    job.pairs = k->pairs;
    for (uint32_t row = 0; row < k->rows; row++) {
        job.end = job.y + 4 * k->out.width;
        k->row(&job);
        job.x += 4 * k->x_row;
        job.y += 4 * pitch;
    }
    if (k->lo > 0 || k->hi < 255) {
        limit((uint8_t *)y, k->out.channels * job.plane, k->lo, k->hi);
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
