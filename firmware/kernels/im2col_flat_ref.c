/* im2col_flat_ref.c - rows of a layer, and the window of x for each. */
#include "im2col_flat.h"

#include "lanes.h"
#include "limit.h"
#include "relayout.h"

/* Row i of the window becomes row q of each lane of x; lanes that do not have it get pads. */
static void make(const struct mcugen_im2col_flat *k, const uint8_t *x, uint32_t *window, uint32_t i, uint32_t q)
{
    const struct mcugen_lanes *const w = &k->window;
    struct mcugen_rows r = {{0}, w->width, 0, w->plane, (uint32_t)w->height * w->width, w->channels};
    uint32_t missing = 0;
    uint32_t there = q; /* above the image beyond its height, too */
    uint8_t *at;

    r.lanes = w->pad_cols + (i * mcugen_lanes_pitch(w));
    for (uint32_t lane = 0; lane < 4u; lane++) {
        if (there < w->height) {
            r.at[lane] = there * w->width;
        } else {
            missing |= 1u << lane;
        }
        there += k->x_rows;
    }
    at = (uint8_t *)&window[r.lanes]; /* the lane */
    mcugen1_relayout_spread(&r, x, window);
    while (missing != 0u) {
        if ((missing & 1u) != 0u) {
            mcugen1_lanes_blank(w, at, w->width);
        }
        missing >>= 1;
        at = &at[1];
    }
}

MCUGEN_WEAK void mcugen1_im2col_look(const struct mcugen_im2col_flat *k, const uint8_t *x, uint32_t *window,
                                     uint32_t row)
{
    const struct mcugen_lanes *const w = &k->window;
    const uint32_t span = w->rows;
    const uint32_t stride = k->stride;
    uint32_t kept = 0;

    if (row == 0u) {
        for (uint32_t col = 0; col < w->pad_cols; col++) {
            mcugen1_lanes_pads(w, &window[col], 1u + span);
        }
    } else if (stride < span) {
        const uint32_t pitch = mcugen_lanes_pitch(w);
        uint32_t *to = &window[w->pad_cols];

        kept = span - stride;
        for (uint32_t c = w->channels; c > 0u; c--) {
            mcugen1_relayout_run(&to[stride * pitch], to, kept * pitch);
            to = &to[w->plane];
        }
    } else {
        /* Nothing of the window is seen again. */
    }
    for (uint32_t i = kept; i < span; i++) {
        make(k, x, window, i, (row * stride) + i - k->top);
    }
}

MCUGEN_WEAK void mcugen1_im2col_flat_ref(const struct mcugen_im2col_flat *k, const void *x, void *y, void *scratch)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->out);
    uint32_t *const window = &((uint32_t *)scratch)[k->gathered];
    uint8_t *to = &((uint8_t *)y)[mcugen_lanes_at(&k->out, 0, 0)];
    struct mcugen_im2col_job job;

    mcugen_im2col_begin(k, (uint32_t *)scratch, &job);
    job.plane = 4u * k->out.plane;
    for (uint32_t row = 0; row < k->rows; row++) {
        mcugen1_im2col_look(k, (const uint8_t *)x, window, row);
        job.y = to;
        job.end = &to[4u * k->out.width];
        k->row(&job);
        to = &to[4u * pitch];
    }
    mcugen_limit((uint8_t *)y, k->out.channels * job.plane, k->lo, k->hi);
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
