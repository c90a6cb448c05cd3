/* pixels_lanes.h - an image of H, W, C bytes to a quantised activation in lanes.
 *
 *     y's pixel (c, r, s) = table[c * step][x[r][s][c]]
 */
#ifndef MCUGEN_PIXELS_LANES_H
#define MCUGEN_PIXELS_LANES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_pixels_lanes {
    const uint8_t *table; /* 256 bytes for each channel, or for all of them */
    struct mcugen_lanes out;
    uint16_t step; /* from one channel's table to the next: 256, or 0 */
};

/* x: bytes (height, width, channels) of any alignment; y: planes, sealed here. They do not overlap. */
void mcugen1_pixels_lanes_ref(const struct mcugen_pixels_lanes *k, const void *x, void *y);

static inline void mcugen1_pixels_lanes(const struct mcugen_pixels_lanes *k, const void *x, void *y)
{
    mcugen1_pixels_lanes_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
