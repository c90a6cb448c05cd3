/* add_flat.h - residual sum of two flat values.
 *
 *     y[i] = clamp((a[i] * mult_a + b[i] * mult_b + add) >> shift, lo, hi), i < n
 */
#ifndef MCUGEN_ADD_FLAT_H
#define MCUGEN_ADD_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_add_flat {
    int32_t add; /* every partial sum fits 32 bits */
    int32_t lo;
    int32_t hi;
    uint32_t n;
    int16_t mult_a;
    int16_t mult_b;
    uint8_t shift; /* 0 .. 31 */
    uint8_t bytes; /* of one output: 1 unsigned, 2 or 4 signed */
};

/* a, b: n bytes each, the same buffer if you like; y: n elements of `bytes`. Where bytes is 1, y may be a or b (exactly,
 * not shifted): element i is read before byte i is written, and nothing is read after. */
void mcugen1_add_flat_ref(const struct mcugen_add_flat *k, const void *a, const void *b, void *y);

static inline void mcugen1_add_flat(const struct mcugen_add_flat *k, const void *a, const void *b, void *y)
{
    mcugen1_add_flat_ref(k, a, b, y);
}

#ifdef __cplusplus
}
#endif

#endif
