/* add_lanes.h - residual sum of two images in lanes.
 *
 *     y[c][r][s] = clamp((a[c][r][s] * mult_a + b[c][r][s] * mult_b + add) >> shift, lo, hi)
 *
 * a, b and y have the same channels, size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_ADD_LANES_H
#define MCUGEN_ADD_LANES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_add_lanes {
    struct mcugen_lanes a;
    struct mcugen_lanes b;
    struct mcugen_lanes out;
    int32_t add; /* every partial sum of any two bytes fits 32 bits */
    int32_t lo;  /* 0 <= lo <= hi <= 255 */
    int32_t hi;
    int16_t mult_a;
    int16_t mult_b;
    uint8_t shift; /* 0 .. 31 */
};

/* What a run of words needs of it. */
struct mcugen_add_rule {
    int32_t mult_a;
    int32_t mult_b;
    int32_t add;
    int32_t lo;
    int32_t hi;
    uint32_t shift;
};

/* y[i] for the words y .. end, four pixels each, which may be those of a or b; lo is 0. Armv6-M. */
void mcugen1_add_words_m0(const struct mcugen_add_rule *r, const uint32_t *a, const uint32_t *b, uint32_t *y,
                          const uint32_t *end);

/* a, b: planes, their halos are not read; y: planes, sealed here. y may be the buffer of a (of b) where out equals k->a
 * (k->b): each byte is read before it is written, and sealing comes last and reads only y. */
void mcugen1_add_lanes_ref(const struct mcugen_add_lanes *k, const void *a, const void *b, void *y);

/* M55, M85: rule: mult_a, mult_b, add, lo, hi, -shift */
void mcugen1_add_words_mve(const int32_t *rule, const uint32_t *a, const uint32_t *b, uint32_t *y, uint32_t bytes);

static inline void mcugen1_add_lanes(const struct mcugen_add_lanes *k, const void *a, const void *b, void *y)
{
    mcugen1_add_lanes_ref(k, a, b, y);
}

#ifdef __cplusplus
}
#endif

#endif
