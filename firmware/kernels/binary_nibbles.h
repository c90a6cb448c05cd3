/* binary_nibbles.h - anything of two pixels of 4 bits, in images in lanes of nibbles, such as their sum.
 *
 *     y[c][r][s] = table[a[c][r][s] | b[c][r][s] << 4]
 *
 * a, b and y have the same channels, size and rows per lane; halos, pad columns and pad values may differ.
 */
#ifndef MCUGEN_BINARY_NIBBLES_H
#define MCUGEN_BINARY_NIBBLES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_binary_nibbles {
    const uint8_t *table; /* 256 nibbles */
    struct mcugen_lanes a;
    struct mcugen_lanes b;
    struct mcugen_lanes out;
};

/* a, b: planes, their halos are not read; y: planes, sealed here. y may be the buffer of a (of b) where out equals k->a
 * (k->b): each word is read before it is written, and sealing comes last and reads only y. */
void mcugen1_binary_nibbles_ref(const struct mcugen_binary_nibbles *k, const void *a, const void *b, void *y);

static inline void mcugen1_binary_nibbles(const struct mcugen_binary_nibbles *k, const void *a, const void *b, void *y)
{
    mcugen1_binary_nibbles_ref(k, a, b, y);
}

#ifdef __cplusplus
}
#endif

#endif
