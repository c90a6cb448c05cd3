/* maxpool_flat.h - the largest value of each window of a flat image.
 *
 *     y[c][r][s] = max over i, j of x[c][r * stride_h + i - top][s * stride_w + j - left]
 *
 * Only positions inside the image count; every window has one.
 */
#ifndef MCUGEN_MAXPOOL_FLAT_H
#define MCUGEN_MAXPOOL_FLAT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_maxpool_flat {
    uint16_t in_c, in_h, in_w;
    uint16_t out_c, out_h, out_w; /* out_c = in_c */
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t top, left; /* padding */
};

/* x: in_c * in_h * in_w bytes; y: out_c * out_h * out_w bytes. */
void mcugen1_maxpool_flat_ref(const struct mcugen_maxpool_flat *k, const void *x, void *y);

static inline void mcugen1_maxpool_flat(const struct mcugen_maxpool_flat *k, const void *x, void *y)
{
    mcugen1_maxpool_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
