/* lanes.c - sealing an image in lanes: every byte that is not a pixel of the image gets its defined value. */
#include "lanes.h"

#if defined(__ARM_FEATURE_MVE)

MCUGEN_WEAK void mcugen1_lanes_seal(const struct mcugen_lanes *l, uint8_t *y)
{
    mcugen1_lanes_seal_mve(l, y);
}

#else

MCUGEN_WEAK void mcugen1_lanes_seal(const struct mcugen_lanes *l, uint8_t *y)
{
    const uint32_t pitch = mcugen_lanes_pitch(l);
    const uint32_t rows = l->rows;
    const uint32_t cols = l->pad_cols;
    const uint32_t away = pitch * rows;
    uint32_t *const plane = (uint32_t *)(void *)y;
    uint32_t *const top = &plane[cols];
    uint32_t *const image = &top[pitch * l->halo_top];
    uint32_t from = 0; /* the first row of a lane */

    for (uint32_t col = 0; col < cols; col++) {
        mcugen1_lanes_pads(l, &plane[col], 1u + l->halo_top + rows + l->halo_bottom);
    }
    for (uint32_t lane = 0; lane < 4u; lane++) { /* garbage rows */
        const uint32_t row = (l->height > from) ? (l->height - from) : 0u;

        if (row < rows) {
            mcugen1_lanes_blank(l, (uint8_t *)&image[pitch * row] + lane, (pitch * (rows - row)) - cols);
        }
        from += rows;
    }
    /* If halo rows are more than rows, they repeat halo rows, too: those that are written before them. */
    if (l->halo_top > 0) {
        mcugen1_lanes_above(l, top, mcugen_lanes_halo(l, l->halo_top), away);
    }
    if (l->halo_bottom > 0) {
        mcugen1_lanes_below(l, &image[away], mcugen_lanes_halo(l, l->halo_bottom), away);
    }
}

#endif
