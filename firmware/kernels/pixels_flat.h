/* pixels_flat.h - an image of H, W, C bytes to a quantised activation, in C, H, W order.
 *
 *     y[c][i] = table[c * step][x[i][c]]
 */
#ifndef MCUGEN_PIXELS_FLAT_H
#define MCUGEN_PIXELS_FLAT_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_pixels_flat {
    const uint8_t *table; /* 256 bytes for each channel, or for all of them */
    uint32_t n;           /* pixels */
    uint16_t channels;
    uint16_t step; /* from one channel's table to the next: 256, or 0 */
};

/* x: n * channels bytes, y: as many; they do not overlap. */
void mcugen1_pixels_flat_ref(const struct mcugen_pixels_flat *k, const void *x, void *y);

static inline void mcugen1_pixels_flat(const struct mcugen_pixels_flat *k, const void *x, void *y)
{
    mcugen1_pixels_flat_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
