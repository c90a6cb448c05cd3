/* maxpool_nibbles.h - the largest value of each window, from lanes to lanes of nibbles.
 *
 *     y[c] lane l, row r, column s = max over i, j of x[c] lane l, row r * stride_h + i - top, column s * stride_w + ...
 *
 * Holds because in.rows = stride_h * out.rows and, where windows leave the image, in.pad_value is 0: it never wins.
 */
#ifndef MCUGEN_MAXPOOL_NIBBLES_H
#define MCUGEN_MAXPOOL_NIBBLES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_maxpool_nibbles {
    struct mcugen_lanes in;
    struct mcugen_lanes out; /* out.channels = in.channels */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t top, left; /* padding, at most in.halo_top and in.pad_cols */
};

/* x: in.channels planes, sealed; y: out.channels planes, sealed here. */
void mcugen1_maxpool_nibbles_ref(const struct mcugen_maxpool_nibbles *k, const void *x, void *y);

static inline void mcugen1_maxpool_nibbles(const struct mcugen_maxpool_nibbles *k, const void *x, void *y)
{
    mcugen1_maxpool_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
