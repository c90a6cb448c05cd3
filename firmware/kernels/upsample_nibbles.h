/* upsample_nibbles.h - every pixel of an image in lanes of nibbles becomes a block of equal pixels.
 *
 *     y[c][i][j] = x[c][i div factor_h][j div factor_w]
 *
 * out.rows = factor_h * in.rows, so that every lane stays what it is.
 */
#ifndef MCUGEN_UPSAMPLE_NIBBLES_H
#define MCUGEN_UPSAMPLE_NIBBLES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_upsample_nibbles {
    struct mcugen_lanes in;
    struct mcugen_lanes out;
    uint16_t factor_h;
    uint16_t factor_w;
};

/* x: planes, halos are not read; y: planes of the larger image, sealed here. They do not overlap. */
void mcugen1_upsample_nibbles_ref(const struct mcugen_upsample_nibbles *k, const void *x, void *y);

static inline void mcugen1_upsample_nibbles(const struct mcugen_upsample_nibbles *k, const void *x, void *y)
{
    mcugen1_upsample_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
