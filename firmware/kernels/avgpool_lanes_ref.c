/* avgpool_lanes_ref.c - four sums at once. */
#include "avgpool_lanes.h"
#include "mcugen_words.h"

/* Column `col` of row `row` of all lanes; from: the first of their windows. Garbage rows have sums that nobody proved
 * anything of: they are left to the seal. */
static void window(const struct mcugen_avgpool_lanes *k, const uint32_t *from, uint32_t row, uint8_t *to)
{
    uint32_t sums[4] = {0, 0, 0, 0};

    for (uint32_t i = 0; i < k->kernel_h; i++) {
        mcugen_sum4(from, k->kernel_w, sums);
        from += mcugen_lanes_pitch(&k->in);
    }
    for (uint32_t lane = 0; lane < 4u && lane * k->out.rows + row < k->out.height; lane++) {
        to[lane] = (uint8_t)mcugen_requantize(&k->tail, 0, (int32_t)sums[lane]);
    }
}

MCUGEN_WEAK void mcugen1_avgpool_lanes_ref(const struct mcugen_avgpool_lanes *k, const void *x, void *y)
{
    for (uint32_t c = 0; c < k->out.channels; c++) {
        const uint32_t *const plane = (const uint32_t *)x + k->in.plane * c;
        uint8_t *const to_plane = (uint8_t *)y + 4 * k->out.plane * c;

        for (int32_t row = 0; row < k->out.rows; row++) {
            const uint32_t *const from = plane + mcugen_lanes_at(&k->in, row * k->stride_h - k->top, -k->left) / 4;
            uint8_t *const to = to_plane + mcugen_lanes_at(&k->out, row, 0);

            for (uint32_t col = 0; col < k->out.width; col++) {
                window(k, from + col * k->stride_w, (uint32_t)row, to + 4 * col);
            }
        }
    }
    mcugen1_lanes_seal(&k->out, (uint8_t *)y);
}
