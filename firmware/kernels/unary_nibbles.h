/* unary_nibbles.h - anything of a pixel of 4 bits, in an image in lanes of nibbles, such as its requantisation.
 *
 *     y[c][r][s] = table[c * step + x[c][r][s]]
 *
 * x and y have the same channels, size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_UNARY_NIBBLES_H
#define MCUGEN_UNARY_NIBBLES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_unary_nibbles {
    const uint8_t *table; /* 16 nibbles, for all channels or for each */
    struct mcugen_lanes in;
    struct mcugen_lanes out;
    uint8_t step; /* 0 or 16 */
};

/* x: planes, their halos are not read; y: planes, sealed here; may be the buffer of x where out equals in. */
void mcugen1_unary_nibbles_ref(const struct mcugen_unary_nibbles *k, const void *x, void *y);

static inline void mcugen1_unary_nibbles(const struct mcugen_unary_nibbles *k, const void *x, void *y)
{
    mcugen1_unary_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
