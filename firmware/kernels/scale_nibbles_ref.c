/* scale_nibbles_ref.c - a table of all pixels for each channel, then a word at a time, garbage rows too. */
#include "nibble_words.h"
#include "scale_nibbles.h"

MCUGEN_WEAK void mcugen1_scale_nibbles_ref(const struct mcugen_scale_nibbles *k, const void *a, const void *b, void *y)
{
    const uint32_t pitch = mcugen_lanes_pitch(&k->a);
    const uint32_t to_pitch = mcugen_lanes_pitch(&k->out);
    /* Pad columns between rows count too where there are as many, and are sealed afterwards. */
    const uint32_t together = (pitch == to_pitch) ? k->out.rows : 1u;
    const uint32_t n = (to_pitch * together) - k->out.pad_cols;
    const uint32_t *from = &((const uint32_t *)a)[mcugen_lanes_at(&k->a, 0, 0) / 4];
    uint32_t *to = &((uint32_t *)y)[mcugen_lanes_at(&k->out, 0, 0) / 4];

    for (uint32_t c = 0; c < k->out.channels; c++) {
        const int32_t factor = (int32_t)((const uint8_t *)b)[c] - k->zero_b;
        uint8_t table[16];

        for (int32_t v = 0; v < 16; v++) {
            table[v] = (uint8_t)mcugen_requantize(&k->tail, 0, (v - k->zero_a) * factor);
        }
        for (uint32_t row = 0; row < k->out.rows; row += together) {
            mcugen1_lookup_nibbles(table, &from[pitch * row], &to[to_pitch * row], n);
        }
        from = &from[k->a.plane];
        to = &to[k->out.plane];
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
