/* depthwise_flat.h - convolution of a flat image, one filter per channel.
 *
 *     y[c][r][s] = tail(sum over i, j of w[c][i][j] * x[c][r * stride_h + i * dilation_h - top][s * stride_w + ...])
 *
 * x outside the image is pad_value.
 */
#ifndef MCUGEN_DEPTHWISE_FLAT_H
#define MCUGEN_DEPTHWISE_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_depthwise_flat {
    struct mcugen_tail tail;
    const uint8_t *weights; /* in_c * kernel_h * kernel_w, packed */
    mcugen_unpack_fn unpack;
    uint16_t in_c, in_h, in_w;
    uint16_t out_c, out_h, out_w; /* out_c = in_c */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t top, left; /* padding */
    uint8_t pad_value;  /* the zero point of x */
};

/* x: in_c * in_h * in_w bytes; y: out_c * out_h * out_w elements of tail.bytes; scratch: the weights of one channel. */
void mcugen1_depthwise_flat_ref(const struct mcugen_depthwise_flat *k, const void *x, void *y, void *scratch);

static inline void mcugen1_depthwise_flat(const struct mcugen_depthwise_flat *k, const void *x, void *y, void *scratch)
{
    mcugen1_depthwise_flat_ref(k, x, y, scratch);
}

#ifdef __cplusplus
}
#endif

#endif
