/* relayout_nibbles_ref.c - a word at a time where words have the same pixels, or the halves of them; else pixel by pixel. */
#include "relayout.h"

/* Where the pixels of an image lie in a channel, in nibbles; a byte of one pixel is two. */
struct nibble_side {
    uint32_t rows; /* per lane; of a flat image all */
    uint32_t lane; /* nibbles from a lane to the next */
    uint32_t row; /* from a row to the next */
    uint32_t pixel; /* and from a pixel of it */
    uint32_t first; /* of pixel (0, 0) */
    uint32_t channel; /* bytes */
};

static struct nibble_side side_of(const struct mcugen_lanes *l, uint32_t bits)
{
    struct nibble_side s = {l->height, 0, 2u * l->width, 2, 0, (uint32_t)l->height * l->width};

    if (l->rows != 0) {
        s.rows = l->rows;
        s.lane = bits / 4u;
        s.row = 8u * mcugen_lanes_pitch(l);
        s.pixel = 8;
        s.first = 2u * (uint32_t)mcugen_lanes_at(l, 0, 0);
        s.channel = 4u * l->plane;
    }
    return s;
}

/* The nibble of pixel (row, i) of an image of `width`, which may be a column of its rows. */
static uint32_t nibble_of(const struct mcugen_lanes *l, const struct nibble_side *s, uint32_t width, uint32_t row,
                          uint32_t i)
{
    uint32_t there = (l->width == width) ? row : ((row * width) + i);
    uint32_t at = s->first + ((l->width == width) ? (i * s->pixel) : 0u);

    while (there >= s->rows) {
        there -= s->rows;
        at += s->lane;
    }
    return at + (there * s->row);
}

static inline void by_pixels(const struct mcugen_relayout *k, const uint8_t *x, uint8_t *y, uint32_t from_bits,
                             uint32_t to_bits)
{
    const struct mcugen_lanes *const image = (k->to.width == 1u) ? &k->from : &k->to;
    const struct nibble_side from = side_of(&k->from, from_bits);
    const struct nibble_side to = side_of(&k->to, to_bits);

    for (uint32_t row = 0; row < image->height; row++) {
        for (uint32_t i = 0; i < image->width; i++) {
            const uint32_t at = nibble_of(&k->from, &from, image->width, row, i);
            const uint32_t there = nibble_of(&k->to, &to, image->width, row, i);
            const uint32_t down = 4u * (at & 1u);
            const uint32_t up = 4u * (there & 1u);
            const uint32_t keep = 0xf0u >> up;
            const uint8_t *p = &x[at / 2u];
            uint8_t *q = &y[there / 2u];

            for (uint32_t c = image->channels; c > 0u; c--) {
                const uint32_t v = (from_bits == 4u) ? (((uint32_t)*p >> down) & 15u) : *p;

                *q = (uint8_t)((to_bits == 4u) ? ((*q & keep) | (v << up)) : v);
                p = &p[from.channel];
                q = &q[to.channel];
            }
        }
    }
}

MCUGEN_WEAK void mcugen1_relayout_nibbles(const struct mcugen_relayout *k, const void *x, void *y)
{
    if (k->from.width == k->to.width && k->from.rows == k->to.rows) {
        mcugen1_relayout_words(k, (const uint32_t *)x, (uint32_t *)y);
    } else {
        by_pixels(k, (const uint8_t *)x, (uint8_t *)y, 4u, 4u);
    }
    mcugen1_nibbles_seal(&k->to, (uint8_t *)y);
}

MCUGEN_WEAK void mcugen1_relayout_to_nibbles(const struct mcugen_relayout *k, const void *x, void *y)
{
    by_pixels(k, (const uint8_t *)x, (uint8_t *)y, 8u, 4u);
    mcugen1_nibbles_seal(&k->to, (uint8_t *)y);
}

MCUGEN_WEAK void mcugen1_relayout_from_nibbles(const struct mcugen_relayout *k, const void *x, void *y)
{
    by_pixels(k, (const uint8_t *)x, (uint8_t *)y, 4u, 8u);
    if (k->to.rows != 0u) {
        mcugen1_lanes_seal(&k->to, (uint8_t *)y);
    }
}

static inline void pack(const uint32_t *low, const uint32_t *high, uint32_t *y, uint32_t n)
{
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)
    mcugen1_pack_thumb(low, high, y, n);
#else
    for (uint32_t i = 0; i < n; i++) {
        y[i] = low[i] | (high[i] << 4);
    }
#endif
}

static inline void unpack(const uint32_t *x, uint32_t *low, uint32_t *high, uint32_t n)
{
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)
    mcugen1_unpack_thumb(x, low, high, n);
#else
    for (uint32_t i = 0; i < n; i++) {
        low[i] = x[i] & 0x0f0f0f0fu;
        high[i] = (x[i] >> 4) & 0x0f0f0f0fu;
    }
#endif
}

/* The runs of words of nibbles: rows, or all of them where pad columns are alike. */
struct runs {
    uint32_t n; /* of the words of nibbles in each */
    uint32_t count;
    uint32_t from; /* the first */
    uint32_t to;
    uint32_t from_pitch;
    uint32_t to_pitch;
};

static struct runs runs_of(const struct mcugen_relayout *k, uint32_t rows)
{
    struct runs r = {k->to.width, rows, 0, 0, mcugen_lanes_pitch(&k->from), mcugen_lanes_pitch(&k->to)};

    r.from = (uint32_t)mcugen_lanes_at(&k->from, 0, 0) / 4u;
    r.to = (uint32_t)mcugen_lanes_at(&k->to, 0, 0) / 4u;
    if (r.from_pitch == r.to_pitch) {
        r.n = (r.from_pitch * rows) - k->to.pad_cols;
        r.count = 1;
    }
    return r;
}

MCUGEN_WEAK void mcugen1_relayout_pack(const struct mcugen_relayout *k, const void *x, void *y)
{
    const struct runs r = runs_of(k, k->to.rows);
    const uint32_t half = r.from_pitch * k->to.rows;
    const uint32_t *from = &((const uint32_t *)x)[r.from];
    uint32_t *to = &((uint32_t *)y)[r.to];

    for (uint32_t c = k->to.channels; c > 0u; c--) {
        const uint32_t *p = from;
        uint32_t *q = to;

        for (uint32_t run = r.count; run > 0u; run--) {
            pack(p, &p[half], q, r.n);
            p = &p[r.from_pitch];
            q = &q[r.to_pitch];
        }
        from = &from[k->from.plane];
        to = &to[k->to.plane];
    }
    mcugen1_nibbles_seal(&k->to, (uint8_t *)y);
}

MCUGEN_WEAK void mcugen1_relayout_unpack(const struct mcugen_relayout *k, const void *x, void *y)
{
    const struct runs r = runs_of(k, k->from.rows);
    const uint32_t half = r.to_pitch * k->from.rows;
    const uint32_t *from = &((const uint32_t *)x)[r.from];
    uint32_t *to = &((uint32_t *)y)[r.to];

    for (uint32_t c = k->to.channels; c > 0u; c--) {
        const uint32_t *p = from;
        uint32_t *q = to;

        for (uint32_t run = r.count; run > 0u; run--) {
            unpack(p, q, &q[half], r.n);
            p = &p[r.from_pitch];
            q = &q[r.to_pitch];
        }
        from = &from[k->from.plane];
        to = &to[k->to.plane];
    }
    mcugen1_lanes_seal(&k->to, (uint8_t *)y);
}
