/* avgpool_nibbles_ref.c - eight sums at once. */
#include "avgpool_nibbles.h"
#include "nibble_words.h"

#define ROOM 17u /* pixels of 4 bits whose sum fits a byte */

/* sums[l] += what four lanes have added up, l = 0, 2, 4, 6. */
static void take(uint32_t bytes, uint32_t *sums)
{
    sums[0] += bytes & 255u;
    sums[2] += (bytes >> 8) & 255u;
    sums[4] += (bytes >> 16) & 255u;
    sums[6] += bytes >> 24;
}

/* Column `col` of row `row` of all lanes; from: the first of their windows. Garbage rows have sums that nobody proved
 * anything of: they are left to the seal. */
static uint32_t window(const struct mcugen_avgpool_nibbles *k, const uint32_t *from, uint32_t row)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->in);
    const uint32_t *x = from;
    uint32_t sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    uint32_t even = 0;
    uint32_t odd = 0;
    uint32_t room = ROOM;
    uint32_t y = 0;

    for (uint32_t i = 0; i < k->kernel_h; i++) {
        for (uint32_t j = 0; j < k->kernel_w; j++) {
            if (room == 0u) {
                take(even, &sums[0]);
                take(odd, &sums[1]);
                even = 0;
                odd = 0;
                room = ROOM;
            }
            even += mcugen_even_nibbles(x[j]);
            odd += mcugen_odd_nibbles(x[j]);
            room--;
        }
        x = &x[pitch];
    }
    take(even, &sums[0]);
    take(odd, &sums[1]);
    for (uint32_t lane = 0; lane < 8u && (lane * k->out.rows) + row < k->out.height; lane++) {
        y |= (uint32_t)mcugen_requantize(&k->tail, 0, (int32_t)sums[lane]) << (4u * lane);
    }
    return y;
}

MCUGEN_WEAK void mcugen1_avgpool_nibbles_ref(const struct mcugen_avgpool_nibbles *k, const void *x, void *y)
{
    for (uint32_t c = 0; c < k->out.channels; c++) {
        const uint32_t *const plane = &((const uint32_t *)x)[k->in.plane * c];
        uint32_t *const to_plane = &((uint32_t *)y)[k->out.plane * c];

        for (int32_t row = 0; row < k->out.rows; row++) {
            const uint32_t *const from = &plane[mcugen_lanes_at(&k->in, row * k->stride_h - k->top, -k->left) / 4];
            uint32_t *const to = &to_plane[mcugen_lanes_at(&k->out, row, 0) / 4];

            for (uint32_t col = 0; col < k->out.width; col++) {
                to[col] = window(k, &from[col * k->stride_w], (uint32_t)row);
            }
        }
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
