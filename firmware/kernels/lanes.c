/* lanes.c - sealing an image in lanes: every byte that is not a pixel of the image gets its defined value. */
#include "mcugen.h"

/* Pixel (y, x) of the channel at `plane`, or the pad value outside the image. */
static uint8_t pixel(const struct mcugen_lanes *l, const uint8_t *plane, int32_t y, int32_t x)
{
    if (y < 0 || y >= l->height) {
        return l->pad_value;
    }
    return plane[mcugen_lanes_at(l, y % l->rows, x) + y / l->rows];
}

static void halo_row(const struct mcugen_lanes *l, uint8_t *plane, int32_t row)
{
    for (int32_t x = 0; x < l->width; x++) {
        for (int32_t lane = 0; lane < 4; lane++) {
            plane[mcugen_lanes_at(l, row, x) + lane] = pixel(l, plane, lane * l->rows + row, x);
        }
    }
}

MCUGEN_WEAK void mcugen1_lanes_seal(const struct mcugen_lanes *l, uint8_t *y)
{
    const int32_t last = l->rows + l->halo_bottom;

    for (uint32_t c = 0; c < l->channels; c++) {
        uint8_t *const plane = y + 4 * l->plane * c;

        for (int32_t i = 0; i < 4 * l->pad_cols; i++) {
            plane[i] = l->pad_value;
            for (int32_t row = -l->halo_top; row < last; row++) {
                plane[mcugen_lanes_at(l, row, l->width) + i] = l->pad_value;
            }
        }
        for (int32_t gone = l->height; gone < 4 * l->rows; gone++) {
            for (int32_t x = 0; x < l->width; x++) {
                plane[mcugen_lanes_at(l, gone % l->rows, x) + gone / l->rows] = l->pad_value;
            }
        }
        for (int32_t row = -l->halo_top; row < 0; row++) {
            halo_row(l, plane, row);
        }
        for (int32_t row = l->rows; row < last; row++) {
            halo_row(l, plane, row);
        }
    }
}
