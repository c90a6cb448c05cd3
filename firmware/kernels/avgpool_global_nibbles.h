/* avgpool_global_nibbles.h - the mean of each channel of an image in lanes of nibbles.
 *
 *     y[c] = tail(sum over r, s of x[c][r][s])
 *
 * The divisor is part of the tail, which has one entry for all channels.
 */
#ifndef MCUGEN_AVGPOOL_GLOBAL_NIBBLES_H
#define MCUGEN_AVGPOOL_GLOBAL_NIBBLES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_avgpool_global_nibbles {
    struct mcugen_tail tail;
    struct mcugen_lanes in;
};

/* x: in.channels planes, sealed; y: in.channels elements of tail.bytes, flat. */
void mcugen1_avgpool_global_nibbles_ref(const struct mcugen_avgpool_global_nibbles *k, const void *x, void *y);

static inline void mcugen1_avgpool_global_nibbles(const struct mcugen_avgpool_global_nibbles *k, const void *x, void *y)
{
    mcugen1_avgpool_global_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
