/* unary_nibbles_ref.c - a word at a time, garbage rows too. */
#include "nibble_words.h"
#include "unary_nibbles.h"

MCUGEN_WEAK void mcugen1_unary_nibbles_ref(const struct mcugen_unary_nibbles *k, const void *x, void *y)
{
    const uint8_t *table = k->table;

    for (uint32_t c = 0; c < k->in.channels; c++) {
        const uint32_t *const plane = &((const uint32_t *)x)[k->in.plane * c];
        uint32_t *const to_plane = &((uint32_t *)y)[k->out.plane * c];

        for (int32_t row = 0; row < k->in.rows; row++) {
            const uint32_t *const from = &plane[mcugen_lanes_at(&k->in, row, 0) / 4];
            uint32_t *const to = &to_plane[mcugen_lanes_at(&k->out, row, 0) / 4];

            for (uint32_t i = 0; i < k->in.width; i++) {
                const uint32_t v = from[i];

                to[i] = mcugen_lookup8(table, mcugen_even_nibbles(v), mcugen_odd_nibbles(v));
            }
        }
        table = &table[k->step];
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
