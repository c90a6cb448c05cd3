/* unary_nibbles_ref.c - row by row, or all of them at once, garbage rows too. */
#include "nibble_words.h"
#include "unary_nibbles.h"

MCUGEN_WEAK void mcugen1_unary_nibbles_ref(const struct mcugen_unary_nibbles *k, const void *x, void *y)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->in);
    const uint32_t to_pitch = mcugen_lanes_pitch(&k->out);
    /* Pad columns between rows count too where there are as many, and are sealed afterwards. */
    const uint32_t together = (pitch == to_pitch) ? k->out.rows : 1u;
    const uint32_t n = (to_pitch * together) - k->out.pad_cols;
    const uint32_t *from = &((const uint32_t *)x)[mcugen_lanes_at(&k->in, 0, 0) / 4];
    uint32_t *to = &((uint32_t *)y)[mcugen_lanes_at(&k->out, 0, 0) / 4];
    const uint8_t *table = k->table;

    for (uint32_t c = k->out.channels; c > 0u; c--) {
        for (uint32_t row = 0; row < k->out.rows; row += together) {
            mcugen1_lookup_nibbles(table, &from[pitch * row], &to[to_pitch * row], n);
        }
        from = &from[k->in.plane];
        to = &to[k->out.plane];
        table = &table[k->step];
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
