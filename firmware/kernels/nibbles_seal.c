/* nibbles_seal.c - sealing an image in lanes of nibbles: every nibble that is no pixel of it gets its defined value. */
#include "nibbles_seal.h"

MCUGEN_WEAK void mcugen1_nibbles_seal(const struct mcugen_lanes *l, uint8_t *y)
{
    const uint32_t pitch = mcugen_lanes_pitch(l);
    const uint32_t rows = l->rows;
    const uint32_t cols = l->pad_cols;
    const uint32_t away = pitch * rows;
    uint32_t *const plane = (uint32_t *)(void *)y;
    uint32_t *const top = &plane[cols];
    uint32_t *const image = &top[pitch * l->halo_top];
    uint32_t left = l->height; /* rows from the first of two lanes on */

    for (uint32_t col = 0; col < cols; col++) {
        mcugen1_lanes_pads(l, &plane[col], 1u + l->halo_top + rows + l->halo_bottom);
    }
    for (uint32_t byte = 0; byte < 4u;
         byte++) { /* garbage rows: the upper of two lanes in a byte has all the lower has */
        const uint32_t low = (left < rows) ? left : rows;
        const uint32_t high = (left - low < rows) ? (left - low) : rows;

        if (low < rows) {
            mcugen1_lanes_blank(l, (uint8_t *)&image[pitch * low] + byte, (pitch * (rows - low)) - cols);
        }
        if (high < low) {
            mcugen1_nibbles_blank_ref(l, (uint8_t *)&image[pitch * high] + byte, (pitch * (low - high)) - cols);
        }
        left -= low + high;
    }
    if (l->halo_top > 0) { /* in the order of mcugen1_lanes_seal */
        mcugen1_nibbles_above(l, top, mcugen_lanes_halo(l, l->halo_top), away);
    }
    if (l->halo_bottom > 0) {
        mcugen1_nibbles_below(l, &image[away], mcugen_lanes_halo(l, l->halo_bottom), away);
    }
}
