/* upsample_lanes.h - every pixel of an image in lanes becomes a block of equal pixels.
 *
 *     y[c][i][j] = x[c][i div factor_h][j div factor_w]
 *
 * out.rows = factor_h * in.rows, so that every lane stays what it is.
 */
#ifndef MCUGEN_UPSAMPLE_LANES_H
#define MCUGEN_UPSAMPLE_LANES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_upsample_lanes {
    struct mcugen_lanes in;
    struct mcugen_lanes out;
    uint16_t factor_h;
    uint16_t factor_w;
};

/* x: planes, halos are not read; y: planes of the larger image, sealed here. They do not overlap. */
void mcugen1_upsample_lanes_ref(const struct mcugen_upsample_lanes *k, const void *x, void *y);

static inline void mcugen1_upsample_lanes(const struct mcugen_upsample_lanes *k, const void *x, void *y)
{
    mcugen1_upsample_lanes_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
