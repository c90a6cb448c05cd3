/* argmax_flat.h - the index of the largest element, of equal ones the first.
 *
 *     y[0] = least i with x[i] = max(x), i < n
 */
#ifndef MCUGEN_ARGMAX_FLAT_H
#define MCUGEN_ARGMAX_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_argmax_flat {
    uint32_t n;       /* at least 1 */
    uint8_t in_bytes; /* of one element of x: 1 unsigned, 2 or 4 signed */
    uint8_t bytes;    /* of y: 1 unsigned, 2 or 4 signed; as many as n - 1 needs */
};

/* x: n elements, y: one, both at any alignment; y may be the first bytes of x: it is written last. */
void mcugen1_argmax_flat_ref(const struct mcugen_argmax_flat *k, const void *x, void *y);

static inline void mcugen1_argmax_flat(const struct mcugen_argmax_flat *k, const void *x, void *y)
{
    mcugen1_argmax_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
