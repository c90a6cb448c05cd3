/* pad_flat.h - the zero point around a flat image.
 *
 *     y[c][i][j] = x[c][i - top][j - left] where x has such a pixel, else value
 */
#ifndef MCUGEN_PAD_FLAT_H
#define MCUGEN_PAD_FLAT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_pad_flat {
    uint16_t in_c;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t out_c;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t top;
    uint16_t left;
    uint8_t value;
};

/* x: bytes (C, H, W), y: bytes of the larger image; they do not overlap. */
void mcugen1_pad_flat_ref(const struct mcugen_pad_flat *k, const void *x, void *y);

static inline void mcugen1_pad_flat(const struct mcugen_pad_flat *k, const void *x, void *y)
{
    mcugen1_pad_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
