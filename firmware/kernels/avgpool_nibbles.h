/* avgpool_nibbles.h - the mean of each window, from lanes to lanes of nibbles.
 *
 *     y[c] lane l, row r, column s = tail(sum over i, j of
 *         x[c] lane l, row r * stride_h + i - top, column s * stride_w + j - left)
 *
 * The divisor is part of the tail, which has one entry for all channels. Holds because in.rows = stride_h * out.rows;
 * x's halo rows and pad columns hold what lies outside a lane.
 */
#ifndef MCUGEN_AVGPOOL_NIBBLES_H
#define MCUGEN_AVGPOOL_NIBBLES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_avgpool_nibbles {
    struct mcugen_tail tail; /* bytes is 1 */
    struct mcugen_lanes in;
    struct mcugen_lanes out; /* out.channels = in.channels */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t top, left; /* padding, at most in.halo_top and in.pad_cols */
};

/* x: in.channels planes, sealed; y: out.channels planes, sealed here. */
void mcugen1_avgpool_nibbles_ref(const struct mcugen_avgpool_nibbles *k, const void *x, void *y);

static inline void mcugen1_avgpool_nibbles(const struct mcugen_avgpool_nibbles *k, const void *x, void *y)
{
    mcugen1_avgpool_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
