/* depthwise_lanes.h - convolution from lanes to lanes, one filter per channel.
 *
 *     y[c] lane l, row r, column s = tail(sum over i, j of
 *         w[c][i][j] * x[c] lane l, row r * stride_h + i * dilation_h - top, column s * stride_w + ...)
 *
 * Holds because in.rows = stride_h * out.rows; x's halo rows and pad columns hold what lies outside a lane.
 */
#ifndef MCUGEN_DEPTHWISE_LANES_H
#define MCUGEN_DEPTHWISE_LANES_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_depthwise_lanes {
    struct mcugen_tail tail; /* bytes is 1 */
    const uint8_t *weights;  /* in.channels * kernel_h * kernel_w, packed */
    mcugen_unpack_fn unpack;
    struct mcugen_lanes in;
    struct mcugen_lanes out; /* out.channels = in.channels */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t top, left; /* padding, at most in.halo_top and in.pad_cols */
};

/* x: in.channels planes, sealed; y: out.channels planes, sealed here; scratch: the weights of one channel. y may overlap x
 * if each of its planes ends where the same plane of x begins, or before. */
void mcugen1_depthwise_lanes_ref(const struct mcugen_depthwise_lanes *k, const void *x, void *y, void *scratch);

static inline void mcugen1_depthwise_lanes(const struct mcugen_depthwise_lanes *k, const void *x, void *y,
                                           void *scratch)
{
    mcugen1_depthwise_lanes_ref(k, x, y, scratch);
}

#ifdef __cplusplus
}
#endif

#endif
