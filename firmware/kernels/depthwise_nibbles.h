/* depthwise_nibbles.h - convolution from lanes to lanes of nibbles, one filter of 8-bit weights per channel.
 *
 *     y[c] lane l, row r, column s = tail(sum over i, j of
 *         w[c][i][j] * x[c] lane l, row r * stride_h + i * dilation_h - top, column s * stride_w + ...)
 *
 * Holds because in.rows = stride_h * out.rows; x's halo rows and pad columns hold what lies outside a lane. Any window; two
 * sums share a word as in window_nibbles.h, so 15 times the magnitudes of a channel's weights are below 2^16.
 */
#ifndef MCUGEN_DEPTHWISE_NIBBLES_H
#define MCUGEN_DEPTHWISE_NIBBLES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_depthwise_nibbles {
    struct mcugen_tail tail; /* bytes is 1, wide 0 */
    const int8_t *weights;   /* in.channels * kernel_h * kernel_w */
    struct mcugen_lanes in;
    struct mcugen_lanes out; /* out.channels = in.channels */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t top, left; /* padding, at most in.halo_top and in.pad_cols */
};

/* x: in.channels planes, sealed; y: out.channels planes, sealed here. y may overlap x if each of its planes ends where the
 * same plane of x begins, or before. */
void mcugen1_depthwise_nibbles_ref(const struct mcugen_depthwise_nibbles *k, const void *x, void *y);

static inline void mcugen1_depthwise_nibbles(const struct mcugen_depthwise_nibbles *k, const void *x, void *y)
{
    mcugen1_depthwise_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
