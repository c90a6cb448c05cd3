/* nibble_words_ref.c - a table of 16 nibbles for a run of words. */
#include "mcugen.h"
#include "nibble_words.h"

MCUGEN_WEAK void mcugen1_lookup_nibbles(const uint8_t *table, const uint32_t *x, uint32_t *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t v = x[i];

        y[i] = mcugen_lookup8(table, mcugen_even_nibbles(v), mcugen_odd_nibbles(v));
    }
}
