/* lanes.c - sealing an image in lanes: every byte that is not a pixel of the image gets its defined value. */
#include "mcugen.h"

#if defined(__ARM_FEATURE_MVE)

MCUGEN_WEAK void mcugen1_lanes_seal(const struct mcugen_lanes *l, uint8_t *y)
{
    mcugen1_lanes_seal_mve(l, y);
}

#else

/* Words of row `row`, which may be a halo row. */
static uint32_t *row_at(const struct mcugen_lanes *l, uint32_t *plane, int32_t row)
{
    return plane + mcugen_lanes_at(l, row, 0) / 4;
}

static void fill(uint32_t *to, uint32_t words, uint32_t value)
{
    for (uint32_t i = 0; i < words; i++) {
        to[i] = value;
    }
}

MCUGEN_WEAK void mcugen1_lanes_seal(const struct mcugen_lanes *l, uint8_t *y)
{
    const uint32_t pad = l->pad_value;
    const uint32_t pads = pad * 0x01010101u;
    const int32_t last = l->rows + l->halo_bottom;

    for (uint32_t c = 0; c < l->channels; c++) {
        uint32_t *const plane = (uint32_t *)(void *)y + l->plane * c;

        fill(plane, l->pad_cols, pads);
        for (int32_t row = -l->halo_top; row < last; row++) {
            fill(row_at(l, plane, row) + l->width, l->pad_cols, pads);
        }
        for (int32_t gone = l->height; gone < 4 * l->rows; gone++) {
            uint8_t *const bytes = (uint8_t *)row_at(l, plane, gone % l->rows) + gone / l->rows;

            for (uint32_t x = 0; x < l->width; x++) {
                bytes[4 * x] = (uint8_t)pad;
            }
        }
        /* Pixel (lane, row) is pixel (lane - 1, row + rows), which may be in a halo too, but in one that is written. */
        for (int32_t row = -1; row >= -l->halo_top; row--) {
            uint32_t *const to = row_at(l, plane, row);
            const uint32_t *const from = row_at(l, plane, row + l->rows);

            for (uint32_t x = 0; x < l->width; x++) {
                to[x] = (from[x] << 8) | pad;
            }
        }
        for (int32_t row = l->rows; row < last; row++) {
            uint32_t *const to = row_at(l, plane, row);
            const uint32_t *const from = row_at(l, plane, row - l->rows);

            for (uint32_t x = 0; x < l->width; x++) {
                to[x] = (from[x] >> 8) | (pad << 24);
            }
        }
    }
}

#endif
