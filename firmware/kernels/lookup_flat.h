/* lookup_flat.h - a function of one variable as a table.
 *
 *     y[i] = table[x[i]]
 */
#ifndef MCUGEN_LOOKUP_FLAT_H
#define MCUGEN_LOOKUP_FLAT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_lookup_flat {
    const uint8_t *table; /* mask + 1 elements of `bytes` bytes */
    uint8_t mask; /* 2^k - 1 for x of k bits; bits beyond are not looked at, so no byte reads outside the table */
    uint8_t bytes; /* of one output: 1, or 2 (little endian) */
    uint32_t n; /* elements */
};

/* x: n bytes; y: n elements. y may be x where bytes is 1: each byte is read before it is written. */
void mcugen1_lookup_flat_ref(const struct mcugen_lookup_flat *k, const void *x, void *y);

static inline void mcugen1_lookup_flat(const struct mcugen_lookup_flat *k, const void *x, void *y)
{
    mcugen1_lookup_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
