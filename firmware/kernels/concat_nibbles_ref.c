/* concat_nibbles_ref.c - eight pixels at once, garbage rows too. */
#include "concat_nibbles.h"
#include "nibble_words.h"

static void copy(const uint32_t *x, uint32_t *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        y[i] = x[i];
    }
}

MCUGEN_WEAK void mcugen1_concat_nibbles_ref(const struct mcugen_concat_nibbles *k, const void *const *x, void *y)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->out);
    uint32_t *to = &((uint32_t *)y)[mcugen_lanes_at(&k->out, 0, 0) / 4];

    for (uint32_t i = 0; i < k->inputs; i++) {
        const uint32_t *from = &((const uint32_t *)x[i])[k->first[i]];
        /* Pad columns between rows count too where there are as many, and are sealed afterwards. */
        const uint32_t together = (k->pitch[i] == pitch) ? k->out.rows : 1u;
        const uint32_t n = (pitch * together) - k->out.pad_cols;

        for (uint32_t c = k->channels[i]; c > 0u; c--) {
            for (uint32_t row = 0; row < k->out.rows; row += together) {
                if (k->copy[i] != 0u) {
                    copy(&from[k->pitch[i] * row], &to[pitch * row], n);
                } else {
                    mcugen1_lookup_nibbles(&k->table[16u * i], &from[k->pitch[i] * row], &to[pitch * row], n);
                }
            }
            from = &from[k->plane[i]];
            to = &to[k->out.plane];
        }
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
