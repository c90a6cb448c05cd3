/* im2col_nibbles_ref.c - rows of lanes of bytes as they become those of lanes of nibbles. */
#include "im2col_nibbles.h"

#include "limit.h"

/* The lower halves of the lanes of a row: bytes where the words of nibbles will be. */
static void lower(const struct mcugen_im2col_flat *k, struct mcugen_im2col_job *job, uint8_t *y)
{
    uint8_t *at = y;

    job->y = y;
    job->plane = 4u * k->out.plane;
    job->end = &y[4u * k->out.width];
    k->row(job);
    if (k->lo > 0u || k->hi < 255u) {
        for (uint32_t c = k->out.channels; c > 0u; c--) {
            mcugen_limit(at, 4u * k->out.width, k->lo, k->hi);
            at = &at[job->plane];
        }
    }
}

/* The upper bits of each byte of two words, as nibbles of one. */
static inline uint32_t together(uint32_t low, uint32_t high)
{
    return high ^ ((high ^ (low >> 4)) & 0x0f0f0f0fu);
}

/* n words of the lower halves in all channels become nibbles, with those in strip. */
static void put(const uint32_t *strip, uint32_t *y, uint32_t plane, uint32_t channels, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *from = &strip[i];
        uint32_t *to = &y[i];
        uint32_t left = channels;

        for (; left >= 2u; left -= 2u) {
            const uint32_t high0 = from[0];
            const uint32_t high1 = from[n];
            const uint32_t low0 = to[0];
            const uint32_t low1 = to[plane];

            to[0] = together(low0, high0);
            to[plane] = together(low1, high1);
            from = &from[2u * n];
            to = &to[2u * plane];
        }
        if (left > 0u) {
            *to = together(*to, *from);
        }
    }
}

/* The upper halves of the lanes of a row. */
static void upper(const struct mcugen_im2col_nibbles *k, const struct mcugen_im2col_job *row, uint32_t *strip,
                  uint32_t *y)
{
    const struct mcugen_im2col_flat *const f = &k->flat;
    struct mcugen_im2col_job job = *row;
    uint8_t *const made = (uint8_t *)strip;
    const uint8_t *from = row->x;
    uint32_t *to = y;
    uint32_t n = k->strip;

    job.y = made;
    for (uint32_t left = f->out.width; left > 0u; left -= n) {
        n = (left < n) ? left : n;
        job.x = from;
        job.plane = 4u * n;
        job.end = &made[4u * n];
        f->row(&job);
        mcugen_limit(made, f->out.channels * job.plane, f->lo, f->hi);
        put(strip, to, f->out.plane, f->out.channels, n);
        from = &from[n * job.x_step];
        to = &to[n];
    }
}

MCUGEN_WEAK void mcugen1_im2col_nibbles_ref(const struct mcugen_im2col_nibbles *k, const void *x, void *y,
                                            void *scratch)
{
    const struct mcugen_im2col_flat *const f = &k->flat;
    const uint32_t pitch = mcugen_lanes_pitch(&f->out);
    uint32_t *const window = &((uint32_t *)scratch)[f->gathered];
    uint32_t *const strip = &window[f->window.channels * f->window.plane];
    uint32_t *const first = &((uint32_t *)y)[(uint32_t)mcugen_lanes_at(&f->out, 0, 0) / 4u];
    struct mcugen_im2col_job job;

    mcugen_im2col_begin(f, (uint32_t *)scratch, &job);
    for (uint32_t row = 0; row < f->rows; row++) {
        mcugen1_im2col_look(f, (const uint8_t *)x, window, row);
        if (row < f->out.rows) {
            lower(f, &job, (uint8_t *)&first[row * pitch]);
        } else {
            upper(k, &job, strip, &first[(row - f->out.rows) * pitch]);
        }
    }
    mcugen1_nibbles_seal(&f->out, (uint8_t *)y);
}
