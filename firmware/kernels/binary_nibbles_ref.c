/* binary_nibbles_ref.c - eight indices at once, of four pixels of each input in a word. */
#include "binary_nibbles.h"
#include "nibble_words.h"

static uint32_t first(const struct mcugen_lanes *l)
{
    return (uint32_t)mcugen_lanes_at(l, 0, 0) / 4u;
}

static void row_of(const uint8_t *table, const uint32_t *a, const uint32_t *b, uint32_t *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t p = a[i];
        const uint32_t q = b[i];
        const uint32_t even = mcugen_even_nibbles(p) | (mcugen_even_nibbles(q) << 4);
        const uint32_t odd = mcugen_odd_nibbles(p) | (q & 0xf0f0f0f0u);

        y[i] = mcugen_lookup8(table, even, odd);
    }
}

MCUGEN_WEAK void mcugen1_binary_nibbles_ref(const struct mcugen_binary_nibbles *k, const void *a, const void *b,
                                            void *y)
{
    const uint32_t *p = &((const uint32_t *)a)[first(&k->a)];
    const uint32_t *q = &((const uint32_t *)b)[first(&k->b)];
    uint32_t *to = &((uint32_t *)y)[first(&k->out)];
    const uint32_t pitch = mcugen_lanes_pitch(&k->out);
    uint32_t rows = k->out.rows;
    uint32_t n = k->out.width;

    /* Garbage rows and pad columns between rows count too, whatever they show, and are sealed afterwards. */
    if (k->a.pad_cols == k->out.pad_cols && k->b.pad_cols == k->out.pad_cols) {
        n = (rows * pitch) - k->out.pad_cols;
        rows = 1;
    }
    for (uint32_t c = k->out.channels; c > 0u; c--) {
        for (uint32_t row = 0; row < rows; row++) {
            row_of(k->table, &p[mcugen_lanes_pitch(&k->a) * row], &q[mcugen_lanes_pitch(&k->b) * row], &to[pitch * row],
                   n);
        }
        p = &p[k->a.plane];
        q = &q[k->b.plane];
        to = &to[k->out.plane];
    }
    mcugen1_nibbles_seal(&k->out, (uint8_t *)y);
}
