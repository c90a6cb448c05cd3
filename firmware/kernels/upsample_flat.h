/* upsample_flat.h - every pixel of a flat image becomes a block of equal pixels.
 *
 *     y[c][i][j] = x[c][i div factor_h][j div factor_w]
 */
#ifndef MCUGEN_UPSAMPLE_FLAT_H
#define MCUGEN_UPSAMPLE_FLAT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_upsample_flat {
    uint16_t in_c;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t factor_h;
    uint16_t factor_w;
};

/* x: bytes (C, H, W), y: bytes of the larger image; they do not overlap. */
void mcugen1_upsample_flat_ref(const struct mcugen_upsample_flat *k, const void *x, void *y);

static inline void mcugen1_upsample_flat(const struct mcugen_upsample_flat *k, const void *x, void *y)
{
    mcugen1_upsample_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
