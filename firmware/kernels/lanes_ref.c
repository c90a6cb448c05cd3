/* lanes_ref.c - the parts of mcugen1_lanes_seal in C. */
#include "lanes.h"

MCUGEN_WEAK void mcugen1_lanes_pads_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n)
{
    const uint32_t pads = l->pad_value * 0x01010101u;
    const uint32_t pitch = mcugen_lanes_pitch(l);

    for (uint32_t c = 0; c < l->channels; c++) {
        uint32_t *const to = &at[l->plane * c];

        for (uint32_t i = 0; i < n; i++) {
            to[pitch * i] = pads;
        }
    }
}

MCUGEN_WEAK void mcugen1_lanes_blank_ref(const struct mcugen_lanes *l, uint8_t *at, uint32_t n)
{
    for (uint32_t c = 0; c < l->channels; c++) {
        uint8_t *const to = &at[4u * l->plane * c];

        for (uint32_t i = 0; i < n; i++) {
            to[4u * i] = l->pad_value;
        }
    }
}

MCUGEN_WEAK void mcugen1_lanes_above_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    for (uint32_t c = 0; c < l->channels; c++) {
        uint32_t *const to = &at[l->plane * c];
        const uint32_t *const from = &to[away];

        for (uint32_t i = n; i > 0u; i--) {
            to[i - 1u] = (from[i - 1u] << 8) | l->pad_value;
        }
    }
}

MCUGEN_WEAK void mcugen1_lanes_below_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    const uint32_t pad = (uint32_t)l->pad_value << 24;

    for (uint32_t c = 0; c < l->channels; c++) {
        uint32_t *const to = &at[l->plane * c];
        const uint32_t *const from = to - away;

        for (uint32_t i = 0; i < n; i++) {
            to[i] = (from[i] >> 8) | pad;
        }
    }
}
