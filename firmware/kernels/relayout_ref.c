/* relayout_ref.c - a word of lanes at a time: the pixels of one column in four rows, wherever those lie in the other
 * image.
 */
#include "relayout.h"

#include <string.h>

/* Where the pixels of an image lie in a channel. */
struct side {
    uint32_t rows;    /* per lane; of a flat image all */
    uint32_t row;     /* bytes from a row to the next */
    uint32_t pixel;   /* and from a pixel of it */
    uint32_t first;   /* byte of pixel (0, 0) */
    uint32_t channel; /* bytes */
};

static struct side side_of(const struct mcugen_lanes *l)
{
    struct side s = {l->height, l->width, 1, 0, (uint32_t)l->height * l->width};

    if (l->rows != 0) {
        s.rows = l->rows;
        s.row = 4u * mcugen_lanes_pitch(l);
        s.pixel = 4;
        s.first = (uint32_t)mcugen_lanes_at(l, 0, 0);
        s.channel = 4u * l->plane;
    }
    return s;
}

/* The byte of pixel (y, 0). */
static uint32_t byte_at(const struct side *s, uint32_t y)
{
    uint32_t lane = 0;
    uint32_t row = y;

    while (row >= s->rows) {
        row -= s->rows;
        lane++;
    }
    return s->first + lane + (row * s->row);
}

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)

static void from_lanes(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y)
{
    mcugen1_relayout_columns_thumb(r, x, y);
}

#else

static inline uint32_t column(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, uint32_t i)
{
    return a[i] | ((uint32_t)b[i] << 8) | ((uint32_t)c[i] << 16) | ((uint32_t)d[i] << 24);
}

/* n words of neighbouring pixels of four rows, `step` bytes apart. */
static inline void columns(const uint8_t *const rows[4], uint32_t *y, uint32_t n, const uint32_t step)
{
    const uint8_t *a = rows[0];
    const uint8_t *b = rows[1];
    const uint8_t *c = rows[2];
    const uint8_t *d = rows[3];
    uint32_t *to = y;
    uint32_t left = n;

    for (; left >= 4u; left -= 4u) {
        to[0] = column(a, b, c, d, 0);
        to[1] = column(a, b, c, d, step);
        to[2] = column(a, b, c, d, 2u * step);
        to[3] = column(a, b, c, d, 3u * step);
        a = &a[4u * step];
        b = &b[4u * step];
        c = &c[4u * step];
        d = &d[4u * step];
        to = &to[4];
    }
    for (; left > 0u; left--) {
        *to = column(a, b, c, d, 0);
        a = &a[step];
        b = &b[step];
        c = &c[step];
        d = &d[step];
        to = &to[1];
    }
}

static void from_lanes(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y)
{
    const uint8_t *from = x;
    uint32_t *to = &y[r->lanes];

    for (uint32_t c = r->channels; c > 0u; c--) {
        const uint8_t *const rows[4] = {&from[r->at[0]], &from[r->at[1]], &from[r->at[2]], &from[r->at[3]]};

        columns(rows, to, r->width, 4u);
        from = &from[r->other];
        to = &to[r->plane];
    }
}

#endif

#if defined(__ARM_FEATURE_MVE)

static void from_flat(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y)
{
    const uint8_t *from = x;
    uint32_t *to = &y[r->lanes];

    for (uint32_t c = r->channels; c > 0u; c--) {
        const uint8_t *const rows[4] = {&from[r->at[0]], &from[r->at[1]], &from[r->at[2]], &from[r->at[3]]};

        mcugen1_spread_mve(rows, to, r->width);
        from = &from[r->other];
        to = &to[r->plane];
    }
}

#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_ISA_ARM)

static void from_flat(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y)
{
    mcugen1_relayout_spread_thumb(r, x, y);
}

#else

static inline void from_flat(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y)
{
    const uint8_t *from = x;
    uint32_t *to = &y[r->lanes];

    for (uint32_t c = r->channels; c > 0u; c--) {
        const uint8_t *const rows[4] = {&from[r->at[0]], &from[r->at[1]], &from[r->at[2]], &from[r->at[3]]};

        columns(rows, to, r->width, 1u);
        from = &from[r->other];
        to = &to[r->plane];
    }
}

#endif

MCUGEN_WEAK void mcugen1_relayout_spread(const struct mcugen_rows *r, const uint8_t *x, uint32_t *y)
{
    from_flat(r, x, y);
}

#if defined(__ARM_FEATURE_MVE)

/* The other way, with the lanes that the image has. */
static void to_flat(const struct mcugen_rows *r, const uint32_t *x, uint8_t *y)
{
    const uint32_t *from = &x[r->lanes];
    uint8_t *to = &y[r->at[0]];
    uint32_t lanes = 1;

    while (lanes < 4u && r->at[lanes] != r->at[0]) {
        lanes++;
    }
    for (uint32_t c = r->channels; c > 0u; c--) {
        mcugen1_gather_mve(from, to, r->at[1] - r->at[0], lanes, r->width);
        to = &to[r->other];
        from = &from[r->plane];
    }
}

#else

/* The other way; lanes that the image does not have are as lane 0, which is written last. */
static void to_flat(const struct mcugen_rows *r, const uint32_t *x, uint8_t *y)
{
    const uint32_t *from = &x[r->lanes];
    uint8_t *to = y;

    for (uint32_t c = r->channels; c > 0u; c--) {
        uint8_t *const p0 = &to[r->at[0]];
        uint8_t *const p1 = &to[r->at[1]];
        uint8_t *const p2 = &to[r->at[2]];
        uint8_t *const p3 = &to[r->at[3]];

        for (uint32_t i = 0; i < r->width; i++) {
            const uint32_t v = from[i];

            p3[i] = (uint8_t)(v >> 24);
            p2[i] = (uint8_t)(v >> 16);
            p1[i] = (uint8_t)(v >> 8);
            p0[i] = (uint8_t)v;
        }
        to = &to[r->other];
        from = &from[r->plane];
    }
}

#endif

/* The rows of lanes of one image, each with the rows of the other that it has in its lanes. */
static void by_rows(const struct mcugen_relayout *k, const void *x, void *y)
{
    const int back = k->to.rows == 0; /* to a flat image */
    const struct mcugen_lanes *const l = (back != 0) ? &k->from : &k->to;
    const struct side s = side_of((back != 0) ? &k->to : &k->from);
    struct mcugen_rows r = {{0}, l->width, 0, l->plane, s.channel, l->channels};
    const uint32_t three = 3u * (uint32_t)l->rows;
    uint32_t together = 1; /* rows */

    if (((back != 0) || (k->from.rows == 0u)) && (mcugen_lanes_pitch(l) == 1u) && (l->height > three)) {
        together = l->height - three; /* of a column that all lanes have: their pixels are neighbours */
    }
    for (uint32_t row = 0; row < l->rows && row < l->height; row += together, together = 1) {
        for (uint32_t lane = 0; lane < 4u; lane++) { /* rows beyond the image are as lane 0, and sealed */
            const uint32_t there = (l->rows * lane) + row;

            r.at[lane] = byte_at(&s, (there < l->height) ? there : row);
        }
        r.lanes = (uint32_t)mcugen_lanes_at(l, (int32_t)row, 0) / 4u;
        r.width = l->width * together;
        if (back != 0) {
            to_flat(&r, (const uint32_t *)x, (uint8_t *)y);
        } else if (k->from.rows == 0) {
            from_flat(&r, (const uint8_t *)x, (uint32_t *)y);
        } else {
            from_lanes(&r, (const uint8_t *)x, (uint32_t *)y);
        }
    }
}

/* The byte of pixel (y, x) of an image of `width`, which may be a column of its rows. */
static uint32_t pixel_at(const struct mcugen_lanes *l, const struct side *s, uint32_t width, uint32_t y, uint32_t x)
{
    return (l->width == width) ? (byte_at(s, y) + (x * s->pixel)) : byte_at(s, (y * width) + x);
}

/* One image is a column of the other's rows, so that pixels of neighbouring words are anywhere. */
static void by_pixels(const struct mcugen_relayout *k, const uint8_t *x, uint8_t *y)
{
    const struct mcugen_lanes *const image = (k->to.width == 1u) ? &k->from : &k->to;
    const struct side from = side_of(&k->from);
    const struct side to = side_of(&k->to);

    for (uint32_t row = 0; row < image->height; row++) {
        for (uint32_t i = 0; i < image->width; i++) {
            const uint8_t *p = &x[pixel_at(&k->from, &from, image->width, row, i)];
            uint8_t *q = &y[pixel_at(&k->to, &to, image->width, row, i)];
            uint32_t left = image->channels;

            for (; left >= 4u; left -= 4u) {
                const uint8_t p0 = p[0];
                const uint8_t p1 = p[from.channel];
                const uint8_t p2 = p[2u * from.channel];
                const uint8_t p3 = p[3u * from.channel];

                q[0] = p0;
                q[to.channel] = p1;
                q[2u * to.channel] = p2;
                q[3u * to.channel] = p3;
                p = &p[4u * from.channel];
                q = &q[4u * to.channel];
            }
            for (; left > 0u; left--) {
                *q = *p;
                p = &p[from.channel];
                q = &q[to.channel];
            }
        }
    }
}

static void copy(const uint32_t *x, uint32_t *y, uint32_t n)
{
#if defined(__ARM_FEATURE_MVE)
    mcugen1_words_mve(x, y, n);
#else
    const uint32_t *from = x;
    uint32_t *to = y;
    uint32_t left = n;

#if defined(__ARM_ARCH_ISA_THUMB) && !defined(__ARM_ARCH_ISA_ARM)
    if (n >= 8u) {
        mcugen1_words_thumb(x, y, n);
        left = 0;
    }
#endif
    for (; left > 0u; left--) {
        *to = *from;
        from = &from[1];
        to = &to[1];
    }
#endif
}

MCUGEN_WEAK void mcugen1_relayout_run(const uint32_t *x, uint32_t *y, uint32_t n)
{
    copy(x, y, n);
}

/* Rows without pad columns are one run. */
MCUGEN_WEAK void mcugen1_relayout_words(const struct mcugen_relayout *k, const uint32_t *x, uint32_t *y)
{
    const uint32_t from_pitch = mcugen_lanes_pitch(&k->from);
    const uint32_t to_pitch = mcugen_lanes_pitch(&k->to);
    uint32_t runs = k->to.rows;
    uint32_t n = k->to.width;

    if (from_pitch == n && to_pitch == n) {
        n *= runs;
        runs = 1;
    }
    for (uint32_t c = 0; c < k->to.channels; c++) {
        uint32_t from = (k->from.plane * c) + ((uint32_t)mcugen_lanes_at(&k->from, 0, 0) / 4u);
        uint32_t to = (k->to.plane * c) + ((uint32_t)mcugen_lanes_at(&k->to, 0, 0) / 4u);

        for (uint32_t run = 0; run < runs; run++) {
            copy(&x[from], &y[to], n);
            from += from_pitch;
            to += to_pitch;
        }
    }
}

MCUGEN_WEAK void mcugen1_relayout_ref(const struct mcugen_relayout *k, const void *x, void *y)
{
    if (k->from.rows == 0 && k->to.rows == 0) { /* an output that is another output, or an input */
        (void)memcpy(y, x, (size_t)k->to.channels * k->to.height * k->to.width);
    } else if (k->from.width != k->to.width) {
        by_pixels(k, (const uint8_t *)x, (uint8_t *)y);
    } else if (k->from.rows == k->to.rows) {
        mcugen1_relayout_words(k, (const uint32_t *)x, (uint32_t *)y);
    } else {
        by_rows(k, x, y);
    }
    if (k->to.rows != 0) {
        mcugen1_lanes_seal(&k->to, (uint8_t *)y);
    }
}
