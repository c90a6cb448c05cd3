/* pad_nibbles.h - the zero point around an image in lanes of nibbles, with as many rows in a lane.
 *
 *     y[c][i][j] = x[c][i - top][j - left] where x has such a pixel, else out.pad_value
 *
 * Padding above moves rows by top, which is a number of rows and of whole lanes for all lanes alike.
 */
#ifndef MCUGEN_PAD_NIBBLES_H
#define MCUGEN_PAD_NIBBLES_H

#include "mcugen.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mcugen_pad_nibbles {
    struct mcugen_lanes in;
    struct mcugen_lanes out; /* of the same rows and pad_value */
    uint16_t top;
    uint16_t left;
};

/* x: planes, sealed, of which garbage is read too, halos are not; y: planes of the larger image, sealed here. They do not
 * overlap. */
void mcugen1_pad_nibbles_ref(const struct mcugen_pad_nibbles *k, const void *x, void *y);

static inline void mcugen1_pad_nibbles(const struct mcugen_pad_nibbles *k, const void *x, void *y)
{
    mcugen1_pad_nibbles_ref(k, x, y);
}

#ifdef __cplusplus
}
#endif

#endif
