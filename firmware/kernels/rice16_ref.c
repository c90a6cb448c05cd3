/* rice16_ref.c - the definition in C. Clear before fast. */
#include "rice16.h"

static uint32_t bit(struct mcugen_rice16 *s)
{
    if (s->left == -16) {
        s->bits = (uint32_t)*s->next << 16;
        s->next++;
        s->left = 0;
    }
    const uint32_t top = s->bits >> 31;

    s->bits <<= 1;
    s->left--;
    return top;
}

/* The next entry: s->at and s->code. */
static void entry(struct mcugen_rice16 *s)
{
    uint32_t ones = 0;
    uint32_t low = 0;

    while (bit(s) != 0) {
        ones++;
    }
    for (uint32_t i = 0; i < s->k; i++) {
        low = (low << 1) | bit(s);
    }
    s->at += (int32_t)((ones << s->k) + low + 1);
    s->code = bit(s);
}

MCUGEN_WEAK void mcugen1_rice16_ref(struct mcugen_rice16 *s, const uint8_t *x, uint32_t n, uint32_t count,
                                    int32_t *sums)
{
    const uint8_t *const end = x + n;

    for (uint32_t o = 0; o < count; o++) {
        int32_t sum = 0;

        if (s->at >= 0) { /* read already, for this output or a later one */
            s->at -= (int32_t)n;
        } else {
            entry(s);
        }
        while (s->at < 0) {
            sum += s->code != 0 ? -end[s->at] : end[s->at];
            entry(s);
        }
        sums[o] = sum;
    }
}
