/* upsample_nibbles_ref.c - a word at a time, garbage rows too. */
#include "upsample_nibbles.h"

static void widen(const uint32_t *x, uint32_t *y, uint32_t n, uint32_t factor)
{
    uint32_t *to = y;

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t v = x[i];

        for (uint32_t left = factor; left > 0u; left--) {
            *to = v;
            to = &to[1];
        }
    }
}

MCUGEN_WEAK void mcugen1_upsample_nibbles_ref(const struct mcugen_upsample_nibbles *k, const void *x, void *y)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->out);
    const uint32_t *plane = &((const uint32_t *)x)[mcugen_lanes_at(&k->in, 0, 0) / 4];
    uint32_t *to_plane = &((uint32_t *)y)[mcugen_lanes_at(&k->out, 0, 0) / 4];

    for (uint32_t c = k->in.channels; c > 0u; c--) {
        const uint32_t *from = plane;
        uint32_t *to = to_plane;

        for (uint32_t row = 0; row < k->in.rows; row++) {
            for (uint32_t again = k->factor_h; again > 0u; again--) {
                widen(from, to, k->in.width, k->factor_w);
                to = &to[pitch];
            }
            from = &from[mcugen_lanes_pitch(&k->in)];
        }
        plane = &plane[k->in.plane];
        to_plane = &to_plane[k->out.plane];
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
