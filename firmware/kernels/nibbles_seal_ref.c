/* nibbles_seal_ref.c - the parts of mcugen1_nibbles_seal in C. */
#include "nibbles_seal.h"

MCUGEN_WEAK void mcugen1_nibbles_blank_ref(const struct mcugen_lanes *l, uint8_t *at, uint32_t n)
{
    const uint32_t pad = l->pad_value & 0xf0u;

    for (uint32_t c = 0; c < l->channels; c++) {
        uint8_t *const to = &at[4u * l->plane * c];

        for (uint32_t i = 0; i < n; i++) {
            to[4u * i] = (uint8_t)((to[4u * i] & 15u) | pad);
        }
    }
}

MCUGEN_WEAK void mcugen1_nibbles_above_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    const uint32_t pad = l->pad_value & 15u;

    for (uint32_t c = 0; c < l->channels; c++) {
        uint32_t *const to = &at[l->plane * c];
        const uint32_t *const from = &to[away];

        for (uint32_t i = n; i > 0u; i--) {
            to[i - 1u] = (from[i - 1u] << 4) | pad;
        }
    }
}

MCUGEN_WEAK void mcugen1_nibbles_below_ref(const struct mcugen_lanes *l, uint32_t *at, uint32_t n, uint32_t away)
{
    const uint32_t pad = (uint32_t)l->pad_value >> 4 << 28;

    for (uint32_t c = 0; c < l->channels; c++) {
        uint32_t *const to = &at[l->plane * c];
        const uint32_t *const from = to - away;

        for (uint32_t i = 0; i < n; i++) {
            to[i] = (from[i] >> 4) | pad;
        }
    }
}
