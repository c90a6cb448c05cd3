/* softmax_flat.h - probabilities in integers: exponentials from two tables, then one division each.
 *
 *     d = max(x) - x[i]
 *     e[i] = (coarse[d div 256] * fine[d mod 256] + 2^14) >> 15, or 0 where coarse has no such entry
 *     y[i] = clamp((e[i] * one + sum(e) div 2) div sum(e), lo, hi)
 */
#ifndef MCUGEN_SOFTMAX_FLAT_H
#define MCUGEN_SOFTMAX_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_softmax_flat {
    const int16_t *coarse; /* 0 .. 32767, the first 32767 */
    const int16_t *fine;   /* likewise; an entry for every d mod 256 */
    uint32_t n;            /* 1 .. 32767: the sum stays below 2^30 */
    uint32_t one;          /* 1 .. 65535: the dividend stays below 2^32 */
    int32_t lo;            /* 0 <= lo <= hi */
    int32_t hi;
    uint16_t steps;   /* entries of coarse */
    uint8_t in_bytes; /* of one element of x: 1 unsigned, 2 signed */
    uint8_t bytes;    /* of one output: 1 unsigned, 2 signed */
};

/* x: n elements, y: n elements, both at any alignment; they do not overlap. */
void mcugen1_softmax_flat_ref(const struct mcugen_softmax_flat *k, const void *x, void *y);

static inline void mcugen1_softmax_flat(const struct mcugen_softmax_flat *k, const void *x, void *y)
{
    mcugen1_softmax_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
