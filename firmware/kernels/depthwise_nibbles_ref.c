/* depthwise_nibbles_ref.c - eight sums at once, two in a word. */
#include "depthwise_nibbles.h"

/* What is the same for all words of a channel. */
struct filter {
    const int8_t *w;
    uint32_t centre; /* that no sum is below 0, in both halves */
    uint32_t mult;
    uint32_t add;
    uint32_t shift;
};

static struct filter filter_of(const struct mcugen_depthwise_nibbles *k, uint32_t c)
{
    const uint32_t n = (uint32_t)k->kernel_h * k->kernel_w;
    struct filter f = {&k->weights[n * c], 0, (uint32_t)(int32_t)k->tail.mult[c], (uint32_t)k->tail.add[c],
                       k->tail.shift[c]};

    for (uint32_t i = 0; i < n; i++) {
        if (f.w[i] < 0) {
            f.centre += 15u * (uint32_t)-f.w[i];
        }
    }
    f.add -= f.centre * f.mult;
    f.centre *= 0x00010001u;
    return f;
}

/* Two sums to pixels in the same halves. Garbage rows have sums that nobody proved anything of: the seal writes those. */
static uint32_t pixels(const struct mcugen_depthwise_nibbles *k, const struct filter *f, uint32_t sums)
{
    const int32_t v = (int32_t)(((sums & 0xffffu) * f->mult) + f->add) >> f->shift;
    const int32_t u = (int32_t)(((sums >> 16) * f->mult) + f->add) >> f->shift;
    const int32_t low = v < k->tail.lo ? k->tail.lo : v > k->tail.hi ? k->tail.hi : v;
    const int32_t high = u < k->tail.lo ? k->tail.lo : u > k->tail.hi ? k->tail.hi : u;

    return (uint32_t)low | ((uint32_t)high << 16);
}

/* A word of y; x is where its window begins, `down` words from row to row. */
static uint32_t word(const struct mcugen_depthwise_nibbles *k, const struct filter *f, const uint32_t *x, uint32_t down)
{
    const uint32_t two = 0x000f000fu;
    const uint32_t *row = x;
    const int8_t *w = f->w;
    uint32_t a = f->centre;
    uint32_t b = f->centre;
    uint32_t c = f->centre;
    uint32_t d = f->centre;

    for (uint32_t i = k->kernel_h; i > 0u; i--) {
        const uint32_t *at = row;

        for (uint32_t j = k->kernel_w; j > 0u; j--) {
            const uint32_t by = (uint32_t)(int32_t)*w;

            a += by * (*at & two);
            b += by * ((*at >> 4) & two);
            c += by * ((*at >> 8) & two);
            d += by * ((*at >> 12) & two);
            w = &w[1];
            at = &at[k->dilation_w];
        }
        row = &row[down];
    }
    return pixels(k, f, a) | (pixels(k, f, b) << 4) | (pixels(k, f, c) << 8) | (pixels(k, f, d) << 12);
}

MCUGEN_WEAK void mcugen1_depthwise_nibbles_ref(const struct mcugen_depthwise_nibbles *k, const void *x, void *y)
{
    const uint32_t down = k->dilation_h * mcugen_lanes_pitch(&k->in);

    for (uint32_t c = 0; c < k->out.channels; c++) {
        const struct filter f = filter_of(k, c);
        const uint32_t *const plane = &((const uint32_t *)x)[k->in.plane * c];
        uint32_t *const to_plane = &((uint32_t *)y)[k->out.plane * c];

        for (int32_t row = 0; row < k->out.rows; row++) {
            const uint32_t *const from = &plane[mcugen_lanes_at(&k->in, (row * k->stride_h) - k->top, -k->left) / 4];
            uint32_t *const to = &to_plane[mcugen_lanes_at(&k->out, row, 0) / 4];

            for (uint32_t col = 0; col < k->out.width; col++) {
                to[col] = word(k, &f, &from[col * k->stride_w], down);
            }
        }
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
