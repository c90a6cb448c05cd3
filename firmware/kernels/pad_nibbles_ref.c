/* pad_nibbles_ref.c - a word at a time. */
#include "pad_nibbles.h"

static uint32_t *fill(uint32_t *y, uint32_t n, uint32_t pads)
{
    for (uint32_t i = 0; i < n; i++) {
        y[i] = pads;
    }
    return &y[n];
}

/* A row of all channels: row `from` of x, `up` lanes further up in its words. */
static void move_row(const struct mcugen_pad_nibbles *k, const uint32_t *x, uint32_t *y, uint32_t up)
{
    const uint32_t pads = k->out.pad_value * 0x01010101u;
    const uint32_t below = pads & ((1u << (4u * up)) - 1u); /* of the lanes before the image's first row */
    const uint32_t right = (uint32_t)k->out.width - k->left - k->in.width;
    const uint32_t *from = x;
    uint32_t *to = y;

    for (uint32_t c = k->in.channels; c > 0u; c--) {
        uint32_t *const row = fill(to, k->left, pads);

        for (uint32_t i = 0; i < k->in.width; i++) {
            row[i] = (from[i] << (4u * up)) | below;
        }
        (void)fill(&row[k->in.width], right, pads);
        from = &from[k->in.plane];
        to = &to[k->out.plane];
    }
}

MCUGEN_WEAK void mcugen1_pad_nibbles_ref(const struct mcugen_pad_nibbles *k, const void *x, void *y)
{
    const uint32_t rows = k->out.rows;
    const uint32_t *const image = &((const uint32_t *)x)[mcugen_lanes_at(&k->in, 0, 0) / 4];
    uint32_t *to = &((uint32_t *)y)[mcugen_lanes_at(&k->out, 0, 0) / 4];

    for (uint32_t row = 0; row < rows; row++) {
        /* Row `row` of lane l is row `row - top` of x, or row `from` of lane l - up. */
        const uint32_t up = (k->top > row) ? ((k->top - row + rows - 1u) / rows) : 0u;
        const uint32_t from = row + (up * rows) - k->top;

        move_row(k, &image[mcugen_lanes_pitch(&k->in) * from], to, up);
        to = &to[mcugen_lanes_pitch(&k->out)];
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
