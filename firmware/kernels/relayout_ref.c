/* relayout_ref.c - word by word where both images are in lanes, else one word for a pixel of each of four rows. */
#include "relayout.h"

#include <string.h>

static uint32_t first(const struct mcugen_lanes *l, uint32_t c, uint32_t row)
{
    return l->plane * c + (uint32_t)mcugen_lanes_at(l, (int32_t)row, 0) / 4u;
}

/* Lanes of row `row` that are rows of the image, which row is. */
static uint32_t lanes(const struct mcugen_lanes *l, uint32_t row)
{
    return (l->height - 1u - row) / l->rows + 1u;
}

/* A flat channel; rows beyond the image are made of its row `row`, and sealed. */
static void spread(const struct mcugen_lanes *l, const uint8_t *x, uint32_t row, uint32_t *to)
{
    const uint32_t n = lanes(l, row), step = (uint32_t)l->rows * l->width;
    const uint8_t *const a = x + row * l->width;
    const uint8_t *const b = n > 1u ? a + step : a, *const c = n > 2u ? b + step : a, *const d = n > 3u ? c + step : a;

#if defined(__ARM_FEATURE_MVE)
    const uint8_t *const rows[] = {a, b, c, d};

    mcugen1_spread_mve(rows, to, l->width);
#else
    for (uint32_t s = 0; s < l->width; s++) {
        to[s] = a[s] | (uint32_t)b[s] << 8 | (uint32_t)c[s] << 16 | (uint32_t)d[s] << 24;
    }
#endif
}

static void gather(const struct mcugen_lanes *l, const uint32_t *from, uint32_t row, uint8_t *y)
{
    const uint32_t n = lanes(l, row), step = (uint32_t)l->rows * l->width;
    uint8_t *to = y + row * l->width;

#if defined(__ARM_FEATURE_MVE)
    mcugen1_gather_mve(from, to, step, n, l->width);
#else
    for (uint32_t s = 0; s < l->width; s++) {
        uint32_t v = from[s];
        uint8_t *at = to + s;

        for (uint32_t lane = 0; lane < n; lane++, v >>= 8, at += step) {
            *at = (uint8_t)v;
        }
    }
#endif
}

static void copy(const uint32_t *from, uint32_t *to, uint32_t words)
{
#if defined(__ARM_FEATURE_MVE)
    mcugen1_words_mve(from, to, words);
#else
    for (uint32_t s = 0; s < words; s++) {
        to[s] = from[s];
    }
#endif
}

/* Between lanes of other rows: byte by byte. */
static void shift(const struct mcugen_relayout *k, const uint32_t *x, uint32_t *y, uint32_t c, uint32_t row)
{
    const uint8_t *from = (const uint8_t *)(x + first(&k->from, c, row % k->from.rows)) + row / k->from.rows;
    uint8_t *to = (uint8_t *)(y + first(&k->to, c, row % k->to.rows)) + row / k->to.rows;

#if defined(__ARM_FEATURE_MVE)
    mcugen1_apart_mve(from, to, k->to.width);
#else
    for (uint32_t s = 0; s < k->to.width; s++) {
        to[4 * s] = from[4 * s];
    }
#endif
}

MCUGEN_WEAK void mcugen1_relayout_ref(const struct mcugen_relayout *k, const void *x, void *y)
{
    const struct mcugen_lanes *const from = &k->from, *const to = &k->to;
    const uint32_t *const words = (const uint32_t *)x;
    uint32_t *const out = (uint32_t *)y;
    const uint32_t flat = (uint32_t)to->height * to->width;
    const uint32_t most = from->rows == 0                           ? to->rows
                          : from->rows == to->rows || to->rows == 0 ? from->rows
                                                                    : to->height;
    const uint32_t rows = most < to->height ? most : to->height;

    if (from->rows == 0 && to->rows == 0) { /* an output that is another output, or an input */
        memcpy(y, x, to->channels * flat);
        return;
    }
    for (uint32_t c = 0; c < to->channels; c++) {
        for (uint32_t row = 0; row < rows; row++) {
            if (from->rows == 0) {
                spread(to, (const uint8_t *)x + flat * c, row, out + first(to, c, row));
            } else if (to->rows == 0) {
                gather(from, words + first(from, c, row), row, (uint8_t *)y + flat * c);
            } else if (from->rows == to->rows) {
                copy(words + first(from, c, row), out + first(to, c, row), to->width);
            } else {
                shift(k, words, out, c, row);
            }
        }
    }
    if (to->rows != 0) {
        mcugen1_lanes_seal(to, (uint8_t *)y);
    }
}
