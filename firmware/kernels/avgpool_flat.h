/* avgpool_flat.h - the mean of each window of a flat image.
 *
 *     y[c][r][s] = tail(sum over i, j of x[c][r * stride_h + i - top][s * stride_w + j - left])
 *
 * The divisor is part of the tail, which has one entry for all channels. x outside the image is pad_value and counts.
 */
#ifndef MCUGEN_AVGPOOL_FLAT_H
#define MCUGEN_AVGPOOL_FLAT_H

#include "mcugen.h"
#include "mcugen_fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_avgpool_flat {
    struct mcugen_tail tail;
    uint16_t in_c, in_h, in_w;
    uint16_t out_c, out_h, out_w; /* out_c = in_c */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t top, left; /* padding */
    uint8_t pad_value;  /* the zero point of x */
};

/* x: in_c * in_h * in_w bytes; y: out_c * out_h * out_w elements of tail.bytes. */
void mcugen1_avgpool_flat_ref(const struct mcugen_avgpool_flat *k, const void *x, void *y);

static inline void mcugen1_avgpool_flat(const struct mcugen_avgpool_flat *k, const void *x, void *y)
{
    mcugen1_avgpool_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
