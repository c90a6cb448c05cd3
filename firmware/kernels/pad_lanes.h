/* pad_lanes.h - the zero point around an image, written in lanes.
 *
 *     y[c][i][j] = x[c][i - top][j - left] where x has such a pixel, else out.pad_value
 *
 * `in` with rows = 0 is a flat image of bytes in C, H, W order (its halos, pads and plane mean nothing).
 */
#ifndef MCUGEN_PAD_LANES_H
#define MCUGEN_PAD_LANES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_pad_lanes {
    struct mcugen_lanes in;
    struct mcugen_lanes out;
    uint16_t top;
    uint16_t left;
};

/* x: an image as `in` says, only the image itself is read; y: planes of the larger image, sealed here. They do not
 * overlap. */
void mcugen1_pad_lanes_ref(const struct mcugen_pad_lanes *k, const void *x, void *y);

static inline void mcugen1_pad_lanes(const struct mcugen_pad_lanes *k, const void *x, void *y)
{
    mcugen1_pad_lanes_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
