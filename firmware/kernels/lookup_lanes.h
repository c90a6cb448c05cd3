/* lookup_lanes.h - a function of one variable as a table, for an image in lanes.
 *
 *     y[c][r][s] = table[x[c][r][s]]
 *
 * x and y have the same size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_LOOKUP_LANES_H
#define MCUGEN_LOOKUP_LANES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_lookup_lanes {
    const uint8_t *table; /* mask + 1 bytes */
    struct mcugen_lanes in;
    struct mcugen_lanes out;
    uint8_t mask; /* 2^k - 1 for x of k bits */
};

/* x: in.channels planes, halos are not read; y: in.channels planes, sealed here. y may be x where out equals in: each byte
 * is read before it is written, and sealing comes last and reads only y. */
void mcugen1_lookup_lanes_ref(const struct mcugen_lookup_lanes *k, const void *x, void *y);

static inline void mcugen1_lookup_lanes(const struct mcugen_lookup_lanes *k, const void *x, void *y)
{
    mcugen1_lookup_lanes_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
